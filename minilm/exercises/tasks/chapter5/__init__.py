"""The tasks of chapter 5, the project."""

from minilm.exercises.task import Task
from minilm.exercises.tasks.chapter5 import attention, convolution, images, measures, sampling, tokens, transformer

TASKS: tuple[Task, ...] = (
    *images.TASKS,
    *tokens.TASKS,
    *sampling.TASKS,
    *attention.TASKS,
    *transformer.TASKS,
    *convolution.TASKS,
    *measures.TASKS,
)
