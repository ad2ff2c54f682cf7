"""minilm: a neural-network engine written from scratch on NumPy and CuPy, up to a small Transformer, to be read."""

from minilm.graph import detect_anomaly, enable_grad, is_grad_enabled, no_grad, observe
from minilm.ops import use_fused
from minilm.tensor import Tensor, arange, get_default_dtype, grad, ones, set_default_dtype, tensor, zeros

__version__ = "0.1.0"
__all__ = ["Tensor", "arange", "detect_anomaly", "enable_grad", "get_default_dtype", "grad", "is_grad_enabled", "no_grad",
           "observe", "ones", "set_default_dtype", "tensor", "use_fused", "zeros"]  # fmt: skip
