"""What ends a training early: somebody's signal, or something that the system refuses."""

from __future__ import annotations

import contextlib
import errno
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

from minilm.parallel import RankError, WorkerError
from minilm.training.checkpoint import CheckpointError, RunError
from minilm.training.run import Run


def _stop_signals() -> list[int]:
    """Ctrl-C, a polite kill, a closed terminal (but not under nohup, which has it ignored), and Windows' Ctrl-Break."""
    found = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]
    return [s for s in found if s != getattr(signal, "SIGHUP", None) or signal.getsignal(s) != signal.SIG_IGN]


@contextlib.contextmanager
def stop_requests(told: bool = True) -> Iterator[Callable[[], bool]]:
    """Within it, the first Ctrl-C, SIGTERM or SIGHUP only makes the yielded function return True; the second acts as always.

    Args:
        told: whether the first is answered with a word on standard error.
    """
    asked = False

    def ask(number: int, _frame: Any) -> None:
        nonlocal asked
        asked = True
        for s, handler in before.items():
            signal.signal(s, handler)
        if not told:
            return
        with contextlib.suppress(OSError, RuntimeError):  # the terminal is gone, or was being written to
            print("\nStopping after this step (once more to stop at once) ...", file=sys.stderr)

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        before = {s: signal.signal(s, ask) for s in _stop_signals()}
    try:
        yield lambda: asked
    finally:
        for s, handler in before.items():
            signal.signal(s, handler)


@contextlib.contextmanager
def explained(run: Run[Any]) -> Iterator[None]:
    """Within it, what the system refuses becomes a RunError: what it was, what can be done, and which checkpoint stands."""
    try:
        yield
    except MemoryError as error:
        raise _stopped(run, f"memory is too small ({error})" if str(error) else "memory is too small",
                       "use a smaller --batch-size, or a smaller model") from error  # fmt: skip
    except WorkerError as error:
        advice = "" if isinstance(error, RankError) else "fewer --processes may help"
        raise _stopped(run, str(error).rstrip(), advice) from error
    except OSError as error:
        raise _stopped(
            run, f"{error.filename or run.folder}: {error.strerror or error}", _ADVICE.get(error.errno or 0, "")
        ) from error


_ADVICE = {
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: "make room on the disk",
    errno.EFBIG: "raise the limit on the size of files",
    errno.EACCES: "make the folder writable",
    errno.EPERM: "make the folder writable",
    errno.EROFS: "make the folder writable",
    errno.ENOENT: "was the folder renamed or deleted?",
}


def _stopped(run: Run[Any], what: str, advice: str) -> RunError:
    try:
        checkpoint = run.load_checkpoint()
    except (CheckpointError, OSError):
        checkpoint = None
    stands = "" if not checkpoint or not run.begun else (
        f" The checkpoint of step {checkpoint.step} stands: go on with {run.command}"
    )  # fmt: skip
    return RunError(f"{what.rstrip('.')}{': ' + advice if advice else ''}.{stands}")
