"""The tasks of chapter 3, core algorithms."""

from minilm.exercises.task import Task
from minilm.exercises.tasks.chapter3 import neurons

TASKS: tuple[Task, ...] = (*neurons.TASKS,)
