"""The grader as the page calls it: `exercises.js` sends an answer as text, and gets what was found as JSON.

It runs in the page's Web Worker, where cells and answers share one Python. What an answer left behind is therefore taken back here:
functions of NumPy's that it replaced, and the state of the generators that everybody draws from.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import numpy as np

from minilm.exercises import tasks
from minilm.exercises.grade import grade
from minilm.exercises.perform import Printed
from minilm.exercises.run import Answer


def check(id: str, text: str) -> dict[str, Any]:
    """Grades an answer to the exercise of this id.

    Returns:
        "points", "of" and "passed"; "html", the message as a notebook shows it; "message", the same as text; "trouble", the kind of what
        kept the answer from running, or "".
    """
    task = tasks.find(id)
    with _put_back(), contextlib.redirect_stdout(Printed().stream):
        result = grade(task, Answer(text))
    troubles = [result.trouble, *(outcome.ran.trouble for outcome in result.outcomes)]
    return {
        "points": result.points,
        "of": task.points,
        "passed": result.passed,
        "html": result._repr_html_(),
        "message": str(result),
        "trouble": next((trouble.kind for trouble in troubles if trouble is not None), ""),
    }


@contextlib.contextmanager
def _put_back() -> Iterator[None]:
    """Puts back, at the end, what the cells of the page would find changed."""
    functions = {name: there for name, there in vars(np).items() if callable(there)}
    kept, own = np.random.get_state(), random.getstate()  # noqa: NPY002
    try:
        yield
    finally:
        vars(np).update(functions)
        np.random.set_state(kept)  # noqa: NPY002
        random.setstate(own)
