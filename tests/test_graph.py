"""The walk back: order, accumulation, hooks, freeing, in-place safety; and that it equals the plain one."""

import gc
import time
import tracemalloc
import weakref

import numpy as np
import pytest

import minilm as ml
from minilm.backend import to_host
from minilm.graph import held_once, plain_backward
from minilm.ops import REGISTRY


def leaf(*values, dtype=np.float64):
    return ml.tensor(list(values), requires_grad=True, dtype=dtype)


class TestAccumulation:
    def test_a_tensor_used_twice_gets_both_contributions(self):
        x = leaf(3.0)
        (x * x + x).sum().backward()
        assert x.grad.tolist() == [7.0]

    def test_calls_of_backward_add_up(self):
        x = leaf(2.0)
        (x * 5.0).sum().backward()
        (x * 7.0).sum().backward()
        assert x.grad.tolist() == [12.0]

    def test_gradients_of_two_leaves_do_not_share_memory(self):
        a, b = leaf(1.0, 2.0), leaf(3.0, 4.0)
        (a + b).backward(np.ones(2))
        assert not a.device.xp.shares_memory(a.grad.data, b.grad.data)

    def test_the_given_gradient_is_not_kept(self):
        x, g = leaf(1.0, 2.0), np.ones(2)
        (x + 0.0).backward(g)
        x.grad.data *= 3.0
        assert g.tolist() == [1.0, 1.0]

    def test_a_given_gradient_that_the_result_keeps_is_a_copy(self):
        g = ml.tensor(np.ones(2))
        y = (leaf(1.0, 2.0) * 3.0).retain_grad()
        y.backward(g, retain_graph=True)
        y.backward(g)
        assert y.grad.tolist() == [2.0, 2.0]
        assert g.tolist() == [1.0, 1.0]

    def test_a_sum_of_gradients_does_not_change_an_array_that_another_path_reads(self):
        x, w = leaf(1.0), leaf(10.0)
        y = x + w  # the same array is the gradient of both; x then receives more
        (y + x * 2.0 + x * 3.0).sum().backward()
        assert x.grad.tolist() == [6.0]
        assert w.grad.tolist() == [1.0]

    def test_a_gradient_that_a_hook_kept_does_not_change(self):
        x, kept = leaf(1.0, 2.0), []
        y = x + 0.0  # passes the array of its gradient on to x, which then receives more
        y.register_hook(kept.append)
        (y * 2.0 + x * 3.0 + x.reshape(2, 1).reshape(2) * 5.0).sum().backward()
        assert x.grad.tolist() == [10.0, 10.0]
        assert kept[0].tolist() == [2.0, 2.0]
        x.grad.data += 1.0
        assert kept[0].tolist() == [2.0, 2.0]

    def test_gradients_that_are_views_of_one_array_are_not_added_to_in_place(self):
        x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
        (x.reshape(2) + w.reshape(2) + x * 10.0).backward(np.ones(2))
        assert x.grad.tolist() == [11.0, 11.0]
        assert w.grad.tolist() == [1.0, 1.0]

    def test_a_leaf_gets_its_gradient_as_a_root(self):
        x = leaf(2.0)
        x.backward()
        assert x.grad.tolist() == [1.0]

    def test_only_what_is_asked_for(self):
        x, w = leaf(2.0), leaf(5.0)
        y = x * w
        (gx,) = ml.grad(y, x)
        assert gx.tolist() == [5.0]
        assert x.grad is None
        assert w.grad is None

    def test_of_an_inner_tensor_and_of_what_lies_behind_it(self):
        x = leaf(2.0)
        y = x * 3.0
        gy, gx = ml.grad((y * y).sum(), [y, x])
        assert gy.tolist() == [12.0]
        assert gx.tolist() == [36.0]

    def test_several_outputs(self):
        x = leaf(2.0)
        (g,) = ml.grad([x * 3.0, x * x], x, [ml.tensor([1.0], dtype="float64"), ml.tensor([10.0], dtype="float64")])
        assert g.tolist() == [43.0]


def test_held_once():
    arrays = [np.ones(3), np.ones((2, 3)), np.ones(3)[1:], np.float32(1.0)]
    assert held_once(arrays, 0)
    view = arrays[1].T
    assert not held_once(arrays, 1)
    del view
    assert held_once(arrays, 1)
    other = arrays[0]
    assert not held_once(arrays, 0)
    assert other is arrays[0]
    assert not held_once(arrays, 2)  # a view of memory that belongs to another array
    assert not held_once(arrays, 3)  # a NumPy scalar cannot be written to
    assert held_once({0: np.ones(3)}, 0)


class TestSize:
    def test_ten_thousand_ops_in_a_row(self):
        x = leaf(1.0)
        y = x
        for _ in range(10_000):
            y = y * 1.0001
        y.sum().backward()
        assert x.grad.item() == pytest.approx(1.0001**10_000)

    def test_a_long_graph_is_dropped_without_recursion(self):
        y = leaf(1.0)
        for _ in range(20_000):
            y = y + 1.0
        del y

    def test_forty_residual_diamonds(self):
        x = leaf(1.0)
        y = x
        for _ in range(40):
            y = y + y * 0.5  # 2**40 paths
        started = time.perf_counter()
        y.sum().backward()
        assert time.perf_counter() - started < 0.5
        assert x.grad.item() == pytest.approx(1.5**40)

    def test_each_rule_runs_once(self):
        x = leaf(1.0)
        y = x
        for _ in range(30):
            y = y + y * 0.5
        calls = []

        class Count:
            def backward(self, node, g, grads):
                calls.append(node.op.name)

        with ml.observe(Count()):
            y.sum().backward()
        assert len(calls) == 61

    def test_a_thousand_steps_leak_nothing_without_the_cycle_collector(self):
        w = ml.tensor(np.ones((4, 3)), requires_grad=True)
        x = ml.tensor(np.ones((2, 4)))

        def step():
            y = (x @ w).exp()
            loss = (y * y).sum()
            probe = weakref.ref(y)
            loss.backward()
            with ml.no_grad():
                w.copy_(w - w.grad * 1e-6)
            w.grad = None
            return probe

        step()
        gc.collect()
        gc.disable()
        try:
            before = len(gc.get_objects())
            alive = sum(step()() is not None for _ in range(1000))
            after = len(gc.get_objects())
        finally:
            gc.enable()
        assert alive == 0
        assert after - before < 50

    def test_a_graph_that_was_never_walked_is_freed_too(self):
        gc.disable()
        try:
            y = leaf(1.0) * 2.0
            node = weakref.ref(y.grad_fn)
            del y
            assert node() is None
        finally:
            gc.enable()

    def test_saved_arrays_are_let_go_during_the_walk(self):
        x = leaf(1.0)
        y = x.exp()
        probe = weakref.ref(y.data)
        z = y * y
        del y
        assert probe() is not None
        z.sum().backward()
        assert probe() is None

    @pytest.mark.parametrize(("depth", "arrays"), [(1, 1), (6, 3)], ids=["of a leaf", "of sums"])
    def test_a_walk_makes_no_more_arrays_than_it_must(self, depth, arrays):
        """A leaf takes the array that a rule made. Two products of what arrives are summed in the memory of one of them."""
        x, g = leaf(*np.ones(10_000)), ml.tensor(np.ones(10_000))
        y = x * 2.0
        for _ in range(depth - 1):
            y = y * 2.0 + y * 3.0
        tracemalloc.start()
        try:
            y.backward(g)
            peak = tracemalloc.get_traced_memory()[1] / g.data.nbytes
        finally:
            tracemalloc.stop()
        assert x.grad.data.max() == 2.0 * 5.0 ** (depth - 1)
        assert peak < arrays + 0.5

    def test_a_stopped_walk_lets_go_of_the_gradients_on_their_way(self):
        x, g = leaf(*np.ones(10_000)), ml.tensor(np.ones(10_000))
        y = x.tanh()
        loss = (y + x * 2.0) * 3.0  # freed when the hook of y raises, with a gradient on its way to x
        y.register_hook(lambda g: 1 / 0)
        tracemalloc.start()
        try:
            with pytest.raises(ZeroDivisionError):
                loss.backward(g)
            left = tracemalloc.get_traced_memory()[0] / g.data.nbytes
        finally:
            tracemalloc.stop()
        assert loss.grad_fn.freed is not None
        assert left < 0.5


class TestTwice:
    def test_second_backward_says_what_to_do(self):
        y = (leaf(2.0) ** 2).sum()
        y.backward()
        with pytest.raises(RuntimeError, match="retain_graph=True"):
            y.backward()

    def test_retain_graph(self):
        x = leaf(2.0)
        y = (x**2).sum()
        y.backward(retain_graph=True)
        y.backward()
        assert x.grad.tolist() == [8.0]

    def test_second_and_third_derivative(self):
        x = leaf(2.0)
        (first,) = ml.grad((x**4).sum(), x, create_graph=True)
        (second,) = ml.grad(first.sum(), x, create_graph=True)
        (third,) = ml.grad(second.sum(), x)
        assert (first.item(), second.item(), third.item()) == (32.0, 48.0, 48.0)

    def test_create_graph_gives_leaves_gradients_with_a_graph(self):
        x = leaf(3.0)
        (x**3).sum().backward(create_graph=True)
        g, x.grad = x.grad, None
        g.sum().backward()
        assert x.grad.tolist() == [18.0]

    def test_the_walk_of_a_gradient_does_not_reach_behind_its_inputs(self):
        """Differentiating a fused op twice walks its composition only, however long the graph before it."""
        x = leaf(1.0)
        y = x
        for _ in range(300):
            y = y * 1.001
        for _ in range(30):
            y = REGISTRY["softmax"](y.expand(3)).sum().reshape(1) * y
        started = time.perf_counter()
        (g,) = ml.grad(y.sum(), x, create_graph=True)
        assert time.perf_counter() - started < 2.0
        assert g.requires_grad


class TestHooks:
    def test_on_a_leaf_sees_the_whole_gradient_and_may_replace_it(self):
        x, seen = leaf(2.0), []
        x.register_hook(lambda g: seen.append(g.item()))
        remove = x.register_hook(lambda g: g * 10.0)
        (x * x + x).sum().backward()
        assert seen == [5.0]
        assert x.grad.tolist() == [50.0]
        remove()
        x.grad = None
        (x * 3.0).sum().backward()
        assert x.grad.tolist() == [3.0]

    def test_on_an_inner_tensor_changes_what_flows_on(self):
        x = leaf(2.0)
        y = x * 3.0
        y.register_hook(lambda g: g * 0.0)
        (y * 5.0).sum().backward()
        assert x.grad.tolist() == [0.0]

    def test_works_after_the_tensor_is_gone(self):
        x, seen = leaf(2.0), []
        y = x * 3.0
        y.register_hook(lambda g: seen.append(g.item()))
        z = (y * 5.0).sum()
        del y
        z.backward()
        assert seen == [5.0]

    def test_wrong_shape_is_refused(self):
        x = leaf(2.0, 3.0)
        x.register_hook(lambda g: g.sum())
        with pytest.raises(ValueError, match="gradient hook"):
            x.sum().backward()

    def test_retain_grad(self):
        x = leaf(2.0)
        y = (x * 3.0).retain_grad()
        z = y * y
        z.sum().backward()
        assert y.grad.tolist() == [12.0]
        assert z.grad is None

    def test_observer_sees_values_and_gradients(self):
        events = []

        class Watch:
            def forward(self, op, inputs, params, outputs):
                events.append(("forward", op.name, outputs[0].item()))

            def backward(self, node, g, grads):
                events.append(("backward", node.op.name, [None if d is None else float(d.sum()) for d in grads]))

        x = leaf(2.0)
        with ml.observe(Watch()):
            (x * 3.0).sum().backward()
        assert events == [
            ("forward", "mul", 6.0),
            ("forward", "sum", 6.0),
            ("backward", "sum", [1.0]),
            ("backward", "mul", [3.0, None]),
        ]

    def test_observer_is_told_before_each_rule_runs(self):
        events = []

        class Clock:
            def before(self, op, stage):
                events.append((f"before {stage}", op.name))

            def forward(self, op, inputs, params, outputs):
                events.append(("after forward", op.name))

            def backward(self, node, g, grads):
                events.append(("after backward", node.op.name))

        x = leaf(2.0)
        with ml.observe(Clock()), ml.observe(object()):
            (x * 3.0).exp().sum().backward()
        forward, backward = ["mul", "exp", "sum"], ["sum", "exp", "mul"]
        assert events == [(f"{when} forward", name) for name in forward for when in ("before", "after")] + [
            (f"{when} backward", name) for name in backward for when in ("before", "after")
        ]


class TestModes:
    def test_no_grad_records_nothing(self):
        x = leaf(2.0)
        with ml.no_grad():
            y = x * 3.0
            with ml.enable_grad():
                z = x * 3.0
        assert not y.requires_grad
        assert z.requires_grad
        assert (x * 1.0).requires_grad

    def test_no_grad_as_a_decorator_and_after_an_error(self):
        @ml.no_grad()
        def f(x):
            raise KeyError

        with pytest.raises(KeyError):
            f(leaf(1.0))
        assert ml.is_grad_enabled()

    def test_leaving_an_inner_mode_goes_back_to_the_outer_one(self):
        x = leaf(2.0)
        with ml.no_grad():
            for inner in (ml.no_grad, ml.enable_grad):
                with inner():
                    pass
                assert not (x * 3.0).requires_grad
        with ml.enable_grad():
            pass
        assert (x * 3.0).requires_grad

    def test_detach_cuts(self):
        x = leaf(2.0)
        (x * x.detach()).sum().backward()
        assert x.grad.tolist() == [2.0]

    def test_nothing_to_differentiate(self):
        with pytest.raises(RuntimeError, match="no input requires a gradient"):
            ml.tensor([1.0]).sum().backward()

    def test_gradient_is_needed_for_several_elements(self):
        with pytest.raises(ValueError, match=r"shape \(2,\) needs gradient"):
            leaf(1.0, 2.0).backward()

    def test_gradient_of_another_shape(self):
        with pytest.raises(ValueError, match=r"gradient has shape \(3,\)"):
            leaf(1.0, 2.0).backward(np.ones(3))

    def test_unused_input(self):
        x, w = leaf(1.0), leaf(2.0)
        with pytest.raises(RuntimeError, match="do not depend on input 0"):
            ml.grad(x.sum(), w)
        assert ml.grad(x.sum(), w, allow_unused=True)[0].tolist() == [0.0]


class TestInPlace:
    def test_a_stale_graph_is_an_error_not_a_wrong_gradient(self):
        x, w = leaf(2.0), leaf(3.0)
        y = (x * w).sum()
        with ml.no_grad():
            w -= 1.0
        with pytest.raises(RuntimeError, match=r"mul: its input 'b' \(1,\) was modified in place"):
            y.backward()

    def test_through_data(self):
        x, w = leaf(2.0), leaf(3.0)
        y = (x * w).sum()
        w.data -= 1.0
        with pytest.raises(RuntimeError, match="modified in place"):
            y.backward()

    def test_through_a_view(self):
        x, w = leaf(2.0, 1.0), leaf(3.0, 4.0)
        y = (x * w).sum()
        with ml.no_grad():
            w.reshape(2, 1).fill_(0.0)
        with pytest.raises(RuntimeError, match="modified in place"):
            y.backward()

    def test_of_a_saved_output(self):
        x = leaf(2.0)
        y = x.exp()
        with ml.no_grad():
            y *= 2.0
        with pytest.raises(RuntimeError, match=r"exp: its output"):
            y.sum().backward()

    def test_of_what_was_not_saved_is_allowed(self):
        x, w = leaf(2.0), leaf(3.0)
        y = (x + w).sum()
        with ml.no_grad():
            w -= 1.0
        y.backward()
        assert w.grad.tolist() == [1.0]

    def test_is_refused_where_it_would_have_to_be_recorded(self):
        x = leaf(2.0)
        for change in (
            lambda: x.__iadd__(1.0),
            lambda: x.__setitem__(0, 1.0),
            x.zero_,
            lambda: ml.zeros(1).__iadd__(x),
        ):
            with pytest.raises(RuntimeError, match=r"no_grad|not be recorded"):
                change()

    def test_training_steps_have_no_stale_graph(self):
        w = leaf(1.0)
        for _ in range(3):
            ((w - 3.0) ** 2).sum().backward()
            w.data -= 0.1 * w.grad.data
            w.grad = None
        assert w.item() == pytest.approx(3 - 2 * 0.8**3)


def split_rows(x):
    return REGISTRY["split"](x, 2)


UNARY = [
    lambda x: x * 1.5,
    lambda x: x.tanh(),
    lambda x: x.reshape(3, 2).transpose().reshape(2, 3),
    lambda x: x.sum(axis=0),
    lambda x: x.mean(axis=1, keepdims=True),
    lambda x: x[0],
    lambda x: x[:, 1:2],
    lambda x: x.softmax(axis=-1),
    lambda x: split_rows(x)[1],  # nothing arrives at the other half
    lambda x: REGISTRY["concat"](*reversed(split_rows(x))),
    lambda x: x.detach(),
]
BINARY = [
    lambda a, b: a + b,
    lambda a, b: a * b,
    lambda a, b: a - 0.5 * b,
    lambda a, b: REGISTRY["maximum"](a, b),
    lambda a, b: (a @ b.transpose()) @ b,
]


def random_graph(rng):
    """Leaves, and Tensors made from them by ops whose inputs are drawn from all that is there: shared, repeated, unused."""
    shapes = [(2, 3), (2, 3), (3,), (1, 3), (2, 1), ()]
    leaves = [ml.tensor(rng.uniform(-1, 1, shape), requires_grad=True) for shape in shapes]
    made = list(leaves)
    for _ in range(rng.integers(1, 15)):
        a, b = (made[i].expand(2, 3) for i in rng.integers(max(0, len(made) - 8), len(made), 2))
        k = rng.integers(len(UNARY) + len(BINARY))
        made.append(UNARY[k](a) if k < len(UNARY) else BINARY[k - len(UNARY)](a, b))
    return leaves, [y for y in made[len(leaves) :] if y.requires_grad]


class TestPlainWalk:
    """`plain_backward` is the specification: on any graph, from any results, every way of walking gives its gradients."""

    @pytest.fixture(params=range(60))
    def graph(self, request):
        rng = np.random.default_rng(request.param)
        leaves, made = random_graph(rng)
        while not made:
            leaves, made = random_graph(rng)
        ends = [
            made[-1],
            *(made[i] for i in rng.integers(0, len(made), rng.integers(0, 3))),
        ]  # one may lie behind another
        gs = [ml.tensor(rng.uniform(-1, 1, y.shape)) for y in ends]
        plain = plain_backward([(*y._place(), g.data) for y, g in zip(ends, gs, strict=True)])
        places = {id(x): x._place() for x in leaves + made}
        return leaves, made, ends, gs, lambda x: plain.get((id(places[id(x)][0]), places[id(x)][1]))

    def same(self, found, expected):
        if expected is None:
            assert found is None or not found.numpy().any()
        else:
            assert found.dtype == expected.dtype
            np.testing.assert_allclose(found.numpy(), to_host(expected), rtol=1e-9, atol=1e-12)

    def test_backward(self, graph):
        leaves, made, ends, gs, plain = graph
        last = made[-1].retain_grad()
        before = [g.numpy().copy() for g in gs]
        for y, g in zip(ends, gs, strict=True):
            y.backward(g, retain_graph=True)
        for x in leaves:
            self.same(x.grad, plain(x))
        self.same(last.grad, plain(last))
        for g, numbers in zip(gs, before, strict=True):
            np.testing.assert_array_equal(g.numpy(), numbers)

    def test_one_walk_from_several_results(self, graph):
        leaves, _, ends, gs, plain = graph
        found = ml.grad(ends, leaves, gs, allow_unused=True)
        for x, g in zip(leaves, found, strict=True):
            self.same(g, plain(x))

    def test_to_some_places(self, graph):
        leaves, made, ends, gs, plain = graph
        targets = [*made[::3], *leaves[::4]]
        found = ml.grad(ends, targets, gs, allow_unused=True, retain_graph=True)
        for x, g in zip(targets, found, strict=True):
            self.same(g, plain(x))
        inner = made[len(made) // 2 :]  # nothing older than these is visited
        for x, g in zip(inner, ml.grad(ends, inner, gs, allow_unused=True), strict=True):
            self.same(g, plain(x))

    def test_with_a_graph_of_its_own(self, graph):
        leaves, _, ends, gs, plain = graph
        found = ml.grad(ends, leaves, gs, allow_unused=True, create_graph=True)
        for x, g in zip(leaves, found, strict=True):
            self.same(g, plain(x))
