"""Named entities on made-up text: what the model is given, what is answered, and a run that learns a few names."""

import json

import numpy as np
import pytest

import minilm as ml
from minilm import nn
from minilm.applications import named_entities
from minilm.applications.application import Split
from minilm.applications.named_entities import NamedEntities, cut, features, found, seen_and_new, vocabulary
from minilm.applications.tagged import CHARACTERS, WORDS, Tagged, line_of
from minilm.applications.trained import Examples
from minilm.cli import main
from minilm.data import DataError
from minilm.metrics.spans import Span
from minilm.models.tagger import PADDING, UNKNOWN
from minilm.nn.crf import allowed_transitions
from minilm.training.loop import train

PEOPLE, PLACES = ["张三", "李四海", "王五"], ["北京", "上海", "长安街"]


def made(n, seed, people=PEOPLE):
    """ "张三在北京。", "北京的王五来了。" and the like."""
    rng = np.random.default_rng(seed)
    texts = []
    for i in range(n):
        person, place = rng.choice(people), rng.choice(PLACES)
        order = [(person, "PER"), ("在", ""), (place, "LOC"), ("。", "")]
        order = order if rng.random() < 0.5 else [(place, "LOC"), ("的", ""), (person, "PER"), ("来了。", "")]
        text, spans = "", []
        for part, kind in order:
            spans += [Span(len(text), len(text) + len(part), kind)] if kind else []
            text += part
        texts.append(Tagged(tuple(text), tuple(spans), CHARACTERS, i // 4))
    return texts


def conll(texts):
    lines = []
    for text in texts:
        tags = named_entities.tags_of(text.spans, len(text.tokens))
        lines += [f"{token} {tag}" for token, tag in zip(text.tokens, tags, strict=True)] + [""]
    return "\n".join(lines)


def task_of(texts):
    task, files = NamedEntities().learn(Split(texts, texts, texts, ""), "")
    return task, json.loads(files["vocabulary.json"])


def test_features_of_characters_and_of_words():
    assert features("京城", CHARACTERS) == [["京", "城"], ["\n京", "京城"], ["京城", "城\n"]]
    assert features(["McDonald-2", "is"], WORDS) == [
        ["mcdonald-2", "is"],
        ["McD", "is"],
        ["d-2", "is"],
        ["XxXx-0", "x"],
    ]
    assert features([], CHARACTERS) == [[], [], []]


def test_a_vocabulary_has_what_occurs_often_in_what_it_is_made_of():
    texts = [Tagged(tuple("甲乙"), (), CHARACTERS, 0)] * 4 + [Tagged(tuple("甲丙"), (), CHARACTERS, 0)]
    assert vocabulary(texts, CHARACTERS) == {"token": ["乙", "甲"], "pair": ["\n甲"]}


def test_texts_are_cut_and_put_together_again(monkeypatch):
    monkeypatch.setattr(named_entities, "LONGEST", 3)
    texts = made(30, 0)
    task, known = task_of(texts)
    whole = cut(texts, task, known)
    assert len(whole.ids) == sum(len(text.tokens) for text in texts)
    assert sorted(np.concatenate(list(whole.batches(10))).tolist()) == list(range(len(whole.lengths)))
    for whose, text in enumerate(texts):
        own = np.flatnonzero(whole.whose == whose)
        own = own[np.argsort(whole.since[own])]
        ids, tags, others, lengths = whole.rows(own)
        tokens = [
            known["token"][i - 2] if i > 1 else None for row, n in zip(ids, lengths, strict=True) for i in row[:n, 0]
        ]
        assert tokens == [token if token in known["token"] else None for token in text.tokens]
        assert (ids[np.arange(ids.shape[1]) >= lengths[:, None]] == PADDING).all()
        assert not task.tags[tags[0, 0]].startswith("I-")
        assert not others.any()


def test_names_that_a_run_does_not_know_are_none():
    task, known = task_of(made(30, 0))
    other = Tagged(("张", "三"), (Span(0, 2, "DOG"),), CHARACTERS, 0)
    assert cut([other], task, known).tags.tolist() == [0, 0]
    assert len(cut([], task, known).lengths) == 0
    assert cut([Tagged((), (), CHARACTERS, 0)], task, known).lengths.tolist() == []


def test_what_else_is_known_often_is_learned_beside(monkeypatch):
    monkeypatch.setattr(named_entities, "OFTEN_OTHERS", 2)
    texts = [
        Tagged(tuple("甲乙"), (Span(0, 1, "PER"),), CHARACTERS, 0, ("a", "b")),
        Tagged(tuple("丙"), (), CHARACTERS, 0, ("b",)),
    ]
    task, known = task_of([*texts, Tagged(tuple("丁"), (), CHARACTERS, 0)])
    assert (task.others, known["others"]) == (2, ["b"])
    assert cut(texts, task, known).others.tolist() == [0, 1, 1]
    assert task.make_model().out_others.weight.shape[0] == 2
    assert task_of([texts[0]])[0].others == 0


def test_a_batch_draws_from_its_generator_alone():
    texts = made(60, 0)
    task, known = task_of(texts)
    data = Examples(NamedEntities(), Split(texts, texts, texts, ""), cut(texts, task, known), None)
    first, again = (task.batch(data, 2, np.random.default_rng(3)) for _ in range(2))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    ids, tags, _, lengths = first
    assert ids.shape[:2] == tags.shape
    assert (ids.shape[0] - 1) * ids.shape[1] < 2 * named_entities.UNIT * 2
    assert (ids == UNKNOWN).any()
    assert not (ids[np.arange(ids.shape[1]) >= lengths[:, None]] != PADDING).any()


def test_answers_are_about_the_line_that_was_given():
    texts = made(40, 0)
    task, known = task_of(texts)
    ml.random.manual_seed(0)
    model = task.make_model().eval()
    alone = found(task, model, cut(texts[:1], task, known), 1)[0]
    among = found(task, model, cut(texts, task, known), 40)[0]
    assert [name[:3] for name in among] == [name[:3] for name in alone]
    assert [name[3] for name in among] == pytest.approx([name[3] for name in alone], rel=1e-4)
    line = line_of(("a", "bc", "d"), WORDS)
    assert named_entities.answer_of(line, [(1, 3, "PER", 0.5)]) == {
        "text": "a bc d",
        "entities": [{"start": 2, "end": 6, "text": "bc d", "type": "PER", "probability": 0.5}],
    }


class ByCharacter:
    """Gives each character the tag that it always has: what a perfect model of these texts would say."""

    def __init__(self, task, known):
        self.crf = nn.LinearChainCRF(len(task.tags), allowed_transitions(task.tags))
        tags = dict(zip("张三李四海王五北京上安街", "BIBIIBIBIBII", strict=True))
        self.scores = np.zeros((task.token, len(task.tags)), np.float32)
        for i, token in enumerate(known["token"], 2):
            letter = tags.get(token, "O")
            kind = "" if letter == "O" else "-LOC" if token in "北京上安街" else "-PER"
            self.scores[i, task.tags.index(letter + kind)] = 9.0

    def __call__(self, ids, lengths):
        return ml.tensor(self.scores[ids[:, :, 0]])


def test_names_stand_where_they_stand_in_the_whole_text():
    task, known = task_of(made(60, 0))
    text = Tagged(tuple("张三来了。北京的王五在。"), (), CHARACTERS, 0)
    (names,) = found(task, ByCharacter(task, known), cut([text], task, known), 1)
    assert [name[:3] for name in names] == [(0, 2, "PER"), (5, 7, "LOC"), (8, 10, "PER")]
    assert all(0.9 < name[3] < 1 for name in names)


def answers(texts, keep):
    """The truth as answers, of the names that `keep` keeps."""
    found = []
    for text in texts:
        line = line_of(text.tokens, text.unit)
        spans = [span for span in named_entities.truth_of(text) if keep(line.text[span[0] : span[1]])]
        found.append({"text": line.text, "entities": [{"start": s, "end": e, "type": kind} for s, e, kind in spans]})
    return found


def test_what_is_measured_are_whole_names():
    texts, app = made(40, 0), NamedEntities()
    right = {score.name: score.value for score in app.measure(texts, answers(texts, lambda _: True))}
    assert list(right) == ["span F1", "span precision", "span recall", "span F1 of LOC", "span F1 of PER"]
    assert set(right.values()) == {1.0}
    half = {score.name: score.value for score in app.measure(texts, answers(texts, lambda name: name in PLACES))}
    assert half["span precision"] == half["span F1 of LOC"] == 1.0
    assert half["span recall"] == 0.5
    assert half["span F1 of PER"] == 0.0


def test_known_names_and_new_ones_are_told_apart():
    train, test = made(40, 0), made(40, 1, [*PEOPLE, "赵六"])
    recall = seen_and_new(train, test, answers(test, lambda name: name != "赵六"))
    assert recall["seen"].value == 1.0
    assert recall["new"].value == 0.0


def test_texts_without_a_name_cannot_be_learned_from():
    nothing = [Tagged(tuple("没有名字。"), (), CHARACTERS, i) for i in range(30)]
    with pytest.raises(DataError, match="every tag is O"):
        NamedEntities().learn(Split(nothing, nothing, nothing, ""), "")


def test_the_command_trains_on_a_file_and_measures_and_answers(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "names.conll").write_text(conll(made(400, 0)), "utf-8")
    words = "EU B-ORG\nrejects O\nGerman B-MISC\ncall O\n. O\n"
    (tmp_path / "other.conll").write_text(words, "utf-8")
    settings = "--steps 30 --batch-size 4 --eval-every 30 --checkpoint-every 30 --warmup 3 --learning-rate 0.01 --quiet"
    assert main(["task", "ner", "train", "--data", "names.conll", *settings.split()]) == 0
    assert main(["task", "ner", "evaluate", "--data", "names.conll", "--json"]) == 0
    told = capsys.readouterr()
    assert "knows names of the types LOC, PER, in texts of characters" in told.err
    scores = json.loads(told.out[told.out.index("{") :])
    assert "span F1" in json.dumps(scores)
    assert main(["task", "ner", "evaluate", "--data", "other.conll"]) == 0
    told = capsys.readouterr()
    assert "MISC (1), ORG (1)" in told.err
    assert "The file is of words" in told.err
    (tmp_path / "lines.txt").write_text("王五在 上海。\n\n王五", "utf-8")
    assert main(["task", "ner", "predict", "lines.txt"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    first = lines[0]["entities"]
    assert [(each["text"], each["type"]) for each in first] == [("王五", "PER"), ("上海", "LOC")]
    assert [(each["start"], each["end"]) for each in first] == [(0, 2), (4, 6)]
    assert all(0.5 < each["probability"] <= 1 for each in first)


@pytest.mark.slow
def test_the_newspaper_is_divided_by_articles_and_learned_from(tmp_path):
    app = NamedEntities()
    split = app.split()
    parts = split.train, split.validation, split.test
    assert [len(part) for part in parts] == [15185, 1891, 1909]
    assert not set.intersection(*({text.group for text in part} for part in parts))
    texts = ["".join(text.tokens) for part in parts for text in part]
    assert len(texts) == len(set(texts))
    kinds = [kind for part in parts for text in part for _, _, kind in text.spans]
    assert {kind: kinds.count(kind) for kind in sorted(set(kinds))} == {"LOC": 27830, "PER": 19920}
    run, examples = app.begin(
        tmp_path / "run", {"steps": 180, "eval_every": 180, "checkpoint_every": 180, "warmup": 20}
    )
    outcome = train(run, examples, progress=False)
    assert outcome.measures["span_f1"] > 0.3
    (answer,) = app.open(tmp_path / "run", "cpu")(["１９９８年１月１日，江泽民在北京发表讲话。"])
    assert {"北京"} <= {each["text"] for each in answer["entities"]}
