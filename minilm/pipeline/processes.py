"""Who computes the parts: this process, others on this machine. (Other machines: `minilm.pipeline.cluster`.)

An executor is called with a folder, a stage and the numbers of its parts, and gives each number back when that part is done.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import SimpleQueue
from subprocess import Popen
from typing import Protocol

from minilm import isolated
from minilm.data.errors import DataError
from minilm.pipeline.stages import run_part


class Executor(Protocol):
    """Computes the parts of a stage."""

    def __call__(self, folder: Path, stage: str, parts: Sequence[int]) -> Iterator[int]:
        """Each part's number, when it is done.

        Raises:
            DataError, OSError: a part cannot be computed, or who computed it is gone.
        """
        ...

    def close(self) -> None:
        """Ends the others."""


class Here:
    """One part after the other, in this process."""

    def __call__(self, folder: Path, stage: str, parts: Sequence[int]) -> Iterator[int]:
        for part in parts:
            run_part(folder, stage, part)
            yield part

    def close(self) -> None:
        """Nothing is to be ended."""


class Processes:
    """So many processes on this machine, each with one part at a time; a new part goes to the first one that is free.

    They begin when they are needed first, and end with this process, however it ends: then their input does, too.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._workers: list[Popen[bytes]] = []

    def __call__(self, folder: Path, stage: str, parts: Sequence[int]) -> Iterator[int]:
        count = min(self.count, len(parts))
        while len(self._workers) < count:
            self._workers.append(isolated.start("minilm.pipeline.serve", isolated.module_path()))
        free: SimpleQueue[Popen[bytes]] = SimpleQueue()
        for worker in self._workers[:count]:
            free.put(worker)

        def compute(part: int) -> int:
            worker = free.get()
            try:
                return _asked(worker, folder, stage, part)
            finally:
                free.put(worker)

        waiting = ThreadPoolExecutor(max(count, 1))  # a thread for each process, which waits for its answer
        try:
            for done in as_completed([waiting.submit(compute, part) for part in parts]):
                yield done.result()
        finally:
            waiting.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """Ends the processes: what they were at is computed again."""
        for worker in self._workers:
            worker.kill()
            worker.wait()
            for pipe in (worker.stdin, worker.stdout):
                assert pipe is not None
                with contextlib.suppress(OSError):  # what it was asked and did not read any more
                    pipe.close()
        self._workers.clear()


def _asked(worker: Popen[bytes], folder: Path, stage: str, part: int) -> int:
    """The number of the part, when the process has computed it."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    try:
        worker.stdin.write(json.dumps([str(folder), stage, part]).encode() + b"\n")
        worker.stdin.flush()
        line = worker.stdout.readline()
    except (OSError, ValueError):
        raise _gone(worker) from None
    if not line.endswith(b"\n"):
        raise _gone(worker)
    answer = json.loads(line)
    if "part" in answer:
        return int(answer["part"])
    if "errno" in answer:
        raise OSError(answer["errno"], answer["message"], answer["file"])
    raise DataError(answer["message"])


def _gone(worker: Popen[bytes]) -> DataError:
    return DataError(
        f"process {worker.pid} is gone (exit status {worker.wait()}) with the part that it computed. If memory ran out, use fewer "
        "--processes. Run the same command again: it goes on where it was"
    )


__all__ = ["Executor", "Here", "Processes"]
