"""Generation: what was copied, and two models that are better together."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong


def tokens(length: int, known: int, words: int, n: int) -> Any:
    """A sample, a training text, and the length of a run."""

    def draw(rng: Generator) -> tuple[Any, ...]:
        return rng.integers(0, words, length), rng.integers(0, words, known), n

    return draw


def probabilities(n: int, steps: int, better: float = 0.5) -> Any:
    """Of n characters the probabilities by two models, and a number of steps."""

    def draw(rng: Generator) -> tuple[Any, ...]:
        p, q = rng.uniform(0.01, 0.9, n), rng.uniform(0.01, 0.9, n)
        return np.where(rng.random(n) < better, p, p / 10), q, steps

    return draw


COPIED = Task(
    id="6.7",
    title="Written or copied?",
    kind="code",
    minutes=20,
    difficulty=1,
    practises="n-grams, sets, edges",
    statement=r"""
A fluent sample may be a piece of the training text. Count it: the share of the sample's runs of $n$ tokens that stand somewhere in the
training text,

$$
\text{copied}_n = \frac{|\{ t : s_t \dots s_{t + n - 1} \text{ stands in the training text} \}|}{T - n + 1} .
$$

A run that occurs twice in the sample counts twice. Write `copied(sample, training, n)`; NaN where the sample has no run of $n$ tokens.
""",
    stub='''
def copied(sample, training, n):
    """The share of the runs of n tokens of a sample that stand in `training`.

    sample: (T,), training: (N,), integers.
    """
    raise NotImplementedError
''',
    solution="""
def copied(sample, training, n):
    known = set(runs(training, n))
    own = runs(sample, n)
    return sum(run in known for run in own) / len(own) if own else np.nan


def runs(tokens, n):
    return [tuple(tokens[t : t + n]) for t in range(len(tokens) - n + 1)]
""",
    name="copied",
    hint="Lists cannot stand in a set, tuples can. How many runs of $n$ tokens have $T$ tokens?",
    derivation=r"""
$T$ tokens have $T - n + 1$ runs of $n$: the last one begins at $T - n$. With a set each run is looked up at once, and the whole costs
$N + T$ steps instead of $N T$.

Short runs are copied by everybody: of single words nearly all stand in the training text. Long ones tell. A run of text that people wrote
themselves is the measure: 2 % of the runs of 20 characters of the held-out manual stand in the rest of it.
""",
    tests=(
        Test("by hand", lambda rng: (np.array([1, 2, 3, 1, 2]), np.array([9, 1, 2, 9]), 2)),
        Test("single tokens", tokens(8, 5, 6, 1)),
        Test("pairs", tokens(20, 30, 5, 2)),
        Test("the sample is the text", lambda rng: (np.arange(7), np.arange(7), 7)),
        Test("tokens of two digits", lambda rng: (np.array([1, 2, 1]), np.array([11, 2, 12]), 2), hidden=True),
        Test("longer than the sample", tokens(3, 30, 4, 5), hidden=True),
        Test("a short training text", tokens(12, 2, 3, 3), hidden=True),
        Test("a long one", tokens(60, 400, 6, 3), hidden=True),
    ),
    wrong=(
        Wrong("", "range(len(tokens) - n + 1)", "range(len(tokens) - n)",
              why="The last run is missing, in the sample or in the training text.",
              look="The sample is the training text, and $n$ its length."),
        Wrong("", "own = runs(sample, n)", "own = set(runs(sample, n))",
              why="A run that comes twice in the sample was counted once."),
        Wrong("", "sum(run in known for run in own)",
              'sum(" ".join(map(str, r)) in " ".join(map(str, training)) for r in own)',
              why="Runs were looked for as strings of digits, in which 1 2 stands in 11 2.",
              look="Compare tokens, not the digits they are written with."),
        Wrong("", "known = set(runs(training, n))", "known = set(zip(training))",
              why="Single tokens of the training text were taken for its runs."),
        Wrong("", "sum(run in known for run in own) / len(own) if own else np.nan",
              "1 - sum(run in known for run in own) / len(own) if own else np.nan",
              why="This is the novelty: 1 less what was asked for."),
        Wrong("", "if own else np.nan", "if own else 0.0",
              why="A sample without a run has no share: 0 would say that nothing was copied."),
        Wrong("", "sum(run in known for run in own) / len(own) if own else np.nan",
              "sum(run in known for run in own) / len(known) if own else np.nan",
              why="It was divided by the runs of the training text, not by those of the sample."),
    ),
    after="Draw texts from a 5-gram at temperatures 0, 0.7 and 1. Which copies most runs of 20 characters?",
)  # fmt: skip

MIXED = Task(
    id="6.8",
    title="Two models are better together",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="mixtures, expectation and maximization, held-out text",
    statement=r"""
One model gives the characters of a held-out text the probabilities $p_i$, another $q_i$. Their mixture
$\lambda p_i + (1 - \lambda) q_i$ is a model, too. Which $\lambda$ makes the text likeliest?
Jelinek and Mercer (1980) start at $\lambda = \tfrac12$ and repeat

$$
\lambda \leftarrow \frac{1}{N} \sum_{i=1}^{N} \frac{\lambda p_i}{\lambda p_i + (1 - \lambda) q_i} ,
$$

the mean share that the first model has in each character. Write `mixing_weight(p, q, steps)`, which returns $\lambda$ after that many
steps.
""",
    stub='''
def mixing_weight(p, q, steps):
    """The weight of the first model after so many steps from 1/2.

    p, q: (N,) the probabilities of the characters by both models, all positive.
    """
    raise NotImplementedError
''',
    solution="""
def mixing_weight(p, q, steps):
    weight = 0.5
    for _ in range(steps):
        share = weight * p / (weight * p + (1 - weight) * q)
        weight = share.mean()
    return weight
""",
    name="mixing_weight",
    hint="Compute all shares with the old weight, then replace it by their mean.",
    derivation=r"""
Let $L(\lambda) = \sum_i \ln(\lambda p_i + (1 - \lambda) q_i)$. Its derivative is $\sum_i (p_i - q_i) / (\lambda p_i + (1 - \lambda) q_i)$.
With $r_i$ the share, $\sum_i r_i / \lambda - \sum_i (1 - r_i) / (1 - \lambda)$ is the same sum, and it is zero where
$\lambda = \tfrac1N \sum_i r_i$: a fixed point of the step is a maximum, since $L$ is concave. That no step makes $L$ smaller is the
theorem of expectation and maximization (Dempster, Laird and Rubin 1977).

The weight goes to 1 only where the mean of $q_i / p_i$ is at most 1, as the derivative at $\lambda = 1$ says. That the first model is the
better one on the whole is not enough: the other one may help where the first is very wrong. So it is in section 6.4, where half of each
is better than either.
""",
    tests=(
        Test("one step", probabilities(5, 1)),
        Test("no step", probabilities(5, 0)),
        Test("thirty steps", probabilities(40, 30)),
        Test("the first model is better", probabilities(60, 50, 1.0)),
        Test("equal models", lambda rng: (np.full(4, 0.2), np.full(4, 0.2), 7), hidden=True),
        Test("one character", lambda rng: (np.array([0.9]), np.array([0.1]), 3), hidden=True),
        Test("tiny probabilities", lambda rng: (rng.uniform(0, 1e-9, 20), rng.uniform(0, 1e-9, 20), 20), hidden=True),
    ),
    wrong=(
        Wrong("", "share = weight * p / (weight * p + (1 - weight) * q)", "share = p / (p + q)",
              why="The shares do not depend on the weight: after one step nothing changes any more."),
        Wrong("", "share = weight * p / (weight * p + (1 - weight) * q)",
              "share = (1 - weight) * q / (weight * p + (1 - weight) * q)",
              why="This is the other model's share: the weight runs to and fro."),
        Wrong("", "weight = share.mean()", "weight = (weight * p).sum() / (weight * p + (1 - weight) * q).sum()",
              why="Numerators and denominators were added up before the division; asked for is the mean of the shares, one per character."),
        Wrong("", "weight = share.mean()", "weight = share.sum()",
              why="The shares were added, not averaged: a weight above 1 is no weight."),
        Wrong("", "share.mean()", "(share > 0.5).mean()",
              why="Each character was given wholly to the model that has more of it; its share is what counts."),
        Wrong("", "weight = share.mean()",
              "weight = 1 / (1 + np.exp(np.log(q).mean() - np.log(p).mean()))",
              why="The better model got more weight for the whole text; what helps is that each is better somewhere."),
    ),
    after="Mix a 5-gram and a 2-gram of section 6.4 on the validation part. Which weight comes out, and what is it worth on the test part?",
)  # fmt: skip

TASKS: tuple[Task, ...] = (COPIED, MIXED)
