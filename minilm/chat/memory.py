"""How much memory this process takes, as the system counts it."""

from __future__ import annotations

import contextlib
import ctypes
import re
import sys
from pathlib import Path
from typing import NamedTuple


class Memory(NamedTuple):
    """Bytes of this process in the machine's memory: now, and at most so far; None where the system does not say."""

    resident: int | None
    peak: int | None


def process_memory() -> Memory:
    """What this process takes: from /proc on Linux, psapi on Windows, `getrusage` elsewhere (which knows the peak alone)."""
    with contextlib.suppress(OSError, ValueError, AttributeError, ImportError):
        if sys.platform == "win32":
            return _windows()
        return _linux() if sys.platform == "linux" else _unix()
    return Memory(None, None)


def _linux() -> Memory:
    """VmRSS and VmHWM of proc(5), in kB."""
    fields = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE))
    resident, peak = (int(fields[name]) * 1024 if name in fields else None for name in ("VmRSS", "VmHWM"))
    return Memory(resident, peak)


def _unix() -> Memory:
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Memory(None, peak if sys.platform == "darwin" else peak * 1024)  # bytes there, kilobytes elsewhere


def _windows() -> Memory:
    """GetProcessMemoryInfo: PROCESS_MEMORY_COUNTERS is two 32-bit numbers, then eight of the size of a pointer."""
    counters = (ctypes.c_size_t * 10)()
    size = 8 + 8 * ctypes.sizeof(ctypes.c_size_t)
    kernel = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined, unused-ignore]
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    kernel.K32GetProcessMemoryInfo.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32)
    if not kernel.K32GetProcessMemoryInfo(kernel.GetCurrentProcess(), counters, size):
        return Memory(None, None)
    first = 8 // ctypes.sizeof(ctypes.c_size_t)  # the two small numbers fill one pointer, or two
    return Memory(int(counters[first + 1]), int(counters[first]))


__all__ = ["Memory", "process_memory"]
