r"""How near the top a search puts what was looked for: mean reciprocal rank, recall at k, discounted gain.

The first place has rank 1. Where each question has one right document, its rank tells all (`ranks`); where documents are more or less
relevant, their gains in the order of the answer do (`ndcg`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minilm.metrics.score import Score
from minilm.types import HostArray


def ranks(scores: Any, right: Any) -> HostArray:
    """The rank of the right document for each question: how many documents score as high as it, itself among them.

    Ties count against the system: one that gives every document the same number finds nothing.

    Args:
        scores: (questions, documents) numbers, higher is better.
        right: (questions,): the number of the right document.

    Raises:
        ValueError: there is no question, a score is NaN, or a right document is not among the documents.
    """
    scores, right = np.asarray(scores, np.float64), np.asarray(right)
    if scores.ndim != 2 or right.shape != scores.shape[:1]:
        raise ValueError(
            f"expected scores of shape (questions, documents) and one right document for each question, "
            f"got {scores.shape} and {right.shape}."
        )
    if not len(right):
        raise ValueError("there is no question.")
    if np.isnan(scores).any():
        raise ValueError(f"a score of question {int(np.isnan(scores).any(axis=1).argmax())} is NaN.")
    if right.dtype.kind not in "iu" or (right < 0).any() or (right >= scores.shape[1]).any():
        raise ValueError(f"a right document is an integer from 0 to {scores.shape[1] - 1}.")
    own = np.take_along_axis(scores, right[:, None], axis=1)
    return (scores >= own).sum(axis=1)


def mrr(ranks: Sequence[float | None]) -> Score:
    r"""The mean of 1 / rank (Voorhees 1999); a document that was not found, None or infinity, counts 0.

    Raises:
        ValueError: there is no question, or a rank is below 1.
    """
    return Score.mean("MRR", 1 / _ranks(ranks))


def recall_at(k: int, ranks: Sequence[float | None]) -> Score:
    """The share of questions whose right document has a rank of at most k.

    Raises:
        ValueError: there is no question, a rank is below 1, or k is.
    """
    if k < 1:
        raise ValueError(f"recall at k counts the first k documents, got k = {k}.")
    return Score.mean(f"recall@{k}", _ranks(ranks) <= k)


def ndcg(gains: Sequence[Sequence[float]], k: int | None = None) -> Score:
    r"""How much of the possible gain the first k documents hold, later ones discounted (Järvelin & Kekäläinen 2002).

    .. math:: \frac{DCG}{\max DCG}, \qquad DCG = \sum_{i=1}^{k} \frac{g_i}{\log_2(i + 1)}

    The largest is that of the same gains in falling order. A question without any gain counts 0, as in scikit-learn.

    Args:
        gains: for each question those of all its documents, in the order that the system put them in.
        k: how many documents are looked at; None: all.

    Raises:
        ValueError: there is no question, a gain is negative, NaN or infinite, or k is below 1.
    """
    if k is not None and k < 1:
        raise ValueError(f"nDCG looks at the first k documents, got k = {k}.")
    found = []
    for question, values in enumerate(gains):
        g = np.asarray(values, np.float64)
        if not (np.isfinite(g).all() and (g >= 0).all()):
            raise ValueError(f"a gain of question {question} is negative or not finite.")
        best = _dcg(np.sort(g)[::-1], k)
        found.append(_dcg(g, k) / best if best else 0.0)
    return Score.mean("nDCG" if k is None else f"nDCG@{k}", found)


def _dcg(gains: HostArray, k: int | None) -> float:
    gains = gains[:k]
    return float((gains / np.log2(np.arange(2, len(gains) + 2))).sum())


def _ranks(values: Sequence[float | None]) -> HostArray:
    found = np.array([np.inf if rank is None else rank for rank in values], np.float64)
    if not (found >= 1).all():
        where = int((~(found >= 1)).argmax())
        raise ValueError(f"the rank of question {where} is {found[where]:g}: the first is 1, and None says not found.")
    return found
