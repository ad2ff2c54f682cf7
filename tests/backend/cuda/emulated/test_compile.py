"""The kernels compile for GPUs, old and new, where a compiler is: NVRTC, which CuPy uses, or else nvcc. Neither needs a GPU.

``pip install cupy-cuda12x nvidia-cuda-nvrtc-cu12`` is enough.
"""

import functools
import importlib
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from minilm.backend.cuda.row_kernels import C_NAMES, SOURCE

pytestmark = pytest.mark.host

CODE = SOURCE.read_text(encoding="utf-8")
NAMES = re.findall(r'extern "C" __global__ void (\w+)', CODE)


@functools.cache
def nvrtc():
    """CuPy's binding of NVRTC; None where CuPy or the library is missing."""
    try:
        module = importlib.import_module("cupy.cuda.nvrtc")
        module.getVersion()
    except (ImportError, RuntimeError):
        return None
    return module


def compile_by_nvrtc(code, architecture, real):
    """The kernels as PTX, and what the compiler said."""
    program = nvrtc().createProgram(code, "kernels.cu", [], [])
    try:
        nvrtc().compileProgram(program, [f"--gpu-architecture=compute_{architecture}", f"-DREAL={real}"])
        return nvrtc().getPTX(program).decode(), nvrtc().getProgramLog(program)
    except nvrtc().NVRTCError:
        return "", nvrtc().getProgramLog(program)
    finally:
        nvrtc().destroyProgram(program)


def compile_by_nvcc(code, architecture, real):
    """The same, by way of files: ptxas waits for ever on a pipe."""
    with tempfile.TemporaryDirectory() as folder:
        source, ptx = Path(folder, "kernels.cu"), Path(folder, "kernels.ptx")
        source.write_text(code, encoding="utf-8")
        command = ["nvcc", "-ptx", f"-arch=compute_{architecture}", f"-DREAL={real}", str(source), "-o", str(ptx)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        return "" if done.returncode else ptx.read_text(encoding="utf-8"), done.stderr


@pytest.fixture(scope="module")
def compiled():
    """A compiler: ``compiled(code, architecture, real)``."""
    if nvrtc() is not None:
        return compile_by_nvrtc
    if shutil.which("nvcc") is None:
        pytest.skip("neither NVRTC (with CuPy) nor nvcc is installed")
    return compile_by_nvcc


@pytest.mark.slow
@pytest.mark.parametrize("architecture", [75, 80, 90])
@pytest.mark.parametrize("real", C_NAMES.values())
def test_the_kernels_compile(real, architecture, compiled):
    """For Turing, Ampere and Hopper, with a function under the name of each kernel, and without a warning."""
    ptx, log = compiled(CODE, architecture, real)
    assert re.findall(r"\.visible \.entry (\w+)\(", ptx) == NAMES, log
    assert not log.strip("\0\n ")


def test_a_mistake_is_reported(compiled):
    ptx, log = compiled(CODE.replace("real centre", "reel centre"), 90, "float")
    assert not ptx
    assert 'identifier "reel" is undefined' in log
