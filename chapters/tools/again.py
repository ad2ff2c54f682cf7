"""Each cell once more, as a reader runs it who did not look: in a copy of the kernel, which ends with it.

The kernel loads this file as an extension of IPython. When a cell has run, it forks; the child runs the cell again, tells what was printed,
and is gone, so all cells behind it find what a single run leaves. One execution of a chapter then says both: whether its numbers are
those of the committed notebook, and whether a cell that is run twice prints the same.

Without `os.fork` (Windows) no cell is run again.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

PLACE = (
    "MINILM_CELLS_AGAIN"  # the folder in which the kernel finds which cells it runs again, and leaves what they printed
)
CELLS, FOUND = "cells.json", "found.jsonl"


class Printed(NamedTuple):
    """What a cell said.

    Attributes:
        out: what it wrote to standard output.
        shown: the plain text of what it showed, in order: results and figures.
        error: the exception that ended it, or "".
    """

    out: str
    shown: list[str]
    error: str


def printed(outputs: Sequence[Any]) -> Printed:
    """What the outputs of a notebook's cell say."""
    return Printed(
        "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stdout"),
        [output.data.get("text/plain", "") for output in outputs if "data" in output],
        "".join(f"{output.ename}: {output.evalue}" for output in outputs if output.output_type == "error"),
    )


def ask(folder: Path, sources: Sequence[str], longest: float | None) -> dict[str, str]:
    """Says in a folder which cells are run again, unless they took longer than so many seconds; for the kernel's environment."""
    (folder / CELLS).write_text(json.dumps({"sources": list(sources), "longest": longest}), encoding="utf-8")
    return {PLACE: str(folder)}


def answers(folder: Path) -> tuple[list[tuple[str, Printed]], float]:
    """The source of each cell that was run again and what it said, in order, and the seconds that all of them took."""
    path = folder / FOUND
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    return [(line["source"], Printed(*line["printed"])) for line in lines], sum(line["seconds"] for line in lines)


def load_ipython_extension(shell: Any) -> None:
    """Called by IPython in the kernel."""
    if PLACE in os.environ and hasattr(os, "fork"):
        Again(shell, Path(os.environ[PLACE])).watch()


class Again:
    """Runs the cells of a kernel again."""

    def __init__(self, shell: Any, folder: Path) -> None:
        self.shell, self.folder = shell, folder
        asked = json.loads((folder / CELLS).read_text(encoding="utf-8"))
        self.sources, self.longest = set(asked["sources"]), asked["longest"]
        self.began = 0.0

    def watch(self) -> None:
        """From now on."""
        self.shell.events.register("pre_run_cell", self.begin)
        self.shell.events.register("post_run_cell", self.end)

    def begin(self, info: Any) -> None:
        self.began = time.monotonic()

    def end(self, result: Any) -> None:
        source, now = result.info.raw_cell, time.monotonic()
        if source not in self.sources or (self.longest is not None and now - self.began > self.longest):
            return
        said = in_a_child(lambda: self.run(source))
        line = {"source": source, "printed": said, "seconds": time.monotonic() - now}
        with (self.folder / FOUND).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def run(self, source: str) -> Printed:
        """In the child. Nothing may reach the kernel's sockets, which are the parent's: output is caught, and errors are not shown."""
        from IPython.utils.capture import capture_output

        self.shell.events.unregister("pre_run_cell", self.begin)
        self.shell.events.unregister("post_run_cell", self.end)
        self.shell._showtraceback = lambda *_: None
        with capture_output() as captured:
            self.shell.display_trap.hook = sys.displayhook  # which `run_cell` would put back to the kernel's own
            error = self.shell.run_cell(source, store_history=False).error_in_exec
        shown = [output.data.get("text/plain", "") for output in captured.outputs]
        return Printed(captured.stdout, shown, f"{type(error).__name__}: {error}" if error else "")


def in_a_child(function: Callable[[], Any]) -> Any:
    """What a function returns in a fork of this process, as JSON types; that it did not return, where it ended the process."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        # Python 3.12 warns of threads that may hold a lock: those of the kernel serve its sockets, which the child leaves alone.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            with os.fdopen(writer, "w", encoding="utf-8") as file:
                json.dump(function(), file)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as file:
        text = file.read()
    os.waitpid(child, 0)
    return json.loads(text) if text else Printed("", [], "the process ended")


__all__ = ["Printed", "answers", "ask", "load_ipython_extension", "printed"]
