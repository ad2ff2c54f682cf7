"""The library of bugs: whole records, names that the tasks know, and engine fragments that the table of mutants holds."""

import re
from collections import Counter
from pathlib import Path

from minilm.exercises import bugs, tasks
from tests.mutants import MUTANTS

ROOT = Path(__file__).resolve().parents[3]
FAMILIES = [
    "gradients",
    "reductions",
    "shapes",
    "softmax and losses",
    "normalization",
    "attention",
    "optimizers",
    "data",
    "text",
    "numbers",
    "training",
    "Python",
]
ALL = [bug for there in bugs.FAMILIES.values() for bug in there]
IN_THE_ENGINE = [bug for bug in ALL if bug.file]


def test_names_and_titles_are_different():
    assert len(ALL) == len(bugs.LIBRARY) >= 200
    assert [title for title, count in Counter(bug.title for bug in ALL).items() if count > 1] == []
    assert list(bugs.FAMILIES) == FAMILIES
    assert [bug.name for bug in ALL if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", bug.name)] == []


def test_find():
    assert bugs.find("sum-for-mean") is bugs.LIBRARY["sum-for-mean"]
    assert bugs.find("no-such-bug") is None
    assert bugs.find("") is None


def test_records_are_whole():
    for bug in ALL:
        assert bug.right != bug.wrong, bug.name
        assert not bug.title.endswith("."), bug.name
        for sentence in (bug.why, bug.shows, bug.look):
            assert sentence.strip() == sentence, bug.name
            assert sentence.endswith((".", "?", "...")), (bug.name, sentence)
            assert "  " not in sentence, bug.name
        assert len(bug.why.split()) <= 60, bug.name


def test_every_bug_that_a_task_names_is_there():
    named = {(wrong.bug, task.id) for task in tasks.every() for wrong in task.wrong if wrong.bug}
    assert sorted((name, id) for name, id in named if bugs.find(name) is None) == []


def test_most_bugs_of_the_field_stand_in_the_engine_too():
    assert len(IN_THE_ENGINE) >= 130
    for bug in IN_THE_ENGINE:
        assert (ROOT / bug.file).read_text(encoding="utf-8").count(bug.old) == 1, bug.name
        assert bug.old != bug.new, bug.name
    assert [bug.name for bug in ALL if not bug.file and (bug.old or bug.new)] == []


def test_each_of_those_is_put_into_the_engine_to_see_a_test_fail():
    there = {(mutant.file, mutant.old, mutant.new) for mutant in MUTANTS}
    assert [bug.name for bug in IN_THE_ENGINE if (bug.file, bug.old, bug.new) not in there] == []
