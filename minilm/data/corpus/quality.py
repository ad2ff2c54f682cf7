"""Rules that leave a document out, as data: what is measured, from where to where it may lie, whose rule it is, and how it is told.

`measures` finds all numbers of many documents at once, `measures_plain` those of one by counting; a rule is two bounds on one of them.
The bounds are those of SlimPajama (length) and Gopher (repetition, symbols: Rae et al. 2021, appendix A.1.1 and table A1), found for
English. `WRITING` says to which documents a rule speaks:

- "spaced": most of its words stand between spaces;
- "unspaced": half of its words or more are single characters of a script without such spaces, as Chinese is (`words`). There the length of
  words is not asked for, and n-grams are longer in the measure in which a Chinese word is longer than a character, about 1.6 times:
  3 characters for 2 words, 8 for 5, 10 for 6. These three are ours, as are the two rules on language, and no paper's.

Where a number is NaN, since there is nothing to measure, no rule speaks: a document without words goes for its length.

Not here: Gopher's rules on the number of words (50 to 100,000) and on two stop words of eight, for which length and language stand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from minilm.data.corpus import words as parts
from minilm.data.corpus.language import HALF, LEAST_ENGLISH, LEAST_HAN, language_plain, language_shares
from minilm.data.corpus.normalize import LEAST, bare_codes, bare_text, content_lengths
from minilm.data.corpus.ragged import Ragged, batches
from minilm.data.corpus.repetition import n_gram_shares, repeated_parts, repetition_plain
from minilm.data.corpus.symbols import symbol_shares, symbols_plain, word_shapes

Measures: TypeAlias = Mapping[str, NDArray[np.float64]]
Writing: TypeAlias = Literal["any", "spaced", "unspaced"]

BATCH = 1 << 18  # characters of documents that are judged together
GOPHER, SLIMPAJAMA, OURS = "Rae et al. 2021 (Gopher)", "Soboleva et al. 2023 (SlimPajama)", "minilm"


class Rule(NamedTuple):
    """One rule.

    Attributes:
        name: its name, in reports and manifests; no other rule has it.
        measure: the number that it looks at, a key of `measures`.
        told: what the number says of a document, behind the number: "of its lines stood in it before".
        source: whose rule it is.
        least, most: a document stays if its number is neither below the one nor above the other.
        unit: "%" for a share, which is told in per cent, or nothing.
        writing: to which documents it speaks.
    """

    name: str
    measure: str
    told: str
    source: str
    least: float = -np.inf
    most: float = np.inf
    unit: Literal["%", ""] = "%"
    writing: Writing = "any"

    def reason(self, value: float) -> str:
        """Why a document with this number goes."""
        bound, word = (self.least, "at least") if value < self.least else (self.most, "at most")
        return f"{self._shown(value)} {self.told}; {word} {self._shown(bound)} asked for"

    @property
    def asks(self) -> str:
        """What it asks of a document: "at most 30.0 % of its lines stood in it before"."""
        bounds = [f"at least {self._shown(self.least)}"] if np.isfinite(self.least) else []
        bounds += [f"at most {self._shown(self.most)}"] if np.isfinite(self.most) else []
        where = {
            "any": "",
            "spaced": ", in texts with spaces between words",
            "unspaced": ", in texts without such spaces",
        }[self.writing]
        return f"{' and '.join(bounds)} {self.told}{where}"

    def _shown(self, value: float) -> str:
        return f"{100 * value:.1f} %" if self.unit else f"{value:,.4g}"


class Fault(NamedTuple):
    """A rule that a document breaks, its number there, and the reason in words."""

    rule: str
    value: float
    reason: str


_OF: Mapping[Writing, str] = {
    "spaced": "",
    "unspaced": " of characters",
}  # names differ, as documents are counted by them


def _repeated(n: int, most: float, writing: Writing, source: str) -> Rule:
    told = f"of its characters lie in runs of {n} words that stood in it before"
    return Rule(f"repeated {n}-grams{_OF[writing]}", f"repeated_{n}_grams", told, source, most=most, writing=writing)


def _top(n: int, most: float, writing: Writing, source: str) -> Rule:
    told = f"of its characters are one run of {n} words, again and again"
    return Rule(f"top {n}-gram{_OF[writing]}", f"top_{n}_gram", told, source, most=most, writing=writing)


RULES = (
    Rule("short", "characters", "characters besides punctuation and spaces", SLIMPAJAMA, least=LEAST, unit=""),
    Rule("repeated lines", "repeated_lines", "of its lines stood in it before", GOPHER, most=0.30),
    Rule("repeated paragraphs", "repeated_paragraphs", "of its paragraphs stood in it before", GOPHER, most=0.30),
    Rule("much in repeated lines", "repeated_line_characters", "of its text are lines that stood in it before", GOPHER, most=0.20),
    Rule("much in repeated paragraphs", "repeated_paragraph_characters", "of its text are paragraphs that stood in it before", GOPHER,
         most=0.20),
    *(_top(n, most, "spaced", GOPHER) for n, most in ((2, 0.20), (3, 0.18), (4, 0.16))),
    *(_repeated(n, most, "spaced", GOPHER) for n, most in ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10))),
    _top(3, 0.20, "unspaced", OURS),
    _repeated(8, 0.15, "unspaced", OURS),
    _repeated(10, 0.14, "unspaced", OURS),
    Rule("hashes", "hashes_per_word", "hash signs per word", GOPHER, most=0.1, unit=""),
    Rule("ellipses", "ellipses_per_word", "ellipses per word", GOPHER, most=0.1, unit=""),
    Rule("words without letters", "words_with_a_letter", "of its words have a letter", GOPHER, least=0.80),
    Rule("length of words", "word_length", "characters per word", GOPHER, least=3, most=10, unit="", writing="spaced"),
    Rule("bullets", "bullet_lines", "of its lines begin with a bullet", GOPHER, most=0.90),
    Rule("lines that break off", "ellipsis_lines", "of its lines end in an ellipsis", GOPHER, most=0.30),
    Rule("not English", "english_words", "of its words are function words of English", OURS, least=LEAST_ENGLISH, writing="spaced"),
    Rule("not Chinese", "han", "of what it writes without spaces is Chinese", OURS, least=LEAST_HAN,
         writing="unspaced"),
)  # fmt: skip


def measures(texts: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """All numbers that rules ask for, (documents,) each, NaN where there is nothing to measure.

    In memory: about 50 bytes per character of the texts, 160 where each character is a word.
    """
    raw, bare = parts.raw_codes(texts), bare_codes(texts)
    spaced = parts.ended(bare)
    lines, words = parts.lines(raw), parts.words(spaced)
    hashes = parts.span_hashes(spaced, words)
    found = {"characters": content_lengths(bare).astype(np.float64)}
    for name, some in (("line", lines), ("paragraph", parts.paragraphs(raw))):
        found[f"repeated_{name}s"], found[f"repeated_{name}_characters"] = repeated_parts(raw, some)
    found |= n_gram_shares(Ragged(hashes, words.counts), words.lengths)
    found |= symbol_shares(raw, parts.words(raw), lines)
    found |= word_shapes(spaced, words)
    found |= language_shares(spaced, words, hashes)
    return found


def broken(found: Measures, rules: Sequence[Rule] = RULES) -> NDArray[np.bool_]:
    """Which document breaks which rule, (documents, rules), from their numbers.

    Raises:
        KeyError: a rule asks for a measure that there is not.
    """
    unspaced = found["unspaced_words"] >= HALF
    asked = {"any": np.ones_like(unspaced), "spaced": ~unspaced, "unspaced": unspaced}
    columns = [
        asked[rule.writing] & ((found[rule.measure] < rule.least) | (found[rule.measure] > rule.most)) for rule in rules
    ]
    return np.column_stack([np.zeros((len(unspaced), 0), np.bool_), *columns])


def faults_of(found: Measures, rules: Sequence[Rule] = RULES) -> list[list[Fault]]:
    """For each document the rules that it breaks, in their order, from its numbers."""
    wrong = broken(found, rules)
    faults: list[list[Fault]] = [[] for _ in wrong]
    for document, number in np.argwhere(wrong):
        rule = rules[number]
        value = float(found[rule.measure][document])
        faults[document].append(Fault(rule.name, value, rule.reason(value)))
    return faults


def judge(texts: Sequence[str], rules: Sequence[Rule] = RULES) -> list[list[Fault]]:
    """For each text the rules that it breaks, in their order; one without any stays. Some texts at a time, so memory is bounded."""
    verdicts: list[list[Fault]] = []
    for batch in batches(texts, BATCH):
        verdicts += faults_of(measures(batch), rules)
    return verdicts


def measures_plain(text: str) -> dict[str, float]:
    """All numbers of one document, by counting: what `measures` finds for many."""
    bare = bare_text(text)
    words = parts.words_plain(bare)
    return {
        "characters": float(len(bare.replace(" ", ""))),
        **repetition_plain(text, words),
        **symbols_plain(text, words),
        **language_plain(words),
    }


def judge_plain(text: str, rules: Sequence[Rule] = RULES) -> list[str]:
    """The names of the rules that one document breaks."""
    found = measures_plain(text)
    writing = "unspaced" if found["unspaced_words"] >= HALF else "spaced"
    return [
        rule.name
        for rule in rules
        if rule.writing in ("any", writing) and (found[rule.measure] < rule.least or found[rule.measure] > rule.most)
    ]


__all__ = [
    "RULES",
    "Fault",
    "Measures",
    "Rule",
    "broken",
    "faults_of",
    "judge",
    "judge_plain",
    "measures",
    "measures_plain",
]
