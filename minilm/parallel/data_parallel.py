r"""A batch split over processes: each has the whole model, and computes the gradient of its own rows.

For a loss that is a mean over N rows, cut into parts of :math:`n_k` rows,

.. math:: L = \sum_k \frac{n_k}{N} L_k, \qquad \nabla L = \sum_k \frac{n_k}{N} \nabla L_k,

so the parts can be computed side by side and added, which is data parallelism (Li et al. 2020, "PyTorch Distributed", section 2.1).
Processes, not threads: between two calls of NumPy a Python thread holds the interpreter's lock, and where calls take some
microseconds each, two threads are no faster than one (see `minilm.backend.threads`). Each process computes on a thread of its own, so
nothing waits but for the slowest part. Parameters and gradients cross in one shared array each.
"""

from __future__ import annotations

import contextlib
import itertools
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np

from minilm import random
from minilm.backend import get_num_threads, set_num_threads, to_host
from minilm.graph import modes
from minilm.nn.module import Module
from minilm.optim.flat import cut
from minilm.parallel.pickling import pickled
from minilm.parallel.serve import part_backward
from minilm.parallel.shared import shared_array
from minilm.parallel.workers import Worker, stop, worker_path
from minilm.tensor import Tensor
from minilm.types import HostArray

BEGINNING = 120.0  # seconds at least for a process to import what it needs, on a machine that is busy


class DataParallel:
    """Computes a model's loss and its gradients on several processes, each with a part of the batch.

    ::

        with ml.parallel.DataParallel(model, processes=2) as parallel:
            for x, y in batches:
                optimizer.zero_grad()
                loss = parallel.backward(x, y)    # as: loss = model.loss(x, y); loss.backward()
                optimizer.step()

    The gradients are those of the whole batch up to rounding, and the same in every run with as many processes. Random ops
    draw from keys that come from `minilm.random`, one per process and step. Of a layer that keeps running statistics, those of
    this process's part are kept, and its batch is the part, as in PyTorch's DistributedDataParallel.

    Args:
        model: on the CPU, all parameters of one dtype; its class must be importable (not defined in a notebook).
        processes: how many, this one included; default: one per core.
        method: the model's method that returns the mean loss over the rows of its arguments.
        timeout: seconds to wait for the other processes once this one's part is done. (Not on Windows: there it waits on.)

    Raises:
        ValueError: `processes` is below 1, or above 1 while the model's parameters are none, of several dtypes or not on the CPU;
            `timeout` is not positive.
        TypeError: the model has no such method, or cannot be sent to another process.
        OSError: neither memory nor disk has room for the shared parameters and gradients.
        WorkerError: a process could not be started.
    """

    def __init__(
        self, model: Module, processes: int | None = None, method: str = "loss", timeout: float = 60.0
    ) -> None:
        count = get_num_threads() if processes is None else processes
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ValueError(f"DataParallel: processes must be an integer of at least 1, got {processes!r}.")
        if not callable(getattr(model, method, None)):
            raise TypeError(f"DataParallel: {type(model).__name__} has no method {method!r} that returns a loss.")
        if not timeout > 0:
            raise ValueError(f"DataParallel: timeout must be a positive number of seconds, got {timeout!r}.")
        self.model, self.method, self.processes, self.timeout = model, method, count, timeout
        self._workers: list[Worker] = []
        self._params: list[Tensor] = list(model.parameters())
        if count > 1:
            _check_parameters(self._params)
            self._start(count - 1)

    def _start(self, count: int) -> None:
        message, modules = pickled(self.model)
        path = worker_path(modules)
        size, dtype = sum(p.size for p in self._params), self._params[0].dtype
        with shared_array((count + 1, size), dtype) as (name, self._shared):
            self._workers = []
            self._finalizer = weakref.finalize(self, stop, self._workers)
            try:
                for i in range(1, count + 1):
                    self._workers.append(Worker(i, path))
                for worker in self._workers:
                    worker.send((message, self.method, name, self._shared.shape, dtype.str))
                for worker in self._workers:
                    worker.receive(max(self.timeout, BEGINNING))  # all have opened the array: its name may go
            except BaseException:
                self.close()
                raise

    def backward(self, *batch: Any, scale: float = 1.0) -> Tensor:
        """The loss of the whole batch, whose gradients are added to the parameters' ``grad``.

        Args:
            batch: what the method takes, each with one row per example: arrays or CPU Tensors with the same first axis.
            scale: multiplies the loss, as 1 / n where the gradients of n batches are accumulated.

        Raises:
            WorkerError: another process failed (its traceback is in the message), is gone, or does not answer within `timeout`.
            ValueError: the arguments have no rows, or not equally many.
        """
        if not self._workers or modes.observers:  # an observer sees this process only
            loss: Tensor = getattr(self.model, self.method)(*batch) * scale
            loss.backward()
            return loss.detach()
        arrays = [to_host(x.data) if isinstance(x, Tensor) else np.asarray(x) for x in batch]
        rows = _rows(arrays)
        parts = min(len(self._workers) + 1, rows)
        cuts = [rows * k // parts for k in range(parts + 1)]
        pieces = [[x[start:end] for x in arrays] for start, end in itertools.pairwise(cuts)]
        shares = [scale * len(piece[0]) / rows for piece in pieces]
        np.concatenate([p.data.reshape(-1) for p in self._params], out=self._shared[0])
        about = self.model.training, [p.requires_grad for p in self._params]
        busy = self._workers[: parts - 1]
        for worker, piece, share in zip(busy, pieces[1:], shares[1:], strict=True):
            worker.send((piece, share, random.next_key(), *about, worker.number))
        try:
            with _one_thread():
                total = part_backward(self.model, self.method, pieces[0], shares[0])
        finally:  # after an error, too: else they would answer the next call
            replies = [worker.receive(self.timeout) for worker in busy]
        for worker, (loss_share, touched) in zip(busy, replies, strict=True):
            self._add(self._shared[worker.number], touched)
            total += loss_share
        return Tensor(np.asarray(total, self._shared.dtype))

    def _add(self, flat: HostArray, touched: list[bool]) -> None:
        """Adds a worker's gradients to this process's."""
        for p, part, has in zip(self._params, cut(flat, self._params), touched, strict=True):
            if has and p.grad is None:
                p.grad = Tensor(part.copy())
            elif has and p.grad is not None:
                p.grad.data += part

    def close(self) -> None:
        """Ends the other processes; afterwards `backward` computes here alone."""
        stop(self._workers)

    def __enter__(self) -> DataParallel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _check_parameters(params: list[Tensor]) -> None:
    if not params:
        raise ValueError("DataParallel: the model has no parameters.")
    for p in params:
        if p.device.name != "cpu" or p.dtype != params[0].dtype:
            raise ValueError(
                f"DataParallel: all parameters must be on the CPU and of one dtype, got {params[0].dtype} on "
                f"{params[0].device.name} and {p.dtype} on {p.device.name}; use model.to(...)."
            )


def _rows(arrays: list[HostArray]) -> int:
    """How many rows a batch has."""
    lengths = {len(x) if x.ndim else 0 for x in arrays}
    if len(lengths) != 1 or not lengths.copy().pop():
        raise ValueError(
            f"DataParallel: every argument needs one row an example, got shapes {[x.shape for x in arrays]}."
        )
    return lengths.pop()


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Within it, this process computes on one thread: the others have the other cores."""
    before = get_num_threads()
    set_num_threads(1)
    try:
        yield
    finally:
        set_num_threads(before)


__all__ = ["DataParallel"]
