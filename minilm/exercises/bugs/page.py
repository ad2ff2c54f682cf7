"""The library of bugs as pages of the book, one a family, and as text in a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from minilm.exercises.bugs import FAMILIES, LIBRARY
from minilm.exercises.bugs.record import Bug
from minilm.exercises.task import Task

HEAD = """# A library of bugs

{count} mistakes that people make again and again: the line as it should be and with the bug, how it shows in the numbers, and what to
look at. The grader explains answers by them, the exercises let you find them, and those of the engine are put into it one at a time to
see that a test fails.
"""


def practised(tasks: Iterable[Task]) -> dict[str, list[str]]:
    """Name of a bug -> ids of the tasks in which it can be made, found or tested for, in the order of the tasks."""
    there: dict[str, list[str]] = {}
    for task in tasks:
        for name in dict.fromkeys(wrong.bug for wrong in task.wrong if wrong.bug):
            there.setdefault(name, []).append(task.id)
    return there


def pages(tasks: Iterable[Task] = (), source: str = "") -> dict[str, str]:
    """Name of a page -> its Markdown (MyST): "bugs" lists the families, "bugs/gradients" and the like hold them.

    Args:
        tasks: those of the book, for the line that says where a bug is practised.
        source: the address of the repository's files, with a slash at its end, for links to the engine; without it the file's name stands
            alone.
    """
    where = practised(tasks)
    made = {"bugs": HEAD.format(count=len(LIBRARY))}
    for family, bugs in FAMILIES.items():
        name = f"bugs/{family.replace(' ', '-')}"
        title = f"{family[0].upper()}{family[1:]}"
        listed = "".join(f"- [{_escaped(bug.title)}]({name}.md#bug-{bug.name})\n" for bug in bugs)
        made["bugs"] += f"\n## {title}\n\n{listed}"
        made[name] = "\n".join([f"# {title}\n", *(_section(bug, where.get(bug.name, []), source) for bug in bugs)])
    return made


def text(bug: Bug, tasks: Iterable[Task] = ()) -> str:
    """One bug, for a terminal."""
    rows = [f"{bug.title}\n", f"  right  {bug.right}", f"  wrong  {bug.wrong}\n", f"{bug.why}\n"]
    rows += [f"shows  {bug.shows}", f"look   {bug.look}"]
    if ids := practised(tasks).get(bug.name):
        rows.append(f"tasks  {', '.join(ids)}")
    if bug.file:
        rows.append(f"engine  {bug.file}")
    return "\n".join(rows)


def _section(bug: Bug, ids: list[str], source: str) -> str:
    sides = (("-", bug.wrong), ("+", bug.right))
    code = "".join(f"{mark} {line}\n" for mark, side in sides for line in side.split("\n"))
    parts = [f"(bug-{bug.name})=\n## {_escaped(bug.title)}", f"`{bug.name}`", f"```diff\n{code}```", _escaped(bug.why)]
    parts += [f"*How it shows.* {_escaped(bug.shows)}", f"*What to look at.* {_escaped(bug.look)}"]
    if ids:
        parts.append(f"*Practised in* {', '.join(f'Exercise {id}' for id in ids)}.")
    if bug.file:
        parts.append("*In the engine:* " + (f"[{bug.file}]({source}{bug.file})" if source else f"`{bug.file}`") + ".")
    return "\n\n".join(parts) + "\n"


def _escaped(text: str) -> str:
    """With what Markdown would take for marks of its own made plain."""
    for mark in "\\`*_[]<>$#|":
        text = text.replace(mark, f"\\{mark}")
    return text
