"""Gradient clipping: one factor for all gradients, or a limit for each element."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minilm as ml
from minilm.optim import clip_grad_norm_, clip_grad_value_
from tests.backend import pretend


def with_grads(device, *grads, dtype=np.float32):
    params = []
    for g in grads:
        g = np.asarray(g, dtype)
        params.append(ml.Tensor(np.zeros_like(g), True, device=device))
        params[-1].grad = ml.Tensor(g.copy(), device=device)
    return params


def grads_of(params):
    return [p.grad.numpy() for p in params]


def test_norm_by_hand(device):
    params = with_grads(device, [3.0], [[4.0, 12.0]])
    norm = clip_grad_norm_(params, 6.5)
    assert isinstance(norm, ml.Tensor)
    assert norm.shape == ()
    assert norm.dtype == np.float32
    assert norm.device is device
    assert norm.item() == 13.0
    np.testing.assert_allclose(grads_of(params)[0], [1.5], rtol=1e-6)
    np.testing.assert_allclose(grads_of(params)[1], [[2.0, 6.0]], rtol=1e-6)


def test_largest_magnitude_by_hand(device):
    params = with_grads(device, [3.0, -8.0], [4.0])
    assert clip_grad_norm_(params, 2.0, math.inf).item() == 8.0
    np.testing.assert_allclose(grads_of(params)[0], [0.75, -2.0], rtol=1e-6)
    np.testing.assert_allclose(grads_of(params)[1], [1.0], rtol=1e-6)


@pytest.mark.parametrize("limit", [13.1, 1e9, math.inf])
@pytest.mark.parametrize("norm_type", [2, 2.0, math.inf])
def test_short_gradients_stay_to_the_bit(limit, norm_type, device):
    params = with_grads(device, [3.0], [4.0, 12.0])
    clip_grad_norm_(params, limit, norm_type)
    np.testing.assert_array_equal(np.concatenate(grads_of(params)), np.float32([3, 4, 12]))


@given(
    sizes=st.lists(st.integers(0, 30), min_size=1, max_size=4),
    limit=st.floats(0.01, 50.0),
    norm_type=st.sampled_from([2.0, math.inf]),
    seed=st.integers(0, 99),
)
def test_direction_stays_and_the_norm_is_the_limit(device, sizes, limit, norm_type, seed):
    rng = np.random.default_rng(seed)
    before = [rng.standard_normal(n) for n in sizes]
    params = with_grads(device, *before, dtype=np.float64)
    norm = clip_grad_norm_(params, limit, norm_type).item()
    flat, after = np.concatenate(before), np.concatenate(grads_of(params))
    assert norm == pytest.approx(np.linalg.norm(flat, norm_type) if flat.size else 0.0, rel=1e-12)
    assert (np.linalg.norm(after, norm_type) if flat.size else 0.0) <= limit
    np.testing.assert_allclose(after, flat * min(1.0, limit / (norm + 1e-6)), rtol=1e-12)


def test_value(device):
    params = with_grads(device, [-3.0, 0.5], [[2.0]])
    clip_grad_value_(params, 1.0)
    np.testing.assert_array_equal(grads_of(params)[0], [-1.0, 0.5])
    np.testing.assert_array_equal(grads_of(params)[1], [[1.0]])
    clip_grad_value_(params[0], 0.25)
    np.testing.assert_array_equal(grads_of(params)[0], [-0.25, 0.25])


@pytest.mark.parametrize("clip", [lambda ps: clip_grad_norm_(ps, 1.0), lambda ps: clip_grad_value_(ps, 1.0)])
def test_parameters_that_are_none_are_an_error(clip, device):
    params = (p for p in with_grads(device, [3.0, 4.0]))
    clip(params)
    for empty in (params, [], (), iter([])):
        with pytest.raises(ValueError, match=r"^clip_grad_\w+ got no parameters. A generator is used up once read"):
            clip(empty)
    for wrong in ([None], ["a"], [np.ones(2)], [*with_grads(device, [1.0]), ("name", 1)], "ab"):
        with pytest.raises(TypeError, match=r"^clip_grad_\w+: parameter \d is a \w+, expected a Tensor"):
            clip(wrong)


def test_a_parameter_that_comes_twice_counts_once(device):
    (p,) = with_grads(device, [3.0, 4.0])
    assert clip_grad_norm_([p, p], 1.0).item() == 5.0
    np.testing.assert_allclose(p.grad.numpy(), [0.6, 0.8], rtol=1e-5)


def test_parameters_without_gradient_are_passed_over(device):
    p, q = with_grads(device, [3.0, 4.0], [1.0])
    q.grad = None
    assert clip_grad_norm_([q, p], 1.0).item() == 5.0
    assert clip_grad_norm_(p, 1.0).item() == pytest.approx(1.0)
    clip_grad_value_([q, p], 0.1)
    assert q.grad is None
    assert clip_grad_norm_([q], 1.0).item() == 0.0
    assert clip_grad_norm_((p for p in [p]), 1.0).item() > 0.0


def test_non_contiguous_gradient(device):
    p = ml.Tensor(np.zeros((3, 2)), True, device=device)
    p.grad = ml.Tensor(np.arange(6.0).reshape(2, 3), device=device).T.detach()
    assert clip_grad_norm_(p, 1.0).item() == pytest.approx(math.sqrt(55.0))
    np.testing.assert_allclose(p.grad.numpy(), np.arange(6.0).reshape(2, 3).T / math.sqrt(55.0), rtol=1e-6)


def test_nan_shows_in_the_norm(device):
    assert math.isnan(clip_grad_norm_(with_grads(device, [1.0], [math.nan]), 1.0).item())
    assert math.isnan(clip_grad_norm_(with_grads(device, [1.0], [math.nan]), 1.0, math.inf).item())


def test_clipping_makes_graphs_over_the_gradient_stale(device):
    p = ml.Tensor(np.array([2.0, 3.0]), True, device=device)
    (p**3).sum().backward(create_graph=True)
    penalty = (p.grad**2).sum()
    with ml.no_grad():
        clip_grad_norm_(p, 0.1)
    with pytest.raises(RuntimeError, match="modified in place"):
        penalty.backward()


@pytest.mark.parametrize("limit", [-1.0, math.nan, "1", None, True])
def test_limits_out_of_range(limit, device):
    params = with_grads(device, [1.0])
    with pytest.raises(ValueError, match="max_norm must be a number >= 0"):
        clip_grad_norm_(params, limit)
    with pytest.raises(ValueError, match="clip_value must be a number >= 0"):
        clip_grad_value_(params, limit)


@pytest.mark.parametrize("norm_type", [0, 1, 3, -math.inf, math.nan])
def test_other_norms_are_refused(norm_type, device):
    with pytest.raises(ValueError, match="norm_type must be 2 or infinity"):
        clip_grad_norm_(with_grads(device, [1.0]), 1.0, norm_type)


@pytest.mark.host
@pytest.mark.parametrize("norm_type", [2, math.inf])
def test_gradients_of_two_dtypes_keep_them(norm_type):
    """Also on a GPU, where gradients of one dtype are joined."""
    device = pretend.device()
    params = with_grads(device, [3.0]) + with_grads(device, [4.0], dtype=np.float64)
    clip_grad_norm_(params, 1.0, norm_type)
    assert [p.grad.dtype for p in params] == [np.float32, np.float64]
    factor = 1 / (5 if norm_type == 2 else 4)
    np.testing.assert_allclose(np.concatenate(grads_of(params)), [3 * factor, 4 * factor], rtol=1e-5)


def test_gradients_in_float16_have_a_norm(device):
    """Their squares are added in float32: that of 300 is beyond float16."""
    p = ml.Tensor(np.zeros(4, np.float16), True, device=device)
    p.grad = ml.Tensor(np.full(4, 300.0, np.float16), device=device)
    assert clip_grad_norm_([p], 300.0).item() == 600.0
    np.testing.assert_allclose(p.grad.numpy(), 150.0, rtol=2e-3)
