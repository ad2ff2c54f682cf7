"""Steps as text: for `print`, the terminal and tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from minilm.backend import to_host
from minilm.trace.record import Call, Contribution, Scope, Step, Trace, Value

if TYPE_CHECKING:
    from minilm.trace.explain import Explanation

WHOLE = 12  # arrays up to this size are shown whole
SHORT = 20  # labels made of expressions are no longer than this
ROWS = 60  # a listing folds Modules until it has no more rows than this
INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**", "matmul": "@"}


# -- numbers ----------------------------------------------------------------------------------------------------------


def number(x: Any) -> str:
    """Four significant digits."""
    return str(bool(x)) if isinstance(x, bool | np.bool_) else f"{x:.4g}"


def place(index: Iterable[int]) -> str:
    """An index as it is written after a name: "[0, 1]"; nothing for a scalar."""
    text = ", ".join(str(i) for i in index)
    return f"[{text}]" if text else ""


def show(array: Any) -> str:
    """Small arrays whole, larger ones as type, shape and range."""
    array = to_host(array)
    if array.size <= WHOLE:
        return _nested(array)
    return f"{array.dtype} {tuple(array.shape)} {spread(array)}"


def brief(array: Any) -> str:
    """For one row of a table: small arrays whole, larger ones as shape and range."""
    array = to_host(array)
    if array.size <= WHOLE:
        return _nested(array)
    return f"{'x'.join(map(str, array.shape))}: {spread(array).partition(', mean')[0]}"


def spread(array: Any) -> str:
    """The range and the mean of an array's numbers; how many are not finite, where some are not."""
    if array.dtype.kind == "b":
        return f"{int(array.sum())} of {array.size} true"
    finite = array[np.isfinite(array)] if array.dtype.kind == "f" else array
    if not finite.size:
        return f"all {array.size} not finite"
    lost = f", {array.size - finite.size} not finite" if finite.size < array.size else ""
    low, high, mean = finite.min(), finite.max(), finite.mean(dtype=np.float64)
    if abs(mean) < 1e-7 * max(-low, high):  # what rounding leaves of a mean that is zero
        mean = 0.0
    return f"{number(low)} to {number(high)}, mean {number(mean)}{lost}"


def _nested(array: Any) -> str:
    if array.ndim == 0:
        return number(array.item())
    return "[" + ", ".join(_nested(row) for row in array) + "]"


# -- expressions ------------------------------------------------------------------------------------------------------


def expression(call: Call) -> str:
    """The call as Python: "x @ w", "softmax(s, axis=-1)"."""
    operands = [operand(x) if isinstance(x, Value) else "None" if x is None else number(x) for x in call.inputs]
    if call.op.name in INFIX:
        return f" {INFIX[call.op.name]} ".join(operands)
    if call.op.name == "neg":
        return f"-{operands[0]}"
    while operands and operands[-1] == "None":
        operands.pop()
    chosen = {k: v for k, v in call.params.items() if v != call.op.params.get(k) and _is_plain(v)}
    return f"{call.op.name}({', '.join([*operands, *(f'{k}={v}' for k, v in chosen.items())])})"


def _is_plain(value: Any) -> bool:
    return isinstance(value, bool | int | float | str) or (isinstance(value, tuple) and all(map(_is_plain, value)))


def operand(value: Value) -> str:
    """A value's label inside an expression: in parentheses where it is an expression itself."""
    return f"({value.label})" if " " in value.label else value.label


def results(call: Call) -> str:
    """What a call computes: "z = x + b", or the expression alone where the result has no other label."""
    labels, text = ", ".join(value.label for value in call.outputs), expression(call)
    return text if labels == text else f"{labels} = {text}"


def short_expression(call: Call) -> str:
    """A label for a result without a name: the expression itself where it is short, else the op's name."""
    name = call.op.name
    if name in INFIX or name == "neg":
        text = expression(call)
    elif name == "transpose" and len(call.outputs[0].shape) == 2:
        text = f"{operand(call.inputs[0])}ᵀ"
    elif name == "basic_index":
        text = f"{operand(call.inputs[0])}[…]"
    else:
        return name
    return text if len(text) <= SHORT else name


def gradient_name(value: Value) -> str:
    return f"∂L/∂{operand(value)}"


# -- one step ---------------------------------------------------------------------------------------------------------


def describe(step: Step) -> str:
    """A step with its numbers, over several lines."""
    where = f"   in {step.scope.path}" if step.scope.path else ""
    if step.kind == "seed":
        assert step.value is not None
        name = gradient_name(step.value)
        return f"step {step.index}   backward begins{where}\n  {name} = {show(step.arrived[0])}"
    call = step.call
    assert call is not None
    lines = [f"step {step.index}   {step.kind}   {results(call)}{where}"]
    if call.line:
        lines.append(f"  {'line':<18}{call.line}")
    if step.kind == "forward":
        lines += [f"  {'formula':<18}{call.op.formula}", *_forward_rows(call)]
    else:
        lines += [f"  {'derivative':<18}{call.op.derivative}", *_backward_rows(step)]
    return "\n".join(lines)


def _forward_rows(call: Call) -> list[str]:
    rows = [f"  {x.label:<18}{show(x.array)}" for x in dict.fromkeys(call.values())]
    return rows + [f"  {'= ' + value.label:<18}{show(value.array)}" for value in call.outputs]


def _backward_rows(step: Step) -> list[str]:
    assert step.call is not None
    rows = [f"  {'arrives':<18}{gradient_name(value)} = {show(g)}"
            for value, g in zip(step.call.outputs, step.arrived, strict=True) if g is not None]  # fmt: skip
    for c in step.contributions:
        rows += [f"  to {c.value.label}", f"    {'local derivative':<18}{local_text(c)}", f"    {'their product':<18}{show(c.grad)}",
                 f"    {'so far':<18}{gradient_name(c.value)} = {show(c.accumulated)}"]  # fmt: skip
    return rows


def local_text(contribution: Contribution) -> str:
    """The local derivative of a contribution: its numbers where they are few, else a word on its form."""
    kind, array = contribution.local()
    y, x = contribution.call.outputs[0], contribution.value
    if kind == "rule":
        return (
            f"a matrix of {sum(v.array.size for v in contribution.call.outputs)} x {x.array.size}, applied by the rule"
        )
    what = "at each place" if kind == "elementwise" else "Jacobian"
    one = array is not None and array.ndim == 0
    return f"∂{operand(y)}/∂{operand(x)} = {show(array)}" + ("" if one else f" ({what})")


# -- all steps --------------------------------------------------------------------------------------------------------


def groups(trace: Trace, depth: int | None) -> list[tuple[Scope | None, list[Step]]]:
    """The steps in order; runs of steps inside a Module below `depth` together, with its scope."""
    found: list[tuple[Scope | None, list[Step]]] = []
    for step in trace:
        chain = step.scope.ancestors()
        scope = None if depth is None or len(chain) <= depth + 1 else chain[depth + 1]
        kind = step.kind == "forward"
        if scope is not None and found and found[-1][0] is scope and (found[-1][1][0].kind == "forward") == kind:
            found[-1][1].append(step)
        else:
            found.append((scope, [step]))
    return found


def table(trace: Trace, depth: int | None = None) -> str:
    """All steps, one a row; Modules below `depth` are one row each."""
    rows = [("step", "", "computes", "result")]
    for scope, steps in groups(trace, depth):
        rows.append(_group_row(scope, steps) if scope is not None else _row(steps[0]))
    widths = [min(max(len(row[i]) for row in rows), limit) for i, limit in enumerate((11, 8, 48))]
    return "\n".join(
        "  ".join([*(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=False)), row[3]]) for row in rows
    )


def _row(step: Step) -> tuple[str, str, str, str]:
    if step.kind == "seed":
        assert step.value is not None
        return str(step.index), "backward", gradient_name(step.value), brief(step.arrived[0])
    assert step.call is not None
    if step.kind == "forward":
        return str(step.index), "forward", results(step.call), "; ".join(brief(v.array) for v in step.call.outputs)
    of, to = ", ".join(map(operand, step.call.outputs)), ", ".join(operand(c.value) for c in step.contributions)
    gradients = "; ".join(f"{gradient_name(c.value)} = {brief(c.accumulated)}" for c in step.contributions)
    return str(step.index), "backward", f"{of} -> {to}", gradients


def _group_row(scope: Scope, steps: list[Step]) -> tuple[str, str, str, str]:
    numbers = f"{steps[0].index}-{steps[-1].index}" if len(steps) > 1 else str(steps[0].index)
    last = _row(steps[-1])
    kind = "forward" if steps[0].kind == "forward" else "backward"
    return numbers, kind, f"[{scope.path}: {scope.kind}, {len(steps)} step{'s' * (len(steps) > 1)}]", last[3]


def listing(trace: Trace) -> str:
    """What ``print(steps)`` shows: the table, with Modules folded where it would be longer than a screen or two."""
    if not trace.steps:
        return "<trace: nothing was recorded; compute something on tensors inside the with block>"
    deepest = max(len(scope.ancestors()) for scope in trace.scopes)
    depth = next((d for d in range(deepest, 0, -1) if len(groups(trace, d)) <= ROWS), 0)
    note = "" if depth >= deepest else f"\nModules are folded; print(steps.table({depth + 1})) opens one level more."
    return table(trace, depth) + note


def walk(trace: Trace) -> None:
    """Walks through the steps: Enter goes on, b back, a number there, q leaves."""
    at = 0
    while trace.steps:
        print(describe(trace[at]))
        try:
            answer = input(f"[{at} of {len(trace) - 1}] Enter: on, b: back, number: go there, q: quit > ").strip()
        except EOFError:
            return
        if answer == "q":
            return
        if answer.isdecimal() and int(answer) < len(trace):
            at = int(answer)
        elif answer in ("", "b"):
            at = min(max(at + (1 if answer == "" else -1), 0), len(trace) - 1)
        else:
            print(f"{answer!r} is not a step: expected Enter, b, q, or a number from 0 to {len(trace) - 1}.")


# -- explanations -----------------------------------------------------------------------------------------------------


def explanation(explained: Explanation) -> str:
    """The paths of a gradient, one a line, and their sum."""
    name = f"∂L/∂{explained.value.label}{'' if explained.element is None else place(explained.element)}"
    lines = [
        f"{name} = {show(np.asarray(explained.gradient))}, the sum over {len(explained.paths)} path{'s' * (len(explained.paths) != 1)}"
    ]
    for path in explained.paths:
        lines.append(f"  {path}")
        if path.factors:
            product = " * ".join(number(f) if f >= 0 else f"({number(f)})" for f in [*path.factors, path.arrived])
            lines.append(f"      {product} = {number(path.part)}")
        else:
            lines.append(f"      {show(np.asarray(path.part))}")
    if any(not path.complete for path in explained.paths):
        lines.append(
            "  A path that ends in … stands for all that go on from there; explain(..., paths=N) follows more."
        )
    return "\n".join(lines)
