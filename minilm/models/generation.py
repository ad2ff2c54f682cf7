"""Writing text with a language model: from logits to the next token, and from tokens to a continuation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Protocol

import numpy as np

from minilm import random
from minilm.graph import no_grad
from minilm.tensor import Tensor
from minilm.types import HostArray, Ids

Stop = Callable[[list[int]], bool] | Sequence[Sequence[int]]

ROOM = 1024  # tokens that there is room for at first
LARGE = 1e300  # a penalty may not make a logit infinite: the difference of two infinities is no number


class LanguageModel(Protocol):
    """What `generate` asks of a model."""

    @property
    def training(self) -> bool: ...

    def next_logits(self, contexts: HostArray, cache: Any) -> tuple[Tensor, Any]: ...

    def train(self, mode: bool = True) -> Any: ...


@dataclass(frozen=True)
class Sampler:
    r"""Draws the next token from logits z.

    In this order:

    - repetition penalty r (Keskar et al. 2019, section 4.1): for tokens already in the context :math:`z_i \to z_i / r` where
      :math:`z_i > 0`, :math:`z_i r` where not;
    - temperature T: :math:`p = \operatorname{softmax}(z / T)`; T = 0 takes the likeliest token (the first of several);
    - top-k (Fan et al. 2018): only the k likeliest tokens; tokens that tie with the k-th stay;
    - top-p (Holtzman et al. 2020): of these only the fewest whose probabilities reach p.

    Raises:
        TypeError: an option is no number, or `top_k` no integer.
        ValueError: an option is out of range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float = 1.0

    def __post_init__(self) -> None:
        _check_number("temperature", self.temperature)
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(
                f"temperature must be 0 (the likeliest token) or a positive number, got {self.temperature}."
            )
        if self.top_k is not None:
            check_integer("top_k", self.top_k, 1)
        if self.top_p is not None:
            _check_number("top_p", self.top_p)
            if not 0 < self.top_p <= 1:
                raise ValueError(f"top_p must be more than 0 and at most 1, got {self.top_p}.")
        _check_number("repetition_penalty", self.repetition_penalty)
        if not 0 < self.repetition_penalty < float("inf"):
            raise ValueError(
                f"repetition_penalty must be a positive number (1 changes nothing), got {self.repetition_penalty}."
            )

    def __call__(self, logits: HostArray, context: Ids, rng: np.random.Generator) -> int:
        """One token, given the logits (vocab_size,) and the ids so far.

        Raises:
            ValueError: a logit is NaN or infinite: the model has diverged.
        """
        if self.temperature == 0 and self.repetition_penalty == 1.0:
            likeliest = int(np.argmax(logits))  # NumPy takes a NaN for the largest
            if math.isfinite(logits[likeliest]):
                return likeliest
        p = self.probabilities(logits, context)
        if self.temperature == 0:
            return int(np.argmax(p))
        mass = np.cumsum(p)
        drawn = int(np.searchsorted(mass, rng.random() * mass[-1], "right"))
        return min(
            drawn, int(np.flatnonzero(p)[-1])
        )  # a product that rounds up to the whole mass would fall off the end

    def probabilities(self, logits: HostArray, context: Ids) -> HostArray:
        """The distribution that the token is drawn from, float64 (vocab_size,)."""
        z = np.array(logits, np.float64)
        if not math.isfinite(z.max()):  # -inf is a token that cannot come; one must be able to
            raise ValueError(
                "the model gives NaN or infinity for logits: its weights have diverged; train with a smaller learning rate."
            )
        with np.errstate(over="ignore"):  # of a tiny temperature, or a huge penalty: exp(-inf) is the 0 that is meant
            if self.repetition_penalty != 1.0 and len(context):
                seen = np.unique(context)
                penalized = np.where(z[seen] > 0, z[seen] / self.repetition_penalty, z[seen] * self.repetition_penalty)
                z[seen] = np.clip(penalized, -LARGE, LARGE)
            z -= z.max()
            if self.temperature > 0:
                z /= self.temperature
        if self.top_k is not None and self.top_k < z.size:
            z[z < np.partition(z, -self.top_k)[-self.top_k]] = -np.inf
        p = np.exp(z)
        p /= p.sum()
        if self.top_p is not None:
            order = np.argsort(-p, kind="stable")
            before = np.cumsum(p[order]) - p[order]  # the mass that is likelier than each token
            p[order[before >= self.top_p]] = 0.0
            p /= p.sum()
        return p


def generate(
    model: LanguageModel,
    prompts: Sequence[Ids],
    max_new_tokens: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    repetition_penalty: float = 1.0,
    stop: Stop = (),
    seed: int | None = None,
    use_cache: bool = True,
    on_token: Callable[[int, int], bool | None] | None = None,
) -> list[list[int]]:
    """Continues each prompt, token by token.

    The prompts of a batch may differ in length: a short one is already being continued while a long one is still being read.
    A context longer than the model's `block_size` is cut to its last `block_size` tokens.

    Args:
        prompts: a sequence of ids for each, at least one id long.
        max_new_tokens: how many to add to each prompt at most. Memory grows with what is written, not with this number.
        temperature, top_k, top_p, repetition_penalty: see `Sampler`.
        stop: sequences of ids, or a function of the new ids. A continuation ends when it ends with one of the sequences, or
            when the function says so; the stop sequence stays in the result.
        seed: of the sampling. Each prompt has its own stream, so its result does not depend on the batch around it.
            None: drawn from the global host generator.
        use_cache: keep keys and values, so that a new token costs one position instead of all. Same tokens either way.
        on_token: called with the prompt's index and each new id as it comes, to show a text while it is written. Where it
            returns True, that continuation ends.

    Returns:
        For each prompt, the ids that follow it.

    Raises:
        TypeError: an argument is of another type than it should be, as an id that is no integer, or a text as `stop`.
        ValueError: there is no prompt, one is empty, or an option is out of range.
        IndexError: an id is not in the model's vocabulary.
    """
    vocab_size = getattr(getattr(model, "config", None), "vocab_size", None)
    read = id_sequences("prompts", prompts, vocab_size)
    if not read or not all(map(len, read)):
        raise ValueError("generate needs at least one prompt, and at least one token in each.")
    check_integer("max_new_tokens", max_new_tokens, 0)
    sampler = Sampler(temperature, top_k, top_p, repetition_penalty)
    if seed is not None:
        check_integer("seed", seed, 0)
    base = int(random.generator().integers(2**63)) if seed is None else seed
    rngs = [np.random.default_rng([base, i]) for i in range(len(read))]
    finished = stop if callable(stop) else _ends_with(stop, vocab_size)
    lengths = [len(prompt) for prompt in read]
    contexts = np.zeros((len(read), max(lengths) + min(max_new_tokens, ROOM)), np.int64)
    for context, prompt in zip(contexts, read, strict=True):
        context[: len(prompt)] = prompt
    new: list[list[int]] = [[] for _ in read]
    running = set(range(len(read))) if max_new_tokens else set()
    position, cache = min(lengths), None
    was_training = model.training
    model.train(False)
    try:
        with no_grad():
            while running:
                if (
                    position == contexts.shape[1]
                ):  # twice the room each time: all copies together cost as much as the last
                    contexts = np.concatenate([contexts, np.zeros_like(contexts)], axis=1)
                out, cache = model.next_logits(contexts[:, :position], cache if use_cache else None)
                logits = out.numpy()
                for i, context in enumerate(contexts):
                    if lengths[i] > position:  # still reading this prompt
                        continue
                    if i not in running:
                        context[position] = context[position - 1]
                        continue
                    context[position] = token = sampler(logits[i], context[:position], rngs[i])
                    new[i].append(token)
                    ended = on_token is not None and on_token(i, token)
                    if ended or len(new[i]) >= max_new_tokens or finished(new[i]):
                        running.discard(i)
                position += 1
    finally:
        model.train(was_training)
    return new


def _ends_with(stops: Sequence[Sequence[int]], vocab_size: int | None) -> Callable[[list[int]], bool]:
    """Whether the new ids end with one of the stop sequences."""
    endings = [ending.tolist() for ending in id_sequences("stop", stops, vocab_size)]
    if not all(endings):
        raise ValueError("a stop sequence must hold at least one token.")
    return lambda new: any(new[-len(ending) :] == ending for ending in endings)


def id_sequences(name: str, value: Any, vocab_size: int | None) -> list[HostArray]:
    """The sequences of ids in the argument called `name`, as arrays.

    Raises:
        TypeError: it is no sequence of sequences, or holds something else than integers.
        IndexError: an id is negative or beyond the vocabulary.
    """
    _refuse_text(name, value)
    try:
        items = list(value)
    except TypeError:
        raise TypeError(f"{name} takes a list of sequences of ids, as [[1, 2, 3]], got {value!r}.") from None
    sequences = []
    for i, item in enumerate(items):
        _refuse_text(name, item)
        if not hasattr(item, "__len__") or getattr(item, "ndim", 1) != 1:
            raise TypeError(
                f"{name} takes a list of sequences of ids, as [[1, 2, 3]]; {item!r} in it is no such sequence. "
                "Is a pair of brackets missing?"
            )
        ids = (
            np.asarray(item).tolist() if hasattr(item, "dtype") else list(item)
        )  # an array of [1, True] would hold 1, 1
        for j, id in enumerate(ids):
            if isinstance(id, bool | np.bool_) or not isinstance(id, int | np.integer):
                raise TypeError(f"{name} takes integers for ids, got {id!r} at position {i}, {j}.")
            if not 0 <= id < (2**63 if vocab_size is None else vocab_size):
                there = "0 or more" if vocab_size is None else f"0 to {vocab_size - 1}"
                raise IndexError(f"{name}: id {id} at position {i}, {j} is out of range: the model's ids are {there}.")
        sequences.append(np.asarray(ids, np.int64))
    return sequences


def _refuse_text(name: str, value: Any) -> None:
    """Raises TypeError for text where ids are expected: its characters would be taken for sequences."""
    if isinstance(value, str | bytes):
        raise TypeError(f"{name} takes sequences of ids, got the text {value!r}: encode it with the model's tokenizer.")


def check_integer(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an integer, got {value!r} of type {type(value).__name__}.")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}.")


def _check_number(name: str, value: Any) -> None:
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r} of type {type(value).__name__}.")
