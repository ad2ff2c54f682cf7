"""Token files: the token ids of a text that may be larger than memory, and blocks drawn from them.

A token file is a header of 256 bytes, readable by eye (a line that names the format, then a line of JSON padded with
blanks), and the ids, little-endian, 2 bytes each if the vocabulary has at most 65,536 entries and 4 otherwise. It is
read through a memory map: the system brings in the pages that are looked at and no more.

The map stays what it was when another file is renamed to its name, as `write_tokens` does. A file must not be shortened
in place while it is mapped: the system then ends the process that touches what is gone, and no error can be raised.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from minilm.files import atomic_write, open_regular, packed_as, shown
from minilm.strict_json import JSONFault, object_from

from .errors import DataError
from .files import CHUNK_BYTES, check_count

_MAGIC = b"minilm tokens 1\n"
_HEADER_BYTES = 256
_ITEM_BYTES = {"uint16": 2, "uint32": 4}


@dataclass(frozen=True)
class TokenHeader:
    """What the header of a token file says: type and number of the ids, size of the vocabulary, SHA-256 of the ids."""

    dtype: str
    count: int
    vocab_size: int
    sha256: str


def write_tokens(path: str | Path, pieces: Iterable[NDArray[Any] | Sequence[int]], vocab_size: int) -> TokenHeader:
    """Write the ids of `pieces`, one after the other, to a token file; only one piece is in memory at a time.

    With a tokenizer's `encode`, a large text goes to disk by
    `write_tokens(path, map(encode, iter_text(source)), vocab_size)`. The file appears when it is complete. Raises
    DataError for an id outside 0 .. vocab_size - 1, ids that are not whole numbers, and if there are none.
    """
    check_count("vocab_size", vocab_size)
    if vocab_size > 2**32:
        raise DataError(f"vocab_size = {vocab_size} must lie between 1 and 2**32")
    dtype = _dtype_for(vocab_size)
    digest, count = hashlib.sha256(), 0
    with atomic_write(path) as file:
        file.write(b" " * _HEADER_BYTES)
        for number, piece in enumerate(pieces):
            ids = _checked(piece, number, vocab_size)
            content = ids.astype(np.dtype(dtype).newbyteorder("<")).tobytes()
            digest.update(content)
            file.write(content)
            count += len(ids)
        if count == 0:
            raise DataError(f"no tokens to write to {path}: the text is empty")
        header = TokenHeader(dtype, count, vocab_size, digest.hexdigest())
        file.seek(0)
        file.write(_MAGIC + json.dumps(asdict(header)).encode().ljust(_HEADER_BYTES - len(_MAGIC) - 1) + b"\n")
    return header


def _checked(piece: NDArray[Any] | Sequence[int], number: int, vocab_size: int) -> NDArray[Any]:
    ids = np.asarray(piece)
    if ids.size == 0:
        return np.zeros(0, np.int64)
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise DataError(f"piece {number} holds {ids.dtype} of shape {ids.shape}, expected a row of whole numbers")
    for extreme in (int(ids.min()), int(ids.max())):
        if not 0 <= extreme < vocab_size:
            raise DataError(f"piece {number} holds the token id {extreme}, but vocab_size is {vocab_size}")
    return ids


def read_token_header(path: str | Path) -> TokenHeader:
    """The header of a token file; raises DataError if it is none, or if the file is shorter or longer than it says."""
    with open_regular(path, DataError, "token file") as file:
        return _header_of(file, shown(path))


def _header_of(file: BinaryIO, name: str) -> TokenHeader:
    head = file.read(_HEADER_BYTES)
    if (packing := packed_as(head)) is not None:
        raise DataError(f"{name} is compressed with {packing}: unpack it first, as it is read in place")
    if len(head) < _HEADER_BYTES or not head.startswith(_MAGIC):
        raise DataError(
            f"{name} is no token file: expected it to begin with {_MAGIC.decode().strip()!r}; make one with write_tokens"
        )
    header = _parse(head[len(_MAGIC) :], name)
    expected, size = _HEADER_BYTES + header.count * _ITEM_BYTES[header.dtype], os.fstat(file.fileno()).st_size
    if size != expected:
        raise DataError(
            f"{name} is damaged: its header promises {expected:,} bytes, it has {size:,}; copy it or write it again"
        )
    return header


def _parse(text: bytes, name: str) -> TokenHeader:
    try:
        values = object_from(text)
    except JSONFault as error:
        raise DataError(f"{name} is damaged: its header {error}") from None
    expected = [field.name for field in fields(TokenHeader)]
    if sorted(values) != sorted(expected):
        raise DataError(f"{name} is damaged: its header has the fields {sorted(values)}, expected {expected}")
    header = TokenHeader(**values)
    numbers = (header.count, header.vocab_size)
    valid = isinstance(header.sha256, str) and all(type(n) is int and 0 < n < 2**63 for n in numbers)
    if not valid or header.dtype != _dtype_for(header.vocab_size):
        raise DataError(f"{name} is damaged: its header says {str(header)[:300]}")
    return header


def _dtype_for(vocab_size: int) -> str:
    return "uint16" if vocab_size <= 2**16 else "uint32"


def open_tokens(path: str | Path, *, vocab_size: int | None = None, verify: bool = False) -> NDArray[Any]:
    """The ids in a token file as a read-only memory map of shape (count,), uint16 or uint32.

    `vocab_size` is the size of the model's vocabulary, to be checked against the file's. `verify=True` reads the
    whole file once and compares its SHA-256. Raises DataError if the file is none, is damaged, or was made with a
    larger vocabulary.
    """
    if vocab_size is not None:
        check_count("vocab_size", vocab_size)
    with open_regular(path, DataError, "token file") as file:
        header = _header_of(file, shown(path))
        if vocab_size is not None and header.vocab_size > vocab_size:
            raise DataError(
                f"{shown(path)} was made with a vocabulary of {header.vocab_size} tokens, the model has {vocab_size}: "
                "encode the text with the model's own tokenizer"
            )
        # Mapped from the open file: by its name it might be another one by now.
        tokens = np.memmap(file, np.dtype(header.dtype).newbyteorder("<"), "r", _HEADER_BYTES, (header.count,))
        if verify and _sha256_of(tokens) != header.sha256:
            raise DataError(
                f"{shown(path)} is damaged: its tokens do not have the SHA-256 of its header; write it again"
            )
    return tokens


def _sha256_of(tokens: NDArray[Any]) -> str:
    digest = hashlib.sha256()
    for start in range(0, len(tokens), CHUNK_BYTES):
        digest.update(tokens[start : start + CHUNK_BYTES].tobytes())
    return digest.hexdigest()


def random_blocks(
    tokens: NDArray[Any], block_size: int, batch_size: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A batch for language modelling: blocks at random places, and the same blocks one token further on.

    x[b] = tokens[o : o + block_size] and y[b] = tokens[o + 1 : o + 1 + block_size], with the offset o of each b drawn
    uniformly from 0 .. len(tokens) - block_size - 1, as nanoGPT's get_batch does. Both are int64 of shape
    (batch_size, block_size). Raises DataError if the text is too short for one block and its successor.
    """
    _check_blocks(tokens, block_size)
    if batch_size < 1:
        raise DataError(f"batch_size = {batch_size} must be 1 or more")
    return _blocks_at(tokens, rng.integers(0, len(tokens) - block_size, size=batch_size), block_size)


class TokenBlocks:
    """All blocks of a text in their order, without overlap: the data set of an evaluation that sees each token once.

    Item i is (x, y) with x = tokens[i * block_size : (i + 1) * block_size] and y one token further on, int64. The
    tokens after the last whole block are left out. Raises DataError if the text is too short for one block.
    """

    def __init__(self, tokens: NDArray[Any], block_size: int) -> None:
        _check_blocks(tokens, block_size)
        self.tokens = tokens
        self.block_size = block_size

    def __len__(self) -> int:
        return (len(self.tokens) - 1) // self.block_size

    def __getitem__(self, index: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"block {index} of {len(self)}")
        x, y = self.gather(np.array([index % len(self)]))
        return x[0], y[0]

    def gather(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The blocks at `indices` as x and y of shape (len(indices), block_size)."""
        return _blocks_at(self.tokens, indices * self.block_size, self.block_size)


def _check_blocks(tokens: NDArray[Any], block_size: int) -> None:
    if tokens.ndim != 1 or tokens.dtype.kind not in "iu":
        raise DataError(f"tokens must be a row of whole numbers, got {tokens.dtype} of shape {tokens.shape}")
    if block_size < 1:
        raise DataError(f"block_size = {block_size} must be 1 or more")
    if len(tokens) < block_size + 1:
        raise DataError(
            f"the text has {len(tokens)} tokens, but a block of {block_size} and its successor need {block_size + 1}: "
            "use a longer text or a smaller block_size"
        )


def _blocks_at(
    tokens: NDArray[Any], offsets: NDArray[np.int64], block_size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    windows = tokens[offsets[:, None] + np.arange(block_size + 1)].astype(np.int64)  # (batch, block_size + 1)
    return np.ascontiguousarray(windows[:, :-1]), np.ascontiguousarray(windows[:, 1:])
