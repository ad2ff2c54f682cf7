"""Gradients of what NumPy does by itself: broadcasting, and the maximum with its ties."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter3.draws import normal

BROADCAST = """
def sum_to(g, shape):
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    stretched = tuple(axis for axis, size in enumerate(shape) if size == 1)
    return g.sum(axis=stretched, keepdims=True)
"""

SUM_TO = Task(
    id="3.17",
    title="Broadcasting's gradient",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="copies forward, sums backward",
    statement=r"""
NumPy stretches an array of `shape` to fit another: it puts new axes in front, and repeats along axes of size 1. Write `sum_to(g,
shape)`: from the gradient `g` of the stretched array it returns the gradient of the array before, which has `shape`.

Examples: a bias `(3,)` added to a batch `(4, 3)` gets the sum over the batch. From `np.ones((2, 4, 3))`, `sum_to(g, (4, 1))` is the
`(4, 1)` array of sixes. The result shares no memory with `g`.
""",
    stub='''
def sum_to(g, shape):
    """The gradient of an array of `shape` that was broadcast to g.shape.

    float32 gives float32.
    """
    raise NotImplementedError
''',
    solution=BROADCAST,
    name="sum_to",
    hint="Two kinds of axes were made, and they go back in two ways: one kind disappears, the other keeps the size 1.",
    derivation=r"""
Broadcasting copies: one element of the small array becomes several elements of the large one. By (3.4) its gradient is the sum of theirs.
New axes stand in front, as many as `g.ndim - len(shape)`, and summing removes them. An axis of size 1 was repeated; it is summed too, and
stays as an axis of size 1. An axis of size 1 in `g` as well is summed over one element, which changes nothing.
""",
    tests=(
        Test("a bias in a batch", normal((4, 3), then=((3,),)), fresh=True),
        Test("a column", normal((4, 3), then=((4, 1),)), fresh=True),
        Test("new axes and a stretched one", normal((2, 4, 3), then=((4, 1),)), points=2, fresh=True),
        Test("a number", normal((2, 3), then=((),)), hidden=True, fresh=True),
        Test("nothing was stretched", normal((2, 3), then=((2, 3),)), hidden=True, fresh=True),
        Test("sizes of 1 in front", normal((5, 2, 3), then=((1, 1, 3),), dtype="float32"), hidden=True, fresh=True),
        Test("an empty batch", normal((0, 3), then=((3,),)), hidden=True, fresh=True),
    ),
    wrong=(
        Wrong("sum-over-new-axes-only", "tuple(axis for axis, size in enumerate(shape) if size == 1)", "()"),
        Wrong("keepdims-forgotten", "keepdims=True", "keepdims=False"),
        Wrong("mean-for-sum", "return g.sum(axis=stretched", "return g.mean(axis=stretched"),
        Wrong(
            "",
            "g = g.sum(axis=tuple(range(g.ndim - len(shape))))",
            "while g.ndim > len(shape):\n        g = g[0] if len(g) else np.zeros(g.shape[1:])",
            "The first entry along the new axes was taken; what arrived at the others is lost.",
            "Every copy of an element sends its gradient back.",
        ),
        Wrong(
            "view-returned",
            "    g = g.sum(axis=tuple",
            "    if g.shape == shape:\n        return g\n    g = g.sum(axis=tuple",
        ),
    ),
    after="For which shapes does sum_to do nothing at all? An engine can ask that first.",
)

TEST_SUM_TO = Task(
    id="3.18",
    title="A test that catches a wrong sum_to",
    kind="write the test",
    minutes=20,
    difficulty=2,
    practises="cases that cover a function",
    statement=r"""
`sum_to(g, shape)` of 3.17 sums a gradient back to the shape that was broadcast. Write `test_sum_to(sum_to)`: it passes the right
function, and raises an `AssertionError` for a wrong one. It will be run with the right one and with seven wrong ones.

Each of the wrong ones is right for some shapes. Think of what broadcasting can do: nothing, new axes, one stretched axis, several,
a number.
""",
    stub='''
def test_sum_to(sum_to):
    """Raises AssertionError where sum_to(g, shape) is wrong."""
    pass
''',
    subject="""
def sum_to(g, shape):
    extra = g.ndim - len(shape)
    for _ in range(extra):
        g = g.sum(axis=0)
    for axis, size in enumerate(shape):
        if size == 1:
            g = g.sum(axis=axis, keepdims=True)
    return g * 1.0
""",
    solution="""
def test_sum_to(sum_to):
    rng = np.random.default_rng(0)
    cases = [
        ((4, 3), (3,)),
        ((4, 3), (4, 1)),
        ((4, 3), (4, 3)),
        ((5, 2, 4, 3), (4, 1)),
        ((2, 4, 3), (1, 4, 1)),
        ((2, 3), ()),
    ]
    for large, small in cases:
        g = rng.standard_normal(large)
        before = g.copy()
        got = sum_to(g, small)
        assert np.shape(got) == small
        assert np.array_equal(g, before)
        expected = np.zeros(small)
        origin = np.broadcast_to(np.arange(expected.size).reshape(small), large)
        np.add.at(expected.reshape(-1), origin.reshape(-1), g.reshape(-1))
        assert np.allclose(got, expected)
""",
    name="test_sum_to",
    hint="Broadcast an array of numbers 0, 1, 2, ... and you see which element each place was copied from.",
    derivation=r"""
If $u_k$ are the copies of $x$, (3.4) says $\bar x = \sum_k \bar u_k$. Broadcasting the array of positions tells for each place of
`g` where it came from, and adding up by position is the definition. Six pairs of shapes suffice: a new axis, a stretched axis,
neither, two new axes with a stretched one, two stretched ones, and a number.
""",
    wrong=(
        Wrong("sum-over-new-axes-only", "if size == 1:", "if False:"),
        Wrong("sum-of-a-broadcast-missing", "g = g.sum(axis=0)", "g = g[0]"),
        Wrong("mean-for-sum", "g = g.sum(axis=0)", "g = g.mean(axis=0)", "New axes are averaged."),
        Wrong("keepdims-forgotten", "return g * 1.0", "return g.squeeze() * 1.0"),
        Wrong(
            "loop-returns-early",
            "g = g.sum(axis=axis, keepdims=True)",
            "return g.sum(axis=axis, keepdims=True)",
            "Only the first stretched axis is summed.",
        ),
        Wrong(
            "hard-coded-size",
            "for _ in range(extra):",
            "for _ in range(min(extra, 1)):",
            "One new axis at most is removed.",
        ),
        Wrong(
            "wrong-axis",
            "g = g.sum(axis=0)",
            "g = g.sum(axis=-1)",
            "New axes are looked for at the end; they stand in front.",
        ),
    ),
    after="Which of your cases can be left out, so that all seven bugs are still found?",
)


def rows(*shape: int, dtype: str = "float64", ties: bool = True) -> Any:
    """Draws whole numbers, with ties or without, and a gradient per row."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        x = rng.permuted(np.tile(np.arange(shape[1]), (shape[0], 1)), axis=1)
        if ties:
            x = np.minimum(x, shape[1] - 1 - rng.integers(1, 3, (shape[0], 1)))
        return x.astype(dtype), rng.standard_normal(shape[0]).astype(dtype)

    return inputs


MAXIMUM = Task(
    id="3.19",
    title="The gradient of a maximum",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="a gradient that chooses, ties",
    statement=r"""
`y = x.max(axis=1)` takes the largest number of each row. Write `max_backward(x, g)`: from `x` `(N, n)` and the gradient `g` `(N,)`
of `y` it returns the gradient of `x`, of the same dtype. Only the largest element gets something; where several are equally the
largest, they share it in equal parts.

Example: for `x = [[1, 3, 3]]` and `g = [2]` it is `[[0, 1, 1]]`.
""",
    stub='''
def max_backward(x, g):
    """The gradient of x where y = x.max(axis=1).

    x: (N, n); g: (N,). Returns (N, n), of x's dtype.
    """
    raise NotImplementedError
''',
    solution="""
def max_backward(x, g):
    top = x == x.max(axis=1, keepdims=True)
    count = top.sum(axis=1, keepdims=True, dtype=x.dtype)
    return top * g[:, None] / count
""",
    name="max_backward",
    hint="A mask that is True at the largest elements of each row. How many are there per row?",
    derivation=r"""
Nudge an element that is not the largest: the maximum stays, so its slope is 0. Nudge the largest alone: the maximum follows, slope
1. At a tie of $k$ elements the maximum has no derivative: nudged up, one of them moves it; nudged down, it does not. Any numbers
from 0 to 1 with sum 1 are a choice that agrees with nudging all of them together. Equal shares, $1/k$ each, treat equal elements
equally.
""",
    tests=(
        Test("one row", rows(1, 3, ties=False)),
        Test("a row with a tie", lambda rng: (np.array([[1.0, 3.0, 3.0]]), np.array([2.0])), points=2),
        Test("a batch", rows(4, 5), points=2, labels={"the batch": 4, "the width": 5}),
        Test("as many rows as columns", rows(3, 3, ties=False), hidden=True),
        Test("a row of equal numbers", lambda rng: (np.zeros((2, 4)), np.array([4.0, -8.0])), hidden=True),
        Test("float32", rows(3, 6, dtype="float32"), hidden=True),
    ),
    wrong=(
        Wrong("max-gradient-to-all", "return top * g[:, None] / count", "return top * g[:, None]"),
        Wrong(
            "",
            "top = x == x.max(axis=1, keepdims=True)",
            "top = np.arange(x.shape[1]) == x.argmax(axis=1)[:, None]",
            "argmax names the first of several largest elements, so the first gets all and the others nothing.",
            "Compare with the maximum itself: that finds all of them.",
        ),
        Wrong("float64-from-float32", "keepdims=True, dtype=x.dtype", "keepdims=True"),
        Wrong(
            "local-derivative-only",
            "top * g[:, None] / count",
            "top / count",
        ),
        Wrong(
            "wrong-axis",
            "top = x == x.max(axis=1, keepdims=True)",
            "top = x == x.max(axis=0, keepdims=True)",
        ),
        Wrong(
            "",
            "count = top.sum(axis=1, keepdims=True, dtype=x.dtype)",
            "count = top.sum(dtype=x.dtype)",
            "Each row was divided by the number of largest elements of the whole batch.",
            "How many largest elements has each row of its own? Keep the axis.",
        ),
    ),
    after="What does the median of a row send back, for an even number of elements?",
)

TASKS = (SUM_TO, TEST_SUM_TO, MAXIMUM)
