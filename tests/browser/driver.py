"""A real browser for tests: Debian's Chromium, driven by Playwright.

A page is opened as a reader would have it, at a width and in a color scheme, and everything that should not happen is noted on
the page as it happens: `page.faults` holds errors of scripts, messages of the console's error level, files that are missing, and
requests to other machines, which are refused. The fixture `open_page` (conftest.py) fails a test that leaves any.

The browser is found as ``chromium`` on the PATH; Playwright downloads none.
"""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import threading
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync")  # fmt: skip
LOCAL = {"localhost", "127.0.0.1", ""}


def missing() -> str:
    """Why no browser can be started here; "" where one can."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "needs Playwright: pip install -e '.[browser]'"
    if executable() is None:
        return "needs Chromium on the PATH: apt install chromium"
    return ""


def executable() -> str | None:
    """The path of Chromium."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def pyodide_folders() -> list[str]:
    """Where the files of Pyodide lie, for ``--live`` of chapters/tools/site.py: from the environment variable MINILM_PYODIDE, which
    separates folders as PATH does. None: nothing runs Python in a page.
    """
    return [folder for folder in os.environ.get("MINILM_PYODIDE", "").split(os.pathsep) if folder]


@contextmanager
def started():
    """Chromium, as Playwright's `Browser`."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable(), args=list(ARGUMENTS), ignore_default_args=["--hide-scrollbars"]
        )
        try:
            yield browser
        finally:
            browser.close()


def opened(browser, path_or_url, width=1280, scheme="light", height=900):
    """A new Playwright `Page` that shows a file or an address; its `faults` fill while it lives.

    Args:
        path_or_url: a `Path`, or an address of this machine, such as one below `served`.
        width: of the window, in CSS pixels.
        scheme: "light" or "dark", what the reader's system prefers.
    """
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, service_workers="block"
    )
    page = context.new_page()
    page.faults = faults = []
    context.route("**/*", lambda route: _route(route, faults))
    page.on("pageerror", lambda error: faults.append(f"script: {error}"))
    page.on("console", lambda message: faults.append(f"console: {message.text}") if message.type == "error" else None)
    page.on(
        "response", lambda answer: faults.append(f"{answer.status}: {answer.url}") if answer.status >= 400 else None
    )
    address = path_or_url.absolute().as_uri() if isinstance(path_or_url, Path) else path_or_url
    page.goto(address, wait_until="load")
    return page


def _route(route, faults):
    address = urlsplit(route.request.url)
    if address.scheme in ("file", "data", "blob", "about") or address.hostname in LOCAL:
        route.continue_()
    else:
        faults.append(f"asked another machine: {route.request.url}")
        route.abort()


@contextmanager
def served(directory, types=None):
    """The address (``http://127.0.0.1:PORT``) under which a directory is served meanwhile, for pages that need a server.

    Args:
        types: what the server says that files are, by the ends of their names (".wasm"), where it is not to know better.
    """
    known = type("_Typed", (_Quiet,), {"extensions_map": {**_Quiet.extensions_map, **(types or {})}})
    handler = functools.partial(known, directory=str(directory))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def axe(page, within="body", ignore=()):
    """What axe-core finds under the selector `within`: (rule, what is wrong, the element's HTML) each. It asks the rules that it
    asks by itself, and whether a button is called by what is written on it.

    Args:
        ignore: rules that are not asked.
    """
    source = files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(source + ";0")
    found = page.evaluate(
        "([within, rules]) => axe.run(within, {resultTypes: ['violations'], preload: false, rules: rules})",
        [within, {"label-content-name-mismatch": {"enabled": True}, **{rule: {"enabled": False} for rule in ignore}}],
    )
    return [(v["id"], v["help"], node["html"][:200]) for v in found["violations"] for node in v["nodes"]]
