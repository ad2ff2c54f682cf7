"""A batch on several threads: the whole batch's gradients, the same bits on any number of cores, and what a part may do to the others."""

import functools
import os
import threading
import time
import warnings

import numpy as np
import pytest

import minilm as ml
from minilm import nn
from minilm.backend import threads as backend_threads
from minilm.backend.threads import pool
from minilm.models import GPT, MLP, BertConfig, BertForMaskedLM, GPTConfig, Seq2Seq, Seq2SeqConfig
from minilm.nn import functional as F
from minilm.parallel import DataParallel, choose_threads
from minilm.parallel import threads as parallel_threads
from minilm.parallel.members import Share, shares
from minilm.parallel.serve import share_backward
from minilm.parallel.threads import threads_backward, twin_of
from tests.parallel.nets import assert_equal_gradients, batch, gradients, net

pytestmark = pytest.mark.host  # threads are for the CPU


@pytest.fixture(autouse=True)
def two_threads(monkeypatch):
    """Two threads, whatever the machine has, and whatever else it does."""
    monkeypatch.setattr(pool, "threads", 2)
    monkeypatch.setattr(pool, "_alone_until", 0.0)
    monkeypatch.setattr(backend_threads, "WINDOW", np.inf)


# -- models -----------------------------------------------------------------------------------------------------------


class Classifier(nn.Module):
    """A model with its loss."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def loss(self, x, target):
        return F.cross_entropy(self.inner(ml.Tensor(x, dtype=next(self.parameters()).dtype)), ml.tensor(target))


class Autoencoder(nn.Module):
    """An encoder with padding, and a mean that it takes by hand: over the vectors that are there."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0) for _ in range(2)])

    def loss(self, x, y, padding):
        dtype = next(self.parameters()).dtype
        h, keep = ml.Tensor(x, dtype=dtype), ml.Tensor(~padding[..., None], dtype=dtype)
        for layer in self.layers:
            h = layer(h, key_padding_mask=padding)
        count = keep.sum() * 8
        return (((h - ml.Tensor(y, dtype=dtype)) * keep) ** 2).sum() / count, count


def gpt(rng):
    ids = rng.integers(0, 11, (7, 7))
    config = GPTConfig(vocab_size=11, block_size=6, n_layer=2, n_head=2, n_embd=8, dropout=0.2)
    return GPT(config), (ids[:, :-1], ids[:, 1:])


def mlp(rng):
    return Classifier(MLP([6, 5, 4])), (rng.standard_normal((9, 6)), rng.integers(0, 4, 9))


def cnn(rng):
    layers = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(27, 4))
    return Classifier(layers), (rng.standard_normal((5, 1, 6, 6)), rng.integers(0, 4, 5))


def encoder(rng):
    padding = np.arange(5) >= rng.integers(1, 6, 7)[:, None]
    return Autoencoder(), (rng.standard_normal((7, 5, 8)), rng.standard_normal((7, 5, 8)), padding)


def masked(rng):
    """Unequally many places of a row have a target; the last two rows none."""
    config = BertConfig(13, 8, 2, 2, 16, max_position_embeddings=6)
    targets = np.where(rng.random((7, 6)) < 0.4, rng.integers(0, 13, (7, 6)), -100)
    targets[5:] = -100
    return BertForMaskedLM(config), (rng.integers(0, 13, (7, 6)), targets)


def seq2seq(rng):
    config = Seq2SeqConfig(13, d_model=8, d_kv=4, d_ff=16, num_layers=2, num_heads=2, dropout_rate=0.1)
    targets = rng.integers(2, 13, (7, 5))
    targets[np.arange(5) >= rng.integers(1, 6, 7)[:, None]] = 0
    return Seq2Seq(config), (rng.integers(2, 13, (7, 4)), targets)


MODELS = [gpt, mlp, cnn, encoder, masked, seq2seq]


def made(build, dtype="float64"):
    ml.manual_seed(1)
    model, arrays = build(np.random.default_rng(2))
    return model.to(dtype), arrays


def whole(model, arrays, scale=1.0):
    """The loss of the whole batch, and its gradients."""
    ml.manual_seed(3)
    model.zero_grad()
    loss = model.loss(*arrays)
    loss = (loss[0] if isinstance(loss, tuple) else loss) * scale
    loss.backward()
    return loss.item(), gradients(model)


def parted(model, arrays, threads=2, scale=1.0):
    """The same from parts."""
    ml.manual_seed(3)
    model.zero_grad()
    loss = DataParallel(model, threads=threads).backward(*arrays, scale=scale)
    assert not loss.requires_grad
    return loss.item(), gradients(model)


# -- the gradients ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [2, 3, 20])
@pytest.mark.parametrize("build", MODELS)
def test_loss_and_gradients_are_those_of_the_whole_batch(build, threads):
    """In float64, with dropout, parts of unequal size, and losses that leave targets out."""
    model, arrays = made(build)
    (loss, expected), (found_loss, found) = whole(model, arrays, 0.5), parted(model, arrays, threads, 0.5)
    assert found_loss == pytest.approx(loss, rel=1e-12)
    assert expected.keys() == found.keys()
    for name, g in expected.items():
        np.testing.assert_allclose(found[name], g, rtol=0, atol=1e-12 * max(1.0, np.abs(g).max()), err_msg=name)


@pytest.mark.parametrize(("dtype", "near"), [("float32", 2e-6), ("float16", 1e-2)])
@pytest.mark.parametrize("build", MODELS)
def test_in_smaller_types_they_are_near(build, dtype, near):
    model, arrays = made(build, dtype)
    expected, found = whole(model, arrays)[1], parted(model, arrays)[1]
    for name, g in expected.items():
        assert found[name].dtype == dtype
        np.testing.assert_allclose(found[name], g, atol=near * max(1.0, np.abs(g).max()), err_msg=name)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_bits_do_not_depend_on_the_cores(count):
    model, arrays = made(gpt, "float32")
    expected = parted(model, arrays, 3)
    pool.threads = count
    for _ in range(3):
        loss, found = parted(model, arrays, 3)
        assert loss == expected[0]
        for name, g in expected[1].items():
            np.testing.assert_array_equal(found[name], g, err_msg=name)


def test_beside_a_busy_process_parts_are_computed_one_after_another_with_the_same_bits(monkeypatch):
    """The pool, which had to wait for most of the time, computes them on this thread for a while."""
    model, arrays = made(gpt, "float32")
    expected = parted(model, arrays)
    monkeypatch.setattr(pool, "_alone_until", time.perf_counter() + 60)
    monkeypatch.setattr(backend_threads, "_Helper", None)
    loss, found = parted(model, arrays)
    assert loss == expected[0]
    for name, g in expected[1].items():
        np.testing.assert_array_equal(found[name], g, err_msg=name)


def test_where_there_are_no_threads_parts_are_computed_one_after_another(monkeypatch):
    model, arrays = made(gpt)
    expected = parted(model, arrays)
    monkeypatch.setattr(backend_threads, "can_start_threads", lambda: False)
    monkeypatch.setattr(threading, "Thread", None)
    ml.set_num_threads(2)
    assert pool.threads == 1
    loss, found = parted(model, arrays)
    assert loss == expected[0]
    for name, g in expected[1].items():
        np.testing.assert_array_equal(found[name], g, err_msg=name)


def test_parts_are_computed_at_once():
    """Each waits for the other."""
    both = threading.Barrier(2, timeout=10)

    class Meeting(Classifier):
        def loss(self, x, target):
            both.wait()
            return super().loss(x, target)

    model = Meeting(MLP([6, 5, 4]))
    parted(model, mlp(np.random.default_rng(0))[1])


def test_a_product_inside_a_part_stays_on_its_thread():
    seen = []

    class Inside(Classifier):
        def loss(self, x, target):
            here = threading.current_thread()
            seen.append((backend_threads.openblas_threads(), None))
            pool.run(lambda _: seen.append((1, threading.current_thread() is here)), [(0,), (1,)])
            return super().loss(x, target)

    parted(Inside(MLP([6, 5, 4])), mlp(np.random.default_rng(0))[1])
    assert {inside for _, inside in seen} == {None, True}
    assert {count for count, _ in seen} <= {None, 1}


def test_gradients_accumulate():
    model, (x, y) = made(mlp)
    parallel = DataParallel(model, threads=2)
    parallel.backward(x, y, scale=0.5)
    parallel.backward(x[::-1].copy(), y, scale=0.5)
    found = gradients(model)
    model.zero_grad()
    (model.loss(x, y) * 0.5).backward()
    (model.loss(x[::-1].copy(), y) * 0.5).backward()
    assert_equal_gradients(gradients(model), found)


def test_what_is_frozen_or_unused_gets_no_gradient_and_one_row_is_computed_whole():
    model = net()
    for rows in (5, 1):
        model.zero_grad()
        DataParallel(model, threads=2).backward(*batch(rows))
        found = gradients(model)
        assert found["frozen"] is None
        assert found["unused"] is None
        model.zero_grad()
        model.loss(*batch(rows)).backward()
        assert_equal_gradients(gradients(model), found)


def test_a_gradient_is_the_parameters_own_memory():
    """A rule may hand the same array to two parameters."""

    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Parameter(np.ones(3)), nn.Parameter(np.ones(3))

        def loss(self, x):
            return (self.a + self.b).sum() * float(len(x))

    model = Sum()
    DataParallel(model, threads=2).backward(np.zeros(4))
    assert not np.shares_memory(model.a.grad.data, model.b.grad.data)
    model.a.grad.data[:] = 0.0
    np.testing.assert_array_equal(model.b.grad.numpy(), [2.0, 2.0, 2.0])


def test_a_leaf_that_is_not_the_models_gets_its_gradient():
    scale = ml.tensor(2.0, requires_grad=True, dtype="float64")

    class Scaled(Classifier):
        def loss(self, x, target):
            return super().loss(x, target) * scale

    model, (x, y) = made(mlp)
    model = Scaled(model.inner)
    DataParallel(model, threads=2).backward(x, y)
    assert scale.grad.item() == pytest.approx(Classifier.loss(model, x, y).item())


# -- means over what counts -------------------------------------------------------------------------------------------


class Two(nn.Module):
    """Two means over unequally many targets."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(3, 4), nn.Linear(3, 4)

    def loss(self, x, first, second):
        x = ml.tensor(x)
        return F.cross_entropy(self.a(x), ml.tensor(first)) + F.cross_entropy(self.b(x), ml.tensor(second))


@pytest.mark.parametrize("fused", [True, False])
def test_means_whose_parts_do_not_make_the_whole_are_refused(fused):
    model = Two()
    x, y = np.ones((4, 3), np.float32), np.array([0, 1, 2, 3])
    with ml.use_fused(fused):
        DataParallel(model, threads=2).backward(x, y, y)  # equally many of each part
        before = gradients(model)
        parallel = DataParallel(model, threads=2)
        message = r"Two\.loss takes a mean .* unequally many: 2, 2 in 2 rows, and 2, 1 in 2 rows\..*return \(loss, count\).*threads=1"
        with pytest.raises(ValueError, match=message):
            parallel.backward(x, y, np.array([0, 1, 2, -100]))
    assert_equal_gradients(before, gradients(model))


@pytest.mark.parametrize("fused", [True, False])
def test_classes_with_weights_are_weighed(fused):
    class Weighted(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(3, 4)

        def loss(self, x, target):
            logp = F.log_softmax(self.inner(ml.Tensor(x)), axis=-1)
            return F.nll_loss(logp, ml.tensor(target), ml.tensor([1.0, 2.0, 3.0, 0.5], dtype="float64"))

    model, rng = Weighted().to("float64"), np.random.default_rng(0)
    arrays = rng.standard_normal((5, 3)), np.array([0, 1, 2, 3, 1])
    with ml.use_fused(fused):
        (loss, expected), (found_loss, found) = whole(model, arrays), parted(model, arrays)
    assert found_loss == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(found["inner.weight"], expected["inner.weight"], atol=1e-13)


def test_a_mean_over_nothing_is_nan_with_gradient_zero():
    model, (ids, targets) = made(masked)
    loss, found = parted(model, (ids, np.full_like(targets, -100)))
    assert np.isnan(loss)
    assert all(g is None or not g.any() for g in found.values())


@pytest.mark.parametrize(
    ("returned", "error", "message"),
    [
        (lambda loss: (loss, -1), ValueError, "the count of a pair .* at least 0, got -1.0"),
        (lambda loss: (loss, float("nan")), ValueError, "at least 0, got nan"),
        (lambda loss: (loss, 1, 2), TypeError, "expected a loss, or a pair .loss, count., got 3 of Tensor, int, int"),
        (lambda loss: (1, loss), TypeError, "got 2 of int, Tensor"),
    ],
)
@pytest.mark.parametrize("threads", [1, 2])
def test_what_is_no_pair_of_loss_and_count_is_named(returned, error, message, threads):
    class Odd(Classifier):
        def loss(self, x, target):
            return returned(super().loss(x, target))

    with pytest.raises(error, match=message):
        DataParallel(Odd(MLP([6, 5, 4])), 1, threads=threads).backward(*mlp(np.random.default_rng(0))[1])


# -- random numbers, layers that remember, hooks, observers -----------------------------------------------------------


def test_the_random_numbers_go_on_as_without_threads():
    model, arrays = made(gpt)
    whole(model, arrays)
    expected = ml.random.get_state()
    parted(model, arrays, 3)
    assert ml.random.get_state() == expected


def test_what_parts_draw_from_the_generator_differs_and_repeats():
    drawn = {}

    class Noisy(Classifier):
        def loss(self, x, target):
            drawn[len(x)] = ml.randn(4).numpy()
            return super().loss(x, target)

    model, (x, y) = Noisy(MLP([6, 5, 4])), mlp(np.random.default_rng(0))[1]
    parted(model, (x, y))  # 4 and 5 rows
    first, state = dict(drawn), ml.random.get_state()
    parted(model, (x, y))
    assert sorted(first) == [4, 5]
    assert not np.allclose(first[4], first[5])
    for rows, numbers in first.items():
        np.testing.assert_array_equal(drawn[rows], numbers)
    ml.manual_seed(3)
    np.testing.assert_array_equal(first[4], ml.randn(4).numpy())  # the first part draws what the whole would
    assert ml.random.get_state() == state


def test_all_other_threads_draw_from_one_state():
    ml.manual_seed(3)
    expected = ml.randn(2).numpy()
    ml.manual_seed(3)
    found = []
    other = threading.Thread(target=lambda: found.append(ml.randn(2).numpy()))
    other.start()
    other.join()
    np.testing.assert_array_equal(found[0], expected)


def test_running_statistics_are_those_of_the_first_part_once():
    def normed():
        ml.manual_seed(1)
        return Classifier(nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Linear(5, 4)))

    x, y = mlp(np.random.default_rng(0))[1]
    model, first = normed(), normed()
    for _ in range(3):
        DataParallel(model, threads=2).backward(x, y)
        first.loss(x[:4], y[:4])
    for (name, a), (_, b) in zip(model.named_buffers(), first.named_buffers(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=name)
    assert int(model.inner[1].num_batches_tracked) == 3


def test_a_twin_shares_parameters_and_nothing_that_is_set():
    model = net()
    model.register_buffer("seen", np.zeros(2))
    twin = twin_of(model)
    assert type(twin) is type(model)
    assert twin.inner is twin.tied is not model.inner
    assert list(map(id, twin.parameters())) == list(map(id, model.parameters()))
    twin.seen.data[:] = 1.0
    twin.inner.training = False
    twin.drop.p = 0.5
    assert not model.seen.data.any()
    assert model.inner.training
    assert model.drop.p == 0.0


def test_hooks_of_parameters_see_the_sum_and_those_of_modules_the_parts():
    model, (x, y) = made(mlp)
    expected = whole(model, (x, y))[1]["inner.layers.0.weight"]
    seen, rows = [], []
    weight = model.inner.layers[0].weight
    remove = weight.register_hook(lambda g: seen.append(g.numpy()) or g * 2.0)
    model.inner.register_forward_hook(lambda module, args, output: rows.append(len(output)))
    found = parted(model, (x, y))[1]["inner.layers.0.weight"]
    remove()
    assert len(seen) == 1
    np.testing.assert_allclose(seen[0], expected, atol=1e-13)
    np.testing.assert_allclose(found, 2.0 * expected, atol=1e-13)
    assert sorted(rows) == [4, 5]


def test_an_observer_sees_the_whole_batch():
    model, (x, y) = made(mlp)
    rows = []

    class Rows:
        def forward(self, op, inputs, params, outputs):
            rows.extend([inputs[0].shape] if op.name == "cross_entropy" else [])

    with ml.observe(Rows()):
        DataParallel(model, threads=2).backward(x, y)
    assert rows == [(9, 4)] or not rows  # --composed has no such op
    with ml.detect_anomaly(), pytest.raises(ml.AnomalyError):
        DataParallel(model, threads=2).backward(np.full_like(x, np.nan), y)


def test_under_no_grad_nothing_is_recorded_in_the_parts_either():
    model, (x, y) = made(mlp)
    model.zero_grad()
    with ml.no_grad(), pytest.raises(RuntimeError, match="needs a result that was recorded"):
        DataParallel(model, threads=2).backward(x, y)
    assert all(p.grad is None for p in model.parameters())
    DataParallel(model, threads=2).backward(x, y)
    assert all(p.grad is not None for p in model.parameters())


def test_a_checkpoint_inside_a_part_drops_the_same_again():
    class Saving(Classifier):
        def __init__(self, inner):
            super().__init__(inner)
            self.drop = nn.Dropout(0.5)

        def hidden(self, x):
            return self.drop(self.inner(x))

        def loss(self, x, target):
            return F.cross_entropy(ml.checkpoint(self.hidden, ml.Tensor(x)), ml.tensor(target))

    model, (x, y) = made(mlp)
    model = Saving(model.inner)
    (loss, expected), (found_loss, found) = whole(model, (x, y)), parted(model, (x, y))
    assert found_loss == pytest.approx(loss)
    assert_equal_gradients(expected, found)


# -- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [0, 8])
def test_an_error_comes_out_as_it_is_and_the_next_batch_is_computed(row):
    model = net()
    x, y = batch(9)
    DataParallel(model, threads=2).backward(x, y)
    before = gradients(model)
    wrong = x.copy()
    wrong[row] = 1e7
    parallel = DataParallel(model, threads=2)
    with pytest.raises(OverflowError, match="too large for this model"):
        parallel.backward(wrong, y)
    assert_equal_gradients(before, gradients(model))
    model.zero_grad()
    parallel.backward(x, y)
    assert_equal_gradients(before, gradients(model))


class Failing(nn.Module):
    """Its second part fails; the first one's walk back waits for that, and would then go on for long."""

    def __init__(self, error):
        super().__init__()
        self.weight, self.error = nn.Parameter(np.ones(3)), error
        self.failed, self.visited = threading.Event(), []

    def loss(self, x):
        if x[0]:
            self.failed.set()
            raise self.error
        y = self.weight * 1.0
        y.register_hook(lambda g: self.visited.append("behind"))
        for _ in range(20):
            y = y * 2.0
        y.register_hook(lambda g: self.waited())
        return y.sum()

    def waited(self):
        assert self.failed.wait(10)
        time.sleep(0.01)  # until the error has been seen


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt()])
def test_an_error_ends_the_other_parts(error):
    model = Failing(error)
    with pytest.raises(type(error)):
        DataParallel(model, threads=2).backward(np.array([0, 1]))
    assert model.visited == []
    assert model.weight.grad is None


@pytest.mark.skipif(not hasattr(os, "kill") or os.name != "posix", reason="signals are POSIX's")
def test_ctrl_c_while_another_part_is_computed_waits_for_that_one():
    both = threading.Barrier(2, timeout=10)
    ended = []

    class Interrupted(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(np.ones(3))

        def loss(self, x):
            both.wait()
            if threading.current_thread() is not threading.main_thread():
                time.sleep(0.05)  # the main thread has ended its part, and waits
                os.kill(os.getpid(), 2)
                time.sleep(0.1)
                ended.append(True)
            return self.weight.sum()

    model = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        DataParallel(model, threads=2).backward(np.zeros(2))
    assert ended == [True]
    assert model.weight.grad is None
    both.reset()
    parted(made(gpt)[0], made(gpt)[1])  # the pool works on


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_computes():
    model, arrays = made(gpt)
    expected = parted(model, arrays)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python warns of fork() beside threads
        child = os.fork()
    if child == 0:
        same = False
        try:
            loss, found = parted(model, arrays)
            same = loss == expected[0] and all((found[name] == g).all() for name, g in expected[1].items())
        finally:
            os._exit(0 if same else 1)
    for _ in range(1000):
        finished, status = os.waitpid(child, os.WNOHANG)
        if finished:
            break
        time.sleep(0.01)
    else:
        os.kill(child, 9)
        pytest.fail("the child hangs")
    assert status == 0


def test_two_threads_of_the_user_train_at_once():
    models, found = [made(build) for build in (gpt, mlp)], {}

    def train(i):
        for _ in range(5):
            models[i][0].zero_grad()
            DataParallel(models[i][0], threads=2).backward(*models[i][1])
        found[i] = gradients(models[i][0])

    for model, _ in models:
        model.eval()
    expected = [whole(*pair)[1] for pair in models]
    both = [threading.Thread(target=train, args=(i,)) for i in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    for i in range(2):
        assert_equal_gradients(expected[i], found[i])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: DataParallel(net(), threads=0), ValueError, "threads must be an integer of at least 1, got 0"),
        (lambda: DataParallel(net(), threads=True), ValueError, "threads must be an integer"),
        (lambda: DataParallel(net(), 2, threads=2), ValueError, "2 processes have a core each"),
    ],
)
def test_wrong_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_batch_without_rows_or_with_a_gradient_of_its_own_is_named():
    parallel = DataParallel(net(), threads=2)
    with pytest.raises(ValueError, match="one row an example"):
        parallel.backward(batch(2)[0], batch(3)[1])
    x, y = batch(4)
    with pytest.raises(ValueError, match=r"a \(4, 4\) Tensor of the batch requires a gradient.*detach"):
        parallel.backward(ml.tensor(x, requires_grad=True), y)


def test_beside_other_members_parts_must_have_the_weights_of_their_rows():
    """Rows 2 to 6 of a batch of 14: dropout is that of the whole, and a mean over unequally many is refused."""
    model, (ids, targets) = made(gpt)
    share = shares([np.concatenate([x, x]) for x in (ids, targets)], 3)[1]
    for backward in (share_backward, functools.partial(threads_backward, count=2, alone=False)):
        ml.manual_seed(3)
        model.zero_grad()
        loss = backward(model, "loss", share)
        found = gradients(model)
        if backward is share_backward:
            expected = loss.item(), found
    assert loss.item() == pytest.approx(expected[0])
    for name, g in expected[1].items():
        np.testing.assert_allclose(found[name], g, atol=1e-13, err_msg=name)
    model, arrays = made(masked)
    with pytest.raises(ValueError, match="unequally many"):
        threads_backward(model, "loss", Share(0, list(arrays), 0.5), 2, alone=False)


def test_processes_and_ranks_refuse_a_pair():
    model, arrays = made(encoder)
    with pytest.raises(TypeError, match=r"Autoencoder\.loss returns a pair .*processes and ranks by the rows"):
        share_backward(model, "loss", Share(0, list(arrays), 1.0))


# -- choosing ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on as long as the whole batch and its parts are said to take."""
    now, takes = [0.0], {}

    def spend(count):
        now[0] += takes[count]

    monkeypatch.setattr(parallel_threads.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(parallel_threads, "whole_backward", lambda model, method, batch: spend(1))
    monkeypatch.setattr(parallel_threads, "threads_backward", lambda model, method, share, count: spend(count))
    return takes


@pytest.mark.parametrize(
    ("takes", "cores", "chosen"),
    [
        ({1: 0.040, 2: 0.030}, 2, 2),
        ({1: 0.040, 2: 0.039}, 2, 1),  # no gain to speak of
        ({1: 0.040, 2: 0.080}, 2, 1),
        ({1: 0.040, 2: 0.025, 4: 0.020}, 4, 4),
        ({1: 0.040, 2: 0.020, 4: 0.030, 6: 0.031}, 6, 2),
    ],
)
def test_the_fastest_number_of_threads_is_chosen(clock, takes, cores, chosen):
    clock.update(takes)
    pool.threads = cores
    model, arrays = made(mlp)
    choice = choose_threads(model, *arrays)
    assert choice.threads == chosen
    assert f"{takes[1] * 1e3:.1f} ms on one thread for the whole batch, {takes[2] * 1e3:.1f} ms on 2" in choice.why


def test_nothing_is_measured_where_it_cannot_pay(clock):
    model, (x, y) = made(mlp)
    assert choose_threads(model, x[:1], y[:1]) == (1, "the batch has one row")
    pool.threads = 1
    assert choose_threads(model, x, y) == (1, "minilm has one thread")


def test_choosing_leaves_no_trace(monkeypatch):
    monkeypatch.setattr(parallel_threads, "ROUNDS", 1)
    layers = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Dropout(0.5), nn.Linear(5, 4))
    model, (x, y) = Classifier(layers), mlp(np.random.default_rng(0))[1]
    model.loss(x, y).backward()
    grads, state = [p.grad for p in model.parameters()], ml.random.get_state()
    numbers = gradients(model)
    buffers = [b.numpy() for b in model.buffers()]
    choose_threads(model, x, y)
    assert all(a is b.grad for a, b in zip(grads, model.parameters(), strict=True))
    assert_equal_gradients(numbers, gradients(model))
    assert ml.random.get_state() == state
    for a, b in zip(buffers, model.buffers(), strict=True):
        np.testing.assert_array_equal(a, b.numpy())
