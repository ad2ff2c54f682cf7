"""An application that is trained: its task for `minilm.training`, and its run, begun and opened again.

The training loop, the folder of a run, checkpoints, resuming and the model card are those of every run (`minilm.training`). What comes
in here is the split, which a run remembers by its SHA-256, and the test part, which is read once, when the training ends.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from minilm.applications.application import Answer, Application, Split, System
from minilm.data import DataError
from minilm.data.sets.table import find
from minilm.files import atomic_write
from minilm.graph import no_grad
from minilm.training.recipe import quoted
from minilm.training.run import Run
from minilm.training.settings import TrainConfig, check_changes
from minilm.training.task import Facts, Task, Tested

E = TypeVar("E")


@dataclass(frozen=True)
class Examples:
    """What the methods of an `ApplicationTask` take: the split, and its first two parts as arrays.

    Attributes:
        application: whose they are.
        split: the examples as they were read.
        train, validation: the same as the model takes them; what that is, the application knows.
    """

    application: Trained[Any]
    split: Split[Any]
    train: Any
    validation: Any


@dataclass(frozen=True)
class ApplicationTask(Task):
    """The model of an application: its shape in plain fields, and which examples it learns from.

    Its `name` is that of the application. A task that keeps a vocabulary in its run's folder names the file in `files`.

    Attributes:
        examples_sha256: of the split (`fingerprint`).
        source: the file that the examples were read from; empty: the published ones.
    """

    examples_sha256: str
    source: str = field(default="", kw_only=True)

    @property
    def program(self) -> str:
        return f"minilm task {self.name} train"

    def tested(self, model: Any, data: Examples, folder: Path) -> tuple[Tested, ...]:
        application, test = data.application, data.split.test
        answers = application.system(model, self, folder)([application.question(example) for example in test])
        found = [(score, score.interval()) for score in application.measure(test, answers)]
        return tuple(Tested(score.name, score.value, interval and interval[:2]) for score, interval in found)

    def facts(self, data: Examples, folder: Path, examples: int) -> Facts:
        application, split = data.application, data.split
        sizes = ", ".join(
            f"{len(part):,} {what}"
            for part, what in (
                (split.train, "to learn from"),
                (split.validation, "to validate on"),
                (split.test, "to test on"),
            )
        )
        published = {} if self.source else {name: find(name) for name in application.datasets}
        licences = {f"licence of {name}": entry.licence for name, entry in published.items()}
        shape = {
            name.replace("_", " "): f"{value}"
            for name, value in dataclasses.asdict(self).items()
            if not name.endswith("sha256") and name != "source"
        }
        named = ", ".join(f"`{name}`: {entry.title}" for name, entry in published.items())
        return Facts(
            model=shape,
            data={
                "examples": f"of the file {self.source}; their licence is not known here" if self.source else named,
                **licences,
                "split": f"{sizes}. {split.about}",
                "SHA-256": f"`{self.examples_sha256}`, of the split",
            },
            use=(
                f"{application.title}: `minilm task {self.name} predict --run {quoted(folder)}` reads lines and writes an answer for each.",
            ),
            limits=tuple(application.limits()),
        )

    def command(self, training: TrainConfig, folder: Path) -> str | None:
        standard = dataclasses.asdict(TrainConfig(**self.settings))
        words = [
            f"--{name.replace('_', '-')} {quoted(value)}"
            for name, value in dataclasses.asdict(training).items()
            if standard[name] != value
        ]
        data = [f"--data {quoted(self.source)}"] if self.source else []
        return " ".join([self.program, *data, *words])

    settings: ClassVar[Mapping[str, Any]] = {}
    """Of `TrainConfig`: those that differ from its defaults."""


class Trained(Application[E]):
    """An application whose system is trained.

    Attributes:
        task: the class of its task.
        brief: settings of `TrainConfig` beside the task's with which it trains in a notebook, in less than two minutes on two cores.
    """

    task: ClassVar[type[ApplicationTask]]
    brief: ClassVar[Mapping[str, Any]] = {}

    @abstractmethod
    def learn(self, split: Split[E], sha256: str) -> tuple[ApplicationTask, dict[str, bytes]]:
        """The task of a new run, and the files that the run keeps of it: a vocabulary, say, of the training part."""

    @abstractmethod
    def encode(self, task: ApplicationTask, folder: Path, examples: Sequence[E]) -> Any:
        """Examples as the methods of the task take them.

        Args:
            folder: of the run, with the files of the task.
        """

    def encode_training(self, task: ApplicationTask, folder: Path, examples: Sequence[E]) -> Any:
        """The training part as the methods of the task take it: as `encode` has it.

        Override it where what the run keeps was learned from these very examples, so that they must be read without it.
        """
        return self.encode(task, folder, examples)

    @abstractmethod
    def system(self, model: Any, task: ApplicationTask, folder: Path) -> System:
        """What answers questions with a trained model, in evaluation mode; nothing is recorded."""

    def examples(self, source: str = "") -> Split[E]:
        """The examples of a file in three parts (`divide`), or the published ones.

        Raises:
            DataError: they cannot be had, or are too few.
        """
        if not source:
            return self.split()
        try:
            return self.divide(self.read(Path(source)))
        except OSError as error:
            raise DataError(f"{source} cannot be read: {error.strerror or error}.") from None
        except UnicodeDecodeError as error:
            raise DataError(
                f"{source} is no text in UTF-8: byte 0x{error.object[error.start]:02x} ({error.reason})."
            ) from None

    def begin(
        self, folder: Path, options: Mapping[str, Any] | None = None, source: str = "", most: int | None = None
    ) -> tuple[Run[Any], Examples]:
        """Makes a new run.

        Args:
            folder: must not exist, or be empty.
            options: what replaces the task's settings: fields of `TrainConfig`.
            source: a file of a user's own examples (`read`); empty: the published ones.
            most: for a first look: how many examples to validate and to test on are read, until the run is resumed; None: all.

        Raises:
            FileExistsError, RunError: the folder holds something, or cannot be made.
            DataError: the data cannot be had.
            ValueError: a setting is out of range.
        """
        training = TrainConfig(**{**self.task.settings, **(options or {})})
        source = os.path.abspath(source) if source else ""
        split = self.examples(source)
        _check_batch(training, split)
        task, files = self.learn(split, fingerprint(split))
        task = dataclasses.replace(task, source=source)

        def make_task(place: Path) -> ApplicationTask:
            for name, content in files.items():
                with atomic_write(place / name) as file:
                    file.write(content)
            return task

        run = Run.create(folder, self.task, training, make_task)
        return run, self._examples(run, split if most is None else split.shortened(most))

    def resume(
        self, folder: Path, changes: dict[str, Any] | None = None, source: str = ""
    ) -> tuple[Run[Any], Examples]:
        """Opens a run to go on with it.

        Args:
            changes: the settings of a new phase.
            source: where the run's own file of examples is now; empty: where it was.

        Raises:
            RunError: another process trains it.
            CheckpointError: a file of the run is missing or damaged.
            DataError: the data cannot be had.
            ValueError: they are not those that the run began with, or a setting cannot be changed.
        """
        run = Run(folder, self.task)
        if changes:
            check_changes(changes, run.task.fixed, run.task.options)
        split = self.examples_of(run, source)
        with run.locked():
            run = run.with_phase(changes) if changes else run
            _check_batch(run.train_config, split)
            return run, self._examples(run, split)

    def examples_of(self, run: Run[Any], source: str = "") -> Split[E]:
        """The examples that a run was trained on.

        Args:
            source: where the run's own file of examples is now; empty: where it was.

        Raises:
            DataError: they cannot be had.
            ValueError: they are not those that the run began with.
        """
        split = self.examples(source or run.task.source)
        if fingerprint(split) != run.task.examples_sha256:
            whose = source or run.task.source or self.name
            raise ValueError(
                f"the examples of {whose} are not those that {run.folder} was trained on (their SHA-256 differs): start a new run."
            )
        return split

    def open(self, folder: Path | None, device: str) -> System:
        if folder is None:
            raise ValueError(
                f"{self.name} is trained: give the folder of a run (`minilm task {self.name} train` makes one)."
            )
        run = Run(folder, self.task)
        system = self.system(run.model(device), run.task, run.folder)

        def answer(questions: Sequence[Any]) -> list[Answer]:
            with no_grad():
                return system(questions)

        return answer

    def _examples(self, run: Run[Any], split: Split[E]) -> Examples:
        train = self.encode_training(run.task, run.folder, split.train)
        return Examples(self, split, train, self.encode(run.task, run.folder, split.validation))


def _check_batch(training: TrainConfig, split: Split[Any]) -> None:
    if training.batch_size > len(split.train):
        raise ValueError(
            f"--batch-size {training.batch_size} is more than there is to learn from: {len(split.train):,} examples."
        )


def fingerprint(split: Split[Any]) -> str:
    """The SHA-256 of the examples of a split, in their order."""
    digest = hashlib.sha256()
    for part in (split.train, split.validation, split.test):
        digest.update(b"part")
        for example in part:
            text = json.dumps(example, ensure_ascii=False, sort_keys=True, default=dataclasses.astuple)
            digest.update(text.encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()


__all__ = ["ApplicationTask", "Examples", "Trained", "fingerprint"]
