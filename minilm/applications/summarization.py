"""Headlines: a package's description in a line. What stands there is written anew: a quarter of its words are not in the description.

The model is an encoder-decoder with the head that copies, which See, Liu and Manning 2017 made for summaries: names and terms that stand
in the description are pointed at, the words between are written. The answer is chosen among what it writes, the first words of the
description, and the headlines of the descriptions that are most like it (`minilm.applications.writing`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from minilm.applications.application import Answer, Baseline, Split, System
from minilm.applications.extractive import summarize
from minilm.applications.memory import Memory, words
from minilm.applications.simple import headline as simple
from minilm.applications.writing import (
    MEMORY,
    SPECIAL,
    Codec,
    Pair,
    Writing,
    WritingTask,
    file_of,
    packed,
    read_pairs,
    unpacked,
)
from minilm.data import fold_text, package_descriptions, three_parts, without_copies
from minilm.metrics import Score, rouge
from minilm.text import BPETokenizer
from minilm.text.bpe import DEFAULT_PATTERN
from minilm.text.sentences import sentences

TOKENS = 6000
CHARACTERS = 600  # of a description that are read
LEADS = (4, 6, 8, 10, 12)  # words of the drafts
SHARES = (0.96, 0.02, 0.02)


@dataclass(frozen=True)
class HeadlineTask(WritingTask):
    """An encoder-decoder for a description and its headline."""

    name = "headline"
    glance = 500
    settings: ClassVar[Mapping[str, Any]] = {
        "steps": 2000,
        "batch_size": 24,
        "learning_rate": 3e-3,
        "min_learning_rate": 1e-4,
        "warmup": 100,
        "weight_decay": 0.01,
        "beta2": 0.98,
        "eval_every": 400,
        "checkpoint_every": 200,
    }


class Spaced(Codec):
    """A codec of texts whose words all have a space before them, the first one too: so a word is the same token wherever it stands."""

    def ids(self, text: str, units: Sequence[str]) -> list[int]:
        return super().ids(" " + " ".join(text[:CHARACTERS].split()), units)

    def text(self, ids: Sequence[int], units: Sequence[str]) -> str:
        return super().text(ids, units).strip()


class Headline(Writing):
    """The synopsis of a Debian package, from its description."""

    name = "headline"
    title = "Headlines: a line for a description, written anew"
    datasets = ("package-descriptions",)
    line = "This package holds the manual of a program that draws graphs of functions. It is in HTML and has many pictures."
    file = "a text and its headline per line, a tab between them"
    task = HeadlineTask
    written = "headline"
    no_repeat_ngram = 3
    longest = 30
    weights: ClassVar[Mapping[str, float]] = {
        "log p": 0.1,
        "log p per token": 2.62,
        "tokens": 0.414,
        "log of tokens": -2.71,
        "neighbor": -7.35,
        "neighbor's likeness": 52.5,
        "nearest likeness, if no neighbor": -14.0,
        "network": -5.99,
        "agreement of drafts": 2.05,
        "agreement of neighbors": 40.1,
        "agreement of all": -1.11,
        "units lost or added": 0.0,
        "new words": -25.0,
    }
    shape: ClassVar[dict[str, Any]] = {
        "d_model": 128,
        "num_heads": 4,
        "d_ff": 512,
        "num_layers": 2,
        "dropout": 0.1,
        "label_smoothing": 0.0,
        "longest_source": 64,
        "longest_target": 30,
    }
    brief: ClassVar[Mapping[str, Any]] = {"steps": 120, "warmup": 30, "eval_every": 120}

    # -- the data -----------------------------------------------------------------------------------------------------

    def split(self) -> Split[Pair]:
        """What has a paragraph in common with another package, or its name but for an ending, is in the same part as that."""
        packages = [p for p in package_descriptions() if len(p.synopsis.split()) >= 2 and len(p.text.split()) >= 15]
        found = without_copies(packages, lambda p: p.text)
        groups = families([[stem(p.name), *long_paragraphs(p.text)] for p in found.kept])
        parts = three_parts(len(found.kept), SHARES, groups=groups)
        return Split.of(
            [Pair(flat(p.text), p.synopsis) for p in found.kept],
            parts,
            f"Packages with fewer than 2 words of synopsis or 15 of description and {found.removed:,} with the description of another were "
            "left out. Packages that share a paragraph, or their name but for what stands for a kind of file (lib, -dev, -doc, numbers), "
            "are in one part.",
        )

    def read(self, path: Path) -> list[Pair]:
        """Pairs of a file with a text and its headline per line, parted by a tab."""
        return read_pairs(path, "a text, a tab, its headline")

    # -- what is trained ----------------------------------------------------------------------------------------------

    def make_codec(self, pairs: Sequence[Pair]) -> tuple[Codec, dict[str, bytes]]:
        texts = (f" {text[:CHARACTERS]}" for pair in pairs for text in pair)
        tokenizer = BPETokenizer.train(texts, vocab_size=TOKENS, special_tokens=SPECIAL)
        read = [Pair(pair.source[:CHARACTERS], pair.target) for pair in pairs]
        return Spaced(tokenizer, memory=memory_of(read)), {
            "tokenizer.json": file_of(tokenizer.to_dict()),
            MEMORY: packed(read),
        }

    def codec(self, folder: Path) -> Codec:
        tokenizer = BPETokenizer.load(folder / "tokenizer.json", pattern=DEFAULT_PATTERN)
        return Spaced(tokenizer, memory=memory_of(unpacked(folder)))

    # -- what is chosen -----------------------------------------------------------------------------------------------

    def drafts(self, codec: Codec, question: str) -> Sequence[str]:
        """The first words of the text, so many or so many, with and without what most begin with."""
        first = (sentences(question) or [question])[0]
        beginnings = [simple.after_verb(first, after) for after in (True, False)]
        return [" ".join(each[:n]) for each in beginnings for n in LEADS]

    def worth_of(self, target: str, text: str) -> tuple[float, float]:
        """ROUGE-L; all count alike."""
        return rouge("L", [target], [text]).value, 1.0

    # -- what it is worth ---------------------------------------------------------------------------------------------

    def baselines(self) -> Mapping[str, Baseline]:
        return {
            "lead words": partial(simple.lead, measure=worth),
            "first sentence": simple.first_sentence,
            "TextRank sentence": central_sentence,
            "nearest neighbor": partial(simple.nearest_neighbor, measure=worth),
            "lead words or neighbor": self.without_network,
        }

    def measure(self, examples: Sequence[Pair], answers: Sequence[Answer]) -> list[Score]:
        """ROUGE-L, ROUGE-1 and ROUGE-2, each the mean F over examples; the share of words written that the text has not; exact match."""
        wanted, written = [pair.target for pair in examples], [answer["headline"] for answer in answers]
        scores = [rouge(kind, wanted, written) for kind in ("L", 1, 2)]
        rows = [novel_words(pair.source, text) for pair, text in zip(examples, written, strict=True)]
        scores.append(Score.of_sums("novel words", rows, lambda new, all: new / all))
        return [*scores, Score.mean("exact match", [w == t for w, t in zip(wanted, written, strict=True)])]

    def limits(self) -> Sequence[str]:
        return (
            "It can write what the text does not say: a name that is like another, a language that the program is not written in.",
            f"It reads the first {self.shape['longest_source']} tokens; what stands behind them it does not know.",
            "It may give the headline of another package whose description is like this one.",
            "It has read descriptions of packages alone: of news or letters it makes a package.",
        )


def worth(examples: Sequence[Pair], answers: Sequence[Answer]) -> float:
    """What settings of simple methods are chosen by."""
    return rouge("L", [pair.target for pair in examples], [answer["headline"] for answer in answers]).value


def central_sentence(split: Split[Pair]) -> System:
    """The sentence that is most like the others, by TextRank (`minilm.applications.extractive`)."""

    def answer(questions: Sequence[str]) -> list[Answer]:
        return [{"headline": summarize(question, 1)["summary"]} for question in questions]

    return answer


def memory_of(pairs: Sequence[Pair]) -> Memory:
    """What was written for which text."""
    return Memory([pair.source for pair in pairs], [pair.target for pair in pairs], words)


def novel_words(source: str, written: str) -> tuple[int, int]:
    """How many words of a text its source has not, and how many there are."""
    there, said = {*words(source)}, words(written)
    return sum(word not in there for word in said), len(said)


def flat(text: str) -> str:
    """A description as one line."""
    return " ".join(text.split())


def stem(name: str) -> str:
    """A package's name without what tells kinds of files of one program apart."""
    name = re.sub(r"^(lib|python3?-|ruby-|php-|node-)", "", name)
    ending = r"[\d.]+[a-z]?|-?(dev|docs?|dbg|common|data|bin|utils?|tools?|headers|examples|all|core|base|server|client|perl|java|plugins?)"
    while (shorter := re.sub(rf"-?({ending})$", "", name)) != name and shorter:
        name = shorter
    return f"the name {name}"


def long_paragraphs(text: str) -> list[str]:
    """The paragraphs that say something: of 60 characters or more."""
    return [folded for paragraph in text.split("\n") if len(folded := fold_text(paragraph)) >= 60]


def families(marks: Sequence[Iterable[str]], most: int = 100) -> list[int]:
    """For each thing the number of its family: things with a mark in common belong to one, and so do the families of both.

    Args:
        marks: those of each thing.
        most: a mark that more things have is none: a phrase that everybody uses.
    """
    having: dict[str, list[int]] = {}
    for thing, own in enumerate(marks):
        for mark in own:
            having.setdefault(mark, []).append(thing)
    parent = list(range(len(marks)))

    def head(thing: int) -> int:
        while parent[thing] != thing:
            parent[thing] = thing = parent[parent[thing]]
        return thing

    for things in having.values():
        if len(things) <= most:
            for thing in things[1:]:
                parent[head(thing)] = head(things[0])
    return [head(thing) for thing in range(len(marks))]


__all__ = ["Headline", "HeadlineTask", "Spaced", "families", "novel_words", "stem"]
