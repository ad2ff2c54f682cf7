"""Does an induction head need two layers? Attention-only models on random tokens that repeat, five starts for each depth.

After 500 updates each: the surprise at repetitions on 64 new sequences; the highest prefix score and the copying score of that head; the
surprise with that head off, with each head of the same layer off, and with the first layer's best previous-token head off.
"""

import numpy as np

from minilm.interpret import (
    attention_maps,
    copying_loss,
    copying_scores,
    edited,
    learn_to_copy,
    prefix_scores,
    previous_scores,
    repeats,
    without_heads,
)
from minilm.models.attention_only import AttentionOnly

VOCABULARY, WIDTH, HEADS, LENGTH, STEPS, STARTS = 32, 64, 2, 32, 500, 5


def measure():
    given = repeats(np.random.default_rng(99), 64, LENGTH, VOCABULARY)
    for layers in (1, 2):
        for seed in range(STARTS):
            yield _row(layers, seed, given)


def _row(layers, seed, given):
    rng = np.random.default_rng(seed)
    model = AttentionOnly(VOCABULARY, layers, HEADS, WIDTH, rng)
    losses = learn_to_copy(model, STEPS, rng, length=LENGTH)
    maps = attention_maps(lambda: model(given.ids))
    prefix = np.array([prefix_scores(w, given.periods) for w in maps])
    before = np.array([previous_scores(w) for w in maps])
    layer, head = np.unravel_index(prefix.argmax(), prefix.shape)
    row = {
        "layers": layers,
        "start": seed,
        "surprise": copying_loss(model, given),
        "prefix score": float(prefix.max()),
        "copying score": float(copying_scores(model)[layer, head]),
        "that head off": _off(model, given, (layer, head)),
        "its layer off": _off(model, given, *((layer, h) for h in range(HEADS))),
    }
    if layers == 2:
        row["best previous-token head"] = float(before[0].max())
        row["that one off"] = _off(model, given, (0, int(before[0].argmax())))
    row["losses"] = " ".join(f"{x:.2f}" for x in losses[:, 1].reshape(-1, 20).mean(axis=1))
    return row


def _off(model, given, *heads):
    with edited(model, without_heads(*heads)):
        return copying_loss(model, given)
