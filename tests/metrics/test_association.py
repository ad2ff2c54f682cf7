"""WEAT: by hand, against a plain specification, at its edges; the interval and the p-value by simulation."""

import itertools

import numpy as np
import pytest

from minilm.metrics import effect_size, leanings, weat


def cosine(u, v):
    return float(u @ v / np.sqrt(u @ u) / np.sqrt(v @ v))


def lean(w, a, b):
    return np.mean([cosine(w, u) for u in a]) - np.mean([cosine(w, u) for u in b])


def plain(x, y, a, b):
    """The paper's formulas, word by word."""
    s = [lean(w, a, b) for w in (*x, *y)]
    effect = (np.mean(s[: len(x)]) - np.mean(s[len(x) :])) / np.std(s)
    found = np.mean(s[: len(x)]) - np.mean(s[len(x) :])
    apart = []
    for chosen in itertools.combinations(range(len(s)), len(x)):
        rest = [s[i] for i in range(len(s)) if i not in chosen]
        apart.append(np.mean([s[i] for i in chosen]) - np.mean(rest) >= found - 1e-12)
    return effect, np.mean(apart)


def drawn(*sizes, width=7, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((n, width)) for n in sizes]


def test_by_hand():
    """Targets on the axes of the attributes: they lean by 1 and by -1, and the sets lie two deviations apart."""
    east, north = [1.0, 0.0], [0.0, 1.0]
    assert leanings([east, north], [east], [north]).tolist() == [1.0, -1.0]
    assert effect_size([east, east], [north, north], [east], [north]) == pytest.approx(2.0)
    assert effect_size([north, north], [east, east], [east], [north]) == pytest.approx(-2.0)
    found = weat([east, east], [north, north], [east], [north])
    assert (found.p_value, found.exact) == (1 / 6, True)


@pytest.mark.parametrize("sizes", [(3, 3, 4, 4), (4, 2, 3, 5), (1, 3, 2, 2)])
def test_against_the_plain_formulas(sizes):
    sets = drawn(*sizes)
    effect, p_value = plain(*sets)
    found = weat(*sets)
    assert found.effect == pytest.approx(effect) == pytest.approx(effect_size(*sets))
    assert found.exact
    assert found.p_value == pytest.approx(p_value)
    np.testing.assert_allclose(leanings(sets[0], *sets[2:]), [lean(w, *sets[2:]) for w in sets[0]])


def test_lengths_of_vectors_and_the_order_of_words_do_not_matter():
    sets = drawn(4, 4, 3, 3)
    other = [vectors[::-1] * np.linspace(0.5, 9, len(vectors))[:, None] for vectors in sets]
    assert weat(*sets)[:3] == pytest.approx(weat(*other)[:3])


def test_exchanged_attributes_turn_the_sign():
    x, y, a, b = drawn(5, 5, 4, 4)
    assert effect_size(x, y, b, a) == pytest.approx(-effect_size(x, y, a, b)) == pytest.approx(effect_size(y, x, a, b))


def test_a_sample_of_partitions_is_near_the_exact_share_and_never_0():
    x, y, a, b = drawn(6, 6, 4, 4, seed=3)
    exact, sampled = weat(x, y, a, b), weat(x, y, a, b, partitions=900)
    assert not sampled.exact
    assert sampled.p_value == pytest.approx(exact.p_value, abs=0.05)
    far = weat(
        np.eye(12)[[0] * 10] + 1e-3 * drawn(10, width=12)[0],
        np.eye(12)[[1] * 10],
        np.eye(12)[:1],
        np.eye(12)[1:2],
        partitions=99,
    )
    assert far.p_value == 0.01


def test_the_interval_is_that_of_a_plain_loop():
    x, y, a, b = drawn(6, 5, 4, 3)
    for attributes in (False, True):
        low, high, confidence = weat(x, y, a, b, attributes=attributes).interval
        rng, found = np.random.default_rng(5), []
        for _ in range(300):
            sets = [
                s[rng.integers(len(s), size=len(s))] if k < 2 or attributes else s for k, s in enumerate((x, y, a, b))
            ]
            found.append(effect_size(*sets))
        np.testing.assert_allclose([low, high], np.quantile(found, [0.025, 0.975]), atol=0.2)
        assert confidence == 0.95


def test_drawn_attributes_make_it_wider():
    sets = drawn(8, 8, 8, 8, seed=1)
    narrow, wide = (weat(*sets, attributes=attributes).interval for attributes in (False, True))
    assert wide.high - wide.low > narrow.high - narrow.low


def test_p_values_of_words_without_any_association_are_even():
    """Of random vectors one test in five has p <= 0.2."""
    found = [weat(*drawn(4, 4, 3, 3, seed=seed), resamples=100).p_value for seed in range(80)]
    assert 0.1 < np.mean(np.array(found) <= 0.2) < 0.3


def test_edges():
    one = weat([[1.0, 0]], [[0, 1.0]], [[1.0, 0]], [[0, 1.0]])
    assert (one.effect, one.p_value, one.interval) == (2.0, 0.5, None)
    alike = weat([[1, 1]] * 2, [[1, 1]] * 2, [[1, 0]], [[0, 1]])  # integers; all lean by 0
    assert np.isnan(alike.effect)
    assert alike.p_value == 1.0
    assert alike.interval is None
    x, y, a, b = drawn(3, 3, 2, 2)
    assert weat(*(s.astype(np.float16) for s in (x, y, a, b))).effect == pytest.approx(
        weat(x, y, a, b).effect, abs=0.01
    )
    assert weat(np.asfortranarray(x), y[::-1], a, b)[:2] == pytest.approx(weat(x, y, a, b)[:2])


GOOD = drawn(3, 3, 2, 2)


@pytest.mark.parametrize(
    ("place", "vectors", "words"),
    [
        (0, np.zeros((0, 7)), r"x: expected one vector per row and at least one row, got shape \(0, 7\)"),
        (1, np.ones(7), r"y: expected one vector per row"),
        (2, np.ones((2, 6)), "a: its vectors have 6 numbers, those of x 7"),
        (3, [[np.nan] * 7], "b: row 0 is not finite"),
        (1, [[1.0] * 7, [0.0] * 7], "y: row 1 is zero: it has no direction"),
    ],
)
def test_what_is_no_set_is_said(place, vectors, words):
    sets = [*GOOD]
    sets[place] = vectors
    with pytest.raises(ValueError, match=words):
        weat(*sets)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"partitions": 0}, "partitions must be a positive integer, got 0"),
        ({"partitions": True}, "partitions must be a positive integer, got True"),
        ({"resamples": 99}, "at least 100, got 99"),
        ({"confidence": 1.0}, "a share between 0 and 1, got 1.0"),
    ],
)
def test_what_is_out_of_range_is_said(options, words):
    with pytest.raises(ValueError, match=words):
        weat(*GOOD, **options)
