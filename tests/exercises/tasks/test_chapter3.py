"""Chapter 3's exercises: what each record promises holds."""

from __future__ import annotations

import pytest

from minilm.exercises import grade as g
from minilm.exercises.code import run_text, solution_of, subject_of
from minilm.exercises.perform import perform
from minilm.exercises.run import Answer
from minilm.exercises.tasks import of_chapter

TASKS = [pytest.param(t, id=t.id) for t in of_chapter(3)]
SEEDS = (None, 1, 2)


def points(task, text, seed):
    return g.grade(task, Answer(text), seed).points


@pytest.mark.parametrize("task", [t for t in TASKS if t.values[0].tests])
def test_stub_fails_solution_passes_and_each_wrong_answer_is_noticed(task):
    for seed in SEEDS:
        assert points(task, task.solution, seed) == task.points
        if task.kind == "find the bug":
            assert points(task, task.start, seed) < task.points
        else:
            assert points(task, task.start, seed) == 0
        for wrong in task.wrong:
            result = g.judge(task, perform(task, solution_of(task, seed, wrong), seed), seed)
            assert not result.passed, (wrong.old, wrong.new)


@pytest.mark.parametrize("task", [t for t in TASKS if t.values[0].kind == "write the test"])
def test_the_written_test_finds_every_bug(task):
    def killed(text, subject):
        test = run_text(text, "<test>", run_text(task.setup, "<set-up>"))[task.name]
        try:
            test(subject)
        except AssertionError:
            return True
        return False

    assert not killed(task.solution, subject_of(task))
    for wrong in task.wrong:
        assert killed(task.solution, subject_of(task, wrong)), (wrong.old, wrong.new)
        assert not killed(task.stub, subject_of(task, wrong))


@pytest.mark.parametrize("task", [t for t in TASKS if not t.values[0].graded])
def test_a_proof_runs(task):
    solution_of(task)
    assert task.points == sum(p for _, p in task.rubric) > 0
