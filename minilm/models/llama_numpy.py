r"""Llama's forward pass on plain NumPy arrays, for one more token on the CPU.

As `minilm.models.gpt_numpy` is for GPT: the modules of `minilm.models.llama` are its specification, and
`tests/models/test_llama_numpy.py` holds its logits against theirs. When it may run instead of them is said in `minilm.models.plain`;
a prompt, many positions at once, is left to the modules.

The weights may be kept in fewer bytes than float32's four (`minilm.models.storage`), by the modules as well as here.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from minilm import nn
from minilm.backend import compiled_loops
from minilm.models.cache import LayerCache, attend
from minilm.models.plain import for_loops
from minilm.models.storage import Float32, Stored, StoredEmbedding, StoredLinear, products
from minilm.nn.position import angles
from minilm.types import HostArray

LAYERS = {nn.ModuleList, nn.Embedding, nn.RMSNorm, nn.RotaryPositions, nn.Linear, StoredEmbedding, StoredLinear}
"""The layers whose forward pass is repeated here."""


class Norm(NamedTuple):
    """What an RMSNorm multiplies by and is damped with, for `Decoder.normalize`."""

    scale: HostArray
    damping: HostArray
    loop: tuple[HostArray, float]


class Affine(NamedTuple):
    """The weights of linear layers that have the same input."""

    weights: list[Stored]
    biases: list[HostArray | None]


class Layer(NamedTuple):
    """The weights of one layer, and the cache of its attention."""

    norm_1: Norm
    attend: Affine
    project: Affine
    norm_2: Norm
    gate_and_up: Affine
    down: Affine
    cache: LayerCache


class Decoder:
    """The logits after one more token in each of `batch` sequences whose earlier tokens are in a `KVCache`.

    It reads the arrays that the parameters have now: numbers changed in them are seen, arrays put in their place are not.

    Args:
        model: a Llama of plain modules.
        caches: the cache of each layer.
        batch: the number of sequences.
    """

    def __init__(self, model: Any, caches: list[LayerCache], batch: int) -> None:
        config = model.config
        K, D = config.key_value_heads, config.head_width
        self.queries, self.keys = (batch, K, config.num_attention_heads // K, D), (batch, K, 1, D)
        self.scale, self.half, self.one = (np.full(1, value, np.float32) for value in (D**-0.5, 0.5, 1.0))
        self.loops, self.statistics = compiled_loops(), np.empty(batch, np.float32)
        self.base, self.turns = config.rope_theta, np.empty((0, D // 2), np.complex64)
        self.tokens = _stored(model.embed_tokens)
        self.layers = [
            Layer(_norm(layer.input_layernorm),
                  _affine(layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj),
                  _affine(layer.self_attn.o_proj), _norm(layer.post_attention_layernorm),
                  _affine(layer.mlp.gate_proj, layer.mlp.up_proj), _affine(layer.mlp.down_proj), cache)
            for layer, cache in zip(model.layers, caches, strict=True)
        ]  # fmt: skip
        self.last, self.head = _norm(model.norm), _affine(model.lm_head)

    def __call__(self, ids: list[int]) -> HostArray:
        """The logits (batch, vocab_size) of the token after `ids` (batch,), which go into the cache."""
        turn = self.turn(self.layers[0].cache.length)
        x = self.tokens.rows(ids)
        for layer in self.layers:
            q, k, v = self.affine(self.normalize(x, layer.norm_1), layer.attend)
            layer.cache.append(self.rotate(k, turn).reshape(self.keys), v.reshape(self.keys))
            (y,) = self.affine(self.attention(self.rotate(q, turn), layer.cache), layer.project)
            x += y
            gate, up = self.affine(self.normalize(x, layer.norm_2), layer.gate_and_up)
            (y,) = self.affine(self.gated(gate, up), layer.down)
            x += y
        (logits,) = self.affine(self.normalize(x, self.last), self.head)
        return logits

    def affine(self, x: HostArray, layers: Affine) -> list[HostArray]:
        """x W + b for each of the layers."""
        ys = products(x, layers.weights)
        for y, bias in zip(ys, layers.biases, strict=True):
            if bias is not None:
                y += bias
        return ys

    def normalize(self, x: HostArray, norm: Norm) -> HostArray:
        r"""RMSNorm, as :math:`w \sqrt n\, x / \sqrt{\sum_i x_i^2 + n \epsilon}`, with :math:`w \sqrt n` made once."""
        if self.loops is not None:
            y = np.empty_like(x)
            self.loops.rms_norm(x, *norm.loop, y, self.statistics, 0, len(x))
            return y
        size = np.vecdot(x, x)[:, None]
        size += norm.damping
        np.sqrt(size, out=size)
        y = x / size
        y *= norm.scale
        return y

    def turn(self, position: int) -> HostArray:
        r"""The numbers :math:`e^{i t \omega_j}` of a position t: to turn a pair is to multiply it, as a complex number, by one of them."""
        if position >= len(self.turns):
            angle = angles(max(256, 1 << position.bit_length()), self.keys[-1], self.base)
            self.turns = (np.cos(angle) + 1j * np.sin(angle)).astype(np.complex64)
        return self.turns[position]

    def rotate(self, x: HostArray, turn: HostArray) -> HostArray:
        """Rotary positions of each head in x (batch, heads * D), in place."""
        pairs = x.view(np.complex64).reshape(len(x), -1, len(turn))
        pairs *= turn
        return x

    def attention(self, q: HostArray, cache: LayerCache) -> HostArray:
        """Of queries (batch, H * D) to all keys in the cache, by groups of heads: (batch, H * D)."""
        return attend(q.reshape(self.queries), cache, self.scale, self.loops)

    def gated(self, gate: HostArray, up: HostArray) -> HostArray:
        r"""SiLU(gate) up, as :math:`\tfrac12 g\, (1 + \tanh \tfrac g2)\, u`: the exponential function would overflow."""
        if self.loops is not None:
            y = np.empty(gate.shape, np.float32)
            self.loops.swiglu(gate, up, y)
            return y
        gate *= self.half
        y = np.tanh(gate)
        y += self.one
        y *= gate
        y *= up
        return y


def _norm(module: nn.RMSNorm) -> Norm:
    n = module.shape[-1]
    weight = np.ones(n, np.float32) if module.weight is None else module.weight.data
    damping = np.full((1, 1), n * module.eps, np.float32)
    return Norm(weight * np.float32(math.sqrt(n)), damping, (for_loops(weight), module.eps))


def _stored(module: Any) -> Stored:
    return module.stored if isinstance(module, StoredLinear | StoredEmbedding) else Float32(module.weight.data)


def _affine(*modules: Any) -> Affine:
    return Affine([_stored(m) for m in modules], [None if m.bias is None else m.bias.data for m in modules])


__all__ = ["LAYERS", "Decoder"]
