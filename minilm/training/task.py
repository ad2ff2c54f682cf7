"""What a run trains, as the training loop sees it: a model, its batches, its loss and its evaluation."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np

from minilm.nn.module import Module
from minilm.optim import decay_groups
from minilm.training.settings import TrainConfig, from_json
from minilm.types import HostArray, Shape

T = TypeVar("T", bound="Task")


class RunFile(NamedTuple):
    """One file of a run.

    Attributes:
        name: in the run's folder.
        holds: what it holds, and when it is written.
        readers: what reads it: "resume" and "generate".
        first: whether it belongs to a run that has only just begun; it may be there before config.json is.
    """

    name: str
    holds: str
    readers: tuple[str, ...]
    first: bool = False


class Parts(NamedTuple):
    """The validation loss in parts, in the order in which they lie in the data.

    Attributes:
        sums: of each part, the sum of its losses.
        counts: of each, how many losses that is; positive.
    """

    sums: HostArray
    counts: HostArray


class Tested(NamedTuple):
    """A number of the final weights over data that nothing was chosen by, with the bounds of its interval of 95 %; None: there is none."""

    name: str
    value: float
    bounds: tuple[float, float] | None


@dataclass(frozen=True)
class Facts:
    """What a task tells of itself in the model card of a run (`minilm.training.card`), in Markdown.

    Attributes:
        model, data: what is trained on what: the facts by their labels.
        use: how the trained model is used.
        limits: what it is not good for, or was not looked at, each a sentence that follows from the facts.
    """

    model: dict[str, str] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    use: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()


class Task(ABC):
    """A model, its batches, its loss and its evaluation: a description of them, which holds no arrays.

    A task is a frozen dataclass of what makes it this task and no other, such as the sizes of the model and which data; config.json
    keeps it. The data themselves, `data`, are whatever the task's methods take: the loop hands them on and does not look into them.

    Resuming is exact because no number depends on anything but the weights, the optimizer's averages, the step and the seed. Of a
    task this asks that

    - `batch` draws from the generator that it is given, and from nothing else;
    - `make_model` and the model draw from `minilm.random`;
    - `evaluate` draws from neither: where it needs chance, as for masks, from a generator with a seed of its own.

    The loss is a method of the model, which takes the arrays of a batch and returns the mean over their rows. So
    `minilm.parallel.DataParallel` can give each process some rows.

    Attributes:
        name: of the kind of task, in config.json.
        unit: of what `evaluate` returns and the loss is, as in "nats per token".
        method: the name of the model's method.
        counted: what speed is counted in, as in "tokens"; an example has `units` of them.
        glance: how much of the validation data an evaluation on the way reads (`evaluate`'s `most`); None: all.
        files: what the task keeps in the run's folder beside the run's own files.
        fixed: settings that `minilm train` knows for this task and that hold for the whole run, each with the reason; and `options`:
            those whose option has another name.
    """

    name: ClassVar[str]
    unit: ClassVar[str] = "nats"
    method: ClassVar[str] = "loss"
    counted: ClassVar[str] = "examples"
    glance: ClassVar[int | None] = None
    files: ClassVar[tuple[RunFile, ...]] = ()
    fixed: ClassVar[Mapping[str, str]] = {}
    options: ClassVar[Mapping[str, str]] = {}

    # -- the model and its data ---------------------------------------------------------------------------------------

    @abstractmethod
    def make_model(self) -> Module:
        """A new model, its weights drawn from `minilm.random`."""

    @abstractmethod
    def batch(self, data: Any, batch_size: int, rng: np.random.Generator) -> tuple[Any, ...]:
        """A batch to learn from: what the model's loss takes, arrays with one row per example."""

    @abstractmethod
    def evaluate(self, model: Any, data: Any, most: int | None) -> float:
        """How bad the model is on the validation data, in `unit`: what is minimized, and told as the validation loss.

        The model is in evaluation mode, and nothing is recorded.

        Args:
            most: read only so much of the data, always the same part (1: as little as gives a number); None: all.
        """

    def measures(self, model: Any, data: Any, loss: float) -> dict[str, float]:
        """What else is told of the final weights, whose validation loss is `loss`: finite numbers by name."""
        return {}

    def evaluate_parts(self, model: Any, data: Any) -> tuple[float, Parts | None]:
        """What `evaluate` gives of all of the data, and the parts that it is made of, from which the model card has an interval; None: not
        known."""
        return self.evaluate(model, data, None), None

    def bounds(self, data: Any, low: float, high: float) -> dict[str, tuple[float, float]]:
        """Between which bounds the measures lie that follow from the validation loss, where it lies between `low` and `high`."""
        return {}

    def tested(self, model: Any, data: Any, folder: Path) -> tuple[Tested, ...]:
        """What is measured of the final weights on a test part, which is read here and nowhere else; for the model card.

        Args:
            folder: the run's.
        """
        return ()

    def groups(self, model: Module, weight_decay: float) -> list[dict[str, Any]]:
        """The optimizer's groups: matrices decay, vectors (biases and norms) do not."""
        return decay_groups(model.parameters(), weight_decay)

    @property
    def program(self) -> str:
        """The command that trains it, to which ``--resume RUN`` is added."""
        return "minilm train"

    @property
    def units(self) -> int:
        """How many of what is `counted` one example has."""
        return 1

    def too_large(self, batch_size: int) -> str | None:
        """What the memory of this machine cannot hold while it is trained, and what to do; None: nothing that is known."""
        return None

    # -- what its model card says ------------------------------------------------------------------------------------------

    def facts(self, data: Any, folder: Path, examples: int) -> Facts:
        """What the card of a run of this task says of it.

        Args:
            folder: the run's.
            examples: how many have been learned from.
        """
        return Facts(
            model={name: f"`{value}`" for name, value in self.to_json().items()},
            limits=("On which data it was trained this task does not record.",),
        )

    def command(self, training: TrainConfig, folder: Path) -> str | None:
        """The command that begins the same run again; None: there is none, it is begun from Python.

        Args:
            training: the settings of the run's first phase.
            folder: the run's, from which it may need files.
        """
        return None

    # -- what a run remembers of it -----------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """The fields that config.json keeps of it: none of the run's own (`minilm.training.config.OWN`, "format" and "version")."""
        return dataclasses.asdict(self)  # type: ignore[call-overload]

    @classmethod
    def from_json(cls: type[T], fields: Mapping[str, Any], path: Path, version: int) -> T:
        """The task of which a run's config.json keeps `fields`.

        Args:
            path: of config.json.
            version: its version.

        Raises:
            CheckpointError: a field is missing, unknown, of another type, or out of range.
        """
        return from_json(cls, fields, str(path))

    def signature(self, training: dict[str, Any], phases: list[dict[str, Any]]) -> Any:
        """JSON with everything that the numbers of a run depend on: this task, the settings, and those of each phase."""
        return [self.name, self.to_json(), training, phases]

    def misfit(self, shapes: Mapping[str, Shape]) -> str | None:
        """What is wrong with a model's weights of these shapes, seen before a model is made; None: nothing that can be seen."""
        return None


__all__ = ["Facts", "Parts", "RunFile", "Task", "Tested"]
