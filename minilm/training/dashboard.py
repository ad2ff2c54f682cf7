"""``minilm train --dashboard``: the layers' numbers of a run, as lines of flow.jsonl, and as a picture, flow.png.

A run that has flow.jsonl goes on writing it when it is resumed. Both files can be deleted: nothing depends on them, and they change no
number of the run.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from typing import Any

from minilm.files import atomic_write
from minilm.nn.module import Module
from minilm.training.flow import Flow
from minilm.training.flow_picture import draw_flow
from minilm.training.flow_rows import row_from_json
from minilm.training.journal import append_line, content_of, read_lines
from minilm.training.run import FLOW, FLOW_PICTURE, Run


class Dashboard:
    """What is written of a run's layers.

    Args:
        model: that which is trained.
        step: updates done: lines of later ones are dropped, as they will be computed again.
        every: steps between two that are read.
    """

    def __init__(self, run: Run[Any], model: Module, step: int, every: int) -> None:
        self.run = run
        self.flow = Flow(model, getattr(model, run.task.method), every)
        self._path = run.folder / FLOW
        self._rewind(step)

    @staticmethod
    def wanted(run: Run[Any]) -> bool:
        """Whether the run had one before."""
        return os.path.lexists(run.folder / FLOW)

    @contextlib.contextmanager
    def update(self, step: int, batch: tuple[Any, ...]) -> Iterator[None]:
        """Around the optimizer's step; see `Flow.update`."""
        with self.flow.update(step, *batch) as rows:
            yield
        for row in rows:
            append_line(self._path, row.to_json())

    def draw(self) -> None:
        """Renews the picture, once there is something to draw."""
        if not self.flow.rows:
            return
        figure = draw_flow(self.flow.rows)
        with atomic_write(self.run.folder / FLOW_PICTURE) as file:
            figure.savefig(file, format="png", dpi=120)

    def _rewind(self, step: int) -> None:
        rows = [row for line, _ in read_lines(self._path)[0] if (row := row_from_json(line)) and row.step <= step]
        content = b"".join(json.dumps(row.to_json()).encode("ascii") + b"\n" for row in rows)
        if content != content_of(self._path) or not self._path.exists():
            with atomic_write(self._path) as file:
                file.write(content)
        self.flow.rows = rows


__all__ = ["Dashboard"]
