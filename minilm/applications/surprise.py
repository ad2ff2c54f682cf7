r"""Where a text surprises a model: the nats of its characters, added up in all and by the kind of place that a character stands at.

Models that are equally good on the whole can be good at different places. The later letters of a word follow from the first ones, which
a table of short contexts knows as well as any; a closing bracket follows from one that was opened long before.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from minilm.applications.application import Answer
from minilm.metrics import Score
from minilm.types import HostArray

LETTER = r"[^\W\d_]"
PLACES = {
    "first letter of a word": re.compile(rf"(?<!{LETTER}){LETTER}"),
    "later letter": re.compile(rf"(?<={LETTER}){LETTER}"),
    "closing bracket": re.compile(r"[)\]}]"),
    "line end": re.compile("\n"),
}
"""Kinds of places, each as the pattern of one character. Not every character stands at one of them."""


def surprise(text: str, nats: HostArray) -> Answer:
    """What a system that foretells characters answers to a text: its nats and characters, in all and at each of `PLACES`.

    Args:
        nats: of each character, (n,); NaN where it was not foretold: then it is not counted.
    """
    foretold = ~np.isnan(nats)

    def added(at: HostArray) -> list[float]:
        at = at[foretold[at]]
        return [float(nats[at].sum()), len(at)]

    total, characters = added(np.arange(len(text)))
    places = {
        name: added(np.array([found.start() for found in place.finditer(text)], np.int64))
        for name, place in PLACES.items()
    }
    return {"nats": total, "characters": characters, "places": places}


def surprise_scores(answers: Sequence[Answer]) -> list[Score]:
    """Nats and bits per character, and nats at each of `PLACES` where all answers have them: tokens longer than a character have none."""
    rows = np.array([(answer["nats"], answer["characters"]) for answer in answers], np.float64)
    found = [
        Score.of_sums("nats per character", rows, _per_character, higher_is_better=False),
        Score.of_sums("bits per character", rows / [np.log(2), 1], _per_character, higher_is_better=False),
    ]
    if all("places" in answer for answer in answers):
        for name in PLACES:
            rows = np.array([answer["places"][name] for answer in answers], np.float64)
            found.append(Score.of_sums(f"nats per {name}", rows, _per_character, higher_is_better=False))
    return found


def _per_character(nats: Any, characters: Any) -> Any:
    return np.divide(nats, characters, out=np.full_like(nats, np.nan), where=characters > 0)


__all__ = ["PLACES", "surprise", "surprise_scores"]
