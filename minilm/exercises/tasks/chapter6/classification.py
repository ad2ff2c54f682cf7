"""Classification: what a word weighs in a text, and where a filter's line is drawn."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong


def counts(texts: int, words: int) -> Any:
    """How often each word stands in a text, in how many of the texts each is known, and how many these are."""

    def draw(rng: Generator) -> tuple[Any, ...]:
        n = rng.integers(0, 6, (texts, words)) * (rng.random((texts, words)) < 0.5)
        n[:, 0] += 1
        return n, rng.integers(1, 101, words), 100

    return draw


TFIDF = Task(
    id="6.1",
    title="A text as a vector",
    kind="code",
    minutes=20,
    difficulty=1,
    practises="TF-IDF, logarithms, norms of rows",
    statement=r"""
In (6.1.1) a word counts by how often it stands in the text, and by how few texts it stands in. Word $j$ stands $n_{ij}$ times in
text $i$ and in $d_j$ of the $N$ texts of the training part. Before it is divided by its length, the vector of text $i$ has

$$
x_{ij} = \begin{cases} (1 + \ln n_{ij}) \left( 1 + \ln \frac{1 + N}{1 + d_j} \right) & n_{ij} > 0 \\ 0 & n_{ij} = 0 \end{cases}
$$

Write `tfidf(n, d, N)`, the rows divided by their lengths $\lVert x_i \rVert$. A text without a known word keeps the vector 0, and
there is no warning.
""",
    stub='''
def tfidf(n, d, N):
    """The vectors (texts, words), each of length 1, or 0 where no word is known.

    n: (texts, words), how often each word stands in each text.
    d: (words,), in how many of the N texts of the training part.
    """
    raise NotImplementedError
''',
    solution="""
def tfidf(n, d, N):
    often = np.where(n > 0, 1 + np.log(np.maximum(n, 1)), 0)
    x = often * (1 + np.log((1 + N) / (1 + d)))
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(length > 0, length, 1)
""",
    name="tfidf",
    hint="`np.where` computes both of its branches: give the logarithm a number that it likes. A length of 0 may be replaced by any "
    "other number: 0 divided by it is 0.",
    derivation=r"""
The first factor grows slowly: a word that stands there ten times is not ten times as telling as one that stands there once. The
second is 1 for a word of all texts, and $1 + \ln N$ nearly for one of a single text. Dividing by the length makes long and short
texts alike: without it a long mail would have larger scores for every class.
""",
    tests=(
        Test("one text, three words", lambda rng: (np.array([[1, 2, 0]]), np.array([9, 4, 4]), 9)),
        Test("a word of all texts beside a rare one", lambda rng: (np.array([[1, 1], [3, 1]]), np.array([100, 1]), 100)),
        Test("twenty texts", counts(20, 30)),
        Test("a text without a known word", lambda rng: (np.array([[0, 0], [1, 0]]), np.array([5, 5]), 10), hidden=True),
        Test("many texts", counts(60, 200), hidden=True),
    ),
    wrong=(
        Wrong("", "np.where(n > 0, 1 + np.log(np.maximum(n, 1)), 0)", "n",
              why="The counts themselves were taken: a word that stands there ten times counts ten times.",
              look="What is $1 + \\ln 1$? Put a logarithm before the product."),
        Wrong("", "np.where(n > 0, 1 + np.log(np.maximum(n, 1)), 0)", "(1 + np.log(np.maximum(n, 1)))",
              why="Words that are not in the text have a weight: 1 times that of their rarity.",
              look="What is $x_{ij}$ where $n_{ij} = 0$?"),
        Wrong("", "np.where(n > 0, 1 + np.log(np.maximum(n, 1)), 0)", "np.log(1 + n)",
              why="This is $\\ln(1 + n)$, which is 0.69 where a word stands once; the formula has $1 + \\ln n$."),
        Wrong("", "(1 + np.log((1 + N) / (1 + d)))", "(1 + np.log((1 + d) / (1 + N)))",
              why="The ratio is upside down: the words of all texts weigh most."),
        Wrong("", "(1 + np.log((1 + N) / (1 + d)))", "np.log((1 + N) / (1 + d))",
              why="Without the 1 a word of all texts weighs nothing at all."),
        Wrong("", "np.linalg.norm(x, axis=1, keepdims=True)", "np.linalg.norm(x, axis=0, keepdims=True)",
              why="The columns were divided by their lengths; it is the rows that are texts."),
        Wrong("", "np.linalg.norm(x, axis=1, keepdims=True)", "x.sum(axis=1, keepdims=True)",
              why="The rows sum to 1; their length, the root of the sum of squares, is what should be 1."),
    ),
    after="Which words of a spam mail have the largest numbers? Are they the ones by which you would know it?",
)  # fmt: skip


def mails(n: int, ties: bool = False) -> Any:
    """Which of n mails are spam, what a filter says of them, and the share of false alarms that is allowed."""

    def draw(rng: Generator) -> tuple[Any, ...]:
        spam = rng.random(n) < 0.4
        spam[:2] = True, False
        p = 1 / (1 + np.exp(-(rng.standard_normal(n) + 2 * spam - 1)))
        return spam, np.round(p, 1) if ties else p, float(rng.choice([0.0, 0.05, 0.2]))

    return draw


LINE = Task(
    id="6.2",
    title="Where the line is drawn",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="thresholds, false alarms, ties",
    statement=r"""
A filter gives each mail a probability $p_i$ of being spam. Mails with $p_i \ge t$ go to the spam folder. A lost letter costs more
than a spam that comes through, so at most the share $a$ of the wanted mails may go there.

Write `line(spam, p, a)`: the smallest $t$ among the given $p_i$ for which the share of wanted mails with $p_i \ge t$ is at most
$a$. Where no $p_i$ is good enough, return `np.inf`: nothing goes to the folder. Several mails may have one probability; no line
parts them.
""",
    stub='''
def line(spam, p, a):
    """The smallest p[i] at which a line may be drawn, or np.inf.

    spam: (n,) booleans, at least one of them False; p: (n,) probabilities.
    a: the share of wanted mails that may be over the line.
    """
    raise NotImplementedError
''',
    solution="""
def line(spam, p, a):
    wanted = p[~spam]
    allowed = [t for t in p if (wanted >= t).mean() <= a]
    return min(allowed, default=np.inf)
""",
    name="line",
    hint="Try every $p_i$ as the line, and count the wanted mails over it. `min` takes a `default` for an empty list.",
    derivation=r"""
As $t$ grows, fewer wanted mails are over it: the share falls in steps. The smallest $t$ that is allowed finds the most spam. If
several mails have the probability $t$, all of them are over the line, so their wanted ones count. If the highest $p_i$ of all
belongs to wanted mails, and they are more than the share $a$, no $p_i$ is allowed.
""",
    tests=(
        Test("one alarm in four is allowed",
             lambda rng: (np.array([True, False, True, False, False, False]), np.array([0.9, 0.8, 0.7, 0.3, 0.2, 0.1]), 0.25)),
        Test("one in four of the wanted, one in six of all",
             lambda rng: (np.array([True, False, True, False, False, False]), np.array([0.9, 0.8, 0.7, 0.3, 0.2, 0.1]), 0.2)),
        Test("none is allowed", lambda rng: (np.array([True, False, True]), np.array([0.9, 0.6, 0.7]), 0.0)),
        Test("thirty mails", mails(30)),
        Test("equal probabilities", mails(40, ties=True)),
        Test("a wanted mail above all", lambda rng: (np.array([True, False, False]), np.array([0.8, 0.9, 0.1]), 0.0), hidden=True),
        Test("wanted mails alone, of which all may go", lambda rng: (np.array([False, False]), np.array([0.5, 0.4]), 1.0), hidden=True),
        Test("two hundred mails with equal probabilities", mails(200, ties=True), hidden=True),
    ),
    wrong=(
        Wrong("", "(wanted >= t).mean() <= a", "(wanted > t).mean() <= a",
              why="Mails with just the probability $t$ were not counted, but they go to the folder, too.",
              look="Is it $p_i > t$ or $p_i \\ge t$?"),
        Wrong("", "(wanted >= t).mean() <= a", "(wanted >= t).mean() < a",
              why="The share may be $a$ itself: at most, not less.",
              look="What is allowed where $a = 0$?"),
        Wrong("", "(wanted >= t).mean() <= a", "((p >= t) & ~spam).mean() <= a",
              why="The false alarms were divided by all mails; it is a share of the wanted ones."),
        Wrong("", "(wanted >= t).mean() <= a", "(~spam)[p >= t].mean() <= a",
              why="This is the share of wanted mails in the folder, one less the precision; asked for is the share of the wanted mails "
              "that land there."),
        Wrong("", "min(allowed, default=np.inf)", "max(allowed, default=np.inf)",
              why="The largest line is allowed, too, but it finds the least spam."),
        Wrong("", "min(allowed, default=np.inf)", "min(allowed, default=1.0)",
              why="Where no line is allowed, mails with the probability 1 would still go to the folder."),
        Wrong("", "[t for t in p if", "[t for t in p[spam] if",
              why="Only the probabilities of spam were tried: a smaller one of a wanted mail may be allowed."),
    ),
    after="The line was drawn on the mails that it was counted on. What share of alarms do you expect on others: the same, more or less?",
)  # fmt: skip

TASKS = (TFIDF, LINE)
