"""Ctrl-C between two changes that belong together: held back until both are done. And Ctrl-C that ends a part, not the program.

Python runs a signal's handler between any two lines of the main thread, and the usual one for Ctrl-C raises KeyboardInterrupt
there. In the middle of an optimizer's step that would leave some parameters updated and others not: a model that no training
would have given, and that looks whole.
"""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any

_NAMES = (
    "SIGINT",
    "SIGTERM",
    "SIGHUP",
    "SIGBREAK",
    "SIGALRM",
    "SIGUSR1",
    "SIGUSR2",
)  # those that programs have handlers for
# The functions in C that `signal` wraps: it also looks for an enum's name of each handler, which takes ten times as long.
_c: Any = sys.modules.get("_signal", signal)
_HELD = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))


class hold_signals:
    """Within it, signals wait whose handlers are written in Python (Ctrl-C's is); at its end the handlers get them, in order.

    Handlers are run by the main thread alone: in any other thread there is nothing to hold, and nothing is done. Neither is
    where a signal is ignored or ends the process at once. Held within held is held until the outer one ends.

    It takes two microseconds. A handler that never returns to Python, such as that of a crash, is not delayed by it.
    """

    __slots__ = ("_arrived", "_before")

    def __enter__(self) -> None:
        self._arrived: list[int] = []
        self._before: list[tuple[int, Any]] = []
        if threading.current_thread() is not threading.main_thread():
            return
        for number in _HELD:
            handler = _c.getsignal(number)
            if callable(handler):  # not SIG_DFL, SIG_IGN or None, which Python does not run
                self._before.append((number, handler))
                _c.signal(number, self._hold)

    def _hold(self, number: int, _frame: FrameType | None) -> None:
        self._arrived.append(number)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        try:
            for number, handler in reversed(self._before):  # Ctrl-C's comes last: from then on it may raise here
                _c.signal(number, handler)
        finally:
            self._deliver()

    def _deliver(self) -> None:
        """Each signal again, now with its own handler; one that raises keeps none of the others from theirs."""
        if self._arrived:
            try:
                signal.raise_signal(self._arrived.pop(0))
            finally:
                self._deliver()


class note_ctrl_c:
    """Within it, the first Ctrl-C only makes `pressed` true, for whoever looks; the second one raises KeyboardInterrupt, as ever.

    In a thread other than the main one nothing is changed: Ctrl-C does not come there.
    """

    __slots__ = ("_before", "pressed")
    _before: Any
    pressed: bool

    def __enter__(self) -> note_ctrl_c:
        self.pressed, self._before = False, None
        if threading.current_thread() is threading.main_thread() and callable(signal.getsignal(signal.SIGINT)):
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.pressed and callable(self._before):
            self._before(number, frame)
        self.pressed = True

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)


__all__ = ["hold_signals", "note_ctrl_c"]
