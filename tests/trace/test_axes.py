"""Names along the axes of arrays: where they come from, where they go, how they are shown."""

import re

import numpy as np
import pytest

import minilm as ml
from minilm.nn import functional as F
from minilm.trace.html import page
from tests.trace.test_html import steps_of

pytestmark = pytest.mark.host  # its inputs are made on the host

WORDS = ["the", "cat", "sat"]
W, FEATURES = tuple(WORDS), ("a", "b", "c", "d")


def words(requires_grad=False, columns=FEATURES):
    numbers = np.arange(12.0).reshape(3, 4) / 10
    return ml.tensor(numbers, requires_grad=requires_grad).named("X", rows=WORDS, columns=columns)


def along(compute, *tensors):
    """The names along the axes of what is computed."""
    with ml.trace() as steps:
        y = compute(*tensors)
    return steps.value_of(y).axes


TABLE = np.array([2, 0, 2])
M = np.ones((4, 3), "float32")
FOLLOWED = {
    "transpose": (lambda X: X.T, (FEATURES, W)),
    "swapaxes": (lambda X: X.swapaxes(0, 1), (FEATURES, W)),
    "product with what has no names": (lambda X: X @ M, (W, ())),
    "product from the left": (lambda X: ml.tensor(np.ones((2, 3), "float32")) @ X, ((), FEATURES)),
    "scores": (lambda X: X @ X.T, (W, W)),
    "product with a vector": (lambda X: X @ M[:, 0], (W,)),
    "vector times matrix": (lambda X: ml.tensor(M[0]) @ X, (FEATURES,)),
    "elementwise": (lambda X: (X * 2 + 1).exp(), (W, FEATURES)),
    "broadcast": (lambda X: X + M[:, 0], (W, FEATURES)),
    "broadcast of its row": (lambda X: X[0] + ml.tensor(np.ones((2, 4), "float32")), ((), FEATURES)),
    "softmax": (lambda X: F.softmax(X, -1), (W, FEATURES)),
    "mask": (lambda X: (X @ X.T).masked_fill(np.triu(np.ones((3, 3), bool), 1), -1e9), (W, W)),
    "layer norm": (lambda X: F.layer_norm(X, 4), (W, FEATURES)),
    "row": (lambda X: X[1], (FEATURES,)),
    "slice": (lambda X: X[1:, ::2], (("cat", "sat"), ("a", "c"))),
    "chosen rows": (lambda X: X[TABLE], (("sat", "the", "sat"), FEATURES)),
    "new axis": (lambda X: X.unsqueeze(0), ((), W, FEATURES)),
    "heads": (lambda X: X.reshape(3, 2, 2).swapaxes(0, 1), ((), W, ())),
    "sum over columns": (lambda X: X.sum(1), (W,)),
    "mean over rows": (lambda X: X.mean(0, keepdims=True), ((), FEATURES)),
    "sum of all": (lambda X: X.sum(), ()),
    "order lost": (lambda X: X.reshape(4, 3), ()),
    "flat": (lambda X: X.reshape(-1), ()),
    "attention": (lambda X: F.scaled_dot_product_attention(X, X, X), (W, FEATURES)),
}  # fmt: skip


@pytest.mark.parametrize("name", FOLLOWED)
def test_names_follow_where_they_are_plain_and_are_dropped_where_not(name):
    compute, expected = FOLLOWED[name]
    assert along(compute, words()) == expected


def test_names_that_contradict_each_other_are_dropped():
    other = ml.tensor(np.ones((3, 4), "float32")).named("P", rows=["first", "second", "third"], columns=FEATURES)
    assert along(lambda X, P: X + P, words(), other) == ((), FEATURES)


def test_a_linear_layer_keeps_the_rows_and_its_weights_name_the_columns():
    weight = ml.tensor(np.ones((2, 4), "float32")).named("W", rows=["yes", "no"])
    assert along(F.linear, words(), weight) == (W, ("yes", "no"))


def test_a_result_may_be_given_names_of_its_own():
    with ml.trace() as steps:
        Q = (words() @ M).named("Q", columns=["k", "l", "m"])
        y = Q * 2
    assert steps.value_of(Q).axes == steps.value_of(y).axes == (W, ("k", "l", "m"))


def test_a_mask_bears_what_it_is_laid_over():
    mask = ml.tensor(np.triu(np.ones((3, 3), bool), 1))
    with ml.trace() as steps:
        (words() @ words().T).masked_fill(mask, -1e9)
    assert steps.value_of(mask).axes == (W, W)


def test_the_fused_attention_names_its_weights():
    with ml.trace() as steps:
        F.scaled_dot_product_attention(words(), words(), words())
    assert [call.axes for call in steps.calls if call.axes] == [(W, W)]


def test_without_names_nothing_is_named():
    assert along(lambda x: F.softmax(x @ x.T, -1), ml.tensor(np.ones((3, 4), "float32"))) == ()


@pytest.fixture
def scored():
    X = words(requires_grad=True, columns=None)
    with ml.trace() as steps:
        scores = X @ X.T
        weights = F.softmax(scores, -1)
        (weights @ X).sum().backward()
    return steps


def step_of(steps, op, kind):
    return next(s for s in steps if s.kind == kind and s.call is not None and s.call.op.name == op)


def test_the_page_has_them_before_rows_and_above_columns_forward_and_backward(scored):
    items = steps_of(page(scored))
    forward = items[step_of(scored, "softmax", "forward").index]
    tables = re.findall(r"<table class=\"x k\">.*?</table>", forward)
    assert len(tables) == 2
    for table in tables:
        assert re.findall(r"<th scope=col>(\w+)", table) == WORDS
        assert re.findall(r"<th scope=row>(\w+)", table) == WORDS
    back = items[step_of(scored, "softmax", "backward").index]
    assert back.count("<th scope=col>cat") >= 3  # what arrives, the product, the gradient so far
    rows_only = re.findall(r"<table class=\"x k\">.*?</table>", items[step_of(scored, "matmul", "forward").index])[0]
    assert "scope=col" not in rows_only
    assert re.findall(r"<th scope=row>(\w+)", rows_only) == WORDS


def test_the_text_has_them_too_in_columns_that_stand_below_one_another(scored):
    lines = str(step_of(scored, "softmax", "forward")).splitlines()
    assert lines[-4].split() == ["=", "weights", *WORDS]
    assert [line.split()[0] for line in lines[-3:]] == WORDS
    assert {len(line) for line in lines[-4:]} == {len(lines[-1])}
    back = str(step_of(scored, "softmax", "backward")).splitlines()
    at = next(k for k, line in enumerate(back) if "so far" in line)
    assert "∂L/∂scores" in back[at]
    assert [line.split()[0] for line in back[at + 2 : at + 5]] == WORDS


def test_a_broadcast_gradient_bears_the_rows_of_what_it_is_summed_over():
    X, b = words(columns=None), ml.tensor(np.zeros(4, "float32"), requires_grad=True)
    with ml.trace() as steps:
        (X + b).sum().backward()
    text = str(step_of(steps, "add", "backward"))
    product = text[text.index("their product") : text.index("sum over")]
    assert [line.split()[0] for line in product.splitlines()[1:4]] == WORDS


def test_an_upright_vector_has_its_names_before_it():
    A = ml.tensor(np.ones((2, 3), "float32")).named("A", rows=["up", "down"])
    with ml.trace() as steps:
        A @ ml.tensor(np.ones(3, "float32")).named("x", rows=WORDS)
    item = steps_of(page(steps))[0]
    assert re.findall(r"<th scope=row>(\w+)", item) == ["up", "down", *WORDS, "up", "down"]
    assert "scope=col" not in item


def test_markup_in_a_name_is_text():
    with ml.trace() as steps:
        ml.tensor(np.ones((1, 1), "float32")).named("x", rows=["<b>"], columns=["&"]) * 2
    assert "<th scope=row>&lt;b&gt;" in page(steps)


@pytest.mark.parametrize(
    ("shape", "given", "error", "message"),
    [
        ((3, 4), {"rows": "the"}, TypeError, "rows must be a list of strings, got 'the'"),
        ((3, 4), {"columns": [1, 2, 3, 4]}, TypeError, "columns must be a list of strings"),
        ((3, 4), {"rows": ["the", "cat"]}, ValueError, r"2 names of rows do not fit a tensor of shape \(3, 4\)"),
        ((), {"columns": []}, ValueError, "0 names of columns do not fit"),
    ],
)
def test_names_that_do_not_fit_are_refused(shape, given, error, message):
    with pytest.raises(error, match=message):
        ml.tensor(np.ones(shape, "float32")).named("x", **given)


def test_a_name_alone_leaves_the_axes_as_they_are():
    X = words().named("Y")
    assert X.name == "Y"
    assert X.axis_names == (W, FEATURES)
    assert ml.tensor([1.0]).axis_names == ()
