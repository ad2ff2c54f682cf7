"""The data card of a corpus, in Markdown: what is in it, from where, under which licences, how it was made, and what it is not good for.

Its parts and the block in front are those of the cards of Hugging Face (https://huggingface.co/docs/hub/datasets-cards), after Gebru et
al. 2018, *Datasheets for datasets*. It quotes no document. `minilm.data.corpus.report` shows examples.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from minilm.data.corpus.bands import probability
from minilm.data.corpus.flow import counted, per_cent, steps
from minilm.data.corpus.page import visible
from minilm.data.corpus.summary import NOT_STATED, Summary, check

SIZES = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")
CODES = ("en", "zh")  # languages that have a code of two letters
REFERENCES = {
    "Broder 1997": "Broder, A. Z. On the resemblance and containment of documents.",
    "Brown et al. 2020": "Brown, T. B., et al. Language Models are Few-Shot Learners. arXiv:2005.14165.",
    "Leskovec, Rajaraman and Ullman 2020": "Leskovec, J., Rajaraman, A., and Ullman, J. D. Mining of Massive Datasets, section 3.4.",
    "Li, Owen and Zhang 2012": "Li, P., Owen, A., and Zhang, C.-H. One Permutation Hashing.",
    "Rae et al. 2021": "Rae, J. W., et al. Scaling Language Models: Methods, Analysis and Insights from Training Gopher. arXiv:2112.11446.",
    "Shrivastava 2017": "Shrivastava, A. Optimal Densification for Fast and Accurate Minwise Hashing.",
    "Soboleva et al. 2023": "Soboleva, D., et al. SlimPajama: A 627B Token Cleaned and Deduplicated Version of RedPajama. Cerebras.",
}


def card_of(summary: Summary) -> str:
    """The text of the card.

    Raises:
        DataError: the numbers of the summary do not fit each other (`summary.check`).
    """
    check(summary)
    sections = {
        "## Dataset summary": _said(summary),
        "## Uses": [
            "To train and to evaluate language models, and to study how a corpus is made. Read the limits below before anything else.",
        ],
        "## Dataset structure": _structure(summary),
        "## Dataset creation": [
            "Documents were read, left out by the steps below, and otherwise not changed, but for Unicode's form NFC."
        ],
        "### Source data and licences": _sources(summary),
        "### How it was made": _made(summary),
        "### What was removed": _removed(summary),
        "### Settings": _fenced(json.dumps(summary.settings, indent=2, sort_keys=True), "json"),
        "### Annotations": ["None."],
        "## Bias, risks, and limitations": _limits(summary),
        "### Personal and sensitive information": [
            "Nothing was done to find names, addresses, keys or passwords, nor insults or false claims: what the sources say stands here."
        ],
        "## How to make it again": [
            f"With minilm {_plain(summary.version)}, from the same files:",
            "",
            *_fenced(visible(summary.command), "sh"),
        ],
        "## References": [f"- {name}: {title}" for name, title in REFERENCES.items()],
    }
    lines = [*_front(summary), "", f"# Dataset card for {_plain(summary.name)}"]
    for title, content in sections.items():
        lines += ["", title, "", *content]
    return "\n".join(lines) + "\n"


def _front(summary: Summary) -> list[str]:
    """The block of YAML for programs. Strings in it are JSON's, which YAML's are, too."""
    stated = {source.licence for source in summary.sources} - {NOT_STATED}
    fields: dict[str, list[str]] = {
        "language": [code for code in CODES if summary.after.languages.get(code)],
        "size_categories": [_size(summary.after.documents)],
        "task_categories": ["text-generation"],
        "annotations_creators": ["no-annotation"],
    }
    listed = [line for name, values in fields.items() if values for line in (f"{name}:", *(f"- {v}" for v in values))]
    title, licence = json.dumps(visible(summary.name)), "other" if stated else "unknown"
    return ["---", f"pretty_name: {title}", f"license: {licence}", *listed, "---"]


def _size(documents: int) -> str:
    """The size as Hugging Face's cards have it: "10K<n<100K"."""
    place = sum(documents >= 1000 * 10**i for i in range(len(SIZES)))
    if place == 0:
        return f"n<{SIZES[0]}"
    return f"n>{SIZES[-1]}" if place == len(SIZES) else f"{SIZES[place - 1]}<n<{SIZES[place]}"


def _said(summary: Summary) -> list[str]:
    before, after = summary.before, summary.after
    shares = per_cent([after.languages.get(code, 0) for code in (*CODES, "other")])
    told = ", ".join(
        f"{share} {word}" for share, word in zip(shares, ("English", "Chinese", "other or not recognized"), strict=True)
    )
    again = sum(summary.weighed.repeated.values())
    return [
        f"{counted(after.documents, 'document')} with {counted(after.characters, 'character')} of text from "
        f"{counted(len(summary.sources), 'source')}, chosen from {counted(before.documents, 'document')} with "
        f"{counted(before.characters, 'character')}."
        + (
            f" {counted(again, 'document')} of them are copies: of sources that are taken more than once."
            if again
            else ""
        ),
        "",
        f"Languages, in per cent of the documents: {told}." if after.documents else "It is empty.",
    ]


def _structure(summary: Summary) -> list[str]:
    shares = per_cent([split.documents for split in summary.splits])
    rows = [
        [_plain(s.name), f"{s.documents:,}", share, f"{s.characters:,}", f"{s.tokens:,}", f"{s.shards:,}"]
        for s, share in zip(summary.splits, shares, strict=True)
    ]
    made = summary.tokenizer
    return [
        *_table(["split", "documents", "of all documents", "characters", "tokens", "files of tokens"], rows, 1),
        "",
        f"Tokens are those of a tokenizer of the kind {_plain(made.kind)} with {counted(made.vocabulary, 'token')}, SHA-256 of its file "
        f"`{_plain(made.sha256)}`. Documents stand in a row, an end token behind each; `minilm.data.open_tokens` maps a file into memory."
        if made
        else "No tokens were made.",
    ]


def _sources(summary: Summary) -> list[str]:
    rows = [
        [
            _plain(s.name),
            _plain(s.licence),
            f"{s.files:,}",
            f"{s.before.documents:,}",
            f"{s.after.documents:,}",
            f"{s.after.characters:,}",
        ]
        for s in sorted(summary.sources, key=lambda source: source.name)
    ]
    return [
        *_table(["source", "licence", "files", "documents read", "in the corpus", "characters in the corpus"], rows, 2),
        "",
        "The licences are what the one who made the corpus says; nobody checked them, and single documents may have their own.",
    ]


def _made(summary: Summary) -> list[str]:
    near, compared = summary.near, summary.contaminated
    check = (
        "a pair that meets there is linked if Jaccard's index is at least that"
        if near.checked
        else "all that meet there are linked"
    )
    sets = ", ".join(
        f"{_plain(each.name)} ({counted(each.documents, 'document')}, SHA-256 `{_plain(each.sha256)}`)"
        for each in compared.sets
    )
    sets = f" or in an evaluation set: {sets}" if sets else ""
    weights = ", ".join(f"{_plain(name)} {weight:g}" for name, weight in sorted(summary.weighed.weights.items()))
    told = [
        "Texts are read as UTF-8 and brought into Unicode's form NFC (Soboleva et al. 2023). What is no document is kept aside.",
        f"Documents that break one of {counted(len(summary.filtered.rules), 'rule')} go. The rules, and whose they are, stand below.",
        "Of documents with the same text one is kept.",
        f"Of documents that are nearly the same one is kept, as in SlimPajama (Soboleva et al. 2023): MinHash (Broder 1997) of runs of "
        "characters without case and punctuation, with one permutation (Li, Owen and Zhang 2012; Shrivastava 2017), compared in "
        f"{counted(near.bands, 'band')} of {counted(near.rows, 'number')}, for a Jaccard index of {near.threshold:g} (Leskovec, Rajaraman "
        f"and Ullman 2020); {check}. Of each cluster the longest document is kept.",
        f"Sources are taken so many times: {weights}. Others, once." if weights else "Each source is taken once.",
        "Documents are in an order, and on a side of the split, that hashes of them decide.",
        f"A document goes from train if more than {100 * compared.most_share:g} % of its runs of {compared.words} words, or more than "
        f"{compared.most_runs:,} such runs, stand in what is held out{sets} (runs of 13 words: Brown et al. 2020).",
        "Documents are made into tokens and laid in a row (Brown et al. 2020).",
    ]
    return [f"{number}. {line}" for number, line in enumerate(told, 1)]


def _removed(summary: Summary) -> list[str]:
    found = steps(summary)
    shares = per_cent([*(step.gone for step in found), found[-1].left])
    rows = [
        [f"{step.name}: {step.told}", f"{step.gone:,}", share, f"{step.left:,}"]
        for step, share in zip(found, shares, strict=False)
    ]
    rows.append(["what is left", f"{found[-1].left:,}", shares[-1], ""])
    reasons = sorted({reason for source in summary.sources for reason in source.aside})
    aside = [
        [_plain(reason), f"{sum(source.aside.get(reason, 0) for source in summary.sources):,}"] for reason in reasons
    ]
    rules = [
        [_plain(r.name), _plain(r.asks), _plain(r.paper), f"{sum(r.removed.values()):,}", f"{sum(r.alone.values()):,}"]
        for r in summary.filtered.rules
    ]
    lines = _table(["step", "went", "of what was read", "left"], rows, 1)
    if aside:
        lines += ["", *_table(["kept aside", "pieces of the input"], aside, 1)]
    if rules:
        head = ["rule", "what it asks of a document", "whose", "documents that break it", "that break only it"]
        lines += ["", *_table(head, rules, 3)]
    return lines


def _limits(summary: Summary) -> list[str]:
    near = summary.near
    meet = [
        f"{100 * float(probability(j, near.bands, near.rows)):.0f} % of those with {j:.2g}"
        for j in (near.threshold, (1 + near.threshold) / 2)
    ]
    unchecked = "" if near.checked else " What meets was not compared, so some that are less alike went, too."
    return [
        "- It is as good as its sources, and says what they say. The rules look at form, not at content.",
        "- The bounds of the rules were found for English. They take lists, tables, poems and program code for bad text more often.",
        "- Language is told by script and function words: Japanese without kana is taken for Chinese, and languages other than "
        "English and Chinese have no name.",
        f"- Near copies are found through hashes. Of pairs by their Jaccard index, {meet[0]} meet, and {meet[1]}.{unchecked} Texts "
        "that say the same in other words stay.",
        "- What is held out has no such copy in train but for those that were missed. A text that train has in other words, or in a run of "
        f"fewer than {summary.contaminated.words} words, was not seen.",
    ]


# --- Markdown ------------------------------------------------------------------------------------------------------------------------


def _plain(text: str) -> str:
    """A stranger's text on one line of Markdown, in which nothing is markup."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~$&])", r"\\\1", " ".join(visible(text).split()))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], words: int) -> list[str]:
    """A table; its first columns hold words, the others numbers."""
    rule = ["---" if i < words else "---:" for i in range(len(head))]
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)]


def _fenced(text: str, language: str) -> list[str]:
    """Lines of code, in a fence that is longer than any in them."""
    fence = "`" * (1 + max([2, *(len(run) for run in re.findall("`+", text))]))
    return [f"{fence}{language}", *text.split("\n"), fence]


__all__ = ["card_of"]
