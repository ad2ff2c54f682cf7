"""The tagger: its formula for one row written out, its gradients to second order, and a padded batch against each row alone."""

import numpy as np
import pytest

import minilm as ml
from minilm.gradcheck import gradcheck, gradgradcheck
from minilm.models.tagger import KNOWN, OTHERS_COUNT, PADDING, UNKNOWN, SequenceTagger, mask_of, neighbors
from minilm.nn.crf import allowed_transitions

TAGS = ["O", "B-X", "I-X"]
IDS = np.array(
    [[[2, 3, 4], [1, 4, 2], [3, 2, 1], [2, 2, 2], [3, 3, 1]], [[2, 4, 1], [3, 1, 4], [2, 2, 2], [0, 0, 0], [0, 0, 0]]]
)
LENGTHS = np.array([5, 3])
GOLD = np.array([[1, 2, 0, 1, 0], [0, 1, 2, 0, 0]])


OTHERS = np.array([[1, 0, 2, 3, 1], [2, 2, 1, 0, 0]])


def make(dropout=0.0, dtype="float64", others=0):
    ml.random.manual_seed(0)
    tables, allowed = [(4, 3), (5, 2)], allowed_transitions(TAGS)
    return SequenceTagger(
        tables, (0, 1, 1), 3, others=others, width=4, dilations=(1, 2), dropout=dropout, allowed=allowed
    ).to(dtype)


def test_emissions_are_those_of_the_formula():
    model, ids = make(), IDS[:1]

    def normed(h, layer):
        centered = h - h.mean(-1, keepdims=True)
        scaled = centered / np.sqrt((centered**2).mean(-1, keepdims=True) + layer.eps)
        return scaled * layer.weight.numpy() + layer.bias.numpy()

    token, pair = (table.weight.numpy() for table in model.tables)
    e = np.concatenate([token[ids[0, :, 0]], pair[ids[0, :, 1]], pair[ids[0, :, 2]]], axis=1)
    h = e @ model.into.weight.numpy().T + model.into.bias.numpy()
    for d, norm, layer in zip((1, 2), model.norms, model.layers, strict=True):
        n, zero = normed(h, norm), np.zeros(4)
        at = lambda t, n=n, zero=zero: n[t] if 0 <= t < 5 else zero  # noqa: E731
        rows = np.stack([np.concatenate([at(t - d), at(t), at(t + d)]) for t in range(5)])
        h = h + np.maximum(rows @ layer.weight.numpy().T + layer.bias.numpy(), 0)
    expected = normed(h, model.norm) @ model.out.weight.numpy().T + model.out.bias.numpy()
    np.testing.assert_allclose(model(ids, np.array([5])).numpy()[0], expected, rtol=1e-10)


def test_a_padded_row_gets_what_it_gets_alone():
    model = make()
    both = model(IDS, LENGTHS).numpy()
    alone = model(IDS[1:, :3], LENGTHS[1:]).numpy()
    np.testing.assert_allclose(both[1, :3], alone[0], rtol=1e-12)
    each = [
        model.loss(IDS[b : b + 1, :n], GOLD[b : b + 1, :n], OTHERS[b : b + 1, :n], np.array([n])).item() * n
        for b, n in enumerate(LENGTHS)
    ]
    assert model.loss(IDS, GOLD, OTHERS, LENGTHS).item() == pytest.approx(sum(each) / 2 / 5, rel=1e-12)


def test_what_else_is_known_counts_where_it_is_known():
    model = make(others=4)
    without = model.loss(IDS, GOLD, np.zeros_like(OTHERS), LENGTHS).item()
    logits = model.out_others(model.hidden(IDS, LENGTHS)).numpy()
    nats = np.log(np.exp(logits).sum(-1)) - np.take_along_axis(logits, OTHERS[:, :, None], 2)[:, :, 0]
    expected = without + OTHERS_COUNT * nats[OTHERS > 0].sum() / OTHERS.size
    assert model.loss(IDS, GOLD, OTHERS, LENGTHS).item() == pytest.approx(expected, rel=1e-12)
    assert make().loss(IDS, GOLD, OTHERS, LENGTHS).item() == make().loss(IDS, GOLD, 0 * OTHERS, LENGTHS).item()


def test_gradients_of_every_parameter_to_second_order():
    model = make(others=4)

    def loss(*_):
        return model.loss(IDS, GOLD, OTHERS, LENGTHS)

    assert gradcheck(loss, *model.parameters())
    assert gradgradcheck(loss, model.into.bias, model.norms[0].weight, model.crf.start_transitions)


def test_neighbors_stand_before_and_behind():
    x = ml.tensor(np.arange(1.0, 5.0).reshape(1, 4, 1))
    assert neighbors(x, 1).numpy()[0].tolist() == [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 0]]
    assert neighbors(x, 2).numpy()[0].tolist() == [[0, 1, 3], [0, 2, 4], [1, 3, 0], [2, 4, 0]]
    assert neighbors(x, 7).numpy()[0].tolist() == [[0, 1, 0], [0, 2, 0], [0, 3, 0], [0, 4, 0]]


def test_the_table_begins_with_padding_that_stays_zero():
    model = make(dtype="float32")
    model.loss(IDS, GOLD, OTHERS, LENGTHS).backward()
    assert (PADDING, UNKNOWN, KNOWN) == (0, 1, 2)
    for table in model.tables:
        assert not table.weight.numpy()[PADDING].any()
        assert table.weight.numpy()[UNKNOWN].any()
        assert not table.weight.grad.numpy()[PADDING].any()


def test_a_mask_is_there_only_where_lengths_differ():
    assert mask_of(np.array([3, 3]), 3) is None
    assert mask_of(np.array([1, 3]), 3).tolist() == [[True, False, False], [True, True, True]]
