"""DP-SGD's step against its formula, its noise against what it should be, and Poisson's batches."""

import numpy as np
import pytest

import minilm as ml
from minilm import nn
from minilm.models.mlp import MLP
from minilm.nn import functional as F
from minilm.privacy import gradients_by_example_plain, poisson_batches, private_gradients


def model_of(seed=0, dtype="float64"):
    ml.manual_seed(seed)
    model = MLP((4, 3, 2)).to(dtype)
    return model, lambda x, y: F.cross_entropy(model(ml.tensor(x)), y, reduction="none")


def batch_of(n=9, dtype="float64"):
    rng = np.random.default_rng(0)
    return (rng.standard_normal((n, 4)) * 3).astype(dtype), rng.integers(0, 2, n)


def by_hand(model, losses, x, y, clip, expected):
    """Algorithm 1 of Abadi et al., line by line, without the noise."""
    rows = gradients_by_example_plain(model, losses, x, y)
    total = dict.fromkeys(rows, 0)
    for i in range(len(x)):
        norm = np.sqrt(sum((g[i] ** 2).sum() for g in rows.values()))
        for name, g in rows.items():
            total[name] = total[name] + g[i] / max(1, norm / clip)
    return {name: g / expected for name, g in total.items()}


@pytest.mark.parametrize("clip", [0.01, 1.5, 100.0])
def test_without_noise_it_is_the_clipped_sum_by_the_expected_size(clip):
    (model, losses), (x, y) = model_of(), batch_of()
    norms = private_gradients(model, losses, x, y, clip=clip, noise=0.0, expected=12, rng=np.random.default_rng(0))
    wanted = by_hand(model, losses, x, y, clip, 12)
    for name, p in model.named_parameters():
        np.testing.assert_allclose(p.grad.data, wanted[name], rtol=1e-10, atol=1e-14)
    assert norms.shape == (9,)
    assert clip in (0.01, 100.0) or ((norms < clip).any() and (norms > clip).any())


def test_no_example_moves_the_sum_by_more_than_the_clipping_norm():
    (model, losses), (x, y) = model_of(), batch_of()

    def total(keep):
        private_gradients(
            model, losses, x[keep], y[keep], clip=0.3, noise=0.0, expected=1, rng=np.random.default_rng(0)
        )
        return np.concatenate([p.grad.data.reshape(-1) for p in model.parameters()])

    everyone = np.arange(9)
    moved = [np.linalg.norm(total(everyone) - total(everyone[everyone != i])) for i in everyone]
    assert max(moved) <= 0.3 + 1e-12
    assert max(moved) > 0.29


def test_noise_has_the_deviation_noise_times_clip_by_expected():
    layer = nn.Linear(200, 100, bias=False)
    layer.to("float64")
    x = np.zeros((3, 200))
    private_gradients(
        layer,
        lambda x: layer(ml.tensor(x)).sum(axis=1),
        x,
        clip=0.5,
        noise=4.0,
        expected=10,
        rng=np.random.default_rng(0),
    )
    noise = layer.weight.grad.data
    assert noise.std() == pytest.approx(4.0 * 0.5 / 10, rel=0.02)
    assert abs(noise.mean()) < 4 * 0.2 / np.sqrt(noise.size)


def test_noise_is_drawn_anew_for_each_parameter_and_step_and_again_by_the_same_seed():
    (model, losses), (x, y) = model_of(), batch_of()
    rng, found = np.random.default_rng(7), []
    for generator in (rng, rng, np.random.default_rng(7)):
        private_gradients(model, losses, x * 0, y, clip=1.0, noise=1.0, expected=1, rng=generator)
        found.append(np.concatenate([p.grad.data.reshape(-1) for p in model.parameters()]))
    assert (found[0] != found[1]).all()
    assert (found[0] == found[2]).all()
    assert len(np.unique(found[0].round(9))) == len(found[0])


def test_an_empty_batch_is_noise_alone():
    (model, losses), (x, y) = model_of(), batch_of()
    for batch in ((x[:0], y[:0]), ()):
        if batch:
            assert (
                private_gradients(model, losses, *batch, clip=1.0, noise=1.0, expected=5, rng=np.random.default_rng(0))
                is None
            )
    noise = np.random.default_rng(0).standard_normal(model.layers[0].weight.shape) / 5
    np.testing.assert_allclose(model.layers[0].weight.grad.data, noise)


def test_float32_stays_and_what_is_frozen_has_no_gradient():
    (model, losses), (x, y) = model_of(dtype="float32"), batch_of(dtype="float32")
    model.layers[0].requires_grad_(False)
    private_gradients(model, losses, x, y, clip=1.0, noise=1.0, expected=9, rng=np.random.default_rng(0))
    assert model.layers[0].weight.grad is None
    assert model.layers[1].weight.grad.dtype == np.float32


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"clip": 0.0}, "clip must be a finite number > 0, got 0.0"),
        ({"clip": np.inf}, "clip must be a finite number"),
        ({"noise": -1.0}, "noise must be a finite number >= 0"),
        ({"noise": float("nan")}, "noise must be a finite number"),
        ({"expected": 0}, "expected must be a finite number > 0"),
    ],
)
def test_options_out_of_range(option, message):
    (model, losses), (x, y) = model_of(), batch_of()
    with pytest.raises(ValueError, match=message):
        private_gradients(
            model, losses, x, y, rng=np.random.default_rng(0), **{"clip": 1.0, "noise": 1.0, "expected": 9, **option}
        )


def test_each_example_comes_by_its_own_coin():
    batches = list(poisson_batches(50, 0.1, 4000, np.random.default_rng(0)))
    counts = np.bincount(np.concatenate(batches), minlength=50)
    sizes = np.array([len(batch) for batch in batches])
    assert abs(counts / 4000 - 0.1).max() < 5 * np.sqrt(0.09 / 4000)
    assert sizes.std() == pytest.approx(np.sqrt(50 * 0.1 * 0.9), rel=0.05)  # a pass over shuffled data has 0
    assert 0 in sizes
    assert all((np.diff(batch) > 0).all() for batch in batches)
    assert [len(b) for b in poisson_batches(3, 1.0, 2, np.random.default_rng(0))] == [3, 3]


@pytest.mark.parametrize(
    "arguments", [(10, 0.0, 1), (10, 1.5, 1), (0, 0.5, 1), (10, 0.5, 0), (10, 0.5, 1.5), (10, np.nan, 1)]
)
def test_batches_that_make_no_sense(arguments):
    with pytest.raises(ValueError, match="must be a"):
        next(poisson_batches(*arguments, np.random.default_rng(0)))
