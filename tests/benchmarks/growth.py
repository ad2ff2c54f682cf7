"""How the GPT step's time grows with width, depth, length and batch: a plot of both times and of their ratio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from minilm.style import INK, settings
from tests.benchmarks import harness
from tests.benchmarks.harness import Plan
from tests.benchmarks.peers import PEERS
from tests.benchmarks.workloads import WORKLOADS

AXES = {
    "n_embd": ("width", (64, 128, 256, 512)),
    "n_layer": ("layers", (1, 2, 4, 8)),
    "length": ("tokens", (32, 64, 128, 256)),
    "batch": ("batch", (1, 4, 12, 32)),
}
"""What is varied, one at a time; everything else is (a)'s."""


def measured(plan: Plan, others: Sequence[str] = ("torch",), axes: Any = AXES) -> dict[str, list[dict[str, Any]]]:
    """Entries of the record, by what varies; a context longer than (a)'s gets the room it needs.

    Raises:
        Unusable: two sides do not compute the same, or one failed.
    """
    brief = replace(plan, rounds=max(2, plan.rounds // 2))
    found = {}
    for option, (_, values) in axes.items():
        changes = [{option: value, **({"block_size": value} if option == "length" else {})} for value in values]
        found[option] = [harness.timed(WORKLOADS["gpt"], others, brief, change) for change in changes]
    return found


def figure(growth: dict[str, list[dict[str, Any]]]) -> Any:
    """Times above, ratios below, one column for each thing that varies; both axes of the times are logarithmic."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(9.6, 4.8))
    panels = drawn.subplots(2, len(growth), sharex="col", sharey="row", height_ratios=(2, 1), squeeze=False)
    for (option, results), above, below in zip(growth.items(), *panels, strict=True):
        sizes = [result["options"][option] for result in results]
        _times(above, sizes, results)
        _ratios(below, sizes, results)
        below.set_xlabel(AXES[option][0])
        below.set_xticks(sizes, [str(size) for size in sizes])
        below.minorticks_off()
    panels[0, 0].set_ylabel("a step, ms")
    panels[1, 0].set_ylabel("minilm / peer")
    panels[0, 0].legend()
    return drawn


def _times(axes: Any, sizes: Sequence[int], results: Sequence[dict[str, Any]]) -> None:
    """Each side's median, with its quartiles as a band."""
    for peer in results[0]["peers"]:
        found = [result["peers"][peer] for result in results]
        low, high = ([1e3 * side["quartiles"][i] for side in found] for i in (0, 1))
        (line,) = axes.plot(sizes, [1e3 * side["median"] for side in found], marker="o", label=PEERS[peer].label)
        axes.fill_between(sizes, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
    axes.set(xscale="log", yscale="log")


def _ratios(axes: Any, sizes: Sequence[int], results: Sequence[dict[str, Any]]) -> None:
    """minilm / peer, round by round; below the line at 1 minilm is faster. A line has the look that the peer's time has."""
    axes.axhline(1.0, color=INK, linewidth=0.8, linestyle="-")
    axes.plot([], [])  # minilm's own colour
    for peer in results[0]["peers"]:
        if peer != "minilm":
            axes.plot(sizes, [result["peers"][peer]["ratio"] for result in results], marker="o")
    axes.set(xscale="log", ylim=(0, None))


def draw(growth: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Writes the figure, in the book's style."""
    import matplotlib as mpl

    with mpl.rc_context(settings()):
        figure(growth).savefig(path)
