"""Numeric gradients: differences of second and fourth order, and the comparison with a formula."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Task, Test, Wrong


def of(f: Any) -> Any:
    """Hands the answer a function; the inputs are what follows it: the place and the step."""
    return lambda answer, x, h: answer(f, x, h)


FOURTH_ORDER = Task(
    id="3.7",
    title="A difference of fourth order",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="Taylor series, cancelling an error",
    statement=r"""
Combine central differences with steps $h$ and $2h$ so that the $h^2$ term cancels, and write it as `fourth_order(f, x, h)`. For
$f(x) = x^4$ it is exact, up to rounding.

What is the error term, and where is the best step in float64 for $f = \exp$ at $x = 1$?
""",
    stub='''
def fourth_order(f, x, h):
    """f'(x) from central differences with steps h and 2h, up to order h**4.

    f takes a number and returns one.
    """
    raise NotImplementedError
''',
    solution="""
def fourth_order(f, x, h):
    def central(step):
        return (f(x + step) - f(x - step)) / (2 * step)

    return (4 * central(h) - central(2 * h)) / 3
""",
    name="fourth_order",
    hint=r"""
Write (3.14) as $D(h) = f' + c_2 h^2 + c_4 h^4$, and the same for $D(2h)$. Which combination $\alpha D(h) + \beta D(2h)$
has no $c_2$? For the best step, balance as in (3.16).
""",
    derivation=r"""
$(4D(h) - D(2h))/3 = f' + \frac{4 - 16}{3} c_4 h^4 = f' - \frac{h^4}{30} f^{(5)}$, as $c_4 = f^{(5)}/120$. Written out
it is $\frac{8(f(x+h) - f(x-h)) - (f(x+2h) - f(x-2h))}{12h}$, with a rounding error of up to
$\frac{18}{12}\varepsilon|f|/h$. Setting the derivative of $\frac{h^4}{30}|f^{(5)}| + \frac{3\varepsilon|f|}{2h}$ to 0:
$h^* = \left(\frac{45}{4} \varepsilon \frac{|f|}{|f^{(5)}|}\right)^{1/5}$. For exp all derivatives are equal:
$h^* \approx 1.0 \cdot 10^{-3}$.
""",
    tests=(
        Test("x⁴, exactly", lambda rng: (1.0, 0.5), use=of(lambda x: x**4), call="fourth_order(lambda x: x**4, x, h)"),
        Test("exp", lambda rng: (1.0, 0.05), use=of(np.exp), call="fourth_order(np.exp, x, h)", points=2, rtol=1e-9),
        Test(
            "x⁵, with its error term",
            lambda rng: (2.0, 0.5),
            use=of(lambda x: x**5),
            call="fourth_order(lambda x: x**5, x, h)",
            hidden=True,
        ),
        Test(
            "sin, with a large step",
            lambda rng: (float(rng.uniform(0.2, 1.2)), 0.3),
            use=of(np.sin),
            call="fourth_order(np.sin, x, h)",
            hidden=True,
        ),
    ),
    wrong=(
        Wrong(
            "",
            "(4 * central(h) - central(2 * h)) / 3",
            "central(h)",
            "This is the central difference itself: its error is of order h².",
            "Which multiple of D(2h) has the same h² term as D(h)?",
        ),
        Wrong(
            "",
            "(4 * central(h) - central(2 * h)) / 3",
            "2 * central(h) - central(2 * h)",
            "2 D(h) - D(2h) cancels an error of order h; that of a central difference is of order h².",
            "Doubling the step makes the h² term four times as large.",
        ),
        Wrong(
            "",
            "(4 * central(h) - central(2 * h)) / 3",
            "4 * central(h) - central(2 * h)",
            "The h² terms cancel, but the result is three times the derivative.",
            "The two weights must add up to 1.",
        ),
        Wrong("central-difference-without-two", "(2 * step)", "step"),
        Wrong("one-sided-difference", "(f(x + step) - f(x - step)) / (2 * step)", "(f(x + step) - f(x)) / step"),
        Wrong(
            "central-difference-without-two",
            "(2 * step)",
            "(2 * h)",
            why="Both differences were divided by 2 h. The one with step 2 h spans 4 h.",
            look="How far apart the two points of the wide difference are.",
        ),
        Wrong(
            "",
            "(4 * central(h) - central(2 * h)) / 3",
            "(4 * central(2 * h) - central(h)) / 3",
            why="The weights have changed places: the finer difference, with step h, counts four times.",
            look="Which of the two has the smaller error, and by what factor.",
        ),
        Wrong(
            "",
            "(4 * central(h) - central(2 * h)) / 3",
            "(central(h) + central(2 * h)) / 2",
            why="This is the mean of both. The errors of both have the same sign, so they do not cancel in a mean.",
            look="By what factor the error grows when h is doubled.",
        ),
    ),
    after="Go one further: steps h, 2h and 4h, and an error of order six.",
)

NUMERIC_GRADIENT = Task(
    id="3.27",
    title="A numeric gradient of any array",
    kind="code",
    minutes=20,
    difficulty=1,
    practises="checking a gradient without its formula",
    statement=r"""
Write `numeric_gradient(f, x, h)`: `f` takes an array of the shape of `x` and returns a number; the result has the shape of `x` and holds
in each place the central difference (3.14) of `f` in that element.

`x` may have any number of axes, also none, and may hold integers. It must be afterwards what it was before.
""",
    stub='''
def numeric_gradient(f, x, h):
    """The gradient of f at x by central differences with step h.

    x: an array of any shape. Returns float64 of the same shape.
    """
    raise NotImplementedError
''',
    solution="""
def numeric_gradient(f, x, h):
    x = np.array(x, dtype=float)
    gradient = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        kept = x[place]
        x[place] = kept + h
        above = f(x)
        x[place] = kept - h
        below = f(x)
        x[place] = kept
        gradient[place] = (above - below) / (2 * h)
    return gradient
""",
    name="numeric_gradient",
    hint="`np.ndindex(x.shape)` gives the index of every element, whatever the number of axes. What must be true of x before the next one?",
    derivation=r"""
One element at a time is moved by $\pm h$, all others stay: by (3.14) the quotient is $\partial f/\partial x_i$ with an error of
$\frac{h^2}{6} f'''$. Two calls of $f$ per element: for a network with $P$ weights, $2P$ forward passes. An array of integers rounds
$x + h$ back to $x$, so the work is done on a copy in float64.
""",
    tests=(
        Test(
            "two numbers",
            lambda rng: (np.array([1.0, 2.0]), 0.1),
            use=of(lambda x: (x**3).sum()),
            call="numeric_gradient(lambda x: (x**3).sum(), x, h)",
        ),
        Test(
            "a matrix",
            lambda rng: (rng.standard_normal((2, 3)), 1e-3),
            use=of(lambda x: np.exp(x[0] * x[1]).sum() + (x**3).sum()),
            call="numeric_gradient(lambda x: np.exp(x[0] * x[1]).sum() + (x**3).sum(), x, h)",
            points=2,
        ),
        Test(
            "no axes",
            lambda rng: (np.array(2.0), 0.25),
            use=of(lambda x: float(x**3)),
            call="numeric_gradient(lambda x: float(x**3), x, h)",
            hidden=True,
        ),
        Test(
            "integers",
            lambda rng: (np.array([[1, 2, 3]]), 0.125),
            use=of(lambda x: float((x**3).sum())),
            call="numeric_gradient(lambda x: float((x**3).sum()), x, h)",
            hidden=True,
        ),
        Test(
            "three axes",
            lambda rng: (rng.standard_normal((2, 1, 3)), 0.01),
            use=of(lambda x: np.tanh(x.sum())),
            call="numeric_gradient(lambda x: np.tanh(x.sum()), x, h)",
            hidden=True,
        ),
    ),
    wrong=(
        Wrong(
            "one-sided-difference",
            "x[place] = kept - h\n        below = f(x)\n        x[place] = kept\n        gradient[place] = (above - below) / (2 * h)",
            "x[place] = kept\n        gradient[place] = (above - f(x)) / h",
        ),
        Wrong("central-difference-without-two", "(2 * h)", "h"),
        Wrong(
            "",
            "        x[place] = kept\n        gradient",
            "        gradient",
            "The nudges are not taken back: each element is nudged while those before it are still off by h.",
            "After the two calls of f, x must be what it was.",
        ),
        Wrong(
            "",
            "x = np.array(x, dtype=float)",
            "x = x.copy()",
            "In an array of integers x + h is rounded back to x: the difference is 0, or that of a whole step.",
            "Work on a copy in float64.",
        ),
        Wrong("argument-ignored", "gradient = np.zeros(x.shape)", "gradient, h = np.zeros(x.shape), 1e-6"),
    ),
    after="Check 3.13 with it. Which h gives the smallest error, and does (3.16) predict it?",
)


def _pair(a: Any, n: Any) -> Any:
    return lambda rng: (np.array(a), np.array(n))


RELATIVE_ERROR = Task(
    id="3.28",
    title="Where two gradients differ most",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="comparing numbers of all sizes",
    statement=r"""
A gradient check compares the formula's gradient `a` with the numeric one, `n`. Write `worst(a, n)`: per element the error is
$|a - n| / (|a| + |n|)$, which is 0 where both are 0, and infinite where either is not a number. It returns the largest error, as a float,
and the index where it stands, as a tuple of ints; the first one, where several are equal.

Example: `worst(np.array([1.0, 2.0]), np.array([1.0, 6.0]))` is `(0.5, (1,))`.
""",
    stub='''
def worst(a, n):
    """The largest relative difference of two arrays of one shape, and where it is.

    Returns a float and a tuple of ints.
    """
    raise NotImplementedError
''',
    solution="""
def worst(a, n):
    scale = np.abs(a) + np.abs(n)
    error = np.abs(a - n) / np.where(scale == 0, 1, scale)
    error = np.where(np.isnan(error), np.inf, error)
    place = np.unravel_index(error.argmax(), error.shape)
    return float(error[place]), tuple(int(i) for i in place)
""",
    name="worst",
    hint="0 divided by 0 is the one case that needs care, and NaN the other: no comparison with NaN is ever true.",
    derivation=r"""
Gradients of one network span many powers of ten, so one absolute tolerance is too loose for some elements and too strict for
others. The quotient is 0 for equal numbers, $\frac13$ for a factor of 2, and 1 for opposite signs or where only one is 0. Where
both are 0 the numerator is 0, and any denominator will do. NaN is the worst of all answers; `error > tolerance` is False for it, so
a check that does not turn it into infinity lets it pass.
""",
    tests=(
        Test("two numbers", _pair([1.0, 2.0], [1.0, 6.0])),
        Test("equal arrays with a zero", _pair([0.0, 3.0, -2.0], [0.0, 3.0, -2.0])),
        Test("small numbers beside large ones", _pair([[1e-9, 100.0]], [[3e-9, 101.0]]), points=2),
        Test("only one is zero", _pair([[5.0, 0.0], [2.0, 1e-7]], [[4.0, 0.0], [2.0, 0.0]]), hidden=True),
        Test("opposite signs", _pair([3.0, -2.0], [2.0, 2.0]), hidden=True),
        Test("NaN", _pair([[1.0, 2.0, np.nan]], [[1.0, 5.0, 1.0]]), hidden=True),
    ),
    wrong=(
        Wrong("nan-hidden", "np.where(np.isnan(error), np.inf, error)", "np.nan_to_num(error)"),
        Wrong(
            "",
            " / np.where(scale == 0, 1, scale)",
            "",
            "This is the absolute difference: small gradients look right whatever they are.",
            "Divide by the size of the two numbers.",
        ),
        Wrong(
            "epsilon-in-the-denominator",
            "np.where(scale == 0, 1, scale)",
            "(scale + 1e-8)",
            "The small number added to the denominator is larger than the smallest gradients, and hides their errors.",
            "Only where both numbers are 0 the denominator needs help.",
        ),
        Wrong(
            "",
            "np.abs(a) + np.abs(n)",
            "np.abs(a + n)",
            "The absolute value was taken of the sum: numbers of opposite signs cancel in the denominator.",
            "Take the absolute value of each, then add.",
        ),
        Wrong(
            "",
            "np.abs(a - n) /",
            "(a - n) /",
            "The difference has a sign, and errors in one direction are negative.",
            "|a - n|.",
        ),
        Wrong(
            "",
            "tuple(int(i) for i in place)",
            "int(error.argmax())",
            why="`argmax` counts through the flattened array. The place in the array is a tuple with one number per axis.",
            look="np.unravel_index.",
        ),
        Wrong(
            "",
            "np.abs(a) + np.abs(n)",
            "np.maximum(np.abs(a), np.abs(n))",
            why="It was divided by the larger of the two. Here the measure is |a| + |n|, which keeps it between 0 and 1.",
            look="The denominator.",
        ),
    ),
    after="Which of your last three bugs would a tolerance of 0.001 have let through?",
)

TASKS = (FOURTH_ORDER, NUMERIC_GRADIENT, RELATIVE_ERROR)
