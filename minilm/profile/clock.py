"""Two clocks for a profile: the processor's, and events in the stream of a GPU.

A clock gives marks, and the nanoseconds between two of them once `finish` was called. While it is paused no time passes: so
what the profile itself does between ops is not in its own numbers.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

from minilm.backend import Device


class Clock(Protocol):
    """What a profile needs of a clock."""

    own: int

    def pause(self) -> None:
        """Stops the clock: the profile's own work begins."""

    def mark(self) -> Any:
        """This moment; asked for while the clock is paused."""

    def resume(self) -> None:
        """Lets the clock run on."""

    def finish(self) -> None:
        """Waits until the times of all marks are known."""

    def between(self, start: Any, end: Any) -> int:
        """Nanoseconds from one mark to another."""

    def push(self, name: str) -> None:
        """A named range begins, for tools that watch the device."""

    def pop(self) -> None:
        """The latest range ends."""


class CpuClock:
    """The processor's clock, in nanoseconds.

    Attributes:
        own: how long it was paused.
    """

    def __init__(self, now: Callable[[], int] = time.perf_counter_ns) -> None:
        self._now, self.own, self._at = now, 0, 0

    def pause(self) -> None:
        self._at = self._now()

    def mark(self) -> int:
        return self._at - self.own

    def resume(self) -> None:
        self.own += self._now() - self._at

    def finish(self) -> None:
        pass

    def between(self, start: int, end: int) -> int:
        return end - start

    def push(self, name: str) -> None:
        pass

    def pop(self) -> None:
        pass


class CudaClock:
    """Events in the current stream of CuPy, and NVTX ranges.

    An event gets its time when the device comes to it. Nothing waits for that before `finish`, so that host and device go
    on side by side as they do without a profile. Ranges carry the names of ops and Modules into Nsight Systems.

    It cannot be paused: while the host is busy the device computes. Where the device waits for the host instead, ops look
    longer by the host's work between their two events.
    """

    own = 0

    def __init__(self, cupy: Any) -> None:
        self._cuda = cupy.cuda
        self._nvtx = cupy.cuda.nvtx
        self._latest: Any = None

    def pause(self) -> None:
        pass

    def mark(self) -> Any:
        self._latest = self._cuda.Event()
        self._latest.record()
        return self._latest

    def resume(self) -> None:
        pass

    def finish(self) -> None:
        if self._latest is not None:
            self._latest.synchronize()

    def between(self, start: Any, end: Any) -> int:
        return round(self._cuda.get_elapsed_time(start, end) * 1e6)  # milliseconds to nanoseconds

    def push(self, name: str) -> None:
        self._nvtx.RangePush(name)

    def pop(self) -> None:
        self._nvtx.RangePop()


def clock_for(device: Device) -> Clock:
    """The clock of a device."""
    if device.name == "cuda":
        return CudaClock(device.xp)
    return CpuClock()


def uses_gpu() -> bool:
    """Whether this process has asked for the GPU, and found one: its module is imported only then."""
    return "minilm.backend.cuda.cupy_device" in sys.modules
