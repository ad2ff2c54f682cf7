"""minilm: a neural-network engine written from scratch on NumPy and CuPy, up to a small Transformer, to be read.

::

    import minilm as ml

    x = ml.tensor([[1.0, 2.0]], requires_grad=True)
    loss = (x.sigmoid() ** 2).sum()
    loss.backward()
    x.grad

To read it, go up these eight stairs; each is one file that can be read alone:

1. `minilm.ops.activation`: ops such as sigmoid, each with its formula, its derivative and two rules
2. `minilm.ops.op`: what such a record is, and what happens when it is called
3. `minilm.backend.reference`: what the hot functions compute, as the book prints it
4. `minilm.tensor`: an array that knows how it was computed
5. `minilm.graph`: what is recorded, and the walk back through it
6. `minilm.gradcheck`: how a gradient is proven
7. `minilm.models.gpt`: a Transformer made of these
8. `minilm.training.loop`: how it learns
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np

from minilm.anomaly import AnomalyError, detect_anomaly
from minilm.backend import DeviceError, get_device, get_num_threads, set_num_threads, use_compiled
from minilm.checkpoint import checkpoint, checkpoint_sequential
from minilm.creation import (
    arange,
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
    ones,
    ones_like,
    rand,
    rand_like,
    randint,
    randn,
    randn_like,
    randperm,
    tensor,
    tril_indices,
    triu_indices,
    zeros,
    zeros_like,
)
from minilm.gradcheck import GradcheckError, gradcheck, gradgradcheck
from minilm.graph import enable_grad, is_grad_enabled, no_grad, observe
from minilm.indices import let_numpy_take_int64
from minilm.ops.activation import clip, erf, relu, sigmoid, tanh
from minilm.ops.arithmetic import abs, cos, exp, log, maximum, minimum, mul, neg, pow, sign, sin, sqrt, where
from minilm.ops.arrange import (
    diag,
    diag_embed,
    diagonal,
    dot,
    moveaxis,
    outer,
    repeat_interleave,
    roll,
    tensordot,
    tile,
)
from minilm.ops.dtypes import get_default_dtype, set_default_dtype
from minilm.ops.einsum import einsum
from minilm.ops.elementary import (
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    cosh,
    exp2,
    expm1,
    hypot,
    lerp,
    log1p,
    log2,
    log10,
    logaddexp,
    reciprocal,
    rsqrt,
    sinh,
    square,
    tan,
)
from minilm.ops.index import masked_fill
from minilm.ops.linalg import matmul
from minilm.ops.logic import all as all
from minilm.ops.logic import any as any
from minilm.ops.logic import (
    argmax,
    argmin,
    count_nonzero,
    isclose,
    isfinite,
    isinf,
    isnan,
    isneginf,
    isposinf,
    signbit,
)
from minilm.ops.normalize import log_softmax, softmax
from minilm.ops.op import use_fused
from minilm.ops.order import argsort, cummax, cummin, sort, topk
from minilm.ops.rectifier import celu, hardshrink, prelu, selu
from minilm.ops.reduce import cumsum, logsumexp, max, mean, min, prod, std, var
from minilm.ops.reduce import sum as sum
from minilm.ops.rounding import ceil, copysign, floor, floor_divide, fmod, frac, remainder, round, trunc
from minilm.ops.scan import cumprod, logcumsumexp
from minilm.ops.shape import (
    concat,
    expand,
    flip,
    reshape,
    split,
    squeeze,
    stack,
    swapaxes,
    transpose,
    tril,
    triu,
    unsqueeze,
)
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
from minilm.tensor import Tensor, grad
from minilm.trace import trace

if TYPE_CHECKING:
    from minilm import book, data, linalg, models, nn, ops, optim, parallel, random, text, training
    from minilm import exercises as exercises
    from minilm.exercises.desk import check as check
    from minilm.exercises.desk import exercise as exercise
    from minilm.exercises.desk import hint as hint
    from minilm.exercises.desk import progress as progress

__version__ = "0.1.0"
let_numpy_take_int64()  # does something in a web page only

# Other names of the same, and dtypes. Those that Python has too (abs, all, any, max, min, pow, round, sum, float, int, bool) are not in
# __all__: ``from minilm import *`` leaves Python's alone.
cat, concatenate, clamp, movedim, swapdims, take_along_dim = concat, concat, clip, moveaxis, swapaxes, take_along_axis
amax, amin = max, min
arcsin, arccos, arctan, arctan2, arcsinh, arccosh, arctanh = asin, acos, atan, atan2, asinh, acosh, atanh
absolute, negative, multiply, fix, power = abs, neg, mul, trunc, pow
subtract, divide, true_divide, mod, expand_dims = sub, div, div, remainder, unsqueeze
mm, bmm, mv = matmul, matmul, matmul
greater, greater_equal, less, less_equal, not_equal = gt, ge, lt, le, ne
array_split, array_equal, permute_dims, row_stack, sgn = tensor_split, equal, permute, vstack, sign
around, fabs = round, abs

float16, float32, float64 = (np.dtype(name) for name in ("float16", "float32", "float64"))
int8, int16, int32, int64, uint8 = (np.dtype(name) for name in ("int8", "int16", "int32", "int64", "uint8"))
half, double, short, long, bool_ = float16, float64, int16, int64, np.dtype("bool")
float, int, bool = float32, int32, bool_
inf, nan, pi, e, newaxis = np.inf, np.nan, np.pi, np.e, None

_PACKAGES = (
    "book",
    "data",
    "exercises",
    "linalg",
    "models",
    "nn",
    "ops",
    "optim",
    "parallel",
    "random",
    "text",
    "training",
)
# Not in __all__: ``from minilm import *`` leaves such common words to the reader.
_FOR_STUDENTS = ("check", "exercise", "hint", "progress")


def __getattr__(name: str) -> Any:
    """``ml.nn`` and the other packages, and what the exercises need, imported at first use, so that ``import minilm`` stays fast."""
    if name in _PACKAGES:
        return importlib.import_module(f"minilm.{name}")
    if name in _FOR_STUDENTS:
        return getattr(importlib.import_module("minilm.exercises.desk"), name)
    raise AttributeError(f"module 'minilm' has no attribute {name!r}")


__all__ = [
    "AnomalyError", "DeviceError", "GradcheckError", "Tensor", "absolute", "acos", "acosh", "add", "addcdiv", "addcmul",
    "addmm", "allclose", "amax", "amin", "aminmax", "append", "arange", "arccos", "arccosh", "arcsin", "arcsinh", "arctan",
    "arctan2", "arctanh", "argmax", "argmin", "argsort", "around", "array_equal", "array_split", "as_tensor", "asin", "asinh",
    "atan", "atan2", "atanh", "atleast_1d", "atleast_2d", "bernoulli", "bmm", "book", "bool_", "broadcast_to", "cat", "ceil",
    "celu", "checkpoint", "checkpoint_sequential", "chunk", "clamp", "clamp_max", "clamp_min", "clip", "column_stack", "concat",
    "concatenate", "copysign", "cos",
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
    "triu", "triu_indices", "true_divide", "trunc", "uint8", "unbind", "unflatten", "unsqueeze", "use_compiled", "use_fused", "var",
    "var_mean", "vsplit", "vstack", "where", "zeros", "zeros_like",
]  # fmt: skip
