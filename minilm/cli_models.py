"""The command line's view of models: ``minilm models``, published ones and those of one's own."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from minilm import options as kinds
from minilm import terminal
from minilm.terminal import say


def add_parser(commands: Any) -> None:
    """Adds the command."""
    p = commands.add_parser("models", help="published models, and what is known of a model")
    kinds.help_alone(p)
    models = p.add_subparsers(title="commands", metavar="COMMAND")
    models.add_parser("list", help="name, state and kind of each published model").set_defaults(command=run_list)
    show = models.add_parser(
        "show",
        help="the card of a published model, of a run, or of a folder or file of weights",
        description="Print the card of a model: who trained it on what, what it is for and what it is not good for, licence, sizes and "
        "checksums. Of a run it is the card that the training wrote; of other folders and files, what they say of themselves.",
    )
    show.set_defaults(command=run_show)
    show.add_argument(
        "model",
        type=kinds.some_text,
        metavar="MODEL",
        help="a name of `minilm models list`, a run's folder, a folder in Hugging Face's form, or a GGUF file",
    )
    get = models.add_parser("get", help="fetch a published model into the cache, verify it, and print its path")
    get.set_defaults(command=run_get)
    get.add_argument("name", type=kinds.some_text, metavar="NAME", help="a name of `minilm models list`")


def run_list(_options: argparse.Namespace) -> int:
    """``minilm models list``"""
    from minilm.pretrained.table import list_models

    rows = [(row["name"], row["state"], f"{row['kind']}, {row['parameters']} weights") for row in list_models()]
    terminal.write(terminal.table([("name", "state", "kind"), *rows], terminal.columns()) + "\n")
    return 0


def run_show(options: argparse.Namespace) -> int:
    """``minilm models show``"""
    say(card(options.model))
    return 0


def run_get(options: argparse.Namespace) -> int:
    """``minilm models get``"""
    from minilm.pretrained.table import get

    terminal.write(f"{get(options.name)}\n")
    return 0


def card(model: str) -> str:
    """What is known of a model.

    Raises:
        DataError: there is no model, folder or file of that name.
        CheckpointError: the run is damaged, or has no card.
        FormatError: the folder or file holds no model, or is damaged.
    """
    from minilm.pretrained.describe import describe_files
    from minilm.pretrained.load import is_run, nothing_there
    from minilm.pretrained.table import TABLE, describe

    if model.lower() in TABLE:
        return describe(model)
    path = Path(os.path.expanduser(model))
    if not os.path.lexists(path):
        raise nothing_there(model)
    return card_of_run(path) if is_run(path) else describe_files(path)


def card_of_run(folder: Path) -> str:
    """The card in the folder of a run.

    Raises:
        CheckpointError: there is none, or it cannot be read.
    """
    from minilm.applications import PLACES
    from minilm.files import read_regular, shown
    from minilm.training.card import CARD
    from minilm.training.checkpoint import CheckpointError
    from minilm.training.config import task_named_in

    path = folder / CARD
    if not os.path.lexists(path):
        task = task_named_in(folder / "config.json")
        program = f"minilm task {task} train" if task in PLACES else "minilm train"
        raise CheckpointError(
            f"the run {shown(folder)} has no {CARD} yet: it is written when a training ends or is stopped. Go on with it: "
            f"{program} --resume {shown(folder)}"
        )
    content = read_regular(path, CheckpointError, max_bytes=1 << 24, remedy="no model card has that size.")
    return content.decode("utf-8", "replace").rstrip("\n")
