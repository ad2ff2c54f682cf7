"""A chapter's file, read: cells, displayed formulas, checks, exercises. Needs nothing but the standard library and `minilm`.

A chapter is one file, ``05-project.md``, or a first page, ``06-applications.md``, and a file for each of its sections,
``06-1-classification.md``. Each file has a notebook of its own. A section's formulas and figures have its number before their own: (6.1.2).
An appendix that computes has a letter instead of a number, ``A-second-derivatives.md``, and formulas (A.1); it counts as chapter 101.

The reader knows the part of MyST that the chapters use (Markdown and ``{code-cell}`` fences); `build` compares its cells
with those that jupytext reads.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
EXERCISES = "<!-- exercises -->"  # in a chapter's file: here stand its tasks, as minilm.exercises has them
SOME_EXERCISES = re.compile(
    r"^<!-- exercises((?: \d+\.\d+)*) -->$", re.MULTILINE
)  # a section names its own: <!-- exercises 6.1 6.2 -->
SECTIONS = "<!-- sections -->"  # on the first page of a chapter: here stands the list of its sections
NAME = re.compile(r"(\d\d|[A-Z])-(?:([1-9])-)?([\w-]+)")
FILES = ("[0-9][0-9]-*", "[A-Z]-*")  # patterns of the names of chapters, and of appendices that compute
LETTERS = 100  # the number of appendix A, less one
FOLDED = {"setup", "formula", "fold"}  # tags of cells whose code a reader opens if he wants to; "open" undoes it
HEADER = """\
---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
    format_version: 0.13
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---
"""
INLINE_MATH = re.compile(r"(?<![\\$])\$(?=\S)((?:[^$\n]|\n(?!\n))+?)(?<=\S)\$")
FENCE = re.compile(r"(`{3,}|~{3,})(.*)")


class Cell(NamedTuple):
    """One cell: `line` is the number of its first source line in the file."""

    kind: str  # "markdown" or "code"
    source: str
    line: int
    tags: tuple[str, ...] = ()
    alt: str = ""
    lexer: str = ""


class Display(NamedTuple):
    """A displayed formula, and the ids of its tags."""

    text: str
    ids: tuple[str, ...]
    line: int


class Heading(NamedTuple):
    level: int
    text: str
    line: int


class CheckCall(NamedTuple):
    """A call of ``holds`` or ``fails``; `id` is empty where it is not a literal string."""

    id: str
    function: str
    line: int
    cell: Cell


class Chapter:
    """A file of a chapter: its path, text and cells. In its text the exercises stand where the file has the line `EXERCISES`.

    Attributes:
        number: of the chapter.
        section: of the section; 0: the file is the whole chapter, or its first page.
        prefix: what the numbers of its formulas and figures begin with: "5", "6.1".
        in_sections: whether it is the first page of a chapter whose sections have files of their own.
        tasks: the ids of the exercises that the file names; None where it takes all of the chapter, or has none.
    """

    def __init__(self, path: Path, text: str | None = None) -> None:
        self.path = path
        self.stem = path.stem
        self.number, self.section = numbers(path.stem)
        self.prefix = f"{label(self.number)}.{self.section}" if self.section else label(self.number)
        text = path.read_text(encoding="utf-8") if text is None else text
        self.in_sections = SECTIONS in text
        named = [m[1].split() for m in SOME_EXERCISES.finditer(text) if m[1]]
        self.tasks = tuple(id for ids in named for id in ids) if named else None
        self.text = with_sections(with_exercises(text, self.number), path, self.number)
        self.cells = read_cells(self.text)

    @property
    def title(self) -> str:
        return next(heading.text for heading in self.headings() if heading.level == 1)

    @property
    def code(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.kind == "code"]

    @property
    def markdown(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.kind == "markdown"]

    @property
    def visible(self) -> list[Cell]:
        """The code cells that stand open."""
        return [cell for cell in self.code if not folded(cell.tags)]

    @property
    def setup(self) -> list[Cell]:
        """The cells that formulas and solutions need."""
        return [cell for cell in self.code if "setup" in cell.tags]

    def headings(self) -> list[Heading]:
        return [
            heading._replace(line=cell.line + heading.line)
            for cell in self.markdown
            for heading in headings_of(cell.source)
        ]

    def displays(self) -> list[Display]:
        found = []
        for cell in self.markdown:
            text = without_inline_code(without_fences(cell.source))
            for m in re.finditer(r"\$\$(.*?)\$\$", text, re.DOTALL):
                ids = tuple(re.findall(r"\\tag\{([^}]*)\}", m[1]))
                found.append(Display(m[1], ids, cell.line + text.count("\n", 0, m.start())))
        return found

    def checks(self) -> list[CheckCall]:
        """Every call of holds and fails, in order. Raises SyntaxError for a cell that is not Python."""
        found = []
        for cell in self.code:
            calls = [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call)]
            for call in sorted(calls, key=lambda c: c.lineno):
                name = getattr(call.func, "id", getattr(call.func, "attr", ""))
                if name in ("holds", "fails"):
                    first = call.args[0] if call.args else None
                    id = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""
                    found.append(CheckCall(id, name, cell.line + call.lineno - 1, cell))
        return found

    def exercises(self) -> list[Heading]:
        """Their headings, in order."""
        return [heading for heading in self.headings() if heading.text.startswith("Exercise ")]


def folded(tags: Iterable[str]) -> bool:
    """Whether a cell with these tags shows one line, which opens to its code."""
    return bool(FOLDED & set(tags)) and "open" not in tags


def lettered(number: int) -> bool:
    """Whether it is the number of an appendix that computes."""
    return number > LETTERS


def label(number: int) -> str:
    """How a chapter is counted: "4"; an appendix: "A"."""
    return chr(ord("A") + number - LETTERS - 1) if lettered(number) else f"{number}"


def numbers(stem: str) -> tuple[int, int]:
    """Of the chapter, and of its section: (6, 1) of "06-1-classification", (6, 0) of "06-applications", (101, 0) of "A-race".

    Raises:
        ValueError: no file of a chapter is called so.
    """
    m = NAME.fullmatch(stem)
    if not m:
        raise ValueError(f"a chapter's file is called as 05-project or 06-1-classification, not {stem!r}.")
    return int(m[1]) if m[1].isdigit() else LETTERS + 1 + ord(m[1]) - ord("A"), int(m[2] or 0)


def with_exercises(text: str, chapter: int) -> str:
    """The text of a chapter with its exercises in it.

    Raises:
        KeyError: it names one that there is not.
    """

    def there(m: re.Match[str]) -> str:
        from chapters.tools.exercises import (
            some_statements,
            statements,
        )  # what other readers of a chapter need not import

        return some_statements(m[1].split()) if m[1] else statements(chapter)

    return SOME_EXERCISES.sub(there, text)


def with_sections(text: str, path: Path, chapter: int) -> str:
    """The text of a chapter's first page with the list of its sections, each title a link."""
    if SECTIONS not in text:
        return text
    files = in_order(path.parent.glob(f"{chapter:02d}-[1-9]-*.md"))
    return text.replace(
        SECTIONS, "\n".join(f"{numbers(file.stem)[1]}. [{_title(file)}]({file.name})" for file in files)
    )


def _title(file: Path) -> str:
    headings = (
        h
        for cell in read_cells(file.read_text(encoding="utf-8"))
        if cell.kind == "markdown"
        for h in headings_of(cell.source)
    )
    return next((heading.text for heading in headings if heading.level == 1), file.stem)


def headings_of(markdown: str) -> list[Heading]:
    """The headings of a piece of Markdown; `line` counts from 0."""
    found = []
    for i, line in enumerate(without_fences(markdown).split("\n")):
        m = re.match(r"(#{1,6}) +(.*?) *#*$", line)
        if m:
            found.append(Heading(len(m[1]), m[2], i))
    return found


def anchors(headings: Iterable[Heading]) -> list[str]:
    """The headings' anchors on a page that holds just these, as GitHub and myst-parser make them."""
    found: list[str] = []
    for heading in headings:
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", INLINE_MATH.sub("", heading.text))
        slug = re.sub(r"[^\w\- ]", "", text.replace("`", "").replace("*", "").lower()).replace(" ", "-")
        n, unique = 0, slug
        while unique in found:
            n += 1
            unique = f"{slug}-{n}"
        found.append(unique)
    return found


def formula_id(number: str) -> str:
    """The anchor of a formula on the site: ``eq-4.9``, of a wrong one ``eq-4.9-wrong``."""
    return "eq-" + number.replace("*", "-wrong")


def formulas_of(markdown: str) -> list[str]:
    """The anchors of the numbered formulas of a piece of Markdown."""
    return [
        formula_id(number) for number in re.findall(r"\\tag\{([^}]*)\}", without_inline_code(without_fences(markdown)))
    ]


def chapters(language: str = "en") -> list[Chapter]:
    """The files of the chapters of one edition, in order; those of sections follow the first page of their chapter."""
    return chapters_in(ROOT / "chapters" / language)


def chapters_in(folder: Path) -> list[Chapter]:
    """The files of the chapters in a folder, in order."""
    return [Chapter(path) for path in in_order(files(folder))]


def files(folder: Path, ending: str = ".md") -> list[Path]:
    """What is called as a chapter, or an appendix that computes, in no order: texts, or notebooks."""
    return [path for name in FILES for path in folder.glob(name + ending)]


def in_order(paths: Iterable[Path]) -> list[Path]:
    """Chapters by number, each with its sections after it."""
    return sorted(paths, key=lambda path: numbers(path.stem))


def read_cells(text: str) -> list[Cell]:
    """Cuts the text after the header into Markdown and code cells."""
    lines = text.split("\n")
    start = lines.index("---", 1) + 1 if lines[0] == "---" and "---" in lines[1:] else 0
    cells, prose, i = [], start, start
    while i < len(lines):
        m = FENCE.match(lines[i])
        if not m:
            i += 1
            continue
        end = _closing(lines, i, m[1])
        if m[2].startswith("{code-cell}"):
            cells += _markdown(lines, prose, i)
            cells.append(_code(lines, i, end, m[2].removeprefix("{code-cell}").strip()))
            prose = end + 1
        i = end + 1
    return cells + _markdown(lines, prose, len(lines))


def _closing(lines: list[str], start: int, mark: str) -> int:
    """The line that closes the fence of line `start`; the last line where none does."""
    for i in range(start + 1, len(lines)):
        text = lines[i].strip()
        if text and set(text) == {mark[0]} and len(text) >= len(mark):
            return i
    return len(lines) - 1


def _markdown(lines: list[str], start: int, end: int) -> list[Cell]:
    while start < end and not lines[start].strip():
        start += 1
    source = "\n".join(lines[start:end]).rstrip()
    return [Cell("markdown", source, start + 1)] if source else []


def _code(lines: list[str], start: int, end: int, lexer: str) -> Cell:
    first = start + 1
    if lines[first] == "---":
        body = lines.index("---", first + 1) + 1
        options = "\n".join(lines[first + 1 : body - 1])
    else:
        body = first
        while body < end and lines[body].startswith(":"):
            body += 1
        options = "\n".join(line[1:] for line in lines[first:body])
    if body < end and not lines[body].strip():
        body += 1
    return Cell("code", "\n".join(lines[body:end]), body + 1, _tags(options), _alt(options), lexer)


def _tags(options: str) -> tuple[str, ...]:
    m = re.search(r"^tags:\s*\[(.*?)\]", options, re.MULTILINE | re.DOTALL)
    if m:
        return tuple(tag.strip().strip("'\"") for tag in m[1].split(",") if tag.strip())
    m = re.search(r"^tags:\s*\n((?:\s*- .*\n?)+)", options, re.MULTILINE)
    return tuple(re.findall(r"- *(\S+)", m[1])) if m else ()


def _alt(options: str) -> str:
    m = re.search(r"^\s+alt:\s*(\S.*)$", options, re.MULTILINE)
    return m[1] if m else ""


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def without_fences(text: str) -> str:
    """The Markdown with fenced code blanked out: the same lines and columns."""
    lines = text.split("\n")
    i = 0
    while i < len(lines):
        m = FENCE.match(lines[i].lstrip(" >"))
        if m:
            end = _closing([line.lstrip(" >") for line in lines], i, m[1])
            lines[i : end + 1] = [_blank(line) for line in lines[i : end + 1]]
            i = end
        i += 1
    return "\n".join(lines)


def without_inline_code(text: str) -> str:
    """The Markdown with what stands between backticks blanked out; the backticks stay."""
    return re.sub(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", lambda m: m[1] + _blank(m[2]) + m[1], text, flags=re.DOTALL)


def without_math(text: str) -> str:
    """The Markdown with formulas blanked out."""
    text = re.sub(r"\$\$.*?\$\$", lambda m: _blank(m[0]), text, flags=re.DOTALL)
    return INLINE_MATH.sub(lambda m: _blank(m[0]), text)


def fenced(text: str, info: str) -> list[str]:
    """The contents of the fenced blocks of one kind."""
    return re.findall(rf"^```{re.escape(info)} *\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
