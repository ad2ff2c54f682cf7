"""The folder in which a corpus comes about: the plan, and for every part of every stage its files and its result.

A part is done when its result stands there, and its files are as long as the result says. It is written last and all at once, as every
file is (`minilm.files.atomic_write`), so a run that was killed goes on with the parts that have no result, and finds nothing half. A part
that was killed behind its files but before its result is computed again, and writes the same. Nothing here waits for the disk: if the
machine stops, files may be lost that were written last, and their length tells.

All that a part needs lies in this folder and in the input. So a part is named by three words (folder, stage, number), which are all that
another process or machine is told.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minilm.data.corpus.documents import Aside, Document, document_of
from minilm.data.corpus.partitions import Piece, plan, writable
from minilm.data.errors import DataError
from minilm.files import atomic_write, read_regular, shown
from minilm.pipeline.settings import Settings, differences
from minilm.strict_json import JSONFault, object_from

PLAN = "plan.json"
WORK = "work"
MAX_JSON = 1 << 30
NOT_STATED = "not stated"
NEW, GONE = "has come into the input", "is no part of the input any more,"


class Collection(NamedTuple):
    """Files that belong together, with a name by which they are weighed.

    Attributes:
        source: the name.
        path: a file or a folder.
        licence: under which the texts may be used, as it shall stand in the data card.
    """

    source: str
    path: str
    licence: str = NOT_STATED


class Plan(NamedTuple):
    """What is to be done.

    Attributes:
        settings: of the corpus.
        collections: in the order of their names.
        partitions: the pieces that are read together (`partitions.plan`).
        asides: files that are not read.
        evaluation: the files of evaluation sets, of which nothing may stand in the training part.
        tokenizer: the path of one that was given, or "".
        stamps: the size and the time of the last change of every file of the input.
    """

    settings: Settings
    collections: tuple[Collection, ...]
    partitions: tuple[tuple[Piece, ...], ...]
    asides: tuple[Aside, ...]
    evaluation: tuple[Piece, ...]
    tokenizer: str
    stamps: dict[str, list[int]]

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of what is read: names and sizes of all files. Where they lie, and when they were written, is none of it."""
        names = {(piece.source, piece.name, *self.stamps[piece.path][:1]) for some in self.partitions for piece in some}
        asked = {(piece.source, piece.name, *self.stamps[piece.path][:1]) for piece in self.evaluation}
        return hashlib.sha256(json.dumps([sorted(names), sorted(asked)]).encode()).hexdigest()


class Work:
    """The folder, opened.

    Raises:
        DataError: there is no plan in it, or it cannot be read.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.out = Path(folder)
        self.folder = self.out / WORK
        self.rows = lru_cache(64)(self._rows)

    @cached_property
    def plan(self) -> Plan:
        """The plan."""
        found = load_json(self.folder / PLAN)
        return Plan(
            Settings.from_json(found["settings"]),
            tuple(Collection(*fields) for fields in found["collections"]),
            tuple(tuple(Piece(*fields) for fields in pieces) for pieces in found["partitions"]),
            tuple(Aside(*fields) for fields in found["asides"]),
            tuple(Piece(*fields) for fields in found["evaluation"]),
            found["tokenizer"],
            found["stamps"],
        )

    @property
    def settings(self) -> Settings:
        """The corpus's."""
        return self.plan.settings

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of the collections, in order."""
        return tuple(collection.source for collection in self.plan.collections)

    def path(self, stage: str, part: int, kind: str) -> Path:
        """Where a file of a part lies."""
        return self.folder / stage / f"{part:06d}.{kind}"

    def paths(self, stage: str, parts: int, kind: str) -> list[Path]:
        """Where the files of one kind of all parts lie."""
        return [self.path(stage, part, kind) for part in range(parts)]

    @contextmanager
    def writing(self, stage: str, part: int, kind: str) -> Iterator[BinaryIO]:
        """Opens a file of a part for writing."""
        path = self.path(stage, part, kind)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path, durable=False) as file:
            yield file

    def is_done(self, stage: str, part: int) -> bool:
        """Whether the part has its result, and its files are whole."""
        try:
            found = load_json(self.path(stage, part, "json"))
        except DataError:
            return False
        return bool(found.get("files") == self._files(stage, part))

    def done(self, stage: str, part: int, result: dict[str, Any]) -> None:
        """Writes the result of a part, behind all its files."""
        with self.writing(stage, part, "json") as file:
            file.write(json_bytes({"files": self._files(stage, part), "result": result}))

    def _files(self, stage: str, part: int) -> dict[str, int]:
        """The sizes of a part's files, by their kinds."""
        found = sorted((self.folder / stage).glob(f"{part:06d}.*"))
        return {path.suffix[1:]: path.stat().st_size for path in found if path.suffix != ".json"}

    def result(self, stage: str, part: int = 0) -> dict[str, Any]:
        """The result of a part."""
        found: dict[str, Any] = load_json(self.path(stage, part, "json"))["result"]
        return found

    def results(self, stage: str, parts: int) -> Iterator[dict[str, Any]]:
        """The results of all parts, in order."""
        return (self.result(stage, part) for part in range(parts))

    # -- the documents that were read and judged ---------------------------------------------------------------------------

    def column(self, name: str, band: int | None = None) -> NDArray[Any]:
        """One field of the rows of all documents (`row_type`), one partition behind the other."""
        parts = (self.rows(part)[name] for part in range(len(self.plan.partitions)))
        return np.concatenate([np.array(part if band is None else part[:, band]) for part in parts])

    def _rows(self, part: int) -> NDArray[Any]:
        """The rows of a partition's documents, mapped into memory."""
        path = self.path("read", part, "rows")
        return np.memmap(path, self.row_type, "r") if path.stat().st_size else np.empty(0, self.row_type)

    @cached_property
    def row_type(self) -> np.dtype[Any]:
        """What is known of a document without its text."""
        return row_type(self.settings.bands[0])

    @cached_property
    def bounds(self) -> NDArray[np.int64]:
        """With which number each partition's documents begin, and all end."""
        sizes = [self.path("read", part, "rows").stat().st_size for part in range(len(self.plan.partitions))]
        return np.cumsum([0, *sizes]) // self.row_type.itemsize

    def lines(self, part: int, which: NDArray[np.int64]) -> Iterator[bytes]:
        """The lines of documents of a partition, by their places in it."""
        rows = self.rows(part)
        with self.path("read", part, "documents").open("rb") as file:
            for start, size in zip(rows["start"][which].tolist(), rows["size"][which].tolist(), strict=True):
                file.seek(start)
                yield file.read(size)

    def documents(self, part: int, which: NDArray[np.int64]) -> Iterator[Document]:
        """Documents of a partition, by their places in it."""
        return map(document_of, self.lines(part, which))

    def document(self, number: int) -> Document:
        """A document by its number among all."""
        part = int(np.searchsorted(self.bounds, number, side="right")) - 1
        return next(self.documents(part, np.array([number - self.bounds[part]])))


def row_type(bands: int) -> np.dtype[Any]:
    """The fields of a document's row.

    `digest`: of text, source and name; `bare`: of the bare text, equal for exact copies; `characters`; `start` and `size` of its line
    in the partition's file; `source` and `language`, as numbers; `keys`: of its bands.
    """
    return np.dtype(
        [("digest", "<u8"), ("bare", "<u8"), ("characters", "<i8"), ("start", "<i8"), ("size", "<i8"), ("source", "<i4"),
         ("language", "<i4"), ("keys", "<u8", (bands,))]
    )  # fmt: skip


# -- the plan ---------------------------------------------------------------------------------------------------------------


def make_plan(
    collections: Sequence[Collection],
    settings: Settings,
    *,
    evaluation: Sequence[str],
    tokenizer: str | None,
    size: int,
) -> Plan:
    """The plan of a corpus.

    Args:
        collections: what it is made from.
        settings: how.
        evaluation: files or folders of evaluation sets.
        tokenizer: the path of a tokenizer, or None for one that is made.
        size: the bytes of a partition.

    Raises:
        DataError: no collection, two of one name, a weight for one that there is not, or the input cannot be read.
    """
    collections = sorted(Collection(writable(source), path, writable(licence)) for source, path, licence in collections)
    names = [collection.source for collection in collections]
    if not names:
        raise DataError("no input: give a file, or a folder of .jsonl and .txt files")
    if twice := [name for name in names if names.count(name) > 1]:
        name = shown(twice[0])
        raise DataError(f"two inputs are called {name}: give them names, as in first={name} second=...")
    if unknown := sorted(settings.weights.keys() - set(names)):
        raise DataError(f"there is a weight for {unknown[0]!r}, but the inputs are {', '.join(names)}")
    parts, asides = [], list[Aside]()
    for collection in collections:
        found, left = plan(collection.path, collection.source, size=size)
        parts += [tuple(piece._replace(path=os.path.abspath(piece.path)) for piece in some) for some in found]
        asides += left
    asked = [
        piece._replace(path=os.path.abspath(piece.path))
        for path in sorted(evaluation)
        for some in plan(path, size=size)[0]
        for piece in some
    ]
    paths = {piece.path for some in (*parts, asked) for piece in some} | ({tokenizer} if tokenizer else set())
    stamps = {path: stamp(path) for path in sorted(paths)}
    collections = [collection._replace(path=os.path.abspath(collection.path)) for collection in collections]
    return Plan(settings, tuple(collections), tuple(parts), tuple(asides), tuple(asked), tokenizer or "", stamps)


def begin(folder: Path, wanted: Plan) -> Work:
    """The work on a plan, begun or gone on with.

    What may differ from the plan that stands there is how the input was divided: that one goes on.

    Raises:
        DataError: another corpus is in the folder, or the input has changed since.
    """
    work = Work(folder)
    if not (work.folder / PLAN).exists():
        save_json(work.folder / PLAN, {**wanted._asdict(), "settings": wanted.settings.to_json()})
        return work
    old = work.plan
    inputs = [inputs_in_words(plan.collections) for plan in (old, wanted)]
    changed = [
        *differences(old.settings.to_json(), wanted.settings.to_json()),
        *([] if inputs[0] == inputs[1] else [f"the inputs were {inputs[0]}, are {inputs[1]}"]),
    ]  # fmt: skip
    if changed:
        raise DataError(
            f"{shown(folder)} holds another corpus, which is not finished: {'; '.join(changed)}. Choose another folder"
        )
    if old.stamps != wanted.stamps:
        paths = sorted(old.stamps.keys() | wanted.stamps.keys())
        path = next(path for path in paths if old.stamps.get(path) != wanted.stamps.get(path))
        what = (
            "has changed"
            if path in old.stamps.keys() & wanted.stamps.keys()
            else NEW
            if path in wanted.stamps
            else GONE
        )
        raise DataError(
            f"{shown(path)} {what} since the work on {shown(folder)} began: put it back, or begin anew in another folder"
        )
    return work


def inputs_in_words(collections: Sequence[Collection]) -> str:
    """Names and licences, in order."""
    return ", ".join(f"{collection.source} ({collection.licence})" for collection in collections)


def stamp(path: str) -> list[int]:
    """Size and time of the last change of a file."""
    status = os.stat(path)
    return [status.st_size, status.st_mtime_ns]


# -- JSON -------------------------------------------------------------------------------------------------------------------


def save_json(path: Path, value: Any) -> None:
    """Writes JSON, atomically, and makes the folder for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        file.write(json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """A value as a line of JSON in UTF-8, where half a surrogate pair, as in a name that is no text, is written as JSON's escape of it.

    Raises:
        ValueError: there is a NaN in it, or an infinity.
    """
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace") + b"\n"


def load_json(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        DataError: there is none.
    """
    content = read_regular(path, DataError, max_bytes=MAX_JSON, remedy="it is none of minilm")
    try:
        return object_from(content, max_digits=20)
    except JSONFault as fault:
        raise DataError(f"{shown(path)} {fault}: delete it, and go on") from None


__all__ = [
    "NOT_STATED",
    "PLAN",
    "WORK",
    "Collection",
    "Plan",
    "Work",
    "begin",
    "inputs_in_words",
    "load_json",
    "make_plan",
    "row_type",
    "save_json",
]
