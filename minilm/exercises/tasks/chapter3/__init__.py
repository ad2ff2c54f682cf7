"""The tasks of chapter 3, core algorithms."""

from minilm.exercises.task import Task
from minilm.exercises.tasks.chapter3 import (
    broadcasting,
    differences,
    engines,
    graphs,
    layers,
    networks,
    neurons,
    orders,
    training,
)

FAMILIES = (neurons, layers, networks, broadcasting, graphs, orders, engines, differences, training)
TASKS: tuple[Task, ...] = tuple(task for family in FAMILIES for task in family.TASKS)
