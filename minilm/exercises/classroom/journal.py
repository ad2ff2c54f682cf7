"""What a run has graded so far: a file of JSON lines that survives kill -9.

Each line is written whole by one call and forced to the disk, after which the answer counts as graded. A half line, left by a
machine that stopped, is cut off when the journal is opened again. A line carries the key of what was graded (task, answer, seed,
limits), so that nothing that has changed since is taken for known.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any


class Journal:
    """Key -> record, in memory and in a file.

    Args:
        path: the file; it is made, or gone on with.

    Raises:
        ValueError: the file is no journal.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known: dict[str, dict[str, Any]] = {}
        self.dropped = False
        whole = self._read() if path.exists() else 0
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115  (closed by `close`, or at the end of a with)
        if self._file.tell() > whole:
            self._file.truncate(whole)
            self.dropped = True

    def _read(self) -> int:
        """Fills `known`; returns how many bytes of the file are whole lines."""
        content = self.path.read_bytes()
        whole = content.rfind(b"\n") + 1
        for number, line in enumerate(content[:whole].splitlines(), start=1):
            try:
                entry = json.loads(line)
                self.known[entry["key"]] = entry["record"]
            except (ValueError, KeyError, TypeError):
                raise ValueError(
                    f"{self.path}, line {number}, is no line of a journal: remove the file to begin again from the start."
                ) from None
        return whole

    def add(self, key: str, record: dict[str, Any]) -> None:
        """Enters a record, on the disk before this returns."""
        self.known[key] = record
        self._file.write(
            json.dumps({"key": key, "record": record}, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        )
        os.fsync(self._file.fileno())

    def close(self, remove: bool = False) -> None:
        """Closes the file; with `remove`, the run is complete and needs it no more."""
        self._file.close()
        if remove:
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
