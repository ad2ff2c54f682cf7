"""The tasks of chapter 4, mathematics."""

from minilm.exercises.task import Task
from minilm.exercises.tasks.chapter4.norms import LAYER_NORM_BACKWARD

TASKS: tuple[Task, ...] = (LAYER_NORM_BACKWARD,)
