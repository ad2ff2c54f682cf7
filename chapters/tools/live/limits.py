"""What cells of the book do in a page of the browser only in part: those that cannot run there, and those that take long.

The page says the reason instead of an error, and offers the shorter text before it runs the cell.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache

import minilm.data
from chapters.tools.live import data

TAGS = {"needs-torch": "This cell compares with PyTorch, which does not run in a page."}
CANNOT = {
    "07-3-005": "This cell shows the text of kernels for GPUs, which does not come with the page.",
    "07-3-015": "This cell starts other programs, which a page cannot do.",
}
"""Cell's id: why it cannot run, in a sentence for the reader."""

BUDGET: dict[str, list[tuple[str, str]]] = {
    "02-102": [("for s in range(5)", "for s in range(2)")],
    "03-102": [("for rate in (0.002, 0.004, 0.008, 0.016)", "for rate in (0.008,)"),
               ("train_set, rate)", "train_set, rate, steps=200)")],
    "03-111": [("CONTEXT), best)", "CONTEXT), best, steps=200)")],
    "05-013": [("fit(model, 10, ", "fit(model, 1, ")],
    "05-026": [("fit(model, 20, ", "fit(model, 2, ")],
    "05-054": [("(3, 4, 5, 6, 7, 8, 10)", "(3, 4)")],
    "05-060": [("steps=600", "steps=60")],
    "05-063": [("Block(64, 2))", "Block(64, 2), steps=60)")],
    "05-067": [("ids, 2000, ", "ids, 100, ")],
    "05-069": [("ids, 300)", "ids, 30)")],
    "05-076": [("texts, 250, ", "texts, 50, ")],
    "08-1-003": [("25_600", "2_560")],
}  # fmt: skip
"""Cell's id: what of its text is replaced by what, for a version that takes seconds."""


ABSENT = {
    "sklearn": "scikit-learn",
    "torch": "PyTorch",
    "scipy": "SciPy",
    "pycrfsuite": "python-crfsuite",
    "bm25s": "BM25S",
}
"""Libraries that do not come with the page, by the modules that cells import."""
LOADERS = {"weat_words": "weat", "packages": "package-descriptions"}
"""Functions that read a data set with another name than theirs."""


def cannot(id: str, tags: Collection[str] = (), source: str = "") -> str:
    """Why a cell cannot run in a page; "" where it can, as far as its text shows."""
    reasons = [CANNOT.get(id, ""), *(reason for tag, reason in TAGS.items() if tag in tags)]
    absent = [ABSENT[name] for name in re.findall(r"^\s*(?:from|import) (\w+)", source, re.MULTILINE) if name in ABSENT]
    reasons += [f"This cell needs the library {name}, which does not come with the page." for name in absent]
    reasons += [loads()[name] for name in re.findall(r"\b(\w+)\(", source) if name in loads()]
    return next(filter(None, reasons), "")


@cache
def loads() -> dict[str, str]:
    """For each function that reads a data set which does not come along, what the page says."""
    says = {name: entry["says"] for name, entry in data.missing().items()}
    named = {function: name for name in says if hasattr(minilm.data, function := name.replace("-", "_"))}
    named |= {function: name for function, name in LOADERS.items() if name in says}
    return {function: says[name] for function, name in named.items()}


__all__ = ["ABSENT", "BUDGET", "CANNOT", "LOADERS", "TAGS", "cannot"]
