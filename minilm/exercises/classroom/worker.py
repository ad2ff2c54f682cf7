"""A process that grades what it is told to: one question per line on standard input, one record per line on standard output.

It ends when its input does, so that none is left when the process that started it is killed.
"""

from __future__ import annotations

import ast
import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

from minilm.exercises import message
from minilm.exercises.child import Limits
from minilm.exercises.classroom.course import find
from minilm.exercises.grade import Result, grade
from minilm.exercises.run import Answer, Way
from minilm.exercises.task import Task

ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")
AFTER = re.compile(r"no result after [0-9.]+ s\b")  # of computing, or of waiting: whichever limit came first


def main() -> None:
    """Answers questions until there are no more."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)  # what an answer prints must not be taken for a record
    sys.stdout = sys.stderr
    for line in sys.stdin:
        question = json.loads(line)
        begin = time.perf_counter()
        try:
            record = graded(question)
        except Exception as error:  # the grader's own mistake: a row with a reason, and the next answer
            record = {"status": "failed", "reason": f"the grader failed: {type(error).__name__}: {error}"}
        record["seconds"] = round(time.perf_counter() - begin, 3)
        out.write(json.dumps(record, ensure_ascii=True) + "\n")
        out.flush()


def graded(question: dict[str, Any]) -> dict[str, Any]:
    """The record of one answer."""
    task = find(question["task"], Path(question["own"]) if question["own"] else None)
    limits = Limits(total=question["time"], memory=question["memory"] << 20)
    way: Way | None = (
        "fork" if hasattr(os, "fork") and sys.platform != "darwin" else None
    )  # this process is clean, and has one thread
    result = grade(task, Answer(text=question["text"]), question["seed"], limits=limits, way=way)
    for trouble in [result.trouble, *(outcome.ran.trouble for outcome in result.outcomes)]:
        if trouble is not None and trouble.kind == "time":
            before, trouble.line = trouble.line, only_loop(question["text"])
            for cause in result.causes:
                if before is not None and cause.evidence.startswith(f"line {before[0]}"):
                    cause.evidence = (
                        "line {}: {}".format(*trouble.line) if trouble.line else "no result in the time allowed."
                    )
    return record_of(result)


def only_loop(text: str) -> tuple[int, str] | None:
    """Number and text of the line that begins the answer's loop, where it has one that is in no other.

    In which line a loop was when time ran out is chance; where it begins is not.
    """
    try:
        within: list[ast.AST] = list(ast.parse(text).body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    loops: list[ast.AST] = []
    while within:
        node = within.pop()
        if isinstance(node, ast.For | ast.While):
            loops.append(node)
        else:
            within += ast.iter_child_nodes(node)
    if len(loops) != 1:
        return None
    number = int(getattr(loops[0], "lineno", 0))
    return number, text.splitlines()[number - 1].strip()


def record_of(result: Result) -> dict[str, Any]:
    """What is kept of a result: points, tests, the cause, the message; nothing that differs from run to run."""
    task = result.task
    trouble = result.trouble or next((o.ran.trouble for o in result.outcomes if o.ran.trouble), None)
    cause = result.cause if not result.passed else None
    return {
        "status": "graded",
        "points": result.points,
        "of": task.points,
        "tests": _tests(result),
        "cause": None if cause is None else {
            "name": cause.name, "source": cause.source, "says": steady(cause.says), "evidence": steady(cause.evidence),
            "look": steady(cause.look), "confidence": cause.confidence,
        },
        "trouble": None if trouble is None else {
            "kind": trouble.kind, "message": steady(trouble.message), "line": list(trouble.line) if trouble.line else None,
        },
        "message": steady(message.text(result)),
    }  # fmt: skip


def _tests(result: Result) -> list[dict[str, Any]]:
    task: Task = result.task
    if task.kind == "write the test":
        kills = result.kills or {wrong.bug or wrong.new: False for wrong in task.wrong}
        return [
            {"name": f"finds {name}", "points": int(found), "of": 1, "hidden": False} for name, found in kills.items()
        ]
    points = [outcome.points for outcome in result.outcomes] or [0] * len(task.tests)
    return [
        {"name": test.name, "points": got, "of": test.points, "hidden": test.hidden}
        for test, got in zip(task.tests, points, strict=True)
    ]


def steady(text: str) -> str:
    """The text without what differs from run to run: addresses of objects, and which limit of time came first."""
    return AFTER.sub("no result in the time allowed", ADDRESS.sub("0x...", text))


if __name__ == "__main__":
    main()
