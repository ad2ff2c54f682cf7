"""Holding out a part of the data."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
    rank[by_class] = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
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
