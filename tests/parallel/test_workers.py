"""Other processes: where they look for modules, and what is said of one that is gone, stopped or too slow."""

import importlib
import os
import signal
import subprocess
import sys
import time

import pytest

from minilm.isolated import module_path
from minilm.parallel import DataParallel, WorkerError
from tests.parallel.nets import Net, Slow, batch, children_path, net

pytestmark = pytest.mark.host  # processes are for the CPU


def test_a_process_that_is_gone_is_named():
    with DataParallel(net(), 2) as parallel:
        parallel.members.workers[0].process.kill()
        with pytest.raises(WorkerError, match=r"process 1 is gone \(exit status .*make a new DataParallel"):
            for _ in range(100):
                parallel.backward(*batch(4))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_a_stopped_process_is_named_and_nothing_waits_for_it_long():
    start = time.monotonic()
    with DataParallel(net(), 3, timeout=0.5) as parallel:
        stopped = parallel.members.workers[1].process
        parallel.members.workers[0].process.send_signal(signal.SIGSTOP)  # this one is only in the way of closing
        stopped.send_signal(signal.SIGSTOP)
        with pytest.raises(
            WorkerError, match=r"pid \d+\) has not answered for 0.5 seconds: it is stopped \(SIGSTOP.*longer timeout"
        ):
            parallel.backward(*batch(6))
    assert time.monotonic() - start < 20
    assert stopped.returncode is not None


def test_a_process_that_takes_too_long_is_named():
    with DataParallel(Slow(), 2, timeout=0.2) as parallel:
        parallel.model.loss = lambda x, target: Net.loss(
            parallel.model, x, target
        )  # this process has done its part at once
        with pytest.raises(WorkerError, match=r"has not answered for 0.2 seconds: it is still at work, or hangs"):
            parallel.backward(*batch(4))
        with pytest.raises(WorkerError, match="is gone"):
            parallel.backward(*batch(4))


OF_MINILM = """
import numpy as np
from minilm.models import GPT, GPTConfig
from minilm.parallel import DataParallel
with DataParallel(GPT(GPTConfig(vocab_size=5, block_size=4, n_layer=1, n_head=1, n_embd=4)), 2) as parallel:
    parallel.backward(np.ones((2, 4), int), np.ones((2, 4), int))
print("done")
"""
OF_THE_USER = """
import sys
import numpy as np
from minilm.parallel import DataParallel
sys.path.append({here!r})
from own import Own
with DataParallel(Own(), 2) as parallel:
    parallel.backward(np.ones((4, 4), np.float32), np.zeros(4, int))
print("done")
"""
OWN = "from tests.parallel.nets import Net\nclass Own(Net):\n    pass\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "program", [OF_MINILM, OF_THE_USER], ids=["a model of minilm", "a model in the current folder"]
)
def test_a_file_of_the_current_folder_is_never_taken_for_the_standard_library(program, tmp_path):
    """Files there have the names of all modules that a process imports."""
    names = {name.partition(".")[0] for name in sys.modules} & {*sys.stdlib_module_names, "numpy", "tqdm", "matplotlib"}
    assert len(names) > 100
    here, script, marker = tmp_path / "here", tmp_path / "script" / "main.py", tmp_path / "imported"
    here.mkdir()
    script.parent.mkdir()
    for name in names:
        (here / f"{name}.py").write_text(f"open({str(marker)!r}, 'a').write({name!r})\n")
    (here / "own.py").write_text(OWN)
    script.write_text(program.replace("{here!r}", repr(str(here))))
    found = subprocess.run(
        [sys.executable, script], cwd=here, env=children_path(), capture_output=True, text=True, timeout=60
    )
    assert found.stdout.splitlines()[-1:] == ["done"], found.stderr
    assert not marker.exists(), marker.read_text()


def test_the_current_folder_leaves_the_path_or_comes_last(tmp_path, monkeypatch):
    own, elsewhere = tmp_path / "own", tmp_path / "elsewhere"
    own.mkdir()
    elsewhere.mkdir()
    (tmp_path / "link").symlink_to(own)
    (own / "lies_here.py").touch()
    monkeypatch.chdir(own)
    monkeypatch.setattr(sys, "path", ["", ".", str(own), str(tmp_path / "link"), str(elsewhere)])
    assert module_path({"json", "minilm.models"}) == [str(elsewhere)]
    importlib.import_module("lies_here")
    assert module_path({"json", "lies_here"}) == [str(elsewhere), os.path.realpath(own)]
    del sys.modules["lies_here"]
