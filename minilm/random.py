r"""The engine's random numbers: one seed, drawn on the host, the same on every device, and saved to the bit.

- `generator` is NumPy's generator, from which weights are initialized, data shuffled and text sampled.
- `next_key` numbers the calls of ops that draw on the device (dropout): they hash the key with each element's position
  (`minilm.backend.reference.Reference.dropout_mask`), so that nothing but the number of the call is state.
"""

from __future__ import annotations

from typing import Any

import numpy as np


class _State:
    """The seed, how many keys were given out, and the generator; all set on first use."""

    seed: int | None = None
    counter: int = 0
    generator: np.random.Generator


_state = _State()


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
    _state.seed, _state.counter = int(seed), 0
    _state.generator = np.random.Generator(np.random.PCG64(int(seed)))


def generator() -> np.random.Generator:
    """The host's generator. Without a seed, it starts from one that the operating system drew."""
    _seeded()
    return _state.generator


def next_key() -> int:
    """A new key of 64 bits for an op that draws random numbers: the n-th key after `manual_seed` is always the same."""
    seed = _seeded()
    _state.counter += 1
    return int(np.random.SeedSequence(seed, spawn_key=(_state.counter,)).generate_state(1, np.uint64)[0])


def get_state() -> dict[str, Any]:
    """All of it, as a dict of strings, integers and dicts that JSON holds exactly."""
    seed = _seeded()
    return {"seed": seed, "counter": _state.counter, "generator": _state.generator.bit_generator.state}


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
    _state.seed, _state.counter, _state.generator = seed, counter, np.random.Generator(bits)


def _seeded() -> int:
    """The seed, drawn now if there is none."""
    if _state.seed is None:
        manual_seed(int(np.random.SeedSequence().generate_state(1, np.uint64)[0]))
    assert _state.seed is not None
    return _state.seed


__all__ = ["generator", "get_state", "manual_seed", "next_key", "set_state"]
