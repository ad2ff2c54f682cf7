"""Whether this machine has a GPU that minilm can use, and if not, what is missing."""

from __future__ import annotations

import ctypes
import functools
import importlib.metadata
import os
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np

from minilm.backend.threads import has_blas, openblas_threads, processors

INSTALL = 'pip install "minilm[gpu]"'
"""CUDA 12: every driver from 525 on, every GPU since Maxwell. ``minilm[gpu13]`` is the same with CUDA 13."""

DEPENDENCIES = ("numpy", "matplotlib", "tqdm")


@functools.cache
def gpu_problem() -> str | None:
    """None where CuPy computes on a GPU of this machine; otherwise what is missing, and what to type.

    Counting devices is not enough: a computation needs NVIDIA's compiler, headers and cuBLAS as well, which come in
    packages of their own. So the last step is a small computation with a known result. The answer is kept;
    ``gpu_problem.cache_clear()`` asks again. It never raises.
    """
    try:
        return _problem()
    except Exception as error:  # a sentence for the user, whatever a strange installation does
        return f"the search for a GPU failed with {_first_line(error)}. Use device='cpu'."


def _problem() -> str | None:
    if page():
        return "a web page has no CUDA. Use device='cpu'."
    try:
        import cupy
    except ModuleNotFoundError as error:
        return _not_installed() if error.name == "cupy" else _broken(error)
    except Exception as error:  # ImportError of a library, or anything that a half-removed package raises
        return _broken(error)
    if not hasattr(cupy, "cuda"):  # an empty folder is a package too
        return _broken(ImportError("the folder 'cupy' is incomplete"))
    driver, built = (_version(v) for v in (cupy.cuda.runtime.driverGetVersion(), cupy.cuda.runtime.runtimeGetVersion()))
    if driver == (0, 0):
        return (
            f"this machine has no NVIDIA driver (CuPy {cupy.__version__} is installed). Install the driver if there is an "
            "NVIDIA GPU, or use device='cpu'."
        )
    if driver[0] < built[0]:
        return _driver_too_old(driver, built)
    if not cupy.cuda.is_available():
        return (
            "the NVIDIA driver reports no GPU. Is CUDA_VISIBLE_DEVICES empty, or was a container started without "
            "--gpus all? Otherwise use device='cpu'."
        )
    return _cannot_compute(cupy, built)


def _not_installed() -> str:
    if sys.platform == "darwin":
        return "there is no CUDA for macOS. Use device='cpu'."
    driver = _version(_driver_without_cupy())
    if driver == (0, 0):
        return (
            "this machine has no NVIDIA driver, and CuPy is not installed. With an NVIDIA GPU, install its driver and then "
            f"type: {INSTALL}. Without one, use device='cpu'."
        )
    if driver[0] < 12:
        return (
            f"CuPy is not installed, and the NVIDIA driver supports CUDA {_dotted(driver)} only: install driver 525 or "
            f"newer, then type: {INSTALL}"
        )
    return f"CuPy is not installed (the NVIDIA driver supports CUDA {_dotted(driver)}). Type: {INSTALL}"


def _broken(error: Exception) -> str:
    installed = sorted(_cupy_packages())
    if len(installed) > 1:
        return (
            f"{' and '.join(installed)} are both installed, in the same folder. "
            f"Type: pip uninstall -y {' '.join(installed)}, and then: {INSTALL}"
        )
    return (
        f"CuPy is installed but cannot be imported: {_first_line(error)}. "
        f"Type: pip uninstall -y {' '.join(installed) or 'cupy'}, and then: {INSTALL}"
    )


def _driver_too_old(driver: tuple[int, int], built: tuple[int, int]) -> str:
    problem = f"the NVIDIA driver supports CUDA {_dotted(driver)}, but this CuPy was built for CUDA {built[0]}. "
    if driver[0] >= 12:
        return f"{problem}Type: pip uninstall -y {' '.join(sorted(_cupy_packages())) or 'cupy'}, and then: {INSTALL}"
    return f"{problem}Install NVIDIA driver {580 if built[0] >= 13 else 525} or newer."


def _cannot_compute(cupy: Any, built: tuple[int, int]) -> str | None:
    """A matrix product (cuBLAS), a kernel (the compiler and its headers), and the way back."""
    try:
        x = cupy.arange(4, dtype="float32").reshape(2, 2)
        total = float((x @ x + 1).sum())
    except Exception as error:
        package = "minilm[gpu13]" if built[0] >= 13 else "minilm[gpu]"
        return (
            f"the GPU is there, but CuPy cannot compute on it: {_first_line(error)}. NVIDIA's libraries are usually what is "
            f'missing. Type: pip install "{package}"'
        )
    if total != 26.0:  # [[0 1] [2 3]] squared is [[2 3] [6 11]]
        return f"the GPU computed {total} where 26.0 is right. Do not use it: use device='cpu'."
    return None


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _version(number: int) -> tuple[int, int]:
    """CUDA's 12090 as (12, 9)."""
    return number // 1000, number % 1000 // 10


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _driver_without_cupy() -> int:
    """The newest CUDA version that the installed driver supports (12090 for 12.9); 0 where there is no driver."""
    version = ctypes.c_int(0)
    try:
        library = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        library.cuDriverGetVersion(ctypes.byref(version))
    except (OSError, AttributeError):
        return 0
    return version.value


def _cupy_packages() -> dict[str, str]:
    """The installed packages that bring the module cupy, with their versions."""
    names = importlib.metadata.packages_distributions().get("cupy", [])
    return {name: importlib.metadata.version(name) for name in set(names)}


# -- for `minilm doctor` ----------------------------------------------------------------------------------------------


def describe() -> list[tuple[str, str]]:
    """What minilm runs on, as rows (name, value): Python, processors, NumPy and its BLAS, packages, CuPy, driver, GPU."""
    problem = gpu_problem()
    usable = "cpu" if problem else "cpu, cuda"
    return [
        *([("where", where)] if (where := page()) else []),
        ("Python", f"{platform.python_version()} ({platform.system()} {platform.machine()})"),
        ("processors", str(processors())),
        ("memory", _gigabytes(memory())),
        *((name, _installed(name)) for name in ("minilm", *DEPENDENCIES)),
        ("BLAS", _blas()),
        ("CPU loops", _loops()),
        *_gpu_rows(),
        ("devices", usable),
        *([("no GPU because", problem)] if problem else []),
    ]


def _loops() -> str:
    """What computes the CPU's hot functions: Numba's loops, or NumPy and why."""
    from minilm.backend import compiled_cpu

    if compiled_cpu.switched_on and compiled_cpu.why_not() is None and compiled_cpu.usable():
        return f"compiled by Numba {_installed('numba')}"
    return f"NumPy ({compiled_cpu.why_not() or 'compiled ones are switched off'})"


def page() -> str | None:
    """Where Python runs, if it is in a web page; None elsewhere."""
    if sys.platform != "emscripten":
        return None
    pyodide = sys.modules.get("pyodide")
    return (
        f"in a web page (Pyodide {getattr(pyodide, '__version__', 'unknown')}, WebAssembly, Python "
        f"{platform.python_version()}, NumPy {np.__version__} {'with' if has_blas() else 'without'} BLAS): one thread, "
        "no processes, integers and addresses of 32 bits. Products of matrices take 10 to 30 times as long as with BLAS, a training "
        "step of a small GPT some 12 times"
    )


def _installed(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def memory() -> int | None:
    """The bytes of memory that this process may use: the machine's, or fewer in a container; None where nobody says."""
    found = [_physical_memory()]
    for limit in (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")):
        try:
            found.append(int(limit.read_text()))
        except (OSError, ValueError):  # not Linux, or "max"
            continue
    return min((size for size in found if size), default=None)


def _physical_memory() -> int | None:
    if sys.platform == "win32":
        status = (ctypes.c_uint64 * 8)(
            64
        )  # MEMORYSTATUSEX: its length and the load share the first 8 bytes; then the total
        if not ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
            return None
        return int(status[1])
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _gigabytes(size: int | None) -> str:
    return "unknown" if size is None else f"{size / 1e9:.1f} GB"


def _blas() -> str:
    """The library of NumPy's matrix products, and how many threads it uses."""
    if not has_blas():
        return "none: NumPy multiplies in a loop of its own"
    config: Any = np.show_config(mode="dicts")  # type: ignore[call-overload, unused-ignore]
    blas = config.get("Build Dependencies", {}).get("blas", {})
    threads = openblas_threads()
    return f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip() + (
        f", {threads} threads" if threads else ""
    )


def _gpu_rows() -> list[tuple[str, str]]:
    packages = ", ".join(f"{name} {version}" for name, version in sorted(_cupy_packages().items()))
    rows = [("CuPy", packages or "not installed")]
    driver = _driver_without_cupy()
    rows.append(("NVIDIA driver", f"supports CUDA {_dotted(_version(driver))}" if driver else "none"))
    if gpu_problem() is None:
        import cupy

        gpu = cupy.cuda.runtime.getDeviceProperties(0)
        free, total = cupy.cuda.runtime.memGetInfo()
        rows.append(("CUDA runtime", _dotted(_version(cupy.cuda.runtime.runtimeGetVersion()))))
        rows.append(("GPU", f"{gpu['name'].decode()}, compute capability {gpu['major']}.{gpu['minor']}, "
                            f"{free / 2**30:.1f} of {total / 2**30:.1f} GiB free"))  # fmt: skip
    return rows
