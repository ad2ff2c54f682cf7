"""CUDA kernels without a GPU: ``RawModule`` with CuPy's call, on NumPy arrays or the stand-in's, through g++ and ``cuda_on_cpu.h``.

A launch is stricter than a GPU's. What it refuses, a GPU would take in silence and compute nonsense, or worse:

- an argument of another type than the kernel declares (a Python int for an ``int``, a float64 array for ``float *``);
- a grid or a block beyond CUDA's limits, or an empty one;
- writing to what is declared const, or up to `GUARD` bytes before or behind an array; reading there gives NaN.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import hashlib
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tests.backend import pretend

HEADER = Path(__file__).with_name("cuda_on_cpu.h")
GUARD = 1 << 14
LARGE = 1 << 26  # bytes from which arrays are used where they are, without guards
KERNEL = re.compile(r'extern "C" __global__ void (\w+)\(([^)]*)\)')
TYPES = {"int64": np.int64, "unsigned": np.uint32, "bool": np.bool_, "float": np.float32, "double": np.float64}


class Parameter(NamedTuple):
    """What a kernel declares."""

    name: str
    type: type
    pointer: bool
    const: bool


def compiler() -> str | None:
    """The path of g++; None where there is none."""
    return shutil.which("g++")


def parameters(declaration: str, real: str) -> list[Parameter]:
    """A kernel's parameters, from their text."""
    found = []
    for text in declaration.split(","):
        const, name, pointer, variable = re.fullmatch(r"\s*(const )?(\w+) (\*?)(\w+)\s*", text).groups()
        found.append(Parameter(variable, TYPES[real if name == "real" else name], bool(pointer), bool(const)))
    return found


@functools.cache
def _folder() -> Path:
    folder = tempfile.mkdtemp(prefix="emulated-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


@functools.cache
def _library(code: str, options: tuple[str, ...]) -> ctypes.CDLL:
    """The text compiled, with a function ``launch_NAME`` for each kernel."""
    entries = "".join(
        f'extern "C" const char *launch_{name}(unsigned *g, unsigned *b, void **a, unsigned first, int backward)'
        f"{{ return emulated::launch({name}, g, b, a, first, backward); }}\n"
        for name, _ in KERNEL.findall(code)
    )
    path = _folder() / hashlib.sha256(repr((code, options)).encode()).hexdigest()[:16]
    path.with_suffix(".cpp").write_text(f'#include "{HEADER}"\n#line 1 "kernels.cu"\n{code}\n{entries}')
    command = [compiler(), "-std=c++14", "-O1", "-ffp-contract=off", "-shared", "-fPIC", "-w", *options]
    done = subprocess.run([*command, path.with_suffix(".cpp"), "-o", path], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"g++ refused the kernels:\n{done.stderr}")
    return ctypes.CDLL(str(path))


class RawModule:
    """As ``cupy.RawModule``: kernels from their text and the compiler's options."""

    def __init__(self, code: str, options: tuple[str, ...] = ()) -> None:
        self.library = _library(code, options)
        real = next(option.removeprefix("-DREAL=") for option in options if option.startswith("-DREAL="))
        self.kernels = {name: parameters(text, real) for name, text in KERNEL.findall(code)}

    def get_function(self, name: str) -> Kernel:
        return Kernel(name, getattr(self.library, f"launch_{name}"), self.kernels[name])


class Kernel:
    """As a function of ``cupy.RawModule``: ``kernel(grid, block, args)``.

    Class attributes: `backward`, the order of threads (``cuda_on_cpu.h``); `only_last`, whether only the last block runs.
    """

    backward = False
    only_last = False

    def __init__(self, name: str, function: Any, declared: list[Parameter]) -> None:
        self.name, self.function, self.declared = name, function, declared
        function.restype = ctypes.c_char_p

    def __call__(self, grid: tuple[int, ...], block: tuple[int, ...], args: tuple[Any, ...]) -> None:
        grid, block = (tuple(int(n) for n in (*axes, 1, 1)[:3]) for axes in (grid, block))
        check_limits(self.name, grid, block)
        if len(args) != len(self.declared):
            raise TypeError(f"{self.name} takes {len(self.declared)} arguments, got {len(args)}")
        plain = [x._a if isinstance(x, pretend.Array) else x for x in args]
        for x, declared in zip(plain, self.declared, strict=True):
            check_argument(self.name, x, declared)
        pretend._total.launches += 1
        memory = Memory([x for x in plain if isinstance(x, np.ndarray)])
        values = [np.uint64(memory.address(x)) if isinstance(x, np.ndarray) else x for x in plain]
        cells = [np.array([v]) for v in values]  # a launch is given the address of each argument
        pointers = (ctypes.c_void_p * len(cells))(*(cell.ctypes.data for cell in cells))
        first = grid[0] - 1 if self.only_last else 0
        failure = self.function(
            (ctypes.c_uint * 3)(*grid), (ctypes.c_uint * 3)(*block), pointers, first, int(self.backward)
        )
        if failure:
            raise RuntimeError(f"{self.name}: {failure.decode()}")
        constant = [
            x for x, d in zip(plain, self.declared, strict=True) if isinstance(x, np.ndarray) and d.const and d.pointer
        ]
        written = [x for x, d in zip(plain, self.declared, strict=True) if isinstance(x, np.ndarray) and not d.const]
        memory.check(self.name, constant, written)
        memory.write_back()


def check_limits(name: str, grid: tuple[int, ...], block: tuple[int, ...]) -> None:
    """Raises what CUDA calls an invalid configuration."""
    limits = (2**31 - 1, 65535, 65535), (1024, 1024, 64)
    for what, axes, most in zip(("grid", "block"), (grid, block), limits, strict=True):
        if any(not 1 <= n <= top for n, top in zip(axes, most, strict=True)):
            raise ValueError(f"{name}: a {what} of {axes}; each axis has at least 1 and at most {most}")
    if block[0] * block[1] * block[2] > 1024:
        raise ValueError(f"{name}: a block of {block} has more than 1,024 threads")


def check_argument(name: str, x: Any, declared: Parameter) -> None:
    """Raises TypeError where CuPy would pass bits that the kernel reads as something else."""
    if declared.pointer and isinstance(x, np.ndarray):
        fits = x.dtype == declared.type
    elif declared.pointer:
        fits = type(x) is np.uint64 and x == 0
    else:
        fits = type(x) is declared.type
    if not fits:
        star = "*" if declared.pointer else ""
        got = f"an array of {x.dtype}" if isinstance(x, np.ndarray) else f"{x!r} ({type(x).__name__})"
        raise TypeError(f"{name}: {declared.name} is {declared.type.__name__}{star}, got {got}")


class Memory:
    """Copies of the memory of some arrays with guards around; arrays that share memory share the copy."""

    def __init__(self, arrays: list[np.ndarray]) -> None:
        self.spans: list[list[int]] = []
        for low, high in sorted(np.lib.array_utils.byte_bounds(x) for x in arrays):
            if self.spans and low < self.spans[-1][1]:
                self.spans[-1][1] = max(high, self.spans[-1][1])
            else:
                self.spans.append([low, high])
        self.spans = [span for span in self.spans if span[1] - span[0] < LARGE]
        self.before = [ctypes.string_at(low, high - low) for low, high in self.spans]
        guard = b"\xff" * GUARD
        self.copies = [np.frombuffer(bytearray(guard + text + guard), np.uint8) for text in self.before]

    def _find(self, x: np.ndarray) -> int | None:
        return next((i for i, (low, high) in enumerate(self.spans) if low <= x.ctypes.data < high), None)

    def address(self, x: np.ndarray) -> int:
        """Where the kernel finds x."""
        i = self._find(x)
        return x.ctypes.data if i is None else self.copies[i].ctypes.data + GUARD + x.ctypes.data - self.spans[i][0]

    def check(self, name: str, constant: list[np.ndarray], written: list[np.ndarray]) -> None:
        """Raises where a guard, or an array that is declared const only, has changed."""
        for copy in self.copies:
            if not (copy[:GUARD] == 0xFF).all() or not (copy[-GUARD:] == 0xFF).all():
                raise RuntimeError(f"{name} wrote outside an array")
        writable = {self._find(x) for x in written}
        for i in {self._find(x) for x in constant} - writable - {None}:
            if self.copies[i][GUARD:-GUARD].tobytes() != self.before[i]:
                raise RuntimeError(f"{name} wrote to a const array")

    def write_back(self) -> None:
        for (low, high), copy in zip(self.spans, self.copies, strict=True):
            ctypes.memmove(low, copy.ctypes.data + GUARD, high - low)
