"""Counting: bigrams, smoothing, Kneser and Ney, drawing from a model."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong


def text(*ids: int, rest: tuple[Any, ...] = ()) -> Any:
    """A text of these ids; the size of the vocabulary is the largest, and one."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        return (np.array(ids), max(ids) + 1, *rest)

    return inputs


def random_text(length: int, V: int, rest: tuple[Any, ...] = (), closed: bool = False) -> Any:
    """A text in which small ids are frequent, so that pairs occur more than once; closed: it ends as it begins."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        ids = np.minimum(rng.geometric(0.4, length) - 1, V - 1)
        ids[:4] = 0, 1, 0, 1
        if closed:
            ids[-1] = ids[0]
        return (ids, V, *rest)

    return inputs


TWO_DIRECTIONS = Task(
    id="1.2",
    title="The chain rule backward",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="counting pairs, perplexity",
    statement=r"""
The chain rule may be read from right to left: $P(a, b) = P(b) P(a \mid b)$. Write `two_perplexities(ids, V)`: train a bigram that
predicts each token from the one before, and a second that predicts it from the one *after*, both by counting; return their perplexities
on the same text. The first token has none before it and the last none after, so each model predicts all tokens but one.

For the ids $0, 0, 1$ the results are $2$ and $1$.

Then show that a text which begins and ends with the same token has the same perplexity both ways.
""",
    stub='''
def two_perplexities(ids, V):
    """The perplexities of the forward and of the backward bigram: two floats.

    ids: (T,), integers below V.
    """
    raise NotImplementedError
''',
    solution="""
def two_perplexities(ids, V):
    previous, following = ids[:-1], ids[1:]
    N = np.zeros((V, V))
    np.add.at(N, (previous, following), 1)
    forward = N[previous, following] / N.sum(axis=1)[previous]
    backward = N[previous, following] / N.sum(axis=0)[following]
    return perplexity(forward), perplexity(backward)


def perplexity(p):
    return float(np.exp(-np.mean(np.log(p))))
""",
    name="two_perplexities",
    hint="Which counts does each model need? In the matrix of counts one divides by sums of rows, the other by sums of columns.",
    derivation=r"""
Forward, the log-likelihood is $\sum_{ij} N_{ij} \ln (N_{ij} / N_{i\cdot})$, backward
$\sum_{ij} N_{ij} \ln (N_{ij} / N_{\cdot j})$. They differ by
$\sum_j N_{\cdot j} \ln N_{\cdot j} - \sum_i N_{i\cdot} \ln N_{i\cdot}$. A token's row and column sums are how often it occurs as first
and as second of a pair; these are equal for all tokens if the text begins and ends with the same one.
""",
    tests=(
        Test("0, 0, 1", text(0, 0, 1)),
        Test("one pair twice", text(0, 1, 0, 1, 2)),
        Test("a text that ends as it begins", random_text(30, 4, closed=True), points=2),
        Test("a text that does not", text(2, 0, 1, 0, 1, 1, 0, 3, 0, 1, 4, 2, 4), points=2, hidden=True),
    ),
    wrong=(
        Wrong(
            "fancy-index-adds-once",
            "np.add.at(N, (previous, following), 1)",
            "N[previous, following] += 1",
        ),
        Wrong(
            "wrong-axis",
            "N.sum(axis=0)[following]",
            "N.sum(axis=1)[following]",
            why="The backward model was divided by how often a token comes first in a pair; it needs how often it comes second.",
        ),
        Wrong(
            "",
            "N.sum(axis=0)[following]",
            "N.sum(axis=1)[previous]",
            why="Both models divide by the same sums, so they are the same model.",
            look="What the backward model is given: the second token of the pair.",
        ),
        Wrong(
            "cross-entropy-sign",
            "np.exp(-np.mean(np.log(p)))",
            "np.exp(np.mean(np.log(p)))",
            why="The sign of the mean logarithm was kept, so the result is one over the perplexity, below 1.",
        ),
        Wrong("sum-for-mean", "np.mean(np.log(p))", "np.sum(np.log(p))"),
        Wrong(
            "wrong-axis",
            "N.sum(axis=0)[following]",
            "np.maximum(N.sum(axis=1), 1)[following]",
            why="The backward model divides by how often a token is followed by one. It must divide by how often it is preceded by one.",
            look="Rows and columns of the counts: which one belongs to a token that comes after.",
        ),
    ),
    after="Which of the two models would you use to complete a line whose last word is given?",
)


def counts_and_row(V: int, zeros: int) -> Any:
    def inputs(rng: Generator) -> tuple[Any, ...]:
        counts = rng.integers(1, 9, V).astype(float)
        counts[:zeros] = 0
        row = rng.dirichlet(np.ones(V))
        return counts, row

    return inputs


GAP = Task(
    id="1.3",
    title="No model beats the text's own shares",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="maximum likelihood, Kullback-Leibler divergence",
    statement=r"""
A token was followed `counts[j]` times by token `j`. Write `gap(counts, row)`: by how many nats is the log-likelihood of these pairs
larger with the counts' own shares than with the probabilities `row`? Tokens that never followed count for nothing, whatever `row` gives
them.

For counts $3, 1$ and row $\frac12, \frac12$ it is $3 \ln \frac32 + \ln \frac12 = 0.523$.

Then show that the gap is never negative. (Try 1,000 rows from `rng.dirichlet`, and rows near the best one.)
""",
    stub='''
def gap(counts, row):
    """How much log-likelihood is lost by predicting with `row`: a float, in nats.

    counts: (V,), how often each token followed, some of them 0. row: (V,),
    positive, sums to one.
    """
    raise NotImplementedError
''',
    solution="""
def gap(counts, row):
    occurs = counts > 0
    n, q = counts[occurs], row[occurs]
    share = n / n.sum()
    return float((n * np.log(share / q)).sum())
""",
    name="gap",
    hint="Write the two log-likelihoods and subtract. What is $0 \\ln 0$ for a computer, and what should it be here?",
    derivation=r"""
With shares $p_j = N_j / n$ and another row $q$,
$\sum_j N_j \ln p_j - \sum_j N_j \ln q_j$ is $n \sum_j p_j \ln (p_j / q_j)$, which is $n$ times the Kullback-Leibler divergence. Since
$\ln u \le u - 1$, $\sum_j p_j \ln (q_j / p_j) \le \sum_j (q_j - p_j) \le 0$, so the gap is never negative.
""",
    tests=(
        Test("3 and 1 against a coin", lambda rng: (np.array([3.0, 1.0]), np.array([0.5, 0.5]))),
        Test("five tokens, all seen", counts_and_row(5, 0), points=2),
        Test("tokens that never followed", counts_and_row(6, 3), points=2),
        Test("one token only", lambda rng: (np.array([0.0, 4.0, 0.0]), np.array([0.2, 0.3, 0.5])), hidden=True),
    ),
    wrong=(
        Wrong("log-of-zero", "occurs = counts > 0", "occurs = counts >= 0"),
        Wrong(
            "mean-for-sum",
            "(n * np.log(share / q))",
            "(share * np.log(share / q))",
            why="This is the divergence, the loss per pair. The pairs are counted: each of them adds its own.",
        ),
        Wrong(
            "",
            "(n * np.log(share / q))",
            "(n.sum() * q * np.log(q / share))",
            why="The divergence was taken the other way round, from row to shares. The text's own frequencies weigh the logarithms.",
            look="Which of the two distributions stands before the logarithm.",
        ),
        Wrong(
            "cross-entropy-log-base-two",
            "np.log(share / q)",
            "np.log2(share / q)",
        ),
        Wrong(
            "",
            "np.log(share / q)",
            "np.log(share / (q / q.sum()))",
            why="The row was made to sum to one over the seen tokens. But a model that keeps probability for the others pays for it.",
            look="The tokens that never followed: `row` stays as it is.",
        ),
        Wrong(
            "",
            "np.log(share / q)",
            "np.log(q / share)",
            why="The sign is turned: the counts' own shares are the better prediction, so the gap is not negative.",
            look="Which of the two is subtracted.",
        ),
    ),
    after="How large is the gap, per pair, for a row smoothed by adding one? With exercise 1.10 you can say it for the poem.",
)

ADD_ONE = Task(
    id="1.10",
    title="Add-one smoothing",
    kind="code",
    minutes=20,
    difficulty=1,
    practises="counts, smoothing, rows of probabilities",
    statement=r"""
By (1.3) a pair that the text does not hold gets probability 0. Write `smoothed(ids, V, alpha)`: pretend that each of the $V^2$ pairs
occurred $\alpha$ times more than it did, and return the matrix of probabilities, $A_{ij} = P(j \mid i)$.

For ids $0, 1, 0, 1, 1$ with $V = 2$ and $\alpha = 1$ the counts are
$N = \bigl(\begin{smallmatrix} 0 & 2 \\ 1 & 1 \end{smallmatrix}\bigr)$, so the first
row is $\frac14, \frac34$. No loop is needed.
""",
    stub='''
def smoothed(ids, V, alpha):
    """The probabilities of a bigram with alpha added to each count: (V, V), rows
    sum to one.

    ids: (T,), integers below V, some of which may not occur. alpha: positive.
    """
    raise NotImplementedError
''',
    solution="""
def smoothed(ids, V, alpha):
    N = np.zeros((V, V))
    np.add.at(N, (ids[:-1], ids[1:]), 1)
    return (N + alpha) / (N.sum(axis=1, keepdims=True) + alpha * V)
""",
    name="smoothed",
    hint="If each of the numbers in a row grows by alpha, by how much does their sum grow?",
    derivation=r"""
With $N_{ij} + \alpha$ in place of $N_{ij}$, (1.3) becomes
$A_{ij} = (N_{ij} + \alpha) / (N_{i\cdot} + \alpha V)$. A token that never stood
first has $N_{i\cdot} = 0$ and a row of $1/V$: nothing is known, so all are alike. The row is a mixture of the shares and of that even
row, with weights $N_{i\cdot}$ and $\alpha V$.
""",
    tests=(
        Test("the example", lambda rng: (np.array([0, 1, 0, 1, 1]), 2, 1)),
        Test("a text", random_text(25, 5, (1,)), points=2, labels={"the vocabulary": 5}),
        Test("a token that never stands first", lambda rng: (np.array([2, 0, 0, 2, 3]), 4, 1), points=2),
        Test("alpha = 0.1", random_text(40, 6, (0.1,)), hidden=True, labels={"the vocabulary": 6}),
    ),
    wrong=(
        Wrong("smoothing-adds-to-numerator-only", " + alpha * V)", ")"),
        Wrong("smoothing-vocabulary-missing", "alpha * V", "alpha"),
        Wrong("fancy-index-adds-once", "np.add.at(N, (ids[:-1], ids[1:]), 1)", "N[ids[:-1], ids[1:]] += 1"),
        Wrong("transposed-result", "(ids[:-1], ids[1:])", "(ids[1:], ids[:-1])"),
        Wrong("argument-ignored", "    N = np.zeros((V, V))", "    N, alpha = np.zeros((V, V)), 1"),
        Wrong(
            "",
            "alpha * V)",
            "alpha * (N > 0).sum(axis=1, keepdims=True))",
            why="The sum of a row was raised for the seen tokens only, but alpha went to all V of them.",
            look="How many numbers in a row grew by alpha.",
        ),
        Wrong(
            "wrong-axis",
            "N.sum(axis=1, keepdims=True)",
            "N.sum(axis=0, keepdims=True)",
            why="Columns were summed: how often a token follows, where it must be how often it stands first.",
            look="Which axis of N is the first token.",
        ),
        Wrong(
            "keepdims-forgotten",
            "N.sum(axis=1, keepdims=True)",
            "N.sum(axis=1)",
        ),
        Wrong(
            "",
            "(N.sum(axis=1, keepdims=True) + alpha * V)",
            "(N.sum() + alpha * V**2)",
            why="These are probabilities of pairs, P(i, j): all V² of them sum to one. Asked for is P(j | i), where each row does.",
            look="What the rows of the result sum to.",
        ),
    ),
    after="For which alpha is the perplexity on lines that were not counted lowest? (Far below 1.)",
)

KNESER_NEY = Task(
    id="1.11",
    title="Trigrams by Kneser and Ney",
    kind="code",
    minutes=40,
    difficulty=3,
    practises="discounts, continuation counts, interpolation",
    statement=r"""
Write `kneser_ney(ids, V, d)`: `P[a, b, c]` is the probability of $c$ after $a, b$. Each of three levels takes $d$ off each of its counts
(none falls below 0) and gives what it took to the level beneath:

$$P(c \mid h) = \frac{\max(n_{hc} - d, 0)}{n_{h\cdot}} + \frac{\text{taken}_h}{n_{h\cdot}} \, P_{\text{beneath}}(c)$$

The counts: of trigrams, how often $abc$ occurs; of pairs, after how many *different* $a$ the pair $bc$ occurs; of words, after how many
different $b$ the pair $bc$ does. Beneath the words all are alike, $1/V$. A context that never occurred leaves all to the level
beneath. Each row sums to one.
""",
    stub='''
def kneser_ney(ids, V, d):
    """Interpolated Kneser-Ney: (V, V, V), P[a, b, c] = P(c | a, b).

    ids: (T,), integers below V. d: the discount, not negative.
    """
    raise NotImplementedError
''',
    solution="""
def kneser_ney(ids, V, d):
    trigrams = np.zeros((V, V, V))
    np.add.at(trigrams, (ids[:-2], ids[1:-1], ids[2:]), 1)
    pairs = (trigrams > 0).sum(axis=0)  # so many words stood before (b, c)
    words = (pairs > 0).sum(axis=0)
    even = np.full(V, 1 / V)
    return level(trigrams, d, level(pairs, d, level(words, d, even)))


def level(counts, d, beneath):
    total = counts.sum(axis=-1, keepdims=True)
    kept = np.maximum(counts - d, 0)
    taken = total - kept.sum(axis=-1, keepdims=True)
    mixed = (kept + taken * beneath) / np.maximum(total, 1)
    return np.where(total > 0, mixed, beneath)
""",
    name="kneser_ney",
    hint="One function serves all three levels, if its last axis is the word and `beneath` is broadcast to the left.",
    derivation=r"""
A row sums to one at each level: $\sum_c \max(n_{hc} - d, 0) + \text{taken}_h = n_{h\cdot}$, and the level beneath sums to one by
induction, down to $V \cdot \frac1V$.

Why different contexts and not occurrences? "Francisco" may be frequent, but it stands after "San" only. Where the trigram knows
nothing, it asks the level beneath: *which word turns up in new company?* A frequent word with one companion is a bad guess there, and
its continuation count, 1, says so.

As arrays: the count of pairs is the number of non-zero cells of the trigrams along the axis of $a$, that of words the number of
non-zero pairs along $b$. A level with the shape $(\dots, V)$ takes the one beneath with one axis less, which broadcasting puts in
front.
""",
    tests=(
        Test("0, 1, 2 and again", text(0, 1, 2, 0, 1, 2, rest=(0.5,))),
        Test("a text", random_text(40, 4, (0.75,)), points=2),
        Test(
            "each row sums to one",
            random_text(30, 5, (0.75,)),
            use=lambda answer, *x: answer(*x).sum(axis=-1),
            call="kneser_ney(...).sum(axis=-1)",
        ),
        Test(
            "a context that never occurred",
            text(0, 1, 0, 1, 3, rest=(0.5,)),
            use=lambda answer, *x: answer(*x)[2, 2],
            call="kneser_ney(...)[2, 2]",
        ),
        Test("a discount above 1", random_text(40, 4, (1.5,)), hidden=True),
        Test("without a discount", random_text(25, 3, (0.0,)), hidden=True),
    ),
    wrong=(
        Wrong("kneser-ney-raw-counts-for-continuation", "(trigrams > 0).sum(axis=0)", "trigrams.sum(axis=0)"),
        Wrong("kneser-ney-mass-not-returned", "(kept + taken * beneath)", "kept"),
        Wrong("discount-not-clipped", "np.maximum(counts - d, 0)", "counts - d"),
        Wrong(
            "backoff-without-weight",
            "np.where(total > 0, mixed, beneath)",
            "np.where(kept > 0, kept / np.maximum(total, 1), beneath)",
        ),
        Wrong(
            "wrong-axis",
            "(pairs > 0).sum(axis=0)",
            "(pairs > 0).sum(axis=1)",
            why="For a word this counts the different words *after* it. A continuation count asks what stands before.",
        ),
        Wrong(
            "",
            "np.where(total > 0, mixed, beneath)",
            "mixed",
            why="A context that never occurred got a row of zeros: there was nothing to take, so nothing came from beneath.",
            look="Rows whose counts are all zero.",
        ),
        Wrong(
            "kneser-ney-raw-counts-for-continuation",
            "pairs = (trigrams > 0).sum(axis=0)  # so many words stood before (b, c)\n    words = (pairs > 0).sum(axis=0)",
            "pairs = np.zeros((V, V))\n    np.add.at(pairs, (ids[:-1], ids[1:]), 1)\n    words = np.bincount(ids, minlength=V)",
            why=(
                "The lower levels count how often pairs and words occur in the text. They must count after how many "
                "different words they do."
            ),
            look="Where `pairs` comes from: not from the ids, but from the trigrams that occur.",
        ),
        Wrong(
            "kneser-ney-raw-counts-for-continuation",
            "(pairs > 0).sum(axis=0)",
            "pairs.sum(axis=0)",
            why="A word was counted once for each pair of words before it. It counts after how many different single words it stands.",
            look="The lowest level: which pairs bc are different.",
        ),
    ),
    after="Give each level a discount of its own, chosen on lines that were not counted.",
)


def rows_of(V: int, length: int) -> Any:
    """A bigram model, a first token, a length, and a generator."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        A = rng.dirichlet(np.ones(V), V)
        return A, int(rng.integers(V)), length, np.random.default_rng(rng.integers(2**32))

    return inputs


def shares(answer: Any, A: Any, first: int, length: int, rng: Generator) -> Any:
    """How often each token was drawn."""
    return np.bincount(answer(A, first, length, rng), minlength=len(A))


GENERATOR = Task(
    id="1.15",
    title="A generator with a favorite",
    kind="find the bug",
    minutes=10,
    difficulty=1,
    practises="drawing from a distribution",
    statement=r"""
`generate` writes a text with a bigram model: it takes the row of the last token and draws the next one, with one random number each.
It runs, every token is one of the vocabulary, and each run gives another text. But with 50 tokens that are all equally likely it writes
only token 0, and on the poem one word makes up most of the text, though the matrix is right.

Find the bug and mend it.
""",
    solution='''
def generate(A, first, length, rng):
    """A text: a list of `length` token ids, each drawn from the row of the one
    before.

    A: (V, V), rows sum to one. first: the id before the text. rng: asked once for
    each token, by rng.random().
    """
    ids, last = [], first
    for _ in range(length):
        u = rng.random()
        row = np.cumsum(A[last])
        last = int(np.argmax(row > u))  # the first for which it holds
        ids.append(last)
    return ids
''',
    name="generate",
    hint="Take a row of 0.2, 0.5, 0.3 and u = 0.4. Which token should be drawn, and which is?",
    derivation=r"""
A draw $u$ is even on $[0, 1)$. Cut that interval into pieces as long as the probabilities, one after another; token $j$ is drawn when
$u$ lies in its piece, which happens with probability $A_{ij}$. The pieces end at the cumulative sums $c_j = \sum_{k \le j} A_{ik}$, so
the token is the first one with $c_j > u$.

Compared with the probabilities themselves, $u$ is mostly larger than all of them; then `argmax` of a row of False is 0.
""",
    tests=(
        Test("one certain token", lambda rng: (np.eye(3)[[1, 2, 0]], 0, 4, np.random.default_rng(1))),
        Test("two tokens", rows_of(2, 12)),
        Test(
            "how often each is drawn",
            rows_of(5, 1500),
            use=shares,
            call="np.bincount(generate(A, first, 1500, rng), minlength=V)",
            points=2,
        ),
        Test("many tokens", rows_of(50, 40), hidden=True),
    ),
    wrong=(
        Wrong("sampled-without-cumulative", "np.cumsum(A[last])", "A[last]"),
        Wrong("argmax-for-sample", "np.argmax(row > u)", "np.argmax(A[last])"),
        Wrong(
            "",
            "np.cumsum(A[last])",
            "np.cumsum(A[first])",
            why="All tokens are drawn from the row of the first one: the model no longer sees what it wrote.",
            look="Which row is taken in the second step.",
        ),
        Wrong(
            "random-not-from-the-generator",
            "u = rng.random()",
            "u = np.random.default_rng(0).random()",
            why="Each token is drawn with the same random number, not with the next one of `rng`.",
        ),
        Wrong(
            "wrong-axis",
            "np.cumsum(A[last])",
            "np.cumsum(A).reshape(A.shape)[last]",
            why="`np.cumsum` without an axis runs on over all rows, so each row begins where the one before ended.",
            look="The last number of each row of the sums: it must be 1.",
        ),
        Wrong(
            "wrong-axis",
            "np.cumsum(A[last])",
            "np.cumsum(A[:, last])",
            why="The column of the last token was taken: the probabilities of what comes before it.",
            look="Which of A's two indices is the token that is there.",
        ),
        Wrong(
            "",
            "np.argmax(row > u)",
            "np.argmax(row < u)",
            why="This is the first place at which the sum is still below u. The token is the first at which it is above.",
            look="The comparison with u.",
        ),
    ),
    after="Draw by `np.searchsorted` instead: which side must it take so that a token of probability 0 is never drawn?",
)

TEST_OF_PROBABILITY = Task(
    id="1.16",
    title="A test for a bigram's probabilities",
    kind="write the test",
    minutes=20,
    difficulty=2,
    practises="properties of a probability, tests",
    statement=r"""
`probability(counts, i, j, alpha)` gives $P(j \mid i)$ of a bigram whose counts were raised by $\alpha$ (exercise 1.10).

Write `test_probability(probability)`. It gets such a function, and raises AssertionError if the function is wrong; a right one passes.
Six wrong ones wait. What must hold for every model: the probabilities of a row sum to one, no token gets 0, a token after which nothing
was seen has an even row. What holds for this one: a few values that you can compute by hand.
""",
    stub='''
def test_probability(probability):
    """Raises AssertionError if `probability` is wrong.

    It is called as probability(counts, i, j, alpha), where counts, (V, V), holds
    how often j followed i, and returns a float.
    """
    counts = np.array([[0.0, 2.0], [1.0, 1.0]])
    assert False, "ask for something that a right function does"
''',
    subject='''
def probability(counts, i, j, alpha):
    """P(j | i): the share of j among what followed i, with alpha added to each
    count.
    """
    row = counts[i]
    return float((row[j] + alpha) / (row.sum() + alpha * len(row)))
''',
    solution="""
def test_probability(probability):
    counts = np.array([[0.0, 2.0, 5.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    for alpha in (1.0, 0.5):
        for i in range(3):
            row = [probability(counts, i, j, alpha) for j in range(3)]
            assert np.isclose(sum(row), 1)
            assert min(row) > 0
    assert np.isclose(probability(counts, 0, 1, 1.0), 3 / 10)
    assert np.isclose(probability(counts, 0, 1, 0.5), 2.5 / 8.5)
    assert np.isclose(probability(counts, 1, 0, 1.0), 2 / 5)
    assert np.isclose(probability(counts, 2, 0, 1.0), 1 / 3)
    assert counts[0, 0] == 0
""",
    name="test_probability",
    hint="Counts that are not symmetric tell rows from columns; an alpha that is not 1 tells whether it is used; a row of zeros is a case "
    "of its own.",
    derivation=r"""
$P(j \mid i) = (N_{ij} + \alpha) / (N_{i\cdot} + \alpha V)$. Summed over $j$ that is 1, which finds every wrong denominator. Rows and
columns are told apart only by values, with counts that are not symmetric. A function that ignores $\alpha$, or takes it for 1, has rows
that sum to one; only a value with another $\alpha$ shows it. And what gives unseen tokens 0 may still sum to one, so ask for that too.
""",
    tests=(),
    wrong=(
        Wrong("smoothing-adds-to-numerator-only", " + alpha * len(row))", ")"),
        Wrong("smoothing-vocabulary-missing", "alpha * len(row)", "alpha"),
        Wrong("transposed-result", "row = counts[i]", "row = counts[:, i]"),
        Wrong("argument-ignored", "row = counts[i]", "row, alpha = counts[i], 1.0"),
        Wrong(
            "",
            "row = counts[i]",
            "row, alpha = counts[i], (alpha if counts[i].sum() == 0 else 0.0)",
            why="Smoothing is done only where nothing was seen; a token that did not follow a known one gets 0.",
            look="The probability of a pair that did not occur, after a token that did.",
        ),
        Wrong(
            "",
            "row = counts[i]",
            "row = counts[i] if counts[i].sum() else counts.sum(axis=0)",
            why="After a token without counts it falls back on how frequent each token is, not on an even row.",
            look="The row of a token after which nothing was seen.",
        ),
    ),
    after="Which of your assertions would hold for Kneser and Ney's probabilities too?",
)

TASKS: tuple[Task, ...] = (TWO_DIRECTIONS, GAP, ADD_ONE, KNESER_NEY, GENERATOR, TEST_OF_PROBABILITY)
