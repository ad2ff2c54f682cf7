"""The process that an answer runs in, as its parent sees it: started, read from, ended with all that it started."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import selectors
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minilm.exercises import child

SLACK = 0.5
PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from minilm.exercises.child import main; main()"


class Process:
    """A process whose notes can be read."""

    status: int | None = None  # of its end: negative for a signal

    def chunk(self, seconds: float) -> bytes | None:
        """What came within so many seconds: b"" at the end of the notes, None where nothing came."""
        raise NotImplementedError

    def kill(self) -> None:
        """Ends it, and what it started; may be called again."""
        raise NotImplementedError


class Forked(Process):
    def __init__(self, serve: Callable[[child.Notes, int], None], job: dict[str, Any]) -> None:
        dump = os.open(job["dump"], os.O_WRONLY | os.O_CREAT, 0o600)
        read, write = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of threads: the child uses none of theirs
            self.pid = os.fork()
        if self.pid == 0:
            try:
                child.leave_parent({write, dump})
                serve(child.Notes(write), dump)
            finally:
                os._exit(4)
        os.close(write)
        os.close(dump)
        self.read = read

    def chunk(self, seconds: float) -> bytes | None:
        return _chunk(self.read, seconds)

    def kill(self) -> None:
        if self.status is not None:
            return
        self.status = _reaped(self.pid)
        os.close(self.read)


class Fresh(Process):
    def __init__(self, job: dict[str, Any]) -> None:
        root = str(Path(__file__).resolve().parent.parent.parent)
        folder = job["folder"]
        keep = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "SYSTEMROOT") if name in os.environ}
        self.process = subprocess.Popen(
            [sys.executable, "-s", "-X", "utf8", "-c", PROGRAM, root],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=folder, start_new_session=os.name == "posix",
            env={**keep, "HOME": folder, "TMPDIR": folder, "TEMP": folder, "TMP": folder, "PYTHONHASHSEED": "0", "MPLBACKEND": "Agg",
                 "MPLCONFIGDIR": folder, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        )  # fmt: skip
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.read = self.process.stdout.fileno()
        with contextlib.suppress(BrokenPipeError):  # it ended before; its status tells
            self.process.stdin.write(json.dumps(job).encode())
            self.process.stdin.close()
        self.queue: queue.Queue[bytes] | None = None
        if os.name != "posix":
            self.queue = queue.Queue()
            threading.Thread(target=self._forward, daemon=True).start()

    def _forward(self) -> None:
        """Windows cannot wait for a pipe for a while: a thread waits."""
        assert self.queue is not None
        while data := os.read(self.read, 1 << 16):
            self.queue.put(data)
        self.queue.put(b"")

    def chunk(self, seconds: float) -> bytes | None:
        if self.queue is None:
            return _chunk(self.read, seconds)
        try:
            return self.queue.get(timeout=max(seconds, 0))
        except queue.Empty:
            return None

    def kill(self) -> None:
        if self.status is not None:
            return
        if os.name == "posix":
            self.status = _reaped(self.process.pid)
            self.process.returncode = self.status  # or Popen would wait for it again
        else:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(SLACK)
            self.process.kill()
            self.status = self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def _chunk(descriptor: int, seconds: float) -> bytes | None:
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        return os.read(descriptor, 1 << 16) if selector.select(max(seconds, 0)) else None


def _reaped(pid: int) -> int:
    """The status of a process that has ended, or is ended now; what it started ends with it, as far as it stayed in its group."""
    ended = _ended_within(pid, SLACK)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        if not ended:
            os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _ended_within(pid: int, seconds: float) -> bool:
    """Whether a child has ended, or does within a short while. It stays a zombie, so that its number is not given to another."""
    if not hasattr(os, "waitid"):
        return False
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return True
        time.sleep(0.002)
    return False
