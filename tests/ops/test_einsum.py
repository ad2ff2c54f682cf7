"""Einstein's sums, against NumPy; gradients are checked by the registry's tests."""

import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minilm as ml
from minilm.backend import cpu, to_device
from minilm.gradcheck import gradcheck, gradgradcheck
from minilm.ops import REGISTRY
from minilm.ops.einsum import einsum

RNG = np.random.default_rng(0)


def draw(*shape):
    return RNG.standard_normal(shape)


@st.composite
def sums(draw_):
    """Subscripts with one to four operands, shapes that fit them, some axes of size 1 where others are larger."""
    letters = "abcde"
    sizes = {c: draw_(st.integers(0, 3)) for c in letters}
    terms = draw_(st.lists(st.lists(st.sampled_from(letters), max_size=3, unique=True), min_size=1, max_size=4))
    used = sorted({c for term in terms for c in term})
    output = draw_(st.lists(st.sampled_from(used), unique=True)) if used else []
    shapes = [tuple(1 if draw_(st.integers(0, 5)) == 0 else sizes[c] for c in term) for term in terms]
    text = ",".join("".join(term) for term in terms)
    return (text + "->" + "".join(output) if draw_(st.booleans()) else text), shapes


@given(sums())
def test_einsum_gives_what_numpys_gives(case):
    subscripts, shapes = case
    operands = [draw(*shape) for shape in shapes]
    np.testing.assert_allclose(einsum(subscripts, *operands), np.einsum(subscripts, *operands), atol=1e-12)


@given(sums())
def test_einsum_gradients_are_sums_of_the_others(case):
    """The sum is linear in each operand: <g, f(x)> = <gradient of x, x>, and likewise along any other direction."""
    subscripts, shapes = case
    tensors = [ml.Tensor(draw(*shape), True) for shape in shapes]
    y = einsum(subscripts, *tensors)
    v = draw(*y.shape)
    for k, (g, x) in enumerate(zip(ml.grad(y, tensors, ml.Tensor(v)), tensors, strict=True)):
        direction = draw(*x.shape)
        moved = [direction if i == k else other.numpy() for i, other in enumerate(tensors)]
        np.testing.assert_allclose((g.numpy() * direction).sum(), (np.einsum(subscripts, *moved) * v).sum(), atol=1e-10)


@pytest.mark.parametrize(
    ("subscripts", "shapes"),
    [
        ("...ij,...jk->...ik", [(2, 1, 2, 3), (4, 3, 2)]),
        ("...ij,...jk", [(2, 2, 3), (3, 2)]),
        ("i...,i->...", [(3, 2, 2), (3,)]),
        ("i...j->...", [(2, 3, 2)]),
        ("...,...->...", [(2, 3), ()]),
        ("...", [(2, 3)]),
        ("ii->i", [(3, 3)]),
        ("ii", [(3, 3)]),
        ("iji->ij", [(2, 3, 2)]),
        ("...ii->...i", [(2, 3, 3)]),
        ("iijj,jk->ik", [(2, 2, 3, 3), (3, 2)]),
        ("aab,b->a", [(1, 1, 2), (2,)]),
        ("ba", [(2, 3)]),
        ("Ab , bC", [(2, 3), (3, 2)]),
        ("ij,ij,ij->ij", [(2, 3), (1, 3), (2, 1)]),
        ("bqhd,bkhd->bhqk", [(2, 3, 2, 2), (2, 4, 2, 2)]),
    ],
)
def test_einsum_notation(subscripts, shapes):
    operands = [draw(*shape) for shape in shapes]
    np.testing.assert_allclose(einsum(subscripts, *operands), np.einsum(subscripts, *operands), atol=1e-12)
    leaves = [ml.Tensor(x, True) for x in operands]
    gradcheck(lambda *xs: einsum(subscripts, *xs), *leaves)
    gradgradcheck(lambda *xs: einsum(subscripts, *xs), *leaves)


def test_an_output_without_the_dots_sums_over_them():
    x = draw(2, 3, 4)
    np.testing.assert_allclose(einsum("...i->i", x), x.sum((0, 1)))


def test_einsum_of_a_tensor_with_itself():
    x = ml.Tensor(draw(3), True)
    einsum("i,i", x, x).backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * x.numpy())


def test_einsum_result_has_memory_of_its_own():
    x = draw(2, 3)
    for subscripts in ("ij->ij", "ij->ji"):
        assert not np.shares_memory(einsum(subscripts, x), x)


def test_einsum_keeps_float32():
    a, b = draw(2, 3, 4).astype(np.float32), draw(2, 4, 3).astype(np.float32)
    for subscripts in ("bij,bjk->bik", "bij,bji->b", "bij,bji->"):
        assert einsum(subscripts, a, b).dtype == np.float32


def test_a_matrix_product_in_einsum_is_one(monkeypatch):
    calls = []
    product = type(cpu).matmul
    monkeypatch.setattr(type(cpu), "matmul", lambda self, a, b: calls.append((a.shape, b.shape)) or product(self, a, b))
    einsum("bqhd,bkhd->bhqk", draw(2, 3, 4, 5), draw(2, 6, 4, 5))
    assert calls == [((2, 4, 3, 5), (2, 4, 5, 6))]


def test_einsum_contracts_the_cheapest_pair_first(monkeypatch):
    """(A B) v costs n^3, A (B v) n^2, whatever the order in which they are written."""
    calls = []
    product = type(cpu).matmul
    monkeypatch.setattr(type(cpu), "matmul", lambda self, a, b: calls.append((a.shape, b.shape)) or product(self, a, b))
    einsum("ij,jk,k->i", draw(4, 4), draw(4, 4), draw(4))
    assert calls == [((4, 4), (4, 1))] * 2


@pytest.mark.parametrize(
    ("subscripts", "shapes", "text"),
    [
        ("ij,jk->ik", [(2, 3)], "'ij,jk->ik' describes 2 operands, got 1"),
        ("ij->i", [(2, 3, 4)], r"'ij' names 2 axes, its operand \(2, 3, 4\) has 3"),
        ("...ijk->i", [(2, 3)], r"names 3 axes, its operand \(2, 3\) has 2"),
        ("ij,jk->ik", [(2, 3), (4, 2)], r"'j' is 3 before, but 4 in operand 1, \(4, 2\)"),
        ("...,...", [(2,), (3,)], r"'...' is 2 before, but 3 in operand 1"),
        ("ij->k", [(2, 3)], "has 'k' in the output, but in no operand"),
        ("ij->ii", [(2, 3)], "has 'i' twice in the output"),
        ("i1->i", [(2, 3)], "may hold letters, ',', one '->' and '...' only"),
        ("ij->i->j", [(2, 3)], "may hold letters"),
        ("i.j->i", [(2, 3)], "may hold letters"),
        ("ij->i,j", [(2, 3)], "may hold letters"),
        ("ii->i", [(2, 3)], "'i' is 2 before, but 3"),
        ("ii->i", [(1, 3)], r"takes a diagonal of \(1, 3\), whose axes 'i' are not equal"),
    ],
)
def test_einsum_errors(subscripts, shapes, text):
    with pytest.raises(ValueError, match=text):
        einsum(subscripts, *(np.ones(shape) for shape in shapes))


def test_einsum_called_wrongly():
    with pytest.raises(TypeError, match=r"the subscripts come first, as in .*, got ndarray"):
        einsum(np.ones(2), "i->")
    with pytest.raises(TypeError, match="input 0 is a list"):
        einsum("i,i->", [1.0], np.ones(1))
    with pytest.raises(TypeError, match="input 0 is a float"):
        einsum("i->", [1.0])
    with pytest.raises(ValueError, match="takes a diagonal: call the function einsum"):
        REGISTRY["einsum"](np.ones((2, 2)), subscripts="ii->i")


def test_einsum_with_every_letter():
    assert einsum(string.ascii_letters[:26] + "->", np.ones((1,) * 26)) == 1.0


LISTS = [  # the list form, and the letters that mean the same
    ("ij,jk->ik", [0, 1], [1, 2], [0, 2]),
    ("ij,jk", [0, 1], [1, 2], None),
    ("ib,bc", [8, 1], [1, 2], None),  # without output: in the order of the numbers, as of the letters
    ("ij,jk->", (0, 1), (1, 2), ()),
    ("...j,jk->k...", [..., 1], [1, 51], [51, ...]),
    ("Bc,ca", [1, 28], [28, 26], None),
    ("ij,jk->ki", np.array([30, 4]).tolist(), list(np.arange(4, 6)), [np.int64(5), np.int32(30)]),
]


@pytest.mark.parametrize(("letters", "first", "second", "output"), LISTS)
def test_einsum_with_lists_of_axes(letters, first, second, output, device):
    rng = np.random.default_rng(0)
    a, b = (ml.Tensor(to_device(rng.standard_normal(shape), device), True) for shape in ((2, 3), (3, 4)))
    y, z = ml.einsum(a, first, b, second, *([] if output is None else [output])), ml.einsum(letters, a, b)
    np.testing.assert_array_equal(y.numpy(), z.numpy())
    for operands in ([a, b], (a, b)):
        np.testing.assert_array_equal(ml.einsum(letters, operands).numpy(), z.numpy())
    assert ml.einsum(a, [1, 0]).shape == (3, 2)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda a: ml.einsum(), TypeError, "the subscripts come first.* got nothing"),
        (lambda a: ml.einsum(a), TypeError, "each operand stands before the list of its axes.* got Tensor"),
        (lambda a: ml.einsum(a, [0, 1], a), TypeError, "got Tensor, list, Tensor"),
        (lambda a: ml.einsum([0, 1], a), TypeError, "got list, Tensor"),
        (lambda a: ml.einsum(a, "ij"), TypeError, "got Tensor, str"),
        (
            lambda a: ml.einsum(a, [0, 1.5]),
            TypeError,
            "an axis in a list is an integer from 0 to 51, or Ellipsis; got 1.5",
        ),
        (lambda a: ml.einsum(a, [0, 52]), ValueError, "from 0 to 51, got 52"),
        (lambda a: ml.einsum(a, [0, -1]), ValueError, "got -1"),
        (lambda a: ml.einsum(a, [0, 1, 2]), ValueError, "names 3 axes"),
        (lambda a: ml.einsum(a, [0, 1], [2]), ValueError, "in the output, but in no operand"),
        (lambda a: ml.einsum("ij,jk", [a]), ValueError, "describes 2 operands, got 1"),
    ],
)
def test_einsum_tells_what_is_wrong_with_lists(call, error, message):
    with pytest.raises(error, match=message):
        call(ml.ones(2, 3))
