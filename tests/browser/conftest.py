"""Fixtures for tests in a real browser; see `driver`. They are marked ``browser`` and run with ``pytest -m browser``."""

import pytest

from tests.browser import driver


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
