"""Arrays of several Tensors one after another in one flat array, so that one call serves all of them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from minilm.tensor import Tensor
from minilm.types import Array

State = dict[str, Any]


def join(tensors: Sequence[Tensor]) -> Array:
    """Moves the numbers of Tensors of one device and dtype into one flat array, of which each Tensor's array is then a view."""
    flat = tensors[0].device.xp.concatenate([t.data.reshape(-1) for t in tensors])
    for t, view in zip(tensors, cut(flat, tensors), strict=True):
        t.data = view
    return flat


def cut(flat: Array, like: Sequence[Tensor]) -> list[Array]:
    """Views of a flat array, shaped like Tensors that lie in it one after another."""
    ends = itertools.accumulate((t.size for t in like), initial=0)
    return [flat[a:b].reshape(t.shape) for (a, b), t in zip(itertools.pairwise(ends), like, strict=True)]


class FlatParameters:
    """Parameters of one group, device and dtype in one flat array, and what their rule remembers of them in others.

    Where everything lies is not taken for granted: a parameter may get another array at any time (``p.data = ...``,
    ``model.to(...)``), and so may its state (`Optimizer.load_state_dict`). Each step looks.
    """

    def __init__(self, params: list[Tensor]) -> None:
        self.params = params
        self.data = join(params)
        self._views = [p.data for p in params]
        self._remembered: dict[str, tuple[Array, list[Array]]] = {}

    def is_whole(self) -> bool:
        """Whether all parameters still lie in `data`, and all have a gradient."""
        return all(p.data is view and p.grad is not None for p, view in zip(self.params, self._views, strict=True))

    def gather(self, states: Sequence[State]) -> State | None:
        """The parameters' states as that of one parameter, with arrays that share their memory; None where histories differ."""
        first = states[0]
        if any(s["step"] != first["step"] or s.keys() != first.keys() for s in states):
            return None
        state: State = {"step": first["step"]}
        for name in first.keys() - state.keys():
            flat, views = self._remembered.get(name, (None, []))
            if flat is None or any(s[name] is not view for s, view in zip(states, views, strict=True)):
                flat = self.params[0].device.xp.concatenate([s[name].reshape(-1) for s in states])
                self._keep(name, flat, states)
            state[name] = flat
        return state

    def scatter(self, state: State, states: Sequence[State]) -> None:
        """Gives each parameter its part of a state that `gather` made and the rule has advanced."""
        for name in state.keys() - {"step"}:
            if name not in self._remembered or self._remembered[name][0] is not state[name]:
                self._keep(name, state[name], states)
        for s in states:
            s["step"] = state["step"]

    def _keep(self, name: str, flat: Array, states: Sequence[State]) -> None:
        views = cut(flat, self.params)
        self._remembered[name] = flat, views
        for s, view in zip(states, views, strict=True):
            s[name] = view


__all__ = ["FlatParameters", "cut", "join"]
