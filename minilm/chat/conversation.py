"""A conversation: its turns, which of them the context holds, and answers that come token by token."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minilm import random
from minilm.chat.reading import Reading
from minilm.chat.template import Message, Template
from minilm.models.generation import Sampler
from minilm.text import TextStream


class ConversationError(ValueError):
    """A turn that cannot be had; the conversation is as it was before. The message says why and what to do."""


@dataclass
class Answer:
    """What is known of an answer when it has ended.

    Attributes:
        text: what was said.
        tokens: how many ids were drawn for it, the one that ended it included.
        reason: "end" (the model ended it), "length" (`max_tokens`), "context" (the context is full) or "stopped".
        first: seconds from the question to the first token; None where none came.
        seconds: seconds from the first token to the last.
        left: how many of the oldest exchanges left the context before it.
    """

    text: str = ""
    tokens: int = 0
    reason: str = "end"
    first: float | None = None
    seconds: float = 0.0
    left: int = 0

    @property
    def per_second(self) -> float | None:
        """Tokens per second after the first; None for fewer than two."""
        return (self.tokens - 1) / self.seconds if self.tokens > 1 and self.seconds > 0 else None


@dataclass
class Exchange:
    """A question and its answer, as text and as ids with all marks."""

    question: str
    ids: list[int]
    answer: str = ""
    answer_ids: list[int] = field(default_factory=list)


class Conversation:
    """A conversation with a language model.

    The context holds the system prompt, exchanges and the newest question. When they leave no room for an answer (`max_tokens`, a
    quarter of the context at most), the oldest exchanges leave, until half of the context is free: what stays is read again, so this
    should be rare. The system prompt never leaves. `exchanges` still has what the model does not see any more.

    The draws for answer number n come from a stream of their own, seeded with (seed, n): the same seed and the same questions give the
    same conversation, and how long an answer was, or whether it was stopped, changes no other.

    Args:
        model: GPT, Llama, or what else has `next_logits` and `config` as they have.
        template: its marks.
        system: the system prompt; None: the template's own.
        sampler: how a token is drawn.
        max_tokens: the longest answer, in tokens.
        seed: of the draws. None: a new one for each conversation.

    Attributes:
        exchanges: all of them, from the first to the newest.
        seen: the model sees exchanges[-seen:].
        seed: the one that this conversation has.
        last: the newest `Answer`.

    Raises:
        TokenizerError: the system prompt cannot be encoded.
        ConversationError: the context has no room for it.
    """

    def __init__(
        self,
        model: Any,
        template: Template,
        *,
        system: str | None = None,
        sampler: Sampler | None = None,
        max_tokens: int = 512,
        seed: int | None = None,
    ) -> None:
        self.template, self.sampler, self.max_tokens = template, sampler or Sampler(), max_tokens
        self.reading = Reading(model)
        self._given_seed = seed
        self.set_system(system)
        self.reset()

    def reset(self) -> None:
        """Begins anew: no turn is left, and nothing that the model has read. The system prompt stays."""
        self.exchanges: list[Exchange] = []
        self.seen = self.answers = 0
        self.seed = int(random.generator().integers(2**32)) if self._given_seed is None else self._given_seed
        self.reading.forget()
        self.last = Answer()

    def set_system(self, text: str | None) -> None:
        """Another system prompt from the next answer on; None: the template's own.

        Raises:
            TokenizerError: it cannot be encoded.
            ConversationError: the context has no room for it.
        """
        ids = self.template.system(text)
        self._check_room("the system prompt", len(ids))
        self.system = self.template.default_system if text is None else text
        self._system_ids = ids

    def messages(self) -> list[Message]:
        """The conversation as (role, text), from the system prompt to the newest answer."""
        said = [turn for e in self.exchanges for turn in (("user", e.question), ("assistant", e.answer))]
        return [*([] if self.system is None else [("system", self.system)]), *said]

    @property
    def room(self) -> int:
        """The tokens that are kept free for an answer."""
        return min(self.max_tokens, max(1, self.reading.context // 4))

    def ask(self, question: str, stopped: Callable[[], bool] = lambda: False) -> Iterator[str]:
        """The answer, in pieces of text as they come; `last` then tells about it.

        The exchange is part of the conversation when the answer has ended, for whatever reason. Before its first token there is
        nothing to keep: then it is as if the question had not been asked. So it is if the caller takes no more pieces.

        Args:
            stopped: asked after each token, and now and then while the question is read; True ends the answer.

        Raises:
            TokenizerError: the question cannot be encoded.
            ConversationError: the context has no room for it.
        """
        begun = time.perf_counter()
        exchange = Exchange(question, [*self.template.turn("user", question), *self.template.head()])
        seen = self._make_room(exchange)
        self.last = Answer(left=self.seen - seen)
        ids = [*self._system_ids, *self._ids_of(seen), *exchange.ids]
        rng = np.random.default_rng([self.seed, self.answers])
        self.answers += 1
        stream = TextStream(self.template.tokenizer, ids, stops=self.template.stops, shown=False)
        start = len(ids)
        for id in self._draw(ids, rng, stopped):
            now = time.perf_counter()
            if self.last.first is None:
                self.last.first = now - begun
            self.last.tokens += 1
            self.last.seconds = now - begun - self.last.first
            if id in self.template.ends:
                break
            ids.append(id)
            piece = stream.add(id)
            self.last.text += piece
            if piece:
                yield piece
            if stream.ended:
                break
        if piece := stream.finish():
            self.last.text += piece
            yield piece
        if self.last.tokens:
            exchange.answer, exchange.answer_ids = self.last.text, [*ids[start:], *self.template.tail()]
            self.exchanges.append(exchange)
            self.seen = seen + 1

    def retry(self, stopped: Callable[[], bool] = lambda: False) -> Iterator[str]:
        """Asks the newest question again, with other draws; the new answer takes the place of the old one.

        Raises:
            ConversationError: there is none.
        """
        if not self.exchanges:
            raise ConversationError("there is no question yet that could be asked again.")
        before, seen = list(self.exchanges), self.seen
        exchange = self.exchanges.pop()
        self.seen -= 1
        try:
            yield from self.ask(exchange.question, stopped)
        finally:
            if len(self.exchanges) < len(before):  # there was no other answer
                self.exchanges, self.seen = before, seen

    def _draw(self, ids: list[int], rng: np.random.Generator, stopped: Callable[[], bool]) -> Iterator[int]:
        """Ids one after another, until the model is stopped, has written enough, or has no more room. `ids` grows outside."""
        marks = self.template.ends
        for _ in range(self.max_tokens):
            logits = self.reading.logits(ids, stopped)
            if logits is None or stopped():
                self.last.reason = "stopped"
                return
            seen = [id for id in ids if id not in marks] if self.sampler.repetition_penalty != 1.0 else ()
            yield self.sampler(logits, seen, rng)
            if len(ids) >= self.reading.context and not self.template.cuts:
                self.last.reason = "context"
                return
        self.last.reason = "length"

    def _ids_of(self, seen: int) -> list[int]:
        """The ids of the newest `seen` exchanges."""
        return [id for e in self.exchanges[len(self.exchanges) - seen :] for id in (*e.ids, *e.answer_ids)]

    def _make_room(self, exchange: Exchange) -> int:
        """How many of the exchanges in the context can stay there beside a new question."""
        context, alone = self.reading.context, len(self._system_ids) + len(exchange.ids)
        if self.template.cuts:
            del exchange.ids[: max(0, alone + self.room - context)]
        else:
            self._check_room("this turn with the system prompt" if self._system_ids else "this turn", alone)
        seen, free = self.seen, self.room
        while seen and alone + len(self._ids_of(seen)) + free > context:
            seen, free = seen - 1, max(free, context // 2)
        return seen

    def _check_room(self, what: str, tokens: int) -> None:
        context = self.reading.context
        if tokens + self.room > context:
            raise ConversationError(
                f"{what} is {tokens:,} tokens long, and there is room for {context - self.room:,}: the model sees {context:,} at once, and "
                f"{self.room:,} of them are kept for the answer. Say it in fewer words, or in parts."
            )


__all__ = ["Answer", "Conversation", "ConversationError"]
