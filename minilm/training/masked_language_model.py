"""The task of a masked language model: a BERT that says what stood at the hidden places of a text (Devlin et al. 2018, 3.1).

An example is a passage of the text, [CLS] before it and [SEP] after it, with 15 % of its tokens to be predicted
(`minilm.models.masking`), others in each pass. The paper's second task, whether one sentence followed another, is left out: Liu et
al., *RoBERTa: A Robustly Optimized BERT Pretraining Approach*, 2019, 4.2, found that models are as good without it.

`fill` asks a trained run what stands at a masked place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minilm.data import random_blocks
from minilm.graph import no_grad
from minilm.indices import positions
from minilm.models.bert import NO_TARGET, BertConfig, BertForMaskedLM
from minilm.models.masking import mask_tokens
from minilm.models.size import bert_parameter_count, bert_training_bytes
from minilm.nn import functional as F
from minilm.text import Tokenizer, TokenizerError
from minilm.text.wordpiece import BERT_SPECIAL_TOKENS as MARKS
from minilm.training.checkpoint import CheckpointError
from minilm.training.run import Run
from minilm.training.task import Parts
from minilm.training.text_task import TextSource, TextTask, TokenizedText, expect_fields, sha256_of, text_fields
from minilm.types import HostArray

EVALUATION = 2018  # the seed of what is hidden from the model when it is measured: always the same places
ROWS = 64  # passages that are evaluated at a time
SHOWN = 4  # passages of a sample


@dataclass(frozen=True)
class MaskedLanguageModel(TextTask):
    """A BERT, the text that it learns from, and the tokens into which the text is cut. The data are a `TokenizedText`.

    Where several processes share a batch, each part counts by its rows, and a row with an unknown token asks a little less than others.

    Attributes:
        config: the model's shape; a passage has two tokens less than `max_position_embeddings`.
        text, tokenizer_sha256, token_files: as for every `TextTask`.
        marks: the ids of [PAD], [UNK], [CLS], [SEP] and [MASK]: tokens that are never hidden, nor put in place of others.
    """

    config: BertConfig
    marks: dict[str, int]

    name = "masked language model"
    unit = "nats per masked token"
    embedding_name, layer_names = "bert.words.weight", "bert.layers."

    # -- how a run of it is begun -------------------------------------------------------------------------------------

    @classmethod
    def make_config(cls, vocab_size: int, settings: Mapping[str, Any]) -> BertConfig:
        width, dropout = settings["n_embd"], settings.get("dropout", 0.0)
        return BertConfig(
            vocab_size,
            hidden_size=width,
            num_hidden_layers=settings["n_layer"],
            num_attention_heads=settings["n_head"],
            intermediate_size=4 * width,
            max_position_embeddings=settings["block_size"],
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
            type_vocab_size=1,
        )

    @classmethod
    def settings_of(cls, config: BertConfig) -> dict[str, Any]:
        return {
            "vocab_size": config.vocab_size,
            "n_layer": config.num_hidden_layers,
            "n_head": config.num_attention_heads,
            "n_embd": config.hidden_size,
            "block_size": config.max_position_embeddings,
            "dropout": config.hidden_dropout_prob,
        }

    @classmethod
    def make(cls, config: BertConfig, text: TextSource, tokenizer: Tokenizer) -> MaskedLanguageModel:
        """The task of a new run.

        Raises:
            TokenizerError: the tokenizer lacks a special token of BERT.
            ValueError: a passage would have no token of the text.
        """
        own = tokenizer.special_tokens
        if lacking := [mark for mark in MARKS if mark not in own]:
            raise TokenizerError(
                f"a masked language model needs a tokenizer with {', '.join(MARKS)} among its special tokens, this one lacks "
                f"{', '.join(lacking)}: take --tokenizer wordpiece, or "
                "for a corpus make it with one that was trained with these special_tokens."
            )
        if config.max_position_embeddings < 3:
            raise ValueError("block_size must be at least 3: [CLS], a token, [SEP].")
        return cls(config, text, sha256_of(tokenizer), {}, {mark: own[mark] for mark in MARKS})

    @classmethod
    def sizes(cls, config: BertConfig, batch_size: int) -> tuple[int, int]:
        return bert_parameter_count(config), bert_training_bytes(config, batch_size)

    # -- the model and its data ---------------------------------------------------------------------------------------

    def make_model(self) -> BertForMaskedLM:
        return BertForMaskedLM(self.config)

    @property
    def context(self) -> int:
        return self.config.max_position_embeddings - 2

    def batch(self, data: TokenizedText, batch_size: int, rng: np.random.Generator) -> tuple[HostArray, HostArray]:
        passages, _ = random_blocks(data.train, self.context, batch_size, rng)
        return self.masked(passages, rng)

    def masked(self, passages: HostArray, rng: np.random.Generator) -> tuple[HostArray, HostArray]:
        """Passages (B, `context`) as what the model is given, and what it is asked: (B, max_position_embeddings) each."""
        ids = np.pad(passages.astype(np.int64), ((0, 0), (1, 1)))
        ids[:, 0], ids[:, -1] = self.marks["[CLS]"], self.marks["[SEP]"]
        special = list(self.marks.values())
        return mask_tokens(
            ids, rng, mask_id=self.marks["[MASK]"], vocab_size=self.config.vocab_size, special_ids=special
        )

    def questions(self, data: TokenizedText, most: int | None) -> Iterator[tuple[HostArray, HostArray]]:
        """The validation text, cut into passages (`most` tokens of it), some at a time, with what is hidden: always the same.

        What is hidden of a passage does not depend on how many others are read.
        """
        rows = self.looked_at(len(data.validation) // self.context, most)
        for some in np.array_split(rows, max(1, -(-len(rows) // ROWS))):
            passages = data.validation[some[:, None] * self.context + np.arange(self.context)]
            each = [
                self.masked(one[None], np.random.default_rng([EVALUATION, row]))
                for row, one in zip(some, passages, strict=True)
            ]
            yield np.concatenate([ids for ids, _ in each]), np.concatenate([targets for _, targets in each])

    def evaluate(self, model: BertForMaskedLM, data: TokenizedText, most: int | None) -> float:
        """The mean loss over the hidden tokens of the validation text."""
        totals, counts = self._by_passage(model, data, most)
        return float(totals.sum() / counts.sum()) if counts.any() else float("nan")

    def evaluate_parts(self, model: BertForMaskedLM, data: TokenizedText) -> tuple[float, Parts | None]:
        """The mean loss over the hidden tokens of the validation text; its parts are the passages that have any."""
        totals, counts = self._by_passage(model, data, None)
        if not counts.any():
            return float("nan"), None
        return float(totals.sum() / counts.sum()), Parts(totals[counts > 0], counts[counts > 0])

    def _by_passage(self, model: BertForMaskedLM, data: TokenizedText, most: int | None) -> tuple[HostArray, HostArray]:
        """The sum of the losses of each passage's hidden tokens, and their number."""
        sums, counts = [], []
        for ids, targets in self.questions(data, most):
            hidden = targets != NO_TARGET
            losses = F.cross_entropy(*model.asked(ids, targets), reduction="none").numpy()
            sums.append(np.bincount(positions(np.nonzero(hidden)[0]), losses, len(ids)))
            counts.append(hidden.sum(axis=1))
        return np.concatenate(sums), np.concatenate(counts)

    def measures(self, model: BertForMaskedLM, data: TokenizedText, loss: float) -> dict[str, float]:
        right = count = 0
        for ids, targets in self.questions(data, None):
            logits, wanted = model.asked(ids, targets)
            right += int((logits.numpy().argmax(axis=-1) == wanted.numpy()).sum())
            count += len(wanted)
        return {"accuracy": right / max(count, 1)}

    # -- what is told of it -------------------------------------------------------------------------------------------

    @property
    def shape(self) -> str:
        c = self.config
        return (
            f"BERT: {c.num_hidden_layers} layers, {c.num_attention_heads} heads, {c.hidden_size} wide, "
            f"context {c.max_position_embeddings}"
        )

    @property
    def described(self) -> str:
        return f"a BERT with {self.shape.removeprefix('BERT: ')}"

    def result(self, loss: float, measures: Mapping[str, float]) -> str:
        return f"validation loss {loss:.4f} nats a masked token, {measures['accuracy']:.1%} of them right"

    def sample(self, model: BertForMaskedLM, tokenizer: Tokenizer, data: TokenizedText, seed: int) -> str:
        """Some passages of the validation text, with what was hidden and the model's guess."""
        ids, targets = next(self.questions(data, SHOWN * self.context))
        with no_grad():
            guesses = model(ids).numpy().argmax(axis=-1)
        passages = [_shown(tokenizer, *rows) for rows in zip(ids[:SHOWN], targets, guesses, strict=False)]
        return "\n\n".join(["Each hidden token as [what stood there: the guess].", *passages])

    def more(self, folder: str) -> str:
        return (
            "Ask it what stands at [MASK], in Python:\n"
            f"  from minilm.training.masked_language_model import fill\n  fill({folder!r}, 'the [MASK] of a list')"
        )

    @property
    def architecture(self) -> str:
        c = self.config
        return (
            f"BERT, {c.num_hidden_layers} layers, {c.num_attention_heads} heads, {c.hidden_size} wide, {c.intermediate_size} inside, "
            f"{c.hidden_act}, dropout {c.hidden_dropout_prob:g}"
        )

    def use(self, folder: Path) -> str:
        return (
            "It says what stands at a hidden place of a text, from both sides: in Python, "
            f"`minilm.training.masked_language_model.fill({str(folder)!r}, 'the [MASK] of a list')`"
        )

    def limits(self, tokenizer: Tokenizer) -> list[str]:
        return [
            "It does not write: it was never asked for what comes next.",
            "Which 15 % of the tokens were hidden when it was measured was drawn once, and is the same in every evaluation: with others "
            "hidden the numbers differ a little.",
        ]

    # -- what a run remembers of it -----------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        return {**super().to_json(), "marks": self.marks}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any], path: Path, version: int) -> MaskedLanguageModel:
        """The task of which config.json keeps `fields`.

        Raises:
            CheckpointError: a field is missing, unknown, of another type, or out of range.
        """
        expect_fields(fields, {"model", "text", "tokenizer_sha256", "token_files", "marks"}, path)
        task = cls(*text_fields(fields, BertConfig, path), fields["marks"])
        marks, ids = fields["marks"], range(task.config.vocab_size)
        if (
            not isinstance(marks, dict)
            or set(marks) != set(MARKS)
            or not all(type(id) is int and id in ids for id in marks.values())
        ):
            raise CheckpointError(f"{path}: marks should be the ids of {', '.join(MARKS)}, it is {marks!r}.")
        return task


def fill(
    run: Run[MaskedLanguageModel] | str | Path, text: str, count: int = 5, device: str = "auto"
) -> list[list[tuple[str, float]]]:
    """The likeliest tokens at each [MASK] of a text, with their probabilities, of a run's best weights.

    ::

        fill("runs/masked-1", "the [MASK] of a list")

    Args:
        run: the run, or its folder.
        count: how many for each.

    Raises:
        ValueError: the text has no [MASK], or is longer than the model's context.
        CheckpointError: there is no run of a masked language model, or a file of it is damaged.
    """
    run = run if isinstance(run, Run) else Run(run, MaskedLanguageModel)
    task, tokenizer = run.task, run.task.tokenizer(run.folder)
    ids = np.array([[task.marks["[CLS]"], *tokenizer.encode(text, allowed_special={"[MASK]"}), task.marks["[SEP]"]]])
    places = np.flatnonzero(ids[0] == task.marks["[MASK]"])
    if not places.size:
        raise ValueError(f"the text has no [MASK]: put one where a token is to be found, got {text!r}.")
    if ids.shape[1] > task.config.max_position_embeddings:
        raise ValueError(
            f"the text has {ids.shape[1] - 2} tokens, the model's context is {task.context}: give a shorter one."
        )
    with no_grad():
        logits = run.model(device)(ids)[0][places].numpy().astype(np.float64)
    logits[:, list(task.marks.values())] = -np.inf
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    best = np.argsort(-p, axis=1, kind="stable")[:, :count]
    return [[(tokenizer.id_to_token(int(id)), float(p[i, id])) for id in row] for i, row in enumerate(best)]


def _shown(tokenizer: Tokenizer, ids: HostArray, targets: HostArray, guesses: HostArray) -> str:
    words = []
    for id, target, guess in zip(ids[1:-1].tolist(), targets[1:-1].tolist(), guesses[1:-1].tolist(), strict=True):
        token = tokenizer.id_to_token(id if target == NO_TARGET else target)
        words.append(token if target == NO_TARGET else f"[{token}: {tokenizer.id_to_token(guess)}]")
    return " ".join(words)


__all__ = ["MARKS", "MaskedLanguageModel", "fill"]
