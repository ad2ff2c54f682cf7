"""Clocks: the processor's with pauses, and the GPU's against a record of CuPy's interface (no GPU is needed, or used)."""

import functools

import numpy as np
import pytest

import minilm as ml
from minilm.backend import cpu
from minilm.profile.clock import CpuClock, CudaClock, clock_for
from minilm.profile.face import Profile
from minilm.profile.memory import PoolMemory
from tests.backend.cupy_api import parameters, parse
from tests.profile.clocks import Tick

API = {
    "cuda.Event": "block=, disable_timing=, interprocess=",
    "cuda.Event.record": "stream=",
    "cuda.Event.synchronize": "",
    "cuda.get_elapsed_time": "start_event, end_event",
    "cuda.nvtx.RangePush": "message, id_color=",
    "cuda.nvtx.RangePop": "",
    "get_default_memory_pool": "",
    "cuda.MemoryPool.used_bytes": "",
}
"""What the profile calls of CuPy, and with which parameters (CuPy 14.2)."""


class FakeCupy:
    """CuPy's interface over a clock that ticks; it writes down what was called."""

    def __init__(self):
        self.calls, self.ranges, self.names, self.time = [], 0, [], 0.0
        self.used = 1000
        self.cuda = self.nvtx = self  # cupy.cuda, cupy.cuda.nvtx

    def _called(self, name, *args, **kwargs):
        parse(API[name]).bind(*args, **kwargs)
        self.calls.append(name)

    def Event(self, *args, **kwargs):
        self._called("cuda.Event", *args, **kwargs)
        return FakeEvent(self)

    def get_elapsed_time(self, *args):
        self._called("cuda.get_elapsed_time", *args)
        start, end = args
        assert start.done
        assert end.done, "read before the device came to it: CuPy raises"
        return end.at - start.at

    def RangePush(self, *args):
        self._called("cuda.nvtx.RangePush", *args)
        self.ranges += 1
        self.names.append(args[0])

    def RangePop(self, *args):
        self._called("cuda.nvtx.RangePop", *args)
        self.ranges -= 1
        assert self.ranges >= 0

    def get_default_memory_pool(self, *args):
        self._called("get_default_memory_pool", *args)
        return self

    def used_bytes(self, *args):
        self._called("cuda.MemoryPool.used_bytes", *args)
        self.used += 100
        return self.used


class FakeEvent:
    events = []

    def __init__(self, cupy):
        self.cupy, self.done = cupy, False

    def record(self, *args):
        self.cupy._called("cuda.Event.record", *args)
        self.cupy.time += 0.25  # milliseconds
        self.at = self.cupy.time
        self.events.append(self)

    def synchronize(self, *args):
        self.cupy._called("cuda.Event.synchronize", *args)
        for event in self.events:  # a stream runs in order
            event.done = True


@pytest.fixture
def cupy():
    FakeEvent.events = []
    return FakeCupy()


def on_fake(cupy):
    return Profile("cpu", CudaClock(cupy), PoolMemory(cupy))


class TestCpuClock:
    def test_no_time_passes_in_a_pause(self):
        times = iter([10, 17, 30, 90, 95, 95])
        clock = CpuClock(lambda: next(times))
        clock.pause()
        first = clock.mark()
        clock.resume()  # 17: paused for 7
        clock.pause()  # 30
        second = clock.mark()
        clock.resume()  # 90: paused for 60
        clock.pause()  # 95
        assert clock.between(first, second) == 13
        assert clock.between(second, clock.mark()) == 5
        assert clock.own == 67

    def test_is_the_cpus(self):
        assert isinstance(clock_for(cpu), CpuClock)


class TestCudaClock:
    def test_two_events_a_rule_and_one_wait_at_the_end(self, cupy):
        x = ml.tensor([1.0, 2.0], requires_grad=True)
        with on_fake(cupy) as p:
            x.exp().sum().backward()
            assert "cuda.Event.synchronize" not in cupy.calls
        assert cupy.calls.count("cuda.Event") == 2 * 4 + 2
        assert cupy.calls.count("cuda.Event.synchronize") == 1
        assert [row.time for row in p.ops] == pytest.approx([0.25e-3] * 4)  # two neighbouring events are 0.25 ms apart
        assert p.total_time == pytest.approx(9 * 0.25e-3)
        assert p.engine_time == pytest.approx(5 * 0.25e-3)

    def test_ranges_carry_the_names_and_are_closed(self, cupy):
        model = ml.nn.Sequential(ml.nn.Linear(2, 3), ml.nn.ReLU())
        with on_fake(cupy) as p, p.section("all of it"):
            model(ml.tensor([[1.0, 2.0]])).sum().backward()
        assert cupy.ranges == 0
        assert cupy.names[:4] == ["all of it", "Sequential", "0", "linear"]
        assert "relu backward" in cupy.names

    def test_ranges_are_closed_after_errors(self, cupy):
        with pytest.raises(ValueError, match="broadcast"), on_fake(cupy) as p, p.section("a"):
            ml.tensor([1.0, 2.0]) + ml.tensor([1.0, 2.0, 3.0])
        assert cupy.ranges == 0

    def test_ranges_are_closed_after_an_error_that_was_caught(self, cupy):
        with on_fake(cupy):
            with pytest.raises(ValueError, match="broadcast"):
                ml.tensor([1.0, 2.0]) + ml.tensor([1.0, 2.0, 3.0])
            ml.tensor([1.0]).exp()
            assert cupy.ranges == 0

    def test_ranges_are_nested_after_an_error_in_a_module(self, cupy):
        class Wrong(ml.nn.Module):
            def forward(self, x):
                return x + ml.tensor([1.0, 2.0])

        with on_fake(cupy):
            with pytest.raises(ValueError, match="broadcast"):
                Wrong()(ml.tensor([1.0, 2.0, 3.0]))
            assert cupy.names == ["Wrong", "add"]
            assert cupy.ranges == 0

    def test_memory_is_that_of_the_pool(self, cupy):
        x = ml.tensor([1.0, 2.0])
        with on_fake(cupy) as p:
            x.exp()
        (row,) = p.ops
        assert row.made == 100  # used grows by 100 each time it is asked for: before the rule, and after it
        assert row.alive == p.peak.bytes == 1300

    @pytest.mark.parametrize("name", API)
    def test_cupy_has_it_with_these_parameters(self, name):
        cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
        pytest.importorskip("cupy.cuda.nvtx")  # an attribute of cupy.cuda once it is imported
        found = functools.reduce(getattr, name.split("."), cupy)
        theirs = parameters(found)
        theirs = ", ".join(text for text in theirs.split(", ") if text != "self")
        assert theirs == API[name]


def test_tick_is_a_clock_for_goldens():
    with Profile("cpu", CpuClock(Tick())) as p:
        ml.tensor(np.ones(3)).exp()
    assert (p.total_time, p.ops[0].time) == (pytest.approx(3e-6), pytest.approx(1e-6))
