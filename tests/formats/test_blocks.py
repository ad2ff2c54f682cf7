"""Block types: the fast version against the plain one, both against blocks worked out by hand, and half a step of error."""

import struct
import tracemalloc

import numpy as np
import pytest

from minilm.formats import FormatError
from minilm.formats.blocks import SYMMETRIC, TYPES, dequantize, dequantize_plain, join, quantize, split

SCALED = [name for name, record in TYPES.items() if record.scales]
WRITABLE = [name for name, record in TYPES.items() if record.quantize is not None]


def fields_of(kind, raw):
    record = TYPES[kind]
    return raw.reshape(-1, record.nbytes).view(record.layout)[:, 0]


def random_blocks(kind, shape, seed=0):
    """Blocks of any bits, but for the scales, which are finite."""
    record, rng = TYPES[kind], np.random.default_rng(seed)
    raw = rng.integers(0, 256, (*shape, record.nbytes), dtype=np.uint8)
    for field in record.scales:
        fields_of(kind, raw)[field] = rng.standard_normal(shape).reshape(-1)
    return raw


@pytest.mark.parametrize("kind", TYPES)
def test_the_fast_version_is_the_plain_one(kind):
    raw = random_blocks(kind, (3, 2))
    fast = dequantize(kind, raw)
    assert fast.dtype == np.float32
    assert fast.shape == (3, 2 * TYPES[kind].size)
    np.testing.assert_array_equal(fast, dequantize_plain(kind, raw))


def test_blocks_are_as_long_as_the_format_says():
    """ggml-common.h: bytes per block, and weights."""
    sizes = {
        "F32": (4, 1), "F16": (2, 1), "BF16": (2, 1), "Q4_0": (18, 32), "Q4_1": (20, 32), "Q5_0": (22, 32), "Q5_1": (24, 32),
        "Q8_0": (34, 32), "Q2_K": (84, 256), "Q3_K": (110, 256), "Q4_K": (144, 256), "Q5_K": (176, 256), "Q6_K": (210, 256),
    }  # fmt: skip
    assert {name: (record.nbytes, record.size) for name, record in TYPES.items()} == sizes
    assert len({record.code for record in TYPES.values()}) == len(TYPES)


def halves(*numbers):
    return struct.pack(f"<{len(numbers)}e", *numbers)


NIBBLES = bytes([0x21, 0x43, *bytes(13), 0xF5])
LOW, HIGH = [1, 3, *[0] * 13, 5], [2, 4, *[0] * 13, 15]
FIFTH = struct.pack("<I", 1 << 0 | 1 << 17 | 1 << 31)  # of the first weight, the eighteenth and the last one
FIVE = [17, *LOW[1:], 2, 20, *HIGH[2:-1], 31]
BY_HAND = {
    "Q4_0": (halves(0.5) + NIBBLES, [0.5 * (q - 8) for q in LOW + HIGH]),
    "Q4_1": (halves(0.5, -3.25) + NIBBLES, [0.5 * q - 3.25 for q in LOW + HIGH]),
    "Q5_0": (halves(-0.25) + FIFTH + NIBBLES, [-0.25 * (q - 16) for q in FIVE]),
    "Q5_1": (halves(0.5, 2) + FIFTH + NIBBLES, [0.5 * q + 2 for q in FIVE]),
    "Q8_0": (
        halves(0.125) + bytes([0, 1, 127, 128, 255, *range(27)]),
        [0, 0.125, 15.875, -16, -0.125, *np.arange(27) / 8],
    ),
    "F32": (struct.pack("<f", -1.5), [-1.5]),
    "F16": (halves(-1.5), [-1.5]),
    "BF16": (b"\x49\x40", [3.140625]),
}


@pytest.mark.parametrize("kind", BY_HAND)
def test_blocks_worked_out_by_hand(kind):
    """The low half of a byte belongs to the first 16 weights, the high half to the others."""
    content, wanted = BY_HAND[kind]
    raw = np.frombuffer(content, np.uint8)[None]
    np.testing.assert_array_equal(dequantize(kind, raw), wanted)
    np.testing.assert_array_equal(dequantize_plain(kind, raw), wanted)


def test_scales_of_six_bits_worked_out_by_hand():
    """Q4_K: the fifth scale has its lower four bits in byte 8 and the upper two in byte 0, its minimum in bytes 8 and 4."""
    packed = bytearray(12)
    packed[0] = 0b10_000011  # first scale 3, upper bits of the fifth 2
    packed[4] = 0b01_000101  # first minimum 5, upper bits of the fifth 1
    packed[8] = 0b0110_1001  # lower bits of the fifth minimum 6, of the fifth scale 9
    content = halves(1, 2) + bytes(packed) + b"\x21" * 128
    y = dequantize("Q4_K", np.frombuffer(content, np.uint8)[None]).reshape(8, 32)
    assert set(y[0]) == {3 * 1 - 2 * 5}
    assert set(y[4]) == {(9 + 32) * 1 - 2 * (6 + 16)}
    assert set(y[1]) == set(y[2]) == set(y[5]) == {0}


def step_of(kind, raw):
    """Half of the distance between two neighbors of the grid, for each block."""
    return np.abs(fields_of(kind, raw)["d"].astype(np.float64)) / 2


def blocks_of_many_sizes():
    """Blocks of numbers of one size or of several, of one sign or of both, around zero or around a number far from it."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4000, 32)) * 10.0 ** rng.uniform(-9, 4, (4000, 1))
    x[1000:] *= 10.0 ** rng.uniform(-3, 0, (3000, 32))
    x[2000:3000] = np.abs(x[2000:3000]) * rng.choice([-1, 1], (1000, 1))
    x[3000:] += x[3000:, :1] * rng.uniform(-100, 100, (1000, 1))
    x[::7, 5:] = 0
    x[1::7] = x[1::7, :1]
    x[2::7, 3] = -x[2::7, 4]
    return np.clip(x, -65000, 65000).astype(np.float32)


@pytest.mark.parametrize("kind", [kind for kind in WRITABLE if TYPES[kind].scales])
def test_a_weight_comes_back_within_half_a_step(kind):
    """But for what float32 itself rounds in d q + m."""
    x = blocks_of_many_sizes()
    raw = quantize(kind, x)
    error = np.abs(dequantize(kind, raw).astype(np.float64) - x).max(1)
    assert (error <= step_of(kind, raw) + 2.0**-22 * np.abs(x).max(1)).all()


@pytest.mark.parametrize("kind", [kind for kind in WRITABLE if TYPES[kind].scales])
def test_steps_are_no_larger_than_they_must_be(kind):
    """The grid has 15 steps between the ends of a block in 4 bits, 31 in 5, 254 in 8, and a scale of 11 bits."""
    x = np.random.default_rng(0).standard_normal((400, 32)).astype(np.float32)
    steps = {"Q4_0": 15, "Q4_1": 15, "Q5_0": 31, "Q5_1": 31, "Q8_0": 254}[kind]
    width = np.ptp(x, 1) if kind.endswith("_1") else 2 * np.abs(x).max(1)
    assert (2 * step_of(kind, quantize(kind, x)) <= width / steps * (1 + 1 / 15 + 1e-3)).all()


@pytest.mark.parametrize("kind", WRITABLE)
def test_a_block_of_one_value(kind):
    for value in (0.0, 1.0, -1.0, 0.75, -(2.0**-14)):
        y = dequantize(kind, quantize(kind, np.full((1, 32), value)))
        np.testing.assert_allclose(y, value, rtol=2e-3)


def test_bfloat16_rounds_to_the_nearest_and_a_tie_to_even():
    every = (np.arange(1 << 16, dtype=np.uint32) << 16).view(np.float32)
    finite = np.sort(every[np.isfinite(every)])
    rng = np.random.default_rng(0)
    x = rng.integers(0, 1 << 32, 20_000, dtype=np.uint32).view(np.float32)
    x = np.concatenate([x[np.isfinite(x) & (np.abs(x) < finite[-1])], (finite[:-1] / 2 + finite[1:] / 2)[::7]])
    y = dequantize("BF16", quantize("BF16", x))
    at = np.clip(np.searchsorted(finite, x), 1, len(finite) - 1)
    nearest = np.minimum(np.abs(finite[at] - x.astype(float)), np.abs(x - finite[at - 1].astype(float)))
    np.testing.assert_array_equal(np.abs(y - x.astype(np.float64)), nearest)
    tie = np.array([1 + 2.0**-8, 1 + 3 * 2.0**-8, -1 - 2.0**-8], np.float32)
    np.testing.assert_array_equal(dequantize("BF16", quantize("BF16", tie)), [1, 1 + 2.0**-6, -1])


def test_what_is_no_number_stays_so():
    odd = np.array([np.nan, np.inf, -np.inf], np.float32)
    odd = np.append(odd, np.uint32([0x7F800001, 0xFFFFFFFF]).view(np.float32))
    np.testing.assert_array_equal(dequantize("F32", quantize("F32", odd)), odd)
    np.testing.assert_array_equal(dequantize("BF16", quantize("BF16", odd)), odd)


@pytest.mark.parametrize("kind", SCALED)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_scale_that_is_no_number_is_damage(kind, value):
    for field in TYPES[kind].scales:
        raw = random_blocks(kind, (2, 3))
        fields_of(kind, raw)[field][4] = value
        with pytest.raises(FormatError, match=rf"block 4 of {kind} has the scale {field} = -?(nan|inf): it is damaged"):
            dequantize(kind, raw)


@pytest.mark.parametrize("kind", [kind for kind in WRITABLE if TYPES[kind].scales])
def test_what_does_not_fit_the_scale_is_refused(kind):
    largest = {"Q8_0": 127 * 65504, "Q4_0": 8 * 65504, "Q5_0": 16 * 65504}.get(kind, 65504)
    quantize(kind, np.full((1, 32), largest))
    with pytest.raises(FormatError, match=f"{kind} holds numbers up to .* a block needs .*use F32 or BF16"):
        quantize(kind, np.full((1, 32), -largest * 1.01))


@pytest.mark.parametrize("kind", [kind for kind in WRITABLE if TYPES[kind].scales])
def test_no_number_cannot_be_quantized(kind):
    for value in (np.nan, np.inf):
        x = np.zeros((2, 64))
        x[1, 3] = value
        with pytest.raises(FormatError, match=f"{kind} cannot hold NaN or infinity"):
            quantize(kind, x)


@pytest.mark.parametrize(
    ("kind", "largest", "beyond"), [("F16", 65504, 65520), ("BF16", 2.0**128 - 2.0**120, 2.0**128 - 2.0**119)]
)
def test_a_number_does_not_become_infinite(kind, largest, beyond):
    np.testing.assert_array_equal(
        dequantize(kind, quantize(kind, [largest, -largest, np.inf])), [largest, -largest, np.inf]
    )
    with pytest.raises(FormatError, match=f"{kind} cannot hold -.*, which is beyond its range"):
        quantize(kind, [1.0, -beyond])


@pytest.mark.parametrize("kind", WRITABLE)
def test_what_is_beyond_float32_is_refused(kind):
    with pytest.raises(FormatError, match=r"a float32 cannot hold -1e\+300, which is beyond its range"):
        quantize(kind, np.full(32, -1e300))


def test_shapes_and_names():
    assert quantize("Q4_1", np.zeros((2, 3, 64))).shape == (2, 3, 2, 20)
    assert dequantize("Q4_1", np.zeros((2, 3, 2, 20), np.uint8)).shape == (2, 3, 64)
    assert quantize("Q8_0", np.zeros((0, 32))).shape == (0, 1, 34)
    assert dequantize("Q6_K", np.zeros((0, 2, 210), np.uint8)).shape == (0, 512)
    assert dequantize("F32", np.zeros((0, 4), np.uint8)).shape == (0,)
    np.testing.assert_array_equal(dequantize("F16", quantize("F16", np.arange(5))), np.arange(5))
    with pytest.raises(FormatError, match=r"Q4_1 stores rows of 32, 2 \* 32, ... weights, got the shape \(2, 33\)"):
        quantize("Q4_1", np.zeros((2, 33)))
    with pytest.raises(FormatError, match="there is no block type 'Q4_9': expected one of F32, F16"):
        dequantize("Q4_9", np.zeros((1, 20), np.uint8))
    with pytest.raises(FormatError, match="minilm reads Q6_K and does not write it: use one of F32, F16"):
        quantize("Q6_K", np.zeros(256))
    for raw in (np.zeros((1, 19), np.uint8), np.zeros((1, 20), np.int8), np.zeros(20, np.uint8)):
        with pytest.raises(FormatError, match=r"blocks of Q4_1 are uint8 of shape \(..., blocks, 20\), got"):
            dequantize("Q4_1", raw)


@pytest.mark.parametrize("kind", TYPES)
def test_no_large_array_is_made_on_the_way(kind):
    raw = random_blocks(kind, (1 << 20 >> TYPES[kind].size.bit_length() - 1,))
    dequantize(kind, raw[:1])
    tracemalloc.start()
    try:
        y = dequantize(kind, raw)
        assert tracemalloc.get_traced_memory()[1] < y.nbytes + (1 << 20)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", SYMMETRIC)
def test_split_and_join(kind):
    x = np.random.default_rng(0).standard_normal((3, 64)).astype(np.float32)
    raw = quantize(kind, x)
    codes, d = split(kind, raw)
    q = dequantize(kind, raw).reshape(3, 2, 32) / d.astype(np.float32)[..., None]
    np.testing.assert_array_equal(join(kind, np.rint(q).astype(np.int16), d), raw)
    assert codes.shape == (3, 2, TYPES[kind].nbytes - 2)
    assert join(kind, np.zeros((0, 32), np.int16), np.zeros(0, np.float16)).shape == (0, TYPES[kind].nbytes)


def test_join_by_hand():
    q = np.zeros((1, 32), np.int16)
    q[0, [0, 1, 16]] = -8, 7, 3
    assert dequantize("Q4_0", join("Q4_0", q, np.array([0.5], np.float16)))[[0, 1, 16, 2]].tolist() == [
        -4.0,
        3.5,
        1.5,
        0.0,
    ]


def test_what_does_not_join():
    d = np.ones(1, np.float16)
    for kind in ("Q4_1", "nothing"):
        with pytest.raises(FormatError, match="expected one of Q4_0, Q8_0"):
            join(kind, np.zeros((1, 32), np.int16), d)
    with pytest.raises(FormatError, match=r"32 integers per scale, got \(1, 16\) and \(1,\)"):
        join("Q4_0", np.zeros((1, 16), np.int16), d)
    for q in (-9, 8):
        with pytest.raises(FormatError, match=rf"-8 to 7, got {q} to {q}"):
            join("Q4_0", np.full((1, 32), q), d)
