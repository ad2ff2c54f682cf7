"""What a model has read: ids with their keys and values, so that a text that goes on costs only what is new in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minilm.graph import no_grad
from minilm.types import HostArray

CHUNK = 128
"""Tokens that are read at once: enough for matrix products of full speed, few enough that a reader may stop in between, and that
the logits of all of them need little memory."""


class Reading:
    """A language model with one text in front of it.

    The text may change to any other. What both have in common from the beginning on is not read again: keys and values of a token
    depend on those before it alone, so they stay as they are. For a conversation this is everything but the newest turn.

    Args:
        model: has `next_logits` as GPT has; it is put into evaluation mode.

    Attributes:
        read: how many tokens the model has read in all, so that a test can see what a turn costs.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        model.train(False)
        self.read = 0
        self._ids: list[int] = []  # those whose keys and values are in the cache
        self._cache: Any = None

    @property
    def context(self) -> int:
        """The most tokens that the model can see at once."""
        return int(self.model.cache_size.longest)

    def forget(self) -> None:
        """Drops all keys and values."""
        self._ids, self._cache = [], None

    def logits(self, ids: Sequence[int], stopped: Callable[[], bool] = lambda: False) -> HostArray | None:
        """The logits (vocab_size,) of the token after `ids`.

        Of ids longer than the context the model sees the end alone, and reads all of it.

        Args:
            stopped: asked after each chunk; True ends the reading.

        Returns:
            None if it was stopped.
        """
        whole = np.asarray(ids, np.int64)[None]
        n = whole.shape[1]
        start = self._keep(whole[0])
        ends = [n] if n > self.context else [*range(start + CHUNK, n, CHUNK), n]
        for end in ends:
            logits = self._step(whole[:, :end])
            if end < n and stopped():
                return None
        return logits

    def _keep(self, ids: HostArray) -> int:
        """Cuts the cache to what it has in common with `ids`, all but the last of them at most; returns how many these are."""
        if self._cache is None:
            return 0
        there = np.asarray(self._ids[: len(ids) - 1], np.int64)
        different = np.flatnonzero(there != ids[: len(there)])
        same = int(different[0]) if different.size else len(there)
        self._cache.cut(same)
        del self._ids[same:]
        return same

    def _step(self, ids: HostArray) -> HostArray:
        new = ids.shape[1] - len(self._ids)
        cache, self._cache = self._cache, None  # what an error leaves of it is not known
        kept, self._ids = self._ids, []
        with no_grad():
            logits, self._cache = self.model.next_logits(ids, cache)
        self._ids = [*kept, *ids[0, len(kept) :].tolist()] if self._cache is not None else []
        self.read += new if self._cache is not None else min(ids.shape[1], self.context)
        return logits.numpy()[0]


__all__ = ["CHUNK", "Reading"]
