"""The step-throughs that the browser tests open: all of the book's, and four of their own."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np

import minilm as ml
from minilm.nn import functional as F
from minilm.trace import Trace

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks" / "en"


@cache
def book() -> dict[str, str]:
    """The HTML of every step-through in the notebooks, by chapter and cell: "05-project-068"."""
    found = {}
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        for i, cell in enumerate(json.loads(path.read_text("utf-8"))["cells"]):
            for output in cell.get("outputs", ()):
                text = "".join(output.get("data", {}).get("text/html", ""))
                if "data-mlstep" in text:
                    found[f"{path.stem}-{i:03d}"] = text
    return found


def attention() -> Trace:
    """One head on three tokens of width 4, and a target."""
    rng = np.random.default_rng(0)
    X = ml.tensor(rng.normal(size=(3, 4)), requires_grad=True)
    Wq, Wk, Wv = (ml.tensor(rng.normal(size=(4, 4)), requires_grad=True) for _ in range(3))
    with ml.trace() as steps:
        Q = X @ Wq
        K = X @ Wk
        V = X @ Wv
        P = F.softmax(Q @ K.T / 2.0, -1)
        Y = P @ V
        loss = F.mse_loss(Y, ml.tensor(np.eye(3, 4)))
        loss.backward()
    return steps


def gpt() -> Trace:
    """A GPT of two layers on four tokens."""
    ml.manual_seed(0)
    model = ml.models.GPT(ml.models.GPTConfig(vocab_size=11, block_size=4, n_layer=2, n_head=2, n_embd=8))
    with ml.trace() as steps:
        logits = model(ml.tensor([[1, 2, 3, 4]]))
        F.cross_entropy(logits.reshape(-1, 11), ml.tensor([2, 3, 4, 5])).backward()
    return steps


def cnn() -> Trace:
    """Convolution, batch norm, pooling and a linear layer on two pictures of 6 by 6."""
    rng = np.random.default_rng(0)
    ml.manual_seed(0)
    nn = ml.nn
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 3)
    )
    images = ml.tensor(rng.normal(size=(2, 1, 6, 6)).astype(np.float32))
    with ml.trace() as steps:
        F.cross_entropy(model(images), ml.tensor([0, 2])).backward()
    return steps


def lstm() -> Trace:
    """An LSTM over three steps, and the loss of its last state."""
    rng = np.random.default_rng(0)
    ml.manual_seed(0)
    cell, sequence = ml.nn.LSTM(2, 3), ml.tensor(rng.normal(size=(3, 1, 2)).astype(np.float32))
    with ml.trace() as steps:
        out, _ = cell(sequence)
        (out[-1] ** 2).sum().backward()
    return steps


OWN = {"attention": attention, "gpt": gpt, "cnn": cnn, "lstm": lstm}
