"""minilm with each batch split over its threads (`minilm.parallel.DataParallel(threads=...)`), in one process."""

from __future__ import annotations

import minilm as ml
from minilm.optim import AdamW, clip_grad_norm_
from minilm.parallel import DataParallel
from tests.benchmarks import minilm_peer, workloads
from tests.benchmarks.workloads import Arrays, Step, Workload

set_threads = minilm_peer.set_threads


def build(workload: Workload, arrays: Arrays) -> Step:
    """The GPT's step, as in `minilm_peer`, but for who computes the gradient."""
    model, threads = minilm_peer.gpt_model(workload.options, arrays), ml.get_num_threads()
    optimizer = AdamW(model.decay_groups(workloads.WEIGHT_DECAY), **workloads.ADAMW)
    turns = minilm_peer.batches(arrays, "ids", "targets")
    parallel = DataParallel(model, threads=threads)

    def step() -> float:
        optimizer.zero_grad()
        loss = parallel.backward(*next(turns))
        clip_grad_norm_(model.parameters(), workloads.CLIP)
        optimizer.step()
        return loss.item()

    return Step(step, note=f"a part of the batch for each of {threads} threads")
