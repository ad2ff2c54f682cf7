"""Every function that reads a file, and every way in which a file can be something else than it should.

`outcome(reader, damage, folder)` tries one pair. Two answers are right: the value that the whole file gives, or the reader's own
error, at once, in bounded memory, naming the file. `ELSE` lists the pairs in which a damaged file is a whole file of another
value, which no reader can tell.
"""

import atexit
import contextlib
import functools
import gzip
import hashlib
import json
import os
import random
import shutil
import signal
import socket
import struct
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minilm.data import (
    DataError,
    fetch_url,
    get,
    iter_documents,
    iter_text,
    load_images,
    load_table,
    load_text,
    open_tokens,
    python_docstrings,
    read_idx,
    read_token_header,
    write_idx,
    write_tokens,
)
from minilm.data.package import Package, PackageFile
from minilm.data.sets.dataset import DataSet
from minilm.data.sets.table import TABLE
from minilm.formats import FormatError, gguf
from minilm.formats import safetensors as safetensors_file
from minilm.text import BPETokenizer, CharTokenizer, TokenizerError, WordPieceTokenizer, load_tokenizer
from minilm.text.huggingface import read_tokenizer_json, write_tokenizer_json
from minilm.training.checkpoint import CheckpointError, load_arrays, load_json, save_arrays, save_json
from tests.anew import anew

SECONDS = 1.0  # of the processor; other processes may keep it busy
HANG = 10.0
MEMORY = 200 << 20
LIMIT = 1 << 20
TEXT = "To be, or not to be: that is the question.\nWhether 'tis nobler in the mind to suffer\n" * 20
CSV = "".join(f"{i},{i / 4},{-i}e-3\n" for i in range(200))
JSONL = "".join(json.dumps({"n": i, "text": line}) + "\n" for i, line in enumerate(TEXT.splitlines()))
SOURCE = 'def f():\n    """What f does."""\n' + "x = 1\n" * 50
IMAGES = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
ARRAYS = {"w": np.arange(600, dtype=np.float32).reshape(20, 30), "b": np.ones(3)}


class Reader(NamedTuple):
    """One way to read a file.

    Attributes:
        write: makes a good file.
        read: reads it, from its path.
        error: the class of its errors.
        name: what the file is called; may lie in a folder.
        form: which contents it may be damaged by: "text", "json", "idx", "tokens", "safetensors", "any".
        limited: reads it with a limit of `LIMIT` bytes, where there is such an option.
    """

    write: Callable[[Path], Any]
    read: Callable[[Path], Any]
    error: type[Exception]
    name: str
    form: str
    limited: Callable[[Path], Any] | None = None


def text(content: str) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(content.encode())


def packed(content: str) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(gzip.compress(content.encode()))


def images_of(path: Path) -> Any:
    return load_images(path, other() / "labels")


def labels_of(path: Path) -> Any:
    return load_images(other() / "images", path)


@functools.cache
def other() -> Path:
    """A folder with the good file of a pair: three images, three labels."""
    folder = Path(tempfile.mkdtemp(prefix="minilm-"))
    folder.chmod(0o755)
    atexit.register(shutil.rmtree, folder)
    write_idx(folder / "images", IMAGES)
    write_idx(folder / "labels", np.arange(3, dtype=np.uint8))
    return folder


def toy() -> DataSet:
    """A data set of one file, in a package that nobody has."""
    wanted, archive = CSV.encode(), wheel()
    package = Package(
        wanted="the data set toy", place="toy", client="pip", package="minilm-no-such-package", version="1", archive="toy.whl",
        archive_sha256=hashlib.sha256(archive).hexdigest(), archive_size=len(archive), inside="toy",
        files=(PackageFile("toy.csv", hashlib.sha256(wanted).hexdigest(), len(wanted)),),
    )  # fmt: skip
    return DataSet(
        name="toy", title="", kind="words", reader="get", rows="", licence="", citation="", description="", packages=(package,)
    )  # fmt: skip


def from_cache(path: Path) -> bytes:
    """The toy data set, whose file in the cache is at `path`; there is no other copy, and no network."""
    TABLE["toy"] = toy()
    try:
        with in_cache(path.parent.parent):
            return get("toy").read_bytes()
    finally:
        del TABLE["toy"]


def archive_in_cache(path: Path) -> bytes:
    """The toy data set again, whose archive was put into the cache folder by hand."""
    TABLE["toy"] = toy()
    try:
        with in_cache(path.parent.parent):
            got = get("toy")
            content = got.read_bytes()
            got.unlink()
            return content
    finally:
        del TABLE["toy"]


def wheel() -> bytes:
    from io import BytesIO

    made = BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(zipfile.ZipInfo("toy/toy.csv"), CSV)
    return made.getvalue()


@contextlib.contextmanager
def in_cache(folder: Path):
    from minilm.data import package

    before, commands = os.environ.get("MINILM_CACHE"), package.fetch_commands
    os.environ["MINILM_CACHE"] = str(folder)
    package.fetch_commands = lambda entry, folder: [["/no/such/program"]]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the file is damaged, and fetched again
            yield
    finally:
        package.fetch_commands = commands
        os.environ.pop("MINILM_CACHE")
        if before is not None:
            os.environ["MINILM_CACHE"] = before


URL_SHA256 = hashlib.sha256(TEXT.encode()).hexdigest()


def from_url_cache(path: Path) -> bytes:
    with in_cache(path.parent.parent):
        return fetch_url("http://127.0.0.1:9/x.txt", URL_SHA256, timeout=0.2).read_bytes()


def tokenizer(cls: Any, **options: Any) -> Callable[[Path], Any]:
    return lambda path: cls.train(TEXT, **options).save(path)


def tables_equal(path: Path, **options: Any) -> Any:
    table = load_table(path, **options)
    return table.names, table.values


def gguf_of(path: Path) -> Any:
    with gguf.GGUF(path) as file:
        return file.metadata, {name: file.read(name) for name in file.tensors}


READERS = {
    "load_table": Reader(text(CSV), tables_equal, DataError, "t.csv", "text", lambda p: load_table(p, max_bytes=LIMIT)),
    "load_table, header": Reader(text("a,b,c\n" + CSV), tables_equal, DataError, "t.csv", "text"),
    "load_table, uint8": Reader(text("1,2\n3,4\n" * 30), lambda p: tables_equal(p, dtype=np.uint8), DataError, "t.csv", "text"),
    "load_table, packed": Reader(packed(CSV), tables_equal, DataError, "t.csv.gz", "gzip", lambda p: load_table(p, max_bytes=LIMIT)),
    "read_idx": Reader(lambda p: write_idx(p, IMAGES), read_idx, DataError, "x-ubyte", "idx", lambda p: read_idx(p, max_bytes=LIMIT)),
    "read_idx, packed": Reader(lambda p: write_idx(p, IMAGES), read_idx, DataError, "x-ubyte.gz", "gzip",
                               lambda p: read_idx(p, max_bytes=LIMIT)),
    "load_images": Reader(lambda p: write_idx(p, IMAGES), images_of, DataError, "x", "idx"),
    "load_images, labels": Reader(lambda p: write_idx(p, np.arange(3, dtype=np.uint8)), labels_of,
                                  DataError, "labels", "idx"),
    "load_text": Reader(text(TEXT), load_text, DataError, "t.txt", "text", lambda p: load_text(p, max_bytes=LIMIT)),
    "load_text, str": Reader(text(TEXT), lambda p: load_text(str(p)), DataError, "t.txt", "text"),
    "load_text, packed": Reader(packed(TEXT), load_text, DataError, "t.txt.gz", "gzip", lambda p: load_text(p, max_bytes=LIMIT)),
    "load_text, jsonl": Reader(text(JSONL), load_text, DataError, "t.jsonl", "jsonl", lambda p: load_text(p, max_bytes=LIMIT)),
    "load_text, packed jsonl": Reader(packed(JSONL), load_text, DataError, "t.jsonl.gz", "gzip",
                                      lambda p: load_text(p, max_bytes=LIMIT)),
    "load_text, folder": Reader(text(TEXT), lambda p: load_text(p.parent), DataError, "folder/t.txt", "text",
                                lambda p: load_text(p.parent, max_bytes=LIMIT)),
    "iter_text": Reader(text(TEXT), lambda p: "".join(iter_text(p)), DataError, "t.txt", "text",
                        lambda p: "".join(iter_text(p, max_bytes=LIMIT))),
    "iter_documents": Reader(text(JSONL), lambda p: list(iter_documents(p)), DataError, "t.jsonl", "jsonl",
                             lambda p: list(iter_documents(p, max_bytes=LIMIT))),
    "open_tokens": Reader(lambda p: write_tokens(p, [range(700)], 1000), open_tokens, DataError, "t.tokens", "tokens"),
    "open_tokens, verify": Reader(lambda p: write_tokens(p, [range(700)], 70_000), lambda p: open_tokens(p, verify=True), DataError,
                                  "t.tokens", "tokens"),
    "read_token_header": Reader(lambda p: write_tokens(p, [range(700)], 1000), read_token_header, DataError, "t.tokens", "tokens"),
    "load_tokenizer, char": Reader(tokenizer(CharTokenizer), lambda p: load_tokenizer(p).to_dict(), TokenizerError, "t.json", "json"),
    "load_tokenizer, bpe": Reader(tokenizer(BPETokenizer, vocab_size=300), lambda p: load_tokenizer(p).to_dict(), TokenizerError,
                                  "t.json", "json"),
    "load_tokenizer, wordpiece": Reader(tokenizer(WordPieceTokenizer, vocab_size=80), lambda p: load_tokenizer(p).to_dict(),
                                        TokenizerError, "t.json", "json"),
    "CharTokenizer.load": Reader(tokenizer(CharTokenizer), lambda p: CharTokenizer.load(p).to_dict(), TokenizerError, "t.json", "json"),
    "BPETokenizer.load": Reader(tokenizer(BPETokenizer, vocab_size=300), lambda p: BPETokenizer.load(p).to_dict(), TokenizerError,
                                "t.json", "json"),
    "read_tokenizer_json, bpe": Reader(lambda p: write_tokenizer_json(BPETokenizer.train(TEXT, vocab_size=270), p),
                                       lambda p: read_tokenizer_json(p).to_dict(), TokenizerError, "tokenizer.json", "json"),
    "read_tokenizer_json, wordpiece": Reader(lambda p: write_tokenizer_json(WordPieceTokenizer.train(TEXT, vocab_size=80), p),
                                             lambda p: read_tokenizer_json(p).to_dict(), TokenizerError, "tokenizer.json", "json"),
    "from_vocab_file": Reader(text("[UNK]\n" + "\n".join(map(str, range(300)))), lambda p: WordPieceTokenizer.from_vocab_file(p).to_dict(),
                              TokenizerError, "vocab.txt", "text"),
    "load_arrays": Reader(lambda p: save_arrays(p, ARRAYS, {"format": "f", "n": 1}), load_arrays, CheckpointError, "m.safetensors",
                          "safetensors", lambda p: load_arrays(p, max_bytes=LIMIT)),
    "safetensors.read": Reader(lambda p: safetensors_file.write(p, ARRAYS, metadata={"n": "1"}), safetensors_file.read, FormatError,
                               "m.safetensors", "safetensors", lambda p: safetensors_file.read(p, max_bytes=LIMIT)),
    "safetensors.header": Reader(lambda p: safetensors_file.write(p, ARRAYS), safetensors_file.header, FormatError, "m.safetensors",
                                 "safetensors"),
    "GGUF": Reader(lambda p: gguf.write(p, {"n": 1, "t": ["a", "b"] * 50}, ARRAYS), gguf_of, FormatError, "m.gguf", "gguf"),
    "load_json": Reader(lambda p: save_json(p, {"a": 1, "b": ["é"] * 50}), load_json, CheckpointError, "c.json", "json"),
    "get": Reader(text(CSV), from_cache, DataError, "toy/toy.csv", "hashed"),
    "get, archive": Reader(lambda p: p.write_bytes(wheel()), archive_in_cache, DataError, "toy/toy.whl", "hashed"),
    "fetch_url": Reader(text(TEXT), from_url_cache, DataError, f"url/{URL_SHA256}.txt", "hashed"),
    "python_docstrings": Reader(text(SOURCE), lambda p: python_docstrings(p.parent), DataError, "lib/t.py", "text"),
}  # fmt: skip


# -- what stands at the path ------------------------------------------------------------------------------------------------


def missing(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def link_to(target: str) -> Callable[[Path], None]:
    def link(path: Path) -> None:
        path.unlink()
        path.symlink_to(target)

    return link


def a_socket(path: Path) -> None:
    path.unlink()
    here = os.getcwd()
    os.chdir(path.parent)  # the name of a socket has at most 107 bytes
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("s")
    finally:
        os.chdir(here)
    os.rename(path.with_name("s"), path)


def link_to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def link_to_good(path: Path) -> None:
    target = path.with_name("target")
    path.rename(target)
    path.symlink_to("target")


def no_permission(path: Path) -> None:
    path.chmod(0)


def under_a_file(path: Path) -> Path:
    return path / path.name


def in_no_folder(path: Path) -> Path:
    return path.parent / "none" / path.name


def named(name: str) -> Callable[[Path], Path]:
    return lambda path: path.with_name(name + path.suffix)


def undecodable(path: Path) -> Path:
    return path.rename(path.with_name("\udcff" + path.name))


def with_control(path: Path) -> Path:
    return path.with_name("\x1b[31m\n" + path.name)


PLACES: dict[str, Callable[[Path], Path | None]] = {
    "missing": missing,
    "empty": empty,
    "a folder": folder,
    "a named pipe": pipe,
    "/dev/zero": link_to("/dev/zero"),
    "/dev/full": link_to("/dev/full"),
    "/dev/tty": link_to("/dev/tty"),
    "a socket": a_socket,
    "a link to nothing": link_to("nothing"),
    "a link to itself": link_to_itself,
    "a link to a good file": link_to_good,
    "no permission": no_permission,
    "under a file": under_a_file,
    "in no folder": in_no_folder,
    "name too long": named("x" * 300),
    "path too long": lambda path: path.parent / ("x/" * 3000) / path.name,
    "NUL in the name": named("x\0y"),
    "surrogate in the name": named("\ud800"),
    "control characters in the name": with_control,
    "undecodable name": undecodable,
    "40 GB of zeros": lambda path: (empty(path), os.truncate(path, 40 << 30))[0],
}


# -- what stands in the file ------------------------------------------------------------------------------------------------


def in_bytes(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        content = change(path.read_bytes())
        anew(path).write_bytes(content)

    return damage


def grown(path: Path) -> None:
    os.truncate(path, 40 << 30)


def recoded(encoding: str, mark: bytes = b"") -> Callable[[Path], None]:
    return in_bytes(lambda content: mark + content.decode("latin-1").encode(encoding))


@functools.cache
def bomb(byte: bytes) -> bytes:
    """300 MB of one byte, packed to 300 kB: 15 parts, as gzip allows."""
    return gzip.compress(byte * (20 << 20), 9, mtime=0) * 15


def with_mark(mark: bytes) -> Callable[[Path], None]:
    return in_bytes(lambda content: mark + content)


NOISE = random.Random(0).randbytes(5000)
CONTENTS: dict[str, Callable[[Path], None]] = {
    "cut in half": in_bytes(lambda c: c[: len(c) // 2]),
    "cut by a byte": in_bytes(lambda c: c[:-1]),
    "cut by three bytes": in_bytes(lambda c: c[:-3]),
    "noise": in_bytes(lambda c: NOISE),
    "noise in the middle": in_bytes(lambda c: c[: len(c) // 2] + NOISE[:16] + c[len(c) // 2 + 16 :]),
    "noise after it": in_bytes(lambda c: c + NOISE),
    "zeros in the middle": in_bytes(lambda c: c[: len(c) // 2] + bytes(64) + c[len(c) // 2 + 64 :]),
    "all zeros": in_bytes(lambda c: bytes(len(c))),
    "zeros after it": in_bytes(lambda c: c + bytes(4096)),
    "40 GB of zeros after it": grown,
    "UTF-16 LE": recoded("utf-16-le"),
    "UTF-16 BE": recoded("utf-16-be"),
    "UTF-16 LE with a mark": recoded("utf-16-le", b"\xff\xfe"),
    "UTF-16 BE with a mark": recoded("utf-16-be", b"\xfe\xff"),
    "UTF-32": recoded("utf-32"),
    "UTF-32 LE": recoded("utf-32-le"),
    "UTF-7": in_bytes(lambda c: c.decode("latin-1").encode("utf-7")),
    "Latin-1": in_bytes(lambda c: c[: len(c) // 2] + "é".encode("latin-1") + c[len(c) // 2 :]),
    "a byte order mark": with_mark(b"\xef\xbb\xbf"),
    "a byte order mark and CRLF": in_bytes(lambda c: b"\xef\xbb\xbf" + c.replace(b"\n", b"\r\n")),
    "CRLF": in_bytes(lambda c: c.replace(b"\n", b"\r\n")),
    "packed with gzip": in_bytes(gzip.compress),
    "packed twice": in_bytes(lambda c: gzip.compress(gzip.compress(c))),
    "packed and cut": in_bytes(lambda c: gzip.compress(c)[:-9]),
    "packed and followed by noise": in_bytes(lambda c: gzip.compress(c) + NOISE),
    "packed with a wrong byte": in_bytes(lambda c: gzip.compress(c)[:40] + b"\xff\xff" + gzip.compress(c)[42:]),
    "only the mark of gzip": in_bytes(lambda c: b"\x1f\x8b"),
    "zstd": with_mark(b"\x28\xb5\x2f\xfd"),
    "xz": with_mark(b"\xfd7zXZ\0"),
    "bzip2": with_mark(b"BZh91AY&SY"),
    "zip": in_bytes(lambda c: wheel()),
    "deep JSON": in_bytes(lambda c: b"[" * 200_000),
    "deep JSON objects": in_bytes(lambda c: b'{"text":' * 200_000),
    "a long number": in_bytes(lambda c: b"1" * 10_000),
    "JSON with a long number": in_bytes(lambda c: b'{"text": ' + b"1" * 10_000 + b"}"),
    "null": in_bytes(lambda c: b"null"),
}
JSONS: dict[str, Callable[[Path], None]] = {
    "a name twice": in_bytes(lambda c: c.replace(b"{", b'{"type": "char", "type": "bpe", "a": 1, "a": 1, ', 1)),
    "NaN": in_bytes(lambda c: c.replace(b"{", b'{"x": NaN, ', 1)),
    "Infinity": in_bytes(lambda c: c.replace(b"{", b'{"x": -Infinity, ', 1)),
    "a comma too many": in_bytes(lambda c: c.rstrip().removesuffix(b"}") + b",}"),
    "single quotes": in_bytes(lambda c: c.replace(b'"', b"'")),
    "a comment": in_bytes(lambda c: b"// settings\n" + c),
}
JSON_LINES: dict[str, Callable[[Path], None]] = {
    "a cut line": in_bytes(lambda c: c[:-40]),
    "a name twice": in_bytes(lambda c: c.replace(b"{", b'{"text": "a", ', 1)),
    "another type": in_bytes(lambda c: c.replace(b'"text": "', b'"text": 5, "x": "', 1)),
    "another name": in_bytes(lambda c: c.replace(b'"text"', b'"body"', 1)),
}
IDX: dict[str, Callable[[Path], None]] = {
    "sizes of 2**96": in_bytes(lambda c: struct.pack(">HBB3I", 0, 8, 3, *3 * [2**32 - 1])),
    "sizes of 2**60": in_bytes(lambda c: struct.pack(">HBB2I", 0, 8, 2, 2**30, 2**30) + bytes(100)),
    "sizes of 2**31": in_bytes(lambda c: struct.pack(">HBBI", 0, 8, 1, 2**31) + bytes(100)),
    "255 dimensions": in_bytes(lambda c: b"\0\0\x08\xff" + b"\0\0\0\1" * 255 + b"x"),
    "an unknown type": in_bytes(lambda c: b"\0\0\x0a" + c[3:]),
    "no dimension": in_bytes(lambda c: b"\0\0\x08\0" + c),
}


def header_of_tokens(**changes: Any) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        content = path.read_bytes()
        magic, line = content[:256].split(b"\n", 1)
        header = json.dumps({**json.loads(line), **changes}).encode()
        path.write_bytes((magic + b"\n" + header).ljust(255)[:255] + b"\n" + content[256:])

    return damage


TOKENS: dict[str, Callable[[Path], None]] = {
    "count 2**62": header_of_tokens(count=2**62),
    "count 10**100": header_of_tokens(count=10**40),
    "count -1": header_of_tokens(count=-1),
    "count true": header_of_tokens(count=True),
    "count 700.0": header_of_tokens(count=700.0),
    "vocab_size 10**30": header_of_tokens(vocab_size=10**30),
    "vocab_size -5": header_of_tokens(vocab_size=-5),
    "dtype float64": header_of_tokens(dtype="float64"),
    "dtype a list": header_of_tokens(dtype=["uint16"]),
    "dtype of the other size": header_of_tokens(dtype="uint64"),
    "a field too many": header_of_tokens(more=1),
    "no hash": header_of_tokens(sha256=None),
    "deep header": in_bytes(lambda c: c[:16] + b"[" * 239 + b"\n" + c[256:]),
    "version 2": in_bytes(lambda c: c.replace(b"tokens 1", b"tokens 2")),
}


def safetensors(header: Any, data: bytes = b"", length: int | None = None) -> Callable[[Path], None]:
    content = header if isinstance(header, bytes) else json.dumps(header).encode()
    return in_bytes(lambda c: struct.pack("<Q", len(content) if length is None else length) + content + data)


def tensor(dtype: Any = "F32", shape: Any = (1,), offsets: Any = (0, 4)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


SAFETENSORS: dict[str, Callable[[Path], None]] = {
    "header of 2**60": safetensors({}, length=2**60),
    "header of 2**64 - 1": safetensors({}, length=2**64 - 1),
    "header of 0": safetensors({}, length=0),
    "header of a GB that is not there": safetensors({}, length=1 << 30),
    "header: a list": safetensors([]),
    "header: no JSON": safetensors(b"{'a'}"),
    "header: a name twice": safetensors(b'{"a":%b,"a":%b}' % ((json.dumps(tensor()).encode(),) * 2), bytes(4)),
    "header: deep": safetensors(b"[" * 200_000),
    "header: a long number": safetensors(b'{"a":' + b"9" * 10_000 + b"}"),
    "header: NaN": safetensors({"a": tensor(shape=[float("nan")])}, bytes(4)),
    "tensor: a number": safetensors({"a": 5}),
    "tensor: a field too many": safetensors({"a": {**tensor(), "x": 1}}, bytes(4)),
    "tensor: no dtype": safetensors({"a": {"shape": [1], "data_offsets": [0, 4]}}, bytes(4)),
    "dtype F8_E4M3": safetensors({"a": tensor("F8_E4M3", [4])}, bytes(4)),
    "dtype F8_E5M2": safetensors({"a": tensor("F8_E5M2", [4])}, bytes(4)),
    "dtype F4": safetensors({"a": tensor("F4", [8])}, bytes(4)),
    "dtype C64": safetensors({"a": tensor("C64", [1], [0, 8])}, bytes(8)),
    "dtype of tomorrow": safetensors({"a": tensor("X9", [4])}, bytes(4)),
    "dtype a list": safetensors({"a": tensor(["F32"])}, bytes(4)),
    "shape of 2**60": safetensors({"a": tensor(shape=[2**30, 2**30])}, bytes(4)),
    "shape that overflows": safetensors({"a": tensor(shape=[2**58, 2**58, 0], offsets=[0, 0])}),
    "shape negative": safetensors({"a": tensor(shape=[-1])}, bytes(4)),
    "shape of 100 dimensions": safetensors({"a": tensor(shape=[1] * 100)}, bytes(4)),
    "shape true": safetensors({"a": tensor(shape=[True])}, bytes(4)),
    "shape a string": safetensors({"a": tensor(shape="1")}, bytes(4)),
    "offsets beyond the file": safetensors({"a": tensor(offsets=[4, 8])}, bytes(4)),
    "offsets reversed": safetensors({"a": tensor(offsets=[4, 0])}, bytes(4)),
    "offsets that overlap": safetensors({"a": tensor(), "b": tensor()}, bytes(8)),
    "offsets with a gap": safetensors({"a": tensor(), "b": tensor(offsets=[8, 12])}, bytes(12)),
    "offsets: one": safetensors({"a": tensor(offsets=[4])}, bytes(4)),
    "metadata: a list": safetensors({"__metadata__": [1]}),
    "metadata: a number": safetensors({"__metadata__": {"a": 1}}),
    "metadata: deep": safetensors({"__metadata__": {"a": "[" * 200_000}}),
    "a bool that is 2": safetensors({"a": tensor("BOOL", [4])}, bytes([0, 1, 2, 1])),
    "40 GB in the header, too": lambda path: (
        safetensors({"a": tensor("U8", [40 << 30], [0, 40 << 30])})(path), os.truncate(path, path.stat().st_size + (40 << 30))
    )[0],
}  # fmt: skip
BOMBS: dict[str, Callable[[Path], None]] = {
    "300 MB of line ends in 300 kB": in_bytes(lambda c: c + bomb(b"\n")),
    "300 MB of zeros in 300 kB": in_bytes(lambda c: c + bomb(b"\0")),
    "300 MB of zeros and nothing else": in_bytes(lambda c: bomb(b"\0")),
    "packed and cut": in_bytes(lambda c: c[:-9]),
    "packed and followed by noise": in_bytes(lambda c: c + NOISE),
    "packed with a wrong byte": in_bytes(lambda c: c[:40] + b"\xff\xff" + c[42:]),
    "packed twice": in_bytes(gzip.compress),
    "packed in two parts": in_bytes(lambda c: gzip.compress(gzip.decompress(c)[:300]) + gzip.compress(gzip.decompress(c)[300:])),
    "not packed in spite of its name": in_bytes(gzip.decompress),
    "noise": CONTENTS["noise"],
    "cut in half": CONTENTS["cut in half"],
    "UTF-16 in it": in_bytes(lambda c: gzip.compress(gzip.decompress(c).decode("latin-1").encode("utf-16-le"))),
    "zstd": CONTENTS["zstd"],
}  # fmt: skip
LARGE: dict[str, Callable[[Path], None]] = {
    "larger than the limit": in_bytes(lambda c: c * (LIMIT // len(c) + 1)),
    "40 GB of zeros after it": grown,
}
BY_FORM = {
    "text": CONTENTS,
    "json": CONTENTS | JSONS,
    "jsonl": CONTENTS | JSON_LINES,
    "idx": CONTENTS | IDX,
    "tokens": CONTENTS | TOKENS,
    "safetensors": CONTENTS | SAFETENSORS,
    "gguf": CONTENTS,
    "gzip": BOMBS,
    "hashed": CONTENTS,
}
# A text that ends earlier, or ends with other words, is a text as well; a table of fewer rows is a table; noise may parse.
CUT = {"cut in half", "cut by a byte", "cut by three bytes"}
ELSE = {
    **dict.fromkeys(
        ("load_text", "load_text, str", "load_text, folder", "iter_text", "from_vocab_file"),
        CUT | {"UTF-7", "deep JSON", "deep JSON objects", "a long number", "JSON with a long number", "null"},
    ),
    "load_table": CUT | {"UTF-7"},
    "load_table, header": CUT | {"UTF-7"},
    "load_table, uint8": CUT | {"UTF-7"},
    "load_text, jsonl": {"UTF-7"},
    "python_docstrings": CUT | {"UTF-7", "noise in the middle"},
    "load_tokenizer, char": {"UTF-7", "CRLF"},
    "load_tokenizer, bpe": {"UTF-7", "CRLF"},
    "read_tokenizer_json, bpe": {"UTF-7"},
    "read_tokenizer_json, wordpiece": {"UTF-7"},
    "read_token_header": {"noise in the middle", "zeros in the middle"},
    "open_tokens": {"noise in the middle", "zeros in the middle"},  # found with verify=True
    "load_images": {"noise in the middle", "zeros in the middle"},
    "read_idx": {"noise in the middle", "zeros in the middle", "CRLF"},
    "load_arrays": {"noise in the middle", "zeros in the middle"},
    "safetensors.read": {"noise in the middle", "zeros in the middle", "metadata: deep"},
    "safetensors.header": {
        "noise in the middle",
        "zeros in the middle",
        "metadata: deep",
        "a bool that is 2",
        "40 GB in the header, too",
    },
    "GGUF": {"noise in the middle", "zeros in the middle"},
    "load_json": {"UTF-7"},
}


def pairs() -> list[tuple[str, str]]:
    """All pairs of a reader and a damage, by name."""
    found = []
    for name, reader in READERS.items():
        found += [(name, damage) for damage in (*PLACES, *BY_FORM[reader.form])]
        found += [(name, f"{damage}, limited") for damage in (LARGE if reader.limited else ())]
    return found


def damages_of(reader: Reader) -> dict[str, tuple[Callable[[Path], Path | None], Callable[[Path], Any]]]:
    limited = reader.limited or reader.read
    found = {name: (damage, reader.read) for name, damage in {**PLACES, **BY_FORM[reader.form]}.items()}
    if reader.form == "gzip":
        found |= {name: (damage, limited) for name, damage in BOMBS.items() if "300 MB" in name}
    if reader.limited:
        found |= {f"{name}, limited": (damage, limited) for name, damage in LARGE.items()}
    return found


class TooLate(BaseException):
    """No Exception, and above all no OSError: those the readers are allowed to catch."""


@contextlib.contextmanager
def bounded():
    """Raises TooLate or MemoryError in place of waiting for ever or taking all memory."""
    import resource  # not on Windows, where this module can be imported all the same

    def too_late(*_: Any) -> None:
        raise TooLate(f"hangs for {HANG} s")

    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGALRM, too_late)
    signal.setitimer(signal.ITIMER_REAL, HANG)
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def as_another_user(wanted: bool):
    """Root may read everything; as somebody else it may not. Where a system does not let it change, the file is just read."""
    changed = False
    if wanted and os.geteuid() == 0:
        with contextlib.suppress(OSError):
            os.seteuid(65534)
            changed = True
    try:
        yield
    finally:
        if changed:
            os.seteuid(0)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, tuple):
        return isinstance(b, tuple) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


@functools.cache
def whole(name: str) -> tuple[bytes, Any]:
    """A good file of a reader's, and its value."""
    reader = READERS[name]
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / reader.name
        path.parent.mkdir(exist_ok=True)
        reader.write(path)
        content = path.read_bytes()
        return content, reader.read(path)


def outcome(name: str, damage: str, place: Path) -> str:
    """What happens in one pair: "value", "error: ..." or "FAULT: ..."."""
    reader = READERS[name]
    path = place / reader.name
    path.parent.mkdir(parents=True, exist_ok=True)
    content, good = whole(name)
    path.write_bytes(content)
    do, read = damages_of(reader)[damage]
    path = do(path) or path
    start = time.process_time()
    try:
        with bounded(), as_another_user(damage == "no permission"):
            value = read(path)
            right = same(value, good) or damage in ELSE.get(name, ())
    except reader.error as error:
        fault = wrong_message(str(error), type(error) is reader.error, path)
        if time.process_time() - start > SECONDS:
            fault = "slow"
        return f"FAULT: {fault}: {error}" if fault else f"error: {error}"
    except BaseException as error:
        return f"FAULT: {type(error).__name__}: {str(error)[:200]}"
    if time.process_time() - start > SECONDS:
        return "FAULT: slow"
    return "value" if right else f"FAULT: another value: {str(value)[:200]!r}"


def wrong_message(message: str, own: bool, path: Path) -> str | None:
    if not own:
        return "class"
    try:
        message.encode("utf-8")
    except UnicodeEncodeError:
        return "cannot be printed"
    if any(not character.isprintable() and character != "\n" for character in message):
        return "control characters"
    names = [path.name[:100], path.parent.name, "toy", "127.0.0.1"]
    if not any(name in message for name in names):
        return "names no file"
    if any(word in message for word in ("Error", "NoneType", "object has no", "row 0")):
        return "obscure"
    return None
