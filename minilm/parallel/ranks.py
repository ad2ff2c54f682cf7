r"""Members on many machines: the ranks of MPI, which all run the same program.

A sum by hand, in two exchanges (Patarasuk and Yuan 2009, "Bandwidth optimal all-reduce algorithms for clusters of workstations"; there
the messages go around a ring). The array is cut into n slices. Each rank sends slice k to rank k, which adds the n versions of its slice
in the order of the ranks; then each sends its sum to all. A rank sends, and receives, :math:`2 \frac{n - 1}{n}` times the array's bytes,
the least that is possible. MPI's own ``Allreduce`` sends as many, but adds in an order that depends on the library, on n and on the
size; here the bits do not, and they are those of `minilm.parallel.processes`. Messages from rank to rank also tell who is missing.

No call of MPI waits by itself: a waiting rank looks, and sleeps a little. So Ctrl-C is heard, a time-out names the rank, a rank that
failed can tell the others, and ranks that share cores do not take them from each other by waiting awake.

``MINILM_TIMEOUT`` is how many seconds a rank waits for the others' part of a step (600, as PyTorch's process groups).
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import math
import os
import pickle
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from minilm.backend import device_of, set_num_threads
from minilm.backend.threads import processors
from minilm.parallel.launcher import launched_count
from minilm.parallel.members import Members, spans
from minilm.parallel.workers import WorkerError
from minilm.tensor import Tensor
from minilm.types import Array, HostArray

INSTALL = 'pip install -e ".[cluster]"'
PART, TOTAL, WISH, HEAD, FAILURE = range(
    1, 6
)  # what a message is: a slice, a slice's sum, a vote, a length, why a rank ends
PIECE = 1 << 28  # bytes of one message of `share`
AWAKE = 0.0005  # seconds in which a rank that waits looks again at once: the usual difference between ranks
NAPS = 5e-5, 1e-3  # seconds that it sleeps between later looks: first, and at most
GRACE = 30.0  # seconds in which rank 0 should have told what happened, and ended all


class RankError(WorkerError):
    """Another rank failed, does not answer, or is gone."""


class Place(NamedTuple):
    """Where a rank runs."""

    host: str
    pid: int
    cores: frozenset[int]


class Ranks(Members):
    """The ranks of MPI that one launcher started, this one among them.

    Args:
        mpi: the module ``mpi4py.MPI``.

    Attributes:
        places: of all ranks, by their numbers.
        timeout: seconds to wait for the others' part of a step.
        farewells: what is called after an error, right before this rank ends all of them.
    """

    led = False

    def __init__(self, mpi: Any) -> None:
        self.mpi, self._comm = mpi, mpi.COMM_WORLD.Dup()
        self.number, self.count = self._comm.Get_rank(), self._comm.Get_size()
        self.timeout = _timeout() + (
            GRACE if self.number else 0.0
        )  # rank 0, which tells it, is the first to lose patience
        cores = frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else frozenset()
        place = Place(mpi.Get_processor_name(), os.getpid(), cores)
        self.places: list[Place] = self._comm.allgather(place)
        self.neighbors = [k for k, other in enumerate(self.places) if other.host == place.host]
        self._others = [k for k in range(self.count) if k != self.number]
        self._inbox = np.empty((0, 0), np.uint8)
        self._gpus: Any = None
        self._together = False  # whether the ranks have exchanged anything
        self._why = ""  # they are ending
        self.farewells: list[Callable[[], None]] = []
        self._set_threads()

    def _set_threads(self) -> None:
        """An equal part of the cores of this machine for each rank on it, unless the environment says how many threads."""
        if any(os.environ.get(name, "").isdecimal() for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")):
            return
        cores = frozenset().union(*(self.places[k].cores for k in self.neighbors))
        set_num_threads(max(1, (len(cores) or processors()) // len(self.neighbors)))

    # -- sums ---------------------------------------------------------------------------------------------------------

    def same_start(self, params: Sequence[Tensor]) -> None:
        for p, value in zip(params, self.share([p.numpy() for p in params] if self.number == 0 else None), strict=True):
            p.data[...] = p.device.from_host(value)
            p.bump_version()

    def sum(self, own: Array) -> Array:
        if isinstance(own, np.ndarray):
            return self._sum(own)
        if (gpus := self._own_gpus()) is not None:
            return gpus.sum(own)
        device = device_of(own)
        return device.from_host(self._sum(device.to_host(own)))

    def _sum(self, own: HostArray) -> HostArray:
        slices = spans(own.size, self.count)
        mine = slices[self.number]
        inbox = self._versions(mine.stop - mine.start, own.dtype)
        inbox[self.number] = own[mine]
        self._exchange(PART, {k: own[slices[k]] for k in self._others}, {k: inbox[k] for k in self._others})
        total = np.empty_like(own)
        total[mine] = inbox[0]
        for version in inbox[1:]:
            total[mine] += version
        self._exchange(TOTAL, dict.fromkeys(self._others, total[mine]), {k: total[slices[k]] for k in self._others})
        return total

    def _versions(self, size: int, dtype: Any) -> HostArray:
        """Room for each rank's version of this one's slice; the same in every step."""
        if self._inbox.shape != (self.count, size) or self._inbox.dtype != dtype:
            self._inbox = np.empty((self.count, size), dtype)
        return self._inbox

    def all(self, wanted: bool) -> bool:
        wishes = np.zeros(self.count, np.uint8)
        wishes[self.number] = wanted
        mine = wishes[self.number, None]
        self._exchange(WISH, dict.fromkeys(self._others, mine), {k: wishes[k, None] for k in self._others})
        return bool(wishes.all())

    def _exchange(self, kind: int, out: dict[int, HostArray], into: dict[int, HostArray]) -> None:
        """Sends arrays to ranks, and receives into arrays from ranks."""
        waiting = [(k, self._comm.Irecv([_bytes(x), self.mpi.BYTE], k, kind)) for k, x in into.items()]
        waiting += [(k, self._comm.Isend([_bytes(x), self.mpi.BYTE], k, kind)) for k, x in out.items()]
        requests = [request for _, request in waiting]
        self._together = True
        self._wait(
            lambda: self.mpi.Request.Testall(requests),
            self.timeout,
            lambda: {k for k, request in waiting if not self._done(request)},
        )

    def _done(self, request: Any) -> bool:
        try:
            return bool(request.Test())
        except self.mpi.Exception:  # it never will be
            return False

    # -- words --------------------------------------------------------------------------------------------------------

    def share(self, value: Any = None) -> Any:
        """Rank 0's value, on all ranks: on rank 0 it is given, the others wait for it as long as it takes.

        Arrays that are mapped from a file are opened there by the same path, not sent.
        """
        if self.number == 0:
            buffer = np.frombuffer(_pickled(value), np.uint8)
            head = np.array([buffer.size])
            self._exchange(HEAD, dict.fromkeys(self._others, head), {})
        else:
            self._wait(lambda: self._comm.Iprobe(0, HEAD), math.inf, set)
            head = np.zeros(1, np.int64)
            self._exchange(HEAD, {}, {0: head})
            buffer = np.empty(int(head[0]), np.uint8)
        for start in range(0, buffer.size, PIECE):
            request = self._comm.Ibcast([buffer[start : start + PIECE], self.mpi.BYTE], 0)
            self._wait(request.Test, self.timeout, set)
        return value if self.number == 0 else pickle.loads(buffer.data)

    def _wait(self, ready: Callable[[], bool], seconds: float, missing: Callable[[], set[int]]) -> None:
        """Looks until `ready`, sleeping longer and longer in between.

        Raises:
            RankError: a rank told that it failed, or so many seconds have passed; `missing` are those who are waited for then.
        """
        began, nap = time.monotonic(), NAPS[0]
        try:
            while not ready():
                self._hear()
                passed = time.monotonic() - began
                if passed > seconds:
                    raise self._silent(missing(), seconds)
                if passed < AWAKE:
                    os.sched_yield() if hasattr(os, "sched_yield") else time.sleep(0)
                else:
                    time.sleep(nap)
                    nap = min(2 * nap, NAPS[1])
        except self.mpi.Exception:
            raise self._lost(f"{self._names(missing())} is gone: MPI has lost the connection.") from None

    def _hear(self) -> None:
        status = self.mpi.Status()
        if self._comm.Iprobe(self.mpi.ANY_SOURCE, FAILURE, status):
            text = self._comm.recv(source=status.Get_source(), tag=FAILURE)
            raise self._lost(f"{self._named(status.Get_source())} failed:\n{text}")

    def _silent(self, missing: set[int], seconds: float) -> RankError:
        return self._lost(
            f"{self._names(missing)} did not answer for {seconds:g} seconds: it is stopped, gone or still at work. "
            "If a step may take that long, set MINILM_TIMEOUT to more seconds."
        )

    def _lost(self, why: str) -> RankError:
        """The error that another rank is to blame for; with it, all ranks end."""
        self._end(why)
        return RankError(why)

    def _names(self, ranks: set[int]) -> str:
        return " and ".join(map(self._named, sorted(ranks))) or "another rank"

    def _named(self, rank: int) -> str:
        place = self.places[rank]
        return f"rank {rank} (process {place.pid} on {place.host})"

    # -- ends ---------------------------------------------------------------------------------------------------------

    def fail(self, error: BaseException) -> None:
        """Tells the other ranks why this one ends, unless one of them is to blame; this program then ends all ranks when it ends."""
        if not self._why:
            why = "".join(traceback.format_exception(error)).rstrip()
            for k in self._others:
                self._comm.isend(why, k, FAILURE)
            self._end(why)

    def _end(self, why: str) -> None:
        if not self._why and self._together:  # if nothing was exchanged, nobody waits for this rank's part
            atexit.register(self._end_all)  # after mpi4py's own, so before it: MPI would wait for the others
        self._why = why

    def _end_all(self) -> None:
        """Ends all ranks. Rank 0 has told what happened, and does it; should it hang, another one tells, and does it."""
        if self.number:
            time.sleep(GRACE)
            with contextlib.suppress(OSError, ValueError):
                print(f"minilm: rank {self.number}: {self._why}", file=sys.stderr)
        for farewell in self.farewells:
            farewell()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        self._comm.Abort(1)

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Within it, an error on one rank ends the program on all; at its end, the ranks wait for rank 0."""
        try:
            yield
            self.share("the end")
        except BaseException as error:
            self.fail(error)
            raise

    # -- GPUs ---------------------------------------------------------------------------------------------------------

    def use_own_gpu(self) -> None:
        """Makes the GPU current that is this rank's among those of its machine."""
        import cupy

        cupy.cuda.Device(self.neighbors.index(self.number) % cupy.cuda.runtime.getDeviceCount()).use()

    def _own_gpus(self) -> Any:
        """NCCL, where every rank has a GPU of its own; else None, and arrays go through the machines' memory."""
        if self._gpus is None:
            from minilm.parallel.nccl import gpu_of_this_process, join

            found = self._comm.allgather((self.places[self.number].host, gpu_of_this_process()))
            own = len(set(found)) == self.count and all(gpu is not None for _, gpu in found)
            self._gpus = join(self.count, self.number, self.share) if own else False
        return self._gpus or None


def _bytes(array: HostArray) -> HostArray:
    return array.view(np.uint8)


class _Pickler(pickle.Pickler):
    """Pickles an array that is mapped from a file as the path and the place in it."""

    def reducer_override(self, x: Any) -> Any:
        if (
            isinstance(x, np.memmap)
            and x.filename is not None
            and x.base is not None
            and not isinstance(x.base, np.ndarray)
        ):
            return np.memmap, (x.filename, x.dtype, "r", x.offset, x.shape)
        return NotImplemented


def _pickled(value: Any) -> bytes:
    import io

    buffer = io.BytesIO()
    _Pickler(buffer, pickle.HIGHEST_PROTOCOL).dump(value)
    return buffer.getvalue()


def _timeout() -> float:
    text = os.environ.get("MINILM_TIMEOUT", "600")
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not seconds > 0:
        raise WorkerError(f"MINILM_TIMEOUT must be a positive number of seconds, it is {text!r}.")
    return seconds


@functools.cache
def world() -> Ranks | None:
    """The ranks that a launcher of MPI started, this one among them; None without a launcher, or with one rank.

    Raises:
        RankError: mpi4py or MPI is missing, or this MPI is not the launcher's.
    """
    if (count := launched_count()) < 2:
        return None
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise RankError(
            f"mpiexec started {count} processes, but mpi4py or MPI is missing ({error}): {INSTALL}"
        ) from None
    except RuntimeError as error:  # mpi4py is there, and finds no library of MPI
        raise RankError(f"mpiexec started {count} processes, but mpi4py finds no MPI ({error}): {INSTALL}") from None
    if MPI.COMM_WORLD.Get_size() != count:
        library = " ".join(MPI.Get_library_version().split()[:3])
        raise RankError(
            f"the launcher started {count} processes, but {library} sees {MPI.COMM_WORLD.Get_size()}: it is another MPI's launcher. "
            "Use the mpiexec that was installed with this Python's MPI; with srun, --mpi=pmi2 or --mpi=pmix."
        )
    return Ranks(MPI)


__all__ = ["INSTALL", "RankError", "Ranks", "world"]
