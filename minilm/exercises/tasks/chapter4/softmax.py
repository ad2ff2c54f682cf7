"""Softmax and log-sum-exp: forward, backward, large logits, temperature."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter4.draws import given, normal, value


def logits_in_pieces(*sizes: int, scale: float = 1.0) -> Any:
    """Draws a list of vectors of these sizes."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        return ([scale * rng.standard_normal(size) for size in sizes],)

    return inputs


def far_apart(rng: Generator) -> tuple[Any, ...]:
    """Two rows of logits whose largest are 2000 apart."""
    x = rng.standard_normal((2, 3))
    return x + np.array([[1000.0], [-1000.0]]), 1


def probabilities_and_gradient(rows: int, width: int, dtype: str = "float64") -> Any:
    """Draws rows of probabilities and the gradient that arrives."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        p = rng.dirichlet(np.ones(width), size=rows)
        return p.astype(dtype), rng.standard_normal((rows, width)).astype(dtype)

    return inputs


SMOOTH_MAXIMUM = Task(
    id="4.6",
    title="A smooth maximum",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="log-sum-exp, bounds, a limit",
    statement=r"""
$\tau \operatorname{lse}(x/\tau)$ is a smooth maximum of the numbers $x_1 \dots x_C$. Write `smooth_maximum(x, tau)` for a vector `x`: it
returns the value and the gradient with respect to $x$, and holds for any logits and any $\tau > 0$. For $x = (3, 3)$ and $\tau = 1$ it
gives $3 + \ln 2 = 3.6931$ and $(0.5, 0.5)$.

Then show that $\max_j x_j \le \tau \operatorname{lse}(x/\tau) \le \max_j x_j + \tau \ln C$. Which bound do $C$ equal logits reach, and
what is the gradient's limit for $\tau \to 0$?
""",
    name="smooth_maximum",
    stub='''
def smooth_maximum(x, tau):
    """A maximum that can be differentiated, and its gradient.

    x: (C,); tau: a number above 0. Returns a number and the gradient (C,).
    """
    raise NotImplementedError
''',
    solution="""
def smooth_maximum(x, tau):
    M = x.max()
    e = np.exp((x - M) / tau)
    return M + tau * np.log(e.sum()), e / e.sum()
""",
    hint="Bound the sum of exponentials by its largest term, from below and from above. Which factors does the chain rule bring?",
    derivation=r"""
With $M = \max_j x_j$: $e^{M/\tau} \le \sum_j e^{x_j/\tau} \le C e^{M/\tau}$. Take logarithms and multiply by $\tau$. Equal logits
reach the upper bound. The gradient is $\tau \cdot \frac1\tau \operatorname{softmax}(x/\tau)$ by (4.7), which tends to the one-hot
vector of the largest logit (if only one is largest). For the computation pull $M$ out, as in (4.7):
$\tau \operatorname{lse}(x/\tau) = M + \tau \ln \sum_j e^{(x_j - M)/\tau}$.
""",
    tests=(
        Test("two equal logits", given([3.0, 3.0], 1.0)),
        Test("four logits", given([2.0, 1.0, 0.5, -1.0], 0.5)),
        Test("a high temperature", normal((5,), then=(4.0,)), labels={"the number of logits": 5}),
        Test("a low temperature", given([2.0, 1.0, 0.5, -1.0], 0.001), hidden=True),
        Test("large logits", given([1000.0, 999.0, -1000.0], 1.0), hidden=True),
    ),
    wrong=(
        Wrong(
            "temperature-multiplied",
            "(x - M) / tau)",
            "(x - M) * tau)",
            "The logits are multiplied by the temperature; they are to be divided by it.",
        ),
        Wrong(
            "",
            "M + tau * np",
            "M + np",
            "The logarithm is not multiplied by the temperature: what is returned is not on the scale of $x$.",
            r"The value is $\tau$ times a log-sum-exp. What does $\tau$ do to the maximum that was pulled out, and what to the rest?",
        ),
        Wrong("softmax-not-stable", "M = x.max()", "M = 0.0"),
        Wrong(
            "",
            "e / e.sum()",
            "e / e.sum() / tau",
            r"The gradient holds the inner derivative $1/\tau$, and lacks the factor $\tau$ outside that cancels it.",
            "Write the chain rule once in full, with the factor in front of the logarithm.",
        ),
        Wrong(
            "",
            "M + tau * np.log(e.sum()), e",
            "tau * (M + np.log(e.sum())), e",
            why="The maximum was multiplied by tau. It was taken off x, before the division by tau, so it comes back whole.",
            look="Two equal logits of 3 and tau = 2.",
        ),
    ),
    after="Draw it for two logits, x and 0, at three temperatures: what function of the engine is that for 1?",
)

LOG_SUM_EXP = Task(
    id="4.11",
    title="Log-sum-exp in one pass",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="a sum that does not overflow",
    statement=r"""
The logits of a vocabulary arrive in pieces that are too large to be held together. Write `log_sum_exp(pieces)`: it goes through the
pieces once, keeps two numbers between them, the largest logit so far and a sum, and returns
$\ln \sum_j e^{x_j}$ over all logits of all pieces. No intermediate result may overflow. A piece may hold nothing but $-\infty$ (masked
logits), and it then adds nothing.

For the pieces $(1000)$ and $(1000, 1000, 1000)$ the result is $1000 + \ln 4 = 1001.386$.
""",
    name="log_sum_exp",
    stub='''
def log_sum_exp(pieces):
    """The logarithm of the sum of all exponentials, a number.

    pieces: a list of vectors, of any lengths above 0; at least one logit is finite.
    """
    raise NotImplementedError
''',
    solution="""
def log_sum_exp(pieces):
    M, total = -np.inf, 0.0
    for x in pieces:
        new = max(M, x.max())
        if new == -np.inf:
            continue
        total = total * np.exp(M - new) + np.exp(x - new).sum()
        M = new
    return M + np.log(total)
""",
    hint=r"The sum is kept relative to the largest logit so far, as $\sum_j e^{x_j - M}$. What must happen to it when $M$ grows?",
    derivation=r"""
By (4.7) $\operatorname{lse}(x) = M + \ln \sum_j e^{x_j - M}$ for every $M$. Let $s = \sum_j e^{x_j - M}$ over what was seen. A new
piece brings $M' = \max(M, \max_j x_j)$, and what was seen relative to $M$ is relative to $M'$ after a multiplication:
$\sum_j e^{x_j - M'} = e^{M - M'} s$, a factor of at most 1. So $s' = e^{M - M'} s + \sum_{j\ \text{new}} e^{x_j - M'}$. Before the
first piece $M = -\infty$ and $s = 0$, and $e^{-\infty} = 0$ does the right thing, unless $M'$ is $-\infty$ too: $-\infty + \infty$ is
not a number, so such a piece is passed over. FlashAttention walks over blocks of keys this way.
""",
    tests=(
        Test("one logit", lambda rng: ([np.array([2.0])],)),
        Test("two pieces, the second larger", lambda rng: ([np.array([0.0, 1.0]), np.array([3.0])],)),
        Test("three pieces", logits_in_pieces(3, 1, 4), points=2, labels={"the number of pieces": 3}),
        Test(
            "large logits, then small ones", lambda rng: ([np.array([999.0, 1000.0]), np.array([-5.0])],), hidden=True
        ),
        Test("a masked piece first", lambda rng: ([np.full(2, -np.inf), np.array([-1.0, 1.0])],), hidden=True),
        Test("very negative logits", lambda rng: ([np.array([-900.0]), np.array([-901.0, -899.0])],), hidden=True),
    ),
    wrong=(
        Wrong(
            "softmax-not-stable",
            "new = max(M, x.max())",
            "new = 0.0",
            look="Subtract the largest logit so far inside the exponential, and add it outside the logarithm.",
        ),
        Wrong(
            "maximum-not-carried",
            "total * np.exp(M - new)",
            "total",
            "The maximum grew and the sum was kept as it was: its first part is relative to the old maximum, its second to the new.",
            "Multiply the old sum by what turns the old maximum into the new one.",
        ),
        Wrong(
            "",
            "max(M, x.max())",
            "x.max()",
            "The maximum is the last piece's, not the largest so far: a later, smaller piece makes the factor of the old sum overflow.",
            "Compare the piece's maximum with the one that is kept.",
        ),
        Wrong(
            "nan-hidden",
            "new == -np.inf",
            "False",
            "In a piece of masked logits alone, minus infinity is subtracted from minus infinity, and that is not a number.",
            "What should the two numbers be after a piece that adds nothing?",
        ),
        Wrong(
            "",
            "return M + np",
            "return np",
            "The maximum was taken out of the exponentials and not added again.",
            "(4.7): what stands before the logarithm?",
        ),
        Wrong(
            "set-not-accumulated",
            "total * np.exp(M - new) + np",
            "np",
            why="The sum is that of the last piece alone.",
            look="What becomes of the earlier pieces.",
        ),
        Wrong(
            "maximum-not-carried",
            "np.exp(M - new)",
            "np.exp(new - M)",
            why="The old sum was made larger when the maximum grew. It has to shrink, by exp(old - new).",
            look="The sign in the exponent.",
        ),
    ),
    after="Keep a third thing, a sum of values weighted by the exponentials, and you have attention over blocks of keys.",
)

SOFTMAX = Task(
    id="4.12",
    title="Softmax over an axis",
    kind="code",
    minutes=10,
    difficulty=1,
    practises="axes, keepdims, exponentials that do not overflow",
    statement=r"""
Write `softmax(x, axis)`: probabilities along the given axis of an array of any number of axes, (4.2). Every slice along the axis sums
to 1, for logits of any size: $(1000, 0)$ gives $(1, 0)$, and $(-1000, -1000)$ gives $(0.5, 0.5)$. The dtype stays as it is.
""",
    name="softmax",
    stub='''
def softmax(x, axis):
    """Probabilities along one axis.

    x: an array of any shape; axis: a number.
    Returns an array of the shape and dtype of x.
    """
    raise NotImplementedError
''',
    solution="""
def softmax(x, axis):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)
""",
    hint="A constant added to all logits of a slice changes nothing, (4.3). Which constant makes the largest exponent 0?",
    derivation=r"""
With $M = \max_j x_j$ of the slice, $e^{x_i} / \sum_j e^{x_j} = e^{x_i - M} / \sum_j e^{x_j - M}$ by (4.3). All exponents are at most 0,
so nothing overflows, and one of them is 0, so the denominator is at least 1. A maximum of the whole array would prevent the overflow
too, but a slice far below it would have only zeros: 0 divided by 0. `keepdims=True` keeps the axis, with size 1, so that the maximum
and the sum meet their own slice.
""",
    tests=(
        Test("one row", given([[0.0, 1.0, 2.0]], 1)),
        Test(
            "along the rows of a batch", normal((4, 3), then=(1,)), labels={"the batch": 4, "the width": 3}, fresh=True
        ),
        Test("along the first axis", normal((4, 3), then=(0,)), labels={"the batch": 4, "the width": 3}),
        Test("large logits, of either sign", far_apart, hidden=True),
        Test("the middle one of three axes", normal((2, 5, 3), then=(1,)), hidden=True),
        Test("float32", normal((3, 3), dtype="float32", then=(-1,)), hidden=True),
    ),
    wrong=(
        Wrong(
            "softmax-over-wrong-axis",
            "e.sum(axis=axis,",
            "e.sum(axis=-1,",
            "The sum runs over the last axis, whichever axis was asked for.",
            "Where does the argument `axis` come in?",
        ),
        Wrong("softmax-not-stable", "x - x.max(axis=axis, keepdims=True)", "x"),
        Wrong(
            "maximum-of-the-whole-array",
            "x.max(axis=axis, keepdims=True)",
            "x.max()",
            "One maximum for the whole array: in a slice far below it every exponential is 0, and 0 is divided by 0.",
            "Each slice needs its own maximum.",
        ),
        Wrong("keepdims-forgotten", "e.sum(axis=axis, keepdims=True)", "e.sum(axis=axis)"),
        Wrong(
            "wrong-axis",
            "e.sum(axis=axis, keepdims=True)",
            "e.sum()",
            "The sum runs over all elements: the whole array sums to 1 instead of every slice.",
            "Sum along the axis only.",
        ),
        Wrong(
            "argument-ignored",
            "x.max(axis=axis, keepdims=True))\n    return e / e.sum(axis=axis, keepdims=True)",
            "x.max(axis=-1, keepdims=True))\n    return e / e.sum(axis=-1, keepdims=True)",
            why="The last axis was taken, whatever `axis` says.",
            look="Where `axis` occurs in your code.",
        ),
        Wrong(
            "float64-from-float32",
            "e = np.exp(x - x.max(axis=axis, keepdims=True))",
            "e = np.exp(x.astype(float) - x.max(axis=axis, keepdims=True))",
        ),
    ),
    after="Take the logarithm of the result for the logits (0, 1000). Then write log_softmax so that it is right, (4.14).",
)

SOFTMAX_BACKWARD = Task(
    id="4.13",
    title="Softmax backward, without the matrix",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="a Jacobian's product with a vector",
    statement=r"""
Write `softmax_backward(p, p_bar)` for a batch of rows: from the probabilities $p$ that softmax gave and the gradient $\bar p$ that
arrives at them, the gradient $\bar x$ at the logits. No array larger than `(N, C)` may be formed, so the Jacobian (4.5) may not.

For $p = (0.5, 0.5)$ and $\bar p = (1, 0)$ it is $(0.25, -0.25)$.
""",
    name="softmax_backward",
    stub='''
def softmax_backward(p, p_bar):
    """The gradient at the logits.

    p, p_bar: (N, C). Returns (N, C).
    float32 gives float32.
    """
    raise NotImplementedError
''',
    solution="""
def softmax_backward(p, p_bar):
    mean = (p_bar * p).sum(axis=1, keepdims=True)
    return p * (p_bar - mean)
""",
    hint=r"Multiply the Jacobian's column by $\bar p$ on paper. Kronecker's delta picks one term out; what is left is a number per row.",
    derivation=r"""
$\bar x_j = \sum_i \bar p_i\, p_i (\delta_{ij} - p_j) = p_j \bar p_j - p_j \sum_i \bar p_i p_i = p_j (\bar p_j - \sum_i \bar p_i p_i)$,
which is (4.6). The sum is the mean of $\bar p$ under $p$. The result sums to 0 in each row:
$\sum_j p_j \bar p_j - \sum_j p_j \sum_i \bar p_i p_i = 0$, since $\sum_j p_j = 1$. A test for that takes one line.
""",
    tests=(
        Test("two classes", given([[0.5, 0.5]], [[1.0, 0.0]])),
        Test("one row", probabilities_and_gradient(1, 4), labels={"the width": 4}),
        Test("a batch", probabilities_and_gradient(5, 3), points=2, labels={"the batch": 5, "the width": 3}),
        Test(
            "a certain class",
            given([[1.0, 0.0, 0.0], [0.2, 0.3, 0.5]], [[3.0, -1.0, 2.0], [1.0, 1.0, 1.0]]),
            hidden=True,
        ),
        Test("as many rows as columns, float32", probabilities_and_gradient(3, 3, "float32"), hidden=True),
    ),
    wrong=(
        Wrong("softmax-backward-diagonal-only", "(p_bar - mean)", "(1 - p) * p_bar"),
        Wrong("softmax-backward-sign", "p_bar - mean", "p_bar + mean"),
        Wrong("wrong-axis", "axis=1", "axis=0"),
        Wrong(
            "mean-for-sum",
            ".sum(axis=1",
            ".mean(axis=1",
            "The mean under $p$ has its weights in $p$ already; it was divided by the number of classes once more.",
            "$\\sum_i \\bar p_i p_i$ is a sum.",
        ),
        Wrong(
            "local-derivative-only",
            "p * (p_bar - mean)",
            "p_bar - mean",
            "The factor $p_j$ in front is missing.",
            "(4.6): what stands before the parenthesis?",
        ),
    ),
    after="From log-probabilities the backward pass has another form, (4.14). Which one stays right when a probability rounds to 0?",
)

TEST_SOFTMAX = Task(
    id="4.34",
    title="A test that softmax cannot fool",
    kind="write the test",
    minutes=20,
    difficulty=2,
    practises="choosing inputs that tell bugs apart",
    statement=r"""
Write `test_softmax(softmax)`: it calls the function `softmax(x, axis)` that it is given, and raises `AssertionError` if that is not right;
for a right one it returns. A right softmax gives probabilities along the axis of an array of any shape, holds for logits of any size,
keeps the dtype and leaves its input as it was.

Your test is run with the right function and with seven wrong ones. There is a point for each that is found, if the right one passes.
""",
    name="test_softmax",
    stub='''
def test_softmax(softmax):
    """Raises AssertionError where softmax(x, axis) is wrong."""
    p = softmax(np.zeros((1, 2)), 1)
    assert p.shape == (1, 2)
''',
    subject="""
def softmax(x, axis):
    shifted = x - x.max(axis=axis, keepdims=True)
    e = np.exp(shifted)
    return e / e.sum(axis=axis, keepdims=True)
""",
    solution="""
def test_softmax(softmax):
    x = np.array([[0.0, 1.0, 3.0], [-1.0, 0.5, 0.0]])
    before = x.copy()
    for axis in (0, 1, -1):
        e = np.exp(x)
        assert np.allclose(softmax(x, axis), e / e.sum(axis=axis, keepdims=True))
    assert np.array_equal(x, before)
    large = np.array([[1000.0, 1001.0], [-1000.0, -1000.0]])
    s = 1 / (1 + np.exp(1.0))
    assert np.allclose(softmax(large, 1), [[s, 1 - s], [0.5, 0.5]])
    assert softmax(x.astype(np.float32), 1).dtype == np.float32
""",
    wrong=(
        Wrong("softmax-not-stable", "x - x.max(axis=axis, keepdims=True)", "x"),
        Wrong(
            "softmax-over-wrong-axis", "e.sum(axis=axis,", "e.sum(axis=-1,", "The sum runs over the last axis, always."
        ),
        Wrong(
            "maximum-of-the-whole-array",
            "x.max(axis=axis, keepdims=True)",
            "x.max()",
            "One maximum for the whole array: a slice far below it is 0 divided by 0.",
            "Use two rows of very different size.",
        ),
        Wrong(
            "input-changed-in-place",
            "shifted = x - x.max(axis=axis, keepdims=True)",
            "shifted = x\n    shifted -= x.max(axis=axis, keepdims=True)",
        ),
        Wrong("float64-from-float32", "np.exp(shifted)", "np.exp(shifted.astype(np.float64))"),
        Wrong(
            "epsilon-in-the-denominator",
            "e.sum(axis=axis, keepdims=True)",
            "(e.sum(axis=axis, keepdims=True) + 1e-3)",
            "A small number is added to the denominator: the probabilities sum to a little less than 1.",
            "Compare the values, or the sum, to six digits and not to two.",
        ),
        Wrong(
            "power-of-two-for-exp",
            "np.exp(shifted)",
            "2.0**shifted",
            "Powers of 2 instead of e: positive, summing to 1, and not the softmax.",
            "Compare with a value that you know, not only the sum and the sign.",
        ),
    ),
    hint="Which inputs would a careless author not have tried? A sum of 1 is necessary; it is not enough.",
    derivation=r"""
A property that holds for many wrong functions is a weak test: every positive array divided by its sum sums to 1. Values tell more: three
logits whose softmax can be written down, in an array that is not square, along each axis. What remains are the inputs at the edge: logits
of 1000 and -1000 in one array, float32, and the input itself after the call.
""",
    after="Add a wrong softmax that your own test lets pass. There is always one.",
)


def logits_and_odds(rng: Generator) -> dict[str, Any]:
    """Three logits with one digit, and how many times as probable the first is to be."""
    low = round(float(rng.uniform(0.2, 1.0)), 1)
    return {
        "a": round(low + float(rng.uniform(1.2, 3.0)), 1),
        "b": low,
        "c": round(low - float(rng.uniform(0.5, 1.5)), 1),
        "r": int(rng.integers(3, 13)),
    }


TEMPERATURE = Task(
    id="4.36",
    title="A temperature for given odds",
    kind="number",
    minutes=10,
    difficulty=1,
    practises="odds, logits and temperature",
    statement=r"""
A model gives three tokens the logits $({a}, {b}, {c})$. At which temperature $\tau$ is the first token exactly {r} times as probable as
the second? How probable is the third one then?

`answer` is a list of the two numbers, to four digits: $\tau$ and the probability of the third token.
""",
    stub="answer = [None, None]  # the temperature, the probability of the third token\n",
    solution="""
tau = (a - b) / np.log(r)
e = np.exp(np.array([a, b, c]) / tau)
answer = [tau, e[2] / e.sum()]
""",
    hint="The ratio of two probabilities does not hold the denominator. What is it, in the two logits?",
    derivation=r"""
$p_1 / p_2 = e^{x_1/\tau} / e^{x_2/\tau} = e^{(x_1 - x_2)/\tau}$. Set it to $r$ and take the logarithm:
$\tau = (x_1 - x_2) / \ln r$. The third probability follows from (4.2) with the logits divided by $\tau$.
""",
    data=logits_and_odds,
    tests=(value("the temperature and the probability", points=2, rtol=2e-3),),
    wrong=(
        Wrong("temperature-multiplied", "(a - b) / np.log(r)", "np.log(r) / (a - b)"),
        Wrong(
            "cross-entropy-log-base-two",
            "np.log(r)",
            "np.log2(r)",
            "The logarithm is to base 2; softmax's powers are of e.",
        ),
        Wrong(
            "",
            "np.log(r)",
            "r",
            "The difference of the logits was divided by the ratio itself, not by its logarithm.",
            "Logits are logarithms of odds.",
        ),
        Wrong(
            "temperature-after-softmax",
            "np.array([a, b, c]) / tau",
            "np.array([a, b, c])",
            "The temperature is right; the third probability is the one at temperature 1.",
            "Divide all three logits before the exponential.",
        ),
    ),
    after="At which temperature does the third token reach 10 %? There is no closed form; use bisection.",
)

TASKS: tuple[Task, ...] = (SMOOTH_MAXIMUM, LOG_SUM_EXP, SOFTMAX, SOFTMAX_BACKWARD, TEST_SOFTMAX, TEMPERATURE)
