"""Parameters in flat arrays: every rule computes what it computes one by one, to the bit, whatever happens in between."""

import copy

import numpy as np
import pytest

import minilm as ml
from minilm import optim
from minilm.backend import to_host
from minilm.optim.flat import cut
from tests.backend import pretend
from tests.optim.variants import ONE_EACH, VARIANTS, make_params, numbers, run, set_grads


def twins(cls, options, device, dtype=np.float32):
    """The same parameters twice: in a flat array, and each by itself."""
    sides = []
    for flat in (True, False):
        params = make_params(device, dtype)
        optimizer = cls(params, **options)
        if flat:
            optimizer.flatten()
        sides.append((optimizer, params, np.random.default_rng(1)))
    return sides


def test_a_flat_array_is_cut_into_views_one_after_another():
    flat, shapes = np.arange(11.0), [(2, 3), (), (0, 2), (4,)]
    parts = cut(flat, [ml.zeros(shape) for shape in shapes])
    assert [part.shape for part in parts] == shapes
    np.testing.assert_array_equal(np.concatenate([part.reshape(-1) for part in parts]), flat)
    parts[0][1, 2] = -1.0
    assert flat[5] == -1.0


def assert_equal(sides):
    """Parameters and everything that is remembered, to the bit."""
    (one, params, _), (other, others, _) = sides
    for a, b in zip(numbers(params), numbers(others), strict=True):
        np.testing.assert_array_equal(a, b)
    saved, expected = one.state_dict(), other.state_dict()
    assert saved["options"] == expected["options"]
    assert saved["arrays"].keys() == expected["arrays"].keys()
    for name, array in expected["arrays"].items():
        np.testing.assert_array_equal(saved["arrays"][name], array, err_msg=name)


def in_one_array(params):
    """Whether all parameters share the memory of one array."""
    return params[0].data.base is not None and all(p.data.base is params[0].data.base for p in params)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("cls", "options"), VARIANTS)
def test_the_rule_is_the_same(cls, options, dtype, device):
    sides = twins(cls, options, device, dtype)
    for side in sides:
        run(*side, steps=4)
    assert_equal(sides)
    assert in_one_array(sides[0][1])


@pytest.mark.parametrize(("cls", "options"), ONE_EACH)
def test_a_step_without_one_gradient(cls, options, device):
    """That parameter's history is then a step shorter than the others', for good: AdamW's correction must know."""
    sides = twins(cls, options, device)
    for optimizer, params, rng in sides:
        run(optimizer, params, rng, steps=2)
        set_grads(params, rng)
        params[1].grad = None
        optimizer.step()
        run(optimizer, params, rng, steps=2)
    assert_equal(sides)


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize(("cls", "options"), ONE_EACH)
def test_a_parameter_with_another_array(cls, options, again, device):
    sides = twins(cls, options, device)
    for optimizer, params, rng in sides:
        run(optimizer, params, rng, steps=2)
        params[0].data = params[0].data.copy() * 2
        if again:
            optimizer.flatten()
        run(optimizer, params, rng, steps=2)
        assert in_one_array(params) == again
    assert_equal(sides)


@pytest.mark.parametrize(("cls", "options"), ONE_EACH)
def test_a_state_loaded_after(cls, options, device):
    """The steps that follow start from what was loaded, in the flat array as elsewhere."""
    sides = twins(cls, options, device)
    for optimizer, params, rng in sides:
        run(optimizer, params, rng, steps=1)
        saved = optimizer.state_dict()
        run(optimizer, params, rng, steps=2)
        optimizer.load_state_dict(saved)
        run(optimizer, params, rng, steps=2)
    assert_equal(sides)
    assert in_one_array(sides[0][1])


@pytest.mark.parametrize(("cls", "options"), ONE_EACH)
def test_a_saved_state_fits_both(cls, options, device):
    """Flat arrays leave no trace in a saved state: one run's goes on in the other."""
    (one, params, rng), (other, others, _) = twins(cls, options, device)
    run(one, params, rng, steps=3)
    for p, q in zip(params, others, strict=True):
        q.data = p.data.copy()
    other.load_state_dict(one.state_dict())
    rngs = rng, copy.deepcopy(rng)
    run(one, params, rngs[0], steps=2)
    run(other, others, rngs[1], steps=2)
    assert_equal([(one, params, None), (other, others, None)])


def test_flat_arrays_after_the_first_steps(device):
    sides = twins(optim.AdamW, {"lr": 0.03}, device)
    for side in sides:
        run(*side, steps=2)
    sides[1][0].flatten()
    for side in sides:
        run(*side, steps=2)
    assert_equal(sides)
    assert in_one_array(sides[1][1])


def test_a_copy_goes_its_own_way(device):
    """A deep copy updates its own parameters, as one that was never flat."""
    optimizer, params, rng = twins(optim.AdamW, {"lr": 0.03}, device)[0]
    run(optimizer, params, rng, steps=2)
    twin = copy.deepcopy(optimizer)
    theirs, before = twin.param_groups[0]["params"], numbers(params)
    rngs = rng, copy.deepcopy(rng)
    run(twin, theirs, rngs[1], steps=2)
    for p, unchanged in zip(params, before, strict=True):
        np.testing.assert_array_equal(p.numpy(), unchanged)
    run(optimizer, params, rngs[0], steps=2)
    for p, q in zip(params, theirs, strict=True):
        np.testing.assert_array_equal(p.numpy(), q.numpy())


def test_a_view_stays_where_it_is(device):
    """Whoever shares memory with a parameter sees its updates: a parameter that views other memory is not moved."""
    memory = device.xp.zeros(8, np.float32)
    params = [*make_params(device), *make_params(device, shapes=[(4,)])]
    params[-1].data = memory[2:6]
    optimizer = optim.SGD(params, lr=1.0)
    optimizer.flatten()
    run(optimizer, params, np.random.default_rng(0), steps=1)
    assert in_one_array(params[:-1])
    assert params[-1].data.base is memory
    np.testing.assert_array_equal(to_host(memory)[2:6], -params[-1].grad.numpy())


def test_groups_dtypes_and_what_is_alone(device):
    """One flat array for each group and dtype; a parameter alone in its kind needs none."""
    wide, narrow = make_params(device, np.float64), make_params(device, np.float32)
    last = make_params(device, shapes=[(2,)])
    optimizer = optim.AdamW([{"params": [*wide, *narrow]}, {"params": last, "weight_decay": 0.5}])
    optimizer.flatten()
    assert in_one_array(wide)
    assert in_one_array(narrow)
    assert last[0].data.base is None
    assert wide[0].data.base is not narrow[0].data.base
    run(optimizer, [*wide, *narrow, *last], np.random.default_rng(0), steps=1)


def test_numbers_and_shapes_stay(device):
    params = make_params(device, shapes=[(2, 3), (0,), (), (1, 1)])
    before = numbers(params)
    optim.SGD(params).flatten()
    for p, expected in zip(params, before, strict=True):
        assert p.data.shape == p.shape == expected.shape
        np.testing.assert_array_equal(p.numpy(), expected)


def test_a_graph_made_before_refuses_to_use_what_was_updated(device):
    """Versions are counted as in single updates."""
    params = make_params(device)
    optimizer = optim.SGD(params, lr=0.1)
    optimizer.flatten()
    loss = (params[0] * params[0]).sum()
    run(optimizer, params, np.random.default_rng(0), steps=1)
    with pytest.raises(RuntimeError, match="in place"):
        loss.backward()


def test_a_wrong_gradient_is_refused_before_anything_changes(device):
    optimizer, params, rng = twins(optim.AdamW, {"lr": 0.03}, device)[0]
    run(optimizer, params, rng, steps=1)
    before, saved = numbers(params), optimizer.state_dict()
    set_grads(params, rng)
    params[2]._grad = ml.Tensor(np.zeros(7, np.float32), device=device)  # past the check of an assignment
    with pytest.raises(ValueError, match="gradient of p2"):
        optimizer.step()
    for p, expected in zip(params, before, strict=True):
        np.testing.assert_array_equal(p.numpy(), expected)
    assert optimizer.state_dict()["options"] == saved["options"]


@pytest.mark.host
@pytest.mark.parametrize("count", [2, 9])
def test_launches_do_not_grow_with_the_parameters(count):
    params = make_params(pretend.device(), shapes=[(3, 2)] * count)
    optimizer, rng = optim.AdamW(params), np.random.default_rng(0)
    optimizer.flatten()
    run(optimizer, params, rng, steps=2)
    set_grads(params, rng)
    with pretend.count() as counts:
        optimizer.step()
    assert counts.launches == 2  # the gradients joined, and AdamW
