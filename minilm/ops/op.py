r"""One op, one record: formula, forward rule, backward rules, and where it may be sampled.

Here stand what a record may say, how it is called, and the registry of all. How arguments are sorted in general stands in
`minilm.ops.arguments`, what is cast in `minilm.ops.dtypes`, what is said of an error in `minilm.ops.explain`, and how samples are
drawn in `minilm.ops.sample`. What is recorded of an op is `minilm.tensor`'s business, the walk back `minilm.graph`'s.

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
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minilm.backend import DEVICE_OF_TYPE, Device, DeviceError, as_array, cpu, device_of
from minilm.ops import arguments, dtypes
from minilm.ops.arguments import shape_of
from minilm.ops.dtypes import FLOAT32, FLOAT64
from minilm.ops.explain import USUAL, explain
from minilm.ops.sample import DISCRETE, Arg, Sample
from minilm.types import Shape

REGISTRY: dict[str, Op] = {}
_NUMBERS = (bool, int, float, np.generic)
_fused = True


class Spec(NamedTuple):
    """What remains of an array whose numbers a backward rule does not read."""

    shape: Shape
    dtype: Any

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))


class _Saves(dict[tuple[bool, ...], tuple[bool, tuple[bool, ...]]]):
    """What a node saves, by which inputs need a gradient: asked of an op once, and then looked up."""

    def __init__(self, reads: Callable[[tuple[bool, ...]], tuple[bool, tuple[bool, ...]]]) -> None:
        self.reads = reads

    def __missing__(self, needs: tuple[bool, ...]) -> tuple[bool, tuple[bool, ...]]:
        found = self[needs] = self.reads(needs)
        return found


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
    broadcasts: bool | str = False  # the engine sums a gradient to a broadcast input's shape ("leading axes": matrices)
    integers = "kept"  # what integers alone become: kept, "floats" (of the default type), "refused", or "no booleans"
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

    def __new__(cls, *_inputs: Any, **_params: Any) -> Any:
        """The op of a record. It takes nothing: the hints are for type checkers, which see ``add(a, b)`` as a call of the class."""
        self = super().__new__(cls)
        self._inspect()
        return self

    def _inspect(self) -> None:
        """What the rules' own parameters say of the op."""
        function = self.forward if type(self).forward is not Op.forward else self.composed
        assert function is not None, f"{type(self).__name__} has neither forward nor composed"
        parameters = list(inspect.signature(function).parameters.values())
        if function == self.forward:
            parameters = parameters[1:]
        self.variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        inputs = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        self.input_names = tuple(p.name for p in inputs)
        self.input_defaults = tuple(p.default for p in inputs)
        self.fewest = sum(p.default is inspect.Parameter.empty for p in inputs)
        self.params = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
        self.required = frozenset(name for name, default in self.params.items() if default is inspect.Parameter.empty)
        self.rules: tuple[Any, ...] = tuple(getattr(self, f"grad_{name}", None) for name in self.input_names)
        self.all_differentiable = self.variadic or self.backward is not None or None not in self.rules
        self.only_composed = type(self).forward is Op.forward
        self.saves = _Saves(self.reads)
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
        key = (dtypes.get_default_dtype(), *[getattr(x, "dtype", type(x)) for x in inputs])
        plan: Any = self._plans.get(key, self)
        if plan is self:
            plan = self._plans[key] = dtypes.make_plan(self, inputs)
        return plan

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The op applied to arrays, or to inputs of which one is a Tensor, which then records it."""
        if kwargs or self.params or len(args) != len(self.rules):
            inputs, params = self.bind(args, kwargs)
        else:  # inputs alone: there is nothing to sort
            inputs, params = args, {}
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
        """The op on arrays and numbers. One look at each says where to compute, and mostly that there is nothing to cast."""
        device = dtype = None
        even = True
        for i, x in enumerate(inputs):
            here = DEVICE_OF_TYPE.get(type(x))
            if here is None:
                if x is None:
                    self.check_absent(i)
                    continue
                if isinstance(x, _NUMBERS):
                    even = even and not isinstance(x, np.generic)
                    continue
                here = device_of(x)
            if here is not device:
                if device is not None:
                    raise DeviceError(
                        f"{self.name}: inputs are on {device.name} and on {here.name}; move one with .to(...)."
                    )
                device = here
            if x.dtype is not dtype:
                even = even and dtype is None and (x.dtype is FLOAT32 or x.dtype is FLOAT64)
                dtype = x.dtype
        device = device or cpu
        if not (even or self.plain):
            inputs = dtypes.weak_scalars(self, inputs)
            plan = self.plan(inputs)
            if plan is not None:
                return plan.run(functools.partial(self._compute, device, params), inputs)
        out = self._compute(device, params, *inputs)
        return out if self.multi or out.dtype is dtype else dtypes.settle(out, inputs, params)

    def _compute(self, device: Device, params: dict[str, Any], *inputs: Any) -> Any:
        out = self.forward(device, *inputs, **params)
        if self.has_aux:
            out = out[0]
        return as_array(out) if isinstance(out, np.generic) else out

    def _lifted(self, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
        """The op on inputs without axes: as on vectors of one element, along that axis."""
        out = self(*(x.reshape((1,)) if shape_of(x) == () and hasattr(x, "shape") else x for x in inputs), **params)
        return tuple(y.reshape(()) for y in out) if self.multi else out.reshape(())

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Sorts a call's arguments into inputs and parameters, with defaults filled in.

        Nearly every call gives its inputs by position, and parameters only by position or only by name: such calls are sorted
        in a fraction of the time that the general case takes.

        Raises:
            TypeError: an argument is missing, unknown or given twice.
        """
        if self.variadic:
            listed = bool(args) and isinstance(args[0], list | tuple)  # concat([a, b], 1) is concat(a, b, axis=1)
            inputs, extra = (tuple(args[0]), args[1:]) if listed else (args, ())
        else:
            inputs, extra = args[: len(self.input_names)], args[len(self.input_names) :]
        if len(inputs) >= self.fewest and not (extra and kwargs) and len(extra) <= len(self.params):
            given = dict(zip(self.params, extra)) if extra else kwargs  # noqa: B905  (strict takes time)
            params = {**self.params, **given}
            if len(params) == len(self.params) and (not self.required or given.keys() >= self.required):
                return inputs + self.input_defaults[len(inputs) :], params  # no unknown name, none missing
        return arguments.sort_slowly(self, list(inputs), extra, dict(kwargs))

    def explain(self, error: Exception, inputs: Sequence[Any], params: dict[str, Any]) -> Exception:
        """An error in terms of this op."""
        return explain(self, error, inputs, params, REGISTRY)

    def reads(self, needs: tuple[bool, ...]) -> tuple[bool, tuple[bool, ...]]:
        """Whether the rules for the inputs in `needs` read the output's numbers, and those of each input.

        The names of their parameters tell: ``(self, g, y, *inputs)``.
        """
        reads_y, reads = False, [False] * len(needs)
        for i, rule in enumerate(self.rules if self.backward is None else [self.backward]):
            if rule is None or (self.backward is None and not needs[i]):
                continue
            code = rule.__code__
            y, *names = code.co_varnames[2 : code.co_argcount]
            if code.co_flags & inspect.CO_VARARGS:
                names = [code.co_varnames[code.co_argcount + code.co_kwonlyargcount]] * len(needs)
            assert len(names) == len(needs), f"{rule} takes {len(names)} inputs, its op has {len(needs)}"
            reads_y = reads_y or y[0] != "_"
            for k, name in enumerate(names):
                reads[k] = reads[k] or name[0] != "_"
        return reads_y, tuple(reads)

    def vjp(self, needs: tuple[bool, ...], g: Any, y: Any, inputs: Sequence[Any], params: dict[str, Any]) -> list[Any]:
        """The gradients of the inputs in `needs` (None for the others), given the gradient `g` of the output."""
        if self.backward is not None:
            grads = self.backward(g, y, *inputs, needs=needs, **params)
            return [d if need else None for d, need in zip(grads, needs, strict=True)]
        given, found = (g, y, *inputs), []
        for rule, need in zip(self.rules, needs):  # noqa: B905  (strict takes time)
            found.append(None if not need else rule(*given, **params) if params else rule(*given))
        return found


def op(cls: type[Op]) -> Any:
    """Enters an op into the registry, and returns the op itself: a function on arrays and Tensors."""
    cls.name = cls.name or cls.__name__.strip("_")
    assert cls.name not in REGISTRY, f"two ops are named {cls.name}"
    record = cls()
    REGISTRY[cls.name] = record
    return record


def as_method(op: Any) -> Callable[..., Any]:
    """An op as a method of Tensor: ``x.exp()`` is ``exp(x)``, with the same further arguments."""
    call = op.__call__
    alone = len(op.rules) == 1 and not op.params and op.check is None and op.composed is None

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if alone and not args and not kwargs:
            return self.__minilm_op__(op, (self,), op.params)
        return call(self, *args, **kwargs) if kwargs else call(self, *args)

    method.__name__ = method.__qualname__ = op.name
    method.__doc__ = f"The op `{op.name}` of this tensor; see ``minilm.ops.REGISTRY['{op.name}']``."
    return method


def as_operator(op: Any, name: str) -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
    """An op of two inputs as an operator: the methods for a Tensor on its left, and for one on its right.

    Where there are no parameters to sort and there is nothing to check, it is applied at once.
    """
    if op.params or op.check is not None or op.composed is not None:

        def left(self: Any, other: Any) -> Any:
            return op(self, other)

        def right(self: Any, other: Any) -> Any:
            return op(other, self)

    else:

        def left(self: Any, other: Any) -> Any:
            return self._beside(op, other)

        def right(self: Any, other: Any) -> Any:
            return self.__minilm_op__(op, (other, self), op.params)

    left.__name__, right.__name__ = f"__{name}__", f"__r{name}__"
    left.__qualname__, right.__qualname__ = f"Tensor.__{name}__", f"Tensor.__r{name}__"
    return left, right


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
