"""A published model made smaller: what its matrices take, how long a text takes, and what its vectors are worth.

MiniLM (22.7 million weights in float32, of which 10.6 million stand in the matrices of its layers; its tables of words stay as they are)
says how near 800 pairs of definitions are in meaning, 200 of each closeness (`minilm.applications.similarity`); Spearman's correlation with
their concepts' closeness in WordNet's tree is its quality. Nothing is chosen by these pairs. The inputs that `compensated` needs are those
of 256 other definitions. Times are the processor's on one thread, for one text of 16 word pieces, each method beside the original in turns;
those of 8 and 4 bits are of `minilm.models.storage`, which is made for speed; their brackets are the middle half of the rounds. MB are of
the matrices, "lost" is less than the original's (paired), and the cosine is the mean of that between a text's vectors before and after.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import minilm as ml
from minilm import pretrained
from minilm.applications.similarity import Similarity
from minilm.applications.vectors import MODEL
from minilm.formats.absmax import absmax
from minilm.formats.blocks import quantize as to_blocks
from minilm.metrics import spearman
from minilm.models import storage
from minilm.models.bert import Bert, inputs
from minilm.nn.linears import chosen
from minilm.nn.prune import prune, prune_n_of_m
from minilm.nn.quantized import input_grams, quantize
from tests.experiments._cells import less, of_score

EACH = 200  # pairs of each closeness
ROUNDS = 30  # of the clock
MB = 1e6


def measure() -> Iterator[dict[str, Any]]:
    """The rows of the table."""
    ml.set_num_threads(1)
    original, tokenizer = opened()
    split = Similarity().split()
    n = len(split.test) // 4
    pairs = [pair for k in range(4) for pair in split.test[k * n : k * n + EACH]]
    texts = [text for pair in pairs for text in (pair.first, pair.second)]
    closeness = [pair.closeness for pair in pairs]
    others = [text for pair in split.validation[::3] for text in (pair.first, pair.second)][:256]
    with ml.no_grad(), input_grams(original) as grams:
        embedded(original, tokenizer, others)
    before = embedded(original, tokenizer, texts)
    reference = spearman(closeness, cosines(before))
    ids = np.random.default_rng(0).integers(1000, 20000, (1, 16))
    for name, change, fast, size in METHODS:
        model = opened()[0]
        change(model, grams)
        after = embedded(model, tokenizer, texts)
        found = spearman(closeness, cosines(after))
        yield {
            "method": name,
            "MB": size(original) / MB,
            "time": slower(fast(model), original, ids) if fast else None,
            "Spearman": of_score(found),
            "Spearman lost": None if name == "original" else less(reference, found, 4),
            "cosine": float((before * after).sum(axis=1).mean()),
        }


def opened() -> tuple[Bert, Any]:
    """The published model anew, and its tokenizer."""
    found = pretrained.load(MODEL)
    model: Bert = found.model
    model.pooler = None  # nothing here uses it
    return model, found.tokenizer


@ml.no_grad()
def embedded(model: Bert, tokenizer: Any, texts: list[str]) -> Any:
    """(n,) texts -> (n, 384), those of like length at once."""
    order = np.argsort([len(text) for text in texts], kind="stable")
    found = np.zeros((len(texts), model.config.hidden_size), np.float32)
    for start in range(0, len(order), 64):
        some = order[start : start + 64]
        found[some] = model.embed(*inputs(tokenizer, [texts[i] for i in some], max_length=128)).numpy()
    return found


def cosines(vectors: Any) -> Any:
    """Of the vectors of pairs that stand one after the other."""
    return (vectors[::2] * vectors[1::2]).sum(axis=1)


@ml.no_grad()
def slower(model: Bert, original: Bert, ids: Any) -> list[float]:
    """The model's time over the original's for a text: the median of rounds, and where the middle half of them lies."""
    ratios = []
    for _ in range(ROUNDS):
        times = []
        for each in (model, original):
            start = time.process_time()
            each.embed(ids)
            times.append(time.process_time() - start)
        ratios.append(times[0] / times[1])
    return [float(np.quantile(ratios, q)) for q in (0.5, 0.25, 0.75)]


# -- the methods ------------------------------------------------------------------------------------------------------


def nothing(_model: Bert, _grams: Any) -> None:
    """The original."""


def rounded(kind: str, compensate: bool = False) -> Callable[[Bert, Any], None]:
    """Integers of `minilm.nn.quantized`."""
    return lambda model, grams: void(quantize(model, kind, grams=grams if compensate else None))


def four_bits_per_row(model: Bert, _grams: Any) -> None:
    """Each weight the nearest of 15 values, whose distance the largest weight of its row decides."""
    with ml.no_grad():
        for place in chosen(model, None):
            q, s = absmax(place.layer.weight.numpy(), 4)
            place.layer.weight.copy_(ml.Tensor(q * s[:, None]))


def pruned(sparsity: float, by: str = "magnitude") -> Callable[[Bert, Any], None]:
    """A share of all weights of the layers is zero."""
    return lambda model, _: void(prune(model, sparsity, by=by, rng=np.random.default_rng(0)))


def two_of_four(model: Bert, _grams: Any) -> None:
    """Of each four weights the two largest."""
    prune_n_of_m(model)


def void(_value: object) -> None:
    """A call whose result is not needed."""


def as_it_is(model: Bert) -> Bert:
    """Timed as it is."""
    return model


def stored(make: Callable[[Any], storage.Stored]) -> Callable[[Bert], Bert]:
    """Timed with the layers of `minilm.models.storage`, whose numbers are random where only their time counts."""

    def fast(_model: Bert) -> Bert:
        model = opened()[0]
        for place in chosen(model, None):
            storage.replace(place.parent, place.name, make(place.layer.weight.numpy()))
        return model

    return fast


def in_blocks(kind: str) -> Callable[[Any], storage.Stored]:
    """Blocks of a GGUF file."""
    return lambda weight: storage.Blocks(kind, to_blocks(kind, weight))


def bits(each: float, per_row: int = 0) -> Callable[[Bert], float]:
    """The bytes of all matrices with so many bits per weight, and bytes per row."""
    return lambda model: sum(
        place.layer.weight.size * each / 8 + place.layer.out_features * per_row for place in chosen(model, None)
    )


DENSE, EIGHT, FOUR = bits(32), stored(in_blocks("Q8_0")), stored(in_blocks("Q4_0"))
METHODS = (
    ("original", nothing, None, DENSE),
    ("8 bits, a scale per row", rounded("int8"), stored(storage.Int8), bits(8, 4)),
    ("8 bits, a scale per 32", rounded("Q8_0"), EIGHT, bits(8.5)),
    ("4 bits, a scale per row", four_bits_per_row, None, bits(4, 4)),
    ("4 bits, a scale per 32", rounded("Q4_0"), FOUR, bits(4.5)),
    ("the same, compensated", rounded("Q4_0", True), FOUR, bits(4.5)),
    ("30 % pruned", pruned(0.3), as_it_is, DENSE),
    ("50 % pruned", pruned(0.5), as_it_is, DENSE),
    ("2 of 4 pruned", two_of_four, as_it_is, DENSE),
    ("80 % pruned", pruned(0.8), as_it_is, DENSE),
    ("30 % pruned at random", pruned(0.3, "random"), as_it_is, DENSE),
)
