"""The search for near copies beside datasketch: ``python -m tests.benchmarks.corpus``.

Both sides start from the same raw texts of about 1,250 characters, half of them near copies of others, make 13-grams of the same bare
text, and take 128 numbers. Of datasketch that is what its documentation advises for speed: permutations drawn once, `update_batch`,
once with its own SHA-1 and once with CRC-32. They take turns in one process; the processor's time counts, the best of all rounds. Without
datasketch only ours is measured.

Printed: documents per second from raw text to signatures, and of the search from signatures to groups; the error of both estimates beside
theory; and what documents of other shapes cost ours, with the peak of the memory that was taken for it (`tracemalloc`).
"""

from __future__ import annotations

import argparse
import random
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from minilm.data.components import connected_components_plain
from minilm.data.corpus import (
    band_keys,
    bands_and_rows,
    bare_codes,
    bare_text,
    canonical_order,
    digest,
    expected_error,
    jaccard,
    kept_of_groups,
    shingle_hashes,
    signatures,
    similarity,
)

LENGTH, BINS = 1250, 128
CUT = bands_and_rows(0.8, BINS)  # which is datasketch's choice, too
SHAPES = {
    "English, 1,250": (2000, 1250),
    "Chinese, 1,250": (2000, 1250),
    "20 characters": (20_000, 20),
    "10 MB": (1, 10_000_000),
}


def texts_of(count: int, seed: int = 0) -> list[str]:
    """Texts of about 1,250 characters with punctuation, many with a sign beyond ASCII; each second is the first with a new end."""
    rng = random.Random(seed)
    words = ["".join(rng.choices("etaoinshrdlucmfwyp", k=rng.randint(2, 9))) for _ in range(5000)]
    texts: list[str] = []
    while len(texts) < count:
        chosen = rng.choices(words, k=200)
        texts.append(
            ". ".join([" ".join(chosen[i : i + 12]).capitalize() for i in range(0, 200, 12)]) + rng.choice([".", "…"])
        )
        same = rng.randint(60, 196)
        texts.append(" ".join(chosen[:same] + rng.choices(words, k=200 - same)) + rng.choice(["!", " – so"]))
    return texts[:count]


def our_signatures(texts: Sequence[str]) -> Any:
    """Raw texts to signatures."""
    return signatures(texts, BINS)


def our_search(found: Any, texts: Sequence[str]) -> int:
    """Signatures to the number of documents that are kept, without a check."""
    order = canonical_order([len(text) for text in texts], [digest(text) for text in texts])
    return len(np.unique(kept_of_groups(band_keys(found, *CUT), order)))


def their_signatures(hashfunc: Callable[[bytes], int] | None) -> Callable[[Sequence[str]], Any]:
    """The same by datasketch."""
    from datasketch import MinHash

    empty = MinHash(num_perm=BINS) if hashfunc is None else MinHash(num_perm=BINS, hashfunc=hashfunc)

    def made(texts: Sequence[str]) -> list[Any]:
        found = []
        for text in map(bare_text_published, texts):
            sketch = empty.copy()  # with the permutations, which are drawn once
            sketch.update_batch([text[i : i + 13].encode() for i in range(max(1, len(text) - 12))])
            found.append(sketch)
        return found

    return made


def bare_text_published(text: str) -> str:
    """The bare text as SlimPajama's code makes it, which is faster than our plain version; the marks of these texts are added."""
    return " ".join(text.lower().translate(PUNCTUATION).split())


PUNCTUATION = str.maketrans("", "", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~…–")


def their_search(found: Any, texts: Sequence[str]) -> int:
    """The same by datasketch's index, with union-find over what it answers."""
    from datasketch import MinHashLSH

    index = MinHashLSH(num_perm=BINS, params=CUT)
    links = []
    for i, sketch in enumerate(found):
        links += [(i, other) for other in index.query(sketch)]
        index.insert(i, sketch)
    return len(set(connected_components_plain(len(found), links)))


def sides() -> dict[str, tuple[Callable[[Sequence[str]], Any], Callable[[Any, Sequence[str]], int]]]:
    """What is measured: how signatures are made, and how they are searched."""
    ours = {"minilm": (our_signatures, our_search)}
    if find_spec("datasketch") is None:
        return ours
    crc32 = (their_signatures(zlib.crc32), their_search)
    return {**ours, "datasketch, SHA-1": (their_signatures(None), their_search), "datasketch, CRC-32": crc32}


def timed(function: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    """The processor's seconds of a call, and what came out."""
    before = time.process_time()
    found = function(*arguments)
    return time.process_time() - before, found


def beside(count: int, rounds: int) -> Iterator[str]:
    """The table of speeds and errors."""
    texts = texts_of(count)
    best: dict[str, list[float]] = {}
    found: dict[str, Any] = {}
    kept: dict[str, int] = {}
    for _ in range(rounds):
        for name, (make, search) in sides().items():
            making, found[name] = timed(make, texts)
            searching, kept[name] = timed(search, found[name], texts)
            best[name] = [min(pair) for pair in zip(best.get(name, [9e9, 9e9]), (making, searching), strict=True)]
    pairs = np.arange(count // 2 * 2).reshape(-1, 2)
    exact = jaccard(texts, pairs)
    theory = float(np.sqrt(np.mean(expected_error(exact, BINS) ** 2)))
    yield f"{count} texts of {sum(map(len, texts)) / count:.0f} characters, {BINS} numbers, the processor's time, best of {rounds}"
    yield f"{'':20}{'signatures/s':>14}{'ratio':>8}{'searched/s':>12}{'ratio':>8}{'kept':>7}{'error / theory':>16}"
    for name, (making, searching) in best.items():
        sketches = found[name]
        if isinstance(sketches, np.ndarray):
            estimates = similarity(sketches[pairs[:, 0]], sketches[pairs[:, 1]])
        else:
            estimates = np.array([sketches[i].jaccard(sketches[j]) for i, j in pairs])
        error = float(np.sqrt(np.mean((estimates - exact) ** 2)))
        ratios = [time / ours for time, ours in zip((making, searching), best["minilm"], strict=True)]
        yield (
            f"{name:20}{count / making:14,.0f}{ratios[0]:8.1f}{count / searching:12,.0f}{ratios[1]:8.1f}{kept[name]:7}"
            f"{error / theory:16.3f}"
        )


def shapes(scale: float) -> Iterator[str]:
    """What documents of other shapes cost us."""
    yield f"{'ours':20}{'documents':>12}{'documents/s':>14}{'MB/s':>8}{'peak MB':>10}{'bytes per character':>22}"
    for name, (count, length) in SHAPES.items():
        count, length = max(1, round(count * scale)), length if count > 1 else round(length * scale)
        rng = np.random.default_rng(0)
        if name.startswith("Chinese"):
            text = "".join(map(chr, rng.integers(0x4E00, 0x5200, count * length).tolist()))
        else:
            text = " ".join(texts_of(2 + min(count * length, 2_000_000) // LENGTH)) * (1 + count * length // 2_000_000)
        starts = rng.integers(0, max(1, len(text) - length), count).tolist()
        texts = [text[start : start + length] for start in starts]
        seconds = min(timed(our_signatures, texts)[0] for _ in range(2))
        tracemalloc.start()
        our_signatures(texts)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        size = sum(map(len, texts))
        yield (
            f"{name:20}{count:12,}{count / seconds:14,.1f}{size / seconds / 1e6:8.1f}{peak / 1e6:10.1f}{peak / size:22.1f}"
        )


def stages(count: int) -> Iterator[str]:
    """Where our time goes."""
    texts = texts_of(count)
    codes = bare_codes(texts)
    assert "".join(map(chr, next(codes.rows()))) == bare_text(texts[0]) == bare_text_published(texts[0])
    first, second = timed(bare_codes, texts)[0], timed(shingle_hashes, codes)[0]
    whole = timed(our_signatures, texts)[0]
    yield f"of {whole / count * 1e6:.1f} us per document, bare text {first / whole:.0%}, shingles {second / whole:.0%}, the rest is hashing"


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints all three."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--documents", type=int, default=500, help="how many texts both sides get")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="of the other shapes")
    chosen = parser.parse_args(arguments)
    for line in beside(chosen.documents, chosen.rounds):
        print(line)
    for line in (*stages(chosen.documents), *shapes(chosen.scale)):
        print(line)


if __name__ == "__main__":
    main()
