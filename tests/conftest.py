"""Shared settings: one BLAS thread where several processes test at once, reproducible hypothesis, and `--device`.

A test runs on the device that pytest was given when it makes its tensors there: the fixture `tensor` does so::

    def test_sum(tensor):
        x = tensor([[1.0, 2.0]], requires_grad=True)   # ml.tensor(..., device=...)
        ...
        np.testing.assert_allclose(x.grad.numpy(), ...)  # .numpy() is the way back
"""

import os

if os.environ.get("PYTEST_XDIST_WORKER"):
    for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import functools

import hypothesis
import pytest

hypothesis.settings.register_profile("minilm", derandomize=True, deadline=None, max_examples=50, print_blob=True)
hypothesis.settings.load_profile("minilm")


def pytest_addoption(parser):
    parser.addoption(
        "--device", default="cpu", help="device to test on: cpu, pretend (strict stand-in, no GPU needed) or cuda"
    )


def chosen_device(config):
    """The Device that pytest was given."""
    name = config.getoption("--device")
    if name == "pretend":
        from tests.backend import pretend

        return pretend.device()
    from minilm.backend import get_device

    return get_device(name)


def pytest_configure(config):
    from minilm.backend import DeviceError

    try:
        chosen_device(config)
    except DeviceError as error:
        raise pytest.UsageError(f"--device: {error}") from None


def pytest_report_header(config):
    device = chosen_device(config)
    return f"minilm device: {device.name}" + (
        " (a stand-in with CuPy's rules and NumPy's arithmetic)" if device.name == "pretend" else ""
    )


@pytest.fixture(scope="session")
def device(request):
    """The Device under test."""
    return chosen_device(request.config)


@pytest.fixture(scope="session")
def tensor(device):
    """``minilm.tensor`` on the device under test."""
    import minilm

    return functools.partial(minilm.tensor, device=device)


@pytest.fixture(autouse=True)
def _everything_on_the_device(device, monkeypatch):
    """Sends what tests make of host arrays and numbers to the device under test."""
    import minilm.tensor

    if device.name == "cpu":
        return
    init, target = minilm.Tensor.__init__, device

    def on_the_device(self, data, requires_grad=False, *, dtype=None, device=None, name=None):
        if device is None and not isinstance(data, minilm.Tensor):
            device = target
        init(self, data, requires_grad, dtype=dtype, device=device, name=name)

    monkeypatch.setattr(minilm.Tensor, "__init__", on_the_device)
