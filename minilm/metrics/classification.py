"""How many labels are right, and of which classes: accuracy, precision, recall, F1, the table of confusions.

The formulas, the averages over classes, and what happens where a class has no examples, stand in `minilm.metrics.counts`. An average
"micro" over all classes is the accuracy; over some of them (`labels`) it is not.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minilm.metrics.checks import same_length
from minilm.metrics.counts import Number, averaged, f1_of, precision_of, recall_of
from minilm.metrics.score import Score
from minilm.types import HostArray


class Confusion(NamedTuple):
    """How often which class was said where which was true.

    Attributes:
        labels: the classes, in order.
        counts: (classes, classes) integers: a row is what is true, a column what was said.
    """

    labels: list[Any]
    counts: HostArray


def accuracy(truth: Sequence[Hashable], answers: Sequence[Hashable]) -> Score:
    """The share of examples whose label is right.

    Raises:
        ValueError: there is no example, or not one answer for each.
    """
    same_length(truth, answers)
    return Score.mean("accuracy", [t == a for t, a in zip(truth, answers, strict=True)])


def confusion_matrix(
    truth: Sequence[Hashable], answers: Sequence[Hashable], labels: Sequence[Hashable] | None = None
) -> Confusion:
    """How often which class was said where which was true; the examples of a class that is not among `labels` are left out.

    Args:
        labels: the classes and their order; None: all that occur, sorted.

    Raises:
        ValueError: there is no example, or not one answer for each.
    """
    classes, true, said = _classes(truth, answers, labels)
    counts = np.zeros((len(classes), len(classes)), np.int64)
    known = (true >= 0) & (said >= 0)
    np.add.at(counts, (true[known], said[known]), 1)
    return Confusion(classes, counts)


def precision(
    truth: Sequence[Hashable],
    answers: Sequence[Hashable],
    average: str = "macro",
    *,
    of: Hashable | None = None,
    labels: Sequence[Hashable] | None = None,
) -> Score:
    """Of the examples that are said to be of a class, the share that is.

    Args:
        average: of the classes: "macro", "micro" or "weighted".
        of: one class, whose own number is wanted; `average` is not used then.
        labels: the classes that are averaged; None: all that occur.

    Raises:
        ValueError: there is no example, not one answer for each, no such average, or a class of which nothing is true or said.
    """
    return _score("precision", precision_of, truth, answers, average, of, labels)


def recall(
    truth: Sequence[Hashable],
    answers: Sequence[Hashable],
    average: str = "macro",
    *,
    of: Hashable | None = None,
    labels: Sequence[Hashable] | None = None,
) -> Score:
    """Of the examples of a class, the share that is said to be. Arguments and errors are those of `precision`."""
    return _score("recall", recall_of, truth, answers, average, of, labels)


def f1(
    truth: Sequence[Hashable],
    answers: Sequence[Hashable],
    average: str = "macro",
    *,
    of: Hashable | None = None,
    labels: Sequence[Hashable] | None = None,
) -> Score:
    """The harmonic mean of precision and recall. Arguments and errors are those of `precision`."""
    return _score("F1", f1_of, truth, answers, average, of, labels)


def per_class(truth: Sequence[Hashable], answers: Sequence[Hashable]) -> dict[Any, tuple[Score, Score, Score]]:
    """Precision, recall and F1 of each class that occurs, in sorted order. Errors are those of `precision`."""
    classes, *_ = _classes(truth, answers, None)
    return {c: tuple(metric(truth, answers, of=c) for metric in (precision, recall, f1)) for c in classes}  # type: ignore[misc]


def _score(
    name: str,
    number: Number,
    truth: Sequence[Hashable],
    answers: Sequence[Hashable],
    average: str,
    of: Hashable | None,
    labels: Sequence[Hashable] | None,
) -> Score:
    classes, true, said = _classes(truth, answers, [of] if of is not None else labels)
    k = np.arange(len(classes))
    is_true, is_said = true[:, None] == k, said[:, None] == k
    return averaged(name, number, np.stack([is_true & is_said, is_true, is_said], axis=1), classes, average, of)


def _classes(
    truth: Sequence[Hashable], answers: Sequence[Hashable], labels: Sequence[Hashable] | None
) -> tuple[list[Any], HostArray, HostArray]:
    """The classes, and the number of that which is true and of that which is said, for each example; -1 for none of them."""
    same_length(truth, answers)
    if labels is None:
        found = {*_plain(truth), *_plain(answers)}
        try:
            classes = sorted(found)  # type: ignore[type-var]
        except TypeError:  # labels of several kinds have no order of their own
            classes = sorted(found, key=lambda label: (type(label).__name__, str(label)))
    else:
        classes = list(dict.fromkeys(_plain(labels)))
        if not classes:
            raise ValueError("labels names no class.")
    number = {c: i for i, c in enumerate(classes)}
    true, said = (np.array([number.get(label, -1) for label in _plain(part)]) for part in (truth, answers))
    return list(classes), true, said


def _plain(labels: Any) -> list[Hashable]:
    """Labels as Python has them: an array's integers would be printed as np.int64(1)."""
    return labels.tolist() if isinstance(labels, np.ndarray) else list(labels)
