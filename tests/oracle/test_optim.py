"""Every optimizer, schedule and clipping rule against PyTorch's."""

import math
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (pip install 'minilm[oracle]')")

import minilm as ml
from minilm import optim
from tests.optim.variants import ONE_EACH, VARIANTS, numbers

SHAPES = [(4, 3), (5,), ()]
GROUPS = [{"lr": 0.02}, {}]


def pair(dtype):
    rng = np.random.default_rng(0)
    starts = [np.asarray(rng.standard_normal(shape)).astype(dtype) for shape in SHAPES]
    return [ml.Tensor(x.copy(), True, device="cpu") for x in starts], [
        torch.tensor(x, requires_grad=True) for x in starts
    ]


def grouped(params):
    """Two groups, one with a rate of its own."""
    return [{"params": params[:1], **GROUPS[0]}, {"params": params[1:], **GROUPS[1]}]


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-12), (np.float32, 2e-6)], ids=["float64", "float32"])
@pytest.mark.parametrize(("cls", "options"), VARIANTS)
def test_trajectory_over_50_steps(cls, options, dtype, rtol):
    """Each step's gradients are given, so that what is compared is the rule alone."""
    ours, theirs = pair(dtype)
    mine, other = cls(grouped(ours), **options), getattr(torch.optim, cls.__name__)(grouped(theirs), **options)
    rng, got, expected = np.random.default_rng(1), [], []
    for step in range(50):
        for i, (p, q) in enumerate(zip(ours, theirs, strict=True)):
            g = np.asarray(rng.standard_normal(p.shape)).astype(dtype)
            absent = i == 1 and step % 7 == 3
            p.grad, q.grad = (None, None) if absent else (ml.Tensor(g, device="cpu"), torch.tensor(g))
        mine.step()
        other.step()
        got.append(np.concatenate([x.reshape(-1) for x in numbers(ours)]))
        expected.append(np.concatenate([q.detach().numpy().reshape(-1) for q in theirs]))
    assert got[0].dtype == dtype
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=rtol)


@pytest.mark.parametrize(("cls", "options"), ONE_EACH)
def test_trajectory_of_a_loss(cls, options):
    """Gradients from both engines. The minimum is out of reach: beside one, Adam makes 1e-5 of a rounding error."""
    options = {name: value for name, value in options.items() if name != "l1"}
    ours, theirs = pair(np.float64)
    mine, other = cls(grouped(ours), **options), getattr(torch.optim, cls.__name__)(grouped(theirs), **options)
    for _ in range(50):
        for params, optimizer in ((ours, mine), (theirs, other)):
            optimizer.zero_grad()
            sum(((p + 50.0) ** 2 * 0.01 + p.sin() * 0.1).sum() for p in params).backward()
            optimizer.step()
    for a, b in zip(numbers(ours), theirs, strict=True):
        np.testing.assert_allclose(a, b.detach().numpy(), rtol=1e-12, atol=1e-12)


SCHEDULES = {
    "StepLR": {"step_size": 7, "gamma": 0.5},
    "MultiStepLR": {"milestones": [3, 20, 20, 60], "gamma": 0.3},
    "ExponentialLR": {"gamma": 0.97},
    "LinearLR": {"start_factor": 0.1, "end_factor": 0.8, "total_iters": 30},
    "CosineAnnealingLR": {"T_max": 100, "eta_min": 1e-3},
    "CosineAnnealingLR beyond its end": {"T_max": 30, "eta_min": 1e-3},
    "OneCycleLR": {"max_lr": 0.5, "total_steps": 101, "cycle_momentum": False},
    "OneCycleLR linear": {"max_lr": [0.5, 0.2], "total_steps": 120, "anneal_strategy": "linear", "cycle_momentum": False},
    "OneCycleLR three phases": {
        "max_lr": 0.5, "total_steps": 101, "pct_start": 0.4, "three_phase": True, "div_factor": 10.0,
        "final_div_factor": 50.0, "cycle_momentum": False,
    },
}  # fmt: skip


def both_optimizers():
    ours, theirs = pair(np.float64)
    return optim.SGD(grouped(ours), lr=0.1), torch.optim.SGD(grouped(theirs), lr=0.1)


def assert_same_rates(mine, other, step):
    expected = [group["lr"] for group in other.param_groups]
    got = [group["lr"] for group in mine.param_groups]
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-16, err_msg=f"step {step}")


@pytest.mark.parametrize(("name", "options"), SCHEDULES.items(), ids=SCHEDULES)
def test_schedule_over_100_steps(name, options):
    mine, other = both_optimizers()
    name = name.partition(" ")[0]
    theirs = getattr(torch.optim.lr_scheduler, name)(other, **options)
    ours = getattr(optim, name)(mine, **{k: v for k, v in options.items() if k != "cycle_momentum"})
    for step in range(100):
        assert_same_rates(mine, other, step)
        np.testing.assert_allclose(ours.get_last_lr(), theirs.get_last_lr(), rtol=1e-12, atol=1e-16)
        other.step()
        ours.step()
        theirs.step()


def test_sequence_of_schedules():
    mine, other = both_optimizers()
    torch_lr = torch.optim.lr_scheduler
    parts = [
        torch_lr.LinearLR(other, 0.05, 1.0, total_iters=10),
        torch_lr.CosineAnnealingLR(other, 40, 1e-3),
        torch_lr.ExponentialLR(other, 0.9),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's own SequentialLR calls a form of step() that it deprecates
        theirs = torch_lr.SequentialLR(other, parts, [10, 50])
        mine_parts = [
            optim.LinearLR(mine, 0.05, 1.0, total_iters=10),
            optim.CosineAnnealingLR(mine, 40, 1e-3),
            optim.ExponentialLR(mine, 0.9),
        ]
        ours = optim.SequentialLR(mine, mine_parts, [10, 50])
        for step in range(100):
            assert_same_rates(mine, other, step)
            other.step()
            ours.step()
            theirs.step()


def test_warmup_cosine_equals_nanogpts_formula():
    mine, other = both_optimizers()

    def factor(t):
        if t < 20:
            return (t + 1) / 21
        return 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * (t - 20) / 60)) if t <= 80 else 0.1

    theirs = torch.optim.lr_scheduler.LambdaLR(other, factor)
    ours = optim.WarmupCosineLR(mine, 20, 80, min_factor=0.1)
    for step in range(100):
        assert_same_rates(mine, other, step)
        other.step()
        ours.step()
        theirs.step()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"patience": 2, "cooldown": 3, "factor": 0.5},
        {"mode": "max", "patience": 1, "threshold": 0.05},
        {"threshold_mode": "abs", "threshold": 0.05, "patience": 0, "min_lr": 1e-3},
        {"mode": "max", "threshold_mode": "abs", "patience": 0, "factor": 0.9, "eps": 1e-3},
    ],
)
def test_plateau_over_100_steps(options):
    mine, other = both_optimizers()
    ours, theirs = (
        optim.ReduceLROnPlateau(mine, **options),
        torch.optim.lr_scheduler.ReduceLROnPlateau(other, **options),
    )
    rng = np.random.default_rng(4)
    for step in range(100):
        metric = float(math.exp(-step / 10) + 0.1 * rng.random())
        ours.step(metric)
        theirs.step(metric)
        assert_same_rates(mine, other, step)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("norm_type", [2.0, math.inf])
@pytest.mark.parametrize("limit", [0.0, 0.1, 1.0, 3.0, 1e6, math.inf])
def test_clipping_by_norm(limit, norm_type, dtype):
    ours, theirs = pair(dtype)
    rng = np.random.default_rng(5)
    for p, q in zip(ours, theirs, strict=True):
        g = np.asarray(rng.standard_normal(p.shape)).astype(dtype)
        p.grad, q.grad = ml.Tensor(g.copy(), device="cpu"), torch.tensor(g)
    rtol = 1e-12 if dtype == np.float64 else 1e-6
    norm = optim.clip_grad_norm_(ours, limit, norm_type)
    np.testing.assert_allclose(norm.item(), torch.nn.utils.clip_grad_norm_(theirs, limit, norm_type).item(), rtol=rtol)
    for p, q in zip(ours, theirs, strict=True):
        assert p.grad.dtype == dtype
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=rtol)


def test_clipping_by_value():
    ours, theirs = pair(np.float32)
    rng = np.random.default_rng(6)
    for p, q in zip(ours, theirs, strict=True):
        g = np.asarray(rng.standard_normal(p.shape)).astype(np.float32)
        p.grad, q.grad = ml.Tensor(g.copy(), device="cpu"), torch.tensor(g)
    optim.clip_grad_value_(ours, 0.4)
    torch.nn.utils.clip_grad_value_(theirs, 0.4)
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), q.grad.numpy())
