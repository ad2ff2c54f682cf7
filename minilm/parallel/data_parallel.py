r"""A batch split over members: each has the whole model, and computes the gradient of its own rows.

For a loss that is a mean over N rows, cut into parts of :math:`n_k` rows,

.. math:: L = \sum_k \frac{n_k}{N} L_k, \qquad \nabla L = \sum_k \frac{n_k}{N} \nabla L_k,

so the parts can be computed side by side and added, which is data parallelism (Li et al. 2020, "PyTorch Distributed", section 2.1).
Members are processes on this machine, or the ranks of MPI on many (`minilm.parallel.members`). A member may cut its rows once more, for
threads (`minilm.parallel.threads`): they start at once and share the parameters, and where kernels are long enough to leave Python's lock
alone, as compiled ones are, they pay.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.backend import get_num_threads, to_host
from minilm.graph import modes
from minilm.nn.module import Module
from minilm.parallel.launcher import NOT_BOTH
from minilm.parallel.members import Alone, Flat, Members, Share, shares
from minilm.parallel.processes import Processes
from minilm.parallel.ranks import world
from minilm.parallel.serve import share_backward
from minilm.parallel.threads import threads_backward, whole_backward
from minilm.tensor import Tensor
from minilm.types import HostArray


class DataParallel:
    """Computes a model's loss and its gradients on several processes, each with a part of the batch.

    ::

        with ml.parallel.DataParallel(model, processes=2) as parallel:
            for x, y in batches:
                optimizer.zero_grad()
                loss = parallel.backward(x, y)    # as: loss = model.loss(x, y); loss.backward()
                optimizer.step()

    ``DataParallel(model, threads=2)`` does the same with threads of this process. Whether that is faster, `choose_threads` measures.

    Under ``mpiexec -n 4 python -m mpi4py program.py`` the same lines share each batch between the four: all of them run the program, and
    each gives `backward` the whole batch. They begin with the parameters of rank 0.

    The gradients are those of the whole batch up to rounding, and the same in every run with as many members. Dropout is that of the
    whole batch, too, where an array's first axis is the batch's. Of a layer that keeps running statistics, those of
    this process's (with threads, the first) part are kept, and its batch is the part, as in PyTorch's DistributedDataParallel.

    With threads, hooks of modules and of results are called by each part's thread, with what the part has; those of parameters once, with
    the sum. What draws from `minilm.random.generator` draws other numbers than the whole batch would, in each part its own, the same in
    every run. Under an observer (`ml.profile`, `ml.trace`, `ml.detect_anomaly`) the batch is computed whole, so that it is seen as it is.
    An error of a part ends the others and comes out as it is. A function that holds the model itself, not a twin, sees one model from all
    threads.

    Args:
        model: all parameters of one dtype and device. For processes: on the CPU, and its class importable (not defined in a notebook).
        processes: how many on this machine, this one included; default: the ranks of MPI, and where there are none, one per core, or
            this one alone where there are `threads`.
        method: the model's method that returns the mean loss over the rows of its arguments. With threads the mean may be over fewer
            than all of them, as where targets are ignored: if it is the result of `cross_entropy` or `nll`, the weights of the parts
            follow from that; for any other loss the method returns the pair (loss, count), where count is what the loss is a mean over.
        timeout: seconds to wait for the other processes once this one's part is done. (Not on Windows: there it waits on. For ranks,
            `minilm.parallel.ranks` has its own.)
        threads: how many share this member's rows, on the CPU. They are those of `ml.set_num_threads`; with fewer of these, and in a
            web page, the parts are computed one after another, with the same result to the last bit.

    Raises:
        ValueError: `processes` is below 1, or above 1 while the model's parameters are none, of several dtypes or not on the CPU, or
            while there are ranks; `threads` is below 1, or above 1 while a parameter is not on the CPU, or while there are processes,
            which have a core each; `timeout` is not positive.
        TypeError: the model has no such method, or cannot be sent to another process.
        OSError: neither memory nor disk has room for the shared parameters and gradients.
        WorkerError: a process could not be started, or the ranks cannot be had.
    """

    def __init__(
        self,
        model: Module,
        processes: int | None = None,
        method: str = "loss",
        timeout: float = 60.0,
        threads: int = 1,
    ) -> None:
        for name, count in (("processes", 1 if processes is None else processes), ("threads", threads)):
            if isinstance(count, bool) or not isinstance(count, int) or count < 1:
                raise ValueError(f"DataParallel: {name} must be an integer of at least 1, got {count!r}.")
        if not callable(getattr(model, method, None)):
            raise TypeError(f"DataParallel: {type(model).__name__} has no method {method!r} that returns a loss.")
        if not timeout > 0:
            raise ValueError(f"DataParallel: timeout must be a positive number of seconds, got {timeout!r}.")
        self.model, self.method, self.threads = model, method, threads
        self._params: list[Tensor] = list(model.parameters())
        if threads > 1:
            _check_threads(self._params, processes)
            processes = None if world() else 1
        self.members = self._members(processes, timeout)
        self._layout = Flat(self._params)
        self._begun = False

    def _members(self, processes: int | None, timeout: float) -> Members:
        """Who shares the batches: the one place where that is chosen."""
        ranks = world()
        if ranks is not None:
            if processes is not None and processes > 1:
                raise ValueError(f"DataParallel: {NOT_BOTH}")
            _check_parameters(self._params)
            return ranks
        count = get_num_threads() if processes is None else processes
        if count == 1:
            return Alone()
        _check_parameters(self._params, "cpu")
        return Processes(self.model, self.method, count, timeout)

    def backward(self, *batch: Any, scale: float = 1.0) -> Tensor:
        """The loss of the whole batch, whose gradients are added to the parameters' ``grad``.

        Args:
            batch: what the method takes, each with one row per example: arrays or CPU Tensors with the same first axis.
            scale: multiplies the loss, as 1 / n where the gradients of n batches are accumulated.

        Raises:
            WorkerError: another member failed (its traceback is in the message), is gone, or does not answer within `timeout`.
            ValueError: the arguments have no rows, or not equally many.
        """
        members = self.members
        if members.led and (members.count == 1 or modes.observers):  # an observer sees this process only
            if self.threads == 1 or modes.observers:
                return whole_backward(self.model, self.method, batch, scale)
            _check_rows([np.asarray(x.data if isinstance(x, Tensor) else x) for x in batch])
            return threads_backward(self.model, self.method, Share(0, list(batch), scale), self.threads)
        arrays = [to_host(x.data) if isinstance(x, Tensor) else np.asarray(x) for x in batch]
        _check_rows(arrays)
        parts = [share._replace(weight=scale * share.weight) for share in shares(arrays, members.count)]
        before = [p.grad for p in self._params]
        for p in self._params:
            p.grad = None
        if not self._begun:
            members.same_start(self._params)
            self._begun = True
        members.begin(parts, self.model, self._params)
        try:
            with members.computing():
                part = parts[members.number]
                if self.threads > 1 and not modes.observers:
                    own = self._own(threads_backward(self.model, self.method, part, self.threads, False))
                else:
                    own = self._own(share_backward(self.model, self.method, part))
        except BaseException as error:
            for p, had in zip(self._params, before, strict=True):
                p.grad = had
            members.fail(error)
            raise
        loss, gradients = self._layout.read(members.sum(own))
        for p, had, new in zip(self._params, before, gradients, strict=True):
            p.grad = had if new is None else new if had is None else Tensor(had.data + new.data)
        return loss

    def _own(self, loss: Tensor) -> Any:
        """What this member adds to the sum."""
        own = self._params[0].device.xp.empty(self._layout.size, self._params[0].dtype)
        self._layout.write(own, loss)
        return own

    def close(self) -> None:
        """Ends the processes; afterwards `backward` computes here alone. Ranks stay."""
        if self.members.led:
            self.members.close()
            self.members = Alone()

    def __enter__(self) -> DataParallel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _check_parameters(params: list[Tensor], device: str | None = None) -> None:
    if not params:
        raise ValueError("DataParallel: the model has no parameters.")
    wanted = device or params[0].device.name
    for p in params:
        if p.device.name != wanted or p.dtype != params[0].dtype:
            raise ValueError(
                f"DataParallel: all parameters must be on {'the CPU' if device else 'one device'} and of one dtype, got "
                f"{params[0].dtype} on {params[0].device.name} and {p.dtype} on {p.device.name}; use model.to(...)."
            )


def _check_threads(params: list[Tensor], processes: int | None) -> None:
    if processes is not None and processes > 1:
        raise ValueError(
            f"DataParallel: {processes} processes have a core each, so that threads would share it; choose one of the two."
        )
    for p in params:
        if p.device.name != "cpu":
            raise ValueError(
                f"DataParallel: threads share a batch on the CPU, and a parameter is on {p.device.name}; leave threads out, or use "
                "model.to('cpu')."
            )


def _check_rows(arrays: list[HostArray]) -> None:
    """Refuses what has no rows, or not equally many."""
    lengths = {len(x) if x.ndim else 0 for x in arrays}
    if len(lengths) != 1 or not lengths.pop():
        raise ValueError(
            f"DataParallel: every argument needs one row an example, got shapes {[x.shape for x in arrays]}."
        )


__all__ = ["DataParallel"]
