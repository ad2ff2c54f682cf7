"""What decides how a corpus comes out, and nothing else: the same settings and the same input give the same bytes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from minilm.data.corpus.bands import THRESHOLD, bands_and_rows
from minilm.data.corpus.decontaminate import MOST_RUNS, MOST_SHARE
from minilm.data.corpus.minhash import BINS
from minilm.data.corpus.normalize import LEAST
from minilm.data.corpus.quality import RULES, Rule
from minilm.data.corpus.reading import FIELD
from minilm.data.errors import DataError
from minilm.terminal import did_you_mean

BPE = "bpe"
MAX_BYTES = 1 << 24  # a document of so many bytes takes about 800 MiB while rules look at it
SHORT = "short"
MOST = 10**18 - 1  # files of JSON are read with integers of up to 18 digits


@dataclass(frozen=True)
class Settings:
    """The settings of a corpus.

    Attributes:
        field: the field of a JSON line that holds its text.
        max_bytes: the longest line, or text file, that is used.
        least: the fewest characters besides punctuation and spaces, the bound of the rule "short".
        without: the names of rules (`quality.RULES`) that are not asked.
        threshold: the Jaccard index from which on two documents are near copies.
        check: whether the index of two that may be near copies is computed, or estimated by their meeting in a bucket.
        weights: how many times each source is read, in epochs; 1 for one that is not named.
        held_out: the share of documents for validation.
        most_share, most_runs: how much of a document may stand in held-out and evaluation texts (`decontaminate`).
        tokenizer: "bpe" for one that is made from the training part, or the SHA-256 of the file that was given.
        vocab_size: of the one that is made.
        sample: how many characters of the training part it is made from.
        shard: how many tokens a file has.
        seed: of all draws.

    Raises:
        DataError: one of them is out of its range, or a rule that is not there.
    """

    field: str = FIELD
    max_bytes: int = MAX_BYTES
    least: int = LEAST
    without: tuple[str, ...] = ()
    threshold: float = THRESHOLD
    check: bool = False
    weights: Mapping[str, float] = dataclasses.field(default_factory=dict)
    held_out: float = 0.02
    most_share: float = MOST_SHARE
    most_runs: int = MOST_RUNS
    tokenizer: str = BPE
    vocab_size: int = 8192
    sample: int = 10_000_000
    shard: int = 1 << 27
    seed: int = 0

    def __post_init__(self) -> None:
        for name in self.without:
            if name not in RULE_NAMES:
                guess = did_you_mean(name, RULE_NAMES)
                raise DataError(f"there is no rule {name!r}; there are {', '.join(RULE_NAMES)}.{guess}")
        ranges = {
            "max_bytes": (1, MOST), "least": (0, MOST), "most_share": (0, 1), "most_runs": (0, MOST), "vocab_size": (1, 2**32),
            "sample": (1, MOST), "shard": (2, MOST), "seed": (0, MOST),
        }  # fmt: skip
        for name, (least, most) in ranges.items():
            if not least <= getattr(self, name) <= most:
                bounds = f"from {least} to {most}" if most < MOST else f"of {least} or more"
                raise DataError(f"{name} = {getattr(self, name)!r}: expected a number {bounds}")
        if not 0 <= self.held_out < 1:
            raise DataError(
                f"held_out = {self.held_out!r}: expected a number from 0 on, below 1; the rest is for training"
            )
        if not 0 < self.threshold < 1:
            raise DataError(f"threshold = {self.threshold!r}: expected a number between 0 and 1")
        wrong = [name for name, weight in self.weights.items() if not 0 <= weight < 2**16]
        if wrong:
            raise DataError(f"the weight of {wrong[0]} is {self.weights[wrong[0]]!r}: expected a number of 0 or more")

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules that are asked."""
        rules = (rule._replace(least=self.least) if rule.name == SHORT else rule for rule in RULES)
        return tuple(rule for rule in rules if rule.name not in self.without)

    @property
    def bands(self) -> tuple[int, int]:
        """Bands and rows of the search for near copies (`bands_and_rows`)."""
        return bands_and_rows(self.threshold, BINS)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            **dataclasses.asdict(self),
            "without": list(self.without),
            "weights": dict(sorted(self.weights.items())),
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Settings:
        """From `to_json`."""
        return cls(**{**found, "without": tuple(found["without"])})


RULE_NAMES = tuple(rule.name for rule in RULES)


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterable[str]:
    """What differs between two settings, in words: "seed was 0, is 1"."""
    return (f"{name} was {old.get(name)!r}, is {new.get(name)!r}" for name in new if old.get(name) != new.get(name))


__all__ = ["BPE", "RULE_NAMES", "Settings", "differences"]
