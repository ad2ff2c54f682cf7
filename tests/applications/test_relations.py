import json
import re
from pathlib import Path

import numpy as np
import pytest

import minilm as ml
from minilm.applications import find, relations
from minilm.applications import published as published_models
from minilm.applications.relations import DEFINITION, HEAD, KINDS, LONGEST, RELATIONS, TAIL, Encoded, Question, Reader
from minilm.applications.simple.relations import BASELINES, features
from minilm.applications.trained import Examples
from minilm.data import DataError, GlossRelation
from minilm.gradcheck import gradcheck, gradgradcheck
from minilm.models.bert import Bert, BertConfig
from minilm.pretrained.load import TOKENIZER, Pretrained
from minilm.text.huggingface_write import write_tokenizer_json
from minilm.text.wordpiece import WordPieceTokenizer
from minilm.training.loop import train

WORDS = [
    "a",
    "an",
    "of",
    "the",
    "in",
    "is",
    "part",
    "member",
    "kind",
    "city",
    "wheel",
    "spoke",
    "france",
    "river",
    "animal",
    "dog",
    "pack",
    "leaf",
    "tree",
    "law",
    "(",
    ")",
]
CAPITALS = {"France"}


def tokenizer():
    return WordPieceTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS])


def tiny_bert(**config):
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
    return Bert(
        BertConfig(5 + len(WORDS), **sizes, max_position_embeddings=LONGEST, **config), rng=np.random.default_rng(0)
    )


@pytest.fixture
def published(tmp_path_factory, monkeypatch):
    """A tiny encoder in place of the published one."""
    folder = tmp_path_factory.mktemp("published")
    write_tokenizer_json(tokenizer(), folder / TOKENIZER)
    monkeypatch.setattr(published_models, "get", lambda name: folder)
    monkeypatch.setattr(published_models, "load", lambda name: Pretrained(tiny_bert().eval(), tokenizer(), name))


def example(relation, head, sentence, tail):
    start = sentence.index(tail)
    return GlossRelation(relation, head, tail, sentence, start, start + len(tail))


SPOKE = example("part-of", "spoke", "a part of a wheel", "wheel")
PARIS = example("part-of", "Paris", "a city in France", "France")


# -- what the model is given ------------------------------------------------------------------------------------------


def test_tokens_and_their_kinds():
    ids, kinds = Reader(tokenizer())(Question("dog", "a city in France (law)", 10, 16))
    words = [tokenizer().id_to_token(id) for id in ids]
    assert words == ["[CLS]", "dog", "[SEP]", "a", "city", "in", "france", "(", "law", ")", "[SEP]"]
    assert kinds == [DEFINITION, HEAD, *[DEFINITION] * 4, TAIL + 1, *[DEFINITION] * 4]
    assert [KINDS[k] for k in (DEFINITION, TAIL, HEAD)] == ["definition", "tail", "head"]


def test_a_long_sentence_loses_its_end_but_never_the_tail():
    late = Question("dog", "a " * 100 + "wheel" + " of" * 100, 200, 205)
    ids, kinds = Reader(tokenizer())(late)
    assert len(ids) == LONGEST
    assert TAIL in kinds
    early = Question("dog", "a wheel" + " of" * 100, 2, 7)
    ids, kinds = Reader(tokenizer())(early)
    assert len(ids) == LONGEST
    assert kinds.index(TAIL) == 4
    assert len(Reader(tokenizer())(Question("dog " * 90, "a wheel", 2, 7))[0]) < LONGEST


# -- the model --------------------------------------------------------------------------------------------------------


def model_of(classes=5):
    return relations.RelationModel(tiny_bert(type_vocab_size=len(KINDS), hidden_dropout_prob=0.0))


BATCH = relations.padded(
    [Reader(tokenizer())(Question(e.head, e.sentence, e.tail_start, e.tail_end)) for e in (SPOKE, PARIS)], [2, 2]
)


def test_the_mean_over_some_places_and_its_derivatives():
    x = ml.Tensor(np.random.default_rng(0).standard_normal((2, 3, 4)), requires_grad=True)
    keep = np.array([[True, False, True], [False, False, False]])
    mean = relations.mean_where(x, keep)
    np.testing.assert_allclose(mean.numpy()[0], x.numpy()[0, [0, 2]].mean(axis=0))
    assert not mean.numpy()[1].any()
    gradcheck(lambda x: relations.mean_where(x, keep), x)
    gradgradcheck(lambda x: relations.mean_where(x, keep) ** 2, x)


def test_gradient_of_every_parameter():
    model = model_of().eval()
    for p in model.parameters():
        p.data = p.data.astype(np.float64)
    loss = lambda *_: model.loss(BATCH.ids, BATCH.kinds, BATCH.labels)  # noqa: E731
    gradcheck(loss, *model.parameters(), directions=1, rtol=1e-4, atol=1e-6)


def test_padding_changes_nothing_and_head_tail_and_capital_do():
    model = model_of().eval()
    for p in (model.bert.segments.weight,):
        p.data = p.data * 50
    with ml.no_grad():
        together = model(BATCH.ids, BATCH.kinds).numpy()
        for i, n in enumerate(BATCH.lengths):
            alone = model(BATCH.ids[i : i + 1, :n], BATCH.kinds[i : i + 1, :n]).numpy()[0]
            np.testing.assert_allclose(together[i], alone, atol=1e-5)
        for other in (TAIL, DEFINITION):  # PARIS's tail has a capital
            kinds = np.where(BATCH.kinds == TAIL + 1, other, BATCH.kinds)
            assert np.abs(model(BATCH.ids, kinds).numpy()[1] - together[1]).max() > 1e-4


def test_the_mean_of_the_tail_is_over_words_with_and_without_capitals():
    """A tail whose word has a capital is read off at its place, as one without."""
    model = model_of().eval()
    seen = []
    model.classifier.forward = lambda x: seen.append(x.numpy()) or x
    with ml.no_grad():
        model(BATCH.ids, BATCH.kinds)
        hidden = model.bert(BATCH.ids, BATCH.ids != 0, BATCH.kinds).numpy()
    for row, i in ((0, BATCH.kinds[0].tolist().index(TAIL)), (1, BATCH.kinds[1].tolist().index(TAIL + 1))):
        np.testing.assert_allclose(seen[0][row, 32:], hidden[row, i], atol=1e-6)


def task():
    return relations.RelationTask("", pretrained_sha256=published_models.weights_sha256())


def test_it_begins_at_the_published_weights_and_what_is_frozen_stays(published):
    model, start = task().make_model(), tiny_bert()
    assert all(module.training for module in model.modules())
    for name, value in start.state_dict().items():
        if not name.startswith(("pooler.", "segments.")):
            np.testing.assert_array_equal(model.bert.state_dict()[name].numpy(), value.numpy())
    assert model.bert.segments.weight.shape == (6, 16)
    near = model.bert.segments.weight.numpy() - start.segments.weight.numpy()[:1]
    assert 0 < np.abs(near).max() < 0.1
    learning = {id(p) for group in task().groups(model, 0.1) for p in group["params"]}
    resting = {name for name, p in model.named_parameters() if id(p) not in learning}
    assert resting == {"bert.words.weight", "bert.positions.weight"}


def test_batches_have_little_padding_and_every_example_comes(published):
    rows = np.arange(40)
    lengths = rows % 20 + 5
    part = Encoded(np.tile(rows[:, None], 24), np.zeros((40, 24), int), lengths, rows)
    data = Examples(None, None, part, part)
    seen, waste = np.zeros(40), []
    for step in range(200):
        ids, kinds, labels = task().batch(data, 8, np.random.default_rng([1, step]))
        assert ids.shape == kinds.shape == (8, lengths[labels].max())
        seen[labels] += 1
        waste.append(1 - lengths[labels].mean() / ids.shape[1])
    assert seen.min() > 20
    assert np.median(waste) < 0.2
    again = task().batch(data, 8, np.random.default_rng([1, 199]))
    np.testing.assert_array_equal(again[2], labels)


# -- the application --------------------------------------------------------------------------------------------------


def made(n=120):
    rng = np.random.default_rng(0)
    found = []
    for i in range(n):
        thing = ["dog", "leaf", "river", "spoke", "city"][rng.integers(5)]
        article = ["a", "an", "the"][rng.integers(3)]
        relation, text = [("part-of", "part of"), ("is-a", "kind of"), ("member-of", "member of")][i % 3]
        found.append(example(relation, thing, f"{article} {text} {'the ' * rng.integers(0, 9)}wheel", "wheel"))
    return found


def test_a_smoothed_label_is_never_certain_and_is_measured_as_it_is(published):
    """The loss to learn by, by hand; the one that is told has no smoothing."""
    model = task().make_model().eval()
    with ml.no_grad():
        logits = model(BATCH.ids, BATCH.kinds).numpy().astype(np.float64)
        surprise = np.log(np.exp(logits).sum(axis=1, keepdims=True)) - logits
        targets = 0.9 * np.eye(5)[BATCH.labels] + 0.1 / 5
        np.testing.assert_allclose(
            model.loss(BATCH.ids, BATCH.kinds, BATCH.labels).item(), (targets * surprise).sum(axis=1).mean(), rtol=1e-5
        )
        losses = task().losses(model, BATCH, None)
        np.testing.assert_allclose(losses, surprise[np.arange(2), BATCH.labels], rtol=1e-5)
        np.testing.assert_allclose(task().losses(model, BATCH, 1), losses[:1], rtol=1e-5)


def test_a_run_learns_and_answers(published, monkeypatch, tmp_path):
    application = find("relations")
    parts = relations.Split(made(), made(30), made(30), "made up")
    monkeypatch.setattr(type(application), "split", lambda self: parts)
    run, data = application.begin(
        tmp_path / "run", {"steps": 80, "batch_size": 16, "learning_rate": 1e-2, "eval_every": 80, "warmup": 20}
    )
    outcome = train(run, data, progress=False)
    assert outcome.tested[0].value == 1
    system = application.open(tmp_path / "run", "cpu")
    (answer,) = system([application.parse('{"head": "dog", "tail": "wheel", "sentence": "a part of the wheel"}')])
    assert answer["label"] == "part-of"
    assert answer["probability"] == max(answer["probabilities"].values()) > 0.5
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert set(answer["probabilities"]) == set(RELATIONS)
    assert system([]) == []


@pytest.mark.parametrize("name", BASELINES)
def test_simple_methods(name):
    pytest.importorskip("sklearn")
    parts = relations.Split(made(), made(30), made(30), "")
    answers = BASELINES[name](parts)([find("relations").question(e) for e in parts.test])
    right = np.mean([a["label"] == e.relation for a, e in zip(answers, parts.test, strict=True)])
    assert (right == 1) == (name in ("linear SVM", "Naive Bayes"))


def test_features_are_what_is_said():
    q = Question("Seine", "a river of (northern) France", 22, 28)
    assert features(q, ("place",)) == ["words before=6", "words after=0"]
    assert set(features(q, ("tail",))) == {
        "tail=france", "tail ends=ce", "tail ends=nce", "tail ends=ance", "tail has words=1", "tail has capitals=1 of 1",
    }  # fmt: skip
    assert {"before=river", "before=a river", "next before=)", "begins=a river"} <= set(features(q, ("before",)))
    assert features(Question("", "x", 0, 1), ("head",)) == ["head has words=0", "head has capitals=0 of 0"]


def test_lines():
    parse = find("relations").parse
    assert parse(find("relations").line) == Question("glottis", "the vocal apparatus of the larynx", 27, 33)
    assert parse('{"head": "x", "tail": "a", "sentence": "cat a a"}').tail_start == 4
    assert parse('{"head": "x", "tail": "a", "sentence": "cat a a", "tail_start": 6}').tail_start == 6
    assert parse('{"head": "水", "tail": "河", "sentence": "河 😀", "tail_start": 0}').tail_end == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("glottis", "expected a JSON object such as"),
        ("[]", 'the texts "head", "tail" and "sentence"'),
        ('{"head": "x", "tail": "y"}', 'the texts "head", "tail" and "sentence"'),
        ('{"head": "x", "tail": " ", "sentence": "a b"}', 'the texts "head", "tail" and "sentence"'),
        ('{"head": "x", "tail": "c", "sentence": "a b"}', "the tail 'c' does not stand in the sentence 'a b'"),
        ('{"head": "x", "tail": "b", "sentence": "a b", "tail_start": 0}', 'does not begin at "tail_start" 0'),
        ('{"head": "x", "tail": "b", "sentence": "a b", "tail_start": -1}', 'does not begin at "tail_start" -1'),
        ('{"head": "x", "tail": "b", "sentence": "a b", "tail_start": true}', 'does not begin at "tail_start" True'),
    ],
)
def test_bad_lines(line, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        find("relations").parse(line)


def test_files(tmp_path):
    path = Path(tmp_path / "mine.jsonl")
    line = {"head": "spoke", "tail": "wheel", "sentence": "a part of a wheel", "relation": "part-of"}
    path.write_text(json.dumps(line) + "\n\n")
    assert find("relations").read(path) == [SPOKE]
    path.write_text(json.dumps(line | {"relation": "likes"}))
    with pytest.raises(DataError, match='line 1: "relation" should be one of is-a'):
        find("relations").read(path)
    path.write_text("\n")
    with pytest.raises(DataError, match="has no line"):
        find("relations").read(path)


def test_accuracy():
    answers = [{"label": "part-of"}, {"label": "is-a"}]
    assert find("relations").measure([SPOKE, PARIS], answers)[0].value == 0.5


def test_the_errors_that_were_most_sure_come_first():
    answers = [{"label": label, "probability": p} for label, p in (("is-a", 0.4), ("part-of", 0.9), ("is-a", 0.8))]
    assert find("relations").wrong([SPOKE] * 3, answers) == [2, 0]
    assert find("relations").wrong([SPOKE, PARIS], [{"label": "is-a"}, {"label": "is-a"}]) == [0, 1]
