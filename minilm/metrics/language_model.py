r"""How well a language model predicts a text: four numbers that all come from one sum.

A model gives each token a probability in its context. What is added up over all documents d is the surprise in nats, and the text
that it is of:

.. math:: S = \sum_d S_d, \qquad S_d = -\sum_{t=1}^{T_d} \ln p(x_{dt} \mid x_{d1} \dots x_{d,t-1})

All numbers are ratios of such sums, over all documents at once: a mean of the documents' own means would count a token of a short
document for more than one of a long document.

Loss and perplexity are per token, and so compare models with one tokenizer only. Bits per character and per byte are per text,
whatever its tokens are: with the ideal code for the model a text of B bytes is compressed to so many bits a byte (Shannon 1951,
*Prediction and Entropy of Printed English*).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np


class TextSize(NamedTuple):
    """A text's length: characters are Unicode's code points, bytes those of UTF-8."""

    characters: int
    bytes: int


def text_size(text: str) -> TextSize:
    """The characters and bytes of a text; half of a surrogate pair counts as one character of three bytes."""
    return TextSize(len(text), len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass")))


def loss_per_token(nats: Any, tokens: Any) -> float:
    r""":math:`S / T`, in nats.

    Args:
        nats: the surprise S, as one number or one for each document.
        tokens: how many tokens it is of, as `nats`.

    Raises:
        ValueError: there are no tokens, a count is negative, or there are more numbers of one kind than of the other.
    """
    return ratio("tokens", nats, tokens)


def perplexity(nats: Any, tokens: Any) -> float:
    r""":math:`e^{S / T}`: among so many equally likely tokens the model would be as uncertain. Infinite where it is no float64.

    Arguments and errors are those of `loss_per_token`.
    """
    loss = loss_per_token(nats, tokens)
    return math.exp(loss) if loss < 709.0 or math.isnan(loss) else math.inf


def bits_per_character(nats: Any, characters: Any) -> float:
    r""":math:`S / (C \ln 2)`, with C the characters of the text.

    Arguments and errors are those of `loss_per_token`, with characters for tokens.
    """
    return ratio("characters", nats, characters) / math.log(2)


def bits_per_byte(nats: Any, bytes: Any) -> float:
    r""":math:`S / (B \ln 2)`, with B the bytes of the text in UTF-8.

    Arguments and errors are those of `loss_per_token`, with bytes for tokens.
    """
    return ratio("bytes", nats, bytes) / math.log(2)


def ratio(name: str, nats: Any, counts: Any) -> float:
    """The sum of `nats` by the sum of `counts`; `name` says in an error what was counted."""
    above, below = np.asarray(nats, np.float64), np.asarray(counts)
    if above.shape != below.shape:
        raise ValueError(
            f"{above.size} sums of nats and {below.size} counts of {name}: expected one of each for a document."
        )
    if (below < 0).any():
        raise ValueError(f"a count of {name} is negative: {below.min()}.")
    total = float(below.sum())
    if total == 0:
        raise ValueError(f"there are no {name}: nothing was predicted.")
    return math.fsum(above.reshape(-1).tolist()) / total
