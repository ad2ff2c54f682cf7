import sys

import pytest

from minilm.data.errors import DataError
from minilm.data.sets.python_text import python_docs, python_docstrings


def test_python_docs_is_long_english_text():
    text = python_docs()
    assert len(text) > 300_000
    assert 'The "assert" statement' in text
    assert text.encode("utf-8").decode("utf-8") == text
    assert text == python_docs()


def test_python_docs_missing_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(DataError, match=r"pydoc_data\.topics"):
        python_docs()


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8", "surrogatepass"))


def test_docstrings_come_in_the_order_of_path_and_line(tmp_path):
    write(
        tmp_path,
        {
            "b.py": '"""B."""\ndef f():\n    """F."""\n    def inner():\n        """Inner."""\ndef g():\n    "G."\n',
            "a/z.py": '"""Z."""\nclass C:\n    """C."""\n    async def m(self):\n        """M."""\n',
            "c.py": '"""B."""\n"""no docstring"""\nx = 1\n',
        },
    )
    assert python_docstrings(tmp_path) == "Z.\n\nC.\n\nM.\n\nB.\n\nF.\n\nInner.\n\nG."


def test_docstrings_skip_what_does_not_parse_and_never_import(tmp_path):
    write(
        tmp_path,
        {
            "a.py": '"""A \\d invalid escape."""\nraise SystemExit("imported")\n',
            "broken.py": "def (:\n",
            "null.py": '"""N."""\0\n',
            "surrogate.py": '"""half \\ud800 pair"""\n',
            "latin.py": '"""caf\udce9"""',
            "test/t.py": '"""T."""',
            "site-packages/s.py": '"""S."""',
            "tkinter/k.py": '"""K."""',
        },
    )
    assert python_docstrings(tmp_path) == "A \\d invalid escape."


def test_docstrings_of_an_empty_folder(tmp_path):
    with pytest.raises(DataError, match="no docstrings under"):
        python_docstrings(tmp_path)


@pytest.mark.slow
def test_docstrings_of_the_standard_library():
    text = python_docstrings()
    assert len(text) > 800_000
    assert len(text.encode("utf-8")) >= len(text)
