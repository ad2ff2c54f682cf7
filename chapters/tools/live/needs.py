"""Which cells above a cell must have run before it, found in their text alone.

A page runs what a cell needs instead of everything above it. A cell needs another

- that binds a name which it reads, where no cell between them binds it anew whatever happens;
- that reads or binds an object which it reads, too: it may change it (``optimizer.step()`` changes the model, so what shares a cell once
  is taken for one group of objects); but not for what is steady: modules, functions, classes, and literals that no cell changes;
- whose names the functions that it calls read, at the time of the call;
- that draws random numbers from minilm's generator, where it draws some itself (`Facts.draws`, recorded from a run), from the cell on that
  sets the seed; that changes a setting which holds for all that follows (`Facts.sets`);
- and all that those need.

Where a text hides its names (``exec``, ``globals``, ``import *``, a magic), it needs all cells above it, and all below need it. The same is
taken for a cell of which no facts are recorded. The last word has the comparison: run with nothing but its needs, a cell prints what the
committed notebook prints (`tests.browser.live_times`).
"""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

HIDING = {"exec", "eval", "globals", "locals", "vars", "setattr", "get_ipython", "__import__", "reload", "compile"}
CHANGING = {
    "append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse", "add", "discard", "update", "setdefault", "popitem",
}  # fmt: skip
SEEDS = {"manual_seed"}


class Facts(NamedTuple):
    """What a run showed of a cell, that its text does not.

    Attributes:
        draws: it changed the state of a generator that all cells share.
        sets: it changed a setting that all cells share: a default, a style, the environment, files in the working folder.
    """

    draws: bool
    sets: bool


@dataclass
class Names:
    """The names of a cell.

    Attributes:
        binds: those that it gives a value.
        surely: those of them that it gives one whatever happens.
        reads: those that it reads, or may, before it has surely bound them.
        later: those that its functions read when they are called.
        steady: those that it binds to a module, a function, a class or a literal.
        imports: those that it binds to a module, or to what a module has.
        parts: those that it binds to a part of another (``F = nn.functional``), with the other's name.
        changes: those whose objects it changes for all to see (``x[0] = 1``).
        calls: those with a method that changes a list or its like (``x.append(1)``).
        hides: its names cannot be told from its text.
        seeds: it sets the seed before all else that it calls.
    """

    binds: set[str] = field(default_factory=set)
    surely: set[str] = field(default_factory=set)
    reads: set[str] = field(default_factory=set)
    later: set[str] = field(default_factory=set)
    steady: set[str] = field(default_factory=set)
    imports: set[str] = field(default_factory=set)
    parts: dict[str, str] = field(default_factory=dict)
    changes: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    hides: bool = False
    seeds: bool = False


def names(source: str) -> Names:
    """The names of a cell with this text."""
    found = Names()
    try:
        tree = ast.parse(source)
    except SyntaxError:
        found.hides = True
        return found
    for statement in tree.body:
        table = symtable.symtable(ast.unparse(statement), "cell", "exec")
        bound = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}
        now = {s.get_name() for s in table.get_symbols() if s.is_referenced()}
        later = set()
        for name, called in _inner(table):
            (later if called else now).add(name)
        bound |= _globals(table)
        if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
            now.add(statement.target.id)
        # What a function reads may be bound below it; only what stands above it, or is bound by it, is not asked of other cells.
        found.reads |= (now - found.surely) | (later - found.surely - bound)
        if not isinstance(
            statement, ast.Assign | ast.AnnAssign | ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom
        ):
            found.reads |= now & bound - found.surely  # bound within a block: perhaps not before it is read
        found.later |= later
        nodes = list(ast.walk(statement))
        found.changes |= set(_changed(nodes))
        found.calls |= set(_called(nodes))
        found.binds |= bound
        if _certain(statement):
            found.surely |= bound
        if _is_steady(statement):
            found.steady |= bound
        elif bound:
            found.steady -= bound
        if isinstance(statement, ast.Import | ast.ImportFrom):
            found.imports |= bound
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Attribute):
            found.parts |= {name: root for name in bound for root in _root(statement.value)}
        found.hides |= any(
            alias.name == "*" for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names
        )
    found.hides |= bool((found.reads | found.later) & HIDING) or any(isinstance(node, ast.Delete) for node in tree.body)
    found.seeds = _seeds_first(tree)
    return found


def _inner(table: symtable.SymbolTable) -> Iterator[tuple[str, bool]]:
    """The global names that inner scopes read, and whether only when they are called: the bodies of functions."""
    for child in table.get_children():
        called = child.get_type() == "function" and child.get_name() not in (
            "listcomp",
            "genexpr",
            "setcomp",
            "dictcomp",
        )
        for symbol in child.get_symbols():
            if symbol.is_referenced() and symbol.is_global():
                yield symbol.get_name(), called
        for name, deeper in _inner(child):
            yield name, called or deeper


def _globals(table: symtable.SymbolTable) -> set[str]:
    """The names that inner scopes bind for the whole notebook, with ``global``."""
    found = set()
    for child in table.get_children():
        found |= {s.get_name() for s in child.get_symbols() if s.is_declared_global() and s.is_assigned()} | _globals(
            child
        )
    return found


def _certain(statement: ast.stmt) -> bool:
    """Whether the statement binds its names whatever happens; a ``with`` ends as its block ends."""
    if isinstance(statement, ast.With):
        return all(_certain(inner) for inner in statement.body)
    return not isinstance(statement, ast.If | ast.For | ast.While | ast.Try | ast.Match)


def _is_steady(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef):
        return True
    if isinstance(statement, ast.Assign):
        return _is_literal(statement.value)
    return False


def _is_literal(value: ast.expr) -> bool:
    """Numbers, texts, and lists and the like of them; a lambda, too."""
    plain = (
        ast.Constant,
        ast.List,
        ast.Tuple,
        ast.Dict,
        ast.Set,
        ast.UnaryOp,
        ast.BinOp,
        ast.expr_context,
        ast.operator,
        ast.unaryop,
    )
    return isinstance(value, ast.Lambda) or all(isinstance(node, plain) for node in ast.walk(value))


def _changed(nodes: Sequence[ast.AST]) -> Iterator[str]:
    """The names whose objects a statement changes, as far as that can be seen."""
    for node in nodes:
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            yield from _root(node)


def _called(nodes: Sequence[ast.AST]) -> Iterator[str]:
    """The names of whose objects a statement calls a method that changes lists and their like."""
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGING:
            yield from _root(node.func)


def _root(node: ast.expr) -> Iterator[str]:
    """``x`` of ``x.y[0].z``."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    if isinstance(node, ast.Name):
        yield node.id


def _seeds_first(tree: ast.Module) -> bool:
    """Whether nothing is called before the seed is set, at the top of the cell."""
    for statement in tree.body:
        calls = [node for node in ast.walk(statement) if isinstance(node, ast.Call)]
        if isinstance(statement, ast.Expr) and calls and isinstance(calls[0].func, ast.Attribute | ast.Name):
            called = calls[0].func.attr if isinstance(calls[0].func, ast.Attribute) else calls[0].func.id
            if called in SEEDS and len(calls) == 1:
                return True
        if calls and not isinstance(statement, ast.FunctionDef | ast.ClassDef):
            return False
    return False


Version = tuple[str, int]  # a name, and the cell that bound it


def needs(sources: Sequence[str], facts: Sequence[Facts | None]) -> list[list[int]]:
    """For each cell the numbers of those above it that it needs, in order.

    Args:
        facts: of each cell what a run showed; None where it is not known.
    """
    found = [names(source) for source in sources]
    imported = {name for each in found for name in each.imports}
    changed = {name for each in found for name in each.changes | (each.calls - imported)}  # np.append changes nothing
    current: dict[str, set[int]] = {}  # the cells that may have bound the name last
    group: dict[
        Version, Version
    ] = {}  # objects that may be the same, or hold one another: each leads to the next of its group
    touched: list[set[Version]] = []  # by each cell, without what is steady
    carried: list[set[str]] = []  # the names that what a cell binds may read when it is called later
    answer: list[list[int]] = []

    def leader(version: Version) -> Version:
        above = group.setdefault(version, version)
        if above != version:
            above = group[version] = leader(above)
        return above

    def is_steady(version: Version) -> bool:
        name, cell = version
        steady = name in found[cell].steady or found[cell].parts.get(name) in imported
        return steady and name not in changed

    def reach(start: set[str]) -> set[Version]:
        """The versions that are read: those of the names, and of the names that functions among them read when they are called."""
        seen: set[Version] = set()
        left = list(start)
        while left:
            name = left.pop()
            for version in [(name, cell) for cell in current.get(name, ())]:
                if version not in seen:
                    seen.add(version)
                    left += carried[version[1]]
        return seen

    for k, cell in enumerate(found):
        read = reach(cell.reads)
        mine = read | {(name, k) for name in cell.binds}
        carried.append(cell.later.union(*(carried[j] for _, j in read)))
        loose = {version for version in mine if not is_steady(version)}
        touched.append(loose)
        first = next(iter(loose), None)
        for version in loose:
            group[leader(version)] = leader(first)
        direct = {j for _, j in read}
        if first is not None and loose & read:
            direct |= {j for j in range(k) if any(leader(version) == leader(first) for version in touched[j])}
        direct |= _unseen(k, found, facts)
        direct.discard(k)
        if cell.hides or facts[k] is None:
            direct = set(range(k))
        answer.append(sorted(direct.union(*(answer[j] for j in direct))))
        for name in cell.binds:
            current[name] = {k} if name in cell.surely else current.get(name, set()) | {k}
    return answer


def _unseen(k: int, found: Sequence[Names], facts: Sequence[Facts | None]) -> set[int]:
    """The cells above that a cell needs for what no name says: settings, and random numbers."""
    above = {j for j in range(k) if found[j].hides or (fact := facts[j]) is None or fact.sets}
    fact = facts[k]
    if fact is not None and fact.draws and not found[k].seeds:
        for j in reversed(range(k)):
            other = facts[j]
            if other is not None and other.draws:
                above.add(j)
                if found[j].seeds:
                    break
    return above


__all__ = ["Facts", "Names", "names", "needs"]
