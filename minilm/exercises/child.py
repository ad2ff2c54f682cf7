"""What runs within the process that a student's code gets: limits, the answer, and notes of what it did, a line of JSON each.

It is a fence against mistakes, not a sandbox. Within Python an answer can neither write files outside its own folder, nor read
the records of the tasks, nor signal other processes, nor open a connection. Code that goes around Python (ctypes, another program that it
starts) can do what its user can: who grades strangers gives the grader a user, or a container, of its own.
"""

from __future__ import annotations

import builtins
import contextlib
import faulthandler
import json
import linecache
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from minilm.backend import set_num_threads
from minilm.exercises import perform as performing
from minilm.exercises import tasks
from minilm.exercises.code import first_definition, run_text
from minilm.exercises.perform import ANSWER, NoInput, Own, Ran, Trouble, call, of_text, perform, trouble_of
from minilm.exercises.task import Task, Test
from minilm.exercises.values import encode, other

try:
    import resource
except ImportError:  # Windows, Pyodide
    resource = None  # type: ignore[assignment]

DEEPEST_FORKS = 8
inside = False
"""Whether this is a process that an answer runs in."""
_write, _exit, _process_time, _dumps = os.write, os._exit, time.process_time, json.dumps


@dataclass(frozen=True)
class Limits:
    """What an answer may take.

    Attributes:
        seconds: of computing per call; a call for which the solution takes long may take twenty times the solution's time.
        total: seconds of computing for all calls.
        waiting: how many times longer a call may last than it may compute: it may wait, or the machine may be busy.
        memory: bytes, beside what the process has at its beginning. Where the system does not hold to it (macOS), nothing does.
        file: bytes of a file that is written.
    """

    seconds: float = 0.8
    total: float = 10.0
    waiting: float = 2.0
    memory: int = 1 << 30
    file: int = 1 << 26


# --- the stream of notes -----------------------------------------------------------------------------------------------------------


class Notes:
    """Writes notes to a file descriptor."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __call__(self, *note: Any) -> None:
        data = (_dumps(note, allow_nan=False) + "\n").encode()
        while data:
            data = data[_write(self.descriptor, data) :]


def note_of(ran: Ran) -> dict[str, Any]:
    """A `Ran` as JSON."""
    note = {**asdict_shallow(ran), "trouble": ran.trouble and asdict(ran.trouble)}
    try:
        note["value"] = encode(ran.value)
    except MemoryError:
        raise
    except Exception:
        note["value"] = other(ran.value)
    return note


def asdict_shallow(ran: Ran) -> dict[str, Any]:
    """The fields that are JSON already."""
    names = ("seconds", "printed", "warned", "changed", "shares", "drawn", "global_random")
    return {name: getattr(ran, name) for name in names}


# --- the process -------------------------------------------------------------------------------------------------------------------


def main() -> None:
    """In a fresh process: the job comes on standard input, the notes go to what was standard output."""
    job = json.loads(sys.stdin.buffer.read())
    out, dump = os.dup(1), os.open(job["dump"], os.O_WRONLY | os.O_CREAT, 0o600)
    _leave_streams()
    task = tasks.find(job["task"])
    task = replace(task, tests=tuple(test for test in task.tests if test.name in job["tests"]))
    serve(task, None, job, Notes(out), dump, of_text)


def serve(task: Task, answer: Any, job: dict[str, Any], notes: Notes, dump: int, own: Own) -> None:
    """Runs the answer, and leaves the process.

    Args:
        answer: the live object; None where job["text"] is to be run.
        job: "text", "tests" (names of those that are asked), "seed", "mode" ("tests" or "kills"), "subjects" (texts of functions, for
            "kills"), "begin", "budgets" (seconds of computing per call), "folder" and the fields of `Limits`.
        dump: the file descriptor that a traceback is written to when the process has to end.
    """
    code = 0
    try:
        cases, values = task.cases(job["seed"]), task.values(job["seed"])
        given = _Given(task, cases, values, task.setup, task.name)
        _hide_solutions(task)
        _settle(job)
        clock = Clock(job, dump)
        seen = Seen(job["folder"])
        notes("begin")
        _converse(given, answer, job, notes, clock, seen, own)
        clock.stop()
        notes("end")
    except BaseException as error:
        code = 3
        with contextlib.suppress(BaseException):
            kind = performing.OWN_KINDS.get(type(error), type(error).__name__)
            notes("broken", {"kind": kind, "message": str(error)[:500]})
    finally:
        _exit(code)


@dataclass
class _Given:
    """What is left of a task where its solution must not be found."""

    task: Task
    drawn: list[tuple[Test, tuple[Any, ...]]]
    values: dict[str, Any]
    setup: str
    name: str


def _converse(
    given: _Given, answer: Any, job: dict[str, Any], notes: Notes, clock: Clock, seen: Seen, own: Own
) -> None:
    if job["text"] is not None:
        notes("at", -1)
        clock.start(-1)
        answer, trouble = _defined(given, job["text"], own)
        clock.stop()
        if trouble:
            notes("trouble", asdict(trouble))
            return

    def tell(event: str, i: int, ran: Ran | None) -> None:
        if ran is None:
            notes(event, i)
            clock.start(i)
            return
        note = note_of(ran)
        clock.stop()
        note["warned"] += seen.new()
        notes(event, i, note)

    if job["mode"] == "kills":
        _kills(answer, job, tell, own)
    else:
        perform(given.task, answer, job["seed"], tell=tell, own=own, begin=job["begin"], catch=BaseException)


def _defined(given: _Given, text: str, own: Own) -> tuple[Any, Trouble | None]:
    """What the text defines under the task's name."""
    printed = performing.Printed()
    try:
        names = run_text(given.setup, "<set-up>", given.values)
        with contextlib.redirect_stdout(printed.stream):
            space = run_text(text, ANSWER, names)
    except BaseException as error:
        return None, trouble_of(error, own)
    if given.name not in space:
        return None, Trouble("no name", f"the answer does not define {given.name}.")
    found = space[given.name]
    if given.task.kind != "number" and not callable(found):
        return None, Trouble("no function", f"{given.name} is of type {type(found).__name__}, not a function or class.")
    return found, None


def _kills(answer: Any, job: dict[str, Any], tell: Callable[[str, int, Ran | None], None], own: Own) -> None:
    """Gives each subject, right or wrong, to a student's test."""
    test = Test("the student's test")
    for i, text in enumerate(job["subjects"][job["begin"] :], job["begin"]):
        subject = run_text(text, "<subject of this task>")[first_definition(text)]
        linecache.cache.pop("<subject of this task>", None)  # the test is to find the bug by calling, not by reading
        tell("at", i, None)
        tell("ran", i, call(answer, test, (subject,), own, BaseException))


# --- the fence ---------------------------------------------------------------------------------------------------------------------


def _leave_streams() -> None:
    """Standard streams lead nowhere, for Python and for C; what is printed in a call is kept by the call."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    builtins.input = performing.no_input
    sys.stdin = sys.__stdin__ = NoInput()  # type: ignore[assignment, misc]
    sys.stdout = sys.__stdout__ = open(1, "w", errors="replace", closefd=False)  # type: ignore[misc]  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(2, "w", errors="replace", closefd=False)  # type: ignore[misc]  # noqa: SIM115


def leave_parent(keep: set[int]) -> None:
    """In a forked process: nothing that belongs to the parent is touched from here on.

    Its sockets and files are closed (in this process), its handlers of signals are taken out, and what is not needed any more is not
    collected either, since a finalizer could act on it.
    """
    import gc

    gc.freeze()
    os.setsid()
    with contextlib.suppress(ValueError):
        signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        with contextlib.suppress(OSError, ValueError):
            if callable(signal.getsignal(number)):
                signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.settrace(None)
    sys.setprofile(None)
    threading.settrace(None)
    _leave_streams()
    for descriptor in _open_descriptors():
        if descriptor > 2 and descriptor not in keep:
            with contextlib.suppress(OSError):
                os.close(descriptor)
    if "IPython" in sys.modules:
        with contextlib.suppress(Exception):
            sys.modules["IPython"].core.interactiveshell.InteractiveShell.clear_instance()


def _open_descriptors() -> list[int]:
    """Where the system does not list them, all that there may be."""
    with contextlib.suppress(OSError, ValueError):
        return [int(name) for name in os.listdir("/dev/fd")]
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0] if resource else 4096
    return list(range(min(most, 1 << 16) if most > 0 else 1 << 16))


def _hide_solutions(task: Task) -> None:
    """Of all tasks that this process has read only what an answer needs is left, and no more can be read."""
    known = [task]
    for name, module in list(sys.modules.items()):
        if name.startswith("minilm.exercises.tasks") and module is not None:
            known += [x for x in vars(module).values() if isinstance(x, Task)]
            known += [x for x in vars(module).get("TASKS", ()) if isinstance(x, Task)]
    for record in known:
        for name in ("solution", "hint", "derivation", "subject"):
            object.__setattr__(record, name, "")
        object.__setattr__(record, "wrong", ())
    tasks.of_chapter.cache_clear()
    for name in [name for name in linecache.cache if name.startswith(("<solution of", "<subject of"))]:
        del linecache.cache[name]


def _settle(job: dict[str, Any]) -> None:
    """Takes the process to its own folder, and within its limits."""
    global inside
    inside = True
    folder = os.path.realpath(job["folder"])
    os.chdir(folder)
    keep = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "TZ") if name in os.environ}
    os.environ.clear()
    os.environ.update(keep, HOME=folder, USERPROFILE=folder, TMPDIR=folder, TEMP=folder, TMP=folder, MPLBACKEND="Agg",
                      MPLCONFIGDIR=folder, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")  # fmt: skip
    import tempfile

    tempfile.tempdir = folder
    sys.dont_write_bytecode = True
    set_num_threads(1)
    if resource:
        _limit(resource.RLIMIT_CORE, 0)
        _limit(resource.RLIMIT_FSIZE, job["file"])
        if sys.platform == "linux":
            _limit(resource.RLIMIT_AS, _mapped() + job["memory"])
    sys.addaudithook(Fence(folder))


def _limit(which: int, most: int) -> None:
    hard = resource.getrlimit(which)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(which, (most, most))


def _mapped() -> int:
    """Bytes of address space that this process has."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


class Fence:
    """Refuses what would reach beyond the answer's own process and folder, as far as Python announces it (`sys.addaudithook`)."""

    def __init__(self, folder: str) -> None:
        self.folder = os.path.join(folder, "")
        self.hidden = tuple(
            os.path.join(os.path.dirname(os.path.realpath(performing.__file__)), name) for name in ("tasks", "bugs")
        )
        self.forks, self.pid = 0, os.getpid()
        self.changes = {"os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.truncate", "os.chmod", "os.chown", "os.link",
                        "os.symlink", "shutil.rmtree", "shutil.move", "os.utime"}  # fmt: skip
        # Bound here: an answer may replace what it likes in these modules.
        self.realpath, self.fsdecode, self.writing = (
            os.path.realpath,
            os.fsdecode,
            os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC,
        )
        self.nowhere = os.devnull
        self.getpid = os.getpid

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            self.opened(*arguments[:3])
        elif event in self.changes:
            for path in arguments[: 2 if event in ("os.rename", "os.link", "shutil.move") else 1]:
                self.within(path)
        elif event in ("os.kill", "os.killpg"):
            if arguments[0] != self.getpid():
                raise PermissionError(f"an answer may not send signals to other processes ({event} of {arguments[0]})")
        elif event in ("socket.connect", "socket.bind", "socket.getaddrinfo"):
            raise PermissionError("an answer may not use the network")
        elif event in ("os.fork", "os.forkpty", "subprocess.Popen", "os.posix_spawn", "os.system"):
            self.forks += 1
            if self.forks > DEEPEST_FORKS:
                raise PermissionError(f"an answer may not start more than {DEEPEST_FORKS} processes")

    def opened(self, path: Any, mode: Any, flags: Any) -> None:
        if isinstance(path, int):
            return
        if flags & self.writing if isinstance(flags, int) else mode and set(mode) & set("wax+"):
            self.within(path)
        elif self.realpath(self.fsdecode(path)).startswith(self.hidden):
            raise PermissionError("the records of the tasks are not for answers to read")

    def within(self, path: Any) -> None:
        if isinstance(path, int):
            return
        name = self.fsdecode(path)
        if name != self.nowhere and not (self.realpath(name) + os.sep).startswith(self.folder):
            raise PermissionError(f"an answer may write in its own folder only, not to {name}")


class Clock:
    """Ends the process when a call has computed, or lasted, too long; the line where it was is written to a file first.

    The line is written by `faulthandler`, in C, so that it is found within a long NumPy call too. Computing is measured, since
    a machine may be busy with other things; where the system has no such timer (Windows), lasting is.
    """

    def __init__(self, job: dict[str, Any], dump: int) -> None:
        self.budgets, self.waiting, self.left = job["budgets"], job["waiting"], job["total"]
        self.dump = dump
        self.has_timer = hasattr(signal, "setitimer")
        self.later, self.cancel = faulthandler.dump_traceback_later, faulthandler.cancel_dump_traceback_later
        self.set = signal.setitimer if self.has_timer else None
        self.begun = 0.0
        faulthandler.enable(file=dump, all_threads=False)
        if self.has_timer:
            signal.signal(signal.SIGPROF, signal.SIG_DFL)
            faulthandler.register(signal.SIGPROF, file=dump, all_threads=True, chain=True)

    def start(self, i: int) -> None:
        self.begun = _process_time()
        seconds = max(min(self.budgets[i] if i >= 0 else self.budgets[-1], self.left), 0.01)
        self.later(seconds * (self.waiting if self.has_timer else 1), exit=True, file=self.dump)
        if self.set:
            self.set(signal.ITIMER_PROF, seconds)

    def stop(self) -> None:
        self.cancel()
        if self.set:
            self.set(signal.ITIMER_PROF, 0)
        self.left -= _process_time() - self.begun
        self.begun = _process_time()


class Seen:
    """What an answer left behind: files, processes, functions of NumPy that it replaced. Each is told once."""

    def __init__(self, folder: str) -> None:
        self.folder, self.told = folder, False
        self.files: set[str] = set()
        self.numpy = {name: x for name, x in vars(np).items() if callable(x)}  # what is imported at first use is not
        self.list, self.wait = os.listdir, getattr(os, "waitpid", None)

    def new(self) -> list[str]:
        """One line for each thing that is new."""
        found = []
        with contextlib.suppress(OSError):
            there = {name for name in self.list(self.folder) if not name.startswith(".")}
            found += [f"FileWritten: {name}" for name in sorted(there - self.files)[:20]]
            self.files |= there
        for name, before in self.numpy.items():
            if (now := vars(np).get(name)) is not before:
                found.append(f"NumPyChanged: np.{name} was replaced")
                self.numpy[name] = now
        if not self.told and self.wait:
            with contextlib.suppress(OSError):  # there is none
                self.told = self.wait(-1, os.WNOHANG)[0] == 0
                found += ["ProcessLeft: a process that the answer started still runs"] if self.told else []
        return found
