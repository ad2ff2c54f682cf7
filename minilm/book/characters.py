r"""Chapter 5 models the characters of Python's manual: its parts, the training of a small model, and what a character costs it.

.. math:: \ell_t = -\ln p(x_{t+1} \mid x_{t-T+1} \dots x_t)
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from minilm import nn
from minilm.creation import tensor
from minilm.data import TokenBlocks, python_docs, random_blocks, without_copies
from minilm.graph import no_grad
from minilm.indices import positions
from minilm.metrics import Interval, difference_interval, ratio_interval
from minilm.nn import functional as F
from minilm.optim import AdamW, clip_grad_norm_
from minilm.tensor import Tensor
from minilm.types import HostArray

DOCUMENT = 1024  # characters that a bootstrap draws together: neighbors are alike, so single characters would give too narrow an interval
UNKNOWN = "\N{REPLACEMENT CHARACTER}"


class CharacterParts(NamedTuple):
    """A text in three parts, one behind the other.

    Attributes:
        train: to learn from, 80 %.
        validation: to choose on, 10 %.
        test: read once, for the report, 10 %.
        letters: the characters of `train`, and `UNKNOWN` for all others.
        copies: how many paragraphs the text repeats.
        paragraphs: how many it has.
    """

    train: str
    validation: str
    test: str
    letters: str
    copies: int
    paragraphs: int

    def ids(self, text: str) -> HostArray:
        """A number for each character, int64; the last one stands for characters that `train` lacks."""
        number = {letter: k for k, letter in enumerate(self.letters)}
        return np.array([number.get(letter, len(number) - 1) for letter in text], np.int64)

    def text(self, ids: HostArray | list[int]) -> str:
        """The characters of the numbers."""
        return "".join(self.letters[int(k)] for k in ids)


def manual_characters(*, copies: bool = False) -> CharacterParts:
    """Python's manual in 80, 10 and 10 %, cut in its order: characters drawn at random would have their neighbors in training.

    Args:
        copies: leave in what repeats an earlier paragraph; by default such paragraphs go before the split.

    Raises:
        DataError: this Python has no manual.
    """
    paragraphs = [p for p in python_docs().split("\n\n") if p.strip()]
    once = without_copies(paragraphs)
    text = "\n\n".join(paragraphs if copies else once.kept)
    first, second = int(0.8 * len(text)), int(0.9 * len(text))
    letters = "".join(sorted(set(text[:first]) - {UNKNOWN})) + UNKNOWN
    return CharacterParts(text[:first], text[first:second], text[second:], letters, once.copies, len(paragraphs))


def copied_share(test: str, train: str, width: int = 50) -> float:
    """The share of the test part's windows of `width` characters that stand in the training part, too, from 0 to 1.

    Raises:
        ValueError: the test part is shorter than a window.
    """
    if not 1 <= width <= len(test):
        raise ValueError(f"a window of {width} characters does not fit into a test part of {len(test)}.")
    known = {train[k : k + width] for k in range(len(train) - width + 1)}
    count = len(test) - width + 1
    return sum(test[k : k + width] in known for k in range(count)) / count


class CharacterModel(nn.Module):
    """Embedding and positions, a body (B, T, width) -> (B, T, width), and logits of the next character (B, T, letters)."""

    def __init__(self, body: nn.Module, letters: int, block_size: int = 64, width: int = 64) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(letters, width), nn.LearnedPositions(block_size, width)
        self.body, self.lm_head = body, nn.Linear(width, letters)
        with no_grad():
            self.wte.weight.copy_(
                self.wte.weight.numpy() * 0.2
            )  # the default, deviation 1, would drown what the body adds

    def forward(self, x: HostArray) -> Tensor:
        return self.lm_head(self.body(self.wpe(self.wte(tensor(x)))))


def train(
    model: nn.Module, ids: HostArray, steps: int, lr: float = 1e-2, block_size: int = 64, batch_size: int = 12
) -> list[float]:
    """AdamW with a warm-up of 50 steps, half a cosine and clipping; the loss of each step."""
    optimizer = AdamW(model.parameters(), lr=lr, betas=(0.9, 0.99), weight_decay=0.0)
    rng, losses = np.random.default_rng(0), []
    for step in range(steps):
        decay = 0.55 + 0.45 * math.cos(math.pi * step / steps)
        optimizer.param_groups[0]["lr"] = lr * min(1, (step + 1) / 50) * decay
        x, y = random_blocks(ids, block_size, batch_size, rng)
        optimizer.zero_grad()
        logits = model(x)
        loss = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), tensor(y.reshape(-1)))
        loss.backward()
        clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


def nats(model: nn.Module, ids: HostArray, block_size: int = 64) -> HostArray:
    """The surprise of each character after those before it in its block of `block_size`, in nats."""
    blocks, found = TokenBlocks(ids, block_size), []
    with no_grad():
        for start in range(0, len(blocks), 64):
            x, y = blocks.gather(np.arange(start, min(start + 64, len(blocks))))
            logits = model(x)
            logits = logits.reshape(-1, logits.shape[-1])
            found.append(F.cross_entropy(logits, tensor(y.reshape(-1)), reduction="none").numpy())
    return np.concatenate(found).astype(np.float64)


def mean_nats(surprises: HostArray) -> Interval | None:
    """The interval of the mean, by drawing pieces of `DOCUMENT` characters."""
    return ratio_interval(*_documents(surprises))


def difference(first: HostArray, second: HostArray) -> Interval | None:
    """The interval of the first mean minus the second, over the same characters: pieces are drawn for both alike.

    Raises:
        ValueError: they are not of the same characters.
    """
    if len(first) != len(second):
        raise ValueError(f"a paired difference needs the same characters, got {len(first)} and {len(second)}.")
    return difference_interval(_documents(first), _documents(second))


def _documents(surprises: HostArray) -> tuple[HostArray, HostArray]:
    starts = np.arange(0, len(surprises), DOCUMENT)
    return np.add.reduceat(surprises, positions(starts)), np.diff([*starts, len(surprises)]).astype(float)


__all__ = [
    "DOCUMENT", "UNKNOWN", "CharacterModel", "CharacterParts", "copied_share", "difference", "manual_characters", "mean_nats", "nats",
    "train",
]  # fmt: skip
