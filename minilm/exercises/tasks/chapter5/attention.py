"""Attention: masks, leaks, a cache, attention in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter5.given import Inputs, normal

MASK_TOO_LATE = Task(
    id="5.6",
    title="The mask after the softmax",
    kind="proof",
    minutes=20,
    difficulty=2,
    practises="what the denominator of softmax holds",
    statement=r"""
Somebody writes `scores.softmax(-1).masked_fill(future, 0.0)`. Name two things that are wrong with it, and show both.
""",
    solution="""
def softmax(s):
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def masked_late(s):
    return np.where(np.tri(len(s), dtype=bool), softmax(s), 0.0)


def masked_before(s):
    return softmax(np.where(np.tri(len(s), dtype=bool), s, -np.inf))


s = np.random.default_rng(0).standard_normal((6, 6))
assert masked_late(s).sum(axis=1)[0] < 0.5
assert np.allclose(masked_before(s).sum(axis=1), 1)
other = s.copy()
other[:, 5] += 3  # another last key
assert (masked_late(other)[:5] != masked_late(s)[:5]).any()
assert (masked_before(other)[:5] == masked_before(s)[:5]).all()
answer = masked_before(s)
""",
    hint="What is the sum of a row? What does the denominator of softmax contain?",
    derivation=r"""
The weights become $p_{ts} = e^{s_{ts}} / \sum_{r} e^{s_{tr}}$ for $s \le t$, with the sum over *all* $r$, and not over $r \le t$ as in
(4.27). So a row's sum is less than 1, by the weight that the future had: early positions get shrunken outputs. And the denominator
contains the keys of the future, so the output at $t$ depends on characters after $t$: it leaks, though not through the values.
""",
    rubric=(
        ("a row no longer sums to 1, and is smallest for the first positions", 1),
        ("shown: by a formula, or by the sum of a row in numbers", 1),
        ("the denominator holds the scores of the future, so the output depends on later characters", 2),
        ("shown: a later key is changed, and an earlier output changes", 1),
    ),
    after="Divide each row by its sum afterward. Which of the two faults is mended? Both?",
)

LOOKS_AHEAD = Task(
    id="5.7",
    title="The leak as a gradient",
    kind="write the test",
    minutes=20,
    difficulty=3,
    practises="a gradient as a test of what depends on what",
    statement=r"""
`leaks` of this chapter replaces one character. Write a test that finds every forbidden dependency at once: the gradient of the sum of
the outputs at position $t$ with respect to all inputs must be zero after $t$.

`test_attend(attend)` is given a function `attend(x, W_q, W_k, W_v)` from `ml.Tensor`s, `x` `(T, n)` and three matrices `(n, d)`, to the
outputs `(T, d)` of one causal head. It passes the right function and raises `AssertionError` for each of several that see the future.
""",
    stub='''
def test_attend(attend):
    """Raises AssertionError where an output depends on a later input."""
    rng = np.random.default_rng(0)
    x = ml.Tensor(rng.standard_normal((6, 4)), requires_grad=True)
    weights = [ml.Tensor(rng.standard_normal((4, 3))) for _ in range(3)]
    y = attend(x, *weights)
''',
    subject="""
def attend(x, W_q, W_k, W_v):
    q, k, v = x @ W_q, x @ W_k, x @ W_v
    scores = q @ k.mT / q.shape[-1] ** 0.5
    future = np.triu(np.ones(scores.shape, bool), 1)
    weights = scores.masked_fill(future, -np.inf).softmax(-1)
    return weights @ v
""",
    solution="""
def test_attend(attend):
    rng = np.random.default_rng(0)
    numbers = rng.standard_normal((6, 4))
    weights = [ml.Tensor(rng.standard_normal((4, 3))) for _ in range(3)]
    for t in range(6):
        x = ml.Tensor(numbers, requires_grad=True)
        attend(x, *weights)[t].sum().backward()
        reach = np.abs(x.grad.numpy()).max(axis=1)
        assert (reach[t + 1 :] == 0).all(), f"output {t} depends on a later input"
        assert (reach[: t + 1] > 0).all(), f"output {t} sees too little"
""",
    name="test_attend",
    hint="One backward pass per position. For which positions would a mask that lets one character too many through be found out?",
    derivation=r"""
If output $y_t$ depends only on $x_s$ with $s \le t$, then $\partial y_t / \partial x_s = 0$ for $s > t$, whatever the numbers are. The
reverse holds except where a derivative happens to vanish (a dead ReLU), so random weights are the better place for the test. Weights of
masked positions are exactly 0 after softmax, and so are the gradients: no tolerance is needed. All $t$ are asked, since a leak may show at
some positions only.
""",
    wrong=(
        Wrong("sees-the-future", "scores.masked_fill(future, -np.inf).softmax(-1)", "scores.softmax(-1)"),
        Wrong("mask-off-by-one", "bool), 1)", "bool), 2)", why="Each position sees the next one, too."),
        Wrong(
            "mask-after-softmax",
            "scores.masked_fill(future, -np.inf).softmax(-1)",
            "scores.softmax(-1).masked_fill(future, 0.0)",
        ),
        Wrong("mask-transposed", "scores.masked_fill(future, -np.inf)", "scores.masked_fill(future.T, -np.inf)"),
        Wrong(
            "softmax-over-wrong-axis",
            "-np.inf).softmax(-1)",
            "-np.inf).softmax(0)",
            why="Softmax runs over the queries: the denominator of a weight holds queries of later positions.",
        ),
        Wrong(
            "mask-zero-for-minus-infinity",
            "future, -np.inf",
            "future, 0.0",
            why="A score of 0 is a score like any other: the future keeps a weight.",
        ),
        Wrong(
            "mean-over-time",
            "q, k, v = x @ W_q, x @ W_k, x @ W_v\n",
            "x = x - x.mean(0, keepdim=True)\n    q, k, v = x @ W_q, x @ W_k, x @ W_v\n",
            why="The mean over all positions was subtracted, and holds the later ones.",
            look="Which axis is the time?",
        ),
    ),
    setup="import numpy as np\n\nimport minilm as ml\n",
    after="Give the test a whole `ml.models.GPT`, from the embedded inputs on.",
)


def head(T: int, n: int, d: int, scale: float = 1.0) -> Inputs:
    """Draws the three matrices of a head, and the inputs of T positions."""
    return lambda rng: (*(rng.standard_normal((n, d)) for _ in range(3)), scale * rng.standard_normal((T, n)))


def step_by_step(answer: Any, W_q: Any, W_k: Any, W_v: Any, X: Any) -> Any:
    """The outputs of one head, a position at a time."""
    cached = answer(W_q, W_k, W_v)
    return np.array([np.array(cached.step(x)) for x in X])


def two_texts(answer: Any, W_q: Any, W_k: Any, W_v: Any, X: Any) -> Any:
    """Two heads with the same matrices read two texts in turns."""
    one, other = answer(W_q, W_k, W_v), answer(W_q, W_k, W_v)
    return np.array([np.array(part) for x in X for part in (one.step(x), other.step(-2 * x))])


CACHED_HEAD = Task(
    id="5.19",
    title="A head that remembers",
    kind="code",
    minutes=40,
    difficulty=3,
    practises="a KV cache, state in a class",
    statement=r"""
A model that writes asks for one more position each time. The keys and values of the earlier ones do not change, so they are kept.

Write the class `CachedHead(W_q, W_k, W_v)` with a method `step(x)`: it takes the input of the next position, `(n,)`, and returns the
head's output there, `(d,)`. After $t$ steps it has returned, one by one, the $t$ rows of (4.27) for the whole text. Keys and values are
computed once per position; the queries go with $q = x\, W_Q$, and so on. Two heads at work side by side do not disturb each other.
""",
    stub='''
class CachedHead:
    """One causal attention head that keeps its keys and values.

    W_q, W_k, W_v: (n, d).
    """

    def __init__(self, W_q, W_k, W_v):
        raise NotImplementedError

    def step(self, x):
        """The output (d,) at the next position, whose input is x (n,)."""
        raise NotImplementedError
''',
    solution="""
class CachedHead:
    def __init__(self, W_q, W_k, W_v):
        self.W_q, self.W_k, self.W_v = W_q, W_k, W_v
        self.keys, self.values = [], []

    def step(self, x):
        q = x @ self.W_q
        self.keys.append(x @ self.W_k)
        self.values.append(x @ self.W_v)
        s = np.array(self.keys) @ q / np.sqrt(len(q))
        p = np.exp(s - s.max())
        return p @ np.array(self.values) / p.sum()
""",
    name="CachedHead",
    hint="Which of query, key and value of a position is needed again later? And is a mask needed, if the future is not there yet?",
    derivation=r"""
Row $t$ of (4.27) needs $q_t$ once, and $k_s$, $v_s$ for all $s \le t$. So a step computes one query, one key and one value, appends the
latter two, and attends over what is kept, its own position included. The sum over $s \le t$ is over all that is there, so no mask is
needed. A whole text costs $T$ products with the matrices instead of $1 + 2 + \dots + T$, for the price of $2 T d$ numbers of memory.
""",
    tests=(
        Test("one step", head(1, 3, 2), use=step_by_step, call="step(x) once"),
        Test("three steps", head(3, 4, 2), use=step_by_step, call="step(x) three times", labels={"d": 2, "n": 4}),
        Test(
            "a longer text",
            head(9, 5, 3),
            use=step_by_step,
            call="step(x) nine times",
            points=2,
            labels={"d": 3, "n": 5},
        ),
        Test("two heads side by side", head(3, 4, 2), use=two_texts, call="step(x) of two heads in turns", hidden=True),
        Test("large scores", head(4, 6, 3, scale=100), use=step_by_step, call="step(x) four times", hidden=True),
    ),
    wrong=(
        Wrong(
            "cache-overwritten",
            "self.keys.append(x @ self.W_k)\n        self.values.append(x @ self.W_v)",
            "self.keys = [x @ self.W_k]\n        self.values = [x @ self.W_v]",
        ),
        Wrong("scale-forgotten", "np.array(self.keys) @ q / np.sqrt(len(q))", "np.array(self.keys) @ q"),
        Wrong("scale-by-d-not-its-root", "np.sqrt(len(q))", "len(q)"),
        Wrong("scale-by-the-wrong-size", "np.sqrt(len(q))", "np.sqrt(len(x))"),
        Wrong("softmax-not-stable", "s - s.max()", "s"),
        Wrong(
            "mutable-default",
            """W_v):
        self.W_q, self.W_k, self.W_v = W_q, W_k, W_v
        self.keys, self.values = [], []""",
            """W_v, keys=[], values=[]):
        self.W_q, self.W_k, self.W_v = W_q, W_k, W_v
        self.keys, self.values = keys, values""",
        ),
        Wrong(
            "scale-by-the-wrong-size",
            "np.sqrt(len(q))",
            "np.sqrt(len(self.keys))",
            why="It was divided by the root of the number of positions so far. What is summed in a score is the width d.",
            look="The size under the root.",
        ),
    ),
    after="Keep one array with room for T positions instead of lists. What has to be counted then?",
)


def pieces(T: int, d: int, e: int, size: int) -> Inputs:
    """Draws a query, keys and values, and the size of a block."""
    return normal((d,), (T, d), (T, e), then=(size,))


def in_blocks(answer: Any, q: Any, K: Any, V: Any, size: int) -> Any:
    """The answer gets the blocks one after the other, in the same place of memory: who keeps them all keeps the last."""

    def blocks() -> Iterator[tuple[Any, Any]]:
        room_K, room_V = np.empty_like(K[:size]), np.empty_like(V[:size])
        for begin in range(0, len(K), size):
            there = min(size, len(K) - begin)
            room_K[:there], room_V[:there] = K[begin : begin + size], V[begin : begin + size]
            yield room_K[:there], room_V[:there]
            room_K[:], room_V[:] = np.nan, np.nan

    return answer(q, blocks())


def large(rng: Generator) -> tuple[Any, ...]:
    """Scores in the thousands, of both signs; the largest one in the second of four blocks."""
    K = 300 * rng.standard_normal((12, 4))
    K[4] = 1000
    return np.ones(4), K, rng.standard_normal((12, 3)), 3


def rising(rng: Generator) -> tuple[Any, ...]:
    """Keys whose scores grow from block to block, so that each block has a new maximum."""
    return np.array([2.0, 0.0, 0.0, 0.0]), np.outer(np.arange(6.0), np.ones(4)), rng.standard_normal((6, 3)), 2


BLOCKWISE = Task(
    id="5.20",
    title="Attention in pieces",
    kind="code",
    minutes=40,
    difficulty=3,
    practises="softmax in one pass, rescaling a running sum",
    statement=r"""
The keys and values of a long text do not fit into fast memory at once. Write `attend(q, blocks)`: `blocks` is an iterator over pairs
`(K, V)`, `K` `(B, d)` and `V` `(B, e)`; it can be read once, and a block is overwritten as soon as the next one is asked for. The result is
attention of the query $q$ over all blocks together, $\sum_s p_s v_s$ with $p = \operatorname{softmax}(K q / \sqrt d)$ over all keys.

It must be stable: scores of 1000 give no `nan`. So the largest score is needed, and it is not known before the end.
""",
    stub='''
def attend(q, blocks):
    """Attention of one query over keys and values that come in blocks.

    q: (d,); blocks: iterator of (K (B, d), V (B, e)), at least one. Returns (e,).
    """
    raise NotImplementedError
''',
    solution="""
def attend(q, blocks):
    top, total, y = -np.inf, 0.0, 0.0
    for K, V in blocks:
        s = K @ q / np.sqrt(len(q))
        new = max(top, s.max())
        p, shrink = np.exp(s - new), np.exp(top - new)
        total = total * shrink + p.sum()
        y = y * shrink + p @ V
        top = new
    return y / total
""",
    name="attend",
    hint="Carry the largest score so far, and two sums that are meant relative to it. What if a larger score comes?",
    derivation=r"""
With $M$ the largest score so far, keep $Z = \sum_s e^{s_s - M}$ and $y = \sum_s e^{s_s - M} v_s$. If a block brings a larger maximum
$M'$, then $e^{s - M'} = e^{s - M} e^{M - M'}$ for all that was added before, so both sums are multiplied by $e^{M - M'} \le 1$, and
the block is added relative to $M'$. At the end $y / Z$ is independent of $M$, as in (4.3). For the first block $M = -\infty$, and the
factor is $e^{-\infty} = 0$. This is the core of FlashAttention (Dao et al. 2022): memory for one block instead of $T$ scores.
""",
    tests=(
        Test("one block", pieces(2, 4, 1, 2), use=in_blocks, call="attend(q, one block of 2)"),
        Test(
            "two blocks",
            pieces(4, 3, 2, 2),
            use=in_blocks,
            call="attend(q, two blocks of 2)",
            labels={"d": 3, "the block": 2},
        ),
        Test(
            "scores that grow",
            rising,
            use=in_blocks,
            call="attend(q, three blocks of 2)",
            labels={"d": 4, "the block": 2},
        ),
        Test(
            "a last block that is smaller",
            pieces(11, 5, 3, 4),
            use=in_blocks,
            call="attend(q, blocks of 4, 4 and 3)",
            hidden=True,
        ),
        Test(
            "large scores",
            large,
            points=2,
            use=in_blocks,
            call="attend(q, four blocks of 3)",
            hidden=True,
        ),
    ),
    wrong=(
        Wrong("maximum-not-carried", "total * shrink + p.sum()", "total + p.sum()"),
        Wrong(
            "maximum-not-carried",
            "y * shrink + p @ V",
            "y + p @ V",
            why="The sum of the values so far was not made smaller when a larger score came.",
            look="Both running sums are meant relative to the largest score so far.",
        ),
        Wrong(
            "softmax-not-stable",
            "new = max(top, s.max())",
            "new = 0.0",
            why="No maximum was subtracted: exp of a large score overflows.",
        ),
        Wrong("scale-forgotten", "K @ q / np.sqrt(len(q))", "K @ q"),
        Wrong("scale-by-d-not-its-root", "np.sqrt(len(q))", "len(q)"),
        Wrong(
            "mean-of-means",
            """p, shrink = np.exp(s - new), np.exp(top - new)
        total = total * shrink + p.sum()
        y = y * shrink + p @ V
""",
            """p = np.exp(s - s.max())
        total, y = total + 1, y + p @ V / p.sum()
""",
            why="Softmax was taken in each block for itself, and the blocks' outputs were averaged, whatever their scores.",
            look="The sum of the weights over all blocks, and how a block's share of it follows.",
        ),
        Wrong(
            "view-returned",
            "for K, V in blocks:",
            "for K, V in list(blocks):",
            why="The blocks were collected first. Each one is overwritten when the next is asked for, so all of them are the last.",
            look="Use a block before you ask for the next one.",
        ),
    ),
    after="Take a block of queries `(M, d)` at once, with one maximum per query.",
)

TASKS = (MASK_TOO_LATE, LOOKS_AHEAD, CACHED_HEAD, BLOCKWISE)
