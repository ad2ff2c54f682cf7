"""A training step on two ranks of MPI beside one process and beside two: ``python -m tests.benchmarks.ranks``.

The step is that of benchmark (a): the same model, weights and batches on every side, with AdamW and clipping. The sides live at the same
time and take turns; while one measures, the others sleep. Their losses are compared first. Printed are the median step of each side, its
ratio to one process on one thread (the median of the rounds' ratios, with the least and the greatest), the processor's time in the
first process alone, which other programs disturb less, and what a step exchanges: in bytes, and in time, measured
alone. Needs mpi4py and an MPI (``pip install -e ".[cluster]"``), and an idle machine with a core per rank.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import minilm as ml
from minilm.optim import AdamW, clip_grad_norm_
from minilm.parallel import DataParallel, world
from minilm.parallel.members import Flat
from tests.benchmarks import minilm_peer, workloads

SIDES = {"one process": 1, "one process, two threads": 1, "two processes": 2, "two ranks": 2}


def side(name: str) -> None:
    """Runs one side: for each number on standard input, as many steps, and a line with what they took."""
    workload = workloads.WORKLOADS["gpt"]
    arrays = workloads.arrays(workload)
    ml.set_num_threads(2 if "threads" in name else 1)
    model = minilm_peer.gpt_model(workload.options, arrays)
    optimizer = AdamW(model.decay_groups(workloads.WEIGHT_DECAY), **workloads.ADAMW)
    turns = minilm_peer.batches(arrays, "ids", "targets")
    ranks = world()

    def step() -> float:
        optimizer.zero_grad()
        loss = parallel.backward(*next(turns))
        clip_grad_norm_(model.parameters(), workloads.CLIP)
        optimizer.step()
        return loss.item()

    def measure(count: int) -> dict[str, Any]:
        times, busy, losses = [], [], []
        for _ in range(count):
            began, worked = time.perf_counter(), time.process_time()
            losses.append(step())
            times.append(time.perf_counter() - began)
            busy.append(time.process_time() - worked)
        return {
            "ms": 1e3 * statistics.median(times),
            "busy": 1e3 * statistics.median(busy),
            "losses": losses,
            "sum": exchange(parallel, count) if ranks else 0.0,
        }

    with DataParallel(model, None if ranks else SIDES[name]) as parallel:
        size = Flat(list(model.parameters())).size
        if ranks is None or ranks.number == 0:
            print(json.dumps({"bytes": 4 * size}), flush=True)
            for line in sys.stdin:
                count = int(line) if ranks is None else ranks.share(int(line))
                print(json.dumps(measure(count)), flush=True)
            if ranks:
                ranks.share(0)
        else:
            while count := ranks.share():
                measure(count)


def exchange(parallel: DataParallel, count: int) -> float:
    """Milliseconds of one sum over the ranks, which all begin at the same time."""
    own = np.zeros(parallel._layout.size, np.float32)
    times = []
    for _ in range(count):
        parallel.members.all(True)
        began = time.perf_counter()
        parallel.members.sum(own)
        times.append(time.perf_counter() - began)
    return 1e3 * statistics.median(times)


def start(name: str) -> tuple[subprocess.Popen[str], int]:
    """A side's process, and the bytes of its gradients."""
    beside = Path(sys.executable).with_name("mpiexec")
    mpiexec = str(beside) if beside.exists() else shutil.which("mpiexec")
    command = [sys.executable, "-m", "tests.benchmarks.ranks", "--side", name]
    if name == "two ranks":
        if mpiexec is None:
            raise SystemExit('mpiexec is missing: pip install -e ".[cluster]"')
        command = [mpiexec, "-n", "2", *command]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    return child, answer(child)["bytes"]


def answer(child: subprocess.Popen[str]) -> dict[str, Any]:
    assert child.stdout is not None
    line = child.stdout.readline()
    if not line:
        raise SystemExit("a side has ended; its error stands above.")
    return json.loads(line)


def ask(child: subprocess.Popen[str], count: int) -> dict[str, Any]:
    assert child.stdin is not None
    child.stdin.write(f"{count}\n")
    child.stdin.flush()
    return answer(child)


def main(rounds: int, steps: int, say: Callable[[str], object] = print) -> None:
    """Measures all sides and prints the table."""
    started = {name: start(name) for name in SIDES}
    children = {name: child for name, (child, _) in started.items()}
    size = started["two ranks"][1]
    first = {name: ask(child, 3)["losses"] for name, child in children.items()}
    for losses in first.values():
        np.testing.assert_allclose(losses, first["one process"], rtol=1e-5)
    found = [{name: ask(child, steps) for name, child in children.items()} for _ in range(rounds)]
    say(f"{'side':26}{'ms a step':>10}{'ratio':>8}{'least':>8}{'greatest':>10}{'processor, ms':>16}")
    for name in SIDES:
        ratios = [each[name]["ms"] / each["one process"]["ms"] for each in found]
        ms, busy = (statistics.median(each[name][key] for each in found) for key in ("ms", "busy"))
        say(f"{name:26}{ms:10.1f}{statistics.median(ratios):8.2f}{min(ratios):8.2f}{max(ratios):10.2f}{busy:16.1f}")
    sums = [each["two ranks"]["sum"] for each in found]
    say(
        f"a step of two ranks exchanges {size:,} bytes each way per rank, in {statistics.median(sums):.1f} ms when measured alone"
    )
    options = workloads.WORKLOADS["gpt"].options
    tokens = options["batch"] * options["length"]
    core = statistics.median(each["one process"]["busy"] for each in found)
    say(f"one core: {1e3 * tokens / core:,.0f} tokens per second of computing")
    for child in children.values():
        assert child.stdin is not None
        child.stdin.close()
        child.wait()


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rounds", type=int, default=9)
    p.add_argument("--steps", type=int, default=10)
    p.add_argument("--side", choices=SIDES, help="for its own use")
    given = p.parse_args()
    side(given.side) if given.side else main(given.rounds, given.steps)
