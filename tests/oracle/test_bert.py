"""BERT against transformers' with the same weights: outputs, losses and all gradients; and its encoder against torch.nn's."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

torch = pytest.importorskip("torch", reason="PyTorch is not installed (pip install 'minilm[oracle]')")
transformers = pytest.importorskip(
    "transformers", reason="transformers is not installed (pip install 'minilm[oracle]')"
)

import minilm as ml
from minilm.models.bert import NO_TARGET, Bert, BertConfig
from minilm.pretrained.bert import KINDS, from_huggingface, layout, to_huggingface

SHAPE = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 24,
         "max_position_embeddings": 12, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}  # fmt: skip
LENGTHS = (9, 5, 1)
DTYPES = pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 3e-5), ("float64", 1e-11)])
EVERY = pytest.mark.parametrize("kind", KINDS)
PADDED = pytest.mark.parametrize("padded", [True, False], ids=["padded", "not padded"])


def theirs(kind, dtype="float64", seed=0, **options):
    """A model of transformers, its weights larger than at its start, so that attention attends and biases count."""
    torch.manual_seed(seed)
    config = transformers.BertConfig(**{**SHAPE, **options}, attn_implementation="eager")
    model = getattr(transformers, kind)(config).eval().to(getattr(torch, dtype))
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn_like(p) * 0.3)
    return model


def ours(model):
    state = {name: t.numpy().copy() for name, t in model.state_dict().items()}
    return from_huggingface(model.config.to_dict(), state, type(model).__name__)


def batch(padded):
    rng = np.random.default_rng(0)
    ids = rng.integers(1, 40, (3, 9))
    mask = np.arange(9) < np.array(LENGTHS)[:, None] if padded else np.ones((3, 9), bool)
    return np.where(mask, ids, 0), mask, (np.arange(9) >= 4) & mask


def targets_of(kind, mask):
    rng = np.random.default_rng(1)
    if kind == "BertForQuestionAnswering":
        return np.array([[1, 3], [2, 4], [0, 0]])
    if kind in ("BertForMaskedLM", "BertForTokenClassification"):
        classes = rng.integers(0, 40 if kind == "BertForMaskedLM" else 3, mask.shape)
        return np.where(mask & (rng.random(mask.shape) < 0.6), classes, NO_TARGET)
    return rng.integers(0, 2, 3)


def their_outputs(model, kind, ids, mask, segments):
    """Logits, or the hidden vectors and the pooled ones."""
    arrays = ids, mask.astype(int), segments.astype(int)
    out = model(*(torch.from_numpy(array) for array in arrays))
    if kind == "BertModel":
        return out.last_hidden_state, out.pooler_output
    if kind == "BertForQuestionAnswering":  # where padding takes part: here it does not
        logits = torch.stack([out.start_logits, out.end_logits], -1)
        return (logits.masked_fill(~torch.from_numpy(mask)[..., None], -torch.inf),)
    return (out.logits,)


def their_loss(model, kind, ids, mask, segments):
    outputs, targets = their_outputs(model, kind, ids, mask, segments), torch.from_numpy(targets_of(kind, mask))
    if kind == "BertModel":
        return (outputs[0] * torch.from_numpy(mask)[..., None]).pow(2).sum() + outputs[1].pow(3).sum()
    if kind == "BertForQuestionAnswering":
        return torch.nn.functional.cross_entropy(outputs[0], targets)
    arrays = ids, mask.astype(int), segments.astype(int)
    return model(*(torch.from_numpy(array) for array in arrays), labels=targets).loss


def our_outputs(model, kind, ids, mask, segments):
    if kind != "BertModel":
        return (model(ids, mask, segments.astype(int)),)
    hidden = model(ids, mask, segments.astype(int))
    return hidden, model.pool(hidden)


def our_loss(model, kind, ids, mask, segments):
    if kind != "BertModel":
        return model.loss(ids, targets_of(kind, mask), mask, segments.astype(int))
    hidden, pooled = our_outputs(model, kind, ids, mask, segments)
    return ((hidden * ml.Tensor(mask[..., None].astype(hidden.dtype))) ** 2).sum() + (pooled**3).sum()


def assert_same(got, want, mask, tolerance):
    """Outputs for texts, and for tokens that are no padding."""
    for a, b in zip(got, want, strict=True):
        a, b = a.numpy(), b.detach().numpy()
        keep = mask if a.ndim == 3 else slice(None)
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a[keep], b[keep], rtol=tolerance, atol=tolerance)


@EVERY
@PADDED
@DTYPES
def test_outputs_loss_and_all_gradients(kind, padded, dtype, tolerance):
    labels = {"num_labels": 3} if kind == "BertForTokenClassification" else {}
    oracle = theirs(kind, dtype, **labels)
    model, (ids, mask, segments) = ours(oracle), batch(padded)
    given = kind, ids, mask, segments
    assert_same(our_outputs(model, *given), their_outputs(oracle, *given), mask, tolerance)
    loss, want = our_loss(model, *given), their_loss(oracle, *given)
    assert loss.item() == pytest.approx(want.item(), rel=tolerance)
    loss.backward()
    want.backward()
    places = layout(model.config, kind, getattr(model, "num_labels", 2))
    grads = {name.removeprefix("bert."): p.grad for name, p in oracle.named_parameters()}
    named = dict(model.named_parameters())
    assert named.keys() == {place.ours for place in places.values()}
    for name, place in places.items():
        b = grads[name].numpy()
        scale = max(1.0, float(np.abs(b).max()))
        np.testing.assert_allclose(
            named[place.ours].grad.numpy(), b, rtol=10 * tolerance, atol=tolerance * scale, err_msg=name
        )


@pytest.mark.parametrize("act", ["relu", "silu", "gelu_new"])
def test_each_activation(act):
    oracle = theirs("BertForMaskedLM", hidden_act=act)
    model, (ids, mask, segments) = ours(oracle), batch(True)
    assert model.config.hidden_act == act
    given = "BertForMaskedLM", ids, mask, segments
    assert_same(our_outputs(model, *given), their_outputs(oracle, *given), mask, 1e-11)


@EVERY
def test_transformers_reads_what_is_written(kind, tmp_path):
    """config.json and safetensors, from the folder; and the outputs are ours."""
    ml.random.manual_seed(0)
    options = {"num_labels": 4} if kind.endswith(("SequenceClassification", "TokenClassification")) else {}
    model = KINDS[kind](BertConfig(**SHAPE), **options).eval()
    with ml.no_grad():
        for p in model.parameters():
            p *= 5.0
    config, arrays = to_huggingface(model)
    (tmp_path / "config.json").write_text(json.dumps(config))
    save_file(arrays, tmp_path / "model.safetensors", metadata={"format": "pt"})
    transformers.logging.set_verbosity_error()
    oracle, told = getattr(transformers, kind).from_pretrained(tmp_path, output_loading_info=True)
    assert not any(told[name] for name in ("missing_keys", "unexpected_keys", "mismatched_keys")), told
    ids, mask, segments = batch(True)
    given = kind, ids, mask, segments
    assert_same(our_outputs(model, *given), their_outputs(oracle.eval(), *given), mask, 1e-5)


def as_pytorch(model):
    """The encoder's layers as torch.nn.TransformerEncoder, with the same weights: three projections packed into one."""
    c = model.config
    layer = torch.nn.TransformerEncoderLayer(
        c.hidden_size, c.num_attention_heads, c.intermediate_size, dropout=0.0, activation="gelu",
        layer_norm_eps=c.layer_norm_eps, batch_first=True, dtype=torch.float64)  # fmt: skip
    encoder = torch.nn.TransformerEncoder(layer, c.num_hidden_layers, enable_nested_tensor=False)
    state = {name: torch.from_numpy(t.numpy().copy()) for name, t in model.state_dict().items()}
    renamed = {}
    for i in range(c.num_hidden_layers):
        at = f"layers.{i}."
        for part in ("weight", "bias"):
            renamed[f"{at}self_attn.in_proj_{part}"] = torch.cat(
                [state[f"{at}self_attn.{x}_proj.{part}"] for x in "qkv"]
            )
            for a, b in (("self_attn.out_proj", "self_attn.out_proj"), ("linear1", "feed_forward.up"),
                         ("linear2", "feed_forward.down"), ("norm1", "norm1"), ("norm2", "norm2")):  # fmt: skip
                renamed[f"{at}{a}.{part}"] = state[f"{at}{b}.{part}"]
    encoder.load_state_dict(renamed)
    return encoder


@PADDED
def test_the_encoder_is_pytorch_s(padded):
    model = ours(theirs("BertModel"))
    encoder, (ids, mask, _) = as_pytorch(model), batch(padded)
    x = model.norm(model.positions(model.words(ids) + model.segments(np.zeros_like(ids))))
    there = torch.from_numpy(x.numpy().copy()).requires_grad_()
    want = encoder(there, src_key_padding_mask=torch.from_numpy(~mask))
    start = ml.Tensor(x.numpy(), requires_grad=True)
    y = start
    for layer in model.layers:
        y = layer(y, key_padding_mask=~mask)
    np.testing.assert_allclose(y.numpy()[mask], want.detach().numpy()[mask], rtol=1e-11, atol=1e-11)
    np.testing.assert_array_equal(model(ids, mask).numpy()[mask], y.numpy()[mask])
    weights = np.random.default_rng(2).standard_normal(y.shape) * mask[..., None]
    (y * ml.Tensor(weights)).sum().backward()
    (want * torch.from_numpy(weights)).sum().backward()
    np.testing.assert_allclose(start.grad.numpy(), there.grad.numpy(), rtol=1e-10, atol=1e-10)
    for i, layer in enumerate(model.layers):
        packed = encoder.layers[i].self_attn.in_proj_weight.grad.numpy()
        parts = [getattr(layer.self_attn, f"{c}_proj").weight.grad.numpy() for c in "qkv"]
        np.testing.assert_allclose(np.concatenate(parts), packed, rtol=1e-9, atol=1e-10)
        there_down = encoder.layers[i].linear2.weight.grad.numpy()
        np.testing.assert_allclose(layer.feed_forward.down.weight.grad.numpy(), there_down, rtol=1e-9, atol=1e-10)


def test_the_vector_of_a_text_is_sentence_transformers():
    """Mean over the mask, then length 1, as sentence-transformers' modules Pooling and Normalize compute it."""
    oracle = theirs("BertModel")
    model, (ids, mask, segments) = ours(oracle), batch(True)
    hidden, _ = their_outputs(oracle, "BertModel", ids, mask, segments)
    m = torch.from_numpy(mask)[..., None].double()
    want = torch.nn.functional.normalize((hidden * m).sum(1) / m.sum(1).clamp(min=1e-9), dim=1)
    got = model.embed(ids, mask, segments.astype(int)).numpy()
    np.testing.assert_allclose(got, want.detach().numpy(), rtol=1e-11)
    assert isinstance(model, Bert)
