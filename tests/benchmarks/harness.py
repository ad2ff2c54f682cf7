"""Runs peers side by side: each in its own process, in turns, after both have been found to compute the same."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks import machine, peers
from tests.benchmarks.workloads import Workload

ROOT = Path(__file__).resolve().parent.parent.parent
CHECKED = (0, 1, 5)
"""The losses that are compared: before the first update, after one, and after five."""
PAUSE = 0.08
"""Seconds between turns: OpenBLAS's and OpenMP's threads spin for a while after a call, on the core that the next peer needs."""
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC")


class Unusable(RuntimeError):
    """Two peers do not compute the same, or one failed; the sentence says which and how."""


@dataclass(frozen=True)
class Plan:
    """How long is measured.

    Attributes:
        rounds: how often each peer has its turn; half as often beside a load, and to import, which take longer.
        seconds: of steps in a turn.
        least: steps in a turn at least.
        processes: how often memory and import are measured, each time in a fresh process.
        threads: of each peer.
    """

    rounds: int = 10
    seconds: float = 0.2
    least: int = 3
    processes: int = 3
    threads: int = 2

    @property
    def half(self) -> int:
        """Half of the rounds, at least one."""
        return max(1, self.rounds // 2)


QUICK = {"rounds": 3, "seconds": 0.05, "least": 2, "processes": 1}


def environment(threads: int) -> dict[str, str]:
    """The variables of a worker: the number of threads for OpenMP, OpenBLAS, MKL and XLA."""
    found = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads))}
    found["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    return found


class Worker:
    """The process of one peer and one workload. Use it as a context: at the end of it the process ends."""

    def __init__(self, peer: str, workload: str, threads: int, variables: Mapping[str, str] | None = None) -> None:
        self.peer, self.workload = peer, workload
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed in __exit__
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.worker", peer, workload], cwd=ROOT, text=True,
            env={**environment(threads), **(variables or {})},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
        )  # fmt: skip

    def __enter__(self) -> Worker:
        try:
            self.about = self._answer()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: Any) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()  # the end of its requests: it leaves its loop
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()

    def ask(self, **request: Any) -> dict[str, Any]:
        """The answer to one request; see `worker`.

        Raises:
            Unusable: the process has failed.
        """
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(request), file=self.process.stdin, flush=True)
        return self._answer()

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Step after step meanwhile. Where the block fails nothing is asked any more: the process ends with its requests."""
        self.ask(do="go on")
        yield
        self.ask(do="rest")

    def _answer(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        self.process.wait()
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        why = lines[-1] if lines else f"exit status {self.process.returncode}"
        raise Unusable(f"{peers.PEERS[self.peer].label} failed in {self.workload}: {why}")


def spelled(workload: Workload, changes: dict[str, int]) -> str:
    """The workload as `worker.parse` reads it."""
    return workload.name + (":" + ",".join(f"{name}={value}" for name, value in changes.items()) if changes else "")


def compare(workload: Workload, values: dict[str, Sequence[Any]]) -> None:
    """Raises `Unusable` where a peer's value is not minilm's: ``|theirs - ours| <= tolerance * |ours|``, at the steps `CHECKED`.

    Of several numbers, as an embedding, the largest counts on the right. With the tolerance 0 they must be equal, as tokens must.
    """
    ours = values["minilm"]
    for name, theirs in values.items():
        for i in CHECKED:
            a, b = np.ravel(ours[i]), np.ravel(theirs[i])
            if a.shape != b.shape:
                raise Unusable(f"{workload.name}: minilm gives {a.size} numbers, {peers.PEERS[name].label} {b.size}.")
            wrong = np.flatnonzero(~(np.abs(b - a) <= workload.tolerance * np.abs(a).max()))
            if len(wrong):
                place = f" (element {wrong[0]})" if a.size > 1 else ""
                measure = "the largest" if a.size > 1 else "it"
                raise Unusable(
                    f"{workload.name}: the value after {i} updates{place} is {a[wrong[0]]:.9g} in minilm and {b[wrong[0]]:.9g} in "
                    f"{peers.PEERS[name].label}, further apart than the tolerance {workload.tolerance:g} times {measure}. Nothing "
                    "was timed."
                )


def take_turns(workers: dict[str, Any], plan: Plan, pause: float = PAUSE) -> dict[str, list[float]]:
    """Seconds a step of each peer, one median for each of its turns: A B C, A B C, ..."""
    times: dict[str, list[float]] = {name: [] for name in workers}
    for _ in range(plan.rounds):
        for name, worker in workers.items():
            time.sleep(pause)
            times[name].append(worker.ask(do="turn", seconds=plan.seconds, least=plan.least)["median"])
    return times


def summary(values: Sequence[float], beside: Sequence[float] | None = None) -> dict[str, Any]:
    """Median and quartiles of a peer's turns; with minilm's `beside`, those of the ratios minilm / peer, round by round."""
    found = {"median": statistics.median(values), "quartiles": quartiles(values), "values": list(values)}
    if beside is not None:
        found.update(ratio(beside, values))
    return found


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, Any]:
    """Median and quartiles of ours / theirs, round by round."""
    found = [a / b for a, b in zip(ours, theirs, strict=True)]
    return {"ratio": statistics.median(found), "ratio_quartiles": quartiles(found)}


def quartiles(values: Sequence[float]) -> list[float]:
    """The first and the third, interpolated between the values themselves."""
    return [float(x) for x in np.quantile(values, (0.25, 0.75))]


def summaries(times: dict[str, list[float]]) -> dict[str, Any]:
    """One `summary` a peer, with the ratios to all but minilm itself; where minilm was measured without `fast`, too, those as well."""
    found = {name: summary(values, None if name == "minilm" else times["minilm"]) for name, values in times.items()}
    for name, values in times.items():
        if "numpy" in times and name not in ("minilm", "numpy"):
            found[name]["without"] = ratio(times["numpy"], values)
    return found


def result(workload: Workload, unit: str, found: dict[str, Any], skipped: dict[str, str]) -> dict[str, Any]:
    """One entry of the record; "fast" says whether minilm had compiled kernels, and so whether its own ratios are with or without."""
    return {"name": workload.name, "fast": peers.has_fast(), "part": workload.part, "about": workload.about, "unit": unit,
            "options": workload.options, "peers": found, "skipped": skipped}  # fmt: skip


def timed(
    workload: Workload, others: Sequence[str], plan: Plan, changes: dict[str, int] | None = None
) -> dict[str, Any]:
    """One entry of the record: the values are compared, then the peers take turns.

    Raises:
        Unusable: the values differ, or a peer failed.
    """
    changes = changes or {}
    others, skipped = peers.parted(others, workload)
    before = machine.cpu_seconds()
    limit = ("products",) if workload.name == "gpt" and not changes else ()
    with contextlib.ExitStack() as stack:
        workers = {}
        for name in ("minilm", *others, *limit):
            workers[name] = stack.enter_context(
                Worker(name, spelled(workload, changes), workload.threads or plan.threads)
            )
        values = {name: w.ask(do="check", steps=max(CHECKED) + 1)["values"] for name, w in workers.items()}
        compare(workload, {name: value for name, value in values.items() if name not in limit})
        found = summaries(take_turns(workers, plan))
        for name, worker in workers.items():
            found[name]["note"] = worker.about["note"]
            if name not in limit and np.ndim(values[name][0]) == 0:
                found[name]["losses"] = [values[name][i] for i in CHECKED]
    return {**result(workload.varied(**changes), "s", found, skipped), "other_load": machine.other_load(before)}


def memory(workload: Workload, others: Sequence[str], plan: Plan, steps: int = 3) -> dict[str, Any]:
    """One entry of the record: the peak during a few steps, in fresh processes that take turns."""
    others, skipped = peers.parted(others, workload)
    taken: dict[str, list[float]] = {name: [] for name in ("minilm", *others)}
    for _ in range(plan.processes):
        for name, values in taken.items():
            with Worker(name, workload.name, plan.threads) as worker:
                values.append(worker.ask(do="memory", steps=steps)["bytes"])
    return result(workload, "B", summaries(taken), skipped)


def beside(workload: Workload, others: Sequence[str], plan: Plan) -> dict[str, Any]:
    """One entry of the record: turns beside a load, each after one of the same side with one thread and no load.

    The load is a process of our own, which works during the turn only. Each side's entry has under "own" what it took without load, and
    the ratio: its time beside the load, in units of its own time on one thread.

    Raises:
        Unusable: the values differ, or a peer failed.
    """
    others, skipped = peers.parted(others, workload)
    names = ("minilm", *others)
    before = machine.cpu_seconds()
    with contextlib.ExitStack() as stack:

        def opened(name: str, threads: int) -> Worker:
            return stack.enter_context(Worker(name, workload.name, threads))

        alone = {name: opened(name, 1) for name in names}
        loaded = {name: opened(name, plan.threads) for name in names}
        if workload.load == "busy":
            loads = dict.fromkeys(names, opened("busy", 1))
        else:
            loads = {name: opened(name, plan.threads) for name in names}
        for workers in (alone, loaded):
            compare(
                workload, {name: w.ask(do="check", steps=max(CHECKED) + 1)["values"] for name, w in workers.items()}
            )
        own, times = turns_beside(alone, loaded, loads, plan, PAUSE)
    found = summaries(times)
    for name, values in own.items():
        found[name]["own"] = summary(values, times[name])
        found[name]["note"] = loaded[name].about["note"]
    entry = {**result(workload, "s", found, skipped), "load": workload.load}
    return {**entry, "other_load": machine.other_load(before)}


def turns_beside(
    alone: dict[str, Any], loaded: dict[str, Any], loads: dict[str, Any], plan: Plan, pause: float
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Seconds a step of each side on one thread without load, and beside its load; one median for each turn."""
    own: dict[str, list[float]] = {name: [] for name in alone}
    times: dict[str, list[float]] = {name: [] for name in alone}
    for _ in range(plan.half):
        for name in alone:
            time.sleep(pause)
            own[name].append(alone[name].ask(do="turn", seconds=plan.seconds, least=plan.least)["median"])
            time.sleep(pause)
            with loads[name].working():
                times[name].append(loaded[name].ask(do="turn", seconds=plan.seconds, least=plan.least)["median"])
    return own, times


CACHE = "NUMBA_CACHE_DIR"


def first_step(workload: Workload, others: Sequence[str], plan: Plan) -> dict[str, Any]:
    """One entry of the record: the first step in new processes that take turns, with nothing compiled ("cold"), and with what was.

    What is compiled lies in temporary folders: an empty one each time, and one that an earlier process filled.

    Raises:
        Unusable: a peer failed.
    """
    others, skipped = peers.parted(others, workload)
    sides = ["minilm", *(name for name in ("cold",) if peers.missing(name) is None), *others]
    taken: dict[str, list[float]] = {name: [] for name in sides}
    with tempfile.TemporaryDirectory() as filled:
        for turn in range(plan.processes + 1):
            for name, values in taken.items():
                if turn == 0 and name == "cold":
                    continue
                with tempfile.TemporaryDirectory() as empty:
                    cache = {CACHE: empty if name == "cold" else filled}
                    with Worker(name, workload.name, plan.threads, cache) as worker:
                        seconds = worker.ask(do="first")["seconds"]
                if turn:  # before, caches are filled and the disk is read
                    values.append(seconds)
    return result(workload, "s", summaries(taken), skipped)


IMPORT = """
import time
start = time.perf_counter()
import numpy
middle = time.perf_counter()
import {package}
print(middle - start, time.perf_counter() - middle)
"""


def imports(others: Sequence[str], plan: Plan) -> Iterator[dict[str, Any]]:
    """Two entries of the record: ``import`` in fresh processes that take turns, with what NumPy takes of it and without."""
    names = ["minilm", *(name for name in others if name not in ("numpy", "compile", "processes", "halves"))]
    skipped = {name: why for name in names if (why := peers.missing(name)) is not None}
    whole: dict[str, list[float]] = {name: [] for name in names if name not in skipped}
    own: dict[str, list[float]] = {name: [] for name in whole}
    for turn in range(plan.half + 1):
        for name in whole:
            seconds = _import_seconds(peers.PEERS[name].package, plan.threads)
            if turn:  # the first reads the disk and writes bytecode
                whole[name].append(sum(seconds))
                own[name].append(seconds[1])
    for name, about, found in (("import", "import, with NumPy", whole), ("import-own", "import, after NumPy", own)):
        yield result(Workload(name, "h", "import", about), "s", summaries(found), skipped)


def _import_seconds(package: str, threads: int) -> list[float]:
    """Seconds that importing NumPy takes in a new process, and then the package, with its bytecode as an installation leaves it."""
    variables = {name: value for name, value in environment(threads).items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run([sys.executable, "-c", IMPORT.format(package=package)], env=variables, cwd=ROOT,
                          capture_output=True, text=True, check=True)  # fmt: skip
    return [float(word) for word in done.stdout.split()]
