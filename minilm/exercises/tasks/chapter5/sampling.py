"""From a model's numbers to text: temperature, top-k, top-p, drawing, and the loop around them."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter5.given import Inputs, normal, own


def rows(*lines: list[float], then: tuple[Any, ...] = (), dtype: str = "float64") -> Inputs:
    """A given array, one row per line, then what else the call takes."""
    return lambda rng: (np.array(lines, dtype), *then)


TEMPERATURE = Task(
    id="5.14",
    title="Temperature, down to zero",
    kind="code",
    minutes=10,
    difficulty=1,
    practises="softmax, stability, a limit taken by hand",
    statement=r"""
Write `with_temperature(logits, tau)`: the probabilities $\operatorname{softmax}(x / \tau)$ of each row, for $\tau > 0$. For
$\tau = 0$ it gives the limit: probability 1 for the largest logit of the row (the first one, if several are equal), 0 for the others.

Logits of 1000 and temperatures of 0.01 must not give `nan` or a warning.
""",
    stub='''
def with_temperature(logits, tau):
    """Probabilities at a temperature.

    logits: (N, V); tau >= 0.
    Returns (N, V), of the dtype of logits; each row sums to 1.
    """
    raise NotImplementedError
''',
    solution="""
def with_temperature(logits, tau):
    if tau == 0:
        return np.eye(logits.shape[1], dtype=logits.dtype)[logits.argmax(axis=1)]
    x = logits / tau
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
""",
    name="with_temperature",
    hint="Which number may be subtracted from a row without changing its softmax? And a row of 0s and one 1 is a row of which matrix?",
    derivation=r"""
By (4.3) a row's maximum can be subtracted, and it is the maximum *after* the division: then all exponents are at most 0, and nothing
overflows. With $\tau \to 0$ the differences $(x_i - x_{\max}) / \tau$ go to $-\infty$ except for the largest, whose exponent stays 0.
The formula itself cannot be used there: it divides by 0.
""",
    tests=(
        Test("one row, temperature 1", rows([0.0, 1.0, 2.0], then=(1.0,))),
        Test("one row, temperature 2", rows([0.0, 1.0, 2.0], then=(2.0,))),
        Test("a batch", normal((4, 3), then=(0.7,)), labels={"the batch": 4, "the vocabulary": 3}),
        Test("temperature 0", rows([1.0, 3.0, 3.0, 2.0], [0.0, -1.0, -2.0, -3.0], then=(0,)), hidden=True),
        Test("large logits, small temperature", normal((2, 5), then=(0.01,), scale=1000), hidden=True),
        Test("float32", normal((3, 4), then=(1.5,), dtype="float32"), hidden=True),
    ),
    wrong=(
        Wrong("temperature-multiplied", "logits / tau", "logits * tau"),
        Wrong(
            "temperature-after-softmax",
            "x = logits / tau\n    e = np.exp(x - x.max(axis=1, keepdims=True))\n    return e / e.sum(axis=1, keepdims=True)",
            "e = np.exp(logits - logits.max(axis=1, keepdims=True))\n    return e / e.sum(axis=1, keepdims=True) / tau",
        ),
        Wrong("softmax-not-stable", "x - x.max(axis=1, keepdims=True)", "x"),
        Wrong("maximum-of-the-whole-array", "x.max(axis=1, keepdims=True)", "x.max()"),
        Wrong(
            "ties-to-the-larger-index",
            "logits.argmax(axis=1)",
            "logits.shape[1] - 1 - logits[:, ::-1].argmax(axis=1)",
            why="Of equal logits the last one was taken.",
            look="Temperature 0 with two equal largest logits.",
        ),
        Wrong(
            "",
            "    if tau == 0:\n        return np.eye(logits.shape[1], dtype=logits.dtype)[logits.argmax(axis=1)]\n",
            "",
            why="The temperature 0 needs a case of its own: x / 0 is no number.",
            look="What is divided by tau.",
        ),
        Wrong(
            "max-gradient-to-all",
            "np.eye(logits.shape[1], dtype=logits.dtype)[logits.argmax(axis=1)]",
            "(logits == logits.max(axis=1, keepdims=True)).astype(logits.dtype)",
            why="Several equal logits get 1 each, so the row sums to more than 1. The first of them gets all.",
            look="A row with two equal largest logits.",
        ),
    ),
    after="Draw entropy against temperature for the character model's logits after 'the ' and after 'q'.",
)

TOP_K = Task(
    id="5.15",
    title="The k best",
    kind="code",
    minutes=10,
    difficulty=2,
    practises="sorting by index, ties",
    statement=r"""
Write `top_k(logits, k)`: in each row the $k$ largest logits stay, and all others become $-\infty$, so that softmax gives them 0.

Exactly $k$ stay, also where logits are equal: of equal ones those with the smaller index. With $k \ge V$ nothing changes. The input
array is left as it is.
""",
    stub='''
def top_k(logits, k):
    """All logits but the k largest of each row become -inf.

    logits: (N, V); k >= 1. Returns a new array (N, V).
    float32 gives float32.
    """
    raise NotImplementedError
''',
    solution="""
def top_k(logits, k):
    best = np.argsort(-logits, axis=1, kind="stable")[:, :k]
    kept = np.full_like(logits, -np.inf)
    np.put_along_axis(kept, best, np.take_along_axis(logits, best, axis=1), axis=1)
    return kept
""",
    name="top_k",
    hint="A threshold keeps too many where logits are equal. What does a *stable* sort promise about equal elements?",
    derivation=r"""
A stable sort of $-x$ leaves equal elements in their order, so the first $k$ indices are the $k$ largest with ties going to the
smaller index. The threshold $x \ge x_{(k)}$ keeps everything equal to the $k$-th. To reverse an ascending sort is not the same: it
reverses the order of the equal ones, too.
""",
    tests=(
        Test("one row", rows([1.0, 3.0, 2.0], then=(1,)), fresh=True),
        Test("a batch", normal((3, 6), then=(2,)), fresh=True, labels={"the batch": 3, "k": 2, "the vocabulary": 6}),
        Test("equal logits", rows([2.0, 1.0, 2.0, 2.0], then=(2,)), fresh=True, hidden=True),
        Test("more than there are", rows([0.5, -1.0], [2.0, 3.0], then=(5,)), fresh=True, hidden=True),
        Test("large and negative", normal((2, 5), then=(3,), scale=1e4, dtype="float32"), fresh=True, hidden=True),
    ),
    wrong=(
        Wrong(
            "top-k-keeps-ties",
            "return kept",
            "last = np.take_along_axis(logits, best[:, -1:], axis=1)\n    return np.where(logits >= last, logits, kept)",
        ),
        Wrong("top-k-smallest", "np.argsort(-logits,", "np.argsort(logits,"),
        Wrong(
            "mask-zero-for-minus-infinity",
            "np.full_like(logits, -np.inf)",
            "np.zeros_like(logits)",
            why="The others became 0. That is a logit like any other: softmax gives it a probability.",
        ),
        Wrong("range-off-by-one", "[:, :k]", "[:, : k + 1]", why="One logit too many stays."),
        Wrong(
            "ties-to-the-larger-index",
            'np.argsort(-logits, axis=1, kind="stable")[:, :k]',
            'np.argsort(logits, axis=1, kind="stable")[:, ::-1][:, :k]',
            why="Of equal logits the ones with the larger index were kept: turning round an ascending sort turns round the equal ones too.",
            look="The test with equal logits.",
        ),
        Wrong(
            "input-changed-in-place",
            "np.full_like(logits, -np.inf)\n",
            "logits\n    kept[np.argsort(np.argsort(-logits)) >= k] = -np.inf\n",
        ),
    ),
    after="`np.argpartition` needs no full sort. What does it promise about equal elements?",
)

TOP_P = Task(
    id="5.16",
    title="The nucleus",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="cumulative sums, the element that crosses a bound",
    statement=r"""
Write `top_p(p, share)` for one vector of probabilities: keep the most probable tokens, as few as have together *at least* the
probability `share`, set all others to 0, and divide by the sum of the kept ones. Tokens of the same probability are taken in the
order of their index.

For `p = [0.125, 0.5, 0.25, 0.125]` and `share = 0.6` two tokens stay, and the result is `[0, 2/3, 1/3, 0]`; for `share = 0.5` one.
""",
    stub='''
def top_p(p, share):
    """The distribution limited to its most probable tokens.

    p: (V,), sums to 1; 0 < share <= 1. Returns a new array (V,) that sums to 1.
    """
    raise NotImplementedError
''',
    solution="""
def top_p(p, share):
    order = np.argsort(-p, kind="stable")
    before = np.cumsum(p[order]) - p[order]
    kept = order[before < share]
    cut = np.zeros_like(p)
    cut[kept] = p[kept]
    return cut / cut.sum()
""",
    name="top_p",
    hint="Ask of each token not how much there is with it, but how much there was before it.",
    derivation=r"""
Sort by falling probability, and let $c_i$ be the sum of the tokens *before* the $i$-th. As long as $c_i < $ `share` the $i$-th is
needed. The first has $c_1 = 0$ and always stays. The condition on the sum *with* the token, $c_i + p_i \le $ `share`, leaves out the
token that crosses the bound, and leaves nothing at all where the first one has more than `share`.
""",
    tests=(
        Test("the example", lambda rng: (np.array([0.125, 0.5, 0.25, 0.125]), 0.6), fresh=True),
        Test("exactly the share", lambda rng: (np.array([0.125, 0.5, 0.25, 0.125]), 0.5), fresh=True),
        Test("one token has more than the share", lambda rng: (np.array([0.0625, 0.0625, 0.875]), 0.25), fresh=True),
        Test("a longer vector", lambda rng: (rng.dirichlet(np.ones(9)), 0.8), fresh=True, labels={"the vocabulary": 9}),
        Test("equal probabilities", lambda rng: (np.full(8, 0.125), 0.3), fresh=True, hidden=True),
        Test("everything", lambda rng: (np.array([0.25, 0.0625, 0.625, 0.0625]), 1.0), fresh=True, hidden=True),
    ),
    wrong=(
        Wrong(
            "top-p-without-the-crossing-one",
            "- p[order]\n    kept = order[before < share]",
            "\n    kept = order[before <= share]",
        ),
        Wrong("top-p-not-renormalized", "return cut / cut.sum()", "return cut"),
        Wrong(
            "top-p-one-too-many",
            "before < share",
            "before <= share",
            why="Where the tokens before have exactly the share, one more was kept.",
            look="`share` = 0.5 and a first token of probability 0.5: is a second one needed?",
        ),
        Wrong(
            "top-p-smallest",
            "np.argsort(-p,",
            "np.argsort(p,",
            why="The least probable tokens were taken first.",
            look="The order of the sort.",
        ),
        Wrong(
            "",
            'np.argsort(-p, kind="stable")',
            "np.arange(len(p))",
            why="The tokens were taken in the order of the vocabulary, without sorting.",
            look="Which token comes first in the sum?",
        ),
        Wrong(
            "sorted-order-kept",
            "cut[kept] = p[kept]",
            "cut[: len(kept)] = p[kept]",
            why="The result stands in the order of the sort, and no longer in that of the vocabulary.",
            look="The place of each kept probability.",
        ),
        Wrong(
            "ties-to-the-larger-index",
            'np.argsort(-p, kind="stable")',
            'np.argsort(p, kind="stable")[::-1]',
            why="A sort that is turned round turns the ties round too: of equal tokens the last index comes first.",
            look="Sort -p, with a stable sort.",
        ),
    ),
    after="Write it for a batch `(N, V)`: `np.take_along_axis` goes there, `np.put_along_axis` back.",
)

SAMPLE = Task(
    id="5.17",
    title="One uniform number, one token",
    kind="code",
    minutes=10,
    difficulty=2,
    practises="inverse of the cumulative distribution",
    statement=r"""
Write `draw(p, u)`: one token per row of `p`, chosen by the row's number $u$ from $[0, 1)$. It is the smallest $i$ with
$u < p_0 + \dots + p_i$. So a token of probability 0 never comes, not even for $u = 0$.

Rounding can leave the sum of a row a little below 1, and $u$ above it: then the last token of the row is taken.

For `p = [[0.5, 0.25, 0.25]]` the numbers 0.4, 0.5 and 0.8 give the tokens 0, 1 and 2.
""",
    stub='''
def draw(p, u):
    """Draws a token per row.

    p: (N, V), rows that sum to 1; u: (N,), from 0 to below 1.
    Returns (N,) integers.
    """
    raise NotImplementedError
''',
    solution="""
def draw(p, u):
    c = np.cumsum(p, axis=1)
    i = (c <= u[:, None]).sum(axis=1)
    return np.minimum(i, p.shape[1] - 1)
""",
    name="draw",
    hint="The cumulative sums cut the line from 0 to 1 into pieces of lengths $p_i$. How many pieces end before $u$?",
    derivation=r"""
With $c_i = p_0 + \dots + p_i$ the wanted token is the first with $u < c_i$; since $c$ does not fall, its index is the number of
$c_i \le u$. Token $i$ is chosen for $c_{i-1} \le u < c_i$, an interval of length $p_i$: for uniform $u$ this has probability $p_i$,
and where $p_i = 0$ the interval is empty. With $c_i < u$ instead, $u = 0$ would choose token 0 whatever its probability.
""",
    tests=(
        Test("the example", lambda rng: (np.array([[0.5, 0.25, 0.25]] * 3), np.array([0.4, 0.5, 0.8]))),
        Test("a batch", lambda rng: (rng.dirichlet(np.ones(5), size=8), rng.random(8)), points=2),
        Test("a first token of probability 0", lambda rng: (np.array([[0.0, 0.5, 0.5]]), np.array([0.0])), hidden=True),
        Test("at the bounds", lambda rng: (np.full((4, 4), 0.25), np.array([0.0, 0.25, 0.5, 0.75])), hidden=True),
        Test(
            "a sum a little below 1",
            lambda rng: (np.full((1, 10), 0.1), np.array([np.nextafter(1.0, 0.0)])),
            hidden=True,
        ),
    ),
    wrong=(
        Wrong("argmax-for-sample", "i = (c <= u[:, None]).sum(axis=1)", "i = p.argmax(axis=1)"),
        Wrong("sampled-without-cumulative", "np.cumsum(p, axis=1)", "p"),
        Wrong(
            "",
            "c <= u",
            "c < u",
            why="At a bound, u = c_i, token i was taken; the next one begins there. For u = 0 a token of probability 0 can come.",
            look="u = 0.5 in the example.",
        ),
        Wrong(
            "",
            "np.minimum(i, p.shape[1] - 1)",
            "i",
            why="Ten times 0.1 is a little less than 1 in floats: the index points beyond the vocabulary.",
            look="What happens where no cumulative sum exceeds u?",
        ),
        Wrong("wrong-axis", "np.cumsum(p, axis=1)", "np.cumsum(p, axis=0)"),
        Wrong(
            "",
            "i = (c <= u[:, None]).sum(axis=1)",
            "i = (c > u[:, None]).argmax(axis=1)",
            why="Where no sum is above u, `argmax` of nothing but False is 0, the first token. The last one is asked for.",
            look="A row whose sum is a little below 1.",
        ),
    ),
    after="Draw 10,000 tokens from a bigram row and compare the shares with its probabilities: how large may the difference be?",
)


def chain(prompt: list[int], n: int, stop: int, T: int) -> Inputs:
    """Draws a table of probabilities that stands for a model; the prompt and the limits; a generator for the answer."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        return rng.dirichlet(np.ones(6), size=6), list(prompt), n, stop, T, own(rng)

    return inputs


def generated(answer: Any, table: Any, prompt: list[int], n: int, stop: int, T: int, rng: Generator) -> Any:
    """The ids, and the contexts that the model was asked with."""
    asked = []

    def model(context: Any) -> Any:
        asked.append([int(i) for i in context])
        return table[sum(asked[-1]) % len(table)]

    return answer(model, prompt, n, stop, T, rng), asked


GENERATE = Task(
    id="5.18",
    title="The loop that writes",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="autoregression, a limited context, a stop",
    statement=r"""
Write `generate(model, prompt, n, stop, T, rng)`. `model(context)` takes a list of at most $T$ ids and gives the probabilities `(V,)`
of the next one. Repeat at most $n$ times: ask the model with the last $T$ ids, draw $u$ with one call `rng.random()`, take the
smallest $i$ with $u < p_0 + \dots + p_i$, append it; if it is `stop`, end (it stays in the result).

Return prompt and continuation as one new list. The prompt has at least one id; a `stop` within it does not count.
""",
    stub='''
def generate(model, prompt, n, stop, T, rng):
    """Continues a prompt token by token.

    model: list of at most T int -> (V,) probabilities; prompt: list of int.
    Returns a list of int.
    """
    raise NotImplementedError
''',
    solution="""
def generate(model, prompt, n, stop, T, rng):
    ids = list(prompt)
    for _ in range(n):
        p = model(ids[-T:])
        u = rng.random()
        ids.append(int((np.cumsum(p) <= u).sum()))
        if ids[-1] == stop:
            break
    return ids
""",
    name="generate",
    hint="One list that grows is all the state there is. What belongs to the caller, and must not grow?",
    derivation=r"""
The model gives $p(x_{t+1} \mid x_{t-T+1}, \dots, x_t)$, and the product of these factors is the probability of the continuation. So
each drawn token joins the context of the next, and the context is cut to the $T$ positions that the model was trained with. Cutting
the list itself would lose the prompt from the result.
""",
    tests=(
        Test("one token", chain([2], 1, 99, 4), use=generated, call="generate(model, prompt, 1, stop, 4, rng)"),
        Test("some tokens", chain([1, 2], 5, 99, 8), use=generated, call="generate(model, prompt, 5, stop, 8, rng)"),
        Test("longer than the context", chain([1, 2, 3, 0], 8, 99, 3), use=generated, hidden=True, points=2),
        Test("until the stop", chain([4], 200, 4, 3), use=generated, hidden=True),
        Test("nothing to write", chain([0, 5], 0, 5, 3), use=generated, hidden=True),
    ),
    wrong=(
        Wrong("argmax-for-sample", "int((np.cumsum(p) <= u).sum())", "int(np.argmax(p))"),
        Wrong("random-not-from-the-generator", "rng.random()", "np.random.default_rng(0).random()"),
        Wrong(
            "",
            "ids[-T:]",
            "list(prompt)[-T:]",
            why="The model was asked with the prompt each time; what was drawn never reached it.",
            look="What the model gets in the second round.",
        ),
        Wrong(
            "",
            "ids[-T:]",
            "ids",
            why="The model got more ids than it has positions.",
            look="The length of the context once more than T ids are there.",
        ),
        Wrong("input-changed-in-place", "list(prompt)", "prompt"),
        Wrong(
            "",
            "break",
            "return ids[:-1]",
            why="The stop token is missing at the end of the result.",
            look="The statement: the stop stays.",
        ),
        Wrong(
            "",
            "range(n)",
            "range(n - len(ids))",
            why="n was taken for the whole length, prompt included. It counts the new tokens.",
            look="How many tokens are to be written after a prompt of 3 with n = 5.",
        ),
    ),
    after="Let it write with the bigram of this chapter, at temperatures 0.5, 1 and 2.",
)

TEST_TOP_P = Task(
    id="5.33",
    title="A test for top_p",
    kind="write the test",
    minutes=20,
    difficulty=2,
    practises="cases at a bound",
    statement=r"""
Write `test_top_p(top_p)`. It is given a function `top_p(p, share)` as in 5.16: of one vector of probabilities it keeps the most
probable tokens, as few as have together at least the probability `share`, of equal ones those with the smaller index; all others
become 0, and the rest is divided by its sum. The input stays as it is.

Your test passes the right function and raises `AssertionError` for each of several wrong ones. Write cases whose results you know
without a second implementation.
""",
    stub='''
def test_top_p(top_p):
    """Raises AssertionError where top_p is wrong."""
    result = top_p(np.array([0.5, 0.25, 0.25]), 0.9)
''',
    subject="""
def top_p(p, share):
    order = np.argsort(-p, kind="stable")
    before = np.cumsum(p[order]) - p[order]
    kept = order[before < share]
    cut = np.zeros_like(p)
    cut[kept] = p[kept]
    return cut / cut.sum()
""",
    solution="""
def test_top_p(top_p):
    cases = [
        ([0.125, 0.5, 0.25, 0.125], 0.6, [0, 2 / 3, 1 / 3, 0]),
        ([0.125, 0.5, 0.25, 0.125], 0.5, [0, 1, 0, 0]),
        ([0.0625, 0.0625, 0.875], 0.25, [0, 0, 1]),
        ([0.25, 0.25, 0.25, 0.25], 0.3, [0.5, 0.5, 0, 0]),
        ([0.25, 0.0625, 0.6875], 1.0, [0.25, 0.0625, 0.6875]),
    ]
    for p, share, expected in cases:
        given = np.array(p)
        result = top_p(given, share)
        assert np.allclose(result, expected), (p, share, result)
        assert given.tolist() == p
""",
    name="test_top_p",
    hint="What happens exactly at the bound, beyond it with the first token, with equal tokens? And to the array that was given?",
    derivation=r"""
Multiples of 1/16 are exact in floats, so that a sum meets the bound exactly where it is meant to. An unsorted vector tells sorted
from unsorted and the right places from the sort's places; a bound between two sums tells whether the crossing token stays; a bound on a
sum whether one too many does.
""",
    wrong=(
        Wrong(
            "top-p-without-the-crossing-one",
            "order[before < share]",
            "order[: max(1, (np.cumsum(p[order]) <= share).sum())]",
        ),
        Wrong("top-p-not-renormalized", "return cut / cut.sum()", "return cut"),
        Wrong(
            "top-p-one-too-many",
            "before < share",
            "before <= share",
            why="Exactly at the share one token too many stays.",
            look="A sum that equals the share.",
        ),
        Wrong(
            "top-p-smallest",
            "np.argsort(-p,",
            "np.argsort(p,",
            why="The least probable tokens stay.",
            look="A case in which the largest is known to stay.",
        ),
        Wrong(
            "sorted-order-kept",
            "cut[kept] = p[kept]",
            "cut[: len(kept)] = p[kept]",
            why="The result is in the order of the sort.",
            look="An unsorted vector.",
        ),
        Wrong("input-changed-in-place", "np.zeros_like(p)\n", "p\n    cut[order[before >= share]] = 0\n"),
        Wrong(
            "ties-to-the-larger-index",
            'np.argsort(-p, kind="stable")',
            'np.argsort(p, kind="stable")[::-1]',
            why="Of equal tokens those with the larger index stay.",
            look="A case with equal probabilities.",
        ),
    ),
    after="Add the case of a vector of one token, and of a token of probability 0 with share 1.",
)

TASKS = (TEMPERATURE, TOP_K, TOP_P, SAMPLE, GENERATE, TEST_TOP_P)
