"""New tensors: constants, ranges, and random numbers from the engine's own generator (`minilm.random`).

Random numbers are drawn on the host, so that they are the same on every device, and saved and resumed with the run. Shapes may be
given as ``randn(2, 3)`` or ``randn((2, 3))``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm import random
from minilm.backend import Device, device_of, get_device, to_device
from minilm.convert import array_from
from minilm.ops.dtypes import dtype_of_numbers, get_default_dtype, number_dtype
from minilm.ops.spellings import one_or_many
from minilm.tensor import Tensor


def _chosen(dtype: Any, default: Any = None) -> np.dtype[Any]:
    """The dtype that was asked for, or the default: one that is given, or the float type of new Tensors."""
    return number_dtype(dtype) if dtype else default or get_default_dtype()


def _new(array: Any, dtype: Any, device: str | Device, requires_grad: bool) -> Tensor:
    """A Tensor of numbers that were made on the host."""
    return Tensor(to_device(np.asarray(array, _chosen(dtype)), device), requires_grad)


def tensor(
    data: Any,
    requires_grad: bool = False,
    *,
    dtype: Any = None,
    device: str | Device | None = None,
    name: str | None = None,
) -> Tensor:
    """A new leaf Tensor with a copy of `data`; see `Tensor` for the arguments."""
    array = array_from(data, dtype)
    return Tensor(array.copy(), requires_grad, device=device, name=name)


def zeros(*shape: int, dtype: Any = None, device: str | Device = "cpu", requires_grad: bool = False) -> Tensor:
    """Zeros, in the default float type: ``zeros(2, 3)`` or ``zeros((2, 3))``."""
    return Tensor(get_device(device).xp.zeros(one_or_many(shape), _chosen(dtype)), requires_grad)


def ones(*shape: int, dtype: Any = None, device: str | Device = "cpu", requires_grad: bool = False) -> Tensor:
    """Ones, in the default float type: ``ones(2, 3)`` or ``ones((2, 3))``."""
    return Tensor(get_device(device).xp.ones(one_or_many(shape), _chosen(dtype)), requires_grad)


def arange(*bounds: float, dtype: Any = None, device: str | Device = "cpu") -> Tensor:
    """``arange(stop)``, ``arange(start, stop)`` or ``arange(start, stop, step)``, as NumPy's."""
    array = np.arange(*bounds)
    return Tensor(array.astype(_chosen(dtype, dtype_of_numbers(array.dtype))), device=device)


def full(
    size: Any, fill_value: Any, *, dtype: Any = None, device: str | Device = "cpu", requires_grad: bool = False
) -> Tensor:
    """One number everywhere: ``full((2, 3), 0.5)``. The dtype is that of the number: bool, int64 or the default float type."""
    if dtype is None:
        value = fill_value.item() if hasattr(fill_value, "item") else fill_value
        dtype = np.bool_ if isinstance(value, bool) else np.int64 if isinstance(value, int) else None
    shape = (size,) if isinstance(size, int | np.integer) else tuple(size)
    return Tensor(get_device(device).xp.full(shape, fill_value, _chosen(dtype)), requires_grad)


def empty(*size: Any, dtype: Any = None, device: str | Device = "cpu", requires_grad: bool = False) -> Tensor:
    """Memory for numbers, which holds whatever was there: to be written before it is read."""
    return Tensor(get_device(device).xp.empty(one_or_many(size), _chosen(dtype)), requires_grad)


def _like(x: Any, device: Any) -> Device:
    """Where a tensor like x goes: to x's device, unless another is named."""
    return get_device(device) if device is not None else device_of(x.data if isinstance(x, Tensor) else x)


def zeros_like(x: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros of the shape, dtype and device of x."""
    return Tensor(_like(x, device).xp.zeros(x.shape, _chosen(dtype, x.dtype)), requires_grad)


def ones_like(x: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones of the shape, dtype and device of x."""
    return Tensor(_like(x, device).xp.ones(x.shape, _chosen(dtype, x.dtype)), requires_grad)


def full_like(x: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """One number everywhere, in the shape, dtype and device of x."""
    return Tensor(_like(x, device).xp.full(x.shape, fill_value, _chosen(dtype, x.dtype)), requires_grad)


def empty_like(x: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Memory of the shape, dtype and device of x, which holds whatever was there."""
    return Tensor(_like(x, device).xp.empty(x.shape, _chosen(dtype, x.dtype)), requires_grad)


def eye(
    n: int, m: int | None = None, *, dtype: Any = None, device: str | Device = "cpu", requires_grad: bool = False
) -> Tensor:
    """The identity matrix: n rows, m (default: n) columns, 1 on the diagonal and 0 elsewhere."""
    return Tensor(get_device(device).xp.eye(n, m, dtype=_chosen(dtype)), requires_grad)


def linspace(
    start: float,
    end: float,
    steps: int = 50,
    *,
    dtype: Any = None,
    device: str | Device = "cpu",
    requires_grad: bool = False,
) -> Tensor:
    """`steps` numbers with equal distances, from `start` to `end`, both included."""
    return _new(np.linspace(start, end, steps), dtype, device, requires_grad)


def logspace(
    start: float, end: float, steps: int = 50, base: float = 10.0, *, dtype: Any = None, device: str | Device = "cpu",
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """`steps` powers of `base`, with exponents at equal distances from `start` to `end`."""
    return _new(np.logspace(start, end, steps, base=base), dtype, device, requires_grad)


def tril_indices(row: int, col: int | None = None, offset: int = 0, *, device: str | Device = "cpu") -> Tensor:
    """The row and column numbers (a 2 x count tensor) of the lower triangle, up to the diagonal `offset` columns to the right."""
    return _new(np.stack(np.tril_indices(row, offset, col or row)), np.int64, device, False)


def triu_indices(row: int, col: int | None = None, offset: int = 0, *, device: str | Device = "cpu") -> Tensor:
    """The row and column numbers (a 2 x count tensor) of the upper triangle, from the diagonal `offset` columns to the right on."""
    return _new(np.stack(np.triu_indices(row, offset, col or row)), np.int64, device, False)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """`data` as a Tensor without a copy, where it is an array; a Tensor as it is."""
    if isinstance(data, Tensor):
        return data if dtype is None and device is None else data.to(dtype=dtype, device=device)
    return Tensor(data, dtype=dtype, device=device)


def from_numpy(array: np.ndarray[Any, Any]) -> Tensor:
    """A Tensor that shares the memory of a NumPy array.

    Raises:
        TypeError: it is no NumPy array.
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy: expected a NumPy array, got {type(array).__name__}; use tensor or as_tensor.")
    return Tensor(array)


def is_tensor(x: Any) -> bool:
    """Whether x is a Tensor."""
    return isinstance(x, Tensor)


# -- random numbers ---------------------------------------------------------------------------------------------------


def uniform_numbers(shape: tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any]:
    """Numbers in [0, 1), each of the equally many steps of a float type as likely: rounding would return 1 now and then."""
    bits = np.finfo(dtype).nmant + 1
    whole: np.ndarray[Any, Any] = random.generator().integers(0, 2**bits, shape)
    return (whole / 2.0**bits).astype(dtype)


def rand(*size: Any, dtype: Any = None, device: str | Device = "cpu", requires_grad: bool = False) -> Tensor:
    """Numbers drawn evenly from [0, 1)."""
    kind = np.dtype(_chosen(dtype))
    return _new(uniform_numbers(one_or_many(size), kind), kind, device, requires_grad)


def randn(*size: Any, dtype: Any = None, device: str | Device = "cpu", requires_grad: bool = False) -> Tensor:
    """Normal numbers, with mean 0 and standard deviation 1."""
    return _new(random.generator().standard_normal(one_or_many(size)), dtype, device, requires_grad)


def randint(
    *bounds_and_size: Any,
    low: int = 0,
    high: Any = None,
    size: Any = None,
    dtype: Any = np.int64,
    device: str | Device = "cpu",
) -> Tensor:
    """Integers, low <= n < high: ``randint(high, size)`` or ``randint(low, high, size)``; low is 0 if it is left out.

    Raises:
        TypeError: high or size is missing.
        ValueError: there is no integer from low to below high.
    """
    given = list(bounds_and_size)
    if size is None and given and isinstance(given[-1], tuple | list):
        size = given.pop()
    if len(given) == 2:
        low, high = given
    elif len(given) == 1 and high is None:
        high = given[0]
    elif given:
        low = given[0]
    if high is None or size is None:
        raise TypeError("randint: expected randint(high, size) or randint(low, high, size), with size a tuple.")
    if not low < high:
        raise ValueError(f"randint: no integer is at least {low} and below {high}.")
    return _new(random.generator().integers(low, high, tuple(size)), dtype, device, False)


def randperm(n: int, *, dtype: Any = np.int64, device: str | Device = "cpu") -> Tensor:
    """The integers 0 to n - 1 in random order."""
    return _new(random.generator().permutation(n), dtype, device, False)


def rand_like(x: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Numbers from [0, 1), in the shape, dtype and device of x."""
    return rand(x.shape, dtype=_chosen(dtype, x.dtype), device=_like(x, device), requires_grad=requires_grad)


def randn_like(x: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Normal numbers, in the shape, dtype and device of x."""
    return randn(x.shape, dtype=_chosen(dtype, x.dtype), device=_like(x, device), requires_grad=requires_grad)


def normal(
    mean: Any = 0.0, std: Any = 1.0, size: Any = None, *, dtype: Any = None, device: str | Device = "cpu"
) -> Tensor:
    """Normal numbers with this mean and standard deviation (numbers, or arrays for one each)."""
    mean, std = (x.numpy() if isinstance(x, Tensor) else x for x in (mean, std))
    return _new(random.generator().normal(mean, std, size), dtype, device, False)


def bernoulli(p: Any) -> Tensor:
    """1 with the probability p in each place, else 0: the shape, dtype and device of p, a float Tensor.

    Raises:
        ValueError: a number is no probability.
    """
    chances = p.numpy()
    if not ((chances >= 0) & (chances <= 1)).all():
        raise ValueError(f"bernoulli: probabilities are from 0 to 1, got {chances.min()} to {chances.max()}.")
    return _new(random.generator().random(p.shape) < chances, p.dtype, p.device, False)


def multinomial(weights: Any, num_samples: int, replacement: bool = False) -> Tensor:
    """Indices drawn in proportion to the weights in the last axis: ``(..., n) -> (..., num_samples)``, int64.

    Args:
        replacement: whether an index may be drawn twice.

    Raises:
        ValueError: weights are negative, not finite or all 0, or there are fewer than `num_samples` of them to draw without
            replacement.
    """
    numbers = weights.numpy().astype(np.float64)
    rows = numbers.reshape(-1, numbers.shape[-1])
    if not np.isfinite(rows).all() or (rows < 0).any() or (rows.sum(axis=1) == 0).any():
        raise ValueError("multinomial: weights are finite and not negative, and in each row one is above 0.")
    if not replacement and ((rows > 0).sum(axis=1) < num_samples).any():
        raise ValueError(f"multinomial: fewer than {num_samples} weights are above 0; draw with replacement=True.")
    draw = random.generator()
    drawn = [draw.choice(len(row), num_samples, replacement, row / row.sum()) for row in rows]
    return _new(np.reshape(drawn, (*numbers.shape[:-1], num_samples)), np.int64, weights.device, False)


__all__ = [
    "arange", "as_tensor", "bernoulli", "empty", "empty_like", "eye", "from_numpy", "full", "full_like", "is_tensor", "linspace",
    "logspace", "multinomial", "normal", "ones", "ones_like", "rand", "rand_like", "randint", "randn", "randn_like", "randperm",
    "tensor", "tril_indices", "triu_indices", "zeros", "zeros_like",
]  # fmt: skip
