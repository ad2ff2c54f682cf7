"""Exercises that are answered in the page: what stands below each statement, the page "Your progress", and the notebooks to hand in.

All of it is there only where the site has Python with it (``site.py --live``). What is made here needs no Python to be read: the
code to begin with comes with the page, and hints are taken from the pages of solutions. Only a check asks for the grader.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

from chapters.tools.live import loaded
from minilm.exercises import notebook, tasks
from minilm.exercises.desk import helps
from minilm.exercises.task import Task

PROGRESS = "progress"
FOLDER = "exercises"  # of the notebooks, in the site
HEADING = re.compile(r"Exercise (\d+\.\d+)\. ")


def record(task: Task) -> dict[str, Any]:
    """What the page knows of an exercise."""
    return {
        "id": task.id,
        "kind": task.kind,
        "points": task.points,
        "graded": task.graded,
        "helps": [name.capitalize() for name, _ in helps(task)],
        "start": notebook.stub_of(task),
        "given": notebook.given_of(task),
    }


def desk(task: Task) -> str:
    """The place below a statement where `exercises.js` puts its editor; empty and unseen without scripts."""
    return f'<div class="exercise-desk" data-exercise="{escape(json.dumps(record(task)), quote=True)}"></div>'


def progress_page(titles: dict[int, str]) -> str:
    """The page "Your progress" in Markdown.

    Args:
        titles: of the chapters that have exercises, under their numbers.
    """
    there = {chapter: tasks.of_chapter(chapter) for chapter in titles}
    rows = [f"| {chapter}. {title} | {_graded(there[chapter])} |" for chapter, title in titles.items()]
    lists = [f"## Exercises of chapter {chapter}\n\n{_table(there[chapter])}" for chapter in titles]
    head = """# Your progress

Answers that you write in the pages of this book, and the points for them, are kept in this browser, on this device. They are sent
nowhere, and nobody else sees them. Whoever deletes the browser's data deletes them too: save them to a file now and then.

## Points by chapter

| chapter | points |
| --- | --- |
"""
    files = f"""## Your answers as a file

<div class="progress-desk" data-folder="{FOLDER}"></div>

The file is a notebook of exercises with your answers in it. `minilm check 4.9 FILE` checks one of them, and a teacher can mark the files
of a class: `minilm classroom grade` takes them. A course that gives every student other numbers hands out notebooks of its own: answers
to those belong in them.

The points above are what a program gives. Proofs are read by a teacher."""
    return "\n\n".join([head + "\n".join(rows), files, *lists]) + "\n"


def _graded(there: Iterable[Task]) -> int:
    """The points that a program can give."""
    return sum(task.points for task in there if task.graded)


def _table(there: Iterable[Task]) -> str:
    rows = [f"| Exercise {t.id} | {t.title} | {t.points if t.graded else 'read by a teacher'} |" for t in there]
    return "\n".join(["| exercise | title | points |", "| --- | --- | --- |", *rows])


def write_notebooks(chapters: Iterable[int], site: Path) -> None:
    """The notebook of each chapter's exercises, into which the page puts answers that are saved to a file."""
    folder = site / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for chapter in chapters:
        there = tasks.of_chapter(chapter)
        path = folder / f"{chapter:02}-exercises.ipynb"
        path.write_bytes(notebook.student(there, f"Chapter {chapter}: exercises"))


def desks(_app: Any, doctree: Any, docname: str) -> None:
    """Below each exercise its desk; the scripts on pages that have one, or a list of exercises."""
    from docutils import nodes

    wanted = docname == PROGRESS or any(
        re.fullmatch(r"Exercise \d+\.\d+", entry.astext().strip()) for entry in doctree.findall(nodes.entry)
    )
    for section in list(doctree.findall(nodes.section)):
        title = HEADING.match(section[0].astext()) if section.children else None
        if title:
            html = nodes.raw("", desk(tasks.find(title[1])), format="html")
            before = next((i for i, child in enumerate(section) if "solution" in _classes(child)), len(section))
            section.insert(before, html)
            wanted = True
    if wanted:
        doctree += nodes.raw("", loaded(docname, "exercises", ("exercises",)), format="html")


def _classes(node: Any) -> list[str]:
    found: list[str] = getattr(node, "get", lambda *_: [])("classes", [])
    return found


def setup(app: Any) -> dict[str, bool]:
    app.connect("doctree-resolved", desks)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
