"""Arrays from what users give: lists that hold tensors."""

from typing import NamedTuple

import numpy as np
import pytest

import minilm as ml
from minilm.backend import to_device


class Pair(NamedTuple):
    first: object
    second: object


def parts(device, *arrays):
    return [ml.Tensor(to_device(np.asarray(array), device)) for array in arrays]


@pytest.mark.parametrize("make", [ml.tensor, ml.Tensor])
def test_equal_shapes_become_one_tensor_of_its_own_memory(make, device):
    a, b = parts(device, [1.0, 2.0], [3.0, 4.0])
    for data, expected in (
        ([a, b], [[1, 2], [3, 4]]),
        ((a, b), [[1, 2], [3, 4]]),
        ([[a], [b]], [[[1, 2]], [[3, 4]]]),
        ([a[0], b[1]], [1, 4]),
        ([[a[0], 5.0], [6.0, b[1]]], [[1, 5], [6, 4]]),
        ([(5.0, 6.0), Pair(7.0, b[0])], [[5, 6], [7, 3]]),
        ([[7.0, 8.0], a], [[7, 8], [1, 2]]),
        ([np.array([7.0, 8.0]), a], [[7, 8], [1, 2]]),
    ):
        y = make(data)
        assert y.tolist() == expected
        assert y.device is device
        assert y.dtype == "float64"
        assert y.is_leaf
        assert not y.requires_grad
        y.data[...] = 0.0
    assert a.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("dtypes", "expected"),
    [(("float32", "int64"), "float32"), (("float16", "float32"), "float32"), (("int32", "int64"), "int64"), (("uint64", "int8"), "float32"),
     (("bool", "uint8"), "uint8"),
     (("float32", "float64"), "float64"), (("bool", "bool"), "bool")],
)  # fmt: skip
def test_dtypes_are_promoted_as_beside_each_other(dtypes, expected, device):
    data = parts(device, *(np.ones(2, dtype) for dtype in dtypes))
    assert ml.tensor(data).dtype == expected
    assert ml.tensor(data[::-1]).dtype == expected
    assert ml.tensor([data[:1], data[1:]]).dtype == expected
    assert ml.tensor(data, dtype="float16").dtype == "float16"
    assert ml.tensor(data, requires_grad=expected.startswith("float")).tolist() == [[1, 1], [1, 1]]


def test_numbers_beside_tensors_are_taken_along(device):
    (one,) = parts(device, np.float32(1.0))
    assert ml.tensor([one, 2.5]).dtype == "float32"
    assert ml.tensor([2.5, one.astype("int64")]).dtype == "float32"
    assert (ml.ones(2, device=device) * [one, 2.0]).tolist() == [1.0, 2.0]


def test_what_cannot_become_a_tensor_is_told(device):
    a, b = parts(device, [1.0, 2.0], [3.0])
    with pytest.raises(ValueError, match=r"must have one shape to become a tensor, got \(2,\) and \(1,\)"):
        ml.tensor([a, b])
    with pytest.raises(ValueError, match=r"got \(2,\) and \(\)"):
        ml.tensor([a, 1.0])
    with pytest.raises(ValueError, match=r"got \(2,\) and \(0,\)"):
        ml.tensor([a, []])
    with pytest.raises(RuntimeError, match=r"requires a gradient.* use ml\.stack"):
        ml.tensor([a, ml.Tensor(a.data, True)])
    with pytest.raises(TypeError, match="str"):
        ml.tensor([a[0], "two"])


@pytest.mark.host
def test_different_devices_are_named(device):
    if device.name == "cpu":
        pytest.skip("needs another device beside the CPU")
    (a,) = parts(device, [1.0])
    with pytest.raises(ml.DeviceError, match=f"are on {device.name} and on cpu"):
        ml.tensor([a, ml.ones(1)])
