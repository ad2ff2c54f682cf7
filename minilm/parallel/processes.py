"""Members on one machine: processes that this one starts and leads. Parameters and gradients cross in one shared array each."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator, Sequence

import numpy as np

from minilm import isolated, random
from minilm.backend import get_num_threads, set_num_threads
from minilm.nn.module import Module
from minilm.parallel.members import Flat, Members, Share
from minilm.parallel.pickling import pickled
from minilm.parallel.shared import shared_array
from minilm.parallel.workers import Worker, stop
from minilm.tensor import Tensor
from minilm.types import HostArray

BEGINNING = 120.0  # seconds at least for a process to import what it needs, on a machine that is busy


class Processes(Members):
    """Processes that have the whole model.

    Args:
        model: on the CPU; its class must be importable.
        method: the model's method that returns the loss.
        count: how many, this one included.
        timeout: seconds to wait for the others once this one's part is done.

    Raises:
        TypeError: the model cannot be sent to another process.
        OSError: neither memory nor disk has room for the shared parameters and gradients.
        WorkerError: a process could not be started.
    """

    def __init__(self, model: Module, method: str, count: int, timeout: float) -> None:
        self.count, self.timeout = count, timeout
        message, modules = pickled(model)
        path = isolated.module_path(modules)
        params = list(model.parameters())
        self.numbers, dtype = sum(p.size for p in params), params[0].dtype
        self.workers: list[Worker] = []
        self._busy: list[Worker] = []
        with shared_array((count, Flat(params).size), dtype) as (name, self.shared):
            self._finalizer = weakref.finalize(self, stop, self.workers)
            try:
                for i in range(1, count):
                    self.workers.append(Worker(i, path))
                for worker in self.workers:
                    worker.send((message, method, name, self.shared.shape, dtype.str))
                for worker in self.workers:
                    worker.receive(max(timeout, BEGINNING))  # all have opened the array: its name may go
            except BaseException:
                self.close()
                raise

    def begin(self, shares: Sequence[Share], model: Module, params: Sequence[Tensor]) -> None:
        """Lays the parameters into the first row of the shared array, and hands out what has rows."""
        np.concatenate([p.data.reshape(-1) for p in params], out=self.shared[0, : self.numbers])
        about = random.get_state(), model.training, [p.requires_grad for p in params]
        self._busy = []
        for worker, share in zip(self.workers, shares[1:], strict=True):
            if share.weight:
                worker.send((share, *about, worker.number))
                self._busy.append(worker)

    @contextlib.contextmanager
    def computing(self) -> Iterator[None]:
        """On one thread: the others have the other cores."""
        before = get_num_threads()
        set_num_threads(1)
        try:
            yield
        finally:
            set_num_threads(before)

    def sum(self, own: HostArray) -> HostArray:
        self._answers()
        total = own.copy()
        for worker in self._busy:
            total += self.shared[worker.number]
        return total

    def fail(self, error: BaseException) -> None:
        """Takes the answers out of the pipes: else they would answer the next call."""
        self._answers()

    def _answers(self) -> None:
        for worker in self._busy:
            worker.receive(self.timeout)

    def close(self) -> None:
        stop(self.workers)


__all__ = ["Processes"]
