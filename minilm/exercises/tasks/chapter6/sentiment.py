"""Sentiment: what a word weighs by its counts, and a largest answer that padding must not give."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong


def counts(n: int, low: int = 0) -> Any:
    """Counts of n words in favorable and in unfavorable texts, with a smoothing."""

    def draw(rng: Generator) -> tuple[Any, ...]:
        return rng.integers(low, 9, n), rng.integers(low, 9, n), float(rng.choice([0.5, 1.0, 2.0]))

    return draw


WEIGHT_OF_A_WORD = Task(
    id="6.15",
    title="What a word weighs",
    kind="code",
    minutes=20,
    difficulty=1,
    practises="log-count ratios, the features of NBSVM",
    statement=r"""
Before anything is learned, counts tell what a word says (Wang and Manning 2012). Word $j$ stands in $p_j$ favorable and in $q_j$
unfavorable texts; $\alpha$ is added to each count. Its weight is

$$
r_j = \ln \frac{(p_j + \alpha) / \sum_k (p_k + \alpha)}{(q_j + \alpha) / \sum_k (q_k + \alpha)} .
$$

Write `log_ratio(p, q, alpha)`. What is the weight of a word that nobody used?
""",
    stub='''
def log_ratio(p, q, alpha):
    """The weight r of each word, (V,).

    p, q: (V,) in how many favorable and in how many unfavorable texts it stands.
    alpha: what is added to each count.
    """
    raise NotImplementedError
''',
    solution="""
def log_ratio(p, q, alpha):
    p, q = p + alpha, q + alpha
    return np.log(p / p.sum()) - np.log(q / q.sum())
""",
    name="log_ratio",
    hint="Add first, then divide by the sum of what you have now. The logarithm of a quotient is a difference.",
    derivation=r"""
$r_j = \ln (p_j + \alpha) - \ln (q_j + \alpha) - \ln \sum_k (p_k + \alpha) + \ln \sum_k (q_k + \alpha)$. The last two terms are the same
for all words: they make up for one kind of text being longer or more frequent. A word that nobody used has only these: 0 where both
kinds of text have as many words. Without $\alpha$ a word that was seen on one side only would weigh infinitely much, on the evidence of
one text.
""",
    tests=(
        Test("a good word, a bad one, and one that says nothing", lambda rng: (np.array([3, 0, 2]), np.array([0, 3, 2]), 1.0)),
        Test("more favorable texts", lambda rng: (np.array([8, 4]), np.array([2, 1]), 1.0)),
        Test("twenty words", counts(20)),
        Test("words that nobody used", lambda rng: (np.array([0, 5, 0]), np.array([0, 1, 0]), 0.5), hidden=True),
        Test("many words", counts(500), hidden=True),
    ),
    wrong=(
        Wrong("", "p, q = p + alpha, q + alpha", "p, q = p + 1e-12, q + 1e-12",
              why="Nothing was added: a word that stands on one side only weighs beyond all measure.",
              look="What is $r$ where $q_j = 0$?"),
        Wrong("", "p, q = p + alpha, q + alpha\n    return np.log(p / p.sum()) - np.log(q / q.sum())",
              "p, q = p / p.sum() + alpha, q / q.sum() + alpha\n    return np.log(p) - np.log(q)",
              why="Alpha was added to the shares; it is added to the counts, before they are divided.",
              look="How large are shares beside $\\alpha$?"),
        Wrong("", "np.log(p / p.sum()) - np.log(q / q.sum())", "np.log(p) - np.log(q)",
              why="The counts were not divided by their sums: where there are more favorable texts, all words look favorable.",
              look="Double all $p$ and $q$ stays as it is: should the weights change much?"),
        Wrong("", "np.log(p / p.sum()) - np.log(q / q.sum())", "np.log(q / q.sum()) - np.log(p / p.sum())",
              why="The sign is turned: good words weigh less than 0."),
        Wrong("", "np.log(p / p.sum()) - np.log(q / q.sum())", "np.log((p / p.sum()) / (p / p.sum() + q / q.sum()))",
              why="This is the logarithm of a share, which is never above 0; what is asked for is that of a ratio."),
        Wrong("", "p, q = p + alpha, q + alpha\n    return np.log(p / p.sum()) - np.log(q / q.sum())",
              "return np.log((p + alpha) / p.sum()) - np.log((q + alpha) / q.sum())",
              why="The sums are those of the counts before anything was added: the shares do not sum to 1.",
              look="What is $\\sum_k (p_k + \\alpha)$?"),
    ),
    after="Sort the runs of two characters of the reviews by their weight. Where does 不错 stand, and where 不 and 错?",
)  # fmt: skip

LARGEST_ANSWER = Task(
    id="6.16",
    title="A largest answer that padding must not give",
    kind="write the test",
    minutes=20,
    difficulty=2,
    practises="testing that a text's result does not depend on its neighbors in the batch",
    statement=r"""
In (6.8.1) each filter keeps its largest answer anywhere in the text. In a batch, short texts are filled up with zeros, and a filter
answers to zeros too: with $\operatorname{relu}(c)$. If that is larger than all that the text gives, the text's result depends on the
longest text beside it.

`test_largest(largest)` is given a function `largest(e, lengths, u, c)` of texts `e` `(B, T, d)`, which are zero from `lengths` `(B,)`
on, one filter `u` `(k, d)` and its bias `c`; it returns `(B,)`, the largest $\operatorname{relu}(c + \sum_i u_i \cdot e_{t + i})$ over the
windows that lie inside the text (each text has at least `k` places). The test passes the right function and raises `AssertionError` for
each of several wrong ones.
""",
    stub='''
def test_largest(largest):
    """Raises AssertionError where the result is not that of the text alone."""
    rng = np.random.default_rng(0)
    e = rng.standard_normal((1, 5, 3))
    u, c = rng.standard_normal((2, 3)), 0.5
    y = largest(e, np.array([5]), u, c)
''',
    subject="""
def largest(e, lengths, u, c):
    k, T = len(u), e.shape[1]
    windows = np.stack([e[:, t : t + k] for t in range(T - k + 1)], axis=1)
    answers = np.maximum((windows * u).sum(axis=(2, 3)) + c, 0)
    inside = np.arange(T - k + 1) < (lengths - k + 1)[:, None]
    return np.where(inside, answers, 0).max(axis=1)
""",
    solution="""
def test_largest(largest):
    rng = np.random.default_rng(0)
    for c in (-0.5, 0.5, 3.0):
        for _ in range(20):
            lengths = np.array([3, 7, 5])
            inside = np.arange(7) < lengths[:, None]
            e = rng.standard_normal((3, 7, 2)) * inside[:, :, None]
            u = rng.standard_normal((3, 2))
            y = largest(e, lengths, u, c)
            assert np.shape(y) == (3,)
            for b, n in enumerate(lengths):
                one = [(e[b, t : t + 3] * u).sum() + c for t in range(n - 2)]
                assert np.isclose(y[b], max(0, *one)), "not that of the text alone"
""",
    name="test_largest",
    hint="Compute each text by a plain loop, without its neighbors. With which sign of `c` does padding give the largest answer?",
    derivation=r"""
A window that lies in the padding wholly has the answer $\operatorname{relu}(c)$, which is above 0 only where $c > 0$. It is the largest
only if all windows of the text have $\sum_i u_i \cdot e_{t + i} < 0$; so short texts, several draws and a positive bias are needed.
Windows that lie half in the padding have other answers than any window of the text; a text that ends in the middle of the batch's
longest one shows these.
""",
    wrong=(
        Wrong("", "np.where(inside, answers, 0).max(axis=1)", "answers.max(axis=1)",
              why="All windows count, those of the padding too."),
        Wrong("", "(lengths - k + 1)[:, None]", "lengths[:, None]", why="Windows that lie half in the padding count."),
        Wrong("", "(lengths - k + 1)[:, None]", "(lengths - k)[:, None]", why="The last window of each text is left out."),
        Wrong("", "np.where(inside, answers, 0).max(axis=1)", "np.where(inside, answers, 0).mean(axis=1)",
              why="It is the mean, and that of all places."),
        Wrong("", "np.maximum((windows * u).sum(axis=(2, 3)) + c, 0)", "np.maximum((windows * u).sum(axis=(2, 3)), 0) + c",
              why="The bias is added after the relu."),
        Wrong("", "np.where(inside, answers, 0).max(axis=1)", "np.where(inside, answers, 0)[:, : lengths.min() - k + 1].max(axis=1)",
              why="All texts are cut to the shortest one."),
    ),
    after="Why is 0 a safe number to put where no window is? Would it be, without the relu?",
)  # fmt: skip

TASKS: tuple[Task, ...] = (WEIGHT_OF_A_WORD, LARGEST_ANSWER)
