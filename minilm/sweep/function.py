"""Sweeps a function of Python: the same table and the same results as of a command, for a notebook."""

from __future__ import annotations

import contextlib
import math
import numbers
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from minilm.sweep.record import Row, recording
from minilm.sweep.results import Results
from minilm.sweep.table import SweepError, check_table, combinations
from minilm.types import Pathish

Measure = Callable[..., "float | Mapping[str, float]"]


def sweep(
    measure: Measure,
    table: Mapping[str, Sequence[Any]],
    seeds: int | Iterable[int] = 3,
    *,
    folder: Pathish | None = None,
    number: str | None = None,
    highest: bool = False,
    again: bool = False,
) -> Results:
    """Calls a function with every combination of settings and every seed, one after the other.

    A call that raises FloatingPointError, or gives a number that is not finite, is kept as a run that failed. Every other error
    ends the sweep.

    Args:
        measure: called as ``measure(**settings, seed=seed)``; gives a number, or several by name.
        table: from a name to the values that it takes.
        seeds: how many, from 0, or which.
        folder: where to keep the results: what is there is not measured again. It is known by the function's name alone:
            a function that was changed needs a new folder.
        number, highest: which number decides, and whether more of it is better (`Results`).
        again: whether to call once more what failed.

    Raises:
        SweepError: the table is none, there is no seed, `measure` gives no number, or the folder holds something else.

    >>> found = sweep(lambda x, seed: (x - 2) ** 2 + 0.1 * seed, {"x": [1, 2, 3]}, seeds=2)
    >>> found.best(), found.mean({"x": 3}).mean
    ({'x': 2}, 1.05)
    """
    check_table(table)
    if "seed" in table:
        raise SweepError("seed is not an option to sweep: each setting is measured with every seed of `seeds`.")
    chosen = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
    if not chosen or len(set(chosen)) < len(chosen) or not all(isinstance(seed, int) for seed in chosen):
        raise SweepError(f"seeds are a number of at least 1, or integers that differ, got {seeds!r}.")
    asked = {(row := Row(each, seed, {}, 0.0)).key: row for each in combinations(table) for seed in chosen}
    what = [f"{getattr(measure, '__module__', '')}.{getattr(measure, '__qualname__', type(measure).__name__)}"]
    with recording(folder, what, list(table)) if folder is not None else contextlib.nullcontext() as record:
        there = {row.key: row for row in (record.rows() if record else []) if not (again and row.reason)}
        for key, row in asked.items():
            if key not in there:
                there[key] = _call(measure, row.settings, row.seed)
                if record:
                    record.append(there[key])
    return Results([there[key] for key in asked], number, highest)


def _call(measure: Measure, settings: Mapping[str, Any], seed: int) -> Row:
    started = time.perf_counter()
    try:
        found = measure(**settings, seed=seed)
    except FloatingPointError as error:
        return Row(settings, seed, {}, time.perf_counter() - started, f"diverged: {error}")
    seconds = time.perf_counter() - started
    named = found if isinstance(found, Mapping) else {"loss": found}
    if wrong := [name for name, value in named.items() if not isinstance(value, numbers.Real)]:
        raise SweepError(f"the function gave {named[wrong[0]]!r} as {wrong[0]}: expected a number, or several by name.")
    values = {
        str(name): int(value) if isinstance(value, numbers.Integral) else float(value) for name, value in named.items()
    }
    if bad := [name for name, value in values.items() if not math.isfinite(value)]:
        return Row(settings, seed, {}, seconds, f"diverged: {bad[0]} is {values[bad[0]]}")
    return Row(settings, seed, values, seconds)


__all__ = ["sweep"]
