"""Attacks: exact on linear functions, within the ball, never better than before, and without a trace in the model."""

import numpy as np
import pytest

import minilm as ml
from minilm import nn
from minilm.attacks import adversarial_loss, fgsm, pgd, project
from minilm.nn import functional as F

DUAL = {"inf": lambda w: np.abs(w).sum(), "2": lambda w: np.sqrt((w * w).sum())}
both = pytest.mark.parametrize("norm", ["inf", "2"])


def longest(delta, norm):
    flat = np.abs(delta).reshape(len(delta), -1)
    return flat.max(axis=1) if norm == "inf" else np.sqrt((flat**2).sum(axis=1))


def network(seed=0):
    rng = np.random.default_rng(seed)
    model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 3))
    with ml.no_grad():
        for p in model.parameters():
            p.copy_(ml.tensor(rng.normal(size=p.shape)))
    y = rng.integers(0, 3, 20)
    return model, rng.normal(size=(20, 6)).astype(np.float32), lambda x: F.cross_entropy(model(x), y, reduction="none")


@both
@pytest.mark.parametrize("begin", ["one step", "three steps", "from within"])
def test_a_linear_function_grows_by_epsilon_times_the_dual_norm(norm, begin):
    rng = np.random.default_rng(1)
    w, x = rng.normal(size=(2, 3)), rng.normal(size=(5, 2, 3))
    loss = lambda z: (z * ml.tensor(w)).sum(axis=(1, 2))  # noqa: E731
    if begin == "one step":
        found = fgsm(loss, x, 0.1, norm)
    else:
        found = pgd(
            loss, x, 0.1, norm, **({"steps": 3} if begin == "three steps" else {"steps": 80, "step": 0.02, "rng": rng})
        )
    np.testing.assert_allclose(((found - x) * w).sum(axis=(1, 2)), 0.1 * DUAL[norm](w), rtol=1e-4)


@both
def test_pgd_stays_in_the_ball_and_finds_more_than_one_step(norm):
    _, x, loss = network()
    clean, one, many = (
        loss(ml.tensor(z)).numpy() for z in (x, fgsm(loss, x, 0.5, norm), pgd(loss, x, 0.5, norm, steps=20))
    )
    for found in (fgsm(loss, x, 0.5, norm), pgd(loss, x, 0.5, norm, rng=np.random.default_rng(0))):
        assert (longest(found - x, norm) <= 0.5 * (1 + 1e-6)).all()
        assert found.dtype == x.dtype
    assert (many >= clean).all()
    assert many.mean() > one.mean() > clean.mean()


@both
def test_one_step_of_the_whole_length_is_the_fast_gradient(norm):
    w, x = np.array([[3.0, -4.0]]), np.zeros((1, 2))
    loss = lambda z: (z * ml.tensor(w)).sum(axis=1)  # noqa: E731
    np.testing.assert_allclose(pgd(loss, x, 0.1, norm, steps=1, step=0.1), fgsm(loss, x, 0.1, norm))


def test_a_step_too_long_is_not_kept():
    x = np.zeros((1, 1))
    loss = lambda z: -((z - 0.1) ** 2).sum(axis=1)  # noqa: E731  highest at 0.1
    assert loss(ml.tensor(fgsm(loss, x, 1.0))).item() < loss(ml.tensor(x)).item()
    assert pgd(loss, x, 1.0, steps=1, step=1.0) == 0.0


def test_each_example_is_attacked_by_itself():
    _, x, loss = network()
    whole = pgd(loss, x, 0.3)
    np.testing.assert_array_equal(whole[:1], pgd(lambda z: loss(ml.concatenate([z, ml.tensor(x[1:])]))[:1], x[:1], 0.3))


@both
def test_bounds_are_kept(norm):
    _, x, loss = network()
    pixels = np.clip(x, 0, 1)
    found = pgd(loss, pixels, 0.4, norm, bounds=(0, 1), rng=np.random.default_rng(0))
    assert found.min() >= 0
    assert found.max() <= 1
    assert (longest(found - pixels, norm) <= 0.4 * (1 + 1e-6)).all()
    with pytest.raises(ValueError, match=r"beyond the bounds \(0, 1\)"):
        pgd(loss, x, 0.4, bounds=(0, 1))


def test_the_model_gets_no_gradient():
    model, x, loss = network()
    with ml.no_grad():
        pgd(loss, x, 0.1)
    assert all(p.grad is None for p in model.parameters())


@both
def test_no_room_and_no_slope_change_nothing(norm):
    _, x, loss = network()
    np.testing.assert_array_equal(pgd(loss, x, 0.0, norm), x)
    np.testing.assert_array_equal(fgsm(lambda z: (z * 0).sum(axis=1), x, 0.1, norm), x)
    np.testing.assert_array_equal(pgd(lambda z: (z * 0).sum(axis=1), x, 0.1, norm), x)


def test_tiny_slopes_have_a_direction():
    x = np.zeros((1, 2), np.float32)
    found = fgsm(lambda z: (z * ml.tensor(np.float32([3e-30, 4e-30]))).sum(axis=1), x, 1.0, "2")
    np.testing.assert_allclose(found, [[0.6, 0.8]], rtol=1e-6)


def test_project():
    np.testing.assert_array_equal(project(np.array([[3.0, -0.5]]), 1.0), [[1.0, -0.5]])
    np.testing.assert_allclose(
        project(np.array([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]]), 1.0, "2"), [[0.6, 0.8], [0.3, 0.4], [0, 0]]
    )


def test_a_drawn_start_fills_the_ball():
    rng = np.random.default_rng(0)
    starts = pgd(lambda z: (z * z).sum(axis=1), np.zeros((4000, 2)), 1.0, "2", steps=1, step=0.0, rng=rng)
    radius = np.sqrt((starts**2).sum(axis=1))
    assert radius.max() <= 1
    assert np.mean(radius < 0.5) == pytest.approx(0.25, abs=0.03)  # a quarter of the disk's area


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"epsilon": -1.0}, "epsilon must be 0 or more"),
        ({"epsilon": np.nan}, "epsilon must be 0 or more"),
        ({"norm": "1"}, "norm must be one of inf, 2"),
        ({"steps": 0}, "steps must be a positive integer"),
        ({"step": -0.1}, "step must be 0 or more"),
        ({"x": np.zeros((2, 3), int)}, "batch of floats"),
        ({"x": np.float64(1.0)}, "batch of floats"),
        ({"x": np.full((1, 2), np.nan)}, "not finite: no ball"),
        ({"loss": lambda z: (z * z).sum()}, r'one number per example, \(2,\), got \(\); cross_entropy'),
        ({"loss": lambda z: ml.tensor([1.0, 2.0])}, "does not depend on the input"),
        ({"loss": lambda z: z.sum(axis=1).sqrt()}, "gradient of the loss is not finite"),
    ],
)  # fmt: skip
def test_what_cannot_be_attacked(changed, message):
    given = {"loss": lambda z: z.sum(axis=1), "x": np.zeros((2, 3)), "epsilon": 0.1} | changed
    with pytest.raises(ValueError, match=message):
        pgd(given.pop("loss"), given.pop("x"), given.pop("epsilon"), **given)


@pytest.mark.parametrize("steps", [1, 3])
def test_adversarial_loss_is_the_weighted_mean_of_both(steps):
    model, x, loss = network()
    given = ml.tensor(x)
    found = fgsm(loss, x, 0.3, "2") if steps == 1 else pgd(loss, x, 0.3, "2", steps=3)
    clean, attacked = loss(given).numpy(), loss(ml.tensor(found)).numpy()
    for share in (0.0, 0.25, 1.0):
        ours = adversarial_loss(loss, given, 0.3, "2", steps=steps, share=share)
        np.testing.assert_allclose(ours.numpy(), (1 - share) * clean + share * attacked, rtol=1e-5)
    assert all(p.grad is None for p in model.parameters())
    adversarial_loss(loss, given, 0.3).mean().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_the_attack_s_change_is_a_constant():
    w = ml.Tensor(np.array([2.0]), requires_grad=True)
    x = ml.tensor(np.array([[1.0]]))
    # L = w^2 x, so that the change is epsilon: dL/dw of both is 2 w (x + share epsilon).
    adversarial_loss(lambda z: (z * w * w).sum(axis=1), x, 0.5, share=0.5).sum().backward()
    np.testing.assert_allclose(w.grad.numpy(), [2 * 2.0 * (1 + 0.5 * 0.5)])


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_a_share_that_is_none(share):
    with pytest.raises(ValueError, match="share must be from 0 to 1"):
        adversarial_loss(lambda z: z.sum(axis=1), ml.tensor([[1.0]]), 0.1, share=share)


def test_a_loss_without_slope_hides_what_an_attack_would_find():
    _, x, _ = network()
    w = ml.tensor(np.random.default_rng(2).normal(size=6).astype(np.float32))
    y = np.sign((ml.tensor(x) @ w).numpy()) > 0
    plain = lambda z, k=1.0: F.binary_cross_entropy_with_logits(  # noqa: E731
        (z @ w) * k, ml.tensor(y.astype(np.float32)), reduction="none"
    )
    masked = lambda z: plain(z, 1e4)  # noqa: E731
    right = lambda z: ((ml.tensor(z) @ w).numpy() > 0) == y  # noqa: E731
    assert right(fgsm(masked, x, 2.0)).mean() > 0.8
    assert right(fgsm(plain, x, 2.0)).mean() < 0.5
