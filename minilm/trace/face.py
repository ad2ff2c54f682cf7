"""What the reader holds: a trace that records while its block runs, and then shows itself.

The data stands in `model`, the observer in `recorder`, each view in a file of its own; here they meet.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from minilm import graph
from minilm.files import atomic_write
from minilm.tensor import Tensor
from minilm.trace import explain, html, model, text
from minilm.trace.attention import write_tokens
from minilm.trace.axes import write_axes
from minilm.trace.recorder import Recorder


class Step(model.Step):
    __doc__ = model.Step.__doc__

    def __str__(self) -> str:
        return text.describe(self)

    __repr__ = __str__


class Explanation(explain.Explanation):
    __doc__ = explain.Explanation.__doc__

    def __str__(self) -> str:
        return text.explanation(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html.explanation(self)


class Trace(model.Record):
    """The record of what ran inside ``with ml.trace() as steps:``, to be walked to and fro.

    ``steps[i]`` is a `Step`, ``print(steps)`` a list of all, ``steps.walk()`` a walk in the terminal, and a notebook shows
    ``steps`` as a drawing with buttons. ``steps.explain(w)`` splits a gradient into the paths that made it.

    Attributes:
        tokens: what stands at each position of the sequence; they are written on the axes of attention's matrices.
    """

    step_type = Step
    _recorder: Recorder | None = None
    _observing: Any = None

    def __enter__(self) -> Trace:
        if self._observing is not None:
            raise RuntimeError("this trace has recorded already; begin another one with ml.trace().")
        self._recorder = Recorder(self)
        self._observing = graph.observe(self._recorder)
        self._observing.__enter__()
        return self

    def __exit__(self, *error: type[BaseException] | BaseException | TracebackType | None) -> None:
        assert self._recorder is not None
        self._observing.__exit__(None, None, None)
        self._recorder.finish(sys._getframe(1))
        self._recorder = None
        write_axes(self)
        if self.tokens:
            write_tokens(self)

    def __str__(self) -> str:
        return text.listing(self)

    def __repr__(self) -> str:
        forward = sum(step.kind == "forward" for step in self.steps)
        return (
            f"<trace: {forward} steps forward, {len(self.steps) - forward} back; print() it, or show it in a notebook>"
        )

    def _repr_html_(self) -> str:
        return html.page(self)

    def save(self, path: str | Path) -> None:
        """Writes the step-through as a web page of its own, which needs neither a kernel nor a network."""
        with atomic_write(Path(path)) as file:
            file.write(html.document(self._repr_html_()).encode())

    def table(self, depth: int | None = None) -> str:
        """All steps as a text table; Modules below `depth` (0: all of them) are one row each."""
        return text.table(self, depth)

    def walk(self) -> None:
        """Walks through the steps in the terminal: Enter goes on, b back, a number there, q leaves."""
        text.walk(self)

    def explain(self, tensor: Tensor, element: tuple[int, ...] | int | None = None, paths: int = 32) -> Explanation:
        """The gradient of a Tensor as a sum over the paths by which it reaches the loss; see `minilm.trace.explain`.

        Args:
            element: an index of one number; its paths go from number to number. None: paths go from tensor to tensor.
            paths: the most of them.

        Raises:
            KeyError: the Tensor took no part in the trace.
            ValueError: no gradient arrived at it, `paths` is not positive, or the numbers are too many to follow one by one.
            IndexError: there is no such element.
        """
        return Explanation.of(self, self.value_of(tensor), element, paths)
