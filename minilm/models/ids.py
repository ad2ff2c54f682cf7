"""What users give for ids, checked and brought to where the model is."""

from __future__ import annotations

import numpy as np

from minilm.tensor import Tensor
from minilm.types import Ids


def as_ids(ids: Ids, like: Tensor, name: str = "token ids") -> Tensor:
    """Integers as a Tensor on the device of `like`; `name` is what an error calls them.

    Raises:
        TypeError: they are no integers.
    """
    out = ids if isinstance(ids, Tensor) else Tensor(np.asarray(ids), device=like.device)
    if out.dtype.kind not in "iu":
        raise TypeError(f"{name} must be integers, got {out.dtype}.")
    return out


__all__ = ["as_ids"]
