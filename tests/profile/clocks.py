"""Clocks for tests: a second lasts as long as the test says."""

from minilm.profile.clock import CpuClock
from minilm.profile.face import Profile


class Work:
    """An observer that lets time pass while a rule runs: so many nanoseconds by op and stage, 1,000 for any other."""

    def __init__(self, **durations):
        self.durations, self.time = durations, 0

    def now(self):
        return self.time

    def before(self, op, stage):
        self.time += self.durations.get(op.name if stage == "forward" else f"{op.name}_backward", 1000)


class Tick:
    """A clock that jumps ahead by a microsecond each time it is read."""

    time = 0

    def __call__(self):
        self.time += 1000
        return self.time


def profile_with(work, **options):
    """A profile whose time is that of `work`; observe `work` inside of it."""
    return Profile("cpu", CpuClock(work.now), **options)
