"""What the reader holds: a profile that records while its block runs, and then shows what it found."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from minilm.profile import page, roofline, table
from minilm.profile.recorder import Recorder
from minilm.profile.results import Peak
from minilm.profile.roofline import Ceilings
from minilm.profile.rows import ModuleRow, OpRow, Stats


class Profile(Recorder):
    """What ran inside ``with ml.profile() as p:``, by op and by Module. Read it after the block.

    ``print(p)`` is a table, ``p.table(by="module")`` another, ``p.roofline()`` a picture; a notebook shows both for ``p``.

    Args:
        device: whose clock to use; default: the GPU's where this process uses it, else the CPU's.
        clock, memory: others than the device's.

    Attributes:
        device: whose clock was used.
    """

    @property
    def ops(self) -> list[OpRow]:
        """Each op, forward and backward apart, and each section."""
        return self.results.ops

    @property
    def modules(self) -> list[ModuleRow]:
        """Each Module, by its path."""
        return self.results.modules

    @property
    def classes(self) -> list[ModuleRow]:
        """Each class of Modules."""
        return self.results.classes

    @property
    def total_time(self) -> float:
        """Seconds in the block, without the profile's own work."""
        return self.results.total_time

    @property
    def own_time(self) -> float:
        """Seconds that the profile took for itself, which are in no other number."""
        return self.results.own_time

    @property
    def all_ops(self) -> Stats:
        """All ops together."""
        return self.results.all_ops

    @property
    def engine_time(self) -> float:
        """Seconds outside of ops and sections: the engine, Python, and what else the block does."""
        return self.results.engine_time

    @property
    def peak(self) -> Peak:
        """When the most memory was held in arrays."""
        return self.results.peak

    @property
    def alive(self) -> list[int]:
        """Bytes of all arrays that were alive after each rule: how memory rises and falls in the block."""
        return self.results.alive

    @property
    def uncounted(self) -> list[str]:
        """Ops whose operations nobody has stated (`minilm.profile.cost.COSTS`)."""
        return self.results.uncounted

    def table(self, by: str = "op", sort: str = "time", limit: int | None = 20) -> str:
        """The profile as text.

        Args:
            by: ``"op"``, ``"module"`` or ``"class"``.
            sort: ``"time"`` (of Modules with those inside), ``"self"``, ``"calls"``, ``"flops"``, ``"bytes"``, ``"memory"``, ``"name"``,
                or ``"order"``, as they first ran.
            limit: the most rows; None for all.

        Raises:
            ValueError: `by` or `sort` is none of these, or `limit` is not positive.
        """
        return table.text(self.results, by, sort, limit)

    def __str__(self) -> str:
        return self.table()

    def __repr__(self) -> str:
        if self._state != "done":
            return f"<profile: {'still running' if self._state == 'running' else 'not begun'}>"
        return f"<profile: {self.all_ops.calls} calls in {self.total_time * 1e3:.4g} ms; print() it, or show it in a notebook>"

    def _repr_html_(self) -> str:
        if self._state != "done":
            return f"<p><code>{escape(repr(self))}</code></p>"
        return page.page(self.results)

    def roofline(self, ceilings: Ceilings | None = None, labels: int = 16) -> Any:
        """A matplotlib figure: how fast each op ran, and what this machine allows; see `minilm.profile.roofline`.

        Args:
            ceilings: default: measured now (`measure_ceilings`), once in a process.
            labels: how many ops are named, those that took longest.
        """
        return roofline.draw(self.results, ceilings, labels)

    def as_dict(self) -> dict[str, Any]:
        """All numbers, for JSON: times in seconds, memory in bytes."""
        return self.results.as_dict()

    def save(self, path: str | Path) -> None:
        """Writes the numbers (.json), tables and picture as a page (.html), or the roofline (.png, .svg).

        Raises:
            ValueError: the name ends otherwise.
        """
        page.save(self.results, Path(path))
