"""The tasks of chapter 2, core concepts."""

from minilm.exercises.task import Task
from minilm.exercises.tasks.chapter2 import networks, optimizers

TASKS: tuple[Task, ...] = (*networks.TASKS, *optimizers.TASKS)
