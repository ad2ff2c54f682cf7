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
    "numpy": Peer("minilm without fast", "minilm", "numpy_peer"),
    "torch": Peer("PyTorch eager", "torch", "torch_peer"),
    "compile": Peer("torch.compile", "torch", "compile_peer"),
    "jax": Peer("JAX jit", "jax", "jax_peer"),
    "processes": Peer("minilm, processes", "minilm", "processes_peer", "gpt"),
    "halves": Peer("minilm, a part of the batch per thread", "minilm", "halves_peer", "gpt"),
    "products": Peer("matrix products alone", "numpy", "products_peer", "gpt"),
    "cold": Peer("minilm, nothing compiled", "minilm", "minilm_peer", "first-step"),
    "busy": Peer("a busy process", "minilm", "busy_peer", "gpt-busy"),
}
"""By the names that the command line takes. The last three are no peers: "products" is the limit of (a), which runs beside the others;
"cold" is minilm with nothing in Numba's cache; "busy" is a load."""

COMPILED = ("compile", "jax")
NOT_WRITTEN = "only the eager model is written"
REASONS = {
    "generate": "only the eager loop is written: a cache that grows changes shapes at every token",
    "ops": "a compiled chain is one function: it has no overhead per op",
    "seq2seq": NOT_WRITTEN, "bert": NOT_WRITTEN, "llama": NOT_WRITTEN,
    "memory": "the compiler itself would be the peak",
    "beside": "how threads wait is asked of the eager sides",
    "first_step": "the first step of a compiled function is its compilation",
}  # fmt: skip
"""Why a compiled peer sits out, by the measure or by the kind of a workload."""


def load(name: str) -> Any:
    """The module that builds a peer's steps."""
    return importlib.import_module(f"tests.benchmarks.{PEERS[name].module}")


def versions(names: Sequence[str]) -> dict[str, str]:
    """Those of the packages of the peers that are installed, and Numba's, or that there is none."""
    found = {
        name: metadata.version(PEERS[name].package)
        for name in names
        if missing(name) is None and PEERS[name].package != "minilm"
    }
    return {**found, "numba": metadata.version("numba") if importlib.util.find_spec("numba") else "not installed"}


def has_fast() -> bool:
    """Whether minilm has compiled kernels here: then it is measured with them and without."""
    from minilm.backend import is_compiled  # here: in PyTorch's worker minilm must not tell malloc what to keep

    return is_compiled()


def missing(name: str) -> str | None:
    """Why a peer cannot be measured here at all; None where it can."""
    if importlib.util.find_spec(PEERS[name].package) is None:
        return "not installed"
    if name in ("numpy", "cold") and not has_fast():
        return "minilm itself: nothing is compiled here"
    if name == "compile" and not any(map(shutil.which, ("c++", "g++", "clang++"))):
        return "no C++ compiler"
    return None


def skipped(name: str, workload: Workload) -> str | None:
    """Why a peer does not take part in a workload; None where it does."""
    reason = missing(name)
    if reason is None and name in COMPILED:
        reason = REASONS.get(workload.measure) or REASONS.get(workload.kind)
    return reason


def parted(names: Sequence[str], workload: Workload) -> tuple[list[str], dict[str, str]]:
    """Those of the peers that take part in a workload, and why each of the others does not. One for another workload is neither."""
    meant = [name for name in names if PEERS[name].only in ("", workload.name)]
    reasons = {name: why for name in meant if (why := skipped(name, workload)) is not None}
    return [name for name in meant if name not in reasons], reasons
