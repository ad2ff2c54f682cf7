"""The tasks of chapter 6, the applications: two per section."""

from minilm.exercises.task import Task
from minilm.exercises.tasks.chapter6 import sentiment

TASKS: tuple[Task, ...] = (*sentiment.TASKS,)
