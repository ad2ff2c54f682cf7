"""An engine in miniature: a scalar that remembers, the neuron made of it, and the test that catches a wrong one."""

from __future__ import annotations

import inspect
from typing import Any

from minilm.exercises.task import Task, Test, Wrong

SCALAR = """
class Scalar:
    def __init__(self, value, parents=(), slopes=()):
        self.value, self.parents, self.slopes = value, parents, slopes
        self.grad = 0.0

    def __add__(self, other):
        return Scalar(self.value + other.value, (self, other), (1.0, 1.0))

    def __mul__(self, other):
        slopes = (other.value, self.value)
        return Scalar(self.value * other.value, (self, other), slopes)

    def backward(self):
        order, seen, stack = [], set(), [(self, False)]
        while stack:
            node, done = stack.pop()
            if done:
                order.append(node)
            elif node not in seen:
                seen.add(node)
                stack.append((node, True))
                stack.extend((parent, False) for parent in node.parents)
        self.grad = 1.0
        for node in reversed(order):
            for parent, slope in zip(node.parents, node.slopes, strict=True):
                parent.grad += slope * node.grad
"""

RECURSIVE_WALK = """def visit(node):
            if node not in seen:
                seen.add(node)
                for parent in node.parents:
                    visit(parent)
                order.append(node)

        order, seen = [], set()
        visit(self)
"""


def expression(build: Any) -> Any:
    """Builds an expression of scalars with these values, walks back, and returns its value and the gradient of each."""

    def use(Scalar: Any, *values: float) -> Any:
        leaves = [Scalar(value) for value in values]
        result = build(*leaves)
        result.backward()
        return result.value, [leaf.grad for leaf in leaves]

    own = inspect.Parameter("Scalar", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    shown = inspect.Signature([own, *inspect.signature(build).parameters.values()])
    setattr(use, "__signature__", shown)  # noqa: B010 (a message names the values as the expression does)
    return use


def _middle(a: Any, b: Any) -> Any:
    u = a * b
    return (u + a) * u + u * (u + a)


def _doubled(x: Any) -> Any:
    for _ in range(40):
        x = x + x
    return x


def _long_sum(x: Any, y: Any) -> Any:
    for _ in range(2000):
        x = x + y
    return x


def _both_orders(x: Any, y: Any) -> Any:
    u = x * y
    v = u * u
    return (u + v) + (v * u)


THE_SCALAR = Task(
    id="3.24",
    title="An engine of scalars",
    kind="code",
    minutes=40,
    difficulty=3,
    practises="an automatic derivative from nothing",
    statement=r"""
Write a class `Scalar`: `Scalar(3.0)` holds a number in `value`, and `grad`, at first 0. `+` and `*` of two scalars give a new one
that remembers what it was made of. `y.backward()` fills `grad` of every scalar that `y` was computed from with $\partial
y/\partial$ of it.

Example: with `x = Scalar(3.0)` and `y = x * x + x`, after `y.backward()` `y.value` is 12.0 and `x.grad` is 7.0.

A scalar may be used several times, and a graph may be thousands of operations deep: no recursion. `backward` is called once per graph.
""",
    setup="",
    stub='''
class Scalar:
    """A number that remembers what it was made of: value, grad, +, *, backward."""

    def __init__(self, value):
        self.value = value
        self.grad = 0.0
''',
    solution=SCALAR,
    name="Scalar",
    hint="""
Three things to remember per scalar: its value, its parents, its slope in each parent. `backward` needs the nodes in an order in
which each comes after all that use it; 3.22 has it, from the other end.
""",
    derivation=r"""
The slopes are known as soon as the operation is done: $\partial(a + b)/\partial a = \partial(a + b)/\partial b = 1$,
$\partial(ab)/\partial a = b$, $\partial(ab)/\partial b = a$. The output begins with $\partial y/\partial y = 1$. Walking from the
output in topological order, every node has its whole gradient when its turn comes, and passes slope times gradient to each parent,
where it is *added*, (3.4). For `x * x` both parents are the same scalar, and both shares reach it: $x + x = 2x$.
""",
    tests=(
        Test(
            "a sum",
            lambda rng: (2.0, 3.0),
            use=expression(lambda a, b: a + b),
            call="y = a + b: y.value, [a.grad, b.grad]",
        ),
        Test(
            "a product",
            lambda rng: (2.0, 3.0),
            use=expression(lambda a, b: a * b),
            call="y = a * b: y.value, [a.grad, b.grad]",
        ),
        Test(
            "a number used twice",
            lambda rng: (3.0,),
            use=expression(lambda x: x * x + x),
            call="y = x * x + x: y.value, [x.grad]",
            points=2,
        ),
        Test(
            "a result used twice",
            lambda rng: (2.0, 3.0),
            use=expression(_middle),
            call="u = a * b; y = (u + a) * u + u * (u + a): y.value, [a.grad, b.grad]",
            points=2,
        ),
        Test(
            "results of several ages",
            lambda rng: (2.0, 0.5),
            use=expression(_both_orders),
            call="u = x * y; v = u * u; z = (u + v) + (v * u): z.value, [x.grad, y.grad]",
            hidden=True,
        ),
        Test(
            "2⁴⁰ paths",
            lambda rng: (1.5,),
            use=expression(_doubled),
            call="x = x + x, 40 times: its value, [x.grad]",
            hidden=True,
        ),
        Test(
            "2,000 operations deep",
            lambda rng: (1.0, 0.5),
            use=expression(_long_sum),
            call="x = x + y, 2,000 times: its value, [x.grad, y.grad]",
            hidden=True,
            points=2,
        ),
    ),
    wrong=(
        Wrong("set-not-accumulated", "parent.grad += slope", "parent.grad = slope"),
        Wrong("visited-depth-first", "stack.append((node, True))", "order.insert(0, node)"),
        Wrong("derivative-of-the-other-input", "(other.value, self.value)", "(self.value, other.value)"),
        Wrong("local-derivative-only", "slope * node.grad", "slope"),
        Wrong("product-rule-half", "(other.value, self.value)", "(other.value, 0.0)"),
        Wrong(
            "recursion-too-deep",
            "order, seen, stack = [], set(), [(self, False)]"
            + SCALAR.partition("[(self, False)]")[2].partition("        self.grad = 1.0")[0],
            RECURSIVE_WALK,
            "backward calls itself once per operation, and Python stops at a depth of 1000.",
            "Keep a list of what is still to be visited, and a loop.",
        ),
        Wrong(
            "leaf-not-reached",
            "for node in reversed(order):",
            "for node in order:",
            why="The walk goes from the inputs to the output, so a node passes its gradient on before it has one.",
            look="Where the walk begins.",
        ),
    ),
    after="Read `plain_backward` in minilm/graph.py, the same walk on arrays. What does it keep that yours does not?",
)

PATHS = """import math


class Scalar:
    def __init__(self, value, parents=(), slopes=()):
        self.value, self.parents, self.slopes = value, parents, slopes
        self.grad = 0.0

    def __add__(self, other):
        other = other if isinstance(other, Scalar) else Scalar(other)
        return type(self)(self.value + other.value, (self, other), (1.0, 1.0))

    def __mul__(self, other):
        other = other if isinstance(other, Scalar) else Scalar(other)
        slopes = (other.value, self.value)
        return type(self)(self.value * other.value, (self, other), slopes)

    def backward(self, arriving=1.0):
        self.grad += arriving
        for parent, slope in zip(self.parents, self.slopes, strict=True):
            parent.backward(slope * arriving)
"""

NEURON_OF_SCALARS = Task(
    id="3.25",
    title="A neuron of scalars",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="new operations for an engine",
    statement=r"""
The set-up's `Scalar(value, parents, slopes)` has `+`, `*` and `backward`; `slopes` are the derivatives in the parents, as plain numbers.
The second operand may be a plain number. Its `backward` goes along each path by itself: right, and slower than yours of 3.24.

Write `class Number(Scalar)` with `x ** n` for a plain number `n`, `x.tanh()`, `x - y` and `x / y` (of two scalars). An operation returns
`Number(result, parents, slopes)`, or is made of other operations.

Then a neuron is `(w1 * x1 + w2 * x2 + b).tanh()`.
""",
    setup=PATHS,
    stub='''
class Number(Scalar):
    """A scalar with **, tanh(), - and /."""
''',
    solution="""
class Number(Scalar):
    def __pow__(self, n):
        return Number(self.value**n, (self,), (n * self.value ** (n - 1),))

    def tanh(self):
        a = math.tanh(self.value)
        return Number(a, (self,), (1 - a**2,))

    def __sub__(self, other):
        return self + other * -1.0

    def __truediv__(self, other):
        return self * other**-1.0
""",
    name="Number",
    hint="Only two of the four need slopes of their own. A difference is a sum, and a quotient is a product.",
    derivation=r"""
$(x^n)' = n\,x^{n-1}$ and, by (2.4), $\tanh' = 1 - a^2$ with $a$ the result. $x - y = x + (-1) \cdot y$ and $x / y = x \cdot y^{-1}$: the
walk back then finds $\partial(x/y)/\partial y = x \cdot (-1)\, y^{-2}$ by itself. The chain rule is nowhere in these lines; it is in
`backward`, once for all operations.
""",
    tests=(
        Test("a power", lambda rng: (3.0,), use=expression(lambda x: x**3), call="y = x ** 3: y.value, [x.grad]"),
        Test("tanh", lambda rng: (0.5,), use=expression(lambda x: x.tanh()), call="y = x.tanh(): y.value, [x.grad]"),
        Test(
            "a difference",
            lambda rng: (5.0, 3.0),
            use=expression(lambda x, y: x - y),
            call="z = x - y: z.value, [x.grad, y.grad]",
        ),
        Test(
            "a quotient",
            lambda rng: (3.0, 2.0),
            use=expression(lambda x, y: x / y),
            call="z = x / y: z.value, [x.grad, y.grad]",
        ),
        Test(
            "a neuron and its loss",
            lambda rng: tuple(rng.standard_normal(6).round(2).tolist()),
            use=expression(lambda w1, w2, b, x1, x2, y: ((w1 * x1 + w2 * x2 + b).tanh() - y) ** 2),
            call="J = ((w1 * x1 + w2 * x2 + b).tanh() - y) ** 2: J.value, and the six gradients",
            points=2,
        ),
        Test(
            "a root",
            lambda rng: (4.0,),
            use=expression(lambda x: x**0.5),
            call="y = x ** 0.5: y.value, [x.grad]",
            hidden=True,
        ),
        Test(
            "tanh far out",
            lambda rng: (-800.0,),
            use=expression(lambda x: x.tanh()),
            call="y = x.tanh(): y.value, [x.grad]",
            hidden=True,
        ),
        Test(
            "a quotient with itself",
            lambda rng: (3.0, 2.0),
            use=expression(lambda x, y: (x - y) / (x * y)),
            call="z = (x - y) / (x * y): z.value, [x.grad, y.grad]",
            hidden=True,
        ),
    ),
    wrong=(
        Wrong("power-rule-exponent", "(n * self.value ** (n - 1),)", "(self.value**n,)"),
        Wrong("tanh-derivative-without-square", "1 - a**2", "1 - a"),
        Wrong("derivative-at-z-not-a", "1 - a**2", "1 - self.value**2"),
        Wrong(
            "quotient-rule-sign",
            "self * other**-1.0",
            "self * Number(1 / other.value, (other,), (other.value**-2.0,))",
        ),
        Wrong(
            "detached-by-mistake",
            "self + other * -1.0",
            "self + other.value * -1.0",
            "The second operand entered as a plain number, so the way back to it is cut.",
            "Use the scalar, not its value, in what the result is made of.",
        ),
        Wrong(
            "overflow-in-exp",
            "math.tanh(self.value)",
            "(1 - math.exp(-2 * self.value)) / (1 + math.exp(-2 * self.value))",
        ),
        Wrong(
            "",
            "self + other * -1.0",
            "self * -1.0 + other",
            why="This is y - x where x - y is asked.",
            look="Which of the two gets the minus.",
        ),
    ),
    after="Train the neuron: thirty steps of gradient descent on one example. Its grad must be 0 before each backward.",
)

TEST_SCALAR = Task(
    id="3.26",
    title="A test that catches a wrong engine",
    kind="write the test",
    minutes=20,
    difficulty=2,
    practises="the smallest graph that tells a bug",
    statement=r"""
`Scalar` is the class of 3.24: `Scalar(value)`, `value`, `grad`, `+`, `*`, `backward()`. Write `test_Scalar(Scalar)`: it passes the
right class, and raises an `AssertionError` for a wrong one. It will be run with the right one and with eight wrong ones.

Each of the wrong ones is right for some expressions. A `y = a * b + c` finds only a few. Find small expressions, and work out their
gradients on paper.
""",
    setup="",
    stub='''
def test_Scalar(Scalar):
    """Raises AssertionError where the class is wrong."""
    pass
''',
    subject=SCALAR,
    solution="""
def test_Scalar(Scalar):
    a, b = Scalar(2.0), Scalar(3.0)
    assert a.grad == b.grad == 0
    y = a * b
    y.backward()
    assert (y.value, a.value, b.value) == (6.0, 2.0, 3.0)
    assert (y.grad, a.grad, b.grad) == (1.0, 3.0, 2.0)

    a, b = Scalar(2.0), Scalar(3.0)
    y = a + b
    y.backward()
    assert (y.value, a.value, b.value) == (5.0, 2.0, 3.0)
    assert (a.grad, b.grad) == (1.0, 1.0)

    x = Scalar(3.0)
    y = x * x + x
    y.backward()
    assert (y.value, x.grad) == (12.0, 7.0)

    a, b = Scalar(2.0), Scalar(3.0)  # u = 6, v = 8: y = u v, dy/du = v + u = 14
    u = a * b
    y = u * (u + a)
    y.backward()
    assert y.value == 48.0
    assert u.grad == 14.0
    assert (a.grad, b.grad) == (14.0 * 3.0 + 6.0, 14.0 * 2.0)

    a, b = Scalar(2.0), Scalar(3.0)
    u = a * b
    y = (a + u) * u
    y.backward()
    assert (a.grad, b.grad) == (14.0 * 3.0 + 6.0, 14.0 * 2.0)
""",
    name="test_Scalar",
    hint="An expression per question: one operation, an input used twice, a result used twice, and the same with the operands exchanged.",
    derivation=r"""
Different values for the two inputs tell swapped slopes; `x * x + x` tells set from added, and a slope per use; a *result* used
twice, on a short path and a long one, tells a walk back in the wrong order. Which of the two paths a wrong walk takes first depends
on the order of the operands, so both orders are tried. The values themselves are asserted too, of the inputs as well: an operation
may change its operands.
""",
    wrong=(
        Wrong("set-not-accumulated", "parent.grad += slope", "parent.grad = slope"),
        Wrong("visited-depth-first", "stack.append((node, True))", "order.insert(0, node)"),
        Wrong("derivative-of-the-other-input", "(other.value, self.value)", "(self.value, other.value)"),
        Wrong("local-derivative-only", "slope * node.grad", "slope"),
        Wrong("product-rule-half", "(other.value, self.value)", "(other.value, 0.0)"),
        Wrong(
            "node-visited-twice", "for node in reversed(order):", "for node in reversed([*order[:-1], *order[-2:]]):"
        ),
        Wrong("sign-of-the-gradient", "(1.0, 1.0)", "(1.0, -1.0)"),
        Wrong(
            "input-changed-in-place",
            "return Scalar(self.value + other.value,",
            "self.value += other.value\n        return Scalar(self.value,",
        ),
    ),
    after="Which bug does your shortest expression find alone?",
)

TASKS = (THE_SCALAR, NEURON_OF_SCALARS, TEST_SCALAR)
