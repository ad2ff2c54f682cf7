"""Starts programs on ranks of MPI; tests that do so are skipped where there is no mpi4py, or no mpiexec."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parallel.nets import children_path


def mpiexec():
    """The launcher that belongs to this Python's MPI: the one beside Python, else the first on the path."""
    pytest.importorskip("mpi4py", reason="needs mpi4py and an MPI: pip install -e '.[cluster]'")
    beside = Path(sys.executable).with_name("mpiexec")
    found = str(beside) if beside.exists() else shutil.which("mpiexec")
    if found is None:
        pytest.skip("needs mpiexec: pip install -e '.[cluster]'")
    return found


def start(count, *command, **environment):
    """Python with these arguments on `count` ranks; outputs are read as text."""
    return subprocess.Popen(
        [mpiexec(), "-n", str(count), sys.executable, *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**children_path(), "OPENBLAS_NUM_THREADS": "1", **environment},
    )


def run(count, *command, **environment):
    """The same, waited for: exit status, output, errors."""
    child = start(count, *command, **environment)
    try:
        out, errors = child.communicate(timeout=60)
    finally:
        if child.poll() is None:
            child.kill()  # the ranks end with it
    return child.returncode, out, errors


def pid_of(rank, launcher):
    """The process of a rank, looked for among the descendants of the launcher."""
    for pid in _descendants(launcher):
        try:
            variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if f"PMI_RANK={rank}".encode() in variables or f"OMPI_COMM_WORLD_RANK={rank}".encode() in variables:
            return pid
    raise LookupError(rank)


def _descendants(pid):
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield int(child)
        yield from _descendants(int(child))


LINUX = pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="looks processes up as Linux has them")
