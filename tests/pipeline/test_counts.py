"""Sums and statistics that are the same however the documents were divided."""

import random

import numpy as np
import pytest

from minilm.pipeline.counts import LANGUAGES, added, example_draws, statistics, tree


def test_trees_are_added_name_by_name():
    assert added([{"b": {"x": 1}, "a": 2}, {"b": {"x": 3, "w": 1}}, {}]) == {"a": 2, "b": {"w": 1, "x": 4}}
    assert list(added([{"b": 1}, {"a": 1}])) == ["a", "b"]
    assert added([]) == {}
    assert added([{"a": {}}, {"a": {}}]) == {"a": {}}


def test_adding_changes_none_of_its_parts():
    parts = [{"a": {"x": 1}}, {"a": {"x": 2}}]
    added(parts)
    assert parts == [{"a": {"x": 1}}, {"a": {"x": 2}}]


def test_a_tree_of_paths():
    assert tree({("a", "x"): 1, ("a", "y"): 2, ("b",): 3}) == {"a": {"x": 1, "y": 2}, "b": 3}
    assert tree({}) == {}


def plain(sources, rows):
    found = {}
    for number, characters, language, times in rows:
        if times is None:
            continue
        about = found.setdefault(sources[number], {"documents": 0, "characters": 0, "lengths": {}, "languages": {}})
        about["documents"] += times
        about["characters"] += times * characters
        for kind, key in (("lengths", str(max(characters, 1).bit_length() - 1)), ("languages", LANGUAGES[language])):
            about[kind][key] = about[kind].get(key, 0) + times
    return found


def columns(rows):
    return (
        tuple(np.array(column, np.int64) for column in zip(*rows, strict=True))
        if rows
        else (np.zeros(0, np.int64),) * 4
    )


@pytest.mark.parametrize("seed", range(3))
def test_statistics_are_what_one_counts_and_add_up_however_divided(seed):
    rng, sources = random.Random(seed), ("a", "b", "c")
    lengths = [0, 1, 2, 3, 4, 127, 128, 2**53 - 1, 2**53, *rng.choices(range(5000), k=30)]
    rows = [(rng.randrange(2), length, rng.randrange(3), rng.randrange(4)) for length in lengths]
    source, characters, language, times = columns(rows)
    whole = statistics(sources, source, characters, language, times)
    assert whole == plain(sources, rows)
    cuts = sorted(rng.choices(range(len(rows) + 1), k=4))
    parts = [rows[i:j] for i, j in zip([0, *cuts], [*cuts, len(rows)], strict=True)]
    assert added(statistics(sources, *columns(some)) for some in parts) == added([whole])
    once = statistics(sources, source, characters, language)
    assert once == plain(sources, [(*row[:3], 1) for row in rows])


def test_example_draws_have_a_purpose_of_their_own():
    digests = np.arange(5, dtype=np.uint64)
    assert example_draws(digests, 0).tolist() != example_draws(digests, 1).tolist()
    assert example_draws(digests[:2], 0).tolist() == example_draws(digests, 0)[:2].tolist()
