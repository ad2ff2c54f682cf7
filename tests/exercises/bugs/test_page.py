"""The page of the library, and what a terminal shows of a bug."""

import pytest

from minilm import cli
from minilm.exercises import bugs, tasks
from minilm.exercises.bugs import page


def whole(*tasks, **source):
    """All pages, one after the other."""
    return "\n".join(page.pages(*tasks, **source).values())


def test_the_page_has_every_bug_once_in_its_family():
    shown = whole()
    assert [line[5:-2] for line in shown.split("\n") if line.startswith("(bug-")] == list(bugs.LIBRARY)
    assert shown.count("\n# ") == len(bugs.FAMILIES)
    assert shown.count("\n## ") == len(bugs.FAMILIES) + len(bugs.LIBRARY)
    assert shown == whole()


def test_a_bug_is_shown_with_its_lines_and_the_engine_s_file():
    shown = whole(source="https://example.org/").partition("(bug-sum-for-mean)=")[2].partition("(bug-")[0]
    assert "- loss = (e**2).sum()\n+ loss = (e**2).mean()\n" in shown
    assert "[minilm/ops/reduce.py](https://example.org/minilm/ops/reduce.py)" in shown


def test_it_says_where_a_bug_is_practised():
    there = page.practised(tasks.every())
    assert "4.9" in there["mean-taken-for-a-constant"]
    assert "4.9" in whole(tasks.every()).partition("(bug-mean-taken-for-a-constant)=")[2].partition("(bug-")[0]


def test_signs_of_mathematics_are_no_marks_of_markdown():
    section = whole().partition("(bug-set-not-accumulated)=")[2].partition("(bug-")[0]
    assert r"x \* x" in section


def test_the_command(capsys):
    assert cli.main(["bugs", "sum-for-mean"]) == 0
    assert "(e**2).mean()" in capsys.readouterr().out
    assert cli.main(["bugs"]) == 0
    assert all(name in capsys.readouterr().out.replace("\n", " ") for name in ["sum-for-mean"])
    assert cli.main(["bugs", "attention"]) == 0
    assert "scale-forgotten" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["sum-for-men", "Sum-for-mean"])
def test_a_misspelled_name_is_answered_with_the_nearest(name, capsys):
    assert cli.main(["bugs", name]) == 2
    assert "Did you mean sum-for-mean?" in capsys.readouterr().err
