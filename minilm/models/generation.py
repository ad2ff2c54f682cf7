"""Writing text with a language model: from logits to the next token, and from tokens to a continuation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from minilm import random
from minilm.graph import no_grad

Ids = Sequence[int] | np.ndarray[Any, Any]
Stop = Callable[[list[int]], bool] | Sequence[Sequence[int]]


class LanguageModel(Protocol):
    """What `generate` asks of a model."""

    training: bool

    def next_logits(self, contexts: Any, cache: Any) -> tuple[Any, Any]: ...

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
        ValueError: an option is out of range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(
                f"temperature must be 0 (the likeliest token) or a positive number, got {self.temperature}."
            )
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top_k must be at least 1, got {self.top_k}.")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be more than 0 and at most 1, got {self.top_p}.")
        if not 0 < self.repetition_penalty < float("inf"):
            raise ValueError(
                f"repetition_penalty must be a positive number (1 changes nothing), got {self.repetition_penalty}."
            )

    def __call__(self, logits: np.ndarray[Any, Any], context: Ids, rng: np.random.Generator) -> int:
        """One token, given the logits (vocab_size,) and the ids so far.

        Raises:
            ValueError: a logit is NaN: the model has diverged.
        """
        if self.temperature == 0 and self.repetition_penalty == 1.0:
            likeliest = int(np.argmax(logits))  # NumPy takes a NaN for the largest
            if not np.isnan(logits[likeliest]):
                return likeliest
        p = self.probabilities(logits, context)
        if self.temperature == 0:
            return int(np.argmax(p))
        mass = np.cumsum(p)
        drawn = int(np.searchsorted(mass, rng.random() * mass[-1], "right"))
        return min(
            drawn, int(np.flatnonzero(p)[-1])
        )  # a product that rounds up to the whole mass would fall off the end

    def probabilities(self, logits: np.ndarray[Any, Any], context: Ids) -> np.ndarray[Any, Any]:
        """The distribution that the token is drawn from, float64 (vocab_size,)."""
        z = np.array(logits, np.float64)
        if np.isnan(z).any():
            raise ValueError(
                "the model gives NaN instead of logits: its weights have diverged; train with a smaller learning rate."
            )
        if self.repetition_penalty != 1.0 and len(context):
            seen = np.unique(context)
            z[seen] = np.where(z[seen] > 0, z[seen] / self.repetition_penalty, z[seen] * self.repetition_penalty)
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
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    repetition_penalty: float = 1.0,
    stop: Stop = (),
    seed: int | None = None,
    use_cache: bool = True,
) -> list[list[int]]:
    """Continues each prompt, token by token.

    The prompts of a batch may differ in length: a short one is already being continued while a long one is still being read.
    A context longer than the model's `block_size` is cut to its last `block_size` tokens.

    Args:
        prompts: ids, at least one each.
        max_new_tokens: how many to add to each prompt at most.
        temperature, top_k, top_p, repetition_penalty: see `Sampler`.
        stop: sequences of ids, or a function of the new ids. A continuation ends when it ends with one of the sequences, or
            when the function says so; the stop sequence stays in the result.
        seed: of the sampling. Each prompt has its own stream, so its result does not depend on the batch around it.
            None: drawn from the global host generator.
        use_cache: keep keys and values, so that a new token costs one position instead of all. Same tokens either way.

    Returns:
        For each prompt, the ids that follow it.

    Raises:
        ValueError: there is no prompt, one is empty, or an option is out of range.
    """
    if not len(prompts) or not all(len(prompt) for prompt in prompts):
        raise ValueError("generate needs at least one prompt, and at least one token in each.")
    if max_new_tokens < 0:
        raise ValueError(f"max_new_tokens must not be negative, got {max_new_tokens}.")
    sampler = Sampler(temperature, top_k, top_p, repetition_penalty)
    base = int(random.generator().integers(2**63)) if seed is None else seed
    rngs = [np.random.default_rng([base, i]) for i in range(len(prompts))]
    finished = stop if callable(stop) else _ends_with(stop)
    lengths = [len(prompt) for prompt in prompts]
    contexts = np.zeros((len(prompts), max(lengths) + max_new_tokens), np.int64)  # lists would be copied at every step
    for context, prompt in zip(contexts, prompts, strict=True):
        context[: len(prompt)] = prompt
    new: list[list[int]] = [[] for _ in prompts]
    running = set(range(len(prompts))) if max_new_tokens else set()
    position, cache = min(lengths), None
    was_training = model.training
    model.train(False)
    try:
        with no_grad():
            while running:
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
                    if len(new[i]) >= max_new_tokens or finished(new[i]):
                        running.discard(i)
                position += 1
    finally:
        model.train(was_training)
    return new


def _ends_with(stops: Sequence[Sequence[int]]) -> Callable[[list[int]], bool]:
    """Whether the new ids end with one of the stop sequences."""
    endings = [list(stop) for stop in stops]
    if not all(endings):
        raise ValueError("a stop sequence must hold at least one token.")
    return lambda new: any(new[-len(ending) :] == ending for ending in endings)
