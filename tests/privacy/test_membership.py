"""Attacks on membership: on made-up losses whose answer is known."""

import math

import numpy as np
import pytest

from minilm.privacy import Attack, exposure, likelihood_ratios, loss_attack


def test_losses_that_part_members_from_others():
    attack = loss_attack([0.1, 0.2, 0.3], [0.4, 0.5])
    assert float(attack.auc) == 1
    assert float(attack.found) == 1


def test_losses_that_say_nothing():
    rng = np.random.default_rng(0)
    attack = loss_attack(rng.random(2000), rng.random(2000))
    assert float(attack.auc) == pytest.approx(0.5, abs=0.03)
    assert float(attack.found) == pytest.approx(0.01, abs=0.01)
    low, high, _ = attack.auc.interval(resamples=200)
    assert low < 0.5 < high


def test_a_good_area_may_find_no_member_where_nobody_is_accused():
    """Members have losses in the middle, some others the smallest ones."""
    others = np.concatenate([np.zeros(3), np.full(97, 2.0)])
    attack = loss_attack(np.ones(50), others)
    assert float(attack.auc) == 0.97
    assert float(attack.found) == 0
    assert attack.found.name == "TPR at 0.01 FPR"
    assert float(loss_attack(np.ones(50), others, 0.03).found) == 1


def shadow_losses(models=24, n=300, gap=1.0, seed=0):
    """Examples of different hardness, whose phi is higher by `gap` where they were learned."""
    rng = np.random.default_rng(seed)
    first = np.array([rng.permutation(n) < n // 2 for _ in range(models // 2)])
    inside = np.concatenate([first, ~first])
    phi = 3 * rng.standard_normal(n) + gap * inside + 0.5 * rng.standard_normal((models, n))
    return np.logaddexp(0, -phi), inside


def both(losses, inside):
    ratios = likelihood_ratios(losses, inside)
    of_ratio = np.mean([float(Attack.of(i, s).found) for i, s in zip(inside, ratios, strict=True)])
    of_loss = np.mean([float(loss_attack(l[i], l[~i]).found) for l, i in zip(losses, inside, strict=True)])
    return of_ratio, of_loss


def test_the_ratio_sees_through_how_hard_examples_are():
    of_ratio, of_loss = both(*shadow_losses())
    assert of_ratio > 0.25  # normal densities two deviations apart: 0.37
    assert of_loss < 0.05


def test_where_nothing_was_learned_the_ratio_finds_nothing():
    of_ratio, _ = both(*shadow_losses(gap=0.0))
    assert of_ratio < 0.03


def test_a_model_is_attacked_by_the_others_alone():
    losses, inside = shadow_losses(models=8, n=40)
    scores, changed = likelihood_ratios(losses, inside), losses.copy()
    changed[3] += 1.0
    again = likelihood_ratios(changed, inside)
    with_it = [(rest := np.arange(8) != 3)]
    phi = -losses - np.log(-np.expm1(-losses))
    here, away = inside[rest], ~inside[rest]
    mean = [(phi[rest] * m).sum(0) / m.sum(0) for m in (here, away)]
    deviation = [
        np.sqrt((((phi[rest] - mu) * m) ** 2).sum() / (m.sum() - 40)) for mu, m in zip(mean, (here, away), strict=True)
    ]
    wanted = [-0.5 * ((phi[3] - mu) / s) ** 2 - math.log(s) for mu, s in zip(mean, deviation, strict=True)]
    np.testing.assert_allclose(scores[3], wanted[0] - wanted[1], rtol=1e-9)
    assert with_it
    assert not np.allclose(again[0], scores[0])


def test_losses_of_zero_and_infinity_are_fine():
    losses, inside = shadow_losses(models=8, n=20)
    losses[:, 0], losses[:, 1] = 0.0, 800.0
    assert np.isfinite(likelihood_ratios(losses, inside)).all()


def test_bad_tables():
    losses, inside = shadow_losses(models=4, n=6)
    with pytest.raises(ValueError, match=r"one shape \(models, examples\), got \(4, 6\) and bool \(4, 5\)"):
        likelihood_ratios(losses, inside[:, :5])
    with pytest.raises(ValueError, match="and int64"):
        likelihood_ratios(losses, inside.astype(np.int64))
    with pytest.raises(ValueError, match="a loss is negative or NaN"):
        likelihood_ratios(losses * np.nan, inside)
    with pytest.raises(ValueError, match="in two models, and out of two"):
        likelihood_ratios(losses, np.ones_like(inside))
    with pytest.raises(ValueError, match="in two models"):
        likelihood_ratios(losses[:, :0], inside[:, :0])
    with pytest.raises(ValueError, match="every example is a yes|no example"):
        loss_attack([1.0], [])
    with pytest.raises(ValueError, match="no example is a yes|no example"):
        loss_attack([], [1.0])


def test_exposure():
    assert exposure(0.5, [1.0, 2.0, 3.0]) == 2
    assert exposure(5.0, [1.0, 2.0, 3.0]) == 0
    assert exposure(2.0, [1.0, 2.0, 3.0, 4.0]) == pytest.approx(math.log2(5 / 3))  # a tie counts against it
    draws = np.random.default_rng(0).random((2000, 1024))
    assert np.mean([exposure(row[0], row[1:]) for row in draws]) == pytest.approx(1 / math.log(2), abs=0.1)
    for loss, others in ((1.0, []), (math.nan, [1.0]), (1.0, [math.nan])):
        with pytest.raises(ValueError, match="a list of others' losses"):
            exposure(loss, others)
