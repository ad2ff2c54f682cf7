"""Adapters, integers, pruning and distillation beside PyTorch: the same numbers from its own functions, or composed in it."""

import numpy as np
import pytest

import minilm as ml
from minilm import nn
from minilm.formats.absmax import absmax
from minilm.models import MLP
from minilm.nn import functional as F
from minilm.nn.lora import LoRALinear
from minilm.nn.prune import prune, prune_n_of_m
from minilm.nn.quantized import QuantizedLinear
from minilm.optim import AdamW

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("temperature", [1.0, 3.5])
def test_distillation(dtype, temperature):
    rng = np.random.default_rng(0)
    s, t = (rng.standard_normal((6, 5)).astype(dtype) for _ in range(2))
    ours, theirs = ml.Tensor(s, True), torch.tensor(s, requires_grad=True)
    loss = F.distillation_loss(ours, ml.Tensor(t), temperature)
    want = torch.nn.functional.kl_div(
        torch.log_softmax(theirs / temperature, -1),
        torch.softmax(torch.tensor(t) / temperature, -1),
        reduction="batchmean",
    )
    (want * temperature**2).backward()
    loss.backward()
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(float(loss), float(want.detach()) * temperature**2, rtol=tolerance)
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=tolerance, atol=tolerance)


class TorchLoRA(torch.nn.Module):
    """As the paper writes it."""

    def __init__(self, base, A, B, scale):
        super().__init__()
        self.base, self.scale = base.requires_grad_(False), scale
        self.A, self.B = torch.nn.Parameter(torch.tensor(A)), torch.nn.Parameter(torch.tensor(B))

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.A.T @ self.B.T)


def test_adapters_learn_the_same():
    rng = np.random.default_rng(0)
    ours = LoRALinear(nn.Linear(6, 4), 2, 8.0, rng).to("float64")
    base = torch.nn.Linear(6, 4, dtype=torch.float64)
    with torch.no_grad():
        base.weight.copy_(torch.tensor(ours.base.weight.numpy()))
        base.bias.copy_(torch.tensor(ours.base.bias.numpy()))
    theirs = TorchLoRA(base, ours.A.numpy(), ours.B.numpy(), 4.0)
    x, y = rng.standard_normal((10, 6)), rng.standard_normal((10, 4))
    one = AdamW([ours.A, ours.B], lr=0.05)
    two = torch.optim.AdamW([theirs.A, theirs.B], lr=0.05)
    for _ in range(10):
        ours.zero_grad()
        loss = F.mse_loss(ours(ml.Tensor(x)), ml.Tensor(y))
        loss.backward()
        one.step()
        two.zero_grad()
        want = torch.nn.functional.mse_loss(theirs(torch.tensor(x)), torch.tensor(y))
        want.backward()
        two.step()
        np.testing.assert_allclose(float(loss), float(want.detach()), rtol=1e-9)
    np.testing.assert_allclose(ours.B.numpy(), theirs.B.detach().numpy(), rtol=1e-7)


@pytest.mark.parametrize("bits", [4, 8])
def test_integers(bits):
    w = np.random.default_rng(0).standard_normal((5, 40)).astype(np.float32)
    q, s = absmax(w, bits)
    last = 2 ** (bits - 1) - 1
    want = torch.fake_quantize_per_channel_affine(
        torch.tensor(w), torch.tensor(s), torch.zeros(5, dtype=torch.int32), 0, -last, last
    )
    np.testing.assert_allclose(q * s[:, None], want.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["int8", "Q4_0"])
def test_the_gradient_of_the_input(kind):
    layer = QuantizedLinear(nn.Linear(32, 3), kind)
    x = np.random.default_rng(0).standard_normal((4, 32)).astype(np.float32)
    ours, theirs = ml.Tensor(x, True), torch.tensor(x, requires_grad=True)
    (layer(ours) ** 2).sum().backward()
    weight, bias = torch.tensor(layer.dequantized().numpy()), torch.tensor(layer.bias.numpy())
    (torch.nn.functional.linear(theirs, weight, bias) ** 2).sum().backward()
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-4, atol=1e-4)


def twins():
    model, rng = MLP((8, 16, 4)), np.random.default_rng(0)
    for p in model.parameters():
        nn.init.normal_(p, rng=rng)
    theirs = [torch.nn.Linear(8, 16), torch.nn.Linear(16, 4)]
    with torch.no_grad():
        for one, two in zip(model.layers, theirs, strict=True):
            two.weight.copy_(torch.tensor(one.weight.numpy()))
    return model, theirs


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_pruning(scope):
    from torch.nn.utils import prune as torch_prune

    model, theirs = twins()
    prune(model, 0.4, scope=scope)
    if scope == "global":
        torch_prune.global_unstructured([(x, "weight") for x in theirs], torch_prune.L1Unstructured, amount=0.4)
    for one, two in zip(model.layers, theirs, strict=True):
        if scope == "layer":
            torch_prune.l1_unstructured(two, "weight", amount=0.4)
        np.testing.assert_array_equal(one.weight.numpy(), two.weight.detach().numpy())


def test_two_of_four():
    from torch.ao.pruning import WeightNormSparsifier

    model, theirs = twins()
    prune_n_of_m(model)
    stack = torch.nn.Sequential(*theirs)
    sparsifier = WeightNormSparsifier(sparsity_level=1.0, sparse_block_shape=(1, 4), zeros_per_block=2)
    sparsifier.prepare(stack, [{"tensor_fqn": "0.weight"}, {"tensor_fqn": "1.weight"}])
    sparsifier.step()
    sparsifier.squash_mask()
    for one, two in zip(model.layers, stack, strict=True):
        np.testing.assert_array_equal(one.weight.numpy(), two.weight.detach().numpy())
