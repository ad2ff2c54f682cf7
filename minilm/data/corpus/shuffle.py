"""A shuffle of more documents than memory holds, in two passes, whose result does not depend on how they were divided.

Each document has a key, drawn from its digest (`shuffle_keys`), and the shuffled corpus is all of them sorted by it. The first pass
divides each partition by the top bits of the keys into buckets, in one file per partition; the second reads one bucket from all
files and sorts it. Buckets in their order are then the whole in its order. Memory: a partition in the first pass, a bucket in the
second, which is the 2^bits-th part of all, nearly the same for each, as keys are uniform.

Documents of one key are in the order of their bytes, so even a collision of hashes leaves nothing to chance. With files in a
fixed order instead of keys, as in a shuffle buffer, what is far apart on disk would stay far apart.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from minilm.data.corpus.draws import draws
from minilm.data.corpus.minhash import mix
from minilm.data.corpus.ragged import Ragged
from minilm.data.corpus.words import running_total
from minilm.files import atomic_write
from minilm.indices import positions

BITS = 6
MOST_BITS = 16
NUMBER = np.dtype("<u8")


def shuffle_keys(digests: NDArray[np.uint64], number: NDArray[np.int64] | int = 0, seed: int = 0) -> NDArray[np.uint64]:
    """The place of each document in the shuffle, (documents,).

    Args:
        digests: of the documents.
        number: which copy of a document it is, where some are taken more than once (`draws.copies`): each has its own place.
        seed: which of the orders.
    """
    numbered = np.asarray(digests, np.uint64) + mix(np.asarray(number, np.uint64).reshape(-1))
    return draws(numbered, seed, "place")


def scatter(keys: NDArray[np.uint64], bits: int = BITS) -> Ragged:
    """Which documents fall into each of the 2^bits buckets: their indices, ascending, (buckets,) rows.

    Raises:
        ValueError: bits outside of 0 to 16.
    """
    if not 0 <= bits <= MOST_BITS:
        raise ValueError(f"expected 0 to {MOST_BITS} bits, got {bits!r}.")
    bucket = (keys >> np.uint64(32) >> np.uint64(32 - bits)).astype(np.int64)  # a shift by 64 is not defined
    return Ragged(np.argsort(bucket, kind="stable"), np.bincount(positions(bucket), minlength=2**bits))


def in_order(keys: Iterable[int], records: Iterable[bytes]) -> list[bytes]:
    """Documents by their keys, those of one key by their bytes: the specification of the shuffle, and its second pass."""
    return [record for _, record in sorted(zip(keys, records, strict=True))]


def write_buckets(
    path: str | os.PathLike[str], keys: NDArray[np.uint64], records: Sequence[bytes], bits: int = BITS
) -> None:
    """The first pass, for one partition: its documents by buckets, in a file that appears when it is complete.

    The file has where each bucket begins, and where the last one ends, and of each bucket the keys, the lengths and the bytes of its
    documents; numbers have 8 bytes, the lowest first. The bucket's number of documents stands before its keys. The file is one of those
    that are made anew if the machine stops (`minilm.files.atomic_write` without `durable`).

    Raises:
        ValueError: not as many keys as documents, or bits outside of 0 to 16.
    """
    if len(keys) != len(records):
        raise ValueError(f"expected a key for each of {len(records)} documents, got {len(keys)}.")
    blocks = []
    for row in scatter(keys, bits).rows():
        chosen = [records[i] for i in row]
        numbers = np.concatenate([[len(row)], keys[row], [len(record) for record in chosen]]).astype(NUMBER)
        blocks.append(b"".join([numbers.tobytes(), *chosen]))
    begins = running_total(np.array([len(block) for block in blocks], np.int64)) + NUMBER.itemsize * (len(blocks) + 1)
    with atomic_write(path, durable=False) as file:
        file.write(begins.astype(NUMBER).tobytes())
        file.writelines(blocks)


def read_bucket(paths: Iterable[str | os.PathLike[str]], bucket: int) -> list[bytes]:
    """The second pass, for one bucket: its documents of all partitions' files, shuffled.

    Raises:
        ValueError: a file has no such bucket, or ends within it.
    """
    found: list[int] = []
    records: list[bytes] = []
    for path in paths:
        with Path(path).open("rb") as file:
            buckets = int(np.frombuffer(file.read(NUMBER.itemsize), NUMBER, 1)[0]) // NUMBER.itemsize - 1
            if not 0 <= bucket < buckets:
                raise ValueError(f"{path} has the buckets 0 to {buckets - 1}, got {bucket}.")
            file.seek(NUMBER.itemsize * bucket)
            begin, end = (int(place) for place in np.frombuffer(file.read(2 * NUMBER.itemsize), NUMBER, 2))
            file.seek(begin)
            block = file.read(end - begin)
        if len(block) != end - begin:
            raise ValueError(f"{path} ends within bucket {bucket}: write it again.")
        count = int(np.frombuffer(block, NUMBER, 1)[0])
        numbers = np.frombuffer(block, NUMBER, 1 + 2 * count)[1:]
        bounds = running_total(numbers[count:].astype(np.int64)) + NUMBER.itemsize * (1 + 2 * count)
        found += numbers[:count].tolist()
        records += [block[start:stop] for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)]
    return in_order(found, records)


__all__ = ["BITS", "in_order", "read_bucket", "scatter", "shuffle_keys", "write_buckets"]
