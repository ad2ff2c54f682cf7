"""What the stages have counted, as the summary that the report and the data card are made from."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from minilm.data.corpus.decontaminate import LENGTH
from minilm.data.corpus.documents import Aside
from minilm.data.corpus.draws import smallest
from minilm.data.corpus.quality import Rule
from minilm.data.corpus.summary import (
    BINS,
    Cluster,
    Contamination,
    Copy,
    Evaluation,
    ExactCopies,
    Example,
    Extent,
    Filtered,
    Hit,
    Named,
    NearCopies,
    Pair,
    RuleTally,
    Source,
    Split,
    Summary,
    Tokenizer,
    Weighed,
)
from minilm.pipeline.copies import GROUPS
from minilm.pipeline.counts import added
from minilm.pipeline.pack import GATHER, TOKENIZER, buckets_of, shards_of
from minilm.pipeline.read import EXAMPLES, joined
from minilm.pipeline.read import STAGE as READ
from minilm.pipeline.settings import BPE, Settings
from minilm.pipeline.split import EXAMPLES as HITS
from minilm.pipeline.split import HELD, KNOWN, SCATTER, SPLITS
from minilm.pipeline.work import NOT_STATED, Collection, Work

ASIDES = 12


def summary_of(work: Work) -> Summary:
    """The summary of a corpus of which every stage is done."""
    parts, settings = len(work.plan.partitions), work.settings
    read = joined([*work.results(READ, parts), _not_read(work)])
    held = added(_numbers(result) for result in work.results(HELD, parts))
    scattered = list(work.results(SCATTER, parts))
    counts = added(_numbers(result) for result in scattered)
    tokenizer = work.result(TOKENIZER)
    return Summary(
        name=" + ".join(work.sources),
        version=str(sys.modules["minilm"].__version__),  # the package that this room is in: it imports from none above
        command=command_of(work.plan.collections, settings, [piece.source for piece in work.plan.evaluation]),
        settings=settings.to_json(),
        sources=_sources(work, read, counts),
        aside=_asides(read["aside_examples"]),
        filtered=_filtered(read, settings),
        exact=_exact(work, held["exact"]),
        near=_near(work, held["near"]),
        contaminated=Contamination(
            LENGTH,
            settings.most_share,
            settings.most_runs,
            tuple(
                Evaluation(name, about["sha256"], about["documents"])
                for name, about in work.result(KNOWN)["sets"].items()
            ),
            counts["contaminated"],
            tuple(_hit(fields) for fields in _chosen([result["examples"] for result in scattered], HITS)),
        ),
        weighed=Weighed(dict(settings.weights), counts["left_out"], counts["repeated"]),
        splits=tuple(_splits(work)),
        tokenizer=Tokenizer(tokenizer["type"], tokenizer["vocab_size"], tokenizer["sha256"]),
    )


def command_of(collections: Sequence[Collection], settings: Settings, evaluation: Sequence[str]) -> str:
    """The command that makes the corpus again; in the place of each path stands its name in capitals."""
    words = ["minilm", "corpus", *(f"{each.source}={each.source.upper()}" for each in collections), "--out", "CORPUS"]
    for name, _, licence in collections:
        words += [] if licence == NOT_STATED else ["--licence", f"{name}={licence}"]
    for field in dataclasses.fields(Settings):
        value, option = getattr(settings, field.name), f"--{field.name.replace('_', '-')}"
        if field.name == "tokenizer":
            words += [] if value == BPE else [option, "TOKENIZER"]
        elif field.name == "weights":
            words += [
                word
                for name, weight in sorted(value.items())
                for word in ("--weight", f"{name}={str(weight).removesuffix('.0')}")
            ]
        elif field.name == "without":
            words += [word for rule in value for word in (option, rule)]
        elif value is True:
            words.append(option)
        elif value != field.default:
            words += [option, str(value)]
    words += [word for name in dict.fromkeys(evaluation) for word in ("--evaluation", name.upper())]
    return shlex.join(words)


def _numbers(result: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in result.items() if name != "examples"}


def _not_read(work: Work) -> dict[str, Any]:
    """The files that are not read, as a part of the stage of reading would report them."""
    reasons = added({aside.source: {aside.reason: 1}} for aside in work.plan.asides)
    return {"asides": reasons, "aside_examples": {}}


def _sources(work: Work, read: Mapping[str, Any], counts: Mapping[str, Any]) -> tuple[Source, ...]:
    after = added(counts[split] for split in SPLITS)
    files: dict[str, set[str]] = {}
    for some in work.plan.partitions:
        for piece in some:
            files.setdefault(piece.source, set()).add(piece.name)
    return tuple(
        Source(
            name,
            licence,
            len(files[name]),
            _extent(read["before"].get(name)),
            _extent(after.get(name)),
            read["asides"].get(name, {}),
        )
        for name, _, licence in work.plan.collections
    )


def _extent(found: Mapping[str, Any] | None) -> Extent:
    if found is None:
        return Extent()
    lengths = [0] * BINS
    for power, count in found["lengths"].items():
        lengths[min(int(power), BINS - 1)] += count
    return Extent(found["documents"], found["characters"], tuple(lengths), found["languages"])


def _asides(examples: Mapping[str, Sequence[Any]]) -> tuple[Aside, ...]:
    """Some of each reason."""
    each = [[Aside(*fields) for _, fields in some] for some in examples.values()]
    most = max(1, min(EXAMPLES, ASIDES // max(len(each), 1)))
    return tuple(aside for some in each for aside in some[:most])


def _filtered(read: Mapping[str, Any], settings: Settings) -> Filtered:
    before, stay, examples = read["before"], read["stay"], read["rule_examples"]
    removed = {
        name: about["documents"] - stay.get(name, {"documents": 0})["documents"] for name, about in before.items()
    }

    def tally(rule: Rule) -> RuleTally:
        by_source = {
            kind: {name: rules[rule.name] for name, rules in read.get(kind, {}).items() if rule.name in rules}
            for kind in ("rules", "alone")
        }
        some = [Example(Named(*fields[0]), *fields[1:]) for _, fields in examples.get(rule.name, [])]
        return RuleTally.of(rule, by_source["rules"], by_source["alone"], some)

    return Filtered({name: count for name, count in removed.items() if count}, tuple(map(tally, settings.rules)))


def _exact(work: Work, removed: Mapping[str, int]) -> ExactCopies:
    examples = work.result(GROUPS)["exact_examples"]
    return ExactCopies(removed, tuple(Copy(Named(*kept), Named(*copy), *rest) for kept, copy, *rest in examples))


def _near(work: Work, removed: Mapping[str, int]) -> NearCopies:
    found, (bands, rows) = work.result(GROUPS), work.settings.bands
    return NearCopies(
        work.settings.threshold,
        work.settings.check,
        bands,
        rows,
        removed,
        tuple((int(size), count) for size, count in found["clusters"].items()),
        tuple(
            Cluster(size, Named(*kept), tuple(Named(*other) for other in others))
            for size, kept, others in found["largest"]
        ),
        tuple(Pair(Named(*kept), Named(*copy), *rest) for kept, copy, *rest in found["near_examples"]),
    )


def _hit(fields: Sequence[Any]) -> Hit:
    return Hit(Named(*fields[0]), *fields[1:])


def _chosen(parts: Sequence[Sequence[Sequence[Any]]], most: int) -> Iterator[Any]:
    return (
        example for _, example in smallest(most, *([(number, example) for number, example in part] for part in parts))
    )


def _splits(work: Work) -> Iterator[Split]:
    buckets = list(zip(buckets_of(work), work.results(GATHER, len(buckets_of(work))), strict=True))
    shards = [name for name, _ in shards_of(work)]
    for split in SPLITS:
        here = [result for (name, _), result in buckets if name == split]
        documents, characters, tokens = (
            sum(result[field] for result in here) for field in ("documents", "characters", "tokens")
        )
        yield Split(split, documents, characters, tokens, shards.count(split))


__all__ = ["command_of", "summary_of"]
