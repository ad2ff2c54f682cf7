r"""A linear-chain conditional random field: the labels of a sequence are chosen together, not one by one.

A tagger gives each position a score for each tag, its emissions. Were every tag chosen by these alone, "I-PER" could follow "O".
The field adds a score for each pair of neighboring tags, one for the first tag and one for the last, and makes probabilities of
whole tag sequences out of all of them (Lafferty, McCallum and Pereira 2001, *Conditional Random Fields*):

.. math::
    s(y, x) = a_{y_1} + \sum_{k=1}^n x_{k y_k} + \sum_{k=2}^n M_{y_{k-1} y_k} + b_{y_n}, \qquad
    \ln p(y \mid x) = s(y, x) - \ln Z(x), \qquad Z(x) = \sum_{y'} e^{s(y', x)}

There are :math:`N^n` tag sequences; Rabiner (1989), *A Tutorial on Hidden Markov Models*, section III, has the three algorithms that
need :math:`n N^2` steps: forward (for Z), forward-backward (for the probability of each tag), and Viterbi (for the best sequence).

In the shape comments B is the batch, L the length, N the number of tags.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from minilm.backend import to_device, to_host
from minilm.creation import zeros
from minilm.nn import init
from minilm.nn.checks import expect_axes, expect_sizes
from minilm.nn.module import Module, Parameter
from minilm.nn.recurrent import unstack
from minilm.ops.arguments import shape_of
from minilm.ops.arithmetic import where
from minilm.ops.index import gather
from minilm.ops.loss import check_reduction
from minilm.ops.reduce import logmatmulexp, logsumexp
from minilm.ops.shape import pad, stack
from minilm.tensor import Tensor
from minilm.types import HostArray, Ids

FIRST, INNER, LAST, SINGLE = range(4)
SCHEMES = {
    "BIO": {"B": FIRST, "I": INNER},
    "BIOES": {"B": FIRST, "I": INNER, "E": LAST, "S": SINGLE},
    "BILOU": {"B": FIRST, "I": INNER, "L": LAST, "U": SINGLE},
}


class Allowed(NamedTuple):
    """Which tags may come first ``(N,)``, which may follow which ``(N, N)``, row by row, and which may come last ``(N,)``."""

    starts: HostArray
    transitions: HostArray
    ends: HostArray


class Path(NamedTuple):
    """A tag sequence and its score s(y, x)."""

    tags: list[int]
    score: float


def allowed_transitions(tags: Sequence[str], scheme: str = "BIO") -> Allowed:
    """What a scheme of spans allows, from the names of the tags: "O" outside, and else "B-PER", a place in a span and its kind.

    Args:
        tags: the name of each tag, in order.
        scheme: ``"BIO"``: B begins a span, and I goes on with one of the same kind (Ramshaw and Marcus 1995, in the form of
            CoNLL-2002); ``"BIOES"``: also E ends a span, and S is one of a single token; ``"BILOU"``: the same with L and U.

    Raises:
        ValueError: the scheme is unknown, a name does not belong to it, or is there twice.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"allowed_transitions: scheme must be one of {', '.join(SCHEMES)}; got {scheme!r}.")
    places, names = SCHEMES[scheme], list(tags)
    found: list[tuple[int | None, str]] = []
    for name in names:
        letter, _, kind = name.partition("-")
        if name != "O" and letter not in places:
            expected = ", ".join(f'"{letter}-..."' for letter in places)
            raise ValueError(f'allowed_transitions: {name!r} is no tag of {scheme}: "O", {expected}.')
        if names.count(name) > 1:
            raise ValueError(f"allowed_transitions: the tag {name!r} is there {names.count(name)} times.")
        found.append((places.get(letter) if name != "O" else None, kind))
    closes = "E" in places or "L" in places  # a span of several tokens has an end of its own
    goes_on = [place in (INNER, LAST) for place, _ in found]
    is_open = [place in (FIRST, INNER) for place, _ in found]
    pairs = [
        [
            (is_open[i] and found[i][1] == found[j][1]) if goes_on[j] else not (is_open[i] and closes)
            for j in range(len(found))
        ]
        for i in range(len(found))
    ]
    ends = [not (closes and each) for each in is_open]
    shape = (len(found), len(found))
    return Allowed(~np.array(goes_on, bool), np.array(pairs, bool).reshape(shape), np.array(ends, bool))


class LinearChainCRF(Module):
    """The layer behind a tagger's emissions: called with emissions and tags it is their loss; `decode` finds the best tags.

    Parameters, under the names of pytorch-crf: ``start_transitions (N,)``, ``transitions (N, N)`` from the row's tag to the
    column's, ``end_transitions (N,)``; all start uniform in ±0.1.

    Every method takes a batch ``(B, L, N)``, or one sequence ``(L, N)``. Where lengths differ, a mask ``(B, L)`` is True on the
    sequence and False behind it; what stands there is not read. A sequence of length 0 has one tag sequence, the empty one, of
    score 0. float16 is computed, and its results are returned, in float32.

    Args:
        num_tags: N.
        allowed: what may follow what (`allowed_transitions`). Then all probability is that of the allowed sequences; no other is
            decoded. Default: everything is.
        reduction: ``"mean"`` or ``"sum"`` of the losses of all sequences, or ``"none"`` for each by itself.

    Raises:
        TypeError: num_tags is no integer.
        ValueError: it is not positive, the reduction is unknown, or `allowed` has other shapes.
    """

    allowed_starts: Tensor | None
    allowed_pairs: Tensor | None
    allowed_ends: Tensor | None

    def __init__(self, num_tags: int, allowed: Allowed | None = None, reduction: str = "mean") -> None:
        super().__init__()
        expect_sizes("LinearChainCRF", num_tags=num_tags)
        check_reduction("LinearChainCRF", reduction)
        self.num_tags, self.reduction, self.allowed = num_tags, reduction, None
        self.start_transitions = init.uniform_(Parameter(zeros(num_tags)), -0.1, 0.1)
        self.transitions = init.uniform_(Parameter(zeros(num_tags, num_tags)), -0.1, 0.1)
        self.end_transitions = init.uniform_(Parameter(zeros(num_tags)), -0.1, 0.1)
        if allowed is not None:
            self.allowed = Allowed(*(np.asarray(part, bool) for part in allowed))
            shapes, n = tuple(part.shape for part in self.allowed), num_tags
            if shapes != ((n,), (n, n), (n,)):
                raise ValueError(
                    f"LinearChainCRF: allowed must have the shapes ({n},), ({n}, {n}), ({n},); got {shapes}."
                )
        for name, part in zip(("starts", "pairs", "ends"), self.allowed or (None,) * 3, strict=True):
            self.register_buffer(f"allowed_{name}", part, persistent=False)

    def forward(self, emissions: Tensor, tags: Ids, mask: Any = None) -> Tensor:
        """Minus the log-likelihood of the tags, reduced; arguments and errors are those of `log_likelihood`.

        The mean over no sequence is NaN, with gradient 0.
        """
        loss = -self.log_likelihood(emissions, tags, mask)
        if self.reduction == "none" or loss.ndim == 0:
            return loss
        total: Tensor = loss.sum()
        return total if self.reduction == "sum" else total / loss.size if loss.size else total * 0.0 + math.nan

    def log_likelihood(self, emissions: Tensor, tags: Ids, mask: Any = None) -> Tensor:
        """The log-probability of each sequence's tags, in nats: (B,).

        Args:
            emissions: a score for each position and tag, ``(B, L, N)``.
            tags: the tag of each position, integers ``(B, L)``; behind a sequence's end any.
            mask: True on a sequence, False behind it, ``(B, L)``; default: all True.

        Raises:
            ValueError: a shape does not fit, the mask is True behind a False, or the tags are not allowed.
            TypeError: the emissions are no floats, or the tags no integers.
            IndexError: a tag is not one of 0 to N - 1.
        """
        batch = self._batch(emissions, mask)
        return batch.unwrapped(self._score(batch, self._tags(tags, batch)) - self._log_partition(batch))

    def log_partition(self, emissions: Tensor, mask: Any = None) -> Tensor:
        """ln Z, by the forward algorithm: (B,). Arguments and errors are those of `log_likelihood`."""
        batch = self._batch(emissions, mask)
        return batch.unwrapped(self._log_partition(batch))

    def marginals(self, emissions: Tensor, mask: Any = None) -> Tensor:
        r"""The probability of each tag at each position, by the forward-backward algorithm: ``(B, L, N)``, 0 behind a sequence's end.

        .. math:: p(y_k = j \mid x) = e^{\alpha_{kj} + \beta_{kj} - \ln Z}

        They are also the gradient of ln Z by the emissions. Arguments and errors are those of `log_likelihood`.
        """
        batch = self._batch(emissions, mask)
        x, inside, ends = unstack(batch.x.swapaxes(0, 1)), batch.inside, self._scores().ends
        backward, betas = self._scores().transitions.swapaxes(0, 1), [batch.zeros() + ends]
        for k in range(len(x) - 1, 0, -1):
            beta = logmatmulexp(betas[-1] + x[k], backward)
            betas.append(beta if inside is None else where(inside[k], beta, ends))
        total = self._log_partition(batch)[:, None]
        p = [(a + b - total).exp() for a, b in zip(self._alphas(batch), reversed(betas), strict=True)]
        if inside is not None:
            p = [where(inside[k], each, 0.0) for k, each in enumerate(p)]
        return batch.unwrapped(stack(*p, axis=1)[:, : shape_of(emissions)[-2]])

    def decode(self, emissions: Tensor, mask: Any = None) -> Any:
        """The best tags of each sequence, by the Viterbi algorithm: a list of as many integers as it is long.

        Of equally good ones it is that whose last tag is the smallest, of these that whose tag before it is, and so on.

        Returns:
            a list for each sequence of the batch; for one sequence ``(L, N)`` its list.

        Raises:
            ValueError: as `log_likelihood`; or a score is NaN or +infinity; or no tag sequence is allowed.
            TypeError: the emissions are no floats.
        """
        found = self.decode_best(emissions, 1, mask)
        return found[0].tags if len(shape_of(emissions)) == 2 else [paths[0].tags for paths in found]

    def decode_best(self, emissions: Tensor, n: int, mask: Any = None) -> Any:
        """The n best tag sequences of each sequence, best first, each with its score: fewer where there are not so many.

        Ties, errors, and what is returned are those of `decode`. It is computed on the host, in float64.
        """
        expect_sizes("LinearChainCRF.decode_best", n=n)
        batch = self._batch(emissions, mask)
        scores = [np.asarray(_host(part), np.float64) for part in (batch.x, *self._scores())]
        for b, length in enumerate(batch.lengths):
            if not (scores[0][b, :length] < math.inf).all():
                raise ValueError(f"{self!r}: an emission of sequence {b} is NaN or +infinity; it has no best tags.")
        if not all((part < math.inf).all() for part in scores[1:]):
            raise ValueError(f"{self!r}: a transition's score is NaN or +infinity: no tags are best.")
        found = viterbi(scores[0], scores[1], scores[2], scores[3], batch.lengths, n)
        if not all(found):
            raise ValueError(f"{self!r}: every tag sequence of sequence {found.index([])} has the score -infinity.")
        return found[0] if batch.single else found

    # -- the algorithms -----------------------------------------------------------------------------------------------

    def _alphas(self, batch: _Batch) -> list[Any]:
        r""":math:`\alpha_{kj} = x_{kj} + \ln \sum_i e^{\alpha_{k-1,i} + M_{ij}}`: (B, N) for each k; behind an end the last stays."""
        x, inside, scores = unstack(batch.x.swapaxes(0, 1)), batch.inside, self._scores()
        alphas = [scores.starts + x[0]]
        for k in range(1, len(x)):
            alpha = logmatmulexp(alphas[-1], scores.transitions) + x[k]
            alphas.append(alpha if inside is None else where(inside[k], alpha, alphas[-1]))
        return alphas

    def _log_partition(self, batch: _Batch) -> Tensor:
        y: Tensor = logsumexp(self._alphas(batch)[-1] + self._scores().ends, axis=1)
        if batch.x.shape[1] == 1:  # no tag has a neighbor: the gradient of the transitions is zero, and not missing
            y = y + self.transitions[:0].sum()
        return y if batch.inside is None else where(batch.inside[0][:, 0], y, 0.0)

    def _score(self, batch: _Batch, tags: HostArray) -> Tensor:
        """s(y, x): (B,)."""
        x, inside, device = batch.x, batch.inside, batch.x.device
        final = tags[np.arange(len(tags)), np.maximum(np.array(batch.lengths, np.int64), 1) - 1]
        ids, last = Tensor(to_device(tags, device)), Tensor(to_device(final, device))
        steps = gather(x, ids[:, :, None], axis=2)[:, :, 0]  # (B, L)
        starts, pairs, ends = self._learned()
        pairs = pairs[ids[:, :-1], ids[:, 1:]]  # (B, L - 1)
        if inside is not None:
            mask = stack(*inside, axis=1)[:, :, 0]
            steps, pairs = where(mask, steps, 0.0), where(mask[:, 1:], pairs, 0.0)
        edges = starts[ids[:, 0]] + ends[last]
        y: Tensor = steps.sum(axis=1) + pairs.sum(axis=1) + edges
        return y if inside is None else where(inside[0][:, 0], y, 0.0)

    def _learned(self) -> _Scores:
        """The parameters, in float32 at least."""
        return _Scores(*map(_wide, (self.start_transitions, self.transitions, self.end_transitions)))

    def _scores(self) -> _Scores:
        """The same with -infinity for what is forbidden."""
        if self.allowed is None:
            return self._learned()
        allowed = self.allowed_starts, self.allowed_pairs, self.allowed_ends
        return _Scores(*(where(may, score, -math.inf) for may, score in zip(allowed, self._learned(), strict=True)))

    # -- what is given ------------------------------------------------------------------------------------------------

    def _batch(self, emissions: Any, mask: Any) -> _Batch:
        expect_axes(self, emissions, ("batch", "length", self.num_tags), ("length", self.num_tags))
        x = emissions if isinstance(emissions, Tensor) else Tensor(emissions)
        if x.dtype.kind != "f":
            raise TypeError(f"{self!r}: emissions must be floats, got {x.dtype}.")
        x = _wide(x)
        single, x = x.ndim == 2, x[None] if x.ndim == 2 else x
        most = x.shape[1]
        lengths = self._lengths(mask, (len(x), most), single)
        self._expect_allowed_paths(lengths)
        if most and min(lengths, default=most) == most:
            return _Batch(x, None, lengths, single)
        x = x if most else pad(x, ((0, 0), (0, 1), (0, 0)))  # one position, that no sequence has
        rows = np.arange(x.shape[1])[:, None, None] < np.array(lengths, np.int64)[:, None]  # (L, B, 1)
        inside = Tensor(to_device(rows, x.device))
        return _Batch(where(inside.swapaxes(0, 1), x, 0.0), [inside[k] for k in range(len(rows))], lengths, single)

    def _lengths(self, mask: Any, shape: tuple[int, int], single: bool) -> list[int]:
        batch, most = shape
        if mask is None:
            return [most] * batch
        rows, expected = _host(mask), shape[1:] if single else shape
        if rows.shape != expected or rows.dtype.kind not in "biu" or not np.isin(rows, (0, 1)).all():
            raise ValueError(
                f"{self!r}: the mask must hold True and False, and have the shape {expected}; got {rows.dtype}, {rows.shape}."
            )
        rows = rows.reshape(shape).astype(bool)
        for b in np.flatnonzero((rows[:, 1:] & ~rows[:, :-1]).any(axis=1))[:1].tolist():
            raise ValueError(
                f"{self!r}: the mask of sequence {b} is True behind a False. A sequence begins at position 0, and has no "
                "holes: move the padding to the end."
            )
        return [int(n) for n in rows.sum(axis=1)]

    def _tags(self, tags: Any, batch: _Batch) -> HostArray:
        """The tags (B, L), checked, with 0 behind the ends."""
        y, (count, length) = _host(tags), batch.x.shape[:2]
        y = y[None] if batch.single else y
        if y.shape == (count, 0) and not any(batch.lengths):
            return np.zeros((count, length), np.int64)
        if y.shape != (count, length):
            raise ValueError(
                f"{self!r}: tags must be of shape {(count, length)[batch.single :]}, one for each position; "
                f"got {y.shape[batch.single :]}."
            )
        if y.dtype.kind not in "iu":
            raise TypeError(f"{self!r}: tags must be integers, got {y.dtype}.")
        there = np.arange(length) < np.array(batch.lengths, np.int64)[:, None]
        y = np.where(there, y, 0)
        for b, k in np.argwhere((y < 0) | (y >= self.num_tags))[:1].tolist():
            raise IndexError(
                f"{self!r}: tag {y[b, k]} of sequence {b}, position {k}, is not one of 0 to {self.num_tags - 1}."
            )
        self._expect_allowed(y, batch.lengths)
        return y

    def _expect_allowed(self, tags: HostArray, lengths: list[int]) -> None:
        """Raises where tags are given that have probability 0: their loss would be infinite."""
        if self.allowed is None:
            return
        for b, length in enumerate(lengths):
            y, why = tags[b, :length], ""
            wrong = np.flatnonzero(~self.allowed.transitions[y[:-1], y[1:]])
            if length and not self.allowed.starts[y[0]]:
                why = f"begins with tag {y[0]}"
            elif len(wrong):
                k = int(wrong[0])
                why = f"has tag {y[k + 1]} behind tag {y[k]} at position {k + 1}"
            elif length and not self.allowed.ends[y[-1]]:
                why = f"ends with tag {y[-1]}"
            if why:
                raise ValueError(f"{self!r}: sequence {b} {why}, which is not allowed: its probability is 0.")

    def _expect_allowed_paths(self, lengths: list[int]) -> None:
        """Raises where a sequence is so long that no tag sequence for it is allowed."""
        if self.allowed is None:
            return
        reached, wanted = self.allowed.starts, set(lengths)
        for length in range(1, max(wanted, default=0) + 1):
            if length in wanted and not (reached & self.allowed.ends).any():
                raise ValueError(f"{self!r}: of {length} tags no sequence is allowed.")
            reached = reached @ self.allowed.transitions

    def extra_repr(self) -> str:
        allowed = "" if self.allowed is None else f", {int((~self.allowed.transitions).sum())} transitions forbidden"
        return f"num_tags={self.num_tags}{allowed}, reduction={self.reduction!r}"


class _Scores(NamedTuple):
    starts: Any
    transitions: Any
    ends: Any


class _Batch(NamedTuple):
    """Emissions (B, L, N) with L > 0 and zeros behind the ends; who is inside at each position (None: all); whether it was one sequence."""

    x: Any
    inside: list[Any] | None
    lengths: list[int]
    single: bool

    def zeros(self) -> Tensor:
        return Tensor(self.x.device.xp.zeros((self.x.shape[0], self.x.shape[2]), self.x.dtype))

    def unwrapped(self, result: Any) -> Tensor:
        """A result of the batch, as it was given."""
        y: Tensor = result[0] if self.single else result
        return y


def _wide(x: Tensor) -> Tensor:
    return x.astype(np.float32) if x.dtype == np.float16 else x


def _host(x: Any) -> HostArray:
    return to_host(x.data) if isinstance(x, Tensor) else np.asarray(x)


def viterbi(
    x: HostArray, starts: HostArray, transitions: HostArray, ends: HostArray, lengths: Sequence[int], n: int = 1
) -> list[list[Path]]:
    r"""The n best tag sequences of each sequence of a batch; Rabiner (1989), section III.B, with the n best of each tag kept.

    .. math:: \delta_{kj} = x_{kj} + \max_i (\delta_{k-1,i} + M_{ij})

    Of equal ones the smaller i goes first, for every j. Sequences of score -infinity are left out.

    Args:
        x: emissions (B, L, N).
        starts, transitions, ends: scores (N,), (N, N), (N,).
        lengths: of the sequences, 0 to L.
        n: how many.
    """
    batch, most, tags = x.shape
    delta = np.full((batch, tags, n), -math.inf)  # the n best that end in each tag, best first
    delta[:, :, 0] = starts + x[:, 0]
    came_from = np.zeros((most, batch, tags, n), np.int64)  # tag and rank before, as one number: tag * n + rank
    for k in range(1, most):
        through = (delta[:, :, :, None] + transitions[:, None, :]).reshape(batch, tags * n, tags)
        best = through.argmax(axis=1)[:, None] if n == 1 else np.argsort(-through, axis=1, kind="stable")[:, :n]
        came_from[k] = best.swapaxes(1, 2)
        after = np.take_along_axis(through, best, 1).swapaxes(1, 2) + x[:, k, :, None]
        delta = np.where((k < np.asarray(lengths))[:, None, None], after, delta)
    final = (delta + ends[:, None]).reshape(batch, tags * n)
    found = []
    for b, length in enumerate(lengths):
        order = [int(i) for i in np.argsort(-final[b], kind="stable")[:n] if final[b, i] > -math.inf]
        paths = [Path(_walk_back(came_from[:length, b], i), float(final[b, i])) for i in order]
        found.append(paths if length else [Path([], 0.0)])
    return found


def _walk_back(came_from: HostArray, at: int) -> list[int]:
    """The tags on the way back from the last one: from a number tag * n + rank to the one that stands there."""
    length, _, n = came_from.shape
    tags = [at // n]
    for k in range(length - 1, 0, -1):
        at = int(came_from[k, at // n, at % n])
        tags.append(at // n)
    return tags[::-1]


__all__ = ["Allowed", "LinearChainCRF", "Path", "allowed_transitions", "viterbi"]
