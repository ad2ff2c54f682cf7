"""A CRF's loss and its gradients beside a plain loop in PyTorch, in one run: ``python -m tests.benchmarks.crf``.

45 tags (as the Penn Treebank has), 64 sequences of up to 100 tokens, float32, one thread each. The two take turns; the least
time of each counts, in seconds of the processor, which other processes disturb less. Their losses are compared first.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

import minilm as ml
from minilm import nn, use_fused

BATCH, LENGTH, TAGS, ROUNDS = 64, 100, 45, 8


def main() -> None:
    import torch

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((BATCH, LENGTH, TAGS)).astype(np.float32), rng.integers(0, TAGS, (BATCH, LENGTH))
    mask = np.arange(LENGTH) < rng.integers(LENGTH // 2, LENGTH + 1, BATCH)[:, None]
    crf = nn.LinearChainCRF(TAGS, reduction="sum")
    learned = crf.start_transitions, crf.transitions, crf.end_transitions
    starts, pairs, ends = (torch.tensor(p.numpy(), requires_grad=True) for p in learned)
    tags, inside = torch.tensor(y), torch.tensor(mask)

    def ours() -> float:
        loss = crf(ml.Tensor(x, requires_grad=True), y, mask)
        loss.backward()
        return float(loss.detach())

    def composed() -> float:
        with use_fused(False):
            return ours()

    def theirs() -> float:
        emissions = torch.tensor(x, requires_grad=True)
        alpha, rows = starts + emissions[:, 0], torch.arange(BATCH)
        score = starts[tags[:, 0]] + emissions[rows, 0, tags[:, 0]]
        for k in range(1, LENGTH):
            after = torch.logsumexp(alpha[:, :, None] + pairs, 1) + emissions[:, k]
            alpha = torch.where(inside[:, k, None], after, alpha)
            step = pairs[tags[:, k - 1], tags[:, k]] + emissions[rows, k, tags[:, k]]
            score = score + torch.where(inside[:, k], step, 0.0)
        score = score + ends[tags[rows, inside.sum(1) - 1]]
        loss = (torch.logsumexp(alpha + ends, 1) - score).sum()
        loss.backward()
        return float(loss.detach())

    sides: dict[str, Callable[[], float]] = {"minilm": ours, "minilm, composed": composed, "PyTorch": theirs}
    losses = [side() for side in sides.values()]
    np.testing.assert_allclose(losses, losses[-1], rtol=1e-5)
    least = dict.fromkeys(sides, float("inf"))
    for _ in range(ROUNDS):
        for name, side in sides.items():
            start = time.process_time()
            side()
            least[name] = min(least[name], time.process_time() - start)
    for name, seconds in least.items():
        print(f"{name:18}{seconds * 1e3:8.1f} ms{least['PyTorch'] / seconds:8.2f} times PyTorch's speed")


if __name__ == "__main__":
    main()
