"""Steps over edges against matrices of all pairs, and graphs that are none."""

import numpy as np
import pytest

import minilm as ml
from minilm import nn
from minilm.gradcheck import gradcheck, gradgradcheck
from minilm.nn.graph import Graph, propagate


def random_graph(rng, nodes, edges, sources=None):
    """With repeated edges and loops."""
    pairs = np.stack([rng.integers(0, sources or nodes, edges), rng.integers(0, nodes, edges)])
    return Graph(pairs, nodes, rng.standard_normal(edges), sources=sources)


def by_hand(edges, nodes):
    """Kipf and Welling's matrix, as the formula has it."""
    a = np.eye(nodes)
    for j, i in np.asarray(edges).T:
        if i != j:
            a[i, j] = a[j, i] = 1
    d = np.diag(a.sum(axis=1) ** -0.5)
    return d @ a @ d


@pytest.mark.parametrize("sources", [None, 7])
@pytest.mark.parametrize("seed", range(5))
def test_propagate_is_the_product_with_the_dense_matrix(seed, sources, device):
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, 5, 12, sources)
    x = ml.Tensor(rng.standard_normal((sources or 5, 3)), requires_grad=True).to(device)
    np.testing.assert_allclose(propagate(x, graph).numpy(), graph.dense() @ x.numpy(), rtol=1e-12, atol=1e-12)


def test_propagate_is_a_loop_over_edges():
    rng = np.random.default_rng(1)
    graph, x, y = random_graph(rng, 4, 9), rng.standard_normal((4, 2)), np.zeros((4, 2))
    for (j, i), w in zip(graph.edges.T, graph.weights, strict=True):
        y[i] += w * x[j]
    np.testing.assert_allclose(propagate(ml.Tensor(x), graph).numpy(), y, rtol=1e-12)


def test_an_edge_has_a_direction():
    y = propagate(ml.tensor([[1.0], [2.0], [4.0]]), Graph([[0], [1]], 3))
    assert y.tolist() == [[0.0], [1.0], [0.0]]


def test_derivatives_of_a_step(device):
    rng = np.random.default_rng(0)
    graph = random_graph(rng, 4, 9, 3)
    x = ml.Tensor(rng.standard_normal((3, 2)), device=device, requires_grad=True)
    gradcheck(lambda x: propagate(x, graph), x)
    gradgradcheck(lambda x: propagate(x.tanh(), graph), x)


@pytest.mark.parametrize("seed", range(5))
def test_normalized_is_the_formula(seed):
    edges = np.random.default_rng(seed).integers(0, 6, (2, 8))
    graph = Graph.normalized(edges, 7)
    np.testing.assert_allclose(graph.dense(), by_hand(edges, 7), rtol=1e-6)
    assert len(np.unique(graph.edges, axis=1).T) == graph.edges.shape[1]


def test_of_four_nodes_the_numbers_of_the_book():
    graph = Graph.normalized([[0, 1], [1, 2]], 4)
    np.testing.assert_allclose(graph.dense()[:, 1], [1 / 6**0.5, 1 / 3, 1 / 6**0.5, 0], rtol=1e-6)
    assert graph.dense()[3].tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize("edges", [[], [[], []], np.zeros((2, 0))])
def test_without_an_edge_each_node_hears_itself(edges):
    assert Graph.normalized(edges, 3).dense().tolist() == np.eye(3).tolist()
    assert propagate(ml.ones(3, 2), Graph(edges, 3)).tolist() == np.zeros((3, 2)).tolist()


def test_both_orders_of_a_convolution_are_one(device):
    rng, graph = np.random.default_rng(0), Graph.normalized([[0, 0, 1], [1, 2, 3]], 4)
    for sizes in ((2, 5), (5, 2)):
        layer = nn.GraphConv(*sizes).to(device)
        x = ml.Tensor(rng.standard_normal((4, sizes[0])).astype(np.float32), device=device)
        w, b = layer.weight.numpy(), layer.bias.numpy()
        np.testing.assert_allclose(layer(x, graph).numpy(), graph.dense() @ x.numpy() @ w.T + b, rtol=1e-4, atol=1e-6)


def test_message_passing_with_linear_parts_is_a_convolution():
    graph, x = Graph.normalized([[0, 0, 1], [1, 2, 3]], 5), np.random.default_rng(0).standard_normal((5, 2))
    layer, conv = (
        nn.MessagePassing(nn.Linear(4, 3, bias=False), nn.Linear(5, 3)).to("float64"),
        nn.GraphConv(2, 3).to("float64"),
    )
    nothing = np.zeros((3, 2))
    with ml.no_grad():
        layer.message.weight.copy_(ml.tensor(np.hstack([nothing, conv.weight.numpy()])))  # what the source sends
        layer.update.weight.copy_(ml.tensor(np.hstack([nothing, np.eye(3)])))
        layer.update.bias.copy_(conv.bias)
    np.testing.assert_allclose(layer(ml.Tensor(x), graph).numpy(), conv(ml.Tensor(x), graph).numpy(), rtol=1e-12)


def test_message_passing_is_a_loop_over_nodes():
    rng, graph = np.random.default_rng(3), random_graph(np.random.default_rng(3), 4, 7)
    layer, h = nn.MessagePassing(nn.Linear(4, 3), nn.Linear(5, 2)).to("float64"), rng.standard_normal((4, 2))
    for i in range(4):
        heard = np.zeros(3)
        for (j, k), w in zip(graph.edges.T, graph.weights, strict=True):
            if k == i:
                heard += w * layer.message(ml.Tensor(np.concatenate([h[i], h[j]]))).numpy()
        expected = layer.update(ml.Tensor(np.concatenate([h[i], heard]))).numpy()
        np.testing.assert_allclose(layer(ml.Tensor(h), graph).numpy()[i], expected, rtol=1e-10)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_type_of_the_states_is_kept(dtype, device):
    x = ml.ones(3, 2, dtype=dtype, device=device)
    assert propagate(x, Graph.normalized([[0], [1]], 3)).dtype == np.dtype(dtype)
    back = ml.Tensor(np.arange(12.0, dtype=dtype).reshape(2, 6)[:, ::3].T, device=device)  # not contiguous
    assert propagate(back, Graph([[1], [0]], 2)).numpy().tolist() == [[3.0, 9.0], [0.0, 0.0]]


def test_a_nan_stays_among_those_who_hear_it():
    y = propagate(ml.tensor([[float("nan")], [1.0], [2.0]]), Graph([[0, 2], [1, 2]], 3)).numpy()[:, 0]
    assert np.isnan(y).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("edges", "more", "error", "says"),
    [
        ([[0], [1], [2]], {}, ValueError, r"edges must be \(2, E\).*got \(3, 1\)"),
        ([0, 1], {}, ValueError, r"got \(2,\)"),
        ([[0.5], [1.0]], {}, TypeError, "expected integers, got float64"),
        ([[0], [3]], {}, IndexError, "no target 3: there are 3, 0 to 2"),
        ([[-1], [0]], {}, IndexError, "no source -1"),
        ([[5], [0]], {"sources": 5}, IndexError, "no source 5: there are 5"),
        ([[0], [1]], {"weights": [1.0, 2.0]}, ValueError, r"one weight per edge was expected, \(1,\), got \(2,\)"),
    ],
)
def test_what_is_no_graph_is_refused(edges, more, error, says):
    with pytest.raises(error, match=says):
        Graph(edges, 3, **more)


def test_states_that_do_not_fit_the_graph_are_refused():
    graph = Graph([[0], [1]], 3)
    with pytest.raises(ValueError, match=r"Graph\(3 nodes, 1 edges\) needs x of shape \(3, D\), got \(2, 4\)"):
        propagate(ml.zeros(2, 4), graph)
    with pytest.raises(ValueError, match=r"\(\.\.\., 2\), got \(3, 4\)"):
        nn.GraphConv(2, 2)(ml.zeros(3, 4), graph)
    for wrong in (ml.zeros(2, 2), ml.zeros(3)):
        with pytest.raises(ValueError, match=r"needs h of shape \(3, D\)"):
            nn.MessagePassing(nn.Linear(4, 1), nn.Linear(3, 1))(wrong, graph)
    with pytest.raises(ValueError, match="from 2"):
        nn.MessagePassing(nn.Linear(4, 1), nn.Linear(3, 1))(ml.zeros(3, 2), Graph([[0], [1]], 3, sources=2))
