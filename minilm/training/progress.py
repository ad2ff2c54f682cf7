"""What is seen of a training while it runs, and after it: its speed, the progress bar, the loss curve."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from minilm.files import atomic_write
from minilm.style import BLUE, VERMILLION
from minilm.training.run import Run


class Meter:
    """Measures the speed of the updates alone: evaluations and checkpoints are not counted.

    Args:
        step: updates done.
        units_per_step: what one of them works through, as tokens.
        wait: returns when the device has done what it was given.
    """

    def __init__(self, step: int, units_per_step: int, wait: Callable[[], None]) -> None:
        self.units_per_step, self.wait = units_per_step, wait
        self.step, self.seconds, self.clock = step, 0.0, time.perf_counter()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Within it, time does not count; a device ends its updates first."""
        self.wait()
        self.seconds += time.perf_counter() - self.clock
        try:
            yield
        finally:
            self.clock = time.perf_counter()

    def read(self, step: int) -> float:
        """What was worked through per second since it was read last, or made."""
        now = time.perf_counter()
        seconds, steps = self.seconds + now - self.clock, step - self.step
        self.step, self.seconds, self.clock = step, 0.0, now
        return steps * self.units_per_step / max(seconds, 1e-9)


class Bar:
    """The progress bar; where it cannot be written (a terminal that is gone, a full disk), it ends, and the training does not."""

    def __init__(self, steps: int, done: int, shown: bool) -> None:
        from tqdm.auto import tqdm

        self._bar: Any = None
        with self._guarded():
            self._bar = tqdm(total=steps, initial=done, unit="step", disable=not shown, dynamic_ncols=True,
                             bar_format="{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}, {remaining} left{postfix}",
                             mininterval=0.1 if sys.stderr.isatty() else 10.0)  # fmt: skip

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError):  # ValueError: the stream was closed
            if self._bar is not None:
                self._bar.disable = True

    def update(self) -> None:
        with self._guarded():
            if self._bar is not None:
                self._bar.update()

    def show(self, text: str) -> None:
        with self._guarded():
            if self._bar is not None:
                self._bar.set_postfix_str(text, refresh=False)

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        with self._guarded():
            if self._bar is not None:
                self._bar.close()


def plot_losses(run: Run[Any]) -> Path:
    """Draws metrics.jsonl's training and validation losses over the steps; returns the picture's path."""
    from matplotlib.figure import Figure

    lines = run.metrics()
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    for key, label, style in (("loss", "training (one batch)", {"color": BLUE, "linewidth": 1}),
                              ("validation_loss", "validation", {"color": VERMILLION, "marker": "o"})):  # fmt: skip
        points = [(line["step"], line[key]) for line in lines if line.get(key) is not None and math.isfinite(line[key])]
        if points:
            axes.plot(*zip(*points, strict=True), label=label, **style)
    axes.set_xlabel("step")
    axes.set_ylabel(f"loss ({run.task.unit})")
    axes.grid(alpha=0.3)
    axes.legend()
    path = run.folder / "loss.png"
    with atomic_write(path) as file:
        figure.savefig(file, format="png", dpi=120)
    return path
