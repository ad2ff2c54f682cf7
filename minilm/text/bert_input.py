"""Texts as BERT takes them: [CLS] text [SEP], or [CLS] first [SEP] second [SEP] with segments, cut and padded.

The form is that of Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers" (2018), section 3 and figure 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from minilm.text.base import Span, Tokenizer, check_positive
from minilm.text.storage import TokenizerError
from minilm.text.wordpiece import WordPieceTokenizer

CLS, SEP, PAD = "[CLS]", "[SEP]", "[PAD]"
NO_TEXT = -1


@dataclass(frozen=True)
class Encoding:
    """One input of BERT; all lists have one entry per token.

    Attributes:
        ids: the tokens.
        token_type_ids: the segment of each token: 0 up to the first [SEP], 1 after it.
        text_index: which text each token is from: 0 the first, 1 the second, -1 none, as for [CLS] and [SEP].
        offsets: the characters of that text, (start, end) with end exclusive; (0, 0) for [CLS] and [SEP]. None if they were
            not asked for. Several tokens may share a character, and white space belongs to none.
    """

    ids: list[int]
    token_type_ids: list[int]
    text_index: list[int]
    offsets: list[Span] | None = None

    def __len__(self) -> int:
        return len(self.ids)


class Batch(NamedTuple):
    """Inputs of one length: arrays of shape [n_inputs, n_tokens]. attention_mask is True at tokens, False at padding."""

    ids: NDArray[np.int64]
    attention_mask: NDArray[np.bool_]
    token_type_ids: NDArray[np.int64]


def encode_pair(
    tokenizer: WordPieceTokenizer,
    first: str,
    second: str | None = None,
    *,
    max_length: int | None = None,
    with_offsets: bool = False,
) -> Encoding:
    """[CLS] first [SEP], or [CLS] first [SEP] second [SEP].

    max_length: the most tokens of the result, [CLS] and [SEP] included. What is too much is cut from the end of the longer
        text, until both are as long; then from both (`lengths_kept`).
    with_offsets: whether `offsets` are wanted. Finding them goes character by character, so it takes several times longer.

    The texts are ordinary text: "[SEP]" in one of them is no special token.

    Raises:
        TokenizerError: the vocabulary has no [CLS] or [SEP], or max_length has no room for them.
    """
    texts = [first] if second is None else [first, second]
    parts: list[tuple[list[int], list[Span]]] = [
        tokenizer.encode_with_offsets(text) if with_offsets else (tokenizer.encode(text), []) for text in texts
    ]
    if max_length is not None:
        check_positive("max_length", max_length)
        room = max_length - 1 - len(texts)
        if room < 0:
            raise TokenizerError(f"max_length={max_length} has no room for {CLS} and {len(texts)} {SEP}")
        kept = lengths_kept([len(ids) for ids, _ in parts], room)
        parts = [(ids[:length], spans[:length]) for (ids, spans), length in zip(parts, kept, strict=True)]
    encoding = framed(tokenizer, [ids for ids, _ in parts])
    if not with_offsets:
        return encoding
    return replace(encoding, offsets=[(0, 0), *(span for _, spans in parts for span in (*spans, (0, 0)))])


def framed(tokenizer: Tokenizer, texts: Sequence[Sequence[int]]) -> Encoding:
    """The ids of one or two texts, each cut already, with [CLS] before the first and [SEP] after each.

    Raises:
        TokenizerError: the vocabulary has no [CLS] or [SEP].
    """
    cls, sep = _special(tokenizer, CLS), _special(tokenizer, SEP)
    ids, segments, index = [cls], [0], [NO_TEXT]
    for text, new in enumerate(texts):
        ids += [*new, sep]
        segments += [text] * (len(new) + 1)
        index += [text] * len(new) + [NO_TEXT]
    return Encoding(ids, segments, index)


def lengths_kept(lengths: Sequence[int], room: int) -> list[int]:
    """How many tokens of each of one or two texts are kept, so that they are `room` at most: the longest is cut first.

    The shorter text is cut only if it alone is longer than half the room. Of an odd room the longer text has the larger half;
    of two equal ones the second, as in `tokenizers`.
    """
    if sum(lengths) <= room:
        return list(lengths)
    if len(lengths) == 1:
        return [room]
    first, second = lengths
    shorter = min(first, second, room // 2)
    return [shorter, room - shorter] if first <= second else [room - shorter, shorter]


def pad_batch(encodings: Sequence[Encoding], tokenizer: Tokenizer, *, length: int | None = None) -> Batch:
    """The inputs as arrays of one length, that of the longest or `length`, filled up on the right with [PAD].

    Raises:
        TokenizerError: there is no input, one is longer than `length`, or the vocabulary has no [PAD].
    """
    if not encodings:
        raise TokenizerError("a batch needs at least one input")
    longest = max(map(len, encodings))
    if length is None:
        length = longest
    check_positive("length", length)
    if longest > length:
        raise TokenizerError(
            f"an input has {longest} tokens, more than length={length}; give encode_pair that max_length"
        )
    ids = np.full((len(encodings), length), _special(tokenizer, PAD), np.int64)
    mask, segments = np.zeros(ids.shape, np.bool_), np.zeros(ids.shape, np.int64)
    for row, encoding in enumerate(encodings):
        n = len(encoding)
        ids[row, :n], segments[row, :n], mask[row, :n] = encoding.ids, encoding.token_type_ids, True
    return Batch(ids, mask, segments)


def _special(tokenizer: Tokenizer, name: str) -> int:
    if name not in tokenizer.special_tokens:
        raise TokenizerError(f"BERT's inputs need the special token {name}, which this vocabulary has not")
    return tokenizer.special_tokens[name]
