"""Names in a text: read from tags, and how sure a field is of each tag."""

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

_BACKWARD = """\
    a, b = [x[0]], [np.zeros(len(M))]
    for k in range(1, len(x)):
        a.append(x[k] + log_sum(a[-1][:, None] + M, axis=0))
    for k in range(len(x) - 1, 0, -1):
        b.append(log_sum(M + x[k] + b[-1], axis=1))
    log_z = log_sum(a[-1], axis=0)
"""

MARGINALS = Task(
    id="6.14",
    title="How sure is it of each tag?",
    kind="code",
    minutes=40,
    difficulty=3,
    practises="the same recursion from both ends, sums of exponentials in logarithms",
    statement=r"""
A sentence of $n$ tokens has the emissions $x_{kj}$, and $M_{ij}$ scores tag $j$ behind tag $i$, as in (6.7.1). How probable is it that
token $k$ has tag $j$, whatever the others have? Write `marginals(x, M)`: the sums of $p(y \mid x)$ over all $y$ with $y_k = j$, as in
the circles of figure 6.7.1, in about $n N^2$ steps instead of $N^n$.

A score of $-\infty$ forbids a tag or a pair. Scores of a thousand must not overflow, and there is no warning.
""",
    stub='''
def marginals(x, M):
    """The probability of each tag at each token, (n, N); each row sums to 1.

    x: emissions (n, N), n >= 1; M: transitions (N, N), from row to column.
    """
    raise NotImplementedError
''',
    solution="""
def marginals(x, M):
    a, b = [x[0]], [np.zeros(len(M))]
    for k in range(1, len(x)):
        a.append(x[k] + log_sum(a[-1][:, None] + M, axis=0))
    for k in range(len(x) - 1, 0, -1):
        b.append(log_sum(M + x[k] + b[-1], axis=1))
    log_z = log_sum(a[-1], axis=0)
    return np.exp(np.array(a) + np.array(b[::-1]) - log_z)


def log_sum(z, axis):
    return np.logaddexp.reduce(z, axis=axis)
""",
    name="marginals",
    hint="""
(6.7.2) sums over all that can come before token k, its own emission with it. Write the same recursion from the last token to the first,
for all that can come behind it, without its own emission. `np.logaddexp` adds two numbers that are given by their logarithms, and
`np.logaddexp.reduce` many.
""",
    derivation=r"""
A sequence with $y_k = j$ is a beginning that ends there and an end that starts there. Its weight is a product, so the sum over all such
sequences is the sum over the beginnings, $e^{a_{kj}}$, times the sum over the ends, $e^{b_{kj}}$:

$$
b_{nj} = 0, \qquad b_{k-1,i} = \ln \sum_j e^{M_{ij} + x_{kj} + b_{kj}}, \qquad p_{kj} = e^{a_{kj} + b_{kj} - \ln Z}
$$

This is the algorithm called forward-backward. The derivative of $\ln Z$ by $x_{kj}$ is the same number, so that backpropagation
through (6.7.2) computes it, too.
""",
    tests=(
        Test("one token", fixed(np.array([[0.0, 2.0, 1.0]]), np.zeros((3, 3)))),
        Test(
            "the three characters of the section",
            fixed(
                np.array([[1.2, 1.0, -np.inf], [0.0, 0.2, 1.0], [0.5, 0.0, 1.0]]),
                np.array([[0.0, 0.0, -np.inf], [0.0, 0.0, 1.0], [0.0, 0.0, 0.5]]),
            ),
        ),
        Test(
            "the transitions decide",
            fixed(np.array([[1.0, 0.0], [0.6, 0.5], [0.0, 1.0]]), np.array([[0.0, -2.0], [0.0, 0.5]])),
        ),
        Test("a sentence", normal((6, 4), (4, 4)), labels={"the tags": 4, "the length": 6}),
        Test("a long sentence", normal((60, 5), (5, 5)), labels={"the tags": 5, "the length": 60}, hidden=True),
        Test("forbidden pairs", _minus_infinity, hidden=True),
        Test("large scores", normal((12, 3), (3, 3), scale=1e3), hidden=True),
    ),
    wrong=(
        Wrong(
            "",
            "b.append(log_sum(M + x[k] + b[-1], axis=1))",
            "b.append(np.zeros(len(M)))",
            why="Only what comes before a token is summed. What comes behind it says something about its tag, too.",
            look="The sum of each row: is it 1?",
        ),
        Wrong(
            "",
            "return np.exp(np.array(a) + np.array(b[::-1]) - log_z)",
            "return np.exp(np.array(a) - log_sum(np.array(a), axis=1)[:, None])",
            why="Each row was made to sum to 1, but only what comes before the token is in it, not what comes behind.",
            look="The last row is right. Which is the first wrong one, from behind?",
        ),
        Wrong(
            "",
            "return np.exp(np.array(a) + np.array(b[::-1]) - log_z)",
            "return np.exp(x - log_sum(x, axis=1)[:, None])",
            why="This is the softmax of each token's emissions: the transitions play no part.",
            look="Does the result change with M?",
        ),
        Wrong(
            "",
            "b.append(log_sum(M + x[k] + b[-1], axis=1))",
            "b.append(log_sum(M + b[-1], axis=1))",
            why="The emissions of what comes behind are missing; only its transitions count.",
            look="Which emissions are in the weight of an end that starts at token k?",
        ),
        Wrong(
            "",
            _BACKWARD,
            _BACKWARD.replace("np.zeros(len(M))", "x[-1]")
            .replace("log_sum(M + x[k] + b[-1], axis=1)", "x[k - 1] + log_sum(M + b[-1], axis=1)")
            .replace("log_sum(a[-1], axis=0)", "log_sum(np.array(a) + np.array(b[::-1]), axis=1)[:, None]"),
            why="The emission of each token is counted twice, in the sum from before and in that from behind.",
            look="Which of the two sums holds the token's own emission?",
        ),
        Wrong(
            "",
            "b.append(log_sum(M + x[k] + b[-1], axis=1))",
            "b.append(log_sum(M.T + x[k] + b[-1], axis=1))",
            why="On the way back the transitions are turned around: M[i, j] leads from i to j in both directions of reading.",
            look="Over which index does the sum from behind run, and which is left?",
        ),
        Wrong(
            "",
            "a[-1][:, None] + M,",
            "a[-1] + M,",
            why="On the way forth the sum of a tag was added to the tag it goes to, not to the one it comes from.",
            look="Which axis of M is the tag before: its rows.",
        ),
        Wrong(
            "",
            "np.array(b[::-1])",
            "np.array(b)",
            why="The sums from behind were collected from the last token to the first, and added in that order.",
            look="Which token does b[0] belong to?",
        ),
        Wrong(
            "",
            "np.logaddexp.reduce(z, axis=axis)",
            "z.max(axis=axis)",
            why="The largest score took the place of the sum over all: this belongs to the best path, and no row sums to 1.",
            look="How many sequences go through a circle of the figure?",
        ),
        Wrong(
            "",
            "np.logaddexp.reduce(z, axis=axis)",
            "np.log(np.exp(z).sum(axis=axis))",
            why="The exponentials of large scores overflow.",
            look="ln(e^1000 + e^999) without e^1000.",
        ),
    ),
    after="In section 6.7 a name's probability is the least one of its tags. Compare it with the sum over all sequences that have "
    "the whole name: which is larger?",
)

TASKS = (NAMES, MARGINALS)
