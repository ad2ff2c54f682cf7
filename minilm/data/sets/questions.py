"""Questions that programmers ask, with their answers: the FAQ of Python's documentation.

Its sources are reStructuredText. What is read here is the part of that format which they use; of a directive nobody has
heard of, the text is left out.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from .fetch import get_files
from .lines import text_of

_MARKUP = re.compile(
    r"""``(?P<literal>.+?)``
      | :(?P<role>[a-z:]+):`(?P<content>[^`]+)`
      | `(?P<link>[^`<]+?)(?:\s*<[^`>]*>)?`_{0,2}
      | \*\*(?P<strong>\S(?:[^*]*\S)?)\*\*
      | (?<![\w*])\*(?P<emphasis>[^\s*](?:[^*]*[^\s*])?)\*(?![\w*])
      | \\(?P<escaped>\S)""",
    re.VERBOSE,
)
_BULLET = re.compile(r"(?:[*-]|\d+\.|\#\.)\s")
_SHOWN = {"note", "warning", "tip", "only"}
_CODE = {"code-block", "doctest", "testcode"}


class _Block(NamedTuple):
    """Lines that belong together: a paragraph, a list's entry, or code as it stands."""

    lines: list[str]
    code: bool


def python_questions() -> list[tuple[str, str]]:
    """175 questions about Python with their answers, from its FAQ, fetched if need be.

    An answer is plain text: a line a paragraph, with a blank line between two; code is in lines that begin with blanks.
    Raises DataError if they cannot be had.
    """
    return [pair for path in get_files("python-questions") for pair in _questions(text_of(path))]


def _questions(text: str) -> Iterator[tuple[str, str]]:
    """The headings that end with a question mark, and what stands below them."""
    lines = [line.rstrip() for line in text.split("\n")]
    marks = [place for place in range(1, len(lines)) if _is_heading(lines, place)]
    for place, following in pairwise([*marks, len(lines) + 1]):
        question, body = plain(lines[place - 1].strip()), lines[place + 1 : following - 1]
        answer = "\n\n".join(_shown(block) for block in _blocks(body))
        if question.endswith("?") and answer:
            yield question, answer


def _is_heading(lines: list[str], place: int) -> bool:
    """Whether a line underlines the one before it."""
    title, line = lines[place - 1], lines[place]
    return re.fullmatch(r"([=~^*-])\1{2,}", line) is not None and title[:1].strip() != "" and title[:1] != line[0]


def _blocks(lines: list[str]) -> Iterator[_Block]:
    """The blocks of some lines, in order."""
    place, literal = 0, None  # where a paragraph ended with "::", what its text is indented by
    while place < len(lines):
        line = lines[place].lstrip()
        indent, end = _indent(lines[place]), place + 1
        if literal is not None and line and indent > literal:
            end = _end_of_indented(lines, end, literal)
            yield _Block(_dedented(lines[place:end]), True)
        elif line.startswith(".. "):
            end = _end_of_indented(lines, end, indent)
            yield from _directive(line, lines[place + 1 : end])
        elif line:
            while end < len(lines) and lines[end] and not _BULLET.match(lines[end].lstrip()):
                end += 1
            code = line.startswith(">>>")
            yield _Block(_dedented(lines[place:end]) if code else [one.strip() for one in lines[place:end]], code)
            if lines[end - 1].endswith("::"):
                bullet = _BULLET.match(line)
                literal, place = indent + (len(bullet[0]) if bullet else 0), end
                continue
        if line:
            literal = None
        place = end


def _directive(head: str, lines: list[str]) -> Iterator[_Block]:
    """What is shown of ".. name:: ..." and the lines below it. Labels, comments and tables of contents have nothing to show."""
    named = re.match(r"\.\. ([a-z-]+)::", head)
    name = named[1] if named else ""
    while lines and (not lines[0] or lines[0].lstrip().startswith(":")):  # options
        lines = lines[1:]
    if name in _CODE and lines:
        yield _Block(_dedented(lines), True)
    elif name in _SHOWN:
        yield from _blocks(_dedented(lines))


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _end_of_indented(lines: list[str], place: int, indent: int) -> int:
    """The end of the lines from `place` on that are empty or indented by more than `indent`."""
    end = place
    while end < len(lines) and (not lines[end] or _indent(lines[end]) > indent):
        end += 1
    return end


def _dedented(lines: list[str]) -> list[str]:
    least = min((_indent(line) for line in lines if line), default=0)
    kept = [line[least:] for line in lines]
    while kept and not kept[-1]:
        kept.pop()
    return kept


def _shown(block: _Block) -> str:
    if block.code:
        return "\n".join(f"    {line}" if line else "" for line in block.lines)
    text = plain(" ".join(block.lines))
    return text[:-1] if text.endswith("::") else text


def plain(text: str) -> str:
    """A paragraph without its markup."""

    def shown(found: re.Match[str]) -> str:
        if found["role"] is None:
            return next(part for part in found.groups() if part is not None).strip()
        role, content = found["role"], found["content"]
        if titled := re.fullmatch(r"(.+?)\s*<[^>]*>", content, re.DOTALL):
            return titled[1]
        content = content.removeprefix("!")
        if content.startswith("~"):
            content = content.rpartition(".")[2].removeprefix("~")
        if role == "pep":
            return f"PEP {content}"
        if role == "ref":
            return re.sub("[-_]", " ", content)
        return content + "()" * (role.endswith(("func", "meth")) and not content.endswith(")"))

    return re.sub(r"\s+", " ", _MARKUP.sub(shown, text))
