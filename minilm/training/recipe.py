"""Recipes: named settings for a text, a tokenizer, a language model and its training."""

from __future__ import annotations

import operator
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from minilm.training.settings import TrainConfig

NO_OPTION = {"bias", "tie_weights", "position", "norm", "activation", "beta1", "beta2"}
"""The settings that ``minilm train`` takes from a recipe, and has no option for."""


@dataclass(frozen=True)
class Recipe:
    """Settings under one name.

    Attributes:
        about: what it is, in a line.
        data, tokenizer, vocab_size: the text, and the kind of its tokens.
        model: the settings from which the task makes the model's shape (`TextTask.make_config`), and `training`: those that differ from
            the defaults of `TrainConfig`.
        task: the name of what is trained.
    """

    about: str
    data: str
    tokenizer: str
    model: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    vocab_size: int = 1024
    task: str = "language model"


_SMALL = {"n_layer": 4, "n_head": 4, "n_embd": 128, "block_size": 64, "bias": False}
_BRIEF = {"steps": 2000, "batch_size": 12, "learning_rate": 2e-3, "min_learning_rate": 2e-4}

RECIPES: dict[str, Recipe] = {
    "default": Recipe(
        "a small GPT on the text that every Python carries, in about two minutes on two cores",
        data="python-docs",
        tokenizer="char",
        model=_SMALL,
        training={**_BRIEF, "steps": 1600},
    ),
    "nanogpt-cpu": Recipe(
        "nanoGPT's CPU recipe: 4 layers, 4 heads, 128 wide, 64 characters, 2,000 steps of 12 sequences; learning rate twice its 1e-3",
        data="python-docs",
        tokenizer="char",
        model=_SMALL,
        training=_BRIEF,
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
        model=_SMALL,
        training=_BRIEF,
    ),
    "masked": Recipe(
        "a small BERT that says what stood at the hidden places of the text, in about three minutes; it does not write",
        data="python-docs",
        tokenizer="wordpiece",
        model={"n_layer": 4, "n_head": 4, "n_embd": 128, "block_size": 64, "dropout": 0.0},
        training={"steps": 2000, "batch_size": 16, "learning_rate": 2e-3, "min_learning_rate": 2e-4, "warmup": 200},
        vocab_size=2048,
        task="masked language model",
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


def command_of(
    settings: Mapping[str, Any], shapes: Mapping[str, Mapping[str, Any]], options: Mapping[str, str]
) -> str | None:
    """The ``minilm train`` that has these settings, by the recipe that needs the fewest options beside it.

    Args:
        settings: all of the model and of `TrainConfig`, "data" and "tokenizer".
        shapes: the recipes that there are for the task, each with all of its model's settings.
        options: those whose option has another name.

    Returns:
        The command; None where a setting has no option, and no recipe has its value.
    """
    found: list[tuple[int, str]] = []
    for name, shape in shapes.items():
        recipe = RECIPES[name]
        standard = {
            **shape,
            **asdict(TrainConfig(**recipe.training)),
            "data": recipe.data,
            "tokenizer": recipe.tokenizer,
        }
        changed = {key: value for key, value in settings.items() if standard[key] != value}
        if not changed.keys() & NO_OPTION:
            chosen = [] if name == "default" else [f"--recipe {name}"]
            words = [f"--{options.get(key, key).replace('_', '-')} {quoted(value)}" for key, value in changed.items()]
            found.append((len(words), " ".join(["minilm train", *chosen, *words])))
    return min(found, key=operator.itemgetter(0))[1] if found else None


def quoted(value: str | float | Path) -> str:
    """A value as a shell takes it."""
    return shlex.quote(str(value))


__all__ = ["RECIPES", "Recipe", "command_of", "find_recipe", "quoted"]
