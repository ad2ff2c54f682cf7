"""What a person can talk with: a published model by its name, a folder or file of one, or a run that was trained here."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minilm.chat.template import Template, template_for
from minilm.formats import FormatError
from minilm.pretrained import table
from minilm.pretrained.load import CONFIG, RUN, load, read_json
from minilm.text import Tokenizer


@dataclass(frozen=True)
class Opened:
    """A language model that is ready to talk.

    Attributes:
        model: in evaluation mode.
        template: its marks, with its tokenizer.
        source: what was opened, in words.
    """

    model: Any
    template: Template
    source: str


def open_model(name: str, storage: str = "float32", template: str | None = None) -> Opened:
    """Opens a model to talk with.

    Args:
        name: a name of the table of published models, which is fetched if it is not here; a folder or GGUF file of one; or the folder of
            a run.
        storage: how the weights are kept in memory (`minilm.pretrained.load`); a run's are float32.
        template: "chatml" or "plain", in place of what the model's file says.

    Raises:
        FormatError: a file is damaged or of an unknown family, or the model writes no text.
        DataError: there is nothing of that name, or it cannot be had.
        CheckpointError: the run is damaged, or has no weights yet.
        TemplateError: the template is unknown, or does not fit.
    """
    if is_run(name):
        from minilm.training.recipes import open_run  # here, as a published model needs none of it

        run = open_run(Path(os.path.expanduser(name)))
        return _opened(run.model("cpu"), run.task.tokenizer(run.folder), None, name, template)
    found = load(name, storage)
    return _opened(found.model, found.tokenizer, found.chat_template, found.source, template)


def is_run(name: str) -> bool:
    """Whether it is the folder of a run that was trained here."""
    config = os.path.join(os.path.expanduser(name), CONFIG)
    if name.lower() in table.TABLE or not os.path.isfile(config):
        return False
    return read_json(Path(config)).get("format") == RUN


def _opened(model: Any, tokenizer: Tokenizer | None, jinja: str | None, source: str, choice: str | None) -> Opened:
    if not hasattr(model, "next_logits"):
        raise FormatError(
            f"{source} holds a {type(model).__name__}, which writes no text: choose a language model, such as "
            "smollm2-135m-instruct."
        )
    if tokenizer is None:
        raise FormatError(f"{source} has no tokenizer: copy the tokenizer.json that the model was trained with.")
    return Opened(model.eval(), template_for(tokenizer, jinja, choice), source)


__all__ = ["Opened", "is_run", "open_model"]
