"""Classifiers of nodes against dense matrices, and labels passed on against the solution that they converge to."""

import numpy as np
import pytest

import minilm as ml
from minilm.gradcheck import gradcheck
from minilm.models.graph_classifier import GCN, SGC, propagate_labels
from minilm.nn import functional as F
from minilm.nn.graph import Graph

CHAIN = Graph.normalized(np.array([[0, 1, 2], [1, 2, 3]]), 6)
WORDS = Graph([[0, 1, 1, 2, 4], [0, 0, 1, 3, 5]], 6, sources=5)


def filled(model, seed=0):
    rng = np.random.default_rng(seed)
    with ml.no_grad():
        for p in model.to("float64").parameters():
            p.copy_(ml.tensor(rng.standard_normal(p.shape)))
    return model.eval()


@pytest.mark.parametrize("layers", [2, 3])
def test_gcn_is_the_formula(layers):
    model, a, x = filled(GCN(5, 4, 3, layers)), CHAIN.dense().astype(float), WORDS.dense().astype(float)
    h = a @ x @ model.table.numpy() + model.bias.numpy()
    for layer in model.layers:
        h = a @ np.maximum(h, 0) @ layer.weight.numpy().T + layer.bias.numpy()
    np.testing.assert_allclose(model(WORDS, CHAIN).numpy(), h, rtol=1e-5, atol=1e-6)
    assert len(model.states(WORDS, CHAIN)) == layers


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_sgc_is_the_formula(steps):
    model, a = filled(SGC(5, 3, steps)), np.linalg.matrix_power(CHAIN.dense().astype(float), steps)
    expected = a @ WORDS.dense() @ model.table.numpy() + model.bias.numpy()
    np.testing.assert_allclose(model(WORDS, CHAIN).numpy(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("make", [lambda: GCN(5, 4, 3), lambda: SGC(5, 3)])
def test_gradients_reach_every_parameter(make):
    model = filled(make())
    classes = ml.tensor([0, 1, 2, 0, 1, 2])
    gradcheck(lambda *_: F.cross_entropy(model(WORDS, CHAIN), classes), *model.parameters())


def test_dropout_is_for_training_only():
    model = filled(GCN(5, 4, 3))
    assert model(WORDS, CHAIN).tolist() == model(WORDS, CHAIN).tolist()
    model.train()
    assert model(WORDS, CHAIN).tolist() != model(WORDS, CHAIN).tolist()


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_labels_that_are_passed_on_converge_to_the_solution(share):
    labels, known = np.array([2, 9, 9, 0, 9, 1]), np.array([0, 3])
    given = np.zeros((6, 3))
    given[0, 2] = given[3, 0] = 1
    expected = (1 - share) * np.linalg.solve(np.eye(6) - share * CHAIN.dense(), given)
    found = propagate_labels(CHAIN, labels, known, 3, share=share, steps=300)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)
    assert found[4].tolist() == [0, 0, 0]  # no label reaches it
    assert found[5].tolist() == [0, 0, 0]  # its label is not given


def test_a_gcn_of_one_layer_is_refused():
    with pytest.raises(ValueError, match="at least 2 layers, got 1"):
        GCN(5, 4, 3, layers=1)
