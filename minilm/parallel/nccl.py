"""Sums over GPUs by NVIDIA's library NCCL, through CuPy's binding. Not run on a GPU yet: tests hold it against a stand-in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minilm.types import Array

NAMES = {"e": "NCCL_FLOAT16", "f": "NCCL_FLOAT32", "d": "NCCL_FLOAT64"}
"""What NCCL calls the types of parameters."""


class Nccl:
    """The GPUs of all ranks, one each.

    Args:
        nccl: the module ``cupy.cuda.nccl``.
        identity: what `get_unique_id` gave on rank 0, on all ranks.
    """

    def __init__(self, nccl: Any, count: int, identity: Any, number: int) -> None:
        self._nccl, self._communicator = nccl, nccl.NcclCommunicator(count, identity, number)

    def sum(self, own: Array) -> Array:
        """As `minilm.parallel.members.Members.sum`, in NCCL's order, which is the same in every step and on all ranks.

        It is queued behind the kernels that compute `own`, on the current stream; nothing waits here.
        """
        import cupy

        total = cupy.empty_like(own)
        kind = getattr(self._nccl, NAMES[own.dtype.char])
        stream = cupy.cuda.get_current_stream().ptr
        self._communicator.allReduce(own.data.ptr, total.data.ptr, own.size, kind, self._nccl.NCCL_SUM, stream)
        return total


def gpu_of_this_process() -> str | None:
    """The address of the current GPU on its machine's bus; None where NCCL is not installed."""
    import cupy
    from cupy.cuda import nccl

    return str(cupy.cuda.Device().pci_bus_id) if nccl.available else None


def join(count: int, number: int, share: Callable[[Any], Any]) -> Nccl:
    """The communicator of the ranks' GPUs; all ranks call this at the same time.

    Args:
        count: of ranks, and `number`: this one's.
        share: gives all ranks what rank 0 has.
    """
    from cupy.cuda import nccl

    return Nccl(nccl, count, share(nccl.get_unique_id() if number == 0 else None), number)


__all__ = ["Nccl", "gpu_of_this_process", "join"]
