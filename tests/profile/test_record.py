"""What a profile notes: times, calls, Modules, nesting, and that it changes nothing."""

import sys
import threading

import numpy as np
import pytest

import minilm as ml
from minilm.graph import Node, modes
from minilm.models import GPT, MLP, GPTConfig
from minilm.ops import Op
from minilm.profile.clock import CpuClock, uses_gpu
from minilm.profile.record import Profile
from tests.profile.clocks import Tick, Work, profile_with


def rows(profile):
    return {(row.op, row.stage): row for row in profile.ops}


def modules(profile):
    return {row.name: row for row in profile.modules}


def classes(profile):
    return {row.name: row for row in profile.classes}


def small_gpt(**options):
    return GPT(GPTConfig(vocab_size=11, block_size=8, n_layer=2, n_head=2, n_embd=8, dropout=0.0, **options))


def tokens():
    return np.random.default_rng(0).integers(11, size=(2, 9))


def loss_of(model):
    ids = tokens()
    return model.loss(ids[:, :-1], ids[:, 1:])


class TestTime:
    def test_each_rule_has_its_own(self):
        x, work = ml.tensor([1.0, 2.0], requires_grad=True), Work(exp=5000, exp_backward=7000, sum=300)
        with profile_with(work) as p, ml.observe(work):
            x.exp().exp().sum().backward()
            work.time += 123
        found = rows(p)
        assert found["exp", "forward"].time == pytest.approx(10e-6)
        assert found["exp", "forward"].calls == 2
        assert found["exp", "forward"].mean == pytest.approx(5e-6)
        assert found["exp", "backward"].time == pytest.approx(14e-6)
        assert found["sum", "forward"].time == pytest.approx(0.3e-6)
        assert found["sum", "backward"].time == pytest.approx(1e-6)
        assert p.engine_time == pytest.approx(123e-9)
        assert p.total_time == pytest.approx(25.423e-6)

    def test_parts_make_the_whole(self):
        model = small_gpt()
        with ml.profile("cpu") as p:
            loss_of(model).backward()
            with p.section("pause"):
                sum(range(10000))
        assert all(row.time >= 0 for row in p.ops)
        assert p.engine_time > 0
        assert sum(row.time for row in p.ops) + p.engine_time == pytest.approx(p.total_time)
        assert rows(p)["pause", "section"].time > 0
        assert p.own_time > 0

    def test_of_a_rule_inside_a_rule_is_not_counted_twice(self):
        """The gradient of exp with a graph: its rule runs the op mul, which takes 40 of its 50."""
        x, work = ml.tensor([1.0], requires_grad=True), Work(exp_backward=10, mul=40)
        with profile_with(work) as p, ml.observe(work):
            x.exp().backward(create_graph=True)
        found = rows(p)
        assert set(found) == {("exp", "forward"), ("exp", "backward"), ("mul", "backward")}
        assert found["exp", "backward"].time == pytest.approx(10e-9)
        assert found["mul", "backward"].time == pytest.approx(40e-9)
        assert p.total_time == pytest.approx(1050e-9)
        assert (found["exp", "backward"].flops, found["mul", "backward"].flops) == (0, 1)

    def test_of_a_fused_op_twice_differentiated(self):
        x = ml.Tensor(np.random.default_rng(0).random((4, 8), np.float32), requires_grad=True)
        with ml.profile() as p:
            (g,) = ml.grad(x.softmax(-1)[:, 0].sum(), [x], create_graph=True)
            (g * g).sum().backward()
        assert sum(row.time for row in p.ops) + p.engine_time == pytest.approx(p.total_time)
        assert all(row.time >= 0 for row in p.ops)
        assert rows(p)["softmax", "backward"].flops == 0
        assert rows(p)["exp", "backward"].calls == 3  # run again in the rule; its rule; the rule's rule

    def test_of_a_section_is_without_the_ops_in_it(self):
        work = Work(exp=500)
        with profile_with(work) as p, ml.observe(work), p.section("part"):
            work.time += 70
            ml.tensor([1.0]).exp()
            work.time += 7
        assert rows(p)["part", "section"].time == pytest.approx(77e-9)
        assert p.total_time == pytest.approx(577e-9)
        assert p.all_ops.time == pytest.approx(500e-9)


class TestCalls:
    def test_exact_numbers(self):
        w = ml.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
        with ml.profile() as p:
            for _ in range(3):
                ((w @ w).exp() + 1.0).sum().backward()
        assert {key: row.calls for key, row in rows(p).items()} == {
            (op, stage): 3 for op in ("matmul", "exp", "add", "sum") for stage in ("forward", "backward")
        }

    def test_of_a_model_and_of_its_modules(self):
        model = small_gpt()
        with ml.profile() as p:
            loss_of(model).backward()
        assert rows(p)["scaled_dot_product_attention", "forward"].calls == 2
        assert {n: modules(p)[n].calls for n in ("GPT", "blocks.0", "blocks.1.attn.c_attn")} == {
            "GPT": 1, "blocks.0": 1, "blocks.1.attn.c_attn": 1,
        }  # fmt: skip
        assert classes(p)["Block"].calls == 2

    def test_without_fused_ops(self):
        with ml.use_fused(False), ml.profile() as p:
            loss_of(small_gpt()).backward()
        assert ("softmax", "forward") not in rows(p)
        assert rows(p)["exp", "forward"].calls >= 3

    def test_in_generation_with_a_cache(self):
        model = small_gpt()
        with ml.profile() as p, ml.no_grad():
            model.generate([[1, 2]], 4)
        assert modules(p)["GPT"].calls == 4
        assert {row.stage for row in p.ops} == {"forward"}

    def test_of_a_graph_walked_twice(self):
        x = ml.tensor([1.0, 2.0], requires_grad=True)
        with ml.profile() as p:
            y = x.exp().sum()
            y.backward(retain_graph=True)
            y.backward()
        assert rows(p)["exp", "backward"].calls == 2


class TestModules:
    def test_a_backward_rule_belongs_to_the_module_that_ran_its_op(self):
        model, work = MLP([4, 3, 2]), Work()
        x = ml.Tensor(np.ones((5, 4), np.float32))
        with ml.no_grad():
            model(x)
        with profile_with(work) as p, ml.observe(work):
            model(x).sum().backward()
        found = modules(p)
        assert found["layers.0"].backward.calls == found["layers.0"].forward.calls > 0
        assert found["layers.0"].backward.time == pytest.approx(1e-6 * found["layers.0"].backward.calls)
        assert found["(outside modules)"].forward.calls == found["(outside modules)"].backward.calls == 1  # the sum
        assert list(found)[:3] == ["MLP", "layers.0", "layers.1"]
        assert found["MLP"].kind == "MLP"

    def test_inclusive_and_own(self):
        model, work = MLP([4, 3, 2]), Work()
        with profile_with(work) as p, ml.observe(work):
            model(ml.Tensor(np.ones((5, 4), np.float32))).sum().backward()
        top, inner = modules(p)["MLP"], [modules(p)[f"layers.{i}"] for i in range(2)]
        assert top.total.time == pytest.approx(top.own.time + sum(row.total.time for row in inner))
        assert top.own_forward.calls == 2  # reshape and relu
        assert top.total.time + modules(p)["(outside modules)"].total.time == pytest.approx(p.all_ops.time)
        assert sum(row.own.flops for row in p.modules) == p.all_ops.flops
        assert sum(row.own.time for row in p.classes) == pytest.approx(p.all_ops.time)

    def test_names_in_a_deep_model(self):
        with ml.profile() as p:
            loss_of(small_gpt()).backward()
        assert {"GPT", "wte", "blocks.0.attn.c_attn", "blocks.1.mlp.c_proj", "lm_head"} <= set(modules(p))
        assert modules(p)["blocks.0.attn.c_attn"].kind == "Linear"
        assert p.peak.module in modules(p)

    def test_names_of_several_models(self):
        a, b = MLP([2, 2]), MLP([2, 3])
        x = ml.tensor([[1.0, 2.0]])
        with ml.profile() as p:
            a(x), b(x), a(x)
        assert list(modules(p)) == ["MLP", "MLP.layers.0", "MLP#2", "MLP#2.layers.0"]
        assert modules(p)["MLP"].calls == 2

    def test_a_class_inside_itself_is_counted_once(self):
        model = ml.nn.Sequential(ml.nn.Sequential(ml.nn.Linear(2, 2)), ml.nn.Linear(2, 2))
        with ml.profile() as p:
            model(ml.tensor([[1.0, 2.0]]))
        assert classes(p)["Sequential"].forward.calls == classes(p)["Linear"].forward.calls == p.all_ops.calls

    def test_a_graph_from_before(self):
        y = ml.nn.Linear(2, 2)(ml.tensor([[1.0, 2.0]])).sum()
        with ml.profile() as p:
            y.backward()
        assert list(modules(p)) == ["(recorded earlier)"]
        assert p.all_ops.calls > 0

    def test_ops_of_a_rule_belong_where_the_rule_does(self):
        model = MLP([2, 2])
        with ml.profile() as p:
            model(ml.tensor([[1.0, 2.0]])).sum().backward(create_graph=True)
        assert modules(p)["layers.0"].backward.calls > 1
        assert modules(p)["layers.0"].backward.flops > 0


class TestUse:
    def test_it_changes_no_number(self):
        ml.manual_seed(0)
        model = small_gpt()
        loss_of(model).backward()
        before = [p.grad.numpy().copy() for p in model.parameters()]
        for p in model.parameters():
            p.grad = None
        with ml.profile():
            loss_of(model).backward()
        for g, p in zip(before, model.parameters(), strict=True):
            np.testing.assert_array_equal(g, p.grad.numpy())

    def test_off_it_leaves_nothing_behind(self):
        kept = {
            module: dict(vars(sys.modules[module])) for module in ("minilm.graph", "minilm.tensor", "minilm.ops.op")
        }
        kept |= {cls: dict(vars(cls)) for cls in (ml.Tensor, ml.nn.Module, ml.ops.Op, Node)}
        p = ml.profile()
        assert modes.observers == ()
        with p:
            assert modes.observers == (p,)
            for owner, names in kept.items():
                assert dict(vars(sys.modules[owner] if isinstance(owner, str) else owner)) == names
        assert modes.observers == ()

    def test_two_in_one_thread(self):
        with ml.profile(), pytest.raises(RuntimeError, match="running in this thread already"), ml.profile():
            pass
        assert modes.observers == ()

    def test_two_in_two_threads(self):
        found = []

        def other():
            with ml.profile() as p:
                ml.tensor([1.0]).exp()
            found.append(p.all_ops.calls)

        with ml.profile() as p:
            thread = threading.Thread(target=other)
            thread.start()
            thread.join()
        assert found == [1]
        assert p.all_ops.calls == 0

    def test_used_once(self):
        p = ml.profile()
        with p:
            pass
        with pytest.raises(RuntimeError, match="used already"), p:
            pass

    def test_read_too_early(self):
        p = ml.profile()
        with pytest.raises(RuntimeError, match="nothing was measured"):
            p.table()
        with p:
            with pytest.raises(RuntimeError, match="after its with block"):
                p.ops  # noqa: B018
            assert repr(p) == "<profile: still running>"
            assert "still running" in p._repr_html_()
        assert p.ops == []

    def test_a_section_outside(self):
        p = ml.profile()
        with pytest.raises(RuntimeError, match="inside the with block"), p.section("late"):
            pass

    def test_an_error_in_the_block(self):
        p = ml.profile()
        with pytest.raises(ZeroDivisionError), p:
            ml.tensor([1.0]).exp()
            1 / 0  # noqa: B018
        assert p.all_ops.calls == 1
        assert modes.observers == ()

    def test_an_op_that_raised_is_not_in_the_way(self):
        model = MLP([2, 2])
        with ml.profile() as p:
            with pytest.raises(ValueError, match="broadcast"):
                ml.tensor([1.0, 2.0]) + ml.tensor([1.0, 2.0, 3.0])
            model(ml.tensor([[1.0, 2.0]])).exp()
        assert ("add", "forward") not in rows(p)
        assert modules(p)["layers.0"].forward.calls > 0
        assert modules(p)["(outside modules)"].forward.calls == 1

    def test_a_backward_rule_that_raised_is_not_in_the_way(self):
        class Fails(Op):
            name = "fails"

            def forward(self, dev, x):
                return x * 2.0

            def grad_x(self, g, _y, _x):
                raise ZeroDivisionError

        x = ml.tensor([0.0], requires_grad=True)
        with ml.profile() as p:
            with pytest.raises(ZeroDivisionError):
                Fails()(x).sum().backward()
            x.exp()
        assert ("fails", "backward") not in rows(p)
        assert rows(p)["exp", "forward"].calls == 1  # not "backward", as if it ran inside the rule

    def test_begun_inside_a_module(self):
        class Inner(ml.nn.Module):
            def forward(self, x):
                with ml.profile() as self.profile:
                    x = x.exp()
                return x.exp()

        module = Inner()
        module(ml.tensor([1.0]))
        assert module.profile.all_ops.calls == 1

    def test_ended_inside_a_module(self):
        p = ml.profile()

        class Inner(ml.nn.Module):
            def forward(self, x):
                y = x.exp()
                p.__exit__(None, None, None)
                return y.exp()

        p.__enter__()
        Inner()(ml.tensor([1.0]))
        assert p.all_ops.calls == 1
        assert modules(p)["Inner"].forward.calls == 1

    def test_begun_inside_a_rule(self):
        x = ml.tensor([1.0], requires_grad=True)
        y, p = x.exp(), ml.profile()
        y.register_hook(lambda g: p.__enter__() and None)
        y.sum().backward()
        p.__exit__(None, None, None)
        assert [(row.op, row.stage) for row in p.ops] == [("exp", "backward")]

    def test_the_device(self, monkeypatch):
        monkeypatch.delitem(sys.modules, "minilm.backend.cuda.cupy_device", raising=False)
        assert ml.profile().device.name == "cpu"
        assert not uses_gpu()
        monkeypatch.setitem(sys.modules, "minilm.backend.cuda.cupy_device", None)
        assert uses_gpu()
        with pytest.raises(ml.DeviceError):
            ml.profile("somewhere")


def test_ticks():
    """A clock that is read five times in a block with one op has been paused for three of six ticks."""
    with Profile("cpu", CpuClock(Tick())) as p:
        ml.tensor([1.0]).exp()
    assert p.total_time == pytest.approx(3e-6)
    assert p.own_time == pytest.approx(3e-6)
    assert p.ops[0].time == pytest.approx(1e-6)
