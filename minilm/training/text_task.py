"""What the tasks on a text share: which text, the tokens into which it is cut, the files that a run keeps, and what is told of it."""

from __future__ import annotations

import dataclasses
import hashlib
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from minilm.backend.detect import memory
from minilm.data import TABLE
from minilm.data.packed import is_corpus, open_corpus
from minilm.files import shown
from minilm.metrics import bits_per_character
from minilm.text import Tokenizer, load_tokenizer
from minilm.training.checkpoint import CheckpointError, canonical
from minilm.training.recipe import RECIPES, command_of
from minilm.training.settings import TrainConfig, from_json
from minilm.training.task import Facts, RunFile, Task
from minilm.types import HostArray, Shape

TRAIN_SHARE = 0.9  # of the text's characters; the rest is for validation
EVAL_TOKENS = 32_768  # for the evaluations on the way; the last one reads all


@dataclass
class TokenizedText:
    """The two parts of a text as ids. `validation_characters` turns nats a token into bits a character."""

    train: HostArray
    validation: HostArray
    validation_characters: int

    def bits_per_character(self, loss: float) -> float:
        """As `minilm.metrics` has it; a loss of all tokens, though the first one of the text had no prediction."""
        return bits_per_character(loss * len(self.validation), self.validation_characters)


@dataclass(frozen=True)
class TextSource:
    """Which text a run was trained on: where it came from, its SHA-256 (of its UTF-8), and its length in characters."""

    source: str
    sha256: str
    characters: int


@dataclass(frozen=True)
class TextTask(Task):
    """A model that learns from a text, cut into tokens. The data are a `TokenizedText`.

    Attributes:
        config: the model's shape.
        text: which text.
        tokenizer_sha256: of what the tokenizer's file says.
        token_files: the SHA-256 of the ids in each token file, where the text may be larger than memory.
    """

    config: Any
    text: TextSource
    tokenizer_sha256: str
    token_files: dict[str, str]

    counted = "tokens"
    glance = EVAL_TOKENS
    files = (
        RunFile("tokenizer.json", "the tokenizer; written once", ("resume", "generate"), True),
        RunFile("train.tokens", "the training text as ids, of a text that may be larger than memory; written once", ("resume",), True),
        RunFile("validation.tokens", "the same of the validation text", ("resume",), True),
    )  # fmt: skip
    fixed = {
        **dict.fromkeys(("n_layer", "n_head", "n_embd", "block_size", "vocab_size"), "the weights have its shape"),
        "dropout": "it belongs to the model",
        **dict.fromkeys(("data", "sha256"), "the validation losses are of this text"),
        "tokenizer": "the weights belong to its tokens",
    }
    options = {"n_layer": "layers", "n_head": "heads", "n_embd": "width"}
    model_settings: ClassVar[tuple[str, ...]] = ("n_layer", "n_head", "n_embd", "block_size", "dropout")
    """The settings of ``minilm train`` from which `make_config` makes the model's shape."""
    embedding_name: ClassVar[str]
    layer_names: ClassVar[str]
    """The weights' name of the token embedding, and what stands before a layer's number in theirs."""

    # -- how a run of it is begun -------------------------------------------------------------------------------------

    @classmethod
    @abstractmethod
    def make_config(cls, vocab_size: int, settings: Mapping[str, Any]) -> Any:
        """The model's shape from the settings of ``minilm train``: n_layer, n_head, n_embd, block_size, dropout ..."""

    @classmethod
    @abstractmethod
    def settings_of(cls, config: Any) -> dict[str, Any]:
        """The settings of ``minilm train`` that give this shape."""

    @classmethod
    def make(cls, config: Any, text: TextSource, tokenizer: Tokenizer) -> Any:
        """The task of a new run; `token_files` comes when they are written."""
        return cls(config, text, sha256_of(tokenizer), {})

    @classmethod
    @abstractmethod
    def sizes(cls, config: Any, batch_size: int) -> tuple[int, int]:
        """The number of weights, and the least memory that a training step takes, in bytes."""

    @property
    @abstractmethod
    def context(self) -> int:
        """How many tokens of the text an example has."""

    @property
    def units(self) -> int:
        return self.context

    def looked_at(self, count: int, most: int | None) -> HostArray:
        """Which of `count` contexts an evaluation reads: all, or evenly spread ones with `most` tokens together."""
        if most is None or count <= most // self.context:
            return np.arange(count)
        return np.linspace(0, count - 1, max(1, most // self.context)).astype(int)

    def too_large(self, batch_size: int) -> str | None:
        """From the shape alone (`minilm.models.size`)."""
        there, (_, need) = memory(), self.sizes(self.config, batch_size)
        if there is None or need <= there:
            return None
        return (
            f"{self.described} takes at least {need / 1e9:,.0f} GB of memory to train, and there are {there / 1e9:,.0f} GB. "
            "Choose a smaller --width or fewer --layers."
        )

    # -- what is told of it -------------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def shape(self) -> str:
        """The model's shape in a few words."""

    @property
    @abstractmethod
    def described(self) -> str:
        """The same in a sentence, as in "a GPT with 4 layers"."""

    @abstractmethod
    def result(self, loss: float, measures: Mapping[str, float]) -> str:
        """The final validation loss and what was measured, in a line."""

    @abstractmethod
    def sample(self, model: Any, tokenizer: Tokenizer, data: TokenizedText, seed: int) -> str:
        """What the trained model does, for a look at it."""

    @abstractmethod
    def more(self, folder: str) -> str:
        """How a user goes on with the trained model: a sentence and a command, whose run is `folder`."""

    # -- what its model card says -------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def architecture(self) -> str:
        """The model's shape in full."""

    @abstractmethod
    def use(self, folder: Path) -> str:
        """What the model is for, with a command."""

    def limits(self, tokenizer: Tokenizer) -> list[str]:
        """What models of this task are not good for, a sentence each."""
        return []

    def facts(self, data: TokenizedText, folder: Path, examples: int) -> Facts:
        text, known, tokenizer = self.text, TABLE.get(self.text.source), self.tokenizer(folder)
        passes = examples * self.context / len(data.train)
        characters = self.context * data.validation_characters / len(data.validation)
        limits = [
            f"It sees {self.context} tokens at once, about {characters:.0f} characters of this text; what stood before, it forgets.",
            "Which language the text is in is not recorded. Of other languages, and of other kinds of text, it knows nothing.",
            *self.limits(tokenizer),
        ]
        if passes > 1:
            limits.append(
                f"It has seen its training text {passes:.1f} times: it can repeat passages of it word for word, private ones too."
            )
        corpus = is_corpus(text.source)
        licence = known.licence if known else self._licences() if corpus else None
        if licence is None:
            limits.append(
                "Under which licence the text stands is not known here, and so, what may be done with the weights."
            )
        return Facts(
            model={
                "architecture": self.architecture,
                "context": f"{self.context} tokens",
                "tokens": f"{self.config.vocab_size:,}, {tokenizer.type_name}, SHA-256 `{self.tokenizer_sha256}`",
            },
            data={
                "text": f"`{shown(text.source)}`"
                + (f": {known.title}" if known else f", a {'corpus' if corpus else 'file or folder'}"),
                "licence": licence or "not known: it is none of the table of data sets",
                "SHA-256": f"`{text.sha256}`, of its {'tokens' if corpus else 'UTF-8'}",
                "length": f"{text.characters:,} characters; {len(data.train):,} tokens to learn from, "
                f"{len(data.validation):,} to validate on",
                "split": "its own: whole documents were held out, and what stands in them was kept out of the rest (its card.md)"
                if corpus
                else f"the first {TRAIN_SHARE:.0%} of the characters to learn from, the rest to validate on; nothing was shuffled, "
                "and passages that stand in both parts were not removed",
            },
            use=(self.use(folder),),
            limits=tuple(limits),
        )

    def _licences(self) -> str:
        """What a corpus says of the licences of its sources."""
        sources = open_corpus(self.text.source).about["sources"]
        return "; ".join(f"{source['name']}: {source['licence']}" for source in sources)

    def command(self, training: TrainConfig, folder: Path) -> str | None:
        """``minilm train`` with the recipe that needs the fewest options beside it; None: no recipe has such a model."""
        vocab_size = self.config.vocab_size
        settings = {**self.settings_of(self.config), **dataclasses.asdict(training)}
        settings["data"] = self.text.source
        if not is_corpus(self.text.source):
            settings["tokenizer"] = self.tokenizer_option(folder)
        shapes = {
            name: self.settings_of(self.make_config(vocab_size, recipe.model))  # the tokens follow from the tokenizer
            for name, recipe in RECIPES.items()
            if recipe.task == self.name
        }
        return command_of(settings, shapes, self.options)

    def tokenizer_option(self, folder: Path) -> str:
        """What ``--tokenizer`` is given so that a run in another folder has the tokenizer of this one: its file."""
        return str(folder / "tokenizer.json")

    # -- what a run remembers of it -----------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        return {
            "model": self.config.to_dict(),
            "text": dataclasses.asdict(self.text),
            "tokenizer_sha256": self.tokenizer_sha256,
            "token_files": self.token_files,
        }

    def misfit(self, shapes: Mapping[str, Shape]) -> str | None:
        settings, before = self.settings_of(self.config), self.layer_names
        layers = {name.removeprefix(before).split(".")[0] for name in shapes if name.startswith(before)}
        wanted, found = (self.config.vocab_size, settings["n_embd"]), shapes.get(self.embedding_name)
        if found == wanted and len(layers) == settings["n_layer"]:
            return None
        return f"embedding {found} and {len(layers)} layers, expected {wanted} and {settings['n_layer']}"

    def tokenizer(self, folder: Path) -> Tokenizer:
        """The tokenizer in the folder of the task's run.

        Raises:
            TokenizerError: its file is missing or damaged.
            CheckpointError: it is another run's.
        """
        path = folder / "tokenizer.json"
        tokenizer = load_tokenizer(path)
        if tokenizer.vocab_size != self.config.vocab_size:
            raise CheckpointError(
                f"{folder}: the tokenizer has {tokenizer.vocab_size} tokens, the model {self.config.vocab_size}: "
                "tokenizer.json or config.json is another run's."
            )
        if sha256_of(tokenizer) != self.tokenizer_sha256:
            raise CheckpointError(
                f"{path} is not the tokenizer that the run began with (its SHA-256 differs): put the run's own file back."
            )
        return tokenizer


def text_fields(
    fields: Mapping[str, Any], config: type[Any], path: Path
) -> tuple[Any, TextSource, str, dict[str, str]]:
    """The fields of a `TextTask` from those of a run's config.json.

    Raises:
        CheckpointError: one of them is missing, of another type, or out of range.
    """
    for name, kind in (("tokenizer_sha256", str), ("token_files", dict)):
        if type(fields[name]) is not kind:
            raise CheckpointError(f"{path}: {name} should be of type {kind.__name__}, it is {fields[name]!r}.")
    model = from_json(config, fields["model"], f"{path}: model")
    text = from_json(TextSource, fields["text"], f"{path}: text")
    return model, text, fields["tokenizer_sha256"], fields["token_files"]


def expect_fields(fields: Mapping[str, Any], wanted: set[str], path: Path) -> None:
    """Refuses fields of config.json that are not those of the task.

    Raises:
        CheckpointError: some are missing, or unknown.
    """
    if set(fields) != wanted:
        missing, unknown = sorted(wanted - set(fields)), sorted(set(fields) - wanted)
        raise CheckpointError(f"{path}: missing fields {missing}, unknown fields {unknown}.")


def sha256_of(tokenizer: Tokenizer) -> str:
    """Of what a tokenizer's file says, not of how it is laid out."""
    return hashlib.sha256(canonical(tokenizer.to_dict())).hexdigest()


__all__ = [
    "EVAL_TOKENS",
    "TRAIN_SHARE",
    "TextSource",
    "TextTask",
    "TokenizedText",
    "expect_fields",
    "sha256_of",
    "text_fields",
]
