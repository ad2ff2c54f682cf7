"""The kinds of files that `tests/hostile.py` damages: weights, vocabularies and settings of published models, and data sets.

``python -m tests.hostile_files 5000`` tries 5,000 damages of each and prints what came of them.
"""

import json
import struct
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from minilm.formats import FormatError, safetensors
from minilm.formats.blocks import TYPES, quantize
from minilm.formats.gguf import GGUF
from minilm.models import GPT, GPTConfig
from minilm.models.bert import Bert, BertConfig
from minilm.models.llama import Llama, LlamaConfig
from minilm.models.seq2seq import Seq2Seq, Seq2SeqConfig
from minilm.pretrained import load, save, t5
from minilm.pretrained.llama import GGUF_NAMES
from minilm.pretrained.load import read_json
from minilm.text import BPETokenizer, TokenizerError, WordPieceTokenizer
from minilm.text.huggingface import read_tokenizer_json, write_tokenizer_json
from tests.formats.gguf_bytes import make
from tests.hostile import Form, tried
from tests.hostile_data import DATA_FORMS


def read_gguf(path: Path) -> Any:
    with GGUF(path) as file:
        for tensor in file.tensors.values():
            assert tensor.nbytes <= path.stat().st_size, "a tensor is larger than its file"
        return file.metadata, {name: file.read(name) for name in file.tensors}


def gguf_form() -> Form:
    rng = np.random.default_rng(0)
    settings = [
        ("general.architecture", "str", "llama"), ("general.alignment", "u4", 32), ("n.u1", "u1", 3), ("n.i8", "i8", -5),
        ("n.f4", "f4", 1e-5), ("n.f8", "f8", 0.5), ("n.yes", "bool", 1), ("t.tokens", "list", ("str", ["Ġa", "b", "", "c"])),
        ("t.types", "list", ("i4", [1, -2, 3])), ("t.flags", "list", ("bool", [1, 0])), ("t.scores", "list", ("f4", [0.5])),
        ("t.nested", "list", ("list", [("u1", [1, 2]), ("str", ["x"])])),
    ]  # fmt: skip
    tensors = []
    for kind, record in TYPES.items():
        sizes = (max(record.size, 4), 2)
        if record.quantize is not None:
            content = quantize(kind, rng.standard_normal(sizes[::-1])).tobytes()
        else:
            content = (
                (rng.integers(0, 256, (2, record.nbytes)) & 0xBB).astype(np.uint8).tobytes()
            )  # no scale is infinite
        tensors.append((kind, sizes, record.code, content))
    good, fields = make(settings, tensors)
    return Form(good, read_gguf, FormatError, [(at, form) for at, form, _ in fields], name="x.gguf")


def read_safetensors(path: Path) -> Any:
    arrays = safetensors.read(path)
    head = safetensors.header(path)
    assert sum(about.end - about.begin for about in head.arrays.values()) <= path.stat().st_size, (
        "arrays larger than the file"
    )
    return arrays, head.metadata


def with_length(data: bytes) -> Callable[[bytes], bytes]:
    return lambda text: struct.pack("<Q", len(text)) + text + data


def safetensors_form() -> Form:
    arrays = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "half": np.float16([1, 2]), "n": np.array(5), "none": np.zeros((0, 3)),
              "b": np.array([True, False]), "wide": np.float64([[1.5]])}  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        safetensors.write(Path(folder) / "x", arrays, metadata={"format": "pt", "n": "1"})
        good = (Path(folder) / "x").read_bytes()
    length = int.from_bytes(good[:8], "little")
    document = json.loads(good[8 : 8 + length])
    return Form(
        good, read_safetensors, FormatError, [(0, "Q")], (document, with_length(good[8 + length :])), "x.safetensors"
    )


# -- vocabularies -------------------------------------------------------------------------------------------------------

TEXT = "To be, or not to be: that is the question. Whether 'tis nobler in the mind to suffer, in 1601. " * 4
SAMPLE = "To be in the mind, é 160\n"


def used(tokenizer: Any) -> Any:
    """What a tokenizer is, and what it does to a text; one that lacks a byte says so."""
    try:
        ids = tokenizer.encode(SAMPLE)
    except TokenizerError:
        return tokenizer.to_dict(), None
    assert all(0 <= id < tokenizer.vocab_size for id in ids), "an id that is none"
    return tokenizer.to_dict(), list(ids), tokenizer.decode(ids)


def tokenizer_form(tokenizer: Any) -> Form:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokenizer.json"
        write_tokenizer_json(tokenizer, path)
        good = path.read_bytes()
    document = (json.loads(good), lambda text: text)
    return Form(
        good, lambda path: used(read_tokenizer_json(path)), TokenizerError, document=document, name="tokenizer.json"
    )


def bpe() -> Any:
    return BPETokenizer.train(TEXT, vocab_size=270, special_tokens=["<|end|>"])


def wordpiece() -> Any:
    return WordPieceTokenizer.train(TEXT, vocab_size=60)


# -- models -------------------------------------------------------------------------------------------------------------


def opened(path: Path) -> Any:
    """What is in a folder or file of a model: its shape, its weights, its vocabulary."""
    found = load(path)
    state = {name: value.numpy() for name, value in found.model.state_dict().items()}
    return (
        found.model.config.to_dict(),
        state,
        None if found.tokenizer is None else found.tokenizer.to_dict(),
        found.chat_template,
    )


def folder_form(make_model: Callable[[], Any], name: str, tokenizer: Callable[[], Any] | None = None) -> Form:
    """A folder of a model, one of whose files is damaged."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "model"
        save(make_model(), None if tokenizer is None else tokenizer(), place)
        files = {path.name: path.read_bytes() for path in place.iterdir()}
    good = files.pop(name)
    if name.endswith(".json"):
        fields, document = [], (json.loads(good), lambda text: text)
    else:
        end = 8 + int.from_bytes(good[:8], "little")
        fields, document = [(0, "Q")], (json.loads(good[8:end]), with_length(good[end:]))
    errors = (FormatError, TokenizerError)
    return Form(good, lambda path: opened(path.parent), errors, fields, document, name, files)


def gpt() -> Any:
    return GPT(GPTConfig(vocab_size=11, block_size=8, n_layer=2, n_head=2, n_embd=4))


def bert() -> Any:
    return Bert(BertConfig(64, 8, 2, 2, 12, max_position_embeddings=16))


def llama() -> Any:
    return Llama(LlamaConfig(300, 32, 64, 2, 4, 2, max_position_embeddings=64))


def llama_gguf_form() -> Form:
    """A GGUF file as llama.cpp's programs write it, with the model's weights in blocks of 8 bits, and its vocabulary."""
    with tempfile.TemporaryDirectory() as folder:
        write_tokenizer_json(bpe(), Path(folder) / "tokenizer.json")
        words = read_tokenizer_json(Path(folder) / "tokenizer.json")
    tokens, merges = words.tokens, [f"{words.tokens[left]} {words.tokens[right]}" for left, right in words.merges]
    numbers = {"block_count": 2, "context_length": 64, "embedding_length": 32, "feed_forward_length": 64, "attention.head_count": 4,
               "attention.head_count_kv": 2}  # fmt: skip
    settings = [
        ("general.architecture", "str", "llama"), *((f"llama.{name}", "u4", value) for name, value in numbers.items()),
        ("llama.attention.layer_norm_rms_epsilon", "f4", 1e-5), ("llama.rope.freq_base", "f4", 1e4),
        ("tokenizer.ggml.model", "str", "gpt2"), ("tokenizer.ggml.pre", "str", "gpt-2"), ("tokenizer.ggml.bos_token_id", "u4", 0),
        ("tokenizer.ggml.tokens", "list", ("str", tokens)), ("tokenizer.ggml.merges", "list", ("str", merges)),
        ("tokenizer.ggml.token_type", "list", ("i4", [1] * len(tokens))), ("tokenizer.chat_template", "str", "{{ messages }}"),
    ]  # fmt: skip
    tensors = []
    for name, p in llama().named_parameters():
        part, _, last = name.rpartition(".")
        outer = {"embed_tokens": "token_embd", "norm": "output_norm", "lm_head": "output"}
        theirs = (
            outer[part] if part in outer else "blk.{}.{}".format(part.split(".")[1], GGUF_NAMES[part.split(".", 2)[2]])
        )
        kind = "Q8_0" if len(p.shape) == 2 else "F32"
        content = quantize(kind, p.numpy()).tobytes()
        tensors.append((f"{theirs}.{last}", tuple(reversed(p.shape)), TYPES[kind].code, content))
    good, fields = make(settings, tensors)
    few = [(at, form) for i, (at, form, what) in enumerate(fields) if "tokenizer.ggml" not in what or i % 20 == 0]
    return Form(good, opened, (FormatError, TokenizerError), few, name="x.gguf")


def t5_form() -> Form:
    """config.json of a T5, which `load` does not open: an encoder-decoder is no model to talk with."""
    config, arrays = t5.to_huggingface(
        Seq2Seq(Seq2SeqConfig(20, 8, 4, 12, 2, num_heads=2, relative_attention_num_buckets=4))
    )
    with tempfile.TemporaryDirectory() as folder:
        safetensors.write(Path(folder) / "x", arrays)
        weights = (Path(folder) / "x").read_bytes()

    def read(path: Path) -> Any:
        try:
            model = t5.from_huggingface(read_json(path), safetensors.read(path.with_name("model.safetensors")))
        except FormatError as error:
            raise FormatError(f"{path.parent}: {error}") from None
        return asdict(model.config), {name: value.numpy() for name, value in model.state_dict().items()}

    document = (config, lambda text: text)
    return Form(
        json.dumps(config).encode(), read, FormatError, [], document, "config.json", {"model.safetensors": weights}
    )


FORMS: dict[str, Callable[[], Form]] = {
    "GGUF": gguf_form,
    "GGUF of a Llama": llama_gguf_form,
    "safetensors": safetensors_form,
    "safetensors of a BERT": lambda: folder_form(bert, "model.safetensors"),
    "tokenizer.json, BPE": lambda: tokenizer_form(bpe()),
    "tokenizer.json, WordPiece": lambda: tokenizer_form(wordpiece()),
    "config.json of a GPT-2": lambda: folder_form(gpt, "config.json"),
    "config.json of a BERT": lambda: folder_form(bert, "config.json", wordpiece),
    "config.json of a Llama": lambda: folder_form(llama, "config.json", bpe),
    "config.json of a T5": t5_form,
    "tokenizer_config.json": lambda: folder_form(llama, "tokenizer_config.json", bpe),
    **DATA_FORMS,
}


def report(n: int) -> Iterator[str]:
    """Tries `n` damages of each kind of file: the lines of a table of what came of them, and the faults."""
    yield f"{'file':<28}{'tried':>8}{'refused':>10}{'the same':>10}{'another value':>15}{'faults':>8}"
    total: Counter[str] = Counter()
    for name, form in FORMS.items():
        with tempfile.TemporaryDirectory() as folder:
            counts = tried(form(), range(n), Path(folder))
        faults = [answer for answer in counts if answer.startswith("FAULT")]
        counts["faults"] = sum(counts[answer] for answer in faults)
        total += counts
        yield row(name, n, counts)
        yield from (f"    {answer}" for answer in faults[:5])
    yield row("all", n * len(FORMS), total)


def row(name: str, n: int, counts: Counter[str]) -> str:
    return f"{name:<28}{n:>8}{counts['refused']:>10}{counts['the same']:>10}{counts['another value']:>15}{counts['faults']:>8}"


if __name__ == "__main__":
    for line in report(int(sys.argv[1]) if len(sys.argv) > 1 else 5000):
        print(line, flush=True)
