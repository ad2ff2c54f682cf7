"""Words of the poem and of the manual: parts without copies, and copies that are found where they are left."""

import pytest

from minilm.book import words
from minilm.book.words import END, manual_words, poem, share_of_runs, split_words


@pytest.fixture
def manual(monkeypatch):
    """Forty paragraphs, of which ten are copies, two differ in case and punctuation alone, and one has no word."""
    blocks = [f"Paragraph {'ab'[k % 2] * (k + 1)} is number {k}." for k in range(30)]
    topics = {"first": "\n\n".join(blocks), "second": "\n\n".join([*blocks[:9], blocks[9].upper().rstrip("."), "----"])}
    monkeypatch.setattr(words, "python_topics", lambda: topics)


def test_words_are_runs_of_letters_in_lower_case():
    assert split_words("Don't panic: 42 TIMES, x_1") == ["don't", "panic", "times", "x"]


def test_the_poem_has_its_lines():
    lines = poem()
    assert len(lines) == 20
    assert lines[1] == ["beautiful", "is", "better", "than", "ugly"]


@pytest.mark.usefixtures("manual")
def test_no_paragraph_stands_in_two_parts():
    parts = manual_words()
    assert [len(part) for part in parts[:3]] == [24, 3, 3]
    assert parts.copies == 10
    every = [tuple(p) for part in parts[:3] for p in part]
    assert len(set(every)) == 30
    assert all(p[0] == p[-1] == END for p in every)
    assert share_of_runs(parts.test, parts.train, 5) == 0


@pytest.mark.usefixtures("manual")
def test_copies_that_are_left_stand_in_both():
    shares = [share_of_runs(p.test, p.train, 5) for p in (manual_words(copies=True, seed=seed) for seed in range(8))]
    assert max(shares) > 0
    assert all(sum(map(len, manual_words(copies=True, seed=seed)[:3])) == 40 for seed in range(2))


@pytest.mark.usefixtures("manual")
def test_a_seed_gives_the_same_parts():
    assert manual_words(seed=3) == manual_words(seed=3) != manual_words(seed=4)


def test_runs_find_what_is_quoted():
    train = [["one", "two", "three", "four"], ["five", "six"]]
    assert share_of_runs([["zero", "two", "three", "four", "nine"]], train, 3) == 1 / 3
    assert share_of_runs([["four", "five", "six"]], train, 3) == 0  # a run does not cross paragraphs
    with pytest.raises(ValueError, match="run of 3 words"):
        share_of_runs([["one", "two"]], train, 3)
