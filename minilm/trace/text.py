"""Steps as text: for `print`, the terminal and tables."""

from __future__ import annotations

import shutil
import textwrap
from typing import Any

import numpy as np

from minilm.backend import to_host
from minilm.trace.attention import FUSED, weights
from minilm.trace.explain import Explanation
from minilm.trace.expression import gradient_name, named, number, operand, place, results
from minilm.trace.formula import plain
from minilm.trace.model import Axes, Call, Contribution, Record, Scope, Step

NAMED = 144  # arrays with names along an axis, as attention's matrices, are shown whole up to this size
WHOLE = 12  # arrays up to this size are shown whole
ROWS = 60  # a listing folds Modules until it has no more rows than this


# -- numbers ----------------------------------------------------------------------------------------------------------


def show(array: Any) -> str:
    """Small arrays whole, larger ones as type, shape and range."""
    array = to_host(array)
    if array.size <= WHOLE:
        return _nested(array)
    return f"{array.dtype} {tuple(array.shape)} {spread(array)}"


def brief(array: Any, room: int = 1000) -> str:
    """For one row of a table: small arrays whole, if there is room for so many letters; others as shape and range."""
    array = to_host(array)
    if array.size <= WHOLE and len(_nested(array)) <= room:
        return _nested(array)
    shape = "x".join(map(str, array.shape)) or "scalar"
    text = f"{shape}: {spread(array).partition(', mean')[0]}"
    return text if len(text) <= room else shape


def cut(text: str, room: int) -> str:
    """A text of at most `room` letters, the last one … where something is missing."""
    return text if len(text) <= room else text[: max(room - 1, 0)] + "…"


def columns() -> int:
    """The width of the terminal; 80 where there is none."""
    return shutil.get_terminal_size((80, 24)).columns


def wrapped(label: str, text: str, indent: str = "  ") -> str:
    """A row "label  text" that is broken where the terminal ends, and between the parts of a formula."""
    room, start = max(columns(), 40), f"{indent}{label:<18}"
    lines: list[str] = []
    for part in text.split("   "):
        width = room - len(indent) - 18
        lines += textwrap.wrap(part.strip(), width, break_long_words=False, break_on_hyphens=False) or [""]
    return ("\n" + " " * (len(indent) + 18)).join([start + lines[0], *lines[1:]]).rstrip()


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


# -- one step ---------------------------------------------------------------------------------------------------------


def describe(step: Step) -> str:
    """A step with its numbers, over several lines."""
    where = f"   in {step.scope.path}" if step.scope.path else ""
    if step.kind == "seed":
        assert step.value is not None
        return f"step {step.index}   backward begins{where}\n  {gradient_name(step.value)} = {show(step.arrived[0])}"
    call = step.call
    assert call is not None
    head = f"step {step.index}   {step.kind}   {results(call)}{where}"
    if len(head) > columns():
        head = textwrap.fill(head, columns(), subsequent_indent=" " * 10, drop_whitespace=True, break_long_words=False)
    lines = [head]
    if call.line:
        lines.append(wrapped("line", call.line))
    if step.kind == "forward":
        lines += [wrapped("formula", plain(call.op.formula)), *_forward_rows(call)]
    else:
        lines += [wrapped("derivative", plain(call.op.derivative)), *_backward_rows(step)]
    return "\n".join(lines)


def _forward_rows(call: Call) -> list[str]:
    rows = [(named(x, call.scope), x.array, x.axes) for x in dict.fromkeys(call.values())]
    if call.op.name == FUSED:
        rows.append(("P", weights(call), call.axes))
    rows += [(f"= {named(value, call.scope)}", value.array, value.axes) for value in call.outputs]
    return [_shown(*row) for row in rows]


def _shown(label: str, array: Any, axes: Axes, indent: str = "  ", before: str = "") -> str:
    """A row "label  array"; with names along its axes, the array as a table below the label."""
    across, down = titles(tuple(array.shape), axes)
    if not (across or down) or array.size > NAMED:
        return wrapped(label, before + show(array), indent)
    numbers = [[number(x) for x in row] for row in to_host(array).reshape(-1, array.shape[-1]).tolist()]
    width = max(8, *(len(cut(t, 12)) for t in across), *(len(x) for row in numbers for x in row)) if across else 8
    start = max((len(cut(t, 16)) for t in down), default=0)
    left = " " * max(len(indent) + 18 - start - 2, len(indent)) if down else indent + " " * 18
    head = " ".join(f"{cut(t, 12):>{width}}" for t in across)
    room = len(left) + start + 2 * bool(down)
    named = f"{indent}{label:<18}{before.removesuffix(' = ')}".rstrip()
    lines = (
        [f"{named:<{room}}{head}".rstrip()] if len(named) < room else [named, *([" " * room + head] if across else [])]
    )
    for k, row in enumerate(numbers):
        title = f"{cut(down[k], 16):>{start}}  " if down else ""
        lines.append(left + title + " ".join(f"{x:>{width}}" for x in row))
    return "\n".join(lines)


def titles(shape: tuple[int, ...], axes: Axes) -> tuple[list[str], list[str]]:
    """The names above the columns and before the rows of an array, whose last axes they must fit: matrices of several heads stand below
    one another.
    """
    fits = [k <= len(axes) and k <= len(shape) and len(axes[-k]) == shape[-k] for k in (1, 2)]
    across = list(axes[-1]) if fits[0] else []
    down = list(axes[-2]) * int(np.prod(shape[:-2], dtype=int)) if fits[1] else []
    return across, down


def _backward_rows(step: Step) -> list[str]:
    assert step.call is not None
    scope = step.call.scope
    rows = [_shown("arrives", g, value.axes, before=f"{gradient_name(value, scope)} = ")
            for value, g in zip(step.call.outputs, step.arrived, strict=True) if g is not None]  # fmt: skip
    for c in step.contributions:
        product, axes = c.product()
        rows += [f"  to {named(c.value, scope)}", wrapped("local derivative", local_text(c), "    "),
                 _shown("their product", product, axes_of_product(c, product), "    ")]  # fmt: skip
        if axes:
            rows.append(_shown(f"sum over {axes_text(axes)}", c.grad, c.value.axes, "    "))
        rows.append(_shown("so far", c.accumulated, c.value.axes, "    ", f"{gradient_name(c.value, scope)} = "))
    return rows


def axes_of_product(c: Contribution, product: Any) -> Axes:
    """What stands along the axes of a contribution before it is summed: where it has the result's shape, what stands there."""
    y = c.call.outputs[0]
    return y.axes if tuple(product.shape) == y.shape != c.value.shape else c.value.axes


def axes_text(axes: tuple[int, ...]) -> str:
    """ "axis 0", "axes 0, 2" """
    return f"ax{'i' if len(axes) == 1 else 'e'}s {', '.join(map(str, axes))}"


def local_text(contribution: Contribution) -> str:
    """The local derivative of a contribution: its numbers where they are few, else a word on its form."""
    kind, array = contribution.local()
    y, x, scope = contribution.call.outputs[0], contribution.value, contribution.call.scope
    if kind == "rule":
        return (
            f"a matrix of {sum(v.array.size for v in contribution.call.outputs)} x {x.array.size}, applied by the rule"
        )
    what = "at each place" if kind == "elementwise" else "Jacobian"
    one = array is not None and array.ndim == 0
    return f"∂{operand(y, scope)}/∂{operand(x, scope)} = {show(array)}" + ("" if one else f" ({what})")


# -- all steps --------------------------------------------------------------------------------------------------------


def groups(trace: Record, depth: int | None) -> list[tuple[Scope | None, list[Step]]]:
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


def table(trace: Record, depth: int | None = None) -> str:
    """All steps, one a row; Modules below `depth` are one row each. No row is wider than the terminal."""
    found = groups(trace, depth)
    rows = [("step", "", "computes", "result"), *(_group_row(*group) for group in found)]
    first, second = (max(len(row[i]) for row in rows) for i in (0, 1))
    rest = max(columns(), 40) - first - second - 6
    third, fourth = (max(len(row[i]) for row in rows) for i in (2, 3))
    if third + fourth > rest:
        third = max(min(third, rest * 3 // 7), rest - fourth)
    rows[1:] = [_group_row(*group, room=rest - third) for group in found]
    return "\n".join(
        f"{a:<{first}}  {b:<{second}}  {cut(c, third):<{third}}  {cut(d, rest - third)}".rstrip() for a, b, c, d in rows
    )


def _row(step: Step, room: int = 1000) -> tuple[str, str, str, str]:
    if step.kind == "seed":
        assert step.value is not None
        return str(step.index), "backward", gradient_name(step.value), brief(step.arrived[0], room)
    call = step.call
    assert call is not None
    if step.kind == "forward":
        return str(step.index), "forward", results(call), _several([("", v.array) for v in call.outputs], room)
    scope = call.scope
    to = ", ".join(operand(c.value, scope) for c in step.contributions)
    gradients = _several([(f"{gradient_name(c.value, scope)} = ", c.accumulated) for c in step.contributions], room)
    return str(step.index), "backward", f"{', '.join(map(operand, call.outputs))} -> {to}", gradients


def _several(arrays: list[tuple[str, Any]], room: int) -> str:
    """Arrays behind their names; each has its share of the room."""
    share = (room + 2) // max(len(arrays), 1) - 2
    return "; ".join(label + brief(array, share - len(label)) for label, array in arrays)


def _group_row(scope: Scope | None, steps: list[Step], room: int = 1000) -> tuple[str, str, str, str]:
    last = _row(steps[-1], room)
    if scope is None:
        return last
    numbers = f"{steps[0].index}-{steps[-1].index}" if len(steps) > 1 else str(steps[0].index)
    kind = "forward" if steps[0].kind == "forward" else "backward"
    return numbers, kind, f"[{scope.path}: {scope.kind}, {len(steps)} step{'s' * (len(steps) > 1)}]", last[3]


def listing(trace: Record) -> str:
    """What ``print(steps)`` shows: the table, with Modules folded where it would be longer than a screen or two."""
    if not trace.steps:
        return "<trace: nothing was recorded; compute something on tensors inside the with block>"
    deepest = max(len(scope.ancestors()) for scope in trace.scopes)
    depth = next((d for d in range(deepest, 0, -1) if len(groups(trace, d)) <= ROWS), 0)
    note = f"Modules are folded; print(steps.table({depth + 1})) opens one level more."
    return table(trace, depth) + ("" if depth >= deepest else "\n" + textwrap.fill(note, max(columns(), 40)))


def walk(trace: Record) -> None:
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
