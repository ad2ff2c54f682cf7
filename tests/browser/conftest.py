"""Fixtures for tests in a real browser; see `driver`. They are marked ``browser`` and run with ``pytest -m browser``."""

import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from minilm.lock import FolderLock
from tests.browser import driver

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def installed():
    """Skips what needs a browser where there is none."""
    if why := driver.missing():
        pytest.skip(why)


@pytest.fixture(scope="session")
def browser(installed):
    """Playwright's Chromium."""
    with driver.started() as chromium:
        yield chromium


@pytest.fixture(scope="session")
def live_folders():
    """The folders for ``--live``; skips what runs Python in a page where there are none."""
    folders = driver.pyodide_folders()
    if not folders:
        pytest.skip("needs the files of Pyodide: set MINILM_PYODIDE to their folders (driver.pyodide_folders)")
    return folders


@pytest.fixture(scope="session")
def live_folder(live_folders, tmp_path_factory):
    """A folder ``live`` as the site has it, alone: Pyodide, the packages, the data, and what is served beside them."""
    from chapters.tools.live import supply

    folder = tmp_path_factory.mktemp("site") / "live"
    supply.make(live_folders, folder)
    return folder


@pytest.fixture(scope="session")
def site():
    """The folder of the site, built from the sources as they are; with Python in its pages where its files are there."""
    for module in ("sphinx", "myst_nb", "sphinx_book_theme", "sphinx_copybutton"):
        pytest.importorskip(module, reason="needs the extra book")
    from chapters.tools import site

    folder, live = ROOT / "_build" / "site" / "en", driver.pyodide_folders()
    folder.parents[1].mkdir(exist_ok=True)
    with alone(folder.parents[1]):
        if stale(folder, bool(live)):
            assert site.main(live=live) == 0
    return folder


@pytest.fixture(scope="session")
def live_site(live_folders, site):
    """The site, where its pages run Python; else the test is skipped."""
    return site


def stale(folder, live):
    """Whether the site has to be built: something that it is made of is younger, or it has Python and should not, or the reverse."""
    index = folder / "index.html"
    if not index.exists() or (folder / "live").exists() != live:
        return True
    made_of = ("chapters/**/*", "notebooks/**/*.ipynb", "minilm/**/*.*")
    sources = [path for pattern in made_of for path in ROOT.glob(pattern) if "__pycache__" not in path.parts]
    return index.stat().st_mtime < max(path.stat().st_mtime for path in sources if path.is_file())


@contextmanager
def alone(folder):
    """Waits until no other process of the tests works in a folder."""
    while True:
        try:
            lock = FolderLock(folder, "tests.lock", Busy, "")
        except Busy:
            time.sleep(1)
        else:
            break
    try:
        yield
    finally:
        lock.release()


class Busy(Exception):
    """Another process builds the site."""


@pytest.fixture
def open_page(browser):
    """``open_page(path_or_url, width=1280, scheme="light")``: a Playwright page (`driver.opened`). The test fails in the end
    where a page has faults: errors of scripts, files that are missing, requests to other machines.
    """
    pages = []

    def open_(*arguments, **named):
        pages.append(driver.opened(browser, *arguments, **named))
        return pages[-1]

    yield open_
    faults = [fault for page in pages for fault in page.faults]
    for page in pages:
        page.context.close()
    assert not faults, faults[:20]
