"""The registry on the stand-in, in every run: each op, its gradient and its second derivative keep CuPy's rules, and give
the CPU's numbers (bit for bit, except where `Accelerator` adds in another order)."""

import numpy as np
import pytest

import minilm as ml
from minilm.backend import cpu, to_device, to_host
from minilm.models import GPT, GPTConfig
from minilm.ops import REGISTRY
from minilm.optim import AdamW, clip_grad_norm_
from minilm.training.loop import Training, train
from tests.backend import pretend
from tests.tiny import tiny_run

pytestmark = pytest.mark.host
CASES = [
    pytest.param(op, sample, id=f"{name}-{i}") for name, op in REGISTRY.items() for i, sample in enumerate(op.samples)
]


def tensors(result):
    return list(result) if isinstance(result, tuple | list) else [result]


def numbers(op, sample, device, dtype=np.float32):
    """Everything an op computes on a device: outputs, gradients, and the gradients of those."""
    rng = np.random.default_rng(0)
    drawn = sample.draw(rng, dtype)
    inputs = [
        ml.Tensor(to_device(x, device), requires_grad=x.dtype.kind == "f") if isinstance(x, np.ndarray) else x
        for x in drawn
    ]
    xs = [x for x in inputs if isinstance(x, ml.Tensor) and x.requires_grad]
    ys = tensors(op(*inputs, **sample.params))
    found, roots = list(ys), [y for y in ys if y.requires_grad]
    if roots:
        vs = [ml.Tensor(to_device(rng.standard_normal(y.shape).astype(y.dtype), y.device), True) for y in roots]
        gs = ml.grad(roots, xs, vs, create_graph=True, allow_unused=True)
        found += gs
        roots = [g for g in gs if g.requires_grad]
        if roots:
            us = [ml.Tensor(to_device(rng.standard_normal(g.shape).astype(g.dtype), g.device)) for g in roots]
            found += ml.grad(roots, [*xs, *vs], us, allow_unused=True)
    return [to_host(t.data) for t in found]


OTHER_ORDER = (
    "embedding", "embedding_grad", "layer_norm", "logmatmulexp", "matmul", "rms_norm", "scaled_dot_product_attention",
)  # fmt: skip
BY_LAYOUT = ("conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d", "einsum")
"""Products of arrays that lie differently in memory here and there: OpenBLAS up to NumPy 2.2's adds them in different orders."""


@pytest.mark.fast  # bit for bit what the CPU's own version gives
@pytest.mark.parametrize(("op", "sample"), CASES)
def test_op_gives_the_same_numbers(op, sample):
    for theirs, ours in zip(numbers(op, sample, pretend.device()), numbers(op, sample, cpu), strict=True):
        assert theirs.dtype == ours.dtype
        tolerance = {"rtol": 1e-5, "atol": 1e-6} if op.name in (*OTHER_ORDER, *BY_LAYOUT) else {"rtol": 0}
        np.testing.assert_allclose(theirs, ours, **tolerance)


def holds_arrays(value):
    """Whether a parameter brings an array or list of the host's, such as an index, which has to be uploaded."""
    return isinstance(value, list | np.ndarray) or (isinstance(value, tuple) and any(map(holds_arrays, value)))


CONSTANTS = ("avg_pool1d", "avg_pool2d")  # they count on the host how many numbers of each window lie in the image


@pytest.mark.parametrize(("op", "sample"), [case for case in CASES if case.values[0].name != "move"])
def test_op_never_waits_for_the_device(op, sample):
    drawn = sample.draw(np.random.default_rng(0), np.float32)
    inputs = [
        ml.Tensor(to_device(x, pretend.device()), requires_grad=x.dtype.kind == "f") if isinstance(x, np.ndarray) else x
        for x in drawn
    ]
    with pretend.count() as counts:
        for y in tensors(op(*inputs, **sample.params)):
            if y.requires_grad:
                y.backward(ml.ones(*y.shape, device="pretend"), retain_graph=True)
    assert counts.syncs == 0
    if op.name not in CONSTANTS and not any(map(holds_arrays, sample.params.values())):
        assert counts.uploads == 0


def two_layers(device, steps=3):
    """A few steps of gradient descent on a network with one hidden layer. Returns its parameters and the last loss."""
    rng = np.random.default_rng(0)

    def on_device(*shape):
        return ml.Tensor(to_device(rng.standard_normal(shape).astype(np.float32), device))

    x, target = on_device(8, 5), on_device(8, 3)
    parameters = [on_device(*shape).requires_grad_() for shape in ((5, 7), (7,), (7, 3), (3,))]
    w1, b1, w2, b2 = parameters
    with pretend.count() as counts:
        for _ in range(steps):
            hidden = ml.ops.REGISTRY["maximum"](x @ w1 + b1, 0.0)
            error = hidden @ w2 + b2 - target
            loss = ml.ops.REGISTRY["sum"](error * error) / error.size
            loss.backward()
            with ml.no_grad():
                for p in parameters:
                    p -= 0.1 * p.grad
                    p.grad = None
    return parameters, loss, counts


def test_training_step_waits_for_nothing():
    _, loss, counts = two_layers(pretend.device())
    assert counts.syncs == 0
    assert counts.uploads == 0
    assert counts.launches > 0
    with pretend.count() as counts:
        loss.item()
    assert counts.syncs == 1


@pytest.mark.fast
def test_training_gives_the_same_numbers():
    theirs, ours = two_layers(pretend.device()), two_layers(cpu)
    for a, b in zip([*theirs[0], theirs[1]], [*ours[0], ours[1]], strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def gpt_steps(device, ids, steps=3):
    """A small GPT after a few steps of AdamW with clipping: its parameters, its losses, and what happened."""
    ml.manual_seed(0)
    config = GPTConfig(vocab_size=11, block_size=8, n_layer=2, n_head=2, n_embd=16, dropout=0.1)
    model = GPT(config).to(device)
    optimizer = AdamW(model.decay_groups(0.1), lr=1e-3)
    batch = ml.Tensor(to_device(ids, device))
    losses = []
    with pretend.count() as counts:
        for _ in range(steps):
            optimizer.zero_grad()
            loss = model.loss(batch[:, :-1], batch[:, 1:])
            loss.backward()
            clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            losses.append(loss)
    return [p.numpy() for p in model.parameters()], [loss.item() for loss in losses], counts


def test_gpt_trains_without_waiting_and_to_the_same_numbers():
    ids = np.random.default_rng(0).integers(11, size=(3, 9))
    theirs, their_losses, counts = gpt_steps(pretend.device(), ids)
    ours, our_losses, _ = gpt_steps(cpu, ids)
    assert counts.syncs == 0
    assert counts.uploads == 0
    np.testing.assert_allclose(their_losses, our_losses, rtol=1e-6)
    for a, b in zip(theirs, ours, strict=True):
        np.testing.assert_allclose(
            a, b, rtol=1e-4, atol=1e-5
        )  # Adam divides rounding by its own size where a gradient is 0


def test_training_loop(tmp_path):
    """`train` itself on the stand-in: it uploads its batches, and waits only to log, to evaluate and to save."""
    run, text = tiny_run(tmp_path, "there", eval_every=12, checkpoint_every=12)
    training = Training(run, text, "pretend")
    with pretend.count() as counts:
        training.update()
    assert (counts.syncs, counts.uploads) == (0, 2)  # the ids and the targets of one batch
    there = train(run, text, device=pretend.device().name, progress=False)
    run, text = tiny_run(tmp_path, "here", eval_every=12, checkpoint_every=12)
    here = train(run, text, device="cpu", progress=False)
    assert there.step == here.step == 12
    assert there.validation_loss == pytest.approx(here.validation_loss, rel=1e-4)
