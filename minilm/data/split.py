"""Holding out a part of the data, or two: one to choose settings on, one to report on."""

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minilm.indices import positions

from .errors import DataError


def split_indices(
    n: int, fraction: float = 0.2, *, seed: int | np.random.Generator = 0, stratify: ArrayLike | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Two shuffled index arrays (train, test) that together hold every one of 0 .. n-1 once.

    The test part has round(fraction * n) indices. With `stratify`, the labels of the n examples, each class gives its
    share of them to within one example (the largest remainders are rounded up). The same seed gives the same split.
    Raises DataError if a part would be empty, or if the labels are not n.
    """
    if not 0.0 < fraction < 1.0:
        raise DataError(f"fraction = {fraction} must lie between 0 and 1")
    held_out = round(fraction * n)
    if not 0 < held_out < n:
        raise DataError(
            f"a fraction of {fraction} of {n} examples leaves {held_out} to test and {n - held_out} to train on"
        )
    order = np.random.default_rng(seed).permutation(n)
    if stratify is None:
        return order[held_out:], order[:held_out]
    labels = np.asarray(stratify)
    if labels.shape != (n,):
        raise DataError(f"stratify has shape {labels.shape}, expected one label for each of the {n} examples")
    chosen = _stratified(labels[order], held_out)
    return order[~chosen], order[chosen]


def _stratified(labels: NDArray[Any], held_out: int) -> NDArray[np.bool_]:
    """A mask of `held_out` true places in which each class is represented by its share."""
    _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    shares = counts * (held_out / len(labels))
    quotas = np.floor(shares).astype(np.int64)
    most_cut_off = np.argsort(quotas - shares, kind="stable")
    quotas[most_cut_off[: held_out - quotas.sum()]] += 1
    by_class = np.argsort(classes, kind="stable")
    rank = np.empty_like(by_class)
    rank[by_class] = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, positions(counts))
    chosen: NDArray[np.bool_] = rank < quotas[classes]
    return chosen


def train_test_split(
    *arrays: NDArray[Any], fraction: float = 0.2, seed: int | np.random.Generator = 0, stratify: ArrayLike | None = None
) -> tuple[NDArray[Any], ...]:
    """Split arrays of equal length in the same way: (a_train, a_test, b_train, b_test, ...).

    `fraction`, `seed` and `stratify` are those of `split_indices`. Raises DataError without arrays or if their lengths
    differ.
    """
    lengths = [len(array) for array in arrays]
    if len(set(lengths)) != 1:
        raise DataError(f"train_test_split needs one or more arrays of one length, got lengths {lengths}")
    train, test = split_indices(lengths[0], fraction, seed=seed, stratify=stratify)
    return tuple(array[part] for array in arrays for part in (train, test))


class Parts(NamedTuple):
    """The indices of three parts, int64, each shuffled; together they hold every index once.

    `train` is learned from, settings are chosen on `validation`, and `test` is read once, for the report.
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


def three_parts(
    n: int,
    shares: tuple[float, float, float] = (0.8, 0.1, 0.1),
    *,
    seed: int | np.random.Generator = 0,
    groups: Iterable[Hashable] | None = None,
    stratify: Iterable[Hashable] | None = None,
) -> Parts:
    """The indices 0 .. n-1 in three parts: training, validation, test.

    The groups are taken in an order that the seed draws, and each goes to the part that lacks most of its share. So no part has
    more than its share by a whole group, and without groups the sizes are right to within one example. The same seed
    gives the same parts; remove copies first (`minilm.data.without_copies`).

    Args:
        n: how many examples there are.
        shares: what each part gets of them; the three add up to 1.
        seed: a number, or a generator to draw from.
        groups: for each example what it belongs to (an article, a package, a defined word). A group is never cut: all of
            its examples are in one part.
        stratify: the label of each example. Each label is divided by itself, so that the parts have its share alike. With
            groups, the examples of a group must have one label.

    Raises:
        DataError: shares that are none, a wrong number of groups or labels, a group with two labels, a part that gets nothing.
    """
    wanted = _shares(shares)
    group_of = np.arange(n) if groups is None else _numbered("groups", groups, n)
    label_of = np.zeros(n, np.int64) if stratify is None else _numbered("stratify", stratify, n)
    by_group = np.argsort(group_of, kind="stable")
    members = np.split(by_group, np.flatnonzero(np.diff(group_of[by_group])) + 1) if n else []
    if groups is not None and stratify is not None:
        _check_one_label(members, label_of)
    rng = np.random.default_rng(seed)
    drawn = [members[number] for number in rng.permutation(len(members))]
    drawn.sort(key=lambda group: int(label_of[group[0]]))  # stable: within a label in the order that was drawn
    parts = _filled(drawn, label_of, wanted)
    sizes = [sum(map(len, part)) for part in parts]
    if min(sizes) == 0:
        raise DataError(
            f"{len(members)} {'examples' if groups is None else 'groups'} in shares of {shares} give parts of {sizes} "
            "examples: none may be empty. Give more of them, or another seed or other shares"
        )
    return Parts(*(rng.permutation(np.concatenate(part)) for part in parts))


def _filled(
    drawn: Sequence[NDArray[np.int64]], label_of: NDArray[np.int64], shares: Sequence[float]
) -> list[list[NDArray[np.int64]]]:
    """The groups of each part. What the labels before could not divide evenly is made up for by the next one."""
    counts = np.bincount(positions(label_of))
    parts: list[list[NDArray[np.int64]]] = [[] for _ in shares]
    missing, label = [0.0 for _ in shares], -1
    for group in drawn:
        if label_of[group[0]] != label:
            label = label_of[group[0]]
            missing = [m + share * float(counts[label]) for m, share in zip(missing, shares, strict=True)]
        part = missing.index(max(missing))
        parts[part].append(group)
        missing[part] -= len(group)
    return parts


def _shares(shares: Sequence[float]) -> list[float]:
    try:
        wanted = [float(share) for share in shares]
    except (TypeError, ValueError):
        wanted = []
    if len(wanted) != 3 or not all(0.0 < share < 1.0 for share in wanted) or abs(sum(wanted) - 1.0) > 1e-9:
        raise DataError(f"shares = {shares!r}: expected three numbers above 0 that add up to 1, as (0.8, 0.1, 0.1)")
    return wanted


def _numbered(name: str, values: Iterable[Hashable], n: int) -> NDArray[np.int64]:
    """The values by numbers, 0 for the one that comes first."""
    values = values.tolist() if isinstance(values, np.ndarray) else list(values)
    if len(values) != n:
        raise DataError(f"{name} has {len(values)} values, expected one for each of the {n} examples")
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(value, len(numbers)) for value in values], np.int64)


def _check_one_label(members: Sequence[NDArray[np.int64]], label_of: NDArray[np.int64]) -> None:
    for group in members:
        other = group[label_of[group] != label_of[group[0]]]
        if len(other):
            raise DataError(
                f"examples {group[0]} and {other[0]} are of one group and have different labels: a group that is not cut "
                "cannot be divided by labels. Leave out stratify"
            )
