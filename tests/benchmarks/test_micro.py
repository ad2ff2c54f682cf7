import numpy as np
import pytest

from tests.benchmarks import micro

pytestmark = pytest.mark.host


def test_each_turn_is_measured_and_the_losses_are_compared():
    seconds = micro.measure(2)
    assert set(seconds) >= {"plain Python", "minilm"}
    assert all(len(values) == 2 and min(values) > 0 for values in seconds.values())


def test_models_that_do_not_compute_the_same_are_not_measured(monkeypatch):
    monkeypatch.setattr(micro, "steps", lambda: {"plain Python": lambda tokens: 1.0, "minilm": lambda tokens: 1.1})
    with pytest.raises(RuntimeError, match="do not compute the same"):
        micro.measure(1)


def test_median_with_interval_by_hand():
    assert micro.median_with_interval([3.0, 1.0, 2.0]) == (2.0, 1.0, 3.0)
    assert micro.median_with_interval(range(101)) == (50, 40, 61)


def test_lines(capsys):
    micro.main(["--rounds", "2"])
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith("plain Python")
    assert "times as long" in second


def test_minilm_is_compared_with_pytorch_where_that_is_there(monkeypatch, capsys):
    times = {"plain Python": [6.0] * 3, "minilm": [1.0, 3.0, 3.0], "PyTorch": [2.0, 2.0, 2.0]}
    monkeypatch.setattr(micro, "measure", lambda rounds: times)
    micro.main(["--rounds", "3"])
    *_, ours, theirs = capsys.readouterr().out.splitlines()
    assert "minilm" not in ours.removeprefix("minilm")
    assert theirs.endswith("plain Python takes 3.0 times as long (3.0 to 3.0), minilm 1.50 times (0.50 to 1.50)")


def test_the_model_computes_in_float64():
    """So compiled kernels, which are for float32, have no part in it."""
    twin = micro.MicroTensorGPT(micro.MicroGPT(5, rng=micro.random.Random(0)))
    assert {p.dtype for p in twin.parameters()} == {np.dtype("float64")}


def test_no_rounds(capsys):
    with pytest.raises(SystemExit):
        micro.main(["--rounds", "0"])
    assert "at least 1" in capsys.readouterr().err
