"""The task of a language model: a GPT that predicts the next token of a text."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minilm.data import DataError, iter_text, random_blocks
from minilm.models.gpt import GPT, GPTConfig
from minilm.models.size import parameter_count, training_bytes
from minilm.nn import functional as F
from minilm.tensor import Tensor
from minilm.text import CharTokenizer, TextStream, Tokenizer, TokenizerError, load_tokenizer
from minilm.training.recipe import quoted
from minilm.training.task import Parts
from minilm.training.text_task import TextSource, TextTask, TokenizedText, expect_fields, sha256_of, text_fields
from minilm.types import HostArray

READ_AGAIN = 20_000_000  # characters: the longest text that is read once more to see where its tokenizer came from
PROMPT = "\n"  # what a text is written after where nothing else is said


@dataclass(frozen=True)
class LanguageModel(TextTask):
    """A GPT, the text that it learns from, and the tokens into which the text is cut; see `TextTask`."""

    config: GPTConfig

    name = "language model"
    unit = "nats per token"
    fixed = {**TextTask.fixed, **{field.name: "the weights have its shape" for field in dataclasses.fields(GPTConfig)},
             "dropout": "it belongs to the model"}  # fmt: skip
    embedding_name, layer_names = "wte.weight", "blocks."
    model_settings = tuple(field.name for field in dataclasses.fields(GPTConfig) if field.name != "vocab_size")

    # -- how a run of it is begun -------------------------------------------------------------------------------------

    @classmethod
    def make_config(cls, vocab_size: int, settings: Mapping[str, Any]) -> GPTConfig:
        return GPTConfig(vocab_size=vocab_size, **settings)

    @classmethod
    def settings_of(cls, config: GPTConfig) -> dict[str, Any]:
        return dataclasses.asdict(config)

    @classmethod
    def sizes(cls, config: GPTConfig, batch_size: int) -> tuple[int, int]:
        return parameter_count(config), training_bytes(config, batch_size)

    # -- the model and its data ---------------------------------------------------------------------------------------

    def make_model(self) -> GPT:
        return GPT(self.config)

    def batch(self, data: TokenizedText, batch_size: int, rng: np.random.Generator) -> tuple[HostArray, HostArray]:
        return random_blocks(data.train, self.config.block_size, batch_size, rng)

    def evaluate(self, model: GPT, data: TokenizedText, most: int | None) -> float:
        """The mean loss over the validation text, cut into contexts one after another (`most` tokens of it)."""
        block, ids = self.config.block_size, data.validation
        rows = self.looked_at((len(ids) - 1) // block, most) * block
        total = sum(F.cross_entropy(*pair, reduction="sum").item() for pair in self._predictions(model, ids, rows))
        return total / (len(rows) * block)

    def evaluate_parts(self, model: GPT, data: TokenizedText) -> tuple[float, Parts]:
        """The mean loss over the validation text; its parts are the contexts."""
        ids, block = data.validation, self.config.block_size
        rows = np.arange((len(ids) - 1) // block) * block
        total, sums = 0.0, []
        for logits, targets in self._predictions(model, ids, rows):
            total += F.cross_entropy(logits, targets, reduction="sum").item()
            losses = F.cross_entropy(logits, targets, reduction="none").numpy()
            sums.append(losses.reshape(-1, block).sum(axis=1, dtype=np.float64))
        return total / (len(rows) * block), Parts(np.concatenate(sums), np.full(len(rows), block))

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
    def context(self) -> int:
        return self.config.block_size

    # -- what is told of it -------------------------------------------------------------------------------------------

    @property
    def shape(self) -> str:
        c = self.config
        return f"GPT: {c.n_layer} layers, {c.n_head} heads, {c.n_embd} wide, context {c.block_size}"

    @property
    def described(self) -> str:
        c = self.config
        return f"a GPT with {c.n_layer} layers, {c.n_embd} wide and {c.vocab_size} tokens"

    def result(self, loss: float, measures: Mapping[str, float]) -> str:
        return f"validation loss {loss:.4f} nats a token, {measures['bits_per_character']:.3f} bits per character"

    def sample(self, model: GPT, tokenizer: Tokenizer, data: TokenizedText, seed: int) -> str:
        """What it writes after a new line."""
        prompt = encode_prompt(tokenizer, PROMPT) or [0]
        stream = TextStream(tokenizer, prompt, shown=False)
        (ids,) = model.generate([prompt], 300, temperature=0.8, seed=seed)
        return "".join([*map(stream.add, ids), stream.finish()]).strip("\n")

    def more(self, folder: str) -> str:
        return f'Write more with:\n  minilm generate {folder} --prompt "The "'

    @property
    def architecture(self) -> str:
        c = self.config
        return (
            f"GPT, {c.n_layer} layers, {c.n_head} heads, {c.n_embd} wide, {c.position} positions, {c.norm} norms, "
            f"{'with' if c.bias else 'without'} biases, dropout {c.dropout:g}"
        )

    def use(self, folder: Path) -> str:
        return f"It goes on with a text: `minilm generate {quoted(folder)} --prompt 'The '`"

    def limits(self, tokenizer: Tokenizer) -> list[str]:
        if isinstance(tokenizer, CharTokenizer):
            return ["A character that the text does not have has no token: a prompt with one is refused."]
        return []

    def tokenizer_option(self, folder: Path) -> str:
        """The tokenizer comes from the run's own file, unless it is the one that the text gives anyway."""
        return "char" if self._has_the_characters_of_its_text(folder) else super().tokenizer_option(folder)

    def _has_the_characters_of_its_text(self, folder: Path) -> bool:
        """Whether the tokenizer is what ``--tokenizer char`` would make of the text."""
        if self.text.characters > READ_AGAIN or not isinstance(self.tokenizer(folder), CharTokenizer):
            return False
        try:
            return sha256_of(CharTokenizer.train(iter_text(self.text.source))) == self.tokenizer_sha256
        except (DataError, TokenizerError):
            return False

    # -- what a run remembers of it -----------------------------------------------------------------------------------

    @classmethod
    def from_json(cls, fields: Mapping[str, Any], path: Path, version: int) -> LanguageModel:
        """The task of which config.json keeps `fields`; one of version 1 takes the tokenizer that is there for the run's own.

        Raises:
            CheckpointError: a field is missing, unknown, of another type, or out of range.
            TokenizerError: the tokenizer of a run of version 1 is missing or damaged.
        """
        if isinstance(
            shape := fields.get("model"), dict
        ):  # the activation stands there only where it is not GPTConfig's own
            fields = {**fields, "model": {"activation": GPTConfig.activation, **shape}}
        if version > 1:
            expect_fields(fields, {"model", "text", "tokenizer_sha256", "token_files"}, path)
            return cls(*text_fields(fields, GPTConfig, path))
        expect_fields(fields, {"model", "text"}, path)
        task = cls(*text_fields({**fields, "tokenizer_sha256": "", "token_files": {}}, GPTConfig, path))
        return dataclasses.replace(task, tokenizer_sha256=sha256_of(load_tokenizer(path.parent / "tokenizer.json")))

    def signature(self, training: dict[str, Any], phases: list[dict[str, Any]]) -> Any:
        """The order is that of version 2, which knew no other task. Where the text lies is none of it."""
        text = [self.text.sha256, self.text.characters]
        return [self.config.to_dict(), training, *text, self.tokenizer_sha256, self.token_files, phases]


def encode_prompt(tokenizer: Tokenizer, prompt: str) -> list[int]:
    """The prompt's ids; empty where it is the default prompt and the tokenizer does not know the new line."""
    try:
        return list(tokenizer.encode(prompt))
    except TokenizerError:
        if prompt == PROMPT:
            return []
        raise


__all__ = ["PROMPT", "LanguageModel", "TextSource", "TokenizedText", "encode_prompt", "sha256_of"]
