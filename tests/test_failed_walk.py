"""What a backward pass leaves behind that an error stopped: whole gradients or none, and a graph that says why it is gone."""

import numpy as np
import pytest

import minilm as ml
from minilm import graph
from minilm.ops import REGISTRY


def build():
    """A loss of nine nodes with two leaves, one of them used twice."""
    w = ml.tensor([1.0, 2.0], requires_grad=True).named("w")
    x = ml.tensor([3.0, -4.0], requires_grad=True).named("x")
    h = (w * x).exp()
    y = (h + x).tanh() * 2.0
    return w, x, [h, y], (y - h).abs().sum()


def gradients(retain_graph=False):
    """The right gradients."""
    w, x, _, loss = build()
    loss.backward(retain_graph=retain_graph)
    return w.grad.numpy(), x.grad.numpy()


class Stop:
    """Raises `error` when it has been called `at` times."""

    def __init__(self, at, error):
        self.left, self.error = at, error

    def __call__(self, *_args):
        self.left -= 1
        if self.left == 0:
            raise self.error


def whole_or_nothing(leaves, expected):
    for leaf, g in zip(leaves, expected, strict=True):
        if leaf.grad is not None:
            np.testing.assert_array_equal(leaf.grad.numpy(), g)


ERRORS = [ValueError("mine"), KeyboardInterrupt(), MemoryError("full"), KeyError("k")]


@pytest.mark.parametrize("retain_graph", [False, True])
@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("place", ["rule", "after rule", "deposit", "sum"])
def test_an_error_at_each_place_of_the_walk(place, error, retain_graph, monkeypatch):
    expected, done, count = gradients(), False, 0
    while not done:
        count += 1
        w, x, _, loss = build()
        stop = Stop(count, error)
        with monkeypatch.context() as patch:
            if place in ("rule", "after rule"):
                apply_rule = graph.Node.vjp

                def rule(*args, apply_rule=apply_rule, stop=stop):
                    if place == "rule":
                        stop()
                    found = apply_rule(*args)
                    if place == "after rule":
                        stop()
                    return found

                patch.setattr(graph.Node, "vjp", rule)
            elif place == "deposit":
                accumulate = ml.Tensor._accumulate
                patch.setattr(ml.Tensor, "_accumulate", lambda t, g, f=accumulate, stop=stop: (stop(), f(t, g))[1])
            else:
                add = graph.Walk.add
                patch.setattr(graph.Walk, "add", lambda *args, f=add, stop=stop: (stop(), f(*args))[1])
            try:
                loss.backward(retain_graph=retain_graph)
                done = True
            except type(error) as raised:
                assert raised is error
        whole_or_nothing((w, x), expected)
        if done:
            assert count > 1
            return
        freed = loss.grad_fn.freed is not None
        assert not (freed and retain_graph)
        for leaf in (w, x):
            leaf.grad = None
        if freed:
            with pytest.raises(
                RuntimeError, match=f"stopped by an error, .*{type(error).__name__}.*Compute the output again"
            ):
                loss.backward()
            whole_or_nothing((w, x), expected)
        else:
            loss.backward()
            for leaf, g in zip((w, x), expected, strict=True):
                np.testing.assert_array_equal(leaf.grad.numpy(), g)


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("at", range(4))
def test_an_error_in_a_hook(at, error):
    w, x, between, loss = build()
    remove = [w, x, *between][at].register_hook(Stop(1, error))
    with pytest.raises(type(error)):
        loss.backward()
    whole_or_nothing((w, x), gradients())
    remove()
    with pytest.raises(RuntimeError, match=f"stopped by an error, .*{type(error).__name__}") as info:
        loss.backward()
    assert "retain_graph" not in str(info.value)


def test_a_hook_of_the_result_itself_leaves_the_graph_whole():
    w, x, _, loss = build()
    remove = loss.register_hook(Stop(1, ValueError("mine")))
    with pytest.raises(ValueError, match="mine"):
        loss.backward()
    assert w.grad is None
    remove()
    loss.backward()
    for leaf, g in zip((w, x), gradients(), strict=True):
        np.testing.assert_array_equal(leaf.grad.numpy(), g)


def test_an_error_in_a_shared_part_is_told_by_every_result_above_it():
    w = ml.ones(2, requires_grad=True)
    shared = (w * 2.0).exp()
    first, second = (shared * 3.0).sum(), (shared * 4.0).sum()
    shared.register_hook(Stop(1, ValueError("mine")))
    with pytest.raises(ValueError, match="mine"):
        first.backward()
    second.backward()  # the shared part had not been freed
    np.testing.assert_allclose(w.grad.numpy(), np.full(2, 8.0 * np.exp(2.0)), rtol=1e-6)
    with pytest.raises(
        RuntimeError, match="sum: its saved arrays were freed by a backward.. that was stopped by .*mine"
    ):
        first.backward()


def test_a_whole_walk_still_blames_retain_graph():
    _, _, _, loss = build()
    loss.backward()
    with pytest.raises(RuntimeError, match="retain_graph=True"):
        loss.backward()


def test_grad_does_as_backward():
    w, _, between, loss = build()
    between[0].register_hook(Stop(1, ValueError("mine")))
    with pytest.raises(ValueError, match="mine"):
        ml.grad(loss, w)
    with pytest.raises(RuntimeError, match="stopped by an error, .*mine"):
        ml.grad(loss, w)


def test_modes_are_restored():
    _, _, between, loss = build()
    between[0].register_hook(Stop(1, KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        loss.backward()
    assert graph.is_grad_enabled()
    assert (ml.tensor([1.0], requires_grad=True) * 2.0).requires_grad


class TestWhatAHookReturns:
    @pytest.mark.parametrize("create_graph", [False, True])
    @pytest.mark.parametrize("result", [False, True], ids=["leaf", "result"])
    @pytest.mark.parametrize(
        "new",
        [
            lambda g: g.detach().to("float64") * 3.0,
            lambda g: g.to("float16") * 3.0,
            lambda g: g * 3.0,
            lambda g: ml.Tensor(np.array([3.0, 3.0])),
            lambda g: ml.tensor([3, 3]),
            lambda g: [3.0, 3.0],
            lambda g: g.numpy() * 3.0,
            lambda g: np.array([3, 3]),
        ],
    )
    def test_is_taken_in_the_gradients_dtype(self, new, result, create_graph):
        w = ml.ones(2, requires_grad=True)
        h = w * 1.0
        (h if result else w).register_hook(new)
        (h * 1.0).sum().backward(create_graph=create_graph)
        assert type(w.grad) is ml.Tensor
        assert w.grad.dtype == np.float32
        assert w.grad.device is w.device
        assert w.grad.tolist() == [3.0, 3.0]

    def test_a_number_for_a_number(self):
        w = ml.tensor(2.0, requires_grad=True)
        w.register_hook(lambda g: 7)
        (w * 1.0).backward()
        assert w.grad.item() == 7.0
        assert w.grad.dtype == np.float32

    @pytest.mark.parametrize("new", ["a", {"a": 1}, object(), [[1.0], [2.0, 3.0]], 1j, (g for g in [1])])
    def test_is_refused_where_it_is_no_gradient(self, new):
        w = ml.ones(2, requires_grad=True)
        w.register_hook(lambda g: new)
        with pytest.raises(
            TypeError,
            match=rf"a gradient hook returned a {type(new).__name__}, expected a Tensor or an array of shape \(2,\)",
        ):
            (w * 1.0).sum().backward()
        assert w.grad is None

    @pytest.mark.parametrize("new", [1.0, [1.0], [1.0, 2.0, 3.0], [[1.0, 2.0]]])
    def test_is_refused_in_another_shape(self, new):
        w = ml.ones(2, requires_grad=True)
        w.register_hook(lambda g: ml.tensor(new))
        with pytest.raises(ValueError, match=r"a gradient hook returned shape .* for a gradient of shape \(2,\)"):
            (w * 1.0).sum().backward()

    def test_does_not_become_grad_itself_where_someone_else_has_it(self):
        mine, w = ml.tensor([5.0, 5.0]), ml.ones(2, requires_grad=True)
        w.register_hook(lambda g: mine)
        (w * 1.0).sum().backward()
        (w * 1.0).sum().backward()
        assert w.grad.tolist() == [10.0, 10.0]
        assert mine.tolist() == [5.0, 5.0]


def test_the_special_values_of_a_walk_warn_of_nothing():
    w = ml.tensor([float("inf"), 0.0], requires_grad=True)
    h = w * 1.0
    y = h * float("inf") + h * float("-inf")  # infinity minus infinity, on the way back too
    y.sum().backward()
    y = REGISTRY["log"](w * 0.0)
    y.sum().backward()
    assert np.isnan(w.grad.numpy()).all()


def test_an_op_within_an_op_is_quiet_too():
    """A forward rule of a user's own may call Tensors."""

    class nested(type(REGISTRY["log"])):
        def forward(self, dev, x):
            return (ml.Tensor(x) / 0.0).log().data

    op = nested()
    op.name = "nested"
    assert np.isnan(op(ml.tensor([0.0])).numpy()).all()
