"""The tokenizer in a GGUF file's metadata."""

import pytest

from minilm.text import TextStream, TokenizerError, load_tokenizer
from minilm.text.huggingface import tokenizer_from_gguf
from tests.text.published import TRAINED, gguf_metadata


def test_a_gguf_tokenizer(tmp_path):
    tokenizer = tokenizer_from_gguf(gguf_metadata())
    assert tokenizer.splits == ("digits", "gpt2")
    assert (tokenizer.bos_id, tokenizer.eos_id, tokenizer.unk_id, tokenizer.pad_id) == (1, 0, 0, 0)
    assert not tokenizer.add_bos
    assert tokenizer.encode("low lowest") == [301 - id for id in TRAINED.encode("low lowest")]
    tokenizer.save(tmp_path / "own.json")
    again = load_tokenizer(tmp_path / "own.json")
    assert again.to_dict() == tokenizer.to_dict()
    assert again.roles == tokenizer.roles


def test_text_streams_from_it():
    tokenizer = tokenizer_from_gguf(gguf_metadata())
    stream = TextStream(tokenizer, tokenizer.encode("low "))
    ids = tokenizer.encode("Größe 🙂 low")
    assert "".join(map(stream.add, ids)) + stream.finish() == "Größe 🙂 low"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("model", "llama", "the GGUF file's tokenizer: model 'llama' is not supported; 'gpt2' is"),
        ("model", ..., "has no field 'model'"),
        ("pre", "deepseek-llm", "pre 'deepseek-llm', the way of cutting text, is not supported"),
        ("pre", ..., "has no field 'pre'"),
        ("tokens", ["a", 3], "must hold strings"),
        (
            "tokens",
            ["<|end|>", "<|user|>"] + ["a"] * 300,
            "the token 'a' has two ids, 2 and 3|which the vocabulary has not",
        ),
        ("token_type", [3], "token_type has 1 entries for 302 tokens"),
        ("token_type", [3, 6] + [1] * 300, "token_type of token 1 is 6, which is not supported"),
        ("merges", ["a b c"], "merge 0 must be two tokens"),
        ("merges", ["a zz"], "merge 0 names the token 'zz'"),
        ("bos_token_id", 302, "the role 'bos' has the id 302"),
        ("eos_token_id", 1.0, "field 'eos_token_id' must be of type int"),
        ("add_bos_token", 1, "field 'add_bos_token' must be of type bool"),
        ("add_space_prefix", True, "add_space_prefix True is not supported"),
        ("add_eos_token", True, "add_eos_token True is not supported"),
    ],
)
def test_what_is_not_supported_is_named(key, value, message):
    metadata = gguf_metadata()
    if value is ...:
        del metadata[f"tokenizer.ggml.{key}"]
    else:
        metadata[f"tokenizer.ggml.{key}"] = value
    with pytest.raises(TokenizerError, match=message):
        tokenizer_from_gguf(metadata)


def test_kinds_of_tokens():
    metadata = gguf_metadata()
    metadata["tokenizer.ggml.token_type"][1] = 4  # defined by a user: found in any text
    tokenizer = tokenizer_from_gguf(metadata)
    assert tokenizer.special_tokens == {"<|end|>": 0}
    assert tokenizer.encode("<|user|>low")[0] == 1


def test_llama_3_begins_each_text_with_a_token():
    metadata = gguf_metadata() | {"tokenizer.ggml.pre": "llama-bpe"}
    del metadata["tokenizer.ggml.add_bos_token"]
    tokenizer = tokenizer_from_gguf(metadata)
    assert tokenizer.add_bos
    assert tokenizer.ignore_merges
    assert tokenizer.splits == ("llama3",)
