"""What a module inside a model gives, read or replaced while the model runs, and nothing else changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from minilm.nn import Module
from minilm.tensor import Tensor


@contextmanager
def outputs_of(modules: Sequence[Module]) -> Iterator[list[Tensor]]:
    """Within it, the output of each call of these modules is added to a list, in the order of the calls."""
    found: list[Tensor] = []

    def keep(module: Module, args: tuple[Any, ...], output: Tensor) -> None:
        found.append(output)

    with ExitStack() as stack:
        for module in modules:
            stack.callback(module.register_forward_hook(keep))
        yield found


@contextmanager
def with_output(module: Module, value: Tensor) -> Iterator[None]:
    """Within it, `module` gives `value`, whatever its input: gradients flow to the value and end there.

    Raises:
        ValueError: the module would have given another shape (raised where it is called).
    """

    def replace(module: Module, args: tuple[Any, ...], output: Tensor) -> Tensor:
        if output.shape != value.shape:
            raise ValueError(
                f"with_output: {type(module).__name__} gives shape {output.shape} here, the value has {value.shape}; "
                "give a value of the module's shape, the batch included."
            )
        return value

    remove = module.register_forward_hook(replace)
    try:
        yield
    finally:
        remove()


__all__ = ["outputs_of", "with_output"]
