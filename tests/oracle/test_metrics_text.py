"""BLEU, chrF, ROUGE and spans against sacrebleu, rouge-score and seqeval: random, with several references, degenerate."""

import sys
import warnings
from itertools import pairwise

import numpy as np
import pytest

sacrebleu = pytest.importorskip("sacrebleu")
rouge_scorer = pytest.importorskip("rouge_score.rouge_scorer")
seqeval_metrics = pytest.importorskip("seqeval.metrics")

from hypothesis import given
from hypothesis import strategies as st
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a
from sacrebleu.tokenizers.tokenizer_zh import TokenizerZh
from seqeval import scheme as seqeval_scheme

from minilm import metrics as ours
from minilm.metrics.bleu import words_13a, words_zh
from minilm.metrics.rouge import words

LETTERS = st.text(alphabet="ab c.,-'\"0123&;quotlg!?中文。—…\n<>%$(){}[]`~@/:\\é \t\u2028", max_size=40)
ANY = st.text(max_size=40)
SENTENCE = st.one_of(
    LETTERS,
    ANY,
    st.lists(st.sampled_from(["the", "cat", "sat", "on", "a", "mat", ",", "dog", "."]), max_size=12).map(" ".join),
)
EXAMPLES = st.lists(st.tuples(SENTENCE, SENTENCE, SENTENCE), min_size=1, max_size=5)
KINDS = ("PER", "LOC")


@given(st.one_of(LETTERS, ANY, st.sampled_from(["a <skipped> b-\nc", "&quot;&amp;lt;", "1.5.2,3 .4", "a..b,,c"])))
def test_tokens(text):
    assert words_13a(text) == Tokenizer13a()(text).split()
    assert words_zh(text) == TokenizerZh()(text).split()
    assert words(text) == [token for token in rouge_tokens(text) if token]


def rouge_tokens(text):
    from rouge_score import tokenize

    return tokenize.tokenize(text, None)


def test_every_character_is_chinese_for_both_or_for_none():
    zh = TokenizerZh()
    for start in range(0, sys.maxunicode + 1, 4096):
        letters = [chr(code) for code in range(start, start + 4096)]
        assert words_zh("x".join(letters)) == zh("x".join(letters)).split()


@given(EXAMPLES)
def test_bleu(examples):
    first, second, answers = map(list, zip(*examples, strict=True))
    for tokenize in ("13a", "zh"):
        theirs = sacrebleu.BLEU(tokenize=tokenize)
        assert ours.bleu(first, answers, tokenize).value == pytest.approx(theirs.corpus_score(answers, [first]).score)
        both = list(zip(first, second, strict=True))
        expected = theirs.corpus_score(answers, [first, second]).score
        assert ours.bleu(both, answers, tokenize).value == pytest.approx(expected)
        alone = sacrebleu.sentence_bleu(answers[0], [first[0]], tokenize=tokenize).score
        assert ours.sentence_bleu(first[0], answers[0], tokenize) == pytest.approx(alone)


def test_the_signature_is_the_one_in_the_docstring():
    theirs = sacrebleu.BLEU()
    theirs.corpus_score(["a"], [["a"]])
    assert str(theirs.get_signature()).startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|")
    theirs = sacrebleu.CHRF()
    theirs.corpus_score(["a"], [["a"]])
    assert str(theirs.get_signature()).startswith("nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|")


@given(EXAMPLES)
def test_chrf(examples):
    first, second, answers = map(list, zip(*examples, strict=True))
    for order in (0, 1, 2):
        theirs = sacrebleu.CHRF(word_order=order)
        assert ours.chrf(first, answers, order).value == pytest.approx(theirs.corpus_score(answers, [first]).score)
        both = list(zip(first, second, strict=True))
        expected = theirs.corpus_score(answers, [first, second]).score
        assert ours.chrf(both, answers, order).value == pytest.approx(expected)


@given(EXAMPLES)
def test_rouge(examples):
    first, second, answers = map(list, zip(*examples, strict=True))
    theirs = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=False)
    found = [theirs.score(reference, answer) for reference, answer in zip(first, answers, strict=True)]
    best = [theirs.score_multi([a, b], answer) for a, b, answer in zip(first, second, answers, strict=True)]
    both = list(zip(first, second, strict=True))
    for kind in (1, 2, "L"):
        for part, name in (("precision", "precision"), ("recall", "recall"), ("f", "fmeasure")):
            expected = np.mean([getattr(scores[f"rouge{kind}"], name) for scores in found])
            assert ours.rouge(kind, first, answers, part).value == pytest.approx(expected)
        expected = np.mean([scores[f"rouge{kind}"].fmeasure for scores in best])
        assert ours.rouge(kind, both, answers).value == pytest.approx(expected)


def tags(letters):
    tag = st.one_of(st.just("O"), st.builds("{}-{}".format, st.sampled_from(letters), st.sampled_from(KINDS)))
    return st.lists(st.tuples(tag, tag), min_size=1, max_size=12)


@given(st.lists(tags("BIES"), min_size=1, max_size=4))
def test_spans_as_conlleval_reads_them(sentences):
    check_spans(sentences, None, {})


@given(st.lists(tags("BI"), min_size=1, max_size=4))
def test_spans_of_bio_strictly(sentences):
    check_spans(sentences, "BIO", {"mode": "strict", "scheme": seqeval_scheme.IOB2})


@given(st.lists(tags("BIES"), min_size=1, max_size=4))
def test_spans_of_bioes_strictly(sentences):
    check_spans(sentences, "BIOES", {"mode": "strict", "scheme": seqeval_scheme.IOBES})


@given(st.lists(tags("BI"), min_size=1, max_size=4))
def test_spans_of_iob1_strictly(sentences):
    """But for one case: after a span, a B of another type is malformed; seqeval drops the span before it, too."""
    for sentence in sentences:
        for column in zip(*sentence, strict=True):
            for before, tag in pairwise(column):
                if before[0] == "B" == tag[0] and before != tag:
                    return
    check_spans(sentences, "IOB1", {"mode": "strict", "scheme": seqeval_scheme.IOB1})


def check_spans(sentences, strict, options):
    truth, answers = ([[pair[i] for pair in sentence] for sentence in sentences] for i in (0, 1))
    found = [[ours.spans(sentence, strict) for sentence in part] for part in (truth, answers)]
    if not any(any(sentence) for part in found for sentence in part):
        assert np.isnan(ours.span_f1(*found).value)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where nothing is said
        for name in ("precision", "recall", "f1"):
            for average in ("micro", "macro", "weighted"):
                theirs = getattr(seqeval_metrics, f"{name}_score")
                expected = theirs(truth, answers, average=average, zero_division=0, **options)
                value = getattr(ours, f"span_{name}")(*found, average).value
                assert value == pytest.approx(expected, nan_ok=True), (name, average)
