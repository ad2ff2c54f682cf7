r"""Layers over a graph: each node hears from its neighbors.

A step of message passing, as Gilmer et al. 2017 (arXiv:1704.01212, equations 1 and 2) have it:

.. math:: m_i = \sum_{j \to i} M(h_i, h_j), \qquad h_i' = U(h_i, m_i)

An edge :math:`j \to i` is a column of `Graph.edges`, so a step gathers along the first row and adds up along the second: no matrix
of all pairs of nodes is made. Its dense form, `Graph.dense`, is the specification. In shapes n is the number of nodes, E of edges.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.backend import to_device
from minilm.creation import zeros
from minilm.indices import positions
from minilm.nn import functional as F
from minilm.nn import init
from minilm.nn.checks import expect_sizes, expect_width
from minilm.nn.module import Module, Parameter
from minilm.ops.arguments import shape_of
from minilm.ops.embedding import embedding_grad
from minilm.ops.shape import concat
from minilm.tensor import Tensor
from minilm.types import Array, HostArray


class Graph:
    """Directed edges with weights.

    Args:
        edges: integers ``(2, E)``, in each column a source and a target.
        nodes: n, how many there are, also without an edge.
        weights: of the edges, ``(E,)``; default: 1 each. float32 if not float64.
        sources: how many sources there are, where those are not the nodes themselves (words that send to the texts they stand in).

    Raises:
        TypeError: the edges are not integers.
        ValueError: edges or weights have another shape.
        IndexError: an edge names a node that is not there.
    """

    def __init__(self, edges: Any, nodes: int, weights: Any = None, *, sources: int | None = None) -> None:
        edges = np.asarray(edges)
        if edges.size == 0:
            edges = np.zeros((2, 0), np.int64)
        if edges.ndim != 2 or len(edges) != 2:
            raise ValueError(f"Graph: edges must be (2, E), a row of sources and one of targets, got {edges.shape}.")
        if edges.dtype.kind not in "iu":
            raise TypeError(f"Graph: edges name nodes by their numbers: expected integers, got {edges.dtype}.")
        weights = np.ones(edges.shape[1], np.float32) if weights is None else np.asarray(weights)
        if weights.shape != edges.shape[1:]:
            raise ValueError(f"Graph: one weight per edge was expected, ({edges.shape[1]},), got {weights.shape}.")
        self.nodes, self.sources = nodes, nodes if sources is None else sources
        for row, size, what in zip(edges, (self.sources, nodes), ("source", "target"), strict=True):
            if row.size and not (row.min() >= 0 and row.max() < size):
                wrong = row[(row < 0) | (row >= size)][0]
                raise IndexError(f"Graph: there is no {what} {wrong}: there are {size}, 0 to {size - 1}.")
        self.edges = edges.astype(np.int64)
        self.weights = weights if weights.dtype == np.float64 else weights.astype(np.float32)

    def __repr__(self) -> str:
        of = f" from {self.sources}" if self.sources != self.nodes else ""
        return f"Graph({self.nodes} nodes{of}, {self.edges.shape[1]} edges)"

    @classmethod
    def normalized(cls, edges: Any, nodes: int) -> Graph:
        r"""Both directions of each edge, a loop at each node, and the weights of Kipf and Welling.

        .. math:: \hat A = \tilde D^{-1/2} (A + I) \tilde D^{-1/2}, \qquad \hat A_{ij} = \frac{1}{\sqrt{\tilde d_i \tilde d_j}}

        with :math:`\tilde d_i` one more than the neighbors of i (2017, arXiv:1609.02907, equation 2). Loops and repetitions in
        `edges` count nothing; a node without neighbors hears itself, with weight 1. Arguments and errors as `Graph`.
        """
        given = cls(edges, nodes).edges
        given = given[:, given[0] != given[1]]
        loops = np.tile(np.arange(nodes), (2, 1))
        both = np.unique(np.concatenate([given, given[::-1], loops], axis=1), axis=1)
        degrees = np.bincount(positions(both[1]), minlength=nodes)
        return cls(both, nodes, 1 / np.sqrt(degrees[both[0]] * degrees[both[1]]))

    def dense(self) -> HostArray:
        """The matrix ``(nodes, sources)`` whose product with the states of the sources is one step: `propagate`, as its specification."""
        matrix = np.zeros((self.nodes, self.sources), self.weights.dtype)
        np.add.at(matrix, (self.edges[1], self.edges[0]), self.weights)
        return matrix


def propagate(x: Tensor, graph: Graph) -> Tensor:
    r"""Sums of what the neighbors send.

    .. math:: y_i = \sum_{j \to i} w_{ji}\, x_j

    Shapes: x ``(sources, D)``, y ``(nodes, D)``. Time and memory are those of E rows, and not of all pairs.

    Raises:
        ValueError: x has not a row per source.
    """
    if len(shape_of(x)) != 2 or shape_of(x)[0] != graph.sources:
        raise ValueError(f"propagate: {graph!r} needs x of shape ({graph.sources}, D), got {shape_of(x)}.")
    sources, targets = _ends(graph, x)
    return _heard(F.embedding(sources, x), targets, graph)  # [E, D] -> [nodes, D]


def _ends(graph: Graph, like: Tensor) -> tuple[Array, Array]:
    """The sources and the targets of the edges, (E,) each, on the device of `like`."""
    sources, targets = (to_device(row, like.device) for row in graph.edges)
    return sources, targets


def _heard(messages: Tensor, targets: Array, graph: Graph) -> Tensor:
    """The weighted sum of the messages (E, K) at each target: (nodes, K)."""
    weights = to_device(graph.weights.astype(messages.dtype), messages.device)
    y: Tensor = embedding_grad(messages * weights.reshape(-1, 1), targets, rows=graph.nodes)
    return y


class GraphConv(Module):
    r"""The layer of a graph convolutional network, with `Graph.normalized` edges.

    .. math:: Y = \hat A X W^\top + b

    (Kipf and Welling 2017, arXiv:1609.02907, equation 2, without the activation.) Shapes: x ``(n, in_features)``, y
    ``(n, out_features)``, W and b as in `Linear`. The step over the edges is taken where vectors are shorter: before W
    or after it, which is the same.

    Args:
        bias: False leaves b out.

    Raises:
        ValueError: the input's last axis is not in_features, or it has not a row per node.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        expect_sizes("GraphConv", in_features=in_features, out_features=out_features)
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(zeros(out_features, in_features))
        self.bias = Parameter(zeros(out_features)) if bias else None
        init.default_(self.weight, self.bias)

    def forward(self, x: Tensor, graph: Graph) -> Tensor:
        expect_width(self, x, self.in_features)
        if self.in_features < self.out_features:
            return F.linear(propagate(x, graph), self.weight, self.bias)
        y = propagate(F.linear(x, self.weight), graph)
        return y if self.bias is None else y + self.bias

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class MessagePassing(Module):
    r"""A step of message passing with learned messages.

    .. math:: m_i = \sum_{j \to i} w_{ji}\, M([h_i; h_j]), \qquad h_i' = U([h_i; m_i])

    A node without an edge to it has :math:`m_i = 0`. Shapes: h ``(n, D)``; M takes ``(E, 2 D)`` to ``(E, K)``, U takes
    ``(n, D + K)`` to the output.

    Args:
        message, update: the modules M and U.

    Raises:
        ValueError: h has not a row per node.
    """

    def __init__(self, message: Module, update: Module) -> None:
        super().__init__()
        self.message, self.update = message, update

    def forward(self, h: Tensor, graph: Graph) -> Tensor:
        if len(shape_of(h)) != 2 or shape_of(h)[0] != graph.nodes or graph.sources != graph.nodes:
            raise ValueError(f"MessagePassing: {graph!r} needs h of shape ({graph.nodes}, D), got {shape_of(h)}.")
        sources, targets = _ends(graph, h)
        messages = self.message(concat([F.embedding(targets, h), F.embedding(sources, h)], axis=1))  # [E, K]
        y: Tensor = self.update(concat([h, _heard(messages, targets, graph)], axis=1))
        return y


__all__ = ["Graph", "GraphConv", "MessagePassing", "propagate"]
