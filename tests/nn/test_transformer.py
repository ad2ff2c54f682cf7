"""Transformer blocks: where the norms stand, and what is causal."""

import numpy as np
import pytest

import minilm as ml
from minilm import nn


def draw(*shape, device=None, seed=0):
    return ml.Tensor(np.random.default_rng(seed).standard_normal(shape).astype(np.float32), device=device)


def silent(layer):
    """The layer with sublayers that return 0."""
    for name, p in layer.named_parameters():
        if "out_proj" in name or "down" in name:
            nn.init.constant_(p, 0.0)
    return layer


@pytest.mark.parametrize("norm_first", [False, True], ids=["post-norm", "pre-norm"])
@pytest.mark.parametrize("kind", [nn.TransformerEncoderLayer, nn.TransformerDecoderLayer])
def test_each_sublayer_stands_in_its_residual_connection_with_its_own_norm(kind, norm_first):
    layer, x, memory = kind(4, 2, 8, norm_first=norm_first).eval(), draw(2, 3, 4), draw(2, 5, 4, seed=1)
    rng = np.random.default_rng(2)
    for name, p in layer.named_parameters():
        if name.startswith("norm"):
            nn.init.normal_(p, rng=rng)
    decoder = kind is nn.TransformerDecoderLayer
    sublayers = [lambda x: layer.self_attn(x, causal=decoder), layer.feed_forward]
    norms = [layer.norm1, layer.norm2]
    if decoder:
        sublayers.insert(1, lambda x: layer.cross_attn(x, memory))
        norms.append(layer.norm3)
    expected = x
    for sublayer, norm in zip(sublayers, norms, strict=True):
        expected = expected + sublayer(norm(expected)) if norm_first else norm(expected + sublayer(expected))
    y = layer(x, memory) if decoder else layer(x)
    np.testing.assert_allclose(y.numpy(), expected.numpy(), rtol=1e-6, atol=1e-6)


def test_pre_norm_leaves_the_residual_stream_alone(device):
    x = draw(2, 3, 4, device=device)
    layer = silent(nn.TransformerEncoderLayer(4, 2, 8, norm_first=True).to(device))
    np.testing.assert_array_equal(layer(x).numpy(), x.numpy())


def test_post_norm_ends_in_a_norm(device):
    x = draw(2, 3, 4, device=device)
    y = silent(nn.TransformerEncoderLayer(4, 2, 8, layer_norm_eps=1e-9).to(device))(x).numpy()
    np.testing.assert_allclose(y.mean(axis=-1), 0.0, atol=1e-6)
    np.testing.assert_allclose(y.std(axis=-1), 1.0, rtol=1e-4)


def test_a_decoder_is_causal_and_sees_all_of_the_memory():
    layer, x, memory = nn.TransformerDecoderLayer(4, 2, 8).eval(), draw(1, 4, 4), draw(1, 3, 4, seed=1)
    whole = layer(x, memory).numpy()
    np.testing.assert_allclose(layer(x[:, :2], memory).numpy(), whole[:, :2], rtol=1e-4, atol=1e-5)
    other = memory.numpy().copy()
    other[:, -1] += 1.0
    assert not np.allclose(layer(x, ml.Tensor(other, device=x.device)).numpy()[:, 0], whole[:, 0])
    assert not np.allclose(layer(x, memory, causal=False).numpy()[:, 0], whole[:, 0])


def test_padding_is_left_out_of_both_attentions():
    layer, x, memory = nn.TransformerDecoderLayer(4, 2, 8).eval(), draw(1, 4, 4), draw(1, 3, 4, seed=1)
    inside, there = np.array([[False, True, False, False]]), np.array([[False, False, True]])
    y = layer(x, memory, key_padding_mask=inside, memory_key_padding_mask=there).numpy()
    short = layer(x[:, [0, 2, 3]], memory[:, :2]).numpy()
    np.testing.assert_allclose(y[:, [0, 2, 3]], short, rtol=1e-4, atol=1e-5)


def test_feed_forward_treats_each_position_by_itself():
    layer, x = nn.FeedForward(4, 8, "gelu"), draw(2, 3, 4)
    np.testing.assert_allclose(layer(x).numpy()[1, 2], layer(x[1, 2]).numpy(), rtol=1e-5, atol=1e-6)


def test_no_bias_means_none_anywhere():
    layer = nn.TransformerDecoderLayer(4, 2, 8, bias=False)
    assert not [name for name, _ in layer.named_parameters() if "bias" in name]


def test_documentation_says_what_each_block_is():
    assert nn.TransformerEncoderLayer.__doc__.startswith("Self-attention, then")
    assert "Three sublayers" in nn.TransformerDecoderLayer.__doc__


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: nn.FeedForward(4, 8, "swish"),
            "activation must be one of relu, gelu, gelu_new, silu, tanh; got 'swish'",
        ),
        (lambda: nn.TransformerEncoderLayer(6, 4), "4 heads do not divide the width 6"),
        (lambda: nn.TransformerEncoderLayer(4, 2, 8)(ml.zeros(2, 3, 5)), r"got \(2, 3, 5\)"),
        (
            lambda: nn.TransformerDecoderLayer(4, 2, 8)(ml.zeros(2, 3, 4), ml.zeros(2, 3, 5)),
            r"a key of shape .* got \(2, 3, 5\)",
        ),
    ],
)
def test_bad_arguments_are_told(call, message):
    with pytest.raises(ValueError, match=message):
        call()
