"""The tasks of chapter 4, mathematics."""

from minilm.exercises.task import Task
from minilm.exercises.tasks.chapter4 import losses, norms, softmax

TASKS: tuple[Task, ...] = (*softmax.TASKS, *losses.TASKS, *norms.TASKS)
