"""Attention's matrices in a trace: which values are scores and weights, and the weights inside the fused op.

Scores are a matrix product with a transposed second factor, neither of them a parameter, whose last two axes have the length
of the sequence: a row for each position that asks, a column for each that answers. What is computed from scores place by place,
or row by row, and is of the same shape (scaled, masked, softmax) belongs to attention as well, and so do masks.
"""

from __future__ import annotations

from typing import Any

from minilm.backend import device_of
from minilm.trace.model import Axes, Call, Record, Value

ROWWISE = ("softmax", "dropout", "masked_fill")
FUSED = "scaled_dot_product_attention"


def attention_values(trace: Record) -> set[int]:
    """The indices of the values whose last two axes are positions that ask and positions that answer."""
    found: set[int] = set()
    for call in trace.calls:
        if _scores(call):
            found.add(call.outputs[0].index)
        elif call.elementwise or call.op.name in ROWWISE:
            y, values = call.outputs[0], call.values()
            if any(v.index in found and v.shape == y.shape for v in values):
                found.update(v.index for v in (y, *values) if v.shape[-2:] == y.shape[-2:])
    return found


def write_tokens(trace: Record) -> None:
    """Gives the trace's tokens to the values, and to the calls of the fused op, whose axes they fit and which have no names yet."""
    found = attention_values(trace)
    for value in trace.values:
        if value.index in found:
            value.axes = value.axes or asked(value.shape, trace.tokens)
    for call in trace.calls:
        if call.op.name == FUSED:
            q, k = call.inputs[:2]
            call.axes = call.axes or asked((*q.shape[:-1], k.shape[-2]), trace.tokens)


def asked(shape: tuple[int, ...], tokens: tuple[str, ...]) -> Axes:
    """The tokens along the axes of a matrix of attention, if its columns are as many: fewer rows are the last that asked, as with a
    cache.
    """
    if len(shape) < 2 or shape[-1] != len(tokens) or shape[-2] > len(tokens):
        return ()
    return (*((),) * (len(shape) - 2), tokens[len(tokens) - shape[-2] :], tokens)


def _scores(call: Call) -> bool:
    if call.op.name != "matmul":
        return False
    left, right = call.inputs
    if not isinstance(left, Value) or not isinstance(right, Value) or "parameter" in (left.kind, right.kind):
        return False
    return right.call is not None and _turns_last(right.call) and right.call.values()[0].kind != "parameter"


def _turns_last(call: Call) -> bool:
    """Whether a call swaps the last two axes."""
    n = len(call.outputs[0].shape)
    if call.op.name == "swapaxes":
        return {call.params["axis0"] % n, call.params["axis1"] % n} == {n - 2, n - 1}
    axes = call.params.get("axes")
    return call.op.name == "transpose" and (
        n == 2 if axes is None else tuple(a % n for a in axes[-2:]) == (n - 1, n - 2)
    )


def weights(call: Call) -> Any:
    """The weights P inside the fused op, (..., positions that ask, positions that answer): what it gives for V = 1."""
    q, k, _, mask = (x.array if isinstance(x, Value) else x for x in call.inputs)
    one = device_of(q).xp.eye(k.shape[-2], dtype=q.dtype)
    params = {name: call.params[name] for name in ("causal", "scale")}
    return call.op(q, k, one, mask, **params)
