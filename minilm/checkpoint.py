"""Files of a run: weights, checkpoints and configs that are complete or absent, and that never run code.

Arrays are stored as safetensors, everything else as JSON. A file is written under a temporary name, flushed to the disk, and
renamed: whoever reads finds the old file or the new one, whatever kills the writer. Reading checks everything before it is
used, and says which file is wrong, and how.
"""

from __future__ import annotations

import hashlib
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


class RunError(CheckpointError):
    """A run cannot be made, gone on with, or written; the message says why, what stands, and what to do."""


def save_json(path: Pathish, value: Any) -> None:
    """Writes JSON, atomically."""
    try:
        text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except UnicodeEncodeError:  # a name of a file that is not UTF-8: JSON has an escape for its bytes, UTF-8 has not
        text = json.dumps(value, indent=2, allow_nan=False).encode("ascii")
    with atomic_write(path) as file:
        file.write(text + b"\n")


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


# -- files that know what they hold -----------------------------------------------------------------------------------

VERSIONS = (1, 2)
"""Of files with weights. Those of version 2 carry the SHA-256 of what they hold, and the fingerprint of their run."""


def save_sealed(path: Pathish, arrays: Mapping[str, np.ndarray[Any, Any]], about: Mapping[str, Any]) -> None:
    """Writes arrays and values about them as `save_arrays` does, in version 2, with the SHA-256 of all of it."""
    about = {**about, "version": VERSIONS[-1]}
    save_arrays(path, arrays, {**about, "sha256": seal(arrays, about)})


def load_sealed(path: Pathish, wanted: str) -> tuple[Arrays, dict[str, Any]]:
    """What `save_sealed` wrote under the format `wanted`, or an earlier version did, which had no SHA-256.

    Raises:
        CheckpointError: the file is missing or damaged, of a version that this minilm does not know, or holds something else.
    """
    arrays, about = load_arrays(path)
    expect_format(path, about, wanted)
    version = about.get("version")
    if type(version) is not int or version not in VERSIONS:
        raise CheckpointError(
            f"{path} has version {version!r}, this minilm reads {' and '.join(map(str, VERSIONS))}: use the minilm that wrote it."
        )
    if version > 1 and about.pop("sha256", None) != seal(arrays, about):
        raise CheckpointError(
            f"{path} is damaged: what it holds does not have the SHA-256 that it was written with. Restore it from a copy."
        )
    return arrays, about


def seal(arrays: Mapping[str, np.ndarray[Any, Any]], about: Mapping[str, Any]) -> str:
    """SHA-256 of arrays, with their names, types and shapes, and of the values about them."""
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    digest = hashlib.sha256(canonical([{name: [a.dtype.str, a.shape] for name, a in arrays.items()}, about]))
    for name in sorted(arrays):
        digest.update(arrays[name].tobytes())
    return digest.hexdigest()


def canonical(value: Any) -> bytes:
    """JSON that is the same for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")


def not_finite(arrays: Mapping[str, np.ndarray[Any, Any]]) -> str | None:
    """The name of an array that holds NaN or an infinity; None where all numbers are finite."""
    return next((name for name in sorted(arrays) if not np.isfinite(arrays[name]).all()), None)
