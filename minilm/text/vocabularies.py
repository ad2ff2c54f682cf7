"""Vocabularies in other files than tokenizer.json: GPT-2's vocab.json with merges.txt, and the metadata of GGUF."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

from minilm.files import no_text, shown
from minilm.strict_json import short
from minilm.text.added import AddedToken
from minilm.text.huggingface_parts import in_order, merges_of
from minilm.text.published_bpe import PublishedBPETokenizer
from minilm.text.storage import TokenizerError, field, read_limited, read_tokenizer, string_list

GGUF = "tokenizer.ggml."

PRE_TOKENIZERS: dict[str, tuple[tuple[str, ...], dict[str, bool]]] = {
    "gpt-2": (("gpt2",), {}),
    "smollm": (("digits", "gpt2"), {}),
    "starcoder": (("digits", "gpt2"), {}),
    "llama-bpe": (("llama3",), {"ignore_merges": True}),
    "qwen2": (("qwen2",), {"normalize": True}),
}
"""What `tokenizer.ggml.pre` means: the ways of cutting, and options of PublishedBPETokenizer. The names are llama.cpp's
(convert_hf_to_gguf_update.py; its src/llama-vocab.cpp has the patterns); that Qwen's text is normalized is from its own
tokenization_qwen.py.
"""

# The kinds of tokens in `tokenizer.ggml.token_type`, as llama.h names them (LLAMA_TOKEN_TYPE_...).
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED = 1, 2, 3, 4, 5


def tokenizer_from_gguf(metadata: Mapping[str, Any]) -> PublishedBPETokenizer:
    """The tokenizer in the metadata of a GGUF file: byte-level BPE, whose `tokenizer.ggml.model` is "gpt2".

    Control tokens, and tokens that are called unknown or unused, are special; those that a user defined are found in any text.
    A key that is absent: no token has the role; no token is put before a text, but for Llama 3, as in llama.cpp.

    Raises:
        TokenizerError: a key is missing or of another type, the vocabulary is damaged, or its way of cutting is not known.
    """
    try:
        return _from_gguf(metadata)
    except TokenizerError as error:
        raise TokenizerError(f"the GGUF file's tokenizer: {error}") from None


def _from_gguf(metadata: Mapping[str, Any]) -> PublishedBPETokenizer:
    fields = {name.removeprefix(GGUF): value for name, value in metadata.items() if name.startswith(GGUF)}
    model = field(fields, "model", str)
    if model != "gpt2":
        raise TokenizerError(f"model {short(model)} is not supported; 'gpt2' is, which means byte-level BPE")
    pre = field(fields, "pre", str)
    if pre not in PRE_TOKENIZERS:
        raise TokenizerError(f"pre {short(pre)}, the way of cutting text, is not supported; {list(PRE_TOKENIZERS)} are")
    splits, options = PRE_TOKENIZERS[pre]
    tokens = string_list(fields, "tokens")
    added = _added(fields, tokens)
    roles = {}
    for role, key in (("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding")):
        if f"{key}_token_id" in fields:
            roles[role] = field(fields, f"{key}_token_id", int)
    add_bos = (
        field(fields, "add_bos_token", bool) if "add_bos_token" in fields else pre == "llama-bpe" and "bos" in roles
    )
    for key in ("add_space_prefix", "add_eos_token"):
        if fields.get(key, False) is not False:
            raise TokenizerError(f"{key} {short(fields[key])} is not supported; false is")
    return PublishedBPETokenizer(
        tokens, merges_of(field(fields, "merges", list), tokens),
        added_tokens=added, splits=splits, roles=roles, add_bos=add_bos, trim_offsets=True, **options,
    )  # fmt: skip


def _added(fields: dict[str, Any], tokens: Sequence[str]) -> list[AddedToken]:
    kinds = field(fields, "token_type", list) if "token_type" in fields else [NORMAL] * len(tokens)
    if len(kinds) != len(tokens):
        raise TokenizerError(f"token_type has {len(kinds)} entries for {len(tokens)} tokens")
    added = []
    for id, kind in enumerate(kinds):
        if type(kind) is not int or not NORMAL <= kind <= UNUSED:
            raise TokenizerError(f"token_type of token {id} is {short(kind)}, which is not supported; 1 to 5 are")
        if kind != NORMAL:
            added.append(AddedToken(tokens[id], id, special=kind != USER_DEFINED))
    return added


def read_vocab_and_merges(vocab: str | PathLike[str], merges: str | PathLike[str]) -> PublishedBPETokenizer:
    """GPT-2's two files: vocab.json with the id of each token, merges.txt with a merge a line, the first one first.

    A first line that begins with "#version" is no merge. <|endoftext|> is the special token, where the vocabulary has it.
    BERT's vocab.txt is read by `WordPieceTokenizer.from_vocab_file`.

    Raises:
        TokenizerError: a file cannot be read, or the two do not fit; it names the file.
    """
    content = read_limited(merges)
    try:
        if (reason := no_text(content)) is not None:
            raise TokenizerError(reason)
        lines = [line.removesuffix("\r") for line in content.decode("utf-8").removesuffix("\n").split("\n")]
    except (UnicodeDecodeError, TokenizerError) as error:
        raise TokenizerError(f"merges file {shown(merges)}: {error}") from None
    if lines[0].startswith("#version"):
        del lines[0]
    return read_tokenizer(vocab, lambda ids: _gpt2(ids, lines if lines != [""] else []))


def _gpt2(ids: dict[str, Any], merges: list[str]) -> PublishedBPETokenizer:
    end = "<|endoftext|>"
    added = [AddedToken(end, ids[end])] if end in ids else []
    tokens = in_order(ids, added)
    roles = dict.fromkeys(("bos", "eos", "unk"), ids[end]) if added else {}
    return PublishedBPETokenizer(tokens, merges_of(merges, tokens), added_tokens=added, roles=roles, trim_offsets=True)
