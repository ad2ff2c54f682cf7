"""A batch on several processes: the gradients of one, nothing left behind, and no failure that hangs."""

import gc
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
from minilm.parallel import DataParallel, WorkerError

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
import time
from minilm.parallel import DataParallel
from tests.test_parallel import net
parallel = DataParallel(net(), 2)
print(parallel._workers[0].process.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_processes_end_with_a_parent_that_was_killed():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True, env=environment)
    child = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    for _ in range(500):
        try:
            state = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":
            return
        time.sleep(0.02)
    pytest.fail("the process lives on")


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
