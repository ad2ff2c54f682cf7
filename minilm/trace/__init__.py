"""Step-through: a computation recorded, then walked forward and backward with its numbers.

Read `recorder` (what is kept), then `text` and `html` (how it is shown), and `explain` (a gradient as a sum over paths).
"""

from __future__ import annotations

from .explain import Explanation, Path
from .recorder import Call, Contribution, Scope, Step, Trace, Value, trace

__all__ = ["Call", "Contribution", "Explanation", "Path", "Scope", "Step", "Trace", "Value", "trace"]
