"""Steps as text."""

import builtins

import numpy as np
import pytest

import minilm as ml
from minilm.trace import text
from minilm.trace.expression import results
from tests.browser import examples
from tests.trace.test_recorder import two_two_two

pytestmark = pytest.mark.usefixtures("float64")


def test_one_row_a_step_with_the_books_digits(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    steps, _ = two_two_two()
    lines = str(steps).splitlines()
    assert len(lines) == 1 + len(steps)
    assert lines[2].split() == ["1", "forward", "z1", "=", "(W1", "@", "x)", "+", "b1", "[0.6,", "1.3]"]
    assert lines[-1].endswith("∂L/∂W1 = [[0.05468, 0.1094], [-0.0469, -0.0938]]")


def test_a_forward_step():
    steps, _ = two_two_two()
    assert str(steps[1]).splitlines() == [
        "step 1   forward   z1 = (W1 @ x) + b1",
        "  line              z1 = W1 @ x + b1",
        "  formula           y = a + b",
        "  W1 @ x            [0.5, 1.1]",
        "  b1                [0.1, 0.2]",
        "  = z1              [0.6, 1.3]",
    ]


def test_a_backward_step_shows_what_arrives_the_local_derivative_the_product_and_the_sum_so_far():
    x = ml.tensor([2.0, 3.0], requires_grad=True)
    with ml.trace() as steps:
        y = x * x
        loss = (y + x).sum()
        loss.backward()
    shown = str(steps[-1])
    assert "arrives           ∂L/∂y = [1, 1]" in shown
    assert "local derivative  ∂y/∂x = [2, 3] (at each place)" in shown
    assert "their product     [2, 3]" in shown
    assert "so far            ∂L/∂x = [5, 7]" in shown


def test_the_step_where_backward_begins():
    steps, _ = two_two_two()
    assert str(steps[7]).splitlines() == ["step 7   backward begins", "  ∂L/∂loss = 1"]


@pytest.mark.parametrize(
    ("array", "shown"),
    [
        (np.array(0.123456), "0.1235"),
        (np.array([1.0, np.nan]), "[1, nan]"),
        (np.array([True, False]), "[True, False]"),
        (np.zeros((0, 3)), "[]"),
        (np.arange(20), "int64 (20,) 0 to 19, mean 9.5"),
        (np.full(20, np.inf), "float64 (20,) all 20 not finite"),
        (np.r_[np.zeros(19), np.nan], "float64 (20,) 0 to 0, mean 0, 1 not finite"),
        (np.linspace(-0.3, 0.3, 20), "float64 (20,) -0.3 to 0.3, mean 0"),
        (np.ones(20, bool), "bool (20,) 20 of 20 true"),
    ],
)
def test_arrays(array, shown):
    assert text.show(array) == shown


def test_where_numbers_do_not_fit_their_range_stands():
    steps, _ = two_two_two()
    assert str(steps).splitlines()[-1].endswith("∂L/∂W1 = 2x2: -0.0938 to 0.1094")


EXAMPLES = {name: make() for name, make in examples.OWN.items()}


@pytest.mark.parametrize("columns", [60, 80, 100, 132, 200])
@pytest.mark.parametrize("name", EXAMPLES)
def test_no_row_is_wider_than_the_terminal(monkeypatch, name, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    steps = EXAMPLES[name]
    for shown in (str(steps), *map(steps.table, (None, 0, 1, 2, 3))):
        rows = shown.splitlines()
        assert max(map(len, rows)) <= columns
    assert "result" in rows[0]
    assert all(len(row) > columns // 2 - 10 for row in steps.table().splitlines()[1:3])  # and the room is used


@pytest.mark.parametrize("name", EXAMPLES)
def test_steps_are_broken_where_the_terminal_ends(monkeypatch, name):
    monkeypatch.setenv("COLUMNS", "80")
    for step in EXAMPLES[name]:
        for line in str(step).splitlines():
            assert len(line) <= 80 or " " not in line[30:80], line


def test_without_a_terminal_there_are_80_columns(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert max(map(len, str(EXAMPLES["gpt"]).splitlines())) <= 80


def test_a_walk_shows_no_latex():
    shown = "".join(str(step) for steps in EXAMPLES.values() for step in steps)
    assert not set("\\{}") & set(shown)
    assert "P = softmax(s Q Kᵀ + M)" in shown


def gpt_steps(n_layer):
    model = ml.models.GPT(ml.models.GPTConfig(vocab_size=7, block_size=4, n_layer=n_layer, n_head=2, n_embd=8))
    with ml.trace() as steps:
        logits = model(ml.tensor([[1, 2, 3]]))
        ml.nn.functional.cross_entropy(logits.reshape(3, 7), ml.tensor([2, 3, 4])).backward()
    return steps


def test_modules_fold_until_the_listing_fits():
    steps = gpt_steps(4)
    lines = str(steps).splitlines()
    assert len(lines) <= text.ROWS + 2
    assert "Modules are folded" in lines[-1]
    assert any("blocks.3.attn" in line or "model.blocks.3" in line for line in lines)


def test_a_table_opens_as_deep_as_it_is_told():
    steps = gpt_steps(2)
    rows = [len(steps.table(depth).splitlines()) for depth in (0, 1, 2, 3, None)]
    assert rows == sorted(rows)
    assert rows[-1] == 1 + len(steps)
    folded = steps.table(0).splitlines()
    assert sum("model" in row for row in folded) == 0 or "steps]" in folded[1]


def test_the_expression_leaves_out_defaults():
    x = ml.tensor([[1.0, 2.0]])
    with ml.trace() as steps:
        x.softmax(axis=0)
        ml.ops.REGISTRY["neg"](x)
        x.T + 0.5
    shown = [results(step.call) for step in steps]
    assert shown == ["softmax = softmax(x, axis=0)", "-x", "xᵀ = transpose(x, axes=(1, 0))", "xᵀ + 0.5"]


class TestWalk:
    def walk(self, monkeypatch, capsys, *answers):
        answers = iter(answers)
        steps, _ = two_two_two()
        monkeypatch.setattr(builtins, "input", lambda _: next(answers))
        steps.walk()
        return [line for line in capsys.readouterr().out.splitlines() if not line.startswith("  ")]

    def test_to_and_fro_and_from_any_step(self, monkeypatch, capsys):
        shown = self.walk(monkeypatch, capsys, "", "", "b", "12", "q")
        assert [line.split()[1] for line in shown] == ["0", "1", "2", "1", "12"]

    def test_it_stays_within_the_trace(self, monkeypatch, capsys):
        shown = self.walk(monkeypatch, capsys, "b", "14", "", "q")
        assert [line.split()[1] for line in shown] == ["0", "0", "14", "14"]

    def test_an_answer_that_is_not_a_step(self, monkeypatch, capsys):
        shown = self.walk(monkeypatch, capsys, "99", "x", "q")
        assert sum("is not a step: expected Enter, b, q, or a number from 0 to 14" in line for line in shown) == 2

    def test_no_terminal(self, monkeypatch, capsys):
        def closed(_):
            raise EOFError

        steps, _ = two_two_two()
        monkeypatch.setattr(builtins, "input", closed)
        steps.walk()
        assert "step 0" in capsys.readouterr().out
