"""Another Python process that has minilm from where this one has it, and imports nothing from the current folder.

A file there that is named like a module of the standard library (random.py, pickle.py) would be imported in its place.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

# What the process runs. It is isolated (-I) until its path is known, so that nothing of the current folder or of the environment
# is imported before.
_START = """
import importlib, importlib.util, json, sys
path, folder, module = json.loads(sys.argv.pop(1))
sys.path[:] = [*path, *(p for p in sys.path if p not in path)]
spec = importlib.util.spec_from_file_location("minilm", folder + "/__init__.py", submodule_search_locations=[folder])
sys.modules["minilm"] = minilm = importlib.util.module_from_spec(spec)
spec.loader.exec_module(minilm)
sys.exit(importlib.import_module(module).main())
"""


def start(
    module: str, path: Sequence[str], arguments: Sequence[str] = (), output: BinaryIO | None = None
) -> subprocess.Popen[bytes]:
    """Starts a process that runs `main()` of a module of minilm, with pipes to its input and from its output.

    It computes with one thread, as there are to be as many processes as cores, and Ctrl-C is not for it.

    Args:
        module: its name, "minilm.parallel.serve".
        path: where the process looks for modules (`module_path`).
        arguments: what it finds in `sys.argv[1:]`.
        output: where its output and its errors go instead, if it is not to be talked to: then its input is empty.
    """
    places = json.dumps([list(path), str(Path(__file__).parent), module])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-I", "-c", _START, places, *arguments]
    with _without_ctrl_c():
        if output is not None:
            nothing, same = subprocess.DEVNULL, subprocess.STDOUT
            return subprocess.Popen(command, stdin=nothing, stdout=output, stderr=same, env=environment)
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)


@contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """A process that begins within it never gets Ctrl-C, which reaches all processes of a terminal: this one decides, and gets it after.

    Otherwise it would tell of it with a traceback until it has said that it is not for it.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def module_path(modules: Iterable[str] = ()) -> list[str]:
    """Where another process looks for modules: where this one does, but not in the current folder.

    Only where one of `modules`, which it needs, lies in the current folder does that folder come last.
    """
    here = os.path.realpath(os.curdir)
    path = [p for p in sys.path if p and os.path.realpath(p) != here]
    if any(_root(name) == here for name in modules):
        path.append(here)
    return path


def _root(module: str) -> str | None:
    """The folder on the path in which a module, or the package around it, was found."""
    package = sys.modules.get(module.partition(".")[0])
    file = getattr(package, "__file__", None)
    if file is None or package is sys.modules["minilm"]:  # minilm itself is loaded from its place, wherever that is
        return None
    folder = Path(file).parent
    return os.path.realpath(folder.parent if hasattr(package, "__path__") else folder)


__all__ = ["module_path", "start"]
