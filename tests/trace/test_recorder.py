"""Every step, its numbers and its names; and that a trace changes nothing."""

import gc
import weakref

import numpy as np
import pytest

import minilm as ml
from minilm.backend import to_host
from minilm.trace import Value

pytestmark = pytest.mark.usefixtures("float64")


def two_two_two():
    """The book's network: two inputs, two hidden neurons, two outputs, sigmoid, binary cross-entropy."""
    x, y = ml.tensor([1.0, 2.0]), ml.tensor([0.1, 0.9])
    W1, b1 = (
        ml.tensor([[0.1, 0.2], [0.3, 0.4]], requires_grad=True),
        ml.tensor([0.1, 0.2], requires_grad=True),
    )
    W2, b2 = (
        ml.tensor([[0.5, -0.6], [-0.7, 0.8]], requires_grad=True),
        ml.tensor([0.1, -0.2], requires_grad=True),
    )
    with ml.trace() as steps:
        z1 = W1 @ x + b1
        a1 = z1.sigmoid()
        z2 = W2 @ a1 + b2
        p = z2.sigmoid()
        loss = ml.nn.functional.binary_cross_entropy(p, y)
        loss.backward()
    return steps, {"W1": W1, "b1": b1, "W2": W2, "b2": b2, "a1": a1}


class TestSteps:
    def test_forward_then_seed_then_backward_in_the_order_of_the_walk(self):
        steps, _ = two_two_two()
        kinds = [step.kind for step in steps]
        assert kinds == ["forward"] * 7 + ["seed"] + ["backward"] * 7
        ops = [step.call.op.name for step in steps if step.kind == "forward"]
        assert ops == ["matmul", "add", "sigmoid", "matmul", "add", "sigmoid", "binary_cross_entropy"]
        assert [step.call.op.name for step in steps if step.kind == "backward"] == ops[::-1]
        assert [step.index for step in steps] == list(range(15))

    def test_each_product_is_local_derivative_times_what_arrives(self):
        steps, _ = two_two_two()
        seen = set()
        for step in steps:
            for c in step.contributions:
                kind, local = c.local()
                seen.add(kind)
                g = to_host(step.arrived[0])
                if kind == "elementwise":
                    product = local * g
                else:
                    product = np.tensordot(g, local, axes=g.ndim)
                np.testing.assert_allclose(product, to_host(c.grad), rtol=1e-12)
        assert seen == {"elementwise", "jacobian"}

    def test_what_has_accumulated_at_the_end_is_the_gradient(self):
        steps, tensors = two_two_two()
        for name in ("W1", "b1", "W2", "b2"):
            value = steps.value_of(tensors[name])
            np.testing.assert_array_equal(to_host(steps.gradient_of(value)), tensors[name].grad.numpy())

    def test_a_value_used_twice_accumulates_step_by_step(self):
        x = ml.tensor([2.0, 3.0], requires_grad=True)
        with ml.trace() as steps:
            (x * x + x).sum().backward()
        parts = [c for step in steps for c in step.contributions if c.value.name == "x"]
        np.testing.assert_array_equal([to_host(c.grad) for c in parts], [[1, 1], [2, 3], [2, 3]])
        np.testing.assert_array_equal([to_host(c.accumulated) for c in parts], [[1, 1], [3, 4], [5, 7]])

    def test_a_broadcast_input_shows_the_derivative_at_each_place_and_the_summed_product(self):
        x, b = ml.tensor([[1.0, 2.0], [3.0, 4.0]]), ml.tensor([10.0, 20.0], requires_grad=True)
        with ml.trace() as steps:
            (x * b).sum().backward()
        (c,) = steps[-1].contributions
        kind, local = c.local()
        assert kind == "elementwise"
        np.testing.assert_array_equal(local, x.numpy())
        np.testing.assert_array_equal(to_host(c.grad), [4.0, 6.0])

    def test_a_large_jacobian_is_left_to_the_rule(self):
        w = ml.tensor(np.ones((20, 20)), requires_grad=True)
        with ml.trace() as steps:
            (w @ w).sum().backward()
        assert {c.local()[0] for c in steps[-1].contributions} == {"rule"}

    def test_a_second_backward_pass_is_seeded_again(self):
        x = ml.tensor(3.0, requires_grad=True)
        with ml.trace() as steps:
            y = x * x
            y.backward(retain_graph=True)
            y.backward()
        assert [step.kind for step in steps] == ["forward", "seed", "backward", "seed", "backward"]
        assert to_host(steps.gradient_of(steps.value_of(x))) == 12.0 == x.grad.item()

    def test_the_seed_is_the_gradient_given(self):
        x = ml.tensor([1.0, 2.0], requires_grad=True)
        with ml.trace() as steps:
            y = x * 3.0
            y.backward(ml.tensor([10.0, 20.0]))
        seed = next(step for step in steps if step.kind == "seed")
        np.testing.assert_array_equal(to_host(seed.arrived[0]), [10.0, 20.0])

    def test_what_a_hook_changes_is_a_seed_of_the_difference(self):
        x = ml.tensor([1.0, 2.0], requires_grad=True)
        with ml.trace() as steps:
            y = x * 3.0
            y.register_hook(lambda g: g * 2.0)
            y.sum().backward()
        seeds = [step for step in steps if step.kind == "seed"]
        assert len(seeds) == 2
        np.testing.assert_array_equal(to_host(seeds[1].arrived[0]), [1.0, 1.0])
        np.testing.assert_array_equal(to_host(steps.gradient_of(steps.value_of(x))), x.grad.numpy())

    def test_grad_with_create_graph_records_the_gradients_own_ops(self):
        x = ml.tensor(2.0, requires_grad=True)
        with ml.trace() as steps:
            (g,) = ml.grad(x**3, [x], create_graph=True)
            ml.grad(g, [x])
        assert to_host(steps.gradient_of(steps.value_of(x))) == pytest.approx(
            12.0 + 12.0
        )  # first and second derivative at 2

    def test_several_outputs(self):
        x = ml.tensor(np.arange(4.0), requires_grad=True)
        with ml.trace() as steps:
            first, second = x.split(2, axis=0)
            (first * second).sum().backward()
        step = steps[-1]
        assert len(step.arrived) == 2
        np.testing.assert_array_equal(to_host(step.contributions[0].grad), [2, 3, 0, 1])

    def test_an_output_that_no_gradient_reached(self):
        x = ml.tensor(np.arange(4.0), requires_grad=True)
        with ml.trace() as steps:
            first, _ = x.split(2, axis=0)
            first.sum().backward()
        assert steps[-1].arrived[1] is None
        assert "∂L/∂x" in str(steps[-1])

    def test_no_gradient_wanted_no_backward_steps(self):
        with ml.trace() as steps:
            ml.tensor([1.0]) + 1.0
        assert [step.kind for step in steps] == ["forward"]

    def test_what_was_computed_before_the_trace_is_not_in_it(self):
        x = ml.tensor(2.0, requires_grad=True)
        y = x * x
        with ml.trace() as steps:
            (y * 3.0).backward()
        assert [step.kind for step in steps] == ["forward", "seed", "backward"]
        assert x.grad.item() == 12.0

    def test_the_fused_op_and_its_composition(self):
        x = ml.tensor(np.ones((2, 3)), requires_grad=True)
        with ml.use_fused(False), ml.trace() as steps:
            ml.nn.functional.softmax(x).sum().backward()
        assert len({step.call.op.name for step in steps if step.call}) > 1


class TestNumbers:
    def test_a_later_update_does_not_change_the_past(self):
        w = ml.tensor([1.0, 2.0], requires_grad=True)
        with ml.trace() as steps:
            (w * w).sum().backward()
            with ml.no_grad():
                w.fill_(0.0)
            w.grad.zero_()
        np.testing.assert_array_equal(steps.value_of(w).numbers, [1.0, 2.0])
        np.testing.assert_array_equal(to_host(steps.gradient_of(steps.value_of(w))), [2.0, 4.0])
        np.testing.assert_array_equal(steps[-1].contributions[0].local()[1], [1.0, 2.0])

    def test_tracing_changes_no_number(self):
        def run(record):
            ml.manual_seed(0)
            model = ml.nn.Sequential(ml.nn.Linear(3, 4), ml.nn.LayerNorm(4), ml.nn.Linear(4, 2))
            x = ml.tensor([[1.0, -1.0, 0.5]])
            if record:
                with ml.trace():
                    model(x).sum().backward()
            else:
                model(x).sum().backward()
            return [p.grad.numpy() for p in model.parameters()]

        for a, b in zip(run(False), run(True), strict=True):
            np.testing.assert_array_equal(a, b)

    def test_a_trace_keeps_no_tensor_and_no_graph_alive(self):
        gc.disable()
        try:
            x = ml.tensor([1.0], requires_grad=True)
            with ml.trace() as steps:
                y = x * 2.0
                node = weakref.ref(y.grad_fn)
                del y
            assert node() is None
            assert len(steps) == 1
        finally:
            gc.enable()


class TestNames:
    def test_a_variable_gives_its_name(self):
        steps, _ = two_two_two()
        names = {value.name for value in steps.values}
        assert {"x", "y", "W1", "b1", "z1", "a1", "W2", "b2", "z2", "p", "loss"} <= names

    def test_a_given_name_wins(self):
        x = ml.tensor([1.0]).named("the input")
        with ml.trace() as steps:
            x * 2.0
        assert steps[0].call.inputs[0].name == "the input"

    def test_names_inside_functions(self):
        def network(inner):
            hidden = inner * 2.0
            return hidden + 1.0

        with ml.trace() as steps:
            out = network(ml.tensor([1.0]))
        assert [steps[0].call.outputs[0].name, out.shape] == ["hidden", (1,)]

    def test_results_without_a_name_are_called_by_their_expression(self):
        a, b = ml.tensor([1.0]), ml.tensor([2.0])
        with ml.trace() as steps:
            c = (a + b) * 3.0
        assert str(steps).count("(a + b) * 3") == 1
        assert c.shape == (1,)

    def test_two_values_of_one_name_get_different_labels(self):
        x = ml.tensor([1.0])
        with ml.trace() as steps:
            h = x * 2.0
            h = h.relu()
            h = h + 1.0
        labels = [step.call.outputs[0].label for step in steps]
        assert len(set(labels)) == 3
        assert all(label.startswith("h") for label in labels)

    def test_parameters_are_called_by_their_path(self):
        model = ml.nn.Sequential(ml.nn.Linear(2, 3), ml.nn.Linear(3, 1))
        with ml.trace() as steps:
            model(ml.tensor([[1.0, 2.0]]))
        assert {"0.weight", "0.bias", "1.weight", "1.bias"} <= {value.name for value in steps.values}

    def test_kinds(self):
        steps, _ = two_two_two()
        kinds = {value.name: value.kind for value in steps.values}
        assert (kinds["W1"], kinds["x"], kinds["z1"]) == ("parameter", "input", "result")

    def test_the_readers_own_line(self):
        steps, _ = two_two_two()
        assert steps[0].call.line == "z1 = W1 @ x + b1"


class TestScopes:
    def test_modules_nest_as_they_are_called(self):
        net = ml.nn.Sequential(ml.nn.Linear(2, 2), ml.nn.Sequential(ml.nn.Linear(2, 1)))
        with ml.trace() as steps:
            net(ml.tensor([[1.0, 2.0]]))
        assert [scope.path for scope in steps.scopes] == ["", "net", "net.0", "net.1", "net.1.0"]
        assert [scope.kind for scope in steps.scopes[1:]] == ["Sequential", "Linear", "Sequential", "Linear"]

    def test_backward_steps_belong_to_their_module(self):
        net = ml.nn.Linear(2, 2)
        with ml.trace() as steps:
            net(ml.tensor([[1.0, 2.0]])).sum().backward()
        paths = [step.scope.path for step in steps if step.kind == "backward"]
        assert paths[0] == ""
        assert set(paths[1:]) == {"net"}

    def test_a_module_that_raises_leaves_its_scope(self):
        net = ml.nn.Linear(2, 2)
        x = ml.tensor([[1.0, 2.0, 3.0]])
        with ml.trace() as steps:
            with pytest.raises(ValueError, match="expected an input"):
                net(x)
            x + 1.0
        assert steps[-1].scope.path == ""


class TestEdges:
    def test_an_error_inside_passes_through_and_what_ran_can_be_read(self):
        x = ml.tensor([1.0])
        steps = ml.trace()
        with pytest.raises(ZeroDivisionError), steps:
            x + 1.0
            raise ZeroDivisionError
        assert len(steps) == 1
        assert "x + 1" in str(steps)

    def test_an_empty_trace_says_so(self):
        with ml.trace() as steps:
            pass
        assert "nothing was recorded" in str(steps)

    def test_a_trace_is_used_once(self):
        steps = ml.trace()
        with steps:
            ml.tensor([1.0]) + 1.0
        with pytest.raises(RuntimeError, match="recorded already"), steps:
            pass

    def test_a_tensor_that_took_no_part(self):
        steps, _ = two_two_two()
        with pytest.raises(KeyError, match=r"'other' of shape \(3,\) took no part"):
            steps.value_of(ml.zeros(3).named("other"))

    @pytest.mark.parametrize("array", [np.zeros((0, 3)), np.array(np.nan), np.full((5, 5), np.inf), np.ones((3, 4, 5))])
    def test_any_array_can_be_shown(self, array):
        x = ml.tensor(array, requires_grad=True)
        with ml.trace() as steps:
            (x * 2.0).sum().backward()
        assert str(steps)
        assert all(str(step) for step in steps)

    def test_nested_traces_record_both(self):
        with ml.trace() as outer:
            ml.tensor([1.0]) + 1.0
            with ml.trace() as inner:
                ml.tensor([1.0]) * 2.0
        assert (len(outer), len(inner)) == (2, 1)

    def test_values_know_their_calls(self):
        steps, _ = two_two_two()
        for call in steps.calls:
            assert all(out.call is call for out in call.outputs)
            assert all(isinstance(x, Value) for x in call.inputs)

    def test_a_page_of_its_own(self, tmp_path):
        steps, _ = two_two_two()
        steps.save(tmp_path / "steps.html")
        page = (tmp_path / "steps.html").read_text(encoding="utf-8")
        assert page.startswith("<!doctype html>")
        assert steps._repr_html_() in page
