"""Step-through: a computation recorded, then walked forward and backward with its numbers.

Each file knows only those before it: `model` (what is kept), `recorder` (how it is filled; `frames` and `labels` find the names, `axes`
and `attention` what stands along the axes),
`explain` (a gradient as a sum over paths), `text`, `panel`, `twin` and `html` (how it is shown, and what a page needs to compute it again),
and `face` (what the reader holds). Beside them lie a page's scripts: step.js walks, change.js changes a number, with ops.js and shown.js.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minilm.trace.explain import Path
    from minilm.trace.face import Explanation, Step, Trace
    from minilm.trace.model import Call, Contribution, Scope, Value

__all__ = ["Call", "Contribution", "Explanation", "Path", "Scope", "Step", "Trace", "Value", "trace"]

_HOMES = {"Call": "model", "Contribution": "model", "Scope": "model", "Value": "model", "Path": "explain", "Explanation": "face",
          "Step": "face", "Trace": "face"}  # fmt: skip


def __getattr__(name: str) -> Any:
    """What only a trace needs is imported with the first one: ``import minilm`` does not wait for it."""
    if name in _HOMES:
        return getattr(import_module(f"minilm.trace.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'minilm.trace' has no attribute {name!r}")


def trace(tokens: Sequence[str] | None = None) -> Trace:
    """Records what runs inside a ``with`` block, forward and backward, for stepping through::

        with ml.trace() as steps:
            loss = ((x @ w).sigmoid() - y).pow(2).mean()
            loss.backward()
        print(steps)

    A notebook shows ``steps`` as a drawing with buttons. Names that `Tensor.named` gave to rows and columns follow their Tensor through
    the computation, forward and backward, as far as they are plain: ``X.named("X", rows=["the", "cat", "sat"])``.

    Args:
        tokens: what stands at each position of the sequence, ``["the", "cat", "sat"]``. Matrices of attention, a row for each
            position that asks and a column for each that answers, then bear them, and are shown whole up to 144 numbers.

    Raises:
        TypeError: the tokens are not strings.
    """
    from minilm.trace.face import Trace

    return Trace(tokens)
