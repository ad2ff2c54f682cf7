"""Where in a text a rule's measure is to be seen: the lines that stood before, the signs, the words without a letter.

For people who read an example. It looks at a part of a document, so it finds less than the rule did: a line that stood before may have
stood in another part. Measures of a text as a whole, such as its length or its language, have no place in it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from minilm.data.corpus.characters import LETTER, kind
from minilm.data.corpus.differences import WORDS
from minilm.data.corpus.normalize import bare_text
from minilm.data.corpus.symbols import BULLETS

Spans = list[tuple[int, int]]

_LINE = re.compile(r"\S(?:[^\n]*\S)?")
_PARAGRAPH = re.compile(r"\S(?:[^\S\n]*\n?[^\S\n]*\S)*")
_SIGNS = {
    "hashes_per_word": re.compile("#+"),
    "ellipses_per_word": re.compile(r"…+|\.{3,}"),
    "ellipsis_lines": re.compile(r"(?:…|\.\.\.)(?=\s*(?:\n|\Z))"),
    "bullet_lines": re.compile(rf"(?m)^[^\S\n]*([{re.escape(BULLETS)}])"),
}


def evidence(text: str, measure: str) -> Spans:
    """Places (start, end) in the text, ascending, none within another.

    Args:
        text: a document, or a part of it.
        measure: the number that a rule asks for (`quality.Rule`).
    """
    if measure in _SIGNS:
        return [found.span(found.lastindex or 0) for found in _SIGNS[measure].finditer(text)]
    if measure.startswith("repeated_line"):
        return _again(text, _LINE)
    if measure.startswith("repeated_paragraph"):
        return _again(text, _PARAGRAPH)
    if found := re.fullmatch(r"repeated_(\d+)_grams", measure):
        return _repeated(text, int(found[1]))
    if found := re.fullmatch(r"top_(\d+)_gram", measure):
        return _top(text, int(found[1]))
    if measure == "words_with_a_letter":
        return [span for span in _words(text) if not any(kind(character) & LETTER for character in text[slice(*span)])]
    return []


def marked(text: str, spans: Iterable[tuple[int, int]]) -> list[tuple[str, bool]]:
    """The text in parts (text, whether it is one of the spans)."""
    parts, at = [], 0
    for start, end in spans:
        parts += [(text[at:start], False), (text[start:end], True)]
        at = end
    return [(part, mark) for part, mark in [*parts, (text[at:], False)] if part]


def _again(text: str, pattern: re.Pattern[str]) -> Spans:
    """What stood in the text before."""
    seen: set[str] = set()
    spans = []
    for found in pattern.finditer(text):
        if found[0] in seen:
            spans.append(found.span())
        seen.add(found[0])
    return spans


def _words(text: str) -> Spans:
    return [
        (found.start(), found.start() + len(found[0].rstrip())) for found in WORDS.finditer(text) if found[0].strip()
    ]


def _grams(text: str, n: int) -> tuple[Spans, list[tuple[str, ...]]]:
    """Where the words of the bare text stand, and all n of them in a row."""
    known = [(span, bare) for span in _words(text) if (bare := bare_text(text[slice(*span)]))]
    spans, words = [span for span, _ in known], [bare for _, bare in known]
    return spans, [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def _repeated(text: str, n: int) -> Spans:
    spans, grams = _grams(text, n)
    first = {gram: i for i, gram in reversed(list(enumerate(grams)))}
    return _covered(spans, [i for i, gram in enumerate(grams) if first[gram] < i], n)


def _top(text: str, n: int) -> Spans:
    spans, grams = _grams(text, n)
    sizes = {gram: sum(map(len, gram)) * count for gram, count in Counter(grams).items() if count > 1}
    most = max(sizes, key=lambda gram: sizes[gram], default=None)
    return _covered(spans, [i for i, gram in enumerate(grams) if gram == most], n)


def _covered(spans: Spans, starts: Iterable[int], n: int) -> Spans:
    """The places of runs of n words, those that touch as one."""
    found: Spans = []
    last = -1
    for i in starts:
        begin = found.pop()[0] if i <= last + 1 and found else spans[i][0]
        found.append((begin, spans[i + n - 1][1]))
        last = i + n - 1
    return found


__all__ = ["evidence", "marked"]
