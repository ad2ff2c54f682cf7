"""The tasks of chapter 5, the project."""

from minilm.exercises.task import Task
from minilm.exercises.tasks.chapter5 import sampling, tokens

TASKS: tuple[Task, ...] = tokens.TASKS + sampling.TASKS
