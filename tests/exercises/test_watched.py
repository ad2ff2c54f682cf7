"""Overflow is noticed where NumPy does not notice it, as in a web page."""

import numpy as np
import pytest

from minilm.exercises import tasks, watched
from minilm.exercises.grade import grade
from minilm.exercises.run import Answer
from minilm.exercises.task import with_bug
from minilm.exercises.watched import strictly

STABLE = tasks.find("3.10")
Z = np.array([-1000.0, 0.0, 1000.0])


@pytest.fixture
def silent(monkeypatch):
    """NumPy as it is in a web page: it keeps quiet on overflow."""
    monkeypatch.setattr(watched, "notices", lambda: False)
    errstate = np.errstate
    monkeypatch.setattr(watched.np, "errstate", lambda **_: errstate(all="ignore"))


def test_numpy_notices_by_itself_here():
    assert watched.notices()


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda z: 1 / (1 + np.exp(-z)), "overflow encountered in exp"),
        (lambda z: np.where(z < 0, np.exp(z), 1 - np.exp(-z)), "overflow encountered in exp"),
        (lambda z: 1 / z, "divide by zero encountered in divide"),
        (lambda z: np.log(z - 2000), "invalid value encountered in log"),
        (lambda z: np.square(z * 1e300, out=z.copy()), "overflow encountered in square"),
        (lambda z: (z * 1e305).sum() + (z + 1e308).sum(), "overflow encountered in add|overflow encountered in reduce"),
    ],
)
@pytest.mark.parametrize("way", ["watched", "by NumPy itself"])
def test_what_overflows_is_an_error(function, says, way, request):
    if way == "watched":
        request.getfixturevalue("silent")
    with pytest.raises(FloatingPointError, match=says):
        strictly(function, Z.copy())


def test_what_does_not_overflow_is_what_it_was(silent):
    z = Z.copy()
    for function in (
        lambda z: np.exp(-np.abs(z)),
        lambda z: z.astype(np.float32) + 1,
        lambda z: z > 0,
        lambda z: z.max(),
    ):
        expected, found = function(z), strictly(function, z)
        assert type(found) is type(expected)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(z, Z)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_every_answer_that_is_known_is_told_the_same(monkeypatch):
    answers = [STABLE.solution, *(with_bug(STABLE.solution, wrong) for wrong in STABLE.wrong)]
    right = [str(grade(STABLE, Answer(text), way="here")) for text in answers]
    monkeypatch.setattr(watched, "notices", lambda: False)
    assert [str(grade(STABLE, Answer(text), way="here")) for text in answers] == right
