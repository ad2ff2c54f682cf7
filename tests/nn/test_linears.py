"""Which linear layers a name means."""

import pytest

from minilm import nn
from minilm.models import MLP
from minilm.nn.linears import chosen, places


def model():
    return nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Linear(3, 3), nn.ReLU()), MLP((3, 2, 1)))


def test_all_by_path():
    assert [place.path for place in places(model(), nn.Linear)] == ["0", "1.0", "2.layers.0", "2.layers.1"]


def test_a_target_is_the_end_of_a_path_at_a_dot():
    assert [place.path for place in chosen(model(), ["0"])] == ["0", "1.0", "2.layers.0"]
    assert [place.path for place in chosen(model(), ["layers.1", "1.0"])] == ["1.0", "2.layers.1"]
    place = chosen(model(), ["layers.1"])[0]
    assert getattr(place.parent, place.name) is place.layer


def test_a_shared_layer_stands_at_each_of_its_places():
    layer = nn.Linear(2, 2)
    assert [place.path for place in chosen(nn.Sequential(layer, layer), None)] == ["0", "1"]


def test_wrong_targets():
    with pytest.raises(ValueError, match=r"Sequential has no linear layer 'q_proj'; their names are 0, 1"):
        chosen(model(), ["0", "q_proj"])
    with pytest.raises(TypeError, match=r"such as \['0'\]; got a text"):
        chosen(model(), "0")
    with pytest.raises(ValueError, match="holds no Linear layer below itself"):
        chosen(nn.Linear(2, 2), None)
