"""Each storage against the plain product with the weights that it holds, and the layers that are made of it."""

import numpy as np
import pytest

import minilm as ml
from minilm.formats import blocks
from minilm.models import storage
from minilm.models.gpt import GPT, GPTConfig
from minilm.models.llama import Llama, LlamaConfig
from minilm.models.storage import (
    BFloat16,
    Blocks,
    Float16,
    Float32,
    Int8,
    Stored,
    StoredEmbedding,
    StoredLinear,
    compress,
)

pytestmark = pytest.mark.host
RNG = np.random.default_rng(0)
KINDS = ["float32", "float16", "bfloat16", "int8", "Q4_0", "Q4_1", "Q8_0"]


def weights(rows=70, columns=96):
    return RNG.standard_normal((rows, columns)).astype(np.float32)


def stored(kind, array) -> Stored:
    if kind in blocks.TYPES:
        return Blocks(kind, blocks.quantize(kind, array))
    return {"float32": Float32, "float16": Float16, "bfloat16": BFloat16, "int8": Int8}[kind](array)


def held(kind, array):
    """What is left of the weights in a storage, by the plain formula."""
    if kind in blocks.TYPES:
        return blocks.dequantize(kind, blocks.quantize(kind, array)).reshape(array.shape)
    if kind == "int8":
        largest = np.abs(array).max(axis=1, keepdims=True)
        return np.rint(array * (127 / largest)) * (largest / 127)
    if kind == "bfloat16":
        return blocks.dequantize("BF16", blocks.quantize("BF16", array)).reshape(array.shape)
    return array.astype(kind).astype(np.float32)


@pytest.mark.parametrize("pieces", [1, 3, 70])
@pytest.mark.parametrize("n", [1, 2, storage.FEW, storage.FEW + 1, 40])
@pytest.mark.parametrize("kind", KINDS)
def test_product_is_that_of_the_weights_held(kind, n, pieces, monkeypatch):
    array = weights()
    monkeypatch.setattr(storage, "PIECE", array.size // pieces)
    kept = stored(kind, array)
    assert kept.shape == (70, 96)
    assert len(kept.cuts) == pieces
    x = RNG.standard_normal((n, 96)).astype(np.float32)
    (y,) = storage.products(x, [kept])
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, x @ held(kind, array).T, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_rows(kind, monkeypatch):
    array = weights()
    monkeypatch.setattr(storage, "PIECE", 1000)
    rows = stored(kind, array).rows(np.array([[3, 69], [0, 41]]))
    assert rows.shape == (2, 2, 96)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, held(kind, array)[[[3, 69], [0, 41]]], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_several_matrices_on_several_threads(kind, monkeypatch):
    monkeypatch.setattr(storage, "PIECE", 500)
    monkeypatch.setattr(storage, "SHARED", 0)
    arrays, x = [weights(n) for n in (33, 5, 64)], RNG.standard_normal((1, 96)).astype(np.float32)
    before = ml.get_num_threads()
    ml.set_num_threads(2)
    try:
        ys = storage.products(x, [stored(kind, array) for array in arrays])
    finally:
        ml.set_num_threads(before)
    for y, array in zip(ys, arrays, strict=True):
        np.testing.assert_allclose(y, x @ held(kind, array).T, rtol=1e-5, atol=2e-5)


def test_every_finite_half_is_itself():
    halves = np.arange(65536, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)].reshape(-1, 1)
    for x in (1.0, 1e-3, 1e6):
        (y,) = storage.products(np.full((1, 1), x, np.float32), [Float16(halves.astype(np.float32))])
        np.testing.assert_allclose(y[0], halves[:, 0].astype(np.float32) * np.float32(x), rtol=1e-6)


def test_bytes():
    array = weights(64, 1024)
    sizes = {kind: stored(kind, array).nbytes / array.size for kind in KINDS}
    assert sizes["float32"] == 4
    assert sizes["float16"] == sizes["bfloat16"] == 2
    assert sizes["int8"] == pytest.approx(1, abs=0.01)
    assert sizes["Q8_0"] == 1 + 4 / 32
    assert sizes["Q4_1"] == sizes["Q4_0"] == 0.5 + 8 / 32


@pytest.mark.parametrize("kind", [Float16, BFloat16, Int8])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(kind, wrong):
    array = weights(3, 4)
    array[1, 2] = wrong
    with pytest.raises(ValueError, match="finite"):
        kind(array)


def test_what_float16_cannot_hold_is_refused():
    with pytest.raises(ValueError, match="at most 65504"):
        Float16(np.full((1, 1), 70000, np.float32))


def test_bfloat16_is_the_upper_half_rounded_to_even():
    bits = np.array([0x3F800000, 0x3F807FFF, 0x3F808000, 0x3F808001, 0x3F818000, 0x80000001, 0x7F7F7FFF], np.uint32)
    found = BFloat16(bits.view(np.float32)[:, None]).bits[:, 0]
    assert [f"{x:04x}" for x in found] == ["3f80", "3f80", "3f80", "3f81", "3f82", "8000", "7f7f"]
    assert storage.to_bfloat16([np.nan, np.inf, -np.inf]).tolist() == [0x7FC0, 0x7F80, 0xFF80]
    assert storage.from_bfloat16(0x3F80) == 1.0
    with pytest.raises(ValueError, match="at most 3.39e38"):
        BFloat16(np.full((1, 1), np.finfo(np.float32).max, np.float32))


def test_int8_of_zeros_and_of_tiny_numbers():
    array = np.zeros((2, 4), np.float32)
    array[1] = 1e-42, -1e-42, 0, 0
    (y,) = storage.products(np.ones((1, 4), np.float32), [Int8(array)])
    np.testing.assert_allclose(y, [[0, 0]], atol=1e-42)


def test_blocks_that_are_none_are_refused():
    raw = blocks.quantize("Q4_1", weights(2, 64))
    with pytest.raises(ValueError, match="Q4_0, Q4_1, Q8_0 as they are in a file, not 'Q6_K'"):
        Blocks("Q6_K", raw)
    with pytest.raises(
        ValueError, match=r"Q8_0 has 34 bytes per block: expected \(rows, blocks, 34\), got \(2, 2, 20\)"
    ):
        Blocks("Q8_0", raw)
    raw[0, 1, :2] = [0, 0x7C]
    with pytest.raises(ValueError, match="scale of a block is NaN or infinite"):
        Blocks("Q4_1", raw)


def llama(**options):
    rng = np.random.default_rng(3)
    model = Llama(LlamaConfig(**{"vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
                                 "num_attention_heads": 4, "num_key_value_heads": 2, **options}), rng).eval()  # fmt: skip
    for p in model.parameters():
        p.data = (p.data + 0.2 * rng.standard_normal(p.shape)).astype(np.float32)
    return model


@pytest.mark.parametrize(
    "options", [{}, {"tie_word_embeddings": True}, {"attention_bias": True, "mlp_bias": True}], ids=str
)
@pytest.mark.parametrize("kind", ["float16", "bfloat16", "int8"])
def test_a_compressed_model_is_one_with_the_weights_that_are_held(kind, options):
    ids = np.random.default_rng(0).integers(0, 64, (2, 7))
    plain = llama(**options)
    for p in plain.parameters():
        p.data = held(kind, p.data) if p.ndim == 2 else p.data
    expected, model = plain(ids).numpy(), compress(llama(**options), kind)
    logits = model(ids)
    assert not logits.requires_grad
    np.testing.assert_allclose(logits.numpy(), expected, rtol=1e-4, atol=1e-4)
    assert model.loss(ids[:, :-1], ids[:, 1:]).item() > 0
    assert (model.lm_head.stored is model.embed_tokens.stored) == options.get("tie_word_embeddings", False)
    assert all(p.ndim == 1 for p in model.parameters())


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "int8"])
def test_a_gpt_is_read_from_fewer_bytes(kind):
    config, ids = GPTConfig(13, 8, 2, 2, 8), np.random.default_rng(0).integers(0, 13, (2, 8))
    plain, model = (GPT(config, np.random.default_rng(1)).eval() for _ in range(2))
    for p in plain.parameters():
        p.data = held(kind, p.data) if p.ndim == 2 and p is not plain.wpe.weight else p.data
    compress(model, kind)
    np.testing.assert_allclose(model(ids).numpy(), plain(ids).numpy(), rtol=1e-4, atol=1e-5)
    assert model.loss(ids, ids).item() == pytest.approx(plain.loss(ids, ids).item(), rel=1e-4)
    assert model.generate([[1, 2]], 3, temperature=0) == plain.generate([[1, 2]], 3, temperature=0)
    assert model.lm_head.stored is model.wte.stored


def test_unknown_storage_is_named():
    with pytest.raises(ValueError, match="one of float16, bfloat16, int8; got 'int4'"):
        compress(llama(), "int4")
    with pytest.raises(ValueError, match="takes float32 on the CPU; embed_tokens is float64"):
        compress(llama().to("float64"), "int8")


def test_a_stored_layer_does_not_learn():
    layer, table = StoredLinear(Int8(weights(3, 4))), StoredEmbedding(Int8(weights(3, 4)))
    with pytest.raises(ValueError, match="requiring gradients: its weights are kept to be read, not to learn"):
        layer(ml.Tensor(np.ones((1, 4), np.float32), requires_grad=True))
    with pytest.raises(ValueError, match="got float64 on cpu"):
        layer(ml.Tensor(np.ones((1, 4))))
    with pytest.raises(ValueError, match=r"shape \(..., 4\)"):
        layer(ml.Tensor(np.ones((1, 5), np.float32)))
    with pytest.raises(IndexError, match="an id is outside 0 to 2"):
        table(np.array([0, 3]))
    with pytest.raises(IndexError, match="an id is outside 0 to 2"):
        table(np.array([-1]))
    assert layer(ml.Tensor(np.ones((2, 0, 4), np.float32))).shape == (2, 0, 3)
    assert repr(layer) == "StoredLinear(in_features=4, out_features=3, Int8)"
    assert repr(table) == "StoredEmbedding(3, 4, Int8)"
