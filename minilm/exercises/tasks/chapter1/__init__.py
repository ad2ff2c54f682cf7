"""The tasks of chapter 1, background."""

from minilm.exercises.task import Task
from minilm.exercises.tasks.chapter1 import gradients, ngrams, sizes, surprise

TASKS: tuple[Task, ...] = (*surprise.TASKS, *ngrams.TASKS, *gradients.TASKS, *sizes.TASKS)
