"""Grading in several processes at once. One that dies is replaced, and its answer gets a row with the reason."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

PATIENCE = 600.0  # seconds for one answer, all its tests and limits included: more means that the grader itself hangs
Question = dict[str, Any]
Record = dict[str, Any]


def cores() -> int:
    """How many processes can run at once."""
    from minilm.backend.threads import processors

    return processors()


def ask(questions: Sequence[Question], jobs: int, done: Callable[[Question, Record], None]) -> None:
    """Has all questions graded; `done` is called for each, one at a time, in the order in which they end.

    Raises:
        KeyboardInterrupt: after Ctrl-C; the processes are ended first. What `done` raises is raised, too.
    """
    waiting: queue.SimpleQueue[Question] = queue.SimpleQueue()
    for question in questions:
        waiting.put(question)
    ended: queue.SimpleQueue[tuple[Question, Record] | BaseException] = queue.SimpleQueue()
    workers = [_Worker(waiting, ended) for _ in range(max(1, min(jobs, len(questions))))]
    try:
        for worker in workers:
            worker.start()
        left = len(questions)
        while left:
            with contextlib.suppress(queue.Empty):  # a wait without end would not see Ctrl-C on Windows
                item = ended.get(timeout=0.5)
                if isinstance(item, BaseException):
                    raise item
                done(*item)
                left -= 1
    finally:
        for worker in workers:
            worker.stop()
        for worker in workers:
            worker.join()


class _Worker(threading.Thread):
    """A thread that keeps one process busy."""

    def __init__(self, waiting: queue.SimpleQueue[Question], ended: queue.SimpleQueue[Any]) -> None:
        super().__init__(daemon=True)
        self.waiting, self.ended = waiting, ended
        self.process: subprocess.Popen[str] | None = None
        self.stopped = False

    def run(self) -> None:
        try:
            while not self.stopped:
                question = self.waiting.get_nowait()
                self.ended.put((question, self._graded(question)))
        except queue.Empty:
            pass
        except BaseException as error:
            if not self.stopped:
                self.ended.put(error)
        finally:
            self._end()

    def _graded(self, question: Question) -> Record:
        process = self.process = self.process or _started()
        assert process.stdin is not None
        assert process.stdout is not None
        timer = threading.Timer(PATIENCE, _kill, (process,))
        timer.start()
        try:
            process.stdin.write(json.dumps(question) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except (BrokenPipeError, ValueError, OSError):
            line = ""
        finally:
            timer.cancel()
        if line.endswith("\n"):
            return dict(json.loads(line))
        self._end()
        return {"status": "failed", "reason": "the process that graded it ended without a result.", "seconds": 0.0}

    def stop(self) -> None:
        self.stopped = True
        self._end()

    def _end(self) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        _kill(process)
        process.wait()
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError, ValueError):
                if stream is not None:
                    stream.close()


def _started() -> subprocess.Popen[str]:
    # One thread each, since there are as many processes as cores; sets and dicts in the same order in each.
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return subprocess.Popen(
        [sys.executable, "-m", "minilm.exercises.classroom.worker"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8",
        env={**os.environ, **threads, "PYTHONHASHSEED": "0", "MPLBACKEND": "Agg"},
        start_new_session=True,
    )  # fmt: skip


def _kill(process: subprocess.Popen[str]) -> None:
    """Ends a process and those that it started."""
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
