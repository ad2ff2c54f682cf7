"""The command line for students: ``minilm exercises``, ``check``, ``hint``, ``progress``."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minilm import options as kinds
from minilm import terminal
from minilm.options import UsageError
from minilm.terminal import did_you_mean, say, shortened

if TYPE_CHECKING:
    from minilm.exercises.task import Task


def add_parsers(commands: Any) -> None:
    """Adds the four commands."""
    p = commands.add_parser(
        "exercises",
        help="list the exercises, show one, or write a chapter's as a notebook",
        description="List the exercises with the points you have; with an id such as 4.9, show statement and beginning of one; with "
        "--out, write them as notebooks to work in.",
    )
    p.set_defaults(command=run_exercises)
    p.add_argument(
        "chapter", nargs="?", type=kinds.some_text, metavar="CHAPTER", help="a chapter, or the id of one exercise"
    )
    p.add_argument(
        "--out", type=kinds.path, metavar="FOLDER", help="write notebooks such as 04-exercises.ipynb into this folder"
    )
    p.add_argument("--solutions", action="store_true", help="with --out: write 04-solutions.ipynb, too")

    p = commands.add_parser(
        "check",
        help="check an answer, and say what is wrong with it",
        description="Check the answer to one exercise: exit status 0 if it has all points, 1 if not, 2 if there is nothing to check. The "
        "answer runs in a process of its own, with limits of time and memory.",
    )
    p.set_defaults(command=run_check)
    p.add_argument("exercise", type=kinds.some_text, metavar="EXERCISE", help="its id, such as 4.9")
    p.add_argument("answer", type=kinds.path, metavar="ANSWER",
                   help="a Python file (a line `# task 4.9` begins an answer where it holds several), or a notebook")  # fmt: skip
    p.add_argument("--json", action="store_true", help="everything that was found, for a program")
    p.add_argument("--more", action="store_true", help="less likely causes, too")

    p = commands.add_parser("hint", help="open the next of three levels of help: hint, derivation, solution")
    p.set_defaults(command=run_hint)
    p.add_argument("exercise", type=kinds.some_text, metavar="EXERCISE", help="its id, such as 4.9")
    p.add_argument("--level", type=kinds.integer(1, 3), metavar="N", help="1: hint, 2: derivation, 3: solution")

    p = commands.add_parser("progress", help="show points, checks and hints of the exercises that you tried")
    p.set_defaults(command=run_progress)
    p.add_argument("--json", action="store_true", help="for a program")
    p.add_argument("--export", type=json_path, metavar="FILE", help="write it to a file whose name ends in .json")


def chapter_or_id(text: str) -> int | str:
    """A chapter with exercises, or the id of one."""
    from minilm.exercises import tasks

    if re.fullmatch(r"[0-9]{1,4}", text) and int(text) in tasks.CHAPTERS:
        return int(text)
    if re.fullmatch(r"[0-9]{1,4}\.[0-9]{1,4}", text):
        return exercise_id(text)
    there = ", ".join(map(str, tasks.CHAPTERS))
    raise UsageError(f"CHAPTER: expected a chapter ({there}) or an exercise such as 4.9, got {kinds.quoted(text)}.")


def exercise_id(text: str) -> str:
    """The id of an exercise."""
    from minilm.exercises import tasks

    if not re.fullmatch(r"[0-9]{1,4}\.[0-9]{1,4}", text):
        raise UsageError(f"EXERCISE: expected the id of an exercise, such as 4.9, got {kinds.quoted(text)}.")
    chapter = int(text.partition(".")[0])
    names = [task.id for task in (tasks.of_chapter(chapter) if chapter in tasks.CHAPTERS else tasks.every())]
    if text not in names:
        there = f"chapter {chapter} has {names[0]} to {names[-1]}"
        if chapter not in tasks.CHAPTERS:
            there = f"the chapters {', '.join(map(str, tasks.CHAPTERS))} have some"
        raise UsageError(f"EXERCISE: there is no exercise {text}: {there}.{did_you_mean(text, names)}")
    return text


def json_path(text: str) -> Path:
    """A path that ends in .json, so that no other file is written over."""
    if not text.endswith(".json"):
        raise argparse.ArgumentTypeError(f"expected the name of a file that ends in .json, got {kinds.quoted(text)}")
    return kinds.path(text)


# --- exercises ---------------------------------------------------------------------------------------------------------------------


def run_exercises(options: argparse.Namespace) -> int:
    """``minilm exercises``"""
    from minilm.exercises import desk, tasks

    which = None if options.chapter is None else chapter_or_id(options.chapter)
    if options.out is not None:
        return _write_notebooks(which, options)
    if options.solutions:
        raise UsageError("--solutions goes with --out FOLDER: the solutions are a second notebook.")
    if isinstance(which, str):
        _print_markdown(str(desk.exercise(which)))
        return 0
    there = list(tasks.every() if which is None else tasks.of_chapter(which))
    terminal.write(terminal.table([_HEAD, *map(_row, there, _points(there))], terminal.columns()) + "\n")
    return 0


_HEAD = ("id", "minutes", "points", "exercise (kind, difficulty)")


def _row(task: Task, got: str) -> tuple[str, ...]:
    return (task.id, str(task.minutes), got, f"{task.title} ({task.kind}, {'*' * task.difficulty})")


def _points(there: list[Task]) -> list[str]:
    """ "3 of 5" of each that was tried, "5" of the others."""
    from minilm.exercises import progress

    states = progress.states()
    return [f"{states[t.id].points} of {t.points}" if t.id in states and t.graded else str(t.points) for t in there]


def _write_notebooks(which: int | str | None, options: argparse.Namespace) -> int:
    from minilm.exercises import notebook, tasks
    from minilm.files import atomic_write

    chapters = tasks.CHAPTERS if which is None else [which if isinstance(which, int) else int(which.partition(".")[0])]
    writers: list[tuple[str, Callable[..., bytes]]] = [("exercises", notebook.student)]
    if options.solutions:
        writers.append(("solutions", notebook.solutions))
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        files = [
            (options.out / f"{chapter:02}-{name}.ipynb", name, write, chapter)
            for chapter in chapters
            for name, write in writers
        ]
        for path, name, _, _ in files:
            if path.exists() and name == "exercises":
                raise ValueError(
                    f"--out: {path} is there, and your answers may be in it: move it away, or choose another folder."
                )
        for path, name, write, chapter in files:
            there = [task for task in tasks.of_chapter(chapter) if not isinstance(which, str) or task.id == which]
            with atomic_write(path) as file:
                file.write(write(there, f"Chapter {chapter}: {name}"))
            say(f"{path}: {len(there)} exercise{'s' * (len(there) != 1)}")
    except OSError as error:
        raise ValueError(f"--out: {shortened(str(options.out), 300)}: {error.strerror or error}.") from None
    return 0


def _print_markdown(text: str) -> None:
    """Text is wrapped, code stays as it is."""
    for number, part in enumerate(text.split("```")):
        if number % 2:
            terminal.write(terminal.visible(part.partition("\n")[2]))
        else:
            say(part.strip("\n").replace("**", "") + "\n" * bool(part.strip()))


# --- check, hint, progress ---------------------------------------------------------------------------------------------------------


def run_check(options: argparse.Namespace) -> int:
    """``minilm check``"""
    from minilm.exercises import progress, tasks
    from minilm.exercises.grade import grade
    from minilm.exercises.run import Answer

    task = tasks.find(exercise_id(options.exercise))
    if not task.graded:
        raise UsageError(f"EXERCISE {task.id} is a {task.kind}: a teacher reads it. `minilm hint {task.id}` helps.")
    result = grade(task, Answer(text=_answer(task.id, options.answer)))
    try:
        progress.note_check(task, result.points, result.passed)
    except progress.ProgressError as error:
        terminal.complain(str(error))
    shown = result.to_json() if options.json else result.more() if options.more else str(result)
    terminal.write((shown if options.json else terminal.visible(shown)) + "\n")
    return 0 if result.passed else 1


def _answer(id: str, path: Path) -> str:
    """The text of the answer in a file; a Python file without marks is one as a whole."""
    from minilm.exercises.notebook import NotebookError, answers_in, read_text

    try:
        found = answers_in(path)
        if not found and path.suffix == ".py":
            return read_text(path)
    except NotebookError as error:
        raise UsageError(f"ANSWER to EXERCISE {id}: {error}") from None
    if id not in found:
        there = ", ".join(found) or "none"
        raise UsageError(
            f"ANSWER to EXERCISE {id}: {shortened(str(path), 300)} holds none; it holds answers to: {there}."
        )
    return found[id]


def run_hint(options: argparse.Namespace) -> int:
    """``minilm hint``"""
    from minilm.exercises import desk, tasks

    there = desk.helps(tasks.find(exercise_id(options.exercise)))
    if options.level is not None and options.level > len(there):
        raise UsageError(f"--level: exercise {options.exercise} has {len(there)} levels of help, got {options.level}.")
    spelled = ("`minilm hint {id}` once more,", "`minilm hint {id} --level {level}`")
    _print_markdown(str(desk.hint(options.exercise, options.level, spelled=spelled)))
    return 0


def run_progress(options: argparse.Namespace) -> int:
    """``minilm progress``"""
    from minilm.exercises import desk, progress
    from minilm.files import atomic_write

    if options.export is not None:
        try:
            with atomic_write(options.export) as file:
                file.write((json.dumps(progress.document(), indent=1) + "\n").encode())
        except OSError as error:
            raise ValueError(f"--export: {shortened(str(options.export), 300)}: {error.strerror or error}.") from None
        say(f"{options.export}: {len(progress.states())} exercises")
        return 0
    if options.json:
        terminal.write(json.dumps(progress.document()) + "\n")
        return 0
    shown = desk.progress()
    rows = shown.rows()
    nothing = "Nothing was checked yet. `minilm exercises` lists what there is."
    text = terminal.table([desk.HEAD, *rows], terminal.columns()) if rows else nothing
    terminal.write(text + "\n")
    return 0
