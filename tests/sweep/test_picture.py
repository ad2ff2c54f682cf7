"""The picture of a sweep: where points, lines, intervals and crosses stand."""

import pytest
from matplotlib.figure import Figure

from minilm.metrics import mean_interval
from minilm.sweep import Results, Row, plot
from minilm.sweep.picture import is_geometric, save


def rows(table, failed=()):
    return [Row(dict(settings), seed, {"loss": settings["x"] + seed / 10 + settings.get("y", 0)}, 1.0)
            if (settings["x"], seed) not in failed else Row(dict(settings), seed, {}, 1.0, "diverged")
            for settings in table for seed in (0, 1)]  # fmt: skip


def drawn(results):
    return plot(results, Figure().subplots())


def test_a_line_with_intervals():
    axes = drawn(Results(rows([{"x": x} for x in (3, 1, 2)])))
    line = axes.containers[0]
    assert list(line[0].get_xdata()) == [1, 2, 3]
    assert list(line[0].get_ydata()) == pytest.approx([1.05, 2.05, 3.05])
    interval = mean_interval([1.0, 1.1])
    (x0, low), (x1, high) = line[2][0].get_segments()[0]
    assert (x0, x1, low, high) == pytest.approx((1, 1, interval.low, interval.high))
    assert axes.get_xlim()[0] < 1 < 3 < axes.get_xlim()[1]
    assert axes.get_ylim()[0] < low < 3.05 + (high - low) / 2 < axes.get_ylim()[1]
    assert (axes.get_xscale(), axes.get_xlabel(), axes.get_ylabel(), axes.get_legend()) == ("linear", "x", "loss", None)


def test_two_options_give_a_line_for_each_value_of_the_shorter():
    axes = drawn(Results(rows([{"y": y, "x": x} for y in (0, 5) for x in (0.01, 0.1, 1)])))
    assert axes.get_xscale() == "log"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["y=0", "y=5"]


def test_texts_stand_one_after_the_other():
    axes = drawn(Results([Row({"norm": name}, 0, {"loss": 1.0}, 1.0) for name in ("layer", "rms")]))
    assert [text.get_text() for text in axes.get_xticklabels()] == ["layer", "rms"]


def test_a_cross_marks_a_failure():
    axes = drawn(Results(rows([{"x": 1}, {"x": 2}], failed={(2, 1)})))
    assert [list(line.get_xdata()) for line in axes.lines if line.get_marker() == "x"] == [[2]]


def test_of_many_lines_the_best_are_drawn():
    axes = drawn(Results(rows([{"x": x, "y": y} for x in range(12) for y in range(10)])))
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [f"y={y}" for y in range(7)]


def test_nothing_to_draw():
    assert not drawn(Results([])).lines
    drawn(Results([Row({"x": 1}, 0, {}, 1.0, "diverged")]))


@pytest.mark.parametrize(
    ("values", "said"),
    [([1e-4, 3e-4, 1e-3], True), ([8, 16], False), ([8, 32], True), ([8, 16, 32], True), ([1, 2, 3], False), ([0, 1, 10], False),
     ([-1, -10], False), ([5], False)],
)  # fmt: skip
def test_values_that_are_spread_by_factors(values, said):
    assert is_geometric(values) is said


def test_it_is_written(tmp_path):
    save(Results(rows([{"x": 1}])), tmp_path / "sweep.png")
    assert (tmp_path / "sweep.png").read_bytes()[:4] == b"\x89PNG"
