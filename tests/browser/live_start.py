"""How many bytes and seconds the first result of a page takes: cold, with the browser's cache warm, and on a phone's line.

::

    python -m tests.browser.live_start [SITE] [--figure]

SITE is a site that was built with ``--live`` (default: ``_build/site/en``). The server sends files packed, as hosts of static sites do, and
no faster than the line that is tried: browsers slow down a page on request, but not what its workers fetch.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import http.server
import os
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from tests.browser import driver
from tests.browser.live_times import computed

ROOT = Path(__file__).resolve().parents[2]
PLAIN = ("04-mathematics/a-layer-in-indices", "04-006")
FIGURE = ("04-mathematics/softmax-and-cross-entropy", "04-017")
LINES = (  # words, bits per second, seconds on the way, the window's width
    ("this machine", 0, 0.0, 1280),
    ("a phone, 10 Mbit/s, 40 ms", 10e6, 0.04, 390),
)
PACKED = {".whl", ".png", ".zip", ".woff2"}  # already


class Line:
    """What all answers share: its rate, and the bytes so far."""

    def __init__(self, rate: float, delay: float) -> None:
        self.rate, self.delay, self.sent, self.free = rate, delay, 0, 0.0
        self.lock = threading.Lock()

    def take(self, count: int) -> None:
        """Waits until so many bytes may go."""
        with self.lock:
            self.sent += count
            now = time.monotonic()
            self.free = max(self.free, now) + (8 * count / self.rate if self.rate else 0.0)
            wait = self.free - now
        time.sleep(max(0.0, wait))


class Handler(http.server.SimpleHTTPRequestHandler):
    """Sends files packed and along a line, to be kept by the browser."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments, line: Line, **named) -> None:
        self.line = line
        super().__init__(*arguments, **named)

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        time.sleep(self.line.delay)
        content = path.read_bytes() if path.suffix in PACKED else packed(path)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "max-age=3600")
        if path.suffix not in PACKED:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        for begin in range(0, len(content), 16384):
            piece = content[begin : begin + 16384]
            self.line.take(len(piece))
            self.wfile.write(piece)

    def log_message(self, *_) -> None:
        pass


@functools.cache
def packed(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), 6)


@contextmanager
def served(site: Path, line: Line):
    """The address of a site at the end of a line."""
    handler = functools.partial(Handler, directory=str(site), line=line)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def first_result(context, address: str, place: str, id: str, line: Line) -> tuple[float, float, int]:
    """Opens a page, runs a cell with what it needs; the seconds to the result, those of them that were computed, the bytes."""
    page = context.new_page()
    page.goto(f"{address}/{place}.html", wait_until="load")
    page.wait_for_timeout(1000)
    sent, before, begin = line.sent, computed(), time.monotonic()
    page.evaluate("(id) => document.querySelector(`#cell-${id} .live-button`).click()", id)
    page.wait_for_function(
        "(id) => /^(Done|It failed|Python)/.test(document.querySelector(`#cell-${id} .live-status`).textContent)",
        arg=id,
        timeout=600_000,
    )
    seconds = time.monotonic() - begin
    said = page.text_content(f"#cell-{id} .live-status")
    if not said.startswith("Done"):
        raise SystemExit(said)
    busy = computed() - before
    page.close()
    return seconds, busy, line.sent - sent


def main() -> None:
    parser = argparse.ArgumentParser(description="How many bytes and seconds the first result of a page takes.")
    parser.add_argument("site", nargs="?", type=Path, default=ROOT / "_build" / "site" / "en")
    parser.add_argument("--figure", action="store_true", help="of a cell that draws, which fetches matplotlib")
    chosen = parser.parse_args()
    place, id = FIGURE if chosen.figure else PLAIN
    print(f"cell {id}, from the click to its result; {os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}")
    with driver.started() as browser:
        for words, rate, delay, width in LINES:
            line = Line(rate, delay)
            with served(chosen.site, line) as address:
                context = browser.new_context(viewport={"width": width, "height": 900}, service_workers="block")
                for state in ("cold", "warm"):
                    seconds, busy, sent = first_result(context, address, place, id, line)
                    print(
                        f"{words:28} {state}: {seconds:5.1f} s, of them {busy:4.1f} s of computing, {sent / 1e6:5.1f} MB",
                        flush=True,
                    )
                context.close()


if __name__ == "__main__":
    main()
