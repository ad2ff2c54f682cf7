"""What Python's syntax means for a Tensor; beside what is no tensor: `tests/test_strangers.py`."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays, mutually_broadcastable_shapes

import minilm as ml


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
