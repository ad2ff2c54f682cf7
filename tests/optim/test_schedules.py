"""Schedules: rates by hand, groups by their own base, resuming, and what is refused."""

import json
import math

import numpy as np
import pytest

import minilm as ml
from minilm import optim


def optimizer_with(*lrs):
    return optim.SGD([{"params": [ml.zeros(1).requires_grad_()], "lr": lr} for lr in lrs])


def rates(schedule, steps):
    """The first group's rate at t = 0 .. steps - 1, as the optimizer sees it."""
    seen = []
    for _ in range(steps):
        seen.append(schedule.optimizer.param_groups[0]["lr"])
        schedule.step()
    return seen


def lin(opt):
    return optim.LinearLR(opt, 0.25, 1.0, total_iters=3)


BY_HAND = {
    "StepLR": (lambda o: optim.StepLR(o, 2, gamma=0.5), [8, 8, 4, 4, 2, 2, 1]),
    "MultiStepLR": (lambda o: optim.MultiStepLR(o, [4, 1, 4], gamma=0.5), [8, 4, 4, 4, 1, 1]),
    "ExponentialLR": (lambda o: optim.ExponentialLR(o, 0.5), [8, 4, 2, 1, 0.5]),
    "LinearLR": (lin, [2, 4, 6, 8, 8]),
    "CosineAnnealingLR": (lambda o: optim.CosineAnnealingLR(o, 4, eta_min=2), [8, 5 + 4.5**0.5, 5, 5 - 4.5**0.5, 2]),
    "WarmupCosineLR": (lambda o: optim.WarmupCosineLR(o, 3, 7, 0.5), [2, 4, 6, 8, 6 + 2**0.5, 6, 6 - 2**0.5, 4, 4, 4]),
    "WarmupCosineLR to a rate": (
        lambda o: optim.WarmupCosineLR(o, 3, 7, min_lr=4.0),
        [2, 4, 6, 8, 6 + 2**0.5, 6, 6 - 2**0.5, 4, 4, 4],
    ),
    "WarmupCosineLR without warm-up": (lambda o: optim.WarmupCosineLR(o, 0, 2, 0.0), [8, 4, 0, 0]),
    "OneCycleLR": (
        lambda o: optim.OneCycleLR(o, 8.0, 9, pct_start=1 / 3, anneal_strategy="linear", div_factor=4, final_div_factor=2),
        [2, 5, 8, 8 - 7 / 6, 8 - 14 / 6, 4.5, 8 - 28 / 6, 8 - 35 / 6, 1],
    ),
    "OneCycleLR in three phases": (
        lambda o: optim.OneCycleLR(o, 8.0, 9, 1 / 3, "linear", div_factor=4, final_div_factor=2, three_phase=True),
        [2, 5, 8, 5, 2, 1.75, 1.5, 1.25, 1],
    ),
    "SequentialLR": (lambda o: optim.SequentialLR(o, [lin(o), optim.ExponentialLR(o, 0.5)], [3]), [2, 4, 6, 8, 4, 2]),
}  # fmt: skip


@pytest.mark.parametrize(("make", "expected"), BY_HAND.values(), ids=BY_HAND)
def test_by_hand(make, expected):
    schedule = make(optimizer_with(8.0))
    np.testing.assert_allclose(rates(schedule, len(expected)), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("make", [make for make, _ in BY_HAND.values()], ids=BY_HAND)
def test_the_formula_is_what_steps_give(make):
    schedule = make(optimizer_with(8.0))
    expected = [schedule.lrs_at(t)[0] for t in range(9)]
    assert rates(schedule, 9) == expected
    assert all(type(x) is float for x in expected)


@pytest.mark.parametrize("make", [make for make, _ in BY_HAND.values()], ids=BY_HAND)
def test_goes_to_any_step(make):
    schedule = make(optimizer_with(8.0))
    for t in (5, 2):
        schedule.go_to(t)
        assert schedule.get_last_lr() == schedule.lrs_at(t)
    schedule.step()
    assert schedule.get_last_lr() == schedule.lrs_at(3)


RATES_OF_THEIR_OWN = ("CosineAnnealingLR", "WarmupCosineLR to a rate")


@pytest.mark.parametrize("name", [n for n in BY_HAND if "OneCycle" not in n and n not in RATES_OF_THEIR_OWN])
def test_each_group_follows_its_own_base_rate(name):
    schedule = BY_HAND[name][0](optimizer_with(8.0, 2.0))
    for _ in range(6):
        first, second = schedule.get_last_lr()
        assert second == pytest.approx(first / 4)
        schedule.step()


def test_one_cycle_takes_a_peak_for_each_group():
    schedule = optim.OneCycleLR(optimizer_with(1.0, 1.0), [8.0, 4.0], 20)
    assert schedule.get_last_lr() == pytest.approx([8.0 / 25, 4.0 / 25])
    assert [max(x) for x in zip(*(schedule.lrs_at(t) for t in range(20)), strict=True)] == pytest.approx([8.0, 4.0])


@pytest.mark.parametrize("make", [make for make, _ in BY_HAND.values()], ids=BY_HAND)
def test_resumes(make):
    schedule = make(optimizer_with(8.0, 8.0))
    rates(schedule, 3)
    state = json.loads(json.dumps(schedule.state_dict(), allow_nan=False))
    options = json.loads(json.dumps(schedule.optimizer.state_dict()))
    rest = rates(schedule, 5)
    for optimizer_first in (True, False):
        again = make(optimizer_with(7.0, 7.0))
        if optimizer_first:
            again.optimizer.load_state_dict(options)
        again.load_state_dict(state)
        if not optimizer_first:
            again.optimizer.load_state_dict(options)
        assert rates(again, 5) == rest


def test_a_second_schedule_starts_from_the_same_base():
    """Running a notebook's cell again must not shrink the rate again."""
    optimizer = optimizer_with(8.0)
    rates(optim.ExponentialLR(optimizer, 0.5), 4)
    assert optim.ExponentialLR(optimizer, 0.5).get_last_lr() == [8.0]


def test_the_optimizer_uses_the_rate():
    p = ml.Tensor([0.0], True)
    optimizer = optim.SGD([p], lr=1.0)
    schedule = optim.StepLR(optimizer, 1, 0.5)
    for _ in range(3):
        p.grad = ml.Tensor([1.0])
        optimizer.step()
        schedule.step()
    assert p.item() == -1.75


def test_one_cycle_refuses_more_steps():
    schedule = optim.OneCycleLR(optimizer_with(1.0), 1.0, 10)
    rates(schedule, 10)
    with pytest.raises(ValueError, match="total_steps = 10"):
        schedule.step()


# -- plateau ----------------------------------------------------------------------------------------------------------


def after(metrics, lr=8.0, **options):
    schedule = optim.ReduceLROnPlateau(optimizer_with(lr), factor=0.5, **options)
    seen = []
    for value in metrics:
        schedule.step(value)
        seen.append(schedule.get_last_lr()[0])
    return seen


def test_plateau_waits_for_patience():
    assert after([5, 4, 4, 4, 4, 4, 4, 3, 3], patience=2) == [8, 8, 8, 8, 4, 4, 4, 4, 4]


def test_plateau_for_an_accuracy():
    assert after([0.5, 0.6, 0.6, 0.7, 0.1], mode="max", patience=0) == [8, 8, 4, 4, 2]


def test_plateau_thresholds():
    assert after([10.0, 9.5, 8.9], patience=0, threshold=0.1) == [8, 4, 4]
    assert after([10.0, 9.5, 9.1], patience=0, threshold=0.6, threshold_mode="abs") == [8, 4, 4]
    assert after([10.0, 10.5, 11.5], mode="max", patience=0, threshold=0.1) == [8, 4, 4]


def test_plateau_cooldown_and_least_rate():
    assert after([1] * 8, patience=0, cooldown=2) == [8, 4, 4, 4, 2, 2, 2, 1]
    assert after([1] * 5, patience=0, min_lr=3.0) == [8, 4, 3, 3, 3]
    assert after([1] * 3, patience=0, lr=1e-8) == [1e-8] * 3


def test_plateau_takes_a_tensor_and_counts_nan_as_no_improvement():
    assert after([ml.tensor(1.0), math.nan, math.nan], patience=1) == [8, 8, 4]
    assert after([math.nan, 1.0, math.inf], patience=1) == [8, 8, 8]


def test_plateau_resumes():
    metrics = [5, 4, 4, 4, 4, 4, 3, 3, 3, 3, 3, 3]
    schedule = optim.ReduceLROnPlateau(optimizer_with(8.0, 2.0), patience=1, cooldown=1)
    for value in metrics[:6]:
        schedule.step(value)
    state = json.loads(json.dumps(schedule.state_dict(), allow_nan=False))
    again = optim.ReduceLROnPlateau(optimizer_with(1.0, 1.0), patience=1, cooldown=1)
    again.load_state_dict(state)
    for value in metrics[6:]:
        schedule.step(value)
        again.step(value)
        assert again.get_last_lr() == schedule.get_last_lr()
    assert again.state_dict() == schedule.state_dict()


# -- errors -----------------------------------------------------------------------------------------------------------

REFUSED = {
    "step_size 0": (lambda o: optim.StepLR(o, 0), "step_size must be an integer >= 1"),
    "step_size 1.5": (lambda o: optim.StepLR(o, 1.5), "step_size"),
    "gamma negative": (lambda o: optim.ExponentialLR(o, -0.5), "gamma must be"),
    "gamma NaN": (lambda o: optim.ExponentialLR(o, math.nan), "gamma must be"),
    "milestone": (lambda o: optim.MultiStepLR(o, [3, -1]), "milestones must be"),
    "total_iters": (lambda o: optim.LinearLR(o, total_iters=0), "total_iters"),
    "T_max": (lambda o: optim.CosineAnnealingLR(o, True), "T_max"),
    "warm-up too long": (lambda o: optim.WarmupCosineLR(o, 10, 10), "warmup_steps must be below total_steps"),
    "min_lr": (lambda o: optim.WarmupCosineLR(o, 1, 10, min_lr=-1.0), "min_lr must be"),
    "peaks": (lambda o: optim.OneCycleLR(o, [1.0, 2.0], 10), "max_lr has 2 values for 1 parameter groups"),
    "strategy": (lambda o: optim.OneCycleLR(o, 1.0, 10, anneal_strategy="square"), "'cos' or 'linear'"),
    "phase without steps": (lambda o: optim.OneCycleLR(o, 1.0, 3), "leave a phase without steps"),
    "div_factor": (lambda o: optim.OneCycleLR(o, 1.0, 10, div_factor=0.0), "div_factor must be > 0"),
    "milestones missing": (lambda o: optim.SequentialLR(o, [lin(o), lin(o)], []), "2 schedules need one milestone fewer"),
    "milestones fall": (lambda o: optim.SequentialLR(o, [lin(o)] * 3, [5, 5]), "must increase"),
    "another optimizer": (lambda o: optim.SequentialLR(o, [lin(o), lin(optimizer_with(1.0))], [5]), "of this optimizer"),
    "plateau inside": (lambda o: optim.SequentialLR(o, [optim.ReduceLROnPlateau(o)], []), "ReduceLROnPlateau is no"),
    "mode": (lambda o: optim.ReduceLROnPlateau(o, "least"), "mode must be"),
    "factor 1": (lambda o: optim.ReduceLROnPlateau(o, factor=1.0), r"factor must be in \[0, 1\)"),
    "patience": (lambda o: optim.ReduceLROnPlateau(o, patience=-1), "patience"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make(optimizer_with(1.0))


def test_needs_an_optimizer():
    for make in (lambda o: optim.StepLR(o, 1), optim.ReduceLROnPlateau, lambda o: optim.OneCycleLR(o, 1.0, 10)):
        with pytest.raises(TypeError, match="needs an Optimizer, got list"):
            make([])


def test_group_added_after_the_schedule():
    schedule = optim.StepLR(optimizer_with(1.0), 1)
    schedule.optimizer.add_param_group({"params": [ml.zeros(1).requires_grad_()]})
    with pytest.raises(ValueError, match="made for 1 parameter groups, the optimizer now has 2"):
        schedule.step()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schedule": "StepLR"}, "'StepLR', not of ExponentialLR"),
        ({"last_epoch": -1}, "last_epoch must be an integer >= 0"),
        ({"last_epoch": None}, "last_epoch"),
        ({"base_lrs": [1.0, 1.0]}, "base_lrs must be 1 numbers"),
        ({"base_lrs": ["x"]}, "base_lrs must be a finite number"),
    ],
)
def test_damaged_state(change, message):
    schedule = optim.ExponentialLR(optimizer_with(1.0), 0.5)
    schedule.step()
    before = schedule.state_dict()
    with pytest.raises(ValueError, match=message):
        schedule.load_state_dict({**before, **change})
    assert schedule.state_dict() == before
    assert schedule.get_last_lr() == [0.5]


def test_damaged_states_of_other_schedules():
    plateau = optim.ReduceLROnPlateau(optimizer_with(1.0))
    for change in ({"best": "low"}, {"best": math.nan}, {"lrs": None}, {"num_bad_epochs": -1}):
        with pytest.raises(ValueError, match=next(iter(change)).split("_")[0]):
            plateau.load_state_dict({**plateau.state_dict(), **change})
    optimizer = optimizer_with(1.0)
    chain = optim.SequentialLR(optimizer, [lin(optimizer), lin(optimizer)], [5])
    with pytest.raises(ValueError, match="hold 2 schedules' states"):
        chain.load_state_dict({**chain.state_dict(), "schedulers": []})
    with pytest.raises(ValueError, match="'int', not of"):
        chain.load_state_dict(3)
