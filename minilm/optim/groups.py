"""Parameter groups that models are usually trained with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minilm.tensor import Tensor


def decay_groups(parameters: Iterable[Tensor], weight_decay: float) -> list[dict[str, Any]]:
    """Two groups for an optimizer: matrices and embeddings decay, vectors (biases and norms) do not (as nanoGPT).

    A group that would be empty is left out.
    """
    parameters = list(parameters)
    matrices, vectors = [p for p in parameters if p.ndim >= 2], [p for p in parameters if p.ndim < 2]
    groups = ({"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0})
    return [group for group in groups if group["params"]]
