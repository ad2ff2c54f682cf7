"""Module: what attributes become, what is done with all of them at once, and what bad input is told."""

import copy
import gc
import weakref

import numpy as np
import pytest

import minilm as ml
from minilm.backend import DeviceError
from minilm.nn import Module, ModuleList, Parameter, Sequential


class Scale(Module):
    """y = w x + b, with a count of its calls."""

    def __init__(self, width=3, value=1.0):
        super().__init__()
        self.weight = Parameter(np.full(width, value, np.float32))
        self.bias = Parameter(np.zeros(width, np.float32))
        self.register_buffer("calls", np.zeros((), np.int64))
        self.register_buffer("table", np.arange(width, dtype=np.float32), persistent=False)

    def forward(self, x, shift=0.0):
        self.calls = self.calls + 1
        return x * self.weight + self.bias + shift


class Pair(Module):
    def __init__(self):
        super().__init__()
        self.last = Parameter(np.ones(2, np.float32))
        self.second = Scale(value=2.0)
        self.first = Scale(value=3.0)

    def forward(self, x):
        return self.first(self.second(x))


class Tied(Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = Scale(), Scale()
        self.b.weight = self.a.weight


def test_names_are_paths_in_the_order_of_definition():
    model = Pair()
    names = ["last", "second.weight", "second.bias", "first.weight", "first.bias"]
    assert [name for name, _ in model.named_parameters()] == names
    assert [name for name, _ in model.named_modules()] == ["", "second", "first"]
    assert [name for name, _ in model.named_buffers()] == ["second.calls", "second.table", "first.calls", "first.table"]
    assert list(model.children()) == [model.second, model.first]
    assert model.num_parameters() == 14


def test_a_parameter_that_is_replaced_keeps_its_place():
    model = Scale()
    model.weight = Parameter(np.zeros(5, np.float32))
    assert [(name, p.shape) for name, p in model.named_parameters()] == [("weight", (5,)), ("bias", (3,))]
    model.weight = None
    assert [name for name, _ in model.named_parameters()] == ["bias"]


def test_shared_parameters_and_modules_are_listed_once():
    model = Tied()
    assert [name for name, _ in model.named_parameters()] == ["a.weight", "a.bias", "b.bias"]
    assert model.num_parameters() == 9
    model.c = model.a
    assert [name for name, _ in model.named_modules()] == ["", "a", "b"]
    assert list(model.state_dict()) == ["a.weight", "a.bias", "a.calls", "b.bias", "b.calls"]


def test_a_module_that_reaches_itself_is_walked_once():
    model = Pair()
    object.__setattr__(model.first, "parent", model)
    assert [name for name, _ in model.named_modules()] == ["", "second", "first"]


def test_frozen_parameters_are_not_counted_as_trainable():
    model = Pair()
    model.first.requires_grad_(False)
    assert model.num_parameters(trainable=True) == 8
    assert not model.first.weight.requires_grad
    assert model.second.weight.requires_grad


def test_train_and_eval_reach_every_module():
    model = Sequential(Scale(), ModuleList([Scale()]))
    assert all(not module.training for module in model.eval().modules())
    assert all(module.training for module in model.train().modules())


def test_zero_grad_forgets_all_gradients(device):
    model = Pair().to(device)
    model(ml.ones(3, device=device)).sum().backward()
    assert model.first.bias.grad is not None
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_apply_visits_each_module_once():
    model, seen = Pair(), []
    model.shared = model.first
    assert model.apply(seen.append) is model
    assert seen == [model, model.second, model.first]


def test_to_dtype_keeps_parameter_objects_tying_and_integers():
    model = Tied()
    before = list(model.parameters())
    model.a(ml.ones(3)).sum().backward()
    assert model.to("float64") is model
    assert all(p is old for p, old in zip(model.parameters(), before, strict=True))
    assert model.b.weight is model.a.weight
    assert model.a.weight.dtype == model.a.weight.grad.dtype == model.a.table.dtype == np.float64
    assert model.a.calls.dtype == np.int64
    assert all(p.is_leaf and p.requires_grad for p in model.parameters())


def test_to_device_moves_everything(device):
    model = Pair().to(device)
    tensors = [*model.parameters(), *model.buffers()]
    assert all(t.device is device for t in tensors)
    model(ml.ones(3, device=device)).sum().backward()
    assert all(
        t.device.name == "cpu" for t in [*model.to("cpu").parameters(), *model.buffers(), model.first.weight.grad]
    )


def test_to_refuses_what_is_no_float_type_or_device_and_changes_nothing():
    model = Pair()
    with pytest.raises(TypeError, match="not to int64"):
        model.to("int64")
    with pytest.raises((DeviceError, TypeError)):
        model.to("cuda:77")
    assert all(p.dtype == np.float32 for p in model.parameters())


def test_to_the_same_place_does_not_spoil_a_recorded_graph(device):
    model = Scale().to(device)
    y = model(ml.ones(3, device=device)) * model.weight
    model.to("float32").to(device)
    y.sum().backward()
    assert model.weight.grad is not None


def test_state_dict_is_a_snapshot_without_history():
    model = Scale()
    state = model.state_dict()
    assert list(state) == ["weight", "bias", "calls"]
    assert not state["weight"].requires_grad
    with ml.no_grad():
        model.weight.fill_(9.0)
    assert state["weight"].tolist() == [1.0, 1.0, 1.0]


def test_state_dict_round_trip_is_exact(device):
    source, target = Pair().to(device), Pair().to(device)
    source(ml.ones(3, device=device))
    with ml.no_grad():
        source.last.fill_(0.1)
    kept = list(target.parameters())
    report = target.load_state_dict(source.state_dict())
    assert report.missing == report.unexpected == []
    assert all(p is old for p, old in zip(target.parameters(), kept, strict=True))
    for name, value in source.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), target.state_dict()[name].numpy())
    assert int(target.first.calls) == 1


def test_load_converts_to_the_dtype_and_device_of_the_module(device):
    model = Scale().to(device)
    state = {"weight": np.full(3, 0.5), "bias": np.zeros(3), "calls": np.array(4, np.int32)}
    model.load_state_dict(state)
    assert model.weight.dtype == np.float32
    assert model.calls.dtype == np.int64
    assert model.weight.device is device
    assert model.weight.tolist() == [0.5, 0.5, 0.5]


def test_load_lists_all_that_does_not_fit_and_changes_nothing():
    model, before = Pair(), Pair().state_dict()
    state = {**before, "first.wieght": before["first.weight"], "extra": np.zeros(1, np.float32)}
    del state["first.weight"]
    state["last"] = np.zeros((2, 2), np.float32)
    state["second.bias"] = [1, 2, 3]
    state["second.calls"] = np.zeros((), np.float32)
    state["first.bias"] = np.full(3, 7.0, np.float32)
    with pytest.raises(ValueError, match="nothing was loaded") as error:
        model.load_state_dict(state)
    message = str(error.value)
    for part in [
        "missing: first.weight (3,)",
        "unexpected: first.wieght (did you mean first.weight?)",
        "unexpected: extra",
        "wrong shape: last: expected (2,), got (2, 2)",
        "wrong type: second.bias: expected a Tensor or array, got list",
        "wrong dtype: second.calls: expected int64, got float32",
    ]:
        assert part in message
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[name].numpy())


def test_load_without_strict_takes_what_fits_but_no_wrong_shape():
    model = Scale()
    report = model.load_state_dict({"weight": np.full(3, 2.0, np.float32), "other": np.zeros(1)}, strict=False)
    assert report == (["bias", "calls"], ["other"])
    assert model.weight.tolist() == [2.0, 2.0, 2.0]
    with pytest.raises(ValueError, match="wrong shape"):
        model.load_state_dict({"weight": np.zeros(4, np.float32)}, strict=False)


def test_a_shared_tensor_may_be_given_under_any_of_its_names():
    model, state = Tied(), Tied().state_dict()
    state["b.weight"] = ml.tensor(np.full(3, 5.0, np.float32))
    with pytest.raises(
        ValueError, match=r"a\.weight and b\.weight are one shared tensor here, but their numbers differ"
    ):
        model.load_state_dict(state)
    del state["a.weight"]
    model.load_state_dict(state)
    assert model.a.weight.tolist() == [5.0, 5.0, 5.0]
    assert model.a.weight is model.b.weight


def test_loading_makes_an_older_graph_refuse_to_use_the_new_numbers():
    model = Scale()
    y = (ml.ones(3, requires_grad=True) * model.weight).sum()
    model.load_state_dict(model.state_dict())
    with pytest.raises(RuntimeError, match="modified in place"):
        y.backward()


def test_forward_hooks_see_and_replace():
    model, seen = Scale(), []
    remove_pre = model.register_forward_pre_hook(lambda module, args: seen.append(args) or (args[0] * 2.0,))
    remove = model.register_forward_hook(lambda module, args, y: y + 1.0)
    assert model(ml.ones(3), shift=0.5).tolist() == [3.5, 3.5, 3.5]
    assert len(seen) == 1
    remove_pre()
    remove()
    remove()
    assert model(ml.ones(3)).tolist() == [1.0, 1.0, 1.0]


def test_a_subclass_that_forgets_super_init_is_told():
    class Forgets(Module):
        def __init__(self):
            self.weight = Parameter(np.ones(2))

    class ForgetsToo(Module):
        def __init__(self):
            pass

    with pytest.raises(AttributeError, match=r"Forgets.__init__ must call super\(\).__init__\(\) first"):
        Forgets()
    with pytest.raises(AttributeError, match=r"ForgetsToo.__init__ must call super\(\)"):
        ForgetsToo()(1.0)


def test_a_misspelt_attribute_is_told_the_near_names():
    with pytest.raises(AttributeError, match=r"Scale has no attribute 'wieght'. Did you mean 'weight'"):
        _ = Scale().wieght
    assert not hasattr(Scale(), "zzz")


def test_a_module_without_forward_says_so():
    class Empty(Module):
        pass

    with pytest.raises(NotImplementedError, match="Empty does not define forward"):
        Empty()(1.0)


def test_what_would_silently_not_be_learnt_is_refused():
    model = Pair()
    with pytest.raises(TypeError, match="a Tensor of shape"):
        model.first.weight = model.first.weight * 2.0
    with pytest.raises(TypeError, match="ModuleList"):
        model.layers = [Scale(), Scale()]
    with pytest.raises(TypeError, match="inside a dict"):
        model.layers = {"a": Scale()}
    with pytest.raises(TypeError, match="buffer"):
        model.first.calls = 3
    with pytest.raises(AttributeError, match="already"):
        model.first.register_buffer("weight", np.zeros(1))
    model.settings = [1, 2, {"a": 3}]


def test_buffers_may_be_filled_later_and_deleted():
    model = Scale()
    model.register_buffer("mask", None)
    assert "mask" not in model.state_dict()
    model.mask = ml.ones(2)
    assert "mask" in model.state_dict()
    del model.mask
    model.mask = 3
    assert "mask" not in model.state_dict()


def test_sequential_and_module_list():
    model = Sequential(Scale(value=2.0), Scale(value=3.0))
    assert model(ml.ones(3)).tolist() == [6.0, 6.0, 6.0]
    assert len(model) == 2
    assert model[-1] is list(model)[1]
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias", "1.weight", "1.bias"]
    layers = ModuleList(Scale() for _ in range(3)).append(Scale())
    assert len(layers) == 4
    assert layers[3] is list(layers)[3]
    with pytest.raises(TypeError, match="call them in a loop"):
        layers(ml.ones(3))
    with pytest.raises(TypeError, match=r"Sequential\(\*modules\)"):
        Sequential([Scale()])
    with pytest.raises(TypeError, match="holds Modules, got a int"):
        ModuleList([3])


def test_deepcopy_keeps_tying_and_shares_nothing():
    model = Tied()
    other = copy.deepcopy(model)
    assert other.a.weight is other.b.weight
    assert other.a.weight is not model.a.weight
    with ml.no_grad():
        other.a.weight.fill_(7.0)
    assert model.a.weight.tolist() == [1.0, 1.0, 1.0]
    assert list(other.state_dict()) == list(model.state_dict())


def test_repr_shows_the_tree():
    assert repr(Sequential(Scale(), Sequential(Scale()))) == (
        "Sequential(\n  (0): Scale()\n  (1): Sequential(\n    (0): Scale()\n  )\n)"
    )
    assert repr(Parameter(np.ones(2, np.float32))).startswith("Parameter(tensor([1., 1.]")


def test_parameters_are_leaves_that_require_a_gradient():
    p = Parameter(ml.ones(2, requires_grad=True) * 3.0)
    assert p.is_leaf
    assert p.requires_grad
    assert not Parameter(np.ones(2), requires_grad=False).requires_grad
    with pytest.raises(TypeError, match="only float tensors"):
        Parameter(np.ones(2, np.int64))


def test_a_module_is_freed_without_the_cycle_collector():
    gc.disable()
    try:
        model = Pair()
        model(ml.ones(3)).sum().backward()
        freed = weakref.ref(model)
        del model
        assert freed() is None
    finally:
        gc.enable()
