"""Every peer that is installed computes what minilm does, at a small size."""

import functools

import numpy as np
import pytest

from tests.benchmarks import harness, peers, products_peer, workloads
from tests.benchmarks.workloads import WORKLOADS

pytestmark = pytest.mark.host
GPT = {"n_layer": 2, "n_head": 2, "n_embd": 8, "length": 5, "batch": 3, "block_size": 7, "vocab_size": 11}
SMALL = {
    "gpt": GPT,
    "mlp": {"widths": [6, 5, 4], "batch": 3},
    "cnn": {"channels": [1, 2, 3], "size": 8, "classes": 4, "batch": 3},
    "encoder": {"n_layer": 2, "n_head": 2, "n_embd": 8, "hidden": 12, "length": 8, "batch": 3},
    "generate": {**GPT, "n_embd": 16, "vocab_size": 40, "batch": 1, "block_size": 24, "prompt": 4, "tokens": 16},
    "ops": {},
}
NAMES = [name for name in WORKLOADS if not name.startswith("memory")]


def small(name):
    workload = WORKLOADS[name]
    return workload.varied(**SMALL[workload.kind])


@functools.cache
def values(peer, name):
    workload = small(name)
    step = peers.load(peer).build(workload, workloads.arrays(workload))
    return [step() for _ in range(max(harness.CHECKED) + 1)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("peer", ["torch", "jax", "processes"])
def test_same_losses(peer, name):
    present, reasons = peers.parted([peer], small(name))
    if not present:
        pytest.skip(reasons.get(peer, "for another workload"))
    harness.compare(small(name), {"minilm": values("minilm", name), peer: values(peer, name)})


@pytest.mark.parametrize("peer", ["torch", "jax"])
def test_same_clipping_and_decay(peer, monkeypatch):
    """Of these (a)'s losses show little: Adam divides by the gradient's size, and decay is slow. With a large eps and strong
    decay both count."""
    workload = small("gpt")
    reason = peers.skipped(peer, workload)
    if reason is not None:
        pytest.skip(reason)

    def losses(name):
        step = peers.load(name).build(workload, workloads.arrays(workload))
        return [step() for _ in range(6)]

    plain = losses("minilm")
    monkeypatch.setattr(workloads, "ADAMW", {"lr": 0.1, "betas": (0.9, 0.99), "eps": 0.1})
    monkeypatch.setattr(workloads, "CLIP", 0.2)
    monkeypatch.setattr(workloads, "WEIGHT_DECAY", 0.5)
    ours = losses("minilm")
    assert abs(ours[5] - plain[5]) > 1e-2
    harness.compare(workload, {"minilm": ours, peer: losses(peer)})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of PyTorch's compiler
@pytest.mark.parametrize("name", ["gpt", "mlp-64", "cnn", "encoder"])
def test_same_losses_compiled(name):
    reason = peers.skipped("compile", small(name))
    if reason is not None:
        pytest.skip(reason)
    harness.compare(small(name), {"minilm": values("minilm", name), "compile": values("compile", name)})


@pytest.mark.parametrize("name", ["gpt", "mlp-64", "cnn", "encoder"])
def test_a_training_step_trains(name):
    """The comparison after five updates compares updates: the sixth loss is not what it is without them."""
    workload = small(name)
    arrays = workloads.arrays(workload)
    sixth = {key: array if key.startswith("w.") else array[[5] * len(array)] for key, array in arrays.items()}
    untrained = peers.load("minilm").build(workload, sixth)()
    assert abs(values("minilm", name)[5] - untrained) > 10 * workload.tolerance * untrained


def test_generation_varies_and_has_the_length_asked_for():
    tokens = values("minilm", "generate")[0]
    assert len(tokens) == SMALL["generate"]["tokens"]
    assert len(set(tokens)) > 2


def test_arrays_are_the_same_each_time():
    for name in NAMES:
        first, second = workloads.arrays(small(name)), workloads.arrays(small(name))
        assert first.keys() == second.keys()
        for key in first:
            np.testing.assert_array_equal(first[key], second[key])


def test_padding_is_random_and_never_whole():
    padding = workloads.arrays(small("encoder"))["padding"]
    assert padding.any()
    assert not padding[..., 0].any()


def test_products_are_those_of_the_step():
    """Forward and both of backward: for each weight matrix 6 operations per number and token, and attention's on top."""
    options = WORKLOADS["gpt"].options
    tokens, length, width = options["batch"] * options["length"], options["length"], options["n_embd"]
    per_layer = 6 * tokens * 12 * width**2 + 2 * 6 * tokens * length * width
    expected = options["n_layer"] * per_layer + 6 * tokens * width * options["vocab_size"]
    assert products_peer.operations(options) == expected


def test_products_compute():
    workload = small("gpt")
    assert np.isfinite(products_peer.build(workload, {})())
