r"""One op, one record: formula, forward rule, backward rules, and where it may be sampled.

A backward rule is written once. Called on arrays it computes the gradient; called on Tensors (``create_graph=True``)
the same lines build the gradient's own graph, which is how every op has a second derivative. Rules can do this because
they use only operators and other ops, and both take arrays as well as Tensors. This file therefore knows nothing of
Tensor: an input whose class has a method ``__minilm_op__`` is asked to apply the op itself, as NumPy asks
``__array_function__``.

Reading a record::

    @op
    class mul(Op):
        formula = r"y = a b"
        derivative = r"\bar a = \bar y\, b, \quad \bar b = \bar y\, a"
        broadcasts = True
        samples = binary()

        def forward(self, dev, a, b):
            return dev.xp.multiply(a, b)

        def grad_a(self, g, _y, _a, b):
            return g * b

        def grad_b(self, g, _y, a, _b):
            return g * a

``g`` is the gradient that arrives, :math:`\bar y = \partial L / \partial y`; then come the output and the inputs. A name
that begins with an underscore is a promise not to read the numbers: only shape and dtype of such an input are kept (`Spec`),
and nothing of such an output (``g`` has its shape and dtype), so the array can be freed as soon as the forward pass is over.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minilm.backend import Device, DeviceError, as_array, cpu, device_of
from minilm.ops import dtypes

REGISTRY: dict[str, Op] = {}
SPELLINGS: dict[str, tuple[str, ...]] = {
    "dim": ("axis",), "dims": ("axes", "axis", "repeats"), "dim0": ("axis0",), "dim1": ("axis1",), "dim2": ("axis2",),
    "keepdim": ("keepdims",), "min": ("low",), "max": ("high",), "a_min": ("low",), "a_max": ("high",), "diagonal": ("k",),
    "unbiased": ("correction",), "ddof": ("correction",), "shifts": ("shift",), "reps": ("repeats",),
    "indices": ("index",), "value": ("src",), "exponent": ("b",),
}  # fmt: skip
"""Arguments of records, by the names that PyTorch's or NumPy's functions have for them."""
DISCRETE = frozenset({"integer", "mask"})  # kinds of `Arg` that are no numbers to compute with
_NUMBERS = (bool, int, float, np.generic)
USUAL = (TypeError, ValueError, LookupError, AttributeError, OverflowError)  # what wrong arguments raise
_fused = True


class Spec(NamedTuple):
    """What remains of an array whose numbers a backward rule does not read."""

    shape: tuple[int, ...]
    dtype: Any

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))


class Arg(NamedTuple):
    """One input of a `Sample`: how to draw it. `kinks` are values to keep away from (by 0.05 or more)."""

    shape: tuple[int, ...]
    low: float = -2.0
    high: float = 2.0
    kinks: tuple[float, ...] = ()
    kind: str = "real"
    """"real", "integer" (low <= n < high), "mask", "distinct" (no two equal), "simplex" (rows sum to 1), or matrices: "invertible",
    and "positive" (definite and symmetric), both far from singular."""

    def draw(self, rng: np.random.Generator, dtype: Any = np.float64) -> np.ndarray[Any, Any]:
        if self.kind == "integer":
            return rng.integers(int(self.low), int(self.high), self.shape)
        if self.kind == "mask":
            return rng.random(self.shape) < 0.5
        if self.kind == "distinct":  # gaps far wider than a finite difference, so that no maximum changes its place
            size = int(np.prod(self.shape, dtype=np.int64))
            return (
                rng.permutation(np.linspace(self.low, self.high, max(size, 1))[:size]).reshape(self.shape).astype(dtype)
            )
        if self.kind == "simplex":
            return rng.dirichlet(np.ones(self.shape[-1]), self.shape[:-1]).astype(dtype)
        x = np.asarray(rng.uniform(self.low, self.high, self.shape))
        if self.kind in ("invertible", "positive"):
            x = x @ np.swapaxes(x, -1, -2) if self.kind == "positive" else x
            return (x + 2 * self.high * np.eye(self.shape[-1])).astype(dtype)
        for kink in self.kinks:
            x = np.where(np.abs(x - kink) < 0.05, x + np.where(x < kink, -0.05, 0.05), x)
        return x.astype(dtype)


def real(*shape: int, low: float = -2.0, high: float = 2.0, kinks: tuple[float, ...] = ()) -> Arg:
    """A float input, uniform in [low, high], away from the kinks."""
    return Arg(shape, low, high, kinks)


def integer(*shape: int, high: int, low: int = 0) -> Arg:
    """An integer input, low <= n < high: indices and class labels."""
    return Arg(shape, low, high, kind="integer")


def mask(*shape: int) -> Arg:
    """A boolean input."""
    return Arg(shape, kind="mask")


def distinct(*shape: int, low: float = -2.0, high: float = 2.0) -> Arg:
    """A float input without ties."""
    return Arg(shape, low, high, kind="distinct")


def simplex(*shape: int) -> Arg:
    """A float input whose rows are probabilities."""
    return Arg(shape, kind="simplex")


def invertible(*shape: int) -> Arg:
    """Square matrices that have an inverse."""
    return Arg(shape, -1.0, 1.0, kind="invertible")


def positive(*shape: int) -> Arg:
    """Symmetric positive definite matrices."""
    return Arg(shape, -1.0, 1.0, kind="positive")


class Sample:
    """Arguments on which the tests check an op: inputs to draw, and parameters as they are."""

    def __init__(self, *inputs: Arg | float | None, **params: Any) -> None:
        self.inputs, self.params = inputs, params

    def draw(self, rng: np.random.Generator, dtype: Any = np.float64) -> list[Any]:
        return [a.draw(rng, dtype) if isinstance(a, Arg) else a for a in self.inputs]

    def __repr__(self) -> str:
        inputs = [f"{a.kind}{a.shape}" if isinstance(a, Arg) else repr(a) for a in self.inputs]
        return ", ".join(inputs + [f"{k}={v!r}" for k, v in self.params.items()])


class Op:
    r"""The base of every op.

    A subclass states

    - ``formula`` and ``derivative``: LaTeX, with :math:`\bar x` for :math:`\partial L/\partial x`;
    - ``domain``: where the op is defined and smooth, and which one-sided value it takes at a kink or a tie;
    - ``samples``: arguments on which it is checked;
    - ``forward(self, dev, *inputs, **params)``: positional arguments are inputs (arrays, or Python scalars), keyword-only
      arguments are parameters; ``dev`` is the device, ``dev.xp`` its array module;
    - ``grad_NAME(self, g, y, *inputs, **params)`` for each differentiable input NAME, or one
      ``backward(self, g, y, *inputs, needs, **params)`` that returns a tuple with one gradient per input;
    - ``integers``, ``wide``, ``follows``: which dtype it computes in (`minilm.ops.dtypes`);
    - ``composed(self, *inputs, **params)``, for an op that is fused from others: the same function written with those,
      which is its specification and its second derivative. The backward rule of such an op sees arrays only.
    """

    name: str = ""
    formula: str = ""
    derivative: str = ""
    domain: str = "all real numbers"
    source: str = ""
    samples: Sequence[Sample] = ()
    broadcasts = False  # the engine sums a gradient back to the shape of an input that was broadcast
    integers = (
        "kept"  # what integers alone become: "kept", "floats" (the default float type), "refused", or "no booleans"
    )
    wide = False  # float16 is computed in float32, forward and backward, and rounded once
    narrows = True  # the results of such an op are float16 again
    follows: Sequence[str] = ()  # inputs whose dtype does not decide that of the result
    numbers: Sequence[str] = ()  # inputs to compute with, though samples draw integers or masks: no indices
    lifts = False  # what works along one axis takes a tensor without axes for a vector of one element, as PyTorch does
    view = False  # the output may share the input's memory
    speaks_as = ""  # the op that a user calls, where errors shall name that one
    has_aux = False  # forward returns (output, aux); rules receive aux=...
    multi = False  # forward returns a tuple of outputs; g is a tuple, with None where no gradient arrived
    answers = False  # the outputs are truth values or integers, which have no gradient

    composed: Callable[..., Any] | None = None
    backward: Callable[..., Any] | None = None
    check: Callable[..., dict[str, Any]] | None = None  # check(*inputs, **params) validates, and returns the parameters

    def __init__(self) -> None:
        function = self.forward if type(self).forward is not Op.forward else self.composed
        assert function is not None, f"{type(self).__name__} has neither forward nor composed"
        parameters = list(inspect.signature(function).parameters.values())
        if function == self.forward:
            parameters = parameters[1:]
        self.variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        inputs = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        self.input_names = tuple(p.name for p in inputs)
        self.input_defaults = tuple(p.default for p in inputs)
        self.params = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
        self.required = frozenset(name for name, default in self.params.items() if default is inspect.Parameter.empty)
        self.rules: tuple[Any, ...] = tuple(getattr(self, f"grad_{name}", None) for name in self.input_names)
        self.all_differentiable = self.variadic or self.backward is not None or None not in self.rules
        self.only_composed = type(self).forward is Op.forward
        self._saves: dict[tuple[bool, ...], tuple[bool, tuple[bool, ...]]] = {}
        self._plans: dict[tuple[Any, ...], dtypes.Plan | None] = {}
        self._kinds = [self._drawn(i) for i in range(len(self.input_names))]
        count = sum(not self.discrete(i) for i in range(len(self.input_names)))
        self.plain = count < 2 and not self.variadic and not self.wide and self.integers == "kept"  # nothing to cast
        self.__doc__ = type(self).__doc__
        self.__name__ = self.name

    def forward(self, dev: Device, *inputs: Any, **params: Any) -> Any:
        raise NotImplementedError

    def input_name(self, i: int) -> str:
        """What input i is called in the formula; the inputs of an op that takes any number have only numbers."""
        return self.input_names[i] if self.input_names else f"input {i}"

    def check_absent(self, i: int) -> None:
        """Raises TypeError where input i may not be None."""
        if self.variadic or self.input_defaults[i] is not None:
            raise TypeError(f"{self.name}: input '{self.input_name(i)}' is None, expected a tensor.")

    def __repr__(self) -> str:
        return f"<op {self.name}: {self.formula}>"

    def _drawn(self, i: int) -> set[str]:
        """What the samples draw for input i: the kinds of their `Arg`."""
        drawn = [s.inputs[i] for s in self.samples if i < len(s.inputs)]
        return {a.kind for a in drawn if isinstance(a, Arg)}

    def discrete(self, i: int) -> bool:
        """Whether input i holds indices, class labels or a mask, which are no numbers to compute with, where it holds no floats."""
        return not self.variadic and self.input_names[i] not in self.numbers and bool(self._kinds[i] & DISCRETE)

    def is_number(self, i: int, dtype: Any) -> bool:
        """Whether input i, of this dtype, takes part in promotion. A mask of floats that are added does, say."""
        return not self.discrete(i) or (dtype.kind == "f" and not self._kinds[i] <= DISCRETE)

    def plan(self, inputs: Sequence[Any]) -> dtypes.Plan | None:
        """What is to be cast (`minilm.ops.dtypes`), looked up by the inputs' dtypes; None for nothing.

        Raises:
            TypeError: the op refuses integers, and was given nothing else.
        """
        if self.plain:
            return None
        key = (dtypes.default_float(), *[getattr(x, "dtype", type(x)) for x in inputs])
        plan: Any = self._plans.get(key, self)
        if plan is self:
            plan = self._plans[key] = dtypes.make_plan(self, inputs)
        return plan

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        inputs, params = self.bind(args, kwargs)
        try:
            if self.check is not None:
                if self.lifts and getattr(inputs[0], "shape", None) == ():
                    return self._lifted(inputs, params)
                params = self.check(*inputs, **params)
            if self.composed is not None and (self.only_composed or not _fused):
                plan = self.plan(inputs)
                if plan is not None:
                    return plan.run(functools.partial(self.composed, **params), inputs)
                return self.composed(*inputs, **params)
            for x in inputs:
                apply = getattr(type(x), "__minilm_op__", None)
                if apply is not None:
                    return apply(self, inputs, params)
            return self._on_arrays(inputs, params)
        except USUAL as error:
            raise self.explain(error, inputs, params)  # noqa: B904  (explain decides what the traceback shows)

    def _on_arrays(self, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
        if not (self.plain or dtypes.are_even(inputs)):
            inputs = dtypes.weak_scalars(self, inputs)
            plan = self.plan(inputs)
            if plan is not None:
                return plan.run(functools.partial(self._compute, params), inputs)
        out = self._compute(params, *inputs)
        return out if self.multi else dtypes.settle(out, inputs, params)

    def _compute(self, params: dict[str, Any], *inputs: Any) -> Any:
        out = self.forward(common_device(self, inputs), *inputs, **params)
        if self.has_aux:
            out = out[0]
        return out if self.multi else as_array(out)

    def _lifted(self, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
        """The op on inputs without axes: as on vectors of one element, along that axis."""
        reshape = REGISTRY["reshape"]
        out = self(*(reshape(x, (1,)) if shape_of(x) == () and hasattr(x, "shape") else x for x in inputs), **params)
        return tuple(reshape(y, ()) for y in out) if self.multi else reshape(out, ())

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Sorts a call's arguments into inputs and parameters, with defaults filled in.

        Nearly every call gives all inputs by position, and parameters only by position or only by name: such calls are sorted
        in a fraction of the time that the general case takes.

        Raises:
            TypeError: an argument is missing, unknown or given twice.
        """
        if not self.params and not kwargs and len(args) == len(self.rules):
            return args, {}
        if self.variadic:
            listed = bool(args) and isinstance(args[0], list | tuple)  # concat([a, b], 1) is concat(a, b, axis=1)
            inputs, extra = (tuple(args[0]), args[1:]) if listed else (args, ())
        else:
            inputs, extra = args[: len(self.input_names)], args[len(self.input_names) :]
        if len(inputs) >= len(self.input_names) and not (extra and kwargs) and len(extra) <= len(self.params):
            given = dict(zip(self.params, extra, strict=False)) if extra else kwargs
            params = {**self.params, **given}
            if len(params) == len(self.params) and given.keys() >= self.required:  # no unknown name, none missing
                return inputs, params
        return self._bind_slowly(list(inputs), extra, dict(kwargs))

    def _bind_slowly(
        self, inputs: list[Any], extra: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        for name in [name for name in kwargs if name not in self.input_names and name not in self.params]:
            own = self._own_name(name)
            if own != name and own in kwargs:
                raise TypeError(f"{self.name}() got '{own}' twice, once as '{name}': it takes {self.signature()}.")
            kwargs[own] = kwargs.pop(name)
        for name, default in list(zip(self.input_names, self.input_defaults, strict=True))[len(inputs) :]:
            value = kwargs.pop(name, default)
            if value is inspect.Parameter.empty:
                raise TypeError(f"{self.name}() is missing its input '{name}'.")
            inputs.append(value)
        params = self.params.copy()
        if len(extra) > len(params):
            raise TypeError(f"{self.name}() takes {self.signature()}, got {len(inputs) + len(extra)} arguments.")
        named = dict(zip(params, extra, strict=False))
        for name, value in [*named.items(), *kwargs.items()]:
            if name not in params or (name in named and name in kwargs):
                what = "got twice" if name in self.input_names or name in named else "has no argument"
                raise TypeError(f"{self.name}() {what} '{name}': it takes {self.signature()}.")
            params[name] = value
        missing = [name for name, value in params.items() if value is inspect.Parameter.empty]
        if missing:
            raise TypeError(f"{self.name}() is missing '{missing[0]}': it takes {self.signature()}.")
        return tuple(inputs), params

    def _own_name(self, name: str) -> str:
        """What an argument is called here that PyTorch or NumPy call `name`; `name` itself, where nothing here is meant by it."""
        if name in ("input", "other") and len(self.input_names) > (name == "other"):
            return self.input_names[name == "other"]
        return next((own for own in SPELLINGS.get(name, ()) if own in self.params or own in self.input_names), name)

    def explain(self, error: Exception, inputs: Sequence[Any], params: dict[str, Any]) -> Exception:
        """An error in terms of the op: itself if it names the op, else a new one with the first of these that is at fault.

        Python and the array module complain of attributes, loops and operands; what a user can mend is an input's type, shapes
        that do not fit, dtypes, or a parameter. What none of these explains keeps its own text, with all arguments.
        """
        text, name = str(error), self.speaks_as or self.name
        new = self._wrong_type(name, error, inputs)
        if new is None and text.startswith(name):
            return error
        new = new or self._misfit(name, error, inputs)
        if new is None and re.split(r"\W", text, maxsplit=1)[0] in REGISTRY:  # an op within this one has explained it
            new = type(error)(f"{name}: {text}")
        if new is None:
            kind: type[Exception] = ValueError
            if isinstance(error, TypeError | AttributeError):
                kind = TypeError
            elif isinstance(error, OverflowError):
                kind = OverflowError
            given = [f"{self.input_name(i)}: {describe(x)}" for i, x in enumerate(inputs)]
            given += [f"{key}={value!r}" for key, value in params.items()]
            inside = _is_numpys(error) or isinstance(error, AttributeError | KeyError)
            why = "the arguments do not fit" if inside else text.rstrip(".")
            new = kind(f"{name}: {why}. It was given {', '.join(given)}.")
            new.__cause__ = error
        new.__suppress_context__ = True
        return new

    def _wrong_type(self, name: str, error: Exception, inputs: Sequence[Any]) -> Exception | None:
        """The error that names an input which is no tensor."""
        inside = isinstance(
            error, AttributeError
        )  # a rule asked something for its shape: here numbers and lists will not do
        for i, x in enumerate(inputs):
            optional = x is None and not self.variadic and self.input_defaults[i] is None
            if hasattr(x, "shape") or optional or (isinstance(x, bool | int | float | list | tuple) and not inside):
                continue
            wanted = "a tensor or a number" if self.broadcasts and not inside else "a tensor"
            return TypeError(f"{name}: input '{self.input_name(i)}' is {describe(x)}, expected {wanted}.")
        return None

    def _misfit(self, name: str, error: Exception, inputs: Sequence[Any]) -> Exception | None:
        """The error that names shapes that do not broadcast, or dtypes that the op is not defined for."""
        if self.broadcasts and "broadcast" in str(error) and not _broadcast([shape_of(x) for x in inputs]):
            shapes = ", ".join(str(shape_of(x)) for x in inputs)
            why = "do not broadcast together: sizes must be equal or 1, compared from the last axis"
            return ValueError(f"{name}: shapes {shapes} {why} ({error}).")
        kinds = {x.dtype.kind for x in inputs if hasattr(x, "dtype")}
        if (_is_numpys(error) or "numpy boolean" in str(error)) and kinds - {"f"}:
            dtypes = " and ".join(describe(x) for x in inputs)
            return TypeError(f"{name}: it is not defined for {dtypes}; cast first, with .to('float32').")
        return None

    def signature(self) -> str:
        """The arguments, as a reader would write them."""
        return "(" + ", ".join([*(["*inputs"] if self.variadic else self.input_names), *self.params]) + ")"

    def saves(self, needs: tuple[bool, ...]) -> tuple[bool, tuple[bool, ...]]:
        """Whether the rules for the inputs in `needs` read the output's numbers, and those of each input."""
        found = self._saves.get(needs)
        if found is None:
            if self.backward is not None:
                rules: list[Any] = [self.backward]
            else:
                rules = [rule for rule, need in zip(self.rules, needs, strict=True) if need and rule is not None]
            reads = [_reads(rule, len(needs)) for rule in rules]
            found = any(r[0] for r in reads), tuple(any(r[1][i] for r in reads) for i in range(len(needs)))
            self._saves[needs] = found
        return found

    def vjp(self, needs: tuple[bool, ...], g: Any, y: Any, inputs: Sequence[Any], params: dict[str, Any]) -> list[Any]:
        """The gradients of the inputs in `needs` (None for the others), given the gradient `g` of the output."""
        if self.backward is not None:
            grads = self.backward(g, y, *inputs, needs=needs, **params)
            return [d if need else None for d, need in zip(grads, needs, strict=True)]
        found = []
        for i, rule in enumerate(self.rules):
            found.append(None if not needs[i] else rule(g, y, *inputs, **params) if params else rule(g, y, *inputs))
        return found


def _reads(rule: Callable[..., Any], n: int) -> tuple[bool, tuple[bool, ...]]:
    """Which of (y, inputs) a rule reads, told by its parameters' names."""
    parameters = list(inspect.signature(rule).parameters.values())
    names = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD][1:]
    star = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), None)
    inputs = [name if star is None else star for name in (names[1:] if star is None else [star] * n)]
    assert len(inputs) == n, f"{rule} takes {len(inputs)} inputs, its op has {n}"
    return not names[0].startswith("_"), tuple(not name.startswith("_") for name in inputs)


def common_device(op: Op, inputs: Iterable[Any]) -> Device:
    """The device on which all array inputs live.

    Raises:
        DeviceError: the inputs live on different devices.
        TypeError: an input is no array.
    """
    device = None
    for i, x in enumerate(inputs):
        if x is None:
            op.check_absent(i)
            continue
        if isinstance(x, _NUMBERS):
            continue
        here = device_of(x)
        if device is not None and here is not device:
            raise DeviceError(f"{op.name}: inputs are on {device.name} and on {here.name}; move one with .to(...).")
        device = here
    return device or cpu


def op(cls: type[Op]) -> Any:
    """Enters an op into the registry, and returns the op itself: a function on arrays and Tensors."""
    cls.name = cls.name or cls.__name__.strip("_")
    assert cls.name not in REGISTRY, f"two ops are named {cls.name}"
    record = cls()
    REGISTRY[cls.name] = record
    return record


def number_dtype(dtype: Any) -> np.dtype[Any]:
    """A dtype that tensors can have.

    Raises:
        TypeError: it is none, or not one of floats, integers or booleans.
    """
    try:
        found = np.dtype(dtype)
    except (TypeError, ValueError):
        raise TypeError(f"{dtype!r} is no dtype; expected one such as 'float32', 'int64' or 'bool'.") from None
    if found.kind not in "fiub":
        raise TypeError(f"a tensor holds floats, integers or booleans; got dtype {found}.")
    return found


def describe(x: Any) -> str:
    """An argument in an error: dtype and shape of an array, a number as it is, the type of anything else."""
    if hasattr(x, "shape") and hasattr(x, "dtype"):
        return f"{x.dtype} {shape_of(x)}"
    return str(x) if x is None or isinstance(x, bool | int | float) else f"a {type(x).__name__}"


def _is_numpys(error: Exception) -> bool:
    """Whether it is NumPy's own kind of TypeError: it has no loop for these dtypes."""
    return isinstance(error, TypeError) and (type(error) is not TypeError or str(error).startswith("ufunc '"))


def _broadcast(shapes: Iterable[tuple[int, ...]]) -> bool:
    """Whether arrays of these shapes broadcast together."""
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        return False
    return True


def shape_of(x: Any) -> tuple[int, ...]:
    """The shape of an array or Tensor; () for a scalar."""
    return tuple(getattr(x, "shape", ()))


class use_fused:
    """Chooses between fused ops and the compositions that specify them: ``with use_fused(False): ...``.

    Called without ``with``, the choice stays.
    """

    def __init__(self, enabled: bool) -> None:
        global _fused
        self._before, _fused = _fused, enabled

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        global _fused
        _fused = self._before


def is_fused() -> bool:
    """Whether fused ops run, not their compositions."""
    return _fused


def normalize_axes(op_name: str, axis: Any, ndim: int) -> tuple[int, ...]:
    """`axis` (None for all, a number, or several) as a sorted tuple of numbers from 0.

    A tensor without axes is taken to have one of a single element, as in PyTorch: 0 and -1 name it, and the tuple is empty.

    Raises:
        ValueError: an axis does not exist, or is named twice.
    """
    if axis is None:
        return tuple(range(ndim))
    axes = axis if isinstance(axis, tuple | list) else (axis,)
    found = []
    for a in axes:
        if not isinstance(a, int | np.integer) or isinstance(a, bool):
            raise TypeError(f"{op_name}: axis must be an integer, a tuple of integers or None, got {axis!r}.")
        n = ndim or 1
        if not -n <= a < n:
            raise ValueError(
                f"{op_name}: axis {a} does not exist in a tensor with {ndim} axes (expected {-n} to {n - 1})."
            )
        found.append(int(a) % n)
    if len(set(found)) < len(found):
        raise ValueError(f"{op_name}: axis {axis} names an axis twice.")
    return tuple(sorted(found)) if ndim else ()


def normalize_axis(op_name: str, axis: Any, ndim: int) -> int:
    """One axis as a number from 0, which is 0 for a tensor without axes. Raises as `normalize_axes` does."""
    if type(axis) is int and -ndim <= axis < ndim:
        return axis % ndim
    if axis is None or isinstance(axis, tuple | list):
        raise TypeError(f"{op_name}: axis must be one integer, got {axis!r}.")
    return normalize_axes(op_name, axis, ndim or 1)[0]
