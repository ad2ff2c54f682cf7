"""Training a language model: the loop, and going on after it was interrupted.

What an update does depends only on the weights, the optimizer's averages, the step's number and the seed: the batch of a step
is drawn from a generator seeded with (seed, step), and dropout from a counter. So a run that was killed and resumed ends with
the same weights, bit for bit, as one that was not. What is written when, and in which order, is the promise of `minilm.training.run`.
"""

from __future__ import annotations

import contextlib
import errno
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
from minilm.backend.detect import memory
from minilm.data import random_blocks
from minilm.files import atomic_write
from minilm.graph import no_grad
from minilm.models.gpt import GPT, GPTConfig
from minilm.models.size import training_bytes
from minilm.nn import functional as F
from minilm.optim import AdamW, clip_grad_norm_
from minilm.parallel import DataParallel, WorkerError
from minilm.tensor import Tensor
from minilm.training.checkpoint import CheckpointError, RunError, canonical, not_finite
from minilm.training.run import Checkpoint, Run, load_weights, warn, weights_of
from minilm.training.settings import TrainConfig
from minilm.types import HostArray

LOG_EVERY = 10
EVAL_TOKENS = 32_768  # for the evaluations on the way; the last one reads all


@dataclass
class TokenizedText:
    """The two parts of a text as ids. `validation_characters` turns nats a token into bits a character."""

    train: HostArray
    validation: HostArray
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


def learning_rate_at(step: int, config: TrainConfig, began: int = 0) -> float:
    r"""Linear warm-up, then half a cosine down to the minimum (Loshchilov and Hutter 2017; nanoGPT's form).

    .. math:: \eta_t = \eta \frac{t + 1}{w + 1} \;(t < w), \qquad
        \eta_t = \eta_{\min} + \tfrac12 (\eta - \eta_{\min}) \Bigl(1 + \cos \pi \frac{t - w}{n - w}\Bigr) \;(t \ge w)

    t and n, the number of updates, count from `began`: 0, or where the phase began that has its own schedule.
    """
    step, steps = step - began, config.steps - began
    if step < config.warmup:
        return config.learning_rate * (step + 1) / (config.warmup + 1)
    progress = (step - config.warmup) / max(1, steps - config.warmup)
    return config.min_learning_rate + 0.5 * (config.learning_rate - config.min_learning_rate) * (
        1 + math.cos(math.pi * min(progress, 1.0))
    )


class Training:
    """A model, its optimizer, and how far they have come.

    Attributes:
        step: updates done, and `saved`: how many of them the run's checkpoint has (None: there is no checkpoint).
        best: the lowest validation loss so far, `best_step`: after which step it was found (None: not yet, or unknown), and `bad`:
            the evaluations since then.

    Raises:
        RunError: the machine's memory is too small for the model.
    """

    def __init__(self, run: Run, text: TokenizedText, device: str = "auto") -> None:
        self.run, self.text, self.config = run, text, run.train_config
        self.step, self.best, self.bad = 0, math.inf, 0
        self.best_step: int | None = None
        self.saved: int | None = None
        if not get_device(device).waits_to_look:
            _check_memory(run.model_config, self.config.batch_size)
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
            group["lr"] = learning_rate_at(self.step, config, self.run.schedule_began)
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
        return self._mean_loss(rows)

    def _mean_loss(self, rows: HostArray) -> float:
        """The mean loss of the validation text's contexts that begin at `rows`."""
        block, ids = self.run.model_config.block_size, self.text.validation
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
        """Replaces the run's checkpoint.

        Raises:
            FloatingPointError: the weights, the optimizer's averages or the loss are not finite; the checkpoint before stands.
        """
        optimizer = self.optimizer.state_dict()
        arrays = {f"model.{name}": array for name, array in weights_of(self.model).items()}
        arrays.update({f"optimizer.{name}": array for name, array in optimizer["arrays"].items()})
        if name := not_finite(arrays):
            raise self.diverged(f"{name} is not finite")
        if not math.isfinite(loss := self._mean_loss(np.zeros(1, np.int64))):
            raise self.diverged(f"the loss became {loss}")
        about = {"step": self.step, "best": self.best, "best_step": self.best_step, "bad": self.bad,
                 "random": random.get_state(), "optimizer": optimizer["options"]}  # fmt: skip
        self.run.save_checkpoint(arrays, about)
        self.saved = self.step

    def save_best(self) -> None:
        """Makes the weights the run's best, those of the checkpoint that was just written."""
        self.run.save_model(self.model, self.step, self.best)

    def diverged(self, what: str) -> FloatingPointError:
        """The error for numbers that are no longer finite."""
        return FloatingPointError(
            f"the training diverged: {what} by step {self.step}. Step {self.saved or 0} stands as the last good checkpoint: go on from "
            f"there with a lower --learning-rate than {self.config.learning_rate:g}, a longer --warmup or --clip 1 "
            f"({self.run.command} --learning-rate ...)."
        )

    @classmethod
    def resume(cls, run: Run, text: TokenizedText, device: str = "auto") -> Training:
        """The training at the run's checkpoint; a run that was killed before its first one begins anew.

        Everything is read and checked before anything is written.

        Raises:
            CheckpointError: a file of the run is damaged, missing, or another run's.
        """
        run.check_places()
        checkpoint = run.load_checkpoint()
        model_step = _check_model(run, checkpoint)
        run.metrics()
        training = cls(run, text, device)
        if checkpoint is not None:
            training._restore(checkpoint)
            training._settle_model(model_step)
        run.rewind_metrics(training.step)
        return training

    def _restore(self, checkpoint: Checkpoint) -> None:
        """Takes over a checkpoint's state. Options of the optimizer are the phase's."""
        path = self.run.folder / "checkpoint.safetensors"
        options = [{k: v for k, v in group.items() if k != "params"} for group in self.optimizer.param_groups]
        try:
            load_weights(self.model, checkpoint.weights, path)
            self.optimizer.load_state_dict({"options": checkpoint.optimizer, "arrays": checkpoint.averages})
            random.set_state(checkpoint.random)
        except CheckpointError:
            raise
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            raise CheckpointError(
                f"{path} does not fit this run ({type(error).__name__}: {error}): restore it from a copy."
            ) from None
        same = canonical(random.get_state()) == canonical(checkpoint.random)  # every value of it was taken as it stands
        if checkpoint.random.get("seed") != self.config.seed or not same:
            raise CheckpointError(f"{path} is damaged: its random state is none of the run's seed, {self.config.seed}.")
        for group, own in zip(self.optimizer.param_groups, options, strict=True):
            group.update(own)
        counts = {self.optimizer.state.get(p, {"step": 0})["step"] for p in self.model.parameters()}
        if counts != {checkpoint.step}:
            raise CheckpointError(
                f"{path} is damaged: its step is {checkpoint.step}, its optimizer's {sorted(counts)}: restore it from a copy."
            )
        self.step, self.best, self.best_step = checkpoint.step, checkpoint.best, checkpoint.best_step
        self.bad, self.saved = checkpoint.bad if checkpoint.current else 0, checkpoint.step

    def _settle_model(self, model_step: int | None) -> None:
        """Writes the best weights, if a kill came between the checkpoint that knows them and the file of theirs."""
        path = self.run.folder / "model.safetensors"
        if math.isinf(self.best) or (path.exists() and model_step == self.best_step):
            return
        if self.best_step == self.step:
            self.save_best()
        elif not path.exists():
            warn(f"{path} is gone; the run goes on, and the weights that it has now take its place.")
            self.best, self.best_step = math.inf, None

    @property
    def finished(self) -> bool:
        return self.step >= self.config.steps or self.stopped_early

    @property
    def stopped_early(self) -> bool:
        return bool(self.config.patience) and self.bad >= self.config.patience


def _check_model(run: Run, checkpoint: Checkpoint | None) -> int | None:
    """The step of the run's best weights (None: there are none, or they are from version 1).

    Raises:
        CheckpointError: they are damaged or another run's, or they and the checkpoint are not of one time.
    """
    path = run.folder / "model.safetensors"
    if not path.exists():
        return None
    best = run.load_weights()
    step = best.step
    if step is None or checkpoint is None:
        return step
    if step > checkpoint.step or math.isinf(checkpoint.best):
        raise CheckpointError(
            f"{path} is of step {step}, newer than the checkpoint, of step {checkpoint.step}: going on would overwrite it. Put the "
            "newer checkpoint back, or move the model away."
        )
    if step == checkpoint.best_step and best.validation_loss != checkpoint.best:
        raise CheckpointError(
            f"{path} has the loss {best.validation_loss} at step {step}, the checkpoint {checkpoint.best}: they are not of one "
            "training. Put the run's own files back."
        )
    if checkpoint.best_step is not None and step != checkpoint.best_step != checkpoint.step:
        raise CheckpointError(
            f"{path} is of step {step}, but the best weights are those of step {checkpoint.best_step}: put the run's own file back, or "
            "move this one away and go on without."
        )
    return step


def _check_memory(config: GPTConfig, batch_size: int) -> None:
    """Refuses a model that the memory of this machine cannot hold while it is trained (`minilm.models.size`)."""
    there, need = memory(), training_bytes(config, batch_size)
    if there is not None and need > there:
        raise RunError(
            f"a GPT with {config.n_layer} layers, {config.n_embd} wide and {config.vocab_size} tokens takes at least "
            f"{need / 1e9:,.0f} GB of memory to train, and there are {there / 1e9:,.0f} GB. Choose a smaller --width or fewer --layers."
        )


def train(run: Run, text: TokenizedText, *, device: str = "auto", progress: bool = True) -> Outcome:
    """Trains a run to its end, from its checkpoint if it has one.

    Ctrl-C, a polite kill or a closed terminal saves after the step that is being computed, and returns; a second one ends at once.

    Raises:
        CheckpointError: a file of the run is damaged, missing, or another run's.
        RunError: another process trains the run, a file cannot be written, memory is too small, or a worker is gone.
        FloatingPointError: the numbers are no longer finite. After this and every other error the last checkpoint stands.
    """
    with run.locked(), run.undone_unless_begun():
        try:
            with np.errstate(all="ignore"):  # what is not finite is looked for, and named with what to do
                return _train(run, text, device, progress)
        except MemoryError as error:
            raise _stopped(run, f"memory is too small ({error})" if str(error) else "memory is too small",
                           "use a smaller --batch-size, or a smaller model") from error  # fmt: skip
        except WorkerError as error:
            raise _stopped(run, str(error).rstrip(), "fewer --processes may help") from error
        except OSError as error:
            raise _stopped(
                run, f"{error.filename or run.folder}: {error.strerror or error}", _ADVICE.get(error.errno or 0, "")
            ) from error


_ADVICE = {
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: "make room on the disk",
    errno.EFBIG: "raise the limit on the size of files",
    errno.EACCES: "make the folder writable",
    errno.EPERM: "make the folder writable",
    errno.EROFS: "make the folder writable",
    errno.ENOENT: "was the folder renamed or deleted?",
}


def _stopped(run: Run, what: str, advice: str) -> RunError:
    """The error for a training that something outside ended."""
    try:
        checkpoint = run.load_checkpoint()
    except (CheckpointError, OSError):
        checkpoint = None
    stands = "" if not checkpoint or not run.begun else (
        f" The checkpoint of step {checkpoint.step} stands: go on with {run.command}"
    )  # fmt: skip
    return RunError(f"{what.rstrip('.')}{': ' + advice if advice else ''}.{stands}")


def _train(run: Run, text: TokenizedText, device: str, progress: bool) -> Outcome:
    started = time.perf_counter()
    training = Training.resume(run, text, device)
    began, config = training.step, run.train_config
    meter, bar = Meter(training), Bar(config.steps, training.step, progress)
    with training.parallel, bar, stop_requests() as stop:
        if training.saved is None:
            training.save()
        if math.isinf(training.best):  # never evaluated yet
            known = any("validation_loss" in line and line["step"] == training.step for line in run.metrics())
            _evaluate(training, log=not known)
        meter.read()
        while not training.finished and not stop():
            loss, norm = training.update()
            run.begin()
            bar.update()
            last = training.step == config.steps
            if last or training.step % LOG_EVERY == 0:
                _report(training, loss, norm, meter, bar)
            if last or training.step % config.eval_every == 0:
                with meter.paused():
                    _evaluate(training)
            if training.step % config.checkpoint_every == 0 and training.saved != training.step:
                with meter.paused():
                    training.save()
        interrupted = not training.finished
        if training.saved != training.step:
            training.save()
    if training.step > began or not (run.folder / "loss.png").exists():
        plot_losses(run)
    if interrupted:
        return Outcome("interrupted", training.step, math.nan, math.nan, time.perf_counter() - started)
    load_weights(training.model, run.load_weights().arrays, run.folder / "model.safetensors")
    loss_of_best = training.evaluate()
    bits = text.bits_per_character(loss_of_best)
    told = any("final_validation_loss" in line and line["step"] == training.step for line in run.metrics())
    if not told:
        run.log(step=training.step, final_validation_loss=loss_of_best, bits_per_character=bits)
    reason = "finished" if training.step >= run.train_config.steps else "early stop"
    return Outcome(reason, training.step, loss_of_best, bits, time.perf_counter() - started)


class Meter:
    """Measures tokens a second of the updates alone: evaluations and checkpoints are not counted."""

    def __init__(self, training: Training) -> None:
        config = training.config
        self.training, self.tokens_a_step = (
            training,
            config.batch_size * config.accumulate * training.run.model_config.block_size,
        )
        self.step, self.seconds, self.clock = training.step, 0.0, time.perf_counter()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Within it, time does not count; a device ends its updates first."""
        self.training.model.wte.weight.device.synchronize()
        self.seconds += time.perf_counter() - self.clock
        try:
            yield
        finally:
            self.clock = time.perf_counter()

    def read(self) -> float:
        """HostArray a second since it was read last, or made."""
        now = time.perf_counter()
        seconds, steps = self.seconds + now - self.clock, self.training.step - self.step
        self.step, self.seconds, self.clock = self.training.step, 0.0, now
        return steps * self.tokens_a_step / max(seconds, 1e-9)


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


def _report(training: Training, loss: Tensor, norm: Any, meter: Meter, bar: Bar) -> None:
    """Reads the loss (the one wait for a GPU), logs it and shows it."""
    value = loss.item()
    speed = meter.read()
    if not math.isfinite(value):
        raise training.diverged(f"the loss became {value}")
    rate = training.optimizer.param_groups[0]["lr"]
    training.run.log(
        step=training.step, loss=value, learning_rate=rate, gradient_norm=float(norm), tokens_per_second=round(speed)
    )
    bar.show(terminal.progress(value, training.best, speed, terminal.columns(sys.stderr)))


def _evaluate(training: Training, log: bool = True) -> None:
    """Evaluates, and keeps the weights if they are the best so far: in the checkpoint first, which decides, then in their file."""
    loss = training.evaluate(EVAL_TOKENS)
    if not math.isfinite(loss):
        raise training.diverged(f"the validation loss became {loss}")
    if log:
        training.run.log(step=training.step, validation_loss=loss)
    training.bad = 0 if loss < training.best else training.bad + 1
    if loss < training.best:
        training.best, training.best_step = loss, training.step
        training.save()
        training.save_best()


def _stop_signals() -> list[int]:
    """Ctrl-C, a polite kill, a closed terminal (but not under nohup, which has it ignored), and Windows' Ctrl-Break."""
    found = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]
    return [s for s in found if s != getattr(signal, "SIGHUP", None) or signal.getsignal(s) != signal.SIG_IGN]


@contextlib.contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Within it, the first Ctrl-C, SIGTERM or SIGHUP only makes the yielded function return True; the second acts as always."""
    asked = False

    def ask(number: int, _frame: Any) -> None:
        nonlocal asked
        asked = True
        for s, handler in before.items():
            signal.signal(s, handler)
        with contextlib.suppress(OSError, RuntimeError):  # the terminal is gone, or was being written to
            print("\nStopping after this step (once more to stop at once) ...", file=sys.stderr)

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        before = {s: signal.signal(s, ask) for s in _stop_signals()}
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
        points = [(line["step"], line[key]) for line in lines if line.get(key) is not None and math.isfinite(line[key])]
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
