"""A teacher's comments: written once for a cause, and read by all whose answer has it. They stand in a CSV file beside the results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from minilm.exercises.classroom.marking import Results, results_folder
from minilm.exercises.classroom.tables import read_table, write_table
from minilm.terminal import did_you_mean

Comments = dict[tuple[str, str], str]
"""(cause, task, or "" for every task) -> text."""


def path_of(grades: Path) -> Path:
    """grades.csv has its comments in grades/comments.csv."""
    return (results_folder(grades) if grades.suffix == ".csv" else grades) / "comments.csv"


def read(grades: Path) -> Comments:
    """The comments; none where the file does not exist."""
    path = path_of(grades)
    if not path.exists():
        return {}
    return {
        (row["cause"], row.get("task", "")): row["comment"]
        for row in read_table(path, ["cause", "comment"], "comments")
    }


def add(grades: Path, results: Results, cause: str, text: str, task: str = "") -> int:
    """Enters a comment, in the place of an earlier one; returns how many students it reaches. An empty text removes it.

    Raises:
        ValueError: nobody's answer has this cause.
    """
    found = {name for student in results.students for record in student["tasks"].values() if (name := cause_of(record))}
    reached = [
        s for s in results.students if any(cause_of(r) == cause and task in ("", id) for id, r in s["tasks"].items())
    ]
    if not reached:
        there = ", ".join(sorted(found)) or "none was found"
        raise ValueError(
            f"no answer has the cause {cause!r}{f' in {task}' if task else ''}; causes: {there}.{did_you_mean(cause, found)}"
        )
    comments = {**read(grades), (cause, task): text}
    rows = [(name, id, comment) for (name, id), comment in sorted(comments.items()) if comment]
    write_table(path_of(grades), [("cause", "task", "comment"), *rows], guarded=False)
    return len(reached)


def carry(old: Path, new: Path) -> None:
    """Takes the comments along from an earlier run's results, where the new ones have none."""
    there = read(old)
    if there and not path_of(new).exists():
        rows = [(name, id, comment) for (name, id), comment in sorted(there.items())]
        write_table(path_of(new), [("cause", "task", "comment"), *rows], guarded=False)


def cause_of(record: dict[str, Any]) -> str:
    """The name of a record's cause, or of what stopped the run; "" where there is none."""
    if record["status"] != "graded" or record["points"] == record["of"]:
        return ""
    cause, trouble = record.get("cause"), record.get("trouble")
    return str(cause["name"] if cause else trouble["kind"] if trouble else "")


def comment_on(record: dict[str, Any], task: str, comments: Comments) -> str:
    """The comment that a record gets: one for its task comes before one for all."""
    cause = cause_of(record)
    return comments.get((cause, task), comments.get((cause, ""), "")) if cause else ""
