r"""Searches for the likeliest continuation: greedy, beam, and, as their specification, all there are.

A model gives the probability of the next token; what is wanted is the whole text y with the highest score

.. math:: s(y) = \frac{\log P(y)}{lp(|y|)}, \qquad \log P(y) = \sum_t \log p(y_t \mid y_{<t}), \qquad
    lp(n) = \left(\frac{5 + n}{6}\right)^{\alpha}

Wu et al. 2016, *Google's Neural Machine Translation System*, eq. 14: every token makes a text less probable, so that without a penalty
(:math:`\alpha = 0`) short ones win. :math:`|y|` counts the new tokens, the end token among them.

There are :math:`V^n` texts of n tokens. `exhaustive_search` looks at all of them, and is what the others are held against.
`greedy_search` takes the likeliest token each time. `beam_search` keeps the `width` likeliest hypotheses of each length: with width 1
that is greedy, and where all fit in it is exhaustive (tests/models/test_beam.py).

What a text may be, all three know from the same `Rules`. What a model must give, `Scorer` says.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Real
from typing import Any, NamedTuple, Protocol

import numpy as np

from minilm.graph import no_grad
from minilm.models.generation import LanguageModel, check_integer, id_sequences
from minilm.types import HostArray, Ids


class Hypothesis(NamedTuple):
    """A continuation.

    Attributes:
        tokens: the new ids, an end token included.
        score: the log-probability divided by the length penalty.
        log_probability: of all new tokens together, in nats.
        ended: whether the last one is an end token; False where the text was cut, or nothing could follow.
    """

    tokens: list[int]
    score: float
    log_probability: float
    ended: bool


class Scorer(Protocol):
    """What a search asks of a model: logits for a batch of hypotheses, of which some go on and some do not."""

    @property
    def training(self) -> bool: ...

    def train(self, mode: bool = True) -> Any: ...

    def begin(self, sources: HostArray) -> None:
        """From now on row i is a hypothesis of source sources[i], of which nothing is written yet."""

    def keep(self, rows: HostArray) -> None:
        """From now on row i is what row rows[i] was: a row may go on several times, or not at all."""

    def logits(self, contexts: HostArray) -> HostArray:
        """The logits (rows, vocabulary) of the token after each context (rows, length)."""


class PromptScorer:
    """A decoder-only model, such as `minilm.models.GPT`, as a `Scorer`: the sources are the prompts.

    Args:
        model: gives `next_logits`. Its cache has a method `reorder`, as `minilm.models.KVCache` has.
        use_cache: keep keys and values, so that a new token costs one position instead of all.
    """

    def __init__(self, model: LanguageModel, use_cache: bool = True) -> None:
        self.model, self.use_cache, self.cache = model, use_cache, None

    @property
    def training(self) -> bool:
        return self.model.training

    def train(self, mode: bool = True) -> Any:
        return self.model.train(mode)

    def begin(self, sources: HostArray) -> None:
        self.cache = None

    def keep(self, rows: HostArray) -> None:
        if self.cache is not None:
            self.cache.reorder(rows)

    def logits(self, contexts: HostArray) -> HostArray:
        out, cache = self.model.next_logits(contexts, self.cache)
        self.cache = cache if self.use_cache else None
        return out.numpy()


@dataclass(frozen=True)
class Rules:
    r"""Which continuations there are, and which is better.

    A text is complete where an end token comes, where it has `max_new_tokens`, or where no token may follow.

    Attributes:
        max_new_tokens: the longest text.
        end: the id that ends a text, or several; None: every text has the full length.
        length_penalty: :math:`\alpha`: above 0 favors long texts, below 0 short ones. Or a function of the length n that takes the place
            of lp(n): positive, and either never falling or never rising.
        min_new_tokens: the end may come only after as many other tokens.
        no_repeat_ngram: no sequence of so many tokens comes twice in the prompt and its continuation together; 0: any may.

    Raises:
        TypeError: an option is of another type.
        ValueError: an option is out of range, or the length penalty is not positive and finite for a length that can be.
    """

    max_new_tokens: int
    end: int | Sequence[int] | None = None
    length_penalty: float | Callable[[int], float] = 0.0
    min_new_tokens: int = 0
    no_repeat_ngram: int = 0

    def __post_init__(self) -> None:
        for name in ("max_new_tokens", "min_new_tokens", "no_repeat_ngram"):
            check_integer(name, getattr(self, name), 0)
        for id in self.ends:
            check_integer("end", id, 0)
        if not callable(self.length_penalty):
            if isinstance(self.length_penalty, bool) or not isinstance(self.length_penalty, Real):
                raise TypeError(f"length_penalty must be a number or a function, got {self.length_penalty!r}.")
            if not math.isfinite(self.length_penalty):
                raise ValueError(f"length_penalty must be finite, got {self.length_penalty}.")
        for n in {min(1, self.max_new_tokens), self.max_new_tokens} - {0}:
            try:
                penalty = self.penalty(n)
            except OverflowError:
                penalty = math.inf
            if not 0 < penalty < math.inf:
                raise ValueError(
                    f"length_penalty {self.length_penalty!r} divides the score of {n} tokens by {penalty}."
                )

    @property
    def ends(self) -> list[int]:
        """The ids that end a text."""
        if self.end is None:
            return []
        return list(self.end) if isinstance(self.end, Sequence | np.ndarray) else [self.end]

    def penalty(self, n: int) -> float:
        """lp(n)"""
        if callable(self.length_penalty):
            return float(self.length_penalty(n))
        return float(((5.0 + n) / 6.0) ** self.length_penalty)

    def score(self, log_probability: float, n: int) -> float:
        """That of a complete text of n new tokens."""
        return log_probability / self.penalty(n) if n else log_probability

    def reachable(self, log_probability: float, n: int) -> float:
        """The best score that a hypothesis with n new tokens can end with: no probability is above 1, so log P only falls.

        Divided by the largest penalty that is still ahead: of monotone ones the nearest or the farthest.
        """
        return log_probability / max(self.penalty(max(n, 1)), self.penalty(self.max_new_tokens))

    def log_probabilities(self, logits: HostArray, contexts: Sequence[Sequence[int]], start: int) -> HostArray:
        r"""Of each next token after each context whose first `start` ids were given; :math:`-\infty` where it may not come.

        In float64 (rows, vocabulary). What may not come keeps its share: the others are as probable as the model says.

        Raises:
            ValueError: a logit is NaN or infinite, or no token is possible: the model has diverged.
            IndexError: an end token is not in the vocabulary.
        """
        z = np.array(logits, np.float64)
        top = z.max(axis=-1, keepdims=True)
        if not np.isfinite(top).all():  # -inf is a token that cannot come; one must be able to
            raise ValueError(
                "the model gives NaN or infinity for logits: its weights have diverged; train with a smaller learning rate."
            )
        ends = self.ends
        if ends and max(ends) >= z.shape[-1]:
            raise IndexError(f"end: id {max(ends)} is out of range: the model's ids are 0 to {z.shape[-1] - 1}.")
        z -= top
        z -= np.log(np.exp(z).sum(axis=-1, keepdims=True))
        for row, context in zip(z, contexts, strict=True):
            if len(context) - start < self.min_new_tokens:
                row[ends] = -np.inf
            if self.no_repeat_ngram:
                row[repetitions(context, self.no_repeat_ngram)] = -np.inf
        return z


def repetitions(context: Sequence[int], n: int) -> list[int]:
    """The tokens after which the last n ids would be n that came before."""
    places, last = len(context) - n + 1, list(context[len(context) - n + 1 :])
    return [context[i + n - 1] for i in range(places) if list(context[i : i + n - 1]) == last]


def exhaustive_search(scorer: Scorer, starts: Sequence[Ids], rules: Rules, n_best: int = 1) -> list[list[Hypothesis]]:
    """The `n_best` best of all continuations of each start: exact, and exponential in `max_new_tokens`.

    Of equal ones the first in the order of length, then of ids.

    Raises:
        TypeError, ValueError: as for `beam_search`.
    """
    check_integer("n_best", n_best, 1)
    found = []
    with predicting(scorer):
        for i, start in enumerate(read(starts)):
            complete, prefixes = [], [(start, 0.0)]
            scorer.begin(np.array([i]))
            while prefixes:
                longer, rows = [], []
                length = len(prefixes[0][0]) - len(start)
                if length == rules.max_new_tokens:
                    complete += [hypothesis(rules, start, context, p, False) for context, p in prefixes]
                    break
                contexts = [context for context, _ in prefixes]
                log_p = rules.log_probabilities(scorer.logits(np.array(contexts)), contexts, len(start))
                for row, (context, p) in enumerate(prefixes):
                    possible = np.flatnonzero(log_p[row] > -np.inf).tolist()
                    if not possible:
                        complete.append(hypothesis(rules, start, context, p, False))
                    for token in possible:
                        text = ([*context, token], p + float(log_p[row, token]))
                        if token in rules.ends:
                            complete.append(hypothesis(rules, start, *text, True))
                        else:
                            longer.append(text)
                            rows.append(row)
                prefixes = longer
                if prefixes:
                    scorer.keep(np.array(rows))
            found.append(sorted(complete, key=lambda h: -h.score)[:n_best])
    return found


def greedy_search(scorer: Scorer, starts: Sequence[Ids], rules: Rules) -> list[Hypothesis]:
    """The likeliest token each time, the first of several: a text for each start.

    Raises:
        TypeError, ValueError: as for `beam_search`.
    """
    found = []
    with predicting(scorer):
        for i, start in enumerate(read(starts)):
            context, p, ended = start, 0.0, False
            scorer.begin(np.array([i]))
            while not ended and len(context) - len(start) < rules.max_new_tokens:
                log_p = rules.log_probabilities(scorer.logits(np.array([context])), [context], len(start))[0]
                token = int(np.argmax(log_p))
                if log_p[token] == -np.inf:
                    break
                context, p, ended = [*context, token], p + float(log_p[token]), token in rules.ends
                scorer.keep(np.array([0]))
            found.append(hypothesis(rules, start, context, p, ended))
    return found


def beam_search(
    scorer: Scorer,
    starts: Sequence[Ids],
    rules: Rules,
    *,
    width: int = 4,
    n_best: int = 1,
    early_stopping: bool = False,
) -> list[list[Hypothesis]]:
    r"""The best continuations of each start that a beam finds; starts of one length are searched as one batch.

    Of all one-token continuations of the running hypotheses the `width` likeliest survive. Those of them that end are complete, and the
    likeliest that do not end take their places, so that `width` go on. Of equally likely ones the first survives: in the order of
    the hypotheses that they continue, then of ids.

    A search stops when none of its running hypotheses can reach the score of the n-th best that is complete (`Rules.reachable`): going on
    to `max_new_tokens` would change nothing. It stays a search among few: more width may find better texts.

    Args:
        scorer: the model's side; see `PromptScorer` and `minilm.models.Seq2Seq.search`.
        starts: what the hypotheses of each source begin with, at least one id.
        rules: which texts there are, and which is better.
        width: how many hypotheses of each source run at a time.
        n_best: how many to return of each source, at most `width`.
        early_stopping: stop as soon as `width` hypotheses are complete. Quicker; with a length penalty a better one may be missed.

    Returns:
        For each start up to `n_best` hypotheses, the best first.

    Raises:
        TypeError: an argument is of another type than it should be, as an id that is no integer.
        ValueError: there is no start, one is empty, an option is out of range, or the model gives NaN or infinity.
        IndexError: an id is negative or not in the vocabulary.
    """
    check_integer("width", width, 1)
    check_integer("n_best", n_best, 1)
    if n_best > width:
        raise ValueError(f"n_best={n_best} is more than the width {width} of the beam; make it wider.")
    texts = read(starts)
    found: list[list[Hypothesis]] = [[] for _ in texts]
    with predicting(scorer):
        for length in sorted({len(text) for text in texts}):
            sources = [i for i, text in enumerate(texts) if len(text) == length]
            beams = [Beam(texts[i], rules, width, n_best, early_stopping) for i in sources]
            for i, beam in zip(sources, beams, strict=True):
                found[i] = beam.complete
            scorer.begin(np.array(sources))
            beams = [beam for beam in beams if beam.running]
            while beams:
                logits = scorer.logits(np.array([context for beam in beams for context, _ in beam.running]))
                rows, first = [], 0
                for beam in beams:
                    last = first + len(beam.running)
                    rows += [first + parent for parent in beam.advance(logits[first:last])]
                    first = last
                beams = [beam for beam in beams if beam.running]
                if beams:
                    scorer.keep(np.array(rows))
    return found


class Beam:
    """The hypotheses of one source.

    Attributes:
        running: contexts (what they start with, and the new tokens) with their log-probabilities, the likeliest first.
        complete: the n best of the complete ones, the best first.
    """

    def __init__(self, start: list[int], rules: Rules, width: int, n_best: int, early_stopping: bool) -> None:
        self.start, self.rules, self.width, self.n_best = start, rules, width, n_best
        self.early_stopping, self.completed = early_stopping, 0
        self.running, self.complete = [(start, 0.0)], list[Hypothesis]()
        if rules.max_new_tokens == 0:
            self._add(start, 0.0, False)
            self.running = []

    def advance(self, logits: HostArray) -> list[int]:
        """One token more, given the logits (running, vocabulary).

        Returns:
            for each hypothesis that runs now, the number of the one that it continues.
        """
        contexts = [context for context, _ in self.running]
        log_p = self.rules.log_probabilities(logits, contexts, len(self.start))
        for (context, p), possible in zip(self.running, np.any(log_p > -np.inf, axis=-1), strict=True):
            if not possible:
                self._add(context, p, False)
        log_p += np.array([p for _, p in self.running])[:, None]
        n = len(contexts[0]) + 1 - len(self.start)
        for _, context, p in self._likeliest(log_p):
            ended = context[-1] in self.rules.ends
            if ended or n == self.rules.max_new_tokens:
                self._add(context, p, ended)
        if n == self.rules.max_new_tokens:
            self.running = []
            return []
        log_p[:, self.rules.ends] = -np.inf
        survivors = self._likeliest(log_p)
        self.running = [(context, p) for _, context, p in survivors]
        if self._settled(n):
            self.running = []
        return [parent for parent, _, _ in survivors][: len(self.running)]

    def _likeliest(self, log_p: HostArray) -> list[tuple[int, list[int], float]]:
        """The `width` likeliest continuations: which hypothesis they continue, their contexts and log-probabilities."""
        flat, (_, vocab_size) = log_p.reshape(-1), log_p.shape
        candidates = np.flatnonzero(flat > -np.inf)
        if len(candidates) > self.width:  # ties with the last stay, so that the order of ids decides
            candidates = candidates[flat[candidates] >= np.partition(flat, -self.width)[-self.width]]
        order = candidates[np.argsort(-flat[candidates], kind="stable")][: self.width]
        return [
            (parent, [*self.running[parent][0], token], float(flat[place]))
            for place in order
            for parent, token in [divmod(int(place), vocab_size)]
        ]

    def _add(self, context: list[int], log_probability: float, ended: bool) -> None:
        self.completed += 1
        self.complete.append(hypothesis(self.rules, self.start, context, log_probability, ended))
        self.complete.sort(key=lambda h: -h.score)  # stable: of equal ones the one that was complete first
        del self.complete[self.n_best :]

    def _settled(self, n: int) -> bool:
        """Whether nothing that runs, n new tokens long, can still be among the best."""
        if not self.running or len(self.complete) < self.n_best:
            return False
        if self.early_stopping and self.completed >= self.width:
            return True
        return self.rules.reachable(self.running[0][1], n) <= self.complete[-1].score


def hypothesis(rules: Rules, start: list[int], context: list[int], log_probability: float, ended: bool) -> Hypothesis:
    """A complete one."""
    new = context[len(start) :]
    return Hypothesis(new, rules.score(log_probability, len(new)), log_probability, ended)


def read(starts: Sequence[Ids]) -> list[list[int]]:
    """What hypotheses start with, as lists.

    Raises:
        TypeError: not a sequence of sequences of integers.
        ValueError: there is none, or one is empty.
        IndexError: an id is negative.
    """
    texts = [text.tolist() for text in id_sequences("starts", starts, None)]
    if not texts or not all(texts):
        raise ValueError("a search needs at least one start, and at least one token in each.")
    return texts


@contextmanager
def predicting(model: Scorer) -> Iterator[None]:
    """Without dropout and without a graph; afterwards the model learns again if it did before."""
    was_training = model.training
    model.train(False)
    try:
        with no_grad():
            yield
    finally:
        model.train(was_training)


__all__ = [
    "Hypothesis",
    "PromptScorer",
    "Rules",
    "Scorer",
    "beam_search",
    "exhaustive_search",
    "greedy_search",
]
