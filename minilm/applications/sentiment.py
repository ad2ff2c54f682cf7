"""Is an opinion positive or negative: what the Chinese and the English application have in common.

An example is a text and its label. A system answers with a label and the probabilities of both, and is measured by

- accuracy, which decides; F1; the area under the ROC curve, for which only the order of the probabilities counts; and the calibration
  error: of opinions called positive with a probability of 0.8, four out of five should be;
- accuracy on slices of the texts, where counting words is known to fail or to suffice: those with a negation ("not bad"), those with a
  contrast ("slow, but ..."), the short and the long ones.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from minilm.applications.application import Answer
from minilm.applications.labels import label_answers, parse_text
from minilm.applications.records import lines_of
from minilm.applications.trained import Trained
from minilm.metrics import Score, accuracy, auc, calibration_error, confusion_matrix, f1
from minilm.strict_json import object_from
from minilm.tensor import Tensor
from minilm.types import HostArray

LABELS = ("negative", "positive")
NEUTRAL = "neutral"
CLEAR, STRONGEST = (
    0.5,
    4.0,
)  # a mean rating nearer to 0 than the one has no class; ratings go from minus to plus the other


@dataclass(frozen=True)
class Opinion:
    """A text, and whether it is "positive" or "negative"; or "neutral": nothing is asked of it then.

    Attributes:
        rating: how positive, from -4 to 4; None: nobody said so.
    """

    text: str
    label: str
    rating: float | None = None


@dataclass(frozen=True)
class Words:
    """What slices of a language's texts are told by.

    Attributes:
        negation, contrast: patterns that such texts hold; upper and lower case are the same.
        unit: a pattern for what lengths are counted in, and `counted`, its name.
        short, long: a short text has at most so many, a long one at least.
    """

    negation: str
    contrast: str
    unit: str
    counted: str
    short: int
    long: int

    def slices(self, texts: Sequence[str]) -> dict[str, HostArray]:
        """Which texts belong to which slice, by its name: boolean arrays, (texts,)."""

        def found(pattern: str) -> HostArray:
            search = re.compile(pattern, re.IGNORECASE).search
            return np.array([search(text) is not None for text in texts], bool)

        lengths = np.array([len(re.findall(self.unit, text)) for text in texts], np.int64)
        return {
            "with a negation": found(self.negation),
            "with a contrast": found(self.contrast),
            f"up to {self.short} {self.counted}": lengths <= self.short,
            f"from {self.long} {self.counted}": lengths >= self.long,
        }


CHINESE = Words(
    negation="不(?!过)|没|无|别",  # 不过 is "but"
    contrast="但|不过|可是|虽然|尽管|然而|却",
    unit=r"\S",
    counted="characters",
    short=20,
    long=100,
)
ENGLISH = Words(
    negation=r"\b(no|not|nor|never|none|nothing|nobody|neither|cannot|without|hardly|barely|lacks?|lacking)\b|n't\b",
    contrast=r"\b(but|however|though|although|yet|despite|while|still|instead)\b",
    unit=r"[\w'-]+",
    counted="words",
    short=10,
    long=30,
)


class Sentiment(Trained[Opinion]):
    """A text's label, "positive" or "negative".

    Attributes:
        words: of its language.
        labels: those that an example of a file may have.
    """

    words: ClassVar[Words]
    labels: ClassVar[tuple[str, ...]] = LABELS
    file = 'each line a label, a tab and a text; or a JSON object, as {"label": "positive", "text": "..."}'

    def read(self, path: Path) -> list[Opinion]:
        return read_opinions(path, self.labels)

    def question(self, example: Opinion) -> str:
        return example.text

    def parse(self, line: str) -> str:
        return parse_text(line)

    def measure(self, examples: Sequence[Opinion], answers: Sequence[Answer]) -> list[Score]:
        examples, answers = _with_class(examples, answers)
        if not examples:
            return [unknown("accuracy", 1)]
        truth, said = [example.label for example in examples], [answer["label"] for answer in answers]
        right = np.array([t == s for t, s in zip(truth, said, strict=True)], float)
        positive = [answer["probabilities"]["positive"] for answer in answers]
        scores = [accuracy(truth, said), f1(truth, said, "macro", labels=sorted(set(truth)))]
        if len(set(truth)) == 2:
            scores.append(auc([label == "positive" for label in truth], positive))
        scores.append(calibration_error(right > 0, [answer["probability"] for answer in answers]))
        for name, within in self.words.slices([example.text for example in examples]).items():
            if within.any():
                rows = np.stack([right * within, within.astype(float)], axis=1)
                scores.append(Score.of_sums(f"accuracy {name}", rows, share))
        return scores

    def details(self, examples: Sequence[Opinion], answers: Sequence[Answer]) -> Mapping[str, Any]:
        examples, answers = _with_class(examples, answers)
        truth, said = [example.label for example in examples], [answer["label"] for answer in answers]
        labels, counts = confusion_matrix(truth, said, LABELS)
        slices = self.words.slices([example.text for example in examples])
        return {
            "confusion": {"labels": labels, "counts": counts.tolist()},
            "slices": {name: int(within.sum()) for name, within in slices.items()},
        }


def _with_class(examples: Sequence[Opinion], answers: Sequence[Answer]) -> tuple[list[Opinion], list[Answer]]:
    """The examples that are positive or negative, and the answers to them."""
    rows = [i for i, example in enumerate(examples) if example.label in LABELS]
    return [examples[i] for i in rows], [answers[i] for i in rows]


def answers_of(logits: Any) -> list[Answer]:
    """The answers of a system whose logits of "positive" are these, (n,)."""
    positive = 1 / (1 + np.exp(-np.asarray(logits, np.float64).reshape(-1)))
    return label_answers(LABELS, np.stack([1 - positive, positive], axis=1))


def share(part: HostArray, whole: HostArray) -> HostArray:
    """part / whole; NaN where the whole is 0."""
    return np.divide(part, whole, out=np.full_like(whole, np.nan), where=whole > 0)


def unknown(name: str, n: int) -> Score:
    """A number that examples without an answer of their own do not have: NaN."""
    return Score.of_sums(name, np.zeros((n, 2)), share)


def read_opinions(path: Path, labels: Sequence[str] = (*LABELS, NEUTRAL)) -> list[Opinion]:
    """The opinions of a file, whose form is `Sentiment.file`; empty lines are passed over.

    Raises:
        DataError: the file cannot be read, or what is wrong with which line.
    """
    return lines_of(path, lambda line: _opinion(line, labels))


def _opinion(line: str, labels: Sequence[str]) -> Opinion:
    label, _, text = line.partition("\t")
    given: Any = label.strip()
    if line.lstrip().startswith("{"):
        fields = object_from(line.encode())
        given, text = fields.get("label", fields.get("rating")), line
    text = parse_text(text).strip()
    opinion = Opinion(text, given)
    if given not in (*LABELS, NEUTRAL):
        try:
            rating = float(given)
        except (TypeError, ValueError):
            rating = math.nan
        opinion = Opinion(text, label_of(rating) if abs(rating) <= STRONGEST else "", rating)
    if opinion.label not in labels:
        raise ValueError(f"{given!r} is no label: expected {', '.join(labels)}, or a rating from -4 to 4 that is one.")
    return opinion


def label_of(rating: float) -> str:
    """The label that a mean rating stands for: that of its sign where it is clear, `CLEAR` or more from 0."""
    return NEUTRAL if abs(rating) < CLEAR else LABELS[int(rating > 0)]


def constant(values: Any, like: Tensor) -> Tensor:
    """Numbers of NumPy as a Tensor of the type and on the device of another one."""
    return Tensor(np.asarray(values).astype(like.dtype), device=like.device)


__all__ = [
    "CHINESE",
    "CLEAR",
    "ENGLISH",
    "LABELS",
    "Opinion",
    "Sentiment",
    "Words",
    "answers_of",
    "constant",
    "label_of",
    "read_opinions",
    "unknown",
]
