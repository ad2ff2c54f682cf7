"""The tasks of chapter 2, core concepts."""

from minilm.exercises.task import Task
from minilm.exercises.tasks.chapter2 import bugs, measures, networks, optimizers, rates, regularization, steps, training

FAMILIES = (networks, rates, optimizers, training, measures, regularization, steps, bugs)

TASKS: tuple[Task, ...] = tuple(task for family in FAMILIES for task in family.TASKS)
