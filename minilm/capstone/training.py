"""The two trainings of the capstone, by the loop of every training here: on the corpus, and on questions and answers.

Both are runs of a language model (`minilm.training.language_model`): ``minilm generate`` and ``minilm evaluate`` open them, they are
resumed after a kill, and each has its curve and its model card. What differs from ``minilm train`` is where the tokens come from, and with
which weights a run begins.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minilm.capstone.raw import LICENCE
from minilm.text import Tokenizer
from minilm.training.checkpoint import RunError, load_json
from minilm.training.language_model import LanguageModel
from minilm.training.loop import Outcome, Training, train
from minilm.training.recipe import quoted
from minilm.training.run import Run, load_weights
from minilm.training.settings import TrainConfig
from minilm.training.task import Facts
from minilm.training.text_task import TextSource, TokenizedText

PROGRAM, SETTINGS = "minilm capstone", "capstone.json"


@dataclass(frozen=True)
class CapstoneModel(LanguageModel):
    """A GPT whose text is none of ``minilm train``'s: the card tells what it is."""

    @property
    def program(self) -> str:
        return PROGRAM

    def facts(self, data: TokenizedText, folder: Path, examples: int) -> Facts:
        told = super().facts(data, folder, examples)
        text = {
            "text": f"`{self.text.source}`: docstrings and manual of a Python, as `{PROGRAM}` wrote them",
            "licence": LICENCE,
            "SHA-256": f"`{self.text.sha256}`, of its tokens",
            "split": "by documents, near copies removed before: the folder `corpus` beside this one tells how",
        }
        limits = tuple(limit for limit in told.limits if not limit.startswith("Under which licence"))
        return Facts(told.model, {**told.data, **text}, told.use, limits)

    def command(self, training: TrainConfig, folder: Path) -> str | None:
        quick = " --quick" if load_json(folder.parent / SETTINGS)["size"] == "quick" else ""
        return f"{PROGRAM} --out {quoted(folder.parent)}{quick}"


def open_or_begin(
    folder: Path,
    shape: Mapping[str, Any],
    settings: Mapping[str, Any],
    tokenizer: Tokenizer,
    data: TokenizedText,
    source: str,
) -> Run[CapstoneModel]:
    """The run in a folder, or a new one there.

    Args:
        shape: of the model: fields of `GPTConfig` but the size of the vocabulary.
        settings: of `TrainConfig`.
        source: what the text is called.

    Raises:
        RunError: there is one with other settings, another tokenizer or another text.
    """
    digest = hashlib.sha256(
        np.ascontiguousarray(data.train).tobytes() + np.ascontiguousarray(data.validation).tobytes()
    )
    characters = data.validation_characters * (len(data.train) + len(data.validation)) // len(data.validation)
    text = TextSource(source, digest.hexdigest(), characters)
    task = CapstoneModel.make(CapstoneModel.make_config(tokenizer.vocab_size, shape), text, tokenizer)
    training = TrainConfig(**settings)
    if not (folder / "config.json").exists():

        def make_task(place: Path) -> CapstoneModel:
            tokenizer.save(place / "tokenizer.json")
            return task

        return Run.create(folder, CapstoneModel, training, make_task)
    run = Run(folder, CapstoneModel)
    if run.task != task or run.config.training != training:
        raise RunError(
            f"{folder} holds a training with other settings, or on another text: choose another --out, or delete it, and it is made anew."
        )
    return run


def pretrain(run: Run[CapstoneModel], data: TokenizedText, *, device: str = "auto", progress: bool = False) -> Outcome:
    """Trains from random weights to the end, or on from the last checkpoint."""
    return train(run, data, device=device, progress=progress)


def fine_tune(
    run: Run[CapstoneModel],
    data: TokenizedText,
    start: Run[CapstoneModel],
    *,
    device: str = "auto",
    progress: bool = False,
) -> Outcome:
    """The same with the best weights of another run to begin with: they are the run's checkpoint of step 0."""
    if not (run.folder / "checkpoint.safetensors").exists():
        training = Training(run, data, device)
        load_weights(training.model, start.load_weights().arrays, start.folder / "model.safetensors")
        training.save()
    return train(run, data, device=device, progress=progress)


def tokens_of(train: Any, validation: Any, validation_characters: int) -> TokenizedText:
    """Ids to learn from and to validate on."""
    return TokenizedText(np.asarray(train), np.asarray(validation), validation_characters)


__all__ = ["PROGRAM", "SETTINGS", "CapstoneModel", "fine_tune", "open_or_begin", "pretrain", "tokens_of"]
