"""How often the grader's cause is right, on wrong answers that it does not know."""

from collections import Counter

import pytest

from tests.exercises.unseen import Judged, chapters, corpus, judged, own


def rates(found: list[Judged]) -> tuple[float, float, list[str]]:
    counts = Counter(one.verdict for one in found)
    wrong = [
        f"{one.unseen.task.id} {one.unseen.what}: {one.result.cause.name}" for one in found if one.verdict == "wrong"
    ]
    return counts["right"] / len(found), counts["wrong"] / len(found), wrong


@pytest.mark.slow
def test_none_of_them_is_right() -> None:
    assert [one.unseen.what for one in judged(own.FIRST[:6]) if one.result.passed] == []


@pytest.mark.slow
def test_a_few() -> None:
    assert rates(judged(own.FIRST[::6]))[2] == []


@pytest.mark.slow
def test_small_exercises() -> None:
    right, wrong, which = rates(judged(own.FIRST))
    assert right >= 0.9
    assert wrong <= 0.02, which


@pytest.mark.slow
def test_the_books_exercises() -> None:
    found = judged([*own.FIRST, *chapters.unseen()])
    right, wrong, which = rates(found)
    assert right >= 0.88
    assert wrong <= 0.02, which
    slow = [one.unseen for one in found if one.seconds > 3]  # once more: a shared core computes more slowly
    assert [one.task.id for one in slow if min(judged([one])[0].seconds for _ in range(2)) > 3] == []


@pytest.mark.slow
def test_the_exercises_of_chapter_10() -> None:
    """Those that it was made better with, and those that it had not met."""
    right, wrong, which = rates(judged(chapters.unseen(corpus.ENTRIES, corpus.LATER)))
    assert right >= 0.75
    assert wrong <= 0.02, which
    right, wrong, which = rates(judged(chapters.unseen(corpus.LAST)))
    assert right >= 0.55
    assert wrong <= 0.06, which
