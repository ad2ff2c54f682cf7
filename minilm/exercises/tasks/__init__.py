"""The tasks of the book, a package per chapter. A chapter's tasks are read when one of them is asked for."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterator

from minilm.exercises.task import Task
from minilm.terminal import did_you_mean

CHAPTERS = (1, 2, 3, 4, 5)


@functools.cache
def of_chapter(chapter: int) -> tuple[Task, ...]:
    """The tasks of a chapter, in the order of their numbers.

    Raises:
        KeyError: there is no such chapter, or it has no tasks.
    """
    if chapter not in CHAPTERS:
        raise KeyError(f"chapter {chapter} has no exercises; chapters {CHAPTERS[0]} to {CHAPTERS[-1]} have.")
    module = importlib.import_module(f"minilm.exercises.tasks.chapter{chapter}")
    return tuple(sorted(module.TASKS, key=lambda task: task.number))


def every() -> Iterator[Task]:
    """All tasks of the book."""
    for chapter in CHAPTERS:
        yield from of_chapter(chapter)


def find(id: str) -> Task:
    """The task of this id, such as "4.9".

    Raises:
        KeyError: there is none; the message names what there is.
    """
    chapter = str(id).partition(".")[0]
    there = of_chapter(int(chapter)) if chapter.isdecimal() and int(chapter) in CHAPTERS else tuple(every())
    for task in there:
        if task.id == str(id):
            return task
    names = [task.id for task in there]
    raise KeyError(f"there is no exercise {id!r}{did_you_mean(str(id), names)}; there are {', '.join(names)}.")
