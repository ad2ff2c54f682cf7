"""Relations between calls, and of what an answer does besides: state, inputs that are changed, dtypes, views, random numbers."""

from __future__ import annotations

import re
from itertools import permutations
from typing import Any

import numpy as np

from minilm.exercises import inputs
from minilm.exercises.arrays import a, kind_of
from minilm.exercises.compare import close, difference, leaves
from minilm.exercises.task import Task
from minilm.exercises.verdict import Cause, Outcome
from minilm.tensor import Tensor


def _cause(name: str, says: str, evidence: str, look: str, confidence: float) -> Cause:
    return Cause(name, "relation", says, evidence[0].upper() + evidence[1:], look, confidence)


def _named(task: Task, outcome: Outcome, positions: list[int]) -> str:
    found = inputs.names(task, outcome.test, len(outcome.inputs))
    return " and ".join(found[i] for i in positions)


def input_changed(task: Task, outcomes: list[Outcome]) -> Cause | None:
    """An input is no longer what it was: it is written into."""
    changed = [o for o in outcomes if o.test.unchanged and o.ran.changed]
    if not changed or any(not o.passed and o not in changed for o in outcomes):
        return None
    name = _named(task, changed[0], changed[0].ran.changed)
    right = all(o.difference is None for o in changed)
    return _cause(
        "input-changed-in-place",
        f"The call changes its input {name}.",
        f"after the call {name} is no longer what it was, in {len(changed)} of {len(outcomes)} tests"
        + ("; the results are right." if right else "."),
        f"{name} += ..., {name}[...] = ..., {name}.sort(): work on a copy, or write {name} = {name} + ...",
        0.95 if right else 0.75,
    )


def view_returned(task: Task, outcomes: list[Outcome]) -> Cause | None:
    """The result shares memory with an input."""
    shared = [o for o in outcomes if o.test.fresh and o.ran.shares and o.difference is None]
    if not shared or any(not o.passed and o not in shared for o in outcomes):
        return None
    name = _named(task, shared[0], shared[0].ran.shares)
    return _cause(
        "view-returned",
        f"The result is a view of {name}: who changes one changes the other.",
        f"the two share memory, in {len(shared)} of {len(outcomes)} tests; the values are right.",
        "Slices, reshape, transpose and asarray make views; .copy() does not.",
        0.95,
    )


KEPT = "from one call to the next"


def state_kept(task: Task, outcomes: list[Outcome]) -> Cause | None:
    """The same call with the same inputs gives something else the second time."""
    ran = [o.ran.value for o in outcomes if o.ran.trouble is None]
    if len(ran) > 1 and isinstance(ran[0], list | dict | set | np.ndarray) and len({id(value) for value in ran}) == 1:
        says = "All calls return the same object: what one call puts in is there in the next."
        look = "Default arguments such as [] or {}, global names, attributes: they live on after the call."
        return _cause("state-kept-between-calls", says, f"the results of {len(ran)} calls are one object.", look, 0.95)
    moved = [
        o
        for o in outcomes
        if o.ran.trouble is None
        and not getattr(o.ran, "again_trouble", None)
        and not _same(o, o.ran.value, o.ran.again)
    ]
    if not moved or _draws(outcomes) or any(not o.passed and o not in moved for o in outcomes[1:]):
        return None
    o = moved[0]
    evidence = "two equal calls gave two different results"
    numbers = list(leaves(o.ran.value, o.ran.again))
    if (
        numbers and (numbers[0][1] != numbers[0][2]).any()
        if numbers and numbers[0][1].shape == numbers[0][2].shape
        else False
    ):
        bad = numbers[0][1] != numbers[0][2]
        evidence += f": {_first(numbers[0][1][bad])}, then {_first(numbers[0][2][bad])}"
    return _cause(
        "state-kept-between-calls",
        f"Something is kept {KEPT}.",
        f"{evidence}{f' ({o.test.call})' if o.test.call else ''}.",
        "Global names, attributes, and default arguments such as [] or {}: they live on after the call.",
        0.92,
    )


def random_from_elsewhere(task: Task, outcomes: list[Outcome]) -> Cause | None:
    """Random numbers that do not come from the generator that was given."""
    for o in outcomes:
        if o.passed or o.ran.trouble is not None:
            continue
        given = [i for i, x in enumerate(o.inputs) if isinstance(x, np.random.Generator)]
        drawn = getattr(o.ran, "drawn", [])
        anywhere = getattr(o.ran, "global_random", False)
        twice = not _same(o, o.ran.value, o.ran.again)
        if given and not drawn and (anywhere or twice):
            name = _named(task, o, given)
            how = "NumPy's global numbers were drawn" if anywhere else "two calls with the same generator differ"
            return _cause(
                "random-not-from-the-generator",
                f"The random numbers do not come from {name}.",
                f"{name} was not drawn from, and {how}.",
                f"{name}.random(), {name}.standard_normal(), {name}.permutation().",
                0.95,
            )
        if anywhere and twice and not given:
            return _cause(
                "random-seed-global",
                "The result depends on random numbers of the whole program.",
                "NumPy's global numbers were drawn, and two equal calls differ.",
                "np.random: give a generator, or do without.",
                0.88,
            )
    return None


def wide_dtype(task: Task, outcomes: list[Outcome]) -> Cause | None:
    """float64 where float32 went in; or integers where floats should be."""
    failing = [o for o in outcomes if not o.passed]
    found = [o.difference for o in failing if o.difference is not None and o.difference.kind == "dtype"]
    if not found or len(found) < len([o for o in failing if o.ran.trouble is None]):
        return None
    e, g = found[0].expected, found[0].got
    values = e.shape == g.shape and g.dtype.kind in "iufb" and bool(close(e, g, 1e-3, 1e-5).all())
    also = "; the values are right" if values else ""
    if (e.dtype.kind, g.dtype.kind) == ("f", "f"):
        return _cause(
            "float64-from-float32",
            f"{e.dtype} went in and {g.dtype} came out.",
            f"the result is {g.dtype}{also}.",
            "What NumPy makes float64: zeros and ones without dtype, random numbers, lists, np.float64 constants.",
            0.94,
        )
    return _cause(
        "wrong dtype",
        f"The result holds {_kind(g)}, not {_kind(e)}.",
        f"its dtype is {g.dtype} and should be like {e.dtype}{also}.",
        "Arrays made by zeros_like of integers, comparisons, astype, or lists of other things.",
        0.9,
    )


def _kind(x: Any) -> str:
    return {"f": "floats", "i": "integers", "u": "integers", "b": "True and False", "c": "complex numbers"}.get(
        x.dtype.kind, "objects"
    )


def other_type(task: Task, outcomes: list[Outcome]) -> Cause | None:
    """The right values in a value of another type: a list, a Tensor, an array."""
    failing = [o for o in outcomes if not o.passed]
    if not failing or any(o.difference is None or o.difference.kind != "type" for o in failing):
        return None
    found = failing[0].difference
    assert found is not None
    if found.got is None or getattr(found.got, "type", "") in (
        "function",
        "generator",
        "method",
        "builtin_function_or_method",
    ):
        return None  # said by what went wrong in running
    right = _values_right(failing[0], found.expected, found.got)
    return _cause(
        "wrong type",
        f"The result is {a(kind_of(found.got))}, and should be {a(kind_of(found.expected))}.",
        "its values are right." if right else f"in {len(failing)} of {len(outcomes)} tests.",
        _made(found.expected),
        0.93 if right else 0.75,
    )


def _made(expected: Any) -> str:
    """How a value of the type that is expected is made."""
    if isinstance(expected, tuple | list):
        return f"A {type(expected).__name__}, also of one element: {'(x,)' if isinstance(expected, tuple) else '[x]'}."
    if isinstance(expected, np.ndarray):
        return "np.array(...) or .numpy() at the end; rows of one length, and numbers in them."
    if isinstance(expected, int | float | np.generic):
        return f"{'int' if isinstance(expected, int | np.integer) else 'float'}(...) at the end."
    return f"What is asked for: {a(kind_of(expected))}."


def _values_right(o: Outcome, expected: Any, got: Any) -> bool:
    try:
        got = got.numpy() if isinstance(got, Tensor) else got
        e, g = np.asarray(expected.numpy() if isinstance(expected, Tensor) else expected), np.asarray(got)
        return bool(e.shape == g.shape and np.allclose(e, g, rtol=1e-4, atol=1e-6))
    except (TypeError, ValueError, AttributeError):
        return False


def constant_result(task: Task, outcomes: list[Outcome]) -> Cause | None:
    """All tests get one result, though they expect different ones; or all elements of all results are one number."""
    if (found := _one_number(outcomes)) is not None:
        return found
    ran = [o for o in outcomes if o.ran.trouble is None]
    if len(ran) < 2 or len(ran) < len(outcomes) or all(not o.inputs for o in ran):
        return None
    if not all(_same(ran[0], ran[0].ran.value, o.ran.value) for o in ran[1:]):
        return None
    if len({id(o.ran.value) for o in ran}) == 1 and isinstance(ran[0].ran.value, list | dict | set | np.ndarray):
        return None  # one object that is changed from call to call
    if ran[0].ran.value is None or all(_same(ran[0], ran[0].expected, o.expected) for o in ran[1:]):
        return None
    first = ran[0].difference is None
    return _cause(
        "constant result",
        "The result does not depend on the inputs" + (": it is that of the first test." if first else "."),
        f"all {len(ran)} tests got the same.",
        "Numbers in the code that should be computed from the arguments.",
        0.9 if first else 0.8,
    )


def _one_number(outcomes: list[Outcome]) -> Cause | None:
    """All elements of all results are 0, or another number, or nan. Such an answer agrees with many mistakes, and tells nothing of them."""
    if any(o.ran.trouble is not None or not o.inputs for o in outcomes) or all(o.passed for o in outcomes):
        return None
    elements, size = _elements([(o.expected, o.ran.value) for o in outcomes], got=True)
    expected, _ = _elements([(o.expected, o.expected) for o in outcomes], got=True)
    if size < 2 or len(elements) != 1 or len(expected) < 2:
        return None
    (only,) = elements
    tests = f"in all {len(outcomes)} tests" if len(outcomes) > 1 else "in the one test there is"
    if isinstance(only, float) and not np.isfinite(only):
        return _cause(
            "constant result",
            f"It returns {only} whatever the input.",
            f"{arose(outcomes) or f'every element of every result is {only}, {tests}'}.",
            "That line, and the values that go into it: print them." if arose(outcomes) else "Where it first arises.",
            0.82,
        )
    return _cause(
        "constant result",
        f"It returns {only + 0:.6g} whatever the input.",
        f"every element of every result is {only + 0:.6g}, {tests}.",
        "Whether what is computed is also what is returned, and whether the loops are entered at all.",
        0.85,
    )


def _elements(pairs: list[tuple[Any, Any]], got: bool) -> tuple[set[Any], int]:
    """The different numbers in all results (nan being one), and how many elements there are; none where a result holds other things."""
    found: set[Any] = set()
    size = 0
    for e, value in pairs:
        parts = [g for _, _, g in leaves(e, value)]
        if not parts or any(g.dtype.kind not in "iuf" for g in parts):
            return set(), 0
        for g in parts:
            size += g.size
            found |= {"nan" if x != x else x for x in g.ravel()[:1000].tolist()}
    return {float("nan") if x == "nan" else x for x in found}, size


def arose(outcomes: list[Outcome]) -> str:
    """Where the first nan or infinity came from, by NumPy's first warning in the smallest failing test."""
    for o in outcomes:
        for warned in () if o.passed else o.ran.warned:
            if re.search("invalid value|divide by zero|overflow", warned):
                return f"the first warning is {warned.partition(': ')[2]}"
    return ""


def returns_an_input(task: Task, outcomes: list[Outcome]) -> Cause | None:
    """The result is one of the inputs, as it was given."""
    ran = [o for o in outcomes if o.ran.trouble is None]
    if not ran or len(ran) < len(outcomes):
        return None
    count = min(len(o.inputs) for o in ran)
    for i in range(count):
        if all(_is_input(o, i) for o in ran):
            name = _named(task, ran[0], [i])
            return _cause(
                "returns its input",
                f"The result is the input {name} itself, unchanged.",
                f"in all {len(ran)} tests the two are equal.",
                "What is returned: the new value, or the old name; and whether the loop is entered at all.",
                0.93,
            )
    return None


def _is_input(o: Outcome, i: int) -> bool:
    x = o.inputs[i]
    if isinstance(x, bool | int | str | float | type(None)) or callable(x):
        return False
    return difference(o.test, x, o.ran.value) is None


def swapped_values(task: Task, outcomes: list[Outcome]) -> Cause | None:
    """The returned values are right, in another order."""
    failing = [o for o in outcomes if not o.passed]
    orders: set[tuple[int, ...]] | None = None
    for o in failing:
        e, g = o.expected, o.ran.value
        if not isinstance(e, tuple) or not isinstance(g, tuple | list) or len(e) != len(g) or not 2 <= len(e) <= 5:
            return None
        here = set(_orders(o, list(e), list(g)))
        orders = here if orders is None else orders & here
    if not orders:
        return None
    order = sorted(orders)[0]
    shown = ", ".join(str(i + 1) for i in order)
    return _cause(
        "returned in another order",
        "The returned values are right, but in another order.",
        f"yours are number {shown} of what is asked, in {len(failing)} of {len(outcomes)} tests.",
        "The order in the return statement.",
        0.95,
    )


def swapped_answers(task: Task, outcomes: list[Outcome]) -> Cause | None:
    """Of a task that asks for several numbers, one a test: they are right, in another order."""
    failing = [o for o in outcomes if not o.passed]
    if task.kind != "number" or len(failing) < 2 or any(o.ran.trouble for o in failing):
        return None
    fits = [[difference(o.test, o.expected, given.ran.value) is None for o in failing] for given in failing]
    if not _permutations(fits) or any(
        difference(failing[0].test, failing[0].expected, o.expected) is None for o in failing[1:]
    ):
        return None
    return _cause(
        "returned in another order",
        "The numbers are right, but in another order.",
        f"{' and '.join(o.test.call or o.test.name for o in failing)}: each has another one's value.",
        "The order of the values in the answer.",
        0.95,
    )


def _orders(o: Outcome, e: list[Any], g: list[Any]) -> list[tuple[int, ...]]:
    return _permutations([[difference(o.test, wanted, part) is None for wanted in e] for part in g])


def _permutations(fits: list[list[bool]]) -> list[tuple[int, ...]]:
    """The orders, but the given one, in which each fits: fits[j][i] says whether number j given is number i asked."""
    same = tuple(range(len(fits)))
    return [p for p in permutations(same) if p != same and all(fits[j][i] for j, i in enumerate(p))]


def unstable(task: Task, outcomes: list[Outcome]) -> Cause | None:
    """Right for small inputs; NaN, infinity or an overflow for large ones."""
    failing = [o for o in outcomes if not o.passed]
    passing = [o for o in outcomes if o.passed]
    if not all(_overflowed(o) for o in failing) or not failing:
        return None
    size = max(_largest(o) for o in failing)
    small = max((_largest(o) for o in passing), default=0.0)
    warned = [w for o in failing for w in o.ran.warned if "overflow" in w or "invalid" in w or "divide" in w]
    what = failing[0].ran.trouble.kind if failing[0].ran.trouble else "nan or inf"
    if (passing and size > 5 * max(small, 1.0)) or any("overflow" in w for w in warned):
        says = (
            "The formula is right, but not for large inputs: it overflows on the way."
            if passing
            else "It overflows on the way."
        )
        return _cause(
            "softmax-not-stable",
            says,
            f"with inputs up to {size:.4g} the result is {what}"
            + (f"; up to {small:.3g} it is right" if passing else "")
            + (f" ({warned[0].partition(': ')[2]})" if warned else "")
            + ".",
            "exp of large numbers: subtract the maximum first, or write the formula so that only exp of what is "
            "negative stays.",
            0.92 if passing else 0.75,
        )
    if warned:
        name, says, look = _not_finite(warned[0])
        evidence = f"the result holds {what}, in {len(failing)} of {len(outcomes)} tests; {arose(outcomes)}."
        return _cause(name, says, evidence, look, 0.8)
    return None


def _not_finite(warned: str) -> tuple[str, str, str]:
    """Name, sentence and advice for the warning with which nan or infinity begins."""
    kind, _, function = warned.partition(": ")[2].partition(" encountered in ")
    function = function.partition(",")[0]
    if "divide" in kind:
        if function.startswith("log"):
            says = "A logarithm of zero on the way."
        else:
            says = "A division by zero on the way."
        return "log-of-zero", says, "What can be zero: a count, a sum, a probability; and what holds then."
    if function.startswith(("log", "sqrt", "power", "arc")):
        says = f"A number that {function} is not defined for goes into it, and nan comes out."
        return (
            "nan on the way",
            says,
            f"What goes into {function}: whether it can be negative, and whether it is meant.",
        )
    says = f"A nan arises in {'an operation' if ' ' in function or not function else function} on the way."
    return (
        "nan on the way",
        says,
        "0 / 0, infinity / infinity, infinity - infinity and 0 * infinity are nan: which is it there?",
    )


def _overflowed(o: Outcome) -> bool:
    if o.ran.trouble is not None:
        return o.ran.trouble.kind == "OverflowError"
    for _, e, g in leaves(o.expected, o.ran.value):
        if e.dtype.kind in "fc" and g.dtype.kind == "f" and np.isfinite(e).all() and not np.isfinite(g).all():
            return True
    return False


def _largest(o: Outcome) -> float:
    found = [0.0]
    for x in o.inputs:
        x = x.numpy() if isinstance(x, Tensor) else x
        if isinstance(x, float | int | np.ndarray | np.generic) or (
            isinstance(x, list | tuple) and all(isinstance(y, float | int) for y in x)
        ):
            x = np.asarray(x)
            if x.size and x.dtype.kind in "iuf":
                found.append(float(np.max(np.abs(np.where(np.isfinite(x), x, 0)))))
    return max(found)


def one_shape_only(task: Task, outcomes: list[Outcome]) -> Cause | None:
    """Right where the arrays are square (or the sizes equal), wrong where they are not."""
    passing = [o for o in outcomes if o.passed]
    failing = [o for o in outcomes if not o.passed]
    if not passing or not failing:
        return None
    square = [_square(o) for o in passing]
    if all(square) and not any(_square(o) for o in failing):
        return _cause(
            "works-for-square-only",
            "It is right for square arrays only.",
            f"{len(passing)} test{'s' * (len(passing) > 1)} with as many rows as columns "
            f"passed; {len(failing)} with other shapes did not.",
            "Which axis is which: a square array hides that two are exchanged.",
            0.72,
        )
    return None


def _square(o: Outcome) -> bool:
    shapes = [x.shape for x in o.inputs if isinstance(x, np.ndarray | Tensor) and len(x.shape) > 1]
    return bool(shapes) and all(shape[-1] == shape[-2] for shape in shapes)


def _draws(outcomes: list[Outcome]) -> bool:
    return any(getattr(o.ran, "global_random", False) for o in outcomes)


def _same(o: Outcome, a: Any, b: Any) -> bool:
    try:
        return difference(o.test, a, b) is None
    except Exception:
        return False


def _first(x: Any) -> str:
    return f"{x.ravel()[0]:.6g}" if x.dtype.kind in "iufc" else str(x.ravel()[0])


CONDUCT = (
    random_from_elsewhere,
    input_changed,
    view_returned,
    wide_dtype,
    other_type,
    swapped_values,
    swapped_answers,
    returns_an_input,
    constant_result,
    unstable,
    state_kept,
    one_shape_only,
)
