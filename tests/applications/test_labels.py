"""Texts with labels: files of them, what is answered, what is measured."""

import numpy as np
import pytest

from minilm.applications.labels import (
    LabeledText,
    label_answers,
    label_details,
    label_scores,
    parse_text,
    read_labeled,
    wrong_labels,
)
from minilm.data import DataError


def test_files_of_both_forms(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_bytes(
        b'\xef\xbb\xbfham\tsee you at\tnoon\r\n\n{"text": "two\\nlines", "label": "ham"}\n spam \twin \xe2\x82\xac\n'
    )
    assert read_labeled(path) == [
        LabeledText("see you at\tnoon", "ham", 0),
        LabeledText("two\nlines", "ham", 1),
        LabeledText("win €", "spam", 2),
    ]
    path.write_bytes(b"")
    assert read_labeled(path) == []


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"ham\tx\nno tab\n", "line 2: no tab: expected a line for each example"),
        (b"ham\t \n", "line 1: no text or no label"),
        (b"\tx\n", "line 1: no text or no label"),
        (b'{"text": "x"}\n', "line 1: no text or no label"),
        (b'{"text": 1, "label": "x"}\n', "line 1: no text or no label"),
        (b'{"text": "x", \n', "line 1: is not valid JSON"),
        (b'{"text": "x", "text": "y", "label": "z"}\n', "line 1: .*text"),
        (b"ham\t\xff\n", "no text in UTF-8: byte 0xff at offset 4"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(tmp_path, content, told):
    (tmp_path / "mine").write_bytes(content)
    with pytest.raises(DataError, match=told):
        read_labeled(tmp_path / "mine")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="cannot be read: "):
        read_labeled(tmp_path / "none")


def test_a_line_is_a_text_or_an_object_with_one():
    assert parse_text(" a line ") == " a line "
    assert parse_text('{"text": "two\\nlines"}') == "two\nlines"
    for line, told in ((" ", "it is empty"), ('{"text": " "}', "it is empty"), ('{"texts": "x"}', 'has no "text"'),
                       ('{"text": 3}', "it is empty"), ("{x", "not valid JSON")):  # fmt: skip
        with pytest.raises(ValueError, match=told):
            parse_text(line)


def test_answers_from_probabilities():
    first, second = label_answers(["a", "b"], np.array([[0.25, 0.75], [0.5, 0.5]], np.float32))
    assert first == {"label": "b", "probability": 0.75, "probabilities": {"a": 0.25, "b": 0.75}}
    assert second["label"] == "a"
    assert label_answers(["a", "b"], np.zeros((0, 2))) == []


def answered(*labels, probability=0.9):
    return [{"label": label, "probability": probability} for label in labels]


EXAMPLES = [LabeledText("x", label, group) for label, group in (("a", 0), ("a", 0), ("b", 1), ("b", 2))]


def test_what_is_measured():
    accuracy, f1, calibration = label_scores(EXAMPLES, answered("a", "a", "b", "a"))
    assert (accuracy.name, accuracy.value) == ("accuracy", 0.75)
    assert f1.value == pytest.approx((0.8 + 2 / 3) / 2)
    assert calibration.value == pytest.approx(0.15)
    assert accuracy.n == 3  # groups are drawn
    assert not calibration.higher_is_better


def test_a_label_that_is_only_answered_is_no_class_of_its_own():
    accuracy, f1, _ = label_scores(EXAMPLES, answered("a", "a", "b", "c"))
    assert accuracy.value == 0.75
    assert f1.value == pytest.approx((1 + 2 / 3) / 2)


def test_which_label_was_said_where_which_was_true():
    found = label_details(EXAMPLES, answered("a", "b", "b", "b"))["confusion"]
    assert (found["labels"], found["counts"]) == (["a", "b"], [[1, 1], [0, 2]])


def test_wrong_answers_that_were_most_sure_come_first():
    answers = [*answered("b", probability=0.6), *answered("a"), *answered("a", probability=0.8), *answered("b")]
    assert wrong_labels(EXAMPLES, answers) == [2, 0]
