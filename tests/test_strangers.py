"""Tensors beside what is no tensor: comparisons with anything, bits, data that is none, gradients and copies that do not fit."""

import datetime
import decimal
import fractions
import itertools
import operator
from unittest import mock

import numpy as np
import pytest

import minilm as ml
from minilm.backend import DeviceError

STRANGERS = [None, "a", "", b"a", object(), {}, {"a": 1}, set(), frozenset({1}), int, len, ..., slice(1), 1j, np.str_("a"),
             np.complex64(1), np.array(["a"]), np.array([None]), np.datetime64("2020"), ["a"], [None], [[1, 2], [3]], ("a", 1),
             datetime.date(2020, 1, 1), decimal.Decimal(1), fractions.Fraction(1, 2), (i for i in [1])]  # fmt: skip
NUMBERS = [2, 2.0, True, np.float32(2), np.int64(2), np.bool_(True), [1, 2], (2, 1), [[2], [1]], 10**30, float("nan")]


def called(x):
    """A name that is the same in every run: without the address in memory."""
    return repr(x).partition(" at 0x")[0]


class TestComparisons:
    @pytest.mark.parametrize("other", STRANGERS, ids=called)
    def test_what_is_no_number_is_never_equal(self, other):
        x = ml.tensor([1, 2])
        for answer in (x == other, other == x):
            assert answer is False
        for answer in (x != other, other != x):
            assert answer is True

    @pytest.mark.parametrize("other", STRANGERS, ids=called)
    def test_and_has_no_order(self, other):
        x = ml.tensor([1.0, 2.0])
        for compare in (operator.lt, operator.le, operator.gt, operator.ge):
            with pytest.raises(TypeError, match="not supported between instances of 'Tensor' and"):
                compare(x, other)

    @pytest.mark.parametrize("other", NUMBERS, ids=called)
    def test_numbers_are_compared_element_by_element(self, other):
        x, array = ml.tensor([1, 2]), np.array([1, 2])
        for compare in (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge):
            answer, expected = (
                compare(x, other),
                compare(array, np.asarray(other) if isinstance(other, list | tuple) else other),
            )
            assert answer.dtype == np.bool_
            np.testing.assert_array_equal(answer.numpy(), expected)

    def test_lists_can_be_searched(self):
        x = ml.tensor(1.0)
        assert x in [None, "a", x]
        assert x not in [None, "a", {}]
        assert x == mock.ANY
        assert {x: 1}[x] == 1

    def test_shapes_that_do_not_fit_are_an_error_not_an_answer(self):
        with pytest.raises(ValueError, match=r"equal: int64 \(3,\) beside this tensor of int64 \(2,\)"):
            ml.tensor([1, 2]) == ml.tensor([1, 2, 3])  # noqa: B015


BITS = {"&": operator.and_, "|": operator.or_, "^": operator.xor, "<<": operator.lshift, ">>": operator.rshift}
IN_PLACE = {"&": operator.iand, "|": operator.ior, "^": operator.ixor, "<<": operator.ilshift, ">>": operator.irshift}
OPERANDS = [np.array([6, 3]), np.array([3, 0]), np.array([True, False]), np.array([6, 3], np.uint8),
            np.array([[1], [2]], np.int32), 3, True]  # fmt: skip


def as_tensor(x):
    return ml.tensor(x) if isinstance(x, np.ndarray) else x


class TestBits:
    def test_by_hand(self):
        assert (ml.tensor([6, 3]) & ml.tensor([3, 4])).tolist() == [2, 0]
        assert (ml.tensor([6, 3]) | 1).tolist() == [7, 3]
        assert (ml.tensor([6, 3]) ^ ml.tensor([3, 3])).tolist() == [5, 0]
        assert (~ml.tensor([0, 5])).tolist() == [-1, -6]
        assert (~ml.tensor([True, False])).tolist() == [False, True]
        assert (True & ml.tensor([True, False])).tolist() == [True, False]
        assert (1 << ml.tensor([0, 3])).tolist() == [1, 8]

    @pytest.mark.parametrize(("a", "b"), list(itertools.product(OPERANDS, repeat=2)))
    @pytest.mark.parametrize("symbol", BITS)
    def test_as_numpy(self, symbol, a, b):
        x, y = as_tensor(a), as_tensor(b)
        if not isinstance(x, ml.Tensor) and not isinstance(y, ml.Tensor):
            return
        if symbol in ("<<", ">>") and any(getattr(t, "dtype", None) == np.bool_ for t in (x, y)):
            with pytest.raises(TypeError, match="works on the bits of integers, not on bool"):
                BITS[symbol](x, y)
            return
        answer, expected = BITS[symbol](x, y), BITS[symbol](a, b)
        assert answer.dtype == expected.dtype
        np.testing.assert_array_equal(answer.numpy(), expected)

    @pytest.mark.parametrize("symbol", IN_PLACE)
    def test_in_place(self, symbol):
        x = same = ml.tensor([6, 3])
        version = x._version[0]
        x = IN_PLACE[symbol](x, ml.tensor([2, 1]))
        assert x is same
        assert x.tolist() == BITS[symbol](np.array([6, 3]), np.array([2, 1])).tolist()
        assert x._version[0] == version + 1
        with pytest.raises(TypeError, match="does not hold the result"):
            IN_PLACE[symbol](ml.tensor([1], dtype="uint8"), ml.tensor([1]))

    @pytest.mark.parametrize("symbol", BITS)
    def test_floats_have_no_bits(self, symbol):
        for a, b in [
            (ml.ones(2), 1),
            (ml.tensor([1]), 1.0),
            (ml.tensor([1]), ml.ones(1)),
            (True, ml.ones(2)),
            (ml.ones(1), ml.ones(1)),
        ]:
            with pytest.raises(TypeError, match=r"works on the bits of .*, not on .*; compare first"):
                BITS[symbol](a, b)
            if isinstance(a, ml.Tensor):
                with pytest.raises(TypeError, match=r"works on the bits of"):
                    IN_PLACE[symbol](a, b)
        with pytest.raises(TypeError, match="works on the bits of"):
            ~ml.ones(2)
        for stranger in (None, "a", {1}):
            with pytest.raises(TypeError, match="unsupported operand"):
                BITS[symbol](ml.tensor([1]), stranger)


class TestData:
    @pytest.mark.parametrize(
        ("data", "error", "text"),
        [
            ([[1, 2], [3]], ValueError, r"ragged \(rows of 1 and 2 elements\): expected numbers"),
            ([[1, 2], 3], ValueError, r"ragged \(numbers beside lists\)"),
            ([[[1], [2, 3]], [[4], [5]]], ValueError, r"ragged \(rows of 1 and 2 elements\)"),
            (None, TypeError, "holds numbers; got None: expected numbers, nested lists"),
            ("12", TypeError, "got a str"),
            (["1", "2"], TypeError, "got a str"),
            ([1, None], TypeError, "got None"),
            ([[1.0], [object()]], TypeError, "got a object"),
            ({1, 2}, TypeError, "got a set"),
            ({"a": 1}, TypeError, "got a dict"),
            ((i for i in [1]), TypeError, "got a generator"),
            (1j, TypeError, "got a complex"),
            (10**30, ValueError, "is too large: a tensor holds integers of 64 bits"),
            ([1, -(2**64)], ValueError, "is too large"),
            (np.array(["a"]), TypeError, "got dtype <U1"),
            (np.array([1j]), TypeError, "got dtype complex128"),
        ],
    )
    def test_what_cannot_be_a_tensor_is_named(self, data, error, text):
        for make in (ml.tensor, ml.Tensor):
            with pytest.raises(error, match=text):
                make(data)

    @pytest.mark.parametrize("dtype", ["foo", "complex64", object, "U3", 3.5])
    def test_nor_can_a_dtype(self, dtype):
        for make in (
            lambda: ml.tensor([1.0], dtype=dtype),
            lambda: ml.ones(1).to(dtype),
            lambda: ml.ones(1).astype(dtype),
        ):
            with pytest.raises(TypeError, match="is no dtype|got dtype"):
                make()

    def test_empty_lists_are_data(self):
        assert ml.tensor([]).shape == (0,)
        assert ml.tensor([[], []]).shape == (2, 0)


def test_a_list_that_holds_itself_is_no_tensor():
    ring = []
    ring.append(ring)
    with pytest.raises(ValueError, match="a list that holds itself"):
        ml.tensor(ring)


class TestGrad:
    @pytest.mark.parametrize(
        ("wrong", "error", "text"),
        [
            (lambda: ml.ones(3), ValueError, r"expected float32 \(2,\) as the tensor, got float32 \(3,\)"),
            (lambda: ml.ones(1), ValueError, r"got float32 \(1,\)"),
            (lambda: ml.tensor([1.0, 1.0], dtype="float64"), ValueError, r"got float64 \(2,\)"),
            (lambda: ml.tensor([1, 1]), ValueError, r"got int64 \(2,\)"),
            (lambda: np.ones(2, np.float32), TypeError, r"a Tensor or None, got a ndarray; wrap it: Tensor"),
            (lambda: 1.0, TypeError, "got a float"),
            (lambda: [1.0, 1.0], TypeError, "got a list"),
        ],
    )
    def test_a_gradient_that_does_not_fit_is_refused(self, wrong, error, text):
        x = ml.ones(2, requires_grad=True)
        x.grad = before = ml.ones(2)
        with pytest.raises(error, match=f"^grad: .*{text}"):
            x.grad = wrong()
        assert x.grad is before
        x.grad = None
        assert x.grad is None

    @pytest.mark.host
    def test_nor_may_it_lie_on_another_device(self):
        from tests.backend import pretend

        x = ml.ones(2, requires_grad=True)
        with pytest.raises(DeviceError, match=r"grad: it is on pretend, the tensor on cpu; move it"):
            x.grad = ml.ones(2).to(pretend.device())


class TestInPlace:
    @pytest.mark.parametrize(
        ("change", "error", "text"),
        [
            (
                lambda x: x.copy_([1, 2, 3]),
                ValueError,
                r"copy_: int64 \(3,\) beside this tensor of int64 \(2,\): the shapes do not fit",
            ),
            (lambda x: x.copy_(ml.ones(2, 2)), ValueError, r"copy_: float32 \(2, 2\) beside"),
            (lambda x: x.copy_("a"), TypeError, "copy_: a tensor holds numbers; got a str"),
            (lambda x: x.copy_(None), TypeError, "copy_: a tensor holds numbers; got None"),
            (lambda x: x.copy_([[1], [2, 3]]), ValueError, "copy_: .*ragged"),
            (lambda x: x.fill_([1, 2]), ValueError, "fill_: expected one number, got a list"),
            (lambda x: x.fill_("a"), TypeError, "fill_: a tensor holds numbers"),
            (
                lambda x: operator.iadd(x, 0.5),
                TypeError,
                r"add: 0.5 beside this tensor of int64 \(2,\): its dtype does not hold",
            ),
            (lambda x: operator.itruediv(x, 2), TypeError, "true_divide: 2 beside"),
            (lambda x: operator.imul(x, [1, 2, 3]), ValueError, r"multiply: int64 \(3,\) beside"),
            (lambda x: operator.isub(x, 10**30), (OverflowError, TypeError), "subtract: "),
            (
                lambda x: operator.setitem(x, 5, 1),
                IndexError,
                r"getitem: index \[5\] on shape \(2,\): 5 is out of range",
            ),
            (lambda x: operator.setitem(x, "a", 1), TypeError, "a str is no index"),
            (lambda x: operator.setitem(x, slice(0, 2), [1, 2, 3]), ValueError, r"assignment: int64 \(3,\) beside"),
            (lambda x: operator.setitem(x, 0, "a"), TypeError, "assignment: a tensor holds numbers"),
        ],
    )
    def test_an_operand_that_does_not_fit_is_named_and_changes_nothing(self, change, error, text):
        x = ml.tensor([1, 2])
        version = x._version[0]
        with pytest.raises(error, match=text):
            change(x)
        assert x.tolist() == [1, 2]
        assert x._version[0] == version

    @pytest.mark.host
    def test_memory_that_is_read_only_is_named(self):
        for x in (ml.ones(1).expand(3), ml.Tensor(ml.ones(3).numpy()), ml.Tensor(np.broadcast_to(np.float32(1), 3))):
            for change in (lambda x: x.zero_(), lambda x: x.copy_(2.0), lambda x: operator.iadd(x, 1.0)):
                with pytest.raises(RuntimeError, match=r"this tensor's memory is read-only.*change a copy"):
                    change(x)

    def test_integers_have_no_negative_powers(self):
        for call in (lambda x: x**-1, lambda x: x ** ml.tensor([-1, 0]), lambda x: 2 ** (-x)):
            with pytest.raises(ValueError, match=r"pow: an integer to a negative power is a fraction.*to\('float32'\)"):
                call(ml.tensor([1, 2]))
        assert (ml.tensor([1, 2]) ** 2).tolist() == [1, 4]
        np.testing.assert_allclose((ml.tensor([1.0, 2.0]) ** -1).numpy(), [1.0, 0.5])


@pytest.mark.host
class TestNumpy:
    def test_what_comes_out_cannot_be_written_and_shows_the_tensor(self):
        x = ml.tensor([1.0, 2.0])
        for out in (x.numpy(), np.asarray(x), np.array(x, copy=None), memoryview(x.numpy())):
            with pytest.raises((ValueError, TypeError), match="read-only|cannot modify"):
                out[0] = 7.0
            x[0] = x[0] + 1.0
            assert out[0] == x[0].item()

    def test_a_copy_can_be_written_and_is_nobody_elses(self):
        x = ml.tensor([1.0, 2.0])
        for out in (x.numpy().copy(), np.array(x), np.asarray(x, dtype=np.float64)):
            out[0] = 7.0
        assert x.tolist() == [1.0, 2.0]

    def test_no_gradient_is_falsified(self):
        w, x = ml.ones(2, requires_grad=True), ml.ones(2, requires_grad=True)
        y = (w * x).sum()
        with pytest.raises(ValueError, match="read-only"):
            w.numpy()[...] = 7.0
        with ml.no_grad():
            w[...] = 7.0
        with pytest.raises(RuntimeError, match="was modified in place after it was saved"):
            y.backward()

    def test_a_parameter_made_of_it_can_be_learnt(self):
        source = ml.ones(2)
        p = ml.nn.Parameter(source.numpy())
        q = ml.ones(2, requires_grad=True)
        q.data = source.numpy()
        for tensor in (p, q):
            tensor.grad = ml.ones(2)
        ml.optim.SGD([p, q], lr=0.5).step()
        assert p.tolist() == q.tolist() == [0.5, 0.5]
        assert source.tolist() == [1.0, 1.0]
        with pytest.raises(ValueError, match="read-only"):
            ml.optim.SGD([ml.Tensor(source.numpy(), True)], lr=0.5)
