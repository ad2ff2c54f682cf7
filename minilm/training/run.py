"""The folder of one training run: its files, and what holds of them at every moment.

What a reader may rely on, whatever stops the writer (``kill -9``, a full disk, the power):

1. Every file but metrics.jsonl and run.lock is replaced as a whole: there is the old one or the new one, never a part.
2. A run begins with the files of its task (tokenizer.json) and then config.json: a folder without config.json holds no run, and a
   start that failed leaves nothing. config.json changes only when a new phase begins (`Run.with_phase`).
3. checkpoint.safetensors decides how far a run has come. It is written at step 0, at every ``checkpoint_every``-th step, at each
   evaluation that found better weights than before, and at the end. Lines of metrics.jsonl are on the disk before the checkpoint
   that counts them; lines after its step are computed again.
4. model.safetensors is written right after the checkpoint that knows its step and loss (``best_step``, ``best``). Should it
   be missing because of what came between the two, the checkpoint holds the same weights, and resuming writes it. So
   model.safetensors is never newer than the checkpoint, and worse weights never take the place of better ones.
5. Numbers that are not finite never take the place of finite ones: a checkpoint is written only if the weights, the optimizer's
   averages and the loss of the weights are finite.
6. Files of one run know each other: config.json has the SHA-256 of the tokenizer, and a fingerprint of all settings
   that shape the numbers; the other two carry that fingerprint and the SHA-256 of what they hold.
7. One process at a time writes (`minilm.lock`). Reading needs no lock.
8. Whoever finds a file that is missing, damaged, of another run or of a later version says so, and changes nothing. What is
   lost without harm is made anew: loss.png, train.tokens and validation.tokens, metrics.jsonl (the lines on record), and
   model.safetensors, from the next evaluation.

`FILES` lists them, `DASHBOARD` those that are asked for, and `Task.files` those that a task keeps beside them. Of its task a run
knows the name and the fields that config.json has of it; the task reads them. Versions 1 and 2 of config.json had one task, the
language model, and no name of it; files that version 1 wrote have no fingerprints. Such runs are read as they are.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from minilm.files import atomic_write, remove_leftovers
from minilm.lock import FolderLock
from minilm.nn.module import Module
from minilm.tensor import Tensor
from minilm.training.checkpoint import (
    CheckpointError,
    RunError,
    load_sealed,
    not_finite,
    save_sealed,
)
from minilm.training.config import RunConfig, read_config
from minilm.training.folder import (
    LOCK,
    TAKEN,
    lock_of,
    make_folder,
    names_of_unfinished_start,
    remove_files,
    remove_folders,
)
from minilm.training.journal import append, append_line, content_of, read_lines, sync
from minilm.training.settings import Phase, TrainConfig, check_changes
from minilm.training.task import RunFile, Task
from minilm.types import Arrays, Pathish, Shape

FILES = (
    RunFile("config.json", "the task, and the settings of every phase; written last of the first files", ("resume", "generate"), True),
    RunFile("checkpoint.safetensors", "all that is needed to go on: weights, optimizer, counters, random state", ("resume",)),
    RunFile("model.safetensors", "the weights with the lowest validation loss so far", ("resume", "generate")),
    RunFile("metrics.jsonl", "an object a line: a step with its loss, rate, gradient norm and speed, or a validation loss; appended",
            ("resume",)),
    RunFile("metrics.damaged", "lines that stood in metrics.jsonl and could not be read; appended", ()),
    RunFile("loss.png", "the loss curve; written when training ends or is stopped", ()),
    RunFile("card.md", "the model card: data, settings, numbers and limits; written when training ends or is stopped", ()),
    RunFile(LOCK, "who is training, while somebody is", ("resume",), True),
)  # fmt: skip
FLOW, FLOW_PICTURE = "flow.jsonl", "flow.png"
DASHBOARD = (
    RunFile(
        FLOW, "a layer's norms and activations at a step, an object a line; appended (`minilm.training.dashboard`)", ()
    ),
    RunFile(FLOW_PICTURE, "the same, drawn; written at each evaluation", ()),
)
"""What a run with ``--dashboard`` has, too."""
WEIGHTS, CHECKPOINT = "minilm weights", "minilm checkpoint"
T = TypeVar("T", bound=Task)


def names_of_files(kind: type[Task], first: bool = False) -> set[str]:
    """The files of a run with a task of that class; of one that has only just begun, if `first`."""
    return {entry.name for entry in (*FILES, *DASHBOARD, *kind.files) if entry.first or not first}


class Checkpoint(NamedTuple):
    """What a checkpoint holds, checked.

    Attributes:
        step: updates done; `best`: the lowest validation loss (infinite: not evaluated yet) and `best_step`: where it was found
            (None: unknown, from an earlier version); `bad`: evaluations since then.
        weights, averages, optimizer, random: of the model, of the optimizer (arrays and options), and the random state.
        current: whether it was written in the run's last phase.
    """

    step: int
    best: float
    best_step: int | None
    bad: int
    weights: Arrays
    averages: Arrays
    optimizer: dict[str, Any]
    random: dict[str, Any]
    current: bool


class BestWeights(NamedTuple):
    """What model.safetensors holds, checked: after which step the weights were the best (None: from version 1), with which loss."""

    arrays: Arrays
    step: int | None
    validation_loss: float


class Run(Generic[T]):
    """A run's folder, opened: its settings are read and checked.

    Args:
        folder: the run's.
        kind: the class of its task.

    Attributes:
        folder: the run's.
        config: what its config.json holds.

    Raises:
        CheckpointError: there is no run in the folder, it is of another task, or its config.json is damaged or was edited.
    """

    def __init__(self, folder: Pathish, kind: type[T]) -> None:
        self.folder = Path(folder)
        self._lock: FolderLock | None = None
        self._made: list[Path] | None = None  # the folders that `create` made, as long as nothing was trained
        if not self.folder.is_dir():
            raise CheckpointError(f"{self.folder} is not a folder: expected a run, as `minilm train` makes it.")
        self.config = read_config(self.folder / "config.json", kind)

    @property
    def task(self) -> T:
        """What it trains."""
        return self.config.task

    @property
    def phases(self) -> list[Phase]:
        """The phases after the first, each with the step at which it began."""
        return self.config.phases

    @property
    def train_config(self) -> TrainConfig:
        """The settings that hold now: those of the last phase."""
        return self.config.settings(len(self.phases))

    @property
    def schedule_began(self) -> int:
        """The step at which the learning rate's schedule began."""
        return self.config.schedule_began

    # -- beginning ----------------------------------------------------------------------------------------------------

    @classmethod
    def create(cls, folder: Pathish, kind: type[T], training: TrainConfig, make_task: Callable[[Path], T]) -> Run[T]:
        """Makes the folder of a new run; what a start that was killed left in it is replaced.

        Args:
            folder: must not exist, or be empty.
            kind: the class of its task.
            training: the settings of its first phase.
            make_task: writes those of the task's files (`Task.files`) that a run begins with into the folder, and returns the task.

        Raises:
            FileExistsError: the folder holds something already: nothing is overwritten.
            RunError: the folder cannot be made or written, or another process is making a run there; nothing is left.
        """
        folder = Path(folder)
        made: list[Path] = []
        try:
            unfinished = names_of_unfinished_start(folder, names_of_files(kind, first=True) - {"config.json"})
            made = make_folder(folder)
            lock = lock_of(folder)
            try:
                if not set(os.listdir(folder)) <= {LOCK, *unfinished}:
                    raise FileExistsError(TAKEN.format(folder=folder))
                for name in unfinished - {LOCK}:
                    (folder / name).unlink()
                RunConfig(make_task(folder), training, []).write(folder / "config.json")
                run = cls(folder, kind)
            except FileExistsError:
                raise
            except BaseException:
                remove_files(folder, names_of_files(kind))
                raise
            finally:
                lock.release()
        except BaseException as error:
            remove_folders(made)
            if isinstance(error, OSError) and not isinstance(error, FileExistsError):
                raise RunError(
                    f"the run's folder {folder} cannot be made ({error.strerror or error}): choose another --out, or make room for it."
                ) from None
            raise
        run._made = made
        return run

    @contextlib.contextmanager
    def undone_unless_begun(self) -> Iterator[None]:
        """Within it, an error before the first update removes the folder that `create` made: a failed start leaves nothing.

        Ctrl-C does so until the first checkpoint: from there on the run can be resumed.
        """
        if (self.folder / "checkpoint.safetensors").exists():
            self.begin()
        try:
            yield
        except BaseException as error:
            begun = not isinstance(error, Exception) and (self.folder / "checkpoint.safetensors").exists()
            if self._made is not None and not begun and (self._lock is None or self._lock.holds()):
                remove_files(self.folder, names_of_files(type(self.task)))
                remove_folders(self._made)
            raise

    @property
    def command(self) -> str:
        """What goes on with the run."""
        return f"{self.task.program} --resume {shlex.quote(str(self.folder))}"

    @property
    def begun(self) -> bool:
        """Whether its folder stays, whatever happens."""
        return self._made is None

    def begin(self) -> None:
        """Says that something was trained: from now on the folder stays, whatever happens."""
        self._made = None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Within it, no other process (and no other `Run` of this one) can train the run.

        Raises:
            RunError: another one does; the message names it.
        """
        if self._lock is not None:
            yield
            return
        self._lock = lock_of(self.folder)
        try:
            yield
        finally:
            self._lock.release()
            self._lock = None

    def _check_place(self) -> None:
        if self._lock is not None:
            self._lock.check()

    def with_phase(self, changes: Mapping[str, Any]) -> Run[T]:
        """The run with a new phase, which begins where its checkpoint is, and is recorded in config.json.

        Weights, the optimizer's averages, the best loss and the random state go on; the count of evaluations for `patience` begins
        anew. If `changes` names a setting of `SCHEDULE`, the learning rate's schedule begins anew, too: it warms up from the step
        at which the phase began, and ends at `steps`, which counts all updates of the run. Within a phase, resuming is exact.

        Args:
            changes: settings by their names in `TrainConfig`; those that are as before are no change.

        Raises:
            ValueError: a setting is unknown, fixed for the run, or out of range, or nothing is left to do with it.
            CheckpointError: the checkpoint is damaged, or missing.
        """
        check_changes(changes, self.task.fixed, self.task.options)
        before = dataclasses.asdict(self.train_config)
        changes = {name: value for name, value in changes.items() if before[name] != value}
        if not changes:
            return self
        config = TrainConfig(**{**before, **changes})
        checkpoint = self.load_checkpoint()
        step = checkpoint.step if checkpoint else 0
        if config.steps <= step:
            raise ValueError(
                f"{self.folder} has done {step} updates, and --steps {config.steps} counts them, too: give --steps more than {step}."
            )
        if config.min_learning_rate > config.learning_rate and changes.keys() & {"learning_rate", "min_learning_rate"}:
            raise ValueError(
                f"--learning-rate {config.learning_rate:g} would be below the run's minimum of {config.min_learning_rate:g}: "
                "give --min-learning-rate as well."
            )
        with self.locked():
            self._check_place()
            phases = [*self.phases, Phase(step, changes)]
            dataclasses.replace(self.config, phases=phases).write(self.folder / "config.json")
        return Run(self.folder, type(self.task))

    def record_threads(self, count: int) -> None:
        """Makes a number of threads a setting of the run, while it is locked: of its first phase where nothing was trained yet, else of
        a new one that begins at its checkpoint."""
        self._check_place()
        if self.train_config.threads_per_batch == count:
            return
        changes, checkpoint = {"threads_per_batch": count}, self.load_checkpoint()
        if checkpoint is None and not self.phases:
            config = dataclasses.replace(self.config, training=dataclasses.replace(self.config.training, **changes))
        else:
            phase = Phase(checkpoint.step if checkpoint else 0, changes)
            config = dataclasses.replace(self.config, phases=[*self.phases, phase])
        config.write(self.folder / "config.json")
        self.config = config

    # -- what belongs together ----------------------------------------------------------------------------------------

    def _phase_of(self, path: Path, about: dict[str, Any]) -> int | None:
        """In which of the run's phases a file was written; None for one of version 1.

        Raises:
            CheckpointError: it is another run's.
        """
        if "run" not in about and about["version"] == 1 and self.config.unsigned:
            return None
        prints = self.config.fingerprints()
        if about.get("run") not in prints:
            raise CheckpointError(
                f"{path} belongs to another run (its fingerprint is not one of config.json's): put this run's own file back."
            )
        return prints.index(about["run"])

    # -- weights ------------------------------------------------------------------------------------------------------

    def model(self, device: str = "auto") -> Any:
        """The task's model with the run's best weights, in evaluation mode.

        Raises:
            CheckpointError: the weights are missing, damaged, another run's, or do not fit the config.
        """
        arrays = self.load_weights().arrays
        model = self.task.make_model()
        load_weights(model, arrays, self.folder / "model.safetensors")
        return model.to(device).eval()

    def load_weights(self) -> BestWeights:
        """The run's best weights.

        Raises:
            CheckpointError: as `model`.
        """
        path = self.folder / "model.safetensors"
        arrays, about = load_sealed(path, WEIGHTS)
        self.check_shapes(path, {name: array.shape for name, array in arrays.items()})
        if self._phase_of(path, about) is None:
            return BestWeights(arrays, None, math.nan)
        step, loss = int(_number(path, about, "step", whole=True)), _number(path, about, "validation_loss")
        if bad := not_finite(arrays):
            raise CheckpointError(f"{path} holds numbers in {bad} that are not finite: restore it from a copy.")
        return BestWeights(arrays, step, loss)

    def check_shapes(self, path: Path, shapes: dict[str, Shape]) -> None:
        """Holds the weights' shapes against the task, before a model of its size is made."""
        if misfit := self.task.misfit(shapes):
            raise CheckpointError(f"{path} does not fit config.json: {misfit}.")

    def save_model(self, model: Module, step: int, validation_loss: float) -> None:
        """Makes the model's weights, those after `step`, the run's best."""
        self._check_place()
        about = {
            "format": WEIGHTS,
            "run": self.config.fingerprints()[-1],
            "step": step,
            "validation_loss": validation_loss,
        }
        save_sealed(self.folder / "model.safetensors", weights_of(model), about)

    def save_checkpoint(self, arrays: Arrays, about: dict[str, Any]) -> None:
        """Replaces the checkpoint, once the lines of metrics.jsonl that it counts are on the disk."""
        self._check_place()
        sync(self.folder / "metrics.jsonl")
        about = {"format": CHECKPOINT, "run": self.config.fingerprints()[-1], **about}
        save_sealed(self.folder / "checkpoint.safetensors", arrays, about)

    def load_checkpoint(self) -> Checkpoint | None:
        """The run's checkpoint, every value of it checked; None in a run that was killed before its first one.

        Raises:
            CheckpointError: it is damaged or another run's, or it is missing while there are results that beginning anew would
                overwrite.
        """
        path = self.folder / "checkpoint.safetensors"
        if not os.path.lexists(path):
            results = [n for n in ("model.safetensors", "metrics.jsonl") if os.path.lexists(self.folder / n)]
            if results:
                raise CheckpointError(
                    f"{path} does not exist, but {' and '.join(results)} of the run: going on would begin anew and overwrite "
                    "what was trained. Put the checkpoint back from a copy; without one, the weights can be used "
                    "(minilm generate), and training goes on in a new run only."
                )
            return None
        arrays, about = load_sealed(path, CHECKPOINT)
        weights, averages = _part(arrays, "model."), _part(arrays, "optimizer.")
        self.check_shapes(path, {name: array.shape for name, array in weights.items()})
        phase = self._phase_of(path, about)
        step, bad = (int(_number(path, about, name, whole=True)) for name in ("step", "bad"))
        best = _number(path, about, "best", infinite=True)
        best_step = about.get("best_step")
        if best_step is not None and (_number(path, about, "best_step", whole=True) > step or math.isinf(best)):
            raise CheckpointError(
                f"{path} is damaged: at step {step} it has its best loss, {best}, from step {best_step}."
            )
        self._check_when(path, step, phase or 0)
        for name in ("optimizer", "random"):
            if not isinstance(about.get(name), dict):
                raise CheckpointError(f"{path} is damaged: {name} should be an object, it is {about.get(name)!r}.")
        if bad_array := not_finite(arrays):
            raise CheckpointError(
                f"{path} holds numbers in {bad_array} that are not finite: the training diverged before it was written. The best weights "
                "are in model.safetensors; start a new run with a lower --learning-rate."
            )
        current = (phase or 0) == len(self.phases)
        return Checkpoint(step, best, best_step, bad, weights, averages, about["optimizer"], about["random"], current)

    def _check_when(self, path: Path, step: int, phase: int) -> None:
        """Refuses a checkpoint of a step that its phase does not have."""
        if step > (steps := self.config.settings(phase).steps):
            raise CheckpointError(f"{path} is damaged: its step is {step} of {steps}.")
        began = self.phases[phase - 1].began if phase else 0
        later = [p.began for p in self.phases[phase:]]
        if step < began or any(b != step for b in later):
            raise CheckpointError(
                f"{path} is of step {step}, but the run's last phase began at step {self.phases[-1].began}: it is older, or of "
                "another way that the run went. Put the newer one back."
            )

    # -- metrics ------------------------------------------------------------------------------------------------------

    def log(self, **values: Any) -> None:
        """Appends a line to metrics.jsonl, whole or not at all; a number that is not finite is written as null."""
        self._check_place()
        append_line(self.folder / "metrics.jsonl", values)

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl; those that cannot be read are left out.

        Raises:
            CheckpointError: the file cannot be read at all.
        """
        return [line for line, _ in read_lines(self.folder / "metrics.jsonl")[0]]

    def rewind_metrics(self, step: int) -> None:
        """Drops what was logged after `step`: it will be computed again. Removes what a killed writer left, too.

        Lines that cannot be read go to metrics.damaged, and a word on their number to the errors' stream. Where there is nothing to
        drop, the file is left alone.
        """
        self._check_place()
        remove_leftovers(self.folder)
        path, aside = self.folder / "metrics.jsonl", self.folder / "metrics.damaged"
        good, bad = read_lines(path)
        kept = [text for line, text in good if line["step"] <= step]
        if bad:
            append(aside, b"\n".join(bad) + b"\n")
            lines = "1 line" if len(bad) == 1 else f"{len(bad)} lines"
            warn(f"{lines} of {path} could not be read; moved to {aside}.")
        content = b"".join(text + b"\n" for text in kept)
        if content != content_of(path):
            with atomic_write(path) as file:
                file.write(content)

    def check_places(self) -> None:
        """Makes sure, before anything is computed, that each of the run's files is a file or absent: it can be replaced then.

        Raises:
            CheckpointError: something else is in the place of one.
        """
        for name in sorted(names_of_files(type(self.task))):
            path = self.folder / name
            if os.path.lexists(path) and not path.is_file():
                raise CheckpointError(
                    f"{path} is not a regular file, but the run has to write one there: move it away, and put the run's own back."
                )


def _number(path: Path, about: dict[str, Any], name: str, whole: bool = False, infinite: bool = False) -> float:
    """A number of a file, checked: not negative, finite unless `infinite`, and an integer if `whole`."""
    value: Any = about.get(name)
    kinds, below = ((int,), 2**53) if whole else ((int, float), math.inf)
    if type(value) not in kinds or not (0 <= value < below or (infinite and value == math.inf)):
        kind = "a whole number" if whole else "a number"
        raise CheckpointError(f"{path} is damaged: {name} should be {kind} of 0 or more, it is {value!r}.")
    return float(value)


def _part(arrays: Arrays, prefix: str) -> Arrays:
    """The arrays whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def warn(message: str) -> None:
    with contextlib.suppress(OSError):
        print(f"minilm: {message}", file=sys.stderr)


def weights_of(model: Module) -> dict[str, Any]:
    """A model's parameters and buffers as NumPy arrays; tied parameters once, under their first name."""
    return {name: value.numpy() if isinstance(value, Tensor) else value for name, value in model.state_dict().items()}


def load_weights(model: Module, arrays: dict[str, Any], path: Path) -> None:
    """Fills a model from arrays.

    Raises:
        CheckpointError: keys are missing, unexpected, or of another shape; the model is unchanged.
    """
    try:
        model.load_state_dict(arrays)
    except (KeyError, ValueError, RuntimeError, TypeError) as error:
        raise CheckpointError(f"{path} does not fit the model: {' '.join(str(error).split())}") from None
