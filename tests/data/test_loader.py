import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minilm.data.errors import DataError
from minilm.data.loader import ArrayDataset, DataLoader, default_collate
from minilm.data.tokens import TokenBlocks

SETTINGS = st.fixed_dictionaries(
    {
        "batch_size": st.integers(1, 8),
        "shuffle": st.booleans(),
        "seed": st.integers(0, 2**64),
        "drop_last": st.booleans(),
    }
)


def loader(n, settings):
    settings = {**settings, "drop_last": settings["drop_last"] and n >= settings["batch_size"]}
    return DataLoader(np.arange(n), **settings)


def flat(batches):
    return [index for batch in batches for index in batch]


def epochs(loader, count):
    return [[batch.tolist() for batch in loader] for _ in range(count)]


@given(n=st.integers(1, 20), settings=SETTINGS)
def test_every_index_comes_once_an_epoch(n, settings):
    data = loader(n, settings)
    for number in range(3):
        assert data.epoch == number
        batches = [batch.tolist() for batch in data]
        assert len(batches) == len(data)
        assert all(len(batch) == data.batch_size for batch in batches[:-1])
        seen = sorted(flat(batches))
        if data.drop_last:
            assert len(seen) == len(set(seen)) == n - n % data.batch_size
        else:
            assert seen == list(range(n))
        if not data.shuffle:
            assert seen == flat(batches)


@given(n=st.integers(1, 20), settings=SETTINGS, stop=st.integers(0, 40))
def test_resuming_after_any_batch_continues_the_undisturbed_order(n, settings, stop):
    undisturbed = [(data_epoch, batch) for data_epoch, batch in stream(loader(n, settings), 50)]
    first = loader(n, settings)
    before = stream(first, stop)
    assert before == undisturbed[:stop]
    state = json.loads(json.dumps(first.state_dict()))
    second = loader(n, {**settings, "seed": 0})
    second.load_state_dict(state)
    assert second.state_dict() == state
    assert stream(second, 50 - stop) == undisturbed[stop:]


def stream(loader, count):
    """The next `count` batches, over as many epochs as that takes, each with the number of its epoch."""
    batches = []
    while len(batches) < count:
        for batch in loader:
            batches.append((loader.epoch, batch.tolist()))
            if len(batches) == count:
                break
    return batches


def test_an_epoch_s_order_depends_on_seed_and_epoch_alone():
    orders = epochs(DataLoader(np.arange(50), 50, shuffle=True, seed=3), 3)
    assert epochs(DataLoader(np.arange(50), 50, shuffle=True, seed=3), 3) == orders
    assert len({str(order) for order in orders}) == 3
    assert epochs(DataLoader(np.arange(50), 50, shuffle=True, seed=4), 1)[0] != orders[0]
    assert orders[1][0] == np.random.default_rng([3, 1]).permutation(50).tolist()
    batches_of_7 = epochs(DataLoader(np.arange(50), 7, shuffle=True, seed=3), 2)[1]
    assert flat(batches_of_7) == orders[1][0]


def test_a_generator_gives_the_seed():
    make = lambda: DataLoader(np.arange(9), 3, shuffle=True, seed=np.random.default_rng(1))  # noqa: E731
    assert epochs(make(), 2) == epochs(make(), 2)
    rng = np.random.default_rng(1)
    assert DataLoader(np.arange(9), seed=rng).seed != DataLoader(np.arange(9), seed=rng).seed


def test_a_loop_left_early_is_followed_by_the_next_epoch():
    data = DataLoader(np.arange(6), 2, shuffle=True, seed=5)
    undisturbed = epochs(DataLoader(np.arange(6), 2, shuffle=True, seed=5), 3)
    assert next(iter(data)).tolist() == undisturbed[0][0]
    assert epochs(data, 2) == undisturbed[1:]


def test_resuming_goes_on_within_the_epoch_once():
    data = DataLoader(np.arange(6), 2)
    next(iter(data))
    data.load_state_dict(data.state_dict())
    assert [batch.tolist() for batch in data] == [[2, 3], [4, 5]]
    assert [batch.tolist() for batch in data] == [[0, 1], [2, 3], [4, 5]]


def test_a_resumed_loop_left_early_is_followed_by_the_next_epoch():
    data = DataLoader(np.arange(6), 2)
    next(iter(data))
    data.load_state_dict(data.state_dict())
    assert next(iter(data)).tolist() == [2, 3]
    assert next(iter(data)).tolist() == [0, 1]
    assert data.epoch == 1


def test_two_loops_at_once_keep_their_own_order():
    data = DataLoader(np.arange(6), 2)
    assert [(a.tolist(), b.tolist()) for a, b in zip(data, data, strict=True)] == [
        ([i, i + 1], [i, i + 1]) for i in (0, 2, 4)
    ]


@pytest.mark.parametrize(
    ("dataset", "first"),
    [
        (np.arange(8).reshape(4, 2), np.array([[0, 1], [2, 3]])),
        ((np.arange(4), np.arange(8.0).reshape(4, 2)), (np.array([0, 1]), np.array([[0.0, 1.0], [2.0, 3.0]]))),
        ([(1, "a"), (2, "b"), (3, "c")], (np.array([1, 2]), ["a", "b"])),
        (["a", "b", "c"], ["a", "b"]),
        ((1, 2, 3), np.array([1, 2])),
        (range(5), np.array([0, 1])),
        (TokenBlocks(np.arange(9), 2), (np.array([[0, 1], [2, 3]]), np.array([[1, 2], [3, 4]]))),
    ],
)
def test_kinds_of_data_sets(dataset, first):
    assert_same(next(iter(DataLoader(dataset, 2))), first)


def assert_same(found, expected):
    assert type(found) is type(expected)
    if isinstance(expected, tuple):
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            assert_same(a, b)
    elif isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    else:
        assert found == expected


def test_a_collate_function_gets_the_examples():
    data = DataLoader((np.arange(3), np.arange(3) * 10), 2, collate=lambda examples: examples)
    assert list(data) == [[(0, 0), (1, 10)], [(2, 20)]]


def test_default_collate():
    batch = default_collate([{"x": np.float32(1), "y": 0.5, "n": 3, "ok": True, "s": "a"}] * 2)
    assert {key: getattr(value, "dtype", None) for key, value in batch.items()} == {
        "x": np.float32, "y": np.float32, "n": np.int64, "ok": np.bool_, "s": None,
    }  # fmt: skip
    assert default_collate([np.float64(1.0)]).dtype == np.float64
    stacked = default_collate([np.ones((2, 3), np.float32)] * 4)
    assert (stacked.shape, stacked.dtype) == ((4, 2, 3), np.float32)


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        ([np.zeros(2), np.zeros(3)], r"shapes \[\(2,\), \(3,\)\] make no batch: give a collate function"),
        ([(1,), (1, 2)], "tuples of different lengths"),
        ([{"a": 1}, {"b": 1}], "dicts with different keys"),
    ],
)
def test_examples_of_different_forms_make_no_batch(examples, message):
    with pytest.raises(DataError, match=message):
        default_collate(examples)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DataLoader(np.arange(4), 0), "batch_size = 0 must be 1 or more"),
        (lambda: DataLoader(np.arange(4), -1), "batch_size = -1"),
        (lambda: DataLoader(np.arange(4), seed=-1), "seed = -1"),
        (lambda: DataLoader(np.zeros((0, 3))), "the data set is empty"),
        (lambda: DataLoader([]), "the data set is empty"),
        (lambda: DataLoader(np.arange(4), 5, drop_last=True), "leaves no batch: the data set has 4 examples, batch_"),
        (lambda: DataLoader((np.zeros(3), np.zeros(4))), r"one length, got \[3, 4\]"),
        (lambda: DataLoader(iter([1])), "needs a length and items, list_iterator has not"),
        (lambda: DataLoader({"x": [1]}), "needs a length and items, dict has not"),
        (lambda: DataLoader(np.array(1.0)), "first axis counts the examples"),
        (lambda: ArrayDataset(), "one or more arrays"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(DataError, match=message):
        make()


def test_a_batch_size_that_is_no_whole_number():
    with pytest.raises(TypeError):
        DataLoader(np.arange(4), 2.5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"examples": 7}, "taken with examples = 7, this loader has 6"),
        ({"batch_size": 3}, "taken with batch_size = 3"),
        ({"shuffle": False}, "taken with shuffle = False"),
        ({"drop_last": True}, "taken with drop_last"),
        ({"batch": 3}, "batch = 3, but an epoch has 3 batches"),
        ({"batch": -1}, "batch = -1"),
        ({"epoch": "1"}, "epoch = '1', expected a whole number"),
        ({"seed": 1.5}, "seed = 1.5"),
        (None, "lacks epoch, batch, seed"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(changes, message):
    data = DataLoader(np.arange(6), 2, shuffle=True, seed=1)
    next(iter(data))
    state = data.state_dict()
    with pytest.raises(DataError, match=message):
        data.load_state_dict({} if changes is None else {**state, **changes})
    assert data.state_dict() == state


def test_an_input_keeps_its_target():
    x = np.arange(20)
    for inputs, targets in DataLoader((x, 10 * x), 7, shuffle=True):
        np.testing.assert_array_equal(targets, 10 * inputs)


def test_array_dataset_items():
    assert ArrayDataset(np.arange(3))[1] == 1
    assert ArrayDataset(np.arange(3), np.arange(3) * 10)[1] == (1, 10)
    assert len(ArrayDataset(np.zeros((3, 2)))) == 3
