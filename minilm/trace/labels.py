"""The label of each value: what a reader calls it, unlike all others of the trace.

A parameter has its path below its Module, a variable its name, and what has no name its expression; inside a Module it has the
op's name, and what a Module computes last is called as the Module is.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from minilm.trace.expression import short_expression
from minilm.trace.model import Call, Record, Scope, Value

SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def write_labels(record: Record, owners: dict[int, str], several: bool) -> None:
    """Gives every value a label; the second of a name gets a subscript 2, and so on.

    Args:
        owners: by parameter: the name of the outermost Module that it belongs to.
        several: whether there is more than one of those, so that their names are part of the labels.
    """
    for scope in record.scopes:
        scope.prefix = _below(scope.path, several)
    last = {scope.index: call for call in record.calls for scope in call.scope.ancestors()}
    labels, shorts = _Names(), _Names()
    for value in record.values:
        call = value.call
        if call and value.reused and call.scope is not value.place and last[call.scope.index] is call:
            value.name = None
        scope = (call.scope if call and value.name is None else value.place) or record.scopes[0]
        if call is None:
            name = value.name
            if name is not None and value.index in owners:
                name = _below(f"{owners[value.index]}.{name}", several)
            value.label = value.short = labels.new(name or (value.role if len(value.role) > 1 else "constant"))
        elif value.name is not None:
            within = f"{scope.prefix}." if scope.prefix else ""
            value.label = labels.new(within + value.name)
            value.short = value.label.removeprefix(within)
        else:
            whole = last[scope.index] is call and len(call.outputs) == 1
            _label_result(value, call, scope, whole, labels, shorts)


def _label_result(value: Value, call: Call, scope: Scope, whole: bool, labels: _Names, shorts: _Names) -> None:
    """The label of a result without a name; `whole`: it is what its Module computes."""
    text = short_expression(call)
    if not scope.prefix:
        value.label = value.short = labels.new(text)
        return
    value.label = labels.new(scope.prefix if whole else f"{scope.prefix}.{call.op.name}")
    own = scope.prefix.rpartition(".")[2]
    named = whole and text == call.op.name and not own[0].isdigit()
    value.short = shorts.new(own if named else text, scope.index)


def _below(path: str, several: bool) -> str:
    """A path without the outermost Module, where there is but one; "net.0" stays, since 0 is no name."""
    below = path.partition(".")[2]
    return path if several or not below or below[0].isdigit() else below


class _Names:
    """Gives each name once; the second time with a subscript 2, and so on."""

    def __init__(self) -> None:
        self.count: Counter[Any] = Counter()
        self.given: set[Any] = set()

    def new(self, base: str, within: int = -1) -> str:
        while True:
            self.count[within, base] += 1
            count = self.count[within, base]
            name = base if count == 1 else base + str(count).translate(SUBSCRIPTS)
            if (within, name) not in self.given:  # somebody may have called another one x₂
                self.given.add((within, name))
                return name
