"""What both languages share: labels, slices, the form of a file, numbers, batches by length."""

import math

import numpy as np
import pytest

from minilm.applications.sentiment import (
    CHINESE,
    ENGLISH,
    Opinion,
    answers_of,
    by_length,
    label_of,
    neighbors,
    read_opinions,
)
from minilm.applications.sentiment_zh import ChineseSentiment
from minilm.data import DataError


def answer_of(positive):
    with np.errstate(divide="ignore"):
        return answers_of([np.log(positive) - np.log(1 - np.float64(positive))])[0]


GOOD, BAD = answer_of(0.9), answer_of(0.2)


def told(examples, answers):
    return {score.name: score.value for score in ChineseSentiment().measure(examples, answers)}


# -- slices -----------------------------------------------------------------------------------------------------------


def test_negations_and_contrasts_are_found_and_what_looks_like_them_is_not():
    texts = ["不错", "不过很吵", "没有早餐,但是便宜", "很好"]
    slices = CHINESE.slices(texts)
    assert slices["with a negation"].tolist() == [True, False, True, False]
    assert slices["with a contrast"].tolist() == [False, True, True, False]
    texts = ["It isn't good", "Nothing works, BUT it shines", "A notable film", "butter", "Cannot say"]
    slices = ENGLISH.slices(texts)
    assert slices["with a negation"].tolist() == [True, True, False, False, True]
    assert slices["with a contrast"].tolist() == [False, True, False, False, False]


def test_lengths_are_in_words_or_characters():
    slices = CHINESE.slices(["好" * 20, "好 " * 21, "好" * 100, ""])
    assert slices["up to 20 characters"].tolist() == [True, False, False, True]
    assert slices["from 100 characters"].tolist() == [False, False, True, False]
    assert ENGLISH.slices(["don't " * 10, "a-b " * 30])["up to 10 words"].tolist() == [True, False]
    assert all(len(within) == 0 for within in ENGLISH.slices([]).values())


# -- numbers ----------------------------------------------------------------------------------------------------------


def test_numbers_of_four_answers():
    examples = [
        Opinion("不好", "negative"),
        Opinion("好", "positive"),
        Opinion("差", "negative"),
        Opinion("不贵", "positive"),
    ]
    found = told(examples, [BAD, GOOD, answer_of(0.6), BAD])
    assert next(iter(found)) == "accuracy"
    assert found["accuracy"] == 0.5
    assert found["accuracy with a negation"] == 0.5
    assert found["AUC"] == pytest.approx((1 + 1 + 0 + 0.5) / 4)
    assert "accuracy from 100 characters" not in found  # there is none


@pytest.mark.parametrize("label", ["negative", "positive"])
def test_of_one_class_there_is_no_order_to_measure(label):
    found = told([Opinion("好", label), Opinion("坏", label)], [GOOD, GOOD])
    assert found["accuracy"] == float(label == "positive")
    assert "AUC" not in found
    assert all(math.isfinite(value) for value in found.values())


def test_the_errors_are_those_that_are_wrong():
    examples = [Opinion("好", "positive"), Opinion("好", "negative")]
    assert ChineseSentiment().wrong(examples, [GOOD, GOOD]) == [1]
    details = ChineseSentiment().details(examples, [GOOD, GOOD])
    assert details["confusion"]["counts"] == [[0, 1], [0, 1]]
    assert details["slices"]["up to 20 characters"] == 2


@pytest.mark.parametrize("positive", [0.0, 0.3, 0.5, 1.0])
def test_an_answer_has_the_likelier_label(positive):
    answer = answer_of(positive)
    assert answer["label"] == ("positive" if positive > 0.5 else "negative")
    assert answer["probability"] == max(answer["probabilities"].values()) == pytest.approx(max(positive, 1 - positive))
    assert sum(answer["probabilities"].values()) == pytest.approx(1.0)


def test_a_rating_is_a_label_where_it_is_clear():
    ratings = [-4.0, -0.5, -0.49, 0.0, 0.49, 0.5, 4.0]
    assert [label_of(rating) for rating in ratings] == [*["negative"] * 2, *["neutral"] * 3, *["positive"] * 2]


# -- lines and files --------------------------------------------------------------------------------------------------


def test_a_file_has_labels_or_ratings_before_tabs_or_in_objects(tmp_path):
    path = tmp_path / "mine.tsv"
    path.write_bytes(
        '\ufeffpositive\tvery good\r\n\n-1.5\tbad\tand long\n{"label": "neutral", "text": "so"}\n{"rating": 3, "text": " 好 "}\n'.encode()
    )
    assert read_opinions(path) == [
        Opinion("very good", "positive"),
        Opinion("bad\tand long", "negative", -1.5),
        Opinion("so", "neutral"),
        Opinion("好", "positive", 3.0),
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("good\tfine", "'good' is no label"),
        ("5\tfine", "'5' is no label"),
        ("nan\tfine", "'nan' is no label"),
        ("positive\t ", "text"),
        ("positive", "text"),
        ('{"label": "positive"}', "text"),
        ('{"text": "fine"}', "None is no label"),
        ('{"label": ["positive"], "text": "fine"}', "is no label"),
        ('{"label": "positive", "text": 3}', "text"),
        ("{broken", "not valid JSON"),
    ],
)
def test_a_line_that_is_wrong_is_named(tmp_path, line, told):
    path = tmp_path / "mine.tsv"
    path.write_text(f"positive\tfine\n{line}\n", "utf-8")
    with pytest.raises(DataError, match="line 2") as caught:
        read_opinions(path)
    assert told in str(caught.value)


def test_what_is_no_text_at_all(tmp_path):
    (tmp_path / "bytes").write_bytes(b"positive\t\xff\xfe")
    for name in ("bytes", "missing"):
        with pytest.raises(DataError, match="UTF-8"):
            read_opinions(tmp_path / name)


# -- batches ----------------------------------------------------------------------------------------------------------


def test_neighbors_are_of_one_length_and_each_example_is_as_likely():
    lengths = np.array([5, 1, 9, 5, 5, 2, 7, 5])
    rng = np.random.default_rng(0)
    drawn = [neighbors(lengths, 3, rng) for _ in range(4000)]
    assert all(len(set(rows.tolist())) == 3 for rows in drawn)
    shares = np.bincount(np.concatenate(drawn), minlength=8) / len(drawn)
    assert np.abs(shares - 3 / 8).max() < 0.03
    assert any(set(rows.tolist()) == {0, 3, 7} for rows in drawn)
    apart = [np.ptp(lengths[rows]) for rows in drawn]
    assert np.mean(apart) < np.ptp(lengths) / 2


def test_neighbors_depend_on_the_generator_alone():
    lengths = np.arange(50) % 7
    first, second = (neighbors(lengths, 4, np.random.default_rng(3)) for _ in range(2))
    assert (first == second).all()
    assert (first != neighbors(lengths, 4, np.random.default_rng(4))).any()


def test_by_length_has_each_once():
    lengths = np.array([3, 1, 2, 1, 9])
    parts = list(by_length(lengths, 2))
    assert [len(part) for part in parts] == [2, 2, 1]
    assert lengths[np.concatenate(parts)].tolist() == [1, 1, 2, 3, 9]
    assert list(by_length(np.array([], int), 2)) == []
