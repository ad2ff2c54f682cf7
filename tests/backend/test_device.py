"""What a device is: a name, an array module, a class of arrays, and the plain functions until it has faster ones."""

import numpy as np
import pytest

from minilm.backend import Device, cpu
from tests.backend import pretend

pytestmark = pytest.mark.host

PLAIN = Device("plain", np, np.ndarray)


def test_a_device_is_its_name():
    assert repr(cpu) == "device('cpu')"
    assert cpu == "cpu"
    assert cpu != pretend.device()
    assert {cpu: 1}["cpu"] == 1
    assert cpu != PLAIN


def test_the_cpu_s_arrays_are_numpy_s():
    x = np.ones(3)
    assert PLAIN.owns(x)
    assert PLAIN.from_host(x) is PLAIN.to_host(x) is x
    assert not PLAIN.owns([1.0])
    for device in (cpu, PLAIN):
        device.synchronize()
        assert not device.asynchronous


def test_work_is_done_in_one_part_until_a_device_divides_it():
    done = []
    PLAIN.run(done.append, [(i,) for i in range(3)])
    assert done == [0, 1, 2]
    assert PLAIN.cuts(10**6, 10**9) == [slice(0, 10**6)]
