r"""The gradient of each example by itself, of which backward() gives only the sum.

A layer :math:`z = W h + b` adds :math:`\bar z_i h_i^\top` to the gradient of W for example i, with :math:`\bar z_i` the gradient of
example i's loss with respect to its own z. One forward and one backward pass over the whole batch know all h and all
:math:`\bar z`: what is left is an outer product per example. Its norm needs not even that (Goodfellow 2015, *Efficient Per-Example
Gradient Computations*, arXiv:1510.01799):

.. math:: \lVert \bar z_i h_i^\top \rVert = \lVert \bar z_i \rVert\, \lVert h_i \rVert

With T positions in an example the gradient is a sum over positions, and its squared norm is a sum over pairs of them
(Li, Tramèr, Liang & Hashimoto 2022, *Large Language Models Can Be Strong Differentially Private Learners*, arXiv:2110.05679):

.. math:: \Bigl\lVert \sum_t \bar z_t h_t^\top \Bigr\rVert^2 = \sum_{s, t} (\bar z_s \cdot \bar z_t)(h_s \cdot h_t)

The plain version, a loop over the examples, is the specification of both. All of it needs examples that do not know of each other:
a layer that mixes them, such as batch norm, is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from minilm.backend import to_host
from minilm.nn import Embedding, LayerNorm, LearnedPositions, Linear, Module, Parameter, RMSNorm
from minilm.tensor import Tensor, grad
from minilm.types import Array

Losses = Callable[..., Tensor]
"""losses(*arrays) of a batch: one loss for each example, (B,)."""


def gradients_by_example_plain(model: Module, losses: Losses, *batch: Any) -> dict[str, Array]:
    """As `gradients_by_example`, one backward pass for each example: the specification, for any model, at B times the price.

    Raises:
        ValueError: as `gradients_by_example`, but any layer is fine.
    """
    size, named = _batch_size(batch), _learned(model)
    rows: dict[str, list[Array]] = {name: [] for name in named}
    for i in range(size):
        loss = losses(*(array[i : i + 1] for array in batch))
        _expect_losses(loss, 1)
        for name, g in zip(named, grad(loss.sum(), list(named.values()), allow_unused=True), strict=True):
            rows[name].append(g.data)
    return {name: p.device.xp.stack(rows[name]) for name, p in named.items()}


def gradients_by_example(model: Module, losses: Losses, *batch: Any) -> dict[str, Array]:
    """The gradient of each example's loss with respect to each parameter, by one pass over the batch.

    Args:
        model: whose parameters; those that are frozen are left out.
        losses: called with the batch, it returns the loss of each example, (B,). It calls the model.
        batch: arrays whose first axis counts the examples. That of every layer's input must, too.

    Returns:
        for each parameter's name an array ``(B, *shape)``.

    Raises:
        ValueError: the batch is empty or its arrays differ in length, `losses` does not return one loss per example, or the first axis
            of a layer's input does not count the examples.
        TypeError: a layer with parameters has no rule here (`RULES`), as one that mixes examples: the message names it.
    """
    once = Pass.over(model, losses, *batch)
    names = {id(p): name for name, p in once.named.items()}
    found = {name: p.device.xp.zeros((once.size, *p.shape), p.dtype) for name, p in once.named.items()}
    for call, g in zip(once.calls, once.arrived(), strict=True):
        for p, rows in RULES[type(call.layer)].gradients(call.layer, g, *call.given):
            if id(p) in names:  # a matrix that two layers share gets both of their parts
                found[names[id(p)]] += rows
    return found


def gradient_norms(model: Module, losses: Losses, *batch: Any) -> Array:
    """The norm of each example's whole gradient, (B,), without the gradients of the linear layers where a number is had for less.

    Arguments and errors are those of `gradients_by_example`. A parameter that several calls share needs its gradients, and gets them.
    """
    return Pass.over(model, losses, *batch).norms()


class Call(NamedTuple):
    """A layer that was called: what it was given (arrays, of which the first counts the examples first), and what it returned."""

    layer: Module
    given: tuple[Any, ...]
    y: Tensor


class Pass(NamedTuple):
    """A forward pass over a batch of `size` examples, from which their gradients follow.

    Attributes:
        named: the parameters that are learned.
        calls: of layers that have some of them, in order.
        losses: of the examples, (B,).
    """

    named: dict[str, Parameter]
    calls: list[Call]
    losses: Tensor
    size: int

    @classmethod
    def over(cls, model: Module, losses: Losses, *batch: Any) -> Pass:
        """The pass; arguments and errors are those of `gradients_by_example`."""
        size, named = _batch_size(batch), _learned(model)
        _expect_rules(model)
        calls: list[Call] = []

        def note(layer: Module, given: tuple[Any, ...], y: Tensor) -> None:
            if y.requires_grad:
                calls.append(Call(layer, tuple(map(_array, given)), y))

        remove = [layer.register_forward_hook(note) for layer in model.modules() if _own(layer)]
        try:
            found = losses(*batch)
        finally:
            for undo in remove:
                undo()
        _expect_losses(found, size)
        for call in calls:
            if len(call.given[0]) != size:
                raise ValueError(
                    f"{call.layer!r} got an input of shape {tuple(call.given[0].shape)}: its first axis must count the {size} examples."
                )
        return cls(named, calls, found, size)

    def arrived(self, retain: bool = False) -> list[Array]:
        """The gradient of each call's output. As no example knows of another, that of the losses' sum holds each example's own."""
        outputs = [call.y for call in self.calls]
        found = grad(self.losses.sum(), outputs, retain_graph=retain, allow_unused=True) if outputs else ()
        return [g.data for g in found]

    def norms(self, retain: bool = False) -> Array:
        """The norms of the examples' gradients, (B,)."""
        learned = {id(p) for p in self.named.values()}
        times = Counter(id(p) for call in self.calls for p in _own(call.layer))
        total = _wide(self.losses.data) * 0
        parts: dict[int, Array] = {}
        for call, g in zip(self.calls, self.arrived(retain), strict=True):
            rule, alone = RULES[type(call.layer)], all(times[id(p)] == 1 for p in _own(call.layer))
            if alone and rule.squares:
                total = total + sum(
                    square for p, square in rule.squares(call.layer, g, *call.given) if id(p) in learned
                )
                continue
            for p, rows in rule.gradients(call.layer, g, *call.given):
                if id(p) in learned:
                    parts[id(p)] = parts[id(p)] + rows if id(p) in parts else rows
        for rows in parts.values():
            total = total + _squares(rows)
        return total**0.5

    def weighted(self, weights: Array) -> dict[str, Array]:
        r"""The gradient of :math:`\sum_i w_i L_i` for each parameter's name: a sum of the examples' gradients, none of which is made."""
        total = (self.losses * Tensor(weights, device=self.losses.device)).sum()
        found = grad(total, list(self.named.values()), allow_unused=True)
        return {name: g.data for name, g in zip(self.named, found, strict=True)}


class Rule(NamedTuple):
    """What a layer adds to the gradients of its parameters, and to their squared norms, for each example.

    Attributes:
        gradients: of the layer, its output's gradient and what it was given: each parameter with its rows (B, *shape).
        squares: the same, each parameter with its squared norms (B,), where these are had for less.
    """

    gradients: Callable[..., Iterator[tuple[Parameter, Array]]]
    squares: Callable[..., Iterator[tuple[Parameter, Array]]] | None = None


def _linear(layer: Linear, g: Array, x: Array) -> Iterator[tuple[Parameter, Array]]:
    x, g = x.reshape(len(x), -1, x.shape[-1]), g.reshape(len(g), -1, g.shape[-1])
    yield layer.weight, g.swapaxes(1, 2) @ x  # (B, out, T) @ (B, T, in)
    if layer.bias is not None:
        yield layer.bias, g.sum(axis=1)


def _linear_squares(layer: Linear, g: Array, x: Array) -> Iterator[tuple[Parameter, Array]]:
    x, g = (_wide(each.reshape(len(each), -1, each.shape[-1])) for each in (x, g))
    if x.shape[1] ** 2 > x.shape[2] * g.shape[2]:  # then pairs of positions are more than the gradient's numbers
        yield layer.weight, _squares(g.swapaxes(1, 2) @ x)
    else:
        yield layer.weight, ((x @ x.swapaxes(1, 2)) * (g @ g.swapaxes(1, 2))).sum(axis=(1, 2))
    if layer.bias is not None:
        yield layer.bias, _squares(g.sum(axis=1))


def _embedding(layer: Embedding, g: Array, ids: Array) -> Iterator[tuple[Parameter, Array]]:
    size, (n, d) = len(ids), layer.weight.shape
    ids, g = to_host(ids), to_host(g).reshape(-1, d)
    flat = ids.reshape(size, -1) + n * np.arange(size)[:, None]  # each example has a table of its own
    if layer.padding_idx is not None:
        g = g * (ids.reshape(-1, 1) != layer.padding_idx)
    rows = np.zeros((size * n, d), g.dtype)
    np.add.at(rows, flat.reshape(-1), g)
    yield layer.weight, layer.weight.device.xp.asarray(rows.reshape(size, n, d))


def _norm(layer: LayerNorm | RMSNorm, g: Array, x: Array) -> Iterator[tuple[Parameter, Array]]:
    if layer.weight is None:
        return
    xp, axes = layer.weight.device.xp, tuple(range(x.ndim - len(layer.shape), x.ndim))
    centered = x - x.mean(axis=axes, keepdims=True) if isinstance(layer, LayerNorm) else x
    normal = centered / xp.sqrt((centered * centered).mean(axis=axes, keepdims=True) + x.dtype.type(layer.eps))
    over = tuple(range(1, x.ndim - len(layer.shape)))
    yield layer.weight, (g * normal).sum(axis=over)
    if isinstance(layer, LayerNorm) and layer.bias is not None:
        yield layer.bias, g.sum(axis=over)


def _positions(layer: LearnedPositions, g: Array, x: Array, start: int = 0) -> Iterator[tuple[Parameter, Array]]:
    rows = layer.weight.device.xp.zeros((len(x), *layer.weight.shape), g.dtype)
    rows[:, start : start + g.shape[1]] = g
    yield layer.weight, rows


RULES: dict[type[Module], Rule] = {
    Linear: Rule(_linear, _linear_squares),
    Embedding: Rule(_embedding),
    LayerNorm: Rule(_norm),
    RMSNorm: Rule(_norm),
    LearnedPositions: Rule(_positions),
}
"""The layers whose gradients are known by example."""


def _squares(rows: Array) -> Array:
    """The squared norm of each row, (B,)."""
    flat = _wide(rows.reshape(len(rows), -1))
    return (flat * flat).sum(axis=1)


def _wide(x: Array) -> Array:
    """Half precision as float32: the square of 256 is infinite in it."""
    return x.astype(np.float32) if x.dtype == np.float16 else x


def _array(x: Any) -> Any:
    return x.data if isinstance(x, Tensor) else x


def _own(layer: Module) -> list[Parameter]:
    """The parameters that are attributes of the layer itself."""
    return [p for p in vars(layer).values() if isinstance(p, Parameter)]


def _learned(model: Module) -> dict[str, Parameter]:
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not named:
        raise ValueError(f"{type(model).__name__} has no parameter that is learned: there is no gradient.")
    return named


def _expect_rules(model: Module) -> None:
    for name, layer in model.named_modules():
        if type(layer) not in RULES and any(p.requires_grad for p in _own(layer)):
            mixes = (
                " It mixes the examples of a batch, so no gradient is one example's."
                if "BatchNorm" in type(layer).__name__
                else ""
            )
            raise TypeError(
                f"{name or 'the model'} is a {type(layer).__name__}, whose gradients are not known by example.{mixes} Known are "
                f"{', '.join(rule.__name__ for rule in RULES)}; gradients_by_example_plain takes any layer that does not mix examples."
            )


def _batch_size(batch: Sequence[Any]) -> int:
    sizes = [len(array) for array in batch]
    if not sizes or len(set(sizes)) > 1 or not sizes[0]:
        raise ValueError(f"expected arrays of a batch, all of one length of at least 1, got the lengths {sizes}.")
    return sizes[0]


def _expect_losses(found: Any, size: int) -> None:
    if not isinstance(found, Tensor) or found.shape != (size,):
        got = f"shape {found.shape}" if isinstance(found, Tensor) else type(found).__name__
        raise ValueError(
            f"losses must return one loss per example, a Tensor of shape ({size},), got {got}. With cross_entropy: reduction='none'."
        )


__all__ = [
    "RULES",
    "Call",
    "Losses",
    "Pass",
    "Rule",
    "gradient_norms",
    "gradients_by_example",
    "gradients_by_example_plain",
]
