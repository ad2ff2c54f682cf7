"""The tasks of the book, a package per chapter. A chapter's tasks are read when one of them is asked for."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Iterator

from minilm.exercises.task import Task
from minilm.terminal import did_you_mean

CHAPTERS = tuple(sorted(int(m.name[7:]) for m in pkgutil.iter_modules(__path__) if m.name.startswith("chapter")))


@functools.cache
def of_chapter(chapter: int) -> tuple[Task, ...]:
    """The tasks of a chapter, in the order of their numbers.

    Raises:
        KeyError: there is no such chapter, or it has no tasks.
    """
    if chapter not in CHAPTERS:
        raise KeyError(f"chapter {chapter} has no exercises; there are some of {', '.join(map(str, CHAPTERS))}.")
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
    numbers = [task.number for task in there]
    if chapter.isdecimal() and int(chapter) in CHAPTERS:
        known = f"chapter {chapter} has {chapter}.{min(numbers)} to {chapter}.{max(numbers)}"
    else:
        known = f"the chapters {', '.join(map(str, CHAPTERS))} have some, such as {there[0].id}"
    raise KeyError(f"there is no exercise {id!r}: {known}.{did_you_mean(str(id), [task.id for task in there])}")
