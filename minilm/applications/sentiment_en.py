r"""English: is a sentence on a movie positive or negative, and how strongly. A published model, MiniLM, learns both.

Twenty people rated each sentence from -4 to 4; the mean is its intensity y, and where it is 0.5 or more from 0, its sign is the class c
(Hutto and Gilbert 2014, *VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text*). The model is the encoder
(`minilm.models.bert`) with two numbers on the mean m of its tokens' vectors, learned together: the intensity tells it more of a
sentence than the class alone.

.. math:: (a, b) = W m + d, \qquad P(\text{positive}) = \sigma(a), \qquad \hat y = 2 b, \qquad
    L = -\ln P(c) + \left(b - \tfrac{y}{2}\right)^2

All weights begin as they were published, but for W, and all learn, but for the embeddings: they are half of the weights, a word that is
not among the 8,500 sentences would not move with the others, and AdamW has half of the work.

`EnglishSentiment` answers with the class, `Intensity` with the number; a run of one is a run of the other.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from minilm import nn
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
from minilm.applications.sentiment import (
    CLEAR,
    ENGLISH,
    LABELS,
    NEUTRAL,
    STRONGEST,
    Opinion,
    Sentiment,
    answers_of,
    constant,
    label_of,
    unknown,
)
from minilm.applications.simple.linear import label_methods
from minilm.applications.simple.sentiment import class_methods, intensity_methods
from minilm.applications.trained import ApplicationTask, Examples
from minilm.applications.vectors import vectors
from minilm.creation import zeros
from minilm.data import movie_sentences, three_parts, without_copies
from minilm.metrics import Score, mean_absolute_error, pearson, spearman
from minilm.nn import functional as F
from minilm.tensor import Tensor
from minilm.text.bert_input import framed
from minilm.types import HostArray

LONGEST = 128  # word pieces; the longest sentence of the data has 79
AT_ONCE = 64  # sentences that are read at once where nothing is learned


class Sentences(NamedTuple):
    """Sentences as the model takes them.

    Attributes:
        ids: the word pieces of each, with [CLS] and [SEP].
        lengths: (n,) of those.
        labels: (n,) 1 where it is positive, 0 where it is negative, -1 where it has no class.
        ratings: (n,) from -4 to 4; NaN where it has none.
    """

    ids: list[HostArray]
    lengths: HostArray
    labels: HostArray
    ratings: HostArray


class SentenceRater(nn.Module):
    """MiniLM, and the two numbers on the mean of its vectors.

    Args:
        bert: the encoder, which is made part of it.
    """

    def __init__(self, bert: Any) -> None:
        super().__init__()
        self.bert = bert
        self.dropout = nn.Dropout(bert.config.hidden_dropout_prob)
        self.head = nn.Linear(bert.config.hidden_size, 2)
        nn.init.normal_(self.head.weight, 0.0, bert.config.initializer_range)
        self.head.bias = nn.Parameter(zeros(2))

    def forward(self, ids: Any, mask: Any) -> Tensor:
        """(a, b) of each sentence: (B, T) and (B, T) -> (B, 2).

        Args:
            ids, mask: as `minilm.models.bert.Bert.forward` takes them.
        """
        hidden = self.bert(ids, mask)  # (B, T, C)
        share = np.asarray(mask, np.float32) / np.sum(mask, axis=1, keepdims=True, dtype=np.float32)
        mean = (hidden * constant(share[..., None], hidden)).sum(axis=1)  # (B, C)
        return self.head(self.dropout(mean))

    def losses(self, ids: Any, mask: Any, labels: Any, ratings: Any) -> Tensor:
        """L of each sentence, (B,). What a sentence does not have, a class or a rating, costs nothing.

        Args:
            labels, ratings: (B,), as in `Sentences`.
        """
        output = self(ids, mask)
        rated = ~np.isnan(ratings)
        c, y = constant(labels == 1, output), constant(np.where(rated, ratings, 0.0), output)
        surprise = F.binary_cross_entropy_with_logits(output[:, 0], c, reduction="none")
        error = (output[:, 1] - y / 2.0) ** 2
        has_class, has_rating = constant(labels >= 0, output), constant(rated, output)
        return surprise * has_class + error * has_rating

    def loss(self, ids: Any, mask: Any, labels: Any, ratings: Any) -> Tensor:
        """The mean of `losses`."""
        return self.losses(ids, mask, labels, ratings).mean()


@dataclass(frozen=True)
class RaterTask(PublishedTask):
    """Fine-tuning of a published encoder on both numbers."""

    name: ClassVar[str] = "sentiment-en"
    unit: ClassVar[str] = "nats and squared error"
    counted: ClassVar[str] = "sentences"
    settings: ClassVar[Mapping[str, Any]] = {
        "steps": 700,
        "batch_size": 32,
        "learning_rate": 1e-4,
        "min_learning_rate": 0.0,
        "warmup": 70,
        "weight_decay": 0.01,
        "eval_every": 175,
        "checkpoint_every": 175,
    }

    def make_model(self) -> SentenceRater:
        return SentenceRater(self.encoder())

    def batch(self, data: Examples, batch_size: int, rng: np.random.Generator) -> tuple[Any, ...]:
        """Sentences of about one length, so that little is padding; each is as likely as any other."""
        return arrays(data.train, neighbors(data.train.lengths, batch_size, rng))

    def losses(self, model: SentenceRater, sentences: Sentences, most: int | None) -> HostArray:
        rows = np.arange(len(sentences.ids))[:most]
        losses = np.zeros(len(rows))
        for some in by_length(sentences.lengths[: len(rows)], AT_ONCE):
            losses[some] = model.losses(*arrays(sentences, some)).numpy()
        return losses

    def measures(self, model: SentenceRater, data: Examples, loss: float) -> dict[str, float]:
        output, labels, ratings = outputs(model, data.validation.ids), data.validation.labels, data.validation.ratings
        found, classed, rated = {}, labels >= 0, ~np.isnan(ratings)
        if classed.any():
            found["accuracy"] = float(((output[:, 0] > 0) == labels)[classed].mean())
        if rated.any():
            found["mean absolute error"] = float(np.abs(2 * output[:, 1] - ratings)[rated].mean())
        return found


class _OnMiniLM(Sentiment):
    """What the class and the intensity have in common: the examples, the model and its training."""

    datasets = ("movie-sentences",)
    models = (MINILM,)
    words = ENGLISH
    line = "Not a great film, but never a dull one."
    file = 'each line a label or a rating, a tab and a text; or a JSON object, as {"rating": 1.5, "text": "..."}'
    task = RaterTask
    labels = (*LABELS, NEUTRAL)
    brief: ClassVar[Mapping[str, Any]] = {"steps": 60, "warmup": 10, "eval_every": 60, "checkpoint_every": 60}

    def split(self) -> Split[Opinion]:
        found = without_copies(movie_sentences(), key=lambda each: each[0])
        opinions = [Opinion(text.strip(), label_of(rating), rating) for text, rating in found.kept]
        about = (
            f"{found.removed} sentences went that repeat another one; the rest was drawn into three parts. "
            f"A sentence whose mean rating is nearer to 0 than {CLEAR} has no class."
        )
        return Split.of(opinions, three_parts(len(opinions)), about)

    def learn(self, split: Split[Opinion], sha256: str) -> tuple[RaterTask, dict[str, bytes]]:
        return RaterTask(sha256, MINILM, weights_sha256()), tokenizer_file()

    def encode(self, task: ApplicationTask, folder: Path, examples: Sequence[Opinion]) -> Sentences:
        labels = [LABELS.index(x.label) if x.label in LABELS else -1 for x in examples]
        ratings = [np.nan if x.rating is None else x.rating for x in examples]
        ids = pieces([x.text for x in examples], folder)
        return Sentences(ids, np.array(list(map(len, ids))), np.array(labels), np.array(ratings, np.float64))

    def system(self, model: SentenceRater, task: ApplicationTask, folder: Path) -> System:
        def answer(questions: Sequence[str]) -> list[Answer]:
            return self.answers(outputs(model, pieces(questions, folder)))

        return answer

    @abstractmethod
    def answers(self, output: HostArray) -> list[Answer]:
        """The answers that the model's two numbers (n, 2) give."""


class EnglishSentiment(_OnMiniLM):
    """Whether a sentence is positive or negative. Sentences without a class are learned from, by their ratings, and not measured."""

    name = "sentiment-en"
    title = "Sentiment: is an English sentence on a movie positive or negative (MiniLM, fine-tuned)"

    def answers(self, output: HostArray) -> list[Answer]:
        return answers_of(output[:, 0])

    def baselines(self) -> Mapping[str, Baseline]:
        methods = label_methods(lambda example: example.text, lambda example: example.label)
        methods = {**methods, **class_methods(vectors)}
        return {name: on(method, lambda x: x.label in LABELS) for name, method in methods.items()}


class Intensity(_OnMiniLM):
    """How positive or negative a sentence is: the mean of what people would rate it, from -4 to 4."""

    name = "sentiment-intensity"
    title = "Sentiment as a number: how positive an English sentence is, from -4 to 4 (MiniLM, fine-tuned)"

    def answers(self, output: HostArray) -> list[Answer]:
        return [{"intensity": value} for value in np.clip(2 * output[:, 1], -STRONGEST, STRONGEST).tolist()]

    def measure(self, examples: Sequence[Opinion], answers: Sequence[Answer]) -> list[Score]:
        rated = [i for i, x in enumerate(examples) if x.rating is not None]
        if not rated:
            return [unknown("Pearson correlation", len(examples))]
        truth, said = [examples[i].rating for i in rated], [answers[i]["intensity"] for i in rated]
        return [pearson(truth, said), spearman(truth, said), mean_absolute_error(truth, said)]

    def wrong(self, examples: Sequence[Opinion], answers: Sequence[Answer]) -> list[int]:
        """Those that are 1 or more from the rating, the farthest first."""
        truth = [
            answer["intensity"] if x.rating is None else x.rating for x, answer in zip(examples, answers, strict=True)
        ]
        errors = np.abs(np.array(truth) - [answer["intensity"] for answer in answers])
        return [int(i) for i in np.argsort(-errors, kind="stable") if errors[i] >= 1.0]

    def details(self, examples: Sequence[Opinion], answers: Sequence[Answer]) -> Mapping[str, Any]:
        return {}

    def baselines(self) -> Mapping[str, Baseline]:
        return {name: on(method, lambda x: x.rating is not None) for name, method in intensity_methods().items()}

    def limits(self) -> Sequence[str]:
        return (*super().limits(), "An intensity is a mean over raters: what one of them would say is not known.")


def pieces(texts: Sequence[str], folder: Path) -> list[HostArray]:
    """The word pieces of each text, with [CLS] and [SEP], by a run's tokenizer."""
    tokenizer = tokenizer_of(folder)
    return [np.array(framed(tokenizer, [tokenizer.encode(text)[: LONGEST - 2]]).ids) for text in texts]


def arrays(sentences: Sentences, rows: HostArray) -> tuple[HostArray, HostArray, HostArray, HostArray]:
    """Some of the sentences, as `SentenceRater.loss` takes them."""
    return *padded([sentences.ids[row] for row in rows]), sentences.labels[rows], sentences.ratings[rows]


def outputs(model: SentenceRater, ids: Sequence[HostArray]) -> HostArray:
    """The model's two numbers of each text, (n, 2)."""
    found = np.zeros((len(ids), 2))
    for some in by_length(np.array(list(map(len, ids)), int), AT_ONCE):
        found[some] = model(*padded([ids[row] for row in some])).numpy()
    return found


def on(method: Baseline, chosen: Callable[[Opinion], bool]) -> Baseline:
    """A simple method that learns from the examples that have what it needs."""

    def learn(split: Split[Opinion]) -> System:
        train, validation = ([x for x in part if chosen(x)] for part in (split.train, split.validation))
        if not (train and validation):
            raise ValueError(
                "the examples have none of the labels, or none of the ratings, that this method learns from."
            )
        return method(Split(train, validation, split.test, split.about))

    return learn


__all__ = ["EnglishSentiment", "Intensity", "RaterTask", "SentenceRater", "Sentences"]
