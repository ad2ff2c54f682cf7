"""minilm exercises, check, hint, progress: as a student types them."""

import json

import pytest

from minilm.cli import main
from minilm.exercises import notebook, tasks

pytestmark = pytest.mark.host
TASK = tasks.find("4.9")


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("MINILM_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_from_the_list_to_full_points(place, capsys):
    assert main(["exercises", "4"]) == 0
    assert "LayerNorm's backward pass" in capsys.readouterr().out
    assert main(["exercises", "4.9"]) == 0
    shown = capsys.readouterr().out
    assert "    raise NotImplementedError" in shown
    assert "```" not in shown
    (place / "answer.py").write_text(TASK.stub)
    assert main(["check", "4.9", "answer.py"]) == 1
    assert "0 of" in capsys.readouterr().out
    (place / "answer.py").write_text(f"# task 4.8\nexit()\n# task 4.9\n{TASK.solution}")
    assert main(["check", "4.9", "answer.py"]) == 0
    assert main(["exercises", "4"]) == 0
    assert f"{TASK.points} of {TASK.points}" in capsys.readouterr().out


@pytest.mark.slow
def test_a_check_for_a_program(place, capsys):
    (place / "answer.py").write_text("def layer_norm_backward(x, w, y_bar, eps):\n    return x, w, w\n")
    assert main(["check", "4.9", "answer.py", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["points"] == 0
    assert main(["check", "4.9", "answer.py", "--more"]) == 1


def test_a_notebook_as_an_answer(place, capsys):
    assert main(["exercises", "4", "--out", "mine", "--solutions"]) == 0
    path = place / "mine" / "04-exercises.ipynb"
    assert notebook.answers_in(path)["4.9"] == TASK.stub.strip() + "\n"
    assert main(["check", "4.9", str(path)]) == 1
    document = json.loads(path.read_text())
    for cell in document["cells"]:
        if cell["id"] == "answer-4-9":
            cell["source"] = TASK.solution
    path.write_text(json.dumps(document))
    assert main(["check", "4.9", str(path)]) == 0
    capsys.readouterr()
    assert main(["exercises", "4", "--out", "mine"]) == 1
    assert "your answers may be in it" in capsys.readouterr().err
    assert json.loads(path.read_text()) == document


def test_one_exercise_as_a_notebook(place):
    assert main(["exercises", "4.9", "--out", "one"]) == 0
    assert list(notebook.answers_in(place / "one" / "04-exercises.ipynb")) == ["4.9"]


@pytest.mark.parametrize(("arguments", "message"), [
    (["check", "4.99", "a.py"], "Did you mean"), (["check", "4.9", "a.py"], "there is no answer a.py"),
    (["check", "4.9", "a.txt"], "a.txt"),
    (["check", "11.1", "a.py"], "there is no exercise 11.1"), (["exercises", "--solutions"], "--out"), (["hint", "LayerNorm"], "EXERCISE"),
    (["check", "4.9"], "ANSWER"), (["exercises", "77"], "CHAPTER"), (["progress", "--export", "a.txt"], "--export"),
])  # fmt: skip
def test_misuse_ends_with_two(arguments, message, capsys):
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith("minilm: ")
    assert message in err


def test_hints(capsys):
    for expected in ("1 of 3: hint", "2 of 3: derivation", "minilm hint 4.9 --level 3", "3 of 3: solution"):
        assert main(["hint", "4.9"]) == 0
        assert expected in capsys.readouterr().out
    assert main(["hint", "4.9", "--level", "1"]) == 0


def test_progress(place, capsys):
    assert main(["progress"]) == 0
    assert "Nothing was checked yet" in capsys.readouterr().out
    (place / "answer.py").write_text(TASK.solution)
    assert main(["check", "4.9", "answer.py"]) == 0
    capsys.readouterr()
    assert main(["progress"]) == 0
    assert f"{TASK.points} of {TASK.points}" in capsys.readouterr().out
    assert main(["progress", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["exercises"][0]["task"] == "4.9"
    assert main(["progress", "--export", "mine.json"]) == 0
    assert json.loads((place / "mine.json").read_text()) == document


def test_progress_that_cannot_be_kept_is_told_and_the_check_goes_on(place, capsys):
    (place / "home").write_text("a file")
    (place / "answer.py").write_text(TASK.solution)
    assert main(["check", "4.9", "answer.py"]) == 0
    assert "MINILM_HOME" in capsys.readouterr().err
