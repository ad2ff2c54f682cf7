"""Checkpoints: the numbers and gradients are those without, bit for bit; the memory is less; and what cannot be is refused."""

import gc
import math
import tracemalloc
import weakref

import numpy as np
import pytest

import minilm as ml
from minilm import nn
from minilm.backend import to_device
from minilm.models import GPT, GPTConfig
from minilm.nn import functional as F
from tests.backend import pretend

RNG = np.random.default_rng(0)
CONFIG = GPTConfig(vocab_size=11, block_size=8, n_layer=4, n_head=2, n_embd=8, dropout=0.2)
IDS = RNG.integers(0, 11, (3, 8))


def leaf(*shape, dtype=np.float64):
    return ml.Tensor(RNG.standard_normal(shape).astype(dtype), requires_grad=True)


def trained(segments, dtype="float32"):
    """The loss and all gradients of a GPT with dropout."""
    ml.manual_seed(3)
    model = GPT(CONFIG).to(dtype)
    model.checkpoint_segments = segments
    loss = model.loss(IDS, IDS)
    loss.backward()
    return loss.item(), [p.grad.numpy() for p in model.parameters()], ml.random.get_state()


@pytest.mark.parametrize("segments", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_a_gpt_with_dropout_learns_the_same_bit_for_bit(segments, dtype):
    expected, found = trained(0, dtype), trained(segments, dtype)
    assert found[0] == expected[0]
    assert found[2] == expected[2], "the second run leaves the random numbers where they were"
    for ours, theirs in zip(found[1], expected[1], strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_first_and_second_derivatives_of_inputs_and_of_what_is_read():
    w = leaf(3, 3)

    def f(x, y, w):
        def inside(x, y):
            return ((x @ w).tanh() * y).softmax() @ w, (x * y).sum()

        a, b = ml.checkpoint(inside, x, y)
        return (a.exp() * b).sum()

    ml.gradcheck(f, leaf(2, 3), leaf(2, 3), w)
    ml.gradgradcheck(f, leaf(2, 3), leaf(2, 3), w)


def test_parameters_learn_where_no_input_requires_a_gradient():
    layer = nn.Linear(3, 2)
    ml.checkpoint(lambda x: layer(x).tanh(), ml.ones(4, 3)).sum().backward()
    ours, layer.weight.grad = layer.weight.grad, None
    layer(ml.ones(4, 3)).tanh().sum().backward()
    np.testing.assert_array_equal(ours.numpy(), layer.weight.grad.numpy())


def test_options_several_results_and_plain_values_pass_through():
    x = leaf(2, 2)

    def f(x, *, power, note):
        return {"y": x**power}, [x.sum()], note, None

    found, (total,), note, nothing = ml.checkpoint(f, x, power=3, note="a note")
    assert (note, nothing) == ("a note", None)
    (found["y"].sum() + total).backward()
    np.testing.assert_allclose(x.grad.numpy(), 3 * x.numpy() ** 2 + 1)


def test_only_one_of_several_results_is_used():
    x = leaf(3)
    a, _ = ml.checkpoint(lambda x: (x.exp(), x.sin()), x)
    a.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), np.exp(x.numpy()))


def test_the_function_runs_once_more_and_only_when_it_is_needed():
    runs = []

    def f(x):
        runs.append(ml.is_grad_enabled())
        return x.exp() * 2

    x = leaf(3)
    y = ml.checkpoint(f, x)
    assert runs == [True]
    y.sum().backward()
    assert runs == [True, True]
    with ml.no_grad():
        assert not ml.checkpoint(f, x).requires_grad
    assert not ml.checkpoint(f, ml.ones(3)).requires_grad
    assert len(runs) == 4


def test_within_it_only_inputs_are_kept_and_behind_it_nothing():
    kept = []

    def f(x):
        h = x.exp()
        kept.append(weakref.ref(h.data))
        return h.sin().sum()

    gc.disable()
    try:
        y = ml.checkpoint(f, leaf(5))
        assert kept[0]() is None, "the first run's array is gone before backward()"
        y.backward()
        assert kept[1]() is None, "and the second run's after it, without the cycle collector"
        region = weakref.ref(y.grad_fn)
        del y
        assert region() is None
    finally:
        gc.enable()


def test_within_it_what_an_op_kept_for_itself_is_gone_too():
    def peak(call):
        tracemalloc.start()
        try:
            y = call(lambda x: F.dropout(x, 0.5), x)
            assert y.requires_grad
            return tracemalloc.get_traced_memory()[0] / x.data.nbytes
        finally:
            tracemalloc.stop()

    x = leaf(100, 100)
    assert peak(lambda f, x: f(x)) > 1.9  # the mask, and the result
    assert peak(ml.checkpoint) < 1.1


def test_a_step_of_sqrt_segments_needs_less_memory():
    n, width = 16, 20_000
    w = [leaf(width) for _ in range(n)]
    chain = [lambda x, w=w: (x * w).tanh().exp().log() for w in w]

    def peak(segments):
        for p in w:
            p.grad = None
        tracemalloc.start()
        try:
            ml.checkpoint_sequential(chain, segments, leaf(width)).sum().backward()
            return tracemalloc.get_traced_memory()[1] / (8 * width) - n  # but for the gradients of w
        finally:
            tracemalloc.stop()

    none, root, each = peak(1), peak(4), peak(16)
    assert none > 2 * n  # tanh and exp of each keep what they gave
    assert root < none / 2
    assert each < none / 1.5  # the inputs of all


def test_the_profile_sees_the_memory_and_the_second_run():
    x, f = leaf(1000), lambda x: x.exp().sin().exp().sin()

    def measured(call):
        with ml.profile() as p:
            call(x).sum().backward()
        calls = {(row.op, row.stage): row.calls for row in p.ops}
        return p.peak.bytes, calls["exp", "forward"], calls["exp", "backward"], p

    plain, again = measured(f), measured(lambda x: ml.checkpoint(f, x))
    assert plain[1:3] == (2, 2)
    assert again[1:3] == (4, 2)
    for p in (plain[3], again[3]):
        assert sum(row.made for row in p.ops) > 0
    assert "exp" in str(again[3])


def test_the_trace_shows_the_second_run_between_and_the_same_gradients():
    x = ml.tensor([0.5, 1.0], requires_grad=True).named("x")
    with ml.trace() as steps:
        ml.checkpoint(lambda x: x.exp().sin(), x).sum().backward()
    text = str(steps)
    assert text.count("exp") >= 3
    np.testing.assert_allclose(x.grad.numpy(), np.cos(np.exp([0.5, 1.0])) * np.exp([0.5, 1.0]), rtol=1e-6)


def test_an_anomaly_in_the_backward_pass_names_the_line_of_the_first_run():
    x = ml.tensor([0.0], requires_grad=True)
    with np.errstate(all="ignore"), ml.detect_anomaly():
        y = ml.checkpoint(lambda x: x.sqrt().sum(), x)
        with pytest.raises(ml.AnomalyError, match=r"sqrt made .* in the backward pass.*test_checkpoint"):
            y.backward()


def test_nested():
    inner_runs = []

    def inner(x):
        inner_runs.append(1)
        return F.dropout(x, 0.5).exp()

    def outer(x):
        return ml.checkpoint(inner, ml.checkpoint(inner, x.sin())).sum()

    def gradient(call):
        ml.manual_seed(1)
        x.grad = None
        call(x).backward()
        return x.grad.numpy()

    x, kept = leaf(7), []
    hidden = ml.checkpoint(lambda x: ml.checkpoint(inner, (kept.append(weakref.ref((h := x.sin()).data)), h)[1]), x)
    assert hidden.requires_grad
    assert kept[0]() is None, "an inner one keeps no input within an outer one"
    inner_runs.clear()
    expected = gradient(lambda x: F.dropout(F.dropout(x.sin(), 0.5).exp(), 0.5).exp().sum())
    np.testing.assert_array_equal(gradient(lambda x: ml.checkpoint(outer, x)), expected)
    assert len(inner_runs) == 2 + 2 + 2  # at first, with the outer one again, each for itself again
    np.testing.assert_array_equal(gradient(lambda x: ml.checkpoint(lambda x: ml.checkpoint(outer, x), x)), expected)


def test_rows_of_a_batch_draw_what_they_drew():
    x = leaf(4, 6)
    with ml.random.rows_of_batch(4, 4):
        ml.manual_seed(5)
        kept = F.dropout(x, 0.5).numpy() != 0
        ml.manual_seed(5)
        y = ml.checkpoint(lambda x: F.dropout(x, 0.5), x)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy() != 0, kept)


def test_hooks_and_retained_gradients():
    seen, x = [], leaf(3)

    def f(x):
        h = x.exp()
        h.register_hook(lambda g: seen.append(1) or g * 2)
        return h.sin()

    y = ml.checkpoint(f, x).retain_grad()
    y.sum().backward()
    assert seen == [1]
    np.testing.assert_array_equal(y.grad.numpy(), np.ones(3))
    np.testing.assert_allclose(x.grad.numpy(), 2 * np.cos(np.exp(x.numpy())) * np.exp(x.numpy()))


def test_twice_with_retain_graph_and_not_without():
    x, y = leaf(3), None
    y = ml.checkpoint(lambda x: x.exp().sin().sum(), x)
    y.backward(retain_graph=True)
    once = x.grad.numpy().copy()
    y.backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * once)
    with pytest.raises(RuntimeError, match="a second time"):
        y.backward()


def test_gradients_of_one_input_alone():
    x, z = leaf(3), leaf(3)
    y = ml.checkpoint(lambda x, z: x.exp() * z.sin(), x, z).sum()
    (g,) = ml.grad(y, z)
    np.testing.assert_allclose(g.numpy(), np.exp(x.numpy()) * np.cos(z.numpy()))


@pytest.mark.host
def test_on_a_device_that_is_none_of_numpys():
    def gradient(device, call):
        ml.manual_seed(1)
        x = ml.Tensor(to_device(np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4), device), requires_grad=True)
        call(lambda x: F.dropout((x @ x.T).softmax(), 0.3).exp(), x).sum().backward()
        return x.grad.numpy()

    device = pretend.device()
    np.testing.assert_array_equal(gradient(device, ml.checkpoint), gradient(device, lambda f, x: f(x)))


@pytest.mark.parametrize("x", [np.zeros((0, 3)), np.ones((1, 1)), np.ones((6, 4))[::2, ::2], np.full((2, 2), np.nan)])
def test_edges(x):
    def gradient(call):
        t = ml.Tensor(x, requires_grad=True)
        call(lambda t: (t * 2).tanh() + 1, t).sum().backward()
        return t.grad.numpy()

    np.testing.assert_array_equal(gradient(ml.checkpoint), gradient(lambda f, t: f(t)))


def test_integers_among_the_inputs():
    table = leaf(5, 3)
    ml.checkpoint(lambda ids: F.embedding(ids, table).exp(), ml.tensor([1, 1, 4])).sum().backward()
    np.testing.assert_allclose(table.grad.numpy(), np.array([0, 2, 0, 0, 1])[:, None] * np.exp(table.numpy()))


class TestRefused:
    def test_no_function(self):
        with pytest.raises(TypeError, match=r"checkpoint\(block, x\), not checkpoint\(block\(x\)\); got a Tensor"):
            ml.checkpoint(leaf(3))

    @pytest.mark.parametrize("read", ["weight", "input"])
    def test_what_was_read_changes_before_backward(self, read):
        tensors = {"weight": leaf(3), "input": leaf(3)}
        y = ml.checkpoint(lambda x: (x + tensors["weight"]).exp().sum(), tensors["input"])
        with ml.no_grad():
            tensors[read] -= 0.1
        with pytest.raises(
            RuntimeError, match=r"modified in place after its first run.*optimizer.step\(\) comes after"
        ):
            y.backward()

    def test_the_second_run_records_something_else(self):
        runs, x = [], leaf(3)

        def f(x):
            runs.append(1)
            return x.exp().sum() if len(runs) == 1 else (x.exp() * 2).sum()

        with pytest.raises(
            RuntimeError, match=r"checkpoint\(f\) did other things.*2 ops were recorded at first, 3 now"
        ):
            ml.checkpoint(f, x).backward()

    def test_the_second_run_has_other_shapes(self):
        sizes, x = [3, 2], leaf(3)
        y = ml.checkpoint(lambda x: x[: sizes.pop(0)].exp().sum(), x)
        for _ in range(2):  # the second walk says the same
            with pytest.raises(RuntimeError, match=r"inputs of sum were \(3,\) float64 at first, and are \(2,\)"):
                y.backward()

    def test_eval_between_forward_and_backward(self):
        layer, x = nn.Dropout(0.5), leaf(3)
        y = ml.checkpoint(lambda x: layer(x).exp().sum(), x)
        layer.eval()
        with pytest.raises(RuntimeError, match=r"train\(\) or eval\(\) between"):
            y.backward()

    def test_a_walk_inside_of_what_is_being_computed(self):
        def f(x):
            y = x.exp().sum()
            return ml.grad(y, x, create_graph=True)[0].sum()

        with pytest.raises(RuntimeError, match=r"inside a checkpointed function.*Differentiate outside"):
            ml.checkpoint(f, leaf(3))

    def test_an_error_in_the_second_run_leaves_the_graph(self):
        fails, x = [False, True, False], leaf(3)

        def f(x):
            if fails.pop(0):
                raise KeyError("now")
            return x.exp().sum()

        y = ml.checkpoint(f, x)
        with pytest.raises(KeyError, match="now"):
            y.backward()
        y.backward()
        np.testing.assert_array_equal(x.grad.numpy(), np.exp(x.numpy()))

    def test_an_error_in_the_first_run(self):
        with pytest.raises(ZeroDivisionError):
            ml.checkpoint(lambda x: 1 / 0, leaf(3))
        assert ml.checkpoint(lambda x: x.exp(), leaf(3)).requires_grad


class TestSequential:
    @pytest.mark.parametrize("segments", [1, 2, 3, 4, 5])
    def test_each_function_runs_in_its_turn_and_all_but_the_last_segment_again(self, segments):
        runs, x = [], leaf(2)

        def layer(k):
            return lambda x: (runs.append(k), x.sin() + k)[1]

        y = ml.checkpoint_sequential((layer(k) for k in range(5)), segments, x)
        assert runs == [0, 1, 2, 3, 4]
        y.sum().backward()
        sizes = [5 // segments + (k < 5 % segments) for k in range(segments)]
        assert sorted(runs[5:]) == list(range(5 - sizes[-1]))
        plain = ml.Tensor(x.numpy().copy(), requires_grad=True)
        z = plain
        for k in range(5):
            z = z.sin() + k
        z.sum().backward()
        np.testing.assert_array_equal(x.grad.numpy(), plain.grad.numpy())

    @pytest.mark.parametrize("segments", [0, 3, -1, True, 1.5])
    def test_segments_that_cannot_be(self, segments):
        with pytest.raises(ValueError, match="from 1 to the number of functions, 2; got"):
            ml.checkpoint_sequential([ml.exp, ml.sin], segments, leaf(2))

    def test_modules(self):
        model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
        ml.checkpoint_sequential(model, 2, ml.ones(4, 2)).sum().backward()
        assert all(p.grad is not None for p in model.parameters())


def test_where_the_square_root_comes_from():
    """M(k) = k b + n a / k is least at k = sqrt(n a / b)."""
    n, a, b = 64, 9.0, 1.0
    best = min(range(1, n + 1), key=lambda k: k * b + n / k * a)
    assert best == round(math.sqrt(n * a / b))
