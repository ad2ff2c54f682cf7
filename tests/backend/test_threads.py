"""Blocks on several threads: every one done once, errors raised, and the same bits as on one thread."""

import importlib
import os
import re
import statistics
import subprocess
import sys
import threading
import time
import types
import warnings
from pathlib import Path

import numpy as np
import pytest

import minilm as ml
from minilm.backend import cpu, threads
from minilm.backend.threads import ThreadPool, blas_threads, pool

CPU = importlib.import_module("minilm.backend.cpu")  # ``minilm.backend.cpu`` is the device

pytestmark = pytest.mark.fast


@pytest.fixture(name="many")
def several_threads(monkeypatch):
    """Three threads, and blocks so small that small arrays have many."""
    monkeypatch.setattr(pool, "threads", 3)
    monkeypatch.setattr(cpu, "block_size", 32, raising=False)
    monkeypatch.setattr(cpu, "thread_size", 64, raising=False)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 100])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_each_block_is_done_once_before_run_returns(count, threads):
    done = []
    ThreadPool(threads).run(lambda i: (time.sleep(0.0005), done.append(i)), [(i,) for i in range(count)])
    assert sorted(done) == list(range(count))


def test_many_runs_in_a_row_neither_lose_nor_repeat_work():
    """Helpers that wake late find the next job, or none."""
    a, totals = ThreadPool(4), np.zeros(7, int)

    def add(i):
        totals[i] += 1

    for _ in range(2000):
        a.run(add, [(i,) for i in range(7)])
    assert totals.tolist() == [2000] * 7


def test_blocks_run_at_the_same_time():
    meeting = threading.Barrier(2, timeout=10)
    ThreadPool(2).run(lambda _: meeting.wait(), [(0,), (1,)])


def test_a_block_may_use_the_pool_itself():
    a, done = ThreadPool(3), []
    a.run(lambda i: a.run(lambda j: done.append((i, j)), [(j,) for j in range(3)]), [(i,) for i in range(3)])
    assert sorted(done) == [(i, j) for i in range(3) for j in range(3)]


@pytest.mark.parametrize("failing", [0, 3, 7])
def test_an_error_in_a_block_is_raised_and_the_pool_goes_on(failing):
    a = ThreadPool(3)

    def work(i):
        if i == failing:
            raise ZeroDivisionError(f"block {i}")

    with pytest.raises(ZeroDivisionError, match=f"block {failing}"):
        a.run(work, [(i,) for i in range(8)])
    done = []
    a.run(done.append, [(i,) for i in range(8)])
    assert sorted(done) == list(range(8))


def test_numpy_error_settings_reach_the_helpers():
    a, zeros = ThreadPool(3), np.zeros(3)
    blocks = [(i,) for i in range(9)]
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        a.run(lambda _: (time.sleep(0.001), np.log(zeros)), blocks)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error")
        a.run(lambda _: (time.sleep(0.001), np.log(zeros)), blocks)


def test_inside_a_block_nothing_is_cut_again():
    a, seen = ThreadPool(2), []
    assert a.is_free()
    assert not ThreadPool(1).is_free()
    a.run(lambda _: seen.append(a.is_free()), [(0,), (1,)])
    assert seen == [False, False]
    assert a.is_free()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_computes():
    a = ThreadPool(2)
    a.run(lambda _: time.sleep(0.001), [(0,), (1,)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python warns of fork() beside threads
        child = os.fork()
    if child == 0:
        x = np.linspace(-3, 3, 200_000, dtype=np.float32)
        y = cpu.gelu(x, "none")
        os._exit(0 if np.isfinite(y).all() else 1)
    for _ in range(2000):
        finished, status = os.waitpid(child, os.WNOHANG)
        if finished:
            break
        time.sleep(0.01)
    else:
        os.kill(child, 9)
        pytest.fail("the child hangs")
    assert status == 0


@pytest.fixture
def two_of_blas():
    """Two threads of BLAS, whatever there were before."""
    before = blas_threads(2)
    if not before:
        pytest.skip("NumPy's products are not OpenBLAS's here")
    yield
    blas_threads(before)


@pytest.mark.usefixtures("two_of_blas")
def test_blas_has_one_thread_inside_a_block_and_its_own_again_after():
    seen = []
    ThreadPool(2).run(lambda _: seen.append(blas_threads(1)), [(0,), (1,)])
    assert seen == [1, 1]
    assert current_blas() == 2


@pytest.mark.usefixtures("two_of_blas")
def test_a_lone_block_keeps_blas_on_one_thread():
    seen = []
    ThreadPool(2).run(lambda: seen.append(current_blas()), [()])
    assert seen == [1]
    assert current_blas() == 2


def current_blas():
    """How many threads a product would use now."""
    now = blas_threads(1)
    blas_threads(now)
    return now


@pytest.fixture
def products(monkeypatch):
    """How many threads of BLAS each of NumPy's products had, in a process with two, but for those that OpenBLAS gives one itself."""
    seen = []
    monkeypatch.setattr(pool, "threads", 2)

    def watched(function):
        def product(a, b, *rest, **options):
            if a.size * b.shape[-1] > 1 << 13:
                seen.append(threads._get_blas_threads())
            return function(a, b, *rest, **options)

        return product

    for name in ("matmul", "dot", "vdot", "inner", "tensordot", "vecdot", "outer"):
        if hasattr(np, name):  # vecdot came with NumPy 2.1
            monkeypatch.setattr(np, name, watched(getattr(np, name)))
    return seen


@pytest.mark.usefixtures("two_of_blas")
@pytest.mark.parametrize("size", [21, 63, 64, 81, 101, 102, 161, 162, 400])
def test_products_leave_the_threads_of_blas_asleep(size, products):
    """Those of 2 ** 18 (64 ** 3) or fewer multiplications too, but that is OpenBLAS's own rule."""
    a = normal(size, size)
    product = cpu.matmul(a, a)
    assert set(products) == {1}
    assert current_blas() == 2
    np.testing.assert_allclose(product, (a.astype(float) @ a), rtol=1e-3, atol=1e-3)


@pytest.mark.usefixtures("two_of_blas")
@pytest.mark.parametrize("kind", ["gpt", "encoder", "cnn", "mlp", "lstm", "rms"])
def test_no_product_of_a_training_step_wakes_the_threads_of_blas(kind, products):
    loss = losses()[kind]
    products.clear()  # the initial weights are no part of the step
    value = loss()
    value.backward()
    ml.optim.clip_grad_norm_(loss.parameters, 1.0)
    assert products
    assert set(products) == {1}


class Loss:
    def __init__(self, model, function):
        self.parameters, self.function = list(model.parameters()), function

    def __call__(self):
        return self.function()


def losses():
    """Small models whose products are large enough to be shared out."""
    nn, F = ml.nn, ml.nn.functional
    ids = np.random.default_rng(0).integers(0, 65, (8, 65))
    gpt = ml.models.GPT(ml.models.GPTConfig(vocab_size=65, block_size=64, n_layer=1, n_head=4, n_embd=128))
    encoder = nn.TransformerEncoderLayer(128, 4, 512, dropout=0.0)
    cnn = nn.Sequential(
        nn.Conv2d(8, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32 * 64, 10)
    )
    mlp, lstm, rms = (
        ml.models.MLP([784, 128, 10]),
        nn.LSTM(64, 128),
        nn.Sequential(nn.Linear(256, 256), nn.RMSNorm(256)),
    )
    x, images, digits, series = (
        ml.Tensor(normal(*s)) for s in ((8, 64, 128), (32, 8, 16, 16), (256, 784), (32, 20, 64))
    )
    labels = ml.tensor(np.arange(256) % 10)
    padding = ml.tensor(np.arange(64) >= np.arange(8)[:, None] * 5 + 20)
    return {
        "gpt": Loss(gpt, lambda: gpt.loss(ids[:, :-1], ids[:, 1:])),
        "encoder": Loss(encoder, lambda: (encoder(x, key_padding_mask=padding) ** 2).mean()),
        "cnn": Loss(cnn, lambda: F.cross_entropy(cnn(images), labels[:32])),
        "mlp": Loss(mlp, lambda: F.cross_entropy(mlp(digits), labels)),
        "lstm": Loss(lstm, lambda: (lstm(series)[0] ** 2).mean()),
        "rms": Loss(rms, lambda: (rms(ml.Tensor(normal(512, 256))) ** 2).mean()),
    }  # fmt: skip


def test_products_are_written_in_one_place():
    """Elsewhere than in the devices a product goes through ``dev.multiply`` or ``dev.matmul``: no other keeps BLAS on one thread."""
    root = Path(ml.__file__).parent
    own = {root / "backend" / name for name in ("reference.py", "cpu.py", "cuda/cublas.py")}
    names = ("gpt_numpy.py", "llama_numpy.py", "plain.py", "storage.py")
    plain = {root / "models" / name for name in names}  # one token at a time: they share out in their own way
    for path in sorted({*root.rglob("*.py")} - own - plain):
        found = re.findall(r"(?:xp|np)\.(?:matmul|dot|vdot|inner|tensordot|vecdot)\(", path.read_text(encoding="utf-8"))
        assert not found, f"{path.name}: {found}"


@pytest.mark.usefixtures("many", "two_of_blas")
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.float16])
@pytest.mark.parametrize(
    ("left", "right"),
    [((40, 8), (8, 30)), ((3, 8), (8, 100)), ((100, 8), (8, 3)), ((1, 8), (8, 1)), ((2, 5, 8), (8, 33)), ((8,), (8, 4)),
     ((4, 8), (8,)), ((0, 8), (8, 4)), ((4, 0), (0, 5)), ((7, 4, 8), (7, 8, 5)),
     ((2, 3, 4, 8), (2, 3, 8, 5)), ((1, 4, 8), (6, 8, 5)), ((17, 16), (16, 17))],
)  # fmt: skip
def test_products_in_parts_are_the_product(left, right, dtype, monkeypatch):
    for name, value in (("LARGE_PRODUCT", 64), ("SMALL_PRODUCT", 8), ("HEAD_START", 50), ("CUT", 4)):
        monkeypatch.setattr(CPU, name, value)
    a, b = normal(*left).astype(dtype), normal(*right, seed=1).astype(dtype)
    for x, y in ((a, b), (a.copy(order="F"), b), (a, b.copy(order="F"))):
        product = cpu.matmul(x, y)
        assert product.dtype == dtype
        np.testing.assert_allclose(
            product, x @ y, rtol=1e-2 if dtype == np.float16 else 1e-5, atol=1e-2 if dtype == np.float16 else 1e-5
        )
    if a.ndim == b.ndim == 2:
        for one, other in zip(cpu.products((a, b), (b.T, a.T), (a, b)), (a @ b, b.T @ a.T, a @ b), strict=True):
            np.testing.assert_allclose(
                one, other, rtol=1e-2 if dtype == np.float16 else 1e-5, atol=1e-2 if dtype == np.float16 else 1e-5
            )
        (alone,) = cpu.products((a, b))
        np.testing.assert_array_equal(alone, cpu.matmul(a, b))


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.usefixtures("two_of_blas")
@pytest.mark.skipif(threads.processors() < 2, reason="one core: nothing to share out")
def test_beside_a_busy_process_a_step_takes_what_it_takes_on_one_thread():
    """The least of several times, by turns; both sides beside the busy process."""
    loss = losses()["gpt"]
    times = {1: [], 2: []}
    before = ml.get_num_threads()
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        try:
            for turn in range(60):
                count = 1 + turn % 2
                ml.set_num_threads(count)
                start = time.perf_counter()
                loss().backward()
                times[count].append(time.perf_counter() - start)
        finally:
            ml.set_num_threads(before)
            busy.kill()
    assert statistics.median(times[2][5:]) < 1.3 * statistics.median(times[1][5:])


@pytest.mark.usefixtures("two_of_blas")
def test_an_error_in_a_small_product_leaves_blas_its_threads():
    with pytest.raises(ValueError, match="mismatch"):
        cpu.matmul(normal(81, 81), normal(80, 81))
    assert current_blas() == 2


def test_a_small_product_does_not_wait_for_a_pool_at_work():
    ran = []
    ThreadPool.run(pool, lambda i: ran.append(pool.on_one(lambda: i)), [(0,), (1,)])
    assert sorted(ran) == [0, 1]


def normal(*shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def everything():
    """What the kernels that are cut in blocks compute, forward and backward."""
    x, g, w = normal(40, 32), normal(40, 32, seed=1), normal(32, seed=2)
    y, saved = cpu.layer_norm(x, w, w, 1e-5)
    results = [y, *saved, *cpu.layer_norm_backward(g, x, w, saved), cpu.dropout_mask((9, 99), 0.4, 7, np.float32)]
    for approximate in ("none", "tanh"):
        y = cpu.gelu(x, approximate)
        results += [y, cpu.gelu_backward(g, x, y, approximate)]
    q, k, v = (normal(6, 2, 5, 4, seed=seed) for seed in (3, 4, 5))
    for mask in (None, normal(6, 1, 5, 5, seed=6), normal(5, 5, seed=7) > 0):
        y, kept = cpu.attention(q, k, v, mask, True, 0.3, 11, 0.5)
        results += [y, kept[0], *cpu.attention_backward(q, q, k, v, y, 0.5, kept)]
    p, m, second = normal(500), np.zeros(500, np.float32), np.zeros(500, np.float32)
    cpu.adamw(p, g.reshape(-1)[:500], m, second, None, step=1, lr=0.1, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.1)
    return [*results, p, m, second]


def test_results_have_the_same_bits_on_any_number_of_threads(many, monkeypatch):
    several = everything()
    monkeypatch.setattr(pool, "threads", 1)
    for a, b in zip(several, everything(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_blocks_give_what_one_block_gives(many, monkeypatch):
    several = everything()
    monkeypatch.undo()
    for a, b in zip(several, everything(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_small_arrays_stay_on_one_thread(monkeypatch):
    monkeypatch.setattr(pool, "run", lambda *_: pytest.fail("handed out"))
    cpu.gelu(normal(200_000), "none")


def test_set_num_threads_says_what_it_expects():
    before = ml.get_num_threads()
    try:
        ml.set_num_threads(1)
        assert ml.get_num_threads() == 1
    finally:
        ml.set_num_threads(before)
    for wrong in (0, -1, 2.0, True, "2"):
        with pytest.raises(ValueError, match="at least 1"):
            ml.set_num_threads(wrong)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({"OMP_NUM_THREADS": "3", "OPENBLAS_NUM_THREADS": "1"}, 3), ({"OPENBLAS_NUM_THREADS": "5"}, 5)],
)
def test_the_environment_sets_the_number_of_threads(environment, expected, monkeypatch):
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    assert threads.available_threads() >= 1
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert threads.available_threads() == expected


def test_threads_of_numpy_s_openblas():
    code = "from minilm.backend.threads import openblas_threads; print(openblas_threads())"
    if threads.openblas_threads() is None:
        pytest.skip("this NumPy brought no OpenBLAS")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})  # fmt: skip
    assert done.stdout.strip() == "1"


def test_a_web_page_has_one_thread(monkeypatch):
    monkeypatch.setattr(sys, "platform", "emscripten")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    before = ml.get_num_threads()
    try:
        assert threads.available_threads() == 1
        ml.set_num_threads(4)
        assert ml.get_num_threads() == 1
    finally:
        monkeypatch.undo()
        ml.set_num_threads(before)


class Clocks:
    """The time that passes, and the part of it in which the thread that hands out work computes."""

    def __init__(self, monkeypatch, share):
        self.now = self.computed = 0.0
        self.share = share
        monkeypatch.setattr(threads, "time", types.SimpleNamespace(perf_counter=lambda: self.now))
        monkeypatch.setattr(threads, "thread_time", lambda: self.computed)

    def work(self, seconds):
        self.now += seconds
        self.computed += seconds * self.share


def test_who_mostly_waits_works_alone_for_a_while(monkeypatch):
    """Each time twice as long; and after one good window, as at first."""
    clocks, alone = Clocks(monkeypatch, 0.4), ThreadPool(2)

    def seconds_alone():
        alone._learn(threads.WINDOW, clocks.share * threads.WINDOW)
        return alone._alone_until - clocks.now

    assert [round(seconds_alone(), 6) for _ in range(3)] == [threads.SHORTEST_REST * 2**k for k in range(3)]
    for _ in range(9):
        longest = seconds_alone()
    assert longest == pytest.approx(threads.LONGEST_REST)
    clocks.share = 0.9
    alone._learn(threads.WINDOW, clocks.share * threads.WINDOW)
    clocks.share = 0.4
    assert seconds_alone() == pytest.approx(threads.SHORTEST_REST)


def test_alone_the_blocks_are_done_by_the_caller_and_then_on_threads_again(monkeypatch):
    clocks, workers = Clocks(monkeypatch, 0.2), ThreadPool(2)
    who, begun = [], threading.Barrier(2)

    def together(_):
        who.append(threading.get_ident())
        begun.wait(20)
        clocks.work(threads.WINDOW / 2)

    workers.run(together, [(0,), (1,)])  # two threads, of which this one waited
    assert len(set(who)) == 2
    who.clear()
    with monkeypatch.context() as patch:
        patch.setattr(threads._Helper, "start", lambda *_: pytest.fail("a helper was woken"))
        workers.run(lambda _: who.append(threading.get_ident()), [(0,), (1,), (2,)])
    assert who == [threading.get_ident()] * 3
    clocks.now += threads.SHORTEST_REST
    who.clear()
    workers.run(together, [(0,), (1,)])
    assert len(set(who)) == 2
