"""The linear layers of a model by their names: those that are made smaller, or get an adapter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from minilm.nn.linear import Linear
from minilm.nn.module import Module


class Place(NamedTuple):
    """Where a layer stands.

    Attributes:
        path: its name in the model, such as "blocks.0.attn.c_attn".
        parent, name: the module that has it as an attribute, and that attribute's name.
        layer: the layer.
    """

    path: str
    parent: Module
    name: str
    layer: Any


def places(model: Module, *kinds: type[Module]) -> Iterator[Place]:
    """The layers of these very classes, wherever they stand in the model: each path once."""
    for above, parent in list(model.named_modules()):
        for name, child in list(parent.named_children()):
            if type(child) in kinds:
                yield Place(f"{above}.{name}" if above else name, parent, name, child)


def chosen(model: Module, targets: Sequence[str] | None, *kinds: type[Module]) -> list[Place]:
    """The layers whose path is, or ends in, one of `targets`; None: all.

    Raises:
        TypeError: `targets` is one text.
        ValueError: one of the targets is no layer's name, or there is no layer at all.
    """
    if isinstance(targets, str):
        raise TypeError(f"targets is a sequence of names, such as [{targets!r}]; got a text.")
    kinds = kinds or (Linear,)
    found = list(places(model, *kinds))
    if not found:
        names = " or ".join(kind.__name__ for kind in kinds)
        raise ValueError(f"{type(model).__name__} holds no {names} layer below itself.")
    if targets is None:
        return found
    for target in targets:
        if not any(_ends_in(place.path, target) for place in found):
            known = sorted({place.name for place in found})
            raise ValueError(
                f"{type(model).__name__} has no linear layer {target!r}; their names are {', '.join(known)}."
            )
    return [place for place in found if any(_ends_in(place.path, target) for target in targets)]


def _ends_in(path: str, target: str) -> bool:
    return path == target or path.endswith(f".{target}")


__all__ = ["Place", "chosen", "places"]
