"""Training a language model: the loop, and going on after it was interrupted.

What an update does depends only on the weights, the optimizer's averages, the step's number and the seed: the batch of a step
is drawn from a generator seeded with (seed, step), and dropout from a counter. So a run that was killed and resumed ends with
the same weights, bit for bit, as one that was not.
"""

from __future__ import annotations

import contextlib
import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minilm import random, terminal
from minilm.backend import get_device
from minilm.checkpoint import CheckpointError, expect_format, load_arrays, save_arrays
from minilm.data import random_blocks
from minilm.files import atomic_write
from minilm.graph import no_grad
from minilm.models.gpt import GPT
from minilm.nn import functional as F
from minilm.optim import AdamW, clip_grad_norm_
from minilm.parallel import DataParallel
from minilm.run import Run, TrainConfig, load_weights, weights_of
from minilm.tensor import Tensor

Tokens = np.ndarray[Any, Any]
LOG_EVERY = 10
EVAL_TOKENS = 32_768  # for the evaluations on the way; the last one reads all


@dataclass
class TokenizedText:
    """The two parts of a text as ids. `validation_characters` turns nats a token into bits a character."""

    train: Tokens
    validation: Tokens
    validation_characters: int

    def bits_per_character(self, loss: float) -> float:
        r""":math:`\text{loss} \cdot \frac{\text{tokens}}{\text{characters}} \cdot \frac{1}{\ln 2}`."""
        return loss * len(self.validation) / self.validation_characters / math.log(2)


@dataclass
class Outcome:
    """How a training ended.

    Attributes:
        reason: "finished", "early stop" or "interrupted".
        step: updates done.
        validation_loss: of the best weights, in nats a token, over the whole validation text; NaN when interrupted.
        bits_per_character: the same in bits a character.
        seconds: this session's time.
    """

    reason: str
    step: int
    validation_loss: float
    bits_per_character: float
    seconds: float


def learning_rate_at(step: int, config: TrainConfig) -> float:
    r"""Linear warm-up, then half a cosine down to the minimum (Loshchilov and Hutter 2017; nanoGPT's form).

    .. math:: \eta_t = \eta \frac{t + 1}{w + 1} \;(t < w), \qquad
        \eta_t = \eta_{\min} + \tfrac12 (\eta - \eta_{\min}) \Bigl(1 + \cos \pi \frac{t - w}{n - w}\Bigr) \;(t \ge w)
    """
    if step < config.warmup:
        return config.learning_rate * (step + 1) / (config.warmup + 1)
    progress = (step - config.warmup) / max(1, config.steps - config.warmup)
    return config.min_learning_rate + 0.5 * (config.learning_rate - config.min_learning_rate) * (
        1 + math.cos(math.pi * min(progress, 1.0))
    )


class Training:
    """A model, its optimizer, and how far they have come.

    Attributes:
        step: updates done.
        best: the lowest validation loss so far, and `bad`: the evaluations since then.
    """

    def __init__(self, run: Run, text: TokenizedText, device: str = "auto") -> None:
        self.run, self.text, self.config = run, text, run.train_config
        self.step, self.best, self.bad = 0, math.inf, 0
        random.manual_seed(self.config.seed)
        self.model = GPT(run.model_config).to(device)
        self.optimizer = AdamW(
            self.model.decay_groups(self.config.weight_decay),
            lr=self.config.learning_rate,
            betas=(self.config.beta1, self.config.beta2),
        )
        if get_device(device).waits_to_look:
            self.optimizer.flatten()
        self.parallel = DataParallel(self.model, self.config.processes)

    def update(self) -> tuple[Tensor, Any]:
        """One step: the mean loss of the step's batches, and the gradient's norm before clipping."""
        config, block = self.config, self.run.model_config.block_size
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate_at(self.step, config)
        self.optimizer.zero_grad()
        total = None
        for part in range(config.accumulate):
            rng = np.random.default_rng([config.seed, self.step, part])
            x, y = random_blocks(self.text.train, block, config.batch_size, rng)
            loss = self.parallel.backward(x, y, scale=1.0 / config.accumulate)
            total = loss if total is None else total + loss
        norm = clip_grad_norm_(self.model.parameters(), config.clip or math.inf)
        self.optimizer.step()
        self.step += 1
        assert total is not None
        return total, norm

    def evaluate(self, most: int | None = None) -> float:
        """The mean loss in nats a token over the validation text, cut into contexts one after another (`most` tokens of it)."""
        block = self.run.model_config.block_size
        ids = self.text.validation
        count = (len(ids) - 1) // block
        rows = np.arange(count) * block
        if most is not None and count > most // block:
            rows = rows[np.linspace(0, count - 1, max(1, most // block)).astype(int)]
        total, batch = 0.0, max(1, 4096 // block)
        self.model.eval()
        with no_grad():
            for i in range(0, len(rows), batch):
                offsets = rows[i : i + batch, None] + np.arange(block)
                logits = self.model(ids[offsets].astype(np.int64))
                targets = Tensor(ids[offsets + 1].astype(np.int64).reshape(-1), device=logits.device)
                total += F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets, reduction="sum").item()
        self.model.train()
        return total / (len(rows) * block)

    def save(self) -> None:
        """Replaces the run's checkpoint."""
        optimizer = self.optimizer.state_dict()
        arrays = {f"model.{name}": array for name, array in weights_of(self.model).items()}
        arrays.update({f"optimizer.{name}": array for name, array in optimizer["arrays"].items()})
        about = {"format": "minilm checkpoint", "version": 1, "step": self.step, "best": self.best, "bad": self.bad,
                 "random": random.get_state(), "optimizer": optimizer["options"]}  # fmt: skip
        save_arrays(self.run.folder / "checkpoint.safetensors", arrays, about)

    @classmethod
    def resume(cls, run: Run, text: TokenizedText, device: str = "auto") -> Training:
        """The training at the run's checkpoint; a run that was killed before its first one begins anew.

        Raises:
            CheckpointError: the checkpoint is damaged, or does not fit the run.
        """
        path = run.folder / "checkpoint.safetensors"
        if not path.exists():
            training = cls(run, text, device)
        else:
            arrays, about = load_arrays(path)
            expect_format(path, about, "minilm checkpoint")
            weights, averages = _part(arrays, "model."), _part(arrays, "optimizer.")
            run.check_shapes(
                path, {name: array.shape for name, array in weights.items()}
            )  # before such a model is made
            training = cls(run, text, device)
            try:
                load_weights(training.model, weights, path)
                training.optimizer.load_state_dict({"options": about["optimizer"], "arrays": averages})
                random.set_state(about["random"])
                training.step, training.best, training.bad = int(about["step"]), float(about["best"]), int(about["bad"])
            except CheckpointError:
                raise
            except (KeyError, ValueError, TypeError, RuntimeError) as error:
                raise CheckpointError(
                    f"{path} does not fit this run ({type(error).__name__}: {error}): restore it from a copy."
                ) from None
        run.rewind_metrics(training.step)
        return training

    @property
    def finished(self) -> bool:
        return self.step >= self.config.steps or self.stopped_early

    @property
    def stopped_early(self) -> bool:
        return bool(self.config.patience) and self.bad >= self.config.patience


def _part(arrays: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The arrays whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def train(run: Run, text: TokenizedText, *, device: str = "auto", progress: bool = True) -> Outcome:
    """Trains a run to its end, from its checkpoint if it has one.

    Ctrl-C (or a polite kill) saves after the step that is being computed, and returns; a second one ends at once.

    Raises:
        CheckpointError: the run's checkpoint is damaged.
        FloatingPointError: the loss is no longer finite; the last checkpoint stands.
    """
    from tqdm.auto import tqdm

    started = time.perf_counter()
    training = Training.resume(run, text, device)
    if math.isinf(training.best):  # never evaluated yet
        _evaluate(training)
        training.save()
    bar = tqdm(total=run.train_config.steps, initial=training.step, unit="step", disable=not progress, dynamic_ncols=True,
               bar_format="{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}, {remaining} left{postfix}",
               mininterval=0.1 if sys.stderr.isatty() else 10.0)  # fmt: skip
    with training.parallel, bar, stop_requests() as stop:
        clock = time.perf_counter()
        while not training.finished and not stop():
            loss, norm = training.update()
            bar.update()
            if training.step % LOG_EVERY == 0 or training.step == run.train_config.steps:
                now = time.perf_counter()
                speed = LOG_EVERY * _tokens_a_step(run) / (now - clock)
                clock = now
                _report(training, loss, norm, speed, bar)
            if training.step % run.train_config.eval_every == 0 or training.step == run.train_config.steps:
                _evaluate(training)
                clock = time.perf_counter()
            if training.step % run.train_config.checkpoint_every == 0:
                training.save()
        interrupted = not training.finished
    training.save()
    plot_losses(run)
    if interrupted:
        return Outcome("interrupted", training.step, math.nan, math.nan, time.perf_counter() - started)
    load_weights(training.model, load_arrays(run.folder / "model.safetensors")[0], run.folder / "model.safetensors")
    loss_of_best = training.evaluate()
    run.log(
        step=training.step, final_validation_loss=loss_of_best, bits_per_character=text.bits_per_character(loss_of_best)
    )
    reason = "finished" if training.step >= run.train_config.steps else "early stop"
    return Outcome(
        reason, training.step, loss_of_best, text.bits_per_character(loss_of_best), time.perf_counter() - started
    )


def _tokens_a_step(run: Run) -> int:
    return run.train_config.batch_size * run.train_config.accumulate * run.model_config.block_size


def _report(training: Training, loss: Tensor, norm: Any, speed: float, bar: Any) -> None:
    """Reads the loss (the one wait for a GPU), logs it and shows it."""
    value = loss.item()
    if not math.isfinite(value):
        raise FloatingPointError(
            f"the loss became {value} by step {training.step}: lower --learning-rate or raise --warmup. The checkpoint in "
            f"{training.run.folder} is from before."
        )
    rate = training.optimizer.param_groups[0]["lr"]
    training.run.log(
        step=training.step, loss=value, learning_rate=rate, gradient_norm=float(norm), tokens_per_second=round(speed)
    )
    bar.set_postfix_str(terminal.progress(value, training.best, speed, terminal.columns(sys.stderr)), refresh=False)


def _evaluate(training: Training) -> None:
    """Evaluates, and keeps the weights if they are the best so far."""
    loss = training.evaluate(EVAL_TOKENS)
    training.run.log(step=training.step, validation_loss=loss)
    training.bad = 0 if loss < training.best else training.bad + 1
    if loss < training.best:
        training.best = loss
        training.run.save_model(training.model)


@contextlib.contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Within it, the first Ctrl-C or SIGTERM only makes the yielded function return True; the second acts as always."""
    asked = False

    def ask(number: int, _frame: Any) -> None:
        nonlocal asked
        asked = True
        for s, handler in before.items():
            signal.signal(s, handler)
        print("\nStopping after this step (once more to stop at once) ...", file=sys.stderr)

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        before = {s: signal.signal(s, ask) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for s, handler in before.items():
            signal.signal(s, handler)


def plot_losses(run: Run) -> Path:
    """Draws metrics.jsonl's training and validation losses over the steps; returns the picture's path."""
    from matplotlib.figure import Figure

    lines = run.metrics()
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    for key, label, style in (("loss", "training (one batch)", {"color": "#88aacc", "linewidth": 1}),
                              ("validation_loss", "validation", {"color": "#aa3322", "marker": "o"})):  # fmt: skip
        points = [(line["step"], line[key]) for line in lines if key in line]
        if points:
            axes.plot(*zip(*points, strict=True), label=label, **style)
    axes.set_xlabel("step")
    axes.set_ylabel("loss (nats per token)")
    axes.grid(alpha=0.3)
    axes.legend()
    path = run.folder / "loss.png"
    with atomic_write(path) as file:
        figure.savefig(file, format="png", dpi=120)
    return path
