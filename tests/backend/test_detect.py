"""Detection in machines that this one is not: modules and drivers are put in the places where it looks."""

import builtins
import importlib.metadata
import platform
import re
import subprocess
import sys
import types

import numpy as np
import pytest

from minilm.backend import DeviceError, cpu, detect, get_device, registry

pytestmark = pytest.mark.host


class Number(float):
    """What a device's sum() returns."""

    def sum(self):
        return self

    def reshape(self, *_):
        return self

    def __matmul__(self, other):
        return self

    def __add__(self, other):
        return self


def cupy_module(driver=12090, built=12090, devices=1, total=26.0):
    """A module that answers as CuPy does. `total`: what the probe's computation gives; an exception is raised."""

    def arange(*_, **__):
        if isinstance(total, Exception):
            raise total
        return Number(total)

    def get_version(version):
        def get():
            if isinstance(version, Exception):
                raise version
            return version

        return get

    properties = {"name": b"Teaching GPU", "major": 9, "minor": 0}
    runtime = types.SimpleNamespace(
        driverGetVersion=get_version(driver), runtimeGetVersion=get_version(built),
        getDeviceProperties=lambda _: properties, memGetInfo=lambda: (3 * 2**30, 4 * 2**30))  # fmt: skip
    module = types.ModuleType("cupy")
    module.__version__ = "14.2.0"
    module.cuda = types.SimpleNamespace(runtime=runtime, is_available=lambda: devices > 0)
    module.arange, module.ndarray = arange, type("ndarray", (), {"__module__": "cupy"})
    return module


@pytest.fixture
def machine(monkeypatch):
    """``machine(cupy, packages, driver, platform)``: what detection finds from now on."""

    def be(cupy=None, packages=(), driver=0, platform="linux"):
        monkeypatch.setitem(sys.modules, "cupy", cupy)  # None: not installed
        monkeypatch.setattr(detect, "_cupy_packages", lambda: dict.fromkeys(packages, "14.2.0"))
        monkeypatch.setattr(detect, "_driver_without_cupy", lambda: driver)
        monkeypatch.setattr(sys, "platform", platform)
        detect.gpu_problem.cache_clear()

    known = {name: device for name, device in registry.DEVICES.items() if name != "cuda"}
    monkeypatch.setattr(registry, "DEVICES", known)
    yield be
    detect.gpu_problem.cache_clear()


def importing_raises(monkeypatch, error):
    real = builtins.__import__

    def importer(name, *args, **kwargs):
        if name == "cupy":
            raise error
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    monkeypatch.setattr(builtins, "__import__", importer)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({}, "no NVIDIA driver, and CuPy is not installed"),
        ({"platform": "darwin"}, "no CUDA for macOS"),
        ({"driver": 13000}, r'supports CUDA 13\.0\)\. Type: pip install "minilm\[gpu\]"$'),
        ({"driver": 11080}, r'CUDA 11\.8 only: install driver 525 or newer, then type: pip install "minilm\[gpu\]"$'),
        ({"cupy": cupy_module(driver=0)}, r"has no NVIDIA driver \(CuPy 14\.2\.0 is installed\)"),
        ({"cupy": cupy_module(driver=11040)}, r"supports CUDA 11\.4, .* for CUDA 12\. Install NVIDIA driver 525"),
        ({"cupy": cupy_module(driver=12040, built=13020), "packages": ["cupy-cuda13x"]},
         r'CUDA 13\. Type: pip uninstall -y cupy-cuda13x, and then: pip install "minilm\[gpu\]"$'),
        ({"cupy": cupy_module(driver=11040, built=13020)}, "Install NVIDIA driver 580"),
        ({"cupy": cupy_module(devices=0)}, "reports no GPU. Is CUDA_VISIBLE_DEVICES empty"),
        ({"cupy": cupy_module(total=RuntimeError("libnvrtc.so.12 not found\nmore"))},
         r'RuntimeError: libnvrtc\.so\.12 not found\. .* pip install "minilm\[gpu\]"$'),
        ({"cupy": cupy_module(built=13000, driver=13000, total=RuntimeError())}, r'"minilm\[gpu13\]"$'),
        ({"cupy": cupy_module(total=25.0)}, "computed 25.0 where 26.0 is right"),
        ({"cupy": types.ModuleType("cupy"), "packages": ["cupy-cuda12x"]}, "incomplete.*pip uninstall -y cupy-cuda12x"),
        ({"cupy": cupy_module(driver=OSError("odd"))}, "search for a GPU failed with OSError: odd"),
    ],
)  # fmt: skip
def test_problem_says_what_is_missing(machine, found, expected):
    machine(**found)
    problem = detect.gpu_problem()
    assert re.search(expected, problem)
    assert "device='cpu'" in problem or "Type:" in problem or "type:" in problem or "Install" in problem
    assert get_device("auto") is cpu
    with pytest.raises(DeviceError, match=r"device 'cuda' was asked for, but") as raised:
        get_device("cuda")
    assert problem in str(raised.value)


def test_broken_import(machine, monkeypatch):
    machine(packages=["cupy-cuda12x"])
    importing_raises(monkeypatch, ImportError("libcupy.so: cannot open shared object file\nTraceback ..."))
    problem = detect.gpu_problem()
    assert "cannot be imported: ImportError: libcupy.so: cannot open shared object file. Type: pip uninstall" in problem


def test_missing_part(machine, monkeypatch):
    machine(packages=["cupy-cuda12x"])
    importing_raises(monkeypatch, ModuleNotFoundError("No module named 'cuda'", name="cuda.pathfinder"))
    assert "cannot be imported: ModuleNotFoundError: No module named 'cuda'" in detect.gpu_problem()


def test_two_wheels(machine, monkeypatch):
    machine(packages=["cupy-cuda13x", "cupy-cuda12x"])
    importing_raises(monkeypatch, RuntimeError("mixed"))
    assert detect.gpu_problem().startswith("cupy-cuda12x and cupy-cuda13x are both installed")
    assert "pip uninstall -y cupy-cuda12x cupy-cuda13x" in detect.gpu_problem()


def test_working_gpu(machine, monkeypatch):
    machine(cupy_module(), ["cupy-cuda12x"], 12090)
    monkeypatch.delitem(sys.modules, "minilm.backend.cuda.cupy_device", raising=False)
    monkeypatch.setattr(registry, "DEVICE_OF_TYPE", dict(registry.DEVICE_OF_TYPE))
    assert detect.gpu_problem() is None
    device = registry.device_of(sys.modules["cupy"].ndarray())  # a user's array, before minilm was asked for the GPU
    assert device.name == "cuda"
    for name in ("auto", "cuda", "cuda:0"):
        assert get_device(name) is device
    sys.modules.pop("minilm.backend.cuda.cupy_device")


def test_answer_is_kept(machine):
    machine(cupy_module(total=25.0))
    first = detect.gpu_problem()
    sys.modules["cupy"] = cupy_module()
    assert detect.gpu_problem() is first
    detect.gpu_problem.cache_clear()
    assert detect.gpu_problem() is None


def test_advice_names_extras_that_exist():
    try:
        extras = importlib.metadata.metadata("minilm").get_all("Provides-Extra")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("minilm is run from its folder, without being installed")
    assert {"gpu", "gpu13"} <= set(extras)


def test_rows_without_a_gpu(machine):
    machine()
    rows = dict(detect.describe())
    assert rows["CuPy"] == "not installed"
    assert rows["NVIDIA driver"] == "none"
    assert rows["devices"] == "cpu"
    assert rows["no GPU because"] == detect.gpu_problem()
    assert re.match(r"\d+\.\d+", rows["numpy"])
    assert re.match(r"\d+\.\d+\.\d+", rows["Python"])
    assert int(rows["processors"]) >= 1
    assert rows["BLAS"]
    assert all(isinstance(name, str) and isinstance(value, str) and value for name, value in detect.describe())


def test_rows_with_a_gpu(machine):
    machine(cupy_module(), ["cupy-cuda12x"], 12090)
    rows = dict(detect.describe())
    assert rows["CuPy"] == "cupy-cuda12x 14.2.0"
    assert rows["NVIDIA driver"] == "supports CUDA 12.9"
    assert rows["CUDA runtime"] == "12.9"
    assert rows["GPU"] == "Teaching GPU, compute capability 9.0, 3.0 of 4.0 GiB free"
    assert rows["devices"] == "cpu, cuda"
    assert "no GPU because" not in rows


def test_importing_minilm_looks_for_no_gpu():
    code = "import sys, minilm; print('cupy' in sys.modules, 'minilm.backend.detect' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_a_web_page(machine, monkeypatch):
    """What Pyodide is, and what it costs; and no advice to install a driver there."""
    assert "where" not in dict(detect.describe())
    monkeypatch.setattr(sys, "platform", "emscripten")
    monkeypatch.setitem(sys.modules, "pyodide", types.SimpleNamespace(__version__="0.27.7"))
    monkeypatch.setattr(detect, "has_blas", lambda: False)
    detect.gpu_problem.cache_clear()
    rows = dict(detect.describe())
    python, numpy = platform.python_version(), np.__version__
    says = f"in a web page (Pyodide 0.27.7, WebAssembly, Python {python}, NumPy {numpy} without BLAS): one thread"
    assert rows["where"].startswith(says)
    assert rows["processors"] == "1"
    assert rows["BLAS"].startswith("none")
    assert rows["no GPU because"] == "a web page has no CUDA. Use device='cpu'."
