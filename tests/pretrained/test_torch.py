"""PyTorch's names for our layers, without PyTorch; with it: tests/oracle/test_state_dict.py."""

import numpy as np
import pytest

from minilm import nn
from minilm.formats import FormatError
from minilm.pretrained.torch import from_torch, to_torch, torch_name

NAMES = {
    "self_attn.in_proj_weight": (12, 4), "self_attn.in_proj_bias": (12,), "self_attn.out_proj.weight": (4, 4),
    "self_attn.out_proj.bias": (4,),
    "multihead_attn.in_proj_weight": (12, 4), "multihead_attn.in_proj_bias": (12,), "multihead_attn.out_proj.weight": (4, 4),
    "multihead_attn.out_proj.bias": (4,), "linear1.weight": (6, 4), "linear1.bias": (6,), "linear2.weight": (4, 6), "linear2.bias": (4,),
    "norm1.weight": (4,), "norm1.bias": (4,), "norm2.weight": (4,), "norm2.bias": (4,), "norm3.weight": (4,), "norm3.bias": (4,),
}  # fmt: skip


def test_the_names_of_a_decoder_layer():
    arrays = to_torch(nn.TransformerDecoderLayer(4, 2, 6))
    assert {name: array.shape for name, array in arrays.items()} == NAMES


def test_queries_keys_and_values_in_this_order():
    layer = nn.MultiHeadAttention(4, 2)
    arrays = to_torch(layer)
    np.testing.assert_array_equal(arrays["in_proj_weight"][:4], layer.q_proj.weight.numpy())
    np.testing.assert_array_equal(arrays["in_proj_weight"][4:8], layer.k_proj.weight.numpy())
    np.testing.assert_array_equal(arrays["in_proj_weight"][8:], layer.v_proj.weight.numpy())
    assert torch_name(layer, "v_proj.bias") == ("in_proj_bias", 2)
    assert torch_name(layer, "out_proj.bias") == ("out_proj.bias", None)


class Mine(nn.TransformerEncoderLayer):
    """A layer of one's own, made of one that PyTorch has."""


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([Mine(4, 2, 6), nn.TransformerEncoderLayer(4, 2, 6, bias=False)])
        self.up = nn.Linear(4, 3)
        self.feed_forward = nn.FeedForward(3, 5)
        self.norm = nn.BatchNorm1d(3)


def test_only_what_lies_in_a_layer_is_renamed():
    names = set(to_torch(Model()))
    assert {"layers.0.linear1.bias", "layers.0.self_attn.in_proj_bias", "layers.1.linear2.weight", "up.weight"} <= names
    assert {"feed_forward.linear1.weight", "norm.running_mean", "norm.num_batches_tracked"} <= names
    assert not any(name.startswith("layers.1") and name.endswith("bias") for name in names)


def test_there_and_back():
    one, other = Model(), Model()
    state = to_torch(one)
    arrays = from_torch(other, state)
    assert set(arrays) == set(one.state_dict())
    other.load_state_dict(arrays)
    for name, value in other.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), one.state_dict()[name].numpy())
    state["up.weight"][:] = 7
    assert not (one.up.weight.numpy() == 7).any()


def test_everything_that_does_not_fit_is_in_one_error():
    layer = nn.MultiHeadAttention(4, 2)
    state = to_torch(layer)
    state["more"] = np.zeros(2)
    state["in_proj_weight"] = np.zeros((8, 4))
    del state["out_proj.bias"]
    with pytest.raises(FormatError, match="not of a torch.nn module like this MultiHeadAttention: ") as caught:
        from_torch(layer, state)
    for words in ("out_proj.bias (4,) is missing", "more (2,) is none of the module's",
                  "in_proj_weight has the shape (8, 4), the module's is (12, 4)"):  # fmt: skip
        assert words in str(caught.value)
    with pytest.raises(FormatError, match="and 10 more"):
        from_torch(nn.TransformerDecoderLayer(4, 2, 6), {})


def test_the_older_gru_has_no_twin():
    for function in (to_torch, lambda module: from_torch(module, {})):
        with pytest.raises(FormatError, match="PyTorch's GRU has its reset gate after the product"):
            function(nn.GRU(3, 4, reset_after=False))
