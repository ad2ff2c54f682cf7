"""What an attention layer keeps of the tokens that it has seen, so that a new token costs one position instead of all."""

from __future__ import annotations

from minilm.backend import device_of
from minilm.tensor import Tensor
from minilm.types import Array, Shape


class LayerCache:
    """The keys and values of one attention layer: (B, H, T, D) of `length` tokens so far, in arrays that have room for more.

    Args:
        shape: the batch B, the heads H, the tokens that there is room for at first, and the width D of a head.
        like: keys and values have the device and dtype of this Tensor.
    """

    def __init__(self, shape: Shape, like: Tensor) -> None:
        xp = like.device.xp
        self.length = 0
        self._take(xp.empty(shape, like.dtype), xp.empty(shape, like.dtype))

    def append(self, k: Array, v: Array) -> None:
        """Appends the newest keys and values, arrays (B, H, T, D)."""
        start, self.length = self.length, self.length + k.shape[2]
        if self.length > self.keys.shape[2]:
            self._make_room()
        self.keys[:, :, start : self.length] = k
        self.values[:, :, start : self.length] = v

    def extend(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Appends the newest keys and values, and returns all."""
        self.append(k.data, v.data)
        return Tensor(self.keys[:, :, : self.length]), Tensor(self.values[:, :, : self.length])

    def reorder(self, rows: Array) -> None:
        """Row i becomes what row rows[i] was: hypotheses survive, end, or part ways. The batch becomes as long as `rows`."""
        keys, values = (self._empty(len(rows), self.keys.shape[2]) for _ in range(2))
        keys[:, :, : self.length], values[:, :, : self.length] = (
            x[rows, :, : self.length] for x in (self.keys, self.values)
        )
        self._take(keys, values)

    def _make_room(self) -> None:
        """Room for `length` tokens and as many more: all copies together cost as much as the last."""
        batch, _, room, _ = self.keys.shape
        keys, values = (self._empty(batch, 2 * self.length) for _ in range(2))
        keys[:, :, :room], values[:, :, :room] = self.keys, self.values
        self._take(keys, values)

    def _empty(self, batch: int, room: int) -> Array:
        _, heads, _, width = self.keys.shape
        return device_of(self.keys).xp.empty((batch, heads, room, width), self.keys.dtype)

    def _take(self, keys: Array, values: Array) -> None:
        self.keys, self.values = keys, values
        self.keys_transposed = keys.swapaxes(2, 3)


__all__ = ["LayerCache"]
