"""Every step of every step-through of the book, and of four more, in a browser: nothing covers anything else, nothing is cut off
where no scrollbar leads to it, keys work at once, and axe-core has no complaint.
"""

from pathlib import Path

import pytest

from minilm.trace.html import asset, document
from tests.browser import driver, examples
from tests.trace.test_html import network

pytestmark = pytest.mark.browser

WALK = Path(__file__).with_name("steps.js").read_text("utf-8")
SIZES = [(width, scheme) for width in (390, 820, 1280) for scheme in ("light", "dark")]
NAMES = [*examples.OWN, *examples.book()]


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The page of each step-through, by name."""
    folder = tmp_path_factory.mktemp("steppers")

    def written(name):
        path = folder / f"{name}.html"
        if not path.exists():
            content = examples.OWN[name]()._repr_html_() if name in examples.OWN else examples.book()[name]
            path.write_text(document(content), "utf-8")
        return path

    return written


def walk(page):
    return page.evaluate(f"async () => await ({WALK})(document.querySelector('.mlstep'))")


@pytest.mark.parametrize("name", NAMES)
def test_nothing_covers_or_leaves_anything(open_page, pages, name):
    page = open_page(pages(name))
    for width, scheme in SIZES:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        page.reload()
        found = walk(page)
        assert not found["faults"], (width, scheme, dict(list(found["faults"].items())[:10]))
        total = page.evaluate("document.querySelectorAll('.steps>li').length")
        assert found["steps"] == total, f"{total} steps, of which {found['steps']} were shown"


@pytest.mark.parametrize("name", NAMES)
def test_axe_has_no_complaint(open_page, pages, name):
    """At the first step; with the keys shown, at one with as much opened as can be; and at the last, in the dark."""
    page = open_page(pages(name), 390)
    found = driver.axe(page)
    page.keyboard.press("?")
    for _ in range(4):
        page.keyboard.press("o")
        page.keyboard.press("ArrowRight")
    found += driver.axe(page)
    page.emulate_media(color_scheme="dark")
    page.keyboard.press("End")
    found += driver.axe(page)
    assert not found, found[:5]


@pytest.mark.parametrize("name", examples.book())
def test_the_notebooks_hold_the_present_step_through(name):
    html = examples.book()[name]
    assert asset("step.css") in html, "the style has changed since: python chapters/tools/build.py write"
    script = asset("step.js").partition("HASH")[2].partition("HASH")[0]
    assert script in html, "the script has changed since: python chapters/tools/build.py write"


def message(page, k=0):
    return page.locator(".mlstep .msg").nth(k).inner_text().partition(" of")[0]


def test_keys_work_before_anything_is_clicked(open_page, pages):
    page = open_page(pages("attention"))
    for key, expected in [("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", 18), ("Home", 0)]:
        page.keyboard.press(key)
        assert message(page) == f"step {expected}", key


def test_keys_work_after_a_click_beside_it(open_page, pages):
    page = open_page(pages("attention"))
    page.mouse.click(5, 880)
    page.keyboard.press("ArrowRight")
    assert message(page) == "step 1"


def test_enter_on_the_question_mark_shows_the_keys_and_takes_them_away(open_page, pages):
    page = open_page(pages("gpt"))
    button, keys = page.locator(".bar button", has_text="?"), page.locator(".keys")
    button.focus()
    for shown in (True, False):
        page.keyboard.press("Enter")
        assert keys.is_visible() == shown
        assert button.get_attribute("aria-expanded") == str(shown).lower()
    assert message(page).startswith("steps 0")  # and opens no Module


def test_a_button_that_can_be_pressed_no_more_leaves_the_keys_working(open_page, pages):
    page = open_page(pages("attention"))
    page.locator(".bar button", has_text="▶|").click()
    page.keyboard.press("ArrowLeft")
    assert message(page) == "step 17"
    page.locator(".go").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowLeft")
    assert message(page) == "step 17"


def test_a_module_that_is_closed_leaves_the_keys_working(open_page, pages):
    page = open_page(pages("gpt"))
    page.keyboard.press("o")
    page.locator(".crumbs button", has_text="everything").click()
    page.keyboard.press("End")
    assert message(page) != "steps 0"
    page.keyboard.press("Home")
    page.keyboard.press("o")
    page.locator("details.panel[open] summary").click()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Home")
    assert message(page).startswith("steps 0")


def test_of_two_on_a_page_the_one_in_sight_takes_the_arrows(open_page, pages, tmp_path):
    path = tmp_path / "two.html"
    two = examples.attention()._repr_html_(), examples.lstm()._repr_html_()
    path.write_text(document(f"{two[0]}<p style='height:3000px'></p>{two[1]}"), "utf-8")
    page = open_page(path)
    page.keyboard.press("ArrowRight")
    assert (message(page, 0), message(page, 1)) == ("step 1", "steps 0–44")
    page.evaluate("scrollTo(0, 1e6)")
    page.keyboard.press("ArrowRight")
    assert (message(page, 0), message(page, 1)) == ("step 1", "step 45")
    before = page.evaluate("scrollY")
    page.keyboard.press("Home")  # is the page's
    page.wait_for_function("before => scrollY < before", arg=before)
    assert message(page, 1) == "step 45"


def test_what_is_wider_than_its_pane_is_reached_by_tab_and_scrolled_by_the_arrow_keys(open_page, pages):
    page = open_page(pages("attention"), 390)
    pane = page.locator(".pane").first
    assert pane.get_attribute("tabindex") == "0"
    pane.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('.pane').scrollLeft > 0")
    assert message(page) == "step 0"


def test_a_legend_says_what_the_colors_mean(open_page, pages):
    page = open_page(pages("gpt"))
    text = page.locator(".key").inner_text()
    for word in ("parameter", "input", "Module", "computed", "gradient", "negative", "positive"):
        assert word in text
    for swatch, box in [("kp", ".parameter rect"), ("ki", ".input rect")]:
        stroke = page.evaluate("s => getComputedStyle(document.querySelector(s)).stroke", box)
        assert (
            page.evaluate("s => getComputedStyle(document.querySelector('.key .' + s)).borderTopColor", swatch)
            == stroke
        )


# -- what is shown ----------------------------------------------------------------------------------------------------


def told(page):
    """The message, the heading of the step, the boxes and the number of edges that are lit, the number of Modules opened."""
    return page.evaluate("""() => {
      const root = document.querySelector(".mlstep"), text = (e) => e.textContent.trim();
      return [text(root.querySelector(".msg")), text(root.querySelector(".stage .now .e")),
        [...root.querySelectorAll(".panel:not([hidden]) .n.now>.b")].map(text).join(), root.querySelectorAll("svg>.e.now").length,
        root.querySelectorAll("details.panel[open]").length];
    }""")


def test_a_walk_through_a_network(open_page, tmp_path):
    network()[0].save(tmp_path / "page.html")
    page = open_page(tmp_path / "page.html")
    seen = [told(page)]
    for key in ("ArrowRight", "End", "ArrowLeft"):
        page.keyboard.press(key)
        seen.append(told(page))
    assert seen == [
        ["step 0 of 14, forward", "forward W1 @ x", "W1 @ x", 2, 0],
        ["step 1 of 14, forward", "forward z1 = (W1 @ x) + b1", "z1", 2, 0],
        ["step 14 of 14, backward", "backward through W1 @ x", "W1 @ x", 1, 0],
        ["step 13 of 14, backward", "backward through z1 = (W1 @ x) + b1", "z1", 2, 0],
    ]


def test_modules_open_and_close(open_page, pages):
    page = open_page(pages("gpt"))
    seen = [told(page)]
    for keys in (["o"], ["ArrowRight", "ArrowRight", "Enter"], ["Escape"], ["Escape"]):
        for key in keys:
            page.keyboard.press(key)
        seen.append(told(page))
    messages, headings, boxes, _, opened = zip(*seen, strict=True)
    assert messages[0].startswith("steps 0–")
    assert headings[0] == "forward model GPT"
    assert boxes == ("model", "wte", "ln_1", "blocks.0", "model")
    assert opened == (0, 1, 2, 1, 0)


def test_the_same_output_twice_on_a_page_works_twice(open_page, tmp_path):
    html = network()[0]._repr_html_()
    (tmp_path / "page.html").write_text(document(html + html), "utf-8")
    page = open_page(tmp_path / "page.html")
    page.locator(".go").nth(1).click()
    assert (message(page, 0), message(page, 1)) == ("step 0", "step 1")
    assert page.locator(".mlstep.on").count() == 2
