"""Tokens on the axes of attention's matrices."""

import re

import numpy as np
import pytest

import minilm as ml
from minilm.backend import to_host
from minilm.nn import functional as F
from minilm.trace.attention import attention_values, weights
from minilm.trace.html import page
from tests.trace.test_html import steps_of

TOKENS = ["the", "cat", "sat"]


def head(tokens=TOKENS, width=3, composed=True, heads=None, mask=False):
    """One head of attention whose width is also the number of tokens: only where a value comes from tells its axes."""
    rng = np.random.default_rng(0)
    X = ml.tensor(rng.normal(size=(len(TOKENS), width)), requires_grad=True)
    Wq, Wk, Wv = (ml.tensor(rng.normal(size=(width, width)), requires_grad=True) for _ in range(3))
    causal = ml.tensor(np.triu(np.ones((3, 3), bool), 1))
    with ml.trace(tokens=tokens) as steps:
        Q = X @ Wq
        K = X @ Wk
        V = X @ Wv
        if heads:
            Q, K, V = (M.reshape(1, 3, heads, -1).swapaxes(1, 2) for M in (Q, K, V))
        if composed:
            scores = Q @ K.swapaxes(-1, -2) / 2.0
            if mask:
                scores = scores.masked_fill(causal, -1e9)
            P = F.softmax(scores, -1)
            Y = P @ V
        else:
            Y = F.scaled_dot_product_attention(Q, K, V, causal=True)
        Y.sum().backward()
    return steps


def labels(steps):
    return {v.label for v in steps.values if v.index in attention_values(steps)}


def test_scores_weights_and_masks_are_attentions_nothing_else_is():
    assert labels(head()) == {"Q @ swapaxes", "scores", "P"}
    assert labels(head(mask=True)) == {"Q @ swapaxes", "scores", "scores₂", "causal", "P"}
    assert {v.label for v in head().values if v.axes} == {"Q @ swapaxes", "scores", "P"}


def test_a_product_with_a_transposed_parameter_is_no_attention():
    x, W = ml.tensor(np.ones((3, 3))), ml.tensor(np.ones((3, 3)), requires_grad=True)
    with ml.trace(tokens=TOKENS) as steps:
        F.softmax(x @ W.T, -1)
    assert not attention_values(steps)


def test_the_page_has_the_tokens_above_the_columns_and_before_the_rows():
    steps = head()
    step = next(s for s in steps if s.call and s.call.op.name == "softmax")
    table = re.findall(r"<table class=\"x k\">.*?</table>", steps_of(page(steps))[step.index])[-1]
    assert re.findall(r"<th scope=col>(\w+)", table) == TOKENS
    rows = re.findall(r"<th scope=row>(\w+)((?:<td>[^<]+)+)", table)
    assert [name for name, _ in rows] == TOKENS
    numbers = [[float(n) for n in re.findall(r"<td>([^<]+)", cells)] for _, cells in rows]
    np.testing.assert_allclose(numbers, step.call.outputs[0].numbers, rtol=1e-3)


def test_the_text_has_them_too():
    steps = head()
    text = str(next(s for s in steps if s.call and s.call.op.name == "softmax")).splitlines()
    assert text[-4].split() == ["=", "P", *TOKENS]
    assert [line.split()[0] for line in text[-3:]] == TOKENS


def test_gradients_of_scores_and_weights_bear_them():
    steps = head()
    back = next(s for s in steps if s.kind == "backward" and s.call.op.name == "softmax")
    assert (
        steps_of(page(steps))[back.index].count("<th scope=col>cat") >= 3
    )  # what arrives, the product, the gradient so far


def test_the_fused_op_shows_its_weights():
    steps = head(composed=False)
    step = next(s for s in steps if s.call and s.call.op.name == "scaled_dot_product_attention")
    P = to_host(weights(step.call))
    np.testing.assert_allclose(P.sum(-1), 1.0, rtol=1e-6)
    assert np.allclose(np.triu(P, 1), 0.0)
    np.testing.assert_allclose(P @ step.call.inputs[2].numbers, step.call.outputs[0].numbers, rtol=1e-5)
    assert steps_of(page(steps))[step.index].count("<th scope=row>sat") == 1
    assert "sat" in str(step)


def test_several_heads_stand_below_one_another():
    steps = head(width=4, heads=2)
    step = next(s for s in steps if s.call and s.call.op.name == "softmax")
    item = steps_of(page(steps))[step.index]
    assert re.findall(r"<th scope=row>(\w+)", item) == TOKENS * 4  # two heads, before and after softmax
    assert "1×2×3×3" in item


def test_without_tokens_nothing_changes():
    assert "<th scope" not in page(head(tokens=None))


def test_tokens_of_another_number_are_not_shown():
    assert "<th scope" not in page(head(tokens=["a", "b"]))


def test_markup_in_a_token_is_text():
    assert "&lt;b&gt;" in page(head(tokens=["<b>", "&", "c"]))


@pytest.mark.parametrize("tokens", ["the", [1, 2], [b"a"]])
def test_tokens_are_strings(tokens):
    with pytest.raises(TypeError, match="tokens must be a list of strings"):
        ml.trace(tokens=tokens)


def test_a_gpt_with_a_tokenizers_tokens():
    ml.manual_seed(0)
    ids = [1, 2, 3]
    model = ml.models.GPT(ml.models.GPTConfig(vocab_size=7, block_size=4, n_layer=1, n_head=2, n_embd=8))
    with ml.trace(tokens=[f"t{i}" for i in ids]) as steps:
        model(ml.tensor([ids]))
    assert page(steps).count("<th scope=col>t2") == 1
