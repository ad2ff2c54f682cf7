"""minilm with the batch split over as many processes as there are threads, each with one (`minilm.parallel`)."""

from __future__ import annotations

from minilm.optim import AdamW, clip_grad_norm_
from minilm.parallel import DataParallel
from tests.benchmarks import minilm_peer, workloads
from tests.benchmarks.workloads import Arrays, Step, Workload

_count = 1


def set_threads(count: int) -> None:
    global _count
    _count = count
    minilm_peer.set_threads(count)


def build(workload: Workload, arrays: Arrays) -> Step:
    """The GPT's step, as in `minilm_peer`, but for who computes the gradient."""
    model = minilm_peer.gpt_model(workload.options, arrays)
    optimizer = AdamW(model.decay_groups(workloads.WEIGHT_DECAY), **workloads.ADAMW)
    turns = minilm_peer.batches(arrays, "ids", "targets")
    parallel = DataParallel(model, processes=_count)

    def step() -> float:
        optimizer.zero_grad()
        loss = parallel.backward(*next(turns))
        clip_grad_norm_(model.parameters(), workloads.CLIP)
        optimizer.step()
        return loss.item()

    return Step(step, note=f"{_count} processes")
