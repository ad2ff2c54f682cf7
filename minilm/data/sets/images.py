"""Images with labels: the samples of the table, and files in MNIST's own format."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minilm.data.errors import DataError
from minilm.data.idx import read_idx
from minilm.data.tables import load_table
from minilm.files import shown

from .fetch import get, get_files

Labeled = tuple[NDArray[Any], NDArray[Any]]
"""Images and their labels."""


def mnist_5k() -> tuple[NDArray[Any], NDArray[Any]]:
    """5,000 images of MNIST, 500 of each digit, fetched if need be.

    Returns images, uint8 of shape (5000, 28, 28), 0 (paper) to 255 (ink), and labels, int64 of shape (5000,). They are
    sorted by digit, so shuffle or split them with `train_test_split`. Raises DataError if they cannot be had.
    """
    return _last_column_is_label("mnist-5k", (28, 28))


def mnist() -> tuple[Labeled, Labeled]:
    """All of MNIST, fetched if need be: the part to learn from, and the test part, as its authors made them.

    Each is a pair of images, uint8 of shape (60000 or 10000, 28, 28), 0 (paper) to 255 (ink), and labels, int64. Raises DataError
    if they cannot be had.
    """
    train_images, train_labels, test_images, test_labels = get_files("mnist")
    return load_images(train_images, train_labels), load_images(test_images, test_labels)


def digits() -> tuple[NDArray[Any], NDArray[Any]]:
    """1,797 small images of digits, fetched if need be.

    Returns images, uint8 of shape (1797, 8, 8), values 0 to 16, and labels, int64 of shape (1797,). Raises DataError
    if they cannot be had.
    """
    return _last_column_is_label("digits", (8, 8))


def _last_column_is_label(name: str, shape: tuple[int, int]) -> tuple[NDArray[Any], NDArray[Any]]:
    values = load_table(get(name), header=False, dtype=np.uint8).values
    return values[:, :-1].reshape(-1, *shape), values[:, -1].astype(np.int64)


def load_images(source: str | Path, labels: str | Path | None = None) -> tuple[NDArray[Any], NDArray[Any]]:
    """Images of shape (n, height, width) and int64 labels of shape (n,).

    `source` is the name of a data set of images ("mnist-5k", "digits"), or the path of an idx file of images, and then
    `labels` is the path of its idx file of labels. Raises DataError if a file is missing or damaged, if the two hold
    different numbers, and if their shapes are not those of images and labels.
    """
    readers = {"mnist-5k": mnist_5k, "digits": digits}
    if isinstance(source, str) and source in readers:
        return readers[source]()
    if labels is None:
        raise DataError(
            f"load_images({str(source)!r}) needs labels=PATH, the idx file of the labels "
            f"(data sets that bring their own: {', '.join(readers)})"
        )
    images, answers = read_idx(source), read_idx(labels)
    if images.ndim != 3:
        raise DataError(f"{shown(source)} holds an array of shape {images.shape}, expected images (n, height, width)")
    if answers.ndim != 1 or answers.dtype.kind not in "iu":
        raise DataError(
            f"{shown(labels)} holds {answers.dtype} of shape {answers.shape}, expected one whole number an image"
        )
    if len(images) != len(answers):
        raise DataError(f"{shown(source)} holds {len(images)} images, but {shown(labels)} holds {len(answers)} labels")
    return images, answers.astype(np.int64)
