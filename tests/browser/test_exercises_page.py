"""Exercises answered in the book's pages: the grader of the library in the page's Python, in Chromium.

Python starts once for most of these tests: they take turns on one page, in the order in which they stand.
"""

import json
import re
from pathlib import Path

import pytest

from minilm.cli import main
from minilm.exercises import tasks
from minilm.exercises.grade import grade
from minilm.exercises.run import Answer
from minilm.exercises.task import with_bug
from tests.browser import driver

pytestmark = [pytest.mark.browser, pytest.mark.host]
FIT = (Path(__file__).parent / "fit.js").read_text(encoding="utf-8")
TASK = tasks.find("4.9")
WRONG = with_bug(TASK.solution, TASK.wrong[0])
SOON, LATE = 30_000, 120_000  # milliseconds: of a check, and of the first one, which fetches and starts Python
CALL = 'async ([id, text]) => (await import(new URL("../live/live.js", location))).session().call("desk", "check", [id, text])'


def address_of(site, id):
    """The page of an exercise that has one of its own."""
    chapter, number = id.split(".")
    [path] = site.glob(f"{int(chapter):02}-*/exercise-{chapter}{number}-*.html")
    return path.relative_to(site).as_posix()


@pytest.fixture(scope="module")
def served(live_site):
    with driver.served(live_site) as address:
        yield address


@pytest.fixture(scope="module")
def page(browser, live_site, served):
    """The page of exercise 4.9, and all that it asked for: `page.asked`."""
    page = driver.opened(browser, f"{served}/{address_of(live_site, TASK.id)}")
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    page.set_default_timeout(SOON)
    yield page
    faults = list(page.faults)
    page.context.close()
    assert faults == []


class Desk:
    """What a reader does at an exercise."""

    def __init__(self, page, id=TASK.id):
        self.page, self.id = page, id
        self.field = page.get_by_label(f"Your answer to exercise {id}")
        self.place = page.locator(".exercise-desk", has=self.field)
        self.says = self.place.get_by_role("status")

    def button(self, name):
        return self.place.get_by_role("button", name=f"{name}, exercise {self.id}", exact=True)

    def answer(self, text):
        """Fills in an answer and checks it; returns the grader's message, as text."""
        self.field.fill(text)
        self.button("Check").click()
        return self.message()

    def message(self):
        self.button("Check").wait_for(timeout=LATE)
        return self.place.locator(".ml-check").text_content()


@pytest.fixture
def desk(page):
    return Desk(page)


def native(page, text):
    """What the grader says outside of a page: its message's text."""
    message = grade(TASK, Answer(text))._repr_html_()
    return page.evaluate("html => Object.assign(document.createElement('div'), {innerHTML: html}).textContent", message)


TWO = ((390, "dark"), (1280, "light"))


def fits(page, settings=TWO):
    """Everything can be read, on a screen and a phone, light and dark, by people and by what reads to them."""
    for width, scheme in settings:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.wait_for_timeout(400)
        assert driver.axe(page, {"include": [[".bd-article"]], "exclude": [["mjx-container"]]}) == []
        found = page.evaluate(FIT)
        assert found["bad"] == []
        assert found["height"] < 25_000


# --- before Python


def test_hints_open_one_at_a_time_and_nothing_of_python_is_fetched(page, desk):
    opened = desk.place.locator(".exercise-help details")
    for count, name in enumerate(("Hint", "Derivation"), 1):
        desk.button(name).click()
        opened.nth(count - 1).wait_for()
        assert opened.count() == count
        assert opened.nth(count - 1).locator("summary").inner_text() == f"{name}, {count} of 3"
    page.wait_for_selector(".exercise-help mjx-container", state="attached")  # formulas are typeset there, too
    desk.button("Solution").click()
    assert "Press “Open the solution”" in desk.says.inner_text()
    assert opened.count() == 2
    desk.button("Open the solution").click()
    opened.nth(2).wait_for()
    assert "def layer_norm_backward" in opened.nth(2).inner_text()
    assert [url for url in page.asked if re.search(r"\.(wasm|whl|zip|py)$|pyodide|worker\.js", url)] == []


def test_tab_indents_and_escape_leads_out_and_undo_works(page, desk):
    desk.field.fill("def f(x):")
    desk.field.press("End")
    page.keyboard.press("Enter")
    page.keyboard.type("return x")
    assert desk.field.input_value() == "def f(x):\n    return x"
    page.keyboard.press("Home")
    page.keyboard.press("Tab")
    assert desk.field.input_value() == "def f(x):\n        return x"
    page.keyboard.press("Shift+Tab")
    assert desk.field.input_value() == "def f(x):\n    return x"
    page.keyboard.press("Control+a")
    page.keyboard.press("Tab")
    assert desk.field.input_value() == "    def f(x):\n        return x"
    page.keyboard.press("Control+z")
    assert desk.field.input_value() == "def f(x):\n    return x"
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    assert desk.button("Check").evaluate("e => e === document.activeElement")


def test_the_code_to_begin_with_stands_there_once_and_on_paper_alone(page, desk):
    block = page.locator(".highlight-python", has_text="raise NotImplementedError")
    assert (block.is_visible(), desk.field.is_visible()) == (False, True)
    page.emulate_media(media="print")
    assert (block.is_visible(), desk.field.is_visible()) == (True, False)
    page.emulate_media(media="screen")


def test_reset_gives_the_beginning_and_takes_it_back(desk):
    desk.field.fill("x = 1")
    desk.button("Reset").click()
    assert desk.field.input_value() == TASK.start.strip() + "\n"
    desk.button("Bring my answer back").click()
    assert desk.field.input_value() == "x = 1"
    desk.button("Reset").click()


# --- checks


def test_a_wrong_answer_is_told_its_reason_and_the_right_one_passes(page, desk):
    assert desk.answer(WRONG) == native(page, WRONG)
    assert "What is wrong stands below" in desk.says.inner_text()
    assert "Cause:" in desk.place.locator(".ml-check").inner_text()
    assert desk.answer(TASK.solution) == native(page, TASK.solution)
    assert desk.says.inner_text() == "Right: 5 of 5 points."
    assert not [url for url in page.asked if not url.startswith(page.evaluate("location.origin"))]


def test_what_was_found_can_be_read_by_all(page, desk):
    desk.answer(WRONG)
    fits(page, ((390, "light"), (1280, "dark"), *TWO))
    for each in desk.place.get_by_role("button").all():
        box = each.bounding_box()
        assert min(box["width"], box["height"]) >= 24


def test_all_is_done_with_the_keyboard(page, desk):
    desk.field.fill("")
    page.keyboard.type("layer_norm_backward = 5")
    page.keyboard.press("Control+Enter")
    assert "is of type int, not a function" in desk.message()
    assert desk.field.evaluate("e => e === document.activeElement"), "a check from within the field stays there"
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")  # Check
    desk.message()
    assert desk.button("Check").evaluate("e => e === document.activeElement"), "and one by the button stays on it"


def test_an_endless_loop_is_ended_by_the_grader(desk):
    said = desk.answer("def layer_norm_backward(x, w, y_bar, eps):\n    while True:\n        pass\n")
    assert "no result after" in said
    assert "0 of 5 points" in said


def per_kind():
    """An exercise of each kind of each chapter: the first."""
    return {(t.chapter, t.kind): t for t in reversed(list(tasks.every())) if t.graded}


def wrong_of(task):
    """An answer that is known to be wrong."""
    if task.kind == "write the test":
        return f"def {task.name}(f):\n    pass\n"
    return with_bug(task.solution, task.wrong[0])


def test_each_kind_in_each_chapter_is_graded_as_it_is_elsewhere(page):
    differ = []
    for task in (*per_kind().values(), tasks.find("3.10")):  # which is about overflow, of which NumPy is silent there
        for text in (task.solution, wrong_of(task)):
            done, elsewhere = page.evaluate(CALL, [task.id, text]), grade(task, Answer(text), way="fork")
            found = done["value"] or {"passed": None, "points": None, "message": done["text"]}
            if (found["passed"], found["points"]) != (elsewhere.passed, elsewhere.points):
                differ.append((task.id, found["points"], elsewhere.points, found["message"]))
    assert differ == []


# --- what goes wrong


def test_a_python_that_broke_down_says_so_and_begins_anew(page, desk):
    ends = "import os\n\ndef layer_norm_backward(x, w, y_bar, eps):\n    os._exit(1)\n"
    desk.field.fill(ends)
    desk.button("Check").click()
    desk.says.get_by_text("Python broke down").wait_for(timeout=LATE)
    assert desk.field.input_value() == ends
    page.route("**/live/manifest.json", lambda route: route.abort())
    desk.button("Check").click()
    desk.says.get_by_text("Is the network there? Press Check to try again.").wait_for()
    page.unroute("**/live/manifest.json")
    page.faults.clear()
    assert "5 of 5" in desk.answer(TASK.solution)


def test_what_no_grader_can_end_is_stopped_and_the_answer_stays(page, desk):
    within = "def layer_norm_backward(x, w, y_bar, eps):\n    return sum(range(10**15))\n"
    desk.field.fill(within)
    desk.button("Check").click()
    desk.says.get_by_text("Checking").wait_for()
    desk.button("Stop").click()
    desk.says.get_by_text("Stopped.").wait_for()
    assert desk.field.input_value() == within


# --- what is kept


def test_answer_and_points_are_there_after_the_page_was_left(page, desk, served):
    desk.field.fill(TASK.solution)
    page.reload()
    assert desk.field.input_value() == TASK.solution
    assert re.fullmatch(r"Solved in \d+ checks\.", desk.says.inner_text())
    desk.field.fill(TASK.solution + "\n# a note\n")
    page.reload()
    assert desk.says.inner_text().endswith("; changed since the last one.")
    desk.field.fill(TASK.solution)
    page.goto(f"{served}/04-mathematics/exercises.html")
    row = page.locator("tr", has=page.get_by_role("link", name="Exercise 4.9", exact=True))
    assert row.locator(".exercise-mark").inner_text() == "✓ 5 of 5"
    assert "1 of 39 solved" in page.locator(".exercise-sum").inner_text()
    fits(page)


def test_the_saved_file_is_graded_by_the_classroom_as_it_was_here(page, served, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MINILM_HOME", str(tmp_path / "home"))
    page.goto(f"{served}/progress.html")
    assert page.locator("tr", has_text="4. ").first.locator("td").nth(1).inner_text().startswith("5 of ")
    fits(page)
    page.get_by_label("Answers of").select_option(label=page.locator("#progress-which option").nth(4).inner_text())
    page.get_by_label(re.compile("Your name or number")).fill("ada")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save to a file").click()
    assert download.value.suggested_filename == "ada.ipynb"
    handed_in = tmp_path / "handed-in"
    handed_in.mkdir()
    download.value.save_as(handed_in / "ada.ipynb")
    assert main(["check", "4.9", str(handed_in / "ada.ipynb")]) == 0
    assert (
        main(["classroom", "release", str(tmp_path / "release"), "--tasks", "4.9", "--course", "NN", "--jobs", "1"])
        == 0
    )
    table = tmp_path / "grades.csv"
    arguments = [str(handed_in), "--release", str(tmp_path / "release"), "--out", str(table), "--jobs", "1"]
    assert main(["classroom", "grade", *arguments]) == 0
    capsys.readouterr()
    [head, ada] = [line.split(",") for line in table.read_text(encoding="utf-8").splitlines()]
    assert dict(zip(head, ada, strict=True))["4.9"] == "5"
    again = json.loads((handed_in / "ada.ipynb").read_text(encoding="utf-8"))["metadata"]["minilm"]["progress"]["4.9"]
    assert (again["points"], again["of"], again["hints"]) == (5, 5, 3)

    delete = page.get_by_role("button", name="Delete all answers here")
    delete.click()
    page.get_by_role("button", name="Really delete").click()
    assert page.locator("tr", has_text="4. ").first.locator("td").nth(1).inner_text().startswith("0 of ")
    page.get_by_label(re.compile("Open a file")).set_input_files(handed_in / "ada.ipynb")
    page.get_by_role("status").get_by_text("ada.ipynb: 1 answer, 1 taken over").wait_for()
    assert page.locator("tr", has_text="4. ").first.locator("td").nth(1).inner_text().startswith("5 of ")


def test_a_browser_that_keeps_nothing_says_so(browser, live_site, served):
    page = driver.opened(browser, "about:blank")
    page.add_init_script("Storage.prototype.setItem = () => { throw new DOMException('no', 'SecurityError'); }")
    page.goto(f"{served}/{address_of(live_site, '4.1')}")
    desk = Desk(page, "4.1")
    assert "This browser keeps nothing" in desk.says.inner_text()
    desk.field.fill("x = 1")
    desk.button("Reset").click()
    desk.button("Bring my answer back").click()
    assert desk.field.input_value() == "x = 1"
    page.context.close()


def test_a_proof_is_kept_for_a_teacher(browser, live_site, served):
    page = driver.opened(browser, f"{served}/{address_of(live_site, '4.4')}", 390)
    desk = Desk(page, "4.4")
    assert desk.button("Check").count() == 0
    desk.field.fill("By Jensen's inequality ...")
    page.reload()
    assert desk.field.input_value() == "By Jensen's inequality ..."
    page.context.close()
