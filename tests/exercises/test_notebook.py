"""Notebooks: what is written, and answers that are found again."""

import json

import pytest

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
