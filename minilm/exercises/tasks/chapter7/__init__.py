"""The tasks of chapter 7, tools and resources."""

from minilm.exercises.task import Task
from minilm.exercises.tasks.chapter7 import backends, debugging, memory

TASKS: tuple[Task, ...] = (
    *backends.TASKS,
    *debugging.TASKS,
    *memory.TASKS,
)
