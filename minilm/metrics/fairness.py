r"""Whether decisions treat groups of people alike: differences of shares between groups, and two remedies.

A decision is yes or no, and so is the truth. Of a group g these shares are compared:

.. math:: P(\hat y = 1 \mid g), \qquad P(\hat y = 1 \mid y = 1, g), \qquad P(\hat y = 1 \mid y = 0, g), \qquad P(y = 1 \mid \hat y = 1, g)

the selection rate (demographic parity), the true and the false positive rate (equal opportunity, equalized odds: Hardt, Price, Srebro
2016, *Equality of Opportunity in Supervised Learning*), and the precision (predictive parity). They cannot all be alike where the base
rates :math:`P(y = 1 \mid g)` differ, unless the system is always right: `implied_false_positive_rate` (Chouldechova 2017, *Fair
prediction with disparate impact*; Kleinberg, Mullainathan, Raghavan 2016, *Inherent Trade-Offs in the Fair Determination of Risk Scores*).

A difference is that of two groups, signed, so that its interval may hold 0; without `between` it is of the highest and the lowest group,
never negative, and its interval lies high. A group in which nothing counts, say with no positive example, has no such share: NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minilm.metrics.checks import numbers, same_length, yes_or_no
from minilm.metrics.score import Score
from minilm.types import HostArray

Between = tuple[Hashable, Hashable]
STEPS = 200  # true positive rates that are tried


class Shares(NamedTuple):
    """What decisions are like in one group; a share of nothing is NaN.

    Attributes:
        n: how many people.
        base: the share of yes in the truth.
        selected: the share of yes among the decisions.
        true_positive: of those whose truth is yes, the share of yes.
        false_positive: of those whose truth is no, the share of yes.
        precision: of those who got yes, the share whose truth is yes.
        accuracy: the share of right decisions.
    """

    n: int
    base: float
    selected: float
    true_positive: float
    false_positive: float
    precision: float
    accuracy: float


def group_shares(truth: Any, answers: Any, groups: Sequence[Hashable]) -> dict[Any, Shares]:
    """The shares of each group, in the order in which the groups first occur.

    Args:
        truth, answers: (n,) yes or no.
        groups: (n,) the group of each: a name or a number.

    Raises:
        ValueError: there is no example, not one entry for each, or something else than yes and no.
    """
    y, said, of, names = _columns(truth, answers, groups)
    found = {}
    for number, name in enumerate(names):
        t, s = y[of == number], said[of == number]
        found[name] = Shares(
            len(t), t.mean(), s.mean(), _mean(s[t == 1]), _mean(s[t == 0]), _mean(t[s == 1]), float((t == s).mean())
        )
    return found


def group_scores(score: Callable[..., Score], groups: Sequence[Hashable], *columns: Any) -> dict[Any, Score]:
    """Any score of each group alone, as the calibration error: ``group_scores(calibration_error, groups, truth, probabilities)``.

    Args:
        score: of the columns.
        groups: (n,) the group of each example.
        columns: (n,) or (n, ...): what the score is of.

    Raises:
        ValueError: a column has not one entry per example; or as the score.
    """
    of, names = _numbered(groups)
    arrays = [np.asarray(column) for column in columns]
    for array in arrays:
        same_length(of, array)
    return {name: score(*(array[of == number] for array in arrays)) for number, name in enumerate(names)}


def demographic_parity_difference(answers: Any, groups: Sequence[Hashable], between: Between | None = None) -> Score:
    """How much more often one group gets a yes than another.

    Args:
        answers: (n,) yes or no.
        groups: (n,) the group of each.
        between: two of the groups, the first less the second; None: the highest less the lowest of all.

    Raises:
        ValueError: there is no example, not one group for each, something else than yes and no, or a group that does not occur.
    """
    said = yes_or_no("the answer", answers)
    rows = _rows(said, np.ones_like(said), groups)
    return _gap("demographic parity difference", [rows], groups, between)


def equal_opportunity_difference(
    truth: Any, answers: Any, groups: Sequence[Hashable], between: Between | None = None
) -> Score:
    """How much more often one group gets the yes that it deserves: the difference of true positive rates.

    Arguments and errors are those of `group_shares` and `demographic_parity_difference`.
    """
    y, said, *_ = _columns(truth, answers, groups)
    return _gap("equal opportunity difference", [_rows(said, y, groups)], groups, between)


def false_positive_difference(
    truth: Any, answers: Any, groups: Sequence[Hashable], between: Between | None = None
) -> Score:
    """How much more often one group gets a yes that it does not deserve: the difference of false positive rates.

    Arguments and errors are those of `equal_opportunity_difference`.
    """
    y, said, *_ = _columns(truth, answers, groups)
    return _gap("false positive difference", [_rows(said, 1 - y, groups)], groups, between)


def predictive_parity_difference(
    truth: Any, answers: Any, groups: Sequence[Hashable], between: Between | None = None
) -> Score:
    """How much more a yes is worth in one group: the difference of precisions.

    Arguments and errors are those of `equal_opportunity_difference`.
    """
    y, said, *_ = _columns(truth, answers, groups)
    return _gap("predictive parity difference", [_rows(y, said, groups)], groups, between)


def equalized_odds_difference(
    truth: Any, answers: Any, groups: Sequence[Hashable], between: Between | None = None
) -> Score:
    """The larger of the differences of true and of false positive rates, without its sign: 0 where both are alike.

    Arguments and errors are those of `equal_opportunity_difference`.
    """
    y, said, *_ = _columns(truth, answers, groups)
    tables = [_rows(said, y, groups), _rows(said, 1 - y, groups)]
    return _gap("equalized odds difference", tables, groups, between)


def implied_false_positive_rate(base: Any, precision: Any, true_positive: Any) -> Any:
    r"""The false positive rate that follows from the base rate p, the precision and the true positive rate (Chouldechova 2017).

    .. math:: \text{FPR} = \frac{p}{1 - p} \cdot \frac{1 - \text{precision}}{\text{precision}} \cdot \text{TPR}

    So where two groups have one precision and one true positive rate, but other base rates, their false positive rates differ. It takes
    numbers, arrays and Tensors; base and precision lie within 0 and 1.
    """
    return base / (1 - base) * (1 - precision) / precision * true_positive


def reweighting(truth: Any, groups: Sequence[Hashable]) -> HostArray:
    r"""A weight per example, under which the truth does not depend on the group (Kamiran and Calders 2012, *reweighing*).

    .. math:: w_i = \frac{P(g_i)\, P(y_i)}{P(g_i, y_i)} = \frac{n_{g_i}\, n_{y_i}}{n\, n_{g_i y_i}}

    The weights of each group, and of each label, sum to how many there are: only the two together change.

    Args:
        truth: (n,) a label per example; of any number of classes.
        groups: (n,) the group of each.

    Raises:
        ValueError: there is no example, or not one group for each.
    """
    same_length(truth, groups)
    y, of = _numbered(truth)[0], _numbered(groups)[0]
    table = np.zeros((of.max() + 1, y.max() + 1))
    np.add.at(table, (of, y), 1.0)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / len(y)
    return np.asarray((expected / np.maximum(table, 1.0))[of, y])


def equal_opportunity_thresholds(truth: Any, probabilities: Any, groups: Sequence[Hashable]) -> dict[Any, float]:
    """A threshold per group: a yes from this probability on gives all groups the same true positive rate, as far as can be.

    Of all such rates it is the one with the most right decisions (Hardt et al. 2016, without their random part). Choose
    them on other examples than those that are reported. Who decides by them has to know each person's group.

    Args:
        truth: (n,) yes or no.
        probabilities: (n,) of yes.
        groups: (n,) the group of each.

    Raises:
        ValueError: as `group_shares`; a probability is NaN or outside of 0 to 1; or a group has no example whose truth is yes.
    """
    p = numbers("the probability", probabilities, low=0, high=1)
    y, _, of, names = _columns(truth, np.zeros_like(p), groups)
    for number, name in enumerate(names):
        if not y[of == number].any():
            raise ValueError(f"group {name!r} has no example whose truth is yes: it has no true positive rate.")
    best: tuple[int, dict[Any, float]] = (-1, {})
    for rate in np.arange(1, STEPS + 1) / STEPS:
        cut = np.array([_cut(p[(of == number) & (y == 1)], rate) for number in range(len(names))])
        right = int(((p >= cut[of]) == y).sum())
        best = max(best, (right, dict(zip(names, cut.tolist(), strict=True))), key=lambda found: found[0])
    return best[1]


def _cut(positive: HostArray, rate: float) -> float:
    """The largest threshold that at least this share of the probabilities reach."""
    down = np.sort(positive)[::-1]
    return float(down[int(np.ceil(rate * len(down) - 1e-9)) - 1])


def _gap(name: str, tables: Sequence[HostArray], groups: Sequence[Hashable], between: Between | None) -> Score:
    """A difference of shares; of several tables of them the one that is largest, without its sign.

    Args:
        tables: (n, 2 G) each: for each group, what counts above and below the line.
    """
    places, many = _places(groups, between), len(tables) > 1

    def statistic(*sums: HostArray) -> HostArray:
        pairs = np.stack(sums).reshape(len(tables), -1, 2, len(sums[0]))
        shares = pairs[:, :, 0] / pairs[:, :, 1]  # (tables, G, draws)
        if places is None:
            return np.asarray((shares.max(axis=1) - shares.min(axis=1)).max(axis=0))
        gaps = shares[:, places[0]] - shares[:, places[1]]
        return np.asarray(np.abs(gaps).max(axis=0) if many else gaps[0])

    return Score.of_sums(name, np.concatenate(tables, axis=1), statistic, higher_is_better=False)


def _rows(above: HostArray, below: HostArray, groups: Sequence[Hashable]) -> HostArray:
    """(n, 2 G): in the two columns of its group, whether an example counts below the line, and above it."""
    same_length(above, groups)
    of, names = _numbered(groups)
    rows = np.zeros((len(of), len(names), 2))
    rows[np.arange(len(of)), of] = np.stack([above * below, below], axis=1)
    return rows.reshape(len(of), -1)


def _places(groups: Sequence[Hashable], between: Between | None) -> tuple[int, int] | None:
    names = _numbered(groups)[1]
    if between is None:
        return None
    for name in between:
        if name not in names:
            raise ValueError(f"there is no group {name!r}; there are {', '.join(map(repr, names))}.")
    first, second = between
    return names.index(first), names.index(second)


def _columns(truth: Any, answers: Any, groups: Sequence[Hashable]) -> tuple[HostArray, HostArray, HostArray, list[Any]]:
    same_length(truth, answers)
    same_length(truth, groups)
    return yes_or_no("the truth", truth), yes_or_no("the answer", answers), *_numbered(groups)


def _numbered(groups: Any) -> tuple[HostArray, list[Any]]:
    """The number of each one's group, (n,), and the groups in the order in which they first occur."""
    if isinstance(groups, (str, bytes)):
        raise ValueError(f"expected one group per example, got one text: {groups[:40]!r}.")
    names = list(dict.fromkeys(listed := np.asarray(groups).tolist() if isinstance(groups, np.ndarray) else groups))
    number = {name: i for i, name in enumerate(names)}
    return np.array([number[name] for name in listed], np.int64), names


def _mean(values: HostArray) -> float:
    return float(values.mean()) if len(values) else float("nan")


__all__ = [
    "Shares",
    "demographic_parity_difference",
    "equal_opportunity_difference",
    "equal_opportunity_thresholds",
    "equalized_odds_difference",
    "false_positive_difference",
    "group_scores",
    "group_shares",
    "implied_false_positive_rate",
    "predictive_parity_difference",
    "reweighting",
]
