"""Parts that other processes compute: their answers, and their end."""

import errno
import json
import os
import threading

import pytest

from minilm import isolated
from minilm.data.errors import DataError
from minilm.pipeline import Here, Processes, processes


class Worker:
    """A thread that answers as a process does; `fate` says what to."""

    def __init__(self, fate):
        inside, self._asked = os.pipe()
        answers, outside = os.pipe()
        self.pid, self.stdin, self.stdout = 5, os.fdopen(self._asked, "wb"), os.fdopen(answers, "rb")
        self.seen, self.killed = [], False
        self._thread = threading.Thread(
            daemon=True, target=self._serve, args=(os.fdopen(inside, "rb"), os.fdopen(outside, "wb"), fate)
        )
        self._thread.start()

    def _serve(self, asked, answers, fate):
        with asked, answers:
            for line in asked:
                folder, stage, part = json.loads(line)
                self.seen.append((folder, stage, part))
                answer = fate(part)
                answers.write(answer)
                answers.flush()
                if not answer.endswith(b"\n"):
                    return

    def kill(self):
        self.killed = True

    def wait(self):
        if not self.stdin.closed:
            self.stdin.close()
        self._thread.join()
        return -9


@pytest.fixture
def workers(monkeypatch):
    """The executor's processes, in the order in which they began."""
    begun = []

    def use(fate):
        def start(module, path):
            assert module == "minilm.pipeline.serve"
            begun.append(Worker(fate))
            return begun[-1]

        monkeypatch.setattr(isolated, "start", start)
        return begun

    return use


def done(part):
    return json.dumps({"part": part}).encode() + b"\n"


def test_here_computes_one_after_the_other(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(processes, "run_part", lambda *words: asked.append(words))
    found = Here()(tmp_path, "read", [3, 1])
    assert (next(found), len(asked)) == (3, 1)
    assert list(found) == [1]
    assert asked == [(tmp_path, "read", 3), (tmp_path, "read", 1)]
    Here().close()


@pytest.mark.parametrize("count", [1, 3, 20])
def test_each_part_is_computed_once(workers, tmp_path, count):
    begun, executor = workers(done), Processes(count)
    for stage, parts in (("read", range(7)), ("held", [5]), ("scatter", [])):
        assert sorted(executor(tmp_path, stage, parts)) == sorted(parts)
    executor.close()
    assert sorted(seen for worker in begun for seen in worker.seen) == sorted(
        [*((str(tmp_path), "read", part) for part in range(7)), (str(tmp_path), "held", 5)]
    )
    assert len(begun) == min(count, 7)  # no more than there were parts
    assert all(worker.killed and worker.stdin.closed and worker.stdout.closed for worker in begun)
    assert executor._workers == []


FATES = {
    "it is gone": (b"", DataError, r"process 5 is gone \(exit status -9\) with the part that it computed"),
    "it is gone within an answer": (b'{"part"', DataError, "process 5 is gone"),
    "a message": (b'{"message": "no room"}\n', DataError, "^no room$"),
    "a system's error": (
        b'{"errno": 28, "message": "No space left on device", "file": "/x/y"}\n', OSError, "No space left",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FATES)
def test_what_becomes_of_a_part_is_told(workers, tmp_path, case):
    answer, kind, message = FATES[case]

    begun, executor = workers(lambda part: done(part) if part < 2 else answer), Processes(1)
    found = executor(tmp_path, "read", [0, 1, 2, 3])
    assert [next(found), next(found)] == [0, 1]
    with pytest.raises(kind, match=message) as raised:
        next(found)
    if kind is OSError:
        assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, "/x/y")
    executor.close()
    assert begun[0].killed
