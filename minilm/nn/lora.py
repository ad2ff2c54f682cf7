r"""LoRA: a frozen model learns through small matrices beside its linear layers.

.. math:: y = W x + b + \frac{\alpha}{r}\, B A x

with A ``(r, in)`` and B ``(out, r)``: r (in + out) numbers learn instead of in out. A starts random and B at zero, so at the start nothing
has changed; after training :math:`W + \frac{\alpha}{r} B A` is a matrix like any other, and `merge_lora` makes it one.

Hu, Shen, Wallis, Allen-Zhu, Li, Wang, Wang and Chen 2021, *LoRA: Low-Rank Adaptation of Large Language Models*, arXiv:2106.09685,
section 4.1. On a `QuantizedLinear` it is what Dettmers et al. 2023 do (*QLoRA*, arXiv:2305.14314, section 3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from minilm.backend import to_device, to_host
from minilm.creation import zeros
from minilm.formats import safetensors
from minilm.graph import no_grad
from minilm.nn import functional as F
from minilm.nn import init
from minilm.nn.checks import expect_sizes, expect_width
from minilm.nn.linear import Linear
from minilm.nn.linears import Place, chosen, places
from minilm.nn.module import Module, Parameter
from minilm.nn.quantized import QuantizedLinear
from minilm.tensor import Tensor
from minilm.types import HostArray


class LoRALinear(Module):
    """A frozen linear layer and what is learned beside it.

    Args:
        base: the layer; its weight and bias are frozen.
        rank: r, at most the smaller of the layer's widths.
        alpha: what B A x is multiplied by, times r: so that another rank needs no other learning rate.
        rng: draws A, uniform in +-1/sqrt(in) as Linear's weights; default: the global host generator.

    Raises:
        TypeError: the rank is no integer.
        ValueError: the rank is out of range, or alpha is not positive and finite.
    """

    def __init__(
        self, base: Linear | QuantizedLinear, rank: int, alpha: float, rng: np.random.Generator | None = None
    ) -> None:
        super().__init__()
        expect_sizes("LoRALinear", rank=rank)
        if rank > min(base.in_features, base.out_features):
            raise ValueError(
                f"LoRALinear: rank {rank} is more than {base!r} can have; take at most "
                f"{min(base.in_features, base.out_features)}."
            )
        if not 0 < alpha < math.inf:
            raise ValueError(f"LoRALinear: alpha must be positive, got {alpha}.")
        self.in_features, self.out_features = base.in_features, base.out_features
        self.rank, self.alpha = rank, float(alpha)
        self.base: Linear | QuantizedLinear = base.requires_grad_(False)
        like = base.weight if isinstance(base, Linear) else base.scales
        dtype = like.dtype if isinstance(base, Linear) else np.dtype(np.float32)
        self.A, self.B = (
            Parameter(zeros(*shape, device=like.device).astype(dtype))
            for shape in ((rank, base.in_features), (base.out_features, rank))
        )
        init.default_(self.A, rng=rng)

    @property
    def scale(self) -> float:
        """alpha / r."""
        return self.alpha / self.rank

    def forward(self, x: Tensor) -> Tensor:
        expect_width(self, x, self.in_features)
        return self.base(x) + F.linear(F.linear(x, self.A), self.B) * self.scale

    def extra_repr(self) -> str:
        return f"rank={self.rank}, alpha={self.alpha:g}"


def add_lora(
    model: Module,
    rank: int = 8,
    alpha: float | None = None,
    targets: Sequence[str] | None = None,
    rng: np.random.Generator | None = None,
) -> list[str]:
    """Freezes a model and puts adapters beside its linear layers, in place. The model computes what it did before.

    What is to learn besides them, such as a new head, is asked to: ``model.head.requires_grad_(True)``.

    Args:
        model: its `Linear` and `QuantizedLinear` layers get an adapter.
        rank, alpha: as for `LoRALinear`; alpha None: 2 r.
        targets: what their paths end in, such as ["q_proj", "v_proj"]; None: all.
        rng: draws the matrices A.

    Returns:
        The paths of the layers.

    Raises:
        ValueError: the model has adapters already, no layer is so named, or as `LoRALinear`. Then nothing has been changed.
    """
    if found := list(places(model, LoRALinear)):
        raise ValueError(f"add_lora: the model has adapters already, such as {found[0].path}: merge_lora first.")
    where = chosen(model, targets, Linear, QuantizedLinear)
    small = min(min(place.layer.in_features, place.layer.out_features) for place in where)
    expect_sizes("add_lora", rank=rank)
    if rank > small:
        raise ValueError(f"add_lora: rank {rank} is more than the smallest layer's width, {small}: name other targets.")
    made: dict[int, LoRALinear] = {}
    for place in where:
        if id(place.layer) not in made:
            layer = LoRALinear(place.layer, rank, 2.0 * rank if alpha is None else alpha, rng)
            made[id(place.layer)] = layer.train(place.layer.training)
    model.requires_grad_(False)
    for place in where:
        setattr(place.parent, place.name, made[id(place.layer)])
        for learned in (made[id(place.layer)].A, made[id(place.layer)].B):
            learned.requires_grad_(True)
    return [place.path for place in where]


@no_grad()
def merge_lora(model: Module) -> list[str]:
    """Adds each adapter's product to its matrix, and puts the linear layer back: W + (alpha / r) B A. The weights stay frozen.

    Returns:
        The paths of the layers.

    Raises:
        ValueError: there is no adapter, or one stands beside a `QuantizedLinear`, whose integers cannot take up a sum. Then nothing has
            been changed.
    """
    found = _adapters(model, "merge_lora")
    for place in found:
        if not isinstance(place.layer.base, Linear):
            raise ValueError(f"merge_lora: {place.path} stands beside quantized weights, which cannot take up a sum.")
    merged: set[int] = set()
    for place in found:
        layer = place.layer
        if id(layer) not in merged:
            weight = layer.base.weight
            weight.copy_(weight + (layer.B @ layer.A) * layer.scale)
            merged.add(id(layer))
        setattr(place.parent, place.name, layer.base)
    return [place.path for place in found]


def save_lora(model: Module, path: str | Path) -> None:
    """Writes the adapters alone, A and B by path with their alpha, as safetensors.

    Raises:
        ValueError: there is no adapter.
    """
    arrays: dict[str, HostArray] = {}
    alphas: dict[str, str] = {}
    for place in _adapters(model, "save_lora"):
        for name in ("A", "B"):
            arrays[f"{place.path}.{name}"] = to_host(getattr(place.layer, name).data)
        alphas[place.path] = repr(place.layer.alpha)
    safetensors.write(path, arrays, metadata=alphas)


def load_lora(model: Module, path: str | Path) -> list[str]:
    """Reads adapters and puts them beside the linear layers of those paths. Those that the model has are replaced.

    Returns:
        The paths of the layers.

    Raises:
        FormatError: the file is none that can be read.
        ValueError: the file holds something else, or a layer that the model does not have, or of other widths. Then nothing has been
            changed.
    """
    arrays, alphas = safetensors.read_all(path)
    if not alphas or {f"{p}.{name}" for p in alphas for name in ("A", "B")} != set(arrays):
        raise ValueError(f"{path} holds no adapters: expected A, B and alpha for each layer, as save_lora writes them.")
    here = {place.path: place for place in places(model, Linear, QuantizedLinear, LoRALinear)}
    for at in alphas:
        A, B = arrays[f"{at}.A"], arrays[f"{at}.B"]
        wanted = (here[at].layer.out_features, here[at].layer.in_features) if at in here else None
        if A.ndim != 2 or B.ndim != 2 or A.shape[0] != B.shape[1] or (B.shape[0], A.shape[1]) != wanted:
            there = repr(here[at].layer) if at in here else "no linear layer"
            raise ValueError(
                f"load_lora: {path} has an adapter {B.shape} @ {A.shape} for {at}; the model has {there} there."
            )
    made = {at: LoRALinear(_base(here[at].layer), len(arrays[f"{at}.A"]), float(alphas[at])) for at in alphas}
    model.requires_grad_(False)
    for at, new in made.items():
        with no_grad():
            new.A.copy_(to_device(arrays[f"{at}.A"], new.A.device))
            new.B.copy_(to_device(arrays[f"{at}.B"], new.B.device))
        setattr(here[at].parent, here[at].name, new.train(here[at].layer.training))
        for learned in (new.A, new.B):
            learned.requires_grad_(True)
    return list(made)


def _base(layer: Linear | QuantizedLinear | LoRALinear) -> Linear | QuantizedLinear:
    return layer.base if isinstance(layer, LoRALinear) else layer


def _adapters(model: Module, caller: str) -> list[Place]:
    found = list(places(model, LoRALinear))
    if not found:
        raise ValueError(f"{caller}: {type(model).__name__} has no adapters: add_lora puts them in.")
    return found


__all__ = ["LoRALinear", "add_lora", "load_lora", "merge_lora", "save_lora"]
