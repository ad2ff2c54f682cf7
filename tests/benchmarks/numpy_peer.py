"""minilm without the extra ``fast``: no compiled kernels, NumPy alone, as where Numba is not installed."""

from __future__ import annotations

import minilm as ml
from tests.benchmarks import minilm_peer
from tests.benchmarks.minilm_peer import set_threads
from tests.benchmarks.workloads import Arrays, Step, Workload

NAME = "minilm without fast"


def build(workload: Workload, arrays: Arrays) -> Step:
    """minilm's step, of a process that compiles nothing from here on."""
    ml.use_compiled(False)
    return minilm_peer.build(workload, arrays)


__all__ = ["NAME", "build", "set_threads"]
