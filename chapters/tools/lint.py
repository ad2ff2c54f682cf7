"""The rules that every chapter keeps, checked without running anything. `lint` returns what breaks them.

A section that is a file of its own keeps them with its own numbers: formulas (6.1.1), figures 6.1.1, and the exercises that it names.
Goals, and the table of what the article gets wrong, stand on the chapter's first page, which leads to every section.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from chapters.tools import form
from chapters.tools.form import SOURCES, WRONG
from chapters.tools.source import (
    EXERCISES,
    HEADER,
    NAME,
    SECTIONS,
    Cell,
    Chapter,
    anchors,
    files,
    in_order,
    label,
    lettered,
    numbers,
    without_fences,
    without_inline_code,
    without_math,
)
from minilm.exercises import tasks

WIDTH = 84  # columns of code that a page shows
TAGS = {"setup", "formula", "fold", "open", "stepper", "raises-exception", "varies", "needs-torch"}
LINK = re.compile(r"\[[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*\]\(([^()\s]+)\)")


class Problem(NamedTuple):
    line: int
    message: str


def lint(chapter: Chapter) -> list[Problem]:
    """Everything in the chapter's file that breaks a rule, by line."""
    problems = list(_cells(chapter))
    if problems and any("is not Python" in p.message for p in problems):
        return sorted(problems)
    rules = (
        _head,
        _formulas,
        _references,
        _links,
        _figures,
        _exercises,
        _sections,
        _first_page,
        _fetched,
        _markup,
        _form,
    )
    return sorted([*problems, *(problem for rule in rules for problem in rule(chapter))])


def _form(chapter: Chapter) -> Iterator[Problem]:
    yield from (Problem(line, message) for line, message in form.rules(chapter))


def _prose(cell: Cell) -> str:
    return without_inline_code(without_fences(cell.source))


def _line(cell: Cell, text: str, position: int) -> int:
    return cell.line + text.count("\n", 0, position)


def _cells(chapter: Chapter) -> Iterator[Problem]:
    for cell in chapter.code:
        if cell.lexer != "ipython3":
            yield Problem(cell.line, f"a code cell begins with ```{{code-cell}} ipython3, this one has {cell.lexer!r}.")
        for tag in cell.tags:
            if tag not in TAGS and not re.fullmatch(r"rtol=\d+(\.\d+)?(e-?\d+)?", tag):
                yield Problem(cell.line, f"unknown tag {tag!r}; known are {', '.join(sorted(TAGS))} and rtol=NUMBER.")
        try:
            tree = ast.parse(cell.source)
        except SyntaxError as error:
            yield Problem(cell.line + (error.lineno or 1) - 1, f"the cell is not Python: {error.msg}.")
            continue
        yield from _wide(cell, tree)


def _wide(cell: Cell, tree: ast.Module) -> Iterator[Problem]:
    """Lines that a page cuts, but for those of quoted text, which stand as they were written."""
    quoted = {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.end_lineno
        for line in range(node.lineno + 1, node.end_lineno)
    }
    for k, line in enumerate(cell.source.split("\n"), 1):
        if len(line) > WIDTH and k not in quoted:
            yield Problem(cell.line + k - 1, f"the line of code has {len(line)} columns; a page shows {WIDTH}.")


def _head(chapter: Chapter) -> Iterator[Problem]:
    if not chapter.text.startswith(HEADER):
        yield Problem(1, "the file must begin with the header that all chapters share.")
    titles = [h for h in chapter.headings() if h.level == 1]
    if len(titles) != 1 or chapter.headings()[0] != titles[0]:
        yield Problem(1, f"one title ('# Title') at the top is expected, there are {len(titles)}.")
    for title in titles:
        if re.match(r"(chapter|part|\d)", title.text, re.IGNORECASE):
            yield Problem(title.line, "the title has no number: the table of contents gives it.")
    if (
        not chapter.section
        and not lettered(chapter.number)
        and not any("**You will learn**" in cell.source for cell in chapter.markdown)
    ):
        yield Problem(1, "'**You will learn**' with the chapter's goals is missing.")
    if not chapter.setup or chapter.code[0] is not chapter.setup[0]:
        yield Problem(1, "the first code cell must be tagged setup.")


def _formulas(chapter: Chapter) -> Iterator[Problem]:
    yield from _displays(chapter)
    yield from _checks(chapter)
    checks, headings = chapter.checks(), chapter.headings()
    for display in chapter.displays():
        if len(display.ids) != 1:
            continue
        id = display.ids[0]
        mine = [check for check in checks if check.id == id]
        if len(mine) != 1:
            yield Problem(display.line, f"({id}) has {len(mine)} checks; exactly one holds() or fails() is expected.")
            continue
        level = max([h for h in headings if h.line < display.line], default=None, key=lambda h: h.line)
        ends = [h.line for h in headings if h.line > display.line and level and h.level <= level.level]
        if not display.line < mine[0].line < min(ends, default=10**9):
            yield Problem(
                mine[0].line, f"the check of ({id}) must come after it, in the same section (line {display.line})."
            )


def _displays(chapter: Chapter) -> Iterator[Problem]:
    """Numbers of displayed formulas. In an exercise a display has none: it is asked about, and is checked by the task's tests."""
    expected, seen = 1, set()
    first = min((heading.line for heading in chapter.exercises()), default=len(chapter.text))
    for display in chapter.displays():
        if display.line > first and not display.ids:
            continue
        if len(display.ids) != 1 or not re.search(r"\\tag\{[^}]*\}\s*$", display.text):
            yield Problem(
                display.line, rf"a display ends with one \tag{{{chapter.prefix}.M}}, this one has {len(display.ids)}."
            )
            continue
        id = display.ids[0]
        m = re.fullmatch(r"((?:\d+|[A-Z])(?:\.\d+)?)\.(\d+)(\*?)", id)
        if not m or m[1] != chapter.prefix:
            yield Problem(display.line, f"({id}) is no formula number of {_called(chapter.prefix)}.")
            continue
        if id in seen:
            yield Problem(display.line, f"({id}) is there twice.")
        elif not m[3] and int(m[2]) != expected:
            yield Problem(display.line, f"({id}) stands where ({chapter.prefix}.{expected}) is expected.")
        seen.add(id)
        if not m[3]:
            expected = int(m[2]) + 1
        if "\n\n" in display.text:
            yield Problem(display.line, f"({id}) has an empty line in it.")
    for id in sorted(seen):
        if id.endswith("*") and id[:-1] not in seen:
            yield Problem(1, f"({id}) is a wrong formula; the right one, ({id[:-1]}), is missing.")


def _checks(chapter: Chapter) -> Iterator[Problem]:
    ids = {id for display in chapter.displays() for id in display.ids}
    checks = chapter.checks()
    for check in checks:
        wanted = "fails" if check.id.endswith("*") else "holds"
        if not check.id:
            yield Problem(check.line, f"{check.function}() takes the formula's number as a literal string.")
        elif check.id not in ids:
            yield Problem(check.line, f"there is no display with \\tag{{{check.id}}}.")
        elif check.function != wanted:
            yield Problem(check.line, f"({check.id}) must be checked with {wanted}(), not {check.function}().")
        if "formula" not in check.cell.tags:
            yield Problem(check.line, f"the cell of {check.function}() must be tagged formula.")
    for cell in chapter.code:
        if "formula" in cell.tags and not any(check.cell is cell for check in checks):
            yield Problem(cell.line, "a cell tagged formula must call holds() or fails().")


def formula_ids(chapter: Chapter) -> set[str]:
    """The numbers of a chapter's displays."""
    return {id for display in chapter.displays() for id in display.ids}


def _references(chapter: Chapter) -> Iterator[Problem]:
    known = {chapter.prefix: formula_ids(chapter)}
    for cell in chapter.markdown:
        text = without_math(_prose(cell))
        for m in re.finditer(r"\(((?:\d{1,2}|[A-Z])(?:\.\d)?)\.(\d+)(\*?)\)", text):
            prefix = m[1]
            if prefix not in known:
                others = [path for path in siblings(chapter) if _prefix(path) == prefix]
                known[prefix] = formula_ids(Chapter(others[0])) if others else set()
            if known[prefix] and m[0][1:-1] not in known[prefix]:
                yield Problem(_line(cell, text, m.start()), f"there is no formula {m[0]} in {_called(prefix)}.")


def siblings(chapter: Chapter) -> list[Path]:
    """The files of chapters in its folder, in order."""
    return in_order(path for path in files(chapter.path.parent) if NAME.fullmatch(path.stem))


def _prefix(path: Path) -> str:
    chapter, section = numbers(path.stem)
    return f"{label(chapter)}.{section}" if section else label(chapter)


def _called(prefix: str) -> str:
    return f"{'section' if '.' in prefix else 'appendix' if prefix.isalpha() else 'chapter'} {prefix}"


def slugs(chapter: Chapter) -> set[str]:
    """The anchors of the headings, as GitHub and myst-parser make them."""
    return set(anchors(chapter.headings()))


def _links(chapter: Chapter) -> Iterator[Problem]:
    for cell in chapter.markdown:
        text = without_math(_prose(cell))
        for m in LINK.finditer(text):
            if not re.match(r"[a-z]+:", m[1]):
                word = _broken(chapter, unquote(m[1]))
                if word:
                    yield Problem(_line(cell, text, m.start()), f"the link {m[1]} leads nowhere: {word}.")


def _broken(chapter: Chapter, target: str) -> str:
    """Why a relative link does not resolve; empty where it does."""
    name, _, anchor = target.partition("#")
    path = (chapter.path.parent / name).resolve() if name else chapter.path
    if path == chapter.path.resolve():
        other = chapter
    elif not path.exists():
        return f"there is no file {name}"
    elif anchor and NAME.fullmatch(Path(name).stem):
        other = Chapter(path)
    else:
        return "an anchor is only checked in chapters" if anchor else ""
    return f"there is no heading #{anchor}" if anchor and anchor not in slugs(other) else ""


def _figures(chapter: Chapter) -> Iterator[Problem]:
    for cell in chapter.code:
        if "plt.show(" in cell.source and not cell.alt:
            yield Problem(cell.line, "the figure has no alternative text (mystnb: image: alt).")
    captions = []
    for cell in chapter.markdown:
        text = _prose(cell)
        for m in re.finditer(r"^\*Figure ((?:\d+|[A-Z])(?:\.\d+){1,2})\.", text, re.MULTILINE):
            captions.append(m[1])
            if m[1] != f"{chapter.prefix}.{len(captions)}":
                yield Problem(
                    _line(cell, text, m.start()),
                    f"Figure {m[1]} stands where {chapter.prefix}.{len(captions)} is expected.",
                )
    for cell in chapter.markdown:
        text = _prose(cell)
        for m in re.finditer(rf"Figure ({re.escape(chapter.prefix)}\.\d+)(?!\.?\d)", text):
            if m[1] not in captions:
                yield Problem(_line(cell, text, m.start()), f"there is no Figure {m[1]}.")


def _exercises(chapter: Chapter) -> Iterator[Problem]:
    """A heading each, numbered without a gap: those of the tasks, where the chapter has tasks.

    In a chapter of sections each section names its own, and the first page has none.
    """
    if chapter.section or chapter.in_sections:
        there = {f"Exercise {id}. {tasks.find(id).title}" for id in chapter.tasks or ()}
        if chapter.section and not there:
            yield Problem(1, "a section names its exercises: <!-- exercises 6.1 6.2 -->.")
        for heading in chapter.exercises():
            if not chapter.section or heading.text not in there:
                yield Problem(heading.line, f"{heading.text!r} is none of the exercises that a section names.")
        return
    for k, heading in enumerate(chapter.exercises(), 1):
        if not re.match(rf"Exercise {chapter.number}\.{k}\. \S", heading.text):
            yield Problem(
                heading.line, f"'### Exercise {chapter.number}.{k}. Title' is expected, found {heading.text!r}."
            )
    if lettered(chapter.number):
        return
    if chapter.number in tasks.CHAPTERS:
        wanted = {f"Exercise {task.id}. {task.title}" for task in tasks.of_chapter(chapter.number)}
        if {heading.text for heading in chapter.exercises()} != wanted:
            yield Problem(1, f"the exercises are those of minilm.exercises: the line {EXERCISES} stands for them.")
    elif not chapter.exercises():
        yield Problem(1, "a chapter has exercises; there are none.")


def _sections(chapter: Chapter) -> Iterator[Problem]:
    headings = chapter.headings()
    if lettered(chapter.number):
        return
    for wanted in (WRONG, SOURCES)[bool(chapter.section) :]:
        if sum(h.text == wanted for h in headings) != 1:
            yield Problem(1, f"one section '{wanted}' is expected.")
    lines = chapter.text.split("\n")
    for here in [h for h in headings if h.text == WRONG]:
        end = min([h.line for h in headings if h.line > here.line and h.level <= here.level], default=len(lines))
        if not any(line.startswith("|") for line in lines[here.line : end - 1]):
            yield Problem(here.line, f"'{WRONG}' holds a table.")


def _first_page(chapter: Chapter) -> Iterator[Problem]:
    """A chapter of sections has a first page, which lists them."""
    if chapter.section and not any(numbers(path.stem) == (chapter.number, 0) for path in siblings(chapter)):
        yield Problem(1, f"chapter {chapter.number} has no first page, such as {chapter.number:02d}-name.md.")
    below = [path for path in siblings(chapter) if numbers(path.stem)[0] == chapter.number and numbers(path.stem)[1]]
    if not chapter.section and below and not chapter.in_sections:
        yield Problem(1, f"the first page of a chapter lists its sections: the line {SECTIONS} stands for them.")


def _fetched(chapter: Chapter) -> Iterator[Problem]:
    """A section on data that its first run fetches says so before."""
    code = "\n".join(cell.source for cell in chapter.code)
    prose = "\n".join(cell.source for cell in chapter.markdown)
    fetches = chapter.section and re.search(r"^from minilm\.(applications|pretrained)\b", code, re.MULTILINE)
    said = re.search(r"\d MB\b", prose) and re.search(r"\blicen[cs]e", prose, re.IGNORECASE)
    if fetches and not said:
        yield Problem(1, "the text says what the first run fetches: how many MB, and under which licence.")


def _markup(chapter: Chapter) -> Iterator[Problem]:
    rules = {
        r"^\s*(:::+|`{3,}\{(?!code-cell\}))": "a MyST directive shows raw in JupyterLab",
        r"\{[\w:-]+\}`": "a MyST role shows raw in JupyterLab",
        r"^\([\w:-]+\)=\s*$": "a MyST label shows raw in JupyterLab",
        r"^(\+\+\+|%\s)": "a MyST block break or comment shows raw in JupyterLab",
        r"</?(?!details>|summary>)[a-zA-Z][\w-]*(?=[\s/>])[^>]*>": "raw HTML other than <details> and <summary>",
    }
    for cell in chapter.markdown:
        prose = without_math(_prose(cell))
        for pattern, word in rules.items():
            text = cell.source if "directive" in word else prose
            for m in re.finditer(pattern, text, re.MULTILINE):
                yield Problem(_line(cell, text, m.start()), f"{word}: {m[0].strip()}")
        for m in re.finditer(r"\$\$", without_math(prose)):
            yield Problem(_line(cell, prose, m.start()), "a $$ without its partner.")
