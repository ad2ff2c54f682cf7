"""Products by cuBLAS without a GPU: its definition, written on the host's memory, computes what `plan` asks it for."""

import ctypes
import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import minilm as ml
from minilm.backend.cuda import cublas
from minilm.backend.cuda.cublas import LAUNCH_BYTES, Plan, Products, View, contiguous, layout, plan
from tests.backend.cuda.host_cublas import HostCublas

pytestmark = pytest.mark.host


class Cublas(HostCublas):
    """It, and the products that it computes."""

    def __init__(self):
        super().__init__()
        self.products = Products(np, lambda x: x.ctypes.data, self)


@pytest.fixture
def blas():
    return Cublas()


def check(blas, a, b, out=None, alpha=1.0, rtol=1e-5):
    """The product equals NumPy's, and changes nothing else. Returns the launches it took."""
    blas.calls.clear()
    expected = np.matmul(a, b) if alpha == 1.0 else alpha * np.matmul(a, b)
    before = a.copy(), b.copy()
    result = blas.products(a, b, out, alpha)
    assert out is None or result is out
    assert result.dtype == expected.dtype
    np.testing.assert_allclose(result, expected, rtol=rtol, atol=1e-6)
    np.testing.assert_array_equal(a, before[0])
    np.testing.assert_array_equal(b, before[1])
    return len(blas.calls)


RNG = np.random.default_rng(0)


def random(*shape, dtype=np.float32):
    return RNG.integers(-3, 4, shape).astype(dtype)


def planned(a, b, out=None):
    def view(x):
        return None if x is None else View(x.shape, tuple(s // x.itemsize for s in x.strides))

    return plan(view(a), view(b), view(out), a.itemsize)


# -- any views ----------------------------------------------------------------------------------------------------------

SIZES = st.integers(0, 3)


@st.composite
def laid_out(draw, shape, dtype, writable=False):
    """An array of `shape` whose axes lie in memory in any order, with gaps, backwards or repeated."""
    order = draw(st.permutations(range(len(shape))))
    gaps = [draw(st.sampled_from([1, 1, 1, 2])) for _ in shape]
    pads = [draw(st.integers(0, 2)) for _ in shape]
    memory = random(*(shape[i] * gaps[i] + pads[i] for i in order), dtype=dtype)
    slices = tuple(slice(0, shape[i] * gaps[i], gaps[i]) for i in order)
    x = memory[slices].transpose(np.argsort(order))
    if not writable and x.ndim and draw(st.integers(0, 9)) == 0:
        x = np.flip(x, draw(st.integers(0, x.ndim - 1)))
    if not writable and x.ndim and x.size and draw(st.integers(0, 9)) == 0:
        axis = draw(st.integers(0, x.ndim - 1))
        x = np.broadcast_to(x.take([0], axis), x.shape)
    return x


@st.composite
def products(draw):
    """Two arrays that can be multiplied, and None or a place for the result."""
    m, k, n, dtype = draw(SIZES), draw(SIZES), draw(SIZES), draw(st.sampled_from([np.float32, np.float64]))
    batch = [draw(SIZES) for _ in range(draw(st.integers(0, 3)))]

    def operand(*matrix):
        own = [1 if draw(st.booleans()) and draw(st.booleans()) else size for size in batch]
        return draw(laid_out((*own[draw(st.integers(0, len(own))) if draw(st.booleans()) else 0 :], *matrix), dtype))

    a, b = operand(m, k), operand(k, n)
    shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), m, n)
    return a, b, draw(laid_out(shape, dtype, writable=True)) if draw(st.booleans()) else None


@given(products(), st.sampled_from([1.0, -0.5]))
@example((np.ones((0, 2), np.float32), np.ones((2, 3), np.float32), None), 1.0)
@example((np.ones((2, 0), np.float32), np.ones((0, 3), np.float32), np.full((2, 3), np.nan, np.float32)), 1.0)
def test_any_views(case, alpha):
    a, b, out = case
    check(Cublas(), a, b, out, alpha)


@given(products())
def test_whatever_a_launch_costs(case):
    """The choice between copies and launches changes no result."""
    a, b, out = case
    for cost in (1, 10**12):
        cublas.planned.cache_clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cublas, "LAUNCH_BYTES", cost)
            check(Cublas(), a, b, out)
    cublas.planned.cache_clear()


@given(products())
def test_what_lies_around_the_result_is_left_alone(case):
    a, b, out = case
    if out is not None:
        memory = out if out.base is None else out.base
        memory[...] = 7
        Cublas().products(a, b, out)
        out[...] = 7
        assert (memory == 7).all()


@pytest.mark.parametrize("shapes", [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((3,), (2, 3, 4)), ((2, 4, 3), (3,)),
                                    ((0,), (0,)), ((0,), (0, 2)), ((1,), (1, 1))])  # fmt: skip
def test_vectors(blas, shapes):
    a, b = (random(*shape) for shape in shapes)
    check(blas, a, b)
    check(blas, a, b, np.empty(np.matmul(a, b).shape, np.float32), 2.0)


# -- how many launches, and what is copied ------------------------------------------------------------------------------


def heads(B, T, H, D):
    """Queries, keys and values of H heads (B, H, T, D): views of one projection (B, T, 3HD)."""
    parts = np.split(random(B, T, 3 * H * D), 3, axis=-1)
    return [part.reshape(B, T, H, D).swapaxes(1, 2) for part in parts]


def launches(found):
    return len(found.gemm.offsets)


def test_a_batch_times_one_matrix_is_one_flat_product(blas):
    x, w = random(4, 5, 6), random(7, 6)
    assert check(blas, x, w.T) == 1
    (g, *_), *_ = blas.calls
    assert (g.batch, g.n, g.transa) == (1, 20, True)


def test_a_weight_s_gradient_is_one_product_of_transposes(blas):
    x, g = random(20, 6), random(20, 7)
    assert planned(x.T, g) == Plan((6, 7), gemm=planned(x.T, g).gemm)
    assert check(blas, x.T, g) == 1


def test_contiguous_heads_take_one_launch(blas):
    q, k, p = random(2, 3, 5, 4), random(2, 3, 5, 4), random(2, 3, 5, 5)
    for a, b in ((q, k.swapaxes(-1, -2)), (p, q), (p.swapaxes(-1, -2), q)):
        assert check(blas, a, b) == 1
        assert not planned(a, b).copy_a
        assert not planned(a, b).copy_b


def test_one_sequence_s_heads_take_one_launch(blas):
    q, k, v = heads(1, 5, 3, 4)
    assert check(blas, q, k.swapaxes(-1, -2)) == 1
    assert not planned(q, k.swapaxes(-1, -2)).copy_a


def test_a_cache_s_keys_are_not_copied(blas):
    keys, q = random(2, 3, 16, 4)[:, :, :5], random(2, 3, 1, 4)
    found = planned(q, keys.swapaxes(-1, -2))
    assert (found.copy_a, found.copy_b, launches(found)) == (False, False, 1)
    check(blas, q, keys.swapaxes(-1, -2))


RECIPE = (64, 6, 256, 64)  # nanoGPT's GPU recipe: (B, H, T, D)


def projected(B, H, T, D):
    """Where a head of the recipe lies, as a view of (B, T, 3HD) and as one of (B, T, HD)."""
    part = View((B, H, T, D), (T * 3 * H * D, D, 3 * H * D, 1))
    own = View((B, H, T, D), (T * H * D, D, H * D, 1))
    return part, own


def test_large_heads_are_multiplied_where_they_lie():
    """(B, T, 3C) as heads: the batch axes are no single stride apart, so there is a launch for each of the 6 heads."""
    part, own = projected(*RECIPE)
    scores = contiguous((64, 6, 256, 256))
    for a, b, out in [
        (part, part.transposed(), None),  # scores
        (scores, part, own),  # output
        (scores.transposed(), own, own),  # gradient of the values
        (own, part.transposed(), None),  # gradient of the probabilities
        (scores, part, own),  # gradient of the queries
        (scores.transposed(), part, own),  # gradient of the keys
    ]:
        found = plan(a, b, out, 4)
        assert (found.copy_a, found.copy_b, launches(found), found.gemm.batch) == (False, False, 6, 64)


def test_small_heads_are_copied():
    """nanoGPT's CPU recipe: three more launches would take longer than to copy 400 kB twice."""
    part, _ = projected(12, 4, 64, 32)
    found = plan(part, part.transposed(), None, 4)
    assert (found.copy_a, found.copy_b, launches(found)) == (True, True, 1)
    assert 3 * LAUNCH_BYTES > 2 * LAUNCH_BYTES + 4 * 4 * 12 * 64 * 128


def test_a_matrix_without_a_stride_of_one_is_copied_alone(blas):
    a, b = random(4, 5, 6)[..., ::2], random(4, 3, 5)
    assert planned(a, b).copy_a
    assert not planned(a, b).copy_b
    check(blas, a, b)


def test_repeated_operands_are_not_copied(blas):
    x, w = random(1, 3, 4, 5), random(2, 1, 5, 6)
    assert not planned(x, w).copy_a
    assert not planned(x, w).copy_b
    check(blas, x, w)


def test_a_result_in_any_layout(blas):
    a, b = random(2, 3, 5, 4), random(2, 3, 4, 6)
    rows, columns = np.empty((2, 5, 3, 6), np.float32).swapaxes(1, 2), np.empty((2, 3, 6, 5), np.float32).swapaxes(2, 3)
    check(blas, a, b, rows)
    assert check(blas, a, b, columns) == 1
    assert blas.calls[0][0].a_first
    check(blas, a, b, np.empty((2, 3, 5, 12), np.float32)[..., ::2])  # cuBLAS cannot: it is copied there


@pytest.mark.parametrize(("shape", "strides", "found"), [
    ((2, 3), (3, 1), (False, 3)), ((2, 3), (5, 1), (False, 5)), ((2, 3), (1, 2), (True, 2)), ((2, 3), (1, 4), (True, 4)),
    ((2, 3), (2, 1), None), ((2, 3), (6, 2), None), ((2, 3), (0, 1), None), ((2, 3), (-3, 1), None), ((2, 3), (3, -1), None),
    ((1, 3), (99, 1), (False, 3)), ((1, 3), (99, 7), (True, 7)), ((1, 3), (1, 0), None), ((3, 1), (7, 99), (False, 7)),
    ((3, 1), (0, 1), None), ((1, 1), (0, 0), (False, 1)),
])  # fmt: skip
def test_layout(shape, strides, found):
    assert layout(*shape, *strides) == found


# -- types, and TF32 ----------------------------------------------------------------------------------------------------


@pytest.fixture
def tf32():
    yield
    ml.backend.allow_tf32(False)


def test_what_products_are_computed_in(tf32):
    names = ("float32", "float64", "float16", "bfloat16")
    assert [cublas.compute_type(name) for name in names] == [68, 70, 68, 68]
    ml.backend.allow_tf32()
    assert [cublas.compute_type(name) for name in names] == [77, 70, 68, 68]
    with cublas.without_tf32():
        assert cublas.compute_type("float32") == 68
    assert ml.backend.tf32_allowed()
    ml.backend.allow_tf32(False)
    assert cublas.compute_type("float32") == 68


def as_tf32(x):
    """float32 rounded to TF32: 13 of its 23 bits of mantissa are dropped."""
    return ((x.view(np.uint32) + 0x1000) & 0xFFFFE000).view(np.float32)


def test_the_error_of_tf32_is_what_the_docstring_says():
    """The inputs' rounding is the whole of it: each is off by 2^-11 at most, a term of the sum by twice that."""
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(shape).astype(np.float32) for shape in ((64, 384), (384, 64)))
    exact = a.astype(np.float64) @ b
    terms = np.abs(a).astype(np.float64) @ np.abs(b)
    error = np.abs(as_tf32(a) @ as_tf32(b) - exact)
    assert (error <= 2 * 2**-11 * terms + 1e-5).all()
    assert 1e-4 < np.linalg.norm(error) / np.linalg.norm(exact) < 1e-3
    assert np.linalg.norm(a @ b - exact) / np.linalg.norm(exact) < 1e-6


def test_tf32_is_off_at_first_and_is_yes_or_no():
    assert not ml.backend.tf32_allowed()
    with pytest.raises(TypeError, match="True or False, got 1"):
        ml.backend.allow_tf32(1)


def test_gradcheck_computes_without_tf32(tf32):
    seen = []

    def f(x):
        seen.append(cublas.compute_type("float32"))
        return x * x

    ml.backend.allow_tf32()
    x = ml.tensor([1.0, 2.0], dtype="float64", requires_grad=True)
    ml.gradcheck(f, x)
    ml.gradgradcheck(f, x)
    assert set(seen) == {68}
    assert ml.backend.tf32_allowed()


def test_half_precision(blas):
    assert check(blas, random(4, 5, dtype=np.float16), random(5, 6, dtype=np.float16), rtol=1e-3) == 1
    assert blas.calls[0][2] == "float16"


def test_scalars_are_in_the_type_of_the_sums():
    for dtype, size in (("float16", 4), ("bfloat16", 4), ("float32", 4), ("float64", 8)):
        array, address = cublas._scalar(0.5, dtype)
        assert (array.itemsize, array.ctypes.data, float(array)) == (size, address, 0.5)
        assert cublas._scalar(0.5, dtype)[0] is array  # kept alive: only its address is passed on


@pytest.mark.parametrize(
    "dtypes", [(np.int64, np.int64), (np.float32, np.float64), (bool, np.float32), (complex, complex)]
)
def test_other_types_are_left_to_the_array_module(blas, dtypes):
    a, b = random(2, 3, dtype=dtypes[0]), random(3, 4, dtype=dtypes[1])
    assert check(blas, a, b) == 0
    assert check(blas, a, b, np.empty((2, 4), np.result_type(a, b))) == 0


def test_shapes_that_do_not_fit(blas):
    for a, b, out in ((random(2, 3), random(2, 3), None), (random(2, 3), random(3, 4), random(4, 2))):
        with pytest.raises(ValueError, match=r"matmul: shapes \(2, 3\)"):
            blas.products(a, b, out)


# -- CuPy's side of the calls -------------------------------------------------------------------------------------------


class RecordingCupy:
    """What `cupy_products` asks of CuPy and of `cupy_backends`, with NumPy's arrays."""

    class cuda:
        class device:
            @staticmethod
            def get_cublas_handle():
                return 42

        class Device:
            compute_capability = "90"


@pytest.fixture
def binding(monkeypatch):
    """`cupy_products`, with calls of the binding recorded by the names of their arguments."""
    calls = []

    class module:
        @staticmethod
        def gemmEx(*values):
            calls.append(dict(zip(GEMM_EX.split(), values, strict=True)))

        @staticmethod
        def gemmStridedBatchedEx(*values):
            calls.append(dict(zip(GEMM_STRIDED_BATCHED_EX.split(), values, strict=True)))

    libs = type("libs", (), {"cublas": module})
    for name, value in {"cupy_backends": libs, "cupy_backends.cuda": libs, "cupy_backends.cuda.libs": libs}.items():
        monkeypatch.setitem(sys.modules, name, value)
    products = cublas.cupy_products(RecordingCupy)
    products.xp, products.pointer = np, lambda x: x.ctypes.data
    return products, calls


GEMM_EX = "handle transa transb m n k alpha A Atype lda B Btype ldb beta C Ctype ldc computeType algo"
GEMM_STRIDED_BATCHED_EX = (
    "handle transa transb m n k alpha A Atype lda strideA B Btype ldb strideB beta C Ctype ldc strideC batchCount "
    "computeType algo"
)


def test_arguments_of_one_product(binding, tf32):
    products, calls = binding
    a, b, out = random(2, 3), random(5, 3).T, random(2, 5)
    ml.backend.allow_tf32()
    products(a, b, out, alpha=0.5)
    call = calls.pop()
    assert ctypes.c_float.from_address(call.pop("alpha")).value == 0.5
    assert ctypes.c_float.from_address(call.pop("beta")).value == 0.0
    assert call == {"handle": 42, "transa": True, "transb": False, "m": 5, "n": 2, "k": 3, "A": b.ctypes.data, "Atype": 0,
                    "lda": 3, "B": a.ctypes.data, "Btype": 0, "ldb": 3, "C": out.ctypes.data, "Ctype": 0, "ldc": 5,
                    "computeType": 77, "algo": -1}  # fmt: skip


def test_a_gpu_without_tf32_computes_in_float32(binding, tf32, monkeypatch):
    products, calls = binding
    monkeypatch.setattr(RecordingCupy.cuda.Device, "compute_capability", "75")
    ml.backend.allow_tf32()
    products(random(2, 3), random(3, 4))
    assert calls.pop()["computeType"] == 68


def test_arguments_of_a_batch(binding):
    products, calls = binding
    a, b, out = random(4, 2, 3, dtype=np.float64), random(4, 3, 5, dtype=np.float64), random(4, 2, 5, dtype=np.float64)
    products(a, b, out)
    call = calls.pop()
    assert ctypes.c_double.from_address(call.pop("alpha")).value == 1.0
    assert ctypes.c_double.from_address(call.pop("beta")).value == 0.0
    assert call == {"handle": 42, "transa": False, "transb": False, "m": 5, "n": 2, "k": 3, "A": b.ctypes.data, "Atype": 1,
                    "lda": 5, "strideA": 15, "B": a.ctypes.data, "Btype": 1, "ldb": 3, "strideB": 6, "C": out.ctypes.data,
                    "Ctype": 1, "ldc": 5, "strideC": 10, "batchCount": 4, "computeType": 70, "algo": -1}  # fmt: skip


@pytest.mark.parametrize("gone", ["gemmEx", "gemmStridedBatchedEx"])
def test_without_the_calls_there_are_no_products(monkeypatch, gone):
    functions = {name: None for name in ("gemmEx", "gemmStridedBatchedEx") if name != gone}
    libs = type("libs", (), {"cublas": type("cublas", (), functions)})
    for name in ("cupy_backends", "cupy_backends.cuda", "cupy_backends.cuda.libs"):
        monkeypatch.setitem(sys.modules, name, libs)
    assert cublas.cupy_products(RecordingCupy) is None


def test_the_wheel_s_functions_take_these_arguments():
    """Their signatures stand in the compiled module, which cannot be imported without NVIDIA's cuBLAS."""
    found = importlib.util.find_spec("cupy_backends")
    if found is None or found.origin is None:
        pytest.skip("CuPy is not installed")
    (module,) = (Path(found.origin).parent / "cuda" / "libs").glob("cublas.*")
    text = module.read_bytes().decode("latin-1")
    for name, arguments in (("gemmEx", GEMM_EX), ("gemmStridedBatchedEx", GEMM_STRIDED_BATCHED_EX)):
        signature = re.search(rf"\0{name}\(([^)]*)\)", text).group(1)
        assert [part.split()[-1] for part in signature.split(",")] == arguments.split()
