"""Small changes of the solution, each run on the same inputs: the answer that differs from it in one place.

A change that gives in every test what the student gave names the place: "a mean stands where a sum should". Changes are made in the
solution's syntax tree, so that each task has them without its author's work.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, combinations, islice
from typing import Any

import numpy as np

from minilm.exercises import inputs
from minilm.exercises.causes import partly
from minilm.exercises.causes.wrong_answers import agreement, alike, budget, performed
from minilm.exercises.perform import Ran
from minilm.exercises.task import Task
from minilm.exercises.verdict import Cause, Outcome

EVIDENCE = "With this one change the right answer"
MOST = 800
"""So many changes of a solution are tried."""


@dataclass
class Change:
    """One place of a solution, changed.

    Attributes:
        name: of the cause.
        says: what the student's answer has in common with it.
        look: what to look at.
        new: makes the new node from (a copy of) the old one; None takes a statement away.
        base: how sure it is that this is what happened if the results are those.
    """

    name: str
    says: str
    look: str
    new: Callable[[Any], ast.AST | None]
    base: float = 0.86


def changed(task: Task, outcomes: list[Outcome], seed: int | None = None) -> list[Cause]:
    """Causes from the changes that give what the student gave."""
    first = next(o for o in outcomes if not o.passed)
    if task.kind not in ("code", "find the bug", "number") or first.ran.trouble:
        return []
    try:
        tree = ast.parse(task.solution)
    except SyntaxError:
        return []
    left = budget(task, seed)
    found: list[Cause] = []
    likely: list[Cause] = []
    filename = f"<a change of the solution of {task.id}>"
    one = without(tree, *_ranges_of_inputs(task, outcomes))
    given = of_the_statement(tree, list(task.values(seed)))
    every = chain(_single(tree), everywhere(tree), exchanged(tree), from_the_other_end(tree), one, given)
    for change, text in islice(every, MOST):
        if left.spent:
            break
        begun = performed(task, text, filename, seed, left, only=outcomes.index(first))
        if begun is None or not (alike(first, begun[0]) or partly.one_part([first], begun)):
            continue
        rans = performed(task, text, filename, seed, left)
        if rans is None:
            continue
        if (fit := agreement(outcomes, rans)) is not None:
            found.append(_cause(change, outcomes, rans, fit))
        elif (part := partly.agreement(outcomes, rans, least=6.0, share=0.75)) is not None:
            evidence, sure = part
            says = evidence.replace("an answer with this mistake", "the right answer with this one change")
            confidence = round(change.base * sure, 4)
            likely.append(Cause(change.name, "relation", change.says, says, change.look, confidence))
    found.sort(key=lambda cause: -cause.confidence)
    if len({cause.name for cause in found}) > 1:
        for cause in found:
            cause.confidence *= 0.9
    if not found:
        found = sorted(likely, key=lambda cause: -cause.confidence)
        if len({cause.says for cause in found}) > 1:  # a part alone does not tell them apart
            for cause in found:
                cause.confidence *= 0.7
    return found


def _single(tree: ast.Module) -> Iterator[tuple[Change, str]]:
    """Each change at each place, with the solution's text after it."""
    for index, change in _changes(tree):
        text = _applied(tree, index, change)
        if text is not None:
            yield change, text


def everywhere(tree: ast.Module) -> Iterator[tuple[Change, str]]:
    """Changes that are made at all places at once: one function for another, one axis for another."""
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call)]
    names = [_called(n) for n in calls]
    for name in sorted(set(names)):
        if names.count(name) > 1:
            for other, slug in NAMES.get(name, ()):
                says = f"It is {_a(other)} where {_a(name)} is asked, everywhere."
                yield from _rewritten(
                    tree, Change(slug, says, f"The {name}: which function is asked.", _same, 0.9), _Rename(name, other)
                )
    keywords = [k.value for n in calls for k in n.keywords if k.arg == "axis"]
    axes = {_integer(value) for value in keywords}
    for axis in sorted(a for a in axes if a is not None):
        others: tuple[int | None, ...] = (1, None) if axis == 0 else (0, None) if axis in (1, -1) else (0, 1, -1, None)
        for over in others:
            if over != axis:
                shown = "over everything" if over is None else f"over axis {over}"
                says = f"The reductions run {shown}, and should run over axis {axis}."
                change = Change(
                    "wrong-axis", says, "Which axis counts what; the shape before and after.", lambda n: n, 0.92
                )
                yield from _rewritten(tree, change, _Axis(axis, over))


class _OtherEnd(ast.NodeTransformer):
    """x[:n] becomes x[-n:], and x[n:] becomes x[:-n]: the same number of elements, from the other end."""

    def __init__(self, name: str) -> None:
        self.name = name

    def visit_Slice(self, node: ast.Slice) -> ast.AST:
        minus = ast.UnaryOp(ast.USub(), ast.Name(self.name, ast.Load()))
        if node.step is None and node.lower is None and getattr(node.upper, "id", "") == self.name:
            return ast.Slice(minus, None, None)
        if node.step is None and node.upper is None and getattr(node.lower, "id", "") == self.name:
            return ast.Slice(None, minus, None)
        return node


def from_the_other_end(tree: ast.Module) -> Iterator[tuple[Change, str]]:
    """What is cut off at the beginning is cut off at the end, wherever it is."""
    bounds = [
        b for n in ast.walk(tree) if isinstance(n, ast.Slice) for b in (n.lower, n.upper) if isinstance(b, ast.Name)
    ]
    for name in sorted({bound.id for bound in bounds}):
        says = f"The {name} elements are taken from the end, and should be taken from the beginning."
        yield from _rewritten(
            tree, Change("from the other end", says, f"x[:{name}] and x[-{name}:].", _same, 0.9), _OtherEnd(name)
        )


def exchanged(tree: ast.Module) -> Iterator[tuple[Change, str]]:
    """Two neighboring lines in the other order; and one argument where another belongs."""
    for index, node in enumerate(ast.walk(tree)):
        body = getattr(node, "body", None)
        if isinstance(node, ast.Module | ast.ClassDef) or not isinstance(body, list):
            continue
        for i in range(len(body) - 1):
            if isinstance(body[i + 1], ast.Return) or isinstance(body[i], ast.FunctionDef):
                continue
            says = f"Two steps are in the other order: {_short(body[i + 1])} comes before {_short(body[i])}."
            change = Change(
                "order of steps", says, "What a step needs from the one before it.", _lines_exchanged(i), 0.88
            )
            if (text := _applied(tree, index, change)) is not None:
                yield change, text
    yield from exchanged_parameters(tree)
    yield from wrong_names(tree)


def exchanged_parameters(tree: ast.Module) -> Iterator[tuple[Change, str]]:
    """Two arguments each in the other's place, in the whole function."""
    for function in [n for n in tree.body if isinstance(n, ast.FunctionDef)]:
        for a, b in combinations([p.arg for p in function.args.args], 2):
            says = f"{a} and {b} are exchanged: each is used where the other belongs."
            change = Change("wrong variable", says, "Which of the names stands in each place.", _same, 0.88)
            yield from _rewritten(tree, change, _Exchanged(a, b))


class _Exchanged(ast.NodeTransformer):
    def __init__(self, a: str, b: str) -> None:
        self.other = {a: b, b: a}

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(self.other.get(node.id, node.id), node.ctx)


def wrong_names(tree: ast.Module) -> Iterator[tuple[Change, str]]:
    """One argument where another belongs, at one place or in a whole line; in a return statement any name."""
    numbers = {id(n): i for i, n in enumerate(ast.walk(tree))}
    for function in [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]:
        parameters = [a.arg for a in function.args.args if a.arg != "self"]
        local = sorted({n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)})
        for line in [
            n for n in ast.walk(function) if isinstance(n, ast.Assign | ast.AugAssign | ast.Return | ast.Expr)
        ]:
            there = parameters + (local if isinstance(line, ast.Return) else [])
            places = [
                n for n in ast.walk(line) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load) and n.id in there
            ]
            for node in places:
                for other in [name for name in there if name != node.id]:
                    change = _wrong_name(node.id, other, _as_name(other))
                    if (text := _applied(tree, numbers[id(node)], change)) is not None:
                        yield change, text
            read = [n.id for n in places]
            for name in [p for p in parameters if read.count(p) > 1]:
                for other in [p for p in parameters if p != name]:
                    change = _wrong_name(name, other, _Parameter(name, other).visit)
                    if (text := _applied(tree, numbers[id(line)], change)) is not None:
                        yield change, text


def of_the_statement(tree: ast.Module, names: list[str]) -> Iterator[tuple[Change, str]]:
    """One of the statement's numbers where another belongs, or one more or less than it: in an answer that is no function."""
    there = {*names, *(n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))}
    for index, node in enumerate(ast.walk(tree) if names else ()):
        if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load) or node.id not in there:
            continue
        for other in [name for name in names if name != node.id]:
            yield from _at(tree, index, _wrong_name(node.id, other, _as_name(other)))
        for step, word in ((1, "more"), (-1, "less")):
            says = f"{node.id} counts with one {word} at one place."
            yield from _at(
                tree, index, Change("off by one", says, "Whether it is n, n - 1 or n + 1.", _plus(step), 0.84)
            )


def _at(tree: ast.Module, index: int, change: Change) -> Iterator[tuple[Change, str]]:
    if (text := _applied(tree, index, change)) is not None:
        yield change, text


def _plus(step: int) -> Callable[[Any], ast.AST]:
    return lambda node: ast.BinOp(node, ast.Add(), ast.Constant(step))


def _wrong_name(name: str, other: str, new: Callable[[Any], ast.AST | None]) -> Change:
    says = f"{other} is used where {name} belongs."
    return Change("wrong variable", says, "Which of the names stands in each place.", new, 0.88)


def without(tree: ast.Module, fractions: set[str], counts: dict[str, set[int]]) -> Iterator[tuple[Change, str]]:
    """One parameter is 0, 1 or one minus itself, or a small constant that is written in, wherever it is used."""
    for function in [n for n in tree.body if isinstance(n, ast.FunctionDef)]:
        for name in [a.arg for a in function.args.args]:
            look = f"Each place in which {name} enters."
            says = f"The argument {name} has no effect: it counts as"
            yield from _rewritten(
                tree, Change("argument-ignored", f"{says} 1.", look, _same, 0.86), _Parameter(name, "({0} * 0 + 1)")
            )
            yield from _rewritten(
                tree, Change("argument-ignored", f"{says} 0.", look, _same, 0.86), _Parameter(name, "({0} * 0)")
            )
            yield from _rewritten(
                tree, Change("argument-ignored", f"{says} None.", look, _same, 0.86), _Parameter(name, "None")
            )
            for number in ("1e-5", "1e-6", "1e-8", "1e-10", "1e-12") if name in ("eps", "epsilon") else ():
                says = f"The argument {name} has no effect: {number} is written into the code in its place."
                yield from _rewritten(
                    tree, Change("constant for an argument", says, look, _same, 0.9), _Parameter(name, number)
                )
            for form, word in (("({0} - 1)", "less"), ("({0} + 1)", "more")) if name in counts else ():
                says = f"It counts with one {word} than {name}, everywhere."
                yield from _rewritten(tree, Change("off by one", says, look, _same, 0.84), _Parameter(name, form))
            values = sorted(counts.get(name, ()))
            for value in values if len(values) > 1 else ():
                says = f"{name} counts as {value}, whatever it is."
                change = Change("hard-coded-size", says, look, _value(value), 0.86)
                yield from _rewritten(tree, change, _Parameter(name, str(value)))
                for index, node in enumerate(ast.walk(tree)):
                    if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
                        yield from _at(tree, index, change)
            if name not in fractions:
                continue
            says = f"1 - {name} is used where {name} belongs, and the other way round."
            yield from _rewritten(
                tree, Change("complement of an input", says, look, _same, 0.87), _Parameter(name, "(1 - {0})")
            )


def _ranges_of_inputs(task: Task, outcomes: list[Outcome]) -> tuple[set[str], dict[str, set[int]]]:
    """The inputs that are numbers from 0 to 1, such as probabilities; and those that are whole numbers, with their values in all tests."""
    rows = [list(zip(inputs.names(task, o.test, len(o.inputs)), o.inputs, strict=True)) for o in outcomes]
    named = rows[0]
    fractions = {name for name, x in named if isinstance(x, float | np.ndarray) and _is_fraction(np.asarray(x))}
    counts: dict[str, set[int]] = {name: set() for name, x in named if isinstance(x, int) and not isinstance(x, bool)}
    for name, x in chain.from_iterable(rows):
        if name in counts and isinstance(x, int):
            counts[name].add(x)
    return fractions, counts


def _is_fraction(x: Any) -> bool:
    return bool(x.dtype.kind == "f" and x.size and x.min() >= 0 and x.max() <= 1)


def _same(node: Any) -> Any:
    return node


class _Parameter(ast.NodeTransformer):
    """Another expression wherever a parameter is read."""

    def __init__(self, name: str, form: str) -> None:
        self.name, self.form = name, form

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id != self.name or not isinstance(node.ctx, ast.Load):
            return node
        return ast.parse(self.form.format(self.name), mode="eval").body


def _rewritten(tree: ast.Module, change: Change, visitor: ast.NodeTransformer) -> Iterator[tuple[Change, str]]:
    yield change, ast.unparse(ast.fix_missing_locations(visitor.visit(copy.deepcopy(tree)))) + "\n"


class _Rename(ast.NodeTransformer):
    def __init__(self, old: str, new: str) -> None:
        self.old, self.new = old, new

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        return _renamed(self.new)(node) if _called(node) == self.old else node


class _Axis(ast.NodeTransformer):
    """Another axis; where it was the first one, whose result broadcasts by itself, with keepdims."""

    def __init__(self, old: int, new: int | None) -> None:
        self.old, self.new = old, new

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        for keyword in node.keywords:
            if keyword.arg == "axis" and _integer(keyword.value) == self.old:
                keyword.value = ast.Constant(self.new)
                if self.old == 0 and self.new is not None and all(k.arg != "keepdims" for k in node.keywords):
                    node.keywords.append(ast.keyword("keepdims", ast.Constant(True)))
        return node


def _integer(node: ast.expr) -> int | None:
    """The number that stands there, -1 included; None for anything else."""
    try:
        x = ast.literal_eval(node)
    except ValueError:
        return None
    return x if isinstance(x, int) else None


def _called(node: ast.Call) -> str:
    return (
        node.func.attr
        if isinstance(node.func, ast.Attribute)
        else node.func.id
        if isinstance(node.func, ast.Name)
        else ""
    )


def _lines_exchanged(i: int) -> Callable[[Any], ast.AST]:
    def new(node: Any) -> ast.AST:
        node.body[i], node.body[i + 1] = node.body[i + 1], node.body[i]
        return node

    return new


def _as_name(name: str) -> Callable[[Any], ast.AST]:
    return lambda node: ast.Name(name, ast.Load())


def _cause(change: Change, outcomes: list[Outcome], rans: list[Ran], fit: float) -> Cause:
    bad = sum(not o.passed for o in outcomes)
    tests = f", in all {len(outcomes)} tests ({bad} of them wrong)" if len(outcomes) > 1 else ""
    evidence = f"{EVIDENCE} gives exactly your results{tests}."
    return Cause(
        change.name, "relation", change.says, evidence, change.look, round(change.base * min(1.0, fit / 0.97), 4)
    )


def _applied(tree: ast.Module, index: int, change: Change) -> str | None:
    """The text of the solution with the node of this number changed."""
    tree = copy.deepcopy(tree)
    target = list(ast.walk(tree))[index]
    new = change.new(target)

    class Replace(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> Any:
            return new if node is target else self.generic_visit(node)

    try:
        return ast.unparse(ast.fix_missing_locations(Replace().visit(tree))) + "\n"
    except Exception:  # what was left is no program, such as a function without a line
        return None


def _changes(tree: ast.Module) -> Iterator[tuple[int, Change]]:
    for index, node in enumerate(ast.walk(tree)):
        maker = _MAKERS.get(type(node))
        if maker is not None:
            for change in maker(node):
                yield index, change


def _short(node: ast.AST) -> str:
    shown = ast.unparse(node)
    return shown if len(shown) <= 40 else shown[:37] + "..."


# --- calls -------------------------------------------------------------------------------------------------------------------------

NAMES: dict[str, tuple[tuple[str, str], ...]] = {
    "sum": (
        ("mean", "mean-for-sum"),
        ("max", "max for sum"),
        ("prod", "product for sum"),
        ("cumsum", "cumulative sum"),
    ),
    "mean": (("sum", "sum-for-mean"), ("median", "median for mean")),
    "max": (("min", "min for max"), ("sum", "sum for max"), ("mean", "mean for max")),
    "min": (("max", "max for min"),),
    "argmax": (("argmin", "argmin for argmax"),),
    "argmin": (("argmax", "argmax for argmin"),),
    "maximum": (("minimum", "min for max"),),
    "minimum": (("maximum", "max for min"),),
    "log": (("log2", "log base"), ("log10", "log base"), ("log1p", "log1p")),
    "log2": (("log", "log base"), ("log10", "log base")),
    "std": (("var", "std-for-variance"),),
    "var": (("std", "std-for-variance"),),
    "zeros": (("ones", "ones for zeros"),),
    "ones": (("zeros", "zeros for ones"),),
    "zeros_like": (("ones_like", "ones for zeros"),),
    "sin": (("cos", "sinusoid-sine-cosine-swapped"),),
    "cos": (("sin", "sinusoid-sine-cosine-swapped"),),
    "triu": (("tril", "mask-transposed"),),
    "tril": (("triu", "mask-transposed"),),
    "floor": (("ceil", "rounding"), ("round", "rounding")),
    "ceil": (("floor", "rounding"),),
    "any": (("all", "all for any"),),
    "all": (("any", "any for all"),),
    "sorted": (("list", "not sorted"),),
    "cumsum": (("sum", "sampled-without-cumulative"),),
    "vstack": (("hstack", "wrong-axis"),),
    "hstack": (("vstack", "wrong-axis"),),
    "floor_divide": (("divide", "integer-division"),),
    "lower": (("upper", "upper for lower"),),
    "upper": (("lower", "lower for upper"),),
}
DROPPED = {
    "sqrt": "root forgotten",
    "exp": "exponent forgotten",
    "log": "logarithm forgotten",
    "log2": "logarithm forgotten",
    "abs": "absolute value",
    "tanh": "tanh forgotten",
    "transpose": "transposed-result",
    "copy": "view-returned",
    "flip": "reversed",
    "square": "square forgotten",
    "cumsum": "cumulative sum forgotten",
    "sorted": "not sorted",
    "set": "counted twice",
    "reversed": "reversed",
    "maximum": "clipping forgotten",
    "clip": "clipping forgotten",
    "minimum": "clipping forgotten",
    "triu": "mask forgotten",
    "tril": "mask forgotten",
    "max": "maximum forgotten",
    "swapaxes": "transposed-result",
    "astype": "dtype",
    "log1p": "logarithm forgotten",
    "sigmoid": "sigmoid forgotten",
    "softmax": "softmax forgotten",
    "lower": "lower case forgotten",
    "strip": "strip forgotten",
    "split": "split forgotten",
    "round": "rounding",
}


def _calls(node: ast.Call) -> Iterator[Change]:
    name = (
        node.func.attr
        if isinstance(node.func, ast.Attribute)
        else node.func.id
        if isinstance(node.func, ast.Name)
        else ""
    )
    for other, slug in NAMES.get(name, ()):
        if name in ("log", "log2") and all(isinstance(x, ast.Constant) for x in node.args):
            continue  # log2(2) is 1: that is a factor that is missing, and no other base
        if (
            isinstance(node.func, ast.Name)
            and name in ("sum", "max", "min", "any", "all")
            and other not in ("min", "max", "any", "all", "sum")
        ):
            continue
        yield Change(
            slug,
            f"It is {_a(other)} where {_a(name)} is asked.",
            f"The {name}: which function the formula asks for.",
            _renamed(other),
            0.9,
        )
    if name in DROPPED:
        yield Change(DROPPED[name], f"The step {name} is missing.", f"Where {name} belongs.", _inner, 0.86)
    for i, keyword in enumerate(node.keywords):
        yield from _keywords(keyword, i)
    if name == "range":
        yield from _ranges(node)
    if name == "split" and isinstance(node.func, ast.Attribute) and not node.args and not node.keywords:
        says = "The text is cut at single spaces, and not at every stretch of white space."
        yield Change("split at one space", says, 'split() and split(" ").', _with_argument(" "), 0.9)
    if name == "sorted" and all(keyword.arg != "reverse" for keyword in node.keywords):
        says = "The order is reversed: from the largest to the smallest."
        yield Change("reversed", says, "sorted, and reverse=.", _with_keyword("reverse", True), 0.9)
    if name in ("std", "var") and all(keyword.arg != "ddof" for keyword in node.keywords):
        says = "It is divided by n - 1 where n is asked (ddof=1)."
        yield Change(
            "unbiased-variance", says, "What the sum of squares is divided by: ddof.", _with_keyword("ddof", 1), 0.9
        )
    if len(node.args) == 2 and name in (
        "matmul",
        "dot",
        "outer",
        "where_",
        "subtract",
        "divide",
        "power",
        "arctan2",
        "log_ratio",
    ):
        yield Change(
            "products-swapped-in-backward",
            f"The two arguments of {name} are exchanged.",
            f"The order of the arguments of {name}.",
            _swapped_arguments,
        )
    if name == "where" and len(node.args) == 3:
        yield Change(
            "condition reversed",
            "The two cases of a condition are exchanged.",
            "np.where(condition, if so, if not).",
            _swapped_last,
        )


def _a(name: str) -> str:
    return f"{'an' if name[0] in 'aeio' else 'a'} {name}"


def _keywords(keyword: ast.keyword, i: int) -> Iterator[Change]:
    if keyword.arg == "axis":
        try:
            axis = ast.literal_eval(keyword.value)
        except ValueError:
            return
        others = {0: (1, -1), 1: (0, 2), -1: (0, -2), -2: (-1,), 2: (1,)}.get(axis, ()) if isinstance(axis, int) else ()
        for other in (*others, None):
            shown = "over everything" if other is None else f"over axis {other}"
            yield Change(
                "wrong-axis",
                f"A reduction runs {shown}, and should run over axis {axis}.",
                "Which axis counts what; the shape before and after.",
                _keyword(i, other),
                0.92,
            )
    elif keyword.arg == "ddof":
        yield Change("n-for-n-minus-one", "It is divided by n where n - 1 is asked.", "ddof.", _keyword(i, 0), 0.9)
    elif keyword.arg == "reverse":
        yield Change("reversed", "The order is reversed.", "reverse=.", _keyword(i, False), 0.9)
    elif keyword.arg == "k":
        for other in (0, 1, -1):
            yield Change(
                "mask-off-by-one",
                "The mask is off by one: the diagonal is on the wrong side.",
                "k= of triu or tril.",
                _keyword(i, other),
                0.9,
            )
    elif keyword.arg == "dtype":
        yield Change("wrong dtype", "A dtype was not given.", "dtype=.", _without_keyword(i), 0.85)


def _ranges(node: ast.Call) -> Iterator[Change]:
    which = {1: (0,), 2: (0, 1), 3: (0, 1)}.get(len(node.args), ())
    for i in which:
        for step, word in ((1, "late"), (-1, "early")):
            end = i == len(node.args) - 1 or i == 1
            says = f"A loop {'ends' if end else 'begins'} one step too {word}."
            yield Change(
                "range-off-by-one",
                says,
                "The bounds of the loop: range(n) ends at n - 1.",
                _argument_plus(i, step),
                0.88,
            )
    if len(node.args) == 1:
        says = "A loop begins one step too late: the first one is missing."
        yield Change("range-off-by-one", says, "The bounds of the loop: range(n) begins at 0.", _from_one, 0.88)


def _loop(node: ast.For | ast.comprehension) -> Iterator[Change]:
    """What is gone through, cut or turned round."""
    if isinstance(node.iter, ast.Call | ast.Constant):
        return
    over = _short(node.iter)
    for cut, slug, says in (
        (ast.Slice(None, ast.Constant(1)), "loop-returns-early", f"Only the first of {over} counts."),
        (ast.Slice(ast.Constant(1)), "range-off-by-one", f"The first of {over} is left out."),
        (ast.Slice(None, ast.Constant(-1)), "range-off-by-one", f"The last of {over} is left out."),
        (ast.Slice(None, None, ast.Constant(-1)), "reversed", f"{over} is gone through from its end."),
    ):
        yield Change(slug, says, "Where the loop begins and ends; where a return stands.", _cut(cut), 0.86)


# --- operators ---------------------------------------------------------------------------------------------------------------------


def _binary(node: ast.BinOp) -> Iterator[Change]:
    left, right = _short(node.left), _short(node.right)
    if isinstance(node.op, ast.Add | ast.Sub):
        word = "+" if isinstance(node.op, ast.Add) else "-"
        other = "-" if word == "+" else "+"
        if not isinstance(node.left, ast.Constant | ast.JoinedStr):
            yield Change(
                "sign",
                f"A sign is wrong: {other} where {word} should be, before {right}.",
                "The signs in the formula.",
                _operator(ast.Sub if word == "+" else ast.Add),
                0.88,
            )
        slug = "epsilon-forgotten" if "eps" in right else "summand forgotten"
        yield Change(slug, f"The term {word} {right} is missing.", "All terms of the formula.", _left, 0.88)
        if word == "+":
            yield Change("summand forgotten", f"The term {left} is missing.", "All terms of the formula.", _right, 0.88)
        else:
            yield Change(
                "summand forgotten",
                f"The part {left} of {left} - {right} is missing, with its sign.",
                "All terms of the formula.",
                _right,
                0.84,
            )
            yield Change(
                "sign",
                f"{left} and {right} are exchanged in a difference.",
                "What is subtracted from what.",
                _exchanged,
                0.9,
            )
    elif isinstance(node.op, ast.Mult):
        if isinstance(node.right, ast.BinOp) and isinstance(node.right.op, ast.Add | ast.Sub):
            says = f"The factor {left} reaches only the first of two terms: brackets around {right} are missing."
            yield Change(
                "brackets", says, "What a factor applies to: * binds tighter than + and -.", _bracket_right, 0.92
            )
        if isinstance(node.left, ast.BinOp) and isinstance(node.left.op, ast.Add | ast.Sub):
            says = f"The factor {right} reaches only the last of two terms: brackets around {left} are missing."
            yield Change(
                "brackets", says, "What a factor applies to: * binds tighter than + and -.", _bracket_left, 0.92
            )
        yield Change(
            "factor forgotten",
            f"The factor {right} is missing.",
            "All factors of the formula; the chain rule.",
            _left,
            0.88,
        )
        yield Change(
            "factor forgotten",
            f"The factor {left} is missing.",
            "All factors of the formula; the chain rule.",
            _right,
            0.88,
        )
        yield Change(
            "product for quotient",
            f"It is divided by {right} where it should be multiplied.",
            "Product or quotient.",
            _operator(ast.Div),
            0.88,
        )
    elif isinstance(node.op, ast.Div):
        if isinstance(node.left, ast.BinOp) and isinstance(node.left.op, ast.Add | ast.Sub):
            says = f"Only the last of two terms is divided by {right}: brackets around {left} are missing."
            yield Change("brackets", says, "What is divided: / binds tighter than + and -.", _bracket_left, 0.92)
        if isinstance(node.right, ast.BinOp) and isinstance(node.right.op, ast.Add | ast.Sub | ast.Mult):
            says = f"It is divided only by the first of {right}: brackets around it are missing."
            yield Change("brackets", says, "What it is divided by: a / b * c is (a / b) * c.", _bracket_right, 0.92)
        yield Change(
            "divisor forgotten", f"The division by {right} is missing.", "What the result is divided by.", _left, 0.88
        )
        yield Change(
            "product for quotient",
            f"It is multiplied by {right} where it should be divided.",
            "Product or quotient.",
            _operator(ast.Mult),
            0.88,
        )
        yield Change(
            "reciprocal", f"The quotient {left} / {right} is upside down.", "What is divided by what.", _exchanged, 0.88
        )
        yield Change(
            "integer-division",
            "// stands where / is asked: it rounds down.",
            "/ and //.",
            _operator(ast.FloorDiv),
            0.88,
        )
    elif isinstance(node.op, ast.FloorDiv):
        yield Change("integer-division", "/ stands where // is asked.", "/ and //.", _operator(ast.Div), 0.88)
    elif isinstance(node.op, ast.Pow):
        if isinstance(node.right, ast.Constant) and node.right.value == 2:
            says = f"An absolute value stands where a square is asked, of {left}."
            yield Change("square forgotten", says, "Squares or absolute values.", _absolute, 0.9)
            yield Change("square forgotten", f"{left} is cubed, not squared.", "The exponent.", _cubed, 0.85)
        yield Change("square forgotten", f"The power {right} is missing.", "The exponents of the formula.", _left, 0.88)
        yield Change(
            "power",
            f"{left} times {right} stands where a power is asked.",
            "The exponents of the formula.",
            _operator(ast.Mult),
            0.86,
        )
    elif isinstance(node.op, ast.MatMult):
        yield Change(
            "products-swapped-in-backward",
            "The two factors of a matrix product are exchanged.",
            "The order of the factors, and their shapes.",
            _exchanged,
            0.88,
        )
        yield Change(
            "product elementwise",
            "A product is taken elementwise where a matrix product is asked.",
            "@ and *.",
            _operator(ast.Mult),
            0.88,
        )
        for side, shown in (("left", left), ("right", right)):
            yield Change(
                "transpose-missing-in-backward",
                f"The transpose of {shown} is wrong: it is missing, or there is one too many.",
                "The shapes of the factors.",
                _transposed(side),
                0.88,
            )
    elif isinstance(node.op, ast.Mod):
        yield Change(
            "modulo forgotten",
            f"The remainder by {right} is missing.",
            "What happens at the end of the range.",
            _left,
            0.85,
        )


def _unary(node: ast.UnaryOp) -> Iterator[Change]:
    if isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        yield Change(
            "sign",
            f"The minus before {_short(node.operand)} is missing.",
            "The signs in the formula.",
            lambda n: n.operand,
            0.9,
        )
    if isinstance(node.op, ast.Not | ast.Invert):
        yield Change(
            "condition reversed",
            "A condition is the wrong way round.",
            f"Whether {_short(node.operand)} or its opposite is meant.",
            lambda n: n.operand,
            0.88,
        )


COMPARISONS: dict[type[ast.cmpop], tuple[tuple[type[ast.cmpop], str], ...]] = {
    ast.Lt: ((ast.LtE, "boundary"), (ast.Gt, "condition reversed")),
    ast.LtE: ((ast.Lt, "boundary"), (ast.GtE, "condition reversed")),
    ast.Gt: ((ast.GtE, "boundary"), (ast.Lt, "condition reversed")),
    ast.GtE: ((ast.Gt, "boundary"), (ast.LtE, "condition reversed")),
    ast.Eq: ((ast.NotEq, "condition reversed"),),
    ast.NotEq: ((ast.Eq, "condition reversed"),),
    ast.In: ((ast.NotIn, "condition reversed"),),
    ast.NotIn: ((ast.In, "condition reversed"),),
}


def _compare(node: ast.Compare) -> Iterator[Change]:
    for other, slug in COMPARISONS.get(type(node.ops[0]), ()):
        shown = _short(node)
        says = (
            f"The case of equality is on the wrong side in {shown}."
            if slug == "boundary"
            else f"The condition {shown} is the wrong way round."
        )
        yield Change(
            slug,
            says,
            "What holds at the boundary." if slug == "boundary" else "The condition.",
            _comparison(other),
            0.88,
        )


def _condition(node: ast.If | ast.IfExp) -> Iterator[Change]:
    shown = _short(node.test)
    for value, word in ((True, "always held"), (False, "never held")):
        says = f"It works as if {shown} {word}."
        look = "The condition, and whether what it compares changes as it should."
        yield Change("case forgotten", says, look, _test(value), 0.8)


def _expression(node: ast.Expr) -> Iterator[Change]:
    if isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "np.add.at" and len(node.value.args) == 3:
        says = f"An index that occurs twice in {_short(node.value.args[1])} is added to once only."
        look = "x[ids] += y stores one result per index; np.add.at(x, ids, y) adds each time."
        yield Change("fancy-index-adds-once", says, look, _added_once, 0.92)
    if isinstance(node.value, ast.Call):
        says = f"The step {_short(node.value)} is missing."
        yield Change("step forgotten", says, "The steps of the method, in their order.", lambda n: None, 0.92)


def _constant(node: ast.Constant) -> Iterator[Change]:
    x = node.value
    if isinstance(x, bool) or not isinstance(x, int | float):
        return
    others = [x + 1, x - 1] if isinstance(x, int) else [2 * x, x / 2, 10 * x, x / 10]
    if x not in (0, 1):
        others.append(1)
    for other in others:
        yield Change(
            "off by one" if isinstance(x, int) else "constant",
            f"A number is {other:g} and should be {x:g}.",
            "The numbers in the formula, and where counting begins.",
            _value(other),
            0.8,
        )


def _attribute(node: ast.Attribute) -> Iterator[Change]:
    if node.attr == "T":
        yield Change(
            "transpose-missing-in-backward",
            f"The transpose of {_short(node.value)} is missing.",
            "The shapes of the factors.",
            lambda n: n.value,
            0.9,
        )


def _slice(node: ast.Slice) -> Iterator[Change]:
    if node.lower is not None:
        yield Change(
            "off-by-one-shift",
            "A slice begins too early: what comes first is not left out.",
            "Begin and end of the slices.",
            _bounds(lower=False),
            0.84,
        )
    if node.upper is not None:
        yield Change(
            "off-by-one-shift",
            "A slice ends too late: what comes last is not left out.",
            "Begin and end of the slices.",
            _bounds(upper=False),
            0.84,
        )
    if isinstance(node.upper, ast.BinOp):
        for step, word in ((1, "late"), (-1, "early")):
            says = f"A slice ends one too {word}: {_short(node.upper)} {'+' if step > 0 else '-'} 1 in place of {_short(node.upper)}."
            yield Change("off by one", says, "Begin and end of the slices.", _end_plus(step), 0.84)


def _subscript(node: ast.Subscript) -> Iterator[Change]:
    """The first or the last element where each in its turn is asked."""
    if not isinstance(node.ctx, ast.Load) or not isinstance(node.slice, ast.Name | ast.BinOp):
        return
    for at, word in ((-1, "last"), (0, "first")):
        says = f"The {word} element is taken each time where {_short(node)} is asked."
        yield Change("index forgotten", says, "Which index changes from round to round.", _index(at), 0.88)


def _index(at: int) -> Callable[[Any], ast.AST]:
    def new(node: Any) -> ast.AST:
        node.slice = ast.Constant(at)
        return node

    return new


def _added_once(node: Any) -> ast.AST:
    target, index, value = node.value.args
    return ast.AugAssign(ast.Subscript(target, index, ast.Store()), ast.Add(), value)


def _augmented(node: ast.AugAssign) -> Iterator[Change]:
    if isinstance(node.op, ast.Add):
        yield Change(
            "set-not-accumulated",
            f"{_short(node.target)} is set, not added to: only the last contribution stays.",
            "= and +=.",
            lambda n: ast.Assign([n.target], n.value),
            0.92,
        )
    if isinstance(node.op, ast.Add | ast.Sub):
        right, wrong, other = (
            ("added to", "subtracted", ast.Sub)
            if isinstance(node.op, ast.Add)
            else ("subtracted from", "added", ast.Add)
        )
        says = f"A sign is wrong: it is {wrong} where something is to be {right} {_short(node.target)}."
        yield Change("sign", says, "The signs in the formula.", _operator(other), 0.88)
    yield Change(
        "step forgotten",
        f"The step that changes {_short(node.target)} is missing.",
        "The steps of the method, in their order.",
        lambda n: None,
        0.84,
    )


def _assigned(node: ast.Assign) -> Iterator[Change]:
    target = _short(node.targets[0])
    inside = {n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)}
    if target.partition("[")[0].partition(".")[0] in inside or "[" in target:
        yield Change(
            "step forgotten",
            f"The step that changes {target} is missing.",
            "The steps of the method, in their order.",
            lambda n: None,
            0.84,
        )


def _return(node: ast.Return) -> Iterator[Change]:
    if isinstance(node.value, ast.Tuple) and len(node.value.elts) == 2:
        yield Change(
            "returned in another order",
            "The two returned values are exchanged.",
            "The order in the return statement.",
            _reversed_tuple,
            0.92,
        )


# --- new nodes ---------------------------------------------------------------------------------------------------------------------


def _renamed(name: str) -> Callable[[Any], ast.AST]:
    def new(node: Any) -> ast.AST:
        if isinstance(node.func, ast.Attribute):
            node.func.attr = name
        else:
            node.func.id = name
        return node

    return new


def _inner(node: Any) -> ast.AST:
    if isinstance(node.func, ast.Attribute) and not (
        isinstance(node.func.value, ast.Name) and node.func.value.id in ("np", "math", "ml", "codecs")
    ):
        return node.func.value
    return node.args[0] if node.args else node


def _keyword(i: int, value: Any) -> Callable[[Any], ast.AST]:
    def new(node: Any) -> ast.AST:
        node.keywords[i].value = ast.Constant(value)
        return node

    return new


def _with_keyword(name: str, value: Any) -> Callable[[Any], ast.AST]:
    def new(node: Any) -> ast.AST:
        node.keywords.append(ast.keyword(name, ast.Constant(value)))
        return node

    return new


def _without_keyword(i: int) -> Callable[[Any], ast.AST]:
    def new(node: Any) -> ast.AST:
        del node.keywords[i]
        return node

    return new


def _argument_plus(i: int, step: int) -> Callable[[Any], ast.AST]:
    def new(node: Any) -> ast.AST:
        node.args[i] = ast.BinOp(node.args[i], ast.Add(), ast.Constant(step))
        return node

    return new


def _with_argument(value: Any) -> Callable[[Any], ast.AST]:
    def new(node: Any) -> ast.AST:
        node.args.append(ast.Constant(value))
        return node

    return new


def _from_one(node: Any) -> ast.AST:
    node.args.insert(0, ast.Constant(1))
    return node


def _cut(cut: ast.Slice) -> Callable[[Any], ast.AST]:
    def new(node: Any) -> ast.AST:
        node.iter = ast.Subscript(node.iter, cut, ast.Load())
        return node

    return new


def _end_plus(step: int) -> Callable[[Any], ast.AST]:
    return lambda node: ast.Slice(node.lower, ast.BinOp(node.upper, ast.Add(), ast.Constant(step)), node.step)


def _swapped_arguments(node: Any) -> ast.AST:
    node.args.reverse()
    return node


def _swapped_last(node: Any) -> ast.AST:
    node.args[1:] = node.args[:0:-1]
    return node


def _operator(kind: type[ast.operator]) -> Callable[[Any], ast.AST]:
    def new(node: Any) -> ast.AST:
        node.op = kind()
        return node

    return new


def _bracket_right(node: Any) -> ast.AST:
    """a * (b - c) becomes a * b - c."""
    return ast.BinOp(ast.BinOp(node.left, node.op, node.right.left), node.right.op, node.right.right)


def _bracket_left(node: Any) -> ast.AST:
    """(a - b) * c becomes a - b * c."""
    return ast.BinOp(node.left.left, node.left.op, ast.BinOp(node.left.right, node.op, node.right))


def _absolute(node: Any) -> ast.AST:
    return ast.Call(ast.Name("abs", ast.Load()), [node.left], [])


def _cubed(node: Any) -> ast.AST:
    node.right = ast.Constant(3)
    return node


def _left(node: Any) -> ast.AST:
    return node.left


def _right(node: Any) -> ast.AST:
    return node.right


def _exchanged(node: Any) -> ast.AST:
    node.left, node.right = node.right, node.left
    return node


def _transposed(side: str) -> Callable[[Any], ast.AST]:
    def new(node: Any) -> ast.AST:
        operand = getattr(node, side)
        turned = (
            operand.value
            if isinstance(operand, ast.Attribute) and operand.attr == "T"
            else ast.Attribute(operand, "T", ast.Load())
        )
        setattr(node, side, turned)
        return node

    return new


def _comparison(kind: type[ast.cmpop]) -> Callable[[Any], ast.AST]:
    def new(node: Any) -> ast.AST:
        node.ops[0] = kind()
        return node

    return new


def _test(value: bool) -> Callable[[Any], ast.AST]:
    def new(node: Any) -> ast.AST:
        node.test = ast.Constant(value)
        return node

    return new


def _value(value: Any) -> Callable[[Any], ast.AST]:
    return lambda node: ast.Constant(value)


def _bounds(lower: bool = True, upper: bool = True) -> Callable[[Any], ast.AST]:
    return lambda node: ast.Slice(node.lower if lower else None, node.upper if upper else None, node.step)


def _reversed_tuple(node: Any) -> ast.AST:
    node.value.elts.reverse()
    return node


_MAKERS: dict[type[ast.AST], Callable[[Any], Iterator[Change]]] = {
    ast.Call: _calls,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.Compare: _compare,
    ast.If: _condition,
    ast.IfExp: _condition,
    ast.Constant: _constant,
    ast.Attribute: _attribute,
    ast.Slice: _slice,
    ast.Subscript: _subscript,
    ast.AugAssign: _augmented,
    ast.Assign: _assigned,
    ast.Return: _return,
    ast.Expr: _expression,
    ast.For: _loop,
    ast.comprehension: _loop,
}
