"""Convolution as a product, its way back, and pooling."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Task, Test, Wrong
from minilm.exercises.tasks.chapter5.given import Inputs, normal


def counting(*shape: int, then: tuple[Any, ...] = ()) -> Inputs:
    """An array that holds 0, 1, 2, ... in the order of memory."""
    return lambda rng: (np.arange(float(np.prod(shape))).reshape(shape), *then)


IM2COL = Task(
    id="5.23",
    title="Windows as rows",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="windows, strides, the order of axes",
    statement=r"""
Write `im2col(x, k, stride)` for images `x` `(N, C, H, W)`: each window of $k$ times $k$ pixels becomes a row. Windows begin at the
multiples of `stride`, and must lie within the image. The rows follow the images, in each image the windows from left to right and then
from top to bottom; within a row the numbers stand channel by channel, each window line by line. The result is
`(N * rows * columns, C * k * k)`.

For an image with the lines 0 1 2 and 3 4 5, $k = 2$, `stride` 1, the rows are 0 1 3 4 and 1 2 4 5.
""",
    stub='''
def im2col(x, k, stride):
    """The windows of a batch of images, one per row.

    x: (N, C, H, W). Returns (N * rows * columns, C * k * k), of the dtype of x,
    with rows = (H - k) // stride + 1.
    """
    raise NotImplementedError
''',
    solution="""
def im2col(x, k, stride):
    N, C, H, W = x.shape
    rows, columns = (H - k) // stride + 1, (W - k) // stride + 1
    windows = np.empty((N, rows, columns, C, k, k), x.dtype)
    for i in range(rows):
        for j in range(columns):
            top, left = i * stride, j * stride
            windows[:, i, j] = x[:, :, top : top + k, left : left + k]
    return windows.reshape(N * rows * columns, C * k * k)
""",
    name="im2col",
    hint="How many windows fit side by side? Give the result six axes first, in the order in which it is to be read.",
    derivation=r"""
The last window begins at the largest multiple $i s \le H - k$, so there are $\lfloor (H - k) / s \rfloor + 1$. With the axes
`(N, rows, columns, C, k, k)` the order of memory is the order that is asked for, and the reshape to two axes only forgets the borders.
""",
    tests=(
        Test("the example", counting(1, 1, 2, 3, then=(2, 1)), fresh=True),
        Test("two channels", counting(1, 2, 3, 3, then=(2, 1)), fresh=True, labels={"the channels": 2, "k": 2}),
        Test("a stride", counting(1, 1, 5, 7, then=(3, 2)), fresh=True, labels={"k": 3, "the stride": 2}),
        Test(
            "a batch",
            normal((3, 2, 6, 5), then=(2, 2)),
            hidden=True,
            fresh=True,
            labels={"the batch": 3, "the channels": 2},
        ),
        Test("float32, one pixel", normal((2, 3, 2, 4), then=(1, 1), dtype="float32"), hidden=True, fresh=True),
    ),
    wrong=(
        Wrong("stride-ignored", "top, left = i * stride, j * stride", "top, left = i, j"),
        Wrong(
            "range-off-by-one", "(H - k) // stride + 1, (W - k) // stride + 1", "(H - k) // stride, (W - k) // stride"
        ),
        Wrong(
            "flattened-in-wrong-order",
            "return windows.reshape(",
            "return windows.transpose(0, 1, 2, 4, 5, 3).reshape(",
            why="Within a row the channels of each pixel stand side by side; asked for is one channel after the other.",
        ),
        Wrong(
            "transposed-result",
            "return windows.reshape(N * rows * columns, C * k * k)",
            "return windows.reshape(N * rows * columns, C * k * k).T.copy()",
        ),
        Wrong(
            "reshape-for-transpose",
            "return windows.reshape(",
            "return windows.transpose(0, 2, 1, 3, 4, 5).reshape(",
            why="The windows follow one another from top to bottom first; asked for is from left to right.",
        ),
        Wrong("float64-from-float32", ", x.dtype)", ")"),
    ),
    after="`np.lib.stride_tricks.sliding_window_view` gives the windows without copying. Which axes must be moved?",
)

CONVOLVE = Task(
    id="5.24",
    title="Convolution is a product",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="im2col, padding, putting axes back",
    statement=r"""
With `im2col(x, k, stride)` of 5.23 (given) write `convolve(x, w, b, stride, padding)`, what a convolution layer computes: `x`
`(N, C, H, W)` gets `padding` zeros on all four sides, and

$$ y_{n o i j} = b_o + \sum_{c\, u\, v} w_{o c u v}\, x_{n, c, i s + u, j s + v} $$

for the kernels `w` `(O, C, k, k)` and the stride $s$. As in every such library, the kernel is *not* turned round. Use one matrix product,
and no loop.
""",
    stub='''
def convolve(x, w, b, stride, padding):
    """A convolution layer.

    x: (N, C, H, W); w: (O, C, k, k); b: (O,). Returns (N, O, rows, columns).
    float32 gives float32.
    """
    raise NotImplementedError
''',
    solution="""
def convolve(x, w, b, stride, padding):
    O, C, k, k = w.shape
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    N, _, H, W = x.shape
    rows, columns = (H - k) // stride + 1, (W - k) // stride + 1
    y = im2col(x, k, stride) @ w.reshape(O, -1).T + b
    return y.reshape(N, rows, columns, O).transpose(0, 3, 1, 2)
""",
    name="convolve",
    hint="Each output is a dot product of a window and a kernel. Which rows and columns has the product? Then move its axes.",
    derivation=r"""
Row $r$ of `im2col` is a window as a vector of $C k^2$ numbers, and `w.reshape(O, -1)` has each kernel in the same order. Their product is
`(N * rows * columns, O)`: the channels stand last. So the array is first read as `(N, rows, columns, O)`, and then the last axis is moved
to place 1. To reshape to `(N, O, rows, columns)` at once gives the right shape and mixes pixels and channels.
""",
    tests=(
        Test(
            "one window",
            lambda rng: (
                np.arange(4.0).reshape(1, 1, 2, 2),
                np.array([[[[1.0, 2.0], [3.0, 5.0]]]]),
                np.array([10.0]),
                1,
                0,
            ),
        ),
        Test(
            "three kernels",
            normal((1, 2, 4, 5), (3, 2, 2, 2), (3,), then=(1, 0)),
            labels={"the channels": 2, "the kernels": 3},
        ),
        Test(
            "padding",
            normal((2, 1, 3, 4), (2, 1, 3, 3), (2,), then=(1, 1)),
            labels={"the batch": 2, "the kernels": 2, "k": 3},
        ),
        Test("a stride", normal((2, 3, 7, 5), (4, 3, 3, 3), (4,), then=(2, 1)), hidden=True, points=2),
        Test("float32", normal((3, 2, 5, 4), (5, 2, 2, 2), (5,), then=(2, 2), dtype="float32"), hidden=True),
    ),
    wrong=(
        Wrong(
            "convolution-flipped",
            "w.reshape(O, -1)",
            "w[:, :, ::-1, ::-1].reshape(O, -1)",
            why="The kernel was turned round. Mathematicians call that convolution; the layer is a cross-correlation.",
        ),
        Wrong(
            "reshape-for-transpose",
            "y.reshape(N, rows, columns, O).transpose(0, 3, 1, 2)",
            "y.reshape(N, O, rows, columns)",
        ),
        Wrong(
            "padding-forgotten",
            "    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))\n",
            "",
        ),
        Wrong(
            "bias-not-added",
            " + b\n",
            "\n",
            why="The bias is missing.",
            look="The sum of an output with a kernel of zeros.",
        ),
        Wrong(
            "transposed-result",
            "transpose(0, 3, 1, 2)",
            "transpose(0, 3, 2, 1)",
            why="Lines and columns of the result are exchanged.",
        ),
        Wrong(
            "",
            "(padding, padding), (padding, padding))",
            "(padding, 0), (padding, 0))",
            why="Zeros were added above and on the left only.",
            look="The size of the result: how much does a padding of 1 add to H?",
        ),
        Wrong(
            "reshape-for-transpose",
            "w.reshape(O, -1).T",
            "w.reshape(-1, O)",
            why="The kernels were reshaped to (C k k, O). That has the right shape, and mixes numbers of different kernels.",
            look="One kernel, laid flat, is one column.",
        ),
    ),
    setup="import numpy as np\n\nfrom minilm.exercises.tasks.chapter5.given import im2col\n",
    after="Compare with `ml.nn.functional.conv2d`, result and time.",
)


def columns_of(N: int, C: int, H: int, W: int, k: int, stride: int) -> Inputs:
    """Draws the gradient of the rows that im2col makes."""
    windows = N * ((H - k) // stride + 1) * ((W - k) // stride + 1)
    return normal((windows, C * k * k), then=((N, C, H, W), k, stride))


COL2IM = Task(
    id="5.25",
    title="The way back: col2im",
    kind="code",
    minutes=20,
    difficulty=3,
    practises="the transpose of a copy is a sum",
    statement=r"""
`im2col` of 5.23 copies each pixel into every window that holds it. Write its backward pass, `col2im(g, shape, k, stride)`: `g` is the
gradient of the rows, `(N * rows * columns, C * k * k)`, `shape` is `(N, C, H, W)`, and the result is the gradient of the images. Pixels
that no window holds get 0.

For one image with the lines 0 1 2 and 3 4 5, $k = 2$, `stride` 1 and a gradient of ones, the result is 1 2 1 and 1 2 1: the pixels in the
middle stand in both windows.
""",
    stub='''
def col2im(g, shape, k, stride):
    """The gradient of im2col's input.

    g: (N * rows * columns, C * k * k); shape: (N, C, H, W).
    Returns an array of that shape.
    """
    raise NotImplementedError
''',
    solution="""
def col2im(g, shape, k, stride):
    N, C, H, W = shape
    rows, columns = (H - k) // stride + 1, (W - k) // stride + 1
    windows = g.reshape(N, rows, columns, C, k, k)
    x_bar = np.zeros(shape, g.dtype)
    for i in range(rows):
        for j in range(columns):
            top, left = i * stride, j * stride
            x_bar[:, :, top : top + k, left : left + k] += windows[:, i, j]
    return x_bar
""",
    name="col2im",
    hint="Go through the same windows as forward. A pixel was used how often, and what does the chain rule do with several uses?",
    derivation=r"""
`im2col` is linear, each output being a copy of one pixel. A pixel's gradient is the sum of the gradients of all its copies, (4.15): the
transposed matrix has a one wherever the matrix has. So the loop is the same as forward, with source and target exchanged and `+=` instead
of `=`. Where windows do not overlap, the two are the same, which hides the mistake for a stride of $k$.
""",
    tests=(
        Test("the example", lambda rng: (np.ones((2, 4)), (1, 1, 2, 3), 2, 1)),
        Test("windows that overlap", columns_of(1, 1, 4, 5, 3, 1), points=2, labels={"k": 3}),
        Test(
            "a stride as large as the window", columns_of(2, 3, 4, 6, 2, 2), labels={"the batch": 2, "the channels": 3}
        ),
        Test("pixels in no window", columns_of(2, 2, 8, 6, 2, 3), hidden=True),
        Test("a batch, overlapping, with a stride", columns_of(3, 2, 7, 5, 3, 2), hidden=True),
    ),
    wrong=(
        Wrong("im2col-overwrites-overlaps", "left : left + k] +=", "left : left + k] ="),
        Wrong("stride-ignored", "top, left = i * stride, j * stride", "top, left = i, j"),
        Wrong(
            "flattened-in-wrong-order",
            "g.reshape(N, rows, columns, C, k, k)",
            "g.reshape(N, rows, columns, k, k, C).transpose(0, 1, 2, 5, 3, 4)",
            why="The rows were read pixel by pixel; they hold one channel after the other.",
        ),
        Wrong(
            "mean-for-sum",
            "return x_bar",
            """count = np.zeros((H, W))
    for i in range(rows):
        for j in range(columns):
            count[i * stride : i * stride + k, j * stride : j * stride + k] += 1
    return x_bar / np.maximum(count, 1)""",
            why="Each pixel got the mean over its windows. A gradient through several copies is their sum.",
        ),
        Wrong(
            "transpose-missing-in-backward",
            "+= windows[:, i, j]",
            "+= windows[:, i, j].transpose(0, 1, 3, 2)",
            why="Lines and columns of each window were exchanged.",
        ),
    ),
    after="Check it with the identity of transposes: sum(im2col(x) * g) = sum(x * col2im(g)).",
)

MAX_POOL = Task(
    id="5.26",
    title="Max pooling, both ways",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="who was the largest, ties",
    statement=r"""
Write `max_pool(x, y_bar, k)`: images `x` `(N, C, H, W)` are cut into squares of $k$ times $k$ pixels without overlap ($k$ divides $H$ and
$W$); the output `y` is the largest of each square, `(N, C, H/k, W/k)`. It returns `y` and, from the gradient `y_bar` of `y`, the gradient
`x_bar` of `x`.

If several pixels of a square are the largest, the first of them, line by line, gets all of the gradient.
""",
    stub='''
def max_pool(x, y_bar, k):
    """Max pooling, forward and backward.

    x: (N, C, H, W); y_bar: (N, C, H / k, W / k).
    Returns y, of the shape of y_bar, and x_bar, of the shape of x.
    float32 gives float32.
    """
    raise NotImplementedError
''',
    solution="""
def max_pool(x, y_bar, k):
    N, C, H, W = x.shape
    split = x.reshape(N, C, H // k, k, W // k, k).transpose(0, 1, 2, 4, 3, 5)
    squares = split.reshape(N, C, H // k, W // k, k * k)
    hit = np.arange(k * k) == squares.argmax(axis=-1)[..., None]
    g = hit * y_bar[..., None]
    joined = g.reshape(N, C, H // k, W // k, k, k).transpose(0, 1, 2, 4, 3, 5)
    return squares.max(axis=-1), joined.reshape(N, C, H, W)
""",
    name="max_pool",
    hint="Bring the pixels of a square to one last axis: two reshapes and a transpose. The way back is the same in reverse.",
    derivation=r"""
`reshape(N, C, H/k, k, W/k, k)` splits lines and columns into (square, place within), and the transpose puts the two places last. The
largest number is a copy of one input, so its gradient goes there, and all others get 0: the gradient of a choice. Where two are equal the
function has a corner, and any share-out is a subgradient; but the whole gradient for each of them would count it twice. ReLU images have
many zeros, so ties are common.
""",
    tests=(
        Test("one square", lambda rng: (np.array([[[[1.0, 4.0], [3.0, 2.0]]]]), np.array([[[[5.0]]]]), 2)),
        Test(
            "two squares side by side",
            lambda rng: (rng.permutation(8.0 * np.ones(8).cumsum()).reshape(1, 1, 2, 4), np.array([[[[1.0, 2.0]]]]), 2),
        ),
        Test(
            "equal pixels",
            lambda rng: (
                np.maximum(0, rng.integers(-3, 2, (2, 1, 4, 6))).astype(float),
                rng.standard_normal((2, 1, 2, 3)),
                2,
            ),
        ),
        Test("a batch", normal((3, 2, 6, 9), (3, 2, 2, 3), then=(3,)), hidden=True, points=2),
        Test(
            "negative numbers, float32",
            lambda rng: (-rng.random((2, 3, 4, 2), dtype="float32"), np.ones((2, 3, 2, 1), "float32"), 2),
            hidden=True,
        ),
    ),
    wrong=(
        Wrong(
            "max-gradient-to-all",
            "np.arange(k * k) == squares.argmax(axis=-1)[..., None]",
            "squares == squares.max(axis=-1, keepdims=True)",
            why="Where several pixels are equally the largest, each of them got the whole gradient. The first alone gets it.",
            look="A square of four equal pixels.",
        ),
        Wrong(
            "",
            "hit * y_bar[..., None]",
            "np.ones(k * k, x.dtype) / (k * k) * y_bar[..., None]",
            why="The gradient was spread evenly over the square: that is mean pooling's.",
            look="Which of the pixels has an effect on the largest one?",
        ),
        Wrong(
            "reshape-for-transpose",
            "split = x.reshape(N, C, H // k, k, W // k, k).transpose(0, 1, 2, 4, 3, 5)",
            "split = x",
            why="A reshape alone takes k * k pixels in a row of memory, not a square.",
        ),
        Wrong(
            "ties-to-the-larger-index",
            "squares.argmax(axis=-1)[..., None]",
            "k * k - 1 - squares[..., ::-1].argmax(axis=-1)[..., None]",
            why="Of equal pixels the last one got the gradient.",
            look="The test with equal pixels.",
        ),
        Wrong(
            "local-derivative-only",
            "hit * y_bar[..., None]",
            "hit * np.ones_like(y_bar)[..., None]",
        ),
        Wrong(
            "",
            "hit = np.arange(k * k) == squares.argmax(axis=-1)[..., None]",
            "hit = squares == squares.max(axis=-1, keepdims=True)\n    hit = hit / hit.sum(axis=-1, keepdims=True, dtype=x.dtype)",
            why="Equal pixels share the gradient here. Asked for is that the first of them gets all.",
            look="A square of four equal pixels.",
        ),
    ),
    after="With overlapping windows (k = 3, stride 2) a pixel can be the largest of several: use `np.add.at`.",
)

TASKS = (IM2COL, CONVOLVE, COL2IM, MAX_POOL)
