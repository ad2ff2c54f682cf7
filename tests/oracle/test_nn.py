"""The same weights in minilm and in PyTorch give the same outputs, the same gradients, and the same running statistics."""

import numpy as np
import pytest

import minilm as ml
from minilm import nn
from minilm.backend import to_device
from minilm.pretrained.torch import from_torch

torch = pytest.importorskip("torch")
tnn = torch.nn
pytestmark = pytest.mark.filterwarnings(
    "ignore:Using padding='same' with even kernel:UserWarning", "ignore:reduction. 'mean' divides:UserWarning"
)

PADDING = np.array([[False, False, True], [False, False, False]])
CAUSAL = np.triu(np.ones((3, 3), bool), 1)  # PyTorch's layers: True where attention is forbidden


class Case:
    def __init__(self, name, ours, theirs, *shapes, train=True, ours_with=None, theirs_with=None):
        self.name, self.ours, self.theirs, self.shapes, self.train = name, ours, theirs, shapes, train
        self.ours_with, self.theirs_with = ours_with or {}, theirs_with or {}


def twin(name, *shapes, args=(), kwargs=None, train=True, **more):
    """A layer that has one name and one signature in both."""
    kwargs = kwargs or {}
    return Case(name, lambda: getattr(nn, name)(*args, **kwargs), lambda: getattr(tnn, name)(*args, **kwargs), *shapes,
                train=train, **more)  # fmt: skip


def block(name, *shapes, ours_with=None, theirs_with=None, **options):
    options = {"dim_feedforward": 5, "dropout": 0.0, **options}
    return Case(name, lambda: getattr(nn, name)(4, 2, **options), lambda: getattr(tnn, name)(4, 2, batch_first=True, **options),
                *shapes, ours_with=ours_with, theirs_with=theirs_with)  # fmt: skip


def attention(*shapes, ours_with=None, theirs_with=None, **options):
    return Case("MultiHeadAttention", lambda: nn.MultiHeadAttention(4, 2, **options),
                lambda: tnn.MultiheadAttention(4, 2, batch_first=True, **options), *shapes, ours_with=ours_with,
                theirs_with=theirs_with)  # fmt: skip


CASES = [
    twin("Linear", (2, 5, 3), args=(3, 4)),
    twin("Linear", (3,), args=(3, 4), kwargs={"bias": False}),
    twin("LayerNorm", (2, 3, 4), args=(4,)),
    twin("LayerNorm", (2, 3, 4), args=(4,), kwargs={"bias": False, "eps": 0.1}),
    twin("RMSNorm", (2, 3, 4), args=(4, 1e-5)),
    twin("BatchNorm1d", (6, 3), args=(3,)),
    twin("BatchNorm1d", (3, 2, 4), args=(2,), kwargs={"momentum": None, "affine": False}),
    twin("BatchNorm1d", (6, 3), args=(3,), train=False),
    twin("BatchNorm2d", (3, 2, 3, 4), args=(2,), kwargs={"momentum": 0.3}),
    twin("BatchNorm2d", (3, 2, 3, 4), args=(2,), train=False),
    twin("Conv1d", (2, 4, 7), args=(4, 6, 3), kwargs={"stride": 2, "padding": 1, "groups": 2}),
    twin("Conv1d", (2, 2, 7), args=(2, 3, 2), kwargs={"padding": "same", "bias": False}),
    twin("Conv2d", (2, 2, 5, 6), args=(2, 3, 3)),
    twin("Conv2d", (2, 2, 7, 6), args=(2, 4, (3, 2)), kwargs={"stride": (2, 1), "padding": (1, 2), "dilation": 2, "groups": 2}),
    twin("MaxPool2d", (2, 2, 5, 6), args=(2,), kwargs={"stride": 1, "padding": 1}),
    twin("AvgPool2d", (2, 2, 5, 6), args=(3,), kwargs={"stride": 2, "padding": 1, "count_include_pad": False}),
    twin("Flatten", (2, 3, 4)),
    twin("RNN", (4, 2, 3), args=(3, 5)),
    twin("RNN", (2, 4, 3), (2, 2, 5), args=(3, 5, 2, "relu"), kwargs={"batch_first": True, "bias": False}),
    twin("GRU", (4, 2, 3), args=(3, 5)),
    twin("GRU", (4, 2, 3), (4, 2, 5), args=(3, 5, 2), kwargs={"bidirectional": True}),
    twin("LSTM", (4, 2, 3), args=(3, 5)),
    twin("LSTM", (2, 4, 3), args=(3, 5, 2), kwargs={"bidirectional": True, "batch_first": True}),
    twin("Tanh", (2, 3)), twin("Sigmoid", (2, 3)), twin("ReLU", (2, 3)), twin("SiLU", (2, 3)), twin("Softplus", (2, 3)),
    twin("LeakyReLU", (2, 3), args=(0.2,)), twin("GELU", (2, 3)), twin("GELU", (2, 3), kwargs={"approximate": "tanh"}),
    twin("Softmax", (2, 3), args=(0,)), twin("LogSoftmax", (2, 3), args=(1,)),
    twin("Dropout", (2, 3), train=False),
    attention((2, 3, 4), (2, 5, 4), (2, 5, 4)),
    attention((2, 2, 4), (2, 3, 4), (2, 3, 4), bias=False, ours_with={"key_padding_mask": PADDING},
              theirs_with={"key_padding_mask": torch.tensor(PADDING)}),
    attention((2, 3, 4), (2, 3, 4), (2, 3, 4), ours_with={"causal": True}, theirs_with={"attn_mask": torch.tensor(CAUSAL)}),
    block("TransformerEncoderLayer", (2, 3, 4), ours_with={"key_padding_mask": PADDING},
          theirs_with={"src_key_padding_mask": torch.tensor(PADDING)}),
    block("TransformerEncoderLayer", (2, 3, 4), norm_first=True, activation="gelu", ours_with={"causal": True},
          theirs_with={"src_mask": torch.tensor(CAUSAL)}),
    block("TransformerDecoderLayer", (2, 3, 4), (2, 3, 4), ours_with={"memory_key_padding_mask": PADDING},
          theirs_with={"memory_key_padding_mask": torch.tensor(PADDING), "tgt_mask": torch.tensor(CAUSAL)}),
    block("TransformerDecoderLayer", (2, 2, 4), (2, 3, 4), norm_first=True, ours_with={"causal": False}),
]  # fmt: skip


def first(result):
    """The outputs of a layer: of an attention layer of PyTorch without the weights, of an LSTM with both states."""
    flat = []
    for part in result if isinstance(result, tuple) else (result,):
        flat += list(part) if isinstance(part, tuple) else [part]
    return flat


def build(case, device):
    """Both layers, in float64, with the same random parameters and running statistics."""
    torch.manual_seed(0)
    theirs = case.theirs().double().train(case.train)
    with torch.no_grad():
        for name, t in theirs.state_dict().items():
            if t.is_floating_point():
                t.copy_(torch.rand_like(t) + 0.5 if "running" in name else torch.randn_like(t))
    ours = case.ours().to("float64").to(device).train(case.train)
    ours.load_state_dict(from_torch(ours, theirs.state_dict()))
    return ours, theirs


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{i}-{case.name}") for i, case in enumerate(CASES)])
def test_layer_equals_pytorch(case, device):
    ours, theirs = build(case, device)
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape) for shape in case.shapes]
    xs = [ml.Tensor(to_device(x, device), requires_grad=True) for x in arrays]
    ts = [torch.tensor(x, requires_grad=True) for x in arrays]
    ys, zs = first(ours(*xs, **case.ours_with)), first(theirs(*ts, **case.theirs_with))
    zs = zs[: len(ys)]
    upstream = [rng.standard_normal(y.shape) for y in ys]
    for y, z in zip(ys, zs, strict=True):
        np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=1e-9, atol=1e-11)
    sum((y * ml.Tensor(to_device(v, device))).sum() for y, v in zip(ys, upstream, strict=True)).backward()
    sum((z * torch.tensor(v)).sum() for z, v in zip(zs, upstream, strict=True)).backward()
    for x, t in zip(xs, ts, strict=True):
        np.testing.assert_allclose(x.grad.numpy(), t.grad.numpy(), rtol=1e-8, atol=1e-10)
    grads = {name: p.grad for name, p in theirs.named_parameters()}
    expected = from_torch(ours, {**dict(theirs.named_buffers()), **grads})
    for name, p in ours.named_parameters():
        np.testing.assert_allclose(p.grad.numpy(), expected[name], rtol=1e-8, atol=1e-10, err_msg=name)
    after = from_torch(ours, theirs.state_dict())
    for name, value in ours.state_dict().items():
        np.testing.assert_allclose(value.numpy(), after[name], rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("padding_idx", [None, 2])
def test_embedding_equals_pytorch(padding_idx, device):
    ours, theirs = nn.Embedding(5, 3, padding_idx).to("float64").to(device), tnn.Embedding(5, 3, padding_idx).double()
    ours.load_state_dict(from_torch(ours, theirs.state_dict()))
    ids, v = np.array([[1, 2, 1], [4, 2, 0]]), np.random.default_rng(0).standard_normal((2, 3, 3))
    y, z = ours(ml.Tensor(to_device(ids, device))), theirs(torch.tensor(ids))
    np.testing.assert_array_equal(y.numpy(), z.detach().numpy())
    (y * ml.Tensor(to_device(v, device))).sum().backward()
    (z * torch.tensor(v)).sum().backward()
    np.testing.assert_allclose(ours.weight.grad.numpy(), theirs.weight.grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_sequences_of_different_lengths_equal_pytorchs_packed_ones(kind, device):
    case = twin(kind, args=(3, 4, 2), kwargs={"bidirectional": True})
    ours, theirs = build(case, device)
    rng, lengths = np.random.default_rng(0), [5, 2, 3]
    array = rng.standard_normal((5, 3, 3))
    x, t = ml.Tensor(to_device(array, device), requires_grad=True), torch.tensor(array, requires_grad=True)
    packed = tnn.utils.rnn.pack_padded_sequence(t, lengths, enforce_sorted=False)
    z, state = theirs(packed)
    zs = first((tnn.utils.rnn.pad_packed_sequence(z)[0], state))
    ys = first(ours(x, lengths=lengths))
    upstream = [rng.standard_normal(y.shape) for y in ys]
    for y, z in zip(ys, zs, strict=True):
        np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=1e-9, atol=1e-11)
    sum((y * ml.Tensor(to_device(v, device))).sum() for y, v in zip(ys, upstream, strict=True)).backward()
    sum((z * torch.tensor(v)).sum() for z, v in zip(zs, upstream, strict=True)).backward()
    np.testing.assert_allclose(x.grad.numpy(), t.grad.numpy(), rtol=1e-8, atol=1e-10)
    for name, p in theirs.named_parameters():
        np.testing.assert_allclose(getattr(ours, name).grad.numpy(), p.grad.numpy(), rtol=1e-8, atol=1e-10)


WEIGHT = [1.0, 2.0, 0.5]
CLASSES = [0, 2, 1, 1]
LOSSES = [
    ("CrossEntropyLoss", {}, "logits", CLASSES),
    ("CrossEntropyLoss", {"weight": WEIGHT, "ignore_index": 1, "label_smoothing": 0.1}, "logits", CLASSES),
    ("CrossEntropyLoss", {"weight": WEIGHT, "label_smoothing": 0.2}, "logits", "shares"),
    ("NLLLoss", {"weight": WEIGHT, "ignore_index": 2}, "logs", CLASSES),
    ("BCELoss", {}, "shares", "shares"),
    ("BCEWithLogitsLoss", {"pos_weight": WEIGHT}, "logits", "shares"),
    ("MSELoss", {}, "logits", "logits"),
    ("L1Loss", {}, "logits", "logits"),
    ("HuberLoss", {"delta": 0.7}, "logits", "logits"),
    ("KLDivLoss", {}, "logs", "shares"),
    ("KLDivLoss", {"log_target": True}, "logs", "logs"),
]


def loss_input(kind, rng):
    logits = rng.standard_normal((4, 3))
    if kind == "logits":
        return logits
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return logs if kind == "logs" else np.exp(logs)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(("name", "options", "kind", "target"), LOSSES)
def test_loss_equals_pytorch(name, options, kind, target, reduction, device):
    rng = np.random.default_rng(0)
    x, t = loss_input(kind, rng), loss_input(target, rng) if isinstance(target, str) else np.array(target)
    ours = getattr(nn, name)(
        **{k: np.array(v) if isinstance(v, list) else v for k, v in options.items()}, reduction=reduction
    )
    theirs = getattr(tnn, name)(
        **{k: torch.tensor(v, dtype=torch.float64) if isinstance(v, list) else v for k, v in options.items()},
        reduction=reduction,
    )
    a, b = ml.Tensor(to_device(x, device), requires_grad=True), torch.tensor(x, requires_grad=True)
    y, z = ours.to(device)(a, ml.Tensor(to_device(t, device))), theirs(b, torch.tensor(t))
    np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=1e-10, atol=1e-12)
    v = rng.standard_normal(y.shape)
    y.backward(ml.Tensor(to_device(np.asarray(v), device)))
    z.backward(torch.tensor(v))
    np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("xavier_uniform_", {"gain": 1.5}),
        ("xavier_normal_", {}),
        ("kaiming_uniform_", {"a": 5**0.5}),
        ("kaiming_normal_", {"mode": "fan_out", "nonlinearity": "relu"}),
        ("kaiming_uniform_", {"nonlinearity": "tanh"}),
    ],
)
def test_initialisers_have_pytorchs_spread(name, options):
    ours, theirs = ml.zeros(60, 40, 3, 3), torch.empty(60, 40, 3, 3)
    getattr(nn.init, name)(ours, **options, rng=np.random.default_rng(0))
    torch.manual_seed(0)
    getattr(tnn.init, name)(theirs, **options)
    assert ours.numpy().std() == pytest.approx(float(theirs.std()), rel=0.02)
    assert abs(ours.numpy().mean()) < 0.02 * ours.numpy().std()
    if "uniform" in name:
        assert np.abs(ours.numpy()).max() == pytest.approx(float(theirs.abs().max()), rel=1e-3)


@pytest.mark.parametrize("make", [lambda m: m.Linear(50, 400), lambda m: m.Conv2d(5, 200, 3), lambda m: m.LSTM(5, 64)])
def test_layers_start_with_pytorchs_spread(make):
    ml.manual_seed(0)
    torch.manual_seed(0)
    ours, theirs = make(nn), make(tnn)
    for name, p in theirs.state_dict().items():
        mine = ours.state_dict()[name].numpy()
        assert mine.std() == pytest.approx(float(p.std()), rel=0.2), name
        assert np.abs(mine).max() == pytest.approx(float(p.abs().max()), rel=0.05), name
