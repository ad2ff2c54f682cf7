"""Fine-tuning: an application's model begins with the weights of a published encoder (Devlin et al. 2018, *BERT*, section 3.2).

A run keeps the tokenizer, and which weights it began with; the weights themselves are fetched (`minilm.pretrained`). The embeddings do not
learn (`PublishedTask.resting`): of 30,000 words a few thousand occur in the examples, and those that do not would be left behind by those
that do.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from minilm.applications.trained import ApplicationTask, Examples
from minilm.data.errors import DataError
from minilm.models.bert import Bert
from minilm.nn import Module
from minilm.optim import decay_groups
from minilm.pretrained import load
from minilm.pretrained.load import TOKENIZER, WEIGHTS
from minilm.pretrained.table import find, get
from minilm.text.huggingface import read_tokenizer_json
from minilm.text.wordpiece import WordPieceTokenizer
from minilm.training.task import Parts, RunFile
from minilm.types import HostArray

MINILM = "all-minilm-l6-v2"


@dataclass(frozen=True)
class PublishedTask(ApplicationTask):
    """Fine-tuning of a published encoder.

    Attributes:
        pretrained: its name in the table of models.
        pretrained_sha256: of the file of its weights.
        resting: which of the encoder's tables of vectors do not learn.
    """

    files: ClassVar[tuple[RunFile, ...]] = (
        RunFile(TOKENIZER, "the published model's tokenizer", ("resume", "generate"), True),
    )

    resting: ClassVar[tuple[str, ...]] = ("words", "segments", "positions")

    pretrained: str = MINILM
    pretrained_sha256: str = ""

    def encoder(self) -> Bert:
        """The published encoder, its `resting` tables fixed, without a pooler.

        Raises:
            DataError: it cannot be had, or the table has other weights of that name by now.
        """
        if weights_sha256(self.pretrained) != self.pretrained_sha256:
            raise DataError(
                f"the run began with other weights of {self.pretrained} than the table of models knows (SHA-256 "
                f"{self.pretrained_sha256}): go on with the version of minilm that began it."
            )
        bert: Bert = load(self.pretrained).model.train()  # a published model comes in evaluation mode
        bert.pooler = None  # nothing here uses it: it would be a weight that never learns
        for table in self.resting:
            getattr(bert, table).requires_grad_(False)
        return bert

    @abstractmethod
    def losses(self, model: Any, part: Any, most: int | None) -> HostArray:
        """The loss of each example of a part as `encode` has it, (n,), in the order of the part; of the first `most`, None: of all."""

    def evaluate(self, model: Any, data: Examples, most: int | None) -> float:
        return float(np.mean(self.losses(model, data.validation, most)))

    def evaluate_parts(self, model: Any, data: Examples) -> tuple[float, Parts | None]:
        losses = self.losses(model, data.validation, None)
        return float(np.mean(losses)), Parts(losses, np.ones_like(losses))

    def groups(self, model: Module, weight_decay: float) -> list[dict[str, Any]]:
        return decay_groups([p for p in model.parameters() if p.requires_grad], weight_decay)


def weights_sha256(name: str = MINILM) -> str:
    """The SHA-256 of the weights of a published model, as the table of models has it."""
    return next(file.sha256 for file in find(name).package.files if file.name == WEIGHTS)


def tokenizer_file(name: str = MINILM) -> dict[str, bytes]:
    """The file that a run keeps of the published tokenizer, by its name."""
    return {TOKENIZER: (get(name) / TOKENIZER).read_bytes()}


def tokenizer_of(folder: Path) -> WordPieceTokenizer:
    """The tokenizer in a run's folder.

    Raises:
        TokenizerError: it cannot be read, or is none of BERT's kind.
    """
    tokenizer = read_tokenizer_json(folder / TOKENIZER)
    assert isinstance(tokenizer, WordPieceTokenizer)
    return tokenizer


def neighbors(lengths: HostArray, size: int, rng: np.random.Generator) -> HostArray:
    """`size` examples of about one length, so that little is padding: those at a random place of the order by length.

    Equal lengths are in an order of the moment. The order is closed to a ring: so each example is as likely as any other.
    """
    order = np.lexsort((rng.random(len(lengths)), lengths))
    return order[(rng.integers(len(order)) + np.arange(size)) % len(order)]


def by_length(lengths: HostArray, size: int) -> Iterator[HostArray]:
    """All examples, `size` at a time, the shortest first."""
    order = np.argsort(lengths, kind="stable")
    for start in range(0, len(order), size):
        yield order[start : start + size]


def padded(rows: Sequence[Sequence[int]]) -> tuple[HostArray, HostArray]:
    """Rows of ids filled up with 0, BERT's [PAD], to one length, (B, T); and where they hold a token."""
    lengths = np.array([len(row) for row in rows])
    mask = np.arange(lengths.max()) < lengths[:, None]
    filled = np.zeros(mask.shape, np.int64)
    filled[mask] = np.concatenate(rows)
    return filled, mask


__all__ = [
    "MINILM",
    "PublishedTask",
    "by_length",
    "neighbors",
    "padded",
    "tokenizer_file",
    "tokenizer_of",
    "weights_sha256",
]
