"""Folders that `save` wrote, opened by transformers' Auto classes: the same ids, the same numbers; and opened here again."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (pip install 'minilm[oracle]')")
transformers = pytest.importorskip(
    "transformers", reason="transformers is not installed (pip install 'minilm[oracle]')"
)

import minilm as ml
from minilm.models import GPT, GPTConfig, Llama, LlamaConfig, Seq2Seq, Seq2SeqConfig
from minilm.models.bert import Bert, BertConfig, BertForMaskedLM
from minilm.pretrained import load, save
from minilm.text import BPETokenizer, WordPieceTokenizer

TEXT = "The quick brown fox jumps over the lazy dog; the dog, however, sleeps.\nIt's 10 o'clock  already!"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def bpe():
    return BPETokenizer.train(TEXT, vocab_size=280, special_tokens=["<|end|>"], min_count=1)


def wordpiece():
    return WordPieceTokenizer.train(TEXT, vocab_size=80, special_tokens=SPECIAL, lower_case=True)


def gpt(vocab):
    return GPT(GPTConfig(vocab, 64, 2, 2, 8))


def llama(vocab):
    return Llama(LlamaConfig(vocab, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
                             num_key_value_heads=2, max_position_embeddings=64))  # fmt: skip


def bert(kind):
    def make(vocab):
        return kind(BertConfig(vocab, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12,
                               max_position_embeddings=64, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0))  # fmt: skip

    return make


def t5(vocab):
    return Seq2Seq(Seq2SeqConfig(vocab, d_model=8, d_kv=4, d_ff=12, num_layers=2, num_heads=2))


CASES = {
    "gpt2": (gpt, bpe, "AutoModelForCausalLM"),
    "llama": (llama, bpe, "AutoModelForCausalLM"),
    "bert": (bert(Bert), wordpiece, "AutoModel"),
    "masked bert": (bert(BertForMaskedLM), wordpiece, "AutoModelForMaskedLM"),
    "t5": (t5, bpe, "AutoModelForSeq2SeqLM"),
}


def numbers(model, ids):
    with ml.no_grad():
        return (model(ids, ids) if isinstance(model, Seq2Seq) else model(ids)).numpy()


@pytest.fixture(params=CASES, ids=lambda name: name.replace(" ", "-"))
def case(request, tmp_path):
    make, make_tokenizer, auto = CASES[request.param]
    tokenizer = make_tokenizer()
    ml.random.manual_seed(0)
    model = make(tokenizer.vocab_size).eval()
    with ml.no_grad():
        for p in model.parameters():
            p.data = p.data + 0.3 * np.random.default_rng(p.size).standard_normal(p.shape).astype(np.float32)
    save(model, tokenizer, tmp_path / "folder")
    return model, tokenizer, tmp_path / "folder", auto


def test_transformers_opens_it_to_the_same_numbers(case):
    model, tokenizer, folder, auto = case
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    ids = tokenizer.encode(TEXT)
    assert theirs(TEXT, add_special_tokens=False)["input_ids"] == ids
    assert len(theirs) == tokenizer.vocab_size
    oracle, told = getattr(transformers, auto).from_pretrained(folder, output_loading_info=True)
    assert not told["missing_keys"]
    assert not told["unexpected_keys"]
    batch = np.array([ids[:12], ids[-12:]])
    inputs = {"input_ids": torch.from_numpy(batch)}
    if auto.endswith("Seq2SeqLM"):
        inputs["decoder_input_ids"] = inputs["input_ids"]
    with torch.no_grad():
        expected = oracle.eval()(**inputs)[0].numpy()
    np.testing.assert_allclose(numbers(model, batch), expected, rtol=1e-4, atol=1e-4)


def test_it_opens_here_again(case):
    model, tokenizer, folder, _ = case
    again = load(folder)
    assert type(again.model) is type(model)
    assert again.model.config == model.config
    assert again.tokenizer.encode(TEXT) == tokenizer.encode(TEXT)
    batch = np.array([tokenizer.encode(TEXT)[:12]])
    np.testing.assert_array_equal(numbers(again.model, batch), numbers(model, batch))


def test_transformers_own_folder_comes_back_as_it_was(case, tmp_path):
    """Written here, opened and written there, opened here: nothing is lost on the way."""
    model, tokenizer, folder, auto = case
    getattr(transformers, auto).from_pretrained(folder).save_pretrained(tmp_path / "theirs")
    transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(tmp_path / "theirs")
    again = load(tmp_path / "theirs")
    assert again.tokenizer.encode(TEXT) == tokenizer.encode(TEXT)
    batch = np.array([tokenizer.encode(TEXT)[:12]])
    np.testing.assert_allclose(numbers(again.model, batch), numbers(model, batch), rtol=1e-5, atol=1e-6)
