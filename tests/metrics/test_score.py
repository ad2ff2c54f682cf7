"""Numbers over examples: values, intervals, paired differences against a plain loop, groups, and what cannot be measured."""

import numpy as np
import pytest

from minilm.metrics import Score, accuracy, auc, bleu
from tests.metrics.draws import check_draws


def plain_draws(statistic, columns, resamples, seed):
    """The bootstrap as it is told: draw n of n examples with replacement, and take the number of what was drawn."""
    n, rng, found = len(columns[0]), np.random.default_rng(seed), []
    for _ in range(resamples):
        drawn = rng.integers(0, n, n)
        found.append(statistic(*(np.asarray(column)[drawn] for column in columns)))
    return np.array(found)


def test_a_mean_and_its_value():
    score = Score.mean("accuracy", [1, 0, 1, 1])
    assert (score.name, score.n, score.value, float(score), score.higher_is_better) == ("accuracy", 4, 0.75, 0.75, True)
    assert str(score).startswith("accuracy 0.75 (95%: 0.25 to 1)")
    assert score.named("x").name == "x"


def test_a_number_of_sums_is_taken_of_the_sums():
    score = Score.of_sums("ratio", [[1, 2], [3, 4]], lambda a, b: a / b)
    assert score.value == 4 / 6
    np.testing.assert_allclose(score.of_draws(np.array([[2.0, 0.0], [0.0, 2.0]])), [1 / 2, 3 / 4])


def test_the_interval_is_that_of_a_plain_loop():
    rng = np.random.default_rng(0)
    right = rng.random(60) < 0.7
    low, high, confidence = Score.mean("accuracy", right).interval(resamples=4000)
    plain = np.quantile(plain_draws(np.mean, [right], 4000, 1), [0.025, 0.975])
    assert confidence == 0.95
    np.testing.assert_allclose([low, high], plain, atol=1.5 / 60)  # within an example or so


def test_the_paired_interval_is_that_of_a_plain_loop():
    """The second system is right where the first is, and in some more cases: told apart although the intervals overlap."""
    rng = np.random.default_rng(0)
    hard = rng.random(400)
    first, second = hard < 0.70, hard < 0.74
    a, b = Score.mean("accuracy", first), Score.mean("accuracy", second)
    low, high, _ = b.minus(a, resamples=2000)
    plain = plain_draws(lambda x, y: y.mean() - x.mean(), [first, second], 2000, 1)
    np.testing.assert_allclose([low, high], np.quantile(plain, [0.025, 0.975]), atol=0.005)
    assert low > 0
    assert a.interval().high > b.interval().low
    assert a.minus(b, resamples=2000)[:2] == pytest.approx((-high, -low))


def test_the_paired_interval_of_a_number_that_is_no_mean():
    rng = np.random.default_rng(0)
    truth = rng.random(300) < 0.4
    first = truth + rng.normal(size=300)
    second = truth + rng.normal(size=300)
    low, high, _ = auc(truth, first).minus(auc(truth, second), resamples=2000)
    plain = plain_draws(lambda t, x, y: auc(t, x).value - auc(t, y).value, [truth, first, second], 500, 1)
    np.testing.assert_allclose([low, high], np.quantile(plain, [0.025, 0.975]), atol=0.015)


def test_of_a_draw_it_is_the_number_of_what_was_drawn():
    check_draws(lambda values: Score.mean("mean", values), [0.5, -1.0, 3.0, 3.0])


def test_draws_in_parts_are_the_same_draws(monkeypatch):
    score = Score.mean("mean", np.random.default_rng(0).random(30))
    whole = score.interval()
    monkeypatch.setattr("minilm.metrics.interval.AT_ONCE", 300)
    assert score.interval() == pytest.approx(whole)


def test_a_seed_gives_one_interval():
    score = Score.mean("mean", np.random.default_rng(0).random(30))
    assert score.interval(seed=3) == score.interval(seed=3) != score.interval(seed=4)
    assert score.interval(confidence=0.5).high < score.interval().high


class TestGroups:
    def test_the_number_stays_and_the_interval_widens_where_examples_depend(self):
        """Ten groups of thirty examples that are all alike: there are ten things to draw, not three hundred."""
        groups = np.repeat(list("abcdefghij"), 30)
        right = np.repeat([1, 1, 0, 1, 0, 1, 1, 1, 0, 1], 30)
        alone = Score.mean("accuracy", right)
        together = alone.by_group(groups)
        assert (together.n, together.size, together.value) == (10, 300, alone.value)
        plain = Score.mean("accuracy", right[::30]).interval()
        assert together.interval() == pytest.approx(plain)
        assert alone.interval().high - alone.interval().low < 0.4 * (plain.high - plain.low)

    def test_groups_of_several_sizes_weigh_by_their_examples(self):
        score = Score.mean("accuracy", [1, 1, 1, 0]).by_group(["a", "a", "a", "b"])
        np.testing.assert_allclose(score.of_draws(np.array([[1.0, 1.0], [2.0, 0.0]])), [0.75, 1.0])

    def test_one_group_has_no_interval(self):
        assert Score.mean("accuracy", [1, 0]).by_group([7, 7]).interval() is None

    def test_every_example_is_of_a_group(self):
        with pytest.raises(ValueError, match="one group per example, got 1 for 2"):
            Score.mean("accuracy", [1, 0]).by_group(["a"])


class TestEdges:
    def test_one_example_has_a_number_and_no_interval(self):
        score = accuracy(["a"], ["a"])
        assert (score.value, score.interval()) == (1.0, None)
        assert str(score) == "accuracy 1"

    def test_all_right_has_no_width(self):
        assert accuracy(list("aab"), list("aab")).interval()[:2] == (1, 1)

    def test_no_example_is_an_error(self):
        with pytest.raises(ValueError, match="there is no example"):
            Score.mean("accuracy", [])
        with pytest.raises(ValueError, match="there is no example"):
            bleu([], [])

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_what_is_not_finite_is_an_error_that_says_where(self, bad):
        with pytest.raises(ValueError, match="loss: what example 1 adds is not finite"):
            Score.mean("loss", [1.0, bad, 2.0])

    def test_one_number_per_example(self):
        with pytest.raises(
            ValueError, match=r"accuracy: expected one row of numbers per example, got an array of shape \(2, 2, 2\)"
        ):
            Score.mean("accuracy", [[1, 0], [0, 1]])

    def test_draws_without_a_number_are_left_out_and_without_any_there_is_none(self):
        some = Score("some", 2, lambda times: np.where(times[:, 0] == 1, 0.5, np.nan))
        assert some.interval()[:2] == (0.5, 0.5)
        assert Score("none", 2, lambda times: np.full(len(times), np.nan)).interval() is None

    def test_a_paired_interval_is_over_the_same_examples(self):
        with pytest.raises(ValueError, match="the same examples, got 2 and 3"):
            Score.mean("a", [1, 0]).minus(Score.mean("a", [1, 0, 1]))

    @pytest.mark.parametrize(("options", "words"), [({"confidence": 95}, "share"), ({"resamples": 10}, "at least 100")])
    def test_arguments_out_of_range(self, options, words):
        with pytest.raises(ValueError, match=words):
            Score.mean("a", [1, 0]).interval(**options)
