"""Graphs of operations: the chain rule on a small one, both directions through a chain, and the order of the walk back."""

from __future__ import annotations

from typing import Any

from minilm.exercises.task import Generator, Task, Test, Wrong


def small_graph(rng: Generator) -> dict[str, Any]:
    a, b, c = (int(n) for n in rng.choice([2, 3, 4, 5, 6], 3, replace=False))
    return {"a": a, "b": b, "c": c}


SMALL_GRAPH = Task(
    id="3.20",
    title="A graph with a branch, by hand",
    kind="number",
    minutes=10,
    difficulty=1,
    practises="the chain rule where paths meet",
    statement=r"""
$u = a b$, $v = a + c$ and $J = u v^2$, with $a = {a}$, $b = {b}$ and $c = {c}$. Draw the graph. Write the value beside each node,
then walk back and write $\partial J/\partial u$, $\partial J/\partial v$ and the three gradients of the inputs beside them.

Set `answer = (dJ_du, dJ_dv, dJ_da, dJ_db, dJ_dc)`. The numbers stand in `a`, `b` and `c`.
""",
    setup="",
    stub="""
dJ_du = None
dJ_dv = None
dJ_da = None
dJ_db = None
dJ_dc = None
answer = (dJ_du, dJ_dv, dJ_da, dJ_db, dJ_dc)
""",
    solution="""
u = a * b
v = a + c
dJ_du = v**2
dJ_dv = 2 * u * v
dJ_da = dJ_du * b + dJ_dv * 1
dJ_db = dJ_du * a
dJ_dc = dJ_dv * 1
answer = (dJ_du, dJ_dv, dJ_da, dJ_db, dJ_dc)
""",
    hint="Two arrows leave a. What arrives along each of them?",
    derivation=r"""
$\partial J/\partial u = v^2$ and $\partial J/\partial v = 2uv$. $b$ reaches $J$ through $u$ alone, $\partial J/\partial b = v^2 a$,
and $c$ through $v$ alone, $\partial J/\partial c = 2uv$. $a$ reaches it through both, and by (3.4) the paths add: $\partial
J/\partial a = v^2 b + 2uv$. With $a = 2$, $b = 3$, $c = 4$: $u = v = 6$, $\partial J/\partial u = 36$, $\partial J/\partial v =
72$, $\partial J/\partial a = 108 + 72 = 180$, $\partial J/\partial b = 72$, $\partial J/\partial c = 72$.
""",
    data=small_graph,
    tests=(
        Test("the gradient of u", use=lambda answer: answer[0], call="dJ_du"),
        Test("the gradient of v", use=lambda answer: answer[1], call="dJ_dv"),
        Test("the gradient of a", use=lambda answer: answer[2], call="dJ_da", points=2),
        Test("the gradient of b", use=lambda answer: answer[3], call="dJ_db"),
        Test("the gradient of c", use=lambda answer: answer[4], call="dJ_dc"),
    ),
    wrong=(
        Wrong("second-path-forgotten", "dJ_du * b + dJ_dv * 1", "dJ_du * b"),
        Wrong(
            "second-path-forgotten",
            "dJ_du * b + dJ_dv * 1",
            "dJ_dv * 1",
            "Only the path through v was counted; a reaches J through u as well.",
            "Two arrows leave a, and by (3.4) what arrives along them is added.",
        ),
        Wrong("derivative-of-the-other-input", "dJ_db = dJ_du * a", "dJ_db = dJ_du * b"),
        Wrong("factor-two-missing", "2 * u * v", "u * v"),
        Wrong("local-derivative-only", "dJ_dc = dJ_dv * 1", "dJ_dc = 1"),
        Wrong(
            "",
            "2 * u * v",
            "2 * v",
            why="The u is missing: J is u times v², so dJ/dv is u times 2 v.",
            look="The factor that v² is multiplied by.",
        ),
    ),
    after="Let J be u v² + a. Which of your five numbers change?",
)

DUAL = Task(
    id="3.6",
    title="Forward mode with dual numbers",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="forward mode, operator methods",
    statement=r"""
A **dual number** $u + \dot u\,\epsilon$ with $\epsilon^2 = 0$ carries a value and its derivative in one chosen input. Write a class
`Dual` with `+`, `*` and a method `sigmoid()`; the attributes are `value` and `dot`. Both operands are dual.

With it, compute $\partial J/\partial w$ of $J = \sigma(w\,\sigma(wx))$ in one forward pass. How many passes does a network with $P$
weights need?
""",
    setup="import math\n",
    stub='''
class Dual:
    """A value and its derivative in one input: Dual(value, dot).

    +, * and sigmoid() return a new Dual, and leave their operands as they are.
    """

    def __init__(self, value, dot=0.0):
        self.value, self.dot = value, dot
''',
    solution="""
class Dual:
    def __init__(self, value, dot=0.0):
        self.value, self.dot = value, dot

    def __add__(self, other):
        return Dual(self.value + other.value, self.dot + other.dot)

    def __mul__(self, other):
        dot = self.value * other.dot + self.dot * other.value
        return Dual(self.value * other.value, dot)

    def sigmoid(self):
        s = 1 / (1 + math.exp(-self.value))
        return Dual(s, s * (1 - s) * self.dot)
""",
    name="Dual",
    hint=r"""
$(u + \dot u \epsilon)(v + \dot v \epsilon) = uv + (u \dot v + \dot u v)\,\epsilon$: the product rule. A function $f$
gives $f(u) + f'(u)\,\dot u\,\epsilon$. Seed $w$ with $\dot w = 1$.
""",
    derivation=r"""
Taylor's series of $f(u + \dot u \epsilon)$ ends after the first derivative, because $\epsilon^2 = 0$; so every
operation passes exactly the derivative on. A pass gives one column of the Jacobian, the derivatives of everything in
one input: $P$ passes for $P$ weights, against one backward pass. This is the right-hand count of (3.12) with $n_0 = P$.
""",
    tests=(
        Test(
            "a sum",
            lambda rng: (2.0, 3.0),
            use=lambda Dual, x, y: _both(Dual(x, 1.0) + Dual(y, 10.0)),
            call="Dual(x, 1) + Dual(y, 10), its value and dot",
        ),
        Test(
            "a product",
            lambda rng: (2.0, 3.0),
            use=lambda Dual, x, y: _both(Dual(x, 1.0) * Dual(y, 10.0)),
            call="Dual(x, 1) * Dual(y, 10), its value and dot",
        ),
        Test(
            "a sigmoid",
            lambda rng: (0.5,),
            use=lambda Dual, x: _both(Dual(x, 3.0).sigmoid()),
            call="Dual(x, 3).sigmoid(), its value and dot",
        ),
        Test(
            "a number used twice",
            lambda rng: (-0.8, 1.5),
            use=lambda Dual, w, x: _reused(Dual, w, x),
            call="w = Dual(w, 1); (w * (w * Dual(x)).sigmoid()).sigmoid(), then (w * w + w)",
            points=2,
        ),
        Test(
            "a long chain",
            lambda rng: (rng.standard_normal(20),),
            use=lambda Dual, w: _chain(Dual, w),
            call="a = Dual(0.5, 1); a = (Dual(w_l) * a).sigmoid() for each w_l in w",
            hidden=True,
            atol=0.0,
        ),
    ),
    wrong=(
        Wrong("product-rule-half", "self.value * other.dot + self.dot * other.value", "self.value * other.dot"),
        Wrong(
            "",
            "self.value * other.dot + self.dot * other.value",
            "self.dot * other.dot",
            "The derivatives were multiplied with each other: that is the term with epsilon squared, which is 0.",
            "Multiply (u + u' e)(v + v' e) out.",
        ),
        Wrong("local-derivative-only", "s * (1 - s) * self.dot", "s * (1 - s)"),
        Wrong("derivative-at-z-not-a", "s * (1 - s) * self.dot", "self.value * (1 - self.value) * self.dot"),
        Wrong(
            "input-changed-in-place",
            "return Dual(self.value + other.value, self.dot + other.dot)",
            "self.value += other.value\n        self.dot += other.dot\n        return self",
            "The sum is written into the left operand, so a number that is used twice has another value the second time.",
            "An operation returns a new object.",
        ),
    ),
    after="Carry an array of P derivatives instead of one number. What does a pass cost then?",
)


def _both(x: Any) -> Any:
    return x.value, x.dot


def _reused(Dual: Any, w: float, x: float) -> Any:
    u, v = Dual(w, 1.0), Dual(x)
    y, z = (u * (u * v).sigmoid()).sigmoid(), u * u
    return *_both(y), *_both(z + u), *_both(z + u)


def _chain(Dual: Any, weights: Any) -> Any:
    a = Dual(0.5, 1.0)
    for w in weights.tolist():
        a = (Dual(w) * a).sigmoid()
    return _both(a)


FUNCTIONS = """import numpy as np

functions = {"exp": np.exp, "sin": np.sin, "square": np.square, "tanh": np.tanh}
slopes = {
    "exp": np.exp,
    "sin": np.cos,
    "square": lambda x: 2 * x,
    "tanh": lambda x: 1 - np.tanh(x) ** 2,
}
"""


def chain(*names: str, size: int = 1) -> Any:
    def inputs(rng: Generator) -> tuple[Any, ...]:
        return list(names), rng.uniform(0.2, 1.0, size), rng.standard_normal(size)

    return inputs


CHAIN = Task(
    id="3.21",
    title="Forward through a chain and back",
    kind="code",
    minutes=20,
    difficulty=1,
    practises="keep the inputs, walk back over them",
    statement=r"""
`names` lists elementwise functions in the order in which they are applied: `["square", "exp"]` is $e^{x^2}$. The set-up has
`functions[name]`, and its derivative `slopes[name]`.

Write `chain_vjp(names, x, g)`: it returns the result `y`, and the gradient of `x` when the gradient of `y` is `g`. Call each
function once per entry of `names`, and not again from the beginning for every slope.
""",
    setup=FUNCTIONS,
    stub='''
def chain_vjp(names, x, g):
    """The result of a chain of functions, and the gradient of its input.

    names: list of str; x, g: (n,). Returns y (n,), x_bar (n,).
    """
    raise NotImplementedError
''',
    solution="""
def chain_vjp(names, x, g):
    kept = []
    for name in names:
        kept.append(x)
        x = functions[name](x)
    for name in reversed(names):
        g = g * slopes[name](kept.pop())
    return x, g
""",
    name="chain_vjp",
    hint="A slope is taken at the number that went into its function. Which numbers must be kept on the way there?",
    derivation=r"""
With $x_\ell = f_\ell(x_{\ell-1})$, the chain rule gives $\bar x_{\ell-1} = \bar x_\ell \odot f'_\ell(x_{\ell-1})$. Each slope is taken at
what went *into* the function, and those inputs are needed in reverse order: a stack. This is (3.3) without weights. The product may be
formed from either end; from the output, it works as well when functions have several inputs.
""",
    tests=(
        Test("one function", chain("square")),
        Test("two functions", chain("square", "exp"), points=2),
        Test("a vector through four", chain("sin", "square", "exp", "tanh", size=3), points=2),
        Test("the same function twice", chain("exp", "tanh", "exp", size=2), hidden=True),
        Test("no function at all", chain(size=2), hidden=True),
    ),
    wrong=(
        Wrong(
            "derivative-at-a-not-z",
            "kept.append(x)\n        x = functions[name](x)",
            "x = functions[name](x)\n        kept.append(x)",
            "Each slope is taken at its function's output; it belongs at the input.",
            "The derivative of x² at 3 is 6, and not 18.",
        ),
        Wrong(
            "",
            "kept.pop()",
            "kept[0]",
            "All slopes are taken at x; only the first function was given x.",
            "The second function's slope is taken at the first one's result.",
        ),
        Wrong(
            "",
            "kept.pop()",
            "kept.pop(0)",
            "The kept numbers are used from the front, while the functions are gone through from the back.",
            "Write down which number meets which slope, for two functions.",
        ),
        Wrong(
            "local-derivative-only",
            "    for name in reversed(names):",
            "    g = np.ones_like(x)\n    for name in reversed(names):",
        ),
        Wrong(
            "",
            "for name in reversed(names):",
            "for name in names:",
            why="The way back begins at the last function. Here the slopes of the first function meet the inputs of the last.",
            look="The order of the names on the way back.",
        ),
    ),
    after="How many numbers are kept for a chain of 1000 functions, and how few would do if every tenth were kept?",
)

TASKS = (SMALL_GRAPH, DUAL, CHAIN)
