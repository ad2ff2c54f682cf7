r"""The weights of a torch.nn module of the same shape, to and from a module of ours, without PyTorch: names and arrays only.

::

    ours.load_state_dict(from_torch(ours, theirs.state_dict()))
    theirs.load_state_dict({name: torch.from_numpy(array) for name, array in to_torch(ours).items()})

Most layers have PyTorch's names and layouts already: Linear, Embedding, the norms, the convolutions, RNN, LSTM and GRU. What differs
is found by walking down the module:

====================================  =========================================  ========================
here                                  there                                      of
====================================  =========================================  ========================
q_proj.weight, k_proj..., v_proj...   in_proj_weight, their rows in this order   MultiHeadAttention
q_proj.bias, k_proj..., v_proj...     in_proj_bias, the same                     MultiHeadAttention
cross_attn                            multihead_attn                             TransformerDecoderLayer
feed_forward.up, feed_forward.down    linear1, linear2                           both Transformer layers
====================================  =========================================  ========================

A module of ours with a ModuleList `layers` and a LayerNorm `norm` has the names of PyTorch's TransformerEncoder or
TransformerDecoder; one whose parts are `encoder` and `decoder`, those of its Transformer. Numbers of heads, epsilons, activations and
the place of the norms stand in no state_dict: make both modules with the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from minilm.formats import FormatError
from minilm.nn import GRU, FeedForward, Module, MultiHeadAttention, TransformerDecoderLayer, TransformerEncoderLayer
from minilm.strict_json import short
from minilm.types import Arrays, HostArray, Shape

RENAMED: dict[type[Module], dict[str, str]] = {
    FeedForward: {"up": "linear1", "down": "linear2"},
    TransformerEncoderLayer: {"feed_forward": ""},
    TransformerDecoderLayer: {"feed_forward": "", "cross_attn": "multihead_attn"},
}
"""The parts of a module that have another name in PyTorch; "": those whose own parts stand in their place."""
PACKED = ("q_proj", "k_proj", "v_proj")
"""The maps of MultiHeadAttention whose rows PyTorch keeps in one array, in this order."""


def to_torch(module: Module) -> Arrays:
    """The state_dict that a torch.nn module of the same shape loads, as arrays: copies, in the module's type.

    Raises:
        FormatError: PyTorch has no such module.
    """
    arrays: Arrays = {}
    parts: dict[str, dict[int, HostArray]] = {}
    for name, value in _tensors(module).items():
        theirs, part = torch_name(module, name)
        if part is None:
            arrays[theirs] = value.copy()
        else:
            parts.setdefault(theirs, {})[part] = value
    return arrays | {name: np.concatenate([thirds[i] for i in range(len(PACKED))]) for name, thirds in parts.items()}


def from_torch(module: Module, state: Mapping[str, Any]) -> Arrays:
    """The state_dict of a module of ours from that of a torch.nn module of the same shape.

    Args:
        module: says which names and shapes there are; it is not changed.
        state: arrays, or PyTorch's tensors on the CPU, by PyTorch's names.

    Raises:
        FormatError: one error that lists what is missing, has another shape, or is none of the module's.
    """
    wanted = {name: (*torch_name(module, name), value.shape) for name, value in _tensors(module).items()}
    shapes = {
        theirs: shape if part is None else (len(PACKED) * shape[0], *shape[1:])
        for theirs, part, shape in wanted.values()
    }
    given = {name: _array(name, value) for name, value in state.items()}
    problems = list(_problems(shapes, given))
    if problems:
        more = f"; and {len(problems) - 8} more" if len(problems) > 8 else ""
        raise FormatError(
            f"these weights are not of a torch.nn module like this {type(module).__name__}: {'; '.join(problems[:8])}{more}."
        )
    arrays = {}
    for name, (theirs, part, shape) in wanted.items():
        whole = given[theirs]
        arrays[name] = whole if part is None else whole[part * shape[0] : (part + 1) * shape[0]]
    return arrays


def torch_name(module: Module, name: str) -> tuple[str, int | None]:
    """The name that PyTorch has for a parameter or buffer, and which third of the rows of that array it is; None: all of it.

    Raises:
        FormatError: PyTorch has no such module.
    """
    theirs: list[str] = []
    *path, last = name.split(".")
    for step in path:
        if isinstance(module, MultiHeadAttention) and step in PACKED:
            return ".".join([*theirs, f"in_proj_{last}"]), PACKED.index(step)
        renamed = next((RENAMED[cls] for cls in type(module).__mro__ if cls in RENAMED), {})
        theirs += [renamed.get(step, step)] if renamed.get(step, step) else []
        module = getattr(module, step)
    if isinstance(module, GRU) and not module.reset_after:
        raise FormatError(
            f"{'.'.join(path) or 'this GRU'}: PyTorch's GRU has its reset gate after the product: reset_after=True."
        )
    return ".".join([*theirs, last]), None


def _tensors(module: Module) -> Arrays:
    """The numbers of all parameters and persistent buffers; a shared one under each of its names, as in PyTorch."""
    return {name: tensor.numpy() for name, tensor, persistent in module._tensors() if persistent}


def _array(name: str, value: Any) -> HostArray:
    try:
        return np.asarray(value)
    except (
        TypeError,
        ValueError,
        RuntimeError,
    ) as error:  # of a tensor in bfloat16, on a GPU, or that wants a gradient
        raise FormatError(f"{short(name)} is no array ({error}): give tensor.detach().cpu().float().") from None


def _problems(shapes: Mapping[str, Shape], given: Arrays) -> Iterator[str]:
    yield from (f"{name} {shape} is missing" for name, shape in shapes.items() if name not in given)
    for name, array in given.items():
        if name not in shapes:
            yield f"{name} {array.shape} is none of the module's"
        elif array.shape != shapes[name]:
            yield f"{name} has the shape {array.shape}, the module's is {shapes[name]}"


__all__ = ["from_torch", "to_torch", "torch_name"]
