"""Adam and AdamW: the rule by hand, the array kernel against the textbook's formulas, and its blocks."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minilm as ml
from minilm.backend import to_device, to_host
from minilm.optim import Adam, AdamW


def one(device, value=1.0):
    return ml.Tensor(np.array([value]), True, device=device)


def step(p, optimizer, g):
    p.grad = ml.Tensor(np.array([float(g)]), device=p.device)
    optimizer.step()
    return p.item()


def test_two_steps(device):
    p = one(device)
    optimizer = Adam([p], lr=0.5, betas=(0.5, 0.75), eps=1.0)
    # m = 2, v = 4; divided by 0.5 and 0.25: 4 / (4 + 1)
    assert step(p, optimizer, 4) == pytest.approx(1.0 - 0.5 * 4 / 5, rel=1e-14)
    # m = 1 + 4 = 5, v = 3 + 16 = 19; divided by 0.75 and 0.4375
    assert step(p, optimizer, 8) == pytest.approx(0.6 - 0.5 * (5 / 0.75) / (math.sqrt(19 / 0.4375) + 1.0), rel=1e-14)


@pytest.mark.parametrize("g", [1e-4, -3.0, 1e4])
@pytest.mark.parametrize("cls", [Adam, AdamW])
def test_the_first_step_is_lr_long_whatever_the_gradient(cls, g, device):
    """Without the bias correction it would be (1 - beta1) / sqrt(1 - beta2) = 3.2 times as long."""
    p = one(device, 0.0)
    assert step(p, cls([p], lr=0.01), g) == pytest.approx(-math.copysign(0.01, g), rel=1e-3)


def test_adamw_shrinks_parameters_apart_from_their_gradient(device):
    p = one(device, 2.0)
    optimizer = AdamW([p], lr=0.5, weight_decay=0.25)
    assert step(p, optimizer, 0) == 2.0 * (1 - 0.5 * 0.25)
    q = one(device, 2.0)
    coupled = Adam([q], lr=0.5, weight_decay=0.25)
    assert step(q, coupled, 0) == pytest.approx(1.5)  # a whole step of lr: the decay's size is divided away


def test_amsgrad_remembers_the_largest_denominator(device):
    after = {}
    for amsgrad in (False, True):
        p = one(device, 0.0)
        optimizer = Adam([p], lr=0.1, betas=(0.0, 0.5), amsgrad=amsgrad)
        step(p, optimizer, 100)
        for _ in range(20):
            before = p.item()
            step(p, optimizer, 1)
        after[amsgrad] = before - p.item()
    assert after[False] == pytest.approx(0.1, rel=1e-2)
    assert after[True] == pytest.approx(0.1 / math.sqrt(5000), rel=1e-2)


def textbook(p, g, m, v, v_max, step, lr, betas, eps, weight_decay):
    """Loshchilov & Hutter 2019, algorithm 2, line by line, in float64."""
    p, g, m, v = (x.astype(np.float64) for x in (p, g, m, v))
    m = betas[0] * m + (1 - betas[0]) * g
    v = betas[1] * v + (1 - betas[1]) * g**2
    v_max = v if v_max is None else np.maximum(v_max, v)
    m_hat, v_hat = m / (1 - betas[0] ** step), v_max / (1 - betas[1] ** step)
    return p - lr * (m_hat / (np.sqrt(v_hat) + eps) + weight_decay * p), m, v, v_max


@given(
    shape=st.lists(st.integers(0, 9), max_size=3).map(tuple),
    block=st.integers(1, 40),
    step=st.integers(1, 10_000),
    amsgrad=st.booleans(),
    order=st.sampled_from("CF"),
    weight_decay=st.sampled_from([0.0, 0.1]),
    eps=st.sampled_from([1e-8, 1e-3, 1.0]),
    seed=st.integers(0, 1000),
)
def test_kernel_equals_the_textbook_in_any_blocks(device, shape, block, step, amsgrad, order, weight_decay, eps, seed):
    rng = np.random.default_rng(seed)
    p, g, m = (np.asarray(rng.standard_normal(shape), np.float32, order=order) for _ in range(3))
    v, v_max = (np.asarray(rng.random(shape), np.float32, order=order) for _ in range(2))
    options = {"step": step, "lr": 0.1, "betas": (0.9, 0.99), "eps": eps, "weight_decay": weight_decay}
    expected = textbook(p, g, m, v, v_max if amsgrad else None, **options)
    arrays = [to_device(x.copy(order="K"), device) for x in (p, g, m, v, v_max)]
    before = type(device).block_size
    try:
        type(device).block_size = block
        device.adamw(*arrays[:4], arrays[4] if amsgrad else None, **options)
    finally:
        type(device).block_size = before
    got = [to_host(x) for x in arrays]
    np.testing.assert_array_equal(got[1], g)
    for x, y in zip([got[0], *got[2:]] if amsgrad else [got[0], *got[2:4]], expected, strict=False):
        assert x.dtype == np.float32
        np.testing.assert_allclose(x, y, rtol=1e-5, atol=2e-6)


@pytest.mark.fast
@given(shape=st.lists(st.integers(0, 7), max_size=3).map(tuple), block=st.integers(1, 50))
def test_blocks_are_views_of_every_element_once(device, shape, block):
    a, b = (to_device(np.zeros(shape), device) for _ in range(2))
    before = type(device).block_size
    try:
        type(device).block_size = block
        for x, y in device.blocks(a, b):
            assert x.shape == y.shape
            assert x.size <= block
            x += 1.0
            y += 2.0
    finally:
        type(device).block_size = before
    assert (to_host(a) == 1.0).all()
    assert (to_host(b) == 2.0).all()
