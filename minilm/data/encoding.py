"""Columns of a table as numbers that a model takes: numbers standardized, names as one column each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DataError


class Encoding:
    """How columns become numbers: what is needed for that is learned from one table, and holds for others.

    A number becomes (x - mean) / deviation, 0 in a column that is constant. A name becomes a column for each of the names that were
    seen, 1 in its own; one that was not seen has 0 in all of them.

    Attributes:
        names: of the columns that come out, as "age" and "sex=Female".

    Args:
        columns: to learn from, by name, (n,) each: numbers or texts.
        leave_out: columns that are not used.

    Raises:
        DataError: there is no column or no row, their lengths differ, a number is not finite, or one to leave out does not exist.
    """

    def __init__(self, columns: Mapping[str, Any], leave_out: Iterable[str] = ()) -> None:
        left = set(leave_out)
        if unknown := left - set(columns):
            raise DataError(f"there is no column {sorted(unknown)[0]!r} to leave out; there are {', '.join(columns)}")
        arrays = _arrays(columns, [name for name in columns if name not in left])
        self._scale: dict[str, tuple[float, float]] = {}
        self._levels: dict[str, list[Any]] = {}
        self.names: list[str] = []
        for name, column in arrays.items():
            if column.dtype.kind in "fiub":
                self._scale[name] = float(column.mean()), float(column.std()) or 1.0
                self.names.append(name)
            else:
                self._levels[name] = sorted(set(column.tolist()))
                self.names += [f"{name}={level}" for level in self._levels[name]]

    def __call__(self, columns: Mapping[str, Any]) -> NDArray[np.float32]:
        """The columns of a table as numbers, (n, names).

        Raises:
            DataError: a column is missing, is of another kind, or as above.
        """
        arrays = _arrays(columns, [*self._scale, *self._levels])
        found = np.zeros((len(next(iter(arrays.values()))), len(self.names)), np.float32)
        for name, (mean, deviation) in self._scale.items():
            if arrays[name].dtype.kind not in "fiub":
                raise DataError(f"the column {name!r} held numbers, and now has {arrays[name][0]!r}")
            found[:, self.names.index(name)] = (arrays[name] - mean) / deviation
        for name, levels in self._levels.items():
            start = self.names.index(f"{name}={levels[0]}")
            found[:, start : start + len(levels)] = arrays[name][:, None] == np.array(levels)
        return found


def _arrays(columns: Mapping[str, Any], names: list[str]) -> dict[str, NDArray[Any]]:
    if not names:
        raise DataError("there is no column to learn from")
    if missing := [name for name in names if name not in columns]:
        raise DataError(f"the table has no column {missing[0]!r}; it has {', '.join(columns)}")
    arrays = {name: np.asarray(columns[name]) for name in names}
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) != 1 or len(shape := shapes.pop()) != 1 or not shape[0]:
        raise DataError("expected columns of one length, with at least one row each")
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise DataError(
                f"the column {name!r} has a number that is not finite, in row {int((~np.isfinite(array)).argmax())}"
            )
    return arrays


__all__ = ["Encoding"]
