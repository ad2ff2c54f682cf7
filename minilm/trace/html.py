"""Steps as HTML: a drawing with buttons in a notebook or on a static page, and all of it readable with scripts off.

Everything is written here, once: the drawings (`panel`), the small pictures of arrays (`picture`), each step with its
numbers, each op's formulas. One script (step.js) only shows and hides. Where the computation is small and its ops have twins in
JavaScript (`twin`), a list says what each array on the page is, and another script (change.js) computes all of them again when the reader
changes a number. The output needs nothing from elsewhere, is the same for the same trace, and may stand on a page
twice.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np

from minilm.backend import to_host
from minilm.trace import twin
from minilm.trace.attention import FUSED, weights
from minilm.trace.explain import Explanation, Path
from minilm.trace.expression import INDEXING, INFIX, gradient_name, items, named, number, operand, place, results
from minilm.trace.model import Axes, Call, Contribution, Record, Scope, Step, Value
from minilm.trace.panel import Drawing, in_box, svg
from minilm.trace.picture import HEIGHT, WIDTH, palette, sheet, tile
from minilm.trace.text import NAMED, WHOLE, axes_of_product, axes_text, cut, spread, titles

HASH = "\ue000"  # stands for the name of the output until that is known: a character that nobody writes


def page(trace: Record) -> str:
    """The trace as one ``<div>``, with its style and script."""
    if not trace.steps:
        return "<p>An empty trace: compute something on tensors inside the <code>with</code> block.</p>"
    written = _Page(trace)
    content = compact(written.content())
    name = "m" + hashlib.sha256(content.encode()).hexdigest()[:8]
    script = scripts({call[0] for call in written.record["c"]} if written.record else None).replace("HASH", name)
    return (
        f'<div class="mlstep {name}" data-mlstep="{name}"><style>{asset("step.css")}</style>'
        f"{content.replace(HASH, name)}<script>{script}</script></div>"
    )


def document(content: str) -> str:
    """A whole page around a step-through, for light and dark, for screens of any width."""
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        '<meta name="color-scheme" content="light dark"><title>Step-through</title>\n'
        "<style>body{background:Canvas;color:CanvasText;margin:1em auto;max-width:80em;padding:0 .7em}"
        "h1{font:600 17px system-ui,sans-serif}</style>\n"
        f"<main><h1>Step-through of a computation</h1>\n{content}\n</main>\n</html>\n"
    )


def scripts(ops: set[str] | None) -> str:
    """What a page runs: the steps, and where numbers can be changed the twins of its ops."""
    parts = [asset("step.js")]
    if ops is not None:
        parts = [shortened(twin.script(ops)), shortened(twin.pieces_of("shown.js")), asset("change.js"), *parts]
    return '(function () {\n"use strict";\n' + "\n".join(parts) + "\n})();"


@cache
def asset(name: str) -> str:
    """A style or script that lies beside this file, without its comments, indents and spaces."""
    return shortened(files("minilm.trace").joinpath(name).read_text("utf-8"), name.endswith(".css"))


def shortened(text: str, style: bool = False) -> str:
    """A script or style without its comments, indents and line ends: a notebook's file spends ten letters on each. A script's statements
    must end in semicolons.
    """
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    text = "\n".join(line.strip() for line in text.splitlines() if line.strip())
    if style:
        return re.sub(r"(?<=[{};,])\n", "", text).replace("\n", " ")
    pieces = re.split(r'("(?:[^"\\\n]|\\.)*")', text)  # the odd ones are strings
    text = "".join(p if k % 2 else re.sub(r" *([^\w\s$]) *", r"\1", p) for k, p in enumerate(pieces))
    return re.sub(r"(?<=\w)\n(?=\w)", " ", text).replace("\n", "")


def compact(html: str) -> str:
    """Without the quotes that HTML can do without. Only tags hold quotes here: in text they are escaped."""
    return re.sub(r'="([\w.#:;-]+)"(?=[ >])', r"=\1", html)


@cache
def mathml(latex: str) -> str:
    """A formula typeset as MathML, in as few bytes as an HTML page needs."""
    from latex2mathml.converter import convert

    text = (
        convert(latex, display="block")
        .replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "")
        .replace(' stretchy="true"', "")
    )
    return re.sub(r"&#x([0-9A-F]+);", lambda m: escape(chr(int(m[1], 16)), quote=False), text)


class _Page:
    def __init__(self, trace: Record) -> None:
        self.trace = trace
        self.record = twin.record(trace)
        self.drawing = Drawing(trace)
        self.gradients = any(step.kind != "forward" for step in trace)
        self.pictures: dict[tuple[tuple[int, ...], bytes], int] = {}  # by a tile's shape and pixels
        self.tiles: list[Any] = []
        self.known: dict[int, tuple[Any, int]] = {}  # by id of an array: the array, kept alive, and its picture
        # Where matrices are multiplied by vectors, vectors stand upright, as in a textbook.
        dtypes = [v.array.dtype for v in trace.values if v.array.dtype.kind == "f"]
        self.dtype = max(sorted(set(dtypes), key=str), key=dtypes.count, default=None)
        self.line = ""  # of the step before
        self.sources: list[str] = []  # what each array on the page is, in turn; "" where nobody computes it again
        self.upright = any(c.op.name == "matmul" and len(c.values()[-1].shape) == 1 for c in trace.calls)

    def content(self) -> str:
        scopes = self.drawing.scopes()
        texts = {v.index: in_box(v.numbers) for v in self.trace.values}
        arrived = {v.index: self.trace.gradient_of(v) for v in self.trace.values}
        gradients = {i: in_box(to_host(g), "∂ ") for i, g in arrived.items() if g is not None}
        parts = [self.introduction()]
        parts += [self.panel(scope, texts, gradients) for scope in scopes]
        panels, panel_sources = without_marks("".join(parts))
        steps, step_sources = without_marks(self.steps() + self.legend())
        self.sources = panel_sources + step_sources  # there are no arrays between them
        data = self.data(scopes)
        return f"<style>{self.styles()}</style>{panels}{self.key(len(scopes) > 1)}{steps}{data}"

    def introduction(self) -> str:
        forward = sum(step.kind == "forward" for step in self.trace)
        back = len(self.trace) - forward
        steps = f"{forward} steps forward{f', {back} backward' if back else ''}."
        return f'<p class="intro">{steps} Numbers are {self.dtype} where nothing else is said.</p>'

    def key(self, modules: bool) -> str:
        """What the colors and frames mean, of those that there are."""
        kinds = {v.kind for v in self.trace.values}
        rows = [("p", "parameter")] * ("parameter" in kinds) + [("i", "input")] * ("input" in kinds)
        rows += [("m", "Module: Enter opens it"), ("o", "from outside")] * modules + [
            ("d", "still to come"),
            ("f", "computed"),
        ]
        rows += [("b", "∂: its gradient has arrived")] * self.gradients
        items = "".join(f'<span><i class="k{letter}"></i>{text}</span>' for letter, text in rows)
        scale = '<span>in pictures <i class="kn"></i>negative <i class="kz"></i>0 <i class="kx"></i>positive</span>'
        return f'<p class="key">{items}{scale if self.tiles else ""}</p>'

    def styles(self) -> str:
        """The sheet of pictures, and where each is on it."""
        if not self.tiles:
            return ""
        rules = "".join(f".{HASH} .p{k}{{{_placed(pixels, k)}}}" for k, pixels in enumerate(self.tiles))
        return f".{HASH}{{{_sheet(self.tiles)}}}{rules}"

    def data(self, scopes: list[Scope]) -> str:
        """What the script needs to know: the tree of scopes, the boxes' values, what each step computes."""
        pictures = {v.index: k for v in self.trace.values if (k := self.in_box(v.array)) >= 0}
        names = {v.index: v.label for call in self.trace.calls for v in call.outputs[1:]}
        steps = []
        for step in self.trace:
            if step.kind == "forward":
                changes: Any = [v.index for v in step.origin.outputs]
            elif step.value is not None:
                changes = [self.change(step.value, step.arrived[0])]
            else:
                changes = [self.change(c.value, c.accumulated) for c in step.contributions]
            kind = ("forward", "seed", "backward").index(step.kind)
            steps.append([kind, step.scope.index, step.origin.index, changes])
        tree = {s.index: [s.parent.index if s.parent else -1, s.name, s.kind] for s in scopes}
        data = {"s": tree, "v": pictures, "n": names, "t": steps, "p": [p.shape[::-1] for p in self.tiles]}
        if self.record:
            colors = {"p": palette().hex()} if self.tiles else {}
            data["r"] = {**self.record, "u": int(self.upright), "a": ",".join(self.sources), **colors}
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        return f'<script type="application/json">{text.replace("<", chr(92) + "u003c")}</script>'

    def change(self, value: Value, gradient: Any) -> list[Any]:
        return [value.index, self.in_box(gradient) if gradient.size > 2 else in_box(to_host(gradient), "∂ ")]

    def in_box(self, array: Any) -> int:
        """The number of the picture that stands in a box; -1 where the numbers themselves do."""
        return self.picture(array) if array.size > 2 else -1

    def picture(self, array: Any) -> int:
        if id(array) not in self.known:
            pixels = tile(to_host(array))
            self.known[id(array)] = array, -1 if pixels is None else self.enter(pixels)
        return self.known[id(array)][1]

    def enter(self, pixels: Any) -> int:
        k = self.pictures.setdefault((pixels.shape, pixels.tobytes()), len(self.tiles))
        if k == len(self.tiles):
            self.tiles.append(pixels)
        return k

    # -- drawings -----------------------------------------------------------------------------------------------------

    def panel(self, scope: Scope, texts: dict[int, str], gradients: dict[int, str]) -> str:
        drawn = svg(self.drawing.panel(scope, self.gradients), texts, gradients, scope.path or "the whole computation")
        if scope.parent is None:
            return f'<div class="panel" data-s="0"><div class="pane">{drawn}</div></div>'
        about = f" ({escape(scope.about)})" if scope.about else ""
        summary = f"<summary><b>{escape(scope.path)}</b> {escape(scope.kind)}{about}</summary>"
        inside = f'<div class="pane">{drawn}</div>{self.summary(scope)}'
        return f'<details class="panel" data-s="{scope.index}">{summary}{inside}</details>'

    def summary(self, scope: Scope) -> str:
        """What went into a Module and came out of it, forward and backward; nothing where one step says it all."""
        if len(self.drawing.members[scope.index]) < 2:
            return ""
        ins, outs = self.drawing.inputs(scope), self.drawing.outputs(scope)
        shown = [[self.operand(v.label, v.array, source=f"v{v.index}") for v in values] for values in (ins, outs)]
        parts = [*shown[0], "→", *shown[1]]
        name = f"<b>{escape(scope.path)}</b> {escape(scope.kind)}"
        text = f'<div class="f"><p class="e"><i>forward</i> {name}</p>{_row(parts)}</div>'
        back = self._backward_summary(scope, ins, outs)
        if back:
            text += f'<div class="b"><p class="e"><i>backward</i> {name}</p>{_row(back)}</div>'
        return f'<section data-s="{scope.index}">{text}</section>'

    def _backward_summary(self, scope: Scope, ins: list[Value], outs: list[Value]) -> list[str]:
        arrived: dict[int, Any] = {}
        added: dict[int, Any] = {}
        trained: dict[int, None] = {}
        wanted = {v.index for v in ins}
        for step in self.trace:
            if step.kind == "backward" and scope in step.scope.ancestors():
                assert step.call is not None
                arrived.update(
                    (v.index, g) for v, g in zip(step.call.outputs, step.arrived, strict=True) if g is not None
                )
                for c in step.contributions:
                    if c.value.index in wanted:
                        before = added.get(c.value.index)
                        added[c.value.index] = c.grad if before is None else before + c.grad
                    elif c.value.kind == "parameter":
                        trained[c.value.index] = None
        left = [
            self.operand(gradient_name(v), arrived[v.index], source=f"g{v.index}") for v in outs if v.index in arrived
        ]
        right = [
            self.operand(f"adds to {gradient_name(v)}", added[v.index], source=f"s{v.index}")
            for v in ins
            if v.index in added
        ]
        if trained:
            right.append(f"and the gradients of {len(trained)} parameter{'s' * (len(trained) > 1)}")
        return [*left, "→", *right] if left or right else []

    # -- steps --------------------------------------------------------------------------------------------------------

    def steps(self) -> str:
        return f'<ol class="steps" start="0">{"".join(map(self.step, self.trace))}</ol>'

    def step(self, step: Step) -> str:
        if step.kind == "seed":
            assert step.value is not None
            figure = self.figure(gradient_name(step.value), step.arrived[0], "=", source="a0")
            head = _head("backward begins", f"at {escape(step.value.label)}", step.scope)
            return f'<li class="b">{head}{_row([figure])}'
        call = step.call
        assert call is not None
        if step.kind == "forward":
            head = _head("forward", f"<code>{escape(results(call))}</code>", step.scope)
            return f'<li class="f">{head}{self.about(call, "formula")}{self.computation(call)}'
        head = _head("backward", f"through <code>{escape(results(call))}</code>", step.scope)
        return f'<li class="b">{head}{self.about(call, "derivative")}{self.rule(step)}'

    def about(self, call: Call, which: str) -> str:
        """The reader's line, where it is not that of the step before, and where the formula stands."""
        line = f'<p class="l">line <code>{escape(call.line)}</code>' if call.line != self.line else ""
        self.line, name = call.line, call.op.name
        return f'{line}<p class="a">{which} <a href="#{HASH}-{name}">{name}</a></p>'

    def computation(self, call: Call) -> str:
        """The expression with numbers in it: ``[0.5 1.1] + [0.1 0.2] = [0.6 1.3]``."""
        scope = call.scope
        operands = [
            self.operand(named(x, scope), x.array, x.axes, f"v{x.index}")
            if isinstance(x, Value)
            else f"<b>{_minus(number(x))}</b>"
            for x in call.inputs
            if x is not None
        ]
        sign = {"matmul": "@", "mul": "×"}.get(call.op.name, INFIX.get(call.op.name))
        parts: list[str] = []
        if sign:
            for k, text in enumerate(operands):
                parts += [_minus(sign), text] if k else [text]
        elif call.op.name in INDEXING:
            parts = [operands[0], f"<b>[{escape(', '.join(items(call)))}]</b>"]
        else:
            parts = [call.op.name, *operands]
        for ids in dict.fromkeys(call.indices.values()):
            parts += ["with", self.operand(named(ids, scope), ids.array, source=f"v{ids.index}")]
        if call.op.name == FUSED:
            p = weights(call)
            parts += ["with", self.operand("P", p, call.axes, "w0")]
        results = (self.figure(named(v, scope), v.array, axes=v.axes, source=f"v{v.index}") for v in call.outputs)
        return _row([*parts, "=", *results])

    def rule(self, step: Step) -> str:
        assert step.call is not None
        scope = step.call.scope
        arrived = [
            self.figure(gradient_name(v, scope), g, "=", v.axes, f"a{k}")
            for k, (v, g) in enumerate(zip(step.call.outputs, step.arrived, strict=True))
            if g is not None
        ]
        head = "<tr><th>to<th>local derivative<th>their product<th>gradient so far</tr>"
        rows = "".join(self.contribution(c, k) for k, c in enumerate(step.contributions))
        return f'<div class="q">arrives:{"".join(arrived)}</div><table class="g">{head}{rows}</table>'

    def contribution(self, c: Contribution, k: int) -> str:
        local, names = self.local(c, k), c.value.axes
        full, axes = c.product()
        product = self.array(full, axes_of_product(c, full), f"p{k}")
        if axes:  # one copy of the input fed every place along these axes: its gradient is the sum
            product += f"<br>{self.figure(f'its sum over {axes_text(axes)}', c.grad, '=', names, f'c{k}')}"
        first = c.accumulated is c.grad
        same = "the sum" if axes else "the same"
        total = same if first and c.grad.size > WHOLE and not names else self.array(c.accumulated, names, f"t{k}")
        rest = "" if first else "<br>with what came before"
        return f"<tr><th>{escape(named(c.value, c.call.scope))}<td>{local}<td>{product}<td>{total}{rest}</tr>"

    def local(self, c: Contribution, k: int) -> str:
        kind, array = c.local()
        y, x, scope = c.call.outputs[0], c.value, c.call.scope
        name = f"∂{operand(y, scope)}/∂{operand(x, scope)}"
        if array is None:
            rows, columns = sum(v.array.size for v in c.call.outputs), x.array.size
            return f"{rows}×{columns} matrix"
        if kind == "elementwise":
            return self.figure(f"{name}{' at each place' if array.size > 1 else ''}", array, source=f"l{k}")
        flat = array.reshape(y.array.size, x.array.size) if x.array.size > 1 else array
        return self.figure(name, flat, source=f"l{k}")

    # -- arrays -------------------------------------------------------------------------------------------------------

    def figure(self, label: str, array: Any, sign: str = "", axes: Axes = (), source: str = "") -> str:
        """An array under its name. `source`: what it is, for the script that computes it again (change.js, `find`)."""
        name = escape(label) + (" " + sign if sign else "")
        return f'<span class="f">{name}{self.array(array, axes, source)}</span>'

    def operand(self, label: str, array: Any, axes: Axes = (), source: str = "") -> str:
        """What goes into a computation, under its name: a large array without its mean."""
        return f'<span class="f">{escape(label)}{self.array(array, axes, source).partition(", mean")[0]}</span>'

    def array(self, array: Any, axes: Axes = (), source: str = "") -> str:
        """Small arrays whole, as matrices; larger ones as a picture, with type, shape and range. Names
        stand along the axes that have some.
        """
        across, down = titles(tuple(array.shape), axes)
        mark = f' data-n="{source}"' if self.record and source and array.dtype.kind == "f" else ""
        if (across or down) and 0 < array.size <= NAMED:
            if array.ndim == 1 and self.upright:
                array, across, down = array.reshape(-1, 1), [], across
            return named_matrix(to_host(array), across, down, mark)
        if array.size > WHOLE or not array.size:
            return self.large(to_host(array), self.picture(array), mark)
        return matrix(to_host(array), self.upright, mark)

    def large(self, array: Any, k: int, mark: str) -> str:
        kind = "" if array.dtype == self.dtype else f"{array.dtype} "
        if k < 0:
            return f" {kind}{_sizes(array)}: empty"
        return f'<i class="p{k}"{mark}></i>{kind}{_sizes(array)}, {_minus(spread(array))}'

    def legend(self) -> str:
        ops = {call.op.name: call.op for call in self.trace.calls}
        rows = [
            f'<dt id="{HASH}-{name}">{name}<dd data-f="{name}">{mathml(op.formula)}<dd data-d="{name}">{mathml(op.derivative)}'
            for name, op in ops.items()
        ]
        return f'<details class="legend" open><summary>Formulas and derivatives</summary><dl>{"".join(rows)}</dl></details>'


def without_marks(html: str) -> tuple[str, list[str]]:
    """HTML without the attribute ``data-n``, and what it said of each array in turn; "" where there was none. A script finds the arrays
    in the same order: ``table.x, i[class^=p], b``.
    """
    marks = re.findall(r'<(?:table class="x|i class="p|b\b)[^>]*?(?: data-n="(\w+)")?>', html)
    return re.sub(r' data-n="\w+"', "", html), marks


def matrix(array: Any, upright: bool = False, mark: str = "") -> str:
    """A small array with all its numbers: a table in brackets, the last axis across. `mark`: an attribute."""
    if array.ndim == 0:
        return f"<b{mark}>{_entry(array.item())}</b>"
    rows = array.reshape(-1, 1) if array.ndim == 1 and upright else array.reshape(-1, array.shape[-1])
    cells = "".join("<tr>" + "".join(f"<td>{_entry(x)}" for x in row) for row in rows.tolist())
    return f'<table class="x"{mark}>{cells}</table>' + (f"<small>{_sizes(array)}</small>" if array.ndim > 2 else "")


def named_matrix(array: Any, across: list[str], down: list[str], mark: str = "") -> str:
    """A matrix with names before its rows, above its columns, or both, as far as there are any."""
    corner = "<td>" if down else ""
    titled = "".join(f'<th scope="col">{escape(cut(t, 12))}' for t in across)
    head = f"<tr>{corner}{titled}" if across else ""
    cells = head
    for k, row in enumerate(array.reshape(-1, array.shape[-1]).tolist()):
        title = f'<th scope="row">{escape(cut(down[k], 12))}' if down else ""
        cells += f"<tr>{title}" + "".join(f"<td>{_entry(x)}" for x in row)
    size = f"<small>{_sizes(array)}</small>" if array.ndim > 2 else ""
    return f'<table class="x k"{mark}>{cells}</table>{size}'


def _entry(x: Any) -> str:
    """A number; marked where it is not finite."""
    text = _minus(number(x))
    return text if math.isfinite(x) else f"<mark>{text}</mark>"


def _head(word: str, text: str, scope: Scope) -> str:
    where = f" <small>in {escape(scope.path)}</small>" if scope.path else ""
    return f'<p class="e"><i>{word}</i> {text}{where}</p>'


def _sheet(tiles: list[Any]) -> str:
    return f"--sheet:url({sheet(tiles)});--high:{HEIGHT * len(tiles)}px"


def _placed(pixels: Any, k: int) -> str:
    """Where a picture is on the sheet, and how many times it is enlarged across and down, in whole numbers: a pixel stays a
    pixel.
    """
    h, w = pixels.shape
    rules = [f"--y:{HEIGHT * k}"]
    rules += [f"--w:{w};--u:{min(96 // w, 16)}"] if w != WIDTH else []
    rules += [f"--h:{h};--d:{min(48 // h, 16)}"] if h != HEIGHT else []
    return ";".join(rules)


def _sizes(array: Any) -> str:
    return "×".join(map(str, array.shape))


def _row(parts: Iterable[str]) -> str:
    return f'<div class="q">{" ".join(parts)}</div>'


def _minus(text: str) -> str:
    """With a real minus sign, except in exponents."""
    return re.sub(r"(?<![\w.])-(?=[\d.in])", "−", text)


# -- explanations -----------------------------------------------------------------------------------------------------


def explanation(explained: Explanation) -> str:
    """The paths of a gradient as a table: factors, part, and a bar for each part's share."""
    name = "∂L/∂" + operand(explained.value) + ("" if explained.element is None else place(explained.element))
    sizes = [float(np.abs(path.part).sum()) for path in explained.paths]
    top = max(sizes, default=0.0) or 1.0
    factors = explained.element is not None
    rows = "".join(_path(path, size / top, factors) for path, size in zip(explained.paths, sizes, strict=True))
    count, note, cell = len(explained.paths), "", "<td>" if factors else ""
    if any(not path.complete for path in explained.paths):
        note = "<p><small>A path that ends in … stands for all that go on from there.</small></p>"
    return (
        f'<div class="mlstep explain"><style>{asset("step.css")}</style>'
        f"<p>{escape(name)} is the sum over {count} path{'s' * (count != 1)}:</p>"
        f'<table class="g"><tr><th>path{"<th>factors" if factors else ""}<th>part<th>share</tr>{rows}'
        f"<tr><th>sum = {escape(name)}{cell}<td>{_part(explained.total)}<td></tr></table>{note}</div>"
    )


def _path(path: Path, share: float, with_factors: bool) -> str:
    factors = (
        " × ".join(f"({_minus(number(f))})" if f < 0 else number(f) for f in [*path.factors, path.arrived])
        if with_factors
        else ""
    )
    cell = f"<td>{factors}" if with_factors else ""
    negative = np.ndim(path.part) == 0 and path.part < 0
    kind, sign = ("minus", "−") if negative else ("more", "+")
    bar = f'<i class="bar {kind}" style="width:{100 * share:.0f}px"></i>{sign if with_factors else ""}'
    return f"<tr><th>{escape(str(path))}{cell}<td>{_part(path.part)}<td>{bar}</tr>"


def _part(part: Any) -> str:
    array = np.asarray(part)
    if array.size <= WHOLE:
        return matrix(array)
    pixels = tile(array)
    image = f'<i class="p0" style="{_sheet([pixels])};{_placed(pixels, 0)}"></i>'
    return f"{image}{array.dtype} {_sizes(array)}, {_minus(spread(array))}"
