"""How texts are changed so that a filter does not know them, and what undoes it."""

import numpy as np
import pytest

from minilm.text.evasion import (
    INVISIBLE,
    LOOKALIKES,
    good_words,
    homoglyphs,
    interleaved,
    invisible,
    normalized,
    spaced,
    with_words,
)

TEXT = "Claim your FREE prize now, Ms. O'Neil - call 0800 123! I am a friend."


def rng(seed=0):
    return np.random.default_rng(seed)


def test_each_lookalike_is_another_letter_that_no_two_share():
    assert all(a.isascii() and a.isalpha() and b.isalpha() and not b.isascii() for a, b in LOOKALIKES.items())
    assert len(set(LOOKALIKES.values())) == len(LOOKALIKES)


def test_all_letters_that_have_one():
    assert homoglyphs("Free, ok?", rng()) == "Frее, оk?"
    assert homoglyphs(TEXT, rng(), 0.0) == TEXT
    changed = homoglyphs("e" * 1000, rng(), 0.3)
    assert 250 < changed.count(LOOKALIKES["e"]) < 350


def test_letters_apart():
    assert spaced("your prize!", rng()) == " y o u r   p r i z e !"
    assert spaced("a free 4 all", rng(), by=".") == "a f.r.e.e 4 a.l.l"
    assert spaced(TEXT, rng(), 0.0) == TEXT


def test_marks_that_nobody_sees():
    changed = invisible(TEXT, rng())
    assert changed != TEXT
    assert changed.replace(INVISIBLE, "") == TEXT
    assert all(not word.startswith(INVISIBLE) and not word.endswith(INVISIBLE) for word in changed.split())


@pytest.mark.parametrize("attack", [homoglyphs, spaced, invisible])
@pytest.mark.parametrize("share", [0.3, 1.0])
def test_normalized_undoes_each(attack, share):
    """But for blanks, of which letters apart leave some."""
    for seed in range(5):
        assert normalized(attack(TEXT, rng(seed), share)).replace(" ", "") == TEXT.replace(" ", "")


def test_what_it_does_not_undo():
    assert normalized(spaced("free", rng(), by=".")) == "f.r.e.e"


def test_what_it_leaves_alone():
    for text in ("", "I am a man", "plan b or c", "x y", TEXT, "été, 你好"):
        assert normalized(text) == text
    assert normalized("ＦＲＥＥ ﬁve\u00ad") == "FREE five"
    assert normalized("f r e e x y z") == "freexyz"


@pytest.mark.parametrize("text", ["", "f r e e", "Сасһ пow", "e\u0301 \u200b", "a b c d 1 2 3", "ﬁ\u200d r s t"])
def test_twice_is_as_once(text):
    assert normalized(normalized(text)) == normalized(text)


WEIGHTS = {"meeting": -3.0, "thanks": -1.0, "prize": 2.0, "the": 0.0}


def score(texts):
    return np.array([sum(WEIGHTS.get(word, 0.0) for word in set(text.lower().split())) for text in texts])


def test_the_words_by_which_a_score_falls():
    assert good_words(score, ["a prize"], ["the", "thanks", "prize", "meeting", "thanks"], 9) == [
        "meeting",
        "thanks",
        "thanks",
    ]
    assert good_words(score, ["a prize", "no"], list(WEIGHTS), 1) == ["meeting"]
    assert good_words(score, ["meeting", "thanks"], ["meeting", "thanks"], 1) == [
        "meeting"
    ]  # 1.5 on average against 0.5
    assert good_words(score, ["x"], [], 3) == []
    assert good_words(score, ["x"], list(WEIGHTS), 0) == []


def test_words_stand_above_the_text():
    assert with_words("Buy", ["thanks", "meeting"]) == "thanks meeting\n\nBuy"
    assert with_words("Buy", []) == "Buy"


def test_words_stand_within_the_text():
    assert interleaved("buy it now or never", ["thanks", "meeting"], 2) == "buy it thanks now or meeting never thanks"
    assert interleaved("buy", ["thanks"]) == "buy thanks"
    assert interleaved("", ["thanks"]) == ""
    assert interleaved("buy  it", []) == "buy  it"
    with pytest.raises(ValueError, match="every must be a positive number of words, got 0"):
        interleaved("buy", ["thanks"], 0)


def test_bad_input():
    for attack in (homoglyphs, spaced, invisible):
        assert attack("", rng()) == ""
        for share in (1.5, -0.1, float("nan")):
            with pytest.raises(ValueError, match="share is a probability from 0 to 1"):
                attack("free", rng(), share)
    with pytest.raises(ValueError, match="a text at least, and a number of words >= 0, got 0 texts and 3"):
        good_words(score, [], ["a"], 3)
    with pytest.raises(ValueError, match="1 texts and -1"):
        good_words(score, ["x"], ["a"], -1)
