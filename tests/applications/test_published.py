"""Fine-tuning begins with an encoder's weights: which of them learn, and how its run is resumed. The encoder is small and made here."""

import numpy as np
import pytest

from minilm.applications import published
from minilm.applications.application import Split
from minilm.applications.published import by_length, neighbors, padded
from minilm.applications.question_answering import Spans
from minilm.applications.readings import Reading
from minilm.data import DataError
from minilm.models.bert import Bert, BertConfig
from minilm.pretrained.load import TOKENIZER, Pretrained
from minilm.text.huggingface_write import write_tokenizer_json
from minilm.text.wordpiece import BERT_SPECIAL_TOKENS, WordPieceTokenizer
from minilm.training.loop import train
from minilm.training.run import Run

pytestmark = pytest.mark.host
WORDS = ["what", "is", "a", "toe", "part", "of", "?", "one", "the", "digit", "foot", "##s"]


class Small(Spans):
    def split(self):
        text = "one of the digits of the foot"
        examples = [
            Reading("what is a toe part of ?", text, ("foot",), 25),
            Reading("what is a toe ?", text, ("digits",), 11),
        ] * 10
        return Split(examples[:16], examples[:2], examples[:2], "")


@pytest.fixture
def small(tmp_path, monkeypatch):
    write_tokenizer_json(WordPieceTokenizer([*BERT_SPECIAL_TOKENS, *WORDS]), tmp_path / TOKENIZER)
    config = BertConfig(len(WORDS) + 5, 8, 1, 2, 16, max_position_embeddings=32)

    def load(name):
        return Pretrained(Bert(config, rng=np.random.default_rng(0)).eval(), None, name)

    monkeypatch.setattr("minilm.training.loop.plot_losses", lambda run: None)
    monkeypatch.setattr(published, "load", load)
    monkeypatch.setattr(published, "get", lambda name: tmp_path)
    monkeypatch.setattr(published, "weights_sha256", lambda name=published.MINILM: "ab")
    monkeypatch.setattr("minilm.applications.question_answering.weights_sha256", lambda: "ab")
    return Small()


def trained(small, folder, steps, **options):
    run, data = small.begin(folder, {"steps": 12, "warmup": 2, "batch_size": 4, "checkpoint_every": 2, **options})
    if steps < 12:
        plain, count = type(run.task).batch, []

        def stopped(task, *arguments):
            count.append(1)
            if len(count) > steps:
                raise KeyboardInterrupt
            return plain(task, *arguments)

        type(run.task).batch = stopped
        try:
            with pytest.raises(KeyboardInterrupt):
                train(run, data, device="cpu", progress=False)
        finally:
            type(run.task).batch = plain
        run, data = small.resume(folder)
    train(run, data, device="cpu", progress=False)
    return run.load_weights().arrays


def test_a_resumed_run_is_equal_to_the_bit(small, tmp_path):
    whole = trained(small, tmp_path / "whole", 12)
    again = trained(small, tmp_path / "again", 7)
    assert whole.keys() == again.keys()
    assert all((whole[name] == again[name]).all() for name in whole)


def test_it_begins_with_the_published_weights_of_which_the_embeddings_rest(small, tmp_path):
    arrays = trained(small, tmp_path / "run", 12)
    start = {f"bert.{name}": p.numpy() for name, p in published.load("").model.state_dict().items()}
    assert not any("pooler" in name for name in arrays)
    for name, array in arrays.items():
        rests = name.startswith(("bert.words", "bert.segments", "bert.positions")) or name not in start
        near = name not in start or np.allclose(array, start[name], atol=0.05)
        assert near, name
        assert rests == (name not in start or (array == start[name]).all()), name


def test_other_weights_of_the_name_are_refused(small, tmp_path, monkeypatch):
    run, _ = small.begin(tmp_path / "run", {"steps": 2, "batch_size": 4})
    monkeypatch.setattr(published, "weights_sha256", lambda name: "cd")
    with pytest.raises(DataError, match="other weights of all-minilm-l6-v2"):
        Run(run.folder, type(run.task)).task.make_model()


def test_rows_are_filled_up():
    ids, mask = padded([[5, 6, 7], [8]])
    assert (ids.tolist(), mask.tolist()) == ([[5, 6, 7], [8, 0, 0]], [[True] * 3, [True, False, False]])


def test_batches_of_about_one_length_hold_each_example_alike():
    lengths = np.array([3, 9, 3, 4, 12, 5, 3, 8])
    rng, counts = np.random.default_rng(0), np.zeros(8)
    for _ in range(2000):
        some = neighbors(lengths, 3, rng)
        assert len(set(some.tolist())) == 3
        counts[some] += 1
    np.testing.assert_allclose(counts / counts.sum(), 1 / 8, atol=0.02)
    assert sorted(np.concatenate(list(by_length(lengths, 3))).tolist()) == list(range(8))
