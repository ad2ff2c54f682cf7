"""BERT: its formula, gradients of every head to second order, and a padded batch against each of its rows alone."""

import math

import numpy as np
import pytest

import minilm as ml
from minilm.gradcheck import gradcheck, gradgradcheck
from minilm.models.bert import (
    NO_TARGET,
    Bert,
    BertBiEncoder,
    BertConfig,
    BertForMaskedLM,
    BertForNextSentencePrediction,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
)
from minilm.optim import AdamW

SHAPE = {"vocab_size": 11, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12,
         "max_position_embeddings": 6, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}  # fmt: skip
IDS = np.array([[1, 4, 5, 2, 7, 2], [1, 9, 2, 3, 2, 0], [1, 2, 0, 0, 0, 0]])
MASK = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0], [1, 1, 0, 0, 0, 0]])
SEGMENTS = np.array([[0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 0], [0, 0, 0, 0, 0, 0]])
N = NO_TARGET
TARGETS = {
    BertForMaskedLM: np.array([[N, 4, N, N, 3, N], [N, N, N, 8, N, N], [5, N, N, N, N, N]]),
    BertForSequenceClassification: np.array([0, 1, 1]),
    BertForTokenClassification: np.array([[N, 1, 0, 1, 1, N], [N, 0, N, 1, N, N], [1, 0, N, N, N, N]]),
    BertForQuestionAnswering: np.array([[1, 3], [2, 2], [0, 1]]),
    BertForNextSentencePrediction: np.array([1, 0, 1]),
    BertBiEncoder: IDS[:, ::-1] * 0 + [[1, 3, 3, 2, 0, 0]],
}
HEADS = pytest.mark.parametrize("kind", TARGETS, ids=lambda kind: kind.__name__)


def small(kind=Bert, *, seed=0, options=None, **config):
    ml.random.manual_seed(seed)
    return kind(BertConfig(**{**SHAPE, **config}), **(options or {}))


def in_float64(model):
    """Larger weights than BERT's at the start, so that no gradient is lost in the small ones."""
    model.to("float64")
    rng = np.random.default_rng(0)
    for p in model.parameters():
        with ml.no_grad():
            p.copy_(ml.Tensor(rng.standard_normal(p.shape) * 0.4))
    return model


def loss_of(model, rows=slice(None), length=None):
    """The loss of some rows, cut to a length."""
    kind, cut = type(model), slice(length)
    ids, mask, targets = IDS[rows, cut], MASK[rows, cut], TARGETS[kind][rows]
    if kind is BertBiEncoder:
        return model.loss(ids, targets[:, :4], mask, np.array([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 0]])[rows])
    if kind in (BertForMaskedLM, BertForTokenClassification):
        targets = targets[:, cut]
    return model.loss(ids, targets, mask, SEGMENTS[rows, cut])


# -- gradients --------------------------------------------------------------------------------------------------------


@HEADS
def test_gradient_of_every_parameter(kind):
    model = in_float64(small(kind, num_hidden_layers=2 if kind is BertForMaskedLM else 1))
    names, parameters = zip(*model.named_parameters(), strict=True)
    gradcheck(lambda *_: loss_of(model), *parameters, directions=1, rtol=1e-4, atol=1e-6)
    loss_of(model).backward()
    unseen = ["k_proj.bias"]  # it adds the same to all scores of a query, which softmax does not see
    if kind is BertForQuestionAnswering:  # and these to all positions
        unseen += ["norm2.bias", "outputs.bias"]
    for name, p in zip(names, parameters, strict=True):
        if not name.endswith(tuple(unseen)):
            assert np.abs(p.grad.numpy()).max() > 1e-9, name


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=[pytest.mark.slow][kind is BertForMaskedLM :], id=kind.__name__)
                                  for kind in TARGETS])  # fmt: skip
def test_second_derivative(kind):
    model = in_float64(small(kind, num_hidden_layers=1))
    gradgradcheck(lambda *_: loss_of(model), *model.parameters(), directions=1, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("act", ["relu", "silu", "gelu_new"])
def test_gradient_of_each_activation(act):
    model = in_float64(small(BertForMaskedLM, num_hidden_layers=1, hidden_act=act))
    gradcheck(lambda *_: loss_of(model), *model.parameters(), directions=1, rtol=1e-4, atol=1e-6)


def test_gradient_with_dropout_on():
    dropout = {"hidden_dropout_prob": 0.3, "attention_probs_dropout_prob": 0.2}
    model = in_float64(small(BertForSequenceClassification, num_hidden_layers=1, **dropout))

    def loss(*_):
        ml.random.manual_seed(3)
        return loss_of(model)

    gradcheck(loss, *model.parameters(), directions=1, rtol=1e-4, atol=1e-6)


def test_gradient_of_the_embedding_of_a_text():
    model = in_float64(small(num_hidden_layers=1))
    gradcheck(lambda *_: model.embed(IDS, MASK, SEGMENTS), *model.parameters(), directions=1, rtol=1e-4, atol=1e-6)


# -- the formula ------------------------------------------------------------------------------------------------------


def by_hand(model, ids, segments):
    """The equations of the module's docstring, head by head."""
    w, config = {name: p.numpy() for name, p in model.named_parameters()}, model.config

    def linear(x, name):
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(x, name):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x * x).mean(-1, keepdims=True) + config.layer_norm_eps)
        return x * w[f"{name}.weight"] + w[f"{name}.bias"]

    def attention(x, name):
        parts = [np.split(linear(x, f"{name}.{c}_proj"), config.num_attention_heads, -1) for c in "qkv"]
        heads = []
        for q, k, v in zip(*parts, strict=True):
            e = np.exp(q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1]))
            heads.append(e / e.sum(-1, keepdims=True) @ v)
        return linear(np.concatenate(heads, -1), f"{name}.out_proj")

    def gelu(x):
        return x * 0.5 * (1.0 + np.vectorize(math.erf)(x / np.sqrt(2.0)))

    h = w["words.weight"][ids] + w["segments.weight"][segments] + w["positions.weight"][: ids.shape[1]]
    h = norm(h, "norm")
    for name in (f"layers.{i}" for i in range(config.num_hidden_layers)):
        h = norm(h + attention(h, f"{name}.self_attn"), f"{name}.norm1")
        h = norm(h + linear(gelu(linear(h, f"{name}.feed_forward.up")), f"{name}.feed_forward.down"), f"{name}.norm2")
    return h


def test_it_is_the_formula():
    model = in_float64(small())
    want = by_hand(model, IDS, SEGMENTS)
    np.testing.assert_allclose(model(IDS, segments=SEGMENTS).numpy(), want, rtol=1e-9, atol=1e-11)
    pooled = np.tanh(want[:, 0] @ model.pooler.weight.numpy().T + model.pooler.bias.numpy())
    np.testing.assert_allclose(model.pool(model(IDS, segments=SEGMENTS)).numpy(), pooled, rtol=1e-9, atol=1e-11)
    mean = want.mean(axis=1)
    embedded = mean / np.linalg.norm(mean, axis=-1, keepdims=True)
    np.testing.assert_allclose(model.embed(IDS, segments=SEGMENTS).numpy(), embedded, rtol=1e-9, atol=1e-11)


def test_every_token_sees_every_other():
    model = in_float64(small())
    before = model(IDS).numpy()
    for place in (0, 5):
        changed = IDS.copy()
        changed[:, place] = 10
        assert (np.abs(model(changed).numpy() - before).max(axis=-1) > 1e-6).all()


def test_the_loss_computes_only_what_is_asked():
    model, targets = in_float64(small(BertForMaskedLM)), TARGETS[BertForMaskedLM]
    found = []
    for loss in (model.loss, model.loss_naive):
        model.zero_grad()
        value = loss(IDS, targets, MASK, SEGMENTS)
        value.backward()
        found.append([value.numpy(), *(p.grad.numpy() for p in model.parameters())])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)
    for loss in (model.loss, model.loss_naive):
        assert np.isnan(loss(IDS, np.full(IDS.shape, NO_TARGET)).item())


def test_the_output_matrix_is_the_embedding_with_a_bias_of_its_own():
    model = in_float64(small(BertForMaskedLM))
    assert sum(p.shape == (11, 8) for p in model.parameters()) == 1
    before = model(IDS).numpy()
    with ml.no_grad():
        model.bias[3] += 2.0
    np.testing.assert_allclose(
        model(IDS).numpy() - before, 2.0 * (np.arange(11) == 3) + np.zeros_like(before), atol=1e-12
    )


def test_start():
    model = small(BertForMaskedLM, vocab_size=500, hidden_size=64, num_attention_heads=4, max_position_embeddings=100)
    for name, p in model.named_parameters():
        if p.ndim == 2:
            assert p.numpy().std() == pytest.approx(0.02, rel=0.1 if p.size > 1000 else 0.3), name
        elif name.endswith("bias"):
            assert not p.numpy().any(), name
        else:
            assert (p.numpy() == 1).all(), name
    assert not model.bert.words.weight.numpy()[0].any()
    assert model.loss(IDS, IDS).item() == pytest.approx(np.log(500), abs=0.1)


# -- padding ----------------------------------------------------------------------------------------------------------

LENGTHS = [6, 5, 2]
DTYPES = pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 2e-5)])


@DTYPES
def test_a_padded_batch_equals_its_rows_alone(dtype, tolerance):
    """Also where the padding holds other tokens: nothing of it reaches a token."""
    model = in_float64(small()).to(dtype)
    other = np.where(MASK, IDS, 9)
    whole, again = model(IDS, MASK, SEGMENTS).numpy(), model(other, MASK, 1 - MASK * (1 - SEGMENTS)).numpy()
    embedded = model.embed(IDS, MASK, SEGMENTS).numpy()
    np.testing.assert_array_equal(model.embed(other, MASK, SEGMENTS).numpy(), embedded)
    for row, n in enumerate(LENGTHS):
        alone = IDS[row : row + 1, :n], None, SEGMENTS[row : row + 1, :n]
        np.testing.assert_array_equal(again[row, :n], whole[row, :n])
        np.testing.assert_allclose(whole[row, :n], model(*alone).numpy()[0], rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(embedded[row], model.embed(*alone).numpy()[0], rtol=tolerance, atol=tolerance)


@DTYPES
@pytest.mark.parametrize(
    "kind", [kind for kind in TARGETS if kind is not BertBiEncoder], ids=lambda kind: kind.__name__
)
def test_gradients_of_a_padded_batch_are_those_of_its_rows_alone(kind, dtype, tolerance):
    """A mean over all that is asked is the rows' means, weighted by how much each asks."""
    model = in_float64(small(kind)).to(dtype)
    per_token = kind in (BertForMaskedLM, BertForTokenClassification)
    weights = (TARGETS[kind] != NO_TARGET).sum(axis=1) if per_token else np.ones(3)
    total, loss = dict.fromkeys(dict(model.named_parameters()), 0.0), 0.0
    for row, n in enumerate(LENGTHS):
        model.zero_grad()
        alone = loss_of(model, slice(row, row + 1), n) * float(weights[row] / weights.sum())
        alone.backward()
        loss += alone.item()
        for name, p in model.named_parameters():
            total[name] = total[name] + p.grad.numpy()
    model.zero_grad()
    whole = loss_of(model)
    whole.backward()
    assert whole.item() == pytest.approx(loss, rel=tolerance)
    for name, p in model.named_parameters():
        scale = max(1.0, float(np.abs(total[name]).max()))
        np.testing.assert_allclose(
            p.grad.numpy(), total[name], rtol=10 * tolerance, atol=tolerance * scale, err_msg=name
        )


def test_padding_gets_no_gradient():
    model = in_float64(small(BertForQuestionAnswering))
    hidden = []
    model.bert.register_forward_hook(lambda _m, _a, y: hidden.append(y))
    loss = loss_of(model)
    (g,) = ml.grad([loss], hidden)
    assert not g.numpy()[MASK == 0].any()
    assert np.abs(g.numpy()[MASK == 1]).max() > 0


def test_a_mask_is_boolean_or_of_ones_and_zeros_and_all_ones_is_none():
    model = in_float64(small())
    np.testing.assert_array_equal(model(IDS, MASK).numpy(), model(IDS, MASK.astype(bool)).numpy())
    np.testing.assert_array_equal(model(IDS, MASK).numpy(), model(IDS, ml.Tensor(MASK)).numpy())
    np.testing.assert_allclose(model(IDS, np.ones_like(MASK)).numpy(), model(IDS).numpy(), rtol=1e-12)


def test_a_row_that_is_padding_only():
    """What the encoder returns for it is finite; a mean of nothing is refused."""
    model, mask = small(), MASK.copy()
    mask[1] = 0
    assert np.isfinite(model(IDS, mask).numpy()).all()
    with pytest.raises(ValueError, match=r"row 1 is padding only.*\[CLS\]"):
        model.embed(IDS, mask)


# -- edges ------------------------------------------------------------------------------------------------------------


def test_vectors_of_texts_have_length_1():
    for dtype, tolerance in (("float64", 1e-14), ("float32", 1e-6), ("float16", 2e-3)):
        e = small().to(dtype).embed(IDS, MASK)
        assert e.dtype == np.dtype(dtype)
        np.testing.assert_allclose(np.linalg.norm(e.numpy().astype(float), axis=1), 1.0, atol=tolerance)


def test_one_token_one_row_and_no_row():
    model = small().eval()
    assert model([[4]]).shape == (1, 1, 8)
    assert model(np.zeros((0, 3), int)).shape == (0, 3, 8)
    assert model.embed(np.zeros((0, 3), int), np.zeros((0, 3), bool)).shape == (0, 8)
    for dtype in ("uint16", "int32"):
        np.testing.assert_array_equal(model(IDS.astype(dtype)).numpy(), model(IDS).numpy())


@HEADS
def test_dtypes_stay(kind):
    for dtype in ("float32", "float64"):
        model = small(kind).to(dtype)
        loss = loss_of(model)
        loss.backward()
        assert {loss.dtype, *(p.grad.dtype for p in model.parameters())} == {np.dtype(dtype)}


def test_dropout_stands_where_bert_has_it():
    """After the embeddings, on attention weights, on each sublayer's output; nowhere else."""
    model = small(hidden_dropout_prob=0.3, attention_probs_dropout_prob=0.2)
    layer = model.layers[0]
    assert (model.dropout.p, layer.dropout.p, layer.self_attn.dropout, layer.feed_forward.dropout.p) == (
        0.3,
        0.3,
        0.2,
        0,
    )
    ml.random.manual_seed(1)
    a, b = model(IDS).numpy(), model(IDS).numpy()
    assert (a != b).any()
    np.testing.assert_array_equal(model.eval()(IDS).numpy(), small().eval()(IDS).numpy())


def test_learns_what_is_masked():
    model = small(BertForMaskedLM, hidden_size=16, num_attention_heads=2)
    optimizer = AdamW(model.parameters(), lr=1e-2)
    text = np.array([[4, 5, 6, 7, 8, 9], [9, 8, 7, 6, 5, 4]])
    ids, targets = text.copy(), np.full(text.shape, NO_TARGET)
    ids[:, 2], targets[:, 2] = 3, text[:, 2]
    for _ in range(60):
        loss = model.loss(ids, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1
    np.testing.assert_array_equal(model(ids).numpy()[:, 2].argmax(-1), [6, 7])


def test_the_bi_encoder_brings_partners_together():
    model = small(BertBiEncoder)
    optimizer = AdamW(model.parameters(), lr=1e-2)
    first, second = np.array([[4, 5], [6, 7], [8, 9]]), np.array([[5, 4, 4], [7, 6, 6], [9, 8, 8]])
    for _ in range(30):
        loss = model.loss(first, second)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.2
    e = model.bert.embed(first).numpy() @ model.bert.embed(second).numpy().T
    np.testing.assert_allclose(model(first, second).numpy(), np.diag(e), rtol=1e-5)
    np.testing.assert_array_equal(e.argmax(axis=1), [0, 1, 2])


@pytest.mark.parametrize(
    ("options", "message"),
    [({"vocab_size": 0}, "vocab_size must be a positive"), ({"num_attention_heads": 3}, "does not divide hidden_size=8"),
     ({"hidden_act": "tanh"}, "hidden_act must be"), ({"hidden_act": []}, "hidden_act must be"),
     ({"hidden_dropout_prob": 1.0}, "less than 1"), ({"attention_probs_dropout_prob": "0"}, "at least 0"),
     ({"layer_norm_eps": 0.0}, "layer_norm_eps must be a positive"), ({"layer_norm_eps": float("nan")}, "layer_norm_eps"),
     ({"pad_token_id": 11}, "one of the 11 tokens"), ({"pad_token_id": None}, "pad_token_id"), ({"type_vocab_size": True}, "type_vocab"),
     ({"num_hidden_layers": 2.0}, "num_hidden_layers")],
)  # fmt: skip
def test_wrong_configs_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        small(**options)


@pytest.mark.host
def test_wrong_inputs_are_named():
    model = small()
    with pytest.raises(ValueError, match=r"1 to 6 tokens.*\(1, 7\)"):
        model(np.zeros((1, 7), int))
    with pytest.raises(ValueError, match="1 to 6 tokens"):
        model(np.zeros((1, 0), int))
    with pytest.raises(ValueError, match="expected ids of shape"):
        model([1, 2])
    with pytest.raises(TypeError, match="ids must be integers, got float64"):
        model([[0.5]])
    for wrong in (11, -1):
        with pytest.raises(IndexError, match=str(wrong)):
            model([[wrong]])
    with pytest.raises(IndexError, match="2"):
        model([[1]], segments=[[2]])
    with pytest.raises(ValueError, match=r"segments have shape \(1, 2\), expected \(1, 1\)"):
        model([[1]], segments=[[0, 0]])
    with pytest.raises(ValueError, match=r"mask has shape \(2,\), expected \(1, 2\)"):
        model([[1, 2]], mask=[1, 1])
    with pytest.raises(ValueError, match="other numbers"):
        model([[1, 2]], mask=[[1, 2]])
    with pytest.raises(TypeError, match="mask must be boolean"):
        model([[1, 2]], mask=[[1.0, 0.0]])
    with pytest.raises(ValueError, match="without a pooler"):
        small(options={"pooler": False}).pool(model([[1]]))
    with pytest.raises(ValueError, match=r"spans of shape \(3, 2\)"):
        small(BertForQuestionAnswering).loss(IDS, [[1], [1], [1]])
    with pytest.raises(IndexError, match="6"):
        small(BertForQuestionAnswering).loss(IDS, [[1, 6], [1, 1], [1, 1]])
    with pytest.raises(ValueError, match="targets have shape"):
        small(BertForMaskedLM).loss(IDS, IDS[:, 1:])
    with pytest.raises(IndexError, match="11"):
        small(BertForMaskedLM).loss(IDS, IDS + 11)


@pytest.mark.host
@HEADS
def test_on_the_device_under_test(device, kind):
    model, reference = small(kind).to(device), small(kind)
    loss, want = loss_of(model), loss_of(reference)
    loss.backward()
    want.backward()
    assert loss.item() == pytest.approx(want.item(), rel=1e-5)
    for (name, p), q in zip(model.named_parameters(), reference.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), atol=1e-5, err_msg=name)
