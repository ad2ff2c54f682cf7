r"""Answers that stand in a text: given a question and a text, where does the answer begin and end (Rajpurkar et al. 2016, *SQuAD*)?

The texts are WordNet's definitions, of each of which several things are asked (`minilm.applications.readings`).

MiniLM reads the question and the text together (`minilm.models.bert.BertForQuestionAnswering`) and gives each word piece two numbers,
:math:`s_i` and :math:`e_j`: how well an answer would begin and end there. Among the spans of at most n word pieces,

.. math::
    p(i, j) = \frac{e^{s_i + e_j}}{\sum_{i' \le j' < i' + n} e^{s_{i'} + e_{j'}}}

A text longer than the model reads is read in windows that overlap by half, and the sum is over the spans of all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from minilm.applications.application import Answer, Baseline, Split, System
from minilm.applications.published import (
    MINILM,
    PublishedTask,
    by_length,
    neighbors,
    padded,
    tokenizer_file,
    tokenizer_of,
    weights_sha256,
)
from minilm.applications.readings import NEW, Reading, published_readings, reading_of
from minilm.applications.records import records_of, text_of
from minilm.applications.simple.spans import span_methods
from minilm.applications.trained import ApplicationTask, Examples, Trained
from minilm.data import three_parts
from minilm.data.copies import fold_text
from minilm.metrics import Score, exact_match, token_f1
from minilm.metrics.answers import normalized
from minilm.models.bert import BertForQuestionAnswering, best_spans
from minilm.nn import functional as F
from minilm.strict_json import object_from
from minilm.tensor import Tensor
from minilm.text.bert_input import framed
from minilm.types import HostArray

LONGEST = 384  # word pieces of question and text together
ASKED = 96  # of the question, at most
ANSWER = 8  # of an answer, at most; in the training part one in five hundred has more
AT_ONCE = 32


class Pieces(NamedTuple):
    """Questions with their texts, as the model takes them; of a long text there are several windows.

    Attributes:
        ids: the word pieces of each: [CLS] question [SEP] text [SEP].
        offsets: where each piece of the text begins and ends in it, in characters.
        spans: (n, 2) the first and the last piece of the first right answer; zeros where nobody knows it.
        lengths, before: (n,) how many word pieces those are, and how many stand before the text.
        owner: (n,) the number of the question.
    """

    ids: list[list[int]]
    offsets: list[list[tuple[int, int]]]
    spans: HostArray
    lengths: HostArray
    before: HostArray
    owner: HostArray


@dataclass(frozen=True)
class SpanTask(PublishedTask):
    """MiniLM with two numbers for each word piece."""

    name: ClassVar[str] = "spans"
    unit: ClassVar[str] = "nats"
    counted: ClassVar[str] = "questions"
    glance: ClassVar[int | None] = 512
    settings: ClassVar[Mapping[str, Any]] = {
        "steps": 500,
        "batch_size": 32,
        "learning_rate": 1.5e-4,
        "min_learning_rate": 0.0,
        "warmup": 50,
        "weight_decay": 0.01,
        "eval_every": 125,
        "checkpoint_every": 125,
    }

    def make_model(self) -> BertForQuestionAnswering:
        encoder = self.encoder()
        model = BertForQuestionAnswering(encoder.config)
        model.bert = encoder
        return model

    def batch(self, data: Examples, batch_size: int, rng: np.random.Generator) -> tuple[Any, ...]:
        return _arrays(data.train, neighbors(data.train.lengths, batch_size, rng))

    def losses(self, model: BertForQuestionAnswering, pieces: Pieces, most: int | None) -> HostArray:
        losses = np.zeros(len(pieces.ids[:most]))
        for some in by_length(pieces.lengths[:most], AT_ONCE):
            ids, spans, mask, segments = _arrays(pieces, some)
            logits = model(ids, mask, segments)
            losses[some] = (
                F.cross_entropy(logits, Tensor(spans, device=logits.device), reduction="none").numpy().mean(1)
            )
        return losses

    def measures(self, model: BertForQuestionAnswering, data: Examples, loss: float) -> dict[str, float]:
        part = data.split.validation
        answers = find_spans(model, data.validation, [each.context for each in part])
        return {"exact match": exact_match([each.answers for each in part], [each["answer"] for each in answers]).value}


class Spans(Trained[Reading]):
    """The words of a text that answer a question."""

    name = "spans"
    title = "Spans: where in a text the answer to a question stands (MiniLM, fine-tuned)"
    datasets = ("wordnet",)
    models = (MINILM,)
    line = '{"question": "What is a toe part of?", "context": "one of the digits of the foot"}'
    file = 'each line a JSON object with "question", "context" and "answer", which stands in the context, or a list "answers"'
    task = SpanTask
    brief: ClassVar[Mapping[str, Any]] = {"steps": 30, "warmup": 5, "eval_every": 30, "checkpoint_every": 30}

    def split(self) -> Split[Reading]:
        return published_readings()

    def read(self, path: Path) -> list[Reading]:
        return records_of(path, reading_of)

    def divide(self, examples: Sequence[Reading]) -> Split[Reading]:
        parts = three_parts(len(examples), groups=[fold_text(each.context) for each in examples])
        about = "A tenth to validate and a tenth to test on were drawn; a text is in one part only."
        return Split.of(examples, parts, about)

    def question(self, example: Reading) -> tuple[str, str]:
        return example.question, example.context

    def parse(self, line: str) -> tuple[str, str]:
        fields = object_from(line.encode())
        return text_of(fields, "question"), text_of(fields, "context")

    def learn(self, split: Split[Reading], sha256: str) -> tuple[SpanTask, dict[str, bytes]]:
        return SpanTask(sha256, MINILM, weights_sha256()), tokenizer_file()

    def encode(self, task: ApplicationTask, folder: Path, examples: Sequence[Reading]) -> Pieces:
        places = [(each.start, each.start + len(each.answers[0])) for each in examples]
        return _pieces(folder, [self.question(each) for each in examples], places)

    def system(self, model: BertForQuestionAnswering, task: ApplicationTask, folder: Path) -> System:
        def answer(questions: Sequence[tuple[str, str]]) -> list[Answer]:
            return find_spans(model, _pieces(folder, questions), [context for _, context in questions])

        return answer

    def baselines(self) -> Mapping[str, Baseline]:
        return span_methods()

    def measure(self, examples: Sequence[Reading], answers: Sequence[Answer]) -> list[Score]:
        truth, said = [example.answers for example in examples], [answer["answer"] for answer in answers]
        scores = [exact_match(truth, said), token_f1(truth, said)]
        new = np.array([each.form == NEW for each in examples], float)
        if new.any() and not new.all():
            right = exact_each(examples, answers)
            for name, of in (("known", 1 - new), ("new", new)):
                rows = np.stack([right * of, of], axis=1)
                scores.append(Score.of_sums(f"exact match, asked in {name} words", rows, _share))
        return scores

    def details(self, examples: Sequence[Reading], answers: Sequence[Answer]) -> Mapping[str, Any]:
        """Exact match by what is asked for; of the published questions also apart by whether the form of the question is new."""
        right, kinds = exact_each(examples, answers), np.array([each.kind or "other" for each in examples])
        new = np.array([each.form == NEW for each in examples])
        parts = {"exact match": np.full(len(new), True)}
        if new.any() and not new.all():
            parts |= {"exact match, asked in known words": ~new, "exact match, asked in new words": new}
        return {
            name: {
                kind: round(float(right[part & (kinds == kind)].mean()), 4)
                for kind in sorted(set(kinds[part].tolist()))
            }
            for name, part in parts.items()
        }

    def limits(self) -> Sequence[str]:
        return (
            "It learned from dictionary definitions: in other texts, and for other questions than what a thing is, is part of, belongs to, "
            "consists of, and in which field one speaks of it, it is less often right.",
            "It always answers, also where the text holds no answer. (WordNet does not note every relation, so which questions have none "
            "cannot be told well enough to learn it.)",
            f"An answer has at most {ANSWER} word pieces.",
        )


def find_spans(model: BertForQuestionAnswering, pieces: Pieces, contexts: Sequence[str]) -> list[Answer]:
    """The likeliest span for each question, with its place in the text and its probability among all spans.

    A question of which there is no window has the empty answer.
    """
    best = np.full(len(contexts), -np.inf)  # s_i + e_j
    whole = np.full(len(contexts), -np.inf)  # the logarithm of the sum over all spans
    places = np.zeros((len(contexts), 2), np.int64)
    for some in by_length(pieces.lengths, AT_ONCE):
        ids, _, mask, segments = _arrays(pieces, some)
        logits = model(ids, mask, segments).numpy().astype(np.float64)  # (B, T, 2)
        at = np.arange(ids.shape[1])
        text = (at >= pieces.before[some, None]) & (at < pieces.lengths[some, None] - 1)  # the last is [SEP]
        spans, scores = best_spans(logits[..., 0], logits[..., 1], ANSWER, text)
        masses = _log_mass(*np.where(text, logits.transpose(2, 0, 1), -np.inf))
        for row, span, score, mass in zip(some.tolist(), spans, scores, masses, strict=True):
            owner = pieces.owner[row]
            whole[owner] = np.logaddexp(whole[owner], mass)
            if score > best[owner]:
                first, last = span - pieces.before[row]
                best[owner], places[owner] = score, (pieces.offsets[row][first][0], pieces.offsets[row][last][1])
    p = np.exp(best - np.where(np.isfinite(whole), whole, 0.0))
    return [
        {"answer": context[start:end], "start": start, "end": end, "probability": round(probability, 4)}
        for context, (start, end), probability in zip(contexts, places.tolist(), p.tolist(), strict=True)
    ]


def _log_mass(start: HostArray, end: HostArray) -> HostArray:
    """ln of the sum of exp(s_i + e_j) over all spans of at most `ANSWER` pieces: (B, T) twice -> (B,)."""
    length = start.shape[1]
    sums = [np.logaddexp.reduce(start[:, : length - n] + end[:, n:], axis=1) for n in range(min(ANSWER, length))]
    return np.logaddexp.reduce(sums, axis=0)


def exact_each(examples: Sequence[Reading], answers: Sequence[Answer]) -> HostArray:
    """(n,) 1 where the answer is a right one, else 0."""
    right = [
        normalized(answer["answer"]) in map(normalized, example.answers)
        for example, answer in zip(examples, answers, strict=True)
    ]
    return np.array(right, float)


def _share(right: HostArray, of: HostArray) -> HostArray:
    """NaN where a draw holds none."""
    return np.divide(right, of, out=np.full_like(right, np.nan), where=of > 0)


def _pieces(folder: Path, pairs: Sequence[tuple[str, str]], places: Sequence[tuple[int, int]] | None = None) -> Pieces:
    """Questions and texts as the model takes them.

    Args:
        folder: of the run, with the tokenizer.
        places: where the answer begins and ends in each text, in characters; then windows without it are left out.

    Raises:
        ValueError: a text has nothing in it that is a word.
    """
    tokenizer, ids, offsets, spans, before, owner = tokenizer_of(folder), [], [], [], [], []
    for number, (question, context) in enumerate(pairs):
        asked = tokenizer.encode(question)[:ASKED]
        text, at = tokenizer.encode_with_offsets(context)
        if not text:
            raise ValueError("the context has nothing in it that could be an answer.")
        room = LONGEST - 3 - len(asked)
        for begin in range(0, max(1, len(text) - room // 2), room // 2):
            window, span = at[begin : begin + room], (-1, -1)
            if places is not None:
                start, end = places[number]
                inside = [i for i, (a, b) in enumerate(window) if a < end and b > start]
                if not inside or window[inside[0]][0] > start or window[inside[-1]][1] < end:
                    continue
                span = (inside[0], inside[-1])
            ids.append(framed(tokenizer, [asked, text[begin : begin + room]]).ids)
            offsets.append(window)
            before.append(len(asked) + 2)
            spans.append([before[-1] + i for i in span] if places is not None else [0, 0])
            owner.append(number)
    return Pieces(ids, offsets, np.array(spans), np.array([len(row) for row in ids]), np.array(before), np.array(owner))


def _arrays(pieces: Pieces, rows: HostArray) -> tuple[HostArray, HostArray, HostArray, HostArray]:
    """Some of them, as `BertForQuestionAnswering.loss` takes them: ids, spans, mask, segments."""
    ids, mask = padded([pieces.ids[row] for row in rows])
    segments = (np.arange(ids.shape[1]) >= pieces.before[rows, None]) & mask
    return ids, pieces.spans[rows], mask, segments.astype(np.int64)


__all__ = ["Pieces", "SpanTask", "Spans", "find_spans"]
