"""Weights to and from PyTorch's modules: exact there and back, and stacks of Transformer layers that compute the same.

That each single layer computes the same with them is shown in test_nn.py and test_layers_more.py.
"""

import numpy as np
import pytest

import minilm as ml
from minilm import nn
from minilm.formats import FormatError
from minilm.pretrained.torch import from_torch, to_torch
from tests.oracle import test_layers_more, test_nn

torch = pytest.importorskip("torch")
tnn = torch.nn
pytestmark = test_nn.pytestmark
CASES = [*test_nn.CASES, *test_layers_more.CASES]


def tensors(arrays):
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", [pytest.param(case, id=f"{i}-{case.name}") for i, case in enumerate(CASES)])
def test_there_and_back(case, dtype):
    torch.manual_seed(0)
    ours, theirs, other = (
        case.ours().to(dtype),
        case.theirs().to(getattr(torch, dtype)),
        case.theirs().to(getattr(torch, dtype)),
    )
    state = theirs.state_dict()
    ours.load_state_dict(from_torch(ours, state))
    other.load_state_dict(tensors(to_torch(ours)))
    for name, value in other.state_dict().items():
        assert value.dtype == state[name].dtype
        assert torch.equal(value, state[name])
    for name, value in from_torch(ours, to_torch(ours)).items():
        np.testing.assert_array_equal(value, ours.state_dict()[name].numpy())


class Encoder(nn.Module):
    def __init__(self, layers, **options):
        super().__init__()
        self.layers = nn.ModuleList([nn.TransformerEncoderLayer(8, 2, 12, 0.0, **options) for _ in range(layers)])
        self.norm = nn.LayerNorm(8)

    def forward(self, x, **masks):
        for layer in self.layers:
            x = layer(x, **masks)
        return self.norm(x)


class Decoder(nn.Module):
    def __init__(self, layers, **options):
        super().__init__()
        self.layers = nn.ModuleList([nn.TransformerDecoderLayer(8, 2, 12, 0.0, **options) for _ in range(layers)])
        self.norm = nn.LayerNorm(8)

    def forward(self, x, memory, **masks):
        for layer in self.layers:
            x = layer(x, memory, **masks)
        return self.norm(x)


class Transformer(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.encoder, self.decoder = Encoder(3, **options), Decoder(2, **options)

    def forward(self, source, target, padding):
        memory = self.encoder(source, key_padding_mask=padding)
        return self.decoder(target, memory, memory_key_padding_mask=padding)


@pytest.mark.parametrize("options", [{}, {"norm_first": True, "activation": "gelu"}])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning")
def test_a_whole_transformer_with_the_same_weights(options, dtype):
    """Outputs, the gradients of both inputs, and of all weights; padded."""
    torch.manual_seed(0)
    theirs = tnn.Transformer(8, 2, 3, 2, 12, 0.0, batch_first=True, **options).to(getattr(torch, dtype))
    ours = Transformer(**options).to(dtype)
    ours.load_state_dict(from_torch(ours, theirs.state_dict()))
    rng = np.random.default_rng(0)
    source, target, upstream = (rng.standard_normal((2, n, 8)).astype(dtype) for n in (4, 3, 3))
    padding = np.array([[False] * 4, [False, False, True, True]])
    xs = [ml.Tensor(x, requires_grad=True) for x in (source, target)]
    ts = [torch.tensor(x, requires_grad=True) for x in (source, target)]
    y = ours(*xs, padding)
    mask = torch.tensor(padding)
    z = theirs(
        *ts,
        tgt_mask=torch.triu(torch.ones(3, 3, dtype=torch.bool), 1),
        src_key_padding_mask=mask,
        memory_key_padding_mask=mask,
    )
    near = {"rtol": 1e-8, "atol": 1e-10} if dtype == "float64" else {"rtol": 2e-4, "atol": 2e-5}
    np.testing.assert_allclose(y.numpy(), z.detach().numpy(), **near)
    (y * ml.Tensor(upstream)).sum().backward()
    (z * torch.tensor(upstream)).sum().backward()
    for x, t in zip(xs, ts, strict=True):
        np.testing.assert_allclose(x.grad.numpy(), t.grad.numpy(), **near)
    expected = from_torch(ours, {name: p.grad for name, p in theirs.named_parameters()})
    for name, p in ours.named_parameters():
        np.testing.assert_allclose(p.grad.numpy(), expected[name], **near, err_msg=name)
    other = tnn.Transformer(8, 2, 3, 2, 12, 0.0, batch_first=True, **options).to(getattr(torch, dtype))
    other.load_state_dict(tensors(to_torch(ours)))
    for name, value in other.state_dict().items():
        assert torch.equal(value, theirs.state_dict()[name])


def test_a_shared_weight_has_both_names():
    class Ours(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.head = nn.Embedding(5, 3), nn.Linear(3, 5, bias=False)
            self.head.weight = self.embed.weight

    class Theirs(tnn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.head = tnn.Embedding(5, 3), tnn.Linear(3, 5, bias=False)
            self.head.weight = self.embed.weight

    ours, theirs = Ours(), Theirs()
    assert list(ours.state_dict()) == ["embed.weight"]
    assert set(to_torch(ours)) == set(theirs.state_dict())
    theirs.load_state_dict(tensors(to_torch(ours)))
    ours.load_state_dict(from_torch(ours, theirs.state_dict()))
    np.testing.assert_array_equal(theirs.head.weight.detach().numpy(), ours.embed.weight.numpy())


def test_what_numpy_has_not():
    theirs = tnn.Linear(3, 2).bfloat16()
    with pytest.raises(
        FormatError, match=r"(?i)'weight' is no array \(.*bfloat16\): give tensor.detach\(\).cpu\(\).float\(\)"
    ):
        from_torch(nn.Linear(3, 2), theirs.state_dict())
    from_torch(nn.Linear(3, 2), {name: t.float() for name, t in theirs.state_dict().items()})
    with pytest.raises(FormatError, match="'weight' is no array .*requires grad"):
        from_torch(nn.Linear(3, 2), dict(tnn.Linear(3, 2).named_parameters()))


def test_a_key_of_another_width_is_another_layer():
    with pytest.raises(
        FormatError, match=r"in_proj_weight \(12, 4\) is missing.*q_proj_weight \(4, 4\) is none of the module's"
    ):
        from_torch(nn.MultiHeadAttention(4, 2), tnn.MultiheadAttention(4, 2, kdim=6).state_dict())
    with pytest.raises(FormatError, match=r"bias_k \(1, 1, 4\) is none of the module's"):
        from_torch(nn.MultiHeadAttention(4, 2), tnn.MultiheadAttention(4, 2, add_bias_kv=True).state_dict())
