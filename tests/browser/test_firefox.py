"""The pages in Firefox: what Chromium is asked in detail is done there once each, by `firefox.mjs`."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from minilm.exercises import tasks
from minilm.exercises.task import with_bug
from tests.browser import driver
from tests.browser.test_exercises_page import address_of

pytestmark = [pytest.mark.browser, pytest.mark.host]
ROOT = Path(__file__).resolve().parents[2]
PUPPETEER = "puppeteer-core@24.43.1"
FOLDER = ROOT / "_build" / "firefox"
TASK = tasks.find("4.9")


@pytest.fixture(scope="module")
def firefox():
    """The path of Firefox; skips where it, Node or Puppeteer is missing."""
    found = shutil.which("firefox-esr") or shutil.which("firefox")
    if found is None:
        pytest.skip("needs Firefox on the PATH: apt install firefox-esr")
    if shutil.which("node") is None:
        pytest.skip("needs Node.js on the PATH: apt install nodejs npm")
    if not (FOLDER / "node_modules" / "puppeteer-core").exists():
        pytest.skip(f"needs Puppeteer: npm install --prefix _build/firefox {PUPPETEER}")
    return found


@pytest.fixture(scope="module")
def seen(firefox, live_site):
    """What the script saw."""
    wrong = with_bug(TASK.solution, TASK.wrong[0])
    pages = {
        "numbers": "03-core-algorithms/step-through-it.html",
        "attention": "04-mathematics/attention-by-hand.html",
        "cell": "04-mathematics/a-layer-in-indices.html",
        "exercise": address_of(live_site, TASK.id),
    }
    with driver.served(live_site) as address:
        asked = {"address": address, "pages": pages, "cell": "04-006", "words": ".bh-bar", "wrong": wrong,
                 "right": TASK.solution, "points": TASK.points}  # fmt: skip
        done = subprocess.run(
            ["node", str(Path(__file__).with_name("firefox.mjs")), str(FOLDER), firefox, json.dumps(asked)],
            capture_output=True, text=True, timeout=600,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_no_page_has_errors_or_asks_another_machine(seen):
    assert seen["faults"] == []


def test_a_number_is_changed(seen):
    before, after = seen["losses"]
    assert before != after
    assert seen["address"].startswith("#steps1~")


def test_a_next_word_is_appended(seen):
    before, after = seen["words"]
    assert before != after


def test_a_cell_shows_what_is_committed(seen):
    committed, shown = seen["cell"]
    assert shown.split() == committed.split()


def test_an_exercise_fails_with_its_reason_and_passes(seen):
    wrong, right = seen["messages"]
    assert "loses its own mean" in wrong
    assert f"{TASK.points} of {TASK.points} points" in right
