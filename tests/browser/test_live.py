"""Cells that run in the page: as a reader runs them, with the mouse and with the keyboard; and what they show against what is committed."""

import re
from pathlib import Path

import pytest

from chapters.tools.live import cells as live_cells
from chapters.tools.live import limits
from tests.browser import driver
from tests.browser.live_cells import code_cells, difference, run_in_page, stems, verdict

pytestmark = [pytest.mark.browser, pytest.mark.host]
FIT = (Path(__file__).parent / "fit.js").read_text(encoding="utf-8")
PAGE = "04-mathematics/a-layer-in-indices"  # a page that begins in the middle of its chapter
CELL = "04-006"  # on it: it prints, and needs cells of the chapter's opening page
FIGURE = ("04-mathematics/softmax-and-cross-entropy", "04-017")
SECONDS = 90  # of computing in all, by the record: the first chapters, and of the others what fits
LONGEST = 8  # of one cell
WAIT = 240_000  # milliseconds: on a busy machine Python starts slowly


@pytest.fixture(scope="module")
def under_a_path(live_site):
    """The site's address where it lies below other things of its host."""
    with driver.served(live_site.parent) as address:
        yield f"{address}/{live_site.name}"


def cell_of(page, id):
    return page.locator(f"#cell-{id}")


def button(cell, name):
    return cell.get_by_role("button", name=re.compile(f"^{name}"))


def says(cell, pattern, page):
    """Waits until the cell's status says so."""
    page.wait_for_function(
        "([cell, pattern]) => new RegExp(pattern).test(cell.querySelector('.live-status').textContent)",
        arg=[cell.element_handle(), pattern],
        timeout=WAIT,
    )
    return cell.locator(".live-status").inner_text()


def change(cell, text):
    """Opens the cell's editor, unless it is open, and writes a text."""
    if button(cell, "Edit").is_visible():
        button(cell, "Edit").click()
    cell.locator("textarea").fill(text)


def requested(page):
    """The addresses that are asked for from now on."""
    found = []
    page.context.on("request", lambda request: found.append(request.url))
    return found


def test_a_cell_is_run_changed_broken_stopped_and_reset(under_a_path, open_page):
    page = open_page(f"{under_a_path}/{PAGE}.html")
    asked, cell = requested(page), cell_of(page, CELL)
    page.wait_for_timeout(500)
    before = cell.locator(".cell_output").inner_text()
    small = [
        url.rsplit("/", 1)[-1] for url in page.evaluate("performance.getEntriesByType('resource').map((e) => e.name)")
    ]
    assert not [
        name for name in small if name.endswith((".wasm", ".zip", ".whl", ".json", ".mjs")) or name == "worker.js"
    ]
    assert not [url for url in asked if "/live/" in url], "nothing of Python is fetched before the first Run"

    button(cell, "Run").click()
    assert cell.locator(".cell_output").inner_text() == before, "the old output stays until there is a new one"
    assert button(cell, "Stop").is_visible()
    says(cell, "^Done after", page)
    assert cell.locator(".live-output").inner_text() == before
    assert not [url for url in asked if "matplotlib" in url], "no cell has drawn"

    change(cell, "x = 20\nprint(x + 1, words[0], 'here')")  # `words` is bound on the chapter's opening page
    cell.locator("textarea").press("Control+Enter")
    page.wait_for_function(
        "(cell) => /21 the here/.test(cell.querySelector('.cell_output').innerText)",
        arg=cell.element_handle(),
        timeout=WAIT,
    )
    says(cell, "^Done after", page)

    change(cell, "def half(x):\n    return x / 0\n\nprint('first')\nhalf(x)")
    cell.locator("textarea").press("Shift+Enter")
    says(cell, "^It failed", page)
    shown = cell.locator(".cell_output").inner_text()
    assert shown.startswith("first\n")
    assert (
        shown.removeprefix("first")
        .lstrip()
        .startswith('Traceback (most recent call last):\n  File "<cell 2>", line 5, in <module>\n    half(x)\n')
    )
    assert shown.rstrip().endswith("ZeroDivisionError: division by zero")

    change(cell, "import time\nwhile True:\n    time.time()")
    button(cell, "Run").click()
    says(cell, "^Running", page)
    page.wait_for_timeout(300)
    button(cell, "Stop").click()
    assert "all names are gone" in says(cell, "^Stopped", page)
    assert cell.locator(".cell_output").inner_text() == shown, "and the output stays"

    button(cell, "Reset").click()
    assert cell.locator("textarea").input_value() == code_of(CELL)
    assert cell.locator(".cell_output").inner_text() == before
    assert not button(cell, "Reset").is_visible()
    button(cell, "Done").click()
    button(cell, "Run").click()
    says(cell, "^Done after", page)
    assert cell.locator(".live-output").inner_text() == before


def code_of(id):
    return next(cell.source for stem in stems() for cell in code_cells(stem) if cell.id == id)


def test_a_figure_is_drawn_in_its_place_and_brings_what_draws(under_a_path, open_page):
    place, id = FIGURE
    page = open_page(f"{under_a_path}/{place}.html")
    asked, cell = requested(page), cell_of(page, id)
    if cell.locator("summary").count():
        cell.locator("summary").first.click()
    alt = cell.locator(".cell_output img").get_attribute("alt")
    button(cell, "Run").click()
    says(cell, "^Done after", page)
    picture = cell.locator(".live-output img")
    assert picture.get_attribute("src").startswith("data:image/png;base64,")
    assert picture.get_attribute("alt") == alt
    assert [url for url in asked if "/matplotlib-" in url]


def test_the_line_of_a_check_says_what_the_run_found(under_a_path, open_page):
    page = open_page(f"{under_a_path}/{PAGE}.html")
    box = page.locator("div.cell:has(details.check)").first
    line = box.locator("summary")
    before = line.inner_text()
    line.click()
    button(box, "Edit").click()
    field = box.locator("textarea")
    field.fill(field.input_value().replace('"4.1"', '"4.7"'))
    button(box, "Run").click()
    says(box, "^Done after", page)
    assert line.inner_text() == before.replace("(4.1)", "(4.7)")
    assert not box.locator(".cell_output").count(), "what the line says is not printed again"
    button(box, "Reset").click()
    assert line.inner_text() == before


def with_facts(page, **facts):
    """Opens the page again, with other facts of the cell in what it fetches about its chapter."""

    def answer(route):
        content = route.fetch().json()
        for cell in content["cells"]:
            if cell["id"] == CELL:
                cell.update(facts)
        route.fulfill(json=content)

    page.context.route("**/cells/*.json", answer)


def test_a_cell_that_takes_long_says_so_and_offers_a_small_version(under_a_path, open_page):
    page = open_page(f"{under_a_path}/{PAGE}.html", 390)
    with_facts(page, seconds=170, budget=[["default_rng(0)", "default_rng(1)"]])
    cell = cell_of(page, CELL)
    button(cell, "Run").click()
    ask = cell.locator(".live-ask")
    ask.wait_for(timeout=WAIT)
    assert re.search(r"^About 3 minutes here, with the (cell|\d+ cells) above that it needs", ask.inner_text())
    assert page.evaluate("document.activeElement.textContent") == "Run a small version: default_rng(1)"
    assert driver.axe(page, f"#cell-{CELL}") == []
    button(ask, "Not now").click()
    assert ask.count() == 0
    assert page.evaluate("document.activeElement.textContent") == "Run"
    button(cell, "Run").click()
    button(ask, "Run a small").click()
    says(cell, "^Done after", page)
    assert "default_rng(1)" in cell.locator("pre").first.inner_text()


def test_a_cell_that_cannot_run_there_says_why(under_a_path, open_page):
    page = open_page(f"{under_a_path}/{PAGE}.html")
    with_facts(page, cannot=limits.TAGS["needs-torch"])
    asked, cell = requested(page), cell_of(page, CELL)
    button(cell, "Run").click()
    assert says(cell, "PyTorch", page) == limits.TAGS["needs-torch"]
    assert not [url for url in asked if url.endswith(".wasm")], "Python is not started for it"


def test_where_python_is_not_fetched_the_page_says_so_and_tries_again(under_a_path, open_page):
    page = open_page(f"{under_a_path}/{PAGE}.html")
    cell = cell_of(page, CELL)
    page.context.route("**/pyodide.asm.wasm", lambda route: route.abort())
    button(cell, "Run").click()
    assert "Is the network there? Press Run to try again." in says(
        cell, "^Python could not start: pyodide.asm.wasm did not come", page
    )
    page.context.unroute("**/pyodide.asm.wasm")
    button(cell, "Run").click()
    says(cell, "^Done after", page)
    page.faults.clear()  # the browser notes the file that did not come


def test_all_is_done_by_keyboard(under_a_path, open_page):
    page = open_page(f"{under_a_path}/{PAGE}.html")
    cell = cell_of(page, CELL)
    button(cell, "Run").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Edit"
    page.keyboard.press("Enter")
    field = cell.locator("textarea")
    assert page.evaluate("document.activeElement.tagName") == "TEXTAREA"
    assert "To leave the field" in page.evaluate(
        "document.getElementById(document.activeElement.getAttribute('aria-describedby')).textContent"
    )
    page.keyboard.press("Control+a")
    page.keyboard.type("for k in range(2):\nprint(k)")
    assert field.input_value() == "for k in range(2):\n    print(k)"
    page.keyboard.press("Control+Enter")
    says(cell, "^Done after", page)
    assert cell.locator(".cell_output").inner_text().split() == ["0", "1"]
    assert page.evaluate("document.activeElement.tagName") == "TEXTAREA", "the reader goes on where they were"
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "BUTTON"
    button(cell, "Done").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.textContent") == "Edit"
    assert cell.locator("pre .k").first.inner_text() == "for", "the changed code is colored"


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_the_controls_are_accessible_and_fit(under_a_path, open_page, width, scheme):
    page = open_page(f"{under_a_path}/{PAGE}.html", width, scheme)
    cell = cell_of(page, CELL)
    change(cell, "print('x' * 300)\n1 / 0")
    button(cell, "Run").click()
    says(cell, "^It failed", page)
    page.wait_for_timeout(400)
    assert driver.axe(page, f"#cell-{CELL}") == []
    assert page.evaluate(FIT)["bad"] == []
    sizes = page.eval_on_selector_all(
        ".live-button", "all => all.filter((b) => b.offsetParent).map((b) => [b.offsetWidth, b.offsetHeight])"
    )
    assert all(wide >= 24 and high >= 24 for wide, high in sizes)
    page.emulate_media(media="print")
    assert not page.locator(".live-bar").first.is_visible()


@pytest.fixture(scope="module")
def shown(browser, live_folder):
    """The verdict on each cell of the first chapters, and on those of the others that fit in the time; with what differs."""
    recorded, found = live_cells.record(), {}
    left = SECONDS
    with driver.served(live_folder.parent) as address:
        (live_folder.parent / "index.html").write_text(
            "<!doctype html><title>cells</title><link rel=icon href='data:,'>"
        )
        for stem in stems():
            code = code_cells(stem)
            chosen = within(code, recorded, left)
            left -= sum(recorded[code[k].id]["seconds"] for k in chosen)
            if not chosen:
                continue
            page = driver.opened(browser, f"{address}/index.html")
            for k in chosen:
                done = run_in_page(page, f"{address}/{live_folder.name}/", code[k])
                word = verdict(code[k], done["out"])
                found[code[k].id] = word, difference(code[k], done["out"]) if word in ("differs", "fails") else ""
            assert page.faults == []
            page.context.close()
    return found


def within(code, recorded, seconds):
    """The numbers of the cells that can run, and of them those that fit into so many seconds with what they need."""
    able = [not limits.cannot(cell.id, cell.metadata.get("tags", ()), cell.source) for cell in code]
    chosen: set[int] = set()
    for k, above in enumerate(live_cells.needs_of(code, recorded)):
        new = {k, *above} - chosen
        each = [recorded.get(code[j].id, {}).get("seconds") for j in new]
        if all(able[j] for j in new) and None not in each and sum(each) <= seconds and max(each, default=0) <= LONGEST:
            chosen |= new
            seconds -= sum(each)
    return sorted(chosen)


def test_cells_show_in_the_page_what_is_committed(shown):
    """Those that are known to differ are recorded, with their text: a few round a coordinate, or say how wide an integer is."""
    recorded = live_cells.record()
    worse = {
        id: word
        for id, word in shown.items()
        if word[0] in ("differs", "fails") and recorded[id]["verdict"] not in ("differs", "fails")
    }
    assert worse == {}
    words = [word for word, _ in shown.values()]
    assert len(words) >= 225
    assert words.count("same") >= 0.95 * len(words)
