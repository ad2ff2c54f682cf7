"""The first NaN or infinity of a computation, and the line that made it: an observer of the graph (`minilm.graph.observe`)."""

from __future__ import annotations

import contextlib
import math
import sys
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

from minilm.backend import device_of
from minilm.graph import Node, observe
from minilm.ops.arguments import shape_of
from minilm.ops.op import Op
from minilm.ops.shape import array_of

_sites: weakref.WeakKeyDictionary[Node, str] = weakref.WeakKeyDictionary()
"""The "file:line" of the call that recorded a node."""


class AnomalyError(ArithmeticError):
    """An op made a NaN or an infinity under `detect_anomaly`."""


@contextlib.contextmanager
def detect_anomaly() -> Iterator[None]:
    """Within it, the first NaN or infinity that an op makes, forward or backward, raises `AnomalyError`.

    The error names the op, its formula, the input that caused it, and the line that called it. Each op costs one more
    pass over its output, and on a GPU one wait.
    """
    with observe(_Detector()):
        yield


class _Detector:
    """The observer that looks at every result of every rule."""

    def forward(self, op: Op, inputs: Sequence[Any], params: dict[str, Any], outputs: Sequence[Any]) -> None:
        site = user_site()
        check(op, [array_of(x) for x in inputs], params, [y.data for y in outputs], site, "forward")
        if outputs[0].grad_fn is not None:
            _sites[outputs[0].grad_fn] = site

    def backward(self, node: Node, g: Any, grads: Sequence[Any]) -> None:
        incoming = [array_of(x) for x in (g if node.op.multi else (g,)) if x is not None]
        site = _sites.get(node, "an unknown place")
        check(node.op, incoming, {}, [array_of(d) for d in grads], site, "backward")


def check(op: Op, inputs: Sequence[Any], params: dict[str, Any], outputs: Sequence[Any], site: str, stage: str) -> None:
    """Raises `AnomalyError` where an output is not finite.

    An op that was given an infinity (masked_fill's value, a masked score) may pass it on; a NaN it may not make.
    """
    given = any(isinstance(v, float) and math.isinf(v) for v in params.values()) or any(
        _any(x, "isinf") for x in inputs
    )
    if not any(_any(y, "isnan") or (not given and _any(y, "isinf")) for y in outputs):
        return
    bad = [i for i, x in enumerate(inputs) if _any(x, "isnan") or _any(x, "isinf")]
    names = op.input_names or tuple(f"input {i}" for i in range(len(inputs)))
    if stage == "backward":
        names = ("incoming gradient",) * len(inputs)
    if bad:
        cause = f"its {names[bad[0]]} {shape_of(inputs[bad[0]])} was not finite already"
    else:
        ranges = [f"{n} in [{float(x.min()):.4g}, {float(x.max()):.4g}]" for n, x in zip(names, inputs, strict=False)
                  if getattr(x, "size", 0)]  # fmt: skip
        cause = f"from finite inputs: {', '.join(ranges)}; it is defined for {op.domain}"
    raise AnomalyError(
        f"{op.name} made a NaN or an infinity in the {stage} pass ({op.formula}), {cause}. Called at {site}."
    )


def _any(x: Any, test: str) -> bool:
    """Whether a float array holds a number for which the array module's `test` is true."""
    if getattr(x, "dtype", None) is None or x.dtype.kind != "f":
        return False
    return bool(getattr(device_of(x).xp, test)(x).any())


def user_site() -> str:
    """ "file:line" of the nearest caller outside this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "minilm":
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
