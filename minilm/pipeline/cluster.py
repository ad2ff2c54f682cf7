"""Who computes the parts: Dask, on as many machines as it has. The folder and the input lie on a disk that all of them see.

A part is named by three words and leaves its result in the folder, so nothing else travels. If a worker is lost, Dask gives its parts to
another one, which computes them again and writes the same.
"""

from __future__ import annotations

import importlib
import logging
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from minilm.data.errors import DataError
from minilm.files import shown
from minilm.pipeline.stages import run_part


class Dask:
    """The workers of a Dask cluster.

    Args:
        scheduler: its address, "tcp://host:8786", or the path of its scheduler file (`dask scheduler --scheduler-file`).
        seconds: how long to wait for it, and for a first worker.

    Raises:
        DataError: Dask is not installed, or nobody answers.
    """

    def __init__(self, scheduler: str, seconds: float = 60) -> None:
        try:
            self._dask: Any = importlib.import_module("distributed")
        except ImportError:
            raise DataError('--scheduler needs Dask: pip install "minilm[cluster]"') from None
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what is lost is told here, in a line
        where = {"address": scheduler} if "://" in scheduler else {"scheduler_file": scheduler}
        try:
            if "scheduler_file" in where:
                _wait_for(scheduler, seconds)
            self._client: Any = self._dask.Client(**where, timeout=seconds)
            self._client.wait_for_workers(1, timeout=seconds)
        except (OSError, TimeoutError, ValueError) as error:
            raise DataError(
                f"--scheduler: {shown(scheduler)} does not answer, or has no worker ({error}): see `dask worker`"
            ) from None

    def __call__(self, folder: Path, stage: str, parts: Sequence[int]) -> Iterator[int]:
        # Not pure: Dask would otherwise take a part of an earlier corpus in the same folder for this one.
        futures = self._client.map(
            run_part, [str(folder.resolve())] * len(parts), [stage] * len(parts), parts, pure=False
        )
        number = dict(zip(futures, parts, strict=True))
        for future in self._dask.as_completed(futures):
            try:
                future.result()
            except Exception as error:
                self._client.cancel(futures)
                if isinstance(error, (DataError, OSError)):
                    raise
                raise DataError(f"part {number[future]} of the stage {stage} failed on the cluster: {error}") from error
            yield number[future]

    def close(self) -> None:
        """Leaves the cluster; its workers stay."""
        self._client.close()


def _wait_for(path: str, seconds: float) -> None:
    """Waits for a file, for which Dask itself would wait without end.

    Raises:
        TimeoutError: it does not come.
    """
    end = time.monotonic() + seconds
    while not os.path.exists(path):
        if time.monotonic() > end:
            raise TimeoutError("there is no such file")
        time.sleep(0.1)


__all__ = ["Dask"]
