"""The picture of a sweep: the number over one option, a line for each value of the others, with intervals."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minilm.files import atomic_write
from minilm.style import COLORS, LINES, settings
from minilm.sweep.results import Results
from minilm.sweep.table import Settings, key_of, shown
from minilm.types import Pathish

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_LINES = len(LINES)
BESIDE = 4  # points


def is_geometric(values: Sequence[float]) -> bool:
    """Whether positive numbers are spread by factors rather than by steps: then an axis of logarithms fits them.

    >>> is_geometric([1e-4, 3e-4, 1e-3]), is_geometric([1, 2, 3, 4]), is_geometric([0, 1, 10])
    (True, False, False)
    """
    if len(values) < 2 or min(values) <= 0:
        return False
    ordered = np.sort(np.asarray(values, np.float64))
    if len(ordered) == 2:
        return bool(ordered[1] >= 4 * ordered[0])
    factors, steps = np.diff(np.log(ordered)), np.diff(ordered)
    return bool(factors.max() / factors.min() < steps.max() / steps.min())


def plot(results: Results, axes: Axes | None = None, number: str | None = None) -> Axes:
    """Draws means with their intervals over the option that has most values; a cross at the top marks where a run failed.

    Args:
        results: of the sweep.
        axes: of matplotlib; None: a new figure's.
        number: what to draw; None: the number that decides.

    Returns:
        the axes. Of more than seven combinations of the other options, the best seven have a line.
    """
    if axes is None:
        import matplotlib.pyplot as plt

        axes = plt.subplots()[1]
    number, swept = number or results.number, results.settings()
    if not swept:
        return axes
    along = _along(swept)
    lines = _lines(results, swept, along, number)
    places = _places([each[along] for each in swept])
    for k, (label, group) in enumerate(lines):
        points = [(places[each[along]], each) for each in group]
        aside = BESIDE * (k - (len(lines) - 1) / 2)  # intervals at one place stand beside each other
        _draw(axes, results, points, number, label=label, color=COLORS[k], linestyle=LINES[k], aside=aside)
    _label(axes, along, places, number)
    if len(lines) > 1:
        axes.legend(fontsize=8)
    return axes


def _along(swept: Sequence[Settings]) -> str:
    """The option of the horizontal axis: numbers before texts, then the one with most values."""

    def rank(name: str) -> tuple[bool, int]:
        values = {each[name] for each in swept if name in each}
        return all(_is_number(value) for value in values), len(values)

    return max(swept[0], key=rank)


def _lines(results: Results, swept: Sequence[Settings], along: str, number: str) -> list[tuple[str, list[Settings]]]:
    """For each combination of the other options its name and its settings, sorted by the axis; the best, if they are many."""
    groups: dict[str, list[Settings]] = {}
    for each in swept:
        groups.setdefault(key_of({name: value for name, value in each.items() if name != along}), []).append(each)
    ordered = [groups[key] for key in sorted(groups, key=lambda key: _in_order(groups[key][0], along))]
    if len(ordered) > MOST_LINES:
        sign = -1 if results.highest else 1

        def rank(group: list[Settings]) -> float:
            return min(
                (sign * mean.mean for each in group if (mean := results.mean(each, number)).seeds), default=np.inf
            )

        ordered = sorted(ordered, key=rank)[:MOST_LINES]
    return [(shown({name: value for name, value in group[0].items() if name != along}), group) for group in ordered]


def _in_order(settings: Settings, along: str) -> list[tuple[bool, float, str]]:
    """What sorts settings by the other options: numbers by their value, before texts."""
    others = [value for name, value in settings.items() if name != along]
    return [(not _is_number(value), float(value) if _is_number(value) else 0.0, str(value)) for value in others]


def _places(values: Sequence[Any]) -> dict[Any, float]:
    """Where each value stands: numbers at themselves, anything else one after the other."""
    if all(_is_number(value) for value in values):
        return {value: float(value) for value in sorted(set(values))}
    return {value: float(k) for k, value in enumerate(dict.fromkeys(values))}


def _draw(
    axes: Axes, results: Results, points: list[tuple[float, Settings]], number: str, *, aside: float, **look: Any
) -> None:
    from matplotlib.transforms import ScaledTranslation

    points.sort(key=lambda point: point[0])
    found = [(x, mean) for x, each in points if (mean := results.mean(each, number)).seeds]
    x, y = [x for x, _ in found], [mean.mean for _, mean in found]
    below = [mean.mean - mean.interval.low if mean.interval else 0.0 for _, mean in found]
    figure = axes.get_figure()
    assert figure is not None
    moved = axes.transData + ScaledTranslation(aside / 72, 0, figure.dpi_scale_trans)
    axes.errorbar(x, y, yerr=[below, below], marker="o", capsize=3, transform=moved, **look)
    axes.update_datalim(
        [(x, mean.mean + sign * half) for (x, mean), half in zip(found, below, strict=True) for sign in (-1, 1)]
    )
    failed = [x for x, each in points if results.mean(each, number).failed]
    axes.plot(failed, [0.98] * len(failed), "x", color=look["color"], transform=axes.get_xaxis_transform())


def _label(axes: Axes, along: str, places: dict[Any, float], number: str) -> None:
    if not all(_is_number(value) for value in places):
        axes.set_xticks(list(places.values()), [str(value) for value in places])
    elif is_geometric(list(places.values())):
        axes.set_xscale("log")
    axes.set_xlabel(along.replace("-", " ").replace("_", " "))
    axes.set_ylabel(number.replace("_", " "))
    axes.autoscale_view()  # what is moved aside does not count by itself


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def save(results: Results, path: Pathish) -> None:
    """Writes the picture as a PNG."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(settings()):  # type: ignore[arg-type]
        figure = Figure(figsize=(6.4, 4.0), layout="constrained")
        plot(results, figure.subplots())
        with atomic_write(os.fspath(path)) as file:
            figure.savefig(file, format="png", dpi=120)


__all__ = ["is_geometric", "plot", "save"]
