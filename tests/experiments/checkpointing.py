"""What activation checkpointing saves and costs: peak memory and time of a training step of GPTs of 8 and 16 layers.

All kinds take turns in one run, on one thread; each time is divided by that of the same round without a checkpoint, and the interval
is that of the ratio over rounds. Memory is that of the profile: weights, gradients, and all arrays of the step.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

import minilm as ml
from minilm.metrics import ratio_interval
from minilm.models import GPT, GPTConfig
from tests.experiments._cells import between

LAYERS, ROUNDS = (8, 16), 15


def measure() -> list[dict[str, Any]]:
    ml.set_num_threads(1)
    return [row for layers in LAYERS for row in of_depth(layers)]


def of_depth(layers: int) -> list[dict[str, Any]]:
    """A row for each number of segments."""
    model = GPT(GPTConfig(65, 64, layers, 4, 128, dropout=0.1), np.random.default_rng(0))
    ids = np.random.default_rng(1).integers(0, 65, (16, 64))
    kinds = {"nothing": 0, "about sqrt(n) segments": round(layers**0.5), "each block": layers}
    peaks = {name: peak(model, ids, segments) for name, segments in kinds.items()}
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(ROUNDS):
        for name, segments in kinds.items():
            times[name].append(seconds(model, ids, segments))
    base = times["nothing"]
    rows = []
    for name, segments in kinds.items():
        slower = between(sum(times[name]) / sum(base), ratio_interval(times[name], base))
        rows.append(
            {
                "layers": layers,
                "computed again": name,
                "segments": segments or 1,
                "peak, MB": round(peaks[name] / 1e6, 1),
                "of the peak": peaks[name] / peaks["nothing"],
                "time of a step": slower if segments else 1.0,
            }
        )
    return rows


def step(model: GPT, ids: Any, segments: int) -> None:
    model.checkpoint_segments = segments
    model.zero_grad()
    model.loss(ids, ids).backward()


def peak(model: GPT, ids: Any, segments: int) -> int:
    """The most bytes in arrays at one time of a step; measured in a step of its own, which takes longer."""
    with ml.profile() as p:
        step(model, ids, segments)
    return p.peak.bytes


def seconds(model: GPT, ids: Any, segments: int) -> float:
    start = time.process_time()
    step(model, ids, segments)
    return time.process_time() - start
