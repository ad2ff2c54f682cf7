"""The classifier of the article and the bigram: the book's exercises 5.1 to 5.5."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter5.given import Inputs, fixed, the_value


def sizes_of_images(rng: Generator) -> dict[str, Any]:
    """A batch that is smaller than an image and does not divide it."""
    while True:
        images, height, width = (int(rng.integers(*bounds)) for bounds in ((40, 80), (20, 33), (20, 33)))
        if height != width and height * width % images:
            return {"images": images, "height": height, "width": width}


OTHER_RESHAPE = Task(
    id="5.1",
    title="The other reshape",
    kind="number",
    minutes=10,
    difficulty=2,
    practises="the order of numbers in memory",
    statement=r"""
Somebody flattens the batch `x` of shape ({images}, 1, {height}, {width}) with `x.reshape({height} * {width}, {images}).T`. The shape
is right, and no error comes. What does the network get to see?

Count one case of it: how many pixels of image 0 stand in "example" 0, the first row of the result? Set `answer`; the sizes are in
`images`, `height` and `width`.
""",
    stub="""
answer = None  # pixels
""",
    solution="""
# example 0 holds the numbers 0, images, 2 * images, ... in memory;
# image 0 is the first height * width of them
answer = len(range(0, height * width, images))
""",
    hint="`reshape` keeps the order of the numbers in memory. Which numbers stand in the first column before the `.T`?",
    derivation=r"""
Number $n$ of the batch in memory belongs to image $\lfloor n / P \rfloor$, for $P$ pixels per image. In the array of $P$ rows and $N$
columns, column $c$ holds the numbers $c, c + N, c + 2 N, \dots$, which run through all $N$ images. So each "example" is a mixture of
every $N$-th pixel of all images, and the labels belong to none of them. Of image 0, example 0 holds the multiples of $N$ below $P$,
which are $\lceil P / N \rceil$. In the book's network, with 64 images of 28 times 28, that is 13, since $784 / 64 = 12.25$.
""",
    tests=(Test("the value", use=the_value, call="answer", atol=0.01, rtol=0.0),),
    wrong=(
        Wrong(
            "integer-division",
            "len(range(0, height * width, images))",
            "height * width // images",
            why="The quotient was rounded down; the pixel with number 0 counts, too.",
            look="How many multiples of 3 are there from 0 to 9?",
        ),
        Wrong(
            "",
            "len(range(0, height * width, images))",
            "height * width",
            why="This would be so if each row held one image, as after `x.reshape(images, height * width)`.",
            look="A batch of 2 images of 2 times 2 pixels: write the four numbers of the first row down.",
        ),
        Wrong(
            "",
            "len(range(0, height * width, images))",
            "height * width / images",
            why="A number of pixels is whole; example 0 begins with the first pixel of image 0.",
            look="Count the multiples of the batch size that are smaller than the number of pixels.",
        ),
    ),
    setup="",
    data=sizes_of_images,
    after="Show one such example as a picture, with `mnist_5k`: the digits shine through one another.",
)


def low_rank(m: int, n: int, rank: int, width: int) -> Inputs:
    """Draws an (m, n) matrix of the given rank."""
    return lambda rng: (rng.standard_normal((m, rank)) @ rng.standard_normal((rank, n)), width)


def shapes_and_product(answer: Any, W: Any, width: int) -> Any:
    """What does not depend on the choice of the two factors."""
    W_2, W_1 = answer(W, width)
    return np.shape(W_2), np.shape(W_1), W_2 @ W_1


NARROW_LAYER = Task(
    id="5.2",
    title="A narrow hidden layer",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="rank, singular values",
    statement=r"""
Two linear layers with a hidden width of $r$: which matrices $W = W_2 W_1$ can they make? Show it by making them: `factors(W, r)` takes
a matrix `(m, n)` and returns `W_2` `(m, r)` and `W_1` `(r, n)` whose product is as near to $W$ as the width allows: the sum of the
squared differences is as small as possible. Where the rank of $W$ is at most $r$ the product is $W$ itself.

Then train 784-2-10 without an activation (learning rate 0.02, 10 epochs), and compare rank and accuracy with the article's network.
""",
    stub='''
def factors(W, r):
    """Two layers of inner width r that come nearest to one.

    W: (m, n); 1 <= r <= min(m, n). Returns W_2 (m, r), W_1 (r, n).
    """
    raise NotImplementedError
''',
    solution="""
def factors(W, r):
    U, s, Vh = np.linalg.svd(W, full_matrices=False)
    W_2 = U[:, :r] * s[:r]
    return W_2, Vh[:r]
""",
    name="factors",
    hint="The rank of a product is at most the smallest rank of its factors. Which decomposition is a sum of outer products?",
    derivation=r"""
$W$ is a sum of $r$ outer products, so its rank is at most $r$, and every matrix of rank at most $r$ can be made: its singular value
decomposition $\sum_k s_k\, u_k v_k^\top$ has $r$ terms, and $W_2 = (s_1 u_1, \dots, s_r u_r)$, $W_1 = (v_1, \dots, v_r)^\top$. For a
larger rank the terms with the $r$ largest singular values are the nearest such matrix (Eckart and Young). With $r = 2$ all ten logits
are affine functions of only two numbers computed from the image: a point in a plane, cut into ten regions by straight lines. A plane
does not hold ten digits apart.
""",
    tests=(
        Test(
            "rank 1, width 1",
            fixed(np.outer([1.0, 2.0], [3.0, 0.0, -1.0]), 1),
            use=shapes_and_product,
            call="W_2 @ W_1",
            atol=1e-9,
        ),
        Test("rank 2, width 2", low_rank(4, 5, 2, 2), use=shapes_and_product, call="W_2 @ W_1", atol=1e-9),
        Test(
            "rank 4, width 2",
            low_rank(6, 4, 4, 2),
            points=2,
            use=shapes_and_product,
            call="W_2 @ W_1",
            atol=1e-9,
            hidden=True,
        ),
        Test(
            "wider than the rank",
            low_rank(3, 7, 1, 3),
            use=shapes_and_product,
            call="W_2 @ W_1",
            atol=1e-9,
            hidden=True,
        ),
    ),
    wrong=(
        Wrong(
            "",
            "U[:, :r] * s[:r]",
            "U[:, :r]",
            why="The singular values are missing: the product has the right directions, and the lengths 1.",
            look="Where do the numbers s stand in the sum of outer products?",
        ),
        Wrong(
            "",
            "U[:, :r] * s[:r]\n    return W_2, Vh[:r]",
            "U[:, -r:] * s[-r:]\n    return W_2, Vh[-r:]",
            why="The smallest singular values were kept; NumPy sorts them from the largest.",
            look="The order of `s`.",
        ),
        Wrong(
            "",
            "U[:, :r] * s[:r]\n    return W_2, Vh[:r]",
            "W[:, :r]\n    return W_2, np.linalg.lstsq(W_2, W, rcond=None)[0]",
            why="The first r columns span the right space only where the rank is at most r; for a larger rank another space comes nearer.",
            look="The test in which the rank is larger than the width.",
        ),
        Wrong(
            "",
            "U[:, :r] * s[:r]",
            "U[:, :r] * s[:r] ** 2",
            why="The singular values count twice.",
            look="For rank 1: the norm of the product and that of W.",
        ),
    ),
    after="How much of the article's trained 784-128-10 survives if its product is replaced by the nearest matrix of rank 2? Of rank 9?",
)


def two_layers(N: int, n: int, width: int, classes: int, scale: float = 1.0, second: float = 1.0) -> Inputs:
    """Draws a batch with labels, and the four parameters; `second` scales all but the inputs."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        shapes = ((width, n), (width,), (classes, width), (classes,))
        x, y = scale * rng.standard_normal((N, n)), rng.integers(classes, size=N)
        return (x, y, *(second * rng.standard_normal(shape) for shape in shapes))

    return inputs


BEGIN_AT_ZERO = Task(
    id="5.3",
    title="Beginning at zero",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="backpropagation through two linear layers",
    statement=r"""
Write `gradients(x, y, W_1, b_1, W_2, b_2)` in NumPy: the four gradients of the mean cross-entropy of two linear layers without an
activation, $h = W_1 x + b_1$ and $z = W_2 h + b_2$ for each row of the batch.

Then set all weights and biases to zero. Which of the four gradients are zero at the first step? Which weights ever change? What about
a single layer that starts at zero?
""",
    stub='''
def gradients(x, y, W_1, b_1, W_2, b_2):
    """The gradients of the mean cross-entropy of two linear layers.

    x: (N, n); y: (N,) classes; W_1: (H, n); b_1: (H,); W_2: (K, H); b_2: (K,).
    Returns the gradients of W_1, b_1, W_2, b_2, in their shapes.
    """
    raise NotImplementedError
''',
    solution="""
def gradients(x, y, W_1, b_1, W_2, b_2):
    h = x @ W_1.T + b_1
    z = h @ W_2.T + b_2
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p = p / p.sum(axis=1, keepdims=True)
    p[np.arange(len(y)), y] -= 1
    z_bar = p / len(y)
    h_bar = z_bar @ W_2
    return h_bar.T @ x, h_bar.sum(axis=0), z_bar.T @ h, z_bar.sum(axis=0)
""",
    name="gradients",
    hint=r"Begin with (4.9) for the logits, and go back through two layers by (3.10) and (3.10). Then put zeros in.",
    derivation=r"""
$\bar z = (p - y) / N$ by (4.9), with the mean's $1/N$. By (3.10) $\bar W_2 = \bar z^\top h$ and $\bar b_2$ is the sum of $\bar z$ over
the batch; by (3.10) $\bar h = \bar z\, W_2$, and then the same for the first layer. With zeros, $h = 0$ makes $\bar W_2 = 0$, and
$W_2 = 0$ makes $\bar h = 0$, so $\bar W_1 = 0$ and $\bar b_1 = 0$. Only $\bar b_2$ is not zero. After any number of steps $h$ and $W_2$
are still zero: the network learns the shares of the digits in $b_2$, and nothing about images. For one layer $\bar W = \bar z^\top x$ is
not zero: its loss is convex, and zero is as good a start as any.
""",
    tests=(
        Test("one example", two_layers(1, 2, 2, 2)),
        Test("a batch", two_layers(4, 3, 2, 5), points=2, labels={"the batch": 4, "the width": 2, "the classes": 5}),
        Test("all parameters zero", two_layers(6, 3, 4, 5, second=0.0), labels={"the batch": 6, "the classes": 5}),
        Test(
            "large logits", two_layers(3, 4, 2, 5, scale=1000), hidden=True, labels={"the batch": 3, "the classes": 5}
        ),
    ),
    wrong=(
        Wrong("gradient-not-divided-by-batch", "p / len(y)", "p"),
        Wrong("target-not-subtracted", "    p[np.arange(len(y)), y] -= 1\n", ""),
        Wrong("softmax-not-stable", "z - z.max(axis=1, keepdims=True)", "z"),
        Wrong("softmax-over-wrong-axis", "p / p.sum(axis=1, keepdims=True)", "p / p.sum(axis=0, keepdims=True)"),
        Wrong(
            "mean-over-the-batch",
            "h_bar.sum(axis=0), z_bar.T @ h, z_bar.sum",
            "h_bar.mean(axis=0), z_bar.T @ h, z_bar.mean",
        ),
        Wrong(
            "sign-of-the-gradient",
            "z_bar = p / len(y)",
            "z_bar = -p / len(y)",
            why="The gradient of the logits is p minus the target, not the target minus p.",
        ),
        Wrong(
            "mean-over-the-batch",
            "h_bar.sum(axis=0), z_bar.T @ h",
            "h_bar.mean(axis=0), z_bar.T @ h",
        ),
    ),
    after="Give b_1 small random numbers and leave the rest at zero: which gradients are zero now, and which after one step?",
)

WHAT_ALPHA_MEANS = Task(
    id="5.4",
    title="What alpha means",
    kind="proof",
    minutes=20,
    difficulty=2,
    practises="smoothing as a mean of two distributions",
    statement=r"""
Show that (5.3) is a mean of the counted shares and of the uniform distribution, and say with which weights. To what does it tend for
$\alpha \to 0$ and $\alpha \to \infty$? Which rows does a given $\alpha$ change most?
""",
    solution="""
def smoothed(N, alpha):
    V = N.shape[1]
    return (N + alpha) / (N.sum(axis=1, keepdims=True) + alpha * V)


N = np.array([[90, 10, 0, 0], [1, 2, 0, 0], [0, 0, 0, 0]])
V, totals = N.shape[1], N.sum(axis=1, keepdims=True)
shares = N / np.maximum(totals, 1)
for alpha in (0.01, 1.0, 100.0):
    weight = totals / (totals + alpha * V)
    assert np.allclose(smoothed(N, alpha), weight * shares + (1 - weight) / V)
assert np.abs(smoothed(N, 1e9) - 1 / V).max() < 1e-6
assert np.abs(smoothed(N, 1e-9) - shares)[:2].max() < 1e-6
change = np.abs(smoothed(N, 0.1) - shares).max(axis=1)
assert change[0] < change[1] < change[2]
answer = weight[:, 0]
""",
    hint=r"Write $N_{ij} = N_i \cdot (N_{ij} / N_i)$ and $\alpha = \alpha V \cdot (1 / V)$ in the numerator.",
    derivation=r"""
With $\lambda_i = N_i / (N_i + \alpha V)$: $p_\alpha(j \mid i) = \lambda_i\, N_{ij} / N_i + (1 - \lambda_i) / V$. For $\alpha \to 0$ it is
the counted share, for $\alpha \to \infty$ it is uniform. $\alpha V$ acts like that many imagined observations in each row, so the rows
of rare characters change most. For a character never seen, $\lambda_i = 0$.
""",
    rubric=(
        ("the weight of the counted shares is N_i / (N_i + alpha V), and that of the uniform distribution the rest", 2),
        ("both limits, and the row that was never counted", 1),
        ("rare rows change most, with the reason: alpha V against N_i", 1),
    ),
    after="Choose alpha by the loss on a part of the training text that was not counted.",
)


def counted_pairs(V: int, T: int) -> Inputs:
    """Draws a table of probabilities and a text."""
    return lambda rng: (rng.dirichlet(np.ones(V), size=V), rng.integers(V, size=T))


IDEAL_BYTES = Task(
    id="5.5",
    title="A language model compresses",
    kind="code",
    minutes=10,
    difficulty=1,
    practises="surprise in bits, what a code costs",
    statement=r"""
An ideal (arithmetic) coder spends $-\log_2 p$ bits on a character to which the model gave the probability $p$. Write
`ideal_bytes(P, ids)`: how many bytes it needs for a text with a bigram model, `P[i, j]` being the probability of $j$ after $i$. The first
character is known; the result is a float.

Then compute it for the exam of this chapter. `zlib` needs fewer bytes than the bigram. Why does it win, though it knows nothing about
probabilities of letters?
""",
    stub='''
def ideal_bytes(P, ids):
    """The bytes of an ideal code for a text, under a bigram model.

    P: (V, V), rows that sum to 1; ids: (T,). Returns a float.
    """
    raise NotImplementedError
''',
    solution="""
def ideal_bytes(P, ids):
    p = P[ids[:-1], ids[1:]]
    bits = -np.log2(p).sum()
    return float(bits / 8)
""",
    name="ideal_bytes",
    hint="How many bits does a character of probability 1/2 cost, and one of probability 1/256? How many characters are predicted?",
    derivation=r"""
The bits are $-\sum_t \log_2 p(x_{t+1} \mid x_t)$, which is $\mathcal L\, T / \ln 2$ for the loss (1.5) over $T$ predictions; 8 bits are a
byte. For the exam, $T = 46{,}464$, the bigram needs somewhat over 19,000 bytes instead of one byte for each character. zlib replaces a
repeated piece of text by a pointer to where it stood before, so it profits from phrases of any length, like the counts of order 5, and a
manual is full of phrases. (It starts without having read the training text, too.)
""",
    tests=(
        Test("two characters", fixed(np.array([[0.5, 0.5], [0.25, 0.75]]), np.array([1, 0]))),
        Test("one bit each", fixed(np.full((2, 2), 0.5), np.array([0, 1, 1, 0, 1, 0, 0, 1, 1]))),
        Test("a text", counted_pairs(5, 60), labels={"the predictions": 59, "the vocabulary": 5}),
        Test(
            "a long text", counted_pairs(12, 3000), hidden=True, labels={"the predictions": 2999, "the vocabulary": 12}
        ),
    ),
    wrong=(
        Wrong("bits-for-bytes", "bits / 8", "bits"),
        Wrong(
            "nats-for-bits",
            "np.log2",
            "np.log",
            why="The natural logarithm gives nats; a nat is 1.4427 bits.",
            look="The base of the logarithm.",
        ),
        Wrong("mean-for-sum", "-np.log2(p).sum()", "-np.log2(p).mean()"),
        Wrong("cross-entropy-sign", "-np.log2(p).sum()", "np.log2(p).sum()"),
        Wrong(
            "",
            "P[ids[:-1], ids[1:]]",
            "P[ids[1:], ids[:-1]]",
            why="Row and column are exchanged: this is the probability of each character before the other.",
            look="`P[i, j]` is the probability of j after i.",
        ),
        Wrong("targets-not-shifted", "P[ids[:-1], ids[1:]]", "P[ids[:-1], ids[:-1]]"),
        Wrong(
            "negative-index-wraps",
            "P[ids[:-1], ids[1:]]",
            "P[np.roll(ids, 1), ids]",
            why="The first character was charged too, as if the last one stood before it: for i = 0, `ids[i - 1]` is `ids[-1]`.",
            look="Where the loop begins: the first character is known.",
        ),
    ),
    after="How many bytes does the GPT of this chapter need?",
)

TASKS = (OTHER_RESHAPE, NARROW_LAYER, BEGIN_AT_ZERO, WHAT_ALPHA_MEANS, IDEAL_BYTES)
