"""The same training step of the same GPT under minilm's profiler and under PyTorch's, on one thread: what takes the most time."""

from __future__ import annotations

from typing import Any

import numpy as np

import minilm as ml
from minilm.models import GPT, GPTConfig

SHOWN, STEPS = 6, 20


def measure() -> list[dict[str, Any]]:
    config = GPTConfig(65, 64, 4, 4, 128)
    model = GPT(config, np.random.default_rng(0))
    ids = np.random.default_rng(1).integers(0, 65, (12, 64))
    ours, theirs = of_minilm(model, ids), of_torch(model, config, ids)
    return [
        {"rank": rank, "minilm": a, "of its ops' time": x, "PyTorch": b, "of its ops' time ": y}
        for rank, ((a, x), (b, y)) in enumerate(zip(ours, theirs, strict=True), 1)
    ]


def of_minilm(model: GPT, ids: Any) -> list[tuple[str, str]]:
    ml.set_num_threads(1)
    _step(model, ids)
    with ml.profile() as p:
        for _ in range(STEPS):
            _step(model, ids)
    rows = sorted(p.ops, key=lambda row: -row.time)[:SHOWN]
    return [(f"{row.op} {row.stage}", f"{row.time / p.all_ops.time:.0%}") for row in rows]


def of_torch(model: GPT, config: GPTConfig, ids: Any) -> list[tuple[str, str]]:
    import torch
    from torch.profiler import ProfilerActivity, profile

    from tests.oracle.torch_gpt import TorchGPT, copy_weights

    torch.set_num_threads(1)
    oracle, batch = TorchGPT(config), torch.from_numpy(ids)
    copy_weights(model, oracle)
    _step(oracle, batch)
    with profile(activities=[ProfilerActivity.CPU]) as p:
        for _ in range(STEPS):
            _step(oracle, batch)
    rows = sorted(p.key_averages(), key=lambda row: -row.self_cpu_time_total)
    total = sum(row.self_cpu_time_total for row in rows)
    return [(row.key, f"{row.self_cpu_time_total / total:.0%}") for row in rows[:SHOWN]]


def _step(model: Any, ids: Any) -> None:
    model.zero_grad()
    model.loss(ids, ids).backward()
