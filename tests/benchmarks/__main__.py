"""minilm and its peers side by side on the CPU: ``python -m tests.benchmarks``.

Before anything is timed, every two sides must compute the same. Each works in a process of its own, and they take turns, so that
whatever slows the machine down slows all of them; ratios are taken within a round. Work:

    a  nanoGPT's CPU recipe, one training step: with all threads, with one, beside a busy process, beside a second training
    b  a multilayer perceptron                      f  100 ops on scalars: overhead per op
    c  a small CNN                                  g  peak memory of (a) and of a larger GPT
    d  an encoder with padding, an encoder-decoder, h  import, and the first step in a new process
       MiniLM-L6's forward pass                     i  how (a) grows (only with --plot)
    e  tokens with a KV cache: one text, eight,
       and SmolLM2-135M's next

Where Numba is installed, minilm is measured twice: with its compiled kernels (the extra `fast`) and without. So the whole, beside PyTorch
eager alone (--peers numpy torch), takes about five minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tests.benchmarks import harness, machine, peers, products_peer, report
from tests.benchmarks.harness import QUICK, Plan, Unusable
from tests.benchmarks.workloads import WORKLOADS

PARTS = "abcdefgh"
OTHERS = ("numpy", "torch", "compile", "jax", "processes", "halves")


def measured(parts: Sequence[str], others: Sequence[str], plan: Plan) -> Iterator[dict[str, Any]]:
    """The entries of the record, as they are found.

    Raises:
        Unusable: two sides do not compute the same, or one failed.
    """
    for workload in WORKLOADS.values():
        if workload.part not in parts:
            continue
        progress(f"({workload.part}) {workload.about}")
        found = getattr(harness, workload.measure)(workload, others, plan)
        if "products" in found["peers"]:
            found["products_operations"] = products_peer.operations(workload.options)
        yield found
    if "h" in parts:
        progress("(h) import")
        yield from harness.imports(others, plan)


def progress(text: str) -> None:
    """What is measured now, for somebody who watches."""
    if sys.stderr.isatty():
        print(text, file=sys.stderr)


def run(parts: Sequence[str], others: Sequence[str], plan: Plan, command: str) -> dict[str, Any]:
    """The whole record."""
    return {"benchmark": "minilm beside its peers on the CPU", "date": machine.now(), "command": command,
            "machine": machine.machine(), "versions": peers.versions(others),
            "plan": asdict(plan), "targets": report.targets(), "results": list(measured(parts, others, plan))}  # fmt: skip


def save(record: dict[str, Any], folder: Path) -> Path:
    """Writes the record into the folder, under its date."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (record["date"][:19].replace(":", "") + ".json")
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return path


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        prog="python -m tests.benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("--only", nargs="+", choices=[*PARTS], default=[*PARTS], metavar="PART", help="some of a to h")
    found.add_argument("--peers", nargs="*", choices=OTHERS, default=[*OTHERS], help="beside minilm")
    found.add_argument("--threads", type=int, default=Plan.threads, help="of each side")
    found.add_argument("--rounds", type=int, help=f"turns of each side (default {Plan.rounds})")
    found.add_argument("--quick", action="store_true", help="few and short turns, to try it")
    found.add_argument(
        "--save", type=Path, metavar="FOLDER", help="keep the record there; tests/benchmarks/results is the place"
    )
    found.add_argument("--plot", type=Path, metavar="FILE", help="measure how (a) grows, too, and draw it")
    return found


def command_line(arguments: Sequence[str]) -> str:
    """The command without the names of folders and files, which are the machine's own."""
    kept = list(arguments)
    for i, word in enumerate(arguments[:-1]):
        if word in ("--save", "--plot"):
            kept[i + 1] = Path(arguments[i + 1]).name
    return shlex.join(["python", "-m", "tests.benchmarks", *kept])


def main(arguments: Sequence[str] | None = None, show: Callable[[str], None] = print) -> int:
    """Returns the exit status: 2 where two sides do not compute the same."""
    arguments = sys.argv[1:] if arguments is None else arguments
    given = parser().parse_args(arguments)
    plan = replace(Plan(**(QUICK if given.quick else {})), threads=given.threads)
    plan = plan if given.rounds is None else replace(plan, rounds=given.rounds)
    try:
        record = run(given.only, given.peers, plan, command_line(arguments))
        show(report.table(record))
        path = None if given.save is None else save(record, given.save)  # already, in case (i) is stopped
        if given.plot is not None:
            from tests.benchmarks import growth

            progress("(i) how (a) grows")
            record["growth"] = growth.measured(plan)
            growth.draw(record["growth"], given.plot)
            if given.save is not None:
                save(record, given.save)
    except Unusable as error:
        print(f"tests.benchmarks: {error}", file=sys.stderr)
        return 2
    if path is not None:
        show(f"kept as {path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
