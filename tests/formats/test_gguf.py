"""GGUF files: written and read, made byte by byte, and damaged in each of their fields."""

import gzip
import struct
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from minilm.formats import FormatError, blocks
from minilm.formats.gguf import GGUF, MAX_HEADER_BYTES, write
from tests.anew import anew
from tests.formats.gguf_bytes import TYPES, make

rng = np.random.default_rng(0)
SETTINGS = {
    "general.architecture": "llama", "a.count": 3, "a.below": -3, "a.far": 1 << 40, "a.farther": (1 << 64) - 1, "a.base": 1e5,
    "a.yes": True, "a.empty": "", "t.tokens": ["Ġa", "b", ""], "t.scores": [0.5, -1.0], "t.types": [1, -2], "t.flags": [True, False],
    "t.none": [], "t.nested": [[1, 2], [], [3]], "t.words": [["a"], ["b", "ä"]],
}  # fmt: skip
TENSORS = {
    kind: rng.standard_normal((3, 64)).astype(np.float32)
    for kind in ("F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0")
}
SHAPES = {
    "vector": np.arange(5.0),
    "scalar": np.array(2.5),
    "four": rng.standard_normal((2, 1, 3, 4)).astype(np.float32),
}
SMALL = [("w", (32, 2), 3, struct.pack("<2e", 0.5, 1) + bytes(16) + struct.pack("<2e", 2, 0) + bytes(range(16))),
         ("b", (3,), 0, struct.pack("<3f", 1, 2, 3))]  # fmt: skip
FEW = [("general.architecture", "str", "llama"), ("n", "u4", 2)]


def made(path, *args, **options):
    anew(path).write_bytes(make(*args, **options)[0])
    return path


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "x.gguf"
    write(path, SETTINGS, {**TENSORS, **SHAPES}, {kind: kind for kind in TENSORS})
    with GGUF(path) as file:
        assert file.version == 3
        assert file.metadata == SETTINGS
        assert list(file.tensors) == [*TENSORS, *SHAPES]
        for name, array in SHAPES.items():
            np.testing.assert_array_equal(file.read(name), array)
            assert file.tensors[name].shape == array.shape
        for kind, array in TENSORS.items():
            about, raw = file.tensors[kind], file.blocks(kind)
            assert (about.name, about.kind, about.shape, about.nbytes) == (kind, kind, (3, 64), raw.size)
            assert about.offset % 32 == 0
            np.testing.assert_array_equal(raw, blocks.quantize(kind, array))
            np.testing.assert_array_equal(file.read(kind), blocks.dequantize(kind, raw))
            assert not raw.flags.writeable


def test_a_file_made_byte_by_byte(tmp_path):
    values = {"u1": 200, "i1": -5, "u2": 60000, "i2": -6, "u4": 1 << 31, "i4": -7, "f4": 0.1, "bool": 1, "str": "ä", "u8": 1 << 63,
              "i8": -(1 << 62), "f8": 0.1, "list": ("list", [("u1", [1, 2]), ("str", ["x"]), ("bool", [])])}  # fmt: skip
    assert set(values) == set(TYPES)
    settings = [(kind, kind, value) for kind, value in values.items()] + [("of", "list", ("bool", [1, 0]))]
    for version in (2, 3):
        with GGUF(made(tmp_path / "x", settings, SMALL, version=version)) as file:
            assert file.version == version
            assert file.metadata == {
                **values,
                "f4": float(np.float32(0.1)),
                "bool": True,
                "list": [[1, 2], ["x"], []],
                "of": [True, False],
            }
            assert type(file.metadata["bool"]) is type(file.metadata["of"][0]) is bool
            assert file.tensors["w"].shape == (2, 32)
            np.testing.assert_array_equal(file.read("w"), [[1.0] * 32, [2.0 * q for q in range(16)] + [0.0] * 16])
            np.testing.assert_array_equal(file.read("b"), [1, 2, 3])


@pytest.mark.parametrize("alignment", [8, 64, 4096])
def test_tensors_begin_at_multiples_of_the_alignment(tmp_path, alignment):
    settings = [("general.alignment", "u4", alignment)]
    with GGUF(made(tmp_path / "x", settings, SMALL, alignment=alignment)) as file:
        np.testing.assert_array_equal(file.read("b"), [1, 2, 3])
        assert all(tensor.offset % alignment == 0 for tensor in file.tensors.values())
    write(tmp_path / "y", {"general.alignment": alignment}, SHAPES)
    with GGUF(tmp_path / "y") as file:
        np.testing.assert_array_equal(file.read("four"), SHAPES["four"])
        assert file.tensors["scalar"].offset - file.tensors["vector"].offset == max(alignment, 24)


def test_types_of_numpy_are_kept(tmp_path):
    settings = {text: np.dtype(text).type(3) for text in ("u1", "i1", "u2", "i2", "u4", "i4", "f4", "u8", "i8", "f8")}
    settings |= {f"{text} row": np.arange(3, dtype=text) for text in ("u1", "i2", "u8", "f8")} | {"b": np.bool_(True)}
    write(tmp_path / "x", settings, {})
    content = (tmp_path / "x").read_bytes()
    for text in ("u1", "i1", "u2", "i2", "u4", "i4", "f4", "u8", "i8", "f8"):
        at = content.index(b"\2" + bytes(7) + text.encode()) + 10
        assert int.from_bytes(content[at : at + 4], "little") == TYPES[text]
    with GGUF(tmp_path / "x") as file:
        assert file.metadata["f8 row"] == [0.0, 1.0, 2.0]
        assert file.metadata["u8"] == 3


def test_reading_as_another_type(tmp_path):
    write(tmp_path / "x", {}, {"w": TENSORS["F32"], "large": [1e5]}, {"w": "Q8_0"})
    with GGUF(tmp_path / "x") as file:
        for dtype in (np.float16, np.float64, "float32"):
            assert file.read("w", dtype).dtype == dtype
            np.testing.assert_array_equal(file.read("w", dtype), file.read("w").astype(dtype))
        with pytest.raises(
            FormatError, match=r"tensor 'large': has a weight beyond 65,504, the largest float16: read it as float32"
        ):
            file.read("large", np.float16)
        with pytest.raises(FormatError, match="read as float32, float64 or float16, not as int8"):
            file.read("w", np.int8)
        with pytest.raises(FormatError, match=r"x has no tensor 'v': it has \['w', 'large'\]"):
            file.read("v")


def test_arrays_outlive_the_file(tmp_path):
    write(tmp_path / "x", {}, {"w": np.arange(4.0)})
    file = GGUF(tmp_path / "x")
    raw = file.blocks("w")
    file.close()
    file.close()
    np.testing.assert_array_equal(blocks.dequantize("F32", raw), [[0, 1, 2, 3]])
    with pytest.raises(FormatError, match="x was closed: open it again to read 'w'"):
        file.read("w")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the maps of a process are listed by Linux")
def test_a_file_that_was_refused_is_not_mapped_any_more(tmp_path):
    """Elsewhere it could not be deleted as long as somebody holds the error."""
    made(tmp_path / "refused.gguf", FEW, SMALL, version=9)
    with pytest.raises(FormatError) as held:
        GGUF(tmp_path / "refused.gguf")
    assert "refused.gguf" not in Path("/proc/self/maps").read_text()
    assert held.value
    file = GGUF(made(tmp_path / "read.gguf", FEW, SMALL))
    assert "read.gguf" in Path("/proc/self/maps").read_text()
    file.close()
    assert "read.gguf" not in Path("/proc/self/maps").read_text()


def test_a_scale_that_is_no_number_damages_its_tensor_only(tmp_path):
    damaged = [("w", (32, 2), 3, bytes(20) + struct.pack("<2e", 1, float("nan")) + bytes(16)), SMALL[1]]
    with GGUF(made(tmp_path / "x", FEW, damaged)) as file:
        np.testing.assert_array_equal(file.read("b"), [1, 2, 3])
        with pytest.raises(FormatError, match=r"x: tensor 'w': block 1 of Q4_1 has the scale m = nan: it is damaged"):
            file.read("w")


def test_a_file_cut_anywhere_is_refused(tmp_path):
    content = make([*FEW, ("l", "list", ("str", ["a", "bc"]))], SMALL)[0]
    for length in range(len(content)):
        anew(tmp_path / "x").write_bytes(content[:length])
        with pytest.raises(
            FormatError,
            match=r"x is no (whole )?GGUF file: (it begins with|it ends after|it has|.* more than the rest)",
        ):
            GGUF(tmp_path / "x")


DEEP = ("u1", [1])
for _ in range(5):
    DEEP = ("list", [DEEP])
DAMAGED = {
    "it has version 1, minilm reads 2 and 3": {"version": 1},
    "it has version 4,": {"version": 4},
    "it is written for big-endian machines": {"version": 3 << 24},
    "it has the setting 'n' twice": {"settings": [*FEW, ("n", "u4", 3)]},
    "the name of a setting at byte 32 has 0 bytes, expected 1 to 65,535": {"settings": [("", "u4", 3)]},
    "the name of a setting at byte 32 has 65,536 bytes": {"settings": [("n" * 65536, "u4", 3)]},
    "the name of a setting at byte 32 is not UTF-8 text .byte 33.": {"settings": [(b"n\xff", "u4", 3)]},
    r"the value of 'n' at byte \d+ is not UTF-8 text": {"settings": [("n", "str", b"\xc0\x80")]},
    "the setting 'n' has the type 99, expected 0 to 12": {"settings": [("n", "none", 3)]},
    "the value of 'n' is a truth value of 2, expected 0 or 1": {"settings": [("n", "bool", 2)]},
    "the value of 'nn' is a truth value of 255": {"settings": [("nn", "list", ("bool", [1, 255]))]},
    "the value of 'n' is nested more than 4 arrays deep": {"settings": [("n", "list", DEEP)]},
    "general.alignment is 0, expected a power of two from 8": {"settings": [("general.alignment", "u4", 0)]},
    "general.alignment is 24,": {"settings": [("general.alignment", "u4", 24)]},
    "general.alignment is 2097152,": {"settings": [("general.alignment", "u4", 1 << 21)]},
    "general.alignment is '32',": {"settings": [("general.alignment", "str", "32")]},
    "general.alignment is True,": {"settings": [("general.alignment", "bool", 1)]},
    "it has the tensor 'b' twice": {"tensors": [*SMALL, SMALL[1]]},
    "the name of a tensor at byte .* has 0 bytes, expected 1 to 64": {"tensors": [("", *SMALL[1][1:])]},
    "the name of a tensor at byte .* has 65 bytes, expected 1 to 64": {"tensors": [("b" * 65, *SMALL[1][1:])]},
    "tensor 'b' has 5 dimensions, expected up to 4": {"tensors": [("b", (3, 1, 1, 1, 1), 0, bytes(12))]},
    r"tensor 'b' has the shape \(0, 3\), expected rows of 1, 2 \* 1, ... weights": {"tensors": [("b", (3, 0), 0, b"")]},
    r"tensor 'w' has the shape \(2, 33\), expected rows of 32,": {"tensors": [("w", (33, 2), 3, bytes(60))]},
    r"tensor 'w' has the shape \(4, 16\), expected rows of 32,": {"tensors": [("w", (16, 4), 3, bytes(40))]},
    r"tensor 'w' has the shape \(2, 32\), expected rows of 256,": {"tensors": [("w", (32, 2), 14, bytes(210))]},
    r"tensor 'w' has the shape \(\), expected rows of 32,": {"tensors": [("w", (), 3, bytes(20))]},
    "tensor 'b' has the block type 4; minilm reads F32, F16": {"tensors": [("b", (3,), 4, bytes(12))]},
    "tensor 'b' has the offset 33, expected a multiple of 32": {"tensors": [SMALL[0], (*SMALL[1], 33)]},
    "tensor 'b' begins at byte .*, without gap or overlap": {"tensors": [SMALL[0], (*SMALL[1], 32)]},
    "tensor 'b' begins at byte .*, expected .*, without gap": {"tensors": [SMALL[0], (*SMALL[1], 96)]},
    r"tensor 'w' begins at byte 18,446,744,073,709,551,\d+, expected": {"tensors": [(*SMALL[0], (1 << 64) - 32)]},
    "it has .* bytes, and its tensors end at": {"tensors": [SMALL[0], ("b", (4,), 0, bytes(12))]},
    r"it has \d+ bytes, and its tensors end at 18,446,744,073,709,55\d,\d+": {"tensors": [("b", (1 << 62,), 0, bytes(12))]},
    "its tensors end at 463,168,356": {"tensors": [("b", ((1 << 64) - 1,) * 4, 0, bytes(12))]},
}  # fmt: skip


@pytest.mark.parametrize("words", DAMAGED)
def test_damage_is_named(tmp_path, words):
    about = {"settings": FEW, "tensors": SMALL, **DAMAGED[words]}
    with pytest.raises(FormatError, match=f"x is no whole GGUF file: .*{words}"):
        GGUF(made(tmp_path / "x", **about))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "x is no GGUF file: it begins with b'', expected b'GGUF'"),
        (b"GGU", "x is no GGUF file"),
        (b"GGUF", "it ends after 4 bytes, within the version at byte 4"),
        (b"FUGG" + bytes(99), "x is no GGUF file: it begins with b'FUGG'"),
        (gzip.compress(b"GGUF", mtime=0), "x is compressed with gzip: unpack it first"),
        (b"PK\3\4" + bytes(40), "x is compressed with zip"),
    ],
)
def test_what_is_no_gguf_file(tmp_path, content, words):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(FormatError, match=words):
        GGUF(tmp_path / "x")


def test_bytes_behind_the_last_tensor(tmp_path):
    """Writers pad the last tensor or do not; what goes beyond is damage."""
    content, _ = make(FEW, SMALL)
    for extra in (0, 1, 20):
        anew(tmp_path / "x").write_bytes(content + bytes(extra))
        with GGUF(tmp_path / "x") as file:
            np.testing.assert_array_equal(file.read("b"), [1, 2, 3])
    anew(tmp_path / "x").write_bytes(content + bytes(21))
    with pytest.raises(
        FormatError, match=f"it has {len(content) + 21:,} bytes, and its tensors end at {len(content):,}"
    ):
        GGUF(tmp_path / "x")


def test_without_tensors(tmp_path):
    content, _ = make(FEW, [])
    (tmp_path / "x").write_bytes(content)
    with GGUF(tmp_path / "x") as file:
        assert (file.metadata["n"], file.tensors) == (2, {})
    (tmp_path / "y").write_bytes(content + bytes(32))
    with pytest.raises(FormatError, match="its tensors end at"):
        GGUF(tmp_path / "y")


@pytest.mark.parametrize("claimed", [31, 1 << 20, 1 << 32, 1 << 60, (1 << 64) - 1])
def test_no_memory_is_asked_for_what_a_file_claims(tmp_path, claimed):
    """Each count and each length, one after the other."""
    settings = [
        *FEW,
        ("l", "list", ("str", ["a", "b"])),
        ("m", "list", ("i4", [1, 2])),
        ("k", "list", ("list", [("u1", [1])])),
    ]
    content, fields = make(settings, SMALL)
    counts = [(at, form) for at, form, what in fields if "count" in what or "length" in what]
    assert len(counts) > 12
    for at, form in counts:
        value = min(claimed, (1 << 8 * struct.calcsize(form)) - 1)
        anew(tmp_path / "x").write_bytes(
            content[:at] + struct.pack("<" + form, value) + content[at + struct.calcsize(form) :]
        )
        tracemalloc.start()
        try:
            with pytest.raises(FormatError):
                GGUF(tmp_path / "x")
            assert tracemalloc.get_traced_memory()[1] < 100_000
        finally:
            tracemalloc.stop()


def test_the_header_has_an_end(tmp_path):
    """A sparse file of 1 TB, whose first string claims a part of it."""
    head = make([("n", "str", "x")], [])[0]
    at = head.index(b"\1" + bytes(7) + b"x")
    with open(tmp_path / "x", "wb") as file:
        file.write(head[:at] + struct.pack("<Q", MAX_HEADER_BYTES) + b"x")
        file.truncate(1 << 30)
    with pytest.raises(FormatError, match="is .*, more than the rest of the file can hold|goes beyond 64 MiB"):
        GGUF(tmp_path / "x")


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"n": None}, "the setting 'n' is None, expected a number of up to 64 bits, bool, str, or a list of one type"),
        ({"n": 1 << 64}, "the setting 'n' is 18446744073709551616"),
        ({"n": -(1 << 63) - 1}, "the setting 'n' is -9223372036854775809"),
        ({"n": [1, "a"]}, "the setting 'n' is 'a'"),
        ({"n": [1, 1.5]}, "the values of 'n' are of several types"),
        ({"n": [1, True]}, "the values of 'n' are of several types"),
        ({"n": {"a": 1}}, "the setting 'n' is {'a': 1}"),
        ({"n": 1j}, "the setting 'n' is 1j"),
        ({"n": np.float16(1)}, r"the setting 'n' is np.float16\(1.0\)"),
        ({"": 1}, "a setting has the name '', expected a str of 1 to 65,535 bytes"),
        ({5: 1}, "a setting has the name 5"),
        ({"n": "\ud800"}, r"the value of 'n' is '\\ud800', which is no text that UTF-8 has"),
        ({"n": ["a", "\ud800"]}, r"the value of 'n' is '\\ud800', which"),
        ({"\ud800": 1}, r"the name of a setting is '\\ud800', which"),
        ({"general.alignment": 5}, "general.alignment is 5"),
        ({"n": 1e39}, r"the setting 'n' is 1e\+39, which is beyond float32: give it as np.float64"),
        ({"n": [1.0, -1e39]}, r"the setting 'n' is -1e\+39, which is beyond float32"),
    ],
)
def test_what_cannot_be_a_setting(tmp_path, metadata, words):
    with pytest.raises(FormatError, match=f"x cannot be written: .*{words}"):
        write(tmp_path / "x", metadata, {})
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("tensors", "kinds", "words"),
    [
        ({"w": np.zeros((2, 33))}, "Q4_1", "tensor 'w': Q4_1 stores rows of 32"),
        ({"w": np.zeros((2, 0))}, "F32", r"float64 of shape \(2, 0\), expected numbers along up to 4 axes, none of them empty"),
        ({"w": np.zeros((1, 1, 1, 1, 1))}, "F32", "tensor 'w' is float64 of shape"),
        ({"w": np.array(["a"])}, "F32", "tensor 'w' is <U1"),
        ({"w" * 65: np.zeros(3)}, "F32", "a tensor has the name 'w+.*expected a str of 1 to 64 bytes"),
        ({"": np.zeros(3)}, "F32", "a tensor has the name ''"),
        ({"\ud800": np.zeros(3)}, "F32", r"the name of a tensor is '\\ud800', which"),
        ({"w": np.zeros(3)}, "Q9", "there is no block type 'Q9'"),
        ({"w": np.zeros(3)}, {"v": "F16"}, r"kinds has the names \['v'\], which are no tensors"),
        ({"w": np.full(32, np.nan)}, "Q8_0", "tensor 'w': Q8_0 cannot hold NaN"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_tensor(tmp_path, tensors, kinds, words):
    with pytest.raises(FormatError, match=f"x cannot be written: .*{words}"):
        write(tmp_path / "x", {}, tensors, kinds)
    assert not (tmp_path / "x").exists()
