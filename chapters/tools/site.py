"""Builds the book as a website from the committed notebooks, without running them: ``_build/site/en/index.html``.

::

    python chapters/tools/site.py [--repository https://...] [--live FOLDER ...]

Needs the extra `book`. A chapter becomes one page per section (`pages`), whether its sections stand in one file or in one each. The
notebooks, a reference of ops and of public names (`reference`), and the library's code that the pages name, are part of the site; with
``--repository`` (or the environment variable BOOK_REPOSITORY) the pages link that address, too.
With ``--live`` the pages run Python: Pyodide's files come from that folder (`live.supply`). Without it nothing on the site speaks of it.
Formulas are typeset by MathJax, which is fetched once with npm into ``_build`` and becomes part of the site; where npm is missing,
the pages load it from the net instead.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # it was this folder, whose code.py and site.py hide Python's

from chapters.tools import moved, reference, symbols  # noqa: E402
from chapters.tools.attention import page as attention  # noqa: E402
from chapters.tools.exercises import solutions  # noqa: E402
from chapters.tools.live import cells as live_cells  # noqa: E402
from chapters.tools.live import desks, supply  # noqa: E402
from chapters.tools.pages import Page, cut, first_words, formula_places, lifted, linked, places  # noqa: E402
from chapters.tools.source import anchors as heading_anchors  # noqa: E402
from chapters.tools.source import chapters as book  # noqa: E402
from chapters.tools.source import files, folded, headings_of, in_order, label, lettered, numbers  # noqa: E402
from minilm.exercises import tasks  # noqa: E402
from minilm.exercises.bugs import page as bug_page  # noqa: E402

BUILD = ROOT / "_build"
MATHJAX = "mathjax@3.2.2"
MADE = ("symbols",)  # appendices that gather what the chapters hold
WRITTEN = ("teaching", "corpus", "machines", "terms")  # appendices that are written by hand


def main(language: str = "en", repository: str = "", live: Sequence[str] = ()) -> int:
    """Builds one edition; returns Sphinx's exit status. Every warning is an error.

    Args:
        repository: the address that pages shall link.
        live: folders with Pyodide's files, so that the pages run Python.
    """
    source, site, files = BUILD / "src" / language, BUILD / "site" / language, BUILD / "files" / language
    shutil.rmtree(files, ignore_errors=True)
    try:
        print(f"Python in the pages: {add_live(live, files / 'live')}")
    except supply.SupplyError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"formulas: {fetch_mathjax()}")
    anchors = copy_sources(language, source, bool(live))
    copy_notebooks(language, files)
    if live:
        desks.write_notebooks(tasks.CHAPTERS, files)
    shutil.rmtree(site, ignore_errors=True)
    settings = {
        "BOOK_LANGUAGE": language,
        "BOOK_FILES": str(files),
        "BOOK_REPOSITORY": repository,
        "BOOK_LIVE": "yes" if live else "",
    }
    status = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-E", "-b", "html", "-c", str(ROOT / "chapters" / "tools"),
         "-d", str(BUILD / "doctrees" / language), str(source), str(site)],
        env={**os.environ, **settings},
    ).returncode  # fmt: skip
    if status == 0:
        (site / ".nojekyll").touch()  # without it GitHub Pages leaves out _static
        moved.write(site, anchors | written_places(language))
        pages = [path for path in site.rglob("*") if path.is_file() and site / "live" not in path.parents]
        print(f"{site.relative_to(ROOT)}/index.html; {supply.megabytes(pages)}, Python not counted")
    else:
        print("the site has errors")
    return status


def add_live(folders: Sequence[str], target: Path) -> str:
    """Makes the folder from which the pages run Python, if there is anything to make it from; returns a word on it."""
    if not folders:
        return "none, as no folder with Pyodide was given (--live)"
    made = supply.make(folders, target)
    failed = "".join(f"; without the data set {name}: {why}" for name, why in made["data"]["failed"].items())
    return f"Pyodide {made['pyodide']}, {supply.summary(target)}{failed}"


def fetch_mathjax() -> str:
    """Puts MathJax's one-file build beside the site's own files; returns a word on where pages will find it."""
    folder = BUILD / "mathjax"
    file = folder / "tex-svg-full.js"
    if file.exists():
        return f"{MATHJAX}, part of the site"
    npm = shutil.which("npm")
    if npm is None:
        return "npm is not installed, so MathJax is not part of the site: its pages load it from a server on the net"
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run([npm, "pack", "--silent", MATHJAX], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        word = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return f"npm could not fetch {MATHJAX} ({word}): pages load MathJax from a server on the net"
    archive = folder / done.stdout.split()[-1]
    with tarfile.open(archive) as tar:
        member = tar.extractfile("package/es5/tex-svg-full.js")
        assert member is not None
        file.write_bytes(member.read())
    archive.unlink()
    return f"{MATHJAX}, part of the site"


def notebooks(language: str) -> list[Path]:
    """The edition's notebooks, in order; those of sections follow the first page of their chapter.

    Raises:
        FileNotFoundError: no notebook has been built.
    """
    found = in_order(files(ROOT / "notebooks" / language, ".ipynb"))
    if not found:
        raise FileNotFoundError(f"notebooks/{language} is empty: python chapters/tools/build.py write")
    return found


def copy_notebooks(language: str, target: Path) -> None:
    """The notebooks, as files that the site carries for readers who want to run them."""
    (target / "notebooks").mkdir(parents=True)
    for path in notebooks(language):
        shutil.copy(path, target / "notebooks" / path.name)


def copy_sources(language: str, target: Path, live: bool = False) -> dict[str, dict[str, tuple[str, str]]]:
    """The edition's start page, and the pages of its chapters, as Sphinx is to read them; returns where each heading stands.

    Args:
        live: whether the pages run Python.
    """
    import nbformat

    shutil.rmtree(target, ignore_errors=True)
    read = {path.stem: nbformat.read(path, as_version=4) for path in notebooks(language)}
    below = {
        stem: [other for other in read if numbers(other) > numbers(stem) == (numbers(other)[0], 0)] for stem in read
    }
    chapters = {stem: cut(notebook, stem, bool(numbers(stem)[1] or below[stem])) for stem, notebook in read.items()}
    anchors = {stem: places(chapter) for stem, chapter in chapters.items()}
    if live:
        live_cells.write(read, chapters, BUILD / "files" / language / "live" / "cells")
    for stem, chapter in chapters.items():
        for page in chapter.every():
            lower = [other.name for other in page.pages] + (below[stem] if page is chapter else [])
            write_page(page, read[stem], anchors, stem, target, ROOT / "notebooks" / language, lower)
    index = ROOT / "chapters" / language / "index.md"
    text = to_notebooks(index.read_text(encoding="utf-8"))
    text = for_sphinx(text, index.parent, target, language)
    top = [stem for stem in chapters if not numbers(stem)[1]]
    computed = [stem for stem in top if lettered(numbers(stem)[0])]
    appendices = [*computed, *write_appendices(language, target, live)]
    lead_written(anchors, target)
    trees = [
        contents([stem for stem in top if stem not in computed], "maxdepth: 2"),
        contents(appendices, "caption: Appendices"),
        contents(reference.write(target), "caption: Reference"),
    ]
    (target / "index.md").write_text("\n".join([text, *trees]), encoding="utf-8")
    return {stem: {**anchors[stem], **formula_places(chapter)} for stem, chapter in chapters.items()}


ARTICLE = (
    'This chapter follows part {chapter} of the article "Large language models from theory to practice: SlimPajama" '
    "(大规模语言模型从理论到实践 SlimPajama) by AI天才研究员/AI Genius Institute and 禅与计算机程序设计艺术/Zen And The Art of Computer "
    "Programming; see [the start page]({start}.md)."
)


def to_notebooks(markdown: str) -> str:
    """Links to chapters led to their notebooks, which are what Sphinx reads."""
    return re.sub(r"\]\(((?:\d\d|[A-Z])-[\w-]+)\.md", r"](\1.ipynb", markdown)


def contents(pages: Iterable[str], option: str) -> str:
    """A part of the table of contents."""
    return "\n".join(["```{toctree}", ":hidden:", f":{option}", "", *pages, "```", ""])


def write_appendices(language: str, target: Path, live: bool = False) -> list[str]:
    """The pages that are no chapters: `WRITTEN` as they stand, and what is made from the tasks and the bugs."""
    titles = {c.number: c.title for c in book(language) if c.number in tasks.CHAPTERS and not c.section}
    answers = [solutions(number, title) for number, title in titles.items()]
    made = {desks.PROGRESS: desks.progress_page(titles)} if live else {}
    made |= {name: text for pages in answers for name, text in pages.items()}
    for name in WRITTEN:
        page = ROOT / "chapters" / language / f"{name}.md"
        text = to_notebooks(page.read_text(encoding="utf-8"))
        made[name] = for_sphinx(text, page.parent, target, language)
    made["symbols"] = to_notebooks(symbols.page(book(language)))
    library = bug_page.pages(tasks.every())
    families = [name.removeprefix("bugs/") for name in library if name != "bugs"]
    library["bugs"] += "\n".join(
        ["", "```{toctree}", ":hidden:", "", *(f"bugs/{family}" for family in families), "```", ""]
    )
    for name, markdown in {**made, **library}.items():
        path = target / f"{name}.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text(markdown, encoding="utf-8")
    return [*(name for name in made if "/" not in name), "bugs"]


def written_places(language: str) -> dict[str, dict[str, tuple[str, str]]]:
    """Of the pages that are written by hand: where each heading stands, as `pages.places` says it of a chapter."""
    texts = {name: (ROOT / "chapters" / language / f"{name}.md").read_text(encoding="utf-8") for name in WRITTEN}
    return {name: {a: (name, a) for a in heading_anchors(headings_of(text))} for name, text in texts.items()}


def lead_written(anchors: dict[str, dict[str, tuple[str, str]]], target: Path) -> None:
    """The links of pages written by hand, to headings of chapters, led to the pages where these now stand."""

    def lead(stem: str, anchor: str) -> str:
        if not stem:
            return f"#{anchor}"
        place, local = anchors[stem][anchor] if anchor else (stem, "")
        return f"{place}.ipynb{'#' * bool(local)}{local}"

    for path in (target / f"{name}.md" for name in (*WRITTEN, *MADE)):
        if path.exists():
            path.write_text(linked(path.read_text(encoding="utf-8"), lead), encoding="utf-8")


def write_page(
    page: Page,
    notebook: Any,
    anchors: dict[str, dict[str, tuple[str, str]]],
    stem: str,
    target: Path,
    origin: Path,
    below: Sequence[str],
) -> None:
    """One page as a notebook of its own: headings lifted, links led to the pages where they now end, the pages `below` listed.

    The title of a chapter, and that of a section with a file of its own, gets its number: Sphinx would count chapters without a gap, and
    not all of them are written.
    """
    import nbformat

    path = target / f"{page.name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)

    def lead(other: str, anchor: str) -> str:
        place, local = anchors[other or stem][anchor] if anchor else (other, "")
        to = os.path.relpath(target / place, path.parent)
        return f"#{local}" if local and place == page.name else f"{to}.ipynb{'#' * bool(local)}{local}"

    for cell in page.cells:
        if cell.cell_type == "markdown":
            text = linked(for_sphinx(cell.source, origin, path.parent, target.name), lead)
            cell.source = lifted(text, page.level - 1)
            continue
        live_cells.marked(cell)
        if folded(cell.metadata.get("tags", ())):
            fold(cell)
    cells = list(page.cells)
    chapter, section = numbers(stem)
    if page.name == stem:
        cells[0].source = cells[0].source.replace("# ", f"# {label(chapter)}.{section or ''} ", 1)
    if below:
        to = [os.path.relpath(target / name, path.parent) for name in below]
        tree = "\n".join(["```{toctree}", ":titlesonly:", ":hidden:", "", *to, "```"])
        # The first page of a chapter in files has their list in its text.
        lines = [(part.name, first_words(part)) for part in page.pages]
        parts = "\n".join(f"- [](/{name}.ipynb){': ' * bool(line)}{line}" for name, line in lines)
        cells.append(nbformat.v4.new_markdown_cell(f"{tree}\n\n{parts}".rstrip()))
    if page.name == stem and not section and not lettered(chapter):
        start = os.path.relpath(target / "index", path.parent)
        cells.append(nbformat.v4.new_markdown_cell(ARTICLE.format(chapter=chapter, start=start)))
    nbformat.write(nbformat.v4.new_notebook(metadata=notebook.metadata, cells=cells), path)


CHECKED = re.compile(r"^[✓✗] \([\w.*]+\) .*(?:\n    .*)*", re.MULTILINE)  # what a formula's check prints


def fold(cell: Any) -> None:
    """Leaves one line of the cell, which opens to its code. The line of a formula's check is what it printed."""
    import nbformat

    lines = []
    for output in cell.outputs:
        if output.output_type == "stream":
            lines += [re.sub(r"\n +", " ", found) for found in CHECKED.findall(output.text)]
            output.text = CHECKED.sub("", output.text).lstrip("\n")
    cell.outputs = [each for each in cell.outputs if each.output_type != "stream" or each.text.strip()]
    shown = [data for output in cell.outputs if (data := output.get("data"))]
    picture = any("image/png" in data or data.get("text/html", "").startswith("<svg") for data in shown)
    kind = "Set-up" if "setup" in cell.metadata.tags and not picture else "Code of the figure" if picture else "Code"
    line = "\n".join(lines) or kind
    cell.metadata.tags = [*cell.metadata.tags, "hide-input"]
    prompts = {"code_prompt_show": line, "code_prompt_hide": line}
    cell.metadata.mystnb = nbformat.from_dict({**cell.metadata.get("mystnb", {}), **prompts})


def for_sphinx(markdown: str, origin: Path, folder: Path, language: str) -> str:
    """Notes become admonitions; links to files outside the book (the library's sources) fit the folder that Sphinx reads."""

    def note(m: re.Match[str]) -> str:
        body = re.sub(r"^> ?", "", m[2] + m[3], flags=re.MULTILINE)
        return f":::{{{m[1].lower()}}}\n{body.rstrip()}\n:::\n"

    def link(m: re.Match[str]) -> str:
        path = (origin / m[1]).resolve()
        if path.parent == ROOT / "chapters" / language and path.stem in ("index", *WRITTEN):
            path = BUILD / "src" / language / path.name
        return f"]({os.path.relpath(path, folder)}{m[2] or ''})"

    markdown = re.sub(
        r"^> \*\*(Note|Tip|Important|Warning|Caution)\.\*\* (.*\n?)((?:>.*\n?)*)", note, markdown, flags=re.MULTILINE
    )
    return re.sub(r"\]\((\.\./[^)#\s]+)(#[^)\s]*)?\)", link, attention.placed(markdown))


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Build the book as a website: _build/site/en/index.html.")
    parser.add_argument(
        "--repository",
        default=os.environ.get("BOOK_REPOSITORY", ""),
        metavar="ADDRESS",
        help="the repository's address, which the pages shall link (default: $BOOK_REPOSITORY, or no link)",
    )
    parser.add_argument(
        "--live",
        action="append",
        default=[],
        metavar="FOLDER",
        help=f"where the files of Pyodide {supply.VERSION} lie, so that the pages run Python; may be given several times",
    )
    return parser.parse_args(given)


if __name__ == "__main__":
    given = arguments()
    sys.exit(main(repository=given.repository, live=given.live))
