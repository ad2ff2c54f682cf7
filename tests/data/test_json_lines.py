"""The text of a line of JSON; how the readers of files word it is in test_plain_text.py."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minilm.data.json_lines import BAD_ENCODING, BAD_JSON, NO_FIELD, NO_STRING, NoText, text_of


@given(text=st.text(st.characters(exclude_categories=["Cs"])), ascii_only=st.booleans())
def test_any_text_comes_back(text, ascii_only):
    assert text_of(json.dumps({"n": [1], "body": text}, ensure_ascii=ascii_only), "body") == text


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", BAD_JSON),
        ('{"text": "a', BAD_JSON),
        ('{"text": "a\nb"}', BAD_JSON),
        ('{"text": "a"} {}', BAD_JSON),
        ('{"text": "a", "text": "b"}', BAD_JSON),
        ("[" * 100_000, BAD_JSON),
        ('{"text": "a", "n": ' + "1" * 5000 + "}", BAD_JSON),
        ('{"body": "a"}', NO_FIELD),
        ('"text"', NO_FIELD),
        ("null", NO_FIELD),
        ('{"text": null}', NO_STRING),
        ('{"text": ["a"]}', NO_STRING),
        ('{"text": "a\\ud83d"}', BAD_ENCODING),
    ],
)
def test_what_has_no_text_says_why(line, reason):
    with pytest.raises(NoText) as caught:
        text_of(line, "text")
    assert caught.value.reason == reason
    assert str(caught.value)


def test_a_pair_of_surrogates_is_a_character():
    assert text_of('{"text": "\\ud83d\\ude00"}', "text") == "\U0001f600"
