"""Runs notebooks' cells as the page runs them, in a browser or in this process, and compares what they show with what is committed."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from chapters.tools.compare import HASH, RTOL, same_text

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "chapters" / "tools" / "live" / "page"
VERDICTS = ("same", "digits", "varies", "differs", "fails")
"""Equal to the letter; equal within the tolerance for numbers of `chapters.tools.compare`; of the same kinds, where the cell prints times;
neither; the cell ends with an error that is not the committed one."""

RUN = """async ([live, code, name, limit]) => {
  const { session } = await import(live + "live.js");
  const out = [];
  let timer;
  const late = new Promise((resolve) => (timer = setTimeout(() => resolve({ late: true }), limit * 1000)));
  const done = await Promise.race([session().run(code, ({ kind, text }) => out.push([kind, text]), name), late]);
  clearTimeout(timer);
  if (done.late) session().stop();
  return { ...done, out };
}"""


class Shown(NamedTuple):
    """One output: its kind as the page has it, and its text ("" of a picture)."""

    kind: str
    text: str


def stems() -> list[str]:
    """The names of the notebooks, in order."""
    return sorted(path.stem for path in (ROOT / "notebooks" / "en").glob("*.ipynb"))


def code_cells(stem: str):
    """The code cells of a notebook."""
    import nbformat

    notebook = nbformat.read(ROOT / "notebooks" / "en" / f"{stem}.ipynb", as_version=4)
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def committed(cell) -> list[Shown]:
    """What the notebook shows under the cell."""
    found = []
    for output in cell.outputs:
        if output.output_type == "stream":
            found.append(Shown("stream", output.text))
        elif output.output_type == "error":
            found.append(Shown("error", f"{output.ename}: {output.evalue}"))
        elif "image/png" in output.data:
            found.append(Shown("png", ""))
        elif "text/html" in output.data:
            found.append(Shown("html", output.data["text/html"]))
        else:
            found.append(Shown("text", output.data["text/plain"]))
    return merged(found)


def merged(outputs: Sequence[tuple[str, str]]) -> list[Shown]:
    """Outputs as they were sent, with printed text that was sent in pieces as one, and of pictures only that they are there."""
    found: list[Shown] = []
    for kind, text in outputs:
        if kind == "stream" and found and found[-1].kind == "stream":
            found[-1] = Shown("stream", found[-1].text + text)
        else:
            found.append(
                Shown(kind, "" if kind == "png" else text.strip().split("\n")[-1] if kind == "error" else text)
            )
    return found


def verdict(cell, outputs: Sequence[tuple[str, str]]) -> str:
    """One of `VERDICTS` on what a cell has shown."""
    want, have = committed(cell), merged(outputs)
    tags = cell.metadata.get("tags", ())
    if any(kind == "error" for kind, _ in have) and "raises-exception" not in tags:
        return "fails"
    if [kind for kind, _ in want] != [kind for kind, _ in have]:
        return "differs"
    pairs = [(a.text, b.text) for a, b in zip(want, have, strict=True)]
    if all(letters(a) == letters(b) for a, b in pairs):
        return "same"
    rtol = next((float(tag[5:]) for tag in tags if tag.startswith("rtol=")), RTOL)
    if all(same_text(decimal(letters(a)), decimal(letters(b)), rtol) for a, b in pairs):
        return "digits"
    return "varies" if "varies" in tags else "differs"


def letters(text: str) -> str:
    """A text without names that are made anew each time, and without what no eye sees."""
    return re.sub(r"[ \t]+$", "", HASH.sub("", text).strip(), flags=re.MULTILINE)


def decimal(text: str) -> str:
    """A drawing's coordinates with a decimal each: between 181.9 and 182 lies a rounding, as between 181.9 and 182.0."""
    return re.sub(r'(?<==")(-?\d+)(?=")', r"\1.0", text) if text.startswith("<svg") else text


def difference(cell, outputs: Sequence[tuple[str, str]]) -> str:
    """Where what is shown begins to differ from what is committed, for a message."""
    want, have = committed(cell), merged(outputs)
    for a, b in zip(want, have, strict=False):
        if a.kind != b.kind or letters(a.text) != letters(b.text):
            k = next((k for k, (x, y) in enumerate(zip(a.text, b.text, strict=False)) if x != y), 0)
            return (
                f"{a.kind} {a.text[max(0, k - 60) : k + 120]!r}\n    here {b.kind} {b.text[max(0, k - 60) : k + 120]!r}"
            )
    return f"{[each.kind for each in want]}, here {[each.kind for each in have]}"


def run_in_page(page, live: str, cell, limit: float = 600) -> dict:
    """Runs a cell in a page's session; {"ok", "ms", "out"}, or {"late": True} where it took longer than `limit` seconds."""
    return page.evaluate(RUN, [live, cell.source, cell.id, limit])


class Here:
    """The same without a browser: the page's Python modules in this process. Whoever wants it clean makes it in a fork."""

    def __init__(self) -> None:
        os.environ["MPLBACKEND"] = "module://figures"
        if str(PAGE) not in sys.path:
            sys.path.insert(0, str(PAGE))
        import cells

        cells.forget()
        self.cells = cells

    def run(self, cell) -> list[tuple[str, str]]:
        """What the cell shows."""
        out: list[tuple[str, str]] = []
        self.cells.run(cell.source, cell.id, lambda kind, text: out.append((kind, text)))
        return out


def sequences(needs: Sequence[Sequence[int]]) -> Iterator[tuple[int, ...]]:
    """For each cell the cells to run: those that it needs, and it."""
    for k, above in enumerate(needs):
        yield (*above, k)
