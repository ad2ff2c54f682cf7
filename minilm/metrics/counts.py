r"""Precision, recall and F1 from three counts per class, and their averages over classes: of labels and of spans alike.

For a class c three counts tell all: how often it is true and said, :math:`r_c` (right), how often it is true, :math:`t_c`, and how
often it is said, :math:`s_c`:

.. math:: P_c = \frac{r_c}{s_c}, \qquad R_c = \frac{r_c}{t_c}, \qquad F_c = \frac{2 P_c R_c}{P_c + R_c} = \frac{2 r_c}{s_c + t_c}

Several classes are averaged in one of three ways (van Rijsbergen 1979, *Information Retrieval*; Lewis 1991):

- "macro": the mean of the classes' numbers, each class counts alike;
- "weighted": their mean weighted by :math:`t_c`; 0 where something is said and nothing is true;
- "micro": the counts are summed over classes first.

What is divided by 0: precision of a class that is true but never said is 0, and so is recall of one that is said but never true. A
class that is neither has no number, and an average leaves it out (scikit-learn's ``zero_division=0`` counts it as 0 where it is named
in `labels`). That is decided for each draw of the bootstrap anew: a rare class that a draw lacks is no error of the system.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np

from minilm.metrics.score import Score
from minilm.types import HostArray

AVERAGES = ("macro", "micro", "weighted")
Number = Callable[[HostArray, HostArray, HostArray], HostArray]


def precision_of(right: HostArray, true: HostArray, said: HostArray) -> HostArray:
    """Right of what was said."""
    return _share(right, said, true + said)


def recall_of(right: HostArray, true: HostArray, said: HostArray) -> HostArray:
    """Right of what is true."""
    return _share(right, true, true + said)


def f1_of(right: HostArray, true: HostArray, said: HostArray) -> HostArray:
    """The harmonic mean of the two."""
    return _share(2 * right, true + said, true + said)


def _share(part: HostArray, whole: HostArray, occurs: HostArray) -> HostArray:
    """part / whole: 0 of an empty whole, NaN where the class does not occur."""
    return np.where(occurs > 0, part / np.where(whole > 0, whole, 1), np.nan)


def averaged(
    name: str, number: Number, rows: HostArray, classes: Sequence[Hashable], average: str, of: Hashable | None
) -> Score:
    """The average over classes of a number that follows from counts.

    Args:
        rows: (n, 3, classes): what each example adds to right, true and said.
        average: "macro", "micro" or "weighted"; of one class all are the same.
        of: the class, where there is only one.

    Raises:
        ValueError: there is no such average, or nothing of a class `of` is true or said.
    """
    if average not in AVERAGES:
        raise ValueError(f"there is no average {average!r}; there are {', '.join(AVERAGES)}.")
    if of is not None and not rows.any():
        raise ValueError(f"{name} of {of!r}: nothing is of this class, and nothing is said to be.")

    def statistic(*sums: HostArray) -> HostArray:
        counts = np.stack(sums).reshape(3, len(classes), -1)
        if average == "micro":
            return number(*counts.sum(axis=1))
        each, none = number(*counts), counts[1:].sum(axis=0) == 0
        weights = counts[1] if average == "weighted" else 1.0 - none
        total = weights.sum(axis=0)
        mean = (np.where(none, 0.0, each) * weights).sum(axis=0) / np.where(total > 0, total, 1)
        return np.where(none.all(axis=0), np.nan, mean)

    full = f"{name} of {of}" if of is not None else f"{name} ({average})"
    return Score.of_sums(full, rows.reshape(len(rows), -1), statistic)
