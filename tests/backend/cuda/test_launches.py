"""What a training step and a generated token ask of a GPU: kernels started, waits, and uploads, counted on the stand-in.

The counts are those of nanoGPT's GPU recipe (6 layers, 6 heads, no biases): they depend on the layers, the heads, and on
products being computed where the heads lie, as large ones are (`minilm.backend.cuda.cublas.plan`). The sizes here are small.
"""

import math

import numpy as np
import pytest

import minilm as ml
from minilm.backend import Device, to_device, to_host
from minilm.backend.cuda import cublas, row_kernels
from minilm.backend.cuda.accelerator import Accelerator
from minilm.models import GPT, GPTConfig
from minilm.models.generation import generate
from minilm.optim import AdamW, clip_grad_norm_
from minilm.training.loop import LOG_EVERY, Training, train
from tests.backend import pretend
from tests.tiny import tiny_run

pytestmark = pytest.mark.host

HEADS, BATCH, LENGTH = 6, 8, 8
ONCE, EACH_LAYER, DROPOUT_ONCE, DROPOUT_EACH_LAYER = 45, 67, 3, 8
"""The most kernels that a training step starts: once, for each layer, and what dropout adds to both. One of `ONCE`, the second
of the embedding's gradient, is started only where ids are many."""


@pytest.fixture(autouse=True)
def _as_at_the_recipe_s_size(monkeypatch):
    """Products copy no operand, and sums over many rows are two launches."""
    monkeypatch.setattr(cublas, "LAUNCH_BYTES", 1)
    monkeypatch.setattr(row_kernels, "_parts", lambda rows, n: min(rows, 2) if rows > 2 else 1)
    cublas.planned.cache_clear()
    yield
    cublas.planned.cache_clear()


def gpt(layers, dropout=0.0):
    ml.manual_seed(0)
    config = GPTConfig(
        vocab_size=11, block_size=LENGTH, n_layer=layers, n_head=HEADS, n_embd=4 * HEADS, dropout=dropout, bias=False
    )
    return GPT(config).to(pretend.device())


def count_step(layers, dropout):
    """What the third training step does, part by part; the first two make what is kept."""
    model = gpt(layers, dropout)
    optimizer = AdamW(model.decay_groups(0.1), lr=1e-3)
    optimizer.flatten()
    ids = np.random.default_rng(0).integers(11, size=(BATCH, LENGTH + 1))
    for _ in range(3):
        parts = {}
        with pretend.count() as total:
            with pretend.count() as parts["forward"]:
                loss = model.loss(ids[:, :-1], ids[:, 1:])
            with pretend.count() as parts["backward"]:
                loss.backward()
            with pretend.count() as parts["clip"]:
                clip_grad_norm_(model.parameters(), 1.0)
            with pretend.count() as parts["optimizer"]:
                optimizer.step()
                optimizer.zero_grad()
    return total, parts


@pytest.mark.parametrize("dropout", [0.0, 0.2])
@pytest.mark.parametrize("layers", [1, 6])
def test_a_training_step(layers, dropout):
    total, parts = count_step(layers, dropout)
    assert (total.syncs, total.uploads) == (0, 2)  # the ids and the targets
    once, each = ONCE + bool(dropout) * DROPOUT_ONCE, EACH_LAYER + bool(dropout) * DROPOUT_EACH_LAYER
    assert total.launches <= once + layers * each, {name: part.launches for name, part in parts.items()}


TOKEN_ONCE, TOKEN_EACH_LAYER = 4, 14
"""The most kernels that one more token starts, with a cache of keys and values."""


@pytest.mark.parametrize("layers", [1, 6])
def test_a_generated_token(layers):
    """One wait, for the logits, and one upload, of the last token."""
    model = gpt(layers)

    def count(tokens):
        with pretend.count() as counts:
            generate(model, [[1, 2]], tokens, seed=0)
        return counts

    before, after = count(4), count(5)
    assert (after.syncs - before.syncs, after.uploads - before.uploads) == (1, 1)
    assert after.launches - before.launches <= TOKEN_ONCE + layers * TOKEN_EACH_LAYER


@pytest.mark.slow
def test_between_two_logged_steps_training_does_not_wait(tmp_path, monkeypatch):
    """`train` reads the loss and the norm of every LOG_EVERYth step; it waits for nothing else but evaluations and checkpoints."""
    steps = 2 * LOG_EVERY
    run, text = tiny_run(tmp_path, "run", steps=steps, eval_every=steps, checkpoint_every=steps)
    pretend.device()
    seen, update = [], Training.update

    def counted(training):
        seen.append(pretend.total().syncs)
        return update(training)

    monkeypatch.setattr(Training, "update", counted)
    train(run, text, device="pretend", progress=False)
    waits = np.diff(seen)
    assert len(seen) == steps
    assert waits[LOG_EVERY - 1] == 2  # the loss, and the gradient's norm
    assert waits.sum() == 2


def test_a_resumed_training_updates_flat_arrays(tmp_path):
    run, text = tiny_run(tmp_path, "run")
    pretend.device()
    Training(run, text, "pretend").save()
    training = Training.resume(run, text, "pretend")
    for _ in range(2):
        training.update()
    for group in training.optimizer.param_groups:
        arrays = [p.data for p in group["params"]] + [training.optimizer.state[p]["exp_avg"] for p in group["params"]]
        assert len({id(array.base) for array in arrays}) == 2
        assert all(array.base is not None for array in arrays)


# -- attention ----------------------------------------------------------------------------------------------------------


def heads(rng, B, T, H, D, parts=3):
    """Views (B, H, T, D) of one projection (B, T, parts H D)."""
    memory = rng.standard_normal((B, T, parts * H * D)).astype(np.float32)
    return memory, [part.reshape(B, T, H, D).swapaxes(1, 2) for part in np.split(memory, parts, axis=-1)]


@pytest.mark.parametrize("dropout_p", [0.0, 0.3])
@pytest.mark.parametrize("masked", [None, bool, float])
@pytest.mark.parametrize("causal", [False, True])
def test_attention_on_views_of_a_projection_is_the_reference(causal, masked, dropout_p):
    """Forward and backward against `Reference`, by cuBLAS's definition on the views' own memory."""
    there, here, rng = pretend.device(), Device("plain", np, np.ndarray), np.random.default_rng(0)
    B, T, H, D = 3, 5, 2, 4
    memory, (q, k, v) = heads(rng, B, T, H, D)
    _, (g,) = heads(rng, B, T, H, D, parts=1)
    mask = (
        None
        if masked is None
        else rng.random((B, 1, T, T)) < 0.7
        if masked is bool
        else rng.standard_normal((H, T, T), np.float32)
    )
    q_, k_, v_ = (
        part.reshape(B, T, H, D).swapaxes(1, 2) for part in pretend.xp.split(to_device(memory, there), 3, axis=-1)
    )
    on_device = None if mask is None else to_device(mask, there)
    y, saved = here.attention(q, k, v, mask, causal, dropout_p, 7, 0.5)
    y_, saved_ = there.attention(q_, k_, v_, on_device, causal, dropout_p, 7, 0.5)
    np.testing.assert_allclose(to_host(y_), y, rtol=1e-5, atol=1e-6)
    assert y_.swapaxes(1, 2).flags.c_contiguous  # joining the heads is no copy
    theirs = there.attention_backward(to_device(g, there), q_, k_, v_, y_, 0.5, saved_)
    for their, ours in zip(theirs, here.attention_backward(g, q, k, v, y, 0.5, saved), strict=True):
        np.testing.assert_allclose(to_host(their), ours, rtol=1e-5, atol=1e-6)
    for gradient in theirs[:3]:
        assert gradient.swapaxes(1, 2).flags.c_contiguous


def test_attention_copies_no_operand():
    """Two products forward and four backward, each as many launches as there are heads, and one pass over the scores each."""
    there, rng = pretend.device(), np.random.default_rng(0)
    B, T, H, D = 4, 5, 3, 2
    memory = to_device(heads(rng, B, T, H, D)[0], there)
    g = to_device(rng.standard_normal((B, T, H, D)).astype(np.float32), there).swapaxes(1, 2)
    q, k, v = (part.reshape(B, T, H, D).swapaxes(1, 2) for part in pretend.xp.split(memory, 3, axis=-1))
    with pretend.count() as forward:
        y, saved = there.attention(q, k, v, None, True, 0.0, 0, 1.0 / math.sqrt(D))
    with pretend.count() as backward:
        there.attention_backward(g, q, k, v, y, 1.0 / math.sqrt(D), saved)
    assert forward == pretend.Counts(launches=2 * H + 1)
    assert backward == pretend.Counts(launches=4 * H + 1)


def test_without_cublas_a_product_is_the_array_module_s():
    there, rng = pretend.device(), np.random.default_rng(0)
    a, b = (rng.standard_normal(shape).astype(np.float32) for shape in ((4, 2, 3), (3, 5)))
    out = pretend.xp.empty((2, 4, 5), "float32").swapaxes(0, 1)
    x, y = to_device(a, there), to_device(b, there)
    for place in (None, out):
        result = Accelerator.product(there, x, y, place, 0.5)
        assert place is None or result is place
        np.testing.assert_allclose(to_host(result), 0.5 * (a @ b), rtol=1e-6)
