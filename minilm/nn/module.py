"""Module: parameters, buffers and submodules under one name, and what is done with all of them at once."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np

from minilm.backend import device_of, to_device, to_host, writable
from minilm.graph import modes, no_grad
from minilm.signals import hold_signals
from minilm.tensor import Tensor

Self = TypeVar("Self", bound="Module")
Hook = Callable[..., Any]


class Parameter(Tensor):
    """A leaf Tensor that is learned: a Module that has it as an attribute lists it among its parameters.

    Args:
        data: as for `Tensor`; an array that is read-only is copied.
        requires_grad: False for a parameter that stays as it is.
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        super().__init__(data, requires_grad)
        self._data = writable(self._data)

    def __repr__(self) -> str:
        return f"Parameter({super().__repr__()})"


class IncompatibleKeys(NamedTuple):
    """The names that ``load_state_dict(strict=False)`` passed over."""

    missing: list[str]
    unexpected: list[str]


class Module:
    """The base of every layer and model.

    Attributes that are `Parameter`, buffers (`register_buffer`) and Modules make a tree. Names are paths in it,
    ``"blocks.0.attention.weight"``, and the order is everywhere that of definition: a module's own, then its children's.
    A parameter that two modules share is the same object in both; it is listed, counted, moved and saved once::

        class Classifier(Module):
            def __init__(self):
                super().__init__()
                self.hidden = Linear(784, 128)
                self.output = Linear(128, 10)

            def forward(self, x):
                return self.output(self.hidden(x).tanh())

    Attributes:
        training: whether layers that behave differently while learning (Dropout, BatchNorm) do so; see `train`.
    """

    training: bool

    def __init__(self) -> None:
        state = self.__dict__
        state["training"] = True
        state["_buffers"] = {}  # name -> persistent
        state["_pre_hooks"], state["_hooks"] = [], []

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes. Call the module itself, which runs the hooks too."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward().")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        for hook in self._pre_hooks:
            new = hook(self, args)
            if new is not None:
                args = new if isinstance(new, tuple) else (new,)
        output = self._observed(args, kwargs) if modes.observers else self.forward(*args, **kwargs)
        for hook in self._hooks:
            new = hook(self, args, output)
            if new is not None:
                output = new
        return output

    def _observed(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The forward pass, with the observers told where it begins and ends."""
        observers = [observer for observer in modes.observers if hasattr(observer, "enter")]
        for observer in observers:
            observer.enter(self)
        try:
            return self.forward(*args, **kwargs)
        finally:
            for observer in observers:
                observer.leave(self)

    # -- attributes ---------------------------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        if "_buffers" not in own:
            raise AttributeError(_forgotten(self))
        if isinstance(own.get(name), Parameter) and not (value is None or isinstance(value, Parameter)):
            raise TypeError(
                f"{type(self).__name__}.{name} is a Parameter, and {_kind(value)} cannot take its place: it would not be "
                f"learned. Use Parameter(...), or 'with no_grad(): module.{name}.copy_(...)' to change its numbers."
            )
        if name in own["_buffers"] and not (value is None or isinstance(value, Tensor)):
            raise TypeError(f"{type(self).__name__}.{name} is a buffer: expected a Tensor or None, got {_kind(value)}.")
        if _hides_parameters(value):
            raise TypeError(
                f"{type(self).__name__}.{name}: parameters inside a {type(value).__name__} would not be found, moved or "
                "learned. Use ModuleList([...]), Sequential(...), or one attribute each."
            )
        object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        if "_buffers" not in self.__dict__:
            raise AttributeError(_forgotten(self))
        near = difflib.get_close_matches(name, [n for n in dir(self) if not n.startswith("_")], n=3)
        hint = f" Did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
        raise AttributeError(f"{type(self).__name__} has no attribute '{name}'.{hint}")

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        self._buffers.pop(name, None)

    def register_buffer(self, name: str, value: Any, persistent: bool = True) -> None:
        """Adds an array that belongs to the module but is not learned: running statistics, a table, a mask.

        Args:
            value: a Tensor or array, or None for a buffer that is filled later.
            persistent: whether `state_dict` holds it. A table that the constructor computes again need not be saved.

        Raises:
            AttributeError: the module has an attribute of that name already.
        """
        if name in self.__dict__ and name not in self._buffers:
            raise AttributeError(
                f"{type(self).__name__} has an attribute '{name}' already; name the buffer differently."
            )
        self._buffers[name] = persistent
        setattr(self, name, value if value is None or isinstance(value, Tensor) else Tensor(value))

    # -- the tree -----------------------------------------------------------------------------------------------------

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly below this one, by attribute name."""
        return ((name, value) for name, value in self.__dict__.items() if isinstance(value, Module))

    def children(self) -> Iterator[Module]:
        """The modules directly below this one."""
        return (child for _, child in self.named_children())

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """This module (named "") and all modules below it, each once, parents first."""
        yield from _first_of_each(self._paths())

    def modules(self) -> Iterator[Module]:
        """This module and all modules below it, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Every parameter once, under its first name."""
        yield from _first_of_each((name, p) for name, p, _ in self._tensors() if isinstance(p, Parameter))

    def parameters(self) -> Iterator[Parameter]:
        """Every parameter once."""
        return (p for _, p in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """Every buffer once, under its first name."""
        yield from _first_of_each((name, b) for name, b, _ in self._tensors() if not isinstance(b, Parameter))

    def buffers(self) -> Iterator[Tensor]:
        """Every buffer once."""
        return (b for _, b in self.named_buffers())

    def num_parameters(self, trainable: bool = False) -> int:
        """How many numbers all parameters hold together; with `trainable`, only those that require a gradient."""
        return sum(p.size for p in self.parameters() if p.requires_grad or not trainable)

    def _paths(self, prefix: str = "", above: tuple[Module, ...] = ()) -> Iterator[tuple[str, Module]]:
        """All paths to modules, shared ones under each of their names."""
        yield prefix, self
        for name, child in self.named_children():
            if child is not self and all(child is not module for module in above):
                yield from child._paths(f"{prefix}.{name}" if prefix else name, (*above, self))

    def _tensors(self) -> Iterator[tuple[str, Tensor, bool]]:
        """All parameters and buffers under all of their names, and whether each belongs in `state_dict`."""
        for path, module in self._paths():
            prefix = f"{path}." if path else ""
            for name, value in module.__dict__.items():
                if isinstance(value, Parameter):
                    yield prefix + name, value, True
                elif name in module._buffers and value is not None:
                    yield prefix + name, value, module._buffers[name]

    # -- all at once --------------------------------------------------------------------------------------------------

    def apply(self: Self, function: Callable[[Module], Any]) -> Self:
        """Calls ``function(module)`` for this module and for all below it, parents first; returns itself."""
        for module in self.modules():
            function(module)
        return self

    def train(self: Self, mode: bool = True) -> Self:
        """Sets `training` here and below; returns itself."""
        for module in self.modules():
            module.training = bool(mode)
        return self

    def eval(self: Self) -> Self:
        """``train(False)``: Dropout passes everything on, BatchNorm uses its running statistics."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forgets the gradients of all parameters (they become None, which costs no memory)."""
        for p in self.parameters():
            p.grad = None

    def requires_grad_(self: Self, value: bool = True) -> Self:
        """Lets all parameters be learned, or freezes them; returns itself."""
        for p in self.parameters():
            p.requires_grad_(value)
        return self

    def to(self: Self, target: Any) -> Self:
        """Moves parameters, their gradients and buffers to a device or a float dtype, in place; returns itself.

        The Parameter objects stay the same, so shared parameters stay shared and an optimizer keeps what it holds.
        Buffers that hold no floats keep their dtype.

        Raises:
            DeviceError: the device is unknown or not usable. Then nothing has been moved.
            TypeError: the dtype is not a float type.
        """
        tensors = list(_first_of_each((name, t) for name, t, _ in self._tensors()))
        tensors += [(name, t.grad) for name, t in tensors if t.grad is not None]
        moved = [(t, t.detach().to(target)) for _, t in tensors]
        for t, new in moved:
            if t.dtype.kind == "f" and new.dtype.kind != "f":
                raise TypeError(f"a module can be moved to a float dtype such as 'float32', not to {new.dtype}.")
        with hold_signals():
            _take_over(moved)
        return self

    # -- saving and loading -------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Tensor]:
        """Copies of all parameters and persistent buffers, by name: a snapshot that further training does not change.

        They are detached and on the module's device. A shared tensor is there once, under its first name.
        """
        named = ((name, t) for name, t, persistent in self._tensors() if persistent)
        return {name: t.detach().clone() for name, t in _first_of_each(named)}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Overwrites parameters and persistent buffers with the numbers in `state`, converted to their dtype and device.

        Args:
            state: Tensors or arrays by name, as `state_dict` gives them. A shared tensor may be given under any of its
                names, or under several with the same numbers.
            strict: whether a missing or unexpected name is an error. A wrong shape always is one.

        Returns:
            The missing and the unexpected names.

        Raises:
            ValueError: one error that lists everything that does not fit. Then nothing has been changed.
        """
        names: dict[int, list[str]] = {}
        tensors: dict[str, Tensor] = {}
        for name, t, persistent in self._tensors():
            if persistent:
                names.setdefault(id(t), []).append(name)
                tensors[name] = t
        missing = [same[0] for same in names.values() if not any(name in state for name in same)]
        unexpected = [name for name in state if name not in tensors]
        given = {name: state[name] for name in tensors if name in state}
        problems = [] if not strict else [f"missing: {name} {tensors[name].shape}" for name in missing]
        problems += [] if not strict else [f"unexpected: {name}{_near(name, missing)}" for name in unexpected]
        problems += [problem for name, value in given.items() for problem in _misfit(name, tensors[name], value)]
        problems = problems or [
            p for same in names.values() for p in _contradiction([n for n in same if n in given], given)
        ]
        if problems:
            lines = "\n  ".join(problems)
            raise ValueError(f"this state_dict does not fit {type(self).__name__}; nothing was loaded.\n  {lines}")
        with no_grad(), hold_signals():
            for name, value in given.items():
                tensors[name].copy_(to_device(_array(value), tensors[name].device))
        return IncompatibleKeys(missing, unexpected)

    # -- hooks --------------------------------------------------------------------------------------------------------

    def register_forward_pre_hook(self, hook: Hook) -> Callable[[], None]:
        """Calls ``hook(module, args)`` before `forward`; what it returns (unless None) replaces the arguments.

        Returns:
            A function that removes the hook.
        """
        return _register(self._pre_hooks, hook)

    def register_forward_hook(self, hook: Hook) -> Callable[[], None]:
        """Calls ``hook(module, args, output)`` after `forward`; what it returns (unless None) replaces the output.

        Returns:
            A function that removes the hook.
        """
        return _register(self._hooks, hook)

    # -- how it looks -------------------------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """The settings that `__repr__` shows between the brackets."""
        return ""

    def __repr__(self) -> str:
        children = [f"({name}): {child!r}".replace("\n", "\n  ") for name, child in self.named_children()]
        if not children:
            return f"{type(self).__name__}({self.extra_repr()})"
        body = "\n  ".join([self.extra_repr(), *children] if self.extra_repr() else children)
        return f"{type(self).__name__}(\n  {body}\n)"


class Sequential(Module):
    """Modules applied one after the other: the output of each is the input of the next."""

    def __init__(self, *modules: Module) -> None:
        super().__init__()
        for i, module in enumerate(modules):
            setattr(self, str(i), _expect_module("Sequential", module))

    def forward(self, x: Any) -> Any:
        for module in self.children():
            x = module(x)
        return x

    def __len__(self) -> int:
        return len(list(self.children()))

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    def __getitem__(self, index: int) -> Module:
        return list(self.children())[index]


class ModuleList(Module):
    """A list whose modules are found by `parameters`, `to` and the rest, which a Python list's would not be."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        for module in modules:
            self.append(module)

    def append(self, module: Module) -> ModuleList:
        """Adds a module at the end; returns itself."""
        setattr(self, str(len(self)), _expect_module("ModuleList", module))
        return self

    def __len__(self) -> int:
        return len(list(self.children()))

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    def __getitem__(self, index: int) -> Module:
        return list(self.children())[index]

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("a ModuleList only holds its modules: call them in a loop, or use Sequential.")


T = TypeVar("T")


def _first_of_each(named: Iterable[tuple[str, T]]) -> Iterator[tuple[str, T]]:
    """Each object once, with the first of its names."""
    seen: dict[int, T] = {}
    for name, value in named:
        if id(value) not in seen:
            seen[id(value)] = value
            yield name, value


def _take_over(moved: Iterable[tuple[Tensor, Tensor]]) -> None:
    """Gives each tensor the array of its converted copy, but for integers that should become floats."""
    for t, new in moved:
        if new._data is not t._data and (new.dtype == t.dtype or t.dtype.kind == "f"):
            t._data = new._data
            t.bump_version()


def _forgotten(module: Module) -> str:
    cls = type(module).__name__
    return f"{cls}.__init__ must call super().__init__() first: without it {cls} cannot hold parameters or modules."


def _kind(value: Any) -> str:
    return f"a {type(value).__name__}" + (f" of shape {value.shape}" if isinstance(value, Tensor | np.ndarray) else "")


def _hides_parameters(value: Any) -> bool:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return any(isinstance(item, Module | Parameter) for item in items)


def _expect_module(where: str, value: Any) -> Module:
    if not isinstance(value, Module):
        hint = (
            f" Pass the modules one by one: {where}(*modules)."
            if where == "Sequential" and isinstance(value, list)
            else ""
        )
        raise TypeError(f"{where} holds Modules, got {_kind(value)}.{hint}")
    return value


def _register(hooks: list[Hook], hook: Hook) -> Callable[[], None]:
    hooks.append(hook)
    return lambda: hooks.remove(hook) if hook in hooks else None


def _near(name: str, candidates: list[str]) -> str:
    near = difflib.get_close_matches(name, candidates, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _array(value: Any) -> Any:
    return value.data if isinstance(value, Tensor) else value


def _misfit(name: str, tensor: Tensor, value: Any) -> list[str]:
    """What is wrong with a value for `tensor`: nothing, or one sentence."""
    try:
        device_of(_array(value))
    except TypeError:
        return [f"wrong type: {name}: expected a Tensor or array, got {type(value).__name__}"]
    if tuple(value.shape) != tensor.shape:
        return [f"wrong shape: {name}: expected {tensor.shape}, got {tuple(value.shape)}"]
    if value.dtype.kind != tensor.dtype.kind:
        return [f"wrong dtype: {name}: expected {tensor.dtype}, got {value.dtype}"]
    return []


def _contradiction(names: list[str], given: Mapping[str, Any]) -> list[str]:
    """Names of one shared tensor must bring the same numbers."""
    arrays = [to_host(_array(given[name])) for name in names] if len(names) > 1 else []
    return [
        f"contradiction: {names[0]} and {name} are one shared tensor here, but their numbers differ"
        for name, array in zip(names[1:], arrays[1:], strict=True)
        if not np.array_equal(array, arrays[0], equal_nan=array.dtype.kind == "f")
    ]


__all__ = ["IncompatibleKeys", "Module", "ModuleList", "Parameter", "Sequential"]
