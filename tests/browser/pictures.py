"""Films of the pages as rows of pictures: a number that is changed, an exercise that fails with its reason and passes, wide and on a phone.

::

    MINILM_PYODIDE=FOLDER[:FOLDER] python -m tests.browser.pictures [FOLDER]      # default: _build/pictures

The site is built first where it is not there (`tests.browser.conftest.stale`).
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image

from chapters.tools import site
from minilm.exercises import tasks
from minilm.exercises.task import with_bug
from tests.browser import driver
from tests.browser.conftest import stale
from tests.browser.test_exercises_page import address_of

ROOT = Path(__file__).resolve().parents[2]
WAYS = {"wide": (1100, "light"), "phone": (390, "dark")}
GAP = 12  # pixels between two pictures
WAIT = 180_000  # milliseconds, for Python to start


class Film:
    """The pictures of one page, in a row."""

    def __init__(self, page, place: str) -> None:
        self.page, self.place, self.frames = page, place, []
        page.evaluate("window.MathJax?.startup?.promise?.then(() => 0)")  # typeset formulas move what is below them

    def shot(self) -> None:
        """One more, of the window as it stands."""
        self.page.evaluate(
            "place => document.querySelector(place).scrollIntoView({block: 'start', behavior: 'instant'})", self.place
        )
        self.page.evaluate("scrollBy({top: -70, behavior: 'instant'})")  # below the theme's bar
        self.page.wait_for_timeout(150)
        self.frames.append(Image.open(io.BytesIO(self.page.screenshot())))

    def save(self, path: Path) -> None:
        width = sum(frame.width + GAP for frame in self.frames) - GAP
        row = Image.new("RGB", (width, max(frame.height for frame in self.frames)), "gray")
        at = 0
        for frame in self.frames:
            row.paste(frame, (at, 0))
            at += frame.width + GAP
        row.save(path, optimize=True)
        print(path)


def number(page) -> Film:
    """A number is moved up, three times."""
    film = Film(page, ".mlstep")
    page.locator(".bar button", has_text="Change a number").first.click()
    field = page.locator(".change input").first
    for presses in (0, 5, 10):
        for _ in range(presses):
            field.press("ArrowUp")
        film.shot()
    return film


def exercise(page, task) -> Film:
    """A wrong answer, its reason, the right one."""
    film, desk = Film(page, ".exercise-desk"), page.locator(".exercise-desk").first
    for answer, points in ((with_bug(task.solution, task.wrong[0]), 0), (task.solution, task.points)):
        desk.locator("textarea").fill(answer)
        if not film.frames:
            film.shot()
        desk.get_by_role("button", name="Check").click()
        desk.get_by_text(f"{points} of {task.points} points").first.wait_for(timeout=WAIT)
        film.shot()
    return film


def main(folder: Path) -> int:
    built = ROOT / "_build" / "site" / "en"
    if stale(built, live=True) and site.main(live=driver.pyodide_folders()):
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    task = tasks.find("4.9")
    with driver.served(built) as address, driver.started() as browser:
        for way, (width, scheme) in WAYS.items():
            page = driver.opened(browser, f"{address}/03-core-algorithms/step-through-it.html", width, scheme, 1000)
            number(page).save(folder / f"number-{way}.png")
            page = driver.opened(browser, f"{address}/{address_of(built, task.id)}", width, scheme, 1000)
            exercise(page, task).save(folder / f"exercise-{way}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "_build" / "pictures"))
