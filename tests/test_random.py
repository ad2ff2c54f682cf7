"""The engine's random state: seeded, saved and restored exactly."""

import json
import subprocess
import sys

import numpy as np
import pytest

from minilm import random


@pytest.fixture(autouse=True)
def _keep_state():
    state = random.get_state()
    yield
    random.set_state(state)


def draw():
    return random.generator().standard_normal(3).tolist(), [random.next_key() for _ in range(3)]


def test_a_seed_fixes_everything():
    random.manual_seed(5)
    first = draw()
    draw()
    random.manual_seed(5)
    assert draw() == first
    random.manual_seed(6)
    assert draw() != first


def test_weights_and_keys_do_not_disturb_each_other():
    random.manual_seed(5)
    numbers = random.generator().random(4).tolist()
    random.manual_seed(5)
    for _ in range(10):
        random.next_key()
    assert random.generator().random(4).tolist() == numbers


def test_keys_have_64_bits_and_differ():
    keys = set()
    for seed in range(20):
        random.manual_seed(seed)
        keys |= {random.next_key() for _ in range(20)}
    assert len(keys) == 400
    assert all(0 <= key < 2**64 for key in keys)
    assert np.bitwise_or.reduce(np.array(list(keys), np.uint64)) == 2**64 - 1


def test_the_key_of_a_part_says_where_it_begins():
    random.manual_seed(3)
    whole = random.next_key(24)
    for size, first in ((12, 6), (7, 0), (0, 0)):  # 4 rows of 3 elements after 2 rows; no rows of a batch; nothing
        random.manual_seed(3)
        with random.rows_of_batch(2, 4):
            assert random.next_key(size) == whole | first << 64
    assert random.next_key(12) < 2**64


def test_each_part_of_a_batch_has_numbers_of_its_own():
    random.manual_seed(3)
    whole = draw()
    random.manual_seed(3)
    found = []
    for state in random.part_states(3):
        with random.draw_from(state):
            found.append(draw())
    assert found[0] == whole
    assert [keys for _, keys in found] == [whole[1]] * 3
    assert len({tuple(numbers) for numbers, _ in found}) == 3
    random.manual_seed(3)
    draw()
    expected = draw()
    random.manual_seed(3)
    states = random.part_states(2)
    with random.draw_from(states[0]):
        draw()
    assert draw() == expected  # goes on where the first part ended


def test_the_state_survives_json_to_the_bit():
    random.manual_seed(2**70)
    draw()
    random.generator().integers(10, dtype=np.int32)  # leaves half a number in the generator
    text = json.dumps(random.get_state())
    expected = random.generator().integers(10, size=5, dtype=np.int32).tolist(), draw()
    random.manual_seed(0)
    random.set_state(json.loads(text))
    assert (random.generator().integers(10, size=5, dtype=np.int32).tolist(), draw()) == expected


def test_without_a_seed_two_processes_differ():
    code = "from minilm import random; print(random.next_key(), random.generator().random())"
    outputs = {subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(outputs) == 2


@pytest.mark.parametrize("seed", [1.0, "1", None, True])
def test_a_seed_that_is_no_integer(seed):
    with pytest.raises(TypeError, match="a seed is an integer"):
        random.manual_seed(seed)


def test_a_negative_seed():
    with pytest.raises(ValueError, match="not negative, got -1"):
        random.manual_seed(-1)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": -1},
        {"seed": "1"},
        {"counter": 1.5},
        {"counter": True},
        {"generator": None},
        {"generator": {"bit_generator": "MT19937"}},
        {"generator": {"bit_generator": "PCG64", "state": {"state": -1, "inc": 3}, "has_uint32": 0, "uinteger": 0}},
    ],
)
def test_a_foreign_state_is_refused_and_changes_nothing(change):
    random.manual_seed(1)
    before = random.get_state()
    with pytest.raises(ValueError, match=r"no state of minilm\.random"):
        random.set_state({**before, **change})
    assert random.get_state() == before
    for wrong in (None, [], {}, {"seed": 1, "counter": 0}):
        with pytest.raises(ValueError, match=r"no state of minilm\.random"):
            random.set_state(wrong)


def test_replay_draws_what_was_drawn_and_then_goes_on():
    random.manual_seed(4)
    with random.rows_of_batch(2, 2):
        moment = random.moment()
        drawn = random.next_key(8), random.generator().random()
    held = random.generator()
    after = random.get_state()
    for _ in range(2):
        with random.replay(moment):
            assert (random.next_key(8), random.generator().random()) == drawn
    assert random.get_state() == after
    assert random.generator() is held, "who holds the generator draws on from it"
    assert random.next_key(8) < 2**64, "and the rows are those outside again"
