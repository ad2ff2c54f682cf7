"""The exercises of a chapter as the book shows them: statements at its end, and a page of hints and solutions in the site.

Both are views of the tasks in `minilm.exercises`. A chapter's file holds the line ``<!-- exercises -->``, a section's names its own,
``<!-- exercises 6.1 6.2 -->``, and what is read in its place is made here, so that the book cannot say something else than the grader.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from minilm.exercises import tasks
from minilm.exercises.causes.wrong_answers import explained
from minilm.exercises.task import Task

ON_A_PAGE, LENGTH = 8, 24_000  # solutions, at most, and their characters on the mean
DIFFICULTY = ("", "easy", "medium", "hard")


def statements(chapter: int) -> str:
    """What stands in a chapter under "Exercises": how to work on them, a list, and each one's statement and start."""
    there = tasks.of_chapter(chapter)
    return "\n\n".join([_how(chapter, there), _list(there), *map(_statement, there)])


def some_statements(ids: Sequence[str]) -> str:
    """What stands in a section under "Exercises": how to hand an answer in, and the statement and start of these.

    Raises:
        KeyError: there is no such exercise.
    """
    there = [tasks.find(id) for id in ids]
    first = there[0]
    how = f"""\
Answers can be handed in: `ml.check("{first.id}", ...)` says what is wrong, and why; `ml.hint("{first.id}")` opens the next of three
steps: hint, derivation, code. `minilm exercises {first.chapter} --out mine` writes a notebook with a cell for each answer."""
    return "\n\n".join([how, *map(_statement, there)])


def solutions(chapter: int, title: str) -> dict[str, str]:
    """Pages with hint, derivation and solution of each exercise, folded, and the wrong answers that are known: by their names.

    The first lists the others, each of which has a few exercises, so that none is endless.
    """
    there, name = tasks.of_chapter(chapter), f"solutions-{chapter}"
    answers = {task.id: _answer(task) for task in there}
    count = max(-(-len(there) // ON_A_PAGE), -(-sum(map(len, answers.values())) // LENGTH))
    cuts = [i * len(there) // count for i in range(count + 1)]
    parts = {
        f"{name}/{some[0].id}-to-{some[-1].id}".replace(".", "-"): some
        for some in (there[a:b] for a, b in itertools.pairwise(cuts))
    }
    head = f"# Hints and solutions of chapter {chapter}\n\n{title}. Open one step at a time: the hint first."
    below = "\n".join(["```{toctree}", ":titlesonly:", "", *(f"/{part}" for part in parts), "```"])
    pages = {
        part: [f"# Solutions {some[0].id} to {some[-1].id}", *(answers[task.id] for task in some)]
        for part, some in parts.items()
    }
    return {page: "\n\n".join(content) + "\n" for page, content in {name: [head, below], **pages}.items()}


def _how(chapter: int, there: tuple[Task, ...]) -> str:
    minutes = sum(task.minutes for task in there)
    example = next((task for task in there if task.kind == "code"), there[0])
    return f"""\
There are {len(there)} exercises, for about {round(minutes / 60)} hours. Each can be handed in:

- `minilm exercises {chapter} --out mine` writes a notebook with a cell for each answer, and one that checks it.
- `ml.check("{example.id}", {example.name})` says what is wrong, and why; `ml.hint("{example.id}")` opens the next of three
  steps: hint, derivation, code.
- Without a notebook: `minilm check {example.id} answer.py`. What you have done: `minilm progress`.

An answer leaves its inputs as they are, unless the exercise says otherwise."""


def _list(there: tuple[Task, ...]) -> str:
    rows = [f"| Exercise {t.id} | {t.title} | {t.kind} | {t.minutes} | {DIFFICULTY[t.difficulty]} |" for t in there]
    return "\n".join(["| exercise | title | kind | minutes | difficulty |", "| --- | --- | --- | --- | --- |", *rows])


def _statement(task: Task) -> str:
    """Heading, a line on kind and size, the statement, and the code to begin with."""
    about = f"*{task.kind.capitalize()}, {task.minutes} minutes, {DIFFICULTY[task.difficulty]}. Practises {task.practises}.*"
    parts = [f"### Exercise {task.id}. {task.title}", about, task.asked().strip()]
    if task.start.strip():
        parts.append(_code(task.start))
    return "\n\n".join(parts)


def _answer(task: Task) -> str:
    steps = [("Hint", task.hint.strip()), ("Derivation", task.derivation.strip()), ("Solution", _code(task.solution))]
    parts = [f"## {task.id}. {task.title}", f"The question is Exercise {task.id}."]
    parts += [_fold(name, text) for name, text in steps if text]
    if task.wrong:
        parts.append(_fold("Wrong answers that the grader knows", "\n".join(_wrong(task))))
    if task.rubric:
        parts.append(_fold("How it is marked", "\n".join(f"- {line} ({points})" for line, points in task.rubric)))
    if task.after:
        parts.append(f"Next: {task.after}")
    return "\n\n".join(parts)


def _wrong(task: Task) -> list[str]:
    return [f"- `{_line(w.new)}` for `{_line(w.old)}`: {explained(task, w)[0]}" for w in task.wrong]


def _line(code: str) -> str:
    return " ".join(code.split()).replace("`", "'") or "(nothing)"


def _code(text: str) -> str:
    return f"```python\n{text.strip()}\n```"


def _fold(summary: str, text: str) -> str:
    return f"<details>\n<summary>{summary}</summary>\n\n{text}\n\n</details>"
