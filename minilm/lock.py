"""One process at a time in a folder.

The system's own lock on an open file is the sturdy kind: it ends with its process, however that dies, so nothing stale is left
behind, and a number that another process got since then means nothing. What is written in the file only serves to say who holds
it. Where a file system has no locks, the text in the file must do: the process that it names is looked for.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minilm.files import Fault

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}
_BYTE = 2**30  # the byte that Windows locks: others cannot read it, so it lies behind the text


class FolderLock:
    """The lock of a folder, held from `__init__` to `release`.

    Args:
        folder: the folder.
        name: the lock's file in it: removed on release, left (and free) after ``kill -9``.
        fault: makes the error to raise from a message.
        again: how one goes on in the folder's new place, should it be moved: "minilm train --resume and the run's new place".

    Raises:
        What `fault` makes: another process holds it, or this one by another object; or the folder cannot be written.
    """

    def __init__(self, folder: Path, name: str, fault: Fault, again: str) -> None:
        self.folder, self.path, self.fault, self.again = folder, folder / name, fault, again
        while True:
            try:
                self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            except OSError as error:
                raise fault(
                    f"{folder} cannot be written ({error.strerror}): give a folder that may be changed."
                ) from None
            try:
                self._take()
                if self.holds():  # else its last holder removed it while we opened it
                    break
            except BaseException:
                os.close(self._file)
                raise
            os.close(self._file)
        with contextlib.suppress(OSError):  # a full disk: the lock holds without its text
            os.ftruncate(self._file, 0)
            os.write(self._file, json.dumps(_about_this_process()).encode())

    def _take(self) -> None:
        try:
            _lock(self._file)
        except OSError as error:
            holder = _read_holder(self.path)
            if error.errno in _NO_LOCKS and (holder is None or not _may_be_alive(holder)):
                return
            advice = "wait for it, or end it first"
            if error.errno in _NO_LOCKS:
                advice += f"; if it is gone, delete {self.path}"
            raise self.fault(f"{self.folder} is in use by {_named(holder)}: {advice}.") from None

    def holds(self) -> bool:
        """Whether the folder is still the one that was locked."""
        try:
            return os.path.samestat(os.fstat(self._file), os.stat(self.path))
        except OSError:
            return False

    def check(self) -> None:
        """Makes sure that the folder is still the one that was locked.

        Raises:
            What `fault` makes: it was renamed or deleted, or another stands in its place.
        """
        if not self.holds():
            raise self.fault(
                f"{self.folder} is not the folder any more that this process began to write: it was renamed, deleted or replaced. "
                f"Nothing was written since. Go on with {self.again}."
            )

    def release(self) -> None:
        """Gives the folder to others."""
        if os.name == "posix" and self.holds():
            with contextlib.suppress(OSError):
                self.path.unlink()  # while it is locked: whoever opened it before sees that it is gone, and opens anew
        os.close(self._file)
        if os.name != "posix":  # Windows removes no open file
            with contextlib.suppress(OSError):
                self.path.unlink()


def _lock(file: int) -> None:
    """Locks an open file, or raises OSError at once where another has it."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(file, _BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        finally:
            os.lseek(file, 0, os.SEEK_SET)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _about_this_process() -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        "started": _start_of(os.getpid()),
    }


def _start_of(pid: int) -> str | None:
    """When a process of this machine began, as a text that no later process with its number has; None where that is unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[19]}"
    except (OSError, IndexError, ValueError):
        return None


def _read_holder(path: Path) -> dict[str, Any] | None:
    """What a lock file says about its holder; None where it says nothing that can be read."""
    try:
        with open(path, "rb") as file:
            holder = json.loads(file.read(4096))
    except (OSError, ValueError, RecursionError):
        return None
    checks: dict[str, Callable[[Any], bool]] = {
        "pid": lambda x: type(x) is int and 0 < x < 2**31,
        "host": lambda x: isinstance(x, str),
        "since": lambda x: isinstance(x, str),
        "started": lambda x: x is None or isinstance(x, str),
    }
    whole = isinstance(holder, dict) and all(name in holder and check(holder[name]) for name, check in checks.items())
    return holder if whole else None


def _may_be_alive(holder: dict[str, Any]) -> bool:
    """Whether a lock's holder may still be at work; of another machine's processes nothing is known."""
    if holder["host"] != socket.gethostname() or os.name != "posix":
        return True
    try:
        os.kill(holder["pid"], 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # it is there, and another user's
    started = _start_of(holder["pid"])
    return holder["started"] is None or started is None or holder["started"] == started


def _named(holder: dict[str, Any] | None) -> str:
    if holder is None:
        return "another process"
    host = "" if holder["host"] == socket.gethostname() else f" on {holder['host']}"
    this = " (this one)" if holder["pid"] == os.getpid() and not host else ""
    return f"process {holder['pid']}{this}{host}, since {holder['since']}"
