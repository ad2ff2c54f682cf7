"""Gradients by example: the fast ones equal the loop, their sum is what backward() gives, and what mixes examples is refused."""

import numpy as np
import pytest

import minilm as ml
from minilm import nn
from minilm.models.gpt import GPT, GPTConfig
from minilm.models.mlp import MLP
from minilm.nn import functional as F
from minilm.privacy import gradient_norms, gradients_by_example, gradients_by_example_plain

rng = np.random.default_rng(0)
GPT_SHAPE = {"vocab_size": 11, "block_size": 8, "n_layer": 2, "n_head": 2, "n_embd": 8}
GPTS = {
    "tied, learned positions": {},
    "own output, rms norm, no bias": {"norm": "rms", "tie_weights": False, "bias": False},
    "rotary": {"position": "rotary"},
}


def classifier(dtype="float64", widths=(6, 5, 4, 3)):
    ml.manual_seed(0)
    model = MLP(widths, "tanh").to(dtype)
    x, y = rng.standard_normal((7, widths[0])).astype(dtype), rng.integers(0, widths[-1], 7)
    return model, lambda x, y: F.cross_entropy(model(ml.tensor(x)), y, reduction="none"), x, y


def language_model(**options):
    model = GPT(GPTConfig(**GPT_SHAPE, **options), np.random.default_rng(1)).to("float64")

    def losses(ids, targets):
        logits = model(ids)
        each = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1), reduction="none")
        return each.reshape(len(ids), -1).mean(axis=1)

    return model, losses, rng.integers(0, 11, (4, 7)), rng.integers(0, 11, (4, 7))


def whole_norms(rows):
    return np.sqrt(sum((g.reshape(len(g), -1) ** 2).sum(axis=1) for g in rows.values()))


def agree(model, losses, *batch, atol=1e-12):
    plain, fast = (f(model, losses, *batch) for f in (gradients_by_example_plain, gradients_by_example))
    assert list(plain) == list(fast) == [name for name, p in model.named_parameters() if p.requires_grad]
    for name, rows in plain.items():
        assert fast[name].dtype == rows.dtype
        np.testing.assert_allclose(fast[name], rows, rtol=1e-10, atol=atol, err_msg=name)
    np.testing.assert_allclose(
        gradient_norms(model, losses, *batch), whole_norms(plain), rtol=1e-6 if atol > 1e-9 else 1e-12
    )
    return fast


def test_of_a_classifier():
    agree(*classifier())


@pytest.mark.parametrize("options", GPTS.values(), ids=GPTS)
def test_of_a_language_model(options):
    agree(*language_model(**options))


def test_their_sum_is_the_gradient_of_the_sum():
    model, losses, x, y = classifier()
    rows = gradients_by_example(model, losses, x, y)
    losses(x, y).sum().backward()
    for name, p in model.named_parameters():
        np.testing.assert_allclose(rows[name].sum(axis=0), p.grad.data, rtol=1e-12)


def test_by_differences():
    model, losses, x, y = classifier(widths=(3, 2))
    rows, h = gradients_by_example(model, losses, x, y), 1e-6
    w = model.layers[0].weight
    w.data[1, 2] += h
    above = losses(x, y).numpy()
    w.data[1, 2] -= 2 * h
    np.testing.assert_allclose(rows["layers.0.weight"][:, 1, 2], (above - losses(x, y).numpy()) / (2 * h), rtol=1e-6)


def test_norms_by_both_formulas():
    """Many positions and few numbers, and the other way round."""
    for T, wide in ((9, 2), (2, 9)):
        layer = nn.Linear(wide, 3).to("float64")
        agree(
            layer, lambda x, layer=layer: (layer(ml.tensor(x)) ** 2).sum(axis=(1, 2)), rng.standard_normal((5, T, wide))
        )


def test_a_layer_that_is_called_twice():
    layer = nn.Linear(4, 4).to("float64")
    agree(layer, lambda x: (layer(layer(ml.tensor(x)).tanh()) ** 2).sum(axis=1), rng.standard_normal((5, 4)))


def test_an_embedding_with_padding_and_ids_that_repeat():
    table = nn.Embedding(5, 3, padding_idx=4).to("float64")
    agree(table, lambda ids: ((table(ids) + 1) ** 3).sum(axis=(1, 2)), np.array([[1, 1, 4], [0, 0, 2], [4, 4, 4]]))


def test_a_norm_over_two_axes_and_one_without_weights():
    model = nn.Sequential(nn.LayerNorm((2, 3)), nn.RMSNorm(3, elementwise_affine=False)).to("float64")
    agree(model, lambda x: (model(ml.tensor(x)) ** 3).sum(axis=(1, 2)), rng.standard_normal((4, 2, 3)))


def test_one_example_and_no_position():
    layer = nn.Linear(2, 2).to("float64")
    agree(layer, lambda x: layer(ml.tensor(x)).sum(axis=1), np.ones((1, 2)))
    agree(layer, lambda x: layer(ml.tensor(x)).sum(axis=(1, 2)), np.ones((3, 0, 2)))


def test_float32_stays_and_strides_do_not_matter():
    model, losses, x, y = classifier("float32")
    agree(model, losses, x, y, atol=1e-6)
    agree(model, losses, np.asfortranarray(x)[::2], y[::2], atol=1e-6)


def test_float16_does_not_overflow_in_the_norm():
    layer = nn.Linear(1, 400, bias=False).to("float16")
    x = np.full((2, 1), 100, np.float16)
    norms = gradient_norms(layer, lambda x: layer(ml.tensor(x)).mean(axis=1) * 400, x)
    np.testing.assert_allclose(norms, 100 * 20, rtol=1e-2)


def test_what_is_frozen_has_none():
    model, losses, x, y = classifier()
    model.layers[0].requires_grad_(False)
    assert "layers.0.weight" not in agree(model, losses, x, y)


def test_a_parameter_that_is_not_used_has_zeros():
    both = nn.ModuleList([nn.Linear(2, 1), nn.Linear(2, 1)]).to("float64")
    rows = agree(both, lambda x: both[0](ml.tensor(x)).sum(axis=1), np.ones((3, 2)))
    assert not rows["1.weight"].any()


def test_grads_and_hooks_are_left_as_they_were():
    model, losses, x, y = classifier()
    gradients_by_example(model, losses, x, y)
    assert all(p.grad is None for p in model.parameters())
    assert not any(module._hooks for module in model.modules())
    with pytest.raises(ZeroDivisionError):
        gradients_by_example(model, lambda x, y: losses(x, y) / (1 // 0), x, y)
    assert not any(module._hooks for module in model.modules())


def test_nan_stays_in_its_example():
    model, losses, x, y = classifier()
    x[2] = np.nan
    norms = gradient_norms(model, losses, x, y)
    assert np.isnan(norms).tolist() == [False, False, True, False, False, False, False]


def test_a_layer_that_mixes_examples_is_refused():
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    with pytest.raises(TypeError, match=r"1 is a BatchNorm1d.*mixes the examples.*Known are Linear, Embedding"):
        gradients_by_example(model, lambda x: model(ml.tensor(x)).sum(axis=1), np.ones((2, 2), "float32"))


def test_a_layer_without_a_rule_has_the_loop():
    model = nn.Sequential(nn.Conv2d(1, 2, 2)).to("float64")
    losses, x = lambda x: (model(ml.tensor(x)) ** 2).sum(axis=(1, 2, 3)), rng.standard_normal((3, 1, 3, 3))
    with pytest.raises(TypeError, match=r"0 is a Conv2d, whose.*gradients_by_example_plain takes any layer"):
        gradients_by_example(model, losses, x)
    assert gradients_by_example_plain(model, losses, x)["0.weight"].shape == (3, 2, 1, 2, 2)


def test_bad_batches_and_losses():
    model, losses, x, y = classifier()
    for f in (gradients_by_example, gradients_by_example_plain):
        with pytest.raises(ValueError, match=r"all of one length.*got the lengths \[7, 6\]"):
            f(model, losses, x, y[:6])
        with pytest.raises(ValueError, match=r"got the lengths \[0\]"):
            f(model, losses, x[:0])
        with pytest.raises(ValueError, match=r"one loss per example.*got shape \(\).*reduction='none'"):
            f(model, lambda x, y: losses(x, y).mean(), x, y)
    with pytest.raises(ValueError, match=r"first axis must count the 7 examples"):
        gradients_by_example(model, lambda x, y: losses(np.concatenate([x, x]), np.concatenate([y, y]))[:7], x, y)
    with pytest.raises(ValueError, match="no parameter that is learned"):
        gradients_by_example(model.requires_grad_(False), losses, x, y)
