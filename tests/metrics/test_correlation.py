"""Correlations: by hand, ties, what never changes, rounding; the mean absolute error."""

import numpy as np
import pytest

from minilm.metrics import mean_absolute_error, pearson, spearman
from tests.metrics.draws import check_draws


def plain_ranks(values):
    """The mean of the places that equal numbers take."""
    return [sum(v < x for v in values) + (sum(v == x for v in values) + 1) / 2 for x in values]


def test_by_hand():
    assert pearson([1, 2, 3], [2, 4, 6]).value == pytest.approx(1)
    assert pearson([1, 2, 3], [1, 3, 2]).value == pytest.approx(0.5)
    assert spearman([1, 2, 3], [1, 100, 8]).value == pytest.approx(0.5)
    assert spearman([1, 2, 3], [-1, -8, -27]).value == pytest.approx(-1)
    assert mean_absolute_error([1, 2], [3, 1.5]).value == 1.25
    assert not mean_absolute_error([1], [1]).higher_is_better


def test_ties_share_the_mean_of_their_ranks():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 4, 40), rng.integers(0, 6, 40)
    assert spearman(x, y).value == pytest.approx(np.corrcoef(plain_ranks(x), plain_ranks(y))[0, 1])


@pytest.mark.parametrize("metric", [pearson, spearman, mean_absolute_error])
@pytest.mark.parametrize("digits", [0, 8])
def test_of_a_draw_it_is_the_number_of_what_was_drawn(metric, digits):
    rng = np.random.default_rng(0)
    x = rng.normal(size=25)
    check_draws(metric, x.round(digits), (x + rng.normal(size=25)).round(digits))
    if metric is not mean_absolute_error:
        assert np.isnan(
            check_draws(metric, [0.1, 0.7, 0.7], [0.3, 0.1, 0.2], draws=200)
        ).any()  # of one example, thrice


def test_numbers_of_any_size():
    x = np.array([1.0, 2.0, 4.0, 3.0])
    for scale in (1e-200, 1e200):
        assert pearson(x * scale, x[::-1]).value == pytest.approx(pearson(x, x[::-1]).value)
    assert pearson(x + 1e9, x).value == pytest.approx(1)


class TestEdges:
    def test_what_never_changes_follows_nothing(self):
        for metric in (pearson, spearman):
            assert np.isnan(metric([0.1, 0.1, 0.1], [1, 2, 3]).value)
            assert np.isnan(metric([1], [1]).value)
            assert metric([0.1, 0.1, 0.1], [1, 2, 3]).interval() is None

    @pytest.mark.parametrize("metric", [pearson, spearman, mean_absolute_error])
    def test_what_cannot_be_measured_is_said(self, metric):
        for truth, answers, words in (
            ([], [], "there is no example"),
            ([1], [1, 2], "1 examples and 2 answers"),
            ([1, np.nan], [1, 2], "truth of example 1 is nan"),
            ([1, 2], [np.inf, 2], "answer of example 0 is infinite"),
        ):
            with pytest.raises(ValueError, match=words):
                metric(truth, answers)
