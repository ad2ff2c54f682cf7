"""What the tests of "Attention by hand" compare with: the tiny GPT in the engine, its attention taken apart, and a page with its script."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

import minilm as ml
from chapters.tools.attention import page, tiny
from minilm.nn import functional as F

STATIC = Path(__file__).resolve().parents[2] / "chapters" / "tools" / "_static" / "attention"
TEXTS = [  # each with a next word that is right, or is not
    ("the cat slept while it", "purred"),
    ("mia fed the dog and", "he"),
    ("purred", "purred"),
    ("red gold blue again red gold blue . the frog ate while it croaked .", "again"),
]


def engine(text: str, right: str) -> dict[str, np.ndarray]:
    """By name: logits (T, V), weights and scores of each layer (H, T, T), the loss of the last word, and the gradients of weights, scores,
    embeddings and parameters.
    """
    model = tiny.load()
    ids = np.array([tiny.WORDS.index(word) for word in text.split()])
    T = len(ids)
    later = np.triu(np.ones((T, T), bool), 1)
    e = model.wte(ids)
    x, scores, weights = e + model.wpe.weight[:T], [], []
    for block in model.blocks:
        q, k, v = (
            part.reshape(T, model.config.n_head, -1).swapaxes(0, 1)
            for part in block.attn.c_attn(block.ln_1(x)).split(3, axis=-1)
        )
        scores.append(q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1]))
        weights.append(scores[-1].masked_fill(later, -np.inf).softmax())
        x = x + block.attn.c_proj((weights[-1] @ v).swapaxes(0, 1).reshape(T, -1))
        x = x + block.mlp(block.ln_2(x))
    logits = model.lm_head(model.ln_f(x))
    with ml.no_grad():
        np.testing.assert_allclose(logits.numpy(), model(ids[None]).numpy()[0], rtol=0, atol=1e-12)
    loss = F.cross_entropy(logits[-1], ml.tensor(tiny.WORDS.index(right)))
    named = {name: p for name, p in model.named_parameters() if name != "lm_head.weight"}
    asked = {
        "embeddings": e,
        **{f"weights {i}": w for i, w in enumerate(weights)},
        **{f"scores {i}": s for i, s in enumerate(scores)},
        **named,
    }
    gradients = dict(zip(asked, ml.grad(loss, list(asked.values())), strict=True))
    return {
        "logits": logits.numpy(),
        "loss": loss.numpy(),
        **{name: value.numpy() for name, value in asked.items() if name.startswith(("weights", "scores"))},
        **{f"gradient of {name}": g.numpy() for name, g in gradients.items()},
    }


SCRIPT = """
([file, text, right]) => {
  const gpt = globalThis.minilmTinyGPT, model = gpt.load(file), number = (word) => model.words.indexOf(word);
  const pass = gpt.forward(model, text.split(" ").map(number)), { values } = pass.tape;
  const plain = (x) => Array.from(x.data), found = { logits: plain(values[pass.logits]) };
  const heads = (list, of) => list.flatMap((index) => plain(of[index]));
  const back = gpt.backward(pass, number(right)), g = back.gradients;
  found.loss = [back.loss];
  pass.layers.forEach(({ scores, weights }, i) => {
    found[`weights ${i}`] = heads(weights, values);
    found[`scores ${i}`] = heads(scores, values);
    found[`gradient of weights ${i}`] = heads(weights, g);
    found[`gradient of scores ${i}`] = heads(scores, g);
  });
  found["gradient of embeddings"] = plain(g[pass.token]);
  for (const [name, index] of Object.entries(pass.leaves)) found[`gradient of ${name}`] = plain(g[index]);
  return found;
}
"""
"""A function in JavaScript that finds what `engine` does, each as a list of numbers."""


def compare(found: dict[str, list[float]], text: str, right: str) -> None:
    """Fails unless JavaScript found the engine's numbers, all of them."""
    expected = engine(text, right)
    assert set(found) == set(expected)
    for name, array in expected.items():
        np.testing.assert_allclose(np.array(found[name]), array.reshape(-1), rtol=0, atol=1e-9, err_msg=name)


THEME = """
html { color: var(--pst-color-text-base); background: var(--pst-color-background);
  --pst-color-background: #fff; --pst-color-surface: #f3f4f5; --pst-color-border: #d1d5da;
  --pst-color-text-base: #222832; --pst-color-text-muted: #48566b }
html[data-theme="dark"] { color-scheme: dark;
  --pst-color-background: #14181e; --pst-color-surface: #29313d; --pst-color-border: #48566b;
  --pst-color-text-base: #ced6dd; --pst-color-text-muted: #9ca4af }
"""
"""The colors of the site's theme."""


def write_page(folder: Path, scheme: str = "light") -> Path:
    """A page in the folder that holds the place as the site's does, with the same scripts."""
    static = folder / "_static"
    shutil.copytree(STATIC, static / "attention", dirs_exist_ok=True)
    shutil.copy(page.OPS, static / "ops.js")
    scripts = "".join(f'<script defer src="_static/{script}"></script>' for script in page.SCRIPTS)
    path = folder / f"attention-by-hand-{scheme}.html"
    path.write_text(
        f'<!doctype html><html lang="en" data-theme="{scheme}"><head><meta charset="utf-8"><title>Attention by hand</title>'
        f'<meta name="viewport" content="width=device-width"><style>{THEME}</style>'
        f'<link rel="stylesheet" href="_static/attention/attention.css">{scripts}</head>'
        f'<body><main class="bd-article"><h1>Attention by hand</h1>{page.filled()}</main></body></html>',
        encoding="utf-8",
    )
    return path
