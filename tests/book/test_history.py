"""The table of sizes: its order, its numbers as they are printed, and the claims that chapter 1 draws from it."""

import matplotlib
import pytest

matplotlib.use("Agg")

from minilm.book.history import HISTORY, MARKS, Model, brief, history_figure, history_lines, tokens_per_parameter

BY_NAME = {model.name: model for model in HISTORY}


@pytest.mark.parametrize(
    ("count", "shown"), [(11.9e6, "11.9 M"), (1e9, "1 B"), (1.542e9, "1.54 B"), (15.6e12, "15.6 T")]
)
def test_numbers_are_brief(count, shown):
    assert brief(count) == shown


def test_models_are_in_order_and_named_once():
    assert [m.year for m in HISTORY] == sorted(m.year for m in HISTORY)
    assert len(BY_NAME) == len(HISTORY)
    assert {m.kind for m in HISTORY} == set(MARKS)


def test_a_part_is_active_in_mixtures_of_experts_and_nowhere_else():
    assert all((m.active is not None) == (m.kind == "experts") for m in HISTORY)
    assert all(m.active < m.parameters for m in HISTORY if m.active is not None)


def test_tokens_per_parameter():
    assert tokens_per_parameter(Model(2000, "x", 2.0, 30.0, "network", "")) == 15
    assert tokens_per_parameter(Model(2000, "x", 2.0, None, "network", "")) is None


def test_claims_of_the_chapter():
    """GPT-3 and its like lie below 20; of the dense ones since 2023 all but Falcon, which is a little below, lie above."""
    each = {m.name: tokens_per_parameter(m) for m in HISTORY if m.tokens and m.kind == "Transformer"}
    below = {name for name, ratio in each.items() if ratio < 19.5}
    assert below == {"GPT-3", "Gopher", "MT-NLG", "PaLM", "BLOOM", "Falcon"}
    assert round(each["Falcon"], 1) == 19.4
    assert round(BY_NAME["GPT-3"].parameters / BY_NAME["GPT"].parameters, -2) == 1500


def test_a_line_for_each():
    lines = history_lines()
    assert len(lines) == len(HISTORY) + 1
    assert "1.54 B" in next(line for line in lines if " GPT-2 " in line)


def test_the_figure_names_no_model_that_is_not_there():
    import matplotlib.pyplot as plt

    figure = history_figure()
    names = {text.get_text() for ax in figure.axes for text in ax.texts} - {"20 tokens per parameter"}
    assert names <= set(BY_NAME)
    plt.close(figure)
