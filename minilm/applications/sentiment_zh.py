r"""Chinese: is a review of a book, a hotel or a computer favorable. Learned from 14,000 short texts alone, from nothing.

Chinese has no blanks between words. So a text is its characters, and its runs of two and three: 不错 ("not bad", which means good)
is a run of its own beside 不 ("not") and 错 ("wrong"). Readers of two kinds see them, and learn at the same time, each by its own loss:

- a wide one, a linear model on the TF-IDF of all runs x. It cannot be misled by much, and knows no order beyond three characters.
- deep ones (Kim 2014, *Convolutional Neural Networks for Sentence Classification*): vectors of characters and pairs, filters over
  2, 3 and 4 places, the largest answer of each filter anywhere in the text. What is alike has vectors that are alike; so they know words
  that they saw once. Each learns much by heart: dropout of inputs and of answers is half of its strength. What one has by heart another,
  which began with other numbers, has not: so there are R of them, and their mean is heard (Dietterich 2000, *Ensemble Methods in Machine
  Learning*).

.. math:: a = w \cdot x + b, \qquad h_{f} = \max_t \operatorname{relu}(u_f \cdot e_{t : t + k} + c_f), \qquad
    d = v \cdot h + b', \qquad P(\text{positive}) = \sigma\Bigl(a + \frac{\beta}{R} \sum_{r=1}^R d_r\Bigr)

Cheng et al. 2016, *Wide & Deep Learning*, add the two before one loss: then they share the work, and neither is good by itself. With a
loss each they err on different texts. The deep ones are too sure of themselves: they count less (beta).
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from minilm import nn
from minilm.applications.application import Answer, Baseline, Split, System
from minilm.applications.published import by_length, neighbors
from minilm.applications.sentiment import CHINESE, LABELS, Opinion, Sentiment, answers_of, constant
from minilm.applications.simple.linear import label_methods
from minilm.applications.trained import ApplicationTask, Examples
from minilm.creation import zeros
from minilm.data import shop_reviews, three_parts, without_copies
from minilm.data.errors import DataError
from minilm.graph import no_grad
from minilm.models.ids import as_ids
from minilm.nn import functional as F
from minilm.ops.shape import concat, stack
from minilm.strict_json import object_from
from minilm.tensor import Tensor
from minilm.training.task import Parts, RunFile
from minilm.types import HostArray

GRAMS = "ngrams.json"
RUNS = (1, 2, 3)  # lengths of the runs of characters
LONGEST = 300  # characters; of a longer text the first
ENOUGH = 5  # texts that a pair stands in: of one that is rarer nothing is learned but those texts by heart, and AdamW's time goes
KERNELS = (2, 3, 4)
SHARPNESS = 10.0  # the wide reader's logit is so many times its product: TF-IDF vectors have length 1, and AdamW takes small steps


class Texts(NamedTuple):
    """Texts as the model takes them: of each (T,) characters, what begins at each place.

    Attributes:
        grams: (3, T) the numbers of the runs of 1, 2 and 3 characters; 0: not known, or beyond the end.
        values: (3, T) their TF-IDF, so that the sum over places is that of the text.
        lengths: (n,) the T.
        labels: (n,) 1 positive, 0 negative.
    """

    grams: list[HostArray]
    values: list[HostArray]
    lengths: HostArray
    labels: HostArray


class DeepReader(nn.Module):
    """A convolution over the vectors of characters and pairs.

    Args:
        vectors: the first so many runs have a vector; number 0 has none.
        width, filters: of a vector, and how many filters of each width.
        dropout: of the filters' answers; `vector_dropout`: of the numbers of vectors.
    """

    def __init__(self, vectors: int, width: int, filters: int, dropout: float, vector_dropout: float) -> None:
        super().__init__()
        self.vectors = nn.Embedding(vectors, width, padding_idx=0)
        nn.init.normal_(self.vectors.weight, 0.0, 0.1)
        with no_grad():
            self.vectors.weight[0] = 0.0
        self.filters = nn.ModuleList([nn.Conv1d(width, filters, k, padding=k - 1) for k in KERNELS])
        self.vector_dropout, self.dropout = nn.Dropout(vector_dropout), nn.Dropout(dropout)
        self.head = nn.Linear(filters * len(KERNELS), 1)

    def forward(self, seen: Any, lengths: Any) -> Tensor:
        """The logit d of each text, (B,), of the characters and pairs that it is given, (B, 2, T), 0 for none; lengths (B,)."""
        x = self.vectors(as_ids(seen, self.vectors.weight, "seen")).sum(axis=1)  # (B, T, width)
        x = self.vector_dropout(x).swapaxes(1, 2)
        answers = []
        for conv, k in zip(self.filters, KERNELS, strict=True):
            y = F.relu(conv(x))  # (B, filters, T + k - 1)
            inside = np.arange(y.shape[2]) < np.asarray(lengths)[:, None] + k - 1  # windows that hold a character
            answers.append((y * constant(inside[:, None], y)).max(axis=2))
        return self.head(self.dropout(concat(*answers, axis=1)))[:, 0]


class Readers(nn.Module):
    """The wide reader, and the deep ones.

    Args:
        grams: how many runs are known, with number 0 for all others.
        deep: how many deep readers there are; what follows are their arguments (`DeepReader`).
    """

    def __init__(
        self,
        grams: int,
        deep: int,
        vectors: int,
        width: int,
        filters: int,
        dropout: float = 0.5,
        vector_dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.weights = nn.Embedding(grams, 1, padding_idx=0)
        nn.init.constant_(self.weights.weight, 0.0)
        self.bias = nn.Parameter(zeros(1))
        self.deep = nn.ModuleList([DeepReader(vectors, width, filters, dropout, vector_dropout) for _ in range(deep)])

    def forward(self, grams: Any, values: Any, seen: Any, lengths: Any) -> tuple[Tensor, Tensor]:
        """The logits a, (B,), and d, (B, R), of each text.

        Args:
            grams, values: (B, 3, T), as in `Texts`, with zeros beyond the end.
            seen: (B, R, 2, T) the characters and pairs whose vectors each deep reader is given, 0 for none.
            lengths: (B,).
        """
        deep = [reader(seen[:, r], lengths) for r, reader in enumerate(self.deep)]
        return self.wide(grams, values), stack(deep, axis=1)

    def wide(self, grams: Any, values: Any) -> Tensor:
        weights = self.weights(as_ids(grams, self.bias, "grams"))[..., 0]  # (B, 3, T)
        return (weights * constant(values, weights)).sum(axis=(1, 2)) * SHARPNESS + self.bias

    def losses(self, grams: Any, values: Any, seen: Any, lengths: Any, targets: Any) -> Tensor:
        """The surprise of each reader at each text, in nats, (B, 1 + R), the wide one first.

        Args:
            targets: the probability of "positive", (B,).
        """
        a, d = self(grams, values, seen, lengths)
        logits = concat(a[:, None], d, axis=1)
        wanted = np.broadcast_to(np.asarray(targets)[:, None], logits.shape)
        return F.binary_cross_entropy_with_logits(logits, constant(wanted, logits), reduction="none")

    def loss(self, grams: Any, values: Any, seen: Any, lengths: Any, targets: Any) -> Tensor:
        """The mean over texts of what all are surprised by: each learns as if it were alone."""
        return self.losses(grams, values, seen, lengths, targets).sum(axis=1).mean()


@dataclass(frozen=True)
class ReviewTask(ApplicationTask):
    """The readers' shapes, and what is left out while they learn.

    Attributes:
        grams, deep, vectors, width, filters, dropout, vector_dropout: of `Readers`.
        unseen: the share of characters and pairs that a deep reader is not given while it learns, each of them others.
        smoothing: this share of a label is spread over both (label smoothing).
        share: beta, what the mean of the deep readers counts beside the wide one.
    """

    name: ClassVar[str] = "sentiment-zh"
    counted: ClassVar[str] = "texts"
    files: ClassVar[tuple[RunFile, ...]] = (
        RunFile(GRAMS, "the runs of characters, and in how many texts each stands", ("resume", "generate"), True),
    )
    settings: ClassVar[Mapping[str, Any]] = {
        "steps": 600,
        "batch_size": 64,
        "learning_rate": 3e-3,
        "min_learning_rate": 0.0,
        "warmup": 50,
        "weight_decay": 0.01,
        "clip": 0.0,  # by the norm of all readers together it would be one reader that slows the others down
        "eval_every": 200,
        "checkpoint_every": 200,
    }

    grams: int
    vectors: int
    deep: int = 4
    width: int = 48
    filters: int = 100
    dropout: float = 0.5
    vector_dropout: float = 0.2
    unseen: float = 0.1
    smoothing: float = 0.1
    share: float = 0.75

    def make_model(self) -> Readers:
        shape = self.vectors, self.width, self.filters
        return Readers(self.grams, self.deep, *shape, self.dropout, self.vector_dropout)

    def batch(self, data: Examples, batch_size: int, rng: np.random.Generator) -> tuple[Any, ...]:
        texts: Texts = data.train
        rows = neighbors(texts.lengths, batch_size, rng)
        grams, values, seen, lengths = self.arrays(texts, rows)
        seen = np.where(rng.random(seen.shape) < self.unseen, 0, seen)
        return grams, values, seen, lengths, texts.labels[rows] * (1 - self.smoothing) + self.smoothing / 2

    def arrays(self, texts: Texts, rows: HostArray) -> tuple[HostArray, HostArray, HostArray, HostArray]:
        """Some of the texts, as `Readers.forward` takes them."""
        lengths = texts.lengths[rows]
        grams, values = (_filled([source[row] for row in rows]) for source in (texts.grams, texts.values))
        seen = np.where(grams[:, :2] < self.vectors, grams[:, :2], 0)
        return grams, values, np.repeat(seen[:, None], self.deep, axis=1), lengths

    def logits(self, model: Readers, texts: Texts) -> HostArray:
        """What is answered: a + beta (d_1 + ... + d_R) / R of each text."""
        found = np.zeros(len(texts.lengths))
        for rows in by_length(texts.lengths, 64):
            a, d = model(*self.arrays(texts, rows))
            found[rows] = a.numpy() + self.share * d.numpy().mean(axis=1)
        return found

    def evaluate(self, model: Readers, data: Examples, most: int | None) -> float:
        return float(self._surprise(model, data, most).mean())

    def evaluate_parts(self, model: Readers, data: Examples) -> tuple[float, Parts | None]:
        losses = self._surprise(model, data, None)
        return float(losses.mean()), Parts(losses, np.ones_like(losses))

    def _surprise(self, model: Readers, data: Examples, most: int | None) -> HostArray:
        """Of the answers, in nats: not what each reader learns by, but what all are used for."""
        texts = Texts(*(part[:most] for part in data.validation))
        return np.logaddexp(0.0, -self.logits(model, texts) * (2 * texts.labels - 1))

    def measures(self, model: Readers, data: Examples, loss: float) -> dict[str, float]:
        return {"accuracy": float(((self.logits(model, data.validation) > 0) == data.validation.labels).mean())}


class ChineseSentiment(Sentiment):
    """Whether a Chinese review is favorable. Nobody rated how much: its probability is all that is known of that."""

    name = "sentiment-zh"
    title = "Sentiment: is a Chinese review favorable (a linear model and a convolution, on characters)"
    datasets = ("shop-reviews",)
    words = CHINESE
    line = "房间不错,但是早餐很差。"
    task = ReviewTask
    brief: ClassVar[Mapping[str, Any]] = {"steps": 150, "warmup": 20, "eval_every": 150, "checkpoint_every": 150}

    def split(self) -> Split[Opinion]:
        found = without_copies(shop_reviews(), key=lambda each: each[0], label=lambda each: each[1])
        opinions = [Opinion(text.strip(), LABELS[favorable]) for text, favorable in found.kept]
        parts = three_parts(len(opinions), stratify=[opinion.label for opinion in opinions])
        about = (
            f"{found.copies:,} lines went that repeat another one, and {found.contradictions} whose text is there with both labels; "
            "the rest was drawn into three parts, each label by itself."
        )
        return Split.of(opinions, parts, about)

    def learn(self, split: Split[Opinion], sha256: str) -> tuple[ReviewTask, dict[str, bytes]]:
        counts = count_grams([opinion.text for opinion in split.train])
        vectors = 1 + known_well(counts)
        content = json.dumps({"texts": len(split.train), "counts": counts}, ensure_ascii=False)
        return ReviewTask(sha256, grams=1 + len(counts), vectors=vectors), {GRAMS: content.encode("utf-8")}

    def encode(self, task: ApplicationTask, folder: Path, examples: Sequence[Opinion]) -> Texts:
        labels = np.array([LABELS.index(opinion.label) for opinion in examples])
        return encoded([opinion.text for opinion in examples], folder / GRAMS, labels)

    def system(self, model: Readers, task: Any, folder: Path) -> System:
        def answer(questions: Sequence[str]) -> list[Answer]:
            texts = encoded(questions, folder / GRAMS, np.zeros(len(questions), np.int64))
            return answers_of(task.logits(model, texts))

        return answer

    def baselines(self) -> Mapping[str, Baseline]:
        return label_methods(
            lambda example: example.text, lambda example: example.label, words=False, characters=(1, 3)
        )

    def limits(self) -> Sequence[str]:
        return (
            "Many reviews were published line by line: a line such as 早餐比较丰富 (breakfast is rather rich) may have the label "
            "of a review that says the contrary elsewhere. Nobody can be right on those.",
            "There is no rating of how favorable a review is: only the probability says something of it.",
            "Reviews of books, hotels and computers, of about 2008: other goods and later words it does not know.",
        )


def plain(text: str) -> str:
    """A text as it is read: full width and half width, upper and lower case are the same, and white space is one blank."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())[:LONGEST]


def count_grams(texts: Sequence[str]) -> dict[str, int]:
    """The runs of 1, 2 and 3 characters that stand in two texts or more, with the number of texts; the short and frequent ones first."""
    found = Counter(
        gram for text in map(plain, texts) for gram in {text[i : i + n] for n in RUNS for i in range(len(text) - n + 1)}
    )
    kept = [(gram, count) for gram, count in found.items() if count > 1]
    return dict(sorted(kept, key=lambda each: (len(each[0]), -each[1], each[0])))


def known_well(counts: Mapping[str, int]) -> int:
    """How many of the first runs have a vector: all characters, and the pairs that stand in `ENOUGH` texts."""
    return sum(len(gram) == 1 or (len(gram) == 2 and count >= ENOUGH) for gram, count in counts.items())


def encoded(texts: Sequence[str], path: Path, labels: HostArray) -> Texts:
    """Texts by the runs of characters that a run of minilm has kept.

    TF-IDF is (1 + ln n) (1 + ln((N + 1) / (m + 1))) for a run that stands n times in the text and in m of N texts, and the vector of all of
    a text's runs has length 1. A place has its share, 1 / n.

    Raises:
        DataError: the file is missing or damaged.
    """
    try:
        content = object_from(path.read_bytes())
        counts, total = content["counts"], content["texts"]
        rarity = 1 + np.log((total + 1) / (np.array([0, *counts.values()]) + 1))
    except (OSError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}): it belongs to the run, put it back from a copy.") from None
    number = {gram: i for i, gram in enumerate(counts, 1)}
    grams, values = [], []
    for text in map(plain, texts):
        ids = np.array(
            [[number.get(text[i : i + n], 0) if i + n <= len(text) else 0 for i in range(len(text))] for n in RUNS],
            np.int64,
        )
        _, place, times = np.unique(ids, return_inverse=True, return_counts=True)
        n = times[place.reshape(ids.shape)]
        weight = np.where(ids > 0, (1 + np.log(n)) * rarity[ids], 0.0)
        length = np.sqrt((weight**2 / n).sum())
        grams.append(ids)
        values.append((weight / n / max(length, 1e-9)).astype(np.float32))
    return Texts(grams, values, np.array(list(map(len, map(plain, texts))), np.int64), labels)


def _filled(rows: Sequence[HostArray]) -> HostArray:
    """Rows (3, T) as one array (B, 3, longest), with zeros beyond their ends."""
    out = np.zeros((len(rows), len(RUNS), max(1, *(row.shape[1] for row in rows))), rows[0].dtype)
    for i, row in enumerate(rows):
        out[i, :, : row.shape[1]] = row
    return out


__all__ = ["ChineseSentiment", "Readers", "ReviewTask", "Texts", "count_grams", "encoded"]
