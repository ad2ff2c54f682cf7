"""Names in a text: read from tags, and the best tags of a sentence."""

from __future__ import annotations

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter5.given import Inputs, fixed, normal


def _tags(n: int, types: int) -> Inputs:
    """n tags of BIO in any order: a model without a field may say them."""
    return lambda rng: (rng.integers(0, 2 * types + 1, n),)


def _minus_infinity(rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """Scores where tag 2 may follow neither itself nor tag 0."""
    x, transitions = rng.standard_normal((7, 3)), rng.standard_normal((3, 3))
    transitions[[0, 2], 2] = -np.inf
    return x, transitions


NAMES = Task(
    id="6.13",
    title="From tags to names",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="BIO tags, spans, what counts as one name",
    statement=r"""
The tags of a sentence are numbers: 0 stands for O, and the type $k = 1, 2, \dots$ of a name has two of them, $2k - 1$ for B and $2k$ for I.
Write `names_of(tags)`: the names, each as a row (start, end, type), in order. The end is the place behind the last token.

B begins a name. I goes on with the name before it if that has the same type; where there is none, I begins a name (as the program
of CoNLL's shared task reads it).
""",
    stub='''
def names_of(tags):
    """The names that tags mark.

    tags: (n,), integers.
    Returns integers (m, 3): start, end, type; (0, 3) if there is none.
    """
    raise NotImplementedError
''',
    solution="""
def names_of(tags):
    found, before = [], 0  # before: the type of the name that is open, 0 if none is
    for i, tag in enumerate(tags):
        kind = (tag + 1) // 2
        goes_on = tag > 0 and tag % 2 == 0 and kind == before
        if kind and not goes_on:
            found.append([i, i + 1, kind])
        elif goes_on:
            found[-1][1] = i + 1
        before = kind
    return np.array(found, np.int64).reshape(-1, 3)
""",
    name="names_of",
    hint="Which type does a tag have? Then there are three cases: nothing, a name begins, the last one grows.",
    derivation=r"""
The type of tag $t$ is $\lfloor (t + 1) / 2 \rfloor$: 0, 1, 1, 2, 2. An even tag above 0 is an I. It goes on with a name where the token
before has the same type, B or I, and nowhere else: so one number is enough to remember, the type of the tag before.
""",
    tests=(
        Test("one name", fixed(np.array([0, 1, 2, 0]))),
        Test("two side by side", fixed(np.array([1, 2, 1, 3, 4]))),
        Test("no name", fixed(np.array([0, 0]))),
        Test("an I of another type", fixed(np.array([1, 4, 4, 0, 2])), hidden=True),
        Test("no token", fixed(np.array([], np.int64)), hidden=True),
        Test("a name up to the end", fixed(np.array([0, 3, 4])), hidden=True),
        Test("any tags", _tags(40, 3), labels={"the length": 40}, hidden=True),
    ),
    wrong=(
        Wrong(
            "",
            "and kind == before",
            "and before > 0",
            why="An I of another type begins a name of its own: a person cannot go on as a place.",
            look="The tags 1, 4: B of type 1, I of type 2.",
        ),
        Wrong(
            "",
            "tag > 0 and tag % 2 == 0 and kind == before",
            "kind > 0 and kind == before",
            why="Two names of one type that stand side by side became one: a B always begins a name.",
            look="The tags 1, 1.",
        ),
        Wrong(
            "",
            "found[-1][1] = i + 1",
            "found[-1][1] = i",
            why="The end is the place behind the last token, so that end - start is the length.",
            look="The end of a name of two tokens.",
        ),
        Wrong(
            "",
            "if kind and not goes_on:",
            "if tag % 2 == 1:",
            why="An I with no name before it begins one, here it is lost or joined to an old name.",
            look="The tags 0, 2.",
        ),
        Wrong(
            "",
            ".reshape(-1, 3)",
            "",
            why="Without a name the shape should still have three columns, (0, 3).",
            look="A sentence whose tags are all 0.",
        ),
    ),
    after="Count right names, not right tags: of the names 江泽民 and 北京, one cut short, how many tags are right, and how many names?",
)

VITERBI = Task(
    id="6.14",
    title="The best path",
    kind="code",
    minutes=40,
    difficulty=3,
    practises="dynamic programming, the same recursion with max in place of a sum",
    statement=r"""
A sentence of $n$ tokens has the emissions $x_{kj}$, and the transitions $M_{ij}$ score tag $j$ behind tag $i$. Write `best_path(x, M)`: the
tags $y$ with the largest $\sum_k x_{k y_k} + \sum_{k > 1} M_{y_{k-1} y_k}$, in $n N^2$ steps instead of $N^n$. A transition of $-\infty$
is forbidden.
""",
    stub='''
def best_path(x, M):
    """The tags with the highest score, by the Viterbi algorithm.

    x: emissions (n, N), n >= 1; M: transitions (N, N), from row to column.
    Returns n integers.
    """
    raise NotImplementedError
''',
    solution="""
def best_path(x, M):
    best, came_from = x[0], []
    for k in range(1, len(x)):
        through = best[:, None] + M  # (from, to)
        came_from.append(through.argmax(axis=0))
        best = through.max(axis=0) + x[k]
    path = [int(best.argmax())]
    for back in reversed(came_from):
        path.append(int(back[path[-1]]))
    return np.array(path[::-1])
""",
    name="best_path",
    hint="Keep two things for each tag: the score of the best path that ends there, and which tag that path came from. Then walk back.",
    derivation=r"""
Let $\delta_{kj}$ be the best score of the first $k$ tokens with tag $j$ at the last. Whatever comes later sees only $j$, so
$\delta_{kj} = x_{kj} + \max_i (\delta_{k-1,i} + M_{ij})$: (6.7.2) with max in place of the logarithm of a sum. The tag that reaches the
maximum is written down; from the best last tag they lead back to the first.
""",
    tests=(
        Test("one token", fixed(np.array([[0.0, 2.0, 1.0]]), np.zeros((3, 3)))),
        Test(
            "the transitions decide",
            fixed(np.array([[1.0, 0.0], [0.6, 0.5], [0.0, 1.0]]), np.array([[0.0, -2.0], [0.0, 0.5]])),
        ),
        Test(
            "the last emission alone would mislead",
            fixed(np.array([[2.0, 0.0], [0.0, 0.5]]), np.array([[0.0, -2.0], [0.0, 0.0]])),
        ),
        Test("a sentence", normal((6, 4), (4, 4)), labels={"the tags": 4, "the length": 6}),
        Test("a long sentence", normal((60, 5), (5, 5)), labels={"the tags": 5, "the length": 60}, hidden=True),
        Test("forbidden pairs", _minus_infinity, hidden=True),
        Test("large scores", normal((12, 3), (3, 3), scale=1e4), hidden=True),
    ),
    wrong=(
        Wrong(
            "",
            "        through = best[:, None] + M  # (from, to)\n",
            "        through = best + M  # (from, to)\n",
            why="The score of a path was added to the tag it goes to, not to the one it comes from.",
            look="Which axis of M is the tag before: its rows.",
        ),
        Wrong(
            "",
            "best[:, None] + M ",
            "best[:, None] + M.T ",
            why="The transitions are used backward: M[i, j] leads from i to j.",
            look="Two tags, of which 1 may follow 0, and not 0 behind 1.",
        ),
        Wrong(
            "",
            "best = through.max(axis=0) + x[k]",
            "best = best.max() + x[k]",
            why="The transitions are not in the score: each token gets the tag of its largest emission, nearly.",
            look="What of M is in `best` behind the second token.",
        ),
        Wrong(
            "",
            "    return np.array(path[::-1])",
            "    return np.array(path)",
            why="The way back gives the last tag first.",
            look="The order of the result.",
        ),
        Wrong(
            "",
            "path = [int(best.argmax())]",
            "path = [int(x[-1].argmax())]",
            why="The last tag is that of the best whole path, not that of the largest last emission.",
            look="What the walk back begins with.",
        ),
    ),
    after="How many different scores are compared for 60 tokens of 5 tags, and how many paths are there?",
)

TASKS = (NAMES, VITERBI)
