"""Positions: the formulas, and what makes each of them useful."""

import numpy as np
import pytest

import minilm as ml
from minilm import nn


def draw(*shape, device=None, seed=0):
    return ml.Tensor(np.random.default_rng(seed).standard_normal(shape), device=device)


def test_sinusoids_are_the_papers(device):
    table = nn.SinusoidalPositions(50, 6).to(device)(ml.zeros(50, 6, device=device)).numpy()
    for t, i in [(0, 0), (7, 0), (31, 1), (49, 2)]:
        angle = t / 10000 ** (2 * i / 6)
        assert table[t, 2 * i] == pytest.approx(np.sin(angle), abs=1e-5)
        assert table[t, 2 * i + 1] == pytest.approx(np.cos(angle), abs=1e-5)


def test_a_table_that_can_be_computed_is_not_saved():
    assert nn.SinusoidalPositions(5, 4).state_dict() == {}
    assert nn.RotaryPositions(4).state_dict() == {}
    assert list(nn.LearnedPositions(5, 4).state_dict()) == ["weight"]


@pytest.mark.parametrize(
    "make", [nn.SinusoidalPositions, nn.LearnedPositions, lambda length, width: nn.RotaryPositions(width)]
)
def test_start_continues_a_sequence(make, device):
    layer, x = make(9, 4).to(device).to("float64"), draw(2, 9, 4, device=device)
    np.testing.assert_allclose(layer(x[:, 6:], start=6).numpy(), layer(x).numpy()[:, 6:], rtol=1e-12)


def test_rotary_scores_depend_on_the_distance_alone(device):
    layer, q, k = nn.RotaryPositions(8).to(device), draw(1, 8, device=device), draw(1, 8, device=device, seed=1)
    scores = [float((layer(q, start=s) * layer(k, start=s + 3)).sum()) for s in (0, 1, 20, 500)]
    np.testing.assert_allclose(scores, scores[0], rtol=1e-10)
    assert float((layer(q, start=0) * layer(k, start=4)).sum()) != pytest.approx(scores[0])


def test_rotary_turns_neighbours_and_keeps_lengths():
    layer, x = nn.RotaryPositions(4, base=100.0), ml.tensor([[1.0, 0.0, 0.0, 2.0]], dtype="float64")
    assert layer(x).tolist() == x.tolist()
    y = layer(x, start=3).numpy()[0]
    np.testing.assert_allclose(y, [np.cos(3), np.sin(3), -2 * np.sin(0.3), 2 * np.cos(0.3)], rtol=1e-12)


def test_rotary_tables_grow_and_follow_dtype_and_device(device):
    layer = nn.RotaryPositions(4)
    a = layer(ml.ones(2, 4, device=device))
    b = layer(ml.ones(2, 4, dtype="float64", device=device), start=1000)
    assert a.dtype == np.float32
    assert b.dtype == np.float64
    assert b.device is device
    np.testing.assert_allclose(layer(ml.ones(2, 4, device=device)).numpy(), a.numpy())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.SinusoidalPositions(5, 3), "width must be even"),
        (lambda: nn.RotaryPositions(3), "width must be even"),
        (lambda: nn.SinusoidalPositions(5, 4)(ml.zeros(6, 4)), r"positions 0 to 4; 0 to 5 were asked for"),
        (
            lambda: nn.LearnedPositions(5, 4)(ml.zeros(2, 4), start=4),
            r"LearnedPositions\(max_length=5, width=4\).* 4 to 5 were",
        ),
        (lambda: nn.LearnedPositions(5, 4)(ml.zeros(2, 4), start=-1), "-1 to 0 were"),
        (lambda: nn.LearnedPositions(5, 4)(ml.zeros(2, 1)), r"\(\.\.\., length, 4\), got \(2, 1\)"),
        (lambda: nn.RotaryPositions(4)(ml.zeros(4)), r"got \(4,\)"),
    ],
)
def test_bad_arguments_are_told(call, message):
    with pytest.raises(ValueError, match=message):
        call()
