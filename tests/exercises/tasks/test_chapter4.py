"""The solutions of chapter 4 against the engine, which computes the same in another way."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import minilm as ml
import minilm.nn.functional as F
from minilm.exercises import tasks
from minilm.exercises.code import solution_of
from minilm.exercises.tasks import chapter4

rng = np.random.default_rng(4)


def solution(id):
    return solution_of(tasks.find(id))


def draw(*shapes):
    return [rng.standard_normal(shape) for shape in shapes]


def grads(function, *arrays, upstream=None):
    """The engine's value and gradients, as arrays."""
    leaves = [ml.tensor(a, requires_grad=True) for a in arrays]
    y = function(*leaves)
    return y.detach().numpy(), *(
        g.numpy() for g in ml.grad(y, leaves, None if upstream is None else ml.tensor(upstream))
    )


def agree(mine, engine):
    for a, b in zip(mine, engine, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_ids_are_the_books_and_then_run_on():
    numbers = sorted(task.number for task in chapter4.TASKS)
    assert numbers == list(range(1, len(numbers) + 1))


def test_index_notation():
    A, B, W, a, x, y = draw((2, 3), (4, 3), (5, 2), (2,), (2,), (3,))
    got = solution("4.1")(A, B, W, a, x, y)
    agree([got["a"], got["c"]], [np.einsum("ij,kj->ik", A, B), np.einsum("ij,i,j->", A, x, y)])
    A, X, W, T = draw((3, 3), (3, 2), (4, 2), (3, 4))
    _, x_bar = grads(lambda X: (X * (ml.tensor(A) @ X)).sum(), X)
    _, w_bar = grads(lambda W: 0.5 * ((ml.tensor(X) @ W.T - ml.tensor(T)) ** 2).sum(), W)
    agree(solution("4.7")(A, X, W, T), [x_bar, w_bar])


@pytest.mark.parametrize(
    ("spec", "a", "b"),
    [("ik,kj->ij", (2, 4), (4, 3)), ("ij,k->ik", (2, 3), (4,)), ("bqd,bkd->kbq", (2, 3, 4), (2, 5, 4))],
)
def test_einsum_backward(spec, a, b):
    A, B = draw(a, b)
    (C_bar,) = draw(np.einsum(spec, A, B).shape)
    _, *expected = grads(lambda A, B: ml.einsum(spec, A, B), A, B, upstream=C_bar)
    agree(solution("4.28")(spec, A, B, C_bar), expected)


def test_max_plus_is_a_maximum_of_sums():
    A, B = draw((2, 4), (4, 3))
    agree([solution("4.39")("ik,kj->ij", A, B)], [(A[:, :, None] + B[None]).max(axis=1)])


def test_hessian_vector():
    x, v = draw((4,), (4,))

    def gradient(p):
        return grads(lambda x: (x**4).sum(), p)[1]

    np.testing.assert_allclose(solution("4.29")(gradient, x, v, 1e-4), 12 * x**2 * v, rtol=1e-5, atol=1e-7)


def test_gelu():
    (x,) = draw((3, 4))
    agree(solution("4.27")(x), grads(lambda x: F.gelu(x, approximate="tanh"), x, upstream=np.ones((3, 4))))


def test_softmax():
    x, g = draw((2, 5, 3), (4, 3))
    for axis in (0, 1, -1):
        agree([solution("4.12")(x, axis)], [ml.tensor(x).softmax(axis).numpy()])
    p, x_bar = grads(lambda x: x.softmax(), x[0], upstream=x[1])
    agree([solution("4.13")(p, x[1])], [x_bar])
    agree([solution("4.11")(list(x.reshape(3, 10)))], [ml.tensor(x.reshape(-1)).logsumexp().numpy()])
    agree(solution("4.6")(x[0, 0], 0.3), grads(lambda x: 0.3 * (x / 0.3).logsumexp(), x[0, 0]))


def test_losses():
    x, y = draw((5, 3), (5,))
    t = np.array([0, -1, 2, 1, -1])
    agree(solution("4.14")(x, t, -1), grads(lambda x: F.cross_entropy(x, ml.tensor(t), ignore_index=-1), x))
    targets = (y > 0).astype(float)

    def bce(x):
        return F.binary_cross_entropy_with_logits(x, ml.tensor(targets))

    agree(solution("4.15")(3 * y, targets), grads(bce, 3 * y))
    t = np.abs(t)

    def smoothed(x):
        return F.cross_entropy(x, ml.tensor(t), label_smoothing=0.2)

    loss, gradient = grads(smoothed, x)
    q = np.array([0.8 + 0.2 / 3, 0.2 / 3, 0.2 / 3])
    agree(solution("4.16")(x, t, 0.2), [loss + (q * np.log(q)).sum(), gradient])
    weights = np.abs(y[:3])
    agree([solution("4.5")(x[0], weights)], grads(lambda x: -(ml.tensor(weights) * x.log_softmax()).sum(), x[0])[1:])


def test_norms():
    x, w, b, g = draw((5, 4), (4,), (4,), (5, 4))
    y, *expected = grads(lambda x, w, b: F.layer_norm(x, w, b, eps=0.1), x, w, b, upstream=g)
    agree([solution("4.17")(x, w, b, 0.1)], [y])
    agree(solution("4.9")(x, w, g, 0.1), expected)
    agree(solution("4.18")(x, w, g, 0.1), grads(lambda x, w: F.rms_norm(x, w, eps=0.1), x, w, upstream=g))
    agree([solution("4.33")(x, w, 0.1)], [F.rms_norm(ml.tensor(x), ml.tensor(w), eps=0.1).numpy()])


def test_running_statistics():
    mine, layer = (
        solution("4.30")(3, 0.25, 0.1),
        ml.nn.BatchNorm1d(3, eps=0.1, momentum=0.25, affine=False).to("float64"),
    )
    for x in draw((4, 3), (6, 3)):
        agree([mine(x, True)], [layer(ml.tensor(x)).numpy()])
    layer.eval()
    (x,) = draw((1, 3))
    agree(
        [mine(x, False), mine.mean, mine.var],
        [v.numpy() for v in (layer(ml.tensor(x)), layer.running_mean, layer.running_var)],
    )


def test_attention():
    Q, K, V, g = draw((4, 3), (4, 3), (4, 3), (4, 3))
    y, *expected = grads(lambda *qkv: F.scaled_dot_product_attention(*qkv, causal=True), Q, K, V, upstream=g)
    agree(solution("4.10")(Q, K, V, g), expected)
    agree([solution("4.31")(Q, K, V)], [y])
    plain = F.scaled_dot_product_attention(*map(ml.tensor, (Q, K, V))).numpy()
    Y, P = solution("4.19")(Q, K, V)
    agree(
        [Y, P @ V, solution("4.32")(Q, K), solution("4.38")(Q[None, None], K[None, None], V[None, None])[0, 0]],
        [plain, plain, P, plain],
    )
    scores, lengths = rng.standard_normal((2, 4, 4)), np.array([4, 2])
    P = solution("4.20")(scores, lengths)
    seen = np.tri(4, dtype=bool) & (np.arange(4) < lengths[:, None, None])
    agree([P], [(ml.tensor(scores) + ml.tensor(np.where(seen, 0.0, -np.inf))).softmax().numpy()])


def test_heads():
    x, *weights = draw((2, 3, 8), *[(8, 8)] * 4)
    split, merge = solution("4.21"), solution("4.22")
    agree([merge(split(x, 4)), split(x, 4)[1, 2]], [x, x[1, :, 4:6]])
    layer = ml.nn.MultiHeadAttention(8, 4, bias=False).to("float64")
    for linear, weight in zip((layer.q_proj, layer.k_proj, layer.v_proj, layer.out_proj), weights, strict=True):
        linear.weight.data[:] = weight
    agree([solution("4.23")(x, *weights, 4)], [layer(ml.tensor(x), causal=True).numpy()])


def test_positions():
    P = solution("4.24")(9, 6)
    np.testing.assert_allclose(P, ml.nn.SinusoidalPositions(9, 6).table.numpy(), atol=1e-6)
    agree([P[:-2] @ solution("4.25")(2, 6).T], [P[2:]])
    (x,) = draw((3, 6))
    agree([solution("4.26")(x, 4)], [ml.nn.RotaryPositions(6)(ml.tensor(x), start=4).numpy()])


@pytest.mark.parametrize("id", ["4.4", "4.8"])
def test_what_a_derivation_says_holds_in_numbers(id):
    code = tasks.find(id)
    exec(code.setup + code.solution, {})


@pytest.mark.parametrize("seed", range(5))
def test_numbers_of_a_student_lead_to_one_answer(seed):
    for id in ("4.36", "4.37"):
        task = tasks.find(id)
        assert task.asked(seed) != task.statement
        assert "{" not in task.asked(seed).replace("$", "").replace(r"\bar", "")
        names = dict(np=np, **task.values(seed))
        exec(task.solution, names)
        assert np.isfinite(names["answer"]).all()


def test_every_argument_is_named_in_the_stub_as_in_the_solution():
    for task in chapter4.TASKS:
        if task.kind == "code":
            names = {"np": np}
            exec(task.stub, names)
            assert inspect.signature(names[task.name]) == inspect.signature(solution(task.id)), task.id
