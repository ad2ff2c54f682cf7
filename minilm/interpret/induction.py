r"""Induction heads: heads that look for what came after the last place like this one, and say it again.

In a text ... A B ... A such a head attends, at the second A, from A to B, and raises the logit of B. It takes two layers: a head of
the first copies to each place which token stands before it, a head of the second looks for the place before which an A stands (Elhage et
al. 2021, *A Mathematical Framework for Transformer Circuits*; Olsson et al. 2022, *In-context Learning and Induction Heads*,
arXiv:2209.11895). What shows it is random tokens that repeat: nothing but what was read foretells the second round.

Each sequence has a period of its own. With one for all a single layer would do, by attending to a fixed distance.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minilm.backend import to_device, to_host
from minilm.graph import no_grad
from minilm.interpret.attention import Change
from minilm.models.attention_only import AttentionOnly
from minilm.nn import Module
from minilm.nn import functional as F
from minilm.optim import Adam
from minilm.tensor import Tensor
from minilm.types import HostArray


class Copying(NamedTuple):
    """Random tokens that repeat.

    Attributes:
        ids: (B, T).
        periods: (B,): ids[b, t] is ids[b, t - periods[b]].
        known: (B, T - 1), whether the token after each place is a repetition, from the second place of the second round on: at the
            first nothing says that a round has ended.
    """

    ids: HostArray
    periods: HostArray
    known: HostArray


def repeats(rng: np.random.Generator, batch: int, length: int, vocab_size: int) -> Copying:
    """Sequences of random tokens, each repeated with a period drawn from length / 4 to length / 2.

    Raises:
        ValueError: the length is less than 8, or there are fewer than 2 tokens.
    """
    if length < 8 or vocab_size < 2 or batch < 1:
        raise ValueError(
            f"repeats: expected a sequence, 8 places and 2 tokens at least, got batch={batch}, length={length}, "
            f"vocab_size={vocab_size}."
        )
    periods = rng.integers(length // 4, length // 2 + 1, batch)
    first = rng.integers(0, vocab_size, (batch, length))
    places = np.arange(length) % periods[:, None]
    return Copying(np.take_along_axis(first, places, axis=1), periods, np.arange(1, length) > periods[:, None])


def prefix_scores(weights: HostArray, periods: HostArray) -> HostArray:
    r"""How much each head attends to what came after the token's last occurrence, one period ago: (heads,), from 0 to 1.

    .. math:: s_h = \text{mean over } b \text{ and } t \ge p_b \text{ of } P_{b,\, h,\, t,\, t - p_b + 1}

    Olsson et al. 2022, "prefix matching". A head that attends evenly gets about 1 / t.

    Args:
        weights: (B, heads, T, T).
        periods: (B,), p of each sequence.

    Raises:
        ValueError: the shapes do not fit, or a period is not from 2 to T - 1.
    """
    weights, periods = _maps("prefix_scores", weights), np.asarray(periods)
    length = weights.shape[-1]
    if periods.shape != weights.shape[:1] or periods.min() < 2 or periods.max() >= length:
        raise ValueError(
            f"prefix_scores: expected a period from 2 to {length - 1} for each of the {len(weights)} sequences, got {periods.tolist()}."
        )
    row, t = np.nonzero(np.arange(length) >= periods[:, None])
    return weights[row, :, t, t - periods[row] + 1].mean(axis=0)


def previous_scores(weights: HostArray) -> HostArray:
    """How much each head attends to the token just before: the mean of P[b, h, t, t - 1] over b and t from 1 on, (heads,).

    Raises:
        ValueError: the maps have another shape than (B, heads, T, T), with T at least 2.
    """
    weights = _maps("previous_scores", weights)
    t = np.arange(1, weights.shape[-1])
    return weights[:, :, t, t - 1].mean(axis=(0, 2))


def copying_score(embedding: HostArray, value: HostArray, output: HostArray, unembedding: HostArray) -> float:
    r"""Whether a head raises the logits of what it attends to: 1 where it copies each token, -1 where it suppresses each.

    .. math:: \frac{\sum_i \lambda_i}{\sum_i |\lambda_i|}, \qquad \lambda_i \text{ the eigenvalues of } U O V E^\top

    That matrix has a row for each token's logit and a column for each token that is attended to; its eigenvalues other than 0 are those of
    the small matrix :math:`V E^\top U O`. Elhage et al. 2021, "summarizing OV/QK matrices". A norm behind the head is left out.

    Args:
        embedding: E, (vocab_size, C).
        value: V, (D, C), of one head.
        output: O, (C, D), of one head.
        unembedding: U, (vocab_size, C).

    Returns:
        the score; 0 where all eigenvalues are 0.
    """
    small = (value @ embedding.T) @ (unembedding @ output)
    eigenvalues = np.linalg.eigvals(small.astype(np.float64))
    total = float(np.abs(eigenvalues).sum())
    return float(eigenvalues.sum().real) / total if total else 0.0


def copying_scores(model: AttentionOnly) -> HostArray:
    """The `copying_score` of each head: (layers, heads)."""
    e, u = (to_host(each.weight.data) for each in (model.wte, model.lm_head))
    found = []
    for layer in model.layers:
        value, output = to_host(layer.attn.c_attn.weight.data)[2 * e.shape[1] :], to_host(layer.attn.c_proj.weight.data)
        parts = zip(np.split(value, model.n_head, axis=0), np.split(output, model.n_head, axis=1), strict=True)
        found.append([copying_score(e, v, o, u) for v, o in parts])
    return np.array(found)


def without_heads(*heads: tuple[int, int]) -> Change:
    """The change for `minilm.interpret.attention.edited` that switches heads off, each given as (layer, head): their maps are 0."""

    def change(weights: HostArray, layer: int) -> HostArray:
        weights[:, [head for where, head in heads if where == layer]] = 0
        return weights

    return change


def copying_loss(model: Module, given: Copying) -> float:
    """The mean surprise at the tokens that are repetitions, in nats."""
    with no_grad():
        return float(_surprise(model, given).data[to_device(given.known.reshape(-1), _device(model))].mean())


def learn_to_copy(
    model: AttentionOnly, steps: int, rng: np.random.Generator, *, batch: int = 32, length: int = 32, lr: float = 0.005
) -> HostArray:
    """Trains a model by Adam to predict the next token of `repeats`, at all places.

    Args:
        steps: updates.
        rng: draws the sequences.
        batch, length: sequences per update, tokens per sequence.
        lr: of Adam.

    Returns:
        the mean surprise before each update, in nats: (steps, 2), at tokens that nothing foretells and at repetitions.
    """
    optimizer, losses = Adam(model.parameters(), lr=lr), np.empty((steps, 2))
    for step in range(steps):
        given = repeats(rng, batch, length, model.wte.weight.shape[0])
        surprise = _surprise(model, given)
        known = given.known.reshape(-1)
        host = to_host(surprise.data)
        losses[step] = host[~known].mean(), host[known].mean()
        optimizer.zero_grad()
        surprise.mean().backward()
        optimizer.step()
    return losses


def _surprise(model: Module, given: Copying) -> Tensor:
    """In nats, at each next token of each sequence: (B (T - 1),)."""
    logits = model(given.ids[:, :-1])
    return F.cross_entropy(
        logits.reshape(-1, logits.shape[-1]),
        Tensor(given.ids[:, 1:].reshape(-1), device=logits.device),
        reduction="none",
    )


def _device(model: Module) -> Any:
    return next(model.parameters()).device


def _maps(name: str, weights: HostArray) -> HostArray:
    weights = np.asarray(weights)
    if weights.ndim != 4 or weights.shape[2] != weights.shape[3] or weights.shape[2] < 2:
        raise ValueError(f"{name}: expected maps (batch, heads, T, T) of 2 tokens or more, got shape {weights.shape}.")
    return weights


__all__ = [
    "Copying", "copying_loss", "copying_score", "copying_scores", "learn_to_copy", "prefix_scores", "previous_scores", "repeats",
    "without_heads",
]  # fmt: skip
