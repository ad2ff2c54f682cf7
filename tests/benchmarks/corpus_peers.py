"""Who makes signatures of near copies: minilm, and the packages that it is measured against, each as its own documentation advises.

All begin with raw texts and end with a sketch of each, of about 128 numbers:

- **datasketch**: permutations drawn once and `update_batch`, with its own SHA-1, and with CRC-32 as its documentation advises for speed;
  character 13-grams of the bare text;
- **rensa**: `digest_matrix_from_token_sets`, its batch call, on the same 13-grams; its "rho" pipeline samples places of the text,
  so its estimate is of something else;
- **datatrove**: the signatures of `MinhashDedupSignature` with its own configuration (14 buckets of 8 numbers, word 5-grams of its own
  simplified text, xxhash), words cut at white space instead of by spaCy, which would take most of the time.

A document of more than 2^16 shingles is given in pieces of so many: the batch calls of datasketch and datatrove hold all products of
shingles and permutations in memory, 10 GB for a document of 10 MB.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from minilm.data.corpus import jaccard, signatures, similarity

BINS, N = 128, 13
PIECE = 1 << 16
PUNCTUATION = str.maketrans("", "", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~…–")

Sketches = Any
Pairs = np.ndarray[Any, np.dtype[np.int64]]


class Peer(NamedTuple):
    """One way to make signatures.

    Attributes:
        name: what the tables call it.
        make: raw texts to a sketch of each.
        estimate: of sketches and pairs of indices, the likeness of each pair, (pairs,).
        exact: of texts and pairs, the likeness that is estimated, (pairs,).
        numbers: how many numbers a sketch has.
    """

    name: str
    make: Callable[[Sequence[str]], Sketches]
    estimate: Callable[[Sketches, Pairs], Any]
    exact: Callable[[Sequence[str], Pairs], Any] = jaccard
    numbers: int = BINS


def bare_text_published(text: str) -> str:
    """The bare text as SlimPajama's code makes it, which is faster than our plain version; some marks of these texts are added."""
    return " ".join(text.lower().translate(PUNCTUATION).split())


def shingles(text: str) -> list[str]:
    """The runs of 13 characters of a bare text, as slices."""
    return [text[i : i + N] for i in range(max(1, len(text) - N + 1))]


def pieces(items: Any) -> Iterator[Any]:
    """A row of things, 2^16 of them at a time."""
    return (items[start : start + PIECE] for start in range(0, len(items), PIECE))


def rows_agree(sketches: Sketches, pairs: Pairs) -> Any:
    """The share of equal numbers in the sketches of each pair."""
    rows = np.asarray(sketches)
    return similarity(rows[pairs[:, 0]], rows[pairs[:, 1]])


def minilm() -> Peer:
    """Ours."""
    return Peer("minilm", signatures, rows_agree)


def datasketch(name: str, hashfunc: Callable[[bytes], int] | None) -> Peer:
    """datasketch with one of its hash functions."""
    from datasketch import MinHash

    empty = MinHash(num_perm=BINS) if hashfunc is None else MinHash(num_perm=BINS, hashfunc=hashfunc)

    def make(texts: Sequence[str]) -> list[Any]:
        found = []
        for text in map(bare_text_published, texts):
            sketch = empty.copy()  # with the permutations, which are drawn once
            for some in pieces(shingles(text)):
                sketch.update_batch([shingle.encode() for shingle in some])
            found.append(sketch)
        return found

    def estimate(sketches: Sketches, pairs: Pairs) -> Any:
        return np.array([sketches[i].jaccard(sketches[j]) for i, j in pairs])

    return Peer(f"datasketch, {name}", make, estimate)


def rensa(name: str, method: str) -> Peer:
    """rensa, by one of its batch calls."""
    from rensa import RMinHash

    def make(texts: Sequence[str]) -> Any:
        # The calls take iterables of tokens, so the shingles of one document at a time are in memory.
        return getattr(RMinHash, method)(
            (shingles(bare_text_published(text)) for text in texts), num_perm=BINS, seed=42
        )

    return Peer(f"rensa, {name}", make, lambda matrix, pairs: rows_agree(matrix.to_rows(), pairs))


def datatrove() -> Peer:
    """datatrove's signatures, without the files that they go to."""
    from datatrove.pipeline.dedup.minhash import MinhashDedupSignature
    from datatrove.utils.word_tokenizers import WordTokenizer

    class AtSpaces(WordTokenizer):  # type: ignore[misc]
        def word_tokenize(self, text: str) -> list[str]:
            return text.split()

        def sent_tokenize(self, text: str) -> list[str]:
            return text.split("\n")

        def span_tokenize(self, text: str) -> list[tuple[int, int]]:
            raise NotImplementedError("signatures ask for no places")

    step = MinhashDedupSignature("memory://", language=AtSpaces())

    def sketch(text: str) -> Any:
        found = [np.concatenate(step.get_signature(some)) for some in pieces(step.get_shingles(text))]
        return np.min(found, axis=0) if found else np.zeros(step.num_hashes, np.uint64)

    def exact(texts: Sequence[str], pairs: Pairs) -> Any:
        sets = {i: {*step.get_shingles(texts[i]).reshape(-1).tolist()} for i in np.unique(pairs).tolist()}
        return np.array([len(sets[i] & sets[j]) / max(1, len(sets[i] | sets[j])) for i, j in pairs.tolist()])

    return Peer("datatrove", lambda texts: [sketch(text) for text in texts], rows_agree, exact, step.num_hashes)


PEERS: dict[str, tuple[str, Callable[[], Peer]]] = {
    "datasketch": ("datasketch", lambda: datasketch("SHA-1", None)),
    "datasketch, CRC-32": ("datasketch", lambda: datasketch("CRC-32", zlib.crc32)),
    "rensa": ("rensa", lambda: rensa("R-MinHash", "digest_matrix_from_token_sets")),
    "rensa, rho": ("rensa", lambda: rensa("rho", "digest_matrix_from_token_sets_rho")),
    "datatrove": ("datatrove", datatrove),
}
"""Of each peer the package that it needs, and what makes it."""


def peers() -> tuple[list[Peer], list[str]]:
    """Those that are here, ours first, and what to install for the others."""
    there = {package for package, _ in PEERS.values() if find_spec(package) is not None}
    missing = sorted({package for package, _ in PEERS.values()} - there)
    return [minilm(), *(make() for package, make in PEERS.values() if package in there)], missing


def versions() -> dict[str, str]:
    """Those of the packages that are here."""
    packages = dict.fromkeys(package for package, _ in PEERS.values())
    return {package: metadata.version(package) for package in packages if find_spec(package) is not None}


__all__ = ["PEERS", "Peer", "bare_text_published", "minilm", "peers", "versions"]
