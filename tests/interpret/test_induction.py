"""Induction: sequences, scores of heads against maps and matrices made by hand, and what is found where it was trained."""

import numpy as np
import pytest

import minilm as ml
from minilm.interpret import (
    attention_maps,
    copying_loss,
    copying_score,
    copying_scores,
    edited,
    learn_to_copy,
    prefix_scores,
    previous_scores,
    repeats,
    without_heads,
)
from minilm.models import GPT, GPTConfig
from minilm.models.attention_only import AttentionOnly


def test_sequences_repeat_with_a_period_of_their_own():
    given = repeats(np.random.default_rng(0), 50, 16, 9)
    assert set(given.periods) == {4, 5, 6, 7, 8}
    for ids, p, known in zip(given.ids, given.periods, given.known, strict=True):
        np.testing.assert_array_equal(ids[p:], ids[:-p])
        assert known.tolist() == [t + 1 > p for t in range(15)]
    assert given.ids.min() == 0
    assert given.ids.max() == 8
    with pytest.raises(ValueError, match="8 places and 2 tokens at least, got batch=1, length=7"):
        repeats(np.random.default_rng(0), 1, 7, 9)


def perfect(periods, length, shift):
    """Maps of one head that attends to one place alone: `shift` places after that of a period ago."""
    maps = np.zeros((len(periods), 1, length, length))
    for b, p in enumerate(periods):
        for t in range(length):
            maps[b, 0, t, max(0, t - p + shift)] = 1
    return maps


def test_scores_of_maps_made_by_hand():
    periods = np.array([2, 3, 5])
    maps = np.concatenate([perfect(periods, 8, s) for s in (1, 0)] + [np.full((3, 1, 8, 8), 1 / 8)], axis=1)
    np.testing.assert_allclose(prefix_scores(maps, periods), [1, 0, 1 / 8])
    np.testing.assert_allclose(previous_scores(np.stack([np.eye(6, k=-1)] * 2)[:, None]), [1])
    np.testing.assert_allclose(previous_scores(np.eye(6)[None, None]), [0])
    weights = np.random.default_rng(0).random((3, 2, 8, 8))
    sums = [weights[b, 1, t, t - p + 1] for b, p in enumerate(periods) for t in range(p, 8)]
    np.testing.assert_allclose(prefix_scores(weights, periods)[1], np.mean(sums))


@pytest.mark.parametrize("periods", [[2], [1, 2, 3], [2, 3, 8]])
def test_periods_that_fit_no_map(periods):
    with pytest.raises(ValueError, match="a period from 2 to 7 for each of the 3 sequences"):
        prefix_scores(np.zeros((3, 2, 8, 8)), np.array(periods))
    with pytest.raises(
        ValueError, match=r"expected maps \(batch, heads, T, T\) of 2 tokens or more, got shape \(8, 8\)"
    ):
        previous_scores(np.zeros((8, 8)))


def test_copying_by_matrices_made_by_hand():
    """The same eigenvalues as of the large matrix; a head that copies has 1, one that suppresses -1."""
    rng = np.random.default_rng(0)
    e, u, v, o = (rng.standard_normal(s) for s in ((20, 6), (20, 6), (3, 6), (6, 3)))
    large = np.linalg.eigvals(u @ o @ v @ e.T)
    np.testing.assert_allclose(copying_score(e, v, o, u), large.sum().real / np.abs(large).sum())
    np.testing.assert_allclose(copying_score(e, v, v.T, e), 1)
    np.testing.assert_allclose(copying_score(e, v, -v.T, e), -1)
    assert copying_score(e, 0 * v, o, u) == 0


def test_scores_of_a_model_are_those_of_its_heads():
    model = AttentionOnly(10, 2, 2, 8, np.random.default_rng(0))
    with ml.no_grad():
        attn = model.layers[1].attn
        value = attn.c_attn.weight.numpy()[20:24]  # the second head's
        output = attn.c_proj.weight.numpy().copy()
        output[:, 4:] = -value.T
        attn.c_proj.weight.copy_(ml.tensor(output))
        model.lm_head.weight.copy_(model.wte.weight)
    found = copying_scores(model)
    assert found.shape == (2, 2)
    np.testing.assert_allclose(found[1, 1], -1, rtol=1e-5)
    assert abs(found[0]).max() < 1


def test_the_loss_is_of_repetitions_alone():
    given = repeats(np.random.default_rng(0), 3, 12, 7)
    model = AttentionOnly(7, 1, 1, 4, np.random.default_rng(0))
    logits = model(given.ids[:, :-1]).numpy()
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    own = -np.log(np.take_along_axis(p, given.ids[:, 1:, None], axis=-1))[..., 0]
    np.testing.assert_allclose(copying_loss(model, given), own[given.known].mean(), rtol=1e-5)


def test_heads_that_are_off_are_those_that_were_named():
    maps = np.ones((1, 3, 2, 2))
    change = without_heads((0, 1), (0, 2), (1, 0))
    assert change(maps.copy(), 0).sum(axis=(0, 2, 3)).tolist() == [4, 0, 0]
    assert change(maps.copy(), 1).sum(axis=(0, 2, 3)).tolist() == [0, 4, 4]
    assert change(maps.copy(), 2).sum() == 12


def test_a_model_learns_from_what_it_is_given_and_the_losses_are_told_apart():
    rng = np.random.default_rng(0)
    model = AttentionOnly(8, 1, 1, 8, rng)
    before = [p.numpy().copy() for p in model.parameters()]
    losses = learn_to_copy(model, 3, np.random.default_rng(5), batch=4, length=8)
    assert losses.shape == (3, 2)
    assert not any(np.array_equal(p.numpy(), q) for p, q in zip(model.parameters(), before, strict=True))
    again = AttentionOnly(8, 1, 1, 8, np.random.default_rng(0))
    first = repeats(np.random.default_rng(5), 4, 8, 8)
    np.testing.assert_allclose(losses[0, 1], copying_loss(again, first), rtol=1e-5)


@pytest.mark.slow
def test_two_layers_find_it_and_one_does_not():
    given = repeats(np.random.default_rng(99), 64, 32, 32)
    found = {}
    for layers in (1, 2):
        rng = np.random.default_rng(0)
        model = AttentionOnly(32, layers, 2, 64, rng)
        learn_to_copy(model, 500, rng)
        maps = attention_maps(lambda model=model: model(given.ids))
        found[layers] = model, copying_loss(model, given), [prefix_scores(w, given.periods).max() for w in maps]
    assert found[1][1] > 2
    assert found[2][1] < 1
    assert found[1][2][0] < 0.2
    assert found[2][2][0] < 0.1 < 0.5 < found[2][2][1]  # in the second layer, not in the first
    model = found[2][0]
    assert copying_scores(model)[1].min() > 0.9
    with edited(model, without_heads((1, 0), (1, 1))):
        assert copying_loss(model, given) > 3


def test_maps_of_gpt_have_scores_too():
    ml.manual_seed(0)
    model = GPT(GPTConfig(9, block_size=16, n_layer=1, n_head=2, n_embd=8))
    given = repeats(np.random.default_rng(0), 4, 16, 9)
    (maps,) = attention_maps(lambda: model(given.ids))
    np.testing.assert_allclose(prefix_scores(maps, given.periods), 0.09, atol=0.04)  # about 1 / t, evenly
