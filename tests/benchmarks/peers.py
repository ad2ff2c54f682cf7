"""Who is measured: minilm, and those it is measured against, where they are installed."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from collections.abc import Sequence
from importlib import metadata
from typing import Any, NamedTuple

from tests.benchmarks.workloads import Workload


class Peer(NamedTuple):
    """One side.

    Attributes:
        label: what the table calls it.
        package: what must be installed.
        module: what builds its steps.
        only: the one workload that it is for; empty where it is for all.
    """

    label: str
    package: str
    module: str
    only: str = ""


PEERS = {
    "minilm": Peer("minilm", "minilm", "minilm_peer"),
    "torch": Peer("PyTorch eager", "torch", "torch_peer"),
    "compile": Peer("torch.compile", "torch", "compile_peer"),
    "jax": Peer("JAX jit", "jax", "jax_peer"),
    "processes": Peer("minilm, processes", "minilm", "processes_peer", "gpt"),
    "products": Peer("matrix products alone", "numpy", "products_peer", "gpt"),
}
"""By the names that the command line takes. "products" is no peer but the limit of (a); it runs beside the others."""

COMPILED = ("compile", "jax")
REASONS = {
    "generate": "only the eager loop is written: a cache that grows changes shapes at every token",
    "ops": "a compiled chain is one function: it has no overhead per op",
    "memory": "the compiler itself would be the peak",
}


def load(name: str) -> Any:
    """The module that builds a peer's steps."""
    return importlib.import_module(f"tests.benchmarks.{PEERS[name].module}")


def versions(names: Sequence[str]) -> dict[str, str]:
    """Those of the packages of the peers that are installed."""
    return {
        name: metadata.version(PEERS[name].package)
        for name in names
        if missing(name) is None and PEERS[name].package != "minilm"
    }


def missing(name: str) -> str | None:
    """Why a peer cannot be measured here at all; None where it can."""
    if importlib.util.find_spec(PEERS[name].package) is None:
        return "not installed"
    if name == "compile" and not any(map(shutil.which, ("c++", "g++", "clang++"))):
        return "no C++ compiler"
    return None


def skipped(name: str, workload: Workload) -> str | None:
    """Why a peer does not take part in a workload; None where it does."""
    reason = missing(name)
    if reason is None and name in COMPILED:
        reason = REASONS.get("memory" if workload.part == "g" else workload.kind)
    return reason


def parted(names: Sequence[str], workload: Workload) -> tuple[list[str], dict[str, str]]:
    """Those of the peers that take part in a workload, and why each of the others does not. One for another workload is neither."""
    meant = [name for name in names if PEERS[name].only in ("", workload.name)]
    reasons = {name: why for name in meant if (why := skipped(name, workload)) is not None}
    return [name for name in meant if name not in reasons], reasons
