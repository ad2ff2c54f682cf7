"""Attention: scores, masks, heads, forward and backward."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter4.draws import given, normal


def padded(length: int, *lengths: int, scale: float = 1.0) -> Any:
    """Draws scores (B, T, T) for texts of these lengths."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        return scale * rng.standard_normal((len(lengths), length, length)), np.array(lengths)

    return inputs


def counted(*shape: int, then: tuple[Any, ...] = ()) -> Any:
    """An array of this shape that holds 0, 1, 2, ..."""
    return lambda rng: (np.arange(float(np.prod(shape))).reshape(shape), *then)


def block(B: int, T: int, D: int, heads: int, dtype: str = "float64") -> Any:
    """Draws x, the four weights and the number of heads."""
    return normal((B, T, D), *[(D, D)] * 4, dtype=dtype, then=(heads,))


def sharp(rng: Generator) -> tuple[Any, ...]:
    """Draws queries and keys whose scores are in the thousands, values and a gradient of ordinary size."""
    Q, K, V, Y_bar = rng.standard_normal((4, 5, 2))
    return 100 * np.abs(Q), 100 * np.abs(K), V, Y_bar


CAUSAL_BACKWARD = Task(
    id="4.10",
    title="Causal attention backward in NumPy",
    kind="code",
    minutes=40,
    difficulty=3,
    practises="four gradients of attention, with a mask",
    statement=r"""
Write the backward pass of causal attention (query $i$ sees keys $j \le i$) for $Q$, $K$, $V$ of shape `(T, d)`, using (4.33)
instead of the sum over keys: `causal_attention_backward(Q, K, V, Y_bar)` returns $\bar Q$, $\bar K$ and $\bar V$. The forward pass is
computed anew in it, and has the scale $1/\sqrt d$.

Show that the gradient of $V_T$, the last value, comes from the last query alone.
""",
    name="causal_attention_backward",
    stub='''
def causal_attention_backward(Q, K, V, Y_bar):
    """The gradients of causal attention's three inputs.

    Q, K, V, Y_bar: (T, d). Returns Q_bar, K_bar, V_bar, each (T, d).
    float32 gives float32.
    """
    raise NotImplementedError
''',
    solution="""
def causal_attention_backward(Q, K, V, Y_bar):
    T, d = Q.shape
    S = np.where(np.tri(T, dtype=bool), Q @ K.T / d**0.5, -np.inf)
    P = np.exp(S - S.max(axis=1, keepdims=True))
    P /= P.sum(axis=1, keepdims=True)
    D = (Y_bar * (P @ V)).sum(axis=1, keepdims=True)
    S_bar = P * (Y_bar @ V.T - D)
    return S_bar @ K / d**0.5, S_bar.T @ Q / d**0.5, P.T @ Y_bar
""",
    hint="Only the forward pass needs the mask: where $P_{ij} = 0$, (4.31) gives 0.",
    derivation=r"""
$\bar V = P^\top \bar Y$; $\bar P = \bar Y V^\top$; $\bar S_{ij} = P_{ij} (\bar P_{ij} - D_i)$ with
$D_i = \sum_e \bar Y_{ie} Y_{ie}$; $\bar Q = \bar S K / \sqrt d$, $\bar K = \bar S^\top Q / \sqrt d$. In
$\bar V_{Te} = \sum_i P_{iT} \bar Y_{ie}$ all $P_{iT}$ with $i < T$ are zero.
""",
    tests=(
        Test("one query, which sees itself", normal(*[(1, 3)] * 4)),
        Test("two queries of width 1", given([[1.0], [0.0]], [[0.0], [1.0]], [[1.0], [-1.0]], [[1.0], [2.0]])),
        Test("five queries", normal(*[(5, 3)] * 4), points=3, labels={"the length": 5, "the width": 3}),
        Test(
            "as many queries as the width, float32",
            normal(*[(4, 4)] * 4, dtype="float32"),
            hidden=True,
            rtol=1e-3,
            atol=1e-5,
        ),
        Test("large scores", sharp, hidden=True),
    ),
    wrong=(
        Wrong("sees-the-future", "np.where(np.tri(T, dtype=bool), Q @ K.T / d**0.5, -np.inf)", "Q @ K.T / d**0.5"),
        Wrong("mask-transposed", "np.tri(T, dtype=bool)", "np.tri(T, dtype=bool).T"),
        Wrong(
            "scale-forgotten",
            "S_bar @ K / d**0.5, S_bar.T @ Q / d**0.5",
            "S_bar @ K, S_bar.T @ Q",
            "The scale stands in the forward pass and is missing on the way back, in the gradients of queries and keys.",
            "(4.32): a constant factor of the scores is one of the gradients too.",
        ),
        Wrong(
            "softmax-backward-diagonal-only",
            "(Y_bar @ V.T - D)",
            "(Y_bar @ V.T)",
            "The softmax's second term is missing: every score also acts on the other weights of its row.",
            "(4.31) and (4.33).",
        ),
        Wrong("softmax-not-stable", "S - S.max(axis=1, keepdims=True)", "S"),
        Wrong(
            "products-swapped-in-backward",
            "S_bar @ K / d**0.5, S_bar.T @ Q / d**0.5",
            "S_bar.T @ Q / d**0.5, S_bar @ K / d**0.5",
            "The gradients of queries and keys have changed places.",
        ),
        Wrong("transpose-missing-in-backward", "P.T @ Y_bar", "P @ Y_bar"),
        Wrong(
            "mean-for-sum",
            "(Y_bar * (P @ V)).sum(axis=1, keepdims=True)",
            "(Y_bar * (P @ V)).mean(axis=1, keepdims=True)",
        ),
    ),
    after="Do it in two blocks of keys, without ever holding all of P. What must the forward pass keep for that?",
)

ATTENTION = Task(
    id="4.19",
    title="Attention, forward",
    kind="code",
    minutes=20,
    difficulty=1,
    practises="scores, weights, a mean of values",
    statement=r"""
Write `attention(Q, K, V)`, (4.27) without a mask: queries `(T, d)`, keys `(S, d)`, values `(S, e)`. It returns the output `(T, e)` and
the weights $P$, `(T, S)`, each row of which sums to 1. Scores of any size are to be borne.

A query of zeros agrees with all keys alike, so its output is the mean of the values.
""",
    name="attention",
    stub='''
def attention(Q, K, V):
    """For each query, a mean of the values, and its weights.

    Q: (T, d); K: (S, d); V: (S, e). Returns Y (T, e) and P (T, S).
    float32 gives float32.
    """
    raise NotImplementedError
''',
    solution="""
def attention(Q, K, V):
    S = Q @ K.T / Q.shape[1] ** 0.5
    P = np.exp(S - S.max(axis=1, keepdims=True))
    P = P / P.sum(axis=1, keepdims=True)
    return P @ V, P
""",
    hint="Write the shape of every product beside it. Over which axis of the scores do the weights of one query sum to 1?",
    derivation=r"""
$S = Q K^\top / \sqrt d$ has a row per query and a column per key, `(T, S)`. $d$ is the width of queries and keys, over which the dot
product runs, not that of the values: by (4.28) the dot product's variance is $d$. The softmax runs along the keys, axis 1; $PV$ mixes the
rows of $V$. The row's maximum is subtracted before the exponential, by (4.3).
""",
    tests=(
        Test("one query of zeros, two keys", given([[0.0]], [[1.0], [2.0]], [[1.0], [3.0]])),
        Test("one query", normal((1, 4), (3, 4), (3, 2)), labels={"the width of a key": 4, "the number of keys": 3}),
        Test(
            "two queries, three keys",
            normal((2, 4), (3, 4), (3, 5)),
            points=2,
            labels={
                "the number of queries": 2,
                "the width of a key": 4,
                "the number of keys": 3,
                "the width of a value": 5,
            },
        ),
        Test("queries, keys and widths alike", normal((4, 4), (4, 4), (4, 4)), hidden=True),
        Test("large scores", normal((2, 3), (4, 3), (4, 3), scale=100.0), hidden=True),
        Test("float32", normal((3, 2), (5, 2), (5, 4), dtype="float32"), hidden=True),
    ),
    wrong=(
        Wrong("scale-forgotten", " / Q.shape[1] ** 0.5", ""),
        Wrong("scale-by-d-not-its-root", "Q.shape[1] ** 0.5", "Q.shape[1]"),
        Wrong(
            "scale-by-the-wrong-size",
            "Q.shape[1] ** 0.5",
            "V.shape[0] ** 0.5",
            "The scale is the root of the number of keys; it is to be the root of the width of a key.",
        ),
        Wrong("softmax-over-wrong-axis", "P.sum(axis=1, keepdims=True)", "P.sum(axis=0, keepdims=True)"),
        Wrong(
            "softmax-over-wrong-axis",
            "P = P / P.sum(axis=1, keepdims=True)",
            "P = P / P.sum()",
            "All weights together sum to 1; each query's are to.",
            "Sum along the keys only.",
        ),
        Wrong("softmax-not-stable", "S - S.max(axis=1, keepdims=True)", "S"),
        Wrong(
            "scale-by-the-wrong-size",
            "Q.shape[1] ** 0.5",
            "len(Q) ** 0.5",
            why="It was divided by the root of the number of queries. What is summed in a score is the width d.",
            look="Which axis of Q is summed over.",
        ),
    ),
    after="Change the order of the keys, and of the values with them. What happens to Y? What does a model need for that?",
)

MASKS = Task(
    id="4.20",
    title="Two masks before one softmax",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="masks, broadcasting, minus infinity",
    statement=r"""
A batch holds texts of different lengths, filled up to length $T$. Write `masked_softmax(scores, lengths)` for scores `(B, T, T)`, query by
key: query $i$ may see key $j$ where $j \le i$ and where key $j$ is one of the text's first `lengths[b]` tokens. The weights of every
query sum to 1 over the keys that it may see, and are exactly 0 elsewhere. Queries beyond the text are computed like all others.

For $T = 2$, length 2 and scores of 0: $(1, 0)$ and $(0.5, 0.5)$. With length 1: $(1, 0)$ twice.
""",
    name="masked_softmax",
    stub='''
def masked_softmax(scores, lengths):
    """Attention weights: causal, and without the filling.

    scores: (B, T, T); lengths: (B,), integers from 1 to T. Returns (B, T, T).
    """
    raise NotImplementedError
''',
    solution="""
def masked_softmax(scores, lengths):
    T = scores.shape[-1]
    causal = np.tri(T, dtype=bool)
    filled = np.arange(T) < lengths[:, None, None]
    S = np.where(causal & filled, scores, -np.inf)
    e = np.exp(S - S.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
""",
    hint="Make one mask of each kind, with shapes that broadcast to (B, T, T). What is the exponential of minus infinity?",
    derivation=r"""
The causal mask is `(T, T)`: row $i$ (a query) is true up to column $i$. Which keys belong to the text depends on $b$ and $j$ alone,
so that mask is `(B, 1, T)`. Both must hold. A score of $-\infty$ before the softmax gives the weight $e^{-\infty} = 0$, and takes the
key out of the denominator as well; a weight set to 0 after the softmax leaves a row that sums to less than 1. A score of 0 is no mask:
$e^0 = 1$. Key 0 is always seen, so no row is empty.
""",
    tests=(
        Test("two tokens", lambda rng: (np.zeros((1, 2, 2)), np.array([2]))),
        Test("one text, no filling", padded(4, 4), labels={"the length": 4}),
        Test(
            "three texts, two of them filled up", padded(4, 4, 2, 3), points=2, labels={"the batch": 3, "the length": 4}
        ),
        Test("texts of one token", padded(5, 1, 5), hidden=True),
        Test("as many texts as tokens", padded(3, 3, 1, 2), hidden=True),
        Test("large scores", padded(4, 2, 4, scale=1000.0), hidden=True),
    ),
    wrong=(
        Wrong(
            "mask-after-softmax",
            "S = np.where(causal & filled, scores, -np.inf)\n    e = np.exp(S - S.max(axis=-1, keepdims=True))\n"
            "    return e / e.sum(axis=-1, keepdims=True)",
            "e = np.exp(scores - scores.max(axis=-1, keepdims=True))\n"
            "    return np.where(causal & filled, e / e.sum(axis=-1, keepdims=True), 0.0)",
        ),
        Wrong("mask-transposed", "np.tri(T, dtype=bool)", "np.tri(T, dtype=bool).T"),
        Wrong("mask-off-by-one", "np.tri(T, dtype=bool)", "np.tri(T, k=1, dtype=bool)"),
        Wrong("mask-zero-for-minus-infinity", "scores, -np.inf)", "scores, 0.0)"),
        Wrong(
            "",
            "lengths[:, None, None]",
            "(lengths[:, None, None] + 1)",
            "One token of the filling is seen: the token at position `length` is not in the text.",
            "Which is the last position of a text of length 1?",
        ),
        Wrong(
            "argument-ignored",
            "causal & filled",
            "causal",
            "The lengths are not used: queries see the filling.",
            "Join the mask of the filling to the causal one.",
        ),
        Wrong(
            "",
            "np.arange(T) < lengths[:, None, None]",
            "np.arange(T)[:, None] < lengths[:, None, None]",
            "The filling was masked among the queries and not among the keys.",
            "The last axis of the scores is the keys'. What does a query beyond the text still see?",
        ),
        Wrong(
            "",
            "return e / e.sum(axis=-1, keepdims=True)",
            "P = e / e.sum(axis=-1, keepdims=True)\n    return np.where(np.arange(T)[:, None] < lengths[:, None, None], P, 0.0)",
            why="The rows of queries beyond the text are 0. They are computed like all others, so their weights sum to 1.",
            look="The last sentence of the task's first paragraph, and the sums of the rows.",
        ),
        Wrong(
            "softmax-over-wrong-axis",
            "e.sum(axis=-1, keepdims=True)",
            "e.sum(axis=-2, keepdims=True)",
        ),
    ),
    after="What would a text of length 0 give, and how would you keep NaN out of its loss?",
)

SPLIT_HEADS = Task(
    id="4.21",
    title="Split into heads",
    kind="code",
    minutes=10,
    difficulty=1,
    practises="reshape and transpose, in this order",
    statement=r"""
Write `split_heads(x, n_heads)`: from `(B, T, D)` to `(B, n_heads, T, D / n_heads)`. Head $h$ gets the $h$-th block of $D/n_{\text{heads}}$
neighboring columns of every token.

For `x` with the two tokens $(0, 1, 2, 3)$ and $(4, 5, 6, 7)$ and two heads, the first head holds $(0, 1)$ and $(4, 5)$, the second
$(2, 3)$ and $(6, 7)$.
""",
    name="split_heads",
    stub='''
def split_heads(x, n_heads):
    """Each head's columns, as a batch of heads.

    x: (B, T, D), D a multiple of n_heads. Returns (B, n_heads, T, D / n_heads).
    """
    raise NotImplementedError
''',
    solution="""
def split_heads(x, n_heads):
    B, T, D = x.shape
    return x.reshape(B, T, n_heads, D // n_heads).transpose(0, 2, 1, 3)
""",
    hint="A reshape keeps the order of the elements in memory. Which axis may it split without moving anything?",
    derivation=r"""
Number the columns $h \cdot d + c$ with $d = D/n_{\text{heads}}$. A reshape to `(B, T, n_heads, d)` gives the pair $(h, c)$ axes of its own,
and no element moves. Then the axes of token and head change places, which a transpose does. A reshape straight to
`(B, n_heads, T, d)` has the right shape and the wrong content: the first head would get the first tokens, whole.
""",
    tests=(
        Test("two tokens, two heads", counted(1, 2, 4, then=(2,))),
        Test("a batch", counted(2, 3, 8, then=(4,)), labels={"the batch": 2, "the length": 3, "the heads": 4}),
        Test("one head", normal((2, 3, 4), then=(1,)), hidden=True),
        Test("as many tokens as heads", counted(1, 3, 6, then=(3,)), hidden=True, labels={"the length": 3}),
        Test("heads of width 1", counted(2, 2, 3, then=(3,)), hidden=True),
    ),
    wrong=(
        Wrong(
            "heads-split-by-reshape-only",
            "x.reshape(B, T, n_heads, D // n_heads).transpose(0, 2, 1, 3)",
            "x.reshape(B, n_heads, T, D // n_heads)",
        ),
        Wrong(
            "flattened-in-wrong-order",
            "x.reshape(B, T, n_heads, D // n_heads).transpose(0, 2, 1, 3)",
            "x.reshape(B, T, D // n_heads, n_heads).transpose(0, 3, 1, 2)",
            "Each head got every n-th column, as cards are dealt; it was to get neighbors.",
            "Which of the two new axes changes more slowly?",
        ),
        Wrong(
            "heads-split-by-reshape-only",
            ".transpose(0, 2, 1, 3)",
            "",
            "The axis of the heads still stands behind that of the tokens.",
        ),
        Wrong("transposed-result", ".transpose(0, 2, 1, 3)", ".transpose(0, 2, 3, 1)"),
    ),
    after="And back: 4.22.",
)

MERGE_HEADS = Task(
    id="4.22",
    title="Merge the heads",
    kind="code",
    minutes=10,
    difficulty=1,
    practises="transpose and reshape, in this order",
    statement=r"""
Write `merge_heads(y)`, the inverse of `split_heads` (4.21): from `(B, n_heads, T, d)` to `(B, T, n_heads * d)`, each token's heads side by
side in order. The result is an array of its own, not a view of `y`.

For two heads with one column, $(0, 1, 2)$ and $(3, 4, 5)$ over three tokens, the tokens are $(0, 3)$, $(1, 4)$, $(2, 5)$.
""",
    name="merge_heads",
    stub='''
def merge_heads(y):
    """The heads' columns side by side.

    y: (B, n_heads, T, d). Returns (B, T, n_heads * d).
    """
    raise NotImplementedError
''',
    solution="""
def merge_heads(y):
    B, n_heads, T, d = y.shape
    merged = y.transpose(0, 2, 1, 3)
    return merged.reshape(B, T, n_heads * d).copy()
""",
    hint="Undo the two steps of the split, the last one first. When does a reshape give a view?",
    derivation=r"""
The inverse of "reshape, then transpose" is "transpose, then reshape": the token's axis comes before the head's again, and the last two
axes, $(h, c)$, become the column $h \cdot d + c$. With one head (or one token) the transpose changes nothing in memory, so the reshape
can return a view; `copy` makes sure that it is not.
""",
    tests=(
        Test("two heads of width 1", counted(1, 2, 3, 1)),
        Test("a batch", counted(2, 4, 3, 2), labels={"the batch": 2, "the heads": 4, "the length": 3}),
        Test("as many tokens as heads", counted(1, 3, 3, 2), hidden=True),
        Test("one head", normal((2, 1, 3, 4)), hidden=True, fresh=True),
    ),
    wrong=(
        Wrong("heads-merged-without-transpose", "y.transpose(0, 2, 1, 3)", "y"),
        Wrong(
            "flattened-in-wrong-order",
            "y.transpose(0, 2, 1, 3)",
            "y.transpose(0, 2, 3, 1)",
            "The heads' columns are shuffled into each other: the head changes fastest, where the column within a head was to.",
        ),
        Wrong("view-returned", "merged.reshape(B, T, n_heads * d).copy()", "merged.reshape(B, T, n_heads * d)"),
        Wrong("batch-axis-lost", ".reshape(B, T, n_heads * d)", ".reshape(B * T, n_heads * d)"),
    ),
    after="What are the backward passes of the two? (No formula is needed.)",
)

MULTI_HEAD = Task(
    id="4.23",
    title="Multi-head attention, whole",
    kind="code",
    minutes=40,
    difficulty=3,
    practises="projections, heads, mask and merge together",
    statement=r"""
Write `multi_head_attention(x, W_q, W_k, W_v, W_o, n_heads)` for `x` of shape `(B, T, D)` and weights `(D, D)` stored as (out, in):

1. queries, keys and values are $x W^\top$ with the weight of each;
2. each head works on its own block of $d = D / n_{\text{heads}}$ neighboring columns: causal attention (query $i$ sees keys
   $j \le i$), scores divided by $\sqrt d$;
3. the heads' outputs stand side by side again, and go through $W_o$.

There are no biases. A change of the last token changes the last row of the output alone.
""",
    name="multi_head_attention",
    stub='''
def multi_head_attention(x, W_q, W_k, W_v, W_o, n_heads):
    """Causal self-attention with several heads.

    x: (B, T, D); weights: (D, D), out by in; D a multiple of n_heads.
    Returns (B, T, D).
    float32 gives float32.
    """
    raise NotImplementedError
''',
    solution="""
def multi_head_attention(x, W_q, W_k, W_v, W_o, n_heads):
    B, T, D = x.shape
    d = D // n_heads

    def split(y):
        return y.reshape(B, T, n_heads, d).transpose(0, 2, 1, 3)

    Q, K, V = split(x @ W_q.T), split(x @ W_k.T), split(x @ W_v.T)
    S = Q @ K.transpose(0, 1, 3, 2) / d**0.5
    S = np.where(np.tri(T, dtype=bool), S, -np.inf)
    P = np.exp(S - S.max(axis=-1, keepdims=True))
    P = P / P.sum(axis=-1, keepdims=True)
    Y = (P @ V).transpose(0, 2, 1, 3).reshape(B, T, D)
    return Y @ W_o.T
""",
    hint="4.19 to 4.22 are its parts. With the heads as an axis before the tokens, `@` does all heads at once.",
    derivation=r"""
With `(B, H, T, d)` for queries, keys and values, `@` multiplies the last two axes and takes the first two as a batch: scores are
`(B, H, T, T)`. The keys' last two axes are exchanged, not their elements reshaped. The scale is that of one head, $\sqrt d$ and not
$\sqrt D$, since a head's dot product has $d$ terms, (4.28). The mask `(T, T)` broadcasts over batch and heads. $W_o$ mixes the heads;
without it they would never meet.
""",
    tests=(
        Test("one token", block(1, 1, 4, 2), labels={"the width": 4}),
        Test("one head", block(1, 3, 2, 1), labels={"the length": 3, "the width": 2}),
        Test("two heads", block(1, 3, 4, 2), labels={"the length": 3, "the width": 4, "the heads": 2}),
        Test(
            "a batch",
            block(2, 3, 8, 4),
            points=3,
            labels={"the batch": 2, "the length": 3, "the width": 8, "the heads": 4},
        ),
        Test("as many tokens as heads", block(2, 3, 6, 3), hidden=True),
        Test("float32", block(2, 4, 6, 2, "float32"), hidden=True, rtol=1e-3, atol=1e-4),
    ),
    wrong=(
        Wrong(
            "scale-by-the-wrong-size",
            "/ d**0.5",
            "/ D**0.5",
            "The scale is the root of the whole width; a head's dot product has fewer terms.",
        ),
        Wrong("heads-merged-without-transpose", "(P @ V).transpose(0, 2, 1, 3)", "(P @ V)"),
        Wrong(
            "heads-split-by-reshape-only",
            "y.reshape(B, T, n_heads, d).transpose(0, 2, 1, 3)",
            "y.reshape(B, n_heads, T, d)",
        ),
        Wrong("sees-the-future", "np.where(np.tri(T, dtype=bool), S, -np.inf)", "S"),
        Wrong(
            "output-projection-forgotten",
            "return Y @ W_o.T",
            "return Y",
            "The output projection is missing: the heads stand side by side and never meet.",
            "What is the fourth weight for?",
        ),
        Wrong(
            "weight-not-transposed",
            "split(x @ W_q.T)",
            "split(x @ W_q)",
            "The queries' weight is used as (in, out); it is stored as (out, in).",
            "x W^T: where is the transpose?",
        ),
        Wrong("reshape-for-transpose", "K.transpose(0, 1, 3, 2)", "K.reshape(B, n_heads, d, T)"),
        Wrong(
            "weight-not-transposed",
            "split(x @ W_q.T), split(x @ W_k.T), split(x @ W_v.T)",
            "split(x @ W_q), split(x @ W_k), split(x @ W_v)",
        ),
        Wrong(
            "weight-not-transposed",
            "return Y @ W_o.T",
            "return Y @ W_o",
        ),
    ),
    after="Compare with `ml.nn.MultiHeadAttention` on the same weights. Then give the keys fewer heads than the queries.",
)

TASKS: tuple[Task, ...] = (CAUSAL_BACKWARD, ATTENTION, MASKS, SPLIT_HEADS, MERGE_HEADS, MULTI_HEAD)
