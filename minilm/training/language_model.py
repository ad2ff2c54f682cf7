"""The task of a language model: a GPT that predicts the next token of a text."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minilm.backend.detect import memory
from minilm.data import TABLE, DataError, iter_text, random_blocks
from minilm.files import shown
from minilm.models.gpt import GPT, GPTConfig
from minilm.models.size import training_bytes
from minilm.nn import functional as F
from minilm.tensor import Tensor
from minilm.text import CharTokenizer, Tokenizer, TokenizerError, load_tokenizer
from minilm.training.checkpoint import CheckpointError, canonical
from minilm.training.recipe import command_of, quoted
from minilm.training.settings import TrainConfig, from_json
from minilm.training.task import Facts, RunFile, Task
from minilm.types import HostArray, Shape

EVAL_TOKENS = 32_768  # for the evaluations on the way; the last one reads all
TRAIN_SHARE = 0.9  # of the text's characters; the rest is for validation
READ_AGAIN = 20_000_000  # characters: the longest text that is read once more to see where its tokenizer came from


@dataclass
class TokenizedText:
    """The two parts of a text as ids. `validation_characters` turns nats a token into bits a character."""

    train: HostArray
    validation: HostArray
    validation_characters: int

    def bits_per_character(self, loss: float) -> float:
        r""":math:`\text{loss} \cdot \frac{\text{tokens}}{\text{characters}} \cdot \frac{1}{\ln 2}`."""
        return loss * len(self.validation) / self.validation_characters / math.log(2)


@dataclass(frozen=True)
class TextSource:
    """Which text a run was trained on: where it came from, its SHA-256 (of its UTF-8), and its length in characters."""

    source: str
    sha256: str
    characters: int


@dataclass(frozen=True)
class LanguageModel(Task):
    """A GPT, the text that it learns from, and the tokens into which the text is cut. The data are a `TokenizedText`.

    Attributes:
        config: the model's shape.
        text: which text.
        tokenizer_sha256: of what the tokenizer's file says.
        token_files: the SHA-256 of the ids in each token file, where the text may be larger than memory.
    """

    config: GPTConfig
    text: TextSource
    tokenizer_sha256: str
    token_files: dict[str, str]

    name = "language model"
    unit = "nats per token"
    counted = "tokens"
    glance = EVAL_TOKENS
    files = (
        RunFile("tokenizer.json", "the tokenizer; written once", ("resume", "generate"), True),
        RunFile("train.tokens", "the training text as ids, of a text that may be larger than memory; written once", ("resume",), True),
        RunFile("validation.tokens", "the same of the validation text", ("resume",), True),
    )  # fmt: skip
    fixed = {
        **{field.name: "the weights have its shape" for field in dataclasses.fields(GPTConfig)},
        "dropout": "it belongs to the model",
        "data": "the validation losses are of this text",
        "sha256": "the validation losses are of this text",
        "tokenizer": "the weights belong to its tokens",
    }  # fmt: skip
    options = {"n_layer": "layers", "n_head": "heads", "n_embd": "width"}

    # -- the model and its data ---------------------------------------------------------------------------------------

    def make_model(self) -> GPT:
        return GPT(self.config)

    def batch(self, data: TokenizedText, batch_size: int, rng: np.random.Generator) -> tuple[HostArray, HostArray]:
        return random_blocks(data.train, self.config.block_size, batch_size, rng)

    def evaluate(self, model: GPT, data: TokenizedText, most: int | None) -> float:
        """The mean loss over the validation text, cut into contexts one after another (`most` tokens of it)."""
        block, ids = self.config.block_size, data.validation
        count = (len(ids) - 1) // block
        rows = np.arange(count) * block
        if most is not None and count > most // block:
            rows = rows[np.linspace(0, count - 1, max(1, most // block)).astype(int)]
        total = sum(F.cross_entropy(*pair, reduction="sum").item() for pair in self._predictions(model, ids, rows))
        return total / (len(rows) * block)

    def evaluate_parts(self, model: GPT, data: TokenizedText) -> tuple[float, HostArray]:
        """The mean loss over the validation text, and that of each of its contexts."""
        block, ids = self.config.block_size, data.validation
        rows = np.arange((len(ids) - 1) // block) * block
        total, parts = 0.0, []
        for logits, targets in self._predictions(model, ids, rows):
            total += F.cross_entropy(logits, targets, reduction="sum").item()
            parts.append(F.cross_entropy(logits, targets, reduction="none").numpy().reshape(-1, block).mean(axis=1))
        return total / (len(rows) * block), np.concatenate(parts)

    def _predictions(self, model: GPT, ids: HostArray, rows: HostArray) -> Iterator[tuple[Tensor, Tensor]]:
        """The logits and the targets of the contexts that begin at `rows`, some thousand tokens at a time."""
        block = self.config.block_size
        batch = max(1, 4096 // block)
        for i in range(0, len(rows), batch):
            offsets = rows[i : i + batch, None] + np.arange(block)
            logits = model(ids[offsets].astype(np.int64))
            targets = Tensor(ids[offsets + 1].astype(np.int64).reshape(-1), device=logits.device)
            yield logits.reshape(-1, logits.shape[-1]), targets

    def measures(self, model: GPT, data: TokenizedText, loss: float) -> dict[str, float]:
        return {"bits_per_character": data.bits_per_character(loss)}

    def bounds(self, data: TokenizedText, low: float, high: float) -> dict[str, tuple[float, float]]:
        return {"bits_per_character": (data.bits_per_character(low), data.bits_per_character(high))}

    @property
    def units(self) -> int:
        return self.config.block_size

    def too_large(self, batch_size: int) -> str | None:
        """From the shape alone (`minilm.models.size`)."""
        config, there, need = self.config, memory(), training_bytes(self.config, batch_size)
        if there is None or need <= there:
            return None
        return (
            f"a GPT with {config.n_layer} layers, {config.n_embd} wide and {config.vocab_size} tokens takes at least "
            f"{need / 1e9:,.0f} GB of memory to train, and there are {there / 1e9:,.0f} GB. Choose a smaller --width or fewer --layers."
        )

    # -- what its model card says ------------------------------------------------------------------------------------------

    def facts(self, data: TokenizedText, folder: Path, examples: int) -> Facts:
        config, text, known = self.config, self.text, TABLE.get(self.text.source)
        tokenizer = self.tokenizer(folder)
        passes = examples * config.block_size / len(data.train)
        characters = config.block_size * data.validation_characters / len(data.validation)
        limits = [
            f"It sees {config.block_size} tokens at once, about {characters:.0f} characters of this text; what stood before, it forgets.",
            "Which language the text is in is not recorded. Of other languages, and of other kinds of text, it knows nothing.",
        ]
        if isinstance(tokenizer, CharTokenizer):
            limits.append("A character that the text does not have has no token: a prompt with one is refused.")
        if passes > 1:
            limits.append(
                f"It has seen its training text {passes:.1f} times: it can repeat passages of it word for word, private ones too."
            )
        if known is None:
            limits.append(
                "Under which licence the text stands is not known here, and so, what may be done with the weights."
            )
        return Facts(
            model={
                "architecture": f"GPT, {config.n_layer} layers, {config.n_head} heads, {config.n_embd} wide, "
                f"{config.position} positions, {config.norm} norms, {'with' if config.bias else 'without'} biases, "
                f"dropout {config.dropout:g}",
                "context": f"{config.block_size} tokens",
                "tokens": f"{config.vocab_size:,}, {tokenizer.type_name}, SHA-256 `{self.tokenizer_sha256}`",
            },
            data={
                "text": f"`{shown(text.source)}`" + (f": {known.title}" if known else ", a file or folder"),
                "licence": known.licence if known else "not known: it is none of the table of data sets",
                "SHA-256": f"`{text.sha256}`, of its UTF-8",
                "length": f"{text.characters:,} characters; {len(data.train):,} tokens to learn from, "
                f"{len(data.validation):,} to validate on",
                "split": f"the first {TRAIN_SHARE:.0%} of the characters to learn from, the rest to validate on; nothing was shuffled, "
                "and passages that stand in both parts were not removed",
            },
            use=(f"It goes on with a text: `minilm generate {quoted(folder)} --prompt 'The '`",),
            limits=tuple(limits),
        )

    def command(self, training: TrainConfig, folder: Path) -> str | None:
        """``minilm train`` with the recipe that needs the fewest options beside it; None: no recipe has such a model.

        The tokenizer comes from the run's own file, unless it is the one that the text gives anyway.
        """
        own = str(folder / "tokenizer.json")
        tokenizer = "char" if self._has_the_characters_of_its_text(folder) else own
        settings = {**dataclasses.asdict(self.config), **dataclasses.asdict(training)}
        return command_of({**settings, "data": self.text.source, "tokenizer": tokenizer}, self.options)

    def _has_the_characters_of_its_text(self, folder: Path) -> bool:
        """Whether the tokenizer is what ``--tokenizer char`` would make of the text."""
        if self.text.characters > READ_AGAIN or not isinstance(self.tokenizer(folder), CharTokenizer):
            return False
        try:
            return sha256_of(CharTokenizer.train(iter_text(self.text.source))) == self.tokenizer_sha256
        except (DataError, TokenizerError):
            return False

    # -- what a run remembers of it -----------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        return {
            "model": self.config.to_dict(),
            "text": dataclasses.asdict(self.text),
            "tokenizer_sha256": self.tokenizer_sha256,
            "token_files": self.token_files,
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any], path: Path, version: int) -> LanguageModel:
        """The task of which config.json keeps `fields`; one of version 1 takes the tokenizer that is there for the run's own.

        Raises:
            CheckpointError: a field is missing, unknown, of another type, or out of range.
            TokenizerError: the tokenizer of a run of version 1 is missing or damaged.
        """
        wanted = {"model", "text"} if version == 1 else {"model", "text", "tokenizer_sha256", "token_files"}
        if set(fields) != wanted:
            missing, unknown = sorted(wanted - set(fields)), sorted(set(fields) - wanted)
            raise CheckpointError(f"{path}: missing fields {missing}, unknown fields {unknown}.")
        shape = fields["model"]
        if isinstance(shape, dict):  # the activation stands there only where it is not GPTConfig's own
            shape = {"activation": GPTConfig.activation, **shape}
        config = from_json(GPTConfig, shape, f"{path}: model")
        text = from_json(TextSource, fields["text"], f"{path}: text")
        if version == 1:
            return cls(config, text, sha256_of(load_tokenizer(path.parent / "tokenizer.json")), {})
        for name, kind in (("tokenizer_sha256", str), ("token_files", dict)):
            if type(fields[name]) is not kind:
                raise CheckpointError(f"{path}: {name} should be of type {kind.__name__}, it is {fields[name]!r}.")
        return cls(config, text, fields["tokenizer_sha256"], fields["token_files"])

    def signature(self, training: dict[str, Any], phases: list[dict[str, Any]]) -> Any:
        """The order is that of version 2, which knew no other task. Where the text lies is none of it."""
        text = [self.text.sha256, self.text.characters]
        return [self.config.to_dict(), training, *text, self.tokenizer_sha256, self.token_files, phases]

    def misfit(self, shapes: Mapping[str, Shape]) -> str | None:
        layers = {name.split(".")[1] for name in shapes if name.startswith("blocks.")}
        wanted, found = (self.config.vocab_size, self.config.n_embd), shapes.get("wte.weight")
        if found == wanted and len(layers) == self.config.n_layer:
            return None
        return f"embedding {found} and {len(layers)} layers, expected {wanted} and {self.config.n_layer}"

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


def sha256_of(tokenizer: Tokenizer) -> str:
    """Of what a tokenizer's file says, not of how it is laid out."""
    return hashlib.sha256(canonical(tokenizer.to_dict())).hexdigest()


__all__ = ["LanguageModel", "TextSource", "TokenizedText", "sha256_of"]
