"""New tensors: constants, ranges and random numbers."""

import math

import numpy as np
import pytest

import minilm as ml


def test_constants():
    for made in (ml.zeros(2, 3), ml.zeros((2, 3)), ml.zeros([2, 3]), ml.ones((2, 3)) * 0.0, ml.full((2, 3), 0.0)):
        assert made.tolist() == [[0.0] * 3] * 2
        assert made.dtype == np.float32
    assert (ml.zeros(()).shape, ml.zeros().shape, ml.zeros(0).shape, ml.empty((2, 0)).shape) == ((), (), (0,), (2, 0))
    assert [ml.full((1,), value).dtype.name for value in (1, 1.0, True, np.float64(1.0))] == [
        "int64",
        "float32",
        "bool",
        "float32",
    ]
    assert ml.full(2, 7, dtype="uint8").tolist() == [7, 7]
    assert ml.eye(2, 3).tolist() == [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    assert ml.ones(2, requires_grad=True).requires_grad
    assert ml.full((2,), 1.0, requires_grad=True).requires_grad


def test_like_another():
    x = ml.tensor([[1, 2]])
    for made, number in ((ml.zeros_like(x), 0), (ml.ones_like(x), 1), (ml.full_like(x, 5), 5)):
        assert made.tolist() == [[number, number]]
        assert made.dtype == np.int64
    assert ml.empty_like(x).shape == (1, 2)
    assert ml.ones_like(x, dtype="float64").dtype == np.float64
    assert ml.rand_like(x.float()).shape == ml.randn_like(x.double()).shape == (1, 2)
    assert ml.randn_like(x.double()).dtype == np.float64
    assert x.new_zeros(3).dtype == x.new_ones((3,)).dtype == x.new_full((2,), 4).dtype == np.int64


def test_ranges():
    np.testing.assert_allclose(ml.linspace(0.0, 1.0, 5).numpy(), [0.0, 0.25, 0.5, 0.75, 1.0])
    np.testing.assert_allclose(ml.logspace(0, 2, 3).numpy(), [1.0, 10.0, 100.0])
    assert ml.arange(3).tolist() == [0, 1, 2]
    a, b = ml.meshgrid(ml.arange(2), ml.arange(3))
    assert (a.tolist(), b.tolist()) == ([[0, 0, 0], [1, 1, 1]], [[0, 1, 2], [0, 1, 2]])
    assert ml.tril_indices(2).tolist() == [[0, 1, 1], [0, 0, 1]]
    assert ml.triu_indices(2, 3, 1).tolist() == [[0, 0, 1], [1, 2, 2]]


def test_from_elsewhere():
    a = np.ones(2)
    shared = ml.from_numpy(a)
    assert ml.as_tensor(shared) is shared
    assert ml.as_tensor([1, 2]).dtype == np.int64
    assert ml.as_tensor(shared, dtype="float32").dtype == np.float32
    assert ml.is_tensor(shared)
    assert not ml.is_tensor(a)
    with pytest.raises(TypeError, match="from_numpy: expected a NumPy array, got list"):
        ml.from_numpy([1.0])


DRAWS = {
    "rand": lambda: ml.rand(2, 500),
    "randn": lambda: ml.randn((2, 500)),
    "randint": lambda: ml.randint(3, 9, (1000,)),
    "randperm": lambda: ml.randperm(50),
    "normal": lambda: ml.normal(1.0, 2.0, (1000,)),
    "bernoulli": lambda: ml.bernoulli(ml.full((1000,), 0.25)),
    "multinomial": lambda: ml.multinomial(ml.tensor([[1.0, 0.0, 3.0]] * 2), 500, replacement=True),
}


@pytest.mark.parametrize("name", DRAWS)
def test_a_seed_fixes_what_is_drawn(name):
    ml.manual_seed(7)
    first, second = DRAWS[name]().tolist(), DRAWS[name]().tolist()
    ml.manual_seed(7)
    assert DRAWS[name]().tolist() == first
    assert second != first


def test_distributions():
    ml.manual_seed(0)
    u, n = ml.rand(2, 5000), ml.randn(2, 5000)
    assert (u.dtype, n.dtype) == (np.float32, np.float32)
    assert 0.0 <= u.min().item() < 0.01 < 0.99 < u.max().item() < 1.0
    assert u.mean().item() == pytest.approx(0.5, abs=0.02)
    assert (n.mean().item(), n.std().item()) == (pytest.approx(0.0, abs=0.05), pytest.approx(1.0, abs=0.05))
    k = ml.randint(3, 9, (2, 1000))
    assert (k.min().item(), k.max().item(), k.dtype) == (3, 8, np.int64)
    assert ml.randperm(20).sort().values.tolist() == list(range(20))
    assert ml.bernoulli(ml.full((10000,), 0.25)).mean().item() == pytest.approx(0.25, abs=0.02)
    drawn = ml.multinomial(ml.tensor([1.0, 0.0, 3.0]), 10000, replacement=True)
    assert (drawn == 1).any().item() is False
    assert (drawn == 2).float().mean().item() == pytest.approx(0.75, abs=0.02)
    assert ml.multinomial(ml.tensor([1.0, 0.0, 3.0]), 2).sort().values.tolist() == [0, 2]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_an_even_draw_is_never_one(dtype):
    """Of 300,000 numbers rounded to float16 about 73 would be 1."""
    u = ml.rand(300_000, dtype=dtype)
    assert u.dtype == dtype
    assert u.min().item() >= 0.0
    assert u.max().item() < 1.0


@pytest.mark.parametrize("call", [
    lambda: ml.randint(5, (2, 3)), lambda: ml.randint(0, 5, (2, 3)), lambda: ml.randint(0, 5, size=(2, 3)),
    lambda: ml.randint(5, size=(2, 3)), lambda: ml.randint(low=0, high=5, size=(2, 3)), lambda: ml.randint(high=5, size=(2, 3)),
    lambda: ml.randint(0, high=5, size=(2, 3)),
])  # fmt: skip
def test_randint_is_called_as_pytorchs_and_numpys(call):
    ml.manual_seed(1)
    expected = ml.randint(5, (2, 3)).tolist()
    ml.manual_seed(1)
    assert call().tolist() == expected


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: ml.randint(5), TypeError, r"expected randint\(high, size\)"),
        (lambda: ml.randint(5, 5, (2,)), ValueError, "no integer is at least 5 and below 5"),
        (lambda: ml.bernoulli(ml.tensor([1.5])), ValueError, "probabilities are from 0 to 1"),
        (lambda: ml.multinomial(ml.tensor([0.0, 0.0]), 1), ValueError, "in each row one is above 0"),
        (lambda: ml.multinomial(ml.tensor([1.0, math.nan]), 1), ValueError, "weights are finite"),
        (lambda: ml.multinomial(ml.tensor([1.0, 0.0]), 2), ValueError, "fewer than 2 weights are above 0"),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()
