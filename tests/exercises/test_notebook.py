"""Notebooks: what is written, and answers that are found again."""

import dataclasses
import json

import numpy as np
import pytest

from minilm.exercises import notebook, tasks
from minilm.exercises.notebook import NotebookError, answers_in, answers_of


def cell(text, kind="code", task=None, role=None):
    metadata = {} if task is None else {"minilm": {"task": task, "role": role}}
    return {"cell_type": kind, "metadata": metadata, "source": text}


def test_answers_are_found_by_their_metadata_wherever_they_stand():
    cells = [
        cell("b = 2", task="4.2", role="answer"),
        cell("ml.check('4.1')", task="4.1", role="check"),
        cell(["a = 1\n", "c = 3"], task="4.1", role="answer"),
        cell("d = 4", task="4.1", role="answer"),
        cell("because", "markdown", task="4.3", role="answer"),
        cell("import numpy as np", task="4.1", role="setup"),
    ]
    assert answers_of({"cells": cells}) == {"4.2": "b = 2\n", "4.1": "a = 1\nc = 3\n\nd = 4\n", "4.3": "because"}


def test_without_metadata_the_place_tells():
    cells = [
        cell("print('mine')"),
        cell("## Exercise 4.1 Mean\ntext", "markdown"),
        cell("def helper(): return 1"),
        cell("def mean(x): return helper()"),
        cell('ml.check("4.1")'),
        cell("scratch = 1"),
        cell("## 4.2 Sum", "markdown"),
        cell("# nothing yet\n"),
    ]
    assert answers_of({"cells": cells}) == {"4.1": "def helper(): return 1\n\ndef mean(x): return helper()\n"}


def test_commands_of_ipython_become_comments_and_lines_keep_their_numbers():
    text = '%matplotlib inline\n!pip install x\nx = """\n%not this\n"""\nml.check("4.1")\nml.hint("4.1")'
    (found,) = answers_of({"cells": [cell(text, task="4.1", role="answer")]}).values()
    assert found.splitlines()[0] == "# %matplotlib inline"
    assert found.splitlines()[5:] == ['# ml.check("4.1")', '# ml.hint("4.1")']
    compile(found, "x", "exec")
    bash = cell("%%bash\nrm -rf x", task="4.1", role="answer")
    assert answers_of({"cells": [bash]}) == {"4.1": "# %%bash\n# rm -rf x\n"}


def test_a_python_file_holds_several_answers(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("import math\n# task 4.1\na = math.e\n\n#Task 4.12\nb = 1\n# task 4.1\nc = 2\n")
    found = answers_in(path)
    assert list(found) == ["4.1", "4.12"]
    assert found["4.1"].splitlines() == ["import math", "# task 4.1", "a = math.e", "", "", "", "# task 4.1", "c = 2"]
    assert found["4.12"].splitlines() == ["import math", "", "", "", "#Task 4.12", "b = 1"]
    single = tmp_path / "4.9.py"
    single.write_text("x = 1\n")
    assert answers_in(single) == {"4.9": "x = 1\n"}


@pytest.mark.parametrize(("name", "content", "message"), [
    ("a.ipynb", b"{", "is not valid JSON"),
    ("a.ipynb", b"{}", "no list of cells"),
    ("a.ipynb", b'{"cells": [1]}', "no list of cells"),
    ("a.py", b"\xff\xfe", "UTF-8"),
    ("a.txt", b"", "neither a notebook"),
])  # fmt: skip
def test_what_holds_no_answers_is_told(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(NotebookError, match=message):
        answers_in(tmp_path / name)


def test_a_notebook_on_disk(tmp_path):
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"cells": [cell("x = 1", task="4.1", role="answer")]}))
    assert answers_in(path) == {"4.1": "x = 1\n"}


# --- writing -----------------------------------------------------------------------------------------------------------------------


EACH = pytest.mark.parametrize("there", [tasks.of_chapter(chapter) for chapter in tasks.CHAPTERS], ids=tasks.CHAPTERS)


@EACH
def test_a_student_s_notebook_holds_no_solution_no_hint_and_no_test(there):
    text = notebook.student(there, "Exercises").decode()
    sources = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
    for task in there:
        lines = [line.strip() for line in task.solution.splitlines() if len(line.strip()) > 25]
        public = task.start + task.statement + task.setup
        if task.kind != "find the bug":
            assert not [line for line in lines if line in sources and line not in public], task.id
        for secret in (
            task.hint,
            task.derivation,
            task.subject,
            *(test.name for test in task.tests if test.hidden and " " in test.name),
        ):
            assert not secret.strip() or secret.strip() not in sources, task.id
        assert task.solution.strip() not in sources or not task.graded, task.id


@EACH
def test_notebooks_are_valid_the_same_each_time_and_read_again(there):
    nbformat = pytest.importorskip("nbformat", reason="nbformat is in the extra book")
    for made in (notebook.student, notebook.solutions):
        content = made(there, "Exercises")
        assert content == made(there, "Exercises")
        nbformat.validate(nbformat.reads(content.decode(), as_version=4))
    found = answers_of(json.loads(notebook.student(there, "Exercises")))
    assert list(found) == [task.id for task in there]
    for task in there:
        if task.graded:
            assert found[task.id] == notebook.stub_of(task)


def test_numbers_of_a_student_stand_in_the_notebook():
    task = dataclasses.replace(
        tasks.find("4.9"),
        data=lambda rng: {"n": int(rng.integers(9)), "v": rng.random(2)},
        statement="{n} rows",
        setup="import math\n",
    )
    cells = json.loads(notebook.student([task], "Mine", {"4.9": 5}))["cells"]
    values = task.values(5)
    space = {"np": np}
    exec("".join(cells[3]["source"]), space)
    assert "".join(cells[2]["source"]).endswith(f"{values['n']} rows")
    assert (space["n"], space["v"].tolist()) == (values["n"], values["v"].tolist())
    assert "".join(cells[5]["source"]) == 'ml.check("4.9", seed=5)'


def test_a_proof_has_a_cell_to_write_in():
    task = dataclasses.replace(tasks.find("4.9"), kind="proof", rubric=(("the argument", 2),))
    kinds = [
        (cell["cell_type"], cell["metadata"]["minilm"]["role"])
        for cell in json.loads(notebook.student([task], "x"))["cells"]
    ]
    assert kinds[-1] == ("markdown", "answer")
