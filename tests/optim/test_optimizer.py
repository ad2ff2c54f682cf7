"""What holds for every optimizer: which parameters it changes, how, what it refuses, and that it resumes to the bit."""

import copy
import json
import math

import numpy as np
import pytest

import minilm as ml
from minilm import optim
from minilm.backend import DeviceError, to_device
from tests.optim.variants import ONE_EACH, VARIANTS, make_params, numbers, run, set_grads


def assert_same(got, expected):
    for a, b in zip(got, expected, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("cls", "options"), VARIANTS)
def test_dtypes_stay_and_arrays_stay_the_same_objects(cls, options, device):
    for dtype in (np.float32, np.float64):
        params = make_params(device, dtype)
        arrays = [p.data for p in params]
        optimizer = cls(params, **options, l1=0.01)
        run(optimizer, params, np.random.default_rng(1), 3)
        assert all(p.data is a and p.dtype == dtype for p, a in zip(params, arrays, strict=True))
        assert all(x.dtype == dtype for x in optimizer.state_dict()["arrays"].values())


@pytest.mark.parametrize(("cls", "options"), ONE_EACH)
def test_numpy_scalars_as_options_change_nothing(cls, options, device):
    results = []
    for lr in (options["lr"], np.float64(options["lr"])):
        params = make_params(device)
        run(cls(params, **{**options, "lr": lr}), params, np.random.default_rng(1), 5)
        results.append(numbers(params))
    assert_same(*results)


@pytest.mark.parametrize(("cls", "options"), ONE_EACH)
def test_minimises_a_quadratic(cls, options, device):
    target = to_device(np.array([1.0, -2.0, 0.5], np.float32), device)
    x = ml.zeros(3).to(device).requires_grad_()
    rates = {optim.SGD: 0.05, optim.Adagrad: 1.0, optim.RMSprop: 0.02, optim.Adam: 0.1, optim.AdamW: 0.1}
    optimizer = cls([x], **{**options, "weight_decay": 0.0, "l1": 0.0, "lr": rates[cls]})
    schedule = optim.ExponentialLR(optimizer, 0.985)
    for _ in range(400):
        optimizer.zero_grad()
        ((x - target) ** 2).sum().backward()
        optimizer.step()
        schedule.step()
    np.testing.assert_allclose(x.detach().numpy(), [1.0, -2.0, 0.5], atol=1e-3)


@pytest.mark.parametrize(("cls", "options"), ONE_EACH)
def test_gradients_are_read_not_changed(cls, options, device):
    params = make_params(device)
    optimizer = cls(params, **{**options, "weight_decay": 0.1, "l1": 0.1})
    for _ in range(2):
        set_grads(params, np.random.default_rng(3))
        before = [p.grad.numpy().copy() for p in params]
        optimizer.step()
        assert_same([p.grad.numpy() for p in params], before)


@pytest.mark.parametrize(("cls", "options"), ONE_EACH)
def test_a_parameter_without_gradient_is_passed_over(cls, options, device):
    params = make_params(device)
    optimizer = cls(params, **options)
    start = numbers(params)
    set_grads(params, np.random.default_rng(0))
    params[1].grad = None
    optimizer.step()
    assert_same([params[1].numpy()], [start[1]])
    assert not np.array_equal(params[0].numpy(), start[0])
    assert params[1] not in optimizer.state
    assert optimizer.state[params[0]]["step"] == 1


@pytest.mark.parametrize(("cls", "options"), ONE_EACH)
def test_groups_equal_separate_optimizers(cls, options, device):
    together, apart = make_params(device), make_params(device)
    first, second = {**options, "lr": 0.2, "weight_decay": 0.0}, {**options, "weight_decay": 0.3}
    grouped = cls([{"params": together[:1], "lr": 0.2, "weight_decay": 0.0}, {"params": together[1:]}], **second)
    run(grouped, together, np.random.default_rng(5), 6)
    singles = [cls(apart[:1], **first), cls(apart[1:], **second)]
    rng = np.random.default_rng(5)
    for _ in range(6):
        set_grads(apart, rng)
        for optimizer in singles:
            optimizer.step()
    assert_same(numbers(together), numbers(apart))


def test_add_param_group_takes_defaults(device):
    a, b, c = make_params(device)
    optimizer = optim.SGD([a], lr=0.5, momentum=0.9)
    optimizer.add_param_group({"params": [b], "lr": 0.25})
    optimizer.add_param_group({"params": (p for p in [c])})
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.25, 0.5]
    assert [group["momentum"] for group in optimizer.param_groups] == [0.9] * 3
    assert optimizer.param_groups[2]["params"] == [c]
    assert "lr=0.25" in repr(optimizer)
    assert "1 parameters" in repr(optimizer)


@pytest.mark.parametrize("layout", ["transposed", "strided", "reversed"])
@pytest.mark.parametrize(("cls", "options"), VARIANTS)
def test_non_contiguous_parameters_are_changed_in_place(cls, options, layout, device):
    def view(base):
        return {"transposed": base.T, "strided": base[::2, 1::3], "reversed": base[::-1]}[layout]

    start = np.random.default_rng(0).standard_normal((6, 9)).astype(np.float32)
    base = to_device(start.copy(), device)
    views, dense = ml.Tensor(view(base), True), ml.Tensor(view(start).copy(), True, device=device)
    for p in (views, dense):
        run(cls([p], **options, l1=0.01), [p], np.random.default_rng(2), 4)
    np.testing.assert_allclose(views.detach().numpy(), dense.detach().numpy(), rtol=2e-6, atol=1e-7)
    changed = ml.Tensor(base).numpy() != start
    assert view(changed).all()
    assert changed.sum() == view(changed).size


@pytest.mark.parametrize(("cls", "options"), ONE_EACH)
def test_non_contiguous_gradients(cls, options, device):
    results = []
    for make in (lambda g: g, np.asfortranarray):
        p = make_params(device, shapes=[(4, 6)])[0]
        optimizer, rng = cls([p], **options), np.random.default_rng(2)
        for _ in range(4):
            g = rng.standard_normal((4, 6)).astype(np.float32)
            p.grad = ml.Tensor(to_device(make(g), device))
            optimizer.step()
        results.append(p.detach().numpy().copy())
    np.testing.assert_allclose(*results, rtol=1e-6)


def test_empty_parameters_are_left_empty(device):
    p = ml.Tensor(np.zeros((0, 3), np.float32), True, device=device)
    for case in ONE_EACH:
        cls, options = case.values
        run(cls([p], **options), [p], np.random.default_rng(0), 2)
    assert p.shape == (0, 3)


@pytest.mark.parametrize(("cls", "options"), ONE_EACH)
def test_a_graph_from_before_the_step_is_stale(cls, options, device):
    w, x = make_params(device, shapes=[(3, 3), (3, 3)])
    optimizer = cls([w], **options)
    loss = (w * w * x).sum()
    set_grads([w], np.random.default_rng(0))
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified in place"):
        loss.backward()


def test_closure_gives_the_loss_and_is_called_with_recording_on(device):
    p = ml.Tensor([3.0], True, device=device)
    optimizer = optim.SGD([p], lr=0.5)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with ml.no_grad():
        assert optimizer.step(closure).item() == 9.0
    assert p.item() == 0.0
    assert optimizer.step() is None


def test_zero_grad(device):
    params = make_params(device)
    optimizer = optim.SGD(params, lr=0.1)
    set_grads(params[:2], np.random.default_rng(0))
    optimizer.zero_grad(set_to_none=False)
    assert [g if g is None else float(abs(g.numpy()).sum()) for g in (p.grad for p in params)] == [0.0, 0.0, None]
    optimizer.zero_grad()
    assert all(p.grad is None for p in params)


def test_zero_grad_of_a_recorded_gradient(device):
    p = ml.Tensor([2.0], True, device=device)
    (p**3).sum().backward(create_graph=True)
    assert p.grad.requires_grad
    optim.SGD([p]).zero_grad(set_to_none=False)
    assert not p.grad.requires_grad
    assert p.grad.item() == 0.0


def test_penalties_by_hand(device):
    p = ml.Tensor(np.array([2.0, -4.0, 0.0]), True, device=device)
    p.grad = ml.Tensor(np.array([1.0, 1.0, 1.0]), device=device)
    optim.SGD([p], lr=0.5, weight_decay=0.25, l1=2.0).step()
    # 2 - (1 + 2 + 0.5)/2, -4 - (1 - 2 - 1)/2, 0 - (1 + 0 + 0)/2
    np.testing.assert_array_equal(p.detach().numpy(), [0.25, -3.0, -0.5])


@pytest.mark.parametrize(("cls", "options"), ONE_EACH)
def test_penalties_equal_a_penalised_loss(cls, options, device):
    """The options l1 and weight_decay do what differentiating the penalised loss does (AdamW: l1 only)."""
    l1, l2 = 0.03, 0.0 if cls is optim.AdamW else 0.2
    rng = np.random.default_rng(0)
    c = ml.Tensor(rng.standard_normal(6), device=device)
    by_option, by_loss = (ml.Tensor(np.arange(1.0, 7.0), True, device=device) for _ in range(2))
    one = cls([by_option], **{**options, "l1": l1, "weight_decay": l2})
    two = cls([by_loss], **{**options, "l1": 0.0, "weight_decay": 0.0})
    for _ in range(10):
        for p, optimizer, penalty in ((by_option, one, 0.0), (by_loss, two, 1.0)):
            optimizer.zero_grad()
            loss = (c * p * p).sum()
            (loss + penalty * (l1 * abs(p).sum() + l2 / 2 * (p * p).sum())).backward()
            optimizer.step()
    np.testing.assert_allclose(by_option.detach().numpy(), by_loss.detach().numpy(), rtol=1e-12)


# -- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cls", "options"), ONE_EACH)
def test_parameters_that_are_refused(cls, options, device):
    a, b, _ = make_params(device)
    with pytest.raises(ValueError, match="no parameters"):
        cls([], **options)
    with pytest.raises(ValueError, match="group 1 has no parameters"):
        cls([{"params": [a]}, {"params": []}], **options)
    with pytest.raises(ValueError, match="parameter 1 of group 0.*no leaf"):
        cls([a, b * 2.0], **options)
    with pytest.raises(ValueError, match=r"parameter 2 of group 0 \(p0, shape \(3, 4\)\) appears twice"):
        cls([a, b, a], **options)
    with pytest.raises(ValueError, match="parameter 0 of group 1.*twice"):
        cls([{"params": [a]}, {"params": [a]}], **options)
    with pytest.raises(TypeError, match=r"named_parameters\(\)"):
        cls([("weight", a)], **options)
    with pytest.raises(TypeError, match=r"write \[tensor\]"):
        cls(a, **options)
    with pytest.raises(TypeError, match="under 'params'"):
        cls([{"lr": 0.1}], **options)


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf, "0.1", None, True])
@pytest.mark.parametrize("name", ["lr", "weight_decay", "l1"])
@pytest.mark.parametrize(("cls", "options"), ONE_EACH)
def test_options_out_of_range(cls, options, name, value, device):
    params = make_params(device)
    with pytest.raises(ValueError, match=f"^{name} must be"):
        cls(params, **{**options, name: value})
    with pytest.raises(ValueError, match=f"^{name} must be"):
        cls([{"params": params, name: value}], **options)


@pytest.mark.parametrize(
    ("cls", "options", "message"),
    [
        (optim.Adam, {"betas": (1.0, 0.9)}, r"betas\[0\] must be in \[0, 1\), got 1.0"),
        (optim.AdamW, {"betas": (0.9, -0.1)}, r"betas\[1\]"),
        (optim.AdamW, {"betas": (0.9, math.nan)}, r"betas\[1\]"),
        (optim.AdamW, {"betas": 0.9}, "betas must be two numbers"),
        (optim.Adam, {"amsgrad": 1}, "amsgrad must be True or False"),
        (optim.Adam, {"eps": -1e-8}, "eps"),
        (optim.RMSprop, {"alpha": 1.5}, r"alpha must be in \[0, 1\)"),
        (optim.RMSprop, {"momentum": -1}, "momentum"),
        (optim.SGD, {"nesterov": True}, "nesterov needs momentum > 0"),
        (optim.SGD, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "dampening = 0.1"),
        (optim.Adagrad, {"lr_decay": -1}, "lr_decay"),
    ],
)
def test_options_of_one_rule_out_of_range(cls, options, message, device):
    with pytest.raises(ValueError, match=message):
        cls(make_params(device), **options)


def test_unknown_group_option_names_the_known_ones(device):
    with pytest.raises(ValueError, match=r"no option 'decay'; its options are lr, momentum"):
        optim.SGD([{"params": make_params(device), "decay": 0.1}])


def test_gradient_that_does_not_fit(device):
    p = make_params(device)[0]
    optimizer = optim.SGD([p], lr=0.1)
    for wrong in (np.zeros((4, 3), np.float32), np.zeros((3, 4), np.float64)):
        with pytest.raises(ValueError, match=r"grad: expected float32 \(3, 4\) as the tensor"):
            p.grad = ml.Tensor(wrong, device=device)
        p._grad = ml.Tensor(wrong, device=device)  # past that check, as by p._data = ...
        with pytest.raises(ValueError, match="the gradient of p0"):
            optimizer.step()


# -- saving -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cls", "options"), VARIANTS)
def test_resumed_run_equals_an_undisturbed_one(cls, options, device):
    params, rng = make_params(device), np.random.default_rng(7)
    optimizer = cls([{"params": params[:1], "lr": 0.01}, {"params": params[1:]}], **options, l1=0.01)
    run(optimizer, params[:2], rng, 3)  # the last parameter gets its first gradient only after the break
    saved, middle, place = optimizer.state_dict(), numbers(params), copy.deepcopy(rng)
    run(optimizer, params, rng, 4)

    options_text = json.dumps(saved["options"], allow_nan=False)
    again = [ml.Tensor(x.copy(), True, device=device) for x in middle]
    other = cls([{"params": again[:1]}, {"params": again[1:]}], lr=0.7)
    other.load_state_dict({"options": json.loads(options_text), "arrays": saved["arrays"]})
    run(other, again, place, 4)
    assert_same(numbers(again), numbers(params))
    assert other.state_dict()["options"] == optimizer.state_dict()["options"]


def test_state_dict_is_a_copy_and_so_is_what_is_loaded(device):
    params, rng = make_params(device), np.random.default_rng(0)
    optimizer = optim.AdamW(params)
    run(optimizer, params, rng, 2)
    saved = optimizer.state_dict()
    before = copy.deepcopy(saved["arrays"])
    optimizer.load_state_dict(saved)
    run(optimizer, params, rng, 2)
    assert_same(saved["arrays"].values(), before.values())
    assert sorted(saved["arrays"]) == [f"{i}.{name}" for i in range(3) for name in ("exp_avg", "exp_avg_sq")]


def saved_state(device):
    params = make_params(device)
    optimizer = optim.AdamW(params, lr=0.1)
    run(optimizer, params, np.random.default_rng(0), 2)
    return params, optimizer, optimizer.state_dict()


DAMAGES = {
    "another optimizer": (lambda s: s["options"].update(optimizer="SGD"), "'SGD', not of AdamW"),
    "no options": (lambda s: s.pop("options"), "should hold 'options'"),
    "arrays of another type": (lambda s: s.update(arrays=[1]), "should hold 'arrays'"),
    "no groups": (lambda s: s["options"].pop("param_groups"), "should hold 'param_groups'"),
    "groups of another type": (lambda s: s["options"].update(param_groups=[1]), "should hold 'params'"),
    "a group more": (lambda s: s["options"]["param_groups"].append({"params": [3]}), r"groups of \[3, 1\]"),
    "another order": (lambda s: s["options"]["param_groups"][0].update(params=[1, 0, 2]), "same groups and order"),
    "option missing": (lambda s: s["options"]["param_groups"][0].pop("eps"), "lacks the option 'eps'"),
    "option unknown": (lambda s: s["options"]["param_groups"][0].update(zeta=1), "no option 'zeta'"),
    "option out of range": (lambda s: s["options"]["param_groups"][0].update(lr=-1.0), "lr must be"),
    "array missing": (lambda s: s["arrays"].pop("1.exp_avg"), "lacks the array '1.exp_avg'"),
    "array too many": (lambda s: s["arrays"].update({"9.exp_avg": np.zeros(3)}), r"nothing in its options names: \['9"),
    "array of another shape": (lambda s: s["arrays"].update({"1.exp_avg": np.zeros(4, np.float32)}), r"'1.exp_avg' is float32 \(4,\)"),
    "array of another dtype": (lambda s: s["arrays"].update({"1.exp_avg": np.zeros(5)}), "is float64"),
    "array name unknown": (lambda s: s["options"]["state"]["1"]["arrays"].append("sum"), "remembers no array 'sum'"),
    "parameter unknown": (lambda s: s["options"]["state"].update({"7": {}}), "names parameter '7'"),
    "negative step": (lambda s: s["options"]["state"]["1"].update(step=-1), "step count of parameter 1"),
    "step no integer": (lambda s: s["options"]["state"]["1"].update(step=1.5), "should hold 'step'"),
}  # fmt: skip


@pytest.mark.parametrize(("damage", "message"), DAMAGES.values(), ids=DAMAGES)
def test_damaged_state_is_refused_and_nothing_changes(damage, message, device):
    _, optimizer, saved = saved_state(device)
    bad = copy.deepcopy(saved)
    damage(bad)
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(bad)
    after = optimizer.state_dict()
    assert after["options"] == saved["options"]
    assert_same(after["arrays"].values(), saved["arrays"].values())


def test_a_step_neither_waits_for_the_device_nor_uploads(device):
    """On the stand-in every wait and upload is counted; elsewhere there is nothing to count."""
    if not device.name.startswith("pretend"):
        pytest.skip("counted on the pretend device only: pytest --device pretend")
    from tests.backend import pretend

    for case in VARIANTS:
        cls, options = case.values
        params = make_params(device)
        optimizer = cls(params, **options, l1=0.01)
        set_grads(params, np.random.default_rng(0))
        with pretend.count() as counts:
            optimizer.step()
            optim.clip_grad_norm_(params, 1.0)
            optim.clip_grad_norm_(params, 1.0, math.inf)
            optim.clip_grad_value_(params, 1.0)
            optimizer.step()
        assert (counts.syncs, counts.uploads) == (0, 0)


def test_gradient_on_another_device(device):
    if device.name == "cpu":
        pytest.skip("needs two devices")
    p, q = make_params(device)[0], make_params("cpu")[0]
    p._grad, q._grad = (
        ml.Tensor(np.zeros((3, 4), np.float32), device="cpu") for _ in range(2)
    )  # past the check of an assignment
    with pytest.raises(ValueError, match="on cpu, the parameter"):
        optim.SGD([p]).step()
    p.grad = p.grad.to(device)
    with pytest.raises(DeviceError, match="one device"):
        optim.clip_grad_norm_([p, q], 1.0)
