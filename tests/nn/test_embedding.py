"""Embedding: rows by id, repeated ids, and padding."""

import numpy as np
import pytest

import minilm as ml
from minilm import nn
from minilm.backend import to_device


def test_each_id_gives_its_row_and_repeated_ids_add_up(device):
    layer, ids = nn.Embedding(4, 2).to(device), np.array([[1, 3], [1, 1]])
    y = layer(ml.Tensor(to_device(ids, device)))
    np.testing.assert_array_equal(y.numpy(), layer.weight.numpy()[ids])
    y.sum().backward()
    np.testing.assert_array_equal(layer.weight.grad.numpy(), [[0, 0], [3, 3], [0, 0], [1, 1]])


@pytest.mark.parametrize("padding_idx", [1, -3])
def test_padding_starts_at_zero_and_is_not_learnt(padding_idx, device):
    layer = nn.Embedding(4, 2, padding_idx).to(device)
    assert layer.padding_idx == 1
    y = layer(ml.Tensor(to_device(np.array([0, 1, 1]), device)))
    assert not y.numpy()[1:].any()
    y.sum().backward()
    np.testing.assert_array_equal(layer.weight.grad.numpy(), [[1, 1], [0, 0], [0, 0], [0, 0]])


def test_wrong_ids_are_told():
    layer = nn.Embedding(4, 2)
    with pytest.raises(TypeError, match="ids must be integers, got float32"):
        layer(ml.zeros(2))
    with pytest.raises(TypeError, match="ids must be integers"):
        layer([1, 2])
    for ids in ([0, 4], [-1]):  # a GPU would have to wait for this check, and leaves it out
        with pytest.raises(IndexError):
            layer.to("cpu")(ml.Tensor(np.array(ids), device="cpu"))
    with pytest.raises(ValueError, match="padding_idx 4 is none of the 4 ids"):
        nn.Embedding(4, 2, padding_idx=4)
