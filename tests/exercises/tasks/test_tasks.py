"""Every task of the book is whole: its stub fails, its solution passes, each wrong answer is told apart from the right one."""

import ast
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from minilm.exercises import bugs, tasks
from minilm.exercises.code import first_definition, run_text, solution_of, subject_of
from minilm.exercises.compare import difference
from minilm.exercises.perform import call
from minilm.exercises.task import KINDS, with_bug

ROOT = Path(__file__).parents[3]
TASKS = list(tasks.every())
each = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
SECONDS = 0.5
"""What all tests of a task may take with its solution."""
OF_THE_BOOK = {1: 8, 2: 9, 3: 8, 4: 10, 5: 8}
"""Exercises of chapters 1 to 5 that had numbers before there were tasks: they keep them."""


def of(*kinds):
    there = [task for task in TASKS if task.kind in kinds]
    return pytest.mark.parametrize("task", there, ids=lambda task: task.id)


def asked(task, answer, seed=None):
    """What an answer gives in each test: the result, or the exception; with what it changed."""
    return [call(answer, test, inputs) for test, inputs in task.cases(seed)]


def failing(task, answer, seed=None):
    """Names of the tests that an answer fails."""
    right = asked(task, solution_of(task, seed), seed)
    return [
        test.name
        for test, wanted, ran in zip(task.tests, right, asked(task, answer, seed), strict=True)
        if ran.trouble or (test.unchanged and ran.changed) or (test.fresh and ran.shares)
        or difference(test, wanted.value, ran.value)
    ]  # fmt: skip


def kills(task, test):
    """For "write the test": whether it passes the right subject, and which wrong ones it refuses."""

    def refuses(subject):
        try:
            test(subject)
        except Exception:
            return True
        return False

    return not refuses(subject_of(task)), [refuses(subject_of(task, wrong)) for wrong in task.wrong]


def defined(task, text, seed=None):
    names = run_text(task.setup, f"<set-up of {task.id}>", task.values(seed))
    return run_text(text, "<answer>", names)[task.name]


@each
def test_the_record_is_whole(task):
    assert task.kind in KINDS
    assert task.minutes in (10, 20, 40)
    assert task.difficulty in (1, 2, 3)
    assert task.title
    assert task.practises
    assert task.statement.strip()
    assert task.hint.strip()
    assert task.derivation.strip()
    assert task.points > 0
    assert all(test.points > 0 and test.name for test in task.tests)
    assert [name for name, count in Counter(test.name for test in task.tests).items() if count > 1] == []
    if task.kind == "write the test":
        assert task.subject
        assert len(task.wrong) >= 4
        assert not task.tests
        assert task.name == f"test_{first_definition(task.subject)}"
    elif not task.graded:
        assert task.rubric
        assert not task.tests
    else:
        assert task.tests
        assert not task.subject
    if task.kind == "find the bug":
        assert task.wrong
        assert not task.stub
    if task.kind in ("code", "find the bug"):
        assert any(not test.hidden for test in task.tests), "nothing is asked in the open"
        assert any(test.hidden for test in task.tests), "an answer could be made for the numbers that are shown"
        assert len(task.wrong) >= (1 if task.kind == "find the bug" else 3)


@each
def test_texts_for_readers(task):
    for text in (task.statement, task.hint, task.derivation, task.after):
        assert text.count("$") % 2 == 0, text
        assert not re.search(r"^\s*(:::|`{3,}\{)", text, re.MULTILINE), "a MyST directive shows raw in a notebook"
    for name in task.values():
        assert f"{{{name}}}" not in task.asked(), f"{{{name}}} is not filled in"
    assert len(task.statement.split()) <= 180
    for code in (task.setup, task.stub, task.solution, task.subject, *(wrong.new for wrong in task.wrong)):
        assert [line for line in code.split("\n") if len(line) > 84] == []
    if task.kind == "code":
        body = [line.strip() for line in task.solution.split("\n") if len(line.strip()) > 20 and "def " not in line]
        shown = task.statement + task.stub + task.hint
        assert sum(line in shown for line in body) <= len(body) // 3, "the solution stands in what is handed out"


@of("code", "find the bug", "number")
def test_the_solution_passes_and_the_stub_fails(task):
    assert failing(task, solution_of(task)) == []
    if not task.start.strip():
        assert task.kind == "number"
        return
    try:
        stub = defined(task, task.start)
    except (NotImplementedError, KeyError, NameError):
        return
    failed = failing(task, stub)
    assert failed
    if task.kind == "code":
        assert len(failed) == len(task.tests), "a test that an empty answer passes is worth no points"


@pytest.mark.slow
@of("code", "find the bug", "number")
def test_each_wrong_answer_fails_and_is_told_apart_from_the_right_one(task):
    for wrong in task.wrong:
        assert failing(task, solution_of(task, wrong=wrong)), f"{wrong.bug or wrong.why} passes"


@of("write the test")
def test_the_model_test_finds_all_bugs_and_an_empty_one_none(task):
    passed, found = kills(task, defined(task, task.solution))
    assert passed
    assert [wrong.bug or wrong.why for wrong, killed in zip(task.wrong, found, strict=True) if not killed] == []
    passed, found = kills(task, defined(task, task.stub))
    assert not any(found) or not passed
    passed, found = kills(task, lambda subject: None)
    assert passed
    assert not any(found)


@of("proof", "open")
def test_code_of_what_a_teacher_reads_runs(task):
    if task.solution.strip():
        run_text(task.setup + task.solution, f"<solution of {task.id}>", task.values())


def drawn(task, seed):
    """What the task asks with this seed, in letters; objects without their addresses."""
    asked = (task.values(seed), [inputs for _, inputs in task.cases(seed)])
    return task.id + re.sub(" at 0x[0-9A-Fa-f]+", "", repr(asked))


@each
def test_inputs_are_the_same_for_the_same_seed_and_others_for_another(task):
    assert drawn(task, 3) == drawn(task, 3)
    if task.data is not None:
        assert len({repr(task.values(seed)) for seed in range(10)}) > 1


def test_inputs_are_the_same_in_another_process():
    program = """
from minilm.exercises import tasks
from tests.exercises.tasks.test_tasks import drawn
print(*(drawn(task, 7) for task in tasks.every()), sep=chr(10))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == "\n".join(drawn(task, 7) for task in TASKS).splitlines()


@each
def test_fragments_of_wrong_answers(task):
    code = task.subject or task.solution
    for wrong in task.wrong:
        assert code.count(wrong.old) == 1, wrong
        ast.parse(with_bug(code, wrong))
        assert bugs.find(wrong.bug) or (not wrong.bug and wrong.why), f"{wrong.bug} is not in the library"
    assert [fragment for fragment, n in Counter((w.old, w.new) for w in task.wrong).items() if n > 1] == []


def test_numbers_run_on_and_those_of_the_book_are_kept():
    for chapter in tasks.CHAPTERS:
        there = tasks.of_chapter(chapter)
        assert [task.number for task in there] == list(range(1, len(there) + 1))
        assert len(there) >= OF_THE_BOOK.get(chapter, 0)


def test_there_are_enough_of_each_kind():
    count = Counter(task.kind for task in TASKS)
    assert count["code"] >= 55
    assert count["find the bug"] >= 12
    assert count["write the test"] >= 8
    assert count.total() >= 90


@pytest.mark.slow
@of("code", "find the bug", "number")
def test_the_verdict_does_not_hang_on_the_numbers_drawn(task):
    """The right answer passes with every student's numbers, and a wrong one fails."""
    for seed in range(20):
        assert failing(task, solution_of(task, seed), seed) == []
        for wrong in task.wrong:
            assert failing(task, solution_of(task, seed, wrong), seed), f"seed {seed}: {wrong.bug or wrong.why} passes"


@pytest.mark.slow
@of("code", "find the bug", "number")
def test_a_second_right_answer_passes(task):
    """The same function on a copy in other memory: no test may ask for bits that another order of sums changes."""
    right = solution_of(task)
    if not callable(right) or isinstance(right, type):
        return

    def other(*args, **named):
        return right(*(np.copy(a, order="F") if isinstance(a, np.ndarray) else a for a in args), **named)

    changes = [test.name for test in task.tests if not test.unchanged]
    assert [name for name in failing(task, other) if name not in changes] == []
