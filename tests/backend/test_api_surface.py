"""Every ``xp.name(...)`` in minilm exists in CuPy, with these keywords: read from the source, so it needs no GPU and no CuPy."""

import ast
import re
from pathlib import Path

import pytest

import minilm
from tests.backend.cupy_api import parse, table

PACKAGE = Path(minilm.__file__).parent
# Further arguments that CuPy's ufuncs take, and their methods
UFUNC = "*args, out=, dtype=, casting="
METHODS = {"at": "a, indices, b", "reduce": "a, axis=, dtype=, out=, keepdims=", "accumulate": "a, axis=, dtype=, out=",
           "reduceat": "a, indices, axis=, dtype=, out=", "outer": "a, b"}  # fmt: skip
OFFERED = {"reduce": ("add", "multiply"), "accumulate": ("add", "multiply"), "reduceat": ("add",),
           "at": ("add", "subtract", "maximum", "minimum", "bitwise_and", "bitwise_or", "bitwise_xor")}  # fmt: skip
CUPY_ALONE = {"RawModule": "code=, *, path=, options=, backend=, translate_cucomplex=, enable_cooperative_groups=, "
                           "name_expressions=, jitify="}  # fmt: skip
"""What NumPy has not, so that the table leaves it out."""


def dotted(node):
    """``dev.xp.linalg.norm`` as "linalg.norm"; None for what does not begin at an array module called xp."""
    names = []
    while isinstance(node, ast.Attribute):
        if node.attr == "xp":
            return ".".join(names[::-1]) or None
        names.append(node.attr)
        node = node.value
    return ".".join(names[::-1]) or None if isinstance(node, ast.Name) and node.id == "xp" else None


def uses(source):
    """(line, dotted name, call or None) of each use of the array module."""
    if re.search(r"\bxp\b", source) is None:
        return
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute | ast.Call)]
    inner = {id(n.value) for n in nodes if isinstance(n, ast.Attribute)}
    calls = {id(n.func): n for n in nodes if isinstance(n, ast.Call)}
    for node in nodes:
        if isinstance(node, ast.Attribute) and id(node) not in inner and dotted(node):
            yield node.lineno, dotted(node), calls.get(id(node))


def parameters(name):
    """What CuPy's `name` takes; None for a dtype or a constant. Raises KeyError where there is no such name."""
    api = table()
    ufunc, _, method = name.rpartition(".")
    if ufunc in api["ufuncs"] and method in METHODS:
        if ufunc not in OFFERED.get(method, (ufunc,)):
            raise KeyError(name)
        return METHODS[method]
    if name in api["ufuncs"]:
        return UFUNC
    return None if name in api["values"] or name == "ndarray" else {**api["functions"], **CUPY_ALONE}[name]


def problem(name, call):
    """What CuPy would say to a use, or None."""
    try:
        text = parameters(name)
    except KeyError:
        return f"CuPy {table()['cupy']} has no {name}"
    if call is None or text is None or any(isinstance(a, ast.Starred) for a in call.args):
        return None
    keywords = {k.arg: None for k in call.keywords if k.arg}
    try:
        parse(text).bind(*call.args, **keywords) if all(k.arg for k in call.keywords) else None
    except TypeError as error:
        return f"CuPy's {name}({text}): {error}"
    return None


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_cupy_has_what_minilm_calls(path):
    found = [(line, problem(name, call)) for line, name, call in uses(path.read_text(encoding="utf-8"))]
    assert [f"line {line}: {what}" for line, what in found if what] == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("dev.xp.sum(x, axis=0, keepdims=True)", None),
        ("self.xp.add(a, b, out=a)", None),
        ("xp.add.at(a, i, b)", None),
        ("xp.float32", None),
        ("device.xp.linalg.norm(x, axis=1)", None),
        ("xp.max(x, initial=0)", "unexpected keyword"),
        ("dev.xp.clip(x, min=0)", "missing a required argument"),
        ("dev.xp.vecdot(x, y)", "no vecdot"),
        ("dev.xp.errstate(all='ignore')", "no errstate"),
        ("dev.xp.multiply.at(a, i, b)", "no multiply.at"),
        ("dev.xp.add(a, b, where=c)", "unexpected keyword"),
        ("xp.reshape(x, shape=(2,))", "missing a required argument"),
    ],
)
def test_it_finds_what_cupy_lacks(source, expected):
    ((_, name, call),) = uses(source)
    found = problem(name, call)
    assert (found is None) if expected is None else expected in found
