"""Files of a run: weights, checkpoints and configs that are complete or absent, and that never run code.

Arrays are stored as safetensors, everything else as JSON. A file is written under a temporary name, flushed to the disk, and
renamed: whoever reads finds the old file or the new one, whatever kills the writer. Reading checks everything before it is
used, and says which file is wrong, and how.

Limits: a JSON file of 16 MiB (`MAX_JSON_BYTES`); arrays of 4 GiB, or what `load_arrays` is given as `max_bytes`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from minilm.files import atomic_write, read_regular, shown
from minilm.formats import FormatError, safetensors
from minilm.strict_json import JSONFault, object_from, short
from minilm.types import Arrays, Pathish

MAX_JSON_BYTES = 1 << 24
MAX_ARRAY_BYTES = 1 << 32


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
    """A JSON object from a file of at most `MAX_JSON_BYTES`.

    Raises:
        CheckpointError: the file is missing, cannot be read, is not UTF-8 JSON, or holds something else than an object, a name
            twice, NaN, or an integer of more than 1,000 digits.
    """
    remedy = "it is no config of minilm; if it is one, raise minilm.training.checkpoint.MAX_JSON_BYTES"
    content = read_regular(path, CheckpointError, max_bytes=MAX_JSON_BYTES, remedy=remedy)
    try:
        return object_from(content, max_digits=1000)  # seeds may be long
    except JSONFault as fault:
        raise CheckpointError(f"{shown(path)} {fault}. Restore it from a copy, or train again.") from None


def save_arrays(path: Pathish, arrays: Mapping[str, np.ndarray[Any, Any]], about: Mapping[str, Any]) -> None:
    """Writes arrays, and JSON values about them, into one safetensors file, atomically."""
    metadata = {key: json.dumps(value, allow_nan=True) for key, value in about.items()}
    safetensors.write(path, arrays, metadata=metadata)


def load_arrays(path: Pathish, *, max_bytes: int | None = MAX_ARRAY_BYTES) -> tuple[Arrays, dict[str, Any]]:
    """The arrays of a safetensors file, and the values about them.

    Args:
        path: the file. BF16 comes as float32, which holds each of its values exactly; F16 as float16.
        max_bytes: the largest file that is read (default: 4 GiB); None: any.

    Returns:
        The arrays by name, and the values by key. Values that `save_arrays` wrote come back; a string of another program's
        that is not JSON, such as "pt" under "format", comes as it is.

    Raises:
        CheckpointError: the file is missing, cannot be read, is larger than `max_bytes`, truncated, no safetensors file, or has
            an array of a type that NumPy does not have.
    """
    if max_bytes is not None and (type(max_bytes) is not int or max_bytes < 1):
        raise CheckpointError(f"max_bytes = {max_bytes!r} must be a whole number of at least 1, or None.")
    try:
        arrays, metadata = safetensors.read_all(path, max_bytes=max_bytes)
    except FormatError as error:
        raise CheckpointError(str(error)) from None
    return arrays, {key: _value(text, f"{shown(path)}: {key}") for key, text in metadata.items()}


def _value(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
    except RecursionError:
        raise CheckpointError(f"{where} is nested too deeply.") from None


def expect_format(path: Pathish, about: Mapping[str, Any], wanted: str) -> None:
    """Refuses a safetensors file that holds something else than `wanted`.

    Raises:
        CheckpointError: the file says that it holds something else, or does not say.
    """
    found = about.get("format")
    if found != wanted:
        raise CheckpointError(
            f"{shown(path)} should hold {wanted!r}, it holds {short(found)}: it is another program's file, or was renamed."
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
