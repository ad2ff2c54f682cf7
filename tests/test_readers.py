"""Every reader, and everything that can stand where its file should be: see `tests/readers.py`."""

import inspect
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import minilm.data
from minilm import text
from minilm.data import (
    DataError,
    fetch_url,
    iter_text,
    load_table,
    load_text,
    open_tokens,
    plain_text,
    read_idx,
    write_tokens,
)
from minilm.files import no_text, open_regular, shown
from minilm.formats import safetensors
from minilm.text import TokenizerError, huggingface, load_tokenizer
from minilm.training import checkpoint
from minilm.training.checkpoint import CheckpointError, load_arrays, load_json
from tests.readers import PLACES, READERS, bomb, bounded, damages_of, outcome

SOURCES = Path(minilm.data.__file__).parents[1]
pytestmark = [
    pytest.mark.host,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="pipes and limits of Linux"),
]


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_gives_its_value_or_one_error_at_once(name, tmp_path):
    found = {}
    for i, damage in enumerate(damages_of(READERS[name])):
        result = outcome(name, damage, tmp_path / str(i))
        if result.startswith("FAULT"):
            found[damage] = result
    assert not found


def test_the_sweep_is_as_large_as_it_says():
    assert sum(len(damages_of(reader)) for reader in READERS.values()) > 1700


KINDS = {
    "a folder": "a folder",
    "a named pipe": "a named pipe",
    "/dev/zero": "a device",
    "/dev/full": "a device",
    "/dev/tty": "a device",
    "a socket": "a socket",
}


@pytest.mark.parametrize("damage", KINDS)
@pytest.mark.parametrize(
    "name", ["load_table", "read_idx", "load_text, str", "open_tokens", "load_tokenizer, char", "load_json"]
)
def test_what_is_no_regular_file_is_called_by_its_name(name, damage, tmp_path):
    if (name, damage) == ("load_text, str", "a folder"):
        return  # the files in it are read
    assert f"it is not a regular file but {KINDS[damage]}; give the path of a file" in outcome(name, damage, tmp_path)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("missing", "there is no file .*c.json: it does not exist in the folder"),
        ("in no folder", "there is no file .*c.json: the folder .*none does not exist"),
        ("under a file", "there is no file .*c.json/c.json: .*c.json is no folder"),
        ("a link to nothing", "it is a link to nothing, which does not exist"),
        ("a link to itself", "cannot be read .*the link leads back to itself, remove it"),
        ("name too long", "cannot be read .*the name is too long"),
        ("no permission", r"cannot be read \(Permission denied\); check its permissions"),
        ("NUL in the name", "no file can have that name"),
        (
            "40 GB of zeros",
            "is larger than 16 MiB: it is no config of minilm; if it is one, raise minilm.training.checkpoint.MAX_JSON_BYTES",
        ),
    ],
)
def test_a_missing_config_is_missing_and_not_invalid(damage, words, tmp_path):
    result = outcome("load_json", damage, tmp_path)
    assert re.search(words, result)
    assert "JSON (" not in result


def public_readers():
    """All public functions and class methods that take a path, by the name of that argument."""
    found = {}
    for module, names in (
        (minilm.data, minilm.data.__all__),
        (text, text.__all__),
        (checkpoint, ("load_arrays", "load_json")),
        (safetensors, ("read", "header", "read_all")),
        (huggingface, huggingface.__all__),
    ):
        for name in names:
            value = getattr(module, name)
            functions = {name: value} if inspect.isfunction(value) else {}
            if inspect.isclass(value):
                functions = {
                    f"{name}.{k}": getattr(value, k) for k in vars(value) if inspect.ismethod(getattr(value, k))
                }
            for label, function in functions.items():
                first = next(iter(inspect.signature(function).parameters), "")
                if first in ("path", "source", "root", "url", "name") and not label.startswith(("write_", "describe")):
                    found[label] = first
    return found


def test_every_public_function_that_reads_is_in_the_sweep():
    covered = {re.split(",", name)[0] for name in READERS} | {"WordPieceTokenizer.from_vocab_file", "BPETokenizer.load"}
    covered |= {"read", "header", "read_all"}  # of safetensors
    # Which looks and answers False; whose files `get` brings; which `python_docstrings` joins; which is CharTokenizer.load.
    others = {"is_here", "get_files", "docstrings", "Tokenizer.load"}
    assert set(public_readers()) - covered - others == set()


def test_readers_open_files_in_one_way():
    """A reader that opens a file by itself waits for a pipe and reads /dev/zero until the memory is full."""
    # Verified by their hash, made a moment ago, or written.
    allowed = {"url.py": 0, "words.py": 3, "files.py": 1, "archives.py": 3, "pip_archive.py": 1, "apt_index.py": 2}
    opens = re.compile(r"(?<![\w.])open\(|\.read_(?:bytes|text)\(|(?:gzip|tarfile)\.open\(|np\.(?:load|fromfile)\(")
    rooms = [path for room in ("data", "text", "formats", "pretrained") for path in SOURCES.glob(f"{room}/*.py")]
    for path in [*rooms, SOURCES / "training/checkpoint.py"]:
        assert len(opens.findall(path.read_text(encoding="utf-8"))) == allowed.get(path.name, 0), path


# -- arguments ----------------------------------------------------------------------------------------------------------------

GOOD = {"t.csv": b"1,2\n3,4\n", "t.txt": b"words\n", "x.idx": b"\0\0\x08\x01\0\0\0\1\5", "j.json": b"{}"}
NO_PATHS = [None, 5, True, 1.5, b"t.csv", ["t.csv"]]
NO_COUNTS = [0, -1, 1.5, "9", True, float("nan"), float("inf")]
NO_TIMES = [-1, "9", float("nan"), float("inf"), None]
NO_STRINGS = [None, 5, b"text", ["text"]]
BY_PATH = (load_table, read_idx, load_text, open_tokens, load_json, load_arrays, load_tokenizer)
ARGUMENTS = [
    *((load_table, "t.csv", {"delimiter": value}) for value in ["", ",,", "\n", "\r", '"', "\0", "1", ".", "-", "e", None, 5, b","]),
    *((load_table, "t.csv", {"dtype": value}) for value in [str, "U5", bool, complex, object, "nonsense", None, "f4,i4", "M8[s]", "f16"]),
    *((load_table, "t.csv", {"header": value}) for value in ["yes", 5, [], "", 0.5]),
    *((load_table, "t.csv", {"max_bytes": value}) for value in NO_COUNTS),
    *((read_idx, "x.idx", {"max_bytes": value}) for value in NO_COUNTS),
    *((load_text, "t.txt", {"max_bytes": value}) for value in NO_COUNTS),
    *((load_text, "t.txt", {"field": value}) for value in NO_STRINGS),
    *((load_text, "t.txt", {"separator": value}) for value in NO_STRINGS),
    *((load_text, "https://host.invalid/x.txt", {"sha256": value}) for value in [*NO_STRINGS, "", "0" * 63, "g" * 64]),
    *((open_tokens, "tokens", {"vocab_size": value}) for value in NO_COUNTS),
    *((fetch_url, value, {"sha256": "0" * 64}) for value in [*NO_PATHS, "", "x", "http://", "http://[::1", "ftp://h/x", "https://ä.de/"]),
    *((fetch_url, "http://127.0.0.1:9/", {"sha256": "0" * 64, "max_bytes": value}) for value in NO_COUNTS),
    *((fetch_url, "http://127.0.0.1:9/", {"sha256": "0" * 64, "timeout": value}) for value in [0, *NO_TIMES]),
    *((write_tokens, "tokens", {"pieces": [[1]], "vocab_size": value}) for value in [*NO_COUNTS, None, 2**40]),
    *((load_arrays, "j.json", {"max_bytes": value}) for value in NO_COUNTS),
    *((function, value, {}) for function in BY_PATH for value in NO_PATHS),
    *((minilm.data.get, value, {}) for value in NO_PATHS),
    *((minilm.data.load_images, value, {"labels": "x.idx"}) for value in NO_PATHS),
    *((minilm.data.load_images, "x.idx", {"labels": value}) for value in NO_PATHS),
    *((minilm.data.python_docstrings, value, {}) for value in NO_PATHS if value is not None),
]  # fmt: skip


def test_a_wrong_argument_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINILM_CACHE", str(tmp_path / "cache"))
    for name, content in GOOD.items():
        Path(name).write_bytes(content)
    write_tokens("tokens", [[1, 2]], 5)
    found = {}
    for function, first, options in ARGUMENTS:
        case = f"{function.__name__}({first!r}, {options})"
        try:
            found[case] = f"taken: {function(first, **options)!r}"
        except (DataError, CheckpointError, TokenizerError, TypeError) as error:
            message = str(error)
            named = any(repr(value)[:50] in message for value in (first, *options.values())) or "needs" in message
            # Python's own words for a wrong argument do not say which.
            if not named or (type(error) is TypeError and "expected the path of a file as str or Path" not in message):
                found[case] = f"{type(error).__name__}: {message}"
        except Exception as error:
            found[case] = f"{type(error).__name__}: {error}"
    assert not found
    assert len(ARGUMENTS) > 160


# -- files that change, names that cannot be printed --------------------------------------------------------------------------


def test_a_file_that_is_written_to_while_it_is_read_is_noticed(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("some text\n" * 300_000)
    pieces = iter_text(path)
    next(pieces)
    with open(path, "a") as file:
        file.write("more\n")
    with pytest.raises(
        DataError, match=r"t\.txt was changed while it was read: read it again when nobody writes to it"
    ):
        list(pieces)


def test_a_file_that_is_replaced_while_it_is_read_stays_the_old_one(tmp_path):
    path, new = tmp_path / "t.txt", tmp_path / "new"
    path.write_text("old text\n" * 300_000)
    new.write_text("new\n")
    pieces = iter_text(path)
    first = next(pieces)
    os.replace(new, path)
    assert first + "".join(pieces) == "old text\n" * 300_000
    assert load_text(path) == "new\n"


def test_mapped_tokens_stay_those_of_the_file_that_was_opened(tmp_path):
    path = tmp_path / "t.tokens"
    write_tokens(path, [range(5000)], 5000)
    tokens = open_tokens(path)
    write_tokens(path, [[7]], 5000)
    np.testing.assert_array_equal(tokens, np.arange(5000))
    assert open_tokens(path).tolist() == [7]


def test_tokens_are_mapped_from_the_file_whose_header_was_read(tmp_path, monkeypatch):
    path = tmp_path / "t.tokens"
    write_tokens(path, [range(500)], 5000)
    write_tokens(tmp_path / "other", [range(500, 1500)], 5000)
    plain = np.memmap

    def replaced_first(*arguments):
        os.replace(tmp_path / "other", path)
        return plain(*arguments)

    monkeypatch.setattr(np, "memmap", replaced_first)
    np.testing.assert_array_equal(open_tokens(path, verify=True), np.arange(500))


def test_a_line_of_300_mb_does_not_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(plain_text, "MAX_LINE_BYTES", 8 << 20)
    (tmp_path / "t.txt").write_bytes(bomb(b"x"))
    with bounded(), pytest.raises(DataError, match=r"t\.txt has a line of more than 8 MiB at offset 1048576"):
        list(iter_text(tmp_path / "t.txt"))


def test_a_name_is_shown_so_that_any_terminal_takes_it():
    assert shown("a b/ü.txt") == "a b/ü.txt"
    assert shown("\x1b[31m\n\udcff") == r"\x1b[31m\n\udcff"
    assert shown("") == "''"


def test_a_folder_may_hold_what_is_no_file(tmp_path):
    """Pipes and broken links in a folder of texts are left out, as hidden files are."""
    (tmp_path / "a.txt").write_text("A")
    os.mkfifo(tmp_path / "b.txt")
    (tmp_path / "c.txt").symlink_to("nowhere")
    (tmp_path / "d.txt").symlink_to("/dev/zero")
    assert load_text(tmp_path) == "A"


@pytest.mark.parametrize("order", ["le", "be"])
@pytest.mark.parametrize(
    "words",
    [
        "To be, or not to be",
        "Sein oder Nichtsein, das ist die Frage: ob's edler im Gemüt",
        "Быть или не быть, вот\nв чём вопрос",
    ],
)
def test_utf16_without_a_mark_is_told_by_its_pattern(words, order):
    endian = {"le": "little", "be": "big"}[order]
    assert f"is UTF-16 ({endian}-endian, without a mark)" in no_text(words.encode(f"utf-16-{order}"))
    assert no_text(words.encode()) is None


def test_a_nul_is_named_by_its_offset():
    assert "NUL byte at offset 105" in no_text(b"text\n" + b"x" * 100 + b"\0" + b"y" * 400)
    assert "NUL byte at offset 1003" in no_text(b"abc\0", 1000)


def test_open_regular_leaves_errors_of_its_block_alone(tmp_path):
    (tmp_path / "x").write_bytes(b"x")
    with pytest.raises(KeyError, match="mine"), open_regular(tmp_path / "x", DataError):
        raise KeyError("mine")
    with (
        pytest.raises(DataError, match=r"x cannot be read \(Input/output error\)"),
        open_regular(tmp_path / "x", DataError),
    ):
        raise OSError(5, "Input/output error")


def test_places_are_places():
    assert len(PLACES) == 21
