"""Windows and files of one length: slices of one list, and nothing lost where they end."""

import itertools
import random
import tracemalloc

import numpy as np
import pytest

from minilm.data.corpus.packing import cut, windows, windows_plain, write_shards
from minilm.data.errors import DataError
from minilm.data.tokens import open_tokens

END = 9


def documents(seed, count=30):
    rng = random.Random(seed)
    return [rng.choices(range(9), k=rng.choice([0, 1, 2, 5, 40])) for _ in range(count)]


@pytest.mark.parametrize(("size", "overlap"), [(1, 0), (2, 1), (5, 0), (8, 1), (8, 7), (1000, 1)])
def test_windows_are_slices_of_one_list(size, overlap):
    for seed in range(20):
        given = documents(seed, seed)
        found = windows(map(np.array, given), size, END, overlap=overlap)
        assert [window.tolist() for window in found] == windows_plain(given, size, END, overlap=overlap)


def test_by_hand():
    assert windows_plain([[1, 2], [], [3]], 3, END) == [[1, 2, 9], [3, 9]]
    assert windows_plain([[1, 2], [3]], 3, END, overlap=1) == [[1, 2, 9], [9, 3, 9]]
    assert windows_plain([[1, 2, 3], [4]], 3, END, overlap=1) == [[1, 2, 3], [3, 9, 4], [4, 9]]
    assert windows_plain([], 3, END) == windows_plain([[]], 3, END) == []


def test_with_an_overlap_of_one_each_token_but_the_first_is_to_be_predicted_once():
    given = documents(0)
    row = list(itertools.chain.from_iterable(windows_plain(given, 10_000, END)))
    targets = [token for window in windows(given, 7, END, overlap=1) for token in window[1:].tolist()]
    assert targets == row[1:]


def test_where_documents_are_divided_does_not_matter():
    row = np.arange(1000)
    whole = [window.tolist() for window in cut([row], 64, 3)]
    pieces = np.split(row, [0, 1, 5, 6, 200, 200, 999])
    assert [window.tolist() for window in cut(pieces, 64, 3)] == whole
    assert [len(window) for window in cut([np.arange(61 * 5 + 3)], 64, 3)] == [64] * 5


def test_memory_does_not_grow_with_the_documents():
    def most(count):
        tracemalloc.start()
        for window in windows((np.arange(1000) for _ in range(count)), 5000, END):
            assert len(window)
        try:
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert most(200) < 1.5 * most(20)


@pytest.mark.parametrize("size", [5, 42, 10_000])
def test_files_hold_the_row_and_are_what_training_maps(tmp_path, size):
    given = documents(1, 8)
    written = write_shards(tmp_path / "new", given, END, 10, size)
    row = list(itertools.chain.from_iterable(windows_plain(given, 10_000, END)))
    shards = [open_tokens(path, vocab_size=10, verify=True).tolist() for path, _ in written]
    assert list(itertools.chain.from_iterable(shards)) == row
    assert [header.count for _, header in written] == [
        *[size] * (len(row) // size),
        *[len(row) % size][: len(row) % size],
    ]
    assert sorted((tmp_path / "new").iterdir()) == [path for path, _ in written]
    assert write_shards(tmp_path / "new", given, END, 10, size) == written


def test_faults(tmp_path):
    with pytest.raises(ValueError, match="an overlap below it, got 0 and 0"):
        list(windows([[1]], 0, END))
    with pytest.raises(ValueError, match="an overlap below it, got 3 and 3"):
        list(windows([[1]], 3, END, overlap=3))
    with pytest.raises(ValueError, match="a size of 1 or more, got 0"):
        write_shards(tmp_path, [[1]], END, 10, 0)
    with pytest.raises(DataError, match="holds the token id 9, but vocab_size is 9"):
        write_shards(tmp_path, [[1]], END, 9, 5)
    with pytest.raises(DataError, match="holds float64 of shape"):
        write_shards(tmp_path, [[1.5]], END, 10, 5)
    with pytest.raises(DataError, match="there are no documents, or all are empty"):
        write_shards(tmp_path, [[], []], END, 10, 5)
