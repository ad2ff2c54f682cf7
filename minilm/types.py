"""Names for what annotations say again and again. They help a reader; nothing is checked by them at run time."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

Array = Any
"""A NumPy or a CuPy array: the two have no common base class."""
HostArray = np.ndarray[Any, Any]
"""An array in the memory of the CPU."""
Shape = tuple[int, ...]
"""The sizes of an array's axes."""
Ids = Any
"""Token ids: nested lists of integers, an integer array, or an integer Tensor."""
Pathish = str | os.PathLike[str]
"""A path, as Python's own functions take it."""
Arrays = dict[str, HostArray]
"""Arrays by name: what a file of weights holds."""

__all__ = ["Array", "Arrays", "HostArray", "Ids", "Pathish", "Shape"]
