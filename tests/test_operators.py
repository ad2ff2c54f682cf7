"""What Python's syntax means for a Tensor; beside what is no tensor: `tests/test_strangers.py`."""

import math
import operator
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays, mutually_broadcastable_shapes

import minilm as ml
from minilm.ops import REGISTRY


class TestShortWay:
    """An operator of two Tensors of one float type, or of a Tensor and a number, goes a shorter way (`Tensor._beside`)."""

    @pytest.mark.parametrize("name", ["add", "sub", "mul", "truediv", "pow"])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("shapes", [((), ()), ((2, 3), (3,)), ((1,), ())], ids=str)
    @pytest.mark.parametrize("needs", [(True, True), (True, False), (False, True), (False, False)], ids=str)
    def test_it_equals_the_long_way(self, name, dtype, shapes, needs):
        op = REGISTRY[{"truediv": "div"}.get(name, name)]
        rng = np.random.default_rng(0)
        arrays = [rng.uniform(0.5, 2.0, shape).astype(dtype) for shape in shapes]
        found = []
        for apply in (getattr(operator, name), lambda *xs: ml.Tensor.__minilm_op__(op, xs, {})):
            a, b = (ml.tensor(x, requires_grad=need) for x, need in zip(arrays, needs, strict=True))
            y = apply(a, b)
            assert y.requires_grad == any(needs)
            assert y.dtype == dtype
            if y.requires_grad:
                y.sum().backward()
            found.append([y.detach().numpy(), *(x.grad.numpy() for x in (a, b) if x.grad is not None)])
        assert len(found[0]) == len(found[1]) == 1 + sum(needs)
        for short, long in zip(*found, strict=True):
            np.testing.assert_array_equal(short, long)

    def test_two_float_types_are_promoted(self):
        x, y = ml.tensor([1.0], requires_grad=True), ml.tensor([2.0], dtype="float64", requires_grad=True)
        for z in (x * y, y * x):
            x.grad = y.grad = None
            z.backward()
            assert z.dtype == y.grad.dtype == "float64"
            assert x.grad.dtype == "float32"
            assert "cast" in [place[0].op.name for place in z.grad_fn.parents if place[0] is not y]

    def test_a_number_is_weak(self):
        x = ml.tensor([1.0], requires_grad=True)
        for y in (x * 2.0, x * 2, x * np.float64(2.0), 2.0 * x):
            assert y.dtype == "float32"
            assert y.requires_grad

    def test_it_is_observed(self):
        seen = []

        class Watch:
            def forward(self, op, inputs, params, outputs):
                seen.append(op.name)

        with ml.observe(Watch()):
            ml.tensor(1.0) + ml.tensor(2.0)
        assert seen == ["add"]

    def test_nothing_is_recorded_under_no_grad(self):
        x = ml.tensor(1.0, requires_grad=True)
        with ml.no_grad():
            assert not (x + x).requires_grad

    def test_it_warns_of_nothing(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert math.isinf((ml.tensor(1.0) / ml.tensor(0.0)).item())


class TestOperators:
    @given(mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3), st.data())
    def test_broadcasting_as_numpy(self, shapes, data):
        a, b = (data.draw(arrays(np.float64, s, elements=st.floats(0.5, 2))) for s in shapes.input_shapes)
        x, y = ml.tensor(a, requires_grad=True), ml.tensor(b, requires_grad=True)
        for f in (lambda p, q: p + q, lambda p, q: p - q, lambda p, q: p * q, lambda p, q: p / q, lambda p, q: p**q):
            out = f(x, y)
            np.testing.assert_array_equal(out.numpy(), f(a, b))
            gx, gy = ml.grad(out, [x, y], ml.tensor(np.ones(out.shape)))
            assert gx.shape == x.shape
            assert gy.shape == y.shape

    @pytest.mark.host
    def test_numpy_on_the_left(self):
        x = ml.tensor([1.0, 2.0])
        for y in (np.ones(2, np.float32) + x, np.float32(2) * x, np.ones((2, 2), np.float32) @ x):
            assert isinstance(y, ml.Tensor)

    def test_comparisons_are_elementwise_and_carry_no_gradient(self):
        x = ml.tensor([1.0, 2.0, 3.0], requires_grad=True)
        assert (x > 2).tolist() == [False, False, True]
        assert (x == 2).tolist() == [False, True, False]
        assert not (x > 2).requires_grad
        assert ((x > 1) & ~(x >= 3) | (x != x)).tolist() == [False, True, False]

    def test_shapes_that_do_not_fit_name_the_op_and_both(self):
        for f in (lambda a, b: a + b, lambda a, b: a @ b):
            with pytest.raises(ValueError, match=r"(add|matmul).*\(2, 3\).*\(4, 2\)"):
                f(ml.ones(2, 3), ml.ones(4, 2))

    def test_scalars_of_python(self):
        x = ml.tensor([2])
        assert (int(x), float(x), bool(x), [10, 20, 30][x]) == (2, 2.0, True, 30)
        assert f"{ml.tensor(1.23456):.2f}" == "1.23"
        with pytest.raises(ValueError, match="exactly one element"):
            ml.ones(2).item()
        with pytest.raises(ValueError, match="ambiguous"):
            bool(ml.ones(2))
        with pytest.raises(TypeError, match="index"):
            [1, 2][ml.tensor(1.0)]

    def test_len_and_iteration(self):
        assert [row.tolist() for row in ml.tensor([[1, 2], [3, 4]])] == [[1, 2], [3, 4]]
        with pytest.raises(TypeError, match="without axes"):
            len(ml.tensor(1.0))

    def test_methods_are_the_ops(self):
        x = ml.tensor([[1.0, 2.0], [3.0, 4.0]])
        assert x.sum(1).tolist() == x.sum(axis=1).tolist() == [3.0, 7.0]
        assert x.reshape(4).tolist() == x.reshape((-1,)).tolist() == [1.0, 2.0, 3.0, 4.0]
        assert x.T.tolist() == x.mT.tolist() == x.transpose(1, 0).tolist() == [[1.0, 3.0], [2.0, 4.0]]
        assert x.argmax(1).tolist() == [1, 1]
        assert x[0].any().item()

    def test_a_wrong_argument_is_named(self):
        with pytest.raises(TypeError, match=r"sum\(\) has no argument 'where'.*\(x, axis, keepdims\)"):
            ml.ones(2).sum(where=0)
        with pytest.raises(TypeError, match="got twice 'axis'"):
            ml.ones(2).sum(0, axis=0)
        with pytest.raises(TypeError, match="missing 'dtype'|missing its input"):
            ml.ops.REGISTRY["cast"](ml.ones(1))
