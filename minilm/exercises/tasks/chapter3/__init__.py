"""The tasks of chapter 3, core algorithms."""

from minilm.exercises.task import Task
from minilm.exercises.tasks.chapter3 import broadcasting, engines, graphs, layers, networks, neurons

TASKS: tuple[Task, ...] = (
    *neurons.TASKS,
    *layers.TASKS,
    *networks.TASKS,
    *broadcasting.TASKS,
    *graphs.TASKS,
    *engines.TASKS,
)
