"""Losses: values by hand, conventions of weights, ignored rows and means, and inputs that do not fit."""

import numpy as np
import pytest

import minilm as ml
from minilm.ops.loss import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    huber,
    kl_div,
    l1,
    mse,
    nll,
)
from minilm.ops.normalize import log_softmax

LOGP = np.log([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]])
TARGET = np.array([1, 2])


@pytest.fixture(params=[True, False], ids=["fused", "composed"])
def fused(request):
    with ml.use_fused(request.param):
        yield request.param


def test_cross_entropy_by_hand(fused):
    each = [np.log(4), -np.log(0.8)]
    np.testing.assert_allclose(cross_entropy(LOGP + 7.0, TARGET, reduction="none"), each)
    np.testing.assert_allclose(cross_entropy(LOGP, TARGET), np.mean(each))
    np.testing.assert_allclose(cross_entropy(LOGP, TARGET, reduction="sum"), np.sum(each))
    np.testing.assert_allclose(nll(LOGP, TARGET), np.mean(each))


def test_the_gradient_is_probability_minus_target(fused):
    x = ml.Tensor(LOGP, requires_grad=True)
    cross_entropy(x, ml.tensor(TARGET)).backward()
    np.testing.assert_allclose(x.grad.numpy(), [[0.25, -0.375, 0.125], [0.05, 0.05, -0.1]], atol=1e-12)


def test_the_mean_divides_by_the_weights_of_the_targets(fused):
    w = np.array([1.0, 2.0, 6.0])
    expected = (2 * np.log(4) - 6 * np.log(0.8)) / 8
    np.testing.assert_allclose(cross_entropy(LOGP, TARGET, w), expected)
    np.testing.assert_allclose(nll(LOGP, TARGET, w), expected)
    np.testing.assert_allclose(cross_entropy(LOGP, np.eye(3)[TARGET], w), expected * 8 / 2)


def test_ignored_rows_count_nothing(fused):
    for loss in (cross_entropy, nll):
        np.testing.assert_allclose(loss(LOGP, np.array([-100, 2])), -np.log(0.8))
        np.testing.assert_allclose(loss(LOGP, np.array([1, 0]), ignore_index=0), np.log(4))
        np.testing.assert_array_equal(loss(LOGP, np.array([-100, 2]), reduction="none")[0], 0)
    x = ml.Tensor(LOGP, requires_grad=True)
    cross_entropy(x, ml.tensor([-100, 2]), label_smoothing=0.1).backward()
    np.testing.assert_array_equal(x.grad.numpy()[0], [0, 0, 0])


def test_an_infinite_logit_in_an_ignored_row_does_no_harm(fused):
    x = ml.Tensor(np.array([[-np.inf, 0.0], [1.0, 1.0]]), requires_grad=True)
    loss = cross_entropy(x, ml.tensor([-100, 1]))
    loss.backward()
    np.testing.assert_allclose(loss.item(), np.log(2))
    np.testing.assert_allclose(x.grad.numpy(), [[0, 0], [0.5, -0.5]])


def test_a_class_that_is_masked_out_does_no_harm(fused):
    x = ml.Tensor(np.array([[-np.inf, 0.0, 0.0]]), requires_grad=True)
    loss = cross_entropy(x, ml.tensor([1]))
    loss.backward()
    np.testing.assert_allclose(loss.item(), np.log(2))
    np.testing.assert_allclose(x.grad.numpy(), [[0, -0.5, 0.5]])


def test_label_smoothing_is_a_softened_distribution(fused):
    soft = np.eye(3)[TARGET] * 0.7 + 0.1
    np.testing.assert_allclose(cross_entropy(LOGP, TARGET, label_smoothing=0.3), cross_entropy(LOGP, soft))
    np.testing.assert_allclose(cross_entropy(LOGP, np.eye(3)[TARGET], label_smoothing=0.3), cross_entropy(LOGP, soft))


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1}, {"weight": [1.0, 2.0]}])
def test_a_mean_over_nothing_is_nan_with_gradient_zero(fused, options):
    x = ml.Tensor(np.ones((2, 2)), requires_grad=True)
    options = {name: ml.tensor(value) if name == "weight" else value for name, value in options.items()}
    loss = cross_entropy(x, ml.tensor([-100, -100]), **options)
    loss.backward()
    assert np.isnan(loss.item())
    np.testing.assert_array_equal(x.grad.numpy(), np.zeros((2, 2)))
    assert cross_entropy(x, ml.tensor([-100, -100]), reduction="sum", **options).item() == 0
    assert np.isnan(cross_entropy(np.ones((0, 2)), np.ones(0, int)))
    assert np.isnan(mse(np.ones((0, 2)), np.ones((0, 2))))
    assert mse(np.ones((0, 2)), np.ones((0, 2)), reduction="sum") == 0


def test_classes_are_axis_1(fused):
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    t = np.random.default_rng(1).integers(0, 3, (2, 4, 5))
    y = cross_entropy(x, t, reduction="none")
    assert y.shape == (2, 4, 5)
    np.testing.assert_allclose(y[1, 2, 3], cross_entropy(x[1, :, 2, 3], t[1, 2, 3]))
    np.testing.assert_allclose(y, nll(log_softmax(x, 1), t, reduction="none"))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_logits_keep_their_digits(fused, dtype):
    x = np.array([[1e4, 1e4 - 1, 0.0]], dtype)
    np.testing.assert_allclose(cross_entropy(x, np.array([0])), np.log1p(np.exp(-1)), rtol=1e-6)
    np.testing.assert_allclose(cross_entropy(x, np.array([2])), 1e4 + np.log1p(np.exp(-1)), rtol=1e-6)
    assert cross_entropy(x, np.array([0])).dtype == dtype


def test_integers_of_any_type_and_size_as_targets(fused):
    for dtype in (np.uint8, np.int32, np.int64):
        np.testing.assert_allclose(cross_entropy(LOGP, TARGET.astype(dtype)), nll(LOGP, TARGET))


def test_second_derivative_is_the_covariance_of_softmax():
    x = ml.Tensor(np.log([[0.2, 0.3, 0.5]]), requires_grad=True)
    (g,) = ml.grad(cross_entropy(x, ml.tensor([0])), x, create_graph=True)
    (h,) = ml.grad(g, x, ml.Tensor(np.array([[1.0, 0.0, 0.0]])))
    np.testing.assert_allclose(h.numpy(), [[0.16, -0.06, -0.1]], atol=1e-12)


def test_mse_l1_huber_by_hand():
    x, t = ml.tensor([0.0, 0.5, -3.0]), ml.tensor([0.0, 0.0, 0.0])
    np.testing.assert_allclose(mse(x, t, reduction="none").numpy(), [0, 0.25, 9])
    np.testing.assert_allclose(mse(x, t).item(), 9.25 / 3, rtol=1e-6)
    np.testing.assert_allclose(l1(x, t, reduction="sum").item(), 3.5)
    np.testing.assert_allclose(huber(x, t, reduction="none").numpy(), [0, 0.125, 2.5])
    np.testing.assert_allclose(huber(x, t, delta=2.0, reduction="none").numpy(), [0, 0.125, 4])


def test_l1_has_gradient_zero_where_nothing_differs():
    x = ml.tensor([1.0, 2.0], requires_grad=True)
    l1(x, ml.tensor([1.0, 5.0]), reduction="sum").backward()
    np.testing.assert_array_equal(x.grad.numpy(), [0, -1])


def test_binary_cross_entropy_with_soft_targets():
    p, t = ml.tensor([0.5, 0.8]), ml.tensor([0.1, 0.9])
    expected = [np.log(2), -0.9 * np.log(0.8) - 0.1 * np.log(0.2)]
    np.testing.assert_allclose(binary_cross_entropy(p, t, reduction="none").numpy(), expected, rtol=1e-6)
    logits = ml.tensor([0.0, np.log(4.0)])
    np.testing.assert_allclose(binary_cross_entropy_with_logits(logits, t).item(), np.mean(expected), rtol=1e-6)


def test_a_certain_and_wrong_probability_costs_100():
    p = ml.tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    y = binary_cross_entropy(p, ml.tensor([1.0, 0.0, 0.0, 1.0]), reduction="none")
    np.testing.assert_array_equal(y.numpy(), [100, 100, 0, 0])
    y.backward(ml.tensor([1.0, 1.0, 1.0, 1.0]))
    np.testing.assert_allclose(p.grad.numpy(), [-1e12, 1e12, 0, 0], rtol=1e-6)


def test_logits_far_out_neither_overflow_nor_vanish():
    x = ml.tensor([-500.0, 500.0, -20.0], requires_grad=True)
    y = binary_cross_entropy_with_logits(x, ml.tensor([1.0, 0.0, 0.0]), reduction="none")
    np.testing.assert_allclose(y.numpy(), [500, 500, np.exp(-20)], rtol=1e-6)
    y.backward(ml.tensor([1.0, 1.0, 1.0]))
    np.testing.assert_allclose(x.grad.numpy(), [-1, 1, np.exp(-20)], rtol=1e-6)


def test_pos_weight_multiplies_the_yes_part():
    x, t = ml.tensor([[0.0, 0.0]]), ml.tensor([[1.0, 0.25]])
    y = binary_cross_entropy_with_logits(x, t, ml.tensor([3.0, 5.0]), reduction="none")
    np.testing.assert_allclose(y.numpy(), np.log(2) * np.array([[3, 0.75 + 1.25]]), rtol=1e-6)


def test_kl_div_by_hand():
    p, t = np.array([[0.5, 0.5], [0.25, 0.75]]), np.array([[1.0, 0.0], [0.25, 0.75]])
    np.testing.assert_allclose(kl_div(np.log(p), t, reduction="none"), [[np.log(2), 0], [0, 0]])
    np.testing.assert_allclose(kl_div(np.log(p), t, reduction="batchmean"), np.log(2) / 2)
    np.testing.assert_allclose(kl_div(np.log(p), t), np.log(2) / 4)
    np.testing.assert_allclose(kl_div(np.log(p), np.log(p[::-1]), log_target=True), kl_div(np.log(p), p[::-1]))


@pytest.mark.parametrize("loss", [mse, l1, huber, binary_cross_entropy, binary_cross_entropy_with_logits, kl_div])
def test_predictions_and_targets_must_fit(loss):
    column, row = ml.tensor([[0.5], [0.5]]), ml.tensor([0.5, 0.5])
    with pytest.raises(ValueError, match=r"input has shape \(2, 1\), the target \(2,\).*must be equal"):
        loss(column, row)
    with pytest.raises(TypeError, match="the input must hold floats, got int64"):
        loss(ml.tensor([0, 1]), ml.tensor([0, 1]))
    with pytest.raises(TypeError, match="the input must hold floats, got list"):
        loss([0.5], row)
    with pytest.raises(TypeError, match="the input is float32, the target float64"):
        loss(row, row.double())
    with pytest.raises(ValueError, match=r"reduction must be one of 'mean', 'sum', 'none'.*got 'avg'"):
        loss(row, row, reduction="avg")


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: cross_entropy(LOGP, np.array([0, 3])), IndexError, "target 3 at position 1 is out of range: there are 3 classes"),
        (lambda: cross_entropy(LOGP, np.array([0, -1])), IndexError, "target -1 at position 1"),
        (lambda: nll(LOGP, np.array([0, 3])), IndexError, "nll: target 3"),
        (lambda: cross_entropy(LOGP, np.array([0.0, 1.0])), TypeError, "targets must be integers, got float64"),
        (lambda: cross_entropy(LOGP, np.array([True, False])), TypeError, "targets must be integers, got bool"),
        (lambda: cross_entropy(LOGP, np.eye(3)[TARGET].astype(int)), ValueError, "convert one-hot rows to floats"),
        (lambda: cross_entropy(LOGP, np.eye(3, dtype=np.float32)[TARGET]), TypeError, "target is float32, logits float64"),
        (lambda: nll(LOGP, np.eye(3)[TARGET]), ValueError, r"target has shape \(2, 3\), expected \(2,\)"),
        (lambda: cross_entropy(LOGP, np.array([0])), ValueError, r"target has shape \(1,\), expected \(2,\)"),
        (lambda: cross_entropy(np.ones((2, 3, 4)), np.ones((2, 3), int)), ValueError, r"expected \(2, 4\)"),
        (lambda: cross_entropy(np.ones((2, 3), int), TARGET), TypeError, "logits must hold floats, got int64"),
        (lambda: cross_entropy(np.array(1.0), np.array(0)), ValueError, "with C > 0 classes"),
        (lambda: cross_entropy(np.ones((2, 0)), TARGET), ValueError, "with C > 0 classes"),
        (lambda: cross_entropy(LOGP, TARGET, np.ones(2)), ValueError, r"one number a class, \(3,\)"),
        (lambda: cross_entropy(LOGP, TARGET, ml.tensor(np.ones(3), requires_grad=True)), TypeError, "is a constant"),
        (lambda: cross_entropy(LOGP, TARGET, label_smoothing=1.5), ValueError, "from 0 to 1, got 1.5"),
        (lambda: cross_entropy(LOGP, TARGET, reduction="batchmean"), ValueError, "got 'batchmean'"),
        (lambda: huber(LOGP, LOGP, delta=0.0), ValueError, "delta must be positive"),
        (lambda: binary_cross_entropy(np.array([1.5]), np.array([1.0])), ValueError, "from 0 to 1, got 1.5; for logits use"),
        (lambda: binary_cross_entropy(np.array([np.nan]), np.array([1.0])), ValueError, "got nan"),
        (lambda: binary_cross_entropy_with_logits(LOGP, LOGP, np.ones(2)), ValueError, "does not broadcast"),
        (lambda: kl_div(np.array(0.5), np.array(0.5), reduction="batchmean"), ValueError, "a scalar has not"),
    ],
)  # fmt: skip
def test_wrong_inputs_are_named(call, error, says):
    with pytest.raises(error, match=says):
        call()
