"""From what came in to what came out, step by step, and shares in per cent that add up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from minilm.data.corpus.summary import Summary


class Step(NamedTuple):
    """A step by its name, what it does in words, how much goes there, and how much is left behind it."""

    name: str
    told: str
    gone: int
    left: int


def steps(summary: Summary) -> list[Step]:
    """The steps of the pipeline, in documents; the first one begins with all pieces of the input, documents or not."""
    aside = sum(sum(source.aside.values()) for source in summary.sources)
    gone = {"kept aside": aside, **{name: sum(counts.values()) for name, counts in summary.removed.items()}}
    left = summary.before.documents + aside
    found = []
    for name, count in gone.items():
        left -= count
        if name != "left out by weights" or count:
            found.append(Step(name, TOLD[name], count, left))
    return found


def per_cent(counts: Sequence[int]) -> list[str]:
    """Shares of a whole, "12.3 %", which add up to 100.0: what rounding down leaves goes to those that lost most by it.

    Where that makes 0.0 of something, it says "< 0.1 %", and where it makes 100.0 of less than all, "> 99.9 %". Of nothing there are no
    shares: "–".
    """
    total = sum(counts)
    if not total:
        return ["–"] * len(counts)
    tenths = [1000 * count // total for count in counts]
    lost = sorted(range(len(counts)), key=lambda i: (-(1000 * counts[i] % total), i))
    for i in lost[: 1000 - sum(tenths)]:
        tenths[i] += 1
    return [_shown(tenth, count, total) for tenth, count in zip(tenths, counts, strict=True)]


def _shown(tenths: int, count: int, total: int) -> str:
    if tenths == 0 and count:
        return "< 0.1 %"
    if tenths == 1000 and count < total:
        return "> 99.9 %"
    return f"{tenths // 10}.{tenths % 10} %"


def counted(count: int, what: str) -> str:
    """ "1 document", "2,000 documents"."""
    return f"{count:,} {what}" + "s" * (count != 1)


TOLD = {
    "kept aside": "pieces of the input that are no document",
    "rules": "documents that break a rule of quality",
    "exact copies": "documents whose whole text another one has, too",
    "near copies": "documents nearly the same as one that is kept",
    "contaminated": "documents of train in which held-out or evaluation texts stand",
    "left out by weights": "documents that were not drawn, as their source is taken less than once",
}

__all__ = ["Step", "counted", "per_cent", "steps"]
