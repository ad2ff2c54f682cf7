"""A network as a picture, its gradients, and two numbers of a digit."""

import matplotlib
import numpy as np

from minilm.book import small_networks
from minilm.nn import functional as F

matplotlib.use("Agg")


def test_two_numbers_of_a_ring_and_of_a_stroke():
    ring, stroke = np.zeros((8, 8)), np.zeros((8, 8))
    ring[2:6, [1, 2, 5, 6]] = 16
    stroke[:, 3:5] = 16
    assert small_networks.two_numbers(ring) == [0.0, 1.0]
    assert small_networks.two_numbers(stroke) == [1.0, 0.0]


def test_gradients_fade_through_sigmoids_and_less_with_he():
    first, last = small_networks.first_and_last_gradient(F.sigmoid)
    plain = small_networks.first_and_last_gradient(F.relu)
    he = small_networks.first_and_last_gradient(F.relu, he=True)
    assert first / last < plain[0] / plain[1] < he[0] / he[1]


def test_a_picture_has_a_line_per_weight_and_a_circle_per_neuron():
    import matplotlib.pyplot as plt

    small_networks.draw_network([np.ones((4, 3)), -np.ones((2, 4))], ["in", "hidden", "out"])
    axes = plt.gca()
    assert len(axes.lines) == 20
    assert len(axes.collections) == 9
    assert sum(line.get_linestyle() == "--" for line in axes.lines) == 8
    plt.close("all")
