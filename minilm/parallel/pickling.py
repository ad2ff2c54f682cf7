"""A model as bytes for another process, and back. Nothing is read from a file: those who write and read are one program."""

from __future__ import annotations

import io
import pickle
from typing import Any

from minilm.backend import to_host
from minilm.nn.module import Module
from minilm.tensor import Tensor
from minilm.types import HostArray


def pickled(model: Module) -> tuple[bytes, set[str]]:
    """The model as bytes, and the modules that are needed to make it again.

    Raises:
        TypeError: the other process could not import the model's class, or something in the model cannot be pickled.
    """
    if type(model).__module__ == "__main__":
        raise TypeError(
            f"DataParallel: other processes cannot import {type(model).__name__} from a notebook or script; move it to a module."
        )
    buffer = io.BytesIO()
    pickler = _Pickler(buffer, pickle.HIGHEST_PROTOCOL)
    try:
        pickler.dump(model)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise TypeError(f"DataParallel: the model cannot be sent to another process: {error}") from None
    return buffer.getvalue(), pickler.modules


class _Pickler(pickle.Pickler):
    """Pickles Tensors, which refuse it elsewhere, and notes the modules of what it meets."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.modules: set[str] = set()

    def reducer_override(self, x: Any) -> Any:
        if isinstance(x, Tensor):
            self.modules.add(type(x).__module__)
            return _unpickled, (type(x), to_host(x.data), x.requires_grad, x.name)
        if isinstance(getattr(x, "__module__", None), str):
            self.modules.add(x.__module__)
        return NotImplemented


def _unpickled(cls: type[Tensor], array: HostArray, requires_grad: bool, name: str | None) -> Tensor:
    tensor = cls(array)
    tensor.requires_grad, tensor.name = requires_grad, name
    return tensor


__all__ = ["pickled"]
