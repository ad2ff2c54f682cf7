"""Yes and no by a number: areas against all pairs, curves by hand, ties, and what has only one kind."""

import numpy as np
import pytest

from minilm.metrics import auc, average_precision, precision_recall_curve, roc_curve, true_positive_rate_at
from tests.metrics.draws import check_draws

TRUE, SCORES = [1, 0, 1, 0, 1], [0.9, 0.8, 0.7, 0.7, 0.1]


def plain_auc(truth, scores):
    """Over all pairs."""
    pairs = [
        (s, z) for s, y in zip(scores, truth, strict=True) if y for z, x in zip(scores, truth, strict=True) if not x
    ]
    return sum(1.0 if s > z else 0.5 if s == z else 0.0 for s, z in pairs) / len(pairs)


def plain_average_precision(truth, scores):
    """Precision at each threshold, by the recall that it adds."""
    found, before = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        over = [y for y, s in zip(truth, scores, strict=True) if s >= threshold]
        recall = sum(over) / sum(truth)
        found, before = found + (recall - before) * sum(over) / len(over), recall
    return found


def plain_rate(truth, scores, rate):
    """The best of all thresholds, and of none, that accuse few enough."""
    yes, no = ([s for s, y in zip(scores, truth, strict=True) if y == kind] for kind in (1, 0))
    lines = [t for t in scores if sum(s >= t for s in no) <= rate * len(no) + 1e-9]
    return max((sum(s >= t for s in yes) / len(yes) for t in lines), default=0.0)


def test_by_hand():
    assert auc(TRUE, SCORES).value == (1 + 1 + 0 + 0.5 + 0 + 0) / 6
    assert average_precision(TRUE, SCORES).value == pytest.approx((1 + 2 / 4 + 3 / 5) / 3)
    curve = roc_curve(TRUE, SCORES)
    assert curve.thresholds.tolist() == [np.inf, 0.9, 0.8, 0.7, 0.1]
    assert curve.false_positive_rate.tolist() == [0, 0, 0.5, 1, 1]
    np.testing.assert_allclose(curve.true_positive_rate, [0, 1 / 3, 1 / 3, 2 / 3, 1])
    curve = precision_recall_curve(TRUE, SCORES)
    assert curve.thresholds.tolist() == [0.9, 0.8, 0.7, 0.1]
    np.testing.assert_allclose(curve.precision, [1, 1 / 2, 2 / 4, 3 / 5])
    np.testing.assert_allclose(curve.recall, [1 / 3, 1 / 3, 2 / 3, 1])


@pytest.mark.parametrize("digits", [0, 1, 8])
def test_against_all_pairs_and_all_thresholds(digits):
    rng = np.random.default_rng(digits)
    for n in (2, 3, 10, 60):
        truth = rng.permutation([1, 0, *rng.integers(0, 2, n - 2)])
        scores = rng.normal(size=n).round(digits)
        assert auc(truth, scores).value == pytest.approx(plain_auc(truth, scores))
        assert average_precision(truth, scores).value == pytest.approx(plain_average_precision(truth, scores))
        curve = roc_curve(truth, scores)
        assert np.trapezoid(curve.true_positive_rate, curve.false_positive_rate) == pytest.approx(
            auc(truth, scores).value
        )


@pytest.mark.parametrize("metric", [auc, average_precision])
@pytest.mark.parametrize("digits", [0, 8])
def test_of_a_draw_it_is_the_number_of_what_was_drawn(metric, digits):
    rng = np.random.default_rng(1)
    check_draws(metric, rng.integers(0, 2, 40), rng.normal(size=40).round(digits))
    found = check_draws(metric, [1, 0, 0, 0], [0.1, 0.2, 0.3, 0.1])
    assert np.isnan(found).any()  # of draws without a yes


def test_order_is_all_that_counts():
    scores = np.array(SCORES)
    assert auc(TRUE, np.exp(30 * scores)).value == auc(TRUE, scores).value
    assert auc(TRUE, -scores).value == pytest.approx(1 - auc(TRUE, scores).value)
    assert auc([True, False, True], [np.inf, -np.inf, np.inf]).value == 1.0


def test_the_rate_at_a_rate_by_hand():
    rates = {0.0: 1 / 3, 0.49: 1 / 3, 0.5: 1 / 3, 0.99: 1 / 3, 1.0: 1.0}  # 0.7 has a yes and a no
    for rate, wanted in rates.items():
        assert true_positive_rate_at(TRUE, SCORES, rate).value == wanted
    assert true_positive_rate_at([1, 1, 0, 0], [4, 2, 3, 1], 0.5).value == 1
    assert true_positive_rate_at([0, 1, 1], [9, 2, 3], 0.99).value == 0
    assert true_positive_rate_at([1, 0], [1, 1], 0.0).value == 0  # a tie is over the line together


@pytest.mark.parametrize("digits", [0, 8])
def test_the_rate_at_a_rate_against_all_thresholds(digits):
    rng = np.random.default_rng(digits)
    for n, rate in ((2, 0.3), (10, 0.2), (60, 0.1), (60, 0.0), (60, 1.0)):
        truth = rng.permutation([1, 0, *rng.integers(0, 2, n - 2)])
        scores = rng.normal(size=n).round(digits)
        assert true_positive_rate_at(truth, scores, rate).value == pytest.approx(plain_rate(truth, scores, rate))
    found = check_draws(lambda t, s: true_positive_rate_at(t, s, 0.2), truth, scores)
    assert not np.isnan(found).any()


def test_seven_of_a_hundred_are_seven_percent():
    """0.07 times 100 is 7.000000000000001, 0.29 times 100 is 28.999999999999996."""
    truth = np.arange(200) < 100
    for k in (7, 29, 57):
        scores = np.where(truth, 0.5, np.where(np.arange(200) < 100 + k, 1.0, 0.0))
        assert true_positive_rate_at(truth, scores, k / 100).value == 1
        assert true_positive_rate_at(truth, scores, k / 100 - 0.005).value == 0


def test_a_rate_that_is_none():
    for rate in (-0.1, 1.1, float("nan"), True):
        with pytest.raises(ValueError, match="false_positive_rate is a share from 0 to 1"):
            true_positive_rate_at(TRUE, SCORES, rate)
    with pytest.raises(ValueError, match="every example is a yes"):
        true_positive_rate_at([1, 1], [1, 2], 0.1)
    with pytest.raises(ValueError, match="example 1 is nan"):
        true_positive_rate_at([1, 0], [1, np.nan], 0.1)


class TestEdges:
    def test_all_alike(self):
        assert auc([1, 0, 0], [2, 2, 2]).value == 0.5
        assert average_precision([1, 0, 0], [2, 2, 2]).value == pytest.approx(1 / 3)

    def test_only_one_kind(self):
        for metric in (auc, roc_curve):
            with pytest.raises(ValueError, match="every example is a yes"):
                metric([1, 1], [0.1, 0.2])
        assert average_precision([1, 1], [0.1, 0.2]).value == 1.0
        for metric in (auc, roc_curve, average_precision, precision_recall_curve):
            with pytest.raises(ValueError, match="no example is a yes"):
                metric([0, 0], [0.1, 0.2])

    @pytest.mark.parametrize("metric", [auc, roc_curve, average_precision, precision_recall_curve])
    @pytest.mark.parametrize(
        ("truth", "scores", "words"),
        [
            ([], [], "there is no example"),
            ([1, 0], [0.5], "2 examples and 1 answers"),
            ([1, 2], [0.5, 0.1], "truth of example 1 is 2, expected yes or no"),
            ([1, 0], [0.5, np.nan], "score of example 1 is nan"),
            ([1, 0], [[0.5], [0.1]], "one number per example, got an array of shape"),
        ],
    )
    def test_what_cannot_be_measured_is_said(self, metric, truth, scores, words):
        with pytest.raises(ValueError, match=words):
            metric(truth, scores)
