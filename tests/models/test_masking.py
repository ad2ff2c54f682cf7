"""What is hidden from a masked language model: how much, how, never what is special, and the same from the same generator."""

import numpy as np
import pytest

from minilm.models.bert import NO_TARGET
from minilm.models.masking import mask_tokens, word_numbers

MASK, CLS, SEP, PAD = 3, 1, 2, 0
VOCAB = 50
OPTIONS = {"mask_id": MASK, "vocab_size": VOCAB, "special_ids": (PAD, CLS, SEP)}


def texts(rows, length, seed=0):
    """[CLS] tokens [SEP] and padding, of several lengths."""
    rng = np.random.default_rng(seed)
    ids = np.full((rows, length), PAD)
    for i in range(rows):
        n = length - i % 5
        ids[i, :n] = [CLS, *rng.integers(4, VOCAB, n - 2), SEP]
    return ids


def masked(ids, seed=0, **options):
    return mask_tokens(ids, np.random.default_rng(seed), **{**OPTIONS, **options})


def test_targets_are_what_stood_there():
    ids = texts(40, 30)
    before = ids.copy()
    hidden, targets = masked(ids)
    asked = targets != NO_TARGET
    np.testing.assert_array_equal(targets[asked], ids[asked])
    np.testing.assert_array_equal(hidden[~asked], ids[~asked])
    np.testing.assert_array_equal(ids, before)
    assert hidden.dtype == targets.dtype == np.int64


def test_as_many_in_each_row_as_its_length_says():
    ids = texts(40, 30)
    ordinary = (ids > MASK).sum(axis=1)
    for share in (0.15, 0.4):
        asked = (masked(ids, share=share)[1] != NO_TARGET).sum(axis=1)
        np.testing.assert_array_equal(asked, np.maximum(1, np.rint(share * ordinary)))
    assert (masked(texts(5, 8))[1] != NO_TARGET).sum(axis=1).min() == 1  # at least one


def test_every_token_is_as_likely_to_be_chosen():
    ids = np.tile(texts(1, 22), (20_000, 1))
    asked = (masked(ids)[1] != NO_TARGET).mean(axis=0)
    assert asked[0] == asked[-1] == 0
    np.testing.assert_allclose(asked[1:-1], 3 / 20, atol=0.01)  # four deviations


def test_eighty_ten_ten():
    ids = np.full((4000, 50), 7)
    hidden, targets = masked(ids)
    asked = targets != NO_TARGET
    n = asked.sum()
    kinds = [(hidden == MASK) & asked, (hidden != MASK) & (hidden != ids) & asked, (hidden == ids) & asked]
    other = 0.1 * 45 / 46  # one of the 46 ordinary tokens is the one that stood there
    for found, p in zip(kinds, (0.8, other, 0.2 - other), strict=True):
        assert abs(found.sum() - n * p) < 4 * np.sqrt(n * p * (1 - p))
    drawn = np.bincount(hidden[kinds[1]], minlength=VOCAB)
    assert not drawn[[PAD, CLS, SEP, MASK, 7]].any()
    assert drawn[np.r_[4:7, 8:VOCAB]].min() > 0


def test_special_tokens_are_neither_hidden_nor_put_in_place_of_others():
    ids = texts(300, 30)
    ids[:, 3] = MASK
    hidden, targets = masked(ids, share=1.0)
    special = ids <= MASK
    np.testing.assert_array_equal(hidden[special], ids[special])
    assert (targets[special] == NO_TARGET).all()
    assert (targets[~special] != NO_TARGET).all()
    assert not np.isin(hidden[~special], (PAD, CLS, SEP)).any()


def test_the_same_generator_hides_the_same():
    ids = texts(6, 30)
    for a, b in zip(masked(ids, seed=5), masked(ids, seed=5), strict=True):
        np.testing.assert_array_equal(a, b)
    assert (masked(ids, seed=5)[0] != masked(ids, seed=6)[0]).any()


def test_whole_words_are_hidden_whole():
    continues = np.zeros(VOCAB, bool)
    continues[30:] = True
    ids = texts(200, 30)
    words = word_numbers(ids, continues)
    assert words[0, 0] == 0
    _, targets = masked(ids, words=words, share=0.3)
    asked = targets != NO_TARGET
    for row in range(len(ids)):
        for word in np.unique(words[row]):
            members = (words[row] == word) & (ids[row] > MASK)
            assert asked[row, members].all() or not asked[row, members].any()
    wanted = np.rint(0.3 * (ids > MASK).sum(axis=1))
    assert (asked.sum(axis=1) <= wanted).all()
    assert asked.sum() > 0.9 * wanted.sum()


def test_a_long_word_is_as_likely_as_a_short_one():
    ids = np.tile([[5, 40, 40, 40, 6]], (4000, 1))
    words = word_numbers(ids, np.arange(VOCAB) >= 30)
    np.testing.assert_array_equal(words[0], [0, 0, 0, 0, 1])
    _, targets = masked(ids, words=words, share=0.8)
    assert abs((targets[:, 0] != NO_TARGET).mean() - 0.5) < 0.035  # the other leaves no room for it


def test_edges():
    for shape in ((0, 5), (3, 0)):
        hidden, targets = masked(np.zeros(shape, int))
        assert hidden.shape == targets.shape == shape
    hidden, targets = masked(np.full((2, 4), PAD))
    assert (targets == NO_TARGET).all()
    assert (hidden == PAD).all()
    assert masked(np.array([[9]], np.uint16))[1].item() == 9


@pytest.mark.parametrize(
    ("ids", "options", "error", "message"),
    [([[5.0]], {}, TypeError, "integers"), ([5], {}, ValueError, "batch, length"), ([[50]], {}, IndexError, "0 to 49"),
     ([[-1]], {}, IndexError, "0 to 49"), ([[5]], {"share": 0}, ValueError, "share"), ([[5]], {"share": float("nan")}, ValueError, "share"),
     ([[5]], {"mask_id": 50}, ValueError, "special token 50"), ([[5]], {"words": [[0, 1]]}, ValueError, "words has shape"),
     ([[0]], {"vocab_size": 4}, ValueError, "none is left")],
)  # fmt: skip
def test_wrong_arguments_are_named(ids, options, error, message):
    with pytest.raises(error, match=message):
        masked(np.array(ids), **options)
