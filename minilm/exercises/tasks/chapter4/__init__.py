"""The tasks of chapter 4, mathematics."""

from minilm.exercises.task import Task
from minilm.exercises.tasks.chapter4 import attention, attention_bugs, indices, losses, norms, positions, softmax

TASKS: tuple[Task, ...] = (
    *indices.TASKS,
    *softmax.TASKS,
    *losses.TASKS,
    *norms.TASKS,
    *attention.TASKS,
    *attention_bugs.TASKS,
    *positions.TASKS,
)
