"""The solutions of chapter 5 against the engine: what a student is told to be right is what minilm computes."""

import math

import numpy as np
import pytest

import minilm as ml
from minilm.exercises.code import run_text, solution_of
from minilm.exercises.tasks import find, of_chapter
from minilm.exercises.tasks.chapter5 import attention
from minilm.exercises.tasks.chapter5.given import im2col
from minilm.nn import functional as F
from minilm.text.bpe import apply_merges_naive


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def solution(id):
    return solution_of(find(id))


def test_the_exercises_are_numbered_without_a_gap():
    assert [task.number for task in of_chapter(5)] == list(range(1, 37))


@pytest.mark.parametrize("task", [t for t in of_chapter(5) if not t.graded], ids=lambda task: task.id)
def test_a_proof_is_supported_by_its_numbers(task):
    solution_of(task)


def test_the_other_reshape_counts_what_numpy_does():
    task = find("5.1")
    for seed in range(5):
        n, h, w = (task.values(seed)[name] for name in ("images", "height", "width"))
        owner = np.repeat(np.arange(n), h * w).reshape(n, 1, h, w)
        assert solution_of(task, seed) == (owner.reshape(h * w, n).T[0] == 0).sum()


def test_the_book_has_thirteen_pixels():
    assert run_text(find("5.1").solution, "<5.1>", {"images": 64, "height": 28, "width": 28})["answer"] == 13


def test_gradients_of_two_layers(rng):
    parts = [rng.standard_normal(shape) for shape in ((4, 3), (2, 3), (2,), (5, 2), (5,))]
    y = np.array([0, 4, 2, 2])
    x, *parameters = (ml.Tensor(part, requires_grad=True) for part in parts)
    W_1, b_1, W_2, b_2 = parameters
    F.cross_entropy(F.linear(F.linear(x, W_1, b_1), W_2, b_2), ml.Tensor(y)).backward()
    for p, got in zip(parameters, solution("5.3")(parts[0], y, *parts[1:]), strict=True):
        assert np.allclose(p.grad.numpy(), got)


@pytest.mark.parametrize(("V", "T", "C", "L"), [(103, 64, 64, 2), (50, 16, 32, 3)])
def test_the_parameters_of_a_gpt(V, T, C, L):
    def gpt(bias):
        shape = {"vocab_size": V, "block_size": T, "n_embd": C, "n_layer": L, "n_head": 2}
        return ml.models.GPT(ml.models.GPTConfig(**shape, bias=bias)).num_parameters()

    names = {"V": V, "T": T, "C": C, "L": L}
    assert solution("5.8")(V, T, C, L) == gpt(bias=False)
    assert run_text(find("5.36").solution, "<5.36>", names)["answer"] == gpt(bias=True)


def test_gpt_2_has_its_known_size():
    names = {"V": 50257, "T": 1024, "C": 768, "L": 12}
    assert run_text(find("5.36").solution, "<5.36>", names)["answer"] == 124_439_808


def test_the_loss_and_an_ideal_code_agree(rng):
    P, ids = rng.dirichlet(np.ones(5), size=5), rng.integers(5, size=80)
    nats = F.cross_entropy(ml.Tensor(np.log(P[ids[:-1]])), ml.Tensor(ids[1:])).item()
    assert math.isclose(solution("5.5")(P, ids), nats * 79 / math.log(2) / 8)


def test_byte_pair_encoding(rng):
    text = "".join(rng.choice(list("abé "), size=200))
    merges = [(97, 98), (195, 169), (98, 257), (256, 97), (32, 32)]
    encoded = solution("5.10")(text, merges)
    assert encoded == apply_merges_naive(text.encode(), {pair: i for i, pair in enumerate(merges)})
    assert solution("5.11")(encoded, merges) == text


def test_learned_merges_encode_their_words_in_few_tokens():
    words = ["banana", "bandana", "ban", "an"] * 3
    merges = solution("5.9")(words, 4)
    assert merges == [("a", "n"), ("b", "an"), ("an", "a"), ("ban", "ana")]
    rank = {pair: i for i, pair in enumerate(merges)}
    assert solution("5.32")("bandana", rank) == ["ban", "d", "ana"]


def causal(x, W_q, W_k, W_v):
    """One head by the engine's attention."""
    q, k, v = (ml.Tensor((x @ W)[None, None]) for W in (W_q, W_k, W_v))
    return F.scaled_dot_product_attention(q, k, v, causal=True).numpy()[0, 0]


def test_a_cached_head_gives_the_rows_of_the_whole_pass(rng):
    x, *weights = (rng.standard_normal(shape) for shape in ((7, 5), (5, 3), (5, 3), (5, 3)))
    head = solution("5.19")(*weights)
    assert np.allclose([head.step(row) for row in x], causal(x, *weights))


def test_attention_in_pieces_gives_the_last_row(rng):
    x, *weights = (rng.standard_normal(shape) for shape in ((7, 5), (5, 3), (5, 3), (5, 3)))
    q, k, v = (x @ W for W in weights)
    blocks = iter([(k[:3], v[:3]), (k[3:6], v[3:6]), (k[6:], v[6:])])
    assert np.allclose(solution("5.20")(q[-1], blocks), causal(x, *weights)[-1])


def test_blocks_that_are_collected_are_overwritten(rng):
    def collecting(q, blocks):
        K, V = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
        p = np.exp(K @ q / np.sqrt(len(q)))
        return p @ V / p.sum()

    result = attention.in_blocks(collecting, *(rng.standard_normal(shape) for shape in ((3,), (6, 3), (6, 2))), 2)
    assert np.isnan(result).all()


def test_the_block_is_that_of_the_engine(rng):
    ml.manual_seed(0)
    config = ml.models.GPTConfig(vocab_size=5, block_size=6, n_layer=1, n_head=2, n_embd=8, bias=False)
    block = ml.models.GPT(config).blocks[0]
    x = rng.standard_normal((6, 8)).astype("float32")
    qkv = block.attn.c_attn.weight.numpy().T
    w = {name: qkv[:, 8 * i : 8 * i + 8] for i, name in enumerate("qkv")}
    w |= {"o": block.attn.c_proj.weight.numpy().T, "1": block.mlp.c_fc.weight.numpy().T}
    w |= {"2": block.mlp.c_proj.weight.numpy().T}
    assert np.allclose(solution("5.21")(x, w, 2), block(ml.Tensor(x[None])).numpy()[0], atol=1e-5)


def test_the_gradient_of_tied_weights(rng):
    E, x, y = rng.standard_normal((5, 3)), np.array([2, 2, 0, 2]), np.array([1, 4, 0, 3])
    leaf = ml.Tensor(E, requires_grad=True)
    F.cross_entropy(F.embedding(ml.Tensor(x), leaf) @ leaf.mT, ml.Tensor(y)).backward()
    assert np.allclose(solution("5.22")(E, x, y), leaf.grad.numpy())


def test_the_shifted_loss(rng):
    logits, ids = rng.standard_normal((3, 5, 4)), rng.integers(4, size=(3, 5))
    flat = F.cross_entropy(ml.Tensor(logits[:, :-1].reshape(-1, 4)), ml.Tensor(ids[:, 1:].reshape(-1)))
    assert math.isclose(solution("5.30")(logits, ids), flat.item())


@pytest.mark.parametrize(("k", "stride", "padding"), [(2, 1, 0), (3, 2, 1)])
def test_convolution(rng, k, stride, padding):
    x, w, b = (rng.standard_normal(shape) for shape in ((2, 3, 7, 6), (4, 3, k, k), (4,)))
    y = F.conv2d(ml.Tensor(x), ml.Tensor(w), ml.Tensor(b), stride=stride, padding=padding).numpy()
    assert np.allclose(solution("5.24")(x, w, b, stride, padding), y)
    columns = solution("5.23")(x, k, stride)
    assert (columns == im2col(x, k, stride)).all()
    g = rng.standard_normal(columns.shape)
    assert np.isclose((columns * g).sum(), (x * solution("5.25")(g, x.shape, k, stride)).sum())


def test_max_pooling_with_ties(rng):
    x = np.maximum(0, rng.integers(-3, 2, (2, 3, 4, 6))).astype(float)
    y_bar = rng.standard_normal((2, 3, 2, 3))
    leaf = ml.Tensor(x, requires_grad=True)
    pooled = F.max_pool2d(leaf, 2)
    pooled.backward(ml.Tensor(y_bar))
    y, x_bar = solution("5.26")(x, y_bar, 2)
    assert (y == pooled.numpy()).all()
    assert np.allclose(x_bar, leaf.grad.numpy())
