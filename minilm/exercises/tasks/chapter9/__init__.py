"""The tasks of chapter 9, questions and answers."""

from minilm.exercises.task import Task
from minilm.exercises.tasks.chapter9 import bias, evaluation, optimizing, robustness, training

TASKS: tuple[Task, ...] = (
    *bias.TASKS,
    *evaluation.TASKS,
    *optimizing.TASKS,
    *robustness.TASKS,
    *training.TASKS,
)
