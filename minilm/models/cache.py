"""What an attention layer keeps of the tokens that it has seen, so that a new token costs one position instead of all."""

from __future__ import annotations

from minilm.tensor import Tensor
from minilm.types import Array, Shape


class LayerCache:
    """The keys and values of one attention layer: (B, H, T, D) of `length` tokens so far, in arrays that have room for more.

    Args:
        shape: the batch B, the heads H, the most tokens that there is room for, and the width D of a head.
        like: keys and values have the device and dtype of this Tensor.
    """

    def __init__(self, shape: Shape, like: Tensor) -> None:
        xp = like.device.xp
        self.keys, self.values = xp.empty(shape, like.dtype), xp.empty(shape, like.dtype)
        self.keys_transposed = self.keys.swapaxes(2, 3)
        self.length = 0

    def append(self, k: Array, v: Array) -> None:
        """Appends the newest keys and values, arrays (B, H, T, D)."""
        start, self.length = self.length, self.length + k.shape[2]
        self.keys[:, :, start : self.length] = k
        self.values[:, :, start : self.length] = v

    def cut(self, length: int) -> None:
        """Keeps the first `length` tokens: what follows them is written over."""
        self.length = min(self.length, length)

    def extend(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Appends the newest keys and values, and returns all."""
        self.append(k.data, v.data)
        return Tensor(self.keys[:, :, : self.length]), Tensor(self.values[:, :, : self.length])


__all__ = ["LayerCache"]
