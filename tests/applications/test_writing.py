"""What writing applications share: texts to ids and back, batches of like length in which every pair is as likely, the loss, the search."""

import re

import numpy as np
import pytest

import minilm as ml
from minilm.applications.trained import Examples
from minilm.applications.writing import (
    END,
    SPECIAL,
    Codec,
    Ids,
    Pair,
    WritingTask,
    ids_of,
    in_order,
    judge,
    read_pairs,
    search,
    write,
)
from minilm.data import DataError
from minilm.models.beam import Hypothesis
from minilm.text import BPETokenizer

UNIT = re.compile(r"\{\w*\}")
TEXTS = ["open {file}", "close {file} of {user}", "open the door", "打开文件 {file}"]
SHAPE = {"d_model": 32, "num_heads": 2, "d_ff": 32, "num_layers": 1, "dropout": 0.0, "label_smoothing": 0.0}


def codec(unit=UNIT):
    return Codec(BPETokenizer.train(TEXTS, vocab_size=300, special_tokens=SPECIAL), unit)


def task(vocab_size, **options):
    return WritingTask("", vocab_size, **{**SHAPE, "longest_source": 20, "longest_target": 20, **options})


def data(ids):
    return Examples(None, None, ids, ids)


class TestCodec:
    @pytest.mark.parametrize("text", [*TEXTS, "", " ", "{file}{file}", "{other} 🙂 café", "x" * 3000])
    def test_what_was_read_is_written(self, text):
        own = codec()
        ids, units = own.source(text)
        assert own.text(ids, units) == text

    def test_a_unit_is_one_id_beyond_the_vocabulary_the_same_in_both_texts(self):
        own = codec()
        size = own.tokenizer.vocab_size
        ids, units = own.source("close {user} and {file} and {user}")
        assert units == ["{user}", "{file}"]
        assert [id - size for id in ids if id >= size] == [0, 1, 0]
        target = own.target("{file} {user}", units)
        assert target[0] == size + 1
        assert target[-2:] == [size, own.tokenizer.special_tokens[END]]

    def test_a_unit_that_the_source_lacks_is_spelled(self):
        own = codec()
        target = own.target("{new}", ["{file}"])
        assert max(target) < own.tokenizer.vocab_size
        assert own.text(target, []) == "{new}"

    def test_without_units_everything_is_spelled(self):
        ids, units = codec(None).source("open {file}")
        assert units == []
        assert max(ids) < codec().tokenizer.vocab_size

    def test_half_a_character_is_no_error(self):
        assert codec().text([0xE6], []) == "�"


class TestIds:
    def test_long_texts_are_cut_and_a_unit_behind_the_cut_is_unknown(self):
        own = codec()
        short = task(own.tokenizer.vocab_size, longest_source=3, longest_target=2)
        ids = ids_of(short, [Pair("open the door {file}", "{file} {file} {file}")], [own])
        unknown = own.tokenizer.special_tokens["<unk>"]
        assert len(ids.sources[0]) == 3
        assert ids.targets[0][0] == unknown
        assert len(ids.targets[0]) == 2
        assert ids.lengths.tolist() == [5]

    def test_a_unit_before_the_cut_can_be_copied(self):
        own = codec()
        ids = ids_of(task(own.tokenizer.vocab_size), [Pair("{file} open", "{file}")], [own])
        assert ids.targets[0][0] == own.tokenizer.vocab_size


class TestUnits:
    @pytest.mark.parametrize(
        ("text", "lost"), [("{a} and {b}", 0), ("{b}", 1), ("{a}{a}{b}", 1), ("{c}{b}", 2), ("", 2)]
    )
    def test_what_an_answer_lacks_or_has_too_much(self, text, lost):
        assert codec().lost("{a} {b}", text) == lost
        assert codec(None).lost("{a} {b}", text) == 0


class TestBatches:
    def made(self, n=400, seed=0):
        rng = np.random.default_rng(seed)
        return Ids(
            [[3] * length for length in rng.integers(1, 40, n)], [[4] * length for length in rng.integers(1, 40, n)]
        )

    def test_every_pair_is_as_likely(self):
        ids = self.made(60)
        for row, source in enumerate(ids.sources):
            source[0] = 100 + row  # a mark to know it by
        own, times = task(300), np.zeros(60)
        for step in range(1500):
            source, _ = own.batch(data(ids), 8, np.random.default_rng([0, step]))
            times[source[:, 0] - 100] += 1
        expected = times.mean()
        assert abs(expected - 1500 * 8 / 60) < 0.1 * expected
        assert (abs(times - expected) < 0.4 * expected).all()  # 200 draws each: more than 5 deviations

    def test_all_batches_cost_alike_and_have_little_padding(self):
        ids, own = self.made(), task(300)
        sizes, filled = [], []
        for step in range(50):
            source, targets = own.batch(data(ids), 16, np.random.default_rng(step))
            sizes.append((source != own.pad).sum() + (targets != own.pad).sum())
            filled.append(sizes[-1] / (source.size + targets.size))
        mean = 16 * ids.lengths.mean()
        assert max(sizes) < mean + 80
        assert np.median(sizes) > mean - 80
        assert np.mean(filled) > 0.6

    def test_the_same_generator_gives_the_same_batch(self):
        ids, own = self.made(), task(300)
        first, second = (own.batch(data(ids), 16, np.random.default_rng(3)) for _ in range(2))
        assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))

    def test_one_pair_alone(self):
        source, targets = task(300).batch(data(Ids([[5, 6]], [[7]])), 4, np.random.default_rng(0))
        assert source.tolist() == [[5, 6]]
        assert targets.tolist() == [[7]]

    @pytest.mark.parametrize(("n", "most"), [(1, None), (130, None), (130, 1), (130, 70), (5, 50)])
    def test_in_order_each_comes_once(self, n, most):
        lengths = np.random.default_rng(0).integers(0, 9, n)
        found = np.concatenate(list(in_order(lengths, most)))
        assert len(found) == len({*found.tolist()}) == min(n, most or n)
        assert (np.diff(lengths[found]) >= 0).all()


@pytest.fixture(scope="module")
def trained():
    """A model that has learned by heart what three texts become."""
    own = codec()
    pairs = [Pair("open {file}", "打开 {file}"), Pair("close {user}", "of {user}"), Pair("the key", "key")]
    small = task(own.tokenizer.vocab_size)
    ids = ids_of(small, pairs, [own] * 3)
    ml.manual_seed(0)
    model = small.make_model()
    optimizer = ml.optim.AdamW(model.parameters(), lr=0.01)
    for step in range(100):
        optimizer.zero_grad()
        loss = model.learn(*small.batch(data(ids), 3, np.random.default_rng(step)))
        loss.backward()
        ml.optim.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return own, small, ids, model


class TestWriting:
    def test_it_learns_writes_and_copies_what_it_has_never_seen(self, trained):
        own, small, ids, model = trained
        assert small.evaluate(model, data(ids), None) < 0.1
        texts = ["the key", "open {file}", "close {user}", "open {anything}"]
        for width in (1, 3):
            found = write(model, small, own, texts, 20, width, 1.0)
            assert found == ["key", "打开 {file}", "of {user}", "打开 {anything}"]
        assert write(model, small, own, [], 20, 3, 1.0) == []
        assert len(write(model, small, own, ["", "z" * 999], 20, 2, 1.0)) == 2  # no word, and one that is cut

    def test_an_answer_depends_on_its_question_alone(self, trained):
        own, small, _, model = trained
        texts = ["open {file}", "close the door of {user}", "door"]
        together = write(model, small, own, texts, 20, 2, 1.0)
        assert together == [write(model, small, own, [text], 20, 2, 1.0)[0] for text in texts]

    def test_how_long_an_answer_may_become_depends_on_its_question_alone(self):
        class Endless:
            def search(self, sources, most, **options):
                return [[Hypothesis([65] * most, 0.0, 0.0, False)] for _ in sources]

        own = codec(None)
        texts = ["z" * n for n in (0, 1, 15, 40)]
        lengths = [len(text) for text in write(Endless(), task(300, longest_source=99), own, texts, 70, 2, 1.0)]
        assert lengths == [26, 26, 42, 70]

    def test_a_search_finds_several_and_the_first_is_what_is_written(self, trained):
        own, small, _, model = trained
        found = search(model, small, own, ["the key", "open {file}"], 20, 3, 1.0)
        assert [each[0] for each in found] == ["key", "打开 {file}"]
        assert [len({*each}) for each in found] == [3, 3]

    def test_a_judge_says_how_probable_each_text_is(self, trained):
        own, small, _, model = trained
        texts = ["the key", "open {file}", "z" * 999]
        targets = [[own.target(text, own.units(of)) for text in ("key", "打开 {file}", "door")] for of in texts]
        found = judge(model, small, own, texts, targets)
        assert [int(np.argmax(each)) for each in found[:2]] == [0, 1]
        alone = [judge(model, small, own, [text], [some])[0] for text, some in zip(texts, targets, strict=True)]
        assert found == [pytest.approx(each, rel=1e-4) for each in alone]
        source, units = own.source("the key")
        wanted = np.array([own.target("key", units)])
        assert found[0][0] == pytest.approx(-model.loss(np.array([source]), wanted).item() * wanted.size, rel=1e-4)

    def test_a_unit_behind_the_cut_is_judged_as_unknown(self, trained):
        own, small, _, model = trained
        text = "z" * 99 + " {file}"
        (found,) = judge(model, small, own, [text], [[own.target("{file}", own.units(text))]])
        assert np.isfinite(found).all()

    def test_smoothing_is_for_learning_alone(self):
        own = codec()
        smooth = task(own.tokenizer.vocab_size, label_smoothing=0.2)
        ml.manual_seed(0)
        model = smooth.make_model().eval()
        arrays = np.array([[5, 6]]), np.array([[7, 8]])
        plain = model.loss(*arrays).item()
        assert model.learn(*arrays).item() != pytest.approx(plain)
        assert smooth.evaluate(model, data(Ids([[5, 6]], [[7, 8]])), None) == pytest.approx(plain)


class TestReadPairs:
    def test_lines_with_a_tab(self, tmp_path):
        (tmp_path / "pairs").write_bytes("open\t打开\r\n\na\\nb\tc\n".encode())
        assert read_pairs(tmp_path / "pairs", "two") == [Pair("open", "打开"), Pair("a\nb", "c")]

    @pytest.mark.parametrize(("text", "line"), [("a\tb\nc\n", 2), ("a\tb\tc", 1), ("\tb", 1)])
    def test_what_is_wrong_is_named(self, tmp_path, text, line):
        (tmp_path / "pairs").write_text(text)
        with pytest.raises(DataError, match=f"pairs, line {line}: expected English, a tab"):
            read_pairs(tmp_path / "pairs", "English, a tab, Chinese")

    def test_bytes_that_are_no_text(self, tmp_path):
        (tmp_path / "pairs").write_bytes(b"a\t\xff\n")
        with pytest.raises(DataError, match="UTF-8"):
            read_pairs(tmp_path / "pairs", "two")
