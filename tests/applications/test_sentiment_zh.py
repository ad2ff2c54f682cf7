"""The wide reader and the deep ones of Chinese reviews. The reviews here are made up."""

import dataclasses

import numpy as np
import pytest

import minilm as ml
from minilm.applications.application import Split
from minilm.applications.sentiment import LABELS, Opinion
from minilm.applications.sentiment_zh import (
    GRAMS,
    KERNELS,
    SHARPNESS,
    ChineseSentiment,
    Readers,
    ReviewTask,
    count_grams,
    encoded,
    known_well,
    plain,
)
from minilm.data import DataError
from minilm.gradcheck import gradcheck, gradgradcheck
from minilm.training.loop import train
from minilm.training.run import Run

pytestmark = pytest.mark.host  # runs name their device

GOOD, BAD, MORE = "好棒赞妙", "差坏烂糟", "房间早餐书电脑的很"


def made(n, seed):
    rng = np.random.default_rng(seed)
    found = []
    for label in rng.integers(0, 2, n):
        own = (BAD, GOOD)[label]
        letters = [*rng.choice(list(MORE), rng.integers(1, 9)), rng.choice(list(own)), *rng.choice(list(MORE), 2)]
        found.append(Opinion("".join(letters), LABELS[label]))
    return found


class MadeUp(ChineseSentiment):
    parts = (made(120, 1), made(40, 2), made(40, 3))

    def split(self):
        return Split(*self.parts, "Made up.")

    def learn(self, split, sha256):
        task, files = super().learn(split, sha256)
        return dataclasses.replace(task, width=8, filters=8), files


@pytest.fixture(autouse=True)
def _without_pictures(monkeypatch):
    monkeypatch.setattr("minilm.training.loop.plot_losses", lambda run: None)


@pytest.fixture
def written(tmp_path):
    """A file of runs of characters, of three texts."""
    path = tmp_path / GRAMS
    _, files = ChineseSentiment().learn(
        Split([Opinion(t, "positive") for t in ("不错不错", "不错!", "很好")] * 2, [], [], ""), "0"
    )
    path.write_bytes(files[GRAMS])
    return path


def small(**options):
    ml.random.manual_seed(0)
    model = Readers(grams=9, deep=2, vectors=6, width=3, filters=2, **options)
    rng = np.random.default_rng(0)
    for p in model.parameters():
        p.data[...] = rng.normal(0, 0.5, p.shape)
    for table in tables(model):
        table.weight.data[0] = 0
    return model.to("float64").eval()


def tables(model):
    return [model.weights, *(reader.vectors for reader in model.deep)]


def given(lengths=(5, 2, 4), seed=1):
    rng, longest = np.random.default_rng(seed), max(lengths)
    inside = np.arange(longest) < np.array(lengths)[:, None, None]
    grams = rng.integers(1, 9, (len(lengths), 3, longest)) * inside
    values = rng.random(grams.shape) * inside
    seen = np.where(grams[:, :2] < 6, grams[:, :2], 0)
    seen = np.stack([seen, np.where(rng.random(seen.shape) < 0.3, 0, seen)], axis=1)
    return grams, values, seen, np.array(lengths)


# -- the readers ------------------------------------------------------------------------------------------------------


def test_gradient_of_every_parameter_to_second_order():
    model, arrays, targets = small(), given(), np.array([0.95, 0.05, 0.5])
    for table in tables(model):
        table.padding_idx = None  # whose row is to get no gradient

    def losses(*_):
        return model.losses(*arrays, targets)

    gradcheck(losses, *model.parameters(), rtol=1e-4, atol=1e-6)
    gradgradcheck(losses, *model.parameters(), directions=1, rtol=1e-4, atol=1e-5)


def test_gradient_with_dropout_on():
    model, arrays = small(dropout=0.4, vector_dropout=0.3).train(), given()
    for table in tables(model):
        table.padding_idx = None

    def logits(*_):
        ml.random.manual_seed(3)
        return model(*arrays)

    gradcheck(logits, *model.parameters(), directions=2, rtol=1e-4, atol=1e-6)


def test_the_readers_are_their_formulas():
    model, (grams, values, seen, lengths) = small(), given()
    wide, deep = (logits.numpy() for logits in model(grams, values, seen, lengths))
    w = model.weights.weight.numpy()[:, 0]
    for i, n in enumerate(lengths):
        a = (
            SHARPNESS * sum(w[grams[i, r, t]] * values[i, r, t] for r in range(3) for t in range(n))
            + model.bias.numpy()[0]
        )
        assert wide[i] == pytest.approx(a)
        for r, reader in enumerate(model.deep):
            vectors, h = reader.vectors.weight.numpy(), []
            e = vectors[seen[i, r, 0, :n]] + vectors[seen[i, r, 1, :n]]
            for k, conv in zip(KERNELS, reader.filters, strict=True):
                e_k = np.pad(e, ((k - 1, k - 1), (0, 0)))
                windows = [e_k[t : t + k].T for t in range(n + k - 1)]
                answers = [
                    [(u * x).sum() + c for x in windows]
                    for u, c in zip(conv.weight.numpy(), conv.bias.numpy(), strict=True)
                ]
                h += np.maximum(answers, 0).max(axis=1).tolist()
            assert deep[i, r] == pytest.approx(h @ reader.head.weight.numpy()[0] + reader.head.bias.numpy()[0])


def test_padding_changes_nothing():
    model, (grams, values, seen, lengths) = small(), given((7, 1, 3))
    for conv in (conv for reader in model.deep for conv in reader.filters):
        conv.bias.data[...] = 1.0  # what padding alone would answer, and some texts answer less
    wide, deep = (logits.numpy() for logits in model(grams, values, seen, lengths))
    for i, n in enumerate(lengths):
        a, d = model(grams[i : i + 1, :, :n], values[i : i + 1, :, :n], seen[i : i + 1, ..., :n], lengths[i : i + 1])
        assert a.numpy()[0] == pytest.approx(wide[i])
        assert d.numpy()[0] == pytest.approx(deep[i])


def test_each_reader_learns_as_if_it_were_alone():
    model, arrays, targets = small(), given(), np.array([1.0, 0.0, 1.0])
    model.loss(*arrays, targets).backward()
    together = [table.weight.grad.numpy().copy() for table in tables(model)]
    for i, gradient in enumerate(together):
        model.zero_grad()
        model.losses(*arrays, targets)[:, i].mean().backward()
        alone = [table.weight.grad for table in tables(model)]
        assert gradient == pytest.approx(alone.pop(i).numpy())
        assert alone == [None, None] or all((grad.numpy() == 0).all() for grad in alone if grad is not None)


def test_the_answer_is_the_wide_reader_and_the_mean_of_the_deep_ones(tmp_path):
    run, data = MadeUp().begin(tmp_path / "run")
    model, texts = run.task.make_model().eval(), data.validation
    for p in model.parameters():
        p.data[...] += np.random.default_rng(0).normal(0, 0.3, p.shape)
    rows = np.arange(len(texts.lengths))
    a, d = (logits.numpy() for logits in model(*run.task.arrays(texts, rows)))
    assert d.shape == (len(rows), run.task.deep)
    assert run.task.logits(model, texts) == pytest.approx(a + run.task.share * d.mean(axis=1), rel=1e-5)


# -- runs of characters -----------------------------------------------------------------------------------------------


def test_texts_are_read_alike_in_both_widths_and_cases():
    assert plain("  ＯＫ！\n  好 ") == "ok! 好"
    assert len(plain("好" * 1000)) == 300


def test_runs_are_counted_once_a_text_and_kept_from_two_texts_on():
    counts = count_grams(["好好好", "好!", "坏!", "abc", "xabc"])
    assert counts == {"!": 2, "a": 2, "b": 2, "c": 2, "好": 2, "ab": 2, "bc": 2, "abc": 2}
    assert list(counts)[-1] == "abc"


def test_values_are_those_of_tf_idf(written):
    texts = encoded(["不错不错", "很", "猫"], written, np.array([1, 0, 1]))
    grams, values = texts.grams[0], texts.values[0]
    weight = {}
    for gram, m in {"不": 4, "错": 4, "不错": 4, "错不": 2, "不错不": 2, "错不错": 2}.items():
        n = sum("不错不错"[i:].startswith(gram) for i in range(4))
        weight[gram] = (1 + np.log(n)) * (1 + np.log(7 / (m + 1)))
    length = np.sqrt(sum(w * w for w in weight.values()))
    number = {gram: grams[len(gram) - 1, "不错不错".index(gram)] for gram in weight}
    for gram, w in weight.items():
        assert values[grams == number[gram]].sum() == pytest.approx(w / length, rel=1e-6), gram
    assert (grams[1, 3], grams[2, 2:].tolist()) == (0, [0, 0])  # what would go beyond the end
    assert (values[grams == 0] == 0).all()
    assert texts.lengths.tolist() == [4, 1, 1]
    assert texts.grams[2].tolist() == [[0]] * 3  # 猫 stands nowhere else


def test_a_damaged_file_is_named(tmp_path):
    for content in (None, b"", b"[]", b'{"counts": 3, "texts": 1}', b'{"counts": {"a": "b"}, "texts": 1}'):
        if content is not None:
            (tmp_path / GRAMS).write_bytes(content)
        with pytest.raises(DataError, match=GRAMS):
            encoded(["a"], tmp_path / GRAMS, np.zeros(1))


# -- a run ------------------------------------------------------------------------------------------------------------


OPTIONS = {"steps": 12, "warmup": 3, "eval_every": 10, "checkpoint_every": 5, "batch_size": 16, "learning_rate": 0.02}


def trained(folder, **options):
    run, data = MadeUp().begin(folder, {**OPTIONS, **options})
    return run, data, train(run, data, device="cpu", progress=False)


def test_it_learns_and_answers_each_text_by_itself(tmp_path):
    run, _, outcome = trained(tmp_path / "run", steps=40, eval_every=20, checkpoint_every=40)
    assert outcome.measures["accuracy"] > 0.8
    system = MadeUp().open(run.folder, "cpu")
    texts = ["房间很好", "坏", "猫", "差" * 500, "", "电脑棒"]
    answers = system(texts)
    assert [answers[i]["label"] for i in (0, 1, 5)] == ["positive", "negative", "positive"]
    for text, answer in zip(texts, answers, strict=True):
        assert system([text])[0]["probability"] == pytest.approx(answer["probability"], abs=1e-4)
    assert system([]) == []


def test_what_is_known_is_of_the_training_part_alone():
    split = Split(MadeUp.parts[0], [Opinion("猫猫", "positive")] * 2, [Opinion("狗狗", "negative")] * 2, "")
    task, files = MadeUp().learn(split, "0")
    content = files[GRAMS].decode()
    assert "猫" not in content
    assert "狗" not in content
    assert "好" in content
    assert 1 < task.vectors <= task.grams
    assert known_well({"好": 2, "坏": 9, "好坏": 5, "坏好": 4, "好坏好": 9}) == 3


def test_a_batch_draws_from_its_generator_alone(tmp_path):
    run, data = MadeUp().begin(tmp_path / "run")
    task: ReviewTask = run.task
    one, other, third = (task.batch(data, 8, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(one, other, strict=True))
    assert any(a.shape != b.shape or (a != b).any() for a, b in zip(one, third, strict=True))
    hidden = np.mean([(b[2] == 0).mean() - (b[0][:, :2] == 0).mean() for b in (one, third)])
    assert 0.0 < hidden < 0.5
    assert set(np.round(one[4], 3)) <= {0.05, 0.95}


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(tmp_path, monkeypatch):
    whole, *_ = trained(tmp_path / "whole")
    run, data = MadeUp().begin(tmp_path / "cut", OPTIONS)
    plain_batch, count = ReviewTask.batch, []

    def stopping(self, *arguments):
        count.append(1)
        if len(count) == 8:
            raise KeyboardInterrupt
        return plain_batch(self, *arguments)

    monkeypatch.setattr(ReviewTask, "batch", stopping)
    with pytest.raises(KeyboardInterrupt):
        train(run, data, device="cpu", progress=False)
    monkeypatch.setattr(ReviewTask, "batch", plain_batch)
    run, data = MadeUp().resume(tmp_path / "cut")
    train(run, data, device="cpu", progress=False)
    one, other = (Run(folder, ReviewTask).load_weights().arrays for folder in (whole.folder, run.folder))
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)


# -- the published reviews --------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_some_hundred_updates_on_the_published_reviews(tmp_path):
    """Better than words alone would let a guess be, and far from what the whole training reaches."""
    application = ChineseSentiment()
    split = application.split()
    assert [len(part) for part in (split.train, split.validation, split.test)] == [13_861, 1_733, 1_733]
    shares = [np.mean([opinion.label == "positive" for opinion in part]) for part in (split.train, split.test)]
    assert shares[0] == pytest.approx(shares[1], abs=0.001)
    run, data = application.begin(
        tmp_path / "run", {"steps": 150, "warmup": 15, "eval_every": 150, "checkpoint_every": 150}
    )
    assert train(run, data, device="cpu", progress=False).measures["accuracy"] > 0.77
