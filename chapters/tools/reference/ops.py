"""The reference of ops: a page per family of the registry and one per op, from what its record says."""

from __future__ import annotations

import importlib
import inspect
import itertools
import re
from functools import cache
from typing import Any

from chapters.tools.reference import calls, plot, proofs, public, where
from chapters.tools.reference.api import summary, title
from minilm.ops.op import REGISTRY, Op

TOP = "reference/ops"
TABLE = ".. list-table::\n   :header-rows: 1\n   :class: ops\n"
SHOWN = 12  # tests that a page lists, at most, of each kind


def family(op: Op) -> str:
    """The file in which its record stands."""
    return type(op).__module__.rpartition(".")[2]


def page_of(op: Op) -> str:
    """The name of its page."""
    return f"{TOP}/{family(op)}/{op.name}"


@cache
def families() -> dict[str, tuple[Op, ...]]:
    """The ops of each family, in the order of the registry."""
    every = sorted(REGISTRY.values(), key=family)
    return {name: tuple(ops) for name, ops in itertools.groupby(every, family)}


def pages() -> dict[str, str]:
    """The page that lists the families, theirs, and those of the ops."""
    made = {TOP: _top()}
    for name, ops in families().items():
        made[f"{TOP}/{name}"] = _family(name, ops)
    return made | {page_of(op): _op(op) for op in REGISTRY.values()}


def _top() -> str:
    lines = [
        title("Reference of ops"),
        f"The {len(REGISTRY)} ops of the engine, by the file in which they stand. Each has one record: formula, derivative, two kinds of "
        "rules, and samples on which every test runs. These pages are made from the records. What else can be called stands in the "
        ":doc:`API reference </reference/api>`.",
        "",
    ]
    for name, ops in families().items():
        what = summary(importlib.import_module(f"minilm.ops.{name}")).partition(". ")[0].rstrip(".")
        links = ", ".join(f":doc:`{op.name} </{page_of(op)}>`" for op in ops)
        lines.append(f":doc:`{name} </{TOP}/{name}>`: {what[:1].lower()}{what[1:]}\n   {links}\n")
    return "\n".join(lines)


def _family(name: str, ops: tuple[Op, ...]) -> str:
    module = importlib.import_module(f"minilm.ops.{name}")
    lines = [
        ":orphan:\n",
        title(f"Ops: {name}"),
        f":doc:`Reference of ops </{TOP}>` › {name}, {source(f'minilm/ops/{name}.py', 1)}\n",
        f".. py:module:: {module.__name__}\n",
        docstring(module, module.__name__),
        "",
        TABLE,
        row("Op", "Formula", "What it does"),
    ]
    lines += [row(f":doc:`{op.name} </{page_of(op)}>`", f":math:`{op.formula}`", what(op)) for op in ops]
    return "\n".join(lines)


def row(*cells: str) -> str:
    """A row of a table."""
    return "\n".join(f"   {'*' if not k else ' '} - {cell}" for k, cell in enumerate(cells))


def what(op: Op) -> str:
    """The first sentence of its docstring; its formula says all of an op that has none."""
    text = summary(type(op)) if type(op).__doc__ else ""
    return re.split(r"(?<=[.:])\s+(?=[A-Z`])", text)[0].rstrip(":")


def _op(op: Op) -> str:
    name, file = family(op), where.record(op)[0]
    line = where.line_of(*where.record(op))
    parts = [
        ":orphan:\n",
        title(op.name),
        f":doc:`Reference of ops </{TOP}>` › :doc:`{name} </{TOP}/{name}>` › {op.name}, {source(file, line)}\n",
        f".. currentmodule:: {type(op).__module__}\n",
        f".. py:function:: {public.home_of_op(op)}({calls.signature(op)})\n   :module:\n",
        _indented(docstring(type(op), type(op).__module__) if type(op).__doc__ else ""),
        f".. math:: {op.formula}\n",
        title("Derivative", "-"),
        f".. math:: {op.derivative}\n",
        f"Domain: {typeset(op.domain)}.\n" if op.domain != Op.domain else "Domain: all real numbers, smooth.\n",
    ]
    if picture := plot.picture(op):
        parts.append(f".. raw:: html\n\n   {picture}\n")
    parts += [
        title("Call", "-"),
        *_call(op),
        title("Code", "-"),
        *_code(op, file, line),
        title("Tests", "-"),
        *_tests(op),
    ]
    if op.source:
        parts += [title("Source", "-"), f"{op.source}.\n"]
    return "\n".join(parts)


def _call(op: Op) -> list[str]:
    names = [
        public.short(public.home_of_op(op)),
        *map(public.short, public.other_names().get(public.home_of_op(op), ())),
    ]
    ways = [f"``{name}``" for name in dict.fromkeys(names) if not name.startswith("ml.ops.")]
    ways += [f"``{way}``" for way in calls.methods(op)]
    if not ways:
        said = "It is called by other ops, not by users. In the registry it is"
        ways = [f"``ml.ops.REGISTRY[{op.name!r}]``"]
    else:
        said = "Called as"
    lines = [f"{said} {', '.join(ways)}.\n", TABLE, row("Argument", "What", "Default", "Gradient")]
    lines += [row(f"``{x.name}``", x.what, x.default or "required", x.gradient or "none") for x in calls.inputs(op)]
    lines += ["", " ".join(filter(None, [calls.broadcasting(op), *calls.dtypes(op), calls.kept(op)])), ""]
    lines += [title("Shapes", "^"), "Calls on which it is checked, and what comes out.\n", TABLE]
    lines += [row("Inputs", "Parameters", "Output")]
    lines += [row(*(f"``{cell}``" if cell else "none" for cell in call)) for call in calls.checked(op)]
    if wrong := calls.misfit(op):
        lines += ["", "Shapes that do not fit are refused with a sentence::\n", _indented(wrong)]
    return [*lines, ""]


def _code(op: Op, file: str, line: int) -> list[str]:
    lines = _folded(f"The record, {file}", where.code_of(*where.record(op)), source(file, line))
    for name in calls.kernels(op):
        place = calls.PLAIN, f"Reference.{name}"
        link = source(calls.PLAIN, where.line_of(*place))
        lines += _folded(f"What the device computes: {name}, the plain version", where.code_of(*place), link)
    if op.composed is not None and not op.only_composed:
        lines.append(
            "It is fused: ``composed`` says the same with other ops, its specification and its second derivative.\n"
        )
    return lines


def _folded(line: str, code: str, link: str) -> list[str]:
    """Code that opens from one line, and the link to where it stands."""
    return [
        f'.. raw:: html\n\n   <details class="op-code"><summary>{line}</summary>\n',
        f"In its file: {link}.\n",
        f".. code-block:: python\n\n{_indented(code)}",
        ".. raw:: html\n\n   </details>\n",
    ]


def _tests(op: Op) -> list[str]:
    registry = "tests/ops/test_registry.py"

    def test(name: str, words: str) -> str:
        return source(registry, where.line_of(registry, name), words)

    n = len(op.samples)
    samples = f"{n} sample{'s' * (n != 1)}"
    lines = []
    if op.answers:
        lines.append(f"On {samples}: {test('test_a_question_has_no_gradient', 'no gradient')}.\n")
    else:
        first, second = test("test_first_derivative", "first"), test("test_second_derivative", "second derivative")
        lines.append(f"On {samples} the {first} and the {second} are compared with central differences.\n")
        if op.composed is not None:
            lines.append(f"The fused op {test('test_fused_equals_composed', 'equals its composition')}.\n")
    for folder, head in (("tests/oracle", "Beside PyTorch"), ("tests/ops", "Of the op itself")):
        tests = [t for t in proofs.index()[op.name] if t.file.startswith(folder)]
        links = [source(t.file, t.line, t.words) for t in tests[:SHOWN]]
        more = f" and {len(tests) - SHOWN} more" if len(tests) > SHOWN else ""
        lines += [f"{head}: {'; '.join(links)}{more}.\n"] if links else []
    if bugs := proofs.planted(op):
        links = [source(bug.file, bug.line, bug.name) for bug in bugs[:SHOWN]]
        lines.append(f"Bugs that are put in, each of which a test must find: {'; '.join(links)}.\n")
    return lines


def source(file: str, line: int, words: str = "source") -> str:
    """A link to a line of the library's or the tests' code."""
    plain = re.sub(r"([\\`<>*_|])", r"\\\1", words)
    return f":source:`{plain} <{file}#{line}>`"


def typeset(domain: str) -> str:
    r"""What a record says of its domain, words and LaTeX in one line, with the LaTeX set as formulas.

    >>> typeset(r"kink at 0, where \bar x = 0")
    'kink at :math:`0`, where :math:`\\bar x = 0`'
    """
    text, formula, gap = "", "", ""
    for m in TOKEN.finditer(domain):
        if m.lastgroup == "gap" and formula:
            gap += m[0]
        elif m.lastgroup == "sign":
            formula, gap = f"{formula}{gap}{m[0]}", ""
        else:
            text += f"{_math(formula)}{gap}{m[0]}"
            formula = gap = ""
    return f"{text}{_math(formula)}{gap}"


TOKEN = re.compile(
    r"(?P<word>\ba(?= (?!is|and|or|where|other)[a-z]{2,})|(?<!\\)\b[A-Za-z]{2,}(?:-[a-z]+)*)|(?P<gap>\s+)|"
    r"(?P<sign>\\\{.*?\\\}|\{[^{}]*\}|\((?![^)]*(?<!\\)\b[a-z]{2,})[^)]*\)|\\[a-zA-Z]+|[^,;:.()])|(?P<mark>.)"
)
"""Of a record's domain: words, and the article; gaps; signs, as which sets, indices and parentheses without words count; marks."""


def _math(formula: str) -> str:
    return f":math:`{formula}`" if formula else ""


def docstring(found: Any, module: str) -> str:
    """A docstring as reStructuredText: its sections Args, Raises and so on become lists."""
    from sphinx.ext.napoleon import Config, GoogleDocstring

    text = inspect.cleandoc(found.__doc__ or "")
    config = Config(napoleon_google_docstring=True, napoleon_numpy_docstring=False)
    return str(GoogleDocstring(text, config, None, "module" if inspect.ismodule(found) else "function", module))


def _indented(text: str) -> str:
    return "".join(f"   {line}\n" if line.strip() else "\n" for line in text.split("\n"))
