import pytest

from tests.benchmarks import micro


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


def test_no_rounds(capsys):
    with pytest.raises(SystemExit):
        micro.main(["--rounds", "0"])
    assert "at least 1" in capsys.readouterr().err
