"""Blocks on several threads: every one done once, errors raised, and the same bits as on one thread."""

import os
import threading
import time
import warnings

import numpy as np
import pytest

import minilm as ml
from minilm.backend import cpu, threads
from minilm.backend.threads import ThreadPool, blas_threads, pool


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


def current_blas():
    """How many threads a product would use now."""
    now = blas_threads(1)
    blas_threads(now)
    return now


@pytest.mark.usefixtures("two_of_blas")
@pytest.mark.parametrize(("size", "count"), [(63, 2), (64, 2), (81, 1), (101, 1), (102, 2)])
def test_small_products_leave_the_threads_of_blas_asleep(size, count, monkeypatch):
    """Those of 2 ** 18 (64 ** 3) or fewer multiplications too, but that is OpenBLAS's own rule."""
    seen, a = [], normal(size, size)
    matmul = np.matmul
    monkeypatch.setattr(np, "matmul", lambda *args: (seen.append(current_blas()), matmul(*args))[1])
    product = cpu.matmul(a, a)
    assert (seen, current_blas()) == ([count], 2)
    np.testing.assert_allclose(product, a @ a, rtol=1e-4, atol=1e-4)


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
    cpu.gelu(normal(300_000), "none")


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
