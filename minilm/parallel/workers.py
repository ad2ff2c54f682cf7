"""Other processes that compute: how they are started, asked, waited for and ended."""

from __future__ import annotations

import contextlib
import pickle
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

from minilm import isolated

FAREWELL = 5.0  # seconds for all processes together to end by themselves


class WorkerError(RuntimeError):
    """A process that computed a part of the batch failed, does not answer, or is gone."""


class Worker:
    """Another process, and the pipes to it.

    Args:
        number: its place in messages, and its row in the shared array: 1 for the first.
        path: where it looks for modules (`isolated.module_path`).
    """

    def __init__(self, number: int, path: list[str]) -> None:
        self.number = number
        self.process = isolated.start("minilm.parallel.serve", path)

    def send(self, message: Any) -> None:
        """Sends something for `minilm.parallel.serve`.

        Raises:
            WorkerError: the process is gone.
        """
        assert self.process.stdin is not None
        try:
            pickle.dump(message, self.process.stdin, pickle.HIGHEST_PROTOCOL)
            self.process.stdin.flush()
        except (OSError, ValueError):
            raise self._gone() from None

    def receive(self, timeout: float) -> Any:
        """Its answer to the first message that is not answered yet.

        Raises:
            WorkerError: the process failed, is gone, or has not answered within so many seconds; then it is ended.
        """
        assert self.process.stdout is not None
        try:
            if not _has_answered(self.process.stdout, timeout):
                raise self._silent(timeout)
            failed, answer = pickle.load(self.process.stdout)
        except (OSError, EOFError, ValueError, pickle.UnpicklingError):
            raise self._gone() from None
        if failed:
            raise WorkerError(f"DataParallel: process {self.number} failed:\n{answer}")
        return answer

    def _gone(self) -> WorkerError:
        with contextlib.suppress(subprocess.TimeoutExpired):  # its pipe may be closed a moment before it has ended
            self.process.wait(1)
        return WorkerError(
            f"DataParallel: process {self.number} is gone (exit status {self.process.poll()}), with its part of the batch. "
            "If memory ran out, use fewer processes; make a new DataParallel to go on."
        )

    def _silent(self, timeout: float) -> WorkerError:
        pid, number = self.process.pid, self.number
        stopped = _state(pid) == "T"
        self.process.kill()  # what it may still answer would be taken for its next part
        what = "is stopped (SIGSTOP, or Ctrl-Z)" if stopped else "is still at work, or hangs"
        return WorkerError(
            f"DataParallel: process {number} (pid {pid}) has not answered for {timeout:g} seconds: it {what}, and was ended. "
            "Make a new DataParallel to go on, with a longer timeout=... if a part of the batch may take that long."
        )


def _has_answered(pipe: IO[bytes], timeout: float) -> bool:
    """Whether there is something to read, or the end of the pipe, within so many seconds; on Windows pipes cannot be asked.

    It waits a second at a time: while Ctrl-Z stops all processes, no more than one of these passes.
    """
    if sys.platform == "win32":
        return True
    while timeout > 0:
        if select.select([pipe], [], [], min(timeout, 1.0))[0]:
            return True
        timeout -= 1.0
    return False


def _state(pid: int) -> str:
    """The state of a process as Linux tells it ("T": stopped); elsewhere unknown."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def stop(workers: list[Worker]) -> None:
    """Ends processes: without their input they leave by themselves, within `FAREWELL`; a stopped one cannot."""
    for worker in workers:
        assert worker.process.stdin is not None
        assert worker.process.stdout is not None
        with contextlib.suppress(OSError):
            worker.process.stdin.close()
        worker.process.stdout.close()
    end = time.monotonic() + FAREWELL
    for worker in workers:
        try:
            worker.process.wait(0 if _state(worker.process.pid) == "T" else max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            worker.process.kill()
            worker.process.wait()
    workers.clear()


__all__ = ["Worker", "WorkerError", "stop"]
