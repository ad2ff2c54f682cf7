"""Values and calls as Python: "x @ w", "softmax(s, axis=-1)", "table[ids]"."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from minilm.ops.index import show_item
from minilm.trace.model import Call, Scope, Value

SHORT = 20  # labels made of expressions are no longer than this
FEW = 6  # ids without a name are written out up to this size
INDEXING = ("basic_index", "advanced_index")
INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**", "matmul": "@"}


def number(x: Any) -> str:
    """Four significant digits."""
    return str(bool(x)) if isinstance(x, bool | np.bool_) else f"{x:.4g}"


def place(index: Iterable[int]) -> str:
    """An index as it is written after a name: "[0, 1]"; nothing for a scalar."""
    text = ", ".join(str(i) for i in index)
    return f"[{text}]" if text else ""


def named(value: Value, scope: Scope | None = None) -> str:
    """What a value is called in a Module: the part of its label below that Module, or its expression there."""
    if scope is None or not scope.prefix:
        return value.label
    if value.call is not None and value.call.scope is scope:
        return value.short
    return value.label.removeprefix(f"{scope.prefix}.")


def operand(value: Value, scope: Scope | None = None) -> str:
    """A value's name inside an expression: in parentheses where it is an expression itself."""
    name = named(value, scope)
    return f"({name})" if " " in name else name


def expression(call: Call) -> str:
    """The call as Python: "x @ w", "softmax(s, axis=-1)", "table[ids]"; names are those of its Module."""
    form = operand if call.op.name in INFIX or call.op.name in INDEXING or call.op.name == "neg" else named
    operands = [
        form(x, call.scope) if isinstance(x, Value) else "None" if x is None else number(x) for x in call.inputs
    ]
    if call.op.name in INFIX:
        return f" {INFIX[call.op.name]} ".join(operands)
    if call.op.name == "neg":
        return f"-{operands[0]}"
    if call.op.name in INDEXING:
        return f"{operands[0]}[{', '.join(items(call))}]"
    while operands and operands[-1] == "None":
        operands.pop()
    chosen = [f"{k}={parameter(call, k)}" for k, v in call.params.items() if _differs(v, call.op.params.get(k))]
    return f"{call.op.name}({', '.join([*operands, *chosen])})"


def items(call: Call) -> list[str]:
    """The parts of an index; the ... that ends a basic one is the engine's."""
    index = call.params["index"]
    index = index[:-1] if len(index) > 1 and index[-1] is Ellipsis else index
    return [_parameter(call, "index", k, x) for k, x in enumerate(index)]


def parameter(call: Call, name: str) -> str:
    """A parameter as Python; arrays by their names."""
    value = call.params[name]
    if not isinstance(value, tuple | list):
        return _parameter(call, name, 0, value)
    items = [_parameter(call, name, k, x) for k, x in enumerate(value)]
    return f"({', '.join(items)}{',' if len(items) == 1 else ''})"


def _parameter(call: Call, name: str, k: int, x: Any) -> str:
    if (name, k) in call.indices:
        ids = call.indices[name, k]
        return str(ids.numbers.tolist()) if ids.name is None and ids.array.size <= FEW else named(ids, call.scope)
    if isinstance(x, slice | type(...)) or x is None:
        return show_item(x) if x is not None else "None"
    if isinstance(x, tuple | list):
        return f"({', '.join(_parameter(call, name, -1, part) for part in x)}{',' if len(x) == 1 else ''})"
    if isinstance(x, float) and name != "eps":
        return number(x)
    return str(x) if isinstance(x, bool | int | float | str) else str(getattr(x, "name", None) or _dtype(x))


def _dtype(x: Any) -> str:
    try:
        return np.dtype(x).name
    except TypeError:
        return type(x).__name__


def _differs(value: Any, default: Any) -> bool:
    return True if hasattr(value, "shape") else bool(value != default)


def results(call: Call) -> str:
    """What a call computes: "z = x + b", or the expression alone where the result has no other label."""
    labels, text = ", ".join(value.label for value in call.outputs), expression(call)
    return text if labels == text else f"{labels} = {text}"


def short_expression(call: Call) -> str:
    """A label for a result without a name: the expression itself where it is short, else the op's name."""
    name = call.op.name
    if name in INFIX or name == "neg" or name in INDEXING:
        text = expression(call)
        if len(text) > SHORT and name in INDEXING:
            text = f"{operand(call.inputs[0], call.scope)}[…]"
    elif name == "transpose" and len(call.outputs[0].shape) == 2:
        text = f"{operand(call.inputs[0], call.scope)}ᵀ"
    else:
        return name
    return text if len(text) <= SHORT else name


def gradient_name(value: Value, scope: Scope | None = None) -> str:
    return f"∂L/∂{operand(value, scope)}"
