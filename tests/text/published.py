"""Small published tokenizers, as files have them: every call gives fresh fields, to be written, changed or damaged."""

from minilm.text.bpe import BPETokenizer
from minilm.text.published_bpe import spelled

SAMPLE = "low lower lowest, the newest widest wide low; it's 2024 now: don't lose the 12 low ones. Größe 🙂 low\n" * 3
TRAINED = BPETokenizer.train(SAMPLE, vocab_size=300)


def ordinary() -> list[str]:
    """256 bytes and 44 merges in GPT-2's alphabet, the ids turned around: the last merge first, the bytes last."""
    return [spelled(TRAINED.id_to_bytes(id)) for id in range(300)][::-1]


def merges() -> list[str]:
    return [" ".join(spelled(TRAINED.id_to_bytes(id)) for id in pair) for pair in TRAINED.merges]


def added(id: int, content: str, **flags: bool) -> dict:
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": id, "content": content} | plain | flags


def byte_level(use_regex: bool = True, add_prefix_space: bool = False) -> dict:
    return {"type": "ByteLevel", "add_prefix_space": add_prefix_space, "trim_offsets": True, "use_regex": use_regex}


def bpe_json() -> dict:
    """SmolLM2's form: special tokens before all others, digits alone."""
    tokens = ["<|end|>", "<|user|>", *ordinary()]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [added(0, "<|end|>"), added(1, "<|user|>")],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level()],
        },
        "post_processor": byte_level(),
        "decoder": byte_level(),
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: id for id, token in enumerate(tokens)},
            "merges": merges(),
        },
    }


PIECES = [
    *"abcehilost",
    "un",
    "wide",
    "low",
    "new",
    "run",
    "##s",
    "##est",
    "##er",
    "##n",
    "##ing",
    "##a",
    "##b",
    "##e",
    "##t",
]
PIECES += ["##i", "##o", "##w", *".,!?'", "don", "é", "京", "1", "2", "##2"]


def wordpiece_json() -> dict:
    """BERT's form, [UNK] in the middle of the vocabulary."""
    tokens = ["[PAD]", *PIECES[:10], "[UNK]", "[CLS]", "[SEP]", "[MASK]", *PIECES[10:]]
    special = [token for token in tokens if token[0] == "["]

    def one(name: str, segment: int) -> dict:
        return {"SpecialToken": {"id": name, "type_id": segment}}

    def text(name: str, segment: int) -> dict:
        return {"Sequence": {"id": name, "type_id": segment}}

    single = [one("[CLS]", 0), text("A", 0), one("[SEP]", 0)]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [added(tokens.index(token), token) for token in special],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": single,
            "pair": [*single, text("B", 1), one("[SEP]", 1)],
            "special_tokens": {
                name: {"id": name, "ids": [tokens.index(name)], "tokens": [name]} for name in ("[CLS]", "[SEP]")
            },
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {token: id for id, token in enumerate(tokens)},
        },
    }


def gguf_metadata() -> dict:
    """The same vocabulary as `bpe_json`, as the metadata of a GGUF file."""
    tokens = ["<|end|>", "<|user|>", *ordinary()]
    return {
        "general.architecture": "llama",
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [3, 3] + [1] * 300,
        "tokenizer.ggml.merges": merges(),
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 0,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.padding_token_id": 0,
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.ggml.add_space_prefix": False,
    }


def gpt2_files() -> tuple[dict[str, int], str]:
    """vocab.json and merges.txt."""
    tokens = [*ordinary(), "<|endoftext|>"]
    return {token: id for id, token in enumerate(tokens)}, "\n".join(["#version: 0.2", *merges()]) + "\n"


STRANGE = [
    "",
    " ",
    "  ",
    "\n",
    "a",
    "low  lower\n\n  lowest \t",
    "it's IT'S it'Ll 'tis",
    "2024 12½ ²³ Ⅷ ३٣ x1y22z333",
    "\r\n \r\n",
    "a\u3000b\xa0c",
    "e\u0301te\u0301 é É",
    "İ ΟΔΟΣ ß ẞ ſ 'ſ ﬁ",
    "京都 日本語 한국어 가각",
    "नमस\u094dते ไทย مرحبا",
    "🙂👨\u200d👩\u200d👧🏽 ️",
    "\x00\x07\x1c\x1f\x7f\x85\u200b\u2028\ufeff�",
    "<|end|>low<|user|>",
    "low[SEP] [MASK] [CLS]x[PAD]",
    "##s s##s",
    "lowest? newest! don't . ... ,",
    "x" * 120 + " low",
    "snake_case_1",
    "\ue000a\U000f0000b",
    "Größe: wide-est (low)",
    "\u0345a\u0327\u0301",
    "𝟘𝔘 Ǆ ﷺ",
    " \u2009low",
    "<|end",
    "a^b`c~d$e",
]
