"""A word of help where a notebook's cell uses a name that another cell defines, and that cell has not been run.

``minilm book`` starts kernels with this module loaded (`STARTUP`); elsewhere it is loaded with `minilm.book`, by a chapter's first
cell. The message of such a NameError says which cell to run.
"""

from __future__ import annotations

import json
import os
import symtable
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

STARTUP = Path(__file__).with_name("startup.py")


def install(shell: Any = None) -> bool:
    """Lets IPython's shell explain names that are not defined; returns whether there is a shell.

    Args:
        shell: IPython's; None takes the one that runs here.
    """
    if shell is None:
        ipython = sys.modules.get("IPython")
        shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return False
    shell.set_custom_exc((NameError,), _explained)
    return True


def _explained(shell: Any, kind: Any, error: NameError, traceback: Any, tb_offset: int | None = None) -> None:
    """What IPython calls for a NameError: adds the word, and shows the error as IPython would."""
    word = explanation(_name(error), code_cells(_notebook(shell)))
    if word and kind is NameError and not str(error).endswith(word):
        error.args = (f"{error}. {word}", *error.args[1:])
    shell.showtraceback((kind, error, traceback), tb_offset=tb_offset)


def _name(error: NameError) -> str:
    return getattr(error, "name", None) or ""


def _notebook(shell: Any) -> str:
    """The path of the notebook that runs, as Jupyter or Visual Studio Code state it; empty where none does."""
    return str(shell.user_ns.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME", ""))


def code_cells(path: str) -> list[str]:
    """The sources of a notebook's code cells; none where it cannot be read."""
    try:
        cells = json.loads(Path(path).read_text(encoding="utf-8"))["cells"]
        return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def explanation(name: str, cells: Sequence[str]) -> str:
    """Which cell defines the name; empty where none does."""
    k = next((k for k, source in enumerate(cells) if name in defined(source)), -1)
    if not name or k < 0:
        return ""
    if k == 0:
        return (
            "Run the notebook's first code cell, which defines it; Run > Run All Above Selected Cell runs all you need."
        )
    first = next(line for line in cells[k].split("\n") if line.strip())
    return (
        f"Code cell {k + 1} defines it, which begins {first.strip()!r}: "
        "Run > Run All Above Selected Cell runs all you need, in order."
    )


def defined(source: str) -> set[str]:
    """The names that a cell defines for other cells; none where it is not Python."""
    try:
        table = symtable.symtable(source, "cell", "exec")
    except SyntaxError:
        return set()
    return {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
