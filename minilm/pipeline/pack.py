"""The stages that end it: a tokenizer from the training part, the second pass of the shuffle with its texts as tokens, and their files."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minilm.data.corpus.documents import document_of
from minilm.data.corpus.packing import laid_in_a_row
from minilm.data.corpus.shuffle import read_bucket
from minilm.data.errors import DataError
from minilm.data.files import sha256_of
from minilm.data.packed import TOKENIZER as FILE
from minilm.data.tokens import write_tokens
from minilm.files import atomic_write, shown
from minilm.pipeline.read import STAGE as READ
from minilm.pipeline.settings import BPE
from minilm.pipeline.split import HELD, KNOWN, SCATTER, SPLITS, TRAIN, VALIDATION
from minilm.pipeline.work import Work
from minilm.text import BPETokenizer, Tokenizer, load_tokenizer

TOKENIZER, GATHER, PACK = "tokenizer", "gather", "pack"
END = "<|endoftext|>"


def tokenizer_part(work: Work, part: int) -> dict[str, Any]:
    """The tokenizer: the one that was given, or one that is made from the first texts of the training part, which is shuffled.

    Writes `tokenizer.json` into the corpus's folder.

    Raises:
        DataError: it has no token for the end of a text, or nothing is left to make one from.
    """
    settings = work.settings
    _refuse_nothing(work)
    if settings.tokenizer == BPE:
        texts = _first_texts(work, settings.sample)
        tokenizer: Tokenizer = BPETokenizer.train(texts, vocab_size=settings.vocab_size, special_tokens=[END])
    else:
        if sha256_of(work.plan.tokenizer) != settings.tokenizer:
            raise DataError(f"{shown(work.plan.tokenizer)} has changed since the work began: put it back")
        tokenizer = load_tokenizer(work.plan.tokenizer)
    tokenizer.save(work.out / FILE)
    return {"type": tokenizer.type_name, "vocab_size": tokenizer.vocab_size, "sha256": sha256_of(work.out / FILE)}


def _refuse_nothing(work: Work) -> None:
    """Refuses that no document is left for training, and tells where they have gone, and which options had to do with it."""
    parts = len(work.plan.partitions)
    scattered = list(work.results(SCATTER, parts))
    if _documents(result[TRAIN] for result in scattered):
        return
    read, held = list(work.results(READ, parts)), list(work.results(HELD, parts))
    before = _documents(result.get("before", {}) for result in read)

    def total(results: Iterable[Mapping[str, Any]], *names: str) -> int:
        return sum(count for result in results for name in names for count in result[name].values())

    gone = {
        "break a rule (--without, --least)": before - _documents(result.get("stay", {}) for result in read),
        "are copies": total(held, "exact", "near"),
        "are held out (--held-out)": _documents(result[VALIDATION] for result in scattered),
        "hold what is held out or asked (--evaluation, --most-share, --most-runs)": total(scattered, "contaminated"),
        "are taken no time (--weight)": total(scattered, "left_out"),
    }
    asides = sum(total([reasons], *reasons) for result in read if (reasons := result.get("asides")))
    told = [f"{count:,} {what}" for what, count in gone.items() if count]
    raise DataError(
        f"no document is left for training. Of {before:,} that were read, {', '.join(told) or 'none stays'}. "
        f"{asides:,} pieces of the input are no documents (--field, --max-bytes)"
    )


def _documents(statistics: Iterable[Mapping[str, Any]]) -> int:
    return sum(about["documents"] for by_source in statistics for about in by_source.values())


def end_of(tokenizer: Tokenizer) -> int:
    """The id of the token behind each text.

    Raises:
        DataError: there is none.
    """
    if END not in tokenizer.special_tokens:
        raise DataError(
            f"the tokenizer has no special token {END!r} to end a text with: train one with special_tokens=[{END!r}]"
        )
    return tokenizer.special_tokens[END]


def buckets_of(work: Work) -> list[tuple[str, int]]:
    """The buckets of all parts, in order: what `gather_part` is called for."""
    bits = work.result(KNOWN)["bits"]
    return [(name, bucket) for name in SPLITS for bucket in range(2 ** bits[name])]


def gather_part(work: Work, part: int) -> dict[str, Any]:
    """The second pass of the shuffle, for one bucket: its texts in their order, and their tokens.

    Writes the texts into the corpus's folder, `train/00000.jsonl.gz`, and `ids`.

    Returns:
        `tokens`, `documents`, `characters`; `sha256`: of the texts, as they are unpacked.
    """
    split, bucket = buckets_of(work)[part]
    lines = _shuffled(work, split, bucket)
    text = work.out / split / f"{bucket:05d}.jsonl.gz"
    text.parent.mkdir(parents=True, exist_ok=True)
    # Without a name and a time in its head, and with one writer's settings, the file is the same whenever it is written.
    with atomic_write(text) as file, gzip.GzipFile("", "wb", 6, file, 0) as packed:
        packed.writelines(lines)
    tokenizer = _tokenizer_of(work)
    texts = [document_of(line).text for line in lines]
    tokens = 0
    with work.writing(GATHER, part, "ids") as file:
        for row in laid_in_a_row(map(tokenizer.encode_array, texts), end_of(tokenizer)):
            file.write(row.astype(tokenizer.dtype).tobytes())
            tokens += len(row)
    return {"tokens": tokens, "documents": len(texts), "characters": sum(map(len, texts)), "sha256": _sha256(lines)}


def shards_of(work: Work) -> list[tuple[str, int]]:
    """The token files of all parts, in order: what `pack_part` is called for."""
    size = work.settings.shard
    return [(name, shard) for name in SPLITS for shard in range(-(-_tokens(work, name)[-1] // size))]


def pack_part(work: Work, part: int) -> dict[str, Any]:
    """One token file: its share of the tokens of all buckets in a row (`minilm.data.tokens`).

    Writes it into the corpus's folder, `train/00000.tokens`.
    """
    split, shard = shards_of(work)[part]
    size, about = work.settings.shard, work.result(TOKENIZER)
    path = work.out / split / f"{shard:05d}.tokens"
    pieces = _ids_between(work, split, shard * size, (shard + 1) * size)
    header = write_tokens(path, pieces, about["vocab_size"])
    return {"split": split, "tokens": header.count, "sha256": header.sha256}


def _tokens(work: Work, split: str) -> list[int]:
    """With how many tokens before it each bucket of a part begins, and all end."""
    counts = (work.result(GATHER, part)["tokens"] for part in _parts(work, split))
    return list(accumulate(counts, initial=0))


def _parts(work: Work, split: str) -> list[int]:
    return [part for part, (name, _) in enumerate(buckets_of(work)) if name == split]


def _ids_between(work: Work, split: str, start: int, end: int) -> Iterator[NDArray[Any]]:
    dtype, bounds = _tokenizer_of(work).dtype, _tokens(work, split)
    for part, first, last in zip(_parts(work, split), bounds[:-1], bounds[1:], strict=True):
        if first < end and last > start:
            ids = np.fromfile(work.path(GATHER, part, "ids"), dtype)
            yield ids[max(start - first, 0) : end - first]


def _first_texts(work: Work, characters: int) -> Iterator[str]:
    """The texts of the training part in their order, until they have so many characters."""
    for bucket in range(2 ** work.result(KNOWN)["bits"][TRAIN]):
        for line in _shuffled(work, TRAIN, bucket):
            if characters <= 0:
                return
            text = document_of(line).text
            characters -= len(text)
            yield text


def _shuffled(work: Work, split: str, bucket: int) -> list[bytes]:
    return read_bucket(work.paths(SCATTER, len(work.plan.partitions), split), bucket)


def _sha256(lines: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line)
    return digest.hexdigest()


def _tokenizer_of(work: Work) -> Tokenizer:
    return _tokenizer(str(work.out / FILE), work.result(TOKENIZER)["sha256"])


@lru_cache(2)
def _tokenizer(path: str, sha256: str) -> Tokenizer:
    """The tokenizer, once for all buckets of a process."""
    return load_tokenizer(Path(path))


__all__ = [
    "END", "FILE", "GATHER", "PACK", "TOKENIZER", "buckets_of", "gather_part", "pack_part", "shards_of", "tokenizer_part",
]  # fmt: skip
