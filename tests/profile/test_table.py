"""Tables as text."""

import re

import numpy as np
import pytest

import minilm as ml
from minilm.models import MLP
from minilm.profile.table import number, scale
from tests.profile.clocks import Work, profile_with

pytestmark = [pytest.mark.host, pytest.mark.usefixtures("two_threads")]


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
op                 pass      calls  time µs      %  mean µs  MFLOP  GFLOP/s     MB   GB/s  FLOP/B  made kB  alive kB
--------------------------------------------------------------------------------------------------------------------
matmul             backward      2    320.0   62.5    160.0  8.000    25.00  0.400  1.250   20.00    160.0     280.0
matmul             forward       2    160.0   31.2    80.00  4.000    25.00  0.240  1.500   16.67    80.00     200.0
[step]                           1    20.00    3.9    20.00                                                    160.0
sigmoid            forward       2    2.000    0.4    1.000  0.220    110.0  0.160  80.00   1.375    80.00     240.0
sum                forward       2    2.000    0.4    1.000  0.020    9.999  0.080  40.00   0.250    0.008     200.0
sum                backward      2    2.000    0.4    1.000                                                    200.0
sigmoid            backward      2    2.000    0.4    1.000  0.060    30.00  0.160  80.00   0.375    80.00     240.0
--------------------------------------------------------------------------------------------------------------------
all ops                         12    488.0   95.3    40.67  12.30    25.20  1.040  2.131   11.83    400.0     280.0
engine and Python                     4.000    0.8
total                                 512.0  100.0

Measured on cpu, 2 threads; the profile's own 0 ns are left out.
Most memory in arrays: 280.0 kB, after matmul backward."""

MODULES = """\
module             class       calls  time µs      %  forward µs  backward µs  self µs  MFLOP  GFLOP/s     MB  FLOP/B  alive kB
-------------------------------------------------------------------------------------------------------------------------------
(outside modules)                       484.0   94.5       162.0        322.0    484.0  12.02    24.83  0.720   16.69     280.0
Sequential         Sequential      2    4.000    0.8       2.000        2.000           0.280    70.00  0.320   0.875     240.0
0                  Sigmoid         2    4.000    0.8       2.000        2.000    4.000  0.280    70.00  0.320   0.875     240.0
-------------------------------------------------------------------------------------------------------------------------------
all ops                                 488.0   95.3       164.0        324.0           12.30    25.20  1.040   11.83     280.0
[step]                                  20.00    3.9
engine and Python                       4.000    0.8
total                                   512.0  100.0

Measured on cpu, 2 threads; the profile's own 0 ns are left out.
Most memory in arrays: 280.0 kB, after matmul backward."""


class TestText:
    def test_golden(self):
        assert str(example()) == GOLDEN

    def test_golden_by_module(self):
        assert example().table("module") == MODULES

    def test_sorting(self):
        p = example()

        def first(sort, by="op"):
            return p.table(by, sort).split("\n")[2].split()[0]

        assert [first(s) for s in ("time", "flops", "calls", "memory", "name", "order")] == [
            "matmul", "matmul", "matmul", "matmul", "matmul", "matmul",
        ]  # fmt: skip
        names = [line.split()[0] for line in p.table(sort="name").split("\n")[2:9]]
        assert names == ["matmul", "matmul", "sigmoid", "sigmoid", "[step]", "sum", "sum"]
        assert first("time", "module") == "(outside"
        assert first("calls", "module") == "Sequential"
        assert first("self", "class") == "(outside"

    def test_rows_beyond_the_limit_are_added_up(self):
        text = example().table(limit=2)
        assert re.search(r"5 more rows +9 +28\.00 +5\.5", text)
        assert "\nall ops                         12    488.0" in text
        assert "6 more rows" in example().table(limit=1)
        assert "more row" not in example().table(limit=None)
        assert re.search(r"2 more rows *\n", example().table("module", limit=1))  # Modules hold each other

    def test_what_is_not_there(self):
        p = example()
        with pytest.raises(ValueError, match="by must be 'op', 'module' or 'class', got 'layer'"):
            p.table(by="layer")
        with pytest.raises(ValueError, match="sort must be one of 'time'"):
            p.table(sort="speed")
        with pytest.raises(ValueError, match="limit must be at least 1"):
            p.table(limit=0)

    def test_nothing_ran(self):
        with ml.profile() as p:
            pass
        assert str(p) == p.table("module") == "<an empty profile: no op on tensors ran inside the with block>"
        assert p._repr_html_() == "<p>An empty profile: no op on tensors ran inside the <code>with</code> block.</p>"
        assert (p.engine_time, p.total_time) == (p.total_time, p.total_time)

    def test_nothing_but_a_section(self):
        work = Work()
        with profile_with(work) as p, p.section("loading"):
            work.time += 2_000_000
        assert re.search(r"\[loading\] +1 +2\.000 +100\.0", str(p))
        assert "<img" not in p._repr_html_()

    def test_repr(self):
        assert repr(example()) == "<profile: 12 calls in 0.512 ms; print() it, or show it in a notebook>"
        assert repr(ml.profile()) == "<profile: not begun>"


class TestNumbers:
    @pytest.mark.parametrize(
        ("x", "text"),
        [(0, "0"), (12345, "12,345"), (0.0, ""), (0.1234567, "0.123"), (1.5, "1.500"), (12.345, "12.35"), (123.45, "123.5"),
         (1234.5, "1,234"), ("as it is", "as it is")],
    )  # fmt: skip
    def test_digits(self, x, text):
        assert number(x) == text

    @pytest.mark.parametrize(
        ("values", "unit", "name", "size"),
        [([2e-5, 3e-7], "s", "µs", 1e-6), ([70.0], "s", "s", 1.0), ([], "s", "ns", 1e-9), ([999], "B", "B", 1), ([1000, 5], "B", "kB", 1e3),
         ([3e9], "FLOP", "GFLOP", 1e9), ([5e18], "FLOP", "TFLOP", 1e12)],
    )  # fmt: skip
    def test_one_unit_for_a_column(self, values, unit, name, size):
        assert scale(values, unit) == (name, pytest.approx(size))


def test_of_a_real_model():
    """The whole path once, with the real clock."""
    model = MLP([20, 30, 5])
    with ml.profile() as p:
        ml.nn.functional.cross_entropy(
            model(ml.Tensor(np.ones((8, 20), np.float32))), ml.tensor([0, 1, 2, 3, 4, 0, 1, 2])
        ).backward()
    assert "layers.1" in p.table("module")
    assert "Linear" in p.table("class")
    assert "cross_entropy" in str(p)
