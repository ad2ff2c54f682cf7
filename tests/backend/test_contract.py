"""The stand-in against CuPy itself, without a GPU: where it refuses, and what it returns, CuPy must do the same.

CuPy's arrays can be built over host memory (`unowned`): shapes, views, conversions and checks of arguments then run for
real, and only what starts a kernel asks for the driver. Such rows need a GPU to be decided, and are decided where there
is one. The whole file needs CuPy (``pip install cupy-cuda12x``, without NVIDIA's libraries, is enough).
"""

import copy
import operator
import warnings
import weakref

import numpy as np
import pytest

from minilm.backend import registry
from minilm.backend.detect import gpu_problem
from minilm.ops import REGISTRY, Op
from tests.backend import cupy_api, pretend

pytestmark = pytest.mark.host
cupy = pytest.importorskip("cupy", reason="CuPy is not installed: the stand-in cannot be compared with it")

CASES = [
    pytest.param(op, sample, id=f"{name}-{i}") for name, op in REGISTRY.items() for i, sample in enumerate(op.samples)
]


def unowned(a):
    """A CuPy array with `a`'s numbers: on a GPU where there is one, else over a copy of `a` in the host's memory."""
    if gpu_problem() is None:
        return cupy.asarray(a)
    a = np.array(a, order="C")
    memory = cupy.cuda.UnownedMemory(a.ctypes.data, max(a.nbytes, 1), a, 0)
    return cupy.ndarray(a.shape, a.dtype, cupy.cuda.MemoryPointer(memory, 0))


def asked_the_driver(error):
    """Whether CuPy got as far as starting work: everything it checks before had passed."""
    return type(error).__name__ == "CUDARuntimeError" or "libcublas" in str(error) or "libnvrtc" in str(error)


class WithoutPriority:
    def __radd__(self, other):
        return "asked"


class WithPriority(WithoutPriority):
    __array_priority__ = 200


class WithoutUfuncs(WithoutPriority):
    __array_ufunc__ = None


def assign(x, index, value):
    x[index] = value


# Each row: what to do with the array module xp, its array x = [0, 1/8, ..., 5/8], the same numbers h on the host, and
# m = x as 2 by 3.
ROWS = {
    "np.asarray(x)": lambda xp, x, h, m: np.asarray(x),
    "np.array(x)": lambda xp, x, h, m: np.array(x),
    "h[:] = x": lambda xp, x, h, m: assign(h, slice(None), x),
    "x[:] = h": lambda xp, x, h, m: assign(x, slice(None), h),
    "x[:2] = [1, 2]": lambda xp, x, h, m: assign(x, slice(2), [1.0, 2.0]),
    "x[0] = 1.0": lambda xp, x, h, m: assign(x, 0, 1.0),
    "x[i] = x": lambda xp, x, h, m: assign(x, x.astype("int32"), x),
    "x + h": lambda xp, x, h, m: x + h,
    "h + x": lambda xp, x, h, m: h + x,
    "x + [1]": lambda xp, x, h, m: x + [1.0],  # noqa: RUF005
    "[1] + x": lambda xp, x, h, m: [1.0] + x,  # noqa: RUF005
    "x + 'a'": lambda xp, x, h, m: x + "a",
    "x + 1.0": lambda xp, x, h, m: x + 1.0,
    "x + np.float32(1)": lambda xp, x, h, m: x + np.float32(1),
    "np.float32(1) + x": lambda xp, x, h, m: np.float32(1) + x,
    "x + 0-d h": lambda xp, x, h, m: x + np.array(1.0),
    "x += h": lambda xp, x, h, m: operator.iadd(x, h),
    "x += float64": lambda xp, x, h, m: operator.iadd(x, x.astype("float64")),
    "x @ h": lambda xp, x, h, m: x @ h,
    "h @ x": lambda xp, x, h, m: h @ x,
    "x @ 1.0": lambda xp, x, h, m: x @ 1.0,
    "m @ m": lambda xp, x, h, m: m @ m,
    "np.exp(x)": lambda xp, x, h, m: np.exp(x),
    "np.sum(x)": lambda xp, x, h, m: np.sum(x),
    "np.reshape(x)": lambda xp, x, h, m: np.reshape(x, (3, 2)),
    "np.vecdot(x, x)": lambda xp, x, h, m: np.vecdot(x, x) if hasattr(np, "vecdot") else None,
    "np.testing": lambda xp, x, h, m: np.testing.assert_allclose(x, h),
    "xp.broadcast_to(h)": lambda xp, x, h, m: xp.broadcast_to(h, (2, 6)),
    "xp.stack([x, h])": lambda xp, x, h, m: xp.stack([x, h]),
    "xp.where(True, x, x)": lambda xp, x, h, m: xp.where(True, x, x),
    "xp.matmul(m, h)": lambda xp, x, h, m: xp.matmul(m, h.reshape(3, 2)),
    "sum(out=h)": lambda xp, x, h, m: xp.sum(x, out=h[:1]),
    "weakref": lambda xp, x, h, m: weakref.ref(x)() is x,
    "x.base": lambda xp, x, h, m: x.base is None,
    "x[1:].base": lambda xp, x, h, m: (x[1:].base is x, x[1:][1:].base is x, x[None].base is x, x[0].base is x),
    "m.T.base": lambda xp, x, h, m: (m.base is x, m.T.base is x, m.mT.base is x, m.swapaxes(0, 1).base is x),
    "split(x).base": lambda xp, x, h, m: [part.base is x for part in xp.split(x, 2)],
    "broadcast_to(x).base": lambda xp, x, h, m: (xp.broadcast_to(x, (2, 6)).base is x, xp.expand_dims(x, 0).base is x),
    "hash(x)": lambda xp, x, h, m: hash(x),
    "range(x[0])": lambda xp, x, h, m: range(x.view("int32")[0]),
    "list[x[0]]": lambda xp, x, h, m: [1, 2][x.view("int32")[0]],
    "len(x)": lambda xp, x, h, m: len(x),
    "len(x[0])": lambda xp, x, h, m: len(x[0]),
    "list(x[0])": lambda xp, x, h, m: list(x[0]),
    "list(x)": lambda xp, x, h, m: len(list(x)),
    "type of x[0]": lambda xp, x, h, m: type(x[0]) is xp.ndarray,
    "x[0].shape": lambda xp, x, h, m: x[0].shape,
    "isinstance np.ndarray": lambda xp, x, h, m: isinstance(x, np.ndarray),
    "memoryview": lambda xp, x, h, m: memoryview(x),
    "item(0)": lambda xp, x, h, m: x.item(0),
    "float(x[0])": lambda xp, x, h, m: float(x[1]),
    "bool(x)": lambda xp, x, h, m: bool(x),
    "repr": lambda xp, x, h, m: repr(x),
    "format": lambda xp, x, h, m: f"{x[1]:.2f}",
    "copy.deepcopy": lambda xp, x, h, m: type(copy.deepcopy(x)) is xp.ndarray,
    "x.attribute = 1": lambda xp, x, h, m: setattr(x, "attribute", 1),
    "x.setflags": lambda xp, x, h, m: x.setflags(write=False),
    "flags.writeable": lambda xp, x, h, m: x.flags.writeable,
    "flags.c_contiguous": lambda xp, x, h, m: (m.flags.c_contiguous, m.T.flags.c_contiguous, m.T.flags.f_contiguous),
    "sum(where=)": lambda xp, x, h, m: xp.sum(x, where=True),
    "sum(initial=)": lambda xp, x, h, m: xp.sum(x, initial=0),
    "x.max(initial=)": lambda xp, x, h, m: x.max(initial=0),
    "var(correction=)": lambda xp, x, h, m: xp.var(x, correction=1),
    "clip(min=)": lambda xp, x, h, m: xp.clip(x, min=0, max=1),
    "sort(stable=)": lambda xp, x, h, m: xp.sort(x, stable=True),
    "take(mode=)": lambda xp, x, h, m: xp.take(x, x, mode="clip"),
    "reshape(shape=)": lambda xp, x, h, m: xp.reshape(x, shape=(3, 2)),
    "zeros(device=)": lambda xp, x, h, m: xp.zeros(3, device="cpu"),
    "sum(axis=5)": lambda xp, x, h, m: x.sum(axis=5),
    "maximum.reduce": lambda xp, x, h, m: xp.maximum.reduce(x),
    "maximum.accumulate": lambda xp, x, h, m: xp.maximum.accumulate(x),
    "multiply.at": lambda xp, x, h, m: xp.multiply.at(x, 0, 1.0),
    "xp.vecdot": lambda xp, x, h, m: xp.vecdot(x, x),
    "xp.insert": lambda xp, x, h, m: xp.insert(x, 0, 1),
    "xp.errstate": lambda xp, x, h, m: xp.errstate,
    "x.astype(object)": lambda xp, x, h, m: x.astype(object),
    "x.astype(same, copy=False)": lambda xp, x, h, m: x.astype("float32", copy=False).shape,
    "repeat(x, x)": lambda xp, x, h, m: xp.repeat(x[:2], x.view("int32")[:2]),
    "fill(h)": lambda xp, x, h, m: x.fill(h),
    "x[99]": lambda xp, x, h, m: x[99],
    "x[0, 0]": lambda xp, x, h, m: x[0, 0],
    "x[..., 0]": lambda xp, x, h, m: x[..., 0].shape,
    "x[None, ::-2]": lambda xp, x, h, m: (x[None, ::-2].shape, x[None, ::-2].strides[1:]),
    "reshape bad": lambda xp, x, h, m: x.reshape(4),
    "reshape": lambda xp, x, h, m: (x.reshape(-1, 2).shape, x.reshape((3, 2)).strides),
    "squeeze bad": lambda xp, x, h, m: m.squeeze(0),
    "transpose bad": lambda xp, x, h, m: m.transpose(0, 0),
    "swapaxes": lambda xp, x, h, m: (m.swapaxes(0, 1).shape, m.T.strides, m.mT.shape),
    "expand_dims": lambda xp, x, h, m: xp.expand_dims(x, 0).shape,
    "flip": lambda xp, x, h, m: xp.flip(m, 0).strides,
    "broadcast_to": lambda xp, x, h, m: (xp.broadcast_to(x, (2, 6)).shape, xp.broadcast_to(x, (2, 6)).strides),
    "broadcast_to bad": lambda xp, x, h, m: xp.broadcast_to(x, (2, 5)),
    "as_strided": lambda xp, x, h, m: xp.lib.stride_tricks.as_strided(x, (2, 2), (4, 4)).strides,
    "split bad": lambda xp, x, h, m: xp.split(x, 4),
    "shape, ndim, size": lambda xp, x, h, m: (xp.shape(m), xp.ndim(m), xp.size(m)),
    "result_type": lambda xp, x, h, m: str(xp.result_type(x, 1.0)),
    "x + without priority": lambda xp, x, h, m: x + WithoutPriority(),
    "x + with priority": lambda xp, x, h, m: x + WithPriority(),
    "x + without ufuncs": lambda xp, x, h, m: x + WithoutUfuncs(),
    "x += without ufuncs": lambda xp, x, h, m: operator.iadd(x, WithoutUfuncs()),
    "add.at": lambda xp, x, h, m: xp.add.at(x, slice(2), 1.0),
    "add(where=)": lambda xp, x, h, m: xp.add(x, x, where=True),
    "allclose": lambda xp, x, h, m: type(xp.allclose(x, x)) is xp.ndarray,
    "array([x[0]])": lambda xp, x, h, m: xp.array([0.0, x[0]]),
}


def outcome(xp, make, row):
    """What a row gives: an exception's class, or what it returned as far as both sides can be compared."""
    h = np.arange(6, dtype=np.float32) / 8
    x = make(h)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy minds that CuPy's __array__ takes no copy=
            result = row(xp, x, h.copy(), x.reshape(2, 3))
    except Exception as error:
        return "driver" if asked_the_driver(error) else type(error).__name__
    return f"an array {result.shape} {result.dtype}" if isinstance(result, xp.ndarray) else repr(result)


def both(name):
    with pretend.lenient():
        return (
            outcome(pretend.xp, pretend.device().from_host, ROWS[name]),
            outcome(cupy, unowned, ROWS[name]),
        )


@pytest.mark.parametrize("name", ROWS)
def test_stand_in_does_what_cupy_does(name):
    ours, theirs = both(name)
    if theirs == "driver":
        pytest.skip("CuPy accepted the arguments and asked for the driver: a GPU decides this row")
    assert ours == theirs


def test_most_rows_are_decided_without_a_gpu():
    assert sum(both(name)[1] != "driver" for name in ROWS) > 60


def test_table_is_that_of_the_wheel():
    if cupy.__version__ != cupy_api.table()["cupy"]:
        pytest.skip(f"CuPy {cupy.__version__} is installed, the table is of {cupy_api.table()['cupy']}")
    found, recorded = cupy_api.read(cupy), cupy_api.table()
    for kind in ("functions", "methods"):
        assert found[kind].items() >= recorded[kind].items()
    for kind in ("ufuncs", "values"):
        assert set(found[kind]) >= set(recorded[kind])


@pytest.fixture
def cuda(monkeypatch):
    """The CUDA device, whether or not it can compute."""
    if gpu_problem() is None:
        return registry.get_device("cuda")
    from minilm.backend.cuda.cupy_device import CupyDevice

    device = CupyDevice()
    monkeypatch.setitem(registry.DEVICES, "cuda", device)
    monkeypatch.setitem(registry.DEVICE_OF_TYPE, cupy.ndarray, device)
    return device


@pytest.mark.parametrize(("op", "sample"), [case for case in CASES if type(case.values[0]).forward is not Op.forward])
def test_cupy_accepts_an_op_as_far_as_its_first_kernel(op, sample, cuda):
    drawn = sample.draw(np.random.default_rng(0), np.float32)
    inputs, params = op.bind(tuple(unowned(x) if isinstance(x, np.ndarray) else x for x in drawn), sample.params)
    try:
        op.forward(cuda, *inputs, **(params if op.check is None else op.check(*inputs, **params)))
    except Exception as error:
        assert asked_the_driver(error), f"{type(error).__name__}: {error}"


def test_cupy_arrays_are_the_cuda_device_s(cuda):
    x = unowned(np.ones(3, np.float32))
    assert registry.device_of(x) is cuda
    assert cuda.owns(x)
    assert not cuda.owns(np.ones(3))
