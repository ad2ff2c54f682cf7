"""Relations of place: the right numbers in the wrong order, shape or number, and places that alone are wrong."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np

from minilm.exercises.causes.case import Case, Fit, information, span

PLACE = 0.58
"""Where an answer is wrong is seen in the numbers, but is not yet a cause."""


def transposed(case: Case) -> list[Fit] | None:
    """got = expected with axes in another order; also got = the elements of that, reshaped to the right shape."""
    e, g = case.expected, case.got
    if not 2 <= e.ndim <= 4 or g.ndim != e.ndim or e.size > 100_000:
        return None
    found = []
    for order in permutations(range(e.ndim)):
        if order == tuple(range(e.ndim)):
            continue
        turned = e.transpose(order)
        if case.equal(turned, g):
            swap = (
                "The result is transposed"
                if e.ndim == 2
                else f"The axes are in the order {order} of what they should be"
            )
            found.append(
                Fit(
                    f"{order}",
                    "transposed-result",
                    f"{swap}.",
                    f"all {e.size} elements are right, with row and column exchanged."
                    if e.ndim == 2
                    else f"all {e.size} elements are right in that order.",
                    "Which axis is which, and the order of the factors of a product.",
                    0.93,
                    information(case),
                )
            )
        elif e.shape == g.shape and case.equal(turned.reshape(e.shape), g):
            says = (
                "A reshape stands where a transpose is asked: the shape is right, the elements are read in "
                "another order."
            )
            found.append(
                Fit(
                    f"reshape {order}",
                    "reshape-for-transpose",
                    says,
                    f"all {e.size} elements are there; yours are those of the "
                    f"axes in the order {order}, read row by row.",
                    "reshape keeps the order in memory; transpose changes it.",
                    0.92,
                    information(case),
                )
            )
    return found


def shifted(case: Case) -> list[Fit] | None:
    """got = roll(expected, s) along an axis, or the same with others (zeros) entering; or expected reversed."""
    e, g = case.expected, case.got
    if not case.alike or e.ndim == 0 or e.size < 2:
        return None
    found = []
    for axis in range(e.ndim):
        n = e.shape[axis]
        if n < 2:
            continue
        where = f"along axis {axis}" if e.ndim > 1 else "along the result"
        if case.equal(np.flip(e, axis), g):
            found.append(
                Fit(
                    f"flip {axis}",
                    "reversed",
                    f"The order is reversed {where}.",
                    f"all {e.size} elements are right, last first.",
                    "The direction of the loop, or a [::-1].",
                    0.92,
                    information(case),
                )
            )
        for s in (1, -1):
            to = "forward" if s > 0 else "back"
            inner, source = (slice(1, None), slice(None, -1)) if s > 0 else (slice(None, -1), slice(1, None))
            if case.equal(np.roll(e, s, axis), g):
                found.append(
                    Fit(
                        f"shift {axis} {s}",
                        "off-by-one-shift",
                        f"Everything is shifted {to} by one {where}, around the end.",
                        "every element is its neighbor's.",
                        "The index, and np.roll.",
                        0.92,
                        information(case),
                    )
                )
            elif (
                n > 2
                and case.equal(_along(e, axis, source), _along(g, axis, inner))
                and not case.equal(_along(e, axis, inner), _along(g, axis, inner))
            ):
                found.append(
                    Fit(
                        f"shift {axis} {s}",
                        "off-by-one-shift",
                        f"Everything is shifted {to} by one {where}.",
                        f"{n - 1} of {n} stand one place further {to}; "
                        f"{span(np.ravel(_along(g, axis, slice(0, 1) if s > 0 else slice(-1, None))))} entered.",
                        "Where counting begins: at 0 or at 1, before or after the step.",
                        0.9,
                        information(case, free=1),
                    )
                )
    return found


def one_too_few(case: Case) -> list[Fit] | None:
    """got = expected without its first or last along an axis; or with one more."""
    e, g = case.expected, case.got
    if e.ndim == 0 or g.ndim != e.ndim:
        return None
    if case.alike:
        return None
    axes = [i for i in range(e.ndim) if e.shape[i] != g.shape[i]]
    if len(axes) != 1 or abs(e.shape[axes[0]] - g.shape[axes[0]]) != 1:
        return []
    axis = axes[0]
    long, short = (e, g) if e.shape[axis] > g.shape[axis] else (g, e)
    if short.size == 0:
        return []  # where nothing is left, nothing agrees
    found = []
    for key, keep, which in (("last", slice(None, -1), "last"), ("first", slice(1, None), "first")):
        if case.equal(_along(long, axis, keep), short):
            fewer = long is e
            says = f"The {which} one is missing." if fewer else f"There is one too many: the {which}."
            found.append(
                Fit(
                    f"{key} {fewer}",
                    "range-off-by-one",
                    says,
                    f"{g.shape[axis]} in place of {e.shape[axis]} along axis {axis}; "
                    f"the other {short.shape[axis]} are right.",
                    "Where the range or slice begins and ends.",
                    0.93,
                    max(information(case), 2.0),
                )
            )
    return found


def other_shape(case: Case) -> list[Fit] | None:
    """The right numbers in another shape; or a sum or mean over an axis that is missing, or one too many."""
    e, g = case.expected, case.got
    if case.alike:
        if case.failing:
            return []
        return None
    tells = max(information(case), 1.0)
    shapes = f"the shape is {g.shape} and should be {e.shape}"
    found = []
    if e.size == g.size and case.equal(e.ravel(), g.ravel()):
        if tuple(n for n in e.shape if n > 1) == tuple(n for n in g.shape if n > 1):
            says = f"An axis of length one is {'left over' if g.ndim > e.ndim else 'missing'}."
            look = "keepdims=True, or an index in place of a slice."
            found.append(
                Fit("axis of one", "keepdims-forgotten", says, f"{shapes}; the numbers are right.", look, 0.93, tells)
            )
        else:
            says = "The numbers are right, but the shape is not."
            found.append(Fit("shape", "other shape", says, f"{shapes}.", "The last reshape.", 0.9, tells))
    if not (e.dtype.kind in "iuf" and g.dtype.kind in "iuf") or max(e.size, g.size) > 1_000_000:
        return found
    return [*found, *_too_large(case, shapes, tells), *_too_small(case, shapes, tells)]


def _too_large(case: Case, shapes: str, tells: float) -> list[Fit]:
    """A reduction of got gives expected."""
    e, g = case.expected, case.got
    found = []
    for axes in _subsets(g.ndim):
        for word, reduced in (("sum", np.sum), ("mean", np.mean), ("maximum", np.max)):
            for keep in (False, True):
                if g.size and g.ndim and case.equal(_reduced(reduced, g, axes, keep), e):
                    over = _axes(axes)
                    name = "sum-of-a-broadcast-missing" if word == "sum" else f"{word} missing"
                    broadcast = (
                        " What was broadcast on the way forward is summed on the way back."
                        if word == "sum" and e.ndim
                        else ""
                    )
                    found.append(
                        Fit(
                            f"{word} {axes} {e.ndim}",
                            name,
                            f"The {word} over {over} is missing.",
                            f"{shapes}; the {word} of your result over {over} is exactly what was expected.",
                            f"The last step: {word} over {over}.{broadcast}",
                            0.94,
                            max(tells, 2.0),
                        )
                    )
                    break
    if e.ndim == 1 and g.shape == (e.size, e.size) and not found:
        says = "A column and a row were combined, so that each element met each other one."
        found.append(
            Fit(
                "outer",
                "broadcast-by-accident",
                says,
                f"{shapes}: (n, 1) with (n,) broadcasts to (n, n).",
                "The shape of each operand; keepdims and [:, None].",
                0.8,
                3.0,
            )
        )
    return found


def _too_small(case: Case, shapes: str, tells: float) -> list[Fit]:
    """A reduction of expected gives got."""
    e, g = case.expected, case.got
    found = []
    for axes in _subsets(e.ndim):
        for word, reduced in (("summed", np.sum), ("averaged", np.mean)):
            for keep in (False, True):
                if e.size and e.ndim and case.equal(_reduced(reduced, e, axes, keep), g):
                    over = _axes(axes)
                    found.append(
                        Fit(
                            f"{word} {axes}",
                            "reduced too far",
                            f"The result is {word} over {over}, which was not asked for.",
                            f"{shapes}; what was expected, {word} over {over}, is yours.",
                            "The last step, and its axis.",
                            0.92,
                            max(tells, 2.0),
                        )
                    )
                    break
    return found


def _reduced(function: Any, x: Any, axes: tuple[int, ...], keep: bool) -> Any:
    with np.errstate(all="ignore"):
        return function(x, axis=axes, keepdims=keep)


def _subsets(n: int) -> list[tuple[int, ...]]:
    """Axes to reduce over: single ones first."""
    found = [tuple(i for i in range(n) if mask >> i & 1) for mask in range(1, 2 ** min(n, 4))]
    return sorted(found, key=len)


def _axes(axes: tuple[int, ...]) -> str:
    return f"axis {axes[0]}" if len(axes) == 1 else f"axes {' and '.join(map(str, axes))}"


def permuted(case: Case) -> list[Fit] | None:
    """The same numbers in another order that is none of the others."""
    e, g = case.expected, case.got
    if not (case.alike and case.numeric) or not 3 <= e.size <= 100_000:
        return None
    if not case.failing:
        return None
    if not case.equal(np.sort(e.ravel()), np.sort(g.ravel())):
        return []
    return [
        Fit(
            "permuted",
            "permuted",
            "The right numbers stand in the wrong places.",
            f"sorted, your {e.size} numbers are those that were expected.",
            "The order in which they are written, read or sorted.",
            0.75,
            information(case),
        )
    ]


def only_some_places(case: Case) -> list[Fit] | None:
    """Only the first or last row or column, or the diagonal, is wrong; or only the first is right."""
    if not case.alike or case.wrong is None or case.expected.ndim == 0:
        return None
    bad = case.wrong
    if not bad.any():
        return None
    found = []
    for axis in range(bad.ndim):
        n = bad.shape[axis]
        if n < 2:
            continue
        hit = bad.any(axis=tuple(i for i in range(bad.ndim) if i != axis))
        name = (
            "element"
            if bad.ndim == 1
            else ("row" if axis == 0 else "column")
            if bad.ndim == 2
            else f"index of axis {axis}"
        )
        for where, index in (("first", 0), ("last", -1)):
            others = np.delete(hit, index)
            if n > 2 and hit[index] and not others.any():
                found.append(
                    Fit(
                        f"{axis} {where} wrong",
                        f"{where} one wrong",
                        f"Only the {where} {name} is wrong: the edge is treated like the rest, or left out.",
                        f"{np.count_nonzero(bad)} of {bad.size} elements differ, all in the {where} {name}.",
                        f"What the code does for the {where} {name}: begin and end of the loop, what comes before it.",
                        PLACE,
                        1.5 + 0.5 * n,
                    )
                )
            if not hit[index] and others.all() and where == "first":
                rest = np.delete(case.got, 0, axis)
                untouched = bool(np.all(rest == 0)) if rest.dtype.kind in "iuf" else False
                says = f"Only the first {name} is computed." if untouched else f"Only the first {name} is right."
                look = (
                    "A return inside the loop, or a loop that ends too early."
                    if untouched
                    else "What is carried from one step to the next."
                )
                found.append(
                    Fit(
                        f"{axis} first right",
                        "loop-returns-early" if untouched else "first one right",
                        says,
                        f"the first {name} is right; the other {n - 1} are {'zero' if untouched else 'not'}.",
                        look,
                        0.88 if untouched else PLACE,
                        1.5 + 0.5 * n,
                    )
                )
    if bad.ndim == 2 and min(bad.shape) > 2:
        diagonal: Any = np.eye(*bad.shape) == 1
        if bad[diagonal].any() and not bad[~diagonal].any():
            found.append(
                Fit(
                    "diagonal",
                    "diagonal wrong",
                    "Only the diagonal is wrong.",
                    f"{np.count_nonzero(bad)} elements differ, all with equal row and column.",
                    "What holds where both indices are the same.",
                    PLACE,
                    4.0,
                )
            )
        elif not bad[diagonal].any() and bad[~diagonal].all():
            says = "Only the diagonal is right: what one element does to the others is missing."
            found.append(
                Fit(
                    "off the diagonal",
                    "diagonal only",
                    says,
                    f"the {min(bad.shape)} elements of the diagonal are right, the others differ.",
                    "The terms with two different indices.",
                    PLACE,
                    4.0,
                )
            )
    return found or (None if max(bad.shape) < 3 else [])


def rows_of_one(case: Case) -> list[Fit] | None:
    """Rows that should sum to one: they do not, columns do instead, or a mask came too late (zeros stay, the rest is too small)."""
    e, g = case.expected, case.got
    if not (case.alike and case.numeric) or e.ndim == 0 or e.shape[-1] < 2 or (e < 0).any() or e.dtype.kind != "f":
        return None
    if not np.allclose(e.sum(axis=-1), 1, atol=1e-4):
        return None
    if not case.failing:
        return None
    if ((e == 0) | (e == 1)).all():
        return None
    sums = g.sum(axis=-1)
    if (sums == 0).any():
        return None
    if np.allclose(sums, 1, atol=1e-4):
        hidden = (e == 0) & (g > 1e-6)
        if e.ndim > 1 and hidden.any() and (g >= 0).all():
            says = "Masked places have weight: the mask is missing, transposed, or too small."
            return [
                Fit(
                    "seen",
                    "sees-the-future",
                    says,
                    f"{np.count_nonzero(hidden)} of {np.count_nonzero(e == 0)} places that should be 0 are not.",
                    "Where -inf is filled in, and which triangle of the scores it fills.",
                    0.82,
                    1.0 + np.count_nonzero(hidden),
                )
            ]
        return []
    evidence = f"the rows sum to {span(sums.ravel())} in place of 1"
    tells = 3.0 + information(case, free=sums.size)
    if e.ndim > 1 and np.allclose(g.sum(axis=-2), 1, atol=1e-4):
        return [
            Fit(
                "axis",
                "softmax-over-wrong-axis",
                "The normalization runs over the wrong axis: columns sum to one, not rows.",
                f"{evidence}; the columns do.",
                "The axis of the sum and of the maximum: -1.",
                0.94,
                tells,
            )
        ]
    if e.ndim > 1 and np.isclose(g.sum(), 1, atol=1e-4):
        return [
            Fit(
                "all",
                "wrong-axis",
                "The normalization runs over everything: all elements together sum to one.",
                f"{evidence}; all together do.",
                "The sum: per row, axis=-1 with keepdims=True.",
                0.93,
                tells,
            )
        ]
    if (e == 0).any() and np.all(g[e == 0] == 0) and (sums <= 1 + 1e-6).all() and (g >= 0).all():
        return [
            Fit(
                "mask",
                "mask-after-softmax",
                "The mask comes after the softmax: what it takes away is missing from the sum.",
                f"masked places are 0, but {evidence}.",
                "The order: scores, mask (-inf), softmax.",
                0.92,
                tells,
            )
        ]
    return [
        Fit(
            "sum",
            "not normalized",
            "The rows are no probabilities: they do not sum to one.",
            f"{evidence}.",
            "What each row is divided by, and what changes it afterwards.",
            0.66,
            tells,
        )
    ]


def _along(x: Any, axis: int, part: slice) -> Any:
    return x[(slice(None),) * axis + (part,)]
