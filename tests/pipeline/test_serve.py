"""What another process answers, and that it ends with the one that asked."""

import json
import os
import signal
import subprocess
import sys

import pytest

from minilm import isolated
from minilm.data.errors import DataError
from minilm.pipeline import serve
from minilm.text import TokenizerError

ANSWERS = [
    (None, {"part": 4}),
    (DataError("no room"), {"message": "no room"}),
    (TokenizerError("no token"), {"message": "no token"}),
    (OSError(28, "No space left on device", "/x"), {"errno": 28, "message": "No space left on device", "file": "/x"}),
    (OSError(5, "Input/output error"), {"errno": 5, "message": "Input/output error", "file": ""}),
    (MemoryError(), {"message": "memory ran out: use fewer --processes, or a smaller --max-bytes"}),
]


@pytest.mark.parametrize(("error", "answer"), ANSWERS)
def test_what_a_process_answers(monkeypatch, error, answer):
    def run_part(*words):
        assert words == ("folder", "read", 4)
        if error:
            raise error

    monkeypatch.setattr(serve, "run_part", run_part)
    assert serve._answer("folder", "read", 4) == answer
    json.dumps(answer)


def test_a_bug_in_a_process_comes_with_its_traceback(monkeypatch):
    def run_part(*_):
        raise KeyError("lengths")

    monkeypatch.setattr(serve, "run_part", run_part)
    message = serve._answer("folder", "read", 4)["message"]
    assert message.startswith("part 4 of the stage read failed:\nTraceback")
    assert "KeyError: 'lengths'" in message


def test_lines_are_answered_until_they_end(monkeypatch, capfd):
    """What is printed meanwhile goes to the errors; signals that reach all processes are not for this one."""

    def run_part(folder, stage, part):
        os.write(1, b"noise")
        os.kill(os.getpid(), signal.SIGINT)

    asked, answers = os.pipe(), os.pipe()
    kept, handlers = (
        os.dup(1),
        {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)},
    )
    monkeypatch.setattr(serve, "run_part", run_part)
    os.write(asked[1], b'["f", "read", 3]\n["f", "read", 5]\n')
    os.close(asked[1])
    os.dup2(answers[1], 1)
    try:
        with os.fdopen(asked[0], "rb") as lines:
            monkeypatch.setattr(sys, "stdin", type("Input", (), {"buffer": lines}))
            serve.main()
    finally:
        os.dup2(kept, 1)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.close(kept)
        os.close(answers[1])
    with os.fdopen(answers[0], "rb") as found:
        assert [json.loads(line) for line in found] == [{"part": 3}, {"part": 5}]
    assert "noisenoise" in capfd.readouterr().err


@pytest.mark.slow
def test_it_ends_when_nobody_asks_any_more_and_imports_nothing_from_here(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise RuntimeError('mine')")
    monkeypatch.chdir(tmp_path)
    process = isolated.start("minilm.pipeline.serve", isolated.module_path())
    assert isinstance(process, subprocess.Popen)
    process.stdin.write(b'["%s", "read", 0]\n' % os.fsencode(tmp_path / "nothing"))
    process.stdin.flush()
    assert "there is no file" in json.loads(process.stdout.readline())["message"]
    process.stdin.close()
    assert process.wait(20) == 0
    process.stdout.close()
