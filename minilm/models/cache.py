"""What attention layers keep of the tokens that they have seen, so that a new token costs one position instead of all.

It is the same for every decoder-only model: `KVCache` holds one `LayerCache` per layer, and `next_logits` decides what has to be
computed for the next token, and by whom.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from minilm.backend import device_of, to_device
from minilm.models.plain import attention, only_numbers_wanted
from minilm.tensor import Tensor
from minilm.types import Array, HostArray, Ids, Shape

ROOM = 256  # tokens that there is room for at first


class CacheSize(NamedTuple):
    """What a model's attention layers keep.

    Attributes:
        layers: their number.
        heads: those of keys and values, in each.
        longest: the longest context, in tokens.
        width: that of a head.
    """

    layers: int
    heads: int
    longest: int
    width: int


class Writer(Protocol):
    """What a cache and `next_logits` ask of a model."""

    @property
    def cache_size(self) -> CacheSize: ...

    def decoder(self, caches: list[LayerCache], batch: int) -> Any: ...

    def parameters(self) -> Any: ...

    def __call__(self, ids: Any, cache: Any = None, last_only: bool = False) -> Tensor: ...


class LayerCache:
    """The keys and values of one attention layer: (B, H, T, D) of `length` tokens so far, in arrays that have room for more.

    Where the room is used up it is doubled: memory grows with what is written, and all copies together cost as much as the last.

    Args:
        shape: the batch B, the heads H (of keys and values, where there are more of queries), the most tokens, the width D of a head.
        like: keys and values have the device and dtype of this Tensor.
    """

    def __init__(self, shape: Shape, like: Tensor) -> None:
        self.most, self.length, self.xp = shape[2], 0, like.device.xp
        room = (*shape[:2], min(ROOM, self.most), shape[3])
        self._keep(self.xp.empty(room, like.dtype), self.xp.empty(room, like.dtype))

    def append(self, k: Array, v: Array) -> None:
        """Appends the newest keys and values, arrays (B, H, T, D).

        Raises:
            ValueError: there would be more tokens than there may be.
        """
        start, self.length = self.length, self.length + k.shape[2]
        if self.length > self.keys.shape[2]:
            self._make_room(start)
        self.keys[:, :, start : self.length] = k
        self.values[:, :, start : self.length] = v

    def cut(self, length: int) -> None:
        """Keeps the first `length` tokens: what follows them is written over."""
        self.length = min(self.length, length)

    def extend(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Appends the newest keys and values, and returns all."""
        self.append(k.data, v.data)
        return Tensor(self.keys[:, :, : self.length]), Tensor(self.values[:, :, : self.length])

    def reorder(self, rows: HostArray) -> None:
        """Row i becomes what row rows[i] was, for hypotheses that survive, end or part ways. The batch becomes as long as `rows`."""
        (_, *rest), rows = self.keys.shape, to_device(rows, device_of(self.keys))
        other = [self.xp.empty((len(rows), *rest), self.keys.dtype) for _ in range(2)]
        for new, old in zip(other, (self.keys, self.values), strict=True):
            new[:, :, : self.length] = old[rows, :, : self.length]
        self._keep(*other)

    def _keep(self, keys: Array, values: Array) -> None:
        self.keys, self.values = keys, values
        self.keys_transposed = keys.swapaxes(2, 3)

    def _make_room(self, held: int) -> None:
        if self.length > self.most:
            asked, self.length = self.length - held, held
            raise ValueError(f"a cache for {self.most} tokens holds {held} already; {asked} more do not fit.")
        batch, heads, room, width = self.keys.shape
        shape = (batch, heads, min(max(2 * room, self.length), self.most), width)
        larger = [self.xp.empty(shape, self.keys.dtype) for _ in range(2)]
        for new, old in zip(larger, (self.keys, self.values), strict=True):
            new[:, :, :held] = old[:, :, :held]
        self._keep(*larger)


def attend(q: Array, cache: LayerCache, scale: Array, loops: Any) -> Array:
    """Of queries (B, H, G, D), NumPy's, to all keys in the cache: (B, H G D). By a compiled loop, where there are `loops`."""
    if loops is None:
        q *= scale
        y = attention(q, cache.keys_transposed[..., : cache.length], cache.values[:, :, : cache.length])
    else:
        y = np.empty(q.shape, np.float32)
        loops.attention_in_cache(q, cache.keys, cache.values, cache.length, scale[0], y)
    return y.reshape(len(y), -1)


class KVCache:
    """One `LayerCache` per layer: with it a model computes only the newest tokens.

    Args:
        model: whose keys and values are kept.
        batch: the number of sequences.

    Attributes:
        decoder: computes one more token on plain arrays; None where the model is not of the kind that it can compute.
    """

    def __init__(self, model: Writer, batch: int) -> None:
        size = model.cache_size
        like, shape = next(iter(model.parameters())), (batch, size.heads, size.longest, size.width)
        self.layers = [LayerCache(shape, like) for _ in range(size.layers)]
        self.decoder = model.decoder(self.layers, batch)
        self._model, self._batch = model, batch

    @property
    def length(self) -> int:
        """The number of tokens seen."""
        return self.layers[0].length

    def cut(self, length: int) -> None:
        """Keeps the first `length` tokens, as if the others had not been seen."""
        for layer in self.layers:
            layer.cut(length)

    def reorder(self, rows: HostArray) -> None:
        """Row i becomes what row rows[i] was: see `LayerCache.reorder`."""
        for layer in self.layers:
            layer.reorder(rows)
        if len(rows) != self._batch:
            self._batch = len(rows)
            self.decoder = self._model.decoder(self.layers, self._batch)


def next_logits(model: Any, contexts: Ids, cache: KVCache | None) -> tuple[Tensor, KVCache | None]:
    """The logits (B, vocab_size) of the token after `contexts` (B, T), computing only what `cache` does not hold.

    Returns:
        the logits, and the cache for the next call: None where the context outgrew the longest that the model takes, since then each
        token's position changes with every step and nothing kept remains valid.

    Raises:
        TypeError: an id is no integer.
        IndexError: an id is not in the vocabulary.
    """
    ids, longest = np.asarray(contexts), model.cache_size.longest
    length = ids.shape[1]
    if length > longest:
        return model(ids[:, -longest:], last_only=True)[:, -1], None
    cache = KVCache(model, len(ids)) if cache is None else cache
    if cache.decoder is not None and length == cache.length + 1 and only_numbers_wanted(model):
        newest = ids[:, -1].tolist()
        if ids.dtype.kind in "iu" and min(newest) >= 0 and max(newest) < model.config.vocab_size:
            return Tensor(cache.decoder(newest)), cache
    return model(ids[:, cache.length :], cache, last_only=True)[:, -1], cache


__all__ = ["CacheSize", "KVCache", "LayerCache", "Writer", "next_logits"]
