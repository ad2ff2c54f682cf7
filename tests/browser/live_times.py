"""Runs the book's cells in a browser once, and records of each how long it takes there and whether it shows what is committed.

::

    MINILM_PYODIDE=FOLDER[:FOLDER] python -m tests.browser.live_times [NAMES ...] [--limit SECONDS] [--facts FOLDER]
    python -m tests.browser.live_times --table      # prints what is recorded, by chapter

The folders are those of ``--live`` (`chapters.tools.site`). NAMES are notebooks', all of them by default; a cell that takes longer than
the limit is ended, and those that need it are not run. What `live_facts` has found of the cells is taken from its folder.
Written to ``chapters/results/live.json``: the page says from it how long a cell takes (`chapters.tools.live.cells`).
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path

from chapters.tools.live import limits, supply
from chapters.tools.live.cells import RECORD, digest, needs_of
from tests.browser import driver
from tests.browser.live_cells import VERDICTS, code_cells, difference, run_in_page, stems, verdict

FACTS = ("text", "does", "native")  # what `live_facts` finds of a cell
COLUMNS = ("cells", *VERDICTS, "late", "cannot")
HEADS = {
    "cells": "code cells", "same": "same", "digits": "but for digits", "varies": "times differ", "differs": "differ", "fails": "fail",
    "late": "not run", "cannot": "cannot",
}  # fmt: skip


def table(cells: dict, only=()) -> str:
    """The verdicts, counted by notebook."""
    rows = [["notebook", *(HEADS[name] for name in COLUMNS)]]
    total: Counter = Counter()
    for stem in only or stems():
        words = [cells.get(cell.id, {}).get("verdict", "late") for cell in code_cells(stem)]
        counts = Counter(words) + Counter(cells=len(words))
        total += counts
        rows.append([stem, *(str(counts[name]) for name in COLUMNS)])
    rows.append(["all", *(str(total[name]) for name in COLUMNS)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            entry.ljust(width) if k == 0 else entry.rjust(width)
            for k, (entry, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def computed() -> float:
    """The seconds that this program's browsers have computed in their pages so far, which other work on the machine does not change;
    0 where the system does not tell.
    """
    parents, ticks = {}, {}
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (path / "stat").read_text().rpartition(")")[2].split()
            parents[int(path.name)] = int(fields[1])
            if b"--type=renderer" in (path / "cmdline").read_bytes():
                ticks[int(path.name)] = int(fields[11]) + int(fields[12])

    def ours(pid: int) -> bool:
        return pid == os.getpid() or (pid in parents and ours(parents[pid]))

    return sum(count for pid, count in ticks.items() if ours(pid)) / os.sysconf("SC_CLK_TCK") if ticks else 0.0


def machine() -> str:
    """The machine in words."""
    info = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.*)", info.read_text()) if info.exists() else []
    return f"{os.cpu_count()} cores{f' of {names[0]}' if names else ''}, NumPy of Pyodide {supply.VERSION}"


def run(page, live: str, stem: str, recorded: dict, limit: float, say=print) -> dict[str, dict]:
    """Runs a notebook's cells in a page; of each its seconds and the verdict."""
    cells, found = code_cells(stem), {}
    above = needs_of(cells, recorded)
    lost: set[int] = set()
    for k, cell in enumerate(cells):
        before = {key: value for key, value in recorded.get(cell.id, {}).items() if key in FACTS}
        one = found[cell.id] = {"does": "draws sets", **before, "text": digest(cell.source)}
        if limits.cannot(cell.id, cell.metadata.get("tags", ()), cell.source):
            one["verdict"] = "cannot"
            lost.add(k)
        elif lost & set(above[k]):
            one["verdict"] = "late"
            lost.add(k)
        else:
            begin = computed()
            done = run_in_page(page, live, cell, limit)
            spent = computed() - begin
            if done.get("late"):
                one |= {"verdict": "late", "seconds": limit}
                say(f"{cell.id}: more than {limit:.0f} s")
                lost |= set(range(k + 1))  # the worker was ended
                continue
            one |= {"verdict": verdict(cell, done["out"]), "seconds": round(min(done["ms"] / 1000, spent or 1e9), 1)}
            if one["verdict"] in ("differs", "fails"):
                say(f"{cell.id} {one['verdict']}: {difference(cell, done['out'])}")
    return found


def main(given: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Run the book's cells in a browser, and record how long they take.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="notebooks (default: all)")
    parser.add_argument("--limit", type=float, default=300, metavar="SECONDS", help="of one cell (default: 300)")
    parser.add_argument("--facts", type=Path, metavar="FOLDER", help="what live_facts has written")
    parser.add_argument("--to", type=Path, default=RECORD, metavar="FILE", help="the record (default: the project's)")
    parser.add_argument("--table", action="store_true", help="print what is recorded, and run nothing")
    chosen = parser.parse_args(given)
    kept = json.loads(chosen.to.read_text(encoding="utf-8")) if chosen.to.exists() else {"cells": {}}
    if chosen.table:
        print(table(kept["cells"], chosen.names))
        return 0
    for path in sorted(chosen.facts.glob("*.json")) if chosen.facts else ():
        for id, one in json.loads(path.read_text(encoding="utf-8")).items():
            kept["cells"][id] = {**kept["cells"].get(id, {}), **{key: one[key] for key in FACTS if key in one}}
    with tempfile.TemporaryDirectory() as site, driver.started() as browser:
        supply.make(driver.pyodide_folders(), Path(site) / "live")
        (Path(site) / "index.html").write_text("<!doctype html><title>cells</title><link rel=icon href='data:,'>")
        kept |= {"date": f"{datetime.date.today()}", "machine": f"on {machine()}, Chromium {browser.version}"}
        with driver.served(site) as address:
            for stem in chosen.names or stems():
                page = driver.opened(browser, f"{address}/index.html")
                kept["cells"] |= run(page, f"{address}/live/", stem, kept["cells"], chosen.limit)
                page.context.close()
                print(table(kept["cells"], [stem]).split("\n")[1], flush=True)
                write(kept, chosen.to)
    return 0


def write(kept: dict, path: Path) -> None:
    """The record, a line per cell."""
    cells = ",\n".join(f"  {json.dumps(id)}: {json.dumps(one)}" for id, one in sorted(kept["cells"].items()))
    head = ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in kept.items() if key != "cells")
    path.write_text(f'{{\n{head},\n "cells": {{\n{cells}\n }}\n}}\n', encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
