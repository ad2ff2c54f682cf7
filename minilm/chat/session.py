"""Lines that are typed, text that is shown: a conversation in a terminal, or in a pipe."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import select
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from minilm import terminal
from minilm.chat.conversation import Answer, Conversation, ConversationError
from minilm.chat.memory import process_memory
from minilm.files import atomic_write
from minilm.signals import note_ctrl_c
from minilm.terminal import did_you_mean, shortened

PROMPT = "> "
PASTE = 0.02  # seconds in which the next line of a pasted text is there
COMMANDS = {
    "/help": "this list",
    "/retry": "another answer to the last question",
    "/reset": "begin anew; the system prompt stays",
    "/system TEXT": "another system prompt from now on; without TEXT, show it",
    "/save FILE": "write the conversation to a file that ends in .json",
    "/quit": "end, as Ctrl-D does",
}


class Session:
    """A conversation with somebody who types, or with a program.

    In a terminal a prompt asks for each turn, and a line after each answer tells what it took. Where input or output is no terminal, each
    line of the input is a turn, and the output is the answers alone, a line end behind each. What cannot be done goes to standard error.

    Args:
        conversation: with the model.
        about: what /save writes beside the turns, such as the name of the model.
        in_terminal: whether a person sits there; None: if input and output are terminals.

    Attributes:
        failed: how many turns or commands could not be done.
    """

    def __init__(
        self, conversation: Conversation, about: dict[str, Any] | None = None, in_terminal: bool | None = None
    ) -> None:
        self.conversation, self.about = conversation, about or {}
        there = sys.stdin.isatty() and sys.stdout.isatty()
        self.in_terminal = there if in_terminal is None else in_terminal
        self.write = terminal.Writer()
        self.failed = 0

    def run(self) -> int:
        """Turn after turn until the input ends.

        Returns:
            the exit status: 0, or 1 where turns of a pipe could not be done.
        """
        for text in typed() if self.in_terminal else piped():
            if text.strip() and not self.turn(text):
                break
        self.write.explain()
        return int(self.failed > 0 and not self.in_terminal)

    def turn(self, text: str) -> bool:
        """One command, or one question with its answer; False after /quit."""
        found = re.fullmatch(r"(/[a-z]+)(?:\s+(.*))?", text, re.DOTALL)
        try:
            if found:
                return self._command(found[1], (found[2] or "").strip())
            self._answer(lambda stopped: self.conversation.ask(text, stopped))
        except (ValueError, MemoryError) as error:
            self._refuse(str(error) or "there is not enough memory for this turn; the conversation is kept.")
        except OSError as error:
            if isinstance(error, BrokenPipeError | terminal.OutputError):
                raise
            self._refuse(f"{shortened(str(error.filename), 300)}: {error.strerror}.")
        return True

    def _command(self, name: str, rest: str) -> bool:
        names = {words.split()[0]: "TEXT" in words or "FILE" in words for words in COMMANDS}
        if name not in names:
            raise ConversationError(
                f"there is no command {name}; /help lists all.{did_you_mean(name, names)} A text that begins with "
                "a slash is typed with a blank before it."
            )
        if rest and not names[name]:
            raise ConversationError(f"{name} stands alone, got {terminal.shortened(rest, 60)!r} behind it.")
        if name == "/retry":
            self._answer(self.conversation.retry)
        elif name == "/reset":
            self.conversation.reset()
            self._tell("The conversation begins anew.")
        elif name == "/system":
            if rest:
                self.conversation.set_system(rest)
            self._tell(f"System prompt: {self.conversation.system or 'none'}")
        elif name == "/save":
            self._save(rest)
        elif name == "/help":
            self._tell(terminal.table(COMMANDS.items(), terminal.columns()))
        return name != "/quit"

    def _answer(self, ask: Callable[[Callable[[], bool]], Iterator[str]]) -> None:
        """Shows an answer as it comes, and what it took."""
        with note_ctrl_c() if self.in_terminal else contextlib.nullcontext() as ctrl_c:
            for piece in ask(lambda: ctrl_c is not None and ctrl_c.pressed):
                self.write(piece)
        last = self.conversation.last
        self.write("\n")
        if last.left and not self.conversation.template.cuts:
            note = f"the context was full: the oldest {turns(last.left)} left it; the system prompt stays."
            self._tell(f"[{note}]") if self.in_terminal else terminal.complain(note)
        if self.in_terminal:
            terminal.write(f"[{status(last)}]\n\n")

    def _save(self, name: str) -> None:
        if not (name.endswith(".json") and name.isprintable()):
            raise ConversationError(f"/save takes the name of a file that ends in .json, got {shortened(name, 60)!r}.")
        conversation = self.conversation
        messages = [{"role": role, "content": text} for role, text in conversation.messages()]
        sampler = dataclasses.asdict(conversation.sampler)
        content = {**self.about, "seed": conversation.seed, **sampler, "messages": messages}
        with atomic_write(Path(name).expanduser()) as file:
            file.write((json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "replace"))
        self._tell(f"Written: {name}")

    def _tell(self, text: str) -> None:
        """Something that is no answer: a pipe wants answers alone."""
        if self.in_terminal:
            terminal.write(terminal.wrap(terminal.visible(text), terminal.columns()) + "\n")

    def _refuse(self, message: str) -> None:
        self.failed += 1
        terminal.complain(message)


def turns(n: int) -> str:
    """ "turn" or "3 turns"."""
    return "turn" if n == 1 else f"{n} turns"


def status(answer: Answer) -> str:
    """What an answer took, as "57 tokens, 21.3 tokens/s, the first after 0.41 s; 612 MB of memory, 640 MB at most"."""
    parts = [f"{answer.tokens} token{'' if answer.tokens == 1 else 's'}"]
    if answer.per_second is not None:
        parts.append(f"{answer.per_second:.1f} tokens/s")
    if answer.first is not None:
        parts.append(f"the first after {answer.first:.2f} s")
    memory = process_memory()
    held = [f"{memory.resident / 1e6:,.0f} MB of memory"] if memory.resident is not None else []
    held += [f"{memory.peak / 1e6:,.0f} MB at most"] if memory.peak is not None else []
    reasons = {
        "stopped": "stopped",
        "length": "ended by --max-tokens",
        "context": "ended: the context is full",
    }
    ended = [reasons[answer.reason]] if answer.reason in reasons else []
    return "; ".join([", ".join(parts), *([", ".join(held)] if held else []), *ended])


def piped() -> Iterator[str]:
    """The lines of the input; bytes that are no text become U+FFFD."""
    stream: Any = sys.stdin
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")
    for line in stream:
        yield text_of(line.removesuffix("\n"))


def typed() -> Iterator[str]:
    """What is typed at the prompt, up to Ctrl-D. Lines that are pasted together are one turn."""
    with contextlib.suppress(ImportError):  # not on Windows, whose terminal edits lines itself
        import readline  # noqa: F401 (input() then edits lines, and knows the earlier ones)
    with contextlib.suppress(EOFError):
        while True:
            lines = [input(PROMPT)]
            with contextlib.suppress(EOFError):
                while _more_is_there():
                    lines.append(input())
            yield text_of("\n".join(lines))
    terminal.write("\n")


def _more_is_there() -> bool:
    """Whether another line can be read without waiting: nobody types that fast."""
    with contextlib.suppress(OSError, ValueError):  # Windows asks sockets alone
        return bool(select.select([sys.stdin], [], [], PASTE)[0])
    return False


def text_of(line: str) -> str:
    """The line without halves of characters, which are no text; each becomes U+FFFD."""
    return line.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


__all__ = ["Session", "status"]
