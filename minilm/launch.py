"""``minilm book``: opens the chapters' notebooks in JupyterLab."""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


class BookError(RuntimeError):
    """The book cannot be opened; the message says what to do."""


def open_book(
    chapter: int | tuple[int, int] | None = None,
    options: Sequence[str] = (),
    *,
    root: Path = ROOT,
    run: Callable[..., Any] = subprocess.run,
) -> int:
    """Starts JupyterLab on the notebooks, or on one chapter's or section's, and returns its exit status when it ends.

    The notebooks come with their outputs. They are marked as trusted, since a step-through's buttons are a script, which
    JupyterLab shows only in a notebook that it trusts; the book's code is as trusted as the minilm that runs it.

    Args:
        chapter: its number, or with that of a section, (6, 3), where a chapter has a notebook for each; None opens the first chapter.
        options: further options of JupyterLab, such as ``--no-browser``.
        root: the repository.
        run: starts the program.

    JupyterLab refuses to run as root unless it is told to, which it is: where root is the only user, as in a container, the book
    opens too.

    Raises:
        BookError: JupyterLab is not installed, the notebooks are not there, or there is no such chapter or section.
    """
    notebooks = find_notebooks(root)
    if importlib.util.find_spec("jupyterlab") is None:
        raise BookError('JupyterLab is not installed. In the repository: pip install -e ".[book]"')
    notebook = (
        notebooks[0]
        if chapter is None
        else find_chapter(notebooks, *((chapter,) if isinstance(chapter, int) else chapter))
    )
    trust(notebooks)
    tree = f"/lab/tree/{notebook.relative_to(root).as_posix()}"
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--ServerApp.root_dir={root}",
        "--ServerApp.contents_manager_class=minilm.book.jupyter.Contents",
        f"--LabApp.default_url={tree}",
        *(["--allow-root"] if is_root() else []),
        *options,
    ]
    return int(run(command, cwd=root).returncode)


def is_root() -> bool:
    """Whether the user is root (nobody is on Windows)."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def find_notebooks(root: Path = ROOT) -> list[Path]:
    """The chapters' notebooks, in order, each before those of its sections.

    Raises:
        BookError: there are none: minilm was installed without the repository.
    """
    folder = root / "notebooks" / "en"
    found = sorted([*folder.glob("[0-9][0-9]-*.ipynb"), *folder.glob("[A-Z]-*.ipynb")], key=numbers)
    if not found:
        raise BookError(
            f"the notebooks are not here: {root / 'notebooks' / 'en'} holds none. They are part of the repository, not of the "
            'installed package: clone it, and install it from there with pip install -e ".[book]"'
        )
    return found


def numbers(notebook: Path) -> tuple[int, int]:
    """Of the chapter, and of the section: (6, 3) of "06-3-questions.ipynb"; the section is 0 in "06-applications.ipynb".

    Appendix A counts as chapter 101.
    """
    chapter, second, *_ = notebook.stem.split("-")
    if chapter.isalpha():
        return 101 + ord(chapter) - ord("A"), 0
    return int(chapter), int(second) if second.isdecimal() else 0


def called(chapter: int) -> str:
    """How a reader names it: 4, A."""
    return f"{chapter}" if chapter <= 100 else chr(ord("A") + chapter - 101)


def find_chapter(notebooks: Sequence[Path], number: int, section: int = 0) -> Path:
    """The notebook of one chapter, or of one of its sections.

    Raises:
        BookError: there is no such chapter, or no such section of it.
    """
    there = {numbers(path): path for path in notebooks}
    if (number, section) in there:
        return there[number, section]
    if (number, 0) not in there:
        chapters = ", ".join(called(chapter) for chapter, part in there if not part)
        kind = "chapter" if number <= 100 else "appendix"
        raise BookError(f"there is no {kind} {called(number)}; there are {chapters}.")
    sections = ", ".join(f"{number}-{part}" for chapter, part in there if chapter == number and part)
    have = f"it has {sections}" if sections else f"it is one notebook: minilm book {number}"
    raise BookError(f"CHAPTER: chapter {number} has no section {section} that is a notebook of its own; {have}.")


def trust(notebooks: Sequence[Path]) -> None:
    """Signs the notebooks as they are, so that JupyterLab shows their scripts."""
    nbformat: Any = importlib.import_module("nbformat")
    notary = importlib.import_module("nbformat.sign").NotebookNotary()
    for path in notebooks:
        notary.sign(nbformat.read(path, as_version=4))
