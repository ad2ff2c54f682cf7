"""Shared settings: one BLAS thread where several processes test at once, reproducible hypothesis, `--device` and `--reference`.

Tests are written as if there were the CPU only, and run on the device that pytest was given: what they, and the layers that
they build, make of numbers and host arrays is made there. So a test reads results with ``.numpy()``, never ``.data``, and
operands that are raw arrays are wrapped (``x + ml.Tensor(a)``): an engine on a GPU would refuse them. A test that is about the
CPU's arrays (shared memory), or chooses devices itself, is marked ``@pytest.mark.host`` and left alone; it may use the
fixture `device`.
"""

import os

if os.environ.get("PYTEST_XDIST_WORKER"):
    for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.pop("COLUMNS", None)  # lines are as long as they are, whatever terminal the tests were started in
os.environ["LANGUAGE"] = "C"  # argparse speaks English, and looks for no translation of each of its words

import functools
import gc

import hypothesis
import pytest

hypothesis.settings.register_profile("minilm", derandomize=True, deadline=None, max_examples=50, print_blob=True)
hypothesis.settings.load_profile("minilm")


MOST_PROCESSES = 4  # each collects all tests first


def fsync(descriptor):
    """`os.fsync` without the disk: it refuses what is no open file. What a power cut leaves behind no test can see.

    Tests write some thousand files, each twice flushed to the disk, which may take milliseconds. Those that ask whether files are
    flushed look at the calls; processes that tests start, and kill, flush to the disk.
    """
    os.fstat(descriptor)


os.fsync = fsync


def pytest_addoption(parser):
    parser.addoption(
        "--device", default="cpu", help="device to test on: cpu, pretend (strict stand-in, no GPU needed) or cuda"
    )
    parser.addoption(
        "--composed", action="store_true", help="test with use_fused(False): each fused op as its composition"
    )
    parser.addoption(
        "--reference",
        action="store_true",
        help="test the engine on the plain functions of minilm.backend.reference alone",
    )


def chosen_device(config):
    """The Device that pytest was given."""
    name = config.getoption("--device")
    if name == "pretend":
        from tests.backend import pretend

        return pretend.device()
    from minilm.backend import get_device

    return get_device(name)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """All tests, where none is named, run on the machine's cores; not with -s, --pdb or -n, nor without pytest-xdist."""
    option = config.option
    named = config.args_source is not pytest.Config.ArgsSource.TESTPATHS or hasattr(config, "workerinput")
    as_asked = getattr(option, "numprocesses", 0) is not None or option.capture == "no" or option.usepdb
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not named and not as_asked and cores > 1:
        option.numprocesses, option.dist = min(cores, MOST_PROCESSES), "worksteal"


def pytest_configure(config):
    from minilm.backend import DeviceError

    config.addinivalue_line("markers", "host: chooses its devices itself; not sent to the device under test")
    config.addinivalue_line(
        "markers", "fused: about what a fused op does beyond its composition; not run with --composed"
    )
    config.addinivalue_line(
        "markers", "fast: about what the CPU's version does beyond its specification; not run with --reference"
    )
    if config.getoption("--reference"):
        from minilm.backend import Device, cpu, register_device

        cpu.__class__ = Device  # it loses what `CpuDevice` does in a faster way, wherever it is held
        register_device(cpu)
    try:
        device = chosen_device(config)
    except DeviceError as error:
        raise pytest.UsageError(f"--device: {error}") from None
    # Taken by every test they would cost 0.3 ms each time, over nineteen thousand tests.
    if config.getoption("--composed"):
        config.pluginmanager.register(Composed())
    if config.getoption("--reference"):
        config.pluginmanager.register(Reference())
    if device.name != "cpu":
        config.pluginmanager.register(OnTheDevice())


def pytest_collection_finish(session):
    """What collecting twenty thousand tests has made stays; the cycle collector need not look through it again in each test."""
    gc.collect()
    gc.freeze()


def pytest_report_header(config):
    device = chosen_device(config)
    stand_in = " (a stand-in with CuPy's rules and NumPy's arithmetic)" if device.name == "pretend" else ""
    plain = ", with the plain functions of minilm.backend.reference" if config.getoption("--reference") else ""
    return f"minilm device: {device.name}{stand_in}{plain}"


@pytest.fixture(scope="session")
def device(request):
    """The Device under test."""
    return chosen_device(request.config)


@pytest.fixture(scope="session")
def tensor(device):
    """``minilm.tensor`` on the device under test, for tests marked `host`."""
    import minilm

    return functools.partial(minilm.tensor, device=device)


class Reference:
    """With ``--reference``, what is about the fast version is left out."""

    @pytest.fixture(autouse=True)
    def _reference(self, request):
        if request.node.get_closest_marker("fast"):
            pytest.skip("about the fast version")


class Composed:
    """With ``--composed``, fused ops are off."""

    @pytest.fixture(autouse=True)
    def _composed(self, request):
        import minilm

        if request.node.get_closest_marker("fused"):
            pytest.skip("about the fused op")
        with minilm.use_fused(False):
            yield


class OnTheDevice:
    """Makes the device under test the place of every new Tensor whose place is not stated."""

    @pytest.fixture(autouse=True)
    def _tensors_on_the_device(self, request, device, monkeypatch):
        import minilm

        if request.node.get_closest_marker("host"):
            return
        init, target = minilm.Tensor.__init__, device

        def on_the_device(self, data, requires_grad=False, *, dtype=None, device=None, name=None):
            if device is None and not isinstance(data, minilm.Tensor):
                device = target
            init(self, data, requires_grad, dtype=dtype, device=device, name=name)

        monkeypatch.setattr(minilm.Tensor, "__init__", on_the_device)
