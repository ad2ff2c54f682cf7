"""Values as JSON: how a result travels from the process that a student's code ran in to the one that judges it.

Never pickle, which would run what it reads. What is written here is read as if an enemy had written it: whatever is not exactly
of this form raises `Damaged`. None, bool, int, str and finite floats are JSON's own; everything else is an object of one field,
which names the kind::

    {"float": "nan"}   {"tuple": [1, 2]}   {"array": ["<f4", [2, 3], "...base64..."]}   {"other": ["Node", "<Node 3>"]}

An object of a class that is not listed arrives as an `Other`: its type and what it shows of itself.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minilm.tensor import Tensor

DEEPEST = 40
MOST_PARTS = 200_000
MOST_BYTES = 1 << 25
LONGEST_REPR = 1000
MOST_DIGITS = 20_000  # hexadecimal
_DTYPE = re.compile(
    r"[<>|=][biufcSUMmV][0-9]{1,9}(\[[0-9]{0,9}[a-zA-Z]{1,7}\])?"
)  # NumPy's own reader takes more, and parses it as code
_KINDS = frozenset("biufcSUMmV")
# Bound here, before any answer has run: what it replaces in NumPy must not reach what looks at it.
_array, _ascontiguous, _frombuffer, _dtype = np.asarray, np.ascontiguousarray, np.frombuffer, np.dtype
_masked = np.ma.MaskedArray


class Damaged(ValueError):
    """What was read is not of this form."""


@dataclass(frozen=True)
class Other:
    """An object that cannot travel.

    Attributes:
        type: the name of its class.
        repr: what it shows of itself, at most 1000 characters.
    """

    type: str
    repr: str

    def __repr__(self) -> str:
        return self.repr


def plain(value: Any) -> Any:
    """The value as it would arrive: to compare an expected value with one that has traveled."""
    return decode(encode(value))


def encode(value: Any) -> Any:
    """The value as what `json.dumps` takes.

    What is nested deeper than 40 levels, a sequence that holds itself, and what is larger than 32 MiB or 200,000 parts, become an
    `Other` from there on. What an object does when it is asked for its ``repr`` is its own affair: an error is noted, an endless loop
    is not stopped here.
    """
    return _Writer().value(value, 0)


class _Writer:
    def __init__(self) -> None:
        self.parts, self.bytes = 0, 0

    def value(self, x: Any, depth: int) -> Any:
        self.parts += 1
        kind = type(x)
        if x is None or kind is bool:
            return x
        if depth > DEEPEST or self.parts > MOST_PARTS:
            return {"other": [_name(x), "..."]}
        if issubclass(kind, np.generic):
            return self._array(_array(x), "scalar", x)
        if issubclass(kind, np.ndarray) and not issubclass(kind, _masked):
            return self._array(x, "array", x)
        for base, write in _WRITERS:
            if issubclass(kind, base):  # not isinstance, which believes what an object says of itself
                return write(self, x, depth + 1)
        return other(x)

    def _array(self, x: Any, kind: str, whole: Any) -> Any:
        x = _array(x)
        if x.dtype.hasobject or x.dtype.kind not in _KINDS:
            return other(whole)
        if not self.room(x.nbytes):
            return {"other": [_name(whole), f"{x.dtype} of shape {x.shape}: too large to look at"]}
        data = base64.b64encode(_ascontiguous(x).tobytes()).decode()
        return {kind: [_written_dtype(x.dtype), list(x.shape), data]}

    def room(self, size: int) -> bool:
        """Whether there is still room for so many bytes, which are then taken."""
        if size > MOST_BYTES - self.bytes:
            return False
        self.bytes += size
        return True

    def _int(self, x: Any, depth: int) -> Any:
        x = int.__index__(x)
        if abs(x) < 1 << 53:
            return x
        return {"int": hex(x)} if x.bit_length() < 4 * MOST_DIGITS else {"other": ["int", f"{x.bit_length()} bits"]}

    def _float(self, x: Any, depth: int) -> Any:
        x = float.__float__(x)
        return x if math.isfinite(x) else {"float": float.__repr__(x)}

    def _complex(self, x: Any, depth: int) -> Any:
        parts = (complex.real.__get__(x), complex.imag.__get__(x))
        return {"complex": [float.__repr__(part) for part in parts]}

    def _str(self, x: Any, depth: int) -> Any:
        x = str.__str__(x)
        return x if self.room(4 * len(x)) else {"other": ["str", x[:LONGEST_REPR]]}

    def _bytes(self, x: Any, depth: int) -> Any:
        x = bytes(memoryview(x))
        return {"bytes": base64.b64encode(x).decode()} if self.room(len(x)) else {"other": ["bytes", f"{len(x)} bytes"]}

    def _list(self, x: Any, depth: int) -> Any:
        return {"list": [self.value(part, depth) for part in list.__iter__(x)]}

    def _tuple(self, x: Any, depth: int) -> Any:
        return {"tuple": [self.value(part, depth) for part in tuple.__iter__(x)]}

    def _dict(self, x: Any, depth: int) -> Any:
        return {"dict": [[self.value(k, depth), self.value(v, depth)] for k, v in dict.items(x)]}

    def _set(self, x: Any, depth: int) -> Any:
        parts = [self.value(part, depth) for part in set.__iter__(x)]
        return {"set": sorted(parts, key=str)}

    def _frozenset(self, x: Any, depth: int) -> Any:
        return {"frozenset": sorted((self.value(part, depth) for part in frozenset.__iter__(x)), key=str)}

    def _range(self, x: Any, depth: int) -> Any:
        ends = [x.start, x.stop, x.step]
        return {"range": ends} if all(abs(end) < 1 << 53 for end in ends) else other(x)

    def _tensor(self, x: Any, depth: int) -> Any:
        grad = None if x.grad is None else self.value(x.grad.numpy(), depth)
        return {"tensor": [self.value(x.numpy(), depth), bool(x.requires_grad), grad]}


_WRITERS: tuple[tuple[type, Callable[[_Writer, Any, int], Any]], ...] = (
    (int, _Writer._int),
    (float, _Writer._float),
    (complex, _Writer._complex),
    (str, _Writer._str),
    (bytes, _Writer._bytes),
    (list, _Writer._list),
    (tuple, _Writer._tuple),
    (dict, _Writer._dict),
    (set, _Writer._set),
    (frozenset, _Writer._frozenset),
    (range, _Writer._range),
    (Tensor, _Writer._tensor),
)


def other(x: Any) -> dict[str, list[str]]:
    """An object that cannot travel, by its class and what it shows of itself."""
    try:
        shown = str.__str__(repr(x))
    except Exception as error:
        shown = f"<{_name(x)}, whose repr raises {type(error).__name__}>"
    return {"other": [_name(x), shown[:LONGEST_REPR]]}


def _name(x: Any) -> str:
    return str(type.__dict__["__name__"].__get__(type(x)))[:200]


def _written_dtype(dtype: Any) -> Any:
    if dtype.names is None:
        return dtype.str
    if any(dtype.fields[name][0].subdtype for name in dtype.names):
        dtype = _dtype([(name, dtype.fields[name][0]) for name in dtype.names])
    return {"names": list(dtype.names), "formats": [_field(dtype.fields[name][0]) for name in dtype.names],
            "offsets": [dtype.fields[name][1] for name in dtype.names], "itemsize": dtype.itemsize}  # fmt: skip


def _field(dtype: Any) -> Any:
    base, shape = dtype.subdtype or (dtype, ())
    return [_written_dtype(base), list(shape)]


# --- reading -----------------------------------------------------------------------------------------------------------------------


def decode(document: Any) -> Any:
    """The value that `encode` wrote.

    Raises:
        Damaged: the document is not what `encode` writes.
    """
    try:
        return _read(document, 0)
    except Damaged:
        raise
    except (ValueError, TypeError, KeyError, OverflowError, MemoryError, RecursionError, binascii.Error) as error:
        raise Damaged(f"a value is damaged: {type(error).__name__}: {str(error)[:200]}") from None


def _read(x: Any, depth: int) -> Any:
    if depth > DEEPEST + 4:
        raise Damaged("a value is nested too deeply.")
    if x is None or type(x) in (bool, int, float, str):
        return x
    if type(x) is not dict or len(x) != 1:
        raise Damaged(f"a value is damaged: {str(x)[:60]}")
    ((kind, body),) = x.items()
    reader = _READERS.get(kind)
    if reader is None:
        raise Damaged(f"a value is of an unknown kind: {str(kind)[:60]!r}.")
    return reader(body, depth + 1)


def _parts(body: Any, depth: int) -> list[Any]:
    return [_read(part, depth) for part in _listed(body)]


def _listed(body: Any, length: int | None = None) -> list[Any]:
    if type(body) is not list or length not in (None, len(body)):
        raise Damaged("a value is damaged: a list of another length was expected.")
    return body


def _whole(x: Any) -> int:
    if type(x) is not int:
        raise Damaged("a value is damaged: an integer was expected.")
    return x


def _string(x: Any) -> str:
    if type(x) is not str:
        raise Damaged("a value is damaged: a text was expected.")
    return x


def _read_int(body: Any, depth: int) -> int:
    text = _string(body)
    if len(text) > MOST_DIGITS + 3:
        raise Damaged("an integer is too long.")
    return int(text, 16)


def _read_array(body: Any, depth: int) -> Any:
    written, shape, data = _listed(body, 3)
    dtype = _read_dtype(written, depth)
    shape = [_whole(n) for n in _listed(shape)]
    content = base64.b64decode(_string(data), validate=True)
    if len(shape) > 64 or min(shape, default=1) < 0 or math.prod(shape) * dtype.itemsize != len(content):
        raise Damaged(f"an array's shape, {shape[:8]}, does not fit its {len(content)} bytes.")
    if dtype.itemsize == 0 or not content:
        return np.zeros(shape, dtype)
    array = _frombuffer(content, dtype).reshape(shape)
    _check_characters(array)
    return array.copy()


def _check_characters(array: Any) -> None:
    """Text of what is no character would end the interpreter's own printing with an error."""
    for name in array.dtype.names or ():
        _check_characters(array[name])
    if array.dtype.kind == "U" and array.size and array.dtype.itemsize:
        codes = _ascontiguous(array).view(array.dtype.byteorder.replace("|", "=") + "u4")
        if codes.max() > 0x10FFFF:
            raise Damaged("a text holds what is no character.")


def _read_scalar(body: Any, depth: int) -> Any:
    array = _read_array(body, depth)
    if array.shape != ():
        raise Damaged("a number has a shape.")
    return array[()]


def _read_dtype(written: Any, depth: int) -> Any:
    if depth > DEEPEST:
        raise Damaged("a dtype is nested too deeply.")
    if type(written) is str:
        dtype = _dtype(written) if _DTYPE.fullmatch(written) else None
    elif type(written) is dict and set(written) == {"names", "formats", "offsets", "itemsize"}:
        formats = []
        for entry in _listed(written["formats"]):
            base, shape = _listed(entry, 2)
            inner = _read_dtype(base, depth + 1)
            formats.append((inner, tuple(_whole(n) for n in shape)) if shape else inner)
        dtype = _dtype({
            "names": [_string(name) for name in _listed(written["names"])],
            "formats": formats,
            "offsets": [_whole(n) for n in _listed(written["offsets"])],
            "itemsize": _whole(written["itemsize"]),
        })  # fmt: skip
    else:
        dtype = None
    if dtype is None or dtype.hasobject or dtype.kind not in _KINDS or dtype.itemsize > MOST_BYTES:
        raise Damaged(f"an array is of a dtype that does not travel: {str(written)[:60]}.")
    return dtype


def _read_tensor(body: Any, depth: int) -> Any:
    data, requires_grad, grad = _listed(body, 3)
    data, grad = _read(data, depth), _read(grad, depth)
    if not isinstance(data, np.ndarray) or type(requires_grad) is not bool:
        raise Damaged("a tensor is damaged.")
    tensor = Tensor(data, requires_grad=requires_grad)
    if grad is not None:
        tensor.grad = Tensor(grad)
    return tensor


def _read_dict(body: Any, depth: int) -> dict[Any, Any]:
    return {_read(key, depth): _read(value, depth) for key, value in (_listed(pair, 2) for pair in _listed(body))}


def _read_float(body: Any, depth: int) -> float:
    if body not in ("nan", "inf", "-inf"):
        raise Damaged("a float is damaged.")
    return float(body)


_READERS: dict[Any, Callable[[Any, int], Any]] = {
    "int": _read_int,
    "float": _read_float,
    "complex": lambda body, depth: complex(*(float(_string(part)) for part in _listed(body, 2))),
    "bytes": lambda body, depth: base64.b64decode(_string(body), validate=True),
    "list": _parts,
    "tuple": lambda body, depth: tuple(_parts(body, depth)),
    "dict": _read_dict,
    "set": lambda body, depth: set(_parts(body, depth)),
    "frozenset": lambda body, depth: frozenset(_parts(body, depth)),
    "range": lambda body, depth: range(*(_whole(n) for n in _listed(body, 3))),
    "array": _read_array,
    "scalar": _read_scalar,
    "tensor": _read_tensor,
    "other": lambda body, depth: Other(*(_string(part)[:LONGEST_REPR] for part in _listed(body, 2))),
}
