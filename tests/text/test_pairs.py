from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from minilm.text.pairs import PairIndex, merge_pair


def test_merge_pair_goes_from_left_to_right_without_overlap():
    assert merge_pair([1, 1, 1, 2, 1, 1], (1, 1), 9) == [9, 1, 2, 9]
    assert merge_pair([1, 2, 1, 2], (1, 2), 9) == [9, 9]
    assert merge_pair([2, 1], (1, 2), 9) == [2, 1]
    assert merge_pair([], (1, 2), 9) == []


def recount(words):
    pairs, symbols = Counter(), Counter()
    for word, weight in words:
        for symbol in word:
            symbols[symbol] += weight
        for pair in pairwise(word):
            pairs[pair] += weight
    return +pairs, +symbols


@given(
    words=st.lists(st.tuples(st.lists(st.integers(0, 2), max_size=12), st.integers(1, 5)), max_size=6),
    choices=st.lists(st.integers(0, 1000), max_size=10),
)
def test_counts_after_every_merge_equal_a_fresh_count(words, choices):
    index = PairIndex(words)
    for new, choice in enumerate(choices, start=3):
        pairs, _ = recount(words)
        if not pairs:
            break
        pair = sorted(pairs)[choice % len(pairs)]
        changed = index.merge(pair, new)
        words = [(merge_pair(word, pair, new), weight) for word, weight in words]
        after, symbols = recount(words)
        assert +index.counts == after
        assert +index.symbol_counts == symbols
        assert {other for other in pairs | after if pairs[other] != after[other]} - {pair} <= changed


@given(words=st.lists(st.lists(st.integers(0, 1), max_size=20), max_size=4))
def test_merging_a_pair_that_does_not_occur_changes_nothing(words):
    index = PairIndex((word, 1) for word in words)
    before = Counter(index.counts)
    assert index.merge((7, 7), 8) == set()
    assert +index.counts == before
