"""A memory of texts: the nearest by TF-IDF, as scikit-learn has it."""

import numpy as np
import pytest

from minilm.applications.memory import Memory, letters, words

TEXTS = ["delete the file", "open the file", "open a new window", "the the the end", "logs"]


def memory(pieces=words):
    return Memory(TEXTS, [text.upper() for text in TEXTS], pieces)


@pytest.mark.parametrize("pieces", [words, letters])
def test_it_is_the_cosine_of_scikit_learn(pieces):
    text = pytest.importorskip("sklearn.feature_extraction.text")
    vectors = text.TfidfVectorizer(analyzer=pieces, sublinear_tf=True)
    known = vectors.fit_transform(TEXTS)
    for question in ("open the old file", "the window", "the the logs end", "delete the file"):
        cosines = (vectors.transform([question]) @ known.T).toarray()[0]
        found = memory(pieces).nearest(question, 9)
        wanted = [i for i in np.argsort(-cosines, kind="stable") if cosines[i] > 0]
        assert [each.written for each in found] == [TEXTS[i].upper() for i in wanted]
        assert [each.likeness for each in found] == pytest.approx(cosines[wanted])


def test_what_has_nothing_in_common_is_no_neighbor():
    assert memory().nearest("zebra", 3) == []
    assert memory().nearest("", 3) == []
    assert Memory([], [], words).nearest("open", 3) == []
    assert [each.written for each in memory().nearest("logs zebra", 3)] == ["LOGS"]


def test_itself_is_nearest():
    for text in TEXTS:
        (found,) = memory().nearest(text, 1)
        assert found.written == text.upper()
        assert found.likeness == pytest.approx(1)


def test_of_equal_ones_the_first():
    assert Memory(["a b", "b a"], ["1", "2"], words).nearest("a", 1)[0].written == "1"


def test_pieces():
    assert words("Open THE file, é!") == ["open", "the", "file", "é"]
    assert letters("On it!") == [" on", "on ", " it", "it ", " ! "]
    assert letters("") == []


def test_a_text_without_what_was_written():
    with pytest.raises(ValueError, match="got 1 and 0"):
        Memory(["a"], [], words)
