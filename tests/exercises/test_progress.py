"""Progress: a file that two processes write, that nothing damages for good, and that says how far a student is."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from minilm.exercises import progress, tasks
from minilm.exercises.progress import ProgressError, State

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("MINILM_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


TASK = tasks.find("4.9")


def test_before_anything_was_done():
    assert progress.states() == {}
    assert progress.document() == {"exercises": []}


def test_checks_and_hints_are_counted():
    progress.note_check(TASK, 1, False)
    progress.note_hint(TASK, 1)
    progress.note_check(TASK, 5, True)
    progress.note_check(TASK, 2, False)
    progress.note_hint(TASK, 3, opened=False)
    assert progress.asked_last(TASK)
    state = progress.states()["4.9"]
    assert (state.points, state.of, state.checks, state.solved_after, state.hints) == (5, TASK.points, 3, 2, 1)
    assert state.passed
    json.dumps(progress.document())


def test_damaged_lines_are_kept_aside(place):
    progress.note_check(TASK, 1, False)
    path = place / "progress.jsonl"
    good = path.read_bytes()
    damaged = [b"\xff\xfe", b"{", b"[]", b"{}", b'{"event": "check", "task": "4.9", "date": "x", "points": 1.5, "of": 5, "passed": true}',
               b'{"event": "check", "task": 4, "date": "x"}', b"[" * 100_000]  # fmt: skip
    path.write_bytes(b"\n".join([*damaged, good.strip(), b'{"event": "hint", "ta']))
    progress.note_hint(TASK, 1)  # begins on a line of its own
    assert progress.states()["4.9"].checks == 1
    assert progress.states()["4.9"].hints == 1
    assert (place / "progress-damaged.jsonl").read_bytes().splitlines() == [*damaged, b'{"event": "hint", "ta']
    assert len(path.read_bytes().splitlines()) == 2


def test_a_place_that_cannot_be_written_is_told(place):
    place.write_text("a file")
    with pytest.raises(ProgressError, match="MINILM_HOME"):
        progress.note_check(TASK, 1, False)


def test_where_it_is(monkeypatch, tmp_path):
    monkeypatch.delenv("MINILM_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert progress.home() == tmp_path / "data" / "minilm"


@pytest.mark.slow
def test_two_processes_at_once(place):
    program = (
        "from minilm.exercises import progress, tasks\n"
        "for i in range(200): progress.note_check(tasks.find('4.9'), i % 5, False); progress.events()"
    )
    running = [subprocess.Popen([sys.executable, "-c", program], cwd=ROOT) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert progress.states()["4.9"].checks == 600
    assert not (place / "progress-damaged.jsonl").exists()
    assert State("4.9").checks == 0
