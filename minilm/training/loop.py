"""The training loop, and going on after it was interrupted. What it trains is a `minilm.training.task.Task`.

What an update does depends only on the weights, the optimizer's averages, the step's number and the seed: the batch of a step
is drawn from a generator seeded with (seed, step, part), and dropout from a counter. So a run that was killed and resumed ends with
the same weights, bit for bit, as one that was not. What is written when, and in which order, is the promise of `minilm.training.run`.
"""

from __future__ import annotations

import contextlib
import math
import sys
import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from minilm import random, terminal
from minilm.backend import get_device
from minilm.graph import no_grad
from minilm.optim import AdamW, Optimizer, WarmupCosineLR, clip_grad_norm_
from minilm.parallel import DataParallel, world
from minilm.tensor import Tensor
from minilm.training.card import CARD, Result, write_card
from minilm.training.checkpoint import RunError, not_finite
from minilm.training.dashboard import Dashboard
from minilm.training.progress import Bar, Meter, plot_losses
from minilm.training.resume import restore, step_of_best_weights
from minilm.training.run import Run, load_weights, warn, weights_of
from minilm.training.settings import TrainConfig
from minilm.training.stops import explained, stop_requests
from minilm.training.task import Task, Tested
from minilm.training.watch import Watch, watched

LOG_EVERY = 10


@dataclass
class Outcome:
    """How a training ended.

    Attributes:
        reason: "finished", "early stop" or "interrupted".
        step: updates done.
        validation_loss: of the best weights, over all of the validation data, in the task's unit; NaN when interrupted.
        seconds: this session's time.
        measures: what else the task tells of the best weights (`Task.measures`).
        tested: what the task measured of them on its test part; empty where that was done in an earlier session.
    """

    reason: str
    step: int
    validation_loss: float
    seconds: float
    measures: dict[str, float] = field(default_factory=dict)
    tested: tuple[Tested, ...] = ()


def schedule_of(optimizer: Optimizer, config: TrainConfig, began: int = 0) -> WarmupCosineLR:
    """The learning rate over the updates that follow `began`: 0, or where the phase began that has its own schedule.

    A warm-up as long as all updates, or longer, is what there is of it: the rate only rises.
    """
    steps = max(config.steps - began, config.warmup + 1)
    return WarmupCosineLR(optimizer, config.warmup, steps, min_lr=config.min_learning_rate)


class Updates:
    """A task's model, its optimizer, and the updates done.

    Args:
        data: what the task's methods take.
        began: the step at which the learning rate's schedule began.

    Attributes:
        step: updates done.
        parallel: who shares each batch.
        dashboard: reads the layers around an update, if there is one.
    """

    dashboard: Dashboard | None = None

    def __init__(self, task: Task, data: Any, config: TrainConfig, began: int, device: str) -> None:
        self.task, self.data, self.config, self.began = task, data, config, began
        self.step = 0
        if (ranks := world()) and get_device(device).name == "cuda":
            ranks.use_own_gpu()
        random.manual_seed(config.seed)
        self.model: Any = task.make_model().to(device)
        self.optimizer = AdamW(
            task.groups(self.model, config.weight_decay), lr=config.learning_rate, betas=(config.beta1, config.beta2)
        )
        if get_device(device).asynchronous:
            self.optimizer.flatten()
        self.schedule = schedule_of(self.optimizer, config, began)
        # the ranks take the place of the processes that the run's settings have
        threads, processes = config.threads_per_batch, None if ranks else config.processes
        self.parallel = DataParallel(self.model, processes, task.method, threads=threads)

    def update(self) -> tuple[Tensor, Any]:
        """One step: the mean loss of the step's batches, and the gradient's norm before clipping."""
        config = self.config
        self.schedule.go_to(self.step - self.began)
        self.optimizer.zero_grad()
        total = None
        for part in range(config.accumulate):
            rng = np.random.default_rng([config.seed, self.step, part])
            batch = self.task.batch(self.data, config.batch_size, rng)
            loss = self.parallel.backward(*batch, scale=1.0 / config.accumulate)
            total = loss if total is None else total + loss
        norm = clip_grad_norm_(self.model.parameters(), config.clip or math.inf)
        with self.dashboard.update(self.step + 1, batch) if self.dashboard else contextlib.nullcontext():
            self.optimizer.step()
        self.step += 1
        assert total is not None
        return total, norm

    def lead(self) -> None:
        """Gives the other ranks, if there are any, what they need to do the same updates."""
        if ranks := world():
            device = next(self.model.parameters()).device.name
            ranks.share(Start(self.task, self.data, self.config, self.began, device, self.step, weights_of(self.model),
                              self.optimizer.state_dict(), random.get_state()))  # fmt: skip


class Start(NamedTuple):
    """What a rank begins with: the arguments of `Updates`, and the state that these have on rank 0."""

    task: Task
    data: Any
    config: TrainConfig
    began: int
    device: str
    step: int
    weights: dict[str, Any]
    optimizer: dict[str, Any]
    random: dict[str, Any]


class Training(Updates):
    """The updates of a run, and how far they have come: what is evaluated, written and told of them.

    Attributes:
        saved: how many updates the run's checkpoint has (None: there is no checkpoint).
        best: the lowest validation loss so far, `best_step`: after which step it was found (None: not yet, or unknown), and `bad`:
            the evaluations since then.

    Raises:
        RunError: the machine's memory is too small for the model.
    """

    def __init__(self, run: Run[Any], data: Any, device: str = "auto") -> None:
        self.run = run
        self.best, self.bad = math.inf, 0
        self.best_step: int | None = None
        self.saved: int | None = None
        config = run.train_config
        if not get_device(device).asynchronous and (too_large := run.task.too_large(config.batch_size)):
            raise RunError(too_large)
        super().__init__(run.task, data, config, run.schedule_began, device)

    def evaluate(self, most: int | None = None) -> float:
        """The task's validation loss (of `most` of its data)."""
        return self._in_evaluation(self.task.evaluate, most)

    def evaluate_parts(self) -> tuple[float, Any]:
        """The same over all of the validation data, and the losses of its parts, where the task knows them."""
        return self._in_evaluation(self.task.evaluate_parts)

    def measures(self, loss: float) -> dict[str, float]:
        """What else the task tells of the model, whose validation loss is `loss`."""
        return self._in_evaluation(self.task.measures, loss)

    def tested(self) -> tuple[Tested, ...]:
        """What the task measures on its test part."""
        return self._in_evaluation(self.task.tested, self.run.folder)

    def _in_evaluation(self, look: Any, *arguments: Any) -> Any:
        self.model.eval()
        with no_grad():
            found = look(self.model, self.data, *arguments)
        self.model.train()
        return found

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
        if not math.isfinite(loss := self._in_evaluation(self.task.evaluate, 1)):
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
    def resume(cls, run: Run[Any], data: Any, device: str = "auto") -> Training:
        """The training at the run's checkpoint; a run that was killed before its first one begins anew.

        Everything is read and checked before anything is written.

        Raises:
            CheckpointError: a file of the run is damaged, missing, or another run's.
        """
        run.check_places()
        checkpoint = run.load_checkpoint()
        model_step = step_of_best_weights(run, checkpoint)
        run.metrics()
        training = cls(run, data, device)
        if checkpoint is not None:
            restore(run, checkpoint, training.model, training.optimizer)
            training.step, training.saved = checkpoint.step, checkpoint.step
            training.best, training.best_step = checkpoint.best, checkpoint.best_step
            training.bad = checkpoint.bad if checkpoint.current else 0
            training._settle_model(model_step)
        run.rewind_metrics(training.step)
        return training

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


def train(run: Run[Any], data: Any, *, device: str = "auto", progress: bool = True, dashboard: bool = False) -> Outcome:
    """Trains a run to its end, from its checkpoint if it has one.

    Ctrl-C, a polite kill or a closed terminal saves after the step that is being computed, and returns; a second one ends at once.

    Args:
        data: what the task of the run learns from.
        dashboard: whether flow.jsonl and flow.png are written (`minilm.training.dashboard`), as they are if the run has them already.

    Raises:
        CheckpointError: a file of the run is damaged, missing, or another run's.
        RunError: another process trains the run, a file cannot be written, memory is too small, or a worker is gone.
        FloatingPointError: the numbers are no longer finite. After this and every other error the last checkpoint stands.
    """
    not_told = np.errstate(all="ignore")  # what is not finite is looked for, and named with what to do
    with run.locked(), run.undone_unless_begun(), explained(run), not_told, watched(run) as watch:
        return _train(run, data, device, progress, dashboard, watch)


def _train(run: Run[Any], data: Any, device: str, progress: bool, dashboard: bool, watch: Watch) -> Outcome:
    started = time.perf_counter()
    training = Training.resume(run, data, device)
    began, config = training.step, run.train_config
    if dashboard or Dashboard.wanted(run):
        training.dashboard = Dashboard(run, training.model, training.step, LOG_EVERY)
    units = config.batch_size * config.accumulate * run.task.units
    meter = Meter(training.step, units, next(training.model.parameters()).device.synchronize)
    bar = Bar(config.steps, training.step, progress)
    with training.parallel, bar, stop_requests() as stop:
        if training.saved is None:
            training.save()
        if math.isinf(training.best):  # never evaluated yet
            known = any("validation_loss" in line and line["step"] == training.step for line in run.metrics())
            _evaluate(training, log=not known)
        training.lead()
        watch.tell(training.saved)
        meter.read(training.step)
        while training.parallel.members.all(not training.finished and not stop()):
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
            watch.tell(training.saved)
        interrupted = not training.finished
        if training.saved != training.step:
            training.save()
    if training.step > began or not (run.folder / "loss.png").exists():
        plot_losses(run)
    if interrupted:
        write_card(run, data, training.model, training.step, "interrupted", None)
        return Outcome("interrupted", training.step, math.nan, time.perf_counter() - started)
    load_weights(training.model, run.load_weights().arrays, run.folder / "model.safetensors")
    loss_of_best, parts = training.evaluate_parts()
    measures = training.measures(loss_of_best)
    told = any("final_validation_loss" in line and line["step"] == training.step for line in run.metrics())
    reason = "finished" if training.step >= config.steps else "early stop"
    tested: tuple[Tested, ...] = ()
    if not told or not (run.folder / CARD).exists():  # before the line: where the line is, the card is
        tested = training.tested()
        result = Result(loss_of_best, parts, measures, tested)
        write_card(run, data, training.model, training.step, reason, result)
    if not told:
        run.log(step=training.step, final_validation_loss=loss_of_best, **measures)
    return Outcome(reason, training.step, loss_of_best, time.perf_counter() - started, measures, tested)


def _report(training: Training, loss: Tensor, norm: Any, meter: Meter, bar: Bar) -> None:
    """Reads the loss (the one wait for a GPU), logs it and shows it."""
    value, counted = loss.item(), training.task.counted
    speed = meter.read(training.step)
    if not math.isfinite(value):
        raise training.diverged(f"the loss became {value}")
    (rate, *_) = training.schedule.get_last_lr()
    training.run.log(step=training.step, loss=value, learning_rate=rate, gradient_norm=float(norm),
                     **{f"{counted}_per_second": round(speed)})  # fmt: skip
    bar.show(terminal.progress(value, training.best, speed, terminal.columns(sys.stderr), counted))


def _evaluate(training: Training, log: bool = True) -> None:
    """Evaluates, and keeps the weights if they are the best so far: in the checkpoint first, which decides, then in their file."""
    loss = training.evaluate(training.task.glance)
    if not math.isfinite(loss):
        raise training.diverged(f"the validation loss became {loss}")
    if log:
        training.run.log(step=training.step, validation_loss=loss)
    if training.dashboard:
        training.dashboard.draw()
    training.bad = 0 if loss < training.best else training.bad + 1
    if loss < training.best:
        training.best, training.best_step = loss, training.step
        training.save()
        training.save_best()


__all__ = ["LOG_EVERY", "Outcome", "Start", "Training", "Updates", "schedule_of", "train"]
