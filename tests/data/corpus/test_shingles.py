"""Shingles as hashes: all runs at once against a loop over slices."""

import numpy as np
import pytest

from minilm.data.corpus import shingles as module
from minilm.data.corpus.normalize import bare_codes, bare_text
from minilm.data.corpus.shingles import BASE, shingle_hashes, shingles_plain, text_hash
from tests.data.corpus.texts import any_texts


def fast(texts, n):
    return [row.tolist() for row in shingle_hashes(bare_codes(texts), n).rows()]


def plain(texts, n):
    return [shingles_plain(bare_text(text), n) for text in texts]


def test_a_hash_by_hand():
    assert text_hash("") == 0
    assert text_hash("ab") == (98 + 99 * BASE) % 2**64
    assert text_hash("\0") != text_hash("")


@pytest.mark.parametrize("n", [1, 2, 5, 13])
def test_many_at_once_are_each_by_itself(n):
    texts = any_texts(200, n)
    assert fast(texts, n) == plain(texts, n)


@pytest.mark.parametrize("block", [1, 3, 64])
def test_nothing_is_lost_where_blocks_end(monkeypatch, block):
    monkeypatch.setattr(module, "BLOCK", block)
    texts = any_texts(40, block)
    assert fast(texts, 5) == plain(texts, 5)


def test_a_text_of_more_than_a_block():
    text = "".join(map(chr, np.random.default_rng(0).integers(0x4E00, 0x9000, module.BLOCK + 500)))
    (found,) = fast([text], 13)
    assert len(found) == len(text) - 12
    for i in (0, module.BLOCK - 13, module.BLOCK - 1, module.BLOCK, len(text) - 13):
        assert found[i] == text_hash(text[i : i + 13])


def test_no_shingle_reaches_into_the_next_document():
    assert fast(["abcd", "efgh"], 2) == [fast(["abcd"], 2)[0], fast(["efgh"], 2)[0]]


def test_a_short_document_is_one_shingle():
    assert fast(["", "ab", "abc", "abcd", "", "b"], 3) == plain(["", "ab", "abc", "abcd", "", "b"], 3)
    assert list(map(len, fast(["", "ab", "abc", "abcd", ""], 3))) == [1, 1, 1, 2, 1]
    assert fast(["ab", "AB!", "abc"], 13)[0] == fast(["ab", "AB!", "abc"], 13)[1] != fast(["abc"], 13)[0]


def test_no_document():
    assert fast([], 13) == []


def test_hashes_do_not_collide():
    text = "".join(f"{number:05d}" for number in range(4000))
    runs = {text[i : i + 13] for i in range(len(text) - 12)}
    assert len(set(fast([text], 13)[0])) == len(runs)


def test_a_shingle_has_a_character():
    with pytest.raises(ValueError, match="1 character or more, got n = 0"):
        shingle_hashes(bare_codes(["a"]), 0)
