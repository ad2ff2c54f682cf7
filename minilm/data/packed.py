"""A corpus that is ready to learn from: the tokens of its parts, in files of one length, and the tokenizer that made them.

It is a folder that ``minilm corpus`` (`minilm.pipeline`) has made, and `corpus.json` in it says what is there.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from minilm.data.corpus.documents import document_of
from minilm.data.corpus.records import record_of
from minilm.files import open_regular, read_regular, shown
from minilm.strict_json import JSONFault, object_from

from .errors import DataError
from .files import sha256_of
from .tokens import open_tokens, read_token_header

CORPUS = "corpus.json"
FORMAT = "minilm corpus 1"
TOKENIZER = "tokenizer.json"
_MAX_JSON = 1 << 26
_ANOTHER = "is not the file that was written when this corpus was made: copy the corpus again, or make it again"


class _Shard(NamedTuple):
    file: str
    tokens: int
    sha256: str


class _Texts(NamedTuple):
    file: str
    sha256: str


class _Split(NamedTuple):
    documents: int
    characters: int
    tokens: int
    shards: tuple[_Shard, ...]
    texts: tuple[_Texts, ...]


class _Source(NamedTuple):
    name: str
    licence: str


class _Tokenizer(NamedTuple):
    type: str
    vocab_size: int
    sha256: str


class _About(NamedTuple):
    """What `corpus.json` must say."""

    format: str
    version: str
    sha256: str
    input: str
    settings: Mapping[str, Any]
    sources: tuple[_Source, ...]
    splits: Mapping[str, _Split]
    tokenizer: _Tokenizer


class Shards:
    """Rows of ids one behind the other, as one row, of which parts are taken as from an array.

    Args:
        rows: the rows, as `open_tokens` gives them; of all but the last, equally many ids.
    """

    ndim = 1

    def __init__(self, rows: Sequence[NDArray[Any]]) -> None:
        self.rows = list(rows)
        self.size = len(self.rows[0])
        if any(len(row) != self.size for row in self.rows[:-1]) or len(self.rows[-1]) > self.size:
            raise DataError(
                f"the token files have {[len(row) for row in self.rows]} tokens: all but the last should have as many"
            )

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the ids."""
        return self.rows[0].dtype

    def __len__(self) -> int:
        return self.size * (len(self.rows) - 1) + len(self.rows[-1])

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice | NDArray[Any]) -> NDArray[Any]: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self[np.arange(*index.indices(len(self)))]
        at = np.asarray(index)
        if at.size and not (-len(self) <= at.min() and at.max() < len(self)):
            raise IndexError(f"place {at.min() if at.min() < -len(self) else at.max()} in a row of {len(self)} ids")
        number, place = np.divmod(at % len(self), self.size)
        found = np.empty(at.shape, self.dtype)
        for shard in np.unique(number):
            here = number == shard
            found[here] = self.rows[shard][place[here]]
        return found[()]


class PackedCorpus:
    """A corpus in its folder.

    Attributes:
        folder: where it lies.
        about: what `corpus.json` says.

    Raises:
        DataError: there is none in the folder, or its `corpus.json` is damaged.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        path = self.folder / CORPUS
        content = read_regular(path, DataError, max_bytes=_MAX_JSON, remedy="it is none of minilm's", what="corpus")
        try:
            self.about = object_from(content)
        except JSONFault as fault:
            raise DataError(f"{shown(path)} {fault}: make the corpus again") from None
        if self.about.get("format") != FORMAT:
            raise DataError(
                f"{shown(path)} is of the format {self.about.get('format')!r}; this minilm knows {FORMAT!r}"
            )
        try:
            record_of(_About, content)
        except DataError as error:
            raise DataError(f"{shown(path)} is damaged: {error}; make the corpus again") from None

    @property
    def sha256(self) -> str:
        """Of all ids of all parts, and of the tokenizer: two corpora with the same are the same to a model."""
        return str(self.about["sha256"])

    @property
    def tokenizer(self) -> Path:
        """The file of the tokenizer.

        Raises:
            DataError: it is missing, or another one's.
        """
        path = self.folder / TOKENIZER
        if sha256_of(path) != self.about["tokenizer"]["sha256"]:
            raise DataError(f"{shown(path)} {_ANOTHER}")
        return path

    def characters(self, split: str) -> int:
        """How many characters the texts of a part have."""
        return int(self._split(split)["characters"])

    def documents(self, split: str) -> int:
        """How many texts a part has."""
        return int(self._split(split)["documents"])

    def tokens(self, split: str) -> NDArray[Any] | Shards:
        """The ids of a part, mapped into memory: each text's in their order, and an end token behind each.

        Raises:
            DataError: there is no such part, or one of its files is missing, damaged or another corpus's.
        """
        rows = []
        for file in self._split(split)["shards"]:
            path = self._file(split, file["file"])
            row = open_tokens(path, vocab_size=self.about["tokenizer"]["vocab_size"])
            if (len(row), read_token_header(path).sha256) != (file["tokens"], file["sha256"]):
                raise DataError(f"{shown(path)} {_ANOTHER}")
            rows.append(row)
        if not rows:
            raise DataError(
                f"{shown(self.folder)}: nothing is in the part {split!r}: make the corpus again, with a larger --held-out"
            )
        return rows[0] if len(rows) == 1 else Shards(rows)

    def texts(self, split: str) -> Iterator[str]:
        """The texts of a part, in the order of their tokens.

        Raises:
            DataError: there is no such part, or one of its files is missing or damaged.
        """
        for file in self._split(split)["texts"]:
            path = self._file(split, file["file"])
            digest, lines = hashlib.sha256(), []
            with open_regular(path, DataError) as packed:
                try:
                    for line in gzip.GzipFile(fileobj=packed):
                        digest.update(line)
                        lines.append(line)
                except (EOFError, gzip.BadGzipFile, zlib.error):
                    raise DataError(f"{shown(path)} {_ANOTHER}") from None
            if digest.hexdigest() != file["sha256"]:
                raise DataError(f"{shown(path)} {_ANOTHER}")
            yield from (document_of(line).text for line in lines)

    def _file(self, split: str, name: str) -> Path:
        if os.path.basename(name) != name:
            raise DataError(f"{shown(self.folder)} is damaged: {name!r} is no name of a file in it")
        return self.folder / split / name

    def _split(self, name: str) -> dict[str, Any]:
        if name not in self.about["splits"]:
            raise DataError(
                f"{shown(self.folder)} has the parts {', '.join(self.about['splits'])}, and none called {name!r}"
            )
        return dict(self.about["splits"][name])


def is_corpus(source: str | os.PathLike[str]) -> bool:
    """Whether a corpus lies in the folder."""
    return (Path(source) / CORPUS).is_file()


def open_corpus(folder: str | os.PathLike[str]) -> PackedCorpus:
    """The corpus in a folder.

    Raises:
        DataError: there is none, or its `corpus.json` is damaged.
    """
    return PackedCorpus(folder)


__all__ = ["CORPUS", "FORMAT", "PackedCorpus", "Shards", "is_corpus", "open_corpus"]
