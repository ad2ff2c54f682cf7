"""Opens a language model by what a user calls it: a run that was trained here, or a published model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from minilm.formats import FormatError
from minilm.pretrained import table
from minilm.pretrained.load import is_run, load
from minilm.text import Tokenizer


class Opened(NamedTuple):
    """A language model.

    Attributes:
        name: what it was called when it was asked for.
        model: in evaluation mode.
        tokenizer: the one that it was trained with.
        source: what was opened, in words.
        chat_template: as in `minilm.pretrained.load.Pretrained`; None for a run.
    """

    name: str
    model: Any
    tokenizer: Tokenizer
    source: str
    chat_template: str | None = None


def open_language_model(name: str, device: str = "cpu", storage: str = "float32") -> Opened:
    """Opens a language model.

    Args:
        name: a name of the table of published models, which is fetched if it is not here; a folder or GGUF file of one; or the folder
            of a run.
        device: where it computes.
        storage: how the weights of a published model are kept in memory (`minilm.pretrained.load`); a run's are float32.

    Raises:
        CheckpointError: the run is damaged, has no weights yet, or is not a language model's.
        FormatError: a file is damaged or of an unknown family, or the model does not predict the next token.
        DataError: there is nothing of that name, or it cannot be had.
    """
    if name.lower() not in table.TABLE and is_run(name):
        from minilm.training.recipes import open_run  # here, as a published model needs none of it

        run = open_run(Path(os.path.expanduser(name)))
        return Opened(name, run.model(device).eval(), run.task.tokenizer(run.folder), name)
    found = load(name, storage)
    if not hasattr(found.model, "next_logits"):
        raise FormatError(
            f"{found.source} holds a {type(found.model).__name__}, which does not predict the next token: choose a language model, such "
            "as smollm2-135m-instruct."
        )
    if found.tokenizer is None:
        raise FormatError(
            f"{found.source} has no tokenizer: copy the tokenizer.json that the model was trained with into the folder."
        )
    return Opened(name, found.model.to(device), found.tokenizer, found.source, found.chat_template)


__all__ = ["Opened", "open_language_model"]
