"""What both languages share: labels, slices, the form of a file, numbers, batches by length."""

import math

import numpy as np
import pytest

from minilm.applications.sentiment import (
    CHINESE,
    ENGLISH,
    Opinion,
    answers_of,
    label_of,
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
