"""Chapter 8's model solutions against the engine and the metrics."""

import numpy as np
import pytest

import minilm as ml
from minilm.exercises import tasks
from minilm.exercises.code import solution_of
from minilm.metrics import true_positive_rate_at
from minilm.models.mlp import MLP
from minilm.nn import functional as F
from minilm.privacy import gradients_by_example, private_gradients


def test_a_private_step_is_the_engines():
    ml.manual_seed(0)
    model, rng = MLP((3, 4, 2)).to("float64"), np.random.default_rng(0)
    x, y = 3 * rng.standard_normal((6, 3)), rng.integers(0, 2, 6)

    def losses(x, y):
        return F.cross_entropy(model(ml.tensor(x)), y, reduction="none")

    rows = list(gradients_by_example(model, losses, x, y).values())
    z = [np.random.default_rng(5)] * len(rows)
    z = [draw.standard_normal(g.shape[1:]) for draw, g in zip(z, rows, strict=True)]
    private_gradients(model, losses, x, y, clip=0.8, noise=1.3, expected=7, rng=np.random.default_rng(5))
    for found, p in zip(solution_of(tasks.find("8.7"))(rows, 0.8, 1.3, 7, z), model.parameters(), strict=True):
        np.testing.assert_allclose(found, p.grad.data, rtol=1e-10)


@pytest.mark.parametrize("digits", [0, 1, 8])
@pytest.mark.parametrize("rate", [0.0, 0.07, 0.5, 1.0])
def test_members_found_are_the_rate_at_a_rate(digits, rate):
    rng = np.random.default_rng(digits)
    members, others = rng.gamma(1, 1, 90).round(digits), rng.gamma(1, 2, 100).round(digits)
    score = true_positive_rate_at([1] * 90 + [0] * 100, -np.concatenate([members, others]), rate)
    assert solution_of(tasks.find("8.8"))(members, others, rate) == pytest.approx(score.value)
