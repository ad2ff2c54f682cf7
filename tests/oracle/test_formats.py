"""Files of weights against the programs that define them: ggml's `gguf` package, and the safetensors library with PyTorch."""

import numpy as np
import pytest

from minilm.formats import blocks, safetensors
from minilm.formats.gguf import GGUF, write

rng = np.random.default_rng(0)
TYPES = blocks.TYPES
WRITABLE = [kind for kind, record in TYPES.items() if record.quantize is not None]


@pytest.fixture(scope="module")
def gguf():
    return pytest.importorskip("gguf")


@pytest.mark.parametrize("kind", TYPES)
def test_blocks_of_any_bits_are_the_same_numbers(gguf, kind):
    record, code = TYPES[kind], gguf.GGMLQuantizationType[kind]
    assert (code, gguf.GGML_QUANT_SIZES[code]) == (record.code, (record.size, record.nbytes))
    raw = rng.integers(0, 256, (200, 4, record.nbytes), dtype=np.uint8)
    fields = raw.reshape(-1, record.nbytes).view(record.layout)[:, 0]
    for field in record.scales:
        bits = fields[field].view(np.uint16)
        bits[(bits & 0x7C00) == 0x7C00] ^= 0x4000  # neither NaN nor infinite
        fields[field] = bits.view(np.float16)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(blocks.dequantize(kind, raw), gguf.dequantize(raw.reshape(200, -1), code))


@pytest.mark.parametrize("kind", WRITABLE)
def test_blocks_that_they_write_and_blocks_that_we_write(gguf, kind):
    """Theirs are read as they read them; ours are as near to the weights, or nearer: the largest error of a block is smaller."""
    code = gguf.GGMLQuantizationType[kind]
    x = rng.standard_normal((500, 64)).astype(np.float32)
    theirs = gguf.quantize(x, code).view(np.uint8).reshape(500, -1, TYPES[kind].nbytes)
    np.testing.assert_array_equal(blocks.dequantize(kind, theirs), gguf.dequantize(theirs.reshape(500, -1), code))
    ours = blocks.quantize(kind, x)
    np.testing.assert_array_equal(blocks.dequantize(kind, ours), gguf.dequantize(ours.reshape(500, -1), code))
    if TYPES[kind].size == 1:
        np.testing.assert_array_equal(ours, theirs)
    error, their_error = (
        np.abs(blocks.dequantize(kind, raw) - x).reshape(-1, TYPES[kind].size).max(1) for raw in (ours, theirs)
    )
    assert error.mean() <= their_error.mean() * 1.001


def test_a_file_that_they_write(gguf, tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "x", "llama")
    (
        writer.add_uint8("n.u1", 200),
        writer.add_int64("n.i8", -(1 << 40)),
        writer.add_float32("n.f4", 0.1),
        writer.add_float64("n.f8", 0.1),
    )
    (
        writer.add_bool("n.b", True),
        writer.add_string("n.s", "ä"),
        writer.add_array("n.words", ["a", "Ġb"]),
        writer.add_array("n.ints", [1, -2]),
    )
    writer.add_custom_alignment(64)
    arrays = {kind: rng.standard_normal((3, 64)).astype(np.float32) for kind in WRITABLE}
    for kind, array in arrays.items():
        code = gguf.GGMLQuantizationType[kind]
        writer.add_tensor(kind, gguf.quantize(array, code), raw_dtype=code)
    writer.write_header_to_file(), writer.write_kv_data_to_file(), writer.write_tensors_to_file(), writer.close()
    with GGUF(tmp_path / "x") as file:
        wanted = {"n.u1": 200, "n.i8": -(1 << 40), "n.f4": float(np.float32(0.1)), "n.f8": 0.1, "n.b": True, "n.s": "ä",
                  "n.words": ["a", "Ġb"], "n.ints": [1, -2], "general.architecture": "llama", "general.alignment": 64}  # fmt: skip
        assert wanted.items() <= file.metadata.items()
        for tensor in gguf.GGUFReader(tmp_path / "x").tensors:
            assert file.tensors[tensor.name].shape == (3, 64)
            assert file.tensors[tensor.name].offset == tensor.data_offset
            np.testing.assert_array_equal(file.read(tensor.name), gguf.dequantize(tensor.data, tensor.tensor_type))


def test_a_file_that_we_write(gguf, tmp_path):
    arrays = {kind: rng.standard_normal((3, 64)).astype(np.float32) for kind in WRITABLE} | {"v": np.arange(5.0)}
    settings = {"general.architecture": "llama", "general.alignment": 64, "a.n": 3, "a.far": 1 << 40, "a.base": 1e5, "a.yes": True,
                "t.tokens": ["Ġa", "b"], "t.types": [1, -2], "t.scores": [0.5, -1.0]}  # fmt: skip
    write(tmp_path / "x", settings, arrays, {kind: kind for kind in WRITABLE})
    reader = gguf.GGUFReader(tmp_path / "x")
    assert {key: reader.fields[key].contents() for key in settings} == settings
    with GGUF(tmp_path / "x") as file:
        for tensor in reader.tensors:
            assert tuple(reversed(tensor.shape.tolist())) == arrays[tensor.name].shape
            np.testing.assert_array_equal(file.read(tensor.name), gguf.dequantize(tensor.data, tensor.tensor_type))


def test_safetensors_of_pytorch(tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file, save_file

    x = torch.randn(50, 7, generator=torch.Generator().manual_seed(0))
    theirs = {
        "bf": x.bfloat16(),
        "half": x.half(),
        "single": x,
        "double": x.double(),
        "n": torch.arange(3),
        "b": x[0] > 0,
    }
    save_file(theirs, tmp_path / "x", {"format": "pt"})
    for name, array in safetensors.read(tmp_path / "x").items():
        expected = theirs[name].float() if name == "bf" else theirs[name]
        np.testing.assert_array_equal(array, expected.numpy())
        assert array.dtype == expected.numpy().dtype
    for dtype, kind in ((torch.float32, "F32"), (torch.float16, "F16"), (torch.bfloat16, "BF16")):
        safetensors.write(tmp_path / "y", {"x": x.numpy(), "n": np.arange(3)}, kind, {"format": "pt"})
        found = load_file(tmp_path / "y")
        assert found["x"].dtype == dtype
        assert torch.equal(found["x"], x.to(dtype))
        assert torch.equal(found["n"], torch.arange(3))
