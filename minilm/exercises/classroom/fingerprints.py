"""What a task's grade depends on, as hashes: one per part, so that a change can be named.

The text of a record is hashed as it is. Of a test, what is hashed is its fields and the source of its functions, with the values they
were closed over and the functions of this package that they call: a test that draws other inputs has another fingerprint.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import types
from collections.abc import Callable, Mapping
from typing import Any

from minilm.exercises.task import Task, Test

READ_ONLY = ("title", "minutes", "difficulty", "practises", "statement", "hint", "derivation", "after")
"""Parts that are shown and not run: a change of them changes no grade."""


def parts(task: Task) -> dict[str, str]:
    """Name of each part -> its hash. A test's name is ``test: one row``."""
    plain = ("kind", "name", "stub", "solution", "setup", "subject", "group", *READ_ONLY)
    found = {part: _hash(str(getattr(task, part))) for part in plain}
    found["data"] = _hash(described(task.data))
    found["wrong answers"] = _hash(repr([(w.bug, w.old, w.new, w.why, w.look) for w in task.wrong]))
    found["rubric"] = _hash(repr(task.rubric))
    found["order of the tests"] = _hash(repr([test.name for test in task.tests]))
    for test in task.tests:
        found[f"test: {test.name}"] = _hash(_test(test))
    return found


def fingerprint(hashes: Mapping[str, str]) -> str:
    """One hash for all that a grade depends on."""
    return _hash(repr(sorted((part, hash) for part, hash in hashes.items() if part not in READ_ONLY)))


def changed(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """The parts that differ, in the order of `new`; one that is gone is called so."""
    differ = [part if part in old else f"{part} (new)" for part in new if old.get(part) != new[part]]
    return differ + [f"{part} (gone)" for part in old if part not in new]


def described(value: Any, seen: frozenset[int] = frozenset()) -> str:
    """A value as text that is the same on every machine; a function as its source and what it refers to."""
    if isinstance(value, functools.partial):
        return f"partial({described(value.func, seen)}, {value.args!r}, {sorted(value.keywords.items())!r})"
    if isinstance(value, types.FunctionType):
        return _function(value, seen)
    if isinstance(value, Mapping):
        return repr(sorted((str(key), described(item, seen)) for key, item in value.items()))
    if isinstance(value, list | tuple | set | frozenset):
        items = [described(item, seen) for item in value]
        return repr(sorted(items) if isinstance(value, set | frozenset) else items)
    if isinstance(value, types.ModuleType | type) or callable(value):
        return str(getattr(value, "__qualname__", getattr(value, "__name__", type(value).__name__)))
    return repr(value)


def _function(function: types.FunctionType, seen: frozenset[int]) -> str:
    if id(function) in seen:
        return function.__qualname__
    seen = seen | {id(function)}
    try:
        source = inspect.getsource(function)
    except (OSError, TypeError):
        source = function.__code__.co_code.hex()
    captured = [described(cell.cell_contents, seen) for cell in function.__closure__ or ()]
    used = [function.__globals__.get(name) for name in sorted(_names(function.__code__))]
    called = [described(f, seen) for f in used if isinstance(f, types.FunctionType) and _ours(f)]
    return repr((source, captured, described(function.__defaults__, seen), called))


def _names(code: types.CodeType) -> set[str]:
    """Global names of a function and of those within it."""
    inner = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return set(code.co_names).union(*(_names(c) for c in inner))


def _ours(function: Callable[..., Any]) -> bool:
    """Whether a function belongs to the tasks, and not to the engine or another library."""
    module = str(getattr(function, "__module__", ""))
    return module.startswith(("minilm.exercises.tasks", "own_tasks_"))


def _test(test: Test) -> str:
    fields = (test.name, test.points, test.hidden, test.call, test.rtol, test.atol, test.unchanged, test.fresh)
    return repr(fields) + described(test.inputs) + described(test.use) + described(test.labels)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
