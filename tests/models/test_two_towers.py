"""Words in pieces, and images and words in one space."""

import numpy as np
import pytest

import minilm as ml
from minilm.gradcheck import gradcheck
from minilm.models.two_towers import TwoTowers, pieces
from minilm.nn import functional as F


def towers(seed=0):
    ml.manual_seed(seed)
    return TwoTowers(6, ["one", "two", "drei"], hidden=5, width=4)


def batch(n=3):
    return ml.Tensor(np.random.default_rng(0).standard_normal((n, 6)).astype(np.float32))


def test_pieces_are_runs_between_marks():
    assert pieces("Ab") == ["<", "a", "b", ">", "<a", "ab", "b>", "<ab", "ab>"]
    assert pieces("é") == pieces("e\N{COMBINING ACUTE ACCENT}")
    assert "e" in pieces("é")
    assert pieces("") == ["<", ">", "<>"]


def test_counts_are_of_known_pieces():
    model = towers()
    rows = model.counts(["oo", "xyz", ""])
    assert rows[0, model.known["o"]] == 2
    assert rows[1].sum() == 0
    assert rows[2].sum() == 0
    assert "<" not in model.known  # it stands in each word
    assert "<t" in model.known


def test_both_lie_on_the_sphere_and_a_strange_word_in_its_middle():
    model = towers()
    a, b = model.embed_images(batch()), model.embed_words(ml.Tensor(model.counts(["one", "xyz"])))
    np.testing.assert_allclose(np.linalg.norm(a.numpy(), axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(b.numpy(), axis=1), [1, 0], rtol=1e-5)


def test_the_loss_is_that_of_the_pairs_with_a_scale_of_at_most_100():
    model, x = towers(), batch()
    counts = ml.Tensor(model.counts(["one", "two", "drei"]))
    a, b = model.embed_images(x), model.embed_words(counts)
    for log_scale, scale in ((1.0, np.e), (9.0, 100.0)):
        model.log_scale.data[...] = log_scale
        np.testing.assert_allclose(model.loss(x, counts).item(), F.contrastive_loss(a, b, scale).item(), rtol=1e-4)


def test_gradients():
    model = towers().to("float64")
    x, counts = batch().astype("float64"), ml.Tensor(model.counts(["one", "two", "drei"]).astype(float))
    gradcheck(lambda *_: model.loss(x, counts), *model.parameters(), directions=2)


def test_it_learns_three_pairs():
    model, x = towers(), batch()
    counts = ml.Tensor(model.counts(["one", "two", "drei"]))
    optimizer = ml.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(30):
        optimizer.zero_grad()
        loss = model.loss(x, counts)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05
    similar = (model.embed_images(x) @ model.embed_words(counts).T).numpy()
    assert similar.argmax(axis=1).tolist() == [0, 1, 2]


def test_without_words_it_is_refused():
    with pytest.raises(ValueError, match="no word is known"):
        TwoTowers(6, [])
