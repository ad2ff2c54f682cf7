"""Recipes: named settings for a text, a tokenizer, a model and its training, and how a run is made from one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from minilm.data import load_text
from minilm.models.gpt import GPTConfig
from minilm.run import Run, TextSource, TrainConfig
from minilm.text import BPETokenizer, CharTokenizer, Tokenizer, load_tokenizer
from minilm.train import TokenizedText

TRAIN_SHARE = 0.9  # of the text's characters; the rest is for validation


@dataclass(frozen=True)
class Recipe:
    """Settings under one name. `model` and `training` hold what differs from `GPTConfig`'s and `TrainConfig`'s defaults."""

    about: str
    data: str
    tokenizer: str
    model: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    vocab_size: int = 1024


RECIPES: dict[str, Recipe] = {
    "default": Recipe(
        "a small GPT on the text that every Python carries, in about two minutes on two cores",
        data="python-docs",
        tokenizer="char",
        model={"n_layer": 4, "n_head": 4, "n_embd": 128, "block_size": 64, "bias": False},
        training={"steps": 2000, "batch_size": 12},
    ),
    "nanogpt-cpu": Recipe(
        "nanoGPT's CPU recipe for Tiny Shakespeare: 4 layers, 4 heads, 128 wide, 64 characters, 2,000 steps of 12 sequences",
        data="python-docs",
        tokenizer="char",
        model={"n_layer": 4, "n_head": 4, "n_embd": 128, "block_size": 64, "bias": False},
        training={"steps": 2000, "batch_size": 12},
    ),
    "nanogpt-gpu": Recipe(
        "nanoGPT's GPU recipe: 6 layers, 6 heads, 384 wide, 256 characters, 5,000 steps of 64 sequences, dropout 0.2",
        data="python-docs",
        tokenizer="char",
        model={"n_layer": 6, "n_head": 6, "n_embd": 384, "block_size": 256, "bias": False, "dropout": 0.2},
        training={"steps": 5000, "batch_size": 64},
    ),
    "bpe": Recipe(
        "the default with byte-pair encoding: 1,024 tokens instead of characters",
        data="python-docs",
        tokenizer="bpe",
        model={"n_layer": 4, "n_head": 4, "n_embd": 128, "block_size": 64, "bias": False},
        training={"steps": 2000, "batch_size": 12},
    ),
}


def find_recipe(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        ValueError: there is none; the message lists them.
    """
    if name not in RECIPES:
        raise ValueError(f"there is no recipe {name!r}; there are {', '.join(RECIPES)}.")
    return RECIPES[name]


def start_run(folder: Path, recipe: Recipe, options: dict[str, Any]) -> tuple[Run, TokenizedText]:
    """Makes a new run: reads the text, makes the tokenizer, and writes the run's settings.

    Args:
        folder: must not exist, or be empty.
        recipe: the settings.
        options: what replaces them: fields of `GPTConfig` and `TrainConfig`, and "data", "tokenizer", "vocab_size".

    Raises:
        FileExistsError: the folder holds something.
        DataError: the text cannot be read.
        ValueError: a setting is out of range, the vocabulary too small, or the text shorter than one context.
    """
    options = dict(options)
    source = options.pop("data", recipe.data)
    text = load_text(source)
    tokenizer = make_tokenizer(
        options.pop("tokenizer", recipe.tokenizer), text, options.pop("vocab_size", recipe.vocab_size)
    )
    model = {**recipe.model, **{f.name: options.pop(f.name) for f in fields(GPTConfig) if f.name in options}}
    training = TrainConfig(**{**recipe.training, **options})
    config = GPTConfig(vocab_size=tokenizer.vocab_size, **model)
    tokenized = tokenize(text, tokenizer, config.block_size)
    place = str(Path(source).resolve()) if Path(source).exists() else source
    return Run.create(folder, config, training, TextSource(place, _sha256(text), len(text)), tokenizer), tokenized


def resume_run(folder: Path) -> tuple[Run, TokenizedText]:
    """Opens a run to go on with it.

    Raises:
        CheckpointError: a file of the run is missing or damaged.
        DataError: its text is not there any more.
        ValueError: its text has changed.
    """
    run = Run(folder)
    text = load_text(run.text.source)
    if _sha256(text) != run.text.sha256:
        raise ValueError(
            f"the text {run.text.source} is not the one that {folder} was trained on (its SHA-256 differs): "
            "put the old text back, or start a new run. The text that Python carries differs between Python versions."
        )
    return run, tokenize(text, run.tokenizer(), run.model_config.block_size)


def make_tokenizer(kind: str, text: str, vocab_size: int) -> Tokenizer:
    """A tokenizer for a text: "char", "bpe" (trained on the training part alone), or the path of a saved one.

    Raises:
        TokenizerError: the vocabulary is too small, or the file is no tokenizer.
    """
    if kind == "char":
        return CharTokenizer.train(text)
    if kind == "bpe":
        return BPETokenizer.train(text[: int(TRAIN_SHARE * len(text))], vocab_size=vocab_size)
    return load_tokenizer(kind)


def tokenize(text: str, tokenizer: Tokenizer, block_size: int) -> TokenizedText:
    """The training and the validation part of a text, as ids.

    Raises:
        ValueError: a part is shorter than one context and the token after it.
    """
    cut = int(TRAIN_SHARE * len(text))
    parts = TokenizedText(tokenizer.encode_array(text[:cut]), tokenizer.encode_array(text[cut:]), len(text) - cut)
    for name, ids in (("training", parts.train), ("validation", parts.validation)):
        if len(ids) <= block_size:
            raise ValueError(
                f"the {name} part of the text has {len(ids)} tokens; a context of {block_size} needs at least {block_size + 1}: "
                "use more text, or a smaller --block-size."
            )
    return parts


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
