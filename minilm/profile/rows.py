"""The calls of a profile added up: by op, by Module, by class of Module."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from minilm.profile.calls import OUTSIDE, Call, Scope

EARLIER = "(recorded earlier)"


@dataclass
class Stats:
    """Several calls together.

    Attributes:
        calls: how many rules ran.
        time: seconds, without those of calls inside them.
        flops: floating-point operations; `minilm.profile.cost` says how they are counted.
        bytes: the least that had to be read and written.
        made: bytes of the arrays that were returned, or kept for a backward rule, and not there before; over all calls.
        alive: the most bytes of arrays that were alive at the end of a call.
    """

    calls: int = 0
    time: float = 0.0
    flops: int = 0
    bytes: int = 0
    made: int = 0
    alive: int = 0

    def add(self, other: Stats) -> None:
        """Takes in other calls."""
        self.calls += other.calls
        self.time += other.time
        self.flops += other.flops
        self.bytes += other.bytes
        self.made += other.made
        self.alive = max(self.alive, other.alive)

    @property
    def mean(self) -> float:
        """Seconds a call."""
        return self.time / self.calls if self.calls else 0.0

    @property
    def intensity(self) -> float:
        """Operations for each byte that had to move: FLOP/B."""
        return self.flops / self.bytes if self.bytes else 0.0

    @property
    def flop_rate(self) -> float:
        """Operations a second."""
        return self.flops / self.time if self.time > 0 else 0.0

    @property
    def byte_rate(self) -> float:
        """Bytes a second."""
        return self.bytes / self.time if self.time > 0 else 0.0


@dataclass
class OpRow(Stats):
    """All calls of one op in one pass; or a section, whose time is that outside of ops.

    Attributes:
        op: its name.
        stage: "forward" or "backward", or "section".
    """

    op: str = ""
    stage: str = ""


@dataclass
class ModuleRow:
    """The ops of one Module, or of all Modules of one class.

    Attributes:
        name: the Module's path, or the class.
        kind: the class.
        calls: how often it was called.
        forward, backward: its ops, with those of the Modules inside it. A backward rule belongs to the Module that ran its op.
        own_forward, own_backward: without those of the Modules inside it.
    """

    name: str
    kind: str
    calls: int = 0
    forward: Stats = field(default_factory=Stats)
    backward: Stats = field(default_factory=Stats)
    own_forward: Stats = field(default_factory=Stats)
    own_backward: Stats = field(default_factory=Stats)

    @property
    def total(self) -> Stats:
        """Forward and backward, with the Modules inside."""
        return together((self.forward, self.backward))

    @property
    def own(self) -> Stats:
        """Forward and backward, without the Modules inside."""
        return together((self.own_forward, self.own_backward))


def together(parts: Iterable[Stats]) -> Stats:
    """The sum of several."""
    total = Stats()
    for part in parts:
        total.add(part)
    return total


def as_dict(row: Stats | ModuleRow) -> dict[str, Any]:
    """A row for JSON."""
    return asdict(row)


def stats_of(call: Call) -> Stats:
    """One call by itself."""
    return Stats(1, call.own * 1e-9, call.flops, call.bytes, call.made, call.alive)


def op_rows(calls: Iterable[Call]) -> list[OpRow]:
    """The calls by op and pass, in the order of their first end."""
    rows: dict[tuple[str, str], OpRow] = {}
    for call in calls:
        key = call.name, call.within
        if key not in rows:
            rows[key] = OpRow(op=call.name, stage=call.within)
        rows[key].add(stats_of(call))
    return list(rows.values())


def module_rows(calls: Iterable[Call], root: Scope, label: Callable[[Scope], str]) -> list[ModuleRow]:
    """The calls by what `label` calls their Modules, in the order of the first call."""
    rows: dict[str, ModuleRow] = {}
    for scope in _below(root):
        row = rows.setdefault(label(scope), ModuleRow(label(scope), scope.kind))
        row.calls += scope.calls
    for call in calls:
        if call.stage == "section":
            continue
        place, stats, back = call.scope(), stats_of(call), call.within == "backward"
        chain = [] if place is None else list(dict.fromkeys(map(label, place.chain())))
        if not chain:
            chain = [EARLIER if place is None else OUTSIDE]
            rows.setdefault(chain[0], ModuleRow(chain[0], ""))
        own = rows[chain[0]]
        (own.own_backward if back else own.own_forward).add(stats)
        for name in chain:
            (rows[name].backward if back else rows[name].forward).add(stats)
    return list(rows.values())


def _below(scope: Scope) -> Iterable[Scope]:
    for inner in scope.inner.values():
        yield inner
        yield from _below(inner)


def path_labels(root: Scope) -> dict[Scope, str]:
    """A name for each Module: its path; below the name of the outermost one, where there are several of those."""
    outermost, counts, labels = list(root.inner.values()), dict[str, int](), dict[Scope, str]()
    for top in outermost:
        counts[top.kind] = number = counts.get(top.kind, 0) + 1
        name = top.kind if number == 1 else f"{top.kind}#{number}"
        labels[top] = name
        for scope in _below(top):
            labels[scope] = scope.path if len(outermost) == 1 else f"{name}.{scope.path}"
    return labels
