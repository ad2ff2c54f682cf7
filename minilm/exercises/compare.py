"""Whether a result is what was expected, and where it is not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from minilm.exercises.task import Test
from minilm.tensor import Tensor

TOLERANCES = {
    "float16": (1e-2, 1e-3),
    "float32": (1e-4, 1e-6),
    "complex64": (1e-4, 1e-6),
    "float64": (1e-6, 1e-9),
    "complex128": (1e-6, 1e-9),
}
"""Relative and absolute tolerance of a dtype, the least precise first."""


@dataclass
class Difference:
    """The first respect in which two results differ.

    Attributes:
        kind: "type", "length", "keys", "shape", "dtype" or "values".
        expected, got: the parts that differ: for "values" two arrays of one shape, or two objects.
        part: where in the result they stand, such as "[1]" of a tuple; "" for the whole.
        wrong: for arrays, a mask of the elements that differ.
    """

    kind: str
    expected: Any
    got: Any
    part: str = ""
    wrong: Any = None


def difference(test: Test, expected: Any, got: Any, part: str = "") -> Difference | None:
    """None where `got` is right. Sequences and dicts are gone through in order.

    A tuple may be a list, and a list of plain numbers an array, or the other way round; where an array is expected, a Tensor is of the
    wrong type, and so is a list that is no array: of strings, or with rows of different lengths. Among numbers without axes int and
    float are one; in arrays they are not, and float32 may not become float64. NaN equals NaN.
    """
    if isinstance(expected, Tensor):
        if not isinstance(got, Tensor):
            return Difference("type", expected, got, part)
        return difference(test, expected.numpy(), got.numpy(), part)
    if isinstance(expected, list | tuple):
        return _sequences(test, expected, got, part)
    if isinstance(expected, dict):
        return _mappings(test, expected, got, part)
    if is_number(expected):
        return _numbers(test, expected, got, part)
    if _of_one_class(expected, got):
        return _mappings(test, vars(expected), vars(got), part)
    if _traveled(got):
        return None if _shows_alike(expected, got) else Difference("type", expected, got, part)
    if type(expected) is not type(got):
        return Difference("type", expected, got, part)
    return None if _equal(expected, got) else Difference("values", expected, got, part)


def _sequences(test: Test, expected: Any, got: Any, part: str) -> Difference | None:
    if isinstance(got, np.ndarray) and got.ndim and _plain(expected):
        got = got.tolist()
    if not isinstance(got, list | tuple):
        return Difference("type", expected, got, part)
    if len(expected) != len(got):
        return Difference("length", expected, got, part)
    pairs = enumerate(zip(expected, got, strict=True))
    return next((d for i, (e, g) in pairs if (d := difference(test, e, g, f"{part}[{i}]"))), None)


def _mappings(test: Test, expected: dict[Any, Any], got: Any, part: str) -> Difference | None:
    if not isinstance(got, dict):
        return Difference("type", expected, got, part)
    if set(expected) != set(got):
        return Difference("keys", expected, got, part)
    return next((d for k in expected if (d := difference(test, expected[k], got[k], f"{part}[{k!r}]"))), None)


def _numbers(test: Test, expected: Any, got: Any, part: str) -> Difference | None:
    """Arrays and numbers, a number being an array without axes."""
    listed = isinstance(expected, np.ndarray) and isinstance(got, list | tuple)
    if listed:
        got = as_array(got)
        if isinstance(got, np.ndarray) and not got.size:
            got = got.astype(expected.dtype)  # an empty list says nothing of its dtype
    if not is_number(got):
        return Difference("type", expected, got, part)
    e, g = np.asarray(expected), np.asarray(got)
    if e.shape != g.shape:
        return Difference("shape", e, g, part)
    wide = isinstance(expected, np.ndarray | np.generic) and not listed and _too_wide(e, g, got)
    if _other_kind(e, g) or wide:
        return Difference("dtype", e, g, part)
    wrong = ~close(e, g, *tolerance(test, e, g))
    return Difference("values", e, g, part, wrong) if wrong.any() else None


def tolerance(test: Test, expected: Any, got: Any) -> tuple[float, float]:
    """Relative and absolute: the test's own, or what the less precise of the two dtypes allows."""
    names = [str(x.dtype) for x in (expected, got)]
    rtol, atol = next((TOLERANCES[name] for name in TOLERANCES if name in names), (0.0, 0.0))
    return (rtol if test.rtol is None else test.rtol, atol if test.atol is None else test.atol)


def close(expected: Any, got: Any, rtol: float, atol: float) -> Any:
    """Elementwise; infinities are equal to themselves, and NaN to NaN."""
    kinds = expected.dtype.kind + got.dtype.kind
    if not set(kinds) <= set("iufcb") or "b" in kinds or (rtol == atol == 0 and set(kinds) <= set("iu")):
        pairs = zip(expected.ravel().tolist(), got.ravel().tolist(), strict=True)
        return np.array([_equal(e, g) for e, g in pairs], bool).reshape(expected.shape)
    with np.errstate(all="ignore"):  # inf - inf, and the difference of huge numbers
        return np.isclose(got, expected, rtol=rtol, atol=atol, equal_nan=True)


def leaves(expected: Any, got: Any, part: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The arrays and numbers of two results, in pairs, each with its place, for as far as the two are built alike."""
    if isinstance(expected, Tensor) and isinstance(got, Tensor):
        expected, got = expected.numpy(), got.numpy()
    if isinstance(expected, list) and expected and _plain(expected):
        expected, got = as_array(expected), as_array(got)
    if isinstance(expected, list | tuple) and isinstance(got, list | tuple) and len(expected) == len(got):
        for i, (e, g) in enumerate(zip(expected, got, strict=True)):
            yield from leaves(e, g, f"{part}[{i}]")
    elif isinstance(expected, dict) and isinstance(got, dict) and set(expected) == set(got):
        for key in expected:
            yield from leaves(expected[key], got[key], f"{part}[{key!r}]")
    elif is_number(expected) and is_number(got := as_array(got) if isinstance(expected, np.ndarray) else got):
        yield part, np.asarray(expected), np.asarray(got)


def is_number(x: Any) -> bool:
    """Whether it is a number or an array."""
    return isinstance(x, int | float | complex | np.ndarray | np.generic) and not isinstance(x, np.str_ | np.bytes_)


def as_array(x: Any) -> Any:
    """A list or tuple of numbers, nested to any depth, as an array; what is none, such as strings or ragged rows, stays as it is."""
    if not isinstance(x, list | tuple) or not _all_numbers(x):
        return x
    try:
        found = np.asarray(x)
    except (ValueError, TypeError, OverflowError):
        return x
    return found if found.dtype.kind in "iufcb" else x


def _all_numbers(x: Any, depth: int = 0) -> bool:
    if isinstance(x, list | tuple):
        return depth < 10 and all(_all_numbers(element, depth + 1) for element in x)
    return is_number(x)


def _plain(x: Any) -> bool:
    """Whether these are lists of numbers, all of one length within a level."""
    if not isinstance(x, list | tuple):
        return False
    if all(isinstance(element, int | float | complex) for element in x):
        return all(not isinstance(element, int) or abs(element) < 2**63 for element in x)
    lengths = {len(element) if isinstance(element, list | tuple) else -1 for element in x}
    return len(lengths) == 1 and -1 not in lengths and all(map(_plain, x))


def _other_kind(expected: Any, got: Any) -> bool:
    """Whether an array of floats is one of integers, bools or objects, or the other way round; without axes int and float are one."""
    kinds = {expected.dtype.kind, got.dtype.kind}
    if len(kinds) == 1 or kinds == {"i", "u"}:
        return False
    if expected.ndim:
        return True
    return not (kinds <= set("iufb") or (kinds <= set("iufbO") and _are_integers(expected, got)))


def _are_integers(*numbers: Any) -> bool:
    """Whether those of dtype object are Python's integers, beyond 64 bits."""
    return all(isinstance(x.item(), int) for x in numbers if x.dtype.kind == "O")


def _too_wide(expected: Any, got: Any, given: Any) -> bool:
    """Whether float32 (or float16) became float64. Python's own float has no width."""
    widths = {"f", "c"}
    if type(given) in (float, complex) or expected.dtype.kind not in widths or got.dtype.kind not in widths:
        return False
    return bool(got.dtype.itemsize > expected.dtype.itemsize)


def _traveled(got: Any) -> bool:
    """Whether it stands for an object that stayed in the process of the answer, by its class and what it shows of itself."""
    return type(got).__name__ == "Other" and isinstance(getattr(got, "type", None), str)


def _shows_alike(expected: Any, got: Any) -> bool:
    return type(expected).__name__ == got.type and repr(expected)[: len(got.repr)] == got.repr


def _of_one_class(expected: Any, got: Any) -> bool:
    """Whether they are objects of two classes of one name, such as the solution's and the student's `Value`."""
    named = type(expected).__name__ == type(got).__name__
    return (
        named
        and not isinstance(expected, type)
        and bool(getattr(expected, "__dict__", None))
        and hasattr(got, "__dict__")
    )


def _equal(a: Any, b: Any) -> bool:
    try:
        return bool(a == b) or bool(a != a and b != b)
    except Exception:  # an object whose comparison fails is not the one that was expected
        return False
