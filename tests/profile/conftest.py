"""What several files of tests of the profile need."""

import pytest

import minilm as ml
from minilm.profile import roofline
from minilm.profile.roofline import Ceilings

CEILINGS = Ceilings("cpu", 100e9, 20e9, 60e9, 2)


@pytest.fixture
def two_threads(monkeypatch):
    """The tables say how many threads there were; the picture must not measure this machine."""
    threads = ml.get_num_threads()
    ml.set_num_threads(2)
    monkeypatch.setattr(roofline, "measure_ceilings", lambda device: CEILINGS)
    yield
    ml.set_num_threads(threads)
