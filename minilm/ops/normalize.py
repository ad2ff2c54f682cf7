r"""Ops that bring numbers to a common scale: softmax makes probabilities, the norms make zero mean and unit variance.

Each is fused: one kernel forward, one backward, where the composition of simple ops would pass over memory many times.
The composition stays beside it as its specification.
"""

from __future__ import annotations

import math

from minilm.backend import device_of
from minilm.ops.arguments import normalize_axis, shape_of
from minilm.ops.arithmetic import exp, log, pow, where
from minilm.ops.op import Op, op
from minilm.ops.reduce import sum
from minilm.ops.sample import Sample, real
from minilm.ops.shape import array_of, expand, home_of, reshape


def highest(x, axis):
    """The largest elements along an axis, as a constant: softmax and its kin do not depend on what is subtracted."""
    return home_of(x).max_axis(array_of(x), axis)


@op
class softmax(Op):
    r"""Probabilities in proportion to :math:`e^{x_i}`, along one axis.

    A row of nothing but :math:`-\infty` (every position masked) gives zeros, and zeros as its gradient. PyTorch gives NaN
    there. A row with NaN or :math:`+\infty` gives NaN.
    """

    formula = r"y_i = \frac{e^{x_i}}{\sum_j e^{x_j}}"
    derivative = r"\bar x_i = y_i \Bigl(\bar y_i - \sum_j \bar y_j\, y_j\Bigr)"
    domain = r"all real numbers, and -\infty; zeros where every x_j = -\infty"
    lifts = True
    source = "Bridle (1990), Probabilistic Interpretation of Feedforward Classification Network Outputs"
    integers = "refused"
    wide = True
    samples = [Sample(real(2, 3)), Sample(real(2, 3, 2), axis=1), Sample(real(4), axis=0), Sample(real(2, 1)),
               Sample(real(0, 3)), Sample(real(2, 0)), Sample(real(2, 3, low=300, high=304))]  # fmt: skip

    def check(self, x, *, axis):
        return {"axis": normalize_axis("softmax", axis, x.ndim)}

    def forward(self, dev, x, *, axis=-1):
        return dev.softmax(x, axis)

    def backward(self, g, y, x, *, needs, axis):
        return (device_of(g).softmax_backward(g, y, axis),)

    def composed(self, x, *, axis):
        e = exp(x - highest(x, axis))
        total = sum(e, axis=axis, keepdims=True)
        return e / where(total == 0, 1.0, total)


@op
class log_softmax(Op):
    r"""The logarithm of `softmax`, along one axis, without the underflow of taking both steps.

    A row of nothing but :math:`-\infty` gives :math:`-\infty`, the logarithm of softmax's zeros. PyTorch gives NaN there.
    """

    formula = r"y_i = x_i - \ln \sum_j e^{x_j}"
    derivative = r"\bar x_i = \bar y_i - e^{y_i} \sum_j \bar y_j"
    domain = r"all real numbers, and -\infty"
    integers = "refused"
    wide = True
    lifts = True
    samples = softmax.samples

    def check(self, x, *, axis):
        return {"axis": normalize_axis("log_softmax", axis, x.ndim)}

    def forward(self, dev, x, *, axis=-1):
        return dev.log_softmax(x, axis)

    def backward(self, g, y, x, *, needs, axis):
        return (device_of(g).log_softmax_backward(g, y, axis),)

    def composed(self, x, *, axis):
        z = x - highest(x, axis)
        total = sum(exp(z), axis=axis, keepdims=True)
        return z - log(where(total == 0, 1.0, total))


@op
class layer_norm(Op):
    r"""Each vector along the last axis shifted to mean 0 and scaled to variance 1, then by a learned weight and bias.

    The variance is the biased one, and :math:`\epsilon` stands inside the root. Shapes: x ``(..., n)``, weight and bias
    ``(n,)`` or None.

    Raises:
        ValueError: the last axis has size 0, weight or bias is not ``(n,)``, or eps is negative.
    """

    formula = (
        r"y_i = w_i \hat x_i + b_i, \quad \hat x_i = \frac{x_i - \mu}{\sqrt{\sigma^2 + \epsilon}}, \quad "
        r"\mu = \frac1n \sum_j x_j, \quad \sigma^2 = \frac1n \sum_j (x_j - \mu)^2"
    )
    derivative = (
        r"\bar x_i = \frac{1}{\sqrt{\sigma^2 + \epsilon}} \Bigl(w_i \bar y_i - \frac1n \sum_j w_j \bar y_j "
        r"- \hat x_i \frac1n \sum_j w_j \bar y_j \hat x_j\Bigr), \quad \bar w_i = \sum_{\text{rows}} \bar y_i \hat x_i, "
        r"\quad \bar b_i = \sum_{\text{rows}} \bar y_i"
    )
    source = "Ba, Kiros and Hinton (2016), Layer Normalization, eq. 3"
    has_aux = True
    integers = "refused"
    wide = True
    samples = [
        Sample(real(2, 4), real(4), real(4)), Sample(real(2, 3, 4)), Sample(real(4), real(4)), Sample(real(2, 4), None, real(4)),
        Sample(real(2, 4), real(4), real(4), eps=0.1), Sample(real(0, 4), real(4), real(4)), Sample(real(3, 1), eps=0.5),
    ]  # fmt: skip

    def check(self, x, weight, bias, *, eps):
        return check_norm("layer_norm", x, -1, eps, weight=weight, bias=bias)

    def forward(self, dev, x, weight=None, bias=None, *, eps=1e-5):
        return dev.layer_norm(x, weight, bias, eps)

    def backward(self, g, _y, x, weight, bias, *, needs, eps, aux):
        return device_of(g).layer_norm_backward(g, x, weight, aux)

    def composed(self, x, weight, bias, *, eps):
        centred = x - mean_of(x, (x.ndim - 1,))
        return scaled(centred * pow(mean_of(centred * centred, (x.ndim - 1,)) + eps, -0.5), weight, bias)


@op
class rms_norm(Op):
    r"""Each vector along the last axis divided by its root mean square, then scaled by a learned weight.

    Shapes: x ``(..., n)``, weight ``(n,)`` or None.

    Raises:
        ValueError: the last axis has size 0, weight is not ``(n,)``, or eps is negative.
    """

    formula = r"y_i = w_i \hat x_i, \quad \hat x_i = \frac{x_i}{r}, \quad r = \sqrt{\frac1n \sum_j x_j^2 + \epsilon}"
    derivative = (
        r"\bar x_i = \frac1r \Bigl(w_i \bar y_i - \hat x_i \frac1n \sum_j w_j \bar y_j \hat x_j\Bigr), "
        r"\quad \bar w_i = \sum_{\text{rows}} \bar y_i \hat x_i"
    )
    source = "Zhang and Sennrich (2019), Root Mean Square Layer Normalization, eq. 4"
    has_aux = True
    integers = "refused"
    wide = True
    samples = [Sample(real(2, 4), real(4)), Sample(real(2, 3, 4)), Sample(real(4), real(4)), Sample(real(2, 4), real(4), eps=0.1),
               Sample(real(0, 4), real(4)), Sample(real(3, 1), eps=0.5)]  # fmt: skip

    def check(self, x, weight, *, eps):
        return check_norm("rms_norm", x, -1, eps, weight=weight)

    def forward(self, dev, x, weight=None, *, eps=1e-5):
        return dev.rms_norm(x, weight, eps)

    def backward(self, g, _y, x, weight, *, needs, eps, aux):
        return device_of(g).rms_norm_backward(g, x, weight, aux)

    def composed(self, x, weight, *, eps):
        return scaled(x * pow(mean_of(x * x, (x.ndim - 1,)) + eps, -0.5), weight, None)


@op
class batch_statistics(Op):
    r"""Mean and biased variance of each channel (axis 1) over all other axes: what `batch_norm` uses in training.

    A layer calls it to update its running statistics, and hands the results on to `batch_norm`; gradients flow through both.

    Raises:
        ValueError: x has no axis 1, or holds no numbers.
    """

    formula = r"\mu_c = \frac1N \sum_{i} x_{ic}, \quad \sigma^2_c = \frac1N \sum_i (x_{ic} - \mu_c)^2"
    derivative = r"\bar x_{ic} = \frac1N \bar\mu_c + \frac2N (x_{ic} - \mu_c)\, \overline{\sigma^2_c}"
    multi = True
    narrows = False  # the variance of numbers that float16 holds may be too large for it
    integers = "refused"
    wide = True
    samples = [Sample(real(4, 3)), Sample(real(3, 2, 4)), Sample(real(2, 2, 2, 3)), Sample(real(1, 2))]

    def check(self, x):
        check_norm("batch_statistics", x, 1, 0.0)
        if x.size == 0:
            raise ValueError(f"batch_statistics: {shape_of(x)} holds no numbers to take a mean of.")
        return {}

    def forward(self, dev, x):
        return dev.batch_statistics(x)

    def grad_x(self, g, y, x):
        terms, count = [], x.size // x.shape[1]
        if g[0] is not None:
            terms.append(expand(as_channels(g[0] * (1.0 / count), x.ndim), x.shape))
        if g[1] is not None:
            terms.append((x - as_channels(y[0], x.ndim)) * as_channels(g[1] * (2.0 / count), x.ndim))
        return terms[0] if len(terms) == 1 else terms[0] + terms[1]


@op
class batch_norm(Op):
    r"""Each channel (axis 1) shifted and scaled by its mean and variance, then by a learned weight and bias.

    Training: mean and var are those of the batch (None, or the results of `batch_statistics`), and x acts through them too.
    Evaluation: they are the running averages that the layer kept, which are constants.

    Shapes: x ``(N, C)``, ``(N, C, L)`` or ``(N, C, H, W)``; weight, bias, mean and var ``(C,)``.

    Raises:
        ValueError: x has no axis 1 or holds no numbers, another input is not ``(C,)``, only one of mean and var is given,
            or eps is negative.
    """

    formula = r"y_{ic} = w_c \hat x_{ic} + b_c, \quad \hat x_{ic} = \frac{x_{ic} - \mu_c}{\sqrt{\sigma^2_c + \epsilon}}"
    derivative = (
        r"\bar x_{ic} = \frac{w_c}{\sqrt{\sigma^2_c + \epsilon}} \Bigl(\bar y_{ic} - \frac1N \bar b_c - \hat x_{ic} \frac1N \bar w_c\Bigr)"
        r"\text{, and only its first term where } \mu, \sigma^2 \text{ are given}, "
        r"\quad \bar w_c = \sum_i \bar y_{ic} \hat x_{ic}, \quad \bar b_c = \sum_i \bar y_{ic}, "
        r"\quad \bar\mu_c = -\frac{w_c \bar b_c}{\sqrt{\sigma^2_c + \epsilon}}, "
        r"\quad \overline{\sigma^2_c} = -\frac{w_c \bar w_c}{2 (\sigma^2_c + \epsilon)}"
    )
    domain = r"\sigma^2 \ge 0"
    source = "Ioffe and Szegedy (2015), Batch Normalization, algorithm 1"
    has_aux = True
    follows = ("mean", "var")
    integers = "refused"
    wide = True
    samples = [
        Sample(real(4, 3), real(3), real(3)), Sample(real(3, 2, 4)), Sample(real(2, 2, 2, 3), real(2)), Sample(real(3, 2), None, real(2)),
        Sample(real(4, 3), real(3), real(3), real(3), real(3, low=0.5)), Sample(real(2, 2, 3), None, None, real(2), real(2, low=0.5)),
        Sample(real(4, 2), real(2), eps=0.1),
    ]  # fmt: skip

    def check(self, x, weight, bias, mean, var, *, eps):
        if (mean is None) != (var is None):
            raise ValueError("batch_norm: mean and var belong together: give both (evaluation) or neither (training).")
        if mean is None and x.size == 0:
            raise ValueError(f"batch_norm: {shape_of(x)} holds no numbers to take a mean of.")
        return check_norm("batch_norm", x, 1, eps, weight=weight, bias=bias, mean=mean, var=var)

    def forward(self, dev, x, weight=None, bias=None, mean=None, var=None, *, eps=1e-5):
        used = dev.batch_statistics(x) if mean is None else (mean, var)
        return dev.batch_norm(x, weight, bias, *used, eps), used

    def backward(self, g, _y, x, weight, bias, mean, var, *, needs, eps, aux):
        return device_of(g).batch_norm_backward(g, x, weight, *aux, eps, mean is None)

    def composed(self, x, weight, bias, mean, var, *, eps):
        axes = (0, *range(2, x.ndim))
        mean = mean_of(x, axes) if mean is None else as_channels(mean, x.ndim)
        centred = x - mean
        var = mean_of(centred * centred, axes) if var is None else as_channels(var, x.ndim)
        weight, bias = (None if p is None else as_channels(p, x.ndim) for p in (weight, bias))
        return scaled(centred * pow(var + eps, -0.5), weight, bias)


def mean_of(x, axes):
    """The mean over several axes, which stay with size 1."""
    return sum(x, axis=axes, keepdims=True) * (1.0 / math.prod(x.shape[a] for a in axes))


def scaled(x, weight, bias):
    """x * weight + bias, where there are any."""
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def as_channels(values, ndim):
    """One number a channel, shaped to broadcast along axis 1 of `ndim` axes."""
    return reshape(values, (-1, *(1,) * (ndim - 2)))


def check_norm(op_name, x, axis, eps, **per_feature):
    """The parameters of a norm, once the inputs are known to fit."""
    if x.ndim < (1 if axis == -1 else 2):
        needs = "one axis" if axis == -1 else "two axes, (batch, channels, ...)"
        raise ValueError(f"{op_name}: the input needs at least {needs}, got shape {shape_of(x)}.")
    n = x.shape[axis]
    if n == 0:
        raise ValueError(f"{op_name}: axis {axis} of {shape_of(x)} has size 0: there is nothing to normalize.")
    for name, value in per_feature.items():
        if value is not None and shape_of(value) != (n,):
            raise ValueError(
                f"{op_name}: {name} has shape {shape_of(value)}, expected ({n},) for an input {shape_of(x)}."
            )
    if not eps >= 0:
        raise ValueError(f"{op_name}: eps must not be negative, got {eps}.")
    return {"eps": float(eps)}
