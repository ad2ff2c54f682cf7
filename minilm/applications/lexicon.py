r"""A lexicon that is learned from pairs of texts: which word of one language stands for which of the other.

IBM model 1 (Brown et al. 1993, *The Mathematics of Statistical Machine Translation*, section 4.1): each word f of the target comes from
one word e of the source, or from none, whichever it is with equal chance. Which one it was nobody has written down. So a share of f goes
to each e of its text, by how probable e makes f so far; and t(f | e) is what all the shares of e add up to:

.. math:: t(f \mid e) \propto \sum_{\text{pairs}} \frac{t(f \mid e)}{\sum_{e'} t(f \mid e')}

Repeated some times this is EM: the likelihood of the targets never falls, and has one maximum.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from minilm.indices import positions
from minilm.types import HostArray

WORD = re.compile(r"[A-Za-z]+|[^\w\s]")  # a word of English, or a mark
SPACE = re.compile(r"(?<=[^ -~]) +| +(?=[^ -~])| +(?= )")  # beside what is not Latin, and of several all but one
NULL = ""  # the source word of target words that come from none
Texts = Sequence[tuple[Sequence[str], Sequence[str]]]


class Alignment(NamedTuple):
    """What IBM model 1 has learned.

    Attributes:
        probabilities: t(f | e) of n pairs of words, those that stand in one pair of texts.
        pairs: their numbers (e, f), (n, 2).
        sources, targets: the words by their numbers; source 0 is `NULL`.
    """

    probabilities: HostArray
    pairs: HostArray
    sources: list[str]
    targets: list[str]


def ibm_model_1(texts: Texts, iterations: int = 6) -> Alignment:
    """Learns t(f | e) from pairs of texts, each a sequence of words. Equal to `ibm_model_1_plain`, on arrays."""
    source_of, target_of = {NULL: 0}, dict[str, int]()
    e, f, place, places = list[int](), list[int](), list[int](), 0
    for source, target in texts:
        numbers = [0, *(source_of.setdefault(word, len(source_of)) for word in source)]
        for word in target:
            e += numbers
            f += [target_of.setdefault(word, len(target_of))] * len(numbers)
            place += [places] * len(numbers)
            places += 1
    most = max(len(target_of), 1)
    known, pair_of = np.unique(np.array(e, np.int64) * most + np.array(f, np.int64), return_inverse=True)
    pairs, place_of = np.stack(np.divmod(known, most), axis=1), np.array(place, np.int64)
    t: HostArray = np.ones(len(pairs))
    for _ in range(iterations if places else 0):
        share = t[pair_of]
        share /= np.bincount(positions(place_of), share, places)[place_of]
        t = np.bincount(positions(pair_of), share, len(pairs))
        t = t / np.bincount(positions(pairs[:, 0]), t, len(source_of))[pairs[:, 0]]
    return Alignment(t, pairs, list(source_of), list(target_of))


def ibm_model_1_plain(texts: Texts, iterations: int = 6) -> dict[tuple[str, str], float]:
    """The same as it is told: t(f | e) by (e, f)."""
    t = {(e, f): 1.0 for source, target in texts for f in target for e in (NULL, *source)}
    for _ in range(iterations):
        shares: dict[tuple[str, str], float] = defaultdict(float)
        for source, target in texts:
            for f in target:
                whole = sum(t[e, f] for e in (NULL, *source))
                for e in (NULL, *source):
                    shares[e, f] += t[e, f] / whole
        totals: dict[str, float] = defaultdict(float)
        for (e, _), share in shares.items():
            totals[e] += share
        t = {(e, f): share / totals[e] for (e, f), share in shares.items()}
    return t


def likeliest(alignment: Alignment, count: int, least: float) -> dict[str, list[tuple[str, float]]]:
    """The likeliest words for each word of the source, with their probabilities: at most `count`, none below `least`."""
    found: dict[str, list[tuple[str, float]]] = {}
    for i in np.argsort(-alignment.probabilities, kind="stable"):
        e, f = alignment.pairs[i].tolist()
        p = float(alignment.probabilities[i])
        if p < least:
            break
        known = found.setdefault(alignment.sources[e], [])
        if len(known) < count:
            known.append((alignment.targets[f], p))
    found.pop(NULL, None)
    return found


class WordByWord:
    """A translator that looks up one phrase after the other, the longest first; what it does not find stays as it is.

    Args:
        entries: what each English phrase, in lower case, becomes; nothing: it is left out. A mark is a phrase, too.
        longest: words of the longest phrase.
        keep: what is never looked up, as placeholders.
    """

    def __init__(self, entries: Mapping[str, str], longest: int = 1, keep: re.Pattern[str] | None = None) -> None:
        self.entries, self.longest, self.keep = entries, longest, keep

    def translate(self, text: str) -> str:
        """One text, without spaces beside what is not Latin."""
        hidden = self.keep.sub(lambda found: " " * len(found[0]), text) if self.keep else text
        words, out, end, i = list(WORD.finditer(hidden)), list[str](), 0, 0
        while i < len(words):
            out.append(text[end : words[i].start()])
            for n in range(min(self.longest, len(words) - i), 0, -1):
                start, end = words[i].start(), words[i + n - 1].end()
                found = self.entries.get(" ".join(text[start:end].lower().split()))
                if found is not None or n == 1:
                    out.append(text[start:end] if found is None else found)
                    i += n
                    break
        return SPACE.sub("", "".join([*out, text[end:]])).strip()


__all__ = ["NULL", "WORD", "Alignment", "WordByWord", "ibm_model_1", "ibm_model_1_plain", "likeliest"]
