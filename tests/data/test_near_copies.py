"""Texts that are nearly the same."""

import numpy as np
import pytest

from minilm.data.near_copies import near_copies, shingles, signatures

WORDS = [f"word{n}" for n in range(5000)]


def text_of(numbers):
    return " ".join(WORDS[n] for n in numbers)


def test_a_text_and_the_same_with_another_end_are_one_group():
    letter = text_of(range(100))
    texts = [
        letter,
        "something else altogether, of its own",
        letter + " with a footer",
        letter.upper().replace(" ", ",\n  "),
    ]
    assert near_copies(texts) == [0, 1, 0, 0]


def test_what_is_alike_through_others_is_one_group():
    texts = [text_of(range(start, start + 100)) for start in (0, 15, 30, 45, 60)]
    assert near_copies(texts) == [0] * 5
    assert near_copies([texts[0], texts[4]]) == [0, 1]


def test_a_number_agrees_as_often_as_the_shingles_do():
    rng = np.random.default_rng(3)
    errors = []
    for shared in rng.integers(50, 350, 40):
        first, second = text_of(range(400)), text_of([*range(shared), *range(1000, 1400 - shared)])
        a, b = shingles(first), shingles(second)
        one, other = signatures([first, second])
        errors.append((one == other).mean() - len(a & b) / len(a | b))
    assert abs(np.mean(errors)) < 0.02
    assert np.std(errors) < 1.2 * 0.5 / np.sqrt(64)


def test_short_texts_are_compared_as_a_whole():
    assert near_copies(["yes", "Yes!", "no", "yes no", "", " ", "yes no"]) == [0, 0, 2, 3, 4, 4, 3]
    assert near_copies([]) == []


def test_a_chinese_character_is_a_word():
    first = "".join(chr(0x4E00 + n) for n in range(60))
    assert near_copies([first, first[:55], first[45:]]) == [0, 0, 2]
    assert len(shingles(first)) == 58


def test_numbers_are_the_same_in_every_process():
    assert signatures(["a b c d"])[0, :2].tolist() == signatures(["x", "A, b: c d"])[1, :2].tolist()
    assert [int(n) for n in signatures(["a b c"])[0, :2]] == EXPECTED


EXPECTED = [865987202, 2519046497]


@pytest.mark.parametrize("least", [0, -1, 1.1])
def test_a_share_that_is_none_is_refused(least):
    with pytest.raises(ValueError, match="least is a share"):
        near_copies(["a"], least)
