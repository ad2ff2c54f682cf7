"""Attention's maps: the model's own numbers, read, drawn and changed."""

import numpy as np
import pytest

import minilm as ml
from minilm import nn
from minilm.interpret import attention_maps, attention_weights, draw_map, edited, permuted
from minilm.models import GPT, MLP, Bert, BertConfig, GPTConfig, Llama, LlamaConfig

IDS = np.array([[1, 2, 3, 4, 5], [5, 1, 5, 2, 0]])
MODELS = {
    "gpt": lambda: GPT(GPTConfig(8, block_size=8, n_layer=2, n_head=2, n_embd=8)),
    "llama": lambda: Llama(LlamaConfig(8, 8, 16, 2, 4, 2)),
    "bert": lambda: Bert(BertConfig(8, 8, 2, 2, 16)),
}


@pytest.fixture(params=MODELS)
def model(request):
    ml.manual_seed(3)
    model = MODELS[request.param]().eval()
    for p in model.parameters():
        nn.init.normal_(p, 0.0, 0.5, rng=np.random.default_rng(p.size))
    return model


def by_hand(q, k, scale, open_):
    scores = np.where(open_, scale * q @ k.swapaxes(-1, -2), -np.inf)
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def test_weights_are_the_softmax_of_the_scores():
    rng = np.random.default_rng(0)
    q, k = rng.standard_normal((2, 3, 4, 6)), rng.standard_normal((2, 3, 5, 6))
    np.testing.assert_allclose(attention_weights(q, k), by_hand(q, k, 6**-0.5, True))
    np.testing.assert_allclose(
        attention_weights(q[..., :5, :], k[..., :4, :], causal=True, scale=2.0),
        by_hand(q, k[..., :4, :], 2.0, np.tril(np.ones((4, 4), bool))),
    )
    mask = np.array([True, False, True, True, False])
    np.testing.assert_allclose(attention_weights(q, k, mask), by_hand(q, k, 6**-0.5, mask))
    assert attention_weights(q.astype("float32"), k.astype("float32")).dtype == np.float32


def test_maps_give_the_heads_outputs(model):
    """Each map, times the values, is what the linear map behind the heads was given: so the maps are the model's own."""
    seen = []
    kinds = ("CausalSelfAttention", "GroupedQueryAttention", "MultiHeadAttention")
    for layer in model.modules():
        if type(layer).__name__ in kinds:
            output = next(getattr(layer, n) for n in ("c_proj", "o_proj", "out_proj") if hasattr(layer, n))
            output.register_forward_pre_hook(lambda module, args: seen.append(args[0].numpy()))

    class Values:
        found = []

        def forward(self, op, inputs, params, outputs):
            if op.name == "scaled_dot_product_attention":
                self.found.append((inputs[2].numpy(), outputs[0].numpy()))

    values = Values()
    values.found = []
    with ml.observe(values):
        maps = attention_maps(lambda: model(IDS))
    assert len(maps) == 2
    for weights, (v, y) in zip(maps, values.found, strict=True):
        np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-5)
        lead = y.shape[:-2]
        np.testing.assert_allclose(
            weights.reshape(*lead, 5, 5) @ np.broadcast_to(v, (*lead, 5, v.shape[-1])), y, atol=1e-5
        )


def test_an_edit_that_changes_nothing_changes_nothing(model):
    before = model(IDS).numpy()
    with edited(model, lambda weights, layer: weights):
        np.testing.assert_allclose(model(IDS).numpy(), before, atol=1e-5)
    np.testing.assert_array_equal(model(IDS).numpy(), before)


def test_an_edit_of_one_layer_reaches_that_layer_and_what_follows(model):
    seen = []

    def change(weights, layer):
        seen.append((layer, weights.copy()))
        weights[:, 0] = 0
        return weights

    maps = attention_maps(lambda: model(IDS))
    with edited(model, change):
        changed = model(IDS).numpy()
    assert [layer for layer, _ in seen[:2]] == [0, 1]
    np.testing.assert_allclose(seen[0][1], maps[0], atol=1e-6)
    assert np.abs(seen[1][1] - maps[1]).max() > 1e-3  # it sees what the changed first layer gives
    with edited(model, change):
        np.testing.assert_allclose(seen[1][1], attention_maps(lambda: model(IDS))[1], atol=1e-6)
    assert np.abs(changed - model(IDS).numpy()).max() > 1e-3


def test_a_head_that_is_off_is_one_whose_output_columns_are_zero():
    ml.manual_seed(1)
    model = MODELS["gpt"]().eval()
    with edited(model, lambda w, layer: w * np.array([1.0, 0.0] if layer == 1 else [1.0, 1.0])[:, None, None]):
        off = model(IDS).numpy()
    with ml.no_grad():
        weight = model.blocks[1].attn.c_proj.weight
        zeroed = weight.numpy().copy()
        zeroed[:, 4:] = 0
        weight.copy_(ml.tensor(zeroed))
    np.testing.assert_allclose(model(IDS).numpy(), off, atol=1e-6)


def test_what_cannot_be_read_or_changed():
    model = MLP((2, 2))
    with pytest.raises(ValueError, match="no attention ran"):
        attention_maps(lambda: model(ml.tensor(np.ones((1, 2), "float32"))))
    with pytest.raises(ValueError, match="MLP has none of the layers CausalSelfAttention"), edited(model, None):
        pass
    gpt = MODELS["gpt"]()
    with (
        pytest.raises(ValueError, match=r"layer 0 have shape \(2, 2, 5, 5\), `change` returned \(2, 5, 5\)"),
        edited(gpt, lambda weights, layer: weights[:, 0]),
    ):
        gpt(IDS)
    gpt(IDS)  # the hooks are gone


def test_shuffled_rows_keep_their_weights_and_what_is_masked():
    weights = attention_maps(lambda: MODELS["gpt"]()(IDS))[0]
    before = weights.copy()
    shuffled = permuted(weights, np.random.default_rng(0))
    np.testing.assert_array_equal(weights, before)
    np.testing.assert_array_equal(shuffled > 0, weights > 0)
    np.testing.assert_array_equal(np.sort(shuffled, axis=-1), np.sort(weights, axis=-1))
    assert (shuffled != weights).any()
    assert len({tuple(np.argsort(row)) for row in shuffled[:, :, 4].reshape(-1, 5)}) > 1  # an order for each row


def test_a_drawn_map_has_its_tokens():
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    weights = np.array([[1.0, 0.0], [0.25, 0.75]])
    image = draw_map(weights, ["a b", "\n"], ax)
    np.testing.assert_array_equal(image.get_array(), weights)
    assert image.get_clim() == (0, 1)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a·b", "↵"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a·b", "↵"]
    draw_map(
        weights[:1],
        [
            "",
        ],
        ax,
        columns=["$", "x"],
    )
    assert [label.get_text() for label in ax.get_xticklabels()] == [r"\$", "x"]
    with pytest.raises(ValueError, match=r"shape \(2, 2\), but there are 3 names of rows and 3 of columns"):
        draw_map(weights, ["a", "b", "c"], ax)
