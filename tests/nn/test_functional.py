"""The functions that are more than an op under another name."""

import numpy as np
import pytest

import minilm as ml
from minilm.gradcheck import gradcheck, gradgradcheck
from minilm.nn import functional as F
from minilm.ops import REGISTRY


def test_functions_that_are_ops_are_the_ops():
    assert F.nll_loss is REGISTRY["nll"]
    assert F.gelu.formula
    assert F.layer_norm.formula is REGISTRY["layer_norm"].formula
    assert F.rms_norm.derivative is REGISTRY["rms_norm"].derivative


def test_every_public_name_exists():
    assert all(callable(getattr(F, name)) for name in F.__all__)


def test_one_hot(device):
    y = F.one_hot(ml.tensor(np.array([[2], [0]]), device=device), 3)
    assert y.tolist() == [[[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]]]
    assert y.dtype == np.float32
    assert y.device is device
    assert F.one_hot([1], 2, "float64").dtype == np.float64
    with pytest.raises(TypeError, match="ids must be integers, got float32"):
        F.one_hot([1.0], 2)
    for ids in ([0, 3], [-1]):
        with pytest.raises(IndexError, match="ids must be in 0 to 2"):
            F.one_hot(ids, 3)


def test_dropout_with_a_key_is_a_function():
    x = ml.ones(50)
    assert F.dropout(x, 0.5, key=7).tolist() == F.dropout(x, 0.5, key=7).tolist()
    assert F.dropout(x, 0.5, key=7).tolist() != F.dropout(x, 0.5, key=8).tolist()
    assert F.dropout(x, 0.5, training=False) is x


def test_attention_dropout_draws_a_new_mask_each_time():
    q = ml.Tensor(np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32))
    a, b = (F.scaled_dot_product_attention(q, q, q, dropout_p=0.5).numpy() for _ in range(2))
    assert not np.array_equal(a, b)


def test_embedding_takes_ids_first_as_pytorch_does():
    w = ml.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert F.embedding(ml.tensor([1]).to(w.device), w).tolist() == [[3.0, 4.0]]


@pytest.mark.parametrize("name", ["layer_norm", "rms_norm"])
def test_norms_of_several_axes_take_their_numbers_as_one_vector(name, device):
    rng, norm = np.random.default_rng(0), getattr(F, name)
    x, w = (ml.Tensor(rng.standard_normal(shape), device=device) for shape in ((2, 3, 4), (3, 4)))
    flat = norm(x.reshape(2, 12), w.reshape(12), eps=0.1).numpy()
    for y in (
        norm(x, (3, 4), w, eps=0.1),
        norm(x, [3, 4], eps=0.1, weight=w),
        norm(x, normalized_shape=(3, 4), weight=w, eps=0.1),
    ):
        np.testing.assert_allclose(y.numpy().reshape(2, 12), flat, rtol=1e-12)
    np.testing.assert_allclose(norm(x, 4, w[0], eps=0.1).numpy(), norm(x, w[0], eps=0.1).numpy(), rtol=1e-12)
    for call, error, message in (
        (
            lambda: norm(x, (4, 3)),
            ValueError,
            r"normalized_shape \(4, 3\) must be the sizes of the last axes of x, .* \(2, 3, 4\)",
        ),
        (lambda: norm(x, (5, 2, 3, 4)), ValueError, "normalized_shape"),
        (lambda: norm(x, ()), ValueError, "normalized_shape"),
        (lambda: norm(x, (3, 4), w[0]), ValueError, r"weight has shape \(4,\), expected \(3, 4\)"),
        (lambda: norm(x, (3, 4), w, weight=w), TypeError, r"takes \(x, normalized_shape, weight"),
    ):
        with pytest.raises(error, match=message):
            call()


def test_distillation_by_hand():
    student, teacher = np.log([[0.5, 0.5], [0.9, 0.1]]), np.log([[0.9, 0.1], [0.9, 0.1]])
    p, q = np.array([0.9, 0.1]), np.array([0.5, 0.5])
    want = (p * np.log(p / q)).sum() / 2
    np.testing.assert_allclose(float(F.distillation_loss(ml.Tensor(student), ml.Tensor(teacher))), want, rtol=1e-12)
    soft = [np.exp(x / 3) / np.exp(x / 3).sum() for x in (teacher[0], student[0])]
    np.testing.assert_allclose(
        float(F.distillation_loss(ml.Tensor(student), ml.Tensor(teacher), 3.0)),
        9 / 2 * (soft[0] * np.log(soft[0] / soft[1])).sum(),
        rtol=1e-12,
    )


@pytest.mark.parametrize("temperature", [0.7, 1.0, 4.0])
def test_the_gradient_of_distillation(temperature):
    rng = np.random.default_rng(0)
    s, t = (ml.Tensor(rng.standard_normal((2, 3, 4)), True) for _ in range(2))
    gradcheck(lambda s, t: F.distillation_loss(s, t, temperature), s, t)
    gradgradcheck(lambda s, t: F.distillation_loss(s, t, temperature), s, t, directions=2)
    F.distillation_loss(s, t, temperature).backward()
    q, p = (F.softmax(x.detach() / temperature).numpy() for x in (s, t))
    np.testing.assert_allclose(s.grad.numpy(), temperature / 6 * (q - p), rtol=1e-9)


def test_distillation_hardly_depends_on_a_high_temperature():
    s, t = (np.random.default_rng(seed).standard_normal((5, 4)) for seed in (0, 1))
    values = [float(F.distillation_loss(ml.Tensor(s), ml.Tensor(t), T)) for T in (50.0, 500.0)]
    centered = (s - s.mean(axis=1, keepdims=True)) - (t - t.mean(axis=1, keepdims=True))
    np.testing.assert_allclose(values, np.square(centered).sum() / (2 * 4 * 5), rtol=0.05)


def test_distillation_of_what_does_not_fit():
    x = ml.ones(2, 3)
    for student, teacher in ((x, ml.ones(2, 4)), (x, ml.ones(3)), (ml.ones(()), ml.ones(()))):
        with pytest.raises(ValueError, match=r"logits \(\.\.\., classes\) of one shape"):
            F.distillation_loss(student, teacher)
    for temperature in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="temperature must be positive and finite"):
            F.distillation_loss(x, x, temperature)
    assert float(F.distillation_loss(ml.zeros(0, 3), ml.zeros(0, 3))) == 0.0
    assert F.distillation_loss(x, x).dtype == np.float32
    assert float(F.distillation_loss(ml.ones(3), ml.ones(3))) == 0.0


def by_hand(a, b, s):
    """The formula of the contrastive loss, pair by pair."""
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    total = 0.0
    for i in range(len(a)):
        total -= s * a[i] @ b[i] - np.log(sum(np.exp(s * a[i] @ b[j]) for j in range(len(a))))
        total -= s * a[i] @ b[i] - np.log(sum(np.exp(s * a[j] @ b[i]) for j in range(len(a))))
    return total / (2 * len(a))


def pairs(n=4, d=3, seed=0, **options):
    rng = np.random.default_rng(seed)
    return [ml.Tensor(rng.standard_normal((n, d)), requires_grad=True, **options) for _ in range(2)]


@pytest.mark.parametrize("s", [1.0, 14.0])
def test_contrastive_loss_is_the_formula(s, device):
    a, b = pairs(device=device)
    np.testing.assert_allclose(F.contrastive_loss(a, b, s).item(), by_hand(a.numpy(), b.numpy(), s), rtol=1e-10)


def test_derivatives_of_the_contrastive_loss(device):
    scale = ml.Tensor(np.array(3.0), device=device, requires_grad=True)
    gradcheck(F.contrastive_loss, *pairs(device=device), scale)
    gradgradcheck(F.contrastive_loss, *pairs(device=device), scale)


def test_of_the_contrastive_loss_what_can_be_told_beforehand(device):
    a, _ = pairs(5, device=device)
    same = ml.Tensor(np.ones((5, 3)), device=device)
    np.testing.assert_allclose(F.contrastive_loss(same, a * 0 + 1, 9.0).item(), np.log(5), rtol=1e-6)  # knows nothing
    assert F.contrastive_loss(a[:1], a[1:2]).item() == 0.0  # one pair: nothing to confuse it with
    np.testing.assert_allclose(
        F.contrastive_loss(a, a * 7.0, 9.0).item(), F.contrastive_loss(a, a, 9.0).item(), rtol=1e-9
    )
    assert np.isfinite(F.contrastive_loss(a, a, 1e4).item())


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_a_vector_of_zeros_has_a_loss_and_a_gradient(dtype, device):
    a = ml.zeros(3, 2, dtype=dtype, device=device, requires_grad=True)
    b = ml.Tensor(np.eye(3, 2, dtype=dtype), device=device, requires_grad=True)
    loss = F.contrastive_loss(a, b)
    loss.backward()
    assert loss.dtype == np.dtype(dtype)
    np.testing.assert_allclose(loss.item(), np.log(3), rtol=1e-3)
    assert np.isfinite(b.grad.numpy()).all()


def test_unit_vectors(device):
    x = ml.Tensor(np.array([[3.0, 4.0], [0.0, 0.0], [-1e-3, 0.0]]), device=device)
    np.testing.assert_allclose(F.unit(x).numpy(), [[0.6, 0.8], [0, 0], [-1, 0]], atol=1e-6)


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        ((3, 2), (2, 2), r"got \(3, 2\) and \(2, 2\)"),
        ((3,), (3,), r"one shape \(N, D\)"),
        ((0, 2), (0, 2), "there is no pair"),
    ],
)
def test_pairs_that_are_none_are_refused(first, second, says):
    with pytest.raises(ValueError, match=f"contrastive_loss: .*{says}"):
        F.contrastive_loss(ml.zeros(*first), ml.zeros(*second))
