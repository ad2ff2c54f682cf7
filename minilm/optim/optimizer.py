"""What all optimizers share: parameter groups, options and their checks, penalties, and an exact saved state."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import Any

from minilm.backend import Device, quiet, to_device, to_host, writable
from minilm.graph import enable_grad
from minilm.optim.flat import FlatParameters
from minilm.signals import hold_signals
from minilm.tensor import Tensor
from minilm.types import Array

Group = dict[str, Any]

_SWITCHES = ("nesterov", "centered", "amsgrad")


class Optimizer:
    r"""Changes parameters in place, from their gradients; the base of every rule.

    An optimizer sees the gradient of the loss with its penalties,

    .. math:: g = \frac{\partial L}{\partial p} + \lambda_1 \operatorname{sign}(p) + \lambda_2\, p,

    the gradient of :math:`L + \lambda_1 \sum |p| + \frac{\lambda_2}{2} \sum p^2`, where :math:`\lambda_1` is the option
    ``l1`` (Tibshirani 1996; sign(0) = 0) and :math:`\lambda_2` is ``weight_decay``. `AdamW` alone keeps
    ``weight_decay`` out of g and shrinks the parameters directly.

    Args:
        params: leaf Tensors, or groups: dicts with their Tensors under ``"params"`` and options that replace `defaults`.
        defaults: each option's value in groups that do not say otherwise.

    Attributes:
        param_groups: the groups, each a dict of its options and its list of ``"params"``. An option may be changed
            between steps (schedules change ``"lr"``).
        state: for each parameter that has been updated, its ``"step"`` count and the arrays that its rule remembers.

    Raises:
        ValueError: there is no parameter, one is no leaf, read-only or there twice, or an option is unknown or out of its range.
        TypeError: `params` holds something that is no Tensor.
    """

    array_names: tuple[str, ...] = ()
    """What the rule may remember for a parameter, each an array of the parameter's shape and dtype."""
    decoupled_decay = False
    """Whether the rule itself applies ``weight_decay``."""

    def __init__(self, params: Iterable[Tensor] | Iterable[Group], defaults: Mapping[str, Any]) -> None:
        self.defaults = {name: _checked_option(name, value) for name, value in defaults.items()}
        self.param_groups: list[Group] = []
        self.state: dict[Tensor, dict[str, Any]] = {}
        self._memory: dict[tuple[Any, ...], Array] = {}
        self._flat: list[tuple[Group, FlatParameters]] = []
        entries = _listed(params)
        if not entries:
            raise ValueError(
                f"{type(self).__name__} got no parameters: params is empty. A generator is used up once read."
            )
        for group in entries if isinstance(entries[0], dict) else [{"params": entries}]:
            self.add_param_group(group)

    def __repr__(self) -> str:
        groups = [
            ", ".join(f"{name}={value!r}" for name, value in group.items() if name != "params")
            + f": {len(group['params'])} parameters"
            for group in self.param_groups
        ]
        return f"{type(self).__name__}({'; '.join(groups)})"

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Adds parameters with options of their own, as the constructor does; options left out take their defaults."""
        if not isinstance(group, Mapping) or "params" not in group:
            raise TypeError(f"a parameter group is a dict with its tensors under 'params', got {group!r}.")
        params = _listed(group["params"])
        if not params:
            raise ValueError(f"parameter group {len(self.param_groups)} has no parameters.")
        seen = {id(p) for p in self._params()}
        for i, p in enumerate(params):
            _check_param(p, f"parameter {i} of group {len(self.param_groups)}", id(p) in seen)
            seen.add(id(p))
        options = {name: value for name, value in group.items() if name != "params"}
        self.param_groups.append({"params": params, **self._checked_options({**self.defaults, **options})})

    def _params(self) -> list[Tensor]:
        """All parameters; a parameter's place in this list is its name in the saved state."""
        return [p for group in self.param_groups for p in group["params"]]

    def _checked_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """A group's options, each known and in its range. Rules with conditions on several options add them here."""
        unknown = [name for name in options if name not in self.defaults and name != "initial_lr"]
        if unknown:
            raise ValueError(
                f"{type(self).__name__} has no option {unknown[0]!r}; its options are {', '.join(self.defaults)}."
            )
        return {name: _checked_option(name, value) for name, value in options.items()}

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients, so that the next backward() starts anew.

        Args:
            set_to_none: drop them (`step` then skips a parameter that got no new one); False: fill them with zeros.
        """
        for p in self._params():
            if set_to_none or p.grad is None:
                p.grad = None
            else:
                p.grad = p.grad.detach().zero_()

    def flatten(self) -> None:
        """Moves the parameters of each group into one flat array per device and dtype, so that one call updates all of them.

        Each parameter's ``data``, and each array that the rule remembers, is then a view of a flat one. All numbers stay the
        same to the bit. It pays on a GPU, where a step starts a few kernels for each group instead of for each parameter
        (PyTorch's ``foreach`` and ``fused`` have the same aim). On a CPU the time of a step is that of its memory traffic.

        Call it before the first step; a saved state may be loaded before or after. What shared memory with a parameter, such
        as an array taken from its ``data``, no longer does. A parameter whose array is itself a view of other memory stays
        where it is. In a step in which one of the parameters has no gradient, or has got another array (``p.data = ...``,
        ``model.to(...)``), those of its flat array are updated one by one; `flatten` gathers them again.
        """
        own = [flat.data for _, flat in self._flat]
        self._flat = []
        for group in self.param_groups:
            alike: dict[tuple[str, Any], list[Tensor]] = {}
            for p in group["params"]:
                if p.data.base is None or any(p.data.base is array for array in own):
                    alike.setdefault((p.device.name, p.dtype), []).append(p)
            self._flat += [(group, FlatParameters(params)) for params in alike.values() if len(params) > 1]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Updates every parameter that has a gradient, once; parameters without one stay as they are.

        A step is whole: gradients that do not fit are refused before anything is changed, and Ctrl-C (or another signal with a
        handler in Python) waits for its end (`minilm.signals`). What cannot be promised is a step in which memory runs out or
        another error comes from the arithmetic itself: parameters before that place have been updated then, and those after
        it not. Go on from a checkpoint.

        Args:
            closure: computes the loss and its gradients; called first.

        Returns:
            What `closure` returned; None without one.

        Raises:
            ValueError: a gradient has not the shape, dtype or device of its parameter.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        todo = [(group, p, _gradient(p)) for group in self.param_groups for p in group["params"] if p.grad is not None]
        with hold_signals(), quiet():
            grads = {id(p): g for _, p, g in todo} if self._flat else {}
            done = {id(p) for group, flat in self._flat if self._update_flat(flat, group, grads) for p in flat.params}
            for group, p, g in todo:
                if id(p) in done:
                    continue
                device, array = p.device, p.data
                state = self.state.setdefault(p, {"step": 0})
                state["step"] += 1
                self._update(device, array, self._penalised(device, array, g, group), state, group)
                p.bump_version()
        return loss

    def _update_flat(self, flat: FlatParameters, group: Group, grads: Mapping[int, Array]) -> bool:
        """Updates parameters in one flat array as if they were one; False, and nothing done, where they must go one by one."""
        if not flat.is_whole():
            return False
        device = flat.params[0].device
        g = device.xp.concatenate([grads[id(p)].reshape(-1) for p in flat.params])
        states = [self.state.setdefault(p, {"step": 0}) for p in flat.params]
        state = flat.gather(states)
        if state is None:
            return False
        state["step"] += 1
        self._update(device, flat.data, self._penalised(device, flat.data, g, group), state, group)
        flat.scatter(state, states)
        for p in flat.params:
            p.bump_version()
        return True

    def _update(self, device: Device, p: Array, g: Array, state: dict[str, Any], group: Group) -> None:
        """The rule: changes `p` in place from its gradient `g`, which it must not change."""
        raise NotImplementedError

    def _penalised(self, device: Device, p: Array, g: Array, group: Group) -> Array:
        """The gradient of the loss with its penalties."""
        decay = 0.0 if self.decoupled_decay else group["weight_decay"]
        if not decay and not group["l1"]:
            return g
        out = self._scratch(device, p, 0)
        device.xp.multiply(p, decay, out=out)
        out += g
        if group["l1"]:
            sign = self._scratch(device, p, 1)
            device.xp.sign(p, out=sign)
            sign *= group["l1"]
            out += sign
        return out

    def _scratch(self, device: Device, like: Array, slot: int) -> Array:
        """Memory for an intermediate result with the shape and dtype of `like`, shared by all parameters.

        Slot 0 is the penalised gradient's; slots 1 and 2 are free inside `_update`.
        """
        key = (device.name, like.dtype, slot)
        flat = self._memory.get(key)
        if flat is None or flat.size < like.size:
            flat = self._memory[key] = device.xp.empty(like.size, like.dtype)
        return flat[: like.size].reshape(like.shape)

    # -- saving -------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on, besides the parameters themselves: a copy.

        Returns:
            ``{"options": ..., "arrays": ...}``: options, step counts and the arrays' names as values that JSON carries
            exactly, and NumPy arrays by name (``"3.exp_avg"`` belongs to the parameter at position 3 of all groups).
        """
        names = {id(p): i for i, p in enumerate(self._params())}
        groups = [
            {
                **_plain({k: v for k, v in group.items() if k != "params"}),
                "params": [names[id(p)] for p in group["params"]],
            }
            for group in self.param_groups
        ]
        steps: dict[str, Any] = {}
        arrays: dict[str, Any] = {}
        for p, state in self.state.items():
            remembered = [name for name in self.array_names if name in state]
            steps[str(names[id(p)])] = {"step": state["step"], "arrays": remembered}
            arrays.update({f"{names[id(p)]}.{name}": to_host(state[name]).copy() for name in remembered})
        return {"options": {"optimizer": type(self).__name__, "param_groups": groups, "state": steps}, "arrays": arrays}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes over a state that `state_dict` made: the steps that follow equal an undisturbed run's to the bit.

        The parameters must be the same ones in the same groups and order. Everything is checked before anything changes.

        Raises:
            ValueError: the state is another optimizer's, its groups or arrays do not fit these parameters, an array
                is missing, unexpected, or has another shape or dtype, or an option is out of its range.
        """
        options = _field(state_dict, "options", Mapping, "the optimizer's state")
        arrays = _field(state_dict, "arrays", Mapping, "the optimizer's state")
        if options.get("optimizer") != type(self).__name__:
            raise ValueError(f"this is the state of {options.get('optimizer')!r}, not of {type(self).__name__}.")
        groups = self._checked_groups(_field(options, "param_groups", list, "options"))
        state = self._checked_state(_field(options, "state", Mapping, "options"), arrays)
        with hold_signals():
            for group, new in zip(self.param_groups, groups, strict=True):
                params = group["params"]
                group.clear()
                group.update({"params": params, **new})
            self.state = state

    def _checked_groups(self, saved: list[Any]) -> list[dict[str, Any]]:
        sizes = [len(group["params"]) for group in self.param_groups]
        positions = [_field(group, "params", list, "a saved group") for group in saved]
        if [len(x) for x in positions] != sizes or [i for x in positions for i in x] != list(range(sum(sizes))):
            raise ValueError(
                f"the saved state has groups of {[len(x) for x in positions]} parameters, this optimizer {sizes}: "
                "build it with the same parameters in the same groups and order."
            )
        checked = []
        for i, group in enumerate(saved):
            missing = [name for name in self.defaults if name not in group]
            if missing:
                raise ValueError(f"saved group {i} lacks the option {missing[0]!r} of {type(self).__name__}.")
            checked.append(self._checked_options({k: v for k, v in group.items() if k != "params"}))
        return checked

    def _checked_state(self, saved: Mapping[str, Any], arrays: Mapping[str, Any]) -> dict[Tensor, dict[str, Any]]:
        state: dict[Tensor, dict[str, Any]] = {}
        params = {str(i): p for i, p in enumerate(self._params())}
        unread = set(arrays)
        for key, entry in saved.items():
            if key not in params:
                raise ValueError(f"the saved state names parameter {key!r}; this optimizer has 0 to {len(params) - 1}.")
            step = _field(entry, "step", int, f"the state of parameter {key}")
            if isinstance(step, bool) or step < 0:
                raise ValueError(f"the saved step count of parameter {key} must be an integer >= 0, got {step!r}.")
            state[params[key]] = {"step": step}
            for name in _field(entry, "arrays", list, f"the state of parameter {key}"):
                if name not in self.array_names:
                    raise ValueError(f"{type(self).__name__} remembers no array {name!r} (parameter {key}).")
                state[params[key]][name] = _loaded(arrays, f"{key}.{name}", params[key])
                unread.discard(f"{key}.{name}")
        if unread:
            raise ValueError(f"the saved state has arrays that nothing in its options names: {sorted(unread)}.")
        return state


def _listed(params: Any) -> list[Any]:
    if isinstance(params, Tensor):
        raise TypeError("params must be an iterable of tensors, got one tensor: write [tensor].")
    if isinstance(params, Mapping) or not isinstance(params, Iterable):
        raise TypeError(f"params must be an iterable of tensors or of groups, got {type(params).__name__}.")
    return list(params)


def _check_param(p: Any, where: str, seen: bool) -> None:
    if not isinstance(p, Tensor):
        hint = " (name, tensor) pairs come from named_parameters(): use parameters()." if isinstance(p, tuple) else ""
        raise TypeError(f"{where} must be a Tensor, got {type(p).__name__}.{hint}")
    name = f"{where} ({p.name or 'unnamed'}, shape {p.shape})"
    if not p.is_leaf:
        raise ValueError(
            f"{name} is the result of an op, no leaf: changing it would change nothing that it was computed from. "
            "Pass the tensors it was computed from, or x.detach().requires_grad_()."
        )
    if writable(p.data) is not p.data:
        raise ValueError(
            f"{name} lies in memory that is read-only, as an array of numpy() does: make it with ml.tensor(...)."
        )
    if seen:
        raise ValueError(f"{name} appears twice: it would be updated twice in each step.")


def _checked_option(name: str, value: Any) -> Any:
    """An option's value as a Python bool, float or tuple: a NumPy scalar would turn float32 into float64."""
    if name in _SWITCHES:
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be True or False, got {value!r}.")
        return value
    if name == "betas":
        if not isinstance(value, tuple | list) or len(value) != 2:
            raise ValueError(f"betas must be two numbers, got {value!r}.")
        return tuple(checked_number(f"betas[{i}]", beta, below=1.0) for i, beta in enumerate(value))
    return checked_number(name, value, below=1.0 if name == "alpha" else math.inf)


def checked_number(name: str, value: Any, below: float = math.inf) -> float:
    """`value` as a Python float.

    Raises:
        ValueError: it is no number, or not in [0, `below`); NaN and infinity are neither.
    """
    if not isinstance(value, Real) or isinstance(value, bool) or not 0.0 <= float(value) < below:
        limit = "a finite number >= 0" if math.isinf(below) else f"in [0, {below:g})"
        raise ValueError(f"{name} must be {limit}, got {value!r}.")
    return float(value)


def _gradient(p: Tensor) -> Array:
    """The gradient's array; the parameter has one."""
    assert p.grad is not None
    g, array = p.grad.data, p.data
    if g.shape != array.shape or g.dtype != array.dtype or not p.device.owns(g):
        raise ValueError(
            f"the gradient of {p.name or 'a parameter'} is {g.dtype} {tuple(g.shape)} on {p.grad.device.name}, "
            f"the parameter {p.dtype} {p.shape} on {p.device.name}."
        )
    return g


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    """Options as JSON reads them back: it has lists, no tuples."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()}


def _field(record: Any, name: str, kind: type, where: str) -> Any:
    if not isinstance(record, Mapping) or not isinstance(record.get(name), kind):
        raise ValueError(f"{where} should hold {name!r} as {kind.__name__}: this is no state that state_dict() made.")
    return record[name]


def _loaded(arrays: Mapping[str, Any], name: str, p: Tensor) -> Array:
    """A saved array on its parameter's device, in memory of its own."""
    if name not in arrays:
        raise ValueError(f"the saved state lacks the array {name!r}.")
    array = to_host(arrays[name])
    if tuple(array.shape) != p.shape or array.dtype != p.dtype:
        raise ValueError(f"array {name!r} is {array.dtype} {tuple(array.shape)}, its parameter {p.dtype} {p.shape}.")
    return to_device(array.copy(), p.device)
