"""What the tests of this chapter draw their inputs with, and what a task gives to those who have not done the one before."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from minilm.exercises.task import Generator

Inputs = Callable[[Generator], tuple[Any, ...]]


def fixed(*inputs: Any) -> Inputs:
    """The same inputs for everybody, small enough to be checked by hand; copies, since an answer may change what it is given."""
    return lambda rng: copy.deepcopy(inputs)


def normal(*shapes: tuple[int, ...], then: tuple[Any, ...] = (), dtype: str = "float64", scale: float = 1.0) -> Inputs:
    """An array of normal numbers for each shape, then what else the call takes."""
    return lambda rng: (*((scale * rng.standard_normal(shape)).astype(dtype) for shape in shapes), *then)


def own(rng: Generator) -> Generator:
    """A generator for the answer to draw from."""
    return np.random.default_rng(int(rng.integers(2**32)))


def the_value(answer: Any) -> Any:
    """For tasks that ask for a number: the answer is the result."""
    return answer


def im2col(x: Any, k: int, stride: int) -> Any:
    """The windows of k times k pixels of images (N, C, H, W), one per row: (N * rows * columns, C * k * k).

    Rows follow the images and, in each, the windows line by line; a row holds one channel after the other.
    """
    windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(2, 3))[:, :, ::stride, ::stride]
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(-1, x.shape[1] * k * k)
