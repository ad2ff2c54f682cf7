"""Runs an answer beside the process that asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from minilm.exercises.code import run_text
from minilm.exercises.perform import Ran, Trouble, perform, trouble_of
from minilm.exercises.task import Task


@dataclass
class Answer:
    """What a student hands in: Python text, or an object that is alive in a notebook.

    Attributes:
        text: the text; it is run after the task's set-up, and must define the task's name.
        value: the object, where there is no text.
    """

    text: str | None = None
    value: Any = None


def run(task: Task, answer: Answer, seed: int | None = None) -> list[Ran] | Trouble:
    """What the answer does in each test, or why it cannot be run."""
    if answer.text is None:
        return perform(task, answer.value, seed)
    names = run_text(task.setup, f"<set-up of {task.id}>", task.values(seed))
    try:
        space = run_text(answer.text, "<answer>", names)
    except Exception as error:
        return trouble_of(error)
    if task.name not in space:
        return Trouble("no name", f"the answer does not define {task.name}.")
    return perform(task, space[task.name], seed)
