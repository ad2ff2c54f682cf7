"""Devices by name, the two doors between them, and what is said when they are mixed or missing."""

import copy
import pickle

import numpy as np
import pytest

from minilm.backend import (
    DeviceError,
    as_array,
    cpu,
    device_of,
    get_device,
    is_device_name,
    to_device,
    to_host,
)
from minilm.backend.detect import gpu_problem
from tests.backend import pretend

pytestmark = pytest.mark.host


def test_cpu():
    assert get_device("cpu") is cpu
    assert get_device(cpu) is cpu


@pytest.mark.parametrize("name", ["gpu", "CPU", "", "cpu:0", "tpu"])
def test_unknown_name(name):
    with pytest.raises(DeviceError, match="expected 'cpu', 'cuda' or 'auto'"):
        get_device(name)


def test_second_gpu():
    with pytest.raises(DeviceError, match="CUDA_VISIBLE_DEVICES"):
        get_device("cuda:1")


def test_cuda_is_there_or_says_why_not():
    if gpu_problem() is None:
        assert get_device("auto") is get_device("cuda")
        return
    assert get_device("auto") is cpu
    with pytest.raises(DeviceError) as raised:
        get_device("cuda")
    assert str(raised.value) == f"device 'cuda' was asked for, but {gpu_problem()}"


def test_device_names():
    pretend.device()
    assert all(map(is_device_name, ["cpu", "cuda", "cuda:0", "cuda:3", "auto", "pretend"]))
    assert not any(map(is_device_name, ["float32", "gpu", np.float32, np.dtype("int64"), None, cpu]))


@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint32", "bool"])
def test_round_trip(device, shape, dtype):
    host = np.arange(np.prod(shape), dtype="int64").reshape(shape).astype(dtype)
    array = to_device(host, device)
    assert device_of(array) is device
    assert device.owns(array)
    assert array.shape == shape
    assert array.dtype == dtype
    assert to_device(array, device) is array
    back = to_host(array)
    assert type(back) is np.ndarray
    np.testing.assert_array_equal(back, host)


def test_round_trip_of_a_view(device):
    host = np.arange(12.0).reshape(3, 4).T[::-1, 1:]
    np.testing.assert_array_equal(to_host(to_device(host, device)), host)
    np.testing.assert_array_equal(to_host(to_device(host, device).T), host.T)


def test_between_two_other_devices():
    x = to_device(np.ones(3), pretend.device())
    assert device_of(to_device(x, "cpu")) is cpu


@pytest.mark.parametrize("thing", [None, 1.0, [1.0], "x", object()])
def test_what_is_no_array(thing):
    with pytest.raises(TypeError, match=f"expected an array of one of the devices .*'cpu'.*got {type(thing).__name__}"):
        device_of(thing)


def test_subclasses_of_numpy_arrays(tmp_path):
    np.save(tmp_path / "x.npy", np.ones(3))
    assert device_of(np.load(tmp_path / "x.npy", mmap_mode="r")) is cpu
    assert device_of(np.ma.masked_array([1.0])) is cpu


def test_numpy_scalars_become_arrays():
    assert as_array(np.float32(1)).shape == ()
    assert as_array(np.float32(1)).dtype == np.float32
    assert as_array(2.0) == 2.0


def test_copies_are_the_device_itself(device):
    for d in (cpu, device):
        assert copy.deepcopy({"device": d})["device"] is d
        assert pickle.loads(pickle.dumps(d)) is d
