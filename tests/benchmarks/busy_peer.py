"""One busy process, such as a browser: it computes on one core, and nothing comes of it. No peer but the load of `harness.beside`."""

from __future__ import annotations

import time

from tests.benchmarks.workloads import Arrays, Step, Workload

NAME = "a busy process"
TURN = 0.01
"""Seconds of a step, after which it looks whether it has worked enough."""


def set_threads(count: int) -> None:
    """Nothing: it has one."""


def build(workload: Workload, arrays: Arrays) -> Step:
    """Steps that keep one core busy, whatever the workload."""

    def step() -> float:
        end = time.perf_counter() + TURN
        while time.perf_counter() < end:
            pass
        return 0.0

    return Step(step)
