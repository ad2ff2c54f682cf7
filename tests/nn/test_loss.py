"""Losses as modules hold their options; their numbers are compared with PyTorch's in tests/oracle."""

import numpy as np
import pytest

import minilm as ml
from minilm import nn
from minilm.nn import functional as F


def test_class_weights_are_buffers_that_move_with_the_loss(device):
    loss = nn.CrossEntropyLoss(weight=np.array([1.0, 3.0], np.float32)).to(device)
    assert [name for name, _ in loss.named_buffers()] == ["weight"]
    assert loss.weight.device is device
    assert list(loss.parameters()) == []
    y = loss(ml.zeros(2, 2, device=device), ml.tensor(np.array([0, 1]), device=device))
    assert float(y) == pytest.approx(np.log(2.0))


def test_reductions(device):
    a, b = ml.tensor([1.0, 2.0, 5.0], device=device), ml.zeros(3, device=device)
    assert float(nn.MSELoss()(a, b)) == 10.0
    assert float(nn.L1Loss(reduction="sum")(a, b)) == 8.0
    assert nn.HuberLoss(delta=2.0, reduction="none")(a, b).tolist() == [0.5, 2.0, 8.0]


def test_options_reach_the_op():
    rng = np.random.default_rng(0)
    x, target = ml.Tensor(rng.standard_normal((4, 3)).astype(np.float32)), ml.Tensor(np.array([0, 2, 1, 1]))
    weight = ml.Tensor(np.array([1.0, 2.0, 0.5], np.float32))
    options = {"ignore_index": 1, "reduction": "sum"}
    smooth = F.cross_entropy(x, target, weight, label_smoothing=0.3, **options)
    assert float(nn.CrossEntropyLoss(weight, label_smoothing=0.3, **options)(x, target)) == float(smooth)
    assert float(nn.CrossEntropyLoss(weight, **options)(x, target)) != float(smooth)
    assert float(nn.NLLLoss(weight, **options)(x, target)) == float(F.nll_loss(x, target, weight, **options))
    assert float(nn.NLLLoss(weight, reduction="sum")(x, target)) != float(F.nll_loss(x, target, weight, **options))


@pytest.mark.parametrize("make", [nn.CrossEntropyLoss, nn.NLLLoss, nn.BCELoss, nn.BCEWithLogitsLoss, nn.MSELoss, nn.L1Loss,
                                  nn.HuberLoss, nn.KLDivLoss])  # fmt: skip
def test_an_unknown_reduction_is_told(make):
    with pytest.raises(
        ValueError, match=rf"{make.__name__}: reduction must be one of 'mean', 'sum', 'none'.*; got 'avg'"
    ):
        make(reduction="avg")


def test_bad_arguments_are_told():
    with pytest.raises(ValueError, match="delta must be positive"):
        nn.HuberLoss(delta=0.0)
    with pytest.raises(ValueError, match="'batchmean'; got"):
        nn.KLDivLoss(reduction="avg")
    with pytest.raises(ValueError, match="GELU: approximate must be"):
        nn.GELU("erf")
