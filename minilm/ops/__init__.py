"""Every op of the engine: one file a family, one record an op. See `minilm.ops.op` for how to read one."""

from minilm.ops import (
    activation,
    arithmetic,
    attention,
    conv,
    embedding,
    index,
    linalg,
    loss,
    normalize,
    random,
    reduce,
    shape,
)
from minilm.ops.op import REGISTRY, Op, Sample, use_fused

__all__ = [
    "REGISTRY",
    "Op",
    "Sample",
    "activation",
    "arithmetic",
    "attention",
    "conv",
    "embedding",
    "index",
    "linalg",
    "loss",
    "normalize",
    "random",
    "reduce",
    "shape",
    "use_fused",
]
