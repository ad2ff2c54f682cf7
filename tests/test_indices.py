"""Positions as NumPy wants them; and that nothing reaches its functions as int64, which a page's NumPy refuses."""

import ast
from pathlib import Path

import numpy as np
import pytest

from minilm import indices
from minilm.indices import TAKEN_BY, positions

ROOT = Path(__file__).resolve().parent.parent
ARRAYS = ("np", "xp", "numpy")


@pytest.fixture
def narrow(monkeypatch):
    """Positions of 32 bits, as in a web page."""
    monkeypatch.setattr(np, "intp", np.int32)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint32", "int64", "uint64"])
def test_integers_become_positions(dtype):
    found = positions(np.array([0, 3], dtype))
    assert found.dtype == np.intp
    assert found.tolist() == [0, 3]


def test_what_is_no_array_of_integers_stays():
    for x in ([1, 2], 3, np.array([1.5]), np.array([True]), None, object()):
        assert positions(x) is x
    array = np.arange(3)
    assert positions(array) is array
    assert positions(np.uint8(3)).dtype == np.intp


def test_no_number_wraps_around(narrow):
    assert positions(np.array([-(2**31), 2**31 - 1])).dtype == np.int32
    assert positions(np.zeros(0, np.int64)).dtype == np.int32
    for wrong in (2**31, -(2**31) - 1):
        with pytest.raises(IndexError, match=f"{wrong} is no position: it needs more than 32 bits"):
            positions(np.array([0, wrong]))


def test_numpy_is_left_alone_where_positions_have_64_bits():
    before = np.bincount
    indices.let_numpy_take_int64()
    assert np.bincount is before or not np.can_cast(np.int64, np.intp)


def test_numpy_takes_int64_where_they_have_32(narrow, monkeypatch):
    """Each function of NumPy is given positions: in its place, by its name, or (`np.bincount`) as a list."""
    given = []
    for name in TAKEN_BY:
        monkeypatch.setattr(np, name, _remembering(getattr(np, name), given))
    monkeypatch.setattr(indices, "_replaced", {})
    monkeypatch.setattr(np, "can_cast", lambda of, to: False)
    indices.let_numpy_take_int64()
    indices.let_numpy_take_int64()  # once is enough
    i, x = np.array([0, 2, 1]), np.arange(3.0)
    assert np.bincount(i, minlength=4).tolist() == [1, 1, 1, 0]
    assert np.take(x, i).tolist() == np.take(x, indices=i, axis=0).tolist() == [0.0, 2.0, 1.0]
    assert np.repeat(x, i).tolist() == np.repeat(x, repeats=i).tolist() == [1.0, 1.0, 2.0]
    assert np.choose(i, [x, x + 10, x + 20]).tolist() == [0.0, 21.0, 12.0]
    assert np.unravel_index(i, (2, 2))[0].tolist() == [0, 1, 0]
    np.put(x, i, [7.0, 8.0, 9.0])
    assert x.tolist() == [7.0, 9.0, 8.0]
    assert np.bincount([0, 2]).tolist() == [1, 0, 1]
    assert np.bincount.__name__ == "bincount"
    assert {a.dtype for a in given if isinstance(a, np.ndarray) and a.dtype.kind == "i"} == {np.dtype(np.int32)}


def _remembering(function, given):
    def called(*arguments, **options):
        given.extend((*arguments, *options.values()))
        return function(*arguments, **options)

    called.__name__ = function.__name__
    return called


# -- the sources: what is handed over passes through `positions` --------------------------------------------------------


def handed_over(tree):
    """The line, the function and the argument of each call in a module that wants positions."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        of, name = ast.unparse(node.func.value), node.func.attr
        if name == "reduceat":
            yield node.lineno, name, node.args[1]
        elif name in TAKEN_BY and of.rpartition(".")[2] in ARRAYS:
            place, keyword = TAKEN_BY[name]
            named = [k.value for k in node.keywords if k.arg == keyword]
            yield node.lineno, name, named[0] if named else node.args[place]


def is_safe(argument):
    """Positions, or Python's own integers: a literal, a list of them, a length."""
    made = ast.unparse(argument.func) if isinstance(argument, ast.Call) else None
    return made in ("positions", "len", "int") or isinstance(argument, ast.Constant | ast.List | ast.ListComp)


SAFE = {
    ("minilm/book/formula.py", "k"): "an integer of Python's",
    ("minilm/ops/embedding.py", "found"): "an integer of Python's",
    ("minilm/applications/sentiment_zh.py", "self.deep"): "an integer of Python's",
    ("minilm/interpret/reader.py", "n"): "an integer of Python's",
}


def test_whatever_wants_positions_is_given_them():
    """In an exercise a student's code is shown, which calls NumPy alone: a page makes that take int64."""
    wrong, used = [], set()
    for path in sorted((ROOT / "minilm").rglob("*.py")):
        file = path.relative_to(ROOT).as_posix()
        source = path.read_text(encoding="utf-8")
        if file.startswith("minilm/exercises/") or not any(f".{name}(" in source for name in (*TAKEN_BY, "reduceat")):
            continue
        for line, name, argument in handed_over(ast.parse(source)):
            known = (file, ast.unparse(argument))
            used.add(known)
            if not is_safe(argument) and known not in SAFE:
                wrong.append(
                    f"{file}:{line}: {name} is given {known[1]}; a page's NumPy refuses int64: positions({known[1]})"
                )
    assert wrong == []
    assert set(SAFE) <= used
