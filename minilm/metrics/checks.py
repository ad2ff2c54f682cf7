"""What every metric asks of its arguments: as many answers as truths, numbers that are numbers."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from typing import Any

import numpy as np

from minilm.types import HostArray


def same_length(truth: Sized, answers: Sized) -> int:
    """How many examples there are.

    Raises:
        ValueError: there is none, there are more of one than of the other, or a text was given where a list of texts belongs.
    """
    for name, values in (("the truth", truth), ("the answers", answers)):
        if isinstance(values, (str, bytes)):
            raise ValueError(f"{name} must be a list with one entry per example, got one text: {values[:40]!r}.")
    if len(truth) != len(answers):
        raise ValueError(f"expected one answer per example, got {len(truth)} examples and {len(answers)} answers.")
    if not len(truth):
        raise ValueError("there is no example: nothing can be measured.")
    return len(truth)


def numbers(name: str, values: Any, *, low: float | None = None, high: float | None = None) -> HostArray:
    """One number per example, as float64.

    Raises:
        ValueError: they are not one per example, one is NaN, or one lies outside of `low` to `high`.
    """
    array = np.asarray(values, np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one number per example, got an array of shape {array.shape}.")
    bad = np.isnan(array)
    if low is not None:
        bad |= array < low
    if high is not None:
        bad |= array > high
    if bad.any():
        where = int(bad.argmax())
        expected = "a number" if low is None or high is None else f"a number from {low:g} to {high:g}"
        raise ValueError(f"{name} of example {where} is {array[where]}, expected {expected}.")
    return array


def yes_or_no(name: str, values: Any) -> HostArray:
    """One yes or no per example, as float64: True and 1 are yes, False and 0 are no.

    Raises:
        ValueError: something else is among them.
    """
    array = numbers(name, values)
    if not np.isin(array, (0, 1)).all():
        where = int((~np.isin(array, (0, 1))).argmax())
        raise ValueError(f"{name} of example {where} is {array[where]:g}, expected yes or no: True or False, 1 or 0.")
    return array


def unit_rows(name: str, given: Any) -> HostArray:
    """One vector per row, as float64, each brought to length 1.

    Raises:
        ValueError: there is no row, a number is not finite, or a vector is zero: it has no direction.
    """
    vectors = np.asarray(given, np.float64)
    if vectors.ndim != 2 or not len(vectors):
        raise ValueError(f"{name}: expected one vector per row and at least one row, got shape {vectors.shape}.")
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(length).all():
        raise ValueError(f"{name}: row {int((~np.isfinite(length[:, 0])).argmax())} is not finite.")
    if not length.all():
        raise ValueError(f"{name}: row {int((length[:, 0] == 0).argmax())} is zero: it has no direction.")
    return np.asarray(vectors / length)


def texts(name: str, values: Sequence[Any]) -> None:
    """Raises ValueError where one of the values is no text."""
    for where, value in enumerate(values):
        if not isinstance(value, str):
            raise ValueError(f"{name} of example {where} is {type(value).__name__}, expected a text.")
