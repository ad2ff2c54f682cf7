"""Tables as text and HTML, and files."""

import json
import re

import numpy as np
import pytest

import minilm as ml
from minilm.models import MLP
from minilm.profile import roofline
from minilm.profile.roofline import Ceilings
from minilm.profile.table import number, scale
from tests.profile.clocks import Work, profile_with

pytestmark = pytest.mark.host
CEILINGS = Ceilings("cpu", 100e9, 20e9, 60e9, 2)


@pytest.fixture(autouse=True)
def _two_threads(monkeypatch):
    """The tables say how many threads there were; the picture must not measure this machine."""
    threads = ml.get_num_threads()
    ml.set_num_threads(2)
    monkeypatch.setattr(roofline, "measure_ceilings", lambda device: CEILINGS)
    yield
    ml.set_num_threads(threads)


def example():
    """A step of a small network; a product takes 80 µs forward and 160 back, any other rule 1 µs."""
    work = Work(matmul=80_000, matmul_backward=160_000)
    x, w = (ml.Tensor(np.ones((100, 100), np.float32), requires_grad=True) for _ in range(2))
    model = ml.nn.Sequential(ml.nn.Sigmoid())
    with profile_with(work) as p, ml.observe(work):
        for _ in range(2):
            model(x @ w).sum().backward()
        with p.section("step"):
            work.time += 20_000
        work.time += 4_000
    return p


GOLDEN = """\
op                 pass      calls  time µs      %  mean µs  MFLOP  GFLOP/s      kB   GB/s  FLOP/B  made kB  alive kB
---------------------------------------------------------------------------------------------------------------------
matmul             backward      2    320.0   61.1    160.0  8.000    25.00   400.0  1.250   20.00    160.0     280.0
matmul             forward       2    160.0   30.5    80.00  4.000    25.00   240.0  1.500   16.67    80.00     200.0
[step]                           1    20.00    3.8    20.00                                                     160.0
sigmoid            forward       2    2.000    0.4    1.000  0.220    110.0   160.0  80.00   1.375    80.00     240.0
sum                forward       2    2.000    0.4    1.000  0.020    10.00   80.01  40.00   0.250    0.008     240.0
sum                backward      2    2.000    0.4    1.000                                                     240.0
sigmoid            backward      2    2.000    0.4    1.000  0.060    30.00   240.0  120.0   0.250    80.00     320.0
---------------------------------------------------------------------------------------------------------------------
all ops                         12    488.0   93.1    40.67  12.30    25.20    1120  2.295   10.98    400.1     320.0
engine and Python                     16.00    3.1
total                                 524.0  100.0

Measured on cpu, 2 threads; the profile's own 0 ns are left out.
Most memory in arrays: 320.0 kB, after sigmoid backward in 0."""


class TestText:
    def test_golden(self):
        assert str(example()) == GOLDEN
