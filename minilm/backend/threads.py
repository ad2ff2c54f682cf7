"""Threads for what NumPy computes on one, and for matrix products in place of BLAS's own.

NumPy lets go of the interpreter's lock inside its loops, so that two Python threads compute at once. Each time a thread finds the
lock taken it sleeps, and waking costs 10 to 50 microseconds, as much as a pass over 200,000 numbers: threads pay only
where each NumPy call is longer than that. So only large arrays are handed out, in blocks of `Blocked.thread_size`, whose
number never depends on that of the threads; no sum crosses a block. Such results have the same bits on one thread and on many.

OpenBLAS multiplies on threads of its own. They wait for each other awake, several times in a product, and for the next product
for some 20 milliseconds. Where any other program keeps a core busy, a training step on two of them took 1.8 times as long as on
one. The pool's threads sleep until there is work, and work that nobody has begun is done by whoever handed it out: the same step
took as long as on one thread. On an idle machine a thread that has to be woken costs 20 to 80 microseconds a product. So every product of
minilm keeps BLAS on one thread (`CpuDevice.multiply`), and a large one is cut over the pool (`CpuDevice.matmul`).
"""

from __future__ import annotations

import contextvars
import ctypes
import itertools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy


def can_start_threads() -> bool:
    """Whether there are threads at all: in a web page Python has one."""
    return sys.platform != "emscripten"


def available_threads() -> int:
    """The number of threads to begin with: OMP_NUM_THREADS or OPENBLAS_NUM_THREADS where set, else the cores of this process."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        value = os.environ.get(name, "")
        if value.isdigit() and int(value) > 0 and can_start_threads():
            return int(value)
    return processors()


def processors() -> int:
    """Those that this process may use."""
    if not can_start_threads():
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


WINDOW = 0.05  # seconds of work on several threads, after which it is looked at how they went
LEAST_COMPUTING = 0.55  # of that time; on an idle machine it is 0.9, beside one busy process 0.6
SHORTEST_REST, LONGEST_REST = 0.1, 3.2  # seconds
thread_time = getattr(time, "thread_time", time.perf_counter)  # where it is not known, nobody waits


class ThreadPool:
    """Threads that wait for blocks of work, next to the thread that hands them out.

    Beside other programs a helper that has begun a block may not be running, and everybody waits for it; two trainings at once
    took 1.5 times as long as on one thread each. So where the thread that hands out work computed for less than `LEAST_COMPUTING` of the
    time, it works alone for a while, each time longer, and then tries again. No digit hangs on that: the blocks are the same.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._alone_until, self._rest = 0.0, SHORTEST_REST
        self._took = self._computed = 0.0  # since it was last looked at
        self._forget()

    def _forget(self) -> None:
        """Begins without helpers: at first, and in a forked process, where no thread but the forking one lives on."""
        self._helpers: list[_Helper] = []
        self._busy = threading.Lock()

    def run(self, function: Callable[..., Any], blocks: Sequence[tuple[Any, ...]]) -> None:
        """Calls ``function(*block)`` for each block, in any order, and returns when all are done.

        Whoever is free takes the next block, so that a core that is busy otherwise holds nobody up. A call from inside a
        block, or from a second thread while the helpers work for the first, runs where it is called.

        Raises:
            Exception: what the first failing block raised; the blocks that were not begun are dropped.
        """
        began = time.perf_counter()
        if len(blocks) < 2 or self.threads < 2 or began < self._alone_until or not self._busy.acquire(blocking=False):
            for block in blocks:
                self.on_one(function, *block)
            return
        computed = thread_time()
        before = blas_threads(1)  # a product inside a block would otherwise wait for all threads of BLAS
        try:
            job = _Job(function, blocks)
            count = min(self.threads, len(blocks)) - 1
            while len(self._helpers) < count:
                self._helpers.append(_Helper())
            for helper in self._helpers[:count]:
                helper.start(job)
            job.work()
            job.finished.acquire()
            self._learn(time.perf_counter() - began, thread_time() - computed)
        finally:
            blas_threads(before)
            self._busy.release()
        if job.error is not None:
            raise job.error

    def _learn(self, took: float, computed: float) -> None:
        """From work that took so many seconds, for so many of which this thread computed."""
        self._took, self._computed = self._took + took, self._computed + computed
        if self._took < WINDOW:
            return
        if self._computed > LEAST_COMPUTING * self._took:
            self._rest = SHORTEST_REST
        else:
            self._alone_until, self._rest = time.perf_counter() + self._rest, min(2 * self._rest, LONGEST_REST)
        self._took = self._computed = 0.0

    def is_free(self) -> bool:
        """Whether it pays to cut work for `run`. Inside a block it does not: the work stays on the block's thread, whole."""
        return self.threads > 1 and not self._busy.locked()

    def on_one(self, function: Callable[..., Any], *args: Any) -> Any:
        """``function(*args)``, with BLAS on one thread; while the helpers work it is on one anyway."""
        if not self._busy.acquire(blocking=False):
            return function(*args)
        before = blas_threads(1)
        try:
            return function(*args)
        finally:
            blas_threads(before)
            self._busy.release()


class _Job:
    """Blocks that several threads take from, one at a time."""

    def __init__(self, function: Callable[..., Any], blocks: Sequence[tuple[Any, ...]]) -> None:
        self.function, self.blocks = function, blocks
        self.error: BaseException | None = None
        self.begun, self.done = itertools.count(), itertools.count(1)  # a step of them cannot be interrupted
        self.finished = threading.Lock()
        self.finished.acquire()
        self.context = contextvars.copy_context()  # NumPy's errstate belongs to it

    def work(self) -> None:
        """Takes blocks until none is left. Whoever ends the last one says so: nobody waits for a thread that came too late."""
        while (i := next(self.begun)) < len(self.blocks):
            try:
                if self.error is None:
                    self.function(*self.blocks[i])
            except BaseException as error:  # raised again where the work was handed out; KeyboardInterrupt too
                self.error = error
            if next(self.done) == len(self.blocks):
                self.finished.release()


class _Helper:
    """One thread and the lock that it waits for: the lightest signal that Python has."""

    def __init__(self) -> None:
        self.waiting = threading.Lock()
        self.waiting.acquire()
        self.job: _Job | None = None
        threading.Thread(target=self._serve, name="minilm", daemon=True).start()

    def start(self, job: _Job) -> None:
        self.job = job
        if self.waiting.locked():  # else it has not yet come to its last job, and finds this one instead
            self.waiting.release()

    def _serve(self) -> None:
        while True:
            self.waiting.acquire()
            job, self.job = self.job, None
            if job is not None:
                job.context.copy().run(job.work)
            del job  # else its arrays would live until the next one


def _find_blas() -> tuple[Any, Any]:
    """OpenBLAS's functions that read and set its number of threads, in the library that NumPy multiplies with."""
    for path in _libraries():
        try:
            library = ctypes.CDLL(path)  # it is loaded already: this asks for the same one
        except OSError:
            continue
        for name in ("scipy_openblas_{}_num_threads64_", "scipy_openblas_{}_num_threads", "openblas_{}_num_threads64_",
                     "openblas_{}_num_threads"):  # fmt: skip
            if hasattr(library, name.format("get")):
                return getattr(library, name.format("get")), getattr(library, name.format("set"))
    return None, None


def _libraries() -> Iterator[str]:
    """Where NumPy's BLAS may be: in what its extension module is linked with, or (on Windows) in a file beside the package."""
    module = sys.modules.get("numpy._core._multiarray_umath")
    if module is not None and module.__file__:
        yield module.__file__
    package = Path(numpy.__file__).parent
    for folder in (package.parent / "numpy.libs", package / ".dylibs"):
        yield from map(str, sorted(folder.glob("*openblas*")))


_get_blas_threads, _set_blas_threads = _find_blas()


def openblas_threads() -> int | None:
    """How many threads the OpenBLAS that NumPy multiplies with uses; None where NumPy brought no OpenBLAS."""
    return None if _get_blas_threads is None else int(_get_blas_threads())


def blas_threads(count: int) -> int:
    """Sets the number of threads that OpenBLAS uses for a product, and returns what it was; 0, where given or returned, is unknown."""
    if _get_blas_threads is None or not count:
        return 0
    before = int(_get_blas_threads())
    if before != count:
        _set_blas_threads(count)
    return before


def has_blas() -> bool:
    """Whether NumPy multiplies with a BLAS. Without one, as in a web page, its product is a plain loop."""
    try:
        return bool(numpy.show_config(mode="dicts")["Build Dependencies"]["blas"].get("found", False))
    except (KeyError, TypeError, AttributeError):  # NumPy says it in another way
        return True


def can_limit_blas() -> bool:
    """Whether NumPy's products can be kept on one thread: only then do threads of our own not compete with BLAS's."""
    return _set_blas_threads is not None


pool = ThreadPool(available_threads())
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=pool._forget)


def set_num_threads(count: int) -> None:
    """Sets how many threads minilm's CPU kernels use, BLAS's included: 1 leaves a process to its own core. A web page has one.

    Raises:
        ValueError: `count` is no integer of at least 1.
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ValueError(f"set_num_threads: expected an integer of at least 1, got {count!r}.")
    pool.threads = count if can_start_threads() else 1
    blas_threads(count)


def get_num_threads() -> int:
    """How many threads minilm's CPU kernels use."""
    return pool.threads
