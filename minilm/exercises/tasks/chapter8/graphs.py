"""A step of a graph convolution: neighbors, loops and directions."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter5.given import Inputs, fixed


def _graph(n: int, edges: int, d: int) -> Inputs:
    """Each pair once, in some direction; no loops."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        pairs = np.array([(i, j) for i in range(n) for j in range(i)])
        chosen = pairs[rng.permutation(len(pairs))[:edges]]
        flip = rng.random(len(chosen)) < 0.5
        chosen[flip] = chosen[flip, ::-1]
        return rng.standard_normal((n, d)), chosen.T.copy()

    return inputs


CHAIN = np.array([[0, 1], [1, 2]])

STEP = Task(
    id="8.4",
    title="A step over a graph",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="message passing: both directions, a loop at each node, a node by itself",
    statement=r"""
A column $(j, i)$ of `edges` joins two nodes; no pair stands there twice, and none joins a node with itself. Each node hears its neighbors
and itself:

$$ y_i = \frac{x_i}{\tilde d_i} + \sum_{j \in N(i)} \frac{x_j}{\sqrt{\tilde d_i\, \tilde d_j}}, \qquad \tilde d_i = 1 + |N(i)| $$

Here $N(i)$ are the neighbors of $i$, *on either side* of an edge. Write `step(x, edges)` without a matrix of all pairs of nodes.
""",
    stub='''
def step(x, edges):
    """One step of a graph convolution, without weights: (n, D).

    x: (n, D), a row per node.
    edges: (2, E), integers, a column per edge; E may be 0.
    """
    raise NotImplementedError
''',
    solution="""
def step(x, edges):
    loops = np.arange(len(x))
    source = np.concatenate([edges[0], edges[1], loops])
    target = np.concatenate([edges[1], edges[0], loops])
    degree = np.bincount(target, minlength=len(x))
    weight = 1 / np.sqrt(degree[source] * degree[target])
    y = np.zeros(x.shape)
    np.add.at(y, target, weight[:, None] * x[source])
    return y
""",
    name="step",
    hint="""
First make one list of who sends to whom: each edge twice, and each node to itself. How many send to a node is its degree. Then add up. What
does `y[target] += ...` do with a target that stands in the list twice?
""",
    derivation=r"""
Four nodes, edges 0-1 and 1-2. The degrees with loops are 2, 3, 2, 1. So $y_1 = x_1 / 3 + x_0 / \sqrt 6 + x_2 / \sqrt 6$, and $y_3 = x_3$:
nobody but itself sends to node 3. The list of senders is 0, 1, 1, 2 and 0 to 3; that of receivers 1, 0, 2, 1 and 0 to 3. In NumPy
`y[target] += m` adds once per place; `np.add.at(y, target, m)` adds each.
""",
    tests=(
        Test("a chain and a node by itself", fixed(np.array([[1.0], [10.0], [100.0], [1000.0]]), CHAIN), points=2),
        Test("the edges the other way round", fixed(np.array([[1.0], [10.0], [100.0]]), CHAIN[::-1].copy())),
        Test("a star", fixed(np.eye(4), np.array([[0, 0, 0], [1, 2, 3]]))),
        Test("seven nodes", _graph(7, 9, 3), labels={"the nodes": 7, "the width": 3}),
        Test("no edge", fixed(np.array([[2.0, 3.0], [4.0, 5.0]]), np.zeros((2, 0), int)), hidden=True),
        Test("the last node is in no edge", fixed(np.ones((5, 1)), CHAIN), hidden=True),
        Test("many edges", _graph(9, 30, 2), labels={"the nodes": 9, "the width": 2}, hidden=True),
    ),
    wrong=(
        Wrong(
            "fancy-index-adds-once",
            "np.add.at(y, target, weight[:, None] * x[source])",
            "y[target] += weight[:, None] * x[source]",
        ),
        Wrong(
            "",
            "np.concatenate([edges[0], edges[1], loops])\n    target = np.concatenate([edges[1], edges[0], loops])",
            "np.concatenate([edges[0], loops])\n    target = np.concatenate([edges[1], loops])",
            why="Messages go along the edges in one direction only. A neighbor on either side of an edge is heard.",
            look="Node 0 of the chain: what does it hear of node 1?",
        ),
        Wrong(
            "",
            "np.concatenate([edges[0], edges[1], loops])\n    target = np.concatenate([edges[1], edges[0], loops])",
            "np.concatenate([edges[1], loops])\n    target = np.concatenate([edges[0], loops])",
            why="Messages go against the edges only. A neighbor on either side of an edge is heard.",
            look="Node 2 of the chain: what does it hear of node 1?",
        ),
        Wrong(
            "",
            "np.concatenate([edges[0], edges[1], loops])\n    target = np.concatenate([edges[1], edges[0], loops])",
            "np.concatenate([edges[0], edges[1]])\n    target = np.concatenate([edges[1], edges[0]])",
            why="No node hears itself: the loops are missing, in the sum and in the degrees. What a node is by itself gets lost.",
            look="The node without an edge: it must keep its row.",
        ),
        Wrong(
            "",
            "degree = np.bincount(target, minlength=len(x))",
            "degree = np.maximum(np.bincount(target, minlength=len(x)) - 1, 1)",
            why="The degrees count the neighbors only. With the loop a node has one more: 1 + |N(i)|.",
            look="The definition of the degree, below the tilde.",
        ),
        Wrong(
            "",
            "weight = 1 / np.sqrt(degree[source] * degree[target])",
            "weight = 1 / degree[target]",
            why="This is the mean over those who are heard: only the receiver's degree divides. The formula has the root of both degrees.",
            look="Node 0 of the chain: with which weight does it hear node 1?",
        ),
        Wrong(
            "",
            "weight = 1 / np.sqrt(degree[source] * degree[target])",
            "weight = 1 / degree[source]",
            why="Only the sender's degree divides. The formula has the root of both degrees.",
            look="The weights of node 1's neighbors.",
        ),
        Wrong(
            "root-forgotten",
            "1 / np.sqrt(degree[source] * degree[target])",
            "1 / (degree[source] * degree[target])",
        ),
        Wrong(
            "",
            "weight = 1 / np.sqrt(degree[source] * degree[target])",
            "weight = np.ones(len(source))",
            why="The messages were added up without weights. A node with many neighbors then grows with each step.",
            look="What divides each term.",
        ),
        Wrong(
            "",
            "np.add.at(y, target, weight[:, None] * x[source])",
            "np.add.at(y, source, weight[:, None] * x[source])",
            why="Each message was added at its sender. It belongs to its receiver.",
            look="The second argument of np.add.at.",
        ),
        Wrong(
            "",
            "degree = np.bincount(target, minlength=len(x))",
            "degree = np.bincount(np.concatenate([edges[1], loops]), minlength=len(x))",
            why="The degrees count edges that come in only. Each edge makes both of its nodes neighbors.",
            look="The degree of node 0 of the chain: it has a neighbor.",
        ),
    ),
    after="Apply the step fifty times to random rows. What do all rows have in common?",
)

TASKS = (STEP,)
