"""One peer with one workload in a process of its own: ``python -m tests.benchmarks.worker PEER WORKLOAD``.

It reads a JSON object a line and answers with one, and sleeps in between. So thread pools do not disturb each other, and the
process's peak of memory is the peer's. WORKLOAD is a name, or ``name:option=value,...`` with other shapes.

==============================================  ==========================================================================
``{"do": "check", "steps": n}``                 ``{"values": [...]}``: what each of n steps returned
``{"do": "turn", "seconds": s, "least": n}``    ``{"median": seconds a step, "steps": how many}``, after one that is not timed
``{"do": "memory", "steps": n}``                ``{"bytes": ...}``: what n steps take at most beyond what was there before
``{"do": "first"}``                             ``{"seconds": ...}``: what one step takes, none before it
``{"do": "go on"}``                             ``{"begun": true}`` after a step, and more of them until there is another request
``{"do": "rest"}``                              ``{"steps": how many}``, after ``go on``
``{"do": "stop"}``                              nothing: the process ends
==============================================  ==========================================================================

It ends where its requests end, also in the midst of ``go on``: so it never outlives whoever asks, however that one ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, TextIO

import numpy as np

from tests.benchmarks import peers, workloads
from tests.benchmarks.workloads import Step, Workload

MOST_STEPS = 20_000
CLEAR_REFS, STATUS = "/proc/self/clear_refs", "/proc/self/status"


def parse(text: str) -> Workload:
    """A workload from its name and options, which are integers: ``"gpt:batch=2,length=32"``.

    Raises:
        ValueError: an unknown name or option, or a value that is no integer.
    """
    name, _, changes = text.partition(":")
    if name not in workloads.WORKLOADS:
        raise ValueError(f"no workload {name!r}; there are {', '.join(workloads.WORKLOADS)}.")
    pairs = (change.partition("=") for change in changes.split(",") if change)
    return workloads.WORKLOADS[name].varied(**{option: int(value) for option, _, value in pairs})


def turn(step: Step, seconds: float, least: int, clock: Callable[[], float] = time.perf_counter) -> dict[str, Any]:
    """Steps for so many seconds, at least so many of them, and their median time. One more goes first: the other peers have
    been through the caches meanwhile."""
    step()
    times: list[float] = []
    end = clock() + seconds
    while len(times) < least or (clock() < end and len(times) < MOST_STEPS):
        if step.prepare is not None:
            step.prepare()
        start = clock()
        step.run()
        times.append(clock() - start)
    return {"median": statistics.median(times), "steps": len(times)}


def memory_field(name: str) -> int:
    """Bytes of a field of /proc/self/status: "VmHWM" is the highest resident size, "VmRSS" the present one."""
    with open(STATUS, encoding="ascii") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name + ":"))


def return_freed_memory() -> None:
    """Gives what malloc keeps of dropped arrays back to the system, where malloc can (glibc)."""
    gc.collect()
    with contextlib.suppress(OSError, TypeError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def peak(step: Step, steps: int) -> dict[str, Any]:
    """The highest resident size during these steps, less the resident size before them.

    So the weights, the data and the libraries do not count; activations, gradients, the optimizer's state and whatever
    the allocator keeps do. What was freed before is given back first: minilm has malloc keep it, PyTorch does not, and steps that
    live on kept memory would seem to take less.

    Raises:
        OSError: the system does not tell (only Linux does).
    """
    return_freed_memory()
    with open(CLEAR_REFS, "w", encoding="ascii") as file:
        file.write("5")  # sets VmHWM back to VmRSS (Linux, Documentation/filesystems/proc.rst)
    before = memory_field("VmRSS")
    for _ in range(steps):
        step()
    return {"bytes": memory_field("VmHWM") - before}


def prepared(peer: Any, workload: Workload) -> Step:
    """The step. For memory, after one step of a tiny model, so that what a library loads at its first step is there before."""
    if workload.measure == "memory":
        tiny = workload.varied(n_layer=1, n_embd=2 * workload.options["n_head"], length=4, batch=1)
        workload = workloads.replace(workload, options={**workload.options, "fused": True})
        tiny = workloads.replace(tiny, options={**tiny.options, "fused": True})
        peer.build(tiny, workloads.arrays(tiny))()
    return peer.build(workload, workloads.arrays(workload))


def answer(step: Step, request: dict[str, Any]) -> dict[str, Any]:
    """What one request asks for."""
    if request["do"] == "check":
        return {"values": [np.asarray(step()).tolist() for _ in range(request["steps"])]}
    if request["do"] == "first":
        start = time.perf_counter()
        step()
        return {"seconds": time.perf_counter() - start}
    if request["do"] == "memory":
        return peak(step, request["steps"])
    return turn(step, request["seconds"], request["least"])


def go_on(step: Step, requests: TextIO, begun: Callable[[], None]) -> tuple[str, int]:
    """Steps until a line comes: that line, which is empty where the requests have ended, and how many steps there were.

    A thread waits for the line: so this is no other loop than that of a training which nobody interrupts.
    """
    step()
    begun()
    lines: list[str] = []
    threading.Thread(target=lambda: lines.append(requests.readline()), daemon=True).start()
    count = 0
    while not lines:
        step()
        count += 1
    return lines[0], count


def main(arguments: list[str], requests: TextIO, answers: TextIO) -> int:
    name, workload = arguments[0], parse(arguments[1])
    peer = peers.load(name)
    peer.set_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    step = prepared(peer, workload)

    def say(**found: Any) -> None:
        print(json.dumps(found), file=answers, flush=True)

    say(note=step.note)
    line = requests.readline()
    while line and (request := json.loads(line))["do"] != "stop":
        if request["do"] == "go on":
            line, count = go_on(step, requests, lambda: say(begun=True))
            if not line:
                break
            say(steps=count)
        else:
            say(**answer(step, request))
        line = requests.readline()
    return 0


if __name__ == "__main__":
    # Libraries may print; only answers go where the parent reads.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as pipe:
        os.dup2(2, 1)
        sys.exit(main(sys.argv[1:], sys.stdin, pipe))
