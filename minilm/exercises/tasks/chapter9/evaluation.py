"""Evaluation: a paired interval, and a measure that was averaged over batches."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter5.given import Inputs, fixed


def _answers(n: int, shared: float, draws: int = 400) -> Inputs:
    """Right and wrong answers of two systems that agree on a share of the examples."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        a = rng.random(n) < 0.8
        b = np.where(rng.random(n) < shared, a, rng.random(n) < 0.7)
        return a.astype(float), b.astype(float), int(rng.integers(1000)), draws

    return inputs


PAIRED = Task(
    id="9.5",
    title="The same examples for both",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="the bootstrap, paired comparison, quantiles",
    statement=r"""
Two systems answered the same $n$ questions. `a` and `b`, (n,), are 1 where the one and the other was right. Give the interval of
the difference of their accuracies, $\bar a - \bar b$: draw $n$ of the questions, with replacement, take the difference of the two
accuracies on
*these* questions, and do so `draws` times. The interval is from the 2.5 % quantile of the differences to the 97.5 % quantile.

So that all get the same draws, take exactly
`i = np.random.default_rng(seed).integers(0, n, (draws, n))`: each row holds the numbers of the questions of a draw.
""",
    stub='''
def interval(a, b, seed, draws):
    """The interval of mean(a) - mean(b): an array of two numbers."""
    i = np.random.default_rng(seed).integers(0, len(a), (draws, len(a)))
    raise NotImplementedError
''',
    solution="""
def interval(a, b, seed, draws):
    i = np.random.default_rng(seed).integers(0, len(a), (draws, len(a)))
    differences = a[i].mean(axis=1) - b[i].mean(axis=1)
    return np.quantile(differences, [0.025, 0.975])
""",
    name="interval",
    hint="`a[i]` has a row per draw. Take the means of the rows of `a[i]` and of `b[i]`: the same `i` for both.",
    derivation=r"""
With the same draw for both, the difference is the mean of $a_j - b_j$ over the drawn questions: 0 wherever both were right or both wrong.
Only questions on which the systems disagree move it. Its variance is
$\operatorname{var}(a - b) / n = (\operatorname{var} a + \operatorname{var} b - 2 \operatorname{cov}(a, b)) / n$. Draws
of their own for each system lose the last term, and the interval grows: two systems with nine tenths of their answers in common
look alike though one is better.
""",
    tests=(
        Test("four questions", fixed(np.array([1.0, 1, 1, 0]), np.array([1.0, 0, 0, 0]), 0, 100)),
        Test("no question on which they disagree", fixed(np.array([1.0, 0, 1]), np.array([1.0, 0, 1]), 1, 100)),
        Test("systems that often agree", _answers(60, 0.9), points=2),
        Test("systems that seldom agree", _answers(60, 0.1), hidden=True),
        Test("one question", fixed(np.array([1.0]), np.array([0.0]), 3, 100), hidden=True),
        Test("the second one is better", lambda rng: (lambda a, b, s, d: (b, a, s, d))(*_answers(50, 0.5)(rng)), hidden=True),
    ),
    wrong=(
        Wrong("", "b[i].mean(axis=1)", "b[np.random.default_rng(seed + 1).integers(0, len(a), (draws, len(a)))].mean(axis=1)",
              why="Each system got draws of its own. What makes a question hard for both then no longer cancels, and the interval "
              "is too wide.",
              look="Which questions b is measured on in a draw."),
        Wrong("", "b[i].mean(axis=1)", "b.mean()",
              why="Only the first system was measured on the draws; the second one on all questions, every time.",
              look="What changes from draw to draw."),
        Wrong("wrong-axis", "a[i].mean(axis=1) - b[i].mean(axis=1)", "a[i].mean(axis=0) - b[i].mean(axis=0)",
              why="The means were taken over the draws. A draw is a row of i, and each needs its own mean.",
              look="How many differences there are: one per draw."),
        Wrong("", "a[i].mean(axis=1) - b[i].mean(axis=1)", "b[i].mean(axis=1) - a[i].mean(axis=1)",
              why="This is the second system minus the first.", look="The sign, where a is better."),
        Wrong("", "[0.025, 0.975]", "[0.05, 0.95]",
              why="Between these quantiles lie 90 % of the differences. 95 % leave 2.5 % on each side.",
              look="What is left out on each side."),
        Wrong("", "np.quantile(differences, [0.025, 0.975])", "np.array([differences.min(), differences.max()])",
              why="These are the smallest and the largest difference of all draws: they grow with the number of draws.",
              look="`np.quantile`."),
        Wrong("", "return np.quantile(differences, [0.025, 0.975])", "ends = [0.025, 0.975]\n"
              "    return (np.quantile(a[i].mean(axis=1), ends)\n"
              "            - np.quantile(b[i].mean(axis=1), ends))",
              why="Two intervals were subtracted. The interval of a difference is that of the differences, draw by draw.",
              look="In which order to subtract and to take quantiles."),
        Wrong("", "differences, [0.025, 0.975]", "np.abs(differences), [0.025, 0.975]",
              why="The sign of the differences was lost: an interval of absolute values never holds a negative number.",
              look="Systems that are equally good."),
    ),
    after="Count on how many questions the two disagree, and who is right there. Which test of statistics is that? (McNemar 1947)",
)  # fmt: skip


def _batches(sizes: tuple[int, ...], share: float) -> Inputs:
    """Truth and answers, in batches; a positive is as rare as `share`."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        batches = []
        for n in sizes:
            truth = rng.random(n) < share
            batches.append((truth, np.where(rng.random(n) < 0.7, truth, rng.random(n) < share)))
        return (batches,)

    return inputs


def _one(truth: list[int], answers: list[int]) -> Inputs:
    return fixed([(np.array(truth, bool), np.array(answers, bool))])


F1_OF_BATCHES = Task(
    id="9.6",
    title="The F1 that fell with the batch size",
    kind="find the bug",
    minutes=10,
    difficulty=1,
    practises="F1, what may be averaged",
    statement=r"""
`f1(batches)` evaluates a spam filter, batch by batch: each batch is `(truth, answers)`, two boolean arrays, true for spam. Somebody has
noticed that the same model on the same messages has another F1 when the batches are smaller. It should not: F1 is

$$
F_1 = \frac{2 \cdot \text{hits}}{\text{said} + \text{there}}
$$

with the spam that was found, what was called spam, and what is spam, in *all* messages. Where none is and none was called spam, F1 is 0
here. Find the bug, and mend it.
""",
    solution="""
def f1(batches):
    hits = said = there = 0
    for truth, answers in batches:
        hits += np.sum(truth & answers)
        said += np.sum(answers)
        there += np.sum(truth)
    return float(2 * hits / (said + there)) if said + there else 0.0
""",
    name="f1",
    hint="Two batches: in the first one of one spam is found, in the second none of nine. What is F1 of the ten, and what does the "
    "code say?",
    derivation=r"""
A mean of ratios is no ratio of sums: $\frac{1}{2}\left(\frac{a}{b} + \frac{c}{d}\right) \ne \frac{a + c}{b + d}$ unless $b = d$. Accuracy
forgives it, where batches are
equally long, since its denominators are the batch sizes. The denominators of F1, precision and recall are counts that differ from batch
to batch, and a batch without spam adds a 0. So add up counts, and divide once. The same holds for BLEU (its $n$-gram counts) and for the
perplexity (nats and tokens), but not for a loss per example.
""",
    tests=(
        Test("one batch", _one([1, 1, 0, 0], [1, 0, 1, 0])),
        Test("two batches", fixed([(np.array([True]), np.array([True])), (np.ones(9, bool), np.zeros(9, bool))])),
        Test("a batch without spam", fixed([(np.array([True, False]), np.array([True, False])), (np.zeros(3, bool), np.zeros(3, bool))])),
        Test("no spam at all", _one([0, 0], [0, 0])),
        Test("rare spam in small batches", _batches((4,) * 25, 0.2), points=2),
        Test("no batch", fixed([]), hidden=True),
        Test("batches of different lengths", _batches((3, 50, 7, 40), 0.4), hidden=True),
    ),
    wrong=(
        Wrong("mean-of-means",
              "    hits = said = there = 0\n    for truth, answers in batches:\n        hits += np.sum(truth & answers)\n"
              "        said += np.sum(answers)\n        there += np.sum(truth)\n"
              "    return float(2 * hits / (said + there)) if said + there else 0.0\n",
              "    found = []\n    for truth, answers in batches:\n        hits = np.sum(truth & answers)\n"
              "        both = np.sum(answers) + np.sum(truth)\n        found.append(2 * hits / both if both else 0.0)\n"
              "    return float(np.mean(found)) if found else 0.0\n",
              why="The F1 of each batch was taken, and then their mean. A small batch, or one without spam, counts as much as any other.",
              look="Add up the counts over all batches, and divide once, at the end."),
        Wrong("", "float(2 * hits / (said + there)) if said + there", "float(hits / (said + there)) if said + there",
              why="The factor 2 is missing: a perfect filter would have an F1 of a half.", look="hits = said = there."),
        Wrong("", "float(2 * hits / (said + there)) if said + there", "float(hits / said) if said",
              why="This is the precision: what is missed costs nothing.", look="The spam that was not found."),
        Wrong("", "float(2 * hits / (said + there)) if said + there", "float(hits / there) if there",
              why="This is the recall: a false alarm costs nothing.", look="Messages that were called spam and are none."),
        Wrong("", "hits += np.sum(truth & answers)", "hits += np.sum(truth == answers)",
              why="What is right about messages that are no spam was counted as found spam.", look="What hits counts."),
        Wrong("", "hits += np.sum(truth & answers)", "hits = np.sum(truth & answers)",
              why="Only the last batch's hits are left: they were replaced, not added up.", look="`=` and `+=`."),
        Wrong("", " if said + there else 0.0", "",
              why="Where there is no spam and none was called so, this is 0 / 0.", look="The last sentence of the statement."),
        Wrong("", "float(2 * hits / (said + there)) if", "float(np.mean([\n        2 * np.sum(t & a) / (np.sum(t) + np.sum(a))"
              "\n        for t, a in batches if np.any(t | a)\n    ])) if",
              why="Batches without spam were left out, but it is still a mean of the batches' F1s.", look="The second test by hand."),
    ),
    after="Do the same for BLEU: what would you add up?",
)  # fmt: skip

TASKS = (PAIRED, F1_OF_BATCHES)
