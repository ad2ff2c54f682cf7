"""The tasks of chapter 8, trends and challenges."""

from minilm.exercises.task import Task
from minilm.exercises.tasks.chapter8 import contrastive, domains, four_bits, graphs, inside, privacy, scale

TASKS: tuple[Task, ...] = (
    *contrastive.TASKS,
    *domains.TASKS,
    *four_bits.TASKS,
    *graphs.TASKS,
    *inside.TASKS,
    *privacy.TASKS,
    *scale.TASKS,
)
