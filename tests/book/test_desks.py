"""What stands below an exercise's statement where the site has Python with it."""

import html
import json
import re
from types import SimpleNamespace

import pytest

from chapters.tools.live import desks
from minilm.exercises import tasks
from minilm.exercises.desk import helps


def test_a_desk_says_what_the_page_needs_and_no_solution():
    for task in tasks.every():
        [held] = re.findall(r'^<div [^>]*data-exercise="([^"]*)"></div>$', desks.desk(task))
        record = json.loads(html.unescape(held))
        assert record["helps"] == [name.capitalize() for name, _ in helps(task)]
        assert record["graded"] == task.graded
        assert record["start"].strip()
        assert task.solution.strip() not in record["start"] + record["given"], task.id
        assert all(name in record["given"] for name in task.values())


def test_a_desk_stands_between_the_statement_and_the_link_to_its_solution():
    nodes = pytest.importorskip("docutils.nodes", reason="needs the extra book")
    tree = nodes.document(None, None)
    section = nodes.section("", nodes.title("", "Exercise 4.1. Read the indices"), nodes.paragraph("", "Which?"))
    section += nodes.paragraph("", "Hint, derivation and solution", classes=["solution"])
    tree += section
    desks.desks(SimpleNamespace(), tree, "04-mathematics/exercise-41")
    kinds = [type(node).__name__ for node in section]
    assert kinds == ["title", "paragraph", "raw", "paragraph"]
    assert 'src="../live/exercises.js"' in tree[-1].astext()


def test_a_page_without_exercises_gets_no_script():
    nodes = pytest.importorskip("docutils.nodes", reason="needs the extra book")
    tree = nodes.document(None, None)
    tree += nodes.section("", nodes.title("", "Softmax"), nodes.paragraph("", "Exercise 4.1 asks for more."))
    desks.desks(SimpleNamespace(), tree, "04-mathematics/softmax")
    assert len(tree) == 1


def test_a_list_of_exercises_gets_the_script():
    nodes = pytest.importorskip("docutils.nodes", reason="needs the extra book")
    tree = nodes.document(None, None)
    tree += nodes.entry("", nodes.paragraph("", "Exercise 4.1"))
    desks.desks(SimpleNamespace(), tree, "exercises")
    assert 'src="live/exercises.js"' in tree[-1].astext()


def test_progress_lists_every_exercise_and_the_points_of_each_chapter():
    titles = {chapter: f"Title {chapter}" for chapter in tasks.CHAPTERS}
    page = desks.progress_page(titles)
    assert re.findall(r"^\| Exercise (\d+\.\d+) \|", page, re.MULTILINE) == [task.id for task in tasks.every()]
    for chapter in tasks.CHAPTERS:
        points = sum(task.points for task in tasks.of_chapter(chapter) if task.graded)
        assert f"| {chapter}. Title {chapter} | {points} |" in page
