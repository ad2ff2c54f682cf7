"""Files of a run: weights, checkpoints and configs that are complete or absent, and that never run code.

Arrays are stored as safetensors, everything else as JSON. A file is written under a temporary name, flushed to the disk, and
renamed: whoever reads finds the old file or the new one, whatever kills the writer. Reading checks everything before it is
used, and says which file is wrong, and how.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from minilm.files import atomic_write

Arrays = dict[str, np.ndarray[Any, Any]]
Pathish = str | os.PathLike[str]


class CheckpointError(ValueError):
    """A file of a run is missing, damaged, or not what it should be."""


def save_json(path: Pathish, value: Any) -> None:
    """Writes JSON, atomically."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with atomic_write(path) as file:
        file.write(text.encode("utf-8"))


def load_json(path: Pathish) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        CheckpointError: the file is missing, is not UTF-8 JSON, or holds something else than an object.
    """
    try:
        value = json.loads(_read(path).decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not valid JSON ({error}): restore it from a copy, or train again.") from None
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} should hold a JSON object, it holds a {type(value).__name__}.")
    return value


def _read(path: Pathish) -> bytes:
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise CheckpointError(f"{path} does not exist.") from None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.") from None


def save_arrays(path: Pathish, arrays: Mapping[str, np.ndarray[Any, Any]], about: Mapping[str, Any]) -> None:
    """Writes arrays, and JSON values about them, into one safetensors file, atomically."""
    from safetensors.numpy import save

    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    metadata = {key: json.dumps(value, allow_nan=True) for key, value in about.items()}
    content = save(contiguous, metadata)
    with atomic_write(path) as file:
        file.write(content)


def load_arrays(path: Pathish) -> tuple[Arrays, dict[str, Any]]:
    """The arrays of a safetensors file, and the values about them.

    Raises:
        CheckpointError: the file is missing, truncated, or no safetensors file.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    content = _read(path)
    try:
        arrays = load(content)
        length = int.from_bytes(content[:8], "little")
        metadata = json.loads(content[8 : 8 + length]).get("__metadata__", {})
        about = {key: json.loads(value) for key, value in metadata.items()}
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"{path} is not a whole safetensors file ({type(error).__name__}: {error}). It was not written by minilm, or was "
            "damaged on the way: copy it again, or train again."
        ) from None
    return arrays, about


def expect_format(path: Pathish, about: Mapping[str, Any], wanted: str) -> None:
    """Refuses a safetensors file that holds something else than `wanted`.

    Raises:
        CheckpointError: the file says that it holds something else, or does not say.
    """
    found = about.get("format")
    if found != wanted:
        raise CheckpointError(
            f"{path} should hold {wanted!r}, it holds {found!r}: it is another program's file, or was renamed."
        )
