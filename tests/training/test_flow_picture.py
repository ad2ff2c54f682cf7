"""The picture: a panel for each quantity, a line for each layer; in a notebook, one picture that is renewed."""

import sys
from types import SimpleNamespace

import pytest

from minilm.training.flow_picture import LivePicture, draw_flow, points_of
from minilm.training.flow_rows import Row


def rows(layers=2, steps=3):
    return [
        Row(s, f"l{i}", 1.0 + i, 2.0, 1e-3 * s, 0.0, 1.0, 0.0, "relu")
        for s in range(1, steps + 1)
        for i in range(layers)
    ]


def test_panels():
    figure = draw_flow(rows())
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["gradient norm", "weight norm", "update per weight", "share of dead units", "mean of the output",
                      "deviation of the output"]  # fmt: skip
    assert [len(axes.lines) for axes in figure.axes] == [2, 2, 3, 2, 2, 2]  # and the usual ratio
    assert list(figure.axes[2].lines[1].get_ydata()) == [1e-3, 2e-3, 3e-3]
    assert [axes.get_yscale() for axes in figure.axes] == ["log"] * 3 + ["linear"] * 3
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["l0", "l1"]


def test_many_layers_have_a_scale():
    figure = draw_flow(rows(layers=12))
    assert not figure.legends
    assert [label.get_text() for label in figure.axes[-1].get_yticklabels()] == ["l0", "l11"]


def test_what_cannot_be_drawn_is_left_out():
    some = [Row(1, "a", 0.0), Row(2, "a", float("nan")), Row(3, "a", 1.0), Row(4, "b", 1.0), Row(5, "a")]
    assert points_of(some, "a", "gradient_norm", True) == [(3, 1.0)]
    assert points_of(some, "a", "gradient_norm", False) == [(1, 0.0), (3, 1.0)]
    draw_flow(some)
    draw_flow([Row(1, "a")])
    with pytest.raises(ValueError, match="no rows yet"):
        draw_flow([])


def test_live_picture_is_one_that_is_renewed(monkeypatch):
    shown = []
    handle = SimpleNamespace(update=lambda figure: shown.append(("update", figure)))

    def display(figure, display_id):
        shown.append(("display", figure))
        return handle

    stand_in = SimpleNamespace(display=display)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(display=stand_in))
    monkeypatch.setitem(sys.modules, "IPython.display", stand_in)
    live = LivePicture()
    live.show(rows(steps=1))
    live.show([row._replace(dead=1.0) for row in rows(steps=2)])
    assert [what for what, _ in shown] == ["display", "update"]
    assert shown[0][1] is shown[1][1]
    assert len(shown[0][1].axes) == 6
    assert "100 % of its units gave 0" in shown[0][1].get_suptitle()
