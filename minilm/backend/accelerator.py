"""What differs on a device that computes by itself while Python goes on, as a GPU does."""

from __future__ import annotations

import sys

from minilm.backend.device import Array, Device


class Accelerator(Device):
    """A device that Python hands work to. It must never be waited for, except in `to_host` and `synchronize`.

    Where a function of `Kernels` looks at numbers, or is written for a CPU's cache, this class has another way.
    """

    block_size = sys.maxsize  # one kernel reads memory in one go: cutting an update in blocks would start more of them

    def first_true(self, condition: Array) -> int | None:
        """None, unseen: looking would mean waiting."""
        return None

    def embedding_grad(self, g: Array, ids: Array, rows: int) -> Array:
        """As in `Kernels`, which must wait to learn how many different ids there are; this adds atomically instead.

        The order is not fixed: repeated ids give sums that can differ in the last bit from run to run.
        """
        width = g.shape[-1]
        return self.scatter_add((rows, width), g.dtype, ids.reshape(-1), g.reshape(-1, width))
