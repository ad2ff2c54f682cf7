"""WordNet's nouns: what they mean, and relations between words that a definition states.

The format of the file is that of WordNet's manual page wndb(5WN): a line a synset (words of one meaning), with pointers to other
synsets and a gloss, which is a definition and examples.
"""

import re
from pathlib import Path
from typing import NamedTuple

from .fetch import get
from .lines import fault, lines_of

_RELATIONS = {
    "@": "is-a", "@i": "instance-of", "#p": "part-of", "#m": "member-of", "#s": "substance-of", "%p": "has-part",
    "%m": "has-member", "%s": "has-substance", ";c": "topic-of", ";u": "usage-of", ";r": "region-of",
}  # fmt: skip


class GlossRelation(NamedTuple):
    """A relation between two things that a definition states, as "leaf: the main organ of photosynthesis of a plant" (part-of).

    Attributes:
        relation: what the head is to the tail, such as "is-a" or "part-of".
        head: the word that is defined; it does not stand in the sentence.
        tail: the other word, as it stands in the sentence.
        sentence: the definition.
        tail_start: where the tail begins in the sentence.
        tail_end: where it ends: the tail is `sentence[tail_start:tail_end]`.
    """

    relation: str
    head: str
    tail: str
    sentence: str
    tail_start: int
    tail_end: int


class Synset(NamedTuple):
    """Nouns of one meaning.

    Attributes:
        words: the nouns.
        pointers: to other synsets of nouns: the sort, as "@" for what it is a kind of, and the other's number.
        definition: the gloss without its examples.
    """

    words: list[str]
    pointers: list[tuple[str, str]]
    definition: str


def wordnet_nouns() -> dict[str, Synset]:
    """WordNet's 82,192 synsets of nouns by their numbers, fetched if need be.

    Raises DataError if they cannot be had.
    """
    return _synsets(get("wordnet"))


def wordnet_glosses() -> list[tuple[list[str], str]]:
    """The words of each of WordNet's 82,192 noun synsets and their definition, fetched if need be.

    Raises DataError if they cannot be had.
    """
    return [(synset.words, synset.definition) for synset in _synsets(get("wordnet")).values()]


def gloss_relations() -> list[GlossRelation]:
    """63,194 relations of WordNet's nouns whose other word stands in the definition, fetched if need be.

    A definition can have several, so keep those of one head and sentence together when you split. The head is the first of its
    synset's words; the tail is the longest of the other synset's words that the definition has, at its first place, whatever
    its case is. Raises DataError if they cannot be had.
    """
    synsets = _synsets(get("wordnet"))
    found = []
    for synset in synsets.values():
        lowered = _lowered(synset.definition)
        for sort, other in synset.pointers:
            if sort in _RELATIONS and other in synsets:
                for word in sorted(synsets[other].words, key=len, reverse=True):
                    place = _place(word.lower(), lowered)
                    if place is not None:
                        start, end = place
                        tail = synset.definition[start:end]
                        found.append(
                            GlossRelation(_RELATIONS[sort], synset.words[0], tail, synset.definition, start, end)
                        )
                        break
    return found


def _lowered(text: str) -> str:
    """The text in small letters, each at its place: of a few characters the small one is two."""
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else text


def _place(word: str, text: str) -> tuple[int, int] | None:
    """Where a word first stands by itself in a text."""
    start = text.find(word)
    while start >= 0:
        end = start + len(word)
        if not (text[start - 1 : start].isalnum() or text[end : end + 1].isalnum()):
            return start, end
        start = text.find(word, start + 1)
    return None


def _synsets(path: Path) -> dict[str, Synset]:
    """All synsets by their number."""
    synsets = {}
    for number, line in enumerate(lines_of(path), 1):
        if not line.startswith("  "):  # the licence comes first, set off so
            try:
                synsets[line[:8]] = _synset(line)
            except (ValueError, IndexError):
                raise fault(path, number, "a synset: number, words, pointers, | and a gloss", line) from None
    return synsets


def _synset(line: str) -> Synset:
    head, _, gloss = line.partition(" | ")
    fields = head.split()
    n_words = int(fields[3], 16)
    pointers = 5 + 2 * n_words  # behind their number
    words = [word.replace("_", " ") for word in fields[4 : pointers - 1 : 2]]
    end = pointers + 4 * int(fields[pointers - 1])
    if n_words < 1 or end != len(fields):
        raise ValueError
    nouns = [
        (sort, other)
        for sort, other, kind in zip(fields[pointers:end:4], fields[pointers + 1 : end : 4], fields[pointers + 2 : end : 4], strict=True)
        if kind == "n"
    ]  # fmt: skip
    return Synset(words, nouns, re.split(r'; ?"', gloss, maxsplit=1)[0].strip())
