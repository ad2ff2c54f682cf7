"""The form of a chapter: how long it is, what stands open, how a section ends, what its letters mean. The limits stand in `LIMITS`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from chapters.tools import symbols
from chapters.tools.source import (
    Cell,
    Chapter,
    Heading,
    in_order,
    lettered,
    numbers,
    without_fences,
    without_inline_code,
    without_math,
)

WRONG, EXERCISES, SOURCES, SUMMARY = "What the article gets wrong here", "Exercises", "Sources", "**Summary**"
LINES = 15  # of a cell that stands open, without empty ones
ROWS = 12  # of the table of the article's errors
KINDS = ("false", "undefined", "missing")  # how that table is sorted
ITEM = 130  # characters of a line of a summary
WHOLE = 10  # the chapter whose table gathers those of all others, and has a column for the kind
REVISED = range(1, 6)  # chapters whose sections end with a summary, and which have a table of symbols


class Limits(NamedTuple):
    """Of a chapter with all of its sections, unless it says otherwise.

    Attributes:
        words: least and most, before the exercises.
        cells: least and most that stand open.
        opening: words, at least, that stand before the first code cell of a file.
    """

    words: tuple[int, int]
    cells: tuple[int, int]
    opening: int


LIMITS = {
    **dict.fromkeys(REVISED, Limits((4_500, 6_500), (18, 25), 60)),
    # What is wished for stands behind; until a chapter is there, it must not grow.
    6: Limits((0, 7_300), (0, 32), 35),  # 6,500; 24
    7: Limits((0, 4_000), (0, 15), 35),
    8: Limits((0, 8_000), (0, 21), 35),  # 6,000; 20
    9: Limits((0, 6_400), (0, 20), 35),  # 6,000
    10: Limits((0, 2_500), (0, 10), 60),
}
APPENDIX = Limits((0, 2_500), (0, 10), 35)


def limits(chapter: int) -> Limits:
    """Those of a chapter, or of an appendix that computes."""
    return LIMITS.get(chapter, APPENDIX)


def words(chapter: Chapter) -> int:
    """The words of the text before the exercises: of paragraphs, lists, tables and captions, not of code and formulas."""
    count = 0
    for cell in chapter.markdown:
        text, *after = re.split(rf"^## {EXERCISES}\b", cell.source, maxsplit=1, flags=re.MULTILINE)
        count += _words(text)
        if after:
            break
    return count


def _words(markdown: str) -> int:
    text = without_math(without_inline_code(without_fences(markdown)))
    text = re.sub(r"\]\([^)]*\)", "]", re.sub(r"</?(details|summary)>|<!--.*?-->", "", text))
    return len(re.findall(r"\w[\w'’.,-]*", text))


def code_lines(cell: Cell) -> int:
    """How many lines of code the cell has, without empty ones."""
    return sum(bool(line.strip()) for line in cell.source.split("\n"))


def rules(chapter: Chapter) -> Iterator[tuple[int, str]]:
    """What breaks the form: line and message."""
    yield from _open_cells(chapter)
    yield from _size(chapter)
    yield from _opening(chapter)
    yield from _errors(chapter)
    if chapter.number in REVISED:
        yield from _summaries(chapter)
        yield from _symbols(chapter)


def _open_cells(chapter: Chapter) -> Iterator[tuple[int, str]]:
    for cell in chapter.visible:
        if code_lines(cell) > LINES:
            yield cell.line, f"the cell has {code_lines(cell)} lines of code; one that stands open has at most {LINES}."
    worked = [cell for cell in chapter.code if "open" in cell.tags]
    for cell in worked:
        if "formula" not in cell.tags:
            yield cell.line, "only a formula's cell is tagged open: others stand open unless they are tagged fold."
    exactly = chapter.number in REVISED and any("formula" in cell.tags for cell in chapter.code)
    if len(worked) > 1 or (exactly and not worked):
        wanted = "exactly one formula's cell stands open" if exactly else "at most one formula's cell stands open"
        yield (worked[1].line if worked else 1), f"{wanted}, as an example (tag open); there are {len(worked)}."


def _files(chapter: Chapter) -> list[Chapter]:
    """The file itself, and those of its sections where it is the first page."""
    if not chapter.in_sections:
        return [chapter]
    found = chapter.path.parent.glob(f"{chapter.number:02d}-[1-9]-*.md")
    return [chapter, *(Chapter(Path(path)) for path in in_order(found) if numbers(path.stem)[1])]


def _size(chapter: Chapter) -> Iterator[tuple[int, str]]:
    if chapter.section:
        return  # it is counted on the first page of its chapter
    files, limit = _files(chapter), limits(chapter.number)
    for count, (least, most), what in (
        (sum(map(words, files)), limit.words, "words before the exercises"),
        (sum(len(file.visible) for file in files), limit.cells, "code cells that stand open"),
    ):
        if not least <= count <= most:
            wanted = f"{least:,} to {most:,} are" if least else f"at most {most:,} are"
            yield 1, f"the chapter has {count:,} {what}; {wanted} expected."


def _opening(chapter: Chapter) -> Iterator[tuple[int, str]]:
    """Text comes first: no code before so many words, and none that stands open before the first section's text."""
    least, before = limits(chapter.number).opening, 0
    for cell in chapter.cells:
        if cell.kind == "code":
            if before < least:
                yield cell.line, f"{before} words stand before the first code cell; at least {least} are expected."
            break
        before += _words(cell.source)
    if chapter.section or lettered(chapter.number):
        return
    section = next((h.line for h in chapter.headings() if h.level == 2), 0)
    for cell in chapter.visible:
        if cell.line < section:
            yield cell.line, "a chapter does not open with code: this cell stands open before the first section."


def _sections(chapter: Chapter) -> list[tuple[Heading, list[str]]]:
    """The chapter's sections: each heading of the second level, and the lines below it."""
    heads = [h for h in chapter.headings() if h.level == 2]
    lines = chapter.text.split("\n")
    ends = [*(h.line - 1 for h in heads), len(lines)][1:]
    return [(head, lines[head.line : end]) for head, end in zip(heads, ends, strict=True)]


def _summaries(chapter: Chapter) -> Iterator[tuple[int, str]]:
    for head, lines in _sections(chapter):
        if head.text in (symbols.TITLE, WRONG, EXERCISES, SOURCES):
            continue
        while lines and not lines[-1].strip():
            lines.pop()
        if len(lines) < 5 or [*lines[-5:-3]] != [SUMMARY, ""] or not all(line.startswith("- ") for line in lines[-3:]):
            yield head.line, f"the section {head.text!r} ends with '{SUMMARY}', an empty line and three lines '- ...'."
        else:
            for k, line in enumerate(lines[-3:]):
                if len(line) > ITEM:
                    at = head.line + len(lines) - 2 + k
                    yield at, f"a line of a summary has at most {ITEM} characters, this one has {len(line)}."


def _symbols(chapter: Chapter) -> Iterator[tuple[int, str]]:
    """One letter, one meaning; every letter of a formula has one, and every one that is explained is used."""
    found = [(head, lines) for head, lines in _sections(chapter) if head.text == symbols.TITLE]
    if len(found) != 1:
        yield 1, f"one section '{symbols.TITLE}' is expected."
        return
    [(head, lines)] = found
    titles = [h.text for h in chapter.headings() if h.level == 2]
    if WRONG in titles and titles.index(WRONG) < titles.index(symbols.TITLE):
        yield head.line, f"'{symbols.TITLE}' comes before '{WRONG}'."
    rows = symbols.table(lines)
    seen: dict[str, str] = {}
    for row in rows:
        for symbol in row.symbols:
            if symbol in seen:
                yield (
                    head.line + 1 + row.line,
                    f"${symbol}$ has two rows, {seen[symbol]} and {row.text}: one letter, one meaning.",
                )
            seen.setdefault(symbol, row.text)
    end = min([h.line for h in chapter.headings() if h.text == EXERCISES], default=10**9)
    for display in chapter.displays():
        if display.line < end and display.ids and not display.ids[0].endswith("*"):
            for symbol in symbols.unknown(display.text, rows):
                yield display.line, f"({display.ids[0]}) has ${symbol}$, which the table of symbols does not explain."
    used = {
        letter.symbol.strip("()") for formula in _formulas(chapter, head.line) for letter in symbols.letters(formula)
    }
    for row in rows:
        for symbol in row.symbols:
            if symbol not in used:
                yield head.line + 1 + row.line, f"${symbol}$ is explained, and no formula above has it."


def _formulas(chapter: Chapter, before: int) -> Iterator[str]:
    """The LaTeX of the formulas before a line, displayed or not."""
    for cell in chapter.markdown:
        lines = without_inline_code(without_fences(cell.source)).split("\n")[: max(0, before - cell.line)]
        yield from re.findall(r"\$\$?([^$]+)\$", "\n".join(lines))


def _errors(chapter: Chapter) -> Iterator[tuple[int, str]]:
    for head, lines in _sections(chapter):
        if head.text == WRONG and chapter.number != WHOLE:
            yield from _sorted(head.line, [(k, line) for k, line in enumerate(lines, 1) if line.startswith("|")][2:])


def _sorted(line: int, rows: Sequence[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    if len(rows) > ROWS:
        yield line, f"the table of errors has {len(rows)} rows; at most {ROWS} are expected."
    last = 0
    for k, text in rows:
        m = re.match(r"\*(\w+):\*", re.split(r"(?<!\\)\|", text)[2].strip())
        if not m or m[1] not in KINDS:
            yield line + k, f"a row says in its second column first what is wrong: *{':*, *'.join(KINDS)}:*."
            continue
        if KINDS.index(m[1]) < last:
            yield line + k, f"the rows are sorted: {', '.join(KINDS)}."
        last = max(last, KINDS.index(m[1]))
