"""minilm: a neural-network engine written from scratch on NumPy and CuPy, up to a small Transformer, to be read.

::

    import minilm as ml

    x = ml.tensor([[1.0, 2.0]], requires_grad=True)
    loss = (x.sigmoid() ** 2).sum()
    loss.backward()
    x.grad

Start reading in `minilm.tensor` and `minilm.graph`; an op is explained in `minilm.ops.op`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np

from minilm.backend import DeviceError, get_device, get_num_threads, set_num_threads
from minilm.creation import (
    as_tensor,
    bernoulli,
    empty,
    empty_like,
    eye,
    from_numpy,
    full,
    full_like,
    is_tensor,
    linspace,
    logspace,
    multinomial,
    normal,
    ones_like,
    rand,
    rand_like,
    randint,
    randn,
    randn_like,
    randperm,
    tril_indices,
    triu_indices,
    zeros_like,
)
from minilm.gradcheck import GradcheckError, gradcheck, gradgradcheck
from minilm.graph import AnomalyError, detect_anomaly, enable_grad, is_grad_enabled, no_grad, observe
from minilm.ops import REGISTRY, use_fused
from minilm.ops.linalg import einsum
from minilm.ops.spellings import (
    add,
    addcdiv,
    addcmul,
    addmm,
    allclose,
    aminmax,
    append,
    atleast_1d,
    atleast_2d,
    broadcast_to,
    chunk,
    clamp_max,
    clamp_min,
    column_stack,
    deg2rad,
    diff,
    div,
    dstack,
    eq,
    equal,
    flatten,
    fliplr,
    flipud,
    gather,
    ge,
    ger,
    gt,
    hsplit,
    hstack,
    index_add,
    index_copy,
    index_fill,
    index_select,
    inner,
    kron,
    le,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    lt,
    masked_select,
    meshgrid,
    nan_to_num,
    nanmean,
    nansum,
    narrow,
    ne,
    permute,
    rad2deg,
    ravel,
    repeat,
    rot90,
    scatter,
    scatter_add,
    select,
    std_mean,
    sub,
    t,
    take,
    take_along_axis,
    tensor_split,
    unbind,
    unflatten,
    var_mean,
    vsplit,
    vstack,
)
from minilm.profile import profile
from minilm.random import manual_seed
from minilm.tensor import Tensor, arange, get_default_dtype, grad, ones, set_default_dtype, tensor, zeros
from minilm.trace import trace

if TYPE_CHECKING:
    from minilm import book, data, linalg, models, nn, ops, optim, parallel, random, text, training

__version__ = "0.1.0"

concat, stack, where, reshape, transpose = (
    REGISTRY[name] for name in ("concat", "stack", "where", "reshape", "transpose")
)
expand, swapaxes, squeeze, unsqueeze, split = (
    REGISTRY[name] for name in ("expand", "swapaxes", "squeeze", "unsqueeze", "split")
)
flip, tril, triu, tile, repeat_interleave = (
    REGISTRY[name] for name in ("flip", "tril", "triu", "tile", "repeat_interleave")
)
roll, diagonal, diag, diag_embed, outer = (
    REGISTRY[name] for name in ("roll", "diagonal", "diag", "diag_embed", "outer")
)
tensordot, dot, matmul, moveaxis, masked_fill = (
    REGISTRY[name] for name in ("tensordot", "dot", "matmul", "moveaxis", "masked_fill")
)
exp, exp2, expm1, log, log1p = (REGISTRY[name] for name in ("exp", "exp2", "expm1", "log", "log1p"))
log2, log10, sqrt, rsqrt, square = (REGISTRY[name] for name in ("log2", "log10", "sqrt", "rsqrt", "square"))
reciprocal = REGISTRY["reciprocal"]
sin, cos, tan, asin, acos = (REGISTRY[name] for name in ("sin", "cos", "tan", "asin", "acos"))
atan, atan2, sinh, cosh, tanh = (REGISTRY[name] for name in ("atan", "atan2", "sinh", "cosh", "tanh"))
asinh, acosh, atanh = (REGISTRY[name] for name in ("asinh", "acosh", "atanh"))
mul, neg, sign, remainder, fmod = (REGISTRY[name] for name in ("mul", "neg", "sign", "remainder", "fmod"))
floor_divide, copysign, hypot, logaddexp, lerp = (
    REGISTRY[name] for name in ("floor_divide", "copysign", "hypot", "logaddexp", "lerp")
)
erf = REGISTRY["erf"]
maximum, minimum, floor, ceil, trunc = (REGISTRY[name] for name in ("maximum", "minimum", "floor", "ceil", "trunc"))
frac, clip = (REGISTRY[name] for name in ("frac", "clip"))
isnan, isinf, isfinite, isposinf, isneginf = (
    REGISTRY[name] for name in ("isnan", "isinf", "isfinite", "isposinf", "isneginf")
)
isclose, signbit, count_nonzero, argmax, argmin = (
    REGISTRY[name] for name in ("isclose", "signbit", "count_nonzero", "argmax", "argmin")
)
sort, argsort, topk, cummax, cummin = (REGISTRY[name] for name in ("sort", "argsort", "topk", "cummax", "cummin"))
cumsum, cumprod, logcumsumexp, mean, var = (
    REGISTRY[name] for name in ("cumsum", "cumprod", "logcumsumexp", "mean", "var")
)
std, prod, logsumexp = (REGISTRY[name] for name in ("std", "prod", "logsumexp"))
sigmoid, relu, softmax, log_softmax = (REGISTRY[name] for name in ("sigmoid", "relu", "softmax", "log_softmax"))
selu, celu, prelu, hardshrink = (REGISTRY[name] for name in ("selu", "celu", "prelu", "hardshrink"))
cat, concatenate, clamp, movedim, swapdims, take_along_dim = concat, concat, clip, moveaxis, swapaxes, take_along_axis
amax, amin = REGISTRY["max"], REGISTRY["min"]
arcsin, arccos, arctan, arctan2, arcsinh, arccosh, arctanh = asin, acos, atan, atan2, asinh, acosh, atanh
absolute, negative, multiply, fix, power = REGISTRY["abs"], neg, mul, trunc, REGISTRY["pow"]
subtract, divide, true_divide, mod, expand_dims, mm, bmm, mv = (
    sub,
    div,
    div,
    remainder,
    unsqueeze,
    matmul,
    matmul,
    matmul,
)
greater, greater_equal, less, less_equal, not_equal = gt, ge, lt, le, ne
array_split, array_equal, permute_dims, row_stack, sgn = tensor_split, equal, permute, vstack, sign
around, fabs = REGISTRY["round"], REGISTRY["abs"]

# These are Python's names too, and so not in __all__: ``from minilm import *`` leaves Python's alone.
abs, all, any, max = (REGISTRY[name] for name in ("abs", "all", "any", "max"))
min, pow, round, sum = (REGISTRY[name] for name in ("min", "pow", "round", "sum"))

float16, float32, float64 = (np.dtype(name) for name in ("float16", "float32", "float64"))
int8, int16, int32, int64, uint8 = (np.dtype(name) for name in ("int8", "int16", "int32", "int64", "uint8"))
half, double, short, long, bool_ = float16, float64, int16, int64, np.dtype("bool")
float, int, bool = float32, int32, bool_
inf, nan, pi, e, newaxis = np.inf, np.nan, np.pi, np.e, None

_PACKAGES = ("book", "data", "linalg", "models", "nn", "ops", "optim", "parallel", "random", "text", "training")


def __getattr__(name: str) -> Any:
    """``ml.nn`` and the other packages, imported at first use, so that ``import minilm`` stays fast."""
    if name in _PACKAGES:
        return importlib.import_module(f"minilm.{name}")
    raise AttributeError(f"module 'minilm' has no attribute {name!r}")


__all__ = [
    "AnomalyError", "DeviceError", "GradcheckError", "Tensor", "absolute", "acos", "acosh", "add", "addcdiv", "addcmul",
    "addmm", "allclose", "amax", "amin", "aminmax", "append", "arange", "arccos", "arccosh", "arcsin", "arcsinh", "arctan",
    "arctan2", "arctanh", "argmax", "argmin", "argsort", "around", "array_equal", "array_split", "as_tensor", "asin", "asinh",
    "atan", "atan2", "atanh", "atleast_1d", "atleast_2d", "bernoulli", "bmm", "book", "bool_", "broadcast_to", "cat", "ceil",
    "celu", "chunk", "clamp", "clamp_max", "clamp_min", "clip", "column_stack", "concat", "concatenate", "copysign", "cos",
    "cosh", "count_nonzero", "cummax", "cummin", "cumprod", "cumsum", "data", "deg2rad", "detect_anomaly", "diag",
    "diag_embed", "diagonal", "diff", "div", "divide", "dot", "double", "dstack", "e", "einsum", "empty", "empty_like",
    "enable_grad", "eq", "equal", "erf", "exp", "exp2", "expand", "expand_dims", "expm1", "eye", "fabs", "fix", "flatten",
    "flip", "fliplr", "flipud", "float16", "float32", "float64", "floor", "floor_divide", "fmod", "frac", "from_numpy",
    "full", "full_like", "gather", "ge", "ger", "get_default_dtype", "get_device", "get_num_threads", "grad", "gradcheck",
    "gradgradcheck", "greater", "greater_equal", "gt", "half", "hardshrink", "hsplit", "hstack", "hypot", "index_add",
    "index_copy", "index_fill", "index_select", "inf", "inner", "int8", "int16", "int32", "int64", "is_grad_enabled",
    "is_tensor", "isclose", "isfinite", "isinf", "isnan", "isneginf", "isposinf", "kron", "le", "lerp", "less", "less_equal", "linalg",
    "linspace", "log", "log1p", "log2", "log10", "log_softmax", "logaddexp", "logcumsumexp", "logical_and", "logical_not",
    "logical_or", "logical_xor", "logspace", "logsumexp", "long", "lt", "manual_seed", "masked_fill", "masked_select",
    "matmul", "maximum", "mean", "meshgrid", "minimum", "mm", "mod", "models", "moveaxis", "movedim", "mul", "multinomial",
    "multiply", "mv", "nan", "nan_to_num", "nanmean", "nansum", "narrow", "ne", "neg", "negative", "newaxis", "nn", "no_grad",
    "normal", "not_equal", "observe", "ones", "ones_like", "ops", "optim", "outer", "parallel", "permute", "permute_dims",
    "pi", "power", "prelu", "prod", "profile", "rad2deg", "rand", "rand_like", "randint", "randn", "randn_like", "random",
    "randperm", "ravel", "reciprocal", "relu", "remainder", "repeat", "repeat_interleave", "reshape", "roll", "rot90",
    "row_stack", "rsqrt", "scatter", "scatter_add", "select", "selu", "set_default_dtype", "set_num_threads", "sgn", "short",
    "sigmoid", "sign", "signbit", "sin", "sinh", "softmax", "sort", "split", "sqrt", "square", "squeeze", "stack", "std",
    "std_mean", "sub", "subtract", "swapaxes", "swapdims", "t", "take", "take_along_axis", "take_along_dim", "tan", "tanh",
    "tensor", "tensor_split", "tensordot", "text", "tile", "topk", "trace", "training", "transpose", "tril", "tril_indices",
    "triu", "triu_indices", "true_divide", "trunc", "uint8", "unbind", "unflatten", "unsqueeze", "use_fused", "var",
    "var_mean", "vsplit", "vstack", "where", "zeros", "zeros_like",
]  # fmt: skip
