"""A batch on several processes: the gradients of one, and nothing left behind."""

import gc
from pathlib import Path

import numpy as np
import pytest

import minilm as ml
from minilm import nn
from minilm.models import GPT, GPTConfig
from minilm.parallel import DataParallel, WorkerError
from tests.parallel.nets import assert_equal_gradients, batch, gradients, net

pytestmark = pytest.mark.host  # processes are for the CPU


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


def test_dropout_is_that_of_the_whole_batch():
    """The same numbers are dropped, and the random state goes on as without the others: a run may change their number."""
    x, y = batch(5)
    whole = net(p=0.5)
    ml.manual_seed(5)
    whole.loss(x, y).backward()
    state = ml.random.get_state()
    with DataParallel(net(p=0.5), 2) as parallel:
        ml.manual_seed(5)
        parallel.backward(x, y)
        assert_equal_gradients(gradients(whole), gradients(parallel.model))
    assert ml.random.get_state() == state


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


@pytest.mark.fused
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
    first = parallel.members.workers[0].process
    parallel.close()
    assert first.returncode == 0
    loss = parallel.backward(*batch(4))
    np.testing.assert_allclose(loss.item(), net().loss(*batch(4)).item(), rtol=1e-6)
    parallel = DataParallel(net(), 2)
    second = parallel.members.workers[0].process
    del parallel
    gc.collect()
    assert second.returncode == 0


@pytest.mark.parametrize("timeout", [0, -1.0, float("nan")])
def test_a_timeout_is_positive(timeout):
    with pytest.raises(ValueError, match="timeout must be a positive number"):
        DataParallel(net(), 2, timeout=timeout)


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
