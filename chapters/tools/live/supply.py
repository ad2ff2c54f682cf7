"""What the pages need to run Python: the folder ``live/`` of the site, from the files of Pyodide that its builder has.

::

    python -m chapters.tools.live.supply TARGET FOLDER [FOLDER ...]

The folders hold an unpacked release of Pyodide, or npm's package `pyodide` and the wheels that its lock names; they are searched with
what is below them. Nothing is fetched. Every file is compared with a SHA-256: wheels with that of Pyodide's lock, the lock and the files
that it does not name with `CORE`. The lock is cut to what the book imports, and names minilm, tqdm and latex2mathml (`wheels`) beside
NumPy and matplotlib, so that ``loadPackage("matplotlib")`` brings what it needs and nothing else. `data` says which data sets come along.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from chapters.tools.live import data, licences, wheels

VERSION = "0.27.7"
"""The version of Pyodide. Another one needs other sums in `CORE`: those of the files in npm's package of that version."""
LOCK = "pyodide-lock.json"
CORE = {
    LOCK: "9c45b916001a750f4102fc287494f3eab215909c7535c626a20db80fd6333e2c",
    "pyodide.mjs": "04c052c815abb0bf2981fa38c2dfa58e3120ee5288c956df2b2a15e301782c5f",
    "pyodide.asm.js": "6b4c90de5b7172873f04f21884d0e9d2274e305fe32116558fe3e4fbe3618d51",
    "pyodide.asm.wasm": "a50dd1843f805a0b7c45b61037ee0d7b26dfe85efe0e18ef95a34ad24e401f5f",
    "python_stdlib.zip": "16611534726e5d8ac2bd8f926410b2dcb8d6f49aa24913463533b457a2115c16",
}
MODULE = "pyodide.mjs"
MODULE_AS_JS = "pyodide.js"
"""The same under a name that every host knows: not all send .mjs as JavaScript, and a browser runs nothing else as a module."""
PACKAGES = ("numpy", "matplotlib")
LEFT_OUT = {
    "matplotlib-pyodide": "it draws into the page; the book's figures are pictures",
    "fonttools": "matplotlib needs it to write PDF and PostScript only",
    "pytz": "matplotlib 3.8 names it and does not import it",
}
START = ("numpy", "minilm", "tqdm", "latex2mathml")
"""The packages that every cell needs; the others are fetched when a cell imports them."""
LARGEST = 25 << 20  # bytes of one file: what the strictest of the hosts of static sites takes
PAGE = Path(__file__).with_name("page")


class SupplyError(Exception):
    """Pyodide's files are not those that are needed. The message says which, and what to do."""


def make(
    folders: Sequence[str | os.PathLike[str]],
    target: Path,
    *,
    version: str = VERSION,
    core: Mapping[str, str] = CORE,
    sets: Sequence[str] = data.SETS,
) -> dict[str, Any]:
    """Writes the folder; returns its manifest.

    Args:
        folders: where Pyodide's files lie.
        target: the folder to write, which is emptied first.
        version, core: of Pyodide, and the sums of those of its files that its lock does not name.
        sets: the names of the data sets that come along.

    Raises:
        SupplyError: a folder or files are missing, or files are not those of that version.
    """
    there = files_in(folders)
    lock = read_lock(there, folders, version, core)
    names = needed(lock["packages"], PACKAGES)
    wanted = {**core, **{lock["packages"][name]["file_name"]: lock["packages"][name]["sha256"] for name in names}}
    found = check(wanted, there, folders, version)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name, path in found.items():
        if name != LOCK:
            shutil.copyfile(path, target / name)
    shutil.copyfile(found[MODULE], target / MODULE_AS_JS)
    packages = {name: _cut(lock["packages"][name]) for name in names} | wheels.write(target)
    (target / LOCK).write_text(json.dumps({"info": lock["info"], "packages": packages}), encoding="utf-8")
    for path in sorted(PAGE.iterdir()) if PAGE.is_dir() else ():
        if path.is_file():
            shutil.copyfile(path, target / path.name)
    licences.write(target, packages, version, lock["info"]["python"], data.licences(sets))
    brought = data.write(target, sets)
    manifest = {
        "pyodide": version,
        "python": lock["info"]["python"],
        "start": list(START),
        "core": {name: (target / name).stat().st_size for name in core},
        "packages": {name: _entry(packages, name, target) for name in packages},
        "data": brought,
        "missing": data.missing(brought["sets"]),
    }
    too_large = [path.name for path in target.rglob("*") if path.stat().st_size > LARGEST]
    if too_large:
        raise SupplyError(
            f"Files that some hosts refuse, as they have over {LARGEST >> 20} MiB: {', '.join(too_large)}."
        )
    (target / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return manifest


def files_in(folders: Sequence[str | os.PathLike[str]]) -> dict[str, list[Path]]:
    """The files in and below the folders, by their names.

    Raises:
        SupplyError: one is no folder.
    """
    found: dict[str, list[Path]] = {}
    for folder in map(Path, folders):
        if folder.is_file():
            raise SupplyError(
                f"--live {folder} is a file, and a folder is needed: unpack it first (tar xf {folder.name})."
            )
        if not folder.is_dir():
            raise SupplyError(f"--live {folder}: there is no such folder.")
        for path, below, names in os.walk(folder):
            below.sort()
            for name in sorted(names):
                found.setdefault(name, []).append(Path(path) / name)
    return found


def read_lock(
    there: Mapping[str, list[Path]], folders: Sequence[str | os.PathLike[str]], version: str, core: Mapping[str, str]
) -> dict[str, Any]:
    """Pyodide's lock: which packages there are, with their files, sums and what they need.

    Raises:
        SupplyError: there is none, or it is that of another version.
    """
    for path in there.get(LOCK, ()):
        if sha256(path) == core[LOCK]:
            return json.loads(path.read_text(encoding="utf-8"))
    versions = sorted({_version(path) for path in there.get(LOCK, ())} - {version})
    if versions:
        raise SupplyError(
            f"{_named(folders)} has Pyodide {', '.join(versions)}, and {version} is needed.\n{_remedy(version)}"
        )
    check({LOCK: core[LOCK]}, there, folders, version)
    raise AssertionError("unreachable")


def _version(path: Path) -> str:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["info"]["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return "of an unknown version"


def needed(packages: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """The packages and all that they depend on, without those of `LEFT_OUT`, in alphabetical order.

    Raises:
        SupplyError: the lock does not have one of them.
    """
    found: set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        if name in found or name in LEFT_OUT:
            continue
        if name not in packages:
            raise SupplyError(f"Pyodide's lock has no package {name!r}.")
        found.add(name)
        left += packages[name]["depends"]
    return sorted(found)


def check(
    wanted: Mapping[str, str], there: Mapping[str, list[Path]], folders: Sequence[str | os.PathLike[str]], version: str
) -> dict[str, Path]:
    """Where each wanted file lies, of those that are called so the one with its sum.

    Args:
        wanted: SHA-256 by name.

    Raises:
        SupplyError: some are missing or are other files: all of them are named.
    """
    found, faults = {}, []
    for name, expected in wanted.items():
        sums = {path: sha256(path) for path in there.get(name, ())}
        right = [path for path, sum_ in sums.items() if sum_ == expected]
        if right:
            found[name] = right[0]
        elif not sums:
            faults.append(f"{name} is missing")
        else:
            faults += [
                f"{path} is another file: SHA-256 expected {expected}, found {sum_}" for path, sum_ in sums.items()
            ]
    if faults:
        lines = "\n".join(f"  {fault}" for fault in faults)
        raise SupplyError(f"{_named(folders)}, searched with what is below:\n{lines}\n{_remedy(version)}")
    return found


def sha256(path: Path) -> str:
    """A file's SHA-256, in hexadecimal."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _named(folders: Sequence[str | os.PathLike[str]]) -> str:
    return "--live " + " --live ".join(str(folder) for folder in folders)


def _remedy(version: str) -> str:
    return (
        f"Give the unpacked archive pyodide-{version}.tar.bz2 from https://github.com/pyodide/pyodide/releases, or npm's package\n"
        f"(npm pack pyodide@{version}, unpacked) and, with a second --live, a folder with the wheels that its lock names."
    )


def _cut(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A package's entry in the lock, without what is left out."""
    return {**entry, "depends": [name for name in entry["depends"] if name not in LEFT_OUT]}


def _entry(packages: Mapping[str, Any], name: str, target: Path) -> dict[str, Any]:
    """What the manifest says of a package."""
    entry = packages[name]
    return {
        "version": entry["version"],
        "file": entry["file_name"],
        "bytes": (target / entry["file_name"]).stat().st_size,
        "depends": entry["depends"],
        "imports": entry["imports"],
    }


def sizes(paths: Iterable[Path]) -> tuple[int, int]:
    """The bytes of files, and the bytes that a host sends which packs them with gzip where that makes them smaller."""
    both = [
        (len(content), min(len(content), len(gzip.compress(content, 6)))) for content in map(Path.read_bytes, paths)
    ]
    return sum(plain for plain, _ in both), sum(sent for _, sent in both)


def megabytes(paths: Iterable[Path]) -> str:
    """The same in words."""
    plain, sent = sizes(paths)
    return f"{plain / 1e6:.1f} MB ({sent / 1e6:.1f} MB packed with gzip)"


def summary(target: Path) -> str:
    """How large the folder is, and how much of it a first cell without a figure fetches."""
    manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    first = {*manifest["core"], "manifest.json", manifest["data"]["file"]} - {MODULE} | {MODULE_AS_JS}
    first |= {manifest["packages"][name]["file"] for name in START}
    first |= {path.name for path in PAGE.iterdir()} if PAGE.is_dir() else set()
    whole = megabytes(path for path in target.rglob("*") if path.is_file())
    fetched = megabytes(target / name for name in sorted(first) if (target / name).is_file())
    return f"{whole}; a first cell without a figure fetches {fetched}"


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Write the folder live/ of the site.")
    parser.add_argument("target", type=Path, help="the folder to write")
    parser.add_argument("folders", nargs="+", metavar="FOLDER", help="where Pyodide's files lie")
    chosen = parser.parse_args(given)
    try:
        made = make(chosen.folders, chosen.target)
    except SupplyError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{chosen.target}: Pyodide {made['pyodide']}, {summary(chosen.target)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
