"""An engine in miniature: the order of the walk back, a scalar that remembers, and the neuron made of it."""

from __future__ import annotations

from typing import Any

from minilm.exercises.task import Generator, Task, Test, Wrong

ORDER = """
def topological_order(parents, output):
    order, seen, stack = [], set(), [(output, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((parent, False) for parent in parents[node])
    return order
"""

RECURSIVE_ORDER = """order, seen = [], set()

    def visit(node):
        if node not in seen:
            seen.add(node)
            for parent in parents[node]:
                visit(parent)
            order.append(node)

    visit(output)
    return order
"""


def _check(topological_order: Any, parents: dict[str, list[str]], output: str) -> Any:
    """What can be asked of an order, since several are right."""
    order = list(topological_order(parents, output))
    place = {node: i for i, node in enumerate(order)}
    return {
        "nodes": len(order),
        "each once": len(place) == len(order),
        "each after its parents": all(
            place.get(p, len(order)) < i for node, i in place.items() for p in parents.get(node, ())
        ),
    }


def ladder(rungs: int) -> Any:
    """Nodes of which each is computed from the one below it, used twice: 2^rungs paths."""
    return lambda rng: ({"0": [], **{str(i): [str(i - 1), str(i - 1)] for i in range(1, rungs + 1)}}, str(rungs))


def random_graph(size: int) -> Any:
    def inputs(rng: Generator) -> tuple[Any, ...]:
        parents: dict[str, list[str]] = {"0": []}
        for i in range(1, size):
            parents[str(i)] = [str(i - 1), *(str(j) for j in rng.integers(0, i, 2))]
        names = list(parents)
        return {name: parents[name] for name in rng.permutation(names).tolist()}, str(size - 1)

    return inputs


ASKED = "the number of nodes, each once, each after its parents, of topological_order(parents, output)"

TOPOLOGICAL_ORDER = Task(
    id="3.22",
    title="An order for the walk back",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="graphs without recursion",
    statement=r"""
`parents` is a dict: the name of a node -> the list of names it was computed from. Write `topological_order(parents, output)`: a
list of all nodes that the output depends on, itself included, each once, and each *after* its parents. (Backpropagation walks it
from the end.) Nodes that the output does not depend on are left out. Any such order is right.

Example: for `{"x": [], "u": ["x"], "y": ["u", "x"]}` and `"y"` it is `["x", "u", "y"]`.

A graph may be 5,000 nodes deep: no recursion. And it may have more paths than atoms: visit no node twice.
""",
    stub='''
def topological_order(parents, output):
    """All nodes that output depends on, each once and after its parents; parents: dict from str to list of str."""
    raise NotImplementedError
''',
    solution=ORDER,
    name="topological_order",
    hint="""
A node may be written down once all its parents have been. Put it back on the stack, with a mark that its parents were pushed, and
push them on top of it.
""",
    derivation=r"""
A node is popped twice. The first time its parents are pushed above it, so they and all they need are done before it is popped again, and
then it is appended: each node comes after its parents. `seen` lets each node be expanded once, however many paths lead to it, so the work
is the number of arrows. Writing a node down at its first visit, and turning the list around, is not enough: a depth-first walk reaches a
node by a short path before it has come by the long one.
""",
    tests=(
        Test("one node", lambda rng: ({"x": []}, "x"), use=_check, call=ASKED),
        Test("a chain", lambda rng: ({"y": ["u"], "u": ["x"], "x": []}, "y"), use=_check, call=ASKED),
        Test(
            "a short path and a long one",
            lambda rng: ({"x": [], "u": ["x"], "y": ["x", "u"]}, "y"),
            use=_check,
            call=ASKED,
            points=2,
        ),
        Test(
            "the same, told the other way",
            lambda rng: ({"x": [], "u": ["x"], "y": ["u", "x"]}, "y"),
            use=_check,
            call=ASKED,
            hidden=True,
        ),
        Test(
            "nodes that are not needed",
            lambda rng: ({"x": [], "z": ["x"], "y": ["x"]}, "y"),
            use=_check,
            call=ASKED,
            hidden=True,
        ),
        Test("a graph of sixteen", random_graph(16), use=_check, call=ASKED, hidden=True),
        Test("4,096 paths", ladder(12), use=_check, call=ASKED, hidden=True),
        Test("a chain of 5,000", lambda rng: _chain(5000), use=_check, call=ASKED, hidden=True),
    ),
    wrong=(
        Wrong("visited-depth-first", "stack.append((node, True))", "order.insert(0, node)"),
        Wrong("node-visited-twice", "elif node not in seen:", "else:"),
        Wrong(
            "",
            "return order",
            "return order[::-1]",
            "The order is the other way round: each node stands before its parents.",
            "The output is the last of the list.",
        ),
        Wrong(
            "",
            ORDER.partition("\n    ")[2],
            RECURSIVE_ORDER,
            "The function calls itself once per step into the graph, and Python stops at a depth of 1000.",
            "Keep a list of what is still to be visited, and a loop.",
        ),
        Wrong(
            "",
            "stack = [], set(), [(output, False)]",
            "stack = [], set(), [(node, False) for node in parents]",
            "The list holds nodes that the output does not depend on.",
            "Start from the output alone.",
        ),
    ),
    after="What does your function do with a circle, a node that needs itself? Make it say so.",
)


def _chain(length: int) -> tuple[Any, ...]:
    return {"0": [], **{str(i): [str(i - 1)] for i in range(1, length)}}, str(length - 1)


DEPTH_FIRST = Task(
    id="3.23",
    title="Right for a chain, wrong for a diamond",
    kind="find the bug",
    minutes=20,
    difficulty=2,
    practises="when a gradient is complete",
    statement=r"""
`graph[node]` lists pairs (parent, slope): what the node was computed from, and its derivative in each. `gradients(graph, output)` is to
return $\partial\,\text{output}/\partial\,\text{node}$ for every node; all nodes lead to the output.

It is right for chains. It is right where an *input* is used twice. Where a node in the middle is used twice, that node's own gradient is
right, and those of the nodes below it are too small. Mend it.
""",
    setup="",
    solution="""
def gradients(graph, output):
    uses = dict.fromkeys(graph, 0)
    for arrows in graph.values():
        for parent, _ in arrows:
            uses[parent] += 1
    found = dict.fromkeys(graph, 0.0)
    found[output] = 1.0
    ready = [output]
    while ready:
        node = ready.pop()
        for parent, slope in graph[node]:
            found[parent] += slope * found[node]
            uses[parent] -= 1
            if uses[parent] == 0:
                ready.append(parent)
    return found
""",
    name="gradients",
    hint="When may a node pass its gradient on? Follow a node with two users, and note what it has at that moment.",
    derivation=r"""
By (3.9) a node's gradient is a sum over all its uses, so it may be passed on only when all have arrived. `uses` counts them down:
at 0 the gradient is complete. The bug lets a node go on after the first arrival. What arrives later is added to the node's own
gradient, which is right in the end, but has come too late for the nodes below. An input passes nothing on, so there it does not
show.
""",
    tests=(
        Test("a chain", lambda rng: ({"x": [], "u": [("x", 2.0)], "y": [("u", 3.0)]}, "y")),
        Test("an input used twice", lambda rng: ({"x": [], "y": [("x", 2.0), ("x", 3.0)]}, "y")),
        Test(
            "a diamond on a stem",
            lambda rng: (
                {"x": [], "u": [("x", 10.0)], "v": [("u", 2.0)], "w": [("u", 3.0)], "y": [("v", 1.0), ("w", 1.0)]},
                "y",
            ),
            points=2,
        ),
        Test(
            "a short path and a long one",
            lambda rng: (
                {"x": [], "u": [("x", 10.0)], "v": [("u", 2.0)], "w": [("v", 3.0)], "y": [("u", 5.0), ("w", 7.0)]},
                "y",
            ),
            hidden=True,
        ),
        Test("a graph of twelve", lambda rng: _slopes(rng, 12), hidden=True),
    ),
    wrong=(
        Wrong(
            "visited-depth-first",
            "uses[parent] -= 1\n            if uses[parent] == 0:\n",
            "if uses[parent] > 0:\n                uses[parent] = 0\n",
        ),
        Wrong("node-visited-twice", "if uses[parent] == 0:", "if uses[parent] >= 0:"),
        Wrong("set-not-accumulated", "found[parent] += slope", "found[parent] = slope"),
    ),
    after="Let two outputs have a gradient each. Where do you begin?",
)


def _slopes(rng: Generator, size: int) -> tuple[Any, ...]:
    parents, output = random_graph(size)(rng)
    return {node: [(p, float(rng.integers(1, 4))) for p in found] for node, found in parents.items()}, output


SCALAR = """
class Scalar:
    def __init__(self, value, parents=(), slopes=()):
        self.value, self.parents, self.slopes = value, parents, slopes
        self.grad = 0.0

    def __add__(self, other):
        return Scalar(self.value + other.value, (self, other), (1.0, 1.0))

    def __mul__(self, other):
        return Scalar(self.value * other.value, (self, other), (other.value, self.value))

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
            for parent, slope in zip(node.parents, node.slopes):
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
    """A number that remembers what it was made of: value, grad, +, * and backward()."""

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
where it is *added*, (3.9). For `x * x` both parents are the same scalar, and both shares reach it: $x + x = 2x$.
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
            "",
            "order, seen, stack = [], set(), [(self, False)]"
            + SCALAR.partition("[(self, False)]")[2].partition("        self.grad = 1.0")[0],
            RECURSIVE_WALK,
            "backward calls itself once per operation, and Python stops at a depth of 1000.",
            "Keep a list of what is still to be visited, and a loop.",
        ),
    ),
    after="The engine's own is in minilm/autograd: what does it do that yours does not?",
)

NEURON_OF_SCALARS = Task(
    id="3.25",
    title="A neuron of scalars",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="new operations for an engine",
    statement=r"""
The set-up's `Scalar(value, parents, slopes)` has `+`, `*` and `backward`; `slopes` are the derivatives in the parents, as plain
numbers, and either operand may be a plain number.

Write `class Number(Scalar)` with `x ** n` for a plain number `n`, `x.tanh()`, `x - y` and `x / y` (of two scalars). An operation returns
`Number(result, parents, slopes)`, or is made of other operations.

Then a neuron is `(w1 * x1 + w2 * x2 + b).tanh()`.
""",
    setup="import math\n\nfrom minilm.exercises.tasks.chapter3.given import Scalar\n",
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
$(x^n)' = n\,x^{n-1}$ and, by (3.7), $\tanh' = 1 - a^2$ with $a$ the result. $x - y = x + (-1) \cdot y$ and $x / y = x \cdot y^{-1}$: the
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
            "Number(self.value / other.value, (self, other), (1 / other.value, self.value / other.value**2))",
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
            "(math.exp(self.value) - math.exp(-self.value)) / (math.exp(self.value) + math.exp(-self.value))",
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

TASKS = (TOPOLOGICAL_ORDER, DEPTH_FIRST, THE_SCALAR, NEURON_OF_SCALARS, TEST_SCALAR)
