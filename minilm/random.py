r"""The engine's random numbers: one seed, drawn on the host, the same on every device, and saved to the bit.

- `generator` is NumPy's generator, from which weights are initialized, data shuffled and text sampled.
- `next_key` numbers the calls of ops that draw on the device (dropout): they hash the key with each element's position
  (`minilm.backend.reference.Reference.dropout_mask`), so that nothing but the number of the call is state.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np


class _State:
    """The seed, how many keys were given out, and the generator; all set on first use."""

    seed: int | None = None
    counter: int = 0
    generator: np.random.Generator
    rows: tuple[int, int] | None = None  # of a larger batch: the number of the first one here, and how many are here


class _PartState(_State):
    """What a thread draws from that computes part `number` of a batch, not the first: keys as the whole would, other random numbers."""

    def __init__(self, whole: _State, number: int) -> None:
        self.seed, self.counter, self.rows = whole.seed, whole.counter, whole.rows
        self._begun, self._number = whole.generator.bit_generator.state, number

    @functools.cached_property
    def generator(self) -> np.random.Generator:  # type: ignore[override]
        """The host's generator, as far ahead as no other part comes: a jump is 2^127 numbers and more."""
        bits: Any = np.random.PCG64(0)
        bits.state = self._begun
        return np.random.Generator(bits.jumped(self._number))


class _Threads(threading.local):
    """Where a thread draws from: all from one state, but for those that compute parts of a batch (`draw_from`)."""

    state: _State = _State()


_here = _Threads()


def manual_seed(seed: int) -> None:
    """Begins the random numbers anew, from `seed`: what follows is the same in every run.

    Raises:
        TypeError: `seed` is no integer.
        ValueError: it is negative.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise TypeError(f"a seed is an integer, got {type(seed).__name__} {seed!r}.")
    if seed < 0:
        raise ValueError(f"a seed is not negative, got {seed}.")
    _here.state.seed, _here.state.counter = int(seed), 0
    _here.state.generator = np.random.Generator(np.random.PCG64(int(seed)))


def generator() -> np.random.Generator:
    """The host's generator. Without a seed, it starts from one that the operating system drew."""
    _seeded()
    return _here.state.generator


def next_key(size: int = 0) -> int:
    """A new key for an op that draws random numbers: the n-th key after `manual_seed` is always the same.

    Its lower 64 bits say which numbers are drawn. The bits above them, zero but within `rows_of_batch`, say how many elements of the
    whole batch come before the first one here, modulo 2^32: so each part of a batch gets the numbers that the whole would have there.

    Args:
        size: how many elements are drawn for; they are taken for those of a batch where the number of rows divides it.
    """
    seed = _seeded()
    _here.state.counter += 1
    key = int(np.random.SeedSequence(seed, spawn_key=(_here.state.counter,)).generate_state(1, np.uint64)[0])
    if _here.state.rows is None or size % _here.state.rows[1]:
        return key
    first, rows = _here.state.rows
    return key | (size // rows * first % 2**32) << 64


@contextlib.contextmanager
def rows_of_batch(first: int, rows: int) -> Iterator[None]:
    """Within it, what is computed are `rows` rows of a batch, at least one, of which `first` others come before them."""
    before, _here.state.rows = _here.state.rows, (first, rows)
    try:
        yield
    finally:
        _here.state.rows = before


def part_states(count: int) -> list[_State]:
    """What the parts of a batch draw from, each in a thread of its own: the first goes on with the numbers of this thread."""
    _seeded()
    return [_here.state, *(_PartState(_here.state, k) for k in range(1, count))]


@contextlib.contextmanager
def draw_from(state: _State) -> Iterator[None]:
    """Within it, this thread draws from a state of `part_states`."""
    before, _here.state = _here.state, state
    try:
        yield
    finally:
        _here.state = before


def moment() -> tuple[dict[str, Any], tuple[int, int] | None]:
    """Where the random numbers are, and which rows of a batch are computed: what `replay` begins at."""
    return get_state(), _here.state.rows


@contextlib.contextmanager
def replay(moment: tuple[dict[str, Any], tuple[int, int] | None]) -> Iterator[None]:
    """Within it, the random numbers that came after `moment` come again; after it, they go on from where they were."""
    before = _here.state.counter, _seeded(), _here.state.generator, _here.state.rows
    try:
        set_state(moment[0])
        _here.state.rows = moment[1]
        yield
    finally:
        _here.state.counter, _here.state.seed, _here.state.generator, _here.state.rows = before


def get_state() -> dict[str, Any]:
    """All of it, as a dict of strings, integers and dicts that JSON holds exactly."""
    seed = _seeded()
    return {"seed": seed, "counter": _here.state.counter, "generator": _here.state.generator.bit_generator.state}


def set_state(state: dict[str, Any]) -> None:
    """Goes on from where `get_state` was called.

    Raises:
        ValueError: `state` is not what `get_state` returns.
    """
    bits = np.random.PCG64(0)
    try:
        seed, counter = state["seed"], state["counter"]
        bits.state = state["generator"]
        kept, half = state["generator"]["has_uint32"], state["generator"]["uinteger"]
        if bits.state != state["generator"] or kept not in (0, 1) or not 0 <= half < 2**32:
            raise ValueError("a number of the generator is beyond its range")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"this is no state of minilm.random ({type(error).__name__}: {error}).") from None
    for name, value in (("seed", seed), ("counter", counter)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise ValueError(f"this is no state of minilm.random: {name} must be an integer >= 0, got {value!r}.")
    _here.state.seed, _here.state.counter, _here.state.generator = seed, counter, np.random.Generator(bits)


def _seeded() -> int:
    """The seed, drawn now if there is none."""
    if _here.state.seed is None:
        manual_seed(int(np.random.SeedSequence().generate_state(1, np.uint64)[0]))
    assert _here.state.seed is not None
    return _here.state.seed


__all__ = [
    "draw_from",
    "generator",
    "get_state",
    "manual_seed",
    "moment",
    "next_key",
    "part_states",
    "replay",
    "rows_of_batch",
    "set_state",
]
