"""Metrics of labels, rankings, probabilities and correlations against scikit-learn and SciPy: random, with ties, degenerate."""

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")

from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import calibration
from sklearn import metrics as theirs

from minilm import metrics as ours

pytestmark = pytest.mark.filterwarnings(
    "ignore:A single label was found"
)  # of one class they warn of the table's shape

LABELS = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), min_size=1, max_size=30)
NUMBERS = st.floats(-3, 3).map(lambda x: round(x, 1))  # with ties
RANKED = st.lists(st.tuples(st.booleans(), NUMBERS), min_size=2, max_size=30)
PROBABILITIES = st.lists(st.tuples(st.booleans(), st.sampled_from(np.linspace(0, 1, 21))), min_size=1, max_size=40)
PAIRS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=30)


@given(LABELS)
def test_labels(pairs):
    truth, answers = map(list, zip(*pairs, strict=True))
    assert ours.accuracy(truth, answers).value == pytest.approx(theirs.accuracy_score(truth, answers))
    np.testing.assert_array_equal(
        ours.confusion_matrix(truth, answers).counts,
        theirs.confusion_matrix(truth, answers, labels=sorted({*truth, *answers})),
    )
    functions = ("precision", "recall", "f1")
    for average in ("macro", "micro", "weighted"):
        for name in functions:
            expected = getattr(theirs, f"{name}_score")(truth, answers, average=average, zero_division=0)
            assert getattr(ours, name)(truth, answers, average).value == pytest.approx(expected)
    for c, scores in ours.per_class(truth, answers).items():
        expected = [
            getattr(theirs, f"{name}_score")(truth, answers, labels=[c], average="macro", zero_division=0)
            for name in functions
        ]
        assert [score.value for score in scores] == pytest.approx(expected)


@given(LABELS, st.sets(st.sampled_from("abcd"), min_size=1))
def test_some_of_the_classes(pairs, labels):
    """A class that does not occur is left out: scikit-learn's zero_division=nan of F1."""
    truth, answers = map(list, zip(*pairs, strict=True))
    labels = sorted(labels)
    if not {*truth, *answers} & {*labels}:
        return
    expected = theirs.f1_score(truth, answers, labels=labels, average="macro", zero_division=np.nan)
    assert ours.f1(truth, answers, labels=labels).value == pytest.approx(expected)
    expected = theirs.f1_score(truth, answers, labels=labels, average="micro", zero_division=0)
    assert ours.f1(truth, answers, "micro", labels=labels).value == pytest.approx(expected)


@given(RANKED)
def test_rankings(pairs):
    truth, scores = map(list, zip(*pairs, strict=True))
    if not any(truth):
        return
    assert ours.average_precision(truth, scores).value == pytest.approx(theirs.average_precision_score(truth, scores))
    precision, recall, thresholds = theirs.precision_recall_curve(truth, scores)
    curve = ours.precision_recall_curve(truth, scores)
    np.testing.assert_allclose(curve.precision[::-1], precision[:-1])
    np.testing.assert_allclose(curve.recall[::-1], recall[:-1])
    np.testing.assert_allclose(curve.thresholds[::-1], thresholds)
    if all(truth):
        return
    assert ours.auc(truth, scores).value == pytest.approx(theirs.roc_auc_score(truth, scores))
    for mine, other in zip(
        ours.roc_curve(truth, scores), theirs.roc_curve(truth, scores, drop_intermediate=False), strict=True
    ):
        np.testing.assert_allclose(mine, other)


@pytest.mark.parametrize("digits", [0, 1, 6])
def test_draws_of_rankings_are_weights_of_examples(digits):
    """Many draws at once, of hundreds of examples: each is scikit-learn's number with the draw as weights."""
    rng = np.random.default_rng(digits)
    truth, scores = rng.random(300) < 0.3, rng.normal(size=300).round(digits)
    times = rng.multinomial(300, np.full(300, 1 / 300), 20)
    for metric, other in ((ours.auc, theirs.roc_auc_score), (ours.average_precision, theirs.average_precision_score)):
        expected = [other(truth, scores, sample_weight=row) for row in times]
        np.testing.assert_allclose(metric(truth, scores).of_draws(times.astype(float)), expected)
    expected = [stats.spearmanr(np.repeat(truth, row), np.repeat(scores, row))[0] for row in times]
    np.testing.assert_allclose(ours.spearman(truth, scores).of_draws(times.astype(float)), expected)


@given(PROBABILITIES, st.integers(1, 12))
def test_probabilities(pairs, bins):
    right, sure = map(list, zip(*pairs, strict=True))
    assert ours.brier(right, sure).value == pytest.approx(theirs.brier_score_loss(right, sure, pos_label=True))
    found = ours.reliability(right, sure, bins)
    some = found.counts > 0
    accuracy, confidence = calibration.calibration_curve(right, sure, n_bins=bins, pos_label=True)
    np.testing.assert_allclose(found.accuracy[some], accuracy)
    np.testing.assert_allclose(found.confidence[some], confidence)
    expected = (found.counts[some] * np.abs(accuracy - confidence)).sum() / len(right)
    assert ours.calibration_error(right, sure, bins).value == pytest.approx(expected)


def test_brier_of_several_classes():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(4), 50)
    y = rng.integers(0, 4, 50)
    expected = theirs.brier_score_loss(y, p, labels=range(4), scale_by_half=False)
    assert ours.brier(y, p).value == pytest.approx(expected)


@given(PAIRS)
def test_correlations(pairs):
    x, y = map(list, zip(*pairs, strict=True))
    assert ours.mean_absolute_error(x, y).value == pytest.approx(theirs.mean_absolute_error(x, y))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where one of the two never changes
        pearson, spearman = stats.pearsonr(x, y)[0], stats.spearmanr(x, y)[0]
    assert ours.pearson(x, y).value == pytest.approx(pearson, nan_ok=True, abs=1e-9)
    assert ours.spearman(x, y).value == pytest.approx(spearman, nan_ok=True, abs=1e-9)


@given(st.lists(st.lists(st.integers(0, 3), min_size=5, max_size=5), min_size=1, max_size=10), st.integers(1, 6))
def test_discounted_gain(gains, k):
    places = -np.tile(np.arange(5), (len(gains), 1))
    assert ours.ndcg(gains, k).value == pytest.approx(theirs.ndcg_score(gains, places, k=k))
