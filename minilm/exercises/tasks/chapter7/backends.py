"""The same function in blocks, and the same sum in another order."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong


def _rows(*sizes: int, scale: float = 1.0, shift: float = 0.0) -> Any:
    return lambda rng: ([scale * rng.standard_normal(n) + shift for n in sizes],)


BLOCKS = Task(
    id="7.7",
    title="Softmax, a block at a time",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="a stable sum that is built up in pieces",
    statement=r"""
A row of numbers does not fit into the cache, so it comes in blocks, of sizes that differ. Write `softmax_in_blocks(blocks)`: the softmax
of the whole row, as a list of blocks of the same sizes.

Read the blocks twice. The first time keep two numbers only: the largest $m$ so far, and $s = \sum_i e^{x_i - m}$ over what you have
read. When a block has a larger number, $m$ changes, and what is in $s$ was computed with the old one. The second time, give each block's
part of the answer. The blocks stay as they are, and none is empty.
""",
    stub='''
def softmax_in_blocks(blocks):
    """The softmax of the row that the blocks make together: a list of arrays, like
    the blocks.

    blocks: a list of arrays, (n_1,), (n_2,), ...
    """
    m, s = -np.inf, 0.0
    raise NotImplementedError
''',
    solution="""
def softmax_in_blocks(blocks):
    m, s = -np.inf, 0.0
    for block in blocks:
        larger = max(m, float(block.max()))
        s = s * np.exp(m - larger) + np.exp(block - larger).sum()
        m = larger
    return [np.exp(block - m) / s for block in blocks]
""",
    name="softmax_in_blocks",
    hint=r"What is $e^{x - m'}$ in terms of $e^{x - m}$? The factor is the same for all numbers that were read.",
    derivation=r"""
$e^{x - m'} = e^{x - m}\, e^{m - m'}$. So when the maximum grows from $m$ to $m'$, the sum of what was read becomes $s\, e^{m - m'}$, one
product for all of it; then the new block is added. At the beginning $m = -\infty$ and $s = 0$, and $e^{-\infty} = 0$ makes the first
factor harmless.

This is the online softmax (Milakov and Gimelshein 2018). The fast attention kernels are built on it, and CUDA's reduction of a row joins
the parts of its threads by the same formula.
""",
    tests=(
        Test("one block", _rows(4)),
        Test("the largest comes last", lambda rng: ([np.array([0.0, 1.0]), np.array([3.0])],)),
        Test("three blocks", _rows(5, 1, 7), points=2),
        Test("large numbers", _rows(3, 4, scale=300.0, shift=2000.0), hidden=True),
        Test("very negative numbers", _rows(4, 3, shift=-3000.0), hidden=True),
        Test(
            "the largest comes first", lambda rng: ([np.array([800.0, 799.0]), np.array([-800.0, 0.0])],), hidden=True
        ),
    ),
    wrong=(
        Wrong(
            "",
            "s * np.exp(m - larger)",
            "s",
            why="The sum of the blocks before was made with the old maximum, and was not brought to the new one.",
            look="A second block whose numbers are larger than those of the first.",
        ),
        Wrong(
            "",
            "s * np.exp(m - larger) + np.exp(block - larger).sum()",
            "np.exp(block - larger).sum()",
            why="Only the last block is in the sum: it took the place of what had been added up.",
            look="What s is after the second block.",
        ),
        Wrong(
            "",
            "s * np.exp(m - larger) + np.exp(block - larger).sum()",
            "(s + np.exp(block - larger).sum()) * np.exp(m - larger) if m > -np.inf\\\n            else np.exp(block - larger).sum()",
            why="The new block was rescaled, too. Only what was summed with the old maximum must be.",
            look="Which numbers were computed with which maximum.",
        ),
        Wrong(
            "",
            "s * np.exp(m - larger)",
            "(s * np.exp(larger - m) if s else 0.0)",
            why="The factor is upside down: a larger maximum makes the old sum smaller.",
            look="e^(x - m') = e^(x - m) times which factor?",
        ),
        Wrong(
            "",
            "[np.exp(block - m) / s for block in blocks]",
            "[np.exp(b - b.max()) / np.exp(b - b.max()).sum() for b in blocks]",
            why="Each block was made to sum to 1. The whole row does.",
            look="The sum over all blocks.",
        ),
        Wrong(
            "softmax-not-stable",
            "    for block in blocks:\n        larger = max(m, float(block.max()))\n",
            "    m = 0.0\n    for block in blocks:\n        larger = 0.0\n",
        ),
    ),
    after="Can the mean and the variance of LayerNorm be built up in the same way? (Chan, Golub and LeVeque 1979.)",
)


def _ones(rng: Generator) -> dict[str, Any]:
    return {"n": int(rng.integers(3, 40)) * 2, "large": 2**24}


ORDER = Task(
    id="7.8",
    title="Ones that vanish",
    kind="number",
    minutes=10,
    difficulty=1,
    practises="rounding, and the order of a sum",
    statement=r"""
float32 keeps 24 binary digits. Add up the number {large}, which is $2^{24}$, and {n} ones in float32, one after the other: each sum is
rounded to the nearest float32; of two that are equally near, to the one whose last binary digit is 0.

- What comes out if the large number comes first?
- And if it comes last?
- Now the numbers are shared by two threads: the first adds up the large number and the first half of the ones, the second adds up the other
  half. Then their two sums are added. What comes out?

Set `answer = (first, last, two_threads)`. The numbers are in `large`, `n`.
""",
    stub="""
first = None
last = None
two_threads = None
answer = (first, last, two_threads)
""",
    solution="""
one, total = np.float32(1), np.float32(large)
for _ in range(n):
    total = total + one
first = float(total)
last = float(np.float32(large) + np.float32(n))
two_threads = float(np.float32(large) + np.float32(n // 2))
answer = (first, last, two_threads)
""",
    data=_ones,
    hint=r"Between $2^{24}$ and $2^{25}$ the float32 numbers are the even integers. What is $2^{24} + 1$ rounded to?",
    derivation=r"""
From $2^{24}$ on, neighbors in float32 are 2 apart. $2^{24} + 1$ lies in the middle between two of them, and is rounded to $2^{24}$, whose
last digit is 0. So each one vanishes, however many come: the sum stays $2^{24}$. Where the ones come first, their sum is exact, and
(being even) so is the last addition. Of two threads the first loses its half of the ones, and the second keeps its own; their number, if
it is odd, is rounded once more.

The inputs are the same, the function is the same, and no result is a bug: they are three orders. This is why one thread and two, or a CPU
and a GPU, may print other last digits.
""",
    tests=(
        Test("the first", use=lambda a: a[0], call="first", rtol=0, atol=0.1),
        Test("the last", use=lambda a: a[1], call="last", rtol=0, atol=0.1),
        Test("two threads", use=lambda a: a[2], call="two_threads", rtol=0, atol=0.1, points=2),
    ),
    wrong=(
        Wrong(
            "",
            "first = float(total)",
            "first = float(large + n)",
            why="This is the exact sum. In float32 each one is rounded away when it is added to 2^24.",
            look="2^24 + 1, rounded to 24 binary digits.",
        ),
        Wrong(
            "",
            "last = float(np.float32(large) + np.float32(n))",
            "last = float(large)",
            why="Where the ones are added up first, their sum is exact and large enough to be seen.",
            look="How far apart float32 numbers are at 2^24.",
        ),
        Wrong(
            "",
            "np.float32(n // 2))",
            "np.float32(n))",
            why="The first thread loses its ones: only those of the second are left.",
            look="What the first thread's sum is.",
        ),
        Wrong(
            "",
            "np.float32(n // 2))",
            "np.float32(0))",
            why="The second thread's ones do not meet the large number one by one: their sum does.",
            look="What the second thread's sum is.",
        ),
    ),
    after="Which order does `np.sum` take? Try it with a million ones.",
)

TASKS = (BLOCKS, ORDER)
