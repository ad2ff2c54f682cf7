"""Every record of the registry on infinities, NaN and the ends of the number range: no error, no warning, forward or backward.

What the elementwise ones give there is compared with PyTorch in tests/oracle/test_special_values.py.
"""

import math

import numpy as np
import pytest

import minilm as ml
from minilm.backend import to_device
from minilm.ops import REGISTRY

pytestmark = pytest.mark.host  # it places its tensors itself
SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, math.inf, -math.inf, math.nan, 1e-300, 1e300]
WITHIN = {"binary_cross_entropy": [0.0, -0.0, 1.0, 0.5, 1e-300]}  # it refuses what is no probability
SINGULAR = {
    "inv",
    "solve",
    "det",
    "logdet",
    "cholesky",
}  # LAPACK refuses such matrices, and a gradient that needs the inverse does
CASES = [
    pytest.param(op, sample, id=f"{name}-{i}")
    for name, op in REGISTRY.items()
    if name != "move" and name not in SINGULAR
    for i, sample in enumerate(op.samples)
]


def special(x, rng, device, numbers):
    """A drawn input with special values in place of its floats, as a leaf; what is no float array stays."""
    if not isinstance(x, np.ndarray):
        return x
    if x.dtype.kind != "f":
        return ml.Tensor(to_device(x, device))
    with np.errstate(all="ignore"):
        x = rng.choice(numbers, x.shape).astype(x.dtype)
    return ml.Tensor(to_device(x, device), True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("op", "sample"), CASES)
def test_no_record_raises_or_warns(op, sample, dtype, device):
    rng = np.random.default_rng(0)
    for _ in range(3):
        inputs = [special(x, rng, device, WITHIN.get(op.name, SPECIAL)) for x in sample.draw(rng, dtype)]
        y = op(*inputs, **sample.params)
        for out in y if isinstance(y, tuple) else (y,):
            if out.requires_grad:
                out.backward(
                    ml.Tensor(to_device(rng.choice(SPECIAL[:10], out.shape).astype(out.dtype), device)),
                    retain_graph=True,
                )
        for x in inputs:
            if isinstance(x, ml.Tensor) and x.grad is not None:
                assert x.grad.dtype == x.dtype
                assert x.grad.shape == x.shape
