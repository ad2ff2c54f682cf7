"""What must learn? MiniLM is taught whether a sentence on a movie is positive: a head, adapters, all layers; a student learns from it.

The sentences are those of `minilm.applications.sentiment_en` that have a class and at most 24 word pieces, in its three parts. Every method
sees the same 40 batches of 32 in the same order, without dropout, with six steps of warmup and a linear decay of its rate, of which the
validation part chooses one of two. The embeddings rest in all methods. Accuracy is that of the test part, with a bootstrap interval;
differences are paired.

The student knows no order: the mean of 64 numbers per word piece, then a hidden layer of 64. It learns 400 batches of 64, three times with
seeds of their own; its accuracy is the mean over seeds, the interval over sentences. It is given the labels; or half the labels and half
the teacher's logits at temperature 2; or, as a control, logits that belong to another sentence of the same class. The teacher is the model
whose layers all learned.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

import minilm as ml
from minilm import nn, pretrained
from minilm.applications.published import by_length, neighbors, padded
from minilm.applications.sentiment import LABELS
from minilm.applications.sentiment_en import EnglishSentiment
from minilm.applications.vectors import encoder
from minilm.nn import functional as F
from minilm.nn.lora import add_lora
from minilm.optim import AdamW
from minilm.text.bert_input import framed
from tests.experiments._cells import of_mean

STEPS, BATCH, LONGEST = 40, 32, 24
RATES = {"head": (1e-2, 5e-2), "head, adapters of rank 8": (1e-3, 3e-3), "head, all layers": (1e-4, 3e-4)}
ALL = "head, all layers"


class Rater(nn.Module):
    """MiniLM, the mean of its vectors, and the logits of the two classes."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.bert = pretrained.load("all-minilm-l6-v2").model
        self.bert.pooler = None
        self.bert.requires_grad_(False)
        self.head = nn.Linear(384, 2)
        nn.init.normal_(self.head.weight, 0.0, 0.02, np.random.default_rng(seed))
        nn.init.constant_(self.head.bias, 0.0)

    def forward(self, ids: Any, mask: Any) -> Any:
        """(B, T) -> (B, 2)"""
        share = mask / mask.sum(axis=1, keepdims=True)
        return self.head((self.bert(ids, mask) * ml.Tensor(share[..., None].astype(np.float32))).sum(axis=1))


class Part:
    """Sentences that have a class."""

    def __init__(self, opinions: Any) -> None:
        tokenizer = encoder()[1]
        read = [(framed(tokenizer, [tokenizer.encode(x.text)]).ids, x.label) for x in opinions if x.label in LABELS]
        short = [(ids, label) for ids, label in read if len(ids) <= LONGEST]
        self.ids = [ids for ids, _ in short]
        self.lengths = np.array([len(ids) for ids in self.ids])
        self.labels = np.array([LABELS.index(label) for _, label in short])


def prepared(name: str) -> Rater:
    """The model, with what the method lets learn."""
    model = Rater().eval()
    if name == ALL:
        for layer in model.bert.layers:
            layer.requires_grad_(True)
    elif name != "head":
        add_lora(model.bert, 8, rng=np.random.default_rng(0))
    return model


def taught(name: str, train: Part, rate: float, steps: int = STEPS) -> tuple[Rater, float]:
    """The model after so many batches, and the processor's seconds per batch."""
    model, rng = prepared(name), np.random.default_rng(1)
    optimizer = AdamW([p for p in model.parameters() if p.requires_grad], lr=rate, weight_decay=0.01)
    start = time.process_time()
    for step in range(steps):
        rows = neighbors(train.lengths, BATCH, rng)
        optimizer.param_groups[0]["lr"] = rate * min(1.0, (step + 1) / 6) * (1 - step / steps)
        model.zero_grad()
        F.cross_entropy(model(*padded([train.ids[row] for row in rows])), ml.Tensor(train.labels[rows])).backward()
        optimizer.step()
    return model, (time.process_time() - start) / steps


@ml.no_grad()
def logits(model: Rater, part: Part) -> Any:
    """(n, 2)"""
    found = np.zeros((len(part.ids), 2), np.float32)
    for some in by_length(part.lengths, 64):
        found[some] = model(*padded([part.ids[row] for row in some])).numpy()
    return found


def right(found: Any, part: Part) -> Any:
    """1.0 for each sentence whose class is right."""
    return (found.argmax(axis=-1) == part.labels).astype(float)


# -- the student ------------------------------------------------------------------------------------------------------


class Student(nn.Module):
    """The mean of the word pieces' vectors, and one hidden layer."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__()
        self.words = nn.Embedding(30522, 64)
        self.hidden, self.head = nn.Linear(64, 64), nn.Linear(64, 2)
        nn.init.normal_(self.words.weight, 0.0, 0.1, rng)
        for layer in (self.hidden, self.head):
            nn.init.default_(layer.weight, layer.bias, rng)

    def forward(self, ids: Any, mask: Any) -> Any:
        """(B, T) -> (B, 2)"""
        share = mask / mask.sum(axis=1, keepdims=True)
        mean = (self.words(ids) * ml.Tensor(share[..., None].astype(np.float32))).sum(axis=1)
        return self.head(self.hidden(mean).relu())


def student(train: Part, teacher: Any, seed: int, steps: int = 400, rate: float = 3e-3, T: float = 2.0) -> Student:
    """A student after so many batches; `teacher`: logits (n, 2) of the training part, or None."""
    rng = np.random.default_rng(seed)
    model = Student(rng)
    optimizer = AdamW(model.parameters(), lr=rate, weight_decay=0.01)
    for step in range(steps):
        rows = neighbors(train.lengths, 64, rng)
        optimizer.param_groups[0]["lr"] = rate * (1 - step / steps)
        model.zero_grad()
        said = model(*padded([train.ids[row] for row in rows]))
        loss = F.cross_entropy(said, ml.Tensor(train.labels[rows]))
        if teacher is not None:
            loss = 0.5 * loss + 0.5 * F.distillation_loss(said, ml.Tensor(teacher[rows]), T)
        loss.backward()
        optimizer.step()
    return model


def of_another(teacher: Any, labels: Any) -> Any:
    """The logits of another sentence of the same class: as soft, but they know nothing of the sentence."""
    mixed, rng = teacher.copy(), np.random.default_rng(0)
    for label in (0, 1):
        rows = np.flatnonzero(labels == label)
        mixed[rows] = teacher[rng.permutation(rows)]
    return mixed


# -- the table --------------------------------------------------------------------------------------------------------


def measure() -> Iterator[dict[str, Any]]:
    """The rows of the table."""
    ml.set_num_threads(1)
    split = EnglishSentiment().split()
    train, validation, test = map(Part, (split.train, split.validation, split.test))
    found, rows = {}, {}
    for name, rates in RATES.items():
        runs = [taught(name, train, rate) for rate in rates]
        scores = [right(logits(model, validation), validation).mean() for model, _ in runs]
        model, seconds = runs[int(np.argmax(scores))]
        rows[name] = row(name, model, seconds) | {"rate": rates[int(np.argmax(scores))]}
        found[name] = right(logits(model, test), test)
    some = Part(split.train[:4000])  # what the student learns from
    teacher = logits(model, some)
    for name, given in (
        ("student, labels", None),
        ("student, labels and teacher", teacher),
        ("student, labels and a mixed-up teacher", of_another(teacher, some.labels)),
    ):
        start = time.process_time()
        models = [student(some, given, seed) for seed in range(3)]
        rows[name] = row(name, models[0], (time.process_time() - start) / 3 / 400)
        found[name] = np.mean([right(logits(each, test), test) for each in models], axis=0)
    for name, about in rows.items():
        against = "student, labels" if name.startswith("student") else ALL
        difference = None if name == against else of_mean(found[name] - found[against])
        yield about | {"accuracy": of_mean(found[name]), "more than the reference": difference}


def row(name: str, model: Any, seconds: float) -> dict[str, Any]:
    """What a method lets learn, the two means of AdamW for that, and the processor's seconds per batch."""
    learn = model.num_parameters(trainable=True)
    return {"what learns": name, "weights that learn": learn, "MB of AdamW": 8 * learn / 1e6, "s per batch": seconds}
