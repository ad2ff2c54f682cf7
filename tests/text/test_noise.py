"""Slips of people who write."""

import numpy as np
import pytest

from minilm.text.noise import NEIGHBORS, SLIPS, by_sound, homophones, misspelled, shouted, typos, with_homophones

TEXT = "A quick brown fox, isn't it? Ünder 12 trees: x"


def draws(change, n=200):
    return {change(np.random.default_rng(seed)) for seed in range(n)}


def test_each_slip_on_a_word_of_three_letters():
    found = {kind: draws(lambda rng, kind=kind: typos("cat", rng, 1.0, [kind])) for kind in SLIPS}
    assert found["swap"] == {"act", "cta"}
    assert found["drop"] == {"at", "ct", "ca"}
    assert found["double"] == {"ccat", "caat", "catt"}
    assert found["key"] == {f"{k}at" for k in NEIGHBORS["c"]} | {f"c{k}t" for k in NEIGHBORS["a"]} | {
        f"ca{k}" for k in NEIGHBORS["t"]
    }


def test_keys_touch_each_other():
    assert set(NEIGHBORS["g"]) == set("ftyhvb")
    assert set(NEIGHBORS["q"]) == set("wa")
    assert all(a in NEIGHBORS[b] for a in NEIGHBORS for b in NEIGHBORS[a])


def test_one_slip_in_each_word_and_nothing_between_them():
    for seed in range(20):
        found = typos(TEXT, np.random.default_rng(seed), 1.0)
        assert found.startswith("A ")
        assert found.endswith(": x")
        assert ", " in found
        assert "? " in found
        assert " 12 " in found
        assert all(abs(len(a) - len(b)) <= 1 for a, b in zip(TEXT.split(), found.split(), strict=True))
    assert typos("Key", np.random.default_rng(1), 1.0, ["key"])[0].isupper()


def test_the_share_of_words():
    words = " ".join(["abcdefgh"] * 4000)
    changed = [word != "abcdefgh" for word in typos(words, np.random.default_rng(0), 0.3).split()]
    assert np.mean(changed) == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize("change", [typos, shouted, lambda t, r, s: misspelled(t, r, {"fox": ["foks"]}, s),
                                    lambda t, r, s: with_homophones(t, r, {"q": ["k"]}, s)])  # fmt: skip
def test_none_and_what_is_no_share(change):
    assert change(TEXT, np.random.default_rng(0), 0.0) == TEXT
    assert change("", np.random.default_rng(0), 1.0) == ""
    assert change(TEXT, np.random.default_rng(3), 0.5) == change(TEXT, np.random.default_rng(3), 0.5)
    for share in (-0.1, 1.1, float("nan"), True):
        with pytest.raises(ValueError, match="probability from 0 to 1"):
            change(TEXT, np.random.default_rng(0), share)


@pytest.mark.parametrize(("kinds", "message"), [(["swop"], "got \\['swop'\\]"), ([], "got none")])
def test_a_slip_that_does_not_exist(kinds, message):
    with pytest.raises(ValueError, match=f"swap, drop, double, key; {message}"):
        typos("cat", np.random.default_rng(0), 1.0, kinds)


def test_misspellings_are_people_s_own():
    known = {"believe": ["beleive", "belive"], "it's": ["its"]}
    assert draws(lambda rng: misspelled("Believe me, it's true", rng, known)) == {
        "Beleive me, its true",
        "Belive me, its true",
    }
    assert misspelled("unbelievable", np.random.default_rng(0), known) == "unbelievable"


READINGS = [
    ("是", "shi4"),
    ("事", "shi4"),
    ("十", "shi2"),
    ("行", "xing2"),
    ("行", "hang2"),
    ("航", "hang2"),
    ("型", "xing2"),
    ("事十", "shi4 shi2"),
    ("鈰", "shi4"),
]


def test_characters_that_sound_alike():
    common = "是事十行航型"
    assert homophones(READINGS, common) == {"事": ["是"], "型": ["行"], "是": ["事"], "航": ["行"], "行": ["型", "航"]}
    assert homophones(READINGS, common, tones=False)["十"] == ["事", "是"]
    assert homophones(READINGS, "是") == {}


def test_a_text_with_characters_that_sound_alike():
    alike = homophones(READINGS, "是事行航型")
    assert draws(lambda rng: with_homophones("是a行", rng, alike, 1.0)) == {"事a型", "事a航"}


def test_characters_of_one_sound_become_one():
    table = by_sound(READINGS)
    assert "是事十行航型".translate(table) == "是是是行航行"  # of 行 the first reading, xing2, counts
    assert "是a".translate(table) == "是a"
    assert by_sound([]) == {}


def test_words_in_capitals():
    assert shouted(TEXT, np.random.default_rng(0), 1.0) == TEXT.upper()
    assert draws(lambda rng: shouted("so good", rng, 0.5)) == {"so good", "SO good", "so GOOD", "SO GOOD"}
