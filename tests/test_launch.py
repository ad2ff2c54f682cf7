"""``minilm book``: what it starts, and what it says where it cannot."""

import importlib.util
import os
import sys
from types import SimpleNamespace

import pytest

from minilm import launch
from minilm.cli import main


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with two notebooks, an installed JupyterLab, and a trust that records what it signs."""
    folder = tmp_path / "notebooks" / "en"
    folder.mkdir(parents=True)
    for name in ("01-background.ipynb", "04-mathematics.ipynb", "notes.ipynb"):
        (folder / name).write_text("{}")
    monkeypatch.setattr(launch.importlib.util, "find_spec", lambda name: name)
    signed = []
    monkeypatch.setattr(launch, "trust", signed.extend)
    monkeypatch.setattr(launch, "is_root", lambda: False)
    return SimpleNamespace(root=tmp_path, signed=signed)


class Runner:
    def __init__(self, status=0):
        self.status, self.calls = status, []

    def __call__(self, command, cwd):
        self.calls.append((command, cwd))
        return SimpleNamespace(returncode=self.status)


def test_it_starts_jupyterlab_at_the_first_chapter(repository):
    run = Runner(3)
    assert launch.open_book(root=repository.root, run=run) == 3
    [(command, cwd)] = run.calls
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert f"--ServerApp.root_dir={repository.root}" in command
    assert "--LabApp.default_url=/lab/tree/notebooks/en/01-background.ipynb" in command
    assert cwd == repository.root


def test_a_number_opens_that_chapter_and_options_are_passed_on(repository):
    run = Runner()
    assert launch.open_book(4, ["--no-browser"], root=repository.root, run=run) == 0
    assert run.calls[0][0][-2:] == ["--LabApp.default_url=/lab/tree/notebooks/en/04-mathematics.ipynb", "--no-browser"]


@pytest.mark.parametrize("root", [True, False])
def test_root_may_open_it_too(repository, monkeypatch, root):
    monkeypatch.setattr(launch, "is_root", lambda: root)
    run = Runner()
    launch.open_book(options=["--no-browser"], root=repository.root, run=run)
    assert run.calls[0][0][6:] == [*(["--allow-root"] if root else []), "--no-browser"]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no root on this system")
def test_who_is_root(monkeypatch):
    for user, root in ((0, True), (1000, False)):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user)
        assert launch.is_root() is root


def test_the_chapters_are_trusted_and_nothing_else(repository):
    launch.open_book(root=repository.root, run=Runner())
    assert [path.name for path in repository.signed] == ["01-background.ipynb", "04-mathematics.ipynb"]


def test_a_chapter_that_is_not_there(repository):
    with pytest.raises(launch.BookError, match="no chapter 7; there are 1, 4"):
        launch.open_book(7, root=repository.root, run=Runner())


@pytest.fixture
def sections(repository):
    for name in ("06-applications.ipynb", "06-1-classification.ipynb", "06-3-questions.ipynb", "10-reading.ipynb"):
        (repository.root / "notebooks" / "en" / name).write_text("{}")
    return repository.root


def test_a_section_is_a_notebook_of_its_own(sections):
    for chapter, name in ((6, "06-applications"), ((6, 3), "06-3-questions"), ((6, 1), "06-1-classification")):
        run = Runner()
        launch.open_book(chapter, root=sections, run=run)
        assert f"--LabApp.default_url=/lab/tree/notebooks/en/{name}.ipynb" in run.calls[0][0]
    names = [path.stem for path in launch.find_notebooks(sections)]
    assert names[2:] == ["06-applications", "06-1-classification", "06-3-questions", "10-reading"]


@pytest.mark.parametrize(
    ("chapter", "words"),
    [
        ((6, 2), "chapter 6 has no section 2 that is a notebook of its own; it has 6-1, 6-3"),
        ((4, 1), "chapter 4 has no section 1 .*it is one notebook: minilm book 4"),
        ((7, 1), "no chapter 7; there are 1, 4, 6, 10"),
    ],
)
def test_a_section_that_is_not_there(sections, chapter, words):
    with pytest.raises(launch.BookError, match=words):
        launch.open_book(chapter, root=sections, run=Runner())


def test_an_appendix_has_a_letter_and_stands_last(repository):
    (repository.root / "notebooks" / "en" / "A-second-derivatives.ipynb").write_text("{}")
    run = Runner()
    launch.open_book(101, root=repository.root, run=run)
    assert "--LabApp.default_url=/lab/tree/notebooks/en/A-second-derivatives.ipynb" in run.calls[0][0]
    assert launch.find_notebooks(repository.root)[-1].stem == "A-second-derivatives"
    with pytest.raises(launch.BookError, match="there is no appendix B; there are 1, 4, A"):
        launch.open_book(102, root=repository.root, run=run)


def test_without_the_repository(tmp_path):
    with pytest.raises(launch.BookError, match="part of the repository"):
        launch.open_book(root=tmp_path, run=Runner())


def test_without_jupyterlab(repository, monkeypatch, capsys):
    monkeypatch.setattr(launch.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(launch, "find_notebooks", lambda root: [repository.root / "notebooks/en/01-background.ipynb"])
    assert main(["book"]) == 1
    assert 'pip install -e ".[book]"' in capsys.readouterr().err


def test_the_command_line(monkeypatch):
    calls = []
    monkeypatch.setattr(launch, "open_book", lambda *arguments: calls.append(arguments) or 0)
    assert main(["book"]) == main(["book", "3", "--no-browser", "--jupyter=--port=9999"]) == 0
    assert calls == [(None, []), (3, ["--no-browser", "--port=9999"])]
    assert main(["book", "6-3"]) == main(["book", "6.3"]) == 0
    assert main(["book", "A"]) == 0
    assert calls[2:] == [((6, 3), [])] * 2 + [(101, [])]


@pytest.mark.parametrize("text", ["0", "6-0", "6-", "six", "-1", "6-3-1", "1e1"])
def test_what_is_no_chapter(text, capsys):
    assert main(["book", "--", text]) == 2
    assert "expected a chapter, as 6, 6-3 (a section) or A (an appendix)" in capsys.readouterr().err


@pytest.mark.skipif(importlib.util.find_spec("nbformat") is None, reason="needs the extra book")
def test_trust_signs_a_notebook(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    nbformat = pytest.importorskip("nbformat")
    from nbformat.sign import NotebookNotary

    path = tmp_path / "01-a.ipynb"
    cell = nbformat.v4.new_code_cell(
        "1", outputs=[nbformat.v4.new_output("display_data", {"text/html": "<script></script>"})]
    )
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    assert not NotebookNotary().check_signature(nbformat.read(path, 4))
    launch.trust([path])
    assert NotebookNotary().check_signature(nbformat.read(path, 4))
