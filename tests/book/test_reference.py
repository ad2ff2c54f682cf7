"""The site's reference: complete, and nothing in it that the records and docstrings do not say. None of it needs Sphinx but where said."""

import importlib
import inspect
import pkgutil
import re

import numpy as np
import pytest

import minilm
from chapters.tools.reference import TOP, api, calls, ops, plot, proofs, public, where
from minilm.ops import REGISTRY
from minilm.ops.op import Op

NAMES = sorted(REGISTRY)


def test_every_op_has_a_page_of_its_own_and_a_line_in_its_family():
    pytest.importorskip("sphinx", reason="its Napoleon reads the docstrings")
    listed = [op.name for family in ops.families().values() for op in family]
    assert sorted(listed) == NAMES
    assert len({ops.page_of(op) for op in REGISTRY.values()}) == len(NAMES)
    text = ops._family("activation", ops.families()["activation"])
    for op in ops.families()["activation"]:
        assert f":doc:`{op.name} </reference/ops/activation/{op.name}>`" in text
        assert f":math:`{op.formula}`" in text


@pytest.mark.book
def test_the_pages_say_what_the_records_say():
    pytest.importorskip("sphinx", reason="its Napoleon reads the docstrings")
    pages = ops.pages()
    assert set(TOP) <= {*pages, *api.pages()}
    for op in REGISTRY.values():
        page = pages[ops.page_of(op)]
        words = " ".join(page.split())
        assert f":: {op.formula}\n" in page
        assert f":: {op.derivative}\n" in page
        assert f"class {type(op).__name__}(" in page
        assert "<tests/ops/test_registry.py#" in page
        assert page.count("<details") == page.count("</details>") >= 1
        assert op.source in page
        assert all(f"``{name}``" in page for name in (*op.input_names, *op.params))
        if type(op).__doc__:
            assert " ".join(inspect.getdoc(type(op)).split("\n\n")[0].split()) in words


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        (r"kink at 0, where \bar x = 0", r"kink at :math:`0`, where :math:`\bar x = 0`"),
        (r"a > 0, or b a constant integer", ":math:`a > 0`, or :math:`b` a constant integer"),
        (r"t_i \in \{0, \dots, \text{rows} - 1\}", r":math:`t_i \in \{0, \dots, \text{rows} - 1\}`"),
        ("x (1 - x) at 10^{-12}; row-major", ":math:`x (1 - x)` at :math:`10^{-12}`; row-major"),
        ("(its limit is infinite)", "(its limit is infinite)"),
    ],
)
def test_words_and_formulas_of_a_domain_are_told_apart(domain, expected):
    assert ops.typeset(domain) == expected


@pytest.mark.parametrize("domain", sorted({op.domain for op in REGISTRY.values()}))
def test_no_letter_of_a_domain_is_lost(domain):
    assert re.sub(r":math:`([^`]*)`", r"\1", ops.typeset(domain)) == domain


def test_a_curve_is_the_op_and_its_slope():
    x, y, d = plot.curves(REGISTRY["tanh"], REGISTRY["tanh"].samples[0])
    np.testing.assert_allclose(y, np.tanh(x))
    np.testing.assert_allclose(d, 1 - np.tanh(x) ** 2)
    assert [op for op in ("softmax", "add", "reshape", "cast", "glu") if plot.picture(REGISTRY[op])] == []


def test_a_curve_is_cut_where_it_jumps_and_nowhere_else():
    def count(name, k):
        x, *lines = plot.curves(REGISTRY[name], REGISTRY[name].samples[0])
        return len(plot.pieces(x, lines[k]))

    assert [count(name, 0) for name in ("tanh", "relu", "exp", "floor", "sign", "log")] == [1, 1, 1, 8, 2, 1]
    assert count("relu", 1) == 2, "the slope of relu jumps"
    assert count("tan", 0) == 3


def test_a_picture_takes_the_colors_of_the_page_and_has_a_name():
    picture = plot.picture(REGISTRY["relu"])
    assert 'role="img" aria-label="relu from -4 to 4, and its derivative"' in picture
    assert "#" not in picture
    assert len(picture) < 3_000


def test_a_straight_line_is_two_points():
    assert plot._straightened([(k / 10, k / 5) for k in range(11)]) == [(0.0, 0.0), (1.0, 2.0)]


def test_arguments_are_those_of_the_record():
    found = {x.name: x for x in calls.inputs(REGISTRY["cross_entropy"])}
    assert list(found) == ["logits", "target", "weight", "ignore_index", "label_smoothing", "reduction"]
    assert (found["logits"].gradient, found["target"].gradient, found["weight"].default) == ("yes", "no", "``None``")
    assert "integers" in found["target"].what
    assert calls.signature(REGISTRY["softmax"]) == "x, axis=-1"
    assert calls.signature(REGISTRY["concat"]) == "*inputs, axis=0"


def test_shapes_are_those_that_come_out():
    assert calls.Checked("(2, 3), (2, 3)", "", "(2, 3)") in calls.checked(REGISTRY["add"])
    for given, _, out in calls.checked(REGISTRY["matmul"]):
        assert given
        assert out
    assert calls.misfit(REGISTRY["matmul"]).startswith("ValueError: matmul: ")
    assert calls.misfit(REGISTRY["tanh"]) == ""


def test_what_is_kept_and_where_it_is_called():
    assert calls.kept(REGISTRY["tanh"]) == "For the way back it keeps the output."
    assert calls.kept(REGISTRY["mul"]) == "For the way back it keeps ``a`` and ``b``."
    assert calls.kept(REGISTRY["sum"]) == "For the way back it keeps only shapes and dtypes."
    assert "x.softmax(axis=-1)" in calls.methods(REGISTRY["softmax"])
    assert "a @ b" in calls.methods(REGISTRY["matmul"])
    assert calls.kernels(REGISTRY["gelu"]) == ["gelu", "gelu_backward"]


def test_the_tests_of_an_op_are_found_in_their_sources(tmp_path, monkeypatch):
    (tmp_path / "test_a.py").write_text(
        "import minilm as ml\nfrom minilm.ops.activation import tanh as t\n\nCASES = {'relu-0': 1}\n\n"
        "def test_one():\n    ml.sigmoid(0)\n\ndef test_two():\n    return CASES, t\n\ndef test_none(x):\n    x.exp()\n"
    )
    monkeypatch.setattr(where, "ROOT", tmp_path)
    found = {test.name: (test.line, names & REGISTRY.keys()) for test, names in proofs._tests(tmp_path / "test_a.py")}
    assert found == {"test_one": (6, {"sigmoid"}), "test_two": (9, {"tanh", "relu"}), "test_none": (12, set())}


def test_the_bugs_that_are_planted_in_an_op_are_named_with_their_tests():
    found = proofs.planted(REGISTRY["relu"])
    assert ("relu's derivative 1 at 0", "tests/ops/test_activation.py") in [(bug.name, bug.file) for bug in found]
    assert all((where.ROOT / bug.file).read_text().split("\n")[bug.line - 1].startswith(("def ", "@")) for bug in found)


def test_every_public_name_is_there_once():
    entries = public.entries()
    full = [entry.full for entry in entries]
    assert len(full) == len(set(full))
    for package in public.PACKAGES:
        assert set(importlib.import_module(package).__dict__.get("__all__", ())) <= {
            entry.name for entry in entries if entry.package == package
        }
    homes = [entry.home for entry in entries if entry.here and entry.kind in ("class", "function")]
    assert len(homes) == len(set(homes))
    assert {entry.home for entry in entries if entry.kind in ("class", "function")} == set(homes)


def test_every_package_of_the_library_is_there():
    """Those below the first floor are files of one that is; what is listed in a file at the top is listed by minilm itself."""
    elsewhere = {"minilm.exercises", "minilm.book"}
    for info in pkgutil.iter_modules(minilm.__path__, "minilm."):
        if info.ispkg and info.name not in elsewhere and getattr(importlib.import_module(info.name), "__all__", ()):
            assert info.name in public.PACKAGES
    for name in ("minilm.checkpoint", "minilm.creation", "minilm.tensor"):
        module = importlib.import_module(name)
        assert {id(getattr(module, each)) for each in module.__all__} <= public.homes().keys()


def test_each_entry_stands_on_one_page():
    text = "\n".join(api.pages().values())
    entries = public.entries()
    directives = re.findall(r"^\.\. auto(?:function|class|exception):: ([\w.]+)::(\w+)$", text, re.MULTILINE)
    own = [(e.package, e.name) for e in entries if e.here and e.kind in ("class", "function")]
    assert sorted(directives) == sorted(own)
    links = set(re.findall(r":py:func:`(\w+) <([\w.]+)>`", text))
    assert {(e.name, e.home) for e in entries if e.kind == "op"} <= links


def test_every_public_function_and_class_says_what_it_is():
    silent = [
        e.full for e in public.entries() if e.kind in ("class", "function") and e.here and not inspect.getdoc(e.found)
    ]
    assert silent == []


def test_a_name_in_a_docstring_is_found_from_where_it_is_said():
    docutils = pytest.importorskip("docutils.nodes", reason="needs the extra book")
    sphinx = pytest.importorskip("chapters.tools.reference.sphinx")

    def named(text, module="minilm.nn.linear", owner=""):
        node = docutils.literal("", text)
        node["module"], node["class"] = module, owner
        return sphinx.named(node)

    assert named("Linear") is minilm.nn.Linear
    assert named("init.default_") is minilm.nn.init.default_
    assert named("minilm.ops.activation") is minilm.ops.activation
    assert isinstance(named("relu", "minilm.ops.rectifier"), Op)
    assert named("backward", "minilm", "Tensor") is vars(minilm.Tensor)["backward"]
    assert named("a + b") is None
    assert named("minilm.__main__") is None
