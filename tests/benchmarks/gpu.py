"""nanoGPT's GPU recipe, minilm on CuPy beside PyTorch eager: ``python -m tests.benchmarks.gpu``.

One training step (forward, backward, clipping, AdamW) of 6 layers, 6 heads, 384 wide, 256 tokens, batch 64, without dropout
and with 0.2. PyTorch attends with its fused `scaled_dot_product_attention` and updates with its fused AdamW. Both sides may
round to TF32 (``--no-tf32``: neither). They start from the same weights and see the same batches, which lie on the GPU before.

First the losses must be equal; then the steps are timed, a few of one side, a few of the other, by events on the device.
``--device cpu`` runs the same lines without a GPU, to test them: its times say nothing about one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

import minilm as ml
from minilm.backend import get_device, to_device
from minilm.backend.detect import gpu_problem
from minilm.models import GPT, GPTConfig
from minilm.optim import AdamW, clip_grad_norm_

LEARNING_RATE, BETAS, WEIGHT_DECAY, CLIP = 1e-3, (0.9, 0.99), 0.1, 1.0
CHECKED_STEPS, BATCHES = 3, 4
TOLERANCE, TF32_TOLERANCE = 1e-4, 5e-3
"""How far the losses, about 4 nats, may be apart: rounding in float32, and in TF32, over `CHECKED_STEPS` updates."""


class Unusable(RuntimeError):
    """What was asked for cannot be measured here; the sentence says why."""


@dataclass(frozen=True)
class Options:
    """What is measured, and how often."""

    device: str = "cuda"
    layers: int = 6
    heads: int = 6
    width: int = 384
    length: int = 256
    batch: int = 64
    vocabulary: int = 65
    warmup: int = 5
    rounds: int = 10
    steps: int = 5
    tf32: bool = True

    def config(self, dropout: float) -> GPTConfig:
        return GPTConfig(vocab_size=self.vocabulary, block_size=self.length, n_layer=self.layers, n_head=self.heads,
                         n_embd=self.width, dropout=dropout, bias=False)  # fmt: skip

    def batches(self) -> list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
        """Ids and targets of `BATCHES` batches, the same in every run."""
        ids = np.random.default_rng(0).integers(self.vocabulary, size=(BATCHES, self.batch, self.length + 1))
        return [(part[:, :-1].copy(), part[:, 1:].copy()) for part in ids]


# -- the two sides ------------------------------------------------------------------------------------------------------


class Minilm:
    """This project's training step."""

    name = "minilm"

    def __init__(self, options: Options, model: GPT) -> None:
        self.device, self.model = get_device(options.device), model
        self.optimizer = AdamW(model.decay_groups(WEIGHT_DECAY), lr=LEARNING_RATE, betas=BETAS)
        self.optimizer.flatten()
        self.batches = [tuple(ml.Tensor(to_device(x, self.device)) for x in pair) for pair in options.batches()]
        self.cuda = self.device.name == "cuda"

    def step(self, i: int) -> Any:
        x, y = self.batches[i % BATCHES]
        self.optimizer.zero_grad()
        loss = self.model.loss(x, y)
        loss.backward()
        clip_grad_norm_(self.model.parameters(), CLIP)
        self.optimizer.step()
        return loss.detach()

    def evaluate(self) -> float:
        """The first batch's loss without dropout."""
        self.model.train(False)
        with ml.no_grad():
            loss = self.model.loss(*self.batches[0]).item()
        self.model.train(True)
        return loss

    def event(self) -> Any:
        import cupy

        event = cupy.cuda.Event()
        event.record()
        return event

    def milliseconds(self, start: Any, end: Any) -> float:
        import cupy

        end.synchronize()
        return float(cupy.cuda.get_elapsed_time(start, end))

    def forget_peak(self) -> None:
        if self.cuda:
            import cupy

            self.device.synchronize()
            cupy.get_default_memory_pool().free_all_blocks()

    def peak_bytes(self) -> int | None:
        """What CuPy's pool took from the driver since `forget_peak`; it gives nothing back unasked."""
        if not self.cuda:
            return None
        import cupy

        return int(cupy.get_default_memory_pool().total_bytes())


class Torch:
    """The same step in PyTorch eager."""

    name = "PyTorch"

    def __init__(self, options: Options, model: GPT) -> None:
        import torch

        from tests.oracle.torch_gpt import TorchGPT, copy_weights

        self.torch, self.cuda = torch, options.device == "cuda"
        self.model = TorchGPT(model.config)
        copy_weights(model, self.model)
        self.model.to(options.device)
        named = list(self.model.parameters())
        groups = [{"params": [p for p in named if p.ndim >= 2], "weight_decay": WEIGHT_DECAY},
                  {"params": [p for p in named if p.ndim < 2], "weight_decay": 0.0}]  # fmt: skip
        self.optimizer = torch.optim.AdamW(groups, lr=LEARNING_RATE, betas=BETAS, fused=self.cuda)
        self.batches = [tuple(torch.from_numpy(x).to(options.device) for x in pair) for pair in options.batches()]

    def step(self, i: int) -> Any:
        x, y = self.batches[i % BATCHES]
        self.optimizer.zero_grad()
        loss = self.model.loss(x, y)
        loss.backward()
        self.torch.nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self.optimizer.step()
        return loss.detach()

    def evaluate(self) -> float:
        self.model.train(False)
        with self.torch.no_grad():
            loss = self.model.loss(*self.batches[0]).item()
        self.model.train(True)
        return loss

    def event(self) -> Any:
        event = self.torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def milliseconds(self, start: Any, end: Any) -> float:
        end.synchronize()
        return float(start.elapsed_time(end))

    def forget_peak(self) -> None:
        if self.cuda:
            self.torch.cuda.synchronize()
            self.torch.cuda.empty_cache()
            self.torch.cuda.reset_peak_memory_stats()

    def peak_bytes(self) -> int | None:
        """What PyTorch's pool took from the driver since `forget_peak`."""
        return int(self.torch.cuda.max_memory_reserved()) if self.cuda else None


# -- measuring ----------------------------------------------------------------------------------------------------------


def require(options: Options) -> None:
    """Raises `Unusable` unless both sides can run on the device."""
    if options.device not in ("cuda", "cpu"):
        raise Unusable(f"device {options.device!r}: this compares on 'cuda', or goes through the motions on 'cpu'.")
    problem = gpu_problem() if options.device == "cuda" else None
    if problem is not None:
        raise Unusable(f"this benchmark needs a GPU, but {problem} (--device cpu runs its lines without one.)")
    try:
        import torch
    except ImportError:
        raise Unusable("PyTorch, which minilm is compared with, is not installed: pip install torch.") from None
    if options.device == "cuda" and not torch.cuda.is_available():
        raise Unusable(f"CuPy has a GPU, but this PyTorch ({torch.__version__}) does not: install one built for CUDA.")


def sides(options: Options, dropout: float) -> list[Any]:
    """minilm and PyTorch, with the same weights."""
    ml.manual_seed(1337)
    model = GPT(options.config(dropout))
    return [Minilm(options, model.to(options.device)), Torch(options, model)]


def check_losses(pair: Sequence[Any], dropout: float, tolerance: float) -> list[list[float]]:
    """The losses of both sides, which must be equal: without dropout over some updates, with it (the masks differ) before them.

    Raises:
        Unusable: they are not.
    """
    losses = [[side.evaluate()] for side in pair]
    if not dropout:
        for i in range(CHECKED_STEPS):
            for side, found in zip(pair, losses, strict=True):
                found.append(side.step(i).item())
    for i, (ours, theirs) in enumerate(zip(*losses, strict=True)):
        if not abs(ours - theirs) <= tolerance:
            raise Unusable(
                f"the two do not compute the same: loss {i} is {ours:.6f} in {pair[0].name} and {theirs:.6f} in "
                f"{pair[1].name}, more than {tolerance:g} apart. Nothing was timed."
            )
    return losses


def timed(side: Any, i: int) -> float:
    """Milliseconds of one step: between two events on the device, so that neither waiting nor launching is left out."""
    if not side.cuda:
        start = time.perf_counter()
        side.step(i).item()
        return (time.perf_counter() - start) * 1e3
    begin = side.event()
    side.step(i)
    return side.milliseconds(begin, side.event())


def measure(pair: Sequence[Any], options: Options) -> list[list[float]]:
    """Each side's times, taken in turns: A B, B A, A B ..., so that a GPU that grows warm slows both."""
    for side in pair:
        side.forget_peak()
        for i in range(options.warmup):
            side.step(i)
    times: list[list[float]] = [[] for _ in pair]
    for round_number in range(options.rounds):
        order = range(len(pair)) if round_number % 2 == 0 else reversed(range(len(pair)))
        for place in order:
            timed(pair[place], 0)  # the other side's arrays have just been through the cache
            times[place] += [timed(pair[place], i) for i in range(options.steps)]
    return times


def summary(times: Sequence[float]) -> dict[str, float]:
    """Median, quartiles and extremes of a list of times."""
    low, middle, high = statistics.quantiles(times, n=4) if len(times) > 1 else [times[0]] * 3
    return {
        "median_ms": middle,
        "quartile_1_ms": low,
        "quartile_3_ms": high,
        "min_ms": min(times),
        "max_ms": max(times),
    }


@contextlib.contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    """TF32 on both sides, or on neither."""
    import torch

    before = ml.backend.tf32_allowed(), torch.backends.cuda.matmul.allow_tf32
    ml.backend.allow_tf32(allowed)
    torch.backends.cuda.matmul.allow_tf32 = allowed
    try:
        yield
    finally:
        ml.backend.allow_tf32(before[0])
        torch.backends.cuda.matmul.allow_tf32 = before[1]


def compare(options: Options, dropout: float) -> dict[str, Any]:
    """One line of the table: both sides' losses, times and memory."""
    with tf32(options.tf32):
        pair = sides(options, dropout)
        losses = check_losses(pair, dropout, TF32_TOLERANCE if options.tf32 and pair[0].cuda else TOLERANCE)
        times = measure(pair, options)
    found = {
        side.name: {**summary(each), "peak_bytes": side.peak_bytes(), "losses": loss}
        for side, each, loss in zip(pair, times, losses, strict=True)
    }
    return {"dropout": dropout, **found, "ratio": found["minilm"]["median_ms"] / found["PyTorch"]["median_ms"]}


def machine(options: Options) -> dict[str, Any]:
    """What was measured on: the card, its driver, and the versions of all that took part."""
    import torch

    about = {"python": platform.python_version(), "numpy": np.__version__, "torch": torch.__version__,
             "minilm": ml.__version__, "processor": platform.processor() or platform.machine()}  # fmt: skip
    if options.device == "cuda":
        import cupy

        runtime = cupy.cuda.runtime
        card = runtime.getDeviceProperties(0)
        about.update(card=card["name"].decode(), compute_capability=f"{card['major']}.{card['minor']}",
                     memory_bytes=int(card["totalGlobalMem"]), driver=driver_version(), cuda_driver=runtime.driverGetVersion(),
                     cuda_runtime=runtime.runtimeGetVersion(), cupy=cupy.__version__, torch_cuda=torch.version.cuda)  # fmt: skip
    return about


def driver_version() -> str | None:
    """The NVIDIA driver's own version, such as "580.65.06"; None where nvidia-smi does not tell."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        lines = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        return None
    return lines[0].strip() if lines else None


def run(options: Options, dropouts: Sequence[float]) -> dict[str, Any]:
    """The record of one run.

    Raises:
        Unusable: the device is not there, or the losses differ.
    """
    require(options)
    return {"benchmark": "gpu recipe, one training step", "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "machine": machine(options), "options": asdict(options),
            "results": [compare(options, dropout) for dropout in dropouts]}  # fmt: skip


# -- showing ------------------------------------------------------------------------------------------------------------


def table(record: dict[str, Any]) -> str:
    """The record for the eye: milliseconds a step (median, and the quartiles around it), peak memory, and the ratio."""
    about, options = record["machine"], record["options"]
    lines = [f"{about.get('card', about['processor'])}, PyTorch {about['torch']}, CuPy {about.get('cupy', 'none')}, "
             f"TF32 {'on' if options['tf32'] else 'off'}"]  # fmt: skip
    if options["device"] == "cpu":
        lines.append("A dry run on the CPU: these times say nothing about a GPU.")
    lines.append(f"{'dropout':>8}  {'side':<8} {'ms a step':>10} {'quartiles':>19} {'peak memory':>12}  ratio")
    for result in record["results"]:
        for name in ("minilm", "PyTorch"):
            side = result[name]
            peak = "" if side["peak_bytes"] is None else f"{side['peak_bytes'] / 2**30:.2f} GiB"
            ratio = f"  {result['ratio']:.2f}" if name == "minilm" else ""
            quartiles = f"{side['quartile_1_ms']:.2f} to {side['quartile_3_ms']:.2f}"
            lines.append(
                f"{result['dropout']:>8}  {name:<8} {side['median_ms']:>10.2f} {quartiles:>19} {peak:>12}{ratio}"
            )
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(prog="python -m tests.benchmarks.gpu", description=(__doc__ or "").splitlines()[0])
    found.add_argument("--device", default="cuda", help="cuda; cpu goes through the motions without a GPU")
    for name in ("layers", "heads", "width", "length", "batch", "warmup", "rounds", "steps"):
        found.add_argument(f"--{name}", type=int, default=getattr(Options, name))
    found.add_argument("--dropout", type=float, nargs="*", default=[0.0, 0.2])
    found.add_argument("--no-tf32", dest="tf32", action="store_false", help="float32 products on both sides")
    found.add_argument("--record", type=Path, help="write the JSON record to this file")
    return found


def main(arguments: Sequence[str] | None = None, show: Callable[[str], None] = print) -> int:
    """Returns the exit status: 2 where there is nothing to measure on."""
    given = vars(parser().parse_args(arguments))
    dropouts, path = given.pop("dropout"), given.pop("record")
    try:
        record = run(Options(**given), dropouts)
    except Unusable as error:
        print(f"tests.benchmarks.gpu: {error}", file=sys.stderr)
        return 2
    show(table(record))
    if path is not None:
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
