"""MinHash: from sets of shingles to short signatures, and from signatures to how alike two documents are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter5.given import Inputs

P = 2**31 - 1


def _orders(rng: Generator, k: int) -> tuple[Any, Any]:
    return rng.integers(1, P, k), rng.integers(0, P, k)


def _documents(k: int, *counts: int, common: int = 0) -> Inputs:
    """Documents of so many shingles each, the first ones of which all share; and k orders."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        shared = rng.integers(0, P, common).tolist()
        found = [shared[:n] + rng.integers(0, P, n - len(shared[:n])).tolist() for n in counts]
        return [rng.permutation(document).tolist() for document in found], *_orders(rng, k)

    return inputs


def _given(documents: Sequence[Sequence[int]], a: Sequence[int], b: Sequence[int]) -> Inputs:
    return lambda rng: ([list(document) for document in documents], np.array(a), np.array(b))


MINHASH = Task(
    id="10.2",
    title="Signatures by MinHash",
    kind="code",
    minutes=40,
    difficulty=2,
    practises="MinHash, random orders, an estimate",
    statement=r"""
The shingles of a document are numbers $x$ from 0 to $P - 1$, with the prime $P = 2^{31} - 1$. Order $k$ puts shingle $x$ at place
$(a_k x + b_k) \bmod P$. A document's *signature* has one number per order: the smallest place among its shingles.

Write `minhash(documents, a, b)`. It returns the signatures, and a table of how alike each two documents are: the share of orders in
which their signatures have the same number.

A document without shingles has $P$ in every order, a place that no shingle has. It is like no document, also not like another empty
one, nor itself: its row and its column in the table are 0.
""",
    stub='''
def minhash(documents, a, b):
    """The signatures of documents, and how alike they say each two are.

    documents: a list of D lists of shingles, Python integers.
    a, b: (k,), int64: the orders.
    Returns signatures (D, k), integers, and likeness (D, D), floats.
    """
    raise NotImplementedError
''',
    solution="""
def minhash(documents, a, b):
    signatures = np.full((len(documents), len(a)), P)
    for row, shingles in zip(signatures, documents):
        if len(shingles):
            places = (np.outer(shingles, a) + b) % P
            row[:] = places.min(axis=0)
    likeness = (signatures[:, None] == signatures).mean(axis=2)
    likeness[signatures[:, 0] == P] = 0
    return signatures, likeness
""",
    name="minhash",
    setup="import numpy as np\n\nP = 2**31 - 1\n",
    hint="""
For one document: a table of places, a row per shingle and a column per order. Over which axis is the smallest taken? For the second
result, compare `signatures[:, None]` with `signatures`: which shape has that?
""",
    derivation=r"""
In a random order each shingle of the union is first with the same probability. The two signatures have the same number in an order just
if the first of the union lies in both sets, and that has the probability $J = |A \cap B| / |A \cup B|$. So the share of $k$ orders is an
estimate of $J$, with the standard deviation $\sqrt{J (1 - J) / k}$.

Multiplication by $a_k \neq 0$ and addition of $b_k$ modulo a prime only permute the numbers $0 \dots P - 1$: no two shingles get one
place. Products stay below $2^{62}$, which int64 holds.

Two empty documents agree in all orders, in the number $P$. They say nothing of each other, so their rows are set to 0; with any other
document they agree nowhere, so the columns are 0 already.
""",
    tests=(
        Test("two orders by hand", _given([[4, 9], [5, 8]], [1, 1], [0, 1])),
        Test("one shingle in common", _given([[10, 20, 30], [20, 50]], [3, P - 1, 7], [5, 2, 0])),
        Test("near copies", _documents(40, 30, 32, common=26), points=2),
        Test("large numbers", _given([[P - 1, P - 2], [P - 2]], [P - 1, P - 5, 2], [P - 1, 0, P - 3]), hidden=True),
        Test("a document without shingles", _given([[7, 8], []], [5, 9], [1, 4]), hidden=True),
        Test("two without shingles", _given([[], [3], []], [5, 9], [1, 4]), hidden=True),
        Test("documents of many lengths", _documents(64, 50, 3, 1, 120, 0, common=3), hidden=True),
    ),
    wrong=(
        Wrong(
            "",
            "places.min(axis=0)",
            "places.max(axis=0)",
            why="The largest place was kept, not the smallest.",
            look="What a signature holds of each order.",
        ),
        Wrong(
            "",
            "(np.outer(shingles, a) + b) % P",
            "np.bitwise_xor.outer(np.array(shingles), b)",
            why="The shingles were combined with b by exclusive or. That flips the same bits in all of them: no random order. And `a` "
            "plays no part.",
            look="The formula of a place.",
        ),
        Wrong(
            "",
            "(np.outer(shingles, a) + b) % P",
            "np.add.outer(np.array(shingles), b) % P",
            why="The shingles were only moved along by b, so that neighbors stay neighbors: no random order, and `a` plays no part.",
            look="The formula of a place.",
        ),
        Wrong("minhash-one-order-for-all", "(np.outer(shingles, a) + b)", "(np.outer(shingles, a * 0 + a[0]) + b[0])"),
        Wrong(
            "",
            "(np.outer(shingles, a) + b) % P",
            "np.outer(shingles, a) + b",
            why="The remainder is missing. Without it a larger shingle always has a larger place: all orders are one.",
            look="Which shingle is the first one in each of your orders? And brackets: % binds tighter than +.",
        ),
        Wrong(
            "",
            "likeness = (signatures[:, None] == signatures).mean(axis=2)",
            "sets = [set(numbers) for numbers in signatures.tolist()]\n    "
            "likeness = np.array([[len(s & t) / len(s | t) for t in sets] for s in sets])",
            why="The numbers of two signatures were compared as sets. Number k of one belongs with number k of the other, and the share "
            "is one of k orders.",
            look="How many orders there are: that is what the number of agreements is divided by.",
        ),
        Wrong(
            "",
            "likeness = (signatures[:, None] == signatures).mean(axis=2)",
            "sets = [set(shingles) for shingles in documents]\n    "
            "likeness = [[len(s & t) / max(1, len(s | t)) for t in sets] for s in sets]\n    "
            "likeness = np.array(likeness)",
            why="This is Jaccard's index of the documents themselves. Asked is what the signatures say of it: they are "
            "all that is kept of a document.",
            look="From what the second result is to be computed.",
        ),
        Wrong(
            "",
            "return signatures, likeness",
            "return signatures, np.triu(likeness, 1)",
            why="Only the pairs above the diagonal were filled in. The table is of each two: it has both halves and the diagonal.",
            look="likeness[1, 0] and likeness[0, 0].",
        ),
        Wrong(
            "",
            "(signatures[:, None] == signatures).mean(axis=2)",
            "np.array([[np.isin(s, t).mean() for t in signatures] for s in signatures])",
            why="A number was looked for anywhere in the other signature. Only the same order tells something.",
            look="Two orders by hand: 5 in the first order of one, and in the second of the other.",
        ),
        Wrong(
            "",
            "likeness[signatures[:, 0] == P] = 0",
            "empty = np.flatnonzero(signatures[:, 0] == P)\n    likeness[empty, empty] = 0",
            why="Two documents without shingles are still alike here; only each with itself is not.",
            look="Two of them: their four places in the table.",
        ),
        Wrong(
            "",
            "(np.outer(shingles, a) + b)",
            "(np.outer(shingles, a) + b[0])",
            why="b[0] was added in every order. Each order has its own.",
            look="Which index of b belongs to order k.",
        ),
        Wrong(
            "",
            "    likeness[signatures[:, 0] == P] = 0\n",
            "",
            why="Documents without shingles agree in all orders, in the number P, and so they count as copies.",
            look="The last paragraph of the statement.",
        ),
        Wrong(
            "",
            "np.full((len(documents), len(a)), P)",
            "np.zeros((len(documents), len(a)), int)",
            why="A document without shingles got 0, a place that a shingle may have, and two of them agree.",
            look="What an empty document has in every order.",
        ),
        Wrong(
            "",
            "    likeness[signatures[:, 0] == P] = 0\n",
            "    likeness[signatures[:, 0] == P] = 0\n    np.fill_diagonal(likeness, 1)\n",
            why="The diagonal was set to 1: a document without shingles was made like itself.",
            look="The last paragraph of the statement.",
        ),
        Wrong(
            "sum-for-mean",
            ".mean(axis=2)",
            ".sum(axis=2)",
            why="This is the number of orders in which two agree. Their share is asked.",
            look="A document and itself: 1.",
        ),
        Wrong(
            "integer-overflow",
            "np.outer(shingles, a)",
            "np.outer(np.array(shingles, np.int32), a.astype(np.int32))",
            why="Products of two numbers below 2^31 do not fit into 32 bits.",
            look="The dtype of the shingles before they are multiplied.",
        ),
        Wrong(
            "",
            "places.min(axis=0)",
            "places.min()",
            why="One number was taken for all orders: the smallest place of all.",
            look="The axis of the minimum.",
        ),
        Wrong(
            "wrong-axis",
            "places.min(axis=0)",
            "places.min(axis=1)",
            why="The smallest place was taken per shingle, over the orders. It is taken per order, over the shingles.",
            look="The shape of the table of places: a row per shingle.",
        ),
        Wrong(
            "",
            "(np.outer(shingles, a) + b) % P",
            "np.outer(shingles, a) % P + b",
            why="Only the product was reduced modulo P: brackets around the sum are missing.",
            look="% binds as tightly as *, and tighter than +.",
        ),
        Wrong(
            "",
            "places.min(axis=0)",
            "places.argmin(axis=0)",
            why="These are positions in the document's list. In another document the same shingle stands elsewhere.",
            look="`argmin` and `min`.",
        ),
        Wrong(
            "",
            "places.min(axis=0)",
            "np.array(shingles)[places.argmin(axis=0)]",
            why="These are the shingles that come first, and not their places. The table is right all the same.",
            look="What a signature holds of each order: the smallest place.",
        ),
    ),
    after="How many orders does it take to tell 0.8 from 0.7, twice the standard deviation apart? SlimPajama took 128.",
)

TASKS = (MINHASH,)
