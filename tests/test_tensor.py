"""Tensor: making it, its dtype and device, and the errors of bad input."""

import copy
import pickle

import numpy as np
import pytest

import minilm as ml


class TestMaking:
    @pytest.mark.parametrize(
        ("data", "dtype"),
        [(1.5, "float32"), ([1.0, 2.0], "float32"), (3, "int64"), ([True], "bool"), (np.ones(2), "float64"),
         (np.float64(1.0), "float64"), (np.ones(2, np.float16), "float16"), ([[]], "float32")],
    )  # fmt: skip
    def test_dtype(self, data, dtype):
        assert ml.tensor(data).dtype == dtype

    def test_default_dtype_can_be_changed(self):
        ml.set_default_dtype("float64")
        try:
            assert ml.tensor(1.0).dtype == ml.zeros(2).dtype == "float64"
        finally:
            ml.set_default_dtype("float32")
        with pytest.raises(TypeError, match="float type"):
            ml.set_default_dtype(int)

    @pytest.mark.host
    def test_tensor_copies_and_Tensor_shares(self):
        a = np.ones(2)
        assert not np.shares_memory(ml.tensor(a).data, a)
        assert np.shares_memory(ml.Tensor(a).data, a)

    @pytest.mark.parametrize("data", ["text", [1, "a"], None, np.array(["a"]), np.array([1j]), {}, [[1.0], [1.0, 2.0]]])
    def test_refuses_what_are_no_numbers(self, data):
        with pytest.raises((TypeError, ValueError)):
            ml.tensor(data)

    def test_only_floats_require_gradients(self):
        with pytest.raises(TypeError, match="int64"):
            ml.tensor([1], requires_grad=True)

    def test_zeros_ones_arange(self):
        assert ml.zeros(2, 3).shape == (2, 3)
        assert ml.ones(2, requires_grad=True).requires_grad
        assert ml.arange(3).tolist() == [0, 1, 2]
        assert ml.arange(0.0, 1.0, 0.5).dtype == "float32"


class TestDtypeStability:
    """NumPy 2 turns float32 into float64 at every NumPy scalar; the engine does not."""

    @pytest.mark.parametrize("other", [2, 2.0, True, np.float64(2.0), np.int64(2), np.float32(2.0)])
    def test_scalars_are_weak(self, other):
        x = ml.tensor([1.0, 2.0], requires_grad=True)
        for y in (x + other, other + x, x - other, other - x, x * other, other * x, x / other, other / x, x**other):
            assert y.dtype == "float32"
            (g,) = ml.grad(y.sum(), x)
            assert g.dtype == "float32"

    def test_float64_comes_only_from_float64(self):
        assert (ml.tensor([1, 2]) / ml.tensor([3, 4])).dtype == "float32"
        assert ml.tensor([1, 2]).exp().dtype == "float32"
        assert ml.tensor([1, 2]).mean().dtype == "float32"
        assert (ml.tensor([1.0]) * ml.tensor([True])).dtype == "float32"
        assert (ml.tensor([1.0]) * ml.tensor(np.ones(1))).dtype == "float64"

    def test_mixed_precision_gives_each_its_own(self):
        x, w = ml.tensor([1.0], requires_grad=True), ml.tensor(np.array([2.0]), requires_grad=True)
        (x * w).sum().backward()
        assert (x.grad.dtype, w.grad.dtype) == ("float32", "float64")

    def test_to_and_back(self):
        x = ml.tensor([1.0], requires_grad=True)
        (x.double() * 2.0).sum().backward()
        assert x.grad.dtype == "float32"
        assert x.to("float32") is x


class TestOut:
    @pytest.mark.host
    def test_numpy_shares_and_asarray_guards_the_graph(self):
        x = ml.tensor([1.0])
        array = x.numpy()
        x[0] = 5.0
        assert array[0] == 5.0
        assert np.asarray(x).tolist() == [5.0]
        with pytest.raises(RuntimeError, match="detach"):
            np.asarray(ml.ones(1, requires_grad=True))

    @pytest.mark.host
    def test_repr(self):
        x = ml.tensor([1.0], requires_grad=True).named("w")
        assert repr(x) == "tensor([1.], requires_grad=True, name='w')"
        assert "grad_fn=<mul>" in repr(x * 2.0)
        assert "float64" in repr(ml.tensor(np.ones(1)))

    def test_no_pickle(self):
        with pytest.raises(TypeError, match="safetensors"):
            pickle.dumps(ml.ones(1))

    def test_deepcopy_of_a_leaf(self):
        x = ml.ones(2, requires_grad=True)
        y = copy.deepcopy(x)
        y.data += 1.0
        assert x.tolist() == [1.0, 1.0]
        assert y.requires_grad
        with pytest.raises(RuntimeError, match="leaf"):
            copy.deepcopy(x * 2.0)

    def test_clone_is_a_copy_in_the_graph(self):
        x = ml.tensor([-0.0, 2.0], requires_grad=True)
        y = x.clone()
        assert not x.device.xp.shares_memory(x.data, y.data)
        assert np.signbit(y.numpy()[0])
        y.sum().backward()
        assert x.grad.tolist() == [1.0, 1.0]

    def test_hash_is_identity(self):
        x, y = ml.ones(1), ml.ones(1)
        assert len({x, y, x}) == 2


class TestInPlace:
    def test_updates(self):
        x = ml.tensor([4.0, 6.0])
        same = x
        x += 2.0
        x -= ml.ones(2)
        x *= 2.0
        x /= 5.0
        assert same is x
        np.testing.assert_allclose(x.numpy(), [2.0, 2.8], rtol=1e-6)
        x[0] = 9.0
        x[ml.tensor([False, True])] = ml.tensor([7.0])
        assert x.tolist() == [9.0, 7.0]
        assert x.copy_(1).tolist() == [1.0, 1.0]
        assert x.zero_().tolist() == [0.0, 0.0]

    def test_data_keeps_its_shape(self):
        x = ml.ones(2)
        with pytest.raises(ValueError, match=r"expected an array of shape \(2,\)"):
            x.data = np.ones(3)


@pytest.mark.parametrize(
    "op", [lambda x: x * 0.5, lambda x: 0.5 * x, lambda x: x / 2, lambda x: x**0.5, lambda x: x.exp()]
)
def test_integers_become_the_default_float(op):
    assert op(ml.tensor([0, 1, 2])).dtype == ml.get_default_dtype()
    assert op(ml.tensor([0.0, 1.0], dtype="float64")).dtype == np.float64
