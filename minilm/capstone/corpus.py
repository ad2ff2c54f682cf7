"""The corpus of the capstone: made by the pipeline, and opened again as texts, tokens, and a count of what each step left out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minilm.capstone.raw import COLLECTIONS, LICENCE
from minilm.data.corpus import Document, plan, read
from minilm.data.corpus.differences import differences
from minilm.data.packed import PackedCorpus
from minilm.pipeline import Collection, Settings, build
from minilm.pipeline.pack import END
from minilm.text import Tokenizer, load_tokenizer

HELD_OUT = 0.1  # of the documents


class Corpus(NamedTuple):
    """What the later steps take of a corpus.

    Attributes:
        tokenizer, end: what made the tokens, and the one behind each text.
        train, validation: ids to learn from and to choose by.
        train_texts, validation_texts, test_texts: the documents. Those held out are two parts: the first half is to choose by, the
            second to be read once.
        packed: all of it.
    """

    tokenizer: Tokenizer
    end: int
    train: Any
    validation: Any
    train_texts: list[str]
    validation_texts: list[str]
    test_texts: list[str]
    packed: PackedCorpus


def make_corpus(places: Sequence[Path], folder: Path, vocab_size: int) -> PackedCorpus:
    """Runs the pipeline, or goes on with it, or opens what it made."""
    inputs = [Collection(name, str(place), LICENCE) for name, place in zip(COLLECTIONS, places, strict=True)]
    return build(inputs, folder, Settings(held_out=HELD_OUT, vocab_size=vocab_size))


def open_parts(packed: PackedCorpus) -> Corpus:
    """The texts and tokens of a corpus, what is held out in two halves."""
    tokenizer = load_tokenizer(packed.tokenizer)
    end = tokenizer.special_tokens[END]
    train, held = (list(packed.texts(name)) for name in ("train", "validation"))
    half = len(held) // 2
    ids = np.asarray(packed.tokens("validation")[:])
    cut = np.flatnonzero(ids == end)[half - 1] + 1
    return Corpus(tokenizer, end, packed.tokens("train"), ids[:cut], train, held[:half], held[half:], packed)


class LeftOut(NamedTuple):
    """How many documents each step left out.

    Attributes:
        read: documents in the raw text.
        rules: by the first rule that each broke, the most frequent first.
        exact, near: copies.
        contaminated: those in which too much of a held-out document stands.
        held_out, train: what is left.
    """

    read: int
    rules: dict[str, int]
    exact: int
    near: int
    contaminated: int
    held_out: int
    train: int


def left_out(packed: PackedCorpus) -> LeftOut:
    """What the lists beside a corpus say."""
    rules = Counter(next(iter(each["reasons"])) for each in listed(packed, "removed"))
    kinds = Counter(each["kind"] for each in listed(packed, "copies"))
    contaminated = len(listed(packed, "contaminated"))
    train, held = packed.documents("train"), packed.documents("validation")
    total = rules.total() + kinds.total() + contaminated + train + held
    return LeftOut(total, dict(rules.most_common()), kinds["exact"], kinds["near"], contaminated, held, train)


def listed(packed: PackedCorpus, kind: str) -> list[dict[str, Any]]:
    """One of the lists beside a corpus: "removed", "copies" or "contaminated"."""
    with (packed.folder / f"{kind}.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def raw_texts(places: Sequence[Path]) -> dict[str, str]:
    """The documents of the raw text by collection and name, as the lists name them: "compiled.jsonl/compiled.jsonl:1042"."""
    found = (record for place in places for part in plan(place)[0] for piece in part for record in read(piece))
    return {f"{each.source}/{each.name}": each.text for each in found if isinstance(each, Document)}


def marked(one: str, other: str) -> tuple[str, str]:
    """Both texts, with brackets around the words that the other one lacks at their place."""
    first, second = (
        "".join(f"[{text}]" if lacks else text for text, lacks in parts) for parts in differences(one, other)
    )
    return first, second


__all__ = ["Corpus", "LeftOut", "left_out", "listed", "make_corpus", "marked", "open_parts", "raw_texts"]
