"""What the experiments of 9.1 and 9.2 are made of: models that stand in for attention, schedules, and the choice of a rate."""

import numpy as np
import pytest

import minilm as ml
from minilm.nn import Linear
from minilm.optim import SGD
from tests.experiments.optimizing import BLOCK, WINDOW, Mean, model_of, scheduled
from tests.experiments.recipe import Recipe, tuned

VOCABULARY = 103


def test_a_mean_over_all_positions_so_far():
    x = np.random.default_rng(0).standard_normal((2, 5, 4)).astype(np.float32)
    mean = Mean(4)
    means = np.stack([x[:, : t + 1].mean(axis=1) for t in range(5)], axis=1)
    expected = mean.c_proj(mean.value(ml.tensor(means))).numpy()
    np.testing.assert_allclose(mean(ml.tensor(x)).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["attention", "mean", "none", "window"])
def test_no_model_looks_ahead(kind):
    ids, targets = np.random.default_rng(1).integers(0, VOCABULARY, (2, 1, BLOCK))
    model = model_of(kind, VOCABULARY, np.random.default_rng(0)).eval()
    other = ids.copy()
    other[:, -1] = (other[:, -1] + 1) % VOCABULARY
    for end, same in ((BLOCK - 1, True), (BLOCK, False)):
        a, b = (model.loss(x[:, :end], targets[:, :end]).item() for x in (ids, other))
        assert (a == b) == same


def test_how_far_each_model_sees():
    """The window sees 8 characters; a model with nothing in attention's place sees one."""
    rng = np.random.default_rng(2)
    ids, targets = rng.integers(0, VOCABULARY, (2, 1, BLOCK))
    for kind, far in (("none", 1), ("window", WINDOW)):
        model = model_of(kind, VOCABULARY, np.random.default_rng(0)).eval()

        def last(x, model=model):
            whole, before = (model.loss(x[:, :n], targets[:, :n]).item() * n for n in (BLOCK, BLOCK - 1))
            return whole - before

        for back, seen in ((far - 1, True), (far, False)):
            other = ids.copy()
            other[:, BLOCK - 1 - back] = (other[:, BLOCK - 1 - back] + 1) % VOCABULARY
            assert (abs(last(other) - last(ids)) > 1e-3) == seen, (kind, back)


def test_the_window_has_as_many_weights():
    whole, window = (
        sum(p.size for p in model_of(kind, VOCABULARY, np.random.default_rng(0)).parameters())
        for kind in ("attention", "window")
    )
    assert window == pytest.approx(whole, rel=0.02)


@pytest.mark.parametrize(
    ("name", "rates"),
    [
        ("constant", (1.0, 1.0, 1.0)),
        ("exponential", (1.0, 0.1**0.5, 0.1)),
        ("cosine", (1.0, 0.55, 0.1)),
        ("warm-up, then cosine", (1 / 5, 0.1 + 0.45 * (1 + np.cos(np.pi * 16 / 36)), 0.1)),
    ],
)
def test_schedules_at_the_beginning_in_the_middle_and_at_the_end(name, rates):
    optimizer = SGD(Linear(1, 1).parameters(), lr=1.0)
    schedule = scheduled(name, 40)(optimizer)
    found = []
    for _ in range(41):
        found.append(optimizer.param_groups[0]["lr"])
        schedule.step()
    assert [found[0], found[20], found[40]] == pytest.approx(rates)


def test_a_rate_at_the_edge_is_not_the_last_word():
    seen = []

    def loss(rate):
        seen.append(rate)
        return abs(np.log(rate / 0.09))

    assert tuned(loss, (0.003, 0.01, 0.03)) == pytest.approx(0.09)
    assert max(seen) == pytest.approx(0.27)
    assert tuned(lambda rate: -rate if rate < 0.02 else 9.0, (0.003, 0.01, 0.03)) == 0.01
    assert Recipe().optimizer == "adamw"
