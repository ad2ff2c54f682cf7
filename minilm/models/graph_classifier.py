r"""Classifiers of the nodes of a graph, each of which has a set of words, or whatever else is listed of it.

Words are nodes, too, that send to those whose words they are: a bag of words times a matrix, :math:`X W`, is one step of
`minilm.nn.graph.propagate` from the rows of W, and no matrix of all words by all nodes is made. :math:`\hat A` is `Graph.normalized`.

In shapes n is the number of nodes, V of words, C of classes.
"""

from __future__ import annotations

import itertools

import numpy as np

from minilm import nn
from minilm.creation import zeros
from minilm.nn import functional as F
from minilm.nn.graph import Graph, GraphConv, propagate
from minilm.nn.module import Parameter
from minilm.tensor import Tensor
from minilm.types import HostArray


class GCN(nn.Module):
    r"""A graph convolutional network (Kipf and Welling 2017, arXiv:1609.02907).

    .. math:: H^1 = \operatorname{ReLU}(\hat A X W^1 + b^1), \quad \dots, \quad \text{logits} = \hat A H^{L-1} W^L + b^L

    Args:
        words: V.
        width: of the hidden states.
        classes: C.
        layers: L, at least 2.
        dropout: of the states before each but the first layer.

    Raises:
        ValueError: fewer than two layers.
    """

    def __init__(self, words: int, width: int, classes: int, layers: int = 2, dropout: float = 0.5) -> None:
        super().__init__()
        if layers < 2:
            raise ValueError(f"GCN: it has at least 2 layers, got {layers}; SGC is the linear one.")
        self.table, self.bias = Parameter(zeros(words, width)), Parameter(zeros(width))
        nn.init.xavier_uniform_(self.table)
        sizes = [width] * (layers - 1) + [classes]
        self.layers = nn.ModuleList([GraphConv(m, n) for m, n in itertools.pairwise(sizes)])
        self.dropout = nn.Dropout(dropout)

    def states(self, words: Graph, graph: Graph) -> list[Tensor]:
        """What each layer says, the last one the logits; words go from V sources to n nodes, graph joins the n."""
        found = [propagate(propagate(self.table, words), graph) + self.bias]
        for layer in self.layers:
            found.append(layer(self.dropout(F.relu(found[-1])), graph))
        return found

    def forward(self, words: Graph, graph: Graph) -> Tensor:
        """The logits (n, C)."""
        return self.states(words, graph)[-1]


class SGC(nn.Module):
    r"""What is left of a GCN without its activations: logistic regression on words that were passed on K times.

    .. math:: \text{logits} = \hat A^K X W + b

    (Wu et al. 2019, *Simplifying Graph Convolutional Networks*, arXiv:1902.07153.) With K = 0 it is logistic regression on a
    node's own words.

    Args:
        words, classes: V and C.
        steps: K.
    """

    def __init__(self, words: int, classes: int, steps: int = 2) -> None:
        super().__init__()
        self.table, self.bias, self.steps = Parameter(zeros(words, classes)), Parameter(zeros(classes)), steps

    def forward(self, words: Graph, graph: Graph) -> Tensor:
        """The logits (n, C)."""
        y = propagate(self.table, words)
        for _ in range(self.steps):
            y = propagate(y, graph)
        return y + self.bias


def propagate_labels(
    graph: Graph, labels: HostArray, known: HostArray, classes: int, *, share: float = 0.9, steps: int = 50
) -> HostArray:
    r"""Scores of the classes for each node, from the labels of some: each passes on what it hears.

    .. math:: F \leftarrow \alpha \hat A F + (1 - \alpha) Y

    (Zhou et al. 2004, *Learning with Local and Global Consistency*, NIPS 16.) It converges to
    :math:`(1 - \alpha)(I - \alpha \hat A)^{-1} Y`. A node that no label reaches has 0 for each class.

    Args:
        labels: of the nodes, ``(n,)``; only those of `known` are read.
        known: numbers of the nodes whose labels are given.
        share: :math:`\alpha`, below 1.
        steps: how often.

    Returns:
        ``(n, C)``, float64.
    """
    given = np.zeros((graph.nodes, classes))
    given[known, labels[known]] = 1
    scores = given
    for _ in range(steps):
        scores = share * propagate(Tensor(scores, device="cpu"), graph).numpy() + (1 - share) * given
    return scores


__all__ = ["GCN", "SGC", "propagate_labels"]
