"""gradcheck finds the classic bugs, and says what they are."""

import numpy as np
import pytest

import minilm as ml
from minilm.gradcheck import GradcheckError, gradcheck, gradgradcheck
from minilm.ops.arithmetic import exp
from minilm.ops.op import Op


class Broken(Op):
    """An op that is not in the registry, with a rule to be broken."""

    formula = derivative = "?"

    def __init__(self, forward, rule, broadcasts=False):
        self.f, self.rule, self.broadcasts = forward, rule, broadcasts
        self.name = "broken"
        super().__init__()

    def forward(self, dev, x):
        return self.f(x)

    def grad_x(self, g, y, x):
        return self.rule(g, y, x)


def x(*shape, low=0.5):
    return ml.tensor(np.random.default_rng(0).uniform(low, 2.0, shape), requires_grad=True)


def message(op, *inputs):
    with pytest.raises(GradcheckError) as info:
        gradcheck(op, *inputs)
    return str(info.value)


def test_right_gradients_pass():
    assert gradcheck(lambda a, b: (a * b.exp()).sum(0), x(3, 2), x(2))
    assert gradgradcheck(lambda a, b: (a * b.exp()).sum(0), x(3, 2), x(2))
    assert gradcheck(lambda a: (a * 2.0, a.exp()), x(2))
    assert gradcheck(lambda a: a.exp().sum(), x(30, 30), directions=5)


def test_the_difference_is_central():
    """At the bottom of a steep valley a one-sided difference is off by half the step times the curvature."""
    at_the_bottom = ml.tensor([0.0], dtype="float64", requires_grad=True)
    assert gradcheck(lambda a: 1000.0 * a * a, at_the_bottom)


def test_message_names_input_element_values_and_ratio():
    text = message(Broken(lambda a: a**2, lambda g, y, a: 3 * a * g), x(2, 3).named("weights"))
    for part in (
        "input 0 'weights' (2, 3)",
        "element (",
        "ratio 1.5",
        "the central difference",
        "6 of 6 elements differ",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("forward", "rule", "cause"),
    [
        (lambda a: a * 3.0, lambda g, y, a: -3.0 * g, "sign is reversed"),
        (lambda a: a * 3.0, lambda g, y, a: 0.0 * g, "zero everywhere"),
        (lambda a: a * 3.5, lambda g, y, a: g, "0.285714 times"),
        (lambda a: a * a, lambda g, y, a: g * a, "exactly half"),
        (lambda a: a * a, lambda g, y, a: g * a * 4.0, "exactly twice"),
        (lambda a: a / a.size, lambda g, y, a: g, "exactly 9 times too large: mean against sum"),
        (lambda a: a * 9.0, lambda g, y, a: g, "exactly 9 times too small"),
        (lambda a: a.T * 1.0, lambda g, y, a: g * 1.0, "transpose of the right"),
        (lambda a: a**2, lambda g, y, a: g * 2 * a * (a > 1.0), "Where it is not zero it is right"),
        (lambda a: a * 1.0, lambda g, y, a: g * np.nan, "not finite"),
    ],
)
def test_likely_cause(forward, rule, cause):
    assert cause in message(Broken(forward, rule), x(3, 3))


def test_random_upstream_gradients_see_what_a_sum_hides():
    """The rows of a softmax sum to one, so with an upstream gradient of ones a zero gradient would pass."""
    softmax = Broken(lambda a: exp(a) / exp(a).sum(-1, keepdims=True), lambda g, y, a: g * 0.0)
    assert "zero everywhere" in message(softmax, x(2, 3))


def test_directions_find_it_too():
    with pytest.raises(GradcheckError, match="random direction"):
        gradcheck(Broken(lambda a: a**2, lambda g, y, a: 2.1 * a * g), x(40), directions=1)


def test_second_order_bug_with_a_right_first_order():
    class Constant(Broken):
        def grad_x(self, g, y, a):
            return g * 2.0 * (a.detach() if isinstance(a, ml.Tensor) else a)

    op = Constant(lambda a: a**2, None)
    assert gradcheck(op, x(3))
    with pytest.raises(GradcheckError):
        gradgradcheck(op, x(3))


def test_a_gradient_that_is_another_once_it_is_recorded():
    """Its graph fits it, so only the gradient without a graph tells that it is wrong."""
    op = Broken(lambda a: a**2, lambda g, y, a: (3 if isinstance(a, ml.Tensor) else 2) * a * g)
    assert gradcheck(op, x(3))
    with pytest.raises(GradcheckError, match="ratio 1.5"):
        gradgradcheck(op, x(3))


def test_second_derivatives_are_checked_within_no_grad():
    op = Broken(lambda a: a**2, lambda g, y, a: (3 if isinstance(a, ml.Tensor) else 2) * a * g)
    with ml.no_grad(), pytest.raises(GradcheckError):
        gradgradcheck(op, x(3))


def test_a_cut_graph_is_named():
    with pytest.raises(GradcheckError, match=r"\.detach\(\)"):
        gradcheck(lambda a: ml.Tensor(np.exp(a.numpy())), x(2))


def test_needs_float64_and_an_input():
    with pytest.raises(TypeError, match="float64"):
        gradcheck(lambda a: a * 2.0, ml.ones(2, requires_grad=True))
    with pytest.raises(TypeError, match="no input requires"):
        gradcheck(lambda a: a * 2.0, ml.tensor(np.ones(2)))


@pytest.mark.host
def test_missing_unbroadcast_is_an_error_of_its_own():
    with pytest.raises(RuntimeError, match="gradient of input 0 has shape"):
        gradcheck(Broken(lambda a: a + np.ones((4, 3)), lambda g, y, a: g), x(3))


def test_empty_and_scalar_inputs():
    assert gradcheck(lambda a: a.exp(), ml.tensor(np.zeros((0, 3)), requires_grad=True))
    assert gradcheck(lambda a: a.exp(), ml.tensor(np.array(0.5), requires_grad=True))
