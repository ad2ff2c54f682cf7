"""What is marked for the book or the browser stands in the folder that `.ci/run` names: elsewhere it would run nowhere."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent


@pytest.mark.parametrize(("marks", "folder"), [("book|formulas", "book"), ("browser", "browser")])
def test_marks_stay_in_their_folder(marks, folder):
    marked = {path for path in TESTS.rglob("test_*.py") if re.search(rf"\bmark\.({marks})\b", path.read_text("utf-8"))}
    assert marked
    assert [path for path in marked if TESTS / folder not in path.parents] == []
