"""The small reader of sentences, and its explanations against those computed by the plain rules."""

import numpy as np
import pytest

import minilm as ml
from minilm.interpret import WordReader
from minilm.interpret.reader import FIRST, LONGEST, PAD, UNKNOWN

TEXTS = ["a good film", "a bad film", "good, good", "bad bad film", "a film", "it is good", "it is bad"]
LABELS = [1, 0, 1, 0, 1, 1, 0]


@pytest.fixture(scope="module")
def reader():
    ml.manual_seed(0)  # of dropout
    rng = np.random.default_rng(0)
    made = WordReader(TEXTS, rng, least=2, width=8)
    made.learn(TEXTS, LABELS, rng, epochs=80, lr=0.01)
    return made


def test_words_become_ids(reader):
    assert reader.words == ["a", "bad", "film", "good", "is", "it"]
    ids, mask = reader.encode(["Good film!", "a"])
    assert ids.tolist() == [[FIRST, 6, 5, UNKNOWN], [FIRST, 3, PAD, PAD]]
    assert mask.tolist() == [[True] * 4, [True, True, False, False]]
    assert reader.encode(["good " * 100])[0].shape == (1, LONGEST + 1)
    with pytest.raises(ValueError, match="no word stands 9 times in the 7 texts"):
        WordReader(TEXTS, np.random.default_rng(0), least=9)


def test_it_learns_and_reads_a_row_as_it_reads_it_alone(reader):
    odds = reader.log_odds(*reader.encode(TEXTS))
    assert ((odds > 0) == np.array(LABELS)).mean() >= 6 / 7
    alone = [reader.log_odds(*reader.encode([text]))[0] for text in TEXTS]
    np.testing.assert_allclose(odds, alone, rtol=1e-4, atol=1e-5)
    assert not reader.model.training


def test_explanations_are_of_the_predicted_class(reader):
    """Integrated gradients add up to the log odds less those of vectors of 0; leaving out a word is reading the rest."""
    for text in ("a good film", "bad film"):
        ids, mask = reader.encode([text])
        odds = abs(reader.log_odds(ids, mask)[0])
        n = ids.shape[1] - 1
        f = reader.kept(text)
        np.testing.assert_allclose(f(np.ones((1, n), bool)), odds, rtol=1e-5)
        left_out = [odds - f(np.arange(n)[None] != i)[0] for i in range(n)]
        np.testing.assert_allclose(reader.leave_one_out(text), left_out, rtol=1e-3, atol=1e-5)
        with ml.no_grad():
            embed = reader.model.bert.words.weight
            before = embed.numpy().copy()
            embed.copy_(ml.tensor(np.where(np.arange(len(before))[:, None] == FIRST, before, 0)))
            nothing = reader.log_odds(ids, mask)[0]
            embed.copy_(ml.tensor(before))
        whole = odds - nothing * (1 if reader.log_odds(ids, mask)[0] > 0 else -1)
        np.testing.assert_allclose(reader.integrated_gradients(text, 128).sum(), whole, rtol=2e-2)
        assert reader.gradient_times_input(text).shape == (n,)
    word = reader.leave_one_out("a bad film").argmax()
    assert word == 1 == reader.integrated_gradients("a bad film").argmax()


def test_attention_is_the_row_of_the_first_token(reader):
    weights = reader.attention("a good film")
    assert weights.shape == (3,)
    assert 0 < weights.sum() < 1
    assert all(p.grad is None or p.requires_grad for p in reader.model.parameters())


def test_explaining_leaves_no_gradients_and_no_hooks(reader):
    for p in reader.model.parameters():
        p.grad = None
    reader.integrated_gradients("a good film", 4)
    reader.gradient_times_input("a good film")
    assert all(p.grad is None for p in reader.model.parameters())
    assert not any(m._hooks or m._pre_hooks for m in reader.model.modules())
