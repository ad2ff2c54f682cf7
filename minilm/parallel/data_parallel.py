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
import json
import math
import mmap
import os
import pickle
import select
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import weakref
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from minilm import random
from minilm.backend import get_num_threads, set_num_threads, to_host
from minilm.graph import modes
from minilm.nn.module import Module
from minilm.tensor import Tensor
from minilm.types import HostArray

SHARED_FOLDERS = ("/dev/shm", None)  # where the shared array's file is tried: in memory, then among the temporary files
BEGINNING = 120.0  # seconds at least for a process to import what it needs, on a machine that is busy
FAREWELL = 5.0  # seconds for all processes together to end by themselves


class WorkerError(RuntimeError):
    """A process that computed a part of the batch failed, does not answer, or is gone."""


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
        self._workers: list[_Worker] = []
        self._params: list[Tensor] = list(model.parameters())
        if count > 1:
            _check_parameters(self._params)
            self._start(count - 1)

    def _start(self, count: int) -> None:
        message, modules = _pickled(self.model)
        path = worker_path(modules)
        size, dtype = sum(p.size for p in self._params), self._params[0].dtype
        with _shared_array((count + 1, size), dtype) as (name, self._shared):
            self._workers = []
            self._finalizer = weakref.finalize(self, _stop, self._workers)
            try:
                for i in range(1, count + 1):
                    self._workers.append(_Worker(i, path))
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
            batch: what the method takes, each with one row an example: arrays or CPU Tensors with the same first axis.
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
                total = _part_backward(self.model, self.method, pieces[0], shares[0])
        finally:
            replies = [
                worker.receive(self.timeout) for worker in busy
            ]  # after an error, too: else they would answer the next call
        for worker, (loss_share, touched) in zip(busy, replies, strict=True):
            self._add(self._shared[worker.number], touched)
            total += loss_share
        return Tensor(np.asarray(total, self._shared.dtype))

    def _add(self, flat: HostArray, touched: list[bool]) -> None:
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


def _pickled(model: Module) -> tuple[bytes, set[str]]:
    """The model as bytes, and the modules that are needed to make it again."""
    if type(model).__module__ == "__main__":
        raise TypeError(
            f"DataParallel: other processes cannot import {type(model).__name__} from a notebook or script; move it to a module."
        )
    buffer = io.BytesIO()
    pickler = _Pickler(buffer, pickle.HIGHEST_PROTOCOL)
    try:
        pickler.dump(model)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise TypeError(f"DataParallel: the model cannot be sent to another process: {error}") from None
    return buffer.getvalue(), pickler.modules


class _Pickler(pickle.Pickler):
    """Pickles Tensors, which refuse it elsewhere: here both ends are one program, and nothing is read from a file."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.modules: set[str] = set()

    def reducer_override(self, x: Any) -> Any:
        if isinstance(x, Tensor):
            self.modules.add(type(x).__module__)
            return _unpickled, (type(x), to_host(x.data), x.requires_grad, x.name)
        if isinstance(getattr(x, "__module__", None), str):
            self.modules.add(x.__module__)
        return NotImplemented


def worker_path(modules: Iterable[str]) -> list[str]:
    """Where another process looks for modules: where this one does, but not in the current folder.

    A file there that is named like a module of the standard library (random.py, pickle.py) would be imported in its place. Only where
    one of `modules`, which the model needs, lies in the current folder does that folder come last.
    """
    here = os.path.realpath(os.curdir)
    path = [p for p in sys.path if p and os.path.realpath(p) != here]
    if any(_root(name) == here for name in modules):
        path.append(here)
    return path


def _root(module: str) -> str | None:
    """The folder on the path in which a module, or the package around it, was found."""
    package = sys.modules.get(module.partition(".")[0])
    file = getattr(package, "__file__", None)
    if file is None or package is sys.modules["minilm"]:  # minilm itself is loaded from its place, wherever that is
        return None
    folder = Path(file).parent
    return os.path.realpath(folder.parent if hasattr(package, "__path__") else folder)


def _unpickled(cls: type[Tensor], array: HostArray, requires_grad: bool, name: str | None) -> Tensor:
    tensor = cls(array)
    tensor.requires_grad, tensor.name = requires_grad, name
    return tensor


def _rows(arrays: list[HostArray]) -> int:
    """How many rows a batch has."""
    lengths = {len(x) if x.ndim else 0 for x in arrays}
    if len(lengths) != 1 or not lengths.copy().pop():
        raise ValueError(
            f"DataParallel: every argument needs one row an example, got shapes {[x.shape for x in arrays]}."
        )
    return lengths.pop()


@contextlib.contextmanager
def _shared_array(shape: tuple[int, int], dtype: Any) -> Iterator[tuple[str, HostArray]]:
    """A file, in memory where there is room, and an array on it; only those who open it within see it."""
    name = _reserved(math.prod(shape) * dtype.itemsize)
    try:
        yield name, _open_shared(name, shape, dtype)
    finally:
        with contextlib.suppress(OSError):  # Windows keeps it while it is open
            Path(name).unlink()


def _reserved(size: int) -> str:
    """A new file of that many bytes, all of them there: a mapped page that finds no room later would end the process.

    Raises:
        OSError: no folder has room for it.
    """
    for folder in SHARED_FOLDERS:
        if folder is not None and not (Path(folder).is_dir() and os.access(folder, os.W_OK)):
            continue
        with tempfile.NamedTemporaryFile(prefix="minilm-", dir=folder, delete=False) as file:
            try:
                _fill(file, size)
                return file.name
            except OSError as error:
                problem = error
        Path(file.name).unlink()
    raise OSError(
        problem.errno,
        f"DataParallel: the parameters and one gradient for each process need {size / 1e6:,.0f} MB, and neither "
        f"/dev/shm nor {tempfile.gettempdir()} has room for them ({problem.strerror}): use fewer processes, or set TMPDIR to a "
        "folder on a larger disk",
    )


def _fill(file: Any, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
        return
    zeros = bytes(1 << 20)
    for start in range(0, size, len(zeros)):
        file.write(zeros[: size - start])
    file.flush()


def _open_shared(path: str, shape: tuple[int, int], dtype: Any) -> HostArray:
    with open(path, "r+b") as file:
        return np.frombuffer(mmap.mmap(file.fileno(), 0), dtype).reshape(shape)


def _pieces(flat: HostArray, params: Sequence[Tensor]) -> list[HostArray]:
    """Views of a flat array, shaped like the parameters one after another."""
    ends = np.cumsum([p.size for p in params])
    return [flat[end - p.size : end].reshape(p.shape) for p, end in zip(params, ends, strict=True)]


def _part_backward(model: Module, method: str, piece: list[HostArray], share: float) -> float:
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


# What another process runs. It is isolated (-I) until its path is known, so that nothing of the current folder or of the environment
# is imported before; minilm comes from where this process has it.
_START = """
import importlib.util, json, sys
path, folder = json.loads(sys.argv[1])
sys.path[:] = [*path, *(p for p in sys.path if p not in path)]
spec = importlib.util.spec_from_file_location("minilm", folder + "/__init__.py", submodule_search_locations=[folder])
sys.modules["minilm"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
from minilm.parallel.data_parallel import _main
_main()
"""


class _Worker:
    """Another process, and the pipes to it."""

    def __init__(self, number: int, path: list[str]) -> None:
        self.number = number
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        places = json.dumps([path, str(Path(__file__).parents[1])])
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-c", _START, places], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )

    def send(self, message: Any) -> None:
        assert self.process.stdin is not None
        try:
            pickle.dump(message, self.process.stdin, pickle.HIGHEST_PROTOCOL)
            self.process.stdin.flush()
        except (OSError, ValueError):
            raise self._gone() from None

    def receive(self, timeout: float) -> Any:
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


def _has_answered(pipe: Any, timeout: float) -> bool:
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


def _stop(workers: list[_Worker]) -> None:
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


def _serve(source: BinaryIO, answers: BinaryIO) -> None:
    """What a worker does: gradients of one part after another, until its input ends."""
    serve_part = None
    while True:
        try:
            message = pickle.load(source)
        except (EOFError, OSError, pickle.UnpicklingError):  # the parent is gone, perhaps in the middle of a message
            return
        failed, content = False, None
        try:
            if serve_part is None:
                serve_part = _part_server(*message)
            else:
                content = serve_part(*message)
        except Exception:
            failed, content = True, traceback.format_exc()
        try:
            pickle.dump((failed, content), answers, pickle.HIGHEST_PROTOCOL)
            answers.flush()
        except OSError:  # nobody is there to read it
            return


def _part_server(message: bytes, method: str, path: str, shape: tuple[int, int], dtype: str) -> Any:
    """The function that computes a part's gradients into this worker's row of the shared array."""
    model: Module = pickle.loads(message)
    params, shared = list(model.parameters()), _open_shared(path, shape, np.dtype(dtype))
    for p, weights in zip(params, _pieces(shared[0], params), strict=True):
        p.data = weights

    def serve(
        piece: list[HostArray], share: float, key: int, training: bool, needs: list[bool], row: int
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
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # such a signal may reach all processes: the first one decides
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    answers = io.FileIO(os.dup(1), "wb")
    os.dup2(2, 1)
    _serve(sys.stdin.buffer, answers)
