"""How much of a document is repetition: lines, paragraphs and n-grams that stand in it more than once.

The measures of Rae et al. 2021, *Scaling language models: methods, analysis and insights from training Gopher*, table A1, with these
readings of what the paper leaves open:

- lines and paragraphs count where they stood before in the document, the first time they do not;
- the most frequent n-gram is the one with the most characters in all, and must stand there twice at least: with every n-gram once,
  a short text would else be all repetition;
- a word is covered by repeated n-grams if it lies in one that began before, too; each word counts once;
- the characters of n-grams are those of words, without what is between them, out of those of all words.

The n-grams of all documents are found with one sort for each n, and of an n-gram only those starts are looked at where n - 1 words
repeat: in most texts those are few after the second sort.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from minilm.data.corpus.minhash import mix
from minilm.data.corpus.ragged import Ragged
from minilm.data.corpus.words import (
    Spans,
    lines_plain,
    paragraphs_plain,
    ratio,
    ratio_plain,
    running_total,
    span_hashes,
)
from minilm.indices import positions

TOP = (2, 3, 4)
COVERED = (5, 6, 7, 8, 9, 10)


def repeated_parts(codes: Ragged, parts: Spans) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The share of a document's parts that stood in it before, and the share of characters in them; NaN for one without parts.

    Args:
        codes: the documents.
        parts: their lines, or their paragraphs.
    """
    document = np.repeat(np.arange(len(parts.counts)), positions(parts.counts))
    _, again = repeats(_within(span_hashes(codes, parts), document))
    lengths = parts.lengths
    return (
        ratio(Ragged(again, parts.counts).sums(), parts.counts),
        ratio(Ragged(lengths * again, parts.counts).sums(), Ragged(lengths, parts.counts).sums()),
    )


def n_gram_shares(hashes: Ragged, lengths: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """The share of characters in the most frequent n-gram (`top_2_gram` ..), and in repeated ones (`repeated_5_grams` ..).

    Args:
        hashes: the words of each document, as hashes.
        lengths: how many characters each word has, (words,).
    """
    document = np.repeat(np.arange(len(hashes.counts)), positions(hashes.counts))
    before, stop = running_total(lengths), np.repeat(hashes.bounds[1:], positions(hashes.counts))
    whole = Ragged(lengths, hashes.counts).sums()
    word = mix(hashes.values)

    found: dict[str, NDArray[np.float64]] = {}
    at, keys = np.arange(len(word)), _within(word, document)
    for n in range(2, COVERED[-1] + 1):
        fits = at + n <= stop[at]
        at, keys = at[fits], keys[fits]
        keys = mix(keys) + word[at + n - 1]
        times, stood_before = repeats(keys)
        more = times > 1
        if n in TOP:
            most, some = np.zeros(len(whole), np.int64), at[more]
            np.maximum.at(most, document[some], (before[some + n] - before[some]) * times[more])
            found[f"top_{n}_gram"] = ratio(np.minimum(most, whole), whole)  # "ha ha ha" overlaps itself
        if n in COVERED:
            again = at[stood_before]
            ends = again + n
            begins = np.maximum(again, np.append(0, ends[:-1]))  # a word in two of them counts in the first
            covered = np.bincount(positions(document[again]), before[ends] - before[begins], len(whole))
            found[f"repeated_{n}_grams"] = ratio(covered.astype(np.int64), whole)
        at, keys = at[more], keys[more]
    return found


def repeats(keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """How often each key occurs among all, and whether it stood before, for each place.

    The keys are hashes, so most that occur once are alone in one of many slots, too, and only the others are sorted.
    """
    slots = (keys >> np.uint64(64 - max(1, (2 * len(keys)).bit_length()))).astype(np.int64)
    shared = np.flatnonzero(np.bincount(positions(slots))[slots] > 1)
    times, again = np.ones(len(keys), np.int64), np.zeros(len(keys), np.bool_)
    if len(shared):
        order = shared[np.argsort(keys[shared])]
        ordered = keys[order]
        begins = np.ones(len(order), np.bool_)
        np.not_equal(ordered[1:], ordered[:-1], out=begins[1:])
        starts = np.flatnonzero(begins)
        counts = np.diff(starts, append=len(order))
        times[order] = np.repeat(counts, positions(counts))
        again[shared] = True
        again[np.minimum.reduceat(order, positions(starts))] = False
    return times, again


def _within(hashes: NDArray[np.uint64], document: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Hashes that agree only within one document."""
    return mix(hashes) ^ mix(document.astype(np.uint64), 1)


def repetition_plain(text: str, words: Sequence[str]) -> dict[str, float]:
    """All measures of one document and its words, by counting."""
    found: dict[str, float] = {}
    for name, parts in (("line", lines_plain(text)), ("paragraph", paragraphs_plain(text))):
        again = [part for i, part in enumerate(parts) if part in parts[:i]]
        found[f"repeated_{name}s"] = ratio_plain(len(again), len(parts))
        found[f"repeated_{name}_characters"] = ratio_plain(sum(map(len, again)), sum(map(len, parts)))
    whole = sum(map(len, words))
    for n in TOP:
        times = Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))
        sizes = [sum(map(len, gram)) * count for gram, count in times.items() if count > 1]
        found[f"top_{n}_gram"] = ratio_plain(min(max(sizes, default=0), whole), whole)
    for n in COVERED:
        seen, covered = set(), set()
        for i in range(len(words) - n + 1):
            gram = tuple(words[i : i + n])
            if gram in seen:
                covered |= {*range(i, i + n)}
            seen.add(gram)
        found[f"repeated_{n}_grams"] = ratio_plain(sum(len(words[i]) for i in covered), whole)
    return found


__all__ = ["COVERED", "TOP", "n_gram_shares", "repeated_parts", "repeats", "repetition_plain"]
