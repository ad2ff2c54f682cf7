"""BERT's published names: there and back, and what does not fit is named; the published vectors of sentences."""

import copy
import json
import random

import numpy as np
import pytest

import minilm as ml
from minilm.data import DataError
from minilm.formats import FormatError, safetensors
from minilm.models.bert import Bert, BertBiEncoder, BertConfig, inputs
from minilm.pretrained import table
from minilm.pretrained.bert import KINDS, from_huggingface, to_huggingface
from minilm.text import WordPieceTokenizer

pytestmark = pytest.mark.host
SHAPE = {"vocab_size": 11, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12,
         "max_position_embeddings": 6, "hidden_act": "relu", "layer_norm_eps": 1e-7, "pad_token_id": 1}  # fmt: skip
EVERY = pytest.mark.parametrize("kind", KINDS)
QUERY = "encoder.layer.1.attention.self.query.weight"


def published(kind="BertModel", **options):
    """A model with random weights, and its published form."""
    ml.random.manual_seed(0)
    model = KINDS[kind](BertConfig(**SHAPE), **options).eval()
    rng = np.random.default_rng(0)
    with ml.no_grad():
        for p in model.parameters():
            p.copy_(ml.Tensor(rng.standard_normal(p.shape).astype(np.float32)))
    return model, *to_huggingface(model)


def same(a, b):
    x, y = a.state_dict(), b.state_dict()
    assert x.keys() == y.keys()
    return all((x[name].numpy() == y[name].numpy()).all() for name in x)


@EVERY
def test_there_and_back(kind):
    options = {"num_labels": 5} if kind.endswith(("SequenceClassification", "TokenClassification")) else {}
    model, config, arrays = published(kind, **options)
    again = from_huggingface(json.loads(json.dumps(config)), arrays)
    assert type(again) is KINDS[kind]
    assert again.config == model.config
    assert same(again, model)
    assert not again.training
    assert (kind == "BertModel") == all(not name.startswith("bert.") for name in arrays)
    assert len(arrays) == len(list(model.parameters()))


def test_each_name_is_where_it_belongs():
    """By the names of the paper's program: query, key and value are not each other's, nor are the two norms."""
    model, _, arrays = published()
    named = dict(model.named_parameters())
    for theirs, ours in (
        ("attention.self.query", "self_attn.q_proj"), ("attention.self.key", "self_attn.k_proj"),
        ("attention.self.value", "self_attn.v_proj"), ("attention.output.dense", "self_attn.out_proj"),
        ("attention.output.LayerNorm", "norm1"), ("intermediate.dense", "feed_forward.up"),
        ("output.dense", "feed_forward.down"), ("output.LayerNorm", "norm2")):  # fmt: skip
        for i in range(2):
            for part in ("weight", "bias"):
                array = arrays[f"encoder.layer.{i}.{theirs}.{part}"]
                np.testing.assert_array_equal(array, named[f"layers.{i}.{ours}.{part}"].numpy())


@EVERY
def test_with_and_without_the_prefix(kind):
    model, config, arrays = published(kind)
    bare = {name.removeprefix("bert."): array for name, array in arrays.items()}
    assert same(from_huggingface(config, bare), model)
    assert same(from_huggingface(config, {f"bert.{name}": array for name, array in bare.items()}), model)


def test_names_of_earlier_versions_and_buffers():
    model, config, arrays = published("BertForMaskedLM")
    early = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): array
        for name, array in arrays.items()
    }
    early["bert.embeddings.position_ids"] = np.arange(6)[None]
    early["cls.predictions.decoder.weight"] = arrays["bert.embeddings.word_embeddings.weight"]
    early["cls.predictions.decoder.bias"] = arrays["cls.predictions.bias"]
    early["cls.seq_relationship.weight"] = np.zeros((2, 8), np.float32)  # of a head that is not asked for
    assert same(from_huggingface(config, early), model)


def test_the_encoder_of_a_model_with_a_head():
    model, config, arrays = published("BertForMaskedLM")
    encoder = from_huggingface(config, arrays, "BertModel")
    assert type(encoder) is Bert
    assert encoder.pooler is None
    assert same(encoder, model.bert)
    assert from_huggingface({**SHAPE}, published()[2]).pooler is not None  # without architectures it is BertModel


def test_float64_stays_and_float16_is_widened():
    _, config, arrays = published()
    for dtype, want in (("float64", "float64"), ("float32", "float32"), ("float16", "float32")):
        model = from_huggingface(config, {name: array.astype(dtype) for name, array in arrays.items()})
        assert {p.dtype for p in model.parameters()} == {np.dtype(want)}


def test_what_is_left_out_of_a_config_has_transformers_default():
    ml.random.manual_seed(0)
    small = {"hidden_size": 12, "num_hidden_layers": 1, "intermediate_size": 5, "vocab_size": 7}
    arrays = to_huggingface(Bert(BertConfig(**small)))[1]
    assert from_huggingface(small, arrays).config == BertConfig(**small)


def test_labels_and_the_classifier_s_dropout():
    _, config, arrays = published("BertForSequenceClassification", num_labels=3)
    assert config["id2label"] == {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}
    del config["id2label"], config["label2id"]
    model = from_huggingface({**config, "classifier_dropout": 0.4}, arrays)
    assert (model.num_labels, model.dropout.p) == (3, 0.4)
    assert to_huggingface(model)[0]["classifier_dropout"] == 0.4
    with pytest.raises(FormatError, match=r"classifier.weight has the shape \(3, 8\).*asks for \(4, 8\)"):
        from_huggingface({**config, "num_labels": 4}, arrays)


CHANGES = {
    "missing": (lambda a: a.pop(QUERY), QUERY + r" \(8, 8\) is missing"),
    "unknown": (lambda a: a.update(extra=np.zeros(3)), r"extra \(3,\) is none of the model's"),
    "wrong shape": (
        lambda a: a.update({QUERY: np.zeros((8, 4))}),
        QUERY + r" has the shape \(8, 4\).*asks for \(8, 8\)",
    ),
    "integers": (lambda a: a.update({QUERY: np.zeros((8, 8), int)}), QUERY + " holds int64"),
    "another layer": (
        lambda a: a.update({QUERY.replace("1", "7"): np.zeros((8, 8))}),
        "num_hidden_layers 2, the weights have 3",
    ),
    "twice": (lambda a: a.update({"bert." + QUERY: np.zeros((8, 8))}), "is there twice"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_tensors_that_do_not_fit_are_named(change):
    _, config, arrays = published()
    apply, message = CHANGES[change]
    apply(arrays)
    with pytest.raises(FormatError, match=message):
        from_huggingface(config, arrays)


def test_an_output_matrix_of_its_own_is_refused():
    _, config, arrays = published("BertForMaskedLM")
    with pytest.raises(FormatError, match="are one matrix here"):
        from_huggingface(config, {**arrays, "cls.predictions.decoder.weight": np.zeros((11, 8), np.float32)})


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"model_type": "roberta"}, "model_type should be 'bert'"), ({"position_embedding_type": "relative_key"}, "should be 'absolute'"),
     ({"is_decoder": True}, "is_decoder should be False"), ({"vocab_size": None}, "vocab_size should be a whole number"),
     ({"vocab_size": 10**12}, "vocab_size should be"), ({"num_attention_heads": 3}, "num_attention_heads=3 does not divide"),
     ({"hidden_act": "tanh"}, "hidden_act should be 'gelu' or"), ({"hidden_dropout_prob": "0"}, "hidden_dropout_prob should be"),
     ({"layer_norm_eps": 0}, "layer_norm_eps must be a positive"), ({"pad_token_id": 11}, "one of the 11 tokens"),
     ({"architectures": ["BertForMultipleChoice"]}, "no model 'BertForMultipleChoice'"), ({"architectures": "x"}, "list of names"),
     ({"architectures": [3]}, "list of names"), ({"num_hidden_layers": 10**9}, "num_hidden_layers 1000000000, the weights have 2")],
)  # fmt: skip
def test_a_config_that_does_not_fit_is_named(changes, message):
    _, config, arrays = published()
    with pytest.raises(FormatError, match=message):
        from_huggingface({**config, **changes}, arrays)


def test_another_model_is_named():
    with pytest.raises(TypeError, match="no BertBiEncoder; its kinds of BERT are BertModel, BertForMaskedLM"):
        to_huggingface(BertBiEncoder(BertConfig(**SHAPE)))


def mutated(draw, config, arrays):
    """One value or one tensor is another, gone or new."""
    config, arrays = copy.deepcopy(config), dict(arrays)
    strange = [
        None,
        True,
        0,
        -1,
        3,
        2**40,
        1.5,
        float("nan"),
        float("inf"),
        "",
        "relu",
        [],
        {},
        ["BertForMaskedLM"],
        {"a": 1},
    ]
    if draw.random() < 0.6:
        config[draw.choice([*config, "num_labels", "classifier_dropout", "is_decoder"])] = draw.choice(strange)
        return config, arrays
    name = draw.choice(list(arrays))
    array = arrays.pop(name)
    if draw.random() < 0.7:
        shape = [draw.choice([0, 1, 8, 12, n]) for n in array.shape] + [1] * (draw.random() < 0.2)
        arrays[draw.choice([name, name + "x", "encoder.layer.9.x", "x"])] = np.zeros(
            shape, draw.choice(["f4", "f8", "i8", "?"])
        )
    return config, arrays


@pytest.mark.parametrize("kind", ["BertModel", "BertForMaskedLM", "BertForTokenClassification"])
def test_mutated_configs_and_tensors_are_opened_or_refused_by_name(kind):
    _, config, arrays = published(kind)
    draw, opened = random.Random(0), 0
    for _ in range(150):
        try:
            from_huggingface(*mutated(draw, config, arrays))
            opened += 1
        except FormatError as error:
            assert len(str(error)) < 2000
    assert 10 < opened < 100


# -- the published model ----------------------------------------------------------------------------------------------

SENTENCES = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]


@pytest.fixture(scope="module")
def minilm():
    """The folder of all-MiniLM-L6-v2, from the package registry."""
    try:
        return table.get("all-minilm-l6-v2")
    except DataError as error:
        pytest.skip(f"needs all-MiniLM-L6-v2 from the package registry: {error}")


@pytest.mark.slow
def test_the_published_cosines(minilm):
    """https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2: three sentences, to four digits."""
    arrays = safetensors.read(minilm / "model.safetensors")
    assert "embeddings.position_ids" in arrays
    model = from_huggingface(json.loads((minilm / "config.json").read_text()), arrays)
    assert sum(p.size for p in model.parameters()) == 22_713_216
    words = json.loads((minilm / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    tokenizer = WordPieceTokenizer(sorted(words, key=words.get))
    with ml.no_grad():
        e = model.embed(*inputs(tokenizer, SENTENCES)).numpy()
        alone = np.concatenate([model.embed(*inputs(tokenizer, [text])).numpy() for text in SENTENCES])
    cosines = e @ e.T
    np.testing.assert_array_equal(cosines[np.triu_indices(3, 1)].round(4), np.float32([0.6660, 0.1046, 0.1411]))
    np.testing.assert_allclose(alone, e, atol=1e-6)


@pytest.mark.slow
def test_the_published_weights_come_back(minilm):
    arrays = safetensors.read(minilm / "model.safetensors")
    config = json.loads((minilm / "config.json").read_text())
    again, written = to_huggingface(from_huggingface(config, arrays))
    assert {name: config[name] for name in again if name in config} == {n: again[n] for n in again if n in config}
    assert written.keys() == arrays.keys() - {"embeddings.position_ids"}
    assert all((written[name] == arrays[name]).all() for name in written)
