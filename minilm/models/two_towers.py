r"""Images and words in one space: a tower for each, and a contrastive loss that joins them.

.. math:: a = V \operatorname{ReLU}(W x + b) + c, \qquad b = E\, g(\text{word}), \qquad s(x, \text{word}) = \cos(a, b)

with g the counts of a word's pieces: runs of one to three letters, with marks at both ends, so that a word that nobody has seen has
pieces that somebody has (Bojanowski et al. 2017, *Enriching Word Vectors with Subword Information*, arXiv:1607.04606). The loss, and the
learned scale, are those of CLIP (Radford et al. 2021, arXiv:2103.00020).
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence

import numpy as np

from minilm import nn
from minilm.creation import tensor, zeros
from minilm.models.mlp import MLP
from minilm.nn import functional as F
from minilm.nn.module import Parameter
from minilm.tensor import Tensor
from minilm.types import HostArray

LARGEST_SCALE = 100.0  # Radford et al., section 2.5, which begins at 1 / 0.07, too


def pieces(word: str) -> list[str]:
    """Runs of one to three characters of a word between marks; accents are characters of their own.

    >>> pieces("Un")
    ['<', 'u', 'n', '>', '<u', 'un', 'n>', '<un', 'un>']
    """
    marked = f"<{unicodedata.normalize('NFKD', word.lower())}>"
    return [marked[i : i + n] for n in (1, 2, 3) for i in range(len(marked) - n + 1)]


class TwoTowers(nn.Module):
    """An encoder of images, one of words, and the scale of their cosines.

    Args:
        inputs: numbers of an image.
        words: those whose pieces are known.
        hidden: width of the image tower's hidden layer.
        width: of the common space.

    Raises:
        ValueError: there is no word.
    """

    def __init__(self, inputs: int, words: Sequence[str], hidden: int = 64, width: int = 32) -> None:
        super().__init__()
        if not words:
            raise ValueError("TwoTowers: no word is known; the word tower learns from pieces of words.")
        found = sorted({piece for word in words for piece in pieces(word)} - {"<", ">"})
        self.known = {piece: number for number, piece in enumerate(found)}
        self.images = MLP((inputs, hidden, width))
        self.table = Parameter(zeros(len(found), width))
        nn.init.normal_(self.table, std=0.1)
        self.log_scale = Parameter(tensor(math.log(1 / 0.07)))

    def counts(self, words: Sequence[str]) -> HostArray:
        """How often each known piece stands in each word: ``(len(words), pieces)``."""
        rows = np.zeros((len(words), len(self.known)), np.float32)
        for row, word in zip(rows, words, strict=True):
            for piece in pieces(word):
                if piece in self.known:
                    row[self.known[piece]] += 1
        return rows

    def embed_words(self, counts: Tensor) -> Tensor:
        """Counts (B, pieces) to vectors (B, width) of length 1; of a word without a known piece 0."""
        return F.unit(counts @ self.table)

    def embed_images(self, images: Tensor) -> Tensor:
        """Images (B, ...) to vectors (B, width) of length 1."""
        return F.unit(self.images(images))

    def loss(self, images: Tensor, counts: Tensor) -> Tensor:
        """The contrastive loss of images and the counts of their words, pair by pair."""
        scale = self.log_scale.exp().minimum(LARGEST_SCALE)
        return F.contrastive_loss(self.images(images), counts @ self.table, scale)


__all__ = ["TwoTowers", "pieces"]
