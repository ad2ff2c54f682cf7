"""Builds the notebooks from the chapters, and checks that the committed ones are what the chapters give today.

::

    python chapters/tools/build.py write [FILES...]   # notebooks/en/NN-name.ipynb, NN-K-name.ipynb, executed
    python chapters/tools/build.py check [FILES...]   # lint, rebuild in memory, compare; exit status 1 with a diff

Needs the extra `book`. A chapter runs from top to bottom in a kernel of its own, with one BLAS thread. Its notebook holds
the outputs, and nothing that depends on the day or the machine: no times, versions or paths.
"""

from __future__ import annotations

import argparse
import base64
import importlib.util
import io
import os
import re
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # it was this folder, whose code.py and site.py hide Python's

from chapters.tools import again  # noqa: E402
from chapters.tools.compare import RTOL, differences  # noqa: E402
from chapters.tools.lint import Problem, lint  # noqa: E402
from chapters.tools.source import Cell, Chapter, chapters, files, folded, label  # noqa: E402

SECONDS, BYTES = 180, 500_000  # of a notebook
SECTION_SECONDS = 120
AGAIN_SECONDS = 5  # that a section's cell may take to be run twice
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
ENVIRONMENT = {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "MINILM_COMPILED": "0",  # the digits are NumPy's, with Numba or without
    "COLUMNS": "100",
}


class BuildError(Exception):
    """A chapter cannot be built, or breaks a limit."""


def notebook_path(chapter: Chapter) -> Path:
    """notebooks/en/NN-name.ipynb"""
    return ROOT / "notebooks" / chapter.path.parent.name / f"{chapter.stem}.ipynb"


def place(chapter: Chapter, cell: Cell, line: int = 1) -> str:
    """Where a line of a cell stands: the file, its line, and the number of the cell."""
    return f"{chapter.path.name}:{cell.line + line - 1} (cell {chapter.cells.index(cell)})"


def read(chapter: Chapter) -> Any:
    """The notebook without outputs.

    Raises:
        BuildError: jupytext reads other cells than `Chapter` does: the file uses Markdown that one of them does not understand.
    """
    import jupytext
    import nbformat

    notebook = jupytext.reads(chapter.text, fmt="md:myst")
    ours = [(cell.kind, cell.source) for cell in chapter.cells]
    theirs = [(cell.cell_type, cell.source) for cell in notebook.cells]
    if ours != theirs:
        k = next((k for k, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs)))
        at = place(chapter, chapter.cells[k]) if k < len(ours) else chapter.path.name
        raise BuildError(f"{at}: jupytext reads another cell here. Is a fence not closed, or inside a list?")
    for i, cell in enumerate(notebook.cells):
        cell.id = f"{label(chapter.number):0>2}-{f'{chapter.section}-' if chapter.section else ''}{i:03d}"
        cell.metadata = nbformat.from_dict({k: v for k, v in cell.metadata.items() if k in ("tags", "mystnb")})
        if folded(cell.metadata.get("tags", ())):
            cell.metadata.jupyter = nbformat.from_dict({"source_hidden": True})
        if cell.cell_type == "markdown":
            cell.source = for_jupyter(chapter, cell.source)
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def for_jupyter(chapter: Chapter, markdown: str) -> str:
    """Links between chapters lead to notebooks, cited sources to where they are; an alert is a quotation that begins with a bold word."""
    siblings = {path.name for path in files(chapter.path.parent)}

    def link(m: re.Match[str]) -> str:
        name, anchor = m[1], m[2] or ""
        if name in siblings:
            return f"]({name.removesuffix('.md')}.ipynb{anchor})"
        if (chapter.path.parent / name).exists():  # the start page and what is written by hand have no notebook
            return f"](../../chapters/{chapter.path.parent.name}/{name}{anchor})"
        return m[0]

    markdown = cited(re.sub(r"\]\(([\w.-]+\.md)(#[^)\s]*)?\)", link, markdown))
    return re.sub(r"^> \[!(\w+)\] *\n> ?", lambda m: f"> **{m[1].capitalize()}.** ", markdown, flags=re.MULTILINE)


SOURCE = re.compile(
    r"\b(?:arXiv:(?P<arxiv>\d{4}\.\d{4,5})|doi:(?P<doi>10\.\d{4,}/[^\s;,]*[^\s;,.])"
    r"|(?<![/@.-])(?P<page>(?:github\.com|huggingface\.co|code\.google\.com|aclanthology\.org|jmlr\.org|proceedings\.mlr\.press"
    r"|peps\.python\.org|docs\.python\.org|www\.deeplearningbook\.org)(?:/[\w./-]*\w)?))"
)


def cited(markdown: str) -> str:
    """Identifiers of sources as links: ``arXiv:1706.03762``, ``doi:10.1038/323533a0``, and pages of a few known hosts."""

    def link(m: re.Match[str]) -> str:
        to = f"arxiv.org/abs/{m['arxiv']}" if m["arxiv"] else f"doi.org/{quote(m['doi'])}" if m["doi"] else m["page"]
        return f"[{m[0]}](https://{to})"

    start = markdown.find("## Sources\n")
    return markdown[:start] + SOURCE.sub(link, markdown[start:]) if start >= 0 else markdown


def execute(chapter: Chapter, notebook: Any, twice: bool = False) -> tuple[float, list[str]]:
    """Runs the notebook in a kernel of its own, with `twice` each cell twice in a row, as a reader does who did not look.

    Cells that print times, marked `varies`, and those that compare with PyTorch may differ, and a section's cell that trains for long is
    run once. Returns the seconds that the first runs took, and which cells printed something else the second time.

    Raises:
        BuildError: a cell failed, did not fail though tagged raises-exception, or wrote to stderr.
    """
    import nbclient
    from traitlets.config import Config

    environment, extensions = {**os.environ, **ENVIRONMENT}, []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        if twice:
            sources = [cell.source for cell in chapter.code if not {"varies", "needs-torch"} & set(cell.tags)]
            environment |= again.ask(folder, sources, AGAIN_SECONDS if chapter.section else None)
            extensions = [f"--InteractiveShellApp.extensions={again.__name__}"]
        # In a folder of its own: two kernels that start at once in one folder may take the same names.
        sockets = {"transport": "ipc", "ip": str(folder / "kernel")}
        client = nbclient.NotebookClient(
            notebook,
            timeout=SECONDS,
            kernel_name="python3",
            record_timing=False,
            extra_arguments=extensions,
            config=Config({"KernelManager": sockets} if os.name == "posix" else {}),
            resources={"metadata": {"path": str(ROOT)}},
        )
        start = time.monotonic()
        try:
            client.execute(env=environment)
        except nbclient.exceptions.CellExecutionError:
            pass  # the outputs say which cell, and why
        except nbclient.exceptions.CellTimeoutError as error:
            raise BuildError(f"{chapter.path.name}: a cell ran for more than {SECONDS} s.") from error
        seconds = time.monotonic() - start
        said, more = again.answers(folder) if twice else ([], 0.0)
    differ = []
    for cell, built in zip(chapter.cells, notebook.cells, strict=True):
        if cell.kind == "code":
            built.outputs = merge_streams(without_notices(built.outputs))
            first, (source, second) = again.printed(built.outputs), said[0] if said else ("", None)
            if source == cell.source:
                said.pop(0)
                if second != first:
                    differ.append(
                        f"{place(chapter, cell)}: the cell prints\n{first}\nand when it is run again\n{second}"
                    )
            built.outputs = [tidy(output) for output in built.outputs]
            built.metadata.pop("execution", None)
            _outcome(chapter, cell, built.outputs)
    notebook.metadata.language_info = {"name": "python"}
    return seconds - more, differ


def _outcome(chapter: Chapter, cell: Cell, outputs: list[Any]) -> None:
    errors = [output for output in outputs if output.output_type == "error"]
    meant = "raises-exception" in cell.tags
    if errors and not meant:
        line = _failing_line(errors[0])
        source = cell.source.split("\n")[line - 1].strip()
        raise BuildError(f"{place(chapter, cell, line)}: {errors[0].ename}: {errors[0].evalue}\n    {source}")
    if meant and not errors:
        raise BuildError(f"{place(chapter, cell)}: the cell is tagged raises-exception, but it does not fail.")
    for output in outputs:
        text = "\n".join([output.get("text", ""), *map(str, output.get("data", {}).values()), output.get("evalue", "")])
        if output.get("name") == "stderr":
            raise BuildError(f"{place(chapter, cell)}: the cell writes to stderr: {text.strip()[:300]}")
        if str(ROOT) in text or sys.prefix in text or str(Path.home() / "") in text:
            raise BuildError(f"{place(chapter, cell)}: the output holds a path of this machine.")
        if re.search(r" at 0x[0-9a-f]{6,}", text):
            raise BuildError(
                f"{place(chapter, cell)}: the output holds an object's address; print what the reader is to see."
            )


def _failing_line(error: Any) -> int:
    """The line of the cell at which it failed, from IPython's traceback."""
    for frame in error.get("frames", error.traceback):
        plain = re.sub(r"\x1b\[[0-9;]*m", "", frame)
        m = re.search(r"(?:Cell In\[\d+\]|<ipython-input[^>]*>)[\s\S]*?^-+> *(\d+)", plain, re.MULTILINE)
        if m:
            return int(m[1])
        m = re.search(r"Cell In\[\d+\], line (\d+)", plain)
        if m:
            return int(m[1])
    return 1


NOTICE = re.compile(r"^[\w-]+: [\d.,]+ [kMG]?B to fetch\. Licence: .*\n?", re.MULTILINE)


def without_notices(outputs: list[Any]) -> list[Any]:
    """Without what the first use of a data set says of its size and licence: a reader sees it once, and a second run never."""
    kept = []
    for output in outputs:
        if output.output_type == "stream" and output.name == "stderr":
            output.text = NOTICE.sub("", output.text)
        if output.output_type != "stream" or output.text:
            kept.append(output)
    return kept


def merge_streams(outputs: list[Any]) -> list[Any]:
    """Text that was sent in several pieces as one output: how it is cut depends on the clock."""
    merged: list[Any] = []
    for output in outputs:
        if output.output_type == "stream" and merged and merged[-1].get("name") == output.name:
            merged[-1].text += output.text
        else:
            merged.append(output)
    return merged


def tidy(output: Any) -> Any:
    """An error keeps its name and message only: its traceback holds this machine's paths. A picture is made smaller."""
    if output.output_type == "error":
        output["frames"], output.traceback = output.traceback, [f"\x1b[31m{output.ename}\x1b[39m: {output.evalue}"]
    if "image/png" in output.get("data", {}):
        output.data["image/png"] = with_palette(output.data["image/png"])
    return output


def with_palette(png: str) -> str:
    """A picture (base64) in 256 colours: a third of the bytes, and no difference to see in a figure."""
    from PIL import Image  # matplotlib brings it

    picture, small = Image.open(io.BytesIO(base64.b64decode(png))), io.BytesIO()
    picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    return base64.b64encode(small.getvalue()).decode()


def build(chapter: Chapter) -> tuple[Any, float]:
    """The executed notebook, and the seconds it took.

    Raises:
        BuildError: a cell misbehaves, or the notebook is too large or too slow.
    """
    notebook, seconds, _ = _built(chapter)
    return notebook, seconds


def _built(chapter: Chapter, twice: bool = False) -> tuple[Any, float, list[str]]:
    """The executed notebook, the seconds it took, and with `twice` which cells printed something else the second time.

    Raises:
        BuildError: a cell misbehaves, or the notebook is too large or too slow.
    """
    if not (ROOT / "minilm").exists():
        raise BuildError("chapters are built in the repository.")
    notebook = read(chapter)
    seconds, differ = execute(chapter, notebook, twice)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            output.pop("frames", None)
    _alternatives(chapter, notebook)
    size = len(serialize(notebook).encode())
    if size > BYTES:
        raise BuildError(
            f"{chapter.path.name}: the notebook has {size / 1000:.0f} kB, more than {BYTES // 1000}: {_largest(notebook)}."
        )
    most = SECTION_SECONDS if chapter.section else SECONDS
    if seconds > most:
        raise BuildError(f"{chapter.path.name}: the notebook took {seconds:.0f} s, more than {most}.")
    return notebook, seconds, differ


def _alternatives(chapter: Chapter, notebook: Any) -> None:
    for cell, built in zip(chapter.cells, notebook.cells, strict=True):
        images = [o for o in built.get("outputs", []) if any(m.startswith("image/") for m in o.get("data", {}))]
        if images and not built.metadata.get("mystnb", {}).get("image", {}).get("alt"):
            raise BuildError(f"{place(chapter, cell)}: the figure has no alternative text (mystnb: image: alt).")


def _largest(notebook: Any) -> str:
    sizes = sorted(((len(str(cell.get("outputs", ""))), cell.id) for cell in notebook.cells), reverse=True)[:3]
    return "largest outputs: " + ", ".join(f"cell {id} {size / 1000:.0f} kB" for size, id in sizes)


def serialize(notebook: Any) -> str:
    """The notebook's file: the same notebook gives the same bytes."""
    import nbformat

    nbformat.validate(notebook)
    return nbformat.writes(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def has_torch() -> bool:
    return importlib.util.find_spec("torch") is not None


def write(chapter: Chapter) -> str:
    """Builds the chapter's notebook and writes it; returns a line about it.

    Raises:
        BuildError: as `build`; or the chapter compares with PyTorch, and PyTorch is missing.
    """
    if not has_torch() and any("needs-torch" in cell.tags for cell in chapter.code):
        raise BuildError(f'{chapter.path.name} compares with PyTorch: pip install -e ".[oracle]"')
    notebook, seconds = build(chapter)
    path, text = notebook_path(chapter), serialize(notebook)
    same = path.exists() and path.read_text(encoding="utf-8") == text
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    word = "unchanged" if same else "written"
    return f"{path.relative_to(ROOT)}: {word}, {len(text.encode()) / 1000:.0f} kB, {seconds:.1f} s"


def lint_messages(chapter: Chapter) -> list[str]:
    """The rules that the chapter breaks, each with its place."""
    return [f"{chapter.path.name}:{problem.line}: {problem.message}" for problem in lint(chapter)]


def check(chapter: Chapter, twice: bool = False) -> list[str]:
    """What is wrong with the chapter or its committed notebook; empty where all is well. With `twice` also which cells print something
    else when they are run again.

    Raises:
        BuildError: as `build`.
    """
    import nbformat

    problems = lint_messages(chapter)
    path = notebook_path(chapter)
    if problems or not path.exists():
        return problems or [f"{path.relative_to(ROOT)} is missing: python chapters/tools/build.py write"]
    committed = nbformat.read(path, as_version=4)
    stale = compare_sources(chapter, committed, read(chapter))
    if stale:
        return [*stale, f"{path.relative_to(ROOT)} is not the chapter's: python chapters/tools/build.py write"]
    rebuilt, _, differ = _built(chapter, twice)
    return compare_outputs(chapter, committed, rebuilt) + differ


def compare_sources(chapter: Chapter, committed: Any, expected: Any) -> list[str]:
    """Cells whose text, kind or metadata in the notebook is not the chapter's."""
    found = []
    for cell, old, new in zip(chapter.cells, committed.cells, expected.cells, strict=False):
        if (old.cell_type, old.source, old.metadata, old.id) != (new.cell_type, new.source, new.metadata, new.id):
            found.append(f"{place(chapter, cell)}: the notebook has another cell.")
    if len(committed.cells) != len(expected.cells):
        found.append(
            f"{chapter.path.name}: the notebook has {len(committed.cells)} cells, the chapter {len(expected.cells)}."
        )
    return found


def compare_outputs(chapter: Chapter, committed: Any, rebuilt: Any) -> list[str]:
    """Cells that print something else than they did."""
    found = []
    for cell, old, new in zip(chapter.cells, committed.cells, rebuilt.cells, strict=True):
        if cell.kind != "code" or ("needs-torch" in cell.tags and not has_torch()):
            continue
        rtol = next((float(tag[5:]) for tag in cell.tags if tag.startswith("rtol=")), RTOL)
        for difference in differences(old.outputs, new.outputs, rtol, kinds_only="varies" in cell.tags):
            found.append(f"{place(chapter, cell)}: {difference}")
    return found


def selected(files: list[str]) -> list[Chapter]:
    """The chapters that were named; all of them where none was."""
    for name in files:
        if not Path(name).is_file():
            raise BuildError(f"there is no file {name}.")
    return [Chapter(Path(name).resolve()) for name in files] if files else chapters()


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    parser = argparse.ArgumentParser(description="Build the notebooks from the chapters, or check them.")
    parser.add_argument("command", choices=["write", "check", "lint"])
    parser.add_argument("files", nargs="*", metavar="FILE", help="chapters/en/NN-name.md, NN-K-name.md (default: all)")
    options = parser.parse_args(arguments)
    status = 0
    try:
        for chapter in selected(options.files):
            status |= _run(options.command, chapter)
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    if options.command == "check" and not has_torch():
        print("PyTorch is not installed: cells tagged needs-torch ran, but were not compared.")
    return status


def _run(command: str, chapter: Chapter) -> int:
    """One chapter; 1 where something is wrong with it."""
    try:
        if command == "lint":
            problems = lint_messages(chapter)
        elif command == "check":
            problems = check(chapter)
        else:
            print(write(chapter), flush=True)
            return 0
    except (BuildError, SyntaxError) as error:
        problems = [str(error)]
    print("\n".join(problems) or f"{chapter.path.name}: all is well", flush=True)
    return int(bool(problems))


__all__ = ["BuildError", "Problem", "build", "check", "lint", "write"]

if __name__ == "__main__":
    sys.exit(main())
