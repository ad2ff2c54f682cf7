"""What a page needs to compute a trace once more by itself, in JavaScript: which ops have a twin there (ops.js), and the record
that is run.

The numbers of leaves stand in it as they are, the calls with their parameters as JSON. An index is written as the places that it
chooses, since slices and masks are Python's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from minilm.backend import to_host
from minilm.ops.op import REGISTRY
from minilm.trace.axes import on_host
from minilm.trace.expression import INDEXING
from minilm.trace.model import Call, Record, Value
from minilm.trace.text import titles

RANDOM = ("key",)  # parameters that only draw
USED = ("Tape", "filled", "add2")  # functions of ops.js that change.js calls
MOVABLE = 500  # numbers of leaves: what a reader can take in, and a page can hold
NUMBERS = 20_000  # of all values: what a page recomputes while a number is dragged


def record(trace: Record) -> dict[str, Any] | None:
    """The trace for change.js; None where it cannot be run again: an op has no twin, or draws at random, a hook changed a gradient,
    numbers came from code that was not recorded, are of several float types, or are too many.

    ``f``: bits of a float. ``l``: leaves by value (``n`` name, ``x`` array, ``r`` and ``k`` names of rows and columns). ``c``: calls (op,
    inputs, parameters, outputs, whether elementwise). ``s``: seeds by step where they are not 1. ``n``: labels. ``i``: results that are
    no floats. ``e``: what the last number is called.
    """
    floats = [v.array for v in trace.values if v.array.dtype.kind == "f"]
    kinds = {a.dtype for a in floats}
    leaves = [v for v in trace.values if v.call is None]
    movable = sum(v.array.size for v in leaves if v.array.dtype.kind == "f")
    if kinds not in ({np.dtype("float32")}, {np.dtype("float64")}) or not 0 < movable <= MOVABLE:
        return None
    if sum(a.size for a in floats) > NUMBERS or any(v.unknown or not known(v) for v in trace.values):
        return None
    calls = [_call(call) for call in trace.calls]
    seeds = _seeds(trace)
    if seeds is None or any(call is None for call in calls) or any(not v.array.size for v in trace.values):
        return None
    ends = [step.value for step in trace if step.kind == "seed"] or [
        v for c in trace.calls for v in c.outputs if v.array.size == 1
    ]
    whole = [v.index for v in trace.values if v.call and v.array.dtype.kind != "f"]
    return {
        "f": 32 if np.dtype("float32") in kinds else 64,
        "l": {v.index: _leaf(v) for v in leaves},
        "c": calls,
        "s": seeds,
        "n": [v.label for v in trace.values],
        **({"i": whole} if whole else {}),
        "e": ends[-1].label if ends and ends[-1] else "",
    }


def known(value: Value) -> bool:
    """Whether the calls give a value again: a float, or a constant (indices, also moved ones, or a mask with a name)."""
    kind = value.array.dtype.kind
    if kind == "f":
        return True
    return value.call.op.view if value.call else kind in "iu" or (kind == "b" and value.name is not None)


def _call(call: Call) -> list[Any] | None:
    first = call.inputs[0]
    if call.params.get("distinct"):
        return None  # a mask chose: which numbers it chooses may change with them
    params = parameters(call.op.name, first.shape if isinstance(first, Value) else (), call.params)
    if params is None:
        return None
    inputs = [x.index if isinstance(x, Value) else x if x is None else [x] for x in call.inputs]
    return [call.op.name, inputs, params, [v.index for v in call.outputs], int(call.elementwise and not call.op.multi)]


def _seeds(trace: Record) -> dict[int, Any] | None:
    """The gradients from outside, by step; None where one depends on what had come before, as a hook's does."""
    fed: set[int] = set()
    found = {}
    for step in trace:
        fed |= {c.value.index for c in step.contributions}
        if step.kind == "seed":
            assert step.value is not None
            if step.value.index in fed:
                return None
            if (to_host(step.arrived[0]) != 1).any():
                found[step.index] = array(step.arrived[0])
    return found


def _leaf(value: Value) -> dict[str, Any]:
    across, down = titles(value.shape, value.axes)
    numbers = {**array(value.array), **({"f": 1} if value.array.dtype.kind == "f" else {})}
    return {"n": value.label, "x": numbers, **({"r": down} if down else {}), **({"k": across} if across else {})}


@cache
def pieces(name: str = "ops.js") -> dict[str, str]:
    """The functions and ops of a script, by name: what stands at the left margin, in its order."""
    text = files("minilm.trace").joinpath(name).read_text("utf-8")
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    found: dict[str, str] = {}
    text = text.partition('"use strict";')[2].partition("\nif (typeof module")[0]
    for part in re.split(r"\n(?=function |const |class |OPS\.)", text):
        begin = re.match(r"(?:function|const|class) (\w+)|(OPS\.\w+)", part.strip())
        if begin:
            found[begin[1] or begin[2]] = part.strip()
    found.pop("minilmOps", None)
    return found


def pieces_of(name: str) -> str:
    """All functions of a script."""
    return "\n".join(pieces(name).values())


def twins() -> set[str]:
    """The ops that have a twin."""
    return {name.removeprefix("OPS.") for name in pieces() if name.startswith("OPS.")}


def script(ops: Iterable[str], functions: Iterable[str] = USED) -> str:
    """The part of ops.js that these ops and functions need."""
    every, needed = pieces(), ["OPS", *functions, *(f"OPS.{name}" for name in ops)]
    for name in needed:  # grows while it is walked
        words = re.findall(r"OPS\.\w+|(?<![\w.])[A-Za-z]\w*", every[name])
        needed += [word for word in words if word in every and word not in needed]
    return "\n".join(text for name, text in every.items() if name in needed)


def parameters(op: str, shape: tuple[int, ...], params: Mapping[str, Any]) -> dict[str, Any] | None:
    """An op's parameters, after its checks, as its twin takes them; None where it has no twin that does the same.

    Args:
        shape: of the op's first input.
    """
    if op not in twins() or (params.get("p") and params.get("training", True)) or params.get("dropout_p"):
        return None
    if op in INDEXING:
        places = np.arange(int(np.prod(shape, dtype=int))).reshape(shape)[on_host(dict(params))["index"]]
        return {"shape": list(places.shape), "places": places.ravel().tolist()}
    default = REGISTRY[op].params
    return {name: _plain(x) for name, x in params.items() if name not in RANDOM and not _same(x, default[name])}


def _same(x: Any, default: Any) -> bool:
    return x is default or (isinstance(x, int | float | str) and type(x) is type(default) and x == default)


def _plain(x: Any) -> Any:
    return [_plain(each) for each in x] if isinstance(x, tuple | list) else x


def array(x: Any) -> dict[str, Any]:
    """An array as JSON; what is not finite as a string, which JavaScript's ``Number`` reads."""
    x = to_host(x)
    numbers = [str(each) for each in x.ravel()] if x.dtype.kind == "f" else x.ravel().astype(int).tolist()
    numbers = [_number(each) if x.dtype.kind == "f" else each for each in numbers]
    return {"shape": list(x.shape), "data": numbers, **({"truth": True} if x.dtype.kind == "b" else {})}


def _number(text: str) -> Any:
    """The shortest number that reads back as the same, in the precision of its array."""
    x = float(text)
    if not np.isfinite(x):
        return {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}[str(x)]
    return int(x) if x == int(x) and abs(x) < 1e15 and not (x == 0 and text[0] == "-") else x
