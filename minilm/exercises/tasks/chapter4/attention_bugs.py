"""Attention with a bug in it, and the test that finds such bugs."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter4.draws import given, normal

REST = "    e = np.exp(S - S.max(axis=1, keepdims=True))\n    P = e / e.sum(axis=1, keepdims=True)\n"


def its_own_key(rng: Generator) -> tuple[Any, ...]:
    """Draws vectors of the norm 4 as queries and as keys alike, for one batch and two heads, and the values."""
    x = rng.standard_normal((1, 2, 3, 4))
    x = 4 * x / np.linalg.norm(x, axis=-1, keepdims=True)
    return x, x.copy(), rng.standard_normal((1, 2, 3, 4))


SHORT_ROWS = Task(
    id="4.31",
    title="The first tokens whisper",
    kind="find the bug",
    minutes=20,
    difficulty=2,
    practises="what a mask does to a softmax",
    statement=r"""
Causal attention: query $i$ takes a mean of the values $j \le i$. This function never lets a query see a later value, the last query is
right to the last digit, and a model trained with it learns something. But the first query, which sees one value only, does not return it:
it returns a part of it, a third perhaps. And another key at a later position changes how large the part is.

Find the bug and mend it. `Q`, `K` are `(T, d)`, `V` is `(T, e)`.
""",
    name="causal_attention",
    solution="""
def causal_attention(Q, K, V):
    T, d = Q.shape
    seen = np.tri(T, dtype=bool)
    S = Q @ K.T / d**0.5
    S = np.where(seen, S, -np.inf)
    e = np.exp(S - S.max(axis=1, keepdims=True))
    P = e / e.sum(axis=1, keepdims=True)
    return P @ V
""",
    hint="Add up each row of the weights. Which terms are in the denominator of the first row?",
    derivation=r"""
The weights of a mean sum to 1. If the softmax is taken over all $T$ scores and the later ones are set to 0 afterwards, the denominator
still holds their exponentials: row $i$ sums to $\sum_{j \le i} e^{S_{ij}} / \sum_{j} e^{S_{ij}}$, which is less than 1 but for the last
row. So the future comes in after all, by way of the denominator. The mask belongs before the softmax, as $-\infty$ in the scores (4.27);
it then takes the terms out of the denominator too.
""",
    tests=(
        Test("two queries of zeros", given([[0.0], [0.0]], [[1.0], [2.0]], [[1.0], [3.0]])),
        Test("four queries", normal((4, 3), (4, 3), (4, 2)), points=2, labels={"the length": 4, "the width": 3}),
        Test("one query", normal((1, 2), (1, 2), (1, 3)), hidden=True),
        Test("large scores", normal((5, 2), (5, 2), (5, 2), scale=100.0), hidden=True),
    ),
    wrong=(
        Wrong(
            "mask-after-softmax",
            "    S = np.where(seen, S, -np.inf)\n" + REST,
            REST + "    P = np.where(seen, P, 0.0)\n",
        ),
        Wrong("mask-zero-for-minus-infinity", "np.where(seen, S, -np.inf)", "np.where(seen, S, 0.0)"),
        Wrong(
            "mask-finite",
            "np.where(seen, S, -np.inf)",
            "np.where(seen, S, -10.0)",
            "The masked scores are small, not minus infinity: where other scores are small too, masked keys are seen.",
            "Which number has the exponential 0, however large or small the others are?",
        ),
        Wrong("mask-transposed", "np.where(seen, S", "np.where(seen.T, S"),
        Wrong(
            "sees-the-future",
            "    S = np.where(seen, S, -np.inf)\n",
            "",
            "The mask is gone: the rows sum to 1 now, over all keys.",
            "The mask was right. Where does it belong?",
        ),
    ),
    after="Dividing the masked weights by their new sum mends it as well. When does that fail where the mask before the softmax does not?",
)

FLAT_WEIGHTS = Task(
    id="4.32",
    title="The wider, the flatter",
    kind="find the bug",
    minutes=20,
    difficulty=1,
    practises="variance of a dot product, scale",
    statement=r"""
Attention weights over six keys, for random queries and keys of variance 1. With width 1 they are right. With width 16 they are nearly
alike, and with width 256 every key gets about $\frac16$, whatever query and key are: the heads of the large model only take means.

Find the bug and mend it. `Q` is `(T, d)`, `K` is `(S, d)`; the function returns the weights `(T, S)`.
""",
    name="attention_weights",
    solution="""
def attention_weights(Q, K):
    width = Q.shape[-1]
    S = Q @ K.T / width**0.5
    e = np.exp(S - S.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
""",
    hint="What is the standard deviation of a dot product of two random vectors of width d? What is it after the division?",
    derivation=r"""
By (4.28) the dot product of two vectors with independent components of variance 1 has variance $d$, so its standard deviation is $\sqrt d$.
Divided by $\sqrt d$ it is 1 at every width. Divided by $d$ it is $1/\sqrt d$: 0.25 for $d = 16$ and 0.06 for $d = 256$, and a softmax of
scores that hardly differ is nearly uniform. At $d = 1$ both are the same, and a test of width 1 finds nothing.
""",
    tests=(
        Test("width 1", normal((1, 1), (2, 1))),
        Test("width 4", normal((2, 4), (3, 4)), points=2, labels={"the width": 4, "the number of keys": 3}),
        Test("width 16", normal((2, 16), (6, 16)), points=2, labels={"the width": 16, "the number of keys": 6}),
        Test("as many keys as the width", normal((2, 5), (5, 5)), hidden=True),
        Test("large scores", normal((2, 3), (4, 3), scale=100.0), hidden=True),
    ),
    wrong=(
        Wrong("scale-by-d-not-its-root", "/ width**0.5", "/ width"),
        Wrong("scale-forgotten", " / width**0.5", "", "The scores are not scaled now: the wider, the sharper."),
        Wrong(
            "scale-by-the-wrong-size",
            "width = Q.shape[-1]",
            "width = len(K)",
            "The scores are divided by the root of the number of keys; it is to be the root of their width.",
        ),
        Wrong(
            "",
            "/ width**0.5",
            "* width**0.5",
            "The scores are multiplied by the root of the width.",
            "What is the standard deviation of the scores after this line?",
        ),
    ),
    after="Measure it: the entropy of the weights for widths 1, 4, 16, 64, 256, with both scales.",
)

OWN_KEY = Task(
    id="4.38",
    title="A query that misses its own key",
    kind="find the bug",
    minutes=20,
    difficulty=2,
    practises="a transpose that is none",
    statement=r"""
Heads as `(B, H, T, d)`. If the keys are the queries themselves, all of the same norm, each query must agree best with its own key: the
largest number in each row of the scores stands on the diagonal. With $T = 1$ or $d = 1$ it does. With $T = 3$ and $d = 4$ it does not,
nothing raises an error, and all shapes are right.

Find the bug and mend it. The function returns the attention's output, `(B, H, T, d)`, without a mask.
""",
    name="attend",
    solution="""
def attend(Q, K, V):
    B, H, T, d = K.shape
    S = Q @ K.transpose(0, 1, 3, 2) / d**0.5
    e = np.exp(S - S.max(axis=-1, keepdims=True))
    return (e / e.sum(axis=-1, keepdims=True)) @ V
""",
    hint="Print K of one head, for small integers, and what stands to the right of the @ in the scores.",
    derivation=r"""
The scores need $K^\top$ of each head: element $(c, j)$ of the right factor is $K_{jc}$. A reshape to `(B, H, d, T)` has that shape too,
but it reads the elements of $K$ in their order in memory and fills the rows of the new shape one by one: element $(c, j)$ becomes the
element number $c T + j$ of the head, where the transpose takes number $j d + c$. They agree for all elements if $T = 1$ or $d = 1$,
and else some keys are made from pieces of others.
""",
    tests=(
        Test("one token", normal(*[(1, 1, 1, 3)] * 3)),
        Test(
            "two tokens, integers",
            given([[[[1.0, 0.0], [0.0, 1.0]]]], [[[[1.0, 2.0], [3.0, 4.0]]]], [[[[1.0, 0.0], [0.0, 1.0]]]]),
        ),
        Test(
            "keys that are the queries", its_own_key, points=2, labels={"the heads": 2, "the length": 3, "the width": 4}
        ),
        Test("a batch", normal(*[(2, 3, 5, 4)] * 3), hidden=True),
        Test("as many tokens as the width", normal(*[(1, 2, 3, 3)] * 3), hidden=True),
    ),
    wrong=(
        Wrong("reshape-for-transpose", "K.transpose(0, 1, 3, 2)", "K.reshape(B, H, d, T)"),
        Wrong(
            "scale-by-the-wrong-size",
            "/ d**0.5",
            "/ T**0.5",
            "The scale is the root of the number of tokens; it was right before.",
        ),
        Wrong(
            "flattened-in-wrong-order",
            "K.transpose(0, 1, 3, 2)",
            "K[..., ::-1].transpose(0, 1, 3, 2)",
            "The columns of the keys are in reverse order.",
            "Exchange two axes, and move nothing else.",
        ),
    ),
    after="Find all reshapes in a model of yours that stand where a transpose is meant. A test with T = d finds none of them by shape.",
)

TEST_CAUSAL = Task(
    id="4.35",
    title="A test for causal attention",
    kind="write the test",
    minutes=40,
    difficulty=3,
    practises="properties, known values, edge cases",
    statement=r"""
Write `test_causal_attention(causal_attention)`. It is given a function `causal_attention(Q, K, V)` with `Q`, `K` of shape `(T, d)`, `V` of
shape `(T, e)`, which returns `(T, e)`: query $i$ takes the mean of the values $j \le i$, weighted by the softmax of its scores over these
keys, scores divided by $\sqrt d$. A wrong function makes your test raise `AssertionError`, a right one lets it pass.

The test is run with the right function and with eight wrong ones. A point for each that is found, if the right one passes.
""",
    name="test_causal_attention",
    stub='''
def test_causal_attention(causal_attention):
    """Raises AssertionError where causal_attention(Q, K, V) is wrong."""
    Y = causal_attention(np.zeros((1, 1)), np.zeros((1, 1)), np.ones((1, 1)))
    assert Y.shape == (1, 1)
''',
    subject="""
def causal_attention(Q, K, V):
    T, d = Q.shape
    S = Q @ K.T / d**0.5
    S = np.where(np.tri(T, dtype=bool), S, -np.inf)
    e = np.exp(S - S.max(axis=1, keepdims=True))
    P = e / e.sum(axis=1, keepdims=True)
    return P @ V
""",
    solution="""
def test_causal_attention(causal_attention):
    rng = np.random.default_rng(0)
    (Q, K), V = rng.standard_normal((2, 4, 3)), rng.standard_normal((4, 2))
    expected = np.zeros((4, 2))
    for i in range(4):
        weights = [np.exp(Q[i] @ K[j] / np.sqrt(3)) for j in range(i + 1)]
        for j in range(i + 1):
            expected[i] += weights[j] / sum(weights) * V[j]
    assert np.allclose(causal_attention(Q, K, V), expected)
    sharp = causal_attention(1000 * np.eye(3), 1000 * np.eye(3), np.eye(3))
    assert np.allclose(sharp, np.eye(3))
""",
    wrong=(
        Wrong("sees-the-future", "np.where(np.tri(T, dtype=bool), S, -np.inf)", "S.copy()"),
        Wrong("mask-off-by-one", "np.tri(T, dtype=bool)", "np.tri(T, k=1, dtype=bool)"),
        Wrong("mask-transposed", "np.tri(T, dtype=bool)", "np.tri(T, dtype=bool).T"),
        Wrong(
            "mask-after-softmax",
            "    S = np.where(np.tri(T, dtype=bool), S, -np.inf)\n" + REST,
            REST + "    P = np.where(np.tri(T, dtype=bool), P, 0.0)\n",
        ),
        Wrong("mask-zero-for-minus-infinity", "S, -np.inf)", "S, 0.0)"),
        Wrong("scale-forgotten", "Q @ K.T / d**0.5", "Q @ K.T"),
        Wrong("scale-by-d-not-its-root", "/ d**0.5", "/ d"),
        Wrong("softmax-not-stable", "S - S.max(axis=1, keepdims=True)", "S"),
    ),
    hint="A slow version with three loops, written by you, knows every value. Which of the bugs does it not see with ordinary numbers?",
    derivation=r"""
Known values find most: three nested loops over (4.27) with a width above 1, since $d = \sqrt d$ for $d = 1$. The values must not be all
alike: the mean of equal values is that value under any weights that sum to 1. Queries of zeros see the mask but not the scale. What loops
over ordinary numbers do not see is the overflow: scores of some thousands, for which the right answer is known too.
""",
    after="A test by properties alone, without any value: change a later token, compare the rows before it. Which bugs does that miss?",
)

TASKS: tuple[Task, ...] = (SHORT_ROWS, FLAT_WEIGHTS, OWN_KEY, TEST_CAUSAL)
