"""What chapter 2 and appendix C run of optimizers."""

import numpy as np
import pytest

import minilm as ml
from minilm.book import optimizers


def sgd(parameters):
    return ml.optim.SGD(parameters, lr=0.1)


def test_after_takes_one_step_per_gradient_and_leaves_the_parameter():
    p, g = ml.tensor([1.0, 2.0]), ml.tensor([1.0, -1.0])
    end = optimizers.after(sgd, p, g, 2 * g)
    assert np.allclose(end.numpy(), [0.7, 2.3])
    assert p.tolist() == [1.0, 2.0]


def test_descend_shrinks_a_bowl_by_the_factor_of_its_curvature():
    end = optimizers.descend(sgd, lambda q: 0.5 * (q * q * ml.tensor([1.0, 4.0])).sum(), ml.tensor([1.0, 1.0]), 3)
    assert np.allclose(end.numpy(), [0.9**3, 0.6**3])


def test_steps_needed_is_what_the_factor_says():
    # a factor of 1/2 per step: 2^-10 is the first below 1/1000
    assert optimizers.steps_needed([1.0, 1.0], 0.5, 0.0) == 10
    assert optimizers.steps_needed([1.0], 3.0, 0.0, limit=50) == 50


@pytest.mark.parametrize("name", optimizers.SURFACES)
def test_a_surface_has_its_minimum_where_it_says_so(name):
    surface = optimizers.SURFACES[name]
    at = ml.tensor(list(surface.minimum), requires_grad=True)
    surface.function(at[0], at[1]).backward()
    assert np.allclose(at.grad.numpy(), 0, atol=1e-9)
    lowest = surface.function(*surface.minimum)
    nearby = np.array(surface.minimum) + 0.05 * np.random.default_rng(0).normal(size=(100, 2))
    assert (surface.function(*nearby.T) >= lowest).all()
    x0, x1, y0, y1 = surface.window
    for x, y in (surface.start, surface.minimum):
        assert x0 <= x <= x1
        assert y0 <= y <= y1


def test_a_turned_bowl_is_the_bowl_turned():
    bowl, turned = optimizers.SURFACES["bowl"], optimizers.SURFACES["turned bowl"]
    root = 0.5**0.5
    x, y = turned.start
    assert np.allclose([(x + y) * root, (y - x) * root], bowl.start)
    assert turned.function(x, y) == pytest.approx(bowl.function(*bowl.start))


def test_a_race_runs_each_rate_as_if_it_ran_alone():
    surface = optimizers.SURFACES["bowl"]
    together = optimizers.race(surface, ml.optim.Adam, [0.01, 0.1], steps=5)
    alone = optimizers.race(surface, ml.optim.Adam, [0.1], steps=5)
    assert together.shape == (6, 2, 2)
    assert np.allclose(together[:, 1], alone[:, 0])


def test_the_best_rate_arrives_first_and_stays():
    path = np.ones((5, 3, 2))
    path[2:, 0] = 0  # there from step 2 on
    path[1, 1] = 0  # there at step 1, and gone again
    path[3:, 2] = np.nan  # overflown
    found = optimizers.best_rate(path, (0.0, 0.0))
    assert (found.rate, found.steps) == (0, 2)
    assert found.distances.shape == (5,)
    nobody = optimizers.best_rate(path[:, 1:], (0.0, 0.0))
    assert (nobody.rate, nobody.steps) == (0, None)
