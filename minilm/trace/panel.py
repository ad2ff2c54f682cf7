"""What is drawn for a scope: its own calls, each Module that it calls as one box, and where their values come from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import Any

from minilm.backend import to_host
from minilm.trace.expression import INFIX, named, number
from minilm.trace.layout import Layout, layout
from minilm.trace.model import Call, Record, Scope, Value

SIGNS = {"add": "+", "sub": "−", "mul": "×", "div": "÷", "pow": "**", "matmul": "@", "neg": "−"}
WIDE = {
    c: w for letters, w in ((" .,:;'|!iljI[]()/ₗᵢ", 0.4), ("mw+−×=<>÷→@%MW…", 0.98)) for c in letters
}  # of the font's size
LONGEST = 19  # letters of a name in a box
PAD = 16  # around the drawing


@dataclass(eq=False)
class Node:
    """A box. `key` is "c3" for a call, "s2" for a Module, "v7" for a value that comes from elsewhere."""

    key: str
    kind: str  # "op", "view", "module", "parameter", "input" or "port"
    values: list[Value]  # what it stands for, or computes
    title: str
    tag: str = ""  # the op, above the box
    subtitle: str = ""
    hint: str = ""
    size: tuple[float, float] = (0.0, 0.0)
    leaves: bool = False  # a value of it is used outside the scope, or is the end of the computation


@dataclass(eq=False)
class Panel:
    """The boxes of a scope, in topological order, and the values that go from one to another: (from, to, value)."""

    scope: Scope
    nodes: list[Node]
    edges: list[tuple[int, int, Value]]

    @cached_property
    def layout(self) -> Layout:
        return layout([node.size for node in self.nodes], [(u, v) for u, v, _ in self.edges])


@dataclass
class Drawing:
    """The panels of a trace, and what they share."""

    trace: Record
    users: dict[int, list[Call]] = field(default_factory=dict)  # by value
    homes: dict[int, Scope] = field(default_factory=dict)  # by value: the scope that it belongs to
    members: dict[int, list[Call]] = field(default_factory=dict)  # by scope: its calls, those of inner Modules too

    gradients: dict[int, str] = field(default_factory=dict)  # by value: the longest that stands in its box

    def __post_init__(self) -> None:
        for step in self.trace:
            arrived = (
                [(step.value, step.arrived[0])]
                if step.value
                else [(c.value, c.accumulated) for c in step.contributions]
            )
            for value, g in arrived:
                if g.size <= 2:
                    texts = self.gradients.get(value.index, ""), in_box(to_host(g), "∂ ")
                    self.gradients[value.index] = max(texts, key=length)
        for call in self.trace.calls:
            for scope in call.scope.ancestors():
                self.members.setdefault(scope.index, []).append(call)
            for value in call.values():
                self.users.setdefault(value.index, []).append(call)
        for value in self.trace.values:
            self.homes[value.index] = self._home(value)

    def _home(self, value: Value) -> Scope:
        """A result belongs to the scope of its call. A parameter or buffer belongs to the innermost scope with all its uses;
        an input that has a name comes from outside.
        """
        if value.call is not None:
            return value.call.scope
        if value.kind == "input" and value.name is not None and value.role != "buffer":
            return self.trace.scopes[0]
        chains = [call.scope.ancestors() for call in self.users.get(value.index, [])]
        common = [level[0] for level in zip(*chains, strict=False) if all(s is level[0] for s in level)]
        return common[-1] if common else self.trace.scopes[0]

    def scopes(self) -> list[Scope]:
        """The scopes in which something was computed, in the order of their calls."""
        return [scope for scope in self.trace.scopes if self.members.get(scope.index)]

    def inputs(self, scope: Scope) -> list[Value]:
        """The values from outside that are used in a scope."""
        used = {v.index: v for call in self.members[scope.index] for v in call.values()}
        return [v for v in used.values() if not _within(self.homes[v.index], scope)]

    def outputs(self, scope: Scope) -> list[Value]:
        """The values computed in a scope that are used outside it, or nowhere: first those that are used, the last ones first."""
        made = [v for call in reversed(self.members[scope.index]) for v in call.outputs]
        return sorted((v for v in made if self._leaves(v, scope)), key=lambda v: not self.users.get(v.index))

    def parameters(self, scope: Scope) -> list[Value]:
        used = {v.index: v for call in self.members[scope.index] for v in call.values() if v.kind == "parameter"}
        return list(used.values())

    def _leaves(self, value: Value, scope: Scope) -> bool:
        users = self.users.get(value.index, [])
        unused = not users and (value.call is None or not any(self.users.get(v.index) for v in value.call.outputs))
        return unused or any(not _within(call.scope, scope) for call in users)

    # -- panels -------------------------------------------------------------------------------------------------------

    def panel(self, scope: Scope, gradients: bool) -> Panel:
        """The boxes and edges of one scope; boxes have room for gradients where there are some."""
        nodes: dict[str, Node] = {}
        for value in self._sources(scope):
            nodes[f"v{value.index}"] = self._source(value, scope)
        for call in self.members.get(scope.index, []):
            node = self._node(call, scope)
            if node.key not in nodes:
                nodes[node.key] = node
        place = {key: i for i, key in enumerate(nodes)}
        edges: dict[tuple[int, int, int], tuple[int, int, Value]] = {}
        for call in self.members.get(scope.index, []):
            to = place[_key(call, scope)]
            for value in call.values():
                start = place.get(self._origin(value, scope))
                if start is not None and start != to:
                    edges.setdefault((start, to, value.index), (start, to, value))
        for node in nodes.values():
            node.size = _size(node, gradients, [self.gradients.get(v.index, "") for v in node.values[:1]])
            node.leaves = node.key[0] != "v" and any(self._leaves(v, scope) for v in node.values)
        return Panel(scope, list(nodes.values()), list(edges.values()))

    def _sources(self, scope: Scope) -> list[Value]:
        """Leaves that belong to the scope, and values from outside."""
        used = {v.index: v for call in self.members.get(scope.index, []) for v in call.values()}
        own = (v for v in used.values() if v.call is None and self.homes[v.index] is scope)
        outer = (v for v in used.values() if not _within(self.homes[v.index], scope))
        return [*own, *outer]

    def _origin(self, value: Value, scope: Scope) -> str:
        if value.call is not None and _within(value.call.scope, scope):
            return _key(value.call, scope)
        return f"v{value.index}"

    def _source(self, value: Value, scope: Scope) -> Node:
        own = self.homes[value.index] is scope
        kind = value.kind if own else "port"
        title = short_name(value, scope)
        what = f"{value.kind if value.call is None else 'result'} from outside" if not own else value.kind
        hint = f"{value.label}: {what}, {shape(value)}" if not own or len(title) > LONGEST else ""
        return Node(f"v{value.index}", kind, [value], title, hint=hint)

    def _node(self, call: Call, scope: Scope) -> Node:
        key = _key(call, scope)
        if key[0] == "s":
            inner = next(s for s in call.scope.ancestors() if f"s{s.index}" == key)
            count = sum(v.array.size for v in self.parameters(inner))
            size = f"{count:,} parameters" if count else "no parameters"
            hint = f"{inner.path}: {inner.kind}({inner.about}), {size}. Enter opens it."
            return Node(key, "module", self.outputs(inner), inner.name, size, inner.kind, hint)
        value = call.outputs[0]
        given = value.name is not None
        sign = SIGNS.get(call.op.name, call.op.name)
        title = short_name(value, scope)
        title = title if given or len(title) <= LONGEST else sign
        tag = sign if given or title != call.op.name else ""
        if not given and call.op.name in INFIX:
            title, tag = (title, "") if title != call.op.name else (sign, "")
        kind = "view" if call.op.view else "op"
        hint = f"{value.label}: {call.op.name}, {shape(value)}" if title != value.label or len(title) > LONGEST else ""
        return Node(key, kind, list(call.outputs), title, tag, hint=hint)


def _within(inner: Scope, outer: Scope) -> bool:
    scope: Scope | None = inner
    while scope is not None and scope is not outer:
        scope = scope.parent
    return scope is outer


def _key(call: Call, scope: Scope) -> str:
    """The box of a scope in which a call is drawn: its own, or that of the Module around it."""
    inner = call.scope
    if inner is scope:
        return f"c{call.index}"
    while inner.parent is not scope:
        assert inner.parent is not None
        inner = inner.parent
    return f"s{inner.index}"


def short_name(value: Value, scope: Scope) -> str:
    """What a value is called in the drawing of a scope: without what the names of the Modules around it say."""
    name = named(value, scope)
    for above in reversed(scope.ancestors()[1:]):
        if above.prefix and name.startswith(above.prefix + "."):
            return name.removeprefix(above.prefix + ".")
    return name


def shape(value: Value) -> str:
    sizes = "×".join(map(str, value.shape))
    kind = "" if value.array.dtype.kind == "f" else f"{value.array.dtype} "
    return f"{kind}{sizes or 'scalar'}"


def length(text: str, size: float = 10.3) -> float:
    """How wide a text is at most, in pixels: letters as in DejaVu Sans, which is wider than what most systems have."""
    return size * sum(WIDE.get(c, 0.64 if c.islower() or c.isdigit() else 0.74) for c in text)


def _size(node: Node, gradients: bool, arrived: list[str]) -> tuple[float, float]:
    title = _cut(node.title, LONGEST)
    width = max(64.0, length(title, 10.5 if node.kind == "view" else 12.6) + 12, length(node.tag, 9.5) + 4)
    width = max(width, length(_cut(node.subtitle, 24), 9.5) + 12)
    if node.values:  # room for two numbers, or for a picture and a shape
        array = node.values[0].array
        room = 12 if array.size <= 2 else 36
        width = max(width, length(in_box(to_host(array))) + room, *(length(text, 11.3) + 12 for text in arrived))
    if node.kind == "view":
        return round(width), 33.0
    return round(width), (53.0 if gradients else 38.0) + (13 if node.kind == "module" else 0)


# -- SVG --------------------------------------------------------------------------------------------------------------


def svg(panel: Panel, texts: dict[int, str], gradients: dict[int, str], name: str) -> str:
    """The panel as inline SVG, with the values and gradients in `texts` and `gradients` (by value) in the boxes."""
    plan = panel.layout
    width, height = round(plan.width + 2 * PAD + 14), round(plan.height + 2 * PAD + 4)
    size = f'viewBox="{-PAD} {-PAD - 4} {width} {height}" style="width:{width}px;min-width:{round(width * 0.74)}px"'
    parts = [f'<svg {size} role="group" aria-label="{escape(name)}">']
    for (_, v, value), points in zip(panel.edges, plan.edges, strict=True):
        parts.append(_edge(panel.nodes[v], value, points))
    for node, (x, y) in zip(panel.nodes, plan.boxes, strict=True):
        parts.append(_box(node, x, y, texts, gradients))
    return "".join(parts) + "</svg>"


def _edge(to: Node, value: Value, points: list[tuple[float, float]]) -> str:
    corners = [(round(x), round(y)) for x, y in points]
    x0, y0 = corners[0]
    curve = f"M{x0} {y0}{_curve(corners)}m-6-4l6 4-6 4"  # its arrowhead last: the script finds it there
    return f'<g class="e" data-t="{to.key}" data-w="{value.index}"><path d="{curve}"/></g>'


def _curve(corners: list[tuple[int, int]]) -> str:
    """Bezier curves as an SVG path; level ones as lines."""
    parts = []
    for k in range(0, len(corners) - 1, 3):
        (x0, y0), (x3, y3) = corners[k], corners[k + 3]
        if y0 == y3:
            parts.append(f"H{x3}")
        else:
            parts.append("c" + " ".join(f"{x - x0} {y - y0}" for x, y in corners[k + 1 : k + 4]))
    return "".join(parts).replace(" -", "-")


def _box(node: Node, x: float, y: float, texts: dict[int, str], gradients: dict[int, str]) -> str:
    w = node.size[0]
    stands = f' data-v="{node.values[0].index}"' if node.key[0] != "v" and node.values else ""
    role = ' tabindex="0" role="button"' if node.kind == "module" else ""
    out = " out" if node.leaves else ""
    parts = [f'<g class="n {node.kind}{out}" data-k="{node.key}"{stands} transform="translate({_n(x)} {_n(y)})"{role}>',
             *([f"<title>{escape(node.hint)}</title>"] if node.hint else []), *_outline(node)]  # fmt: skip
    middle, line = _n(w / 2), 14
    if node.tag:
        parts.append(f'<text class="t" x="3" y="{-8 if node.kind == "module" else -4}">{escape(node.tag)} </text>')
    parts.append(f'<text class="b" x="{middle}" y="{line}">{escape(_cut(node.title, LONGEST))} </text>')
    if node.subtitle:
        line += 13
        parts.append(f'<text class="k" x="{middle}" y="{line}">{escape(_cut(node.subtitle, 24))} </text>')
    first = node.values[0].index if node.values else -1
    parts.append(f'<text class="v" x="{middle}" y="{line + 15}">{escape(texts.get(first, ""))} </text>')
    if node.kind != "view" and first in gradients and node.values[0].array.size <= 2:
        parts.append(f'<text class="g" x="{middle}" y="{line + 30}">{escape(gradients[first])} </text>')
    return "".join(parts) + "; </g>"  # where a page takes the drawing away, its texts still read as a list


def _outline(node: Node) -> Iterable[str]:
    w, h = map(_n, node.size)
    if node.kind == "module":
        yield f'<rect class="x" x="4" y="-4" width="{w}" height="{h}"/>'
    radius = {"input": ' rx="15"', "port": ' rx="15"'}.get(node.kind, "")
    yield f'<rect width="{w}" height="{h}"{radius}/>'
    if node.kind == "parameter":
        yield f'<path class="s" d="M0 0v{h}"/>'
    if node.leaves:
        yield f'<path class="o" d="M{w} {_n(node.size[1] / 2)}h9m-4-4 4 4-4 4"/>'


def _n(x: float) -> str:
    return str(round(x))


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def in_box(array: Any, label: str = "") -> str:
    """What fits into a box: one or two numbers, else the shape."""
    if 0 < array.size <= 2:
        numbers = [f"{x:.3g}" if array.dtype.kind == "f" else number(x) for x in array.reshape(-1).tolist()]
        return label + ", ".join(numbers).replace("-", "−").replace("e−", "e-")
    return label + "×".join(map(str, array.shape))
