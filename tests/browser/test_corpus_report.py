"""The report of a corpus: on a phone and a screen, light and dark, without faults, wider than no screen, and usable by keys."""

from pathlib import Path

import pytest

from minilm.data.corpus.report import html_of
from tests.browser import driver
from tests.data.corpus.summaries import corpus, summary_of

pytestmark = pytest.mark.browser

FIT = (Path(__file__).parent / "fit.js").read_text("utf-8")


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The report of a small corpus with texts that no page should believe."""
    path = tmp_path_factory.mktemp("corpus") / "report.html"
    path.write_bytes(html_of(summary_of(**corpus())).encode("utf-8"))
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_fits_and_can_be_used_by_all(report, open_page, width, scheme):
    page = open_page(report, width=width, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert driver.axe(page) == []
    assert page.evaluate(f"({FIT})()")["bad"] == []  # opens all that opens
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert driver.axe(page) == []


def test_nothing_that_strangers_wrote_is_run_or_turns_the_page(report, open_page):
    page = open_page(report)
    page.on("dialog", lambda dialog: page.faults.append(f"dialog: {dialog.message}"))
    assert page.evaluate("document.querySelectorAll('script, img').length") == 0
    assert page.evaluate("document.characterSet") == "UTF-8"
    assert "<script>alert(" in page.locator("#licences ~ .scroll").inner_text()


def test_a_rule_opens_by_keys_and_shows_its_examples(report, open_page):
    page = open_page(report)
    closed = page.locator(".opened details").first
    assert not closed.locator(".text").first.is_visible()
    closed.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert closed.locator(".text").first.is_visible()


def test_the_bars_are_seen_without_color(report, open_page):
    """What is left is filled, what goes has a line around it."""
    page = open_page(report)
    styles = page.evaluate("['.flow .is', '.flow .was'].map(s => getComputedStyle(document.querySelector(s)))"
                           ".map(s => [s.fill === 'none', s.stroke === 'none'])")  # fmt: skip
    assert styles == [[False, True], [True, False]]
    assert page.evaluate(
        "[...document.querySelectorAll('.flow svg')].every(svg => svg.getBoundingClientRect().width > 200)"
    )
