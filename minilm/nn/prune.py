r"""Pruning: the weights that matter least are set to zero, and stay zero.

Which matter least? LeCun, Denker and Solla 1990 (*Optimal Brain Damage*, NIPS 2) asked how much the loss would rise, by its second
derivative; Han, Pool, Tran and Dally 2015 (*Learning both Weights and Connections for Efficient Neural Networks*, arXiv:1506.02626) took
the size :math:`|w|`, pruned, and trained what was left. Here:

- `prune`: the smallest of the whole model, or of each matrix; or any, by chance, as a control;
- `prune_n_of_m`: of each m weights beside each other in a row the n largest stay, 2 of 4 as some GPUs can use (Mishra et al. 2021,
  *Accelerating Sparse Deep Neural Networks*, arXiv:2104.08378).

A zero in a dense matrix takes its four bytes and its multiplication like any other number. Nothing here is faster or smaller for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from minilm.backend import to_device, to_host
from minilm.graph import no_grad
from minilm.nn.linears import Place, chosen
from minilm.nn.module import Module, Parameter
from minilm.tensor import Tensor
from minilm.types import HostArray


class Masks:
    """Which weights stay. Call `apply` after each step of an optimizer: it does not know that a weight is to stay zero.

    Args:
        kept: by name, the parameter and an array of its shape, True where a weight stays.
    """

    def __init__(self, kept: Mapping[str, tuple[Parameter, HostArray]]) -> None:
        self._kept = {name: (p, Tensor(to_device(mask, p.device))) for name, (p, mask) in kept.items()}
        self.apply()

    @no_grad()
    def apply(self) -> None:
        """Sets to zero what does not stay."""
        for p, mask in self._kept.values():
            p.copy_(p * mask.astype(p.dtype))

    def __getitem__(self, name: str) -> Tensor:
        """The mask of a parameter, True where a weight stays."""
        return self._kept[name][1]

    @property
    def sparsity(self) -> float:
        """The share of weights that are set to zero, of those that have a mask."""
        total = sum(mask.size for _, mask in self._kept.values())
        return 1 - sum(int(to_host(mask.data).sum()) for _, mask in self._kept.values()) / total


def largest(scores: HostArray, sparsity: float) -> HostArray:
    """True for all but the share `sparsity` of smallest scores: round(sparsity n) of n, of equal ones the first.

    Raises:
        ValueError: the share is not 0 to 1, or a score is NaN.
    """
    if not 0 <= sparsity <= 1:
        raise ValueError(f"prune: sparsity is the share of weights that go, from 0 to 1; got {sparsity}.")
    if np.isnan(scores).any():
        raise ValueError("prune: a weight is NaN, and has no place among the others.")
    kept = np.ones(scores.size, bool)
    kept[np.argsort(scores, axis=None, kind="stable")[: round(sparsity * scores.size)]] = False
    return kept.reshape(scores.shape)


def n_of_m(scores: HostArray, n: int = 2, m: int = 4) -> HostArray:
    """True for the n largest scores of each m that stand beside each other in the last axis, of equal ones the last.

    Raises:
        ValueError: m does not divide the last axis, or n is not 0 to m.
    """
    if not 0 <= n <= m or m < 1 or scores.ndim == 0 or scores.shape[-1] % m:
        raise ValueError(
            f"prune_n_of_m: {n} of {m} needs 0 <= n <= m, and rows of a multiple of {m}; got {scores.shape}."
        )
    groups = scores.reshape(-1, m)
    kept = np.zeros(groups.shape, bool)
    np.put_along_axis(kept, np.argsort(groups, axis=-1, kind="stable")[:, m - n :], True, axis=-1)
    return kept.reshape(scores.shape)


def prune(
    model: Module,
    sparsity: float,
    scope: str = "global",
    by: str = "magnitude",
    targets: Sequence[str] | None = None,
    rng: np.random.Generator | None = None,
) -> Masks:
    """Sets a share of the weights of linear layers to zero. Biases, norms and embeddings stay.

    Args:
        model: changed in place.
        sparsity: the share that goes, from 0 to 1.
        scope: "global": the smallest of all; "layer": of each matrix the same share.
        by: "magnitude", or "random" as a control.
        targets: what the layers' paths end in; None: all.
        rng: draws the random ones.

    Raises:
        ValueError: the sparsity, scope or order is unknown, a weight is NaN, no layer is so named, or a random order has no `rng`.
    """
    if scope not in ("global", "layer") or by not in ("magnitude", "random"):
        raise ValueError(
            f"prune: scope is 'global' or 'layer', by is 'magnitude' or 'random'; got {scope!r} and {by!r}."
        )
    if by == "random" and rng is None:
        raise ValueError("prune: a random order needs rng=np.random.default_rng(seed).")
    weights = _weights(chosen(model, targets))
    scores = {
        name: np.abs(to_host(p.data)) if rng is None or by == "magnitude" else rng.random(p.shape)
        for name, p in weights.items()
    }
    if scope == "layer":
        return Masks({name: (p, largest(scores[name], sparsity)) for name, p in weights.items()})
    flat = largest(np.concatenate([s.reshape(-1) for s in scores.values()]), sparsity)
    parts = np.split(flat, np.cumsum([s.size for s in scores.values()])[:-1])
    return Masks({name: (p, part.reshape(p.shape)) for (name, p), part in zip(weights.items(), parts, strict=True)})


def prune_n_of_m(model: Module, n: int = 2, m: int = 4, targets: Sequence[str] | None = None) -> Masks:
    """Of each m weights beside each other in a row of a linear layer, all but the n largest are set to zero.

    Raises:
        ValueError: as `n_of_m`, or no layer is so named.
    """
    weights = _weights(chosen(model, targets))
    return Masks({name: (p, n_of_m(np.abs(to_host(p.data)), n, m)) for name, p in weights.items()})


def _weights(found: Sequence[Place]) -> dict[str, Parameter]:
    """The matrices of the layers by name, each once."""
    weights: dict[int, tuple[str, Parameter]] = {}
    for place in found:
        weights.setdefault(id(place.layer.weight), (f"{place.path}.weight", place.layer.weight))
    return dict(weights.values())


__all__ = ["Masks", "largest", "n_of_m", "prune", "prune_n_of_m"]
