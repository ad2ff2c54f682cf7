"""Every task of the book holds what it promises: stubs fail, solutions pass, wrong answers are told apart, texts are whole."""

import ast
import functools
import hashlib
import math
import os
import re
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from minilm.exercises import bugs, kills, tasks
from minilm.exercises.code import define, first_definition, run_text, solution_of
from minilm.exercises.compare import difference
from minilm.exercises.perform import perform, trouble_of
from minilm.exercises.task import KINDS, with_bug

TASKS = list(tasks.every())
WIDTH = 84  # columns of a notebook's cell
BOOK = {
    "1.1": "Surprise of a line",
    "1.2": "The chain rule backward",
    "1.3": "No model beats the text's own shares",
    "1.4": "A gradient three ways",
    "1.5": "Forgetting zero_grad",
    "1.6": "Counting GPT-2's parameters",
    "1.7": "Which models were too large?",
    "1.8": "Half a copy",
    "2.1": "Count parameters",
    "2.2": "One curve, two names",
    "2.3": "Build functions out of ReLUs",
    "2.4": "Why weights must differ",
    "2.5": "Predict the explosion",
    "2.6": "Two momenta that part",
    "2.7": "How far momentum may go",
    "2.8": "Early stopping",
    "2.9": "Adam without its correction",
    "3.1": "From sigmoid to tanh",
    "3.2": "One neuron by hand",
    "3.3": "How fast a chain forgets",
    "3.4": "Batches, ReLU and softmax",
    "3.5": "Tied weights",
    "3.6": "Forward mode with dual numbers",
    "3.7": "A difference of fourth order",
    "3.8": "Initialization for a leaky ReLU",
    "4.1": "Read the indices",
    "4.2": "Another loss",
    "4.3": "One choice instead of two questions",
    "4.4": "The divergence is never negative",
    "4.5": "Targets that do not sum to one",
    "4.6": "A smooth maximum",
    "4.7": "Two gradients by differentials",
    "4.8": "What scale invariance implies",
    "4.9": "LayerNorm's backward pass in NumPy",
    "4.10": "Causal attention backward in NumPy",
    "5.1": "The other reshape",
    "5.2": "A narrow hidden layer",
    "5.3": "Beginning at zero",
    "5.4": "What alpha means",
    "5.5": "A language model compresses",
    "5.6": "The mask after the softmax",
    "5.7": "The leak as a gradient",
    "5.8": "Counting a GPT",
}


def each(chosen=lambda task: True):
    return pytest.mark.parametrize("task", [pytest.param(task, id=task.id) for task in TASKS if chosen(task)])


def asked(task):
    return task.graded and task.kind != "write the test"


each_asked = each(asked)
each_test = each(lambda task: task.kind == "write the test")


# --- what a task does --------------------------------------------------------------------------------------------------------------


def right(task, seed=None):
    """The tests, and what the solution does in each."""
    return right_of(task.id, seed)


@functools.lru_cache(maxsize=4)
def right_of(id, seed):
    task = tasks.find(id)
    return [t for t, _ in task.cases(seed)], perform(task, solution_of(task, seed), seed)


def outcomes(task, answer, seed=None):
    """For each test why the answer fails it; "" where it passes."""
    return [fault(t, good, ran) for t, good, ran in zip(*right(task, seed), perform(task, answer, seed), strict=True)]


def fault(test, good, ran):
    if ran.trouble:
        return ran.trouble.kind
    if found := difference(test, good.value, ran.value):
        return found.kind
    if test.unchanged and ran.changed:
        return "an input was changed"
    if test.fresh and ran.shares:
        return "the result is a view"
    steady = difference(test, good.value, good.again) is None
    return "another result the second time" if steady and difference(test, good.value, ran.again) else ""


def nudged(x):
    """The same with every float moved by one unit in its last place."""
    if isinstance(x, list | tuple):
        return type(x)(nudged(part) for part in x) if type(x) in (list, tuple) else x
    if isinstance(x, dict):
        return {name: nudged(part) for name, part in x.items()}
    if isinstance(x, np.ndarray) and x.dtype.kind == "f":
        return np.where(np.isfinite(x), np.nextafter(x, np.array(np.inf, x.dtype)), x)
    return math.nextafter(x, math.inf) if isinstance(x, float) and math.isfinite(x) else x


def check_solution(task, seed=None):
    for test, ran in zip(*right(task, seed), strict=True):
        what = f"{task.id}, {test.name!r}, seed {seed}"
        assert ran.trouble is None, (what, ran.trouble)
        assert fault(test, ran, ran) == "", what
        assert ran.warned == [], what
        assert ran.printed == "", what
        assert difference(test, ran.value, nudged(ran.value)) is None, f"{what}: no room for rounding"


def check_wrong(task, seed=None):
    found = {}
    for wrong in task.wrong:
        try:
            found[wrong.bug or wrong.new] = any(outcomes(task, solution_of(task, seed, wrong), seed))
        except Exception as error:
            pytest.fail(f"{task.id}: the wrong answer {wrong.bug or wrong.new!r} cannot be run: {trouble_of(error)}")
    assert all(found.values()), (
        f"{task.id}, seed {seed}: these wrong answers pass: {[n for n in found if not found[n]]}"
    )


@each_asked
def test_the_solution_passes(task):
    check_solution(task)


@each_asked
def test_the_start_fails(task):
    start = define(task, task.start, "<answer>")
    failed = [bool(why) for why in outcomes(task, start)]
    assert any(failed) if task.kind == "find the bug" else all(failed)


@each_asked
def test_each_wrong_answer_fails(task):
    check_wrong(task)


@each(lambda task: not task.graded)
def test_a_model_solution_for_a_reader_runs(task):
    assert task.rubric, "a teacher reads this one by its rubric"
    assert all(line and points >= 1 for line, points in task.rubric)
    space = run_text(task.setup, f"<set-up of {task.id}>", task.values())
    run_text(task.solution, f"<solution of {task.id}>", space)


def marks(task, text, seed=None):
    def ask(part, texts):
        try:
            return kills.perform(task, define(task, part, "<answer>", seed), texts)
        except Exception as error:
            return trouble_of(error)

    return kills.find(task, text, ask)


@each_test
def test_the_model_test_finds_every_bug(task):
    report = marks(task, task.solution)
    assert report.trouble is None
    assert report.refusal is None, report.says()
    assert [name for name, killed in report.kills.items() if not killed] == []


@each_test
def test_a_test_that_asserts_nothing_earns_nothing(task):
    argument = first_definition(task.subject)
    assert sum(marks(task, f"def {task.name}({argument}):\n    pass\n").kills.values()) == 0
    assert sum(marks(task, task.stub).kills.values()) == 0


# --- inputs ------------------------------------------------------------------------------------------------------------------------


def print_of(x):
    """Something that is the same for the same values."""
    if isinstance(x, np.ndarray):
        return f"{x.dtype}{x.shape}{hashlib.sha256(np.ascontiguousarray(x).tobytes()).hexdigest()}"
    if isinstance(x, list | tuple):
        return f"{type(x).__name__}({', '.join(map(print_of, x))})"
    if isinstance(x, dict):
        return f"dict({', '.join(f'{print_of(k)}: {print_of(v)}' for k, v in x.items())})"
    if isinstance(x, np.random.Generator):
        return repr(x.bit_generator.state)
    if callable(x):
        return getattr(x, "__name__", type(x).__name__)
    return re.sub(r" at 0x[0-9a-f]+", "", repr(x))


def print_of_all(seed):
    whole = {
        task.id: print_of([task.values(seed), *(inputs for _, inputs in task.cases(seed))]) for task in tasks.every()
    }
    return {id: hashlib.sha256(text.encode()).hexdigest() for id, text in whole.items()}


def test_inputs_are_the_same_each_time_and_in_another_process():
    code = "from tests.exercises.tasks.test_tasks import print_of_all; print(print_of_all(7))"
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": os.pathsep.join(sys.path)}
    other = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, timeout=60)
    there, here = ast.literal_eval(other.stdout.decode().splitlines()[-1]), print_of_all(7)
    assert [id for id in here if here[id] != there[id]] == []
    again = print_of_all(7)
    assert [id for id in here if here[id] != again[id]] == []


@each(lambda task: task.data is not None)
def test_the_statement_shows_the_numbers_that_were_drawn(task):
    values = task.values(3)
    left = [name for name in values if f"{{{name}}}" in task.asked(3)]
    assert left == []
    numbers = [task.values(seed) for seed in range(10)]
    assert len({print_of(drawn) for drawn in numbers}) > 1, "every student has the same numbers"


# --- the record --------------------------------------------------------------------------------------------------------------------


@each()
def test_the_record_is_whole(task):
    assert task.kind in KINDS
    assert task.minutes in (10, 20, 40)
    assert task.difficulty in (1, 2, 3)
    assert task.title.strip() == task.title != ""
    assert not task.title.endswith(".")
    assert 1 <= len(task.practises.split()) <= 12, task.practises
    assert task.statement.strip(), "no statement"
    assert task.hint.strip(), "no hint"
    assert task.derivation.strip(), "no derivation"
    assert task.solution.strip(), "no solution"
    assert task.points > 0
    if task.kind == "find the bug":
        assert task.wrong, "the first wrong answer is the bug that is planted"
    elif task.kind == "write the test":
        assert len(task.wrong) >= 4, "a test is marked by four bugs at least"
        assert task.subject.strip(), "what is tested"
    if asked(task):
        assert task.tests, "no tests"
        assert task.name in task.start, f"the start does not define {task.name}"
    names = [test.name for test in task.tests]
    assert len(set(names)) == len(names), "two tests have the same name"


@each()
def test_wrong_answers_are_known_and_explained(task):
    text = task.subject if task.kind == "write the test" else task.solution
    for wrong in task.wrong:
        assert text.count(wrong.old) == 1, f"this fragment must occur once: {wrong.old!r}"
        ast.parse(with_bug(text, wrong))
        if wrong.bug:
            assert bugs.find(wrong.bug), f"the library has no bug {wrong.bug!r}"
        else:
            assert wrong.why, f"a bug of this task alone needs its own explanation: {wrong.new!r}"
            assert wrong.look, f"a bug of this task alone needs its own advice: {wrong.new!r}"


@each()
def test_sizes_have_names(task):
    for test, inputs in task.cases():
        labels = test.labels(*inputs) if callable(test.labels) else test.labels or {}
        assert all(isinstance(size, int) and name for name, size in labels.items()), (test.name, labels)


def code_of(task):
    return [text for text in (task.setup, task.start, task.solution, task.subject) if text.strip()]


@each()
def test_code_fits_a_cell(task):
    for text in code_of(task):
        ast.parse(text)
        assert [line for line in text.splitlines() if len(line) > WIDTH] == []


def telling(task):
    """The lines of the solution that give it away."""
    if task.kind == "find the bug":
        return [line.strip() for line in task.wrong[0].old.splitlines() if len(line.strip()) >= 12]
    shown = task.setup + task.start + task.subject
    lines = [line.strip() for line in task.solution.splitlines()]
    return [
        line for line in lines if len(line) >= 20 and line not in shown and not line.startswith(("#", "def ", '"""'))
    ]


@each()
def test_neither_statement_nor_hint_gives_the_code_away(task):
    for line in telling(task):
        assert line not in task.statement, line
        assert line not in task.hint, line


# --- all of them -------------------------------------------------------------------------------------------------------------------


def test_numbers_are_consecutive():
    assert [id for id, count in Counter(task.id for task in TASKS).items() if count > 1] == []
    for chapter in tasks.CHAPTERS:
        numbers = [task.number for task in tasks.of_chapter(chapter)]
        assert numbers == list(range(1, len(numbers) + 1)), f"chapter {chapter}: {numbers}"
        assert all(task.chapter == chapter for task in tasks.of_chapter(chapter))


def test_the_book_s_exercises_are_there():
    assert {task.id: task.title for task in TASKS if task.id in BOOK} == BOOK


def test_titles_are_different():
    assert [title for title, count in Counter(task.title for task in TASKS).items() if count > 1] == []


def test_there_is_enough_of_each_kind():
    kinds = Counter(task.kind for task in TASKS)
    assert len(TASKS) >= 90
    assert kinds["code"] >= 55
    assert kinds["find the bug"] >= 12
    assert kinds["write the test"] >= 8


# --- slow --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@each_asked
def test_it_holds_for_other_seeds(task):
    for seed in range(21):
        check_solution(task, seed)
        check_wrong(task, seed)


@pytest.mark.slow
@each_test
def test_the_model_test_holds_for_other_seeds(task):
    for seed in range(21):
        assert all(marks(task, task.solution, seed).kills.values()), seed


@pytest.mark.slow
def test_code_is_formatted_and_clean(tmp_path):
    """By ruff, as the project's own; in cells that are shown, a name may come from the set-up or the numbers that are drawn."""
    for task in TASKS:
        given = "".join(f"{name} = None\n" for name in task.values())
        for i, text in enumerate(code_of(task)[1:]):
            (tmp_path / f"plain-{task.id}-{i}.py").write_text(text.strip("\n") + "\n", encoding="utf-8")
            whole = given + task.setup + "\n\n" + text.strip("\n") + "\n"
            (tmp_path / f"whole-{task.id}-{i}.py").write_text(whole, encoding="utf-8")
    ruff = [sys.executable, "-m", "ruff"]
    rules = "--isolated --no-cache --target-version py310 --select E,F,W,B,I --ignore F401,F811,I001,E402"
    checks = [
        [*ruff, "format", "--isolated", "--no-cache", "--line-length", str(WIDTH), "--diff",
         *map(str, sorted(tmp_path.glob("plain-*.py")))],
        [*ruff, "check", *rules.split(), "--line-length", str(WIDTH), "--output-format", "concise",
         *map(str, sorted(tmp_path.glob("whole-*.py")))],
    ]  # fmt: skip
    for command in checks:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
