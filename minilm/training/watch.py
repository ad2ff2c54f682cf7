"""A last word for a training whose process is killed before it can say anything.

When a rank of MPI is gone, the launcher kills the others at once, by SIGKILL (MPICH) or a second after SIGTERM (Open MPI): no handler
and no time-out of rank 0 gets to tell which checkpoint stands. So a shell is told it step by step, in a session of its own, which the
launcher does not kill. It speaks when its input ends without a farewell.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

from minilm.parallel import world
from minilm.training.run import Run

SCRIPT = """trap "" INT TERM HUP
while read -r line; do last=$line; done
case "$last" in "" | end) exit ;; esac
echo "minilm: rank 0 was killed, as mpiexec does when another rank is gone. The checkpoint of step $last stands: go on with $1" >&2"""


class Watch:
    """Who speaks for this process when it is killed; nobody, where there is no shell.

    Args:
        command: what goes on with the run.
    """

    def __init__(self, command: str | None) -> None:
        self._told: int | None = None
        self._shell: subprocess.Popen[bytes] | None = None
        if command is not None and (shell := shutil.which("sh")):
            with contextlib.suppress(OSError):
                self._shell = subprocess.Popen(
                    [shell, "-c", SCRIPT, "sh", command],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    start_new_session=True,
                )

    def tell(self, step: int | None) -> None:
        """Says that a checkpoint of that step is written."""
        if step != self._told:
            self._told = step
            self._write(f"{step}\n")

    def _write(self, text: str) -> None:
        if self._shell is not None and self._shell.stdin is not None:
            with contextlib.suppress(OSError):
                self._shell.stdin.write(text.encode())
                self._shell.stdin.flush()

    def end(self) -> None:
        """The farewell: this process goes on, or speaks for itself."""
        self._write("end\n")
        if self._shell is not None and self._shell.stdin is not None:
            with contextlib.suppress(OSError):
                self._shell.stdin.close()
            self._shell.wait()


@contextlib.contextmanager
def watched(run: Run[Any]) -> Iterator[Watch]:
    """Within it, somebody tells how to go on with the run should this process be killed; only where it is one of several ranks.

    After an error that goes on until this process has told it, and ends: the launcher may be faster.
    """
    ranks = world()
    watch = Watch(run.command if ranks else None)
    try:
        yield watch
    except BaseException:
        if ranks:
            ranks.farewells.append(watch.end)
        raise
    watch.end()


__all__ = ["Watch", "watched"]
