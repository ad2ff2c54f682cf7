"""Named entities: which characters or words of a text are the name of a person, of a place, or whatever else a file marks.

The published examples are the People's Daily of January 1998 in Chinese, character by character; any file in CoNLL's format is learned from
and measured by the same commands. The model is a `minilm.models.tagger.SequenceTagger`: what it knows of a token are columns of features
(`features`), and its conditional random field chooses the tags of a sentence together. Beside it stands the best simple method, the same
field on features that are given by hand (`minilm.applications.simple.tagger`).

From the top down: the task, what it makes of a text, the application, and names by whether they were seen while learning.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minilm import data
from minilm.applications.application import Answer, Split, System
from minilm.applications.simple import tagger as simple
from minilm.applications.tagged import CHARACTERS, WORDS, Line, Tagged, line_of, news, pieces, read_conll, tokenized
from minilm.applications.trained import ApplicationTask, Examples, Trained
from minilm.indices import positions
from minilm.metrics import Score, span_f1, span_precision, span_recall, spans, tags_of
from minilm.models.tagger import KNOWN, PADDING, UNKNOWN, SequenceTagger, mask_of
from minilm.nn.crf import allowed_transitions
from minilm.training.run import Run
from minilm.training.task import Parts, RunFile
from minilm.types import HostArray

VOCABULARY = "vocabulary.json"
TABLES = {CHARACTERS: ("token", "pair"), WORDS: ("token", "prefix", "suffix", "shape")}
COLUMNS = {CHARACTERS: (0, 1, 1), WORDS: (0, 1, 2, 3)}
WIDTHS = {"token": 64, "pair": 32, "prefix": 24, "suffix": 24, "shape": 8}
OTHERS = "others"
OFTEN = {CHARACTERS: {"token": 2, "pair": 5}, WORDS: {"token": 2, "prefix": 2, "suffix": 2, "shape": 2}}
"""How often a feature must occur in the training part to be known."""
OFTEN_OTHERS = 20
"""The same of what else is known of a token."""
FORGOTTEN = {"token": 0.1, "pair": 0.2, "prefix": 0.1, "suffix": 0.1, "shape": 0.0}
"""The share that is taken for unknown while learning, so that the model knows what to do without it."""
LONGEST = 100  # tokens of a piece
UNIT = 64  # tokens that count as one example of a batch
AT_ONCE = 8192  # tokens that are tagged at a time
EDGE = "\n"  # stands before the first token, and behind the last one


class Cut(NamedTuple):
    """Texts as the model takes them, cut into pieces, the shortest first.

    Attributes:
        ids: of the features of all tokens, one after the other, (tokens, columns).
        tags, others: theirs, and what else is known of them (0: nothing), (tokens,).
        starts, lengths: where each piece begins among the tokens, and how many it has.
        whose, since: of which text each piece is, and with which of its tokens it begins.
    """

    ids: HostArray
    tags: HostArray
    others: HostArray
    starts: HostArray
    lengths: HostArray
    whose: HostArray
    since: HostArray

    def rows(self, chosen: HostArray) -> tuple[HostArray, HostArray, HostArray, HostArray]:
        """Some pieces as ids (B, L, K), tags and others (B, L), and lengths (B,); padded with 0."""
        lengths = self.lengths[chosen]
        place = np.arange(lengths.max())
        inside = place < lengths[:, None]
        at = np.where(inside, self.starts[chosen][:, None] + place, 0)
        ids = np.where(inside[:, :, None], self.ids[at], PADDING).astype(np.int64)
        tags, others = (np.where(inside, each[at], 0).astype(np.int64) for each in (self.tags, self.others))
        return ids, tags, others, lengths

    def batches(self, tokens: int) -> Iterator[HostArray]:
        """All pieces, some at a time, that have about so many tokens with their padding."""
        first = 0
        while first < len(self.lengths):
            rows = np.arange(first + 1, len(self.lengths) + 1) - first
            count = max(1, int(np.searchsorted(rows * self.lengths[first:], tokens, side="right")))
            yield np.arange(first, first + count)
            first += count


@dataclass(frozen=True)
class NamesTask(ApplicationTask):
    """A sequence tagger, and what it knows.

    Attributes:
        tokens_are: "characters" or "words".
        types: the types of names, with a space between them.
        token, pair, prefix, suffix, shape: how many ids the table of each feature has; 0: it is not used.
        others: how many different things else are known of tokens, such as parts of speech; 0: it is not learned.
        width: of the convolutions.
    """

    tokens_are: str
    types: str
    token: int
    pair: int
    prefix: int
    suffix: int
    shape: int
    others: int
    width: int = 128

    name = "ner"
    unit = "nats per token"
    counted = "tokens"
    files = (RunFile(VOCABULARY, "the features that are known", ("resume", "generate"), True),)
    settings = {
        "steps": 3200,
        "batch_size": 32,
        "learning_rate": 3e-3,
        "min_learning_rate": 6e-5,
        "warmup": 50,
        "weight_decay": 0.01,
        "eval_every": 200,
        "checkpoint_every": 200,
    }

    @property
    def units(self) -> int:
        return UNIT

    @property
    def tags(self) -> list[str]:
        """The names of the tags, "O" first."""
        return ["O", *(f"{letter}-{kind}" for kind in self.types.split() for letter in "BI")]

    def make_model(self) -> SequenceTagger:
        tables = [(getattr(self, name), WIDTHS[name]) for name in TABLES[self.tokens_are]]
        allowed = allowed_transitions(self.tags)
        return SequenceTagger(
            tables, COLUMNS[self.tokens_are], len(self.tags), others=self.others, width=self.width, allowed=allowed
        )

    def batch(
        self, data: Examples, batch_size: int, rng: np.random.Generator
    ) -> tuple[HostArray, HostArray, HostArray, HostArray]:
        """Pieces of nearly one length, as many as have `UNIT` tokens for each of `batch_size`: around one that is drawn by its tokens."""
        cut: Cut = data.train
        pivot = int(np.searchsorted(np.cumsum(cut.lengths), rng.integers(cut.lengths.sum()), side="right"))
        count = min(max(1, batch_size * UNIT // int(cut.lengths[pivot])), len(cut.lengths))
        among = min(4 * count, len(cut.lengths))
        first = min(max(0, pivot - among // 2), len(cut.lengths) - among)
        ids, tags, others, lengths = cut.rows(np.sort(first + rng.choice(among, count, replace=False)))
        names = TABLES[self.tokens_are]
        shares = np.array([FORGOTTEN[names[table]] for table in COLUMNS[self.tokens_are]])
        forgotten = (rng.random(ids.shape) < shares) & (ids != PADDING)
        return np.where(forgotten, UNKNOWN, ids), tags, others, lengths

    def evaluate(self, model: SequenceTagger, data: Examples, most: int | None) -> float:
        sums, counts = self._by_piece(model, data.validation, most)
        return float(sums.sum() / counts.sum())

    def evaluate_parts(self, model: SequenceTagger, data: Examples) -> tuple[float, Parts | None]:
        sums, counts = self._by_piece(model, data.validation, None)
        whose = data.validation.whose
        texts, of = np.unique(whose, return_inverse=True)
        parts = Parts(np.bincount(positions(of), sums, len(texts)), np.bincount(positions(of), counts, len(texts)))
        return float(sums.sum() / counts.sum()), parts

    def _by_piece(self, model: SequenceTagger, cut: Cut, most: int | None) -> tuple[HostArray, HostArray]:
        """Minus the log-likelihood of each piece, and its tokens."""
        sums = []
        for chosen in cut.batches(AT_ONCE):
            ids, tags, _, lengths = cut.rows(chosen[:most])
            mask = mask_of(lengths, ids.shape[1])
            sums.append(-model.crf.log_likelihood(model(ids, lengths), tags, mask).numpy().astype(np.float64))
            if most is not None:
                break
        found = np.concatenate(sums)
        return found, cut.lengths[: len(found)]

    def measures(self, model: SequenceTagger, data: Examples, loss: float) -> dict[str, float]:
        truth = [example.spans for example in data.split.validation]
        said = [[name[:3] for name in names] for names in found(self, model, data.validation, len(truth))]
        score = span_f1(truth, said)
        return {} if np.isnan(score.value) else {"span_f1": score.value}


# -- what the model makes of a text ---------------------------------------------------------------------------------------


def features(tokens: Sequence[str], unit: str) -> list[list[str]]:
    """Of each column, the features of the tokens.

    Characters: itself, the pair with the one before, the pair with the one behind. Words: in small letters, its first three letters, its
    last three, and its shape, in which X, x and 0 stand for letters and digits in a row.
    """
    if unit == CHARACTERS:
        pairs = [before + behind for before, behind in zip([EDGE, *tokens], [*tokens, EDGE], strict=True)]
        return [list(tokens), pairs[:-1], pairs[1:]]
    return [
        [word.lower() for word in tokens],
        [word[:3] for word in tokens],
        [word[-3:] for word in tokens],
        [_shape(word) for word in tokens],
    ]


def _shape(word: str) -> str:
    """ "McDonald-2" is "XxXx-0"."""
    found = ""
    for letter in word:
        kind = "0" if letter.isdigit() else "X" if letter.isupper() else "x" if letter.isalpha() else letter
        found += kind if not found.endswith(kind) else ""
    return found


def vocabulary(examples: Sequence[Tagged], unit: str) -> dict[str, list[str]]:
    """Of each table, the features that occur often enough (`OFTEN`)."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in TABLES[unit]}
    for example in examples:
        columns = features(example.tokens, unit)
        for k, name in enumerate(TABLES[unit]):  # of the two columns of pairs, the first has all but one
            counts[name].update(columns[COLUMNS[unit].index(k)])
    return {name: sorted(f for f, n in found.items() if n >= OFTEN[unit][name]) for name, found in counts.items()}


def others_of(examples: Sequence[Tagged]) -> list[str]:
    """What else is known of tokens, where it is often enough (`OFTEN_OTHERS`) to be learned."""
    counts = Counter(other for example in examples for other in example.others)
    return sorted(other for other, n in counts.items() if n >= OFTEN_OTHERS)


def cut(texts: Sequence[Tagged], task: NamesTask, known: Mapping[str, Sequence[str]]) -> Cut:
    """Texts as the model takes them. A name of a type that the task does not know, or has been cut in two, is none."""
    unit, number = task.tokens_are, {tag: i for i, tag in enumerate(task.tags)}
    tables = [{f: i for i, f in enumerate(known[name], KNOWN)} for name in TABLES[unit]]
    ids = [
        np.array(
            [
                [tables[table].get(f, UNKNOWN) for f in column]
                for table, column in zip(COLUMNS[unit], features(text.tokens, unit), strict=True)
            ],
            np.int32,
        ).T
        for text in texts
    ]
    tags, places = [], []
    numbers = {other: i for i, other in enumerate(known.get(OTHERS, ()), 1)}
    others = [numbers.get(other, 0) for text in texts for other in text.others or [""] * len(text.tokens)]
    begins = np.cumsum([0, *(len(text.tokens) for text in texts)])
    kinds = task.types.split()
    for whose, text in enumerate(texts):
        for start, end in pieces(text.tokens, unit, LONGEST):
            inside = [
                (s - start, e - start, kind) for s, e, kind in text.spans if start <= s and e <= end and kind in kinds
            ]
            tags.append(np.array([number[tag] for tag in tags_of(inside, end - start)], np.int8))
            places.append((begins[whose] + start, end - start, whose, start))
    table = np.array(places, np.int64).reshape(-1, 4)
    order = np.argsort(table[:, 1], kind="stable")
    columns = len(COLUMNS[unit])
    return Cut(
        np.concatenate(ids) if ids else np.zeros((0, columns), np.int32),
        np.concatenate(tags) if tags else np.zeros(0, np.int8),
        np.array(others, np.int16),
        *table[order].T,
    )


def found(task: NamesTask, model: SequenceTagger, texts: Cut, count: int) -> list[list[tuple[int, int, str, float]]]:
    """The names in each of `count` texts: first token, the one behind the last, type, probability.

    The tags are those of the best path. A name is as probable as the least probable of its tags, by the field's marginals: it
    is no more probable than that.
    """
    names: list[list[tuple[int, int, str, float]]] = [[] for _ in range(count)]
    for chosen in texts.batches(AT_ONCE):
        ids, _, _, lengths = texts.rows(chosen)
        mask = mask_of(lengths, ids.shape[1])
        emissions = model(ids, lengths)
        marginals = model.crf.marginals(emissions, mask).numpy()
        for row, (piece, path) in enumerate(zip(chosen, model.crf.decode(emissions, mask), strict=True)):
            since = int(texts.since[piece])
            p = marginals[row, np.arange(len(path)), path]
            for start, end, kind in spans([task.tags[tag] for tag in path]):
                names[texts.whose[piece]].append((since + start, since + end, kind, float(p[start:end].min())))
    return [sorted(each) for each in names]


# -- the application ------------------------------------------------------------------------------------------------------


class NamedEntities(Trained[Tagged]):
    """Names in Chinese text, or in that of any CoNLL-format file."""

    name = "ner"
    title = "Named entities: persons and places in Chinese news, or the names that a CoNLL-format file marks"
    datasets = ("tagged-news",)
    line = "江泽民在北京会见了克林顿。"
    file = "CoNLL's format: a token and its tag on a line (columns between them are passed over), an empty line behind each sentence"
    task = NamesTask
    brief = {"steps": 300, "eval_every": 200}

    def split(self) -> Split[Tagged]:
        texts = data.without_copies(news(data.tagged_news()), lambda text: "".join(text.tokens))
        split = self.divide(texts.kept)
        about = (
            f"{texts.copies:,} copies of paragraphs were removed. {split.about} Organizations are left out: those of several words are "
            "not marked."
        )
        return replace(split, about=about)

    def read(self, path: Path) -> list[Tagged]:
        return read_conll(path)

    def divide(self, examples: Sequence[Tagged]) -> Split[Tagged]:
        parts = data.three_parts(len(examples), groups=[example.group for example in examples])
        about = "Texts that belong together, as the paragraphs of an article, are in one part."
        return Split.of(examples, map(sorted, parts), about)

    def question(self, example: Tagged) -> Line:
        return line_of(example.tokens, example.unit)

    def parse(self, line: str) -> str:
        return line

    def learn(self, split: Split[Tagged], sha256: str) -> tuple[NamesTask, dict[str, bytes]]:
        unit = split.train[0].unit
        types = sorted({kind for text in split.train for _, _, kind in text.spans})
        if not types:
            raise data.DataError("the part to learn from has no name in it: every tag is O.")
        known = vocabulary(split.train, unit)
        sizes: dict[str, Any] = {name: KNOWN + len(known[name]) if name in known else 0 for name in WIDTHS}
        known[OTHERS] = others_of(split.train)
        sizes[OTHERS] = len(known[OTHERS]) and 1 + len(known[OTHERS])
        return NamesTask(sha256, unit, " ".join(types), **sizes), {
            VOCABULARY: json.dumps(known, ensure_ascii=False).encode()
        }

    def encode(self, task: Any, folder: Path, examples: Sequence[Tagged]) -> Cut:
        return cut(examples, task, _known(folder))

    def system(self, model: SequenceTagger, task: Any, folder: Path) -> System:
        known = _known(folder)

        def answer(questions: Sequence[Line | str]) -> list[Answer]:
            lines = [tokenized(line, task.tokens_are) if isinstance(line, str) else line for line in questions]
            texts = cut([Tagged(line.tokens, (), task.tokens_are, 0) for line in lines], task, known)
            return [
                answer_of(line, names) for line, names in zip(lines, found(task, model, texts, len(lines)), strict=True)
            ]

        return answer

    def baselines(self) -> Mapping[str, Any]:
        return {"CRF on features given by hand": simple.crf}

    def measure(self, examples: Sequence[Tagged], answers: Sequence[Answer]) -> list[Score]:
        truth = [truth_of(example) for example in examples]
        said = [spans_of(answer) for answer in answers]
        kinds = sorted({span[2] for each in (*truth, *said) for span in each})
        scores = [span_f1(truth, said), span_precision(truth, said), span_recall(truth, said)]
        scores += [span_f1(truth, said, of=kind) for kind in kinds]
        return [score.by_group([example.group for example in examples]) for score in scores]

    def remarks(self, folder: Path | None, examples: Sequence[Tagged]) -> Sequence[str]:
        assert folder is not None
        task = Run(folder, self.task).task
        known = task.types.split()
        others = Counter(kind for example in examples for _, _, kind in example.spans if kind not in known)
        told = [f"The run knows names of the types {', '.join(known)}, in texts of {task.tokens_are}."]
        if others:
            listed = ", ".join(f"{kind} ({count:,})" for kind, count in sorted(others.items()))
            told.append(f"The file has others, which it cannot find, and which count as missed: {listed}.")
        if examples[0].unit != task.tokens_are:
            told.append(f"The file is of {examples[0].unit}: nearly all of them are unknown to the run.")
        return told

    def limits(self) -> Sequence[str]:
        return (
            "Trained on the published examples it knows news of January 1998 in simplified Chinese, with full-width digits and letters: "
            "it finds fewer names of other times, in other kinds of text and in traditional characters.",
            "A text is cut into sentences: what an earlier one says of a name does not help.",
        )


def answer_of(line: Line, names: Sequence[tuple[int, int, str, float]]) -> Answer:
    """Names by their tokens, as an answer about the characters of a line."""
    ends = [start + len(token) for start, token in zip(line.starts, line.tokens, strict=True)]
    places = [(line.starts[first], ends[last - 1], kind, p) for first, last, kind, p in names]
    return {
        "text": line.text,
        "entities": [
            {"start": start, "end": end, "text": line.text[start:end], "type": kind, "probability": p}
            for start, end, kind, p in places
        ],
    }


def truth_of(example: Tagged) -> list[tuple[int, int, str]]:
    """The names of an example by the characters of its line: from, to, type."""
    line = line_of(example.tokens, example.unit)
    return [(line.starts[s], line.starts[e - 1] + len(line.tokens[e - 1]), kind) for s, e, kind in example.spans]


def spans_of(answer: Answer) -> list[tuple[int, int, str]]:
    """The names of an answer likewise."""
    return [(each["start"], each["end"], each["type"]) for each in answer["entities"]]


def seen_and_new(train: Sequence[Tagged], examples: Sequence[Tagged], answers: Sequence[Answer]) -> dict[str, Score]:
    """The recall of names that the training part has with the same type, "seen", and of those that are "new": known, or recognized?"""
    known = {named for text in train for named, _ in _named(text)}
    parts: dict[str, list[list[tuple[int, int, str]]]] = {"seen": [], "new": []}
    for example in examples:
        for part in parts.values():
            part.append([])
        for named, span in _named(example):
            parts["seen" if named in known else "new"][-1].append(span)
    said = [spans_of(answer) for answer in answers]
    return {
        name: span_recall(truth, said).by_group([example.group for example in examples])
        for name, truth in parts.items()
    }


def _named(example: Tagged) -> list[tuple[tuple[str, str], tuple[int, int, str]]]:
    """Each name of an example as (its text, its type), and where it is."""
    text = line_of(example.tokens, example.unit).text
    return [((text[start:end], kind), (start, end, kind)) for start, end, kind in truth_of(example)]


def _known(folder: Path) -> dict[str, list[str]]:
    known: dict[str, list[str]] = json.loads((folder / VOCABULARY).read_text("utf-8"))
    return known


__all__ = ["Cut", "NamedEntities", "NamesTask", "cut", "features", "found", "seen_and_new", "vocabulary"]
