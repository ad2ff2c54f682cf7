import json

import numpy as np
import pytest

from minilm.data.errors import DataError
from minilm.data.sets.bias import adult, gender_words, news_vectors

ROW = "39, State-gov, 77516, Bachelors, 13, Never-married, Adm-clerical, Not-in-family, White, Male, 2174, 0, 40, ?, "


def test_adult(put):
    learned = f"{ROW}<=50K\n{ROW.replace('Male', 'Female').replace('39', '20')}>50K\n\n"
    put("adult", learned.encode(), f"|1x3 Cross validator\n{ROW}>50K.\n\n".encode())
    people, test = adult()
    assert people.columns["age"].tolist() == [39, 20]
    assert people.columns["sex"].tolist() == ["Male", "Female"]
    assert people.columns["native-country"].tolist() == ["?", "?"]
    assert people.rich.tolist() == [False, True]
    assert test.rich.tolist() == [True]
    assert len(test.columns) == 14


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("39, Private\n", "adult.data, line 1: expected 14 columns and <=50K or >50K"),
        (f"{ROW}50K\n", "line 1: expected 14 columns"),
        ("\n", "has no people in it"),
        (f"{ROW}>50K\n".replace("39", "old"), "could not convert string to float: .*'old'.* in a column of numbers"),
    ],
)
def test_what_is_no_census_is_said(put, content, words):
    put("adult", content.encode(), f"{ROW}>50K.\n".encode())
    with pytest.raises(DataError, match=words):
        adult()


def test_gender_words(put):
    lists = {
        "definitional_pairs": [["she", "he"]],
        "equalize_pairs": [["Dad", "Mom"]],
        "specific_full": ["he"],
        "professions": [["nurse", 0, -0.9]],
    }
    put("gender-words", json.dumps({"gender": lists}).encode())
    assert gender_words() == ([("she", "he")], [("Dad", "Mom")], ["he"], {"nurse": (0.0, -0.9)})


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"gender": {"definitional_pairs": [["she"]]}}'])
def test_what_has_no_lists_is_said(put, content):
    put("gender-words", content)
    with pytest.raises(DataError, match="has not the lists of words"):
        gender_words()


def _vectors(*rows):
    return b"".join(word.encode() + b" " + np.array(numbers, "<f4").tobytes() for word, numbers in rows)


def test_news_vectors(put):
    # A number may hold the byte of a blank or of a line's end.
    put("news-vectors", b"2 2\n" + _vectors(("naïve", [1.5, 1.2924697e-19]), ("old_man", [-2, 7e-45])))
    words, vectors = news_vectors()
    assert words == ["naïve", "old_man"]
    np.testing.assert_array_equal(vectors, np.array([[1.5, 1.2924697e-19], [-2, 7e-45]], np.float32))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no vectors", "is no file of word2vec's vectors"),
        (b"2 2\n" + _vectors(("a", [1, 2])), "is no file of word2vec's vectors"),
        (b"1 2\n" + _vectors(("a", [1])), "is no file of word2vec's vectors"),
        (b"1 1\n" + _vectors(("a", [1]), ("b", [1])), "goes on after its 1 vectors, by 6 bytes"),
    ],
)
def test_what_holds_no_vectors_is_said(put, content, words):
    put("news-vectors", content)
    with pytest.raises(DataError, match=words):
        news_vectors()


@pytest.mark.slow
def test_the_published_census_words_and_vectors(published):
    people, test = adult()
    assert (len(people.rich), len(test.rich)) == (32_561, 16_281)
    assert people.rich.sum() == 7_841
    assert len(set(people.columns["native-country"].tolist())) == 42
    words = gender_words()
    assert list(map(len, words)) == [10, 52, 1_441, 320]
    known, vectors = news_vectors()
    assert vectors.shape == (26_423, 300)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    assert {word for pair in words.definitional for word in pair} <= set(known)
