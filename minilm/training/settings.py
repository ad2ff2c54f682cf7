"""The settings of a run: how it is trained, and which of them may change on the way."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

from minilm.training.checkpoint import CheckpointError

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """How a model is trained.

    Attributes:
        steps: optimizer updates.
        batch_size, accumulate: examples per forward pass, and forward passes per update.
        learning_rate, min_learning_rate, warmup: the rate rises linearly over `warmup` steps, then falls along half a cosine to
            the minimum at the last step.
        weight_decay: of the matrices (AdamW's decoupled decay).
        beta1, beta2: AdamW's averages.
        clip: largest norm of the whole gradient; 0: not clipped.
        eval_every, patience: steps between evaluations; after `patience` of them without a better validation loss the training
            ends (0: never).
        checkpoint_every: steps between checkpoints.
        seed: of the weights, the batches and dropout.
        processes: how many share each batch on the CPU (`minilm.parallel`). More of them give the same numbers up to rounding.
        threads_per_batch: the same with threads of one process. Their number is a setting, not the machine's: so many parts give the same
            bits on any number of cores.

    Raises:
        ValueError: a setting is out of range.
    """

    steps: int = 2000
    batch_size: int = 12
    accumulate: int = 1
    learning_rate: float = 1e-3
    min_learning_rate: float = 1e-4
    warmup: int = 100
    weight_decay: float = 0.1
    beta1: float = 0.9
    beta2: float = 0.99
    clip: float = 1.0
    eval_every: int = 250
    patience: int = 0
    checkpoint_every: int = 250
    seed: int = 1337
    processes: int = 1
    threads_per_batch: int = 1

    def __post_init__(self) -> None:
        for name in (
            "steps",
            "batch_size",
            "accumulate",
            "eval_every",
            "checkpoint_every",
            "processes",
            "threads_per_batch",
        ):
            _require(name, getattr(self, name) >= 1, "at least 1", getattr(self, name))
        _require("threads_per_batch", 1 in (self.processes, self.threads_per_batch), "1 beside several processes",
                 self.threads_per_batch)  # fmt: skip
        for name in ("warmup", "patience", "seed", "min_learning_rate", "weight_decay", "clip"):
            _require(name, 0 <= getattr(self, name) < float("inf"), "0 or more", getattr(self, name))
        _require("learning_rate", 0 < self.learning_rate < float("inf"), "a positive number", self.learning_rate)
        for name in ("beta1", "beta2"):
            _require(name, 0 <= getattr(self, name) < 1, "at least 0 and less than 1", getattr(self, name))


def recorded(config: TrainConfig) -> dict[str, Any]:
    """The settings as config.json holds them: without one that came later than the first runs, where it is as it was before it came."""
    settings = dataclasses.asdict(config)
    return {name: value for name, value in settings.items() if LATER.get(name) != value}


LATER = {"threads_per_batch": 1}
"""What `recorded` leaves out; a fingerprint of a run that was made before it stays the same."""


def _require(name: str, ok: bool, expected: str, value: Any) -> None:
    if not ok:
        raise ValueError(f"{name} must be {expected}, got {value!r}.")


SCHEDULE = ("steps", "learning_rate", "min_learning_rate", "warmup")
MAY_CHANGE = (
    *SCHEDULE,
    "batch_size",
    "accumulate",
    "weight_decay",
    "clip",
    "eval_every",
    "patience",
    "checkpoint_every",
    "processes",
    "threads_per_batch",
)
"""The settings that a new phase may have its own of."""
FIXED = {
    "beta1": "the optimizer's averages were made with it",
    "beta2": "the optimizer's averages were made with it",
    "seed": "the weights were drawn with it",
}
"""The settings that hold for the whole run, with the reason; a task has more of them."""


class Phase(NamedTuple):
    """A part of a run with settings of its own.

    Attributes:
        began: the step after which they hold.
        changes: the settings that differ from the phase before; all of `MAY_CHANGE`.
    """

    began: int
    changes: dict[str, Any]


def check_changes(changes: Mapping[str, Any], fixed: Mapping[str, str] = {}, options: Mapping[str, str] = {}) -> None:
    """Refuses settings that a phase cannot have of its own.

    Args:
        fixed: the task's settings that hold for the whole run, with the reason.
        options: the task's settings whose option has another name than the setting.

    Raises:
        ValueError: which one, why, and which may change.
    """
    reasons = {**FIXED, **fixed}
    for name in changes:
        if name not in MAY_CHANGE:
            reason = reasons.get(name, "there is no such setting")
            may = ", ".join("--" + n.replace("_", "-") for n in MAY_CHANGE)
            raise ValueError(
                f"--resume does not take --{options.get(name, name).replace('_', '-')}: {reason}. It takes {may}."
            )


def from_json(cls: type[T], values: Any, where: str) -> T:
    """A dataclass of plain fields from a JSON object, checked field by field.

    Raises:
        CheckpointError: a field is missing, unknown, of another type, or out of range.
    """
    fields = {field.name: field.type for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    if not isinstance(values, dict):
        raise CheckpointError(f"{where} should be a JSON object, it is {type(values).__name__}.")
    if set(values) != set(fields):
        missing, unknown = sorted(set(fields) - set(values)), sorted(set(values) - set(fields))
        raise CheckpointError(f"{where}: missing fields {missing}, unknown fields {unknown}.")
    kinds: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "str": (str,), "bool": (bool,)}
    for name, value in values.items():
        wanted = getattr(fields[name], "__name__", str(fields[name]))  # a class, or its name where annotations are text
        if not isinstance(value, kinds[wanted]) or (isinstance(value, bool) and wanted != "bool"):
            raise CheckpointError(f"{where}: {name} should be of type {wanted}, it is {value!r}.")
    try:
        return cls(**values)
    except ValueError as error:
        raise CheckpointError(f"{where}: {error}") from None
