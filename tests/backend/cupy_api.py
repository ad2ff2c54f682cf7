"""What CuPy offers under NumPy's names, and with which arguments: read off the CuPy wheel, kept in cupy_api.json.

The stand-in (`tests.backend.pretend`) refuses what is not in the table, `test_api_surface` checks minilm's calls
against it, and `test_contract` holds the table against the wheel where one is installed. Reading it needs CuPy, but
neither a driver nor a GPU. After a new release of CuPy::

    python -m tests.backend.cupy_api
"""

from __future__ import annotations

import functools
import inspect
import json
import re
import types
from pathlib import Path
from typing import Any

import numpy as np

PATH = Path(__file__).with_name("cupy_api.json")
MODULES = ("", "linalg", "lib.stride_tricks")
EMPTY = inspect.Parameter.empty


@functools.cache
def table() -> dict[str, Any]:
    """The recorded table: CuPy's version; "ufuncs" and "values" (dtypes and constants that are NumPy's own), by name;
    "functions" and "methods" with their parameters, as `parse` reads them."""
    return json.loads(PATH.read_text())


def parse(parameters: str) -> inspect.Signature:
    """``"a, axis=, *, out="`` as a signature: "=" marks what may be left out, a lone "*" begins the keyword-only part."""
    kind, found = inspect.Parameter.POSITIONAL_OR_KEYWORD, []
    for text in filter(None, parameters.split(", ")):
        name = text.strip("*=")
        if text == "*":
            kind = inspect.Parameter.KEYWORD_ONLY
        elif text.startswith("**"):
            found.append(inspect.Parameter(name, inspect.Parameter.VAR_KEYWORD))
        elif text.startswith("*"):
            found.append(inspect.Parameter(name, inspect.Parameter.VAR_POSITIONAL))
            kind = inspect.Parameter.KEYWORD_ONLY
        else:
            found.append(inspect.Parameter(name, kind, default=None if text.endswith("=") else EMPTY))
    return inspect.Signature(found)


def written(signature: inspect.Signature) -> str:
    """The opposite of `parse`."""
    parts: list[str] = []
    for p in signature.parameters.values():
        if p.kind is p.KEYWORD_ONLY and not any(part.startswith("*") for part in parts):
            parts.append("*")
        star = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        parts.append(star + p.name + ("" if p.default is EMPTY or star else "="))
    return ", ".join(parts)


def parameters(function: Any) -> str | None:
    """A function's parameters, from its signature or, for compiled ones, from the first line of its docstring."""
    try:
        return written(inspect.signature(function))
    except ValueError:
        found = re.match(r"[\w.]+\((.*?)\)( ->.*)?$", (function.__doc__ or "").split("\n")[0])
    if found is None:
        return None
    texts = [re.sub(r"=.*", "=", text).split(" ")[-1] for text in found[1].split(", ")]
    return ", ".join(text for text in texts if text != "self")


def read(cupy: Any) -> dict[str, Any]:
    """The table of the CuPy that is installed."""
    found: dict[str, Any] = {"cupy": cupy.__version__, "ufuncs": [], "functions": {}, "methods": {}, "values": []}
    for module in MODULES:
        theirs, ours = (functools.reduce(getattr, filter(None, module.split(".")), m) for m in (cupy, np))
        for name in dir(theirs):
            value, full = getattr(theirs, name), f"{module}.{name}".lstrip(".")
            if name.startswith("_") or not hasattr(ours, name) or isinstance(value, types.ModuleType):
                continue
            if isinstance(value, cupy.ufunc) or type(value).__name__ == "_GUFunc":
                found["ufuncs"].append(full)
            elif value is getattr(ours, name) or value == getattr(ours, name):
                found["values"].append(full)
            elif callable(value) and not isinstance(value, type):
                found["functions"][full] = parameters(value)
    for name in dir(cupy.ndarray):
        value = getattr(cupy.ndarray, name)
        if not name.startswith("_") and callable(value):
            found["methods"][name] = parameters(value) if name != "view" else "dtype="
    return found


if __name__ == "__main__":
    import cupy

    PATH.write_text(json.dumps(read(cupy), indent=0, sort_keys=True) + "\n")
    table.cache_clear()
    print(
        f"{PATH.name}: CuPy {cupy.__version__}, {', '.join(f'{len(v)} {k}' for k, v in table().items() if k != 'cupy')}"
    )
