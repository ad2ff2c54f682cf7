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

from minilm.backend import DeviceError, get_device, get_num_threads, set_num_threads
from minilm.gradcheck import GradcheckError, gradcheck, gradgradcheck
from minilm.graph import AnomalyError, detect_anomaly, enable_grad, is_grad_enabled, no_grad, observe
from minilm.ops import REGISTRY, use_fused
from minilm.ops.linalg import einsum
from minilm.profile import profile
from minilm.random import manual_seed
from minilm.tensor import Tensor, arange, get_default_dtype, grad, ones, set_default_dtype, tensor, zeros
from minilm.trace import trace

if TYPE_CHECKING:
    from minilm import book, data, models, nn, ops, optim, parallel, random, text, train

__version__ = "0.1.0"

concat, stack, where = (REGISTRY[name] for name in ("concat", "stack", "where"))
maximum, minimum, exp, log, sqrt = (REGISTRY[name] for name in ("maximum", "minimum", "exp", "log", "sqrt"))

_PACKAGES = ("book", "data", "models", "nn", "ops", "optim", "parallel", "random", "text", "train")


def __getattr__(name: str) -> Any:
    """``ml.nn`` and the other packages, imported at first use, so that ``import minilm`` stays fast."""
    if name in _PACKAGES:
        return importlib.import_module(f"minilm.{name}")
    raise AttributeError(f"module 'minilm' has no attribute {name!r}")


__all__ = [
    "AnomalyError", "DeviceError", "GradcheckError", "Tensor", "arange", "book", "concat", "data", "detect_anomaly", "einsum",
    "enable_grad", "exp", "get_default_dtype", "get_device", "get_num_threads", "grad", "gradcheck", "gradgradcheck",
    "is_grad_enabled", "log", "manual_seed", "maximum", "minimum", "models", "nn", "no_grad", "observe", "ones", "ops", "optim", "parallel",
    "profile", "random", "set_default_dtype", "set_num_threads", "sqrt", "stack", "tensor", "text", "trace",
    "train", "use_fused", "where", "zeros",
]  # fmt: skip
