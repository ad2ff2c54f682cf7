r"""Documents of the training set that hold what will be asked: runs of 13 words that stand in held-out or evaluation texts, too.

A document's overlap is the share of its runs of n words that are among those E of the other texts,

.. math:: o(d) = \frac{|\{i : g_i(d) \in E\}|}{|g(d)|}

in the bare text (without case and punctuation), each place counted. Runs of 13 words are GPT-3's (Brown et al. 2020, appendix C), which
removed the surroundings of every one; whole documents go here, as from SlimPajama's training set, and for one of two reasons:

- its overlap is above a share of it: it is mostly a copy of what is asked;
- in all there are more than a number of such runs: a long document that holds a test among other things, of which a share says little.

One run alone is no reason: a licence or a saying stands in many texts that have nothing to do with each other.

A Chinese character is a word (`words`), so a run has 13 of its characters. A text shorter than a run is one run as a whole: it is found
where a document is nothing else, not within a longer one, so short questions should be given together with their answers. A
text that says the same in other words is not found. Memory: 8 bytes for each different run of the other texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from minilm.data.corpus.minhash import mix
from minilm.data.corpus.normalize import bare_codes, bare_text
from minilm.data.corpus.ragged import Ragged, batches
from minilm.data.corpus.shingles import shingle_hashes
from minilm.data.corpus.words import ended, ratio, span_hashes, words, words_plain
from minilm.indices import positions

LENGTH = 13
MOST_SHARE, MOST_RUNS = 0.1, 50
BATCH = 1 << 18  # characters of documents that are compared together


class Overlap(NamedTuple):
    """How much of each document stands in the other texts.

    Attributes:
        shares: the share of its runs, (documents,), 0 for one without words.
        runs: their number, int64, (documents,).
        first: the number of the word with which the first of them begins, int64, (documents,), -1 where there is none.
    """

    shares: NDArray[np.float64]
    runs: NDArray[np.int64]
    first: NDArray[np.int64]


def run_hashes(texts: Sequence[str], n: int = LENGTH) -> Ragged:
    """The runs of n words of each text as hashes, uint64, in their order; a shorter text is one run, one without words none.

    Raises:
        ValueError: n is below 1.
    """
    if n < 1:
        raise ValueError(f"a run has 1 word or more, got n = {n!r}.")
    codes = ended(bare_codes(texts))
    found = words(codes)
    runs = shingle_hashes(Ragged(mix(span_hashes(codes, found)), found.counts), n)
    return runs.where(np.repeat(found.counts > 0, positions(runs.counts)))


def runs_of(texts: Iterable[str], n: int = LENGTH) -> NDArray[np.uint64]:
    """All different runs of n words of held-out or evaluation texts, sorted."""
    found = [np.unique(run_hashes(batch, n).values) for batch in batches(texts, BATCH)]
    return np.unique(np.concatenate([np.empty(0, np.uint64), *found]))


def overlap(texts: Sequence[str], known: NDArray[np.uint64], n: int = LENGTH) -> Overlap:
    """How much of each text stands in others.

    Args:
        texts: documents of the training set.
        known: the runs of the others (`runs_of`), with the same n.
        n: how many words a run has.
    """
    shares, counts, first = [np.empty(0)], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for batch in batches(texts, BATCH):
        runs = run_hashes(batch, n)
        place = np.searchsorted(known, runs.values)
        hit = np.append(known, np.uint64(0))[place] == runs.values
        hit &= place < len(known)
        found = Ragged(hit, runs.counts).sums()
        before = np.searchsorted(np.flatnonzero(hit), runs.bounds[:-1])  # of all hits those before each document
        at = np.append(np.flatnonzero(hit), -1)[before] - runs.bounds[:-1]
        shares.append(np.nan_to_num(ratio(found, runs.counts)))
        counts.append(found)
        first.append(np.where(found > 0, at, -1))
    return Overlap(np.concatenate(shares), np.concatenate(counts), np.concatenate(first))


def contaminated(found: Overlap, most_share: float = MOST_SHARE, most_runs: int = MOST_RUNS) -> NDArray[np.bool_]:
    """Which documents go, (documents,): those with a larger share, or more runs."""
    return (found.shares > most_share) | (found.runs > most_runs)


def passage(text: str, first: int, n: int = LENGTH) -> str:
    """The words of the run that begins with word number `first` of the bare text: what a report shows as the reason."""
    codes = ended(bare_codes([text]))
    found = words(codes)
    spans = zip(found.starts[first : first + n].tolist(), found.ends[first : first + n].tolist(), strict=True)
    return " ".join("".join(map(chr, codes.values[start:end].tolist())) for start, end in spans)


def overlap_plain(text: str, others: Iterable[str], n: int = LENGTH) -> tuple[float, int, int]:
    """Share, number and first of the runs of one document that stand in others, with sets of words: what `overlap` finds for many."""
    known = {run for other in others for run in _runs_plain(other, n)}
    runs = _runs_plain(text, n)
    hits = [place for place, run in enumerate(runs) if run in known]
    return len(hits) / max(len(runs), 1), len(hits), min(hits, default=-1)


def _runs_plain(text: str, n: int) -> list[tuple[str, ...]]:
    found = words_plain(bare_text(text))
    return [tuple(found[i : i + n]) for i in range(max(1, len(found) - n + 1))] if found else []


__all__ = [
    "LENGTH", "MOST_RUNS", "MOST_SHARE", "Overlap", "contaminated", "overlap", "overlap_plain", "passage", "run_hashes", "runs_of",
]  # fmt: skip
