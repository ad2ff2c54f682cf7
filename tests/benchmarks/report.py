"""A record for the eye, with targets; and the table of README, from several records.

    python -m tests.benchmarks.report RECORD                       what the run printed
    python -m tests.benchmarks.report --markdown RECORD ...        README's tables: least and greatest of the runs' medians
    python -m tests.benchmarks.report --readme README.md RECORD ...     puts them there, between the two marks

RECORD is a file of tests/benchmarks/results, or its name without ``.json``.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.benchmarks.peers import PEERS


class Target(NamedTuple):
    """The most that minilm may take, in units of what the peer takes: with the extra `fast`, and without."""

    fast: float
    without: float


TARGETS = {
    **{(name, "torch"): Target(*limits) for name, limits in {
        "gpt": (0.9, 1.15), "gpt-one": (0.9, 1.05), "gpt-busy": (0.8, 0.8), "gpt-second": (0.8, 0.8),
        "mlp-64": (0.9, 0.95), "mlp-1024": (0.9, 0.95), "cnn": (0.85, 1.25), "encoder": (0.95, 1.15), "minilm-l6": (1.0, 1.2),
        "generate": (0.35, 0.41), "smollm2": (1.0, 1.0), "ops-forward": (2.0, 2.0), "ops-no-grad": (1.2, 1.2), "ops-backward": (1.0, 1.0),
        "memory-small": (1.0, 1.0), "memory-large": (1.0, 1.0),
    }.items()},
    ("gpt", "jax"): Target(1 / 1.5, 1 / 1.5),
}  # fmt: skip
OWN_TARGET = 1.2
"""The most that a step of minilm may take beside a load, in units of its own time on one thread without it."""
SETTLED = 1.5
"""Times are disturbed where a side's median turn is this many times its fastest, and a target is then neither met nor not."""
QUIET = 0.1
"""Cores that other programs may keep busy without a word in the report."""
IMPORT_TARGET = 0.2
"""The most that ``import minilm`` may take, with NumPy, in seconds."""

UNITS = {"s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")), "B": ((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"))}
HEADER = ("work", "side", "median", "quartiles", "ratio", "quartiles", "target", "without fast", "quartiles", "target")
RESULTS = Path(__file__).resolve().parent / "results"


def quantity(value: float, unit: str) -> tuple[float, str]:
    """What to divide a value by, and the unit that it then has."""
    return next((pair for pair in UNITS[unit] if abs(value) >= pair[0]), UNITS[unit][-1])


def shown(values: Sequence[float], unit: str) -> str:
    """Values in the unit that suits the last of them: ``12.3 to 12.9 ms``."""
    size, name = quantity(values[-1], unit)
    scaled = [value / size for value in values]
    return " to ".join(f"{x:.3g}" if x < 999.5 else f"{x:.0f}" for x in scaled) + f" {name}"


def targets() -> dict[str, dict[str, dict[str, float]]]:
    """`TARGETS` as a record holds them, by work and peer."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for (name, peer), target in TARGETS.items():
        found.setdefault(name, {})[peer] = target._asdict()
    return found


# -- one record ---------------------------------------------------------------------------------------------------------


class Sides(NamedTuple):
    """The ratios of minilm to a peer, as `harness.ratio` gives them, with `fast` and without; None where they were not measured."""

    fast: dict[str, Any] | None
    without: dict[str, Any] | None


def sides(result: dict[str, Any], peer: str) -> Sides:
    """A record that was made where nothing is compiled has minilm's ratios without `fast` only."""
    found = result["peers"][peer]
    own = found if "ratio" in found else None
    return Sides(own, found.get("without")) if result.get("fast") else Sides(None, own)


def disturbed(found: Sequence[dict[str, Any]]) -> bool:
    """Whether a side's times are no sample of one thing."""
    return any(side["median"] > SETTLED * min(side["values"]) for side in found)


def verdict(limit: float, reached: float, unit: str = "", is_disturbed: bool = False) -> str:
    """The target, and whether it is met."""
    return f"{limit:.2f}{unit}, " + ("disturbed" if is_disturbed else "met" if reached <= limit else "not met")


def judged(result: dict[str, Any], peer: str) -> tuple[str, str]:
    """The verdicts with `fast` and without; empty where there is no target or no number.

    Beside a load times vary: that is what is measured, and no disturbance.
    """
    target, found = TARGETS.get((result["name"], peer)), result["peers"]
    if target is None:
        return "", ""
    both = sides(result, peer)
    beside = [(found[peer], found["minilm"]), (found[peer], found.get("numpy", found["minilm"]))]
    first, second = (
        "" if side is None else verdict(limit, side["ratio"], "", not result.get("load") and disturbed(times))
        for limit, side, times in zip(target, both, beside, strict=True)
    )
    return first, second


def ratio_cells(found: dict[str, Any] | None) -> tuple[str, str]:
    return (
        ("", "") if found is None else (f"{found['ratio']:.2f}", "{:.2f} to {:.2f}".format(*found["ratio_quartiles"]))
    )


def rows(result: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """The lines of one entry of the record, one a side; ratios are minilm's number divided by that side's."""
    title, unit = f"({result['part']}) {result['about']}", result["unit"]
    for peer, found in result["peers"].items():
        (fast, without), (met, met_without) = sides(result, peer), judged(result, peer)
        if (result["name"], peer) == ("import", "minilm"):
            met = verdict(IMPORT_TARGET, found["median"], " s", disturbed([found]))
        yield (title, PEERS[peer].label, shown([found["median"]], unit), shown(found["quartiles"], unit),
               *ratio_cells(fast), met, *ratio_cells(without), met_without)  # fmt: skip
        title = ""
    yield from own_rows(result)
    for peer, why in result["skipped"].items():
        yield ("", PEERS[peer].label, why, *[""] * 7)


def own_rows(result: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Where there was a load: each side on one thread without it, and how many times that it took beside the load."""
    title = "  alone on one thread; ratio: beside the load / alone"
    for peer, found in result["peers"].items():
        if (own := found.get("own")) is None:
            continue
        met = verdict(OWN_TARGET, own["ratio"]) if peer in ("minilm", "numpy") else ""
        unit, cells, without = result["unit"], (*ratio_cells(own), met), peer == "numpy" or not result.get("fast")
        yield (title, PEERS[peer].label, shown([own["median"]], unit), shown(own["quartiles"], unit),
               *(("", "", "", *cells) if without and peer != "torch" else (*cells, "", "", "")))  # fmt: skip
        title = ""


def aligned(lines: list[tuple[str, ...]]) -> list[str]:
    """Columns as wide as their widest word, none that is empty; a reason for not measuring may run over the columns after it."""
    head, *body = lines
    kept = [i for i in range(len(head)) if i < 4 or any(line[i] for line in body)]
    lines = [tuple(line[i] for i in kept) for line in lines]
    full = [line for line in lines if any(line[3:])]
    widths = [max(len(line[i]) for line in full) for i in range(len(kept))]
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


SPLIT = {"processes": "over processes", "halves": "over threads"}
"""Peers that are minilm with its batch split, and what it is split over."""


def split_ratio(result: dict[str, Any], members: str) -> float | None:
    """The time with the batch split, in units of PyTorch's."""
    found, torch = (result["peers"].get(name) for name in (members, "torch"))
    if not found or not torch:
        return None
    return statistics.median(a / b for a, b in zip(found["values"], torch["values"], strict=True))


def split(result: dict[str, Any]) -> list[str]:
    """What splitting the batch makes of the ratio to PyTorch."""
    found = {where: split_ratio(result, members) for members, where in SPLIT.items()}
    return [f"(a) with the batch split {where}: {ratio:.2f} of PyTorch eager's time."
            for where, ratio in found.items() if ratio is not None]  # fmt: skip


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
    """Python's, NumPy's, the peers', and Numba's or that there is none."""
    about = record["machine"]
    found = {PEERS[peer].label if peer in PEERS else "Numba": text for peer, text in record["versions"].items()}
    given = {"Python": about["python"], "NumPy": f"{about['numpy']} ({about['blas']})", **found}
    return ", ".join(f"{name} {version}" for name, version in given.items())


# -- several records: README --------------------------------------------------------------------------------------------

Cell = Callable[[dict[str, Any]], float | None]
MARKS = "<!-- made by: python -m tests.benchmarks.report --readme README.md {} -->", "<!-- end of what is made -->"
"""Between these README holds what `markdown` gives for the records that the first names."""
BESIDE = {"busy": "one busy process", "second": "a second training"}


def spread(values: Sequence[float], form: Callable[[Sequence[float]], str]) -> str:
    """Least and greatest; one of them where they read the same."""
    low, high = form([min(values)]), form([max(values)])
    return form([max(values)]) if low == high else form([min(values), max(values)])


def numbers(values: Sequence[float]) -> str:
    return " to ".join(f"{value:.2f}" for value in values)


def seconds(values: Sequence[float]) -> str:
    return shown(values, "s")


def by_name(records: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The entries of what was measured in every run, by name, in the order of the first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        for result in record["results"]:
            found.setdefault(result["name"], []).append(result)
    return {name: results for name, results in found.items() if len(results) == len(records)}


def cells(results: Sequence[dict[str, Any]], cell: Cell, form: Callable[[Sequence[float]], str] = numbers) -> str:
    """What a column says of these runs' entries; nothing where a run has no number."""
    values = [value for result in results if (value := cell(result)) is not None]
    return spread(values, form) if values and len(values) == len(results) else ""


def ratio_to(peer: str, side: str) -> Cell:
    """minilm's ratio to a peer on one of the `Sides`; "any": with `fast` where there is, else without."""

    def cell(result: dict[str, Any]) -> float | None:
        if peer not in result["peers"]:
            return None
        both = sides(result, peer)
        found = (both.fast or both.without) if side == "any" else getattr(both, side)
        return None if found is None else found["ratio"]

    return cell


def inside(*names: str) -> Cell:
    """A number somewhere in an entry: ``inside("peers", "minilm", "median")``; None where it is not."""

    def cell(result: dict[str, Any]) -> float | None:
        found: Any = result
        for name in names:
            found = found.get(name) if isinstance(found, dict) else None
        return found

    return cell


def markdown_table(head: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    """A table without columns that are empty in every row; nothing where there are no rows."""
    kept = [i for i in range(len(head)) if i == 0 or any(row[i] for row in body)]
    lines = [head, ["---"] * len(head), *body]
    return ["| " + " | ".join(line[i] for i in kept) + " |" for line in lines] if body else []


def ratio_table(found: dict[str, list[dict[str, Any]]]) -> list[str]:
    """minilm / peer. Where nothing was compiled there is one column beside PyTorch eager."""
    compiled = any(result.get("fast") for results in found.values() for result in results)
    eager = {"PyTorch eager": ratio_to("torch", "fast"), "the same without `fast`": ratio_to("torch", "without")}
    columns = {
        **(eager if compiled else {"PyTorch eager": ratio_to("torch", "any")}),
        "torch.compile": ratio_to("compile", "any"),
        "JAX jit": ratio_to("jax", "any"),
    }
    body = []
    for name, results in found.items():
        line = [cells(results, cell) for cell in columns.values()]
        if name != "first-step" and any(line):
            target = TARGETS.get((name, "torch"))
            goal = numbers([target.fast]) if target else ""
            if target and target.without != target.fast:
                goal += f" / {target.without:.2f}"
            body.append([f"({results[0]['part']}) {results[0]['about']}", *line, goal if compiled else ""])
    return markdown_table(["work", *columns, "targets"], body)


def beside_table(found: dict[str, list[dict[str, Any]]]) -> list[str]:
    """A step beside a load, in units of the same side's on one thread without it."""
    rows = []
    for results in found.values():
        if not (load := results[0].get("load")):
            continue
        compiled = bool(results[0].get("fast"))
        ours = inside("peers", "minilm", "own", "ratio")
        without = inside("peers", "numpy" if compiled else "minilm", "own", "ratio")
        theirs = cells(results, inside("peers", "torch", "own", "ratio"))
        line = [cells(results, ours) if compiled else "", cells(results, without), theirs]
        rows.append([BESIDE[load], *line, f"{OWN_TARGET:.2f}"])
    head = ["(a) beside, in units of its own time on one thread", "minilm", "without `fast`", "PyTorch eager", "target"]
    return markdown_table(head, rows)


def first_table(found: dict[str, list[dict[str, Any]]]) -> list[str]:
    """The first step in a new process, in seconds."""
    results = found.get("first-step", [])
    if not results:
        return []
    compiled = bool(results[0].get("fast"))
    columns = {
        "nothing compiled yet": inside("peers", "cold", "median"),
        "compiled before": inside("peers", "minilm" if compiled else "", "median"),
        "without `fast`": inside("peers", "numpy" if compiled else "minilm", "median"),
        "PyTorch eager": inside("peers", "torch", "median"),
    }
    line = [cells(results, cell, seconds) for cell in columns.values()]
    return markdown_table([results[0]["about"], *columns], [[f"({results[0]['part']})", *line]])


def products_words(results: Sequence[dict[str, Any]]) -> list[str]:
    """What a step (a) takes, its products alone, and with the batch split over processes."""
    step, products = (cells(results, inside("peers", peer, "median"), seconds) for peer in ("minilm", "products"))
    if not step or not products:
        return []
    words = [f"Of the {step} of a step (a), its matrix products alone, by NumPy's OpenBLAS, would take {products}."]
    for members, where in SPLIT.items():
        if ratio := cells(results, lambda result, members=members: split_ratio(result, members)):
            words.append(f"With the batch split {where} the step takes {ratio} of PyTorch's time.")
    return [" ".join(words)]


def measured_words(records: Sequence[dict[str, Any]]) -> str:
    """When, with what, and whether other programs worked meanwhile: PyTorch's threads wait awake, so that these slow it down most."""
    dates = sorted({record["date"][:10] for record in records})
    runs = len(records)
    machines = dict.fromkeys(f"{r['machine']['processor']}, {r['machine']['cores']} cores" for r in records)
    busy = max((result.get("other_load") or 0.0 for record in records for result in record["results"]), default=0.0)
    beside = f" Other programs kept up to {busy:.1f} cores busy meanwhile." if busy > QUIET else ""
    many = "The median of one run" if runs == 1 else f"Least and greatest of {runs} runs' medians"
    return f"{many}, {' to '.join(dict.fromkeys((dates[0], dates[-1])))}, {' and '.join(machines)}; {versions(records[0])}.{beside}"


def markdown(records: Sequence[dict[str, Any]]) -> str:
    """README's tables, and the sentences with numbers around them."""
    found = by_name(records)
    parts = [
        [measured_words(records)],
        ratio_table(found),
        beside_table(found),
        first_table(found),
        products_words(found.get("gpt", [])),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def read(name: str) -> dict[str, Any]:
    """A record by its path, or by its name in the folder of results."""
    path = Path(name)
    return json.loads((path if path.suffix else RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def put_into(text: str, names: Sequence[str], tables: str) -> str:
    """A text with the tables between the marks, in place of what was there.

    Raises:
        ValueError: the marks are not there.
    """
    begin, end = re.escape(MARKS[0]).replace(re.escape("{}"), ".*?"), re.escape(MARKS[1])
    made = f"{MARKS[0].format(' '.join(names))}\n\n{tables}\n\n{MARKS[1]}"
    found, count = re.subn(f"{begin}.*?{end}", lambda match: made, text, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"expected the marks {MARKS[0]} and {MARKS[1]} once, found {count}.")
    return found


def main(arguments: Sequence[str] | None = None, show: Callable[[str], None] = print) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("records", nargs="+", metavar="RECORD")
    parser.add_argument("--markdown", action="store_true", help="README's tables")
    parser.add_argument("--readme", type=Path, metavar="FILE", help="puts them into this file")
    given = parser.parse_args(arguments)
    records = [read(name) for name in given.records]
    if given.readme is not None:
        names = [Path(name).name.removesuffix(".json") for name in given.records]
        text = put_into(given.readme.read_text(encoding="utf-8"), names, markdown(records))
        given.readme.write_text(text, encoding="utf-8")
    elif given.markdown:
        show(markdown(records))
    else:
        show("\n\n".join(table(record) for record in records))


if __name__ == "__main__":
    main()
