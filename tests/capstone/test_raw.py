import gzip
import json

import pytest

from minilm.capstone import raw
from minilm.data.sets.python_text import Documented


def test_docstrings_of_compiled_modules():
    found = dict(raw.compiled(["math", "no_such_module", "builtins"]))
    assert found["math.sqrt"] == "Return the square root of x."
    assert "builtins.str.lower" in found
    assert not any("__loader__" in name for name in found)


@pytest.fixture
def small(monkeypatch, tmp_path):
    monkeypatch.setattr(
        raw, "documented", lambda: [Documented("a.py:f", "x", "Say é."), Documented("b.py", None, "B.")]
    )
    monkeypatch.setattr(raw, "python_topics", lambda: {"if": "The if statement.", "else": "The if statement."})
    return raw.write_raw(tmp_path)


def test_three_collections_in_three_forms(small):
    manual, sources, compiled = small
    assert sorted(path.name for path in manual.iterdir()) == ["else.txt", "if.txt"]
    assert manual.joinpath("if.txt").read_text("utf-8") == "The if statement."
    with gzip.open(sources, "rt", encoding="utf-8") as lines:
        assert json.loads(next(lines)) == {"name": "a.py:f", "parameters": "x", "text": "Say é."}
    names = [json.loads(line)["name"] for line in compiled.read_text("utf-8").splitlines()]
    assert {"math.sqrt", "builtins.str.lower"} <= set(names)


def test_functions_are_read_back_and_writing_again_gives_the_same_bytes(small):
    assert raw.functions_in(small) == [Documented("a.py:f", "x", "Say é."), Documented("b.py", None, "B.")]
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in small[1:]]
    raw.write_raw(small[0].parent)
    assert [(path.read_bytes(), path.stat().st_mtime_ns) for path in small[1:]] == before, (
        "what is there stays untouched"
    )
    (small[0].parent / raw.COMPLETE).unlink()
    raw.write_raw(small[0].parent)
    assert [path.read_bytes() for path in small[1:]] == [content for content, _ in before]
