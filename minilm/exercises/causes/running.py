"""The third source of causes: what went wrong in running: an exception, no end, nothing returned, nothing written yet."""

from __future__ import annotations

import ast
import builtins
import difflib
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from minilm.exercises.arrays import class_name, cut
from minilm.exercises.compare import leaves
from minilm.exercises.inputs import signature
from minilm.exercises.perform import Trouble
from minilm.exercises.task import Task
from minilm.exercises.verdict import Cause, Outcome

NUMBER = re.compile(r"-?\d+\.?\d*(?:e[-+]?\d+)?", re.IGNORECASE)


def unable(task: Task, trouble: Trouble, text: str | None = None) -> list[Cause]:
    """Why an answer could not be run at all."""
    if trouble.kind == "no name":
        return [_no_name(task, text)]
    return [explain(task, trouble, text)]


def ran_into(task: Task, outcomes: list[Outcome], text: str | None = None) -> list[Cause]:
    """What an answer ran into while it was tested; empty where the smallest failing test has a result of the right kind."""
    first = next(o for o in outcomes if not o.passed)
    if first.ran.trouble is not None:
        cause = explain(task, first.ran.trouble, text)
        return [_with_tests(cause, outcomes)]
    again = getattr(first.ran, "again_trouble", None)
    if again is not None and first.difference is None and first.fault:
        where = lives_on(text)
        return [
            Cause(
                "state-kept-between-calls",
                "running",
                f"Something is kept from one run of the test to the next{f': {where[0]}' if where else ''}.",
                f"the first run of {first.test.call or 'the call'} was right, and the second, with equal inputs, raised {_said(again)}.",
                where[1] if where else "Global names, attributes, default arguments, generators that are used up.",
                0.92,
            )
        ]
    if first.ran.value is None and first.expected is not None:
        return [_nothing_returned(task, first, text)]
    kind = class_name(first.ran.value)
    if kind in _OBJECTS and class_name(first.expected) != kind:
        name, says, look = _OBJECTS[kind]
        return [Cause(name, "running", says, f"the result is a {kind}.", look, 0.95)]
    return []


def lives_on(text: str | None) -> tuple[str, str] | None:
    """What of an answer lives on after a call, and what to do: a list that belongs to a class, or a default argument that can change."""
    tree = _parsed(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for line in node.body:
                if isinstance(line, ast.Assign | ast.AnnAssign) and _changes(line.value):
                    target = line.targets[0] if isinstance(line, ast.Assign) else line.target
                    name = ast.unparse(target)
                    return (
                        f"{name} belongs to the class {node.name}, so all its objects share it",
                        f"Line {line.lineno}: make it in __init__, as self.{name} = {cut(ast.unparse(line.value or target), 20)}.",
                    )
        if isinstance(node, ast.FunctionDef):
            for default in (*node.args.defaults, *node.args.kw_defaults):
                if default is not None and _changes(default):
                    return (
                        f"the default argument {cut(ast.unparse(default), 20)} of {node.name} is made once, for all calls",
                        f"Line {default.lineno}: None as the default, and a new one made inside.",
                    )
    return None


def _changes(value: ast.expr | None) -> bool:
    """Whether it makes an object that can be changed."""
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id in ("list", "dict", "set", "defaultdict", "Counter")
    return isinstance(value, ast.List | ast.Dict | ast.Set)


def read_twice(task: Task, outcomes: list[Outcome], text: str | None = None) -> Cause | None:
    """An iterator is empty the second time: two loops of the answer go through one argument, and nothing is passed on as a list."""
    first = next(o for o in outcomes if not o.passed)
    body = _function(task, text)
    if body is None or ("iter(" not in first.test.call and not any(hasattr(x, "__next__") for x in first.inputs)):
        return None
    parameters = [a.arg for a in body.args.args]
    for name in parameters:
        if any(isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store) for n in ast.walk(body)):
            continue  # batches = list(batches)
        lines = [
            n.iter.lineno
            for n in ast.walk(body)
            if isinstance(n, ast.For | ast.comprehension) and isinstance(n.iter, ast.Name) and n.iter.id == name
        ]
        if len(lines) > 1:
            where = " and ".join(f"line {line}" for line in sorted(set(lines)))
            return Cause(
                "iterator read twice",
                "running",
                f"{name} can be gone through once, and it is gone through {len(lines)} times: after the first time it is empty.",
                f"{where} go through {name}, which is an iterator.",
                f"One loop in which all is counted; or {name} = list({name}) first, if there is room for it.",
                0.9,
            )
    return None


CALLED = "The parentheses after its name: x.sum() in place of x.sum."
LISTED = "list(...) around it, or [ ] in place of ( ); return in place of yield."
_OBJECTS = {
    "function": ("function not called", "A function is returned, not what it gives.", CALLED),
    "method": ("function not called", "A method is returned, not what it gives.", CALLED),
    "builtin_function_or_method": ("function not called", "A method is returned, not what it gives.", CALLED),
    "type": ("function not called", "A class is returned, not an object of it.", "The parentheses after its name."),
    "generator": ("generator returned", "A generator is returned: nothing was computed yet.", LISTED),
    "map": ("generator returned", "A map is returned: nothing was computed yet.", LISTED),
    "filter": ("generator returned", "A filter is returned: nothing was computed yet.", LISTED),
    "zip": ("generator returned", "A zip is returned: nothing was computed yet.", LISTED),
    "ellipsis": ("stub untouched", "It returns ...: the place for the answer is empty.", "The line with three dots."),
}


def _with_tests(cause: Cause, outcomes: list[Outcome]) -> Cause:
    """Tells how many tests it hit, where some passed."""
    hit = sum(o.ran.trouble is not None for o in outcomes)
    good = [o for o in outcomes if o.passed]
    if good and cause.evidence:
        cause.evidence += f" It hits {hit} of {len(outcomes)} tests; {good[0].test.name!r} passed."
    return cause


def explain(task: Task, trouble: Trouble, text: str | None = None) -> Cause:
    """The cause for what was raised, with the student's own line."""
    for pattern, kind, make in _EXPLAINED:
        if kind == trouble.kind or (kind == "" and trouble.kind not in _OWN):
            found = re.search(pattern, trouble.message)
            if found:
                return make(task, trouble, found, text)
    return _cause(
        trouble.kind,
        trouble,
        f"The code raises {_said(trouble)}.",
        "That line, and what its names hold there: print them before it.",
        0.8,
    )


def _cause(name: str, trouble: Trouble, says: str, look: str = "", confidence: float = 0.9) -> Cause:
    return Cause(name, "running", says, _line(trouble) or f"{_said(trouble)}.", look, confidence)


def _line(trouble: Trouble) -> str:
    if trouble.line is None or not trouble.line[1]:
        return f"line {trouble.line[0]}." if trouble.line else ""
    return f"line {trouble.line[0]}: {cut(trouble.line[1], 90)}"


def _said(trouble: Trouble) -> str:
    return f"{trouble.kind}: {cut(trouble.message, 160)}".rstrip(": ")


def _no_name(task: Task, text: str | None) -> Cause:
    there = _defined(text)
    close = difflib.get_close_matches(task.name, there, 1, 0.6)
    what = "a value" if task.name == "answer" else task.name
    if close:
        return Cause(
            "wrong name",
            "running",
            f"It defines {close[0]}, and {task.name} is asked.",
            f"the names it defines: {cut(', '.join(there), 90)}.",
            f"The name: {task.name}.",
            0.96,
        )
    evidence = f"the names it defines: {cut(', '.join(there), 90)}." if there else "it defines no names."
    return Cause(
        "no name",
        "running",
        f"The answer does not define {task.name}.",
        evidence,
        f"Whether the cell with {what} was run, and its name.",
        0.95,
    )


def _defined(text: str | None) -> list[str]:
    try:
        body = ast.parse(text or "").body
    except SyntaxError:
        return []
    names = [node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return names + [
        t.id for node in body if isinstance(node, ast.Assign) for t in node.targets if isinstance(t, ast.Name)
    ]


def _nothing_returned(task: Task, outcome: Outcome, text: str | None) -> Cause:
    printed = outcome.ran.printed
    if printed.strip():
        right = _printed_right(outcome)
        evidence = f"the result is None, and it printed {cut(printed, 60)!r}" + (
            ", which is what was expected." if right else "."
        )
        return Cause(
            "print-instead-of-return",
            "running",
            "It prints its result and returns nothing.",
            evidence,
            "return in place of print.",
            0.96 if right else 0.85,
        )
    if _is_stub(task, text):
        return Cause(
            "stub untouched",
            "running",
            "Nothing is written yet: the function is still as it was given out.",
            "it returns None.",
            "The hint, if you do not know how to begin.",
            0.97,
        )
    body = _function(task, text)
    if body is not None and not any(isinstance(n, ast.Return) and n.value is not None for n in ast.walk(body)):
        return Cause(
            "none-returned",
            "running",
            "It returns nothing: there is no return statement with a value.",
            "the result is None.",
            "The last line: return ...",
            0.97,
        )
    partly = (
        "on this input no return statement is reached, or the value comes from a method that changes its "
        "object (sort, append, shuffle)."
    )
    return Cause(
        "none-returned",
        "running",
        "It returns None.",
        partly if body is not None else "the result is None.",
        "Each way through the function: does it end in return?",
        0.9,
    )


def _printed_right(outcome: Outcome) -> bool:
    """Whether the numbers that were printed are those that were expected."""
    expected = [e.ravel() for _, e, _ in leaves(outcome.expected, outcome.expected)]
    if not expected:
        return str(outcome.expected).strip() == outcome.ran.printed.strip()
    numbers = np.concatenate(expected)
    shown = [float(x) for x in NUMBER.findall(outcome.ran.printed)]
    return len(shown) >= len(numbers) and bool(
        np.allclose(shown[-len(numbers) :], numbers.astype(float), rtol=1e-3, atol=1e-4)
    )


def _function(task: Task, text: str | None) -> Any:
    try:
        return next(
            (n for n in ast.parse(text or "").body if isinstance(n, ast.FunctionDef) and n.name == task.name), None
        )
    except SyntaxError:
        return None


def _is_stub(task: Task, text: str | None) -> bool:
    """Whether the answer is what was given out, blanks and comments aside."""
    try:
        return text is not None and ast.dump(ast.parse(text)) == ast.dump(ast.parse(task.start))
    except SyntaxError:
        return False


# --- exceptions --------------------------------------------------------------------------------------------------------------------


def _not_implemented(task: Task, t: Trouble, found: Any, text: str | None) -> Cause:
    return Cause(
        "stub untouched",
        "running",
        "Nothing is written yet: raise NotImplementedError still stands there.",
        _line(t),
        "The hint, if you do not know how to begin.",
        0.97,
    )


def _name(task: Task, t: Trouble, found: Any, text: str | None) -> Cause:
    name = found[1]
    there = sorted(
        {n.id for n in ast.walk(_parsed(text)) if isinstance(n, ast.Name)}
        | {a.arg for a in ast.walk(_parsed(text)) if isinstance(a, ast.arg)}
        | set(dir(builtins))
        | {"np", *_assigned_in(task.setup)}
    )
    close = [c for c in difflib.get_close_matches(name, there, 3, 0.6) if c != name]
    if close:
        return _cause(
            "NameError", t, f"There is no name {name}. Did you mean {close[0]}?", f"How {name} is written.", 0.95
        )
    return _cause(
        "NameError",
        t,
        f"There is no name {name} where it is used.",
        "Whether it is defined before that line, in this function, under this name; a notebook's other cells are "
        "not there.",
        0.94,
    )


def _assigned_in(setup: str) -> set[str]:
    return {n.id for n in ast.walk(_parsed(setup)) if isinstance(n, ast.Name)}


def _parsed(text: str | None) -> ast.Module:
    try:
        return ast.parse(text or "")
    except SyntaxError:
        return ast.Module([], [])


def _unbound(task: Task, t: Trouble, found: Any, text: str | None) -> Cause:
    return _cause(
        "UnboundLocalError",
        t,
        f"{found[1]} is read before it has a value.",
        "An assignment anywhere in a function makes a name local to it; give it a value before the loop or the if.",
        0.95,
    )


def _matmul(task: Task, t: Trouble, found: Any, text: str | None) -> Cause:
    n, m = found[1], found[2]
    return _cause(
        "shapes of a product",
        t,
        f"A matrix product does not fit: the inner sizes are {m} and {n}.",
        "The shape of each factor at that line; a transpose is missing, or the order is the other one.",
        0.95,
    )


def _broadcast(task: Task, t: Trouble, found: Any, text: str | None) -> Cause:
    return _cause(
        "shapes do not broadcast",
        t,
        f"Two arrays do not fit: their shapes are {found[1].strip()}.",
        "Shapes are compared from the last axis; keepdims=True or [:, None] puts an axis of one where it is missing.",
        0.95,
    )


def _reshape(task: Task, t: Trouble, found: Any, text: str | None) -> Cause:
    return _cause(
        "reshape does not fit",
        t,
        f"An array of {found[1]} elements cannot take the shape {found[2]}.",
        "The product of the sizes; a size that is fixed in the code.",
        0.95,
    )


def _index(task: Task, t: Trouble, found: Any, text: str | None) -> Cause:
    detail = re.search(r"index (-?\d+) is out of bounds for axis (\d+) with size (\d+)", t.message)
    if detail:
        says = (
            f"Index {detail[1]} does not exist: axis {detail[2]} has {detail[3]} elements, 0 to {int(detail[3]) - 1}."
        )
        return _cause("index out of range", t, says, "Where the loop ends, and which axis is indexed.", 0.95)
    return _cause(
        "index out of range",
        t,
        "An index is beyond the end.",
        "Where the loop ends: range(n) gives 0 to n - 1; and whether the sequence can be empty.",
        0.94,
    )


def _key(task: Task, t: Trouble, found: Any, text: str | None) -> Cause:
    return _cause(
        "KeyError",
        t,
        f"A dict has no key {cut(t.message, 40)}.",
        "Whether it was put in before; dict.get(key, 0) and defaultdict do without.",
        0.94,
    )


def _arguments(task: Task, t: Trouble, found: Any, text: str | None) -> Cause:
    asked, given = signature(task), signature(task, text) if text else []
    if found[1].split(".")[-1] in (task.name, "__init__") and asked != given:
        shown = f"{task.name}({', '.join(asked)})"
        return Cause(
            "wrong signature",
            "running",
            f"The function takes other arguments than asked: {shown} is called.",
            f"{cut(t.message, 120)}.",
            "The first line of the function, as the stub has it.",
            0.95,
        )
    return _cause(
        "wrong number of arguments",
        t,
        f"A function is called with the wrong arguments: {cut(t.message, 120)}.",
        "Its signature, at that line.",
        0.92,
    )


def _attribute(task: Task, t: Trouble, found: Any, text: str | None) -> Cause:
    return _cause(
        "AttributeError",
        t,
        f"A {found[1]} has no {found[2]}.",
        f"Whether it is a {found[1]} that should stand there: an array, a list and a number have different methods.",
        0.92,
    )


def _syntax(task: Task, t: Trouble, found: Any, text: str | None) -> Cause:
    number = f"line {t.line[0]}: {cut(t.line[1], 90)}" if t.line else _syntax_line(text)
    return Cause(
        "SyntaxError",
        "running",
        f"It is no Python yet: {cut(re.sub(r' [(]<?[a-z]+>?, line .*', '', t.message), 100)}.",
        number,
        "That line and the one before it: brackets, colons, quotes, indentation.",
        0.97,
    )


def _syntax_line(text: str | None) -> str:
    try:
        ast.parse(text or "")
    except SyntaxError as error:
        return f"line {error.lineno}: {cut((error.text or '').strip(), 90)}"
    return ""


def _recursion(task: Task, t: Trouble, found: Any, text: str | None) -> Cause:
    if _comes_closer(task, text, t.where):
        return _cause(
            "recursion too deep",
            t,
            "A function calls itself deeper than Python's limit of about 1000 calls.",
            "A loop with a list of what is still to do needs no such depth: an input may be a chain of thousands.",
            0.9,
        )
    return _cause(
        "recursion-without-end",
        t,
        "A function calls itself without end.",
        "The case in which it returns without a call, and whether the arguments come closer to it.",
        0.95,
    )


def _may_not_end(text: str) -> bool:
    """Whether there is a loop that need not come to an end: a while, or a for over a list that grows or an iterator without end."""
    for node in ast.walk(_parsed(text)):
        if isinstance(node, ast.While):
            return True
        if isinstance(node, ast.For):
            over = node.iter
            if isinstance(over, ast.Name) or (isinstance(over, ast.Call) and getattr(over.func, "attr", "") == "count"):
                return True
            if isinstance(over, ast.Call) and getattr(over.func, "id", "") in ("iter", "count", "cycle", "repeat"):
                return True
    return False


def _comes_closer(task: Task, text: str | None, where: str) -> bool:
    """Whether the function that calls itself has an end, as far as its text tells: a condition around the call or a return before it,
    or a loop over what it calls itself with; and the call has not its own arguments again."""
    for node in ast.walk(_parsed(text)):
        if isinstance(node, ast.FunctionDef) and node.name == where:
            own = [a.arg for a in node.args.args]
            calls = [
                n
                for n in ast.walk(node)
                if isinstance(n, ast.Call) and where in (getattr(n.func, "id", ""), getattr(n.func, "attr", ""))
            ]
            again = any([getattr(a, "id", "") for a in n.args] == own and own for n in calls)
            ends = any(isinstance(n, ast.If | ast.For | ast.IfExp | ast.comprehension) for n in ast.walk(node))
            return bool(calls) and ends and not again
    return False


def _time(task: Task, t: Trouble, found: Any, text: str | None) -> Cause:
    if t.line is not None and re.match(r"(import|from)\s", t.line[1]):
        return _cause(
            "slow import",
            t,
            "A module takes so long to import that the time is over before the function is called.",
            "Whether the module is needed: what the exercise allows is imported already.",
            0.9,
        )
    if text is not None and not _may_not_end(text):
        return _cause(
            "too slow",
            t,
            "It takes longer than a call may take.",
            "How many rounds the loops make in all, and what each of them costs; what could be computed once, before the loop.",
            0.9,
        )
    return _cause(
        "endless loop",
        t,
        "It does not come to an end in time.",
        "What ends the loop, and whether each round brings it nearer; a while whose condition never changes.",
        0.9,
    )


def _import(task: Task, t: Trouble, found: Any, text: str | None) -> Cause:
    return _cause(
        "ImportError",
        t,
        f"A module or name cannot be imported: {cut(t.message, 80)}.",
        "What the exercise allows is imported already: see its first lines.",
        0.95,
    )


def _concatenate(task: Task, t: Trouble, found: Any, text: str | None) -> Cause:
    return _cause(
        "types do not go together",
        t,
        f"Two types do not go together: {cut(t.message, 100)}.",
        "What each of the two holds at that line, and where it got it.",
        0.92,
    )


def _not_callable(task: Task, t: Trouble, found: Any, text: str | None) -> Cause:
    return _cause(
        "name-shadowed",
        t,
        f"A value of type {found[1]} is called like a function.",
        "A name of yours that hides a function (sum, max, list), or a missing operator before a bracket.",
        0.92,
    )


def _unpack(task: Task, t: Trouble, found: Any, text: str | None) -> Cause:
    return _cause(
        "unpacking",
        t,
        f"Another number of values than names: {cut(t.message, 80)}.",
        "What stands right of the =, and its shape or length.",
        0.93,
    )


Explain = Callable[[Task, Trouble, Any, "str | None"], Cause]


def _always(name: str, says: str, look: str, confidence: float) -> Explain:
    """For what has one explanation, whatever the message and wherever it happens."""
    return lambda task, t, found, text: _cause(name, t, says, look, confidence)


_none = _always(
    "None used as a value",
    "Something is None there that should hold a value.",
    "Where it comes from: a function without return, or a method that changes its object and returns None "
    "(sort, append, shuffle).",
    0.93,
)
_zero = _always(
    "ZeroDivisionError",
    "It divides by zero.",
    "When that can be zero (an empty input, a count of none), and what holds then.",
    0.95,
)
_overflow = _always(
    "softmax-not-stable",
    "A number on the way is too large for a float.",
    "exp of large numbers: subtract the maximum first, or keep to logarithms.",
    0.88,
)
_truth = _always(
    "truth of an array",
    "An array stands where one True or False is needed.",
    "if, and, or, while with an array: np.any, np.all, np.where or & and | are for arrays.",
    0.95,
)
_memory = _always(
    "memory",
    "It needs more memory than there is.",
    "The sizes of what is made: a broadcast of two long axes, a list that grows in an endless loop.",
    0.9,
)
_exit = _always(
    "exit",
    "It calls exit() or quit(), which ends Python.",
    "return ends a function.",
    0.97,
)
_input = _always(
    "input",
    "It asks for input, and nobody is there to type.",
    "The arguments of the function hold all that is given.",
    0.97,
)
_output = _always(
    "output",
    "It prints without end.",
    "A print in a loop that does not end.",
    0.92,
)
_killed = _always(
    "killed",
    "The process that ran it was ended from outside, or crashed.",
    "Memory, os.kill, ctypes.",
    0.85,
)
_assertion = _always(
    "AssertionError",
    "An assert of yours does not hold.",
    "What it claims, with the numbers of the smallest input.",
    0.9,
)
_float_index = _always(
    "float as index",
    "A float stands where a whole number is needed.",
    "/ gives a float even when it divides evenly; // gives an integer.",
    0.94,
)
_readonly = _always(
    "input-changed-in-place",
    "It writes into an array that may only be read.",
    "Work on a copy: x = x.copy().",
    0.9,
)
_integer_cast = _always(
    "wrong dtype",
    "Floats are added in place to an array of integers.",
    "The dtype of the array that is written into: floats need one of floats.",
    0.93,
)
_OWN = {"no name", "no function", "time", "memory", "recursion", "exit", "killed", "input", "output", "stream", "numpy"}
_EXPLAINED: tuple[tuple[str, str, Explain], ...] = (
    ("", "NotImplementedError", _not_implemented),
    ("name '(.+?)' is not defined", "NameError", _name),
    ("variable '(.+?)'", "UnboundLocalError", _unbound),
    (r"size (\d+) is different from (\d+)", "ValueError", _matmul),
    (r"shapes (?:\(.+?\) and \(.+?\)) not aligned: (\d+) .*? != (\d+)", "ValueError", _matmul),
    (r"could not be broadcast together with(?: remapped)? shapes (.+)", "ValueError", _broadcast),
    (r"could not broadcast input array from shape (.+)", "ValueError", _broadcast),
    (r"cannot reshape array of size (\d+) into shape (.+)", "ValueError", _reshape),
    ("truth value of an array", "ValueError", _truth),
    ("read-only", "ValueError", _readonly),
    ("values to unpack", "ValueError", _unpack),
    (r"out of (?:bounds|range)|empty", "IndexError", _index),
    ("NoneType", "AttributeError", _none),
    ("NoneType", "TypeError", _none),
    (r"'(.+?)' object has no attribute '(.+?)'", "AttributeError", _attribute),
    (r"(\S+)\(\) (?:takes|missing|got)", "TypeError", _arguments),
    (r"'(.+?)' object is not callable", "TypeError", _not_callable),
    (
        r"cannot be interpreted as an integer|must be integers|only integers|integer is required",
        "TypeError",
        _float_index,
    ),
    (r"only integers", "IndexError", _float_index),
    (r"Cannot cast ufunc .* to dtype\('int", "UFuncTypeError", _integer_cast),
    (r"Cannot cast ufunc .* to dtype\('int", "_UFuncOutputCastingError", _integer_cast),
    (r"unsupported operand|can only concatenate|not supported between", "TypeError", _concatenate),
    ("", "KeyError", _key),
    ("", "ZeroDivisionError", _zero),
    ("", "OverflowError", _overflow),
    ("", "SyntaxError", _syntax),
    ("", "IndentationError", _syntax),
    ("", "TabError", _syntax),
    ("", "ModuleNotFoundError", _import),
    ("", "ImportError", _import),
    ("", "AssertionError", _assertion),
    ("", "RecursionError", _recursion),
    ("", "recursion", _recursion),
    ("", "time", _time),
    ("", "memory", _memory),
    ("", "MemoryError", _memory),
    ("", "exit", _exit),
    ("", "input", _input),
    ("", "output", _output),
    ("", "killed", _killed),
)
