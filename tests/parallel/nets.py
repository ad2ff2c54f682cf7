"""Models that other processes can import, and what their gradients must be."""

import os
import sys
import time

import numpy as np

import minilm as ml
from minilm import nn
from minilm.nn import functional as F


class Net(nn.Module):
    """Two layers of which one is used twice, dropout, a frozen parameter and one that is not used."""

    def __init__(self, p=0.0):
        super().__init__()
        self.inner, self.outer = nn.Linear(4, 4), nn.Linear(4, 3)
        self.tied, self.drop = self.inner, nn.Dropout(p)
        self.frozen = nn.Parameter(np.full(4, 2.0, np.float32), requires_grad=False)
        self.unused = nn.Parameter(np.ones(2, np.float32))

    def loss(self, x, target):
        if float(np.max(x)) > 1e6:
            raise OverflowError("too large for this model")
        print("models may print")
        x = ml.tensor(x) * self.frozen
        return F.cross_entropy(self.outer(self.drop(self.tied(self.inner(x).tanh()))), ml.tensor(target))


class Slow(Net):
    """Takes a second a part."""

    def loss(self, x, target):
        time.sleep(1)
        return super().loss(x, target)


def batch(rows, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((rows, 4)).astype(np.float32), rng.integers(0, 3, rows)


def net(p=0.0):
    ml.manual_seed(1)
    return Net(p)


def gradients(model):
    return {name: None if p.grad is None else p.grad.numpy() for name, p in model.named_parameters()}


def assert_equal_gradients(a, b):
    assert a.keys() == b.keys()
    for name, g in a.items():
        if g is None:
            assert b[name] is None, name
        else:
            np.testing.assert_allclose(b[name], g, atol=1e-6, err_msg=name)


def children_path():
    return {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
