"""The tasks of chapter 10, the capstone: the steps of a corpus in small, and an all-reduce by hand."""

from minilm.exercises.task import Task
from minilm.exercises.tasks.chapter10 import bands, decontamination, groups, minhash, packing, ring, shingles

TASKS: tuple[Task, ...] = (
    *shingles.TASKS,
    *minhash.TASKS,
    *bands.TASKS,
    *groups.TASKS,
    *decontamination.TASKS,
    *packing.TASKS,
    *ring.TASKS,
)
