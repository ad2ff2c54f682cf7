import json
import math
import re

import numpy as np
import pytest

import minilm as ml
from minilm.applications import find, generation
from minilm.applications.application import Split
from minilm.applications.generation import HALF, PUBLISHED, Passage, Prompt, Writer, mixed, nats_by_character, passages
from minilm.applications.simple.ngrams import BASELINES, NGram
from minilm.applications.surprise import PLACES
from minilm.evaluation import evaluate
from minilm.models.generation import Sampler
from minilm.models.gpt import GPT, GPTConfig
from minilm.text import CharTokenizer
from minilm.training.loop import train
from minilm.training.opening import Opened
from tests.tiny import tiny_run

LETTERS = "abcdefgh \n"


@pytest.fixture
def opened():
    ml.manual_seed(0)
    model = GPT(GPTConfig(len(LETTERS), block_size=8, n_layer=1, n_head=2, n_embd=8)).eval()
    return Opened("tiny", model, CharTokenizer(list(LETTERS)), "tiny")


# -- reading ----------------------------------------------------------------------------------------------------------


def test_the_surprise_of_a_passage_is_the_sum_of_its_characters(opened):
    text = "abc def\ngah bed cab"
    each = nats_by_character(opened, text)
    assert math.isnan(each[0])
    (answer,) = Writer(opened)([Passage(text)])
    assert answer["nats"] == pytest.approx(evaluate(opened.model, opened.tokenizer, [text]).nats[0], rel=1e-5)
    assert answer["characters"] == len(text) - 1
    assert answer["places"]["line end"] == [pytest.approx(each[7]), 1]
    with ml.no_grad():
        p = ml.nn.functional.softmax(opened.model(np.array([opened.tokenizer.encode("abc")])), -1).numpy()[0, -1]
    assert each[3] == pytest.approx(-math.log(p[LETTERS.index(" ")]), rel=1e-5)


class Pairs:
    """A tokenizer whose tokens are two characters long."""

    def __init__(self):
        self.inner = CharTokenizer(list(LETTERS))
        self.bos_id = 0

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def encode(self, text, **options):
        return self.inner.encode(text)[::2]


def test_surprise_by_character_needs_characters(opened):
    with pytest.raises(ValueError, match="tokens that are no characters: 2 for 4"):
        nats_by_character(opened._replace(tokenizer=Pairs()), "abcd")


def test_what_stands_beside_a_run(opened, monkeypatch):
    application = find("generation")
    assert application.beside(None, "cpu") == BASELINES
    monkeypatch.setattr(generation, "open_language_model", lambda name, device: opened)
    beside = application.beside("run", "cpu")
    assert list(beside) == [*BASELINES, HALF, PUBLISHED]
    split = Split([Passage("a bad cab " * 9)], [Passage("a bad cab fed")], [], "")
    questions = [Passage("a cab had a bed"), Passage("a"), Passage("")]
    half, ours = beside[HALF](split)(questions), beside[PUBLISHED](split)(questions)
    assert [answer["characters"] for answer in half] == [14, 0, 0]
    assert set(half[0]["places"]) == set(PLACES)
    assert ours == Writer(opened)(questions)
    monkeypatch.setattr(generation, "open_language_model", lambda name, device: opened._replace(tokenizer=Pairs()))
    assert list(application.beside("run", "cpu")) == [*BASELINES, PUBLISHED]


def test_half_of_each_is_the_mean_of_the_probabilities(opened):
    text, counts = "a bad cab", NGram("a cab a bed a bad head", 3)
    (answer,) = mixed(opened, counts)([Passage(text)])
    ours, theirs = np.exp(-nats_by_character(opened, text)), np.exp(-counts.nats(text))
    assert answer["nats"] == pytest.approx(-np.log((ours + theirs) / 2)[1:].sum())


def test_questions_of_both_kinds_keep_their_order_and_what_cannot_be_foretold_counts_nothing(opened):
    prompt = Prompt("abc", tokens=4, seed=3)
    answers = Writer(opened)([prompt, Passage("abc abc"), Passage("a"), prompt])
    assert answers[0] == answers[3]
    assert len(answers[0]["text"]) == answers[0]["tokens"] == 4
    assert (answers[2]["nats"], answers[2]["characters"]) == (0, 0)
    assert answers[1]["characters"] == 6


# -- the data ---------------------------------------------------------------------------------------------------------


def test_passages_leave_out_what_was_read_before(monkeypatch):
    monkeypatch.setattr(generation, "PASSAGE", 10)
    text = "new one\n\nOLD  one\n\nnew two\n\nnew one\n\n\n\nnew three"
    found, removed = passages(text, "x\n\nold one\n\ny")
    assert found == [Passage("new one\n\nnew two"), Passage("new three")]
    assert removed == 2
    assert passages("", "x") == ([], 0)


def test_the_parts_are_those_of_a_run(monkeypatch):
    paragraphs = [f"paragraph {i} of a text that goes on for a while" for i in range(200)]
    monkeypatch.setattr(generation, "load_text", lambda name: "\n\n".join(paragraphs))
    split = find("generation").split()
    (train,) = split.train
    whole = "\n\n".join(paragraphs)
    assert train.text == whole[: int(0.8 * len(whole))]
    assert whole[int(0.9 * len(whole)) :].endswith(split.test[-1].text)
    assert not any(p in train.text for part in (split.validation, split.test) for p in [part[-1].text])


# -- writing ----------------------------------------------------------------------------------------------------------


def test_lines():
    parse = find("generation").parse
    assert parse("Once upon") == Prompt("Once upon")
    assert parse('{"prompt": "a", "tokens": 3, "temperature": 0}').sampler.temperature == 0
    said = parse(find("generation").line)
    assert said.messages == (("user", "What is gravity?"),)
    assert (said.tokens, said.sampler) == (60, Sampler(temperature=0.2, top_p=0.95))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{}", '"prompt" or "messages"'),
        ('{"prompt": 5}', '"prompt" or "messages"'),
        ('{"prompt": "a", "messages": []}', '"prompt" or "messages"'),
        ('{"messages": []}', '"prompt" or "messages"'),
        ('{"prompt": "a", "length": 5}', '"prompt" or "messages"'),
        ('{"messages": [{"role": "robot", "content": "x"}]}', 'a turn is {"role": one of system, user, assistant'),
        ('{"messages": ["hello"]}', "a turn is"),
        ('{"prompt": "a", "tokens": -1}', '"tokens" should be an integer of 0 or more, it is -1'),
        ('{"prompt": "a", "seed": "x"}', '"seed" should be an integer'),
        ('{"prompt": "a", "temperature": "hot"}', "temperature must be a number"),
        ('{"prompt": "a", "top_p": 2}', "top_p"),
        ('{"prompt": "a"', "expected a JSON object"),
    ],
)
def test_bad_lines(line, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        find("generation").parse(line)


def test_a_prompt_of_nothing(opened):
    with pytest.raises(ValueError, match="at least one character"):
        Writer(opened)([Prompt("")])


def test_messages_to_a_model_that_knows_no_turns_are_paragraphs(opened):
    prompt = Prompt("", (("user", "abc"),), tokens=5, sampler=Sampler(temperature=0))
    (answer,) = Writer(opened)([prompt])
    ids = Writer(opened).template.encode(prompt.messages)
    assert answer["tokens"] <= 5
    assert opened.tokenizer.decode(ids).startswith("abc")


def test_a_run_of_minilm_train_is_opened(tmp_path):
    run, data = tiny_run(tmp_path)
    train(run, data, progress=False)
    writer = find("generation").open(run.folder, "cpu")
    (answer,) = writer([Prompt("1 plus", tokens=3)])
    assert set(answer) == {"text", "tokens", "ended"}


def test_samples_are_measured():
    scores = generation.about_samples(["a b a b a b a b", "c d e f g h i j"], "a b a b x")
    assert [score.name for score in scores] == ["distinct-2", "repeated 4-grams", "copied 4-grams", "copied 20-grams"]
    assert scores[1].value == pytest.approx((3 / 5 + 0) / 2)


def test_it_is_json_that_is_read(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps({"text": "one\n\ntwo"}) + "\n")
    assert find("generation").read(path) == [Passage("one"), Passage("two")]
