"""An all-reduce by hand: the mean over ranks that stand in a ring, each of which sends to its neighbor only."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter5.given import Inputs, fixed
from minilm.exercises.tasks.chapter10.given import in_a_ring


def _gradients(ranks: int, n: int) -> Inputs:
    def inputs(rng: Generator) -> tuple[Any, ...]:
        return ([rng.standard_normal(n) for _ in range(ranks)],)

    return inputs


def _run(answer: Any, arrays: Any) -> Any:
    return in_a_ring(answer, arrays)


def _small(*rows: list[float]) -> Inputs:
    return fixed([np.array(row) for row in rows])


ALL_REDUCE = Task(
    id="10.7",
    title="An all-reduce by hand",
    kind="code",
    minutes=40,
    difficulty=3,
    practises="data-parallel training, a ring of ranks, what is sent",
    statement=r"""
Each of $p$ ranks has a gradient of $n$ numbers, and needs the mean of all. A rank sends to the next one only, the last to the first.
Write what one rank does, as a generator: `received = yield chunk` sends an array, and gives what the rank before has sent in
the same round. `in_a_ring(all_reduce, arrays)`, which you have, runs it on all ranks and counts the numbers that are sent.

Cut the gradient into $p$ chunks with `np.array_split`.

- *Reduce-scatter*, $p - 1$ rounds: send a chunk, and add what you receive to another. In the end each rank has one chunk's whole sum.
- *All-gather*, $p - 1$ rounds: the sums go around, each replaces what stood there.

In all $2 (p - 1)\, n$ numbers are sent. All ranks return the mean, in the order of $x$.
""",
    stub='''
def all_reduce(rank, ranks, x):
    """One rank's part: yields what it sends to the next one, returns the mean (n,).

    rank: its number, 0 .. ranks - 1. x: its own array, (n,), which it may change.
    """
    received = yield x[:0]  # sends nothing, gives what the rank before sent
    raise NotImplementedError
''',
    solution="""
def all_reduce(rank, ranks, x):
    chunks = np.array_split(x, ranks)
    for step in range(ranks - 1):
        sent = chunks[(rank - step) % ranks]
        chunks[(rank - step - 1) % ranks] += yield sent
    for step in range(ranks - 1):
        complete = chunks[(rank + 1 - step) % ranks]
        chunks[(rank - step) % ranks] = yield complete
    return np.concatenate(chunks) / ranks
""",
    name="all_reduce",
    setup="import numpy as np\n\nfrom minilm.exercises.tasks.chapter10.given import in_a_ring\n",
    hint="""
Three ranks, on paper. In the first round rank r sends chunk r, so it receives chunk r - 1, and adds it to its own. Which chunk must it
send in the second round, so that a sum grows? Which chunk is complete where, after two rounds?
""",
    derivation=r"""
In round $s = 0 \dots p - 2$ rank $r$ sends chunk $r - s$ and receives chunk $r - 1 - s$ (modulo $p$), the very one that it sends in the
next round. So each chunk travels around the ring and grows by one summand per round. After $p - 1$ rounds the sum of chunk $r + 1$ is
complete at rank $r$.

In the all-gather rank $r$ begins with that chunk: it sends $r + 1 - s$ and receives $r - s$, and replaces. After $p - 1$ rounds it has all.

In a round the ranks send each chunk once, $n$ numbers together; in $2 (p - 1)$ rounds $2 (p - 1)\, n$. Per rank these are less than $2 n$,
however many ranks there are. To pass whole gradients around would take $(p - 1)\, n$ per rank.
""",
    tests=(
        Test("two ranks", _small([1.0, 2.0], [30.0, 40.0]), use=_run, call="in_a_ring(all_reduce, arrays)"),
        Test(
            "three ranks",
            _small([1.0, 2.0, 4.0], [8.0, 16.0, 32.0], [64.0, 128.0, 256.0]),
            use=_run,
            call="in_a_ring(all_reduce, arrays)",
            points=2,
        ),
        Test("four ranks", _gradients(4, 12), use=_run, call="in_a_ring(all_reduce, arrays)", labels={"the ranks": 4}),
        Test(
            "sizes that do not divide",
            _gradients(4, 11),
            use=_run,
            call="in_a_ring(all_reduce, arrays)",
            labels={"the ranks": 4},
            hidden=True,
        ),
        Test("one rank", _gradients(1, 5), use=_run, call="in_a_ring(all_reduce, arrays)", hidden=True),
        Test("more ranks than numbers", _gradients(5, 3), use=_run, call="in_a_ring(all_reduce, arrays)", hidden=True),
        Test(
            "seven ranks",
            _gradients(7, 30),
            use=_run,
            call="in_a_ring(all_reduce, arrays)",
            labels={"the ranks": 7},
            hidden=True,
        ),
    ),
    wrong=(
        Wrong(
            "ring-one-round-short",
            "for step in range(ranks - 1):\n        sent",
            "for step in range(ranks - 2):\n        sent",
            why="The reduce-scatter has one round too few: no chunk has got the summands of all ranks.",
            look="Two ranks: how many rounds does the first part have?",
        ),
        Wrong(
            "",
            "for step in range(ranks - 1):\n        complete",
            "for step in range(ranks - 2):\n        complete",
            why="The all-gather has one round too few: each rank lacks one of the sums.",
            look="How many chunks a rank does not have when the all-gather begins.",
        ),
        Wrong(
            "",
            "    for step in range(ranks - 1):\n        complete = chunks[(rank + 1 - step) % ranks]\n"
            "        chunks[(rank - step) % ranks] = yield complete\n",
            "",
            why="The all-gather is missing: each rank has one complete sum, and the others are in the middle of their way.",
            look="The second part of the statement.",
        ),
        Wrong("averaged-twice", "np.array_split(x, ranks)", "np.array_split(x / ranks, ranks)"),
        Wrong(
            "",
            "np.concatenate(chunks) / ranks",
            "np.concatenate(chunks)",
            why="This is the sum over the ranks. Their mean is asked.",
            look="The gradient of the whole batch is the mean of those of its parts.",
        ),
        Wrong(
            "neighbors-own-chunk-sent",
            "    for step in range(ranks - 1):\n        sent = chunks[(rank - step) % ranks]\n",
            "    own = np.array_split(x.copy(), ranks)\n    for step in range(ranks - 1):\n"
            "        sent = own[(rank - step) % ranks]\n",
        ),
        Wrong(
            "",
            "np.array_split(x, ranks)",
            "np.split(x, ranks)",
            why="`np.split` cuts into equal parts only. The number of ranks need not divide n.",
            look="`np.array_split`.",
        ),
        Wrong(
            "",
            "np.array_split(x, ranks)",
            "[x[i * (len(x) // ranks) :][: len(x) // ranks] for i in range(ranks)]",
            why="Every chunk has n // p numbers, and what remains at the end is in none of them.",
            look="n = 11 and p = 4: 4 times 2 is 8.",
        ),
        Wrong(
            "",
            "sent = chunks[(rank - step) % ranks]",
            "sent = chunks[rank]",
            why="Each rank sends the same chunk in every round. It is to pass on the one that it has just added to.",
            look="Which chunk did it receive in the round before?",
        ),
        Wrong(
            "",
            "complete = chunks[(rank + 1 - step) % ranks]",
            "complete = chunks[(rank - step) % ranks]",
            why="The all-gather begins with a chunk that is not complete: after the reduce-scatter rank r has the sum of chunk r + 1.",
            look="Which chunk did a rank add to last?",
        ),
        Wrong(
            "",
            "chunks[(rank - step) % ranks] = yield complete",
            "chunks[(rank - step) % ranks] += yield complete",
            why="In the all-gather what is received was added. It is complete already, and replaces what stood there.",
            look="What the second part does with a chunk.",
        ),
        Wrong(
            "",
            "chunks[(rank - step - 1) % ranks] += yield sent",
            "chunks[(rank - step + 1) % ranks] += yield sent",
            why="What is received was added to the wrong chunk. The rank before has sent chunk r - 1 - s, not r + 1 - s.",
            look="What rank r - 1 sends in round s.",
        ),
        Wrong(
            "",
            "        chunks[(rank - step - 1) % ranks] += yield sent\n",
            "        received = yield sent\n        k = (rank - step - 1) % ranks\n        chunks[k] = (chunks[k] + received) / 2\n",
            why="The mean of two was taken in each round. A mean of means weighs the last rank by a half; add up, and divide once.",
            look="Three ranks: with which weight does each enter?",
        ),
        Wrong(
            "",
            "    chunks = np.array_split(x, ranks)\n",
            "    total = message = x\n    for step in range(ranks - 1):\n        message = yield message\n        total = total + message\n"
            "    return total / ranks\n    chunks = np.array_split(x, ranks)\n",
            why="The mean is right, but whole gradients went around the ring: (p - 1) n numbers per rank instead of 2 (p - 1) n / p.",
            look="How many numbers are sent in all: the last value.",
        ),
        Wrong(
            "",
            "np.concatenate(chunks) / ranks",
            "np.concatenate(chunks[rank:] + chunks[:rank]) / ranks",
            why="The chunks were joined beginning with the rank's own, so that the order of the numbers is another on each rank.",
            look="Where the first chunk stands in the result of rank 1.",
        ),
        Wrong(
            "",
            "chunks[(rank - step - 1) % ranks] += yield sent",
            "chunks[rank] += yield sent",
            why="What is received was always added to chunk r. It belongs to the chunk that the rank before has sent.",
            look="What rank r - 1 sends in round s.",
        ),
        Wrong(
            "",
            "np.concatenate(chunks) / ranks",
            "x / ranks",
            why="x was returned. The sums of the all-gather are in the list of chunks, and replaced what were parts of x there.",
            look="What the last round changes.",
        ),
        Wrong(
            "",
            "np.concatenate(chunks) / ranks",
            "np.concatenate(chunks) / len(x)",
            why="The sum was divided by the number of numbers, not by the number of ranks.",
            look="Over what the mean is taken.",
        ),
        Wrong(
            "",
            "chunks[(rank - step - 1) % ranks] += yield sent",
            "chunks[(rank - step - 1) % ranks] = yield sent",
            why="What is received in the reduce-scatter replaced the rank's own chunk. It is to be added to it.",
            look="Whether anything is added up at all.",
        ),
    ),
    after="Each round also takes a fixed time, the latency. For which sizes is it better to send everything to one rank and back?",
)

TASKS = (ALL_REDUCE,)
