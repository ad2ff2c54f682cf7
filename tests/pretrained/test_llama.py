"""Llama's published forms: config.json and names, GGUF files, and SmolLM2 itself. That the numbers are transformers' is shown in
`tests/oracle/test_llama.py`."""

import functools

import numpy as np
import pytest

import minilm as ml
from minilm.data import DataError
from minilm.formats import FormatError, gguf
from minilm.formats.gguf import GGUF
from minilm.models.llama import Llama, LlamaConfig
from minilm.models.storage import Blocks, Float16, StoredLinear
from minilm.pretrained import llama, table
from minilm.pretrained.llama import GGUF_NAMES, from_gguf, from_huggingface, to_huggingface
from minilm.text.vocabularies import tokenizer_from_gguf

pytestmark = pytest.mark.host
IDS = np.random.default_rng(0).integers(0, 40, (2, 9))


def made(**options):
    shape = {"vocab_size": 40, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
             "num_key_value_heads": 2, "rope_theta": 500.0, "rms_norm_eps": 1e-5, **options}  # fmt: skip
    rng = np.random.default_rng(1)
    model = Llama(LlamaConfig(**shape), rng).eval()
    for p in model.parameters():
        p.data = (p.data + 0.2 * rng.standard_normal(p.shape)).astype(np.float32)
    return model


def logits(model):
    with ml.no_grad():
        return model(IDS).numpy()


VARIANTS = [
    {},
    {"tie_word_embeddings": True},
    {"attention_bias": True, "mlp_bias": True},
    {"head_dim": 32, "num_key_value_heads": 1},
]


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_there_and_back(options):
    model = made(**options)
    again = from_huggingface(*to_huggingface(model))
    assert again.config == model.config
    assert not again.training
    np.testing.assert_array_equal(logits(again), logits(model))


def test_rows_of_query_and_key_are_reordered_and_no_others():
    model = made()
    _, arrays = to_huggingface(model)
    own, theirs = model.layers[0].self_attn.k_proj.weight.numpy(), arrays["model.layers.0.self_attn.k_proj.weight"]
    for head in range(2):
        a, b = own[16 * head : 16 * head + 16], theirs[16 * head : 16 * head + 16]
        np.testing.assert_array_equal(b, np.concatenate([a[0::2], a[1::2]]))
    np.testing.assert_array_equal(
        arrays["model.layers.0.self_attn.v_proj.weight"], model.layers[0].self_attn.v_proj.weight.numpy()
    )


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("hidden_size", "64", "hidden_size should be a whole number"),
        ("num_key_value_heads", 3, "num_key_value_heads=3 does not divide"),
        ("head_dim", 7, "head_dim must be even"),
        ("hidden_act", "gelu", "hidden_act should be 'silu'"),
        ("model_type", "mistral", "model_type should be 'llama'"),
        ("rope_parameters", {"rope_type": "llama3", "rope_theta": 1e4}, "rope_parameters should be of the type 'default'"),
        ("rope_scaling", {"type": "linear", "factor": 2.0}, "rope_scaling should be of the type 'default'"),
        ("rope_parameters", {"rope_theta": float("nan")}, "rope_theta should be a number"),
        ("num_hidden_layers", 1 << 30, "config.json says num_hidden_layers 1073741824, the weights have 2 layers"),
        ("vocab_size", 1 << 30, r"embed_tokens.weight has the shape \(40, 64\), config.json asks for \(1073741824, 64\)"),
        ("tie_word_embeddings", True, "one matrix; in the weights they differ"),
        ("attention_bias", True, r"layers.0.self_attn.q_proj.bias \(64,\) is missing"),
        ("mlp_bias", 1, "mlp_bias should be False or True"),
        ("rms_norm_eps", -1, "rms_norm_eps should be a number"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named(name, value, message):
    config, arrays = to_huggingface(made())
    with pytest.raises(FormatError, match=message):
        from_huggingface({**config, name: value}, arrays)


def test_older_files_have_the_base_beside_the_other_values():
    config, _ = to_huggingface(made())
    del config["rope_parameters"]
    assert llama.config_from_huggingface(config).rope_theta == 500.0


def test_stored_weights_are_not_written():
    model = made()
    with pytest.raises(ValueError, match="are kept in another storage: load the model with storage='float32'"):
        to_huggingface(ml.models.storage.compress(model, "int8"))


def gguf_file(path, model, kinds="F32", drop=(), tensors=(), **changes):
    """A GGUF file with a model's weights, as other programs write it."""
    config = model.config
    metadata = {
        "general.architecture": "llama",
        "llama.block_count": config.num_hidden_layers,
        "llama.context_length": config.max_position_embeddings,
        "llama.embedding_length": config.hidden_size,
        "llama.feed_forward_length": config.intermediate_size,
        "llama.attention.head_count": config.num_attention_heads,
        "llama.attention.head_count_kv": config.num_key_value_heads,
        "llama.attention.key_length": config.head_dim,
        "llama.attention.layer_norm_rms_epsilon": config.rms_norm_eps,
        "llama.rope.freq_base": config.rope_theta,
        **{name.replace("__", "."): value for name, value in changes.items()},
    }
    arrays = {}
    for name, p in model.named_parameters():
        part, _, last = name.rpartition(".")
        outer = {"embed_tokens": "token_embd", "norm": "output_norm", "lm_head": "output"}
        theirs = (
            outer[part] if part in outer else "blk.{}.{}".format(part.split(".")[1], GGUF_NAMES[part.split(".", 2)[2]])
        )
        arrays[f"{theirs}.{last}"] = p.numpy()
    arrays = {name: a for name, a in {**arrays, **dict(tensors)}.items() if name not in drop}
    types = {name: kinds for name, a in arrays.items() if a.ndim == 2}
    gguf.write(path, {name: value for name, value in metadata.items() if name not in drop}, arrays, types)
    return path


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_a_gguf_file_holds_the_model(tmp_path, options):
    model = made(**options)
    with GGUF(gguf_file(tmp_path / "a.gguf", model)) as file:
        again = from_gguf(file)
    assert again.config == model.config
    assert not again.training
    np.testing.assert_array_equal(logits(again), logits(model))
    assert (again.lm_head.weight is again.embed_tokens.weight) == model.config.tie_word_embeddings
    again.loss(IDS[:, :-1], IDS[:, 1:]).backward()
    assert all(p.grad is not None for p in again.parameters())


@pytest.mark.parametrize("kind", ["Q4_0", "Q4_1", "Q8_0", "Q5_0", "F16"])
@pytest.mark.parametrize("storage", ["float16", "bfloat16", "int8", "blocks"])
def test_storages_of_a_gguf_file(tmp_path, storage, kind):
    path = gguf_file(tmp_path / "a.gguf", made(tie_word_embeddings=True), kind)
    with GGUF(path) as file:
        plain, model = from_gguf(file), from_gguf(file, storage)
    expected, got = logits(plain), logits(model)
    assert (
        np.abs(got - expected).max()
        < {"float16": 0.02, "bfloat16": 0.1, "int8": 0.2, "blocks": 0.02}[storage] * expected.std()
    )
    assert model.lm_head.stored is model.embed_tokens.stored
    assert type(model.layers[0].mlp.up_proj) is StoredLinear
    if storage == "blocks":
        kept = type(model.layers[1].self_attn.q_proj.stored)
        assert kept is (Blocks if kind in Blocks.LAYOUT else Float16)
        if kept is Blocks:
            np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)
    assert not any(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"general__architecture": "mamba"}, "of the kind 'mamba'; expected 'llama'"),
        ({"llama__block_count": 5000}, "block_count is 5000, the file has tensors of 2 layers"),
        ({"llama__block_count": 1}, "block_count is 1, the file has tensors of 2 layers"),
        ({"llama__attention__head_count": 5}, "num_key_value_heads=2 does not divide num_attention_heads=5"),
        ({"llama__attention__head_count_kv": "2"}, "head_count_kv should be a whole number"),
        ({"llama__embedding_length": 0}, "embedding_length should be a whole number"),
        ({"llama__rope__dimension_count": 8}, "in this Llama it is the width of a head, 16"),
        ({"llama__rope__scaling__type": "yarn"}, "scaled for long contexts"),
        ({"llama__rope__freq_base": -1.0}, "freq_base should be a number of at least 0; it is -1"),
        ({"llama__expert_count": 8}, "mixture of experts"),
        ({"drop": ("llama.context_length",)}, "context_length should be a whole number of 1 to .* it is missing"),
        ({"drop": ("token_embd.weight",)}, "token_embd.weight should be a matrix"),
        ({"drop": ("blk.0.ffn_up.weight",)}, r"blk.0.ffn_up.weight \(96, 64\) is missing"),
        ({"tensors": {"blk.0.ffn_up.weight": np.zeros((96, 32))}}, r"has the shape \(96, 32\), the settings ask for \(96, 64\)"),
        ({"tensors": {"blk.0.other.weight": np.zeros((2, 2))}}, "none of the model's"),
        ({"tensors": {"rope_freqs.weight": np.zeros(8)}}, "scaled for long contexts"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_gguf_file_is_named(tmp_path, changes, message):
    with GGUF(gguf_file(tmp_path / "a.gguf", made(), **changes)) as file, pytest.raises(FormatError, match=message):
        from_gguf(file)


def test_what_a_storage_does_not_take_names_the_tensor(tmp_path):
    model = made()
    model.layers[0].mlp.up_proj.weight.data[3, 4] = 1e6
    with GGUF(gguf_file(tmp_path / "a.gguf", model)) as file:
        with pytest.raises(FormatError, match="blk.0.ffn_up.weight.*at most 65504"):
            from_gguf(file, "float16")
        with pytest.raises(
            ValueError, match="storage must be one of float32, float16, bfloat16, int8, blocks; got 'int4'"
        ):
            from_gguf(file, "int4")


PROMPTS = (
    "The capital of France is", "Once upon a time", "Water boils at", "def fibonacci(n):", "The three primary colors are",
    "My favorite season is winter because", "In 1969,", "To make pancakes, you need", "The opposite of hot is",
    "A neural network learns by", "Dear Sir or Madam,", "The largest planet in the solar system is", "1, 2, 3, 4,",
    "Photosynthesis is", "She opened the door and", "for i in range(10):", "Python is a programming language that",
    "The meaning of life", "Roses are red,", "E",
)  # fmt: skip


@functools.cache
def smollm2(storage="float32"):
    """SmolLM2-135M-Instruct and its tokenizer."""
    try:
        path = table.get("smollm2-135m-instruct")
    except DataError as error:
        pytest.skip(f"the published model cannot be had here (no network?): {error}")
    with GGUF(path) as file:
        return from_gguf(file, storage), tokenizer_from_gguf(file.metadata)


@pytest.mark.slow
@pytest.mark.parametrize("storage", llama.STORAGES)
def test_smollm2_knows_the_capital_of_france(storage):
    model, tokenizer = smollm2(storage)
    assert model.num_parameters() == (134_515_008 if storage == "float32" else 61 * 576)
    (written,) = model.generate([tokenizer.encode("The capital of France is")], 1, temperature=0)
    assert tokenizer.decode(written) == " Paris"


@pytest.mark.slow
@pytest.mark.parametrize(("storage", "plainly"), [("float32", True), ("blocks", False)])
def test_smollm2_writes_the_same_with_and_without_cache_in_a_batch_and_alone(storage, plainly):
    model, tokenizer = smollm2(storage)
    prompts = [tokenizer.encode(text) for text in PROMPTS]
    options = {"max_new_tokens": 8, "temperature": 0}
    alone = [model.generate([prompt], **options)[0] for prompt in prompts]
    assert model.generate(prompts, **options) == alone
    if plainly:
        assert model.generate(prompts, use_cache=False, **options) == alone
    assert len({tuple(written) for written in alone}) == len(PROMPTS)
