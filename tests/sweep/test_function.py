"""A sweep of a function: every combination and seed once, kept, resumed, and what failed."""

import math

import numpy as np
import pytest

from minilm.sweep import SweepError, read, sweep


class Counted:
    """A function that notes its calls; those of `bad` fail."""

    def __init__(self, bad=()):
        self.calls, self.bad = [], bad

    def __call__(self, x, seed, y=0):
        self.calls.append((x, y, seed))
        if x in self.bad:
            raise FloatingPointError("the loss became nan")
        return x + 0.1 * seed + y


def test_every_combination_with_every_seed():
    measure = Counted()
    found = sweep(measure, {"x": [1, 2], "y": [0, 10]}, seeds=[3, 5])
    assert measure.calls == [(x, y, seed) for x in (1, 2) for y in (0, 10) for seed in (3, 5)]
    assert found.best() == {"x": 1, "y": 0}
    assert found.mean({"x": 2, "y": 10}).mean == pytest.approx(12.4)


def test_what_is_there_is_not_measured_again(tmp_path):
    measure = Counted()
    sweep(measure, {"x": [1, 2]}, seeds=2, folder=tmp_path / "s")
    found = sweep(measure, {"x": [2, 3]}, seeds=3, folder=tmp_path / "s")
    assert measure.calls[4:] == [(2, 0, 2), (3, 0, 0), (3, 0, 1), (3, 0, 2)]
    assert [dict(each) for each in found.settings()] == [{"x": 2}, {"x": 3}]
    assert len(read(tmp_path / "s")) == 2 + 3 + 3


def test_an_error_keeps_what_was_measured(tmp_path):
    def measure(x, seed):
        if x == 2:
            raise KeyboardInterrupt
        return x

    with pytest.raises(KeyboardInterrupt):
        sweep(measure, {"x": [1, 2]}, seeds=2, folder=tmp_path)
    assert len(read(tmp_path)) == 2


def test_what_diverged_is_kept_and_tried_again_only_when_asked(tmp_path):
    measure = Counted(bad=[2])
    found = sweep(measure, {"x": [1, 2]}, seeds=1, folder=tmp_path)
    assert [row.reason for row in found.rows] == [None, "diverged: the loss became nan"]
    measure.bad = []
    assert sweep(measure, {"x": [1, 2]}, seeds=1, folder=tmp_path).failures() == found.failures()
    assert len(measure.calls) == 2
    assert not sweep(measure, {"x": [1, 2]}, seeds=1, folder=tmp_path, again=True).failures()
    assert len(measure.calls) == 3
    assert not read(tmp_path).failures()


def test_a_number_that_is_not_finite_is_a_failure():
    found = sweep(lambda x, seed: {"loss": x, "other": 1.0}, {"x": [1]}, seeds=1)
    assert found.rows[0].numbers == {"loss": 1, "other": 1.0}
    found = sweep(lambda x, seed: {"other": 1.0, "loss": math.inf}, {"x": [1]}, seeds=1)
    assert (found.rows[0].numbers, found.rows[0].reason) == ({}, "diverged: loss is inf")


def test_numbers_of_numpy():
    found = sweep(lambda x, seed: {"a": np.float32(0.5), "b": np.int64(3)}, {"x": [1]}, seeds=1)
    assert found.rows[0].numbers == {"a": 0.5, "b": 3}
    assert type(found.rows[0].numbers["b"]) is int


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"table": {}}, "nothing to sweep"),
        ({"table": {"seed": [1]}}, "seed is not an option"),
        ({"seeds": 0}, "at least 1"),
        ({"seeds": [1, 1]}, "differ"),
        ({"seeds": [0.5]}, "integers"),
        ({"measure": lambda x, seed: None}, "the function gave None as loss"),
        ({"measure": lambda x, seed: {"f1": "high"}}, "'high' as f1"),
    ],
)
def test_what_is_no_sweep_is_refused(options, said):
    with pytest.raises(SweepError, match=said):
        sweep(**{"measure": Counted(), "table": {"x": [1]}, **options})


def test_another_function_in_the_same_folder_is_refused(tmp_path):
    sweep(Counted(), {"x": [1]}, seeds=1, folder=tmp_path)
    with pytest.raises(SweepError, match="something else"):
        sweep(lambda x, seed: x, {"x": [1]}, seeds=1, folder=tmp_path)
