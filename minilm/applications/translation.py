"""Translation: what a program says in English, said in Chinese.

The model is an encoder-decoder with the head that copies. It learns from some thousand short texts in minutes, which is too little to
learn the words of two languages. So it begins from a draft: the text translated word by word with a lexicon, which was learned from the
same texts by simple means (`minilm.applications.lexicon`). Draft and English are its source, and what it learns is what is left: what to
copy from the draft, in which order, and what to write instead. A model that mends what another one wrote is called automatic post-editing
(Simard et al. 2007, *Statistical Phrase-Based Post-Editing*; Junczys-Dowmunt and Grundkiewicz 2016 with draft and source, as here).

While it learns, the lexicon must not know the answer: a word that stands in one text only would always have the right entry. So the
training part is cut into `FOLDS`, and the drafts of each are made with the lexicon of the others.

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
from minilm.applications.simple import translation as simple
from minilm.applications.trained import ApplicationTask
from minilm.applications.writing import (
    END,
    SPECIAL,
    START,
    Codec,
    Ids,
    Pair,
    Writing,
    WritingTask,
    file_of,
    ids_of,
    read_pairs,
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
        "eval_every": 400,
        "checkpoint_every": 200,
    }


class Drafted(Codec):
    """A codec whose sources are a draft, the end token and the English text without its spaces."""

    def __init__(self, tokenizer: BPETokenizer, lexicon: WordByWord) -> None:
        super().__init__(tokenizer, UNIT)
        self.lexicon = lexicon
        self.spaces = {*tokenizer.encode(" ")}

    def source(self, text: str) -> tuple[list[int], list[str]]:
        units = list(dict.fromkeys(UNIT.findall(text)))
        special = self.tokenizer.special_tokens
        draft = self.ids(self.lexicon.translate(text), units)
        english = [id for id in self.ids(text, units) if id not in self.spaces]
        return [special[START], *draft, special[END], *english], units


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
    shape: ClassVar[dict[str, Any]] = {
        "d_model": 128,
        "num_heads": 4,
        "d_ff": 512,
        "num_layers": 2,
        "dropout": 0.1,
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
        return Drafted(tokenizer, lexicon), {
            "tokenizer.json": file_of(tokenizer.to_dict()),
            "lexicon.json": file_of(lexicon.entries),
        }

    def codec(self, folder: Path) -> Drafted:
        tokenizer = BPETokenizer.load(folder / "tokenizer.json", pattern=PATTERN)
        return Drafted(tokenizer, WordByWord(json.loads((folder / "lexicon.json").read_bytes()), keep=UNIT))

    def encode_training(self, task: ApplicationTask, folder: Path, examples: Sequence[Pair]) -> Ids:
        """Each fold with the lexicon of the others."""
        tokenizer, cut = self.codec(folder).tokenizer, chinese_words(examples)
        codecs = [
            Drafted(tokenizer, learn_lexicon([pair for i, pair in enumerate(examples) if i % FOLDS != fold], cut))
            for fold in range(FOLDS)
        ]
        return ids_of(task, examples, [codecs[i % FOLDS] for i in range(len(examples))])

    # -- what it is worth ---------------------------------------------------------------------------------------------

    def baselines(self) -> Mapping[str, Baseline]:
        return {
            "nearest neighbor": partial(simple.nearest_neighbor, measure=worth),
            "dictionary": lambda split: simple.dictionary(split, chinese_lexicon(), UNIT, worth),
            "learned lexicon": lambda split: simple.learned_lexicon(
                split, partial(learn_lexicon, split.train, chinese_words(split.train)), worth
            ),
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
            "A translation that another person would make counts as wrong where its characters differ.",
        )


def worth(examples: Sequence[Pair], answers: Sequence[Answer]) -> float:
    """What settings of simple methods are chosen by."""
    return bleu([pair.target for pair in examples], [answer["translation"] for answer in answers], tokenize="zh").value


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
