"""The local derivative of one call, as numbers."""

from __future__ import annotations

from typing import Any

from minilm.backend import as_array, device_of, to_host
from minilm.ops.reduce import sum_to
from minilm.trace.recorder import Call, Value

SMALL = 64  # the most numbers of a Jacobian that a reader can take in


def local_derivative(call: Call, i: int) -> tuple[str, Any]:
    """The derivative of a call's (only) output by its input i; see `minilm.trace.recorder.Contribution.local`."""
    if call.op.multi or call.saved is None:
        return "rule", None
    y, x = call.outputs[0], call.inputs[i]
    if call.elementwise:
        ones = device_of(y.array).xp.ones_like(y.array)
        each = as_array(call.vjp(i, (ones,)))
        if each.shape == y.shape:  # else the rule itself sums, or takes its input apart
            return "elementwise", to_host(each)
    if y.array.size * x.array.size <= SMALL:
        return "jacobian", jacobian(call, i, 0)
    return "rule", None


def jacobian(call: Call, i: int, output: int) -> Any:
    r""":math:`\partial y_j / \partial x_k` by one backward rule for each number of output `output`; shape: y's, then x's."""
    y, x = call.outputs[output], call.inputs[i]
    assert isinstance(x, Value)
    xp = device_of(y.array).xp
    rows = xp.zeros((y.array.size, *x.shape), dtype=x.array.dtype)
    for j in range(y.array.size):
        gs = [xp.zeros_like(v.array) for v in call.outputs]
        gs[output].reshape(-1)[j] = 1
        rows[j] = sum_to(as_array(call.vjp(i, tuple(gs))), x.shape)
    return to_host(rows.reshape((*y.shape, *x.shape)))
