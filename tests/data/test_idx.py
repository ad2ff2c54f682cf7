import gzip
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minilm.data.errors import DataError
from minilm.data.idx import read_idx, write_idx
from tests.anew import anew

DTYPES = st.sampled_from(["uint8", "int8", "int16", "int32", "float32", "float64", ">i4", ">f8"])
ARRAYS = DTYPES.flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_side=0, max_dims=4, max_side=4)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("idx")


@given(array=ARRAYS, suffix=st.sampled_from(["idx", "gz"]))
def test_round_trip(folder, array, suffix):
    path = folder / f"array.{suffix}"
    write_idx(path, array)
    back = read_idx(path)
    assert back.dtype == array.dtype.newbyteorder("=")
    assert back.dtype.isnative
    assert back.flags.writeable
    np.testing.assert_array_equal(back, array)


def test_the_bytes_are_those_of_the_format(tmp_path):
    write_idx(tmp_path / "a", np.array([[1, 2], [3, -4]], np.int16))
    assert (tmp_path / "a").read_bytes().hex(" ") == "00 00 0b 02 00 00 00 02 00 00 00 02 00 01 00 02 00 03 ff fc"


@given(array=ARRAYS, cut=st.integers(1, 40), suffix=st.sampled_from(["idx", "gz"]))
def test_any_truncation_is_an_error(folder, array, cut, suffix):
    path = folder / f"array.{suffix}"
    write_idx(path, array)
    content = path.read_bytes()
    anew(path).write_bytes(content[: max(0, len(content) - cut)])
    with pytest.raises(DataError):
        read_idx(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with nothing"),
        (b"\x89PNG", "no idx file: it begins with 89 50 4e 47"),
        (b"\0\0\x07\x01\0\0\0\0", "no idx file"),
        (b"\0\0\x08\0", "no idx file"),
        (b"\0\0\x08\xff", "no idx file"),
        (b"\0\0\x08\x02\0\0\0\1\0\0", "ends within the sizes of its 2 dimensions"),
        (struct.pack(">HBB3I", 0, 8, 3, *3 * [2**32 - 1]), "needs .* bytes, there are 0"),
        (struct.pack(">HBB3I", 0, 14, 3, 0, 2**32 - 1, 2**32 - 1), "no array has the shape"),
        (struct.pack(">HBBI", 0, 8, 1, 2) + b"abc", "there are more"),
    ],
)
def test_what_is_no_idx_file_is_refused(tmp_path, content, message):
    for name, packed in (("a", content), ("a.gz", gzip.compress(content))):
        (tmp_path / name).write_bytes(packed)
        with pytest.raises(DataError, match=message):
            read_idx(tmp_path / name)


def test_files_that_are_not_there_or_not_gzip(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        read_idx(tmp_path / "none")
    (tmp_path / "a.gz").write_bytes(b"\x1f\x8b\x08\x01\0\0\0\0")
    with pytest.raises(DataError, match="no complete gzip file"):
        read_idx(tmp_path / "a.gz")


def test_what_is_compressed_is_told_by_content_and_not_by_name(tmp_path):
    array = np.arange(6, dtype=np.int16).reshape(2, 3)
    write_idx(tmp_path / "plain", array)
    (tmp_path / "unpacked-by-a-browser.gz").write_bytes((tmp_path / "plain").read_bytes())
    (tmp_path / "packed").write_bytes(gzip.compress((tmp_path / "plain").read_bytes()))
    for name in ("unpacked-by-a-browser.gz", "packed"):
        np.testing.assert_array_equal(read_idx(tmp_path / name), array)


@pytest.mark.parametrize("array", [np.zeros(2, np.int64), np.zeros(2, bool), np.zeros((), np.uint8)])
def test_arrays_that_idx_cannot_hold(tmp_path, array):
    with pytest.raises(DataError, match=r"expected (one of uint8|1 to 32)"):
        write_idx(tmp_path / "a", array)
    assert not (tmp_path / "a").exists()
