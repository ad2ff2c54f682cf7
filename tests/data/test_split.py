import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minilm.data.errors import DataError
from minilm.data.split import split_indices, three_parts, train_test_split

LABELS = st.lists(st.sampled_from("abc"), min_size=4, max_size=60)
FRACTIONS = st.floats(0.2, 0.8)


@given(labels=LABELS, fraction=FRACTIONS, seed=st.integers(0, 99), stratified=st.booleans())
def test_every_index_is_in_one_part(labels, fraction, seed, stratified):
    n = len(labels)
    train, test = split_indices(n, fraction, seed=seed, stratify=labels if stratified else None)
    assert sorted([*train, *test]) == list(range(n))
    assert len(test) == round(fraction * n)
    again = split_indices(n, fraction, seed=seed, stratify=labels if stratified else None)
    np.testing.assert_array_equal(test, again[1])
    np.testing.assert_array_equal(train, again[0])


@given(labels=LABELS, fraction=FRACTIONS, seed=st.integers(0, 99))
def test_each_class_gives_its_share(labels, fraction, seed):
    _, test = split_indices(len(labels), fraction, seed=seed, stratify=labels)
    for label in set(labels):
        share = len(test) * labels.count(label) / len(labels)
        assert abs(sum(labels[i] == label for i in test) - share) < 1


def test_both_parts_are_shuffled_and_seeds_differ():
    labels = np.repeat(np.arange(10), 50)
    for stratify in (None, labels):
        parts = split_indices(500, 0.2, seed=0, stratify=stratify)
        for part in parts:
            assert (np.diff(part) < 0).sum() > len(part) / 4
        other = split_indices(500, 0.2, seed=1, stratify=stratify)
        assert set(parts[1]) != set(other[1])
    assert np.bincount(labels[split_indices(500, 0.2, stratify=labels)[1]]).tolist() == [10] * 10


def test_a_stratified_part_is_drawn_at_random_within_a_class():
    hits = np.zeros(20)
    for seed in range(400):
        hits[split_indices(20, 0.5, seed=seed, stratify=[0] * 10 + [1] * 10)[1]] += 1
    assert hits.min() > 150  # 200 expected, standard deviation 10
    assert hits.max() < 250


def test_arrays_are_split_alike():
    x = np.arange(30).reshape(10, 3)
    y = x[:, 0]
    x_train, x_test, y_train, y_test = train_test_split(x, y, fraction=0.3, seed=np.random.default_rng(5))
    assert (len(x_train), len(x_test)) == (7, 3)
    np.testing.assert_array_equal(x_train[:, 0], y_train)
    np.testing.assert_array_equal(x_test[:, 0], y_test)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: split_indices(10, 0.0), "must lie between 0 and 1"),
        (lambda: split_indices(10, 1.0), "must lie between 0 and 1"),
        (lambda: split_indices(10, 0.01), "leaves 0 to test and 10 to train on"),
        (lambda: split_indices(0, 0.5), "leaves 0 to test"),
        (lambda: split_indices(10, 0.5, stratify=[1, 2]), r"shape \(2,\), expected one label for each of the 10"),
        (lambda: train_test_split(), "one or more arrays"),
        (lambda: train_test_split(np.zeros(3), np.zeros(4)), r"got lengths \[3, 4\]"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(DataError, match=message):
        call()


GROUPS = st.lists(st.integers(0, 12), min_size=60, max_size=200)
SHARES = st.sampled_from([(0.8, 0.1, 0.1), (0.5, 0.25, 0.25), (0.6, 0.1, 0.3)])


@given(n=st.integers(10, 300), shares=SHARES, seed=st.integers(0, 99))
def test_three_parts_hold_every_index_once_in_their_shares(n, shares, seed):
    parts = three_parts(n, shares, seed=seed)
    assert sorted(np.concatenate(parts)) == list(range(n))
    assert all(abs(len(part) - share * n) < 1 for part, share in zip(parts, shares, strict=True))
    for part, again in zip(parts, three_parts(n, shares, seed=seed), strict=True):
        np.testing.assert_array_equal(part, again)


@given(groups=GROUPS, seed=st.integers(0, 99))
def test_a_group_is_never_cut(groups, seed):
    n, largest = len(groups), max(map(groups.count, groups))
    try:
        parts = three_parts(n, groups=groups, seed=seed)
    except DataError as error:
        assert "none may be empty" in str(error)  # a few large groups can be too many for a share
        return
    assert sorted(np.concatenate(parts)) == list(range(n))
    found = [{groups[i] for i in part} for part in parts]
    assert len(found[0]) + len(found[1]) + len(found[2]) == len(set(groups))
    assert all(len(part) < share * n + largest for part, share in zip(parts, (0.8, 0.1, 0.1), strict=True))


@given(labels=st.lists(st.sampled_from("abc"), min_size=40, max_size=200), seed=st.integers(0, 99))
def test_labels_are_divided_alike(labels, seed):
    parts = three_parts(len(labels), stratify=labels, seed=seed)
    assert sorted(np.concatenate(parts)) == list(range(len(labels)))
    for part, share in zip(parts, (0.8, 0.1, 0.1), strict=True):
        assert abs(len(part) - share * len(labels)) < 2
        for label in "abc":
            assert abs(sum(labels[i] == label for i in part) - share * labels.count(label)) < 2


def test_rare_labels_do_not_all_go_to_one_part():
    labels = np.arange(200) // 2  # each label twice: no part can have its share of any
    assert [len(part) for part in three_parts(200, stratify=labels)] == [160, 20, 20]


def test_groups_with_labels():
    groups = [f"article {i // 3}" for i in range(300)]
    labels = [i // 3 % 4 == 0 for i in range(300)]
    parts = three_parts(300, groups=groups, stratify=labels)
    for part, size in zip(parts, (240, 30, 30), strict=True):
        assert abs(len(part) - size) <= 3
        assert abs(sum(labels[i] for i in part) - size / 4) <= 3
        assert len({groups[i] for i in part}) == len(part) / 3


def test_three_parts_are_drawn_at_random():
    hits = np.zeros((3, 40))
    for seed in range(400):
        for row, part in zip(hits, three_parts(40, (0.5, 0.25, 0.25), seed=seed), strict=True):
            row[part] += 1
    assert abs(hits / 400 - [[0.5], [0.25], [0.25]]).max() < 0.13  # standard deviation 0.025, the largest of 120
    train = three_parts(1000).train
    assert (np.diff(train) < 0).sum() > 300
    assert set(train) != set(three_parts(1000, seed=1).train)


def test_a_large_group_is_not_always_learned_from():
    groups = np.repeat(np.arange(21), [100] + [10] * 20)
    parts = [three_parts(300, (0.4, 0.3, 0.3), groups=groups, seed=seed) for seed in range(60)]
    assert all(sum(0 in part for part in column) > 5 for column in zip(*parts, strict=True))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: three_parts(2), r"2 examples in shares of .* give parts of \[2, 0, 0\]"),
        (lambda: three_parts(0), "none may be empty"),
        (lambda: three_parts(10, groups=[1] * 10), "1 groups in shares"),
        (lambda: three_parts(10, (0.8, 0.2)), "three numbers above 0 that add up to 1"),
        (lambda: three_parts(10, (0.8, 0.1, 0.2)), "add up to 1"),
        (lambda: three_parts(10, (1.0, 0.0, 0.0)), "above 0"),
        (lambda: three_parts(10, (float("nan"), 0.5, 0.5)), "above 0"),
        (lambda: three_parts(10, 0.8), "three numbers"),
        (lambda: three_parts(10, groups=[1]), "groups has 1 values, expected one for each of the 10"),
        (lambda: three_parts(10, stratify=range(11)), "stratify has 11 values"),
        (lambda: three_parts(4, groups="aabb", stratify=[0, 0, 0, 1]), "examples 2 and 3 are of one group"),
    ],
)
def test_bad_arguments_of_three_parts(call, message):
    with pytest.raises(DataError, match=message):
        call()
