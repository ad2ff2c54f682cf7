"""Models, losses and updates with one bug each that raises no error, and the check that has to name it."""

from typing import Any, NamedTuple

import numpy as np

import minilm as ml
from minilm import nn, optim
from minilm.nn import functional as F
from minilm.training.trial import adamw, mean_cross_entropy

rng = np.random.default_rng(3)
CENTERS = rng.standard_normal((5, 6)).astype(np.float32)


def points(n):
    """Points around five centers, and whose they are."""
    y = rng.integers(0, 5, n)
    return (CENTERS[y] + 0.4 * rng.standard_normal((n, 6))).astype(np.float32), y


X, Y = points(200)
HELD_OUT = points(100)


def walks(n, length=12):
    """Sequences of which each number is the one before and 1 or 2 more, modulo 7."""
    steps = rng.integers(1, 3, (n, length + 2))
    return np.cumsum(steps, axis=1) % 7


WALKS, MORE_WALKS = walks(100), walks(40)
TWO_STEPS = np.log(2)
"""What counting pairs of neighbors needs: the next number is one of two."""


class Network(nn.Module):
    """Two hidden layers; what a broken one does otherwise is a method of its own."""

    def __init__(self, width=24):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(6, width), nn.Linear(width, width), nn.Linear(width, 5)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x):
        h = F.relu(self.first(self.seen(x)))
        h = self.dropout(h)
        return self.last(h + self.between(h))

    def seen(self, x):
        return x

    def between(self, h):
        return F.relu(self.second(h))


class OverTheBatch(Network):
    def between(self, h):
        return 5 * F.softmax(self.second(h), axis=0)


class MeanOfTheBatch(Network):
    def between(self, h):
        return self.second(h) - self.second(h).mean(axis=0)


class InputIsLost(Network):
    def seen(self, x):
        return x * 0


class Cut(Network):
    def between(self, h):
        return F.relu(self.second(h)).detach()


class HalfCut(Network):
    """The product rule with one factor held fast: a gradient arrives everywhere, and is wrong."""

    def between(self, h):
        y = self.second(h)
        return y * y.sigmoid().detach()


class DropsInEvaluation(Network):
    def between(self, h):
        return F.dropout(F.relu(self.second(h)), 0.5, training=True)


class NotCalled(Network):
    def between(self, h):
        return h


class Deep(nn.Module):
    """Thirty layers without a residual connection."""

    def __init__(self, residual):
        super().__init__()
        self.first, self.last, self.residual = nn.Linear(6, 16), nn.Linear(16, 5), residual
        self.layers = nn.ModuleList([nn.Linear(16, 16) for _ in range(30)])

    def forward(self, x):
        x = self.first(x)
        for layer in self.layers:
            x = x + 0.2 * layer(x).tanh() if self.residual else layer(x).tanh()
        return self.last(x)


class Reader(nn.Module):
    """A mean over what came before, as attention without weights; 'all' looks ahead."""

    def __init__(self, causal=True):
        super().__init__()
        self.tokens, self.hidden, self.out = nn.Embedding(7, 16), nn.Linear(32, 32), nn.Linear(32, 7)
        self.causal = causal

    def forward(self, ids):
        x = self.tokens(ids)
        T = ids.shape[1]
        weights = np.tri(T, dtype=np.float32) if self.causal else np.ones((T, T), np.float32)
        context = ml.tensor(weights / weights.sum(axis=1, keepdims=True)) @ x
        return self.out(F.relu(self.hidden(ml.concat([x, context], axis=-1))))


def network(kind=Network, **options):
    ml.manual_seed(1)
    return kind(**options)


def biased(value):
    model = network()
    with ml.no_grad():
        model.first.bias.copy_(np.full(24, value, np.float32))
    return model


def sure():
    model = network()
    with ml.no_grad():
        model.last.weight.copy_(100 * model.last.weight.numpy())
    return model


def over_rows(outputs, targets):
    return -ml.log_softmax(outputs, axis=0)[np.arange(len(targets)), targets].mean()


def twice(outputs, targets):
    return F.cross_entropy(F.softmax(outputs, axis=-1), targets)


def summed(outputs, targets):
    return mean_cross_entropy(outputs, targets) * len(targets)


def updated(loss=mean_cross_entropy, zero_grad=True, before=lambda x, y: (x, y), sign=1):
    def update(model, optimizer, x, y):
        if zero_grad:
            optimizer.zero_grad()
        x, y = before(x, y)
        (sign * loss(model(x), y)).backward()
        optimizer.step()

    return update


def no_step(model, optimizer, x, y):
    optimizer.zero_grad()
    mean_cross_entropy(model(x), y).backward()


def labels_from_elsewhere(x, y):
    return x, np.array([np.argmin(((CENTERS - row) ** 2).sum(axis=1)) for row in x])


class Broken(NamedTuple):
    name: str
    check: str
    options: dict[str, Any]


def case(name, check, **options):
    return Broken(name, check, options)


def rate(value, kind=optim.AdamW):
    return lambda model: kind(model.parameters(), lr=value)


READING = {"x": WALKS[:, :-2], "y": WALKS[:, 1:-1], "held_out": (MORE_WALKS[:, :-2], MORE_WALKS[:, 1:-1]), "causal": True,
           "baseline": 1.02 * TWO_STEPS, "steps": 200}  # fmt: skip
SHIFTED = {**READING, "y": WALKS[:, 2:], "held_out": (MORE_WALKS[:, :-2], MORE_WALKS[:, 2:])}
BROKEN = (
    case("softmax of the loss over the wrong axis", "loss at the start", loss=over_rows, update=updated(over_rows)),
    case("the loss is a sum", "loss at the start", loss=summed, update=updated(summed)),
    case("the last layer begins too large", "loss at the start", model=sure),
    case("softmax before the cross-entropy", "one batch by heart", loss=twice, update=updated(twice)),
    case("no step", "one batch by heart", update=no_step),
    case("a step uphill", "one batch by heart", update=updated(sign=-1)),
    case("the learning rate is 100, by heart", "one batch by heart", optimizer=rate(100.0)),
    case("the learning rate is 100", "learning rate", optimizer=rate(100.0)),
    case("the learning rate is 1e-9", "learning rate", optimizer=rate(1e-9)),
    case("no zero_grad", "gradients are right", update=updated(zero_grad=False)),
    case("the update uses another loss", "gradients are right", update=updated(lambda o, y: (o**2).mean())),
    case("a factor of a product is detached", "gradients are right", model=lambda: network(HalfCut)),
    case("a layer is detached", "gradients reach all", model=lambda: network(Cut)),
    case("a layer is not called", "gradients reach all", model=lambda: network(NotCalled)),
    case("dead units", "gradients reach all", model=lambda: biased(-10)),
    case("dead units, seen from outside", "answers depend on the input", model=lambda: biased(-10)),
    case("thirty layers without residual connections", "gradients reach all", model=lambda: network(Deep, residual=False)),
    case("the input is lost", "answers depend on the input", model=lambda: network(InputIsLost)),
    case("all inputs are the same", "answers depend on the input", x=np.ones_like(X)),
    case("dropout in evaluation", "answers depend on the input", model=lambda: network(DropsInEvaluation)),
    case("softmax over the batch", "examples apart", model=lambda: network(OverTheBatch)),
    case("the batch's mean is subtracted", "examples apart", model=lambda: network(MeanOfTheBatch)),
    case("no mask", "no look ahead", model=lambda: network(Reader, causal=False), **READING),
    case("classes from elsewhere", "shuffled labels", update=updated(before=labels_from_elsewhere)),
    case("inputs and classes shuffled apart", "beats the simple method", y=rng.permutation(Y)),
    case("targets are shifted twice", "beats the simple method", model=lambda: network(Reader), **SHIFTED),
)  # fmt: skip


def trial_of(broken):
    """The options of a `Trial` with the bug."""
    options = {
        "model": network,
        "x": X,
        "y": Y,
        "held_out": HELD_OUT,
        "optimizer": adamw,
        "steps": 100,
        **broken.options,
    }
    return {**options, "model": options["model"]()}
