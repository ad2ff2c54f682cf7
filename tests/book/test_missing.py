"""A cell that needs others: the error says which to run. And notebooks that do not change by being opened."""

import asyncio
import json
import os

import pytest

from minilm.book import missing

CELLS = [
    "import numpy as np\nfrom minilm.book import holds\n",
    "\ndef double(x):\n    return 2 * x",
    "%magic",
    "y = double(1)",
]


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    cells = [{"cell_type": "markdown", "source": ["z = 1"]}]
    cells += [{"cell_type": "code", "source": cell.splitlines(keepends=True)} for cell in CELLS]
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    return path


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("holds", "first code cell"),
        ("np", "first code cell"),
        ("double", "Code cell 2 defines it, which begins 'def double(x):'"),
        ("y", "Code cell 4"),
        ("x", ""),
        ("z", ""),
        ("", ""),
    ],
)
def test_the_cell_that_defines_a_name(name, word):
    found = missing.explanation(name, CELLS)
    assert word in found
    assert bool(found) == bool(word)
    assert not found or "Run All Above" in found


def test_the_first_of_two_cells_that_define_a_name():
    assert "Code cell 2 " in missing.explanation("double", [*CELLS, "double = 2"])


def test_a_notebook_is_read_and_what_is_none_is_nothing(notebook, tmp_path):
    assert missing.code_cells(str(notebook)) == CELLS
    for text in ("", "[]", "{}", '{"cells": [1]}', '{"cells": [{"cell_type": "code"}]}'):
        notebook.write_text(text)
        assert missing.code_cells(str(notebook)) == []
    assert missing.code_cells(str(tmp_path / "none")) == missing.code_cells("") == []


class Shell:
    def __init__(self):
        self.user_ns, self.shown = {}, []

    def set_custom_exc(self, kinds, handler):
        self.kinds, self.handler = kinds, handler

    def showtraceback(self, error, tb_offset=None):
        self.shown.append(str(error[1]))

    def fail(self, source):
        try:
            exec(source, {})
        except self.kinds as error:
            self.handler(self, type(error), error, error.__traceback__)


def test_only_names_that_the_notebook_defines_are_explained(notebook):
    shell = Shell()
    assert missing.install(shell)
    shell.fail("holds()")
    shell.fail("hold")
    shell.handler(shell, UnboundLocalError, UnboundLocalError("y is local to a function", name="y"), None)
    assert shell.shown[0].startswith("name 'holds' is not defined. Run the notebook's first code cell")
    assert shell.shown[1] == "name 'hold' is not defined"
    assert shell.shown[2] == "y is local to a function"


def test_without_ipython_nothing_is_installed(monkeypatch):
    monkeypatch.delitem(missing.sys.modules, "IPython", raising=False)
    assert not missing.install()


@pytest.mark.book
def test_in_a_kernel_of_minilm_book(notebook, monkeypatch):
    nbclient = pytest.importorskip("nbclient", reason="needs the extra book")
    import nbformat
    from traitlets.config import Config

    monkeypatch.setenv("PYTHONSTARTUP", str(missing.STARTUP))
    cells = [
        nbformat.v4.new_code_cell(source) for source in ("holds('4.1')", "print([n for n in dir() if n[0] != '_'])")
    ]
    config = Config({"KernelManager": {"transport": "ipc"}} if os.name == "posix" else {})
    client = nbclient.NotebookClient(nbformat.v4.new_notebook(cells=cells), allow_errors=True, config=config)
    failed, names = (cell.outputs[0] for cell in client.execute().cells)
    assert failed.evalue.startswith("name 'holds' is not defined. Run the notebook's first code cell")
    assert names.text.strip() == "['In', 'Out', 'exit', 'get_ipython', 'open', 'quit']"


@pytest.mark.book
def test_a_chapter_does_not_change_by_being_opened_and_saved(tmp_path, monkeypatch):
    pytest.importorskip("jupyter_server", reason="needs the extra book")
    nbformat = pytest.importorskip("nbformat")
    from chapters.tools import build
    from minilm.book.jupyter import STORED, Contents, stated

    assert STORED == {"kernelspec": build.KERNEL, "language_info": {"name": "python"}}
    monkeypatch.delenv("PYTHONSTARTUP", raising=False)
    folder = tmp_path / "notebooks" / "en"
    folder.mkdir(parents=True)
    whole = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", id="09-000")], metadata=STORED)
    for name in ("09-demo.ipynb", "mine.ipynb"):
        (folder / name).write_text(build.serialize(whole), encoding="utf-8")
    contents = Contents(root_dir=str(tmp_path))
    assert os.environ["PYTHONSTARTUP"] == str(missing.STARTUP)
    opened = asyncio.run(contents.get("notebooks/en/09-demo.ipynb"))
    assert opened["content"]["metadata"] == stated()
    assert opened["content"]["metadata"]["language_info"]["version"]
    asyncio.run(contents.save(opened, "notebooks/en/09-demo.ipynb"))
    assert json.loads((folder / "09-demo.ipynb").read_text())["metadata"] == STORED
    assert asyncio.run(contents.get("notebooks/en/mine.ipynb"))["content"]["metadata"] == STORED
