r"""Attention's maps: read as the model computed them, drawn with their tokens, and changed to see whether the output minds.

.. math:: P = \operatorname{softmax}\!\left(\frac{Q K^\top}{\sqrt D} + M\right), \qquad Y = P V

A map says from where a head took its mean, not why the model answered as it did. Jain and Wallace (2019, *Attention is not
Explanation*, NAACL, section 4.2.1) ask of a map whether the answer moves when the weights are shuffled among the tokens: `permuted`.
Wiegreffe and Pinter (2019, *Attention is not not Explanation*, EMNLP) say what that test does not show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import numpy as np

from minilm.backend import device_of, to_device, to_host
from minilm.graph import no_grad, observe
from minilm.models.gpt import CausalSelfAttention
from minilm.models.llama import GroupedQueryAttention
from minilm.nn import Module, MultiHeadAttention
from minilm.ops.attention import scaled_dot_product_attention
from minilm.tensor import Tensor
from minilm.types import Array, HostArray

OUTPUTS: dict[type[Module], str] = {
    CausalSelfAttention: "c_proj",
    GroupedQueryAttention: "o_proj",
    MultiHeadAttention: "out_proj",
}
"""The layers whose maps can be changed, and what each calls the linear map behind its heads."""
Change = Callable[[HostArray, int], HostArray]
"""From the maps of a layer, (batch, heads, T, S), and the layer's number to the maps that take their place."""


class _Calls:
    """An observer that keeps what each call of attention was given."""

    def __init__(self) -> None:
        self.found: list[tuple[Array, Array, Array, Array | None, dict[str, Any]]] = []

    def forward(self, op: Any, inputs: tuple[Any, ...], params: dict[str, Any], outputs: Any) -> None:
        if op is scaled_dot_product_attention:
            q, k, v, mask = (x.data if isinstance(x, Tensor) else x for x in (*inputs, None)[:4])
            self.found.append((q, k, v, mask, {name: params[name] for name in ("causal", "scale") if name in params}))


def attention_weights(q: Array, k: Array, mask: Array | None = None, **options: Any) -> Array:
    """The weights P of `scaled_dot_product_attention`: what it gives where V is the identity. Nothing is dropped.

    Args:
        q, k: queries (..., T, D) and keys (..., S, D).
        mask, options: as the op takes them: ``causal``, ``scale``.

    Returns:
        (..., T, S); each row adds up to 1, or to 0 where a query may attend to nothing.
    """
    one = device_of(q).xp.eye(k.shape[-2], dtype=q.dtype)
    return scaled_dot_product_attention(q, k, one, mask, **options)


def attention_maps(run: Callable[[], Any]) -> list[HostArray]:
    """The maps of each call of attention while `run` runs, as the model computed them: a list of (batch, heads, T, S).

    Heads of groups (Ainslie et al. 2023) stand one after the other. In training mode the weights are those before dropout.

    Raises:
        ValueError: no attention ran; the message says what is read.
    """
    calls = _Calls()
    with no_grad(), observe(calls):
        run()
    if not calls.found:
        raise ValueError(
            "attention_maps: no attention ran. Only `scaled_dot_product_attention` is read: call the model in `run`, "
            "outside of use_fused(False) and without a decoder on plain arrays."
        )
    return [_by_head(to_host(attention_weights(q, k, mask, **options))) for q, k, _, mask, options in calls.found]


def _by_head(weights: Any) -> Any:
    """(batch, ..., T, S) -> (batch, heads, T, S)"""
    return weights.reshape(weights.shape[0], -1, *weights.shape[-2:])


@contextmanager
def edited(model: Module, change: Change) -> Iterator[None]:
    """Within it, the model attends as `change` says: each layer's heads take their means with the weights that it returns.

    ``edited(model, lambda weights, layer: weights)`` changes nothing. A head is switched off by weights of 0. What follows is
    computed from the changed output; no gradient flows through it.

    Args:
        change: called with the maps of a layer, a copy, and the layer's number in the order of the model's tree.

    Raises:
        ValueError: the model has no attention that is known here, or `change` returns another shape.
    """
    layers = [m for m in model.modules() if type(m) in OUTPUTS]
    if not layers:
        raise ValueError(
            f"edited: {type(model).__name__} has none of the layers {', '.join(each.__name__ for each in OUTPUTS)}."
        )
    calls = _Calls()
    with ExitStack() as stack:
        for number, layer in enumerate(layers):
            output = getattr(layer, OUTPUTS[type(layer)])
            stack.callback(output.register_forward_pre_hook(partial(_attended, calls, change, number)))
        stack.enter_context(observe(calls))
        yield


def _attended(calls: _Calls, change: Change, number: int, module: Module, args: tuple[Tensor, ...]) -> Tensor:
    """What the linear map behind the heads is given instead: (batch, T, heads * D)."""
    q, k, v, mask, options = calls.found.pop()
    weights = attention_weights(q, k, mask, **options)
    shape = _by_head(weights).shape
    new = np.asarray(change(to_host(_by_head(weights)).copy(), number))
    if new.shape != shape:
        raise ValueError(f"edited: the maps of layer {number} have shape {shape}, `change` returned {new.shape}.")
    device = device_of(q)
    changed = to_device(new.astype(q.dtype), device).reshape(weights.shape)
    y = _by_head(device.matmul(changed, device.xp.broadcast_to(v, (*weights.shape[:-2], *v.shape[-2:]))))
    return Tensor(y.swapaxes(1, 2).reshape(args[0].shape))


def permuted(weights: HostArray, rng: np.random.Generator) -> HostArray:
    """Maps whose rows have the same weights on other tokens: each row is shuffled among the tokens that it may attend to.

    Args:
        weights: (..., T, S). A weight of exactly 0 is one that a mask forbids, and stays where it is.
        rng: draws an order for each row.
    """
    rows = weights.reshape(-1, weights.shape[-1]).copy()
    for row in rows:
        open_ = np.flatnonzero(row)
        row[open_] = row[rng.permutation(open_)]
    return rows.reshape(weights.shape)


def draw_map(weights: HostArray, tokens: Sequence[str], ax: Any, *, columns: Sequence[str] | None = None) -> Any:
    """A map as a picture: a row for each token that asks, a column for each that answers, written beside and below.

    Args:
        weights: (T, S), shown as they are, from white (0) to dark (1).
        tokens: T names of the rows; blanks and line ends are made visible.
        ax: matplotlib's axes.
        columns: S names; default: those of the rows.

    Returns:
        the image.

    Raises:
        ValueError: the names do not fit the map.
    """
    columns = tokens if columns is None else columns
    if np.shape(weights) != (len(tokens), len(columns)):
        raise ValueError(
            f"draw_map: the map has shape {np.shape(weights)}, but there are {len(tokens)} names of rows and {len(columns)} of "
            "columns; give one head's map of one text."
        )
    image = ax.imshow(weights, cmap="Blues", vmin=0, vmax=1)
    ax.set_xticks(range(len(columns)), [_visible(t) for t in columns], rotation=90)
    ax.set_yticks(range(len(tokens)), [_visible(t) for t in tokens])
    ax.grid(False)
    return image


def _visible(token: str) -> str:
    return token.replace(" ", "·").replace("\n", "↵").replace("$", r"\$") or "∅"


__all__ = ["attention_maps", "attention_weights", "draw_map", "edited", "permuted"]
