"""Does a language model tell a secret that it read? Made-up codes between pieces of Python's manual, and what DP-SGD makes of it.

A GPT of one layer reads 3,000 pieces of 64 characters. Among them are "canaries" (Carlini et al. 2019), each a name with a code of six
digits: eight stand there once, eight 4 times, eight 16 and eight 64 times; eight more are never there. The exposure of a code is how many
bits its rank among 512 codes tells, 9 at most. One model each; intervals over the eight codes. As DP-SGD learns less, there is a third
model, with Adam, which stops as soon as it has DP-SGD's loss on pieces that were not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

import minilm as ml
from minilm import optim
from minilm.data import load_text
from minilm.models.gpt import GPT, GPTConfig
from minilm.nn import functional as F
from minilm.privacy import exposure, poisson_batches, privacy_of, private_gradients
from minilm.text.char import CharTokenizer
from tests.experiments._cells import of_mean

TIMES, LENGTH, PIECES, OTHERS = (0, 1, 4, 16, 64), 64, 3000, 511
STEPS, BATCH, NOISE, DELTA = 300, 64, 0.6, 1e-4
NAMES = ("Ada", "Bea", "Cyd", "Dov", "Eva", "Fay", "Gil", "Hal")


class Canary(NamedTuple):
    name: str
    code: str
    times: int

    def text(self, code: str = "") -> str:
        return f"The code of {self.name}{self.times} is {code or self.code}.\n".ljust(LENGTH + 1)


def measure() -> Iterator[dict[str, Any]]:
    usual, private = of_model(0), of_model(0, private=True)
    models = {"Adam": usual, "DP-SGD": private, "Adam, stopped": of_model(0, least=private[1])}
    size = PIECES + len(NAMES) * sum(TIMES)
    for name, (exposures, loss) in models.items():
        row: dict[str, Any] = {"learned with": name, "nats per character": loss}
        for times in TIMES:
            row["once" if times == 1 else f"{times} times"] = of_mean([bits for n, bits in exposures if n == times])
        yield {**row, "epsilon": privacy_of(NOISE, BATCH / size, STEPS, DELTA) if name == "DP-SGD" else None}


def of_model(seed: int, private: bool = False, least: float = 0.0) -> tuple[list[tuple[int, float]], float]:
    """The exposure of each canary, with how often it was there, and the loss on pieces that were not."""
    rng = np.random.default_rng(seed)
    canaries = [Canary(name, f"{rng.integers(10**6):06}", times) for times in TIMES for name in NAMES]
    text = load_text("python-docs")
    pieces = [text[i : i + LENGTH + 1] for i in range(0, (PIECES + 300) * LENGTH, LENGTH)]
    tokenizer = CharTokenizer.train([text, *(c.text() for c in canaries), "0123456789"])
    order = rng.permutation(len(pieces))
    read = [pieces[i] for i in order[:PIECES]] + [c.text() for c in canaries for _ in range(c.times)]
    ids = np.array([tokenizer.encode(piece) for piece in read])
    model = GPT(GPTConfig(tokenizer.vocab_size, LENGTH, n_layer=1, n_head=4, n_embd=64), rng)
    held_out = np.array([tokenizer.encode(pieces[i]) for i in order[PIECES:]])
    for step, _ in enumerate(learn(model, ids, private, rng)):
        if least and step % 5 == 0 and float(losses_of(model, held_out).mean()) <= least:
            break
    exposures = [(c.times, bits(model, tokenizer, c, rng)) for c in canaries]
    return exposures, float(losses_of(model, held_out).mean())


def losses_of(model: GPT, ids: np.ndarray) -> ml.Tensor:
    """The mean over the characters of each piece, (B,)."""
    logits = model(ids[:, :-1])
    each = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), ids[:, 1:].reshape(-1), reduction="none")
    return each.reshape(len(ids), -1).mean(axis=1)


def learn(model: GPT, ids: np.ndarray, private: bool, rng: np.random.Generator) -> Iterator[None]:
    """Yields after each step."""
    optimizer = optim.Adam(model.parameters(), lr=3e-3)
    for batch in poisson_batches(len(ids), BATCH / len(ids), STEPS, rng):
        if private:
            private_gradients(
                model, lambda x: losses_of(model, x), ids[batch], clip=0.3, noise=NOISE, expected=BATCH, rng=rng
            )
        elif len(batch):
            optimizer.zero_grad()
            losses_of(model, ids[batch]).mean().backward()
        optimizer.step()
        yield


def bits(model: GPT, tokenizer: CharTokenizer, canary: Canary, rng: np.random.Generator) -> float:
    codes = [
        canary.code,
        *(f"{code:06}" for code in rng.choice(10**6, OTHERS, replace=False) if f"{code:06}" != canary.code),
    ]
    start = canary.text().index(" is ") + 4
    ids = np.array([tokenizer.encode(canary.text(code)[: start + 6]) for code in codes])
    with ml.no_grad():
        logits = model(ids[:, :-1]).numpy()[:, start - 1 :].astype(np.float64)
    logits -= np.log(np.exp(logits - logits.max(axis=-1, keepdims=True)).sum(axis=-1, keepdims=True)) + logits.max(
        axis=-1, keepdims=True
    )
    loss = -np.take_along_axis(logits, ids[:, start:, None], axis=-1)[..., 0].sum(axis=1)
    return exposure(float(loss[0]), loss[1:])
