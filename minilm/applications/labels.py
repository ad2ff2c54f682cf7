"""Texts with labels: examples, the files that they are read from, what is answered, and what is measured of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minilm.applications.application import Answer
from minilm.data import DataError
from minilm.metrics import Score, accuracy, calibration_error, confusion_matrix, f1
from minilm.strict_json import object_from
from minilm.types import HostArray

FILE = 'a line for each example: label, a tab, text; or a JSON object {"text": ..., "label": ...}'


class LabeledText(NamedTuple):
    """A text and its label.

    Attributes:
        group: what it belongs to, as mails do to a campaign: texts of one group depend on each other.
    """

    text: str
    label: str
    group: int


def read_labeled(path: Path) -> list[LabeledText]:
    """The examples of a file, whose form is `FILE`; empty lines are passed over, and each example is a group of its own.

    Raises:
        DataError: the file cannot be read, or what is wrong with which line.
    """
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is no text in UTF-8: byte 0x{error.object[error.start]:02x} at offset {error.start}."
        ) from None
    found: list[LabeledText] = []
    for number, line in enumerate(content.split("\n"), 1):
        if line.strip():
            try:
                found.append(LabeledText(*_labeled(line.removesuffix("\r")), len(found)))
            except ValueError as error:
                raise DataError(f"{path}, line {number}: {error}") from None
    return found


def _labeled(line: str) -> tuple[str, str]:
    label, tab, text = line.partition("\t")
    if line.lstrip().startswith("{"):
        fields = object_from(line.encode("utf-8"))
        text, label = fields.get("text", ""), fields.get("label", "")
    elif not tab:
        raise ValueError(f"no tab: expected {FILE}.")
    if not isinstance(text, str) or not isinstance(label, str) or not text.strip() or not label.strip():
        raise ValueError(f"no text or no label: expected {FILE}.")
    return text, label.strip()


def parse_text(line: str) -> str:
    """A text from a line of ``predict``'s input: the line, or the "text" of a JSON object, where line ends can be written.

    Raises:
        ValueError: there is no text.
    """
    text: Any = line
    if line.lstrip().startswith("{"):
        fields = object_from(line.encode("utf-8", "surrogatepass"))
        if "text" not in fields:
            raise ValueError('the object has no "text": expected {"text": ...}.')
        text = fields["text"]
    if not isinstance(text, str) or not text.strip():
        raise ValueError("it is empty: expected a text.")
    return text


def label_answers(labels: Sequence[str], probabilities: HostArray) -> list[Answer]:
    """Answers from the probabilities (n, K) of the labels: the likeliest one, its probability, and all of them."""
    return [
        {
            "label": labels[int(row.argmax())],
            "probability": float(row.max()),
            "probabilities": dict(zip(labels, row.tolist(), strict=True)),
        }
        for row in np.asarray(probabilities, np.float64)
    ]


def label_scores(examples: Sequence[LabeledText], answers: Sequence[Answer]) -> list[Score]:
    """Accuracy, the mean of the F1 of the labels, and the calibration error. Whole groups are drawn for their intervals.

    A label that occurs among the answers alone costs accuracy, and is no class of its own in the mean.
    """
    truth, said = [example.label for example in examples], [answer["label"] for answer in answers]
    right = [t == s for t, s in zip(truth, said, strict=True)]
    scores = [
        accuracy(truth, said),
        f1(truth, said, "macro", labels=sorted(set(truth))),
        calibration_error(right, [answer["probability"] for answer in answers]),
    ]
    return by_group(scores, examples)


def by_group(scores: Sequence[Score], examples: Sequence[LabeledText]) -> list[Score]:
    """The same numbers, with whole groups drawn for their intervals."""
    groups = [example.group for example in examples]
    return [score.by_group(groups) for score in scores]


def label_details(examples: Sequence[LabeledText], answers: Sequence[Answer]) -> Mapping[str, Any]:
    """How often which label was said where which was true, for a program."""
    labels, counts = confusion_matrix([each.label for each in examples], [answer["label"] for answer in answers])
    return {"confusion": {"labels": labels, "rows": "true", "columns": "said", "counts": counts.tolist()}}


def wrong_labels(examples: Sequence[LabeledText], answers: Sequence[Answer]) -> list[int]:
    """Which answers are wrong, those first that were most sure."""
    wrong = [
        i for i, (example, answer) in enumerate(zip(examples, answers, strict=True)) if example.label != answer["label"]
    ]
    return sorted(wrong, key=lambda i: -answers[i]["probability"])


__all__ = [
    "FILE",
    "LabeledText",
    "by_group",
    "label_answers",
    "label_details",
    "label_scores",
    "parse_text",
    "read_labeled",
    "wrong_labels",
]
