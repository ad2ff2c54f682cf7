"""Translation: what a program says in English, said in Chinese.

The model is an encoder-decoder with the head that copies. It learns from some thousand short texts in minutes, which is too little to
learn the words of two languages. So it begins from a draft: the text translated word by word with a lexicon, which was learned from the
same texts by simple means (`minilm.applications.lexicon`), and from what was written for the text that is most like this one
(`minilm.applications.memory`). These and the English are its source, and what it learns is what is left: what to copy, in which order,
and what to write instead. A model that mends what another one wrote is called automatic post-editing (Simard et al. 2007, *Statistical
Phrase-Based Post-Editing*; Junczys-Dowmunt and Grundkiewicz 2016 with draft and source, as here); neighbors in the source are those of
Bulté and Tezcan 2019, *Neural Fuzzy Repair*. At last the answer is chosen among all three (`minilm.applications.writing`).

While it learns, lexicon and memory must not know the answer: a word that stands in one text only would always have the right entry, and
each text would be its own neighbor. So the training part is cut into `FOLDS`, and each is read with what was learned from the others.

What a program fills in ("%(name)s", "{0}", "<b>") is one token, which can only be copied.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from minilm.applications.application import Answer, Baseline, Split
from minilm.applications.lexicon import WORD, WordByWord, ibm_model_1, likeliest
from minilm.applications.memory import Memory, letters
from minilm.applications.simple import translation as simple
from minilm.applications.trained import ApplicationTask
from minilm.applications.writing import (
    END,
    MEMORY,
    SPECIAL,
    START,
    Codec,
    Ids,
    Pair,
    Writing,
    WritingTask,
    file_of,
    ids_of,
    packed,
    read_pairs,
    unpacked,
)
from minilm.data import chinese_lexicon, fold_text, software_catalogs, three_parts, without_copies
from minilm.metrics import Score, bleu, chrf, sentence_bleu
from minilm.text import BPETokenizer

UNIT = re.compile(
    r"%\(\w+\)[a-z]|%(?:\d+\$)?[sdrfi](?![A-Za-z])|%\d|%%|\{[\w.!:]*\}|</?[A-Za-z][^<>]*>|&\w+;|https?://[!-~]+|\$\w+"
)
"""What is copied whole: placeholders of Python, JavaScript and templates, tags and entities of HTML, addresses."""
ENGLISH, HAN = re.compile(r"[A-Za-z]+"), re.compile(r"[\u3400-\u9fff]")
PATTERN = r"[A-Za-z]+|[\u3400-\u9fff]+|\d|\s|[^\w\s]|_|[^\W\d_]"
"""Pieces that no token crosses: English words, runs of Chinese characters; digits, white space and marks one by one."""
TOKENS, CHINESE_WORDS = 3000, 4000
NEAR = 0.5  # how much a text must be like another, for the Chinese of that to stand in its source
FOLDS, LEAST = 5, 0.2
"""In how many parts the training part is cut for its lexicons; and how likely a Chinese word must be, or its English one is left out."""


@dataclass(frozen=True)
class TranslationTask(WritingTask):
    """An encoder-decoder for English and Chinese."""

    name = "translation"
    settings: ClassVar[Mapping[str, Any]] = {
        "steps": 2400,
        "batch_size": 24,
        "learning_rate": 3e-3,
        "min_learning_rate": 1e-4,
        "warmup": 100,
        "weight_decay": 0.05,
        "beta2": 0.98,
        "eval_every": 600,
        "checkpoint_every": 200,
    }


class Drafted(Codec):
    """A codec whose sources are a draft, what was written for a text that is like this one, and the English text without its spaces.

    An end token stands between them. The second is empty where no text is `NEAR`.
    """

    def __init__(self, tokenizer: BPETokenizer, lexicon: WordByWord, memory: Memory) -> None:
        super().__init__(tokenizer, UNIT, memory)
        self.lexicon = lexicon
        self.spaces = {*tokenizer.encode(" ")}

    def source(self, text: str) -> tuple[list[int], list[str]]:
        units = self.units(text)
        start, end = (self.tokenizer.special_tokens[name] for name in (START, END))
        draft = self.ids(self.lexicon.translate(text), units)
        near = [found.written for found in self.memory.nearest(text, 1) if found.likeness >= NEAR]
        like = [id for written in near for id in self.ids(written, units)]
        english = [id for id in self.ids(text, units) if id not in self.spaces]
        return [start, *draft, end, *like, end, *english], units


class Translation(Writing):
    """English to Chinese, on the catalogs of six programs."""

    name = "translation"
    title = "Translation of what programs say, from English to Chinese"
    datasets = ("software-catalogs",)
    line = "The file %(name)s could not be saved."
    file = "a text in English and its Chinese per line, a tab between them"
    task = TranslationTask
    written = "translation"
    length_penalty, no_repeat_ngram = 1.4, 3
    weights: ClassVar[Mapping[str, float]] = {
        "log p": 0.0405,
        "log p per token": 2.12,
        "tokens": 0.16,
        "log of tokens": 2.85,
        "neighbor": -9.27,
        "neighbor's likeness": 23.4,
        "nearest likeness, if no neighbor": 2.59,
        "network": -8.47,
        "agreement of drafts": -10.8,
        "agreement of neighbors": 11.7,
        "agreement of all": 13.5,
        "units lost or added": -4.11,
        "new words": -3.32,
    }
    shape: ClassVar[dict[str, Any]] = {
        "d_model": 128,
        "num_heads": 4,
        "d_ff": 512,
        "num_layers": 2,
        "dropout": 0.2,
        "label_smoothing": 0.0,
        "longest_source": 200,
        "longest_target": 100,
    }
    brief: ClassVar[Mapping[str, Any]] = {"steps": 150, "warmup": 30, "eval_every": 150}

    # -- the data -----------------------------------------------------------------------------------------------------

    def split(self) -> Split[Pair]:
        return self.divide([Pair(english, chinese) for english, chinese, _ in software_catalogs()])

    def divide(self, examples: Sequence[Pair]) -> Split[Pair]:
        """Of English texts that are alike the first, in three parts; those that differ in placeholders and marks alone stay together."""
        said = [pair for pair in examples if ENGLISH.search(pair.source) and HAN.search(pair.target)]
        found = without_copies(said, lambda pair: pair.source)
        parts = three_parts(len(found.kept), groups=[fold_text(UNIT.sub("", pair.source)) for pair in found.kept])
        return Split.of(
            found.kept,
            parts,
            f"{len(examples) - len(said):,} pairs without an English word or a Chinese character and {found.removed:,} whose English "
            "had come before (case, white space and marks set aside) were left out. Texts that differ in their placeholders alone are in "
            "one part. Texts of one program are in all three.",
        )

    def read(self, path: Path) -> list[Pair]:
        """Pairs of a file with one pair per line, English and Chinese parted by a tab."""
        return read_pairs(path, "English, a tab, Chinese")

    # -- what is trained ----------------------------------------------------------------------------------------------

    def make_codec(self, pairs: Sequence[Pair]) -> tuple[Codec, dict[str, bytes]]:
        texts = (text for pair in pairs for text in (UNIT.sub(" ", pair.source), UNIT.sub(" ", pair.target)))
        tokenizer = BPETokenizer.train(texts, vocab_size=TOKENS, special_tokens=SPECIAL, pattern=PATTERN)
        lexicon = learn_lexicon(pairs, chinese_words(pairs))
        return Drafted(tokenizer, lexicon, memory_of(pairs)), {
            "tokenizer.json": file_of(tokenizer.to_dict()),
            "lexicon.json": file_of(lexicon.entries),
            MEMORY: packed(pairs),
        }

    def codec(self, folder: Path) -> Drafted:
        tokenizer = BPETokenizer.load(folder / "tokenizer.json", pattern=PATTERN)
        lexicon = WordByWord(json.loads((folder / "lexicon.json").read_bytes()), keep=UNIT)
        return Drafted(tokenizer, lexicon, memory_of(unpacked(folder)))

    def encode_training(self, task: ApplicationTask, folder: Path, examples: Sequence[Pair]) -> Ids:
        """Each fold with the lexicon and the memory of the others."""
        tokenizer, cut = self.codec(folder).tokenizer, chinese_words(examples)
        others = [[pair for i, pair in enumerate(examples) if i % FOLDS != fold] for fold in range(FOLDS)]
        codecs = [Drafted(tokenizer, learn_lexicon(pairs, cut), memory_of(pairs)) for pairs in others]
        return ids_of(task, examples, [codecs[i % FOLDS] for i in range(len(examples))])

    # -- what is chosen -----------------------------------------------------------------------------------------------

    def drafts(self, codec: Drafted, question: str) -> Sequence[str]:
        return [codec.lexicon.translate(question)]

    def worth_of(self, target: str, text: str) -> tuple[float, float]:
        """The BLEU of the sentence, which counts by the characters of its reference, as in the BLEU of all."""
        return sentence_bleu(target, text, tokenize="zh") / 100, len(target)

    # -- what it is worth ---------------------------------------------------------------------------------------------

    def baselines(self) -> Mapping[str, Baseline]:
        return {
            "nearest neighbor": partial(simple.nearest_neighbor, measure=worth),
            "dictionary": lambda split: simple.dictionary(split, chinese_lexicon(), UNIT, worth),
            "learned lexicon": lambda split: simple.learned_lexicon(
                split, partial(learn_lexicon, split.train, chinese_words(split.train)), worth
            ),
            "lexicon or neighbor": self.without_network,
        }

    def measure(self, examples: Sequence[Pair], answers: Sequence[Answer]) -> list[Score]:
        """BLEU and chrF, the share of texts that are as the reference, and of those with placeholders the share that keeps all of them."""
        written, wanted = [answer["translation"] for answer in answers], [pair.target for pair in examples]
        scores = [bleu(wanted, written, tokenize="zh"), chrf(wanted, written)]
        scores.append(Score.mean("exact match", [w == t for w, t in zip(wanted, written, strict=True)]))
        kept = [
            (placeholders(p.source) == placeholders(t), bool(placeholders(p.source)))
            for p, t in zip(examples, written, strict=True)
        ]
        rows = [(right and has, has) for right, has in kept]
        return [*scores, Score.of_sums("placeholders kept", rows, lambda right, has: right / has)]

    def wrong(self, examples: Sequence[Pair], answers: Sequence[Answer]) -> list[int]:
        """Those that are not as the reference, by the BLEU of the sentence."""
        written = [answer["translation"] for answer in answers]
        worth = {
            i: sentence_bleu(pair.target, written[i], tokenize="zh")
            for i, pair in enumerate(examples)
            if pair.target != written[i]
        }
        return sorted(worth, key=lambda i: worth[i])

    def limits(self) -> Sequence[str]:
        return (
            "It knows the words of six programs: of other texts it leaves words in English, or writes what is like them.",
            "It read texts of some words to some sentences; longer ones are cut.",
            "It chooses by weights that were learned on these programs: where no text is like a new one, the draft is all it has.",
            "A translation that another person would make counts as wrong where its characters differ.",
        )


def worth(examples: Sequence[Pair], answers: Sequence[Answer]) -> float:
    """What settings of simple methods are chosen by."""
    return bleu([pair.target for pair in examples], [answer["translation"] for answer in answers], tokenize="zh").value


def memory_of(pairs: Sequence[Pair]) -> Memory:
    """What was written for which text."""
    return Memory([pair.source for pair in pairs], [pair.target for pair in pairs], letters)


def placeholders(text: str) -> Counter[str]:
    """What must be in a translation as it is in the source."""
    return Counter(UNIT.findall(text))


def chinese_words(pairs: Sequence[Pair]) -> Callable[[str], list[str]]:
    """Cuts Chinese into words: the pieces that byte-pair encoding of the Chinese texts makes."""
    texts = (UNIT.sub(" ", pair.target) for pair in pairs)
    tokenizer = BPETokenizer.train(texts, vocab_size=CHINESE_WORDS, pattern=PATTERN)

    def cut(text: str) -> list[str]:
        return [tokenizer.id_to_bytes(id).decode("utf-8", "replace") for id in tokenizer.encode(UNIT.sub(" ", text))]

    return cut


def learn_lexicon(pairs: Sequence[Pair], cut: Callable[[str], list[str]], least: float = LEAST) -> WordByWord:
    """The likeliest Chinese word of each English one, and of each mark."""
    texts = [
        (WORD.findall(UNIT.sub(" ", pair.source).lower()), [word for word in cut(pair.target) if word.strip()])
        for pair in pairs
    ]
    found = likeliest(ibm_model_1(texts), 1, 0.0)
    return WordByWord({english: word if p >= least else "" for english, ((word, p),) in found.items()}, keep=UNIT)


__all__ = ["UNIT", "Drafted", "Translation", "TranslationTask", "chinese_words", "learn_lexicon", "placeholders"]
