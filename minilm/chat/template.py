"""How a conversation becomes ids: the marks that a model was taught to find around each turn.

A model for chat is a language model that has read many conversations, all written in one form. The form is part of what it
knows: without its marks it goes on with the text instead of answering. Published models carry it as a program in the template
language Jinja. **No such program is run here**: it came with a file, and a file is not trusted. A template is recognized by its
SHA-256, and what it writes is said again below, in Python; `tests/oracle/test_chat.py` compares both over many conversations.

Marks are put in as ids, and only here. What a person types is encoded as ordinary text, so that nobody can end a turn, or speak
for the model, by typing ``<|im_end|>``.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar

from minilm.text import Tokenizer, TokenizerError

Message = tuple[str, str]
"""A role ("system", "user" or "assistant") and what was said."""

ROLES = ("system", "user", "assistant")


class TemplateError(ValueError):
    """A chat template that cannot be used with this model; the message says why and what to do."""


class Template(ABC):
    """The ids of a conversation, turn by turn.

    Attributes:
        default_system: the system prompt where none is given; None where there is none.
        ends: the ids that end an answer.
        stops: the texts that end an answer.
        cuts: whether a text may lose its beginning when the context is full. If not, only whole turns leave.
    """

    name: ClassVar[str]
    default_system: str | None = None
    ends: frozenset[int] = frozenset()
    stops: tuple[str, ...] = ()
    cuts: ClassVar[bool] = False

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer

    @abstractmethod
    def turn(self, role: str, text: str) -> list[int]:
        """The ids of one whole turn, with its marks."""

    @abstractmethod
    def head(self) -> list[int]:
        """The ids that ask the model for an answer."""

    @abstractmethod
    def tail(self) -> list[int]:
        """The ids that close an answer, where the model has stopped before its closing mark."""

    def system(self, text: str | None) -> list[int]:
        """The ids that a conversation begins with: the system prompt `text`, or the model's own for None."""
        text = self.default_system if text is None else text
        return [] if text is None else self.turn("system", text)

    def encode(self, messages: Iterable[Message], answer: bool = True) -> list[int]:
        """The ids of a whole conversation; with `answer`, the model is asked for the next turn.

        Raises:
            TemplateError: a role is none of "system", "user" and "assistant".
            TokenizerError: a text cannot be encoded.
        """
        messages = list(messages)
        ids = self.system(None) if messages and messages[0][0] != "system" else []
        for role, text in messages:
            if role not in ROLES:
                raise TemplateError(f"a turn is of {', '.join(ROLES)}, not of {role!r}.")
            ids += self.turn(role, text)
        return ids + (self.head() if answer else [])


class ChatML(Template):
    r"""Each turn as ``<|im_start|>role\ntext<|im_end|>\n``: OpenAI's "chat markup language", which many models were taught since.

    Role, line end and text are encoded as one text, since a tokenizer may join the line end with what follows it.

    Args:
        tokenizer: has the two marks among its special tokens.
        default_system: the system prompt that the model was taught with.

    Raises:
        TemplateError: the tokenizer has no such marks.
    """

    name = "chatml"
    START, END = "<|im_start|>", "<|im_end|>"

    def __init__(self, tokenizer: Tokenizer, default_system: str | None = None) -> None:
        super().__init__(tokenizer)
        marks = tokenizer.special_tokens
        missing = [mark for mark in (self.START, self.END) if mark not in marks]
        if missing:
            raise TemplateError(
                f"the template chatml needs the special token {missing[0]}, which this model's tokenizer does not have: "
                "choose the template plain, which goes on with a text."
            )
        self.default_system = default_system
        self._start, self._end = marks[self.START], marks[self.END]
        self._line_end = tokenizer.encode("\n")
        # A model that begins another turn, or another document, has ended its answer.
        self.ends = frozenset(marks[mark] for mark in (self.END, self.START, "<|endoftext|>") if mark in marks)

    def turn(self, role: str, text: str) -> list[int]:
        return [self._start, *self.tokenizer.encode(f"{role}\n{text}"), *self.tail()]

    def head(self) -> list[int]:
        return [self._start, *self.tokenizer.encode("assistant\n")]

    def tail(self) -> list[int]:
        return [self._end, *self._line_end]


class Plain(Template):
    """For a model that knows no turns: it goes on with the text, up to an empty line. Turns are paragraphs.

    Args:
        tokenizer: may lack the line end; then nothing parts the turns.
    """

    name = "plain"
    stops = ("\n\n",)
    cuts = True

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__(tokenizer)
        try:
            self._line_end = tokenizer.encode("\n")
        except TokenizerError:
            self._line_end = []
        marks = tokenizer.special_tokens
        self.ends = frozenset(marks[mark] for mark in ("<|endoftext|>", "</s>") if mark in marks)

    def turn(self, role: str, text: str) -> list[int]:
        return self.tokenizer.encode(text) + (self._line_end if role != "user" else [])

    def head(self) -> list[int]:
        return []

    def tail(self) -> list[int]:
        return self._line_end


SMOLLM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
KNOWN: dict[str, str | None] = {
    "872be49dbb638044ad01b60388f48d469ff2980e5f0dccdc22ec907db54d0788": SMOLLM,  # SmolLM2-135M-Instruct's
    "153280e3ff55d19da1398bdb3914ee2a51b80429bfaedde11d7d216c39db80f3": None,  # the same without a system prompt of its own
}
"""The SHA-256 of each Jinja template that writes ChatML, and its default system prompt."""


def template_for(tokenizer: Tokenizer, jinja: str | None, choice: str | None = None) -> Template:
    """The template of a model.

    Args:
        tokenizer: the model's.
        jinja: the template in its file; None where it has none, as a model that was not taught to chat.
        choice: "chatml" or "plain", in place of what the file says.

    Raises:
        TemplateError: the file's template is unknown, or does not fit the tokenizer.
    """
    if choice not in (None, *NAMES):
        raise TemplateError(f"there is no template {choice!r}; there are {' and '.join(NAMES)}.")
    if choice == "plain" or (choice is None and jinja is None):
        return Plain(tokenizer)
    digest = hashlib.sha256((jinja or "").encode("utf-8", "replace")).hexdigest()
    if choice is None and digest not in KNOWN:
        raise TemplateError(
            f"the model's chat template is none that minilm knows (SHA-256 {digest[:16]}...). It is a program, and minilm runs none "
            f"that comes with a model. If it writes turns as {ChatML.START}role ... {ChatML.END}, choose the template chatml; "
            "the template plain goes on with a text."
        )
    return ChatML(tokenizer, KNOWN.get(digest))


NAMES: Sequence[str] = (ChatML.name, Plain.name)

__all__ = ["ChatML", "Message", "Plain", "Template", "TemplateError", "template_for"]
