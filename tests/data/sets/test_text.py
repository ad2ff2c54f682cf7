"""What a text can be loaded from: the name of a data set, a path, a web address."""

import hashlib

import pytest

from minilm.data.errors import DataError
from minilm.data.sets.python_text import python_docs
from minilm.data.sets.text import load_text


def test_data_sets_are_found_by_name(tmp_path, monkeypatch):
    assert load_text("python-docs") == python_docs()
    (tmp_path / "python-docs").write_text("a file of that name")
    monkeypatch.chdir(tmp_path)
    assert load_text("python-docs") == python_docs()
    assert load_text("./python-docs") == "a file of that name"


def test_the_default_text_needs_no_cache(monkeypatch):
    monkeypatch.setenv("MINILM_CACHE", "/dev/null/nowhere")
    assert load_text("python-docs") == python_docs()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("mnist-5k", r"mnist-5k holds images.*minilm\.data\.mnist_5k\(\)"),
        ("nowhere.txt", "no file, folder or data set 'nowhere.txt'.*python-docs"),
        ("To be, or not to be\n" * 1000, "no file, folder or data set 'To be"),
        ("file:///etc/passwd", "http:// or https://"),
        ("https://host.invalid/x.txt", "needs sha256="),
    ],
)
def test_what_is_no_source_is_refused(source, message):
    with pytest.raises(DataError, match=message):
        load_text(source)


def test_a_web_address_is_read_from_the_cache(cache):
    body = b'{"text": "one"}\n{"text": "two"}\n'
    sha256 = hashlib.sha256(body).hexdigest()
    (cache / "url").mkdir(parents=True)
    (cache / "url" / f"{sha256}.jsonl").write_bytes(body)
    assert load_text("https://host.invalid/x.jsonl?download=1", sha256=sha256) == "one\n\ntwo"
