"""What a worker does when its parent is killed, and with signals that reach all processes."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.parallel.nets import assert_equal_gradients, batch, children_path, gradients, net

pytestmark = pytest.mark.host  # processes are for the CPU


PARENT = """
import sys, time
from minilm.parallel import DataParallel
from tests.parallel.nets import Slow, batch
parallel = DataParallel(Slow(), 2)
print(parallel.members.workers[0].process.pid, flush=True)
if sys.argv[1] == "computing":
    parallel.backward(*batch(2))
if sys.argv[1] == "sending":
    parallel.members.workers[0].process.stdin.write(b"\\x80\\x05]q\\x00")  # a message cut short
    parallel.members.workers[0].process.stdin.flush()
time.sleep(60)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
@pytest.mark.parametrize("doing", ["idle", "computing", "sending"])
def test_processes_end_silently_with_a_parent_that_was_killed(doing):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, doing],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=children_path(),
    )
    child = int(parent.stdout.readline())
    time.sleep(0.3 if doing != "idle" else 0)  # the part takes a second
    parent.send_signal(signal.SIGKILL)
    _, errors = parent.communicate(timeout=30)  # ends when the child, too, has closed the errors' pipe
    assert errors.replace("models may print\n", "") == ""
    for _ in range(500):
        try:
            state = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":
            return
        time.sleep(0.02)
    pytest.fail("the process lives on")


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_signals_that_reach_all_processes_are_left_to_the_first(two):
    for name in ("SIGHUP", "SIGTERM", "SIGINT"):
        two.members.workers[0].process.send_signal(getattr(signal, name))
    whole = net()
    whole.loss(*batch(4)).backward()
    two.backward(*batch(4))
    assert_equal_gradients(gradients(whole), gradients(two.model))
