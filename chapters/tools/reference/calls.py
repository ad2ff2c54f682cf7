"""What an op takes and gives, read from its record: inputs, parameters, dtypes, broadcasting, what it keeps, and what it answers."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from chapters.tools.reference import where
from minilm.backend.reference import Reference
from minilm.operators import Operators
from minilm.ops.explain import USUAL
from minilm.ops.op import Op
from minilm.ops.sample import Arg, Sample
from minilm.tensor import Tensor

PLAIN = "minilm/backend/reference.py"
KINDS = {
    "real": "numbers",
    "distinct": "numbers, no two equal",
    "simplex": "probabilities that sum to 1",
    "invertible": "square matrices with an inverse",
    "positive": "symmetric positive definite matrices",
    "integer": "integers: indices or classes",
    "mask": "truth values",
}
INTEGERS = {
    "kept": "Integers alone stay integers.",
    "floats": "Integers alone become the default float type (float32) first.",
    "refused": "Integers alone are refused: TypeError.",
    "no booleans": "Booleans alone are refused: TypeError.",
}
SIGNS = {
    "add": "a + b",
    "sub": "a - b",
    "mul": "a * b",
    "truediv": "a / b",
    "pow": "a ** b",
    "matmul": "a @ b",
    "floordiv": "a // b",
    "mod": "a % b",
}


class Input(NamedTuple):
    """One line of the table of arguments."""

    name: str
    what: str
    default: str
    gradient: str


def inputs(op: Op) -> list[Input]:
    """The op's inputs, then its parameters."""
    found = []
    if op.variadic:
        found.append(Input("*inputs", "numbers, any number of tensors", "", "yes"))
    for i, name in enumerate(op.input_names):
        kinds = [s.inputs[i].kind for s in op.samples if i < len(s.inputs) and isinstance(s.inputs[i], Arg)]
        what = " or ".join(dict.fromkeys(KINDS[kind] for kind in kinds)) or "a number"
        default = op.input_defaults[i]
        differs = (
            not op.answers
            and not op.discrete(i)
            and (op.only_composed or op.backward is not None or op.rules[i] is not None)
        )
        found.append(
            Input(
                name, what, "" if default is inspect.Parameter.empty else f"``{default!r}``", "yes" if differs else "no"
            )
        )
    for name, value in op.params.items():
        found.append(Input(name, "parameter", "" if name in op.required else f"``{value!r}``", ""))
    return found


def signature(op: Op) -> str:
    """How it is called: ``softmax(x, axis=-1)``; parameters may stand by position or by name."""
    given = [*(["*inputs"] if op.variadic else [])]
    for name, default in zip(op.input_names, op.input_defaults, strict=True):
        given.append(name if default is inspect.Parameter.empty else f"{name}={default!r}")
    given += [name if name in op.required else f"{name}={value!r}" for name, value in op.params.items()]
    return ", ".join(given)


def dtypes(op: Op) -> list[str]:
    """What is said of dtypes, broadcasting and memory, a sentence each."""
    said = []
    if op.answers:
        said.append("The answers are truth values or int64, which have no gradient.")
    else:
        said += [INTEGERS[op.integers]]
        if len(op.input_names) > 1 or op.variadic:
            said.append(
                "Floats win over integers, and the wider float over the narrower; Python's numbers take the type of the tensors."
            )
    if op.wide:
        said.append("float16 is computed in float32, forward and backward, and rounded once, at the end.")
    if op.follows:
        names = " and ".join(f"``{name}``" for name in op.follows)
        said.append(f"The dtype of {names} has no say in that of the result.")
    return said


def broadcasting(op: Op) -> str:
    """Whether shapes may differ."""
    if not op.broadcasts:
        return ""
    if isinstance(op.broadcasts, str):
        return f"The {op.broadcasts} are broadcast as in NumPy, and each gradient is summed to the shape of its input."
    if len(op.input_names) == 1:
        return "The gradient is summed to the shape of the input."
    return "Shapes are broadcast as in NumPy, and each gradient is summed to the shape of its input."


def kept(op: Op) -> str:
    """What stays in memory for the way back, where every input wants its gradient."""
    if op.answers or op.only_composed or op.variadic:
        return ""
    needs = tuple(
        not op.discrete(i) and (op.backward is not None or op.rules[i] is not None) for i in range(len(op.input_names))
    )
    y, read = op.saves[needs]
    names = [f"``{name}``" for name, used in zip(op.input_names, read, strict=True) if used] + (
        ["the output"] if y else []
    )
    return (
        f"For the way back it keeps {_listed(names)}." if names else "For the way back it keeps only shapes and dtypes."
    )


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


class Checked(NamedTuple):
    """A call on which the op is checked: inputs and parameters, and the shapes that come out."""

    given: str
    parameters: str
    out: str


def checked(op: Op) -> list[Checked]:
    """The record's samples, each with the shape of its result; of several that look alike the first."""
    found = {}
    for sample in op.samples:
        given = ", ".join(_shown(x) for x in sample.inputs)
        parameters = ", ".join(f"{k}={_short(v)}" for k, v in sample.params.items())
        found.setdefault((given, parameters), Checked(given, parameters, _shapes(op, sample)))
    return list(found.values())


def _shown(x: Any) -> str:
    if not isinstance(x, Arg):
        return _short(x)
    kind = {
        "real": "",
        "distinct": "",
        "simplex": "",
        "invertible": "",
        "positive": "",
        "integer": "int ",
        "mask": "bool ",
    }[x.kind]
    return f"{kind}{x.shape}"


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def _shapes(op: Op, sample: Sample) -> str:
    out = op(*sample.draw(np.random.default_rng(0)), **sample.params)
    return ", ".join(str(tuple(y.shape)) for y in (out if isinstance(out, tuple | list) else [out]))


def misfit(op: Op) -> str:
    """What the op says of shapes that do not fit; "" where it takes one input, or where any shapes fit."""
    for sample in op.samples:
        drawn = sample.draw(np.random.default_rng(0))
        arrays = [i for i, x in enumerate(drawn) if isinstance(x, np.ndarray) and x.ndim]
        if len(arrays) < 2:
            continue
        x = drawn[arrays[1]]
        drawn[arrays[1]] = np.concatenate([x] * 3, axis=-1)
        try:
            op(*drawn, **sample.params)
        except USUAL as error:
            return f"{type(error).__name__}: {error}"
    return ""


def methods(op: Op) -> list[str]:
    """The op on a Tensor: as a method, and as an operator."""
    found = []
    method = getattr(Tensor, op.name, None)
    if method is not None and (inspect.getdoc(method) or "").startswith(f"The op `{op.name}`"):
        found.append(f"x.{op.name}({signature(op).partition(', ')[2]})")
    return found + [sign for name, sign in SIGNS.items() if _operator(name) is op]


@cache
def _operator(name: str) -> Any:
    """The op behind an operator, which its closure holds."""
    cells = getattr(vars(Operators).get(f"__{name}__"), "__closure__", None) or ()
    return next((cell.cell_contents for cell in cells if isinstance(cell.cell_contents, Op)), None)


def kernels(op: Op) -> list[str]:
    """The functions of the device that its rules call, as `minilm.backend.reference` has them."""
    code = where.code_of(*where.record(op))
    names = [name for name in vars(Reference) if not name.startswith("_")]
    return [name for name in names if f"dev.{name}(" in code or f").{name}(" in code]
