"""A text in three parts, short contexts, and what is measured of a model that reads them."""

import numpy as np
import pytest

import minilm as ml
from minilm.book import short_contexts
from minilm.text import CharTokenizer


def test_parts_hold_each_paragraph_once_and_in_order():
    paragraphs = [f"p{k:03}" for k in range(100)]
    train, validation, test = short_contexts.parts(paragraphs)
    assert (len(train), len(validation), len(test)) == (80, 10, 10)
    assert sorted([*train, *validation, *test]) == paragraphs
    assert train == sorted(train)
    assert test == sorted(test)


def test_what_is_known_of_a_text():
    assert short_contexts.share_known("abcdef", "xxabcdxx", 4) == pytest.approx(4 / 6)
    assert short_contexts.share_known("abcdef", "abc", 4) == 0.0
    assert short_contexts.share_known("", "abc", 4) == 0.0


def test_examples_are_all_contexts_with_what_follows():
    tokenizer = CharTokenizer.train("abcd", unk_token="<unk>")
    contexts, targets = short_contexts.examples("abcd", tokenizer, 2)
    assert [tokenizer.decode(row.tolist()) for row in contexts] == ["ab", "bc"]
    assert tokenizer.decode(targets.tolist()) == "cd"


class Uniform(ml.nn.Module):
    def forward(self, contexts):
        return ml.zeros(len(contexts), 5)


def test_a_model_that_knows_nothing_has_the_logarithm_of_the_vocabulary():
    found = short_contexts.log_likelihoods(Uniform(), np.zeros((5000, 3), np.int64), np.zeros(5000, np.int64))
    assert found.shape == (5000,)
    assert np.allclose(found, -np.log(5), rtol=1e-6)


def test_the_interval_counts_paragraphs_and_not_characters():
    paragraphs = ["aaaa"] * 40 + ["bbbb"] * 40
    text = "\n\n".join(paragraphs)
    nats = np.array([1.0 if k // 6 < 40 else 3.0 for k in range(len(text))])[2:]
    low, high, _ = short_contexts.mean_per_paragraph(nats, paragraphs, 2)
    assert low < nats.mean() < high
    assert 0.3 < high - low < 0.6  # of 480 independent characters it would be 0.36 / 6 ** 0.5 wide


def test_a_judge_who_always_says_ours_is_right_in_half_of_the_cases():
    share = short_contexts.recognized(lambda text: 1.0, ["abc"] * 10, ["xyz", "x"] * 10, 3)
    assert share == (0.5, 0.5, 0.5)


def test_a_judge_who_is_right_in_three_of_four():
    share = short_contexts.recognized(lambda text: 1.0 if "a" in text else -1.0, ["ab", "cd"] * 20, ["xy"] * 40, 2)
    assert share.value == 0.75
    assert share.low < 0.75 < share.high
