"""Multi-head attention: what each mask closes off, and what does not fit."""

import numpy as np
import pytest

import minilm as ml
from minilm import nn


def draw(*shape, device=None, seed=0):
    return ml.Tensor(np.random.default_rng(seed).standard_normal(shape).astype(np.float32), device=device)


def by_hand(layer, x, m):
    """The formula of the docstring, head by head."""
    n, width = layer.num_heads, layer.embed_dim // layer.num_heads
    q, k, v = (
        a @ p.weight.numpy().T + p.bias.numpy() for a, p in ((x, layer.q_proj), (m, layer.k_proj), (m, layer.v_proj))
    )
    heads = []
    for i in range(n):
        part = slice(i * width, (i + 1) * width)
        scores = np.exp(q[..., part] @ np.swapaxes(k[..., part], -1, -2) / np.sqrt(width))
        heads.append(scores / scores.sum(axis=-1, keepdims=True) @ v[..., part])
    return np.concatenate(heads, axis=-1) @ layer.out_proj.weight.numpy().T + layer.out_proj.bias.numpy()


@pytest.mark.parametrize("heads", [1, 2, 6])
def test_it_is_the_formula(heads, device):
    layer = nn.MultiHeadAttention(6, heads).to(device)
    for p in layer.parameters():
        nn.init.uniform_(p, -0.5, 0.5)
    x, m = draw(2, 3, 6, device=device), draw(2, 5, 6, device=device, seed=1)
    np.testing.assert_allclose(layer(x).numpy(), by_hand(layer, x.numpy(), x.numpy()), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer(x, m).numpy(), by_hand(layer, x.numpy(), m.numpy()), rtol=1e-4, atol=1e-5)


def test_causal_outputs_do_not_depend_on_what_follows(device):
    layer, x = nn.MultiHeadAttention(4, 2).to(device), draw(1, 5, 4, device=device)
    whole = layer(x, causal=True).numpy()
    np.testing.assert_allclose(layer(x[:, :3], causal=True).numpy(), whole[:, :3], rtol=1e-5, atol=1e-6)
    assert not np.allclose(layer(x[:, :3]).numpy(), layer(x).numpy()[:, :3])


def test_padded_keys_are_as_if_they_were_not_there(device):
    layer, x = nn.MultiHeadAttention(4, 2).to(device), draw(2, 5, 4, device=device)
    padding = np.arange(5) >= np.array([[5], [3]])
    y = layer(x, key_padding_mask=padding).numpy()
    np.testing.assert_allclose(y[1:, :3], layer(x[1:, :3]).numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(y[:1], layer(x[:1]).numpy(), rtol=1e-5, atol=1e-6)


def test_padding_joins_boolean_and_float_masks(device):
    layer, x = nn.MultiHeadAttention(4, 2).to(device), draw(1, 3, 4, device=device)
    padding = np.array([[False, False, True]])
    triangle = np.tril(np.ones((3, 3), bool))
    scores = np.where(triangle, 0.0, -np.inf).astype(np.float32)
    expected = layer(x, mask=ml.tensor(triangle & ~padding, device=device)).numpy()
    for options in ({"mask": triangle}, {"mask": scores}, {"mask": ml.tensor(scores, device=device)}, {"causal": True}):
        np.testing.assert_allclose(
            layer(x, key_padding_mask=padding, **options).numpy(), expected, rtol=1e-5, atol=1e-6
        )


def test_a_sequence_of_nothing_but_padding_gives_no_nan(device):
    layer, x = nn.MultiHeadAttention(4, 2).to(device), draw(1, 3, 4, device=device).requires_grad_()
    y = layer(x, key_padding_mask=np.ones((1, 3), bool))
    y.sum().backward()
    np.testing.assert_array_equal(y.numpy(), np.broadcast_to(layer.out_proj.bias.numpy(), y.shape))
    assert np.isfinite(x.grad.numpy()).all()


def test_dropout_acts_while_learning_only():
    layer, x = nn.MultiHeadAttention(4, 2, dropout=0.5), draw(2, 6, 4)
    assert not np.array_equal(layer(x).numpy(), layer(x).numpy())
    layer.eval()
    np.testing.assert_array_equal(layer(x).numpy(), layer(x).numpy())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.MultiHeadAttention(6, 4), ValueError, r"4 heads do not divide the width 6; its divisors are \[1, 2, 3, 6\]"),
        (lambda: nn.MultiHeadAttention(4, 2)(ml.zeros(2, 3, 5)), ValueError, r"a query of shape \(2, length, 4\), or .*, got \(2, 3, 5\)"),
        (lambda: nn.MultiHeadAttention(4, 2)(ml.zeros(4)), ValueError, r"\(batch, length, 4\), or all of them without batch, got \(4,\)"),
        (lambda: nn.MultiHeadAttention(4, 2)(ml.zeros(3, 5)), ValueError, r"a query of shape \(length, 4\), got \(3, 5\)"),
        (lambda: nn.MultiHeadAttention(4, 2)(ml.zeros(3, 4), ml.zeros(1, 3, 4)), ValueError,
         r"a key of shape \(length, 4\), got \(1, 3, 4\); the query has no batch"),
        (lambda: nn.MultiHeadAttention(4, 2)(ml.zeros(2, 3, 4), ml.zeros(3, 4)), ValueError, r"a key of shape \(2, length, 4\)"),
        (lambda: nn.MultiHeadAttention(4, 2)(ml.zeros(2, 3, 4), ml.zeros(1, 3, 4)), ValueError, r"a key of shape \(2, length, 4\)"),
        (lambda: nn.MultiHeadAttention(4, 2)(ml.zeros(2, 3, 4), ml.zeros(2, 3, 4), ml.zeros(2, 2, 4)), ValueError, "3 keys and 2 values"),
        (lambda: nn.MultiHeadAttention(4, 2)(ml.zeros(2, 3, 4), key_padding_mask=np.ones((2, 2), bool)), ValueError,
         r"boolean of shape \(2, 3\).* got bool \(2, 2\)"),
        (lambda: nn.MultiHeadAttention(4, 2)(ml.zeros(2, 3, 4), key_padding_mask=np.ones((2, 3))), ValueError, "got float64"),
        (lambda: nn.MultiHeadAttention(4, 2)(ml.zeros(2, 3, 4), mask=np.ones((3, 3), int)), TypeError, "mask must be boolean"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told(call, error, message):
    with pytest.raises(error, match=message):
        call()
