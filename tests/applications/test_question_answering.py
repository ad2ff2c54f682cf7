"""Spans: where an answer stands, in characters of the text. The encoder is small and untrained, or a plain table of numbers."""

import json

import numpy as np
import pytest

import minilm as ml
from minilm.applications import find
from minilm.applications.question_answering import ANSWER, LONGEST, Spans, _arrays, _log_mass, _pieces, find_spans
from minilm.applications.readings import FORMS, Reading
from minilm.data import DataError
from minilm.models.bert import BertConfig, BertForQuestionAnswering
from minilm.pretrained.load import TOKENIZER
from minilm.tensor import Tensor
from minilm.text.huggingface_write import write_tokenizer_json
from minilm.text.wordpiece import BERT_SPECIAL_TOKENS, WordPieceTokenizer

pytestmark = pytest.mark.host
WORDS = ["what", "is", "a", "toe", "part", "of", "?", "one", "the", "digits", "foot", "##s", "über", "straße", "."]


@pytest.fixture
def folder(tmp_path):
    write_tokenizer_json(WordPieceTokenizer([*BERT_SPECIAL_TOKENS, *WORDS], strip_accents=False), tmp_path / TOKENIZER)
    return tmp_path


class Pointer:
    """Stands for a model: the answer is where the token is, wherever that stands; other tokens have small numbers."""

    def __init__(self, token):
        self.token = len(BERT_SPECIAL_TOKENS) + WORDS.index(token)

    def __call__(self, ids, mask, segments):
        scores = np.where(ids == self.token, 9.0, 0.0)
        return Tensor(np.where(mask[..., None], np.stack([scores, scores], axis=2), -np.inf))


def answers(folder, token, *pairs):
    return find_spans(Pointer(token), _pieces(folder, pairs), [context for _, context in pairs])


def test_offsets_are_those_of_the_line(folder):
    context = "  One of the DIGITS\u3000of über-Straße, the digits."
    found = answers(folder, "straße", ("What is a toe?", context))[0]
    assert context[found["start"] : found["end"]] == found["answer"] == "Straße"
    assert 0.99 < found["probability"] <= 1


def test_a_question_is_no_part_of_the_text(folder):
    context = "one of the digits: a toe of the foot"
    found = answers(folder, "toe", ("What is a toe part of?", context))[0]
    assert (found["answer"], found["start"]) == ("toe", context.index("toe"))


def test_answers_do_not_depend_on_each_other(folder):
    pairs = [("What is a toe part of?", "one of the digits of the foot"), ("toe?", "the foot"), ("?", "foot " * 700)]
    together = answers(folder, "foot", *pairs)
    assert together == [answers(folder, "foot", pair)[0] for pair in pairs]
    assert [each["answer"] for each in together[:2]] == ["foot", "foot"]


@pytest.mark.parametrize("before", [0, 1, 200, 377, 378, 379, 700, 2000])
def test_a_long_text_is_read_to_its_end(folder, before):
    context = "the " * before + "foot" + " of" * 5
    assert answers(folder, "foot", ("what is a toe ?", context))[0]["start"] == 4 * before


def test_no_window_is_longer_than_the_model_reads(folder):
    pieces = _pieces(folder, [("what " * 500, "of " * 2000)])
    assert pieces.lengths.max() == LONGEST
    assert len(pieces.ids) < 20


def test_the_answer_of_an_example_is_in_its_pieces(folder):
    reading = Reading("what is a toe ?", "the " * 600 + "foot of the toes", ("foot of",), 2400)
    pieces = Spans().encode(None, folder, [reading])
    assert len(pieces.ids) >= 1
    for row, (first, last) in enumerate(pieces.spans - pieces.before[:, None]):
        assert (pieces.offsets[row][first][0], pieces.offsets[row][last][1]) == (2400, 2407)


def test_probabilities_of_all_spans_add_up_to_one():
    rng = np.random.default_rng(0)
    start, end = rng.normal(size=(2, 1, 30))
    plain = sum(np.exp(start[0, i] + end[0, j]) for i in range(30) for j in range(i, min(30, i + ANSWER)))
    assert _log_mass(start, end)[0] == pytest.approx(np.log(plain))
    assert _log_mass(start[:, :1], end[:, :1])[0] == pytest.approx(start[0, 0] + end[0, 0])


def test_the_model_learns_from_what_it_is_given(folder):
    """Loss and evaluation are of one kind: the mean over rows of the loss without any padding."""
    ml.manual_seed(0)
    config = BertConfig(len(WORDS) + 5, 8, 1, 2, 16, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    model = BertForQuestionAnswering(config).eval()
    readings = [
        Reading("toe ?", "the foot", ("foot",), 4),
        Reading("what is a toe ?", "one of the digits", ("digits",), 11),
    ]
    pieces = Spans().encode(None, folder, readings)
    whole = model.loss(*_arrays(pieces, np.array([0, 1]))).item()
    alone = [model.loss(*_arrays(pieces, np.array([row]))).item() for row in (0, 1)]
    assert whole == pytest.approx(np.mean(alone), rel=1e-5)
    assert find("spans").task("", "", "").glance == 512


def test_what_is_measured():
    readings = [
        Reading(FORMS["whole"][0], "one of the digits of the foot", ("foot",), 25, "whole", 0),
        Reading(FORMS["kind"][3], "one of the digits of the foot", ("digits", "foot"), 11, "kind", 3),
    ]
    spans = Spans()
    scores = spans.measure(readings, [{"answer": "the foot"}, {"answer": "hand"}])
    assert {score.name: score.value for score in scores} == {
        "exact match": 0.5,
        "token F1": 0.5,
        "exact match, asked in known words": 1.0,
        "exact match, asked in new words": 0.0,
    }
    assert spans.details(readings, [{"answer": "a foot"}, {"answer": "Foot."}]) == {
        "exact match": {"kind": 1, "whole": 1},
        "exact match, asked in known words": {"whole": 1},
        "exact match, asked in new words": {"kind": 1},
    }
    assert list(spans.details(readings[:1], [{"answer": "foot"}])) == ["exact match"]
    assert len(spans.measure(readings[:1], [{"answer": "foot"}])) == 2


def test_a_users_file(tmp_path):
    path = tmp_path / "mine.jsonl"
    lines = [
        {"question": "Where?", "context": "in Kenya, in Africa", "answers": ["Africa", "Kenya"]},
        {"question": "Wo?", "context": "über Köln", "answer": "Köln"},
    ]
    path.write_text("\ufeff" + "\n\n".join(json.dumps(line) for line in lines), "utf-8")
    first, second = Spans().read(path)
    assert (first.answers, first.start, second.start) == (("Africa", "Kenya"), 13, 5)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"question": "Where?", "context": "in Kenya"}', 'line 1.*"answer"'),
        ('{"question": "Where?", "context": "in Kenya", "answer": "Mali"}', "'Mali' does not stand in the context"),
        ('{"question": "Where?", "context": "in Kenya", "answers": []}', '"answer"'),
        ('{"question": 3, "context": "in Kenya", "answer": "Kenya"}', '"question": got 3'),
        ("Where?", "not valid JSON"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line, said):
    path = tmp_path / "mine.jsonl"
    path.write_text(line, "utf-8")
    with pytest.raises(DataError, match=said):
        Spans().read(path)


def test_a_line_of_predict():
    spans = Spans()
    assert spans.parse(spans.line) == ("What is a toe part of?", "one of the digits of the foot")
    for line in (
        "",
        "What?",
        '{"question": "What?"}',
        '{"question": "What?", "context": " "}',
        '{"question": null, "context": "x"}',
    ):
        with pytest.raises(ValueError, match="question|JSON|documents|context"):
            spans.parse(line)


def test_an_answer_without_words_is_no_error_where_the_model_learns(folder):
    reading = Reading("toe ?", "the \u200b foot", ("\u200b",), 4)
    pieces = Spans().encode(None, folder, [reading, Reading("toe ?", "the foot", ("foot",), 4)])
    assert pieces.owner.tolist() == [1]
    none, some = find_spans(Pointer("foot"), pieces, ["the \u200b foot", "the foot"])
    assert (none["answer"], none["probability"]) == ("", 0.0)
    assert (some["answer"], some["start"]) == ("foot", 4)


def test_a_text_of_a_users_file_is_in_one_part():
    readings = [Reading(f"{n}?", f"text {n // 3}", ("text",), 0) for n in range(90)]
    split = Spans().divide(readings)
    texts = [{each.context for each in part} for part in (split.train, split.validation, split.test)]
    assert sum(map(len, texts)) == 30
    assert sum(len(part) for part in (split.train, split.validation, split.test)) == 90


def test_a_text_without_words_is_refused(folder):
    with pytest.raises(ValueError, match="nothing in it"):
        _pieces(folder, [("what?", "\u200b\x00")])
