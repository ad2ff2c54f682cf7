"""Names: each stands for one value and tells where it is; an index shows its ids; parameters of an op are shown as Python."""

import numpy as np
import pytest

import minilm as ml
from minilm.nn import functional as F
from minilm.ops.op import REGISTRY
from minilm.ops.sample import Sample
from minilm.trace import text
from minilm.trace.html import page
from tests.browser import examples
from tests.trace.test_html import steps_of


def labels(steps):
    return [value.label for value in steps.values]


def two_models():
    ml.manual_seed(0)
    encoder, decoder = ml.nn.Linear(3, 2), ml.nn.Sequential(ml.nn.Linear(2, 3), ml.nn.Tanh())
    with ml.trace() as steps:
        code = encoder(ml.tensor([[1.0, 2.0, 3.0]]))
        (decoder(code) ** 2).sum().backward()
    return steps


def same_layer_twice():
    ml.manual_seed(0)
    layer = ml.nn.Linear(2, 2)
    with ml.trace() as steps:
        h = layer(layer(ml.tensor([[1.0, 2.0]])))
        h.sum().backward()
    return steps


def rebound():
    x = ml.tensor([1.0], requires_grad=True)
    with ml.trace() as steps:
        x = x * 2.0
        x = x + x
        x.sum().backward()
    return steps


def named_with_a_subscript():
    h = ml.tensor([1.0])
    with ml.trace() as steps:
        other = (h * 3.0).named("h₂")
        h = other + h
        h = h + 1.0
    return steps


def composed_attention():
    with ml.use_fused(False):
        return examples.gpt()


MAKERS = [*examples.OWN.values(), two_models, same_layer_twice, rebound, named_with_a_subscript, composed_attention]


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_no_two_values_share_a_label(make):
    steps = make()
    assert len(set(labels(steps))) == len(steps.values)
    assert all(labels(steps))
    for scope in steps.scopes:  # nor a name inside their Module
        own = [
            v.short
            for v in steps.values
            if v.call is not None and v.call.scope is scope and (v.place or scope) is scope
        ]
        assert len(set(own)) == len(own)


def test_a_gpt_tells_where_each_value_is():
    steps = examples.gpt()
    found = labels(steps)
    expected = {"ids", "wte", "wte.weight", "wpe", "blocks.0.ln_1", "blocks.0.attn.c_attn", "blocks.0.attn.q", "blocks.0.attn.k",
                "blocks.0.attn.v", "blocks.0.attn.y", "blocks.0.attn.c_proj", "blocks.0.x", "blocks.0.ln_2", "blocks.0.mlp.gelu",
                "blocks.0.mlp.c_proj", "blocks.0", "blocks.1.attn.q", "blocks.1", "ln_f", "logits", "target", "cross_entropy",
                "blocks.1.mlp.c_fc.weight"}  # fmt: skip
    assert expected <= set(found)
    assert not [label for label in found if label.strip("₂₃₄₅₆") == "x" or "constant" in label]


def test_inside_its_module_a_value_has_its_short_name():
    steps = examples.gpt()
    call = next(c for c in steps.calls if c.op.name == "scaled_dot_product_attention")
    assert text.results(call) == "blocks.0.attn.y = scaled_dot_product_attention(q, k, v, causal=True, scale=0.5)"


def test_two_models_name_their_parameters():
    assert {"encoder.weight", "encoder.bias", "decoder.0.weight", "decoder.0.bias", "code", "decoder.1"} <= set(
        labels(two_models())
    )


def test_a_layer_used_twice_has_its_parameters_once():
    found = labels(same_layer_twice())
    assert found.count("weight") == 1
    assert {"layer", "h"} <= set(found)


def test_the_names_of_a_functions_arguments_are_not_the_names_of_what_it_is_given():
    class Twice(ml.nn.Module):
        def forward(self, inside):
            return inside + inside

    twice, x = Twice(), ml.tensor([1.0])
    with ml.trace() as steps:
        outside = x * 2.0
        twice(outside)
    assert labels(steps) == ["x", "outside", "twice"]


def test_variables_of_a_module_name_what_it_computes():
    class Head(ml.nn.Module):
        def __init__(self):
            super().__init__()
            self.query, self.key = ml.nn.Linear(2, 2), ml.nn.Linear(2, 2)

        def forward(self, x):
            q, k = self.query(x), self.key(x)
            scores = q @ k.swapaxes(-1, -2)
            return scores.softmax()

    class Outer(ml.nn.Module):
        def __init__(self):
            super().__init__()
            self.head = Head()

        def forward(self, x):
            x = self.head(x)
            return x + 1.0

    net = Outer()
    with ml.trace() as steps:
        net(ml.tensor([[1.0, 2.0]]))
    assert {"head.q", "head.k", "head.scores", "head"} <= set(labels(steps))


def test_buffers_have_their_names_and_belong_to_their_module():
    found = labels(examples.cnn())
    assert {"model.1.running_mean", "model.1.running_var", "model.1", "images", "target"} <= set(found)


@pytest.mark.parametrize(
    ("loss", "make"),
    [
        (F.cross_entropy, lambda: ml.tensor([1])),
        (F.mse_loss, lambda: ml.tensor([[1.0, 2.0]])),
        (F.l1_loss, lambda: ml.tensor([[1.0, 2.0]])),
        (F.huber_loss, lambda: ml.tensor([[1.0, 2.0]])),
        (F.binary_cross_entropy_with_logits, lambda: ml.tensor([[1.0, 0.0]])),
        (F.kl_div, lambda: ml.tensor([[0.5, 0.5]])),
    ],
)
def test_a_target_without_a_name_is_called_target(loss, make):
    z = ml.tensor([[0.5, -0.5]], requires_grad=True)
    with ml.trace() as steps:
        loss(z, make())
    assert "target" in labels(steps)


# -- indices ----------------------------------------------------------------------------------------------------------

TABLE = np.arange(12.0).reshape(4, 3)
IDS = np.array([2, 0, 2])


@pytest.mark.parametrize(
    ("choose", "shown"),
    [
        (lambda t, x: t[x], "t[x]"),
        (lambda t, x: t[x.numpy()], "t[x]"),
        (lambda t, x: t[x.numpy().tolist()], "t[x]"),
        (lambda t, x: t[x + 1], "t[[3, 1, 3]]"),
        (lambda t, x: t[[3, 1]], "t[[3, 1]]"),
        (lambda t, x: t[[3, 1], [0, 2]], "t[[3, 1], [0, 2]]"),
        (lambda t, x: t[x, 1], "t[x, 1]"),
        (lambda t, x: t[x, ::2], "t[x, ::2]"),
        (lambda t, x: t[1], "t[1]"),
        (lambda t, x: t[-1, 1:], "t[-1, 1:]"),
        (lambda t, x: t[..., 0], "t[..., 0]"),
        (lambda t, x: t[:, None, :2], "t[:, None, :2]"),
        (lambda t, x: t[:3][x > 1], "t[:3][[0, 2]]"),
        (lambda t, x: F.embedding(x, t), "embedding(t, x)"),
        (lambda t, x: t.gather(x.reshape(1, 3), axis=0), "t[[[2, 0, 2]], [0, 1, 2]]"),
    ],
)
def test_an_index_shows_what_it_chooses(choose, shown):
    with ml.trace() as steps:
        t, x = ml.tensor(TABLE, requires_grad=True), ml.tensor(IDS)
        choose(t, x)
    call = steps.calls[-1]
    assert text.expression(call) == shown
    for ids in call.indices.values():  # and its numbers stand in the step
        assert str(ids.numbers.tolist()) in str(steps[-1])
        cells = "".join(f"<td>{n}" for n in ids.numbers.reshape(-1, ids.shape[-1])[0].tolist())
        assert cells in steps_of(page(steps))[-1]


def test_a_mask_gives_its_name():
    with ml.trace() as steps:
        t, mask = ml.tensor([1.0, 2.0, 3.0]), ml.tensor([True, False, True])
        t[mask]
    assert text.expression(steps.calls[-1]) == "t[mask]"


def test_any_variable_may_stand_beside_an_index():
    class Slots:
        __slots__ = ("data", "dtype", "shape")

    things = [Slots, Slots(), np, np.float32, np.float32(1.0), memoryview(b"ab"), "text", None, np.zeros(3)]
    with ml.trace() as steps:
        kind, one, module, dtype, number, view, word, nothing, array = things
        t, ids = ml.tensor(TABLE), ml.tensor(IDS)
        t[ids]
    assert text.expression(steps.calls[-1]) == "t[ids]"
    assert (kind, one, module, dtype, number, view, word, nothing, array) is not None


def test_ids_are_one_box_however_often_they_choose():
    with ml.trace() as steps:
        t, u, ids = ml.tensor(TABLE), ml.tensor(TABLE), ml.tensor(IDS)
        t[ids] + u[ids]
    assert labels(steps).count("ids") == 1
    assert len({v.index for call in steps.calls for v in call.indices.values()}) == 1


SAMPLES = [(name, k) for name, op in REGISTRY.items() for k in range(len(op.samples))]


@pytest.mark.parametrize(("name", "k"), SAMPLES)
def test_every_parameter_of_every_op_is_shown(name, k):
    op, sample = REGISTRY[name], REGISTRY[name].samples[k]
    assert isinstance(sample, Sample)
    inputs = [ml.tensor(a) if isinstance(a, np.ndarray) else a for a in sample.draw(np.random.default_rng(0))]
    with ml.trace() as steps, np.errstate(all="ignore"):
        op(*inputs, **sample.params)
    for call in steps.calls:
        shown = text.expression(call)
        assert "<" not in shown
        assert "object" not in shown
        assert "array(" not in shown
        if call.op.name in text.INDEXING:
            assert shown.endswith("]")
            continue
        if call.op.name in text.INFIX or call.op.name == "neg":
            continue
        for key, value in call.params.items():
            default = call.op.params[key]
            if hasattr(value, "shape") or (value is not default and value != default):
                assert f"{key}=" in shown
    assert str(steps)
    assert all(str(step) for step in steps)
    assert page(steps)
