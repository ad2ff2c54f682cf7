r"""A displayed formula, checked against the engine.

::

    holds("4.7", engine=lambda z: ml.grad(z.sigmoid().sum(), z), formula=lambda z: z.sigmoid() * (1 - z.sigmoid()), z=real(3))

`engine` is what the engine computes; `formula` is the display, written as Python in the same symbols. Both get the inputs by
name: float64 Tensors that require a gradient (`real`, `distinct`, `simplex`), or Tensors of integers and truth values
(`integer`, `mask`), drawn at random from a generator that is seeded with the formula's number, so that each run sees the same
points. Each may return a Tensor, an array, a number, or a tuple of them.
"""

from __future__ import annotations

import textwrap
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from minilm.gradcheck import GradcheckError, gradcheck
from minilm.graph import enable_grad
from minilm.ops.dtypes import get_default_dtype, set_default_dtype
from minilm.ops.sample import Arg, distinct, integer, mask, real, simplex
from minilm.tensor import Tensor
from minilm.types import HostArray

GRADIENT_POINTS = 3  # of the points, so many are used for the gradient check
LARGE = 400  # from so many elements on, the gradient is checked in random directions instead of element by element
DISAGREE = 1e-3  # relative: less is no proof that a formula is wrong
WIDTH = 88  # characters of a printed line
SHOWN = 6  # arrays with more elements are printed by their shape

Point = dict[str, HostArray]


class FormulaError(AssertionError):
    """A formula and the engine disagree, or agree where they must not, or cannot be compared."""


class Check(NamedTuple):
    """What one call of `holds` or `fails` has shown."""

    id: str
    kind: str  # "holds" or "fails"
    points: int
    gradient: tuple[str, ...]  # the inputs in which the formula's gradient was checked


class _Gap(NamedTuple):
    """Where two results differ most: relative to the allowed error's scale, in which output and element."""

    size: float
    output: int
    element: tuple[int, ...]


_checks: list[Check] = []


def checked() -> list[Check]:
    """The checks that have passed in this process, in order."""
    return list(_checks)


def holds(
    id: str,
    /,
    *,
    engine: Callable[..., Any],
    formula: Callable[..., Any],
    tolerance: float = 1e-9,
    points: int = 20,
    grad: bool = True,
    **inputs: Arg,
) -> None:
    r"""Shows that the formula is what the engine computes, and prints a line that says so.

    At each point, for each element: \|formula - engine\| <= tolerance (\|engine\| + 0.001 max(1, largest \|engine\|)); the second
    term is for sums that cancel. Then the formula's own gradient is compared with central differences in every float input, at
    three of the points.

    Args:
        id: the formula's number, as in its ``\tag``.
        engine, formula: called with the inputs by name.
        tolerance: relative.
        points: how many random points (one where there are no inputs).
        grad: False where the formula is not differentiable, or returns host numbers.
        inputs: how to draw each input.

    Raises:
        FormulaError: they differ (the message has the point, the element, both values, and the largest deviation), a result is not
            a number, the shapes differ, or the formula's gradient is wrong or cannot be checked.
    """
    drawn = _draw(id, points, inputs)
    names = tuple(name for name, x in drawn[0].items() if x.dtype.kind == "f") if grad else ()
    with _float64():
        gaps = [_compare(id, engine, formula, point, tolerance) for point in drawn]
        worst = max(range(len(gaps)), key=lambda k: gaps[k].size)
        if gaps[worst].size > tolerance:
            raise FormulaError(_disagreement(id, engine, formula, drawn, worst, gaps[worst]))
        for k in range(min(GRADIENT_POINTS, len(drawn)) if names else 0):
            _check_gradient(id, formula, drawn, k)
    _checks.append(Check(id, "holds", len(drawn), names))
    where = f" at {len(drawn)} random points," if inputs else ""
    tail = f"; gradient checked in {', '.join(names)}" if names else ""
    _print(f"✓ ({id}) holds{where} to {-int(np.floor(np.log10(tolerance) + 0.5))} digits{tail}")


def fails(
    id: str,
    /,
    *,
    engine: Callable[..., Any],
    formula: Callable[..., Any],
    points: int = 20,
    **inputs: Arg,
) -> None:
    """Shows that a formula is wrong: prints a point where it differs from the engine by more than 0.001, relatively.

    A formula whose result has another shape, is not a number, or cannot be computed (ValueError, ArithmeticError) is wrong, too.

    Raises:
        FormulaError: they agree at every point, or the engine's result is not a number.
    """
    drawn = _draw(id, points, inputs)
    with _float64():
        results = [(_values(_call(engine, point), id, "engine"), _attempt(formula, point, id)) for point in drawn]
    for right, _ in results:
        _refuse_nan(id, "engine", right)
    gaps = [
        _gap(wrong, right, DISAGREE) if isinstance(wrong, tuple) else _Gap(np.inf, 0, ()) for right, wrong in results
    ]
    largest = max(gap.size for gap in gaps)
    if largest <= DISAGREE:
        raise FormulaError(
            f"({id}) was to fail, but formula and engine agree at all {len(drawn)} points (largest relative deviation {largest:.2g}): "
            "is the formula the wrong one, and do the points reach where it is wrong?"
        )
    k = next(
        k for k, gap in enumerate(gaps) if gap.size >= largest / 2
    )  # the first clear one: the same on every machine
    right, wrong = results[k]
    place = f"at {_show_point(drawn[k])} " if inputs else ""
    _checks.append(Check(id, "fails", len(drawn), ()))
    if isinstance(wrong, str):
        _print(f"✗ ({id}) fails, as it must: {place}the formula {wrong}")
    else:
        _print(f"✗ ({id}) fails, as it must: {place}{_show_results(wrong, right, gaps[k])}")


def _print(line: str) -> None:
    """Prints a line, broken where it would be too wide for a page."""
    print(textwrap.fill(line, WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False))


@contextmanager
def _float64() -> Iterator[None]:
    """The default dtype is float64, ops are recorded, and overflow is no warning: what comes of it is looked at."""
    before = get_default_dtype()
    set_default_dtype("float64")
    try:
        with enable_grad(), np.errstate(all="ignore"):
            yield
    finally:
        set_default_dtype(before)


def _draw(id: str, points: int, inputs: dict[str, Arg]) -> list[Point]:
    for name, arg in inputs.items():
        if not isinstance(arg, Arg):
            raise TypeError(
                f"({id}) the input '{name}' is {arg!r}: draw it with real(), integer(), simplex(), mask() or distinct(); a constant "
                "needs no input."
            )
    if points < 1:
        raise ValueError(f"({id}) points must be at least 1, got {points}.")
    rng = np.random.default_rng(zlib.crc32(id.encode()))
    return [{name: np.asarray(arg.draw(rng)) for name, arg in inputs.items()} for _ in range(points if inputs else 1)]


def _tensors(point: Point) -> dict[str, Tensor]:
    return {name: Tensor(x.copy(), x.dtype.kind == "f", name=name) for name, x in point.items()}


def _call(function: Callable[..., Any], point: Point) -> Any:
    return function(**_tensors(point))


def _outputs(result: Any) -> list[Any]:
    return list(result) if isinstance(result, tuple | list) else [result]


def _values(result: Any, id: str, who: str) -> tuple[HostArray, ...]:
    """The outputs as float64 arrays."""
    arrays = []
    for y in _outputs(result):
        x = y.numpy() if isinstance(y, Tensor) else np.asarray(y)
        if x.dtype.kind not in "fiub":
            raise FormulaError(
                f"({id}) the {who} returned {type(y).__name__}; expected a Tensor, an array, a number, or a tuple of them."
            )
        arrays.append(np.asarray(x, np.float64))
    return tuple(arrays)


def _attempt(formula: Callable[..., Any], point: Point, id: str) -> tuple[HostArray, ...] | str:
    """The wrong formula's outputs, or a word on why there are none."""
    try:
        return _values(_call(formula, point), id, "formula")
    except (ValueError, ArithmeticError) as error:
        return f"cannot be computed ({type(error).__name__}: {error})"


def _refuse_nan(id: str, who: str, outputs: tuple[HostArray, ...]) -> None:
    if any(np.isnan(x).any() for x in outputs):
        raise FormulaError(
            f"({id}) the {who} returned NaN: draw the inputs from where both are defined (low=, high=, kinks=)."
        )


def _gap(formula: tuple[HostArray, ...], engine: tuple[HostArray, ...], tolerance: float) -> _Gap:
    """The largest deviation, in units in which `tolerance` is the limit; infinite where shapes differ or numbers are missing."""
    if [x.shape for x in formula] != [x.shape for x in engine]:
        return _Gap(np.inf, 0, ())
    worst = _Gap(0.0, 0, ())
    for i, (f, e) in enumerate(zip(formula, engine, strict=True)):
        if not e.size:
            continue
        finite = e[np.isfinite(e)]
        scale = np.abs(e) + 1e-3 * max(1.0, float(np.abs(finite).max()) if finite.size else 0.0)
        with np.errstate(all="ignore"):
            error = np.where(f == e, 0.0, np.abs(f - e) / scale)
        error = np.where(np.isfinite(error), error, np.inf)
        k = int(np.argmax(error))
        if error.reshape(-1)[k] > worst.size:
            worst = _Gap(float(error.reshape(-1)[k]), i, tuple(int(n) for n in np.unravel_index(k, e.shape)))
    return worst


def _compare(id: str, engine: Any, formula: Any, point: Point, tolerance: float) -> _Gap:
    right, ours = _values(_call(engine, point), id, "engine"), _values(_call(formula, point), id, "formula")
    _refuse_nan(id, "engine", right)
    _refuse_nan(id, "formula", ours)
    if [x.shape for x in ours] != [x.shape for x in right]:
        raise FormulaError(f"({id}) the formula returned {_shapes(ours)}, the engine {_shapes(right)}.")
    return _gap(ours, right, tolerance)


def _check_gradient(id: str, formula: Callable[..., Any], drawn: list[Point], k: int) -> None:
    tensors = _tensors(drawn[k])
    for i, y in enumerate(_outputs(formula(**tensors))):
        if not isinstance(y, Tensor):
            raise FormulaError(
                f"({id}) output {i} of the formula is {type(y).__name__}, so its gradient cannot be checked: write it with Tensor "
                "operations, or pass grad=False and say why."
            )
    large = sum(x.size for x in tensors.values()) > LARGE
    tensors = _tensors(drawn[k])

    def by_position(*arguments: Tensor) -> Any:
        result = formula(**dict(zip(tensors, arguments, strict=True)))
        return tuple(result) if isinstance(result, list) else result

    try:
        gradcheck(by_position, *tensors.values(), directions=8 if large else None)
    except GradcheckError as error:
        raise FormulaError(
            f"({id}) the formula's gradient is not its central difference, at point {k + 1} of {len(drawn)}, "
            f"{_show_point(drawn[k])}: {error} (pass grad=False only where the formula is not differentiable)"
        ) from error


def _disagreement(id: str, engine: Any, formula: Any, drawn: list[Point], k: int, gap: _Gap) -> str:
    ours, right = _values(_call(formula, drawn[k]), id, "formula"), _values(_call(engine, drawn[k]), id, "engine")
    f, e = (outputs[gap.output][gap.element] for outputs in (ours, right))
    which = f"output {gap.output}, " if len(right) > 1 else ""
    return (
        f"({id}) does not hold: at point {k + 1} of {len(drawn)}, {_show_point(drawn[k])}, {which}element {gap.element}: the formula "
        f"gives {f:.12g}, the engine {e:.12g}; this is the largest deviation, {gap.size:.2g} relatively."
    )


def _shapes(outputs: tuple[HostArray, ...]) -> str:
    shapes = [str(x.shape) for x in outputs]
    return f"shape {shapes[0]}" if len(shapes) == 1 else f"{len(shapes)} outputs of shapes {', '.join(shapes)}"


def _show(x: HostArray) -> str:
    """An array in four significant digits; a large one by its shape."""
    if x.size > SHOWN:
        return f"array of shape {x.shape}"
    text = np.array2string(
        x, separator=", ", max_line_width=10_000, formatter={"float_kind": lambda v: f"{v:.4g}", "int_kind": str}
    )
    return " ".join(text.split())


def _show_point(point: Point) -> str:
    return ", ".join(f"{name} = {_show(x)}" for name, x in point.items()) or "no inputs"


def _show_results(formula: tuple[HostArray, ...], engine: tuple[HostArray, ...], gap: _Gap) -> str:
    if [x.shape for x in formula] != [x.shape for x in engine]:
        return f"the formula gives {_shapes(formula)}, the engine {_shapes(engine)}"
    f, e = formula[gap.output], engine[gap.output]
    which = f"in output {gap.output} " if len(engine) > 1 else ""
    if e.size > SHOWN:
        which += f"at element {gap.element} "
        f, e = f[gap.element], e[gap.element]
    return f"{which}the formula gives {_show(np.asarray(f))}, the engine {_show(np.asarray(e))}"


__all__ = ["Check", "FormulaError", "checked", "distinct", "fails", "holds", "integer", "mask", "real", "simplex"]
