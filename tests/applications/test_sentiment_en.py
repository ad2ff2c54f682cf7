"""MiniLM fine-tuned on classes and ratings. Here it is a small BERT with drawn weights, and the sentences are made up."""

import types

import numpy as np
import pytest

import minilm as ml
from minilm.applications import sentiment_en
from minilm.applications.application import Split
from minilm.applications.sentiment import Opinion, label_of
from minilm.applications.sentiment_en import EnglishSentiment, Intensity, RaterTask, SentenceRater, padded, pieces
from minilm.data import DataError
from minilm.gradcheck import gradcheck, gradgradcheck
from minilm.models.bert import Bert, BertConfig
from minilm.text.huggingface import write_tokenizer_json
from minilm.text.wordpiece import WordPieceTokenizer
from minilm.training.loop import train
from minilm.training.run import Run

pytestmark = pytest.mark.host  # runs name their device

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *("the", "film", "is", "good", "bad", "fine", "dull", "so", "very", "a", "not"),
]
OPTIONS = {"steps": 12, "warmup": 3, "eval_every": 10, "checkpoint_every": 5, "batch_size": 8, "learning_rate": 0.02}


def small(dropout=0.05):
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = BertConfig(
        len(WORDS),
        max_position_embeddings=130,
        initializer_range=0.3,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        **sizes,
    )
    return Bert(config, rng=np.random.default_rng(0)).eval()


def made(n, seed):
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        word, rating = [("good", 2.0), ("bad", -2.0), ("fine", 1.0), ("dull", -1.0), ("so", 0.0)][rng.integers(5)]
        text = " ".join(["the film is", *["very"] * rng.integers(0, 4), word])
        found.append(Opinion(text, label_of(rating), rating))
    return found


class MadeUp(EnglishSentiment):
    parts = (made(60, 1), made(20, 2), made(20, 3))

    def split(self):
        return Split(*self.parts, "Made up.")


class MadeUpIntensity(MadeUp, Intensity):
    name = Intensity.name
    answers, measure, details, wrong = Intensity.answers, Intensity.measure, Intensity.details, Intensity.wrong


@pytest.fixture(autouse=True)
def published(tmp_path_factory, monkeypatch):
    """The small model in place of the published one."""
    folder = tmp_path_factory.mktemp("published")
    write_tokenizer_json(WordPieceTokenizer(WORDS), folder / "tokenizer.json")
    monkeypatch.setattr(sentiment_en, "get", lambda name: folder)
    monkeypatch.setattr(sentiment_en, "load", lambda name: types.SimpleNamespace(model=small()))
    monkeypatch.setattr("minilm.training.loop.plot_losses", lambda run: None)
    return folder


def rater(dropout=0.0):
    ml.random.manual_seed(0)
    return SentenceRater(small(dropout)).to("float64").eval()


IDS = [np.array([2, 5, 7, 10, 3]), np.array([2, 11, 3]), np.array([2, 5, 6, 7, 8, 9, 3])]
LABELS, RATINGS = np.array([1, 0, -1]), np.array([1.5, np.nan, 0.1])


# -- the model --------------------------------------------------------------------------------------------------------


def test_gradient_of_every_parameter_to_second_order():
    model, arrays = rater(), padded(IDS)
    parameters = [p for p in model.parameters() if p.requires_grad]
    gradcheck(lambda *_: model.losses(*arrays, LABELS, RATINGS), *parameters, directions=1, rtol=1e-4, atol=1e-6)
    gradgradcheck(lambda *_: model.losses(*arrays, LABELS, RATINGS), *parameters, directions=1, rtol=1e-4, atol=1e-5)


def test_the_loss_is_its_formula_and_what_is_missing_costs_nothing():
    model, arrays = rater(), padded(IDS)
    (a0, b0), (a1, _), (_, b2) = model(*arrays).numpy()
    losses = model.losses(*arrays, LABELS, RATINGS).numpy()
    assert losses == pytest.approx([np.log1p(np.exp(-a0)) + (b0 - 0.75) ** 2, np.log1p(np.exp(a1)), (b2 - 0.05) ** 2])
    model.loss(*arrays, LABELS, RATINGS).backward()
    assert np.isfinite(model.head.weight.grad.numpy()).all()


def test_the_mean_is_over_tokens_alone():
    model = rater()
    together = model(*padded(IDS)).numpy()
    for ids, both in zip(IDS, together, strict=True):
        mean = model.bert(ids[None]).numpy()[0].mean(axis=0)
        assert both == pytest.approx(model.head.weight.numpy() @ mean + model.head.bias.numpy())


def test_padding_and_the_longest_sentence(published, tmp_path):
    ids, mask = padded(IDS)
    assert ids.shape == (3, 7)
    assert mask.sum(axis=1).tolist() == [5, 3, 7]
    assert not ids[~mask].any()
    (tmp_path / "tokenizer.json").write_bytes((published / "tokenizer.json").read_bytes())
    long, none = pieces(["film " * 500, ""], tmp_path)
    assert (len(long), long[0], long[-1], none.tolist()) == (128, 2, 3, [2, 3])


# -- a run ------------------------------------------------------------------------------------------------------------


def trained(folder, application=None, **options):
    run, data = (application or MadeUp()).begin(folder, {**OPTIONS, **options})
    return run, train(run, data, device="cpu", progress=False)


def test_the_model_begins_in_training_mode_with_published_weights_whose_embeddings_stay():
    task = RaterTask("0", pretrained_sha256=sentiment_en.weights_sha256(sentiment_en.MINILM))
    model = task.make_model()
    assert all(module.training for module in model.modules())
    for name, value in small().state_dict().items():
        if not name.startswith("pooler."):
            assert np.array_equal(model.bert.state_dict()[name].numpy(), value.numpy())
    learning = {id(p) for group in task.groups(model, 0.1) for p in group["params"]}
    resting = [p for table in (model.bert.words, model.bert.segments, model.bert.positions) for p in table.parameters()]
    assert learning == {id(p) for p in model.parameters()} - {id(p) for p in resting}


def test_other_published_weights_are_refused():
    with pytest.raises(DataError, match="other weights"):
        RaterTask("0", pretrained_sha256="1" * 64).make_model()


def test_it_learns_both_and_a_run_answers_both_questions(tmp_path):
    run, outcome = trained(tmp_path / "run", steps=80, eval_every=40, checkpoint_every=80, batch_size=16)
    assert outcome.measures["accuracy"] > 0.9
    assert outcome.measures["mean absolute error"] < 0.7
    texts = ["the film is good", "the film is very very bad", ""]
    classes, strengths = (kind().open(run.folder, "cpu")(texts) for kind in (MadeUp, MadeUpIntensity))
    assert [answer["label"] for answer in classes[:2]] == ["positive", "negative"]
    assert strengths[0]["intensity"] > 0.7 > -0.7 > strengths[1]["intensity"]
    assert MadeUp().open(run.folder, "cpu")([]) == []
    start, end = small().state_dict(), run.model("cpu").bert.state_dict()
    assert np.array_equal(start["words.weight"].numpy(), end["words.weight"].numpy())
    assert not np.array_equal(start["layers.0.norm1.weight"].numpy(), end["layers.0.norm1.weight"].numpy())


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(tmp_path, monkeypatch):
    whole, _ = trained(tmp_path / "whole")
    run, data = MadeUp().begin(tmp_path / "cut", OPTIONS)
    plain, count = RaterTask.batch, []

    def stopping(self, *arguments):
        count.append(1)
        if len(count) == 8:
            raise KeyboardInterrupt
        return plain(self, *arguments)

    monkeypatch.setattr(RaterTask, "batch", stopping)
    with pytest.raises(KeyboardInterrupt):
        train(run, data, device="cpu", progress=False)
    monkeypatch.setattr(RaterTask, "batch", plain)
    run, data = MadeUp().resume(tmp_path / "cut")
    train(run, data, device="cpu", progress=False)
    one, other = (Run(folder, RaterTask).load_weights().arrays for folder in (whole.folder, run.folder))
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)


# -- what is measured -------------------------------------------------------------------------------------------------


def test_sentences_without_a_class_are_not_measured():
    examples = [Opinion("good", "positive", 2.0), Opinion("so", "neutral", 0.0), Opinion("bad", "negative", -2.0)]
    answers = [{"label": x, "probability": 1.0, "probabilities": {"positive": float(x == "positive"), "negative": float(x != "positive")}}
               for x in ("positive", "positive", "positive")]  # fmt: skip
    scores = {score.name: score for score in EnglishSentiment().measure(examples, answers)}
    assert (scores["accuracy"].n, scores["accuracy"].value) == (2, 0.5)
    assert EnglishSentiment().wrong(examples, answers) == [2]
    assert np.isnan(EnglishSentiment().measure(examples[1:2], answers[1:2])[0].value)


def test_numbers_of_intensities():
    examples = [Opinion("a", "positive", 2.0), Opinion("b", "negative", -2.0), Opinion("c", "positive")]
    answers = [{"intensity": 1.0}, {"intensity": -0.5}, {"intensity": 4.0}]
    scores = {score.name: score.value for score in Intensity().measure(examples, answers)}
    assert scores["mean absolute error"] == pytest.approx(1.25)
    assert list(scores.values())[:2] == pytest.approx([1.0, 1.0])
    assert Intensity().wrong(examples, answers) == [1, 0]
    assert np.isnan(Intensity().measure(examples[2:], answers[2:])[0].value)
    told = Intensity().answers(np.array([[0, 9.0], [0, -9.0], [0, 0.5]]))
    assert [answer["intensity"] for answer in told] == [4.0, -4.0, 1.0]


# -- the published sentences ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_simple_methods_on_the_published_sentences():
    """Both parts are large enough, and the simple methods learn from the sentences that have what they need."""
    pytest.importorskip("sklearn")
    classes, strengths = EnglishSentiment(), Intensity()
    split = classes.split()
    assert [len(part) for part in (split.train, split.validation, split.test)] == [8_483, 1_060, 1_060]
    texts = [opinion.text for opinion in split.validation]
    said = classes.baselines()["naive Bayes"](split)(texts)
    assert classes.measure(split.validation, said)[0].value > 0.8
    said = strengths.baselines()["ridge regression, words"](split)(texts)
    assert strengths.measure(split.validation, said)[0].value > 0.7
