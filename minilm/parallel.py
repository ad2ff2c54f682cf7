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
import io
import itertools
import math
import mmap
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import traceback
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from minilm import random
from minilm.backend import get_num_threads, set_num_threads, to_host
from minilm.graph import modes
from minilm.nn.module import Module
from minilm.tensor import Tensor

Array = np.ndarray[Any, Any]


class WorkerError(RuntimeError):
    """A process that computed a part of the batch failed, or is gone."""


class DataParallel:
    """Computes a model's loss and its gradients on several processes, each with a part of the batch.

    ::

        with ml.parallel.DataParallel(model, processes=2) as parallel:
            for x, y in batches:
                optimizer.zero_grad()
                loss = parallel.backward(x, y)    # as: loss = model.loss(x, y); loss.backward()
                optimizer.step()

    The gradients are those of the whole batch up to rounding, and the same in every run with as many processes. Random ops
    draw from keys that come from `minilm.random`, one a process and step. Of a layer that keeps running statistics, those of
    this process's part are kept, and its batch is the part, as in PyTorch's DistributedDataParallel.

    Args:
        model: on the CPU, all parameters of one dtype; its class must be importable (not defined in a notebook).
        processes: how many, this one included; default: one for each core.
        method: the model's method that returns the mean loss over the rows of its arguments.

    Raises:
        ValueError: `processes` is below 1, or above 1 while the model's parameters are none, of several dtypes or not on the CPU.
        TypeError: the model has no such method, or cannot be sent to another process.
    """

    def __init__(self, model: Module, processes: int | None = None, method: str = "loss") -> None:
        count = get_num_threads() if processes is None else processes
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ValueError(f"DataParallel: processes must be an integer of at least 1, got {processes!r}.")
        if not callable(getattr(model, method, None)):
            raise TypeError(f"DataParallel: {type(model).__name__} has no method {method!r} that returns a loss.")
        self.model, self.method, self.processes = model, method, count
        self._workers: list[_Worker] = []
        self._params: list[Tensor] = list(model.parameters())
        if count > 1:
            _check_parameters(self._params)
            self._start(count - 1)

    def _start(self, count: int) -> None:
        message = _pickled(self.model)
        size, dtype = sum(p.size for p in self._params), self._params[0].dtype
        with _shared_array((count + 1, size), dtype) as (path, self._shared):
            self._workers = [_Worker(i) for i in range(1, count + 1)]
            self._finalizer = weakref.finalize(self, _stop, self._workers)
            for worker in self._workers:
                worker.send((message, self.method, path, self._shared.shape, dtype.str))
            for worker in self._workers:
                worker.receive()  # all have opened the array: its name may go

    def backward(self, *batch: Any, scale: float = 1.0) -> Tensor:
        """The loss of the whole batch, whose gradients are added to the parameters' ``grad``.

        Args:
            batch: what the method takes, each with one row an example: arrays or CPU Tensors with the same first axis.
            scale: multiplies the loss, as 1 / n where the gradients of n batches are accumulated.

        Raises:
            WorkerError: another process failed; its traceback is in the message.
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
                total = _part_backward(self.model, self.method, pieces[0], shares[0])
        finally:
            replies = [worker.receive() for worker in busy]  # also after an error: else they would answer the next call
        for worker, (loss_share, touched) in zip(busy, replies, strict=True):
            self._add(self._shared[worker.number], touched)
            total += loss_share
        return Tensor(np.asarray(total, self._shared.dtype))

    def _add(self, flat: Array, touched: list[bool]) -> None:
        """Adds a worker's gradients to this process's."""
        for p, part, has in zip(self._params, _pieces(flat, self._params), touched, strict=True):
            if has and p.grad is None:
                p.grad = Tensor(part.copy())
            elif has and p.grad is not None:
                p.grad.data += part

    def close(self) -> None:
        """Ends the other processes; afterwards `backward` computes here alone."""
        _stop(self._workers)

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


def _pickled(model: Module) -> bytes:
    if type(model).__module__ == "__main__":
        raise TypeError(
            f"DataParallel: other processes cannot import {type(model).__name__} from a notebook or script; move it to a module."
        )
    buffer = io.BytesIO()
    try:
        _Pickler(buffer, pickle.HIGHEST_PROTOCOL).dump(model)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise TypeError(f"DataParallel: the model cannot be sent to another process: {error}") from None
    return buffer.getvalue()


class _Pickler(pickle.Pickler):
    """Pickles Tensors, which refuse it elsewhere: here both ends are one program, and nothing is read from a file."""

    def reducer_override(self, x: Any) -> Any:
        if isinstance(x, Tensor):
            return _unpickled, (type(x), to_host(x.data), x.requires_grad, x.name)
        return NotImplemented


def _unpickled(cls: type[Tensor], array: Array, requires_grad: bool, name: str | None) -> Tensor:
    tensor = cls(array)
    tensor.requires_grad, tensor.name = requires_grad, name
    return tensor


def _rows(arrays: list[Array]) -> int:
    """How many rows a batch has."""
    lengths = {len(x) if x.ndim else 0 for x in arrays}
    if len(lengths) != 1 or not lengths.copy().pop():
        raise ValueError(
            f"DataParallel: every argument needs one row an example, got shapes {[x.shape for x in arrays]}."
        )
    return lengths.pop()


@contextlib.contextmanager
def _shared_array(shape: tuple[int, int], dtype: Any) -> Iterator[tuple[str, Array]]:
    """A file, in memory where the system has such, and an array on it; only those who open it within see it."""
    folder = "/dev/shm" if Path("/dev/shm").is_dir() and os.access("/dev/shm", os.W_OK) else None
    with tempfile.NamedTemporaryFile(prefix="minilm-", dir=folder, delete=False) as file:
        file.truncate(math.prod(shape) * dtype.itemsize)
    try:
        yield file.name, _open_shared(file.name, shape, dtype)
    finally:
        with contextlib.suppress(OSError):  # Windows keeps it while it is open
            Path(file.name).unlink()


def _open_shared(path: str, shape: tuple[int, int], dtype: Any) -> Array:
    with open(path, "r+b") as file:
        return np.frombuffer(mmap.mmap(file.fileno(), 0), dtype).reshape(shape)


def _pieces(flat: Array, params: Sequence[Tensor]) -> list[Array]:
    """Views of a flat array, shaped like the parameters one after another."""
    ends = np.cumsum([p.size for p in params])
    return [flat[end - p.size : end].reshape(p.shape) for p, end in zip(params, ends, strict=True)]


def _part_backward(model: Module, method: str, piece: list[Array], share: float) -> float:
    """Adds a part's share of the gradient to the parameters, and returns its share of the loss."""
    loss = getattr(model, method)(*piece) * share
    loss.backward()
    return float(loss.item())


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Within it, this process computes on one thread: the others have the other cores."""
    before = get_num_threads()
    set_num_threads(1)
    try:
        yield
    finally:
        set_num_threads(before)


class _Worker:
    """Another process, and the pipes to it."""

    def __init__(self, number: int) -> None:
        self.number = number
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        path = [str(Path(__file__).parent.parent), *sys.path]  # what can be imported here can be there
        environment["PYTHONPATH"] = os.pathsep.join(p for p in path if p)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "minilm.parallel"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )

    def send(self, message: Any) -> None:
        assert self.process.stdin is not None
        try:
            pickle.dump(message, self.process.stdin, pickle.HIGHEST_PROTOCOL)
            self.process.stdin.flush()
        except (BrokenPipeError, ValueError):
            raise self._gone() from None

    def receive(self) -> Any:
        assert self.process.stdout is not None
        try:
            failed, answer = pickle.load(self.process.stdout)
        except (EOFError, ValueError, pickle.UnpicklingError):
            raise self._gone() from None
        if failed:
            raise WorkerError(f"DataParallel: process {self.number} failed:\n{answer}")
        return answer

    def _gone(self) -> WorkerError:
        return WorkerError(
            f"DataParallel: process {self.number} is gone (exit status {self.process.poll()}), with its part of the batch. "
            "If memory ran out, use fewer processes; make a new DataParallel to go on."
        )


def _stop(workers: list[_Worker]) -> None:
    """Ends processes: without their input they leave by themselves."""
    for worker in workers:
        assert worker.process.stdin is not None
        assert worker.process.stdout is not None
        with contextlib.suppress(OSError):
            worker.process.stdin.close()
        worker.process.stdout.close()
        try:
            worker.process.wait(5)
        except subprocess.TimeoutExpired:
            worker.process.kill()
            worker.process.wait()
    workers.clear()


def _serve(source: BinaryIO, answers: BinaryIO) -> None:
    """What a worker does: gradients of one part after another, until its input ends."""

    def answer(failed: bool, content: Any) -> None:
        pickle.dump((failed, content), answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()

    serve_part = None
    while True:
        try:
            message = pickle.load(source)
        except EOFError:
            return
        try:
            if serve_part is None:
                serve_part, content = _part_server(*message), None
            else:
                content = serve_part(*message)
            answer(False, content)
        except Exception:
            answer(True, traceback.format_exc())


def _part_server(message: bytes, method: str, path: str, shape: tuple[int, int], dtype: str) -> Any:
    """The function that computes a part's gradients into this worker's row of the shared array."""
    model: Module = pickle.loads(message)
    params, shared = list(model.parameters()), _open_shared(path, shape, np.dtype(dtype))
    for p, weights in zip(params, _pieces(shared[0], params), strict=True):
        p.data = weights

    def serve(
        piece: list[Array], share: float, key: int, training: bool, needs: list[bool], row: int
    ) -> tuple[float, list[bool]]:
        random.manual_seed(key)
        model.train(training)
        for p, need in zip(params, needs, strict=True):
            p.requires_grad, p.grad = need, None
            p.bump_version()
        loss = _part_backward(model, method, piece, share)
        for p, g in zip(params, _pieces(shared[row], params), strict=True):
            if p.grad is not None:
                g[...] = p.grad.data
        return loss, [p.grad is not None for p in params]

    return serve


def _main() -> None:
    """Answers go to what was standard output; what a model prints goes to the errors'."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all: the first process decides
    answers = io.FileIO(os.dup(1), "wb")
    os.dup2(2, 1)
    _serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    _main()
