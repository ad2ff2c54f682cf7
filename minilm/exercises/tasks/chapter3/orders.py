"""Orders of the walk back: a topological order without recursion, and a walk that goes on too early."""

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

A graph may be 2,000 nodes deep: no recursion. And it may have more paths than atoms: visit no node twice.
""",
    stub='''
def topological_order(parents, output):
    """All nodes that output depends on, each once and after its parents.

    parents: dict from str to list of str. Returns a list of str.
    """
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
        Test("a graph of twelve nodes", random_graph(12), use=_check, call=ASKED, hidden=True),
        Test("1,024 paths", ladder(10), use=_check, call=ASKED, hidden=True),
        Test("a chain of 2,000", lambda rng: _chain(2000), use=_check, call=ASKED, hidden=True),
    ),
    wrong=(
        Wrong("visited-depth-first", "stack.append((node, True))", "order.insert(0, node)"),
        Wrong("node-visited-twice", "elif node not in seen:", "else:"),
        Wrong(
            "order-reversed",
            "return order",
            "return order[::-1]",
            "The order is the other way round: each node stands before its parents.",
            "The output is the last of the list.",
        ),
        Wrong(
            "recursion-too-deep",
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
        Wrong(
            "reversed-breadth-first",
            (
                "order, seen, stack = [], set(), [(output, False)]\n    while stack:\n"
                "        node, done = stack.pop()\n        if done:\n            order.append(node)\n"
                "        elif node not in seen:\n            seen.add(node)\n            stack.append((node, True))\n"
                "            stack.extend((parent, False) for parent in parents[node])\n    return order\n"
            ),
            (
                "order, seen = [output], {output}\n    for node in order:\n        for parent in parents[node]:\n"
                "            if parent not in seen:\n                seen.add(parent)\n"
                "                order.append(parent)\n    return order[::-1]\n"
            ),
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
By (3.4) a node's gradient is a sum over all its uses, so it may be passed on only when all have arrived. `uses` counts them down:
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


TASKS = (TOPOLOGICAL_ORDER, DEPTH_FIRST)
