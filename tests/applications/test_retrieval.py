"""Answers among documents: how they are cut, scored and ranked. What needs the published model is slow."""

import json

import numpy as np
import pytest

from minilm.applications import find
from minilm.applications.documents import PASSAGE, Asked, passages, rank
from minilm.applications.retrieval import Answers, Question
from minilm.applications.simple.ranking import by_bm25, words_by
from minilm.data import DataError

pytestmark = pytest.mark.host


def test_passages_hold_all_paragraphs_and_cut_none():
    text = "\n\n".join(" ".join(["word"] * n) for n in (3, 4, 10, 1, 1)) + "\n"
    found = passages(text, 8)
    assert [len(each.split()) for each in found] == [7, 10, 2]
    assert "\n\n".join(found) == text.strip()
    assert passages(text, 1 << 30) == [text.strip()]
    assert passages("", 8) == [""]


def test_ties_count_against_the_system():
    answer = {"answers": [{"text": "a", "score": 0.5}, {"text": "b", "score": 0.5}, {"text": "c", "score": 0.1}]}
    assert [rank(answer, text) for text in "abcd"] == [2, 2, 3, None]
    assert rank({"answers": []}, "a") is None


def scores_of(table):
    """A search whose scores stand in a table, by question."""
    return lambda questions, documents: np.array([[table[q].get(d, -np.inf) for d in documents] for q in questions])


def test_the_best_documents_come_first_and_those_not_found_are_left_out():
    table = {"q": {"a": 0.1, "c": 0.9, "d": 0.9}, "r": {}}
    system = Answers()._searching(scores_of(table))
    first, second = system([Question("q", ("a", "b", "c", "d")), Question("r", ("a",))])
    assert [each["text"] for each in first["answers"]] == ["c", "d", "a"]
    assert second == {"question": "r", "answers": []}


def test_each_question_is_searched_in_its_own_documents():
    table = {"q": {"a": 1.0, "b": 2.0}}
    system = Answers()._searching(scores_of(table))
    found = system([Question("q", ("a",)), Question("q", ("a", "b")), Question("q", ("a",))])
    assert [each["answers"][0]["text"] for each in found] == ["a", "b", "a"]


def test_what_is_measured():
    documents = ("a", "b")
    examples = [Asked("q", "a", "Python", documents), Asked("r", "b", "trivia", documents)]
    answers = [
        {"answers": [{"text": "b", "score": 2.0}, {"text": "a", "score": 1.0}]},
        {"answers": [{"text": "b", "score": 1.0}]},
    ]
    scores = {score.name: score.value for score in Answers().measure(examples, answers)}
    assert scores == {
        "recall@1": 0.5,
        "recall@5": 1.0,
        "MRR@10": 0.75,
        "recall@1, questions on Python": 0.0,
        "recall@1, other questions": 1.0,
    }
    assert Answers().wrong(examples, answers) == [0]
    assert examples[0]._asdict() == {"question": "q", "answer": "a", "topic": "Python"}


def test_a_users_file_brings_its_own_documents(tmp_path):
    path = tmp_path / "mine.jsonl"
    pairs = [("q", "a"), ("r", "b"), ("s", "a")]
    path.write_text("\n".join(json.dumps({"question": q, "answer": a}) for q, a in pairs), "utf-8")
    found = Answers().read(path)
    assert [(each.question, each.answer, each.documents) for each in found] == [(q, a, ("a", "b")) for q, a in pairs]
    path.write_text('{"question": "q"}', "utf-8")
    with pytest.raises(DataError, match='line 1.*"answer": it is missing'):
        Answers().read(path)


def test_a_line_of_predict():
    parse = find("answers").parse
    assert parse(" How? ") == Question("How?", None)
    assert parse('{"question": "How?", "documents": ["so", "thus", "so"]}') == Question("How?", ("so", "thus"))
    assert parse('{"question": "How?"}') == Question("How?", None)
    for line in (
        " ",
        "{}",
        '{"question": "How?", "documents": []}',
        '{"question": "How?", "documents": "so"}',
        '{"question": ',
    ):
        with pytest.raises(ValueError, match="question|JSON|documents|context"):
            parse(line)


@pytest.mark.slow
def test_the_published_vectors_find_what_shares_no_word():
    """Sixty questions of Python's FAQ among their answers; BM25 with its usual settings beside."""
    pytest.importorskip("bm25s")
    try:
        examples = [each for each in Answers().split().test if each.topic == "Python"][:60]
        ours = Answers().open(None, "cpu")
    except DataError as error:
        pytest.skip(f"needs data and weights from the package registry: {error}")
    documents = tuple(each.answer for each in examples)
    examples = [Asked(each.question, each.answer, "", documents) for each in examples]
    theirs = Answers()._searching(by_bm25(words_by(True, True), PASSAGE, 1.2, 0.75))
    questions = [Answers().question(each) for each in examples]
    first, second = (Answers().measure(examples, system(questions)) for system in (ours, theirs))
    assert first[0].value > 0.8
    assert first[0].minus(second[0]).low > 0.05
    paraphrase = ours([Question("a quick animal", ("the price of bread", "a fox that is fast", "a quick bread"))])[0]
    assert paraphrase["answers"][0]["text"] == "a fox that is fast"
