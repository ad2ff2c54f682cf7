import re

import numpy as np
import pytest

from minilm.applications import extractive, find
from minilm.applications.extractive import Question, Summarized, chosen, summarize, text_rank, word_overlap, words_of
from minilm.applications.simple import extractive as simple
from minilm.data import DataError

TEXT = (
    "The cat sat on the mat. Dogs bark at night. The cat on the mat was black. Nobody saw a black cat. The mat was red."
)


def by_solving(w, d=0.85):
    """The fixed point, from the linear equations."""
    n = len(w)
    out = w.sum(axis=1, keepdims=True)
    moves = np.where(out > 0, w / np.where(out > 0, out, 1), 1 / n)
    return np.linalg.solve(np.eye(n) - d * moves.T, np.full(n, (1 - d) / n))


# -- the ranking ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damping", [0.0, 0.5, 0.85, 0.99])
def test_the_fixed_point(damping):
    rng = np.random.default_rng(0)
    w = rng.random((7, 7)) * (rng.random((7, 7)) < 0.6)
    w[2] = 0  # a node without an edge
    np.fill_diagonal(w, 0)
    scores = text_rank(w, damping)
    np.testing.assert_allclose(scores, by_solving(w, damping), atol=1e-8)
    assert scores.sum() == pytest.approx(1)


def test_by_hand():
    """A star: the middle has half of what moves, and each of the two ends a quarter."""
    scores = text_rank(np.array([[0, 1, 1], [1, 0, 0], [1, 0, 0]]))
    middle = (0.05 + 0.85 * 0.1) / (1 - 0.85**2)
    np.testing.assert_allclose(scores, [middle, (1 - middle) / 2, (1 - middle) / 2], atol=1e-9)


def test_a_graph_without_edges_ranks_all_alike():
    np.testing.assert_allclose(text_rank(np.zeros((4, 4))), 0.25)
    assert text_rank(np.zeros((0, 0))).shape == (0,)
    assert text_rank(np.zeros((1, 1))).tolist() == [1.0]


@pytest.mark.parametrize("w", [np.zeros((2, 3)), np.array([[0, -1], [1, 0]]), np.array([[0, np.nan], [1, 0]])])
def test_strengths_are_a_square_of_finite_numbers(w):
    with pytest.raises(ValueError, match="a square of finite strengths that are not negative"):
        text_rank(w)


def test_the_damping_is_below_one():
    with pytest.raises(ValueError, match="at least 0 and below 1, got 1"):
        text_rank(np.zeros((2, 2)), 1)


# -- likeness ---------------------------------------------------------------------------------------------------------


def test_common_words_by_hand():
    w = word_overlap(["The cat sat.", "the CAT ran away", "dogs"])
    assert w[0, 1] == w[1, 0] == pytest.approx(2 / (np.log(3) + np.log(4)))
    assert not w[2].any()
    assert not np.diag(w).any()


def test_words_of_one_sentence_and_of_chinese():
    assert word_overlap(["yes", "Yes!", "no"]).tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
    assert word_overlap(["...", "!"]).tolist() == [[0, 0], [0, 0]]
    assert words_of("Python 3 快了。") == {"python", "3", "快", "了"}


# -- the choice -------------------------------------------------------------------------------------------------------


def test_what_many_sentences_say_is_chosen_in_the_order_of_the_text():
    answer = summarize(TEXT, 2)
    assert [part["place"] for part in answer["sentences"]] == [0, 2]
    assert answer["summary"] == "The cat sat on the mat. The cat on the mat was black."
    assert all(part["score"] > 0.2 for part in answer["sentences"])


def test_of_equal_scores_the_earlier_one_and_never_more_than_there_are():
    assert chosen(["a", "b", "c"], np.array([0.3, 0.4, 0.3 + 1e-12]), 2)["summary"] == "a b"
    assert len(summarize("One. Two.", 5)["sentences"]) == 2
    assert summarize("", 3) == {"summary": "", "sentences": []}
    assert summarize("Alone", 1)["sentences"] == [{"text": "Alone", "place": 0, "score": 1.0}]


def test_the_order_of_the_sentences_does_not_matter_to_the_scores():
    parts = extractive.sentences(TEXT)
    order = np.random.default_rng(3).permutation(len(parts))
    scores = text_rank(word_overlap(parts))
    np.testing.assert_allclose(text_rank(word_overlap([parts[i] for i in order])), scores[order], atol=1e-9)


# -- simple methods and the application -------------------------------------------------------------------------------


def test_first_and_any_sentences():
    questions = [Question(TEXT, 2), Question("One.", 2), Question("", 1)]
    lead = simple.lead(None)(questions)
    assert [answer["summary"] for answer in lead] == ["The cat sat on the mat. Dogs bark at night.", "One.", ""]
    drawn = simple.any_sentences(None)
    assert drawn(questions) == drawn(questions)
    assert drawn(questions)[::-1] == drawn(questions[::-1])
    firsts = {drawn([Question(f"Text {i}. Be. See. Do.", 1)])[0]["sentences"][0]["place"] for i in range(40)}
    assert firsts == {0, 1, 2, 3}


def test_tf_idf_counts_a_common_word_less():
    pytest.importorskip("sklearn")
    likeness = simple.tf_idf_likeness(["the cat", "the dog", "the mat"])
    w = likeness(["the cat", "the dog", "a cat"])
    assert w[0, 2] > w[0, 1] > 0
    assert not np.diag(w).any()


def test_docstrings_have_a_summary_and_a_body(monkeypatch):
    documents = [
        "Read a file.\n\nOpens it first. Then reads it. It closes it.\n\n>>> read()\n1",
        "Alone.",
        "Only code.\n\n>>> f()",
        "Too\nshort here.\n\nOne sentence.",
        "Another one to read.\n\nOPENS it first. Then reads it. It closes it.",
    ]
    monkeypatch.setattr(extractive, "docstrings", lambda: documents)
    found = find("summary").examples()
    assert found[0].summary == "Read a file."
    assert ">>>" not in found[0].text
    assert [each.summary for each in found] == ["Read a file.", "Too short here.", "Another one to read."]
    monkeypatch.setattr(
        extractive,
        "docstrings",
        lambda: [d.replace("file", f"file {i}").replace("It", f"It {i}") for i in range(9) for d in documents[:1]],
    )
    split = find("summary").split()
    assert (len(split.validation), len(split.test)) == (3, 6)
    assert not {e.text for e in split.validation} & {e.text for e in split.test}


def test_measures():
    examples = [Summarized("the cat sat", "x"), Summarized("a dog", "y")]
    scores = find("summary").measure(examples, [{"summary": "the cat sat"}, {"summary": "cats"}])
    assert [(score.name, score.value) for score in scores] == [("ROUGE-L", 0.5), ("ROUGE-1", 0.5), ("ROUGE-2", 0.5)]


def test_lines_and_files(tmp_path):
    application = find("summary")
    assert application.parse("A text.") == Question("A text.", 3)
    assert application.parse('{"text": "A. B.", "count": 1}') == Question("A. B.", 1)
    for line, message in [
        ('{"text": 5}', 'with "text", a text each'),
        ("{oops", 'or a JSON object with "text"'),
        ('{"text": "a", "count": 0}', '"count" should be a positive integer, it is 0'),
        ('{"text": "a", "count": true}', '"count" should be a positive integer, it is True'),
    ]:
        with pytest.raises(ValueError, match=re.escape(message)):
            application.parse(line)
    path = tmp_path / "mine.jsonl"
    path.write_text('{"text": "a", "summary": "b"}\n\n{"text": "c"}\n')
    with pytest.raises(DataError, match='line 3: expected a JSON object with "text" and "summary", a text each'):
        application.read(path)
    path.write_text('{"text": "a", "summary": "b"}\n')
    assert application.read(path) == [Summarized("b", "a")]


def test_beside_it_stand_the_first_sentences():
    assert {"first sentences", "any sentences"} < set(find("summary").baselines())
    assert find("summary-packages").datasets == ("package-descriptions",)
    (answer,) = find("summary").open(None, "cpu")([Question(TEXT, 1)])
    assert answer["summary"] == "The cat on the mat was black."
