"""What was measured on: the processor, the system and the versions. No names of hosts or folders."""

from __future__ import annotations

import os
import platform
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

import minilm


def processor() -> str:
    """The processor's model, as the system calls it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def memory_bytes() -> int | None:
    """The machine's memory; None where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def cpu_seconds() -> tuple[float, float, float] | None:
    """The time now, and the processor time up to now of all programs of the machine and of this one with its finished children.

    What a virtual machine's host gave to others counts as other programs' (``steal``). None where the system does not tell.
    """
    try:
        words = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()
    except OSError:
        return None
    user, nice, system, _, _, irq, softirq, steal = map(int, words[1:9])
    everyone = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    return time.perf_counter(), everyone, sum(os.times()[:4])


def other_load(before: tuple[float, float, float] | None) -> float | None:
    """How many cores other programs have kept busy since `cpu_seconds` was `before`, on average."""
    after = cpu_seconds()
    if before is None or after is None:
        return None
    elapsed, everyone, ours = (new - old for new, old in zip(after, before, strict=True))
    return max(0.0, (everyone - ours) / elapsed)


def blas() -> str:
    """The BLAS that NumPy was built with, such as "scipy-openblas 0.3.30"."""
    found = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return f"{found['name']} {found['version']}"


def machine() -> dict[str, Any]:
    """Processor, cores, memory, system, and the versions of Python, NumPy and minilm."""
    return {"processor": processor(), "cores": os.cpu_count(), "memory_bytes": memory_bytes(),
            "system": f"{platform.system()} {platform.release()}", "python": platform.python_version(),
            "numpy": np.__version__, "blas": blas(), "minilm": minilm.__version__}  # fmt: skip


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
