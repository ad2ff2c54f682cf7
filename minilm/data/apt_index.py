"""Debian's index of packages with their descriptions, by apt: what `apt-cache` searches, as one file of JSON lines.

`apt-get update` fetches the index from where this machine gets its packages, into a folder of its own, so that neither root
is needed nor anything of the machine changes; apt checks its signatures. What is asked for is the main part of the stable release
that the machine runs, for amd64. The text changes with the release, so there is no fixed SHA-256: the file's own is kept
beside it with the name of the release, and a run that quotes numbers should quote the release with them.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from minilm.files import atomic_write, read_regular

from . import apt
from .errors import DataError
from .files import cannot_write, is_the_file, make_cache_folder

FILE, RELEASE = "package-descriptions.jsonl", "release.json"
TIMEOUT = 600.0  # seconds
_MAX_BYTES = 1 << 28
_TARGET = "$(CREATED_BY)|$(ORIGIN)|$(LABEL)|$(SUITE)|$(CODENAME)|$(COMPONENT)|$(FILENAME)"


def here(folder: Path) -> Path | None:
    """The file of descriptions in `folder`, if it is there and whole."""
    path = folder / FILE
    known = release(folder)
    return path if known is not None and is_the_file(path, known["sha256"], _MAX_BYTES) else None


def release(folder: Path) -> dict[str, Any] | None:
    """What the file in `folder` was made of: codename, date, numbers of packages and of links, its sha256; None where that is not told."""
    try:
        content = read_regular(folder / RELEASE, DataError, max_bytes=1 << 16, remedy="it is made again")
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    kinds = {"codename": str, "version": str, "packages": int, "links": int, "fetched": str, "sha256": str}
    if isinstance(found, dict) and all(isinstance(found.get(name), kind) for name, kind in kinds.items()):
        return found
    return None


def fetch(folder: Path) -> Path:
    """The file of descriptions in `folder`, made with apt if it is not there.

    Raises DataError where there is no apt, or it cannot fetch the index; the message says what to do.
    """
    if (path := here(folder)) is not None:
        return path
    make_cache_folder(folder)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder, ignore_cleanup_errors=True) as temporary:
        targets = _update(Path(temporary), folder)
        packages = dict(_packages(Path(targets["Packages"])))
        rows = [
            {"name": name, **packages[name], "synopsis": synopsis, "text": text}
            for name, synopsis, text in _translations(Path(targets["Translations"]))
            if name in packages
        ]
    if not rows:
        raise _cannot(folder, "the index has no descriptions in English")
    rows.sort(key=lambda row: row["name"])
    content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode("utf-8")
    about = {
        "codename": targets["codename"], "version": targets["version"], "packages": len(rows),
        "links": sum(len(row["depends"]) for row in rows),
        "fetched": f"{datetime.now(timezone.utc):%Y-%m-%d}", "sha256": hashlib.sha256(content).hexdigest(),
    }  # fmt: skip
    # The release last: it vouches for the file.
    for name, written in ((FILE, content), (RELEASE, json.dumps(about, indent=1).encode("utf-8"))):
        try:
            with atomic_write(folder / name) as file:
                file.write(written)
        except OSError as error:
            raise cannot_write(folder / name, error) from None
    return folder / FILE


def _update(temporary: Path, folder: Path) -> dict[str, str]:
    """Where apt has put the indexes, by their kind, and the codename of the release."""
    if shutil.which("apt-get") is None:
        raise _cannot(folder, "it is made from Debian's index of packages, and this machine has no apt-get")
    flags = [*apt.options(temporary), "-o", "APT::Architecture=amd64", "-o", "APT::Architectures=amd64"]
    updated = _run(["apt-get", "update", "-q", *flags], folder)
    listed = _run(["apt-get", "indextargets", *flags, "--format", _TARGET], folder)
    found: dict[str, str] = {}
    for line in listed.stdout.splitlines():
        kind, origin, label, _suite, codename, component, filename = (line + "|" * 6).split("|")[:7]
        if (
            (origin, label, component) == ("Debian", "Debian", "main")
            and "-" not in codename
            and os.path.isfile(filename)
        ):
            found.setdefault(kind, filename)
            found.setdefault("codename", codename)
    found["version"] = _version(temporary / "lists", found.get("codename", ""))
    if not {"Packages", "Translations"} <= set(found):
        said = [line for line in (updated.stderr + listed.stderr).splitlines() if line.strip()][-3:]
        raise _cannot(
            folder, "apt-get brought no index of Debian's main part:\n" + "\n".join(f"    {line}" for line in said)
        )
    return found


def _version(lists: Path, codename: str) -> str:
    """The number of the point release, such as "12.9"."""
    for path in lists.glob("*Release"):
        head = path.read_text(encoding="utf-8", errors="replace")
        fields = dict(re.findall(r"^(Label|Codename|Version): (.+)$", head, re.MULTILINE))
        if (fields.get("Label"), fields.get("Codename")) == ("Debian", codename):
            return fields.get("Version", "")
    return ""


def _run(command: list[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=TIMEOUT, check=False,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise _cannot(folder, f"apt-get gave no result in {TIMEOUT:.0f} seconds") from None


def _cannot(folder: Path, reason: str) -> DataError:
    return DataError(
        f"the data set package-descriptions is not here and could not be made: {reason}\n"
        "On a machine with Debian and a network, run\n    minilm data get package-descriptions\n"
        f"and copy the files {FILE} and {RELEASE}, which lie where it says, into the folder\n    {folder}\n"
        "Then run your command again."
    )


def _packages(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The name of each package, and its section, its source package and what it depends on."""
    for fields in _stanzas(path):
        name = fields["Package"]
        needs = depends(", ".join(fields[field] for field in ("Pre-Depends", "Depends") if field in fields))
        source = fields.get("Source", name).partition(" ")[0]
        yield name, {"section": fields.get("Section", ""), "source": source, "depends": needs}


def depends(field: str) -> list[str]:
    """The names in a field of relations, each once; of alternatives, which stand between bars, the first (Debian Policy, 7.1).

    >>> depends("libc6 (>= 2.36), python3:any | python, libc6")
    ['libc6', 'python3']
    """
    names = (re.match(r"\s*([a-z0-9][a-z0-9+.-]+)", each) for each in field.split(","))
    return list(dict.fromkeys(found[1] for found in names if found))


def _translations(path: Path) -> Iterator[tuple[str, str, str]]:
    """The name, the synopsis and the long description of each package."""
    for fields in _stanzas(path):
        synopsis, _, text = fields.get("Description-en", "").partition("\n")
        yield fields["Package"], synopsis, paragraphs(text)


def _stanzas(path: Path) -> Iterator[dict[str, str]]:
    """The paragraphs of a control file: a field a line, which goes on in lines that begin with a blank (deb822(5))."""
    with open(path, encoding="utf-8", errors="replace", newline="\n") as file:
        fields: dict[str, str] = {}
        name = ""
        for line in file:
            line = line.rstrip("\n")
            if not line:
                if "Package" in fields:
                    yield fields
                fields = {}
            elif line[0] in " \t":
                fields[name] = f"{fields.get(name, '')}\n{line}"
            else:
                name, _, value = line.partition(":")
                fields[name] = value.strip()
        if "Package" in fields:
            yield fields


def paragraphs(text: str) -> str:
    """A long description as text (Debian Policy, 5.6.13).

    Each line begins with a blank. Lines with one blank are a paragraph, broken anywhere; lines with more stay as they are;
    " ." is an empty line.
    """
    lines: list[str] = []
    flowing = False
    for line in text.split("\n"):
        body = line[1:]
        if body.startswith("."):
            lines.append("")
        elif flowing and body and not body[0].isspace():
            lines[-1] += " " + body.strip()
            continue
        else:
            lines.append(body.rstrip())
        flowing = bool(lines[-1]) and not lines[-1][0].isspace()
    return "\n".join(lines).strip("\n")
