r"""BLEU: how many of a translation's word n-grams the reference has, too (Papineni et al. 2002).

Over all sentences of a test set are counted the n-grams of the translations, :math:`s_n`, and how many of these the reference of the
same sentence has, :math:`r_n`, each at most as often as it stands there. With c the words of all translations and r those of the
references:

.. math:: BLEU = 100 \cdot \min(1, e^{1 - r / c}) \cdot \Bigl( \prod_{n=1}^{4} \frac{r_n}{s_n} \Bigr)^{1/4}

Where no n-gram of some length is right the product would be 0: the first such precision is taken as :math:`1 / (2 s_n)`, the next as
:math:`1 / (4 s_n)`, and so on ("exp", NIST's smoothing: Chen & Cherry 2014, method 3).

What is a word decides the number. So tokens are made by one of the two rules that papers report by; with them the numbers are those of
sacrebleu (Post 2018), whose signatures are ``nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp`` and ``...|tok:zh|...``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from minilm.metrics.checks import same_length, texts
from minilm.metrics.ngrams import common, ngrams
from minilm.metrics.score import Score
from minilm.types import HostArray

LONGEST = 4  # n-grams

_MARK = re.compile(r"([!-&(-+/:-@\[-`{-~])")  # ASCII's marks without ' , - .
_AFTER_NO_DIGIT = re.compile(r"([^0-9])([.,])")
_BEFORE_NO_DIGIT = re.compile(r"([.,])([^0-9])")
_DIGIT_DASH = re.compile(r"([0-9])-")

# The ranges are sacrebleu's, who compares with two characters where it means Unicode's plane 2: so U+2001 to U+2A6D count as Chinese, and
# the rarer characters of plane 2 do not.
_CHINESE = re.compile(
    r"([\u2001-\u2a6d\u2e80-\u2fdf\u2ff0-\u303f\u3100-\u312f\u31a0-\u31ef\u3200-\u4db5\u4e00-\u9fbb"
    r"\uf900-\ufa2d\ufa30-\ufa6a\ufa70-\ufad9\ufe10-\ufe1f\ufe30-\ufe4f\uff00-\uffef])"
)


def words_13a(text: str) -> list[str]:
    """Words and marks, as NIST's mteval-v13a parts them: for languages that part words by spaces.

    Marks stand alone; a point or comma does unless it is between digits, a hyphen only after a digit.
    """
    text = text.replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    for entity, mark in (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")):
        text = text.replace(entity, mark)
    return _part(f" {text} ")


def words_zh(text: str) -> list[str]:
    """Each Chinese character alone, and what is not Chinese as `words_13a` parts it."""
    return _part(_CHINESE.sub(r" \1 ", text.strip()))


def _part(text: str) -> list[str]:
    text = _MARK.sub(r" \1 ", text)
    text = _AFTER_NO_DIGIT.sub(r"\1 \2 ", text)
    text = _BEFORE_NO_DIGIT.sub(r" \1 \2", text)
    return _DIGIT_DASH.sub(r"\1 - ", text).split()


TOKENIZERS = {"13a": words_13a, "zh": words_zh}


def bleu(references: Sequence[str | Sequence[str]], answers: Sequence[str], tokenize: str = "13a") -> Score:
    """BLEU of all answers at once, from 0 to 100. It is no mean of the sentences' own numbers.

    Args:
        references: one or several for each answer. Of several, an n-gram counts as often as that has it which has it most often, and the
            length is that which is nearest to the answer's, the shorter of two.
        answers: the system's.
        tokenize: "13a", or "zh" for Chinese.

    Returns:
        the score; 0 where nothing is right, and where all answers are shorter than four words: then there is no 4-gram to be right.

    Raises:
        ValueError: there is no example, not one answer for each, no reference, something is no text, or there is no such tokenizer.
    """
    rows = [bleu_counts(*pair, tokenize) for pair in _pairs(references, answers, tokenize)]
    return Score.of_sums("BLEU", rows, _bleu)


def sentence_bleu(reference: str | Sequence[str], answer: str, tokenize: str = "13a") -> float:
    """BLEU of one sentence, to sort sentences by; its n-grams go up to the longest that the answer has (sacrebleu's effective order)."""
    (pair,) = _pairs([reference], [answer], tokenize)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(_bleu(*bleu_counts(*pair, tokenize)[:, None], effective_order=True)[0])


def bleu_counts(references: Sequence[str], answer: str, tokenize: str = "13a") -> HostArray:
    """What one sentence adds to the ten sums: the words of the answer and of its reference, r_1 to r_4, s_1 to s_4.

    Args:
        references, answer, tokenize: as in `bleu`, of one example.
    """
    part = TOKENIZERS[tokenize]
    words, known = part(answer.rstrip()), [part(reference.rstrip()) for reference in references]
    _, length = min((abs(len(words) - len(reference)), len(reference)) for reference in known)
    right, said = [], []
    for n in range(1, LONGEST + 1):
        have: Counter[tuple[str, ...]] = Counter()
        for reference in known:
            have |= ngrams(reference, n)
        ours = ngrams(words, n)
        right.append(common(ours, have))
        said.append(ours.total())
    return np.array([len(words), length, *right, *said], np.float64)


def _bleu(length: HostArray, reference: HostArray, *counts: HostArray, effective_order: bool = False) -> HostArray:
    right, said = np.stack(counts[:LONGEST]), np.stack(counts[LONGEST:])
    missing = (right == 0).cumsum(axis=0)
    precision = np.where(right > 0, right, 0.5**missing) / said
    if effective_order:
        orders = (said > 0).sum(axis=0)
        logs = np.where(said > 0, np.log(precision), 0.0).sum(axis=0) / np.maximum(orders, 1)
    else:
        logs = np.log(np.where(said > 0, precision, 0.0)).mean(axis=0)
    brief = np.where(length < reference, np.exp(1 - reference / length), 1.0)
    return np.where(right.any(axis=0), 100 * brief * np.exp(logs), 0.0)


def _pairs(
    references: Sequence[str | Sequence[str]], answers: Sequence[str], tokenize: str
) -> list[tuple[list[str], str]]:
    if tokenize not in TOKENIZERS:
        raise ValueError(f"there is no tokenizer {tokenize!r}; there are {', '.join(TOKENIZERS)}.")
    return with_references(references, answers)


def with_references(references: Sequence[str | Sequence[str]], answers: Sequence[str]) -> list[tuple[list[str], str]]:
    """Each answer with all its references.

    Raises:
        ValueError: there is no example, not one answer for each, an answer without a reference, or something is no text.
    """
    same_length(references, answers)
    texts("the answer", answers)
    listed = [[reference] if isinstance(reference, str) else list(reference) for reference in references]
    for where, several in enumerate(listed):
        if not several:
            raise ValueError(f"example {where} has no reference.")
        texts(f"a reference of example {where}: number", several)
    return list(zip(listed, answers, strict=True))


__all__ = ["TOKENIZERS", "bleu", "bleu_counts", "sentence_bleu", "with_references", "words_13a", "words_zh"]
