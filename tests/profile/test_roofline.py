"""Ceilings are plausible, and the picture shows what the table says."""

import time

import numpy as np
import pytest

import minilm as ml
from minilm.backend import cpu
from minilm.profile import Ceilings, measure_ceilings, roofline
from minilm.profile.roofline import draw, drawn
from tests.profile.conftest import CEILINGS
from tests.profile.test_table import example

pytestmark = pytest.mark.host


def names(figure):
    """The ops that are named in the picture."""
    return [text.get_text() for text in figure.axes[0].texts if type(text).__name__ == "Annotation"]


class TestCeilings:
    @pytest.fixture(autouse=True)
    def _small(self, monkeypatch):
        """Arrays and times for a test, not for a measurement."""
        monkeypatch.setattr(roofline, "LARGE", 1 << 18)
        monkeypatch.setattr(roofline, "SLICE", 0.01)
        monkeypatch.setattr(roofline, "_measured", {})

    def test_are_measured_once_for_each_number_of_threads(self):
        threads = ml.get_num_threads()
        try:
            ml.set_num_threads(1)
            first = measure_ceilings()
            assert measure_ceilings() is first
            assert measure_ceilings("cpu", again=True) is not first
            ml.set_num_threads(2)
            assert measure_ceilings().threads == 2
        finally:
            ml.set_num_threads(threads)
        assert first.device == "cpu"
        assert first.threads == 1
        assert 1e8 < first.flops < 1e15
        assert 1e8 < first.memory < 1e14
        assert first.cache > 0

    def test_the_fastest_of_several_calls(self):
        durations = iter([0.0, 0.004, 0.001, 0.002])
        took = roofline._fastest(cpu, lambda: time.sleep(next(durations, 0.003)), 0.0)
        assert 0.001 <= took < 0.003  # the first call does not count

    def test_ridge_and_roof(self):
        assert CEILINGS.ridge == 5.0
        assert CEILINGS.roof(1.0) == 20e9
        assert CEILINGS.roof(50.0) == 100e9


class TestPicture:
    def test_points_are_the_rows(self):
        p = example()
        figure = p.roofline(CEILINGS)
        axes = figure.axes[0]
        assert axes.get_xscale() == axes.get_yscale() == "log"
        points = np.concatenate([c.get_offsets() for c in axes.collections if len(c.get_offsets())])
        expected = [(row.intensity, row.flop_rate / 1e9) for row in drawn(p.results)]
        np.testing.assert_allclose(sorted(map(tuple, points)), sorted(expected))
        areas = np.concatenate([c.get_sizes() for c in axes.collections if len(c.get_offsets())])
        assert areas.max() / areas.min() > 10  # 320 µs beside 2

    def test_rows_without_arithmetic_or_bytes_or_time_have_no_place(self):
        found = [(row.op, row.stage) for row in drawn(example().results)]
        assert found == [
            ("matmul", "backward"),
            ("matmul", "forward"),
            ("sigmoid", "forward"),
            ("sum", "forward"),
            ("sigmoid", "backward"),
        ]

    @pytest.mark.slow
    def test_roofs_are_the_ceilings(self):
        (memory, cache, peak) = example().roofline(CEILINGS).axes[0].lines
        for line, rate in ((memory, 20.0), (cache, 60.0)):
            x, y = line.get_data()
            assert np.asarray(y) / x == pytest.approx([rate, rate])  # GB/s
            assert y[1] == pytest.approx(100.0)
        assert list(peak.get_ydata()) == pytest.approx([100.0, 100.0])

    @pytest.mark.slow
    def test_without_a_cache_there_is_one_slope(self):
        assert len(example().roofline(Ceilings("cuda", 1e12, 1e11)).axes[0].lines) == 2

    @pytest.mark.slow
    def test_names_cover_neither_each_other_nor_points(self):
        figure = example().roofline(CEILINGS)
        figure.draw_without_rendering()
        axes = figure.axes[0]
        renderer = figure.canvas.get_renderer()
        boxes = [
            t.get_window_extent(renderer)
            for t in axes.texts
            if type(t).__name__ == "Annotation" and t.arrow_patch is None
        ]
        texts = [t.get_tightbbox(renderer) for t in axes.texts if t.get_rotation() == 0 and t.get_text()]
        assert len(names(figure)) == 5
        assert all(not a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
        assert all(axes.get_window_extent().x0 <= b.x0 and b.x1 <= axes.get_window_extent().x1 + 1 for b in texts)
        spots = axes.transData.transform([(r.intensity, r.flop_rate / 1e9) for r in drawn(example().results)])
        assert not any(box.contains(x, y) for box in boxes for x, y in spots)

    @pytest.mark.slow
    def test_as_many_names_as_asked_for(self):
        assert names(example().roofline(CEILINGS, labels=2)) == ["matmul", "matmul"]

    def test_nothing_to_draw(self):
        with ml.profile() as p:
            ml.tensor([1.0, 2.0]).reshape(2, 1)
        with pytest.raises(ValueError, match="nothing to draw"):
            draw(p.results, CEILINGS, 3)

    @pytest.mark.slow
    def test_the_readers_style_is_left_alone(self):
        import matplotlib as mpl

        before = dict(mpl.rcParams)
        example().roofline(CEILINGS)
        assert dict(mpl.rcParams) == before
