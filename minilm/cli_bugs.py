"""The command line's view of the library of bugs: ``minilm bugs``."""

from __future__ import annotations

import argparse
from typing import Any

from minilm import options as kinds
from minilm import terminal
from minilm.options import UsageError
from minilm.terminal import did_you_mean, say


def add_parser(commands: Any) -> None:
    """Adds the command."""
    p = commands.add_parser(
        "bugs",
        help="the library of classic bugs: how each shows, and what to look at",
        description="List the classic bugs by family; with a name such as sum-for-mean, explain one; with a family such as attention, "
        "list those of it.",
    )
    p.set_defaults(command=run_bugs)
    p.add_argument("name", nargs="?", type=kinds.some_text, metavar="NAME", help="a bug, or a family of bugs")


def run_bugs(options: argparse.Namespace) -> int:
    from minilm.exercises import bugs, tasks
    from minilm.exercises.bugs import page

    name = options.name
    if name is None:
        for family, there in bugs.FAMILIES.items():
            say(f"{family}: {', '.join(bug.name for bug in there)}\n")
        return 0
    if bug := bugs.find(name):
        say(page.text(bug, tasks.every()))
        return 0
    families = {family.lower(): there for family, there in bugs.FAMILIES.items()}
    if name.lower() not in families:
        raise UsageError(
            f"the library has no bug {name!r}.{did_you_mean(name, [*bugs.LIBRARY, *families])} `minilm bugs` lists all."
        )
    terminal.write(terminal.table([(b.name, b.title) for b in families[name.lower()]], terminal.columns()) + "\n")
    return 0
