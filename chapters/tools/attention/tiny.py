"""The tiny GPT of "Attention by hand": trained by this file, kept in ``model.json`` beside it.

::

    python -m chapters.tools.attention.tiny           # loads it, and says its loss on 2,000 new texts
    python -m chapters.tools.attention.tiny --train   # trains it anew, in a minute or two, and writes the file

The same file comes out on every machine. Two libraries add the terms of a matrix product in another order, and differ in the
sixteenth digit; a training of 5,000 steps makes another model of that. So each weight is rounded to a multiple of 2^-20 after each
step, and the difference is gone before the next one can enlarge it: two kernels of OpenBLAS gave the same file, byte for byte, and
without the rounding other numbers in all but four of the weights. The file holds float16.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import minilm as ml
from chapters.tools.attention.sentences import WORDS, texts
from minilm.models import GPT, GPTConfig
from minilm.optim import AdamW, WarmupCosineLR, clip_grad_norm_

FILE = Path(__file__).with_name("model.json")
CONFIG = GPTConfig(vocab_size=len(WORDS), block_size=16, n_layer=2, n_head=2, n_embd=32, bias=False)
SEED, STEPS, BATCH, RATE = 0, 5000, 32, 0.005
GRID = 2.0**-20  # to whose multiples each weight is rounded after each step
TEST_SEED, TEST = 1_000_000, 2000  # texts that no training sees


def train(steps: int = STEPS) -> GPT:
    """The model after so many steps, each on new texts; the weights are float64."""
    rng = np.random.default_rng(SEED)
    model = GPT(CONFIG, rng).to("float64")
    optimizer = AdamW(model.decay_groups(0.1), lr=RATE, betas=(0.9, 0.99))
    schedule = WarmupCosineLR(optimizer, 100, STEPS)
    for _ in range(steps):
        ids, _ = texts(rng, BATCH, CONFIG.block_size + 1)
        optimizer.zero_grad()
        model.loss(ids[:, :-1], ids[:, 1:]).backward()
        clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        for weight in model.parameters():
            weight.data[...] = np.round(weight.data / GRID) * GRID
    return model


def losses(model: GPT, count: int = TEST) -> tuple[float, float]:
    """The mean surprise per word on texts that are not in the training, in nats: the model's, and the least that can be had."""
    ids, best = texts(np.random.default_rng(TEST_SEED), count, CONFIG.block_size + 1)
    with ml.no_grad():
        return model.loss(ids[:, :-1], ids[:, 1:]).item(), float(best[:, 1:].mean())


def written(model: GPT) -> dict[str, Any]:
    """What the file holds: words, shape, how it was trained and to which loss, and each weight in float16, in base64."""
    rounded = load({"weights": packed(model)})
    loss, best = losses(rounded)
    return {
        "words": list(WORDS),
        "config": {name: getattr(CONFIG, name) for name in ("block_size", "n_layer", "n_head", "n_embd")},
        "training": {"texts": STEPS * BATCH, "steps": STEPS, "loss": round(loss, 3), "best": round(best, 3)},
        "parameters": model.num_parameters(),
        "weights": packed(model),
    }


def packed(model: GPT) -> dict[str, dict[str, Any]]:
    """Each weight by name, the output layer's, which is the embedding's, left out."""
    arrays = {name: w.numpy() for name, w in model.state_dict().items() if name != "lm_head.weight"}
    return {
        name: {"shape": list(w.shape), "float16": base64.b64encode(w.astype("<f2").tobytes()).decode()}
        for name, w in arrays.items()
    }


def load(found: dict[str, Any] | None = None) -> GPT:
    """The model of the file, with its weights as float64, which hold each float16 exactly."""
    found = json.loads(FILE.read_text(encoding="utf-8")) if found is None else found
    model = GPT(CONFIG, np.random.default_rng(0)).to("float64")
    arrays = {
        name: np.frombuffer(base64.b64decode(w["float16"]), "<f2").reshape(w["shape"]).astype(np.float64)
        for name, w in found["weights"].items()
    }
    model.load_state_dict({**arrays, "lm_head.weight": arrays["wte.weight"]})
    return model.eval()


def text_of(found: dict[str, Any]) -> str:
    """The file: a line per weight, so that a difference can be read."""
    weights = ",\n".join(f"  {json.dumps(name)}: {json.dumps(w)}" for name, w in found["weights"].items())
    head = {name: value for name, value in found.items() if name != "weights"}
    lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(value)}" for name, value in head.items())
    return "{\n" + lines + ',\n "weights": {\n' + weights + "\n }\n}\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="The tiny GPT of chapter 4's page Attention by hand.")
    parser.add_argument("--train", action="store_true", help="train it anew, and write model.json")
    if parser.parse_args(arguments).train:
        FILE.write_text(text_of(written(train())), encoding="utf-8")
    loss, best = losses(load())
    print(f"{loss:.3f} nats per word on {TEST:,} new texts; at best {best:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
