"""One vector for each text, by MiniLM: what means the same points the same way.

all-MiniLM-L6-v2 is a BERT whose vectors were trained on a billion pairs of texts that belong together (Reimers and Gurevych 2019): the
mean of its last layer's vectors, brought to length 1. `minilm models show all-minilm-l6-v2` has the rest.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from minilm import pretrained
from minilm.graph import no_grad
from minilm.models.bert import Bert, inputs
from minilm.text import Tokenizer
from minilm.types import HostArray

MODEL = "all-minilm-l6-v2"
LONGEST = 256  # word pieces, as its authors cut texts by default
TOKENS = 2048  # of one pass, padding included


@functools.lru_cache(maxsize=1)
def encoder() -> tuple[Bert, Tokenizer]:
    """The published model, in evaluation mode, and its tokenizer; fetched if need be, and opened once.

    Raises:
        DataError: it cannot be had.
    """
    opened = pretrained.load(MODEL)
    assert opened.tokenizer is not None
    return opened.model, opened.tokenizer


@no_grad()
def vectors(texts: Sequence[str], longest: int = LONGEST) -> HostArray:
    """(n,) texts -> (n, 384) vectors of length 1, so that the product of two is the cosine of their angle.

    Texts of like length are read together. What stands beside a text in its pass changes its vector by rounding only.
    """
    model, tokenizer = encoder()
    found = np.zeros((len(texts), model.config.hidden_size), np.float32)
    order = np.argsort([len(text) for text in texts], kind="stable")
    start = 0
    while start < len(order):
        size = max(1, TOKENS // max(8, min(longest, len(texts[order[start]]) // 4)))
        rows = order[start : start + size]
        found[rows] = model.embed(*inputs(tokenizer, [texts[i] for i in rows], max_length=longest)).numpy()
        start += size
    return found


__all__ = ["MODEL", "encoder", "vectors"]
