"""A record for the eye: a table of medians, quartiles, ratios and targets."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import Any

from tests.benchmarks.peers import PEERS

TARGETS = {
    **{(name, "torch"): limit for name, limit in (
        ("gpt", 1.0), ("mlp-64", 0.9), ("mlp-1024", 0.9), ("cnn", 1.3), ("encoder", 1.0), ("generate", 0.7), ("ops-forward", 1.0),
        ("ops-no-grad", 1.0), ("ops-backward", 1.0), ("memory-small", 1.0), ("memory-large", 1.0),
    )},
    ("gpt", "jax"): 1 / 1.5,
}  # fmt: skip
"""The most that minilm may take, in units of what the peer takes."""
SETTLED = 1.5
"""Times are disturbed where a side's median turn is this many times its fastest, and a target is then neither met nor not."""
QUIET = 0.1
"""Cores that other programs may keep busy without a word in the report."""
IMPORT_TARGET = 0.2
"""The most that ``import minilm`` may take, with NumPy, in seconds."""

UNITS = {"s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")), "B": ((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"))}
HEADER = ("work", "side", "median", "quartiles", "ratio", "quartiles", "target")


def quantity(value: float, unit: str) -> tuple[float, str]:
    """What to divide a value by, and the unit that it then has."""
    return next((pair for pair in UNITS[unit] if abs(value) >= pair[0]), UNITS[unit][-1])


def shown(values: list[float], unit: str) -> str:
    """Values in the unit that suits the last of them: ``12.3 to 12.9 ms``."""
    size, name = quantity(values[-1], unit)
    scaled = [value / size for value in values]
    return " to ".join(f"{x:.3g}" if x < 999.5 else f"{x:.0f}" for x in scaled) + f" {name}"


def verdict(result: dict[str, Any], peer: str) -> str:
    """The target, and whether it is met; nothing where there is none."""
    found, ours = result["peers"][peer], result["peers"]["minilm"]
    if (result["name"], peer) == ("import", "minilm"):
        limit, unit, reached = IMPORT_TARGET, " s", found["median"]
    elif (result["name"], peer) in TARGETS:
        limit, unit, reached = TARGETS[result["name"], peer], "", found["ratio"]
    else:
        return ""
    disturbed = any(side["median"] > SETTLED * min(side["values"]) for side in (found, ours))
    return f"{limit:.2f}{unit}, " + ("disturbed" if disturbed else "met" if reached <= limit else "not met")


def rows(result: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """The lines of one entry of the record, one a side; ratios are minilm's number divided by that side's."""
    title = f"({result['part']}) {result['about']}"
    for peer, found in result["peers"].items():
        ratio = spread = ""
        if "ratio" in found:
            ratio, spread = f"{found['ratio']:.2f}", "{:.2f} to {:.2f}".format(*found["ratio_quartiles"])
        yield (title, PEERS[peer].label, shown([found["median"]], result["unit"]), shown(found["quartiles"], result["unit"]),
               ratio, spread, verdict(result, peer))  # fmt: skip
        title = ""
    for peer, why in result["skipped"].items():
        yield ("", PEERS[peer].label, why, "", "", "", "")


def aligned(lines: list[tuple[str, ...]]) -> list[str]:
    """Columns as wide as their widest word; a reason for not measuring may run over the columns after it."""
    full = [line for line in lines if any(line[3:])]
    widths = [max(len(line[i]) for line in full) for i in range(len(HEADER))]
    widths[1] = max(len(line[1]) for line in lines)
    return ["  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def limit(result: dict[str, Any]) -> list[str]:
    """How near the GPT step comes to its matrix products alone, and how fast those are."""
    products = result["peers"].get("products")
    if products is None:
        return []
    speed = result["products_operations"] / products["median"] / 1e9
    return [f"(a)'s matrix products alone: {shown([products['median']], 's')}, {speed:.0f} GFLOP/s; "
            f"the step of minilm takes {products['ratio']:.2f} times as long."]  # fmt: skip


def split(result: dict[str, Any]) -> list[str]:
    """What splitting the batch over processes makes of the ratio to PyTorch."""
    found, torch = (result["peers"].get(name) for name in ("processes", "torch"))
    if not found or not torch:
        return []
    ratio = statistics.median(a / b for a, b in zip(found["values"], torch["values"], strict=True))
    return [f"(a) with the batch split over processes: {ratio:.2f} of PyTorch eager's time."]


def disturbance(record: dict[str, Any]) -> list[str]:
    """How busy other programs kept the machine, where they did."""
    found = {result["name"]: result.get("other_load") for result in record["results"]}
    busy = [f"{name} {load:.1f}" for name, load in found.items() if load is not None and load > QUIET]
    return [f"Cores that other programs kept busy meanwhile: {', '.join(busy)}."] if busy else []


def table(record: dict[str, Any]) -> str:
    """The whole record."""
    about, plan = record["machine"], record["plan"]
    lines = [HEADER]
    for result in record["results"]:
        lines += rows(result)
    notes = [f"{PEERS[peer].label} in ({result['part']}), {result['name']}: {found['note']}"
             for result in record["results"] for peer, found in result["peers"].items() if found.get("note")]  # fmt: skip
    memory = ["Memory: the highest resident size during 3 steps, less the resident size before them, when model, data and optimizer are "
              "there and the libraries have made a step of a tiny model."] * any(r["part"] == "g" for r in record["results"])  # fmt: skip
    below = [line for result in record["results"] for line in (*split(result), *limit(result))]
    return "\n".join([
        f"{about['processor']}, {about['cores']} cores, {about['system']}; {versions(record)}",
        f"{plan['threads']} threads a side, {plan['rounds']} turns each; a ratio is minilm / peer, the median over the rounds",
        "", *aligned(lines), "", *below, *disturbance(record), *memory, *notes,
    ])  # fmt: skip


def versions(record: dict[str, Any]) -> str:
    """Python's, NumPy's and the peers'."""
    about = record["machine"]
    found = {PEERS[peer].label: version for peer, version in record["versions"].items()}
    given = {"Python": about["python"], "NumPy": f"{about['numpy']} ({about['blas']})", **found}
    return ", ".join(f"{name} {version}" for name, version in given.items())
