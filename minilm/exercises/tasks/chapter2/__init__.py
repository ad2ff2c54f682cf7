"""The tasks of chapter 2, core concepts."""

from minilm.exercises.task import Task
from minilm.exercises.tasks.chapter2 import bugs, networks, optimizers, regularization, training

TASKS: tuple[Task, ...] = (
    *networks.TASKS,
    *optimizers.TASKS,
    *training.TASKS,
    *regularization.TASKS,
    *bugs.TASKS,
)
