"""config.json of a run: its task, the settings of each of its phases, and a fingerprint of all that its numbers depend on."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from minilm.training.checkpoint import CheckpointError, canonical, load_json, save_json
from minilm.training.settings import LATER, MAY_CHANGE, SCHEDULE, Phase, TrainConfig, from_json, recorded
from minilm.training.task import Task

FORMAT, VERSIONS = "minilm run", (1, 2, 3)
LANGUAGE_MODEL = "language model"  # the only task of versions 1 and 2, which did not name it
OWN = {"task": str, "fingerprint": str, "unsigned": bool, "training": dict, "phases": list}
"""The fields of config.json that every run has beside its format and version, whatever its task."""
T = TypeVar("T", bound=Task)


@dataclass(frozen=True)
class RunConfig(Generic[T]):
    """What config.json holds.

    Attributes:
        task: what the run trains.
        training: the settings of its first phase.
        phases: those after the first.
        unsigned: whether files of the run may lack fingerprints: version 1 wrote none.
    """

    task: T
    training: TrainConfig
    phases: list[Phase]
    unsigned: bool = False

    def settings(self, phase: int) -> TrainConfig:
        """All settings that hold in a phase, counted from 0."""
        changes = [phase.changes for phase in self.phases[:phase]]
        return dataclasses.replace(self.training, **{name: value for each in changes for name, value in each.items()})

    @property
    def schedule_began(self) -> int:
        """The step at which the learning rate's schedule began: 0, or that of the last phase that changed it."""
        return max([0, *(phase.began for phase in self.phases if set(SCHEDULE) & set(phase.changes))])

    def fingerprints(self) -> list[str]:
        """Of each phase: the SHA-256 of everything that its numbers depend on (`Task.signature`)."""
        training, phases = recorded(self.training), [phase._asdict() for phase in self.phases]
        signatures = [self.task.signature(training, phases[:count]) for count in range(len(phases) + 1)]
        return [hashlib.sha256(canonical(signature)).hexdigest() for signature in signatures]

    def write(self, path: Path) -> None:
        """Replaces config.json."""
        own = {
            "task": self.task.name,
            "fingerprint": self.fingerprints()[-1],
            "unsigned": self.unsigned,
            "training": recorded(self.training),
            "phases": [phase._asdict() for phase in self.phases],
        }
        save_json(path, {"format": FORMAT, "version": VERSIONS[-1], **self.task.to_json(), **own})


def read_config(path: Path, kind: type[T]) -> RunConfig[T]:
    """Reads and checks config.json.

    Args:
        kind: the class of the run's task.

    Raises:
        CheckpointError: the file is missing, damaged, edited, of a later version, or of a run with another task.
    """
    fields = load_json(path)
    found, version = fields.pop("format", None), fields.pop("version", None)
    if found != FORMAT:
        raise CheckpointError(f"{path} does not belong to a minilm run: its 'format' is {found!r}.")
    if type(version) is not int or version not in VERSIONS:
        raise CheckpointError(
            f"{path} has version {version!r}, this minilm reads {', '.join(map(str, VERSIONS[:-1]))} and {VERSIONS[-1]}: "
            "use the minilm that wrote it."
        )
    own = _own_fields(fields, version, path)
    if own["task"] != kind.name:
        raise CheckpointError(f"{path} is of a run whose task is {own['task']!r}, expected {kind.name!r}.")
    training = from_json(TrainConfig, {**LATER, **own["training"]}, f"{path}: training")
    config = RunConfig(kind.from_json(fields, path, version), training, [], own["unsigned"])
    for number, entry in enumerate(own["phases"]):
        phase = _read_phase(config, entry, f"{path}: phase {number + 2}")
        config = dataclasses.replace(config, phases=[*config.phases, phase])
    if own["fingerprint"] not in (None, config.fingerprints()[-1]):
        raise CheckpointError(
            f"{path} was edited or damaged: its settings do not have the fingerprint that stands in it. Restore it from a copy; "
            "a run's settings are changed with minilm train --resume RUN and the options, which begins a new phase."
        )
    return config


def task_named_in(path: Path) -> str:
    """The name of the task of a run's config.json; that of a language model where it names none, or cannot be read."""
    try:
        return str(load_json(path).get("task", LANGUAGE_MODEL))
    except CheckpointError:
        return LANGUAGE_MODEL


def _own_fields(fields: dict[str, Any], version: int, path: Path) -> dict[str, Any]:
    """Takes the run's own fields out of those of config.json, and leaves the task's; what an early version lacks is as it was then."""
    own: dict[str, Any] = {} if version > 2 else {"task": LANGUAGE_MODEL}
    if version == 1:
        own.update(fingerprint=None, unsigned=True, phases=[])
    for name in OWN.keys() - own.keys():
        if name not in fields:
            raise CheckpointError(f"{path}: missing fields {[name]}.")
        own[name] = fields.pop(name)
        if type(own[name]) is not OWN[name]:
            raise CheckpointError(f"{path}: {name} should be of type {OWN[name].__name__}, it is {own[name]!r}.")
    return own


def _read_phase(config: RunConfig[Any], entry: Any, where: str) -> Phase:
    """The phase after those of `config`, checked."""
    if not isinstance(entry, dict) or set(entry) != {"began", "changes"} or not isinstance(entry["changes"], dict):
        raise CheckpointError(f"{where} should be an object with 'began' and 'changes', it is {entry!r}.")
    began, changes = entry["began"], entry["changes"]
    if type(began) is not int or began < (config.phases[-1].began if config.phases else 0):
        raise CheckpointError(f"{where}: began should be a step not before the last phase's, it is {began!r}.")
    if not changes or not set(changes) <= set(MAY_CHANGE):
        raise CheckpointError(f"{where}: changes should name settings of {MAY_CHANGE}, it names {sorted(changes)}.")
    before = dataclasses.asdict(config.settings(len(config.phases)))
    from_json(TrainConfig, {**before, **changes}, where)
    return Phase(began, changes)
