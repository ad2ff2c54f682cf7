"""The limit of the GPT step: its matrix products alone, `np.matmul` into arrays that are there already, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import minilm as ml
from tests.benchmarks.workloads import SEED, Arrays, Step, Workload

NAME = "matrix products alone"

Shape = tuple[int, ...]


def set_threads(count: int) -> None:
    ml.set_num_threads(count)  # BLAS's too


def forward(options: dict[str, Any]) -> Iterator[tuple[str, Shape, Shape]]:
    """What each product of the forward pass is, and the shapes of its operands, (..., m, k) and (..., k, n)."""
    B, T, C, H = (options[name] for name in ("batch", "length", "n_embd", "n_head"))
    for i in range(options["n_layer"]):
        yield f"{i} qkv", (B * T, C), (C, 3 * C)
        yield f"{i} scores", (B * H, T, C // H), (B * H, C // H, T)
        yield f"{i} mixing", (B * H, T, T), (B * H, T, C // H)
        yield f"{i} projection", (B * T, C), (C, C)
        yield f"{i} up", (B * T, C), (C, 4 * C)
        yield f"{i} down", (B * T, 4 * C), (4 * C, C)
    yield "logits", (B * T, C), (C, options["vocab_size"])


def operations(options: dict[str, Any]) -> int:
    """Multiplications and additions of the whole step: each product forward has two of its size backward."""
    return sum(3 * 2 * int(np.prod(a)) * b[-1] for _, a, b in forward(options))


def build(workload: Workload, arrays: Arrays) -> Step:
    """All products y = a b of the forward pass, then in reverse the two of each backward: da = dy b^T and db = a^T dy.

    As in a network, a weight (out, in) is read through its transpose, which BLAS does without a copy. What belongs to
    different layers lies in different arrays; the whole is then as far from the caches as the step's own arrays are.
    """
    rng = np.random.default_rng(SEED)
    work = []
    for _, left, right in forward(workload.options):
        a = rng.standard_normal(left, np.float32)
        b = rng.standard_normal((*right[:-2], right[-1], right[-2]), np.float32).swapaxes(-1, -2)
        work.append((a, b, np.empty((*left[:-1], right[-1]), np.float32), np.empty_like(a), np.empty_like(b)))

    def step() -> float:
        for a, b, y, _, _ in work:
            np.matmul(a, b, out=y)
        for a, b, y, da, db in reversed(work):
            np.matmul(y, b.swapaxes(-1, -2), out=da)
            np.matmul(y.swapaxes(-1, -2), a, out=db.swapaxes(-1, -2))
        return float(work[0][2].flat[0])

    return Step(step)
