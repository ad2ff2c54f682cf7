"""How good a classifier is in a domain that nobody has labelled: its answers elsewhere, weighted."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter5.given import Inputs, fixed


def _answers(n: int, m: int, shift: float) -> Inputs:
    """Right answers, and the probability of the target's domain, of n texts; m texts of the target were compared with them."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        x = rng.standard_normal(n)
        odds = m / n * np.exp(shift * x - shift**2 / 2)
        return (rng.random(n) < 1 / (1 + np.exp(-x)), odds / (1 + odds), m)

    return inputs


ELSEWHERE = Task(
    id="8.10",
    title="Accuracy in a domain without labels",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="domain shift, density ratios, what a weighted mean is worth",
    statement=r"""
You know which of $n$ texts of the source a sentiment classifier got right. Nobody has labelled a text of the target. But a second
classifier, learned from these $n$ texts and from $m$ of the target, tells for each of the $n$ the probability $g$ that it is of the target.
By formula (8.6.1) a text counts $w = \frac{n}{m} \frac{g}{1 - g}$ times.

Return three numbers:

- the mean of the weights $w$. It should be near 1; where it is not, $g$ is not calibrated;
- the estimate of the accuracy in the target, $\sum_i w_i r_i / \sum_i w_i$, where $r_i$ is 1 for a right answer;
- the number of texts that would tell as much if each counted alike, $(\sum_i w_i)^2 / \sum_i w_i^2$.

A $g$ of 1 would count without end: take at most 0.999.
""",
    stub='''
def elsewhere(right, g, m):
    """The mean weight, the accuracy in the target, the effective number of texts.

    right: (n,) booleans. g: (n,) probabilities of the target's domain.
    m: how many texts of the target there were.
    """
    return 0.0, right.mean(), 0.0
''',
    solution="""
def elsewhere(right, g, m):
    g = np.minimum(g, 0.999)
    w = len(g) / m * g / (1 - g)
    return w.mean(), (w * right).sum() / w.sum(), w.sum() ** 2 / (w**2).sum()
""",
    name="elsewhere",
    setup="import numpy as np\n",
    hint="""
Two texts, g = 0.5 and g = 0.75, with n = m = 2. What do they weigh? Only the second was answered rightly: what is the accuracy?
""",
    derivation=r"""
By Bayes' rule $g = \dfrac{m\, p_T(x)}{m\, p_T(x) + n\, p_S(x)}$, so $\dfrac{g}{1 - g} = \dfrac{m}{n} \dfrac{p_T(x)}{p_S(x)}$, and
$w = p_T / p_S$. Under the source its mean is $\int p_S \frac{p_T}{p_S} = 1$.

In the same way $\mathbb{E}_S[w\, r] = \mathbb{E}_T[r]$: that is the accuracy in the target, if texts that look the same are equally hard
in both. Dividing by the sum of the weights, not by $n$, keeps the estimate between 0 and 1, and takes away what is wrong with their mean.

The variance of a weighted mean of $n$ like numbers is $\sigma^2 \sum w^2 / (\sum w)^2$; of $k$ numbers that count alike it is
$\sigma^2 / k$. So $k = (\sum w)^2 / \sum w^2$.
""",
    tests=(
        Test("two texts by hand", fixed(np.array([False, True]), np.array([0.5, 0.75]), 2)),
        Test("one domain in two names", fixed(np.array([True, False, True, True]), np.full(4, 0.5), 4)),
        Test("a shift", _answers(400, 400, 1.0), points=2),
        Test("more of the target than of the source", _answers(200, 1000, 0.7), hidden=True),
        Test(
            "a text that is surely of the target",
            fixed(np.array([True, False, False]), np.array([1.0, 0.2, 0.4]), 3),
            hidden=True,
        ),
        Test(
            "texts that are surely not", fixed(np.array([True, False, True]), np.array([0.0, 0.0, 0.3]), 6), hidden=True
        ),
    ),
    wrong=(
        Wrong(
            "",
            "g / (1 - g)",
            "(1 - g) / g",
            why="The ratio stands on its head: texts that look least like the target count most.",
            look="Which text should count more, one with g = 0.9 or one with g = 0.1?",
        ),
        Wrong(
            "",
            "len(g) / m * g / (1 - g)",
            "g",
            why="The probability itself was taken as the weight. It is a share of both domains, not the ratio of their densities.",
            look="What a text weighs that looks like nothing but the target: without end, or 1?",
        ),
        Wrong(
            "",
            "len(g) / m * g / (1 - g)",
            "g / (1 - g)",
            why="The factor n / m is missing: with more texts of the target each text of the source seems to be more like it.",
            look="The mean of the weights where both domains are the same and m is twice n.",
        ),
        Wrong(
            "",
            "len(g) / m * g / (1 - g)",
            "m / len(g) * g / (1 - g)",
            why="n and m changed places in the factor.",
            look="Bayes' rule: the odds g / (1 - g) hold m / n already. What takes it away?",
        ),
        Wrong(
            "",
            "(w * right).sum() / w.sum()",
            "(w * right).mean()",
            why="Divided by n, not by the sum of the weights: the answer depends on their mean, and may be above 1.",
            look="The denominator of a weighted mean.",
        ),
        Wrong(
            "",
            "w.sum() ** 2 / (w**2).sum()",
            "w.sum()",
            why="The sum of the weights is about n, however uneven they are.",
            look="The third number where one weight is large and all others are 0: it should be 1.",
        ),
        Wrong(
            "",
            "w.sum() ** 2 / (w**2).sum()",
            "(w**2).sum() / w.sum() ** 2",
            why="This is one divided by the number of texts: the fraction stands on its head.",
            look="The third number for four equal weights.",
        ),
        Wrong(
            "",
            "    g = np.minimum(g, 0.999)\n",
            "",
            why="A text with g = 1 has an infinite weight here.",
            look="The statement's last sentence.",
        ),
    ),
    after="Of this chapter's remedies, importance weights gave nothing. How few texts did they leave, by your third number?",
)

TASKS = (ELSEWHERE,)
