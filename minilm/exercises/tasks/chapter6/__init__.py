"""The tasks of chapter 6, the applications: two of each section."""

from minilm.exercises.task import Task
from minilm.exercises.tasks.chapter6 import classification, summaries, translation

TASKS: tuple[Task, ...] = (*classification.TASKS, *summaries.TASKS, *translation.TASKS)
