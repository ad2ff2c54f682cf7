"""gzip and zstd: all that stands before the damage, and no more memory for a little that unpacks to a lot."""

import gzip
import io
import random
import sys
import tracemalloc
import zlib

import pytest

from minilm.data.corpus.unpacking import Damaged, refuse_missing, unpacked
from minilm.data.errors import DataError

CONTENT = random.Random(0).randbytes(6000).hex().encode()


def with_gzip(content):
    return gzip.compress(content, mtime=0)


def with_zstd(content):
    zstandard = pytest.importorskip("zstandard")
    writer, out = zstandard.ZstdCompressor(write_checksum=True).compressobj(), b""
    for start in range(0, len(content), 1000):
        out += writer.compress(content[start : start + 1000]) + writer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    return out + writer.flush()


def all_at_once(packed, packing):
    """What the library makes of bytes that begin a compressed content."""
    if packing == "gzip":
        return zlib.decompressobj(wbits=31).decompress(packed)
    return pytest.importorskip("zstandard").ZstdDecompressor().decompressobj().decompress(packed)


def until_damage(packed, packing):
    found, damage = b"", None
    try:
        for content in unpacked(io.BytesIO(packed), packing):
            found += content
    except Damaged as fault:
        damage = str(fault)
    return found, damage


PACKINGS = pytest.mark.parametrize(("packing", "pack"), [("gzip", with_gzip), ("zstd", with_zstd)])


@PACKINGS
def test_what_is_packed_comes_back(packing, pack):
    assert until_damage(pack(CONTENT), packing) == (CONTENT, None)
    assert until_damage(pack(b""), packing) == (b"", None)


@PACKINGS
def test_several_in_a_row_are_one(packing, pack):
    assert until_damage(pack(CONTENT) + pack(b"") + pack(b"end"), packing) == (CONTENT + b"end", None)


@PACKINGS
def test_of_one_that_is_cut_all_before_is_had(packing, pack):
    packed = pack(CONTENT)
    for end in range(4, len(packed), 61):
        found, damage = until_damage(packed[:end], packing)
        assert found == all_at_once(packed[:end], packing)
        assert damage == "ends before its compressed content does"
    assert len(found) > len(CONTENT) // 2


@PACKINGS
def test_one_wrong_bit_is_seen(packing, pack):
    packed, rng = pack(CONTENT), random.Random(1)
    for _ in range(100):
        wrong = bytearray(packed)
        wrong[rng.randrange(20, len(packed))] ^= 1 << rng.randrange(8)
        assert until_damage(bytes(wrong), packing)[1]


@PACKINGS
def test_what_stands_behind_is_damage(packing, pack):
    found, damage = until_damage(pack(CONTENT) + b"garbage behind it", packing)
    assert found == CONTENT
    assert damage.startswith("cannot be unpacked further (")


def test_zeros_behind_gzip_are_nothing():
    for zeros in (1, 511, 5000):
        packed = with_gzip(CONTENT) + bytes(zeros)
        assert until_damage(packed, "gzip") == (CONTENT, None)
        assert until_damage(packed + with_gzip(b"end"), "gzip") == (CONTENT + b"end", None)


def test_a_little_that_unpacks_to_a_lot_comes_in_pieces():
    packed = with_gzip(bytes(30 << 20))
    tracemalloc.start()
    try:
        assert sum(map(len, unpacked(io.BytesIO(packed), "gzip"))) == 30 << 20
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_without_the_package_the_error_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "zstandard", None)
    refuse_missing("gzip", "a.gz")
    with pytest.raises(DataError, match=r"^a\.zst is compressed with zstd, .*: pip install zstandard$"):
        refuse_missing("zstd", "a.zst")
