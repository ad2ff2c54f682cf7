"""All that the report and the data card tell of a corpus, as records that go to JSON and back: `summary.json`.

Every count of a step is of documents, each once, however often weights take it. So for each source

    read - by rules - exact copies - near copies - contaminated - left out by weights = kept,    kept + repeated by weights = in the splits

and `check` refuses a summary of which this is not true. Nothing in it tells of a machine: no times, no workers, no places on a disk. It
is the same for any division of the work: counts add up in any order, and examples are those with the smallest draws (`draws.smallest`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from minilm.data.corpus.documents import Aside, Document
from minilm.data.corpus.quality import Fault, Rule
from minilm.data.errors import DataError

Counts: TypeAlias = Mapping[str, int]
"""From the name of a source to a number of its documents; a source that is missing has none."""

BINS = 32
EXCERPT, HALF, MEMBERS = 600, 2000, 20  # characters of an example, of one of a pair; names of a cluster
BEFORE = 200  # characters of a pair's common beginning that are shown before the first difference
NOT_STATED = "not stated"
LANGUAGES = ("en", "zh", "other")


@dataclass(frozen=True)
class Extent:
    """How much there is of something. Two that are added are one of all their documents.

    Attributes:
        documents, characters: how many.
        lengths: how many documents have 2^b to 2^(b+1) - 1 characters, (BINS,); the last bin has all longer ones, too.
        languages: how many documents are in each language (`language.languages`).
    """

    documents: int = 0
    characters: int = 0
    lengths: tuple[int, ...] = (0,) * BINS
    languages: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, lengths: Iterable[int], languages: Iterable[str]) -> Extent:
        """That of documents, from the length and the language of each."""
        lengths = [int(length) for length in lengths]
        bins = Counter(min(max(length, 1).bit_length(), BINS) - 1 for length in lengths)
        return cls(len(lengths), sum(lengths), tuple(bins[b] for b in range(BINS)), Counter(map(str, languages)))

    def __add__(self, other: Extent) -> Extent:
        return Extent(
            self.documents + other.documents,
            self.characters + other.characters,
            tuple(a + b for a, b in zip(self.lengths, other.lengths, strict=True)),
            Counter(self.languages) + Counter(other.languages),
        )


@dataclass(frozen=True)
class Source:
    """A collection.

    Attributes:
        name: of the collection, as documents have it.
        licence: what the user says of it.
        files: how many there are.
        before: all documents that were read.
        after: what is in the splits; a document that is there twice counts twice.
        aside: how many pieces of the input were kept aside, by reason (`documents.REASONS`).
    """

    name: str
    licence: str = NOT_STATED
    files: int = 0
    before: Extent = field(default_factory=Extent)
    after: Extent = field(default_factory=Extent)
    aside: Mapping[str, int] = field(default_factory=dict)


class Named(NamedTuple):
    """A document by its source and its name there."""

    source: str
    name: str

    @classmethod
    def of(cls, document: Document) -> Named:
        return cls(document.source, document.name)


class Example(NamedTuple):
    """A document, why it went, the beginning of its text, and how many characters it has."""

    document: Named
    reason: str
    text: str
    length: int

    @classmethod
    def of(cls, document: Document, fault: Fault) -> Example:
        return cls(Named.of(document), fault.reason, document.text[:EXCERPT], len(document.text))


@dataclass(frozen=True)
class RuleTally:
    """What one rule removed.

    Attributes:
        name: of the rule (`quality.Rule`); `measure`: the number that it looks at.
        asks: what it asks of a document; `paper`: whose rule it is.
        removed: how many documents break it, and others too or not.
        alone: how many break no other.
        examples: some of those that break it.
    """

    name: str
    measure: str
    asks: str
    paper: str
    removed: Counts = field(default_factory=dict)
    alone: Counts = field(default_factory=dict)
    examples: tuple[Example, ...] = ()

    @classmethod
    def of(cls, rule: Rule, removed: Counts, alone: Counts, examples: Iterable[Example] = ()) -> RuleTally:
        return cls(rule.name, rule.measure, rule.asks, rule.source, removed, alone, tuple(examples))


@dataclass(frozen=True)
class Filtered:
    """What the rules removed: how many documents break one at least, and each rule's part."""

    removed: Counts = field(default_factory=dict)
    rules: tuple[RuleTally, ...] = ()


class Copy(NamedTuple):
    """A document that went since its text stands in another one, which is kept, too, and the beginning of that text."""

    kept: Named
    copy: Named
    text: str
    length: int

    @classmethod
    def of(cls, kept: Document, copy: Document) -> Copy:
        return cls(Named.of(kept), Named.of(copy), copy.text[:EXCERPT], len(copy.text))


@dataclass(frozen=True)
class ExactCopies:
    """Documents of which another one has the whole text: how many went, and some of them."""

    removed: Counts = field(default_factory=dict)
    examples: tuple[Copy, ...] = ()


class Pair(NamedTuple):
    """A document that went and the one that is kept of its cluster.

    Attributes:
        kept, removed: which they are.
        kept_text, removed_text: `HALF` characters of each at most, from `start` on.
        kept_length, removed_length: how many characters each has in all.
        start: a bit before the first difference, the same place in both.
        jaccard: Jaccard's index of their shingles.
    """

    kept: Named
    removed: Named
    kept_text: str
    removed_text: str
    kept_length: int
    removed_length: int
    start: int
    jaccard: float

    @classmethod
    def of(cls, kept: Document, removed: Document, jaccard: float) -> Pair:
        """The pair, cut where it is longer: around the first place at which the two differ."""
        longest = max(len(kept.text), len(removed.text))
        start = max(0, common_start(kept.text, removed.text) - BEFORE) if longest > HALF else 0
        one, other = (each.text[start : start + HALF] for each in (kept, removed))
        lengths = len(kept.text), len(removed.text)
        return cls(Named.of(kept), Named.of(removed), one, other, *lengths, start, float(jaccard))


class Cluster(NamedTuple):
    """Documents that are alike: how many, which one is kept, and `MEMBERS` of the others at most."""

    size: int
    kept: Named
    others: tuple[Named, ...]


@dataclass(frozen=True)
class NearCopies:
    """Documents that are nearly the same as one that is kept.

    Attributes:
        threshold: Jaccard's index from which on two are linked.
        checked: whether it was computed for those that met in a bucket; otherwise the hashes were believed.
        bands, rows: how signatures were cut, of which it depends how many pairs never met (`bands.probability`).
        removed: how many documents went.
        sizes: how many clusters have how many documents, (size, count), sizes from 2 on ascending.
        largest: the largest clusters.
        examples: some of those that went, beside what is kept.
    """

    threshold: float
    checked: bool
    bands: int
    rows: int
    removed: Counts = field(default_factory=dict)
    sizes: tuple[tuple[int, int], ...] = ()
    largest: tuple[Cluster, ...] = ()
    examples: tuple[Pair, ...] = ()


class Hit(NamedTuple):
    """A document of train in which held-out or evaluation texts stand (`decontaminate`): one passage, share and number of all runs."""

    document: Named
    passage: str
    share: float
    runs: int


class Evaluation(NamedTuple):
    """A set that a model of this corpus may be evaluated on: nothing of it is in train."""

    name: str
    sha256: str
    documents: int


@dataclass(frozen=True)
class Contamination:
    """What was removed from train since held-out or evaluation texts stand in it.

    Attributes:
        words: how many words a run has.
        most_share, most_runs: a document with more of either went.
        sets: the evaluation sets, besides what is held out.
        removed: how many documents went.
        examples: some of them.
    """

    words: int
    most_share: float
    most_runs: int
    sets: tuple[Evaluation, ...] = ()
    removed: Counts = field(default_factory=dict)
    examples: tuple[Hit, ...] = ()


@dataclass(frozen=True)
class Weighed:
    """How often sources were taken.

    Attributes:
        weights: how many times each source was taken; one that is missing, once.
        left_out: how many documents were taken no time.
        repeated: how many copies more than one there are of documents in the splits.
    """

    weights: Mapping[str, float] = field(default_factory=dict)
    left_out: Counts = field(default_factory=dict)
    repeated: Counts = field(default_factory=dict)


class Split(NamedTuple):
    """A part of the corpus, in so many files of tokens."""

    name: str
    documents: int
    characters: int
    tokens: int
    shards: int


class Tokenizer(NamedTuple):
    """What made tokens of texts: its kind ("bpe"), how many tokens there are, and the SHA-256 of its file."""

    kind: str
    vocabulary: int
    sha256: str


@dataclass(frozen=True)
class Summary:
    """A corpus.

    Attributes:
        name: what people call it.
        version: minilm's.
        command: what makes it again.
        settings: everything that was chosen, of JSON's types.
        sources: in any order, their names are different.
        aside: some of what was kept aside.
        filtered, exact, near, weighed, contaminated: what each step removed.
        splits: train, and what is held out.
        tokenizer: None where no tokens were made.
    """

    name: str
    version: str
    command: str
    settings: Mapping[str, Any]
    sources: tuple[Source, ...]
    aside: tuple[Aside, ...]
    filtered: Filtered
    exact: ExactCopies
    near: NearCopies
    contaminated: Contamination
    weighed: Weighed
    splits: tuple[Split, ...]
    tokenizer: Tokenizer | None = None

    @property
    def before(self) -> Extent:
        """What was read of all sources."""
        return sum((source.before for source in self.sources), Extent())

    @property
    def after(self) -> Extent:
        """What is in the splits of all sources."""
        return sum((source.after for source in self.sources), Extent())

    @property
    def removed(self) -> dict[str, Counts]:
        """By step, in their order, how many documents of each source went."""
        return {
            "rules": self.filtered.removed,
            "exact copies": self.exact.removed,
            "near copies": self.near.removed,
            "contaminated": self.contaminated.removed,
            "left out by weights": self.weighed.left_out,
        }


def check(summary: Summary) -> None:
    """Refuses a summary whose numbers do not fit each other.

    Raises:
        DataError: says which.
    """
    names = Counter(source.name for source in summary.sources)
    _equal("different names of sources", len(names), "sources", len(summary.sources))
    for step, counts in {**summary.removed, "repeated by weights": summary.weighed.repeated}.items():
        if unknown := sorted(counts.keys() - names.keys()):
            raise DataError(f"{step}: there is no source {unknown[0]!r}")
    for source in summary.sources:
        for when, extent in (("read", source.before), ("in the splits", source.after)):
            what = f"documents of {source.name!r} {when}"
            _equal(what, extent.documents, "their lengths", sum(extent.lengths))
            _equal(what, extent.documents, "their languages", sum(extent.languages.values()))
        gone = sum(counts.get(source.name, 0) for counts in summary.removed.values())
        left = source.before.documents - gone + summary.weighed.repeated.get(source.name, 0)
        _equal(
            f"documents of {source.name!r} that the steps leave", left, "those in the splits", source.after.documents
        )
    rules = {rule.name for rule in summary.filtered.rules}
    _equal("different names of rules", len(rules), "rules", len(summary.filtered.rules))
    for rule in summary.filtered.rules:
        for name, count in rule.removed.items():
            most = summary.filtered.removed.get(name, 0)
            if not rule.alone.get(name, 0) <= count <= most:
                raise DataError(
                    f"the rule {rule.name!r} has {count:,} documents of {name!r}, all rules together {most:,}"
                )
    clustered = sum((size - 1) * count for size, count in summary.near.sizes)
    _equal("near copies", sum(summary.near.removed.values()), "clusters without the one kept of each", clustered)
    for what, total in (("documents", summary.after.documents), ("characters", summary.after.characters)):
        _equal(
            f"{what} of sources in the splits", total, "of the splits", sum(getattr(s, what) for s in summary.splits)
        )


def common_start(one: str, other: str) -> int:
    """With how many characters both texts begin, by halving: comparing parts of strings is fast, characters are not."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle - 1)
    return low


def _equal(what: str, one: int, than: str, other: int) -> None:
    if one != other:
        raise DataError(f"the numbers of the corpus do not fit: {what}: {one:,}; {than}: {other:,}")


__all__ = [
    "BINS", "LANGUAGES", "NOT_STATED", "Cluster", "Contamination", "Copy", "Counts", "Evaluation", "ExactCopies", "Example", "Extent",
    "Filtered", "Hit", "Named", "NearCopies", "Pair", "RuleTally", "Source", "Split", "Summary", "Tokenizer", "Weighed", "check",
]  # fmt: skip
