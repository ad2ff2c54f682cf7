"""One GPT three times: a number at a time, with the engine's arrays, and with PyTorch's: ``python -m tests.benchmarks.micro``.

The model of `minilm.models.micro` (4,192 weights) learns words, one per step: forward, backward, Adam; float64, one thread each.
In one process they take turns, word by word, in an order that changes. Printed are the median time of each, and the median of the
ratios of a turn with a 95 % interval (by order statistics). Their losses are compared in each turn. Without PyTorch there are two.

minilm is one side here, whether Numba is installed or not: compiled kernels (the extra `fast`) are for float32, and what costs time in a
model this small is not in the kernels.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import statistics
import time
from collections.abc import Callable, Sequence

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from minilm import optim, set_num_threads
from minilm.models.micro import Adam, Letters, MicroGPT
from minilm.models.micro_tensor import MicroTensorGPT, numbers

try:
    import torch

    from tests.oracle.torch_micro import loss_of
except ImportError:
    torch = None

WORDS = (
    "function",
    "argument",
    "module",
    "returns",
    "sequence",
    "iterator",
    "string",
    "exception",
    "object",
    "dictionary",
)
BETAS, LR = (0.9, 0.99), 0.01
Step = Callable[[list[int]], float]


def steps() -> dict[str, Step]:
    """What each does with a word, by name; all from the same weights, so that the losses are the same, word after word."""
    model = MicroGPT(27, rng=random.Random(0))
    twin = MicroTensorGPT(model)
    ours, theirs = Adam(model.parameters(), LR, BETAS), optim.Adam(twin.parameters(), LR, BETAS)

    def scalar(tokens: list[int]) -> float:
        loss = model.loss(tokens)
        loss.backward()
        ours.step()
        return loss.data

    def engine(tokens: list[int]) -> float:
        theirs.zero_grad()
        loss = twin.loss(np.array([tokens[:-1]]), np.array([tokens[1:]]))
        loss.backward()
        theirs.step()
        return float(loss.detach())

    found = {"plain Python": scalar, "minilm": engine}
    if torch is not None:
        torch.set_num_threads(1)
        weights = {name: torch.tensor(numbers(matrix), requires_grad=True) for name, matrix in model.weights.items()}
        adam = torch.optim.Adam(weights.values(), LR, BETAS)

        def eager(tokens: list[int]) -> float:
            adam.zero_grad()
            loss = loss_of(weights, tokens, model.n_layer, model.n_head)
            loss.backward()
            adam.step()
            return loss.item()

        found["PyTorch"] = eager
    return found


def median_with_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """The median, and between which two of the values in order that of the population lies with 95 % (binomial, normal approximation)."""
    ordered = sorted(values)
    half = 1.96 * math.sqrt(len(ordered)) / 2
    low, high = math.floor(len(ordered) / 2 - half), math.ceil(len(ordered) / 2 + half)
    return statistics.median(ordered), ordered[max(low, 0)], ordered[min(high, len(ordered) - 1)]


def measure(rounds: int) -> dict[str, list[float]]:
    """Seconds of each step, by name.

    Raises:
        RuntimeError: the losses are not the same.
    """
    letters = Letters(["abcdefghijklmnopqrstuvwxyz"])
    texts, runs = [letters.encode(word) for word in WORDS], steps()
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(rounds + 2):  # two that do not count: the first calls make what later ones find
        tokens, names = texts[turn % len(texts)], list(runs)
        losses = {}
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            start = time.perf_counter()
            losses[name] = runs[name](tokens)
            seconds[name].append(time.perf_counter() - start)
        if not np.allclose(list(losses.values()), losses["plain Python"], rtol=1e-6):
            raise RuntimeError(f"the models do not compute the same: losses of step {turn} {losses}.")
    return {name: values[2:] for name, values in seconds.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=100)
    rounds = parser.parse_args(arguments).rounds
    if rounds < 1:
        parser.error("--rounds must be at least 1")
    set_num_threads(1)
    seconds = measure(rounds)
    for name, values in seconds.items():
        line = f"{name:13}{1e3 * statistics.median(values):9.3f} ms per step"
        if name != "plain Python":
            ratio, low, high = median_with_interval(
                [slow / fast for slow, fast in zip(seconds["plain Python"], values, strict=True)]
            )
            line += f"   plain Python takes {ratio:.1f} times as long ({low:.1f} to {high:.1f})"
        if name == "PyTorch":
            ratio, low, high = median_with_interval(
                [ours / theirs for ours, theirs in zip(seconds["minilm"], values, strict=True)]
            )
            line += f", minilm {ratio:.2f} times ({low:.2f} to {high:.2f})"
        print(line)


if __name__ == "__main__":
    main()
