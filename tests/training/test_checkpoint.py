"""Files of a run: written whole or not at all, and read with suspicion."""

import errno
import gzip
import json
import os
import pickle
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minilm.files import atomic_write, remove_leftovers
from minilm.training.checkpoint import CheckpointError, expect_format, load_arrays, load_json, save_arrays, save_json
from tests.anew import anew

ARRAYS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b.c": np.array(2, np.int64), "t": np.ones((3, 2)).T}


def test_round_trip(tmp_path):
    save_arrays(tmp_path / "x", ARRAYS, {"format": "f", "n": 2**64, "best": float("inf"), "list": [1, "ä"]})
    arrays, about = load_arrays(tmp_path / "x")
    assert about == {"format": "f", "n": 2**64, "best": float("inf"), "list": [1, "ä"]}
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    with pytest.raises(KeyError), atomic_write(path) as file:
        file.write(b"new")
        raise KeyError
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x"]


@pytest.mark.parametrize("save", [lambda path: save_arrays(path, ARRAYS, {}), lambda path: save_json(path, {"n": 1})])
def test_what_cannot_be_written_whole_leaves_the_old_file(save, tmp_path, monkeypatch):
    def disk_is_full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "x"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", disk_is_full)
    with pytest.raises(OSError, match="No space left"):
        save(path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x"]


def test_bytes_are_on_the_disk_before_the_file_is_renamed(tmp_path, monkeypatch):
    calls = []

    def noted(name):
        function = getattr(os, name)
        return lambda *arguments: (calls.append(name), function(*arguments))

    for name in ("fsync", "replace"):
        monkeypatch.setattr(os, name, noted(name))
    with atomic_write(tmp_path / "x") as file:
        file.write(b"new")
    assert calls[:2] == ["fsync", "replace"]


def test_leftovers_of_killed_writers_are_removed(tmp_path):
    (tmp_path / ".model.safetensors.0123.tmp").write_bytes(b"part")
    (tmp_path / "model.safetensors").write_bytes(b"whole")
    remove_leftovers(tmp_path)
    assert os.listdir(tmp_path) == ["model.safetensors"]


@given(st.integers(0, 10**6), st.binary(max_size=40))
def test_truncated_or_altered_files_are_refused_or_read_whole(tmp_path_factory, cut, noise):
    path = tmp_path_factory.mktemp("c") / "x"
    save_arrays(path, ARRAYS, {"format": "f"})
    content = path.read_bytes()
    place = cut % len(content)
    for damaged in (content[:place], content[:place] + noise + content[place + len(noise) :], noise):
        anew(path).write_bytes(damaged)
        try:
            arrays, _ = load_arrays(path)
        except CheckpointError as error:
            assert str(path) in str(error)
        else:
            assert all(isinstance(array, np.ndarray) for array in arrays.values())


class Evil:
    def __reduce__(self):
        return os.mkdir, ("executed",)


@pytest.mark.parametrize(
    "content",
    [b"", b"\x80", pickle.dumps(Evil()), struct.pack("<Q", 2**62) + b"{}", struct.pack("<Q", 2) + b"[]", b"PK\x03\x04" + b"\0" * 40,
     struct.pack("<Q", 60) + b'{"a":{"dtype":"F32","shape":[9999999999],"data_offsets":[0,4]}}'],
)  # fmt: skip
def test_foreign_files(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(CheckpointError, match="not a whole safetensors file"):
        load_arrays(tmp_path / "x")
    assert os.listdir(tmp_path) == ["x"]


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(CheckpointError, match="does not exist"):
        load_arrays(tmp_path / "x")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_arrays(tmp_path)


def test_format_is_checked():
    with pytest.raises(CheckpointError, match="'minilm weights'.*'something'"):
        expect_format("p", {"format": "something"}, "minilm weights")


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 100_000, b"null"])
def test_json_that_is_none(tmp_path, content):
    (tmp_path / "c.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"c\.json"):
        load_json(tmp_path / "c.json")


def test_json_round_trip(tmp_path):
    save_json(tmp_path / "c.json", {"ü": 1})
    assert load_json(tmp_path / "c.json") == {"ü": 1}
    assert json.loads((tmp_path / "c.json").read_text(encoding="utf-8")) == {"ü": 1}
    with pytest.raises(ValueError, match="JSON"):
        save_json(tmp_path / "c.json", {"x": float("nan")})
    assert load_json(tmp_path / "c.json") == {"ü": 1}


# -- files of other programs -----------------------------------------------------------------------------------------------

NUMPY_DTYPES = ["bool", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"]


def test_every_type_reads_as_the_library_reads_it(tmp_path):
    from safetensors.numpy import load, save

    rng = np.random.default_rng(0)
    arrays = {dtype: rng.integers(0, 2, (3, 2)).astype(dtype) for dtype in NUMPY_DTYPES}
    arrays |= {"scalar": np.array(5.0), "none": np.zeros((2, 0, 3), np.float32), "ü": np.arange(4)}
    content = save(arrays, {"format": "pt", "n": "5", "name": "a b"})
    (tmp_path / "x").write_bytes(content)
    found, about = load_arrays(tmp_path / "x")
    assert about == {"format": "pt", "n": 5, "name": "a b"}
    for name, array in load(content).items():
        assert found[name].dtype == array.dtype
        assert found[name].dtype.isnative
        assert found[name].flags.writeable
        np.testing.assert_array_equal(found[name], array)
    assert set(found) == set(arrays)


def raw(path, dtype, data, **about):
    header = json.dumps(
        {"x": {"dtype": dtype, "shape": [len(data) // 2], "data_offsets": [0, len(data)]}, **about}
    ).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)


def test_each_bfloat16_is_read_exactly(tmp_path):
    """bfloat16 is the upper half of float32 (sign, 8 bits of exponent, 7 of fraction)."""
    bits = np.arange(1 << 16, dtype="<u2")
    raw(tmp_path / "x", "BF16", bits.tobytes(), __metadata__={"format": "pt"})
    arrays, about = load_arrays(tmp_path / "x")
    assert about == {"format": "pt"}
    assert arrays["x"].dtype == np.float32
    for i in (0, 1, 0x3F80, 0x4049, 0x7F7F, 0x7F80, 0x7FC0, 0x8000, 0xC2F7, 0xFFFF):
        np.testing.assert_array_equal(arrays["x"][i], struct.unpack("<f", b"\0\0" + struct.pack("<H", i))[0])
    assert arrays["x"][0x3F80] == 1
    finite = (bits & 0x7F80) != 0x7F80
    sign, exponent, fraction = bits >> 15, (bits >> 7 & 0xFF).astype(int), bits & 0x7F
    value = np.where(exponent > 0, np.ldexp(1 + fraction / 128, exponent - 127), np.ldexp(fraction / 128, -126))
    np.testing.assert_array_equal(arrays["x"][finite], np.where(sign, -value, value)[finite])


def test_float16_stays_float16(tmp_path):
    raw(tmp_path / "x", "F16", np.array([1.5, -2, np.inf], "<f2").tobytes())
    assert load_arrays(tmp_path / "x")[0]["x"].dtype == np.float16
    np.testing.assert_array_equal(load_arrays(tmp_path / "x")[0]["x"], [1.5, -2, np.inf])


@pytest.mark.parametrize("dtype", ["F8_E4M3", "F8_E5M2", "F8_E8M0", "F4", "C64", "Q9"])
def test_a_type_that_numpy_does_not_have_is_named(tmp_path, dtype):
    raw(tmp_path / "x", dtype, bytes(4))
    with pytest.raises(
        CheckpointError, match=f"x: dtype {dtype} of tensor 'x' is not supported: expected one of BOOL, U8"
    ):
        load_arrays(tmp_path / "x")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04" + bytes(40), "is a zip file, as torch.save and numpy.savez write"),
        (gzip.compress(b"x" * 99, mtime=0), "is a gzip file: unpack it"),
    ],
)
def test_other_programs_files_are_called_by_their_names(tmp_path, content, words):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(CheckpointError, match=f"x is not a whole safetensors file: it {words}"):
        load_arrays(tmp_path / "x")


def test_arrays_have_a_limit_with_its_option(tmp_path):
    save_arrays(tmp_path / "x", {"a": np.zeros(1000, np.float32)}, {})
    with pytest.raises(CheckpointError, match=r"x is larger than 4,000 bytes: pass a larger max_bytes"):
        load_arrays(tmp_path / "x", max_bytes=4000)
    assert load_arrays(tmp_path / "x", max_bytes=5000)[0]["a"].shape == (1000,)


def test_strict_json_keeps_what_is_json(tmp_path):
    (tmp_path / "c.json").write_text(
        '{"a": 1.5e300, "b": [true, null, -5], "c": {"a": ""}, "": "\\u00e9"}\n\n', encoding="utf-8"
    )
    assert load_json(tmp_path / "c.json") == {"a": 1.5e300, "b": [True, None, -5], "c": {"a": ""}, "": "é"}
    save_json(tmp_path / "c.json", {"seed": 2**200})
    assert load_json(tmp_path / "c.json") == {"seed": 2**200}
    with pytest.raises(CheckpointError, match="integer of 1001 digits"):
        save_json(tmp_path / "c.json", {"seed": 10**1000})
        load_json(tmp_path / "c.json")
