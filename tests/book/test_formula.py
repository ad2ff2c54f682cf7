"""holds and fails: what they accept, what they refuse, and what they print."""

import numpy as np
import pytest

import minilm as ml
from minilm.book import FormulaError, checked, distinct, fails, holds, integer, mask, real, simplex

pytestmark = pytest.mark.host  # formulas are checked on the CPU


def sigmoid(z):
    return 1 / (1 + ml.exp(-z))


def slope(z):
    return ml.grad(z.sigmoid().sum(), z)


def test_a_right_formula_holds_and_says_so(capsys):
    before = len(checked())
    holds("4.7", engine=slope, formula=lambda z: sigmoid(z) * (1 - sigmoid(z)), z=real(3))
    assert capsys.readouterr().out == "✓ (4.7) holds at 20 random points, to 9 digits; gradient checked in z\n"
    assert checked()[before:] == [("4.7", "holds", 20, ("z",))]


def test_all_kinds_of_inputs_arrive_as_they_are_named(capsys):
    def formula(x, k, m, p, d):
        assert (x.dtype, x.requires_grad) == (np.float64, True)
        assert (k.dtype.kind, k.requires_grad) == ("i", False)
        assert (m.dtype, m.requires_grad) == (np.bool_, False)
        assert np.isclose(p.numpy().sum(), 1)
        assert len(set(d.numpy().ravel())) == 6
        return x * p + ml.where(m, d.sum(), 0.0), x[k]

    holds("1.1", engine=lambda x, k, m, p, d: (p * x + d.sum() * m, x[k]), formula=formula,
          x=real(3), k=integer(high=3), m=mask(3), p=simplex(3), d=distinct(2, 3))  # fmt: skip
    assert "gradient checked in x, p, d" in capsys.readouterr().out


def test_the_points_are_the_same_each_time_and_others_for_another_id():
    seen = []
    for id in ("1.1", "1.1", "1.2"):
        holds(id, engine=lambda x: seen.append(x.numpy().copy()) or x, formula=lambda x: x, points=1, x=real(4))
    assert np.array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[0], seen[2])


def test_without_inputs_numbers_are_compared_once(capsys):
    holds("1.2", engine=lambda: 0.1 + 0.2, formula=lambda: 0.3)
    assert capsys.readouterr().out == "✓ (1.2) holds to 9 digits\n"
    with pytest.raises(FormulaError):
        holds("1.2", engine=lambda: 0.1 + 0.2, formula=lambda: 0.3 + 1e-7)


def test_sums_that_cancel_may_leave_rounding():
    holds("1.3", engine=lambda p: ml.grad(p.softmax(-1).sum(), p)[0].sum(), formula=lambda p: (p * 0).sum(), p=real(5))


def test_the_default_dtype_is_float64_meanwhile_and_put_back():
    def formula(x):
        assert ml.get_default_dtype() == np.float64
        raise RuntimeError

    with pytest.raises(RuntimeError):
        holds("1.1", engine=lambda x: x, formula=formula, x=real())
    assert ml.get_default_dtype() == np.float32


def test_a_wrong_formula_is_named_with_point_element_and_values():
    with pytest.raises(FormulaError) as caught:
        holds(
            "4.7",
            engine=lambda z: (z, z * z),
            formula=lambda z: (z, z * z + (1e-6 if abs(z.numpy()[1]) > 1.5 else 0)),
            z=real(2),
        )
    message = str(caught.value)
    for part in (
        "(4.7) does not hold",
        "of 20",
        "z = [",
        "output 1, element (",
        "the formula gives",
        "the engine",
        "largest deviation",
    ):
        assert part in message
    assert np.isfinite(float(message.split("largest deviation, ")[1].split()[0]))


def test_a_deviation_below_the_tolerance_passes_and_above_it_does_not():
    holds("1.1", engine=lambda x: x, formula=lambda x: x * (1 + 5e-10), x=real(3, low=1.0))
    with pytest.raises(FormulaError, match="does not hold"):
        holds("1.1", engine=lambda x: x, formula=lambda x: x * (1 + 5e-9), x=real(3, low=1.0))
    holds("1.1", engine=lambda x: x, formula=lambda x: x * (1 + 5e-9), tolerance=1e-8, x=real(3, low=1.0))


def test_a_small_element_beside_a_large_one_is_compared_too():
    with pytest.raises(FormulaError, match=r"element \(1,\)"):
        holds(
            "1.1",
            engine=lambda x: ml.stack(1000 + x, x),
            formula=lambda x: ml.stack(1000 + x, x * (1 + 1e-7)),
            x=real(low=1.0),
        )


@pytest.mark.parametrize(
    ("engine", "formula", "word"),
    [
        (lambda z: z.log(), lambda z: z * 0 + 1, "the engine returned NaN"),
        (lambda z: z, lambda z: z.log(), "the formula returned NaN"),
        (lambda z: z.sum(), lambda z: z, r"the formula returned shape \(3,\), the engine shape \(\)"),
        (lambda z: (z, z), lambda z: z, "the engine 2 outputs"),
        (lambda z: z, lambda z: z.numpy().copy(), "write it with Tensor operations, or pass grad=False"),
        (lambda z: z, lambda z: z.detach(), "cut by .data or .detach"),
        (lambda z: z, lambda z: "z", "returned str"),
    ],
)
def test_what_cannot_be_compared_is_refused(engine, formula, word):
    with pytest.raises(FormulaError, match=word):
        holds("4.7", engine=engine, formula=formula, z=real(3, low=-2, high=-1))


def test_infinities_must_be_equal():
    holds("1.1", engine=lambda x: x - np.inf, formula=lambda x: x * 0 - np.inf, grad=False, x=real(2))
    with pytest.raises(FormulaError, match="does not hold"):
        holds("1.1", engine=lambda x: x, formula=lambda x: x + np.inf, grad=False, x=real(2))


def test_a_formula_with_a_false_gradient_does_not_hold():
    def cut(z):  # right values, but a factor that the graph does not see
        return z * z.detach()

    with pytest.raises(FormulaError, match=r"'z'.*twice|'z'.*half"):
        holds("4.7", engine=lambda z: z * z, formula=cut, z=real(3))
    holds("4.7", engine=lambda z: z * z, formula=cut, grad=False, z=real(3))


def test_large_inputs_are_checked_in_random_directions():
    calls = []
    holds(
        "1.1",
        engine=lambda x: (x * x).sum(),
        formula=lambda x: calls.append(1) or (x * x).sum(),
        points=3,
        x=real(30, 30),
    )
    assert len(calls) < 100
    with pytest.raises(FormulaError, match="direction"):
        holds("1.1", engine=lambda x: (x * x).sum(), formula=lambda x: (x * x.detach()).sum(), points=1, x=real(30, 30))


def test_inputs_are_drawn_not_given():
    with pytest.raises(TypeError, match="'z' is 3"):
        holds("1.1", engine=lambda z: z, formula=lambda z: z, z=3)
    with pytest.raises(ValueError, match="points must be at least 1"):
        holds("1.1", engine=lambda z: z, formula=lambda z: z, points=0, z=real())


def test_fails_prints_a_point_where_the_formula_fails(capsys):
    before = len(checked())
    fails("4.9*", engine=slope, formula=sigmoid, z=real())
    line = " ".join(capsys.readouterr().out.split())
    assert line.startswith("✗ (4.9*) fails, as it must: at z = ")
    point, values = line.split("z = ")[1].split(" the formula gives ")
    z, (wrong, right) = float(point), map(float, values.split(", the engine "))
    assert wrong == pytest.approx(1 / (1 + np.exp(-z)), rel=1e-3)
    assert right == pytest.approx(wrong * (1 - wrong), rel=1e-2)
    assert checked()[before:] == [("4.9*", "fails", 20, ())]


@pytest.mark.parametrize(
    ("formula", "word"),
    [
        (lambda x: x.T, r"x = array of shape \(3, 4\) the formula gives shape \(4, 3\), the engine shape \(3, 4\)"),
        (lambda x: x @ x, "cannot be computed"),
        (lambda x: x - np.inf + np.inf, r"at element \(0, 0\) the formula gives nan"),
        (lambda x: x + 1.0 * (x > 1.9), r"at element \(\d, \d\) the formula gives [\d.]+, the engine [\d.]+$"),
    ],
)
def test_what_counts_as_failing(formula, word, capsys):
    import re

    fails("4.9*", engine=lambda x: x * 1.0, formula=formula, x=real(3, 4))
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 88
    assert re.search(word, " ".join(out.split()))


def test_fails_refuses_a_formula_that_agrees():
    with pytest.raises(FormulaError, match="agree at all 20 points"):
        fails("4.9*", engine=slope, formula=lambda z: slope(z)[0] * (1 + 1e-4), z=real(3))
    with pytest.raises(FormulaError, match="the engine returned NaN"):
        fails("4.9*", engine=lambda z: z.log(), formula=lambda z: z, z=real(3, high=-1))


def test_a_mistake_in_the_code_is_no_proof():
    with pytest.raises(NameError):
        fails("4.9*", engine=lambda z: z, formula=lambda z: sigmiod(z), z=real())  # noqa: F821
