"""The pages of a course's results: on a phone and a screen, light and dark, without faults, and wider than no screen."""

import pytest

from minilm.cli import main
from tests.browser import driver
from tests.exercises.classroom.synthetic import grade_arguments, make

pytestmark = [pytest.mark.browser, pytest.mark.host]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The folder of a report on twelve students, with a comment."""
    folder = tmp_path_factory.mktemp("classroom")
    make(folder, 12, ("1.1", "4.4", "4.9"))
    table = folder / "grades.csv"
    assert main(["classroom", *grade_arguments(folder, table)]) == 0
    assert main(["classroom", "comment", str(table), "--cause", "SyntaxError", "--text", "Run the cell first."]) == 0
    assert main(["classroom", "report", str(table), "--out", str(folder / "report")]) == 0
    return folder / "report"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", ["index.html", "students/s001.html"])
def test_a_page_fits_and_can_be_used_by_all(report, open_page, name, width, scheme):
    page = open_page(report / name, width=width, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert driver.axe(page) == []


def test_from_the_class_to_a_student(report, open_page):
    page = open_page(report / "index.html")
    page.locator("table a", has_text="Alan Lovelace").last.click()
    assert page.locator("h1").inner_text() == "Alan Lovelace"
