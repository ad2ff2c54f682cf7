"""Memory that stays in the process between steps."""

import subprocess
import sys

import pytest

from minilm.backend.memory import keep_freed_memory

PROGRAM = """
import resource
import numpy as np
import minilm
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        [np.ones(500_000, np.float32) for _ in range(4)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""


def page_faults(setting):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env={"MINILM_KEEP_MEMORY": setting}, text=True, capture_output=True, check=True
    )
    return int(done.stdout)


def test_dropped_arrays_give_their_memory_to_the_next():
    if not keep_freed_memory():
        pytest.skip("this C library is not glibc")
    kept = page_faults("1")
    assert kept < 100  # 80 arrays of 2 MB have 39,000 pages
    assert page_faults("0") > 10 * (kept + 100)


def test_the_environment_can_forbid_it(monkeypatch):
    monkeypatch.setenv("MINILM_KEEP_MEMORY", "0")
    assert keep_freed_memory() is False
