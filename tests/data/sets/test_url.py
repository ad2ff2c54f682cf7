import hashlib
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from minilm.data.errors import DataError
from minilm.data.sets.url import fetch_url

BODY = b"To be, or not to be\n" * 100
SHA256 = hashlib.sha256(BODY).hexdigest()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        if self.path == "/missing.txt":
            self.send_error(404)
        elif self.path.startswith("/redirect?"):
            self.send_response(302)
            self.send_header("Location", self.path.partition("?")[2])
            self.end_headers()
        elif self.path == "/hang.txt":
            self.server.released.wait(10)
        else:
            promised = len(BODY) + 10 if self.path == "/short.txt" else len(BODY)
            self.send_response(200)
            if self.path != "/unsized.txt":
                self.send_header("Content-Length", str(promised))
            self.end_headers()
            self.wfile.write(BODY)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.released = [], threading.Event()
    server.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("path", ["/play.txt", "/unsized.txt", "/redirect?/play.txt"])
def test_fetch_url_verifies_and_keeps_the_file(server, cache, path):
    found = fetch_url(server.address + path, SHA256.upper())
    assert found.read_bytes() == BODY
    assert found.parent == cache / "url"
    assert fetch_url(server.address + path, SHA256) == found
    assert len(server.asked) == (2 if "redirect" in path else 1)  # the second call was served from the cache


def test_a_damaged_cache_file_is_fetched_again(server):
    path = fetch_url(f"{server.address}/play.txt", SHA256)
    path.write_bytes(b"damaged")
    assert fetch_url(f"{server.address}/play.txt", SHA256).read_bytes() == BODY


@pytest.mark.parametrize(
    ("path", "options", "message"),
    [
        ("/play.txt", {"sha256": "0" * 64}, "has changed or is another file"),
        ("/play.txt", {"sha256": SHA256, "max_bytes": len(BODY) - 1}, "more than max_bytes"),
        ("/short.txt", {"sha256": SHA256}, "broke off after 2,000 of 2,010 bytes"),
        ("/missing.txt", {"sha256": SHA256}, "cannot fetch .*missing.txt"),
        ("/hang.txt", {"sha256": SHA256, "timeout": 0.2}, "timed out"),
        ("/redirect?file:///etc/passwd", {"sha256": SHA256}, "cannot fetch"),
        ("/redirect?ftp://127.0.0.1/x", {"sha256": SHA256}, "cannot fetch"),
    ],
)
def test_a_failed_download_keeps_nothing(server, cache, path, options, message):
    with pytest.raises(DataError, match=message):
        fetch_url(server.address + path, **options)
    assert os.listdir(cache / "url") == []


def test_no_server_says_where_to_put_the_file(server, cache):
    server.shutdown()
    server.server_close()
    with pytest.raises(DataError, match=rf"put it at .*{SHA256}\.txt"):
        fetch_url(f"{server.address}/play.txt", SHA256)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/x.txt", "http:///x.txt", "data:text/plain,hello"])
def test_other_addresses_are_refused(url, cache):
    with pytest.raises(DataError, match="http:// or https://"):
        fetch_url(url, SHA256)
    assert not cache.exists()


@pytest.mark.parametrize(("sha256", "message"), [(None, "needs sha256="), ("abc", "64 hexadecimal digits")])
def test_the_hash_is_required(sha256, message):
    with pytest.raises(DataError, match=message):
        fetch_url("https://host.invalid/x.txt", sha256)
