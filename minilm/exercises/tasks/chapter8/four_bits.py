"""Weights in 4 bits: a scale per group, and two weights in a byte."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter5.given import Inputs, fixed


def _weights(rows: int, columns: int, group: int, outlier: float = 0.0) -> Inputs:
    def inputs(rng: Generator) -> tuple[Any, ...]:
        w = rng.normal(0, 0.1, (rows, columns))
        w[0, 1] += outlier
        return w, group

    return inputs


def _with_an_empty_group(rng: Generator) -> tuple[Any, ...]:
    w = rng.normal(0, 0.1, (2, 8))
    w[1, 4:] = 0
    return w, 4


FOUR_BITS = Task(
    id="8.9",
    title="A scale per group, two weights per byte",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="absmax quantization, groups, packing of bits",
    statement=r"""
Write `four_bits(w, group)`. Each row of $w$ is cut into groups of `group` neighbors. A group's scale is $s = \max_j |w_j| / 7$, and each
weight becomes the integer $q = \operatorname{round}(w / s)$ (`np.rint`), from -7 to 7. In a group of zeros, $s$ is 0 and all $q$ are 0.

Store $q + 8$, a number from 1 to 15, and two of them per byte: of columns 0 and 1, column 0 in the low four bits and column 1 in the high
four; then columns 2 and 3, and so on. Groups have an even length that divides the row's.
""",
    stub='''
def four_bits(w, group):
    """Packed integers and scales.

    w: (rows, columns), float64. group: how many neighbors share a scale.
    Returns packed (rows, columns / 2), uint8, and scales (rows, columns / group).
    """
    raise NotImplementedError
''',
    solution="""
def four_bits(w, group):
    groups = w.reshape(len(w), -1, group)
    scales = np.abs(groups).max(axis=2) / 7
    steps = np.where(scales == 0, 1.0, scales)
    q = np.rint(groups / steps[..., None]).reshape(w.shape)
    stored = (q + 8).astype(np.uint8)
    return stored[:, 0::2] | (stored[:, 1::2] << 4), scales
""",
    name="four_bits",
    setup="import numpy as np\n",
    hint="""
`w.reshape(rows, -1, group)` gives each group an axis of its own. Over which axis is the largest taken? For the bytes: `x << 4` moves four
bits to the left, and `|` puts both halves together. Do it after the 8 has been added: halves of a byte have no sign.
""",
    derivation=r"""
The largest weight of a group is $7 s$, so that $q$ lies between -7 and 7, and $|w - s q| \le s / 2$. With the 8 added these are 1 to 15:
four bits hold them, and $15 \cdot 16 + 15 = 255$ is the largest byte.

A scale per row is the case `group = columns`. One weight ten times as large as the others then makes all steps of the row ten times as
long; in groups it spoils only its own. With a float16 scale per 32 weights, a weight takes $4 + 16 / 32 = 4.5$ bits.
""",
    tests=(
        Test("one group by hand", fixed(np.array([[0.7, -0.2, 0.11, -0.7]]), 4)),
        Test("two groups", fixed(np.array([[0.7, 0.1, 7.0, 1.0], [-1.4, 0.6, 0.0, 2.1]]), 2), points=2),
        Test("random weights", _weights(3, 16, 8)),
        Test("one large weight", _weights(2, 16, 4, outlier=5.0), hidden=True),
        Test("only negative weights", fixed(np.array([[-0.7, -0.31, -0.2, -0.06]]), 2), hidden=True),
        Test("a group of zeros", _with_an_empty_group, hidden=True),
        Test("a group per row", _weights(4, 8, 8), hidden=True),
    ),
    wrong=(
        Wrong(
            "",
            "np.abs(groups).max(axis=2)",
            "np.abs(groups).max(axis=(1, 2), keepdims=True)[:, :, 0].repeat(groups.shape[1], 1)",
            why="All groups of a row have one scale, that of the row's largest weight.",
            look="Two groups: 0.7 and 0.1 beside 7.0 and 1.0.",
        ),
        Wrong(
            "",
            "max(axis=2) / 7\n    steps",
            "max(axis=2) / 8\n    steps",
            why="The largest weight was put at 8 steps. Then q + 8 is 16, which four bits do not hold.",
            look="Which integers 4 bits can hold on both sides of 0.",
        ),
        Wrong(
            "",
            "np.abs(groups).max(axis=2)",
            "groups.max(axis=2)",
            why="The largest weight was taken with its sign. A negative one may be further from 0.",
            look="A group whose weights are all negative.",
        ),
        Wrong(
            "",
            "np.rint(groups / steps[..., None])",
            "np.trunc(groups / steps[..., None])",
            why="The integers were cut off towards 0, not rounded: a weight is then off by up to a whole step.",
            look="0.11 with s = 0.1 is 1.1 steps, and 0.06 is 0.6.",
        ),
        Wrong(
            "",
            "np.rint(groups / steps[..., None])",
            "np.floor(groups / steps[..., None])",
            why="The integers were rounded down, not to the nearest.",
            look="-0.2 with s = 0.1, and 0.06.",
        ),
        Wrong(
            "",
            "stored[:, 0::2] | (stored[:, 1::2] << 4)",
            "stored[:, 1::2] | (stored[:, 0::2] << 4)",
            why="The halves of each byte are exchanged.",
            look="Which column goes into the low four bits?",
        ),
        Wrong(
            "",
            "stored[:, 0::2] | (stored[:, 1::2] << 4)",
            "stored[:, : w.shape[1] // 2] | (stored[:, w.shape[1] // 2 :] << 4)",
            why="The first half of a row was put beside its second half. A byte holds two neighbors (a GGUF file does it otherwise).",
            look="Columns 0 and 1 share the first byte.",
        ),
        Wrong(
            "",
            "(q + 8).astype(np.uint8)",
            "(q.astype(np.int8) & 15).astype(np.uint8)",
            why="The 8 was not added: -1 is stored as 15 (two's complement), not as 7.",
            look="What q = 0 is stored as.",
        ),
        Wrong(
            "",
            "steps = np.where(scales == 0, 1.0, scales)",
            "steps = scales",
            why="A group of zeros was divided by its scale 0: NaN, and no integer.",
            look="The last sentence of the first paragraph.",
        ),
        Wrong(
            "",
            "return stored[:, 0::2] | (stored[:, 1::2] << 4), scales",
            "return stored[:, 0::2] | (stored[:, 1::2] << 4), steps",
            why="The scale of a group of zeros was returned as 1. It is 0.",
            look="The last sentence of the first paragraph.",
        ),
        Wrong(
            "",
            "return stored[:, 0::2] | (stored[:, 1::2] << 4), scales",
            "return stored[:, 0::2] + stored[:, 1::2], scales",
            why="The two integers were added. Then nobody can tell them apart: move one by four bits.",
            look="`<<`.",
        ),
    ),
    after="How large is the error of 3 bits with a scale per 8 weights beside that of 4 bits with one per 32, and what do they take?",
)

TASKS = (FOUR_BITS,)
