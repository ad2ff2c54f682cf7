r"""GPT's forward pass on plain NumPy arrays, for one more token on the CPU.

To write a text is to compute one position again and again: vectors of a few hundred numbers, of which an op on Tensors takes
longer to check, wrap and send on its way than to compute. `Decoder` does what the modules of `minilm.models.gpt` do, in about fifty
calls of NumPy per layer, each of about a microsecond; what is left is the time to read the weights once. Where the CPU's loops are
compiled (`minilm.use_compiled`), norms, attention and GELU are a call of one each.

The modules are its specification, and `tests/models/test_gpt_numpy.py` holds its logits against theirs. It is used where

- the model is one that it can compute (`minilm.models.plain.is_plain`): float32 on the CPU, of exactly the modules that are repeated
  here, without hooks;
- nobody wants more than numbers (`only_numbers_wanted`): it keeps no graph, drops nothing out, and is seen by no observer;
- one token follows those in the cache. A prompt, many positions at once, is left to the modules.

This file knows the layers of `minilm.nn`, and a GPT by the names of its parts, as a file of weights does; `gpt.py` knows this file.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from minilm import nn
from minilm.backend import compiled_loops, special
from minilm.models.cache import LayerCache, attend
from minilm.models.plain import for_loops
from minilm.types import HostArray

LAYERS = {nn.ModuleList, nn.Embedding, nn.LearnedPositions, nn.SinusoidalPositions, nn.LayerNorm, nn.Linear, nn.Dropout}
"""The layers whose forward pass is repeated here: no RMSNorm, no rotary positions."""

TANH = (math.sqrt(2 / math.pi), 0.044715 * math.sqrt(2 / math.pi), *[0.0] * (len(special.R_OF_CDF) - 2))
"""The polynomial R of GELU's approximation by tanh (Hendrycks and Gimpel 2016), as long as that of GELU itself."""


class Norm(NamedTuple):
    """What a layer norm multiplies by, adds and is damped with, for `Decoder.normalize`; and as a compiled loop takes it."""

    scale: HostArray
    shift: HostArray | None
    damping: HostArray
    loop: tuple[HostArray, HostArray, float]


class Affine(NamedTuple):
    """The weights of a linear layer, the matrix as (in, out), for `Decoder.affine`."""

    weight: HostArray
    bias: HostArray | None


class Layer(NamedTuple):
    """The weights of one block, and the cache of its attention."""

    norm_1: Norm
    attend: Affine
    project: Affine
    norm_2: Norm
    up: Affine
    down: Affine
    cache: LayerCache


class Decoder:
    """The logits after one more token in each of `batch` sequences whose earlier tokens are in a `KVCache`.

    It reads the arrays that the parameters have now: numbers changed in them are seen, arrays put in their place are not. Constants
    are arrays too: to convert a Python number takes NumPy longer than to add it.

    Args:
        model: a GPT of plain modules.
        caches: the cache of each layer.
        batch: the number of sequences.
    """

    def __init__(self, model: Any, caches: list[LayerCache], batch: int) -> None:
        config = model.config
        self.heads = (batch, 3, config.n_head, 1, config.n_embd // config.n_head)
        self.scale, self.one, self.half, self.flat = (
            np.full(1, value, np.float32) for value in (self.heads[-1] ** -0.5, 1.0, 0.5, special.FLAT**2)
        )
        self.tokens, self.positions = model.wte.weight.data, _position_table(model.wpe)
        self.loops, self.tanh = compiled_loops(), config.activation == "gelu_new"
        self.statistics = np.empty((2, batch), np.float32)  # that a compiled loop finds, too
        self.mean = np.full(config.n_embd, 1.0 / config.n_embd, np.float32)
        self.layers = [
            Layer(_norm(block.ln_1), _linear(block.attn.c_attn), _linear(block.attn.c_proj),
                  _norm(block.ln_2), _linear(block.mlp.c_fc), _linear(block.mlp.c_proj), cache)
            for block, cache in zip(model.blocks, caches, strict=True)
        ]  # fmt: skip
        self.last, self.head = _norm(model.ln_f), _linear(model.lm_head)
        powers = np.ones((len(special.R_OF_CDF), batch, 4 * config.n_embd), np.float32)
        self.powers, self.rows = (*powers[1:4], powers[1:4], powers[4:7]), powers.reshape(len(powers), -1)
        self.coefficients = np.array(TANH if self.tanh else special.R_OF_CDF, np.float32)

    def __call__(self, ids: list[int]) -> HostArray:
        """The logits (batch, vocab_size) of the token after `ids` (batch,), which go into the cache."""
        position = self.layers[0].cache.length
        x = self.tokens[ids]
        if self.positions is not None:
            x += self.positions[position]
        for layer in self.layers:
            qkv = self.affine(self.normalize(x, layer.norm_1), layer.attend).reshape(self.heads)
            layer.cache.append(qkv[:, 1], qkv[:, 2])
            x += self.affine(self.attention(qkv[:, 0], layer.cache), layer.project)
            x += self.affine(self.gelu(self.affine(self.normalize(x, layer.norm_2), layer.up)), layer.down)
        return self.affine(self.normalize(x, self.last), self.head)

    def affine(self, x: HostArray, weights: Affine) -> HostArray:
        """x W + b. `ndarray.dot` is BLAS with a microsecond less around it than `matmul`."""
        weight, bias = weights
        y = x.dot(weight)
        if bias is not None:
            y += bias
        return y

    def normalize(self, x: HostArray, norm: Norm) -> HostArray:
        r"""Layer norm, as :math:`w \sqrt n\, c / \sqrt{\sum_i c_i^2 + n \epsilon} + b`, c = x - mean, with :math:`w \sqrt n` made once."""
        if self.loops is not None:
            y = np.empty_like(x)
            self.loops.layer_norm(x, *norm.loop, y, *self.statistics, 0, len(x))
            return y
        y = x - x.dot(self.mean)[:, None]
        size = np.vecdot(y, y)[:, None]
        size += norm.damping
        np.sqrt(size, out=size)
        y /= size
        y *= norm.scale
        if norm.shift is not None:
            y += norm.shift
        return y

    def attention(self, q: HostArray, cache: LayerCache) -> HostArray:
        """Of queries (batch, heads, 1, D) to all keys in the cache: (batch, heads * D)."""
        return attend(q, cache, self.scale, self.loops)

    def gelu(self, x: HostArray) -> HostArray:
        r""":math:`\tfrac12 x (1 + \tanh(x\, R(x^2)))`, with the polynomial R of `minilm.backend.special`, or that of GELU's approximation.

        Its powers are made side by side, so that their weighted sum is one product: Horner's rule would take twice the calls.
        Beyond `special.FLAT` the hyperbolic tangent is 1 in any case.
        """
        if self.loops is not None:
            y = np.empty_like(x)
            (self.loops.gelu_tanh if self.tanh else self.loops.gelu)(x.reshape(-1), y.reshape(-1))
            return y
        first, second, third, first_to_third, fourth_to_sixth = self.powers
        np.multiply(x, x, out=first)
        np.minimum(first, self.flat, out=first)
        np.multiply(first, first, out=second)
        np.multiply(first, second, out=third)
        np.multiply(first_to_third, third, out=fourth_to_sixth)
        y = self.coefficients.dot(self.rows).reshape(x.shape)
        y *= x
        np.tanh(y, out=y)
        y += self.one
        y *= x
        y *= self.half
        return y


def _norm(module: nn.LayerNorm) -> Norm:
    n = module.shape[-1]
    weight = np.ones(n, np.float32) if module.weight is None else module.weight.data
    scale = weight * np.float32(math.sqrt(n))
    damping = np.full((1, 1), n * module.eps, np.float32)
    bias = None if module.bias is None else module.bias.data
    loop = for_loops(weight), for_loops(np.zeros(n, np.float32) if bias is None else bias), module.eps
    return Norm(scale, bias, damping, loop)


def _linear(module: nn.Linear) -> Affine:
    return Affine(module.weight.data.T, None if module.bias is None else module.bias.data)


def _position_table(module: nn.LearnedPositions | nn.SinusoidalPositions | None) -> HostArray | None:
    if module is None:
        return None
    return (module.weight if isinstance(module, nn.LearnedPositions) else module.table).data


__all__ = ["LAYERS", "Decoder"]
