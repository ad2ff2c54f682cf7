"""A profile as a table of text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from minilm.backend import get_num_threads
from minilm.profile.results import Results
from minilm.profile.rows import ModuleRow, OpRow, Stats, together

EMPTY = "an empty profile: no op on tensors ran inside the with block"
SORTS = ("time", "self", "calls", "flops", "bytes", "memory", "name", "order")
STEPS = {
    "s": ("ns", "µs", "ms", "s"),
    "FLOP": ("FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP"),
    "B": ("B", "kB", "MB", "GB", "TB"),
}


class Column(NamedTuple):
    """One column: its name (in which {} is the unit), a row's value, and the unit that grows with it ("": as it is)."""

    name: str
    value: Callable[[Any], Any]
    unit: str = ""


def _costs(of: Callable[[Any], Stats]) -> list[Column]:
    """The columns on operations, bytes and memory."""
    return [
        Column("{}", lambda r: of(r).flops, "FLOP"),
        Column("{}/s", lambda r: of(r).flop_rate, "FLOP"),
        Column("{}", lambda r: of(r).bytes, "B"),
        Column("{}/s", lambda r: of(r).byte_rate, "B"),
        Column("FLOP/B", lambda r: of(r).intensity),
        Column("made {}", lambda r: of(r).made, "B"),
        Column("alive {}", lambda r: of(r).alive, "B"),
    ]


def columns(by: str, total: float) -> list[Column]:
    """The columns of a table. `total` is what 100 % are, in seconds."""

    def share(seconds: float) -> str:
        return f"{100 * seconds / total:.1f}" if total > 0 and seconds else ""

    if by == "op":
        return [
            Column("op", lambda r: f"[{r.op}]" if r.stage == "section" else r.op),
            Column("pass", lambda r: "" if r.stage == "section" else r.stage),
            Column("calls", lambda r: r.calls or ""),
            Column("time {}", lambda r: r.time, "s"),
            Column("%", lambda r: share(r.time)),
            Column("mean {}", lambda r: r.mean, "s"),
            *_costs(lambda r: r),
        ]
    return [
        Column(by, lambda r: r.name),
        *([Column("class", lambda r: r.kind)] if by == "module" else []),
        Column("calls", lambda r: r.calls or ""),
        Column("time {}", lambda r: r.total.time, "s"),
        Column("%", lambda r: share(r.total.time)),
        Column("forward {}", lambda r: r.forward.time, "s"),
        Column("backward {}", lambda r: r.backward.time, "s"),
        Column("self {}", lambda r: r.own.time, "s"),
        *[
            column
            for column in _costs(lambda r: r.total)
            if column.name[:4] not in ("made", "{}/s") or column.unit == "FLOP"
        ],
    ]


def chosen(profile: Results, by: str, sort: str) -> list[Any]:
    """The rows in order."""
    if by not in ("op", "module", "class"):
        raise ValueError(f"table: by must be 'op', 'module' or 'class', got {by!r}.")
    if sort not in SORTS:
        raise ValueError(f"table: sort must be one of {', '.join(map(repr, SORTS))}, got {sort!r}.")
    tables: dict[str, list[Any]] = {"op": profile.ops, "module": profile.modules, "class": profile.classes}
    rows = tables[by]
    if sort == "order":
        return rows
    if sort == "name":
        return sorted(rows, key=lambda row: row.op if by == "op" else row.name)
    return sorted(rows, key=lambda row: _key(row, sort), reverse=True)


def _key(row: OpRow | ModuleRow, sort: str) -> float:
    stats, own = (row, row) if isinstance(row, OpRow) else (row.total, row.own)
    if sort == "calls":
        return row.calls
    if sort == "self":
        return own.time
    return {"time": stats.time, "flops": stats.flops, "bytes": stats.bytes, "memory": stats.alive}[sort]


# -- cells ------------------------------------------------------------------------------------------------------------


def number(x: Any) -> str:
    """At most four significant digits, as far as three decimals; "" for nothing."""
    if isinstance(x, str):
        return x
    if isinstance(x, int):
        return f"{x:,}"
    if x == 0:
        return ""
    return f"{x:,.0f}" if x >= 1000 else f"{x:.1f}" if x >= 100 else f"{x:.2f}" if x >= 10 else f"{x:.3f}"


def scale(values: Sequence[float], unit: str) -> tuple[str, float]:
    """The unit in which the largest value has one to three digits before the point, and its size."""
    base = 1e-9 if unit == "s" else 1.0
    most, steps = max(values, default=0), STEPS[unit]
    k = 0
    while k + 1 < len(steps) and most >= base * 1000 ** (k + 1):
        k += 1
    return steps[k], base * 1000.0**k


def cells(rows: Sequence[Any], columns: Sequence[Column]) -> list[list[str]]:
    """The table with its header: numbers of a column in one unit."""
    found = []
    for column in columns:
        values = [column.value(row) for row in rows]
        if column.unit:
            name, size = scale(values, column.unit)
            values = [value / size for value in values]
            found.append([column.name.format(name), *map(number, values)])
        else:
            found.append([column.name, *map(number, values)])
    return [[column[i] for column in found] for i in range(len(rows) + 1)]


def summary(profile: Results, by: str) -> list[Any]:
    """The last rows: all ops, the rest, and the whole."""
    times = [("engine and Python", profile.engine_time), ("total", profile.total_time)]
    if by == "op":
        ops = OpRow(op="all ops")
        ops.add(profile.all_ops)
        return [ops, *(OpRow(op=name, time=seconds) for name, seconds in times)]
    passes = [together(row for row in profile.ops if row.stage == stage) for stage in ("forward", "backward")]
    sections = [(f"[{row.op}]", row.time) for row in profile.ops if row.stage == "section"]
    return [
        ModuleRow("all ops", "", 0, *passes),
        *(Rest(name, "", rest=seconds) for name, seconds in [*sections, *times]),
    ]


@dataclass
class Rest(ModuleRow):
    """A row of time that belongs to no Module."""

    rest: float = 0.0

    @property
    def total(self) -> Stats:
        return Stats(time=self.rest)


def notes(profile: Results) -> list[str]:
    """What a reader should know beside the numbers."""
    threads = f", {get_num_threads()} thread{'s' * (get_num_threads() > 1)}" if profile.device.name == "cpu" else ""
    lines = [f"Measured on {profile.device.name}{threads}; the profile's own {_time(profile.own_time)} are left out."]
    peak = profile.peak
    if peak.bytes:
        unit, size = scale([peak.bytes], "B")
        where = f" in {peak.module}" if peak.module else ""
        lines.append(f"Most memory in arrays: {number(peak.bytes / size)} {unit}, after {peak.op} {peak.stage}{where}.")
    if profile.uncounted:
        lines.append(f"Operations are not stated, and count 0, for: {', '.join(profile.uncounted)}.")
    return lines


def _time(seconds: float) -> str:
    unit, size = scale([seconds], "s")
    return f"{number(seconds / size) or 0} {unit}"


# -- text -------------------------------------------------------------------------------------------------------------


def table(profile: Results, by: str, sort: str, limit: int | None) -> tuple[list[list[str]], list[int]]:
    """Header, rows and summary as cells; and before which lines a rule is drawn."""
    if limit is not None and limit < 1:
        raise ValueError(f"table: limit must be at least 1, or None for all rows, got {limit}.")
    rows = chosen(profile, by, sort)
    shown, hidden, end = rows[:limit], rows[limit:] if limit else [], summary(profile, by)
    if hidden:
        shown = [*shown, _rest(hidden)]
    lines = cells([*shown, *end], columns(by, profile.total_time))
    return lines, [1, len(lines) - len(end)]


def _rest(hidden: Sequence[Any]) -> Any:
    """One row for those beyond the limit. Modules contain each other, so that only their number can be told."""
    name = f"{len(hidden)} more row{'s' * (len(hidden) > 1)}"
    if isinstance(hidden[0], ModuleRow):
        return ModuleRow(name, "")
    rest = OpRow(op=name)
    for row in hidden:
        rest.add(row)
    return rest


def text(profile: Results, by: str, sort: str, limit: int | None) -> str:
    """What ``print`` shows."""
    lines, rules = table(profile, by, sort, limit)
    if not profile.ops:
        return f"<{EMPTY}>"
    named = 2 if by in ("op", "module") else 1
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    texts = ["  ".join([*(f"{cell:<{w}}" for cell, w in zip(line[:named], widths, strict=False)),
                        *(f"{cell:>{w}}" for cell, w in zip(line[named:], widths[named:], strict=True))]).rstrip()
             for line in lines]  # fmt: skip
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    for at in reversed(rules):
        texts.insert(at, rule)
    return "\n".join([*texts, "", *notes(profile)])
