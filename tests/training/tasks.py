"""Two tasks that are no language model, on the manual that every Python carries; both train in a second.

`MaskedText`: a bidirectional encoder says what stood at masked places of a text. `LinesBySection`: a classifier says from which
section of the manual a line is.
"""

from dataclasses import dataclass
from pydoc_data.topics import topics
from typing import NamedTuple

import numpy as np

from minilm import nn
from minilm.nn import functional as F
from minilm.training.run import Run
from minilm.training.settings import TrainConfig
from minilm.training.task import Task

SECTIONS = ("debugger", "formatstrings", "specialnames")
CHARACTERS = 128
MASK, UNMASKED = CHARACTERS, -100


class Encoder(nn.Module):
    """Transformer encoder layers over characters, each of which sees all others; a character is predicted at every place."""

    def __init__(self, length, width, layers):
        super().__init__()
        self.tokens = nn.Embedding(CHARACTERS + 1, width)
        self.positions = nn.LearnedPositions(length, width)
        self.layers = nn.ModuleList(
            [nn.TransformerEncoderLayer(width, 2, 2 * width, dropout=0.1, norm_first=True) for _ in range(layers)]
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, CHARACTERS)

    def forward(self, ids):
        x = self.positions(self.tokens(ids))
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x))

    def loss(self, ids, targets):
        return F.cross_entropy(self(ids).reshape(-1, CHARACTERS), targets.reshape(-1), ignore_index=UNMASKED)


class Parts(NamedTuple):
    """Data to learn from and data to be measured on."""

    train: np.ndarray
    validation: np.ndarray


@dataclass(frozen=True)
class MaskedText(Task):
    """Devlin et al. 2019, BERT, 3.1, with a mask at every chosen place, and as many in each row."""

    length: int = 16
    width: int = 16
    layers: int = 2
    masks: int = 3

    name = "masked text"
    unit = "nats per masked character"
    counted = "characters"
    glance = 64

    def make_model(self):
        return Encoder(self.length, self.width, self.layers)

    @property
    def units(self):
        return self.length

    def masked(self, rows, rng):
        chosen = rng.permuted(np.tile(np.arange(self.length) < self.masks, (len(rows), 1)), axis=1)
        return np.where(chosen, MASK, rows), np.where(chosen, rows, UNMASKED)

    def batch(self, data, batch_size, rng):
        starts = rng.integers(0, len(data.train) - self.length, batch_size)
        return self.masked(data.train[starts[:, None] + np.arange(self.length)], rng)

    def evaluate(self, model, data, most):
        rows = data.validation[: len(data.validation) // self.length * self.length].reshape(-1, self.length)[:most]
        return model.loss(*self.masked(rows, np.random.default_rng(0))).item()

    def data(self):
        ids = np.frombuffer(topics["specialnames"].encode("ascii", "replace"), np.uint8).astype(np.int64)[:20_000]
        return Parts(ids[:-2000], ids[-2000:])


class Classifier(nn.Module):
    """From how often each character is in a line to the scores of the sections, through one hidden layer."""

    def __init__(self, hidden):
        super().__init__()
        self.up = nn.Linear(CHARACTERS, hidden)
        self.dropout = nn.Dropout(0.2)
        self.down = nn.Linear(hidden, len(SECTIONS))

    def forward(self, counts):
        return self.down(self.dropout(F.relu(self.up(counts))))

    def loss(self, counts, sections):
        return F.cross_entropy(self(counts), sections)


@dataclass(frozen=True)
class LinesBySection(Task):
    hidden: int = 16

    name = "lines by section"
    unit = "nats per line"

    def make_model(self):
        return Classifier(self.hidden)

    def batch(self, data, batch_size, rng):
        return self.columns(data.train[rng.integers(0, len(data.train), batch_size)])

    def columns(self, rows):
        return rows[:, :-1], rows[:, -1].astype(np.int64)

    def evaluate(self, model, data, most):
        return model.loss(*self.columns(data.validation[:most])).item()

    def measures(self, model, data, loss):
        counts, sections = self.columns(data.validation)
        return {"accuracy": float((model(counts).numpy().argmax(axis=1) == sections).mean())}

    def data(self):
        rows = [
            np.append(np.bincount(np.frombuffer(line.encode("ascii", "replace"), np.uint8), minlength=CHARACTERS), i)
            for i, name in enumerate(SECTIONS)
            for line in topics[name].splitlines()
            if line.strip()
        ]
        rows = np.random.default_rng(0).permutation(np.array(rows, np.float32))
        rows[:, :-1] = np.log1p(rows[:, :-1])
        return Parts(rows[:-200], rows[-200:])


SETTINGS = {"steps": 20, "batch_size": 16, "learning_rate": 1e-2, "min_learning_rate": 1e-3, "warmup": 3, "eval_every": 5,
            "checkpoint_every": 4}  # fmt: skip


def task_run(folder, task, **settings):
    """A new run of a task, and the task's data."""
    return Run.create(folder, type(task), TrainConfig(**{**SETTINGS, **settings}), lambda _: task), task.data()
