r"""To which of some classes does a text belong? Two applications: is a mail spam (`Spam`), and what is a program for (`Topics`).

The model is a bag of embeddings: each word and each pair of neighbors has a vector of a few numbers, and the text is their sum, weighted
(Joulin et al. 2016, *Bag of Tricks for Efficient Text Classification*). A relu between the sum and the classes lets words count together
(Iyyer et al. 2015, *Deep Unordered Composition Rivals Syntactic Methods for Text Classification*). Among networks on long texts it is
hard to beat (Galke and Scherp 2022, *Bag-of-Words vs. Graph vs. Sequence in Text Classification*):

.. math:: p = \mathrm{softmax}\left( W \, \mathrm{relu}(E x + b) + c \right)

With :math:`x` the TF-IDF vector of a text (`minilm.applications.ngrams`), the columns of :math:`E` are the embeddings. Without the relu it
is logistic regression, which is one of the simple methods beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from minilm import nn
from minilm.applications.application import Answer, Baseline, Split, System
from minilm.applications.labels import (
    FILE,
    LabeledText,
    by_group,
    label_answers,
    label_details,
    label_scores,
    parse_text,
    read_labeled,
    wrong_labels,
)
from minilm.applications.ngrams import NGrams, dense
from minilm.applications.simple.linear import label_methods
from minilm.applications.trained import ApplicationTask, Trained
from minilm.applications.vectors import MODEL
from minilm.applications.vectors import vectors as embedded
from minilm.data import DataError, near_copies, package_descriptions, spam_assassin, three_parts, without_copies
from minilm.metrics import Score, auc, roc_curve
from minilm.models.ids import as_ids
from minilm.nn import functional as F
from minilm.ops.shape import stack
from minilm.tensor import Tensor
from minilm.training.task import RunFile
from minilm.types import HostArray

AT_ONCE = 256  # texts that are answered in one pass
WIDTH = 384  # numbers of a vector of the published encoder
PIECES = 64  # of words: so much of a text the encoder reads


class Bag(nn.Module):
    """Scores of the classes from the vector of a text: a sum of embeddings, a relu, a linear layer.

    Args:
        features: numbers of a text's vector.
        width: numbers of an embedding.
        labels: classes.
        dropout: the probability with which a number of the sum is left out in training.
    """

    def __init__(self, features: int, width: int, labels: int, dropout: float) -> None:
        super().__init__()
        self.embedding, self.head = nn.Linear(features, width), nn.Linear(width, labels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, rows: Any) -> Tensor:
        """Rows (B, features) to scores (B, labels)."""
        return self.head(self.dropout(F.relu(self.embedding(rows))))


class BagClassifier(nn.Module):
    """Several bags, each with a start of its own, learn side by side; the mean of their scores decides.

    What one learned by accident the others did not (Lakshminarayanan et al. 2017, *Simple and Scalable Predictive Uncertainty Estimation
    using Deep Ensembles*). Arguments are those of `Bag`.
    """

    def __init__(self, members: int, features: int, width: int, labels: int, dropout: float) -> None:
        super().__init__()
        self.bags = nn.ModuleList([Bag(features, width, labels, dropout) for _ in range(members)])

    def forward(self, rows: Any) -> Tensor:
        """Rows (B, features) to scores (B, labels)."""
        return stack([bag(rows) for bag in self.bags]).mean(axis=0)

    def loss(self, rows: HostArray, classes: HostArray) -> Tensor:
        """The mean cross-entropy, each bag by itself; classes (B,) are numbers of labels."""
        scores = [bag(rows) for bag in self.bags]
        return stack([F.cross_entropy(each, as_ids(classes, each, "classes")) for each in scores]).mean()


@dataclass(frozen=True)
class Encoded:
    """Texts as vectors, and their labels as numbers, -1 where the training part does not have it."""

    vectors: list[tuple[HostArray, HostArray]]
    classes: HostArray


@dataclass(frozen=True)
class LabelTask(ApplicationTask):
    """A `BagClassifier`, and the n-grams that it knows."""

    features: int
    labels: int
    members: int
    width: int
    dropout: float

    unit = "nats per text"
    counted = "texts"
    files = (
        RunFile("ngrams.json", "the n-grams that are known, with their weights", ("resume", "generate"), True),
        RunFile("labels.json", "the labels, in order", ("resume", "generate"), True),
    )
    settings: ClassVar[Mapping[str, Any]] = {
        "steps": 600,
        "batch_size": 32,
        "learning_rate": 1.5e-2,
        "min_learning_rate": 0.0,
        "weight_decay": 0.0,
        "warmup": 50,
        "clip": 0.0,
        "eval_every": 100,
        "checkpoint_every": 500,
    }

    def make_model(self) -> BagClassifier:
        return BagClassifier(self.members, self.features, self.width, self.labels, self.dropout)

    def batch(self, data: Any, batch_size: int, rng: np.random.Generator) -> tuple[HostArray, HostArray]:
        chosen = rng.integers(0, len(data.train.classes), batch_size)
        return dense([data.train.vectors[i] for i in chosen], self.features), data.train.classes[chosen]

    def evaluate(self, model: BagClassifier, data: Any, most: int | None) -> float:
        """The mean loss over the validation texts whose label is known."""
        known = np.flatnonzero(data.validation.classes >= 0)[:most]
        scores = self.scores(model, [data.validation.vectors[i] for i in known])
        return F.cross_entropy(Tensor(scores), data.validation.classes[known]).item()

    def measures(self, model: BagClassifier, data: Any, loss: float) -> dict[str, float]:
        scores = self.scores(model, data.validation.vectors)
        return {"accuracy": float((scores.argmax(axis=1) == data.validation.classes).mean())}

    def scores(self, model: BagClassifier, vectors: Sequence[tuple[HostArray, HostArray]]) -> HostArray:
        """Of each text the scores of the classes, (n, labels)."""
        parts = [model(dense(vectors[i : i + AT_ONCE], self.features)).numpy() for i in range(0, len(vectors), AT_ONCE)]
        return np.concatenate(parts) if parts else np.zeros((0, self.labels), np.float32)


class SpamTask(LabelTask):
    """The task of `Spam`."""

    name = "spam"
    settings: ClassVar[Mapping[str, Any]] = {**LabelTask.settings, "steps": 400, "learning_rate": 5e-3}


class TopicsTask(LabelTask):
    """The task of `Topics`."""

    name = "topics"


class Classification(Trained[LabeledText]):
    """What both have in common.

    Attributes:
        most, longest: the n-grams that are known, and the characters of a text that are read.
        further: numbers of a text's vector beside those of its n-grams.
        members, width, dropout: of the model.
    """

    task: ClassVar[type[LabelTask]]
    brief: ClassVar[Mapping[str, Any]] = {"steps": 150, "eval_every": 50}
    file = FILE
    most: ClassVar[int] = 20_000
    longest: ClassVar[int]
    further: ClassVar[int] = 0
    members: ClassVar[int] = 4
    width: ClassVar[int] = 32
    dropout: ClassVar[float] = 0.5

    def read(self, path: Path) -> list[LabeledText]:
        return read_labeled(path)

    def divide(self, examples: Sequence[LabeledText]) -> Split[LabeledText]:
        return grouped_split([(each.text, each.label) for each in examples], "texts")

    def question(self, example: LabeledText) -> str:
        return example.text

    def parse(self, line: str) -> str:
        return parse_text(line)

    def learn(self, split: Split[LabeledText], sha256: str) -> tuple[LabelTask, dict[str, bytes]]:
        labels = sorted({each.label for each in split.train})
        if len(labels) < 2:
            raise DataError(f"the training part has one label alone, {labels[0]!r}: there is nothing to tell apart.")
        known = NGrams.learn([each.text for each in split.train], self.most, self.longest)
        if not known.weights:
            raise DataError(
                "no word stands in two texts of the training part: there is nothing to learn from. Are there more texts?"
            )
        features = len(known.weights) + self.further
        task = self.task(sha256, features, len(labels), self.members, self.width, self.dropout)
        return task, {"ngrams.json": known.save(), "labels.json": json.dumps(labels, ensure_ascii=False).encode()}

    def encode(self, task: ApplicationTask, folder: Path, examples: Sequence[LabeledText]) -> Encoded:
        number = {label: i for i, label in enumerate(_labels(folder))}
        vectors = self.vectors(NGrams.load(folder / "ngrams.json"), [each.text for each in examples])
        return Encoded(vectors, np.array([number.get(each.label, -1) for each in examples], np.int64))

    def vectors(self, known: NGrams, texts: Sequence[str]) -> list[tuple[HostArray, HostArray]]:
        """Of each text the places of its vector that are not 0, and their numbers."""
        return known.vectors(texts)

    def system(self, model: Any, task: Any, folder: Path) -> System:
        known, labels = NGrams.load(folder / "ngrams.json"), _labels(folder)

        def answer(questions: Sequence[str]) -> list[Answer]:
            scores = task.scores(model, self.vectors(known, questions)).astype(np.float64)
            powers = np.exp(scores - scores.max(axis=1, keepdims=True))
            return label_answers(labels, powers / powers.sum(axis=1, keepdims=True))

        return answer

    def baselines(self) -> Mapping[str, Baseline]:
        return label_methods(lambda each: each.text, lambda each: each.label)

    def measure(self, examples: Sequence[LabeledText], answers: Sequence[Answer]) -> list[Score]:
        return label_scores(examples, answers)

    def details(self, examples: Sequence[LabeledText], answers: Sequence[Answer]) -> Mapping[str, Any]:
        return label_details(examples, answers)

    def wrong(self, examples: Sequence[LabeledText], answers: Sequence[Answer]) -> list[int]:
        return wrong_labels(examples, answers)


class Spam(Classification):
    """Is a mail spam? The bodies of the SpamAssassin corpus (2002 and 2003), as they are: with HTML, and without the headers."""

    name = "spam"
    title = "Spam, told by the body of a mail alone"
    datasets = ("spam-assassin",)
    line = "You have WON! Click here to claim your prize"
    task = SpamTask
    longest = 6000
    width = 16

    def split(self) -> Split[LabeledText]:
        texts, spam = spam_assassin()
        mails = [(text, ("ham", "spam")[kind]) for text, kind in zip(texts, spam.tolist(), strict=True)]
        return grouped_split(mails, "mails")

    def measure(self, examples: Sequence[LabeledText], answers: Sequence[Answer]) -> list[Score]:
        """And how well spam is told from ham wherever the line between them is drawn."""
        scores, spam = label_scores(examples, answers), np.array([each.label == "spam" for each in examples])
        probable = np.array([answer["probabilities"].get("spam", 0.0) for answer in answers])
        if spam.any() and not spam.all():
            scores[2:2] = by_group([auc(spam, probable), recall_at_false_alarms(spam, probable)], examples)
        return scores

    def limits(self) -> Sequence[str]:
        return (
            "The mails are more than twenty years old; spam of today looks different, and a spammer who knows the filter writes around it.",
            "Most wanted mails are of mailing lists, whose footers give them away: among private letters it does worse.",
        )


SECTIONS = (
    "database",
    "editors",
    "electronics",
    "fonts",
    "games",
    "graphics",
    "mail",
    "math",
    "science",
    "sound",
    "video",
    "web",
)
"""Those sections of Debian that say what a program is for, and not in which language it is written."""


class Topics(Classification):
    """What is a program for? The section of a Debian package, from its synopsis and its description."""

    name = "topics"
    title = "Topics: what a program is for, by its description"
    datasets = ("package-descriptions",)
    line = "plays chess against you, or watches two engines play"
    models = (MODEL,)
    task = TopicsTask
    most = 30_000
    longest = 4000
    further = WIDTH

    def split(self) -> Split[LabeledText]:
        packages = [each for each in package_descriptions() if each.section in SECTIONS]
        return grouped_split([(f"{each.synopsis}\n{each.text}", each.section) for each in packages], "descriptions")

    def vectors(self, known: NGrams, texts: Sequence[str]) -> list[tuple[HostArray, HostArray]]:
        """Beside the n-grams the vector of a published encoder, which knows words that no text of the training part has."""
        places = len(known.weights) + np.arange(WIDTH)
        found, meant = known.vectors(texts), embedded(texts, PIECES)
        return [(np.append(here, places), np.append(x, more)) for (here, x), more in zip(found, meant, strict=True)]

    def baselines(self) -> Mapping[str, Baseline]:
        """And an SVM that has the encoder's vector, too."""
        return label_methods(
            lambda each: each.text, lambda each: each.label, further=lambda texts: embedded(texts, PIECES)
        )

    def limits(self) -> Sequence[str]:
        return (
            "A package has one section, though some belong to two: a game about mathematics. Part of what is wrong is so by a maintainer's "
            "choice.",
        )


def grouped_split(rows: Sequence[tuple[str, str]], what: str) -> Split[LabeledText]:
    """80, 10 and 10 % of texts with labels, drawn with a fixed seed; without copies, and what is nearly the same in one part.

    Args:
        what: how the texts are called.
    """
    kept = without_copies(rows, lambda row: row[0], label=lambda row: row[1])
    groups = near_copies([text for text, _ in kept.kept])
    examples = [LabeledText(*row, group) for row, group in zip(kept.kept, groups, strict=True)]
    about = (
        f"Drawn with a fixed seed. Before, {kept.copies:,} copies were removed and {kept.contradictions:,} of {what} that occur with two "
        f"labels. {what.capitalize()} that are nearly the same are in one part."
    )
    return Split.of(examples, three_parts(len(examples), groups=groups), about)


def recall_at_false_alarms(spam: HostArray, probable: HostArray, most: float = 0.01) -> Score:
    """The share of spam that is found where the line is drawn so that at most the share `most` of ham is over it.

    The line is drawn once, on these examples: that it would lie elsewhere on others the interval does not say.
    """
    alarms, _, thresholds = roc_curve(spam, probable)
    line = thresholds[np.flatnonzero(alarms <= most)[-1]]
    over = spam & (probable >= line)
    return Score.of_sums(f"recall at {most:.0%} false alarms", np.stack([over, spam], axis=1), np.divide)


def _labels(folder: Path) -> list[str]:
    return [str(label) for label in json.loads((folder / "labels.json").read_text("utf-8"))]


__all__ = [
    "SECTIONS",
    "BagClassifier",
    "Classification",
    "LabelTask",
    "Spam",
    "Topics",
    "grouped_split",
    "recall_at_false_alarms",
]
