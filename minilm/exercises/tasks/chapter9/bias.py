"""Bias: what vectors of words lean to, and how alike two groups of people are treated."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter5.given import Inputs, fixed, normal


def _rows(*rows: list[list[float]]) -> Inputs:
    return fixed(*(np.array(row) for row in rows))


def _people(n: int) -> Inputs:
    """Two groups with other base rates, and decisions that are right more often than not."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        g = np.concatenate([[0, 0, 0, 0, 1, 1, 1, 1], rng.integers(0, 2, n)])
        y = np.concatenate([[0, 0, 1, 1] * 2, rng.random(n) < np.where(g[8:] == 0, 0.6, 0.3)]).astype(np.int64)
        said = np.concatenate([[0, 1] * 4, np.where(rng.random(n) < 0.75, y[8:], 1 - y[8:])]).astype(np.int64)
        return y, said, g

    return inputs


WEAT = Task(
    id="9.7",
    title="The Word Embedding Association Test",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="cosines, an effect size, a permutation test",
    statement=r"""
Targets X and Y and attributes A and B are sets of word vectors, one vector per row. A word leans to A by

$$ s(w) = \operatorname{mean}_{a \in A} \cos(w, a) - \operatorname{mean}_{b \in B} \cos(w, b) $$

Write `weat(x, y, a, b)`. It returns two numbers:

- the effect size $d$: the mean of $s$ over X less that over Y, by the standard deviation of $s$ over all targets of both sets (divide by
  their number, not by one less);
- the p-value: of all ways to choose as many of the targets as X has, the share in which the mean over the chosen less that over the
  others is at least as large as it is for X. The choice X itself counts, too.

Allow for rounding: a choice counts from $10^{-9}$ below on. `itertools.combinations` gives all choices.
""",
    stub='''
def weat(x, y, a, b):
    """The effect size and the p-value of the association test.

    x, y: (n, d) and (m, d), the targets. a, b: (k, d) and (l, d), the attributes.
    No vector is zero.
    Returns two floats.
    """
    raise NotImplementedError
''',
    solution="""
def weat(x, y, a, b):
    sets = (x, y, a, b)
    x, y, a, b = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in sets)
    w = np.concatenate([x, y])
    s = (w @ a.T).mean(axis=1) - (w @ b.T).mean(axis=1)
    found = s[: len(x)].mean() - s[len(x) :].mean()
    apart = []
    for chosen in itertools.combinations(range(len(s)), len(x)):
        inside = np.isin(np.arange(len(s)), chosen)
        apart.append(s[inside].mean() - s[~inside].mean())
    p = np.mean(np.array(apart) >= found - 1e-9)
    return found / s.std(), p
""",
    name="weat",
    setup="import itertools\n\nimport numpy as np\n",
    hint="""
Bring every vector to length 1 first: then a product of two matrices is a table of cosines. Put the targets of both sets into one array, the
ones of X first: a choice is then a set of places in it.
""",
    derivation=r"""
With unit vectors, $\cos(w, a) = w \cdot a$, and the mean over A is the mean of a row of $W A^\top$. One array $s$ of all targets holds
everything else: $d$ needs two means and one standard deviation of it, and the test looks at other places for X.

If the names X and Y said nothing, each choice of as many targets would be as likely as any other. The share of choices that lie as far
apart is the probability of so large a difference by chance. It is at least one by the number of choices: with 3 targets each, 1/20.
""",
    tests=(
        Test(
            "two words each, by hand",
            _rows([[1, 0], [2, 0]], [[0, 1], [0, 3]], [[1, 0]], [[0, 1]]),
        ),
        Test("three words each", normal((3, 4), (3, 4), (2, 4), (2, 4)), points=2),
        Test("more attributes on one side", normal((3, 4), (3, 4), (5, 4), (2, 4))),
        Test("more targets on one side", normal((4, 3), (2, 3), (2, 3), (3, 3)), hidden=True),
        Test("long and short vectors", normal((3, 4), (3, 4), (3, 4), (3, 4), scale=30.0), hidden=True),
        Test("the other way around", _rows([[0, 1], [1, 3]], [[1, 0], [3, 1]], [[1, 0]], [[0, 1]]), hidden=True),
        Test(
            "four words and one",
            _rows([[5, 0], [5, 1], [5, 2], [5, 3]], [[0, 1]], [[1, 0]], [[0, 1]]),
            hidden=True,
        ),
        Test("one word each", normal((1, 4), (1, 4), (2, 4), (3, 4)), hidden=True),
    ),
    wrong=(
        Wrong(
            "",
            "    x, y, a, b = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in sets)\n",
            "",
            why="Products were taken for cosines: a long vector leans more than a short one in the same direction.",
            look="Multiply one vector by 10: nothing may change.",
        ),
        Wrong(
            "",
            "np.linalg.norm(v, axis=1, keepdims=True) for",
            "np.linalg.norm(v) for",
            why="Each set was divided by the length of the whole table, not each vector by its own.",
            look="`axis=1`: the length of a row.",
        ),
        Wrong(
            "unbiased-variance",
            "s.std()",
            "s.std(ddof=1)",
            why="The standard deviation was taken with one less than the number of targets.",
            look="`ddof`.",
        ),
        Wrong(
            "",
            "found / s.std()",
            "found / s[: len(x)].std()",
            why="The standard deviation is over all targets of both sets. Here it was over X alone.",
            look="Over which words s(w) spreads in the statement.",
        ),
        Wrong(
            "",
            "found / s.std()",
            "found",
            why="This is the difference of the means. Divide it by the standard deviation of s over all targets.",
            look="Its unit: d counts standard deviations.",
        ),
        Wrong(
            "",
            "(w @ a.T).mean(axis=1) - (w @ b.T).mean(axis=1)",
            "(w @ a.T).sum(axis=1) - (w @ b.T).sum(axis=1)",
            why="Cosines were added where their mean is asked: the larger set of attributes weighs more.",
            look="Five attributes on one side, two on the other.",
        ),
        Wrong(
            "",
            ">= found - 1e-9",
            "> found + 1e-9",
            why="Choices that lie as far apart were left out, and X itself with them: the p-value can be 0.",
            look="Two words each: one choice of six is X itself.",
        ),
        Wrong(
            "",
            "np.array(apart) >= found - 1e-9",
            "np.abs(apart) >= abs(found) - 1e-9",
            why="Both directions were counted. The test has one side: at least as large as for X, with its sign.",
            look="The other way around: which choices are larger than a negative difference?",
        ),
        Wrong(
            "",
            "np.array(apart) >= found - 1e-9",
            "np.array(apart) <= found + 1e-9",
            why="The choices that lie less far apart were counted.",
            look="A strong association has a small p-value.",
        ),
        Wrong(
            "",
            "itertools.combinations(range(len(s)), len(x))",
            "itertools.combinations(range(len(s)), len(s) // 2)",
            why="Half of the targets were chosen. As many are to be chosen as X has, which may be more or fewer.",
            look="Four targets on one side, two on the other.",
        ),
        Wrong(
            "",
            "    return found / s.std(), p\n",
            "    return -found / s.std(), p\n",
            why="The sign is turned: the mean over Y was taken first.",
            look="Two words each, by hand: X leans to A.",
        ),
    ),
    after="With 8 targets each there are 12,870 choices. With 25 each there are more than 10^14: how many would you draw at random?",
)

AUDIT = Task(
    id="9.8",
    title="Equal opportunity, and weights for it",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="conditional shares, fairness between groups, reweighting",
    statement=r"""
Of people we know the truth $y$, a decision $\hat y$ and the group $g$, each 0 or 1. Write `audit(y, said, g)`. It returns

- the difference in *equal opportunity*, with its sign: $P(\hat y = 1 \mid y = 1, g = 0) - P(\hat y = 1 \mid y = 1, g = 1)$;
- a weight for each person, under which the truth no longer depends on the group (Kamiran and Calders):

$$ w_i = \frac{n(g_i)\; n(y_i)}{n \; n(g_i, y_i)} $$

with $n(\cdot)$ how many people have that group, that truth, or both, and $n$ how many there are.

Each group has people of both truths.
""",
    stub='''
def audit(y, said, g):
    """The equal opportunity difference, and a weight for each person.

    y, said, g: (n,) integers, 0 or 1.
    Returns a float and an array (n,).
    """
    raise NotImplementedError
''',
    solution="""
def audit(y, said, g):
    rates = [said[(g == group) & (y == 1)].mean() for group in (0, 1)]
    w = np.zeros(len(y))
    for group in (0, 1):
        for truth in (0, 1):
            both = (g == group) & (y == truth)
            expected = (g == group).sum() * (y == truth).sum() / len(y)
            w[both] = expected / both.sum()
    return rates[0] - rates[1], w
""",
    name="audit",
    setup="import numpy as np\n",
    hint="""
Equal opportunity only looks at those whose truth is 1: choose them first, then take the mean of their decisions. The weights are four
numbers, one per pair of group and truth.
""",
    derivation=r"""
What stands behind the bar of a conditional probability says who is counted; what stands before it, what is counted of them. So a mask of
$y = 1$ and the group, and the mean of $\hat y$ under it.

If group and truth were independent, $n(g)\, n(y) / n$ people would have both. There are $n(g, y)$. The weight is the one by the other.
With it each group has the weight $\sum_y n(g)\, n(y) / n = n(g)$ as before, and in each group the share of $y = 1$ is $n(y = 1) / n$.
""",
    tests=(
        Test(
            "ten people by hand",
            fixed(
                np.array([1, 1, 1, 0, 0, 1, 1, 0, 0, 0]),
                np.array([1, 1, 0, 1, 1, 1, 0, 0, 0, 0]),
                np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1]),
            ),
        ),
        Test("fifty people", _people(42), points=2),
        Test("hundreds of people", _people(400)),
        Test(
            "the second group is better off",
            fixed(np.array([1, 1, 0, 1, 1, 0, 0]), np.array([0, 1, 0, 1, 1, 1, 0]), np.array([0, 0, 0, 1, 1, 1, 1])),
            hidden=True,
        ),
        Test(
            "group and truth are independent already",
            fixed(np.array([1, 0] * 4), np.array([1, 0, 0, 0, 1, 1, 1, 0]), np.array([0, 0, 1, 1] * 2)),
            hidden=True,
        ),
    ),
    wrong=(
        Wrong(
            "",
            "said[(g == group) & (y == 1)].mean()",
            "y[(g == group) & (said == 1)].mean()",
            why="This is the other conditional: of those who got a yes, the share that deserves it. Asked is the share of yes among "
            "those who deserve it.",
            look="What stands behind the bar: it says who is counted.",
        ),
        Wrong(
            "",
            "said[(g == group) & (y == 1)].mean()",
            "said[g == group].mean()",
            why="All people of the group were counted: that is demographic parity. Equal opportunity counts those whose truth is 1.",
            look="The condition y = 1.",
        ),
        Wrong(
            "",
            "said[(g == group) & (y == 1)].mean()",
            "said[(g == group) & (y == 0)].mean()",
            why="Those whose truth is 0 were counted: this is the difference of the false positive rates.",
            look="The condition y = 1.",
        ),
        Wrong(
            "",
            "said[(g == group) & (y == 1)].mean()",
            "(said == y)[g == group].mean()",
            why="This is the difference of the accuracies. A no to somebody whose truth is 0 counts in it, too.",
            look="Who is counted, and what of them.",
        ),
        Wrong(
            "",
            "said[(g == group) & (y == 1)].mean()",
            "((g == group) & (y == 1) & (said == 1)).mean()",
            why="The shares are of all people, not of those of the group whose truth is 1: a joint probability, not a conditional one.",
            look="What the count is divided by.",
        ),
        Wrong(
            "",
            "rates[0] - rates[1], w",
            "abs(rates[0] - rates[1]), w",
            why="The sign is missing: it says who is better off.",
            look="The second group is better off: a negative number.",
        ),
        Wrong(
            "",
            "rates[0] - rates[1], w",
            "rates[1] - rates[0], w",
            why="Group 0 less group 1 is asked, and this is the other way around.",
            look="The order in the statement.",
        ),
        Wrong(
            "ratio-inverted",
            "expected / both.sum()",
            "both.sum() / expected",
            why="The weight is upside down: what is too frequent becomes more frequent.",
            look="People of a rare pair of group and truth must weigh more than 1.",
        ),
        Wrong(
            "",
            "expected / both.sum()",
            "len(y) / (4 * both.sum())",
            why="With these weights all four pairs weigh the same. That also changes the sizes of the groups, and of the truths.",
            look="The sum of the weights of a group: as many as it has people.",
        ),
        Wrong(
            "",
            "expected / both.sum()",
            "(y == truth).sum() / both.sum()",
            why="The share of the group is missing: the weights of a group sum to n, not to its size.",
            look="The sum of all weights: n.",
        ),
        Wrong(
            "",
            "expected / both.sum()",
            "(g == group).sum() / (len(y) * both.mean())",
            why="The number of people with that truth is missing, in the place of which n stands.",
            look="The formula's numerator: two counts.",
        ),
        Wrong(
            "",
            "both = (g == group) & (y == truth)",
            "both = (g == group) & (said == truth)",
            why="The decision was taken for the truth. Weights are made before anything was learned: there are no decisions yet.",
            look="Which of the arrays the formula of the weights names.",
        ),
    ),
    after="Give the weights to a model that learns the truth. Which difference gets smaller: equal opportunity, or demographic parity?",
)

TASKS = (WEAT, AUDIT)
