"""The reader's own code, seen from an op that runs in it: the line, and the names of the variables."""

from __future__ import annotations

import dis
import linecache
import sys
from functools import lru_cache
from types import CodeType, FrameType
from typing import Any

import numpy as np

from minilm.backend import to_host
from minilm.tensor import Tensor

READABLE = ("minilm.models", "minilm.nn.recurrent", "minilm.nn.attention", "minilm.nn.transformer")


def reader_frame() -> FrameType | None:
    """The nearest frame that is not the engine's own: the reader's code, or a model or layer that is there to be read."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name.partition(".")[0] != "minilm" or name.startswith(READABLE):
            return frame
        frame = frame.f_back
    return None


def source_line(frame: FrameType | None) -> str:
    return "" if frame is None else linecache.getline(frame.f_code.co_filename, frame.f_lineno, frame.f_globals).strip()


def variable(frame: FrameType | None, thing: Any) -> str | None:
    """The name under which a frame holds a thing; names that begin with an underscore are nobody's choice."""
    if frame is None:
        return None
    return next((k for k, v in list(frame.f_locals.items()) if v is thing and k[0] != "_" and k != "self"), None)


def holder(frame: FrameType | None, array: Any) -> str | None:
    """The name of the variable with an index array's numbers: an index is copied on its way to the op, a mask becomes numbers."""
    if frame is None:
        return None
    for name, held in list(frame.f_locals.items()):
        data = held.data if isinstance(held, Tensor) else held
        if name[0] == "_" or not isinstance(getattr(data, "dtype", None), np.dtype) or not hasattr(data, "nonzero"):
            continue
        if data.dtype.kind == "b":
            if any(equal(numbers, array) for numbers in to_host(data).nonzero()):
                return name
        elif data.dtype.kind in "iu" and equal(data, array):
            return name
    return None


def equal(a: Any, b: Any) -> bool:
    return tuple(a.shape) == tuple(b.shape) and bool(np.array_equal(to_host(a), to_host(b)))


def rebound(frame: FrameType | None, name: str) -> bool:
    """Whether a function binds a name more than once; its arguments are bound when it is called."""
    return frame is not None and _bindings(frame.f_code, name) > 1


@lru_cache(1024)
def _bindings(code: CodeType, name: str) -> int:
    count = int(name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
    for i in dis.get_instructions(code):
        if i.opname.startswith("STORE"):
            names = (
                i.argval if isinstance(i.argval, tuple) else (i.argval,)
            )  # two instructions in one, from Python 3.13 on
            count += names[: i.opname.count("STORE")].count(name)
    return count
