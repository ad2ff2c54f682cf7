"""Stopping early gives what running everything and choosing afterwards gives, and runs less."""

import numpy as np
import pytest

import minilm as ml
from minilm import nn
from minilm.gradcheck import gradcheck
from minilm.models.early_exit import EarlyExitMLP
from minilm.nn import functional as F


def model(dtype="float64", widths=(6, 5, 4), seed=0):
    ml.manual_seed(seed)
    made = EarlyExitMLP(3, widths, 4).to(dtype)
    with ml.no_grad():
        for p in made.parameters():
            p.copy_(ml.tensor(np.random.default_rng(p.size).standard_normal(p.shape), dtype=dtype))
    return made


def images(n=40, dtype="float64"):
    return ml.Tensor(np.random.default_rng(1).standard_normal((n, 3)).astype(dtype))


@pytest.mark.parametrize("threshold", [0.0, 0.5, 0.7, 0.95, 2.0])
def test_the_first_head_that_is_sure_answers(threshold):
    net, x = model(), images()
    p = np.array([F.softmax(logits).numpy() for logits in net(x)])  # [heads, B, C]
    sure = p.max(axis=2) >= threshold
    sure[-1] = True
    first = sure.argmax(axis=0)
    found = net.decide(x, threshold)
    assert found.blocks.tolist() == (first + 1).tolist()
    assert found.classes.tolist() == p[first, np.arange(40)].argmax(axis=1).tolist()


class Counted(nn.Module):
    """A block that notes for how many inputs it runs."""

    def __init__(self, block, seen):
        super().__init__()
        self.block, self.seen = block, seen

    def forward(self, x):
        self.seen.append(len(x))
        return self.block(x)


def test_a_block_runs_only_for_those_who_need_it():
    net, seen = model(), []
    net.blocks = nn.ModuleList([Counted(block, seen) for block in net.blocks])
    blocks = net.decide(images(), 0.9).blocks
    assert seen == [int((blocks > k).sum()) for k in range(3)]
    assert len(set(blocks.tolist())) == 3


def test_the_loss_is_the_mean_of_the_heads():
    net, x, classes = model(), images(8), np.arange(8) % 4
    expected = np.mean([F.cross_entropy(logits, ml.tensor(classes)).item() for logits in net(x)])
    np.testing.assert_allclose(net.loss(x, classes).item(), expected, rtol=1e-12)
    gradcheck(lambda *_: net.loss(x, classes), *net.parameters(), directions=2)


def test_costs_are_multiplications_up_to_each_head():
    assert model().costs().tolist() == [3 * 6 + 6 * 4, 3 * 6 + 6 * 4 + 6 * 5 + 5 * 4, 18 + 24 + 30 + 20 + 20 + 16]


def test_edges():
    assert model().decide(images(0), 0.5).classes.tolist() == []
    assert len(model().decide(images(1), 0.5).classes) == 1
    x = ml.Tensor(np.full((1, 3), np.nan, np.float32))
    assert model("float32").decide(x, 0.5).blocks.tolist() == [3]  # of a NaN no head is sure
    assert model("float32").decide(images(2, "float32").reshape(2, 1, 3), 0.5).classes.shape == (2,)
    with pytest.raises(ValueError, match="needs a hidden layer"):
        EarlyExitMLP(3, (), 4)
