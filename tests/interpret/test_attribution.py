"""Attributions against closed forms, and the deletion test against counting by hand."""

import itertools

import numpy as np
import pytest

import minilm as ml
from minilm.interpret import deletion, gradient_times_input, integrated_gradients, leave_one_out
from minilm.models import MLP

RNG = np.random.default_rng(0)
X, B = RNG.standard_normal((2, 3)), RNG.standard_normal((2, 3))


def mlp(x):
    ml.manual_seed(2)
    return MLP((6, 5, 1), "tanh").to("float64")(3.0 * x)[:, 0]


def value(f, x):
    return f(ml.tensor(np.asarray(x)[None])).numpy()[0]


def test_of_a_linear_function_all_rules_are_weight_times_difference():
    w = RNG.standard_normal((2, 3))
    f = lambda x: (x * ml.tensor(w)).sum(axis=(1, 2)) + 3.0  # noqa: E731
    for got in (integrated_gradients(f, X, B, steps=1), gradient_times_input(f, X, B)):
        np.testing.assert_allclose(got, w * (X - B))
    kept = lambda keep: np.where(keep, X[0], B[0]) @ w[0]  # noqa: E731
    np.testing.assert_allclose(leave_one_out(kept, 3), w[0] * (X - B)[0])


def test_of_a_quadratic_function_one_step_is_exact():
    a = RNG.standard_normal((6, 6))
    f = lambda x: ((x.reshape(-1, 6) @ ml.tensor(a)) * x.reshape(-1, 6)).sum(axis=1)  # noqa: E731
    gradient = (a + a.T) @ (X + B).reshape(-1) / 2
    np.testing.assert_allclose(integrated_gradients(f, X, B, steps=1).reshape(-1), (X - B).reshape(-1) * gradient)


def test_of_a_product_each_factor_has_its_share():
    """F = x y z from 0: the gradient grows with the square of alpha, and each factor has a third."""
    x = np.array([2.0, 3.0, 5.0])
    np.testing.assert_allclose(integrated_gradients(lambda x: x.prod(axis=1), x, steps=2000), 10, rtol=1e-6)
    np.testing.assert_allclose(gradient_times_input(lambda x: x.prod(axis=1), x), 30)


@pytest.mark.parametrize("baseline", [0.0, B])
def test_the_sum_is_the_difference(baseline):
    b = np.broadcast_to(baseline, X.shape)
    whole = value(mlp, X) - value(mlp, b)
    gaps = [abs(integrated_gradients(mlp, X, baseline, steps=n).sum() - whole) for n in (4, 16, 64)]
    assert gaps[0] > 10 * gaps[1] > 100 * gaps[2]  # 16 times less for 4 times as many steps
    assert gaps[2] < 1e-4 * abs(whole)
    assert abs(gradient_times_input(mlp, X, baseline).sum() - whole) > 0.01 * abs(whole)


def test_where_a_gradient_is_flat_it_says_nothing_and_its_integral_does():
    """F = 1 - relu(1 - x) is flat at 2: the example of the paper's section 2.1."""
    f = lambda x: 1.0 - (1.0 - x[:, 0]).relu()  # noqa: E731
    assert gradient_times_input(f, np.array([2.0])) == 0
    np.testing.assert_allclose(integrated_gradients(f, np.array([2.0]), steps=100), [1.0])


def test_what_goes_in_and_comes_out():
    f = lambda x: (x * x).sum(axis=1)  # noqa: E731
    assert integrated_gradients(f, np.array([1, 2])).dtype == np.float32  # integers become the default floats
    np.testing.assert_allclose(integrated_gradients(f, [1, 2]), [1, 4])
    assert integrated_gradients(f, X[0].astype("float32")).dtype == np.float32
    np.testing.assert_allclose(integrated_gradients(f, ml.tensor(X)[0], steps=2), X[0] ** 2)
    np.testing.assert_allclose(integrated_gradients(f, X[:, ::2][0]), X[0, ::2] ** 2)  # not contiguous
    with ml.no_grad():
        np.testing.assert_allclose(gradient_times_input(f, X[0]), 2 * X[0] ** 2)
    model = MLP((3, 1))
    integrated_gradients(lambda x: model(x)[:, 0], X[0].astype("float32"))
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps must be a positive integer, got 0"),
        ({"steps": True}, "steps must be a positive integer, got True"),
        ({"baseline": np.zeros(2)}, r"the baseline has shape \(2,\), the input \(2, 3\)"),
        ({"f": lambda x: x}, r"one number for each of the 4 points of a batch, shape \(4,\); got \(4, 2, 3\)"),
        ({"f": lambda x: x.sum()}, r"got \(\)\. Choose one output"),
        ({"f": lambda x: ml.tensor(np.ones(4))}, "F does not depend on its input"),
    ],
)
def test_what_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        integrated_gradients(**{"f": mlp, "x": X, "steps": 4, **options})


def table(keep):
    """A function of which parts are kept, with an interaction."""
    return keep @ np.array([1.0, -2.0, 4.0, 0.5]) + 3.0 * (keep[:, 0] & keep[:, 1])


def test_leave_one_out_by_hand():
    np.testing.assert_allclose(leave_one_out(table, 4), [4, 1, 4, 0.5])
    with pytest.raises(ValueError, match="at least one part, got 0"):
        leave_one_out(table, 0)
    with pytest.raises(ValueError, match=r"for each of the 5 rows, got shape \(\)"):
        leave_one_out(lambda keep: 1.0, 4)


def test_deletion_takes_the_highest_first():
    np.testing.assert_allclose(deletion(table, [4, 1, 4, 0.5], 3), [4, 8, 6])
    np.testing.assert_allclose(deletion(table, [0, 1, 2, 3], 6), [0.5, 4.5, 5.5, 6.5, 6.5, 6.5])  # nothing more to take
    np.testing.assert_allclose(
        deletion(table, [1, 0, 2, -1], 3), [4, 8, 6]
    )  # first the third, then the first, the second
    best = max(deletion(table, order, 1)[0] for order in itertools.permutations(range(4)))
    assert deletion(table, leave_one_out(table, 4), 1)[0] == best
    assert deletion(lambda keep: ml.tensor(table(keep)), [4, 1, 4, 0.5], 1) == 4


@pytest.mark.parametrize("scores", [[], [[1.0]], [1.0, np.nan]])
def test_deletion_refuses_what_is_no_order(scores):
    with pytest.raises(ValueError, match="a score for each part, without NaN"):
        deletion(table, scores, 1)
    with pytest.raises(ValueError, match="most=0"):
        deletion(table, [1.0], 0)
