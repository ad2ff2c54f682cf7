"""Every peer that is installed computes what minilm does, at a small size."""

import contextlib
import functools
import subprocess
import sys
import time

import numpy as np
import pytest

import minilm as ml
from minilm.models.seq2seq import relative_buckets
from tests.benchmarks import busy_peer, harness, numpy_peer, peers, products_peer, workloads
from tests.benchmarks.workloads import WORKLOADS

pytestmark = pytest.mark.host
GPT = {"n_layer": 2, "n_head": 2, "n_embd": 8, "length": 5, "batch": 3, "block_size": 7, "vocab_size": 11}
SMALL = {
    "gpt": GPT,
    "mlp": {"widths": [6, 5, 4], "batch": 3},
    "cnn": {"channels": [1, 2, 3], "size": 8, "classes": 4, "batch": 3},
    "encoder": {"n_layer": 2, "n_head": 2, "n_embd": 8, "hidden": 12, "length": 8, "batch": 3},
    "generate": {**GPT, "n_embd": 16, "vocab_size": 40, "batch": 1, "block_size": 24, "prompt": 4, "tokens": 16},
    "generate-8": {**GPT, "n_embd": 16, "vocab_size": 40, "batch": 3, "block_size": 24, "prompt": 4, "tokens": 8},
    "seq2seq": {"n_layer": 2, "n_head": 2, "n_embd": 8, "head": 5, "hidden": 12, "vocab_size": 20, "source": 40, "target": 36,
                "batch": 3, "longest": 20},
    "bert": {"n_layer": 2, "n_head": 2, "n_embd": 8, "hidden": 12, "vocab_size": 20, "block_size": 9, "length": 7, "batch": 3},
    "llama": {"n_layer": 2, "n_head": 4, "n_key": 2, "n_embd": 16, "hidden": 12, "vocab_size": 40, "prompt": 3, "tokens": 4,
              "deviation": 1.0},
    "ops": {},
}  # fmt: skip
NAMES = [name for name, w in WORKLOADS.items() if w.measure == "timed" and w.threads is None]


def small(name):
    workload = WORKLOADS[name]
    return workload.varied(**SMALL.get(name, SMALL[workload.kind]))


@functools.cache
def values(peer, name):
    workload = small(name)
    # that peer switches compiled kernels off for its whole process, which here is that of the tests
    with ml.use_compiled(False) if peer == "numpy" else contextlib.nullcontext():
        module = peers.load(peer)
        if peer == "torch":
            module.set_threads(1)  # two wait for each other awake
        step = module.build(workload, workloads.arrays(workload))
        return [step() for _ in range(max(harness.CHECKED) + 1)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("peer", ["numpy", "torch", "jax", "processes", "halves"])
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


@pytest.mark.parametrize("name", ["gpt", "mlp-64", "cnn", "encoder", "seq2seq"])
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


def test_eight_texts_are_eight():
    options, written = SMALL["generate-8"], values("minilm", "generate-8")[0]
    texts = np.reshape(written, (options["batch"], options["tokens"]))
    assert len({tuple(text) for text in texts.tolist()}) == options["batch"]


@pytest.mark.parametrize("peer", ["minilm", "torch"])
def test_one_token_follows_another_until_the_prompt_is_read_again(peer):
    """Four tokens, then behind the prompt again: the context does not grow with the number of steps, which differs between sides."""
    if peers.missing(peer) is not None:
        pytest.skip("not installed")
    found = values(peer, "smollm2")
    assert [len(tokens) for tokens in found] == [1, 2, 3, 4, 1, 2]
    assert found[5] == found[1]
    assert len(set(found[3])) > 1


def test_embeddings_have_length_one_and_do_not_see_padding():
    workload = small("minilm-l6")
    arrays = workloads.arrays(workload)
    found = values("minilm", "minilm-l6")[0]
    assert found.shape == (workload.options["batch"], workload.options["n_embd"])
    np.testing.assert_allclose((found**2).sum(-1), 1, rtol=1e-5)
    assert 0 < arrays["mask"].mean() < 1
    other = {**arrays, "ids": np.where(arrays["mask"], arrays["ids"], 1)}
    np.testing.assert_allclose(peers.load("minilm").build(workload, other)(), found, rtol=1e-5, atol=1e-6)


def test_sources_and_targets_are_padded_at_the_end():
    arrays = workloads.arrays(small("seq2seq"))
    for name in ("source", "targets"):
        there = arrays[name] != 0
        assert not there.all()
        assert there[..., 0].all()
        assert (there[..., :-1] >= there[..., 1:]).all()


@pytest.mark.parametrize("bidirectional", [False, True])
def test_classes_of_distances(bidirectional):
    models = pytest.importorskip("tests.benchmarks.torch_models")
    distances = np.arange(70) - np.arange(70)[:, None]
    for count, longest in ((32, 128), (32, 20), (8, 64)):
        expected = relative_buckets(distances, bidirectional, count, longest)
        np.testing.assert_array_equal(models.buckets(70, 70, bidirectional, count, longest), expected)


def test_without_fast_compiled_kernels_are_switched_off_before_the_model_is_made(monkeypatch):
    done = []
    monkeypatch.setattr(ml, "use_compiled", lambda enabled: done.append(enabled))
    monkeypatch.setattr(numpy_peer.minilm_peer, "build", lambda workload, arrays: done.append("built"))
    numpy_peer.build(small("gpt"), {})
    assert done == [False, "built"]


def test_there_is_one_side_where_nothing_is_compiled(monkeypatch):
    with ml.use_compiled(False):
        assert not peers.has_fast()
        assert peers.parted(["numpy"], WORKLOADS["gpt"]) == ([], {"numpy": "minilm itself: nothing is compiled here"})
    monkeypatch.setattr(peers, "has_fast", lambda: True)
    assert peers.parted(["numpy"], WORKLOADS["gpt"]) == (["numpy"], {})


def test_the_record_says_whether_there_is_numba(monkeypatch):
    find = peers.importlib.util.find_spec
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda name: None if name == "numba" else find(name))
    assert peers.versions([]) == {"numba": "not installed"}
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(peers.metadata, "version", lambda name: "7.7")
    assert peers.versions([]) == {"numba": "7.7"}


def test_pytorchs_process_has_nothing_of_minilm_in_it():
    """It would tell malloc what to keep, and bring threads of its own."""
    code = "import sys, tests.benchmarks.worker; print('minilm' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=harness.ROOT)
    assert done.stdout == "False\n"


def test_a_busy_process_computes():
    step = busy_peer.build(WORKLOADS["gpt"], {})
    before = time.process_time(), time.perf_counter()
    for _ in range(5):
        step()
    assert time.perf_counter() - before[1] >= 5 * busy_peer.TURN
    assert time.process_time() > before[0]


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
