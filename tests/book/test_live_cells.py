"""The page's Python modules, without a page: how a cell is run and shown, and how matplotlib is fetched when it is needed."""

import hashlib
import json
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "chapters" / "tools" / "live" / "page"


@pytest.fixture
def run(monkeypatch):
    """Runs a cell, and returns whether it came to its end and what it showed."""
    monkeypatch.syspath_prepend(str(PAGE))
    import cells

    cells.forget()

    def run_(code, name="cell 3"):
        out = []
        ok = cells.run(textwrap.dedent(code), name, lambda kind, text: out.append((kind, text)))
        return ok, out

    yield run_
    cells.forget()


def test_the_last_line_is_shown_and_names_stay(run):
    assert run("x = 2\nx + 1") == (True, [("text", "3")])
    assert run("x;") == (True, [])
    assert run("None") == (True, [])
    assert run("_, x") == (True, [("text", "(3, 2)")])


def test_what_is_printed_comes_as_it_is_printed(run):
    ok, out = run("print('a', 1)\nprint('b')\n4")
    assert ok
    assert "".join(text for kind, text in out if kind == "stream") == "a 1\nb\n"
    assert out[-1] == ("text", "4")


def test_the_richest_form_is_shown(run):
    run(
        """
        class Rich:
            def _repr_html_(self): return "<b>1</b>"
        class Drawn:
            def _repr_html_(self): return None
            def _repr_svg_(self): return "<svg></svg>"
        """
    )
    assert run("Rich()")[1] == [("html", "<b>1</b>")]
    assert run("Drawn()")[1] == [("svg", "<svg></svg>")]
    assert run("Rich")[1][0][0] == "text"
    assert run("display(Rich(), 2)")[1] == [("html", "<b>1</b>"), ("text", "2")]


def test_an_error_is_told_from_the_cells_line_on(run):
    run("def half(x):\n    return x / 0", "cell 2")
    ok, out = run("y = 1\nhalf(y)")
    assert not ok
    [(kind, text)] = out
    assert kind == "error"
    assert text.splitlines() == [
        "Traceback (most recent call last):",
        '  File "<cell 3>", line 2, in <module>',
        "    half(y)",
        '  File "<cell 2>", line 2, in half',
        "    return x / 0",
        *([line for line in text.splitlines() if set(line.strip()) <= {"~", "^"} and line.strip()]),
        "ZeroDivisionError: division by zero",
    ]
    assert run("y")[1] == [("text", "1")], "what stood above the error has been done"


def test_text_that_is_no_python_is_an_error_with_its_place(run):
    ok, [(_, text)] = run("x = (1")
    assert not ok
    assert '"<cell 3>", line 1' in text
    assert text.endswith("SyntaxError: '(' was never closed")


def test_a_long_traceback_leaves_out_its_middle(run):
    ok, [(_, text)] = run(
        "def f(n, g): return g(n - 1, f) if n else 1 / 0\ndef g(n, f): return f(n - 1, g) if n else 1 / 0\nf(200, g)"
    )
    assert not ok
    assert len(text.splitlines()) < 50
    assert text.splitlines()[-1] == "ZeroDivisionError: division by zero"


def test_a_cell_that_would_leave_python_ends(run):
    ok, out = run("raise SystemExit(2)")
    assert not ok
    assert out[-1][1].endswith("SystemExit: 2")
    assert run("1")[0]


def test_what_is_printed_elsewhere_is_not_taken(run, capsys):
    run("print('in the cell')")
    print("outside")
    assert capsys.readouterr().out == "outside\n"


def test_functions_of_modules_are_called_with_json(run, monkeypatch, tmp_path):
    import cells

    (tmp_path / "answering_desk.py").write_text("def twice(x, y=0): return {'twice': [2 * x, y]}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert json.loads(cells.call("answering_desk", "twice", "[1, 2]")) == {"twice": [2, 2]}


LATER = """
import sys
sys.path[:0] = [{page!r}]
import later

asked = []
later.SITE = {site!r}
sys.path.append(later.SITE)
later._fetched = lambda name: asked.append(name) or open({folder!r} + name, "rb").read()
later.install("")
import matplotlib.pyplot as plt
from cycler import made

plt.rcParams["font.size"] = 12
assert made == 3 and "matplotlib-1.whl" not in asked, asked
assert plt.plot(2) == ("drawn", 2, 12)
import matplotlib
assert matplotlib.rcParams["font.size"] == 12 and matplotlib.pyplot is sys.modules["matplotlib.pyplot"]
matplotlib.rcParams["font.size"] = 14
assert plt.plot(2) == ("drawn", 2, 14) and plt.state == 1
plt.state = 2
assert sys.modules["matplotlib.pyplot"].state == 2
assert asked == ["pyodide-lock.json", "cycler-1.whl", "needed-1.whl", "matplotlib-1.whl"], asked
import os
assert not os.path.exists(later.SITE + "/matplotlib/mpl-data/fonts/afm/a.afm")
try:
    import nothing_like_it
except ModuleNotFoundError:
    print("well")
"""


def wheels(folder, broken=False):
    """A lock and wheels of a made-up matplotlib."""
    contents = {
        "cycler": {"cycler.py": "made = 3\n"},
        "needed": {"needed.py": "x = 1\n"},
        "matplotlib": {
            "matplotlib/__init__.py": "import needed\nrcParams = {'font.size': 10}\n",
            "matplotlib/pyplot.py": "from matplotlib import rcParams\nstate = 1\ndef plot(x): return 'drawn', x, rcParams['font.size']\n",
            "matplotlib/mpl-data/fonts/afm/a.afm": "",
        },
    }
    packages = {}
    for name, files in contents.items():
        path = folder / f"{name}-1.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for inner, text in files.items():
                archive.writestr(inner, text)
        sum_ = hashlib.sha256(path.read_bytes()).hexdigest()
        depends = ["needed"] if name == "matplotlib" else []
        packages[name] = {"name": name, "file_name": path.name, "sha256": sum_, "depends": depends, "imports": [name]}
    if broken:
        packages["needed"]["sha256"] = "0"
    (folder / "pyodide-lock.json").write_text(json.dumps({"packages": packages}))


def in_a_python_without_matplotlib(code):
    return subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True)


def test_matplotlib_is_fetched_with_the_first_name_that_is_read(tmp_path):
    wheels(tmp_path)
    (tmp_path / "site").mkdir()
    done = in_a_python_without_matplotlib(
        LATER.format(page=str(PAGE), site=str(tmp_path / "site"), folder=f"{tmp_path}/")
    )
    assert (done.stdout, done.stderr) == ("well\n", "")


def test_a_package_that_arrived_incomplete_is_not_unpacked(tmp_path):
    wheels(tmp_path, broken=True)
    (tmp_path / "site").mkdir()
    done = in_a_python_without_matplotlib(
        LATER.format(page=str(PAGE), site=str(tmp_path / "site"), folder=f"{tmp_path}/")
    )
    assert done.stderr.splitlines()[-1] == "ImportError: needed-1.whl arrived incomplete: reload the page."
    assert not (tmp_path / "site" / "matplotlib").exists()


def test_the_verdicts_on_what_a_cell_shows():
    nbformat = pytest.importorskip("nbformat")
    from tests.browser.live_cells import verdict

    def cell(*outputs, tags=()):
        return nbformat.v4.new_code_cell("", outputs=list(outputs), metadata={"tags": list(tags)})

    printed = nbformat.v4.new_output("stream", text="loss 0.12345678\n")
    drawn = nbformat.v4.new_output("display_data", data={"image/png": "", "text/plain": "a figure"})
    assert verdict(cell(printed), [("stream", "loss "), ("stream", "0.12345678\n")]) == "same"
    assert verdict(cell(printed), [("stream", "loss 0.12345679\n")]) == "digits"
    assert verdict(cell(printed), [("stream", "loss 0.2\n")]) == "differs"
    assert verdict(cell(printed, tags=["varies"]), [("stream", "loss 0.2\n")]) == "varies"
    assert verdict(cell(printed), [("stream", "loss 0.12345678\n"), ("error", "Traceback\nValueError: 1")]) == "fails"
    assert verdict(cell(drawn), [("png", "abc")]) == "same"
    assert verdict(cell(drawn), []) == "differs"
    table = nbformat.v4.new_output(
        "execute_result", data={"text/html": '<svg><text x="181.9"/>', "text/plain": "Drawing"}
    )
    assert verdict(cell(table), [("html", '<svg><text x="182"/>')]) == "digits"
    assert verdict(cell(table), [("html", '<svg><text x="183"/>')]) == "differs"
