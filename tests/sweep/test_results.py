"""Means, intervals and paired differences of a sweep, against the same by hand."""

import math

import numpy as np
import pytest

from minilm.metrics import mean_interval
from minilm.sweep import Results, Row, SweepError

LOSS = {1: [1.0, 1.3, 1.1], 2: [0.8, 1.15, 0.9]}
ROWS = [
    Row({"x": x}, seed, {"loss": loss, "accuracy": 1 - loss / 2}, 1.0)
    for x, found in LOSS.items()
    for seed, loss in enumerate(found)
]
FAILED = Row({"x": 3}, 1, {}, 1.0, "diverged: the loss became nan")


def test_a_mean_with_its_interval():
    found = Results(ROWS).mean({"x": 1})
    assert found.mean == pytest.approx(np.mean(LOSS[1]))
    assert found.interval == mean_interval(LOSS[1])
    assert (found.seeds, found.failed, str(found)) == (3, 0, "1.1333 (0.7539 to 1.5128)")


def test_a_difference_is_paired_by_seed():
    """Each seed alone moves the loss by 0.3, the difference only by a tenth of that."""
    shuffled = Results([ROWS[k] for k in (3, 0, 5, 1, 2, 4)])
    found = shuffled.difference({"x": 1}, {"x": 2})
    assert found.mean == pytest.approx(np.mean(np.subtract(LOSS[1], LOSS[2])))
    assert found.interval == pytest.approx(mean_interval(np.subtract(LOSS[1], LOSS[2])))
    assert found.interval.low > 0
    assert shuffled.mean({"x": 1}).interval.low < shuffled.mean({"x": 2}).interval.high


def test_a_difference_is_of_the_seeds_that_both_have():
    found = Results(ROWS[1:]).difference({"x": 1}, {"x": 2})
    assert (found.seeds, found.mean) == (2, pytest.approx(0.175))
    none = Results([ROWS[0], ROWS[4]]).difference({"x": 1}, {"x": 2})
    assert math.isnan(none.mean)
    assert (none.interval, none.seeds, str(none)) == (None, 0, "none")


def test_the_best():
    assert Results(ROWS).best() == {"x": 2}
    assert Results(ROWS, "accuracy", highest=True).best() == {"x": 2}
    assert Results(ROWS, highest=True).best() == {"x": 1}
    assert Results(ROWS).best("accuracy") == {"x": 1}


def test_survivors_are_not_the_best_while_others_are_whole():
    lucky = Row({"x": 3}, 0, {"loss": 0.1}, 1.0)
    found = Results([*ROWS, lucky, FAILED])
    assert found.best() == {"x": 2}
    assert Results([lucky, FAILED]).best() == {"x": 3}
    assert (found.mean({"x": 3}).seeds, found.mean({"x": 3}).failed, found.failures()) == (1, 1, [FAILED])


def test_the_table_begins_with_the_best():
    head, *lines = Results([*ROWS, FAILED]).table()
    assert head == ("x", "seeds", "loss (95 % interval)", "less the best (95 % interval)")
    assert [line[0] for line in lines] == ["2", "1", "3"]
    assert lines[0][-1] == "the best"
    assert lines[1][-1].startswith("0.1833 (0.1116 to 0.2550")
    assert lines[2][1:] == ("0 (1 failed)", "none", "none")
    assert [line[0] for line in Results(ROWS, "loss", highest=True).table()[1:]] == ["1", "2"]


def test_it_shows_itself():
    found = Results([*ROWS, Row({"x": "<b>"}, 0, {"loss": 5.0}, 1.0)])
    assert repr(found).splitlines()[0] == "| x | seeds | loss (95 % interval) | less the best (95 % interval) |"
    assert "&lt;b&gt;" in found._repr_html_()
    assert found._repr_html_().count("<tr>") == 4


def test_a_sweep_that_found_nothing():
    assert Results([]).settings() == []
    assert len(Results([]).table()) == 1
    assert [line[-2:] for line in Results([FAILED]).table()[1:]] == [("none", "")]
    for rows in ([], [FAILED]):
        with pytest.raises(SweepError, match="no run of the sweep has 'loss'"):
            Results(rows).best()


def test_what_is_not_there_is_named():
    with pytest.raises(SweepError, match="no run has 'los'; they have loss, accuracy"):
        Results(ROWS, "los")
    with pytest.raises(SweepError, match="no run with x=7; it has x=1; x=2"):
        Results(ROWS).mean({"x": 7})
    assert Results(ROWS).mean({"x": 1}, "bleu").seeds == 0


def test_values_of_one_number_by_seed():
    assert Results(ROWS).values({"x": 1.0}) == dict(enumerate(LOSS[1]))
    assert Results(ROWS).values({"x": 1}, "accuracy")[0] == 0.5
