"""The simple methods for labelled texts; scikit-learn computes them."""

import sys

import numpy as np
import pytest

from minilm.applications.application import Split
from minilm.applications.simple.library import MissingLibraryError, library
from minilm.applications.simple.linear import NBSVM, Beside, label_methods
from minilm.metrics import accuracy
from tests.applications.labeled import made, split

sklearn = pytest.importorskip("sklearn")
METHODS = label_methods(lambda each: each.text, lambda each: each.label)


@pytest.mark.parametrize("name", METHODS)
def test_each_method_learns_and_answers(name):
    found, texts = split(), [each.text for each in split().test]
    system = METHODS[name](found)
    answers = system(texts)
    least = 0.5 if name == "most frequent label" else 0.85
    assert accuracy([each.label for each in found.test], [answer["label"] for answer in answers]).value >= least
    for answer in answers:
        assert sum(answer["probabilities"].values()) == pytest.approx(1)
        assert (
            answer["probability"] == answer["probabilities"][answer["label"]] == max(answer["probabilities"].values())
        )
    assert system([]) == []
    assert system(["", "\u4e2d"])[0]["label"] in ("ham", "spam")


def test_characters_stand_for_words_where_there_are_none():
    methods = label_methods(lambda each: each.text, lambda each: each.label, words=False, characters=(1, 2))
    assert set(METHODS) - set(methods) == {"linear SVM, words"}
    system = methods["naive Bayes"](split())
    assert system(["win free money now"])[0]["label"] == "spam"


def test_numbers_beside_the_words():
    """What the words do not say, here the label itself, a method learns from the numbers that stand beside them."""
    labels = {each.text: each.label for part in (split().train, split().validation, split().test) for each in part}
    words = Beside(
        library("sklearn.feature_extraction.text").CountVectorizer(),
        lambda texts: np.arange(2 * len(texts)).reshape(-1, 2),
    )
    assert words.fit_transform(["a cat", "a dog"]).toarray().tolist() == [[1, 0, 0, 1], [0, 1, 2, 3]]
    assert words.transform(["dog"]).toarray().tolist() == [[0, 1, 0, 1]]
    methods = label_methods(
        lambda each: each.text, lambda each: each.label,
        further=lambda texts: np.array([[5.0 * (labels[text] == "spam")] for text in texts]),
    )  # fmt: skip
    assert list(methods) == [*METHODS, "linear SVM, words and encoder"]
    texts = [each.text for each in split().test]
    answers = methods["linear SVM, words and encoder"](split())(texts)
    assert [answer["label"] for answer in answers] == [labels[text] for text in texts]


def test_three_labels_and_one_that_only_the_validation_part_has():
    train = [each._replace(label=each.label if i % 3 else "bill", text=each.text if i % 3 else f"invoice due {i} euro")
             for i, each in enumerate(made(120, 1))]  # fmt: skip
    validation = [*train[:30], train[0]._replace(label="strange")]
    for name, method in METHODS.items():
        answers = method(Split(train, validation, [], ""))(["invoice due 4 euro"])
        if name != "most frequent label":
            assert answers[0]["label"] == "bill"
        assert set(answers[0]["probabilities"]) == {"bill", "ham", "spam"}


def test_the_setting_is_chosen_on_the_validation_part(monkeypatch):
    """Weights of a rare word: only with much smoothing does it not decide."""
    chosen = []
    bayes = library("sklearn.naive_bayes").MultinomialNB
    monkeypatch.setattr(
        library("sklearn.naive_bayes"), "MultinomialNB", lambda alpha: chosen.append(alpha) or bayes(alpha=alpha)
    )
    METHODS["naive Bayes"](split(40, 20))
    assert chosen == [0.01, 0.03, 0.1, 0.3, 1.0] * 2


def test_nbsvm_on_counts_that_can_be_followed_by_hand():
    from scipy.sparse import csr_matrix

    x = csr_matrix(np.array([[1, 0, 1], [1, 0, 0], [0, 1, 1], [0, 1, 0]], float))
    y = np.array(["a", "a", "b", "b"])
    method = NBSVM(1.0, share=0.0).fit(x, y)
    r = np.log(np.array([1, 3, 2]) / 6 / (np.array([3, 1, 2]) / 6))  # of b, with one added to each count
    assert method.weights[:, 0] / method.weights[1, 0] == pytest.approx(r / r[1])
    assert method.predict(x).tolist() == ["a", "a", "b", "b"]
    three = NBSVM(1.0).fit(x, np.array(["a", "b", "c", "c"]))
    assert three.decision_function(x).shape == (4, 3)
    assert set(three.predict(x)) <= {"a", "b", "c"}


def test_probabilities_are_fitted_without_changing_what_is_predicted():
    found = split()
    system = METHODS["linear SVM, words"](found)
    answers = system([each.text for each in found.test])
    sure = np.array([answer["probability"] for answer in answers])
    right = np.array([answer["label"] == each.label for answer, each in zip(answers, found.test, strict=True)])
    assert abs(sure.mean() - right.mean()) < 0.1
    assert sure.min() >= 0.5


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    for name in [name for name in sys.modules if name.startswith("sklearn.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(
        MissingLibraryError, match=r'scikit-learn, which is not installed: pip install "minilm\[compare\]"'
    ):
        library("sklearn.svm")
    with pytest.raises(ModuleNotFoundError):
        library("minilm.none")
