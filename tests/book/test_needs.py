"""Which cells a cell needs: examples that state each rule, and the rules of `limits`."""

import json
import re
from types import SimpleNamespace

import pytest

from chapters.tools.live import cells, limits
from chapters.tools.live.needs import Facts, names, needs

NOTEBOOKS = cells.RECORD.parents[2] / "notebooks" / "en"

NOTHING = Facts(draws=False, sets=False)


def of(*sources, **facts):
    """What the last cell needs; `c2=Facts(...)` says what a run showed of cell 2."""
    shown = [facts.get(f"c{k}", NOTHING) for k in range(len(sources))]
    return needs(sources, shown)[-1]


def test_a_cell_needs_those_that_bind_what_it_reads():
    assert of("a = 1", "b = 2", "c = a + 1", "print(c)") == [0, 2]


def test_what_is_bound_anew_is_not_needed():
    assert of("a = [f(1)]", "a = [g(2)]", "print(a)") == [1]


@pytest.mark.parametrize(
    "between", ["if a:\n    a = 2", "for a in b:\n    pass", "try:\n    a = 1\nexcept E:\n    pass", "a += 1"]
)
def test_what_may_not_be_bound_anew_is_needed(between):
    assert of("a = 1", between, "print(a)") == [0, 1]


def test_a_cell_that_reads_an_object_may_have_changed_it():
    assert of("model = Model()", "train(model)", "other = 3", "print(loss(model))") == [0, 1]


def test_objects_that_shared_a_cell_may_hold_one_another():
    assert of("model = Model()", "optimizer = Adam(model.parameters())", "optimizer.step()", "print(model)") == [
        0,
        1,
        2,
    ]


def test_an_object_under_a_name_that_is_bound_anew_is_another():
    assert of("x = make(1)", "train(x)", "x = make(2)", "print(x)") == [2]


def test_what_is_steady_is_not_changed_by_those_that_read_it():
    assert of("words = ['a', 'b']\nimport numpy as np", "print(np.sum(words))", "print(words)") == [0]


@pytest.mark.parametrize(
    "change", ["words.append(1)", "words[0] = 2", "words += [1]", "words[0].name = 3", "del words[0]"]
)
def test_a_literal_that_a_cell_changes_is_not_steady(change):
    assert of("words = ['a', 'b']", change, "print(words)") == [0, 1]


def test_a_function_of_a_module_that_is_called_like_a_change_is_none():
    assert of("import numpy as np", "b = np.append(1, 2)", "print(np.ones(3))") == [0]
    assert of("import minilm as ml\nF = ml.nn.functional", "print(F.relu(f(1)))", "print(F.relu(2))") == [0]


def test_a_function_reads_its_names_when_it_is_called():
    sources = ["def f():\n    return rate", "rate = get(1)", "rate = get(2)", "print(f())"]
    assert of(*sources) == [0, 2]
    assert of("f = lambda: g()", "def g():\n    return h", "h = 1", "x = f()") == [0, 1, 2]


def test_an_object_reads_the_names_of_its_class():
    sources = [
        "class Net:\n    def forward(self):\n        return scale",
        "scale = get(1)",
        "net = Net()",
        "scale = get(2)",
        "net.forward()",
    ]
    assert 3 in of(*sources)


def test_names_of_a_function_and_of_a_comprehension_are_its_own():
    found = names("def f(x):\n    y = x + a\n    return [z * y for z in x if z > b]")
    assert (found.binds, found.later) == ({"f"}, {"a", "b"})
    assert names("c = [w for w in words]").reads == {"words"}


def test_a_name_that_is_read_before_it_is_bound_is_needed():
    assert names("print(a)\na = 1").reads >= {"a"}
    assert names("a = 1\nprint(a)").reads == {"print"}
    assert names("a = a + 1").reads == {"a"}
    assert "a" in names("for k in range(3):\n    print(a)\n    a = k").reads
    assert "total" in names("def f():\n    global total\n    total = 1").binds


def test_random_numbers_go_on_from_the_cell_that_drew_last():
    draws = Facts(draws=True, sets=False)
    sources = ["ml.manual_seed(0)", "a = ml.randn(2)", "b = 1", "c = ml.randn(2)"]
    assert of(*sources, c0=draws, c1=draws, c3=draws) == [0, 1]
    sources[1] = "ml.manual_seed(1)\na = ml.randn(2)"
    assert of(*sources, c0=draws, c1=draws, c3=draws) == [1]
    assert of(*sources[:3], "ml.manual_seed(2)\nc = ml.randn(2)", c0=draws, c1=draws, c3=draws) == []


def test_a_seed_that_is_set_after_something_was_drawn_does_not_begin_anew():
    assert names("ml.manual_seed(0)\nx = f()").seeds
    assert names("import minilm as ml\nml.manual_seed(0)").seeds
    assert not names("x = ml.randn(2)\nml.manual_seed(0)").seeds
    assert not names("ml.manual_seed(int(ml.rand(1)))").seeds


def test_a_setting_is_needed_by_all_below():
    assert of("book.use_style()", "a = 1", "print(1)", c0=Facts(draws=False, sets=True)) == [0]


@pytest.mark.parametrize("source", ["exec('a = 1')", "from m import *", "globals()['a'] = 1", "%time f()", "a = "])
def test_where_names_are_hidden_all_above_is_needed_and_all_below_needs_it(source):
    assert of("a = 1", "b = 1", source) == [0, 1]
    assert 1 in of("a = 1", source, "print(2)")


def test_a_cell_that_was_not_seen_to_run_needs_all_above():
    assert needs(["a = 1", "b = 2", "print(3)"], [NOTHING, NOTHING, None])[-1] == [0, 1]


def test_needs_hold_all_that_those_need():
    sources = ["a = 1", "b = a + f()", "c = g(b)", "d = 4", "print(c)"]
    found = needs(sources, [NOTHING] * 5)
    assert found == [[], [0], [0, 1], [], [0, 1, 2]]
    assert all(set(found[j]) <= set(above) for above in found for j in above)


def code_of(*stems):
    """The code cells of notebooks, or of all, as nbformat gives them."""
    found = []
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        if not stems or path.stem in stems:
            for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
                if cell["cell_type"] == "code":
                    found.append(
                        SimpleNamespace(id=cell["id"], source="".join(cell["source"]), metadata=cell["metadata"])
                    )
    return found


def test_a_cell_of_the_book_needs_far_less_than_all_above():
    code = code_of("04-mathematics")
    counts = [len(above) for above in cells.needs_of(code, cells.record())]
    assert sum(counts) < 0.3 * sum(range(len(code)))
    assert all(0 in above for above, cell in zip(cells.needs_of(code, {})[1:], code[1:], strict=True)), (
        "nothing is known"
    )


def test_shorter_versions_are_of_text_that_is_in_the_cells():
    code = {cell.id: cell.source for cell in code_of()}
    for id, changes in limits.BUDGET.items():
        for old, new in changes:
            assert code[id].count(old) == 1, (id, old)
            compile(code[id].replace(old, new), id, "exec")
    assert set(limits.CANNOT) <= set(code)
    assert all(reason.endswith(".") for reason in (*limits.CANNOT.values(), *limits.TAGS.values()))


def test_the_page_is_given_what_it_says_of_a_cell():
    code = code_of("05-project")
    listed = cells.listed(
        SimpleNamespace(cells=[SimpleNamespace(cell_type="code", **vars(cell)) for cell in code]), {}, {}
    )
    [torch] = [entry for entry in listed if "torch" in entry.get("cannot", "").lower()]
    assert torch["source"] == next(cell.source for cell in code if cell.id == torch["id"])
    assert json.loads(json.dumps(listed)) == listed


def test_a_cell_whose_data_do_not_come_along_says_so():
    said = limits.cannot("x", source="rows = movie_sentences()")
    assert re.match(
        r"This cell needs the data set movie-sentences of [\d.]+ k?M?B, which does not come with the page\.", said
    )
    assert limits.cannot("x", source="from minilm.data import movie_sentences") == ""
    assert limits.cannot("x", source="images, labels = ml.data.digits()") == ""
    assert limits.cannot("x", source="    from sklearn.linear_model import Ridge").startswith(
        "This cell needs the library scikit-learn,"
    )
    assert set(limits.LOADERS) <= set(limits.loads())
