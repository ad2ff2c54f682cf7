"""The experiment on scale with made-up runs that keep a law: what it reports is that law, and predictions are made of the grid alone."""

import pytest

from minilm.scaling import Law, parameters
from tests.experiments import scale
from tests.tiny import TEXT

LAW = Law(1.2, 15.0, 0.4, 300.0, 0.5)


@pytest.mark.slow
def test_rows(monkeypatch):
    asked = []

    def reading(text, width, tokens, *, rate, seed, fresh=None):
        asked.append((width, tokens, seed))
        n = parameters(width, text.vocabulary)
        wrong = abs(rate * width - 0.16) + (0.1 if fresh else 0.0)
        loss = LAW.loss(n, tokens) + wrong + 1e-3 * (seed - 1) * (seed < 100)
        found = {f"right {k}": 0.3**k for k in (1, 2, 4, 8)}
        return {"loss": loss, **found, "validation loss": loss, "parameters": n, "tokens": tokens}

    monkeypatch.setattr(scale, "reading", reading)
    monkeypatch.setattr(scale, "TEXT", TEXT)
    rows = scale.measure()
    assert [row["what"] for row in rows] == [
        "law",
        "prediction",
        "prediction",
        *["grid"] * 16,
        "read again",
        "read again",
    ]
    assert rows[0]["alpha"][0] == pytest.approx(LAW.alpha, abs=0.01)
    for row in rows[1:3]:
        low, high = row["predicted"][1:]
        assert low < row["loss"][0] < high
        assert row["predicted"][0] == pytest.approx(row["loss"][0], abs=2e-3)
    assert rows[1]["straight line"] < rows[1]["predicted"][0]
    assert {row["rate"] * row["width"] for row in rows[1:]} == {0.16}
    again = rows[-2:]
    assert [row["fresh"] for row in again] == [12_800, 51_200]
    assert all(row["loss"][0] == pytest.approx(rows[-3]["loss"][0] + 0.1) for row in again)
    assert len(asked) == 20 + 48 + 6 + 6
