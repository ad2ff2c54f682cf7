"""The tasks of chapter 4, mathematics."""

from minilm.exercises.task import Task
from minilm.exercises.tasks.chapter4 import attention, attention_bugs, losses, norms, positions, softmax

TASKS: tuple[Task, ...] = (
    *softmax.TASKS,
    *losses.TASKS,
    *norms.TASKS,
    *attention.TASKS,
    *attention_bugs.TASKS,
    *positions.TASKS,
)
