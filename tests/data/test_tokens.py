import json
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minilm.data.errors import DataError
from minilm.data.tokens import TokenBlocks, open_tokens, random_blocks, read_token_header, write_tokens
from tests.anew import anew

VOCABULARIES = st.sampled_from([1, 5, 256, 65_536, 65_537, 2**32])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tokens")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "text.tokens"
    write_tokens(path, [[1, 2, 3], [4]], 5)
    return path


@given(data=st.data(), vocab_size=VOCABULARIES)
def test_round_trip(folder, data, vocab_size):
    ids = st.lists(st.integers(0, vocab_size - 1) | st.just(vocab_size - 1), max_size=10)
    pieces = data.draw(st.lists(ids, min_size=1, max_size=4).filter(any_ids))
    whole = [token for piece in pieces for token in piece]
    header = write_tokens(folder / "file", (np.array(piece, np.int64) for piece in pieces), vocab_size)
    assert header == read_token_header(folder / "file")
    assert (header.count, header.vocab_size) == (len(whole), vocab_size)
    assert header == write_tokens(folder / "file", pieces, vocab_size)
    tokens = open_tokens(folder / "file", vocab_size=vocab_size, verify=True)
    assert tokens.dtype.itemsize == (2 if vocab_size <= 65_536 else 4)
    assert tokens.tolist() == whole


def any_ids(pieces):
    return any(pieces)


def test_tokens_are_a_read_only_memory_map(path):
    tokens = open_tokens(path)
    assert isinstance(tokens, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        tokens[0] = 1


def test_pieces_are_written_as_they_come(tmp_path):
    def pieces():
        for i in range(100):
            (temporary,) = os.listdir(tmp_path)
            sizes.append((tmp_path / temporary).stat().st_size)
            yield np.full(100_000, i)

    sizes = []
    write_tokens(tmp_path / "file", pieces(), 100)
    assert sizes[50] > 4_000_000
    assert open_tokens(tmp_path / "file", verify=True)[::100_000].tolist() == list(range(100))


@pytest.mark.parametrize(
    ("pieces", "vocab_size", "message"),
    [
        ([], 5, "no tokens to write"),
        ([[], []], 5, "no tokens to write"),
        ([[1], [5]], 5, "piece 1 holds the token id 5, but vocab_size is 5"),
        ([[-1]], 5, "piece 0 holds the token id -1"),
        ([[0.5]], 5, "float64 of shape .* whole numbers"),
        ([[[1]]], 5, r"shape \(1, 1\)"),
        ([["a"]], 5, "whole numbers"),
        ([[True]], 5, "holds bool"),
        ([[0]], 0, "vocab_size = 0"),
    ],
)
def test_what_cannot_be_written_leaves_no_file(tmp_path, pieces, vocab_size, message):
    with pytest.raises(DataError, match=message):
        write_tokens(tmp_path / "file", pieces, vocab_size)
    assert os.listdir(tmp_path) == []


def test_a_failed_write_keeps_the_old_file(path):
    with pytest.raises(DataError):
        write_tokens(path, [[1], [9]], 5)
    assert open_tokens(path, verify=True).tolist() == [1, 2, 3, 4]


@given(cut=st.integers(1, 300))
def test_any_truncation_is_an_error(folder, cut):
    write_tokens(folder / "file", [[1, 2, 3, 4] * 10], 5)
    content = (folder / "file").read_bytes()
    anew(folder / "file").write_bytes(content[:-cut])
    with pytest.raises(DataError, match=r"damaged|no token file"):
        open_tokens(folder / "file")


def test_a_changed_token_is_found_by_verify(path):
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)
    assert len(open_tokens(path)) == 4
    with pytest.raises(DataError, match="SHA-256"):
        open_tokens(path, verify=True)


def with_header(path, **changes):
    content = path.read_bytes()
    magic, line = content[:256].split(b"\n", 1)
    header = json.dumps({**json.loads(line), **changes}).encode()
    path.write_bytes(magic + b"\n" + header.ljust(256 - len(magic) - 2) + b"\n" + content[256:])


@pytest.mark.parametrize(
    "changes",
    [
        {"dtype": "object"}, {"dtype": ["uint16"]}, {"count": 0}, {"count": -4}, {"count": 4.0}, {"count": True},
        {"count": 5}, {"count": 2**62}, {"vocab_size": 0}, {"vocab_size": "5"}, {"sha256": None}, {"more": 1},
    ],
)  # fmt: skip
def test_a_header_that_lies_is_refused(path, changes):
    with_header(path, **changes)
    with pytest.raises(DataError, match="is damaged"):
        open_tokens(path)


@pytest.mark.parametrize("content", [b"", b"x" * 1000, b"minilm tokens 1\n" + b"[" * 1000])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(DataError, match=r"no token file|is damaged"):
        open_tokens(tmp_path / "file")
    with pytest.raises(DataError, match="there is no token file"):
        open_tokens(tmp_path / "none")


def test_a_vocabulary_too_small_is_named(path):
    assert len(open_tokens(path, vocab_size=6)) == 4
    with pytest.raises(DataError, match="vocabulary of 5 tokens, the model has 4"):
        open_tokens(path, vocab_size=4)


@given(extra=st.integers(1, 30), block=st.integers(1, 9), batch=st.integers(1, 5), seed=st.integers(0, 99))
def test_random_blocks_are_pieces_of_the_text(extra, block, batch, seed):
    tokens = np.arange(100, 100 + block + extra, dtype=np.uint16)
    x, y = random_blocks(tokens, block, batch, np.random.default_rng(seed))
    for array in (x, y):
        assert array.shape == (batch, block)
        assert array.dtype == np.int64
        assert array.flags.c_contiguous
    np.testing.assert_array_equal(x, x[:, :1] + np.arange(block))
    np.testing.assert_array_equal(y, x + 1)
    again, _ = random_blocks(tokens, block, batch, np.random.default_rng(seed))
    np.testing.assert_array_equal(x, again)


def test_random_blocks_reach_the_first_and_the_last_token():
    x, y = random_blocks(np.arange(7), 4, 500, np.random.default_rng(0))
    assert set(x[:, 0]) == {0, 1, 2}
    assert y.max() == 6
    counts = np.bincount(x[:, 0])
    assert counts.min() > 120  # 167 expected, standard deviation 11


@given(n=st.integers(2, 40), block=st.integers(1, 9))
def test_token_blocks_show_each_token_once(n, block):
    tokens = np.arange(n, dtype=np.uint16)
    if n < block + 1:
        with pytest.raises(DataError):
            TokenBlocks(tokens, block)
        return
    blocks = TokenBlocks(tokens, block)
    pairs = list(blocks)
    assert len(pairs) == len(blocks) == (n - 1) // block
    np.testing.assert_array_equal(np.concatenate([x for x, _ in pairs]), np.arange(len(blocks) * block))
    for x, y in pairs:
        np.testing.assert_array_equal(y, x + 1)
    x, y = blocks.gather(np.arange(len(blocks)))
    np.testing.assert_array_equal(x, np.stack([x for x, _ in pairs]))
    np.testing.assert_array_equal(blocks[-1][0], pairs[-1][0])


def test_bad_blocks_are_named():
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match="the text has 8 tokens, but a block of 8 and its successor need 9"):
        random_blocks(np.arange(8), 8, 1, rng)
    assert random_blocks(np.arange(9), 8, 1, rng)[1].max() == 8
    with pytest.raises(DataError, match="block_size = 0"):
        random_blocks(np.arange(8), 0, 1, rng)
    with pytest.raises(DataError, match="batch_size = 0"):
        random_blocks(np.arange(8), 2, 0, rng)
    with pytest.raises(DataError, match="row of whole numbers, got float64"):
        TokenBlocks(np.zeros(8), 2)
    with pytest.raises(DataError, match=r"shape \(2, 4\)"):
        TokenBlocks(np.zeros((2, 4), int), 2)
    with pytest.raises(IndexError, match="block 3 of 3"):
        TokenBlocks(np.arange(7), 2)[3]
