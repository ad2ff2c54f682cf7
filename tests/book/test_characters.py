"""Parts of the manual without copies, and a model's surprises with their interval."""

import numpy as np
import pytest

import minilm as ml
from minilm import nn
from minilm.book import characters
from minilm.book.characters import (
    UNKNOWN,
    CharacterModel,
    copied_share,
    difference,
    manual_characters,
    mean_nats,
    nats,
    train,
)


@pytest.fixture
def manual(monkeypatch):
    rng = np.random.default_rng(0)
    blocks = ["".join(rng.choice(list("abcdefg "), 40)) + f"{k}." for k in range(40)]
    text = "\n\n".join([*blocks, *blocks[:9], blocks[9].upper(), "Ω at the end"])
    monkeypatch.setattr(characters, "python_docs", lambda: text)


@pytest.mark.usefixtures("manual")
def test_copies_go_before_the_split():
    with_copies, without = manual_characters(copies=True), manual_characters()
    assert without.copies == with_copies.copies == 10
    assert without.paragraphs == 51
    assert copied_share(with_copies.test, with_copies.train, 18) > 0.5
    assert copied_share(without.test, without.train, 18) == 0
    joined = without.train + without.validation + without.test
    assert [len(p) for p in without[:3]] == pytest.approx(
        [0.8 * len(joined), 0.1 * len(joined), 0.1 * len(joined)], abs=1
    )


@pytest.mark.usefixtures("manual")
def test_the_vocabulary_is_that_of_the_training_part():
    parts = manual_characters()
    assert "Ω" in parts.test
    assert "Ω" not in parts.letters
    assert parts.text(parts.ids("aΩb")) == f"a{UNKNOWN}b"


def test_windows_are_counted():
    assert copied_share("abcd", "xxabcxx", 3) == 0.5
    assert copied_share("abcd", "ab", 3) == 0
    with pytest.raises(ValueError, match="does not fit"):
        copied_share("ab", "abc", 3)


class Table(nn.Module):
    def __init__(self, logits):
        super().__init__()
        self.table = nn.Parameter(ml.tensor(logits))

    def forward(self, x):
        return self.table[ml.tensor(x)]


def test_surprises_are_those_of_the_softmax():
    logits = np.random.default_rng(0).normal(size=(3, 3))
    ids = np.random.default_rng(1).integers(0, 3, 81)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(nats(Table(logits), ids, 16), -np.log(p[ids[:-1], ids[1:]]), rtol=1e-6)


def test_a_model_learns_what_follows():
    ids = np.tile(np.arange(3), 200)
    ml.manual_seed(0)
    model = CharacterModel(nn.Linear(8, 8), 3, block_size=8, width=8)
    losses = train(model, ids, 60, lr=0.1, block_size=8, batch_size=4)
    assert losses[-1] < 0.2 < losses[0]
    assert mean_nats(nats(model, ids[:65], 8)) is None or nats(model, ids[:65], 8).mean() < 0.2


def test_intervals_draw_pieces_not_characters():
    rng = np.random.default_rng(0)
    surprises = np.repeat(rng.normal(2, 1, 20), characters.DOCUMENT)
    low, high = mean_nats(surprises)[:2]
    assert low < surprises.mean() < high
    assert high - low > 0.5
    low, high = difference(surprises + 0.1, surprises)[:2]
    assert (low, high) == pytest.approx((0.1, 0.1))
    with pytest.raises(ValueError, match="same characters"):
        difference(surprises, surprises[1:])
