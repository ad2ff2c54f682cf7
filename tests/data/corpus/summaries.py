"""Summaries of small corpora, made by the steps' own functions in a row: what the runner does for large ones."""

import random
from collections import Counter, defaultdict
from types import MappingProxyType

import numpy as np

from minilm.data.corpus import near_duplicates
from minilm.data.corpus.decontaminate import contaminated, overlap, passage, runs_of
from minilm.data.corpus.documents import Aside, Document
from minilm.data.corpus.draws import draws, smallest
from minilm.data.corpus.duplicates import digest, jaccard
from minilm.data.corpus.language import ENGLISH_WORDS, languages
from minilm.data.corpus.quality import RULES, judge, measures
from minilm.data.corpus.summary import (
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
from tests.data.corpus.texts import words

EXAMPLES = 3
NONE = MappingProxyType({})


def chosen(documents, examples, purpose, k=EXAMPLES):
    """The examples of the documents whose draws are the smallest."""
    drawn = draws(np.array([digest(d.text, d.name) for d in documents], np.uint64), 0, purpose).tolist()
    return tuple(example for _, example in smallest(k, zip(drawn, examples, strict=True)))


def extents(documents, sources):
    """What there is of each source."""
    found = measures([d.text for d in documents])
    told = languages(*(found[name] for name in ("unspaced_words", "english_words", "han")))
    return {
        source: Extent.of(
            [len(d.text) for d in documents if d.source == source],
            [language for d, language in zip(documents, told, strict=True) if d.source == source],
        )
        for source in sources
    }


def summary_of(
    documents, aside=(), held_out=(), licences=NONE, name="small", rules=RULES, settings=NONE, evaluation=()
):
    """The summary of a corpus of the documents.

    Args:
        held_out: names of documents that are held out.
        licences: of sources.
        evaluation: texts of a set that train is compared with.
    """
    sources = sorted({d.source for d in documents} | {a.source for a in aside} | set(licences))
    verdicts = judge([d.text for d in documents], rules)
    filtered = filtered_of(documents, verdicts, rules)
    left = [d for d, faults in zip(documents, verdicts, strict=True) if not faults]

    first = {}
    for document in left:
        first.setdefault(document.text, document)
    copies = [d for d in left if first[d.text] is not d]
    exact = ExactCopies(by_source(copies), chosen(copies, [Copy.of(first[d.text], d) for d in copies], "exact"))
    left = list(first.values())

    near, left = near_of(left)
    train, validation = [d for d in left if d.name not in held_out], [d for d in left if d.name in held_out]
    found = overlap([d.text for d in train], runs_of([*(d.text for d in validation), *evaluation]))
    wrong = contaminated(found)
    hits = [
        Hit(Named.of(d), passage(d.text, int(at)), float(share), int(runs))
        for d, share, runs, at in zip(train, *found, strict=True)
    ]
    bad = [d for d, mark in zip(train, wrong, strict=True) if mark]
    hits = chosen(bad, [hit for hit, mark in zip(hits, wrong, strict=True) if mark], "hits")
    sets = (Evaluation("questions", "0" * 64, len(evaluation)),) if evaluation else ()
    train = [d for d, mark in zip(train, wrong, strict=True) if not mark]

    before, after = extents(documents, sources), extents(train + validation, sources)
    reasons = {source: Counter(a.reason for a in aside if a.source == source) for source in sources}
    return Summary(
        name=name,
        version="0.1.0",
        command="minilm corpus build texts --out corpus",
        settings=dict(settings),
        sources=tuple(
            Source(s, licences.get(s, "not stated"), 1, before[s], after[s], reasons[s]) for s in sources
        ),
        aside=tuple(aside)[:EXAMPLES],
        filtered=filtered,
        exact=exact,
        near=near,
        contaminated=Contamination(13, 0.1, 50, sets, by_source(bad), hits),
        weighed=Weighed(),
        splits=tuple(
            Split(split, len(some), sum(len(d.text) for d in some), sum(len(d.text.split()) for d in some), 1)
            for split, some in (("train", train), ("validation", validation))
        ),
        tokenizer=Tokenizer("bpe", 4096, "f" * 64),
    )  # fmt: skip


def by_source(documents):
    return Counter(d.source for d in documents)


def filtered_of(documents, verdicts, rules):
    removed, alone, examples = defaultdict(Counter), defaultdict(Counter), defaultdict(list)
    for document, faults in zip(documents, verdicts, strict=True):
        for fault in faults:
            removed[fault.rule][document.source] += 1
            alone[fault.rule][document.source] += len(faults) == 1
            examples[fault.rule].append((document, Example.of(document, fault)))
    tallies = []
    for rule in rules:
        broken, told = zip(*examples[rule.name], strict=True) if examples[rule.name] else ((), ())
        tallies.append(RuleTally.of(rule, removed[rule.name], alone[rule.name], chosen(broken, told, rule.name)))
    return Filtered(by_source([d for d, f in zip(documents, verdicts, strict=True) if f]), tuple(tallies))


def near_of(documents):
    """What is said of near copies, and the documents that are kept."""
    texts = [d.text for d in documents]
    kept = near_duplicates(texts) if texts else np.empty(0, np.int64)
    gone = [i for i in range(len(texts)) if kept[i] != i]
    likeness = jaccard(texts, np.array([[kept[i], i] for i in gone]).reshape(-1, 2))
    pairs = [Pair.of(documents[kept[i]], documents[i], j) for i, j in zip(gone, likeness, strict=True)]
    sizes = Counter(Counter(kept.tolist()).values())
    members = defaultdict(list)
    for i in gone:
        members[int(kept[i])].append(Named.of(documents[i]))
    largest = sorted(members.items(), key=lambda item: (-len(item[1]), documents[item[0]].name))[:EXAMPLES]
    return NearCopies(
        threshold=0.8,
        checked=True,
        bands=9,
        rows=13,
        removed=by_source([documents[i] for i in gone]),
        sizes=tuple(sorted((size, count) for size, count in sizes.items() if size > 1)),
        largest=tuple(Cluster(len(o) + 1, Named.of(documents[i]), tuple(o[:20])) for i, o in largest),
        examples=chosen([documents[i] for i in gone], pairs, "near"),
    ), [d for i, d in enumerate(documents) if kept[i] == i]


HOSTILE = (
    '<script>alert("1")</script> & </div></details> <!-- <img src=x onerror=alert(1)> \'"`|\0\x1b[31m\r\t\x85 \u202eturned\u202c '
    "\u2066isolated \ufeff\u200b\ud800 and \udc00 \ufffe \U000e0041 مرحبا بالعالم \u0301\u0301\u0301 ]]> --> ${x} {y} \\ *b* "
    "[l](javascript:0)"
)


def corpus():
    """A corpus of two sources, English and Chinese, of which each step removes something: arguments of `summary_of`."""
    rng = random.Random(1)
    function, others = sorted(ENGLISH_WORDS), words(300)

    def prose(length):
        return " ".join(rng.choice(others if i % 4 else function) for i in range(length))

    web = [prose(120) for _ in range(11)]
    web.append(f"{prose(100)} {HOSTILE} {prose(100)}")
    near = [f"{web[0]} end", f"{web[0]} and so on", web[1].title(), web[11].replace("</div>", "<b>")]
    quoted = f"{web[2]} {prose(60)}"
    bad = ["too short", "the same line is the same\n" * 30, HOSTILE, HOSTILE * 3, "...\n# " * 90]
    chinese = ["".join(chr(rng.randrange(0x4E00, 0x9FA5)) for _ in range(400)) for _ in range(3)]
    documents = [Document(text, "web", f"a/{i}.txt") for i, text in enumerate([*web, *near, quoted, *bad, web[3]])]
    documents += [
        Document(text, "talk", f"b.jsonl:{i}") for i, text in enumerate([*chinese, web[4], chinese[0], HOSTILE])
    ]
    aside = [
        Aside("talk", "b.jsonl", 99, "bad JSON", HOSTILE),
        Aside("talk", "c.jsonl", 1042, "bad JSON", "no valid JSON at column 3"),
        Aside("web", "logo.png", 0, "bad encoding", "the file is no text"),
    ]
    return {
        "documents": documents,
        "aside": aside,
        "held_out": {"a/2.txt"},
        "licences": {"web": "CC BY 4.0", "talk": HOSTILE},
        "settings": {"seed": 0, "near": {"threshold": 0.8, "check": True}, "sources": ["web", "talk"], HOSTILE: None},
        "evaluation": [web[5], HOSTILE],
    }


__all__ = ["HOSTILE", "Aside", "Document", "corpus", "summary_of"]
