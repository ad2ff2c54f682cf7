r"""First and second derivatives against central differences.

.. math:: \frac{\partial s}{\partial x_i} = \frac{s(x + \varepsilon e_i) - s(x - \varepsilon e_i)}{2 \varepsilon} + O(\varepsilon^2),
    \qquad s(x) = \sum_k \langle v_k, f_k(x) \rangle

The :math:`v_k` are random: with all ones, errors that cancel in the sum (a softmax's rows) would not be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minilm.backend import to_device
from minilm.backend.cuda.cublas import without_tf32
from minilm.graph import enable_grad, is_grad_enabled, no_grad
from minilm.tensor import Tensor, grad

Float64 = np.ndarray[Any, np.dtype[np.float64]]


class GradcheckError(AssertionError):
    """A gradient differs from the central difference."""


@without_tf32()
def gradcheck(
    f: Callable[..., Any],
    *inputs: Any,
    eps: float = 1e-6,
    rtol: float = 1e-5,
    atol: float = 1e-7,
    directions: int | None = None,
    seed: int = 0,
) -> bool:
    r"""Compares the gradient of `f` with central differences, for every float64 input that requires a gradient.

    Args:
        f: takes `inputs`, returns a Tensor or several. It must be a function: the same inputs give the same outputs.
        inputs: Tensors to differentiate by are float64 leaves that require a gradient; everything else is passed as it is. Their
            numbers are changed in place and put back, so that `f` may also reach them otherwise, as a model does its parameters.
        eps: the step :math:`\varepsilon`.
        rtol, atol: passes where ``|analytic - numeric| <= atol + rtol * |numeric|``.
        directions: None checks every element; a number checks so many random directions of each input, for large ones.
        seed: of the random upstream gradients and directions.

    Returns:
        True.

    Raises:
        GradcheckError: names the input, the element, both values, their ratio, and the likely cause.
        TypeError: an input to differentiate by is not float64, or there is none.
    """
    rng = np.random.default_rng(seed)
    variables = _variables(inputs)
    upstream = [_like(rng.standard_normal(y.shape), y) for y in _evaluate(f, inputs)]
    with enable_grad():
        outputs = _outputs(f(*inputs))
        pairs = [(y, v) for y, v in zip(outputs, upstream, strict=True) if y.requires_grad]
        if not pairs:
            raise GradcheckError(
                "no output depends on the inputs through recorded ops: was the graph cut by .data or .detach()?"
            )
        ys, vs = zip(*pairs, strict=True)
        analytic = grad(ys, [inputs[i] for i in variables], vs, allow_unused=True)
    for i, g in zip(variables, analytic, strict=True):
        if directions is None:
            _check_elements(f, inputs, i, upstream, g.numpy(), eps, rtol, atol)
        else:
            _check_directions(f, inputs, i, upstream, g.numpy(), eps, rtol, atol, directions, rng)
    return True


@without_tf32()
def gradgradcheck(f: Callable[..., Any], *inputs: Any, seed: int = 0, **options: Any) -> bool:
    r"""`gradcheck` of the gradient itself: of :math:`(x, v) \mapsto J_f(x)^\top v`, by x and by v.

    Arguments and errors are those of `gradcheck`. The differences are those of the gradient as it is computed without a graph of its
    own, in about half the time, so one that is another with such a graph is found, too.
    """
    rng = np.random.default_rng(seed + 1)
    variables = _variables(inputs)
    upstream = []
    for y in _evaluate(f, inputs):
        v = _like(rng.standard_normal(y.shape), y)
        upstream.append(v.requires_grad_())

    def gradient(*arguments: Any) -> tuple[Tensor, ...]:
        xs, vs, recorded = arguments[: len(inputs)], arguments[len(inputs) :], is_grad_enabled()
        with enable_grad():
            pairs = [(y, v) for y, v in zip(_outputs(f(*xs)), vs, strict=True) if y.requires_grad]
            ys, gs = zip(*pairs, strict=True)
            return grad(ys, [xs[i] for i in variables], gs, create_graph=recorded, allow_unused=True)

    with enable_grad():
        constant = not any(g.requires_grad for g in gradient(*inputs, *upstream))
    if constant:
        return True
    return gradcheck(gradient, *inputs, *upstream, seed=seed, **options)


def _variables(inputs: Sequence[Any]) -> list[int]:
    found = [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
    for i in found:
        if inputs[i].dtype != np.float64:
            raise TypeError(
                f"gradcheck: input {i} is {inputs[i].dtype}; central differences need float64, since a step of 1e-6 drowns in "
                "float32's rounding. Use .double() or dtype='float64'."
            )
        if not inputs[i].is_leaf:
            raise TypeError(
                f"gradcheck: input {i} is the result of {inputs[i].grad_fn.op.name}; use .detach().requires_grad_()."
            )
    if not found:
        raise TypeError("gradcheck: no input requires a gradient; make the inputs with requires_grad=True.")
    return found


def _outputs(result: Any) -> list[Tensor]:
    """The outputs of a function that have gradients: positions and truth values beside them (as `sort` returns) have none."""
    return [y for y in ([result] if isinstance(result, Tensor) else result) if y.dtype.kind == "f"]


def _evaluate(f: Callable[..., Any], inputs: Sequence[Any]) -> list[Tensor]:
    with no_grad():
        return _outputs(f(*inputs))


def _like(array: Any, like: Tensor) -> Tensor:
    """A Tensor on the device of `like`."""
    return Tensor(to_device(np.asarray(array, like.dtype), like.device))


def _projected(f: Callable[..., Any], inputs: Sequence[Any], i: int, x: Float64, upstream: Sequence[Tensor]) -> float:
    """s = sum of <v, f> with the numbers of input i replaced by x. They are put back."""
    array = inputs[i].data
    before = array.copy()
    array[...] = to_device(np.asarray(x), inputs[i].device)
    inputs[i].bump_version()
    try:
        pairs = zip(_evaluate(f, inputs), upstream, strict=True)
        return float(sum((y.numpy() * v.numpy()).sum() for y, v in pairs))
    finally:
        array[...] = before


def _difference(f: Any, inputs: Sequence[Any], i: int, step: Float64, upstream: Sequence[Tensor], eps: float) -> float:
    x = inputs[i].numpy()
    above, below = (_projected(f, inputs, i, x + sign * eps * step, upstream) for sign in (1.0, -1.0))
    return (above - below) / (2 * eps)


def _check_elements(
    f: Any,
    inputs: Sequence[Any],
    i: int,
    upstream: Sequence[Tensor],
    analytic: Float64,
    eps: float,
    rtol: float,
    atol: float,
) -> None:
    numeric = np.zeros(analytic.shape)
    step: Float64 = np.zeros(analytic.shape)
    for element in np.ndindex(*analytic.shape):
        step[element] = 1.0
        numeric[element] = _difference(f, inputs, i, step, upstream, eps)
        step[element] = 0.0
    wrong = ~(np.abs(analytic - numeric) <= atol + rtol * np.abs(numeric))
    if not wrong.any():
        return
    error = np.where(wrong, np.abs(analytic - numeric), -1.0)
    worst = tuple(
        int(k) for k in np.unravel_index(int(np.argmax(np.where(np.isnan(error), np.inf, error))), error.shape)
    )
    a, n = analytic[worst], numeric[worst]
    ratio = f"{a / n:.6g}" if n else "undefined"
    raise GradcheckError(
        f"input {i}{_name(inputs[i])} {analytic.shape}, element {worst}: the gradient is {a:.10g}, the central difference {n:.10g} "
        f"(ratio {ratio}); {int(wrong.sum())} of {wrong.size} elements differ. {likely_cause(analytic, numeric)}"
    )


def _check_directions(
    f: Any,
    inputs: Sequence[Any],
    i: int,
    upstream: Sequence[Tensor],
    analytic: Float64,
    eps: float,
    rtol: float,
    atol: float,
    directions: int,
    rng: np.random.Generator,
) -> None:
    for k in range(directions):
        step: Float64 = np.asarray(rng.standard_normal(analytic.shape))
        step /= max(float(np.linalg.norm(step)), 1e-300)
        a, n = float((analytic * step).sum()), _difference(f, inputs, i, step, upstream, eps)
        if not abs(a - n) <= atol + rtol * abs(n):
            raise GradcheckError(
                f"input {i}{_name(inputs[i])} {analytic.shape}, random direction {k}: the gradient along it is {a:.10g}, the central "
                f"difference {n:.10g} (ratio {a / n if n else float('nan'):.6g}). Check all elements (directions=None) for the cause."
            )


def _name(x: Tensor) -> str:
    return f" '{x.name}'" if x.name else ""


def likely_cause(analytic: Float64, numeric: Float64) -> str:
    """What the pattern of the two gradients suggests; an empty string where it suggests nothing."""
    if not np.isfinite(analytic).all():
        return "The gradient is not finite: a division by zero, or 0 * infinity, in the backward rule?"
    if not analytic.any():
        return "The gradient is zero everywhere: the graph was cut (.data, .detach()), or the rule forgets this input?"
    if np.allclose(analytic, -numeric, rtol=1e-4, atol=1e-8):
        return "The sign is reversed."
    square = analytic.ndim >= 2 and analytic.shape[-1] == analytic.shape[-2] > 1
    if square and np.allclose(np.swapaxes(analytic, -1, -2), numeric, rtol=1e-4, atol=1e-8):
        return "It is the transpose of the right gradient."
    large = np.abs(numeric) > 1e-3 * np.abs(numeric).max()
    ratios = analytic[large] / numeric[large] if large.any() else np.array([np.nan])
    ratio = float(np.median(ratios))
    if np.allclose(ratios, ratio, rtol=1e-3):
        return _constant_ratio(ratio, analytic.shape)
    if analytic.ndim and np.allclose(analytic - numeric, (analytic - numeric).reshape(-1)[0], rtol=1e-3, atol=1e-8):
        return "It is off by the same amount everywhere: a term that is summed over the elements (a mean's share?) is missing."
    if np.allclose(analytic[analytic != 0], numeric[analytic != 0], rtol=1e-4):
        return "Where it is not zero it is right: contributions are overwritten (= for +=) or masked away."
    return ""


def _constant_ratio(ratio: float, shape: tuple[int, ...]) -> str:
    size = int(np.prod(shape, dtype=np.int64))
    for n in sorted({size, *shape} - {0, 1}, reverse=True):
        if np.isclose(ratio, n, rtol=1e-3):
            return f"It is exactly {n} times too large: mean against sum?"
        if np.isclose(ratio, 1 / n, rtol=1e-3):
            return f"It is exactly {n} times too small: mean against sum, or only one of {n} broadcast copies counted?"
    if np.isclose(ratio, 2, rtol=1e-3):
        return "It is exactly twice too large: an input counted twice, or a missing 1/2?"
    if np.isclose(ratio, 0.5, rtol=1e-3):
        return "It is exactly half: an input that is used twice was counted once (= for +=), or a missing factor 2?"
    return f"It is {ratio:.6g} times the right one everywhere: a constant factor."


__all__ = ["GradcheckError", "gradcheck", "gradgradcheck", "likely_cause"]
