"""The runs of a scaling law: what is read, how often, and what counts as right."""

import math

import numpy as np
import pytest

import minilm as ml
from minilm.models import GPT
from minilm.nn import functional as F
from minilm.scaling import characters, in_a_row, measured, parameters, reading
from minilm.scaling.runs import CONTEXT, _batches, shape
from tests.tiny import TEXT

SMALL = characters(TEXT)


def test_parts_do_not_overlap_and_each_context_knows_what_follows():
    cut = int(len(TEXT) * 0.9)
    assert SMALL.train.shape == ((cut - 1) // 64, 65)
    assert (SMALL.train[1:, 0] == SMALL.train[:-1, -1]).all()
    assert SMALL.vocabulary == len(set(TEXT[:cut]))
    assert len(SMALL.validation) > 0 < len(SMALL.test)
    assert (characters(TEXT[:cut] + "☃" + TEXT[cut:])[0] == SMALL.train).all()
    with pytest.raises(ValueError, match="Give a longer text"):
        characters("abc" * 100)


def test_parameters_are_those_of_the_model():
    model = GPT(shape(8, 20))
    assert parameters(8, 20) == sum(p.size for p in model.parameters())


def test_each_character_is_read_once():
    rows = np.arange(40)
    read = list(_batches(rows, 8 * 256, 8 * 256, np.random.default_rng(0)))
    assert len(read) == 8
    assert len(set(np.concatenate(read).tolist())) == 32


def test_fresh_characters_are_read_in_every_pass_once():
    read = np.concatenate(list(_batches(np.arange(40), 8 * 256, 2 * 256, np.random.default_rng(0))))
    passes = read.reshape(4, 8)
    assert len(set(read.tolist())) == 8
    assert all(sorted(each) == sorted(passes[0]) for each in passes)
    assert not all((each == passes[0]).all() for each in passes)


@pytest.mark.parametrize(("tokens", "fresh"), [(128, 128), (1024, 128), (256 * 20, 256 * 20)])
def test_more_than_there_is_cannot_be_read(tokens, fresh):
    with pytest.raises(ValueError, match="expected at least 256, and at most the 2,560 that there are"):
        list(_batches(np.arange(40), tokens, fresh, np.random.default_rng(0)))


def test_right_in_a_row_by_hand():
    hits = np.array([[True, True, False, True], [True, True, True, True]])
    every = np.ones_like(hits)
    assert [in_a_row(hits, every, k) for k in (1, 2, 3, 4)] == [7 / 8, 4 / 6, 2 / 4, 1 / 2]
    counted = np.array([[True, True, True, True], [False, True, True, False]])
    assert [in_a_row(hits, counted, k) for k in (1, 2, 3)] == [5 / 6, 2 / 4, 0 / 2]
    assert math.isnan(in_a_row(hits, ~every, 1))


def test_measured_against_one_context_at_a_time():
    ml.manual_seed(0)
    model = GPT(shape(8, SMALL.vocabulary))
    rows = SMALL.test[:3]
    found = measured(model, rows, (1,))
    losses = [F.cross_entropy(model(row[None, :-1])[0], row[1:]).item() for row in rows]
    assert found["loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    right = [(model(row[None, :-1]).numpy()[0].argmax(-1) == row[1:])[row[1:] != row[:-1]] for row in rows]
    assert found["right 1"] == np.concatenate(right).mean()


def test_greedy_writing_writes_what_is_right_in_a_row():
    """The claim of the measure: k hits after a context are the first k characters that greedy writing writes there."""
    ml.manual_seed(1)
    model = GPT(shape(8, SMALL.vocabulary)).eval()
    row = SMALL.test[0]
    hits = model(row[None, :-1]).numpy()[0].argmax(-1) == row[1:]
    for place in range(CONTEXT - 4):
        written = list(row[: place + 1])
        for _ in range(4):
            written.append(int(model(np.array([written])).numpy()[0, -1].argmax()))
        assert (written[place + 1 :] == row[place + 1 : place + 5]).all() == hits[place : place + 4].all()


def test_a_run_learns_and_is_the_same_again():
    options = {"width": 8, "tokens": 1024, "rate": 0.02, "seed": 0}
    found = reading(SMALL, **options)
    assert reading(SMALL, **options) == found
    assert found["loss"] < math.log(SMALL.vocabulary) - 0.1
    assert (found["tokens"], found["parameters"]) == (1024, parameters(8, SMALL.vocabulary))
    assert reading(SMALL, **{**options, "seed": 1})["loss"] != found["loss"]
    assert reading(SMALL, **options, fresh=512)["loss"] != found["loss"]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_run_that_diverges_says_so():
    with pytest.raises(FloatingPointError, match="the loss became"):
        reading(SMALL, 8, 1024, rate=1e30, seed=0)
