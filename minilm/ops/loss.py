r"""Losses: one number that says how far predictions are from their targets.

``reduction`` is "mean" (over what counts), "sum", or "none" (a loss for each element or row). A mean over nothing is NaN,
with gradient 0. Predictions and targets have one shape: broadcasting them, as ``(N, 1) - (N,)`` would, is refused.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Collection, Iterator
from typing import Any

from minilm.backend import device_of
from minilm.ops.activation import sigmoid, softplus
from minilm.ops.arguments import shape_of
from minilm.ops.arithmetic import exp, log, maximum, minimum, sign, where
from minilm.ops.embedding import check_ids
from minilm.ops.index import gather
from minilm.ops.normalize import log_softmax
from minilm.ops.op import Op, op
from minilm.ops.reduce import sum
from minilm.ops.sample import Sample, integer, real, simplex
from minilm.ops.shape import array_of, expand, home_of, reshape

REDUCTIONS = ("mean", "sum", "none")


class _Means(threading.local):
    """The means over classes that a thread took, where somebody asked (`means_taken`)."""

    taken: list[tuple[Any, Any]] | None = None


_means = _Means()


@contextlib.contextmanager
def means_taken() -> Iterator[list[tuple[Any, Any]]]:
    """A list to which each mean of `cross_entropy` or `nll` within it adds (what it divided by, the array with the mean).

    The means of a batch's parts make that of the whole batch with these weights, which are not the parts' numbers of rows where targets
    are ignored or classes weighted (`minilm.parallel.threads`).
    """
    before, _means.taken = _means.taken, []
    try:
        yield _means.taken
    finally:
        _means.taken = before


def take_mean(count: Any, mean: Any) -> Any:
    """The mean, which is told to whoever asked."""
    if _means.taken is not None:
        _means.taken.append((array_of(count), array_of(mean)))
    return mean


# -- losses of a class ------------------------------------------------------------------------------------------------


@op
class cross_entropy(Op):
    r"""Minus the log-probability, under softmax of the logits, of the right class: the loss of every language model.

    The target is a class index for each row, or a distribution over the classes (floats). `weight` gives classes their own
    importance; rows whose target is `ignore_index` count nothing; `label_smoothing` spreads that share of each target evenly over
    all classes. The mean over class indices divides by the weights of the targets that count, the mean over distributions by
    their number.

    Shapes: logits ``(N, C)``, ``(C,)`` or ``(N, C, d1, ...)``; target the same without C, or (a distribution) with it; weight ``(C,)``.

    Raises:
        ValueError: shapes do not fit, the reduction is unknown, or label_smoothing is not in [0, 1].
        TypeError: the logits or a distribution are not floats of one type, or the weight requires a gradient (it is a constant).
        IndexError: a target is no class (on a GPU unchecked: looking would make it wait).
    """

    formula = (
        r"\ell_i = -\sum_c a_{ic} \ln p_{ic}, \quad p_{ic} = \frac{e^{x_{ic}}}{\sum_k e^{x_{ik}}}, \quad "
        r"a_{ic} = w_c \bigl((1 - \epsilon)\, t_{ic} + \tfrac{\epsilon}{C}\bigr), \quad L = \frac{\sum_i \ell_i}{\sum_i w_{t_i}}"
    )
    derivative = (
        r"\bar x_{ic} = \bar\ell_i \Bigl(p_{ic} \sum_k a_{ik} - a_{ic}\Bigr), \quad "
        r"\bar t_{ic} = -\bar\ell_i\, (1 - \epsilon)\, w_c \ln p_{ic}"
    )
    source = "Szegedy et al. (2016), Rethinking the Inception Architecture, section 7, for label smoothing"
    has_aux = True
    integers = "refused"
    wide = True
    samples = [
        Sample(real(4, 3), integer(4, high=3)),
        Sample(real(3), integer(high=3)),
        Sample(real(2, 3, 2), integer(2, 2, high=3), reduction="sum"),
        Sample(real(4, 3), integer(4, high=3), reduction="none", label_smoothing=0.1),
        Sample(real(4, 3), integer(4, high=3), integer(3, low=1, high=5), label_smoothing=0.3, ignore_index=1),
        Sample(real(2, 3, 1, 2), integer(2, 1, 2, high=3), integer(3, low=1, high=5), ignore_index=0),
        Sample(real(4, 3), simplex(4, 3)),
        Sample(real(3), simplex(3), reduction="none"),
        Sample(real(2, 3, 2), real(2, 3, 2, low=0.0), integer(3, low=1, high=5), label_smoothing=0.2),
        Sample(real(4, 1), integer(4, high=1)),
    ]

    def check(self, logits, target, weight, *, ignore_index, label_smoothing, reduction):
        check_reduction("cross_entropy", reduction)
        check_classes("cross_entropy", "logits", logits, target, weight, ignore_index, distributions=True)
        if not 0.0 <= label_smoothing <= 1.0:
            raise ValueError(f"cross_entropy: label_smoothing is a share, from 0 to 1, got {label_smoothing}.")
        return {"ignore_index": int(ignore_index), "label_smoothing": float(label_smoothing), "reduction": reduction}

    def forward(self, dev, logits, target, weight=None, *, ignore_index=-100, label_smoothing=0.0, reduction="mean"):
        rows, targets = as_rows(logits), target_rows(logits, target)
        loss, share, saved = dev.cross_entropy(rows, targets, weight, ignore_index, label_smoothing)
        if reduction == "mean":  # on arrays: as ops, `reduce_rows` would take longer than the loss of a small batch
            count = share.sum()
            mean = dev.xp.where(count == 0, math.nan, loss.sum() / (count + (count == 0)))
            return take_mean(count, mean), (share, saved)
        return reduce_rows(loss, share, logits, reduction), (share, saved)

    def backward(self, g, _y, logits, target, weight, *, needs, ignore_index, label_smoothing, reduction, aux):
        dev, xp, (share, saved) = device_of(g), device_of(g).xp, aux
        if reduction == "none":
            g = g.reshape(-1)
        elif reduction == "mean":
            count = share.sum()
            g = xp.where(count == 0, 0.0, g / (count + (count == 0)))
        g = xp.broadcast_to(g, share.shape)
        rows, targets = as_rows(logits), target_rows(logits, target)
        dx = dev.cross_entropy_backward(g, rows, targets, weight, ignore_index, label_smoothing, saved)
        dt = None
        if needs[1]:
            dt = dev.log_softmax(rows, 1) * (g[:, None] * (label_smoothing - 1.0))
            dt = from_rows(dt if weight is None else dt * weight.astype(dt.dtype), logits.shape)
        return from_rows(dx, logits.shape), dt, None

    def composed(self, logits, target, weight, *, ignore_index, label_smoothing, reduction):
        logp, targets, classes = log_softmax(as_rows(logits), axis=1), target_rows(logits, target), class_count(logits)
        xp = home_of(logits).xp
        each = (xp.ones(classes) if weight is None else array_of(weight)).astype(logits.dtype)
        if targets.ndim == 2:
            loss = -sum((targets * (1.0 - label_smoothing) + label_smoothing / classes) * each * logp, axis=1)
            return reduce_rows(loss, xp.ones(loss.shape, loss.dtype), logits, reduction)
        loss, counts, share = nll_rows(logp, targets, weight, ignore_index)
        if label_smoothing:
            smooth = where(counts, -sum(logp * each, axis=1), 0.0)
            loss = loss * (1.0 - label_smoothing) + smooth * (label_smoothing / classes)
        return reduce_rows(loss, share, logits, reduction)


@op
class nll(Op):
    r"""Minus the log-probability of the right class, from log-probabilities: what `cross_entropy` does after `log_softmax`.

    Arguments, shapes and errors are those of `cross_entropy` with class indices.
    """

    formula = r"\ell_i = -w_{t_i}\, x_{i t_i}, \quad L = \frac{\sum_i \ell_i}{\sum_i w_{t_i}}"
    derivative = r"\bar x_{ic} = -\bar\ell_i\, w_c\, [c = t_i]"
    integers = "refused"
    wide = True
    samples = [
        Sample(real(4, 3), integer(4, high=3)),
        Sample(real(3), integer(high=3), reduction="none"),
        Sample(real(2, 3, 2), integer(2, 2, high=3), reduction="sum"),
        Sample(real(4, 3), integer(4, high=3), integer(3, low=1, high=5), ignore_index=1),
    ]

    def check(self, input, target, weight, *, ignore_index, reduction):
        check_reduction("nll", reduction)
        check_classes("nll", "input", input, target, weight, ignore_index, distributions=False)
        return {"ignore_index": int(ignore_index), "reduction": reduction}

    def composed(self, input, target, weight=None, *, ignore_index=-100, reduction="mean"):
        loss, _, share = nll_rows(as_rows(input), target_rows(input, target), weight, ignore_index)
        return reduce_rows(loss, share, input, reduction)


def nll_rows(logp, target, weight, ignore_index):
    """For rows of log-probabilities: the loss of each, whether it counts, and its weight in a mean."""
    weight = None if weight is None else array_of(weight)
    counts, safe, share = home_of(logp).class_shares(array_of(target), weight, ignore_index, logp.dtype)
    picked = where(counts, reshape(gather(logp, safe[:, None], axis=1), (logp.shape[0],)), 0.0)
    return -picked * share, counts, share


def class_count(x):
    """The size of the class axis: axis 1, or the only one."""
    return shape_of(x)[1 if x.ndim > 1 else 0]


def as_rows(x):
    """``(C,)``, ``(N, C)`` or ``(N, C, d1, ...)`` as rows of classes."""
    if x.ndim == 2:
        return x
    if x.ndim > 2:
        x = x.transpose((0, *range(2, x.ndim), 1))
    return x.reshape((x.size // x.shape[-1], x.shape[-1]))


def from_rows(rows, shape):
    """Rows of classes back as they came to `as_rows`."""
    if len(shape) < 3:
        return rows.reshape(shape)
    return rows.reshape((shape[0], *shape[2:], shape[1])).transpose((0, len(shape) - 1, *range(1, len(shape) - 1)))


def target_rows(x, target):
    """The targets of the rows of x: indices ``(rows,)``, or distributions ``(rows, C)``."""
    return as_rows(target) if shape_of(target) == shape_of(x) else target.reshape((target.size,))


def reduce_rows(loss, share, x, reduction):
    """The rows' losses reduced; `share` is each row's weight in the mean."""
    if reduction == "none":
        return reshape(loss, shape_of(x)[:1] * (x.ndim > 1) + shape_of(x)[2:])
    total = sum(loss)
    if reduction == "sum":
        return total
    count = sum(share)
    return take_mean(count, where(count == 0, math.nan, total / where(count == 0, 1.0, count)))


def check_classes(op_name, what, x, target, weight, ignore_index, distributions):
    """Raises unless x holds scores of classes, and target and weight fit them."""
    check_float(op_name, what, x)
    shape, have = shape_of(x), shape_of(target)
    classes = class_count(x) if shape else 0
    if classes == 0:
        raise ValueError(
            f"{op_name}: {what} must be (C,), (N, C) or (N, C, d1, ...) with C > 0 classes, got shape {shape}."
        )
    rest, kind = shape[:1] * (len(shape) > 1) + shape[2:], kind_of(target)
    if kind == "f" and distributions and have == shape:
        if target.dtype != x.dtype:
            raise TypeError(
                f"{op_name}: the target is {target.dtype}, {what} {x.dtype}; convert one with .astype(...)."
            )
    elif have != rest:
        extra = f", or {shape} for distributions" if distributions else ""
        hint = " Integers are class indices; convert one-hot rows to floats." if have == shape and kind in "iub" else ""
        raise ValueError(f"{op_name}: target has shape {have}, expected {rest} for {what} {shape}{extra}.{hint}")
    else:
        check_ids(op_name, array_of(target), classes, ignore_index, "target", "classes")
    if weight is not None and shape_of(weight) != (classes,):
        raise ValueError(f"{op_name}: weight has shape {shape_of(weight)}, expected one number a class, ({classes},).")
    if getattr(weight, "requires_grad", False):
        raise TypeError(f"{op_name}: the weight of the classes is a constant; pass weight.detach().")


# -- losses of numbers ------------------------------------------------------------------------------------------------


def pairs(*more, low=-2.0, high=2.0, target=None, **params):
    """Samples of an elementwise loss: each reduction, several shapes, a scalar."""
    target = target or (lambda *shape: real(*shape, low=low, high=high))
    return [
        Sample(real(2, 3, low=low, high=high), target(2, 3), *more, **params),
        Sample(real(4, low=low, high=high), target(4), reduction="sum", **params),
        Sample(real(2, 1, 2, low=low, high=high), target(2, 1, 2), reduction="none", **params),
        Sample(real(low=low, high=high), target(), **params),
    ]


@op
class mse(Op):
    """The squared difference."""

    formula = r"\ell = (x - t)^2"
    derivative = r"\bar x = 2\, \bar\ell\, (x - t), \quad \bar t = -\bar x"
    integers = "refused"
    wide = True
    samples = pairs()

    def check(self, input, target, *, reduction):
        return check_pair("mse", input, target, reduction)

    def forward(self, dev, input, target, *, reduction="mean"):
        difference = input - target
        return reduce_all(difference * difference, reduction)

    def grad_input(self, g, _y, input, target, *, reduction):
        return spread_all(g, input, reduction) * (input - target) * 2.0

    def grad_target(self, g, _y, input, target, *, reduction):
        return spread_all(g, input, reduction) * (target - input) * 2.0


@op
class l1(Op):
    """The absolute difference. Where there is none, its gradient is 0."""

    formula = r"\ell = |x - t|"
    derivative = r"\bar x = \bar\ell\, \operatorname{sign}(x - t), \quad \bar t = -\bar x"
    domain = r"kink at x = t, where \bar x = 0"
    integers = "refused"
    wide = True
    samples = pairs()

    def check(self, input, target, *, reduction):
        return check_pair("l1", input, target, reduction)

    def forward(self, dev, input, target, *, reduction="mean"):
        return reduce_all(dev.xp.abs(input - target), reduction)

    def grad_input(self, g, _y, input, target, *, reduction):
        return spread_all(g, input, reduction) * sign(input - target)

    def grad_target(self, g, _y, input, target, *, reduction):
        return spread_all(g, input, reduction) * sign(target - input)


@op
class huber(Op):
    r"""Squared where the difference is at most delta, linear beyond: an outlier pulls no harder than delta.

    Raises:
        ValueError: delta is not positive.
    """

    formula = (
        r"\ell = \begin{cases} \tfrac12 d^2 & |d| \le \delta \\ \delta\, (|d| - \tfrac12 \delta) & |d| > \delta \end{cases}, "
        r"\quad d = x - t"
    )
    derivative = r"\bar x = \bar\ell \max(-\delta, \min(\delta, x - t)), \quad \bar t = -\bar x"
    domain = r"smooth; kinks of the first derivative at |d| = \delta"
    source = "Huber (1964), Robust Estimation of a Location Parameter"
    integers = "refused"
    wide = True
    samples = [*pairs(), *pairs(delta=0.4)]

    def check(self, input, target, *, delta, reduction):
        if not delta > 0:
            raise ValueError(f"huber: delta must be positive, got {delta}.")
        return {"delta": float(delta), **check_pair("huber", input, target, reduction)}

    def forward(self, dev, input, target, *, delta=1.0, reduction="mean"):
        size = dev.xp.abs(input - target)
        quadratic = dev.xp.minimum(size, delta)
        return reduce_all(quadratic * (size - quadratic * 0.5), reduction)

    def grad_input(self, g, _y, input, target, *, delta, reduction):
        return spread_all(g, input, reduction) * maximum(minimum(input - target, delta), -delta)

    def grad_target(self, g, _y, input, target, *, delta, reduction):
        return spread_all(g, input, reduction) * maximum(minimum(target - input, delta), -delta)


@op
class binary_cross_entropy(Op):
    r"""Minus the log-probability of a yes-or-no target, given the probability of yes. The target may be any share, such as 0.1.

    Logarithms are held at -100 or above, as in PyTorch, so that a certain and wrong prediction costs 100, not infinity. From
    logits, `binary_cross_entropy_with_logits` is more exact.

    Raises:
        ValueError: an input is not in [0, 1] (on a GPU unchecked), or as for every loss.
    """

    formula = r"\ell = -t \ln x - (1 - t) \ln(1 - x)"
    derivative = r"\bar x = \bar\ell\, \frac{x - t}{x (1 - x)}, \quad \bar t = \bar\ell\, (\ln(1 - x) - \ln x)"
    domain = r"0 < x < 1; at 0 and 1 logarithms are held at -100, and x (1 - x) at 10^{-12}"
    integers = "refused"
    wide = True
    samples = pairs(low=0.1, high=0.9)

    def check(self, input, target, *, reduction):
        params, x = check_pair("binary_cross_entropy", input, target, reduction), array_of(input)
        found = home_of(x).first_true(~((x >= 0) & (x <= 1)))
        if found is not None:
            raise ValueError(
                f"binary_cross_entropy: inputs are probabilities, from 0 to 1, got {float(x.reshape(-1)[found]):.6g}; "
                "for logits use binary_cross_entropy_with_logits."
            )
        return params

    def forward(self, dev, input, target, *, reduction="mean"):
        return reduce_all(-target * held_log(input) - (1.0 - target) * held_log(1.0 - input), reduction)

    def grad_input(self, g, _y, input, target, *, reduction):
        return spread_all(g, input, reduction) * (input - target) / maximum(input * (1.0 - input), 1e-12)

    def grad_target(self, g, _y, input, _target, *, reduction):
        return spread_all(g, input, reduction) * (held_log(1.0 - input) - held_log(input))


def held_log(x):
    """ln x, but no less than -100."""
    return maximum(where(x == 0, -100.0, log(where(x == 0, 1.0, x))), -100.0)


@op
class binary_cross_entropy_with_logits(Op):
    r"""`binary_cross_entropy` of the sigmoid of x, without the overflow or the lost digits of taking both steps.

    Shapes: pos_weight, which multiplies the loss of the yes part, broadcasts to the input (one number a class: ``(C,)``).
    """

    formula = r"\ell = p\, t \ln(1 + e^{-x}) + (1 - t) \ln(1 + e^x) = -p\, t \ln \sigma(x) - (1 - t) \ln(1 - \sigma(x))"
    derivative = (
        r"\bar x = \bar\ell\, \bigl((1 - t)\, \sigma(x) - p\, t\, \sigma(-x)\bigr), \quad "
        r"\bar t = \bar\ell\, \bigl(p \ln(1 + e^{-x}) - \ln(1 + e^x)\bigr), \quad \bar p = \bar\ell\, t \ln(1 + e^{-x})"
    )
    broadcasts = True
    integers = "refused"
    wide = True
    samples = [*pairs(), *pairs(real(3, low=0.5)), Sample(real(2, 3, low=-40, high=40), real(2, 3, low=0.0, high=1.0))]

    def check(self, input, target, pos_weight, *, reduction):
        params = check_pair("binary_cross_entropy_with_logits", input, target, reduction)
        have, shape = shape_of(pos_weight), shape_of(input)
        fits = all(m in (1, n) for m, n in zip(reversed(have), reversed(shape), strict=False))
        if len(have) > len(shape) or not fits:
            raise ValueError(
                f"binary_cross_entropy_with_logits: pos_weight {have} does not broadcast to the input {shape}."
            )
        return params

    def forward(self, dev, input, target, pos_weight=None, *, reduction="mean"):
        yes = target if pos_weight is None else target * pos_weight
        return reduce_all(yes * softplus(-input) + (1.0 - target) * softplus(input), reduction)

    def grad_input(self, g, _y, input, target, pos_weight, *, reduction):
        yes = target if pos_weight is None else target * pos_weight
        return spread_all(g, input, reduction) * ((1.0 - target) * sigmoid(input) - yes * sigmoid(-input))

    def grad_target(self, g, _y, input, _target, pos_weight, *, reduction):
        yes = softplus(-input) if pos_weight is None else softplus(-input) * pos_weight
        return spread_all(g, input, reduction) * (yes - softplus(input))

    def grad_pos_weight(self, g, _y, input, target, _pos_weight, *, reduction):
        return spread_all(g, input, reduction) * target * softplus(-input)


@op
class kl_div(Op):
    r"""The divergence of a target distribution from a predicted one, given as log-probabilities: t ln(t / p), 0 for t = 0.

    ``log_target=True``: the target is given as log-probabilities too. ``reduction="batchmean"`` divides the sum by the size of
    axis 0, which is the divergence as it is defined; "mean" divides by the number of elements, as in PyTorch.

    Raises:
        ValueError: as for every loss.
    """

    formula = r"\ell = t\, (\ln t - x), \quad x = \ln p \quad (\text{log target: } \ell = e^t (t - x))"
    derivative = (
        r"\bar x = -\bar\ell\, t, \quad \bar t = \bar\ell\, (\ln t - x + 1) "
        r"\quad (\text{log target: } \bar x = -\bar\ell\, e^t, \; \bar t = \bar\ell\, e^t (t - x + 1))"
    )
    domain = r"t \ge 0; at t = 0 the loss is 0, and \bar t is set to 0 (its limit is infinite)"
    source = "Kullback and Leibler (1951), On Information and Sufficiency"
    integers = "refused"
    wide = True
    samples = [
        *pairs(target=lambda *shape: real(*shape, low=0.1, high=1.0)),
        *pairs(log_target=True),
        Sample(real(3, 4), real(3, 4, low=0.1, high=1.0), reduction="batchmean"),
    ]

    def check(self, input, target, *, log_target, reduction):
        params = check_pair("kl_div", input, target, reduction, (*REDUCTIONS, "batchmean"))
        if reduction == "batchmean" and input.ndim == 0:
            raise ValueError("kl_div: reduction 'batchmean' divides by the size of axis 0, which a scalar has not.")
        return {"log_target": bool(log_target), **params}

    def forward(self, dev, input, target, *, log_target=False, reduction="mean"):
        if log_target:
            return reduce_all(dev.xp.exp(target) * (target - input), reduction)
        return reduce_all(dev.xp.where(target == 0, 0.0, target * (log_or_zero(target) - input)), reduction)

    def grad_input(self, g, _y, _input, target, *, log_target, reduction):
        return -spread_all(g, _input, reduction) * (exp(target) if log_target else target)

    def grad_target(self, g, _y, input, target, *, log_target, reduction):
        g = spread_all(g, input, reduction)
        if log_target:
            return g * exp(target) * (target - input + 1.0)
        return where(target == 0, 0.0, g * (log_or_zero(target) - input + 1.0))


def log_or_zero(t):
    """ln t, and 0 where t is 0."""
    return log(where(t == 0, 1.0, t))


def reduce_all(loss, reduction):
    """An elementwise loss, reduced."""
    if reduction == "none":
        return loss
    return sum(loss) * share_of_element(loss, reduction)


def spread_all(g, x, reduction):
    """The gradient of each element's loss, from that of the reduced one."""
    return g if reduction == "none" else expand(g * share_of_element(x, reduction, empty=0.0), shape_of(x))


def share_of_element(x, reduction, empty=math.nan):
    """What an element's loss is multiplied by in the reduced one; `empty` in a mean over nothing."""
    count = {"mean": x.size, "sum": 1, "batchmean": shape_of(x)[0] if x.ndim else 1}[reduction]
    return 1.0 / count if count else empty


def check_reduction(op_name: str, reduction: str, allowed: Collection[str] = REDUCTIONS) -> None:
    """Raises unless the reduction is one of those allowed."""
    if reduction not in allowed:
        raise ValueError(f"{op_name}: reduction must be one of {', '.join(map(repr, allowed))}, got {reduction!r}.")


def kind_of(x):
    """The kind of x's dtype as NumPy writes it, "f" for floats; None for what is no tensor."""
    return getattr(getattr(x, "dtype", None), "kind", None)


def check_float(op_name, what, x):
    """Raises unless x holds floats."""
    dtype = getattr(x, "dtype", None)
    if kind_of(x) != "f":
        raise TypeError(f"{op_name}: {what} must hold floats, got {type(x).__name__ if dtype is None else dtype}.")


def check_pair(op_name, input, target, reduction, allowed=REDUCTIONS):
    """The parameters of an elementwise loss, once predictions and targets are known to fit each other."""
    check_reduction(op_name, reduction, allowed)
    integers = [kind_of(x) in ("i", "u", "b") for x in (input, target)]
    for what, x, is_integer in zip(("input", "target"), (input, target), integers, strict=True):
        if not is_integer or all(integers):
            check_float(op_name, f"the {what}", x)
    if shape_of(input) != shape_of(target):
        raise ValueError(
            f"{op_name}: the input has shape {shape_of(input)}, the target {shape_of(target)}: they must be equal "
            "(reshape one: broadcasting them would compare every prediction with every target)."
        )
    if input.dtype != target.dtype and not any(integers):
        raise TypeError(
            f"{op_name}: the input is {input.dtype}, the target {target.dtype}; convert one with .astype(...)."
        )
    return {"reduction": reduction}
