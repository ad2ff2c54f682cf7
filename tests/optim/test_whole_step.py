"""A step is whole or none: Ctrl-C inside it waits, and gradients that do not fit are refused before anything changes."""

import signal

import numpy as np
import pytest

import minilm as ml
from minilm import nn, optim
from minilm.optim import optimizer as optimizer_module
from tests.optim.variants import ONE_EACH, VARIANTS, make_params, numbers, run, set_grads

pytestmark = pytest.mark.host  # it interrupts the CPU's array functions


@pytest.fixture(autouse=True)
def _ctrl_c():
    """Python's own handler of Ctrl-C, also where the tests run in the background of a shell, which has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Interrupting:
    """An array module that sends Ctrl-C before its n-th call, and notes how many calls there were."""

    def __init__(self, xp, n):
        self._xp, self._left, self.calls = xp, n, 0

    def __getattr__(self, name):
        found = getattr(self._xp, name)
        if not callable(found) or isinstance(found, type):
            return found

        def call(*args, **kwargs):
            self.calls += 1
            if self.calls == self._left:
                signal.raise_signal(signal.SIGINT)
            return found(*args, **kwargs)

        return call


def one_step(cls, options, flat, monkeypatch=None, at=0):
    """A second step of an optimizer, interrupted before its call number `at` of the array module, if so."""
    params, rng = make_params("cpu"), np.random.default_rng(5)
    optimizer = cls(params, **options)
    if flat:
        optimizer.flatten()
    run(optimizer, params, rng, 1)
    set_grads(params, rng)
    if not at:
        optimizer.step()
        return params, optimizer, 0
    xp = Interrupting(np, at)
    with monkeypatch.context() as patch:
        patch.setattr(ml.backend.cpu, "xp", xp)
        try:
            optimizer.step()
            interrupted = False
        except KeyboardInterrupt:
            interrupted = True
    assert interrupted == (xp.calls >= at)
    return params, optimizer, xp.calls


@pytest.mark.parametrize("flat", [False, True], ids=["one by one", "flat"])
@pytest.mark.parametrize(("cls", "options"), VARIANTS)
def test_ctrl_c_inside_a_step_waits_for_its_end(cls, options, flat, monkeypatch):
    params, optimizer, _ = one_step(cls, options, flat)
    expected, state = numbers(params), optimizer.state_dict()
    at, calls = 1, 1
    while at <= calls:
        params, optimizer, calls = one_step(cls, options, flat, monkeypatch, at)
        for p, x in zip(params, expected, strict=True):
            np.testing.assert_array_equal(p.numpy(), x)
        assert optimizer.state_dict()["options"] == state["options"]
        for name, array in optimizer.state_dict()["arrays"].items():
            np.testing.assert_array_equal(array, state["arrays"][name])
        at += max(1, calls // 4)  # the first call, the last ones, and some between
    assert at > 1


@pytest.mark.parametrize(("cls", "options"), ONE_EACH)
@pytest.mark.parametrize("flat", [False, True])
def test_a_gradient_that_does_not_fit_is_refused_before_anything_changes(cls, options, flat):
    params, rng = make_params("cpu"), np.random.default_rng(5)
    optimizer = cls(params, **options)
    if flat:
        optimizer.flatten()
    run(optimizer, params, rng, 1)
    set_grads(params, rng)
    before, state = numbers(params), optimizer.state_dict()["options"]["state"]
    params[-1]._grad = ml.Tensor(np.zeros(7, np.float32))  # past the check of an assignment
    with pytest.raises(ValueError, match="the gradient of p2"):
        optimizer.step()
    for p, x in zip(params, before, strict=True):
        np.testing.assert_array_equal(p.numpy(), x)
    assert optimizer.state_dict()["options"]["state"] == state


def test_an_error_of_the_arithmetic_lets_the_signal_through_and_restores_handlers(monkeypatch):
    params = make_params("cpu")
    optimizer = optim.SGD(params, lr=0.1)
    set_grads(params, np.random.default_rng(0))
    update, got = optim.SGD._update, []

    def failing(self, device, p, *rest):
        signal.raise_signal(signal.SIGINT)
        if p.ndim == 1:
            raise MemoryError
        update(self, device, p, *rest)

    monkeypatch.setattr(optim.SGD, "_update", failing)
    before = signal.signal(signal.SIGINT, lambda number, _frame: got.append(number))
    try:
        old = numbers(params)
        with pytest.raises(MemoryError):
            optimizer.step()
        assert got == [signal.SIGINT] * 2
        assert not np.array_equal(params[0].numpy(), old[0])  # as step() says: before the place updated, behind it not
        np.testing.assert_array_equal(params[2].numpy(), old[2])
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_closure_can_be_interrupted():
    p = make_params("cpu")[0]
    before = p.numpy().copy()

    def closure():
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("not reached")

    with pytest.raises(KeyboardInterrupt):
        optim.SGD([p], lr=0.1).step(closure)
    np.testing.assert_array_equal(p.numpy(), before)


def interrupted(monkeypatch, target, name, action):
    """Runs `action` with Ctrl-C sent in its first call of ``target.name``; it must have come, at the end."""
    original, sent = getattr(target, name), []

    def call(*args, **kwargs):
        if not sent:
            sent.append(1)
            signal.raise_signal(signal.SIGINT)
        return original(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(target, name, call)
        with pytest.raises(KeyboardInterrupt):
            action()


@pytest.mark.parametrize(
    "clip", [lambda ps: optim.clip_grad_norm_(ps, 1e-3), lambda ps: optim.clip_grad_value_(ps, 1e-3)]
)
def test_clipping_is_whole_too(clip, monkeypatch):
    expected, params = make_params("cpu"), make_params("cpu")
    for ps in (expected, params):
        set_grads(ps, np.random.default_rng(0))
    clip(expected)
    interrupted(monkeypatch, ml.Tensor, "bump_version", lambda: clip(params))
    for p, q in zip(params, expected, strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), q.grad.numpy())


def test_so_are_loading_and_moving(monkeypatch):
    model, other = nn.Linear(2, 3), nn.Linear(2, 3)
    interrupted(monkeypatch, ml.Tensor, "copy_", lambda: model.load_state_dict(other.state_dict()))
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        np.testing.assert_array_equal(p.numpy(), q.numpy())
    interrupted(monkeypatch, ml.Tensor, "bump_version", lambda: model.to("float64"))
    assert {p.dtype for p in model.parameters()} == {np.dtype("float64")}
    assert optimizer_module.hold_signals is nn.module.hold_signals
