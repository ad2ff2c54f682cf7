"""Small made-up applications: which of three colors a line names (trained), and how many words it has (nothing trained).

A test puts them among the others with `place`.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minilm import nn
from minilm.applications import PLACES
from minilm.applications.application import Application, Split
from minilm.applications.trained import ApplicationTask, Trained
from minilm.data import DataError
from minilm.metrics import Score
from minilm.nn import functional as F
from minilm.training.task import RunFile

COLORS = ("red", "green", "blue")
WORDS = ("a", "the", "small", "old", "house", "door", "car")


class Example(NamedTuple):
    text: str
    color: str


def made(n, seed):
    rng = np.random.default_rng(seed)
    colors = rng.integers(0, 3, n)
    return [
        Example(" ".join([*rng.choice(WORDS, 3), COLORS[color] if rng.random() < 0.8 else "gray"]), COLORS[color])
        for color in colors
    ]


class Bag(nn.Module):
    """Scores of the colors from which words are there."""

    def __init__(self, words):
        super().__init__()
        self.dropout, self.head = nn.Dropout(0.1), nn.Linear(words, len(COLORS))

    def forward(self, rows):
        return self.head(self.dropout(rows))

    def loss(self, rows, colors):
        return F.cross_entropy(self(rows), colors)


@dataclass(frozen=True)
class ColorTask(ApplicationTask):
    words: int

    name = "color"
    files = (RunFile("words.txt", "the words that are known", ("resume", "generate"), True),)
    settings = {
        "steps": 12,
        "batch_size": 8,
        "eval_every": 4,
        "checkpoint_every": 3,
        "warmup": 2,
        "learning_rate": 0.3,
    }

    def make_model(self):
        return Bag(self.words)

    def batch(self, data, batch_size, rng):
        chosen = rng.integers(0, len(data.train[1]), batch_size)
        return data.train[0][chosen], data.train[1][chosen]

    def evaluate(self, model, data, most):
        rows, colors = data.validation
        return model.loss(rows[:most], colors[:most]).item()


class Color(Trained[Example]):
    name = "color"
    title = "Which color a line names"
    datasets = ("python-docs",)
    line = "the small house is red"
    file = "a line for each example: text, a tab, color"
    task = ColorTask
    brief = {"steps": 6}
    parts = (made(80, 1), made(20, 2), made(40, 3))
    reads = 0  # how often the test part was asked

    def split(self):
        return Split(*self.parts, "Made up.")

    def read(self, path: Path):
        rows = [line.split("\t") for line in path.read_text("utf-8").splitlines()]
        for number, row in enumerate(rows, 1):
            if len(row) != 2 or row[1] not in COLORS:
                raise DataError(f"{path}, line {number}: expected a text, a tab and one of {', '.join(COLORS)}.")
        return [Example(*row) for row in rows]

    def question(self, example):
        return example.text

    def parse(self, line):
        if not line.strip():
            raise ValueError("it is empty.")
        return line

    def learn(self, split, sha256):
        words = sorted({word for example in split.train for word in example.text.split()})
        return ColorTask(sha256, len(words)), {"words.txt": "\n".join(words).encode()}

    def encode(self, task, folder, examples):
        colors = np.array([COLORS.index(example.color) for example in examples])
        return self.rows(folder, [example.text for example in examples]), colors

    def rows(self, folder, texts):
        words = (folder / "words.txt").read_text("utf-8").split("\n")
        found = [[word in text.split() for word in words] for text in texts]
        return np.array(found, np.float32).reshape(len(texts), len(words))

    def system(self, model, task, folder):
        def answer(questions):
            if any("refuse" in question for question in questions):
                raise ValueError("this word is refused.")
            Color.reads += len(questions) == len(self.parts[2])
            logits = model(self.rows(folder, questions)).numpy()
            return [{"color": COLORS[i]} for i in logits.argmax(axis=1)]

        return answer

    def baselines(self):
        def most_frequent(split):
            colors = [example.color for example in split.train]
            color = max(COLORS, key=colors.count)
            return lambda questions: [{"color": color} for _ in questions]

        return {"most frequent": most_frequent}

    def measure(self, examples, answers):
        right = [example.color == answer["color"] for example, answer in zip(examples, answers, strict=True)]
        return [Score.mean("accuracy", right)]

    def details(self, examples, answers):
        return {"answered": {color: sum(answer["color"] == color for answer in answers) for color in COLORS}}

    def limits(self):
        return ("It knows three colors.",)


class Length(Application[Example]):
    name = "length"
    title = "How many words a line has"
    line = "four words are here"

    def split(self):
        return Color().split()

    def read(self, path):
        return Color().read(path)

    def question(self, example):
        return example.text

    def parse(self, line):
        return line

    def open(self, folder, device):
        return lambda questions: [{"words": len(question.split())} for question in questions]

    def measure(self, examples, answers):
        return [Score.mean("error", [abs(answer["words"] - 4) for answer in answers], higher_is_better=False)]


def place(patch):
    """Puts them among the applications."""
    patch.setitem(sys.modules, "minilm.applications.made_up", sys.modules[__name__])
    patch.setitem(PLACES, "color", "made_up:Color")
    patch.setitem(PLACES, "length", "made_up:Length")
