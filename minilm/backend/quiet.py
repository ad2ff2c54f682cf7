"""Arithmetic by IEEE 754 alone: 1 / 0 is infinity and 0 / 0 is NaN, on every device in the same way, without NumPy's warnings.

NumPy keeps what it warns of in a context variable (`contextvars`). ``with np.errstate(...)`` sets it for a while, which takes as
long as a small addition itself. To call a function within a context in which it has been set once for all takes a tenth of that.
"""

from __future__ import annotations

import contextvars
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

quiet = functools.partial(np.errstate, all="ignore")
"""Within ``with quiet():`` NumPy's arithmetic warns of nothing in this thread: for a whole backward pass or optimizer step."""


def quiet_call() -> Callable[..., Any]:
    """A function q such that ``q(f, *args)`` is ``f(*args)`` without warnings. It is for one thread, and no call lies within another."""
    context = contextvars.Context()
    context.run(np.seterr, all="ignore")
    return context.run


def is_nested(error: RuntimeError) -> bool:
    """Whether a function of `quiet_call` refused, because a call of it is running: what it would call is quiet already."""
    return str(error).startswith("cannot enter context")
