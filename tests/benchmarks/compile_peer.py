"""PyTorch with the loss function compiled (`torch.compile`), forward and backward; the optimizer is PyTorch's own, as in eager."""

from __future__ import annotations

from dataclasses import replace

import torch

from tests.benchmarks import torch_peer
from tests.benchmarks.torch_peer import set_threads
from tests.benchmarks.workloads import Arrays, Step, Workload

NAME = "torch.compile"


def build(workload: Workload, arrays: Arrays) -> Step:
    """The workload's step; its first call compiles. The optimizer is fused, since to try both would compile twice."""
    fused = replace(workload, options={**workload.options, "fused": True})
    return torch_peer.build(fused, arrays, lambda loss: torch.compile(loss, fullgraph=True))


__all__ = ["NAME", "build", "set_threads"]
