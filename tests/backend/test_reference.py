"""The CPU's version of every hot function against `Reference`: each function, on several shapes, dtypes and layouts in memory.

A function is tested by being entered in `CASES`; one that is not is reported. The CUDA kernels are held against the same file in
``tests/backend/cuda/emulated``.
"""

import inspect

import numpy as np
import pytest

from minilm.backend import Device
from minilm.backend.compiled_cpu import CompiledCpu, why_not
from minilm.backend.cpu import CpuDevice
from minilm.backend.reference import Reference, common_shape, sum_dtype, wide_dtype
from minilm.backend.threads import pool

pytestmark = [pytest.mark.host, pytest.mark.fast]

PLAIN = Device("plain", np, np.ndarray)
TOLERANCE = {"f": {"rtol": 3e-5, "atol": 3e-6}, "d": {"rtol": 1e-11, "atol": 1e-12}}
SHAPES = [(1,), (5,), (0,), (4, 3), (0, 3), (3, 0), (2, 3, 7), (2, 1, 3, 4), (40, 33)]
INF, NAN = np.inf, np.nan


class InParts(CpuDevice):
    """The CPU, where small arrays are long: they fall into blocks, several for each thread, and attention into groups."""

    block_size, thread_size, group_size, long_sum = 8, 16, 2, 4


class CompiledInParts(CompiledCpu):
    """The same with compiled loops."""

    share_size, small, long_sum, sum_rows = 8, 0, 4, 3


FAST = {"whole": CpuDevice(), "in parts": InParts()}
if why_not() is None:
    FAST |= {"compiled": CompiledCpu(), "compiled, in parts": CompiledInParts()}

LAYOUTS = {
    "C": lambda x: x,
    "F": lambda x: x.copy(order="F"),
    "strided": lambda x: np.repeat(x, 2, axis=-1)[..., ::2] if x.ndim else x,
    "reversed": lambda x: x[::-1].copy()[::-1] if x.ndim else x,
}


class Draw:
    """Arrays of a dtype, each with other numbers."""

    def __init__(self, dtype):
        self.dtype, self.rng = dtype, np.random.default_rng(0)

    def __call__(self, *shape):
        return self.rng.standard_normal(shape).astype(self.dtype)

    def positive(self, *shape):
        return abs(self(*shape)) + self.dtype.type(0.1)

    def ids(self, n, *shape):
        return self.rng.integers(0, n, shape)


def special(draw, n):
    """Rows that softmax may trip over: infinite, not a number, huge, all masked, all masked but one."""
    x = draw(7, n)
    x[0], x[1] = -INF, -INF
    x[1, n // 2], x[2, n - 1], x[3, 0] = 3.0, NAN, INF
    x[4] *= 1e30
    x[5] += 10_000
    x[6] = np.finfo(x.dtype).min
    return x


def axes(draw):
    """Every array of SHAPES with each of its axes, and one whose numbers are not all finite."""
    yield from ((draw(*shape), axis) for shape in SHAPES for axis in range(len(shape)))
    yield from ((special(draw, n), 1) for n in (1, 5, 33))


def rows(draw):
    return (draw(*shape) for shape in [*SHAPES, (3000, 2), (2, 5000)])


def products(draw):
    shapes = [((3, 4), (4, 5)), ((4,), (4, 5)), ((3, 4), (4,)), ((4,), (4,)), ((0, 4), (4, 5)), ((3, 0), (0, 5)),
              ((2, 3, 4), (4, 5)), ((2, 3, 4), (2, 4, 5)), ((6, 1, 3, 4), (2, 4, 5)), ((90, 81), (81, 70))]  # fmt: skip
    return ((draw(*a), draw(*b)) for a, b in shapes)


def sums(draw):
    for x in rows(draw):
        for axis in {(), (0,), (x.ndim - 1,), tuple(range(x.ndim)), tuple(range(1, x.ndim))}:
            yield from ((x, axis, keepdims) for keepdims in (False, True))
    yield draw.ids(100, 3, 4).astype(np.uint8), (0,), False


def scattered(draw):
    yield (5,), draw.dtype, draw.ids(5, 40), draw(40)
    yield (2, 3), draw.dtype, (draw.ids(2, 7), draw.ids(3, 7)), draw(7)
    yield (3,), draw.dtype, draw.ids(3, 0), draw(0)
    yield (3,), np.dtype(np.int32), draw.ids(3, 9), np.arange(9, dtype=np.int32)


def conditions(draw):
    return ((draw(*shape) > limit,) for shape in SHAPES for limit in (-1.0, 0.5, 100.0))


def row_norms(draw, weights, backward=None):
    """x and weights of a norm over rows; with the name of its forward function, its backward arguments."""
    for shape in [shape for shape in SHAPES if shape[-1]]:
        x = draw(*shape) + 1
        for w in ([None] * weights, [draw(shape[-1]) for _ in range(weights)]):
            if backward is None:
                yield x, *w, 1e-3
            else:
                yield draw(*shape), x, w[0], getattr(PLAIN, backward)(x, *w, 1e-3)[1]


def log_products(draw, backward=False):
    """Scores near each other, far apart (products underflow), forbidden, and not finite."""
    pairs = [(draw(4, 3), draw(3, 5)), (draw(2, 1), draw(1, 1)), (draw(0, 2), draw(2, 3)), (draw(2, 0), draw(0, 3))]
    pairs += [
        (draw(9, 6) * 1e3, draw(6, 6) * 1e3),
        (special(draw, 5), draw(5, 4)),
        (draw(3, 5), special(draw, 4)[[0, 1, 4, 5, 6]]),
    ]
    for a, b in pairs:
        with np.errstate(all="ignore"):
            y = PLAIN.logmatmulexp(a, b)
        yield (draw(*y.shape), a, b, y) if backward else (a, b)


def images(draw):
    return (draw(*shape) for shape in [(4, 3), (2, 3, 5), (3, 2, 4, 5), (1, 1), (2, 3, 0)])


def batch_norms(draw, backward=False):
    for x in (x for x in images(draw) if x.size):
        c = x.shape[1]
        for w, b in ((None, None), (draw(c), None), (draw(c), draw(c))):
            mean, var = draw(c), draw.positive(c)
            if not backward:
                yield x, w, b, mean, var, 1e-3
            else:
                yield from ((draw(*x.shape), x, w, mean, var, 1e-3, of_batch) for of_batch in (False, True))


def losses(draw, backward=False):
    for x in (draw(6, 5) * 3, draw(1, 1), draw(9, 33), draw(0, 4), special(draw, 5)):
        n, classes = x.shape
        target = draw.ids(classes, n)
        target[n // 2 : n // 2 + 1] = -100
        for targets in (target, draw.positive(n, classes)):
            for weight in (None, draw.positive(classes)):
                for smoothing in (0.0, 0.3):
                    arguments = x, targets, weight, -100, smoothing
                    if backward:
                        with np.errstate(all="ignore"):
                            arguments = draw(n), *arguments, PLAIN.cross_entropy(*arguments)[2]
                    yield arguments


MASKS = {
    "none": lambda draw, T, S: None,
    "bool": lambda draw, T, S: draw(T, S) < 0.5,
    "per key": lambda draw, T, S: draw(1, S) < 0.5,
    "added": lambda draw, T, S: draw(T, S),
    "for several batches": lambda draw, T, S: draw(5, 1, 1, T, S),
    "nothing allowed": lambda draw, T, S: np.zeros((T, S), bool),
    "one number": lambda draw, T, S: np.array(0.5, draw.dtype),
}


HEADS = (2, 3, 5, 4), (2, 3, 5, 4)
OTHERS = [((3, 4), (7, 4)), ((6, 4), (2, 4)), ((2, 1, 3, 4), (3, 3, 4)), ((2, 1, 4), (2, 9, 4))]
"""Shapes of queries, and of keys and values: with another number of keys, without a batch, with leading axes to broadcast."""


def attentions(draw, backward=False):
    """Every mask on heads, two on other shapes; causal with dropout, or neither."""
    for q, kv, masks in [(*HEADS, MASKS), *((*shapes, ("none", "bool")) for shapes in OTHERS)]:
        for mask in masks:
            for causal in (False, True):
                q_, k, v, m = draw(*q) * 2, draw(*kv), draw(*kv), MASKS[mask](draw, q[-2], kv[-2])
                arguments = q_, k, v, m, causal, 0.4 if causal else 0.0, 7, 0.6
                if backward:
                    y, saved = PLAIN.attention(*arguments)
                    arguments = draw(*y.shape), q_, k, v, y, 0.6, saved, causal
                yield arguments
    if not backward:  # scores too large for exp, in more than one group of queries
        yield draw(2, 80, 4), draw(2, 80, 4), draw(2, 80, 4) * 60, None, True, 0.0, 0, 30.0


def gelus(draw, backward=False):
    values = np.array([0.0, -0.0, INF, -INF, NAN, 1e-30, -1e-30, 50.0, -50.0, 1e10, -1e10], draw.dtype)
    for x in (*(draw(*shape) * 3 for shape in SHAPES), values):
        for approximate in ("none", "tanh"):
            with np.errstate(all="ignore"):
                yield (draw(*x.shape), x, PLAIN.gelu(x, approximate), approximate) if backward else (x, approximate)


def adamw_steps(draw):
    for shape in ((5,), (0,), (3, 7), (2, 3, 20)):
        for v_max in (None, draw.positive(*shape)):
            p, g, m, v = draw(*shape), draw(*shape), draw(*shape), draw.positive(*shape)
            for step, decay in ((1, 0.0), (1000, 0.1)):
                yield (
                    p,
                    g,
                    m,
                    v,
                    v_max,
                    {"step": step, "lr": 0.1, "betas": (0.9, 0.99), "eps": 1e-3, "weight_decay": decay},
                )


CASES = {
    "multiply": products,
    "matmul": products,
    "products": lambda draw: [((draw(3, 4), draw(4, 5)), (draw(5, 4), draw(4, 3))), ((draw(2, 2), draw(2, 2)),), ()],
    "sum": sums,
    "sum_axis": lambda draw: ((x, axis) for x in rows(draw) for axis in range(x.ndim)),
    "sum_last": lambda draw: ((x,) for x in rows(draw)),
    "sum_leading": lambda draw: ((x,) for x in rows(draw)),
    "cumsum": lambda draw: ((x, axis) for x in rows(draw) for axis in range(x.ndim)),
    "scatter_add": scattered,
    "max_axis": axes,
    "first_true": conditions,
    "softmax": axes,
    "softmax_backward": lambda draw: ((draw(*x.shape), x, axis) for x, axis in axes(draw)),
    "log_softmax": axes,
    "log_softmax_backward": lambda draw: ((draw(*x.shape), x, axis) for x, axis in axes(draw)),
    "logmatmulexp": log_products,
    "logmatmulexp_backward": lambda draw: log_products(draw, backward=True),
    "layer_norm": lambda draw: row_norms(draw, 2),
    "layer_norm_backward": lambda draw: row_norms(draw, 2, "layer_norm"),
    "rms_norm": lambda draw: row_norms(draw, 1),
    "rms_norm_backward": lambda draw: row_norms(draw, 1, "rms_norm"),
    "batch_statistics": lambda draw: ((x,) for x in images(draw)),
    "batch_norm": batch_norms,
    "batch_norm_backward": lambda draw: batch_norms(draw, backward=True),
    "as_channels": lambda draw: ((draw(3), ndim) for ndim in (2, 3, 4)),
    "cross_entropy": losses,
    "cross_entropy_backward": lambda draw: losses(draw, backward=True),
    "soften": lambda draw: ((draw(4, 3), w, s) for w in (None, draw(3)) for s in (0.0, 0.2)),
    "class_shares": lambda draw: ((np.array([0, 2, -1, 1]), w, -1, draw.dtype) for w in (None, draw(3))),
    "attention": attentions,
    "attention_backward": lambda draw: attentions(draw, backward=True),
    "attention_bias": lambda draw: ((mask(draw, 3, 4), c, (2, 3, 4), draw.dtype) for mask in MASKS.values() for c in (False, True)),
    "dropout_mask": lambda draw: ((s, p, k, draw.dtype) for s in [*SHAPES, ()] for p in (0.0, 0.3, 1.0) for k in (2**63 + 5, 2**96 - 2)),
    "embedding_grad": lambda draw: ((draw(*i, 3), draw.ids(6, *i), n) for i in [(), (0,), (9,), (2, 50)] for n in (6, 20)),
    "sigmoid": lambda draw: ((x * 9,) for x in rows(draw)),
    "erf": lambda draw: ((x * 3,) for x in rows(draw)),
    "gelu": gelus,
    "gelu_backward": lambda draw: gelus(draw, backward=True),
    "relu": lambda draw: ((x,) for x in [*rows(draw), np.array([0.0, -0.0, INF, -INF, NAN], draw.dtype)]),
    "relu_backward": lambda draw: ((draw(*x.shape), np.maximum(x, 0)) for x in rows(draw)),
    "adamw": adamw_steps,
}  # fmt: skip
"""For each function what makes the arguments of its calls; a dict at the end are arguments by name."""


def test_every_hot_function_is_tested():
    functions = {
        name for name, value in vars(Reference).items() if inspect.isfunction(value) and not name.startswith("_")
    }
    assert functions == set(CASES)


def test_the_plain_device_has_no_function_of_its_own():
    assert not set(vars(Device)) & set(CASES)


def call(device, name, arguments):
    """What a function returns, and its arguments afterwards, as one list of arrays and other things."""
    *positional, last = arguments if arguments and isinstance(arguments[-1], dict) else (*arguments, {})
    with np.errstate(all="ignore"):
        result = getattr(device, name)(*positional, **last)
    return flat(result), flat(tuple(positional))


def flat(thing):
    return [x for part in thing for x in flat(part)] if isinstance(thing, tuple | list) else [thing]


def laid_out(thing, layout):
    """A copy, with every array of floats in another order in memory."""
    if isinstance(thing, tuple | list):
        return type(thing)(laid_out(part, layout) for part in thing)
    if not isinstance(thing, np.ndarray):
        return thing
    return LAYOUTS[layout](thing.copy()) if thing.dtype.kind == "f" else thing.copy()


def agree(got, expected, tolerance):
    assert len(got) == len(expected)
    for a, b in zip(got, expected, strict=True):
        if not isinstance(b, np.ndarray | np.generic):
            assert a == b
            continue
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        if b.dtype.kind == "f":
            np.testing.assert_allclose(a, b, **tolerance)
        else:
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", ["f", "d"])
@pytest.mark.parametrize("parts", FAST)
@pytest.mark.parametrize("name", CASES)
def test_the_fast_version_is_the_plain_one(name, parts, dtype, monkeypatch):
    monkeypatch.setattr(pool, "threads", 3)
    for arguments in CASES[name](Draw(np.dtype(dtype))):
        expected, changed = call(PLAIN, name, laid_out(arguments, "C"))
        finite = [
            abs(x[np.isfinite(x)]).max(initial=1.0)
            for x in expected
            if isinstance(x, np.ndarray) and x.dtype.kind == "f"
        ]
        tolerance = TOLERANCE[dtype] | {"atol": TOLERANCE[dtype]["atol"] * max(finite, default=1.0)}
        for layout in LAYOUTS:
            got, left = call(FAST[parts], name, laid_out(arguments, layout))
            agree(got, expected, tolerance)
            agree(left, changed, tolerance)


@pytest.mark.parametrize("name", sorted(set(CASES) - {"adamw"}))
def test_arguments_are_left_as_they_were(name):
    for arguments in CASES[name](Draw(np.dtype("d"))):
        _, left = call(PLAIN, name, laid_out(arguments, "C"))
        agree(left, flat(arguments), {"rtol": 0})


def test_long_sums_keep_their_digits():
    """A million of float32 0.1: one by one they would make 100,958."""
    x, exact = np.full((1_000_000, 1), 0.1, np.float32), float(np.float32(0.1)) * 1e6
    in_one_place = PLAIN.scatter_add((1,), x.dtype, np.zeros(len(x), int), x[:, 0])
    for y in (PLAIN.sum(x, (0, 1)), PLAIN.sum_leading(x), PLAIN.cumsum(x, 0)[-1], in_one_place):
        assert y.dtype == np.float32
        np.testing.assert_allclose(y, exact, rtol=1e-7)


def test_dtypes_of_sums():
    assert [sum_dtype(t) for t in ("f", "d", "e", "u1", "?", "u8")] == [
        np.dtype(t) for t in ("f", "d", "e", "i8", "i8", "u8")
    ]
    assert [wide_dtype(t) for t in ("f", "d", "e", "u1", "u8")] == [np.dtype(t) for t in ("d", "d", "d", "i8", "u8")]


def test_common_shape():
    assert common_shape((2, 3)) == common_shape((2, 3), (2, 3)) == common_shape((3,), (2, 1), ()) == (2, 3)
    with pytest.raises(ValueError, match="mismatch"):
        common_shape((2,), (3,))
