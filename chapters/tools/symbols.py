"""The letters of formulas, read from their LaTeX, and the table of symbols in which a chapter says what each of them means.

A symbol is a letter with its accent, without its indices: ``\\hat y_i`` is a ``\\hat y`` and has an ``i``. Upright words (``\\text{in}``,
``\\operatorname{softmax}``) and the names of functions (``\\ln``) are no symbols; nor are the sign of a transpose, the number e below an
exponent, pi, the d of a differential, or what every reader knows: partial, nabla, the real numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from chapters.tools.source import Chapter, label

TITLE = "Symbols"
GREEK = (
    "alpha|beta|gamma|delta|epsilon|varepsilon|zeta|eta|theta|vartheta|iota|kappa|lambda|mu|nu|xi|rho|varrho|sigma|tau|upsilon|phi|varphi|chi|psi|"
    "omega|Gamma|Delta|Theta|Lambda|Xi|Pi|Sigma|Upsilon|Phi|Psi|Omega|ell"
)
ACCENTS = "hat|bar|tilde|dot|ddot|vec|check|widehat|widetilde|overline|mathbf|boldsymbol|bm|mathcal|mathfrak|mathscr"
WORDS = "text|textbf|textit|textrm|mathrm|operatorname|mathbb|mathtt|mathsf|begin|end|tag|label|hspace|vspace"
TOKEN = re.compile(r"\\[a-zA-Z]+\*?|\\.|[{}^_]|[^\s\\{}^_]", re.DOTALL)


class Letter(NamedTuple):
    """A letter where it stands: `index_of` is the symbol whose sub- or superscript holds it, and `index` the whole of that."""

    symbol: str
    index_of: str = ""
    index: str = ""


class Row(NamedTuple):
    """A row of the table: its first column, the symbols in it, and which indices they have there; `line` counts from 0."""

    text: str
    symbols: tuple[str, ...]
    indexed: frozenset[tuple[str, str]]
    line: int


def letters(latex: str) -> list[Letter]:
    """The letters of a formula, in order."""
    return list(_walk(TOKEN.findall(re.sub(r"\\begin\{array\}\{[^}]*\}", "", latex)), "", ""))


def _walk(tokens: Sequence[str], index_of: str, index: str) -> Iterator[Letter]:
    i, last = 0, ""
    while i < len(tokens):
        token = tokens[i]
        name = token[1:].rstrip("*") if token[:1] == "\\" else ""
        if token in "^_":
            group, end = _group(tokens, i + 1)
            inside = "".join(group)
            if not (token == "^" and inside == "T"):
                yield from _walk(group, *((index_of, index) if index_of else (last, token + inside)))
            i = end
            continue
        if re.fullmatch(WORDS, name):
            last, i = "", _group(tokens, i + 1)[1]
            continue
        symbol, end = _symbol(tokens, i)
        if not symbol:
            i, last = i + 1, last if token == "'" else ""
            continue
        following = tokens[end] if end < len(tokens) else ""
        number = symbol == "e" and following == "^"
        differential = symbol == "d" and re.fullmatch(r"[A-Za-z]|\\[a-zA-Z]+", following) is not None
        yield Letter(f"({symbol})" if number or differential else symbol, index_of, index)
        last, i = symbol, end


def _symbol(tokens: Sequence[str], i: int) -> tuple[str, int]:
    """The symbol that begins at a token, and where it ends; empty where none does."""
    token = tokens[i]
    name = token[1:] if token[:1] == "\\" else ""
    if re.fullmatch(ACCENTS, name):
        group, end = _group(tokens, i + 1)
        inside = [t for t in group if re.fullmatch(r"[A-Za-z]|\\[a-zA-Z]+", t)]
        accent = {"widehat": "hat", "widetilde": "tilde", "overline": "bar"}.get(name, name)
        return (f"\\{accent} {inside[0]}", end) if len(inside) == 1 and "_" not in group else ("", i)
    return (token, i + 1) if re.fullmatch(GREEK, name) or re.fullmatch(r"[A-Za-z]", token) else ("", i)


def _group(tokens: Sequence[str], i: int) -> tuple[list[str], int]:
    """What stands in braces from a token on, or the token alone; and where the rest begins."""
    if i >= len(tokens):
        return [], i
    if tokens[i] != "{":
        return [tokens[i]], i + 1
    depth = 0
    for k in range(i, len(tokens)):
        depth += (tokens[k] == "{") - (tokens[k] == "}")
        if not depth:
            return list(tokens[i + 1 : k]), k + 1
    return list(tokens[i + 1 :]), len(tokens)


def table(lines: Sequence[str]) -> list[Row]:
    """The rows of the table of symbols that stands in the lines below its heading."""
    rows = []
    for k, line in enumerate(lines):
        if not line.startswith("|") or re.match(r"\|[\s:|-]+\|$", line):
            continue
        first = re.split(r"(?<!\\)\|", line)[1].strip()
        found = [letter for piece in re.findall(r"\$([^$]+)\$", first) for letter in letters(piece)]
        if "$" in first:
            own = tuple(dict.fromkeys(letter.symbol.strip("()") for letter in found if not letter.index_of))
            rows.append(Row(first, own, frozenset((x.index_of, x.index) for x in found if x.index_of), k))
    return rows


def page(chapters: Iterable[Chapter]) -> str:
    """The tables of all chapters that have one, as a page of the book."""
    parts = [
        "# Symbols\n\nWithin a chapter each letter has one meaning. Two chapters may use it for two things, so each has its own table."
    ]
    for chapter in chapters:
        found = re.search(rf"^## {TITLE}\n(.*?)(?=^## |\Z)", chapter.text, re.MULTILINE | re.DOTALL)
        if found:
            body = re.sub(r"\]\(#", f"]({chapter.path.name}#", found[1].strip())
            link = f"[Chapter {label(chapter.number)}: {chapter.title}]({chapter.path.name}#{TITLE.lower()})"
            parts.append(f"## {label(chapter.number)}. {chapter.title}\n\n{body}\n\nIts formulas: {link}.")
    return "\n\n".join(parts) + "\n"


def unknown(latex: str, rows: Sequence[Row]) -> list[str]:
    """The symbols of a formula that no row explains. A row with an accent explains it above every letter that has a row."""
    known = {symbol for row in rows for symbol in row.symbols}
    accents = {symbol.split(" ")[0] for symbol in known if " " in symbol}
    indexed = {pair for row in rows for pair in row.indexed}

    def explained(letter: Letter) -> bool:
        accent, _, base = letter.symbol.rpartition(" ")
        return (
            letter.symbol in known
            or letter.symbol.startswith("(")
            or (bool(accent) and accent in accents and base in known)
            or (letter.index_of, letter.index) in indexed
        )

    return list(dict.fromkeys(letter.symbol for letter in letters(latex) if not explained(letter)))
