"""Building a notebook from a chapter: in a real kernel, deterministic, and with every failure named."""

import json

import pytest

from chapters.tools import build
from tests.book.demo import demo

pytestmark = [pytest.mark.book, pytest.mark.usefixtures("_made_up")]
for module in ("jupytext", "nbformat", "nbclient", "ipykernel"):
    pytest.importorskip(module, reason="needs the extra book")


@pytest.fixture(autouse=True)
def _notebooks_here(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "notebook_path", lambda chapter: tmp_path / "out" / f"{chapter.stem}.ipynb")
    monkeypatch.setattr(build.Path, "relative_to", lambda self, other: self)


def test_write_is_deterministic_and_check_agrees(tmp_path, capsys):
    chapter = demo(tmp_path)
    assert "written" in build.write(chapter)
    path = build.notebook_path(chapter)
    text = path.read_text()
    assert "unchanged" in build.write(chapter)
    assert path.read_text() == text
    assert build.check(chapter) == []
    notebook = json.loads(text)
    assert notebook["metadata"] == {"kernelspec": build.KERNEL, "language_info": {"name": "python"}}
    assert [cell["id"] for cell in notebook["cells"]][:3] == ["09-000", "09-001", "09-002"]
    assert "> **Note.** It costs" in text
    assert "(09-demo.ipynb#the-logistic-function-and-)" in text
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    assert [output["output_type"] for output in outputs] == [
        "stream",
        "display_data",
        "error",
        "stream",
        "execute_result",
    ]
    assert len(outputs[2]["traceback"]) == 1
    assert str(tmp_path) not in text
    assert str(build.ROOT) not in text
    assert "atplotlib version" not in text


def test_check_shows_what_differs(tmp_path):
    chapter = demo(tmp_path)
    assert "is missing" in build.check(chapter)[0]
    build.write(chapter)
    path = build.notebook_path(chapter)
    text = path.read_text()
    path.write_text(text.replace("loss 0.123456 10", "loss 0.1236 10"))  # the cell's tag allows one in a hundred
    assert build.check(chapter) == []
    path.write_text(text.replace("loss 0.123456 10", "loss 0.124456 11"))
    [problem] = build.check(chapter)
    assert "09-demo.md:" in problem
    assert "+ loss 0.123456 10" in problem
    path.write_text(text.replace("Show that it is so", "Show that it is not so", 1))
    assert any("the notebook has another cell" in problem for problem in build.check(chapter))
    assert "'**You will learn**'" in build.check(demo(tmp_path, ("**You will learn**", "Goals")))[0]


LAST = 'print("loss", 0.123456, 10)\n'
FAULTS = {
    "a cell fails": (LAST, "x = 1\nprint(\n    1 / 0)\n", r"09-demo.md:\d+ \(cell \d+\): ZeroDivisionError: division by zero\n    .*1 / 0"),
    "a cell does not fail": ("@ ml.tensor([1.0, 2.0, 3.0])", "@ ml.tensor([1.0, 2.0])", "raises-exception, but it does not fail"),
    "stderr": (LAST, "import sys\nprint('noise', file=sys.stderr)\n", "writes to stderr: noise"),
    "a warning": (LAST, "import warnings\nwarnings.warn('old')\n", "writes to stderr"),
    "a path": (LAST, "print(ml.__file__)\n", "path of this machine"),
    "an address": (LAST, "print(object())\n", "object's address"),
    "too large": (LAST, "print('abc' * 200_000)\n", r"more than 500: largest outputs: cell 09-\d+ 600 kB"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named(fault, tmp_path):
    old, new, word = FAULTS[fault]
    with pytest.raises(build.BuildError, match=word):
        build.build(demo(tmp_path, (old, new)))


def test_what_a_first_use_of_data_says_is_no_output():
    """A notice goes; what else is written to stderr stays, and is refused."""
    nbformat = pytest.importorskip("nbformat")
    output = lambda text, name="stderr": nbformat.v4.new_output("stream", name=name, text=text)  # noqa: E731
    notice = "movie-sentences: 1.3 MB to fetch. Licence: MIT, see there\n"
    kept = build.without_notices([output(notice), output(notice, "stdout"), output(notice + "Warning: x\n" + notice)])
    assert [(o.name, o.text) for o in kept] == [("stdout", notice), ("stderr", "Warning: x\n")]


def test_the_failing_line_is_named(tmp_path):
    chapter = demo(tmp_path, (LAST, "x = 1\n\ny = x / 0\n"))
    line = chapter.text.split("\n").index("y = x / 0") + 1
    with pytest.raises(build.BuildError, match=rf"09-demo.md:{line} .*\n    y = x / 0"):
        build.build(chapter)


def test_a_cell_that_prints_something_else_when_it_is_run_again_is_named(tmp_path):
    """In a copy of the kernel: the cells behind it find what one run leaves. All other cells of the demonstration are alike."""
    behind = "```\n\n```{code-cell} ipython3\nprint('at last', one)\n"
    chapter = demo(tmp_path, (LAST, f"one += 1\nprint('one is', one)\n{behind}"))
    build.write(chapter)
    assert build.check(chapter) == []
    [problem] = build.check(chapter, twice=True)
    assert "one is 2" in problem
    assert "one is 3" in problem
    assert "09-demo.md:" in problem


def test_a_cell_that_ends_its_process_when_it_is_run_again_is_named(tmp_path):
    chapter = demo(tmp_path, (LAST, "import os\none += 1\nif one > 2:\n    os._exit(0)\nprint('loss')\n"))
    build.write(chapter)
    [problem] = build.check(chapter, twice=True)
    assert "the process ended" in problem


def test_a_picture_without_words_is_refused(tmp_path):
    changes = [("plt.show()\n", "plt.gcf();\n"), ("    alt: a line that rises\n", "    width: 3\n")]
    with pytest.raises(build.BuildError, match="no alternative text"):
        build.build(demo(tmp_path, *changes))


def test_a_chapter_that_compares_with_pytorch_is_not_written_without_it(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "has_torch", lambda: False)
    with pytest.raises(build.BuildError, match="pip install"):
        build.write(demo(tmp_path, ("[rtol=1e-2]", "[needs-torch]")))


def test_the_command_line(tmp_path, capsys):
    chapter = demo(tmp_path)
    assert build.main(["write", str(chapter.path)]) == 0
    assert build.main(["check", str(chapter.path)]) == 0
    assert "all is well" in capsys.readouterr().out
    assert build.main(["lint", str(demo(tmp_path, ("## Sources", "## Other")).path)]) == 1
    assert "one section 'Sources' is expected" in capsys.readouterr().out
    assert build.main(["check", str(tmp_path / "none.md")]) == 1
