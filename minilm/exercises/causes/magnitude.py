"""Relations of size: a factor, a sign, a summand, a function that is missing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minilm.exercises.causes.case import Case, Fit, information, span

CONSTANTS = {"2": 2.0, "1/2": 0.5, "ln 2": math.log(2), "1/ln 2": 1 / math.log(2), "ln 10": math.log(10), "100": 100.0,
             "1/100": 0.01, "the root of 2": math.sqrt(2), "1024": 1024.0, "8": 8.0, "1/8": 0.125, "pi": math.pi}  # fmt: skip


def ratio(case: Case) -> float | None:
    """The r for which got = r * expected in all elements; None where there is none, or where all that is expected is zero."""
    if not (case.alike and case.numeric):
        return None
    e, g = case.expected.astype(float), case.got.astype(float)
    top = int(np.argmax(np.abs(e)))
    if e.ravel()[top] == 0:
        return None
    r = float(g.ravel()[top] / e.ravel()[top])
    return r if case.equal(r * e, case.got) else math.nan


def factor(case: Case) -> list[Fit] | None:
    """got = r * expected, where r is a size n of the inputs, its root, n/(n-1), a scalar input, or a constant."""
    r = ratio(case)
    if r is None or (case.failing and _near(r, 1)):
        return None
    if math.isnan(r) or r == 0:
        return []
    tells = information(case, free=0 if case.expected.size == 1 else 1)
    return [_factor(case, key, kind, tells) for key, kind in _factors(case, r)]


def _factors(case: Case, r: float) -> Iterator[tuple[str, tuple[str, float, str, Any]]]:
    """Names for a factor: key, and (kind, factor, size, value)."""
    if _near(r, -1):
        yield "sign", ("sign", r, "", None)
    for name, n in case.sizes.items():
        if n < 1:
            continue
        candidates = {
            "n": n,
            "1/n": 1 / n,
            "root": math.sqrt(n),
            "1/root": 1 / math.sqrt(n),
            "-n": -n,
            "-1/n": -1 / n,
            "n**2": n * n,
        }
        if n > 1:
            candidates |= {"n/(n-1)": n / (n - 1), "(n-1)/n": (n - 1) / n, "root of n/(n-1)": math.sqrt(n / (n - 1)),
                           "root of (n-1)/n": math.sqrt((n - 1) / n), "(n+1)/n": (n + 1) / n, "n/(n+1)": n / (n + 1)}  # fmt: skip
        yield from ((f"{kind} of {name}", (kind, r, name, n)) for kind, value in candidates.items() if _near(r, value))
    for name, v in case.scalars.items():
        if v and not _near(abs(v), 1):
            scaled = {"v": v, "1/v": 1 / v, "1-v": 1 - v, "1/(1-v)": 1 / (1 - v), "v**2": v * v, "-v": -v}
            yield from (
                (f"{kind} with {name}", (kind, r, name, v))
                for kind, value in scaled.items()
                if value and _near(r, value)
            )
    for shown, value in CONSTANTS.items():
        if _near(r, value):
            yield f"constant {shown}", ("constant", r, shown, value)
    for name, n in case.sizes.items():
        if n > 1 and 1.5 < (c := n / r) < 200 and _near(c, round(c)) and round(c) != n:
            yield f"{name} over {round(c)}", ("fixed", r, name, round(c))
        elif case.wrong is not None and not case.failing and n > 1:
            yield f"{name} over {n}", ("fixed", r, name, n)
    if case.expected.size > 1 or not case.failing:  # one number is some factor of any other
        yield f"r = {r:.6g}", ("some", r, "", None)


def _factor(case: Case, key: str, kind: tuple[str, float, str, Any], tells: float) -> Fit:
    what, r, name, value = kind
    size = (
        f"exactly {_times(abs(r))} times too large" if abs(r) > 1 else f"exactly {_times(1 / abs(r))} times too small"
    )
    if what == "sign":
        return Fit(
            key,
            "sign",
            "The sign is wrong.",
            f"every element is exactly -1 times what it should be ({_count(case)}).",
            "Which of two terms is subtracted from which, and the sign in front of the formula.",
            0.93,
            tells,
        )
    if what in ("n", "-n", "1/n", "-1/n"):
        return _size(case, key, what, size, name, value, tells)
    if what in ("root", "1/root"):
        says = (
            f"A factor of the root of the {name} is "
            f"{'missing below the line' if what == 'root' else 'there once too often'}."
        )
        return Fit(
            key,
            "factor root of a size",
            says,
            f"the result is {size}, and the root of the {name} ({value}) is {math.sqrt(value):.4g}.",
            "Whether to divide by the size or by its root.",
            0.88,
            tells,
        )
    if what == "n**2":
        says = f"The {name} is a factor twice too often."
        return Fit(
            key,
            "factor of a size",
            says,
            f"the result is {size}: {value} * {value}.",
            "Where it is divided by.",
            0.8,
            tells,
        )
    if "n-1" in what:
        over = what in ("n/(n-1)", "root of n/(n-1)")
        says = (
            f"It is divided by {'n - 1' if over else 'n'} where {'n' if over else 'n - 1'} is asked for (n: "
            f"the {name})."
        )
        name_ = "n-minus-one-for-n" if over else "n-for-n-minus-one"
        return Fit(
            key,
            name_,
            says,
            f"the result is {r:.6g} times what it should be, and {what} is that for n = {value}.",
            "What the sum of squares is divided by (in NumPy: ddof).",
            0.9,
            tells,
        )
    if "n+1" in what:
        says = (
            f"It is divided by a count that is one off: n {'+ 1' if what == 'n/(n+1)' else ''} where "
            f"n{' + 1' * (what != 'n/(n+1)')} is asked."
        )
        return Fit(
            key,
            "off by one",
            says,
            f"the result is {r:.6g} times what it should be: {what} for n = {value}, the {name}.",
            "What is counted, and whether the first or last counts too.",
            0.75,
            tells,
        )
    if what in ("v", "1/v", "1-v", "1/(1-v)", "v**2", "-v"):
        shown = what.replace("v", name)
        says = f"A factor of {shown} {'too much' if what in ('v', '1-v', '-v', 'v**2') else 'is missing'}."
        says = (
            f"The factor {shown if '/' not in shown else shown[2:]} is "
            f"{'there once too often' if '/' not in what else 'missing'}."
        )
        return Fit(
            key,
            "factor of an input",
            says,
            f"the result is {r:.6g} times what it should be, and {shown} = {r:.6g} ({name} is {value:g}).",
            f"Where {name} enters.",
            0.85,
            tells,
        )
    if what == "constant":
        return _constant(key, r, name, size, tells)
    if what == "fixed":
        says = f"A size is fixed in the code: it works as if the {name} were always {value}."
        return Fit(
            key,
            "hard-coded-size",
            says,
            f"the result is {r:.6g} times what it should be; the {name} over {value} is that.",
            "A number in the code that should be read from a shape.",
            0.85,
            tells,
        )
    return Fit(
        key,
        "constant factor",
        "A constant factor is wrong.",
        f"every element is {r:.6g} times what it should be ({_count(case)}).",
        "What the whole result is multiplied or divided by.",
        0.7,
        min(tells, 2.5),
    )


def _times(r: float) -> str:
    return f"{r:.3f}" if 0.1 < r < 1000 else f"{r:.6g}"


def _size(case: Case, key: str, what: str, size: str, name: str, n: int, tells: float) -> Fit:
    sign = " and of the wrong sign" if what.startswith("-") else ""
    if what.endswith("1/n"):
        says = f"A division by the {name} too many: a mean stands where a sum is asked, or it is divided twice."
        look = "Which of the two is asked, a sum or a mean, and whether the division was made already."
        return Fit(key, "mean-for-sum", says, f"the result is {size}{sign}, and the {name} is {n}.", look, 0.9, tells)
    says = f"The division by the {name} is missing: a sum stands where a mean is asked, or the same is added {n} times."
    look = "Which of the two is asked, a sum or a mean; where the mean was taken on the way forward."
    return Fit(key, "sum-for-mean", says, f"the result is {size}{sign}, and the {name} is {n}.", look, 0.9, tells)


def _constant(key: str, r: float, shown: str, size: str, tells: float) -> Fit:
    if "ln" in shown:
        base = {
            "ln 2": "2, and bits were asked for: nats are ln 2 times as many",
            "1/ln 2": "e, and bits came out",
            "ln 10": "10 or e: the two differ by ln 10",
        }[shown]
        says = "The logarithm has another base than was asked for."
        return Fit(
            key,
            "log base",
            says,
            f"the result is {r:.6g} = {shown} times what it should be (base {base}).",
            "log, log2 and log10: which one the unit asks for.",
            0.93,
            tells,
        )
    if shown == "2":
        says, look = (
            "A factor of 2 is there once too often: a 1/2 was forgotten, or the same was counted twice.",
            "Squares and their derivative.",
        )
        return Fit(key, "factor two", says, f"the result is {size}, in every element.", look, 0.82, tells)
    if shown == "1/2":
        says, look = (
            "A factor of 2 is missing: a square's derivative, or the second of two equal parts.",
            "Squares, and what is counted twice.",
        )
        return Fit(key, "factor-two-missing", says, f"the result is {size}, in every element.", look, 0.82, tells)
    says = f"A factor of {shown} too much: a unit or a constant."
    return Fit(
        key,
        "constant factor",
        says,
        f"the result is {size}, in every element.",
        "The units: bytes, bits, percent.",
        0.72,
        tells,
    )


def factor_per_row(case: Case) -> list[Fit] | None:
    """got[i, j] = r[i] * expected[i, j], or r[j]: each row, or each column, has a factor of its own."""
    if not (case.alike and case.numeric) or case.expected.ndim != 2 or min(case.expected.shape) < 2:
        return None
    if not case.failing:
        return [Fit("row", "", "", ""), Fit("column", "", "", "")]
    found = []
    for axis, name in ((1, "row"), (0, "column")):
        e, g = case.expected.astype(float), case.got.astype(float)
        weight = (e * e).sum(axis=axis, keepdims=True)
        if (weight == 0).any():
            continue
        r = (g * e).sum(axis=axis, keepdims=True) / weight
        if case.equal(r * e, case.got) and np.ptp(r) > 1e-6:
            says = f"Each {name} is off by a factor of its own: what it is divided (or multiplied) by is wrong."
            found.append(
                Fit(
                    name,
                    f"factor per {name}",
                    says,
                    f"within a {name} all elements are off by one factor: {span(r.ravel())}.",
                    f"The number per {name} that it is scaled with, and the axis of its sum.",
                    0.72,
                    information(case, free=r.size),
                )
            )
    return found


def summand(case: Case) -> list[Fit] | None:
    """got = expected + c, where c is a size, a scalar input, or 1."""
    if not (case.alike and case.numeric):
        return None
    d = case.got.astype(float) - case.expected.astype(float)
    c = float(d.ravel()[0])
    if not case.equal(case.expected + c, case.got):
        return []
    tells = information(case, free=0 if abs(c) in (1.0,) else 1)
    if case.expected.size == 1 and not _near(abs(c), 1):
        tells = information(case)
    names = {f"the {name}": float(n) for name, n in case.sizes.items()} | case.scalars | {"1": 1.0}
    if _near(abs(c), 1):
        names = {"1": 1.0}
    found = []
    for name, v in names.items():
        for sign, word in ((1, "too large"), (-1, "too small")):
            if abs(c - sign * v) <= 1e-7 * max(1.0, abs(v)) and (v or not case.failing):
                off = name == "1"
                says = f"The result is {word} by exactly {name if not off else 'one'}."
                look = (
                    "What is counted: whether the first or the last one counts too."
                    if off
                    else f"Where {name} is added or subtracted."
                )
                found.append(
                    Fit(
                        f"{name} {word}",
                        "off by one" if off else "constant added",
                        says,
                        f"got minus expected is {c:+.6g} in every element ({_count(case)}).",
                        look,
                        0.8 if off else 0.78,
                        tells,
                    )
                )
    if abs(c) > 1e-9:
        found.append(
            Fit(
                f"c = {c:.6g}",
                "constant added",
                f"The result is off by a constant, {c:+.6g}.",
                f"got minus expected is {c:+.6g} in every element ({_count(case)}).",
                "What is added to every element.",
                0.68,
                min(information(case, free=1), 3.0),
            )
        )
    return found


def an_input_more(case: Case) -> list[Fit] | None:
    """got = expected + x or expected - x, for an input x: a summand that is missing or is there twice."""
    if not (case.alike and case.numeric):
        return None
    found = []
    for name, x in case.arrays.items():
        if x.dtype.kind != "f" or x.ndim > case.expected.ndim or not np.any(x):
            continue
        for sign, word in ((1, "is added once too often"), (-1, "is missing as a summand")):
            if _fits_shape(x, case) and case.equal(case.expected + sign * x, case.got):
                says = f"The input {name} {word}."
                found.append(
                    Fit(
                        f"{name} {sign}",
                        "residual-forgotten" if sign < 0 else "added twice",
                        says,
                        f"got minus expected is {'' if sign > 0 else '-'}{name}, in every element ({_count(case)}).",
                        f"Where {name} is added.",
                        0.9,
                        information(case),
                    )
                )
    return found


def an_input_as_factor(case: Case) -> list[Fit] | None:
    """got * x = expected, or got = expected * x, for an input x: a factor that is missing or is there twice."""
    if not (case.alike and case.numeric):
        return None
    found = []
    for name, x in case.arrays.items():
        if x.dtype.kind != "f" or not _fits_shape(x, case) or case.equal(np.ones_like(x), x):
            continue
        with np.errstate(all="ignore"):
            missing = case.equal(case.got * x, case.expected)
            twice = case.equal(case.expected * x, case.got)
        if missing:
            found.append(
                Fit(
                    f"{name} missing",
                    "local-derivative-only",
                    f"The factor {name} is missing.",
                    f"your result times {name} is what was expected, in every element ({_count(case)}).",
                    f"The chain rule, or the formula: where {name} multiplies.",
                    0.9,
                    information(case),
                )
            )
        if twice:
            found.append(
                Fit(
                    f"{name} twice",
                    "a factor too many",
                    f"The factor {name} is there once too often.",
                    f"your result is what was expected, times {name}, in every element ({_count(case)}).",
                    f"Where {name} multiplies.",
                    0.88,
                    information(case),
                )
            )
    return found


Function = Callable[[Any], Any]
FORGOTTEN: tuple[tuple[str, Function, str, str], ...] = (
    (
        "complement",
        lambda e: 1 - e,
        "The result is 1 minus what it should be: the complement.",
        "Which of the two cases is asked for: p or 1 - p.",
    ),
    (
        "reciprocal",
        lambda e: 1 / e,
        "The result is the reciprocal: 1 divided by what it should be.",
        "What is divided by what.",
    ),
    (
        "logarithm forgotten",
        np.exp,
        "The logarithm is missing: its exponential is the result.",
        "Whether a probability or its logarithm is asked.",
    ),
    (
        "logarithm forgotten",
        lambda e: np.exp(-e),
        "The logarithm and its sign are missing.",
        "Whether a probability or its logarithm is asked.",
    ),
    (
        "logarithm forgotten",
        lambda e: 2.0**-e,
        "The logarithm (base 2) and its sign are missing.",
        "Whether bits are asked.",
    ),
    (
        "perplexity-without-exp",
        np.log,
        "The exponential is missing: its logarithm is the result.",
        "The last step: exp.",
    ),
    (
        "perplexity-without-exp",
        np.log2,
        "The power is missing: the logarithm to base 2 is the result.",
        "The last step: 2 to the power.",
    ),
    (
        "std-for-variance",
        np.sqrt,
        "A root too many: the square of your result is what was expected.",
        "Whether a square or its root is asked.",
    ),
    (
        "root forgotten",
        lambda e: e * e,
        "The root is missing (or a square too many): your result is the square of what it should be.",
        "Whether a square or its root is asked.",
    ),
    (
        "absolute value",
        np.abs,
        "The sign is lost: the result is the absolute value of what it should be.",
        "abs, squares, and where they stand.",
    ),
)


def forgotten(case: Case) -> list[Fit] | None:
    """got = f(expected) for f one of 1 - e, 1/e, exp, log, the root, the square, |e|: a step that is missing or too many."""
    if not (case.alike and case.numeric):
        return None
    found = []
    for i, (name, function, says, look) in enumerate(FORGOTTEN):
        with np.errstate(all="ignore"):
            if case.equal(function(case.expected.astype(float)), case.got):
                e, g = _one(case)
                found.append(
                    Fit(
                        str(i),
                        name,
                        says,
                        f"for instance {g:.6g} in place of {e:.6g}, and so in every element.",
                        look,
                        0.9,
                        information(case),
                    )
                )
    return found


ROUNDED: tuple[tuple[str, Function], ...] = (
    ("cut down to", np.floor),
    ("rounded to", np.round),
    ("cut off to", np.trunc),
    ("raised to", np.ceil),
)


def rounded(case: Case) -> list[Fit] | None:
    """got = floor(expected), round(expected) or ceil(expected), where those are no integers."""
    if not (case.alike and case.numeric) or (e := case.expected.astype(float)).size == 0 or np.all(e == np.floor(e)):
        return None
    found = []
    for word, function in ROUNDED:
        if case.equal(function(e), case.got):
            a, b = _one(case)
            found.append(
                Fit(
                    word,
                    "integer-division",
                    f"The result is {word} whole numbers.",
                    f"{b:g} in place of {a:.6g}, in every element.",
                    "// in place of /, int(...), round(...), or an array of integers that is written into.",
                    0.88,
                    float(np.count_nonzero(case.wrong)) + 1.5,
                )
            )
    return found


def clipped(case: Case) -> list[Fit] | None:
    """got = clip(expected, low, high): what lies beyond a bound became the bound."""
    if not (case.alike and case.numeric) or case.expected.size < 3:
        return None
    e, g = case.expected, case.got
    if not case.failing:
        return None
    low, high = float(g.min()), float(g.max())
    if not case.equal(np.clip(e, low, high), g) or low == high:
        return []
    bad = int(np.count_nonzero(case.wrong))
    below, above = e.min() < low - 1e-9, e.max() > high + 1e-9
    bound = " and ".join([f"below {low:g}"] * bool(below) + [f"above {high:g}"] * bool(above))
    key = f"{low if below else ''} {high if above else ''}"
    return [
        Fit(
            key,
            "clipped",
            f"Elements {bound} are cut off.",
            f"{bad} of {e.size} elements lie beyond and became the bound; the others are right.",
            "maximum, minimum, clip, or a ReLU that does not belong there.",
            0.8,
            1.0 + bad,
        )
    ]


def _sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


DERIVATIVES: tuple[tuple[str, Function, Function, str], ...] = (
    (
        "derivative-at-z-not-a",
        lambda z: _sigmoid(z) * (1 - _sigmoid(z)),
        lambda z: z * (1 - z),
        "The derivative is taken at z, and a(1 - a) holds for the output a = sigmoid(z).",
    ),
    (
        "derivative-at-a-not-z",
        lambda a: a * (1 - a),
        lambda a: _sigmoid(a) * (1 - _sigmoid(a)),
        "The sigmoid is taken once more: what is given is its output already, and the derivative is a(1 - a).",
    ),
    (
        "derivative-at-z-not-a",
        lambda z: 1 - np.tanh(z) ** 2,
        lambda z: 1 - z**2,
        "The derivative is taken at z, and 1 - a**2 holds for the output a = tanh(z).",
    ),
    (
        "derivative-at-a-not-z",
        lambda a: 1 - a**2,
        lambda a: 1 - np.tanh(a) ** 2,
        "The tanh is taken once more: what is given is its output already, and the derivative is 1 - a**2.",
    ),
    (
        "tanh-derivative-without-square",
        lambda z: 1 - np.tanh(z) ** 2,
        lambda z: 1 - np.tanh(z),
        "The square is missing: tanh' = 1 - tanh**2.",
    ),
    ("tanh-derivative-without-square", lambda a: 1 - a**2, lambda a: 1 - a, "The square is missing: tanh' = 1 - a**2."),
)


def derivative_elsewhere(case: Case) -> list[Fit] | None:
    """got / h(x) = expected / f(x), where f(x) is an activation's derivative and h(x) the same formula at the wrong place."""
    if not (case.alike and case.numeric):
        return None
    found = []
    for name, x in case.arrays.items():
        if x.shape != case.expected.shape or x.dtype.kind != "f":
            continue
        for i, (bug, right, wrong, says) in enumerate(DERIVATIVES):
            with np.errstate(all="ignore"):
                f, h = right(x), wrong(x)
                upstream = [np.ones_like(x), *(y for y in case.arrays.values() if y.shape == x.shape)]
                if any(case.equal(f * u, case.expected) and case.equal(h * u, case.got) for u in upstream):
                    e, g = _one(case)
                    found.append(
                        Fit(
                            f"{i} {name}",
                            bug,
                            says,
                            f"with it the results are exactly yours: {g:.4g} in place of {e:.4g}.",
                            f"Whether {name} stands before or after the activation.",
                            0.95,
                            information(case),
                        )
                    )
    return found


def value_for_index(case: Case) -> list[Fit] | None:
    """got = x[expected] for an input x: a value stands where its index is asked; or expected = x[got], the other way round."""
    found = []
    for name, x in case.arrays.items():
        for index, value, key in ((case.expected, case.got, "value"), (case.got, case.expected, "index")):
            if index.dtype.kind not in "iu" or value.dtype.kind not in "iuf" or not x.ndim or not index.size:
                continue
            if index.min() >= 0 and index.max() < len(x) and case.equal(x[index], value):
                right = key == "value"
                says = f"{'A value' if right else 'The index'} of {name} is returned, not {'its index' if right else 'the value'}."
                evidence = f"your result is {name}[i] for the i that was expected."
                evidence = evidence if right else f"{name} at your result is what was expected."
                bug = "value for index" if right else "index for value"
                look = "argmax and max, argmin and min, key= and the last line."
                found.append(Fit(f"{name} {key}", bug, says, evidence, look, 0.93, max(information(case), 3.0)))
    return found or (None if not case.failing else [])


def _fits_shape(x: Any, case: Case) -> bool:
    try:
        return np.broadcast_shapes(x.shape, case.expected.shape) == case.expected.shape
    except ValueError:
        return False


def _one(case: Case) -> tuple[float, float]:
    """An element that differs: expected and got."""
    if case.wrong is None or not case.wrong.any():
        return float(case.expected.ravel()[0]), float(case.got.ravel()[0])
    return float(case.expected[case.wrong].ravel()[0]), float(case.got[case.wrong].ravel()[0])


def _count(case: Case) -> str:
    n = case.expected.size
    return "one number" if n == 1 else f"all {n}"


def _near(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=2e-5)
