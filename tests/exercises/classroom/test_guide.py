"""The guide for teachers names exercises that are there, and their minutes; its commands exist."""

import re
import shlex
from pathlib import Path

from minilm.cli import parser
from minilm.exercises import tasks

TEXT = (Path(__file__).parents[3] / "chapters" / "en" / "teaching.md").read_text(encoding="utf-8")
WEEKS = re.findall(r"^\| (\d+) \| .*? \| ([\d., ]+) \| ([\d., ]+) \| (\d+) \|$", TEXT, re.MULTILINE)


def test_the_minutes_of_a_week_are_those_of_its_exercises():
    assert [int(week) for week, *_ in WEEKS] == list(range(1, 15))
    for week, ids, more, minutes in WEEKS:
        assert sum(tasks.find(id).minutes for id in ids.split(", ")) == int(minutes), f"week {week}"
        assert all(tasks.find(id) for id in more.split(", "))


def test_no_exercise_is_given_twice():
    given = [id for _, ids, more, _ in WEEKS for id in f"{ids}, {more}".split(", ")]
    assert len(set(given)) == len(given)


def test_its_commands_parse():
    lines = re.findall(r"^minilm .*$", TEXT, re.MULTILINE)
    for line in lines:
        parser().parse_args(shlex.split(line, comments=True)[1:])
    assert len(lines) >= 5
