"""The folder of a run that begins: made for it, taken over from a start that was killed, and removed when the start fails."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from minilm.files import is_leftover, remove_leftovers
from minilm.lock import FolderLock
from minilm.training.checkpoint import RunError

LOCK = "run.lock"
TAKEN = "{folder} exists and is not empty: choose another --out, or go on with --resume {folder}."


def names_of_unfinished_start(folder: Path, first: set[str]) -> set[str]:
    """What a start that was killed left in a folder. It is known by its lock, and by having nothing but a run's first files.

    Args:
        first: the names of files that a run begins with, before its config.json.

    Raises:
        FileExistsError: the folder holds anything else, or is none.
    """
    if not os.path.lexists(folder):
        return set()
    names = set(os.listdir(folder)) if folder.is_dir() else {""}
    if names and not (LOCK in names and all(name in first or is_leftover(name) for name in names)):
        raise FileExistsError(TAKEN.format(folder=folder))
    return names


def lock_of(folder: Path) -> FolderLock:
    """The lock of a run's folder, taken.

    Raises:
        RunError: another process trains the run, or the folder cannot be written.
    """
    return FolderLock(folder, LOCK, RunError, "minilm train --resume and the run's new place")


def make_folder(folder: Path) -> list[Path]:
    """Makes a folder and those above it; returns those that were made, the innermost first."""
    missing = []
    for part in (folder, *folder.parents):
        if part.exists():
            break
        missing.append(part)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        remove_folders(missing)
        raise
    return missing


def remove_files(folder: Path, names: set[str]) -> None:
    """Deletes a run's files, and no others."""
    with contextlib.suppress(OSError):
        remove_leftovers(folder)
    for name in names:
        with contextlib.suppress(OSError):
            (folder / name).unlink()


def remove_folders(folders: list[Path]) -> None:
    """Deletes folders that are empty, the innermost first."""
    with contextlib.suppress(OSError):
        for folder in folders:
            folder.rmdir()
