"""Pruning: what goes, what stays, and that it stays while the rest learns."""

import itertools

import numpy as np
import pytest

import minilm as ml
from minilm import nn
from minilm.models import MLP
from minilm.nn import functional as F
from minilm.nn.prune import Masks, largest, n_of_m, prune, prune_n_of_m
from minilm.optim import SGD, AdamW


def mlp(seed=0, device=None):
    model, rng = MLP((8, 16, 4)), np.random.default_rng(seed)
    for p in model.parameters():
        nn.init.normal_(p, rng=rng)
    return model if device is None else model.to(device)


def zeros(layer):
    return float((layer.weight.numpy() == 0).mean())


def test_the_smallest_of_all_go(device):
    model = mlp(device=device)
    sizes = np.concatenate([np.abs(layer.weight.numpy()).ravel() for layer in model.layers])
    biases = [layer.bias.numpy().copy() for layer in model.layers]
    masks = prune(model, 0.25)
    gone = np.concatenate([layer.weight.numpy().ravel() == 0 for layer in model.layers])
    assert gone.sum() == 48 == round(0.25 * 192)
    assert sizes[gone].max() < sizes[~gone].min()
    assert masks.sparsity == 0.25
    for layer, bias in zip(model.layers, biases, strict=True):
        np.testing.assert_array_equal(layer.bias.numpy(), bias)
    np.testing.assert_array_equal(masks["layers.0.weight"].numpy(), model.layers[0].weight.numpy() != 0)


def test_of_each_matrix_the_same_share():
    model = mlp()
    with ml.no_grad():
        model.layers[0].weight.copy_(model.layers[0].weight * 100.0)
    prune(model, 0.25, scope="layer")
    assert [zeros(layer) for layer in model.layers] == [0.25, 0.25]
    model = mlp()
    with ml.no_grad():
        model.layers[0].weight.copy_(model.layers[0].weight * 100.0)
    prune(model, 0.25)
    assert zeros(model.layers[1]) > 0.6
    assert zeros(model.layers[0]) < 0.05


def test_a_random_share_is_no_smaller_than_the_rest():
    model = mlp()
    sizes = np.abs(model.layers[0].weight.numpy())
    prune(model, 0.5, by="random", rng=np.random.default_rng(0))
    gone = model.layers[0].weight.numpy() == 0
    assert sizes[gone].max() > np.median(sizes)
    first, second, third = (mlp() for _ in range(3))
    for model, seed in ((first, 1), (second, 1), (third, 2)):
        prune(model, 0.5, by="random", rng=np.random.default_rng(seed))
    np.testing.assert_array_equal(first.layers[0].weight.numpy(), second.layers[0].weight.numpy())
    assert (first.layers[0].weight.numpy() != third.layers[0].weight.numpy()).any()


@pytest.mark.parametrize("optimizer", [AdamW, lambda p, lr: SGD(p, lr=lr, momentum=0.9, weight_decay=0.1)])
def test_zeros_stay_zeros_while_the_rest_learns(optimizer):
    model = mlp()
    x, y = np.random.default_rng(1).standard_normal((20, 8)).astype(np.float32), np.arange(20) % 4
    stepper = optimizer(list(model.parameters()), lr=0.01)

    def step():
        model.zero_grad()
        loss = F.cross_entropy(model(ml.Tensor(x)), ml.Tensor(y))
        loss.backward()
        stepper.step()
        return float(loss)

    step()  # momentum that would move what is pruned
    masks = prune(model, 0.5)
    before = model.layers[0].weight.numpy().copy()
    assert 0.3 < (before == 0).mean() < 0.7
    losses = []
    for _ in range(20):
        losses.append(step())
        masks.apply()
    after = model.layers[0].weight.numpy()
    np.testing.assert_array_equal(after == 0, before == 0)
    assert (after != before)[before != 0].mean() > 0.9
    assert losses[-1] < losses[0]


def test_n_of_m_is_the_best_choice_of_all():
    scores = np.random.default_rng(0).random((5, 12))
    kept = n_of_m(scores, 2, 4)
    for group, mask in zip(scores.reshape(-1, 4), kept.reshape(-1, 4), strict=True):
        best = max(itertools.combinations(range(4), 2), key=lambda chosen: group[list(chosen)].sum())
        assert np.flatnonzero(mask).tolist() == list(best)
    assert kept.reshape(-1, 4).sum(axis=1).tolist() == [2] * 15
    assert n_of_m(np.ones((1, 4)), 1, 4).sum() == 1


def test_two_of_four_of_a_model():
    model = mlp()
    before = np.abs(model.layers[0].weight.numpy())
    masks = prune_n_of_m(model)
    assert masks.sparsity == 0.5
    np.testing.assert_array_equal(model.layers[0].weight.numpy() != 0, n_of_m(before))


def test_a_tied_weight_counts_once():
    model = MLP((4, 4, 4))
    model.layers[1].weight = model.layers[0].weight
    prune(model, 0.5, by="random", rng=np.random.default_rng(0))
    assert zeros(model.layers[0]) == 0.5


def test_edges():
    for sparsity, want in ((0.0, 0.0), (1.0, 1.0)):
        model = mlp()
        assert prune(model, sparsity).sparsity == want
    assert largest(np.array([1.0, 1.0, 1.0, 1.0]), 0.5).tolist() == [False, False, True, True]
    assert largest(np.zeros(0), 0.5).shape == (0,)
    model = mlp()
    prune(model, 0.5, targets=["layers.1"])
    assert [zeros(layer) for layer in model.layers] == [0, 0.5]
    half = mlp().to("float16")
    prune(half, 0.5)
    assert half.layers[0].weight.dtype == np.float16


def test_wrong_input():
    model = mlp()
    for sparsity in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match="share of weights that go, from 0 to 1"):
            prune(model, sparsity)
    with pytest.raises(ValueError, match="'sideways' and 'magnitude'"):
        prune(model, 0.5, scope="sideways")
    with pytest.raises(ValueError, match="'global' and 'luck'"):
        prune(model, 0.5, by="luck")
    with pytest.raises(ValueError, match=r"needs rng=np.random.default_rng"):
        prune(model, 0.5, by="random")
    with pytest.raises(ValueError, match=r"2 of 3 needs .* multiple of 3; got \(16, 8\)"):
        prune_n_of_m(model, 2, 3)
    with pytest.raises(ValueError, match="5 of 4"):
        n_of_m(np.ones(4), 5, 4)
    with pytest.raises(ValueError, match="no linear layer"):
        prune(model, 0.5, targets=["head"])
    with ml.no_grad():
        model.layers[0].weight[0, 0] = np.nan
    with pytest.raises(ValueError, match="a weight is NaN"):
        prune(model, 0.5)
    assert isinstance(Masks({}), Masks)
