"""Shared settings: one BLAS thread where several processes test at once, reproducible hypothesis, and `--device`."""

import os

if os.environ.get("PYTEST_XDIST_WORKER"):
    for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import hypothesis
import pytest

hypothesis.settings.register_profile("minilm", derandomize=True, deadline=None, max_examples=50, print_blob=True)
hypothesis.settings.load_profile("minilm")


def pytest_addoption(parser):
    parser.addoption(
        "--device", default="cpu", help="device to test on: cpu, pretend (strict stand-in, no GPU needed) or cuda"
    )


def pytest_report_header(config):
    name = config.getoption("--device")
    return f"minilm device: {name}" + (
        " (a pretend GPU: CuPy's rules, NumPy's arithmetic)" if name == "pretend" else ""
    )


@pytest.fixture(scope="session")
def device(request):
    """The Device under test."""
    name = request.config.getoption("--device")
    if name == "pretend":
        from tests.backend import pretend

        return pretend.device()
    from minilm.backend import get_device

    return get_device(name)
