"""A batch on several processes: the gradients of one, nothing left behind, and no failure that hangs."""

import errno
import gc
import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import minilm as ml
from minilm import nn
from minilm.models import GPT, GPTConfig
from minilm.nn import functional as F
from minilm.parallel import DataParallel, WorkerError, data_parallel

pytestmark = pytest.mark.host  # processes are for the CPU


class Net(nn.Module):
    """Two layers of which one is used twice, dropout, a frozen parameter and one that is not used."""

    def __init__(self, p=0.0):
        super().__init__()
        self.inner, self.outer = nn.Linear(4, 4), nn.Linear(4, 3)
        self.tied, self.drop = self.inner, nn.Dropout(p)
        self.frozen = nn.Parameter(np.full(4, 2.0, np.float32), requires_grad=False)
        self.unused = nn.Parameter(np.ones(2, np.float32))

    def loss(self, x, target):
        if float(np.max(x)) > 1e6:
            raise OverflowError("too large for this model")
        print("models may print")
        x = ml.tensor(x) * self.frozen
        return F.cross_entropy(self.outer(self.drop(self.tied(self.inner(x).tanh()))), ml.tensor(target))


def batch(rows, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((rows, 4)).astype(np.float32), rng.integers(0, 3, rows)


def net(p=0.0):
    ml.manual_seed(1)
    return Net(p)


def gradients(model):
    return {name: None if p.grad is None else p.grad.numpy() for name, p in model.named_parameters()}


def assert_equal_gradients(a, b):
    assert a.keys() == b.keys()
    for name, g in a.items():
        if g is None:
            assert b[name] is None, name
        else:
            np.testing.assert_allclose(b[name], g, atol=1e-6, err_msg=name)


@pytest.fixture(scope="module")
def two():
    """One pair of processes for the tests that leave it in order."""
    with DataParallel(net(), 2) as parallel:
        yield parallel


@pytest.fixture(autouse=True)
def fresh(request):
    if "two" in request.fixturenames:
        for p in request.getfixturevalue("two").model.parameters():
            p.grad = None


@pytest.mark.parametrize("scale", [1.0, 0.25])
@pytest.mark.parametrize("rows", [1, 2, 3, 7])
def test_gradients_are_those_of_the_whole_batch(two, rows, scale):
    whole = net()
    expected = whole.loss(*batch(rows)) * scale
    expected.backward()
    loss = two.backward(*batch(rows), scale=scale)
    np.testing.assert_allclose(loss.item(), expected.item(), rtol=1e-6)
    assert not loss.requires_grad
    assert_equal_gradients(gradients(whole), gradients(two.model))


def test_three_processes_and_a_gpt():
    ml.manual_seed(0)
    model = GPT(GPTConfig(vocab_size=11, block_size=6, n_layer=1, n_head=2, n_embd=8))
    ids = np.random.default_rng(0).integers(0, 11, (7, 7))
    model.loss(ids[:, :-1], ids[:, 1:]).backward()
    expected = gradients(model)
    for p in model.parameters():
        p.grad = None
    with DataParallel(model, 3) as parallel:
        parallel.backward(ids[:, :-1], ids[:, 1:])
    assert_equal_gradients(expected, gradients(model))


def test_gradients_accumulate_and_follow_the_parameters(two):
    two.backward(*batch(4))
    two.backward(*batch(4, seed=1))
    whole = net()
    whole.loss(*batch(4)).backward()
    whole.loss(*batch(4, seed=1)).backward()
    assert_equal_gradients(gradients(whole), gradients(two.model))
    shift = ml.tensor([1.0, 0.0, -1.0])
    with ml.no_grad():
        two.model.outer.bias += shift
        whole.outer.bias += shift
    for model in (two.model, whole):
        for p in model.parameters():
            p.grad = None
    two.backward(*batch(4))
    whole.loss(*batch(4)).backward()
    assert_equal_gradients(gradients(whole), gradients(two.model))
    with ml.no_grad():
        two.model.outer.bias -= shift


def test_what_is_frozen_later_gets_no_gradient(two):
    two.model.outer.weight.requires_grad = False
    try:
        two.backward(*batch(4))
        assert two.model.outer.weight.grad is None
        assert two.model.outer.bias.grad is not None
    finally:
        two.model.outer.weight.requires_grad = True


def test_dropout_is_the_same_in_every_run_and_differs_between_processes():
    x, y = (np.concatenate([part, part, part]) for part in batch(8))
    found = []
    for _ in range(2):
        with DataParallel(net(p=0.5), 3) as parallel:
            ml.manual_seed(5)
            parallel.backward(x, y)
            found.append(gradients(parallel.model))
            assert not np.allclose(parallel._shared[1], parallel._shared[2])
    assert_equal_gradients(*found)


def test_evaluation_mode_reaches_the_processes():
    whole = net(p=0.5).eval()
    whole.loss(*batch(6)).backward()
    with DataParallel(net(p=0.5).eval(), 2) as parallel:
        parallel.backward(*batch(6))
        assert_equal_gradients(gradients(whole), gradients(parallel.model))


@pytest.mark.parametrize("row", [0, 3], ids=["in this process", "in the other"])
def test_an_error_is_raised_and_the_next_batch_computed(two, row):
    x, y = batch(4)
    x[row] = 1e7
    with pytest.raises((OverflowError, WorkerError), match="too large for this model"):
        two.backward(x, y)
    for p in two.model.parameters():
        p.grad = None
    whole = net()
    whole.loss(*batch(4)).backward()
    two.backward(*batch(4))
    assert_equal_gradients(gradients(whole), gradients(two.model))


def test_a_process_that_is_gone_is_named():
    with DataParallel(net(), 2) as parallel:
        parallel._workers[0].process.kill()
        with pytest.raises(WorkerError, match=r"process 1 is gone \(exit status .*make a new DataParallel"):
            for _ in range(100):
                parallel.backward(*batch(4))


def test_an_observer_sees_the_whole_batch(two):
    class Rows:
        def __init__(self):
            self.seen = []

        def forward(self, op, inputs, params, outputs):
            self.seen += [inputs[0].shape] if op.name == "cross_entropy" else []

    rows = Rows()
    with ml.observe(rows):
        two.backward(*batch(4))
    assert rows.seen == [(4, 3)]


def test_nothing_is_left_behind():
    files = set(Path("/dev/shm").glob("minilm-*"))
    parallel = DataParallel(net(), 2)
    assert set(Path("/dev/shm").glob("minilm-*")) <= files
    first = parallel._workers[0].process
    parallel.close()
    assert first.returncode == 0
    loss = parallel.backward(*batch(4))
    np.testing.assert_allclose(loss.item(), net().loss(*batch(4)).item(), rtol=1e-6)
    parallel = DataParallel(net(), 2)
    second = parallel._workers[0].process
    del parallel
    gc.collect()
    assert second.returncode == 0


PARENT = """
import sys, time
from minilm.parallel import DataParallel
from tests.parallel.test_data_parallel import Slow, batch
parallel = DataParallel(Slow(), 2)
print(parallel._workers[0].process.pid, flush=True)
if sys.argv[1] == "computing":
    parallel.backward(*batch(2))
if sys.argv[1] == "sending":
    parallel._workers[0].process.stdin.write(b"\\x80\\x05]q\\x00")  # a message cut short
    parallel._workers[0].process.stdin.flush()
time.sleep(60)
"""


class Slow(Net):
    """Takes a second a part."""

    def loss(self, x, target):
        time.sleep(1)
        return super().loss(x, target)


def children_path():
    return {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}


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
        two._workers[0].process.send_signal(getattr(signal, name))
    whole = net()
    whole.loss(*batch(4)).backward()
    two.backward(*batch(4))
    assert_equal_gradients(gradients(whole), gradients(two.model))


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_a_stopped_process_is_named_and_nothing_waits_for_it_long():
    start = time.monotonic()
    with DataParallel(net(), 3, timeout=0.5) as parallel:
        stopped = parallel._workers[1].process
        parallel._workers[0].process.send_signal(signal.SIGSTOP)  # this one is only in the way of closing
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


@pytest.mark.parametrize("timeout", [0, -1.0, float("nan")])
def test_a_timeout_is_positive(timeout):
    with pytest.raises(ValueError, match="timeout must be a positive number"):
        DataParallel(net(), 2, timeout=timeout)


TRAP = "open({marker!r}, 'a').write(__name__ + chr(10))\nraise ImportError('from the current folder')\n"
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
OWN = "from tests.parallel.test_data_parallel import Net\nclass Own(Net):\n    pass\n"


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
    assert data_parallel.worker_path({"json", "minilm.models"}) == [str(elsewhere)]
    importlib.import_module("lies_here")
    assert data_parallel.worker_path({"json", "lies_here"}) == [str(elsewhere), os.path.realpath(own)]
    del sys.modules["lies_here"]


@pytest.mark.parametrize("full", [1, 2], ids=["no room in memory", "no room at all"])
def test_room_for_the_shared_array_is_reserved_before_it_is_used(full, tmp_path, monkeypatch):
    folders = [tmp_path / "memory", tmp_path / "disk"]
    for folder in folders:
        folder.mkdir()
    monkeypatch.setattr(data_parallel, "SHARED_FOLDERS", tuple(map(str, folders)))
    fill = data_parallel._fill

    def fill_or_fail(file, size):
        if Path(file.name).parent in folders[:full]:
            raise OSError(errno.ENOSPC, "No space left on device")
        fill(file, size)

    monkeypatch.setattr(data_parallel, "_fill", fill_or_fail)
    if full == 1:
        with DataParallel(net(), 2) as parallel:
            assert parallel.backward(*batch(4)).item() > 0
    else:
        with pytest.raises(
            OSError, match=r"need 0 MB, and neither /dev/shm nor .* has room .*use fewer processes, or set TMPDIR"
        ):
            DataParallel(net(), 2)
    assert [list(folder.iterdir()) for folder in folders] == [[], []]


@pytest.mark.parametrize("reserve", ["posix_fallocate", "zeros"])
def test_reserving_fails_where_the_limit_is_and_not_later(reserve, tmp_path, monkeypatch):
    resource = pytest.importorskip("resource", reason="Windows has no limits for a process")
    if reserve == "zeros":
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    monkeypatch.setattr(data_parallel, "SHARED_FOLDERS", (str(tmp_path),))
    name = data_parallel._reserved(3 << 20)
    assert os.stat(name).st_blocks * 512 >= 3 << 20
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        with pytest.raises(OSError, match="use fewer processes"):
            data_parallel._reserved(3 << 20)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert [path.name for path in tmp_path.iterdir()] == [Path(name).name]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: DataParallel(net(), 0), ValueError, "processes must be an integer of at least 1, got 0"),
        (lambda: DataParallel(net(), 2, "lose"), TypeError, "Net has no method 'lose' that returns a loss"),
        (lambda: DataParallel(nn.ReLU(), 2, "forward"), ValueError, "no parameters"),
        (lambda: DataParallel(nn.Sequential(net(), net().to("float64")), 2, "forward"), ValueError, "of one dtype"),
    ],
)
def test_wrong_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_batch_without_equal_rows_is_named(two):
    for wrong in (batch(0), (batch(2)[0], batch(3)[1]), (np.float32(1.0),)):
        with pytest.raises(ValueError, match="one row an example"):
            two.backward(*wrong)


def test_a_model_that_others_cannot_import_is_named():
    class Local(Net):
        pass

    with pytest.raises(TypeError, match="cannot be sent to another process"):
        DataParallel(Local(), 2)
    Local.__module__ = "__main__"
    with pytest.raises(TypeError, match="cannot import Local from a notebook or script"):
        DataParallel(Local(), 2)
