import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minilm.data.errors import DataError
from minilm.data.split import split_indices, train_test_split

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
