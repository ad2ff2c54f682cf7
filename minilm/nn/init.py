r"""Where learning starts: the distributions from which weights are drawn.

A weight of shape ``(out, in, *kernel)`` has fan-in :math:`n_{in} = in \cdot |kernel|` and fan-out
:math:`n_{out} = out \cdot |kernel|`: how many numbers meet in one output, and how many outputs one input reaches. If x has
independent elements of variance 1, :math:`y = W x` has variance :math:`n_{in} \operatorname{Var}(W)`, which explodes or
vanishes with depth unless :math:`\operatorname{Var}(W) \approx 1/n_{in}`.

Every function overwrites its tensor, whatever its device, and returns it. Numbers are drawn on the host in float64 from `rng`
(default: the generator that `minilm.random.manual_seed` seeds) and then rounded, so one seed gives the same weights on every
device, and in float32 those of float64.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from contextvars import ContextVar

import numpy as np

from minilm import random
from minilm.backend import to_device
from minilm.graph import no_grad
from minilm.nn.module import Module
from minilm.tensor import Tensor
from minilm.types import HostArray

Rng = np.random.Generator | None
_drawing: ContextVar[bool] = ContextVar("drawing", default=True)


@contextlib.contextmanager
def without_drawing() -> Iterator[None]:
    """Within it, layers and models are made with zeros for all that would be drawn: for weights that are read from a file.

    Drawing them takes longer than reading them, and moves the generator on. The zeros take no memory until something is written there.
    """
    token = _drawing.set(False)
    try:
        yield
    finally:
        _drawing.reset(token)


def uniform_(tensor: Tensor, low: float = 0.0, high: float = 1.0, rng: Rng = None) -> Tensor:
    """Uniform in [low, high)."""
    if not _drawing.get():
        return tensor
    return _fill(tensor, _generator(rng).uniform(low, high, tensor.shape))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, rng: Rng = None) -> Tensor:
    """Normal with this mean and standard deviation."""
    if not _drawing.get():
        return tensor
    return _fill(tensor, _generator(rng).normal(mean, std, tensor.shape))


def constant_(tensor: Tensor, value: float) -> Tensor:
    """`value` everywhere."""
    with no_grad():
        return tensor.fill_(value)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, rng: Rng = None) -> Tensor:
    r"""Uniform in :math:`\pm\, gain \sqrt{6 / (n_{in} + n_{out})}`: variances stay forward and, on average, backward.

    Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, AISTATS 2010, eq. 16.
    """
    bound = gain * math.sqrt(6.0 / sum(fans(tensor)))
    return uniform_(tensor, -bound, bound, rng)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, rng: Rng = None) -> Tensor:
    r"""Normal with standard deviation :math:`gain \sqrt{2 / (n_{in} + n_{out})}` (Glorot and Bengio 2010, eq. 12)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(fans(tensor))), rng)


def kaiming_uniform_(
    tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", rng: Rng = None
) -> Tensor:
    r"""Uniform in :math:`\pm\, gain \sqrt{3 / n}`, which has the standard deviation of `kaiming_normal_`."""
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, rng)


def kaiming_normal_(
    tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", rng: Rng = None
) -> Tensor:
    r"""Normal with standard deviation :math:`gain / \sqrt n`.

    He et al., Delving deep into rectifiers, ICCV 2015, eq. 10 and 15: a ReLU halves the mean square, which the gain
    :math:`\sqrt 2` makes up for.

    Args:
        a: the negative slope of a leaky ReLU.
        mode: ``"fan_in"`` keeps the variance of the forward pass, ``"fan_out"`` that of the backward pass.
        nonlinearity: what follows; see `calculate_gain`.

    Raises:
        ValueError: the tensor has fewer than two axes, or `mode` or `nonlinearity` is unknown.
    """
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), rng)


def orthogonal_(tensor: Tensor, gain: float = 1.0, rng: Rng = None) -> Tensor:
    """A matrix with orthonormal rows or columns (the shorter of the two), times `gain`; further axes count as columns.

    It keeps the length of what it multiplies, so a linear network of any depth neither explodes nor vanishes.
    Saxe et al., Exact solutions to the nonlinear dynamics of learning in deep linear neural networks, ICLR 2014.
    """
    fans(tensor)
    if not _drawing.get():
        return tensor
    rows = tensor.shape[0]
    columns = tensor.size // rows
    q, r = np.linalg.qr(_generator(rng).standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.where(
        np.diag(r) < 0, -1.0, 1.0
    )  # QR chooses signs; undoing that makes every orthogonal matrix as likely
    return _fill(tensor, gain * (q if rows >= columns else q.T).reshape(tensor.shape))


def default_(weight: Tensor, bias: Tensor | None = None, rng: Rng = None) -> None:
    r"""What Linear and Conv start from: weight and bias uniform in :math:`\pm 1/\sqrt{n_{in}}`.

    For the weight this is ``kaiming_uniform_(a=sqrt(5))``, which is PyTorch's default too.
    """
    bound = 1.0 / math.sqrt(fans(weight)[0])
    uniform_(weight, -bound, bound, rng)
    if bias is not None:
        uniform_(bias, -bound, bound, rng)


def gpt2_(module: Module, n_layer: int, residual: Sequence[str] = ("out_proj", "down"), rng: Rng = None) -> None:
    r"""GPT-2's start for a whole model: matrices normal with standard deviation 0.02, biases zero.

    The matrices that write into the residual stream have standard deviation :math:`0.02 / \sqrt{2 L}`: after L blocks with two
    additions each, the stream's variance is as if one full-sized term had been added. Vectors that are no biases
    (LayerNorm's weights) stay as they are. Radford et al., Language models are unsupervised multitask learners, 2019, 2.3.

    Args:
        n_layer: the number L of blocks.
        residual: what the names of the layers that hold those matrices end in.

    Raises:
        ValueError: no parameter has such a name, or `n_layer` is below 1.
    """
    if n_layer < 1:
        raise ValueError(f"gpt2_: n_layer must be at least 1, got {n_layer}.")
    ends = tuple(f"{layer}.weight" for layer in residual)
    if not any(name.endswith(ends) for name, _ in module.named_parameters()):
        raise ValueError(
            f"gpt2_: no parameter's name ends in {' or '.join(ends)}; name those layers with residual=(...)."
        )
    for name, p in module.named_parameters():
        if p.ndim >= 2:
            normal_(p, 0.0, 0.02 / math.sqrt(2 * n_layer) if name.endswith(ends) else 0.02, rng)
        elif name.endswith("bias"):
            constant_(p, 0.0)


def calculate_gain(nonlinearity: str, a: float = 0.01) -> float:
    """The factor by which weights must be larger to make up for what a non-linearity takes from the standard deviation.

    Args:
        nonlinearity: ``"linear"``, ``"sigmoid"``, ``"tanh"``, ``"relu"`` or ``"leaky_relu"`` (with negative slope `a`).

    Raises:
        ValueError: another name.
    """
    gains = {
        "linear": 1.0,
        "sigmoid": 1.0,
        "tanh": 5.0 / 3.0,
        "relu": math.sqrt(2.0),
        "leaky_relu": math.sqrt(2.0 / (1.0 + a * a)),
    }
    if nonlinearity not in gains:
        raise ValueError(f"calculate_gain: unknown nonlinearity {nonlinearity!r}; expected one of {', '.join(gains)}.")
    return gains[nonlinearity]


def fans(tensor: Tensor) -> tuple[int, int]:
    """Fan-in and fan-out of a weight ``(out, in, *kernel)``.

    Raises:
        ValueError: the tensor has fewer than two axes, or one of size 0.
    """
    if tensor.ndim < 2 or tensor.size == 0:
        raise ValueError(f"fan-in and fan-out need a weight of shape (out, in, ...), got {tensor.shape}.")
    kernel = math.prod(tensor.shape[2:])
    return tensor.shape[1] * kernel, tensor.shape[0] * kernel


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode must be 'fan_in' or 'fan_out', got {mode!r}.")
    return calculate_gain(nonlinearity, a) / math.sqrt(fans(tensor)[mode == "fan_out"])


def _generator(rng: Rng) -> np.random.Generator:
    return random.generator() if rng is None else rng


def _fill(tensor: Tensor, numbers: HostArray) -> Tensor:
    with no_grad():
        return tensor.copy_(to_device(numbers.astype(tensor.dtype), tensor.device))


__all__ = [
    "calculate_gain",
    "constant_",
    "default_",
    "fans",
    "gpt2_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "orthogonal_",
    "uniform_",
    "without_drawing",
    "xavier_normal_",
    "xavier_uniform_",
]
