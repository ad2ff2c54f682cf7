"""The compiled loops: as exact as the specification allows, for every array that may come, on any number of threads and processes.

`test_reference.py` holds each function of the CPU against `Reference`, and takes the compiled ones where Numba is installed; here is
what they alone do. Without Numba only the switch and its sentences are tested.
"""

import importlib.util
import os
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

import minilm as ml
from minilm.backend import DeviceError, compiled_cpu, compiled_loops, cpu, detect, is_compiled
from minilm.backend.compiled_cpu import CompiledCpu
from minilm.backend.cpu import CpuDevice
from minilm.backend.threads import pool
from minilm.models.cache import LayerCache, attend
from minilm.nn import functional as F
from tests.backend.test_reference import PLAIN, CompiledInParts

pytestmark = [pytest.mark.host, pytest.mark.fast]

needs_numba = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="Numba is not installed (extra fast)"
)


@pytest.fixture
def loops():
    """The device with compiled loops, whatever the switch says."""
    return CompiledCpu()


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# -- the switch -------------------------------------------------------------------------------------------------------


@needs_numba
def test_the_switch_is_the_devices_class_and_goes_back(rng):
    before, x = is_compiled(), ml.tensor(rng.normal(size=(20, 30)).astype("f"))
    with ml.use_compiled(False):
        assert not is_compiled()
        assert type(cpu) is CpuDevice
        plain = F.gelu(x).numpy()
        with ml.use_compiled(True):
            assert is_compiled()
            np.testing.assert_allclose(F.gelu(x).numpy(), plain, rtol=1e-6, atol=1e-6)
        assert not is_compiled()
    assert is_compiled() == before


def test_without_numba_numpy_computes_and_the_switch_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(compiled_cpu, "_found", None)
    with pytest.raises(
        DeviceError, match=r"use_compiled\(True\): Numba is not installed. Type: pip install 'minilm\[fast\]'"
    ):
        ml.use_compiled(True)
    with ml.use_compiled(False):
        assert (
            dict(detect.describe())["CPU loops"] == "NumPy (Numba is not installed. Type: pip install 'minilm[fast]')"
        )


def test_a_numba_that_refuses_this_numpy_leaves_the_work_to_numpy(monkeypatch, loops, rng):
    for name in [name for name in sys.modules if name.partition(".")[0] == "numba"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "numba", None)
    for name in ("minilm.backend.compiled", "minilm.backend.jit"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(compiled_cpu, "_found", None)
    monkeypatch.setattr(compiled_cpu, "_loops", None)
    monkeypatch.delattr("minilm.backend.compiled", raising=False)
    x = rng.normal(size=(5, 7)).astype("f")
    np.testing.assert_array_equal(loops.gelu(x, "none"), CpuDevice().gelu(x, "none"))
    assert compiled_cpu.why_not().startswith("importing Numba failed with ModuleNotFoundError")


def test_a_web_page_has_no_compiler(monkeypatch):
    monkeypatch.setattr(compiled_cpu, "can_start_threads", lambda: False)
    assert compiled_cpu.why_not() == "a web page has no compiler"


@needs_numba
def test_doctor_says_who_computes():
    with ml.use_compiled(True):
        assert dict(detect.describe())["CPU loops"].startswith("compiled by Numba ")
    with ml.use_compiled(False):
        assert dict(detect.describe())["CPU loops"] == "NumPy (compiled ones are switched off)"


def python(code, **variables):
    """What a fresh process prints: its output, and its errors."""
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], env={**os.environ, **variables}, capture_output=True,
                          text=True, check=True, timeout=300)  # fmt: skip
    return done.stdout.strip(), done.stderr.strip()


@needs_numba
def test_the_environment_switches_off_and_nothing_is_imported_early():
    code = "import sys, minilm; print(minilm.backend.is_compiled(), 'numba' in sys.modules)"
    assert python(code, MINILM_COMPILED="1")[0] == "True False"
    assert python(code, MINILM_COMPILED="0")[0] == "False False"


# -- accuracy ---------------------------------------------------------------------------------------------------------


TINY = float(np.finfo("f").tiny)


def ulps(found, exact, least=TINY):
    """How many units in the last place of float32 the worst number is away; of `least`, where the number is smaller."""
    exact = np.asarray(exact, "d")
    size = np.maximum(np.abs(exact), least)
    return float((np.abs(found.astype("d") - exact) / np.spacing(size.astype("f")).astype("d")).max(initial=0.0))


GRID = np.concatenate([np.linspace(-30, 30, 40_001), np.linspace(-1, 1, 20_001), [0.0, -0.0, 1e-20, -1e-20]]).astype(
    "f"
)


@needs_numba
@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_in_units_in_the_last_place(loops, approximate):
    """Of 1 where it is smaller: as erf, which is 1 but for little there, has no more digits in float32."""
    x = GRID
    y = loops.gelu(x, approximate)
    exact = PLAIN.gelu(x.astype("d"), approximate)
    assert ulps(y, exact, 1.0) <= 3
    ones = np.ones_like(x)
    slope = PLAIN.gelu_backward(ones.astype("d"), x.astype("d"), exact, approximate)
    np.testing.assert_allclose(loops.gelu_backward(ones, x, y, approximate), slope, rtol=3e-6, atol=2e-7)


@needs_numba
@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 64, 65, 1000])
@pytest.mark.parametrize("scale", [1.0, 200.0])
def test_softmax_in_units_in_the_last_place(loops, rng, n, scale):
    x = (rng.normal(size=(50, n)) * scale).astype("f")
    y, exact = loops.softmax(x, 1), PLAIN.softmax(x.astype("d"), 1)
    assert np.abs(y - exact).max() <= 2e-7
    large = exact > 1e-30
    assert ulps(y[large], exact[large]) <= (8 if scale == 1.0 else 24)


@needs_numba
@pytest.mark.parametrize("n", [1, 3, 16, 130, 1000])
def test_norms_to_six_digits(loops, rng, n):
    x, g, w, b = (rng.normal(size=s).astype("f") for s in ((3000, n), (3000, n), (n,), (n,)))
    for name, weights in (
        ("layer_norm", (w, b)),
        ("rms_norm", (w,)),
        ("layer_norm", (None, None)),
        ("rms_norm", (None,)),
    ):
        y, saved = getattr(loops, name)(x, *weights, 1e-5)
        exact, kept = getattr(PLAIN, name)(
            x.astype("d"), *(None if a is None else a.astype("d") for a in weights), 1e-5
        )
        found = [y, *getattr(loops, name + "_backward")(g, x, weights[0], saved)]
        first = None if weights[0] is None else w.astype("d")
        exact = [exact, *getattr(PLAIN, name + "_backward")(g.astype("d"), x.astype("d"), first, kept)]
        for a, e in zip(found, exact, strict=True):
            largest = 1e-5**-0.5 if n == 1 else float(np.abs(e).max())  # by which what cancels was multiplied
            np.testing.assert_allclose(a, e, rtol=2e-5, atol=4e-6 * max(1.0, largest), err_msg=name)


# -- the same on any number of threads --------------------------------------------------------------------------------


@needs_numba
def test_threads_change_no_bit(loops, rng, monkeypatch):
    monkeypatch.setattr(CompiledCpu, "share_size", 64)

    def everything():
        x, g = (rng.normal(size=(40, 6, 37)).astype("f") for _ in range(2))
        w, b = rng.normal(size=(2, 37)).astype("f")
        y, kept = loops.layer_norm(x, w, b, 1e-5)
        z, r = loops.rms_norm(x, w, 1e-5)
        found = [y, *kept, *loops.layer_norm_backward(g, x, w, kept), z, r, *loops.rms_norm_backward(g, x, w, r)]
        p = loops.softmax(x, 2)
        found += [p, loops.softmax_backward(g, p, 2), loops.relu_backward(g, np.maximum(x, 0))]
        for approximate in ("none", "tanh"):
            a = loops.gelu(x, approximate)
            found += [a, loops.gelu_backward(g, x, a, approximate)]
        q, k, v, t = (rng.normal(size=(3, 4, 70, 8)).astype("f") for _ in range(4))
        out, saved = loops.attention(q, k, v, None, True, 0.2, 7, 0.3)
        found += [out, *saved, *loops.attention_backward(t, q, k, v, out, 0.3, saved, True)]
        images, filters = (
            ml.tensor(rng.normal(size=(9, 2, 8, 6)).astype("f"), True),
            ml.tensor(rng.normal(size=(4, 2, 3, 3)).astype("f"), True),
        )
        c = F.max_pool2d(F.conv2d(images, filters, padding=1), 2)
        c.backward(ml.tensor(rng.normal(size=c.shape).astype("f")))
        return [
            *found,
            c.numpy(),
            images.grad.numpy(),
            filters.grad.numpy(),
            loops.dropout_mask((99, 7), 0.3, 5, np.dtype("f")),
        ]

    runs = []
    with ml.use_compiled(True):
        for threads in (1, 2, 5):
            rng = np.random.default_rng(1)
            monkeypatch.setattr(pool, "threads", threads)
            runs.append(everything())
    for run in runs[1:]:
        for a, b in zip(run, runs[0], strict=True):
            np.testing.assert_array_equal(a, b)


def test_parts_are_the_whole_each_once(monkeypatch):
    """Of lengths that the number of parts does not divide."""
    monkeypatch.setattr(pool, "threads", 3)
    device = CompiledInParts()

    def count(seen, start, stop):
        seen[start:stop] += 1

    for length in (1, 7, 10, 23):
        seen = np.zeros(length)
        device.share(count, (seen,), length, 8 * 4)
        np.testing.assert_array_equal(seen, 1)
        flat = np.zeros((length, 9))
        device.share_flat(lambda a: np.add(a, 1, out=a), (flat,), (), 1.0)
        np.testing.assert_array_equal(flat, 1)


def test_sums_of_parts_are_added(rng):
    x = rng.integers(-9, 9, size=(23, 5)).astype("f")

    def add_rows(x, once, twice, start, stop):
        once += x[start:stop].sum(axis=0)
        twice += 2 * x[start:stop].sum(axis=0)

    once, twice = CompiledInParts().summed(add_rows, (x,), 23, 5, 2)
    np.testing.assert_array_equal(once, x.sum(axis=0))
    np.testing.assert_array_equal(twice, 2 * x.sum(axis=0))


@needs_numba
def test_relu_lets_nan_through(loops):
    x = np.tile(np.array([np.nan, -1, -np.inf, 0, 2, np.inf], "f"), 1000)
    np.testing.assert_array_equal(loops.relu(x), PLAIN.relu(x))


@needs_numba
def test_parts_of_a_mask_are_those_of_the_whole(monkeypatch):
    """Nothing else need have used a loop before."""
    monkeypatch.setattr(compiled_cpu, "_found", None)
    monkeypatch.setattr(compiled_cpu, "_loops", None)
    monkeypatch.setattr(CompiledInParts, "block_size", 8)
    for key in (5, 2**63 + 5, (2**32 - 9) << 64):
        found = CompiledInParts().dropout_mask((7, 11), 0.3, key, np.dtype("f"))
        np.testing.assert_array_equal(found, PLAIN.dropout_mask((7, 11), 0.3, key, np.dtype("f")))


# -- arrays that are not for the loops --------------------------------------------------------------------------------

SHAPES = [(0,), (1,), (3, 0), (0, 4), (1, 1), (17,), (5, 33), (2, 3, 65)]
FORMS = {
    "strided": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "reversed": lambda x: x[..., ::-1],
    "Fortran": np.asfortranarray,
    "read-only": lambda x: np.broadcast_to(x, x.shape),
    "half": lambda x: x.astype(np.float16),
    "double": lambda x: x.astype(np.float64),
}


@needs_numba
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_form_of_an_array(loops, rng, form, shape):
    x, g = (FORMS[form](rng.normal(size=shape).astype("f")) for _ in range(2))
    plain = CpuDevice()
    calls = [
        ("gelu", x, "none"),
        ("gelu_backward", g, x, plain.gelu(x, "none"), "none"),
        ("relu_backward", g, x),
        ("softmax", x, x.ndim - 1),
        ("softmax_backward", g, x, x.ndim - 1),
    ]
    calls += [("layer_norm", x, None, None, 1e-5), ("rms_norm", x, None, 1e-5)] if x.shape[-1] else []
    for name, *arguments in calls:
        found, expected = (getattr(device, name)(*arguments) for device in (loops, plain))
        for a, b in zip(*((y if isinstance(y, tuple) else (y,)) for y in (found, expected)), strict=True):
            if isinstance(a, tuple):
                continue
            assert (a.shape, a.dtype) == (b.shape, b.dtype)
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@needs_numba
@pytest.mark.parametrize("queries", [1, 5, 70])
@pytest.mark.parametrize("place", [("k", np.inf), ("k", np.nan), ("v", np.inf), ("v", -np.inf), ("q", np.inf)])
def test_infinite_numbers_behind_the_causal_mask(loops, rng, place, queries):
    """What is masked is multiplied by 0 in the specification: NaN and infinity come through, in a later key, too."""
    arrays = {name: rng.normal(size=(2, 70 if name != "q" else queries, 4)).astype("f") for name in "qkv"}
    arrays[place[0]][0, -1, 1] = place[1]
    with np.errstate(all="ignore"):
        y, saved = loops.attention(*arrays.values(), None, True, 0.0, 0, 0.5)
        exact, kept = PLAIN.attention(*arrays.values(), None, True, 0.0, 0, 0.5)
        g = rng.normal(size=y.shape).astype("f")
        found = [y, saved[0], *loops.attention_backward(g, *arrays.values(), y, 0.5, saved, True)]
        expected = [exact, kept[0], *PLAIN.attention_backward(g, *arrays.values(), exact, 0.5, kept, True)]
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@needs_numba
def test_attention_with_values_wider_than_keys(loops, rng):
    q, k, v = (rng.normal(size=(2, 2, n, width)).astype("f") for n, width in ((5, 3), (9, 3), (9, 7)))
    g = rng.normal(size=(2, 2, 5, 7)).astype("f")
    y, saved = loops.attention(q, k, v, None, False, 0.0, 0, 0.5)
    found = [y, saved[0], *loops.attention_backward(g, q, k, v, y, 0.5, saved)]
    exact, kept = PLAIN.attention(*(a.astype("d") for a in (q, k, v)), None, False, 0.0, 0, 0.5)
    expected = [exact, kept[0], *PLAIN.attention_backward(*(a.astype("d") for a in (g, q, k, v)), exact, 0.5, kept)]
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("compiled", [pytest.param(True, marks=needs_numba), False])
def test_a_query_of_a_cache(rng, compiled):
    """Three heads share each head of keys; the cache has room that is not used."""
    with ml.use_compiled(compiled):
        cache = LayerCache((2, 2, 99, 5), ml.tensor(np.zeros(1, "f")))
        k, v = (rng.normal(size=(2, 2, 7, 5)).astype("f") for _ in range(2))
        q = rng.normal(size=(2, 2, 3, 5)).astype("f")
        cache.append(k, v)
        found = attend(q.copy(), cache, np.array([0.3], "f"), compiled_loops())
    exact, _ = PLAIN.attention(*(a.astype("d") for a in (q, k, v)), None, False, 0.0, 0, float(np.float32(0.3)))
    np.testing.assert_allclose(found, exact.reshape(2, -1), rtol=1e-5, atol=1e-6)


@needs_numba
def test_without_a_product_that_can_be_called_numpy_multiplies(monkeypatch, loops, rng):
    """NumPy's BLAS may be in another file, or have another name."""
    from minilm.backend import compiled

    monkeypatch.setattr(compiled, "sgemm", None)
    monkeypatch.setattr(compiled.attention, "_compiled", None)
    q, k, v = (rng.normal(size=(2, 5, 4)).astype("f") for _ in range(3))
    plain = CpuDevice()
    y, saved = loops.attention(q, k, v, None, True, 0.0, 0, 0.5)
    np.testing.assert_array_equal(y, plain.attention(q, k, v, None, True, 0.0, 0, 0.5)[0])
    for a, b in zip(
        *(each.attention_backward(v, q, k, v, y, 0.5, saved, True) for each in (loops, plain)), strict=True
    ):
        np.testing.assert_array_equal(a, b)


@needs_numba
@pytest.mark.parametrize("kernel", [(3, 3), (1, 1), (2, 5)])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("padding", [0, 2])
def test_convolution_with_stride_1(rng, kernel, groups, dilation, padding):
    x, w, b = rng.normal(size=(3, 4, 11, 12)), rng.normal(size=(6, 4 // groups, *kernel)), rng.normal(size=6)
    results = []
    for dtype, compiled in (("f", True), ("d", False)):
        with ml.use_compiled(compiled):
            inputs = [ml.tensor(a.astype(dtype), requires_grad=True) for a in (x, w, b)]
            y = F.conv2d(*inputs, padding=padding, dilation=dilation, groups=groups)
            y.backward(ml.tensor(np.cos(np.arange(y.size)).reshape(y.shape).astype(dtype)))
            results.append([y.numpy(), *(each.grad.numpy() for each in inputs)])
    for found, exact in zip(*results, strict=True):
        np.testing.assert_allclose(found, exact, rtol=1e-4, atol=1e-5 * np.abs(exact).max())


@needs_numba
def test_a_large_image_is_worked_on_in_bands(rng):
    x, w = rng.normal(size=(1, 3, 120, 150)), rng.normal(size=(4, 3, 3, 3))
    results = []
    for dtype, compiled in (("f", True), ("d", False)):
        with ml.use_compiled(compiled):
            a, b = (ml.tensor(each.astype(dtype), requires_grad=True) for each in (x, w))
            y = F.conv2d(a, b, padding=1)
            y.sum().backward()
            results.append([y.numpy(), a.grad.numpy(), b.grad.numpy()])
    for found, exact in zip(*results, strict=True):
        np.testing.assert_allclose(found, exact, rtol=1e-3, atol=1e-5 * np.abs(exact).max())


@needs_numba
@pytest.mark.parametrize("dtype", ["f", "d"])
def test_pooling_with_nan_infinity_and_ties(rng, dtype):
    x = rng.integers(-2, 3, size=(2, 3, 6, 8)).astype(dtype)
    x[0, 0, 0, 0], x[0, 1, 2, 3], x[1, 0, 0, 1], x[1, 2, 5, 7] = np.nan, np.inf, -np.inf, np.nan
    results = []
    for compiled in (True, False):
        with ml.use_compiled(compiled):
            t = ml.tensor(x, requires_grad=True)
            y = F.max_pool2d(t, 2)
            y.backward(ml.tensor(np.arange(y.size, dtype=dtype).reshape(y.shape)))
            results.append([y.numpy(), t.grad.numpy()])
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


@needs_numba
def test_positions_without_a_row_are_refused_as_by_numpy(loops):
    """A loop would write into other memory."""
    g = np.ones((2, 3), np.float32)
    with pytest.raises(IndexError):
        loops.embedding_grad(g, np.array([0, 9]), 4)
    np.testing.assert_array_equal(
        loops.embedding_grad(g, np.array([0, -1]), 4), PLAIN.embedding_grad(g, np.array([0, -1]), 4)
    )


# -- compiling --------------------------------------------------------------------------------------------------------

STEP = """
    import os, sys, minilm as ml, numpy as np
    from minilm.backend.compiled_cpu import loops
    x = ml.tensor(np.random.default_rng(0).normal(size=(4, 33)).astype("f"), requires_grad=True)
    y = ml.nn.functional.softmax(ml.nn.functional.gelu(x), axis=-1)
    (y * y).sum().backward()
    print(repr(float(x.grad.sum())), loops().softmax._compiled.stats.cache_hits.total() if {hits} else "")
"""


@needs_numba
@pytest.mark.slow
def test_processes_that_compile_at_once_and_the_next_one(tmp_path):
    """Each writes the whole cache; whichever comes last, the next process finds it whole and compiles nothing."""
    variables = {"NUMBA_CACHE_DIR": str(tmp_path), "MINILM_COMPILED": "1"}
    code = textwrap.dedent(STEP.format(hits=False))
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code], env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    answers = {process.communicate(timeout=300)[0].strip() for process in processes}
    assert len(answers) == 1
    answer, errors = python(STEP.format(hits=True), **variables)
    assert answer == f"{answers.pop()} 1"
    assert errors == ""


@needs_numba
@pytest.mark.slow
def test_a_folder_that_cannot_be_written_costs_the_cache_only(tmp_path):
    """Numba has nowhere to keep anything: neither beside the sources, nor in the user's folder."""
    code = STEP.format(hits=False)
    nowhere = "import numba.core.caching as c; c.CacheImpl._locator_classes = []"
    answer, _ = python(textwrap.dedent(code).replace("import os,", nowhere + "\nimport os,"), MINILM_COMPILED="1")
    assert answer == python(code, MINILM_COMPILED="1", NUMBA_CACHE_DIR=str(tmp_path))[0]


@needs_numba
def test_a_wait_is_announced_once(monkeypatch, capsys):
    from minilm.backend import jit

    monkeypatch.setattr(jit, "PATIENCE", 0.0)
    monkeypatch.setattr(jit, "_announced", type(jit._announced)())

    def slow(function, fastmath):
        time.sleep(0.05)
        return type(
            "", (), {"compile": lambda *_: None, "disable_compile": lambda *_: None, "__call__": lambda *_: None}
        )()

    monkeypatch.setattr(jit, "_cached", slow)
    for _ in range(2):
        jit.Kernel(len, "void(f4)", set())(1.0)
    assert capsys.readouterr().err.count("Numba compiles") == 1


@needs_numba
def test_a_kernel_lets_go_of_the_lock():
    from minilm.backend import compiled

    assert compiled.relu_backward._compile().targetoptions["nogil"]


@needs_numba
def test_a_kernel_takes_its_own_types_only(rng):
    from minilm.backend import compiled

    with pytest.raises(TypeError):
        compiled.relu_backward(*(np.zeros(3) for _ in range(3)))
