"""What stands along the axes of an array, such as the words along the rows of a matrix, and how that follows it through a computation.

Names go on where they are plain, and are dropped where they are not:

- an op that only moves numbers (a transpose, a reshape, an index) moves the names: it is applied to the places of an axis, and where
  these end along one axis of the result, so do the names. ``table[ids]`` gives each row the name of the row that it was;
- the rows of ``A @ B`` are A's, its columns B's;
- what is computed place by place, or row by row (softmax, a norm, a mask), keeps those of its inputs, which must not contradict each other;
- a sum or a mean loses the axes that it goes over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minilm.backend import to_host
from minilm.trace.attention import FUSED, ROWWISE
from minilm.trace.model import Axes, Call, Record, Value

KEPT = (*ROWWISE, "log_softmax", "layer_norm", "rms_norm", "cumsum", "tril", "triu")
REDUCED = ("sum", "mean", "max", "min", "var", "std", "logsumexp", "argmax", "argmin")
LARGEST = 1 << 16  # numbers of an array whose moves are followed


def write_axes(trace: Record) -> None:
    """Gives the names along a value's axes to all that is computed from it, in the order of the calls."""
    if not any(value.axes for value in trace.values):
        return
    for call in trace.calls:
        for y in call.outputs:
            found = _found(call, y)
            y.axes = _nothing_is_empty(tuple(given or new for given, new in zip(y.axes or found, found, strict=True)))
        if call.op.name == FUSED:
            q, k = call.inputs[:2]
            call.axes = _nothing_is_empty((*_of(q)[:-1], _of(k)[-2]))
        y = call.outputs[0]
        for x in call.values():  # a mask is as tall and as wide as what it is laid over
            if _kept(call) and x.kind == "input" and x.call is None and not x.axes and x.shape == y.shape:
                x.axes = y.axes


def _found(call: Call, y: Value) -> Axes:
    """The names along each axis of a result; () where there are none."""
    name, nothing = call.op.name, ((),) * len(y.shape)
    inputs = [x if isinstance(x, Value) else None for x in call.inputs]
    if not any(x is not None and x.axes for x in inputs):
        return nothing
    first = inputs[0]
    assert first is not None or name not in (*KEPT, *REDUCED)
    if _kept(call):
        return _agreed([_of(x) for x in inputs if x is not None], y.shape)
    if name == "matmul":
        return _product(inputs[0], inputs[1], y.shape)
    if name == "linear":
        return (*_of(first)[:-1], _of(inputs[1])[0])
    if name == FUSED:
        return (*_of(first)[:-1], _of(inputs[2])[-1])
    if name in REDUCED:
        return _reduced(call, first)
    if call.op.view or name in ("basic_index", "advanced_index", "flip"):
        return _moved(call, first, y) if y is call.outputs[0] and len(call.outputs) == 1 else nothing
    return nothing


def _kept(call: Call) -> bool:
    return call.elementwise or call.op.name in KEPT


def _of(x: Value | None) -> Axes:
    """The names along each axis, () where there are none."""
    return () if x is None else x.axes or ((),) * len(x.shape)


def _agreed(several: Sequence[Axes], shape: tuple[int, ...]) -> Axes:
    """The names that arrays which are broadcast together give to each axis; () where they contradict each other."""
    found: list[tuple[str, ...]] = []
    for k in range(-len(shape), 0):
        names = {axes[k] for axes in several if len(axes) >= -k and len(axes[k]) == shape[k] and axes[k]}
        found.append(names.pop() if len(names) == 1 else ())
    return tuple(found)


def _product(a: Value | None, b: Value | None, shape: tuple[int, ...]) -> Axes:
    """Rows from the first factor, columns from the second; a vector has but the axis that is summed."""
    left, right = _of(a), _of(b)
    own = (left[-2:-1] if len(left) > 1 else ()) + (right[-1:] if len(right) > 1 else ())
    return (*_agreed([left[:-2], right[:-2]], shape[: len(shape) - len(own)]), *own)


def _reduced(call: Call, x: Value | None) -> Axes:
    axes, n = _of(x), len(_of(x))
    over = call.params.get("axis")
    gone = {k % n for k in (range(n) if over is None else over if isinstance(over, tuple | list) else (over,))}
    if call.params.get("keepdims"):
        return tuple(() if k in gone else names for k, names in enumerate(axes))
    return tuple(names for k, names in enumerate(axes) if k not in gone)


def _moved(call: Call, x: Value | None, y: Value) -> Axes:
    """The op applied to the places along each named axis: they must change along one axis of the result alone."""
    found: list[tuple[str, ...]] = [()] * len(y.shape)
    if x is None or not x.array.size or x.array.size > LARGEST or not y.array.size:
        return tuple(found)
    for axis, names in enumerate(_of(x)):
        if not names:
            continue
        places = np.arange(len(names)).reshape([-1 if k == axis else 1 for k in range(len(x.shape))])
        moved = np.asarray(call.op(np.broadcast_to(places, x.shape).copy(), **on_host(call.params)))
        changing = [k for k in range(moved.ndim) if (moved != moved.take([0], k)).any()]
        merged = call.op.name == "reshape" and any(moved.shape[k] != len(names) for k in changing)  # rows in a row
        if len(changing) == 1 and not merged:
            along = np.moveaxis(moved, changing[0], 0).reshape(moved.shape[changing[0]], -1)[:, 0]
            found[changing[0]] = tuple(names[place] for place in along.tolist())
    return tuple(found)


def on_host(params: dict[str, Any]) -> dict[str, Any]:
    """An op's parameters with their arrays on the host."""

    def moved(x: Any) -> Any:
        if isinstance(x, tuple | list):
            return type(x)(map(moved, x))
        return to_host(x) if hasattr(x, "dtype") and hasattr(x, "shape") and x.shape else x

    return {name: moved(x) for name, x in params.items()}


def _nothing_is_empty(axes: Axes) -> Axes:
    """(), where no axis has names."""
    return axes if any(axes) else ()
