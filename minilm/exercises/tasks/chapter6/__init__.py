"""The tasks of chapter 6, the applications: two of each section."""

from minilm.exercises.task import Task
from minilm.exercises.tasks.chapter6 import classification, generation, names, questions, sentiment, understanding

TASKS: tuple[Task, ...] = (
    *classification.TASKS,
    *questions.TASKS,
    *generation.TASKS,
    *understanding.TASKS,
    *names.TASKS,
    *sentiment.TASKS,
)
