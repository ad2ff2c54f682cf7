"""The shuffle in two passes: the specification's order, however the documents were divided."""

import itertools
import random

import numpy as np
import pytest

from minilm.data.corpus.duplicates import digest
from minilm.data.corpus.shuffle import in_order, read_bucket, scatter, shuffle_keys, write_buckets

RECORDS = [text.encode() for text in ("", "a", "b" * 300, "中", *map(str, range(200)))]
KEYS = shuffle_keys(np.array([digest(record.decode()) for record in RECORDS], np.uint64))


def two_passes(folder, rows, partitions, bits):
    paths = []
    for number in range(partitions):
        part = rows[number::partitions]
        paths.append(folder / f"{partitions}-{number}")
        write_buckets(paths[-1], np.array([key for key, _ in part], np.uint64), [record for _, record in part], bits)
    return list(itertools.chain.from_iterable(read_bucket(paths, bucket) for bucket in range(2**bits)))


@pytest.mark.parametrize(("partitions", "bits"), [(1, 0), (1, 3), (7, 3), (60, 2), (2, 9)])
def test_two_passes_are_one_sort_however_they_were_divided(tmp_path, partitions, bits):
    rows = list(zip(KEYS.tolist(), RECORDS, strict=True))
    random.Random(partitions).shuffle(rows)
    assert two_passes(tmp_path, rows, partitions, bits) == in_order(KEYS.tolist(), RECORDS)


def test_documents_of_one_key_are_in_the_order_of_their_bytes(tmp_path):
    rows = [(5, b"b"), (2**63, b"c"), (5, b"a"), (5, b"")]
    for order in itertools.permutations(rows):
        assert two_passes(tmp_path, order, 2, 1) == [b"", b"a", b"b", b"c"]


def test_nothing_to_shuffle(tmp_path):
    assert two_passes(tmp_path, [], 2, 2) == []


def test_buckets_are_the_top_bits():
    found = scatter(np.array([2**64 - 1, 0, 2**62, 2**64 - 2, 2**63], np.uint64), 2)
    assert [row.tolist() for row in found.rows()] == [[1], [2], [4], [0, 3]]
    assert [row.tolist() for row in scatter(KEYS[:3], 0).rows()] == [[0, 1, 2]]


def test_each_seed_and_each_copy_has_its_own_order():
    digests = np.arange(1000, dtype=np.uint64)
    orders = [
        shuffle_keys(digests),
        shuffle_keys(digests, seed=1),
        shuffle_keys(digests, 1),
        shuffle_keys(digests, np.full(1000, 2)),
    ]
    ranks = [np.argsort(np.argsort(order)) for order in orders]
    assert np.abs(np.corrcoef([np.arange(1000), *ranks]) - np.eye(5)).max() < 0.12
    assert np.array_equal(shuffle_keys(digests, np.arange(1000) % 2)[1::2], orders[2][1::2])


def test_a_file_that_was_cut(tmp_path):
    write_buckets(tmp_path / "a", KEYS, RECORDS, 1)
    content = (tmp_path / "a").read_bytes()
    (tmp_path / "a").write_bytes(content[:-1])
    read_bucket([tmp_path / "a"], 0)
    with pytest.raises(ValueError, match="a ends within bucket 1: write it again"):
        read_bucket([tmp_path / "a"], 1)


def test_faults(tmp_path):
    with pytest.raises(ValueError, match="a key for each of 1 documents, got 2"):
        write_buckets(tmp_path / "a", KEYS[:2], [b"a"])
    write_buckets(tmp_path / "a", KEYS, RECORDS, 2)
    with pytest.raises(ValueError, match="a has the buckets 0 to 3, got 4"):
        read_bucket([tmp_path / "a"], 4)
    with pytest.raises(ValueError, match="expected 0 to 16 bits, got 17"):
        scatter(KEYS, 17)
