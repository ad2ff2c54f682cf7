"""Which of the ten checks finds which bugs (7.2), and how often one fails where nothing is wrong.

The bugs are those of `tests.training.broken`, each once by name; the right models are its network, with 40 draws of its weights.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import minilm as ml
from minilm.training.checks import CHECKS, ten_checks
from tests.training.broken import BROKEN, HELD_OUT, Network, X, Y, trial_of

RIGHT = 40
SAME_BUG = ("the learning rate is 100, by heart", "dead units, seen from outside")


def failed_of(options: dict[str, Any]) -> list[str]:
    return ten_checks(options.pop("model"), options.pop("x"), options.pop("y"), **options).failed


def wilson(hits: int, n: int, z: float = 1.96) -> list[float]:
    """A share with Wilson's interval of 95 % (Wilson 1927), which says something where there was no hit, too."""
    p = hits / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return [p, max(0.0, (middle - half) / (1 + z * z / n)), (middle + half) / (1 + z * z / n)]


def measure() -> Iterator[dict[str, Any]]:
    bugs = [failed_of(trial_of(broken)) for broken in BROKEN if broken.name not in SAME_BUG]
    right = []
    for seed in range(RIGHT):
        ml.manual_seed(seed)
        right.append(ten_checks(Network(), X, Y, held_out=HELD_OUT).failed)
    for name in CHECKS:
        yield {
            "check": name,
            "bugs it finds": sum(name in failed for failed in bugs),
            "and no other": sum(failed == [name] for failed in bugs),
            "false alarms": wilson(sum(name in failed for failed in right), RIGHT),
        }
    found = sum(bool(failed) for failed in bugs)
    yield {"check": f"any of them (of {len(bugs)} bugs)", "bugs it finds": found, "and no other": found,
           "false alarms": wilson(sum(map(bool, right)), RIGHT)}  # fmt: skip
