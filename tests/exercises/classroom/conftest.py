"""A small course with made-up submissions, graded once for all tests here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from minilm.cli import main
from minilm.exercises.classroom.course import Course
from minilm.exercises.classroom.marking import Results, read_results
from tests.exercises.classroom.synthetic import grade_arguments, make

TASKS = ("1.1", "4.9")


@dataclass(frozen=True)
class Graded:
    """A folder with course, submissions and grades.csv."""

    folder: Path
    course: Course

    @property
    def table(self) -> Path:
        return self.folder / "grades.csv"

    @property
    def results(self) -> Results:
        return read_results(self.table)


@pytest.fixture(scope="session")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Graded:
    folder = tmp_path_factory.mktemp("classroom")
    course = make(folder, 8, TASKS)
    assert main(["classroom", *grade_arguments(folder, folder / "grades.csv")]) == 0
    return Graded(folder, course)
