"""The text of ids that come one after another, in pieces that are final when they are given out."""

from __future__ import annotations

import codecs
from collections.abc import Sequence

from minilm.text.base import Tokenizer
from minilm.text.bpe import ByteLevelTokenizer


class TextStream:
    """What new ids add to the text of a prompt: `decode(prompt + new)` behind `decode(prompt)`, piece by piece.

    Prompt and continuation are decoded together, since the text of an id may depend on the one before it: WordPiece puts a blank
    before a word and none before "##at". A byte-pair token may hold one byte of three, and a text the beginning of a stop: both
    are held back until it is clear what becomes of them. The cost of an id does not grow with the text.

    Args:
        tokenizer: decodes the ids.
        prompt: the ids before the first new one.
        stops: texts that end the continuation. What `add` and `finish` return ends before the first of them, which may begin in
            the prompt and must end after it.
        shown: whether the prompt is part of what the reader sees. If not, the continuation begins a text of its own: without the
            blank that would part it from the prompt, and without stops that begin in the prompt.

    Attributes:
        head: the prompt's text; empty if it is not shown.
        ended: whether a stop was found.
    """

    def __init__(
        self, tokenizer: Tokenizer, prompt: Sequence[int], *, stops: Sequence[str] = (), shown: bool = True
    ) -> None:
        if not all(stops):
            raise ValueError("a stop must hold at least one character.")
        self.tokenizer, self.stops = tokenizer, list(stops)
        self.head = tokenizer.decode(prompt) if shown else ""
        self.ended = False
        self._reach = max(map(len, self.stops), default=1) - 1  # characters of the past that a stop may begin in
        self._past, self._held = self.head[-self._reach :] if self._reach else "", ""
        self._last, self._begins = list(prompt[-1:]), not shown
        self._bytes = codecs.getincrementaldecoder("utf-8")("replace")

    def add(self, id: int) -> str:
        """One more id; returns what is settled by it."""
        return self._give_out(self._text_of(id), last=False)

    def finish(self) -> str:
        """What was held back: no more ids come."""
        return self._give_out(self._bytes.decode(b"", final=True), last=True)

    def _text_of(self, id: int) -> str:
        """What the id adds to the text of those before it."""
        if isinstance(self.tokenizer, ByteLevelTokenizer):
            return self._bytes.decode(self.tokenizer.decode_bytes([id]))
        before = self.tokenizer.decode(self._last)
        text = self.tokenizer.decode([*self._last, id])[len(before) :]
        if self._begins and not self.tokenizer.decode([id]).startswith(" "):
            text = text.removeprefix(" ")
        self._last, self._begins = [id], False
        return text

    def _give_out(self, text: str, last: bool) -> str:
        if self.ended:
            return ""
        held, start = self._held + text, len(self._past)
        whole = self._past + held
        found = [at for stop in self.stops if (at := whole.find(stop, max(0, start - len(stop) + 1))) >= 0]
        if found:
            self.ended = True
            return held[: max(0, min(found) - start)]
        keep = 0 if last else self._may_begin_a_stop(whole, len(held))
        given, self._held = held[: len(held) - keep], held[len(held) - keep :]
        self._past = (self._past + given)[-self._reach :] if self._reach else ""
        return given

    def _may_begin_a_stop(self, text: str, most: int) -> int:
        """How many of the last characters, `most` at most, could be the beginning of a stop."""
        longest = 0
        for stop in self.stops:
            for length in range(min(len(stop) - 1, len(text)), longest, -1):
                if text.endswith(stop[:length]):
                    longest = length
                    break
        return min(longest, most)
