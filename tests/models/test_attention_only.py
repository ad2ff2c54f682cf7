"""A Transformer of nothing but attention: a sum over paths."""

import numpy as np
import pytest

import minilm as ml
from minilm.gradcheck import gradcheck
from minilm.interpret import attention_maps
from minilm.models.attention_only import AttentionOnly
from minilm.nn import functional as F

IDS = np.array([[1, 2, 3, 1, 2], [4, 4, 0, 1, 3]])


@pytest.mark.fused  # its maps are read of the fused op
def test_logits_of_one_layer_are_the_sum_of_its_paths():
    """The direct path, and one for each head: each a matrix of tokens by tokens (Elhage et al. 2021)."""
    model = AttentionOnly(6, 1, 2, 8, np.random.default_rng(0)).to("float64")
    e, u = model.wte.weight.numpy(), model.lm_head.weight.numpy()
    value, output = model.layers[0].attn.c_attn.weight.numpy()[16:], model.layers[0].attn.c_proj.weight.numpy()
    (maps,) = attention_maps(lambda: model(IDS))
    wanted = (e @ u.T)[IDS]
    for h in range(2):
        path = e @ value[4 * h : 4 * h + 4].T @ output[:, 4 * h : 4 * h + 4].T @ u.T
        wanted = wanted + maps[:, h] @ path[IDS]
    np.testing.assert_allclose(model(IDS).numpy(), wanted)


def test_it_knows_no_absolute_place_and_nothing_of_what_follows():
    model = AttentionOnly(6, 2, 2, 8, np.random.default_rng(0)).to("float64")
    np.testing.assert_allclose(model(IDS[:, :3]).numpy(), model(IDS).numpy()[:, :3])
    same = np.full((1, 5), 2)
    np.testing.assert_allclose(model(same).numpy()[0], np.broadcast_to(model(same).numpy()[0, 0], (5, 6)))


def test_gradients():
    model = AttentionOnly(5, 2, 2, 4, np.random.default_rng(0)).to("float64")
    ids = ml.tensor(IDS.clip(0, 4))
    gradcheck(
        lambda *_: F.cross_entropy(model(ids[:, :-1]).reshape(-1, 5), ids[:, 1:].reshape(-1)), *model.parameters()
    )


def test_the_same_generator_gives_the_same_weights():
    a, b = (AttentionOnly(6, 1, 2, 8, np.random.default_rng(3)) for _ in range(2))
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        np.testing.assert_array_equal(p.numpy(), q.numpy())
    assert abs(a.lm_head.weight.numpy().std() - 8**-0.5) < 0.1


def test_what_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="n_head=3 does not divide n_embd=8"):
        AttentionOnly(6, 1, 3, 8, rng)
    with pytest.raises(ValueError, match="n_layer"):
        AttentionOnly(6, 0, 2, 8, rng)
    with pytest.raises(ValueError, match=r"expected ids of shape \(batch, tokens\), got \(5,\)"):
        AttentionOnly(6, 1, 2, 8, rng)(IDS[0])
    with pytest.raises(TypeError, match="integers"):
        AttentionOnly(6, 1, 2, 8, rng)(IDS.astype(float))
