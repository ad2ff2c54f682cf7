"""What do the layers of SmolLM2 hold? Every third of its 30, on passages of Python's manual: 60 to learn from, 33 to choose by, 27 to test.

Two readers of the next token, in nats: the logit lens; and the lens behind a linear map, learned by least squares, from this layer's states
to the last one's. Beside them stands a guess that knows how often each token stands in the manual's first part, and no context.

And a probe: is a bracket open here? As often yes as no within each passage, and never at a token that holds a bracket itself. Its control
gives each kind of token a class that was drawn. The same of a model of this shape whose weights are as they were drawn at the start.
Intervals are over the passages of the test part.
"""

import numpy as np

from minilm.applications import find
from minilm.applications.generation import passages
from minilm.interpret import control_labels, hidden_states, lens_losses, probed, ridge
from minilm.metrics import difference_interval, ratio_interval
from minilm.models import Llama
from minilm.pretrained import load

TOKENS, EVERY, LEARNED, PENALTY = 128, 3, 60, 1e-2
OPEN, CLOSE = "([{", ")]}"


def measure():
    found = load("smollm2-135m-instruct")
    text = find("generation").split().train[0].text
    parts = [
        [np.array(found.tokenizer.encode(p.text)[:TOKENS]) for p in part if len(p.text) > 400]
        for part in parts_of(text)
    ]
    untrained = Llama(found.model.config, np.random.default_rng(0)).eval()
    trained = [[states(found.model, ids) for ids in part] for part in parts]
    drawn = [[states(untrained, ids) for ids in part] for part in parts]
    lens = dict(lenses(found.model, trained, parts))
    probes = dict(probings(found.tokenizer, parts, {"trained": trained, "untrained": drawn}))
    for k in range(len(trained[0][0])):
        yield {"layer": EVERY * k, **lens[k], **probes[k]}
    yield {
        "layer": "no context",
        "lens": by_counts(found.tokenizer.encode(text), parts[2], found.model.config.vocab_size),
    }


def parts_of(text):
    """Passages that a probe and a map learn from, those that choose, and those of the test."""
    split = find("generation").split()
    return passages(text, "")[0][:LEARNED], split.validation, split.test


def states(model, ids):
    """A passage's states without the first place, whose numbers are hundreds of times larger: (layers, T - 1, C)."""
    return np.stack([h[0, 1:] for h in hidden_states(model, ids[None])[::EVERY]])


def lenses(model, trained, parts):
    """Of every second place of each test passage."""
    last = np.concatenate([h[-1] for h in trained[0]])
    for k in range(len(trained[0][0])):
        x = np.concatenate([h[k] for h in trained[0]])
        scale = np.sqrt(((x - x.mean(axis=0)) ** 2).mean())
        carry = ridge(x / scale, last, PENALTY)
        nats = []
        for h, ids in zip(trained[2], parts[2], strict=True):
            here, carried = h[k], carry(h[k] / scale).astype(np.float32)
            pairs = np.stack([ids[1:-1:2], ids[2::2]], axis=1)  # this token and the next
            two = [np.stack([s[:-1:2], s[:-1:2]], axis=1) for s in (here, carried)]
            nats.append([lens_losses(model, pairs, [s])[0].sum() for s in two] + [len(pairs)])
        lens, carried, n = np.array(nats).T
        yield (
            k,
            {
                "lens": [lens.sum() / n.sum(), *ratio_interval(lens, n)[:2]],
                "learned map": [carried.sum() / n.sum(), *ratio_interval(carried, n)[:2]],
            },
        )


def by_counts(known, test, vocab_size):
    """The surprise of tokens by how often each stands in the text that is known, with 0.1 added to each count."""
    count = np.bincount(known, minlength=vocab_size) + 0.1
    nats = [-np.log(count[ids[2::2]] / count.sum()) for ids in test]
    sums, n = np.array([x.sum() for x in nats]), np.array([len(x) for x in nats])
    return [sums.sum() / n.sum(), *ratio_interval(sums, n)[:2]]


def open_brackets(tokenizer, ids):
    """For each token whether a bracket is open behind it, and whether it has one itself. A blank line closes all."""
    depth, found, has = 0, [], []
    for id in ids:
        piece = tokenizer.decode([int(id)])
        for c in piece:
            depth = max(0, depth + (c in OPEN) - (c in CLOSE))
        depth = 0 if "\n\n" in piece else depth
        found.append(depth > 0)
        has.append(any(c in OPEN + CLOSE for c in piece))
    return np.array(found), np.array(has)


def probings(tokenizer, parts, models):
    """Accuracies of the probe on both tasks, and the difference."""
    rng = np.random.default_rng(0)
    places, labels, words, part_of, passage_of = [], [], [], [], []
    for p, part in enumerate(parts):
        for n, ids in enumerate(part):
            inside, has = open_brackets(tokenizer, ids)
            free = ~has & (np.arange(len(ids)) > 0)
            some = min((free & inside).sum(), (free & ~inside).sum())
            at = np.concatenate(
                [rng.choice(np.flatnonzero(free & (inside == c)), some, replace=False) for c in (True, False)]
            )
            places.append(at - 1)
            labels.append(inside[at])
            words.append(ids[at])
            part_of.append(np.full(len(at), p))
            passage_of.append(np.full(len(at), n))
    labels, words, part_of, passage_of = map(np.concatenate, (labels, words, part_of, passage_of))
    control = control_labels(words, labels, rng)
    chosen = [np.flatnonzero(part_of == p) for p in range(3)]
    document = np.unique(passage_of[chosen[2]], return_inverse=True)[1]
    n = np.bincount(document)
    for k in range(len(models["trained"][0][0])):
        row = {"places": ", ".join(str(len(each)) for each in chosen)}
        for name, found in models.items():
            passages = [h for part in found for h in part]
            x = np.concatenate([h[k][at] for h, at in zip(passages, places, strict=True)])
            right = [np.bincount(document, probed(x, y, *chosen).right) for y in (labels, control)]
            for task, r in zip(("bracket", "control"), right, strict=True):
                row[f"{name}: {task}"] = [r.sum() / n.sum(), *ratio_interval(r, n)[:2]]
            less = difference_interval((right[0], n), (right[1], n))
            row[f"{name}: selectivity"] = [(right[0] - right[1]).sum() / n.sum(), *less[:2]]
        yield k, row
