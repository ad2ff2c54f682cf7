"""Cutting a text into sentences, by the marks that end one.

Nothing is learned, and abbreviations are told by a list: "e.g. this" is one sentence. Kiss and Strunk (2006, *Unsupervised Multilingual
Sentence Boundary Detection*) learn them from a corpus.
"""

from __future__ import annotations

import re

ABBREVIATIONS = frozenset({
    "e.g", "i.e", "etc", "vs", "cf", "al", "approx", "dept", "dr", "mr", "mrs", "ms", "prof", "st", "no",
    "nr", "vol", "fig", "eq", "sec", "ch", "p", "pp", "ed", "inc", "ltd", "co", "corp", "jr", "sr", "u.s",
    "u.k", "a.k.a", "resp", "incl",
})  # fmt: skip
_BLOCKS = re.compile(r"\n[^\S\n]*(?:\n\s*|(?=[-*+•]\s|\d+[.)]\s))|^[^\S\n]*(?=[-*+•]\s)", re.MULTILINE)
_END = re.compile(r"(?:[.!?]+|…)[\"'”’»)\]]*(?=\s+\S)|[。！？]+[”’』」）]*")


def sentences(text: str) -> list[str]:
    """The sentences of a text, in their order, white space folded.

    A sentence ends with ".", "!" or "?" before white space and something else than a small letter, with their Chinese counterparts, at a
    blank line, and before the next item of a list.
    """
    found = []
    for block in _BLOCKS.split(text):
        begin = 0
        for end in _END.finditer(block):
            if _ends(block, begin, end):
                found.append(block[begin : end.end()])
                begin = end.end()
        found.append(block[begin:])
    return [folded for sentence in found if (folded := " ".join(sentence.split()))]


def _ends(block: str, begin: int, end: re.Match[str]) -> bool:
    """Whether a sentence ends at this mark."""
    if end.group()[0] in "。！？":
        return True
    if block[end.end() :].lstrip("\"'“‘([ \t\n")[:1].islower():
        return False
    words = block[begin : end.start()].split()
    last = words[-1].lstrip("(\"'[").lower() if words else ""
    return not (end.group() == "." and (last in ABBREVIATIONS or (len(last) == 1 and last.isalpha() and last != "i")))


__all__ = ["sentences"]
