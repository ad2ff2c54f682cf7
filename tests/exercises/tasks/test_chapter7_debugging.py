"""Model solutions of 7.4 to 7.8 against the engine, and their known wrong answers: each is named first."""

import numpy as np
import pytest

import minilm as ml
from minilm import nn, optim
from minilm.exercises import tasks
from minilm.exercises.causes.wrong_answers import name_of
from minilm.exercises.code import define, solution_of
from minilm.exercises.grade import judge
from minilm.exercises.perform import perform
from minilm.exercises.task import with_bug
from minilm.nn import functional as F
from minilm.training.flow import Flow

MINE = [tasks.find(f"7.{n}") for n in (4, 5, 6, 7, 8)]
KNOWN = [pytest.param(t, w, id=f"{t.id}-{i}") for t in MINE if t.tests for i, w in enumerate(t.wrong)]
rng = np.random.default_rng(7)


def solution(id):
    return solution_of(tasks.find(id))


def test_the_loop_is_gradient_descent_of_the_engine():
    X, y = rng.standard_normal((10, 3)), rng.integers(0, 4, 10)
    W = solution("7.4")(X, y, 4, 0.3, 2, 4, seed=5)
    model = nn.Linear(3, 4, bias=False).to("float64")
    with ml.no_grad():
        model.weight.copy_(np.zeros((4, 3)))
    optimizer, draws = optim.SGD(model.parameters(), lr=0.3), np.random.default_rng(5)
    for _ in range(2):
        order = draws.permutation(10)
        for i in range(0, 10, 4):
            optimizer.zero_grad()
            F.cross_entropy(model(ml.tensor(X[order[i : i + 4]])), y[order[i : i + 4]]).backward()
            optimizer.step()
    np.testing.assert_allclose(W, model.weight.numpy().T, rtol=1e-9)


def test_the_needles_are_those_of_the_dashboard():
    ml.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
    x = rng.standard_normal((4, 3)).astype(np.float32)
    model(x).sum().backward()
    before = [p.numpy().copy() for p in model[0].parameters()]
    hidden = model[1](model[0](x)).numpy()
    with Flow(model, every=1).update(1, x) as rows:
        optim.SGD(model.parameters(), lr=0.1).step()
    found = solution("7.6")(before, [p.numpy() for p in model[0].parameters()], hidden)
    assert found == pytest.approx((rows[0].update_ratio, rows[0].dead), rel=1e-5)


def test_softmax_in_blocks_is_softmax():
    row = 50 * rng.standard_normal(40)
    for cuts in ([], [1], [7, 8, 31]):
        blocks = np.split(row, cuts)
        parts = solution("7.7")(blocks)
        assert [len(part) for part in parts] == [len(block) for block in blocks]
        np.testing.assert_allclose(np.concatenate(parts), ml.softmax(ml.tensor(row)).numpy(), rtol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_ones_that_vanish(seed):
    task = tasks.find("7.8")
    given = task.values(seed)
    n, large = given["n"], given["large"]
    ones = np.ones(n, np.float32)
    first, last, two = solution_of(task, seed)
    assert first == np.cumsum(np.concatenate([[np.float32(large)], ones]), dtype=np.float32)[-1]
    assert last == np.cumsum(np.concatenate([ones, [np.float32(large)]]), dtype=np.float32)[-1]
    halves = np.concatenate([[np.float32(large)], ones[: n // 2]]), ones[n // 2 :]
    assert two == np.float32(np.cumsum(halves[0], dtype=np.float32)[-1] + np.cumsum(halves[1], dtype=np.float32)[-1])


@pytest.mark.slow
@pytest.mark.parametrize(("task", "wrong"), KNOWN)
def test_each_known_wrong_answer_is_named_first(task, wrong):
    text = with_bug(task.solution, wrong)
    result = judge(task, perform(task, define(task, text, "<answer>")), text=text)
    assert result.cause.source == "wrong answer"
    assert result.cause.name == (wrong.bug or name_of(task, wrong))


@pytest.mark.parametrize("task", MINE, ids=lambda task: task.id)
def test_known_wrong_answers_have_names_of_their_own(task):
    names = [name_of(task, wrong) for wrong in task.wrong]
    assert len(names) >= 4
    assert len(set(names)) == len(names)
