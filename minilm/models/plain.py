"""What the forward passes on plain arrays share (`minilm.models.gpt_numpy`, `llama_numpy`): when they may run, and attention."""

from __future__ import annotations

from collections.abc import Set

import numpy as np

from minilm import nn
from minilm.backend import cpu
from minilm.graph import modes
from minilm.ops.op import is_fused
from minilm.types import HostArray


def is_plain(model: nn.Module, repeated: Set[type]) -> bool:
    """Whether a model is float32, on the CPU, and made of nothing but the `repeated` classes, whose forward pass stands on arrays too.

    A class derived from one of them may compute something else, and a hook may change what a module returns. On a GPU each call of
    NumPy would be a kernel to start; the modules' are fused.
    """
    weight = next(model.parameters())
    if weight.device is not cpu or weight.dtype != np.float32:
        return False
    return all(type(m) in repeated and not (m._hooks or m._pre_hooks) for m in model.modules())


def only_numbers_wanted(model: nn.Module) -> bool:
    """Whether nobody asks for a graph, a trace, dropout or the composed ops: what only the modules can give."""
    return is_fused() and not (modes.grad or modes.observers or model.training)


def for_loops(array: HostArray) -> HostArray:
    """The array as a compiled loop takes it: itself, or a copy where it has gaps (or is read-only, which a parameter is not)."""
    return np.require(array, np.float32, ["C", "W", "A"])


def attention(q: HostArray, keys_transposed: HostArray, values: HostArray) -> HostArray:
    """Of queries (B, H, G, D), already scaled, to the keys (B, H, D, T): (B, H, G, D). The D sums are divided, not the T weights."""
    p = np.matmul(q, keys_transposed)
    p -= np.maximum.reduce(p, axis=-1, keepdims=True)
    np.exp(p, out=p)
    y = np.matmul(p, values)
    y /= np.add.reduce(p, axis=-1, keepdims=True)
    return y


__all__ = ["attention", "for_loops", "is_plain", "only_numbers_wanted"]
