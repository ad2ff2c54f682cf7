"""The shell that speaks for a training that was killed."""

import subprocess
import sys

import pytest

from minilm.training.watch import Watch
from tests.parallel.nets import children_path

pytestmark = [
    pytest.mark.host,
    pytest.mark.skipif(sys.platform == "win32", reason="there is no shell"),
]
PROGRAM = """
import os, signal, sys
from minilm.training.watch import Watch
watch = Watch("minilm train --resume RUN")
for step in map(int, sys.argv[2:]):
    watch.tell(step)
os.kill(os.getpid(), signal.SIGKILL) if sys.argv[1] == "killed" else watch.end()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["killed", "0", "50", "50"], "The checkpoint of step 50 stands: go on with minilm train --resume RUN\n"),
        (["killed"], ""),  # before the first checkpoint: there is nothing to go on with
        (["ends", "0", "50"], ""),
    ],
)
def test_it_speaks_only_for_the_dead(words, said):
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        env=children_path(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert found.stderr.endswith(said)
    assert bool(found.stderr) == bool(said)


def test_without_a_command_there_is_no_shell():
    watch = Watch(None)
    watch.tell(1)
    watch.end()
    assert watch._shell is None
