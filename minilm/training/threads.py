"""``--threads-per-batch auto``: how many threads pay for a run's batches, measured once and then a setting of the run.

It is not measured by itself: sums of parts are rounded in another order than that of the whole, so a run whose number of threads hung on a
timing would end with other digits on another day. What was chosen stands in config.json like a number that was typed: a run that is gone
on with has the same, and the command on its card names it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm import random
from minilm.backend import get_device
from minilm.parallel import Choice, choose_threads
from minilm.training.run import Run

AUTO = "auto"


def settle_threads(run: Run[Any], data: Any, device: str) -> Choice:
    """Measures a few steps of a run that is about to begin or go on, and records the number of threads that is fastest.

    Args:
        data: what the task of the run learns from.
    """
    task, config = run.task, run.train_config
    if get_device(device).asynchronous:
        choice = Choice(1, f"{device} computes the batch")
    else:
        state = random.get_state()
        random.manual_seed(config.seed)
        batch = task.batch(data, config.batch_size, np.random.default_rng([config.seed, 0, 0]))
        choice = choose_threads(task.make_model().to(device), *batch, method=task.method)
        random.set_state(state)
    run.record_threads(choice.threads)
    return choice


__all__ = ["AUTO", "settle_threads"]
