"""What a rule speaks of is marked where it stands."""

import pytest

from minilm.data.corpus.evidence import evidence, marked
from minilm.data.corpus.quality import RULES, judge
from tests.data.corpus.texts import any_texts


def bracketed(text, measure):
    return "".join(f"[{part}]" if mark else part for part, mark in marked(text, evidence(text, measure)))


@pytest.mark.parametrize(
    ("measure", "text", "expected"),
    [
        ("repeated_lines", "a b\n c\n a b \n\na b", "a b\n c\n [a b] \n\n[a b]"),
        ("repeated_line_characters", "a\nb\na", "a\nb\n[a]"),
        ("repeated_paragraphs", "a\nb\n\nb\n \na\nb\n", "a\nb\n\nb\n \n[a\nb]\n"),
        ("repeated_5_grams", "a b, c d e! x A B c d e f", "a b, c d e! x [A B c d e] f"),
        ("repeated_5_grams", "a a a a a a a", "a [a a a a a a]"),
        ("repeated_8_grams", "一二三四五六七八，一二三四五六七八九", "一二三四五六七八，[一二三四五六七八]九"),
        ("top_2_gram", "so it is. It is, it was it IS", "so [it is. It is,] it was [it IS]"),
        ("top_3_gram", "nothing comes twice", "nothing comes twice"),
        ("hashes_per_word", "# a ## b#", "[#] a [##] b[#]"),
        ("ellipses_per_word", "a... b.. …… c.....", "a[...] b.. [……] c[.....]"),
        ("ellipsis_lines", "a... b…\nc...  \nd", "a... b[…]\nc[...]  \nd"),
        ("bullet_lines", "- a - b\n  * c\nd*", "[-] a - b\n  [*] c\nd*"),
        ("words_with_a_letter", "a 12 b2 -- 中", "a [12] b2 [--] 中"),
        ("characters", "a a a", "a a a"),
        ("", "", ""),
    ],
)
def test_by_hand(measure, text, expected):
    assert bracketed(text, measure) == expected


@pytest.mark.parametrize("measure", sorted({rule.measure for rule in RULES}))
def test_of_any_text_parts_are_the_text(measure):
    for text in any_texts(40):
        spans = evidence(text, measure)
        assert all(0 <= start < end <= len(text) for start, end in spans)
        assert spans == sorted(spans)
        assert "".join(part for part, _ in marked(text, spans)) == text


def test_where_a_rule_of_repetition_or_signs_is_broken_something_is_marked():
    whole = ("characters", "word_length", "english_words", "han")
    rules = {rule.name: rule.measure for rule in RULES if rule.measure not in whole}
    made = ["a b c d e f g h i j k l " * 3, "x\n\nx\n\nx", "# a", "…\n…", "- a\n- b", "一二三四五六七八九十" * 3]
    texts = [*any_texts(300, 3), *made]
    told = [(text, rules.get(fault.rule)) for text, faults in zip(texts, judge(texts), strict=True) for fault in faults]
    assert len({measure for _, measure in told}) > 12
    assert [measure for text, measure in told if measure and not evidence(text, measure)] == []
