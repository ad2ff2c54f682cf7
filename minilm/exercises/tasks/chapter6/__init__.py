"""The tasks of chapter 6, the applications: two of each section."""

from minilm.exercises.task import Task
from minilm.exercises.tasks.chapter6 import (
    classification,
    generation,
    names,
    questions,
    sentiment,
    summaries,
    translation,
    understanding,
)

TASKS: tuple[Task, ...] = (
    *classification.TASKS,
    *translation.TASKS,
    *questions.TASKS,
    *generation.TASKS,
    *understanding.TASKS,
    *summaries.TASKS,
    *names.TASKS,
    *sentiment.TASKS,
)
