import math

import numpy as np
import pytest

from minilm.applications.application import Split
from minilm.applications.generation import Passage
from minilm.applications.simple.ngrams import BASELINES, FALLBACK, KINDS, NGram, counting, one_discount, three_discounts

TEXT = "the cat sat on the mat, the rat sat on the cat; that hat."


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_probabilities_of_all_characters_and_the_unknown_one_add_up_to_one(kind, order):
    model = NGram(TEXT, order, kind)
    for context in ("", "t", "th", "the ", "at, the", "qqq", "xth", "\N{SNOWMAN}"):
        total = sum(model.probability(c, context) for c in [*model.characters, "\N{SNOWMAN}"])
        assert total == pytest.approx(1)
        assert all(model.probability(c, context) > 0 for c in [*model.characters, "\N{SNOWMAN}"])


@pytest.mark.parametrize("kind", KINDS)
def test_where_nothing_was_counted_once_something_is_left_for_what_never_came(kind):
    model = NGram("ab" * 9, 3, kind)
    assert model.probability("a", "ba") > 0
    assert sum(model.probability(c, "ba") for c in "ab\N{SNOWMAN}") == pytest.approx(1)


def test_witten_and_bell_by_hand():
    model = NGram("abab", 2, "Witten-Bell")  # a 2, b 2; after a: b 2; after b: a 1
    p = (2 + 2 / 3) / (4 + 2)
    assert model.probability("a", "") == pytest.approx(p)
    assert model.probability("b", "a") == pytest.approx((2 + p) / 3)
    assert model.probability("a", "a") == pytest.approx(p / 3)


def test_kneser_and_ney_by_hand():
    """The follower that came often, but after one context only, is less likely after a new one."""
    text = "xyxyxyxy" + "axbxcx"  # y came after x alone; x after y, a, b, c (and a, b, c after y, x, x)
    model = NGram(text, 2, "Kneser-Ney")
    stood_after = model.tables[0][""]
    assert stood_after == {"y": 1, "x": 4, "a": 1, "b": 1, "c": 1}
    counts = [model.tables[1][h][c] for h in model.tables[1] for c in model.tables[1][h]]
    once, twice = counts.count(1), counts.count(2)
    assert model.discounts[1] == (0, *[pytest.approx(once / (once + 2 * twice))] * 3)
    d0 = model.discounts[0][1]
    p = (4 - d0) / 8 + d0 * 5 / 8 * model.uniform
    d1, after = model.discounts[1][1], model.tables[1]["y"]
    n = sum(after.values())
    assert model.probability("x", "y") == pytest.approx((after["x"] - d1) / n + d1 * len(after) / n * p)


def in_one_way_or_the_other(text, order, modified, character, context):
    """Chen and Goodman's equations as they stand, from the n-grams of the text each time: slow, and without a table."""
    alphabet = sorted(set(text))

    def count(
        gram,
    ):  # of the longest n-grams: how often they occur; of shorter ones: how many characters stand before them
        if len(gram) == order:
            return sum(text[i : i + order] == gram for i in range(len(text) - order + 1))
        return sum(count(before + gram) > 0 for before in alphabet)

    def p(w, h):
        if h is None:
            return 1 / (len(alphabet) + 1)
        shorter = p(w, h[1:] if h else None)
        counts = {v: count(h + v) for v in alphabet}
        total = sum(counts.values())
        if not total:
            return shorter
        n = [0, *(sum(count(gram) == j for gram in grams(len(h) + 1)) for j in (1, 2, 3, 4))]
        Y = n[1] / (n[1] + 2 * n[2]) if n[1] else 0.5
        if not modified:
            D = [0, Y, Y, Y]
        else:
            D = (
                [0, 1 - 2 * Y * n[2] / n[1], 2 - 3 * Y * n[3] / n[2], 3 - 4 * Y * n[4] / n[3]]
                if all(n[1:4])
                else FALLBACK
            )
            D = D if 0 <= D[2] <= 2 and 0 <= D[3] <= 3 else FALLBACK
        N = [sum(c == j for c in counts.values()) for j in (1, 2)]
        N.append(sum(c >= 3 for c in counts.values()))
        gamma = sum(d * n for d, n in zip(D[1:], N, strict=True)) / total
        return max(counts.get(w, 0) - D[min(counts.get(w, 0), 3)], 0) / total + gamma * shorter

    def grams(n):
        return {text[i : i + n] for i in range(len(text) - n + 1)}

    return p(character, context[len(context) - order + 1 :] if order > 1 else "")


@pytest.mark.parametrize("modified", [False, True])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_kneser_and_ney_are_the_equations_of_chen_and_goodman(order, modified):
    text = "abracadabra, abracadabra: barbara abracad" + "aab" * 3
    model = NGram(text, order, KINDS[2] if modified else KINDS[0])
    for context in ("abr", "  a", "d: ", "zzz"):
        for c in "abd,z":
            assert model.probability(c, context) == pytest.approx(
                in_one_way_or_the_other(text, order, modified, c, context), rel=1e-12
            )


def test_three_discounts_by_hand():
    assert three_discounts(8, 4, 2, 1) == pytest.approx((0, 0.5, 2 - 3 * 0.5 * 2 / 4, 3 - 4 * 0.5 * 1 / 2))
    assert three_discounts(8, 4, 2, 0)[3] == 3  # nothing four times: a count of three is given away whole
    assert one_discount(8, 4) == (0, 0.5, 0.5, 0.5)


@pytest.mark.parametrize("counts", [(0, 4, 2, 1), (8, 0, 2, 1), (8, 4, 0, 1), (0, 0, 0, 0), (8, 1, 4, 1), (9, 9, 1, 9)])
def test_where_the_three_discounts_cannot_be_told_they_are_fixed(counts):
    assert three_discounts(*counts) == FALLBACK


def test_three_discounts_have_their_place_in_a_text():
    """So many n-grams of this text were counted once, twice ... that its longest contexts have an estimate of their own."""
    model = NGram("".join(map(chr, np.random.default_rng(0).zipf(1.6, 2000).clip(1, 30) + 96)), 2, KINDS[2])
    _, D1, D2, D3 = model.discounts[1]
    assert 0 < D1 < D2 < D3 < 3
    assert model.discounts[1] != FALLBACK
    assert sum(model.probability(c, "a") for c in [*model.characters, "\N{SNOWMAN}"]) == pytest.approx(1)


@pytest.mark.parametrize("kind", KINDS)
def test_it_forgets_what_is_further_back_and_reads_each_character_after_those_before_it(kind):
    model = NGram(TEXT, 3, kind)
    assert model.probability("e", "xxxxth") == model.probability("e", "th")
    losses = model.nats("that")
    assert losses.shape == (4,)
    assert losses[3] == pytest.approx(-math.log(model.probability("t", "ha")))
    assert losses[0] == pytest.approx(-math.log(model.probability("t", "")))
    assert model.nats("").shape == (0,)


def test_it_writes_from_its_own_probabilities():
    model = NGram("abcabcabcabc", 3)
    assert model.write("ab", 6, np.random.default_rng(0), temperature=0) == "cabcab"
    drawn = NGram("aaab", 1, "Witten-Bell").write("", 400, np.random.default_rng(1))
    assert len(drawn) == 400
    assert 60 < drawn.count("b") < 160
    assert model.write("ab", 0, np.random.default_rng(0)) == ""


def test_a_longer_text_repeated_is_known_by_heart_and_a_rare_order_is_not_chosen():
    split = Split([Passage(TEXT * 4)], [Passage(TEXT)], [], "")
    (answer,) = counting(None, "Kneser-Ney", orders=(2, 3, 4))(split)([Passage(TEXT)])
    (short,) = counting(2, "Kneser-Ney")(split)([Passage(TEXT)])
    assert answer["characters"] == len(TEXT)
    assert answer["nats"] < short["nats"]
    assert set(BASELINES) >= {"5-gram, Kneser-Ney", "5-gram, Witten-Bell"}


@pytest.mark.parametrize(("text", "order", "kind"), [("", 2, KINDS[0]), ("a", 0, KINDS[0]), ("a", 2, "Laplace")])
def test_errors(text, order, kind):
    with pytest.raises(ValueError, match="an order of at least 1"):
        NGram(text, order, kind)
