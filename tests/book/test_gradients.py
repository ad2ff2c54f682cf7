"""What chapter 3 measures of gradients."""

import matplotlib
import numpy as np
import pytest

import minilm as ml
from minilm.book import gradients
from minilm.nn import functional as F

matplotlib.use("Agg")


def test_the_central_difference_of_a_cubic_is_its_slope_and_leaves_the_array_as_it_was():
    array = np.array([[1.0, -2.0], [0.5, 3.0]])
    before = array.copy()
    slope = gradients.central_difference(lambda: float((array**3).sum()), array)
    assert np.allclose(slope, 3 * before**2, rtol=1e-9)
    assert np.array_equal(array, before)


def test_the_two_sigmoids_agree_and_one_does_not_overflow():
    z = np.array([-30.0, -1.0, 0.0, 2.0])
    assert np.allclose(gradients.sigmoid(z), gradients.sigma(ml.tensor(z)).numpy(), rtol=1e-14)
    with np.errstate(over="raise", invalid="raise"):
        assert gradients.sigmoid(np.array([-1000.0, 1000.0])).tolist() == [0.0, 1.0]


def test_multiplications_are_those_of_the_definition():
    counter = gradients.Multiplications()
    with ml.observe(counter):
        (ml.zeros(3, 4) @ ml.zeros(4, 5)).tanh()
    assert counter.count == 3 * 4 * 5


def test_initializers_have_the_standard_deviation_of_their_formulas():
    glorot = gradients.standard_deviation(ml.nn.init.xavier_normal_, 30, 20)
    assert glorot == pytest.approx((2 / 50) ** 0.5, rel=1e-6)


def test_the_place_of_a_minimum():
    assert gradients.place_of_minimum(lambda h: h / 2 + 2 / h) == pytest.approx(2.0, rel=1e-9)


def test_the_first_layer_of_a_linear_network_keeps_its_size_with_the_right_deviation():
    forward, backward = gradients.through_layers(lambda z: z, 128**-0.5, depth=2)
    assert forward == pytest.approx([1, 1], abs=0.1)
    assert backward == pytest.approx([1, 1], abs=0.1)


def test_equal_neurons_do_not_learn_the_exclusive_or():
    assert gradients.loss_on_xor(0.0, steps=5) == pytest.approx(np.log(2), abs=1e-6)
    assert gradients.loss_on_xor(0.5, steps=150) > 0.4 > 4 * gradients.loss_on_xor(None, steps=150)


def exponential():
    return gradients.Weight(np.exp, 0.7, 4 * (np.exp(0.7),))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_error_is_smallest_near_the_expected_step(dtype):
    for curve in gradients.difference_errors(exponential(), dtype).values():
        near = np.abs(np.log10(curve.steps / curve.best)) < 1
        far = np.abs(np.log10(curve.steps / curve.best)) > 2.5
        assert np.median(curve.errors[near]) < np.median(curve.errors[far])


def test_the_complex_step_has_all_digits_from_small_steps_on():
    curve = gradients.complex_step_errors(exponential())
    assert curve.errors[curve.steps < 1e-9].max() < 1e-15


def test_pictures_have_what_they_are_given():
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2)
    gradients.draw_errors(left, gradients.difference_errors(exponential(), "float64"), "step")
    assert [line.get_label() for line in left.lines if not line.get_label().startswith("_")] == ["forward", "central"]
    ones = [[1.0, -1.0], [1.0, 1.0]]
    gradients.draw_network(right, [("in", [1, 2], None), ("out", [3, 4], [0.5, -0.5])], [(ones, ones)], [0.1, 0.9])
    texts = {text.get_text() for text in right.texts}
    assert {"in", "out", "target 0.1", "\N{MINUS SIGN}1\n(\N{MINUS SIGN}1.0000)"} <= texts
    plt.close(figure)


def test_the_two_two_two_network_is_that_of_the_text():
    hidden = F.linear(ml.tensor([1.0, 2.0]), ml.tensor([[0.1, 0.2], [0.3, 0.4]]), ml.tensor([0.1, 0.2]))
    assert gradients.sigma(hidden).tolist() == pytest.approx([0.645656, 0.785835], abs=1e-6)
