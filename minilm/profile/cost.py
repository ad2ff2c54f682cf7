r"""How many floating-point operations each op takes, and the bytes that it must move: counted from shapes, not measured.

**Operations.** Each :math:`+ - \times \div`, each comparison, maximum, absolute value and square root of one number counts 1. An
exponential, logarithm, sine, cosine, power, tanh or erf counts `TRANSCENDENTAL` = 8, the weight that McMahon (1986, *The
Livermore Fortran Kernels*, UCRL-53745) gives to exp and sin (he gives 4 to a division, which counts 1 here). A product of
matrices (m, k) and (k, n) counts 2mnk. Moving, choosing and converting numbers counts 0. The table below follows the formulas of
the registry, term by term; terms of one number a row are left out, and so are masks: a causal attention counts its whole
square, as is customary. A backward rule counts what the inputs that need a gradient ask for.

**Bytes.** The least that must move: each array that a rule reads, once, and each that it writes, once. What an op keeps for its
backward rule is written, too. A view moves nothing, a repeated axis is there once. A rule that passes over memory several
times moves more than this, unless a cache holds it: that is what the roofline shows.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from minilm.backend import device_of
from minilm.ops.op import Op
from minilm.types import Shape

TRANSCENDENTAL = T = 8
"""What an exponential and its kin count."""


class Sizes(NamedTuple):
    """One application of an op, as far as its cost depends on it.

    Attributes:
        inputs: the shape of each input; None for a number, or where there is none.
        needs: for a backward rule, which inputs it differentiates by.
    """

    inputs: tuple[Shape | None, ...]
    outputs: tuple[Shape, ...]
    params: dict[str, Any]
    needs: tuple[bool, ...] = ()

    @property
    def y(self) -> int:
        """The number of elements of the first output."""
        return math.prod(self.outputs[0])

    def x(self, i: int = 0) -> int:
        """The number of elements of input i; 0 where it is no array."""
        shape = self.inputs[i]
        return 0 if shape is None else math.prod(shape)

    def has(self, i: int) -> bool:
        """Whether input i is an array."""
        return i < len(self.inputs) and self.inputs[i] is not None

    def reduces(self) -> int:
        """For a loss: what adding up its elements counts."""
        return 0 if self.params.get("reduction") == "none" else self.x()


Count = Callable[[Sizes], int]


class Cost(NamedTuple):
    """The operations of an op: forward, and backward."""

    forward: Count
    backward: Count


def added(total: int, sums: int) -> int:
    """The additions that make so many sums of so many numbers."""
    return max(total - sums, 0)


def each(forward: int, *backward: int) -> Cost:
    """So many for each element of the output: forward, and backward for each input. Gradients of inputs that were broadcast
    are added up."""

    def back(s: Sizes) -> int:
        return sum(per * s.y + added(s.y, s.x(i)) for i, per in enumerate(backward) if s.needs[i])

    return Cost(lambda s: forward * s.y, back)


def moves(backward: Count = lambda s: 0) -> Cost:
    """None forward: numbers are moved."""
    return Cost(lambda s: 0, backward)


def reduction(forward: int, backward: int) -> Cost:
    """So many for each element of the input."""
    return Cost(lambda s: forward * s.x(), lambda s: backward * s.x())


def loss(forward: int, *backward: int) -> Cost:
    """So many for each element of the input, backward for each input that needs it; then the elements are added up."""
    return Cost(
        lambda s: forward * s.x() + s.reduces(),
        lambda s: sum(per * s.x() for per, need in zip(backward, s.needs, strict=False) if need),
    )


# -- products ---------------------------------------------------------------------------------------------------------


def matmul(s: Sizes) -> int:
    """2mnk for each matrix of the batch."""
    left = s.inputs[0]
    assert left is not None
    return 2 * s.y * left[-1]


def matmul_backward(s: Sizes) -> int:
    """The same for each factor; a factor that was repeated along the batch has its gradients added up."""
    a, b = s.inputs
    assert a is not None
    assert b is not None
    count, batch = matmul(s) * sum(s.needs), _batch(a, b)
    rows, columns = (math.prod(shape[-2:]) for shape in (a, b))
    if s.needs[0]:
        count += added(batch * rows, s.x(0))
    if s.needs[1] and len(b) > 2:  # one matrix for the whole batch is one flat product
        count += added(batch * columns, s.x(1))
    return count


def _batch(a: Shape, b: Shape) -> int:
    return math.prod(max(m, n) for m, n in itertools.zip_longest(a[-3::-1], b[-3::-1], fillvalue=1))


def linear(s: Sizes) -> int:
    weight = s.inputs[1]
    assert weight is not None
    return 2 * s.y * weight[1] + s.y * s.has(2)


def linear_backward(s: Sizes) -> int:
    weight = s.inputs[1]
    assert weight is not None
    return 2 * s.y * weight[1] * sum(s.needs[:2]) + added(s.y, weight[0]) * s.needs[2]


def einsum(s: Sizes) -> int:
    terms, output = _terms(s)
    return _contraction(list(zip(terms, s.inputs, strict=True)), output)


def einsum_backward(s: Sizes) -> int:
    """For each input another sum: of the gradient and the other inputs."""
    terms, output = _terms(s)
    operands = list(zip(terms, s.inputs, strict=True))
    return sum(
        _contraction([(output, s.outputs[0]), *operands[:k], *operands[k + 1 :]], terms[k])
        for k, need in enumerate(s.needs)
        if need
    )


def _terms(s: Sizes) -> tuple[list[str], str]:
    left, _, output = s.params["subscripts"].partition("->")
    return left.split(","), output


def _contraction(operands: list[tuple[str, Shape | None]], output: str) -> int:
    """Operands multiplied in pairs, each time the pair that takes the fewest multiplications, and summed over what goes."""
    size: dict[str, int] = {}
    for term, shape in operands:
        for letter, n in zip(term, shape or (), strict=True):
            size[letter] = max(size.get(letter, 1), n)

    def elements(letters: Iterable[str]) -> int:
        return math.prod(size.get(letter, 1) for letter in letters)

    factors, count = [frozenset(term) for term, _ in operands], 0
    while len(factors) > 1:
        i, j = min(
            itertools.combinations(range(len(factors)), 2), key=lambda p: elements(factors[p[0]] | factors[p[1]])
        )
        both = factors.pop(j) | factors.pop(i)
        kept = both & frozenset(output).union(*factors)
        count += elements(both) * (1 if kept == both else 2)
        factors.append(kept)
    return count + added(elements(factors[0]), elements(factors[0] & frozenset(output)))


def attention(s: Sizes) -> int:
    """Scores, softmax, and the means of the values: 2LSE + (T + 4) LS + 2LSV for each head."""
    scores, width, values = _scores(s)
    extra = s.has(3) + (s.params["dropout_p"] > 0)  # the mask is added, dropout multiplies
    return scores * (2 * width + 2 * values + T + 4 + extra)


def attention_backward(s: Sizes) -> int:
    r""":math:`\bar V = P^\top \bar Y, \bar P = \bar Y V^\top`, softmax's rule, :math:`\bar Q = s \bar M K, \bar K = s \bar M^\top Q`."""
    scores, width, values = _scores(s)
    q, k, v, mask = (*s.needs, False)[:4]
    count = 2 * width * (q + k) + 2 * values * v
    if q or k or mask:
        count += 2 * values + 4
    if s.params["dropout_p"] > 0:
        count += 1
    return scores * count


def logmatmulexp(s: Sizes) -> int:
    """As a product of matrices of exponentials; a logarithm of each element."""
    a, _ = s.inputs
    assert a is not None
    return (T + 1) * (s.x(0) + s.x(1)) + (2 * a[-1] + T + 1) * s.y


def logmatmulexp_backward(s: Sizes) -> int:
    """Two such products."""
    a, _ = s.inputs
    assert a is not None
    return (T + 2) * (s.x(0) + s.x(1)) + (6 * a[-1] + 1) * s.y


def _scores(s: Sizes) -> tuple[int, int, int]:
    """The number of scores of all heads, and the widths of keys and values."""
    q, k, v = s.inputs[:3]
    assert q is not None
    assert k is not None
    assert v is not None
    return math.prod(s.outputs[0][:-1]) * k[-2], q[-1], v[-1]


def conv(s: Sizes) -> int:
    """A product with a filter in each window."""
    weight = s.inputs[1]
    assert weight is not None
    return 2 * s.y * math.prod(weight[1:]) + s.y * s.has(2)


def conv_backward(s: Sizes) -> int:
    weight = s.inputs[1]
    assert weight is not None
    return 2 * s.y * math.prod(weight[1:]) * sum(s.needs[:2]) + added(s.y, weight[0]) * s.needs[2]


def _window(s: Sizes) -> int:
    size = s.params["kernel_size"]
    return math.prod(size) if isinstance(size, tuple) else size * size


def conv_transpose(s: Sizes) -> int:
    """A filter, weighted by each number of the input."""
    weight = s.inputs[1]
    assert weight is not None
    return 2 * s.x() * math.prod(weight[1:]) + s.y * s.has(2)


def conv_transpose_backward(s: Sizes) -> int:
    weight = s.inputs[1]
    assert weight is not None
    filters = weight[1] * s.params["groups"]
    return 2 * s.x() * math.prod(weight[1:]) * sum(s.needs[:2]) + added(s.y, filters) * s.needs[2]


def _side(s: Sizes) -> int:
    """The side of square matrices."""
    shape = s.inputs[0]
    assert shape is not None
    return shape[-1]


def cubes(s: Sizes) -> int:
    """The cube of the side, for each matrix."""
    return s.x() * _side(s)


def solved(s: Sizes) -> int:
    """Triangular factors of each matrix, then two triangular systems for each column."""
    return 2 * cubes(s) // 3 + 2 * s.x(1) * _side(s)


# -- norms and losses -------------------------------------------------------------------------------------------------


def layer_norm(s: Sizes) -> int:
    """Sum, subtract, square, sum, scale; then weight and bias."""
    return (5 + s.has(1) + s.has(2)) * s.x()


def layer_norm_backward(s: Sizes) -> int:
    x, weight, bias = s.needs
    return (x * (9 + s.has(1)) + weight * 2 + bias) * s.x()


def rms_norm(s: Sizes) -> int:
    """Square, sum, scale; then weight."""
    return (3 + s.has(1)) * s.x()


def rms_norm_backward(s: Sizes) -> int:
    x, weight = s.needs
    return (x * (6 + s.has(1)) + weight * 2) * s.x()


def batch_norm(s: Sizes) -> int:
    """The statistics where they are not given (sum, subtract, square, sum); shift and scale; weight and bias."""
    return (4 * (not s.has(3)) + 2 + s.has(1) + s.has(2)) * s.x()


def batch_norm_backward(s: Sizes) -> int:
    x, weight, bias = s.needs[:3]
    return (x * (1 if s.has(3) else 6) + weight * 2 + bias) * s.x()


def gelu(s: Sizes) -> int:
    r""":math:`\tfrac12 x (1 + \operatorname{erf}(x / \sqrt 2))`, or with tanh of a cubic polynomial."""
    return s.y * (T + 4 if s.params["approximate"] == "none" else T + 8)


def gelu_backward(s: Sizes) -> int:
    r""":math:`\bar y\, (\Phi + x \varphi(x))` with :math:`\Phi = y / x`; tanh's derivative needs no exponential."""
    return s.y * (T + 7 if s.params["approximate"] == "none" else 10)


def cross_entropy(s: Sizes) -> int:
    """Maximum, subtract, exponential, sum; with distributions as targets, or smoothed ones, a product with them."""
    soft = 2 * (s.inputs[1] == s.inputs[0] or s.params["label_smoothing"] > 0)
    return (T + 3 + soft) * s.x()


def cross_entropy_backward(s: Sizes) -> int:
    soft = 2 * (s.inputs[1] == s.inputs[0] or s.params["label_smoothing"] > 0)
    return ((T + 2 + soft) * s.needs[0] + (T + 5) * s.needs[1]) * s.x()


# -- order ------------------------------------------------------------------------------------------------------------


def sorting(s: Sizes) -> int:
    r"""The comparisons of a sort by merging: :math:`\lceil \log_2 n \rceil` for each element."""
    return s.x() * max(_axis_size(s) - 1, 0).bit_length()


def running(s: Sizes) -> int:
    """Five for each element and doubling: is either a NaN, which is larger, and so on."""
    return 5 * sorting(s)


def _axis_size(s: Sizes) -> int:
    shape = s.inputs[0] or (1,)
    return shape[s.params["axis"]]


# -- the table --------------------------------------------------------------------------------------------------------

COSTS: dict[str, Cost] = {
    # For each element of the output: forward; backward, for each input.
    "add": each(1, 0, 0),
    "sub": each(1, 0, 1),
    "mul": each(1, 1, 1),
    "div": each(1, 1, 3),
    "neg": each(1, 1),
    "pow": each(T, T + 2, T + 2),
    "abs": each(1, 2),
    "sign": each(1, 1),
    "sqrt": each(1, 2),
    "exp": each(T, 1),
    "log": each(T, 1),
    "sin": each(T, T + 1),
    "cos": each(T, T + 2),
    "maximum": each(1, 2, 2),
    "minimum": each(1, 2, 2),
    "where": each(0, 0, 0, 0),
    "masked_fill": each(0, 0, 0),
    "tanh": each(T, 3),
    "sigmoid": each(T + 3, 3),
    "relu": each(1, 2),
    "leaky_relu": each(2, 2),
    "silu": each(T + 4, T + 8),
    "softplus": each(2 * T + 3, T + 5),
    "clip": each(2, 3),
    "erf": each(T, T + 4),
    "gelu": Cost(gelu, gelu_backward),
    "dropout": each(1, 1),
    "tan": each(T, 3),
    "asin": each(T, 5),
    "acos": each(T, 6),
    "atan": each(T, 3),
    "atan2": each(T, 5, 6),
    "sinh": each(T, T + 1),
    "cosh": each(T, T + 1),
    "asinh": each(T, 5),
    "acosh": each(T, 5),
    "atanh": each(T, 3),
    "log1p": each(T, 2),
    "expm1": each(T, 2),
    "log2": each(T, 2),
    "log10": each(T, 2),
    "exp2": each(T, 2),
    "square": each(1, 2),
    "reciprocal": each(1, 3),
    "rsqrt": each(2, 4),
    "hypot": each(4, 2, 2),
    "logaddexp": each(2 * T + 3, T + 5, T + 5),
    "floor": each(1, 1),
    "ceil": each(1, 1),
    "trunc": each(1, 1),
    "round": each(1, 1),
    "floor_divide": each(2, 1, 1),
    "trunc_divide": each(2, 1, 1),
    "remainder": each(4, 0, 4),
    "fmod": each(4, 0, 4),
    "copysign": each(1, 4, 1),
    "elu": each(T + 3, T + 4),
    "celu": each(T + 4, T + 4),
    "hardtanh": each(2, 3),
    "hardswish": each(5, 5),
    "logsigmoid": each(2 * T + 4, T + 5),
    # Questions: one comparison for each element, two for a distance; no gradient.
    "isnan": each(1, 0),
    "isinf": each(1, 0),
    "isposinf": each(1, 0),
    "isneginf": each(1, 0),
    "isfinite": each(1, 0),
    "signbit": each(1, 0),
    "isclose": each(6, 0, 0),
    "all": reduction(1, 0),
    "any": reduction(1, 0),
    "count_nonzero": reduction(2, 0),
    "argmax": reduction(1, 0),
    "argmin": reduction(1, 0),
    "argsort": Cost(sorting, lambda s: 0),
    "argcummax": Cost(running, lambda s: 0),
    "argcummin": Cost(running, lambda s: 0),
    # Products.
    "matmul": Cost(matmul, matmul_backward),
    "linear": Cost(linear, linear_backward),
    "einsum": Cost(einsum, einsum_backward),
    "scaled_dot_product_attention": Cost(attention, attention_backward),
    "conv2d": Cost(conv, conv_backward),
    # Reductions, for each element of the input.
    "sum": Cost(lambda s: added(s.x(), s.y), lambda s: 0),
    "mean": Cost(lambda s: s.x(), lambda s: s.y),
    "var": reduction(4, 3),
    "std": reduction(4, 3),
    "max": Cost(lambda s: added(s.x(), s.y), lambda s: 3 * s.x()),
    "min": Cost(lambda s: added(s.x(), s.y), lambda s: 3 * s.x()),
    "cumsum": reduction(1, 1),
    "logmatmulexp": Cost(logmatmulexp, logmatmulexp_backward),
    "logsumexp": reduction(T + 3, T + 2),
    "softmax": reduction(T + 4, 4),
    "log_softmax": reduction(T + 4, T + 3),
    "batch_statistics": reduction(4, 3),
    "layer_norm": Cost(layer_norm, layer_norm_backward),
    "rms_norm": Cost(rms_norm, rms_norm_backward),
    "batch_norm": Cost(batch_norm, batch_norm_backward),
    "conv_transpose2d": Cost(conv_transpose, conv_transpose_backward),
    "max_pool2d": Cost(lambda s: (_window(s) - 1) * s.y, lambda s: s.y),
    "max_pool2d_indices": Cost(lambda s: (_window(s) - 1) * s.y, lambda s: 0),
    # Of square matrices, as LAPACK counts them (Golub and Van Loan 2013, sections 3.2 and 4.2).
    "inv": Cost(lambda s: 2 * cubes(s), lambda s: 4 * cubes(s)),
    "solve": Cost(solved, lambda s: solved(s) + 2 * s.x(1) * _side(s) * s.needs[0]),
    "det": Cost(lambda s: 2 * cubes(s) // 3, lambda s: 2 * cubes(s) + s.x()),
    "logdet": Cost(lambda s: 2 * cubes(s) // 3, lambda s: 2 * cubes(s) + s.x()),
    "cholesky": Cost(lambda s: cubes(s) // 3, lambda s: 8 * cubes(s)),
    "p_norm": Cost(lambda s: (T + 3) * s.x(), lambda s: (T + 4) * s.x()),
    "avg_pool2d": Cost(lambda s: _window(s) * s.y, lambda s: (_window(s) + 1) * s.y),
    # Losses, for each element; backward for input and target.
    "cross_entropy": Cost(cross_entropy, cross_entropy_backward),
    "mse": loss(2, 3, 3),
    "l1": loss(2, 3, 3),
    "huber": loss(6, 4, 4),
    "binary_cross_entropy": loss(2 * T + 6, 5, 2 * T + 3),
    "binary_cross_entropy_with_logits": loss(4 * T + 7, 2 * T + 12, 4 * T + 5, 2 * T + 4),
    "kl_div": loss(T + 2, 2, T + 3),
    # Numbers moved; backward, what is added up where several come from one.
    "cast": moves(),
    "move": moves(),
    "reshape": moves(),
    "transpose": moves(),
    "swapaxes": moves(),
    "squeeze": moves(),
    "unsqueeze": moves(),
    "expand": moves(lambda s: added(s.y, s.x())),
    "concat": moves(),
    "stack": moves(),
    "split": moves(),
    "pad": moves(),
    "flip": moves(),
    "tril": moves(),
    "triu": moves(),
    "basic_index": moves(),
    "place": moves(),
    "advanced_index": moves(lambda s: s.y),
    "accumulate": Cost(lambda s: s.x(), lambda s: 0),
    "embedding": moves(lambda s: s.y),
    "embedding_grad": Cost(lambda s: s.x(), lambda s: 0),
}
"""The cost of each op, by name. An op without a forward rule is counted as the ops that it is composed of. Enter an op of your
own here, as ``COSTS["mine"] = each(2, 1)``; without an entry it counts 0, and the profile says so."""

READS_ROWS = ("embedding", "advanced_index")
"""Ops that read of their first input only as much as they return."""


def flops(op: Op, sizes: Sizes, backward: bool) -> int | None:
    """The operations of one application; None where the op has no entry."""
    cost = COSTS.get(op.name)
    if cost is None:
        return None
    return int(cost.backward(sizes) if backward else cost.forward(sizes))


# -- bytes ------------------------------------------------------------------------------------------------------------


def nbytes(array: Any) -> int:
    """The memory behind an array's elements: an axis that is repeated (stride 0) is there once."""
    if 0 not in array.strides:
        return int(array.nbytes)
    return int(array.itemsize * math.prod(n for n, stride in zip(array.shape, array.strides, strict=True) if stride))


def is_array(x: Any) -> bool:
    """Whether something is an array of a device, and no number."""
    return hasattr(x, "strides") and not isinstance(x, np.generic)


def arrays_in(value: Any) -> list[Any]:
    """The arrays in what an op keeps for its backward rule."""
    if isinstance(value, tuple | list):
        return [array for item in value for array in arrays_in(item)]
    return [value] if is_array(value) else []


def is_view(array: Any, of: Any) -> bool:
    """Whether an array shares the memory of another."""
    if array is of:
        return True
    device = device_of(of)
    return device.owns(array) and bool(device.xp.may_share_memory(array, of))


def forward_bytes(op: Op, inputs: list[Any], outputs: list[Any], kept: list[Any]) -> int:
    """What an op reads and writes, given the arrays among its inputs, its outputs, and what it keeps."""
    if op.view and is_view(outputs[0], inputs[0]):
        return 0
    written = sum(map(nbytes, outputs))
    read = sum(map(nbytes, inputs))
    if op.name in READS_ROWS:
        read += written - nbytes(inputs[0])
    return read + written + sum(nbytes(a) for a in kept if not any(a is x for x in (*inputs, *outputs)))


def backward_bytes(node: Any, arrived: list[Any], grads: list[Any]) -> int:
    """What a backward rule reads (the gradients that arrived, and what it was promised) and writes. A gradient that is passed
    on as it is moves nothing."""
    written = [d for d in grads if d is not None and not any(is_view(d, g) for g in arrived)]
    if not written:
        return 0
    reads_y, reads = node.op.saves[tuple(d is not None for d in grads)]
    saved = [x for x, read in zip(node.inputs, reads, strict=True) if read]
    saved += node.outputs if reads_y else ()
    saved += arrays_in(node.aux)
    return sum(nbytes(a) for a in [*arrived, *saved, *written] if is_array(a))
