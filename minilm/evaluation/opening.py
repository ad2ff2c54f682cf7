"""What can be evaluated: a run that was trained here, or a published model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from minilm.formats import FormatError
from minilm.pretrained import table
from minilm.pretrained.load import is_run, load
from minilm.text import Tokenizer
from minilm.training.recipes import open_run


class Opened(NamedTuple):
    """A language model and its tokenizer, and what it was called when it was asked for."""

    name: str
    model: Any
    tokenizer: Tokenizer


def open_model(name: str, device: str = "cpu", storage: str = "float32") -> Opened:
    """Opens a language model.

    Args:
        name: the folder of a run; or what `minilm.pretrained.load` opens: a name of the table of published models, a folder, or a GGUF
            file.
        device: where it computes.
        storage: how the weights of a published model are kept in memory.

    Raises:
        CheckpointError: the run is damaged, has no weights yet, or is not a language model's.
        FormatError: a file is damaged, or the model does not predict the next token.
        DataError: there is nothing of that name.
    """
    if name.lower() not in table.TABLE and is_run(name):
        run = open_run(Path(os.path.expanduser(name)))
        return Opened(name, run.model(device), run.task.tokenizer(run.folder))
    found = load(name, storage)
    if not hasattr(found.model, "next_logits"):
        raise FormatError(
            f"{name} holds a {type(found.model).__name__}, which does not predict the next token: what is evaluated here are language "
            "models."
        )
    if found.tokenizer is None:
        raise FormatError(
            f"{name} has no tokenizer: copy the tokenizer.json that the model was trained with into the folder."
        )
    return Opened(name, found.model.to(device), found.tokenizer)
