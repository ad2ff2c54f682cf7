"""apt-get with lists of packages of its own, so that neither root is needed nor anything of the machine changes."""

import os
from pathlib import Path


def options(folder: Path) -> list[str]:
    """Options for apt-get that keep what it fetches below `folder`, which must be there."""
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    # Root's downloads are made by a user of apt's own, who may not write into our folder.
    user = "root" if hasattr(os, "geteuid") and os.geteuid() == 0 else ""
    settings = [
        f"Dir::State::lists={folder / 'lists'}", f"Dir::Cache={folder / 'cache'}", f"APT::Sandbox::User={user}",
        "Acquire::Languages=en", "Acquire::GzipIndexes=false", "Acquire::Retries=2",
    ]  # fmt: skip
    return [part for setting in settings for part in ("-o", setting)]


def download_commands(package: str, folder: Path) -> list[list[str]]:
    """Commands that bring a package into the current folder: with the machine's lists, or else with new ones below `folder`."""
    flags = options(folder) if str(folder) != "." else []
    return [
        ["apt-get", "download", package],
        ["apt-get", "update", "-q", *flags],
        ["apt-get", "download", *flags, package],
    ]
