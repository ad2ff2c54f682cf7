"""One image, one line, one sequence, one row without the batch's axis: as a batch of one, for every layer of the table."""

import numpy as np
import pytest

import minilm as ml
from minilm import nn
from minilm.backend import to_device
from tests.nn.table import ROWS
from tests.nn.test_layers import build, call

NAMES_AN_AXIS = {  # counted from the front, so that it is another one without the batch's
    "Flatten", "GLU", "LogSoftmax", "PReLU", "KLDivLoss",
}  # fmt: skip
NEEDS_A_BATCH = {"BatchNorm1d", "BatchNorm2d", "Upsample"}
NODES = {"GraphConv", "MessagePassing"}  # a row per node of one graph: those are no batch
WHOLE = {"Linear, a vector", "LayerNorm, two axes, no bias"}  # rows of the table that have no batch axis
SWEPT = [
    row for row in ROWS if type(row.make()).__name__ not in NEEDS_A_BATCH | NODES and row.name not in NAMES_AN_AXIS
]


def batch_axis(layer, i):
    """Which axis of input i is the batch's; None where it has none: a mask."""
    if isinstance(layer, nn.RNN | nn.LSTM | nn.GRU):
        return 0 if i == 0 and layer.batch_first else 1
    return None if isinstance(layer, nn.MultiHeadAttention) and i == 3 else 0


def both_forms(row, device):
    """The layer, and its inputs as a batch of one and without the batch's axis."""
    layer, inputs = build(row, device)
    ones, bares = [], []
    for i, x in enumerate(inputs):
        axis, x = batch_axis(layer, i), x.numpy()
        first = x if axis is None or row.name in WHOLE else x.take(0, axis)
        one = first if axis is None else np.expand_dims(first, axis)
        for form, array in ((ones, one), (bares, first)):
            form.append(ml.Tensor(to_device(np.array(array), device), array.dtype.kind == "f"))
    named = {name: value for name, value in row.named.items() if name != "lengths"}
    masks = {name: value for name, value in named.items() if name.endswith("mask")}
    return (
        layer,
        (ones, {**named, **{k: v[:1] for k, v in masks.items()}}),
        (bares, {**named, **{k: v[0] for k, v in masks.items()}}),
    )


class Called:
    """A row as `call` takes it, with other named arguments."""

    def __init__(self, named):
        self.named = named


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in SWEPT])
def test_without_the_axis_of_the_batch(row, device):
    layer, *forms = both_forms(row, device)
    results = []
    for inputs, named in forms:
        layer.zero_grad()
        outputs = call(Called(named), layer, inputs)
        rng = np.random.default_rng(2)
        upstream = [ml.Tensor(to_device(rng.standard_normal(y.size).reshape(y.shape), device)) for y in outputs]
        sum((y * g).sum() for y, g in zip(outputs, upstream, strict=True)).backward()
        results.append((outputs, [x.grad for x in inputs if x.requires_grad], [p.grad for p in layer.parameters()]))
    (ones, *of_one), (bares, *of_bare) = results
    for one, bare in zip(ones, bares, strict=True):
        assert bare.ndim == max(one.ndim - 1, 0)
        assert [n for n in one.shape if n != 1] == [n for n in bare.shape if n != 1]
        np.testing.assert_allclose(bare.numpy().reshape(one.shape), one.numpy(), rtol=1e-12, atol=1e-13)
    for some, others in zip(of_one, of_bare, strict=True):
        for a, b in zip(some, others, strict=True):
            np.testing.assert_allclose(b.numpy().reshape(a.shape), a.numpy(), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(
    ("layer", "shape"), [(nn.BatchNorm1d(3), (3,)), (nn.BatchNorm2d(3), (3, 2, 2)), (nn.Upsample(4), (3, 2))]
)
def test_layers_that_need_a_batch_say_so(layer, shape):
    with pytest.raises(ValueError, match=r"\(N, "):
        layer(ml.ones(*shape))


@pytest.mark.parametrize("make", [nn.RNN, nn.LSTM, nn.GRU])
@pytest.mark.parametrize("batch_first", [False, True])
def test_a_sequences_state_can_be_handed_on(make, batch_first):
    layer = make(3, 2, 2, bidirectional=False, batch_first=batch_first)
    x = ml.Tensor(np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32))
    whole, _ = layer(x)
    y, state = layer(x[:2])
    z, _ = layer(x[2:], state)
    np.testing.assert_allclose(ml.concat(y, z).numpy(), whole.numpy(), rtol=1e-5, atol=1e-6)
