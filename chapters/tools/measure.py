"""What a chapter costs its reader, as a table: words, formulas, cells, pictures, screens.

::

    python chapters/tools/measure.py [--revision GIT] [--site FOLDER]

With `--revision` the chapters are read as they stood there. With `--site`, a built site (``_build/site/en``) of the same text, the
heights of its pages are measured in Chromium, for a desktop (1280 x 800) and a phone (390 x 844).

Words are those that `form.words` counts. A formula is repeated if an earlier one says the same: the same text without its number,
spaces and the book's markup of size. A cell is visible unless it is folded; before there were folds, every cell was.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # it was this folder, whose code.py and site.py hide Python's

from chapters.tools.form import words  # noqa: E402
from chapters.tools.lint import WIDTH  # noqa: E402
from chapters.tools.source import Chapter, chapters_in, folded, label  # noqa: E402

COLUMNS = (
    "chapter", "words", "formulas", "repeated", "visible cells", "longest", "lines clipped", "pictures", "diagrams",
    "step-throughs",
)  # fmt: skip
SCREENS = {"desktop": (1280, 800), "phone": (390, 844)}


def plain(formula: str) -> str:
    r"""A formula without its number, spaces and sizes: what it says."""
    text = re.sub(r"\\tag\{[^}]*\}|\\(?:[bB]ig+[lrm]?|left|right|,|;|!|quad|qquad)(?![a-z])|[\s&]|\\\\", "", formula)
    return re.sub(r"\\(?:begin|end)\{[^}]*\}", "", text)


def rows(chapters: Iterable[Chapter], folds: bool = True) -> list[list[object]]:
    """A line per chapter, sections added up, in the order of `COLUMNS`; `folds`: whether cells are folded."""
    found: dict[int, list[Chapter]] = defaultdict(list)
    for chapter in chapters:
        found[chapter.number].append(chapter)
    seen: set[str] = set()
    table = []
    for number, files in found.items():
        formulas = [plain(display.text) for file in files for display in file.displays() if display.ids]
        repeated = sum(text in seen or text in formulas[:k] for k, text in enumerate(formulas))
        seen |= set(formulas)
        code = [cell for file in files for cell in file.code]
        visible = [cell for cell in code if not (folds and folded(cell.tags))]
        lines = [line for cell in visible for line in cell.source.split("\n")]
        drawn = sum(bool(re.search(r"\b(?:draw|flow)\(|\bpictures\.", cell.source)) for cell in code)
        table.append([
            label(number), sum(map(words, files)), len(formulas), repeated, len(visible),
            max((cell.source.count("\n") + 1 for cell in visible), default=0), sum(len(line) > WIDTH for line in lines),
            sum(bool(cell.alt) for cell in code), drawn, sum("stepper" in cell.tags for cell in code),
        ])  # fmt: skip
    return table


def screens(site: Path, chapters: Sequence[Chapter]) -> dict[str, dict[str, tuple[float, float]]]:
    """For each chapter and kind of screen: how many screens its pages before the exercises fill, and the longest of them."""
    from playwright.sync_api import sync_playwright

    found: dict[str, dict[str, tuple[float, float]]] = defaultdict(dict)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        for kind, (width, height) in SCREENS.items():
            page = browser.new_page(viewport={"width": width, "height": height})
            heights: dict[str, list[float]] = defaultdict(list)
            for chapter in chapters:
                paths = [site / f"{chapter.stem}.html", *sorted((site / chapter.stem).glob("*.html"))]
                for path in paths:
                    if (
                        "exercise" in path.name
                        or not path.exists()
                        or 'http-equiv="refresh"' in path.read_text("utf-8")
                    ):
                        continue
                    page.goto(path.resolve().as_uri())
                    page.wait_for_timeout(400)
                    tall = page.evaluate("document.querySelector('article').getBoundingClientRect().height")
                    heights[label(chapter.number)].append(tall / height)
            for number, each in heights.items():
                found[number][kind] = sum(each), max(each)
        browser.close()
    return found


def at(revision: str, folder: Path) -> list[Chapter]:
    """The chapters as a revision has them, written to a folder."""
    listed = subprocess.run(
        ["git", "ls-tree", "--name-only", f"{revision}:chapters/en"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    for name in listed:
        shown = subprocess.run(
            ["git", "show", f"{revision}:chapters/en/{name}"], cwd=ROOT, capture_output=True, check=True
        )
        (folder / name).write_bytes(shown.stdout)
    return chapters_in(folder)


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="What each chapter costs its reader.")
    parser.add_argument("--revision", metavar="GIT", help="as a revision has them (default: as they stand here)")
    parser.add_argument("--site", type=Path, metavar="FOLDER", help="measure the pages of this built site, too")
    options = parser.parse_args(given)
    with tempfile.TemporaryDirectory() as folder:
        chapters = at(options.revision, Path(folder)) if options.revision else chapters_in(ROOT / "chapters" / "en")
        folds = any("fold" in cell.tags for chapter in chapters for cell in chapter.code)
        table, heads = rows(chapters, folds), list(COLUMNS)
        if options.site:
            measured = screens(options.site, chapters)
            heads += [f"{kind}: {what}" for kind in SCREENS for what in ("screens", "longest page")]
            for row in table:
                row += [f"{number:.0f}" for kind in SCREENS for number in measured[str(row[0])].get(kind, (0, 0))]
    print("| " + " | ".join(heads) + " |\n" + "| --- " * len(heads) + "|")
    for row in table:
        print("| " + " | ".join(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
