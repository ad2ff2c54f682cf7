"""Whose a file is: folders, and the archives of Canvas, Moodle and Gradescope; what is ambiguous or broken is said, and stops nothing."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from minilm.exercises.classroom import submissions
from minilm.exercises.classroom.course import Course, Student, read_roster
from minilm.exercises.classroom.seeds import seed_of
from minilm.exercises.classroom.tables import read_table

ADA = Student("ada", "Ada Lovelace", "ada@example.org", canvas="1815")
ANN = Student("ann", "Ann Lee")
LEE = Student("lee", "Lee Ann")
COURSE = Course("c", ("1.1", "4.9"), (ADA, ANN, LEE))
TEXT = "# task 4.9\ndef layer_norm_backward(x, w, y_bar, eps):\n    return 1\n"


def put(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def packed(path: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def read(place: Path) -> tuple[dict[str, submissions.Submission], list[str]]:
    found, problems = submissions.read(place, COURSE)
    return {one.student.id: one for one in found}, problems


@pytest.mark.parametrize(
    "name",
    [
        "ada/answers.py",
        "ada.py",
        "Ada Lovelace/hw/answers.py",
        "Lovelace, Ada/answers.py",
        "ada@example.org/answers.py",
        "lovelaceada_1815_4711_answers.py",
        "someoneelse_LATE_1815_4711_answers-1.py",
        "Ada Lovelace_77_assignsubmission_file_/answers.py",
        "Ada Lovelace_77_assignsubmission_file_answers.py",
    ],
)
def test_layouts_in_folders_and_archives(tmp_path: Path, name: str) -> None:
    for place in (put(tmp_path / "folder", {name: TEXT}), packed(tmp_path / "all.zip", {name: TEXT})):
        found, problems = read(place)
        assert problems == []
        assert "layer_norm_backward" in found["ada"].answers["4.9"]
        assert found["ada"].late == ("LATE" in name)
        assert found["ada"].moodle == ("77" if "assignsubmission" in name else "")


def test_gradescope_says_who_and_when(tmp_path: Path) -> None:
    metadata = (
        "submission_12:\n  :submitters:\n  - :name: Ada Lovelace\n    :sid: 'ada'\n    :email: ada@example.org\n"
        "  :created_at: 2026-12-02 08:30:00.123000000 Z\n  :score: 0.0\nsubmission_13:\n  :submitters:\n"
        "  - :name: Ann Lee\n    :sid: ann\n  - :name: Lee Ann\n    :sid: lee\n  :created_at: 2026-12-01 08:30:00 +0100\n"
    )
    files = {"assignment_9_export/submission_metadata.yml": metadata, "assignment_9_export/submission_12/a.py": TEXT,
             "assignment_9_export/submission_13/a.py": TEXT, "assignment_9_export/submission_14/a.py": TEXT}  # fmt: skip
    found, problems = read(packed(tmp_path / "g.zip", files))
    assert all("4.9" in found[id].answers for id in ("ada", "ann", "lee"))
    assert found["ada"].submitted is not None
    assert found["ada"].submitted.utctimetuple()[:5] == (2026, 12, 2, 8, 30)
    assert found["ann"].submitted is not None
    assert found["ann"].submitted.utctimetuple()[:5] == (2026, 12, 1, 7, 30)
    assert problems == [
        "submission_14/a.py: submission_metadata.yml does not say who handed in submission_14.",
    ]


def test_an_ambiguous_name_is_reported_and_not_guessed(tmp_path: Path) -> None:
    found, problems = read(put(tmp_path, {"Ann Lee/a.py": TEXT, "Bob/a.py": TEXT}))
    assert found["ann"].answers == found["lee"].answers == {}
    assert "Ann Lee/a.py: could be ann, lee" in problems[0]
    assert "'Bob' is no student of the roster" in problems[1]


@pytest.mark.parametrize(
    ("name", "content", "note"),
    [
        ("x.ipynb", b'{"cells": [', "is not valid JSON"),
        ("x.ipynb", b"{}", "no list of cells"),
        ("x.py", b"\xff\xfe", "UTF-8"),
        ("x.py", b"print(1)\n", "no answer found in it"),
        ("x.zip", b"PK", "cannot be unpacked"),
    ],
)
def test_what_is_broken_is_a_note(tmp_path: Path, name: str, content: bytes, note: str) -> None:
    put(tmp_path, {"ann/a.py": TEXT, "ada/keep.txt": ""})
    (tmp_path / "ada" / name).write_bytes(content)
    found, _ = read(tmp_path)
    assert note in found["ada"].notes[0]
    assert found["ann"].answers


def test_a_python_file_may_be_named_after_the_task_or_define_its_name(tmp_path: Path) -> None:
    text = TEXT.partition("\n")[2]
    found, _ = read(put(tmp_path, {"ada/task_4_9.py": text, "ann/homework.py": text, "lee/4.9-final (2).py": text}))
    assert all(found[id].answers == {"4.9": text} for id in ("ada", "ann", "lee"))


def test_two_different_answers_to_one_task_are_told(tmp_path: Path) -> None:
    found, _ = read(put(tmp_path, {"ada/a.py": TEXT, "ada/b.py": TEXT.replace("return 1", "return 2")}))
    assert "return 2" in found["ada"].answers["4.9"]
    assert found["ada"].notes == ["4.9 was found twice; ada/b.py counts, ada/a.py does not."]


def test_an_archive_writes_nothing_outside(tmp_path: Path) -> None:
    outside = tmp_path / "ada.py"
    found, _ = read(packed(tmp_path / "z.zip", {"../ada.py": TEXT, "/ada.py": TEXT, "ann/a.py": TEXT}))
    assert not outside.exists()
    assert found["ada"].answers == {}
    assert found["ann"].answers


def test_checkpoints_and_hidden_files_do_not_count(tmp_path: Path) -> None:
    found, _ = read(put(tmp_path, {"ada/.ipynb_checkpoints/a.py": TEXT, "ada/__MACOSX/._a.py": TEXT, "ann/a.py": TEXT}))
    assert found["ada"].files == 0


def test_a_notebook_without_metadata_is_read_by_its_headings(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": "## 4.9 LayerNorm"},
        {"cell_type": "code", "metadata": {}, "source": "def layer_norm_backward(*a):\n    return 1"},
    ]
    found, _ = read(put(tmp_path, {"ada/n.ipynb": json.dumps({"cells": cells, "nbformat": 4})}))
    assert "return 1" in found["ada"].answers["4.9"]


# --- roster and seeds ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("name\nAda\n", "it lacks id"),
        ("id\n../ada\n", "line 2: the id '../ada' cannot name a folder"),
        ("id\nada\nAda\n", "line 3: the id 'Ada' occurs twice"),
        ("id\n", "names no students"),
    ],
)
def test_a_roster_that_cannot_be_used_is_explained(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(ValueError, match=complaint):
        read_roster(tmp_path / "r.csv")


def test_a_roster_with_semicolons_and_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("\ufeffID;Name\r\nada;Ada Lovelace\r\n", encoding="utf-8", newline="")
    assert read_roster(tmp_path / "r.csv") == (Student("ada", "Ada Lovelace"),)


def test_seeds_are_the_same_on_every_machine_and_differ_by_each_part() -> None:
    assert seed_of("NN 2026", "ada", "4.9") == 5821863206710983110
    others = {seed_of("NN 2026", "ada", "4.8"), seed_of("NN 2026", "ann", "4.9"), seed_of("NN 2027", "ada", "4.9")}
    assert len({*others, seed_of("NN 2026", "ada", "4.9")}) == 4
    assert seed_of("ab", "c", "d") != seed_of("a", "bc", "d")


def test_a_field_without_end_names_the_line(tmp_path):
    path = tmp_path / "roster.csv"
    path.write_text("id,name\na,A\nb," + "B" * 200_000 + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"roster.csv, line 3: it is no CSV file"):
        read_table(path, ["id"], "roster")
