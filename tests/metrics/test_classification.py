"""Labels: counted by hand, averaged three ways, drawn again; classes that are never true or never said."""

import numpy as np
import pytest

from minilm.metrics import accuracy, confusion_matrix, f1, per_class, precision, recall
from tests.metrics.draws import check_draws

#         0    1    2    3    4    5
TRUE = ["a", "a", "a", "b", "b", "c"]
SAID = ["a", "a", "b", "b", "c", "b"]
# a: right 2, true 3, said 2.  b: right 1, true 2, said 3.  c: right 0, true 1, said 1.


def test_accuracy():
    assert accuracy(TRUE, SAID).value == 3 / 6
    assert accuracy([1, 0], [True, False]).value == 1.0


def test_confusions_have_the_truth_in_rows():
    labels, counts = confusion_matrix(TRUE, SAID)
    assert labels == ["a", "b", "c"]
    assert counts.tolist() == [[2, 1, 0], [0, 1, 1], [0, 1, 0]]
    assert confusion_matrix(TRUE, SAID, ["b", "a"]).counts.tolist() == [[1, 0], [1, 2]]
    assert confusion_matrix(TRUE, SAID, ["a", "z"]).counts.tolist() == [[2, 0], [0, 0]]


def test_of_one_class():
    assert [precision(TRUE, SAID, of=c).value for c in "abc"] == [1, 1 / 3, 0]
    assert [recall(TRUE, SAID, of=c).value for c in "abc"] == [2 / 3, 1 / 2, 0]
    assert [f1(TRUE, SAID, of=c).value for c in "abc"] == pytest.approx([4 / 5, 2 / 5, 0])
    assert f1(TRUE, SAID, of="a").name == "F1 of a"
    table = per_class(TRUE, SAID)
    assert list(table) == ["a", "b", "c"]
    assert [round(score.value, 4) for score in table["b"]] == [0.3333, 0.5, 0.4]


def test_averages():
    assert f1(TRUE, SAID).value == pytest.approx((4 / 5 + 2 / 5 + 0) / 3)
    assert f1(TRUE, SAID, "weighted").value == pytest.approx((3 * 4 / 5 + 2 * 2 / 5 + 0) / 6)
    assert f1(TRUE, SAID, "micro").value == accuracy(TRUE, SAID).value
    assert f1(TRUE, SAID, "micro", labels=["a", "b"]).value == pytest.approx(2 * 3 / (5 + 5))
    assert precision(TRUE, SAID, "micro", labels=["a", "b"]).value == 3 / 5


@pytest.mark.parametrize("metric", [precision, recall, f1])
@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
def test_of_a_draw_it_is_the_number_of_what_was_drawn(metric, average):
    rng = np.random.default_rng(0)
    check_draws(lambda t, s: metric(t, s, average), TRUE, SAID)
    check_draws(lambda t, s: metric(t, s, average), rng.integers(0, 4, 30), rng.integers(0, 4, 30))
    check_draws(lambda t, s: metric(t, s, of="c"), TRUE, SAID)


def test_accuracy_of_a_draw():
    check_draws(accuracy, TRUE, SAID)


class TestEdges:
    def test_a_class_that_is_only_said_or_only_true_has_0(self):
        assert recall(["a", "a"], ["a", "b"], of="b").value == 0.0
        assert precision(["a", "b"], ["a", "a"], of="b").value == 0.0
        assert f1(["a", "b"], ["a", "a"], of="b").value == 0.0
        assert f1(["a", "a"], ["b", "b"]).value == 0.0

    def test_a_class_that_does_not_occur_is_left_out_of_an_average(self):
        assert f1(["a", "a"], ["a", "a"], labels=["a", "z"]).value == 1.0
        assert np.isnan(f1(["a"], ["a"], labels=["z"]).value)

    def test_one_class_all_right(self):
        assert f1(["a", "a"], ["a", "a"]).value == 1.0
        assert f1(["a", "a"], ["a", "a"]).interval()[:2] == (1.0, 1.0)

    def test_labels_of_several_kinds_and_scripts(self):
        assert accuracy([1, "1", "好"], ["1", "1", "好"]).value == 2 / 3
        assert confusion_matrix([1, "1"], ["1", "1"]).labels == [1, "1"]
        assert confusion_matrix(np.array([1, 0]), np.array([1, 1])).labels == [0, 1]

    @pytest.mark.parametrize("metric", [accuracy, confusion_matrix, precision, recall, f1, per_class])
    def test_what_cannot_be_measured_is_said(self, metric):
        with pytest.raises(ValueError, match="there is no example"):
            metric([], [])
        with pytest.raises(ValueError, match="2 examples and 1 answers"):
            metric(["a", "b"], ["a"])
        with pytest.raises(ValueError, match="got one text: 'ab'"):
            metric("ab", ["a", "b"])

    def test_names_that_are_none(self):
        with pytest.raises(ValueError, match="no average 'mean'; there are macro, micro, weighted"):
            f1(TRUE, SAID, "mean")
        with pytest.raises(ValueError, match="F1 of 'z': nothing is of this class"):
            f1(TRUE, SAID, of="z")
        with pytest.raises(ValueError, match="names no class"):
            f1(TRUE, SAID, labels=[])
