"""Training and evaluation mode of a model's modules, kept while it is looked at."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from minilm.nn.module import Module


@contextlib.contextmanager
def modes_kept(model: Module) -> Iterator[None]:
    """Within it the modes may change; afterwards each module is in its own again, which need not be that of the others."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


__all__ = ["modes_kept"]
