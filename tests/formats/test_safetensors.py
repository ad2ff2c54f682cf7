"""safetensors: the bytes that the library writes, the arrays that it reads, and headers that say what cannot be."""

import json
import os
import struct
import tracemalloc

import numpy as np
import pytest
from safetensors.numpy import load, save

from minilm.formats import FormatError, blocks
from minilm.formats.safetensors import ArrayInfo, header, read, write
from tests.anew import anew

DTYPES = ["bool", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"]
rng = np.random.default_rng(0)
ARRAYS = {dtype: rng.integers(0, 2, (3, 2)).astype(dtype) for dtype in DTYPES} | {
    "scalar": np.array(5.0), "none": np.zeros((2, 0, 3), np.float32), 'a "name"\n/ü': np.arange(4), "b": np.ones(2, np.float32),
}  # fmt: skip
FLOATS = {
    "f2": np.float16([1.5, -2, np.inf]),
    "f4": rng.standard_normal((4, 5)).astype(np.float32),
    "f8": np.array(1 / 3),
    "n": np.arange(3),
}


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"ü\\": '"\x01'}])
def test_the_bytes_are_those_of_the_library(tmp_path, metadata):
    write(tmp_path / "x", ARRAYS, metadata=metadata)
    assert (tmp_path / "x").read_bytes() == save(ARRAYS, metadata)


def test_what_the_library_writes_is_read_as_it_reads_it(tmp_path):
    content = save(ARRAYS, {"format": "pt", "n": "5"})
    (tmp_path / "x").write_bytes(content)
    found = read(tmp_path / "x")
    for name, array in load(content).items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        assert found[name].flags.writeable
        np.testing.assert_array_equal(found[name], array)
    assert set(found) == set(ARRAYS)


def test_a_header_is_read_without_the_data(tmp_path):
    write(tmp_path / "x", {"w": np.zeros((1000, 1000), np.float32), "b": np.zeros(3, np.int8)}, metadata={"a": "b"})
    header(tmp_path / "x")
    tracemalloc.start()
    try:
        found = header(tmp_path / "x")
        assert tracemalloc.get_traced_memory()[1] < 50_000
    finally:
        tracemalloc.stop()
    assert found.metadata == {"a": "b"}
    assert found.arrays == {
        "w": ArrayInfo("F32", (1000, 1000), 0, 4_000_000),
        "b": ArrayInfo("I8", (3,), 4_000_000, 4_000_003),
    }


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
def test_floats_in_another_type(tmp_path, dtype):
    arrays = {**FLOATS, "none": np.zeros((0, 2)), "T": np.arange(6.0).reshape(2, 3).T}
    write(tmp_path / "x", arrays, dtype)
    about, found = header(tmp_path / "x").arrays, read(tmp_path / "x")
    for name, array in arrays.items():
        assert found[name].shape == array.shape
        if name == "n":
            assert about[name].dtype == "I64"
            wanted = array
        else:
            assert about[name].dtype == dtype
            wanted = blocks.dequantize(dtype, blocks.quantize(dtype, array.reshape(-1))).reshape(array.shape)
        np.testing.assert_array_equal(found[name], wanted)


def test_none_keeps_each_type_and_a_dtype_widens_on_reading(tmp_path):
    write(tmp_path / "x", FLOATS)
    assert {name: array.dtype for name, array in read(tmp_path / "x").items()} == {
        name: array.dtype for name, array in FLOATS.items()
    }
    wide = read(tmp_path / "x", dtype=np.float64)
    assert {name: str(array.dtype) for name, array in wide.items()} == {
        "f2": "float64",
        "f4": "float64",
        "f8": "float64",
        "n": "int64",
    }
    np.testing.assert_array_equal(wide["f4"], FLOATS["f4"])
    assert read(tmp_path / "x", dtype="float32")["f2"].dtype == np.float32
    with pytest.raises(FormatError, match="read as a float type or as they are, not as int8"):
        read(tmp_path / "x", dtype=np.int8)


def test_numbers_beyond_a_type(tmp_path):
    """An infinity is one in every type; a number must not become one."""
    write(tmp_path / "x", {"w": np.array([1e5, np.inf])})
    with pytest.raises(FormatError, match="x: 'w' has a number beyond float16: read it as float32"):
        read(tmp_path / "x", dtype=np.float16)
    np.testing.assert_array_equal(read(tmp_path / "x", dtype=np.float32)["w"], [1e5, np.inf])
    for dtype, value in (("F16", 1e5), ("F32", 1e39), ("BF16", 1e39)):
        with pytest.raises(FormatError, match=f"'w': ({dtype}|a float32) cannot hold 1.*, which is beyond its range"):
            write(tmp_path / "y", {"w": np.array([value])}, dtype)
    assert os.listdir(tmp_path) == ["x"]


@pytest.mark.parametrize(
    ("arrays", "options", "words"),
    [
        ({"w": np.zeros(2, complex)}, {}, "'w' is complex128, expected an array of bool, uint8, int8"),
        ({"w": np.array(["a"])}, {}, "'w' is <U1"),
        ({"w": np.array([None])}, {}, "'w' is object"),
        ({"w": np.zeros(2, np.longdouble)}, {}, "'w' is .*float|'w' is longdouble"),
        ({"w": [1.0]}, {}, "'w' is list, expected an array of"),
        ({5: np.zeros(2)}, {}, "names and metadata are written as text, got 5"),
        ({"\ud800": np.zeros(2)}, {}, "names and metadata are written as text, got"),
        ({"__metadata__": np.zeros(2)}, {}, "an array cannot have the name __metadata__"),
        ({}, {"metadata": {"a": 1}}, "names and metadata are written as text, got 1"),
        ({}, {"dtype": "Q8_0"}, r"written as F32, F16 or BF16, or as they are \(None\), not as 'Q8_0'"),
        ({}, {"dtype": "F64"}, "not as 'F64'"),
    ],
)  # fmt: skip
def test_what_cannot_be_written(tmp_path, arrays, options, words):
    with pytest.raises(FormatError, match=words):
        write(tmp_path / "x", arrays, **options)
    assert os.listdir(tmp_path) == []


# -- headers that say what cannot be ------------------------------------------------------------------------------------


def made(path, document, data=bytes(24)):
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    anew(path).write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def entry(dtype="F32", shape=(2, 3), offsets=(0, 24), **others):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets), **others}


def test_a_file_made_byte_by_byte(tmp_path):
    data = struct.pack("<2d3h", 0.5, 1.5, 1, 2, 3)
    document = {"b": entry("I16", [3], [16, 22]), "__metadata__": {"n": "1"}, "a": entry("F64", [2, 1], [0, 16])}
    found = read(made(tmp_path / "x", document, data))
    np.testing.assert_array_equal(found["a"], [[0.5], [1.5]])
    np.testing.assert_array_equal(found["b"], [1, 2, 3])
    assert header(tmp_path / "x").metadata == {"n": "1"}
    assert read(made(tmp_path / "x", b"{}  ", b"")) == {}


DAMAGED = {
    "describes tensor 'w' by": [{"w": 5}, {"w": {"dtype": "F32"}}, {"w": entry(more=1)}, {"w": []}],
    "the shape .* for tensor 'w'": [{"w": entry(shape=s)} for s in ([-2, -3], [2.0, 3], ["2", 3], [True, 6], [1] * 65)],
    "the offsets .* for tensor 'w'": [{"w": entry(offsets=o)} for o in ([0], [0, 24, 24], [-24, 0], [0, 24.0], [False, 24])],
    "says that tensor 'w'": [{"w": entry(offsets=o)} for o in ([0, 20], [4, 28], [24, 0])]
    + [{"w": entry(shape=s)} for s in ([2, 2], [6, 2], [10**9, 10**9], [0, 3])],
    "says that tensor '[vw]'": [{"w": entry(shape=[3], offsets=[0, 12]), "v": entry(shape=s, offsets=o)}
                             for s, o in (([3], [8, 20]), ([2], [16, 24]), ([3], [0, 12]))],
    "has 24 bytes for its arrays, which need": [{}, {"w": entry(shape=[5], offsets=[0, 20])}],
    "a __metadata__ of": [{"__metadata__": m, "w": entry()} for m in ([], "a", {"a": 1}, {"a": None}, None)],
    "has the field 'w' 2 times": [b'{"w": 1, "w": 1}'],
    "a JSON list where an object": [b"[]"],
    "is not valid JSON": [b'{"w": ', b"{'w': 1}"],
    "nested too deeply": [b'{"w":' + b"[" * 100_000],
    "the value NaN": [b'{"w": NaN}'],
    "an integer of 30 digits": [b'{"w": ' + b"9" * 30 + b"}"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("words", "document"), [(words, document) for words, several in DAMAGED.items() for document in several]
)
def test_damage_is_named(tmp_path, words, document):
    for reader in (read, header):
        with pytest.raises(FormatError, match=f"x is not a whole safetensors file: it .*{words}"):
            reader(made(tmp_path / "x", document))


@pytest.mark.parametrize("dtype", ["F8_E4M3", "f32", "", 5, None, ["F32"]])
def test_types_that_are_none(tmp_path, dtype):
    with pytest.raises(FormatError, match=r"x: dtype .* of tensor 'w' is not supported: expected one of BOOL, U8"):
        read(made(tmp_path / "x", {"w": entry(dtype)}))


def test_bytes_that_are_no_truth_values(tmp_path):
    with pytest.raises(FormatError, match="x has a byte other than 0 and 1 in an array of BOOL"):
        read(made(tmp_path / "x", {"w": entry("BOOL", [3], [0, 3])}, b"\0\1\2"))


def test_an_array_that_numpy_cannot_hold(tmp_path):
    with pytest.raises(FormatError, match=r"has the shape \[0, .* for tensor 'w', which NumPy cannot hold"):
        read(made(tmp_path / "x", {"w": entry(shape=[0, 10**17, 10**17], offsets=[0, 0])}, b""))


def test_a_file_cut_anywhere_is_refused(tmp_path):
    write(tmp_path / "x", {"w": np.arange(3.0), "n": np.array(5)}, metadata={"a": "b"})
    content = (tmp_path / "x").read_bytes()
    for length in range(len(content)):
        anew(tmp_path / "x").write_bytes(content[:length])
        with pytest.raises(FormatError, match="x is not a whole safetensors file"):
            read(tmp_path / "x")
    anew(tmp_path / "x").write_bytes(content + b"\0")
    with pytest.raises(FormatError, match="bytes for its arrays, which need"):
        read(tmp_path / "x")


def test_a_limit(tmp_path):
    write(tmp_path / "x", {"w": np.zeros(1000, np.float32)})
    with pytest.raises(FormatError, match="x is larger than 4,000 bytes: pass a larger max_bytes"):
        read(tmp_path / "x", max_bytes=4000)
    assert read(tmp_path / "x", max_bytes=5000)["w"].shape == (1000,)
