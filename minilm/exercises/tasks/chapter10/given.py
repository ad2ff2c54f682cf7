"""What the tests of this chapter draw their inputs with, and the ring in which the ranks of an all-reduce stand."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np

from minilm.exercises.task import Generator as Random

WORDS = ("the", "model", "of", "data", "text", "word", "loss", "step", "reads", "writes", "counts", "and", "not", "a")


def sentence(rng: Random, n: int) -> str:
    """n words in any order."""
    return " ".join(WORDS[i] for i in rng.integers(0, len(WORDS), n))


def in_a_ring(
    program: Callable[[int, int, Any], Generator[Any, Any, Any]], arrays: Sequence[Any]
) -> tuple[list[Any], int]:
    """Runs a program on a rank per array. In each round all ranks send to the next one, and the last to the first.

    The program of a rank is a generator, ``program(rank, ranks, x)``: ``received = yield chunk`` sends an array to the next rank, and
    gives what the one before has sent. A rank has its own copy of x, and what it sends is copied.

    Returns what each rank returned, and how many numbers were sent in all.

    Raises:
        TypeError: the program has no yield, it sends something that is no array, or it returns nothing.
        ValueError: a rank has ended, and another one still sends.
    """
    ranks = [program(rank, len(arrays), np.array(x)) for rank, x in enumerate(arrays)]
    if not all(hasattr(rank, "send") for rank in ranks):
        raise TypeError("the program of a rank sends with `yield`: this one has none, so it is no generator.")
    results: dict[int, Any] = {}
    received: list[Any] = [None] * len(ranks)
    sent = 0
    while True:
        messages = []
        for number, rank in enumerate(ranks):
            try:
                messages.append(_copied(rank.send(received[number])))
            except StopIteration as end:
                if end.value is None:
                    raise TypeError(f"rank {number} has ended and returned None: a `return` is missing.") from None
                results[number] = end.value
        if not messages:
            return [results[number] for number in range(len(ranks))], sent
        if results:
            still = next(number for number in range(len(ranks)) if number not in results)
            raise ValueError(f"rank {min(results)} has ended, and rank {still} still sends: all need as many rounds.")
        sent += sum(message.size for message in messages)
        received = messages[-1:] + messages[:-1]


def _copied(message: Any) -> Any:
    if not isinstance(message, np.ndarray):
        raise TypeError(f"a rank sends arrays, and one has sent {type(message).__name__}: {message!r}.")
    return message.copy()
