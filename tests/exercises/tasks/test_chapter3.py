"""Chapter 3's model solutions against the engine and against difference quotients: what is expected of students is right."""

import math

import numpy as np
import pytest

import minilm as ml
import minilm.nn.functional as F
from minilm.exercises.code import solution_of
from minilm.exercises.tasks import find


def solution(id):
    return solution_of(find(id))


def drawn(id, name):
    """The inputs of a test."""
    return next(inputs for test, inputs in find(id).cases(5) if test.name == name)


def parameters(*arrays):
    return [ml.tensor(a, requires_grad=True) for a in arrays]


def assert_gradients(got, tensors, tolerance=1e-13):
    for mine, tensor in zip(got, tensors, strict=True):
        assert np.abs(mine - tensor.grad.numpy()).max() < tolerance


def test_the_classifier():
    X, labels, *arrays = drawn("3.4", "a batch")
    W1, b1, W2, b2 = tensors = parameters(*arrays)
    F.cross_entropy(F.linear(F.linear(ml.tensor(X), W1, b1).relu(), W2, b2), labels).backward()
    assert_gradients(solution("3.4")(X, labels, *arrays), tensors)


def test_tied_weights():
    W, x, y = drawn("3.5", "a narrow layer")
    y = 1 / (1 + np.exp(-y))
    (w,) = parameters(W)
    F.binary_cross_entropy((w.T @ (w @ ml.tensor(x)).sigmoid()).sigmoid(), ml.tensor(y), reduction="sum").backward()
    assert_gradients([solution("3.5")(W, x, y)], [w])


def test_dual_numbers():
    (w,) = parameters(np.array(-0.8))
    (w * (w * 1.5).sigmoid()).sigmoid().backward()
    Dual = solution("3.6")
    u = Dual(-0.8, 1.0)
    assert abs((u * (u * Dual(1.5)).sigmoid()).sigmoid().dot - w.grad.item()) < 1e-15
    assert abs((u * u + u).dot - (2 * -0.8 + 1)) < 1e-15


def test_the_difference_of_fourth_order():
    fourth_order = solution("3.7")
    h = 0.05
    assert abs((fourth_order(np.exp, 1.0, h) - np.e) / (-(h**4) / 30 * np.e) - 1) < 0.01
    best = (45 / 4 * 2.0**-53) ** (1 / 5)
    assert 0.9e-3 < best < 1.2e-3
    assert abs(fourth_order(np.exp, 1.0, best) - np.e) < 3e-12
    assert abs(fourth_order(np.exp, 1.0, best / 1000) - np.e) > 3e-12
    assert abs(fourth_order(np.exp, 1.0, best * 100) - np.e) > 1e-6


def test_weights_for_a_leaky_relu_keep_the_mean_square():
    rng = np.random.default_rng(0)
    a = ml.tensor(rng.standard_normal((64, 256)))
    for _ in range(20):
        a = F.leaky_relu(F.linear(a, ml.tensor(solution("3.8")(256, 256, 0.3, rng))), negative_slope=0.3)
    assert 0.5 < np.sqrt((a.numpy() ** 2).mean()) < 2


def test_the_nudge_measures_delta():
    z, W, b, y, _ = drawn("3.9", "a layer")
    a = 1 / (1 + np.exp(-z))
    out = 1 / (1 + np.exp(-(W @ a + b)))
    delta = a * (1 - a) * (W.T @ ((out - y) * out * (1 - out)))
    assert np.abs(solution("3.9")(z, W, b, y, 1e-4) - delta).max() < 1e-8


def test_the_sigmoid():
    z = np.linspace(-700, 700, 57)
    assert np.array_equal(solution("3.10")(z), ml.tensor(z).sigmoid().numpy())
    assert abs(solution("3.10")(np.array([-100.0]))[0] / math.exp(-100) - 1) < 1e-15


@pytest.mark.parametrize("kind", ["sigmoid", "tanh", "relu"])
def test_backward_from_the_output(kind):
    rng = np.random.default_rng(0)
    z, g = rng.standard_normal((2, 4, 3))
    (t,) = parameters(z)
    a = getattr(t, kind)()
    a.backward(ml.tensor(g))
    assert_gradients([solution("3.11")(kind, a.detach().numpy(), g)], [t])


def test_two_sigmoid_layers():
    x, y, *arrays = drawn("3.12", "a network")
    W1, b1, W2, b2 = tensors = parameters(*arrays)
    out = (W2 @ (W1 @ ml.tensor(x) + b1).sigmoid() + b2).sigmoid()
    (((out - ml.tensor(y)) ** 2).sum() / 2).backward()
    assert_gradients(solution("3.12")(x, y, *arrays), tensors)


def test_the_linear_layer():
    A, W, D = drawn("3.13", "a batch")
    tensors = parameters(A, W, np.zeros(2))
    F.linear(*tensors).backward(ml.tensor(D))
    assert_gradients(solution("3.13")(A, W, D), tensors)


def test_a_deep_network():
    X, Y, weights = drawn("3.15", "three layers of different widths")
    tensors = parameters(*weights)
    a = ml.tensor(X)
    for w in tensors:
        a = F.linear(a, w).tanh()
    (((a - ml.tensor(Y)) ** 2).sum() / 2).backward()
    assert_gradients(solution("3.15")(X, Y, weights), tensors)


def test_the_language_model():
    *arrays, contexts, targets = drawn("3.16", "a batch")
    C, H, d, U, b = tensors = parameters(*arrays)
    x = F.embedding(contexts, C).reshape(len(targets), -1)
    F.cross_entropy(F.linear(F.linear(x, H, d).tanh(), U, b), targets).backward()
    assert_gradients(solution("3.16")(*arrays, contexts, targets), tensors)


@pytest.mark.parametrize("small", [(3,), (4, 1), (1, 1, 1), (), (2, 4, 3)])
def test_the_gradient_of_broadcasting(small):
    g = np.random.default_rng(0).standard_normal((2, 4, 3))
    (t,) = parameters(np.zeros(small))
    (t + ml.zeros(2, 4, 3, dtype="float64")).backward(ml.tensor(g))
    assert_gradients([solution("3.17")(g, small)], [t])


def test_the_maximum_with_ties():
    for name in ("a row with a tie", "a batch", "a row of equal numbers"):
        x, g = drawn("3.19", name)
        (t,) = parameters(x)
        t.amax(1).backward(ml.tensor(g))
        assert_gradients([solution("3.19")(x, g)], [t])


def test_scalars():
    Scalar = solution("3.24")
    a, b = Scalar(2.0), Scalar(3.0)
    u = a * b
    y = (u + a) * u + u * (u + a)
    y.backward()
    assert (y.value, a.grad, b.grad) == (96.0, 96.0, 56.0)
    x = y = Scalar(1.0)
    for _ in range(3000):
        y = y + x
    y.backward()
    assert x.grad == 3001.0


def test_a_neuron_of_scalars():
    Number = solution("3.25")
    values = drawn("3.25", "a neuron and its loss")
    leaves = w1, w2, b, x1, x2, y = [Number(v) for v in values]
    ((w1 * x1 + w2 * x2 + b).tanh() - y / Number(2.0)).backward()
    tensors = w1, w2, b, x1, x2, y = parameters(*(np.array(v) for v in values))
    ((w1 * x1 + w2 * x2 + b).tanh() - y / 2).backward()
    assert_gradients([leaf.grad for leaf in leaves], tensors)


def test_a_numeric_gradient_finds_the_formula():
    A, W, D = drawn("3.13", "a batch")
    _, found, _ = solution("3.13")(A, W, D)
    numeric = solution("3.27")(lambda w: (D * (A @ w.T)).sum(), W, 1e-3)
    assert solution("3.28")(found, numeric)[0] < 1e-9


def test_a_batch_in_pieces():
    w, X, y, size = drawn("3.29", "a shorter last piece")

    def gradient(w, X, y):
        return 2 * X.T @ (X @ w - y) / len(X)

    assert np.allclose(solution("3.29")(gradient, w, X, y, size), gradient(w, X, y), rtol=1e-13)


def test_xor_is_learned_and_its_first_step_is_the_gradient():
    W1, b1, W2, b2, _, _ = drawn("3.30", "two hundred steps")
    tensors = parameters(W1, b1, W2, np.array(b2))
    X, Y = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0.0, 1, 1, 0])
    z = F.linear(ml.tensor(X), *tensors[:2]).tanh() @ tensors[2] + tensors[3]
    loss = F.binary_cross_entropy(z.sigmoid(), ml.tensor(Y))
    loss.backward()
    losses, *after = solution("3.30")(W1, b1, W2, b2, 1.0, 1)
    assert abs(losses[0] - loss.item()) < 1e-12
    assert_gradients([old - new for old, new in zip((W1, b1, W2, b2), after, strict=True)], tensors, 1e-12)
    losses, *_ = solution("3.30")(W1, b1, W2, b2, 0.5, 2000)
    assert losses[-1] < 0.05


def test_the_paths_add_up_to_the_gradient():
    x, y, *arrays, i, j = drawn("3.1", "a network of other widths")
    W1, b1, W2, b2 = tensors = parameters(*arrays)
    prediction = F.linear(F.linear(ml.tensor(x), W1, b1).sigmoid(), W2, b2).sigmoid()
    F.binary_cross_entropy(prediction, ml.tensor(y)).backward()
    found = solution("3.1")(x, y, *arrays, i, j)
    assert found.shape == y.shape
    assert abs(found.sum() - tensors[0].grad[i, j].item()) < 1e-14
