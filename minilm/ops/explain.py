"""What went wrong in an op, in words of the call: the op, the input, its shape and dtype, what would fit.

A rule is a formula and checks nothing that the array module checks by itself. The array module's complaint says nothing of the op; it
becomes an error here that does. Nothing in this file runs before something has gone wrong.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Sequence
from typing import Any

import numpy as np

from minilm.ops.arguments import shape_of

USUAL = (TypeError, ValueError, LookupError, AttributeError, OverflowError)
"""What wrong arguments raise."""


def describe(x: Any) -> str:
    """An argument in an error: dtype and shape of an array, a number as it is, the type of anything else."""
    if hasattr(x, "shape") and hasattr(x, "dtype"):
        return f"{x.dtype} {shape_of(x)}"
    return str(x) if x is None or isinstance(x, bool | int | float) else f"a {type(x).__name__}"


def explain(op, error: Exception, inputs: Sequence[Any], params: dict[str, Any], names: Container[str]) -> Exception:
    """An error in terms of an op: itself if it names the op, else a new one with the first of these that is at fault.

    Python and the array module complain of attributes, loops and operands; what a user can mend is an input's type, shapes
    that do not fit, dtypes, or a parameter. What none of these explains keeps its own text, with all arguments.
    `names` are those of all ops.
    """
    text, name = str(error), op.speaks_as or op.name
    new = _wrong_type(op, name, error, inputs)
    if new is None and text.startswith(name):
        return error
    new = new or _misfit(op, name, error, inputs)
    if new is None and re.split(r"\W", text, maxsplit=1)[0] in names:  # an op within this one has explained it
        new = type(error)(f"{name}: {text}")
    if new is None:
        kind: type[Exception] = ValueError
        if isinstance(error, TypeError | AttributeError):
            kind = TypeError
        elif isinstance(error, OverflowError):
            kind = OverflowError
        given = [f"{op.input_name(i)}: {describe(x)}" for i, x in enumerate(inputs)]
        given += [f"{key}={value!r}" for key, value in params.items()]
        inside = _is_numpys(error) or isinstance(error, AttributeError | KeyError)
        why = "the arguments do not fit" if inside else text.rstrip(".")
        new = kind(f"{name}: {why}. It was given {', '.join(given)}.")
        new.__cause__ = error
    new.__suppress_context__ = True
    return new


def _wrong_type(op, name: str, error: Exception, inputs: Sequence[Any]) -> Exception | None:
    """The error that names an input which is no tensor."""
    inside = isinstance(
        error, AttributeError
    )  # a rule asked something for its shape: here numbers and lists will not do
    for i, x in enumerate(inputs):
        optional = x is None and not op.variadic and op.input_defaults[i] is None
        if hasattr(x, "shape") or optional or (isinstance(x, bool | int | float | list | tuple) and not inside):
            continue
        wanted = "a tensor or a number" if op.broadcasts is True and not inside else "a tensor"
        return TypeError(f"{name}: input '{op.input_name(i)}' is {describe(x)}, expected {wanted}.")
    return None


def _misfit(op, name: str, error: Exception, inputs: Sequence[Any]) -> Exception | None:
    """The error that names shapes that do not broadcast, or dtypes that the op is not defined for."""
    if op.broadcasts and "broadcast" in str(error) and not _broadcast([shape_of(x) for x in inputs]):
        shapes = ", ".join(str(shape_of(x)) for x in inputs)
        why = "do not broadcast together: sizes must be equal or 1, compared from the last axis"
        return ValueError(f"{name}: shapes {shapes} {why} ({error}).")
    kinds = {x.dtype.kind for x in inputs if hasattr(x, "dtype")}
    if (_is_numpys(error) or "numpy boolean" in str(error)) and kinds - {"f"}:
        given = " and ".join(describe(x) for x in inputs)
        return TypeError(f"{name}: it is not defined for {given}; cast first, with .to('float32').")
    return None


def _is_numpys(error: Exception) -> bool:
    """Whether it is NumPy's own kind of TypeError: it has no loop for these dtypes."""
    return isinstance(error, TypeError) and (type(error) is not TypeError or str(error).startswith("ufunc '"))


def _broadcast(shapes: Iterable[tuple[int, ...]]) -> bool:
    """Whether arrays of these shapes broadcast together."""
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        return False
    return True
