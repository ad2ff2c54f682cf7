"""The report of a corpus: one page of HTML that says what came in, what each step removed, with examples, and what came out.

It loads nothing, needs no script, and is the same bytes for the same summary. What it quotes are texts of strangers (`page.shown`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from minilm.data.corpus.differences import differences
from minilm.data.corpus.evidence import evidence, marked
from minilm.data.corpus.flow import counted, per_cent, steps
from minilm.data.corpus.page import KEY, NUMBER, Bin, bar, details, document, histogram, row, shown, table, text_box
from minilm.data.corpus.summary import LANGUAGES, Cluster, Example, Extent, Named, Pair, RuleTally, Summary, check

WORDS = {"en": "English", "zh": "Chinese", "other": "another, or not recognized"}
OPEN = 1  # pairs of near copies that are shown at once


def html_of(summary: Summary) -> str:
    """The page.

    Raises:
        DataError: the numbers of the summary do not fit each other (`summary.check`).
    """
    check(summary)
    summary = replace(summary, sources=tuple(sorted(summary.sources, key=lambda source: source.name)))
    title = f"Report of the corpus {summary.name}"
    contents = "".join(f'<li><a href="#{_anchor(name)}">{name}</a></li>' for name in SECTIONS)
    parts = [f"<h1>{shown(title)}</h1>\n{_flow(summary)}", f'<nav aria-label="Contents"><ul>{contents}</ul></nav>']
    parts += [f'<h2 id="{_anchor(name)}">{name}</h2>\n{section(summary)}' for name, section in SECTIONS.items()]
    return document(title, "\n".join(parts))


# --- from what came in to what came out ----------------------------------------------------------------------------------------------


def _flow(summary: Summary) -> str:
    before, after = summary.before, summary.after
    found = steps(summary)
    whole = found[0].gone + found[0].left
    if not whole:
        return "<p>Nothing was read, so nothing is in the corpus.</p>"
    *shares, left = per_cent([*(step.gone for step in found), found[-1].left])
    kept, more = found[-1].left, after.documents - found[-1].left
    splits = " and ".join(f"{split.documents:,} in {shown(split.name)}" for split in summary.splits)
    again = f", some of them more than once, which adds {more:,}" if more else ""
    said = (
        f"<p>Of {counted(whole, 'piece')} of input ({counted(before.documents, 'document')} of {counted(before.characters, 'character')}, "
        f"and {counted(found[0].gone, 'piece')} kept aside) from {counted(len(summary.sources), 'source')}, "
        f"<b>{counted(kept, 'document')} ({left})</b> {_are(kept)} in the corpus{again}: {splits or 'no split was made'}.</p>\n"
    )
    scale = max(whole, after.documents)
    lines = [_line("Read", bar(whole, 0, scale), "", f"{whole:,}", "lines of JSON, and files of text")]
    for step, share in zip(found, shares, strict=True):
        name = f'<a href="#{_anchor(LINKS[step.name])}">{step.name.capitalize()}</a>'
        gone = f"−{step.gone:,} ({share})" if step.gone else "0"
        lines.append(_line(name, bar(step.left, step.gone, scale), gone, f"{step.left:,} left", step.told))
    if more:
        drawn = bar(after.documents, 0, scale)
        lines.append(_line("Repeated by weights", drawn, f"+{more:,}", f"{after.documents:,}", "documents taken again"))
    parts = per_cent([split.documents for split in summary.splits])
    for split, part in zip(summary.splits, parts, strict=True):
        told = f"{part} of the corpus, {split.tokens:,} tokens" if split.tokens else f"{part} of the corpus"
        name = shown(split.name[:1].upper() + split.name[1:])
        lines.append(_line(name, bar(split.documents, 0, scale), "", f"{split.documents:,}", told))
    note = f"<p class='soft'>Per cent are of the {whole:,} pieces of input, and add up to 100 with the {left} that {_are(kept)} left.</p>\n"
    key = KEY.format("goes in this step", "is left")
    return f'{said}{key}<ol class="flow">{"".join(lines)}</ol>\n{note}{_by_source(summary)}'


def _line(name: str, drawn: str, gone: str, left: str, told: str) -> str:
    return f'<li><span>{name}</span>{drawn}<span class="gone">{gone}</span><span class="left">{left}</span><small>{told}</small></li>\n'


def _by_source(summary: Summary) -> str:
    changed = {f"−\u00a0{name}": counts for name, counts in summary.removed.items()}
    changed["+\u00a0repeated by weights"] = summary.weighed.repeated
    if not summary.weighed.weights:
        changed = {name: counts for name, counts in changed.items() if "weights" not in name}
    rows = []
    for s in summary.sources:
        counts = [s.before.documents, *(each.get(s.name, 0) for each in changed.values()), s.after.documents]
        rows.append([shown(s.name), *_numbers([*counts, s.before.characters, s.after.characters])])
    head = ["Source", "read", *changed, "=\u00a0in the corpus", "characters read", "characters in the corpus"]
    return details("The same by source", table("Documents of each source, step by step", head, rows))


# --- what the steps removed ----------------------------------------------------------------------------------------------------------


def _aside(summary: Summary) -> str:
    rows = [
        [shown(source.name), shown(reason), f"{count:,}"]
        for source in summary.sources
        for reason, count in sorted(source.aside.items())
        if count
    ]
    if not rows:
        return _none("Nothing was kept aside.")
    found = [[shown(a.source), shown(a.file), shown(a.reason), shown(a.found), f"{a.offset:,}"] for a in summary.aside]
    head = ["Source", "File", "Reason", "What was found", "Byte"]
    return table("Pieces kept aside, by source and reason", ["Source", "Reason", "Pieces"], rows, 2) + details(
        counted(len(found), "example"), table("Where some of them are", head, found, 4)
    )


def _rules(summary: Summary) -> str:
    total = sum(summary.filtered.removed.values())
    if not total:
        return _none("No document breaks a rule." if summary.filtered.rules else "No rule was asked.")
    by = sorted(summary.filtered.rules, key=lambda rule: (-sum(rule.removed.values()), rule.name))
    broken, others = [r for r in by if sum(r.removed.values())], [r for r in by if not sum(r.removed.values())]
    said = (
        f"<p>{counted(total, 'document')} went, as each breaks one rule or more. One that breaks several counts for each of them, so the "
        "rows add up to more than all. In examples, <mark>marked</mark> is what the rule speaks of, as far as it is in the part that is "
        "shown.</p>\n"
    )
    body = "".join(_rule(rule, total, summary) for rule in broken)
    head = ["Rule", "break it", "of all", "only it"]
    heads = "".join(f'<th scope="col"{NUMBER if i else ""}>{name}</th>' for i, name in enumerate(head))
    listed = (
        f'<table class="rules"><caption>Documents that break each rule; per cent are of the {total:,} that went</caption>'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>{body}</tbody></table>\n"
    )
    items = "".join(f"<li><b>{shown(rule.name)}</b>: {_asks(rule)}</li>" for rule in others)
    more = details(f"{counted(len(others), 'rule')} that no document breaks", f"<ul>{items}</ul>") if others else ""
    return said + listed + more


def _rule(rule: RuleTally, total: int, summary: Summary) -> str:
    """Two rows of the table: the numbers, and below them what it asks, and examples."""
    removed, alone = sum(rule.removed.values()), sum(rule.alone.values())
    share = per_cent([removed, total - removed])[0]
    content = f'<div class="examples">{"".join(_example(example, rule.measure) for example in rule.examples)}</div>\n'
    if len(summary.sources) > 1:
        rows = [
            [shown(source.name), f"{rule.removed[source.name]:,}", f"{rule.alone.get(source.name, 0):,}"]
            for source in summary.sources
            if rule.removed.get(source.name, 0)
        ]
        content += table(f"{shown(rule.name)}, by source", ["Source", "break it", "only it"], rows)
    first = row([f"<b>{shown(rule.name)}</b>", f"{removed:,}", share, f"{alone:,}"], kind="opens")
    opened = details(counted(len(rule.examples), "example"), content)
    return f'{first}<tr class="opened"><td colspan="4">{_asks(rule)}{opened}</td></tr>\n'


def _asks(rule: RuleTally) -> str:
    return f'{shown(rule.asks)} <span class="soft">· {shown(rule.paper)}</span>'


def _example(example: Example, measure: str) -> str:
    name = _named(example.document, _part(example.text, example.length))
    parts = marked(example.text, evidence(example.text, measure))
    return text_box(f"{name}<br>{shown(example.reason)}", _marked(parts))


def _exact(summary: Summary) -> str:
    total = sum(summary.exact.removed.values())
    if not total:
        return _none("No text is there twice.")
    boxes = "".join(
        text_box(f"{_named(copy.copy, _part(copy.text, copy.length))}<br>is {_named(copy.kept)}", shown(copy.text))
        for copy in summary.exact.examples
    )
    said = f"<p>{counted(total, 'document')} went: another one, which is kept, has the same text.</p>\n"
    return said + details(counted(len(summary.exact.examples), "example"), f'<div class="examples">{boxes}</div>\n')


def _near(summary: Summary) -> str:
    near = summary.near
    total = sum(near.removed.values())
    how = (
        f"Jaccard's index of their shingles is {near.threshold:g} or more; it was computed for all that may be alike"
        if near.checked
        else f"their hashes say so. They are made for a Jaccard index of {near.threshold:g} and more, which was not computed to check them"
    )
    said = (
        f"<p>Two documents are linked if {how}. What is linked, also by way of others, is a cluster, and one of each cluster is "
        "kept. So one that went may be less like the one that is kept than this.</p>\n"
    )
    if not total:
        return said + _none("No document is nearly the same as another one.")
    pairs = "".join(_pair(pair, place) for place, pair in enumerate(near.examples))
    words = (
        "<p>Beside each other, the document that is kept and one that went. <mark>Marked</mark> and underlined are words which the "
        "other one does not have at this place; white space between words is not compared.</p>\n"
        if near.examples
        else ""
    )
    return f"{said}<p>{counted(total, 'document')} went.</p>\n{words}{pairs}<h3>Clusters</h3>\n{_clusters(summary)}"


def _pair(pair: Pair, place: int) -> str:
    kept, removed = differences(pair.kept_text, pair.removed_text)
    of_kept = _named(pair.kept, _part(pair.kept_text, pair.kept_length, pair.start))
    of_removed = _named(pair.removed, _part(pair.removed_text, pair.removed_length, pair.start))
    boxes = text_box(f"<b>kept</b> {of_kept}", _marked(kept)) + text_box(f"<b>went</b> {of_removed}", _marked(removed))
    title = f"Jaccard's index {pair.jaccard:.3f}: {_named(pair.kept)} and {_named(pair.removed)}"
    return details(title, f'<div class="examples">{boxes}</div>\n', place < OPEN)


def _marked(parts: Iterable[tuple[str, bool]]) -> str:
    return "".join(f"<mark>{shown(text)}</mark>" if mark else shown(text) for text, mark in parts)


def _clusters(summary: Summary) -> str:
    near = summary.near
    rows = [[f"{size:,}", f"{count:,}", f"{(size - 1) * count:,}"] for size, count in near.sizes]
    head = ["Documents in a cluster", "clusters", "documents that went"]
    largest = "".join(
        details(
            f"{counted(cluster.size, 'document')}: {_named(cluster.kept)} is kept",
            f'<ul class="names">{_members(cluster)}</ul>\n',
        )
        for cluster in near.largest
    )
    return table("Clusters of near copies by size", head, rows) + (f"<p>The largest:</p>\n{largest}" if largest else "")


def _members(cluster: Cluster) -> str:
    rest = cluster.size - 1 - len(cluster.others)
    names = [*map(_named, cluster.others), *([f"and {rest:,} more"] if rest else [])]
    return "".join(f"<li>{name}</li>" for name in names)


def _contaminated(summary: Summary) -> str:
    found = summary.contaminated
    total = sum(found.removed.values())
    sets = f"{counted(len(found.sets), 'evaluation set')} and " if found.sets else ""
    said = (
        f"<p>Train was compared with {sets}what is held out, in runs of {found.words} words without case and punctuation. A document goes "
        f"if more than {100 * found.most_share:g} % of its runs, or more than {found.most_runs:,} runs, stand there. "
        f"{counted(total, 'document')} went.</p>\n"
    )
    listed = table(
        "Evaluation sets that train was compared with",
        ["Set", "SHA-256", "Documents"],
        [[shown(each.name), f"<code>{shown(each.sha256)}</code>", f"{each.documents:,}"] for each in found.sets],
        2,
    )
    rows = [
        [_named(hit.document), shown(hit.passage), f"{hit.runs:,}", f"{100 * hit.share:.1f} %"]
        for hit in found.examples
    ]
    head = ["Document", "A passage that stands there", "Runs", "of its runs"]
    examples = table("Documents that went from train", head, rows, 2) if rows else ""
    return said + (listed if found.sets else "") + examples


# --- before and after ----------------------------------------------------------------------------------------------------------------


def _lengths(summary: Summary) -> str:
    found = _histogram("all sources", summary.before, summary.after)
    if len(summary.sources) > 1:
        found += "".join(details(shown(s.name), _histogram(shown(s.name), s.before, s.after)) for s in summary.sources)
    said = "<p>Documents by their length in characters. Each bin is twice as wide as the one before it.</p>\n"
    return said + KEY.format(BEFORE, AFTER) + found


def _histogram(name: str, before: Extent, after: Extent) -> str:
    filled = [b for b, counts in enumerate(zip(before.lengths, after.lengths, strict=True)) if any(counts)]
    if not filled:
        return _none("There are none.")
    bins = range(filled[0], filled[-1] + 1)
    drawn = [Bin(f"{2**b:,}", before.lengths[b], after.lengths[b]) for b in bins]
    rows = [
        [f"{2**b:,} to {2 ** (b + 1) - 1:,}", f"{each.before:,}", f"{each.after:,}"]
        for b, each in zip(bins, drawn, strict=True)
    ]
    head = ["Characters", "read", "in the corpus"]
    label = f"Lengths of documents, {name}; the numbers are in the table below"
    picture = histogram(label, drawn, f"{2 ** (filled[-1] + 1):,}")
    return picture + details("In numbers", table(f"Lengths of documents, {name}", head, rows))


def _languages(summary: Summary) -> str:
    found = _language_table("all sources", summary.before, summary.after)
    if len(summary.sources) > 1:
        each = [_language_table(shown(s.name), s.before, s.after) for s in summary.sources]
        found += details("By source", "".join(each))
    said = "<p>Told by script and function words. Short texts, lists, tables and program code are often not recognized.</p>\n"
    return said + found


def _language_table(name: str, before: Extent, after: Extent) -> str:
    known = [*LANGUAGES, *sorted((before.languages.keys() | after.languages.keys()) - set(LANGUAGES))]
    counts = [[extent.languages.get(language, 0) for language in known] for extent in (before, after)]
    rows = [
        [shown(WORDS.get(language, language)), f"{was:,}", of_was, f"{now:,}", of_now]
        for language, was, now, of_was, of_now in zip(known, *counts, *map(per_cent, counts), strict=True)
    ]
    head = ["Language", "read", "of read", "in the corpus", "of the corpus"]
    return table(f"Documents by language, {name}", head, rows)


def _splits(summary: Summary) -> str:
    after = [
        [shown(split.name), *_numbers(split[1:]), share]
        for split, share in zip(summary.splits, per_cent([split.documents for split in summary.splits]), strict=True)
    ]
    head = ["Split", "documents", "characters", "tokens", "files", "of all documents"]
    if not after:
        return _none("None was made.")
    made = summary.tokenizer
    said = (
        f"<p>Tokens are those of a tokenizer of the kind {shown(made.kind)} with {counted(made.vocabulary, 'token')}; SHA-256 of its file: "
        f"<code>{shown(made.sha256)}</code></p>\n"
        if made
        else "<p>No tokens were made.</p>\n"
    )
    return table("What is in each split", head, after) + said + _weights(summary)


def _weights(summary: Summary) -> str:
    found = summary.weighed
    if not found.weights:
        return ""
    rows = [
        [shown(name), f"{weight:g}", *_numbers(counts.get(name, 0) for counts in (found.left_out, found.repeated))]
        for name, weight in sorted(found.weights.items())
    ]
    return table(
        "How often sources are taken", ["Source", "times", "documents left out", "documents taken again"], rows
    )


# --- how it was made -----------------------------------------------------------------------------------------------------------------


def _settings(summary: Summary) -> str:
    rows = [[shown(name), f"<code>{shown(value)}</code>"] for name, value in flat(summary.settings)]
    command = text_box(
        f"Made with minilm {shown(summary.version)} by this command", f"<code>{shown(summary.command)}</code>"
    )
    return command + (table("All settings", ["Setting", "Value"], rows, 2) if rows else "")


def _licences(summary: Summary) -> str:
    rows = [
        [
            shown(source.name),
            shown(source.licence),
            f"{source.files:,}",
            f"{source.after.documents:,}",
            f"{source.after.characters:,}",
        ]
        for source in summary.sources
    ]
    head = ["Source", "Licence", "files", "documents in the corpus", "characters"]
    return "<p>What the one who made the corpus says of each source; it was not checked.</p>\n" + table(
        "Sources and their licences", head, rows, 2
    )


def flat(settings: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    """Settings as names and JSON, those within others with a dot between, in the order of their names."""
    found = []
    for name, value in sorted(settings.items()):
        if isinstance(value, Mapping) and value:
            found += flat(value, f"{before}{name}.")
        else:
            found.append((before + name, json.dumps(value, ensure_ascii=False, sort_keys=True)))
    return found


# --- words ---------------------------------------------------------------------------------------------------------------------------


def _named(document: Named, more: str = "") -> str:
    return f'<bdi>{shown(document.name)}</bdi> <span class="soft">in <bdi>{shown(document.source)}</bdi>{more}</span>'


def _part(text: str, length: int, start: int = 0) -> str:
    """Which part of a document is shown."""
    if len(text) == length:
        return f", {counted(length, 'character')}"
    return f", characters {start + 1:,} to {start + len(text):,} of {length:,}"


def _none(said: str) -> str:
    return f'<p class="soft">{said}</p>\n'


def _numbers(values: Iterable[int]) -> list[str]:
    return [f"{value:,}" for value in values]


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _anchor(name: str) -> str:
    return name.lower().replace(" ", "-")


BEFORE, AFTER = "before: all documents that were read", "after: what is in the corpus"
SECTIONS: Mapping[str, Callable[[Summary], str]] = {
    "Kept aside": _aside,
    "Rules": _rules,
    "Exact copies": _exact,
    "Near copies": _near,
    "Contaminated": _contaminated,
    "Lengths": _lengths,
    "Languages": _languages,
    "Splits": _splits,
    "Settings": _settings,
    "Licences": _licences,
}
LINKS = {"kept aside": "Kept aside", "rules": "Rules", "exact copies": "Exact copies", "near copies": "Near copies",
         "contaminated": "Contaminated", "left out by weights": "Splits"}  # fmt: skip

__all__ = ["flat", "html_of"]
