import numpy as np
import pytest

from minilm.applications.simple.ngrams import NGram
from minilm.capstone.surprise import BETWEEN, Measured, Part, by_counting, by_model, grouped, tuned_ngram
from minilm.graph import no_grad
from minilm.models import GPT, GPTConfig
from minilm.nn import functional as F
from minilm.text import BPETokenizer

TEXT = "the cat sat on the mat and the dog sat on the cat " * 4
END = "<|endoftext|>"


@pytest.fixture(scope="module")
def tokenizer():
    return BPETokenizer.train(TEXT, vocab_size=270, special_tokens=[END])


def test_a_model_is_asked_for_each_token_of_the_text_once_and_for_none_of_what_stands_before(tokenizer):
    model, end = GPT(GPTConfig(270, block_size=24, n_layer=1, n_head=2, n_embd=16)), tokenizer.special_tokens[END]
    parts = [Part("", "the cat"), Part("the dog sat", " on the mat"), Part("", TEXT[:60]), Part(TEXT[:30], "cat")]
    found = by_model("m", model, tokenizer, end, parts)
    assert found.characters.tolist() == [7, 11, 60, 3]
    for part, nats in zip(parts[:2], found.nats[:2], strict=True):  # they fit into the context: one pass tells
        before, text = tokenizer.encode(part.before), tokenizer.encode(part.text)
        ids = np.array([[end, *before, *text]])
        losses = F.cross_entropy(model(ids[:, :-1])[0], ids[0, 1:], reduction="none").numpy()
        assert nats == pytest.approx(losses[len(before) :].sum(), rel=1e-5)
        assert len(losses[len(before) :]) == len(text)


def test_a_long_text_is_foretold_whole(tokenizer):
    """A model that knows nothing needs ln V for each token, however the windows lie."""
    model, end = GPT(GPTConfig(270, block_size=6, n_layer=1, n_head=1, n_embd=8)), tokenizer.special_tokens[END]
    with no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter * 0)
    before = TEXT[:40]
    found = by_model("m", model, tokenizer, end, [Part(before, TEXT[40:100]), Part("", TEXT[:3])])
    tokens = [len(tokenizer.encode(TEXT[40:100])), len(tokenizer.encode(TEXT[:3]))]
    np.testing.assert_allclose(found.nats, np.array(tokens) * np.log(270), rtol=1e-5)


def test_counting_sees_what_stands_before():
    counts = NGram(TEXT, 4)
    found = by_counting("c", counts, [Part("the c", "at")])
    assert found.nats[0] == pytest.approx(counts.nats(BETWEEN + "the cat")[-2:].sum())
    assert found.characters.tolist() == [2]


def test_the_order_is_the_one_that_the_validation_part_likes():
    told = []
    best = tuned_ngram([TEXT], [Part("", "the cat sat on")], (1, 5), told.append)
    assert best.order == 5
    assert len(told) == 2
    with pytest.raises(ValueError, match="no order"):
        tuned_ngram([TEXT], [], ())


def test_bits_are_of_all_parts_together_and_intervals_of_groups():
    one = Measured("one", np.array([2.0, 4.0, 6.0]) * np.log(2), np.array([1, 2, 3]))
    two = Measured("two", np.array([3.0, 6.0, 9.0]) * np.log(2), np.array([1, 2, 3]))
    assert one.bits == pytest.approx(2)
    nats, characters = grouped(one, ["a", "b", "a"])
    assert (nats / np.log(2)).tolist() == pytest.approx([8, 4])
    assert characters.tolist() == [4, 2]
    assert one.less(two)[:2] == pytest.approx((1, 1))
    assert one.interval(["a", "a", "a"]) is None
