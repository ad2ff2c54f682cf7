"""Added tokens: words of a vocabulary that are looked for in the text before anything else cuts it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence, Set
from typing import NamedTuple


class AddedToken(NamedTuple):
    """One added token, with the flags that tokenizer.json gives it.

    special: text becomes it only where the caller allows it; a token that is not special is a word like any other.
    lstrip, rstrip: the token takes the white space on that side with it.
    single_word: it does not count inside a word, so with a letter, a digit or a mark beside it.
    normalized: it is looked for after those that are not.
    """

    name: str
    id: int
    special: bool = True
    lstrip: bool = False
    rstrip: bool = False
    single_word: bool = False
    normalized: bool = False


Part = tuple[int, int, int | None]


class AddedTokens:
    """Cuts a text at added tokens, looked for in two passes: first those that are not `normalized`, then in the rest the others."""

    def __init__(self, tokens: Sequence[AddedToken]) -> None:
        self._special_only = all(token.special for token in tokens)
        self._passes = []
        for normalized in (False, True):
            by_name = {token.name: token for token in tokens if token.normalized == normalized}
            # An alternation takes the first branch that matches, so the longest must come first.
            longest_first = sorted(by_name, key=len, reverse=True)
            if by_name:
                self._passes.append((by_name, re.compile("|".join(map(re.escape, longest_first)))))

    def cut(self, text: str, allowed: Set[str]) -> Iterator[Part]:
        """(start, end, the token's id or None), in order; nothing is empty and nothing left out.

        allowed: the special tokens that count. One that does not is ordinary text from its first character to its last, as in
            `tokenizers`: no other token begins inside it.
        """
        parts: Iterable[Part] = [(0, len(text), None)] if text else []
        if allowed or not self._special_only:
            for by_name, regex in self._passes:
                parts = [smaller for part in parts for smaller in _cut_part(text, part, by_name, regex, allowed)]
        yield from parts


def _cut_part(
    text: str, part: Part, by_name: dict[str, AddedToken], regex: re.Pattern[str], allowed: Set[str]
) -> Iterator[Part]:
    begin, last, id = part
    if id is not None:
        yield part
        return
    first = begin
    for match in regex.finditer(text, begin, last):
        token, (start, end) = by_name[match.group()], match.span()
        if token.special and token.name not in allowed:
            continue
        inside = _is_word(text[start - 1 : start][: start - begin]) or _is_word(text[end : min(end + 1, last)])
        if start < first or (token.single_word and inside):
            continue
        if token.lstrip:
            start = first + len(text[first:start].rstrip(WHITE_SPACE))
        if token.rstrip:
            end = _SPACES.match(text, end, last).end()  # type: ignore[union-attr]  # it may be empty, so it matches
        if start > first:
            yield first, start, None
        yield start, end, token.id
        first = end
    if first < last:
        yield first, last, None


WHITE_SPACE = (
    "\t\n\x0b\x0c\r \x85\xa0\u1680"
    "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
r"""Unicode's White_Space. Python's \s has four control characters more."""
_SPACES = re.compile(f"[{WHITE_SPACE}]*")

_LETTERS_IN_CIRCLES = (range(0x24B6, 0x24EA), range(0x1F130, 0x1F14A), range(0x1F150, 0x1F16A), range(0x1F170, 0x1F18A))


def _is_word(character: str) -> bool:
    """Unicode's word characters (UTS 18, annex C): alphabetic, marks, decimal digits, connectors, joiners; not ""."""
    if not character:
        return False
    category = unicodedata.category(character)
    return (
        category[0] in "LM"
        or category in ("Nd", "Nl", "Pc")
        or character in "\u200c\u200d"
        or any(ord(character) in block for block in _LETTERS_IN_CIRCLES)
    )
