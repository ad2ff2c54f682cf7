"""Solutions and model tests of the tasks: quiet, with room for rounding, formatted; and model tests that find every bug each time."""

import math
import subprocess
import sys

import numpy as np
import pytest

from minilm.exercises import kills, tasks
from minilm.exercises.code import define, first_definition, solution_of
from minilm.exercises.compare import difference
from minilm.exercises.perform import perform, trouble_of

TASKS = list(tasks.every())
WIDTH = 84  # columns of a notebook's cell


def of(*kinds):
    there = [pytest.param(task, id=task.id) for task in TASKS if task.kind in kinds]
    return pytest.mark.parametrize("task", there)


def nudged(x):
    """The same with every float moved by one unit in its last place."""
    if type(x) in (list, tuple):
        return type(x)(nudged(part) for part in x)
    if isinstance(x, dict):
        return {name: nudged(part) for name, part in x.items()}
    if isinstance(x, np.ndarray) and x.dtype.kind == "f":
        return np.where(np.isfinite(x), np.nextafter(x, np.array(np.inf, x.dtype)), x)
    return math.nextafter(x, math.inf) if isinstance(x, float) and math.isfinite(x) else x


@of("number", "code", "find the bug")
def test_a_solution_is_quiet_and_leaves_room_for_rounding(task):
    for test, ran in zip(task.tests, perform(task, solution_of(task)), strict=True):
        assert ran.trouble is None, test.name
        assert ran.warned == [], test.name
        assert ran.printed == "", test.name
        assert difference(test, ran.value, nudged(ran.value)) is None, f"{test.name}: no room for rounding"


def marks(task, text):
    def ask(part, texts):
        try:
            return kills.perform(task, define(task, part, "<answer>"), texts)
        except Exception as error:
            return trouble_of(error)

    return kills.find(task, text, ask)


@of("write the test")
def test_a_model_test_finds_every_bug(task):
    report = marks(task, task.solution)
    assert report.trouble is None
    assert report.refusal is None, report.says()
    assert [name for name, killed in report.kills.items() if not killed] == []


@of("write the test")
def test_what_asserts_nothing_earns_nothing(task):
    argument = first_definition(task.subject)
    assert sum(marks(task, f"def {task.name}({argument}):\n    pass\n").kills.values()) == 0
    assert sum(marks(task, task.stub).kills.values()) == 0


@pytest.mark.slow
def test_code_is_formatted_and_clean(tmp_path):
    """By ruff. Names may come from the set-up or the numbers drawn, a stub leaves some unused, O may be a matrix."""
    for task in TASKS:
        given = "".join(f"{name} = None\n" for name in task.values())
        for i, text in enumerate(t for t in (task.start, task.solution, task.subject) if t.strip()):
            (tmp_path / f"plain-{task.id}-{i}.py").write_text(text.strip("\n") + "\n", encoding="utf-8")
            whole = given + task.setup + "\n\n" + text.strip("\n") + "\n"
            (tmp_path / f"whole-{task.id}-{i}.py").write_text(whole, encoding="utf-8")
    ruff, width = [sys.executable, "-m", "ruff"], ["--isolated", "--no-cache", "--line-length", str(WIDTH)]
    rules = ["--select", "E,F,W,B", "--ignore", "F401,F811,F841,E402,E741,B011,B905", "--output-format", "concise"]
    for command, files in (["format", "--diff"], "plain-*.py"), (["check", *rules], "whole-*.py"):
        paths = map(str, sorted(tmp_path.glob(files)))
        done = subprocess.run([*ruff, *command, *width, *paths], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
