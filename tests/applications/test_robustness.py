"""A small reader, and what makes it tougher."""

import numpy as np
import pytest

import minilm as ml
from minilm.applications.robustness import UNKNOWN, AveragingReader, Remedy, learn, words

GOOD, BAD = ("great", "lovely", "bright"), ("awful", "dull", "stupid")


def sentences(n, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    texts = [
        " ".join(["a", "film", *rng.choice(GOOD if y else BAD, 2), rng.choice(["here", "there", "again"])])
        for y in labels
    ]
    return texts, labels


TRAIN, HELD = sentences(160, 0), sentences(60, 1)


def accuracy(p, labels):
    return float(((p > 0.5) == labels).mean())


def test_words():
    assert words("It's GOOD, isn’t it?! 3 stars_up") == ["it's", "good", "isn’t", "it", "?", "!", "3", "stars", "up"]
    assert words("") == []


def test_vectors_are_normalized_over_the_words_as_they_occur():
    texts = ["a a a b", "a b c c rare"]
    reader = AveragingReader(texts, width=4)
    assert set(reader.number) == {"a", "b", "c"}
    np.testing.assert_allclose(reader.shares.numpy()[:, 0], np.array([1, 4, 2, 2]) / 9, rtol=1e-6)
    ids, _ = reader.rows(["a a a b a b c c rare"])
    v = reader.vectors(ids).numpy()[0]
    np.testing.assert_allclose(v.mean(axis=0), np.zeros(4), atol=1e-5)
    np.testing.assert_allclose(v.std(axis=0), np.ones(4), rtol=1e-3)
    with ml.no_grad():
        reader.table.weight.copy_(reader.table.weight * 100 + 7)
    np.testing.assert_allclose(reader.vectors(ids).numpy()[0], v, rtol=1e-3, atol=1e-3)


def test_rows_and_padding():
    reader = AveragingReader(["good good bad bad film film"], width=4)
    ids, weights = reader.rows(["good film", "nothing", "", "bad bad film good"])
    assert ids.shape == weights.shape == (4, 4)
    assert ids[1, 0] == ids[2, 0] == UNKNOWN
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    alone, among = reader.probabilities(["good film"]), reader.probabilities(["good film", "bad bad film good"])
    np.testing.assert_allclose(alone[0], among[0], rtol=1e-6)
    assert reader.probabilities([]).shape == (0,)


def test_it_learns_and_the_same_seed_gives_the_same():
    one, other = (learn(TRAIN, HELD, epochs=3, seed=5) for _ in range(2))
    np.testing.assert_array_equal(one.probabilities(HELD[0]), other.probabilities(HELD[0]))
    assert accuracy(one.probabilities(HELD[0]), HELD[1]) > 0.95


def test_an_attack_within_no_length_changes_nothing_and_a_long_one_all():
    reader = learn(TRAIN, HELD, epochs=3)
    clean = reader.probabilities(HELD[0])
    np.testing.assert_allclose(reader.attacked(*HELD, 0.0), clean, rtol=1e-6)
    truth = HELD[1]
    harm = reader.attacked(*HELD, 1.0)
    assert (np.where(truth, harm, 1 - harm) <= np.where(truth, clean, 1 - clean) + 1e-6).all()
    assert accuracy(reader.attacked(*HELD, 30.0), truth) < 0.1
    assert reader.attacked([], np.zeros(0), 1.0).shape == (0,)


@pytest.mark.parametrize("steps", [1, 3])
def test_attacks_while_it_learns_make_it_tougher(steps):
    plain, tough = (
        learn(TRAIN, HELD, r, epochs=3, learning_rate=0.02) for r in (Remedy(), Remedy(epsilon=4.0, steps=steps))
    )
    loss = [
        -np.log(np.where(HELD[1], p := each.attacked(*HELD, 4.0, steps=5), 1 - p) + 1e-12).mean()
        for each in (plain, tough)
    ]
    assert loss[1] < 0.9 * loss[0]


def test_noise_is_drawn_anew_for_half_of_the_sentences_and_never_of_noise():
    seen = []
    learn(TRAIN, HELD, Remedy(noise=lambda text, rng: seen.append(text) or text.upper()), epochs=2)
    assert 110 < len(seen) < 210  # of 320
    assert set(seen) <= set(TRAIN[0])


def test_word_dropout_may_leave_out_every_word():
    reader = learn(TRAIN, HELD, Remedy(dropout=0.95), epochs=1)
    assert np.isfinite(reader.probabilities(HELD[0])).all()


def test_what_cannot_be_learned():
    with pytest.raises(ValueError, match="at least one word"):
        learn(([""], [1]), HELD)
    with pytest.raises(ValueError, match=r"one label per text, \(2,\), got \(1,\)"):
        learn((["a", "b"], [1]), HELD)
