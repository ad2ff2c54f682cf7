"""What a profile found: the numbers that tables and pictures show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from minilm.backend import Device
from minilm.profile.rows import ModuleRow, OpRow, Stats, as_dict, together


class Peak(NamedTuple):
    """Where the most memory was held: after which rule, of an op in which Module."""

    bytes: int
    op: str
    stage: str
    module: str


@dataclass(frozen=True)
class Results:
    """What ran in a block, added up.

    Attributes:
        device: whose clock was used.
        total_time: seconds in the block, without the profile's own work.
        own_time: seconds that the profile took for itself, which are in no other number.
        ops: each op, forward and backward apart, and each section.
        modules: each Module, by its path.
        classes: each class of Modules.
        peak: when the most memory was held in arrays.
        alive: bytes of all arrays that were alive after each rule, in the order in which they ended.
        uncounted: ops whose operations nobody has stated (`minilm.profile.cost.COSTS`).
    """

    device: Device
    total_time: float
    own_time: float
    ops: list[OpRow]
    modules: list[ModuleRow]
    classes: list[ModuleRow]
    peak: Peak
    alive: list[int]
    uncounted: list[str]

    @property
    def all_ops(self) -> Stats:
        """All ops together."""
        return together(row for row in self.ops if row.stage != "section")

    @property
    def engine_time(self) -> float:
        """Seconds outside of ops and sections: the engine, Python, and what else the block does."""
        return self.total_time - sum(row.time for row in self.ops)

    def as_dict(self) -> dict[str, Any]:
        """All numbers, for JSON: times in seconds, memory in bytes."""
        return {
            "device": self.device.name,
            "total_time": self.total_time,
            "engine_time": self.engine_time,
            "own_time": self.own_time,
            "peak": self.peak._asdict(),
            "ops": [as_dict(row) for row in self.ops],
            "modules": [as_dict(row) for row in self.modules],
            "classes": [as_dict(row) for row in self.classes],
        }
