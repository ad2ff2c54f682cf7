"""Overlap with held-out texts: runs as hashes against sets of words."""

import random

import numpy as np
import pytest

from minilm.data.corpus import decontaminate as module
from minilm.data.corpus.decontaminate import LENGTH, contaminated, overlap, overlap_plain, passage, run_hashes, runs_of
from tests.data.corpus.texts import any_texts, words

TEST = "How many moons has the planet that was found in 1846, and which of them goes around it backwards?"
CHINESE = "这颗一八四六年发现的行星有几颗卫星，其中哪一颗是逆行的？请说明理由。"


def texts_of_few_words(count, seed=0):
    rng, known = random.Random(seed), [*words(3, seed), "中", "国", "!"]
    return [" ".join(rng.choices(known, k=rng.choice([0, 1, 2, 3, 8, 30]))) for _ in range(count)]


@pytest.mark.parametrize("n", [1, 3, 5, 13])
@pytest.mark.parametrize("make", [any_texts, texts_of_few_words])
def test_many_at_once_are_each_by_itself(make, n):
    texts = make(60, n)
    others = [*make(15, 100 + n), *(text.upper()[:-3] + " c" for text in texts[:10]), *texts[10:13]]
    found = overlap(texts, runs_of(others, n), n)
    assert list(zip(*map(np.ndarray.tolist, found), strict=True)) == [overlap_plain(text, others, n) for text in texts]
    assert found.runs.any()


def test_neither_batches_nor_order_change_it(monkeypatch):
    texts, others = texts_of_few_words(60), texts_of_few_words(15, 1)
    known, whole = runs_of(others, 3), overlap(texts, runs_of(others, 3), 3)
    monkeypatch.setattr(module, "BATCH", 20)
    assert np.array_equal(runs_of(others[::-1], 3), known)
    again = overlap(texts[::-1], known, 3)
    assert all(np.array_equal(one[::-1], other) for one, other in zip(again, whole, strict=True))


@pytest.mark.parametrize("text", [TEST, CHINESE])
def test_what_is_asked_is_found_within_a_document_whatever_its_case_and_punctuation(text):
    document = " ".join(words(400)) + " - " + text.upper().replace("?", "!") + " " + " ".join(words(400, 1))
    found = overlap([document, " ".join(words(900))], runs_of([text]))
    assert found.runs.tolist() == [len(run_hashes([text]).values), 0]
    assert found.first.tolist() == [400, -1]
    assert passage(document, 400) == passage(text, 0)


def test_which_go():
    copy, quotation = TEST, " ".join([*words(300), *TEST.split()[:LENGTH], *words(300)])
    book = " ".join([*words(3000), *words(80, 1), *words(3000, 2)])
    found = overlap([copy, quotation, book, "", " ?! "], runs_of([TEST, " ".join(words(80, 1)), ""]))
    assert contaminated(found).tolist() == [True, False, True, False, False]
    assert found.shares[0] == 1
    assert found.shares[2] < 0.1
    assert contaminated(found, 1.0, 10_000).tolist() == [False] * 5


def test_a_short_text_is_one_run():
    found = overlap(["Yes, it is!", "yes it is not", "no"], runs_of(["yes it is"]))
    assert found.runs.tolist() == [1, 0, 0]


def test_nothing_to_compare():
    assert len(runs_of([])) == len(runs_of(["", " . "])) == 0
    assert overlap(["a", ""], runs_of([])).runs.tolist() == [0, 0]
    assert overlap([], runs_of(["a"])).shares.shape == (0,)


def test_a_run_has_a_word():
    with pytest.raises(ValueError, match="a run has 1 word or more, got n = 0"):
        run_hashes(["a"], 0)
